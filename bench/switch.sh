# switch.sh - `./dev bench switch`: the daemon beside the ceilings of the same machine, in one run.
#
# Sourced by ./dev, whose helpers it uses. A daemon with a million prepared cards stands beside echo
# and durable echo, the ceilings: each round runs them one after the other, and a figure is the
# median of the rounds' own ratios, for the machine is not the same from minute to minute. Audits
# that what was answered is what was booked; then the same with forwarded traffic.
# Results: build/bench/switch.json, a JSON object a line; report.html out of all build/bench/*.json.
# shellcheck shell=sh

BENCH_DIR=run/bench
BENCH_BASE=18583

# number NAME < JSON: the value of a number in an object.
number()
{
    sed -n "s/.*\"$1\":\([-0-9.]*\).*/\1/p" | tail -n 1
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
# values NAME OF: the numbers that were measured under that name, one a round.
values()
{
    grep -F "\"name\":\"$1\"" build/bench/switch.json | sed -n "s/.*\"$2\":\([-0-9.]*\).*/\1/p"
}
# median EXPRESSION NAME OF [NAME OF]...: the median over the rounds, $1 the first name's number.
median()
{
    expression=$1
    shift
    columns=$(mktemp -d)
    column=0
    while [ $# -gt 0 ]; do
        column=$((column + 1))
        values "$1" "$2" >"$columns/$column"
        shift 2
    done
    (cd "$columns" && paste ./*) | awk "{ printf \"%.2f\\n\", $expression }" | sort -n |
        awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
    rm -rf "$columns"
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

# ceilings LINKS DEPTH: echo and durable echo of this minute, as long as the daemon.
ceilings()
{
    measure "echo $1x$2" "$BIN/ringbench" echo --links "$1" --depth "$2" --seconds "$seconds"
    measure "echo --durable $1x$2" "$BIN/ringbench" echo --durable --links "$1" --depth "$2" \
        --seconds "$seconds" --data "$BENCH_DIR"
}

bench_start()
{
    rm -rf "$BENCH_DIR" # every run begins with the same state: what a run books makes starts longer
    mkdir -p "$BENCH_DIR"
    "$BIN/ringbench" prepare --cards 1000000 --data "$BENCH_DIR" --port-base $BENCH_BASE \
        2>build/bench/prepare.log >&2 || {
        cat build/bench/prepare.log >&2
        return 1
    }
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
}

bench_idle()
{
    sleep 6 # memory is warmed, links are dialled
    before=$(cpu_ticks "$DAEMON")
    sleep 5
    idle=$(($(cpu_ticks "$DAEMON") - before))
    figure 'idle daemon' "$(awk -v ticks=$idle -v hz="$(getconf CLK_TCK)" \
        'BEGIN { printf "%.2f", 100 * ticks / (5 * hz) }')" '% of a core'
}

bench_on_us()
{
    for shape in 64:1 8:32; do
        ceilings "${shape%:*}" "${shape#*:}"
        # shellcheck disable=SC2086
        measure "on-us ${shape%:*}x${shape#*:}" $on_us --links "${shape%:*}" --depth "${shape#*:}"
        wait_for_followers
    done
    for follower in state archive; do ctl "$BENCH_DIR" follower pause $follower; done
    sleep 3 # the disk still has to do with what they wrote
    # shellcheck disable=SC2086
    measure 'on-us 64x1, state and archive paused' $on_us --links 64 --depth 1
    for follower in state archive; do ctl "$BENCH_DIR" follower resume $follower; done
    wait_for_followers
}

bench_forwarded()
{
    ceilings 8 1
    # shellcheck disable=SC2086
    {
        measure 'on-us 8x1' $on_us --links 8 --depth 1
        measure 'forwarded 8x1' $load --links 8 --depth 1 --mix bench/forwarded.jsonl
        measure 'the simulator alone 8x1' $load --connect 127.0.0.1:8586 --links 8 --depth 1 \
            --mix bench/forwarded.jsonl
    }
    wait_for_followers
}

bench_switch()
{
    : >build/bench/switch.json
    rounds=$(seq "${RS_BENCH_ROUNDS:-3}")
    seconds=${RS_BENCH_SECONDS:-3}
    trap 'end_demo; exit 130' INT TERM
    trap end_demo EXIT
    bench_start || return 1
    own="--own $DAEMON"
    for scheme in $SCHEMES; do own="$own --own $scheme"; done
    load="$BIN/ringbench load --connect 127.0.0.1:$BENCH_BASE --seconds $seconds $own"
    on_us="$load --cards 1000000 --expect 39=00:99.9%"
    bench_idle
    BALANCE_BEFORE=$(ctl "$BENCH_DIR" account show settlement/acquirer --json |
        number balance_minor)
    for _ in $rounds; do bench_on_us; done
    bench_audit
    for _ in $rounds; do bench_forwarded; done
    end_demo
    trap - INT TERM EXIT
    for shape in 64x1 8x32 8x1; do
        figure "on-us / echo --durable, $shape" \
            "$(median '$1 / $2' "on-us $shape" rate_per_s "echo --durable $shape" rate_per_s)" ''
    done
    figure 'on-us 8x32, median' "$(median '$1' 'on-us 8x32' rate_per_s)" '/s'
    figure 'on-us 64x1, median p99' "$(median '$1' 'on-us 64x1' p99_us)" us
    figure 'on-us p99 / echo --durable p99, 64x1, paused' "$(median '$1 / $2' \
        'on-us 64x1, state and archive paused' p99_us 'echo --durable 64x1' p99_us)" ''
    figure 'forwarded adds at p50, 8x1' "$(median '$1 - $2' \
        'forwarded 8x1' p50_us 'the simulator alone 8x1' p50_us)" us
    figure 'allowed: 2 x (durable echo - echo) + 60' "$(median '2 * ($1 - $2) + 60' \
        'echo --durable 8x1' p50_us 'echo 8x1' p50_us)" us
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

