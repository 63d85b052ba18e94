/* long.c - long runs of characters: 32 at a time where the processor can (AVX2), else 16.
 *
 * DESIGN  A class that is one range (ans, n) asks only for the least and the greatest character of
 * the run: two instructions a vector. The other classes look at every vector with all three ways of
 * struct range. Last vectors overlap the ones before. Which width is used is decided when a dialect
 * is loaded. size >= 64. */
#include "iso8583/line.h"

#ifdef __x86_64__
#include <immintrin.h>
#define WIDE __attribute__((target("avx2")))
#endif

/* One of several ranges; `to` is NULL when nothing is copied, which is a constant for the compiler.
 */
INLINE bool many_ranges(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    struct range_vectors vectors;
    bytes16 bad = {0};
    range_expand(range, &vectors);
    for (uint32_t at = 0;; at += 16) {
        bytes16 x;
        if (at > size - 16)
            at = size - 16;
        memcpy(&x, from + at, 16);
        if (to != NULL)
            memcpy(to + at, &x, 16);
        bad |= line_wrong(&vectors, x);
        if (at == size - 16)
            break;
    }
    return line_any(bad);
}

#ifdef __x86_64__
INLINE bool one_range(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    __m128i least = _mm_set1_epi8(-1), most = _mm_setzero_si128();
    for (uint32_t at = 0;; at += 32) {
        if (at > size - 32)
            at = size - 32;
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(from + at));
        __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(from + at + 16));
        if (to != NULL) {
            _mm_storeu_si128((__m128i *)(void *)(to + at), x);
            _mm_storeu_si128((__m128i *)(void *)(to + at + 16), y);
        }
        least = _mm_min_epu8(least, _mm_min_epu8(x, y));
        most = _mm_max_epu8(most, _mm_max_epu8(x, y));
        if (at == size - 32)
            break;
    }
    bytes16 low = (bytes16)least, high = (bytes16)most;
    return line_any((bytes16)((low - range->low) > range->span) |
                    (bytes16)((high - range->low) > range->span));
}

WIDE INLINE bool one_range_wide(const struct range *range, uint8_t *to, const uint8_t *from,
                                uint32_t size)
{
    __m256i least = _mm256_set1_epi8(-1), most = _mm256_setzero_si256();
    for (uint32_t at = 0;; at += 64) {
        if (at > size - 64)
            at = size - 64;
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(from + at));
        __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(from + at + 32));
        if (to != NULL) {
            _mm256_storeu_si256((__m256i *)(void *)(to + at), x);
            _mm256_storeu_si256((__m256i *)(void *)(to + at + 32), y);
        }
        least = _mm256_min_epu8(least, _mm256_min_epu8(x, y));
        most = _mm256_max_epu8(most, _mm256_max_epu8(x, y));
        if (at == size - 64)
            break;
    }
    __m128i low = _mm_min_epu8(_mm256_castsi256_si128(least), _mm256_extracti128_si256(least, 1));
    __m128i high = _mm_max_epu8(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    bytes16 bad = (bytes16)(((bytes16)low - range->low) > range->span) |
                  (bytes16)(((bytes16)high - range->low) > range->span);
    return line_any(bad);
}

WIDE bool check_long_wide(const struct range *range, const uint8_t *data, uint32_t size)
{
    return range->is_one ? one_range_wide(range, NULL, data, size)
                         : many_ranges(range, NULL, data, size);
}

WIDE bool copy_long_wide(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return range->is_one ? one_range_wide(range, to, from, size)
                         : many_ranges(range, to, from, size);
}

bool long_is_wide(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}
#else
INLINE bool one_range(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return many_ranges(range, to, from, size);
}

bool check_long_wide(const struct range *range, const uint8_t *data, uint32_t size)
{
    return check_long_plain(range, data, size);
}

bool copy_long_wide(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return copy_long_plain(range, to, from, size);
}

bool long_is_wide(void)
{
    return false;
}
#endif

bool check_long_plain(const struct range *range, const uint8_t *data, uint32_t size)
{
    return range->is_one ? one_range(range, NULL, data, size)
                         : many_ranges(range, NULL, data, size);
}

bool copy_long_plain(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return range->is_one ? one_range(range, to, from, size) : many_ranges(range, to, from, size);
}
