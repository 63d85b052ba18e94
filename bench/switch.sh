# switch.sh - `./dev bench switch`: the daemon beside the ceilings of the same machine, in one run.
#
# Sourced by ./dev, whose helpers it uses. Runs echo and durable echo, then a daemon with a million
# prepared cards under load, then forwarded traffic; audits that what was answered is what was booked.
# Results: build/bench/switch.json, a JSON object a line; report.html out of all build/bench/*.json.
# shellcheck shell=sh

BENCH_DIR=run/bench
BENCH_BASE=18583

# number NAME < JSON: the value of a number in an object.
number()
{
    sed -n "s/.*\"$1\":\([-0-9.]*\).*/\1/p" | tail -n 1
}
# ratio A B: with two decimals.
ratio()
{
    awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "-" }'
}

# measure NAME COMMAND...: one JSON line into build/bench/switch.json, one row of the table.
measure()
{
    label=$1
    shift
    line=$("$@" --json) || say "bench: $label: an expectation was not met"
    line=$(printf '%s' "$line" | tail -n 1)
    printf '{"name":"%s",%s\n' "$label" "${line#\{}" >>build/bench/switch.json
    printf '%-44s %10s /s  p50 %8s  p99 %9s  p99.9 %9s us  foreign %5s %%\n' "$label" \
        "$(echo "$line" | number rate_per_s)" "$(echo "$line" | number p50_us)" \
        "$(echo "$line" | number p99_us)" "$(echo "$line" | number p999_us)" \
        "$(echo "$line" | number foreign_percent)"
}
# value NAME OF: a number that was measured under that name.
value()
{
    grep -F "\"name\":\"$1\"" build/bench/switch.json | number "$2"
}
# figure NAME NUMBER UNIT: a line of its own.
figure()
{
    printf '{"name":"%s","value":%s,"unit":"%s"}\n' "$1" "$2" "$3" >>build/bench/switch.json
    printf '%-44s %10s %s\n' "$1" "$2" "$3"
}

cpu_ticks()
{
    awk '{ sub(/.*\) /, ""); print $12 + $13 + $14 + $15 }' "/proc/$1/stat"
}

bench_audit()
{
    # Every 00 that was heard is 0.01 on the settlement account, neither more nor less.
    balance=$(ctl "$BENCH_DIR" account show settlement/acquirer --json | number balance_minor)
    heard=$(awk '/"bench":"load"/ && /on-us/ {
            if (match($0, /"00":[0-9]+/)) sum += substr($0, RSTART + 5, RLENGTH - 5) }
        END { print sum + 0 }' build/bench/switch.json)
    figure 'answers 00, heard by the clients' "$heard" messages
    figure 'booked on settlement/acquirer' "$((balance - BALANCE_BEFORE))" '0.01 KZT'
    ctl "$BENCH_DIR" ledger verify --json | grep -q '"ok":true' || say 'bench: ledger verify: not ok'
    [ "$heard" = "$((balance - BALANCE_BEFORE))" ] || say 'bench: the books and the clients differ'
}

# Followers that have a backlog write to the journal's disk: what is measured next waits for them.
wait_for_followers()
{
    waited=0
    while [ "$waited" -lt 120 ]; do
        status=$(ctl "$BENCH_DIR" status --json)
        behind=$(($(echo "$status" | number batch_durable) - $(echo "$status" | number state)))
        [ "$behind" -gt 1000 ] || return 0
        sleep 0.5
        waited=$((waited + 1))
    done
}

bench_switch()
{
    seconds_each=${RS_BENCH_SECONDS:-5}
    rm -rf "$BENCH_DIR" # every run begins with the same state: what a run books makes starts longer
    mkdir -p "$BENCH_DIR"
    "$BIN/ringbench" prepare --cards 1000000 --data "$BENCH_DIR" --port-base $BENCH_BASE \
        2>build/bench/prepare.log >&2 || {
        cat build/bench/prepare.log >&2
        return 1
    }
    : >build/bench/switch.json
    for shape in 64:1 8:32 8:1; do
        links=${shape%:*} depth=${shape#*:}
        measure "echo ${links}x$depth" "$BIN/ringbench" echo --links "$links" --depth "$depth" \
            --seconds 3
        measure "echo --durable ${links}x$depth" "$BIN/ringbench" echo --durable --links "$links" \
            --depth "$depth" --seconds 3 --data "$BENCH_DIR"
    done
    trap 'end_demo; exit 130' INT TERM
    trap end_demo EXIT
    for scheme in a:8586 b:8587; do # where conf/parties.yaml has them
        "$BIN/ringsim" scheme --listen "127.0.0.1:${scheme#*:}" >/dev/null 2>&1 &
        SCHEMES="$SCHEMES $!"
    done
    "$BIN/ringswitch" -c "$BENCH_DIR/ringswitch.yaml" >"build/bench/start.log" 2>&1 &
    DAEMON=$!
    tries=0
    until answered $BENCH_BASE; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] && kill -0 "$DAEMON" 2>/dev/null || {
            cat build/bench/start.log >&2
            say 'bench: the daemon did not answer within a minute'
            return 1
        }
        sleep 0.2
    done
    own="--own $DAEMON"
    for scheme in $SCHEMES; do own="$own --own $scheme"; done
    load="$BIN/ringbench load --connect 127.0.0.1:$BENCH_BASE --seconds $seconds_each $own"
    sleep 6 # memory is warmed, links are dialled
    before=$(cpu_ticks "$DAEMON")
    sleep 5
    idle=$(($(cpu_ticks "$DAEMON") - before))
    figure 'idle daemon' "$(ratio $((idle * 100)) $((5 * $(getconf CLK_TCK))))" '% of a core'
    BALANCE_BEFORE=$(ctl "$BENCH_DIR" account show settlement/acquirer --json |
        number balance_minor)
    on_us="$load --cards 1000000 --expect 39=00:99.9%"
    for shape in 64:1 8:32 8:1; do
        # shellcheck disable=SC2086
        measure "on-us ${shape%:*}x${shape#*:}" $on_us --links "${shape%:*}" --depth "${shape#*:}"
        wait_for_followers
    done
    for follower in state archive; do ctl "$BENCH_DIR" follower pause $follower; done
    # shellcheck disable=SC2086
    measure 'on-us 64x1, state and archive paused' $on_us --links 64 --depth 1
    for follower in state archive; do ctl "$BENCH_DIR" follower resume $follower; done
    bench_audit
    wait_for_followers
    # shellcheck disable=SC2086
    measure 'forwarded 8x1' $load --links 8 --depth 1 --mix bench/forwarded.jsonl
    # shellcheck disable=SC2086
    measure 'the simulator alone 8x1' $load --connect 127.0.0.1:8586 --links 8 --depth 1 \
        --mix bench/forwarded.jsonl
    end_demo
    trap - INT TERM EXIT
    figure 'on-us / echo --durable, 64x1' \
        "$(ratio "$(value 'on-us 64x1' rate_per_s)" "$(value 'echo --durable 64x1' rate_per_s)")" ''
    figure 'on-us / echo --durable, 8x32' \
        "$(ratio "$(value 'on-us 8x32' rate_per_s)" "$(value 'echo --durable 8x32' rate_per_s)")" ''
    figure 'on-us p99 / echo --durable p99, 64x1, paused' "$(ratio \
        "$(value 'on-us 64x1, state and archive paused' p99_us)" \
        "$(value 'echo --durable 64x1' p99_us)")" ''
    added=$(awk -v a="$(value 'forwarded 8x1' p50_us)" -v b="$(value 'the simulator alone 8x1' \
        p50_us)" 'BEGIN { printf "%.1f", a - b }')
    allowed=$(awk -v a="$(value 'echo --durable 8x1' p50_us)" -v b="$(value 'echo 8x1' p50_us)" \
        'BEGIN { printf "%.1f", 2 * (a - b) + 60 }')
    figure 'forwarded adds at p50, 8x1' "$added" us
    figure 'allowed: 2 x (durable echo - echo) + 60' "$allowed" us
}

# report: build/bench/report.html out of build/bench/*.json: a table and bars, nothing from outside.
bench_report()
{
    cat build/bench/*.json | awk '
        function get(name,   at) {
            if (!match($0, "\"" name "\":\"[^\"]*\"")) {
                if (!match($0, "\"" name "\":[-0-9.]+")) return ""
                return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
            }
            return substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5)
        }
        function bar(label, value, most, unit, y) {
            return sprintf("<text x=\"0\" y=\"%d\">%s</text><rect x=\"330\" y=\"%d\" width=\"%.1f\" \
height=\"12\"/><text x=\"%.1f\" y=\"%d\">%s %s</text>\n", y + 10, label, y,
                most > 0 ? 420 * value / most : 0, 338 + (most > 0 ? 420 * value / most : 0),
                y + 10, value, unit)
        }
        /"rate_per_s"/ { n++; name[n] = get("name"); rate[n] = get("rate_per_s")
            p50[n] = get("p50_us"); p99[n] = get("p99_us"); p999[n] = get("p999_us")
            foreign[n] = get("foreign_percent")
            if (rate[n] + 0 > most_rate) most_rate = rate[n] + 0
            if (p99[n] + 0 > most_p99) most_p99 = p99[n] + 0 }
        /"value"/ { f++; figure[f] = get("name"); value[f] = get("value") " " get("unit") }
        /"ns":/ { m++; micro[m] = get("bench") ": " get("name"); ns[m] = get("ns")
            if (ns[m] + 0 > most_ns) most_ns = ns[m] + 0 }
        END {
            print "<!doctype html><meta charset=utf-8><title>ringswitch benches</title><style>"
            print "body{font:14px sans-serif;margin:2em;max-width:70em}"
            print "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right}"
            print "td:first-child,th:first-child{text-align:left}tr:nth-child(even){background:#eee}"
            print "rect{fill:#369}text{font-size:12px}</style><h1>ringswitch benches</h1>"
            print "<table><tr><th>run<th>per second<th>p50 us<th>p99 us<th>p99.9 us<th>foreign %"
            for (i = 1; i <= n; i++) printf "<tr><td>%s<td>%s<td>%s<td>%s<td>%s<td>%s\n", name[i],
                rate[i], p50[i], p99[i], p999[i], foreign[i]
            print "</table><h2>Figures</h2><table>"
            for (i = 1; i <= f; i++) printf "<tr><td>%s<td>%s\n", figure[i], value[i]
            printf "</table><h2>Per second</h2><svg width=900 height=%d>\n", n * 18 + 4
            for (i = 1; i <= n; i++) printf "%s", bar(name[i], rate[i], most_rate, "", i * 18 - 16)
            printf "</svg><h2>p99</h2><svg width=900 height=%d>\n", n * 18 + 4
            for (i = 1; i <= n; i++) printf "%s", bar(name[i], p99[i], most_p99, "us", i * 18 - 16)
            printf "</svg><h2>Micro benches</h2><svg width=900 height=%d>\n", m * 18 + 4
            for (i = 1; i <= m; i++) printf "%s", bar(micro[i], ns[i], most_ns, "ns", i * 18 - 16)
            print "</svg>"
        }' >build/bench/report.html
    say 'report: build/bench/report.html'
}

