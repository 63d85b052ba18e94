/* card_key_test.c - card keys against OpenSSL's own CMAC; sealed PANs; where their schedules lie.
 */
#include "hsm/card_key.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "hsm/seal.h"
#include "hsm/secret_heap.h"
#include <criterion/criterion.h>
#include <openssl/evp.h>

static struct hsm_data_keys data_keys(void)
{
    struct hsm_data_keys keys = {0};
    for (uint32_t i = 0; i < HSM_DATA_KEY_BYTES; i++) {
        keys.card_index[0].bytes[i] = (uint8_t)i;
        keys.data[0].bytes[i] = (uint8_t)(0x80 + i);
        keys.data[1].bytes[i] = (uint8_t)(0x40 + i);
    }
    keys.card_index[0].id = 3;
    keys.data[0].id = 2;
    keys.data[1].id = 1;
    return keys;
}

static void cmac_of(const uint8_t key[32], const char *hex, uint8_t out[16])
{
    uint8_t message[16];
    size_t size = 0, out_size = 0;
    cr_assert(bytes_from_hex(hex, strlen(hex), message, sizeof message, &size));
    cr_assert(EVP_Q_mac(NULL, "CMAC", NULL, "AES-256-CBC", NULL, key, 32, message, size, out, 16,
                        &out_size) != NULL);
    cr_assert_eq(out_size, 16);
}

Test(card_key, is_the_cmac_of_the_packed_pan)
{
    static const struct {
        const char *digits, *packed;
    } rows[] = {
        {"9900010000000019", "9900010000000019"},
        {"123456789012", "123456789012"},
        {"4000000000001", "400000000000"
                          "1F"},
        {"1234567890123456789", "1234567890123456789F"},
    };
    struct hsm_data_keys keys = data_keys();
    struct hsm_card_keys *card_keys = hsm_card_keys_create(&keys);
    cr_assert_eq(hsm_card_key_id(card_keys, HSM_KEY_CURRENT), 3);
    cr_assert_eq(hsm_card_key_id(card_keys, HSM_KEY_PREVIOUS), 0);
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t made[16], expected[16];
        cr_assert(hsm_card_key_make(card_keys, HSM_KEY_CURRENT, (const uint8_t *)rows[i].digits,
                                    (uint32_t)strlen(rows[i].digits), made));
        cmac_of(keys.card_index[0].bytes, rows[i].packed, expected);
        cr_assert_arr_eq(made, expected, 16, "%s", rows[i].digits);
    }
}

Test(card_key, what_is_no_pan_has_no_key)
{
    struct hsm_data_keys keys = data_keys();
    struct hsm_card_keys *card_keys = hsm_card_keys_create(&keys);
    uint8_t made[16];
    const uint8_t *digits = (const uint8_t *)"12345678901234567890";
    cr_assert_not(hsm_card_key_make(card_keys, HSM_KEY_CURRENT, digits, 11, made));
    cr_assert_not(hsm_card_key_make(card_keys, HSM_KEY_CURRENT, digits, 20, made));
    cr_assert_not(hsm_card_key_make(card_keys, HSM_KEY_PREVIOUS, digits, 16, made));
    cr_assert_not(hsm_card_key_make(card_keys, HSM_KEY_CURRENT, (const uint8_t *)"12345678901234=6",
                                    16, made));
    keys.card_index[0].id = 0;
    cr_assert_null(hsm_card_keys_create(&keys));
}

Test(card_key, takes_no_memory_per_call)
{
    struct hsm_data_keys keys = data_keys();
    struct hsm_card_keys *card_keys = hsm_card_keys_create(&keys);
    struct hsm_seal *seal = hsm_seal_create(&keys, 99);
    struct secret_pan pan = {.digits = "9900010000000019", .size = 16}, opened;
    uint8_t made[16], sealed[HSM_SEAL_BYTES];
    cr_assert(hsm_secret_heap_works());
    hsm_secret_heap_open(); /* libcrypto now takes from a region that must() refuse to overflow */
    for (uint32_t i = 0; i < 100000; i++) {
        cr_assert(hsm_card_key_make(card_keys, HSM_KEY_CURRENT, pan.digits, pan.size, made));
        cr_assert(hsm_seal_pan(seal, &pan, sealed));
        cr_assert(hsm_unseal_pan(seal, sealed, &opened));
    }
    hsm_secret_heap_close();
}

Test(seal, opens_to_the_pan_and_to_nothing_else)
{
    struct hsm_data_keys keys = data_keys();
    struct hsm_seal *seal = hsm_seal_create(&keys, 0x0123456789ABCDEF);
    static const char *const pans[] = {"123456789012", "9900010000000019", "1234567890123456789"};
    for (uint32_t i = 0; i < countof(pans); i++) {
        struct secret_pan pan = {.size = (uint8_t)strlen(pans[i])}, opened = {.size = 0};
        memcpy(pan.digits, pans[i], pan.size);
        uint8_t sealed[HSM_SEAL_BYTES];
        cr_assert(hsm_seal_pan(seal, &pan, sealed));
        cr_assert(hsm_unseal_pan(seal, sealed, &opened));
        cr_assert_eq(opened.size, pan.size);
        cr_assert_arr_eq(opened.digits, pan.digits, pan.size);
        for (uint32_t byte = 0; byte < HSM_SEAL_BYTES; byte++) {
            sealed[byte] ^= 1;
            cr_assert_not(hsm_unseal_pan(seal, sealed, &opened), "byte %u was changed", byte);
            sealed[byte] ^= 1;
        }
        cr_assert(hsm_unseal_pan(seal, sealed, &opened));
    }
    struct secret_pan short_pan = {.digits = "12345678901", .size = 11};
    uint8_t sealed[HSM_SEAL_BYTES];
    cr_assert_not(hsm_seal_pan(seal, &short_pan, sealed));
}

Test(seal, never_uses_a_nonce_twice_and_opens_what_the_previous_key_sealed)
{
    struct hsm_data_keys keys = data_keys(), old_keys = data_keys();
    old_keys.data[0] = old_keys.data[1];
    old_keys.data[1].id = 0;
    struct hsm_seal *seal = hsm_seal_create(&keys, 1), *old = hsm_seal_create(&old_keys, 2);
    struct secret_pan pan = {.digits = "9900010000000019", .size = 16}, opened;
    uint8_t first[HSM_SEAL_BYTES], second[HSM_SEAL_BYTES];
    cr_assert(hsm_seal_pan(seal, &pan, first) && hsm_seal_pan(seal, &pan, second));
    cr_assert_arr_neq(first, second, 12);
    cr_assert_arr_neq(first + 12, second + 12, 36);
    cr_assert(hsm_seal_pan(old, &pan, first));
    cr_assert(hsm_unseal_pan(seal, first, &opened));
    cr_assert_not(hsm_unseal_pan(old, second, &opened), "the old object has only the old key");
}
