/* state_lmdb.c - the checkpoint in state.mdb: {table, row} → {checksum, image}.
 *
 * Keys are integers, so rows of a table that are written in order fill pages from left to right. A
 * value keeps its own CRC32C over key and image: LMDB returns flipped bytes without an error. */
#include "ledger/lmdb_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES_MAX 4096u

struct state_lmdb {
    struct state_store store;
    struct lmdb_env env;
    MDB_dbi rows;
    struct store_mark mark;
    uint64_t value[1 + IMAGE_BYTES_MAX / 8]; /* {crc, size, image} being written */
};

static struct state_lmdb *of(struct state_store *store)
{
    return (struct state_lmdb *)store;
}

static uint32_t row_crc(uint64_t key, const void *image, size_t size)
{
    return crc32c(crc32c(0, &key, sizeof key), image, size);
}

static struct store_mark op_mark(struct state_store *store)
{
    return of(store)->mark;
}

static enum io_err op_begin(struct state_store *store)
{
    return lmdb_env_begin(&of(store)->env);
}

static enum io_err op_put(struct state_store *store, uint16_t table, uint32_t row,
                          const void *image, uint32_t size)
{
    struct state_lmdb *self = of(store);
    uint64_t number = (uint64_t)table << 32 | row;
    must(size <= IMAGE_BYTES_MAX);
    uint32_t head[2] = {row_crc(number, image, size), size};
    memcpy(self->value, head, 8);
    memcpy(self->value + 1, image, size);
    MDB_val key = {sizeof number, &number}, value = {8 + (size_t)size, self->value};
    int code = mdb_put(self->env.txn, self->rows, &key, &value, 0);
    return code == 0 ? IO_OK : lmdb_env_error(&self->env, "writing a row", code);
}

static enum io_err op_commit(struct state_store *store, const struct store_mark *mark)
{
    enum io_err err = lmdb_env_commit(&of(store)->env, mark, sizeof *mark);
    if (err == IO_OK) {
        of(store)->mark = *mark;
    }
    return err;
}

static enum io_err bad_row(struct state_lmdb *self, uint64_t number, const char *what,
                           enum io_err err)
{
    (void)snprintf(self->store.text, STORE_TEXT_BYTES, "%s: table %s, row %u: %s", self->env.name,
                   ledger_effect_name((uint16_t)(number >> 32)), (uint32_t)number, what);
    return err;
}

static enum io_err load_one(struct state_lmdb *self, const MDB_val *key, const MDB_val *value,
                            store_row_fn row, void *context)
{
    uint64_t number = 0;
    uint32_t head[2];
    uint64_t image[IMAGE_BYTES_MAX / 8];
    memcpy(&number, key->mv_data, sizeof number);
    if (value->mv_size < 8 || value->mv_size > 8 + IMAGE_BYTES_MAX) {
        return bad_row(self, number, "its size is impossible", IO_ERR_DISK);
    }
    memcpy(head, value->mv_data, 8);
    memcpy(image, (const uint8_t *)value->mv_data + 8, value->mv_size - 8);
    if (head[1] != value->mv_size - 8 || head[0] != row_crc(number, image, head[1])) {
        return bad_row(self, number, "its checksum does not fit", IO_ERR_DISK);
    }
    if (!row(context, (uint16_t)(number >> 32), (uint32_t)number, image, head[1])) {
        return bad_row(self, number, "it does not fit the configured tables", IO_ERR_OTHER);
    }
    return IO_OK;
}

static enum io_err op_load(struct state_store *store, store_row_fn row, void *context)
{
    struct state_lmdb *self = of(store);
    MDB_txn *txn;
    MDB_cursor *cursor;
    int code = mdb_txn_begin(self->env.env, NULL, MDB_RDONLY, &txn);
    if (code != 0) {
        return lmdb_env_error(&self->env, "reading", code);
    }
    enum io_err err = IO_OK;
    code = mdb_cursor_open(txn, self->rows, &cursor);
    if (code == 0) {
        MDB_val key, value;
        code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        while (code == 0 && err == IO_OK) {
            err = load_one(self, &key, &value, row, context);
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    if (err == IO_OK && code != MDB_NOTFOUND) {
        err = lmdb_env_error(&self->env, "reading", code);
    }
    return err;
}

static void op_destroy(struct state_store *store)
{
    lmdb_env_close(&of(store)->env);
    free(store);
}

static const struct state_store_ops ops = {
    .mark = op_mark,
    .load = op_load,
    .begin = op_begin,
    .put = op_put,
    .commit = op_commit,
    .destroy = op_destroy,
};

/* A tree with rows and no readable mark is damaged; without rows it is new. */
static bool read_mark(struct state_lmdb *self, char *text, size_t text_size)
{
    MDB_txn *txn;
    MDB_stat rows = {0}, marks = {0};
    int code = mdb_txn_begin(self->env.env, NULL, MDB_RDONLY, &txn);
    if (code != 0) {
        (void)snprintf(text, text_size, "%s: %s", self->env.name, mdb_strerror(code));
        return false;
    }
    bool found = lmdb_env_mark(&self->env, txn, &self->mark, sizeof self->mark);
    bool is_new = mdb_stat(txn, self->rows, &rows) == 0 && rows.ms_entries == 0 &&
                  mdb_stat(txn, self->env.mark, &marks) == 0 && marks.ms_entries == 0;
    mdb_txn_abort(txn);
    if (!found && !is_new) {
        (void)snprintf(text, text_size, "%s: the mark of the checkpoint is damaged",
                       self->env.name);
    }
    return found || is_new;
}

struct state_store *state_store_lmdb(const struct store_options *options, char *text,
                                     size_t text_size)
{
    static const char *const names[] = {"rows"};
    static const unsigned flags[] = {MDB_INTEGERKEY};
    struct state_lmdb *self = calloc(1, sizeof *self);
    must(self != NULL);
    self->store.ops = &ops;
    self->env.text = self->store.text;
    if (!lmdb_env_open(&self->env, options, names, flags, &self->rows, 1, text, text_size) ||
        !read_mark(self, text, text_size)) {
        lmdb_env_close(&self->env);
        free(self);
        return NULL;
    }
    return &self->store;
}
