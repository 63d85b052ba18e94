/* metric.h - counters, gauges and histograms, one block per thread, summed by the reader. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/base.h"

enum metric {
#define METRIC(name, kind, unit, help) METRIC_##name,
#include "base/metric.def"
#undef METRIC
    METRICS_COUNT
};

#define METRIC_BUCKETS 64u /* histogram: two buckets per power of two, in microseconds */

struct metric_block { /* owned by one thread; read by any */
    _Atomic int64_t values[METRICS_COUNT];
    _Atomic uint64_t buckets[METRICS_COUNT][METRIC_BUCKETS]; /* of the histogram rows */
};

struct metric_block *
metric_block_create(const char *thread_name); /* at start; listed for readers */
void metric_add(struct metric_block *block, enum metric metric, int64_t delta);
void metric_observe(struct metric_block *block, enum metric metric, int64_t value_us);
int64_t metric_sum(enum metric metric);
uint64_t metric_quantile_us(enum metric metric, double quantile);
/* Prometheus text into a caller's buffer; returns the bytes it needs. */
size_t metric_print(char *out, size_t out_size);

#endif
