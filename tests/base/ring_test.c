#include "base/ring.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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
