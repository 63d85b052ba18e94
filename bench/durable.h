/* durable.h - a file of records written in groups: the least that a durable answer costs.
 *
 * DESIGN  Records of 512 bytes gather while one write is in flight; when it is done all that
 * gathered goes out in the next one. The file is written with zeros once and used round and round,
 * opened O_DIRECT|O_DSYNC. The write is an operation of the wire's ring, or a thread that blocks in
 * pwrite and rings an eventfd. */
#ifndef BENCH_DURABLE_H
#define BENCH_DURABLE_H

#include "bench/wire.h"
#include <pthread.h>
#include <stdatomic.h>

#define DURABLE_RECORD_BYTES 512u

struct durable {
    struct wire *wire;
    int fd;
    bool is_direct; /* O_DIRECT was granted */
    bool uses_thread;
    bool is_writing;
    uint8_t *records[2]; /* [gathering] fills, the other is being written */
    uint32_t gathering;
    uint32_t count; /* records that gathered */
    uint32_t capacity;
    uint64_t offset;
    uint32_t write_bytes;
    uint64_t writes_count, records_count;
    pthread_t thread;
    int start_fd, done_fd; /* eventfds of the thread */
    uint64_t done_value;
    _Atomic bool stop;
    int32_t thread_result;
};

/* records_max: the most that can gather. False: `text` says why. */
NODISCARD bool durable_open(struct durable *durable, struct wire *wire, const char *directory,
                            uint32_t records_max, bool uses_thread, char *text, size_t text_size);
void durable_append(struct durable *durable, const uint8_t *data, uint32_t size);
/* Starts the next write when none is in flight and something gathered. True: it started. */
bool durable_kick(struct durable *durable);
/* From wire.on_done: true when a write has ended; *failed when it did not reach the disk. */
NODISCARD bool durable_done(struct durable *durable, int32_t result, bool *failed);
void durable_close(struct durable *durable);

#endif
