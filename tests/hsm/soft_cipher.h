/* soft_cipher.h - the checks' block cipher on OpenSSL with clear test keys: for the tests and the
 * simulator. */
#ifndef TESTS_HSM_SOFT_CIPHER_H
#define TESTS_HSM_SOFT_CIPHER_H

#include "hsm/cipher.h"
#include "hsm/hsm.h"

struct soft_cipher {
    struct hsm_cipher base;
    uint8_t keys[HSM_KEYS_MAX][16]; /* two-key TDES, by slot */
    uint32_t keys_count;
    uint32_t calls_count;
    uint16_t refused_key; /* this slot gives no answer; HSM_NO_KEY: all do */
};

void soft_cipher_init(struct soft_cipher *cipher);
/* must(): 32 hex characters. Returns its slot. */
uint16_t soft_cipher_add(struct soft_cipher *cipher, const char *hex);

#endif
