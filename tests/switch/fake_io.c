/* fake_io.c - see fake_io.h. */
#include "tests/switch/fake_io.h"

#include <stdlib.h>
#include <string.h>

static struct io_event *push(struct fake_io *fake, uint64_t token, enum io_kind kind,
                             int32_t result)
{
    must(fake->events_count < FAKE_EVENTS_MAX);
    struct io_event *event = &fake->events[fake->events_count++];
    *event = (struct io_event){.token = token, .kind = kind, .result = result};
    return event;
}

static struct fake_socket *open_socket(struct fake_io *fake, uint64_t token, int32_t *number)
{
    must(fake->sockets_count < FAKE_SOCKETS_MAX);
    *number = fake->sockets_count++;
    struct fake_socket *socket = &fake->sockets[*number];
    *socket = (struct fake_socket){.is_open = true, .token = token};
    return socket;
}

static struct fake_socket *socket_of(struct fake_io *fake, int32_t number)
{
    must(number >= 0 && number < fake->sockets_count);
    must(fake->sockets[number].is_open);
    return &fake->sockets[number];
}

static enum io_err op_listen(struct io *io, uint64_t token, const struct io_address *address,
                             io_socket *out)
{
    struct fake_io *fake = (struct fake_io *)io;
    (void)address;
    if (fake->listen_err != IO_OK) {
        return fake->listen_err;
    }
    open_socket(fake, token, out)->is_listener = true;
    return IO_OK;
}

static enum io_err op_connect(struct io *io, uint64_t token, const struct io_address *address,
                              int64_t timeout_ns, io_socket *out)
{
    struct fake_io *fake = (struct fake_io *)io;
    (void)address;
    (void)timeout_ns;
    (void)open_socket(fake, token, out);
    fake->last_connect = *out;
    fake->connects_count++;
    push(fake, token, IO_CONNECT, fake->refuse_connects ? -IO_ERR_REFUSED : 0);
    return IO_OK;
}

static void op_receive(struct io *io, uint64_t token, io_socket number)
{
    struct fake_socket *socket = socket_of((struct fake_io *)io, number);
    socket->token = token;
    socket->is_receiving = true;
}

static void op_receive_pause(struct io *io, io_socket number)
{
    socket_of((struct fake_io *)io, number)->is_receiving = false;
}

static void op_send(struct io *io, uint64_t token, io_socket number, const uint8_t *data,
                    uint32_t size)
{
    struct fake_io *fake = (struct fake_io *)io;
    struct fake_socket *socket = socket_of(fake, number);
    must(!socket->is_sending && !socket->is_shut && size > 0);
    socket->sends_count++;
    if (socket->sent == NULL) {
        socket->sent = malloc(FAKE_SENT_BYTES);
    }
    must(socket->sent != NULL && socket->sent_size + size <= FAKE_SENT_BYTES);
    memcpy(socket->sent + socket->sent_size, data, size);
    socket->sent_size += size;
    socket->is_sending = true;
    if (!socket->is_stuck) {
        push(fake, token, IO_SEND, (int32_t)size);
    }
}

static void op_shutdown(struct io *io, io_socket number)
{
    socket_of((struct fake_io *)io, number)->is_shut = true;
}

static void op_close(struct io *io, uint64_t token, io_socket number)
{
    struct fake_io *fake = (struct fake_io *)io;
    struct fake_socket *socket = socket_of(fake, number);
    must(!socket->is_closed);
    socket->is_closed = true;
    push(fake, token, IO_CLOSED, 0)->socket = number;
}

static void op_write(struct io *io, uint64_t token, io_file file, const uint8_t *data,
                     uint32_t size, uint64_t offset)
{
    (void)io, (void)token, (void)file, (void)data, (void)size, (void)offset;
    must(!"a worker writes no files");
}

static void op_watch(struct io *io, uint64_t token, int eventfd)
{
    (void)io, (void)token, (void)eventfd;
}

static uint32_t op_wait(struct io *io, int64_t deadline_ns, struct io_event *events,
                        uint32_t events_max)
{
    struct fake_io *fake = (struct fake_io *)io;
    (void)deadline_ns;
    uint32_t count = fake->events_count < events_max ? fake->events_count : events_max;
    memcpy(events, fake->events, count * sizeof *events);
    memmove(fake->events, fake->events + count, (fake->events_count - count) * sizeof *events);
    fake->events_count -= count;
    for (uint32_t i = 0; i < count; i++) {
        struct fake_socket *socket =
            events[i].kind == IO_CLOSED ? &fake->sockets[events[i].socket] : NULL;
        if (socket != NULL) {
            socket->is_open = false;
        }
        for (int32_t s = 0; events[i].kind == IO_SEND && s < fake->sockets_count; s++) {
            if (fake->sockets[s].token == events[i].token) {
                fake->sockets[s].is_sending = false;
            }
        }
    }
    return count;
}

static void op_wake(struct io *io)
{
    (void)io;
}

static void op_destroy(struct io *io)
{
    fake_io_destroy((struct fake_io *)io);
}

struct fake_io *fake_io_create(void)
{
    static const struct io_ops ops = {.listen = op_listen,
                                      .connect = op_connect,
                                      .receive = op_receive,
                                      .receive_pause = op_receive_pause,
                                      .send = op_send,
                                      .shutdown = op_shutdown,
                                      .close = op_close,
                                      .write = op_write,
                                      .watch = op_watch,
                                      .wait = op_wait,
                                      .wake = op_wake,
                                      .destroy = op_destroy};
    struct fake_io *fake = calloc(1, sizeof *fake);
    must(fake != NULL);
    fake->io.ops = &ops;
    fake->last_connect = -1;
    return fake;
}

void fake_io_destroy(struct fake_io *fake)
{
    for (int32_t i = 0; i < fake->sockets_count; i++) {
        free(fake->sockets[i].sent);
    }
    for (uint32_t i = 0; i < FAKE_EVENTS_MAX; i++) {
        free(fake->received[i]);
    }
    free(fake);
}

int32_t fake_arrive(struct fake_io *fake, int32_t listener)
{
    int32_t number;
    uint64_t token = socket_of(fake, listener)->token;
    (void)open_socket(fake, 0, &number);
    struct io_event *event = push(fake, token, IO_ACCEPT, 0);
    event->socket = number;
    memcpy(event->peer.text, "192.0.2.1:1024", 15);
    return number;
}

void fake_receive(struct fake_io *fake, int32_t number, const void *data, uint32_t size)
{
    struct fake_socket *socket = socket_of(fake, number);
    must(socket->is_receiving);
    static uint32_t next; /* copies live long enough: none is used again within 8,192 */
    uint8_t **copy = &fake->received[next++ % FAKE_EVENTS_MAX];
    free(*copy);
    *copy = malloc(size == 0 ? 1 : size); /* exact size: a read beyond it is found */
    must(*copy != NULL);
    memcpy(*copy, data, size);
    push(fake, socket->token, IO_RECEIVE, (int32_t)size)->data = *copy;
}

void fake_end(struct fake_io *fake, int32_t number)
{
    push(fake, socket_of(fake, number)->token, IO_RECEIVE, 0);
}

uint32_t fake_take(struct fake_io *fake, int32_t number, uint8_t *out, uint32_t out_size)
{
    struct fake_socket *socket = &fake->sockets[number];
    uint32_t size = socket->sent_size - socket->taken;
    size = size < out_size ? size : out_size;
    if (size > 0) {
        memcpy(out, socket->sent + socket->taken, size);
        socket->taken += size;
    }
    return size;
}
