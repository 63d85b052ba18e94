/* metric.c - see metric.h. Writers touch only their own block, with relaxed stores. */
#include "base/metric.h"

#include "base/mem.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define BLOCKS_MAX 64u

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct {
    const char *name;
    enum kind kind;
    const char *help;
} rows[METRICS_COUNT] = {
#define METRIC(name, kind, unit, help) {#name, kind, help " (" unit ")"},
#include "base/metric.def"
#undef METRIC
};

static struct metric_block *_Atomic blocks[BLOCKS_MAX]; /* filled at start, read by any thread */
static _Atomic uint32_t blocks_count;

struct metric_block *metric_block_create(const char *thread_name)
{
    (void)thread_name;
    struct metric_block *block = mem_take(MEM_PLAIN, sizeof *block, "metrics");
    uint32_t index = atomic_fetch_add(&blocks_count, 1);
    must(index < BLOCKS_MAX);
    atomic_store_explicit(&blocks[index], block, memory_order_release);
    return block;
}

void metric_add(struct metric_block *block, enum metric metric, int64_t delta)
{
    int64_t value = atomic_load_explicit(&block->values[metric], memory_order_relaxed);
    atomic_store_explicit(&block->values[metric], value + delta, memory_order_relaxed);
}

/* Two buckets per power of two: 1, 1.5, 2, 3, 4, 6 … microseconds. */
static uint32_t bucket_of(int64_t value_us)
{
    uint64_t value = value_us < 1 ? 1 : (uint64_t)value_us;
    uint32_t power = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t half = power == 0 ? 0 : (uint32_t)(value >> (power - 1)) & 1u;
    uint32_t bucket = power * 2 + half;
    return bucket < METRIC_BUCKETS ? bucket : METRIC_BUCKETS - 1;
}

/* The first value that is too large for it. 1 has no half: bucket 1 stays empty. */
static uint64_t bucket_limit_us(uint32_t bucket)
{
    uint64_t base = UINT64_C(1) << (bucket / 2);
    return bucket % 2 == 0 ? base + (base + 1) / 2 : base * 2;
}

void metric_observe(struct metric_block *block, enum metric metric, int64_t value_us)
{
    uint32_t bucket = bucket_of(value_us);
    uint64_t count = atomic_load_explicit(&block->buckets[metric][bucket], memory_order_relaxed);
    atomic_store_explicit(&block->buckets[metric][bucket], count + 1, memory_order_relaxed);
    metric_add(block, metric, value_us);
}

static uint32_t known_blocks(void)
{
    uint32_t count = atomic_load(&blocks_count);
    return count < BLOCKS_MAX ? count : BLOCKS_MAX;
}

int64_t metric_sum(enum metric metric)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < known_blocks(); i++) {
        struct metric_block *block = atomic_load_explicit(&blocks[i], memory_order_acquire);
        sum +=
            block == NULL ? 0 : atomic_load_explicit(&block->values[metric], memory_order_relaxed);
    }
    return sum;
}

static uint64_t bucket_sum(enum metric metric, uint32_t bucket)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < known_blocks(); i++) {
        struct metric_block *block = atomic_load_explicit(&blocks[i], memory_order_acquire);
        sum += block == NULL
                   ? 0
                   : atomic_load_explicit(&block->buckets[metric][bucket], memory_order_relaxed);
    }
    return sum;
}

uint64_t metric_quantile_us(enum metric metric, double quantile)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < METRIC_BUCKETS; i++) {
        total += bucket_sum(metric, i);
    }
    uint64_t seen = 0;
    for (uint32_t i = 0; i < METRIC_BUCKETS; i++) {
        seen += bucket_sum(metric, i);
        if (seen > 0 && (double)seen >= quantile * (double)total) {
            return bucket_limit_us(i);
        }
    }
    return 0;
}

/* ---- Prometheus text exposition format 0.0.4 ---------------------------------------------------
 */

struct text {
    char *out;
    size_t size, used; /* used counts on when out is full */
};

PRINTF(2, 3) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = text->used < text->size ? text->size - text->used : 0;
    int n = vsnprintf(room > 0 ? text->out + text->used : NULL, room, format, args);
    va_end(args);
    text->used += n > 0 ? (size_t)n : 0;
}

static void print_histogram(struct text *text, enum metric metric)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < METRIC_BUCKETS; i++) {
        seen += bucket_sum(metric, i);
        if (i != 1 && i < METRIC_BUCKETS - 1) { /* le is inclusive; the last one has no bound */
            add(text, "ringswitch_%s_bucket{le=\"%llu\"} %llu\n", rows[metric].name,
                (unsigned long long)bucket_limit_us(i) - 1, (unsigned long long)seen);
        }
    }
    add(text, "ringswitch_%s_bucket{le=\"+Inf\"} %llu\n", rows[metric].name,
        (unsigned long long)seen);
    add(text, "ringswitch_%s_sum %lld\n", rows[metric].name, (long long)metric_sum(metric));
    add(text, "ringswitch_%s_count %llu\n", rows[metric].name, (unsigned long long)seen);
}

size_t metric_print(char *out, size_t out_size)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct text text = {.out = out, .size = out_size};
    for (uint32_t i = 0; i < METRICS_COUNT; i++) {
        add(&text, "# HELP ringswitch_%s %s\n# TYPE ringswitch_%s %s\n", rows[i].name, rows[i].help,
            rows[i].name, kinds[rows[i].kind]);
        if (rows[i].kind == HISTOGRAM) {
            print_histogram(&text, (enum metric)i);
        } else {
            add(&text, "ringswitch_%s %lld\n", rows[i].name, (long long)metric_sum((enum metric)i));
        }
    }
    return text.used;
}
