/* long.c - long runs of characters: 32 at a time where the processor can (AVX2), else 16.
 *
 * Which one is used is decided when a dialect is loaded. size >= 64. */
#include "iso8583/program.h"

typedef uint8_t bytes32 __attribute__((vector_size(32)));

/* What one vector of characters adds to the bad ones. A class that is one range needs three
 * instructions; the others all three ways of struct range. */
#define LONG_ONE(vector, x) bad_ |= ~(vector)(((x)-low_) <= span_)
#define LONG_ALL(vector, x)                                                                        \
    bad_ |= ~((vector)(((x)-low_) <= span_) |                                                      \
              (vector)((((x) | fold_) - low_folded_) <= span_folded_) | (vector)((x) == extra_))

/* Loads, stores when there is somewhere to, judges; the last vector overlaps the one before. */
#define LONG_LOOP(vector, judge, to, from, size)                                                   \
    do {                                                                                           \
        uint32_t at_ = 0, last_ = (size) - (uint32_t)sizeof(vector);                               \
        vector x_, y_;                                                                             \
        for (; at_ + sizeof(vector) < last_; at_ += 2 * (uint32_t)sizeof(vector)) {                \
            memcpy(&x_, (from) + at_, sizeof(vector));                                             \
            memcpy(&y_, (from) + at_ + sizeof(vector), sizeof(vector));                            \
            if ((to) != NULL) {                                                                    \
                memcpy((to) + at_, &x_, sizeof(vector));                                           \
                memcpy((to) + at_ + sizeof(vector), &y_, sizeof(vector));                          \
            }                                                                                      \
            judge(vector, x_);                                                                     \
            judge(vector, y_);                                                                     \
        }                                                                                          \
        if (at_ < last_) {                                                                         \
            memcpy(&x_, (from) + at_, sizeof(vector));                                             \
            if ((to) != NULL)                                                                      \
                memcpy((to) + at_, &x_, sizeof(vector));                                           \
            judge(vector, x_);                                                                     \
        }                                                                                          \
        memcpy(&x_, (from) + last_, sizeof(vector));                                               \
        if ((to) != NULL)                                                                          \
            memcpy((to) + last_, &x_, sizeof(vector));                                             \
        judge(vector, x_);                                                                         \
    } while (0)

#define LONG_BODY(vector, range, to, from, size)                                                   \
    vector low_ = (vector){0} + (range)->low, span_ = (vector){0} + (range)->span;                 \
    vector bad_ = {0};                                                                             \
    if ((range)->is_one) {                                                                         \
        LONG_LOOP(vector, LONG_ONE, to, from, size);                                               \
    } else {                                                                                       \
        vector low_folded_ = (vector){0} + (range)->low_folded;                                    \
        vector span_folded_ = (vector){0} + (range)->span_folded;                                  \
        vector fold_ = (vector){0} + (range)->fold, extra_ = (vector){0} + (range)->extra;         \
        LONG_LOOP(vector, LONG_ALL, to, from, size);                                               \
    }                                                                                              \
    uint64_t words_[sizeof(vector) / 8], any_ = 0;                                                 \
    memcpy(words_, &bad_, sizeof(words_));                                                         \
    for (uint32_t i_ = 0; i_ < sizeof(vector) / 8; i_++)                                           \
        any_ |= words_[i_];                                                                        \
    return any_ != 0

bool check_long_plain(const struct range *range, const uint8_t *data, uint32_t size)
{
    LONG_BODY(bytes16, range, (uint8_t *)NULL, data, size);
}

bool copy_long_plain(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size)
{
    LONG_BODY(bytes16, range, to, from, size);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) bool check_long_wide(const struct range *range, const uint8_t *data,
                                                     uint32_t size)
{
    LONG_BODY(bytes32, range, (uint8_t *)NULL, data, size);
}

__attribute__((target("avx2"))) bool copy_long_wide(const struct range *range, uint8_t *to,
                                                    const uint8_t *from, uint32_t size)
{
    LONG_BODY(bytes32, range, to, from, size);
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
