/* index.c - see index.h. */
#include "ledger/index.h"

#include <string.h>

struct shape {
    uint32_t ages_count, age_shift, heads_count; /* heads of one age */
};

static struct shape shape_of(uint32_t rows_count, uint32_t ages)
{
    must(ages > 0 && ages <= LEDGER_AGES);
    struct shape shape = {.age_shift = 4};
    while ((uint64_t)ages << shape.age_shift < rows_count) {
        shape.age_shift++;
    }
    shape.ages_count = rows_count > 0 ? ((rows_count - 1) >> shape.age_shift) + 1 : 1;
    /* Four places a row: what is searched, added or removed meets hardly any other row. */
    shape.heads_count = UINT32_C(4) << shape.age_shift;
    return shape;
}

static size_t all_heads(const struct shape *shape)
{
    return (size_t)shape->ages_count * shape->heads_count;
}

size_t ledger_index_bytes(uint32_t rows_count, uint32_t ages)
{
    struct shape shape = shape_of(rows_count, ages);
    return all_heads(&shape) * sizeof(uint32_t) + rows_count * sizeof(struct ledger_link);
}

void ledger_index_init(struct ledger_index *index, uint8_t *memory, uint32_t rows_count,
                       uint32_t ages, uint64_t seed)
{
    struct shape shape = shape_of(rows_count, ages);
    *index = (struct ledger_index){
        .heads = (uint32_t *)(void *)memory,
        .seed = seed,
        .mask = shape.heads_count - 1,
        .ages_count = shape.ages_count,
        .age_shift = shape.age_shift,
        .rows_count = rows_count,
    };
    index->links = (struct ledger_link *)(void *)(index->heads + all_heads(&shape));
}

void ledger_index_clear(struct ledger_index *index)
{
    size_t heads = (size_t)index->ages_count * ((size_t)index->mask + 1);
    memset(index->heads, 0, heads * sizeof *index->heads);
    memset(index->links, 0, index->rows_count * sizeof *index->links);
    memset(index->age_entries, 0, sizeof index->age_entries);
    index->entries_count = 0;
}

void ledger_index_add(struct ledger_index *index, uint64_t hash, uint32_t row)
{
    must(row < index->rows_count);
    uint32_t age = ledger_index_age(index, row);
    uint32_t *head = ledger_index_head(index, hash, age);
    index->links[row] = (struct ledger_link){.next = *head};
    if (*head != 0) {
        index->links[*head - 1].before = row + 1;
    }
    *head = row + 1;
    index->age_entries[age]++;
    index->entries_count++;
}

void ledger_index_remove(struct ledger_index *index, uint64_t hash, uint32_t row)
{
    must(row < index->rows_count && index->entries_count > 0);
    uint32_t age = ledger_index_age(index, row);
    struct ledger_link link = index->links[row];
    if (link.before != 0) {
        index->links[link.before - 1].next = link.next;
    } else {
        uint32_t *head = ledger_index_head(index, hash, age);
        must(*head == row + 1);
        *head = link.next;
    }
    if (link.next != 0) {
        index->links[link.next - 1].before = link.before;
    }
    index->links[row] = (struct ledger_link){0};
    index->age_entries[age]--;
    index->entries_count--;
}

/* ---- through the ages ------------------------------------------------------------------------ */

/* The age in which the circle stands has rows of two rounds: it is visited first for the new ones,
 * which its chains give first, and last for the old ones. */
static uint32_t settle(struct ledger_walk *walk, uint32_t row_plus_1)
{
    const struct ledger_index *index = walk->index;
    for (;;) {
        while (row_plus_1 != 0 && walk->rows_left > 0) {
            bool is_old = row_plus_1 - 1 >= walk->circle_row;
            if (is_old && walk->ages_left == index->ages_count) {
                break;
            }
            walk->rows_left--;
            if (is_old || walk->ages_left > 0) {
                return walk->row = row_plus_1;
            }
            row_plus_1 = ledger_index_next(index, row_plus_1);
        }
        if (walk->ages_left == 0 || walk->rows_left == 0) {
            return walk->row = 0;
        }
        walk->ages_left--;
        walk->age = walk->age == 0 ? index->ages_count - 1 : walk->age - 1;
        row_plus_1 = index->age_entries[walk->age] == 0
                         ? 0
                         : *ledger_index_head(index, walk->hash, walk->age);
    }
}

uint32_t ledger_walk_first(struct ledger_walk *walk, const struct ledger_index *index,
                           uint64_t hash, uint32_t circle_row)
{
    *walk = (struct ledger_walk){
        .index = index,
        .hash = hash,
        .circle_row = circle_row,
        .age = ledger_index_age(index, circle_row),
        .ages_left = index->ages_count,
        .rows_left = LEDGER_WALK_MAX,
    };
    return settle(walk, *ledger_index_head(index, hash, walk->age));
}

uint32_t ledger_walk_next(struct ledger_walk *walk)
{
    must(walk->row != 0);
    return settle(walk, ledger_index_next(walk->index, walk->row));
}
