/* demo_card.c - see demo_card.h. For tools: PINs and keys here are published ones. */
#include "sims/demo_card.h"

#include "base/bytes.h"
#include "hsm/cvv.h"
#include "hsm/pin.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static void encrypt(const uint8_t key[16], uint8_t block[8], bool left_half)
{
    uint8_t value[16];
    int size = 0;
    memcpy(value, key, sizeof value);
    if (left_half) {
        memcpy(value + 8, value, 8);
    }
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    must(context != NULL &&
         EVP_EncryptInit_ex2(context, EVP_des_ede_ecb(), value, NULL, NULL) == 1 &&
         EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
         EVP_EncryptUpdate(context, block, &size, block, 8) == 1 && size == 8);
    EVP_CIPHER_CTX_free(context);
}

static struct secret_pan pan_of(const char *text)
{
    struct secret_pan pan = {.size = (uint8_t)strlen(text)};
    must(pan.size <= sizeof pan.digits);
    memcpy(pan.digits, text, pan.size);
    return pan;
}

static struct hsm_pin pin_of(const char *text)
{
    struct hsm_pin pin = {.size = (uint8_t)strlen(text)};
    must(pin.size >= HSM_PIN_DIGITS_MIN && pin.size <= HSM_PIN_DIGITS_MAX);
    for (uint32_t i = 0; i < pin.size; i++) {
        pin.digits[i] = (uint8_t)(text[i] - '0');
    }
    return pin;
}

bool demo_keys_read(const char *path, struct demo_keys *keys, char *text, size_t text_size)
{
    const struct {
        const char *label;
        uint8_t *key;
    } wanted[] = {
        {"zpk-acquirer", keys->zone_pin}, {"pvk-990001", keys->pvk}, {"cvk-990001", keys->cvk}};
    uint32_t found = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(text, text_size, "%s: cannot be read", path);
        return false;
    }
    char line[256], label[64], hex[64];
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, " %63[^: #]: %63[0-9A-Fa-f]", label, hex) != 2) {
            continue;
        }
        for (size_t i = 0; i < countof(wanted); i++) {
            size_t size = 0;
            if (strcmp(wanted[i].label, label) == 0 &&
                bytes_from_hex(hex, strlen(hex), wanted[i].key, 16, &size) && size == 16) {
                found++;
            }
        }
    }
    (void)fclose(file);
    if (found != countof(wanted)) {
        (void)snprintf(text, text_size, "%s: zpk-acquirer, pvk-990001 and cvk-990001 are wanted",
                       path);
    }
    return found == countof(wanted);
}

void demo_pan(uint32_t card, char out[17])
{
    (void)snprintf(out, 17, "990001%09u0", card);
    for (char digit = '0'; digit <= '9'; digit++) {
        out[15] = digit;
        if (bytes_luhn_valid((const uint8_t *)out, 16)) {
            return;
        }
    }
}

void demo_pin(uint32_t card, char out[5])
{
    bytes_put_number((uint8_t *)out, 4, 1000 + card);
    out[4] = 0;
}

void demo_pin_block(const struct demo_keys *keys, const char *pan, const char *pin, uint8_t out[8])
{
    struct secret_pan number = pan_of(pan);
    struct hsm_pin digits = pin_of(pin);
    hsm_pin_block_make(&digits, &number, out);
    encrypt(keys->zone_pin, out, false);
}

void demo_pvv(const struct demo_keys *keys, const char *pan, const char *pin, char out[5])
{
    struct secret_pan number = pan_of(pan);
    struct hsm_pin digits = pin_of(pin);
    uint8_t block[8];
    hsm_pvv_input(&digits, &number, '1', block);
    encrypt(keys->pvk, block, false);
    hsm_pvv_output(block, (uint8_t *)out);
    out[4] = 0;
}

void demo_cvv(const struct demo_keys *keys, const char *pan, const char *expiry,
              const char *service_code, char out[4])
{
    struct secret_pan number = pan_of(pan);
    struct hsm_cvv_input input;
    uint8_t block[8];
    hsm_cvv_input(&number, (const uint8_t *)expiry, (const uint8_t *)service_code, &input);
    memcpy(block, input.first, sizeof block);
    encrypt(keys->cvk, block, true);
    hsm_cvv_middle(block, &input);
    encrypt(keys->cvk, block, false);
    hsm_cvv_output(block, (uint8_t *)out);
    out[3] = 0;
}

void demo_track2(const struct demo_keys *keys, uint32_t card, const char *expiry, char out[38])
{
    char pan[17], pin[5], pvv[5], cvv[4];
    demo_pan(card, pan);
    demo_pin(card, pin);
    demo_pvv(keys, pan, pin, pvv);
    demo_cvv(keys, pan, expiry, "201", cvv);
    (void)snprintf(out, 38, "%s=%s2011%s%s", pan, expiry, pvv, cvv);
}
