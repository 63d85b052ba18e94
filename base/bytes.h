/* bytes.h - bounded readers of digits, hex and packed decimals; big- and little-endian loads. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/base.h"
#include <string.h>

struct span { /* bytes somewhere else; data may be NULL when size is 0 */
    const uint8_t *data;
    uint32_t size;
};

static inline uint16_t load_be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}
static inline uint32_t load_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}
static inline void store_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void store_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}
static inline void store_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

/* True when all bytes are '0'..'9' (true for size 0). Wide where the machine allows. */
bool bytes_are_digits(const uint8_t *data, uint32_t size);
/* 1..19 digits to a number; false when one is not a digit or it does not fit int64. */
NODISCARD bool bytes_to_number(const uint8_t *data, uint32_t size, int64_t *out);
/* Writes exactly `digits` ASCII digits, zero-padded; must() that it fits. */
void bytes_put_number(uint8_t *out, uint32_t digits, uint64_t value);
/* Text hex (either case) to bytes; false on an odd count or another character. */
NODISCARD bool bytes_from_hex(const char *hex, size_t hex_size, uint8_t *out, size_t out_max,
                              size_t *out_size);
void bytes_to_hex(const uint8_t *data, size_t size, char *out); /* upper case, 2*size + NUL */
bool bytes_luhn_valid(const uint8_t *digits, uint32_t size);    /* ISO/IEC 7812-1 annex B */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);   /* SSE4.2 where present */
uint64_t hash64(const void *data, size_t size,
                uint64_t seed); /* seeded table hash, not for secrets */

struct hash128 {
    uint64_t low, high;
};
/* SipHash-2-4-128 under a 16-byte key: replay and match keys. */
struct hash128 hash128(const void *data, size_t size, const uint8_t key[16]);

#endif
