/* seal.h - a PAN that must survive in the journal (reversals, advices): AES-256-GCM, 48 bytes.
 *
 * nonce 12 | ciphertext 20 | tag 16. The plain text is the number of digits and 19 digits, padded
 * with zeros. The nonce is a prefix of 7 random bytes, chosen when the object is made, and a
 * counter of 5: an object never seals twice under one nonce, and refuses when its counter is used
 * up. Nothing is allocated per call. One object per worker: it is not for two threads. */
#ifndef HSM_SEAL_H
#define HSM_SEAL_H

#include "base/secret.h"
#include "hsm/data_key.h"

#define HSM_SEAL_BYTES 48u

struct hsm_seal;
/* At start. nonce_seed: 64 random bits, of which 56 are used (the simulator gives its own). NULL
 * only when there is no data key in `keys`. */
NODISCARD struct hsm_seal *hsm_seal_create(const struct hsm_data_keys *keys, uint64_t nonce_seed);
/* False when the PAN has not 12..19 digits or the counter is used up. */
NODISCARD bool hsm_seal_pan(const struct hsm_seal *seal, const struct secret_pan *pan,
                            uint8_t out[HSM_SEAL_BYTES]);
/* False when neither the current nor the previous data key opens it: it was changed or is foreign.
 */
NODISCARD bool hsm_unseal_pan(const struct hsm_seal *seal, const uint8_t sealed[HSM_SEAL_BYTES],
                              struct secret_pan *pan);

#endif
