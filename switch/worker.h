/* worker.h - one core's agent: links, transactions in flight and their timers; bytes in, bytes out.
 *
 * DESIGN  A turn takes what its inboxes hold (verdicts of the shard, results of the HSM, records of
 * other workers), then the bytes that arrived, then its timers; each transaction runs through the
 * stages of pipeline.def until one of them waits, by {slot, generation, stage}. At the end of the
 * turn everything goes out at once: one publish of commands, one bell per neighbour, one send per
 * link. Nothing is decided in event().
 *
 * OWNERSHIP  Whatever the options point at outlives the worker. A worker touches nothing but its
 * own memory, its rings, its line of the board and atomics that say so.
 *
 * LIFE  worker_create() → thread_add(worker_agent()) → worker_serve(), from any thread, once the
 * shard has recovered → the state becomes SERVING or REFUSED → worker_drain() → DRAINED. */
#ifndef SWITCH_WORKER_H
#define SWITCH_WORKER_H

#include "adapters/adapter.h"
#include "base/agent.h"
#include "base/metric.h"
#include "iso8583/dialect.h"
#include "iso8583/frame.h"
#include "ledger/ledger.h"
#include "switch/board.h"

struct hsm_client;
struct hsm_card_keys;
struct hsm_seal;
struct rules;
struct mesh;

#define WORKER_BINS_MAX 8u

struct worker_listener { /* everybody who comes here is this party */
    struct io_address address;
    const struct iso_dialect *dialect;
    struct iso_framing framing;
    uint16_t party;
};

struct worker_party {
    char name[32];
    uint32_t window;       /* requests in flight on one of its links */
    uint16_t zone_pin_key; /* slot (hsm/hsm.h); HSM_NO_KEY: DE52 cannot be checked */
};

struct worker_issuer {              /* our own cards */
    char bins[WORKER_BINS_MAX][12]; /* first digits */
    uint32_t bins_count;
    uint16_t currency; /* ISO 4217; another DE49 is answered 57 */
    uint16_t cvk, pvk; /* slots */
};

struct worker_endpoint {
    char name[32];
    struct io_address address; /* we dial it */
    const struct iso_dialect *dialect;
    struct iso_framing framing;
    const struct adapter *adapter;
    uint16_t party;
    uint16_t owner;           /* the worker whose link it is */
    uint32_t window;          /* our requests outstanding on it */
    char institution[12];     /* DE33 of our leg: we, as it knows us; digits */
    int64_t connect_ns;       /* how long a connect may take */
    int64_t answer_ns;        /* how long an answer is waited for */
    int64_t repeat_ns;        /* a stored message is said again after this */
    int64_t echo_interval_ns; /* 0 = we start no 0800 */
};

struct worker_options {
    uint16_t index, workers_count;
    uint32_t txns_max;       /* slots; one message in flight takes one */
    uint32_t links_max;      /* accepted; one more is closed at once */
    uint64_t seed;           /* of tables and back-off */
    int64_t journal_slow_ns; /* oldest write above this: shed */
    int64_t hsm_deadline_ns; /* a check without an answer by then is UNAVAILABLE */
    struct worker_issuer issuer;

    const struct worker_listener *listeners;
    const struct worker_party *parties;
    const struct worker_endpoint *endpoints;
    uint32_t listeners_count, parties_count, endpoints_count;

    struct ledger_port *port; /* its `bell` is set by whoever makes the threads */
    const struct ledger_board *ledger_board;
    const struct agent *shard; /* whose bell is rung for commands */
    const uint8_t *hash_key;   /* 16 bytes: ledger_hash_key() */
    struct ledger_ref_reader *ref;

    struct hsm_client *hsm; /* NULL: every check is UNAVAILABLE */
    const struct hsm_card_keys *card_keys;
    const struct hsm_seal *seal;
    const struct rules *_Atomic *rules; /* the set in force; read once a turn */

    struct board *board; /* endpoint health, shared by all workers */
    struct mesh *mesh;   /* rings between workers; NULL with one worker */
    struct metric_block *metrics;

    /* The simulator ends the process here; NULL in production. Names: "parse", "hsm",
     * "forward sent", "answer in", "reply sent", "resolution sent", "resolution acknowledged". */
    void (*crash_point)(void *context, const char *name);
    void *crash_context;
};

enum worker_state {
    WORKER_STARTING, /* waits for worker_serve() */
    WORKER_SERVING,  /* listeners open, dialling */
    WORKER_REFUSED,  /* a listener could not open: worker_refusal() says why */
    WORKER_DRAINING,
    WORKER_DRAINED, /* no link, no transaction */
};

struct worker;
size_t worker_bytes(const struct worker_options *options); /* for --check */
/* Takes all its memory (base/mem.h). The options are copied, what they point at is not. */
NODISCARD struct worker *worker_create(const struct worker_options *options);
struct agent *worker_agent(struct worker *worker);

/* Any thread. */
void worker_serve(struct worker *worker); /* opens listeners, dials; at its next turn */
void worker_drain(struct worker *worker); /* no new work; what is in flight is answered */
enum worker_state worker_state(const struct worker *worker);
const char *worker_refusal(const struct worker *worker); /* one sentence */
uint64_t worker_ref_batch(const struct worker *worker);  /* newest ref snapshot it works with */
const struct rules *worker_rules(const struct worker *worker); /* the set it works with */

struct worker_numbers { /* for `status`; read without a lock, each number for itself */
    uint32_t txns_in_flight, links_accepted, links_dialled, credits_free;
    uint64_t shed_count, late_count, unmatched_count;
};
struct worker_numbers worker_numbers(const struct worker *worker);

#endif
