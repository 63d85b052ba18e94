/* agent.c - the loop of a thread, and the protocol of its bell.
 *
 * SLEEP  asleep = 1, look into every inbox once more, then wait in the io. A producer publishes
 * first and then exchanges asleep with 0: either it sees 1 and wakes the io, or the sleeper's
 * second look sees its record. Both sides use sequentially consistent operations for exactly this.
 */
#include "base/agent.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

/* What was published before is visible to the sleeper's second look, or its asleep is visible here.
 * A fence and a load leave the line of a bell that nobody needs to ring shared; ThreadSanitizer
 * does not know fences and gets a read-modify-write. */
static bool is_asleep(struct bell *bell)
{
#ifdef __SANITIZE_THREAD__
    return atomic_fetch_or(&bell->asleep, 0) != 0;
#else
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&bell->asleep, memory_order_relaxed) != 0;
#endif
}

void bell_ring(struct bell *bell)
{
    if (unlikely(is_asleep(bell)) && atomic_exchange(&bell->asleep, 0) != 0) {
        atomic_fetch_add_explicit(&bell->rung_count, 1, memory_order_relaxed);
        bell->io->ops->wake(bell->io);
    }
}

void thread_init(struct thread *thread, const char *name, const struct clock_source *source)
{
    memset(thread, 0, sizeof *thread);
    must(strlen(name) < sizeof thread->name);
    memcpy(thread->name, name, strlen(name) + 1);
    thread->cpu = -1;
    thread->events = mem_take(MEM_PLAIN, LIMIT_IO_EVENTS_MAX * sizeof *thread->events, "events");
    clock_start(&thread->clock, source);
}

void thread_add(struct thread *thread, struct agent *agent)
{
    must(thread->agents_count < THREAD_AGENTS_MAX);
    agent->id = (uint8_t)thread->agents_count;
    agent->io = thread->io; /* NULL when the thread makes its io itself: thread_run() */
    agent->clock = &thread->clock;
    agent->bell = &thread->bell;
    thread->agents[thread->agents_count++] = agent;
}

static int64_t earliest_deadline(const struct thread *thread)
{
    int64_t earliest = INT64_MAX;
    for (uint32_t i = 0; i < thread->agents_count; i++) {
        int64_t deadline = thread->agents[i]->ops->deadline(thread->agents[i]);
        earliest = deadline < earliest ? deadline : earliest;
    }
    return earliest;
}

static bool any_pending(const struct thread *thread)
{
    for (uint32_t i = 0; i < thread->agents_count; i++) {
        if (thread->agents[i]->ops->pending(thread->agents[i])) {
            return true;
        }
    }
    return false;
}

static uint32_t run_agents(struct thread *thread)
{
    uint32_t work = 0;
    for (uint32_t i = 0; i < thread->agents_count; i++) {
        work += thread->agents[i]->ops->turn(thread->agents[i]);
    }
    return work;
}

uint32_t thread_round(struct thread *thread, int64_t wait_until_ns)
{
    uint32_t events_count =
        thread->io->ops->wait(thread->io, wait_until_ns, thread->events, LIMIT_IO_EVENTS_MAX);
    bool unrung = atomic_load_explicit(&thread->bell.asleep, memory_order_relaxed) != 0 &&
                  atomic_exchange(&thread->bell.asleep, 0) != 0;
    thread->io_quiet = unrung && events_count == 0;
    clock_tick(&thread->clock);
    for (uint32_t i = 0; i < events_count; i++) {
        uint8_t id = io_token_agent(thread->events[i].token);
        must(id < thread->agents_count);
        thread->agents[id]->ops->event(thread->agents[id], &thread->events[i]);
    }
    uint32_t work = run_agents(thread);
    if (work > 0 && thread->agents_count > 1) { /* what they left each other: one entry less */
        work += run_agents(thread);
    }
    secret_clear_registers(); /* a dump of a thread that waits shows no card */
    thread->turns_count++;
    thread->is_idle = work == 0;
    return work + events_count;
}

/* Waits at most until the next deadline or the guard; 0 when there is something to do right now. */
static int64_t sleep_until(struct thread *thread, bool *by_guard)
{
    *by_guard = false;
    int64_t now_ns = thread->clock.now_ns;
    int64_t deadline_ns = earliest_deadline(thread);
    if (deadline_ns <= now_ns) {
        return 0;
    }
    (void)atomic_exchange(&thread->bell.asleep, 1);
#ifndef __SANITIZE_THREAD__
    atomic_thread_fence(memory_order_seq_cst); /* pairs with is_asleep() */
#endif
    if (any_pending(thread) || atomic_load(&thread->stop)) {
        return 0;
    }
    *by_guard = deadline_ns > now_ns + THREAD_GUARD_NS;
    thread->sleeps_count++;
    return *by_guard ? now_ns + THREAD_GUARD_NS : deadline_ns;
}

void thread_pin(const struct thread *thread)
{
    if (thread->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (uint32_t i = 0; i < thread->cpus_count; i++) {
            CPU_SET((size_t)thread->cpu + i, &set);
        }
        if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) {
            log_event(LOG_WARN, "thread.not_pinned", log_text("thread", thread->name),
                      log_number("cpu", thread->cpu));
        }
    }
}

void thread_run(struct thread *thread)
{
    must(thread->io != NULL);
    thread->bell.io = thread->io;
    for (uint32_t i = 0; i < thread->agents_count; i++) {
        thread->agents[i]->io = thread->io;
    }
    (void)pthread_setname_np(pthread_self(), thread->name);
    thread->is_idle = false;
    int64_t busy_since_ns = thread->clock.now_ns;
    while (!atomic_load_explicit(&thread->stop, memory_order_relaxed)) {
        bool by_guard = false;
        int64_t spin_ns = (int64_t)thread->spin_us * NS_PER_US;
        /* Events that gave nobody work (a send has ended) are no reason to look again. */
        bool spinning = !thread->is_idle || thread->clock.now_ns - busy_since_ns < spin_ns;
        int64_t until_ns = spinning ? 0 : sleep_until(thread, &by_guard);
        int64_t before_ns = thread->clock.now_ns;
        if (thread_round(thread, until_ns) > 0) {
            busy_since_ns = thread->clock.now_ns;
            if (until_ns == 0 && thread->clock.now_ns - before_ns > thread->stall_max_ns) {
                thread->stall_max_ns = thread->clock.now_ns - before_ns;
            }
            /* Nobody rang, no deadline was near, and yet there was work: a lost bell. */
            thread->guard_found_count +=
                by_guard && thread->clock.now_ns >= until_ns && thread->io_quiet;
        }
    }
}
