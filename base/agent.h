/* agent.h - an agent is init, turn(now), close; a thread is a list of agents on one io.
 *
 * An agent never blocks, never sleeps and never calls another agent: agents exchange records in
 * rings (ring.h) and ring each other's bells (bell_ring). turn() returns how much it did; a thread
 * goes to sleep only after a round in which every agent returned 0. */
#ifndef BASE_AGENT_H
#define BASE_AGENT_H

#include "base/clock.h"
#include "base/io.h"

struct agent;
struct agent_ops {
    const char *name;
    /* Notes a completion; decides nothing. */
    void (*event)(struct agent *, const struct io_event *event);
    /* Does bounded work; returns how many things it did. */
    uint32_t (*turn)(struct agent *);
    /* When it wants to be woken although nothing arrives (boot time, INT64_MAX = never). */
    int64_t (*deadline)(const struct agent *);
    /* True when something waits in an inbox: looked at once more before the thread sleeps. */
    bool (*pending)(const struct agent *);
};

struct bell { /* one per thread */
    _Atomic uint32_t asleep;
    struct io *io;
    _Atomic uint64_t rung_count;
};
void bell_ring(struct bell *bell); /* any thread; only the winner of exchange(asleep, 0) wakes */

struct thread;
struct agent {
    const struct agent_ops *ops;
    uint8_t id;          /* the agent byte of its tokens; given by thread_add() */
    struct io *io;       /* its thread's */
    struct clock *clock; /* its thread's: read once a turn */
    struct bell *bell;   /* its thread's */
};

#define THREAD_AGENTS_MAX 8u
#define THREAD_GUARD_NS   (50 * NS_PER_MS) /* work found by the guard is a bug counter */

struct thread {
    char name[16];
    int32_t cpu;         /* the first that it may run on; -1 = any: not pinned */
    uint32_t cpus_count; /* from `cpu` on */
    uint32_t spin_us;
    struct io *io;
    struct clock clock;
    struct bell bell;
    struct agent *agents[THREAD_AGENTS_MAX];
    uint32_t agents_count;
    _Atomic bool stop;
    struct io_event *events; /* LIMIT_IO_EVENTS_MAX */
    bool io_quiet;           /* the last wait ended without an event or a wake */
    bool is_idle;            /* in the last round every agent's turn returned 0 */
    uint64_t turns_count, sleeps_count, guard_found_count;
    int64_t stall_max_ns;
};

void thread_init(struct thread *thread, const char *name, const struct clock_source *source);
void thread_add(struct thread *thread, struct agent *agent);
/* Binds the calling thread, and those that it makes from now on, to its CPUs. */
void thread_pin(const struct thread *thread);
/* One round: take completions (waiting at most until wait_until_ns), run every agent once. Returns
 * the work done. The simulator calls it by itself; thread_run() loops over it. */
uint32_t thread_round(struct thread *thread, int64_t wait_until_ns);
void thread_run(struct thread *thread); /* until stop */

#endif
