/* recover_test.c - the end of the journal after a crash, and everything that must end the start. */
#include "tests/ledger/journal_kit.h"

TestSuite(recover, .timeout = 120);

/* The same story on a copy of the disk; writes under way are there too, their buffers are the
 * kit's. */
static struct kit another(const struct kit *kit, uint64_t seed)
{
    return (struct kit){
        .sim = disk_sim_clone(kit->sim, seed), .options = kit->options, .clock = kit->clock};
}

/* Crashes a copy as told; the next process finds `expected` as of `batch`, goes on, and what it
 * writes is found by the one after it. */
static void accepts(const struct kit *kit, enum disk_sim_crash how, uint32_t sectors,
                    const struct kit_rows *expected, uint64_t batch, bool is_torn)
{
    struct kit other = another(kit, sectors + 1);
    disk_sim_crash(other.sim, how, sectors);
    struct kit_rows rows = {.records_count = 0};
    cr_assert(kit_open(&other, &rows, 0, 0), "%s", other.text);
    cr_assert_eq(other.found.batch, batch);
    cr_assert_eq(other.found.torn, is_torn, "%u sectors", sectors);
    kit_same(&rows, expected);
    cr_assert(kit_begin(&other), "%s", other.text);
    other.durable = other.written = rows;
    kit_batches(&other, 3);
    struct kit_rows now = other.durable;
    kit_close(&other);
    memset(&rows, 0, sizeof rows);
    cr_assert(kit_open(&other, &rows, 0, 0), "%s", other.text);
    cr_assert_eq(other.found.batch, batch + 4);
    cr_assert_eq(other.found.epoch, kit->found.epoch + 2);
    cr_assert_not(other.found.torn);
    kit_same(&rows, &now);
    kit_end(&other);
}

static void refuses(const struct kit *kit, uint64_t after, uint64_t seen, const char *part)
{
    struct kit other = another(kit, 3);
    disk_sim_crash(other.sim, DISK_SIM_DROP, 0);
    struct kit_rows rows = {.records_count = 0};
    uint64_t operations = disk_sim_operations(other.sim);
    cr_assert_not(kit_open(&other, &rows, after, seen), "it was accepted: wanted \"%s\"", part);
    cr_assert_not_null(strstr(other.text, part), "\"%s\" does not say \"%s\"", other.text, part);
    cr_assert_eq(disk_sim_operations(other.sim), operations, "it must not write");
    kit_end(&other);
}

/* ---- torn tails --------------------------------------------------------------------------------
 */

/* A write of `records` records stops after every number of sectors. */
static void torn(uint32_t before_count, uint32_t records, uint32_t relays)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, before_count);
    uint64_t durable = journal_durable_batch(kit.journal);
    uint8_t record[LEDGER_RECORD_BYTES_MAX];
    uint32_t length = (uint32_t)sizeof(struct journal_frame);
    length += records * kit_record(record, 7, 777, relays);
    for (uint32_t i = 0; i < records; i++) {
        cr_assert(kit_put(&kit, 7, 777 + i, relays));
    }
    kit_launch(&kit);
    cr_assert_eq(disk_sim_writes_count(kit.sim), 1);
    for (uint32_t kept = 0; kept <= frame_padded(length) / DISK_SIM_SECTOR; kept++) {
        bool whole = kept * DISK_SIM_SECTOR >= length;
        accepts(&kit, DISK_SIM_PREFIX, kept, whole ? &kit.written : &kit.durable,
                whole ? durable + 1 : durable, kept > 0 && !whole);
    }
    kit_end(&kit);
}

Test(recover, a_small_frame_torn_at_every_sector)
{
    torn(5, 1, 0);
}

Test(recover, a_big_frame_torn_at_every_sector)
{
    torn(5, 12, 2);
}

Test(recover, a_frame_torn_at_the_beginning_of_the_next_segment)
{
    torn(KIT_SEGMENT_BYTES / 4096 - 1, 8, 2); /* the segment is full but for nothing */
}

Test(recover, any_subset_of_the_sectors)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 4);
    uint64_t durable = journal_durable_batch(kit.journal);
    for (uint32_t i = 0; i < 10; i++) {
        cr_assert(kit_put(&kit, 7, 777 + i, 2));
    }
    kit_launch(&kit);
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct kit other = another(&kit, seed);
        disk_sim_crash(other.sim, DISK_SIM_SUBSET, 0);
        struct kit_rows rows = {.records_count = 0};
        cr_assert(kit_open(&other, &rows, 0, 0), "%s", other.text);
        cr_assert_eq(other.found.batch, durable); /* all of them are kept once in 2^60 */
        kit_same(&rows, &kit.durable);
        kit_end(&other);
    }
    kit_end(&kit);
}

Test(recover, a_write_that_nobody_was_told_of_counts)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 4);
    cr_assert(kit_put(&kit, 7, 777, 0));
    kit_launch(&kit);
    accepts(&kit, DISK_SIM_KEEP, 0, &kit.written, 6, false);
    accepts(&kit, DISK_SIM_DROP, 0, &kit.durable, 5, false);
    kit_end(&kit);
}

/* ---- flipped bytes -----------------------------------------------------------------------------
 */

/* In every field of the header, in record header, effect header, image. */
static const uint32_t places[] = {0,   7,   8,   10,  12,  16,  24,  32,  40,  48,  52,
                                  56,  60,  64,  72,  80,  88,  96,  120, 127, 128, 132,
                                  136, 138, 140, 144, 152, 176, 178, 180, 184, 200, 231};

Test(recover, a_flip_in_the_last_frame_is_a_torn_tail)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 9);
    struct kit_rows before = kit.durable;
    uint64_t durable = journal_durable_batch(kit.journal);
    kit_batches(&kit, 1);
    for (uint32_t i = 0; i < countof(places); i++) {
        struct kit flipped = another(&kit, 1);
        flipped.found = kit.found;
        disk_sim_flip(flipped.sim, "journal-000.seg", durable * FRAME_ALIGN + places[i], 0x10);
        bool header_reads = places[i] >= 8 && !(places[i] >= 24 && places[i] < 32);
        accepts(&flipped, DISK_SIM_DROP, 0, &before, durable, header_reads);
        disk_sim_destroy(flipped.sim);
    }
    kit_end(&kit);
}

Test(recover, a_flip_before_a_valid_frame_ends_the_start)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 10);
    for (uint32_t frame = 1; frame < 10; frame += 4) {
        for (uint32_t i = 0; i < countof(places); i++) {
            struct kit flipped = another(&kit, 1);
            char where[64];
            (void)snprintf(where, sizeof where, "journal-000.seg at %u: batch %u should",
                           frame * 4096, frame + 1);
            disk_sim_flip(flipped.sim, "journal-000.seg", frame * FRAME_ALIGN + places[i], 0x10);
            refuses(&flipped, 0, 0, where);
            disk_sim_destroy(flipped.sim);
        }
    }
    kit_end(&kit);
}

Test(recover, a_flip_in_the_zeros_behind_a_frame_changes_nothing)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 10);
    disk_sim_flip(kit.sim, "journal-000.seg", 3 * FRAME_ALIGN + 4000, 0xFF);
    accepts(&kit, DISK_SIM_DROP, 0, &kit.durable, 11, false);
    kit_end(&kit);
}

Test(recover, a_sealed_frame_is_never_a_torn_tail)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 5);
    kit.clock.now_ns += JOURNAL_SEAL_AFTER_NS;
    kit_launch(&kit);
    cr_assert(kit_land(&kit));
    (void)journal_turn(kit.journal);
    disk_sim_flip(kit.sim, "journal-000.seg", 5 * FRAME_ALIGN + 190, 1);
    refuses(&kit, 0, 0, "journal-000.seg at 20480: batch 6 should stand here");
    kit_end(&kit);
}

Test(recover, what_a_follower_has_seen_is_never_a_torn_tail)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 5);
    disk_sim_flip(kit.sim, "journal-000.seg", 5 * FRAME_ALIGN + 190, 1);
    refuses(&kit, 3, 6,
            "journal-000.seg at 20480: the journal ends with batch 5, but follower has seen "
            "batch 6");
    kit_end(&kit);
}

Test(recover, an_empty_journal_beside_a_checkpoint_ends_the_start)
{
    struct kit kit;
    kit_start(&kit, 1);
    struct kit_rows rows = {.records_count = 0};
    cr_assert_not(kit_open(&kit, &rows, 3, 3));
    cr_assert_not_null(strstr(kit.text, "ends with batch 0"), "%s", kit.text);
    kit_end(&kit);
}

Test(recover, a_missing_middle_ends_the_start)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 60);
    struct disk *disk = disk_sim_disk(kit.sim);
    cr_assert_eq(disk->ops->remove(disk, "journal-000.seg"), IO_OK);
    struct kit_rows rows = {.records_count = 0};
    kit_close(&kit);
    cr_assert_not(kit_open(&kit, &rows, 0, 0));
    cr_assert_not_null(strstr(kit.text, "batch 1, which follower still needs"), "%s", kit.text);
    kit_close(&kit);
    /* Who has passed it does not need it. */
    cr_assert(kit_open(&kit, &rows, 40, 40), "%s", kit.text);
    kit_end(&kit);
}

Test(recover, a_frame_at_another_place_is_not_taken)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 5);
    uint64_t size;
    uint8_t *bytes = disk_sim_bytes(kit.sim, "journal-000.seg", &size);
    memcpy(bytes + 7 * FRAME_ALIGN, bytes + 5 * FRAME_ALIGN, FRAME_ALIGN);
    memset(bytes + 5 * FRAME_ALIGN, 0, FRAME_ALIGN);
    struct kit_rows rows = {.records_count = 0};
    kit_close(&kit);
    cr_assert(kit_open(&kit, &rows, 0, 0), "%s", kit.text);
    cr_assert_eq(kit.found.batch, 5, "it went astray: as if it had not been written");
    kit_end(&kit);
}

Test(recover, another_journals_frame_does_not_continue_this_one)
{
    struct kit kit, foreign;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 5);
    kit_fresh(&foreign, 1);
    cr_assert(kit_put(&foreign, 3, 33, 0));
    kit_settle(&foreign);
    kit_batches(&foreign, 6);
    uint64_t size;
    memcpy(disk_sim_bytes(kit.sim, "journal-000.seg", &size) + 6 * FRAME_ALIGN,
           disk_sim_bytes(foreign.sim, "journal-000.seg", &size) + 6 * FRAME_ALIGN, FRAME_ALIGN);
    refuses(&kit, 0, 0, "does not continue the sum");
    kit_end(&foreign);
    disk_sim_destroy(kit.sim);
}

/* ---- laps and restarts
 * --------------------------------------------------------------------------- */

Test(recover, frames_of_an_earlier_lap_are_not_looked_at)
{
    struct kit kit;
    kit_start(&kit, 1);
    kit.has_follower = true;
    cr_assert(kit_open(&kit, &kit.durable, 0, 0));
    cr_assert(kit_begin(&kit));
    struct kit_rows checkpoint = {.records_count = 0};
    for (uint32_t i = 0; i < 300; i++) { /* two laps and a part */
        kit_batches(&kit, 1);
        if (i == 280) {
            checkpoint = kit.durable;
        }
        atomic_store(&kit.passed, i <= 280 ? journal_durable_batch(kit.journal) : 282);
    }
    /* A stale frame of an earlier lap stands right behind the end, valid in itself; another is
     * damaged. */
    struct kit_rows rows = checkpoint;
    struct kit other = another(&kit, 1);
    uint64_t last = journal_durable_batch(kit.journal);
    uint32_t per_segment = KIT_SEGMENT_BYTES / 4096;
    uint64_t next = last % (per_segment * KIT_SEGMENTS);
    char name[32];
    (void)snprintf(name, sizeof name, "journal-%03u.seg", (unsigned)(next / per_segment));
    uint64_t size;
    const uint8_t *bytes = disk_sim_bytes(other.sim, name, &size);
    cr_assert_eq(frame_look(bytes + next % per_segment * 4096, 4096), FRAME_VALID);
    disk_sim_flip(other.sim, name, (next % per_segment + 1) * 4096 + 150, 1);
    cr_assert(kit_open(&other, &rows, 282, 282), "%s", other.text);
    cr_assert_eq(other.found.batch, last);
    kit_same(&rows, &kit.durable);
    cr_assert(kit_begin(&other));
    kit_end(&other);
    kit_end(&kit);
}

Test(recover, twice_is_as_once)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 30);
    cr_assert(kit_put(&kit, 3, 333, 2));
    kit_launch(&kit);
    struct kit other = another(&kit, 4);
    disk_sim_crash(other.sim, DISK_SIM_PREFIX, 1);
    for (uint32_t i = 0; i < 50; i++) { /* starts that end before they served anything */
        struct kit_rows rows = {.records_count = 0};
        cr_assert(kit_open(&other, &rows, 0, 0), "%s", other.text);
        kit_same(&rows, &kit.durable);
        cr_assert_eq(other.found.epoch, 2 + i);
        cr_assert(kit_begin(&other), "%s", other.text);
        kit_close(&other);
        disk_sim_crash(other.sim, DISK_SIM_DROP, 0);
    }
    disk_sim_destroy(other.sim);
    kit_end(&kit);
}

/* The start itself is cut after each of its writes, in every way that a write can end. */
Test(recover, a_crash_between_the_steps_of_a_start)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 30);
    cr_assert(kit_put(&kit, 3, 333, 6));
    kit_launch(&kit);
    for (uint32_t step = 0; step < 6; step++) {
        struct kit other = another(&kit, step + 1);
        disk_sim_crash(other.sim, DISK_SIM_PREFIX, 3);
        struct kit_rows rows = {.records_count = 0};
        cr_assert(kit_open(&other, &rows, 0, 0), "%s", other.text);
        disk_sim_fail(other.sim, step, UINT32_MAX, IO_ERR_DISK);
        bool began = journal_begin(other.journal, other.text, sizeof other.text);
        cr_assert_eq(began, step >= 3, "zero here, zero the next segment, the epoch frame");
        kit_close(&other);
        disk_sim_crash(other.sim, DISK_SIM_DROP, 0);
        memset(&rows, 0, sizeof rows);
        cr_assert(kit_open(&other, &rows, 0, 0), "%s", other.text);
        kit_same(&rows, &kit.durable);
        cr_assert(kit_begin(&other));
        kit_end(&other);
    }
    kit_end(&kit);
}

Test(recover, a_reader_that_fails_ends_the_start)
{
    struct kit kit;
    kit_fresh(&kit, 1);
    kit_batches(&kit, 3);
    for (uint32_t step = 0; step < KIT_SEGMENTS; step++) {
        struct kit other = another(&kit, 1);
        struct kit_rows rows = {.records_count = 0};
        disk_sim_fail_reads(other.sim, step, 1, IO_ERR_DISK);
        cr_assert_not(kit_open(&other, &rows, 0, 0));
        cr_assert_not_null(strstr(other.text, "reading failed"), "%s", other.text);
        kit_end(&other);
    }
    kit_end(&kit);
}
