/* sim_test.c - the simulation's HSM keeps the client's promises: one result a job, none after its
 * deadline, nothing but UNAVAILABLE when it is silent. */
#include "tests/sim/hsm_sim.h"

#include "tests/hsm/demo_keys.h"
#include <criterion/criterion.h>

#define ALL (HSM_CHECK_PIN | HSM_CHECK_CVV2 | HSM_CHECK_CVV)

static int64_t time_ns;

static int64_t read_time(void *context)
{
    (void)context;
    return time_ns;
}

static const struct clock_source simulated = {.boot_ns = read_time, .wall_ns = read_time};
static struct sim_random random_of_test = {.state = 42};

Test(hsm_sim, answers_after_its_delay_and_before_the_deadline)
{
    const struct hsm_sim_faults faults = {.delay_min_ns = 100, .delay_max_ns = 200};
    struct hsm_client *client =
        hsm_sim_create(&simulated, &random_of_test, demo_keys, DEMO_KEYS, &faults);
    struct hsm_job job = demo_job(5, 1000, ALL);
    struct hsm_result result;
    cr_assert_eq(hsm_deadline(client), INT64_MAX);
    cr_assert(hsm_submit(client, &job));
    hsm_flush(client);
    cr_assert_not(hsm_client_pending(client));
    cr_assert_eq(hsm_drain(client, &result, 1, time_ns), 0);
    time_ns = hsm_deadline(client);
    cr_assert(time_ns >= 100 && time_ns <= 200);
    cr_assert(hsm_client_pending(client));
    cr_assert_eq(hsm_drain(client, &result, 1, time_ns), 1);
    cr_assert_eq(result.token, 5);
    cr_assert_eq(result.pin, HSM_OK);
    cr_assert_eq(result.cvv2, HSM_OK);
    cr_assert_eq(result.cvv, HSM_OK);

    hsm_sim_set_mode(client, HSM_SIM_SILENT);
    job.deadline_ns = time_ns + 500;
    cr_assert(hsm_submit(client, &job));
    cr_assert_eq(hsm_drain(client, &result, 1, time_ns + 499), 0);
    time_ns = hsm_deadline(client);
    cr_assert_eq(time_ns, job.deadline_ns);
    cr_assert_eq(hsm_drain(client, &result, 1, time_ns), 1);
    cr_assert_eq(result.status, HSM_UNAVAILABLE);
    cr_assert_eq(result.pin, HSM_UNAVAILABLE);
    cr_assert_eq(hsm_drain(client, &result, 1, INT64_MAX), 0);
    hsm_sim_set_mode(client, HSM_SIM_DOWN);
    cr_assert_not(hsm_submit(client, &job));
    hsm_sim_destroy(client);
}

Test(hsm_sim, late_and_failing_jobs_are_unavailable)
{
    const struct hsm_sim_faults faults = {
        .delay_min_ns = 1, .delay_max_ns = 1, .late_percent = 30, .unavailable_percent = 30};
    struct hsm_client *client =
        hsm_sim_create(&simulated, &random_of_test, demo_keys, DEMO_KEYS, &faults);
    uint32_t counts[3] = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        struct hsm_job job = demo_job(i, time_ns + 10, HSM_CHECK_CVV2);
        job.cvv2[0] = i % 2 == 0 ? '0' : '9';
        struct hsm_result result;
        cr_assert(hsm_submit(client, &job));
        time_ns += 10;
        cr_assert_eq(hsm_drain(client, &result, 1, time_ns), 1);
        cr_assert_eq(result.pin, HSM_NOT_ASKED);
        cr_assert_neq(result.cvv2, i % 2 == 0 ? HSM_WRONG : HSM_OK);
        counts[result.cvv2 == HSM_OK ? 0 : result.cvv2 == HSM_WRONG ? 1 : 2]++;
    }
    cr_assert(counts[0] > 150 && counts[1] > 150 && counts[2] > 350);
    hsm_sim_destroy(client);
}
