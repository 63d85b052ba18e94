/* hsm_sim.c - see hsm_sim.h. The simulation's only thread. */
#include "tests/sim/hsm_sim.h"

#include "hsm/batch.h"
#include "tests/hsm/soft_cipher.h"
#include <stdlib.h>

struct simulated_job {
    struct hsm_job job;
    int64_t done_ns; /* INT64_MAX: never */
    bool fails;
};

struct hsm_sim {
    struct hsm_client base;
    struct clock_source clock;
    struct sim_random *random;
    struct hsm_sim_faults faults;
    enum hsm_sim_mode mode;
    struct soft_cipher cipher;
    struct hsm_key keys[HSM_KEYS_MAX];
    uint32_t keys_count;
    uint64_t all_jobs_count;
    uint32_t jobs_count;
    struct simulated_job jobs[HSM_CLIENT_JOBS_MAX]; /* in no order */
    struct hsm_batch batch;
};

const struct hsm_data_keys hsm_sim_data_keys = {
    .card_index = {{.bytes = "simulated index key, 32 bytes..", .id = 1}},
    .data = {{.bytes = "simulated data key, 32 bytes...", .id = 1}},
};

static int64_t now_ns(const struct hsm_sim *sim)
{
    return sim->clock.boot_ns(sim->clock.context);
}

static bool sim_submit(struct hsm_client *base, const struct hsm_job *job)
{
    struct hsm_sim *sim = (struct hsm_sim *)base;
    must(job->checks != 0);
    if (sim->mode == HSM_SIM_DOWN || sim->jobs_count == HSM_CLIENT_JOBS_MAX) {
        return false;
    }
    uint64_t spread_ns = (uint64_t)(sim->faults.delay_max_ns - sim->faults.delay_min_ns) + 1;
    int64_t delay_ns = sim->faults.delay_min_ns + (int64_t)sim_below(sim->random, spread_ns);
    bool is_late = sim_percent(sim->random, sim->faults.late_percent);
    sim->jobs[sim->jobs_count++] = (struct simulated_job){
        .job = *job,
        .done_ns = sim->mode == HSM_SIM_SILENT || is_late ? INT64_MAX : now_ns(sim) + delay_ns,
        .fails = sim_percent(sim->random, sim->faults.unavailable_percent),
    };
    sim->all_jobs_count++;
    return true;
}

static void sim_flush(struct hsm_client *base)
{
    (void)base;
}

static struct hsm_result nothing_of(const struct hsm_job *job)
{
    return (struct hsm_result){
        .token = job->token,
        .status = HSM_UNAVAILABLE,
        .pin = job->checks & HSM_CHECK_PIN ? HSM_UNAVAILABLE : HSM_NOT_ASKED,
        .cvv2 = job->checks & HSM_CHECK_CVV2 ? HSM_UNAVAILABLE : HSM_NOT_ASKED,
        .cvv = job->checks & HSM_CHECK_CVV ? HSM_UNAVAILABLE : HSM_NOT_ASKED,
    };
}

static uint32_t sim_drain(struct hsm_client *base, struct hsm_result *results, uint32_t results_max,
                          int64_t time_ns)
{
    struct hsm_sim *sim = (struct hsm_sim *)base;
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->jobs_count && count < results_max;) {
        struct simulated_job *job = &sim->jobs[i];
        bool is_done = job->done_ns <= time_ns && job->done_ns < job->job.deadline_ns;
        if (!is_done && job->job.deadline_ns > time_ns) {
            i++;
            continue;
        }
        if (is_done && !job->fails) {
            sim->batch.jobs_count = 1;
            sim->batch.jobs[0] = job->job;
            hsm_batch_run(&sim->batch, &sim->cipher.base, sim->keys, sim->keys_count);
            results[count++] = sim->batch.results[0];
        } else {
            results[count++] = nothing_of(&job->job);
        }
        *job = sim->jobs[--sim->jobs_count];
    }
    return count;
}

static int64_t sim_deadline(const struct hsm_client *base)
{
    const struct hsm_sim *sim = (const struct hsm_sim *)base;
    int64_t earliest_ns = INT64_MAX;
    for (uint32_t i = 0; i < sim->jobs_count; i++) {
        const struct simulated_job *job = &sim->jobs[i];
        int64_t due_ns = job->done_ns < job->job.deadline_ns ? job->done_ns : job->job.deadline_ns;
        earliest_ns = due_ns < earliest_ns ? due_ns : earliest_ns;
    }
    return earliest_ns;
}

static bool sim_pending(struct hsm_client *base)
{
    return sim_deadline(base) <= now_ns((struct hsm_sim *)base);
}

static int sim_wake_fd(const struct hsm_client *base)
{
    (void)base;
    return -1;
}

static const struct hsm_client_ops sim_ops = {
    .submit = sim_submit,
    .flush = sim_flush,
    .drain = sim_drain,
    .deadline = sim_deadline,
    .pending = sim_pending,
    .wake_fd = sim_wake_fd,
};

struct hsm_client *hsm_sim_create(const struct clock_source *clock, struct sim_random *random,
                                  const struct hsm_token_key *keys, uint32_t keys_count,
                                  const struct hsm_sim_faults *faults)
{
    struct hsm_sim *sim = calloc(1, sizeof *sim);
    must(sim != NULL && keys_count <= HSM_KEYS_MAX);
    must(faults->delay_min_ns >= 0 && faults->delay_min_ns <= faults->delay_max_ns);
    sim->base.ops = &sim_ops;
    sim->clock = *clock;
    sim->random = random;
    sim->faults = *faults;
    sim->keys_count = keys_count;
    soft_cipher_init(&sim->cipher);
    for (uint32_t i = 0; i < keys_count; i++) {
        must(soft_cipher_add(&sim->cipher, keys[i].hex) == i);
        sim->keys[i] = keys[i].key;
    }
    return &sim->base;
}

void hsm_sim_destroy(struct hsm_client *client)
{
    free(client); /* the base is its first member */
}

void hsm_sim_set_mode(struct hsm_client *client, enum hsm_sim_mode mode)
{
    struct hsm_sim *sim = (struct hsm_sim *)client;
    sim->mode = mode;
    for (uint32_t i = 0; i < sim->jobs_count && mode != HSM_SIM_UP; i++) {
        sim->jobs[i].done_ns = INT64_MAX; /* what it had taken is not answered either */
    }
}

uint64_t hsm_sim_jobs_count(const struct hsm_client *client)
{
    return ((const struct hsm_sim *)client)->all_jobs_count;
}
