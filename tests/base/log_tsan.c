/* log_tsan.c - threads that log and count while others read, and writes by an io's own thread, for
 * ThreadSanitizer. A plain main(). */
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 3
#define EVENTS  3000
#define WRITES  200u

static void *count_and_log(void *context)
{
    const char *name = context;
    log_thread_init(name);
    struct metric_block *block = metric_block_create(name);
    for (int i = 0; i < EVENTS; i++) {
        metric_add(block, METRIC_frames_received, 1);
        metric_observe(block, METRIC_answer_us, i);
        log_event(LOG_INFO, "turn", log_number("number", i / 10), log_text("name", name));
    }
    return NULL;
}

static void *write_blocks(void *context)
{
    const char *path = context;
    char text[256];
    struct io *io =
        io_uring_create_with(&(struct io_options){.write_thread = true}, text, sizeof text);
    must(io != NULL);
    int file = open(path, O_RDWR | O_CLOEXEC);
    uint8_t *data = mem_take(MEM_PLAIN, 4096, "block");
    static struct io_event events[LIMIT_IO_EVENTS_MAX];
    for (uint32_t done = 0, asked = 0; done < WRITES;) {
        for (; asked < WRITES && asked - done < 4; asked++) {
            io->ops->write(io, asked, file, data, 4096, (uint64_t)asked * 4096);
        }
        uint32_t count =
            io->ops->wait(io, clock_system.boot_ns(NULL) + NS_PER_S, events, LIMIT_IO_EVENTS_MAX);
        for (uint32_t i = 0; i < count; i++) {
            must(events[i].kind == IO_WRITE && events[i].result == 4096);
        }
        done += count;
    }
    (void)close(file);
    io->ops->destroy(io);
    return NULL;
}

int main(void)
{
    static const char *const names[THREADS] = {"one", "two", "three"};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_start(null, LOG_INFO);
    char path[] = "/tmp/log_tsan_XXXXXX";
    int file = mkstemp(path);
    must(file >= 0);
    pthread_t threads[THREADS + 1];
    for (int i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, count_and_log, (void *)names[i]) == 0);
    }
    must(pthread_create(&threads[THREADS], NULL, write_blocks, path) == 0);
    static char text[1 << 16];
    for (int i = 0; i < 50; i++) {
        (void)metric_print(text, sizeof text);
        log_flush();
    }
    for (int i = 0; i <= THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    must(metric_sum(METRIC_frames_received) == (int64_t)THREADS * EVENTS);
    (void)unlink(path);
    (void)close(file);
    (void)puts("1 passed, 0 failed");
    return 0;
}
