/* put.h - how the straight line of build.c writes: characters that are judged on their way, length
 * prefixes, packed digits. Internal. */
#ifndef ISO8583_PUT_H
#define ISO8583_PUT_H

#include "iso8583/line.h"

/* Copies characters and judges them on the way. They are taken from their source in pieces that
 * overlap, never beyond it; reading them back from the buffer would wait for the stores. */
INLINE bytes16 put_text_8(uint8_t *to, const uint8_t *from, uint32_t size) /* 8 to 15 */
{
    uint64_t halves[2];
    bytes16 x;
    memcpy(&halves[0], from, 8);
    memcpy(&halves[1], from + size - 8, 8);
    memcpy(to, &halves[0], 8);
    memcpy(to + size - 8, &halves[1], 8);
    memcpy(&x, halves, 16);
    return x;
}

INLINE bytes16 put_text_4(uint8_t *to, const uint8_t *from, uint32_t size) /* 4 to 7 */
{
    uint32_t quarters[4];
    bytes16 x;
    memcpy(&quarters[0], from, 4);
    memcpy(&quarters[1], from + size - 4, 4);
    memcpy(to, &quarters[0], 4);
    memcpy(to + size - 4, &quarters[1], 4);
    quarters[2] = quarters[3] = quarters[0];
    memcpy(&x, quarters, 16);
    return x;
}

INLINE bytes16 put_text_1(uint8_t *to, const uint8_t *from, uint32_t size) /* 1 to 3 */
{
    uint32_t first = from[0], middle = from[size / 2], last = from[size - 1];
    to[0] = (uint8_t)first;
    to[size / 2] = (uint8_t)middle;
    to[size - 1] = (uint8_t)last;
    uint32_t four = first | middle << 8 | last << 16 | last << 24,
             quarters[4] = {four, four, four, four};
    bytes16 x;
    memcpy(&x, quarters, 16);
    return x;
}

INLINE void put_text(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size,
                     bytes16 *bad)
{
    bytes16 x;
    if (size >= 16) {
        for (uint32_t i = 0; i + 16 < size; i += 16) {
            memcpy(&x, from + i, 16);
            memcpy(to + i, &x, 16);
            *bad |= line_wrong(range, x);
        }
        memcpy(&x, from + size - 16, 16);
        memcpy(to + size - 16, &x, 16);
    } else if (size >= 8) {
        x = put_text_8(to, from, size);
    } else if (size >= 4) {
        x = put_text_4(to, from, size);
    } else if (size > 0) {
        x = put_text_1(to, from, size);
    } else {
        return;
    }
    *bad |= line_wrong(range, x);
}

INLINE uint8_t *put_length(const struct op *op, uint32_t count, uint8_t *out)
{
    uint32_t zero = op->length == ISO_LEN_EBCDIC ? 0xF0 : '0';
    switch (op->length) {
    case ISO_LEN_ASCII:
    case ISO_LEN_EBCDIC:
        for (uint32_t i = op->prefix; i > 0; i--) {
            out[i - 1] = (uint8_t)(zero + count % 10);
            count /= 10;
        }
        break;
    case ISO_LEN_PACKED: /* at most four digits; a byte of two is six more for each ten */
        if (op->prefix == 2) {
            uint32_t high = count / 100;
            count %= 100;
            out[0] = (uint8_t)(high + 6 * (high / 10));
        }
        out[op->prefix - 1] = (uint8_t)(count + 6 * (count / 10));
        break;
    default: /* ISO_LEN_BINARY */
        if (op->prefix == 2)
            out[0] = (uint8_t)(count >> 8);
        out[op->prefix - 1] = (uint8_t)count;
        break;
    }
    return out + op->prefix;
}

/* --- packed digits --- */

/* Eight digits to four bytes, four to two; the first digit is the lowest byte. *wrong becomes not
 * zero when one is beyond `most`. */
INLINE uint32_t pack_eight(uint64_t x, uint32_t most, uint64_t *wrong)
{
    x ^= UINT64_C(0x3030303030303030);
    *wrong |= (x | (x + UINT64_C(0x0101010101010101) * (15 - most))) & UINT64_C(0xF0F0F0F0F0F0F0F0);
    x = (x << 4 | x >> 8) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x | x >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (uint32_t)(x | x >> 16);
}

INLINE uint32_t pack_four(uint32_t x, uint32_t most, uint64_t *wrong)
{
    x ^= 0x30303030u;
    *wrong |= (x | (x + 0x01010101u * (15 - most))) & 0xF0F0F0F0u;
    x = (x << 4 | x >> 8) & 0x00FF00FFu;
    return x | x >> 8;
}

/* Fixed counts, even ones from both ends, which overlap. False, or *bad: one is no digit. */
INLINE bool put_packed_2(const struct op *op, uint8_t *to, const uint8_t *from)
{
    uint16_t low, high;
    uint64_t wrong = 0;
    memcpy(&low, from, 2);
    memcpy(&high, from + op->index.count - 2, 2);
    uint32_t packed = pack_four(low | (uint32_t)high << 16, 9, &wrong);
    to[0] = (uint8_t)packed;
    to[op->index.size - 1] = (uint8_t)(packed >> 8);
    return wrong == 0;
}

INLINE bool put_packed_3(const struct op *op, uint8_t *to, const uint8_t *from)
{
    uint16_t low;
    memcpy(&low, from, 2);
    uint32_t x = (low | (uint32_t)from[2] << 16) ^ 0x303030u;
    store_be16(to, (uint16_t)(((x & 15) << 8 | (x >> 4 & 0xF0) | x >> 16) << op->shift));
    return ((x | (x + 0x060606u)) & 0xF0F0F0u) == 0;
}

/* Sixteen digits to eight bytes, each in its order. What is no digit is gathered in *bad. */
INLINE uint64_t pack_sixteen(uint64_t low, uint64_t high, bytes16 *bad)
{
    typedef uint64_t words2 __attribute__((vector_size(16)));
    typedef uint16_t words8 __attribute__((vector_size(16)));
    typedef uint8_t bytes8 __attribute__((vector_size(8)));
    bytes16 digits = (bytes16)(words2){low, high} ^ 0x30;
    *bad |= (digits | (digits + 0x76)) & 0x80; /* the eighth bit: it is beyond 9 */
    words8 pairs = (words8)digits;
    pairs = (pairs << 4 | pairs >> 8) & 0xFF;
    bytes8 packed = __builtin_convertvector(pairs, bytes8);
    uint64_t word;
    memcpy(&word, &packed, 8);
    return word;
}

INLINE void put_packed_4(const struct op *op, uint8_t *to, const uint8_t *from, bytes16 *bad)
{
    uint32_t low, high;
    memcpy(&low, from, 4);
    memcpy(&high, from + op->index.count - 4, 4);
    uint64_t both = low | (uint64_t)high << 32, packed = pack_sixteen(both, both, bad);
    uint16_t first = (uint16_t)packed, last = (uint16_t)(packed >> 16);
    memcpy(to, &first, 2);
    memcpy(to + op->index.size - 2, &last, 2);
}

INLINE void put_packed_8(const struct op *op, uint8_t *to, const uint8_t *from, bytes16 *bad)
{
    uint64_t low, high;
    memcpy(&low, from, 8);
    memcpy(&high, from + op->index.count - 8, 8);
    uint64_t packed = pack_sixteen(low, high, bad);
    uint32_t first = (uint32_t)packed, last = (uint32_t)(packed >> 32);
    memcpy(to, &first, 4);
    memcpy(to + op->index.size - 4, &last, 4);
}

INLINE bool put_signed_8(uint8_t *to, const uint8_t *from, bytes16 *bad)
{
    uint64_t digits;
    to[0] = from[0];
    memcpy(&digits, from + 1, 8);
    uint32_t packed = (uint32_t)pack_sixteen(digits, digits, bad);
    memcpy(to + 1, &packed, 4);
    return (uint8_t)(from[0] - 'C') <= 1;
}

/* `count` digits, packed, with a zero on the left or right when odd; the last ones overlap the ones
 * before. False: one is no digit, or (of a track) no character from 0 to ?. */
static inline bool put_digits(const struct op *op, uint8_t *to, const uint8_t *from, uint32_t count)
{
    uint32_t most = (op->flags & OP_TRACK) != 0 ? 15 : 9, packed;
    uint64_t wrong = 0;
    if ((count & 1) != 0) {
        bool right = (op->flags & OP_FILLS_RIGHT) != 0;
        uint32_t single = (uint32_t)(right ? from[count - 1] : from[0]) - '0';
        count--;
        wrong |= single > most;
        if (right)
            to[count / 2] = (uint8_t)(single << 4);
        else
            *to++ = (uint8_t)single;
        from += !right;
    }
    if (count >= 8) {
        uint64_t eight;
        for (uint32_t next = 0; next < count; next += 8) {
            uint32_t at = next < count - 8 ? next : count - 8;
            memcpy(&eight, from + at, 8);
            packed = pack_eight(eight, most, &wrong);
            memcpy(to + at / 2, &packed, 4);
        }
    } else if (count >= 4) {
        uint32_t four;
        for (uint32_t next = 0; next < count; next += 4) {
            uint32_t at = next < count - 4 ? next : count - 4;
            memcpy(&four, from + at, 4);
            packed = pack_four(four, most, &wrong);
            memcpy(to + at / 2, &packed, 2);
        }
    } else if (count == 2) {
        uint32_t high = (uint32_t)from[0] - '0', low = (uint32_t)from[1] - '0';
        wrong |= (uint32_t)(high > most) | (uint32_t)(low > most);
        *to = (uint8_t)(high << 4 | (low & 15));
    }
    return wrong == 0;
}

#endif
