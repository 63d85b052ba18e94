#!/bin/sh
# refuse_test.sh - a start that cannot be: one clear sentence that says where, a non-zero exit, nothing
# half started. Each row: what it is, a pattern of the sentence, how it is made.
set -u
ROOT=${RS_ROOT:?run ./dev test wire}
BUILD=${RS_BUILD_DIR:?run ./dev test wire}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/ringswitch-refuse-XXXXXX")
passed=0 failed=0
trap 'umount "$DIR/small" 2>/dev/null; rm -rf "$DIR"' EXIT
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
PORT=$((20000 + $$ % 20000))

# configuration NAME: a copy of the demo's files that a row may spoil.
configuration()
{
    rm -rf "$DIR/$1"
    mkdir -p "$DIR/$1/data"
    cp -r "$ROOT/conf" "$DIR/$1/conf"
    chmod -R u+w "$DIR/$1"
}

# run NAME [ARGUMENT...]: the daemon with that copy; its words in $DIR/NAME/out, its status in $status.
run()
{
    name=$1
    shift
    timeout 60 "$BUILD/ringswitch" -c "$DIR/$name/conf/ringswitch.yaml" \
        --set data="$DIR/$name/data" --set listeners.ascii.address=127.0.0.1:$PORT \
        --set listeners.hex.address=127.0.0.1:$((PORT + 1)) \
        --set http.address=127.0.0.1:$((PORT + 2)) \
        --set limits.txns=64Ki --set limits.replays=64Ki "$@" >"$DIR/$name/out" 2>&1
    status=$?
}

# refused WHAT PATTERN NAME: judges what run() left.
refused()
{
    if [ "$status" = 0 ] || [ "$status" -ge 124 ]; then
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
sleep 0.5
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
run_daemon()
{
    "$BUILD/ringswitch" -c "$DIR/good/conf/ringswitch.yaml" --set data="$DIR/good/data" \
        --set listeners.ascii.address=127.0.0.1:$PORT \
        --set listeners.hex.address=127.0.0.1:$((PORT + 1)) \
        --set http.address=127.0.0.1:$((PORT + 2)) \
        --set limits.txns=64Ki --set limits.replays=64Ki >"$DIR/daemon.log" 2>&1 &
    daemon=$!
    tries=0
    until "$BUILD/ringctl" --dir "$DIR/good/data" status >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 200 ]; then
            bad "the daemon does not start: $(cat "$DIR/daemon.log")"
            break
        fi
        sleep 0.1
    done
}
run_daemon
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
kill -TERM "$daemon"
wait "$daemon"
status=$?
if [ "$status" = 0 ]; then ok; else bad "SIGTERM: exit $status"; fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
