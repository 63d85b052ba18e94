/* shared.c - see shared.h. Both processes. */
#include "hsm/shared.h"

#include <stdio.h>
#include <unistd.h>

size_t hsm_area_bytes(uint32_t clients_count, uint32_t instances_count)
{
    return sizeof(struct hsm_area) + sizeof(struct hsm_lane) * clients_count * instances_count;
}

struct hsm_lane *hsm_area_lane(struct hsm_area *area, uint32_t client, uint32_t instance)
{
    return &area->lanes[client * area->instances_count + instance];
}

void hsm_bell_ring(_Atomic uint32_t *asleep, int bell)
{
    /* The publication before and the sleeper's flag are of different words: both sides need the
     * full fence, or each may miss the other's store. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(asleep, memory_order_relaxed) != 0 &&
        atomic_exchange(asleep, 0) != 0) {
        const uint64_t one = 1;
        (void)!write(bell, &one, sizeof one);
    }
}

void hsm_instance_say(struct hsm_instance_line *line, const char *text)
{
    (void)snprintf(line->text, sizeof line->text, "%s", text);
}
