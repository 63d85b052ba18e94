/* wheel.c - see wheel.h.
 *
 * DESIGN  An entry sits in the level of the highest 5-bit group in which its tick differs from now,
 * so that it moves down at most WHEEL_LEVELS - 1 times. A bitmap per level says which slots hold
 * something; the next deadline is found from the bitmaps alone. */
#include "base/wheel.h"

#include "base/clock.h"

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define BITS 5
#define MASK (WHEEL_SLOTS - 1)
/* One slot of the highest level short of a whole turn: a full turn would be the slot of now. */
#define REACH (INT64_C(31) << (BITS * (WHEEL_LEVELS - 1)))

static int64_t tick_of(int64_t ns)
{
    return (ns + NS_PER_MS - 1) / NS_PER_MS; /* never early */
}

void wheel_init(struct wheel *wheel, int64_t now_ns)
{
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (uint32_t slot = 0; slot < WHEEL_SLOTS; slot++) {
            struct wheel_entry *head = &wheel->slots[level][slot];
            head->next = head->previous = head;
        }
    }
    wheel->tick_ms = now_ns / NS_PER_MS;
    wheel->armed_count = 0;
}

static void put(struct wheel *wheel, struct wheel_entry *entry)
{
    int64_t tick = tick_of(entry->deadline_ns);
    if (tick < wheel->tick_ms) {
        tick = wheel->tick_ms;
    }
    if (tick - wheel->tick_ms > REACH) {
        tick = wheel->tick_ms + REACH; /* it comes by earlier and is put again */
    }
    uint64_t differs = (uint64_t)tick ^ (uint64_t)wheel->tick_ms;
    uint32_t level = differs == 0 ? 0 : (63u - (uint32_t)__builtin_clzll(differs)) / BITS;
    if (level >= WHEEL_LEVELS) {
        level = WHEEL_LEVELS - 1;
    }
    uint32_t slot = (uint32_t)(tick >> (BITS * level)) & MASK;
    struct wheel_entry *head = &wheel->slots[level][slot];
    entry->next = head;
    entry->previous = head->previous;
    entry->previous->next = entry;
    head->previous = entry;
    entry->level = (uint8_t)level;
    entry->slot = (uint8_t)slot;
    wheel->occupied[level] |= 1u << slot;
}

static void take_out(struct wheel *wheel, struct wheel_entry *entry)
{
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    entry->next = entry->previous = NULL;
    struct wheel_entry *head = &wheel->slots[entry->level][entry->slot];
    if (head->next == head) {
        wheel->occupied[entry->level] &= ~(1u << entry->slot);
    }
}

void wheel_arm(struct wheel *wheel, struct wheel_entry *entry, int64_t deadline_ns)
{
    wheel_disarm(wheel, entry);
    entry->deadline_ns = deadline_ns;
    put(wheel, entry);
    wheel->armed_count++;
}

void wheel_disarm(struct wheel *wheel, struct wheel_entry *entry)
{
    if (entry->next != NULL) {
        take_out(wheel, entry);
        wheel->armed_count--;
    }
}

/* The first tick, from now on, at which a slot of this level is due; INT64_MAX when it is empty. */
static int64_t level_due(const struct wheel *wheel, uint32_t level)
{
    if (wheel->occupied[level] == 0) {
        return INT64_MAX;
    }
    int64_t here = wheel->tick_ms >> (BITS * level);
    uint32_t at = (uint32_t)here & MASK;
    uint32_t rotated =
        wheel->occupied[level] >> at | (at == 0 ? 0 : wheel->occupied[level] << (WHEEL_SLOTS - at));
    int64_t due = (here + __builtin_ctz(rotated)) << (BITS * level);
    return due < wheel->tick_ms ? wheel->tick_ms : due;
}

static int64_t next_due(const struct wheel *wheel, uint32_t *level)
{
    int64_t due = INT64_MAX;
    for (uint32_t i = WHEEL_LEVELS;
         i-- > 0;) { /* at the same tick the higher level moves down first */
        int64_t candidate = level_due(wheel, i);
        if (candidate < due) {
            due = candidate;
            *level = i;
        }
    }
    return due;
}

struct wheel_entry *wheel_expired(struct wheel *wheel, int64_t now_ns)
{
    int64_t now_tick = now_ns / NS_PER_MS;
    while (wheel->armed_count > 0) {
        uint32_t level = 0;
        int64_t due = next_due(wheel, &level);
        if (due > now_tick) {
            break;
        }
        wheel->tick_ms = due;
        struct wheel_entry *entry =
            wheel->slots[level][(uint32_t)(due >> (BITS * level)) & MASK].next;
        take_out(wheel, entry);
        if (entry->deadline_ns <= now_ns) {
            wheel->armed_count--;
            return entry;
        }
        put(wheel, entry); /* a level down, or round again */
    }
    if (now_tick > wheel->tick_ms) { /* every slot that holds something begins later */
        wheel->tick_ms = now_tick;
    }
    return NULL;
}

int64_t wheel_deadline(const struct wheel *wheel)
{
    uint32_t level = 0;
    int64_t due = wheel->armed_count == 0 ? INT64_MAX : next_due(wheel, &level);
    return due == INT64_MAX ? INT64_MAX : due * NS_PER_MS;
}
