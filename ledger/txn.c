/* txn.c - decided messages: the replay table, the original of a reversal, tombstones, rows to
 * reuse.
 *
 * A row is sequence mod txns_max, so rows are used in the order of time. One is used again only
 * when it is older than `replay_keep` and nothing about it is open: nothing is forgotten early.
 * Thread: the shard's. Bounds: txns_max, LEDGER_WALK_MAX, LEDGER_NEXT_ROWS_MAX. */
#include "ledger/tables.h"

uint32_t ledger_txn_find(const struct ledger_state *state, uint64_t id)
{
    uint32_t row = ledger_txn_row(state, id);
    return id != 0 && state->txns[row].id == id ? row + 1 : 0;
}

static uint32_t walk_first(struct ledger_walk *walk, const struct ledger_state *state,
                           const struct ledger_index *index, uint64_t hash)
{
    return ledger_walk_first(walk, index, hash,
                             (uint32_t)(state->txn_next % state->limits.txns_max));
}

uint32_t ledger_txn_by_replay(const struct ledger_state *state, const struct hash128 *key)
{
    struct ledger_map_walk walk;
    uint32_t row = ledger_map_first(&walk, &state->by_replay, key->low);
    while (row != 0 && !ledger_hash_equal(&state->txns[row - 1].replay_key, key)) {
        row = ledger_map_next(&walk);
    }
    return row;
}

/* A row that is still needed is left standing when the circle comes round: it is older than any
 * that was written since, wherever it stands. */
static bool is_overtaken(const struct ledger_state *state, uint32_t row)
{
    return (state->txns[row - 1].id & LEDGER_SEQUENCE_MASK) + state->limits.txns_max <
           state->txn_next;
}

/* The later of two candidates, as the walk gives them; 0 = none yet. */
static uint32_t later(const struct ledger_state *state, uint32_t found, uint32_t row)
{
    return found == 0 || state->txns[row - 1].id > state->txns[found - 1].id ? row : found;
}

/* Repeats keep DE7 + 1, because a DE7 of zeros is a DE7 (contract section 2: any digits). */
bool ledger_txn_has_de7(const struct ledger_txn *txn, uint64_t de7)
{
    if (txn->de7 == de7) {
        return true;
    }
    if (txn->class == LEDGER_CLASS_REVERSAL) {
        return false;
    }
    for (uint32_t i = 0; i < countof(txn->repeat_de7); i++) {
        if (txn->repeat_de7[i] == de7 + 1) {
            return true;
        }
    }
    return false;
}

uint32_t ledger_txn_by_self(const struct ledger_state *state, const struct hash128 *key,
                            uint64_t de7)
{
    struct ledger_walk walk;
    uint32_t found = 0;
    uint32_t row = walk_first(&walk, state, &state->by_self, ledger_txn_hash_self(key, de7));
    while (row != 0 && (found == 0 || is_overtaken(state, found))) {
        const struct ledger_txn *txn = &state->txns[row - 1];
        if (txn->de7 == de7 && ledger_hash_equal(&txn->self_key, key)) {
            found = later(state, found, row);
        }
        row = ledger_walk_next(&walk);
    }
    row = ledger_index_first(&state->by_loose, key->low);
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        const struct ledger_txn *txn = &state->txns[row - 1];
        if (txn->class != LEDGER_CLASS_REVERSAL && ledger_hash_equal(&txn->self_key, key) &&
            ledger_txn_has_de7(txn, de7)) {
            found = later(state, found, row);
        }
        row = ledger_index_next(&state->by_loose, row);
    }
    return found;
}

uint32_t ledger_txn_by_rrn(const struct ledger_state *state, const struct hash128 *rrn_key,
                           bool (*wanted)(const struct ledger_txn *txn, uint32_t de3), uint32_t de3)
{
    struct ledger_walk walk;
    uint32_t found = 0;
    uint32_t row = walk_first(&walk, state, &state->by_rrn, rrn_key->low);
    while (row != 0 && (found == 0 || is_overtaken(state, found))) {
        const struct ledger_txn *txn = &state->txns[row - 1];
        if (ledger_hash_equal(&txn->rrn_key, rrn_key) && wanted(txn, de3)) {
            found = later(state, found, row);
        }
        row = ledger_walk_next(&walk);
    }
    return found;
}

/* Does the reversal that came first mean this request? By DE7; a repeat may have another one: it is
 * known as such by its MTI, by the same DE37, or by the same local time. */
static bool is_meant(const struct ledger_txn *tombstone, const struct ledger_request *request)
{
    if (tombstone->original_de7 == request->de7) {
        return true;
    }
    bool both_rrn = (tombstone->flags & LEDGER_TXN_SENT_RRN) != 0 &&
                    (request->flags & LEDGER_REQUEST_HAS_RRN) != 0;
    if (both_rrn) {
        return ledger_hash_equal(&tombstone->rrn_key, &request->rrn_key);
    }
    return (request->flags & LEDGER_REQUEST_REPEAT) != 0 ||
           (request->local_time != 0 && tombstone->local_time == request->local_time);
}

uint32_t ledger_txn_tombstone(const struct ledger_state *state,
                              const struct ledger_request *request)
{
    if (state->tombstones_count == 0) {
        return 0;
    }
    uint32_t row = ledger_index_first(&state->by_loose, request->self_key.low);
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        const struct ledger_txn *txn = &state->txns[row - 1];
        if (txn->state == LEDGER_TXN_TOMBSTONE &&
            ledger_hash_equal(&txn->original_key, &request->self_key) && is_meant(txn, request)) {
            return row;
        }
        row = ledger_index_next(&state->by_loose, row);
    }
    row = ledger_index_first(&state->by_loose, ledger_txn_hash_tombstone(&request->rrn_key));
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        const struct ledger_txn *txn = &state->txns[row - 1];
        if (txn->state == LEDGER_TXN_TOMBSTONE && (txn->flags & LEDGER_TXN_BY_RRN) != 0 &&
            txn->de3 == request->de3 && ledger_hash_equal(&txn->rrn_key, &request->rrn_key)) {
            return row;
        }
        row = ledger_index_next(&state->by_loose, row);
    }
    return 0;
}

static bool is_needed(const struct ledger_txn *txn, int64_t utc_ns, int64_t keep_ns)
{
    return txn->id != 0 && (txn->state == LEDGER_TXN_OPEN || txn->state == LEDGER_TXN_UNKNOWN ||
                            utc_ns - txn->decided_utc_ns < keep_ns);
}

uint64_t ledger_txn_place(const struct ledger_state *state, int64_t utc_ns, int64_t keep_ns)
{
    uint64_t sequence = state->txn_next;
    uint32_t rows = state->limits.txns_max;
    for (uint32_t i = 0; i < LEDGER_NEXT_ROWS_MAX && i < rows; i++, sequence++) {
        if (!is_needed(&state->txns[sequence % rows], utc_ns, keep_ns)) {
            return sequence;
        }
    }
    return 0;
}

/* ---- indexes --------------------------------------------------------------------------------- */

static bool is_loose(const struct ledger_txn *txn)
{
    return txn->class == LEDGER_CLASS_REVERSAL ? txn->state == LEDGER_TXN_TOMBSTONE
                                               : txn->repeat_de7[0] != 0;
}

static uint64_t loose_hash(const struct ledger_txn *txn)
{
    if (txn->class != LEDGER_CLASS_REVERSAL) {
        return txn->self_key.low;
    }
    return (txn->flags & LEDGER_TXN_BY_RRN) != 0 ? ledger_txn_hash_tombstone(&txn->rrn_key)
                                                 : txn->original_key.low;
}

static bool is_by_rrn(const struct ledger_txn *txn)
{
    return txn->class != LEDGER_CLASS_REVERSAL;
}

static void count(struct ledger_state *state, const struct ledger_txn *txn, int32_t by)
{
    state->txns_count += (uint32_t)by;
    state->open_count += txn->state == LEDGER_TXN_OPEN ? (uint32_t)by : 0;
    state->unknown_count += txn->state == LEDGER_TXN_UNKNOWN ? (uint32_t)by : 0;
    state->tombstones_count += txn->state == LEDGER_TXN_TOMBSTONE ? (uint32_t)by : 0;
}

void ledger_txn_added(struct ledger_state *state, uint32_t row)
{
    const struct ledger_txn *txn = &state->txns[row];
    ledger_map_add(&state->by_replay, txn->replay_key.low, row);
    ledger_index_add(&state->by_self, ledger_txn_hash_self(&txn->self_key, txn->de7), row);
    if (is_by_rrn(txn)) {
        ledger_index_add(&state->by_rrn, txn->rrn_key.low, row);
    }
    if (is_loose(txn)) {
        ledger_index_add(&state->by_loose, loose_hash(txn), row);
    }
    count(state, txn, 1);
}

void ledger_txn_leaving(struct ledger_state *state, uint32_t row)
{
    const struct ledger_txn *txn = &state->txns[row];
    ledger_map_remove(&state->by_replay, txn->replay_key.low, row);
    ledger_index_remove(&state->by_self, ledger_txn_hash_self(&txn->self_key, txn->de7), row);
    if (is_by_rrn(txn)) {
        ledger_index_remove(&state->by_rrn, txn->rrn_key.low, row);
    }
    if (is_loose(txn)) {
        ledger_index_remove(&state->by_loose, loose_hash(txn), row);
    }
    count(state, txn, -1);
}

void ledger_txn_changing(struct ledger_state *state, const struct ledger_txn *before, uint32_t row)
{
    const struct ledger_txn *after = &state->txns[row];
    if (!is_loose(before) && is_loose(after)) {
        ledger_index_add(&state->by_loose, loose_hash(after), row);
    }
    count(state, before, -1);
    count(state, after, 1);
}
