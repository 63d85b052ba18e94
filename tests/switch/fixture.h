/* fixture.h - a worker alone: fake sockets, a shard and an HSM that the test plays itself, the real
 * dialect of the demo. */
#ifndef TEST_SWITCH_FIXTURE_H
#define TEST_SWITCH_FIXTURE_H

#include "base/agent.h"
#include "hsm/card_key.h"
#include "hsm/hsm.h"
#include "hsm/seal.h"
#include "ledger/ledger.h"
#include "rules/rules.h"
#include "switch/worker.h"
#include "tests/switch/fake_io.h"

#define FIXTURE_CREDITS 64u
#define FRAME_MAX       (LIMIT_FRAME_BYTES_MAX + 2u)

struct rules { /* what the fake of rules/ says to everything that is not our BIN */
    struct rule_outcome outcome;
};

struct fixture {
    int64_t boot_ns, wall_ns;
    uint32_t mark;
    struct iso_dialect *dialect;
    struct fake_io *io;
    struct thread thread;
    struct worker *worker;
    struct worker_options options;
    struct worker_listener listener;
    struct worker_party parties[2];
    struct worker_endpoint endpoints[2];
    struct ledger_port port;
    struct ledger_board ledger_board;
    struct board board;
    struct rules rules;
    const struct rules *_Atomic rules_now;
    uint8_t hash_key[16];

    struct ledger_ref_reader ref; /* plays ref.mdb */
    uint64_t ref_batch;
    bool has_card;
    struct ledger_ref_card card;

    struct hsm_client hsm; /* plays the HSM */
    bool hsm_is_down;
    struct hsm_job jobs[16];
    uint32_t jobs_count, results_count;
    struct hsm_result results[16];

    const char *crashed[64]; /* crash points passed */
    uint32_t crashed_count;

    struct ledger_command_request command; /* last command taken */
    struct ledger_command_outcome outcome;
    struct ledger_command_saf saf;
    struct ledger_command header;

    uint8_t frame[FRAME_MAX]; /* last answer taken, without its length */
    struct iso_msg msg;
};

/* Options may be changed between these two. */
void fixture_init(struct fixture *f);
void fixture_serve(struct fixture *f);
void fixture_end(struct fixture *f);
void fixture_run(struct fixture *f);                 /* until nothing is left to do */
void fixture_advance(struct fixture *f, int64_t ns); /* in steps of a millisecond */

int32_t fixture_client(struct fixture *f); /* a connection of the acquirer */
int32_t fixture_scheme(struct fixture *f); /* the connection to endpoint 0 */

/* A message from canonical texts: message(f, out, "0100", "2", "990…", "3", "000000", NULL). Binary
 * values are given as bytes by a leading '#' and hex. Returns its size with the length. */
uint32_t fixture_message(struct fixture *f, uint8_t *out, const char *mti, ...)
    __attribute__((sentinel));
void fixture_send(struct fixture *f, int32_t socket, const uint8_t *frame, uint32_t size);
/* The usual purchase of contract section 8; STAN as given. */
uint32_t fixture_purchase(struct fixture *f, uint8_t *out, const char *mti, const char *stan);

/* The next frame sent on a socket, into f->frame and f->msg. False: none. */
bool fixture_answer(struct fixture *f, int32_t socket);
/* A field of f->msg; "" when absent. */
const char *fixture_field(struct fixture *f, uint32_t de);
char *fixture_mti(struct fixture *f);

/* The next command of the worker: false when there is none. */
bool fixture_command(struct fixture *f);
void fixture_reply(struct fixture *f, const struct ledger_reply *reply);
void fixture_approve(struct fixture *f);
void fixture_decline(struct fixture *f, const char *de39);
void fixture_forward(struct fixture *f, uint32_t stan);
void fixture_verdict(struct fixture *f, enum ledger_verdict_kind kind, const void *body,
                     uint32_t body_size);

uint32_t fixture_bytes(const char *hex, uint8_t *out, uint32_t out_size);

#endif
