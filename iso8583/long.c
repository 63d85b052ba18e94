/* long.c - long runs of characters: 32 at a time where the processor can (AVX2), else 16.
 *
 * Which one is used is decided when a dialect is loaded. Both take size >= 32. */
#include "iso8583/program.h"

typedef uint8_t bytes32 __attribute__((vector_size(32)));

/* One loop, compiled twice. A class that is one range needs two instructions a vector; the others
 * all three ways of struct range. */
#define CHECK_LONG(vector, range, data, size)                                                      \
    vector low_ = (vector){0} + (range)->low, span_ = (vector){0} + (range)->span;                 \
    vector low_folded_ = (vector){0} + (range)->low_folded;                                        \
    vector span_folded_ = (vector){0} + (range)->span_folded;                                      \
    vector fold_ = (vector){0} + (range)->fold, extra_ = (vector){0} + (range)->extra;             \
    vector bad_ = {0};                                                                             \
    bool one_ = (range)->fold == 0 && (range)->low == (range)->low_folded &&                       \
                (range)->span == (range)->span_folded &&                                           \
                (uint8_t)((range)->extra - (range)->low) <= (range)->span;                         \
    for (uint32_t at_ = 0;; at_ += (uint32_t)sizeof(vector)) {                                     \
        vector x_;                                                                                 \
        if (at_ + sizeof(vector) > (size))                                                         \
            at_ = (size) - (uint32_t)sizeof(vector); /* the last ones once more */                 \
        memcpy(&x_, (data) + at_, sizeof(vector));                                                 \
        vector right_ = (vector)((x_ - low_) <= span_);                                            \
        if (!one_)                                                                                 \
            right_ |=                                                                              \
                (vector)(((x_ | fold_) - low_folded_) <= span_folded_) | (vector)(x_ == extra_);   \
        bad_ |= ~right_;                                                                           \
        if (at_ + sizeof(vector) == (size))                                                        \
            break;                                                                                 \
    }                                                                                              \
    uint64_t words_[sizeof(vector) / 8], any_ = 0;                                                 \
    memcpy(words_, &bad_, sizeof(words_));                                                         \
    for (uint32_t i_ = 0; i_ < sizeof(vector) / 8; i_++)                                           \
        any_ |= words_[i_];                                                                        \
    return any_ != 0

bool check_long_plain(const struct range *range, const uint8_t *data, uint32_t size)
{
    CHECK_LONG(bytes16, range, data, size);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) bool check_long_wide(const struct range *range, const uint8_t *data,
                                                     uint32_t size)
{
    CHECK_LONG(bytes32, range, data, size);
}

bool check_long_is_wide(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}
#else
bool check_long_wide(const struct range *range, const uint8_t *data, uint32_t size)
{
    return check_long_plain(range, data, size);
}

bool check_long_is_wide(void)
{
    return false;
}
#endif
