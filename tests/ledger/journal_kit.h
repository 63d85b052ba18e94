/* journal_kit.h - what the tests of journal, recovery and followers share: a journal on a disk that
 * fails, records that set one row to one value, and the rows that must come out. */
#ifndef TESTS_LEDGER_JOURNAL_KIT_H
#define TESTS_LEDGER_JOURNAL_KIT_H

#include "base/mem.h"
#include "ledger/journal.h"
#include "ledger/row.h"
#include "tests/sim/disk_sim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIT_ROWS          64u
#define KIT_SEGMENT_BYTES (128u * 1024u)
#define KIT_SEGMENTS      4u
#define UNUSED_KIT        __attribute__((unused))

struct kit_rows { /* posted_debit of account rows, and how many records set them */
    int64_t values[KIT_ROWS];
    uint64_t records_count;
};

struct kit {
    struct disk_sim *sim;
    struct journal_options options;
    struct clock clock;
    struct journal *journal;
    uint32_t mark;
    _Atomic uint64_t passed; /* of a follower that the test plays */
    bool has_follower;
    struct kit_rows durable; /* as of the last durable batch */
    struct kit_rows written; /* with what is gathered and in flight */
    struct journal_found found;
    char text[256];
};

/* A whole record: row := value, with `extra` zero-sum bytes of a bigger row to give it a size. */
UNUSED_KIT static uint32_t kit_record(uint8_t *out, uint32_t row, int64_t value, uint32_t relays)
{
    struct ledger_record *record = (struct ledger_record *)out;
    memset(out, 0, sizeof *record);
    record->kind = LEDGER_AUTH;
    record->effects_count = (uint16_t)(1 + relays);
    uint32_t at = sizeof *record;
    struct ledger_effect head = {LEDGER_TABLE_account, sizeof(struct ledger_account), row};
    struct ledger_account account = {.posted_debit = value, .currency = 398};
    memcpy(out + at, &head, sizeof head);
    memcpy(out + at + sizeof head, &account, sizeof account);
    at += (uint32_t)(sizeof head + sizeof account);
    for (uint32_t i = 0; i < relays; i++) {
        struct ledger_effect relay = {LEDGER_TABLE_relay, sizeof(struct ledger_relay_row), row};
        memcpy(out + at, &relay, sizeof relay);
        memset(out + at + sizeof relay, (int)(value & 0xFF), sizeof(struct ledger_relay_row));
        at += (uint32_t)(sizeof relay + sizeof(struct ledger_relay_row));
    }
    record->size = at;
    record->crc32c = ledger_record_crc(record);
    return at;
}

UNUSED_KIT static void kit_apply(struct kit_rows *rows, const struct ledger_record *record)
{
    const struct ledger_effect *effect = ledger_effect_next(record, NULL);
    cr_assert_not_null(effect);
    cr_assert_eq(effect->table, LEDGER_TABLE_account);
    struct ledger_account account;
    memcpy(&account, ledger_effect_image(effect), sizeof account);
    rows->values[effect->row] = account.posted_debit;
    rows->records_count++;
}

UNUSED_KIT static bool kit_replay(void *context, const struct journal_frame *frame,
                                  const struct ledger_record *record)
{
    (void)frame;
    kit_apply(context, record);
    return true;
}

/* Opens and recovers into `rows` (which hold what was there at `after`); false: kit->text says why.
 */
UNUSED_KIT static bool kit_open(struct kit *kit, struct kit_rows *rows, uint64_t after,
                                uint64_t seen)
{
    struct journal_cursor cursor = {"follower", after, seen};
    kit->mark = mem_mark();
    kit->options.clock = &kit->clock;
    kit->journal =
        journal_open(&kit->options, disk_sim_disk(kit->sim), kit->text, sizeof kit->text);
    if (kit->journal == NULL) {
        return false;
    }
    if (kit->has_follower) {
        atomic_store(&kit->passed, after);
        journal_pin(kit->journal, &kit->passed);
    }
    return journal_recover(kit->journal, &cursor, 1, after, kit_replay, rows, &kit->found,
                           kit->text, sizeof kit->text);
}

UNUSED_KIT static bool kit_begin(struct kit *kit)
{
    if (!journal_begin(kit->journal, kit->text, sizeof kit->text)) {
        return false;
    }
    journal_attach(kit->journal, disk_sim_io(kit->sim), 7);
    return true;
}

UNUSED_KIT static void kit_start(struct kit *kit, uint64_t seed)
{
    *kit = (struct kit){.sim = disk_sim_create(seed)};
    kit->clock.now_ns = 1000 * NS_PER_S;
    kit->clock.utc_ns = 1800000000 * NS_PER_S;
    kit->options.segment_bytes = KIT_SEGMENT_BYTES;
    kit->options.segments_count = KIT_SEGMENTS;
}

UNUSED_KIT static void kit_fresh(struct kit *kit, uint64_t seed)
{
    kit_start(kit, seed);
    cr_assert(kit_open(kit, &kit->durable, 0, 0), "%s", kit->text);
    cr_assert(kit_begin(kit), "%s", kit->text);
}

UNUSED_KIT static void kit_close(struct kit *kit)
{
    if (kit->journal != NULL) {
        journal_close(kit->journal);
    }
    mem_release_to(kit->mark);
    kit->journal = NULL;
}

UNUSED_KIT static void kit_end(struct kit *kit)
{
    kit_close(kit);
    disk_sim_destroy(kit->sim);
}

/* False: no place was to be had. */
UNUSED_KIT static bool kit_put(struct kit *kit, uint32_t row, int64_t value, uint32_t relays)
{
    uint8_t *place = journal_reserve(kit->journal, LEDGER_RECORD_BYTES_MAX);
    if (place == NULL) {
        return false;
    }
    uint32_t bytes = kit_record(place, row, value, relays);
    kit_apply(&kit->written, (const struct ledger_record *)place);
    journal_commit(kit->journal, bytes);
    return true;
}

/* Starts the write of what was gathered; kit_land() ends it. */
UNUSED_KIT static void kit_launch(struct kit *kit)
{
    (void)journal_turn(kit->journal);
}

UNUSED_KIT static bool kit_land(struct kit *kit)
{
    struct io_event event;
    if (!disk_sim_finish(kit->sim, &event)) {
        return false;
    }
    cr_assert_eq(event.token, 7);
    journal_event(kit->journal, &event);
    return true;
}

/* Everything gathered becomes durable. */
UNUSED_KIT static void kit_settle(struct kit *kit)
{
    for (int i = 0; i < 4 && !journal_idle(kit->journal); i++) {
        kit_launch(kit);
        (void)kit_land(kit);
    }
    cr_assert(journal_failed(kit->journal) || journal_idle(kit->journal));
    if (!journal_failed(kit->journal)) {
        kit->durable = kit->written;
    }
}

/* Writes `count` batches of one record each. */
UNUSED_KIT static void kit_batches(struct kit *kit, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(kit_put(kit, i % KIT_ROWS, (int64_t)journal_open_batch(kit->journal), 0));
        kit_settle(kit);
    }
}

UNUSED_KIT static void kit_same(const struct kit_rows *a, const struct kit_rows *b)
{
    for (uint32_t i = 0; i < KIT_ROWS; i++) {
        cr_assert_eq(a->values[i], b->values[i], "row %u: %lld, not %lld", i,
                     (long long)a->values[i], (long long)b->values[i]);
    }
}

#endif
