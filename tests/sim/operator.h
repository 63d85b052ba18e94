/* operator.h - the operator of the simulation: accounts and cards before the story, commands in the
 * middle of it, one at a time, as ringctl's are.
 *
 * DESIGN  A command is a record in the control sender's ring; the operator goes on when its verdict
 * is there. A process that ends takes the verdict with it: whether the command was done, the
 * operator does not know. What was answered as done must still be there after any crash; what the
 * command means for the messages after it, the model knows (watch.c). */
#ifndef SIM_OPERATOR_H
#define SIM_OPERATOR_H

#include "tests/sim/watch.h"

#define OPERATOR_ROWS_MAX 16u

struct operator_counts { /* commands that were done */
    uint64_t done[OPERATOR_ROWS_MAX];
};

struct sim_operator {
    struct sim_world *world;
    struct host *host;
    struct operator_counts *counts;
    union watch_command command; /* the one that is out */
    uint32_t row, generation;
    bool is_waiting;
    uint32_t rules; /* the set that is being activated */
    uint64_t done_batch;
};
void operator_create(struct sim_operator *who, struct sim_world *world, struct host *host,
                     struct operator_counts *counts);
/* Accounts, cards, lists; the host must be spared crashes. NULL: done. */
const char *operator_prepare(struct sim_operator *who);
/* Now and then: gives a command, unless one is out. */
void operator_speak(struct sim_operator *who);
/* Between rounds: takes the verdict, if it is there. */
void operator_listen(struct sim_operator *who);
void operator_crashed(struct sim_operator *who);
/* After a start. NULL, or what is wrong. */
const char *operator_booted(const struct sim_operator *who);

void operator_counts_print(const struct operator_counts *counts);
/* The first command that was never done, or NULL. */
const char *operator_counts_missing(const struct operator_counts *counts);

#endif
