/* screen_test.c - what the demo's rules say, message by message. */
#include "tests/rules/support.h"

static struct rules *demo(void)
{
    static struct conf_report report;
    struct rules *rules = load_from(DEMO_RULES, &report);
    conf_report_print(&report, stderr);
    cr_assert_not_null(rules);
    cr_assert_eq(report.warnings_count, 0);
    return rules;
}

Test(screen, routes)
{
    static const struct {
        uint32_t pan_first8;
        bool is_on_us;
        int route; /* -1 = none */
        uint32_t findings;
    } rows[] = {
        {99000100, true, -1, 0},
        {99000199, true, -1, 0},
        {99000200, false, -1, RULE_FOUND_DENIED | RULE_FOUND_NO_ROUTE},
        {99000300, false, -1, RULE_FOUND_NO_ROUTE},
        {40000000, false, 0, 0},
        {49999999, false, 0, 0},
        {39999999, false, -1, RULE_FOUND_NO_ROUTE},
        {50000000, false, 1, 0},
        {59999999, false, 1, 0},
        {60000000, false, -1, RULE_FOUND_NO_ROUTE},
        {22210000, false, 1, 0},
        {27209999, false, 1, 0},
        {22209999, false, -1, RULE_FOUND_NO_ROUTE},
        {27210000, false, -1, RULE_FOUND_NO_ROUTE},
        {0, false, -1, RULE_FOUND_NO_ROUTE},
    };
    struct rules *rules = demo();
    for (size_t i = 0; i < countof(rows); i++) {
        struct rule_facts facts = demo_facts();
        struct rule_outcome out;
        facts.pan_first8 = rows[i].pan_first8;
        rules_screen(rules, &facts, NULL, &out);
        cr_expect_eq(out.is_on_us, rows[i].is_on_us, "row %zu", i);
        cr_expect_eq(out.findings, rows[i].findings, "row %zu: %u", i, out.findings);
        cr_expect_eq(out.routes_count, rows[i].route >= 0, "row %zu", i);
        cr_expect(rows[i].route < 0 || out.routes[0] == rows[i].route, "row %zu", i);
    }
    rules_free(rules);
}

Test(screen, amount_limit)
{
    static const struct {
        uint16_t mti;
        uint8_t processing;
        uint16_t currency;
        int64_t amount_minor;
        bool is_over;
    } rows[] = {
        {100, 0, 398, 50000000, false},  {100, 0, 398, 50000001, true},
        {101, 1, 398, 50000001, true},   {200, 40, 398, 50000001, true},
        {200, 20, 398, 50000001, false}, /* a refund */
        {100, 31, 398, 50000001, false}, /* a balance */
        {120, 0, 398, 50000001, false},  /* an advice */
        {420, 0, 398, 50000001, false},  {100, 0, 840, 50000001, false},
        {100, 0, 398, INT64_MAX, true},
    };
    struct rules *rules = demo();
    for (size_t i = 0; i < countof(rows); i++) {
        struct rule_facts facts = demo_facts();
        struct rule_outcome out;
        facts.mti = rows[i].mti;
        facts.processing = rows[i].processing;
        facts.currency = rows[i].currency;
        facts.amount_minor = rows[i].amount_minor;
        rules_screen(rules, &facts, NULL, &out);
        cr_expect_eq((out.findings & RULE_FOUND_OVER_AMOUNT) != 0, rows[i].is_over, "row %zu", i);
        cr_expect_eq(out.over_amount_by != RULES_NONE, rows[i].is_over, "row %zu", i);
        cr_expect(!rows[i].is_over || strcmp(rules_row(rules, out.over_amount_by).id, "L001") == 0);
    }
    rules_free(rules);
}

Test(screen, deny_list_of_the_ledger)
{
    struct rules *rules = demo();
    struct rule_facts facts = demo_facts();
    struct test_list list = {"deny_cards", facts.card_key, 16, 0};
    struct rule_lookup lookup = {test_listed, &list};
    struct rule_outcome out;
    rules_screen(rules, &facts, &lookup, &out);
    cr_assert_eq(out.findings, RULE_FOUND_DENIED);
    cr_assert_str_eq(rules_row(rules, out.denied_by).id, "deny_cards");
    cr_assert_str_eq(rules_row(rules, out.denied_by).reason, "CARD_ON_DENY_LIST");
    cr_assert(out.is_on_us); /* the rest is still found: the shard puts it in order */
    facts.has_card_key = false;
    rules_screen(rules, &facts, &lookup, &out);
    cr_assert_eq(out.findings, 0);
    rules_free(rules);
}

Test(screen, counter_of_listed_cards)
{
    struct rules *rules = demo();
    struct rule_facts facts = demo_facts();
    const uint8_t key[16] = {1};
    struct test_list list = {"velocity_cards", key, 16, 0};
    struct rule_lookup lookup = {test_listed, &list};
    struct rule_outcome out, other;
    rules_screen(rules, &facts, &lookup, &out);
    cr_assert_eq(list.asked_count, 2, "each list is asked once");
    cr_assert_eq(out.counts_count, 1);
    cr_assert_eq(out.counts[0].max, 3);
    cr_assert_eq(out.counts[0].window_s, 3600);
    cr_assert_eq(out.counts[0].buckets, 60);
    cr_assert_neq(out.counts[0].declaration, 0);
    cr_assert_str_eq(rules_counter_name(rules, out.counts[0].counter), "purchases_60m");

    facts.mti = 200;
    rules_screen(rules, &facts, &lookup, &other);
    cr_assert_eq(other.counts_count, 1);
    cr_assert_eq(other.counts[0].key, out.counts[0].key);
    facts.processing = 1; /* cash */
    rules_screen(rules, &facts, &lookup, &other);
    cr_assert_eq(other.counts_count, 0);
    facts.processing = 0;
    facts.mti = 120;
    rules_screen(rules, &facts, &lookup, &other);
    cr_assert_eq(other.counts_count, 0);
    facts.mti = 100;
    facts.amount_minor = 0; /* account verification */
    facts.has_condition = true;
    facts.condition = 51;
    rules_screen(rules, &facts, &lookup, &other);
    cr_assert_eq(other.counts_count, 0);
    facts = demo_facts();
    facts.card_key[0] = 2;
    rules_screen(rules, &facts, &lookup, &other);
    cr_assert_eq(other.counts_count, 0);
    rules_free(rules);
}

Test(screen, empty_set_routes_by_on_us)
{
    struct rules *rules = rules_empty();
    struct rule_facts facts = demo_facts();
    struct rule_outcome out;
    facts.amount_minor = INT64_MAX;
    rules_screen(rules, &facts, NULL, &out);
    cr_assert(out.is_on_us && out.findings == 0);
    facts.card_is_on_us = false;
    rules_screen(rules, &facts, NULL, &out);
    cr_assert(!out.is_on_us && out.findings == RULE_FOUND_NO_ROUTE);
    rules_free(rules);
}

Test(screen, unknown_match_fails_closed)
{
    char directory[64];
    static struct conf_report report;
    demo_with("limits.yaml", "    max: {amount: 500_000 KZT}",
              "    unknown: match\n    max: {amount: 500_000 KZT}", directory);
    struct rules *rules = load_from(directory, &report);
    conf_report_print(&report, stderr);
    cr_assert_not_null(rules);
    struct rule_facts facts = demo_facts();
    struct rule_outcome out;
    rules_screen(rules, &facts, NULL, &out);
    cr_assert_eq(out.findings, 0);
    facts.currency = 840; /* cannot be compared */
    rules_screen(rules, &facts, NULL, &out);
    cr_assert_eq(out.findings, RULE_FOUND_OVER_AMOUNT);
    facts.processing = 20; /* `when` is false: not looked at */
    rules_screen(rules, &facts, NULL, &out);
    cr_assert_eq(out.findings, 0);
    rules_free(rules);
    demo_remove(directory);
}

Test(screen, explains)
{
    struct rules *rules = demo();
    struct rule_facts facts = demo_facts();
    char text[128];
    uint32_t seen = 0;
    facts.pan_first8 = 40000512;
    for (uint16_t i = 0; i < rules_rows_count(rules); i++) {
        struct rule_row row = rules_row(rules, i);
        enum rule_truth truth = rules_explain(rules, &facts, NULL, i, text, sizeof text);
        if (strcmp(row.id, "R001") == 0) {
            cr_expect_eq(truth, RULE_FALSE);
            cr_expect_str_eq(text, "card.bin in 990001: 40000512");
            seen++;
        } else if (strcmp(row.id, "R010") == 0) {
            cr_expect_eq(truth, RULE_TRUE);
            cr_expect_str_eq(text, "");
            seen++;
        } else if (strcmp(row.id, "L001") == 0) {
            cr_expect_eq(truth, RULE_FALSE);
            cr_expect_str_eq(text, "at most 50000000 minor units of 398: 10000 minor units of 398");
            seen++;
        } else if (strcmp(row.id, "deny_bins") == 0) {
            cr_expect_eq(truth, RULE_FALSE);
            cr_expect_str_eq(text, "card.bin in @deny_bins: 40000512");
            cr_expect_str_eq(strrchr(row.file, '/'), "/lists.yaml");
            seen++;
        }
    }
    cr_expect_eq(seen, 4);
    rules_describe(rules, text, sizeof text);
    cr_expect_str_eq(text, "3 lists, 2 limits, 1 counter, 3 routes");
    rules_free(rules);
}
