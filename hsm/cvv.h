/* cvv.h - card verification values, without any key: the two input blocks and the three digits.
 *
 * CVV, CVV2 (service code 000) and iCVV (999) are one algorithm: PAN, expiry, service code, filled
 * with zeros to 32 digits, are two blocks; E_left(block 1), XOR block 2, then TDES; the result
 * decimalised. */
#ifndef HSM_CVV_H
#define HSM_CVV_H

#include "base/secret.h"
#include "hsm/cipher.h"

#define HSM_CVV_DIGITS 3u

struct hsm_cvv_input {
    uint8_t first[HSM_BLOCK_BYTES], second[HSM_BLOCK_BYTES];
};

/* expiry and service_code: ASCII digits, in the order in which the card scheme computes (YYMM). */
void hsm_cvv_input(const struct secret_pan *pan, const uint8_t expiry[4],
                   const uint8_t service_code[3], struct hsm_cvv_input *input);
/* Between the two passes: result of the first, in place, becomes the input of the second. */
void hsm_cvv_middle(uint8_t block[HSM_BLOCK_BYTES], const struct hsm_cvv_input *input);
void hsm_cvv_output(const uint8_t block[HSM_BLOCK_BYTES], uint8_t cvv[HSM_CVV_DIGITS]);

#endif
