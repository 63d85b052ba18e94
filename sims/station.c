/* station.c - see station.h. */
#include "sims/station.h"

#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARRY_BYTES (LIMIT_FRAME_BYTES_MAX + 4u)

enum kind { KIND_LISTENER, KIND_LINK };

static uint64_t link_token(const struct station_link *link)
{
    return io_token(0, KIND_LINK, link->generation, link->index);
}

bool station_listen(struct station *station, const char *address, char *text, size_t text_size)
{
    struct io_address where;
    if (!io_address_parse(address, &where)) {
        (void)snprintf(text, text_size, "%s is no IP:PORT", address);
        return false;
    }
    station->io = io_uring_create(text, text_size);
    if (station->io == NULL) {
        return false;
    }
    station->events = calloc(LIMIT_IO_EVENTS_MAX, sizeof *station->events);
    must(station->events != NULL && iso_framing_by_name("binary2", &station->framing));
    enum io_err err = station->io->ops->listen(station->io, io_token(0, KIND_LISTENER, 0, 0),
                                               &where, &station->listener);
    if (err != IO_OK) {
        (void)snprintf(text, text_size, "cannot listen on %s: %s", address,
                       io_err_text(-(int32_t)err));
        return false;
    }
    return true;
}

/* ---- sending ------------------------------------------------------------------------------- */

bool station_send(struct station *station, struct station_link *link, struct span message)
{
    uint8_t prefix[4];
    uint32_t prefix_size = iso_frame_put(&station->framing, message.size, prefix);
    if (!link->is_open || link->is_closing || prefix_size == 0) {
        return false;
    }
    if (link->filled + prefix_size + message.size > STATION_SEND_BYTES) {
        station_disconnect(station, link);
        return false;
    }
    uint8_t *at = link->send[link->filling] + link->filled;
    memcpy(at, prefix, prefix_size);
    memcpy(at + prefix_size, message.data, message.size);
    link->filled += prefix_size + message.size;
    return true;
}

static void send_rest(struct station *station, struct station_link *link)
{
    station->io->ops->send(station->io, link_token(link), link->socket,
                           link->send[link->filling ^ 1] + link->sent, link->sending - link->sent);
}

static void flush(struct station *station, struct station_link *link)
{
    if (!link->is_open || link->is_closing || link->sending != 0 || link->filled == 0) {
        return;
    }
    link->filling ^= 1;
    link->sending = link->filled;
    link->filled = link->sent = 0;
    send_rest(station, link);
}

static void sent(struct station *station, struct station_link *link, int32_t result)
{
    if (result < 0) {
        link->sending = 0;
        station_disconnect(station, link);
        return;
    }
    link->sent += (uint32_t)result;
    if (link->sent < link->sending && !link->is_closing) {
        send_rest(station, link);
        return;
    }
    link->sending = 0;
}

void station_disconnect(struct station *station, struct station_link *link)
{
    if (link->is_open && !link->is_closing) {
        link->is_closing = true;
        station->io->ops->close(station->io, link_token(link), link->socket);
    }
}

/* ---- receiving ----------------------------------------------------------------------------- */

static void accepted(struct station *station, io_socket socket)
{
    for (uint32_t i = 0; i < STATION_LINKS_MAX; i++) {
        struct station_link *link = &station->links[i];
        if (link->is_open) {
            continue;
        }
        if (link->carry == NULL) {
            link->carry = malloc(CARRY_BYTES);
            link->send[0] = malloc(STATION_SEND_BYTES);
            link->send[1] = malloc(STATION_SEND_BYTES);
            must(link->carry != NULL && link->send[0] != NULL && link->send[1] != NULL);
        }
        link->generation++;
        link->index = i;
        link->socket = socket;
        link->is_open = true;
        link->is_closing = false;
        link->carry_size = link->filled = link->sending = 0;
        station->links_open++;
        station->io->ops->receive(station->io, link_token(link), socket);
        return;
    }
    station->io->ops->close(station->io, io_token(0, KIND_LISTENER, 1, 0), socket);
}

/* Shows what is whole at the front of stream; returns how much that was, UINT32_MAX: no frames. */
static uint32_t show(struct station *station, struct station_link *link, struct span stream)
{
    uint32_t done = 0;
    for (;;) {
        struct iso_frame frame;
        struct span rest = {stream.data + done, stream.size - done};
        if (rest.size == 0 || link->is_closing) {
            return done;
        }
        switch (iso_frame_next(&station->framing, rest, &frame)) {
        case ISO_FRAME_WHOLE:
            if (frame.message.size != 0) {
                station->on_message(station, link, frame.message);
            }
            done += frame.consumed;
            break;
        case ISO_FRAME_NEED_MORE:
            return done;
        case ISO_FRAME_BAD:
            return UINT32_MAX;
        }
    }
}

static void received(struct station *station, struct station_link *link, const uint8_t *data,
                     uint32_t size)
{
    while (size > 0 && !link->is_closing) {
        uint32_t piece = size;
        uint32_t done;
        if (link->carry_size == 0) {
            done = show(station, link, (struct span){data, size});
        } else { /* a piece more may complete the frame that is carried */
            uint32_t room = CARRY_BYTES - link->carry_size;
            piece = size < room ? size : room;
            memcpy(link->carry + link->carry_size, data, piece);
            link->carry_size += piece;
            done = show(station, link, (struct span){link->carry, link->carry_size});
        }
        if (done == UINT32_MAX) {
            station_disconnect(station, link);
            return;
        }
        if (link->carry_size != 0) {
            link->carry_size -= done;
            memmove(link->carry, link->carry + done, link->carry_size);
        } else {
            link->carry_size = size - done;
            memcpy(link->carry, data + done, link->carry_size);
        }
        data += piece;
        size -= piece;
    }
}

static void take(struct station *station, const struct io_event *event)
{
    if (io_token_kind(event->token) == KIND_LISTENER) {
        if (event->kind == IO_ACCEPT && event->result >= 0) {
            accepted(station, event->socket);
        }
        return;
    }
    struct station_link *link = &station->links[io_token_index(event->token)];
    if (!link->is_open || link->generation != io_token_generation(event->token)) {
        return;
    }
    if (event->kind == IO_CLOSED) {
        link->is_open = false;
        station->links_open--;
    } else if (event->kind == IO_SEND) {
        sent(station, link, event->result);
    } else if (event->kind == IO_RECEIVE && event->result > 0) {
        received(station, link, event->data, (uint32_t)event->result);
    } else if (event->kind == IO_RECEIVE) {
        station_disconnect(station, link);
    }
}

void station_turn(struct station *station, int64_t deadline_ns)
{
    for (uint32_t i = 0, seen = 0; i < STATION_LINKS_MAX && seen < station->links_open; i++) {
        seen += station->links[i].is_open;
        flush(station, &station->links[i]);
    }
    uint32_t count =
        station->io->ops->wait(station->io, deadline_ns, station->events, LIMIT_IO_EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        take(station, &station->events[i]);
    }
}
