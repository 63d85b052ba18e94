/* durable.c - records written in groups; see durable.h. The benches' server thread. */
#include "bench/durable.h"

#include "bench/bench.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FILE_BYTES  (UINT64_C(256) << 20)
#define BLOCK_BYTES 4096u

static void *write_thread(void *argument)
{
    struct durable *durable = argument;
    uint64_t value;
    machine_go_first(true); /* on the server's processor, as the daemon's writer on its owner's */
    while (read(durable->start_fd, &value, sizeof value) == sizeof value &&
           !atomic_load(&durable->stop)) {
        ssize_t written = pwrite(durable->fd, durable->records[durable->gathering ^ 1],
                                 durable->write_bytes, (off_t)durable->offset);
        durable->thread_result = written < 0 ? -errno : (int32_t)written;
        value = 1;
        if (write(durable->done_fd, &value, sizeof value) != sizeof value) {
            break;
        }
    }
    return NULL;
}

static void read_done_fd(struct durable *durable)
{
    struct io_uring_sqe *sqe = wire_submission(durable->wire, 0);
    io_uring_prep_read(sqe, durable->done_fd, &durable->done_value, sizeof durable->done_value, 0);
}

static bool open_file(struct durable *durable, const char *directory, char *text, size_t text_size)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/echo-records", directory);
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_DSYNC;
    durable->is_direct = true;
    durable->fd = open(path, flags | O_DIRECT, 0600);
    if (durable->fd < 0 && errno == EINVAL) {
        durable->is_direct = false;
        durable->fd = open(path, flags, 0600);
    }
    if (durable->fd < 0) {
        (void)snprintf(text, text_size, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    off_t end = lseek(durable->fd, 0, SEEK_END);
    size_t piece = (size_t)1 << 20;
    uint8_t *zeros = aligned_alloc(BLOCK_BYTES, piece);
    must(zeros != NULL);
    memset(zeros, 0, piece);
    while (end >= 0 && (uint64_t)end < FILE_BYTES) {
        if (pwrite(durable->fd, zeros, piece, end) != (ssize_t)piece) {
            (void)snprintf(text, text_size, "cannot write %s: %s", path, strerror(errno));
            free(zeros);
            return false;
        }
        end += (off_t)piece;
    }
    free(zeros);
    return true;
}

bool durable_open(struct durable *durable, struct wire *wire, const char *directory,
                  uint32_t records_max, bool uses_thread, char *text, size_t text_size)
{
    *durable = (struct durable){.wire = wire, .uses_thread = uses_thread, .capacity = records_max};
    if (!open_file(durable, directory, text, text_size)) {
        return false;
    }
    size_t bytes =
        ((size_t)records_max * DURABLE_RECORD_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    for (int i = 0; i < 2; i++) {
        durable->records[i] = aligned_alloc(BLOCK_BYTES, bytes);
        must(durable->records[i] != NULL);
        memset(durable->records[i], 0, bytes);
    }
    if (uses_thread) {
        durable->start_fd = eventfd(0, EFD_CLOEXEC);
        durable->done_fd = eventfd(0, EFD_CLOEXEC);
        must(durable->start_fd >= 0 && durable->done_fd >= 0);
        must(pthread_create(&durable->thread, NULL, write_thread, durable) == 0);
        read_done_fd(durable);
    }
    return true;
}

void durable_append(struct durable *durable, const uint8_t *data, uint32_t size)
{
    must(durable->count < durable->capacity);
    uint8_t *record =
        durable->records[durable->gathering] + (size_t)durable->count * DURABLE_RECORD_BYTES;
    memcpy(record, data, size < DURABLE_RECORD_BYTES ? size : DURABLE_RECORD_BYTES);
    durable->count++;
}

bool durable_kick(struct durable *durable)
{
    if (durable->is_writing || durable->count == 0) {
        return false;
    }
    uint32_t bytes = durable->count * DURABLE_RECORD_BYTES;
    durable->write_bytes = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    if (durable->offset + durable->write_bytes > FILE_BYTES) {
        durable->offset = 0;
    }
    durable->records_count += durable->count;
    durable->writes_count++;
    durable->is_writing = true;
    durable->gathering ^= 1;
    durable->count = 0;
    if (durable->uses_thread) {
        uint64_t one = 1;
        must(write(durable->start_fd, &one, sizeof one) == sizeof one);
        return true;
    }
    struct io_uring_sqe *sqe = wire_submission(durable->wire, 0);
    io_uring_prep_write(sqe, durable->fd, durable->records[durable->gathering ^ 1],
                        durable->write_bytes, durable->offset);
    return true;
}

bool durable_done(struct durable *durable, int32_t result, bool *failed)
{
    if (durable->uses_thread) {
        result = durable->thread_result;
        read_done_fd(durable);
    }
    *failed = result != (int32_t)durable->write_bytes;
    durable->offset += durable->write_bytes;
    durable->is_writing = false;
    return true;
}

void durable_close(struct durable *durable)
{
    if (durable->uses_thread) {
        uint64_t one = 1;
        atomic_store(&durable->stop, true);
        must(write(durable->start_fd, &one, sizeof one) == sizeof one);
        (void)pthread_join(durable->thread, NULL);
        (void)close(durable->start_fd);
        (void)close(durable->done_fd);
    }
    (void)close(durable->fd);
    free(durable->records[0]);
    free(durable->records[1]);
}
