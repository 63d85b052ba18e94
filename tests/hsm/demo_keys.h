/* demo_keys.h - the public keys and cards of the demo that the HSM's tests use. */
#ifndef TESTS_HSM_DEMO_KEYS_H
#define TESTS_HSM_DEMO_KEYS_H

#include "hsm/token.h"

enum { DEMO_ZPK, DEMO_CVK, DEMO_PVK, DEMO_MAC, DEMO_ZPK_A, DEMO_IMK, DEMO_KEYS };

static const struct hsm_token_key demo_keys[DEMO_KEYS] = {
    {{"zpk-acquirer", HSM_KEY_ZONE_PIN, {0x66, 0x6E, 0xA8}}, "ECC25208B6FD2023E9767A5489BC9415"},
    {{"cvk-demo", HSM_KEY_CVK, {0x26, 0x77, 0x7F}}, "6D61BA0EAED6548F1A86086208A886AB"},
    {{"pvk-demo-1", HSM_KEY_PVK, {0xF5, 0x05, 0xB7}}, "D9867045BC1343B3025D7A0EE3BC2AE9"},
    {{"mac-acquirer", HSM_KEY_MAC, {0x3C, 0x5D, 0xEB}}, "A179FDC85E70C4FDFE015486024654A7"},
    {{"zpk-demo-a", HSM_KEY_ZONE_PIN, {0x93, 0x8D, 0x2B}}, "86BCD31692A2BC62DCB9D0E9F8760834"},
    {{"imk-ac-demo", HSM_KEY_EMV_AC, {0x64, 0x14, 0x5E}}, "6201618CB9C4F823B67AFE7A62804AAE"},
};

/* Card 1 of the demo: PIN 1001. */
static inline struct hsm_job demo_job(uint64_t token, int64_t deadline_ns, uint32_t checks)
{
    return (struct hsm_job){
        .token = token,
        .deadline_ns = deadline_ns,
        .checks = checks,
        .pan = {.digits = "9900010000000019", .size = 16},
        .zone_pin_key = DEMO_ZPK,
        .pvk = DEMO_PVK,
        .cvk = DEMO_CVK,
        .pin_block = {0x11, 0x9D, 0x82, 0xF4, 0x0D, 0xFF, 0x2B, 0x03},
        .pvki = '1',
        .pvv = {'4', '0', '2', '2'},
        .expiry = {'3', '0', '1', '2'},
        .cvv2 = {'0', '2', '5'},
        .cvv = {'1', '3', '0'},
        .service_code = {'2', '0', '1'},
    };
}

#endif
