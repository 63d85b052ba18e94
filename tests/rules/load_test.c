/* load_test.c - faults of rule files: each with its code and line; and the hash of a set.
 *
 * RULES_REFERENCE in the environment names another checker of the same language (a Python program
 * that prints FILE:LINE:COL: CODE text for a directory): then both must find the same errors. */
#include "rules/compile.h"
#include "tests/rules/support.h"

struct mutation {
    const char *file, *from, *to, *code;
    uint32_t line;      /* of the fault; 0 = the file */
    bool not_reference; /* ours alone: a later part of the language, or a stricter check */
};
static const struct mutation mutations[] = {
    {"limits.yaml", "- id: L001\n", "- id: L002\n", "E036", 25, false},
    {"routing.yaml", "id: R001", "id: L001", "E036", 14, false},
    {"limits.yaml", "owner: risk\n", "owner: risk\nowner: risk\n", "E003", 7, false},
    {"limits.yaml", "kind: limits", "kind: &a limits", "E002", 2, false},
    {"limits.yaml", "rules:", "rules:\n\t", "E001", 0, true},
    {"limits.yaml", "max: {amount", "maxx: {amount", "E005", 19, true},
    {"limits.yaml", "name: One", "nam: One", "E004", 20, false},
    {"limits.yaml", "500_000 KZT", "500_000", "E017", 22, false},
    {"limits.yaml", "500_000 KZT", "500_000.005 KZT", "E017", 22, false},
    {"limits.yaml", "500_000 KZT", "500_000 KZZ", "E017", 22, false},
    {"limits.yaml", "500_000 KZT", "99999999999999999999 KZT", "E017", 22, true},
    {"limits.yaml", "txn.type in purchase", "txn.typ in purchase", "E010", 21, false},
    {"limits.yaml", "txn.type in purchase", "txn.type inn purchase", "E010", 21, false},
    {"limits.yaml", "txn.type in purchase", "txn.type > purchase", "E011", 21, false},
    {"limits.yaml", "purchase|cash|transfer", "purchase|csh|transfer", "E013", 21, false},
    {"limits.yaml", "txn.type in purchase|cash", "amount in 5 KZT|cash", "E011", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "merchant.mcc in 12", "E012", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "card.bin in 123", "E012", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "card.bin in 5000-4000", "E012", 21,
     false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "currency = KZX", "E013", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "pin.present = yes", "E012", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "card.key in 5", "E011", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "merchant.id = terminal.id", NULL, 0,
     false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "merchant.id = txn.type", "E011", 21,
     false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "txn.type = cash, txn.type = refund",
     "E020", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "amount < 5 KZT, amount > 4.99 KZT",
     "E020", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "amount < 5 KZT, amount > 4 KZT", NULL, 0,
     false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "txn.type is missing, txn.type = cash",
     "E020", 21, true},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "merchant.id = a, merchant.id = b",
     "E020", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "nott: [txn.type = cash]", "E004", 21,
     false},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "response.code = 05", "E018", 21, true},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "card.segment = consumer", "E090", 21,
     true},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "vel.purchases_60m > 3", "E090", 21,
     true},
    {"limits.yaml", "txn.type in purchase|cash|transfer", "vel.purchases > 3", "E016", 21, false},
    {"limits.yaml", "[txn.message in auth|financial, txn.type in purchase|cash|transfer]",
     "txn.type = cash", "E004", 21, false},
    {"limits.yaml", "txn.type in purchase|cash|transfer",
     "{any: [txn.type = cash, txn.type = refund, txn.type = balance, txn.type = transfer, txn.type "
     "= purchase]}, "
     "{any: [channel = pos, channel = atm, channel = ecom, channel is missing]}",
     "E024", 21, false},
    {"limits.yaml", "@velocity_cards", "@velocity_card", "E014", 15, false},
    {"limits.yaml", "card.key in @velocity_cards", "merchant.mcc in @velocity_cards", "E015", 15,
     false},
    {"limits.yaml", "vel.purchases_60m: 3", "vel.purchases_6m: 3", "E016", 27, false},
    {"limits.yaml", "vel.purchases_60m: 3", "vel.purchases_60m: three", "E012", 27, false},
    {"limits.yaml", "vel.purchases_60m: 3", "vel.purchases_60m: 0", "E012", 27, true},
    {"limits.yaml", "vel.purchases_60m: 3", "vel.purchases_60m: 3, amount: 3 KZT", "E090", 25,
     true},
    {"limits.yaml", "reason: COUNT_LIMIT", "reason: COUNT_LIMITS", "E034", 28, false},
    {"limits.yaml", "reason: COUNT_LIMIT", "reason: AMOUNT_LIMIT", "E090", 28, true},
    {"limits.yaml", "reason: COUNT_LIMIT", "unknown: skip", "E013", 28, true},
    {"limits.yaml", "reason: COUNT_LIMIT", "also: {alert: soc}", "E090", 28, true},
    {"limits.yaml", "measure: count", "measure: counts", "E012", 13, false},
    {"limits.yaml", "measure: count", "measure: sum(amount)", "E090", 13, true},
    {"limits.yaml", "measure: count", "measure: distinct(terminal.id)", "E037", 12, true},
    {"limits.yaml", "of: approved", "of: declined", "E090", 14, true},
    {"limits.yaml", "of: approved", "of: aproved", "E013", 14, true},
    {"limits.yaml", "key: [card.key]", "key: [card.ky]", "E010", 12, false},
    {"limits.yaml", "sliding: 60m, buckets: 60", "sliding: 400d, buckets: 60", "E037", 16, false},
    {"limits.yaml", "sliding: 60m, buckets: 60", "sliding: 60x", "E012", 16, false},
    {"limits.yaml", "sliding: 60m, buckets: 60", "sliding: 60m, buckets: 64", "E012", 16, true},
    {"limits.yaml", "sliding: 60m, buckets: 60", "sliding: 60m, buckets: 7", "E012", 16, true},
    {"limits.yaml", "sliding: 60m, buckets: 60", "calendar: day", "E090", 16, true},
    {"limits.yaml", "base_currency: KZT\n", "", "E005", 2, false},
    {"limits.yaml", "timeout: hold", "timeout: release", "E090", 34, true},
    {"limits.yaml", "schema: 1", "schema: 2", "E012", 3, true},
    {"limits.yaml", "owner: risk", "owner: risk\nmode: shadow", "E090", 7, true},
    {"limits.yaml", "name: One transaction", "name: 4111111111111111", "E070", 20, false},
    {"limits.yaml", "name: One transaction", "name: 4111111111111112", NULL, 0, false},
    {"lists.yaml", "type: digits", "type: mcc", "E015", 17, false},
    {"lists.yaml", "type: digits", "type: digit", "E013", 16, true},
    {"lists.yaml", "entries: [\"990002\"]", "entries: [\"99\"]", "E012", 18, false},
    {"lists.yaml", "entries: [\"990002\"]", "entries: [{value: \"990002\", until: 2026-07-01}]",
     "E090", 18, true},
    {"lists.yaml", "    source: lmdb:deny_cards\n", "", "E005", 10, true},
    {"lists.yaml", "source: lmdb:deny_cards", "source: file:x", "E012", 12, true},
    {"lists.yaml", "then: {decide", "than: {decide", "E004", 13, false},
    {"lists.yaml", "decide: decline", "decide: review", "E090", 13, true},
    {"lists.yaml", "CARD_ON_DENY_LIST}\n\n  velocity", "CARD_ON_DENY_LIS}\n\n  velocity", "E034",
     19, false},
    {"lists.yaml", "entries: [\"990002\"]", "max_entries: 5, entries: [\"990002\"]", "E001", 0,
     true},
    {"routing.yaml", "to: [demo-a]", "to: [demo-c]", "E030", 22, false},
    {"routing.yaml", "  demo-b: {scheme: demo}", "  demo-b: {scheme: demo}\n  demo-c: {}", "E030",
     12, true},
    {"routing.yaml", "otherwise: {decide: decline, reason: NO_ROUTE}\n", "", "E023", 2, false},
    {"routing.yaml", "reason: NO_ROUTE", "reason: NO_ROUT", "E034", 29, false},
    {"routing.yaml", "when: [card.bin in 990001]", "when: []", "E021", 19, false},
    {"routing.yaml", "card.bin in 50000000-59999999|222100-272099", "card.bin in 41000000-42000000",
     "E021", 24, true},
    {"routing.yaml", "card.bin in 50000000-59999999|222100-272099",
     "card.bin in 40000000-49999999, channel = pos", "E021", 24, false},
    {"routing.yaml", "to: [demo-a]", "to: [demo-a, onus]", "E090", 22, true},
    {"routing.yaml", "to: [demo-a]", "to: original", "E090", 22, true},
    {"routing.yaml", "    to: [demo-a]\n", "", "E005", 19, false},
    {"routing.yaml", "to: [demo-a]", "split: {seed: x}", "E090", 22, true},
    {"routing.yaml", "scheme: demo}\n  demo-b", "scheme: demo, cost: {rate: 1%}}\n  demo-b", "E090",
     10, true},
    {"routing.yaml", "kind: routing", "kind: fraud", "E090", 2, true},
    {"routing.yaml", "kind: routing", "kind: routin", "E005", 0, true},
    {"routing.yaml", "kind: routing", "kind: limits", "E036", 2, true},
};

static bool report_holds(const struct conf_report *report, const struct mutation *mutation)
{
    for (uint32_t i = 0; i < report->faults_count; i++) {
        const struct conf_fault *fault = &report->faults[i];
        const char *slash = strrchr(fault->file, '/');
        if (strcmp(fault->code, mutation->code) == 0 && slash != NULL &&
            strcmp(slash + 1, mutation->file) == 0 &&
            (mutation->line == 0 || fault->line == mutation->line)) {
            return true;
        }
    }
    return false;
}

Test(load, every_fault_has_its_code_and_line)
{
    for (size_t i = 0; i < countof(mutations); i++) {
        const struct mutation *mutation = &mutations[i];
        char directory[64];
        static struct conf_report report;
        demo_with(mutation->file, mutation->from, mutation->to, directory);
        struct rules *rules = load_from(directory, &report);
        if (mutation->code == NULL) {
            cr_expect_not_null(rules, "%s -> %s refused: %s", mutation->from, mutation->to,
                               report.faults[0].text);
        } else {
            cr_expect_null(rules, "%s -> %s was taken", mutation->from, mutation->to);
            cr_expect(report_holds(&report, mutation),
                      "%s -> %s: wanted %s at %u, got %s at %s:%u: %s", mutation->from,
                      mutation->to, mutation->code, mutation->line, report.faults[0].code,
                      report.faults[0].file, report.faults[0].line, report.faults[0].text);
        }
        rules_free(rules);
        demo_remove(directory);
    }
}

/* ---- the other checker ----------------------------------------------------------------------- */

static void dictionary_write(const char *directory)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/fields.yaml", directory);
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    (void)fprintf(file, "kind: fields\nschema: 1\nfields:\n");
    for (uint32_t i = 0; i < RULE_ATTRS_COUNT; i++) {
        (void)fprintf(file, "  %s: {type: %s", rule_attrs[i].name,
                      rule_types[rule_attrs[i].type].name);
        if (rule_attrs[i].words[0] != '\0') {
            (void)fprintf(file, ", values: [\"");
            for (const char *c = rule_attrs[i].words; *c != '\0'; c++) {
                (void)fprintf(file, *c == '|' ? "\", \"" : "%c", *c);
            }
            (void)fprintf(file, "\"]");
        }
        (void)fprintf(file, "}\n");
    }
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s/reasons.yaml", directory);
    file = fopen(path, "we");
    cr_assert_not_null(file);
    (void)fprintf(file, "kind: reasons\nschema: 1\nid: reasons\nversion: 1\nowner: x\nreasons:\n");
    for (uint32_t i = 0; i < RULE_REASONS_COUNT; i++) {
        (void)fprintf(file, "  %s: {de39: \"%s\"}\n", rule_reasons[i].name, rule_reasons[i].de39);
    }
    (void)fclose(file);
}

/* Errors of the other checker as "file:line CODE|…", sorted as it prints them. */
static bool reference_finds(const char *program, const char *directory,
                            const struct mutation *mutation, char *first, size_t first_size)
{
    char command[1024], line[2048];
    bool found = false;
    first[0] = '\0';
    (void)snprintf(command, sizeof command, "python3 '%s' '%s' 2>&1", program, directory);
    FILE *pipe = popen(command, "re");
    cr_assert_not_null(pipe);
    while (fgets(line, sizeof line, pipe) != NULL) {
        char file[128], code[16];
        unsigned at_line, column;
        if (sscanf(line, "%127[^:]:%u:%u: %15s", file, &at_line, &column, code) != 4 ||
            code[0] != 'E') {
            continue;
        }
        if (first[0] == '\0') {
            (void)snprintf(first, first_size, "%s", line);
        }
        found = found || (mutation->code != NULL && strcmp(code, mutation->code) == 0 &&
                          strcmp(file, mutation->file) == 0 && at_line == mutation->line);
    }
    (void)pclose(pipe);
    return mutation->code == NULL ? first[0] == '\0' : found;
}

Test(load, another_checker_agrees)
{
    const char *program = getenv("RULES_REFERENCE");
    if (program == NULL) {
        cr_skip_test("RULES_REFERENCE is not set");
    }
    for (size_t i = 0; i < countof(mutations); i++) {
        char directory[64], first[2048];
        if (mutations[i].not_reference) {
            continue;
        }
        demo_with(mutations[i].file, mutations[i].from, mutations[i].to, directory);
        dictionary_write(directory);
        cr_expect(reference_finds(program, directory, &mutations[i], first, sizeof first),
                  "%s -> %s: ours %s at %u, its first: %s", mutations[i].from, mutations[i].to,
                  mutations[i].code != NULL ? mutations[i].code : "good", mutations[i].line, first);
        demo_remove(directory);
    }
}

/* ---- the set as a whole ---------------------------------------------------------------------- */

Test(load, the_hash_is_of_the_meaning)
{
    static struct conf_report report;
    char directory[64];
    struct rules *demo = load_from(DEMO_RULES, &report);
    cr_assert_not_null(demo);
    static const struct {
        const char *file, *from, *to;
        bool same;
    } rows[] = {
        {"routing.yaml", "# Routing.", "# Other words.", true},
        {"lists.yaml", "entries: [\"990002\"]", "entries:\n      - '990002'", true},
        {"limits.yaml", "amount: 500_000 KZT", "amount: 500_001 KZT", false},
        {"routing.yaml", "id: R010", "id: R011", false},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        demo_with(rows[i].file, rows[i].from, rows[i].to, directory);
        struct rules *other = load_from(directory, &report);
        cr_assert_not_null(other);
        cr_expect_eq(memcmp(rules_hash(demo), rules_hash(other), RULES_HASH_BYTES) == 0,
                     rows[i].same, "row %zu", i);
        cr_expect_eq(rules_id(demo) == rules_id(other), rows[i].same);
        rules_free(other);
        demo_remove(directory);
    }
    rules_free(demo);
}

Test(load, a_directory_without_routing)
{
    static struct conf_report report;
    char directory[64], path[128];
    cr_assert_null(load_from("/nonexistent", &report));
    cr_assert_eq(report.errors_count, 1);
    demo_with(NULL, NULL, NULL, directory);
    (void)snprintf(path, sizeof path, "%s/routing.yaml", directory);
    cr_assert_eq(unlink(path), 0);
    cr_assert_null(load_from(directory, &report));
    cr_assert_str_eq(report.faults[0].code, "E005");
    demo_remove(directory);
}

Test(load, a_check_without_a_configuration_takes_any_endpoint)
{
    static struct conf_report report;
    struct rules_options options = {.directory = DEMO_RULES};
    struct rules *rules = rules_load(&options, &report);
    cr_assert_not_null(rules);
    rules_free(rules);
    options.endpoints = test_endpoints;
    cr_assert_null(rules_load(&options, &report));
    cr_assert_str_eq(report.faults[0].code, "E030");
}

Test(load, counters_must_fit)
{
    static struct conf_report report;
    char directory[64];
    struct rules_options options = {.directory = directory,
                                    .endpoints = test_endpoints,
                                    .endpoints_count = 2,
                                    .cards_max = 1000,
                                    .counter_slots_max = 999};
    demo_with(NULL, NULL, NULL, directory);
    struct rules *rules = rules_load(&options, &report);
    cr_assert_not_null(rules, "a list bounds the cards");
    rules_free(rules);
    demo_remove(directory);
    demo_with("limits.yaml", "card.key in @velocity_cards, ", "", directory);
    cr_assert_null(rules_load(&options, &report));
    cr_assert_str_eq(report.faults[0].code, "E080");
    memset(&report, 0, sizeof report);
    options.counter_slots_max = 1000;
    rules = rules_load(&options, &report);
    cr_assert_not_null(rules);
    cr_assert_eq(report.warnings_count, 1, "the list is not used any more");
    cr_assert_str_eq(report.faults[0].code, "W060");
    rules_free(rules);
    demo_remove(directory);
}
