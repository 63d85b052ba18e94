#include "base/agent.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

/* An io of the test's own: one event per entry of a script, and it remembers how it was waited for.
 */
struct fake_io {
    struct io io;
    struct io_event events[8];
    uint32_t events_count;
    int64_t waited_until_ns;
    uint32_t wakes_count;
    void (*while_asleep)(void);
};

static uint32_t fake_wait(struct io *io, int64_t until_ns, struct io_event *events, uint32_t max)
{
    struct fake_io *fake = (struct fake_io *)io;
    uint32_t count = fake->events_count < max ? fake->events_count : max;
    for (uint32_t i = 0; i < count; i++) {
        events[i] = fake->events[i];
    }
    fake->events_count = 0;
    fake->waited_until_ns = until_ns;
    if (until_ns != 0 && fake->while_asleep != NULL) {
        fake->while_asleep();
    }
    return count;
}

static void fake_wake(struct io *io)
{
    ((struct fake_io *)io)->wakes_count++;
}

static const struct io_ops fake_ops = {.wait = fake_wait, .wake = fake_wake};

struct counting {
    struct agent agent;
    uint32_t events_seen, turns, inbox, did;
    int64_t deadline_ns;
    struct counting *late; /* whose inbox fills while the thread makes ready to sleep */
};

static void counting_event(struct agent *agent, const struct io_event *event)
{
    (void)event;
    ((struct counting *)agent)->events_seen++;
}

static uint32_t counting_turn(struct agent *agent)
{
    struct counting *c = (struct counting *)agent;
    uint32_t work = c->inbox;
    c->turns++;
    c->did += work;
    c->inbox = 0;
    return work;
}

static int64_t counting_deadline(const struct agent *agent)
{
    const struct counting *c = (const struct counting *)agent;
    if (c->late != NULL) {
        c->late->inbox = c->late->did == 0;
    }
    return c->deadline_ns;
}

static bool counting_pending(const struct agent *agent)
{
    return ((const struct counting *)agent)->inbox > 0;
}

static const struct agent_ops counting_ops = {"counting", counting_event, counting_turn,
                                              counting_deadline, counting_pending};

static int64_t boot_ns, wall_ns;
static int64_t fake_boot(void *context)
{
    (void)context;
    return boot_ns;
}
static int64_t fake_wall(void *context)
{
    (void)context;
    return wall_ns;
}

static struct fake_io io;
static struct thread thread;
static struct counting first, second;

static void create(void)
{
    boot_ns = 100 * NS_PER_S;
    wall_ns = 1000 * NS_PER_S;
    const struct clock_source source = {fake_boot, fake_wall, NULL};
    io.io.ops = &fake_ops;
    thread_init(&thread, "test", &source);
    thread.io = &io.io;
    thread.bell.io = &io.io;
    first.agent.ops = second.agent.ops = &counting_ops;
    first.deadline_ns = second.deadline_ns = INT64_MAX;
    thread_add(&thread, &first.agent);
    thread_add(&thread, &second.agent);
}

TestSuite(agent, .init = create);

Test(agent, events_go_to_the_agent_of_their_token)
{
    io.events[0].token = io_token(second.agent.id, 9, 1, 2);
    io.events[1].token = io_token(first.agent.id, 9, 1, 2);
    io.events[2].token = io_token(second.agent.id, 9, 1, 2);
    io.events_count = 3;
    cr_assert_eq(thread_round(&thread, 0), 3);
    cr_assert(first.events_seen == 1 && second.events_seen == 2);
    cr_assert(first.turns == 1 && second.turns == 1);
    cr_assert_eq(io_token_kind(io.events[0].token), 9);
}

static void stop_then(void)
{
    atomic_store(&thread.stop, true);
}

Test(agent, sleeps_until_the_earliest_deadline)
{
    io.while_asleep = stop_then;
    second.deadline_ns = boot_ns + 7 * NS_PER_MS;
    thread_run(&thread);
    cr_assert_eq(io.waited_until_ns, boot_ns + 7 * NS_PER_MS);
}

Test(agent, sleeps_no_longer_than_the_guard)
{
    io.while_asleep = stop_then;
    thread_run(&thread);
    cr_assert_eq(io.waited_until_ns, boot_ns + THREAD_GUARD_NS);
    cr_assert_eq(thread.guard_found_count, 0);
}

static void work_without_a_bell(void)
{
    boot_ns += THREAD_GUARD_NS;
    first.inbox = 1;
    stop_then();
}

Test(agent, work_that_only_the_guard_found_is_counted)
{
    io.while_asleep = work_without_a_bell;
    thread_run(&thread);
    cr_assert_eq(first.did, 1);
    cr_assert_eq(thread.guard_found_count, 1);
}

static void work_with_a_bell(void)
{
    first.inbox = 1;
    bell_ring(&thread.bell);
    bell_ring(&thread.bell);
    stop_then();
}

Test(agent, a_bell_wakes_once_and_is_no_fault)
{
    io.while_asleep = work_with_a_bell;
    thread_run(&thread);
    cr_assert_eq(first.did, 1);
    cr_assert_eq(io.wakes_count, 1);
    cr_assert_eq(thread.guard_found_count, 0);
    cr_assert_eq(thread.bell.rung_count, 1);
}

Test(agent, a_thread_that_is_awake_is_not_woken)
{
    bell_ring(&thread.bell);
    cr_assert_eq(io.wakes_count, 0);
    atomic_store(&thread.bell.asleep, 1); /* it slept, and an event woke it */
    io.events[0].token = io_token(first.agent.id, 0, 0, 0);
    io.events_count = 1;
    (void)thread_round(&thread, 1);
    bell_ring(&thread.bell);
    cr_assert_eq(io.wakes_count, 0);
}

Test(agent, a_passed_deadline_means_no_sleep)
{
    first.deadline_ns = boot_ns;
    io.waited_until_ns = -1;
    second.inbox = 1;
    (void)thread_round(&thread, 0);
    cr_assert_eq(second.did, 1);
    cr_assert_eq(io.waited_until_ns, 0);
    cr_assert_eq(thread.sleeps_count, 0);
}

static void nothing_waits(void)
{
    cr_assert_eq(first.inbox, 0, "asleep before its inbox");
    stop_then();
}

/* The bell was not rung, because the thread was not asleep yet: the second look must find it. */
Test(agent, an_inbox_that_fills_before_sleep_is_seen_at_once)
{
    io.while_asleep = nothing_waits;
    second.late = &first;
    thread_run(&thread);
    cr_assert_eq(first.did, 1);
    cr_assert_eq(thread.guard_found_count, 0);
}

Test(agent, a_send_that_ended_is_no_reason_to_look_again)
{
    io.events[0].token = io_token(first.agent.id, 0, 0, 0);
    io.events_count = 1;
    io.while_asleep = stop_then;
    thread_run(&thread);
    cr_assert_eq(first.events_seen, 1);
    cr_assert_eq(thread.turns_count, 2, "the round of the event, and the sleep");
}
