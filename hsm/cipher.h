/* cipher.h - the block cipher behind the card checks: the token's (keyring.h), or OpenSSL's in the
 * simulator and the tests. The checks themselves (pin.h, cvv.h, batch.h) know no key. */
#ifndef HSM_CIPHER_H
#define HSM_CIPHER_H

#include "base/base.h"

#define HSM_BLOCK_BYTES 8u /* TDES */

enum hsm_cipher_step {
    HSM_STEP_ENCRYPT,      /* TDES under the key */
    HSM_STEP_DECRYPT,      /* its inverse */
    HSM_STEP_ENCRYPT_LEFT, /* single DES under the key's left half (the twin K1||K1) */
    HSM_STEPS_COUNT
};

struct hsm_cipher {
    /* Each of the `count` blocks for itself (ECB), in place. False: there is no answer, and the
     * blocks hold nothing. `key` is a slot of the key table. */
    bool (*run)(struct hsm_cipher *, uint16_t key, enum hsm_cipher_step step,
                uint8_t (*blocks)[HSM_BLOCK_BYTES], uint32_t count);
};

#endif
