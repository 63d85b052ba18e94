/* soft_cipher.c - see soft_cipher.h. */
#include "tests/hsm/soft_cipher.h"

#include "base/bytes.h"
#include <openssl/evp.h>

static bool run(struct hsm_cipher *base, uint16_t key, enum hsm_cipher_step step,
                uint8_t (*blocks)[HSM_BLOCK_BYTES], uint32_t count)
{
    struct soft_cipher *cipher = (struct soft_cipher *)base;
    cipher->calls_count++;
    if (key >= cipher->keys_count || key == cipher->refused_key) {
        return false;
    }
    uint8_t value[16];
    memcpy(value, cipher->keys[key], sizeof value);
    if (step == HSM_STEP_ENCRYPT_LEFT) {
        memcpy(value + 8, value, 8);
    }
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int size = 0;
    bool done = EVP_CipherInit_ex2(context, EVP_des_ede_ecb(), value, NULL,
                                   step == HSM_STEP_DECRYPT ? 0 : 1, NULL) == 1 &&
                EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
                EVP_CipherUpdate(context, blocks[0], &size, blocks[0],
                                 (int)(count * HSM_BLOCK_BYTES)) == 1 &&
                size == (int)(count * HSM_BLOCK_BYTES);
    EVP_CIPHER_CTX_free(context);
    return done;
}

void soft_cipher_init(struct soft_cipher *cipher)
{
    *cipher = (struct soft_cipher){.base = {.run = run}, .refused_key = HSM_NO_KEY};
}

uint16_t soft_cipher_add(struct soft_cipher *cipher, const char *hex)
{
    size_t size = 0;
    must(cipher->keys_count < HSM_KEYS_MAX);
    must(bytes_from_hex(hex, strlen(hex), cipher->keys[cipher->keys_count], 16, &size));
    must(size == 16);
    return (uint16_t)cipher->keys_count++;
}
