/* worker.c - see worker.h: the agent, its turn, its life. */
#include "switch/state.h"

#include "base/mem.h"
#include "hsm/hsm.h"
#include "switch/mesh.h"

#include <string.h>

static const struct agent_ops ops;
static uint32_t lead_life(struct worker *worker);
static uint32_t take_events(struct worker *worker);
static uint32_t take_timers(struct worker *worker);
static void flush(struct worker *worker);
static void show(struct worker *worker);

static uint32_t worker_turn(struct agent *agent)
{
    struct worker *worker = (struct worker *)agent;
    struct ledger_ref_reader *ref = worker->options.ref;
    worker->rules = atomic_load_explicit(worker->options.rules, memory_order_acquire);
    atomic_store_explicit(&worker->rules_in_use, worker->rules, memory_order_release);
    atomic_store_explicit(&worker->ref_batch, ref->ops->renew(ref), memory_order_release);

    uint32_t work = lead_life(worker);
    work += decide_verdicts(worker);
    work += secure_results(worker);
    work += mesh_take(worker);
    work +=
        take_events(worker); /* before the timers: an answer that is here wins over its deadline */
    work += take_timers(worker);
    work += resolve_pull(worker);
    flush(worker);
    show(worker);
    return work;
}

/* Only notes: what came is looked at in the turn. */
static void worker_event(struct agent *agent, const struct io_event *event)
{
    struct worker *worker = (struct worker *)agent;
    must(worker->events_count < LIMIT_IO_EVENTS_MAX);
    worker->events[worker->events_count++] = *event;
}

static uint32_t take_events(struct worker *worker)
{
    uint32_t count = worker->events_count;
    for (uint32_t i = 0; i < count; i++) {
        link_event(worker, &worker->events[i]);
    }
    worker->events_count = 0;
    return count;
}

static void take_timer(struct worker *worker, struct timer *timer)
{
    switch (timer->kind) {
    case TIMER_TXN: {
        struct txn *txn = timer_owner(timer, struct txn, timer);
        if (txn->stage == STAGE_MATCH) {
            forward_silent(worker, txn);
        } else {
            decide_timer(worker, txn);
        }
        break;
    }
    case TIMER_MATCH:
        match_timer(worker, timer_owner(timer, struct match_entry, timer));
        break;
    case TIMER_DIAL:
        dial_timer(worker, timer_owner(timer, struct endpoint, dial));
        break;
    case TIMER_ECHO:
        network_timer(worker, timer_owner(timer, struct endpoint, echo));
        break;
    case TIMER_RESOLVE:
        resolve_timer(worker, timer_owner(timer, struct resolve_item, timer));
        break;
    }
}

static uint32_t take_timers(struct worker *worker)
{
    uint32_t taken = 0;
    struct wheel_entry *entry;
    /* Bound: what is armed; an entry armed again lies in the future. */
    while ((entry = wheel_expired(&worker->wheel, worker_now_ns(worker))) != NULL) {
        take_timer(worker, timer_owner(entry, struct timer, entry));
        taken++;
    }
    return taken;
}

static void flush(struct worker *worker)
{
    if (worker->commands_pushed) {
        worker->commands_pushed = false;
        ring_publish(worker->options.port->commands);
        if (worker->options.shard != NULL && worker->options.shard->bell != worker->agent.bell) {
            bell_ring(worker->options.shard->bell);
        }
    }
    secure_flush(worker);
    mesh_flush(worker);
    link_flush_all(worker);
    uint32_t notes = worker->crash_notes;
    worker->crash_notes = 0;
    if (unlikely(notes != 0 && worker->options.crash_point != NULL)) {
        static const char *const names[] = {"forward sent", "reply sent", "resolution sent"};
        for (uint32_t i = 0; i < countof(names); i++) {
            if ((notes >> i & 1u) != 0) {
                worker_crash_point(worker, names[i]);
            }
        }
    }
}

static int64_t worker_deadline(const struct agent *agent)
{
    const struct worker *worker = (const struct worker *)agent;
    int64_t deadline_ns = wheel_deadline(&worker->wheel);
    int64_t resolve_ns = resolve_deadline(worker);
    int64_t hsm_ns = worker->options.hsm == NULL ? INT64_MAX : hsm_deadline(worker->options.hsm);
    deadline_ns = resolve_ns < deadline_ns ? resolve_ns : deadline_ns;
    return hsm_ns < deadline_ns ? hsm_ns : deadline_ns;
}

static bool worker_pending(const struct agent *agent)
{
    const struct worker *worker = (const struct worker *)agent;
    bool is_asked = atomic_load(&worker->asked_serve) != worker->serve_seen ||
                    atomic_load(&worker->asked_drain) != worker->drain_seen;
    return is_asked || !ring_empty(worker->options.port->verdicts) || mesh_pending(worker) ||
           resolve_pending(worker) ||
           (worker->options.hsm != NULL && hsm_client_pending(worker->options.hsm));
}

static const struct agent_ops ops = {.name = "worker",
                                     .event = worker_event,
                                     .turn = worker_turn,
                                     .deadline = worker_deadline,
                                     .pending = worker_pending};

/* ---- life
 * ------------------------------------------------------------------------------------------ */

static enum worker_state state_of(const struct worker *worker)
{
    return (enum worker_state)atomic_load_explicit(&worker->state, memory_order_acquire);
}

static void become(struct worker *worker, enum worker_state state)
{
    atomic_store_explicit(&worker->state, state, memory_order_release);
}

static void serve(struct worker *worker)
{
    wheel_init(&worker->wheel, worker_now_ns(worker)); /* nothing is armed before this */
    become(worker, WORKER_SERVING);
    bool accepts = worker->options.index == 0; /* others get theirs from worker 0 */
    if (accepts && !link_listen(worker)) {
        become(worker, WORKER_REFUSED);
        return;
    }
    int wake_fd = worker->options.hsm == NULL ? -1 : hsm_client_wake_fd(worker->options.hsm);
    if (wake_fd >= 0) {
        struct io *io = worker->agent.io;
        io->ops->watch(io, io_token(worker->agent.id, TOKEN_NOBODY, 0, 0), wake_fd);
    }
    dial_start(worker);
}

/* What is in flight is answered; then the links go, the acquirers' first. */
static void drain(struct worker *worker)
{
    uint32_t dialled = 0;
    for (uint32_t i = 0; i < worker->links_count; i++) {
        struct link *link = &worker->links[i];
        if (link->state == LINK_FREE) {
            continue;
        }
        if (!link_is_dialled(link)) {
            link_end(worker, link);
        } else {
            dialled++;
        }
    }
    if (worker->txns_open_count > 0 || worker->links_accepted_count > 0 ||
        worker->credits != worker->options.port->credits) {
        return;
    }
    for (uint32_t i = 0; dialled > 0 && i < worker->links_count; i++) {
        link_close(worker, &worker->links[i], "draining");
    }
    if (worker->links_dialled_count == 0) {
        become(worker, WORKER_DRAINED);
    }
}

static uint32_t lead_life(struct worker *worker)
{
    uint32_t work = 0;
    if (atomic_load_explicit(&worker->asked_serve, memory_order_acquire) != worker->serve_seen) {
        worker->serve_seen = 1;
        work = 1;
        serve(worker);
    }
    if (atomic_load_explicit(&worker->asked_drain, memory_order_acquire) != worker->drain_seen) {
        worker->drain_seen = 1;
        work = 1;
        link_listen_stop(worker);
        become(worker, state_of(worker) == WORKER_SERVING ? WORKER_DRAINING : WORKER_DRAINED);
    }
    if (state_of(worker) == WORKER_DRAINING) {
        drain(worker);
    }
    return work;
}

static void show(struct worker *worker)
{
    atomic_store_explicit(&worker->shown.txns_in_flight, worker->txns_open_count,
                          memory_order_relaxed);
    atomic_store_explicit(&worker->shown.links_accepted, worker->links_accepted_count,
                          memory_order_relaxed);
    atomic_store_explicit(&worker->shown.links_dialled, worker->links_dialled_count,
                          memory_order_relaxed);
    atomic_store_explicit(&worker->shown.credits_free, worker->credits, memory_order_relaxed);
    atomic_store_explicit(&worker->shown.shed_count, worker->shed_count, memory_order_relaxed);
    atomic_store_explicit(&worker->shown.late_count, worker->late_count, memory_order_relaxed);
    atomic_store_explicit(&worker->shown.unmatched_count, worker->unmatched_count,
                          memory_order_relaxed);
}

/* ---- making one
 * -------------------------------------------------------------------------------------- */

static uint32_t links_of(const struct worker_options *options)
{
    /* A dialled link that is closing may stand beside its successor. */
    return options->links_max + 2 * options->endpoints_count;
}

static uint32_t matches_of(const struct worker_options *options)
{
    /* Twice: late ones keep at most half (match_make_late). */
    return 2 * (options->txns_max * options->workers_count + RESOLVE_ITEMS_MAX) +
           4 * LIMIT_ENDPOINTS_MAX;
}

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static size_t plain_bytes(const struct worker_options *options)
{
    uint32_t links = links_of(options);
    return round_up(sizeof(struct worker)) +
           round_up(LIMIT_IO_EVENTS_MAX * sizeof(struct io_event)) +
           round_up(links * sizeof(struct link)) + round_up(links * sizeof(uint32_t)) +
           round_up(match_bytes(matches_of(options)));
}

static size_t secret_bytes(const struct worker_options *options)
{
    return round_up(txn_bytes(options->txns_max)) + round_up(link_bytes(links_of(options))) +
           round_up(sizeof(struct hsm_job));
}

size_t worker_bytes(const struct worker_options *options)
{
    return plain_bytes(options) + secret_bytes(options);
}

static void *piece(uint8_t **memory, size_t bytes)
{
    uint8_t *start = *memory;
    *memory += round_up(bytes);
    return start;
}

static void give_links_memory(struct worker *worker, uint8_t *memory)
{
    for (uint32_t i = 0; i < worker->links_count; i++) {
        struct link *link = &worker->links[i];
        link->carry = memory;
        link->send[0] = memory + LINK_CARRY_BYTES;
        link->send[1] = link->send[0] + LIMIT_LINK_SEND_BYTES;
        memory = link->send[1] + LIMIT_LINK_SEND_BYTES;
    }
}

static void check_options(const struct worker_options *options)
{
    must(options->index < options->workers_count && options->workers_count <= LIMIT_WORKERS_MAX);
    must(options->workers_count == 1 || options->mesh != NULL);
    must(options->txns_max > 0 && options->txns_max < RESOLVE_SLOT);
    must(options->links_max <= LIMIT_LINKS_MAX && options->listeners_count <= LISTENERS_MAX);
    must(options->endpoints_count <= LIMIT_ENDPOINTS_MAX);
    must(options->port != NULL && options->ledger_board != NULL && options->board != NULL);
    must(options->ref != NULL && options->rules != NULL && options->hash_key != NULL);
    must(options->metrics != NULL && options->card_keys != NULL && options->seal != NULL);
}

struct worker *worker_create(const struct worker_options *options)
{
    check_options(options);
    uint8_t *plain = mem_take(MEM_PLAIN, plain_bytes(options), "worker");
    uint8_t *secret = mem_take(MEM_SECRET, secret_bytes(options), "messages in flight and links");
    struct worker *worker = piece(&plain, sizeof *worker);
    worker->options = *options;
    worker->agent.ops = &ops;
    worker->random = options->seed;
    worker->credits = options->port->credits;
    worker->links_count = links_of(options);
    worker->events = piece(&plain, LIMIT_IO_EVENTS_MAX * sizeof(struct io_event));
    worker->links = piece(&plain, worker->links_count * sizeof(struct link));
    worker->dirty = piece(&plain, worker->links_count * sizeof(uint32_t));
    worker->match.entries = piece(&plain, match_bytes(matches_of(options)));
    worker->txns = piece(&secret, txn_bytes(options->txns_max));
    give_links_memory(worker, piece(&secret, link_bytes(worker->links_count)));
    worker->job = piece(&secret, sizeof(struct hsm_job));
    wheel_init(&worker->wheel, 0);
    match_create(&worker->match, matches_of(options), options->seed);
    txn_pool_create(worker);
    link_pool_create(worker);
    resolve_create(worker);
    for (uint16_t i = 0; i < LIMIT_ENDPOINTS_MAX; i++) {
        struct endpoint *endpoint = &worker->endpoints[i];
        endpoint->number = i;
        endpoint->link_index = LINK_NONE;
        endpoint->dial.kind = TIMER_DIAL;
        endpoint->echo.kind = TIMER_ECHO;
    }
    if (options->mesh != NULL) {
        options->mesh->agents[options->index] = &worker->agent;
    }
    return worker;
}

struct agent *worker_agent(struct worker *worker)
{
    return &worker->agent;
}

uint64_t worker_random(struct worker *worker)
{
    worker->random += UINT64_C(0x9E3779B97F4A7C15);
    return hash64(&worker->random, sizeof worker->random, worker->options.seed);
}

/* ---- any thread
 * ----------------------------------------------------------------------------------------- */

void worker_serve(struct worker *worker)
{
    atomic_store(&worker->asked_serve, 1);
    if (worker->agent.bell != NULL) {
        bell_ring(worker->agent.bell);
    }
}

void worker_drain(struct worker *worker)
{
    atomic_store(&worker->asked_drain, 1);
    if (worker->agent.bell != NULL) {
        bell_ring(worker->agent.bell);
    }
}

enum worker_state worker_state(const struct worker *worker)
{
    return state_of(worker);
}

const char *worker_refusal(const struct worker *worker)
{
    return worker->refusal;
}

uint64_t worker_ref_batch(const struct worker *worker)
{
    return atomic_load_explicit(&worker->ref_batch, memory_order_acquire);
}

const struct rules *worker_rules(const struct worker *worker)
{
    return atomic_load_explicit(&worker->rules_in_use, memory_order_acquire);
}

struct worker_numbers worker_numbers(const struct worker *worker)
{
    return (struct worker_numbers){
        .txns_in_flight = atomic_load_explicit(&worker->shown.txns_in_flight, memory_order_relaxed),
        .links_accepted = atomic_load_explicit(&worker->shown.links_accepted, memory_order_relaxed),
        .links_dialled = atomic_load_explicit(&worker->shown.links_dialled, memory_order_relaxed),
        .credits_free = atomic_load_explicit(&worker->shown.credits_free, memory_order_relaxed),
        .shed_count = atomic_load_explicit(&worker->shown.shed_count, memory_order_relaxed),
        .late_count = atomic_load_explicit(&worker->shown.late_count, memory_order_relaxed),
        .unmatched_count =
            atomic_load_explicit(&worker->shown.unmatched_count, memory_order_relaxed)};
}
