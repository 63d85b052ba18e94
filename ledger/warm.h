/* warm.h - memory brought in before the data plane comes to it.
 *
 * DESIGN  Memory is taken at start and touched as it is used; the first touch of a large page costs
 * the kernel up to milliseconds, and a thread that pays it holds up every answer. What is searched
 * at random (the map of replays, the heads of the loose index) is therefore touched at start. The
 * rest is this agent's: first rings and buffers, then, a fixed number of rows ahead of the shard,
 * the rows and links of transactions, which fill in order, until the circle of rows has been round
 * once. Where all that the limits take is resident at start (production, `memory: start`) there is
 * left what threads take for themselves.
 *
 * THREAD  of the followers that wait for the disk, at batch priority: the kernel clears pages for
 * milliseconds, and whoever is answering goes first. It is never rung: the thread's guard and the
 * followers' work are enough. */
#ifndef LEDGER_WARM_H
#define LEDGER_WARM_H

#include "base/agent.h"
#include "base/mem.h"
#include "ledger/ledger.h"

#define LEDGER_WARM_ROWS 65536u /* ahead of the shard: a third of a second at 200,000/s */

struct ledger_state;
struct ledger_warm {
    struct agent agent; /* first */
    const struct ledger_state *state;
    const struct ledger_board *board;
    uint64_t next, end; /* sequences: touched up to, never beyond */
    struct mem_cursor small;
    bool small_done;
};

/* Touches what is searched at random, then the first rows; the rest is the agent's. */
void ledger_warm_init(struct ledger_warm *warm, const struct ledger_state *state,
                      const struct ledger_board *board);

#endif
