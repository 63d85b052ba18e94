/* rules_bench.c - nanoseconds of one message against a set of rules, single thread.
 *
 * Sets: the shape of the demo (a deny list, an amount, a counter, three routes), and 100 and 1,000
 * limits of three to five conditions. Messages differ, so that no branch is learnt by heart. The
 * ledger's lists answer at once: what LMDB takes is not in here. The best of several rounds counts,
 * for the machine may be shared. */
#include "bench/bench.h"
#include "rules/rules.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS   30u
#define MESSAGES 1024u

static const char *const endpoints[] = {"demo-a", "demo-b"};

static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static bool listed_never(void *context, const char *list, const void *key, uint32_t key_size)
{
    (void)context;
    (void)list;
    (void)key;
    (void)key_size;
    return false;
}

static FILE *file_open(const char *directory, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    if (file != NULL) {
        (void)fprintf(file, "kind: %.*s\nschema: 1\nid: bench\nversion: 1\nowner: bench\n",
                      (int)strcspn(name, "."), name);
    }
    return file;
}

static void limits_write(FILE *file, uint32_t limits_count)
{
    static const char *const modes[] = {"chip", "magstripe", "contactless", "ecom", "manual"};
    uint32_t state = 7;
    (void)fprintf(file,
                  "base_currency: KZT\ncounters:\n"
                  "  c: {key: [card.key], measure: count, of: approved, when: [card.key in "
                  "@velocity], window: {sliding: 60m, buckets: 60}}\n"
                  "rules:\n"
                  "  - {id: L0, when: [txn.type in purchase|cash], max: {amount: 500000 KZT}}\n"
                  "  - {id: L1, max: {vel.c: 3}}\n");
    for (uint32_t i = 0; i < limits_count; i++) {
        uint32_t mcc = 1000 + random_next(&state) % 8900,
                 bin = 400000 + random_next(&state) % 190000;
        (void)fprintf(file,
                      "  - {id: M%u, when: [merchant.mcc in %u-%u, card.bin in %u|%u-%u, "
                      "entry.mode = %s%s%s], max: {amount: %u KZT}}\n",
                      i, mcc, mcc + random_next(&state) % 90, bin, bin + 10,
                      bin + 10 + random_next(&state) % 500, modes[random_next(&state) % 5],
                      i % 2 == 0 ? ", pin.present = false" : "",
                      i % 3 == 0 ? ", merchant.id not in A|B" : "",
                      100 + random_next(&state) % 100000);
    }
    (void)fprintf(file, "reserve: {approved: commit}\n");
}

static bool files_write(const char *directory, uint32_t limits_count)
{
    FILE *lists = file_open(directory, "lists.yaml"), *limits = file_open(directory, "limits.yaml"),
         *routing = file_open(directory, "routing.yaml");
    bool good = lists != NULL && limits != NULL && routing != NULL;
    if (good) {
        (void)fprintf(
            lists, "lists:\n"
                   "  deny: {type: hash, of: card.key, source: lmdb:deny, then: {decide: decline, "
                   "reason: CARD_ON_DENY_LIST}}\n"
                   "  bins: {type: digits, of: card.bin, entries: [\"990002\"], then: {decide: "
                   "decline, reason: CARD_ON_DENY_LIST}}\n"
                   "  velocity: {type: hash, of: card.key, source: lmdb:velocity}\n");
        limits_write(limits, limits_count);
        (void)fprintf(routing, "endpoints: {onus: {}, demo-a: {}, demo-b: {}}\n"
                               "rules:\n"
                               "  - {id: R1, when: [card.bin in 990001], to: [onus]}\n"
                               "  - {id: R2, when: [card.bin in 40000000-49999999], to: [demo-a]}\n"
                               "  - {id: R3, when: [card.bin in 50000000-59999999], to: [demo-b]}\n"
                               "otherwise: {decide: decline, reason: NO_ROUTE}\n");
    }
    FILE *const files[] = {lists, limits, routing};
    for (size_t i = 0; i < countof(files); i++) {
        if (files[i] != NULL && fclose(files[i]) != 0) {
            good = false;
        }
    }
    return good;
}

/* A set made of files in a directory that is removed again; NULL after a message. */
static struct rules *set_make(uint32_t limits_count)
{
    static const char *const names[] = {"lists.yaml", "limits.yaml", "routing.yaml"};
    char directory[] = "/tmp/rules_bench.XXXXXX";
    struct rules *rules = NULL;
    struct conf_report *report = calloc(1, sizeof *report);
    if (report == NULL || mkdtemp(directory) == NULL || !files_write(directory, limits_count)) {
        (void)fprintf(stderr, "rules: %s cannot be written\n", directory);
    } else {
        struct rules_options options = {
            .directory = directory, .endpoints = endpoints, .endpoints_count = countof(endpoints)};
        rules = rules_load(&options, report);
        if (rules == NULL) {
            conf_report_print(report, stderr);
        }
    }
    for (size_t i = 0; i < countof(names); i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
    free(report);
    return rules;
}

static void messages_make(struct rule_facts messages[MESSAGES])
{
    static const uint16_t entries[] = {51, 21, 71, 812, 12};
    uint32_t state = 11;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct rule_facts *facts = &messages[i];
        *facts = (struct rule_facts){.has_card_key = true,
                                     .has_amount = true,
                                     .has_currency = true,
                                     .mti = 200,
                                     .currency = 398,
                                     .acquirer = 123456,
                                     .acquirer_digits_count = 6,
                                     .party = "acquirer"};
        facts->card_key[0] = (uint8_t)i;
        facts->has_pin = random_next(&state) % 2 == 0;
        facts->mcc = (uint16_t)(1000 + random_next(&state) % 8900);
        facts->entry_mode = entries[random_next(&state) % 5];
        facts->pan_first8 = i % 2 == 0 ? 99000100 : 40000000 + random_next(&state) % 19000000;
        facts->amount_minor = random_next(&state) % 10000000;
        memcpy(facts->merchant, "MERCHANT0000001", sizeof facts->merchant);
        memcpy(facts->terminal, "TERM0001", sizeof facts->terminal);
    }
}

static bool measure(bool json, const char *name, uint32_t limits_count)
{
    static struct rule_facts messages[MESSAGES];
    const struct rule_lookup lookup = {listed_never, NULL};
    struct rules *rules = set_make(limits_count);
    if (rules == NULL) {
        return false;
    }
    messages_make(messages);
    uint32_t repeats = limits_count > 100 ? 4 : 40;
    int64_t best = INT64_MAX;
    uint64_t before = mallinfo2().uordblks;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int64_t start = machine_now_ns();
        for (uint32_t i = 0; i < repeats * MESSAGES; i++) {
            struct rule_outcome out;
            rules_screen(rules, &messages[i % MESSAGES], &lookup, &out);
            __asm__ volatile("" : : "r"(&out) : "memory");
        }
        int64_t took = machine_now_ns() - start;
        best = took < best ? took : best;
    }
    uint64_t grown = mallinfo2().uordblks - before;
    double ns = (double)best / (repeats * MESSAGES);
    if (json) {
        (void)printf("{\"bench\":\"rules\",\"name\":\"%s\",\"ns\":%.1f,\"allocs\":%llu}\n", name,
                     ns, (unsigned long long)grown);
    } else {
        (void)printf("%-52s %8.1f ns %4llu allocations\n", name, ns, (unsigned long long)grown);
    }
    rules_free(rules);
    return true;
}

int bench_rules(bool json)
{
    bool good = measure(json, "screen 2 lists 2 limits 1 counter 3 routes", 0) &&
                measure(json, "screen 100 limits", 100) &&
                measure(json, "screen 1000 limits", 1000);
    return good ? 0 : 1;
}
