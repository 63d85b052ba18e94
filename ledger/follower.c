/* follower.c - what the three followers have in common: reading, flushing, retrying, being rung.
 *
 * A turn takes a bounded number of frames, then makes one bounded step of flushing. A follower that
 * had frames lately looks again by itself every FOLLOWER_POLL_NS, so the shard need not ring for
 * each batch; one that had none sleeps until it is rung. */
#include "ledger/follower_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

#define FRAMES_PER_TURN 512u
#define ACTIVE_NS       (50 * NS_PER_MS)

static struct follower *of(struct agent *agent)
{
    return (struct follower *)agent;
}

static struct follower *by_kind(struct followers *followers, enum follower_kind kind)
{
    switch (kind) {
    case FOLLOWER_REF:
        return &followers->ref.follower;
    case FOLLOWER_STATE:
        return &followers->state.follower;
    case FOLLOWER_ARCHIVE:
        return &followers->archive.follower;
    case FOLLOWERS_COUNT:
        break;
    }
    must(false);
    return NULL;
}

static uint64_t visible(const struct follower *follower)
{
    /* A little later than durable; journal_read() has the last word. */
    return journal_durable_batch(follower->all->journal);
}

/* It takes nothing, whatever comes. */
static bool is_away(const struct follower *follower)
{
    return atomic_load_explicit(&follower->paused, memory_order_relaxed) ||
           atomic_load_explicit(&follower->stopped, memory_order_relaxed);
}

/* ---- the turn ----------------------------------------------------------------------------------
 */

static void fail(struct follower *follower, enum io_err err, int64_t now_ns)
{
    bool passing = err == IO_ERR_NO_SPACE;
    (void)snprintf(follower->failure, sizeof follower->failure, "%s follower: %s",
                   follower->ops->name, follower->error);
    atomic_store_explicit(&follower->has_failure, true, memory_order_release);
    log_event(LOG_ALARM, passing ? "follower.retries" : "follower.stopped",
              log_text("follower", follower->ops->name), log_text("why", follower->error));
    follower->ops->drop(follower);
    follower->flushing = false;
    follower->taken = atomic_load(&follower->passed);
    follower->taken_bytes = follower->taken_records = 0;
    follower->since_ns = 0;
    follower->retry_ns = now_ns + FOLLOWER_RETRY_NS;
    atomic_store(&follower->stopped, !passing);
}

static void note_taken(struct follower *follower, const struct journal_frame *frame, int64_t now_ns)
{
    follower->taken = frame->batch;
    follower->taken_epoch = frame->epoch;
    follower->taken_sequence = frame->first_sequence + frame->records_count;
    follower->taken_bytes += frame_padded(frame->length);
    follower->taken_records += frame->records_count;
    follower->since_ns = follower->since_ns != 0 ? follower->since_ns : now_ns;
    follower->active_ns = now_ns;
}

/* Returns the frames taken; *full when a flush must come first, *failed after an error. */
static uint32_t take_frames(struct follower *follower, int64_t now_ns, bool *full, bool *failed)
{
    uint32_t count = 0;
    *full = *failed = false;
    while (count < FRAMES_PER_TURN) {
        const struct journal_frame *frame;
        enum journal_read read = journal_read(follower->reader, follower->taken + 1, &frame);
        if (read == JOURNAL_READ_NONE) {
            break;
        }
        if (read != JOURNAL_READ_FRAME) {
            (void)snprintf(follower->error, sizeof follower->error, "the journal: batch %llu %s",
                           (unsigned long long)(follower->taken + 1),
                           read == JOURNAL_READ_IO ? "cannot be read" : "is damaged on the medium");
            *failed = true;
            break;
        }
        *full = !follower->ops->take(follower, frame);
        if (*full) {
            break;
        }
        note_taken(follower, frame, now_ns);
        count++;
    }
    return count;
}

static bool flush_step(struct follower *follower, int64_t now_ns)
{
    bool done = false;
    enum io_err err = follower->ops->flush(follower, &done);
    if (err != IO_OK) {
        fail(follower, err, now_ns);
        return false;
    }
    follower->flushing = !done;
    if (done) {
        follower->taken_bytes = follower->taken_records = 0;
        follower->since_ns = 0;
        atomic_store_explicit(&follower->passed, follower->taken, memory_order_release);
    }
    if (follower->retry_ns != 0 && done) {
        follower->retry_ns = 0;
        atomic_store_explicit(&follower->has_failure, false, memory_order_release);
        log_event(LOG_INFO, "follower.goes_on", log_text("follower", follower->ops->name));
    }
    return true;
}

static uint32_t turn(struct agent *agent)
{
    struct follower *follower = of(agent);
    int64_t now_ns = agent->clock->now_ns;
    if (is_away(follower) || (follower->retry_ns != 0 && now_ns < follower->retry_ns)) {
        return 0;
    }
    uint32_t work = 0;
    bool full = false, failed = false;
    if (!follower->flushing) {
        work = take_frames(follower, now_ns, &full, &failed);
        if (failed) {
            fail(follower, IO_ERR_DISK, now_ns);
            return 1;
        }
        atomic_store_explicit(&follower->taken_shared, follower->taken, memory_order_release);
    }
    bool caught_up = !full && work < FRAMES_PER_TURN;
    if (follower->flushing || full || follower->ops->due(follower, now_ns, caught_up)) {
        (void)flush_step(follower, now_ns);
        work++;
    }
    return work;
}

bool follower_pressed(const struct follower *follower)
{
    return follower->taken_bytes >= follower->all->pressure_bytes;
}

static int64_t deadline(const struct agent *agent)
{
    const struct follower *follower = (const struct follower *)agent;
    int64_t now_ns = agent->clock->now_ns;
    if (is_away(follower)) {
        return INT64_MAX;
    }
    if (follower->retry_ns > now_ns) {
        return follower->retry_ns;
    }
    if (follower->flushing || follower->ops->due(follower, now_ns, true)) {
        return now_ns;
    }
    bool active = follower->active_ns != 0 && now_ns - follower->active_ns < ACTIVE_NS;
    if (active) {
        return now_ns + FOLLOWER_POLL_NS;
    }
    return follower->since_ns != 0 ? now_ns + ACTIVE_NS : INT64_MAX;
}

/* While it polls anyway, the batches that wait are for the next look. */
static bool pending(const struct agent *agent)
{
    const struct follower *follower = (const struct follower *)agent;
    return deadline(agent) == INT64_MAX && !is_away(follower) &&
           visible(follower) > follower->taken;
}

static void event(struct agent *agent, const struct io_event *io_event)
{
    (void)agent;
    (void)io_event;
    must(false); /* it asks its io for nothing */
}

/* ---- all three ------------------------------------------------------------------------------- */

int64_t followers_ring(struct followers *followers, int64_t now_ns)
{
    bool behind = false;
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        const struct follower *one = by_kind(followers, (enum follower_kind)kind);
        behind = behind ||
                 (atomic_load_explicit(&one->taken_shared, memory_order_acquire) < visible(one) &&
                  !is_away(one));
    }
    if (!behind) {
        return INT64_MAX;
    }
    if (now_ns < followers->next_ring_ns) {
        return followers->next_ring_ns;
    }
    followers->next_ring_ns = now_ns + FOLLOWER_RING_NS;
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        struct follower *one = by_kind(followers, (enum follower_kind)kind);
        if (one->agent.bell != NULL && !is_away(one)) {
            bell_ring(one->agent.bell);
        }
    }
    return INT64_MAX;
}

bool followers_catch_up(struct followers *followers, char *text, size_t text_size)
{
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        struct follower *one = by_kind(followers, (enum follower_kind)kind);
        /* Bounded by what the journal holds; each round takes or flushes something. */
        while (atomic_load(&one->passed) < journal_durable_batch(followers->journal)) {
            bool full, failed = false;
            if (!one->flushing) {
                (void)take_frames(one, 1, &full, &failed);
            }
            if (failed || !flush_step(one, 1)) {
                (void)snprintf(text, text_size, "%s follower: %s", one->ops->name, one->error);
                one->retry_ns = 0;
                return false;
            }
        }
        one->active_ns = 0;
        atomic_store(&one->taken_shared, one->taken);
    }
    return true;
}

uint64_t followers_passed(const struct followers *followers, enum follower_kind kind)
{
    const struct follower *one = by_kind((struct followers *)followers, kind);
    return atomic_load_explicit(&one->passed, memory_order_acquire);
}

void followers_pause(struct followers *followers, enum follower_kind kind, bool paused)
{
    struct follower *one = by_kind(followers, kind);
    atomic_store(&one->paused, paused);
    if (one->agent.bell != NULL) {
        bell_ring(one->agent.bell);
    }
}

const char *followers_failure(const struct followers *followers, enum follower_kind kind)
{
    const struct follower *one = by_kind((struct followers *)followers, kind);
    return atomic_load_explicit(&one->has_failure, memory_order_acquire) ? one->failure : "";
}

struct agent *followers_agent(struct followers *followers, enum follower_kind kind)
{
    return &by_kind(followers, kind)->agent;
}

void followers_cursors(const struct followers *followers,
                       struct journal_cursor cursors[FOLLOWERS_COUNT])
{
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        const struct follower *one =
            by_kind((struct followers *)followers, (enum follower_kind)kind);
        uint64_t passed = atomic_load(&one->passed);
        cursors[kind] = (struct journal_cursor){one->ops->name, passed, passed};
    }
    cursors[FOLLOWER_ARCHIVE].name = followers->archive.told;
    struct state_store *state = followers->options.state;
    cursors[FOLLOWER_STATE].seen = state->ops->mark(state).seen;
}

/* ---- start -------------------------------------------------------------------------------------
 */

size_t followers_bytes(const struct followers_options *options)
{
    return sizeof(struct followers) + follower_state_bytes(options) + follower_archive_bytes() +
           FOLLOWERS_COUNT * (size_t)JOURNAL_BATCH_BYTES;
}

static void init(struct followers *followers, struct follower *follower,
                 const struct follower_ops *ops, const struct agent_ops *agent_ops, uint64_t batch)
{
    follower->agent.ops = agent_ops;
    follower->ops = ops;
    follower->all = followers;
    follower->reader = journal_reader_create(followers->journal);
    follower->taken = batch;
    atomic_init(&follower->taken_shared, batch);
    atomic_init(&follower->passed, batch);
    journal_pin(followers->journal, &follower->passed);
}

struct followers *followers_open(const struct followers_options *options, struct journal *journal,
                                 char *text, size_t text_size)
{
    static const struct agent_ops ref_agent = {"ref", event, turn, deadline, pending};
    static const struct agent_ops state_agent = {"state", event, turn, deadline, pending};
    static const struct agent_ops archive_agent = {"archive", event, turn, deadline, pending};
    struct followers *followers = mem_take(MEM_PLAIN, sizeof *followers, "followers");
    followers->options = *options;
    followers->journal = journal;
    followers->pressure_bytes = journal_capacity_bytes(journal) / 4;
    if (!follower_archive_init(followers, text, text_size)) {
        return NULL;
    }
    follower_state_init(followers);
    init(followers, &followers->ref.follower, &follower_ref_ops, &ref_agent,
         options->ref->ops->batch(options->ref));
    init(followers, &followers->state.follower, &follower_state_ops, &state_agent,
         options->state->ops->mark(options->state).batch);
    uint64_t archived = followers->archive.follower.taken;
    init(followers, &followers->archive.follower, &follower_archive_ops, &archive_agent, archived);
    if (options->board != NULL) {
        atomic_store(&options->board->ref_batch, followers->ref.follower.taken);
    }
    return followers;
}

void followers_close(struct followers *followers)
{
    for (int kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        struct follower *one = by_kind(followers, (enum follower_kind)kind);
        one->ops->drop(one);
    }
}

/* ---- workers and the reference snapshot --------------------------------------------------------
 */

void ledger_ref_renewed(struct ledger_board *board, uint16_t worker, uint64_t batch)
{
    must(worker < LIMIT_WORKERS_MAX);
    atomic_store_explicit(&board->ref_renewed[worker].batch, batch, memory_order_release);
}

bool ledger_ref_passed(const struct ledger_board *board, uint16_t workers_count, uint64_t batch)
{
    must(workers_count <= LIMIT_WORKERS_MAX);
    for (uint16_t i = 0; i < workers_count; i++) {
        if (atomic_load_explicit(&board->ref_renewed[i].batch, memory_order_acquire) < batch) {
            return false;
        }
    }
    return true;
}
