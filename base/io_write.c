/* io_write.c - durable writes of an io: by its ring, or by a thread that blocks in pwrite.
 *
 * DESIGN  Which of the two is chosen when the io is made. The kernel completes a synchronous write
 * of the ring in a worker of normal priority; a thread of one's own keeps its place among busy
 * cores at the price of two wake-ups. A write takes a slot until its event; the owner finds a slot
 * and posts it, the writer thread reads the slots in the order in which they were posted. No lock
 * is held while the writer is woken: on the owner's core it would run into it at once. The owner is
 * woken only while it waits. */
#include "base/uring.h"

#include "base/io_err.h"
#include "base/mem.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define WRITER_STOP UINT32_MAX

static void arm_write(struct uring *u, uint32_t index)
{
    struct uring_write *w = &u->writes[index];
    struct io_uring_sqe *sqe = uring_next_sqe(u);
    io_uring_prep_write(sqe, w->file, w->data + w->done, w->size - w->done, w->offset + w->done);
    io_uring_sqe_set_data64(sqe, uring_data(OP_WRITE, 0, index));
}

static void give_to_writer(struct uring *u, uint32_t index)
{
    struct uring_writer *writer = &u->writer;
    writer->queue[writer->tail++ % countof(writer->queue)] = index;
    must(sem_post(&writer->filled) == 0); /* publishes the slot and its place in the queue */
}

void uring_write(struct io *io, uint64_t token, io_file file, const uint8_t *data, uint32_t size,
                 uint64_t offset)
{
    struct uring *u = (struct uring *)io;
    uint32_t index = 0;
    while (index < URING_WRITES_MAX && u->writes[index].is_used) {
        index++;
    }
    must(index < URING_WRITES_MAX && size > 0);
    struct uring_write *w = &u->writes[index];
    w->is_used = true;
    w->token = token;
    w->file = file;
    w->data = data;
    w->size = size;
    w->offset = offset;
    w->done = 0;
    if (u->has_writer) {
        give_to_writer(u, index);
    } else {
        arm_write(u, index);
    }
}

/* What remains of a short write is written again: it ends, or the kernel says why not. */
bool uring_write_completed(struct uring *u, uint32_t index, int32_t result, struct io_event *event)
{
    struct uring_write *w = &u->writes[index];
    if (result == -EAGAIN || result == -EINTR) {
        arm_write(u, index);
        return false;
    }
    if (result > 0) {
        w->done += (uint32_t)result;
        if (w->done < w->size) {
            arm_write(u, index);
            return false;
        }
        result = (int32_t)w->size;
    } else {
        result = result == 0 ? -(int32_t)IO_ERR_NO_SPACE : -(int32_t)io_err_of(-result);
    }
    w->is_used = false;
    uring_event(event, w->token, IO_WRITE, result, -1);
    return true;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static int32_t write_blocking(const struct uring_write *w)
{
    uint32_t done = 0;
    while (done < w->size) {
        ssize_t n = pwrite(w->file, w->data + done, w->size - done, (off_t)(w->offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? -(int32_t)IO_ERR_NO_SPACE : -(int32_t)io_err_of(errno);
        }
        done += (uint32_t)n;
    }
    return (int32_t)done;
}

/* Each post is a write, the last one the end: what was given before is written. */
static void *writer_main(void *context)
{
    struct uring *u = context;
    struct uring_writer *writer = &u->writer;
    mem_seal_thread(); /* it writes what others took */
    for (;;) {
        if (sem_wait(&writer->filled) != 0) {
            continue; /* a debugger came */
        }
        uint32_t index = writer->queue[writer->head++ % countof(writer->queue)];
        if (index == WRITER_STOP) {
            return NULL;
        }
        struct uring_write *w = &u->writes[index];
        w->result = write_blocking(w);
        atomic_store(&w->is_finished, true);
        if (atomic_exchange(&u->writer.owner_waits, false)) { /* else it looks before it waits */
            u->io.ops->wake(&u->io);
        }
    }
}

static bool any_finished(const struct uring *u)
{
    for (uint32_t i = 0; i < URING_WRITES_MAX; i++) {
        if (u->writes[i].is_used && atomic_load(&u->writes[i].is_finished)) {
            return true;
        }
    }
    return false;
}

/* Sequentially consistent on both sides: the owner sees the write, or the writer that it waits. */
bool uring_wait_begins(struct uring *u)
{
    atomic_store(&u->writer.owner_waits, true);
    return !any_finished(u);
}

void uring_wait_ended(struct uring *u)
{
    atomic_store_explicit(&u->writer.owner_waits, false, memory_order_relaxed);
}

uint32_t uring_writes_finished(struct uring *u, struct io_event *events, uint32_t events_max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < URING_WRITES_MAX && count < events_max; i++) {
        struct uring_write *w = &u->writes[i];
        if (w->is_used && atomic_load_explicit(&w->is_finished, memory_order_acquire)) {
            atomic_store_explicit(&w->is_finished, false, memory_order_relaxed);
            w->is_used = false;
            uring_event(&events[count++], w->token, IO_WRITE, w->result, -1);
        }
    }
    return count;
}

bool uring_writer_start(struct uring *u)
{
    struct uring_writer *writer = &u->writer;
    must(sem_init(&writer->filled, 0, 0) == 0);
    sigset_t all, before; /* signals are for the threads that wait for them */
    (void)sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    u->has_writer = pthread_create(&writer->thread, NULL, writer_main, u) == 0;
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (u->has_writer) {
        (void)pthread_setname_np(writer->thread, "journal-write");
        /* Everybody waits for it, and it only waits for the disk: it goes first, on the owner's
         * core too. A wish: without CAP_SYS_NICE it is scheduled as its owner is. */
        const struct sched_param first = {.sched_priority = 1};
        (void)pthread_setschedparam(writer->thread, SCHED_FIFO, &first);
    }
    return u->has_writer;
}

void uring_writer_stop(struct uring *u)
{
    if (!u->has_writer) {
        return;
    }
    give_to_writer(u, WRITER_STOP);
    (void)pthread_join(u->writer.thread, NULL);
    u->has_writer = false;
}
