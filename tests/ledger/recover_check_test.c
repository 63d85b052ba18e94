/* recover_check_test.c - databases, archive and journal that were put together by somebody. */
#include "ledger/archive.h"
#include "ledger/recover.h"
#include "tests/ledger/journal_kit.h"

TestSuite(recover_check, .timeout = 60);

struct place { /* a data directory: the kit's disk, and two databases */
    struct kit kit;
    struct state_store *state;
    struct ledger_ref *ref;
    uint64_t oldest, last; /* batches of the journal */
    bool is_new;
    char text[256];
};

static void hold(struct place *place, uint64_t state_batch, uint64_t ref_batch)
{
    const struct store_mark mark = {.batch = state_batch, .seen = state_batch};
    place->ref->ops->destroy(place->ref); /* it never goes back */
    place->ref = ledger_ref_memory();
    cr_assert_eq(place->state->ops->begin(place->state), IO_OK);
    cr_assert_eq(place->state->ops->commit(place->state, &mark), IO_OK);
    cr_assert_eq(place->ref->ops->begin(place->ref), IO_OK);
    cr_assert_eq(place->ref->ops->commit(place->ref, ref_batch), IO_OK);
}

/* A batch of the journal becomes the only frame of the archive. */
static void archive(struct place *place, uint64_t batch)
{
    struct disk *disk = disk_sim_disk(place->kit.sim);
    for (uint32_t segment = 0; segment < KIT_SEGMENTS; segment++) {
        char name[32];
        uint64_t size = 0, offset;
        (void)snprintf(name, sizeof name, "journal-%03u.seg", segment);
        const uint8_t *bytes = disk_sim_bytes(place->kit.sim, name, &size);
        for (uint64_t at = 0; at < size; at += FRAME_ALIGN) {
            const struct journal_frame *frame = (const struct journal_frame *)(bytes + at);
            if (frame_look(bytes + at, size - at) == FRAME_VALID && frame->batch == batch) {
                cr_assert_eq(disk->ops->append(disk, "archive/00000001.seg", bytes + at,
                                               frame_archived(frame->length), &offset),
                             IO_OK);
                return;
            }
        }
    }
    cr_assert_fail("the journal has no batch %llu", (unsigned long long)batch);
}

/* `batches` of them through a journal of 128 places; nobody holds segments back. */
static void live(struct place *place, uint32_t batches)
{
    *place = (struct place){.state = state_store_memory(), .ref = ledger_ref_memory()};
    kit_start(&place->kit, 1);
    place->kit.has_follower = true;
    cr_assert(kit_open(&place->kit, &place->kit.durable, 0, 0), "%s", place->kit.text);
    cr_assert(kit_begin(&place->kit), "%s", place->kit.text);
    for (uint32_t i = 0; i < batches; i++) {
        kit_batches(&place->kit, 1);
        atomic_store(&place->kit.passed, journal_durable_batch(place->kit.journal));
    }
    place->last = journal_durable_batch(place->kit.journal);
    const uint32_t per_segment = KIT_SEGMENT_BYTES / FRAME_ALIGN;
    uint64_t begun = (place->last + per_segment - 1) / per_segment; /* segments, over all laps */
    place->oldest = begun <= KIT_SEGMENTS ? 1 : (begun - KIT_SEGMENTS) * per_segment + 1;
    kit_close(&place->kit);
}

static void end(struct place *place)
{
    place->state->ops->destroy(place->state);
    place->ref->ops->destroy(place->ref);
    disk_sim_destroy(place->kit.sim);
}

static bool is_accepted(struct place *place)
{
    uint64_t operations = disk_sim_operations(place->kit.sim);
    bool ok = ledger_recover_check(disk_sim_disk(place->kit.sim), place->state, place->ref,
                                   &place->is_new, place->text, sizeof place->text);
    cr_assert_eq(disk_sim_operations(place->kit.sim), operations, "it must not write");
    return ok;
}

static void refuses(struct place *place, const char *part)
{
    cr_assert_not(is_accepted(place), "it was accepted: wanted \"%s\"", part);
    cr_assert_not_null(strstr(place->text, part), "\"%s\" does not say \"%s\"", place->text, part);
    cr_assert_not_null(strstr(place->text, "ringctl ledger restore FOLDER"), "%s", place->text);
}

Test(recover_check, nothing_is_there_yet)
{
    struct place place = {.state = state_store_memory(), .ref = ledger_ref_memory()};
    kit_start(&place.kit, 1);
    cr_assert(is_accepted(&place));
    cr_assert(place.is_new);
    end(&place);
    live(&place, 0); /* the epoch's frame alone: a start that went no further */
    cr_assert(is_accepted(&place));
    cr_assert_not(place.is_new);
    end(&place);
}

Test(recover_check, a_young_journal_makes_everything_again)
{
    struct place place;
    live(&place, 100);
    cr_assert_eq(place.oldest, 1);
    cr_assert(is_accepted(&place), "%s", place.text);
    cr_assert_not(place.is_new);
    end(&place);
}

Test(recover_check, who_was_removed_or_is_too_old_is_named)
{
    struct place place;
    char text[96];
    live(&place, 300);
    archive(&place, place.last);
    cr_assert_gt(place.oldest, 100);
    hold(&place, place.last, place.last);
    cr_assert(is_accepted(&place), "%s", place.text);
    hold(&place, place.oldest - 1, place.oldest - 1); /* what comes next is there */
    cr_assert(is_accepted(&place), "%s", place.text);
    hold(&place, place.oldest - 2, place.last);
    (void)snprintf(text, sizeof text,
                   "the journal begins with batch %llu, but state.mdb ends with batch %llu:",
                   (unsigned long long)place.oldest, (unsigned long long)place.oldest - 2);
    refuses(&place, text);
    hold(&place, 0, place.last);
    refuses(&place, "but state.mdb ends with batch 0:");
    hold(&place, place.last, 0);
    refuses(&place, "but ref.mdb ends with batch 0:");
    hold(&place, place.last, place.oldest - 2);
    refuses(&place, "but ref.mdb ends with batch");
    end(&place);
}

Test(recover_check, an_archive_that_was_removed_is_named)
{
    struct place place;
    live(&place, 300);
    hold(&place, place.last, place.last);
    refuses(&place, "but archive ends with batch 0:");
    end(&place);
}

Test(recover_check, a_journal_that_was_removed)
{
    static const char *const names[] = {"journal-000.seg", "journal-001.seg", "journal-002.seg",
                                        "journal-003.seg"};
    struct place place;
    live(&place, 300);
    archive(&place, place.last);
    struct disk *disk = disk_sim_disk(place.kit.sim);
    for (uint32_t i = 0; i < countof(names); i++) {
        cr_assert_eq(disk->ops->remove(disk, names[i]), IO_OK);
    }
    refuses(&place, "the journal is empty, but archive ends with batch 301:");
    cr_assert_not(place.is_new, "the archive is there");
    hold(&place, 0, 7);
    refuses(&place, "the journal is empty, but ref.mdb ends with batch 7:");
    hold(&place, 5, 7);
    refuses(&place, "the journal is empty, but state.mdb ends with batch 5:");
    end(&place);
}

Test(recover_check, damage_is_left_to_who_can_say_where)
{
    struct place place;
    live(&place, 20);
    hold(&place, 15, 15);
    disk_sim_flip(place.kit.sim, "journal-000.seg", 3, 1); /* of the magic */
    cr_assert(is_accepted(&place), "%s", place.text);
    cr_assert_not(place.is_new);
    end(&place);
}
