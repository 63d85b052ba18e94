/* digits_test.c - sub-fields that begin at nibbles of packed digits. */
#include "support.h"

static struct iso_dialect *dialect_of(const char *field)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "dialect: t\nfields:\n  3: {encoding: packed, of: positional, %s}\n", field);
    return dialect_text(text);
}

static struct bytes message_of(const char *wire)
{
    struct bytes frame = bytes_of("'0100' 2000000000000000"), value = bytes_of(wire);
    memcpy(frame.data + frame.size, value.data, value.size);
    frame.size += value.size;
    return frame;
}

/* "key=text key={...}", as deep as it goes; false when the walk ends in a fault. */
static bool list_parts(struct iso_cursor *cursor, char *out, size_t out_size)
{
    struct iso_item item;
    enum iso_walk walk;
    out[0] = '\0';
    while ((walk = iso_cursor_next(cursor, &item, NULL)) == ISO_WALK_ITEM) {
        char text[256];
        size_t used = strlen(out), size;
        struct iso_cursor inner;
        bool inside = iso_cursor_enter(cursor, &item, &inner);
        if (inside) {
            cr_assert(list_parts(&inner, text, sizeof(text)));
        } else {
            cr_assert(iso_value_text(cursor->dialect, item.node, iso_item_value(cursor, &item),
                                     item.at.count, text, sizeof(text) - 1, &size));
            text[size] = '\0';
        }
        (void)snprintf(out + used, out_size - used, "%s%s=%s%s%s", used > 0 ? " " : "", item.key,
                       inside ? "{" : "", text, inside ? "}" : "");
    }
    return walk == ISO_WALK_END;
}

/* The list above as parts to build. Bounded by what the tables hold. */
struct written {
    struct iso_part parts[32];
    uint32_t used;
};
static uint32_t read_list(struct written *written, const char **at, struct iso_value *value)
{
    struct iso_part own[8];
    uint32_t count = 0;
    while (**at != '\0' && **at != '}') {
        *at += **at == ' ';
        struct iso_part *part = &own[count++];
        *part = (struct iso_part){.key = *at, .key_size = (uint32_t)strcspn(*at, "=")};
        *at += part->key_size + 1;
        if (**at == '{') {
            ++*at;
            (void)read_list(written, at, &part->value);
            ++*at;
        } else {
            uint32_t size = (uint32_t)strcspn(*at, " }");
            part->value = (struct iso_value){*at, size, 0, ISO_FORM_CANONICAL};
            *at += size;
        }
    }
    memcpy(written->parts + written->used, own, count * sizeof(*own));
    *value = (struct iso_value){written->parts + written->used, count, 0, ISO_FORM_PARTS};
    written->used += count;
    return count;
}

static const struct {
    const char *field, *wire, *parts;
} values[] = {
    {"form: n 16, parts: {1: n 3, 2: n 1, 3: n 12}", "3982000000010000",
     "1=398 2=2 3=000000010000"},
    {"form: n 7, parts: {1: n 2, 2: n 4, 3: n 1}", "01234567", "1=12 2=3456 3=7"},
    {"form: n 7, filler: right F, parts: {1: n 2, 2: n 5}", "1234567F", "1=12 2=34567"},
    {"form: hex 6, parts: {a: hex 1, b: n 2, c: hex 3}", "A12BCD", "a=A b=12 c=BCD"},
    {"form: n 9, parts: {1: n 2, 2: {form: n 5, of: positional, parts: {a: n 1, b: n 4}}, 3: n 2}",
     "0123456789", "1=12 2={a=3 b=4567} 3=89"},
    /* as many as the length says */
    {"form: VAR n ..6, length: binary 1 bytes, filler: right 0, mandatory: 0, parts: {1: n 1, 2: n "
     "1, 3: n 2, 4: n 4}",
     "01 05", "1=0 2=5"},
    {"form: VAR n ..6, length: binary 1 bytes, filler: right 0, mandatory: 0, parts: {1: n 1, 2: n "
     "1, 3: n 2, 4: n 4}",
     "00", ""},
    {"form: VAR n ..9, length: packed 2, filler: right 0, mandatory: 1, parts: {1: n 2, 2: n 3, 3: "
     "n 4}",
     "05 123450", "1=12 2=345"},
    {"form: VAR n ..9, length: ascii 1, filler: right F, mandatory: 1, parts: {1: n 2, 2: n 3}",
     "'5' 12345F", "1=12 2=345"},
    {"form: VAR n ..9, length: ascii 1 nibbles, filler: right F, mandatory: 1, parts: {1: n 2, 2: "
     "n 3}",
     "'5' 12345F", "1=12 2=345"},
};

Test(digits, parts_there_and_back)
{
    for (size_t i = 0; i < countof(values); i++) {
        struct iso_dialect *dialect = dialect_of(values[i].field);
        struct bytes frame = message_of(values[i].wire);
        struct iso_msg msg, again;
        struct iso_fault fault = {0};
        struct iso_cursor cursor;
        char text[512];
        cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), ISO_OK, "%s: %s %s",
                     values[i].field, fault.path, fault.text);
        cr_assert_eq(iso_parse_checked(dialect, span_of(&frame), &again, NULL), ISO_OK);
        cr_assert(iso_cursor_open(dialect, &msg, 3, &cursor));
        cr_assert(list_parts(&cursor, text, sizeof(text)));
        cr_expect_str_eq(text, values[i].parts, "%s: %s", values[i].field, text);

        static struct written written;
        struct iso_draft draft;
        struct iso_layout layout;
        struct iso_value value;
        uint8_t out[256];
        const char *at = values[i].parts;
        written.used = 0;
        (void)read_list(&written, &at, &value);
        iso_draft_init(&draft, "0100");
        iso_draft_parts(&draft, 3, value.data, value.size);
        cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK,
                     "%s: %s %s", values[i].field, fault.path, fault.text);
        expect_bytes(out + 12, layout.size - 12, values[i].wire);
        iso_draft_from_msg(&draft, &msg); /* and relayed */
        cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
        expect_bytes(out + 12, layout.size - 12, values[i].wire);
        iso_dialect_free(dialect);
    }
}

Test(digits, by_path)
{
    struct iso_dialect *dialect = dialect_shipped("visa-base1");
    struct bytes frame = bytes_of("16010200000000000000000000000000000000000000 0100 "
                                  "0000000000000010 03 050123");
    struct iso_msg msg;
    struct iso_item item;
    struct iso_fault fault = {0};
    char text[16];
    size_t size;
    static const struct {
        const char *path, *text;
    } want[] = {{"60.1", "0"}, {"60.2", "5"}, {"60.3", "0"}, {"60.4", "1"}, {"60.5", "23"}};
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), ISO_OK, "%s", fault.text);
    for (size_t i = 0; i < countof(want); i++) {
        cr_assert(iso_msg_find(dialect, &msg, want[i].path, &item), "%s", want[i].path);
        struct span wire = {msg.frame + item.at.offset, item.at.size};
        cr_assert(
            iso_value_text(dialect, item.node, wire, item.at.count, text, sizeof(text), &size));
        cr_expect(size == strlen(want[i].text) && memcmp(text, want[i].text, size) == 0, "%s",
                  want[i].path);
    }
    cr_expect_not(iso_msg_find(dialect, &msg, "60.6", &item));
    cr_assert_not_null(iso_dialect_path(dialect, "60.10"));
    iso_dialect_free(dialect);
}

/* What is wrong inside is found where it stands, the byte that holds it. */
Test(digits, faults_have_a_path_and_a_byte)
{
    static const struct {
        const char *field, *wire;
        enum iso_err code;
        const char *path;
        uint32_t offset;
    } faults[] = {
        {"form: VAR n ..9, length: packed 2, filler: right 0, mandatory: 2, parts: {1: n 1, 2: n "
         "3}",
         "01 10", ISO_SUBFIELD_MISSING, "3.2", 13},
        {"form: VAR n ..9, length: packed 2, filler: right 0, mandatory: 1, parts: {1: n 1, 2: n "
         "3}",
         "03 1230", ISO_SUBFIELD_CUT, "3.2", 13},
        {"form: VAR n ..9, length: packed 2, filler: right 0, parts: {1: n 1, 2: n 3}", "05 123450",
         ISO_SUBFIELD_LEFT_OVER, "3", 15},
        {"form: hex 6, parts: {a: hex 1, b: n 2, c: hex 3}", "A1ABCD", ISO_NIBBLE, "3.b", 13},
        {"form: hex 4, parts: {a: hex 1, b: {form: hex 3, of: positional, parts: {x: hex 1, y: n "
         "2}}}",
         "AA0B", ISO_NIBBLE, "3.b.y", 13},
    };
    for (size_t i = 0; i < countof(faults); i++) {
        struct iso_dialect *dialect = dialect_of(faults[i].field);
        struct bytes frame = message_of(faults[i].wire);
        struct iso_msg msg;
        struct iso_fault fault = {0};
        cr_expect_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), faults[i].code, "%zu: %s",
                     i, fault.text);
        cr_expect_str_eq(fault.path, faults[i].path, "%zu: %s", i, fault.path);
        cr_expect_eq(fault.offset, faults[i].offset, "%zu: %u", i, fault.offset);
        iso_dialect_free(dialect);
    }
}

#define PART(name, text)                                                                           \
    {                                                                                              \
        (name), sizeof(name) - 1,                                                                  \
        {                                                                                          \
            (text), sizeof(text) - 1, 0, ISO_FORM_CANONICAL                                        \
        }                                                                                          \
    }

Test(digits, what_cannot_be_built)
{
    static const struct {
        const char *field;
        struct iso_part parts[3];
        uint32_t count;
        enum iso_err code;
        const char *path;
    } refused[] = {
        {"form: n 4, parts: {1: n 1, 2: n 3}",
         {PART("1", "12"), PART("2", "1")},
         2,
         ISO_VALUE_LONG,
         "3.1"},
        {"form: n 4, parts: {1: n 1, 2: n 3}",
         {PART("1", "A"), PART("2", "1")},
         2,
         ISO_VALUE,
         "3.1"},
        {"form: n 4, parts: {1: n 1, 2: n 3}", {PART("1", "1")}, 1, ISO_SUBFIELD_MISSING, "3.2"},
        {"form: n 4, parts: {1: n 1, 2: n 3}",
         {PART("1", "1"), PART("4", "1")},
         2,
         ISO_SUBFIELD_UNKNOWN,
         "3.4"},
        {"form: n 4, parts: {1: {form: n 3, of: positional, parts: {a: n 3}}, 2: n 1}",
         {{"1", 1, {NULL, 0, 0, ISO_FORM_PARTS}}, PART("2", "1")},
         2,
         ISO_VALUE_SHORT,
         "3.1"},
        {"form: VAR n 4..9, length: ascii 1, filler: right 0, mandatory: 1, parts: {1: n 1, 2: n "
         "3}",
         {PART("1", "1")},
         1,
         ISO_VALUE_SHORT,
         "3"},
        {"form: VAR n ..9, length: ascii 1, filler: right 0, mandatory: 1, parts: {1: n 1, 2: n 3, "
         "3: n 1}",
         {PART("1", "1"), PART("3", "1")},
         2,
         ISO_SUBFIELD_MISSING,
         "3.3"},
    };
    for (size_t i = 0; i < countof(refused); i++) {
        struct iso_dialect *dialect = dialect_of(refused[i].field);
        struct iso_draft draft;
        struct iso_layout layout;
        struct iso_fault fault = {0};
        uint8_t out[64];
        iso_draft_init(&draft, "0100");
        iso_draft_parts(&draft, 3, refused[i].parts, refused[i].count);
        cr_expect_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), refused[i].code,
                     "%zu: %s", i, fault.text);
        cr_expect_str_eq(fault.path, refused[i].path, "%zu: %s", i, fault.path);
        iso_dialect_free(dialect);
    }
}

/* Shorter parts are padded each; a part may be given as the bytes it stood in. */
Test(digits, padded_and_from_the_wire)
{
    struct iso_dialect *dialect = dialect_of("form: n 7, parts: {1: n 3, 2: n 1, 3: n 3}");
    struct iso_draft draft;
    struct iso_layout layout;
    uint8_t out[64], wire[] = {0x98, 0x75};
    struct iso_part parts[] = {
        PART("1", "7"), {"2", 1, {wire, 1, 1, ISO_FORM_WIRE}}, PART("3", "")};
    iso_draft_init(&draft, "0100");
    iso_draft_parts(&draft, 3, parts, 3);
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
    expect_bytes(out + 12, layout.size - 12, "0007 9000");
    static const struct iso_part short_one = PART("2", "7");
    struct iso_dialect *right =
        dialect_of("form: n 4, parts: {1: n 1, 2: {form: n 3, pad: right 9}}");
    struct iso_part left = PART("1", "1"), two[] = {left, short_one};
    iso_draft_parts(&draft, 3, two, 2);
    cr_assert_eq(iso_build(right, &draft, out, sizeof(out), &layout, NULL), ISO_OK);
    expect_bytes(out + 12, layout.size - 12, "1799");
    iso_dialect_free(right);
    iso_draft_parts(&draft, 3, parts, 3);
    parts[1].value.size = 2; /* one digit does not stand in two bytes */
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_VALUE_FORM);
    iso_dialect_free(dialect);
}

Test(digits, what_cannot_be_laid_out)
{
    static const struct {
        const char *field, *text;
    } refused[] = {
        {"form: VAR n ..9, length: ascii 1, parts: {1: n 1}", "filler: right 0, or none"},
        {"form: n 4, parts: {1: n 1, 2: n 2}", "the parts have 3 digits, the field 4"},
        {"form: n 4, mandatory: 1, parts: {1: n 1, 2: n 3}", "has all of its parts"},
        {"form: n 4, parts: {1: LVAR n ..3, 2: n 1}", "a part of packed digits has a fixed size"},
        {"form: n 4, parts: {1: n 1, 2: REST n ..3}", "a part of packed digits has a fixed size"},
        {"form: n 4, parts: {1: n 1, 2: an 3}", "a part of packed digits is n or hex"},
        {"form: n 4, parts: {1: n 1, 2: {form: n 3, encoding: ascii}}",
         "a part of packed digits is n or hex"},
        {"form: n 4, parts: {1: n 4, 2: n 0}", "part 2 has no digits"},
        {"form: n 600, parts: {1: n 300, 2: n 300}", "fewer than 512"},
        {"form: z 4, parts: {1: n 4}", "cannot be positional"},
        {"form: x+n 4, parts: {1: n 4}", "cannot be positional"},
    };
    for (size_t i = 0; i < countof(refused); i++) {
        char text[512];
        struct iso_report report = {0};
        (void)snprintf(text, sizeof(text),
                       "dialect: t\nfields:\n  3: {encoding: packed, of: positional, %s}\n",
                       refused[i].field);
        cr_expect_null(iso_dialect_load_text(text, strlen(text), "t.yaml", NULL, &report), "%s",
                       refused[i].field);
        bool told = false;
        for (uint32_t j = 0; j < report.count; j++)
            told = told || (strstr(report.texts[j], refused[i].text) != NULL &&
                            strncmp(report.texts[j], "t.yaml:3:", 9) == 0);
        cr_expect(told, "%s: %s", refused[i].field, report.texts[0]);
    }
}
