/* follower_state.c - the last image of every changed row into state.mdb, lazily.
 *
 * DESIGN  A bounded set of dirty rows keeps the newest image of each; it is written sorted, in
 * chunks of one commit each, after a second, FOLLOWER_STATE_RECORDS records, when the set is nearly
 * full, or when the journal needs its segments. While it is written no frame is taken: the set is
 * that of one batch. Only the last commit moves `batch`; the ones before move `seen`. */
#include "ledger/follower_internal.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ROWS    8192u
#define CHUNK_PAGES   1024u
#define PAGE_BYTES    4000u /* of LMDB, without its header */
#define ROW_OVERHEAD  26u   /* node, key, checksum */
#define ROWS_MAX      131072u
#define ARENA_PER_ROW 256u

/* A frame has at most this many effects of at least 16 bytes: one always fits the empty set. */
_Static_assert(JOURNAL_BATCH_BYTES / 16 <= ROWS_MAX, "a frame fits the set of dirty rows");

static struct state_follower *of(struct follower *follower)
{
    return (struct state_follower *)follower;
}

/* ---- the set --------------------------------------------------------------------------------- */

static uint32_t *place_of(struct state_follower *self, uint64_t number)
{
    uint32_t places = 2 * self->rows_max;
    uint32_t at = (uint32_t)((hash64(&number, sizeof number, 0) >> 32) * places >> 32);
    while (self->index[at] != 0 && self->rows[self->index[at] - 1].number != number) {
        at = at + 1 == places ? 0 : at + 1; /* at least half of them are free */
    }
    return &self->index[at];
}

static void put(struct state_follower *self, const struct ledger_effect *effect)
{
    uint32_t *place = place_of(self, (uint64_t)effect->table << 32 | effect->row);
    if (*place == 0) {
        must(self->rows_count < self->rows_max);
        self->rows[self->rows_count] =
            (struct dirty_row){.number = (uint64_t)effect->table << 32 | effect->row};
        *place = ++self->rows_count;
    }
    struct dirty_row *row = &self->rows[*place - 1];
    if (effect->size > row->room) {
        must(self->arena_used + effect->size <= self->arena_bytes);
        row->offset = self->arena_used;
        row->room = effect->size;
        self->arena_used += effect->size;
    }
    row->size = effect->size;
    memcpy(self->arena + row->offset, ledger_effect_image(effect), effect->size);
}

static bool is_row(const struct ledger_effect *effect)
{
    return effect->table < LEDGER_TABLES_COUNT;
}

static bool fits(const struct state_follower *self, const struct journal_frame *frame)
{
    uint32_t rows = 0, bytes = 0;
    const struct ledger_record *record = NULL;
    while ((record = frame_record_next(frame, record)) != NULL) {
        const struct ledger_effect *effect = NULL;
        while ((effect = ledger_effect_next(record, effect)) != NULL) {
            rows += is_row(effect);
            bytes += is_row(effect) ? effect->size : 0;
        }
    }
    return self->rows_count + rows <= self->rows_max &&
           self->arena_used + bytes <= self->arena_bytes;
}

static bool take(struct follower *follower, const struct journal_frame *frame)
{
    struct state_follower *self = of(follower);
    if (!fits(self, frame)) {
        must(self->rows_count > 0);
        return false;
    }
    const struct ledger_record *record = NULL;
    while ((record = frame_record_next(frame, record)) != NULL) {
        const struct ledger_effect *effect = NULL;
        while ((effect = ledger_effect_next(record, effect)) != NULL) {
            if (is_row(effect)) {
                put(self, effect);
            }
        }
    }
    return true;
}

static void empty(struct state_follower *self)
{
    memset(self->index, 0, 2 * (size_t)self->rows_max * sizeof *self->index);
    self->rows_count = self->flushed = self->arena_used = 0;
}

/* ---- writing it ------------------------------------------------------------------------------ */

static bool due(const struct follower *follower, int64_t now_ns, bool caught_up)
{
    const struct state_follower *self = (const struct state_follower *)follower;
    (void)caught_up;
    if (follower->since_ns == 0) {
        return false;
    }
    return follower_pressed(follower) || follower->taken_records >= FOLLOWER_STATE_RECORDS ||
           self->rows_count > self->rows_max - self->rows_max / 4 ||
           now_ns - follower->since_ns >= FOLLOWER_STATE_EVERY_NS;
}

static int by_number(const void *a, const void *b)
{
    const struct dirty_row *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static enum io_err write_rows(struct state_follower *self, struct state_store *store, uint32_t end)
{
    enum io_err err = store->ops->begin(store);
    for (uint32_t i = self->flushed; err == IO_OK && i < end; i++) {
        const struct dirty_row *row = &self->rows[i];
        err = store->ops->put(store, (uint16_t)(row->number >> 32), (uint32_t)row->number,
                              self->arena + row->offset, row->size);
    }
    return err;
}

/* Rows are sorted, so those of one page stand together: a commit writes about CHUNK_PAGES of them,
 * and holds up the journal's writes on the same device only for that long. */
static uint32_t chunk_end(const struct state_follower *self)
{
    uint32_t pages = 0, end = self->flushed;
    uint64_t page = UINT64_MAX;
    for (; end < self->rows_count && end - self->flushed < CHUNK_ROWS; end++) {
        const struct dirty_row *row = &self->rows[end];
        uint32_t per_page = PAGE_BYTES / (row->size + ROW_OVERHEAD);
        uint64_t here = per_page > 1 ? row->number / per_page : row->number;
        pages += here != page;
        page = here;
        if (pages > CHUNK_PAGES) {
            break;
        }
    }
    return end;
}

static enum io_err flush(struct follower *follower, bool *done)
{
    struct state_follower *self = of(follower);
    struct state_store *store = follower->all->options.state;
    if (self->flushed == 0 && self->rows_count > 0) {
        qsort(self->rows, self->rows_count, sizeof *self->rows, by_number);
    }
    uint32_t end = chunk_end(self);
    struct store_mark mark = store->ops->mark(store);
    *done = end == self->rows_count;
    mark.batch = *done ? follower->taken : mark.batch;
    mark.seen = follower->taken;
    mark.epoch = follower->taken_epoch;
    mark.sequence = follower->taken_sequence;
    enum io_err err = write_rows(self, store, end);
    err = err != IO_OK ? err : store->ops->commit(store, &mark);
    if (err != IO_OK) {
        (void)snprintf(follower->error, sizeof follower->error, "%s", store->text);
        return err;
    }
    self->flushed = end;
    if (*done) {
        empty(self);
    }
    return IO_OK;
}

static void drop(struct follower *follower)
{
    empty(of(follower));
}

const struct follower_ops follower_state_ops = {"state", take, due, flush, drop};

/* ---- start ----------------------------------------------------------------------------------- */

static uint32_t rows_max(const struct followers_options *options)
{
    uint32_t wanted = options->dirty_rows_max;
    uint32_t least = JOURNAL_BATCH_BYTES / 16;
    return wanted == 0 ? ROWS_MAX : wanted < least ? least : wanted;
}

size_t follower_state_bytes(const struct followers_options *options)
{
    return (size_t)rows_max(options) *
           (sizeof(struct dirty_row) + 2 * sizeof(uint32_t) + ARENA_PER_ROW);
}

void follower_state_init(struct followers *followers)
{
    struct state_follower *self = &followers->state;
    self->rows_max = rows_max(&followers->options);
    self->arena_bytes = self->rows_max * ARENA_PER_ROW;
    self->rows = mem_take(MEM_PLAIN, self->rows_max * sizeof *self->rows, "dirty rows");
    self->index =
        mem_take(MEM_PLAIN, 2 * (size_t)self->rows_max * sizeof *self->index, "dirty rows' index");
    self->arena = mem_take(MEM_PLAIN, self->arena_bytes, "dirty rows' images");
}
