#include "ledger/tables.h"
#include <criterion/criterion.h>

#define ROWS 256u /* of 16 to an age */

static struct ledger_state *state;
static const struct hash128 rrn = {11, 12}, self = {21, 22};

static void start(void)
{
    const struct ledger_limits limits = {
        .cards_max = 16,
        .accounts_max = 16,
        .holds_max = 16,
        .txns_max = ROWS,
        .counter_slots_max = 16,
        .saf_max = 16,
        .exceptions_max = 16,
    };
    state = ledger_state_create(&limits, 1);
}

/* A message that nobody looks for, or with `keys` one that is; the circle goes on behind it. */
static uint32_t put(uint64_t sequence, bool keys)
{
    uint32_t row = (uint32_t)(sequence % ROWS);
    struct ledger_txn *txn = &state->txns[row];
    if (txn->id != 0) {
        ledger_txn_leaving(state, row);
    }
    *txn = (struct ledger_txn){
        .id = sequence,
        .replay_key = {sequence, 1},
        .self_key = keys ? self : (struct hash128){sequence, 2},
        .rrn_key = keys ? rrn : (struct hash128){sequence, 3},
        .de7 = 1121030000,
        .class = LEDGER_CLASS_FINANCIAL,
        .state = LEDGER_TXN_DECIDED,
    };
    ledger_row_used(state, LEDGER_TABLE_txn, row);
    ledger_txn_added(state, row);
    state->txn_next = sequence + 1;
    return row + 1;
}

static bool any(const struct ledger_txn *txn, uint32_t de3)
{
    (void)txn;
    (void)de3;
    return true;
}

static void must_find(uint32_t row)
{
    cr_assert_eq(ledger_txn_by_rrn(state, &rrn, any, 0), row);
    cr_assert_eq(ledger_txn_by_self(state, &self, 1121030000), row);
}

Test(txn, the_latest_is_found_on_every_place_of_the_circle)
{
    start();
    must_find(0);
    for (uint64_t sequence = 1; sequence < 5 * ROWS; sequence++) {
        uint32_t row = put(sequence, sequence % 3 == 0);
        static uint32_t latest;
        latest = sequence % 3 == 0 ? row : latest;
        must_find(latest);
    }
    ledger_state_rebuild(state);
    must_find((5 * ROWS - 1) / 3 * 3 % ROWS + 1);
    for (uint64_t sequence = 4 * ROWS; sequence < 5 * ROWS; sequence++) {
        const struct hash128 key = {sequence, 1}, gone = {sequence - ROWS, 1};
        cr_assert_eq(ledger_txn_by_replay(state, &key), sequence % ROWS + 1);
        cr_assert_eq(ledger_txn_by_replay(state, &gone), 0);
    }
}

/* A row that is still needed stays when the circle goes over it: what was written since is later,
 * though its row has a smaller number or lies in another age. */
Test(txn, what_was_left_standing_is_the_oldest)
{
    start();
    uint32_t left = put(40, true);
    for (uint64_t sequence = 41; sequence < ROWS + 60; sequence++) {
        if (sequence != ROWS + 40) {
            (void)put(sequence, false);
        }
    }
    must_find(left);
    uint32_t later = put(ROWS + 60, true);
    must_find(later);
    for (uint64_t sequence = ROWS + 61; sequence < 2 * ROWS + 60; sequence++) {
        if (sequence % ROWS != 40) {
            (void)put(sequence, false);
            must_find(later);
        }
    }
    (void)put(2 * ROWS + 60, false);
    must_find(left);
}

Test(txn, tombstones_do_not_meet)
{
    start();
    const struct ledger_request request = {
        .self_key = self, .rrn_key = rrn, .de7 = 1121030000, .de3 = 0};
    cr_assert_eq(ledger_txn_tombstone(state, &request), 0);
    struct ledger_txn *by_key = &state->txns[7], *by_rrn = &state->txns[9];
    *by_key = (struct ledger_txn){.id = 7,
                                  .rrn_key = rrn, /* of the reversal: says nothing */
                                  .original_key = {5, 5},
                                  .original_de7 = 1121030000,
                                  .class = LEDGER_CLASS_REVERSAL,
                                  .state = LEDGER_TXN_TOMBSTONE};
    ledger_txn_added(state, 7);
    cr_assert_eq(ledger_txn_tombstone(state, &request), 0);
    *by_rrn = (struct ledger_txn){.id = 9,
                                  .rrn_key = rrn,
                                  .class = LEDGER_CLASS_REVERSAL,
                                  .state = LEDGER_TXN_TOMBSTONE,
                                  .flags = LEDGER_TXN_BY_RRN};
    ledger_txn_added(state, 9);
    cr_assert_eq(ledger_txn_tombstone(state, &request), 10);
    must_find(0); /* they are no originals */
    ledger_txn_leaving(state, 9);
    cr_assert_eq(ledger_txn_tombstone(state, &request), 0);
}
