/* composite_test.c - sub-structure and the forms of values that users of other libraries stumbled
 * over. */
#include "support.h"

/* A field of the given form alone in a message: its bytes behind MTI and bitmap, its canonical
 * value. */
static const struct {
    const char *field; /* form of field 3 */
    const char *wire;
    const char *text; /* bytes as upper-case hexadecimal characters */
} values[] = {
    /* length prefixes that include themselves */
    {"form: VAR ans ..99, length: ascii 3 inclusive", "'008hello'", "hello"},
    {"form: VAR ans ..99, length: binary 2 inclusive", "0007 'hello'", "hello"},
    {"form: VAR n ..99, encoding: packed, length: packed 2 inclusive", "06 1234", "1234"},
    /* prefixes that count digits, bytes, nibbles */
    {"form: VAR n ..19, encoding: packed, length: packed 2", "05 012345", "12345"},
    {"form: VAR n ..19, encoding: packed, length: packed 2, filler: right F", "05 12345F", "12345"},
    {"form: VAR n ..10, encoding: packed, length: binary 1 bytes, filler: right F", "03 12345F",
     "12345"},
    {"form: VAR n ..10, encoding: packed, length: binary 1 bytes, filler: right F", "03 123456",
     "123456"},
    {"form: VAR n ..10, encoding: packed, length: binary 1 bytes", "03 012345", "012345"},
    {"form: VAR n ..19, encoding: packed, length: ascii 2 nibbles, filler: right 0", "'05' 123450",
     "12345"},
    {"form: VAR ans ..99, length: ascii 2 nibbles", "'10hello'", "hello"},
    {"form: VAR ans ..99, length: ebcdic 2, encoding: ebcdic500", "F0F5 8885939396", "hello"},
    /* a binary or hexadecimal length before characters */
    {"form: VAR ans ..255, length: binary 1", "05 'hello'", "hello"},
    {"form: VAR ans ..255, length: hex 2", "'0Ahellohello'", "hellohello"},
    {"form: VAR ans ..9999, length: binary 4", "00000005 'hello'", "hello"},
    {"form: VAR b ..99, length: ascii 2, encoding: hex", "'04AB01'", "AB01"},
    {"form: VAR b ..99, length: ascii 2 octets, encoding: hex", "'02AB01'", "AB01"},
    {"form: b 2, encoding: hex-ebcdic", "C1C2F0F1", "AB01"},
    {"form: VAR b ..999, length: ber", "8103 010203", "010203"},
    /* multi-byte text, in characters and in bytes */
    {"form: VAR ans ..99, length: ascii 2, encoding: utf8", "'06' D090D0BBD0BCD0B0D182D18B",
     "Алматы"},
    {"form: VAR ans ..99, length: ascii 2 bytes, encoding: utf8", "'12' D090D0BBD0BCD0B0D182D18B",
     "Алматы"},
    {"form: VAR ans ..99, length: ascii 2, encoding: gbk", "'03' D6D0B9FA '7'", "中国7"},
    {"form: VAR ans ..99, length: ascii 2 bytes, encoding: gbk", "'05' D6D0B9FA '7'", "中国7"},
    {"form: ans 4, encoding: latin1", "'caf' E9", "café"},
    {"form: ans 4, encoding: ebcdic037", "83818651", "café"},
    /* packed tracks keep every nibble */
    {"form: VAR z ..37, encoding: packed, length: packed 2", "17 04242DABCDEF123456",
     "4242=:;<=>?123456"},
    {"form: VAR z ..37, encoding: packed, length: packed 2, filler: right F", "03 12DF", "12="},
    {"form: VAR hex ..37, encoding: packed, length: packed 2", "04 4ADF", "4ADF"},
    /* signs */
    {"form: x+n 8", "'C00000123'", "C00000123"},
    {"form: x+n 8, encoding: packed", "44 00000123", "D00000123"},
    {"form: x+n 8, encoding: packed-ebcdic-sign", "C3 00000123", "C00000123"},
    {"form: x+n 7, encoding: packed", "43 00000123", "C0000123"},
    /* blanks at the end are data */
    {"form: ans 8", "'AB      '", "AB      "},
    {"form: VAR ans ..9, length: ascii 1", "'4AB  '", "AB  "},
    /* nothing at all */
    {"form: VAR ans ..9, length: ascii 1", "'0'", ""},
    {"form: VAR b ..9, length: ascii 1, of: ber", "'0'", ""},
    {"form: VAR b ..99, length: ascii 2, of: bitmap, map: binary 8, parts: {2: n 3}", "'00'", ""},
    {"form: VAR ans ..99, length: ascii 2, of: positional, parts: {1: n 3}", "'00'", ""},
};

static struct iso_dialect *dialect_of_field(const char *field)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "dialect: t\nfields:\n  3: {%s}\n", field);
    return dialect_text(text);
}

static struct bytes message_of(const char *wire)
{
    struct bytes frame = bytes_of("'0100' 2000000000000000"), value = bytes_of(wire);
    memcpy(frame.data + frame.size, value.data, value.size);
    frame.size += value.size;
    return frame;
}

Test(value, forms)
{
    for (size_t i = 0; i < countof(values); i++) {
        struct iso_dialect *dialect = dialect_of_field(values[i].field);
        struct bytes frame = message_of(values[i].wire);
        struct iso_msg msg;
        struct iso_fault fault = {0};
        cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), ISO_OK, "%s: %s %s",
                     values[i].field, fault.path, fault.text);
        char text[1024], hex[2048];
        size_t size, bytes;
        const struct iso_node *node = iso_dialect_field(dialect, 3);
        cr_assert(iso_msg_text(dialect, &msg, 3, text, sizeof(text), &size), "%s", values[i].field);
        text[size] = '\0';
        if (iso_node_is_binary(node))
            bytes_to_hex((const uint8_t *)text, size, hex);
        else
            (void)snprintf(hex, sizeof(hex), "%s", text);
        cr_expect_str_eq(hex, values[i].text, "%s: %s", values[i].field, hex);

        struct iso_draft draft;
        struct iso_layout layout;
        uint8_t out[1024];
        const char *want = values[i].text;
        uint8_t raw[512];
        iso_draft_init(&draft, "0100");
        if (iso_node_is_binary(node)) {
            cr_assert(bytes_from_hex(want, strlen(want), raw, sizeof(raw), &bytes));
            iso_draft_text(&draft, 3, raw, (uint32_t)bytes);
        } else {
            iso_draft_text(&draft, 3, want, (uint32_t)strlen(want));
        }
        cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK,
                     "%s: %s", values[i].field, fault.text);
        bool canonical = strstr(values[i].field, "length: ber") == NULL;
        cr_expect(!canonical ||
                      (layout.size == frame.size && memcmp(out, frame.data, frame.size) == 0),
                  "%s", values[i].field);
        iso_dialect_free(dialect);
    }
}

Test(value, shorter_ones_are_padded)
{
    static const struct {
        const char *field, *text, *wire;
    } pads[] = {
        {"form: n 6", "12", "'000012'"},
        {"form: ans 6", "AB", "'AB    '"},
        {"form: n 6, pad: right 9", "12", "'129999'"},
        {"form: n 5, encoding: packed", "12", "000012"},
        {"form: n 5, encoding: packed, filler: right F", "12", "00012F"},
        {"form: x+n 8", "C5", "'C00000005'"},
        {"form: x+n 8, encoding: packed", "D5", "44 00000005"},
        {"form: ans 4, encoding: ebcdic500", "A", "C1404040"},
        {"form: b 4, pad: right 0x00", "\x01", "01000000"},
        {"form: b 4, pad: left 0xFF", "\x01", "FFFFFF01"},
        {"form: ans 4, encoding: utf8", "я", "D18F202020"},
    };
    for (size_t i = 0; i < countof(pads); i++) {
        struct iso_dialect *dialect = dialect_of_field(pads[i].field);
        struct iso_draft draft;
        struct iso_layout layout;
        struct iso_fault fault = {0};
        uint8_t out[256];
        iso_draft_init(&draft, "0100");
        iso_draft_text(&draft, 3, pads[i].text, (uint32_t)strlen(pads[i].text));
        cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK,
                     "%s: %s", pads[i].field, fault.text);
        expect_bytes(out + 12, layout.size - 12, pads[i].wire);
        iso_dialect_free(dialect);
    }
}

/* Items of a field as "key=HEX key=HEX", nested ones in braces. */
static void list_items(struct iso_cursor *cursor, char *out, size_t out_size)
{
    struct iso_item item;
    struct iso_fault fault;
    out[0] = '\0';
    for (;;) {
        enum iso_walk walk = iso_cursor_next(cursor, &item, &fault);
        size_t used = strlen(out);
        if (walk == ISO_WALK_FAULT) {
            (void)snprintf(out + used, out_size - used, "!%s@%u", fault.path, fault.offset);
            return;
        }
        if (walk == ISO_WALK_END)
            return;
        struct iso_cursor inner;
        char text[512];
        if (iso_cursor_enter(cursor, &item, &inner)) {
            list_items(&inner, text, sizeof(text));
            (void)snprintf(out + used, out_size - used, "%s%s={%s}", used > 0 ? " " : "", item.key,
                           text);
        } else {
            struct span value = iso_item_value(cursor, &item);
            bytes_to_hex(value.data, value.size, text);
            (void)snprintf(out + used, out_size - used, "%s%s%s=%s", used > 0 ? " " : "",
                           item.kind == ISO_ITEM_UNKNOWN ? "?" : "", item.key, text);
        }
    }
}

static const struct {
    const char *field, *wire, *items;
} composites[] = {
    {"form: VAR b ..99, length: ascii 2, of: ber", "'13' 9F360200 01 DF812904AABBCCDD",
     "?9F36=0001 ?DF8129=AABBCCDD"},
    {"form: VAR b ..99, length: ascii 2, of: ber, inside: lazy", "'06' 00 82023900 FF",
     "00= ?82=3900 FF="},
    {"form: VAR b ..99, length: ascii 2, of: ber", "'08' 9F3683000002 0001", "?9F36=0001"},
    {"form: VAR b ..99, length: ascii 2, of: ber", "'07' 70059F36020001", "70={?9F36=0001}"},
    {"form: VAR b ..99, length: ascii 2, of: ber", "'08' 7106112233445566", "?71=112233445566"},
    {"form: VAR b ..99, length: ascii 2, encoding: hex, of: ber", "'109F36020001'",
     "?9F36=30303031"},
    {"form: VAR ans ..99, length: ascii 2, of: tlv, tags: ascii 2, tag_lengths: ascii 2",
     "'199203025610119203026'", "?92=303235 ?61=31 ?92=303236"},
    {"form: VAR b ..99, length: ascii 2, of: tlv, tags: binary 1, tag_lengths: binary 2, parts: "
     "{'01': "
     "{form: VAR b ..99, of: ber}}",
     "'08' 01 0005 8202390099", "01={?82=3900!}"},
    {"form: VAR b ..99, length: ascii 2, of: tlv, lead: [{key: TCC, form: an 1}], tags: ascii 2, "
     "tag_lengths: ascii 2, unknown: {form: VAR b ..99}",
     "'08R4402' 01FF '9'", "TCC=52 ?44=01FF!"},
    {"form: VAR b ..99, length: ascii 2, of: bitmap, map: binary 1, parts: {1: n 2, 8: LVAR ans "
     "..9}",
     "'06' 81 '122AB'", "1=3132 8=4142"},
    {"form: VAR b ..99, length: ascii 2, of: bitmap, map: binary 2, chained: true, parts: {3: n 1, "
     "18: n "
     "1}",
     "'06' A000 4000 '12'", "3=31 18=32"},
    {"form: VAR ans ..99, length: ascii 2, of: separated, separator: '|', parts: {1: VAR an ..9, "
     "2: VAR "
     "n ..5, 3: VAR an ..9}",
     "'06AB|12|'", "1=4142 2=3132 3="},
    {"form: VAR ans ..99, length: ascii 2, of: positional, mandatory: 1, parts: {1: n 2, 2: LLVAR "
     "an ..9, "
     "3: REST an ..20}",
     "'091202ABxyz'", "1=3132 2=4142 3=78797A"},
    {"form: VAR ans ..99, length: ascii 2, of: positional, mandatory: 1, parts: {1: n 2, 2: n 2}",
     "'0212'", "1=3132"},
};

Test(composite, items)
{
    for (size_t i = 0; i < countof(composites); i++) {
        char field[512], text[1024];
        /* "!": the walk ends in a fault; the field is then read lazily. */
        bool faulty = strchr(composites[i].items, '!') != NULL;
        (void)snprintf(field, sizeof(field), "%s%s", composites[i].field,
                       faulty ? ", inside: lazy" : "");
        struct iso_dialect *dialect = dialect_of_field(field);
        struct bytes frame = message_of(composites[i].wire);
        struct iso_msg msg;
        struct iso_fault fault = {0};
        cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), ISO_OK, "%zu: %s %s %s", i,
                     field, fault.path, fault.text);
        struct iso_cursor cursor;
        cr_assert(iso_cursor_open(dialect, &msg, 3, &cursor));
        list_items(&cursor, text, sizeof(text));
        char *bang = strchr(text, '!');
        if (bang != NULL)
            bang[1] = '\0';
        if (faulty)
            cr_expect_not_null(bang, "%zu: %s", i, text);
        else
            cr_expect_str_eq(text, composites[i].items, "%zu: %s", i, text);
        iso_dialect_free(dialect);
    }
}

Test(composite, depth_is_bounded)
{
    char field[1024] = "form: VAR b ..99, length: ascii 2", text[2048];
    for (uint32_t i = 0; i < ISO_DEPTH_MAX + 2; i++) {
        size_t used = strlen(field);
        (void)snprintf(
            field + used, sizeof(field) - used,
            ", of: tlv, tags: binary 1, tag_lengths: binary 1, parts: {'01': {form: VAR b ..99");
    }
    for (uint32_t i = 0; i < ISO_DEPTH_MAX + 2; i++)
        strncat(field, "}}", sizeof(field) - strlen(field) - 1);
    (void)snprintf(text, sizeof(text), "dialect: t\nfields:\n  3: {%s}\n", field);
    struct iso_report report = {0};
    cr_assert_null(iso_dialect_load_text(text, strlen(text), "t", NULL, &report));
    cr_assert_not_null(strstr(report.texts[0], "deep"), "%s", report.texts[0]);
}

/* Constructed objects within constructed objects: followed to the bound, opaque beyond. */
Test(composite, ber_depth_is_bounded)
{
    struct iso_dialect *dialect = dialect_of_field("form: VAR b ..999, length: ascii 3, of: ber");
    struct bytes value = {.size = 0};
    for (uint32_t i = 0; i < 20; i++) {
        memmove(value.data + 2, value.data, value.size);
        value.data[0] = 0xE1;
        value.data[1] = (uint8_t)value.size;
        value.size += 2;
    }
    struct bytes frame = message_of("'040'");
    memcpy(frame.data + frame.size, value.data, value.size);
    frame.size += value.size;
    struct iso_msg msg;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    struct iso_cursor cursor;
    struct iso_item item;
    uint32_t depth = 0;
    cr_assert(iso_cursor_open(dialect, &msg, 3, &cursor));
    while (iso_cursor_next(&cursor, &item, NULL) == ISO_WALK_ITEM &&
           iso_cursor_enter(&cursor, &item, &cursor))
        depth++;
    cr_assert_eq(depth, ISO_DEPTH_MAX - 1);
    iso_dialect_free(dialect);
}

Test(composite, a_mac_over_chosen_fields_as_text)
{
    struct iso_dialect *dialect = dialect_text("dialect: t\nmac: {covers: [11, 0, 3]}\nfields: {3: "
                                               "{form: n 6}, 11: {form: n 6}, 64: {form: b 4, "
                                               "encoding: hex}}\n");
    struct bytes frame = bytes_of("'0100' 2020000000000001 '000000' '123456' 'DEADBEEF'");
    struct iso_msg msg;
    struct span covered, mac;
    uint8_t out[64];
    size_t size;
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, NULL), ISO_OK);
    cr_assert_not(iso_mac_span(dialect, &msg, &covered, &mac));
    cr_assert(iso_mac_gather(dialect, &msg, out, sizeof(out), &size));
    expect_bytes(out, size, "'1234560100000000'");
    cr_assert_not(iso_mac_gather(dialect, &msg, out, 10, &size));
    iso_dialect_free(dialect);
}

Test(composite, third_bitmap_both_ways)
{
    struct iso_dialect *contiguous = dialect_text(
        "dialect: t\nbitmap: {tertiary: contiguous}\nfields: {3: n 2, 128: n 2, 130: n 2}\n");
    struct iso_dialect *field = dialect_text(
        "dialect: t\nbitmap: {tertiary: field}\nfields: {3: n 2, 64: n 2, 128: n 2, 130: n 2}\n");
    struct bytes first =
        bytes_of("'0100' A000000000000000 8000000000000001 4000000000000000 '03' '28' '30'");
    struct bytes second =
        bytes_of("'0100' A000000000000001 8000000000000001 '03' '64' 4000000000000000 '28' '30'");
    struct iso_msg msg;
    struct iso_draft draft;
    struct iso_layout layout;
    uint8_t out[128];
    cr_assert_eq(iso_parse(contiguous, span_of(&first), &msg, NULL), ISO_OK);
    cr_assert(iso_msg_has(&msg, 130) && msg.blocks == 3);
    iso_draft_from_msg(&draft, &msg);
    cr_assert_eq(iso_build(contiguous, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
    cr_assert(layout.size == first.size && memcmp(out, first.data, first.size) == 0);
    cr_assert_eq(iso_parse(field, span_of(&second), &msg, NULL), ISO_OK);
    cr_assert(iso_msg_has(&msg, 130) && iso_msg_has(&msg, 64) && !iso_msg_has(&msg, 65));
    iso_draft_from_msg(&draft, &msg);
    cr_assert_eq(iso_build(field, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
    cr_assert(layout.size == second.size && memcmp(out, second.data, second.size) == 0);
    iso_dialect_free(contiguous);
    iso_dialect_free(field);
}
