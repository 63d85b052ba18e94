/* state.h - everything one shard knows: the tables of table.def and what is derived from them.
 *
 * DESIGN  Rows change in one way only: ledger_apply() copies the images of a record. plan() reads.
 * The derived part (indexes, free rows, queues, sums) follows in apply, and is rebuilt from the
 * rows by ledger_state_rebuild() after a checkpoint was loaded. Nothing is allocated after create.
 *
 * LOADING  create → load_row() for each row of state.mdb → overwrite() for each record of the
 * batches up to the newest that left a trace in the checkpoint (its rows may be newer than its
 * batch) → rebuild() → apply() for each later record; oldest first, each asked for with
 * ledger_state_accepts() before. apply() checks that money balances, so it must not meet a record
 * that the rows already hold.
 *
 * THREAD  the shard's; before it starts, the recovery's. */
#ifndef LEDGER_STATE_H
#define LEDGER_STATE_H

#include "ledger/ledger.h"
#include "ledger/row.h"

struct ledger_state;

size_t ledger_state_bytes(const struct ledger_limits *limits);
/* Takes its memory by mem_take(). `seed` orders the hash tables, nothing else. */
NODISCARD struct ledger_state *ledger_state_create(const struct ledger_limits *limits,
                                                   uint64_t seed);

uint32_t ledger_state_rows(const struct ledger_state *state, uint16_t table); /* capacity */
/* Empties all tables; for tests and for a follower that starts afresh. */
void ledger_state_clear(struct ledger_state *state);
/* False: no such table or row, an image longer than the row, or a transaction that belongs
 * elsewhere (a foreign or damaged file, or txns_max is another one than when it was written). */
NODISCARD bool ledger_state_load_row(struct ledger_state *state, uint16_t table, uint32_t row,
                                     const void *image, uint32_t size);
/* The row as it is; *size is its full size. For verify and for a first checkpoint. */
const void *ledger_state_row(const struct ledger_state *state, uint16_t table, uint32_t row,
                             uint32_t *size);
/* Copies the images and nothing else: before rebuild(), whatever the rows held. */
void ledger_state_overwrite(struct ledger_state *state, const struct ledger_record *record);
void ledger_state_rebuild(struct ledger_state *state);

/* Is every row of the record inside the tables? To be asked once for a record that comes from disk.
 */
NODISCARD bool ledger_state_accepts(const struct ledger_state *state,
                                    const struct ledger_record *record);
/* Cannot fail. must(): debits = credits per currency, pendings >= 0. */
void ledger_apply(struct ledger_state *state, const struct ledger_record *record);

/* Over all rows that are not empty: equal states have equal digests, however they came about. */
uint64_t ledger_state_digest(const struct ledger_state *state);

/* After recovery, before serving: writes the record that makes up to a bounded number of open
 * intents unknown, with their resolutions queued. Returns its bytes, 0 when none is open any more.
 * The caller journals and applies each record, and makes all durable. `out` holds
 * LEDGER_RECORD_BYTES_MAX. */
uint32_t ledger_recover_open_intents(struct ledger_state *state, uint16_t epoch, int64_t utc_ns,
                                     uint8_t *out);

#endif
