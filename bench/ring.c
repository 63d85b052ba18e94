/* ring.c - `ringbench ring`: what a record costs on its way through base/ring.h. */
#include "base/ring.h"

#include "bench/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY (1u << 20)
#define ROUNDS   200000u
#define BATCH    32u

static double measure_ns(struct ring *ring, uint32_t size)
{
    int64_t began_ns = machine_now_ns();
    uint64_t sum = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            void *record = ring_reserve(ring, size);
            must(record != NULL);
            memset(record, (int)i, size);
        }
        ring_publish(ring);
        uint32_t got;
        for (const uint8_t *record; (record = ring_peek(ring, &got)) != NULL;) {
            sum += record[got - 1];
            ring_next(ring);
        }
        ring_release(ring);
    }
    must(sum == (uint64_t)ROUNDS * (BATCH * (BATCH - 1) / 2));
    return (double)(machine_now_ns() - began_ns) / ((double)ROUNDS * BATCH);
}

int bench_ring(bool json)
{
    static const uint32_t sizes[] = {64, 512, 4096};
    void *memory = aligned_alloc(4096, (ring_bytes(CAPACITY) + 4095) / 4096 * 4096);
    must(memory != NULL);
    for (size_t i = 0; i < countof(sizes); i++) {
        struct ring *ring = ring_init(memory, CAPACITY);
        double ns = measure_ns(ring, sizes[i]);
        if (json) {
            printf("{\"bench\":\"ring\",\"name\":\"record of %u B through, %u a batch\","
                   "\"ns\":%.1f,\"allocs\":0}\n",
                   sizes[i], BATCH, ns);
        } else {
            printf("ring      record of %4u B through, %u a batch %10.1f ns\n", sizes[i], BATCH,
                   ns);
        }
    }
    free(memory);
    return 0;
}
