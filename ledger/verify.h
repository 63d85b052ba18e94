/* verify.h - recomputes what the shard keeps as it goes: sums, pendings, open transactions.
 * The shard's thread (or a tool's, on a state it loaded itself). */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include "ledger/state.h"

struct ledger_verified {
    bool is_ok;
    char text[96]; /* the first thing that does not fit; "" when all is well */
    uint64_t accounts_count, holds_count, reserved_count, open_count;
};
/* Debits = credits per currency, posted and pending; the sums kept are those of the rows; each
 * account's pendings are exactly its holds and the reservations of what is out; every transaction
 * that is open or unknown has its stored message. */
void ledger_state_verify(const struct ledger_state *state, struct ledger_verified *verified);

#endif
