/* fault_test.c - every result code of the codec is produced here, by a dialect of one field and a
 * message or a value; a row of err.def that nothing produces fails the test. */
#include "support.h"

static bool produced[ISO_ERRS_COUNT];

static const struct {
    enum iso_err code;
    const char *field; /* form of field 3 */
    const char *wire;  /* its bytes */
    const char *path;
} reads[] = {
    {ISO_NEED_MORE, "form: n 6", "'12345'", "3"},
    {ISO_LEFT_OVER, "form: n 6", "'1234567'", ""},
    {ISO_LENGTH, "form: LLVAR n ..19", "'1A1'", "3"},
    {ISO_LENGTH, "form: VAR n ..19, length: hex 2", "'0G1'", "3"},
    {ISO_LENGTH, "form: VAR n ..99, length: packed 3", "1001 '1'", "3"},
    {ISO_LENGTH_SELF, "form: VAR n ..19, length: ascii 2 inclusive", "'01'", "3"},
    {ISO_TOO_LONG, "form: LLVAR n ..19", "'20'", "3"},
    {ISO_TOO_SHORT, "form: LLVAR n 2..19", "'011'", "3"},
    {ISO_GROUP, "form: LLVAR n ..20, group: 4", "'0512345'", "3"},
    {ISO_CHARACTER, "form: n 2", "'1A'", "3"},
    {ISO_CHARACTER, "form: x+n 2", "'E12'", "3"},
    {ISO_CHARACTER, "form: x+n 2, encoding: packed", "45 12", "3"},
    {ISO_CHARACTER, "form: VAR n ..9, length: ascii 1, encoding: utf8", "'2' D090D090", "3"},
    {ISO_CHARSET, "form: any 1", "80", "3"},
    {ISO_CHARSET, "form: VAR ans ..9, length: ascii 1 bytes, encoding: utf8", "'1' 80", "3"},
    {ISO_CHARSET, "form: VAR ans ..9, length: ascii 1 bytes, encoding: gbk", "'1' 80", "3"},
    {ISO_CHARSET, "form: VAR ans ..9, length: ascii 1 bytes, encoding: gbk", "'2' FEFE", "3"},
    {ISO_CHARACTER_CUT, "form: VAR ans ..9, length: ascii 1 bytes, encoding: utf8", "'1' D090",
     "3"},
    {ISO_CHARACTER_CUT, "form: VAR ans ..9, length: ascii 1 bytes, encoding: gbk", "'1' D6D0", "3"},
    {ISO_NIBBLE, "form: n 2, encoding: packed", "1A", "3"},
    {ISO_FILLER, "form: n 3, encoding: packed", "1123", "3"},
    {ISO_FILLER, "form: n 3, encoding: packed, filler: right F", "1230", "3"},
    {ISO_ODD, "form: LLVAR n ..19, encoding: packed, filler: none", "'03' 0123", "3"},
    {ISO_ODD, "form: LLVAR b ..20, encoding: hex", "'03123'", "3"},
    {ISO_HEX, "form: b 1, encoding: hex", "'G1'", "3"},
    {ISO_HEX, "form: LLVAR b ..20, encoding: hex, of: ber", "'049FX1'", "3"},
    {ISO_TAG, "form: LLVAR b ..20, of: ber", "'02' 1F81", "3"},
    {ISO_TAG, "form: LLVAR b ..20, of: ber", "'06' 1F8181818101", "3"},
    {ISO_TAG_UNKNOWN,
     "form: LLVAR ans ..20, of: tlv, tags: ascii 2, tag_lengths: ascii 2, unknown: refuse",
     "'040100'", "3.01"},
    {ISO_TAG_REPEATED,
     "form: LLVAR ans ..20, of: tlv, tags: ascii 2, tag_lengths: ascii 2, repeat: refuse, parts: "
     "{'01': "
     "VAR an ..9}",
     "'0801000100'", "3.01"},
    {ISO_LENGTH_BER, "form: LLVAR b ..20, of: ber", "'02' 8280", "3.82"},
    {ISO_LENGTH_BER, "form: VAR b ..20, length: ber", "85 0000000001 01", "3"},
    {ISO_SUBFIELD_UNKNOWN, "form: b 2, of: bitmap, map: binary 1, parts: {1: n 1}", "4031", "3.2"},
    {ISO_SUBFIELD_LEFT_OVER, "form: b 3, of: bitmap, map: binary 1, parts: {1: n 1}", "803131",
     "3"},
    {ISO_SUBFIELD_LEFT_OVER, "form: n 3, of: positional, parts: {1: n 1}", "'123'", "3"},
    {ISO_SUBFIELD_LEFT_OVER, "form: ans 3, of: separated, separator: '|', parts: {1: VAR an ..9}",
     "'1|2'", "3"},
    {ISO_SUBFIELD_MISSING, "form: LLVAR n ..9, of: positional, parts: {1: n 1, 2: n 1}", "'011'",
     "3.2"},
    {ISO_SUBFIELD_MISSING,
     "form: ans 3, of: separated, mandatory: 2, separator: '|', parts: {1: VAR an ..9, 2: VAR an "
     "..9}",
     "'123'", "3.2"},
    {ISO_SUBFIELD_CUT, "form: n 3, of: positional, parts: {1: n 1, 2: n 3}", "'123'", "3.2"},
    {ISO_SUBFIELD_CUT, "form: b 1, of: bitmap, map: binary 2, parts: {1: n 1}", "80", "3"},
};

static struct iso_dialect *load(const char *head, const char *field)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "dialect: t\n%sfields:\n  3: {%s}\n  128: b 1\n", head,
                   field);
    return dialect_text(text);
}

static void read_all(void)
{
    for (size_t i = 0; i < countof(reads); i++) {
        struct iso_dialect *dialect = load("", reads[i].field);
        struct bytes frame = bytes_of("'0100' 2000000000000000"), wire = bytes_of(reads[i].wire);
        memcpy(frame.data + frame.size, wire.data, wire.size);
        frame.size += wire.size;
        struct iso_msg msg;
        struct iso_fault fault = {0};
        enum iso_err err = iso_parse(dialect, span_of(&frame), &msg, &fault);
        cr_expect_eq(err, reads[i].code, "%zu %s: %s, not %s", i, reads[i].field, iso_err_name(err),
                     iso_err_name(reads[i].code));
        cr_expect_str_eq(fault.path, reads[i].path, "%zu %s: %s", i, reads[i].field, fault.path);
        cr_expect_eq(iso_parse_checked(dialect, span_of(&frame), &msg, NULL), err);
        produced[err] = true;
        iso_dialect_free(dialect);
    }
}

/* Messages whose fault lies before the fields. */
static const struct {
    enum iso_err code;
    const char *head, *wire, *path;
} heads[] = {
    {ISO_HEADER, "header: {kind: text, text: ISO, size: 12}\n",
     "'ABC000000000' '0100' 0000000000000000", "header"},
    {ISO_HEADER, "header: {kind: length, size: 22}\n", "10 0000000000", "header"},
    {ISO_HEADER, "header: {kind: length, size: 2, reject: 3}\n", "030000 01 '0100'", "header"},
    {ISO_NEED_MORE, "header: {kind: length, size: 22}\n", "16 0000", "header"},
    {ISO_NEED_MORE, "header: {kind: length, size: 22}\n", "", "header"},
    {ISO_NEED_MORE, "header: {kind: length, size: 2, reject: 3}\n", "030000", "header"},
    {ISO_NEED_MORE, "header: {kind: tpdu}\n", "60", "header"},
    {ISO_MTI, "", "'01x0' 0000000000000000", "mti"},
    {ISO_MTI, "mti: {encoding: packed}\n", "01A0 0000000000000000", "mti"},
    {ISO_MTI, "mti: {encoding: ascii, any: true}\n", "80414243 0000000000000000", "mti"},
    {ISO_BITMAP, "bitmap: {encoding: hex}\n", "'0100' '000000000000000G'", "bitmap"},
    {ISO_BITMAP, "bitmap: {secondary: none}\n", "'0100' 8000000000000000", "bitmap"},
    {ISO_BITMAP_FOURTH, "bitmap: {tertiary: contiguous}\n",
     "'0100' 8000000000000000 8000000000000000 8000000000000000", "bitmap"},
    {ISO_FIELD_UNKNOWN, "", "'0100' 1000000000000000", "4"},
};

static void read_heads(void)
{
    for (size_t i = 0; i < countof(heads); i++) {
        char text[512];
        bool none = strstr(heads[i].head, "secondary: none") != NULL;
        (void)snprintf(text, sizeof(text), "dialect: t\n%sfields:\n  3: n 6\n%s", heads[i].head,
                       none ? "" : "  127: n 1\n");
        struct iso_dialect *dialect = dialect_text(text);
        struct bytes frame = bytes_of(heads[i].wire);
        struct iso_msg msg;
        struct iso_fault fault = {0};
        enum iso_err err = iso_parse(dialect, span_of(&frame), &msg, &fault);
        cr_expect_eq(err, heads[i].code, "%zu: %s", i, iso_err_name(err));
        cr_expect_str_eq(fault.path, heads[i].path, "%zu: %s", i, fault.path);
        produced[err] = true;
        iso_dialect_free(dialect);
    }
    struct iso_dialect *dialect = load("", "form: n 6");
    static uint8_t big[70000];
    struct iso_msg msg;
    struct iso_fault fault;
    cr_assert_eq(iso_parse(dialect, (struct span){big, sizeof(big)}, &msg, &fault), ISO_TOO_BIG);
    produced[ISO_TOO_BIG] = true;
    iso_dialect_free(dialect);
}

/* --- building --- */

#define TEXT(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1, 0, ISO_FORM_CANONICAL                                              \
    }
static const struct iso_part part_x[] = {{"X", 1, TEXT("1")}};
static const struct iso_part part_two[] = {{"2", 1, TEXT("1")}};
static const struct iso_part part_tag[] = {{"9F", 2, TEXT("1")}};
static const struct iso_part part_pad[] = {{"00", 2, TEXT("1")}};
static const struct iso_part parts_repeated[] = {{"01", 2, TEXT("1")}, {"01", 2, TEXT("1")}};
static const struct iso_part parts_same_bit[] = {{"1", 1, TEXT("1")}, {"1", 1, TEXT("1")}};
static const struct iso_part part_bar[] = {{"1", 1, TEXT("a|b")}};
static const struct iso_part part_deep[] = {{"01", 2, {part_x, 1, 0, ISO_FORM_PARTS}}};

static const struct {
    enum iso_err code;
    const char *field;
    struct iso_value value;
    const char *path;
} builds[] = {
    {ISO_VALUE, "form: n 6", TEXT("12345A"), "3"},
    {ISO_VALUE, "form: n 6, encoding: packed", TEXT("12345A"), "3"},
    {ISO_VALUE, "form: x+n 8", TEXT("E00000001"), "3"},
    {ISO_VALUE, "form: x+n 8, encoding: packed", TEXT("E00000001"), "3"},
    {ISO_VALUE, "form: x+n 8, encoding: packed-ebcdic-sign", TEXT("E00000001"), "3"},
    {ISO_VALUE, "form: x+n 8, encoding: ebcdic500", TEXT("E00000001"), "3"},
    {ISO_VALUE_LONG, "form: n 6", TEXT("1234567"), "3"},
    {ISO_VALUE_LONG, "form: n 6, encoding: packed", TEXT("1234567"), "3"},
    {ISO_VALUE_LONG, "form: LLVAR n ..19", TEXT("12345678901234567890"), "3"},
    {ISO_VALUE_LONG, "form: VAR n ..98, length: ascii 2 inclusive",
     TEXT(
         "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "012345678"),
     "3"},
    {ISO_VALUE_SHORT, "form: LLVAR n 4..19, pad: none", TEXT("123"), "3"},
    {ISO_VALUE_SHORT, "form: b 4", TEXT("123"), "3"},
    {ISO_VALUE_SHORT, "form: z 4", TEXT("123"), "3"},
    {ISO_GROUP, "form: LLVAR n ..20, group: 4", TEXT("12345"), "3"},
    {ISO_CHARSET, "form: ans 4", TEXT("\xD0\x90xyz"), "3"},
    {ISO_CHARSET, "form: ans 4", TEXT("\xFFxyz"), "3"},
    {ISO_CHARSET, "form: ans 4, encoding: latin1", TEXT("\xE2\x82\xACxyz"), "3"},
    {ISO_ODD, "form: LLVAR n ..19, encoding: packed, filler: none", TEXT("123"), "3"},
    {ISO_VALUE_FORM, "form: n 6", {part_x, 1, 0, ISO_FORM_PARTS}, "3"},
    {ISO_VALUE_FORM, "form: n 6", {"12345", 5, 6, ISO_FORM_WIRE}, "3"},
    {ISO_VALUE_FORM, "form: LLVAR b ..20, of: ber", {part_pad, 1, 0, ISO_FORM_PARTS}, "3.00"},
    {ISO_SUBFIELD_UNKNOWN,
     "form: LLVAR n ..9, of: positional, parts: {1: n 1}",
     {part_x, 1, 0, ISO_FORM_PARTS},
     "3.X"},
    {ISO_SUBFIELD_UNKNOWN,
     "form: LLVAR b ..9, of: bitmap, map: binary 1, parts: {1: n 1}",
     {part_x, 1, 0, ISO_FORM_PARTS},
     "3.X"},
    {ISO_SUBFIELD_UNKNOWN,
     "form: LLVAR ans ..9, of: separated, separator: '|', parts: {1: VAR n ..1}",
     {part_x, 1, 0, ISO_FORM_PARTS},
     "3.X"},
    {ISO_SUBFIELD_MISSING,
     "form: LLVAR n ..9, of: positional, parts: {1: n 1, 2: n 1}",
     {part_two, 1, 0, ISO_FORM_PARTS},
     "3.2"},
    {ISO_SUBFIELD_MISSING,
     "form: LLVAR ans ..9, of: separated, separator: '|', parts: {1: VAR n 1..1, 2: VAR n ..1}",
     {part_two, 1, 0, ISO_FORM_PARTS},
     "3.1"},
    {ISO_SUBFIELD_MISSING,
     "form: LLVAR ans ..9, of: tlv, lead: [{key: A, form: n 1}], tags: ascii 1, tag_lengths: ascii "
     "1",
     {part_two, 1, 0, ISO_FORM_PARTS},
     "3"},
    {ISO_TAG, "form: LLVAR b ..20, of: ber", {part_tag, 1, 0, ISO_FORM_PARTS}, "3.9F"},
    {ISO_TAG, "form: LLVAR b ..20, of: ber", {part_x, 1, 0, ISO_FORM_PARTS}, "3.X"},
    {ISO_TAG,
     "form: LLVAR ans ..20, of: tlv, tags: ascii 2, tag_lengths: ascii 2",
     {part_x, 1, 0, ISO_FORM_PARTS},
     "3.X"},
    {ISO_TAG_UNKNOWN,
     "form: LLVAR ans ..20, of: tlv, tags: ascii 1 an, tag_lengths: ascii 2, unknown: refuse",
     {part_x, 1, 0, ISO_FORM_PARTS},
     "3.X"},
    {ISO_TAG_REPEATED,
     "form: LLVAR ans ..20, of: tlv, tags: ascii 2, tag_lengths: ascii 2, repeat: refuse",
     {parts_repeated, 2, 0, ISO_FORM_PARTS},
     "3.01"},
    {ISO_TAG_REPEATED,
     "form: LLVAR b ..9, of: bitmap, map: binary 1, parts: {1: n 1}",
     {parts_same_bit, 2, 0, ISO_FORM_PARTS},
     "3.1"},
    {ISO_VALUE,
     "form: LLVAR ans ..9, of: separated, separator: '|', parts: {1: VAR ans ..9}",
     {part_bar, 1, 0, ISO_FORM_PARTS},
     "3.1"},
    {ISO_VALUE_FORM,
     "form: LLVAR ans ..20, of: tlv, tags: ascii 2, tag_lengths: ascii 2",
     {part_deep, 1, 0, ISO_FORM_PARTS},
     "3.01"},
};

static void build_all(void)
{
    uint8_t out[512];
    struct iso_draft draft;
    struct iso_layout layout;
    for (size_t i = 0; i < countof(builds); i++) {
        struct iso_dialect *dialect = load("", builds[i].field);
        struct iso_fault fault = {0};
        iso_draft_init(&draft, "0100");
        iso_draft_text(&draft, 3, "", 0);
        draft.values[3] = builds[i].value;
        enum iso_err err = iso_build(dialect, &draft, out, sizeof(out), &layout, &fault);
        cr_expect_eq(err, builds[i].code, "%zu %s: %s, not %s", i, builds[i].field,
                     iso_err_name(err), iso_err_name(builds[i].code));
        cr_expect_str_eq(fault.path, builds[i].path, "%zu %s: %s", i, builds[i].field, fault.path);
        cr_expect_eq(fault.de, 3);
        produced[err] = true;
        iso_dialect_free(dialect);
    }
    struct iso_dialect *dialect = load("header: {kind: tpdu}\n", "form: n 6");
    struct iso_fault fault;
    iso_draft_init(&draft, "0100");
    iso_draft_text(&draft, 3, "123456", 6);
    for (size_t size = 0; size < 23; size++) {
        cr_assert_eq(iso_build(dialect, &draft, out, size, &layout, &fault), ISO_NO_ROOM, "%zu",
                     size);
        produced[ISO_NO_ROOM] = true;
    }
    iso_draft_text(&draft, 7, "1", 1);
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault),
                 ISO_FIELD_UNBUILDABLE);
    cr_assert_str_eq(fault.path, "7");
    produced[ISO_FIELD_UNBUILDABLE] = true;
    iso_draft_init(&draft, "01x0");
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_MTI);
    iso_draft_init(&draft, "0100");
    draft.header = (struct span){(const uint8_t *)"abc", 3};
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_NEED_MORE);
    iso_dialect_free(dialect);
}

/* --- validation --- */

static void validate_all(void)
{
    struct iso_dialect *dialect = dialect_text(
        "dialect: t\n"
        "fields: {3: n 6, 4: {form: n 12}, 7: {form: n 10, rule: MMDDhhmmss}, 11: n 6, 39: an 2}\n"
        "messages:\n"
        "  '0100': {mandatory: [3], conditional: {4: \"de3[1..2] == '00' and absent(39)\"}, "
        "forbidden: [39],\n"
        "           optional: [7]}\n"
        "  '0110': {mandatory: [39], mandatory_echo: [11], conditional_echo: [3, 4], others: "
        "forbidden}\n");
    struct bytes request = bytes_of("'0100' 2220000002000000 '000000' '1332246060' '123456' '00'");
    struct bytes answer = bytes_of("'0110' 2220000002000000 '000001' '0101000000' '123457' '00'");
    struct bytes other = bytes_of("'0200' 0000000000000000");
    struct iso_msg first, second, third;
    struct iso_findings findings;
    struct iso_fault fault;
    cr_assert_eq(iso_parse(dialect, span_of(&request), &first, &fault), ISO_OK, "%s", fault.text);
    cr_assert_eq(iso_parse(dialect, span_of(&answer), &second, &fault), ISO_OK, "%s", fault.text);
    cr_assert_eq(iso_parse(dialect, span_of(&other), &third, &fault), ISO_OK);
    cr_assert_eq(iso_validate(dialect, &first, NULL, &findings), ISO_FORBIDDEN);
    cr_assert_eq(findings.count, 2);
    cr_assert_str_eq(findings.faults[0].path, "39");
    cr_assert_eq(findings.faults[1].code, ISO_RULE);
    cr_assert_str_eq(findings.faults[1].path, "7");
    cr_assert_eq(iso_validate(dialect, &second, &first, &findings), ISO_ECHO);
    cr_assert_eq(findings.count, 3); /* 3 and 11 differ, 7 is not listed */
    cr_assert_eq(findings.faults[1].code, ISO_FORBIDDEN);
    cr_assert_eq(iso_validate(dialect, &third, NULL, &findings), ISO_MTI_UNKNOWN);
    struct bytes bare = bytes_of("'0100' 0000000000000000"),
                 no_amount = bytes_of("'0100' 2000000000000000 '000000'");
    cr_assert_eq(iso_parse(dialect, span_of(&bare), &third, &fault), ISO_OK);
    cr_assert_eq(iso_validate(dialect, &third, NULL, &findings), ISO_MISSING);
    cr_assert_eq(iso_missing(dialect, &third), 3);
    cr_assert_eq(iso_parse(dialect, span_of(&no_amount), &third, &fault), ISO_OK);
    cr_assert_eq(iso_validate(dialect, &third, NULL, &findings), ISO_MISSING_CONDITIONAL);
    cr_assert_eq(iso_missing(dialect, &third), 4);
    produced[ISO_FORBIDDEN] = produced[ISO_RULE] = produced[ISO_ECHO] = produced[ISO_MISSING] =
        true;
    produced[ISO_MTI_UNKNOWN] = produced[ISO_MISSING_CONDITIONAL] = true;
    iso_dialect_free(dialect);
}

Test(fault, every_code_is_produced_and_documented)
{
    produced[ISO_OK] = true;
    produced[ISO_TRACK] = true; /* emv_test.c */
    produced[ISO_FRAME_LENGTH] = produced[ISO_FRAME_LONG] = produced[ISO_FRAME_SHORT] = true;
    read_all();
    read_heads();
    build_all();
    validate_all();
    static char page[200000];
    FILE *file = fopen(RS_DOCS "/dialects.md", "r");
    cr_assert_not_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    (void)fclose(file);
    for (uint32_t i = 0; i < ISO_ERRS_COUNT; i++) {
        char code[64];
        cr_expect(produced[i], "nothing produces %s", iso_err_name((enum iso_err)i));
        (void)snprintf(code, sizeof(code), "`%s`", iso_err_name((enum iso_err)i));
        cr_expect(i == 0 || strstr(page, code) != NULL, "docs/dialects.md does not explain %s",
                  code);
    }
}
