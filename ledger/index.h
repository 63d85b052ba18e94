/* index.h - a seeded hash index over the rows of one table: chains of row numbers, latest first.
 *
 * DESIGN  The index holds no keys: it gives candidates whose hash fell into the same place, newest
 * first, and the caller compares rows. Links are arrays beside the table, so adding and removing
 * are O(1) and nothing is allocated. Keys are made under the data directory's secret, so nobody
 * outside can choose where they fall; still every walk is bounded by LEDGER_WALK_MAX.
 *
 * AGES  A table whose rows are a circle in the order of time has an index in LEDGER_AGES parts,
 * each with heads of its own for the rows of one stretch of the circle. What is added goes into the
 * part of now, which stays in the processor's caches however large the table is; a search visits
 * the parts from the newest to the oldest, as far as it has to.
 *
 * Derived data: rebuilt from the rows at start. Thread of the state. */
#ifndef LEDGER_INDEX_H
#define LEDGER_INDEX_H

#include "base/base.h"

#define LEDGER_WALK_MAX 4096u /* candidates looked at in one search */
#define LEDGER_AGES     64u

struct ledger_link {
    uint32_t next, before; /* row + 1 of its neighbours: the older one, the newer one */
};

struct ledger_index {
    uint32_t *heads; /* of each age: row + 1 of the newest; 0 = none */
    struct ledger_link *links;
    uint64_t seed;
    uint32_t mask; /* heads of an age, less one */
    uint32_t ages_count;
    uint32_t age_shift;  /* an age has 1 << age_shift rows */
    uint32_t rows_count; /* capacity */
    uint32_t entries_count;
    uint32_t age_entries[LEDGER_AGES];
};

/* `ages`: at most so many parts; 1 for rows that are not in the order of time. */
size_t ledger_index_bytes(uint32_t rows_count, uint32_t ages);
void ledger_index_init(struct ledger_index *index, uint8_t *memory, uint32_t rows_count,
                       uint32_t ages, uint64_t seed);
void ledger_index_clear(struct ledger_index *index);
void ledger_index_add(struct ledger_index *index, uint64_t hash, uint32_t row);
void ledger_index_remove(struct ledger_index *index, uint64_t hash, uint32_t row);

static inline uint32_t *ledger_index_head(const struct ledger_index *index, uint64_t hash,
                                          uint32_t age)
{
    hash = (hash ^ index->seed) * UINT64_C(0x9E3779B97F4A7C15);
    return &index->heads[(size_t)age * ((size_t)index->mask + 1) +
                         ((uint32_t)(hash >> 32) & index->mask)];
}
static inline uint32_t ledger_index_age(const struct ledger_index *index, uint32_t row)
{
    return row >> index->age_shift;
}
/* Where a row with this hash is added or removed. */
static ALWAYS_INLINE void ledger_index_prefetch(const struct ledger_index *index, uint64_t hash,
                                                uint32_t row)
{
    __builtin_prefetch(ledger_index_head(index, hash, ledger_index_age(index, row)), 1);
    __builtin_prefetch(&index->links[row], 1);
}

/* Of an index of one age. Newest candidate, then older ones: row + 1, 0 = no more. */
static inline uint32_t ledger_index_first(const struct ledger_index *index, uint64_t hash)
{
    return *ledger_index_head(index, hash, 0);
}
static inline uint32_t ledger_index_next(const struct ledger_index *index, uint32_t row_plus_1)
{
    return index->links[row_plus_1 - 1].next;
}

struct ledger_walk { /* a search through the ages */
    const struct ledger_index *index;
    uint64_t hash;
    uint32_t circle_row; /* that is written next: rows from here on are of the round before */
    uint32_t age, ages_left;
    uint32_t row;       /* row + 1 of the candidate */
    uint32_t rows_left; /* of LEDGER_WALK_MAX */
};
/* Newest candidate, then older ones: row + 1, 0 = no more. */
uint32_t ledger_walk_first(struct ledger_walk *walk, const struct ledger_index *index,
                           uint64_t hash, uint32_t circle_row);
uint32_t ledger_walk_next(struct ledger_walk *walk);

#endif
