/* index.h - a seeded hash index over the rows of one table: chains of row numbers, latest first.
 *
 * DESIGN  The index holds no keys: it gives candidates whose hash fell into the same place, newest
 * first, and the caller compares rows. Links are arrays beside the table, so adding and removing
 * are O(1) and nothing is allocated. Keys are made under the data directory's secret, so nobody
 * outside can choose where they fall; still every walk is bounded by LEDGER_WALK_MAX.
 *
 * Derived data: rebuilt from the rows at start. Thread of the state. */
#ifndef LEDGER_INDEX_H
#define LEDGER_INDEX_H

#include "base/base.h"

#define LEDGER_WALK_MAX 4096u /* candidates looked at in one search */

struct ledger_index {
    uint32_t *heads;           /* row + 1 of the newest; 0 = none */
    uint32_t *nexts, *befores; /* row + 1 of its neighbours */
    uint64_t seed;
    uint32_t mask;
    uint32_t rows_count; /* capacity */
    uint32_t entries_count;
};

size_t ledger_index_bytes(uint32_t rows_count);
void ledger_index_init(struct ledger_index *index, uint8_t *memory, uint32_t rows_count,
                       uint64_t seed);
void ledger_index_clear(struct ledger_index *index);
void ledger_index_add(struct ledger_index *index, uint64_t hash, uint32_t row);
void ledger_index_remove(struct ledger_index *index, uint64_t hash, uint32_t row);

static inline uint32_t ledger_index_place(const struct ledger_index *index, uint64_t hash)
{
    hash = (hash ^ index->seed) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32) & index->mask;
}
/* Newest candidate, then older ones: row + 1, 0 = no more. */
static inline uint32_t ledger_index_first(const struct ledger_index *index, uint64_t hash)
{
    return index->heads[ledger_index_place(index, hash)];
}
static inline uint32_t ledger_index_next(const struct ledger_index *index, uint32_t row_plus_1)
{
    return index->nexts[row_plus_1 - 1];
}
static inline void ledger_index_prefetch(const struct ledger_index *index, uint64_t hash)
{
    __builtin_prefetch(&index->heads[ledger_index_place(index, hash)], 1);
}

#endif
