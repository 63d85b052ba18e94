/* inside_test.c - parts of the codec that only its own files see, and words of the tables. */
#include "iso8583/line.h"
#include "support.h"

static bool naive(const struct range *range, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint8_t c = data[i], folded = c | range->fold;
        bool right = (uint8_t)(c - range->low) <= range->span ||
                     (uint8_t)(folded - range->low_folded) <= range->span_folded ||
                     c == range->extra;
        if (!right)
            return true;
    }
    return false;
}

Test(inside, long_runs_alike_in_every_width)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    uint64_t state = 7;
    static uint8_t data[1200], copy[1200];
    for (uint32_t row = 0; row < 8; row++) {
        const struct range *range = &dialect->ranges_plain[row];
        for (uint32_t i = 0; i < 400; i++) {
            uint32_t size = 64 + random_below(&state, 500), at = random_below(&state, 64);
            for (uint32_t j = 0; j < size; j++)
                data[at + j] = (uint8_t)(range->low + random_below(&state, range->span + 1u));
            if (i % 2 == 0)
                data[at + random_below(&state, size)] = (uint8_t)random_below(&state, 256);
            bool want = naive(range, data + at, size);
            cr_assert_eq(check_long_plain(range, data + at, size), want);
            memset(copy, 0, sizeof(copy));
            cr_assert_eq(copy_long_plain(range, copy, data + at, size), want);
            cr_assert_eq(memcmp(copy, data + at, size), 0);
            cr_assert_eq(copy[size], 0);
            if (!long_is_wide())
                continue;
            cr_assert_eq(check_long_wide(range, data + at, size), want);
            memset(copy, 0, sizeof(copy));
            cr_assert_eq(copy_long_wide(range, copy, data + at, size), want);
            cr_assert_eq(memcmp(copy, data + at, size), 0);
            cr_assert_eq(copy[size], 0);
        }
    }
    iso_dialect_free(dialect);
}

/* The ranges of the straight line say the same as the class tables of the interpreter. */
Test(inside, ranges_and_classes_agree)
{
    static const char *const forms[] = {"any", "ans", "n", "an", "a", "z", "hex"};
    for (size_t i = 0; i < countof(forms); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "dialect: t\nfields: {3: {form: %s 4, pad: none}}\n",
                       forms[i]);
        struct iso_dialect *dialect = dialect_text(text);
        cr_assert_eq(dialect->ops[3].kind, OP_TEXT, "%s", forms[i]);
        for (uint32_t c = 0; c < 256; c++) {
            struct bytes frame =
                bytes_of(strcmp(forms[i], "a") == 0 ? "'0100' 2000000000000000 'AAAA'"
                                                    : "'0100' 2000000000000000 '0000'");
            frame.data[15] = (uint8_t)c;
            struct iso_msg a, b;
            cr_assert_eq(iso_parse(dialect, span_of(&frame), &a, NULL),
                         iso_parse_checked(dialect, span_of(&frame), &b, NULL), "%s %02X", forms[i],
                         c);
        }
        iso_dialect_free(dialect);
    }
}

Test(inside, every_word_is_one)
{
    for (uint32_t i = 0; i < ISO_ERRS_COUNT; i++)
        cr_assert(iso_err_name((enum iso_err)i)[0] != '\0' &&
                  iso_err_text((enum iso_err)i)[0] != '\0');
    cr_assert_str_eq(iso_class_text(ISO_CLASS_XN), "x+n");
    cr_assert_str_eq(iso_encoding_text(ISO_ENC_HEX_EBCDIC), "hex-ebcdic");
    cr_assert_str_eq(iso_length_encoding_text(ISO_LEN_BER), "ber");
    cr_assert_str_eq(iso_unit_text(ISO_UNIT_OCTETS), "octets");
    cr_assert_str_eq(iso_mask_text(ISO_MASK_PERSON), "person");
    cr_assert_str_eq(iso_rule_text(ISO_RULE_LUHN), "luhn");
    cr_assert_str_eq(iso_presence_text(ISO_PRESENCE_CONDITIONAL_ECHO), "conditional_echo");
    cr_assert_str_eq(iso_side_text(ISO_SIDE_LEFT), "left");
}

Test(inside, de44_is_cut_at_its_size)
{
    struct iso_fault fault = {.de = 127, .path = "127.abcdefghijklmnopqrstuvwxyz.1"};
    char out[26];
    cr_assert_eq(iso_fault_de44(&fault, out, sizeof(out)), 25);
    cr_assert_str_eq(out, "127/abcdefghijklmnopqrstu");
}

Test(inside, a_list_spread_over_fields)
{
    struct iso_dialect *dialect = dialect_shipped("mastercard-ipm");
    struct iso_draft draft;
    struct iso_layout layout;
    struct iso_msg msg;
    struct iso_spread spread;
    struct iso_item item;
    struct iso_fault fault;
    uint8_t out[256];
    iso_draft_init(&draft, "1240");
    iso_draft_text(&draft, 48, "0001003ABC0002001X", 18);
    iso_draft_text(&draft, 62, "0003005HELLO", 12);
    iso_draft_text(&draft, 125, "0005000", 7);
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK, "%s",
                 fault.text);
    cr_assert_eq(iso_parse(dialect, (struct span){out, layout.size}, &msg, &fault), ISO_OK, "%s",
                 fault.text);
    char keys[64] = "";
    iso_spread_start(&spread, dialect, &msg);
    while (iso_spread_next(&spread, &item, &fault) == ISO_WALK_ITEM) {
        (void)snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s ", item.key);
    }
    cr_assert_str_eq(keys, "0001 0002 0003 0005 ");
    iso_dialect_free(dialect);
}
