/* wire.c - framed connections on one io_uring; see wire.h.
 *
 * user_data = {operation 8 | link or what 56}. */
#include "bench/wire.h"

#include "base/io.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SQ_ENTRIES    4096u
#define CQ_ENTRIES    16384u
#define BUFFERS_COUNT 1024u
#define BUFFER_BYTES  16384u
#define BUFFER_GROUP  1
#define PREFIX        2u

enum operation { OP_RECEIVE = 1, OP_SEND, OP_CALLER };

static struct io_uring_sqe *take_sqe(struct wire *wire, enum operation operation, uint64_t what)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&wire->ring);
    if (sqe == NULL) {
        (void)io_uring_submit(&wire->ring);
        sqe = io_uring_get_sqe(&wire->ring);
    }
    must(sqe != NULL);
    sqe->user_data = (uint64_t)operation << 56 | what; /* the prep functions leave it alone */
    return sqe;
}

struct io_uring_sqe *wire_submission(struct wire *wire, uint64_t what)
{
    return take_sqe(wire, OP_CALLER, what);
}

static void arm_receive(struct wire *wire, struct wire_link *link)
{
    struct io_uring_sqe *sqe = take_sqe(wire, OP_RECEIVE, link->index);
    io_uring_prep_recv_multishot(sqe, link->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
}

static void close_link(struct wire *wire, struct wire_link *link)
{
    if (link->is_closed) {
        return;
    }
    link->is_closed = true;
    wire->links_open--;
    (void)shutdown(link->fd, SHUT_RDWR);
    if (wire->on_close != NULL) {
        wire->on_close(wire, link);
    }
}

/* ---- sending ------------------------------------------------------------------------------- */

uint8_t *wire_put(struct wire *wire, struct wire_link *link, uint32_t size)
{
    if (link->is_closed || link->filled + size + PREFIX > wire->send_bytes) {
        return NULL;
    }
    uint8_t *at = link->send[link->filling] + link->filled;
    store_be16(at, (uint16_t)size);
    link->filled += size + PREFIX;
    if (!link->is_dirty) {
        link->is_dirty = true;
        wire->dirty[wire->dirty_count++] = link->index;
    }
    return at + PREFIX;
}

static void submit_send(struct wire *wire, struct wire_link *link)
{
    struct io_uring_sqe *sqe = take_sqe(wire, OP_SEND, link->index);
    io_uring_prep_send(sqe, link->fd, link->send[link->filling ^ 1] + link->sent,
                       link->sending - link->sent, MSG_NOSIGNAL | MSG_WAITALL);
}

static void flush(struct wire *wire)
{
    for (uint32_t i = 0; i < wire->dirty_count; i++) {
        struct wire_link *link = &wire->links[wire->dirty[i]];
        link->is_dirty = false;
        if (link->sending != 0 || link->filled == 0 || link->is_closed) {
            continue; /* goes out when the send in flight is done */
        }
        link->filling ^= 1;
        link->sending = link->filled;
        link->filled = 0;
        link->sent = 0;
        submit_send(wire, link);
    }
    wire->dirty_count = 0;
}

static void send_done(struct wire *wire, struct wire_link *link, int32_t result)
{
    if (result <= 0) {
        link->sending = 0;
        close_link(wire, link);
        return;
    }
    link->sent += (uint32_t)result;
    if (link->sent < link->sending) {
        submit_send(wire, link);
        return;
    }
    link->sending = 0;
    if (link->filled != 0 && !link->is_dirty) {
        link->is_dirty = true;
        wire->dirty[wire->dirty_count++] = link->index;
    }
}

/* ---- receiving ----------------------------------------------------------------------------- */

/* Shows the whole frames at the front of data; returns what they took; UINT32_MAX: not frames. */
static uint32_t show_frames(struct wire *wire, struct wire_link *link, const uint8_t *data,
                            uint32_t size)
{
    uint32_t done = 0;
    while (size - done >= PREFIX) {
        uint32_t message_size = load_be16(data + done);
        if (message_size > WIRE_FRAME_MAX) {
            return UINT32_MAX;
        }
        if (size - done < PREFIX + message_size) {
            break;
        }
        if (message_size != 0) {
            wire->on_frame(wire, link, data + done + PREFIX, message_size);
        }
        done += PREFIX + message_size;
    }
    return done;
}

/* Completes the frame that the link carries; returns how much of data that took. */
static uint32_t complete_carry(struct wire *wire, struct wire_link *link, const uint8_t *data,
                               uint32_t size)
{
    uint32_t used = 0;
    while (link->carry_size < PREFIX && used < size) {
        link->carry[link->carry_size++] = data[used++];
    }
    if (link->carry_size < PREFIX) {
        return used;
    }
    uint32_t whole = PREFIX + load_be16(link->carry);
    if (whole > PREFIX + WIRE_FRAME_MAX) {
        close_link(wire, link);
        return size;
    }
    uint32_t missing = whole - link->carry_size;
    uint32_t piece = missing < size - used ? missing : size - used;
    memcpy(link->carry + link->carry_size, data + used, piece);
    link->carry_size += piece;
    if (link->carry_size == whole) {
        link->carry_size = 0;
        if (whole > PREFIX) {
            wire->on_frame(wire, link, link->carry + PREFIX, whole - PREFIX);
        }
    }
    return used + piece;
}

static void received(struct wire *wire, struct wire_link *link, const uint8_t *data, uint32_t size)
{
    if (link->carry_size != 0) {
        uint32_t used = complete_carry(wire, link, data, size);
        data += used;
        size -= used;
        if (link->carry_size != 0 || size == 0) {
            return;
        }
    }
    uint32_t done = show_frames(wire, link, data, size);
    if (done == UINT32_MAX) {
        close_link(wire, link);
        return;
    }
    memcpy(link->carry, data + done, size - done);
    link->carry_size = size - done;
}

static void receive_done(struct wire *wire, const struct io_uring_cqe *cqe)
{
    struct wire_link *link = &wire->links[cqe->user_data & 0xFFFFFFFFu];
    if (cqe->res > 0 && (cqe->flags & IORING_CQE_F_BUFFER) != 0) {
        uint32_t id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        uint8_t *data = wire->buffer_memory + (size_t)id * BUFFER_BYTES;
        if (!link->is_closed) {
            received(wire, link, data, (uint32_t)cqe->res);
        }
        io_uring_buf_ring_add(wire->buffers, data, BUFFER_BYTES, (uint16_t)id,
                              io_uring_buf_ring_mask(BUFFERS_COUNT), 0);
        io_uring_buf_ring_advance(wire->buffers, 1);
    } else if (cqe->res == 0 || (cqe->res < 0 && cqe->res != -ENOBUFS)) {
        close_link(wire, link);
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0 && !link->is_closed) {
        arm_receive(wire, link);
    }
}

/* ---- the turn ------------------------------------------------------------------------------ */

static void take_completions(struct wire *wire)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&wire->ring, head, cqe)
    {
        count++;
        switch ((enum operation)(cqe->user_data >> 56)) {
        case OP_RECEIVE:
            receive_done(wire, cqe);
            break;
        case OP_SEND:
            send_done(wire, &wire->links[cqe->user_data & 0xFFFFFFFFu], cqe->res);
            break;
        case OP_CALLER:
            wire->on_done(wire, cqe->user_data & ((UINT64_C(1) << 56) - 1), cqe->res);
            break;
        }
    }
    io_uring_cq_advance(&wire->ring, count);
}

void wire_turn(struct wire *wire, int64_t timeout_ns)
{
    flush(wire);
    if (timeout_ns == 0) {
        (void)io_uring_submit_and_get_events(&wire->ring);
    } else if (timeout_ns < 0) {
        (void)io_uring_submit_and_wait(&wire->ring, 1);
    } else {
        struct __kernel_timespec timeout = {.tv_sec = timeout_ns / 1000000000,
                                            .tv_nsec = timeout_ns % 1000000000};
        struct io_uring_cqe *cqe;
        (void)io_uring_submit_and_wait_timeout(&wire->ring, &cqe, 1, &timeout, NULL);
    }
    take_completions(wire);
}

/* ---- start and end ------------------------------------------------------------------------- */

static bool open_ring(struct wire *wire, char *text, size_t text_size)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN,
                                     .cq_entries = CQ_ENTRIES};
    int error = io_uring_queue_init_params(SQ_ENTRIES, &wire->ring, &params);
    if (error != 0) {
        (void)snprintf(text, text_size,
                       "io_uring was refused (%s): look at kernel.io_uring_disabled, at the "
                       "container's seccomp profile, and for a kernel of 6.1 or later",
                       strerror(-error));
        return false;
    }
    (void)io_uring_register_ring_fd(&wire->ring);
    size_t ring_bytes = BUFFERS_COUNT * sizeof(struct io_uring_buf);
    wire->buffer_memory = aligned_alloc(4096, (size_t)BUFFERS_COUNT * BUFFER_BYTES);
    wire->buffers = aligned_alloc(4096, ring_bytes);
    must(wire->buffers != NULL && wire->buffer_memory != NULL);
    memset(wire->buffers, 0, ring_bytes);
    struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)wire->buffers,
                                            .ring_entries = BUFFERS_COUNT,
                                            .bgid = BUFFER_GROUP};
    error = io_uring_register_buf_ring(&wire->ring, &registration, 0);
    if (error != 0) {
        (void)snprintf(text, text_size, "io_uring refused a ring of buffers: %s", strerror(-error));
        return false;
    }
    io_uring_buf_ring_init(wire->buffers);
    for (uint32_t i = 0; i < BUFFERS_COUNT; i++) {
        io_uring_buf_ring_add(wire->buffers, wire->buffer_memory + (size_t)i * BUFFER_BYTES,
                              BUFFER_BYTES, (uint16_t)i, io_uring_buf_ring_mask(BUFFERS_COUNT),
                              (int)i);
    }
    io_uring_buf_ring_advance(wire->buffers, BUFFERS_COUNT);
    return true;
}

bool wire_open(struct wire *wire, const int *fds, uint32_t links_count, uint32_t send_bytes,
               char *text, size_t text_size)
{
    if (!open_ring(wire, text, text_size)) {
        return false;
    }
    wire->links = calloc(links_count, sizeof *wire->links);
    wire->dirty = calloc(links_count, sizeof *wire->dirty);
    must(wire->links != NULL && wire->dirty != NULL);
    wire->links_count = wire->links_open = links_count;
    wire->send_bytes = send_bytes;
    for (uint32_t i = 0; i < links_count; i++) {
        struct wire_link *link = &wire->links[i];
        link->fd = fds[i];
        link->index = i;
        link->carry = malloc(PREFIX + WIRE_FRAME_MAX + BUFFER_BYTES);
        link->send[0] = malloc(send_bytes);
        link->send[1] = malloc(send_bytes);
        must(link->carry != NULL && link->send[0] != NULL && link->send[1] != NULL);
        (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        arm_receive(wire, link);
    }
    return true;
}

void wire_close(struct wire *wire)
{
    io_uring_queue_exit(&wire->ring);
    for (uint32_t i = 0; i < wire->links_count; i++) {
        (void)close(wire->links[i].fd);
        free(wire->links[i].carry);
        free(wire->links[i].send[0]);
        free(wire->links[i].send[1]);
    }
    free(wire->links);
    free(wire->dirty);
    free(wire->buffers);
    free(wire->buffer_memory);
}

static bool socket_address(const char *text, struct sockaddr_storage *out, socklen_t *out_size)
{
    struct io_address address;
    if (!io_address_parse(text, &address)) {
        return false;
    }
    *out = (struct sockaddr_storage){0};
    if (address.is_v4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address.port);
        memcpy(&v4->sin_addr, address.ip + 12, 4);
        *out_size = sizeof *v4;
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address.port);
        memcpy(&v6->sin6_addr, address.ip, 16);
        *out_size = sizeof *v6;
    }
    return true;
}

int wire_connect(const char *address, char *text, size_t text_size)
{
    struct sockaddr_storage where;
    socklen_t where_size;
    if (!socket_address(address, &where, &where_size)) {
        (void)snprintf(text, text_size, "%s is no IP:PORT", address);
        return -1;
    }
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&where, where_size) != 0) {
        (void)snprintf(text, text_size, "cannot connect to %s: %s", address, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

int wire_listen(const char *address, uint16_t *port, char *text, size_t text_size)
{
    struct sockaddr_storage where;
    socklen_t where_size;
    if (!socket_address(address, &where, &where_size)) {
        (void)snprintf(text, text_size, "%s is no IP:PORT", address);
        return -1;
    }
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind(fd, (struct sockaddr *)&where, where_size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&where, &where_size) != 0) {
        (void)snprintf(text, text_size, "cannot listen on %s: %s", address, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    *port = ntohs(where.ss_family == AF_INET ? ((struct sockaddr_in *)&where)->sin_port
                                             : ((struct sockaddr_in6 *)&where)->sin6_port);
    return fd;
}
