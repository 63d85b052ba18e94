/* io_uring.c - struct io on one io_uring: the only file that sees -errno of sockets.
 *
 * DESIGN  One ring per thread (SINGLE_ISSUER, DEFER_TASKRUN), multishot accept and receive, one ring of
 * receive buffers for all sockets. A completion becomes at most one event; what a socket still owes
 * the kernel is counted, and it is closed when that count is 0. Receive buffers of a wait's events go
 * back at the next wait; a receive that found no buffer is armed again then.
 *
 * user_data = {operation 8 | generation 24 | descriptor or write slot 32}.
 * Bounds: LIMIT_IO_SOCKETS descriptors, LIMIT_IO_BUFFERS buffers, WRITES_MAX writes in flight. */
#include "base/io.h"

#include "base/clock.h"
#include "base/mem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SQ_ENTRIES    4096u
#define CQ_ENTRIES    16384u
#define BUFFER_BYTES  4096u
#define BUFFER_GROUP  1
#define WRITES_MAX    16u
#define WATCHES_MAX   4u
#define RETRY_NS      (100 * NS_PER_MS)
#define LISTEN_QUEUE  1024

_Static_assert(CQ_ENTRIES >= LIMIT_IO_BUFFERS + 4 * 1024 + 2 * LIMIT_IO_EVENTS_MAX,
               "data completions hold buffers; each link adds receive, send, cancel and close");

enum operation { OP_ACCEPT = 1, OP_CONNECT, OP_TIMEOUT, OP_RECEIVE, OP_SEND, OP_CANCEL, OP_WRITE,
                 OP_WAKE, OP_WATCH };

enum socket_state { SOCKET_FREE, SOCKET_LISTENING, SOCKET_CONNECTING, SOCKET_OPEN };

struct socket {
    enum socket_state state;
    uint32_t generation;
    uint32_t in_flight; /* operations that the kernel still owes a final completion */
    uint64_t token, send_token, close_token;
    const uint8_t *send_data;
    uint32_t send_size, send_done;
    bool is_sending, wants_receive, is_receiving, is_cancelling, is_closing, is_listed;
};

struct write {
    uint64_t token, offset;
    const uint8_t *data;
    uint32_t size, done;
    io_file file;
    bool is_used;
    _Atomic int is_finished; /* by the write thread */
    int32_t result;
};

struct watch {
    uint64_t token;
    int fd;
};

struct writer { /* the thread of write_thread */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    uint32_t queue[WRITES_MAX];
    uint32_t head, tail;
    bool stop;
};

struct uring {
    struct io io;
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *buffer_memory;
    uint32_t buffers_count;
    uint16_t *taken; /* buffers behind the events of the last wait */
    uint32_t taken_count;
    struct socket *sockets;
    io_socket *rearm; /* receives and accepts that ended by themselves and are wanted */
    uint32_t rearm_count;
    int64_t rearm_ns; /* not before: an accept that failed for want of descriptors */
    struct write writes[WRITES_MAX];
    struct watch watches[WATCHES_MAX];
    uint32_t watches_count;
    int wake_fd;
    uint64_t wake_value;
    uint64_t watch_value;
    struct __kernel_timespec connect_timeout;
    struct io_event *ready; /* made outside a completion: closed sockets */
    uint32_t ready_count;
    bool has_writer;
    struct writer writer;
};

/* ---- errors ---------------------------------------------------------------------------------- */

const char *io_err_text(int32_t result)
{
    switch ((enum io_err)(result < 0 ? -result : 0)) {
    case IO_OK:
        return "done";
    case IO_ERR_REFUSED:
        return "refused or reset by the other side";
    case IO_ERR_TIMEOUT:
        return "no answer in time";
    case IO_ERR_UNREACHABLE:
        return "not reachable";
    case IO_ERR_IN_USE:
        return "address in use";
    case IO_ERR_DENIED:
        return "not permitted";
    case IO_ERR_CANCELLED:
        return "cancelled";
    case IO_ERR_NO_SPACE:
        return "no space left";
    case IO_ERR_DISK:
        return "input/output error of the disk";
    case IO_ERR_LIMIT:
        return "out of descriptors or kernel memory";
    case IO_ERR_OTHER:
        return "unexpected error";
    }
    return "unexpected error";
}

static int32_t error_of(int number)
{
    switch (number) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
        return -IO_ERR_REFUSED;
    case ETIMEDOUT:
    case ETIME:
        return -IO_ERR_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
        return -IO_ERR_UNREACHABLE;
    case EADDRINUSE:
        return -IO_ERR_IN_USE;
    case EACCES:
    case EPERM:
        return -IO_ERR_DENIED;
    case ECANCELED:
        return -IO_ERR_CANCELLED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return -IO_ERR_NO_SPACE;
    case EIO:
        return -IO_ERR_DISK;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return -IO_ERR_LIMIT;
    default:
        return -IO_ERR_OTHER;
    }
}

/* ---- addresses ------------------------------------------------------------------------------- */

bool io_address_parse(const char *text, struct io_address *address)
{
    struct io_address parsed = {.is_v4 = text[0] != '['};
    const char *colon = strrchr(text, ':');
    size_t size = strlen(text);
    if (colon == NULL || size >= sizeof parsed.text || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    char host[64] = {0};
    const char *begin = text + (parsed.is_v4 ? 0 : 1);
    size_t host_size = (size_t)(colon - begin) - (parsed.is_v4 ? 0 : 1);
    if (*end != '\0' || port > 65535 || colon <= begin || host_size >= sizeof host ||
        (!parsed.is_v4 && colon[-1] != ']')) {
        return false;
    }
    memcpy(host, begin, host_size);
    if (parsed.is_v4) {
        memcpy(parsed.ip, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12);
    }
    if (inet_pton(parsed.is_v4 ? AF_INET : AF_INET6, host, parsed.ip + (parsed.is_v4 ? 12 : 0)) != 1) {
        return false;
    }
    parsed.port = (uint16_t)port;
    memcpy(parsed.text, text, size + 1);
    *address = parsed;
    return true;
}

static socklen_t to_sockaddr(const struct io_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (address->is_v4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        memcpy(&v4->sin_addr, address->ip + 12, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address->port);
    memcpy(&v6->sin6_addr, address->ip, 16);
    return sizeof *v6;
}

static void peer_of(int fd, struct io_address *address)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char host[INET6_ADDRSTRLEN] = "?";
    memset(address, 0, sizeof *address);
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0) {
        return;
    }
    if (peer.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&peer;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&peer;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
    struct io_address parsed;
    if (io_address_parse(address->text, &parsed)) {
        *address = parsed;
    }
}

/* ---- submission ------------------------------------------------------------------------------ */

static uint64_t user_data(enum operation op, uint32_t generation, uint32_t index)
{
    return (uint64_t)op << 56 | (uint64_t)(generation & 0xFFFFFF) << 32 | index;
}

static struct io_uring_sqe *next_sqe(struct uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe == NULL) { /* full: hand over what is there */
        (void)io_uring_submit(&u->ring);
        sqe = io_uring_get_sqe(&u->ring);
    }
    must(sqe != NULL);
    return sqe;
}

static struct socket *socket_of(struct uring *u, io_socket fd)
{
    must(fd >= 0 && (uint32_t)fd < LIMIT_IO_SOCKETS);
    return &u->sockets[fd];
}

static void set_data(struct uring *u, struct io_uring_sqe *sqe, enum operation op, io_socket fd)
{
    struct socket *s = socket_of(u, fd);
    io_uring_sqe_set_data64(sqe, user_data(op, s->generation, (uint32_t)fd));
    s->in_flight++;
}

static void arm_receive(struct uring *u, io_socket fd)
{
    struct socket *s = socket_of(u, fd);
    if (s->is_receiving || s->is_closing) {
        return;
    }
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    set_data(u, sqe, OP_RECEIVE, fd);
    s->is_receiving = true;
}

static void arm_accept(struct uring *u, io_socket fd)
{
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    set_data(u, sqe, OP_ACCEPT, fd);
}

static void arm_wake(struct uring *u)
{
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_read(sqe, u->wake_fd, &u->wake_value, sizeof u->wake_value, 0);
    io_uring_sqe_set_data64(sqe, user_data(OP_WAKE, 0, 0));
}

static void arm_watch(struct uring *u, uint32_t index)
{
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_poll_add(sqe, u->watches[index].fd, POLLIN);
    io_uring_sqe_set_data64(sqe, user_data(OP_WATCH, 0, index));
}

static void arm_send(struct uring *u, io_socket fd)
{
    struct socket *s = socket_of(u, fd);
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_send(sqe, fd, s->send_data + s->send_done, s->send_size - s->send_done,
                       MSG_WAITALL | MSG_NOSIGNAL);
    set_data(u, sqe, OP_SEND, fd);
}

static void arm_later(struct uring *u, io_socket fd)
{
    struct socket *s = socket_of(u, fd);
    if (!s->is_listed) {
        s->is_listed = true;
        u->rearm[u->rearm_count++] = fd;
    }
}

static void cancel(struct uring *u, io_socket fd, enum operation op)
{
    struct socket *s = socket_of(u, fd);
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_cancel64(sqe, user_data(op, s->generation, (uint32_t)fd), 0);
    set_data(u, sqe, OP_CANCEL, fd);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void socket_begin(struct uring *u, io_socket fd, enum socket_state state, uint64_t token)
{
    struct socket *s = socket_of(u, fd);
    must(s->state == SOCKET_FREE);
    uint32_t generation = s->generation + 1;
    bool is_listed = s->is_listed;
    *s = (struct socket){.state = state, .generation = generation, .token = token,
                         .is_listed = is_listed};
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

static enum io_err op_listen(struct io *io, uint64_t token, const struct io_address *address,
                             io_socket *out)
{
    struct uring *u = (struct uring *)io;
    struct sockaddr_storage where;
    socklen_t size = to_sockaddr(address, &where);
    int fd = new_socket(address);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&where, size) != 0 || listen(fd, LISTEN_QUEUE) != 0) {
        enum io_err err = (enum io_err)(-error_of(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return err;
    }
    socket_begin(u, fd, SOCKET_LISTENING, token);
    arm_accept(u, fd);
    *out = fd;
    return IO_OK;
}

static enum io_err op_connect(struct io *io, uint64_t token, const struct io_address *address,
                              int64_t timeout_ns, io_socket *out)
{
    struct uring *u = (struct uring *)io;
    int fd = new_socket(address);
    if (fd < 0) {
        return (enum io_err)(-error_of(errno));
    }
    no_delay(fd);
    socket_begin(u, fd, SOCKET_CONNECTING, token);
    struct sockaddr_storage where; /* copied by the submit below */
    socklen_t size = to_sockaddr(address, &where);
    struct __kernel_timespec timeout = {.tv_sec = timeout_ns / NS_PER_S,
                                        .tv_nsec = timeout_ns % NS_PER_S};
    (void)io_uring_submit(&u->ring); /* room for a linked pair */
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_connect(sqe, fd, (struct sockaddr *)&where, size);
    sqe->flags |= IOSQE_IO_LINK;
    set_data(u, sqe, OP_CONNECT, fd);
    sqe = next_sqe(u);
    io_uring_prep_link_timeout(sqe, &timeout, 0);
    set_data(u, sqe, OP_TIMEOUT, fd);
    (void)io_uring_submit(&u->ring);
    *out = fd;
    return IO_OK;
}

static void op_receive(struct io *io, uint64_t token, io_socket fd)
{
    struct uring *u = (struct uring *)io;
    struct socket *s = socket_of(u, fd);
    s->token = token;
    s->wants_receive = true;
    arm_receive(u, fd);
}

static void op_receive_pause(struct io *io, io_socket fd)
{
    struct uring *u = (struct uring *)io;
    struct socket *s = socket_of(u, fd);
    s->wants_receive = false;
    if (s->is_receiving && !s->is_cancelling) {
        s->is_cancelling = true;
        cancel(u, fd, OP_RECEIVE);
    }
}

static void op_send(struct io *io, uint64_t token, io_socket fd, const uint8_t *data, uint32_t size)
{
    struct uring *u = (struct uring *)io;
    struct socket *s = socket_of(u, fd);
    must(!s->is_sending && !s->is_closing && size > 0);
    s->is_sending = true;
    s->send_token = token;
    s->send_data = data;
    s->send_size = size;
    s->send_done = 0;
    arm_send(u, fd);
}

static void op_shutdown(struct io *io, io_socket fd)
{
    (void)io;
    (void)shutdown(fd, SHUT_WR);
}

/* The descriptor is given up when the kernel owes nothing any more. */
static void end_if_quiet(struct uring *u, io_socket fd)
{
    struct socket *s = socket_of(u, fd);
    if (!s->is_closing || s->in_flight > 0) {
        return;
    }
    s->state = SOCKET_FREE;
    (void)close(fd);
    must(u->ready_count < LIMIT_IO_SOCKETS);
    u->ready[u->ready_count++] =
        (struct io_event){.token = s->close_token, .kind = IO_CLOSED, .socket = fd};
}

static void op_close(struct io *io, uint64_t token, io_socket fd)
{
    struct uring *u = (struct uring *)io;
    struct socket *s = socket_of(u, fd);
    must(s->state != SOCKET_FREE && !s->is_closing);
    s->is_closing = true;
    s->close_token = token;
    if (s->in_flight > 0) {
        (void)shutdown(fd, SHUT_RDWR);
        struct io_uring_sqe *sqe = next_sqe(u);
        io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
        set_data(u, sqe, OP_CANCEL, fd);
    }
    end_if_quiet(u, fd);
}

/* ---- durable writes -------------------------------------------------------------------------- */

static void arm_write(struct uring *u, uint32_t index)
{
    struct write *w = &u->writes[index];
    struct io_uring_sqe *sqe = next_sqe(u);
    io_uring_prep_write(sqe, w->file, w->data + w->done, w->size - w->done, w->offset + w->done);
    io_uring_sqe_set_data64(sqe, user_data(OP_WRITE, 0, index));
}

static void give_to_writer(struct uring *u, uint32_t index)
{
    struct writer *writer = &u->writer;
    (void)pthread_mutex_lock(&writer->lock);
    writer->queue[writer->tail++ % WRITES_MAX] = index;
    (void)pthread_cond_signal(&writer->filled);
    (void)pthread_mutex_unlock(&writer->lock);
}

static void op_write(struct io *io, uint64_t token, io_file file, const uint8_t *data, uint32_t size,
                     uint64_t offset)
{
    struct uring *u = (struct uring *)io;
    for (uint32_t i = 0; i < WRITES_MAX; i++) {
        struct write *w = &u->writes[i];
        if (!w->is_used) {
            w->is_used = true;
            w->token = token;
            w->file = file;
            w->data = data;
            w->size = size;
            w->offset = offset;
            w->done = 0;
            if (u->has_writer) {
                give_to_writer(u, i);
            } else {
                arm_write(u, i);
            }
            return;
        }
    }
    must(!"more writes in flight than WRITES_MAX");
}

static int32_t write_blocking(const struct write *w)
{
    uint32_t done = 0;
    while (done < w->size) {
        ssize_t n = pwrite(w->file, w->data + done, w->size - done, (off_t)(w->offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? -IO_ERR_NO_SPACE : error_of(errno);
        }
        done += (uint32_t)n;
    }
    return (int32_t)done;
}

static void op_wake(struct io *io);

static void *writer_main(void *context)
{
    struct uring *u = context;
    struct writer *writer = &u->writer;
    (void)pthread_mutex_lock(&writer->lock);
    while (!writer->stop) {
        if (writer->head == writer->tail) {
            (void)pthread_cond_wait(&writer->filled, &writer->lock);
            continue;
        }
        struct write *w = &u->writes[writer->queue[writer->head++ % WRITES_MAX]];
        (void)pthread_mutex_unlock(&writer->lock);
        w->result = write_blocking(w);
        atomic_store_explicit(&w->is_finished, 1, memory_order_release);
        op_wake(&u->io);
        (void)pthread_mutex_lock(&writer->lock);
    }
    (void)pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* ---- completions ----------------------------------------------------------------------------- */

static bool event_of_accept(struct uring *u, io_socket fd, int32_t result, struct io_event *event)
{
    struct socket *listener = socket_of(u, fd);
    if (result < 0) {
        return false;
    }
    if (listener->is_closing || (uint32_t)result >= LIMIT_IO_SOCKETS) {
        (void)close(result);
        return false;
    }
    no_delay(result);
    socket_begin(u, result, SOCKET_OPEN, 0);
    *event = (struct io_event){.token = listener->token, .kind = IO_ACCEPT, .socket = result};
    peer_of(result, &event->peer);
    return true;
}

static bool event_of_receive(struct uring *u, io_socket fd, const struct io_uring_cqe *cqe,
                             struct io_event *event)
{
    struct socket *s = socket_of(u, fd);
    *event = (struct io_event){.token = s->token, .kind = IO_RECEIVE, .socket = fd};
    if ((cqe->flags & IORING_CQE_F_BUFFER) != 0) {
        uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        u->taken[u->taken_count++] = buffer;
        event->data = u->buffer_memory + (size_t)buffer * BUFFER_BYTES;
    }
    event->result = cqe->res;
    if (cqe->res == -ENOBUFS || cqe->res == -ECANCELED) {
        return false;
    }
    if (cqe->res <= 0) {
        s->wants_receive = false; /* the end: nothing to arm again */
        event->result = cqe->res == 0 ? 0 : error_of(-cqe->res);
    }
    return !s->is_closing;
}

static bool event_of_send(struct uring *u, io_socket fd, int32_t result, struct io_event *event)
{
    struct socket *s = socket_of(u, fd);
    if (result > 0 && s->send_done + (uint32_t)result < s->send_size && !s->is_closing) {
        s->send_done += (uint32_t)result;
        arm_send(u, fd);
        return false;
    }
    s->is_sending = false;
    *event = (struct io_event){.token = s->send_token, .kind = IO_SEND, .socket = fd,
                               .result = result < 0 ? error_of(-result) : (int32_t)s->send_size};
    return !s->is_closing;
}

static bool event_of_write(struct uring *u, uint32_t index, int32_t result, struct io_event *event)
{
    struct write *w = &u->writes[index];
    if (result > 0 && w->done + (uint32_t)result < w->size) {
        w->done += (uint32_t)result;
        arm_write(u, index);
        return false;
    }
    if (result == -EAGAIN || result == -EINTR) {
        arm_write(u, index);
        return false;
    }
    w->is_used = false;
    *event = (struct io_event){.token = w->token, .kind = IO_WRITE, .socket = -1};
    event->result = result < 0 ? error_of(-result) : result == 0 ? -IO_ERR_NO_SPACE : (int32_t)w->size;
    return true;
}

static bool event_of_watch(struct uring *u, uint32_t index, struct io_event *event)
{
    struct watch *watch = &u->watches[index];
    (void)!read(watch->fd, &u->watch_value, sizeof u->watch_value);
    arm_watch(u, index);
    *event = (struct io_event){.token = watch->token, .kind = IO_WATCH, .socket = -1};
    return true;
}

/* Operations of a socket; false when nobody needs to hear of it. */
static bool event_of_socket(struct uring *u, enum operation op, const struct io_uring_cqe *cqe,
                            struct io_event *event)
{
    io_socket fd = (io_socket)(uint32_t)cqe->user_data;
    struct socket *s = socket_of(u, fd);
    bool is_last = (cqe->flags & IORING_CQE_F_MORE) == 0;
    bool has_event = false;
    s->in_flight -= is_last;
    if (op == OP_ACCEPT) {
        has_event = event_of_accept(u, fd, cqe->res, event);
        if (is_last && !s->is_closing) {
            u->rearm_ns = cqe->res < 0 ? -1 : 0;
            arm_later(u, fd);
        }
    } else if (op == OP_RECEIVE) {
        has_event = event_of_receive(u, fd, cqe, event);
        if (is_last) {
            s->is_receiving = s->is_cancelling = false;
            if (s->wants_receive && !s->is_closing) {
                arm_later(u, fd);
            }
        }
    } else if (op == OP_SEND) {
        has_event = event_of_send(u, fd, cqe->res, event);
    } else if (op == OP_CONNECT) {
        *event = (struct io_event){.token = s->token, .kind = IO_CONNECT, .socket = fd};
        event->result = cqe->res == -ECANCELED ? -IO_ERR_TIMEOUT
                        : cqe->res < 0         ? error_of(-cqe->res)
                                               : 0;
        s->state = SOCKET_OPEN;
        has_event = !s->is_closing;
    }
    end_if_quiet(u, fd);
    return has_event;
}

static bool event_of(struct uring *u, const struct io_uring_cqe *cqe, struct io_event *event)
{
    enum operation op = (enum operation)(cqe->user_data >> 56);
    switch (op) {
    case OP_ACCEPT:
    case OP_CONNECT:
    case OP_TIMEOUT:
    case OP_RECEIVE:
    case OP_SEND:
    case OP_CANCEL:
        return event_of_socket(u, op, cqe, event);
    case OP_WRITE:
        return event_of_write(u, (uint32_t)cqe->user_data, cqe->res, event);
    case OP_WATCH:
        return event_of_watch(u, (uint32_t)cqe->user_data, event);
    case OP_WAKE:
        arm_wake(u);
        return false;
    }
    return false;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int64_t boot_now_ns(void)
{
    return clock_system.boot_ns(NULL);
}

static void give_buffers_back(struct uring *u)
{
    int mask = io_uring_buf_ring_mask(u->buffers_count);
    for (uint32_t i = 0; i < u->taken_count; i++) {
        io_uring_buf_ring_add(u->buffers, u->buffer_memory + (size_t)u->taken[i] * BUFFER_BYTES,
                              BUFFER_BYTES, u->taken[i], mask, (int)i);
    }
    io_uring_buf_ring_advance(u->buffers, (int)u->taken_count);
    u->taken_count = 0;
}

static void rearm_all(struct uring *u)
{
    if (u->rearm_count == 0) {
        return;
    }
    if (u->rearm_ns < 0) {
        u->rearm_ns = boot_now_ns() + RETRY_NS;
    }
    uint32_t kept = 0;
    bool too_early = u->rearm_ns > 0 && boot_now_ns() < u->rearm_ns;
    for (uint32_t i = 0; i < u->rearm_count; i++) {
        io_socket fd = u->rearm[i];
        struct socket *s = socket_of(u, fd);
        if (s->state == SOCKET_LISTENING && !s->is_closing && too_early) {
            u->rearm[kept++] = fd;
            continue;
        }
        s->is_listed = false;
        if (s->state == SOCKET_LISTENING && !s->is_closing) {
            arm_accept(u, fd);
        } else if (s->state == SOCKET_OPEN && s->wants_receive) {
            arm_receive(u, fd);
        }
    }
    u->rearm_count = kept;
}

static uint32_t finished_writes(struct uring *u, struct io_event *events, uint32_t events_max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; u->has_writer && i < WRITES_MAX && count < events_max; i++) {
        struct write *w = &u->writes[i];
        if (w->is_used && atomic_exchange_explicit(&w->is_finished, 0, memory_order_acquire) != 0) {
            w->is_used = false;
            events[count++] = (struct io_event){.token = w->token, .kind = IO_WRITE,
                                                .result = w->result, .socket = -1};
        }
    }
    return count;
}

static uint32_t take_ready(struct uring *u, struct io_event *events, uint32_t events_max)
{
    uint32_t count = u->ready_count < events_max ? u->ready_count : events_max;
    memcpy(events, u->ready, count * sizeof *events);
    u->ready_count -= count;
    memmove(u->ready, u->ready + count, u->ready_count * sizeof *events);
    return count;
}

static void enter(struct uring *u, int64_t deadline_ns)
{
    if (deadline_ns == 0 || u->ready_count > 0 || io_uring_cq_ready(&u->ring) > 0) {
        (void)io_uring_submit_and_get_events(&u->ring);
        return;
    }
    int64_t left_ns = deadline_ns - boot_now_ns();
    if (left_ns <= 0) {
        (void)io_uring_submit_and_get_events(&u->ring);
        return;
    }
    struct __kernel_timespec timeout = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
    struct io_uring_cqe *cqe;
    (void)io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &timeout, NULL);
}

static uint32_t op_wait(struct io *io, int64_t deadline_ns, struct io_event *events,
                        uint32_t events_max)
{
    struct uring *u = (struct uring *)io;
    give_buffers_back(u);
    rearm_all(u);
    enter(u, deadline_ns);
    uint32_t count = take_ready(u, events, events_max);
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&u->ring, head, cqe) {
        if (count == events_max || u->taken_count == u->buffers_count) {
            break;
        }
        count += event_of(u, cqe, &events[count]);
        seen++;
    }
    io_uring_cq_advance(&u->ring, seen);
    must(*u->ring.cq.koverflow == 0);
    count += finished_writes(u, events + count, events_max - count);
    return count + take_ready(u, events + count, events_max - count);
}

static void op_wake(struct io *io)
{
    struct uring *u = (struct uring *)io;
    const uint64_t one = 1;
    (void)!write(u->wake_fd, &one, sizeof one);
}

static void op_watch(struct io *io, uint64_t token, int eventfd)
{
    struct uring *u = (struct uring *)io;
    must(u->watches_count < WATCHES_MAX);
    u->watches[u->watches_count] = (struct watch){token, eventfd};
    arm_watch(u, u->watches_count++);
}

static void op_destroy(struct io *io)
{
    struct uring *u = (struct uring *)io;
    if (u->has_writer) {
        (void)pthread_mutex_lock(&u->writer.lock);
        u->writer.stop = true;
        (void)pthread_cond_signal(&u->writer.filled);
        (void)pthread_mutex_unlock(&u->writer.lock);
        (void)pthread_join(u->writer.thread, NULL);
    }
    io_uring_queue_exit(&u->ring); /* cancels and reaps what is in flight */
    for (uint32_t fd = 0; fd < LIMIT_IO_SOCKETS; fd++) {
        if (u->sockets[fd].state != SOCKET_FREE) {
            (void)close((int)fd);
        }
    }
    (void)close(u->wake_fd);
}

static const struct io_ops ops = {
    .listen = op_listen,
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
    .destroy = op_destroy,
};

/* ---- creation -------------------------------------------------------------------------------- */

static void explain_refusal(int number, char *text, size_t text_size)
{
    char value[8] = "";
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file != NULL) {
        (void)!fgets(value, sizeof value, file);
        (void)fclose(file);
    }
    if (number == ENOSYS) {
        (void)snprintf(text, text_size, "io_uring is refused: the kernel does not have it, or a seccomp "
                       "filter hides it; use Linux 6.1 or later, or allow io_uring_setup in the container's "
                       "seccomp profile");
    } else if (value[0] == '1' || value[0] == '2') {
        (void)snprintf(text, text_size, "io_uring is refused: kernel.io_uring_disabled is %c; set it to 0 "
                       "(sysctl kernel.io_uring_disabled=0)", value[0]);
    } else if (number == EPERM || number == EACCES) {
        (void)snprintf(text, text_size, "io_uring is refused: a seccomp filter or security module forbids it; "
                       "allow io_uring_setup, io_uring_enter and io_uring_register");
    } else if (number == ENOMEM) {
        (void)snprintf(text, text_size, "io_uring is refused: not enough lockable memory; raise the memlock "
                       "limit (ulimit -l)");
    } else if (number == EINVAL) {
        (void)snprintf(text, text_size, "io_uring is refused: the kernel is older than Linux 6.1, which is "
                       "the oldest that ringswitch runs on");
    } else {
        (void)snprintf(text, text_size, "io_uring is refused: %s", strerror(number));
    }
}

static int create_buffers(struct uring *u)
{
    size_t ring_size = u->buffers_count * sizeof(struct io_uring_buf);
    u->buffers = mem_take(MEM_PLAIN, ring_size, "receive buffer ring");
    u->buffer_memory =
        mem_take(MEM_SECRET, (size_t)u->buffers_count * BUFFER_BYTES, "receive buffers");
    u->taken = mem_take(MEM_PLAIN, u->buffers_count * sizeof *u->taken, "receive buffer list");
    struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)u->buffers,
                                   .ring_entries = u->buffers_count, .bgid = BUFFER_GROUP};
    int result = io_uring_register_buf_ring(&u->ring, &reg, 0);
    if (result < 0) {
        return -result;
    }
    io_uring_buf_ring_init(u->buffers);
    for (uint32_t i = 0; i < u->buffers_count; i++) {
        u->taken[i] = (uint16_t)i;
    }
    u->taken_count = u->buffers_count;
    give_buffers_back(u);
    return 0;
}

struct io *io_uring_create_with(const struct io_options *options, char *text, size_t text_size)
{
    struct uring *u = mem_take(MEM_PLAIN, sizeof *u, "io");
    struct io_uring_params params = {
        .cq_entries = CQ_ENTRIES,
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE, /* never NO_SQARRAY: liburing 2.3 overwrites the ring with it */
    };
    u->io.ops = &ops;
    u->buffers_count = options->buffers_count != 0 ? options->buffers_count : LIMIT_IO_BUFFERS;
    int result = io_uring_queue_init_params(SQ_ENTRIES, &u->ring, &params);
    if (result < 0) {
        explain_refusal(-result, text, text_size);
        return NULL;
    }
    (void)io_uring_register_ring_fd(&u->ring);
    u->sockets = mem_take(MEM_PLAIN, LIMIT_IO_SOCKETS * sizeof *u->sockets, "sockets");
    u->rearm = mem_take(MEM_PLAIN, LIMIT_IO_SOCKETS * sizeof *u->rearm, "sockets to arm again");
    u->ready = mem_take(MEM_PLAIN, LIMIT_IO_SOCKETS * sizeof *u->ready, "closed sockets");
    u->wake_fd = eventfd(0, EFD_CLOEXEC);
    result = u->wake_fd < 0 ? errno : create_buffers(u);
    if (result != 0) {
        explain_refusal(result, text, text_size);
        io_uring_queue_exit(&u->ring);
        return NULL;
    }
    arm_wake(u);
    if (options->write_thread) {
        u->has_writer = true;
        must(pthread_mutex_init(&u->writer.lock, NULL) == 0);
        must(pthread_cond_init(&u->writer.filled, NULL) == 0);
        must(pthread_create(&u->writer.thread, NULL, writer_main, u) == 0);
    }
    return &u->io;
}

struct io *io_uring_create(char *text, size_t text_size)
{
    return io_uring_create_with(&(struct io_options){0}, text, text_size);
}
