/* cvv.c - see cvv.h. Pure; runs in hsmd, the simulator and the tests. */
#include "hsm/cvv.h"

#include "hsm/pin.h"
#include <string.h>

static uint32_t put_digits(uint8_t *packed, uint32_t at, const uint8_t *digits, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, at++) {
        uint8_t value = (uint8_t)(digits[i] - '0');
        packed[at / 2] = (uint8_t)(packed[at / 2] | (at % 2 == 0 ? value << 4 : value));
    }
    return at;
}

void hsm_cvv_input(const struct secret_pan *pan, const uint8_t expiry[4],
                   const uint8_t service_code[3], struct hsm_cvv_input *input)
{
    uint8_t packed[2 * HSM_BLOCK_BYTES] = {0};
    uint32_t at = put_digits(packed, 0, pan->digits, pan->size);
    at = put_digits(packed, at, expiry, 4);
    at = put_digits(packed, at, service_code, 3);
    must(at <= 2 * sizeof packed);
    memcpy(input->first, packed, HSM_BLOCK_BYTES);
    memcpy(input->second, packed + HSM_BLOCK_BYTES, HSM_BLOCK_BYTES);
    secret_wipe(packed, sizeof packed);
}

void hsm_cvv_middle(uint8_t block[HSM_BLOCK_BYTES], const struct hsm_cvv_input *input)
{
    for (uint32_t i = 0; i < HSM_BLOCK_BYTES; i++) {
        block[i] ^= input->second[i];
    }
}

void hsm_cvv_output(const uint8_t block[HSM_BLOCK_BYTES], uint8_t cvv[HSM_CVV_DIGITS])
{
    hsm_decimalise(block, cvv, HSM_CVV_DIGITS);
}
