/* dialect_test.c - dialect files: what is shipped loads; what is wrong is said with its place. */
#include "support.h"
#include "wrong.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

Test(dialect, everything_shipped_loads)
{
    DIR *directory = opendir(RS_DIALECTS);
    struct dirent *entry;
    uint32_t count = 0;
    cr_assert_not_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char *dot = strstr(entry->d_name, ".yaml");
        if (dot == NULL)
            continue;
        *dot = '\0';
        struct iso_dialect *dialect = dialect_shipped(entry->d_name);
        cr_expect_str_eq(iso_dialect_name(dialect), entry->d_name);
        cr_expect_neq(iso_dialect_title(dialect)[0], '\0', "%s", entry->d_name);
        struct iso_framing framing;
        cr_expect(iso_framing_by_name(iso_dialect_framing(dialect), &framing), "%s", entry->d_name);
        for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
            const struct iso_node *node = iso_dialect_field(dialect, de);
            if (node != NULL)
                cr_expect_neq(node->name[0], '\0', "%s %u", entry->d_name, de);
        }
        cr_expect_eq(iso_dialect_field(dialect, 2)->mask, ISO_MASK_PAN, "%s", entry->d_name);
        cr_expect_eq(iso_dialect_field(dialect, 52)->mask, ISO_MASK_SECRET, "%s", entry->d_name);
        iso_dialect_free(dialect);
        count++;
    }
    (void)closedir(directory);
    cr_assert_geq(count, 15);
}

Test(dialect, faults_have_their_place)
{
    for (size_t i = 0; i < countof(wrong) + countof(wrong_together); i++) {
        const struct wrong *row =
            i < countof(wrong) ? &wrong[i] : &wrong_together[i - countof(wrong)];
        struct iso_report report = {0};
        cr_expect_null(
            iso_dialect_load_text(row->text, strlen(row->text), "t.yaml", RS_DIALECTS, &report),
            "%s", row->text);
        bool said = false;
        for (uint32_t j = 0; j < report.count; j++)
            said = said || strstr(report.texts[j], row->said) != NULL;
        cr_expect(said, "%s says %s", row->text, report.texts[0]);
    }
}

Test(dialect, all_faults_in_one_run)
{
    static char text[20000] = "dialect: t\nfields:\n";
    for (uint32_t de = 2; de < 100; de++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "  %u: q 6\n", de);
    struct iso_report report = {0};
    cr_assert_null(iso_dialect_load_text(text, strlen(text), "t.yaml", NULL, &report));
    cr_assert_eq(report.count, ISO_REPORT_MAX);
    cr_assert_eq(report.count + report.lost, 98);
    cr_assert_str_eq(report.texts[1], "t.yaml:4:6: no class q");
}

Test(dialect, extends_replaces_and_removes)
{
    struct iso_dialect *dialect = dialect_text("dialect: t\nextends: iso87-ascii\nsupersedes: old\n"
                                               "valid_from: '2026-04-17T02:00Z'\n"
                                               "fields: {3: {name: Mine, form: n 4}, 5: null}\n"
                                               "messages: {'0800': null}\n");
    cr_assert_str_eq(iso_dialect_field(dialect, 3)->name, "Mine");
    cr_assert_eq(iso_dialect_field(dialect, 3)->max, 4);
    cr_assert_null(iso_dialect_field(dialect, 5));
    cr_assert_not_null(iso_dialect_field(dialect, 6));
    cr_assert_null(iso_dialect_mti_rules(dialect, "0800"));
    cr_assert_str_eq(iso_dialect_supersedes(dialect), "old");
    cr_assert_str_eq(iso_dialect_valid_from(dialect), "2026-04-17T02:00Z");
    cr_assert_str_eq(iso_dialect_valid_until(dialect), "");
    iso_dialect_free(dialect);
}

/* Fields that messages of the parent speak of may not vanish unnoticed. */
Test(dialect, a_rule_about_a_removed_field_is_a_fault)
{
    const char *text = "dialect: t\nextends: iso87-ascii\nfields: {7: null}\n";
    struct iso_report report = {0};
    cr_assert_null(iso_dialect_load_text(text, strlen(text), "t.yaml", RS_DIALECTS, &report));
    cr_assert_not_null(strstr(report.texts[0], "has no field 7"), "%s", report.texts[0]);
}

Test(dialect, by_name_and_path)
{
    struct iso_report report = {0};
    cr_assert_null(iso_dialect_by_name("no-such", "/nowhere:" RS_DIALECTS, &report));
    cr_assert_eq(report.count, 1);
    struct iso_dialect *dialect =
        iso_dialect_by_name(RS_DIALECTS "/iso87-ascii-hex.yaml", NULL, &report);
    cr_assert_not_null(dialect);
    iso_dialect_free(dialect);
    report.count = 0;
    cr_assert_null(iso_dialect_load(RS_DIALECTS, NULL, &report));
    cr_assert_eq(report.count, 1);
    report.count = 0;
    cr_assert_null(iso_dialect_load("/nowhere/x.yaml", NULL, &report));
    cr_assert_str_eq(report.texts[0], "/nowhere/x.yaml: cannot be opened");
}

Test(dialect, extends_are_bounded)
{
    char directory[] = "/tmp/dialects-XXXXXX", path[64];
    cr_assert_not_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/loop.yaml", directory);
    FILE *file = fopen(path, "w");
    (void)fputs("dialect: loop\nextends: loop\nfields: {3: n 6}\n", file);
    (void)fclose(file);
    struct iso_report report = {0};
    cr_assert_null(iso_dialect_load(path, NULL, &report));
    cr_assert_not_null(strstr(report.texts[0], "extend too deeply"), "%s", report.texts[0]);
    (void)unlink(path);
    (void)rmdir(directory);
}

Test(dialect, paths_and_questions)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    cr_assert_str_eq(iso_dialect_path(dialect, "48.92")->name, "CVV2");
    cr_assert_str_eq(iso_dialect_path(dialect, "3")->name, "Processing code");
    cr_assert_null(iso_dialect_path(dialect, "48.XX"));
    cr_assert_null(iso_dialect_path(dialect, "3.1"));
    cr_assert_null(iso_dialect_path(dialect, "x"));
    cr_assert_null(iso_dialect_path(dialect, "999"));
    const struct iso_mti_rules *rules = iso_dialect_mti_rules(dialect, "0101");
    cr_assert_str_eq(rules->mti, "0100");
    cr_assert_eq(rules->presence[11], ISO_PRESENCE_MANDATORY);
    cr_assert_str_eq(iso_dialect_condition(dialect, rules->condition[2]), "absent(35)");
    cr_assert_str_eq(iso_dialect_condition(dialect, 0), "");
    cr_assert_null(iso_dialect_mti_rules(dialect, "0999"));
    cr_assert_null(iso_dialect_mti_rules(dialect, "x100"));
    cr_assert_gt(iso_dialect_mti_count(dialect), 10);
    cr_assert_null(iso_dialect_mti_at(dialect, 1000));
    cr_assert_eq(iso_dialect_bitmap(dialect)->tertiary, ISO_TERTIARY_NONE);
    cr_assert_eq(iso_dialect_mac(dialect)->to_field, true);
    cr_assert_eq(iso_dialect_header(dialect)->kind, ISO_HEADER_NONE);
    cr_assert_eq(iso_dialect_mti(dialect)->encoding, ISO_ENC_ASCII);
    cr_assert_eq(iso_dialect_spread(dialect)[0], 0);
    cr_assert_str_eq(iso_dialect_note(dialect), "");
    iso_dialect_free(dialect);
}

Test(dialect, conditions)
{
    static const struct {
        const char *condition;
        bool holds; /* of a 0100 with 3 = 310000 and 11 = 123456 */
    } rows[] = {
        {"present(3)", true},
        {"absent(3)", false},
        {"not absent(3) and present(11)", true},
        {"present(4) or present(11)", true},
        {"present(4) or present(39) and present(11)", false},
        {"(present(4) or present(3)) and present(11)", true},
        {"de3 == '310000'", true},
        {"de3[1..2] == '31'", true},
        {"de3[1..2] != \"31\"", false},
        {"de3[3..6] in ['0001', '0000']", true},
        {"de3[5..9] == '00'", true},
        {"de4 == '000000000000'", false},
        {"mti == '0100'", true},
        {"mti in ['0200', '0220']", false},
        {"not (de3[1..2] == '31' and mti == '0100')", false},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "dialect: t\nfields: {3: n 6, 4: n 12, 11: n 6, 39: an 2}\n"
                       "messages:\n  '0100':\n    conditional:\n      39: |-\n        %s\n",
                       rows[i].condition);
        struct iso_dialect *dialect = dialect_text(text);
        struct bytes frame = bytes_of("'0100' 2020000000000000 '310000' '123456'");
        struct iso_msg msg;
        cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
        cr_expect_eq(iso_condition_holds(dialect, 1, &msg), rows[i].holds, "%s", rows[i].condition);
        cr_expect_eq(iso_missing(dialect, &msg), rows[i].holds ? 39 : 0);
        iso_dialect_free(dialect);
    }
}

Test(dialect, value_rules)
{
    static const struct {
        const char *rule, *good, *bad;
    } rules[] = {
        {"rule: luhn", "4242424242424242", "4242424242424241"},
        {"rule: MMDD", "0229", "0230"},
        {"rule: MMDD", "1231", "1301"},
        {"rule: YYMM", "3012", "3013"},
        {"rule: YYMMDD", "261121", "261100"},
        {"rule: CCYYMMDD", "20261121", "20261131"},
        {"rule: hhmmss", "235960", "240000"},
        {"rule: MMDDhhmm", "11210300", "11210360"},
        {"rule: MMDDhhmmss", "1121030000", "0000030000"},
        {"rule: YYMMDDhhmmss", "261121030000", "261121036000"},
        {"rule: CCYYMMDDhhmmss", "20261121030000", "20261121030061"},
        {"rule: currency", "398", "000"},
        {"rule: country", "398", "999"},
        {"rule: mcc", "5411", "0000"},
        {"rule: rate", "61234567", "91234567"},
        {"values: ['01', '02']", "02", "03"},
        {"rule: none", "1", NULL},
    };
    for (size_t i = 0; i < countof(rules); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "dialect: t\nfields: {3: {form: LLVAR n ..19, %s}}\n",
                       rules[i].rule);
        struct iso_dialect *dialect = dialect_text(text);
        for (uint32_t bad = 0; bad < 2; bad++) {
            const char *value = bad != 0 ? rules[i].bad : rules[i].good;
            if (value == NULL)
                continue;
            struct iso_draft draft;
            struct iso_layout layout;
            struct iso_msg msg;
            struct iso_findings findings;
            uint8_t out[64];
            iso_draft_init(&draft, "0100");
            iso_draft_text(&draft, 3, value, (uint32_t)strlen(value));
            cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
            cr_assert_eq(iso_parse(dialect, (struct span){out, layout.size}, &msg, NULL), ISO_OK);
            cr_expect_eq(iso_validate(dialect, &msg, NULL, &findings), bad != 0 ? ISO_RULE : ISO_OK,
                         "%s %s", rules[i].rule, value);
        }
        iso_dialect_free(dialect);
    }
    uint32_t exponent;
    cr_assert(iso_currency_exponent(398, &exponent) && exponent == 2);
    cr_assert(iso_currency_exponent(392, &exponent) && exponent == 0);
    cr_assert(iso_currency_exponent(414, &exponent) && exponent == 3);
    cr_assert_str_eq(iso_currency_code(398), "KZT");
    cr_assert_null(iso_currency_code(1));
    cr_assert(iso_country_known(398) && !iso_country_known(1));
}

/* Rules of sub-fields, and a lazy field that cannot be read. */
Test(dialect, rules_reach_into_fields)
{
    struct iso_dialect *dialect =
        dialect_text("dialect: t\nfields: {3: {form: LLVAR n ..9, of: positional, parts: {a: n 1, "
                     "b: {form: n 3, rule: "
                     "currency}}}, 4: {form: LLVAR b ..9, of: ber, inside: lazy}}\n");
    struct bytes frame = bytes_of("'0100' 3000000000000000 '041000' '03' 9F2605");
    struct iso_msg msg;
    struct iso_findings findings;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    cr_assert_eq(iso_validate(dialect, &msg, NULL, &findings), ISO_RULE);
    cr_assert_eq(findings.count, 2);
    cr_assert_str_eq(findings.faults[0].path, "3.b");
    cr_assert_str_eq(findings.faults[1].path, "4.9F26");
    iso_dialect_free(dialect);
}

Test(dialect, a_tpdu_is_turned_around)
{
    struct iso_dialect *dialect =
        dialect_text("dialect: t\nheader: {kind: tpdu}\nfields: {11: n 6, 39: an 2}\n"
                     "messages: {'0810': {mandatory: [39], conditional_echo: [11]}}\n");
    struct bytes frame = bytes_of("6000010002 '0800' 0020000000000000 '123456'");
    struct iso_msg msg;
    struct iso_draft draft;
    struct iso_layout layout;
    uint8_t room[ISO_HEADER_BYTES_MAX], out[64];
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    iso_draft_init(&draft, "0000");
    iso_draft_text(&draft, 39, "00", 2);
    iso_response(dialect, &msg, &draft, room);
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
    expect_bytes(out, layout.size, "6000020001 '0810' 0020000002000000 '123456' '00'");
    cr_assert_eq(layout.mti_offset, 5);
    iso_draft_remove(&draft, 39);
    cr_assert_not(iso_draft_has(&draft, 39));
    iso_dialect_free(dialect);
}

/* EBCDIC tables are permutations and agree with what everybody knows of them. */
Test(dialect, code_pages)
{
    static const char *const pages[] = {"ebcdic037", "ebcdic500", "ebcdic1047", "latin1"};
    for (size_t i = 0; i < countof(pages); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text),
                       "dialect: t\nfields: {3: {form: any 256, encoding: %s}}\n", pages[i]);
        struct iso_dialect *dialect = dialect_text(text);
        struct bytes frame = bytes_of("'0100' 2000000000000000");
        for (uint32_t c = 0; c < 256; c++)
            frame.data[frame.size++] = (uint8_t)c;
        struct iso_msg msg;
        struct iso_draft draft;
        struct iso_layout layout;
        char canonical[1024];
        uint8_t out[512];
        size_t size;
        cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
        cr_assert(iso_msg_text(dialect, &msg, 3, canonical, sizeof(canonical), &size));
        cr_assert_eq(size, 384); /* 128 of one byte, 128 of two */
        iso_draft_init(&draft, "0100");
        iso_draft_text(&draft, 3, canonical, (uint32_t)size);
        cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
        cr_assert(layout.size == frame.size && memcmp(out, frame.data, frame.size) == 0);
        iso_dialect_free(dialect);
    }
}

Test(dialect, numbers_and_digits)
{
    struct iso_dialect *dialect =
        dialect_text("dialect: t\nfields: {3: {form: n 7, encoding: packed}, 4: ans 4, "
                     "5: n 20}\n");
    struct bytes frame = bytes_of("'0100' 3800000000000000 00123456 '12 4' '99999999999999999999'");
    struct iso_msg msg;
    char text[32];
    size_t size;
    int64_t number;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    cr_assert(iso_msg_number(dialect, &msg, 3, &number) && number == 123456);
    cr_assert(iso_msg_digits(dialect, &msg, 3, text, sizeof(text), &size) && size == 7);
    cr_assert_not(iso_msg_digits(dialect, &msg, 3, text, 6, &size));
    cr_assert_not(iso_msg_number(dialect, &msg, 4, &number));
    cr_assert_not(iso_msg_number(dialect, &msg, 5, &number));
    cr_assert_not(iso_msg_number(dialect, &msg, 6, &number));
    cr_assert_not(iso_msg_text(dialect, &msg, 3, text, 3, &size));
    cr_assert_eq(iso_msg_field(&msg, 6).size, 0);
    cr_assert_eq(iso_msg_next(&msg, 5), 0);
    cr_assert_eq(iso_msg_next(&msg, ISO_FIELDS_MAX), 0);
    iso_dialect_free(dialect);
}
