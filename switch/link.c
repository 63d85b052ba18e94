/* link.c - see link.h: the life of a connection and what it receives. */
#include "switch/state.h"

#include "base/secret.h"
#include "switch/transport.h"

#include <stdio.h>
#include <string.h>

static void place(struct worker *worker, uint32_t listener, io_socket socket,
                  const struct io_address *peer);
static void link_received(struct worker *worker, struct link *link, const struct io_event *event);
static void link_closed(struct worker *worker, struct link *link);

void link_event(struct worker *worker, const struct io_event *event)
{
    uint32_t index = io_token_index(event->token);
    if (io_token_kind(event->token) == TOKEN_LISTENER) {
        if (event->kind == IO_ACCEPT && event->result >= 0) {
            place(worker, index, event->socket, &event->peer);
        } else if (event->kind == IO_ACCEPT) {
            log_event(LOG_WARN, "link.accept_failed", log_text("why", io_err_text(event->result)));
        }
        return;
    }
    if (io_token_kind(event->token) != TOKEN_LINK) {
        return; /* the end of a connection that was refused */
    }
    must(index < worker->links_count);
    struct link *link = &worker->links[index];
    if (link->state == LINK_FREE || link->generation != io_token_generation(event->token)) {
        return;
    }
    switch (event->kind) {
    case IO_CONNECT:
        dial_connected(worker, link, event->result);
        break;
    case IO_RECEIVE:
        link_received(worker, link, event);
        break;
    case IO_SEND:
        link_sent(worker, link, event->result);
        break;
    case IO_CLOSED:
        link_closed(worker, link);
        break;
    case IO_ACCEPT:
    case IO_WRITE:
    case IO_WATCH:
        must(false && "an event that no link asked for");
    }
}

/* ---- what comes in ------------------------------------------------------------------------------
 */

/* One look at the front of the stream. False: the link is no longer for reading. */
static bool take_frame(struct worker *worker, struct link *link, struct span stream,
                       uint32_t *consumed, uint32_t *need)
{
    struct iso_frame frame;
    *consumed = 0;
    *need = 0;
    switch (iso_frame_next(&link->framing, stream, &frame)) {
    case ISO_FRAME_WHOLE:
        *consumed = frame.consumed;
        if (frame.message.size != 0 && !frame.session_control) {
            screen_frame(worker, link, frame.message);
        }
        break;
    case ISO_FRAME_NEED_MORE:
        *need = frame.need;
        must(*need > stream.size && *need <= LINK_CARRY_BYTES);
        break;
    case ISO_FRAME_BAD:
        metric_add(worker->options.metrics, METRIC_frames_malformed, 1);
        link_close(worker, link, iso_err_name(frame.err));
        break;
    }
    return link->state == LINK_OPEN || link->state == LINK_ENDING;
}

/* Bytes of a frame that came in pieces gather in the carry buffer. */
static void read_stream(struct worker *worker, struct link *link, struct span stream)
{
    uint32_t consumed, need;
    while (stream.size > 0 && link->carry_size == 0) {
        if (!take_frame(worker, link, stream, &consumed, &need)) {
            return;
        }
        if (need != 0) {
            memcpy(link->carry, stream.data, stream.size);
            link->carry_size = stream.size;
            return;
        }
        stream.data += consumed;
        stream.size -= consumed;
    }
}

static void link_received(struct worker *worker, struct link *link, const struct io_event *event)
{
    if (link->state != LINK_OPEN && link->state != LINK_ENDING) {
        return;
    }
    if (event->result < 0) {
        link_close(worker, link, io_err_text(event->result));
        return;
    }
    if (event->result == 0) {
        if (link_is_dialled(link)) {
            link_close(worker, link, "closed by the peer");
        } else {
            link_end(worker, link);
        }
        return;
    }
    struct span stream =
        transport_received(link, (struct span){event->data, (uint32_t)event->result});
    while (link->carry_size > 0 && stream.size > 0) {
        struct iso_frame frame;
        struct span carried = {link->carry, link->carry_size};
        enum iso_frame_result result = iso_frame_next(&link->framing, carried, &frame);
        must(result == ISO_FRAME_NEED_MORE); /* else it would not have been carried */
        uint32_t missing = frame.need - link->carry_size;
        uint32_t more = stream.size < missing ? stream.size : missing;
        memcpy(link->carry + link->carry_size, stream.data, more);
        link->carry_size += more;
        stream.data += more;
        stream.size -= more;
        uint32_t consumed, need;
        carried.size = link->carry_size;
        if (!take_frame(worker, link, carried, &consumed, &need)) {
            return;
        }
        if (need == 0) {
            must(consumed == link->carry_size);
            secret_wipe(link->carry, link->carry_size);
            link->carry_size = 0;
        }
    }
    read_stream(worker, link, stream);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

size_t link_bytes(uint32_t links)
{
    return (size_t)links * (LINK_CARRY_BYTES + 2 * LIMIT_LINK_SEND_BYTES);
}

void link_pool_create(struct worker *worker)
{
    worker->links_free = LINK_NONE;
    for (uint32_t i = worker->links_count; i-- > 0;) {
        struct link *link = &worker->links[i];
        link->index = i;
        link->generation = 1;
        link->next_free = worker->links_free;
        worker->links_free = i;
    }
}

bool link_is_dialled(const struct link *link)
{
    return link->endpoint != ENDPOINT_NONE;
}

struct link *link_find(struct worker *worker, uint32_t index, uint16_t generation)
{
    if (index >= worker->links_count) {
        return NULL;
    }
    struct link *link = &worker->links[index];
    bool is_there =
        link->generation == generation && (link->state == LINK_OPEN || link->state == LINK_ENDING);
    return is_there ? link : NULL;
}

struct link *link_take(struct worker *worker)
{
    if (worker->links_free == LINK_NONE) {
        return NULL;
    }
    struct link *link = &worker->links[worker->links_free];
    worker->links_free = link->next_free;
    link->state = LINK_DIALLING;
    link->endpoint = ENDPOINT_NONE;
    link->in_flight = 0;
    link->carry_size = 0;
    link->filled = link->sending = link->sent = 0;
    link->is_send_out = false;
    return link;
}

bool link_listen(struct worker *worker)
{
    const struct worker_options *options = &worker->options;
    struct io *io = worker->agent.io;
    for (uint32_t i = 0; i < options->listeners_count; i++) {
        const struct io_address *address = &options->listeners[i].address;
        enum io_err err = io->ops->listen(io, io_token(worker->agent.id, TOKEN_LISTENER, 0, i),
                                          address, &worker->listeners[i]);
        if (err != IO_OK) {
            (void)snprintf(worker->refusal, sizeof worker->refusal, "listener %s: %s",
                           address->text, io_err_text(-(int32_t)err));
            link_listen_stop(worker);
            return false;
        }
        worker->listeners_open_count = i + 1;
    }
    return true;
}

void link_listen_stop(struct worker *worker)
{
    struct io *io = worker->agent.io;
    for (uint32_t i = 0; i < worker->listeners_open_count; i++) {
        io->ops->close(io, io_token(worker->agent.id, TOKEN_LISTENER, 0, i), worker->listeners[i]);
    }
    worker->listeners_open_count = 0;
}

/* Worker 0 accepts for all; each in its turn gets one. */
static void place(struct worker *worker, uint32_t listener, io_socket socket,
                  const struct io_address *peer)
{
    uint16_t owner = (uint16_t)(worker->placed_count++ % worker->options.workers_count);
    if (owner == worker->options.index) {
        link_accepted(worker, listener, socket, peer);
        return;
    }
    struct io *io = worker->agent.io;
    io->ops->release(io, socket);
    if (!mesh_accepted(worker, owner, listener, socket, peer)) {
        io->ops->adopt(io, socket);
        link_accepted(worker, listener, socket, peer);
    }
}

void link_accepted(struct worker *worker, uint32_t listener, io_socket socket,
                   const struct io_address *peer)
{
    must(listener < worker->options.listeners_count);
    struct io *io = worker->agent.io;
    struct link *link = NULL;
    if (worker->links_accepted_count < worker->options.links_max &&
        atomic_load_explicit(&worker->state, memory_order_relaxed) == WORKER_SERVING) {
        link = link_take(worker);
    }
    if (link == NULL) {
        io->ops->close(io, io_token(worker->agent.id, TOKEN_NOBODY, 0, 0), socket);
        WORKER_TELL(worker, TELL_REFUSED, LOG_WARN, "link.refused", log_text("peer", peer->text),
                    log_number("links", worker->links_accepted_count));
        return;
    }
    const struct worker_listener *from = &worker->options.listeners[listener];
    const struct worker_party *party = &worker->options.parties[from->party];
    link->socket = socket;
    link->party = from->party;
    link->dialect = from->dialect;
    link->framing = from->framing;
    link->window = party->window;
    link->peer = *peer;
    worker->links_accepted_count++;
    link_opened(worker, link);
    WORKER_TELL(worker, TELL_LINK, LOG_INFO, "link.accepted", log_text("party", party->name),
                log_text("peer", peer->text), log_number("links", worker->links_accepted_count));
}

static uint64_t link_token(const struct worker *worker, const struct link *link)
{
    return io_token(worker->agent.id, TOKEN_LINK, link->generation, link->index);
}

void link_opened(struct worker *worker, struct link *link)
{
    link->state = LINK_OPEN;
    metric_add(worker->options.metrics, METRIC_links_open, 1);
    struct io *io = worker->agent.io;
    io->ops->receive(io, link_token(worker, link), link->socket);
}

void link_close(struct worker *worker, struct link *link, const char *why)
{
    if (link->state == LINK_FREE || link->state == LINK_CLOSING) {
        return;
    }
    if (link->state != LINK_DIALLING) {
        metric_add(worker->options.metrics, METRIC_links_open, -1);
        WORKER_TELL(worker, TELL_LINK, link_is_dialled(link) ? LOG_WARN : LOG_INFO, "link.closed",
                    log_text("party", worker->options.parties[link->party].name),
                    log_text("peer", link->peer.text), log_text("why", why),
                    log_number("in_flight", link->in_flight));
    }
    link->state = LINK_CLOSING;
    struct io *io = worker->agent.io;
    io->ops->close(io, link_token(worker, link), link->socket);
    if (link_is_dialled(link)) {
        dial_lost(worker, link->endpoint);
    }
}

static void link_closed(struct worker *worker, struct link *link)
{
    must(link->state == LINK_CLOSING);
    link_forget(worker, link);
}

void link_forget(struct worker *worker, struct link *link)
{
    if (link_is_dialled(link)) {
        worker->links_dialled_count--;
    } else {
        worker->links_accepted_count--;
    }
    secret_wipe(link->carry, link->carry_size);
    secret_wipe(link->send[link->filling], link->filled);
    secret_wipe(link->send[1 - link->filling], link->sending);
    link->state = LINK_FREE;
    link->generation++;
    link->next_free = worker->links_free;
    worker->links_free = link->index;
}

static void close_when_done(struct worker *worker, struct link *link)
{
    if (link->state == LINK_ENDING && link->in_flight == 0 && !link_has_unsent(link)) {
        struct io *io = worker->agent.io;
        io->ops->shutdown(io, link->socket);
        link_close(worker, link, "all answered");
    }
}

void link_end(struct worker *worker, struct link *link)
{
    if (link->state == LINK_OPEN) {
        link->state = LINK_ENDING;
        close_when_done(worker, link);
    }
}

void link_settle(struct worker *worker, struct link *link)
{
    must(link->in_flight > 0);
    link->in_flight--;
    close_when_done(worker, link);
}

/* ---- what has gone out (link_send.c fills the buffers)
 * --------------------------------------------- */

void link_sent(struct worker *worker, struct link *link, int32_t result)
{
    if (link->state == LINK_CLOSING) {
        return; /* the buffer is wiped when the connection is gone */
    }
    if (result <= 0) {
        link_close(worker, link, io_err_text(result));
        return;
    }
    must((uint32_t)result <= link->sending - link->sent);
    link->is_send_out = false;
    link->sent += (uint32_t)result;
    if (link->sent == link->sending) {
        secret_wipe(link->send[1 - link->filling], link->sending);
        link->sending = link->sent = 0;
    }
    if (link_has_unsent(link)) {
        link_mark(worker, link);
    } else {
        close_when_done(worker, link);
    }
}
