/* attr_test.c - attributes from raw values, missing ones, and their dictionary. */
#include "rules/ruleset.h"
#include "tests/rules/support.h"

static const char MARK[] = "<!-- below: written from rules/attr.def -->\n";

static const struct rule_value *fetched(const struct rule_facts *facts, enum rule_attr attr)
{
    static struct rule_values values;
    rule_values_fetch(facts, &values);
    return &values.of[attr];
}

/* The word of an enum attribute, "missing" when there is none. */
static const char *word(const struct rule_facts *facts, enum rule_attr attr)
{
    static char text[64];
    struct rule_values values;
    rule_values_fetch(facts, &values);
    rule_value_print(attr, &values, text, sizeof text);
    return text;
}

Test(attr, messages_and_types)
{
    static const struct {
        uint16_t mti;
        uint8_t processing;
        const char *word, *message, *type;
    } rows[] = {
        {100, 0, "0100", "auth", "purchase"},       {101, 1, "0100", "auth", "cash"},
        {120, 20, "0120", "advice", "refund"},      {200, 31, "0200", "financial", "balance"},
        {201, 40, "0200", "financial", "transfer"}, {221, 0, "0220", "advice", "purchase"},
        {400, 0, "0400", "reversal", "purchase"},   {421, 9, "0420", "reversal", "missing"},
        {800, 0, "missing", "missing", "purchase"}};
    for (size_t i = 0; i < countof(rows); i++) {
        struct rule_facts facts = demo_facts();
        facts.mti = rows[i].mti;
        facts.processing = rows[i].processing;
        cr_expect_str_eq(word(&facts, RULE_ATTR_MSG_MTI), rows[i].word, "row %zu", i);
        cr_expect_str_eq(word(&facts, RULE_ATTR_TXN_MESSAGE), rows[i].message, "row %zu", i);
        cr_expect_str_eq(word(&facts, RULE_ATTR_TXN_TYPE), rows[i].type, "row %zu", i);
    }
}

Test(attr, entry_modes_and_channels)
{
    static const struct {
        uint16_t entry_mode, mcc;
        bool has_condition;
        uint8_t condition;
        const char *mode, *channel;
    } rows[] = {{0, 0, false, 0, "missing", "missing"}, {51, 5411, false, 0, "chip", "pos"},
                {950, 0, false, 0, "chip", "pos"},      {21, 6011, false, 0, "magstripe", "atm"},
                {900, 0, true, 0, "magstripe", "pos"},  {71, 0, false, 0, "contactless", "pos"},
                {812, 5411, true, 0, "ecom", "ecom"},   {12, 5411, true, 59, "manual", "ecom"},
                {102, 0, true, 59, "stored", "ecom"},   {801, 0, false, 0, "fallback", "pos"},
                {31, 0, false, 0, "qr", "pos"},         {991, 0, false, 0, "missing", "pos"},
                {65535, 0, false, 0, "missing", "pos"}};
    for (size_t i = 0; i < countof(rows); i++) {
        struct rule_facts facts = demo_facts();
        facts.entry_mode = rows[i].entry_mode;
        facts.mcc = rows[i].mcc;
        facts.has_condition = rows[i].has_condition;
        facts.condition = rows[i].condition;
        cr_expect_str_eq(word(&facts, RULE_ATTR_ENTRY_MODE), rows[i].mode, "row %zu", i);
        cr_expect_str_eq(word(&facts, RULE_ATTR_CHANNEL), rows[i].channel, "row %zu", i);
    }
}

Test(attr, a_message_with_nothing_has_nothing)
{
    struct rule_facts facts = {.mti = 0, .processing = 99};
    struct rule_values values;
    rule_values_fetch(&facts, &values);
    for (uint32_t i = 0; i < RULE_ATTRS_COUNT; i++) {
        cr_expect_eq(values.of[i].is_present, i == RULE_ATTR_PIN_PRESENT, "%s", rule_attrs[i].name);
    }
}

Test(attr, padded_texts_and_left_aligned_digits)
{
    struct rule_facts facts = demo_facts();
    memcpy(facts.merchant, "SHOP 1         ", sizeof facts.merchant);
    cr_expect_eq(fetched(&facts, RULE_ATTR_MERCHANT_ID)->size, 6);
    memset(facts.merchant, ' ', sizeof facts.merchant);
    cr_expect_not(fetched(&facts, RULE_ATTR_MERCHANT_ID)->is_present);
    cr_expect_eq(fetched(&facts, RULE_ATTR_CARD_BIN)->number, UINT64_C(99000100000));
    cr_expect_eq(fetched(&facts, RULE_ATTR_ACQUIRER_ID)->number, UINT64_C(12345600000));
    facts.acquirer_digits_count = 12;
    cr_expect_not(fetched(&facts, RULE_ATTR_ACQUIRER_ID)->is_present);
    facts.amount_minor = -1;
    cr_expect_not(fetched(&facts, RULE_ATTR_AMOUNT)->is_present);
}

Test(attr, a_card_key_is_never_printed)
{
    struct rule_facts facts = demo_facts();
    cr_expect_str_eq(word(&facts, RULE_ATTR_CARD_KEY), "present");
    facts.has_card_key = false;
    cr_expect_str_eq(word(&facts, RULE_ATTR_CARD_KEY), "missing");
}

/* The table at the end of docs/rules.md is what attr.def says. With CONF_UPDATE in the environment
 * it is written instead. */
Test(attr, the_dictionary_is_current)
{
    char *wanted = NULL;
    size_t size;
    FILE *out = open_memstream(&wanted, &size);
    cr_assert_not_null(out);
    (void)fprintf(out, "\n| field | type | values | from |\n| --- | --- | --- | --- |\n");
    for (uint32_t i = 0; i < RULE_ATTRS_COUNT; i++) {
        (void)fprintf(out, "| `%s` | %s | ", rule_attrs[i].name,
                      rule_types[rule_attrs[i].type].name);
        for (const char *c = rule_attrs[i].words; *c != '\0'; c++) {
            (void)fprintf(out, *c == '|' ? ", " : "%c", *c);
        }
        (void)fprintf(out, " | %s |\n", rule_attrs[i].from);
    }
    (void)fclose(out);
    char *text = file_text(RS_SOURCE_DIR "/docs/rules.md");
    char *mark = strstr(text, MARK);
    cr_assert_not_null(mark);
    mark += strlen(MARK);
    if (getenv("CONF_UPDATE") != NULL) {
        *mark = '\0';
        FILE *file = fopen(RS_SOURCE_DIR "/docs/rules.md", "we");
        cr_assert_not_null(file);
        (void)fprintf(file, "%s%s", text, wanted);
        (void)fclose(file);
    } else {
        cr_assert_str_eq(mark, wanted, "run CONF_UPDATE=1 test_rules to write docs/rules.md");
    }
    free(text);
    free(wanted);
}
