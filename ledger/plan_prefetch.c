/* plan_prefetch.c - asks the processor for the memory that a decision will need, while the
 * decisions before it are made: the tables are far larger than its caches, and one miss costs as
 * much as the rest.
 *
 * Three steps, each of which reads only what the step before has asked for. A hint, nothing depends
 * on it: it changes nothing, and commands that come between only make it miss. Thread: the shard's.
 */
#include "ledger/plan.h"

static bool is_request(const struct ledger_command *command)
{
    return command->kind == LEDGER_AUTH || command->kind == LEDGER_INTENT ||
           command->kind == LEDGER_ADVICE || command->kind == LEDGER_REVERSAL;
}

static uint32_t row_ahead(const struct ledger_state *state, uint32_t ahead)
{
    return (uint32_t)((state->txn_next + ahead) % state->limits.txns_max);
}

/* Heads of the indexes that are searched and added to; the row that will be written. */
static void heads(const struct ledger_state *state, const struct ledger_request *request,
                  uint32_t ahead)
{
    uint32_t row = row_ahead(state, ahead);
    ledger_map_prefetch(&state->by_replay, request->replay_key.low);
    ledger_index_prefetch(&state->by_card, ledger_hash_bytes(&request->card, sizeof request->card),
                          0);
    ledger_index_prefetch(&state->by_self, ledger_txn_hash_self(&request->self_key, request->de7),
                          row);
    ledger_index_prefetch(&state->by_rrn, request->rrn_key.low, row);
    if (state->tombstones_count > 0) {
        ledger_index_prefetch(&state->by_loose, request->self_key.low, 0);
        ledger_index_prefetch(&state->by_loose, ledger_txn_hash_tombstone(&request->rrn_key), 0);
    }
    const uint8_t *bytes = (const uint8_t *)&state->txns[row];
    for (uint32_t at = 0; at < sizeof(struct ledger_txn); at += 64) {
        __builtin_prefetch(bytes + at, 1);
    }
}

/* What the heads point at; where the row's old transaction stands. */
static void rows(const struct ledger_state *state, const struct ledger_request *request,
                 uint32_t ahead)
{
    uint32_t card = ledger_index_first(&state->by_card,
                                       ledger_hash_bytes(&request->card, sizeof request->card));
    if (card != 0) {
        __builtin_prefetch(&state->cards[card - 1]);
    }
    uint32_t row = row_ahead(state, ahead);
    const struct ledger_txn *old = &state->txns[row];
    if (old->id != 0) {
        ledger_map_prefetch(&state->by_replay, old->replay_key.low);
        ledger_index_prefetch(&state->by_self, ledger_txn_hash_self(&old->self_key, old->de7), row);
        ledger_index_prefetch(&state->by_rrn, old->rrn_key.low, row);
    }
}

static void accounts(const struct ledger_state *state, const struct ledger_request *request)
{
    uint32_t card = ledger_index_first(&state->by_card,
                                       ledger_hash_bytes(&request->card, sizeof request->card));
    if (card != 0 && state->cards[card - 1].account != 0) {
        __builtin_prefetch(&state->accounts[state->cards[card - 1].account - 1], 1);
    }
}

void ledger_plan_prefetch(const struct ledger_state *state, const struct ledger_command *command,
                          uint32_t ahead)
{
    if (!is_request(command)) {
        return;
    }
    const struct ledger_request *request =
        &((const struct ledger_command_request *)command)->request;
    switch (ahead) {
    case LEDGER_AHEAD_HEADS:
        heads(state, request, ahead);
        break;
    case LEDGER_AHEAD_ROWS:
        rows(state, request, ahead);
        break;
    case LEDGER_AHEAD_ACCOUNTS:
        accounts(state, request);
        break;
    default:
        break;
    }
}
