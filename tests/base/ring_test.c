#include "base/mem.h"
#include "base/ring.h"
#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY 65536u

static struct ring *ring;

static void create(void)
{
    void *memory = aligned_alloc(64, (ring_bytes(CAPACITY) + 63) / 64 * 64);
    ring = ring_init(memory, CAPACITY);
}

static void destroy(void)
{
    free(ring);
}

TestSuite(ring, .init = create, .fini = destroy);

Test(ring, is_invisible_until_published)
{
    uint32_t size;
    memcpy(ring_reserve(ring, 3), "abc", 3);
    cr_assert(ring_has_unpublished(ring));
    cr_assert_null(ring_peek(ring, &size));
    ring_publish(ring);
    cr_assert(!ring_has_unpublished(ring) && !ring_empty(ring));
    cr_assert_arr_eq(ring_peek(ring, &size), "abc", 3);
    cr_assert_eq(size, 3);
    ring_next(ring);
    ring_release(ring);
    cr_assert(ring_empty(ring));
}

/* Random sizes, filled up and emptied again and again: order and content survive every wrap. */
Test(ring, keeps_order_through_wraps)
{
    uint32_t seed = 1, written = 0, read = 0;
    for (int round = 0; round < 2000; round++) {
        for (;;) {
            uint32_t wanted = 4 + (seed = seed * 1664525 + 1013904223) % 3000;
            uint8_t *out = ring_reserve(ring, wanted);
            if (out == NULL) {
                break;
            }
            memset(out, (int)(written & 255), wanted);
            memcpy(out, &wanted, 4);
            written++;
        }
        ring_publish(ring);
        uint32_t size;
        uint8_t *in;
        for (int i = 0; i < 7 && (in = ring_peek(ring, &size)) != NULL; i++) {
            uint32_t said;
            memcpy(&said, in, 4);
            cr_assert_eq(said, size);
            cr_assert(size == 4 || in[size - 1] == (read & 255));
            read++;
            ring_next(ring);
        }
        ring_release(ring);
    }
    cr_assert(read > 10000 && written >= read);
}

Test(ring, is_full_and_then_has_room_again)
{
    uint32_t count = 0, size;
    while (ring_reserve(ring, 1000) != NULL) {
        count++;
    }
    cr_assert_eq(count, CAPACITY / 1008);
    cr_assert_lt(ring_free_bytes(ring), 1008);
    ring_publish(ring);
    cr_assert_not_null(ring_peek(ring, &size));
    ring_next(ring);
    cr_assert_null(ring_reserve(ring, 1000));
    ring_release(ring);
    cr_assert_not_null(ring_reserve(ring, 900));
}

/* Another process at another address, through the same memory. */
Test(ring, joins_two_processes)
{
    int fd = -1;
    struct ring *near =
        ring_init(mem_take_shared(MEM_PLAIN, ring_bytes(CAPACITY), "ring", &fd), CAPACITY);
    pid_t child = fork();
    if (child == 0) {
        struct ring *far =
            mmap(NULL, ring_bytes(CAPACITY), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        for (uint32_t i = 0; i < 20000; i++) {
            uint32_t *out;
            while ((out = ring_reserve(far, 4 + i % 700)) == NULL) {
                (void)sched_yield();
            }
            *out = i;
            ring_publish(far);
        }
        _exit(0);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t size;
        const uint32_t *in;
        while ((in = ring_peek(near, &size)) == NULL) {
            (void)sched_yield();
        }
        cr_assert(size == 4 + i % 700 && *in == i);
        ring_next(near);
        ring_release(near);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(status == 0 && ring_empty(near));
}

/* The other process is not trusted with this one's memory. */
Test(ring, a_size_that_cannot_be_ends_the_process, .signal = SIGABRT)
{
    uint32_t size, wrong = LIMIT_RECORD_BYTES_MAX + 1;
    uint8_t *record = ring_reserve(ring, 8);
    memcpy(record - 8, &wrong, sizeof wrong);
    ring_publish(ring);
    (void)!ring_peek(ring, &size);
}
