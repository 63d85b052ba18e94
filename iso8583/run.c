/* run.c - runs of bytes, judged and copied: 32 at a time where the processor can (AVX2), else 16.
 *
 * DESIGN  A class that is one range (ans, n) asks only for the greatest distance of a character
 * from the range's first: two instructions a vector. Packed digits and the other classes look at
 * every vector in full. Last vectors overlap the ones before. Which width is used is decided when a
 * dialect is loaded. */
#include "iso8583/line.h"

#ifdef __x86_64__
#include <immintrin.h>
#define WIDE __attribute__((target("avx2")))
#endif

/* Less than 64 bytes. */
INLINE bool check_short(const struct range *range, const uint8_t *data, uint32_t data_size,
                        uint32_t at, uint32_t size)
{
    bytes16 x, mask, bad = {0};
    bool packed = range->kind == RANGE_PACKED;
    for (; size > 16; at += 16, size -= 16) {
        memcpy(&x, data + at, 16);
        bad |= packed ? line_wrong_packed(x) : line_wrong(range, x);
    }
    x = line_load(data, data_size, at, size, &mask);
    bad |= (packed ? line_wrong_packed(x) : line_wrong(range, x)) & mask;
    return line_any(bad);
}

/* 64 bytes or more, whatever may be wrong; `to` is NULL when nothing is copied, which is a constant
 * for the compiler. */
INLINE bool any_range(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    bytes16 x, bad = {0};
    bool packed = range->kind == RANGE_PACKED;
    for (uint32_t at = 0; at < size - 16; at += 16) {
        memcpy(&x, from + at, 16);
        if (to != NULL)
            memcpy(to + at, &x, 16);
        bad |= packed ? line_wrong_packed(x) : line_wrong(range, x);
    }
    memcpy(&x, from + size - 16, 16);
    if (to != NULL)
        memcpy(to + size - 16, &x, 16);
    bad |= packed ? line_wrong_packed(x) : line_wrong(range, x);
    return line_any(bad);
}

#ifdef __x86_64__
/* The distance of 32 (64) bytes from the range's first; the greatest one so far comes out. */
INLINE __m128i one_step(__m128i most, __m128i first, uint8_t *to, const uint8_t *from)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)from);
    __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(from + 16));
    if (to != NULL) {
        _mm_storeu_si128((__m128i *)(void *)to, x);
        _mm_storeu_si128((__m128i *)(void *)(to + 16), y);
    }
    return _mm_max_epu8(most, _mm_max_epu8(_mm_sub_epi8(x, first), _mm_sub_epi8(y, first)));
}

INLINE bool one_range(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    __m128i first = (__m128i)range->low, most = _mm_setzero_si128();
    for (uint32_t at = 0; at < size - 32; at += 32)
        most = one_step(most, first, to != NULL ? to + at : NULL, from + at);
    most = one_step(most, first, to != NULL ? to + size - 32 : NULL, from + size - 32);
    return line_any((bytes16)((bytes16)most > range->span));
}

WIDE INLINE __m256i one_step_wide(__m256i most, __m256i first, uint8_t *to, const uint8_t *from)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)from);
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(from + 32));
    if (to != NULL) {
        _mm256_storeu_si256((__m256i *)(void *)to, x);
        _mm256_storeu_si256((__m256i *)(void *)(to + 32), y);
    }
    x = _mm256_sub_epi8(x, first);
    y = _mm256_sub_epi8(y, first);
    return _mm256_max_epu8(most, _mm256_max_epu8(x, y));
}

WIDE INLINE bool one_range_wide(const struct range *range, uint8_t *to, const uint8_t *from,
                                uint32_t size)
{
    __m256i first = _mm256_broadcastsi128_si256((__m128i)range->low);
    __m256i most = _mm256_setzero_si256();
    for (uint32_t at = 0; at < size - 64; at += 64)
        most = one_step_wide(most, first, to != NULL ? to + at : NULL, from + at);
    most = one_step_wide(most, first, to != NULL ? to + size - 64 : NULL, from + size - 64);
    bytes16 half =
        (bytes16)_mm_max_epu8(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    return line_any((bytes16)(half > range->span));
}

WIDE bool check_run_wide(const struct range *range, const uint8_t *data, uint32_t data_size,
                         uint32_t at, uint32_t size)
{
    if (range->kind == RANGE_ALL)
        return false;
    if (size < LINE_LONG)
        return check_short(range, data, data_size, at, size);
    return range->kind == RANGE_ONE ? one_range_wide(range, NULL, data + at, size)
                                    : any_range(range, NULL, data + at, size);
}

WIDE bool copy_long_wide(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return range->kind == RANGE_ONE ? one_range_wide(range, to, from, size)
                                    : any_range(range, to, from, size);
}

bool run_is_wide(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}
#else
INLINE bool one_range(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return any_range(range, to, from, size);
}

bool check_run_wide(const struct range *range, const uint8_t *data, uint32_t data_size, uint32_t at,
                    uint32_t size)
{
    return check_run_plain(range, data, data_size, at, size);
}

bool copy_long_wide(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return copy_long_plain(range, to, from, size);
}

bool run_is_wide(void)
{
    return false;
}
#endif

bool check_run_plain(const struct range *range, const uint8_t *data, uint32_t data_size,
                     uint32_t at, uint32_t size)
{
    if (range->kind == RANGE_ALL)
        return false;
    if (size < LINE_LONG)
        return check_short(range, data, data_size, at, size);
    return range->kind == RANGE_ONE ? one_range(range, NULL, data + at, size)
                                    : any_range(range, NULL, data + at, size);
}

bool copy_long_plain(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return range->kind == RANGE_ONE ? one_range(range, to, from, size)
                                    : any_range(range, to, from, size);
}
