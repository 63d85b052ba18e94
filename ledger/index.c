/* index.c - see index.h. */
#include "ledger/index.h"

#include <string.h>

/* Four places a row: most searches are for what is not there, and then meet no other row. */
static uint32_t heads_count(uint32_t rows_count)
{
    uint32_t count = 16;
    while (count < 4 * (uint64_t)rows_count && count < UINT32_C(1) << 31) {
        count *= 2;
    }
    return count;
}

size_t ledger_index_bytes(uint32_t rows_count)
{
    return ((size_t)heads_count(rows_count) + 2 * (size_t)rows_count) * sizeof(uint32_t);
}

void ledger_index_init(struct ledger_index *index, uint8_t *memory, uint32_t rows_count,
                       uint64_t seed)
{
    uint32_t heads = heads_count(rows_count);
    *index = (struct ledger_index){
        .heads = (uint32_t *)(void *)memory,
        .seed = seed,
        .mask = heads - 1,
        .rows_count = rows_count,
    };
    index->nexts = index->heads + heads;
    index->befores = index->nexts + rows_count;
}

void ledger_index_clear(struct ledger_index *index)
{
    memset(index->heads, 0, ((size_t)index->mask + 1) * sizeof *index->heads);
    memset(index->nexts, 0, (size_t)index->rows_count * sizeof *index->nexts);
    memset(index->befores, 0, (size_t)index->rows_count * sizeof *index->befores);
    index->entries_count = 0;
}

void ledger_index_add(struct ledger_index *index, uint64_t hash, uint32_t row)
{
    must(row < index->rows_count);
    uint32_t *head = &index->heads[ledger_index_place(index, hash)];
    index->nexts[row] = *head;
    index->befores[row] = 0;
    if (*head != 0) {
        index->befores[*head - 1] = row + 1;
    }
    *head = row + 1;
    index->entries_count++;
}

void ledger_index_remove(struct ledger_index *index, uint64_t hash, uint32_t row)
{
    must(row < index->rows_count && index->entries_count > 0);
    uint32_t next = index->nexts[row], before = index->befores[row];
    if (before != 0) {
        index->nexts[before - 1] = next;
    } else {
        uint32_t *head = &index->heads[ledger_index_place(index, hash)];
        must(*head == row + 1);
        *head = next;
    }
    if (next != 0) {
        index->befores[next - 1] = before;
    }
    index->nexts[row] = index->befores[row] = 0;
    index->entries_count--;
}
