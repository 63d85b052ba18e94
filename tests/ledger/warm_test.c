#include "ledger/warm.h"

#include "ledger/tables.h"
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ROWS      (4 * LEDGER_WARM_ROWS)
#define AGE_HEADS ((size_t)state->by_self.mask + 1)

/* Is the row's memory there? */
static bool is_warm(const void *row)
{
    uint8_t page = 0;
    void *begin = (void *)((uintptr_t)row & ~(uintptr_t)4095);
    cr_assert_eq(mincore(begin, 1, &page), 0);
    return page & 1;
}

static struct ledger_state *state;
static struct ledger_board *board;

static void start(uint64_t txn_next)
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
    /* Large pages would bring neighbours with them. */
    (void)madvise(state->txns, ROWS * sizeof *state->txns, MADV_NOHUGEPAGE);
    uintptr_t heads = ((uintptr_t)state->by_self.heads + 4095) & ~(uintptr_t)4095;
    size_t bytes = (size_t)state->by_self.ages_count * AGE_HEADS * sizeof(uint32_t);
    (void)madvise((void *)heads, bytes, MADV_NOHUGEPAGE);
    board = mem_take(MEM_PLAIN, sizeof *board, "board");
    atomic_store(&board->txn_next, txn_next);
}

static void turn(struct ledger_warm *warm, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        cr_assert_eq(warm->agent.ops->turn(&warm->agent), 0, "the thread may sleep");
    }
}

Test(warm, brings_in_what_the_shard_comes_to_first)
{
    struct ledger_warm warm;
    start(10);
    cr_assert_not(is_warm(&state->txns[LEDGER_WARM_ROWS / 2]));
    ledger_warm_init(&warm, state, board);
    cr_assert(is_warm(&state->txns[LEDGER_WARM_ROWS / 2]));
    cr_assert(is_warm(&state->txns[LEDGER_WARM_ROWS]));
    cr_assert_not(is_warm(&state->txns[2 * LEDGER_WARM_ROWS]));
    cr_assert(is_warm(&state->by_replay.lines[state->by_replay.lines_count / 2]));
    uint32_t ages = ledger_index_age(&state->by_self, 10 + LEDGER_WARM_ROWS - 1) + 1;
    cr_assert_gt(ages, 4);
    for (uint32_t age = 0; age < ages; age++) {
        cr_assert(is_warm(&state->by_self.heads[age * AGE_HEADS + AGE_HEADS / 2]), "age %u", age);
    }
    cr_assert_not(is_warm(&state->by_self.heads[(ages + 2) * AGE_HEADS]));
    cr_assert(is_warm(&state->by_loose.heads[state->by_loose.mask / 2]));
    cr_assert(is_warm(&state->by_loose.links[20]));
}

Test(warm, stays_ahead_of_the_shard)
{
    struct ledger_warm warm;
    struct clock clock = {.now_ns = 1};
    start(0);
    ledger_warm_init(&warm, state, board);
    warm.agent.clock = &clock;
    cr_assert_eq(warm.agent.ops->deadline(&warm.agent), 1, "buffers first");
    turn(&warm, 4096);
    cr_assert_eq(warm.agent.ops->deadline(&warm.agent), INT64_MAX);
    cr_assert_eq(warm.next, LEDGER_WARM_ROWS, "no further than it has to be");
    atomic_store(&board->txn_next, 1024);
    turn(&warm, 1);
    cr_assert_eq(warm.next, LEDGER_WARM_ROWS + 1024);
    cr_assert(is_warm(&state->txns[LEDGER_WARM_ROWS + 1023]));
    atomic_store(&board->txn_next, 2 * LEDGER_WARM_ROWS + 100); /* the shard was faster */
    turn(&warm, 1);
    cr_assert_eq(warm.next, 3 * LEDGER_WARM_ROWS + 100);
    cr_assert_not(is_warm(&state->txns[LEDGER_WARM_ROWS + 9000]), "those it has touched itself");
}

Test(warm, goes_round_once)
{
    struct ledger_warm warm;
    uint64_t first = 7 * (uint64_t)ROWS + ROWS - 100; /* of a journal that was there before */
    start(first);
    ledger_warm_init(&warm, state, board);
    cr_assert_eq(warm.next, first + LEDGER_WARM_ROWS);
    cr_assert(is_warm(&state->txns[ROWS - 1]));
    cr_assert(is_warm(&state->txns[0]));
    atomic_store(&board->txn_next, first + ROWS - LEDGER_WARM_ROWS / 2);
    turn(&warm, 4096);
    cr_assert_eq(warm.next, first + ROWS, "every row is there");
    atomic_store(&board->txn_next, first + 2 * ROWS);
    turn(&warm, 1);
    cr_assert(warm.next >= first + ROWS, "nothing is left to do");
}
