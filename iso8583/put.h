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

INLINE void put_text(const struct range_vectors *range, uint8_t *to, const uint8_t *from,
                     uint32_t size, bytes16 *bad)
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

INLINE uint32_t put_length(const struct op *op, uint32_t count, uint8_t *out)
{
    uint32_t zero = op->length == ISO_LEN_EBCDIC ? 0xF0 : '0';
    switch (op->length) {
    case ISO_LEN_ASCII:
    case ISO_LEN_EBCDIC:
        if (op->prefix == 2) {
            out[0] = (uint8_t)(zero + count / 10);
            out[1] = (uint8_t)(zero + count % 10);
            return 2;
        }
        for (uint32_t i = op->prefix; i > 0; i--) {
            out[i - 1] = (uint8_t)(zero + count % 10);
            count /= 10;
        }
        return op->prefix;
    case ISO_LEN_PACKED:
        for (uint32_t i = op->prefix; i > 0; i--) {
            out[i - 1] = (uint8_t)(count / 10 % 10 << 4 | count % 10);
            count /= 100;
        }
        return op->prefix;
    default: /* ISO_LEN_BINARY */
        if (op->prefix == 2)
            *out++ = (uint8_t)(count >> 8);
        *out = (uint8_t)count;
        return op->prefix;
    }
}

/* Eight digits to four bytes, four to two. *doubt becomes not zero when one is beyond `most`. */
INLINE void pack_eight(uint8_t *to, const uint8_t *from, uint32_t most, uint64_t *doubt)
{
    uint64_t x;
    memcpy(&x, from, 8);
    x ^= UINT64_C(0x3030303030303030);
    *doubt |= (x | (x + UINT64_C(0x0101010101010101) * (15 - most))) & UINT64_C(0xF0F0F0F0F0F0F0F0);
    x = (x << 4 | x >> 8) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x | x >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    uint32_t packed = (uint32_t)(x | x >> 16);
    memcpy(to, &packed, 4);
}

INLINE void pack_four(uint8_t *to, const uint8_t *from, uint32_t most, uint64_t *doubt)
{
    uint32_t x;
    memcpy(&x, from, 4);
    x ^= 0x30303030u;
    *doubt |= (x | (x + 0x01010101u * (15 - most))) & 0xF0F0F0F0u;
    x = (x << 4 | x >> 8) & 0x00FF00FFu;
    uint16_t packed = (uint16_t)(x | x >> 8);
    memcpy(to, &packed, 2);
}

/* `count` digits, packed, with a zero on the left or right when odd; the last ones overlap the ones
 * before. Not zero when a digit is beyond `most`. */
INLINE uint32_t pack_digits(uint8_t *to, const uint8_t *from, uint32_t count, bool fills_right,
                            uint32_t most)
{
    uint64_t doubt = 0;
    if ((count & 1) != 0) {
        count--;
        uint32_t single = (uint32_t)(fills_right ? from[count] : from[0]) - '0';
        doubt |= single > most;
        if (fills_right)
            to[count / 2] = (uint8_t)(single << 4);
        else
            *to++ = (uint8_t)single;
        from += !fills_right;
    }
    if (count >= 8) {
        for (uint32_t i = 0; i + 8 < count; i += 8)
            pack_eight(to + i / 2, from + i, most, &doubt);
        pack_eight(to + count / 2 - 4, from + count - 8, most, &doubt);
    } else if (count >= 4) {
        pack_four(to, from, most, &doubt);
        pack_four(to + count / 2 - 2, from + count - 4, most, &doubt);
    } else if (count == 2) {
        uint32_t high = (uint32_t)from[0] - '0', low = (uint32_t)from[1] - '0';
        doubt |= (uint32_t)(high > most) | (uint32_t)(low > most);
        *to = (uint8_t)(high << 4 | (low & 15));
    }
    return doubt != 0;
}

#endif
