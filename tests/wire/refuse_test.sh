#!/bin/sh
# refuse_test.sh - a start that cannot be: one clear sentence that says where, exit 2, nothing half
# started. Each row: what it is, a pattern of the sentence, how it is made. What the kernel refuses
# is made with wire_deny; locked memory wants the release build, sanitizers know none.
set -u
ROOT=${RS_ROOT:?run ./dev test wire}
BUILD=${RS_BUILD_DIR:?run ./dev test wire}
RELEASE=$ROOT/build/release
DENY=$BUILD/tests/wire/wire_deny
EARLY=$BUILD/tests/wire/libwire_early_crypto.so
DIR=$(mktemp -d "${TMPDIR:-/tmp}/ringswitch-refuse-XXXXXX")
passed=0 failed=0 daemon=
bin=$BUILD # whose programs
under=     # what they are started by
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null
    umount "$DIR/small" 2>/dev/null
    rm -rf "$DIR"' EXIT
trap 'exit 1' INT HUP TERM
ulimit -c 0

ok()
{
    passed=$((passed + 1))
}
bad()
{
    failed=$((failed + 1))
    echo "refuse: $*"
}

# A port that nobody has, for what must not be reached: chosen by the kernel for the scheme below.
PORT=$((15000 + $$ % 15000)) # below those that connections get

# configuration NAME: a copy of the demo's files that a row may spoil.
configuration()
{
    rm -rf "$DIR/$1"
    mkdir -p "$DIR/$1/data"
    cp -r "$ROOT/conf" "$DIR/$1/conf"
    chmod -R u+w "$DIR/$1"
}

# command NAME [ARGUMENT...]: the daemon with that copy, instead of this shell.
command_of()
{
    name=$1
    shift
    # shellcheck disable=SC2086
    exec $under "$bin/ringswitch" -c "$DIR/$name/conf/ringswitch.yaml" \
        --set data="$DIR/$name/data" --set listeners.ascii.address=127.0.0.1:$PORT \
        --set listeners.hex.address=127.0.0.1:$((PORT + 1)) \
        --set http.address=127.0.0.1:$((PORT + 2)) \
        --set limits.txns=64Ki --set limits.replays=64Ki "$@"
}

# run NAME [ARGUMENT...]: its words in $DIR/NAME/out, its status in $status. It is one that ends.
run()
{
    (command_of "$@") >"$DIR/$1/out" 2>&1 &
    daemon=$!
    ended_within 60
}

# ended_within SECONDS: waits for the daemon; one that goes on is killed, and $status is 137.
ended_within()
{
    tries=$(($1 * 20))
    while kill -0 "$daemon" 2>/dev/null && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.05
    done
    kill -KILL "$daemon" 2>/dev/null
    wait "$daemon" 2>/dev/null
    status=$?
    daemon=
}

# up NAME [ARGUMENT...]: the daemon in the background, serving. stop: drains it, judges its end.
up()
{
    (command_of "$@") >"$DIR/$1/out" 2>&1 &
    daemon=$!
    tries=0
    until "$bin/ringctl" --dir "$DIR/$1/data" status >"$DIR/$1/status" 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 200 ] || ! kill -0 "$daemon" 2>/dev/null; then
            bad "$1: the daemon does not start: $(tail -n 3 "$DIR/$1/out")"
            return 1
        fi
        sleep 0.1
    done
}
stop()
{
    kill -TERM "$daemon" 2>/dev/null
    ended_within 20
    if [ "$status" = 0 ]; then ok; else bad "$1: SIGTERM: exit $status"; fi
}

# refused WHAT PATTERN NAME: judges what run() left.
refused()
{
    if [ "$status" != 2 ]; then
        bad "$1: exit $status"
    elif ! grep -Eq "$2" "$DIR/$3/out"; then
        bad "$1: no line like /$2/: $(head -n 3 "$DIR/$3/out")"
    else
        ok
    fi
    if grep -qE 'runtime error|AddressSanitizer|must\(|Assertion' "$DIR/$3/out"; then
        bad "$1: ended by a fault of the program: $(head -n 3 "$DIR/$3/out")"
    else
        ok
    fi
    left=$(pgrep -f "$DIR/$3/data" 2>/dev/null | tr '\n' ' ')
    if [ -n "$left" ]; then
        bad "$1: left running: $left"
    else
        ok
    fi
}

# warned WHAT EVENT NAME: it serves, and says so once.
warned()
{
    rm -f "$DIR/$3/data/ringswitch.log"
    if up "$3"; then
        stop "$1"
    fi
    count=$(grep -c "\"event\":\"$2\"" "$DIR/$3/data/ringswitch.log")
    if [ "$count" = 1 ]; then ok; else bad "$1: $count lines $2"; fi
}

# spoiled WHAT PATTERN FILE SED: a start with one file changed.
spoiled()
{
    configuration spoiled
    sed -i "$4" "$DIR/spoiled/conf/$3"
    run spoiled
    refused "$1" "$2" spoiled
}

F=ringswitch.yaml
spoiled 'mode missing' 'ringswitch.yaml:[0-9]+:[0-9]+: .*mode' $F '/^mode:/d'
spoiled 'mode unknown' 'ringswitch.yaml:[0-9]+:[0-9]+: .*mode' $F 's/^mode: .*/mode: perhaps/'
spoiled 'unknown setting' 'ringswitch.yaml:[0-9]+:[0-9]+: .*lisseners' $F 's/^listeners:/lisseners:/'
spoiled 'broken YAML' 'ringswitch.yaml:[0-9]+:[0-9]+: ' $F 's/^issuer:/issuer: [/'
spoiled 'not a number' 'ringswitch.yaml:[0-9]+:[0-9]+: .*cards' $F 's/^  cards: .*/  cards: many/'
spoiled 'a tab' 'ringswitch.yaml:[0-9]+:[0-9]+: ' $F 's/^  cards: /\tcards: /'
spoiled 'unknown dialect' 'nosuchdialect' $F 's/dialect: iso87-ascii,/dialect: nosuchdialect,/'
spoiled 'unknown party of a listener' 'nobody' $F 's/party: acquirer/party: nobody/'
spoiled 'unknown key of a party' 'parties.yaml:[0-9]+:[0-9]+: ' parties.yaml 's/window: 256/windou: 256/'
spoiled 'a party without settlement' 'parties.yaml:[0-9]+:[0-9]+: .*settlement' parties.yaml \
    '/settlement: settlement\/acquirer/d'
spoiled 'broken rules' 'limits.yaml:[0-9]+:[0-9]+: ' rules/limits.yaml 's/max: {amount: .*/max: {amount: lots}/'
spoiled 'a rule about nothing' 'routing.yaml:[0-9]+:[0-9]+: ' rules/routing.yaml 's/card.bin in 990001/card.hue in 990001/'
spoiled 'a route to nobody' 'routing.yaml:[0-9]+:[0-9]+: ' rules/routing.yaml 's/to: \[demo-b\]/to: [demo-z]/'
spoiled 'production with demo keys' '(production|demo)' $F 's/^mode: demo/mode: production/'

configuration options
run options --nonsense
refused 'unknown option' 'nonsense' options
run options --set nonsense=1
refused 'unknown --set' 'nonsense' options
timeout 20 "$BUILD/ringswitch" -c "$DIR/options/none.yaml" >"$DIR/options/out" 2>&1
status=$?
refused 'no such file' 'none.yaml: ' options

configuration token
run token
refused 'no token' 'token' token

# From here on with a token.
configuration good
"$BUILD/ringctl" hsm init -c "$DIR/good/conf/ringswitch.yaml" --set data="$DIR/good/data" \
    >"$DIR/good/token.log" 2>&1 || bad "no token: $(cat "$DIR/good/token.log")"

cp -r "$DIR/good/data/token" "$DIR/token/fresh"

configuration kcv
cp -r "$DIR/token/fresh" "$DIR/kcv/data/token"
sed -i 's/kcv: 666EA8/kcv: 666EA9/' "$DIR/kcv/conf/$F"
run kcv
refused 'check value that is not the key' 'zpk-acquirer' kcv

if timeout 20 "$BUILD/ringswitch" -c "$DIR/good/conf/ringswitch.yaml" --check \
    --set data="$DIR/good/data" >"$DIR/good/out" 2>&1; then ok; else bad '--check of the demo'; fi

"$BUILD/ringsim" scheme --dialects "$ROOT/conf/dialects" --listen 127.0.0.1:$PORT \
    >"$DIR/scheme.log" 2>&1 &
scheme=$!
tries=0
until grep -q listening "$DIR/scheme.log" || [ "$tries" -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
run good
refused 'port in use' "127.0.0.1:$PORT.*(in use|use)" good
kill "$scheme"
wait "$scheme" 2>/dev/null

# A small disk: a file system of its own where that may be, else a limit on a file's size.
mkdir -p "$DIR/small"
if mount -t tmpfs -o size=6m none "$DIR/small" 2>/dev/null; then
    mkdir -p "$DIR/small/data" "$DIR/full"
    cp -r "$DIR/token/fresh" "$DIR/small/data/token"
    timeout 60 "$BUILD/ringswitch" -c "$DIR/good/conf/ringswitch.yaml" \
        --set data="$DIR/small/data" --set listeners.ascii.address=127.0.0.1:$PORT \
        --set listeners.hex.address=127.0.0.1:$((PORT + 1)) \
        --set http.address=off >"$DIR/full/out" 2>&1
    status=$?
else
    mkdir -p "$DIR/full"
    (
        trap '' XFSZ
        ulimit -f 4096
        timeout 60 "$BUILD/ringswitch" -c "$DIR/good/conf/ringswitch.yaml" \
            --set data="$DIR/good/data" --set listeners.ascii.address=127.0.0.1:$PORT \
            --set listeners.hex.address=127.0.0.1:$((PORT + 1)) \
            --set http.address=off
    ) >"$DIR/full/out" 2>&1
    status=$?
fi
refused 'disk full' '(space|large|full)' full

# Two daemons in one directory.
up good
timeout 60 "$BUILD/ringswitch" -c "$DIR/good/conf/ringswitch.yaml" --set data="$DIR/good/data" \
    >"$DIR/token/out" 2>&1
status=$?
refused 'a directory that is taken' 'another ringswitch' token

# A reload that is wrong keeps what is in force; one that is right is taken.
cp "$DIR/good/conf/rules/limits.yaml" "$DIR/limits.yaml"
echo 'nonsense: [' >>"$DIR/good/conf/rules/limits.yaml"
if "$BUILD/ringctl" --dir "$DIR/good/data" reload >"$DIR/reload.log" 2>&1; then
    bad 'a broken rule file is taken'
elif grep -q 'limits.yaml:[0-9]' "$DIR/reload.log"; then
    ok
else
    bad "the reload's fault has no place: $(cat "$DIR/reload.log")"
fi
cp "$DIR/limits.yaml" "$DIR/good/conf/rules/limits.yaml"
if "$BUILD/ringctl" --dir "$DIR/good/data" reload >"$DIR/reload.log" 2>&1; then
    ok
else
    bad "a good reload is refused: $(cat "$DIR/reload.log")"
fi
stop 'after reloads'

# ---- what the kernel refuses -------------------------------------------------------------------

for error in EPERM ENOSYS; do
    under="$DENY io_uring $error"
    run good
    refused "io_uring $error" 'ringswitch: io_uring is refused: .*allow' good
done
under="$DENY direct EINVAL"
warned 'a directory without O_DIRECT' journal.not_direct good

under="$DENY populate ENOMEM"
run good --set memory=start
refused 'memory: start without the memory' 'memory: start: there is less memory than the limits take' good

bin=$RELEASE
under="$DENY mlock EPERM"
warned 'demo, memory not locked' memory.not_locked good
under="env LD_PRELOAD=$EARLY"
warned 'demo, keys not in locked memory' memory.keys_not_locked good

under=
if up good --set memory=start; then
    stop 'memory: start'
fi

# A production of its own: other keys, made while it was still a demo; their check values left out.
under=
configuration production
cat >"$DIR/production/conf/demo-keys.yaml" <<'TEXT'
zpk-acquirer: AEF1D01FA45DE6EF0EF88C1C8531BAF7
zpk-demo-a: CBCE73345E0E6D9408A71C2F9DBFBA64
zpk-demo-b: 232570E9C77A6102FD7C40AEFE467FE9
cvk-990001: 38C473FECEA770F80494837501458919
pvk-990001: F401BF46383D19AB193B64F86D34AE68
mac-acquirer: 454FD368DA1994D5756D2FEAB686BF85
mac-demo-a: CBB03E37733D4AFE58E3750BBC5EABE3
imk-ac-990001: 371A4915FB46EFE5380275FE40BFA4CD
TEXT
sed -i 's/, kcv: [^}]*}/}/' "$DIR/production/conf/$F"
"$bin/ringctl" hsm init -c "$DIR/production/conf/$F" --set data="$DIR/production/data" \
    >"$DIR/production/token.log" 2>&1 || bad "no token: $(cat "$DIR/production/token.log")"
sed -i 's/^mode: demo/mode: production/; s/demo_keys: .*/instances: 1/' "$DIR/production/conf/$F"
if up production; then
    stop 'production'
fi
run production --set memory=ahead
refused 'production, memory ahead' 'mode: production locks all memory' production
under="$DENY mlockall EPERM"
run production
refused 'production, hsmd not locked' 'hsmd cannot lock its memory; raise the memlock limit' production
under="$DENY mlock EPERM"
run production
refused 'production, tables not locked' 'memory: cannot be locked; raise the memlock limit' production
under="env LD_PRELOAD=$EARLY"
run production
refused 'production, keys not locked' 'keys cannot be locked in memory: .*LD_PRELOAD' production
bin=$BUILD under=

# ---- a directory that somebody put together ----------------------------------------------------

small='--set journal.segment_bytes=1MiB --set journal.segments=3'
# follower NAME: how far it is.
follower()
{
    "$BUILD/ringctl" --dir "$DIR/lived/data" status --json 2>/dev/null |
        sed -n "s/.*\"$1\":\([0-9][0-9]*\).*/\1/p" | head -n 1
}
# put_together [WHAT PATTERN]: `lived` as it was spoiled is refused, again and again.
put_together()
{
    for again in '' ', again'; do
        # shellcheck disable=SC2086
        run mixed $small
        refused "$1$again" "$2" mixed
    done
}
mixed()
{
    rm -rf "$DIR/mixed"
    cp -r "$DIR/lived" "$DIR/mixed"
    M=$DIR/mixed/data
}

configuration lived
cp -r "$DIR/token/fresh" "$DIR/lived/data/token"
# shellcheck disable=SC2086
up lived $small && stop 'a young directory'
cp -r "$DIR/lived/data/journal" "$DIR/early"
# shellcheck disable=SC2086
up lived $small
tries=0
until [ "0$(follower state)" -gt 1000 ] && [ "0$(follower archive)" -gt 1000 ] || [ "$tries" -gt 40 ]; do
    tries=$((tries + 1))
    "$BUILD/ringbench" load --connect 127.0.0.1:$PORT --links 1 --depth 1 --seconds 2 \
        --dialects "$ROOT/conf/dialects" >"$DIR/load.log" 2>&1
    sleep 1
done
[ "$tries" -le 40 ] || bad "the journal does not turn: $(tail -n 2 "$DIR/load.log")"
stop 'a directory that has lived'

mixed
# shellcheck disable=SC2086
up mixed $small && stop 'a copy of the whole directory'
mixed
rm "$M/state.mdb"
put_together 'no state.mdb' 'journal begins with batch [0-9]+, but state.mdb ends with batch 0.*ringctl ledger restore'
mixed
rm "$M/ref.mdb"
put_together 'no ref.mdb' 'journal begins with batch [0-9]+, but ref.mdb ends with batch 0.*ringctl ledger restore'
mixed
: >"$M/state.mdb"
put_together 'an emptied state.mdb' 'but state.mdb ends with batch 0'
mixed
rm -r "$M/journal/archive"
put_together 'no archive' 'but archive ends with batch 0'
mixed
rm "$M"/journal/journal-*.seg
put_together 'no segments' 'the journal is empty, but state.mdb ends with batch'
mixed
rm -r "$M/journal"
put_together 'no journal' 'the journal is empty, but state.mdb ends with batch'
mixed
rm -r "$M/journal"
cp -r "$DIR/early" "$M/journal"
put_together 'an older journal' 'journal ends with batch [0-9]+, but (ref|state) has seen batch .*ringctl ledger restore'
mixed
rm "$M/journal/hash-key"
put_together 'no hash-key' 'hash-key is missing or empty'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
