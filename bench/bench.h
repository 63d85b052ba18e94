/* bench.h - what the benches share: histograms, the machine's load, one line a figure.
 *
 * Floating point is allowed here and nowhere else. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/base.h"

/* ---- histogram.c: latencies with 1.6 % resolution, from 1 ns to 9 minutes ------------------ */

#define HISTOGRAM_SUB_BITS 6u
#define HISTOGRAM_BUCKETS  (34u << HISTOGRAM_SUB_BITS)

struct histogram { /* zero it before use */
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t max_ns;
};
void histogram_add(struct histogram *histogram, int64_t value_ns);
/* Upper bound of the bucket that holds the quantile; 0 when empty. */
int64_t histogram_quantile_ns(const struct histogram *histogram, double quantile);

/* ---- machine.c: who else uses the processors ----------------------------------------------- */

#define MACHINE_TREES_MAX 8u

struct machine_trees { /* processes whose descendants, threads and they themselves are ours */
    int32_t roots[MACHINE_TREES_MAX];
    uint32_t count;
};
#define MACHINE_KERNEL_MAX 1024u
struct machine_sample {
    int64_t now_ns;
    double busy_s; /* of all processors, interrupts left out */
    double own_s;  /* our trees */
    uint32_t kernel_count;
    struct machine_thread { /* kernel threads: they work for somebody, mostly for us */
        int32_t id;
        double seconds;
    } kernel[MACHINE_KERNEL_MAX];
};
/* The calling process is always ours. */
void machine_sample(const struct machine_trees *trees, struct machine_sample *out);
/* Percent of the machine that others used between the two. */
double machine_foreign_percent(const struct machine_sample *from, const struct machine_sample *to);
uint32_t machine_cpus(void);
void machine_pin(int32_t cpu); /* the calling thread; -1: leave it; a refusal is only a warning */
/* What the daemon's threads ask for (switch/daemon_threads.c, base/io_write.c): a ceiling asks for
 * the same. Wishes, for the calling thread. */
void machine_go_first(bool is_writer);
int64_t machine_now_ns(void); /* CLOCK_MONOTONIC */

/* ---- figures ------------------------------------------------------------------------------- */

/* Prints rate and latencies: as a JSON object when asked, else as lines for people. `more` says
 * what was measured: a piece of JSON like "\"links\":8," put in front, or "". */
void bench_print(const char *bench, const char *more, double rate_per_s,
                 const struct histogram *histogram, double foreign_percent, bool json);

/* ---- programs
 * ------------------------------------------------------------------------------------ 0 = done, 1
 * = an expectation was not met, 2 = wrong usage. */
int bench_load(int argc, char **argv);
int bench_echo(int argc, char **argv);
int bench_prepare(int argc, char **argv);

/* Micro benches: one number each with its unit; json: a line a figure. */
int bench_codec(bool json);
int bench_rules(bool json);
int bench_ledger(bool json);
int bench_journal(bool json);
int bench_hsm(bool json);
int bench_ring(bool json);

#endif
