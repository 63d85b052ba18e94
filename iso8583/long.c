/* long.c - long runs of characters: 32 at a time where the processor can (AVX2), else 16.
 *
 * Which one is used is decided when a dialect is loaded. size >= 64. */
#include "iso8583/program.h"

typedef uint8_t bytes32 __attribute__((vector_size(32)));
#define INLINE static inline __attribute__((always_inline))

/* One body for both widths. `copies` and `is_one` are constants where it is called: a class that is
 * one range needs three instructions a vector, the others all three ways of struct range. The last
 * vector overlaps the one before. */
#define LONG_BODY(name, vector)                                                                    \
    INLINE bool name(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size,   \
                     bool copies, bool is_one)                                                     \
    {                                                                                              \
        const uint32_t step = (uint32_t)sizeof(vector), last = size - step;                        \
        vector low = (vector){0} + range->low, span = (vector){0} + range->span;                   \
        vector low_folded = (vector){0} + range->low_folded;                                       \
        vector span_folded = (vector){0} + range->span_folded;                                     \
        vector fold = (vector){0} + range->fold, extra = (vector){0} + range->extra;               \
        vector bad = {0};                                                                          \
        vector x, right;                                                                           \
        for (uint32_t at = 0; at < last; at += step) {                                             \
            memcpy(&x, from + at, sizeof(x));                                                      \
            if (copies)                                                                            \
                memcpy(to + at, &x, sizeof(x));                                                    \
            right = (vector)((x - low) <= span);                                                   \
            if (!is_one)                                                                           \
                right |=                                                                           \
                    (vector)(((x | fold) - low_folded) <= span_folded) | (vector)(x == extra);     \
            bad |= ~right;                                                                         \
        }                                                                                          \
        memcpy(&x, from + last, sizeof(x));                                                        \
        if (copies)                                                                                \
            memcpy(to + last, &x, sizeof(x));                                                      \
        right = (vector)((x - low) <= span);                                                       \
        if (!is_one)                                                                               \
            right |= (vector)(((x | fold) - low_folded) <= span_folded) | (vector)(x == extra);    \
        bad |= ~right;                                                                             \
        uint64_t words[sizeof(vector) / 8], any = 0;                                               \
        memcpy(words, &bad, sizeof(words));                                                        \
        for (uint32_t i = 0; i < sizeof(vector) / 8; i++)                                          \
            any |= words[i];                                                                       \
        return any != 0;                                                                           \
    }

LONG_BODY(long_16, bytes16)

bool check_long_plain(const struct range *range, const uint8_t *data, uint32_t size)
{
    return range->is_one ? long_16(range, NULL, data, size, false, true)
                         : long_16(range, NULL, data, size, false, false);
}

bool copy_long_plain(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return range->is_one ? long_16(range, to, from, size, true, true)
                         : long_16(range, to, from, size, true, false);
}

#ifdef __x86_64__
#define WIDE __attribute__((target("avx2")))
#undef INLINE
#define INLINE WIDE static inline __attribute__((always_inline))
LONG_BODY(long_32, bytes32)

WIDE bool check_long_wide(const struct range *range, const uint8_t *data, uint32_t size)
{
    return range->is_one ? long_32(range, NULL, data, size, false, true)
                         : long_32(range, NULL, data, size, false, false);
}

WIDE bool copy_long_wide(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    return range->is_one ? long_32(range, to, from, size, true, true)
                         : long_32(range, to, from, size, true, false);
}

bool long_is_wide(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}
#else
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
