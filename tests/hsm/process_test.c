/* process_test.c - a real token, a real hsmd, a real client: right and wrong values, batches, and
 * what happens when hsmd is stopped, killed, or when the token goes away. Waits are bounded by
 * WAIT_NS and never by how fast the machine is. */
#include "base/clock.h"
#include "hsm/supervisor.h"

#include "base/io.h"
#include "tests/hsm/scratch.h"
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define WAIT_NS (60 * NS_PER_S)
#define LONG_NS (30 * NS_PER_S) /* a deadline that an answer does not reach */
#define ALL     (HSM_CHECK_PIN | HSM_CHECK_CVV2 | HSM_CHECK_CVV)

static struct hsm_key keys[DEMO_KEYS];
static struct hsm_supervisor *supervisor;
static struct hsm_client *client;
static char text[HSM_TEXT_BYTES];

static int64_t now_ns(void)
{
    return clock_system.boot_ns(clock_system.context);
}

static struct hsm_options options_of_test(void)
{
    for (uint32_t i = 0; i < DEMO_KEYS; i++) {
        keys[i] = demo_keys[i].key;
    }
    return (struct hsm_options){.program = HSM_TEST_PROGRAM,
                                .token_directory = scratch,
                                .keys = keys,
                                .keys_count = DEMO_KEYS,
                                .clients_count = 2,
                                .start_timeout_ns = WAIT_NS};
}

static void start_with(const struct hsm_options *options)
{
    text[0] = '\0';
    supervisor = hsm_supervisor_start(options, text, sizeof text);
    cr_assert_not_null(supervisor, "%s", text);
    client = hsm_client_create(hsm_supervisor_shared(supervisor), 1);
}

static void start(void)
{
    scratch_token();
    struct hsm_options options = options_of_test();
    start_with(&options);
}

static void stop(void)
{
    if (supervisor != NULL) {
        hsm_supervisor_stop(supervisor);
    }
    scratch_remove();
}

/* One turn of an agent and its sleep: drain, look once more, wait for the bell or a deadline. */
static uint32_t turn(struct hsm_result *results, uint32_t results_max)
{
    uint32_t count = hsm_drain(client, results, results_max, now_ns());
    (void)hsm_supervisor_tick(supervisor, now_ns());
    if (count == 0 && !hsm_client_pending(client)) {
        int64_t wait_ms = (hsm_deadline(client) - now_ns()) / NS_PER_MS + 1;
        struct pollfd bell = {.fd = hsm_client_wake_fd(client), .events = POLLIN};
        uint64_t rung;
        if (poll(&bell, 1, wait_ms < 0 ? 0 : wait_ms > 20 ? 20 : (int)wait_ms) > 0) {
            cr_assert_eq(read(bell.fd, &rung, sizeof rung), (ssize_t)sizeof rung);
        }
    }
    return count;
}

static void collect(struct hsm_result *results, uint32_t count)
{
    int64_t until_ns = now_ns() + WAIT_NS;
    for (uint32_t got = 0; got < count;) {
        got += turn(results + got, count - got);
        cr_assert_lt(now_ns(), until_ns, "%u of %u results", got, count);
    }
}

static struct hsm_result ask(struct hsm_job job)
{
    struct hsm_result result = {.status = HSM_UNAVAILABLE};
    cr_assert(hsm_submit(client, &job));
    hsm_flush(client);
    collect(&result, 1);
    cr_assert_eq(result.token, job.token);
    cr_assert_eq(hsm_deadline(client), INT64_MAX);
    return result;
}

/* Asks again and again, as traffic does, until the answer is a definite one. */
static struct hsm_result ask_until_answered(uint64_t token)
{
    int64_t until_ns = now_ns() + WAIT_NS;
    struct hsm_result result = {.status = HSM_UNAVAILABLE};
    while (result.status != HSM_OK) {
        struct hsm_job job = demo_job(token, now_ns() + 200 * NS_PER_MS, ALL);
        if (hsm_submit(client, &job)) {
            hsm_flush(client);
            collect(&result, 1);
        } else {
            (void)turn(&result, 1);
        }
        cr_assert_lt(now_ns(), until_ns, "%s", hsm_supervisor_status(supervisor, 0).text);
    }
    return result;
}

static void assert_all(struct hsm_result result, enum hsm_answer answer)
{
    cr_assert_eq(result.status, answer == HSM_UNAVAILABLE ? HSM_UNAVAILABLE : HSM_OK);
    cr_assert_eq(result.pin, answer);
    cr_assert_eq(result.cvv2, answer);
    cr_assert_eq(result.cvv, answer);
}

static struct hsm_job wrong_job(uint64_t token, int64_t deadline_ns)
{
    struct hsm_job job = demo_job(token, deadline_ns, ALL);
    memcpy(job.pin_block, (uint8_t[]){0x88, 0x3F, 0xD0, 0x0A, 0x21, 0x63, 0x59, 0xA2}, 8);
    memcpy(job.cvv2, "999", 3);
    memcpy(job.cvv, "999", 3);
    return job;
}

TestSuite(process, .init = start, .fini = stop);

Test(process, answers_from_the_token)
{
    assert_all(ask(demo_job(1, now_ns() + LONG_NS, ALL)), HSM_OK);
    assert_all(ask(wrong_job(2, now_ns() + LONG_NS)), HSM_WRONG);
    struct hsm_job job = demo_job(3, now_ns() + LONG_NS, HSM_CHECK_PIN);
    job.pin_block[0] ^= 1;
    struct hsm_result result = ask(job);
    cr_assert_eq(result.pin, HSM_BAD_BLOCK);
    cr_assert_eq(result.cvv2, HSM_NOT_ASKED);
    job = demo_job(4, now_ns() + LONG_NS, HSM_CHECK_CVV);
    job.cvk = DEMO_ZPK; /* not of that use */
    result = ask(job);
    cr_assert_eq(result.status, HSM_UNAVAILABLE);
    cr_assert_eq(result.cvv, HSM_UNAVAILABLE);
    struct hsm_instance_status status = hsm_supervisor_status(supervisor, 0);
    cr_assert_eq(status.state, HSM_INSTANCE_READY);
    cr_assert_eq(status.jobs_count, 4);
    cr_assert_eq(status.errors_count, 0);
    cr_assert_not(hsm_supervisor_keeps_pin_inside(supervisor));
}

Test(process, a_result_wakes_an_io_that_sleeps)
{
    struct io *io = io_uring_create(text, sizeof text);
    cr_assert_not_null(io, "%s", text);
    io->ops->watch(io, 77, hsm_client_wake_fd(client));
    for (uint32_t round = 0; round < 3; round++) {
        struct hsm_job job = demo_job(round, now_ns() + LONG_NS, ALL);
        struct hsm_result result;
        struct io_event event = {.kind = IO_ACCEPT};
        cr_assert(hsm_submit(client, &job));
        hsm_flush(client);
        while (!hsm_client_pending(client)) { /* else the answer came before we could sleep */
            if (io->ops->wait(io, now_ns() + LONG_NS, &event, 1) == 1) {
                cr_assert_eq(event.kind, IO_WATCH);
                cr_assert_eq(event.token, 77);
            }
            cr_assert_lt(now_ns(), job.deadline_ns, "the bell was not heard");
        }
        cr_assert_eq(hsm_drain(client, &result, 1, now_ns()), 1);
        assert_all(result, HSM_OK);
    }
    io->ops->destroy(io);
}

Test(process, the_data_keys_come_once_and_are_the_same_for_the_next_daemon)
{
    const struct hsm_data_keys *keys_taken = hsm_supervisor_data_keys(supervisor);
    static const uint8_t zeros[HSM_DATA_KEY_BYTES];
    struct hsm_data_keys first = *keys_taken;
    cr_assert_eq(first.card_index[0].id, 1);
    cr_assert_eq(first.data[0].id, 1);
    cr_assert_eq(first.data[1].id, 0);
    cr_assert_arr_neq(first.card_index[0].bytes, zeros, sizeof zeros);
    cr_assert_arr_neq(first.card_index[0].bytes, first.data[0].bytes, sizeof zeros);
    hsm_supervisor_stop(supervisor);
    struct hsm_options options = options_of_test();
    start_with(&options);
    cr_assert_arr_eq(hsm_supervisor_data_keys(supervisor), &first, sizeof first);
}

Test(process, a_thousand_jobs_at_once)
{
    enum { JOBS = HSM_CLIENT_JOBS_MAX };
    static struct hsm_result results[JOBS];
    static bool seen[JOBS];
    int64_t deadline_ns = now_ns() + LONG_NS;
    for (uint32_t i = 0; i < JOBS; i++) {
        struct hsm_job job = i % 3 == 0 ? wrong_job(i, deadline_ns) : demo_job(i, deadline_ns, ALL);
        cr_assert(hsm_submit(client, &job));
    }
    struct hsm_job one_more = demo_job(JOBS, deadline_ns, ALL);
    cr_assert_not(hsm_submit(client, &one_more));
    hsm_flush(client);
    collect(results, JOBS);
    for (uint32_t i = 0; i < JOBS; i++) {
        cr_assert_lt(results[i].token, JOBS);
        cr_assert_not(seen[results[i].token]);
        seen[results[i].token] = true;
        assert_all(results[i], results[i].token % 3 == 0 ? HSM_WRONG : HSM_OK);
    }
    assert_all(ask(demo_job(7, now_ns() + LONG_NS, ALL)), HSM_OK);
}

Test(process, a_stopped_hsmd_costs_the_deadline_and_then_nothing)
{
    int32_t process_id = hsm_supervisor_status(supervisor, 0).process_id;
    cr_assert_eq(kill(process_id, SIGSTOP), 0);
    uint32_t refused_count = 0;
    for (uint32_t i = 0; i < 8; i++) {
        struct hsm_job job = demo_job(i, now_ns() + 30 * NS_PER_MS, ALL);
        struct hsm_result result = {.status = HSM_OK};
        if (!hsm_submit(client, &job)) {
            refused_count++; /* the breaker is open */
            continue;
        }
        hsm_flush(client);
        collect(&result, 1);
        assert_all(result, HSM_UNAVAILABLE);
        cr_assert_geq(now_ns(), job.deadline_ns);
    }
    cr_assert_eq(refused_count, 3, "five deadlines in a row open the breaker: %u", refused_count);
    cr_assert_eq(hsm_supervisor_status(supervisor, 0).breakers_open_count, 1);
    cr_assert_eq(kill(process_id, SIGCONT), 0);
    assert_all(ask_until_answered(100), HSM_OK);
    cr_assert_eq(hsm_supervisor_status(supervisor, 0).breakers_open_count, 0);
    cr_assert_eq(hsm_supervisor_status(supervisor, 0).process_id, process_id, "it was left alone");
}

Test(process, a_late_result_is_never_given_to_another_job)
{
    int32_t process_id = hsm_supervisor_status(supervisor, 0).process_id;
    cr_assert_eq(kill(process_id, SIGSTOP), 0);
    struct hsm_job good = demo_job(1, now_ns() + 20 * NS_PER_MS, ALL);
    struct hsm_result result;
    cr_assert(hsm_submit(client, &good));
    hsm_flush(client);
    collect(&result, 1);
    assert_all(result, HSM_UNAVAILABLE);
    struct hsm_job wrong = wrong_job(2, now_ns() + LONG_NS); /* takes the same place */
    cr_assert(hsm_submit(client, &wrong));
    hsm_flush(client);
    cr_assert_eq(kill(process_id, SIGCONT), 0);
    collect(&result, 1);
    cr_assert_eq(result.token, 2);
    assert_all(result, HSM_WRONG);
}

Test(process, a_killed_hsmd_is_started_again)
{
    int32_t process_id = hsm_supervisor_status(supervisor, 0).process_id;
    assert_all(ask(demo_job(1, now_ns() + LONG_NS, ALL)), HSM_OK);
    cr_assert_eq(kill(process_id, SIGKILL), 0);
    assert_all(ask_until_answered(2), HSM_OK);
    struct hsm_instance_status status = hsm_supervisor_status(supervisor, 0);
    cr_assert_neq(status.process_id, process_id);
    cr_assert_geq(status.restarts_count, 1);
    cr_assert_eq(status.state, HSM_INSTANCE_READY);
}

Test(process, kills_under_load_lose_answers_but_never_falsify_one)
{
    enum { JOBS = 64, KILLS = 4, ROUNDS_PER_KILL = 30 };
    uint64_t token = 0, right_count = 0;
    for (uint32_t round = 0; round < KILLS * ROUNDS_PER_KILL; round++) {
        struct hsm_result results[JOBS];
        bool seen[JOBS] = {false};
        uint32_t submitted = 0;
        uint64_t first = token;
        for (; submitted < JOBS; submitted++, token++) {
            int64_t deadline_ns = now_ns() + 100 * NS_PER_MS;
            struct hsm_job job =
                token % 2 == 0 ? demo_job(token, deadline_ns, ALL) : wrong_job(token, deadline_ns);
            if (!hsm_submit(client, &job)) {
                break;
            }
        }
        hsm_flush(client);
        if (round % ROUNDS_PER_KILL == ROUNDS_PER_KILL / 2) {
            int32_t process_id = hsm_supervisor_status(supervisor, 0).process_id;
            cr_assert(process_id == 0 || kill(process_id, SIGKILL) == 0);
        }
        collect(results, submitted);
        for (uint32_t i = 0; i < submitted; i++) {
            uint64_t which = results[i].token - first;
            cr_assert_lt(which, submitted);
            cr_assert_not(seen[which]);
            seen[which] = true;
            if (results[i].status == HSM_OK) {
                assert_all(results[i], results[i].token % 2 == 0 ? HSM_OK : HSM_WRONG);
                right_count++;
            } else {
                assert_all(results[i], HSM_UNAVAILABLE);
            }
        }
        cr_assert_eq(hsm_deadline(client), INT64_MAX);
    }
    cr_assert_gt(right_count, 0);
    assert_all(ask_until_answered(token), HSM_OK);
}

Test(process, hsmd_ends_with_its_daemon)
{
    int32_t process_id = hsm_supervisor_status(supervisor, 0).process_id;
    hsm_supervisor_stop(supervisor);
    cr_assert_eq(kill(process_id, 0), -1);
    cr_assert_eq(hsm_supervisor_status(supervisor, 0).state, HSM_INSTANCE_ABSENT);
    struct hsm_job job = demo_job(1, now_ns() + LONG_NS, ALL);
    cr_assert_not(hsm_submit(client, &job));
}

Test(process, hsmd_goes_on_when_the_tokens_folder_is_gone)
{
    char away[128];
    (void)snprintf(away, sizeof away, "%s-away", scratch);
    assert_all(ask(demo_job(1, now_ns() + LONG_NS, ALL)), HSM_OK);
    cr_assert_eq(rename(scratch, away), 0);
    assert_all(ask(demo_job(2, now_ns() + LONG_NS, ALL)), HSM_OK);
    cr_assert_eq(rename(away, scratch), 0);
}

Test(process, a_start_without_a_token_recovers_when_the_token_comes)
{
    char away[128];
    (void)snprintf(away, sizeof away, "%s-away", scratch);
    cr_assert_eq(mkdir(away, 0700), 0);
    char from[128], to[160];
    (void)snprintf(from, sizeof from, "%s/tokens", scratch);
    (void)snprintf(to, sizeof to, "%s/tokens", away);
    cr_assert_eq(rename(from, to), 0);
    cr_assert_eq(kill(hsm_supervisor_status(supervisor, 0).process_id, SIGKILL), 0);
    int64_t until_ns = now_ns() + WAIT_NS;
    struct hsm_result result;
    while (hsm_supervisor_status(supervisor, 0).state != HSM_INSTANCE_BROKEN) {
        (void)turn(&result, 1);
        cr_assert_lt(now_ns(), until_ns);
    }
    struct hsm_job job = demo_job(1, now_ns() + LONG_NS, ALL);
    cr_assert_not(hsm_submit(client, &job));
    cr_assert_eq(rename(to, from), 0);
    assert_all(ask_until_answered(2), HSM_OK);
    cr_assert_eq(rmdir(away), 0);
}

Test(process, two_instances_share_the_work)
{
    hsm_supervisor_stop(supervisor);
    struct hsm_options options = options_of_test();
    options.instances_count = 2;
    start_with(&options);
    static struct hsm_result results[64];
    for (uint32_t i = 0; i < countof(results); i++) {
        struct hsm_job job = demo_job(i, now_ns() + LONG_NS, ALL);
        cr_assert(hsm_submit(client, &job));
    }
    hsm_flush(client);
    collect(results, countof(results));
    for (uint32_t i = 0; i < countof(results); i++) {
        assert_all(results[i], HSM_OK);
    }
    cr_assert_gt(hsm_supervisor_status(supervisor, 0).jobs_count, 0);
    cr_assert_gt(hsm_supervisor_status(supervisor, 1).jobs_count, 0);
    cr_assert_eq(kill(hsm_supervisor_status(supervisor, 0).process_id, SIGKILL), 0);
    assert_all(ask_until_answered(1), HSM_OK);
}

TestSuite(refused_start, .init = scratch_token, .fini = scratch_remove);

static void assert_refused(const struct hsm_options *options, const char *says)
{
    text[0] = '\0';
    cr_assert_null(hsm_supervisor_start(options, text, sizeof text));
    cr_assert_not_null(strstr(text, says), "\"%s\" does not say \"%s\"", text, says);
}

Test(refused_start, says_what_is_missing)
{
    struct hsm_options options = options_of_test();
    options.module = "/nowhere/p11.so";
    assert_refused(&options, "/nowhere/p11.so cannot be loaded");
    options = options_of_test();
    options.program = "/nowhere/hsmd";
    assert_refused(&options, "/nowhere/hsmd cannot be run");
    options = options_of_test();
    options.pin_file = "/nowhere/pin";
    assert_refused(&options, "/nowhere/pin: No such file");
    options = options_of_test();
    options.token_label = "another";
    options.start_timeout_ns = NS_PER_S / 2;
    assert_refused(&options, "no token \"another\"");
}

Test(refused_start, a_wrong_pin_is_tried_once)
{
    struct hsm_options options = options_of_test();
    FILE *file = fopen(scratch_path("pin"), "w");
    cr_assert_not_null(file);
    (void)fputs("12345678\n", file);
    (void)fclose(file);
    assert_refused(&options, "refuses the PIN");
}

Test(refused_start, keys_that_are_missing_or_others)
{
    struct hsm_options options = options_of_test();
    keys[DEMO_PVK].kcv[1] ^= 1;
    assert_refused(&options, "pvk-demo-1 of the token is not the one");
    options = options_of_test();
    memcpy(keys[DEMO_MAC].label, "mac-nobody", 11);
    assert_refused(&options, "no key mac-nobody");
    options = options_of_test();
    options.refuse_test_keys = true;
    assert_refused(&options, "published test key");
    options = options_of_test();
    cr_assert_eq(unlink(scratch_path("data-keys")), 0);
    assert_refused(&options, "data-keys");
}

#ifdef RS_ASAN /* where nothing can be locked */
Test(refused_start, memory_that_may_not_be_locked)
{
    struct hsm_options options = options_of_test();
    options.lock_memory = true;
    assert_refused(&options, "hsmd cannot lock its memory; raise the memlock limit");
}
#endif

Test(refused_start, hsmd_alone_says_who_starts_it)
{
    char name[] = "hsmd";
    char *arguments[] = {name, NULL};
    posix_spawn_file_actions_t actions;
    pid_t process_id;
    int status;
    cr_assert_eq(posix_spawn_file_actions_init(&actions), 0);
    cr_assert_eq(posix_spawn_file_actions_addclosefrom_np(&actions, 3), 0);
    cr_assert_eq(posix_spawn(&process_id, HSM_TEST_PROGRAM, &actions, NULL, arguments, environ), 0);
    cr_assert_eq(waitpid(process_id, &status, 0), process_id);
    cr_assert_eq(WEXITSTATUS(status), 2);
    (void)posix_spawn_file_actions_destroy(&actions);
}
