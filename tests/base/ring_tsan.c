/* ring_tsan.c - two threads, a ring each way and their bells, for ThreadSanitizer. A plain main().
 */
#include "base/agent.h"
#include "base/mem.h"
#include "base/ring.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RECORDS  100000u
#define CAPACITY (64u * 1024u)

struct side {
    struct agent agent;
    struct thread thread;
    struct ring *in, *out;
    struct bell *other;
    uint64_t sent, received;
    bool echoes;
};

static void side_event(struct agent *agent, const struct io_event *event)
{
    (void)agent;
    (void)event;
}

static uint32_t side_turn(struct agent *agent)
{
    struct side *side = (struct side *)agent;
    uint32_t work = 0, size;
    void *record;
    while ((record = ring_peek(side->in, &size)) != NULL) {
        uint64_t number;
        must(size >= 8 && size == 8 + side->received % 50);
        memcpy(&number, record, 8);
        must(number == side->received);
        ring_next(side->in);
        side->received++;
        work++;
    }
    ring_release(side->in);
    if (!side->echoes && side->thread.turns_count % 64 == 63) { /* let the other side fall asleep */
        (void)nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    uint64_t until = side->echoes ? side->received : RECORDS;
    while (side->sent < until) {
        void *out = ring_reserve(side->out, (uint32_t)(8 + side->sent % 50));
        if (out == NULL) {
            break;
        }
        memcpy(out, &side->sent, 8);
        side->sent++;
        work++;
    }
    ring_publish(side->out);
    bell_ring(side->other);
    if (side->received == RECORDS && side->sent == RECORDS) {
        atomic_store(&side->thread.stop, true);
    }
    return work;
}

static int64_t side_deadline(const struct agent *agent)
{
    (void)agent;
    return INT64_MAX;
}

static bool side_pending(const struct agent *agent)
{
    return !ring_empty(((const struct side *)agent)->in);
}

static const struct agent_ops ops = {"side", side_event, side_turn, side_deadline, side_pending};
static pthread_barrier_t ready;

static void *run(void *context)
{
    struct side *side = context;
    char text[256];
    side->thread.io = io_uring_create(text, sizeof text);
    if (side->thread.io == NULL) {
        (void)puts(text);
        return NULL;
    }
    side->thread.bell.io = side->thread.io;
    (void)pthread_barrier_wait(&ready);
    thread_run(&side->thread);
    return NULL;
}

int main(void)
{
    static struct side sides[2];
    struct ring *rings[2];
    must(pthread_barrier_init(&ready, NULL, 2) == 0);
    for (int i = 0; i < 2; i++) {
        rings[i] = ring_init(mem_take(MEM_PLAIN, ring_bytes(CAPACITY), "ring"), CAPACITY);
    }
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        sides[i] = (struct side){.in = rings[i], .out = rings[1 - i], .echoes = i == 1};
        sides[i].other = &sides[1 - i].thread.bell;
        sides[i].agent.ops = &ops;
        thread_init(&sides[i].thread, i == 0 ? "a" : "b", &clock_system);
        thread_add(&sides[i].thread, &sides[i].agent);
    }
    for (int i = 0; i < 2; i++) {
        must(pthread_create(&threads[i], NULL, run, &sides[i]) == 0);
    }
    for (int i = 0; i < 2; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        /* A record between its publishing and its bell may be found by the guard, a lost bell would
         * be found again and again. */
        must(sides[i].received == RECORDS && sides[i].thread.guard_found_count < 3);
    }
    must(sides[1].thread.sleeps_count > 0);
    (void)puts("1 passed, 0 failed");
    return 0;
}
