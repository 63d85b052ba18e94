/* saf.c - stored messages: the queue of each endpoint, oldest first.
 *
 * An item goes to the end when it is queued; items have growing numbers, so a queue rebuilt from
 * the rows has the same order. "In flight" is known to this run of the daemon only: after a restart
 * all of them wait again. Thread: the shard's. Bounds: saf_max. */
#include "ledger/tables.h"

uint32_t ledger_saf_find(const struct ledger_state *state, uint64_t item)
{
    uint32_t row = ledger_index_first(&state->by_item, item);
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        if (state->safs[row - 1].item == item) {
            return row;
        }
        row = ledger_index_next(&state->by_item, row);
    }
    return 0;
}

uint32_t ledger_saf_next(const struct ledger_state *state, uint16_t endpoint)
{
    if (endpoint >= LIMIT_ENDPOINTS_MAX || state->queues[endpoint].waiting_count == 0) {
        return 0;
    }
    uint32_t row = state->queues[endpoint].first;
    for (uint32_t i = 0; row != 0 && i < state->limits.saf_max; i++) {
        if (!state->saf_in_flight[row - 1]) {
            return row;
        }
        row = state->saf_nexts[row - 1];
    }
    return 0;
}

/* Nearly always at the end; a rebuild meets them in any order. */
void ledger_saf_queued(struct ledger_state *state, uint32_t row)
{
    const struct ledger_saf *saf = &state->safs[row];
    must(saf->state == LEDGER_SAF_QUEUED && saf->endpoint < LIMIT_ENDPOINTS_MAX);
    struct ledger_queue *queue = &state->queues[saf->endpoint];
    uint32_t before = queue->last;
    while (before != 0 && state->safs[before - 1].item > saf->item) {
        before = state->saf_befores[before - 1];
    }
    uint32_t next = before == 0 ? queue->first : state->saf_nexts[before - 1];
    state->saf_befores[row] = before;
    state->saf_nexts[row] = next;
    *(before == 0 ? &queue->first : &state->saf_nexts[before - 1]) = row + 1;
    *(next == 0 ? &queue->last : &state->saf_befores[next - 1]) = row + 1;
    state->saf_in_flight[row] = 0;
    queue->waiting_count++;
    state->saf_queued_count++;
    state->in_doubt_minor += saf->reserved_minor;
    ledger_index_add(&state->by_item, saf->item, row);
}

void ledger_saf_leaving(struct ledger_state *state, uint32_t row)
{
    const struct ledger_saf *saf = &state->safs[row];
    struct ledger_queue *queue = &state->queues[saf->endpoint];
    uint32_t before = state->saf_befores[row], next = state->saf_nexts[row];
    *(before == 0 ? &queue->first : &state->saf_nexts[before - 1]) = next;
    *(next == 0 ? &queue->last : &state->saf_befores[next - 1]) = before;
    state->saf_befores[row] = state->saf_nexts[row] = 0;
    if (!state->saf_in_flight[row]) {
        queue->waiting_count--;
    }
    state->saf_in_flight[row] = 0;
    state->saf_queued_count--;
    state->in_doubt_minor -= saf->reserved_minor;
    ledger_index_remove(&state->by_item, saf->item, row);
}

void ledger_saf_flight(struct ledger_state *state, uint32_t row, bool in_flight)
{
    struct ledger_queue *queue = &state->queues[state->safs[row].endpoint];
    if (in_flight && !state->saf_in_flight[row]) {
        queue->waiting_count--;
    } else if (!in_flight && state->saf_in_flight[row]) {
        queue->waiting_count++;
    }
    state->saf_in_flight[row] = in_flight;
}
