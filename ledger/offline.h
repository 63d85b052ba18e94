/* offline.h - the ledger of a data directory whose daemon is down: for ringctl with --data, and
 * after a restore.
 *
 * Reads checkpoint, journal and archive; changes nothing. The caller holds the directory's lock.
 * The limits are those of the configuration that the data was written under. */
#ifndef LEDGER_OFFLINE_H
#define LEDGER_OFFLINE_H

#include "ledger/recover.h"
#include "ledger/verify.h"

struct ledger_offline {
    struct ledger_state *state; /* as of the journal's end; ask it with ledger_query() */
    struct ledger_recovered recovered;
};
/* False: `text` names the file and what is wrong. */
NODISCARD bool ledger_offline_load(struct disk *disk, struct state_store *store,
                                   const struct ledger_limits *limits,
                                   struct ledger_offline *offline, char *text, size_t text_size);

struct ledger_offline_verified {
    bool is_ok;
    char text[256]; /* the first thing that does not fit; "" when all is well */
    uint64_t batch; /* the journal ends with it */
    uint64_t checkpoint_batch, records_count; /* and what lies behind it in the journal */
    uint64_t archive_first, archive_last;     /* batches; 0 = nothing is archived yet */
    uint64_t archive_frames_count, archive_records_count;
    bool is_rebuilt;         /* the archive begins with batch 1: everything was booked once more */
    uint64_t digest;         /* of checkpoint and journal */
    uint64_t digest_rebuilt; /* of archive and journal, is_rebuilt */
    struct ledger_verified state;
};
/* Walks archive and journal: every frame's sum, the chain of sums, every record's checksum; loads
 * the checkpoint (a checksum a row) and the journal behind it, recomputes every sum of it; then
 * books everything once more from the archive's beginning and compares. */
void ledger_offline_verify(struct disk *disk, struct state_store *store,
                           const struct ledger_limits *limits,
                           struct ledger_offline_verified *verified);

/* The journal's shape as it lies there; false: there is none. */
NODISCARD bool ledger_offline_journal(struct disk *disk, struct journal_options *options);

#endif
