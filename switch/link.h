/* link.h - a connection: bytes to frames, answers and requests to bytes, from open to closed.
 *
 * DESIGN  One send is in flight per link; what is said meanwhile gathers in the other of two
 * buffers and goes out in one piece at the end of a turn. Received bytes are read where they lie;
 * only a frame that is not whole yet is carried over. Under each link is a transport (transport.h).
 *
 *     accepted:  OPEN → ENDING (the peer sends no more: what is in flight is answered) → CLOSING
 *     dialled:   DIALLING → OPEN → CLOSING → (dial.c waits, and dials again)
 *
 * A link is never paused: beyond its window a request is answered BUSY. A peer that does not read
 * its answers fills both buffers and is closed.
 *
 * Runs on the worker that owns it; bounds: links_max, LIMIT_LINK_SEND_BYTES, LIMIT_FRAME_BYTES_MAX.
 */
#ifndef SWITCH_LINK_H
#define SWITCH_LINK_H

#include "base/io.h"
#include "iso8583/dialect.h"
#include "iso8583/frame.h"

struct worker;

enum link_state { LINK_FREE, LINK_DIALLING, LINK_OPEN, LINK_ENDING, LINK_CLOSING };

#define LINK_NONE        UINT32_MAX
#define LINK_PREFIX_MAX  4u /* bytes of a frame's length */
#define LINK_CARRY_BYTES (LIMIT_FRAME_BYTES_MAX + LINK_PREFIX_MAX)
#define ENDPOINT_NONE    UINT16_MAX

struct link {
    uint32_t index;
    uint16_t generation;
    uint8_t state;    /* enum link_state */
    bool is_dirty;    /* in the worker's list of links with something to flush */
    bool is_send_out; /* the io holds the other buffer */
    io_socket socket;
    uint16_t party;
    uint16_t endpoint; /* of a dialled link; ENDPOINT_NONE when accepted */
    const struct iso_dialect *dialect;
    struct iso_framing framing;
    uint32_t window;
    uint32_t in_flight; /* its requests that wait for our answer */
    uint32_t carry_size;
    uint8_t *carry;   /* LINK_CARRY_BYTES */
    uint8_t *send[2]; /* LIMIT_LINK_SEND_BYTES each */
    uint32_t filled;  /* bytes in send[filling] */
    uint32_t sending; /* bytes in the other one */
    uint32_t sent;    /* of those, already gone */
    uint8_t filling;
    uint32_t next_free;
    struct io_address peer;
};

size_t link_bytes(uint32_t links);
void link_pool_create(struct worker *worker);
bool link_is_dialled(const struct link *link);
/* NULL: gone, or another connection has its place. */
struct link *link_find(struct worker *worker, uint32_t index, uint16_t generation);

/* Opens the listeners; false: worker->refusal says why. */
NODISCARD bool link_listen(struct worker *worker);
void link_listen_stop(struct worker *worker);
/* A connection that somebody opened to listener `listener`. */
void link_accepted(struct worker *worker, uint32_t listener, io_socket socket,
                   const struct io_address *peer);
NODISCARD struct link *link_take(struct worker *worker); /* LINK_DIALLING; NULL when all are used */
void link_forget(struct worker *worker, struct link *link); /* one that has no socket */
void link_opened(struct worker *worker, struct link *link); /* starts receiving */
/* An event of the io that belongs to a link or listener. */
void link_event(struct worker *worker, const struct io_event *event);
/* The peer is told no more; why: a constant for the log. */
void link_close(struct worker *worker, struct link *link, const char *why);
/* No more requests are taken; closes when nothing is in flight. */
void link_end(struct worker *worker, struct link *link);
/* One of its requests has been answered, or never will be. */
void link_settle(struct worker *worker, struct link *link);

/* ---- sending (link_send.c) --------------------------------------------------------------------
 */

/* Room for one message: write it there, then link_send(). NULL: the peer does not read. */
NODISCARD uint8_t *link_reserve(struct link *link, size_t *room);
void link_send(struct worker *worker, struct link *link, uint32_t size);
void link_mark(struct worker *worker, struct link *link);
void link_flush_all(struct worker *worker); /* at the end of a turn */
void link_sent(struct worker *worker, struct link *link, int32_t result);
bool link_has_unsent(const struct link *link);

#endif
