/* offline_test.c - the data directory of a daemon that is down: verified, damaged, backed up, put
 * back. Everything real: files, LMDB, the shard, the followers. */
#include "ledger/backup.h"
#include "ledger/ledger.h"
#include "ledger/offline.h"
#include "tests/ledger/journal_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(offline, .timeout = 120);

struct plain_io { /* writes at once; the event is taken from it */
    struct io io;
    struct disk *disk;
    struct io_event event;
    bool has_event;
};

struct home {
    char path[64];
    char state_path[96], ref_path[96];
    struct disk *disk;
    struct plain_io io;
    struct state_store *state;
    struct ledger_ref *ref;
    struct clock clock;
    struct ledger_options options;
    struct ledger *ledger;
    uint32_t mark;
    char text[256];
};

static void write_now(struct io *io, uint64_t token, io_file file, const uint8_t *data,
                      uint32_t size, uint64_t offset)
{
    struct plain_io *self = (struct plain_io *)io;
    enum io_err err = self->disk->ops->write(self->disk, file, data, size, offset);
    self->has_event = true;
    self->event = (struct io_event){
        .token = token, .kind = IO_WRITE, .result = err == IO_OK ? (int32_t)size : -(int32_t)err};
}

static void home_make(struct home *home)
{
    *home = (struct home){.path = "/tmp/offline_test.XXXXXX"};
    enum io_err err;
    cr_assert_not_null(mkdtemp(home->path));
    home->disk = disk_directory(home->path, &err);
    (void)snprintf(home->state_path, sizeof home->state_path, "%s/state.mdb", home->path);
    (void)snprintf(home->ref_path, sizeof home->ref_path, "%s/ref.mdb", home->path);
    home->clock = (struct clock){.now_ns = NS_PER_S, .utc_ns = 1795230000 * NS_PER_S};
    home->options = (struct ledger_options){
        .limits = {64, 128, 64, 256, 256, 8, 16, 16},
        .segment_bytes = 128 * 1024,
        .segments_count = 4,
        .replay_keep_ns = NS_PER_S,
        .senders_count = 2,
        .parties_count = 1,
    };
    memcpy(home->options.parties[0].settlement_account, "settlement/acquirer", 19);
}

static struct backup_place place_of(struct home *home)
{
    return (struct backup_place){home->disk, home->state_path, home->ref_path};
}

static bool home_open(struct home *home)
{
    static const struct io_ops ops = {.write = write_now};
    const struct store_options state = {.path = home->state_path, .map_bytes = 64u << 20};
    const struct store_options ref = {.path = home->ref_path, .map_bytes = 64u << 20};
    home->mark = mem_mark();
    home->state = state_store_lmdb(&state, home->text, sizeof home->text);
    cr_assert_not_null(home->state, "%s", home->text);
    home->ref = ledger_ref_lmdb(&ref, home->text, sizeof home->text);
    cr_assert_not_null(home->ref, "%s", home->text);
    const struct ledger_stores stores = {home->disk, home->state, home->ref};
    home->ledger =
        ledger_open(&home->options, &stores, &home->clock, NULL, home->text, sizeof home->text);
    home->io = (struct plain_io){.io = {&ops}, .disk = home->disk};
    return home->ledger != NULL;
}

static void home_close(struct home *home)
{
    if (home->ledger != NULL) {
        ledger_close(home->ledger);
    }
    home->state->ops->destroy(home->state);
    home->ref->ops->destroy(home->ref);
    mem_release_to(home->mark);
}

static void turn(struct home *home)
{
    struct agent *agent = ledger_agent(home->ledger);
    agent->clock = &home->clock;
    agent->io = &home->io.io;
    home->clock.now_ns += NS_PER_MS;
    home->clock.utc_ns += NS_PER_MS;
    (void)agent->ops->turn(agent);
    if (home->io.has_event) {
        home->io.has_event = false;
        agent->ops->event(agent, &home->io.event);
    }
}

static void follow(struct home *home)
{
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        struct agent *agent =
            followers_agent(ledger_followers(home->ledger), (enum follower_kind)kind);
        agent->clock = &home->clock;
        (void)agent->ops->turn(agent);
    }
}

static void command(struct home *home, void *record, uint32_t size, enum ledger_command_kind kind)
{
    struct ledger_port *port = ledger_port(home->ledger, 1);
    *(struct ledger_command *)record =
        (struct ledger_command){.size = size, .kind = (uint16_t)kind, .sender = 1};
    void *place = ring_reserve(port->commands, size);
    cr_assert_not_null(place);
    memcpy(place, record, size);
    ring_publish(port->commands);
    for (int i = 0; i < 4; i++) {
        turn(home);
    }
    const struct ledger_verdict *verdict = ring_peek(port->verdicts, &size);
    cr_assert_not_null(verdict);
    cr_assert_eq(verdict->kind, LEDGER_VERDICT_DONE);
    ring_next(port->verdicts);
    ring_release(port->verdicts);
}

static void account(struct home *home, const char *name, bool is_house)
{
    struct ledger_command_account create = {.currency = 398, .is_house = is_house};
    memcpy(create.name, name, strlen(name));
    command(home, &create, sizeof create, LEDGER_ACCOUNT_CREATE);
}

static void move(struct home *home, const char *name, int64_t amount)
{
    struct ledger_command_account credit = {.currency = 398, .amount_minor = amount};
    memcpy(credit.name, name, strlen(name));
    memcpy(credit.counter, "house", 5);
    command(home, &credit, sizeof credit, LEDGER_ACCOUNT_MOVE);
}

/* Accounts, cards, a list and some hundreds of bookings: several laps of the journal. */
static void live(struct home *home)
{
    account(home, "house", true);
    account(home, "settlement/acquirer", true);
    for (uint32_t i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "k%u", i);
        account(home, name, false);
        struct ledger_command_card card = {.expiry = 3012, .service_code = 201};
        memset(card.card.bytes, (int)i + 1, sizeof card.card.bytes);
        memcpy(card.account, name, strlen(name));
        command(home, &card, sizeof card, LEDGER_CARD_CREATE);
    }
    for (uint32_t i = 0; i < 250; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "k%u", i % 20);
        move(home, name, 100 + i);
        follow(home);
    }
    struct ledger_command_list deny = {.list = "deny", .key = "4000", .key_size = 4};
    command(home, &deny, sizeof deny, LEDGER_LIST_CHANGE);
    follow(home);
}

static void remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char name[512];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(name) != 0) {
            remove_tree(name);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    (void)rmdir(path);
}

static void home_end(struct home *home)
{
    home->disk->ops->destroy(home->disk);
    remove_tree(home->path);
}

static struct ledger_offline_verified verify(struct home *home)
{
    struct ledger_offline_verified verified;
    const struct store_options options = {
        .path = home->state_path, .map_bytes = 64u << 20, .read_only = true};
    uint32_t mark = mem_mark();
    struct state_store *store = state_store_lmdb(&options, home->text, sizeof home->text);
    cr_assert_not_null(store, "%s", home->text);
    ledger_offline_verify(home->disk, store, &home->options.limits, &verified);
    store->ops->destroy(store);
    mem_release_to(mark);
    return verified;
}

static void flip(const struct home *home, const char *name, off_t offset, uint8_t mask)
{
    char path[160];
    uint8_t byte;
    (void)snprintf(path, sizeof path, "%s/%s", home->path, name);
    int fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pread(fd, &byte, 1, offset), 1);
    byte ^= mask;
    cr_assert_eq(pwrite(fd, &byte, 1, offset), 1);
    cr_assert_eq(fsync(fd), 0);
    (void)close(fd);
}

static void expect_damage(struct home *home, const char *part)
{
    struct ledger_offline_verified verified = verify(home);
    cr_assert_not(verified.is_ok, "wanted \"%s\"", part);
    cr_assert_not_null(strstr(verified.text, part), "\"%s\" does not say \"%s\"", verified.text,
                       part);
}

Test(offline, verifies_checkpoint_journal_and_archive_and_finds_damage)
{
    struct home home;
    home_make(&home);
    cr_assert(home_open(&home), "%s", home.text);
    live(&home);
    home_close(&home);
    struct ledger_offline_verified verified = verify(&home);
    cr_assert(verified.is_ok, "%s", verified.text);
    cr_assert(verified.is_rebuilt && verified.digest == verified.digest_rebuilt);
    cr_assert(verified.archive_first == 1 && verified.archive_last > 200);
    cr_assert(verified.batch >= verified.archive_last);
    cr_assert_gt(verified.archive_records_count, 200);
    cr_assert_lt(verified.checkpoint_batch, verified.batch, "a tail lies in the journal");
    flip(&home, "archive/00000001.seg", 300, 4);
    expect_damage(&home, "archive");
    flip(&home, "archive/00000001.seg", 300, 4);
    /* A row of the checkpoint: find an account's image and change it. */
    char path[96];
    (void)snprintf(path, sizeof path, "state.mdb");
    struct stat status;
    cr_assert_eq(stat(home.state_path, &status), 0);
    uint32_t found = 0;
    for (off_t at = 3 * 4096 + 2048; at < status.st_size; at += 4096) {
        flip(&home, path, at, 1);
        verified = verify(&home);
        found += !verified.is_ok && strstr(verified.text, "checksum") != NULL;
        flip(&home, path, at, 1);
    }
    cr_assert_gt(found, 0);
    cr_assert(verify(&home).is_ok);
    home_end(&home);
}

Test(offline, a_checkpoint_that_says_something_else_is_found)
{
    struct home home;
    home_make(&home);
    cr_assert(home_open(&home), "%s", home.text);
    live(&home);
    home_close(&home);
    /* Somebody gives himself money, with the right checksum. */
    const struct store_options options = {.path = home.state_path, .map_bytes = 64u << 20};
    struct state_store *store = state_store_lmdb(&options, home.text, sizeof home.text);
    struct ledger_account rich = {.posted_credit = 1000000, .currency = 398};
    struct store_mark mark = store->ops->mark(store);
    cr_assert_eq(store->ops->begin(store), IO_OK);
    cr_assert_eq(store->ops->put(store, LEDGER_TABLE_account, 100, &rich, sizeof rich), IO_OK);
    cr_assert_eq(store->ops->commit(store, &mark), IO_OK);
    store->ops->destroy(store);
    cr_assert_not(verify(&home).is_ok);
    home_end(&home);
}

Test(offline, a_backup_taken_while_it_runs_is_put_back)
{
    struct home home, backup, restored;
    home_make(&home);
    home_make(&backup);
    home_make(&restored);
    cr_assert(home_open(&home), "%s", home.text);
    live(&home);
    for (uint32_t i = 0; i < 3; i++) { /* the archive is a little ahead of the checkpoint */
        home.clock.now_ns += FOLLOWER_ARCHIVE_EVERY_NS;
        move(&home, "k1", 7);
        follow(&home);
    }
    struct backup_report report;
    struct backup_place from = place_of(&home), to = place_of(&backup);
    cr_assert(ledger_backup(&from, &to, &report, home.text, sizeof home.text), "%s", home.text);
    cr_assert_gt(report.batch, report.checkpoint_batch);
    uint64_t batch = report.batch;
    cr_assert_not(ledger_backup(&from, &to, &report, home.text, sizeof home.text),
                  "it overwrites nothing");
    move(&home, "k2", 9); /* after the backup */
    home_close(&home);
    /* Put it back, with a journal of another shape. */
    struct clock no_clock = {.now_ns = 0};
    struct journal_options journal = {
        .segment_bytes = 256 * 1024, .segments_count = 3, .clock = &no_clock};
    restored.options.segment_bytes = 256 * 1024;
    restored.options.segments_count = 3;
    from = place_of(&backup);
    to = place_of(&restored);
    uint32_t mark = mem_mark();
    cr_assert(ledger_restore(&from, &to, &journal, &report, home.text, sizeof home.text), "%s",
              home.text);
    mem_release_to(mark);
    cr_assert_eq(report.batch, batch);
    struct ledger_offline_verified verified = verify(&restored);
    cr_assert(verified.is_ok, "%s", verified.text);
    cr_assert(verified.is_rebuilt);
    cr_assert_eq(verified.batch, batch + 1);
    /* It lives: cards and lists are there, bookings go on, the archive's chain is whole. */
    cr_assert(home_open(&restored), "%s", restored.text);
    struct ledger_ref_reader *reader = restored.ref->ops->reader(restored.ref, &restored.clock);
    struct ledger_card_key key;
    struct ledger_ref_card card;
    memset(key.bytes, 5, sizeof key.bytes);
    (void)reader->ops->renew(reader);
    cr_assert(reader->ops->card(reader, &key, &card));
    cr_assert(reader->ops->listed(reader, "deny", "4000", 4));
    reader->ops->close(reader);
    for (uint32_t i = 0; i < 100; i++) {
        move(&restored, "k3", 5);
        restored.clock.now_ns += NS_PER_S / 5;
        follow(&restored);
    }
    home_close(&restored);
    verified = verify(&restored);
    cr_assert(verified.is_ok, "%s", verified.text);
    cr_assert_gt(verified.archive_last, batch + 50);
    home_end(&home);
    home_end(&backup);
    home_end(&restored);
}

Test(offline, an_empty_directory_says_so)
{
    struct home home;
    home_make(&home);
    const struct store_options options = {.path = home.state_path, .map_bytes = 64u << 20};
    struct state_store *store = state_store_lmdb(&options, home.text, sizeof home.text);
    store->ops->destroy(store);
    expect_damage(&home, "there is no journal here");
    home_end(&home);
}

/* ---- put together by somebody ------------------------------------------------------------------
 */

/* Twice: a refusal leaves nothing behind that the next start would take for its own. */
static void refuses_to_open(struct home *home, const char *part)
{
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_not(home_open(home), "wanted \"%s\"", part);
        cr_assert_not_null(strstr(home->text, part), "\"%s\" does not say \"%s\"", home->text,
                           part);
        home_close(home);
    }
}

static void lived(struct home *home)
{
    home_make(home);
    cr_assert(home_open(home), "%s", home->text);
    live(home);
    home_close(home);
}

Test(offline, a_database_that_was_removed_ends_the_start)
{
    struct home home;
    lived(&home);
    cr_assert_eq(unlink(home.state_path), 0);
    refuses_to_open(&home, "but state.mdb ends with batch 0");
    expect_damage(&home, "but state.mdb ends with batch 0");
    home_end(&home);
    lived(&home);
    cr_assert_eq(truncate(home.ref_path, 0), 0);
    refuses_to_open(&home, "but ref.mdb ends with batch 0");
    home_end(&home);
}

Test(offline, a_hash_key_that_was_removed_ends_the_start)
{
    struct home home;
    lived(&home);
    cr_assert_eq(home.disk->ops->remove(home.disk, "hash-key"), IO_OK);
    refuses_to_open(&home, "hash-key is missing or empty");
    home_end(&home);
}

Test(offline, a_journal_that_was_removed_ends_the_start)
{
    struct home home;
    char name[32];
    lived(&home);
    for (uint32_t i = 0; i < home.options.segments_count; i++) {
        (void)snprintf(name, sizeof name, "journal-%03u.seg", i);
        cr_assert_eq(home.disk->ops->remove(home.disk, name), IO_OK);
    }
    refuses_to_open(&home, "the journal is empty, but state.mdb ends with batch");
    home_end(&home);
}

/* Same batches, another number of records: nothing but the mark can tell. */
Test(offline, a_checkpoint_of_another_ledger_ends_the_start)
{
    struct home home, other;
    home_make(&home);
    home_make(&other);
    cr_assert(home_open(&home) && home_open(&other));
    account(&home, "house", true);
    account(&other, "house", true);
    account(&other, "k1", false);
    for (uint32_t i = 0; i < 5; i++) {
        account(&home, (const char[]){'a', (char)('0' + (int)i), '\0'}, false);
        for (uint32_t k = 0; k < 100; k++) { /* frames without records: it seals */
            turn(&other);
        }
        account(&other, (const char[]){'b', (char)('0' + (int)i), '\0'}, false);
    }
    follow(&home);
    home.clock.now_ns += FOLLOWER_STATE_EVERY_NS;
    follow(&home);
    cr_assert_gt(home.state->ops->mark(home.state).seen, 0);
    home_close(&other);
    home_close(&home);
    (void)rename(home.state_path, other.state_path);
    refuses_to_open(&other, "state.mdb and the journal are not of one ledger");
    home_end(&home);
    home_end(&other);
}

Test(offline, limits_that_are_too_small_say_so)
{
    struct home home;
    lived(&home);
    home.options.limits.accounts_max = 16;
    refuses_to_open(&home, "does not fit the configured tables");
    home_end(&home);
}
