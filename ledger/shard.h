/* shard.h - inside of struct ledger: the agent that decides, and what it owns. For ledger/ and its
 * tests only. */
#ifndef LEDGER_SHARD_H
#define LEDGER_SHARD_H

#include "ledger/follower.h"
#include "ledger/journal.h"
#include "ledger/plan.h"
#include "ledger/warm.h"

#define LEDGER_CREDITS_WORKER      4096u /* commands of a worker in the ring or not yet answered */
#define LEDGER_CREDITS_CONTROL     64u
#define LEDGER_COMMAND_BYTES_MAX   1280u
#define LEDGER_VERDICT_BYTES_MAX   1024u /* to a worker; control gets rows up to a ring's record */
#define LEDGER_WAITERS_MAX         1024u /* repeats of requests that are out at a scheme */
#define LEDGER_COMMANDS_PER_SENDER 64u   /* taken before the next sender's turn */
#define LEDGER_COMMANDS_PER_TURN   1024u
#define LEDGER_BLOCKED_NS          NS_PER_MS /* looked again when the journal had no room */

_Static_assert(sizeof(struct ledger_command_request) + 8 <= LEDGER_COMMAND_BYTES_MAX,
               "the largest command, in its ring");
_Static_assert(sizeof(struct ledger_verdict_saf) <= LEDGER_VERDICT_BYTES_MAX,
               "the largest verdict to a worker");

struct shard_waiter { /* a repeat that gets the answer of a transaction that is out */
    uint64_t txn;
    uint32_t slot, generation;
    uint16_t sender, command;
};

struct shard_verdict { /* head of a verdict that waits until `batch` is durable */
    uint64_t batch;
    uint32_t size; /* of the verdict behind it */
    uint16_t sender;
    uint16_t reserved;
};

struct shard_ahead { /* commands of one sender that were looked at and not yet decided */
    struct {
        const struct ledger_command *command;
        uint32_t size;
    } at[LEDGER_AHEAD_HEADS + 1];
    uint32_t count;
};

struct ledger {
    struct agent agent; /* first: the agent is the ledger */
    struct ledger_options options;
    struct clock clock; /* the thread's, as of this turn: also the journal's */
    struct ledger_state *state;
    struct journal *journal;
    struct followers *followers;
    struct ledger_board *board;
    struct ledger_warm warm;
    struct metric_block *metrics;
    struct ledger_port ports[LEDGER_SENDERS_MAX];
    struct shard_ahead aheads[LEDGER_SENDERS_MAX];
    struct bell *endpoint_bells[LIMIT_ENDPOINTS_MAX];

    struct ledger_now now;
    struct ledger_plan *plan;
    struct ring *waiting;     /* verdicts, oldest first */
    uint64_t batch_last;      /* newest batch that holds a record: what an answer may rest on */
    uint64_t recovered_batch; /* last one of the run before that survived */
    uint64_t batch_known;     /* durable, as of the last look */
    uint32_t sender_next;     /* whose commands are taken first */
    bool is_attached, is_blocked, is_failed;
    bool sent_to[LEDGER_SENDERS_MAX]; /* in this turn */
    int64_t follower_ring_ns;
    struct shard_waiter waiters[LEDGER_WAITERS_MAX];
    uint32_t waiters_count;
    uint8_t hash_key[16];

    struct ledger_hooks hooks; /* the simulator's; none in production */
};

extern const struct agent_ops shard_ops;

#endif
