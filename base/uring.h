/* uring.h - the inside of struct io on an io_uring: shared by io_uring.c (ring, events, waiting),
 * io_socket.c (sockets) and io_write.c (durable writes); nobody else includes it.
 *
 * user_data of a submission = {operation 8 | generation 24 | descriptor, write or watch 32}. */
#ifndef BASE_URING_H
#define BASE_URING_H

#include "base/io.h"
#include "base/uring_compat.h"
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>

#define URING_BUFFER_BYTES 4096u
#define URING_BUFFER_GROUP 1
#define URING_WRITES_MAX   16u
#define URING_WATCHES_MAX  32u

enum uring_operation {
    OP_ACCEPT = 1,
    OP_CONNECT,
    OP_TIMEOUT,
    OP_RECEIVE,
    OP_SEND,
    OP_CANCEL,
    OP_WRITE,
    OP_WAKE,
    OP_WATCH,
};

enum uring_state { SOCKET_FREE, SOCKET_LISTENING, SOCKET_CONNECTING, SOCKET_OPEN };

union uring_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct uring_socket {
    enum uring_state state;
    uint32_t generation;
    uint32_t in_flight; /* operations that the kernel still owes a final completion */
    bool is_armed;      /* the multishot accept or receive is with the kernel */
    bool wants_receive;
    bool is_cancelling; /* that receive was asked to end */
    bool is_listed;     /* stands in `rearm` */
    bool is_sending;
    bool shuts_after_send; /* io shutdown came while a send was in flight */
    bool is_closing;
    uint64_t token, send_token, close_token;
    const uint8_t *send_data;
    uint32_t send_size, send_done;
    union uring_sockaddr where; /* of a connect, until the kernel has copied it */
    struct __kernel_timespec connect_timeout;
};

struct uring_write {
    uint64_t token, offset;
    const uint8_t *data;
    uint32_t size, done;
    io_file file;
    bool is_used;
    int32_t result;           /* the write thread's, then the owner's when is_finished */
    _Atomic bool is_finished; /* set by the write thread */
};

struct uring_writer { /* the thread of io_options.write_thread */
    pthread_t thread;
    sem_t filled;
    uint32_t queue[URING_WRITES_MAX + 1]; /* indexes of writes, each at most once; then the end */
    uint32_t head, tail;                  /* the writer's, the owner's */
    _Atomic bool owner_waits;             /* for the kernel: a finished write has to wake it */
};

struct uring_watch {
    uint64_t token;
    int fd;
};

struct uring {
    struct io io;
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *buffer_memory;
    uint32_t buffers_count;
    uint32_t taken_count;
    uint16_t *taken;              /* buffers behind the events of the last wait */
    struct uring_socket *sockets; /* by descriptor */
    io_socket *rearm; /* accepts and receives that ended by themselves and are still wanted */
    uint32_t rearm_count;
    bool accept_failed;      /* for want of descriptors or memory: wait before the next try */
    int64_t accept_again_ns; /* boot time; 0 = at once */
    struct io_event *ready;  /* made outside a completion: closed sockets */
    uint32_t ready_count;
    struct uring_write writes[URING_WRITES_MAX];
    bool has_writer;
    struct uring_writer writer;
    struct uring_watch watches[URING_WATCHES_MAX];
    uint32_t watches_count;
    int wake_fd;
    uint64_t wake_value;
};

/* io_uring.c */
struct io_uring_sqe *uring_next_sqe(struct uring *u);
/* Fills all but `peer`, which only IO_ACCEPT has. */
static inline void uring_event(struct io_event *event, uint64_t token, enum io_kind kind,
                               int32_t result, io_socket socket)
{
    event->token = token;
    event->kind = kind;
    event->result = result;
    event->socket = socket;
    event->data = NULL;
}
static inline uint64_t uring_data(enum uring_operation op, uint32_t generation, uint32_t index)
{
    return (uint64_t)op << 56 | (uint64_t)(generation & 0xFFFFFFu) << 32 | index;
}

/* io_address.c */
socklen_t uring_sockaddr(const struct io_address *address, union uring_sockaddr *out);
void uring_peer(int fd, struct io_address *address);

/* io_socket.c: the operations of io.h, and what completions become. */
enum io_err uring_listen(struct io *, uint64_t token, const struct io_address *, io_socket *out);
enum io_err uring_connect(struct io *, uint64_t token, const struct io_address *,
                          int64_t timeout_ns, io_socket *out);
void uring_receive(struct io *, uint64_t token, io_socket);
void uring_receive_pause(struct io *, io_socket);
void uring_release(struct io *, io_socket);
void uring_adopt(struct io *, io_socket);
void uring_send(struct io *, uint64_t token, io_socket, const uint8_t *data, uint32_t size);
void uring_shutdown(struct io *, io_socket);
void uring_close(struct io *, uint64_t token, io_socket);
/* True when `event` was filled. */
bool uring_socket_completed(struct uring *u, enum uring_operation op,
                            const struct io_uring_cqe *cqe, struct io_event *event);
void uring_rearm(struct uring *u);

/* io_write.c */
void uring_write(struct io *, uint64_t token, io_file, const uint8_t *data, uint32_t size,
                 uint64_t offset);
bool uring_write_completed(struct uring *u, uint32_t index, int32_t result, struct io_event *event);
uint32_t uring_writes_finished(struct uring *u, struct io_event *events, uint32_t events_max);
/* Around a wait in the kernel, so that a write that ends meanwhile wakes it. False: one has ended
 * already and has no event yet. */
bool uring_wait_begins(struct uring *u);
void uring_wait_ended(struct uring *u);
NODISCARD bool uring_writer_start(struct uring *u);
void uring_writer_stop(struct uring *u);

#endif
