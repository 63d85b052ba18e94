/* world.c - see world.h. Test code: it allocates freely, and frees all at the end. */
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

uint64_t sim_next(struct sim_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t sim_below(struct sim_random *random, uint64_t bound)
{
    return bound == 0 ? 0 : sim_next(random) % bound;
}

bool sim_percent(struct sim_random *random, uint32_t percent)
{
    return sim_below(random, 100) < percent;
}

/* ---- time ------------------------------------------------------------------------------------ */

struct happening {
    int64_t at_ns;
    uint64_t order; /* first come, first served within one nanosecond */
    void (*run)(void *context);
    void *context;
};

struct listener {
    char address[64];
    struct sim_peer *peer; /* or: */
    struct sim_io *io;
    uint64_t token;
    struct listener *next;
};

struct sim_world {
    struct sim_random random;
    struct sim_faults faults;
    int64_t now_ns, wall_step_ns;
    uint64_t order;
    struct happening *heap;
    uint32_t heap_count, heap_size;
    struct listener *listeners;
    struct sim_socket *sockets; /* every one, until the world ends */
    struct sim_io *ios;         /* likewise */
};

#define START_NS (INT64_C(1795230000) * NS_PER_S) /* 2026-11-21 03:00 UTC */

struct sim_world *sim_world_create(uint64_t seed, const struct sim_faults *faults)
{
    struct sim_world *world = calloc(1, sizeof *world);
    must(world != NULL);
    world->random.state = seed * UINT64_C(0x2545F4914F6CDD1D) + 1;
    world->faults = *faults;
    world->now_ns = NS_PER_S;
    return world;
}

struct sim_random *sim_world_random(struct sim_world *world)
{
    return &world->random;
}

int64_t sim_world_now_ns(const struct sim_world *world)
{
    return world->now_ns;
}

static int64_t boot_ns(void *context)
{
    return ((struct sim_world *)context)->now_ns;
}

static int64_t wall_ns(void *context)
{
    const struct sim_world *world = context;
    return START_NS + world->now_ns + world->wall_step_ns;
}

void sim_world_step_clock(struct sim_world *world, int64_t by_ns)
{
    world->wall_step_ns += by_ns;
}

struct clock_source sim_world_clock(struct sim_world *world)
{
    return (struct clock_source){.boot_ns = boot_ns, .wall_ns = wall_ns, .context = world};
}

static bool earlier(const struct happening *a, const struct happening *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void sim_at(struct sim_world *world, int64_t delay_ns, void (*run)(void *context), void *context)
{
    if (world->heap_count == world->heap_size) {
        world->heap_size = world->heap_size == 0 ? 256 : world->heap_size * 2;
        world->heap = realloc(world->heap, world->heap_size * sizeof *world->heap);
        must(world->heap != NULL);
    }
    struct happening new = {world->now_ns + delay_ns, world->order++, run, context};
    uint32_t at = world->heap_count++;
    for (; at > 0 && earlier(&new, &world->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        world->heap[at] = world->heap[(at - 1) / 2];
    }
    world->heap[at] = new;
}

static struct happening take_first(struct sim_world *world)
{
    struct happening first = world->heap[0];
    struct happening last = world->heap[--world->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= world->heap_count) {
            break;
        }
        if (child + 1 < world->heap_count &&
            earlier(&world->heap[child + 1], &world->heap[child])) {
            child++;
        }
        if (!earlier(&world->heap[child], &last)) {
            break;
        }
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = last;
    return first;
}

bool sim_step(struct sim_world *world, int64_t until_ns)
{
    if (world->heap_count == 0 || world->heap[0].at_ns > until_ns) {
        if (until_ns != INT64_MAX && until_ns > world->now_ns) {
            world->now_ns = until_ns;
        }
        return false;
    }
    struct happening first = take_first(world);
    world->now_ns = first.at_ns;
    first.run(first.context);
    return true;
}

/* ---- sockets --------------------------------------------------------------------------------- */

#define SIM_SOCKETS_MAX 4096
#define SIM_EVENTS_MAX  8192

struct sim_socket {
    struct sim_world *world;
    struct sim_socket *other; /* NULL = gone */
    struct sim_peer *peer;    /* a counterparty's end, or: */
    struct sim_io *io;        /* the switch's end */
    io_socket number;         /* within io */
    uint64_t token;           /* of receive, or of connect until connected */
    bool is_open, is_receiving, sent_end, is_closing;
    int64_t last_arrival_ns; /* order within the direction towards this end */
    uint8_t *waiting;        /* arrived, not taken: receiving is paused */
    uint32_t waiting_size;
    bool waiting_end;
    struct sim_socket *next; /* all of the world */
};

struct sim_write {
    uint64_t token;
    bool is_used;
};

struct sim_io {
    struct io io;
    struct sim_world *world;
    struct sim_disk_writer *writer;
    struct sim_socket *sockets[SIM_SOCKETS_MAX];
    struct io_event events[SIM_EVENTS_MAX]; /* ready to be taken */
    uint8_t *owned[SIM_EVENTS_MAX];         /* data of RECEIVE events */
    uint32_t events_count;
    uint8_t *taken[LIMIT_IO_EVENTS_MAX]; /* freed by the next wait */
    uint32_t taken_count;
    struct sim_write writes[64];
    bool is_dead;
    struct sim_io *next;
};

static void push_event(struct sim_io *io, struct io_event event, uint8_t *owned)
{
    must(io->events_count < SIM_EVENTS_MAX);
    io->events[io->events_count] = event;
    io->owned[io->events_count++] = owned;
}

static struct sim_socket *new_socket(struct sim_world *world)
{
    struct sim_socket *socket = calloc(1, sizeof *socket);
    must(socket != NULL);
    socket->world = world;
    socket->next = world->sockets;
    world->sockets = socket;
    return socket;
}

static io_socket add_to_io(struct sim_io *io, struct sim_socket *socket)
{
    for (io_socket i = 0; i < SIM_SOCKETS_MAX; i++) {
        if (io->sockets[i] == NULL) {
            io->sockets[i] = socket;
            socket->io = io;
            socket->number = i;
            return i;
        }
    }
    must(!"too many simulated sockets");
    return -1;
}

/* What has arrived at the switch's end goes on when it is receiving. */
static void deliver_waiting(struct sim_socket *socket)
{
    if (!socket->is_receiving || socket->io == NULL || socket->is_closing) {
        return;
    }
    if (socket->waiting_size > 0) {
        struct io_event event = {.token = socket->token,
                                 .kind = IO_RECEIVE,
                                 .result = (int32_t)socket->waiting_size,
                                 .socket = socket->number,
                                 .data = socket->waiting};
        push_event(socket->io, event, socket->waiting);
        socket->waiting = NULL;
        socket->waiting_size = 0;
    }
    if (socket->waiting_end) {
        socket->waiting_end = false;
        socket->is_receiving = false;
        push_event(
            socket->io,
            (struct io_event){.token = socket->token, .kind = IO_RECEIVE, .socket = socket->number},
            NULL);
    }
}

struct packet {
    struct sim_socket *to;
    uint32_t size; /* 0 = end of stream */
    uint8_t data[];
};

static void cut(struct sim_socket *socket);

static void packet_arrives(void *context)
{
    struct packet *packet = context;
    struct sim_socket *to = packet->to;
    struct sim_world *world = to->world;
    if (!to->is_open) {
        free(packet);
        return;
    }
    if (packet->size > 0 && sim_below(&world->random, 1000) < world->faults.disconnect_permille) {
        free(packet);
        cut(to);
        return;
    }
    if (to->peer != NULL) {
        if (packet->size > 0) {
            to->peer->received(to->peer, to, packet->data, packet->size);
        } else {
            cut(to); /* simulated counterparties answer an end of stream by closing */
        }
    } else if (packet->size > 0) {
        to->waiting = realloc(to->waiting, to->waiting_size + packet->size);
        must(to->waiting != NULL);
        memcpy(to->waiting + to->waiting_size, packet->data, packet->size);
        to->waiting_size += packet->size;
        deliver_waiting(to);
    } else {
        to->waiting_end = true;
        deliver_waiting(to);
    }
    free(packet);
}

static int64_t arrival_delay(struct sim_socket *to)
{
    struct sim_world *world = to->world;
    const struct sim_faults *faults = &world->faults;
    int64_t spread = faults->latency_max_ns - faults->latency_min_ns;
    int64_t at = world->now_ns + faults->latency_min_ns +
                 (int64_t)sim_below(&world->random, (uint64_t)spread + 1);
    if (at < to->last_arrival_ns) {
        at = to->last_arrival_ns;
    }
    to->last_arrival_ns = at;
    return at - world->now_ns;
}

static void transmit(struct sim_socket *from, const uint8_t *data, uint32_t size)
{
    struct sim_socket *to = from->other;
    if (to == NULL || !to->is_open) {
        return;
    }
    do {
        uint32_t piece = size;
        if (size > 1 && sim_percent(&from->world->random, from->world->faults.split_percent)) {
            piece = 1 + (uint32_t)sim_below(&from->world->random, size - 1);
        }
        struct packet *packet = malloc(sizeof *packet + piece);
        must(packet != NULL);
        packet->to = to;
        packet->size = piece;
        if (piece > 0) {
            memcpy(packet->data, data, piece);
            data += piece;
        }
        size -= piece;
        sim_at(from->world, arrival_delay(to), packet_arrives, packet);
    } while (size > 0);
}

static void notice_closed(void *context)
{
    struct sim_socket *socket = context;
    if (!socket->is_open) {
        return;
    }
    socket->is_open = false;
    if (socket->peer != NULL) {
        socket->peer->closed(socket->peer, socket);
    } else if (socket->io != NULL && socket->is_receiving && !socket->is_closing) {
        socket->is_receiving = false;
        push_event(socket->io,
                   (struct io_event){.token = socket->token,
                                     .kind = IO_RECEIVE,
                                     .result = -IO_ERR_REFUSED,
                                     .socket = socket->number},
                   NULL);
    } else {
        socket->waiting_end = true;
    }
}

/* Both ends learn it: this one now, the other a little later. */
static void cut(struct sim_socket *socket)
{
    struct sim_socket *other = socket->other;
    if (other != NULL && other->is_open) {
        sim_at(socket->world, arrival_delay(other), notice_closed, other);
    }
    notice_closed(socket);
}

/* ---- the switch's end: struct io ------------------------------------------------------------- */

static struct listener *find_listener(struct sim_world *world, const char *address)
{
    for (struct listener *l = world->listeners; l != NULL; l = l->next) {
        if (strcmp(l->address, address) == 0 && (l->io != NULL || l->peer != NULL)) {
            return l;
        }
    }
    return NULL;
}

static struct listener *add_listener(struct sim_world *world, const char *address)
{
    struct listener *listener = calloc(1, sizeof *listener);
    must(listener != NULL && strlen(address) < sizeof listener->address);
    memcpy(listener->address, address, strlen(address) + 1);
    listener->next = world->listeners;
    world->listeners = listener;
    return listener;
}

static enum io_err op_listen(struct io *base, uint64_t token, const struct io_address *address,
                             io_socket *out)
{
    struct sim_io *io = (struct sim_io *)base;
    if (find_listener(io->world, address->text) != NULL) {
        return IO_ERR_IN_USE;
    }
    struct listener *listener = add_listener(io->world, address->text);
    listener->io = io;
    listener->token = token;
    struct sim_socket *socket = new_socket(io->world);
    *out = add_to_io(io, socket);
    socket->token = token;
    return IO_OK;
}

static void connected(void *context)
{
    struct sim_socket *socket = context;
    struct sim_socket *other = socket->other;
    if (socket->io == NULL || socket->is_closing) {
        return;
    }
    if (other == NULL) {
        push_event(socket->io,
                   (struct io_event){.token = socket->token,
                                     .kind = IO_CONNECT,
                                     .result = -IO_ERR_REFUSED,
                                     .socket = socket->number},
                   NULL);
        return;
    }
    socket->is_open = other->is_open = true;
    push_event(
        socket->io,
        (struct io_event){.token = socket->token, .kind = IO_CONNECT, .socket = socket->number},
        NULL);
    other->peer->opened(other->peer, other);
}

static enum io_err op_connect(struct io *base, uint64_t token, const struct io_address *address,
                              int64_t timeout_ns, io_socket *out)
{
    struct sim_io *io = (struct sim_io *)base;
    (void)timeout_ns;
    struct sim_socket *socket = new_socket(io->world);
    socket->token = token;
    *out = add_to_io(io, socket);
    struct listener *listener = find_listener(io->world, address->text);
    if (listener != NULL && listener->peer != NULL) {
        struct sim_socket *other = new_socket(io->world);
        other->peer = listener->peer;
        socket->other = other;
        other->other = socket;
    }
    sim_at(io->world, arrival_delay(socket), connected, socket);
    return IO_OK;
}

static struct sim_socket *get(struct io *base, io_socket number)
{
    struct sim_io *io = (struct sim_io *)base;
    must(number >= 0 && number < SIM_SOCKETS_MAX && io->sockets[number] != NULL);
    return io->sockets[number];
}

static void op_receive(struct io *base, uint64_t token, io_socket number)
{
    struct sim_socket *socket = get(base, number);
    socket->token = token;
    socket->is_receiving = true;
    deliver_waiting(socket);
}

static void op_receive_pause(struct io *base, io_socket number)
{
    get(base, number)->is_receiving = false;
}

struct sent {
    struct sim_io *io;
    struct sim_socket *socket;
    uint64_t token;
    int32_t result;
};

static void send_done(void *context)
{
    struct sent *sent = context;
    if (sent->socket->io != NULL && !sent->socket->is_closing) {
        int32_t result = sent->socket->is_open ? sent->result : -IO_ERR_REFUSED;
        push_event(sent->io,
                   (struct io_event){.token = sent->token,
                                     .kind = IO_SEND,
                                     .result = result,
                                     .socket = sent->socket->number},
                   NULL);
    }
    free(sent);
}

static void op_send(struct io *base, uint64_t token, io_socket number, const uint8_t *data,
                    uint32_t size)
{
    struct sim_socket *socket = get(base, number);
    transmit(socket, data, size);
    struct sent *sent = malloc(sizeof *sent);
    must(sent != NULL);
    *sent = (struct sent){(struct sim_io *)base, socket, token, (int32_t)size};
    sim_at(socket->world, (int64_t)sim_below(&socket->world->random, 50 * NS_PER_US), send_done,
           sent);
}

static void op_shutdown(struct io *base, io_socket number)
{
    struct sim_socket *socket = get(base, number);
    if (!socket->sent_end) {
        socket->sent_end = true;
        if (socket->other != NULL && socket->other->is_open) {
            transmit(socket, NULL, 0);
        }
    }
}

/* Every worker has the one thread's io: what is handed over stays where it is. */
static void op_release(struct io *base, io_socket number)
{
    must(!get(base, number)->is_receiving);
}

static void op_adopt(struct io *base, io_socket number)
{
    must(!get(base, number)->is_receiving);
}

struct closing {
    struct sim_io *io;
    struct sim_socket *socket;
    uint64_t token;
};

static void close_done(void *context)
{
    struct closing *closing = context;
    if (closing->socket->io != NULL) {
        closing->io->sockets[closing->socket->number] = NULL;
        closing->socket->io = NULL;
        push_event(closing->io,
                   (struct io_event){.token = closing->token,
                                     .kind = IO_CLOSED,
                                     .socket = closing->socket->number},
                   NULL);
    }
    free(closing);
}

static void op_close(struct io *base, uint64_t token, io_socket number)
{
    struct sim_socket *socket = get(base, number);
    struct sim_io *io = (struct sim_io *)base;
    for (struct listener *l = io->world->listeners; l != NULL; l = l->next) {
        if (l->io == io && l->token == socket->token && !socket->is_open) {
            l->io = NULL;
        }
    }
    socket->is_closing = true;
    for (uint32_t i = 0; i < io->events_count; i++) { /* no event of it but the last */
        if (io->events[i].socket == number && io->events[i].kind != IO_WRITE) {
            free(io->owned[i]);
            memmove(io->events + i, io->events + i + 1,
                    (io->events_count - i - 1) * sizeof *io->events);
            memmove(io->owned + i, io->owned + i + 1,
                    (io->events_count - i - 1) * sizeof *io->owned);
            io->events_count--;
            i--;
        }
    }
    if (socket->is_open && socket->other != NULL && socket->other->is_open) {
        sim_at(socket->world, arrival_delay(socket->other), notice_closed, socket->other);
    }
    socket->is_open = false;
    struct closing *closing = malloc(sizeof *closing);
    must(closing != NULL);
    *closing = (struct closing){io, socket, token};
    sim_at(socket->world, 1000, close_done, closing);
}

static void op_write(struct io *base, uint64_t token, io_file file, const uint8_t *data,
                     uint32_t size, uint64_t offset)
{
    struct sim_io *io = (struct sim_io *)base;
    for (uint64_t i = 0; i < countof(io->writes); i++) {
        if (!io->writes[i].is_used) {
            io->writes[i] = (struct sim_write){.token = token, .is_used = true};
            io->writer->write(io->writer, file, data, size, offset, i);
            return;
        }
    }
    must(!"too many writes in flight");
}

void sim_io_written(struct io *base, uint64_t ticket, int32_t result)
{
    struct sim_io *io = (struct sim_io *)base;
    must(ticket < countof(io->writes) && io->writes[ticket].is_used);
    io->writes[ticket].is_used = false;
    push_event(
        io,
        (struct io_event){
            .token = io->writes[ticket].token, .kind = IO_WRITE, .result = result, .socket = -1},
        NULL);
}

/* Simulated time does not pass here: the world's owner steps it between the rounds of the thread.
 */
static uint32_t op_wait(struct io *base, int64_t deadline_ns, struct io_event *events,
                        uint32_t events_max)
{
    struct sim_io *io = (struct sim_io *)base;
    (void)deadline_ns;
    for (uint32_t i = 0; i < io->taken_count; i++) {
        free(io->taken[i]);
    }
    io->taken_count = 0;
    uint32_t count = io->events_count < events_max ? io->events_count : events_max;
    if (count > LIMIT_IO_EVENTS_MAX) {
        count = LIMIT_IO_EVENTS_MAX;
    }
    memcpy(events, io->events, count * sizeof *events);
    for (uint32_t i = 0; i < count; i++) {
        if (io->owned[i] != NULL) {
            io->taken[io->taken_count++] = io->owned[i];
        }
    }
    io->events_count -= count;
    memmove(io->events, io->events + count, io->events_count * sizeof *io->events);
    memmove(io->owned, io->owned + count, io->events_count * sizeof *io->owned);
    return count;
}

static void op_wake(struct io *base)
{
    (void)base; /* every agent gets its turn anyway */
}

/* A crash: every connection is cut, nothing of it is heard of again. The struct stays until the
 * world ends, because things still on their way point to it. */
static void op_destroy(struct io *base)
{
    struct sim_io *io = (struct sim_io *)base;
    for (uint32_t i = 0; i < SIM_SOCKETS_MAX; i++) {
        struct sim_socket *socket = io->sockets[i];
        if (socket != NULL) {
            if (socket->other != NULL && socket->other->is_open) {
                sim_at(io->world, arrival_delay(socket->other), notice_closed, socket->other);
            }
            socket->is_open = false;
            socket->is_closing = true;
            socket->io = NULL;
        }
    }
    for (struct listener *l = io->world->listeners; l != NULL; l = l->next) {
        if (l->io == io) {
            l->io = NULL;
        }
    }
    for (uint32_t i = 0; i < io->taken_count; i++) {
        free(io->taken[i]);
    }
    for (uint32_t i = 0; i < io->events_count; i++) {
        free(io->owned[i]);
    }
    io->taken_count = io->events_count = 0;
    io->is_dead = true;
}

static const struct io_ops ops = {
    .listen = op_listen,
    .connect = op_connect,
    .receive = op_receive,
    .receive_pause = op_receive_pause,
    .send = op_send,
    .shutdown = op_shutdown,
    .release = op_release,
    .adopt = op_adopt,
    .close = op_close,
    .write = op_write,
    .wait = op_wait,
    .wake = op_wake,
    .destroy = op_destroy,
};

struct io *sim_io_create(struct sim_world *world, struct sim_disk_writer *writer)
{
    struct sim_io *io = calloc(1, sizeof *io);
    must(io != NULL);
    io->io.ops = &ops;
    io->world = world;
    io->writer = writer;
    io->next = world->ios;
    world->ios = io;
    return &io->io;
}

/* ---- counterparties -------------------------------------------------------------------------- */

void sim_peer_listen(struct sim_world *world, const char *address, struct sim_peer *peer)
{
    must(find_listener(world, address) == NULL);
    add_listener(world, address)->peer = peer;
}

void sim_peer_unlisten(struct sim_world *world, const char *address)
{
    struct listener *listener = find_listener(world, address);
    must(listener != NULL && listener->peer != NULL);
    listener->peer = NULL;
}

static void accepted(void *context)
{
    struct sim_socket *mine = context;
    struct sim_socket *theirs = mine->other;
    struct sim_io *io = theirs->io;
    if (io == NULL || io->is_dead) {
        mine->is_open = true; /* so that closed() is heard */
        notice_closed(mine);
        return;
    }
    mine->is_open = theirs->is_open = true;
    struct io_event event = {.token = theirs->token, .kind = IO_ACCEPT, .socket = theirs->number};
    must(io_address_parse("127.0.0.1:1", &event.peer));
    push_event(io, event, NULL);
    mine->peer->opened(mine->peer, mine);
}

struct sim_socket *sim_peer_connect(struct sim_world *world, const char *address,
                                    struct sim_peer *peer)
{
    struct listener *listener = find_listener(world, address);
    if (listener == NULL || listener->io == NULL || listener->io->is_dead) {
        return NULL;
    }
    struct sim_socket *mine = new_socket(world);
    struct sim_socket *theirs = new_socket(world);
    mine->peer = peer;
    mine->other = theirs;
    theirs->other = mine;
    theirs->token = listener->token;
    (void)add_to_io(listener->io, theirs);
    sim_at(world, arrival_delay(theirs), accepted, mine);
    return mine;
}

void sim_peer_send(struct sim_socket *socket, const uint8_t *data, uint32_t size)
{
    if (socket->is_open && size > 0) {
        transmit(socket, data, size);
    }
}

void sim_peer_close(struct sim_socket *socket)
{
    if (socket->is_open) {
        cut(socket);
    }
}

void sim_world_destroy(struct sim_world *world)
{
    while (world->heap_count > 0) { /* frees what is on its way, without running it at the switch */
        struct happening first = take_first(world);
        if (first.run == packet_arrives || first.run == send_done || first.run == close_done) {
            free(first.context);
        }
    }
    while (world->sockets != NULL) {
        struct sim_socket *socket = world->sockets;
        world->sockets = socket->next;
        free(socket->waiting);
        free(socket);
    }
    while (world->listeners != NULL) {
        struct listener *listener = world->listeners;
        world->listeners = listener->next;
        free(listener);
    }
    while (world->ios != NULL) {
        struct sim_io *io = world->ios;
        world->ios = io->next;
        free(io);
    }
    free(world->heap);
    free(world);
}
