/* store_test.c - both kinds of checkpoint and of reference data behave alike; LMDB's damage is
 * seen. */
#include "ledger/ref.h"
#include "ledger/row.h"
#include "ledger/store.h"
#include "tests/ledger/journal_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(store, .timeout = 60);

#define MAP_BYTES (64u << 20)

struct folder {
    char path[64];
    char file[96];
    struct store_options options;
};

static void folder_make(struct folder *folder, const char *name)
{
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/store_test.XXXXXX");
    cr_assert_not_null(mkdtemp(folder->path));
    (void)snprintf(folder->file, sizeof folder->file, "%s/%s", folder->path, name);
    folder->options = (struct store_options){.path = folder->file, .map_bytes = MAP_BYTES};
}

static void folder_remove(struct folder *folder)
{
    char lock[128];
    (void)snprintf(lock, sizeof lock, "%s-lock", folder->file);
    (void)unlink(lock);
    (void)unlink(folder->file);
    cr_assert_eq(rmdir(folder->path), 0);
}

/* ---- the checkpoint ----------------------------------------------------------------------------
 */

struct loaded {
    uint32_t count;
    uint64_t last;
    uint8_t first[8];
    bool refuse;
};

static bool load_one(void *context, uint16_t table, uint32_t row, const void *image, uint32_t size)
{
    struct loaded *loaded = context;
    uint64_t number = (uint64_t)table << 32 | row;
    cr_assert(loaded->count == 0 || number > loaded->last, "in order");
    loaded->last = number;
    memset(loaded->first, 0, sizeof loaded->first);
    memcpy(loaded->first, image, size < 8 ? size : 8);
    loaded->count++;
    return !loaded->refuse;
}

static void put_rows(struct state_store *store, uint32_t count, uint8_t value, uint64_t batch)
{
    uint8_t image[48];
    memset(image, value, sizeof image);
    cr_assert_eq(store->ops->begin(store), IO_OK);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(store->ops->put(store, LEDGER_TABLE_account, count - 1 - i, image, 48), IO_OK);
    }
    cr_assert_eq(store->ops->commit(store, &(struct store_mark){batch, batch + 1, 3, 99}), IO_OK);
}

static void checkpoint_is_kept(struct state_store *store)
{
    cr_assert_eq(store->ops->mark(store).batch, 0);
    struct loaded loaded = {0};
    cr_assert_eq(store->ops->load(store, load_one, &loaded), IO_OK);
    cr_assert_eq(loaded.count, 0);
    put_rows(store, 1000, 7, 5);
    put_rows(store, 10, 8, 6);
    struct store_mark mark = store->ops->mark(store);
    cr_assert(mark.batch == 6 && mark.seen == 7 && mark.epoch == 3 && mark.sequence == 99);
    cr_assert_eq(store->ops->load(store, load_one, &loaded), IO_OK);
    cr_assert_eq(loaded.count, 1000);
    cr_assert_eq(loaded.first[0], 7);
    loaded = (struct loaded){.refuse = true};
    cr_assert_eq(store->ops->load(store, load_one, &loaded), IO_ERR_OTHER);
    cr_assert_not_null(strstr(store->text, "table account, row 0"), "%s", store->text);
}

Test(store, a_checkpoint_in_memory)
{
    struct state_store *store = state_store_memory();
    checkpoint_is_kept(store);
    /* A crash keeps what was committed, and nothing else. */
    cr_assert_eq(store->ops->begin(store), IO_OK);
    cr_assert_eq(store->ops->put(store, 1, 5000, "12345678", 8), IO_OK);
    state_store_memory_crash(store);
    struct loaded loaded = {0};
    cr_assert_eq(store->ops->load(store, load_one, &loaded), IO_OK);
    cr_assert_eq(loaded.count, 1000);
    state_store_memory_fail(store, 1, IO_ERR_NO_SPACE);
    cr_assert_eq(store->ops->begin(store), IO_OK);
    cr_assert_eq(store->ops->commit(store, &(struct store_mark){8, 8, 8, 8}), IO_ERR_NO_SPACE);
    cr_assert_eq(store->ops->mark(store).batch, 6);
    store->ops->destroy(store);
}

Test(store, a_checkpoint_in_lmdb)
{
    struct folder folder;
    char text[256] = "";
    folder_make(&folder, "state.mdb");
    struct state_store *store = state_store_lmdb(&folder.options, text, sizeof text);
    cr_assert_not_null(store, "%s", text);
    checkpoint_is_kept(store);
    store->ops->destroy(store);
    store = state_store_lmdb(&folder.options, text, sizeof text);
    cr_assert_eq(store->ops->mark(store).batch, 6);
    store->ops->destroy(store);
    folder.options.read_only = true;
    store = state_store_lmdb(&folder.options, text, sizeof text);
    cr_assert_not_null(store, "%s", text);
    struct loaded loaded = {0};
    cr_assert_eq(store->ops->load(store, load_one, &loaded), IO_OK);
    cr_assert_eq(loaded.count, 1000);
    store->ops->destroy(store);
    folder_remove(&folder);
}

Test(store, a_cut_file_is_refused)
{
    struct folder folder;
    char text[256] = "";
    folder_make(&folder, "state.mdb");
    struct state_store *store = state_store_lmdb(&folder.options, text, sizeof text);
    put_rows(store, 1000, 7, 4);
    store->ops->destroy(store);
    struct stat file;
    cr_assert_eq(stat(folder.file, &file), 0);
    for (off_t size = file.st_size - 1; size > 0; size /= 2) {
        text[0] = '\0';
        cr_assert_eq(truncate(folder.file, size), 0);
        cr_assert_null(state_store_lmdb(&folder.options, text, sizeof text), "%lld bytes",
                       (long long)size);
        cr_assert_not_null(strstr(text, "state.mdb: "), "%s", text);
    }
    folder_remove(&folder);
}

Test(store, lmdb_says_when_its_map_is_full_and_goes_on_afterwards)
{
    struct folder folder;
    char text[256] = "";
    folder_make(&folder, "state.mdb");
    folder.options.map_bytes = 1u << 20;
    struct state_store *store = state_store_lmdb(&folder.options, text, sizeof text);
    uint8_t image[480] = {1};
    cr_assert_eq(store->ops->begin(store), IO_OK);
    enum io_err err = IO_OK;
    for (uint32_t i = 0; err == IO_OK && i < 10000; i++) {
        err = store->ops->put(store, LEDGER_TABLE_txn, i, image, sizeof image);
    }
    cr_assert_eq(err, IO_ERR_NO_SPACE, "%s", store->text);
    cr_assert_not_null(strstr(store->text, "state.mdb: "));
    cr_assert_eq(store->ops->mark(store).batch, 0);
    put_rows(store, 100, 9, 4);
    cr_assert_eq(store->ops->mark(store).batch, 4);
    store->ops->destroy(store);
    folder_remove(&folder);
}

/* Every tenth byte of the data pages, one after the other: an error or the right rows, never
 * others. */
Test(store, lmdb_flips_are_seen)
{
    struct folder folder;
    char text[256] = "";
    folder_make(&folder, "state.mdb");
    struct state_store *store = state_store_lmdb(&folder.options, text, sizeof text);
    put_rows(store, 60, 0xA5, 3);
    store->ops->destroy(store);
    int fd = open(folder.file, O_RDWR);
    cr_assert_geq(fd, 0);
    uint8_t page[4096];
    uint32_t seen = 0;
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = 8192; at < size; at += (off_t)sizeof page) {
        cr_assert_eq(pread(fd, page, sizeof page, at), (ssize_t)sizeof page);
        for (uint32_t i = 0; i + 8 < sizeof page; i += 10) {
            if (memcmp(page + i, "\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5", 8) != 0) {
                continue; /* LMDB's own structure */
            }
            uint8_t flipped = page[i] ^ 4;
            cr_assert_eq(pwrite(fd, &flipped, 1, at + i), 1);
            store = state_store_lmdb(&folder.options, text, sizeof text);
            cr_assert_not_null(store);
            struct loaded loaded = {0};
            enum io_err err = store->ops->load(store, load_one, &loaded);
            seen += err == IO_ERR_DISK;
            cr_assert(err == IO_ERR_DISK || loaded.count == 60, "a page that is not used any more");
            store->ops->destroy(store);
            cr_assert_eq(pwrite(fd, page + i, 1, at + i), 1);
        }
    }
    cr_assert_gt(seen, 100);
    (void)close(fd);
    folder_remove(&folder);
}

/* ---- reference data
 * ------------------------------------------------------------------------------ */

static struct ledger_card_key card_key(uint8_t first, uint8_t last)
{
    struct ledger_card_key key;
    memset(key.bytes, first, sizeof key.bytes);
    key.bytes[15] = last;
    return key;
}

static void change_list(struct ledger_ref *ref, const char *list, const char *key, bool remove,
                        int64_t until_utc_s)
{
    struct ledger_list_change change = {.until_utc_s = until_utc_s, .is_remove = remove};
    memcpy(change.list, list, strlen(list));
    memcpy(change.key, key, strlen(key));
    change.key_size = (uint8_t)strlen(key);
    cr_assert_eq(ref->ops->list(ref, &change), IO_OK);
}

static void reference_is_kept(struct ledger_ref *ref)
{
    struct clock clock = {.utc_ns = 1000 * NS_PER_S};
    struct ledger_ref_reader *reader = ref->ops->reader(ref, &clock);
    struct ledger_ref_card card = {.version = 1, .expiry = 3012, .pvv = {1, 2, 3, 4}}, got;
    struct ledger_card_key keys[3] = {card_key(9, 1), card_key(9, 2), card_key(9, 3)};
    bool changed = false;
    cr_assert_eq(reader->ops->renew(reader), 0);
    cr_assert_not(reader->ops->card(reader, &keys[0], &got));
    cr_assert_eq(ref->ops->begin(ref), IO_OK);
    for (uint32_t i = 0; i < 3; i++) { /* the same first eight bytes */
        card.version = i + 1;
        cr_assert_eq(ref->ops->card(ref, &keys[i], &card, &changed), IO_OK);
    }
    cr_assert(changed);
    change_list(ref, "deny", "4000", false, 0);
    change_list(ref, "deny", "5000", false, 1001);
    cr_assert_eq(ref->ops->commit(ref, 10), IO_OK);
    cr_assert_not(reader->ops->card(reader, &keys[0], &got), "an old snapshot");
    cr_assert_eq(reader->ops->renew(reader), 10);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert(reader->ops->card(reader, &keys[i], &got));
        cr_assert_eq(got.version, i + 1);
    }
    cr_assert(reader->ops->listed(reader, "deny", "4000", 4));
    cr_assert(reader->ops->listed(reader, "deny", "5000", 4));
    cr_assert_not(reader->ops->listed(reader, "den", "y4000", 5));
    cr_assert_not(reader->ops->listed(reader, "deny", "400", 3));
    clock.utc_ns = 1001 * NS_PER_S;
    cr_assert_not(reader->ops->listed(reader, "deny", "5000", 4), "it has ended");
    /* The same again is no change; another version is; a removal is. */
    cr_assert_eq(ref->ops->begin(ref), IO_OK);
    changed = false;
    cr_assert_eq(ref->ops->card(ref, &keys[2], &card, &changed), IO_OK);
    cr_assert_not(changed);
    card.version = 8;
    cr_assert_eq(ref->ops->card(ref, &keys[2], &card, &changed), IO_OK);
    cr_assert(changed);
    change_list(ref, "deny", "4000", true, 0);
    change_list(ref, "deny", "never", true, 0);
    cr_assert_eq(ref->ops->commit(ref, 12), IO_OK);
    cr_assert(reader->ops->listed(reader, "deny", "4000", 4), "an old snapshot");
    cr_assert_eq(reader->ops->renew(reader), 12);
    cr_assert_not(reader->ops->listed(reader, "deny", "4000", 4));
    cr_assert(reader->ops->card(reader, &keys[2], &got));
    cr_assert_eq(got.version, 8);
    /* What was given up is not there. */
    cr_assert_eq(ref->ops->begin(ref), IO_OK);
    change_list(ref, "deny", "7000", false, 0);
    ref->ops->abort(ref);
    cr_assert_eq(ref->ops->begin(ref), IO_OK);
    cr_assert_eq(ref->ops->commit(ref, 13), IO_OK);
    cr_assert_eq(reader->ops->renew(reader), 13);
    cr_assert_not(reader->ops->listed(reader, "deny", "7000", 4));
    reader->ops->close(reader);
}

Test(store, reference_data_in_memory)
{
    struct ledger_ref *ref = ledger_ref_memory();
    reference_is_kept(ref);
    ref->ops->destroy(ref);
}

Test(store, reference_data_in_lmdb)
{
    struct folder folder;
    char text[256] = "";
    folder_make(&folder, "ref.mdb");
    struct ledger_ref *ref = ledger_ref_lmdb(&folder.options, text, sizeof text);
    cr_assert_not_null(ref, "%s", text);
    reference_is_kept(ref);
    ref->ops->destroy(ref);
    ref = ledger_ref_lmdb(&folder.options, text, sizeof text);
    cr_assert_eq(ref->ops->batch(ref), 13);
    ref->ops->destroy(ref);
    folder_remove(&folder);
}

Test(store, readers_are_bounded)
{
    struct folder folder;
    char text[256] = "";
    folder_make(&folder, "ref.mdb");
    folder.options.readers_max = 2;
    struct ledger_ref *ref = ledger_ref_lmdb(&folder.options, text, sizeof text);
    struct clock clock = {.utc_ns = 0};
    struct ledger_ref_reader *one = ref->ops->reader(ref, &clock);
    struct ledger_ref_reader *two = ref->ops->reader(ref, &clock);
    cr_assert(one != NULL && two != NULL);
    cr_assert_null(ref->ops->reader(ref, &clock));
    cr_assert_not_null(strstr(ref->text, "ref.mdb: a reader: "), "%s", ref->text);
    one->ops->close(one);
    two->ops->close(two);
    ref->ops->destroy(ref);
    folder_remove(&folder);
}

Test(store, a_path_that_cannot_be_opened_is_named)
{
    char text[256] = "";
    struct store_options options = {.path = "/nowhere/at/all.mdb", .map_bytes = MAP_BYTES};
    cr_assert_null(state_store_lmdb(&options, text, sizeof text));
    cr_assert_not_null(strstr(text, "/nowhere/at/all.mdb"), "%s", text);
    cr_assert_null(ledger_ref_lmdb(&options, text, sizeof text));
}
