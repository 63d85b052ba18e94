/* counter.c - sliding counters: how often a key was approved within a window that moves in buckets.
 *
 * The window is `buckets` whole buckets that end in the current one; the bucket before them is
 * partly inside and counts whole (contract section 4). Thread: the shard's. Bounds:
 * counter_slots_max. */
#include "ledger/tables.h"

#include "base/clock.h"

uint64_t ledger_counter_hash(uint64_t declaration, uint64_t key)
{
    return declaration * UINT64_C(0x9E3779B97F4A7C15) ^ key;
}

uint16_t ledger_counter_tag(const struct ledger_counter *counter)
{
    uint64_t hash = ledger_counter_hash(counter->declaration, counter->key);
    return (uint16_t)((hash * UINT64_C(0xD6E8FEB86659FD93)) >> 48);
}

uint32_t ledger_counter_find(const struct ledger_state *state, uint64_t declaration, uint64_t key)
{
    uint64_t hash = ledger_counter_hash(declaration, key);
    uint32_t row = ledger_index_first(&state->by_counter, hash);
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        const struct ledger_counter *counter = &state->counters[row - 1];
        if (counter->declaration == declaration && counter->key == key) {
            return row;
        }
        row = ledger_index_next(&state->by_counter, row);
    }
    return 0;
}

static int64_t bucket_of(const struct ledger_counter *counter, int64_t utc_ns)
{
    int64_t width_ns = (int64_t)counter->window_s * NS_PER_S / counter->buckets;
    return utc_ns / (width_ns > 0 ? width_ns : 1);
}

static bool has_passed(const struct ledger_counter *counter, int64_t utc_ns)
{
    return bucket_of(counter, utc_ns) - counter->newest_bucket > counter->buckets;
}

uint32_t ledger_counter_place(const struct ledger_state *state, uint64_t declaration, uint64_t key,
                              int64_t utc_ns, uint32_t skip)
{
    uint32_t row = ledger_free_row(&state->counters_free, skip);
    if (row != 0) {
        return row;
    }
    uint32_t rows = state->limits.counter_slots_max;
    uint64_t start = ledger_counter_hash(declaration, key) ^ state->seed;
    for (uint32_t i = 0; i < LEDGER_NEXT_ROWS_MAX && rows > 0; i++) {
        row = (uint32_t)((start + i) % rows);
        if (has_passed(&state->counters[row], utc_ns)) {
            return row + 1;
        }
    }
    return 0;
}

uint32_t ledger_counter_value(const struct ledger_counter *counter, int64_t utc_ns)
{
    int64_t now = bucket_of(counter, utc_ns), newest = counter->newest_bucket;
    uint32_t value = 0;
    for (int64_t bucket = now - counter->buckets; bucket <= now; bucket++) {
        if (bucket <= newest && bucket > newest - (int64_t)LEDGER_COUNTER_BUCKETS) {
            value += counter->counts[bucket % (int64_t)LEDGER_COUNTER_BUCKETS];
        }
    }
    return value;
}

void ledger_counter_add(struct ledger_counter *counter, int64_t utc_ns)
{
    int64_t now = bucket_of(counter, utc_ns);
    int64_t from = counter->newest_bucket + 1;
    if (now - from >= (int64_t)LEDGER_COUNTER_BUCKETS) {
        from = now - (int64_t)LEDGER_COUNTER_BUCKETS + 1;
    }
    for (int64_t bucket = from; bucket <= now; bucket++) {
        counter->counts[bucket % (int64_t)LEDGER_COUNTER_BUCKETS] = 0;
    }
    if (now > counter->newest_bucket) {
        counter->newest_bucket = now;
    }
    uint16_t *count = &counter->counts[now % (int64_t)LEDGER_COUNTER_BUCKETS];
    if (*count < UINT16_MAX) {
        (*count)++;
    }
}

void ledger_counter_give_back(struct ledger_counter *counter, int64_t counted_utc_ns)
{
    int64_t bucket = bucket_of(counter, counted_utc_ns);
    uint16_t *count = &counter->counts[bucket % (int64_t)LEDGER_COUNTER_BUCKETS];
    if (bucket <= counter->newest_bucket &&
        bucket > counter->newest_bucket - (int64_t)LEDGER_COUNTER_BUCKETS && *count > 0) {
        (*count)--;
    }
}
