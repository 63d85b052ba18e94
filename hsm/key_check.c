/* key_check.c - see key_check.h. ringctl only. */
#include "hsm/key_check.h"

#include "base/bytes.h"
#include "base/secret.h"
#include "hsm/token.h"
#include <openssl/evp.h>

#define HALF_BYTES 8u

/* NIST SP 800-67r2 3.3.2: the weak and the semi-weak keys of DES. */
static const uint64_t weak_halves[] = {
    0x0101010101010101, 0xFEFEFEFEFEFEFEFE, 0xE0E0E0E0F1F1F1F1, 0x1F1F1F1F0E0E0E0E,
    0x011F011F010E010E, 0x1F011F010E010E01, 0x01E001E001F101F1, 0xE001E001F101F101,
    0x01FE01FE01FE01FE, 0xFE01FE01FE01FE01, 0x1FE01FE00EF10EF1, 0xE01FE01FF10EF10E,
    0x1FFE1FFE0EFE0EFE, 0xFE1FFE1FFE0EFE0E, 0xE0FEE0FEF1FEF1FE, 0xFEE0FEE0FEF1FEF1,
};

const char *hsm_key_fault(const uint8_t *key, size_t size)
{
    if (size != 16 && size != 24) {
        return "has not 16 or 24 bytes";
    }
    for (size_t i = 0; i < size; i++) {
        if (__builtin_parity(key[i]) == 0) {
            return "has a byte of even parity";
        }
    }
    for (size_t half = 0; half < size; half += HALF_BYTES) {
        uint64_t value = load_be64(key + half);
        if (half > 0 && value == load_be64(key + half - HALF_BYTES)) {
            return "has two equal halves: it is single DES";
        }
        for (uint32_t i = 0; i < countof(weak_halves); i++) {
            if (value == weak_halves[i]) {
                return "contains a weak DES key";
            }
        }
    }
    return NULL;
}

void hsm_key_kcv(const uint8_t *key, size_t size, uint8_t kcv[3])
{
    uint8_t block[HALF_BYTES] = {0};
    int block_size = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    must(context != NULL && (size == 16 || size == 24));
    must(EVP_EncryptInit_ex2(context, size == 16 ? EVP_des_ede_ecb() : EVP_des_ede3_ecb(), key,
                             NULL, NULL) == 1);
    must(EVP_CIPHER_CTX_set_padding(context, 0) == 1);
    must(EVP_EncryptUpdate(context, block, &block_size, block, sizeof block) == 1);
    EVP_CIPHER_CTX_free(context);
    memcpy(kcv, block, 3);
}

const char *hsm_test_key_name(const uint8_t kcv[3])
{
    static const struct {
        const char *name;
        uint8_t kcv[3];
    } rows[] = {
#define HSM_TEST_KEY(name, a, b, c) {name, {a, b, c}},
#include "hsm/test_keys.def"
#undef HSM_TEST_KEY
    };
    for (uint32_t i = 0; i < countof(rows); i++) {
        if (memcmp(rows[i].kcv, kcv, 3) == 0) {
            return rows[i].name;
        }
    }
    return NULL;
}
