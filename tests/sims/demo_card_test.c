/* The check values that the demo publishes: what a client computes must be what is printed there.
 */
#include "sims/demo_card.h"

#include "base/bytes.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct demo_keys keys;

static void read_keys(void)
{
    char text[200], path[512];
    const char *root = getenv("RS_ROOT");
    (void)snprintf(path, sizeof path, "%s/conf/demo-keys.yaml", root == NULL ? "." : root);
    cr_assert(demo_keys_read(path, &keys, text, sizeof text), "%s", text);
}

TestSuite(demo_card, .init = read_keys);

static void expect_pin_block(const char *pin, const char *hex)
{
    uint8_t block[8];
    char text[17], pan[17];
    demo_pan(1, pan);
    demo_pin_block(&keys, pan, pin, block);
    bytes_to_hex(block, sizeof block, text);
    cr_assert_str_eq(text, hex);
}

Test(demo_card, pans)
{
    char pan[17];
    demo_pan(1, pan);
    cr_assert_str_eq(pan, "9900010000000019");
    demo_pan(300, pan);
    cr_assert_str_eq(pan, "9900010000003005");
}

Test(demo_card, pin_blocks)
{
    expect_pin_block("1001", "119D82F40DFF2B03");
    expect_pin_block("9999", "883FD00A216359A2");
}

Test(demo_card, values_of_three_cards)
{
    static const struct {
        uint32_t card;
        const char *cvv2, *pvv;
    } rows[] = {{1, "025", "4022"}, {2, "544", "6453"}, {3, "505", "7558"}};
    for (size_t i = 0; i < countof(rows); i++) {
        char pan[17], pin[5], pvv[5], cvv2[4];
        demo_pan(rows[i].card, pan);
        demo_pin(rows[i].card, pin);
        demo_pvv(&keys, pan, pin, pvv);
        demo_cvv(&keys, pan, "3012", "000", cvv2);
        cr_assert_str_eq(pvv, rows[i].pvv);
        cr_assert_str_eq(cvv2, rows[i].cvv2);
    }
}

Test(demo_card, track2)
{
    char track[38];
    demo_track2(&keys, 1, "3012", track);
    cr_assert_str_eq(track, "9900010000000019=301220114022130");
}

Test(demo_card, keys_that_are_not_there)
{
    char text[200];
    struct demo_keys none;
    cr_assert_not(demo_keys_read("/nonexistent", &none, text, sizeof text));
}
