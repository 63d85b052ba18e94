/* offline.c - see offline.h. */
#include "ledger/offline.h"

#include "ledger/archive.h"
#include <stdio.h>
#include <string.h>

static const struct clock no_clock; /* nothing is written */

/* As ledger_open(): replays are rows of transactions. */
static struct ledger_state *create(struct ledger_limits limits)
{
    limits.txns_max = limits.replays_max > limits.txns_max ? limits.replays_max : limits.txns_max;
    return ledger_state_create(&limits, 0);
}

/* ---- the journal as it lies there
 * ---------------------------------------------------------------- */

static void count_segment(void *context, const char *name, uint64_t bytes)
{
    struct journal_options *options = context;
    unsigned number;
    int end = 0;
    if (sscanf(name, "journal-%3u.seg%n", &number, &end) == 1 && end > 0 && name[end] == '\0') {
        options->segment_bytes = bytes;
        options->segments_count++;
    }
}

bool ledger_offline_journal(struct disk *disk, struct journal_options *options)
{
    *options = (struct journal_options){.clock = &no_clock};
    return disk->ops->each(disk, count_segment, options) == IO_OK && options->segments_count > 0;
}

static struct journal *open_journal(struct disk *disk, char *text, size_t text_size)
{
    struct journal_options options;
    if (!ledger_offline_journal(disk, &options)) {
        (void)snprintf(text, text_size, "there is no journal here (journal-000.seg)");
        return NULL;
    }
    return journal_open(&options, disk, text, text_size);
}

static bool load(struct ledger_state *state, struct journal *journal, struct disk *disk,
                 struct state_store *store, struct ledger_recovered *recovered, char *text,
                 size_t text_size)
{
    struct archive_end end;
    bool is_new;
    if (!ledger_recover_check(disk, store, NULL, &is_new, text, text_size) ||
        !archive_find_end(disk, &end, text, text_size)) {
        return false;
    }
    char told[ARCHIVE_TELL_BYTES];
    archive_tell(&end, told);
    struct store_mark mark = store->ops->mark(store);
    const struct journal_cursor cursors[] = {
        {"state", mark.batch, mark.seen},
        {told, end.batch, end.batch},
    };
    return ledger_recover_rows(state, journal, cursors, countof(cursors), store, recovered, text,
                               text_size);
}

bool ledger_offline_load(struct disk *disk, struct state_store *store,
                         const struct ledger_limits *limits, struct ledger_offline *offline,
                         char *text, size_t text_size)
{
    struct journal *journal = open_journal(disk, text, text_size);
    if (journal == NULL) {
        return false;
    }
    offline->state = create(*limits);
    bool ok = load(offline->state, journal, disk, store, &offline->recovered, text, text_size);
    journal_close(journal);
    return ok;
}

/* ---- verify ------------------------------------------------------------------------------------
 */

struct rebuild {
    struct ledger_state *state;
    struct ledger_offline_verified *verified;
    uint64_t last_sum; /* of the archive's last frame */
    bool is_first;     /* of the journal behind the archive */
    bool is_refused;
    char text[128];
};

static bool book(struct rebuild *rebuild, const struct ledger_record *record)
{
    if (!ledger_state_accepts(rebuild->state, record)) {
        (void)snprintf(rebuild->text, sizeof rebuild->text,
                       "transaction %llx does not fit the configured tables",
                       (unsigned long long)record->txn);
        rebuild->is_refused = true;
        return false;
    }
    ledger_apply(rebuild->state, record);
    return true;
}

static bool archived_frame(void *context, const struct journal_frame *frame, const char *name,
                           uint64_t offset)
{
    struct rebuild *rebuild = context;
    struct ledger_offline_verified *verified = rebuild->verified;
    if (verified->archive_first == 0) {
        verified->archive_first = frame->batch;
        verified->is_rebuilt = frame->batch == 1;
    }
    verified->archive_last = frame->batch;
    verified->archive_frames_count++;
    verified->archive_records_count += frame->records_count;
    rebuild->last_sum = frame->sum;
    const struct ledger_record *record = NULL;
    while (verified->is_rebuilt && (record = frame_record_next(frame, record)) != NULL) {
        if (!book(rebuild, record)) {
            (void)snprintf(verified->text, sizeof verified->text, "%s at %llu: %s", name,
                           (unsigned long long)offset, rebuild->text);
            return false;
        }
    }
    return true;
}

static bool journal_record(void *context, const struct journal_frame *frame,
                           const struct ledger_record *record)
{
    struct rebuild *rebuild = context;
    if (rebuild->is_first) {
        rebuild->is_first = false;
        if (frame->batch == rebuild->verified->archive_last + 1 &&
            frame->previous_sum != rebuild->last_sum) {
            return false;
        }
    }
    return !rebuild->verified->is_rebuilt || book(rebuild, record);
}

static bool verify_archive(struct rebuild *rebuild, struct journal *journal, struct disk *disk)
{
    struct ledger_offline_verified *verified = rebuild->verified;
    char text[sizeof verified->text];
    ledger_state_clear(rebuild->state);
    ledger_state_rebuild(rebuild->state);
    if (!archive_each(disk, 1, archived_frame, rebuild, text, sizeof text)) {
        memcpy(verified->text, text, sizeof text);
        return false;
    }
    if (rebuild->is_refused) {
        return false;
    }
    struct journal_found found;
    verified->is_rebuilt = verified->is_rebuilt || verified->archive_first == 0;
    rebuild->is_first = verified->archive_first != 0;
    if (!journal_recover(journal, NULL, 0, verified->archive_last, journal_record, rebuild, &found,
                         text, sizeof text)) {
        memcpy(verified->text, text, sizeof text);
        return false;
    }
    verified->digest_rebuilt = verified->is_rebuilt ? ledger_state_digest(rebuild->state) : 0;
    if (verified->is_rebuilt && verified->digest_rebuilt != verified->digest) {
        (void)snprintf(verified->text, sizeof verified->text,
                       "checkpoint and journal give another state (%016llx) than the archive "
                       "(%016llx)",
                       (unsigned long long)verified->digest,
                       (unsigned long long)verified->digest_rebuilt);
        return false;
    }
    return true;
}

static bool verify_state(struct ledger_state *state, struct ledger_offline_verified *verified)
{
    verified->digest = ledger_state_digest(state);
    ledger_state_verify(state, &verified->state);
    if (!verified->state.is_ok) {
        (void)snprintf(verified->text, sizeof verified->text, "%s", verified->state.text);
    }
    return verified->state.is_ok;
}

void ledger_offline_verify(struct disk *disk, struct state_store *store,
                           const struct ledger_limits *limits,
                           struct ledger_offline_verified *verified)
{
    *verified = (struct ledger_offline_verified){.is_ok = false};
    struct journal *journal = open_journal(disk, verified->text, sizeof verified->text);
    if (journal == NULL) {
        return;
    }
    struct ledger_recovered recovered;
    struct rebuild rebuild = {.state = create(*limits), .verified = verified};
    bool ok = load(rebuild.state, journal, disk, store, &recovered, verified->text,
                   sizeof verified->text);
    verified->batch = recovered.journal.batch;
    verified->checkpoint_batch = recovered.checkpoint_batch;
    verified->records_count = recovered.records_count;
    verified->is_ok =
        ok && verify_state(rebuild.state, verified) && verify_archive(&rebuild, journal, disk);
    journal_close(journal);
}
