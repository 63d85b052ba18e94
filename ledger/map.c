/* map.c - see map.h. */
#include "ledger/map.h"

#include <string.h>

#define ROWS_A_LINE 6u /* on the average, when all rows are in */

_Static_assert(sizeof(struct ledger_map_line) == 64, "a cache line");

static uint32_t lines_for(uint32_t rows_count)
{
    return rows_count / ROWS_A_LINE + 1;
}

size_t ledger_map_bytes(uint32_t rows_count)
{
    return (size_t)lines_for(rows_count) * sizeof(struct ledger_map_line);
}

void ledger_map_init(struct ledger_map *map, uint8_t *memory, uint32_t rows_count, uint64_t seed)
{
    must((uintptr_t)memory % _Alignof(struct ledger_map_line) == 0);
    *map = (struct ledger_map){
        .lines = (struct ledger_map_line *)(void *)memory,
        .seed = seed,
        .lines_count = lines_for(rows_count),
        .entries_max = rows_count,
    };
}

void ledger_map_clear(struct ledger_map *map)
{
    memset(map->lines, 0, (size_t)map->lines_count * sizeof *map->lines);
    map->entries_count = 0;
}

/* Other bits than those that choose the line. */
static uint16_t tag_of(uint64_t mixed)
{
    uint16_t tag = (uint16_t)(mixed >> 16);
    return tag != 0 ? tag : 1;
}

static uint32_t line_after(const struct ledger_map *map, uint32_t line)
{
    return line + 1 == map->lines_count ? 0 : line + 1;
}

void ledger_map_add(struct ledger_map *map, uint64_t hash, uint32_t row)
{
    must(map->entries_count < map->entries_max); /* so there is a line that is not full */
    uint64_t mixed = ledger_map_mix(map, hash);
    uint32_t at = ledger_map_home(map, mixed);
    while (map->lines[at].rows_count == LEDGER_MAP_PLACES) {
        must(map->lines[at].passed_count < UINT16_MAX);
        map->lines[at].passed_count++;
        at = line_after(map, at);
    }
    struct ledger_map_line *line = &map->lines[at];
    line->rows[line->rows_count] = row + 1;
    line->tags[line->rows_count] = tag_of(mixed);
    line->rows_count++;
    map->entries_count++;
}

static uint32_t place_of(const struct ledger_map_line *line, uint32_t row)
{
    uint32_t place = 0;
    while (place < line->rows_count && line->rows[place] != row + 1) {
        place++;
    }
    return place;
}

void ledger_map_remove(struct ledger_map *map, uint64_t hash, uint32_t row)
{
    uint32_t at = ledger_map_home(map, ledger_map_mix(map, hash));
    uint32_t place;
    while ((place = place_of(&map->lines[at], row)) == map->lines[at].rows_count) {
        must(map->lines[at].passed_count > 0);
        map->lines[at].passed_count--;
        at = line_after(map, at);
    }
    struct ledger_map_line *line = &map->lines[at];
    uint32_t last = --line->rows_count;
    line->rows[place] = line->rows[last];
    line->tags[place] = line->tags[last];
    line->rows[last] = 0;
    line->tags[last] = 0;
    map->entries_count--;
}

/* Compared side by side: mostly none is equal. */
static bool has_tag(const struct ledger_map_line *line, uint16_t tag)
{
    uint16_t equal = 0;
    for (uint32_t i = 0; i < LEDGER_MAP_PLACES; i++) {
        equal |= line->tags[i] == tag;
    }
    return equal != 0;
}

uint32_t ledger_map_next(struct ledger_map_walk *walk)
{
    const struct ledger_map *map = walk->map;
    for (;;) {
        const struct ledger_map_line *line = &map->lines[walk->line];
        if (has_tag(line, walk->tag)) {
            while (walk->at < line->rows_count) {
                uint8_t at = walk->at++;
                if (line->tags[at] == walk->tag) {
                    return line->rows[at];
                }
            }
        }
        if (line->passed_count == 0) {
            return 0;
        }
        walk->line = line_after(map, walk->line);
        walk->at = 0;
    }
}

uint32_t ledger_map_first(struct ledger_map_walk *walk, const struct ledger_map *map, uint64_t hash)
{
    uint64_t mixed = ledger_map_mix(map, hash);
    *walk = (struct ledger_map_walk){
        .map = map,
        .line = ledger_map_home(map, mixed),
        .tag = tag_of(mixed),
    };
    return ledger_map_next(walk);
}
