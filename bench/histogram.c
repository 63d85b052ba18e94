/* histogram.c - counts of latencies: linear within a power of two, 64 steps each. */
#include "bench/bench.h"

static uint32_t bucket_of(uint64_t value)
{
    if (value < (UINT64_C(1) << HISTOGRAM_SUB_BITS)) {
        return (uint32_t)value;
    }
    uint32_t power = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t shift = power - HISTOGRAM_SUB_BITS;
    uint32_t bucket = ((shift + 1) << HISTOGRAM_SUB_BITS) +
                      (uint32_t)((value >> shift) & ((1u << HISTOGRAM_SUB_BITS) - 1));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static int64_t upper_bound(uint32_t bucket)
{
    uint32_t shift = bucket >> HISTOGRAM_SUB_BITS;
    uint64_t step = bucket & ((1u << HISTOGRAM_SUB_BITS) - 1);
    if (shift == 0) {
        return (int64_t)step;
    }
    shift--;
    return (int64_t)(((step + (1u << HISTOGRAM_SUB_BITS) + 1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, int64_t value_ns)
{
    value_ns = value_ns < 0 ? 0 : value_ns;
    histogram->buckets[bucket_of((uint64_t)value_ns)]++;
    histogram->count++;
    if (value_ns > histogram->max_ns) {
        histogram->max_ns = value_ns;
    }
}

int64_t histogram_quantile_ns(const struct histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)(quantile * (double)histogram->count + 0.5);
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= wanted && seen > 0) {
            int64_t bound = upper_bound(bucket);
            return bound < histogram->max_ns ? bound : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}
