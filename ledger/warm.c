/* warm.c - see warm.h. */
#include "ledger/warm.h"

#include "ledger/tables.h"
#include <stdatomic.h>

static void touch_heads(const struct ledger_index *index, uint32_t first_row, uint32_t last_row)
{
    size_t heads = (size_t)index->mask + 1;
    uint32_t first = ledger_index_age(index, first_row), last = ledger_index_age(index, last_row);
    mem_touch(&index->heads[first * heads], (last - first + 1) * heads * sizeof *index->heads);
}

static void touch_rows(const struct ledger_state *state, uint32_t row, uint32_t count)
{
    const struct ledger_index *indexes[] = {&state->by_self, &state->by_rrn, &state->by_loose};
    mem_touch(&state->txns[row], count * sizeof *state->txns);
    for (uint32_t i = 0; i < countof(indexes); i++) {
        mem_touch(&indexes[i]->links[row], count * sizeof *indexes[i]->links);
    }
    touch_heads(&state->by_self, row, row + count - 1);
    touch_heads(&state->by_rrn, row, row + count - 1);
}

/* Some of the rows that the shard comes to next; false: far enough ahead. */
static bool touch_ahead(struct ledger_warm *warm)
{
    uint64_t shard = atomic_load_explicit(&warm->board->txn_next, memory_order_relaxed);
    uint64_t until = shard + LEDGER_WARM_ROWS < warm->end ? shard + LEDGER_WARM_ROWS : warm->end;
    warm->next = warm->next < shard ? shard : warm->next; /* it was faster: those rows are there */
    if (warm->next >= until) {
        return false;
    }
    uint32_t rows = warm->state->limits.txns_max;
    uint32_t row = (uint32_t)(warm->next % rows);
    uint64_t count = until - warm->next;
    count = count < rows - row ? count : rows - row;
    touch_rows(warm->state, row, (uint32_t)count);
    warm->next += count;
    return true;
}

static uint32_t turn(struct agent *agent)
{
    struct ledger_warm *warm = (struct ledger_warm *)agent;
    if (!warm->small_done) {
        warm->small_done = !mem_touch_next(&warm->small);
    } else {
        while (touch_ahead(warm)) {
        }
    }
    return 0; /* nobody waits for it: the thread may sleep */
}

static int64_t deadline(const struct agent *agent)
{
    const struct ledger_warm *warm = (const struct ledger_warm *)agent;
    return warm->small_done ? INT64_MAX : agent->clock->now_ns;
}

static bool pending(const struct agent *agent)
{
    (void)agent;
    return false;
}

static void event(struct agent *agent, const struct io_event *io_event)
{
    (void)agent;
    (void)io_event;
    must(false); /* it asks its io for nothing */
}

void ledger_warm_init(struct ledger_warm *warm, const struct ledger_state *state,
                      const struct ledger_board *board)
{
    static const struct agent_ops ops = {"warm", event, turn, deadline, pending};
    uint64_t next = atomic_load_explicit(&board->txn_next, memory_order_relaxed);
    *warm = (struct ledger_warm){
        .agent.ops = &ops,
        .state = state,
        .board = board,
        .next = next,
        .end = next + state->limits.txns_max,
    };
    mem_touch(state->by_replay.lines,
              (size_t)state->by_replay.lines_count * sizeof *state->by_replay.lines);
    touch_heads(&state->by_loose, 0, 0); /* of one age: all */
    while (touch_ahead(warm)) {
    }
}
