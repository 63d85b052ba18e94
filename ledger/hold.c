/* hold.c - open holds by DE2, 32, 37, 41, 42; they outlive the transaction that made them.
 * Thread: the shard's. Bounds: holds_max. */
#include "ledger/tables.h"

uint32_t ledger_hold_find(const struct ledger_state *state, const struct hash128 *rrn_key,
                          const uint8_t *de38)
{
    uint32_t found = 0; /* chains of holds are in no order: the one with the latest transaction */
    uint32_t row = ledger_index_first(&state->holds_by_rrn, rrn_key->low);
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        const struct ledger_hold *hold = &state->holds[row - 1];
        if (hold->state == LEDGER_HOLD_OPEN && ledger_hash_equal(&hold->rrn_key, rrn_key) &&
            (de38 == NULL || (hold->has_de38 && memcmp(hold->de38, de38, 6) == 0)) &&
            (found == 0 || hold->txn > state->holds[found - 1].txn)) {
            found = row;
        }
        row = ledger_index_next(&state->holds_by_rrn, row);
    }
    return found;
}

uint32_t ledger_hold_of(const struct ledger_state *state, const struct ledger_txn *txn)
{
    if (txn->hold == 0) {
        return 0;
    }
    const struct ledger_hold *hold = &state->holds[txn->hold - 1];
    return hold->state != LEDGER_HOLD_NONE && hold->txn == txn->id ? txn->hold : 0;
}
