/* bytes.c - see bytes.h. */
#include "base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

/* ---- digits ---------------------------------------------------------------------------------- */

#define ZEROS UINT64_C(0x3030303030303030)

/* True when each of the eight bytes is '0'..'9': the high nibble is 3, and adding 6 keeps it. */
static bool eight_digits(uint64_t v)
{
    const uint64_t high = UINT64_C(0xF0F0F0F0F0F0F0F0);
    return (v & high) == ZEROS && ((v + UINT64_C(0x0606060606060606)) & high) == ZEROS;
}

/* At most eight bytes as if '0' stood before them, the first one lowest. Loads that overlap: a copy
 * byte by byte would make the load behind it wait. */
static uint64_t load_digits(const uint8_t *data, uint32_t size)
{
    uint64_t v = 0;
    if (size == 8) {
        memcpy(&v, data, 8);
        return v;
    }
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, data, 4);
        memcpy(&last, data + size - 4, 4);
        v = first | (uint64_t)last << (8 * (size - 4));
    } else if (size >= 2) {
        uint16_t first, last;
        memcpy(&first, data, 2);
        memcpy(&last, data + size - 2, 2);
        v = first | (uint64_t)last << (8 * (size - 2));
    } else if (size == 1) {
        v = data[0];
    } else {
        return ZEROS;
    }
    return v << (8 * (8 - size)) | ZEROS >> (8 * size);
}

bool bytes_are_digits(const uint8_t *data, uint32_t size)
{
    for (; size >= 8; data += 8, size -= 8) {
        if (!eight_digits(load_digits(data, 8))) {
            return false;
        }
    }
    return eight_digits(load_digits(data, size));
}

/* Neighbours become pairs, pairs become fours, fours the number. */
static uint64_t number_of_eight(uint64_t v)
{
    v -= ZEROS;
    v = v * 10 + (v >> 8);
    const uint64_t pairs = UINT64_C(0x000000FF000000FF);
    return ((v & pairs) * UINT64_C(0x000F424000000064) +
            (v >> 16 & pairs) * UINT64_C(0x0000271000000001)) >>
           32;
}

bool bytes_to_number(const uint8_t *data, uint32_t size, int64_t *out)
{
    if (size == 0 || size > 19) {
        return false;
    }
    uint64_t value = 0;
    for (uint32_t head = (size - 1) % 8 + 1; size > 0; data += head, size -= head, head = 8) {
        uint64_t v = load_digits(data, head);
        if (!eight_digits(v)) {
            return false;
        }
        value = value * 100000000 + number_of_eight(v); /* below 10^19: fits uint64 */
    }
    if (value > INT64_MAX) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

void bytes_put_number(uint8_t *out, uint32_t digits, uint64_t value)
{
    for (uint32_t i = digits; i > 0; i--) {
        out[i - 1] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
    must(value == 0);
}

bool bytes_luhn_valid(const uint8_t *digits, uint32_t size)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < size; i++) { /* i counts from the check digit */
        uint32_t digit = (uint32_t)(digits[size - 1 - i] - '0');
        if (digit > 9) {
            return false;
        }
        sum += i % 2 == 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0);
    }
    return size > 1 && sum % 10 == 0;
}

/* ---- hex ------------------------------------------------------------------------------------- */

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool bytes_from_hex(const char *hex, size_t hex_size, uint8_t *out, size_t out_max,
                    size_t *out_size)
{
    if (hex_size % 2 != 0 || hex_size / 2 > out_max) {
        return false;
    }
    for (size_t i = 0; i < hex_size; i++) {
        if (nibble(hex[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < hex_size / 2; i++) {
        out[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    }
    *out_size = hex_size / 2;
    return true;
}

void bytes_to_hex(const uint8_t *data, size_t size, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * size] = '\0';
}

/* ---- checksums ------------------------------------------------------------------------------- */

/* Castagnoli polynomial 0x82F63B78, reflected (RFC 3720 B.4): what four bits become. Small enough
 * to stay in the cache; only machines without SSE4.2 come here. */
static const uint32_t crc32c_nibble[16] = {
    0x00000000u, 0x105EC76Fu, 0x20BD8EDEu, 0x30E349B1u, 0x417B1DBCu, 0x5125DAD3u,
    0x61C69362u, 0x7198540Du, 0x82F63B78u, 0x92A8FC17u, 0xA24BB5A6u, 0xB21572C9u,
    0xC38D26C4u, 0xD3D3E1ABu, 0xE330A81Au, 0xF36E6F75u,
};

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *data, size_t size)
{
    while (size-- > 0) {
        crc ^= *data++;
        crc = crc >> 4 ^ crc32c_nibble[crc & 15];
        crc = crc >> 4 ^ crc32c_nibble[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *data,
                                                               size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; size -= 8, data += 8) {
        uint64_t v;
        memcpy(&v, data, 8);
        wide = _mm_crc32_u64(wide, v);
    }
    crc = (uint32_t)wide;
    for (; size > 0; size--) {
        crc = _mm_crc32_u8(crc, *data++);
    }
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return ~crc32c_sse42(crc, data, size);
    }
#endif
    return ~crc32c_portable(crc, data, size);
}

/* ---- hashes ---------------------------------------------------------------------------------- */

static uint64_t fold(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* One multiplication per 16 bytes. Both factors hold input under the seed: who does not know it
 * cannot make one of them zero and so hide the other. */
uint64_t hash64(const void *data, size_t size, uint64_t seed)
{
    const uint64_t odd1 = UINT64_C(0x9E3779B97F4A7C15), odd2 = UINT64_C(0xD1B54A32D192ED03);
    const uint8_t *p = data;
    const uint64_t mask = seed ^ odd1;
    uint64_t state = seed ^ odd2, length = size;
    for (; size > 16; size -= 16, p += 16) {
        state = fold(load64(p) ^ mask, load64(p + 8) ^ state);
    }
    uint64_t a = 0, b = 0;
    if (size >= 8) { /* the two halves of the rest overlap */
        a = load64(p);
        b = load64(p + size - 8);
    } else if (size > 0) {
        memcpy(&a, p, size);
    }
    return fold(fold(a ^ mask, b ^ state) ^ length, odd2 ^ seed);
}

static uint64_t rotate(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

/* In registers: a call would spill the state to memory each time. */
static ALWAYS_INLINE void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 with a 128-bit tag (Aumasson, Bernstein). */
struct hash128 hash128(const void *data, size_t size, const uint8_t key[16])
{
    uint64_t k0, k1;
    memcpy(&k0, key, 8);
    memcpy(&k1, key + 8, 8);
    uint64_t v[4] = {UINT64_C(0x736f6d6570736575) ^ k0, UINT64_C(0x646f72616e646f6d) ^ k1 ^ 0xee,
                     UINT64_C(0x6c7967656e657261) ^ k0, UINT64_C(0x7465646279746573) ^ k1};
    const uint8_t *p = data;
    uint64_t last = (uint64_t)size << 56;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t m;
        memcpy(&m, p, 8);
        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
    }
    for (size_t i = 0; i < size; i++) {
        last |= (uint64_t)p[i] << (8 * i);
    }
    v[3] ^= last;
    sip_round(v);
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xee;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    struct hash128 tag = {.low = v[0] ^ v[1] ^ v[2] ^ v[3]};
    v[1] ^= 0xdd;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    tag.high = v[0] ^ v[1] ^ v[2] ^ v[3];
    return tag;
}
