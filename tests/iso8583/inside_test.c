/* inside_test.c - parts of the codec that only its own files see, and words of the tables. */
#include "iso8583/program.h"
#include "support.h"

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
