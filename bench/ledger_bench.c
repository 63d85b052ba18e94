/* ledger_bench.c - what one decision costs the shard: plan, record with its checksum, apply. No
 * disk, no rings: those are measured by `journal`, `ring` and `load`.
 *
 * One million accounts with a card each, drawn at random, so that the memory is the machine's and
 * not its caches'; then 250 of them, as the demo's load. The rows of transactions are a circle that
 * is gone through several times, as in a day. */
#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench.h"
#include "ledger/plan.h"
#include "ledger/verify.h"

#include <stdio.h>
#include <time.h>

#define CARDS_MAX 1000000u
#define TXNS_MAX  (1u << 20)
#define RUNS      2000000u

struct subject {
    struct ledger_state *state;
    struct ledger_now now;
    struct ledger_plan *plan;
    struct ledger_command_request commands[8]; /* that have come in: LEDGER_AHEAD_HEADS + 1 */
    uint8_t *record;
    uint64_t random, bytes, stan;
};

static uint64_t next_random(struct subject *subject)
{
    uint64_t x = subject->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return subject->random = x;
}

static void decide(struct subject *subject, const void *command, uint32_t size)
{
    ledger_plan(subject->plan, subject->state, &subject->now, 0, true, command, size);
    uint32_t bytes = ledger_plan_pack(subject->plan, subject->record);
    if (bytes > 0) {
        ledger_apply(subject->state, (const void *)subject->record);
    }
    subject->bytes += bytes;
}

static void put_account(struct subject *subject, const char *name, bool is_house, int64_t amount)
{
    struct ledger_command_account command = {
        .header = {.size = sizeof command, .kind = LEDGER_ACCOUNT_CREATE},
        .currency = 398,
        .is_house = is_house,
        .amount_minor = amount,
    };
    (void)snprintf((char *)command.name, sizeof command.name, "%s", name);
    (void)snprintf((char *)command.counter, sizeof command.counter, "house");
    decide(subject, &command, sizeof command);
    if (amount != 0) {
        command.header.kind = LEDGER_ACCOUNT_MOVE;
        decide(subject, &command, sizeof command);
    }
}

static void put_card(struct subject *subject, uint64_t k)
{
    struct ledger_command_card command = {
        .header = {.size = sizeof command, .kind = LEDGER_CARD_CREATE}, .expiry = 3012};
    char name[LEDGER_ACCOUNT_NAME_BYTES];
    (void)snprintf(name, sizeof name, "card/%llu", (unsigned long long)k);
    put_account(subject, name, false, INT64_C(1) << 40);
    memcpy(command.card.bytes, &k, sizeof k);
    memcpy(command.account, name, strlen(name));
    decide(subject, &command, sizeof command);
}

static void prepare(struct subject *subject)
{
    static struct ledger_options options = {
        .limits = {CARDS_MAX, CARDS_MAX + 8, 1u << 20, TXNS_MAX, TXNS_MAX, 64, 64, 64},
        .parties_count = 1,
    };
    memcpy(options.parties[0].settlement_account, "settlement", 10);
    subject->state = ledger_state_create(&options.limits, 1);
    ledger_state_configure(subject->state, &options);
    subject->plan = mem_take(MEM_PLAIN, sizeof *subject->plan, "plan");
    subject->record = mem_take(MEM_PLAIN, LEDGER_RECORD_BYTES_MAX, "record");
    subject->random = 88172645463325252u;
    subject->now = (struct ledger_now){.epoch = 1};
    ledger_now_set(&subject->now, INT64_C(1795230000) * NS_PER_S, 0);
    put_account(subject, "house", true, 0);
    put_account(subject, "settlement", true, 0);
    for (uint64_t k = 0; k < CARDS_MAX; k++) {
        put_card(subject, k);
    }
}

static void fill(struct subject *subject, uint64_t at, uint32_t cards, enum ledger_class class)
{
    struct ledger_command_request *command = &subject->commands[at % 8];
    struct ledger_request *request = &command->request;
    uint64_t k = next_random(subject) % cards, stan = ++subject->stan;
    memset(request, 0, offsetof(struct ledger_request, counts));
    request->replay_key = (struct hash128){next_random(subject), stan};
    request->self_key = (struct hash128){next_random(subject), stan};
    request->rrn_key = (struct hash128){next_random(subject), stan};
    memcpy(request->card.bytes, &k, sizeof k);
    request->amount_minor = 1;
    request->de7 = 1121030000;
    request->stan = (uint32_t)(stan % 1000000);
    request->flags = LEDGER_REQUEST_ON_US | LEDGER_REQUEST_HAS_RRN;
    request->card_version = 1;
    request->ref_batch = 1;
    request->currency = 398;
    request->class = (uint8_t) class;
    request->mti = class == LEDGER_CLASS_AUTH ? 100 : 200;
    command->header.kind = LEDGER_AUTH;
}

static void print(bool json, const char *name, double value, const char *unit)
{
    if (json) {
        (void)printf("{\"bench\":\"ledger\",\"name\":\"%s\",\"%s\":%.1f}\n", name, unit, value);
    } else {
        (void)printf("%-44s %10.1f %s\n", name, value, unit);
    }
}

/* Processor time of this thread, best of five rounds: others use this machine too. */
static int64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* As the shard does with the commands that wait in a ring. */
static void look_ahead(struct subject *subject, uint32_t i)
{
    static const uint32_t steps[] = {LEDGER_AHEAD_HEADS, LEDGER_AHEAD_ROWS, LEDGER_AHEAD_ACCOUNTS};
    for (uint32_t step = 0; step < countof(steps); step++) {
        ledger_plan_prefetch(subject->state, &subject->commands[(i + steps[step]) % 8].header,
                             steps[step]);
    }
}

static bool measure(struct subject *subject, bool json, const char *name, uint32_t cards,
                    enum ledger_class class, bool repeat)
{
    int64_t best_ns = INT64_MAX;
    uint32_t runs = class == LEDGER_CLASS_AUTH ? 100000 : RUNS / 5;
    subject->bytes = 0;
    for (uint32_t i = 0; i < 8; i++) {
        fill(subject, i, cards, class);
    }
    for (uint32_t round = 0; round < 5; round++) {
        int64_t from_ns = cpu_ns();
        for (uint32_t i = 0; i < runs; i++) {
            if (!repeat) {
                fill(subject, i + LEDGER_AHEAD_HEADS, cards, class);
            }
            look_ahead(subject, i);
            decide(subject, &subject->commands[i % 8],
                   offsetof(struct ledger_command_request, relay));
            if (memcmp(subject->plan->verdict.reply.reply.de39, "00", 2) != 0) {
                return false;
            }
        }
        int64_t took_ns = cpu_ns() - from_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    print(json, name, (double)best_ns / runs, "ns");
    if (!repeat) {
        print(json, name, (double)subject->bytes / (5.0 * runs), "journal_bytes");
    }
    return true;
}

int bench_ledger(bool json)
{
    static struct subject subject;
    prepare(&subject);
    bool done =
        measure(&subject, json, "0200 approved, 1000000 cards", CARDS_MAX, LEDGER_CLASS_FINANCIAL,
                false) &&
        measure(&subject, json, "0200 approved, 250 cards", 250, LEDGER_CLASS_FINANCIAL, false) &&
        measure(&subject, json, "0100 approved, 1000000 cards", CARDS_MAX, LEDGER_CLASS_AUTH,
                false) &&
        measure(&subject, json, "repeat of a 0200", CARDS_MAX, LEDGER_CLASS_FINANCIAL, true);
    struct ledger_verified verified;
    ledger_state_verify(subject.state, &verified);
    if (!verified.is_ok) {
        (void)fprintf(stderr, "ringbench: ledger: %s\n", verified.text);
    }
    return done && verified.is_ok ? 0 : 1;
}
