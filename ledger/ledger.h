/* ledger.h - what the rest of the daemon sees of the ledger: the shard agent and its neighbours.
 *
 * The shard owns accounts, cards, holds, counters, transactions and replays in RAM; plan() decides,
 * apply() changes, the journal makes it durable, followers carry it to LMDB and the archive. */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/agent.h"
#include "base/disk.h"
#include "base/metric.h"
#include "base/ring.h"
#include "ledger/command.h"
#include "ledger/reason.h"
#include "ledger/ref.h"

#define LEDGER_SENDERS_MAX (LIMIT_WORKERS_MAX + 1u) /* workers, then control */

struct ledger_limits { /* numbers of the configuration; their bytes are printed by --check */
    uint32_t cards_max, accounts_max, holds_max, txns_max, replays_max, counter_slots_max, saf_max,
        exceptions_max;
};
struct ledger_options {
    struct ledger_limits limits;
    uint64_t segment_bytes;
    uint32_t segments_count;
    int64_t replay_keep_ns; /* 48 h */
    uint16_t senders_count; /* workers + control */
    uint16_t endpoints_count;
    uint16_t parties_count;
    struct {
        uint8_t settlement_account[LEDGER_ACCOUNT_NAME_BYTES]; /* "settlement/acquirer" */
    } parties[LIMIT_PARTIES_MAX];
    struct ledger_endpoint {
        uint8_t settlement_account[LEDGER_ACCOUNT_NAME_BYTES]; /* "settlement/demo-a" */
        uint16_t reversal_mti;                                 /* 420 or 400: adapters' row */
        uint8_t silence;                                       /* enum ledger_silence */
        uint8_t next_attempt_after; /* bit set: not sent 1, technical 2, silence 4 */
    } endpoints[LIMIT_ENDPOINTS_MAX];
};
enum ledger_silence { LEDGER_SILENCE_REVERSAL, LEDGER_SILENCE_REPEAT, LEDGER_SILENCE_QUERY };

/* A board in shared memory: stored messages waiting per endpoint; read by the endpoint's worker,
 * which then PULLs. The shard rings the bell of `bells[endpoint]` when it goes from 0. */
struct ledger_board {
    _Atomic uint32_t saf_waiting[LIMIT_ENDPOINTS_MAX];
    _Atomic int64_t
        oldest_write_ns; /* boot time at which the journal write in flight began; 0 = none */
    _Atomic uint64_t durable_batch;
    _Atomic uint64_t ref_batch; /* how far the ref follower is */
    _Atomic uint64_t txn_next;  /* sequence of the next transaction: how far the shard is */
    _Atomic uint32_t busy;      /* replay table full, journal full: shed new requests */
    struct {                    /* ledger_ref_renewed(): the snapshot that a worker decides from */
        _Alignas(64) _Atomic uint64_t batch;
    } ref_renewed[LIMIT_WORKERS_MAX];
};

struct ledger_port {       /* a sender's two rings; owned by the ledger, made at start */
    struct ring *commands; /* sender produces */
    struct ring *verdicts; /* shard produces; holds a verdict for every credit */
    uint32_t credits;
    struct bell *bell; /* of the sender's thread: rung once per durable batch */
};

struct ledger; /* everything of one shard hangs off it */

size_t ledger_bytes(const struct ledger_options *options); /* for --check */
struct state_store;
struct followers;
struct ledger_stores {         /* where it is kept; the caller's, and outlive the ledger */
    struct disk *disk;         /* journal segments and archive */
    struct state_store *state; /* checkpoint */
    struct ledger_ref *ref;    /* what the workers read */
};

/* Takes memory, recovers from disk (open intents become unknown, durable) and is ready to serve.
 * On refusal `text` says why, with the file and offset where there is one. */
NODISCARD struct ledger *ledger_open(const struct ledger_options *options,
                                     const struct ledger_stores *stores, const struct clock *clock,
                                     struct metric_block *metrics, char *text, size_t text_size);
struct followers *ledger_followers(struct ledger *ledger); /* their agents run on another thread */
/* "" while all is well; else one sentence: the process has to end (design rule 10). Any thread. */
const char *ledger_failure(const struct ledger *ledger);

/* For the simulator; production has none. Called in the shard's turn. */
struct ledger_hooks {
    /* The process may end here: "plan", "append", "durable", "release", "verdict pushed". */
    void (*crash_point)(void *context, const char *name);
    /* A command was taken, in this order; verdict NULL: it waits for another's. batch: the journal
     * batch that holds its record, 0 = nothing was written. */
    void (*decided)(void *context, const struct ledger_command *command,
                    const struct ledger_verdict *verdict, uint64_t batch);
    void *context;
};
void ledger_hook(struct ledger *ledger, const struct ledger_hooks *hooks);

struct agent *ledger_agent(struct ledger *ledger);
struct agent *ledger_warm_agent(struct ledger *ledger); /* warm.h: on a background thread */
struct ledger_port *ledger_port(struct ledger *ledger, uint16_t sender);
struct ledger_board *ledger_board(struct ledger *ledger);
void ledger_endpoint_bell(struct ledger *ledger, uint16_t endpoint, struct bell *bell);
/* No new work, all durable, followers told to catch up: true when quiet. */
bool ledger_drained(const struct ledger *ledger);
/* The last batch of the run before that survived: 0 = there was none. */
uint64_t ledger_recovered_batch(const struct ledger *ledger);
void ledger_close(struct ledger *ledger);
const uint8_t *ledger_hash_key(const struct ledger *ledger); /* 16 bytes, of the data directory */

#endif
