/* pin.h - PIN blocks and PIN verification values, without any key: what goes into the cipher and
 * what is made of its result. A clear PIN exists between hsm_pin_block_open() and the PVV's input
 * block, in the caller's secret memory. */
#ifndef HSM_PIN_H
#define HSM_PIN_H

#include "base/secret.h"
#include "hsm/cipher.h"

#define HSM_PIN_DIGITS_MIN 4u
#define HSM_PIN_DIGITS_MAX 12u
#define HSM_PVV_DIGITS     4u

struct hsm_pin { /* digits as numbers 0..9 */
    uint8_t digits[HSM_PIN_DIGITS_MAX];
    uint8_t size;
};

/* ISO 9564-1 format 0: control 0, length, PIN, fill F, combined with the twelve rightmost digits of
 * the PAN without its check digit. False: the clear block holds no PIN for this PAN. */
NODISCARD bool hsm_pin_block_open(const uint8_t block[HSM_BLOCK_BYTES],
                                  const struct secret_pan *pan, struct hsm_pin *pin);
/* The clear block of a PIN: for the tests, the simulators and ringctl. must(): 4..12 digits. */
void hsm_pin_block_make(const struct hsm_pin *pin, const struct secret_pan *pan,
                        uint8_t block[HSM_BLOCK_BYTES]);

/* Visa PVV: eleven rightmost digits of the PAN without its check digit, PVKI, four leftmost digits
 * of the PIN; sixteen digits packed. */
void hsm_pvv_input(const struct hsm_pin *pin, const struct secret_pan *pan, uint8_t pvki,
                   uint8_t block[HSM_BLOCK_BYTES]);
/* The PVV of the encrypted input, ASCII digits. */
void hsm_pvv_output(const uint8_t block[HSM_BLOCK_BYTES], uint8_t pvv[HSM_PVV_DIGITS]);

/* The first `count` decimal digits of a block: its digits 0-9 in order, then its A-F less ten. */
void hsm_decimalise(const uint8_t block[HSM_BLOCK_BYTES], uint8_t *digits, uint32_t count);

#endif
