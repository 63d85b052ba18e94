/* io_uring.c - struct io on one io_uring: the ring, its events, waiting and being woken.
 *
 * DESIGN  One ring per thread (SINGLE_ISSUER, DEFER_TASKRUN: completions run when the thread enters
 * the kernel, once a turn). Sockets use multishot accept and receive over one ring of provided
 * buffers (io_socket.c); a completion becomes at most one event. Buffers behind the events of a
 * wait go back at the next wait. Another thread wakes a wait by an eventfd that the ring reads.
 *
 * Bounds: LIMIT_IO_SOCKETS descriptors, LIMIT_IO_BUFFERS buffers, URING_WRITES_MAX writes in
 * flight, URING_WATCHES_MAX watches. Nothing is allocated after creation. */
#include "base/uring.h"

#include "base/clock.h"
#include "base/io_err.h"
#include "base/mem.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define SQ_ENTRIES 4096u
#define CQ_ENTRIES 16384u

_Static_assert(
    CQ_ENTRIES >= LIMIT_IO_BUFFERS + 6 * LIMIT_LINKS_MAX + LIMIT_IO_EVENTS_MAX + URING_WRITES_MAX +
                      URING_WATCHES_MAX,
    "each data completion holds a buffer; a link adds the last receive, a send, a connect "
    "with its time-out and two cancels; the rest are accepts and a wake");

struct io_uring_sqe *uring_next_sqe(struct uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe == NULL) { /* full: hand over what is there */
        (void)io_uring_submit(&u->ring);
        sqe = io_uring_get_sqe(&u->ring);
    }
    must(sqe != NULL);
    return sqe;
}

/* ---- waking and watching ----------------------------------------------------------------------
 */

static void arm_wake(struct uring *u)
{
    struct io_uring_sqe *sqe = uring_next_sqe(u);
    io_uring_prep_read(sqe, u->wake_fd, &u->wake_value, sizeof u->wake_value, 0);
    io_uring_sqe_set_data64(sqe, uring_data(OP_WAKE, 0, 0));
}

static void op_wake(struct io *io)
{
    struct uring *u = (struct uring *)io;
    const uint64_t one = 1;
    (void)!write(u->wake_fd, &one, sizeof one);
}

/* Polled, not read: a read of a descriptor that is set non-blocking would not wait. */
static void arm_watch(struct uring *u, uint32_t index)
{
    struct io_uring_sqe *sqe = uring_next_sqe(u);
    io_uring_prep_poll_add(sqe, u->watches[index].fd, POLLIN);
    io_uring_sqe_set_data64(sqe, uring_data(OP_WATCH, 0, index));
}

static void op_watch(struct io *io, uint64_t token, int eventfd)
{
    struct uring *u = (struct uring *)io;
    must(u->watches_count < URING_WATCHES_MAX);
    u->watches[u->watches_count] = (struct uring_watch){token, eventfd};
    arm_watch(u, u->watches_count++);
}

static void watch_completed(struct uring *u, uint32_t index, int32_t result, struct io_event *event)
{
    const struct uring_watch *watch = &u->watches[index];
    if (result < 0) { /* the descriptor is no more: said once, not armed again */
        uring_event(event, watch->token, IO_WATCH, -(int32_t)io_err_of(-result), -1);
        return;
    }
    uint64_t value;
    (void)!read(watch->fd, &value, sizeof value);
    arm_watch(u, index);
    uring_event(event, watch->token, IO_WATCH, 0, -1);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static bool event_of(struct uring *u, const struct io_uring_cqe *cqe, struct io_event *event)
{
    enum uring_operation op = (enum uring_operation)(cqe->user_data >> 56);
    switch (op) {
    case OP_ACCEPT:
    case OP_CONNECT:
    case OP_TIMEOUT:
    case OP_RECEIVE:
    case OP_SEND:
    case OP_CANCEL:
        return uring_socket_completed(u, op, cqe, event);
    case OP_WRITE:
        return uring_write_completed(u, (uint32_t)cqe->user_data, cqe->res, event);
    case OP_WATCH:
        watch_completed(u, (uint32_t)cqe->user_data, cqe->res, event);
        return true;
    case OP_WAKE:
        arm_wake(u);
        return false;
    }
    must(false); /* a completion of no known operation */
    return false;
}

static void give_buffers_back(struct uring *u)
{
    if (u->taken_count == 0) {
        return;
    }
    int mask = io_uring_buf_ring_mask(u->buffers_count);
    for (uint32_t i = 0; i < u->taken_count; i++) {
        io_uring_buf_ring_add(u->buffers,
                              u->buffer_memory + (size_t)u->taken[i] * URING_BUFFER_BYTES,
                              URING_BUFFER_BYTES, u->taken[i], mask, (int)i);
    }
    io_uring_buf_ring_advance(u->buffers, (int)u->taken_count);
    u->taken_count = 0;
}

static uint32_t take_ready(struct uring *u, struct io_event *events, uint32_t events_max)
{
    uint32_t count = u->ready_count < events_max ? u->ready_count : events_max;
    if (count > 0) {
        memcpy(events, u->ready, count * sizeof *events);
        u->ready_count -= count;
        memmove(u->ready, u->ready + count, u->ready_count * sizeof *events);
    }
    return count;
}

static void enter(struct uring *u, int64_t deadline_ns)
{
    int64_t left_ns = 0;
    if (deadline_ns > 0 && u->ready_count == 0 && io_uring_cq_ready(&u->ring) == 0) {
        left_ns = deadline_ns - clock_system.boot_ns(NULL);
    }
    int result;
    if (left_ns > 0 && (!u->has_writer || uring_wait_begins(u))) {
        struct __kernel_timespec timeout = {.tv_sec = left_ns / NS_PER_S,
                                            .tv_nsec = left_ns % NS_PER_S};
        struct io_uring_cqe *cqe;
        result = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &timeout, NULL);
    } else {
        result = io_uring_submit_and_get_events(&u->ring);
    }
    uring_wait_ended(u);
    /* What passes by itself is tried again at the next wait. -EEXIST: not the thread of this io. */
    must(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
         result == -EBUSY);
}

static uint32_t op_wait(struct io *io, int64_t deadline_ns, struct io_event *events,
                        uint32_t events_max)
{
    struct uring *u = (struct uring *)io;
    give_buffers_back(u);
    uring_rearm(u);
    enter(u, deadline_ns);
    uint32_t count = take_ready(u, events, events_max);
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    /* A wake may stand for finished writes: they must fit behind it. */
    uint32_t behind = u->has_writer && events_max > URING_WRITES_MAX ? URING_WRITES_MAX : 0;
    io_uring_for_each_cqe(&u->ring, head, cqe)
    {
        if (count + behind >= events_max) {
            break;
        }
        count += event_of(u, cqe, &events[count]);
        seen++;
    }
    io_uring_cq_advance(&u->ring, seen);
    must(*u->ring.cq.koverflow == 0);
    if (u->has_writer) {
        count += uring_writes_finished(u, events + count, events_max - count);
    }
    return count + take_ready(u, events + count, events_max - count);
}

static void op_destroy(struct io *io)
{
    struct uring *u = (struct uring *)io;
    uring_writer_stop(u);
    io_uring_queue_exit(&u->ring); /* cancels what is in flight */
    for (uint32_t fd = 0; fd < LIMIT_IO_SOCKETS; fd++) {
        if (u->sockets[fd].state != SOCKET_FREE) {
            (void)close((int)fd);
        }
    }
    (void)close(u->wake_fd);
}

static const struct io_ops ops = {
    .listen = uring_listen,
    .connect = uring_connect,
    .receive = uring_receive,
    .receive_pause = uring_receive_pause,
    .send = uring_send,
    .shutdown = uring_shutdown,
    .release = uring_release,
    .adopt = uring_adopt,
    .close = uring_close,
    .write = uring_write,
    .watch = op_watch,
    .wait = op_wait,
    .wake = op_wake,
    .destroy = op_destroy,
};

/* ---- creation -------------------------------------------------------------------------------- */

/* '0', '1' or '2' of the sysctl; '0' when there is none (before Linux 6.6). */
static char io_uring_disabled(void)
{
    char value[2] = "0";
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file != NULL) {
        (void)!fgets(value, sizeof value, file);
        (void)fclose(file);
    }
    return value[0];
}

static void explain_refusal(int number, char *text, size_t text_size)
{
    char disabled = number == EPERM ? io_uring_disabled() : '0';
    if (disabled != '0') {
        (void)snprintf(text, text_size,
                       "io_uring is refused: kernel.io_uring_disabled is %c; set it to 0 "
                       "(sysctl kernel.io_uring_disabled=0)",
                       disabled);
    } else if (number == EPERM || number == EACCES) {
        (void)snprintf(text, text_size,
                       "io_uring is refused: a seccomp filter or security module forbids it; allow "
                       "io_uring_setup, io_uring_enter and io_uring_register");
    } else if (number == ENOSYS) {
        (void)snprintf(text, text_size,
                       "io_uring is refused: the kernel does not have it, or a seccomp filter of "
                       "the container hides it; use Linux 6.1 or later, or allow io_uring_setup, "
                       "io_uring_enter and io_uring_register");
    } else if (number == ENOMEM) {
        (void)snprintf(text, text_size,
                       "io_uring is refused: not enough lockable memory; raise the memlock limit "
                       "(ulimit -l)");
    } else if (number == EINVAL) {
        (void)snprintf(text, text_size,
                       "io_uring is refused: the kernel is older than Linux 6.1, the oldest that "
                       "ringswitch runs on");
    } else if (number == EMFILE || number == ENFILE) {
        (void)snprintf(text, text_size,
                       "io_uring is refused: no descriptor is free; raise the limit of open files "
                       "(ulimit -n)");
    } else {
        (void)snprintf(text, text_size, "io_uring is refused: %s", strerror(number));
    }
}

static int create_buffers(struct uring *u)
{
    size_t ring_size = u->buffers_count * sizeof(struct io_uring_buf);
    u->buffers = mem_take(MEM_PLAIN, ring_size, "receive buffer ring");
    u->buffer_memory =
        mem_take(MEM_SECRET, (size_t)u->buffers_count * URING_BUFFER_BYTES, "receive buffers");
    u->taken = mem_take(MEM_PLAIN, u->buffers_count * sizeof *u->taken, "receive buffer list");
    struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)u->buffers,
                                   .ring_entries = u->buffers_count,
                                   .bgid = URING_BUFFER_GROUP};
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

static int create_ring(struct uring *u)
{
    struct io_uring_params params = {.cq_entries = CQ_ENTRIES, .flags = URING_SETUP_FLAGS};
    int result = io_uring_queue_init_params(SQ_ENTRIES, &u->ring, &params);
    if (result < 0) {
        return -result;
    }
    u->wake_fd = eventfd(0, EFD_CLOEXEC);
    int number = (params.features & URING_FEATURES_NEEDED) != URING_FEATURES_NEEDED ? EINVAL
                 : u->wake_fd < 0                                                   ? errno
                                                                                    : 0;
    if (number == 0) {
        (void)io_uring_register_ring_fd(&u->ring); /* saves a look-up per entry; not needed */
        number = create_buffers(u);
    }
    if (number != 0) {
        io_uring_queue_exit(&u->ring);
        if (u->wake_fd >= 0) {
            (void)close(u->wake_fd);
        }
    }
    return number;
}

struct io *io_uring_create_with(const struct io_options *options, char *text, size_t text_size)
{
    struct uring *u = mem_take(MEM_PLAIN, sizeof *u, "io");
    u->io.ops = &ops;
    u->buffers_count = options->buffers_count != 0 ? options->buffers_count : LIMIT_IO_BUFFERS;
    must((u->buffers_count & (u->buffers_count - 1)) == 0 && u->buffers_count <= LIMIT_IO_BUFFERS);
    int number = create_ring(u);
    if (number != 0) {
        explain_refusal(number, text, text_size);
        return NULL;
    }
    u->sockets = mem_take(MEM_PLAIN, LIMIT_IO_SOCKETS * sizeof *u->sockets, "sockets");
    u->rearm = mem_take(MEM_PLAIN, LIMIT_IO_SOCKETS * sizeof *u->rearm, "sockets to arm again");
    u->ready = mem_take(MEM_PLAIN, LIMIT_IO_SOCKETS * sizeof *u->ready, "closed sockets");
    arm_wake(u);
    if (options->write_thread && !uring_writer_start(u)) {
        (void)snprintf(text, text_size,
                       "the journal's thread cannot be started: raise the limit "
                       "of processes (ulimit -u)");
        op_destroy(&u->io);
        return NULL;
    }
    return &u->io;
}

struct io *io_uring_create(char *text, size_t text_size)
{
    return io_uring_create_with(&(struct io_options){0}, text, text_size);
}
