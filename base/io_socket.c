/* io_socket.c - sockets of an io: what is asked of the kernel, and what its completions become.
 *
 * DESIGN  A socket is its descriptor. What it still owes the kernel is counted in in_flight;
 * closing shuts it down, cancels what is pending, and gives the descriptor up when the count is 0,
 * so that no completion ever meets a descriptor's next owner. A multishot operation that ends by
 * itself and is still wanted (no receive buffer, no descriptor for an accept) is listed and armed
 * again at the next wait, when buffers have come back. Runs on the thread of the io;
 * LIMIT_IO_SOCKETS binds it. */
#include "base/uring.h"

#include "base/clock.h"
#include "base/io_err.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define ACCEPT_RETRY_NS (100 * NS_PER_MS)
#define LISTEN_QUEUE    1024

static struct uring_socket *socket_of(struct uring *u, io_socket fd)
{
    must(fd >= 0 && (uint32_t)fd < LIMIT_IO_SOCKETS);
    return &u->sockets[fd];
}

static void set_data(struct io_uring_sqe *sqe, enum uring_operation op, struct uring_socket *s,
                     io_socket fd)
{
    io_uring_sqe_set_data64(sqe, uring_data(op, s->generation, (uint32_t)fd));
    s->in_flight++;
}

/* ---- arming ---------------------------------------------------------------------------------- */

static void arm_accept(struct uring *u, struct uring_socket *s, io_socket fd)
{
    struct io_uring_sqe *sqe = uring_next_sqe(u);
    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    set_data(sqe, OP_ACCEPT, s, fd);
    s->is_armed = true;
}

static void arm_receive(struct uring *u, struct uring_socket *s, io_socket fd)
{
    struct io_uring_sqe *sqe = uring_next_sqe(u);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_BUFFER_GROUP;
    set_data(sqe, OP_RECEIVE, s, fd);
    s->is_armed = true;
}

static void arm_send(struct uring *u, struct uring_socket *s, io_socket fd)
{
    struct io_uring_sqe *sqe = uring_next_sqe(u);
    io_uring_prep_send(sqe, fd, s->send_data + s->send_done, s->send_size - s->send_done,
                       MSG_WAITALL | MSG_NOSIGNAL);
    set_data(sqe, OP_SEND, s, fd);
}

static void arm_later(struct uring *u, struct uring_socket *s, io_socket fd)
{
    if (!s->is_listed) {
        must(u->rearm_count < LIMIT_IO_SOCKETS);
        s->is_listed = true;
        u->rearm[u->rearm_count++] = fd;
    }
}

static bool accepts_too_early(struct uring *u)
{
    if (u->accept_failed) {
        u->accept_failed = false;
        u->accept_again_ns = clock_system.boot_ns(NULL) + ACCEPT_RETRY_NS;
    }
    if (u->accept_again_ns != 0 && clock_system.boot_ns(NULL) >= u->accept_again_ns) {
        u->accept_again_ns = 0;
    }
    return u->accept_again_ns != 0;
}

void uring_rearm(struct uring *u)
{
    if (u->rearm_count == 0) {
        return;
    }
    bool too_early = accepts_too_early(u);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < u->rearm_count; i++) {
        io_socket fd = u->rearm[i];
        struct uring_socket *s = socket_of(u, fd);
        bool is_idle = !s->is_armed && !s->is_closing; /* the descriptor may have a new owner */
        if (is_idle && s->state == SOCKET_LISTENING && too_early) {
            u->rearm[kept++] = fd;
            continue;
        }
        s->is_listed = false;
        if (is_idle && s->state == SOCKET_LISTENING) {
            arm_accept(u, s, fd);
        } else if (is_idle && s->state == SOCKET_OPEN && s->wants_receive) {
            arm_receive(u, s, fd);
        }
    }
    u->rearm_count = kept;
}

/* ---- the operations of io.h -------------------------------------------------------------------
 */

static struct uring_socket *socket_begin(struct uring *u, io_socket fd, enum uring_state state,
                                         uint64_t token)
{
    struct uring_socket *s = socket_of(u, fd);
    must(s->state == SOCKET_FREE && s->in_flight == 0);
    *s = (struct uring_socket){
        .state = state, .generation = s->generation + 1, .token = token, .is_listed = s->is_listed};
    return s;
}

static void no_delay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int new_socket(const struct io_address *address)
{
    int fd = socket(address->is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= (int)LIMIT_IO_SOCKETS) {
        (void)close(fd);
        errno = EMFILE;
        return -1;
    }
    return fd;
}

enum io_err uring_listen(struct io *io, uint64_t token, const struct io_address *address,
                         io_socket *out)
{
    struct uring *u = (struct uring *)io;
    union uring_sockaddr where;
    socklen_t size = uring_sockaddr(address, &where);
    int fd = new_socket(address);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (!address->is_v4 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, &where.any, size) != 0 || listen(fd, LISTEN_QUEUE) != 0) {
        enum io_err err = io_err_of(errno);
        if (fd >= 0) {
            (void)close(fd);
        }
        return err;
    }
    arm_accept(u, socket_begin(u, fd, SOCKET_LISTENING, token), fd);
    *out = fd;
    return IO_OK;
}

enum io_err uring_connect(struct io *io, uint64_t token, const struct io_address *address,
                          int64_t timeout_ns, io_socket *out)
{
    struct uring *u = (struct uring *)io;
    must(timeout_ns > 0);
    int fd = new_socket(address);
    if (fd < 0) {
        return io_err_of(errno);
    }
    no_delay(fd);
    struct uring_socket *s = socket_begin(u, fd, SOCKET_CONNECTING, token);
    socklen_t size = uring_sockaddr(address, &s->where);
    s->connect_timeout.tv_sec = timeout_ns / NS_PER_S;
    s->connect_timeout.tv_nsec = timeout_ns % NS_PER_S;
    if (io_uring_sq_space_left(&u->ring) < 2) {
        (void)io_uring_submit(&u->ring); /* a linked pair must not be torn */
    }
    struct io_uring_sqe *sqe = uring_next_sqe(u);
    io_uring_prep_connect(sqe, fd, &s->where.any, size);
    sqe->flags |= IOSQE_IO_LINK;
    set_data(sqe, OP_CONNECT, s, fd);
    sqe = uring_next_sqe(u);
    io_uring_prep_link_timeout(sqe, &s->connect_timeout, 0);
    set_data(sqe, OP_TIMEOUT, s, fd);
    *out = fd;
    return IO_OK;
}

void uring_receive(struct io *io, uint64_t token, io_socket fd)
{
    struct uring *u = (struct uring *)io;
    struct uring_socket *s = socket_of(u, fd);
    must(s->state == SOCKET_OPEN && !s->is_closing);
    s->token = token;
    s->wants_receive = true;
    if (!s->is_armed) {
        arm_receive(u, s, fd);
    }
}

void uring_receive_pause(struct io *io, io_socket fd)
{
    struct uring *u = (struct uring *)io;
    struct uring_socket *s = socket_of(u, fd);
    s->wants_receive = false;
    if (s->state == SOCKET_OPEN && s->is_armed && !s->is_cancelling && !s->is_closing) {
        s->is_cancelling = true;
        struct io_uring_sqe *sqe = uring_next_sqe(u);
        io_uring_prep_cancel64(sqe, uring_data(OP_RECEIVE, s->generation, (uint32_t)fd), 0);
        set_data(sqe, OP_CANCEL, s, fd);
    }
}

void uring_send(struct io *io, uint64_t token, io_socket fd, const uint8_t *data, uint32_t size)
{
    struct uring *u = (struct uring *)io;
    struct uring_socket *s = socket_of(u, fd);
    must(s->state == SOCKET_OPEN && !s->is_sending && !s->is_closing && !s->shuts_after_send);
    must(size > 0 && size <= INT32_MAX);
    s->is_sending = true;
    s->send_token = token;
    s->send_data = data;
    s->send_size = size;
    s->send_done = 0;
    arm_send(u, s, fd);
}

void uring_shutdown(struct io *io, io_socket fd)
{
    struct uring_socket *s = socket_of((struct uring *)io, fd);
    s->shuts_after_send = true;
    if (!s->is_sending) {
        (void)shutdown(fd, SHUT_WR);
    }
}

void uring_release(struct io *io, io_socket fd)
{
    struct uring_socket *s = socket_of((struct uring *)io, fd);
    must(s->state == SOCKET_OPEN && s->in_flight == 0 && !s->is_closing);
    s->state = SOCKET_FREE;
}

void uring_adopt(struct io *io, io_socket fd)
{
    (void)socket_begin((struct uring *)io, fd, SOCKET_OPEN, 0);
}

/* The descriptor is given up when the kernel owes nothing any more. */
static void end_if_quiet(struct uring *u, struct uring_socket *s, io_socket fd)
{
    if (!s->is_closing || s->in_flight > 0) {
        return;
    }
    s->state = SOCKET_FREE;
    (void)close(fd);
    must(u->ready_count < LIMIT_IO_SOCKETS);
    uring_event(&u->ready[u->ready_count++], s->close_token, IO_CLOSED, 0, fd);
}

void uring_close(struct io *io, uint64_t token, io_socket fd)
{
    struct uring *u = (struct uring *)io;
    struct uring_socket *s = socket_of(u, fd);
    must(s->state != SOCKET_FREE && !s->is_closing);
    s->is_closing = true;
    s->wants_receive = false;
    s->close_token = token;
    if (s->in_flight > 0) { /* close alone would leave a multishot receive pending */
        (void)shutdown(fd, SHUT_RDWR);
        struct io_uring_sqe *sqe = uring_next_sqe(u);
        io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
        set_data(sqe, OP_CANCEL, s, fd);
    }
    end_if_quiet(u, s, fd);
}

/* ---- completions ----------------------------------------------------------------------------- */

static bool accept_completed(struct uring *u, struct uring_socket *listener, int32_t result,
                             struct io_event *event)
{
    if (result < 0) {
        u->accept_failed |= result != -ECANCELED && result != -ECONNABORTED;
        return false;
    }
    if (listener->is_closing || (uint32_t)result >= LIMIT_IO_SOCKETS) {
        (void)close(result);
        return false;
    }
    no_delay(result);
    (void)socket_begin(u, result, SOCKET_OPEN, 0);
    uring_event(event, listener->token, IO_ACCEPT, 0, result);
    uring_peer(result, &event->peer);
    return true;
}

static bool connect_completed(struct uring_socket *s, io_socket fd, int32_t result,
                              struct io_event *event)
{
    s->state = SOCKET_OPEN;
    if (result < 0) { /* only the linked time-out cancels it, or a close that hears no more */
        result = result == -ECANCELED ? -(int32_t)IO_ERR_TIMEOUT : -(int32_t)io_err_of(-result);
    }
    uring_event(event, s->token, IO_CONNECT, result, fd);
    return !s->is_closing;
}

static bool receive_completed(struct uring *u, struct uring_socket *s,
                              const struct io_uring_cqe *cqe, struct io_event *event)
{
    const uint8_t *data = NULL;
    if ((cqe->flags & IORING_CQE_F_BUFFER) != 0) { /* given back at the next wait, whoever closes */
        uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        must(buffer < u->buffers_count && u->taken_count < u->buffers_count);
        u->taken[u->taken_count++] = buffer;
        data = u->buffer_memory + (size_t)buffer * URING_BUFFER_BYTES;
    }
    int32_t result = cqe->res;
    if (result == -ENOBUFS || result == -ECANCELED || result == -EINTR || s->is_closing) {
        return false; /* starved or paused, not dead */
    }
    if (result <= 0) {
        s->wants_receive = false; /* the end: nothing to arm again */
        result = result == 0 ? 0 : -(int32_t)io_err_of(-result);
    }
    uring_event(event, s->token, IO_RECEIVE, result, (io_socket)(uint32_t)cqe->user_data);
    event->data = data;
    return true;
}

static bool send_completed(struct uring *u, struct uring_socket *s, io_socket fd, int32_t result,
                           struct io_event *event)
{
    if (result > 0 || result == -EINTR || result == -EAGAIN) {
        s->send_done += result > 0 ? (uint32_t)result : 0;
        if (s->send_done < s->send_size && !s->is_closing) {
            arm_send(u, s, fd);
            return false;
        }
        result = (int32_t)s->send_size;
    } else {
        result = result == 0 ? -(int32_t)IO_ERR_REFUSED : -(int32_t)io_err_of(-result);
    }
    s->is_sending = false;
    if (s->shuts_after_send && !s->is_closing) {
        (void)shutdown(fd, SHUT_WR);
    }
    uring_event(event, s->send_token, IO_SEND, result, fd);
    return !s->is_closing;
}

bool uring_socket_completed(struct uring *u, enum uring_operation op,
                            const struct io_uring_cqe *cqe, struct io_event *event)
{
    io_socket fd = (io_socket)(uint32_t)cqe->user_data;
    struct uring_socket *s = socket_of(u, fd);
    bool is_last = (cqe->flags & IORING_CQE_F_MORE) == 0;
    bool has_event = false;
    must(s->in_flight > 0 && ((cqe->user_data >> 32) & 0xFFFFFFu) == (s->generation & 0xFFFFFFu));
    s->in_flight -= is_last;
    if (op == OP_RECEIVE) {
        has_event = receive_completed(u, s, cqe, event);
        if (is_last) {
            s->is_armed = s->is_cancelling = false;
        }
        if (is_last && s->wants_receive) {
            arm_later(u, s, fd);
        }
    } else if (op == OP_SEND) {
        has_event = send_completed(u, s, fd, cqe->res, event);
    } else if (op == OP_ACCEPT) {
        has_event = accept_completed(u, s, cqe->res, event);
        if (is_last) {
            s->is_armed = false;
        }
        if (is_last && !s->is_closing) {
            arm_later(u, s, fd);
        }
    } else if (op == OP_CONNECT) {
        has_event = connect_completed(s, fd, cqe->res, event);
    }
    end_if_quiet(u, s, fd);
    return has_event;
}
