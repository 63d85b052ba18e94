/* export_test.c - shipped dialects to the other libraries' notations and back: nothing is lost;
 * captures to streams. */
#include "ctl/capture.h"
#include "ctl/spec.h"
#include "ctl/spec_yaml.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "base24",         "iso2003-binary", "iso87-ascii",  "iso87-ascii-hex",      "iso87-binary",
    "iso87-ebcdic",   "iso93-ascii",    "iso93-binary", "mastercard-cis-ascii", "mastercard-cis",
    "mastercard-ipm", "postilion",      "smartvista",   "visa-base1",           "way4"};

static void expect_same(const struct iso_dialect *dialect, const struct text *yaml)
{
    struct iso_report report = {0};
    struct text before = {0}, after = {0};
    struct iso_dialect *again =
        iso_dialect_load_text(yaml->data, yaml->size, "again.yaml", NULL, &report);
    cr_assert_not_null(again, "%s", report.texts[0]);
    spec_yaml(dialect, &before);
    spec_yaml(again, &after);
    cr_expect_str_eq(before.data, after.data, "%s", iso_dialect_name(dialect));
    text_free(&before);
    text_free(&after);
    iso_dialect_free(again);
}

static void expect_round_trip(bool jpos)
{
    for (size_t i = 0; i < countof(names); i++) {
        struct iso_report report = {0};
        struct text out = {0}, yaml = {0};
        struct iso_dialect *dialect = iso_dialect_by_name(names[i], RS_DIALECTS, &report);
        cr_assert_not_null(dialect, "%s", report.texts[0]);
        bool exported = jpos ? spec_export_jpos(dialect, &out, &report)
                             : spec_export_moov(dialect, &out, &report);
        /* Six digits of length are more than the other side's notation has. */
        bool expected = jpos || strcmp(names[i], "postilion") != 0;
        cr_expect_eq(exported, expected, "%s: %s", names[i], report.texts[0]);
        if (exported) {
            bool imported = jpos ? spec_import_jpos(out.data, out.size, "d", &yaml, &report)
                                 : spec_import_moov(out.data, out.size, "d", &yaml, &report);
            cr_assert(imported, "%s: %s", names[i], report.texts[0]);
            expect_same(dialect, &yaml);
        }
        text_free(&out);
        text_free(&yaml);
        iso_dialect_free(dialect);
    }
}

Test(export, jpos_and_back)
{
    expect_round_trip(true);
}

Test(export, moov_and_back)
{
    expect_round_trip(false);
}

Test(export, written_out_it_is_the_same)
{
    for (size_t i = 0; i < countof(names); i++) {
        struct iso_report report = {0};
        struct text yaml = {0};
        struct iso_dialect *dialect = iso_dialect_by_name(names[i], RS_DIALECTS, &report);
        cr_assert_not_null(dialect, "%s", report.texts[0]);
        spec_yaml(dialect, &yaml);
        expect_same(dialect, &yaml);
        text_free(&yaml);
        iso_dialect_free(dialect);
    }
}

/* What no shipped dialect has, or not in every place. */
Test(export, all_sub_structure)
{
    static const char text[] =
        "dialect: t\nbitmap: {tertiary: none}\nfields:\n"
        "  3: {form: n 7, encoding: packed, of: positional, parts: {a: n 3, b: {form: n 4, of: "
        "positional, parts: {x: n 1, y: n 3}}}}\n"
        "  4: {form: VAR n ..6, encoding: packed, length: binary 1 bytes, filler: right F, of: "
        "positional, mandatory: 1, parts: {1: n 1, 2: n 3}}\n"
        "  6: {form: VAR b ..99, length: ascii 2, of: bitmap, map: binary 2, chained: true, parts: "
        "{2: n 3}, rest: {name: R, form: REST b ..90, of: ber}}\n"
        "  7: {form: VAR b ..99, length: ascii 2, of: separated, separator: '|', parts: {1: VAR an "
        "..9}}\n"
        "  8: {form: VAR b ..99, length: ascii 2, of: tlv, tags: ascii 2 an, tag_lengths: ascii 2, "
        "lead: [{key: L, form: an 1}], unknown: refuse, repeat: refuse, parts: {'A1': VAR n "
        "..9}}\n";
    struct iso_report report = {0};
    struct text yaml = {0}, there = {0}, back = {0};
    struct iso_dialect *dialect =
        iso_dialect_load_text(text, strlen(text), "t.yaml", NULL, &report);
    cr_assert_not_null(dialect, "%s", report.texts[0]);
    spec_yaml(dialect, &yaml);
    expect_same(dialect, &yaml);
    cr_expect_not_null(strstr(yaml.data, ", rest: {name: \"R\", form: "), "%s", yaml.data);
    cr_assert(spec_export_jpos(dialect, &there, &report), "%s", report.texts[0]);
    cr_assert(spec_import_jpos(there.data, there.size, "d", &back, &report), "%s", report.texts[0]);
    expect_same(dialect, &back);
    text_free(&there);
    text_free(&back);
    there = back = (struct text){0};
    cr_assert(spec_export_moov(dialect, &there, &report), "%s", report.texts[0]);
    cr_assert(spec_import_moov(there.data, there.size, "d", &back, &report), "%s", report.texts[0]);
    expect_same(dialect, &back);
    text_free(&there);
    text_free(&back);
    text_free(&yaml);
    iso_dialect_free(dialect);
}

/* One segment of three bytes, sent twice, in a raw IP capture; then cut at every byte. */
Test(capture, a_segment_is_taken_once_and_cuts_are_harmless)
{
    uint8_t file[24 + 2 * (16 + 43)] = {0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4};
    uint8_t packet[43] = {
        [0] = 0x45, [3] = 43, [8] = 64, [9] = 6,     [12] = 10,  [15] = 1,   [16] = 10,
        [19] = 2,   [21] = 1, [23] = 2, [32] = 0x50, [40] = 'a', [41] = 'b', [42] = 'c'};
    size_t size = 24;
    file[20] = 101;
    for (int i = 0; i < 2; i++) {
        file[size + 8] = file[size + 12] = sizeof packet;
        memcpy(file + size + 16, packet, sizeof packet);
        size += 16 + sizeof packet;
    }
    for (size_t cut = 0; cut <= size; cut++) {
        const char *why;
        struct capture *capture = calloc(1, sizeof *capture);
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, file, cut);
        bool right = capture_read(copy, cut, capture, &why);
        cr_expect_eq(right, cut >= 24);
        if (cut == size) {
            cr_assert_eq(capture->count, 1);
            cr_expect_str_eq(capture->streams[0].name, "10.0.0.1:1 > 10.0.0.2:2");
            cr_expect_str_eq(capture->streams[0].bytes.data, "abc");
        }
        capture_free(capture);
        free(capture);
        free(copy);
    }
}
