/* traffic.h - the acquirers of the simulation: each says everything that an acquirer may say, and
 * remembers what it said and heard. traffic.c speaks, acquirer.c listens.
 *
 * Two parties number their messages alike, at terminals of the same names, and each says some of
 * the other's messages word for word: only the party tells them apart. */
#ifndef SIM_TRAFFIC_H
#define SIM_TRAFFIC_H

#include "tests/sim/message.h"
#include "tests/sim/tally.h"
#include "tests/sim/world.h"

#define TRAFFIC_MESSAGES_MAX 4096u
#define TRAFFIC_LINKS        2u

/* ---- the acquirer -------------------------------------------------------------------------------
 */

enum traffic_state { TRAFFIC_WAITING, TRAFFIC_ANSWERED, TRAFFIC_LOST /* damaged on purpose */ };

struct traffic_row {
    struct sim_message message, answer;
    enum traffic_state state;
    int32_t repeats; /* index of the message that it repeats, -1 = none */
    bool is_other;   /* its key, but not its content */
    int64_t sent_ns;
};

struct acquirer {
    struct sim_peer peer;
    struct sim_world *world;
    const char *address;
    uint16_t party;
    const struct acquirer *other;
    struct tally *tally; /* of the answers */
    struct sim_socket *sockets[TRAFFIC_LINKS];
    struct traffic_row rows[TRAFFIC_MESSAGES_MAX];
    uint32_t rows_count;
    struct sim_stream streams[TRAFFIC_LINKS];
    uint32_t completed; /* index + 1 of a message that an advice was about; 0 = none yet */
    uint32_t stan, answers_count, busy_count, compared_count;
    char fault[256]; /* something that must never be seen on the wire; "" = nothing */
};
/* `acquirer` is zeroed memory; `index` of host_acquirers. */
void acquirer_create(struct acquirer *acquirer, struct sim_world *world, uint32_t index,
                     const struct acquirer *other, struct tally *tally);
/* Says one thing: new, repeated, reversed, completed, refunded, malformed. */
void acquirer_speak(struct acquirer *acquirer);
/* More at once than a link's window of 256: what is too much is answered 91 BUSY. */
void acquirer_burst(struct acquirer *acquirer);
/* Messages without an answer are said again, as they were: after a crash, and at the end. */
uint32_t acquirer_repeat_unanswered(struct acquirer *acquirer);
uint32_t acquirer_waiting(const struct acquirer *acquirer);
/* The answers to a message and to its repeats are one decision (contract section 6), or its
 * original was reversed meanwhile. Counts; sets `fault`. */
void acquirer_compare_repeats(struct acquirer *acquirer);
/* Listening (acquirer.c): the peer's functions. */
void acquirer_listen(struct acquirer *acquirer);

/* The PANs of the cards that exist: accounts are "card/0" …; then those of schemes; then what no
 * card of anybody's is. */
#define TRAFFIC_CARDS         10u
#define TRAFFIC_FOREIGN_CARDS 4u
enum traffic_card {
    TRAFFIC_NO_ROUTE = 100, /* a BIN of nobody */
    TRAFFIC_DENIED_BIN,
    TRAFFIC_NO_CARD, /* our BIN */
    TRAFFIC_CARDS_END
};
void traffic_pan(uint32_t card, char out[20]);

#endif
