/* state.h - a worker's memory: everything hangs off one struct. Only switch/ includes it. */
#ifndef SWITCH_STATE_H
#define SWITCH_STATE_H

#include "base/bytes.h"
#include "base/log.h"
#include "base/secret.h"
#include "ledger/ref.h"
#include "switch/link.h"
#include "switch/match.h"
#include "switch/pipeline.h"
#include "switch/resolve.h"
#include "switch/tell.h"
#include "switch/txn.h"
#include "switch/worker.h"
#include <stdatomic.h>

enum token_kind { TOKEN_NOBODY, TOKEN_LISTENER, TOKEN_LINK };

struct hsm_job;

enum crash_note { CRASH_FORWARD_SENT = 1u, CRASH_REPLY_SENT = 2u, CRASH_RESOLUTION_SENT = 4u };

#define LISTENERS_MAX   8u
#define CREDITS_FORWARD 3u /* INTENT, then OUTCOME or TIMEOUT, then once more (command.h) */

struct endpoint { /* our side of a counterparty that we dial */
    struct timer dial, echo;
    uint32_t link_index; /* LINK_NONE: not connected */
    uint16_t link_generation;
    uint16_t number;
    uint32_t outstanding;   /* our messages without an answer */
    uint32_t dials_failed;  /* in a row */
    uint32_t network_stan;  /* of our own 0800 */
    uint32_t echoes_silent; /* in a row */
    bool is_signed_on;
};

struct worker {
    struct agent agent; /* first */
    struct worker_options options;

    /* written by others, or read by them */
    _Atomic uint32_t asked_serve, asked_drain;
    _Atomic uint32_t state; /* enum worker_state */
    _Atomic uint64_t ref_batch;
    const struct rules *_Atomic rules_in_use;
    struct {
        _Atomic uint32_t txns_in_flight, links_accepted, links_dialled, credits_free;
        _Atomic uint64_t shed_count, late_count, unmatched_count;
    } shown;
    char refusal[256];
    uint32_t serve_seen, drain_seen; /* what was asked and has been begun */

    /* this turn */
    const struct rules *rules;
    struct io_event *events; /* noted; LIMIT_IO_EVENTS_MAX */
    uint32_t events_count;
    bool commands_pushed;
    uint32_t crash_notes; /* enum crash_note: what goes out at the end of this turn */

    struct wheel wheel;
    uint32_t credits; /* commands that may still be pushed */
    uint64_t random;
    uint64_t rrn_last; /* newest of the DE37 that we proposed */

    struct txn *txns;
    uint32_t txns_free, txns_open_count;
    struct txn *scratch; /* for what is answered without a slot, and for answers of schemes */

    struct link *links;
    uint32_t links_count, links_free, links_accepted_count, links_dialled_count;
    uint32_t *dirty; /* links with something to flush */
    uint32_t dirty_count;
    io_socket listeners[LISTENERS_MAX];
    uint32_t listeners_open_count;
    uint32_t placed_count; /* connections given to workers in turn */

    struct hsm_job *job; /* being filled; in secret memory */
    struct match match;
    struct endpoint endpoints[LIMIT_ENDPOINTS_MAX];
    struct resolve resolve;

    uint64_t shed_count, late_count, unmatched_count;
    struct teller tellers[TELLS_COUNT];
};

static inline int64_t worker_now_ns(const struct worker *worker)
{
    return worker->agent.clock->now_ns;
}
static inline void worker_crash_point(struct worker *worker, const char *name)
{
    if (unlikely(worker->options.crash_point != NULL)) {
        worker->options.crash_point(worker->options.crash_context, name);
    }
}
/* WORKER_TELL(worker, TELL_LATE, LOG_WARN, "answer.late", log_text(…)…): within its share of lines.
 */
#define WORKER_TELL(worker, kind, level, event, ...)                                               \
    do {                                                                                           \
        int64_t left_out;                                                                          \
        if (tell_may((worker)->tellers, kind, worker_now_ns(worker), &left_out)) {                 \
            log_event(level, event, ##__VA_ARGS__, log_number("left_out", left_out));              \
        }                                                                                          \
    } while (0)
/* Chance for back-off and jitter: from the options' seed. */
uint64_t worker_random(struct worker *worker);
static inline bool worker_owns(const struct worker *worker, uint16_t endpoint)
{
    return worker->options.endpoints[endpoint].owner == worker->options.index;
}

/* ---- screen.c ----------------------------------------------------------------------------------
 */

/* One message of a link, whole: a request goes into the pipeline, an answer to whom it is for. */
void screen_frame(struct worker *worker, struct link *link, struct span frame);
void screen_request(struct worker *worker, struct link *link, struct span frame);
uint32_t screen_mti(const char mti[4]); /* "0421" as 421 */
uint8_t screen_class(uint32_t mti);     /* enum ledger_class; NONE: no message that we take */

/* ---- facts.c -----------------------------------------------------------------------------------
 */

/* The PAN, and what track 2 says; false: DE35 cannot be read, names another PAN, or is not of the
 * form that our own cards have. */
NODISCARD bool facts_card(const struct worker *worker, struct txn *txn);
/* The keys of a request whose other facts are there (facts_keys.c). False: no card key. */
NODISCARD bool facts_keys(struct worker *worker, struct txn *txn);

/* ---- decide.c ----------------------------------------------------------------------------------
 */

/* Takes all verdicts that are there; returns how many. */
uint32_t decide_verdicts(struct worker *worker);
/* A transaction that was told STALE: has the follower caught up? */
void decide_timer(struct worker *worker, struct txn *txn);
/* The next command of this worker in its ring, zeroed, header filled; takes a credit. */
void *decide_command(struct worker *worker, enum ledger_command_kind kind, uint32_t size,
                     uint32_t slot, uint32_t generation, int64_t received_ns);

/* ---- match.c: answers ---------------------------------------------------------------------------
 */

/* An answer that came over the link of an endpoint; msg is of that endpoint's dialect. */
void match_answer(struct worker *worker, struct link *link, const struct iso_msg *msg);
/* The answer of a forwarded transaction of this worker, from wherever its link is. */
void match_txn_answer(struct worker *worker, uint32_t slot, uint32_t generation, uint8_t attempt,
                      const struct adapter_answer *answer);

/* ---- forward.c ----------------------------------------------------------------------------------
 */

/* The deadline of a forwarded transaction has passed. */
void forward_silent(struct worker *worker, struct txn *txn);

/* ---- secure.c -----------------------------------------------------------------------------------
 */

uint32_t secure_results(struct worker *worker); /* what the HSM has answered */
void secure_flush(struct worker *worker);       /* jobs of this turn */

/* ---- mesh.c -------------------------------------------------------------------------------------
 */

/* Our request to an endpoint of another worker. False: its ring is full. */
NODISCARD bool mesh_send(struct worker *worker, const struct txn *txn, struct span message);
void mesh_answer(struct worker *worker, uint16_t to, uint32_t slot, uint32_t generation,
                 uint8_t attempt, const struct adapter_answer *answer);
/* A connection that `to` is to own. False: its ring is full. */
NODISCARD bool mesh_accepted(struct worker *worker, uint16_t to, uint32_t listener,
                             io_socket socket, const struct io_address *peer);
uint32_t mesh_take(struct worker *worker);
bool mesh_pending(const struct worker *worker);
void mesh_flush(struct worker *worker);

/* ---- dial.c and network.c
 * ------------------------------------------------------------------------ */

void dial_start(struct worker *worker); /* the endpoints that this worker owns */
void dial_timer(struct worker *worker, struct endpoint *endpoint);
void dial_connected(struct worker *worker, struct link *link, int32_t result);
void dial_lost(struct worker *worker, uint16_t endpoint); /* its link is closed: try again later */
void dial_show(struct worker *worker, struct endpoint *endpoint); /* its line of the board */
void dial_count_sent(struct worker *worker, uint16_t endpoint);
bool dial_is_up(const struct worker *worker, uint16_t endpoint);
/* NULL when it is down, or not signed on. */
struct link *dial_link(struct worker *worker, uint16_t endpoint);

void network_opened(struct worker *worker, struct endpoint *endpoint); /* sign on, start echo */
void network_timer(struct worker *worker, struct endpoint *endpoint);
void network_answer(struct worker *worker, struct endpoint *endpoint, uint16_t code,
                    const uint8_t de39[2]);
void network_silent(struct worker *worker, struct endpoint *endpoint);

#endif
