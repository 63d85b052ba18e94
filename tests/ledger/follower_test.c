/* follower_test.c - what followers keep, when, and what a crash between their steps leaves behind.
 */
#include "ledger/archive.h"
#include "ledger/archive_txn.h"
#include "ledger/follower.h"
#include "tests/ledger/journal_kit.h"

TestSuite(follower, .timeout = 120);

#define ROWS 20000u

/* A process on a disk; disk, checkpoint and reference data outlive it. */
struct house {
    struct disk_sim *sim;
    struct state_store *state;
    struct ledger_ref *ref;
    struct journal_options options;
    struct clock clock;
    uint32_t mark;
    struct journal *journal;
    struct followers *followers;
    struct ledger_board *board;
    uint64_t archive_bytes;
    int64_t *durable; /* [ROWS] posted_debit as of the last durable batch: the model */
    int64_t *rows;    /* [ROWS] what a recovery made of it */
    char text[256];
};

static bool load_row(void *context, uint16_t table, uint32_t row, const void *image, uint32_t size)
{
    struct house *house = context;
    struct ledger_account account = {.posted_debit = 0};
    if (table == LEDGER_TABLE_account) {
        memcpy(&account, image, size);
        house->rows[row] = account.posted_debit;
    }
    return row < ROWS;
}

static bool replay(void *context, const struct journal_frame *frame,
                   const struct ledger_record *record)
{
    const struct ledger_effect *effect = NULL;
    (void)frame;
    while ((effect = ledger_effect_next(record, effect)) != NULL) {
        if (!load_row(context, effect->table, effect->row, ledger_effect_image(effect),
                      effect->size)) {
            return false;
        }
    }
    return true;
}

static bool house_open(struct house *house)
{
    struct followers_options options = {.disk = disk_sim_disk(house->sim),
                                        .state = house->state,
                                        .ref = house->ref,
                                        .archive_bytes = house->archive_bytes};
    struct journal_cursor cursors[FOLLOWERS_COUNT];
    struct journal_found found;
    house->mark = mem_mark();
    house->options.clock = &house->clock;
    house->board = mem_take(MEM_PLAIN, sizeof *house->board, "board");
    options.board = house->board;
    house->journal = journal_open(&house->options, options.disk, house->text, sizeof house->text);
    cr_assert_not_null(house->journal, "%s", house->text);
    house->followers = followers_open(&options, house->journal, house->text, sizeof house->text);
    if (house->followers == NULL) {
        return false;
    }
    memset(house->rows, 0, ROWS * sizeof *house->rows);
    cr_assert_eq(house->state->ops->load(house->state, load_row, house), IO_OK);
    followers_cursors(house->followers, cursors);
    if (!journal_recover(house->journal, cursors, FOLLOWERS_COUNT, cursors[FOLLOWER_STATE].batch,
                         replay, house, &found, house->text, sizeof house->text)) {
        return false;
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        cr_assert_eq(house->rows[i], house->durable[i], "row %u", i);
    }
    if (journal_free_bytes(house->journal) < 2 * house->options.segment_bytes) {
        cr_assert(followers_catch_up(house->followers, house->text, sizeof house->text), "%s",
                  house->text);
    }
    cr_assert(journal_begin(house->journal, house->text, sizeof house->text), "%s", house->text);
    journal_attach(house->journal, disk_sim_io(house->sim), 7);
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        followers_agent(house->followers, (enum follower_kind)kind)->clock = &house->clock;
    }
    return true;
}

static void house_start(struct house *house, uint64_t seed)
{
    *house = (struct house){
        .sim = disk_sim_create(seed), .state = state_store_memory(), .ref = ledger_ref_memory()};
    house->clock.now_ns = 1000 * NS_PER_S;
    house->options.segment_bytes = KIT_SEGMENT_BYTES;
    house->options.segments_count = KIT_SEGMENTS;
    house->options.mirror_bytes = 128 * 1024;
    house->durable = calloc(ROWS, sizeof *house->durable);
    house->rows = calloc(ROWS, sizeof *house->rows);
    cr_assert(house->durable != NULL && house->rows != NULL);
}

static void house_close(struct house *house)
{
    followers_close(house->followers);
    journal_close(house->journal);
    mem_release_to(house->mark);
}

static void house_crash(struct house *house)
{
    disk_sim_crash(house->sim, DISK_SIM_ANY, 0);
    state_store_memory_crash(house->state);
    ledger_ref_memory_crash(house->ref);
    journal_close(house->journal);
    mem_release_to(house->mark);
}

static void house_end(struct house *house)
{
    house_close(house);
    house->state->ops->destroy(house->state);
    house->ref->ops->destroy(house->ref);
    disk_sim_destroy(house->sim);
    free(house->durable);
    free(house->rows);
}

/* One record and its durable batch; false: no room. */
static bool write_record(struct house *house, uint32_t row, int64_t value)
{
    uint8_t *place = journal_reserve(house->journal, LEDGER_RECORD_BYTES_MAX);
    if (place == NULL) {
        return false;
    }
    journal_commit(house->journal, kit_record(place, row, value, 0));
    house->durable[row] = value;
    return true;
}

static void settle(struct house *house)
{
    for (int i = 0; i < 4 && !journal_idle(house->journal); i++) {
        struct io_event event;
        (void)journal_turn(house->journal);
        if (disk_sim_finish(house->sim, &event)) {
            journal_event(house->journal, &event);
        }
    }
    cr_assert(journal_idle(house->journal));
}

static void write_event(struct house *house, uint16_t table, uint32_t row, const void *image,
                        uint32_t size)
{
    uint8_t *place = journal_reserve(house->journal, LEDGER_RECORD_BYTES_MAX);
    cr_assert_not_null(place);
    struct ledger_record *record = (struct ledger_record *)place;
    struct ledger_effect effect = {table, (uint16_t)size, row};
    memset(record, 0, sizeof *record);
    record->kind = LEDGER_CARD_STATUS;
    record->effects_count = 1;
    record->size = (uint32_t)(sizeof *record + sizeof effect) + size;
    memcpy(record + 1, &effect, sizeof effect);
    memcpy((uint8_t *)(record + 1) + sizeof effect, image, size);
    record->crc32c = ledger_record_crc(record);
    journal_commit(house->journal, record->size);
    settle(house);
}

static uint32_t turn(struct house *house, enum follower_kind kind)
{
    struct agent *agent = followers_agent(house->followers, kind);
    return agent->ops->turn(agent);
}

static void turn_all(struct house *house, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
            (void)turn(house, (enum follower_kind)kind);
        }
    }
}

static uint64_t passed(struct house *house, enum follower_kind kind)
{
    return followers_passed(house->followers, kind);
}

/* ---- reference data
 * ------------------------------------------------------------------------------ */

static struct ledger_card card_row(uint8_t first, uint32_t version, uint8_t tries)
{
    struct ledger_card card = {
        .account = 1, .version = version, .pin_tries = tries, .expiry = 3012};
    memset(card.key.bytes, first, sizeof card.key.bytes);
    return card;
}

Test(follower, a_card_is_there_at_once_and_a_wrong_pin_changes_nothing)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    struct ledger_ref_reader *reader = house.ref->ops->reader(house.ref, &house.clock);
    struct ledger_card card = card_row(7, 1, 0);
    write_event(&house, LEDGER_TABLE_card, 0, &card, sizeof card);
    cr_assert_gt(turn(&house, FOLLOWER_REF), 0);
    uint64_t batch = journal_durable_batch(house.journal);
    cr_assert_eq(passed(&house, FOLLOWER_REF), batch);
    cr_assert_eq(atomic_load(&house.board->ref_batch), batch);
    struct ledger_ref_card seen;
    cr_assert_eq(reader->ops->renew(reader), batch);
    cr_assert(reader->ops->card(reader, &card.key, &seen));
    cr_assert_eq(seen.version, 1);
    cr_assert_not(ledger_ref_passed(house.board, 2, batch));
    ledger_ref_renewed(house.board, 0, batch);
    cr_assert_not(ledger_ref_passed(house.board, 2, batch));
    ledger_ref_renewed(house.board, 1, batch + 1);
    cr_assert(ledger_ref_passed(house.board, 2, batch));
    /* Tries are the shard's affair: the cursor moves later, nothing is committed now. */
    card.pin_tries = 2;
    write_event(&house, LEDGER_TABLE_card, 0, &card, sizeof card);
    (void)turn(&house, FOLLOWER_REF);
    cr_assert_eq(house.ref->ops->batch(house.ref), batch);
    house.clock.now_ns += FOLLOWER_STATE_EVERY_NS;
    (void)turn(&house, FOLLOWER_REF);
    cr_assert_eq(house.ref->ops->batch(house.ref), batch + 1);
    /* A list's element comes and goes. */
    struct ledger_list_change change = {.list = "deny", .key_size = 4, .key = "4000"};
    write_event(&house, LEDGER_EVENT_list_change, 0, &change, sizeof change);
    (void)turn(&house, FOLLOWER_REF);
    (void)reader->ops->renew(reader);
    cr_assert(reader->ops->listed(reader, "deny", "4000", 4));
    reader->ops->close(reader);
    house_end(&house);
}

/* ---- the checkpoint ----------------------------------------------------------------------------
 */

Test(follower, the_checkpoint_is_lazy_and_keeps_the_last_image)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    for (int64_t i = 0; i < 20; i++) {
        cr_assert(write_record(&house, 5, i));
        settle(&house);
    }
    turn_all(&house, 5);
    cr_assert_eq(passed(&house, FOLLOWER_STATE), 0);
    house.clock.now_ns += FOLLOWER_STATE_EVERY_NS;
    turn_all(&house, 1);
    cr_assert_eq(passed(&house, FOLLOWER_STATE), journal_durable_batch(house.journal));
    struct store_mark mark = house.state->ops->mark(house.state);
    cr_assert(mark.batch == 21 && mark.seen == 21 && mark.epoch == 1 && mark.sequence == 20);
    struct agent *agent = followers_agent(house.followers, FOLLOWER_STATE);
    house.clock.now_ns += NS_PER_S;
    cr_assert_eq(agent->ops->deadline(agent), INT64_MAX, "nothing is left to do");
    cr_assert_not(agent->ops->pending(agent));
    house_close(&house);
    cr_assert(house_open(&house), "%s", house.text);
    house_end(&house);
}

/* More rows than one commit takes: a crash between the commits leaves newer rows than the mark
 * says, and the journal repairs them. */
Test(follower, a_crash_between_two_commits_of_one_checkpoint)
{
    for (uint32_t commits = 0; commits < 4; commits++) {
        struct house house;
        house_start(&house, commits + 1);
        house.options.segment_bytes = 4u << 20;
        cr_assert(house_open(&house), "%s", house.text);
        for (uint32_t round = 1; round <= 2; round++) {
            for (uint32_t row = 0; row < ROWS; row++) {
                while (!write_record(&house, row, (int64_t)round * 100000 + row)) {
                    settle(&house);
                }
            }
            settle(&house);
            if (round == 1) {
                house.clock.now_ns += FOLLOWER_STATE_EVERY_NS;
                turn_all(&house, 3 * ROWS / 8192 + 20);
                house.clock.now_ns += FOLLOWER_STATE_EVERY_NS;
                turn_all(&house, 20);
                cr_assert_eq(passed(&house, FOLLOWER_STATE), journal_durable_batch(house.journal));
            }
        }
        uint64_t before = passed(&house, FOLLOWER_STATE);
        for (uint32_t i = 0; i < 10 && turn(&house, FOLLOWER_STATE) > 0; i++) {
        }
        cr_assert_eq(passed(&house, FOLLOWER_STATE), before);
        house.clock.now_ns += FOLLOWER_STATE_EVERY_NS;
        for (uint32_t i = 0; i < commits; i++) {
            (void)turn(&house, FOLLOWER_STATE);
        }
        struct store_mark mark = house.state->ops->mark(house.state);
        cr_assert_eq(mark.batch > before, commits == 3, "20,000 rows are three commits");
        cr_assert_eq(mark.seen > before, commits > 0);
        house_crash(&house);
        cr_assert(house_open(&house), "%s", house.text);
        house_end(&house);
    }
}

Test(follower, rows_of_a_checkpoint_that_the_journal_has_lost_end_the_start)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    cr_assert(write_record(&house, 1, 1));
    settle(&house);
    turn_all(&house, 1);
    house.clock.now_ns += FOLLOWER_STATE_EVERY_NS;
    turn_all(&house, 1);
    cr_assert_eq(passed(&house, FOLLOWER_STATE), 2);
    memset(house.durable, 0, ROWS * sizeof *house.durable);
    house_close(&house);
    disk_sim_flip(house.sim, "journal-000.seg", 4096 + 140, 1);
    cr_assert_not(house_open(&house));
    cr_assert_not_null(strstr(house.text, "has seen batch 2"), "%s", house.text);
    house_end(&house);
}

/* ---- room, errors ------------------------------------------------------------------------------
 */

static uint32_t fill(struct house *house)
{
    uint32_t count = 0;
    while (write_record(house, count % 100, count)) {
        settle(house);
        count++;
        cr_assert_lt(count, 100000);
    }
    return count;
}

Test(follower, a_segment_is_used_again_only_behind_the_slowest)
{
    for (int slow = 0; slow < FOLLOWERS_COUNT; slow++) {
        struct house house;
        house_start(&house, 1);
        cr_assert(house_open(&house), "%s", house.text);
        followers_pause(house.followers, (enum follower_kind)slow, true);
        for (uint32_t i = 0; i < 10; i++) {
            (void)fill(&house);
            house.clock.now_ns += NS_PER_S;
            turn_all(&house, 3);
        }
        cr_assert_eq(passed(&house, (enum follower_kind)slow), 0);
        cr_assert_eq(fill(&house), 0, "full, whatever the others do");
        followers_pause(house.followers, (enum follower_kind)slow, false);
        house.clock.now_ns += NS_PER_S;
        turn_all(&house, 3);
        cr_assert_gt(fill(&house), 50);
        house_end(&house);
    }
}

Test(follower, pressure_flushes_without_waiting_for_the_clock)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    for (uint32_t i = 0; i < 2000; i++) { /* many laps, and time stands still */
        cr_assert(write_record(&house, i % ROWS, i));
        settle(&house);
        turn_all(&house, 1);
    }
    house_end(&house);
}

Test(follower, a_full_disk_is_tried_again)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    cr_assert(write_record(&house, 1, 5));
    settle(&house);
    state_store_memory_fail(house.state, 1, IO_ERR_NO_SPACE);
    disk_sim_fail(house.sim, 0, 1, IO_ERR_NO_SPACE);
    turn_all(&house, 1);
    house.clock.now_ns += NS_PER_S;
    turn_all(&house, 1);
    cr_assert_eq(passed(&house, FOLLOWER_STATE), 0);
    cr_assert_eq(passed(&house, FOLLOWER_ARCHIVE), 0);
    cr_assert_not_null(
        strstr(followers_failure(house.followers, FOLLOWER_STATE), "state follower: "));
    cr_assert_not_null(
        strstr(followers_failure(house.followers, FOLLOWER_ARCHIVE), "archive/00000001.seg"));
    turn_all(&house, 3);
    cr_assert_eq(passed(&house, FOLLOWER_STATE), 0, "not before a second is over");
    struct agent *agent = followers_agent(house.followers, FOLLOWER_STATE);
    cr_assert_eq(agent->ops->deadline(agent), house.clock.now_ns + FOLLOWER_RETRY_NS);
    house.clock.now_ns += FOLLOWER_RETRY_NS;
    turn_all(&house, 1);
    house.clock.now_ns += NS_PER_S;
    turn_all(&house, 1);
    cr_assert_eq(passed(&house, FOLLOWER_STATE), 2);
    cr_assert_eq(passed(&house, FOLLOWER_ARCHIVE), 2);
    cr_assert_str_empty(followers_failure(house.followers, FOLLOWER_STATE));
    house_crash(&house);
    cr_assert(house_open(&house), "%s", house.text);
    house_end(&house);
}

Test(follower, another_error_stops_it)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    cr_assert(write_record(&house, 1, 5));
    settle(&house);
    turn_all(&house, 1);
    disk_sim_fail(house.sim, 0, 1, IO_ERR_DISK);
    house.clock.now_ns += NS_PER_S;
    turn_all(&house, 1);
    cr_assert_not_null(strstr(followers_failure(house.followers, FOLLOWER_ARCHIVE), "archive"));
    house.clock.now_ns += 100 * NS_PER_S;
    turn_all(&house, 3);
    cr_assert_eq(passed(&house, FOLLOWER_ARCHIVE), 0);
    cr_assert_eq(passed(&house, FOLLOWER_STATE), 2, "the others go on");
    house_end(&house);
}

/* ---- the archive -------------------------------------------------------------------------------
 */

struct walked {
    uint64_t first, last, count;
    uint64_t stop_at;
};

static bool walk(void *context, const struct journal_frame *frame, const char *name,
                 uint64_t offset)
{
    struct walked *walked = context;
    cr_assert(offset % FRAME_ARCHIVE_ALIGN == 0 && strncmp(name, "archive/", 8) == 0);
    walked->first = walked->count == 0 ? frame->batch : walked->first;
    walked->last = frame->batch;
    walked->count++;
    return frame->batch != walked->stop_at;
}

static void fill_archive(struct house *house, uint32_t batches)
{
    for (uint32_t i = 0; i < batches; i++) {
        cr_assert(write_record(house, i % ROWS, i));
        settle(house);
        if (i % 20 == 19) {
            house->clock.now_ns += NS_PER_S;
            turn_all(house, 2);
        }
    }
    turn_all(house, 1);
    house->clock.now_ns += NS_PER_S;
    turn_all(house, 1);
}

Test(follower, the_archive_has_every_frame)
{
    struct house house;
    house_start(&house, 1);
    house.archive_bytes = 16 * 1024;
    cr_assert(house_open(&house), "%s", house.text);
    fill_archive(&house, 500);
    struct disk *disk = disk_sim_disk(house.sim);
    struct walked all = {0};
    cr_assert(archive_each(disk, 1, walk, &all, house.text, sizeof house.text), "%s", house.text);
    cr_assert(all.first == 1 && all.last == 501 && all.count == 501);
    struct walked part = {.stop_at = 400};
    cr_assert(archive_each(disk, 333, walk, &part, house.text, sizeof house.text));
    cr_assert(part.first == 333 && part.last == 400 && part.count == 68);
    struct walked newest = {0};
    cr_assert(archive_search(disk, 1, walk, &newest, house.text, sizeof house.text));
    cr_assert(newest.last == 501 && newest.first > 400);
    uint64_t size;
    cr_assert_not_null(disk_sim_bytes(house.sim, "archive/00000005.seg", &size));
    cr_assert_lt(size, 2 * 16 * 1024 + 4096);
    /* A flipped byte in a closed file is named. */
    disk_sim_flip(house.sim, "archive/00000002.seg", 132, 1);
    cr_assert_not(archive_each(disk, 1, walk, &all, house.text, sizeof house.text));
    cr_assert_not_null(strstr(house.text, "archive/00000002.seg at "), "%s", house.text);
    disk_sim_flip(house.sim, "archive/00000002.seg", 132, 1);
    cr_assert_eq(disk->ops->remove(disk, "archive/00000003.seg"), IO_OK);
    cr_assert_not(archive_each(disk, 1, walk, &all, house.text, sizeof house.text));
    cr_assert_not_null(strstr(house.text, "does not continue"), "%s", house.text);
    house_end(&house);
}

Test(follower, crashes_never_leave_a_hole_in_the_archive)
{
    struct house house;
    house_start(&house, 77);
    house.archive_bytes = 16 * 1024;
    cr_assert(house_open(&house), "%s", house.text);
    uint64_t random = 0x9E3779B97F4A7C15u;
    for (uint32_t i = 0; i < 1500; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        cr_assert(write_record(&house, (uint32_t)(random >> 20) % ROWS, (int64_t)i));
        settle(&house);
        if (random % 8 == 0) {
            house.clock.now_ns += NS_PER_S / 4;
            disk_sim_fail(house.sim, (uint32_t)(random >> 40) % 3, random % 3 == 0,
                          IO_ERR_NO_SPACE);
            turn_all(&house, 2);
            disk_sim_fail(house.sim, 0, 0, IO_OK);
        }
        if (random % 97 == 0) {
            house_crash(&house);
            cr_assert(house_open(&house), "%s", house.text);
        }
    }
    house.clock.now_ns += 2 * NS_PER_S;
    turn_all(&house, 5);
    house.clock.now_ns += 2 * NS_PER_S;
    turn_all(&house, 5);
    struct walked all = {0};
    cr_assert(archive_each(disk_sim_disk(house.sim), 1, walk, &all, house.text, sizeof house.text),
              "%s", house.text);
    cr_assert(all.first == 1 && all.last == journal_durable_batch(house.journal));
    house_end(&house);
}

/* Half a frame at the end is cut only when the journal still has it. */
Test(follower, a_damaged_end_of_the_archive_is_written_again_or_ends_the_start)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    fill_archive(&house, 10);
    uint64_t size;
    cr_assert_not_null(disk_sim_bytes(house.sim, "archive/00000001.seg", &size));
    house_close(&house);
    disk_sim_flip(house.sim, "archive/00000001.seg", size - 100, 1);
    cr_assert(house_open(&house), "%s", house.text);
    fill_archive(&house, 300);
    struct walked all = {0};
    cr_assert(archive_each(disk_sim_disk(house.sim), 1, walk, &all, house.text, sizeof house.text),
              "%s", house.text);
    cr_assert_eq(all.last, journal_durable_batch(house.journal));
    house_close(&house);
    disk_sim_flip(house.sim, "archive/00000001.seg", 500, 1); /* long gone from the journal */
    uint64_t operations = disk_sim_operations(house.sim);
    cr_assert_not(house_open(&house));
    cr_assert_not_null(
        strstr(house.text, "which archive (00000001.seg, whole up to 384) still needs"), "%s",
        house.text);
    cr_assert_eq(disk_sim_operations(house.sim), operations, "the evidence stays");
    house_end(&house);
}

/* A transaction's row is written when it is decided and again later: the newest image counts. */
Test(follower, old_transactions_are_found_in_the_archive)
{
    struct house house;
    house_start(&house, 1);
    house.archive_bytes = 8 * 1024;
    cr_assert(house_open(&house), "%s", house.text);
    for (uint32_t i = 0; i < 90; i++) {
        struct ledger_txn txn = {.id = 100 + i % 60, .amount_minor = 500, .undone_minor = i};
        (void)snprintf((char *)txn.rrn, sizeof txn.rrn, "rrn-%07u", i % 30);
        txn.rrn[11] = ' ';
        write_event(&house, LEDGER_TABLE_txn, i % 60, &txn, offsetof(struct ledger_txn, related));
        house.clock.now_ns += NS_PER_S;
        turn_all(&house, 1);
    }
    house.clock.now_ns += NS_PER_S;
    turn_all(&house, 1);
    struct ledger_row_txn rows[4];
    uint32_t count;
    struct disk *disk = disk_sim_disk(house.sim);
    struct archive_wanted wanted = {.has_txn = true, .txn = 105};
    cr_assert(archive_txns(disk, &wanted, 100, rows, 4, &count, house.text, sizeof house.text));
    cr_assert(count == 1 && rows[0].txn == 105 && rows[0].undone_minor == 65);
    wanted.txn = 155;
    cr_assert(archive_txns(disk, &wanted, 100, rows, 4, &count, house.text, sizeof house.text));
    cr_assert(count == 1 && rows[0].undone_minor == 55);
    wanted.txn = 7;
    cr_assert(archive_txns(disk, &wanted, 100, rows, 4, &count, house.text, sizeof house.text));
    cr_assert_eq(count, 0);
    struct archive_wanted by_rrn = {.rrn = "rrn-0000004 "};
    cr_assert(archive_txns(disk, &by_rrn, 100, rows, 4, &count, house.text, sizeof house.text));
    cr_assert_eq(count, 2);
    cr_assert(rows[0].txn == 104 && rows[0].undone_minor == 64);
    cr_assert(rows[1].txn == 134 && rows[1].undone_minor == 34);
    cr_assert(archive_txns(disk, &by_rrn, 100, rows, 1, &count, house.text, sizeof house.text));
    cr_assert_eq(count, 1);
    house_end(&house);
}

Test(follower, all_catch_up_when_told)
{
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    uint32_t count = fill(&house);
    cr_assert(followers_catch_up(house.followers, house.text, sizeof house.text), "%s", house.text);
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        cr_assert_eq(passed(&house, (enum follower_kind)kind), count + 1);
    }
    cr_assert_gt(fill(&house), 50);
    house_end(&house);
}

/* ---- being rung
 * ---------------------------------------------------------------------------------- */

static uint32_t wakes_count;
static void count_wake(struct io *io)
{
    (void)io;
    wakes_count++;
}

Test(follower, is_rung_at_most_every_two_milliseconds)
{
    static const struct io_ops ops = {.wake = count_wake};
    struct io io = {&ops};
    struct bell bell = {.io = &io};
    struct house house;
    house_start(&house, 1);
    cr_assert(house_open(&house), "%s", house.text);
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        followers_agent(house.followers, (enum follower_kind)kind)->bell = &bell;
    }
    turn_all(&house, 2);
    cr_assert_eq(followers_ring(house.followers, house.clock.now_ns), INT64_MAX, "nothing to tell");
    for (uint32_t i = 0; i < 10; i++) { /* ten batches within a millisecond */
        cr_assert(write_record(&house, i, i));
        settle(&house);
        atomic_store(&bell.asleep, 1);
        int64_t again = followers_ring(house.followers, house.clock.now_ns);
        cr_assert_eq(again != INT64_MAX, i > 0);
        house.clock.now_ns += NS_PER_MS / 10;
    }
    cr_assert_eq(wakes_count, 1);
    house.clock.now_ns += FOLLOWER_RING_NS;
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        followers_pause(house.followers, (enum follower_kind)kind, true);
    }
    atomic_store(&bell.asleep, 1);
    wakes_count = 0;
    cr_assert_eq(followers_ring(house.followers, house.clock.now_ns), INT64_MAX);
    cr_assert_eq(wakes_count, 0, "who is paused is not woken");
    followers_pause(house.followers, FOLLOWER_ARCHIVE, false);
    atomic_store(&bell.asleep, 1);
    wakes_count = 0;
    cr_assert_eq(followers_ring(house.followers, house.clock.now_ns), INT64_MAX);
    cr_assert_eq(wakes_count, 1);
    house_end(&house);
}
