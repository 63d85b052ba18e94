/* traffic.h - the counterparties of the simulated ringswitch: an acquirer that says everything an
 * acquirer may say, and two schemes. Both remember what was said, for the checks. */
#ifndef SIM_TRAFFIC_H
#define SIM_TRAFFIC_H

#include "tests/sim/message.h"
#include "tests/sim/world.h"

#define TRAFFIC_MESSAGES_MAX 4096u
#define TRAFFIC_LINKS        2u

/* ---- schemes ------------------------------------------------------------------------------------
 */

struct scheme_row { /* one message of ours as a scheme heard it */
    char mti[5];
    char stan[7], de7[11], rrn[13], de90[43];
    int64_t amount_minor;
    bool answered, approved;
};

struct scheme {
    struct sim_peer peer;
    struct sim_world *world;
    struct sim_socket *socket;
    struct scheme_row rows[TRAFFIC_MESSAGES_MAX];
    uint32_t rows_count;
    uint32_t drop_percent; /* answers that get lost */
    uint8_t bytes[16384];
    uint32_t bytes_count;
};
void scheme_create(struct scheme *scheme, struct sim_world *world, const char *address);
/* Every request that was heard and not answered in time must have been reversed, DE90 with its own
 * STAN and DE7; and no approved one may. NULL: so it is; else what is wrong. */
const char *scheme_find_unresolved(const struct scheme *scheme, const char *stan, const char *de7);

/* ---- the acquirer -------------------------------------------------------------------------------
 */

enum traffic_state { TRAFFIC_WAITING, TRAFFIC_ANSWERED, TRAFFIC_LOST };

struct traffic_row {
    struct sim_message message, answer;
    enum traffic_state state;
    int32_t repeats; /* index of the message that it repeats, -1 = none */
    int64_t sent_ns;
};

struct acquirer {
    struct sim_peer peer;
    struct sim_world *world;
    struct sim_socket *sockets[TRAFFIC_LINKS];
    struct traffic_row rows[TRAFFIC_MESSAGES_MAX];
    uint32_t rows_count;
    uint8_t bytes[TRAFFIC_LINKS][16384];
    uint32_t bytes_count[TRAFFIC_LINKS];
    uint32_t stan, answers_count;
    const char *fault; /* something that must never be seen on the wire; NULL = nothing */
};
void acquirer_create(struct acquirer *acquirer, struct sim_world *world);
/* Says one thing: new, repeated, reversed, completed, refunded, malformed. */
void acquirer_speak(struct acquirer *acquirer);
/* Messages without an answer are said again, as they were: after a crash, and at the end. */
uint32_t acquirer_repeat_unanswered(struct acquirer *acquirer);
uint32_t acquirer_waiting(const struct acquirer *acquirer);

/* The PANs of the cards that exist: accounts are "card/0" … */
#define TRAFFIC_CARDS 8u
void traffic_pan(uint32_t card, char out[20]); /* card >= TRAFFIC_CARDS: one that is not ours */

#endif
