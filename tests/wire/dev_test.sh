#!/bin/sh
# dev_test.sh - `./dev run --idle` as somebody lives with it: it is ended, killed, started beside one
# that lives, and its HSM worker dies.
set -u
ROOT=${RS_ROOT:?run ./dev test wire}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/ringswitch-dev-XXXXXX")
PORT=$((15000 + $$ % 15000)) # the demo's up to PORT + 1000: below those that connections get
passed=0 failed=0 dev=
cd "$ROOT" || exit 2

# family: the processes of this demo, whoever their parent is now.
family()
{
    pgrep -f "$DIR/" 2>/dev/null
}
end_all()
{
    for process in $dev $(family); do
        kill -KILL "$process" 2>/dev/null
    done
    rm -rf "$DIR"
}
trap end_all EXIT
trap 'exit 1' INT HUP TERM

ok()
{
    passed=$((passed + 1))
}
bad()
{
    failed=$((failed + 1))
    echo "dev: $*"
}
ctl()
{
    build/release/ringctl --dir "$DIR/demo" "$@" 2>/dev/null
}
# within SECONDS COMMAND...: true as soon as the command is.
within()
{
    tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}
start()
{
    rm -f "$DIR/out"
    ./dev run --idle --dir "$DIR/demo" --port-base $PORT >"$DIR/out" 2>&1 &
    dev=$!
    if within 120 grep -qx ready "$DIR/out"; then
        ok
    else
        bad "$1: not ready: $(tail -n 3 "$DIR/out")"
    fi
}
# beside WHAT: a second one says clearly that the first lives, and leaves it alone.
beside()
{
    timeout 60 ./dev run --idle --dir "$DIR/demo" --port-base $((PORT + 10)) >"$DIR/second" 2>&1
    status=$?
    if [ "$status" = 2 ] && grep -q 'a daemon is alive here' "$DIR/second"; then
        ok
    else
        bad "$1: a second ./dev: exit $status, $(tail -n 2 "$DIR/second")"
    fi
    if ctl status >/dev/null; then ok; else bad "$1: the first does not answer any more"; fi
}
# none_left HSMD: no process of the demo, nor its HSM worker.
none_left()
{
    [ -z "$(family)" ] && [ ! -d "/proc/$1" ]
}
worker()
{
    ctl hsm status --json | sed -n 's/.*"pid":\([0-9]*\).*/\1/p' | head -n 1
}
# Another process than $1, and it is ready.
worker_is_new()
{
    new=$(worker)
    [ -n "$new" ] && [ "$new" != 0 ] && [ "$new" != "$1" ] &&
        ctl hsm status --json | grep -q '"state":"answers jobs"'
}

start 'a first start'
beside 'one that serves'

old=$(worker)
if [ -n "$old" ] && kill -KILL "$old" && within 20 worker_is_new "$old"; then
    ok
else
    bad "hsmd ($old) was killed: $(ctl hsm status --json)"
fi

old=$(worker)
began=$(date +%s%N)
kill -TERM "$dev"
wait "$dev"
status=$?
took_ms=$((($(date +%s%N) - began) / 1000000))
if [ "$status" = 0 ] && [ "$took_ms" -le 5000 ]; then ok; else bad "SIGTERM: exit $status after $took_ms ms"; fi
if none_left "$old"; then ok; else bad "SIGTERM: left behind: $(family | tr '\n' ' ')"; fi

start 'a start on the same directory'
kill -KILL "$dev"
wait "$dev" 2>/dev/null
beside 'one whose ./dev was killed'
dev=
old=$(worker)
for process in $(family); do
    kill -TERM "$process" 2>/dev/null
done
if within 10 none_left "$old"; then ok; else bad "SIGTERM to each: left: $(family | tr '\n' ' ')"; fi
start 'a start after all that'
kill -TERM "$dev"
wait "$dev"
status=$?
if [ "$status" = 0 ]; then ok; else bad "SIGTERM: exit $status"; fi
dev=

# Somebody else listens where a demo scheme wants to: it must not be taken for the scheme. The kernel
# gives the port of a process with an io_uring back a moment after its end: tried until it is free.
takes_port()
{
    build/release/ringsim scheme --listen 127.0.0.1:$((PORT + 3)) >"$DIR/other" 2>&1 &
    other=$!
    sleep 0.3
    build/release/ringsim acquirer --connect 127.0.0.1:$((PORT + 3)) --send /dev/null &&
        kill -0 $other
}
if within 10 takes_port &&
    ! timeout 120 ./dev run --idle --dir "$DIR/demo" --port-base $PORT >"$DIR/out" 2>&1 &&
    grep -q 'a demo scheme did not start' "$DIR/out"; then
    ok
else
    bad "a scheme's port in use: $(tail -n 2 "$DIR/out" "$DIR/other")"
fi
kill -TERM $other 2>/dev/null

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
