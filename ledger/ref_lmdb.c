/* ref_lmdb.c - ref.mdb: what workers map and read. One reader a worker, one writer (the follower).
 *
 * TREES  cards: first 8 bytes of the card key (a CMAC: evenly spread) → {checksum, key, card};
 * another key with the same 8 bytes takes one of the next PROBES places. lists: name NUL key →
 * {checksum, until}. A reader resets and renews its snapshot once a turn and is never held longer.
 */
#include "ledger/lmdb_env.h"
#include "ledger/ref.h"
#include "ledger/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBES 4u
#define LIST_KEY_MAX                                                                               \
    (sizeof(((struct ledger_list_change *)0)->list) + 1 +                                          \
     sizeof(((struct ledger_list_change *)0)->key))

struct card_value {
    uint32_t crc32c; /* of what follows */
    uint32_t reserved;
    struct ledger_card_key key;
    struct ledger_ref_card card;
};
struct list_value {
    uint32_t crc32c; /* of name, key and what follows */
    uint32_t reserved;
    int64_t until_utc_s;
};

struct ref_lmdb {
    struct ledger_ref ref;
    struct lmdb_env env;
    MDB_dbi dbis[2]; /* cards, lists */
    uint64_t batch;
};
struct ref_reader {
    struct ledger_ref_reader reader;
    struct ref_lmdb *store;
    MDB_txn *txn;
    uint64_t batch;
};
#define CARDS 0
#define LISTS 1

static struct ref_lmdb *of(struct ledger_ref *ref)
{
    return (struct ref_lmdb *)ref;
}

static uint32_t card_crc(const struct card_value *value)
{
    return crc32c(0, &value->reserved, sizeof *value - offsetof(struct card_value, reserved));
}

/* ---- finding --------------------------------------------------------------------------------- */

/* 0, MDB_NOTFOUND (then *place is the first free one), or another code. Damaged = MDB_CORRUPTED. */
static int find_card(MDB_txn *txn, MDB_dbi dbi, const struct ledger_card_key *card, uint64_t *place,
                     struct card_value *found)
{
    uint64_t start = 0;
    bool has_free = false;
    memcpy(&start, card->bytes, sizeof start);
    for (uint64_t i = 0; i < PROBES; i++) {
        uint64_t number = start + i;
        MDB_val key = {sizeof number, &number}, value;
        int code = mdb_get(txn, dbi, &key, &value);
        if (code == MDB_NOTFOUND) { /* cards are never removed: nothing can stand behind */
            *place = number;
            has_free = true;
            break;
        }
        if (code != 0) {
            return code;
        }
        if (value.mv_size != sizeof *found) {
            return MDB_CORRUPTED;
        }
        memcpy(found, value.mv_data, sizeof *found);
        if (found->crc32c != card_crc(found)) {
            return MDB_CORRUPTED;
        }
        if (memcmp(found->key.bytes, card->bytes, sizeof card->bytes) == 0) {
            *place = number;
            return 0;
        }
    }
    return has_free ? MDB_NOTFOUND : MDB_MAP_FULL;
}

static size_t list_key(uint8_t out[static LIST_KEY_MAX], const char *list, size_t list_size,
                       const void *key, size_t key_size)
{
    memcpy(out, list, list_size);
    out[list_size] = 0;
    memcpy(out + list_size + 1, key, key_size);
    return list_size + 1 + key_size;
}

static uint32_t list_crc(const uint8_t *key, size_t key_size, const struct list_value *value)
{
    return crc32c(crc32c(0, key, key_size), &value->until_utc_s, sizeof value->until_utc_s);
}

/* ---- workers --------------------------------------------------------------------------------- */

static uint64_t reader_renew(struct ledger_ref_reader *reader)
{
    struct ref_reader *self = (struct ref_reader *)reader;
    mdb_txn_reset(self->txn);
    int code = mdb_txn_renew(self->txn);
    must(code == 0); /* its slot is its own since the start */
    uint64_t batch = 0;
    if (lmdb_env_mark(&self->store->env, self->txn, &batch, sizeof batch)) {
        self->batch = batch;
    }
    return self->batch;
}

static bool reader_card(struct ledger_ref_reader *reader, const struct ledger_card_key *key,
                        struct ledger_ref_card *card)
{
    struct ref_reader *self = (struct ref_reader *)reader;
    struct card_value value;
    uint64_t place;
    if (find_card(self->txn, self->store->dbis[CARDS], key, &place, &value) != 0) {
        return false; /* unknown, or damaged: declined by the shard, which has its own record */
    }
    *card = value.card;
    return true;
}

static bool reader_listed(struct ledger_ref_reader *reader, const char *list, const void *key,
                          uint32_t key_size)
{
    struct ref_reader *self = (struct ref_reader *)reader;
    uint8_t bytes[LIST_KEY_MAX];
    size_t list_size = strlen(list);
    if (list_size + 1 + key_size > sizeof bytes) {
        return false; /* longer than any element can be */
    }
    size_t size = list_key(bytes, list, list_size, key, key_size);
    MDB_val wanted = {size, bytes}, found;
    struct list_value value;
    if (mdb_get(self->txn, self->store->dbis[LISTS], &wanted, &found) != 0) {
        return false;
    }
    if (found.mv_size != sizeof value) {
        return true; /* damaged: whether it has ended is not known */
    }
    memcpy(&value, found.mv_data, sizeof value);
    bool intact = value.crc32c == list_crc(bytes, size, &value);
    bool ended = intact && value.until_utc_s != 0 && reader->clock != NULL &&
                 reader->clock->utc_ns / NS_PER_S >= value.until_utc_s;
    return !ended;
}

static void reader_close(struct ledger_ref_reader *reader)
{
    mdb_txn_abort(((struct ref_reader *)reader)->txn);
    free(reader);
}

static const struct ledger_ref_ops reader_ops = {
    .renew = reader_renew, .card = reader_card, .listed = reader_listed, .close = reader_close};

static struct ledger_ref_reader *op_reader(struct ledger_ref *ref, const struct clock *clock)
{
    struct ref_reader *self = calloc(1, sizeof *self);
    must(self != NULL);
    self->store = of(ref);
    self->reader.ops = &reader_ops;
    self->reader.clock = clock;
    int code = mdb_txn_begin(of(ref)->env.env, NULL, MDB_RDONLY, &self->txn);
    if (code != 0) {
        (void)lmdb_env_error(&of(ref)->env, "a reader", code);
        free(self);
        return NULL;
    }
    return &self->reader;
}

/* ---- the follower ---------------------------------------------------------------------------- */

static uint64_t op_batch(struct ledger_ref *ref)
{
    return of(ref)->batch;
}

static enum io_err op_begin(struct ledger_ref *ref)
{
    return lmdb_env_begin(&of(ref)->env);
}

static enum io_err op_card(struct ledger_ref *ref, const struct ledger_card_key *key,
                           const struct ledger_ref_card *card, bool *changed)
{
    struct ref_lmdb *self = of(ref);
    struct card_value value;
    uint64_t number;
    int code = find_card(self->env.txn, self->dbis[CARDS], key, &number, &value);
    if (code == 0 && memcmp(&value.card, card, sizeof *card) == 0) {
        return IO_OK;
    }
    if (code != 0 && code != MDB_NOTFOUND) {
        return lmdb_env_error(&self->env, "looking for a card", code);
    }
    *changed = true;
    value = (struct card_value){.key = *key, .card = *card};
    value.crc32c = card_crc(&value);
    MDB_val at = {sizeof number, &number}, data = {sizeof value, &value};
    code = mdb_put(self->env.txn, self->dbis[CARDS], &at, &data, 0);
    return code == 0 ? IO_OK : lmdb_env_error(&self->env, "writing a card", code);
}

static enum io_err op_list(struct ledger_ref *ref, const struct ledger_list_change *change)
{
    struct ref_lmdb *self = of(ref);
    uint8_t bytes[LIST_KEY_MAX];
    size_t list_size = strnlen((const char *)change->list, sizeof change->list);
    size_t key_size = change->key_size < sizeof change->key ? change->key_size : sizeof change->key;
    size_t size = list_key(bytes, (const char *)change->list, list_size, change->key, key_size);
    struct list_value value = {.until_utc_s = change->until_utc_s};
    value.crc32c = list_crc(bytes, size, &value);
    MDB_val at = {size, bytes}, data = {sizeof value, &value};
    int code = change->is_remove ? mdb_del(self->env.txn, self->dbis[LISTS], &at, NULL)
                                 : mdb_put(self->env.txn, self->dbis[LISTS], &at, &data, 0);
    bool fine = code == 0 || (change->is_remove && code == MDB_NOTFOUND);
    return fine ? IO_OK : lmdb_env_error(&self->env, "writing a list", code);
}

static enum io_err op_commit(struct ledger_ref *ref, uint64_t batch)
{
    enum io_err err = lmdb_env_commit(&of(ref)->env, &batch, sizeof batch);
    if (err == IO_OK) {
        of(ref)->batch = batch;
    }
    return err;
}

static void op_abort(struct ledger_ref *ref)
{
    if (of(ref)->env.txn != NULL) {
        mdb_txn_abort(of(ref)->env.txn);
        of(ref)->env.txn = NULL;
    }
}

static void op_destroy(struct ledger_ref *ref)
{
    lmdb_env_close(&of(ref)->env);
    free(ref);
}

static const struct ledger_ref_store_ops ops = {
    .batch = op_batch,
    .begin = op_begin,
    .card = op_card,
    .list = op_list,
    .commit = op_commit,
    .abort = op_abort,
    .reader = op_reader,
    .destroy = op_destroy,
};

struct ledger_ref *ledger_ref_lmdb(const struct store_options *options, char *text,
                                   size_t text_size)
{
    static const char *const names[] = {"cards", "lists"};
    static const unsigned flags[] = {MDB_INTEGERKEY, 0};
    struct ref_lmdb *self = calloc(1, sizeof *self);
    must(self != NULL);
    self->ref.ops = &ops;
    self->env.text = self->ref.text;
    if (!lmdb_env_open(&self->env, options, names, flags, self->dbis, 2, text, text_size)) {
        free(self);
        return NULL;
    }
    MDB_txn *txn;
    MDB_stat marks = {0};
    int code = mdb_txn_begin(self->env.env, NULL, MDB_RDONLY, &txn);
    bool found = code == 0 && lmdb_env_mark(&self->env, txn, &self->batch, sizeof self->batch);
    bool is_new = code == 0 && mdb_stat(txn, self->env.mark, &marks) == 0 && marks.ms_entries == 0;
    if (code == 0) {
        mdb_txn_abort(txn);
    }
    if (!found && !is_new) {
        (void)snprintf(text, text_size, "%s: its mark is damaged", self->env.name);
        op_destroy(&self->ref);
        return NULL;
    }
    return &self->ref;
}
