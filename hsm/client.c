/* client.c - the real client: lanes of shared memory to the hsmd processes (hsm.h, shared.h).
 *
 * DESIGN  Every job in flight has a place in `pending`; {place, generation} travels with it, so
 * that an answer which comes after the deadline finds another generation and is dropped. A place is
 * free again as soon as its result was given out. Runs on the agent's thread; allocates at creation
 * only.
 *
 * BREAKER  After TIMEOUTS_TO_OPEN deadlines in a row without an answer a lane is not used until its
 * hsmd has proved itself by a real operation (beats_count moved); then one more time-out opens it
 * again. So a stopped or hanging hsmd costs a few transactions their deadline, and the rest
 * nothing. */
#include "base/mem.h"
#include "hsm/shared.h"

#include <string.h>

#define TIMEOUTS_TO_OPEN 5u
#define NO_PLACE         UINT32_MAX

struct pending {
    uint64_t token;
    int64_t deadline_ns;
    uint32_t generation;
    uint32_t next_free;
    uint8_t checks;
    uint8_t instance;
    bool in_use;
};

struct lane { /* the client's own copy of its positions */
    struct hsm_lane *shared;
    uint32_t submitted, published, drained;
    uint32_t seen_taken;    /* hsmd's position when last looked at */
    uint32_t waiting_count; /* places in use on this lane */
    uint32_t timeouts_in_row;
    uint64_t beats_at_open;
    bool is_open; /* the breaker */
};

struct client {
    struct hsm_client base;
    struct hsm_shared *shared;
    uint32_t index, instances_count;
    struct lane lanes[HSM_INSTANCES_MAX];
    int64_t earliest_ns; /* no deadline in flight is earlier */
    uint32_t free_first, in_use_count;
    struct pending pending[HSM_CLIENT_JOBS_MAX];
};

static bool client_submit(struct hsm_client *base, const struct hsm_job *job);
static void client_flush(struct hsm_client *base);
static uint32_t client_drain(struct hsm_client *base, struct hsm_result *results,
                             uint32_t results_max, int64_t now_ns);
static int64_t client_deadline(const struct hsm_client *base);
static bool client_pending(struct hsm_client *base);
static int client_wake_fd(const struct hsm_client *base);

static const struct hsm_client_ops client_ops = {
    .submit = client_submit,
    .flush = client_flush,
    .drain = client_drain,
    .deadline = client_deadline,
    .pending = client_pending,
    .wake_fd = client_wake_fd,
};

struct hsm_client *hsm_client_create(struct hsm_shared *shared, uint32_t client_index)
{
    must(client_index < shared->area->clients_count);
    struct client *client = mem_take(MEM_PLAIN, sizeof *client, "hsm jobs in flight");
    client->base.ops = &client_ops;
    client->shared = shared;
    client->index = client_index;
    client->instances_count = shared->area->instances_count;
    client->earliest_ns = INT64_MAX;
    for (uint32_t i = 0; i < client->instances_count; i++) {
        client->lanes[i].shared = hsm_area_lane(shared->area, client_index, i);
    }
    for (uint32_t i = 0; i < HSM_CLIENT_JOBS_MAX; i++) {
        client->pending[i].next_free = i + 1 < HSM_CLIENT_JOBS_MAX ? i + 1 : NO_PLACE;
    }
    return &client->base;
}

/* ---- submitting --------------------------------------------------------------------------------
 */

static void set_breaker(struct lane *lane, bool is_open)
{
    lane->is_open = is_open;
    atomic_store_explicit(&lane->shared->breaker_is_open, is_open, memory_order_relaxed);
}

static bool lane_is_usable(struct client *client, uint32_t instance)
{
    struct lane *lane = &client->lanes[instance];
    const struct hsm_instance_line *line = &client->shared->area->instances[instance];
    if (atomic_load_explicit(&line->state, memory_order_acquire) != HSM_INSTANCE_READY) {
        return false;
    }
    if (lane->is_open) {
        if (atomic_load_explicit(&line->beats_count, memory_order_relaxed) == lane->beats_at_open) {
            return false;
        }
        set_breaker(lane, false);
        lane->timeouts_in_row = TIMEOUTS_TO_OPEN - 1;
    }
    if (lane->submitted - lane->seen_taken >= HSM_LANE_JOBS) {
        lane->seen_taken = atomic_load_explicit(&lane->shared->taken, memory_order_acquire);
    }
    return lane->submitted - lane->seen_taken < HSM_LANE_JOBS;
}

/* The usable instance with the fewest jobs of ours: batches stay big while one keeps up. */
static struct lane *choose_lane(struct client *client, uint8_t *instance)
{
    struct lane *best = NULL;
    for (uint32_t i = 0; i < client->instances_count; i++) {
        struct lane *lane = &client->lanes[i];
        if ((best == NULL || lane->waiting_count < best->waiting_count) &&
            lane_is_usable(client, i)) {
            best = lane;
            *instance = (uint8_t)i;
        }
    }
    return best;
}

static bool client_submit(struct hsm_client *base, const struct hsm_job *job)
{
    struct client *client = (struct client *)base;
    must(job->checks != 0);
    uint32_t place = client->free_first;
    if (place == NO_PLACE || client->in_use_count == HSM_CLIENT_JOBS_MAX) {
        return false;
    }
    uint8_t instance = 0;
    struct lane *lane = choose_lane(client, &instance);
    if (lane == NULL) {
        return false;
    }
    struct pending *pending = &client->pending[place];
    client->free_first = pending->next_free;
    client->in_use_count++;
    lane->waiting_count++;
    pending->token = job->token;
    pending->deadline_ns = job->deadline_ns;
    pending->checks = (uint8_t)job->checks;
    pending->instance = instance;
    pending->in_use = true;
    if (job->deadline_ns < client->earliest_ns) {
        client->earliest_ns = job->deadline_ns;
    }
    struct hsm_request *request = &lane->shared->requests[lane->submitted++ & (HSM_LANE_JOBS - 1)];
    request->index = place;
    request->generation = pending->generation;
    request->job = *job;
    return true;
}

static void client_flush(struct hsm_client *base)
{
    struct client *client = (struct client *)base;
    for (uint32_t i = 0; i < client->instances_count; i++) {
        struct lane *lane = &client->lanes[i];
        if (lane->submitted != lane->published) {
            lane->published = lane->submitted;
            atomic_store_explicit(&lane->shared->submitted, lane->published, memory_order_release);
            hsm_bell_ring(&client->shared->area->instances[i].asleep,
                          client->shared->instance_bells[i]);
        }
    }
}

/* ---- results -----------------------------------------------------------------------------------
 */

static void free_place(struct client *client, uint32_t place)
{
    struct pending *pending = &client->pending[place];
    client->lanes[pending->instance].waiting_count--;
    pending->in_use = false;
    pending->generation++;
    pending->next_free = client->free_first;
    client->free_first = place;
    client->in_use_count--;
}

/* What the other process wrote is one of the answers to what was asked, or UNAVAILABLE. */
static enum hsm_answer answer_of(uint8_t value, uint8_t checks, enum hsm_check check)
{
    if (!(checks & check)) {
        return HSM_NOT_ASKED;
    }
    switch ((enum hsm_answer)value) {
    case HSM_OK:
        return HSM_OK;
    case HSM_WRONG:
        return HSM_WRONG;
    case HSM_BAD_BLOCK:
        return check == HSM_CHECK_PIN ? HSM_BAD_BLOCK : HSM_UNAVAILABLE;
    case HSM_UNAVAILABLE:
    case HSM_NOT_ASKED:
        return HSM_UNAVAILABLE;
    }
    return HSM_UNAVAILABLE;
}

static void fill_result(const struct pending *pending, const struct hsm_response *response,
                        struct hsm_result *result)
{
    struct hsm_result found = {
        .token = pending->token,
        .status = HSM_OK,
        .pin = answer_of(response->pin, pending->checks, HSM_CHECK_PIN),
        .cvv2 = answer_of(response->cvv2, pending->checks, HSM_CHECK_CVV2),
        .cvv = answer_of(response->cvv, pending->checks, HSM_CHECK_CVV),
    };
    if (response->status != HSM_OK || found.pin == HSM_UNAVAILABLE ||
        found.cvv2 == HSM_UNAVAILABLE || found.cvv == HSM_UNAVAILABLE) {
        found.status = HSM_UNAVAILABLE;
    }
    *result = found;
}

static uint32_t drain_lane(struct client *client, struct lane *lane, struct hsm_result *results,
                           uint32_t results_max)
{
    uint32_t answered = atomic_load_explicit(&lane->shared->answered, memory_order_acquire);
    uint32_t count = 0;
    /* Positions that make no sense come from a broken hsmd: its jobs run into their deadlines. */
    if (answered - lane->drained > HSM_LANE_JOBS) {
        return 0;
    }
    uint32_t drained = lane->drained;
    while (lane->drained != answered && count < results_max) {
        struct hsm_response response = lane->shared->responses[lane->drained & (HSM_LANE_JOBS - 1)];
        lane->drained++;
        lane->timeouts_in_row = 0;
        if (lane->is_open) {
            set_breaker(lane, false);
        }
        if (response.index >= HSM_CLIENT_JOBS_MAX) {
            continue;
        }
        struct pending *pending = &client->pending[response.index];
        if (pending->in_use && pending->generation == response.generation) {
            fill_result(pending, &response, &results[count++]);
            free_place(client, response.index);
        }
    }
    if (lane->drained != drained) {
        atomic_store_explicit(&lane->shared->drained, lane->drained, memory_order_release);
    }
    return count;
}

static void note_timeout(struct client *client, struct lane *lane, uint32_t instance)
{
    if (++lane->timeouts_in_row >= TIMEOUTS_TO_OPEN && !lane->is_open) {
        set_breaker(lane, true);
        lane->beats_at_open = atomic_load_explicit(
            &client->shared->area->instances[instance].beats_count, memory_order_relaxed);
    }
}

/* Gives out the places whose deadline has passed; leaves the earliest deadline of the others. */
static uint32_t expire(struct client *client, struct hsm_result *results, uint32_t results_max,
                       int64_t now_ns)
{
    uint32_t count = 0;
    int64_t earliest_ns = INT64_MAX;
    for (uint32_t i = 0; i < HSM_CLIENT_JOBS_MAX; i++) {
        struct pending *pending = &client->pending[i];
        if (!pending->in_use) {
            continue;
        }
        if (pending->deadline_ns <= now_ns && count < results_max) {
            static const struct hsm_response nothing = {.status = HSM_UNAVAILABLE};
            fill_result(pending, &nothing, &results[count++]);
            note_timeout(client, &client->lanes[pending->instance], pending->instance);
            free_place(client, i);
        } else if (pending->deadline_ns < earliest_ns) {
            earliest_ns = pending->deadline_ns;
        }
    }
    client->earliest_ns = earliest_ns;
    return count;
}

static uint32_t client_drain(struct hsm_client *base, struct hsm_result *results,
                             uint32_t results_max, int64_t now_ns)
{
    struct client *client = (struct client *)base;
    _Atomic uint32_t *asleep = &client->shared->area->clients[client->index].asleep;
    if (atomic_load_explicit(asleep, memory_order_relaxed) != 0) {
        atomic_store_explicit(asleep, 0, memory_order_relaxed);
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < client->instances_count && count < results_max; i++) {
        count += drain_lane(client, &client->lanes[i], results + count, results_max - count);
    }
    if (client->earliest_ns <= now_ns && count < results_max) {
        count += expire(client, results + count, results_max - count, now_ns);
    }
    return count;
}

static int64_t client_deadline(const struct hsm_client *base)
{
    const struct client *client = (const struct client *)base;
    return client->in_use_count > 0 ? client->earliest_ns : INT64_MAX;
}

static bool client_pending(struct hsm_client *base)
{
    struct client *client = (struct client *)base;
    atomic_store_explicit(&client->shared->area->clients[client->index].asleep, 1,
                          memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t i = 0; i < client->instances_count; i++) {
        const struct lane *lane = &client->lanes[i];
        if (atomic_load_explicit(&lane->shared->answered, memory_order_acquire) != lane->drained) {
            return true;
        }
    }
    return false;
}

static int client_wake_fd(const struct hsm_client *base)
{
    const struct client *client = (const struct client *)base;
    return client->shared->client_bells[client->index];
}
