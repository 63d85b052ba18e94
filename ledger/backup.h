/* backup.h - a copy of a ledger that can be put back, and the putting back.
 *
 * A BACKUP is a folder: copies of state.mdb and ref.mdb (each of one moment), then of the archive
 * up to a later moment, and of the hash key. It may be taken while the daemon runs, by another
 * process. What was answered after the archive's last batch of that moment is not in it.
 *
 * A RESTORE into an empty data directory brings both databases up to the archive's last batch and
 * begins a journal behind it, under a new epoch. It changes nothing in the backup. Open requests
 * become unknown at the next start, as after a crash. */
#ifndef LEDGER_BACKUP_H
#define LEDGER_BACKUP_H

#include "ledger/journal.h"
#include "ledger/ref.h"
#include "ledger/store.h"

struct backup_place {
    struct disk *disk;      /* journal, archive, hash key */
    const char *state_path; /* ".../state.mdb" */
    const char *ref_path;   /* ".../ref.mdb" */
};
struct backup_report {
    uint64_t batch;                    /* the copy reaches up to it */
    uint64_t checkpoint_batch;         /* of the copied state.mdb */
    uint64_t files_count, bytes_count; /* of the archive */
    uint64_t records_count;            /* restore: booked behind the checkpoint */
};
/* `to` is an empty folder. Waits up to ten seconds until the archive has all that the databases
 * have. */
NODISCARD bool ledger_backup(const struct backup_place *from, const struct backup_place *to,
                             struct backup_report *report, char *text, size_t text_size);
/* `to` has no journal and no databases. The journal gets the shape of the configuration. */
NODISCARD bool ledger_restore(const struct backup_place *from, const struct backup_place *to,
                              const struct journal_options *journal, struct backup_report *report,
                              char *text, size_t text_size);

#endif
