/* journal_test.c - the writing side: group commit, room, laps, seals, errors, reading back. */
#include "tests/ledger/journal_kit.h"

TestSuite(journal, .timeout = 60);

Test(journal, a_new_one_begins_with_an_epoch)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    cr_assert_eq(kit.found.batch, 0);
    cr_assert_eq(kit.found.epoch, 1);
    cr_assert_eq(journal_durable_batch(kit.journal), 1);
    cr_assert_eq(journal_open_batch(kit.journal), 2);
    cr_assert(journal_idle(kit.journal));
    kit_end(&kit);
}

Test(journal, gathers_while_one_write_is_in_flight)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    cr_assert(kit_put(&kit, 1, 11, 0));
    kit_launch(&kit);
    cr_assert_eq(disk_sim_writes_count(kit.sim), 1);
    cr_assert_gt(journal_oldest_write_ns(kit.journal), 0);
    cr_assert_eq(journal_open_batch(kit.journal), 3);
    for (int64_t i = 0; i < 5; i++) {
        cr_assert(kit_put(&kit, 2, i, 0));
        kit_launch(&kit);
    }
    cr_assert_eq(disk_sim_writes_count(kit.sim), 1, "one in flight, never two");
    cr_assert_eq(journal_durable_batch(kit.journal), 1);
    cr_assert(kit_land(&kit));
    cr_assert_eq(journal_durable_batch(kit.journal), 2);
    kit_launch(&kit);
    cr_assert(kit_land(&kit));
    cr_assert_eq(journal_durable_batch(kit.journal), 3, "five records, one write");
    (void)journal_turn(kit.journal);
    cr_assert(journal_idle(kit.journal));
    kit_end(&kit);
}

Test(journal, an_uncommitted_place_is_given_back)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    uint8_t *first = journal_reserve(kit.journal, 1024);
    uint8_t *second = journal_reserve(kit.journal, 2048);
    cr_assert_eq(first, second);
    kit_launch(&kit);
    cr_assert_eq(disk_sim_writes_count(kit.sim), 0, "nothing was committed");
    kit_end(&kit);
}

Test(journal, a_full_batch_waits_for_the_write)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    cr_assert(kit_put(&kit, 0, 1, 0));
    kit_launch(&kit);
    uint32_t count = 0;
    while (kit_put(&kit, 1, count, 5)) {
        count++;
        cr_assert_lt(count, 1000);
    }
    cr_assert_gt(count, 2);
    cr_assert(kit_land(&kit));
    kit_launch(&kit);
    cr_assert(kit_put(&kit, 1, 5, 5), "the other buffer is free again");
    kit_settle(&kit);
    kit_end(&kit);
}

Test(journal, an_idle_one_seals_its_last_batch_once)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    cr_assert_eq(journal_deadline(kit.journal), INT64_MAX, "an epoch frame needs no seal");
    kit_batches(&kit, 1);
    int64_t due = journal_deadline(kit.journal);
    cr_assert_eq(due, kit.clock.now_ns + JOURNAL_SEAL_AFTER_NS);
    kit_launch(&kit);
    cr_assert_eq(disk_sim_writes_count(kit.sim), 0);
    kit.clock.now_ns = due;
    kit_launch(&kit);
    cr_assert_eq(disk_sim_writes_count(kit.sim), 1);
    cr_assert(kit_land(&kit));
    (void)journal_turn(kit.journal);
    cr_assert_eq(journal_durable_batch(kit.journal), 3);
    cr_assert_eq(journal_deadline(kit.journal), INT64_MAX);
    kit.clock.now_ns += NS_PER_S;
    kit_launch(&kit);
    cr_assert_eq(disk_sim_writes_count(kit.sim), 0);
    kit_end(&kit);
}

Test(journal, a_full_one_refuses_and_never_overwrites)
{
    struct kit kit;
    kit_start(&kit, 1);
    kit.has_follower = true;
    cr_assert(kit_open(&kit, &kit.durable, 0, 0));
    cr_assert(kit_begin(&kit));
    bool was_shed = false;
    uint32_t count = 0;
    while (kit_put(&kit, count % KIT_ROWS, count + 1, 0)) {
        kit_settle(&kit);
        was_shed = was_shed || !journal_admits(kit.journal);
        cr_assert(was_shed || journal_free_bytes(kit.journal) >= KIT_SEGMENT_BYTES);
        count++;
        cr_assert_lt(count, 10000);
    }
    cr_assert(was_shed, "admission ends before the room does");
    cr_assert_geq(count, (KIT_SEGMENTS - 1) * KIT_SEGMENT_BYTES / 4096);
    /* Nothing was lost of what is kept for the follower. */
    struct kit again = {
        .sim = disk_sim_clone(kit.sim, 2), .options = kit.options, .clock = kit.clock};
    struct kit_rows rows = {.records_count = 0};
    cr_assert(kit_open(&again, &rows, 0, 0), "%s", again.text);
    cr_assert_eq(rows.records_count, count);
    kit_same(&rows, &kit.durable);
    kit_end(&again);
    /* Half passed: half of the room is back. */
    atomic_store(&kit.passed, journal_durable_batch(kit.journal) / 2);
    kit_launch(&kit);
    cr_assert(journal_admits(kit.journal));
    kit_batches(&kit, 10);
    kit_end(&kit);
}

static void failing(enum io_err err, bool cut_short)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 3);
    uint64_t durable = journal_durable_batch(kit.journal);
    cr_assert(kit_put(&kit, 1, 99, 0));
    kit_launch(&kit);
    cr_assert(kit_put(&kit, 2, 98, 0));
    if (cut_short) {
        disk_sim_cut_short(kit.sim);
    } else {
        disk_sim_fail(kit.sim, 0, 1, err);
    }
    cr_assert(kit_land(&kit));
    cr_assert(journal_failed(kit.journal));
    cr_assert_eq(journal_durable_batch(kit.journal), durable, "nobody in that batch is answered");
    cr_assert_not_null(strstr(journal_failure(kit.journal), "journal-000.seg at "));
    cr_assert_null(journal_reserve(kit.journal, 64));
    cr_assert_not(journal_admits(kit.journal));
    kit_launch(&kit);
    cr_assert_eq(disk_sim_writes_count(kit.sim), 0, "it stays latched");
    cr_assert_eq(journal_deadline(kit.journal), INT64_MAX);
    /* After a restart all that was durable is there. */
    struct kit_rows rows = {.records_count = 0};
    kit_close(&kit);
    disk_sim_crash(kit.sim, DISK_SIM_DROP, 0);
    cr_assert(kit_open(&kit, &rows, 0, 0), "%s", kit.text);
    cr_assert_geq(rows.records_count, 3);
    cr_assert(kit_begin(&kit));
    kit_end(&kit);
}

Test(journal, an_io_error_latches)
{
    failing(IO_ERR_DISK, false);
}

Test(journal, a_full_disk_latches)
{
    failing(IO_ERR_NO_SPACE, false);
}

Test(journal, a_short_write_latches)
{
    failing(IO_OK, true);
}

Test(journal, many_laps_with_restarts_keep_every_row)
{
    struct kit kit;
    kit_start(&kit, 5);
    kit.has_follower = true;
    cr_assert(kit_open(&kit, &kit.durable, 0, 0));
    cr_assert(kit_begin(&kit));
    uint64_t random = 88172645463325252u;
    struct kit_rows checkpoint = {.records_count = 0}; /* of the follower at kit.passed */
    for (uint32_t i = 0; i < 4000; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint32_t records = 1 + (uint32_t)(random % 4);
        for (uint32_t k = 0; k < records; k++) {
            cr_assert(kit_put(&kit, (uint32_t)(random >> 8) % KIT_ROWS, (int64_t)(random >> 16),
                              (uint32_t)(random >> 5) % 6));
        }
        kit_settle(&kit);
        if (i % 8 == 7) {
            checkpoint = kit.durable;
            atomic_store(&kit.passed, journal_durable_batch(kit.journal));
        }
        if (random % 50 == 0) {
            uint64_t passed = atomic_load(&kit.passed);
            kit_close(&kit);
            disk_sim_crash(kit.sim, DISK_SIM_ANY, 0);
            struct kit_rows rows = checkpoint;
            cr_assert(kit_open(&kit, &rows, passed, passed), "%s", kit.text);
            kit_same(&rows, &kit.durable);
            cr_assert(kit_begin(&kit), "%s", kit.text);
        }
    }
    kit_end(&kit);
}

/* ---- reading back ------------------------------------------------------------------------------
 */

static void read_all(struct journal_reader *reader, uint64_t from, uint64_t to)
{
    for (uint64_t batch = from; batch <= to; batch++) {
        const struct journal_frame *frame;
        cr_assert_eq(journal_read(reader, batch, &frame), JOURNAL_READ_FRAME, "batch %llu",
                     (unsigned long long)batch);
        cr_assert_eq(frame->batch, batch);
        cr_assert_eq(frame->sum, frame_sum(frame));
    }
    const struct journal_frame *frame;
    cr_assert_eq(journal_read(reader, to + 1, &frame), JOURNAL_READ_NONE);
}

static void reading(uint32_t mirror_bytes)
{
    struct kit kit;
    kit_start(&kit, 1);
    kit.options.mirror_bytes = mirror_bytes;
    kit.has_follower = true;
    cr_assert(kit_open(&kit, &kit.durable, 0, 0));
    cr_assert(kit_begin(&kit));
    struct journal_reader *close_one = journal_reader_create(kit.journal);
    struct journal_reader *far_one = journal_reader_create(kit.journal);
    uint64_t close_at = 0, far_at = 0;
    for (uint32_t i = 0; i < 1200; i++) {
        for (uint32_t k = 0; k <= i % 3; k++) {
            cr_assert(kit_put(&kit, i % KIT_ROWS, i, i % 5));
        }
        kit_settle(&kit);
        uint64_t durable = journal_durable_batch(kit.journal);
        if (i % 2 == 0) {
            read_all(close_one, close_at + 1, durable);
            close_at = durable;
        }
        if (i % 30 == 29) {
            read_all(far_one, far_at + 1, durable);
            far_at = durable;
            atomic_store(&kit.passed, durable);
        }
    }
    cr_assert_gt(close_at, KIT_SEGMENTS * KIT_SEGMENT_BYTES / 4096, "several laps");
    kit_end(&kit);
}

Test(journal, followers_read_the_files)
{
    reading(0);
}

Test(journal, followers_read_the_copy_in_memory)
{
    reading(1u << 20);
}

Test(journal, followers_read_a_small_copy_and_the_files)
{
    reading(64u * 1024u);
}

Test(journal, a_reader_begins_in_the_middle_after_a_restart)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 100);
    kit_close(&kit);
    struct kit_rows rows = {.records_count = 0};
    cr_assert(kit_open(&kit, &rows, 0, 0));
    struct journal_reader *reader = journal_reader_create(kit.journal);
    read_all(reader, 60, 101);
    read_all(reader, 3, 101);
    cr_assert(kit_begin(&kit));
    read_all(reader, 100, 102);
    kit_end(&kit);
}

Test(journal, rot_in_the_file_is_told_to_the_follower)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 20);
    disk_sim_flip(kit.sim, "journal-000.seg", 10 * 4096 + 200, 1);
    struct journal_reader *reader = journal_reader_create(kit.journal);
    read_all(reader, 12, 21);
    const struct journal_frame *frame;
    cr_assert_eq(journal_read(reader, 11, &frame), JOURNAL_READ_BROKEN);
    disk_sim_fail_reads(kit.sim, 0, 1, IO_ERR_DISK);
    cr_assert_eq(journal_read(reader, 5, &frame), JOURNAL_READ_IO);
    cr_assert_eq(journal_read(reader, 5, &frame), JOURNAL_READ_FRAME);
    kit_end(&kit);
}

/* ---- opening -----------------------------------------------------------------------------------
 */

static void refused(struct kit *kit, const char *part)
{
    struct kit_rows rows = {.records_count = 0};
    cr_assert_not(kit_open(kit, &rows, 0, 0));
    cr_assert_not_null(strstr(kit->text, part), "\"%s\" does not say \"%s\"", kit->text, part);
    kit->journal = NULL;
    mem_release_to(kit->mark);
}

Test(journal, refuses_sizes_that_cannot_be)
{
    struct kit kit;
    kit_start(&kit, 1);
    kit.options.segment_bytes = 100000;
    refused(&kit, "segment_bytes 100000");
    kit.options.segment_bytes = 32768;
    refused(&kit, "segment_bytes 32768");
    kit.options.segment_bytes = KIT_SEGMENT_BYTES;
    kit.options.segments_count = 2;
    refused(&kit, "segments 2");
    kit_end(&kit);
}

Test(journal, refuses_segments_of_another_configuration)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_close(&kit);
    kit.options.segments_count = 3;
    refused(&kit, "journal-003.seg");
    kit.options.segments_count = 4;
    kit.options.segment_bytes = 2 * KIT_SEGMENT_BYTES;
    refused(&kit, "journal-000.seg has 131072 bytes");
    kit_end(&kit);
}

Test(journal, says_when_the_disk_is_full_at_start)
{
    struct kit kit;
    kit_start(&kit, 1);
    disk_sim_capacity(kit.sim, 3 * KIT_SEGMENT_BYTES);
    refused(&kit, "journal-003.seg: ");
    kit_end(&kit);
}
