#!/bin/sh
# bench_test.sh - the benches run, small: their figures are there, and what the load heard is booked.
set -u
ROOT=${RS_ROOT:?run ./dev test wire}
BUILD=${RS_BUILD_DIR:?run ./dev test wire}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/ringswitch-bench-XXXXXX")
PORT=$((15000 + $$ % 15000)) # below those that connections get
passed=0 failed=0 daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null; rm -rf "$DIR"' EXIT
cd "$ROOT" || exit 2

# expect WHAT FILE PATTERN...: every pattern stands in the file.
expect()
{
    what=$1 file=$2
    shift 2
    for pattern in "$@"; do
        if grep -Eq "$pattern" "$file"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "bench: $what: no /$pattern/ in: $(tail -n 3 "$file")"
        fi
    done
}
# figures FILE: what every measurement of latencies prints.
figures()
{
    expect "$1" "$1" '"rate_per_s":[1-9]' '"p50_us":[0-9]' '"p90_us":' '"p99_us":' '"p999_us":' \
        '"max_us":' '"foreign_percent":'
}
number()
{
    sed -n "s/.*\"$1\":\([-0-9]*\).*/\1/p" | tail -n 1
}

"$BUILD/ringbench" echo --links 4 --depth 4 --seconds 1 --json >"$DIR/echo" 2>&1
figures "$DIR/echo"
for writer in ring thread; do
    "$BUILD/ringbench" echo --durable --writer $writer --links 4 --depth 4 --seconds 1 \
        --data "$DIR" --json >"$DIR/durable-$writer" 2>&1
    figures "$DIR/durable-$writer"
done
"$BUILD/ringbench" ring --json >"$DIR/ring" 2>&1
expect ring "$DIR/ring" '"ns":[0-9]'

"$BUILD/ringbench" prepare --cards 1000 --data "$DIR/data" --txns 200000 --port-base $PORT \
    >"$DIR/prepare" 2>&1
expect prepare "$DIR/prepare" 'data/ringswitch.yaml$'
"$BUILD/ringswitch" -c "$DIR/data/ringswitch.yaml" >"$DIR/start" 2>&1 &
daemon=$!
tries=0
until "$BUILD/ringctl" --dir "$DIR/data" status >/dev/null 2>&1 || [ "$tries" -gt 200 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
load="$BUILD/ringbench load --connect 127.0.0.1:$PORT --cards 1000 --seconds 1 --json --own $daemon"
$load --links 4 --depth 4 --expect 39=00:50% >"$DIR/closed" 2>&1 || echo failed >>"$DIR/closed"
$load --links 4 --rate 500 --expect 39=00:50% >"$DIR/open" 2>&1 || echo failed >>"$DIR/open"
figures "$DIR/closed"
figures "$DIR/open"
expect 'closed loop' "$DIR/closed" '"unanswered":0' '"links_lost":0' '"unknown":0'
expect 'open loop' "$DIR/open" '"unanswered":0' '"sent":(49[0-9]|50[0-9])'
heard=$(($(number 00 <"$DIR/closed") + $(number 00 <"$DIR/open")))
"$BUILD/ringctl" --dir "$DIR/data" account show settlement/acquirer --json >"$DIR/booked" 2>&1
expect "what was heard ($heard) is booked" "$DIR/booked" "\"balance_minor\":$heard,"
if $load --links 1 --depth 1 --expect 39=51:99% >"$DIR/wrong" 2>&1; then
    failed=$((failed + 1))
    echo 'bench: an expectation that is not met ends with 0'
else
    passed=$((passed + 1))
fi
kill "$daemon"
wait "$daemon" && passed=$((passed + 1)) || failed=$((failed + 1))
daemon=

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
