/* pin.c - see pin.h. Pure; runs in hsmd, the simulator and the tests. */
#include "hsm/pin.h"

#include <string.h>

#define PAN_DIGITS_MIN   12u
#define BLOCK_DIGITS     (2 * HSM_BLOCK_BYTES)
#define FILL             0xFu
#define PAN_FIELD_DIGITS 12u /* of the PAN in a format 0 block, behind four zeros */
#define PVV_PAN_DIGITS   11u

static uint8_t nibble_at(const uint8_t *bytes, uint32_t index)
{
    return index % 2 == 0 ? bytes[index / 2] >> 4 : bytes[index / 2] & 0xF;
}

static void set_nibble(uint8_t *bytes, uint32_t index, uint32_t value)
{
    uint32_t shift = index % 2 == 0 ? 4 : 0;
    uint32_t kept = bytes[index / 2] & ~(0xFu << shift);
    bytes[index / 2] = (uint8_t)(kept | value << shift);
}

/* The digit that stands `from_right` places left of the check digit's neighbour (0 = neighbour). */
static uint8_t pan_digit(const struct secret_pan *pan, uint32_t from_right)
{
    return (uint8_t)(pan->digits[pan->size - 2u - from_right] - '0');
}

/* ISO 9564-1 format 0: XOR with 0000 and the PAN's twelve digits. Its own inverse. */
static void combine_with_pan(uint8_t block[HSM_BLOCK_BYTES], const struct secret_pan *pan)
{
    for (uint32_t i = 0; i < PAN_FIELD_DIGITS && i + 2u <= pan->size; i++) {
        uint32_t place = BLOCK_DIGITS - 1u - i;
        set_nibble(block, place, nibble_at(block, place) ^ pan_digit(pan, i));
    }
}

bool hsm_pin_block_open(const uint8_t block[HSM_BLOCK_BYTES], const struct secret_pan *pan,
                        struct hsm_pin *pin)
{
    uint8_t clear[HSM_BLOCK_BYTES];
    memcpy(clear, block, sizeof clear);
    combine_with_pan(clear, pan);

    uint8_t size = nibble_at(clear, 1);
    bool good = nibble_at(clear, 0) == 0;
    good &= size >= HSM_PIN_DIGITS_MIN && size <= HSM_PIN_DIGITS_MAX;
    struct hsm_pin found = {.size = size};
    for (uint32_t i = 0; i < BLOCK_DIGITS - 2u; i++) {
        uint8_t nibble = nibble_at(clear, i + 2u);
        if (i < size) {
            good &= nibble <= 9;
        } else {
            good &= nibble == FILL;
        }
        if (i < HSM_PIN_DIGITS_MAX) {
            found.digits[i] = nibble;
        }
    }
    if (good) {
        *pin = found;
    }
    secret_wipe(clear, sizeof clear);
    secret_wipe(&found, sizeof found);
    return good;
}

void hsm_pin_block_make(const struct hsm_pin *pin, const struct secret_pan *pan,
                        uint8_t block[HSM_BLOCK_BYTES])
{
    must(pin->size >= HSM_PIN_DIGITS_MIN && pin->size <= HSM_PIN_DIGITS_MAX);
    memset(block, 0xFF, HSM_BLOCK_BYTES);
    set_nibble(block, 0, 0);
    set_nibble(block, 1, pin->size);
    for (uint32_t i = 0; i < pin->size; i++) {
        set_nibble(block, i + 2u, pin->digits[i]);
    }
    combine_with_pan(block, pan);
}

void hsm_pvv_input(const struct hsm_pin *pin, const struct secret_pan *pan, uint8_t pvki,
                   uint8_t block[HSM_BLOCK_BYTES])
{
    must(pan->size >= PAN_DIGITS_MIN && pvki >= '0' && pvki <= '9');
    for (uint32_t i = 0; i < PVV_PAN_DIGITS; i++) {
        set_nibble(block, i, pan_digit(pan, PVV_PAN_DIGITS - 1u - i));
    }
    set_nibble(block, PVV_PAN_DIGITS, (uint8_t)(pvki - '0'));
    for (uint32_t i = 0; i < HSM_PIN_DIGITS_MIN; i++) {
        set_nibble(block, PVV_PAN_DIGITS + 1u + i, pin->digits[i]);
    }
}

void hsm_pvv_output(const uint8_t block[HSM_BLOCK_BYTES], uint8_t pvv[HSM_PVV_DIGITS])
{
    hsm_decimalise(block, pvv, HSM_PVV_DIGITS);
}

void hsm_decimalise(const uint8_t block[HSM_BLOCK_BYTES], uint8_t *digits, uint32_t count)
{
    must(count <= BLOCK_DIGITS);
    uint32_t found = 0;
    for (uint32_t i = 0; i < BLOCK_DIGITS && found < count; i++) {
        if (nibble_at(block, i) <= 9) {
            digits[found++] = (uint8_t)('0' + nibble_at(block, i));
        }
    }
    for (uint32_t i = 0; i < BLOCK_DIGITS && found < count; i++) {
        if (nibble_at(block, i) > 9) {
            digits[found++] = (uint8_t)('0' + nibble_at(block, i) - 10);
        }
    }
}
