/* conf_fuzz.c - any bytes as a file of the configuration. The first byte says which: '0' the main
 * file, '1' the parties, '2' lists, '3' limits, '4' routing; the others are small and good. What
 * loads must be printable, comparable with itself, and answer a message. */
#include "conf/conf.h"
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_BYTES_MAX 16384u

static const struct {
    const char *name, *text;
} files[] = {
    {"ringswitch.yaml",
     "mode: demo\ndata: d\nlisteners: {m: {address: \"127.0.0.1:1\", dialect: a, party: p}}\n"
     "keys: {c: {use: cvk}, v: {use: pvk}, z: {use: zone_pin}}\n"
     "issuer: {bins: [\"990001\"], cvk: c, pvk: v}\n"},
    {"parties.yaml",
     "parties:\n  p: {kind: acquirer, settlement: settlement/p, zpk: z}\n"
     "  s: {kind: scheme, settlement: settlement/s, adapter: h, connect: \"127.0.0.1:2\"}\n"},
    {"rules/lists.yaml",
     "kind: lists\nschema: 1\nid: l\nversion: 1\nowner: o\nlists:\n"
     "  d: {type: digits, of: card.bin, entries: [\"990002\"], then: {decide: decline, reason: "
     "CARD_ON_DENY_LIST}}\n  h: {type: hash, of: card.key, source: lmdb:h}\n"},
    {"rules/limits.yaml",
     "kind: limits\nschema: 1\nid: m\nversion: 1\nowner: o\nbase_currency: KZT\n"
     "counters: {n: {key: [card.key], measure: count, of: approved, when: [card.key in @h], "
     "window: {sliding: 60m, buckets: 60}}}\n"
     "rules:\n  - {id: L1, when: [txn.type = cash], max: {amount: 5 KZT}}\n"
     "  - {id: L2, max: {vel.n: 3}}\nreserve: {approved: commit}\n"},
    {"rules/routing.yaml",
     "kind: routing\nschema: 1\nid: r\nversion: 1\nowner: o\nendpoints: {onus: {}, s: {}}\n"
     "rules:\n  - {id: R1, when: [card.bin in 9900], to: [onus]}\n  - {id: R2, to: [s]}\n"
     "otherwise: {decide: decline, reason: NO_ROUTE}\n"},
};

static char directory[64];

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void file_put(size_t index, const void *text, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, files[index].name);
    FILE *file = fopen(path, "we");
    demand(file != NULL);
    demand(size == 0 || fwrite(text, 1, size, file) == size);
    demand(fclose(file) == 0);
}

static void remove_all(void)
{
    char path[128];
    for (size_t i = 0; i < countof(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, files[i].name);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof path, "%s/rules", directory);
    (void)rmdir(path);
    (void)rmdir(directory);
}

static void directory_make(void)
{
    char path[128];
    (void)snprintf(directory, sizeof directory, "/tmp/conf_fuzz.XXXXXX");
    demand(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof path, "%s/rules", directory);
    demand(mkdir(path, 0700) == 0);
    for (size_t i = 0; i < countof(files); i++) {
        file_put(i, files[i].text, strlen(files[i].text));
    }
    (void)atexit(remove_all);
}

static bool listed(void *context, const char *list, const void *key, uint32_t key_size)
{
    (void)context;
    return key_size > 0 && ((const uint8_t *)key)[0] == (uint8_t)list[0];
}

static void rules_check(void *context, const struct conf *conf, struct conf_report *report)
{
    (void)context;
    const struct rules_options options = {.directory = conf->rules,
                                          .endpoints = conf->endpoint_names,
                                          .endpoints_count = conf->endpoints_count,
                                          .cards_max = conf->cards_max,
                                          .counter_slots_max = conf->counter_slots_max};
    uint32_t errors_before = report->errors_count;
    struct rules *rules = rules_load(&options, report);
    demand((rules == NULL) == (report->errors_count > errors_before));
    if (rules == NULL) {
        return;
    }
    for (uint32_t i = 0; i < 8; i++) {
        struct rule_facts facts = {.has_card_key = (i & 1) != 0,
                                   .has_amount = true,
                                   .has_currency = (i & 2) != 0,
                                   .mti = 200,
                                   .currency = 398,
                                   .mcc = (uint16_t)(i * 777),
                                   .entry_mode = 51,
                                   .pan_first8 = 99000100 - i * 100,
                                   .amount_minor = i * 400,
                                   .card_key = {'h'},
                                   .party = "p"};
        const struct rule_lookup lookup = {listed, NULL};
        struct rule_outcome out;
        char text[256];
        rules_screen(rules, &facts, &lookup, &out);
        demand(out.routes_count <= LIMIT_ROUTES_MAX &&
               out.counts_count <= LIMIT_COUNTS_PER_TXN_MAX);
        demand((out.findings & RULE_FOUND_NO_ROUTE) == 0 || out.routed_by == RULES_NONE);
        for (uint32_t row = 0; row < rules_rows_count(rules); row++) {
            (void)rules_explain(rules, &facts, &lookup, (uint16_t)row, text, sizeof text);
        }
    }
    rules_free(rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf_report report;
    if (directory[0] == '\0') {
        directory_make();
    }
    if (size == 0 || size > TEXT_BYTES_MAX) {
        return 0;
    }
    size_t index = (size_t)(data[0] - '0') % countof(files);
    file_put(index, data + 1, size - 1);

    char path[128];
    (void)snprintf(path, sizeof path, "%s/ringswitch.yaml", directory);
    struct conf_options options = {.file = path, .names = {.rules = rules_check}};
    memset(&report, 0, sizeof report);
    struct conf *conf = conf_load(&options, &report);
    demand((conf == NULL) == conf_report_has_errors(&report));
    if (conf != NULL) {
        static char text[65536];
        FILE *stream = fmemopen(text, sizeof text, "w");
        demand(stream != NULL);
        conf_print(conf, stream);
        (void)fclose(stream);
        demand(conf_fixed_differences(conf, conf, NULL, NULL) == 0);
    }
    conf_free(conf);
    file_put(index, files[index].text, strlen(files[index].text));
    return 0;
}
