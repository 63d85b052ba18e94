/* journal_bench.c - one durable write as the journal makes it, by both ways that base/ has: through
 * the ring (io_uring, O_DIRECT|O_DSYNC), and by a thread that blocks in pwrite. One in flight,
 * pre-written segment, 4, 32 and 128 KiB; the machine idle, then with a busy thread on every core.
 *
 * The folder is $TMPDIR or /var/tmp: it decides which device is measured. */
#include "base/clock.h"
#include "base/disk.h"
#include "bench/bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT_BYTES (32u << 20)
#define WRITES_COUNT  1000u
#define SPINNERS_MAX  64u
#define SEGMENT_NAME  "journal-bench.seg"

struct place { /* a folder with one segment */
    char path[256];
    struct disk *disk;
    io_file file;
    bool is_direct;
};

/* ---- one cell ------------------------------------------------------------------------------ */

static bool write_once(struct io *io, const struct place *place, const uint8_t *data, uint32_t size,
                       uint64_t offset)
{
    struct io_event event;
    io->ops->write(io, 1, place->file, data, size, offset);
    while (io->ops->wait(io, INT64_MAX, &event, 1) == 0) {
    }
    return event.kind == IO_WRITE && event.result == (int32_t)size;
}

static bool measure(bool by_thread, const struct place *place, uint32_t size,
                    struct histogram *histogram, double *rate_per_s)
{
    char text[256];
    struct io_options options = {.write_thread = by_thread};
    struct io *io = io_uring_create_with(&options, text, sizeof text);
    if (io == NULL) {
        (void)fprintf(stderr, "ringbench: %s\n", text);
        return false;
    }
    uint8_t *data = aligned_alloc(4096, size);
    must(data != NULL);
    memset(data, 0x5A, size);
    uint64_t offset = 0;
    bool ok = true;
    int64_t begin_ns = machine_now_ns();
    for (uint32_t i = 0; ok && i < WRITES_COUNT; i++) {
        int64_t from_ns = machine_now_ns();
        ok = write_once(io, place, data, size, offset);
        histogram_add(histogram, machine_now_ns() - from_ns);
        offset = offset + 2 * size > SEGMENT_BYTES ? 0 : offset + size;
    }
    *rate_per_s = WRITES_COUNT * 1e9 / (double)(machine_now_ns() - begin_ns);
    free(data);
    io->ops->destroy(io);
    return ok;
}

/* ---- a busy machine ------------------------------------------------------------------------ */

static void *spin(void *stop)
{
    while (!atomic_load_explicit((_Atomic bool *)stop, memory_order_relaxed)) {
    }
    return NULL;
}

static uint32_t spinners_start(pthread_t *threads, _Atomic bool *stop)
{
    uint32_t count = machine_cpus() < SPINNERS_MAX ? machine_cpus() : SPINNERS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        must(pthread_create(&threads[i], NULL, spin, stop) == 0);
    }
    return count;
}

static bool cells(const struct place *place, bool busy, bool json)
{
    static const uint32_t sizes[] = {4096, 32 * 1024, 128 * 1024};
    struct histogram *histogram = calloc(1, sizeof *histogram);
    must(histogram != NULL);
    bool ok = true;
    for (uint32_t i = 0; ok && i < 2 * countof(sizes); i++) {
        bool by_thread = i % 2 == 1;
        uint32_t size = sizes[i / 2];
        char more[160];
        double rate_per_s = 0;
        struct machine_sample from, to;
        memset(histogram, 0, sizeof *histogram);
        machine_sample(&(struct machine_trees){.count = 0}, &from);
        ok = measure(by_thread, place, size, histogram, &rate_per_s);
        machine_sample(&(struct machine_trees){.count = 0}, &to);
        (void)snprintf(more, sizeof more,
                       "\"way\":\"%s\",\"bytes\":%u,\"machine\":\"%s\",\"direct\":%s,",
                       by_thread ? "thread" : "ring", size, busy ? "busy" : "idle",
                       place->is_direct ? "true" : "false");
        if (ok) {
            bench_print("journal_write", more, rate_per_s, histogram,
                        machine_foreign_percent(&from, &to), json);
        }
    }
    free(histogram);
    return ok;
}

/* ---- the bench ----------------------------------------------------------------------------- */

static bool place_make(struct place *place)
{
    const char *folder = getenv("TMPDIR");
    (void)snprintf(place->path, sizeof place->path, "%s/ringbench.XXXXXX",
                   folder != NULL ? folder : "/var/tmp");
    enum io_err err = IO_ERR_OTHER;
    place->disk = mkdtemp(place->path) != NULL ? disk_directory(place->path, &err) : NULL;
    if (place->disk != NULL) {
        err = place->disk->ops->segment_open(place->disk, SEGMENT_NAME, SEGMENT_BYTES,
                                             &place->is_direct, &place->file);
    }
    if (err != IO_OK) {
        (void)fprintf(stderr, "ringbench: %s: %s\n", place->path, io_err_text(-(int32_t)err));
    }
    return err == IO_OK;
}

int bench_journal(bool json)
{
    struct place place;
    _Atomic bool stop = false;
    pthread_t threads[SPINNERS_MAX];
    bool ok = place_make(&place) && cells(&place, false, json);
    if (ok) {
        uint32_t count = spinners_start(threads, &stop);
        ok = cells(&place, true, json);
        atomic_store(&stop, true);
        for (uint32_t i = 0; i < count; i++) {
            (void)pthread_join(threads[i], NULL);
        }
    }
    if (place.disk != NULL) {
        (void)place.disk->ops->remove(place.disk, SEGMENT_NAME);
        place.disk->ops->destroy(place.disk);
        (void)rmdir(place.path);
    }
    return ok ? 0 : 1;
}
