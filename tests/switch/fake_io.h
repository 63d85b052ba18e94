/* fake_io.h - the io seam as a few arrays: a test says what arrives and sees what was sent. */
#ifndef TEST_SWITCH_FAKE_IO_H
#define TEST_SWITCH_FAKE_IO_H

#include "base/io.h"

#define FAKE_SOCKETS_MAX 1400
#define FAKE_EVENTS_MAX  8192
#define FAKE_SENT_BYTES  (1u << 20)

struct fake_socket {
    bool is_open, is_listener, is_receiving, is_sending, is_shut, is_closed, is_stuck;
    uint64_t token;
    uint8_t *sent; /* everything that was sent on it */
    uint32_t sent_size, taken;
    uint32_t sends_count;
};

struct fake_io {
    struct io io;
    struct fake_socket sockets[FAKE_SOCKETS_MAX];
    int32_t sockets_count;
    struct io_event events[FAKE_EVENTS_MAX];
    uint8_t *received[FAKE_EVENTS_MAX]; /* copies that the events point at */
    uint32_t events_count;
    int32_t last_connect; /* the socket of the newest connect, -1 = none */
    uint32_t connects_count;
    bool refuse_connects;
    enum io_err listen_err;
};

struct fake_io *fake_io_create(void);
void fake_io_destroy(struct fake_io *io);
/* A connection to the listener; its socket. The worker sees it at its next turn. */
int32_t fake_arrive(struct fake_io *io, int32_t listener);
void fake_receive(struct fake_io *io, int32_t socket, const void *data, uint32_t size);
void fake_end(struct fake_io *io, int32_t socket); /* the peer sends no more */
/* Bytes sent on a socket and not yet taken by the test. */
uint32_t fake_take(struct fake_io *io, int32_t socket, uint8_t *out, uint32_t out_size);

#endif
