/* io.h - the seam between the core and the kernel: sockets, durable file writes, wake-ups.
 *
 * Two implementations: base/io_uring.c (a thread's io_uring) and tests/sim/io_sim.c (simulated
 * network and disk under one seed). Nothing is decided in a completion: io_wait() fills an array of
 * events which the thread hands to its agents; they only note them and act in their turn.
 *
 * TOKENS  The caller's 64 bits, returned in each event: {agent 8 | kind 8 | generation 16 | index
 * 32}. A stale completion is recognised by its generation.
 *
 * OWNERSHIP  Bytes given to io_send()/io_write() stay the io's until the event of that operation.
 * Received data is valid until the next io_wait() of the same io.
 *
 * One send in flight per socket (must()). Receiving is continuous after io_receive() until end of
 * stream, error, or io_receive_pause(); what was on its way before a pause may still come. A
 * shutdown waits for the send in flight. io_close() ends with exactly one IO_CLOSED event, after
 * which no event of that socket comes; a send in flight is cut off, has no event of its own, and
 * its bytes are the io's until IO_CLOSED. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/base.h"
#include "base/limits.h"

enum io_err { /* results are >= 0, or one of these negated; the text is io_err_text() */
              IO_OK = 0,
              IO_ERR_REFUSED, /* connection refused, or reset */
              IO_ERR_TIMEOUT, /* connect took too long */
              IO_ERR_UNREACHABLE,
              IO_ERR_IN_USE,    /* address in use */
              IO_ERR_DENIED,    /* permission */
              IO_ERR_CANCELLED, /* by io_close() */
              IO_ERR_NO_SPACE,  /* disk full, or a file-size limit */
              IO_ERR_DISK,      /* EIO: latch it, rule 10 of the ledger */
              IO_ERR_LIMIT,     /* descriptors or memory of the kernel */
              IO_ERR_OTHER,
};
const char *io_err_text(int32_t result);

enum io_kind { IO_ACCEPT, IO_CONNECT, IO_RECEIVE, IO_SEND, IO_CLOSED, IO_WRITE, IO_WATCH };

struct io_address { /* numeric IPv4 or IPv6 and port; filled by io_address_parse() */
    char text[64];  /* "127.0.0.1:8583", for people */
    uint8_t ip[16]; /* IPv4 mapped into ::ffff:0:0/96 */
    uint16_t port;
    bool is_v4;
};
NODISCARD bool io_address_parse(const char *text,
                                struct io_address *address); /* "IP:PORT", "[v6]:PORT" */

typedef int32_t io_socket; /* >= 0; the descriptor of the real implementation */
typedef int32_t io_file;

struct io_event {
    uint64_t token;
    enum io_kind kind;
    int32_t result;   /* RECEIVE: bytes, 0 = end of stream; SEND, WRITE: bytes; or -enum io_err */
    io_socket socket; /* ACCEPT: the new socket */
    const uint8_t *data;    /* RECEIVE */
    struct io_address peer; /* ACCEPT */
};

struct io;
struct io_ops {
    enum io_err (*listen)(struct io *, uint64_t token, const struct io_address *, io_socket *out);
    enum io_err (*connect)(struct io *, uint64_t token, const struct io_address *,
                           int64_t timeout_ns, io_socket *out);
    void (*receive)(struct io *, uint64_t token, io_socket);
    void (*receive_pause)(struct io *, io_socket);
    void (*send)(struct io *, uint64_t token, io_socket, const uint8_t *data, uint32_t size);
    void (*shutdown)(struct io *, io_socket); /* no more sending; what was sent is delivered */
    /* Hand an accepted socket, of which nothing has been asked yet, to the io of another thread:
     * this one forgets it, that one takes it over. */
    void (*release)(struct io *, io_socket);
    void (*adopt)(struct io *, io_socket);
    void (*close)(struct io *, uint64_t token, io_socket);
    /* One durable write: the event comes when the bytes are on the medium. offset, size and data
     * are 4096-aligned. */
    void (*write)(struct io *, uint64_t token, io_file, const uint8_t *data, uint32_t size,
                  uint64_t offset);
    /* An event each time the eventfd of another process becomes readable; the io drains it. */
    void (*watch)(struct io *, uint64_t token, int eventfd);
    /* Flushes, then waits until an event, a wake or deadline_ns (clock boot time; 0 = do not wait).
     * Returns the number of events written. */
    uint32_t (*wait)(struct io *, int64_t deadline_ns, struct io_event *events,
                     uint32_t events_max);
    /* From any thread: makes a wait return. */
    void (*wake)(struct io *);
    void (*destroy)(struct io *);
};
struct io {
    const struct io_ops *ops;
};

static inline uint64_t io_token(uint8_t agent, uint8_t kind, uint16_t generation, uint32_t index)
{
    return (uint64_t)agent << 56 | (uint64_t)kind << 48 | (uint64_t)generation << 32 | index;
}
static inline uint8_t io_token_agent(uint64_t token)
{
    return (uint8_t)(token >> 56);
}
static inline uint8_t io_token_kind(uint64_t token)
{
    return (uint8_t)(token >> 48);
}
static inline uint16_t io_token_generation(uint64_t token)
{
    return (uint16_t)(token >> 32);
}
static inline uint32_t io_token_index(uint64_t token)
{
    return (uint32_t)token;
}

/* The real one. Call from the thread that will use it (the ring is SINGLE_ISSUER). On refusal
 * `text` holds one sentence naming the cause and the cure (seccomp, kernel.io_uring_disabled,
 * kernel). */
NODISCARD struct io *io_uring_create(char *text, size_t text_size);

struct io_options {
    bool write_thread;      /* durable writes by a thread that blocks in pwrite, not by the ring */
    uint32_t buffers_count; /* receive buffers, a power of two; 0 = LIMIT_IO_BUFFERS */
};
NODISCARD struct io *io_uring_create_with(const struct io_options *options, char *text,
                                          size_t text_size);

#endif
