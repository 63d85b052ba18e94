/* line.h - sixteen bytes at a time, shared by the straight lines of parse.c and build.c.
 *
 * Bytes outside the value are masked away. Near the end of the buffer the sixteen are taken from
 * further left, so nothing beyond the buffer is ever read; hence LINE_BYTES_MIN. */
#ifndef ISO8583_LINE_H
#define ISO8583_LINE_H

#include "iso8583/program.h"

#define INLINE static ALWAYS_INLINE
/* A loop over fields is a function by itself, so that it has all registers to itself. */
#define APART static __attribute__((noinline))

#define LINE_BYTES_MIN 16u
#define LINE_LONG      64u /* text from here on goes to dialect->copy_long() */

static const uint8_t line_lanes[48] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0};

INLINE bool line_any(bytes16 bad)
{
    typedef uint64_t words2 __attribute__((vector_size(16)));
    words2 halves = (words2)bad;
    return (halves[0] | halves[1]) != 0;
}

/* A bitmap's lowest field first: the bit of DE n is bit n - 1, for a lowest bit is found and taken
 * away fastest. */
static inline uint64_t line_bits(uint64_t map)
{
    map = __builtin_bswap64(map);
    map = (map >> 4 & UINT64_C(0x0F0F0F0F0F0F0F0F)) | (map & UINT64_C(0x0F0F0F0F0F0F0F0F)) << 4;
    map = (map >> 2 & UINT64_C(0x3333333333333333)) | (map & UINT64_C(0x3333333333333333)) << 2;
    return (map >> 1 & UINT64_C(0x5555555555555555)) | (map & UINT64_C(0x5555555555555555)) << 1;
}

/* The sixteen bytes that hold data[at .. at + count), count <= 16, and the mask of those. */
INLINE bytes16 line_load(const uint8_t *data, uint32_t data_size, uint32_t at, uint32_t count,
                         bytes16 *mask)
{
    bytes16 x;
    uint32_t last = data_size - 16;
    if (likely(at <= last)) {
        memcpy(&x, data + at, 16);
        memcpy(mask, line_lanes + 32 - count, 16);
        return x;
    }
    bytes16 from, to;
    uint32_t skip = at - last;
    memcpy(&x, data + last, 16);
    memcpy(&from, line_lanes + 16 - skip, 16);
    memcpy(&to, line_lanes + 32 - skip - count, 16);
    *mask = from & to;
    return x;
}

/* FF where a byte is outside the range. */
INLINE bytes16 line_wrong(const struct range *range, bytes16 x)
{
    return ((bytes16)((x - range->low) <= range->span) |
            (bytes16)(((x | range->fold) - range->low_folded) <= range->span_folded) |
            (bytes16)(x == range->extra)) ^
           range->right;
}

/* Not zero where a byte is no two digits. */
INLINE bytes16 line_wrong_packed(bytes16 x)
{
    return (bytes16)(x > 0x99) | (bytes16)((x & 15) > 9);
}

#endif
