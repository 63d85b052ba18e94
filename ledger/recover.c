/* recover.c - see recover.h. */
#include "ledger/recover.h"

#include <stdio.h>
#include <string.h>

struct recovery {
    struct ledger_state *state;
    struct ledger_recovered *recovered;
    struct store_mark mark; /* its rows are at most as new as `seen`: some are newer than `batch` */
    uint64_t later_count;   /* records behind `seen` */
    bool is_rebuilt;
    bool is_foreign; /* an epoch of the journal is not the checkpoint's */
    bool is_refused; /* a row or record does not fit the tables */
};

/* From here on the rows are those of one batch: now money must balance with each record. */
static void rebuild(struct recovery *recovery)
{
    if (!recovery->is_rebuilt) {
        ledger_state_rebuild(recovery->state);
        recovery->is_rebuilt = true;
    }
}

static bool load_row(void *context, uint16_t table, uint32_t row, const void *image, uint32_t size)
{
    struct recovery *recovery = context;
    recovery->recovered->rows_count++;
    recovery->is_refused = !ledger_state_load_row(recovery->state, table, row, image, size);
    return !recovery->is_refused;
}

static bool apply(void *context, const struct journal_frame *frame,
                  const struct ledger_record *record)
{
    struct recovery *recovery = context;
    bool is_later = frame->batch > recovery->mark.seen;
    if (is_later ? frame->epoch < recovery->mark.epoch : frame->epoch > recovery->mark.epoch) {
        recovery->is_foreign = true;
        return false;
    }
    if (!ledger_state_accepts(recovery->state, record)) {
        recovery->is_refused = true;
        return false;
    }
    if (is_later) {
        rebuild(recovery);
        ledger_apply(recovery->state, record);
        recovery->later_count++;
    } else {
        ledger_state_overwrite(recovery->state, record);
    }
    recovery->recovered->records_count++;
    return true;
}

/* Each round closes a bounded number of them; the end is when none is open. */
static bool close_intents(struct ledger_state *state, struct journal *journal,
                          const struct clock *clock, struct ledger_recovered *recovered, char *text,
                          size_t text_size)
{
    for (;;) {
        uint8_t *place = journal_reserve(journal, LEDGER_RECORD_BYTES_MAX);
        if (place == NULL) { /* the batch is full, or the journal is */
            uint64_t batch = journal_open_batch(journal);
            if (!journal_write_now(journal, text, text_size)) {
                return false;
            }
            if (journal_open_batch(journal) == batch) {
                (void)snprintf(text, text_size, "the journal is full: its followers must catch up");
                return false;
            }
            continue;
        }
        uint32_t bytes = ledger_recover_open_intents(state, (uint16_t)journal_epoch(journal),
                                                     clock->utc_ns, place);
        if (bytes == 0) {
            return journal_write_now(journal, text, text_size);
        }
        ledger_apply(state, (const struct ledger_record *)place);
        journal_commit(journal, bytes);
        recovered->intents_count++;
    }
}

/* What the mark says of the frame that was seen last must be so in this journal: another ledger's
 * may have the same batches. */
static bool is_same_ledger(const struct recovery *recovery, const struct journal_found *found,
                           char *text, size_t text_size)
{
    const struct store_mark *mark = &recovery->mark;
    uint64_t before_count = found->sequence - recovery->later_count;
    bool fits = mark->seen == 0 || (found->epoch > mark->epoch && before_count == mark->sequence);
    if (recovery->is_foreign || !fits) {
        (void)snprintf(
            text, text_size,
            "state.mdb and the journal are not of one ledger: state.mdb has %llu records "
            "up to batch %llu, epoch %llu, the journal has others; put back what belongs "
            "together",
            (unsigned long long)mark->sequence, (unsigned long long)mark->seen,
            (unsigned long long)mark->epoch);
        return false;
    }
    return true;
}

static void add_cure(const struct recovery *recovery, char *text, size_t text_size)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, text_size - used, "; %s",
                   recovery->is_refused
                       ? "set `limits` to at least what the data was written under"
                       : "keep this directory, and put a backup back into an empty one (ringctl "
                         "ledger restore FOLDER)");
}

bool ledger_recover_rows(struct ledger_state *state, struct journal *journal,
                         const struct journal_cursor *cursors, uint32_t cursors_count,
                         struct state_store *store, struct ledger_recovered *recovered, char *text,
                         size_t text_size)
{
    struct store_mark mark = store->ops->mark(store);
    struct recovery recovery = {.state = state, .recovered = recovered, .mark = mark};
    *recovered = (struct ledger_recovered){.checkpoint_batch = mark.batch};
    if (store->ops->load(store, load_row, &recovery) != IO_OK) {
        (void)snprintf(text, text_size, "%s", store->text);
        add_cure(&recovery, text, text_size);
        return false;
    }
    bool ok = journal_recover(journal, cursors, cursors_count, mark.batch, apply, &recovery,
                              &recovered->journal, text, text_size);
    if (ok || recovery.is_foreign) {
        ok = is_same_ledger(&recovery, &recovered->journal, text, text_size);
    } else {
        add_cure(&recovery, text, text_size);
    }
    if (ok) {
        rebuild(&recovery);
    }
    return ok;
}

bool ledger_recover(struct ledger_state *state, struct journal *journal,
                    struct followers *followers, struct state_store *store,
                    const struct clock *clock, struct ledger_recovered *recovered, char *text,
                    size_t text_size)
{
    struct journal_cursor cursors[FOLLOWERS_COUNT];
    followers_cursors(followers, cursors);
    if (!ledger_recover_rows(state, journal, cursors, FOLLOWERS_COUNT, store, recovered, text,
                             text_size)) {
        return false;
    }
    /* Room for the epoch, for the intents that are open, and for serving. */
    bool is_tight = journal_free_bytes(journal) < journal_capacity_bytes(journal) / 2;
    if (is_tight && !followers_catch_up(followers, text, text_size)) {
        return false;
    }
    return journal_begin(journal, text, text_size) &&
           close_intents(state, journal, clock, recovered, text, text_size);
}
