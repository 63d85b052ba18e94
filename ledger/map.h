/* map.h - the rows of unique keys: a search touches one cache line, and mostly finds nothing there.
 *
 * DESIGN  Nearly every message is new, and its key has to be searched among all that are kept. A
 * line holds 10 rows and 16 bits of the hash of each. A key belongs on one line; if that is full it
 * stands on the next that is not, and each line that it passed counts it, so a search goes on only
 * as long as something has passed. On the average 6 of 10 places are taken, and one search in
 * sixteen looks at a second line.
 *
 * The map holds no keys: it gives candidates, the caller compares rows. Keys are made under the
 * data directory's secret, as those of the indexes. Derived data, thread of the state. */
#ifndef LEDGER_MAP_H
#define LEDGER_MAP_H

#include "base/base.h"

#define LEDGER_MAP_PLACES 10u

struct ledger_map_line {
    _Alignas(64) uint32_t rows[LEDGER_MAP_PLACES]; /* row + 1: the first rows_count, then 0 */
    uint16_t tags[LEDGER_MAP_PLACES];              /* never 0 where a row is */
    uint8_t rows_count;
    uint8_t reserved;
    uint16_t passed_count; /* that belong on this line or before it, and stand behind it */
};

struct ledger_map {
    struct ledger_map_line *lines;
    uint64_t seed;
    uint32_t lines_count;
    uint32_t entries_count, entries_max;
};

/* Room for this many rows. `memory` is zero and begins on a cache line. */
size_t ledger_map_bytes(uint32_t rows_count);
void ledger_map_init(struct ledger_map *map, uint8_t *memory, uint32_t rows_count, uint64_t seed);
void ledger_map_clear(struct ledger_map *map);
void ledger_map_add(struct ledger_map *map, uint64_t hash, uint32_t row);
void ledger_map_remove(struct ledger_map *map, uint64_t hash, uint32_t row);

struct ledger_map_walk { /* a search */
    const struct ledger_map *map;
    uint32_t line;
    uint16_t tag;
    uint8_t at;
};
/* Candidates: row + 1, 0 = no more. */
uint32_t ledger_map_first(struct ledger_map_walk *walk, const struct ledger_map *map,
                          uint64_t hash);
uint32_t ledger_map_next(struct ledger_map_walk *walk);

static inline uint64_t ledger_map_mix(const struct ledger_map *map, uint64_t hash)
{
    return (hash ^ map->seed) * UINT64_C(0x9E3779B97F4A7C15);
}
static inline uint32_t ledger_map_home(const struct ledger_map *map, uint64_t mixed)
{
    return (uint32_t)(((mixed >> 32) * map->lines_count) >> 32);
}
static ALWAYS_INLINE void ledger_map_prefetch(const struct ledger_map *map, uint64_t hash)
{
    __builtin_prefetch(&map->lines[ledger_map_home(map, ledger_map_mix(map, hash))], 1);
}

#endif
