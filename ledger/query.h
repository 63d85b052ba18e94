/* query.h - rows of the shard's state for whoever asks; changes nothing.
 *
 * Thread: the shard's. Bounds: LEDGER_QUERY_SCAN_MAX rows are looked at for one answer, so that a
 * question never holds up traffic for long; the answer's cursor says where the next one goes on.
 * VERIFY, and STATUS with a digest, read everything at once: an operator's, not a worker's
 * question. */
#ifndef LEDGER_QUERY_H
#define LEDGER_QUERY_H

#include "ledger/state.h"

#define LEDGER_QUERY_SCAN_MAX 16384u

struct ledger_query_facts { /* what the state itself does not know */
    int64_t utc_ns;
    uint64_t batch_durable, epoch;
};
/* Writes a verdict ROWS (header but for slot, generation, batch) of at most room bytes; returns its
 * bytes. The room holds at least one row. */
uint32_t ledger_query(const struct ledger_state *state, const struct ledger_command_query *command,
                      const struct ledger_query_facts *facts, void *out, uint32_t room);

/* What the row itself says of a transaction: without what is held, and the names of accounts. */
void ledger_query_txn(const struct ledger_txn *txn, struct ledger_row_txn *out);

#endif
