#include "base/bytes.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

Test(bytes, digits_at_every_place_and_size)
{
    uint8_t text[40];
    for (uint32_t size = 0; size < sizeof text; size++) {
        memset(text, '7', sizeof text);
        cr_assert(bytes_are_digits(text, size));
        for (uint32_t at = 0; at < size; at++) {
            for (int c = 0; c < 256; c++) {
                text[at] = (uint8_t)c;
                cr_assert_eq(bytes_are_digits(text, size), c >= '0' && c <= '9', "%u %u %d", size,
                             at, c);
            }
            text[at] = '7';
        }
    }
}

Test(bytes, numbers)
{
    int64_t n = -1;
    cr_assert(bytes_to_number((const uint8_t *)"000000000100", 12, &n) && n == 100);
    cr_assert(bytes_to_number((const uint8_t *)"9223372036854775807", 19, &n) && n == INT64_MAX);
    cr_assert(!bytes_to_number((const uint8_t *)"9223372036854775808", 19, &n) && n == INT64_MAX);
    cr_assert(!bytes_to_number((const uint8_t *)"", 0, &n));
    cr_assert(!bytes_to_number((const uint8_t *)"12 4", 4, &n));
    uint8_t out[6];
    bytes_put_number(out, 6, 123);
    cr_assert_arr_eq(out, "000123", 6);
}

/* The memory behind the digits is not looked at: each stands at the end of what may be read. */
Test(bytes, numbers_of_every_size)
{
    uint64_t value = 0;
    for (uint32_t size = 1; size <= 19; size++) {
        value = value * 10 + (size * 7 + 3) % 10;
        char text[20];
        uint8_t *digits = malloc(size);
        int64_t n = -1;
        (void)snprintf(text, sizeof text, "%0*llu", (int)size, (unsigned long long)value);
        memcpy(digits, text, size);
        cr_assert(bytes_to_number(digits, size, &n));
        cr_assert_eq(n, (int64_t)value, "%u digits", size);
        for (uint32_t at = 0; at < size; at++) {
            digits[at] = ':';
            cr_assert_not(bytes_to_number(digits, size, &n), "%u digits, place %u", size, at);
            digits[at] = (uint8_t)text[at];
        }
        free(digits);
    }
    int64_t n;
    cr_assert_not(bytes_to_number((const uint8_t *)"00000000000000000000", 20, &n));
    cr_assert(bytes_to_number((const uint8_t *)"0000000000000000000", 19, &n) && n == 0);
    cr_assert_not(bytes_to_number((const uint8_t *)"9999999999999999999", 19, &n));
}

Test(bytes, hex)
{
    uint8_t out[4];
    size_t size = 0;
    cr_assert(bytes_from_hex("00ffAb", 6, out, 4, &size) && size == 3);
    cr_assert_arr_eq(out, ((uint8_t[]){0, 255, 0xab}), 3);
    cr_assert(!bytes_from_hex("0", 1, out, 4, &size));
    cr_assert(!bytes_from_hex("0g", 2, out, 4, &size));
    cr_assert(!bytes_from_hex("0011223344", 10, out, 4, &size));
    char text[7];
    bytes_to_hex((const uint8_t[]){0, 255, 0xab}, 3, text);
    cr_assert_str_eq(text, "00FFAB");
}

Test(bytes, luhn)
{
    cr_assert(bytes_luhn_valid((const uint8_t *)"4111111111111111", 16));
    cr_assert(bytes_luhn_valid((const uint8_t *)"9900010000000019", 16));
    cr_assert(!bytes_luhn_valid((const uint8_t *)"4111111111111112", 16));
    cr_assert(!bytes_luhn_valid((const uint8_t *)"411111111111111a", 16));
}

/* RFC 3720 B.4 and the reference vectors of SipHash-2-4-128. */
Test(bytes, checksums)
{
    uint8_t zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
    }
    cr_assert_eq(crc32c(0, zeros, 32), 0x8A9136AAu);
    cr_assert_eq(crc32c(0, ones, 32), 0x62A8AB43u);
    cr_assert_eq(crc32c(0, up, 32), 0x46DD794Eu);
    cr_assert_eq(crc32c(crc32c(0, up, 13), up + 13, 19), 0x46DD794Eu);
    uint8_t key[16];
    memcpy(key, up, 16);
    struct hash128 h = hash128(up, 0, key);
    const uint8_t empty[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                               0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    cr_assert_arr_eq(&h, empty, 16);
}

/* A table hash: every bit of the input, its size and the seed move about half of the output. */
Test(bytes, hash64_spreads)
{
    uint8_t data[40] = {0};
    for (uint32_t size = 0; size < sizeof data; size++) {
        uint64_t base = hash64(data, size, 1);
        cr_assert_neq(base, hash64(data, size, 2));
        cr_assert_neq(base, hash64(data, size + 1, 1));
        uint32_t moved = 0;
        for (uint32_t bit = 0; bit < size * 8; bit++) {
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            moved += (uint32_t)__builtin_popcountll(base ^ hash64(data, size, 1));
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        cr_assert(size == 0 || (moved > size * 8 * 26 && moved < size * 8 * 38), "%u: %u", size,
                  moved);
    }
}

/* Sequential keys, as account numbers are, fill a table about as evenly as chance. */
Test(bytes, hash64_of_a_sequence_is_even)
{
    static uint32_t buckets[4096];
    for (uint64_t i = 0; i < 16 * countof(buckets); i++) {
        buckets[hash64(&i, sizeof i, 77) % countof(buckets)]++;
    }
    for (size_t i = 0; i < countof(buckets); i++) {
        cr_assert(buckets[i] < 48, "%u", buckets[i]);
    }
}
