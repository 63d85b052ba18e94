/* line.h - sixteen characters at a time, shared by the straight lines of parse.c and build.c.
 *
 * Bytes outside the value are masked away. Near the end of the buffer the sixteen are taken from
 * further left, so nothing beyond the buffer is ever read; hence LINE_BYTES_MIN. */
#ifndef ISO8583_LINE_H
#define ISO8583_LINE_H

#include "iso8583/program.h"

#define INLINE static inline __attribute__((always_inline))

#define LINE_BYTES_MIN 16u
#define LINE_LONG      64u /* longer runs go to dialect->check_long() */

static const uint8_t line_lanes[48] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0};

static inline bool line_any(bytes16 bad)
{
    uint64_t halves[2];
    memcpy(halves, &bad, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

/* The sixteen bytes that hold data[at .. at + count), count <= 16, and the mask of those. */
static inline bytes16 line_load(const uint8_t *data, uint32_t data_size, uint32_t at,
                                uint32_t count, bytes16 *mask)
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

static inline void range_expand(const struct range *range, struct range_vectors *vectors)
{
    memset(&vectors->low, range->low, 16);
    memset(&vectors->span, range->span, 16);
    memset(&vectors->low_folded, range->low_folded, 16);
    memset(&vectors->span_folded, range->span_folded, 16);
    memset(&vectors->extra, range->extra, 16);
    memset(&vectors->fold, range->fold, 16);
}

/* FF where a byte is outside the range. */
static inline bytes16 line_wrong(const struct range_vectors *range, bytes16 x)
{
    return ~((bytes16)((x - range->low) <= range->span) |
             (bytes16)(((x | range->fold) - range->low_folded) <= range->span_folded) |
             (bytes16)(x == range->extra));
}

static inline void line_check_text(const struct range_vectors *range, const uint8_t *data,
                                   uint32_t data_size, uint32_t at, uint32_t size, bytes16 *bad)
{
    for (;;) {
        uint32_t count = size < 16 ? size : 16;
        bytes16 mask, x = line_load(data, data_size, at, count, &mask);
        *bad |= line_wrong(range, x) & mask;
        if (size <= 16)
            return;
        at += 16;
        size -= 16;
    }
}

static inline void line_check_packed(const uint8_t *data, uint32_t data_size, uint32_t at,
                                     uint32_t size, bytes16 *bad)
{
    for (;;) {
        uint32_t count = size < 16 ? size : 16;
        bytes16 mask, x = line_load(data, data_size, at, count, &mask);
        bytes16 wrong = (bytes16)(x >> 4 > 9) | (bytes16)((x & 15) > 9);
        *bad |= wrong & mask;
        if (size <= 16)
            return;
        at += 16;
        size -= 16;
    }
}

#endif
