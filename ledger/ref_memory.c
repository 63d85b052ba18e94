/* ref_memory.c - ref.mdb of the simulator: snapshots by batch, without a file.
 *
 * Every committed version of a card or a list's element is kept with its batch; a reader takes the
 * newest one that is not younger than its snapshot, so a worker that did not renew sees what it
 * would see in LMDB. Only for tests: it allocates, and finds by walking a chain of versions. */
#include "ledger/ref.h"
#include "ledger/row.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u

struct version {
    struct version *older;
    uint64_t batch; /* UINT64_MAX: of the open transaction */
    bool is_list, is_remove;
    struct ledger_card_key key;
    struct ledger_ref_card card;
    struct ledger_list_change change;
};
struct ref_memory {
    struct ledger_ref ref;
    struct version *buckets[BUCKETS]; /* newest first */
    uint64_t batch;
    bool is_open;
};
struct ref_reader {
    struct ledger_ref_reader reader;
    struct ref_memory *store;
    uint64_t batch;
};

static struct ref_memory *of(struct ledger_ref *ref)
{
    return (struct ref_memory *)ref;
}

static uint32_t bucket_of(const void *key, size_t size)
{
    return (uint32_t)(hash64(key, size, 0) % BUCKETS);
}

/* ---- workers --------------------------------------------------------------------------------- */

static uint64_t reader_renew(struct ledger_ref_reader *reader)
{
    struct ref_reader *self = (struct ref_reader *)reader;
    self->batch = self->store->batch;
    return self->batch;
}

static const struct version *card_version(const struct ref_memory *store,
                                          const struct ledger_card_key *key, uint64_t batch)
{
    const struct version *one = store->buckets[bucket_of(key->bytes, sizeof key->bytes)];
    while (one != NULL && (one->is_list || one->batch > batch ||
                           memcmp(one->key.bytes, key->bytes, sizeof key->bytes) != 0)) {
        one = one->older;
    }
    return one;
}

static bool reader_card(struct ledger_ref_reader *reader, const struct ledger_card_key *key,
                        struct ledger_ref_card *card)
{
    const struct ref_reader *self = (const struct ref_reader *)reader;
    const struct version *one = card_version(self->store, key, self->batch);
    if (one != NULL) {
        *card = one->card;
    }
    return one != NULL;
}

static bool reader_listed(struct ledger_ref_reader *reader, const char *list, const void *key,
                          uint32_t key_size)
{
    const struct ref_reader *self = (const struct ref_reader *)reader;
    uint8_t name[32] = {0};
    size_t list_size = strlen(list);
    if (list_size > sizeof name || key_size > 64) {
        return false;
    }
    memcpy(name, list, list_size);
    for (const struct version *one = self->store->buckets[bucket_of(key, key_size)]; one != NULL;
         one = one->older) {
        if (one->is_list && one->batch <= self->batch && one->change.key_size == key_size &&
            memcmp(one->change.list, name, sizeof name) == 0 &&
            memcmp(one->change.key, key, key_size) == 0) {
            bool ended = one->change.until_utc_s != 0 && reader->clock != NULL &&
                         reader->clock->utc_ns / NS_PER_S >= one->change.until_utc_s;
            return !one->is_remove && !ended;
        }
    }
    return false;
}

static void reader_close(struct ledger_ref_reader *reader)
{
    free(reader);
}

static struct ledger_ref_reader *op_reader(struct ledger_ref *ref, const struct clock *clock)
{
    static const struct ledger_ref_ops ops = {
        .renew = reader_renew, .card = reader_card, .listed = reader_listed, .close = reader_close};
    struct ref_reader *self = calloc(1, sizeof *self);
    must(self != NULL);
    self->reader.ops = &ops;
    self->reader.clock = clock;
    self->store = of(ref);
    self->batch = self->store->batch;
    return &self->reader;
}

/* ---- the follower ---------------------------------------------------------------------------- */

static void add(struct ref_memory *self, uint32_t bucket, const struct version *version)
{
    struct version *one = malloc(sizeof *one);
    must(one != NULL && self->is_open);
    *one = *version;
    one->batch = UINT64_MAX;
    one->older = self->buckets[bucket];
    self->buckets[bucket] = one;
}

static uint64_t op_batch(struct ledger_ref *ref)
{
    return of(ref)->batch;
}

static enum io_err op_begin(struct ledger_ref *ref)
{
    must(!of(ref)->is_open);
    of(ref)->is_open = true;
    return IO_OK;
}

static enum io_err op_card(struct ledger_ref *ref, const struct ledger_card_key *key,
                           const struct ledger_ref_card *card, bool *changed)
{
    const struct version *now = card_version(of(ref), key, UINT64_MAX);
    if (now == NULL || memcmp(&now->card, card, sizeof *card) != 0) {
        *changed = true;
        struct version version = {.key = *key, .card = *card};
        add(of(ref), bucket_of(key->bytes, sizeof key->bytes), &version);
    }
    return IO_OK;
}

static enum io_err op_list(struct ledger_ref *ref, const struct ledger_list_change *change)
{
    struct version version = {
        .is_list = true, .is_remove = change->is_remove != 0, .change = *change};
    must(change->key_size <= sizeof change->key);
    add(of(ref), bucket_of(change->key, change->key_size), &version);
    return IO_OK;
}

static enum io_err op_commit(struct ledger_ref *ref, uint64_t batch)
{
    struct ref_memory *self = of(ref);
    must(self->is_open && batch >= self->batch);
    for (uint32_t i = 0; i < BUCKETS; i++) { /* the open ones stand before all others */
        for (struct version *one = self->buckets[i]; one != NULL && one->batch == UINT64_MAX;
             one = one->older) {
            one->batch = batch;
        }
    }
    self->batch = batch;
    self->is_open = false;
    return IO_OK;
}

static void op_abort(struct ledger_ref *ref)
{
    struct ref_memory *self = of(ref);
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (self->buckets[i] != NULL && self->buckets[i]->batch == UINT64_MAX) {
            struct version *gone = self->buckets[i];
            self->buckets[i] = gone->older;
            free(gone);
        }
    }
    self->is_open = false;
}

void ledger_ref_memory_crash(struct ledger_ref *ref)
{
    op_abort(ref);
}

static void op_destroy(struct ledger_ref *ref)
{
    struct ref_memory *self = of(ref);
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (self->buckets[i] != NULL) {
            struct version *gone = self->buckets[i];
            self->buckets[i] = gone->older;
            free(gone);
        }
    }
    free(self);
}

struct ledger_ref *ledger_ref_memory(void)
{
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
    struct ref_memory *self = calloc(1, sizeof *self);
    must(self != NULL);
    self->ref.ops = &ops;
    return &self->ref;
}
