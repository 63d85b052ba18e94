/* wire.h - many framed connections on one io_uring, as bare as it gets: the load's client and the
 * echo's server are both a few callbacks on this.
 *
 * DESIGN  Multishot receives from one ring of provided buffers; a frame that is whole in its buffer
 * is shown where it lies; one send in flight per link while the next gathers; everything of a turn
 * is flushed at its end. One thread owns a wire. Frames: a 2-byte big-endian length, then the
 * message.
 *
 * Bounds: WIRE_LINKS_MAX links, WIRE_FRAME_MAX bytes a frame, send_bytes a link and direction. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "base/bytes.h"
#include <liburing.h>

#define WIRE_LINKS_MAX 4096u
#define WIRE_FRAME_MAX 8192u

struct wire_link {
    int fd;
    bool is_dirty, is_closed;
    uint32_t index;
    uint32_t carry_size; /* of a frame that is not whole yet */
    uint32_t filled;     /* bytes gathering in send[filling] */
    uint32_t sending;    /* bytes in flight in the other one; 0 = none */
    uint32_t sent;
    uint8_t filling;
    uint8_t *carry;
    uint8_t *send[2];
};

struct wire {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *buffer_memory;
    uint32_t buffers_count;
    struct wire_link *links;
    uint32_t links_count, links_open;
    uint32_t send_bytes;
    uint32_t *dirty;
    uint32_t dirty_count;
    void *context;
    void (*on_frame)(struct wire *wire, struct wire_link *link, const uint8_t *message,
                     uint32_t size);
    void (*on_close)(struct wire *wire, struct wire_link *link);       /* may be NULL */
    void (*on_done)(struct wire *wire, uint64_t what, int32_t result); /* of wire_submission() */
};

/* links_count sockets in fds, connected, non-blocking or not; send_bytes holds everything that can
 * gather on a link. False: `text` says why. */
NODISCARD bool wire_open(struct wire *wire, const int *fds, uint32_t links_count,
                         uint32_t send_bytes, char *text, size_t text_size);
/* Room for one message of `size` bytes on the link, its length already written; NULL: full. */
NODISCARD uint8_t *wire_put(struct wire *wire, struct wire_link *link, uint32_t size);
/* Sends what gathered, waits at most timeout_ns (0: does not wait; -1: for ever), calls back. */
void wire_turn(struct wire *wire, int64_t timeout_ns);
/* An operation of the caller's own: its completion goes to on_done(what). */
struct io_uring_sqe *wire_submission(struct wire *wire, uint64_t what);
void wire_close(struct wire *wire);

/* Blocking, at start. -1: `text` says why. */
NODISCARD int wire_connect(const char *address, char *text, size_t text_size);
NODISCARD int wire_listen(const char *address, uint16_t *port, char *text, size_t text_size);

#endif
