/* card_key.h - the name under which a card is known at rest: AES-256-CMAC of its packed PAN.
 *
 * The PAN is packed two digits a byte, an odd one filled with F (ISO 8583 n, left-justified), at
 * most ten bytes: one block of CMAC (NIST SP 800-38B, subkey K2). The index key comes out of the
 * HSM once, at start; its schedule lies in locked memory that no dump shows (hsm/secret_heap.h). A
 * call takes tens of nanoseconds and allocates nothing. One object per worker: it is not for two
 * threads. */
#ifndef HSM_CARD_KEY_H
#define HSM_CARD_KEY_H

#include "base/base.h"
#include "hsm/data_key.h"

#define HSM_CARD_KEY_BYTES 16u

struct hsm_card_keys;
/* At start. NULL only when there is no index key in `keys`. */
NODISCARD struct hsm_card_keys *hsm_card_keys_create(const struct hsm_data_keys *keys);

enum hsm_key_age { HSM_KEY_CURRENT, HSM_KEY_PREVIOUS, HSM_KEY_AGES_COUNT };
/* The generation's id; 0: there is no key of that age. During a rotation both are looked up. */
uint32_t hsm_card_key_id(const struct hsm_card_keys *keys, enum hsm_key_age age);
/* False when digits are not 12..19 ASCII digits, or there is no key of that age. */
NODISCARD bool hsm_card_key_make(const struct hsm_card_keys *keys, enum hsm_key_age age,
                                 const uint8_t *digits, uint32_t digits_count,
                                 uint8_t out[HSM_CARD_KEY_BYTES]);

#endif
