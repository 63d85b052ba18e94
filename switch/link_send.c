/* link_send.c - see link.h: what goes out, one send per link and turn. */
#include "switch/state.h"

#include "switch/transport.h"

#define REPLY_ROOM_MIN 512u /* less is not worth building for */

uint8_t *link_reserve(struct link *link, size_t *room)
{
    uint32_t prefix = iso_frame_prefix_size(&link->framing);
    uint32_t left = LIMIT_LINK_SEND_BYTES - link->filled;
    if (left < prefix + REPLY_ROOM_MIN) {
        return NULL;
    }
    *room = left - prefix < link->framing.size_max ? left - prefix : link->framing.size_max;
    return link->send[link->filling] + link->filled + prefix;
}

void link_send(struct worker *worker, struct link *link, uint32_t size)
{
    uint8_t prefix[LINK_PREFIX_MAX];
    uint32_t prefix_size = iso_frame_put(&link->framing, size, prefix);
    must(prefix_size != 0 && prefix_size == iso_frame_prefix_size(&link->framing));
    must(link->filled + prefix_size + size <= LIMIT_LINK_SEND_BYTES);
    memcpy(link->send[link->filling] + link->filled, prefix, prefix_size);
    link->filled += prefix_size + size;
    metric_add(worker->options.metrics, METRIC_frames_sent, 1);
    link_mark(worker, link);
}

void link_mark(struct worker *worker, struct link *link)
{
    if (!link->is_dirty) {
        link->is_dirty = true;
        must(worker->dirty_count < worker->links_count);
        worker->dirty[worker->dirty_count++] = link->index;
    }
}

bool link_has_unsent(const struct link *link)
{
    return link->filled != 0 || link->sending != 0;
}

/* What is left of a short send goes first; then what has gathered. */
static void flush(struct worker *worker, struct link *link)
{
    if (link->is_send_out) {
        return;
    }
    if (link->sending == 0) {
        link->filling = (uint8_t)(1 - link->filling);
        link->sending = link->filled;
        link->filled = 0;
    }
    link->is_send_out = true;
    struct io *io = worker->agent.io;
    struct span plain = {link->send[1 - link->filling] + link->sent, link->sending - link->sent};
    struct span bytes = transport_outgoing(link, plain);
    io->ops->send(io, io_token(worker->agent.id, TOKEN_LINK, link->generation, link->index),
                  link->socket, bytes.data, bytes.size);
}

void link_flush_all(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->dirty_count; i++) {
        struct link *link = &worker->links[worker->dirty[i]];
        link->is_dirty = false;
        bool is_there = link->state == LINK_OPEN || link->state == LINK_ENDING;
        if (is_there && link_has_unsent(link)) {
            flush(worker, link);
        }
    }
    worker->dirty_count = 0;
}
