/* station.h - framed connections of a simulator, on base/io.h: one thread, callbacks.
 *
 * DESIGN  A station listens, or dials; each connection has two send buffers, one in flight while
 * the other gathers, flushed at the end of a turn. A connection that cannot take a message is
 * closed. Bounds: STATION_LINKS_MAX connections, STATION_SEND_BYTES each. */
#ifndef SIMS_STATION_H
#define SIMS_STATION_H

#include "base/io.h"
#include "iso8583/frame.h"

#define STATION_LINKS_MAX  1024u
#define STATION_SEND_BYTES (512u * 1024u)

struct station_link {
    bool is_open, is_closing, is_dirty;
    uint16_t generation; /* of the place: another connection has another */
    io_socket socket;
    uint32_t index;
    uint32_t carry_size, filled, sending, sent;
    uint8_t filling;
    uint8_t *carry, *send[2];
};

struct station {
    struct io *io;
    struct iso_framing framing;
    struct station_link links[STATION_LINKS_MAX];
    uint32_t links_open;
    struct io_event *events;
    io_socket listener;
    void *context;
    void (*on_message)(struct station *station, struct station_link *link, struct span message);
};

/* False: `text` says why. */
NODISCARD bool station_listen(struct station *station, const char *address, char *text,
                              size_t text_size);
/* Copies the message behind its length. False: the link is gone or full. */
bool station_send(struct station *station, struct station_link *link, struct span message);
void station_disconnect(struct station *station, struct station_link *link);
/* Sends what gathered, waits until deadline_ns (boot time) at most, calls back. */
void station_turn(struct station *station, int64_t deadline_ns);

#endif
