/* shop.h - a shard's state driven by text: one line a message, what is expected behind "->".
 *
 *   0100 k=1 stan=7 amt=10000 p=00 rrn=A t=9 cvv2=ok ... -> 00 reason=APPROVED cvv2=M amount=
 * ledger= avail= 0200 fwd=a stan=8 amt=500          -> forward        (fwd=a | b | ab: routes) out
 * 8 approved|declined=05|technical|notsent|part=N -> 00 | silent | forward | wake=00 late 8 -> 91
 * (TIMEOUT of stan 8's open attempt) pull a [back]                      -> item mti=420 sends=1 |
 * none ack a                              -> done           (RESOLVED of the item last pulled)
 *   block 1 | lost 1 | stolen 1 | cancel 1 | open 1 | unpin 1 | freeze 1 | thaw 1 | list | tick
 * SECONDS give NAME AMOUNT | line NAME AMOUNT                        (a house account moves; credit
 * line) = k1 bal=100000000 held=0 | = acq bal=0 pend=0 | = exc forced=1 | = open=0 unknown=0 saf=0
 * holds=0
 *
 * After every line: the sums hold, a refused command has changed no account, what the state is is
 * what a replay of all records makes of it (at the end and at each "replay"). */
#ifndef TESTS_LEDGER_SHOP_H
#define TESTS_LEDGER_SHOP_H

#include "ledger/plan.h"
#include "ledger/verify.h"

struct shop {
    struct ledger_state *state, *spare; /* a replay goes into the spare one, then they change */
    uint32_t memory_mark;
    struct ledger_options options;
    struct ledger_now now;
    struct ledger_plan plan;
    int64_t utc_ns, replay_keep_ns;
    bool is_full;     /* the journal admits nothing */
    uint8_t *records; /* all of them, behind each other: what a journal would hold */
    uint64_t records_size, records_count;
    uint64_t seen_reasons; /* bit per enum ledger_reason */
    uint64_t txn_of_stan[1000];
    uint8_t attempt_of_stan[1000];
    uint64_t item_last[2];
    uint16_t next_stan;
    const char *name; /* of the script, for messages */
    int line;
};

void shop_open(struct shop *shop, const char *name);
void shop_open_limits(struct shop *shop, const char *name, const struct ledger_limits *limits);
void shop_run(struct shop *shop, const char *script);
/* Replays everything into a second state and compares. */
void shop_replay(struct shop *shop);
void shop_close(struct shop *shop);
/* Opens, runs, replays, closes. */
void shop_story(const char *name, const char *script);

/* One command: plan, pack, check, apply, verify. The verdict is in shop->plan. */
void shop_do(struct shop *shop, const void *command, uint32_t size);

#endif
