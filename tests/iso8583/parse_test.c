/* parse_test.c - decoding: the contract's messages, faults in wire order, both readers alike. */
#include "support.h"

/* One exchange of the demo, byte by byte. */
static const char request_hex[] =
    "30313030723C448108C180003136393930303031303030303030303031393030303030303030303030303031303030"
    "30"
    "3131323130333030303030303030303130383030303031313231333031323534313130313230303036313233343536"
    "3633323530333030303030315445524D303030314D45524348414E5430303030303031303037393230333032353339"
    "38";
static const char answer_hex[] =
    "30313130723A00010EC18000313639393030303130303030303030303139303030303030303030303030303130"
    "303030313132313033303030303030303030313038303030303131323131313231303631323334353636333235"
    "303330303030303141314232433330305445524D303030314D45524348414E5430303030303031303035383730"
    "314D333938";

Test(parse, contract_request)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct bytes frame = bytes_of(request_hex);
    cr_assert_eq(frame.size, 0x8F);
    struct iso_msg msg;
    struct iso_fault fault;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), ISO_OK, "%s: %s", fault.path,
                 fault.text);
    char text[1024];
    cr_assert(msg.complete);
    cr_assert_eq(memcmp(msg.mti, "0100", 4), 0);
    cr_assert_str_eq(text_of(dialect, &msg, 2, text), "9900010000000019");
    cr_assert_str_eq(text_of(dialect, &msg, 4, text), "000000010000");
    cr_assert_str_eq(text_of(dialect, &msg, 42, text), "MERCHANT0000001");
    cr_assert_str_eq(text_of(dialect, &msg, 48, text), "9203025");
    int64_t amount;
    cr_assert(iso_msg_number(dialect, &msg, 4, &amount));
    cr_assert_eq(amount, 10000);
    struct iso_item item;
    cr_assert(iso_msg_find(dialect, &msg, "48.92", &item));
    cr_assert_eq(item.at.size, 3);
    cr_assert_eq(memcmp(frame.data + item.at.offset, "025", 3), 0);
    cr_assert_not(iso_msg_find(dialect, &msg, "48.61", &item));
    cr_assert_eq(iso_missing(dialect, &msg), 0);
    struct iso_findings findings;
    cr_assert_eq(iso_validate(dialect, &msg, NULL, &findings), ISO_OK, "%s %s",
                 findings.faults[0].path, findings.faults[0].text);
    iso_dialect_free(dialect);
}

Test(parse, contract_answer_is_built_from_the_request)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct bytes frame = bytes_of(request_hex);
    struct iso_msg msg;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    struct iso_draft draft;
    uint8_t room[ISO_HEADER_BYTES_MAX], out[512];
    iso_draft_init(&draft, "0000");
    iso_draft_text(&draft, 15, "1121", 4);
    iso_draft_text(&draft, 38, "A1B2C3", 6);
    iso_draft_text(&draft, 39, "00", 2);
    static const struct iso_part parts[] = {{"87", 2, {"M", 1, 0, ISO_FORM_CANONICAL}}};
    iso_draft_parts(&draft, 48, parts, 1);
    iso_response(dialect, &msg, &draft, room);
    struct iso_layout layout;
    struct iso_fault fault;
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK, "%s: %s",
                 fault.path, fault.text);
    expect_bytes(out, layout.size, answer_hex);
    iso_dialect_free(dialect);
}

/* Message, code, path, offset, DE44. */
static const struct {
    const char *message;
    enum iso_err code;
    const char *path;
    uint32_t offset;
    const char *de44;
} faults[] = {
    {"'010'", ISO_NEED_MORE, "mti", 0, "000"},
    {"'01A0' 0000000000000000", ISO_MTI, "mti", 2, "000"},
    {"'0100' 00000000", ISO_NEED_MORE, "bitmap", 4, "001"},
    {"'0100' 8000000000000000 0000", ISO_NEED_MORE, "bitmap", 12, "001"},
    {"'0100' 8000000000000000 8000000000000000 '12345678'", ISO_FIELD_UNKNOWN, "65", 20, "065"},
    {"'0100' 8010000000000000 8000000000000000 '0721123'", ISO_FIELD_UNKNOWN, "65", 26, "065"},
    {"'0100' 2000000000000000 '00000A'", ISO_CHARACTER, "3", 17, "003"},
    {"'0100' 2000000000000000 '0000000'", ISO_LEFT_OVER, "", 18, "000"},
    {"'0100' 2000000000000000 '00000'", ISO_NEED_MORE, "3", 12, "003"},
    {"'0100' 4000000000000000 '1A9900010000000019'", ISO_LENGTH, "2", 13, "002"},
    {"'0100' 4000000000000000 '209900010000000019'", ISO_TOO_LONG, "2", 12, "002"},
    {"'0100' 4000000000000000 '1199000100000'", ISO_TOO_SHORT, "2", 12, "002"},
    {"'0100' 0000000000010000 '00592030'", ISO_SUBFIELD_CUT, "48.92", 19, "048/92"},
    {"'0100' 0000000000010000 '0079X03025'", ISO_TAG, "48", 16, "048"},
    {"'0100' 0000000000010000 '00792030X5'", ISO_CHARACTER, "48.92", 20, "048/92"},
    {"'0100' 0000000000000200 '011' 9F2608 0102030405060708", ISO_OK, "", 0, ""},
    {"'0100' 0000000000000200 '010' 9F2608 01020304050607", ISO_SUBFIELD_CUT, "55.9F26", 18,
     "055/9F26"},
    {"'0100' 0000000000000200 '002' 9F26", ISO_SUBFIELD_CUT, "55.9F26", 17, "055/9F26"},
    {"'0100' 0000000000000200 '002' 9F80", ISO_TAG, "55", 17, "055"},
    {"'0100' 0000000000000400 '0190001398C00010000000'", ISO_GROUP, "54", 12, "054"},
    {"'0100' 2000000000001000 '00000A' 0102", ISO_CHARACTER, "3", 17, "003"},
};

Test(parse, faults_say_where)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    for (size_t i = 0; i < countof(faults); i++) {
        struct bytes frame = bytes_of(faults[i].message);
        struct iso_msg msg;
        struct iso_fault fault = {0};
        enum iso_err err = iso_parse(dialect, span_of(&frame), &msg, &fault);
        cr_expect_eq(err, faults[i].code, "%zu: %s, %s", i, iso_err_name(err), fault.path);
        if (err == ISO_OK || err != faults[i].code)
            continue;
        char de44[26];
        cr_expect_str_eq(fault.path, faults[i].path, "%zu: %s", i, fault.path);
        cr_expect_eq(fault.offset, faults[i].offset, "%zu: %u", i, fault.offset);
        cr_expect_eq(iso_fault_de44(&fault, de44, sizeof(de44)), strlen(faults[i].de44));
        cr_expect_str_eq(de44, faults[i].de44, "%zu: %s", i, de44);
        cr_expect_eq(fault.code, err);
        cr_expect_not(msg.complete);
    }
    iso_dialect_free(dialect);
}

Test(parse, what_was_read_before_a_fault_is_kept)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct bytes frame = bytes_of("'0100' 2020000000C10000 '000000' '12345X'");
    struct iso_msg msg;
    struct iso_fault fault;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), ISO_CHARACTER);
    cr_assert(iso_msg_has(&msg, 3));
    cr_assert_not(iso_msg_has(&msg, 11));
    cr_assert_eq(fault.read_last[0], 3);
    cr_assert_eq(fault.read_last[1], 0);
    iso_dialect_free(dialect);
}

Test(parse, causes)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct iso_msg msg;
    struct iso_fault fault;
    struct bytes tpdu = bytes_of("6000010002 '0800' 0000000000000000");
    cr_assert_eq(iso_parse(dialect, span_of(&tpdu), &msg, &fault), ISO_MTI);
    cr_assert_not_null(strstr(fault.cause, "TPDU"), "%s", fault.cause);
    struct bytes length = bytes_of("000C '0800' 0000000000000000");
    cr_assert_eq(iso_parse(dialect, span_of(&length), &msg, &fault), ISO_MTI);
    cr_assert_not_null(strstr(fault.cause, "2-byte length"), "%s", fault.cause);
    struct bytes hex = bytes_of("'0800' '8220000000000000'");
    cr_assert_neq(iso_parse(dialect, span_of(&hex), &msg, &fault), ISO_OK);
    cr_assert_not_null(strstr(fault.cause, "hexadecimal"), "%s", fault.cause);
    iso_dialect_free(dialect);
}

/* The straight line and the interpreter give the same index and the same verdict. */
static void expect_alike(const struct iso_dialect *dialect, struct span frame)
{
    static struct iso_msg a, b;
    enum iso_err left = iso_parse(dialect, frame, &a, NULL);
    enum iso_err right = iso_parse_checked(dialect, frame, &b, NULL);
    cr_assert_eq(left, right);
    cr_assert_eq(memcmp(a.present, b.present, sizeof(a.present)), 0);
    cr_assert_eq(memcmp(a.bitmap, b.bitmap, sizeof(a.bitmap)), 0);
    cr_assert_eq(a.blocks, b.blocks);
    cr_assert_eq(a.complete, b.complete);
    cr_assert_eq(a.mti_offset, b.mti_offset);
    cr_assert_eq(a.bitmap_offset, b.bitmap_offset);
    if (left == ISO_OK)
        cr_assert_eq(memcmp(a.mti, b.mti, 4), 0);
    for (uint32_t de = iso_msg_next(&a, 0); de != 0; de = iso_msg_next(&a, de))
        cr_assert_eq(memcmp(&a.fields[de], &b.fields[de], sizeof(a.fields[de])), 0, "%u", de);
}

Test(parse, every_cut_and_every_bit)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct bytes whole = bytes_of(request_hex);
    for (uint32_t size = 0; size < whole.size; size++) {
        /* An exact copy, so that a read beyond the cut is seen by the sanitizer. */
        uint8_t *cut = malloc(size + 1);
        memcpy(cut, whole.data, size);
        uint8_t *exact = realloc(cut, size > 0 ? size : 1);
        struct iso_msg msg;
        struct iso_fault fault = {0};
        enum iso_err err = iso_parse(dialect, (struct span){exact, size}, &msg, &fault);
        cr_assert_neq(err, ISO_OK);
        cr_assert_eq(err, ISO_NEED_MORE, "%u: %s at %s", size, iso_err_name(err), fault.path);
        expect_alike(dialect, (struct span){exact, size});
        free(exact);
    }
    for (uint32_t bit = 0; bit < whole.size * 8; bit++) {
        struct bytes other = whole;
        other.data[bit / 8] ^= (uint8_t)(0x80 >> (bit & 7));
        expect_alike(dialect, span_of(&other));
    }
    iso_dialect_free(dialect);
}

Test(parse, an_empty_second_bitmap_survives_a_relay)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct bytes frame = bytes_of("'0800' 8020000000000000 0000000000000000 '123456'");
    struct iso_msg msg;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    cr_assert_eq(msg.blocks, 2);
    struct iso_draft draft;
    iso_draft_from_msg(&draft, &msg);
    uint8_t out[64];
    struct iso_layout layout;
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
    cr_assert_eq(layout.size, frame.size);
    cr_assert_eq(memcmp(out, frame.data, frame.size), 0);
    iso_dialect_free(dialect);
}

Test(parse, mac_covers_what_stands_before_it)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct bytes frame = bytes_of("'0800' 0020000000000001 '123456' 0102030405060708");
    struct iso_msg msg;
    struct span covered, mac;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    cr_assert(iso_mac_span(dialect, &msg, &covered, &mac));
    cr_assert_eq(covered.data, frame.data);
    cr_assert_eq(covered.size, 18);
    cr_assert_eq(mac.size, 8);
    struct iso_draft draft;
    uint8_t out[64];
    struct iso_layout layout;
    iso_draft_from_msg(&draft, &msg);
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
    cr_assert_eq(layout.mac_offset, 18);
    cr_assert_eq(layout.mac_size, 8);
    iso_dialect_free(dialect);
}

Test(parse, missing_is_the_lowest)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    struct iso_msg msg;
    struct bytes frame = bytes_of("'0100' 2020000000000000 '000000' '123456'");
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    cr_assert_eq(iso_missing(dialect, &msg), 2);
    struct iso_findings findings;
    cr_assert_neq(iso_validate(dialect, &msg, NULL, &findings), ISO_OK);
    cr_assert_eq(findings.count, 7); /* 2, 4, 7, 32, 41, 42, 49 */
    struct bytes balance = bytes_of("'0100' 4020000000000000 '169900010000000019' '123456'");
    cr_assert_eq(iso_parse(dialect, span_of(&balance), &msg, NULL), ISO_OK);
    cr_assert_eq(iso_missing(dialect, &msg), 3);
    iso_dialect_free(dialect);
}
