/* scheme.h - the demo schemes of the simulation: they answer as the contract's demo schemes do, and
 * lose, repeat and delay answers and hang up by chance. They remember what they heard: what a
 * scheme says it was told is the other end of every promise. */
#ifndef SIM_SCHEME_H
#define SIM_SCHEME_H

#include "tests/sim/message.h"
#include "tests/sim/world.h"

#define SCHEME_ROWS_MAX 8192u
#define SCHEME_CONNECTIONS_MAX                                                                     \
    64u /* at one time: old ones that are still being cut, and the new                             \
         */

struct scheme_row { /* one message of ours as a scheme heard it */
    char mti[5];
    char stan[7], de7[11], rrn[13], de90[43];
    int64_t amount_minor;
    int64_t heard_ns;
    bool answered; /* in time, as far as the scheme knows */
    bool approved;
};

struct scheme_connection {
    struct sim_socket *socket; /* NULL = free */
    struct sim_stream stream;
};

struct scheme {
    struct sim_peer peer;
    struct sim_world *world;
    const char *address;
    struct scheme_connection connections[SCHEME_CONNECTIONS_MAX];
    struct scheme_row *rows; /* SCHEME_ROWS_MAX */
    uint32_t rows_count;
    uint32_t drop_percent, duplicate_percent; /* of the answers */
    uint32_t hang_up_permille;                /* of the messages heard */
    bool is_calm;                             /* no more chance: everything is answered */
    const char *fault;                        /* something that must never be heard */
};
void scheme_create(struct scheme *scheme, struct sim_world *world, const char *address);
void scheme_destroy(struct scheme *scheme);

/* It hangs up and refuses connections, until it returns. */
void scheme_leave(struct scheme *scheme);
void scheme_return(struct scheme *scheme);

/* The request (01xx, 02xx) of this identity, or NULL; *count: how often it was said. */
const struct scheme_row *scheme_find_request(const struct scheme *scheme, uint32_t stan,
                                             uint64_t de7, uint32_t *count);
/* A reversal whose DE90 names the request of this identity, or NULL. */
const struct scheme_row *scheme_find_reversal(const struct scheme *scheme, uint32_t stan,
                                              uint64_t de7);

#endif
