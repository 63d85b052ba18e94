/* when_test.c - random conditions: the compiled alternatives say what the tree says.
 *
 * The slow way beside it walks the tree with three values (and = least, or = greatest, not turns
 * true and false around) and tests every condition by itself. */
#include "rules/compile.h"
#include "tests/rules/support.h"

#define ROUNDS 3000u

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *const conditions[] = {"txn.type = cash",
                                         "txn.type in purchase|refund",
                                         "txn.type != purchase",
                                         "txn.type not in cash|balance",
                                         "amount < 100.00 KZT",
                                         "amount >= 100 KZT",
                                         "amount != 50 KZT",
                                         "amount > 1 EUR",
                                         "amount <= 99.99 KZT",
                                         "card.bin in 990001|4000-4999",
                                         "card.bin not in 55000000-55999999",
                                         "card.bin starts 9900",
                                         "merchant.mcc in 5411|6000-6999",
                                         "merchant.mcc is missing",
                                         "merchant.id is present",
                                         "merchant.id = SHOP",
                                         "merchant.id not in SHOP|STORE",
                                         "merchant.id starts SH",
                                         "pin.present = true",
                                         "merchant.id = terminal.id",
                                         "currency in KZT|EUR",
                                         "entry.mode = chip",
                                         "channel != ecom",
                                         "card.key in @some",
                                         "card.key not in @some",
                                         "acquirer.id in 1234"};

/* Appends a random item of at most `depth` levels. */
static void item_write(FILE *out, uint64_t *state, uint32_t depth)
{
    static const char *const groups[] = {"any", "all", "not"};
    if (depth == 0 || random_next(state) % 3 != 0) {
        (void)fprintf(out, "\"%s\"", conditions[random_next(state) % countof(conditions)]);
        return;
    }
    uint64_t count = 1 + random_next(state) % 2;
    (void)fprintf(out, "{%s: [", groups[random_next(state) % countof(groups)]);
    for (uint64_t i = 0; i < count; i++) {
        (void)fputs(i > 0 ? ", " : "", out);
        item_write(out, state, depth - 1);
    }
    (void)fputs("]}", out);
}

static struct rule_facts random_facts(uint64_t *state)
{
    static const uint8_t types[] = {0, 1, 20, 31, 99};
    static const int64_t amounts[] = {0, 5000, 9999, 10000, 10001};
    static const uint32_t bins[] = {0, 99000100, 40001234, 55123456, 49999999};
    static const uint16_t mccs[] = {0, 5411, 6011, 7995}, entries[] = {0, 51, 812, 21},
                          money[] = {398, 978, 840};
    struct rule_facts facts = demo_facts();
    facts.processing = types[random_next(state) % countof(types)];
    facts.amount_minor = amounts[random_next(state) % countof(amounts)];
    facts.has_amount = random_next(state) % 4 != 0;
    facts.currency = money[random_next(state) % countof(money)];
    facts.pan_first8 = bins[random_next(state) % countof(bins)];
    facts.mcc = mccs[random_next(state) % countof(mccs)];
    facts.entry_mode = entries[random_next(state) % countof(entries)];
    facts.has_pin = random_next(state) % 2 == 0;
    facts.card_key[0] = (uint8_t)(random_next(state) % 2);
    facts.has_card_key = random_next(state) % 4 != 0;
    facts.acquirer_digits_count = random_next(state) % 2 == 0 ? 6 : 0;
    memset(facts.merchant, 0, sizeof facts.merchant);
    memset(facts.terminal, ' ', sizeof facts.terminal);
    if (random_next(state) % 3 != 0) {
        memcpy(facts.merchant, random_next(state) % 2 == 0 ? "SHOP" : "STOR", 4);
    }
    if (random_next(state) % 3 != 0) {
        memcpy(facts.terminal, "SHOP", 4);
    }
    return facts;
}

static enum rule_truth slow_truth(struct compiler *compiler, struct rule_pass *pass,
                                  const struct conf_node *node);

static enum rule_truth slow_list(struct compiler *compiler, struct rule_pass *pass,
                                 const struct conf_node *list, bool is_any)
{
    enum rule_truth truth = is_any ? RULE_FALSE : RULE_TRUE;
    for (const struct conf_node *child = list->first; child != NULL; child = child->next) {
        enum rule_truth one = slow_truth(compiler, pass, child);
        truth = is_any == (one > truth) && one != truth ? one : truth;
    }
    return truth;
}

static enum rule_truth slow_truth(struct compiler *compiler, struct rule_pass *pass,
                                  const struct conf_node *node)
{
    if (node->kind == CONF_SCALAR) {
        struct rule_condition condition;
        cr_assert(rule_condition_read(compiler, node, 5, &condition));
        return rule_condition_truth(pass, &condition);
    }
    if (node->kind == CONF_SEQUENCE) {
        return slow_list(compiler, pass, node, false);
    }
    const struct conf_node *list = node->first;
    enum rule_truth truth = slow_list(compiler, pass, list, strcmp(list->key, "any") == 0);
    return strcmp(list->key, "not") == 0 ? (enum rule_truth)(RULE_TRUE - truth) : truth;
}

Test(when, alternatives_say_what_the_tree_says)
{
    static struct conf_report report;
    static struct compiler compiler;
    struct rules_options options = {0};
    struct rules *rules = calloc(1, sizeof *rules);
    cr_assert_not_null(rules);
    uint64_t state = 0x5EED5EED1234567;
    uint32_t compiled_count = 0, true_count = 0, unknown_count = 0;
    const uint8_t key[16] = {1};
    struct test_list list = {"some", key, 16, 0};
    struct rule_lookup lookup = {test_listed, &list};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        cr_assert_not_null(out);
        (void)fputs("when: [", out);
        for (uint64_t i = 0, count = 1 + random_next(&state) % 3; i < count; i++) {
            (void)fputs(i > 0 ? ", " : "", out);
            item_write(out, &state, 3);
        }
        (void)fputs("]\n", out);
        (void)fclose(out);

        memset(&report, 0, sizeof report);
        memset(rules, 0, offsetof(struct rules, files));
        rules->lists[0] = (struct rule_list){
            .name = "some", .source = "some", .type = RULE_HASH, .of = RULE_ATTR_CARD_KEY};
        rules->lists_count = 1;
        compiler = (struct compiler){.rules = rules, .options = &options, .report = &report};
        struct conf_tree *tree = conf_yaml_read(text, size, "when", &report);
        cr_assert_not_null(tree);
        const struct conf_node *root = conf_tree_root(tree);
        struct rule_run run = {0};
        bool good = rule_when_read(&compiler, root, 5, &run);
        /* refused: too many alternatives, or none that can hold */
        cr_assert(good || strcmp(report.faults[report.faults_count - 1].code, "E020") == 0 ||
                      strcmp(report.faults[report.faults_count - 1].code, "E024") == 0,
                  "%s: %s", text, report.faults[0].text);
        bool never = !good && strcmp(report.faults[report.faults_count - 1].code, "E020") == 0;
        compiled_count += good;
        for (uint32_t i = 0; i < 8 && (good || never); i++) {
            struct rule_facts facts = random_facts(&state);
            struct rule_pass fast = {.rules = rules, .lookup = &lookup};
            rule_values_fetch(&facts, &fast.values);
            struct rule_pass slow = fast;
            enum rule_truth wanted = slow_truth(&compiler, &slow, conf_node_get(root, "when"));
            if (never) {
                cr_assert_neq(wanted, RULE_TRUE, "%s holds after all", text);
                continue;
            }
            enum rule_truth got = rule_when_truth(&fast, run);
            cr_assert_eq(got, wanted, "%s: %d, wanted %d", text, got, wanted);
            true_count += got == RULE_TRUE;
            unknown_count += got == RULE_UNKNOWN;
        }
        conf_tree_free(tree);
        free(text);
    }
    cr_assert_gt(compiled_count, ROUNDS / 2);
    cr_assert_gt(true_count, 500);
    cr_assert_gt(unknown_count, 500);
    free(rules);
}

/* What covers says about two rules holds for every message that is tried. */
Test(when, covering_is_never_wrong)
{
    static struct conf_report report;
    static struct compiler compiler;
    struct rules_options options = {0};
    struct rules *rules = calloc(1, sizeof *rules);
    cr_assert_not_null(rules);
    uint64_t state = 0xC0FFEE;
    uint32_t covered_count = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct rule_run runs[2];
        bool good = true;
        memset(&report, 0, sizeof report);
        memset(rules, 0, offsetof(struct rules, files));
        rules->lists[0] = (struct rule_list){
            .name = "some", .source = "some", .type = RULE_HASH, .of = RULE_ATTR_CARD_KEY};
        rules->lists_count = 1;
        compiler = (struct compiler){.rules = rules, .options = &options, .report = &report};
        for (uint32_t i = 0; i < 2; i++) {
            char *text = NULL;
            size_t size;
            FILE *out = open_memstream(&text, &size);
            cr_assert_not_null(out);
            (void)fputs("when: [", out);
            item_write(out, &state, 1);
            for (uint64_t k = 0; k < random_next(&state) % (1 + i); k++) {
                (void)fputs(", ", out);
                item_write(out, &state, 0);
            }
            (void)fputs("]\n", out);
            (void)fclose(out);
            struct conf_tree *tree = conf_yaml_read(text, size, "when", &report);
            cr_assert_not_null(tree);
            good = rule_when_read(&compiler, conf_tree_root(tree), 5, &runs[i]) && good;
            conf_tree_free(tree);
            free(text);
        }
        if (!good || !rule_covers(rules, runs[0], runs[1])) {
            continue;
        }
        covered_count++;
        for (uint32_t i = 0; i < 32; i++) {
            struct rule_facts facts = random_facts(&state);
            struct rule_pass pass = {.rules = rules};
            rule_values_fetch(&facts, &pass.values);
            cr_assert(rule_when_truth(&pass, runs[1]) != RULE_TRUE ||
                      rule_when_truth(&pass, runs[0]) == RULE_TRUE);
        }
    }
    cr_assert_gt(covered_count, 20);
    free(rules);
}
