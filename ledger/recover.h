/* recover.h - from what is on disk to a shard that may serve: checkpoint, journal, open intents.
 *
 * Order: ledger_recover_check() → journal_open() → followers_open() → ledger_recover(). The first
 * looks whether what lies there belongs together. The last loads the rows of the checkpoint,
 * applies every later record of the journal, starts a new epoch, makes open intents unknown with
 * their resolutions queued, all durable before it returns; and lets the followers catch up when the
 * journal has too little room left. Runs before the threads. */
#ifndef LEDGER_RECOVER_H
#define LEDGER_RECOVER_H

#include "ledger/follower.h"
#include "ledger/journal.h"
#include "ledger/state.h"

struct ledger_recovered {
    struct journal_found journal;
    uint64_t checkpoint_batch;
    uint64_t rows_count;
    uint64_t records_count; /* applied behind the checkpoint */
    uint64_t intents_count; /* records that made open intents unknown */
};
/* Before anything is made or written: can databases and archive be brought up to date from the
 * journal, and is the journal there that they came from? False: `text` says which one was removed,
 * emptied or replaced, and what to do. *is_new: nothing of a ledger is here yet. Tools have no ref
 * (NULL). */
NODISCARD bool ledger_recover_check(struct disk *disk, struct state_store *state,
                                    struct ledger_ref *ref, bool *is_new, char *text,
                                    size_t text_size);
/* The first half, which writes nothing: the state as of the journal's end. For tools too. */
NODISCARD bool ledger_recover_rows(struct ledger_state *state, struct journal *journal,
                                   const struct journal_cursor *cursors, uint32_t cursors_count,
                                   struct state_store *store, struct ledger_recovered *recovered,
                                   char *text, size_t text_size);
/* False: `text` says what is wrong and where; nothing may be served. */
NODISCARD bool ledger_recover(struct ledger_state *state, struct journal *journal,
                              struct followers *followers, struct state_store *store,
                              const struct clock *clock, struct ledger_recovered *recovered,
                              char *text, size_t text_size);

#endif
