/* pin_test.c - PIN blocks and PVVs against the demo's check values and, where they lie beside the
 * project, published vectors. */
#include "hsm/pin.h"

#include "base/bytes.h"
#include "tests/hsm/soft_cipher.h"
#include "tests/hsm/vectors.h"
#include <criterion/criterion.h>

static struct secret_pan pan_of(const char *digits)
{
    struct secret_pan pan = {.size = (uint8_t)strlen(digits)};
    memcpy(pan.digits, digits, pan.size);
    return pan;
}

static struct hsm_pin pin_of(const char *digits)
{
    struct hsm_pin pin = {.size = (uint8_t)strlen(digits)};
    for (uint32_t i = 0; i < pin.size; i++) {
        pin.digits[i] = (uint8_t)(digits[i] - '0');
    }
    return pin;
}

static void block_of(const char *hex, uint8_t block[8])
{
    size_t size = 0;
    cr_assert(bytes_from_hex(hex, 16, block, 8, &size) && size == 8);
}

static bool opens(const char *hex, const char *pan_digits, char pin_text[16])
{
    uint8_t block[8];
    block_of(hex, block);
    struct secret_pan pan = pan_of(pan_digits);
    struct hsm_pin pin;
    if (!hsm_pin_block_open(block, &pan, &pin)) {
        return false;
    }
    for (uint32_t i = 0; i < pin.size; i++) {
        pin_text[i] = (char)('0' + pin.digits[i]);
    }
    pin_text[pin.size] = '\0';
    return true;
}

static void pvv_of(const char *pvk, const char *pin_digits, const char *pan_digits, char pvki,
                   char pvv[5])
{
    struct soft_cipher cipher;
    soft_cipher_init(&cipher);
    uint16_t slot = soft_cipher_add(&cipher, pvk);
    struct secret_pan pan = pan_of(pan_digits);
    struct hsm_pin pin = pin_of(pin_digits);
    uint8_t block[1][8];
    hsm_pvv_input(&pin, &pan, (uint8_t)pvki, block[0]);
    cr_assert(cipher.base.run(&cipher.base, slot, HSM_STEP_ENCRYPT, block, 1));
    hsm_pvv_output(block[0], (uint8_t *)pvv);
    pvv[4] = '\0';
}

Test(pin, the_demo_cards_block_holds_its_pin)
{
    static const struct {
        const char *cipher_block, *clear, *pin;
    } rows[] = {
        {"119D82F40DFF2B03", "041001EFFFFFFFFE", "1001"},
        {"883FD00A216359A2", NULL, "9999"},
    };
    struct soft_cipher cipher;
    soft_cipher_init(&cipher);
    uint16_t zone = soft_cipher_add(&cipher, "ECC25208B6FD2023E9767A5489BC9415");
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t block[1][8];
        char hex[17], pin[16];
        block_of(rows[i].cipher_block, block[0]);
        cr_assert(cipher.base.run(&cipher.base, zone, HSM_STEP_DECRYPT, block, 1));
        bytes_to_hex(block[0], 8, hex);
        if (rows[i].clear != NULL) {
            cr_assert_str_eq(hex, rows[i].clear);
        }
        cr_assert(opens(hex, "9900010000000019", pin));
        cr_assert_str_eq(pin, rows[i].pin);
    }
}

Test(pin, a_block_that_holds_no_pin_is_refused)
{
    static const struct {
        const char *why, *clear; /* before it is combined with this PAN's zeros */
    } rows[] = {
        {"control field 1", "141234FFFFFFFFFF"}, {"control field 2", "241234FFFFFFFFFF"},
        {"three digits", "03123FFFFFFFFFFF"},    {"thirteen digits", "0D1234567890123F"},
        {"a digit is A", "041A34FFFFFFFFFF"},    {"fill is not F", "041234FFFFFFFFFE"},
        {"fill is 0", "0412340FFFFFFFFF"},
    };
    const char *zeros = "0000000000000000"; /* combining changes nothing */
    char pin[16];
    cr_assert(opens("041234FFFFFFFFFF", zeros, pin));
    cr_assert(opens("0C123456789012FF", zeros, pin));
    for (uint32_t i = 0; i < countof(rows); i++) {
        cr_assert_not(opens(rows[i].clear, zeros, pin), "%s", rows[i].why);
    }
    cr_assert_not(opens("041001EFFFFFFFFE", "9900010000000027", pin), "the block of another card");
}

Test(pin, blocks_open_to_what_was_put_in)
{
    static const char *const pins[] = {"1234", "12345", "123456789", "000000000000"};
    static const char *const pans[] = {"123456789012", "9900010000000019", "1234567890123456789"};
    for (uint32_t i = 0; i < countof(pins); i++) {
        for (uint32_t k = 0; k < countof(pans); k++) {
            struct hsm_pin pin = pin_of(pins[i]);
            struct secret_pan pan = pan_of(pans[k]);
            uint8_t block[8];
            char hex[17], text[16];
            hsm_pin_block_make(&pin, &pan, block);
            bytes_to_hex(block, 8, hex);
            cr_assert(opens(hex, pans[k], text));
            cr_assert_str_eq(text, pins[i]);
        }
    }
}

Test(pin, the_demo_cards_have_their_pvv)
{
    static const struct {
        const char *pin, *pan, *pvv;
    } rows[] = {{"1001", "9900010000000019", "4022"},
                {"1002", "9900010000000027", "6453"},
                {"1003", "9900010000000035", "7558"}};
    for (uint32_t i = 0; i < countof(rows); i++) {
        char pvv[5];
        pvv_of("D9867045BC1343B3025D7A0EE3BC2AE9", rows[i].pin, rows[i].pan, '1', pvv);
        cr_assert_str_eq(pvv, rows[i].pvv);
    }
}

Test(pin, decimalising_takes_digits_first_then_letters_less_ten)
{
    static const struct {
        const char *block, *digits;
    } rows[] = {{"1A2B3C4D5E6F7890", "1234"},
                {"ABCDEF1FEDCBA2BA", "1201"},
                {"ABCDEFABCDEFABCD", "0123"},
                {"FFFFFFFFFFFFFFF9", "9555"}};
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t block[8], digits[4];
        block_of(rows[i].block, block);
        hsm_decimalise(block, digits, 4);
        cr_assert_arr_eq(digits, rows[i].digits, 4);
    }
}

Test(pin, published_vectors)
{
    struct vectors *vectors = vectors_open();
    uint32_t seen = 0;
    for (const struct vector *v = vectors_next(vectors); v != NULL; v = vectors_next(vectors)) {
        char text[32];
        if (strcmp(v->op, "pvv.generate") == 0) {
            pvv_of(vector_input(v, "pvk"), vector_input(v, "pin"), vector_input(v, "pan"),
                   vector_input(v, "pvki")[0], text);
            cr_assert_str_eq(text, v->expected, "%s", v->id);
            seen++;
        } else if (strcmp(v->op, "pinblock.encode.iso0") == 0 && v->expected != NULL) {
            struct hsm_pin pin = pin_of(vector_input(v, "pin"));
            struct secret_pan pan = pan_of(vector_input(v, "pan"));
            uint8_t block[8];
            hsm_pin_block_make(&pin, &pan, block);
            bytes_to_hex(block, 8, text);
            cr_assert_str_eq(text, v->expected, "%s", v->id);
            seen++;
        } else if (strcmp(v->op, "pinblock.decode.iso0") == 0) {
            bool opened = opens(vector_input(v, "block"), vector_input(v, "pan"), text);
            cr_assert_eq(opened, v->expected != NULL, "%s", v->id);
            cr_assert(!opened || strcmp(text, v->expected) == 0, "%s", v->id);
            seen++;
        }
    }
    cr_assert(vectors == NULL || seen >= 8, "the vectors of this part have gone: %u", seen);
    vectors_close(vectors);
}
