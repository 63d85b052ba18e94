/* state_memory.c - the checkpoint of the simulator: as state_lmdb.c, without a file.
 *
 * What was committed outlives state_store_memory_crash(); what was put since begin() does not. Rows
 * stand in a growing array, found by open addressing; only for tests: it allocates. */
#include "ledger/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    uint64_t number; /* table << 32 | row */
    uint32_t size;
    uint8_t *image;
};
struct rows {
    struct row *items;
    uint32_t count, room;
    uint32_t *index; /* position + 1, 0 = free; 2 * room entries */
};
struct state_memory {
    struct state_store store;
    struct rows kept, open;
    bool is_open;
    struct store_mark mark;
    uint32_t failures_count;
    enum io_err failure;
};

static struct state_memory *of(struct state_store *store)
{
    return (struct state_memory *)store;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static uint32_t *find(const struct rows *rows, uint64_t number)
{
    uint32_t places = 2 * rows->room;
    uint32_t at = (uint32_t)(hash64(&number, sizeof number, 0) % places);
    while (rows->index[at] != 0 && rows->items[rows->index[at] - 1].number != number) {
        at = at + 1 == places ? 0 : at + 1; /* half of the places are free */
    }
    return &rows->index[at];
}

static void grow(struct rows *rows)
{
    rows->room = rows->room == 0 ? 256 : 2 * rows->room;
    rows->items = realloc(rows->items, rows->room * sizeof *rows->items);
    free(rows->index);
    rows->index = calloc(2 * (size_t)rows->room, sizeof *rows->index);
    must(rows->items != NULL && rows->index != NULL);
    for (uint32_t i = 0; i < rows->count; i++) {
        *find(rows, rows->items[i].number) = i + 1;
    }
}

static void set(struct rows *rows, uint64_t number, const void *image, uint32_t size)
{
    if (rows->count == rows->room) {
        grow(rows);
    }
    uint32_t *place = find(rows, number);
    if (*place == 0) {
        rows->items[rows->count++] = (struct row){.number = number};
        *place = rows->count;
    }
    struct row *row = &rows->items[*place - 1];
    row->image = realloc(row->image, size > 0 ? size : 1);
    must(row->image != NULL);
    memcpy(row->image, image, size);
    row->size = size;
}

static void clear(struct rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        free(rows->items[i].image);
    }
    free(rows->items);
    free(rows->index);
    *rows = (struct rows){0};
}

/* ---- the store ------------------------------------------------------------------------------- */

static struct store_mark op_mark(struct state_store *store)
{
    return of(store)->mark;
}

static int by_number(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static enum io_err op_load(struct state_store *store, store_row_fn row, void *context)
{
    struct state_memory *self = of(store);
    struct rows *kept = &self->kept;
    if (kept->count > 0) {
        qsort(kept->items, kept->count, sizeof *kept->items, by_number);
        memset(kept->index, 0, 2 * (size_t)kept->room * sizeof *kept->index);
    }
    for (uint32_t i = 0; i < kept->count; i++) {
        *find(kept, kept->items[i].number) = i + 1;
    }
    for (uint32_t i = 0; i < kept->count; i++) {
        const struct row *one = &kept->items[i];
        if (!row(context, (uint16_t)(one->number >> 32), (uint32_t)one->number, one->image,
                 one->size)) {
            (void)snprintf(store->text, sizeof store->text,
                           "memory: table %s, row %u: it does not fit the configured tables",
                           ledger_effect_name((uint16_t)(one->number >> 32)),
                           (uint32_t)one->number);
            return IO_ERR_OTHER;
        }
    }
    return IO_OK;
}

static enum io_err op_begin(struct state_store *store)
{
    must(!of(store)->is_open);
    of(store)->is_open = true;
    return IO_OK;
}

static enum io_err op_put(struct state_store *store, uint16_t table, uint32_t row,
                          const void *image, uint32_t size)
{
    must(of(store)->is_open);
    set(&of(store)->open, (uint64_t)table << 32 | row, image, size);
    return IO_OK;
}

static enum io_err op_commit(struct state_store *store, const struct store_mark *mark)
{
    struct state_memory *self = of(store);
    must(self->is_open);
    enum io_err err = IO_OK;
    if (self->failures_count > 0) {
        self->failures_count--;
        err = self->failure;
        (void)snprintf(store->text, sizeof store->text, "memory: committing: as told");
    } else {
        for (uint32_t i = 0; i < self->open.count; i++) {
            const struct row *one = &self->open.items[i];
            set(&self->kept, one->number, one->image, one->size);
        }
        self->mark = *mark;
    }
    clear(&self->open);
    self->is_open = false;
    return err;
}

static void op_destroy(struct state_store *store)
{
    clear(&of(store)->open);
    clear(&of(store)->kept);
    free(store);
}

void state_store_memory_crash(struct state_store *store)
{
    clear(&of(store)->open);
    of(store)->is_open = false;
    of(store)->failures_count = 0;
}

void state_store_memory_fail(struct state_store *store, uint32_t count, enum io_err err)
{
    of(store)->failures_count = count;
    of(store)->failure = err;
}

struct state_store *state_store_memory(void)
{
    static const struct state_store_ops ops = {
        .mark = op_mark,
        .load = op_load,
        .begin = op_begin,
        .put = op_put,
        .commit = op_commit,
        .destroy = op_destroy,
    };
    struct state_memory *self = calloc(1, sizeof *self);
    must(self != NULL);
    self->store.ops = &ops;
    return &self->store;
}
