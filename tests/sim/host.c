/* host.c - see host.h. */
#include "tests/sim/host.h"

#include "adapters/adapter.h"
#include "base/mem.h"
#include "hsm/card_key.h"
#include "hsm/hsm.h"
#include "hsm/seal.h"
#include "ledger/follower.h"
#include "ledger/frame.h"
#include "ledger/shard.h"
#include "rules/rules.h"
#include "switch/mesh.h"
#include "switch/worker.h"
#include "tests/sim/hsm_sim.h"
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_NS_MIN (50 * NS_PER_US)
#define DISK_NS_MAX (3 * NS_PER_MS)

struct disk_pipe { /* the io's durable writes, on their way to the simulated disk */
    struct sim_disk_writer writer;
    struct host *host;
};

struct host_worker {
    struct worker *worker;
    struct ledger_ref_reader *reader;
    struct hsm_client *hsm;
    struct agent_ops ops; /* sleepy ones before the worker's own */
    const struct agent_ops *plain_ops;
    bool has_events;
};

struct host {
    struct sim_world *world;
    struct host_options options;
    struct disk_pipe pipe;

    /* outlive a crash */
    struct disk_sim *disk_sim;
    struct state_store *state;
    struct ledger_ref *ref;
    struct iso_dialect *dialect;
    struct state_store_ops state_ops;
    struct ledger_ref_store_ops ref_ops;
    uint32_t rules_files; /* the set that a start reads */
    const struct rules *_Atomic rules;
    int64_t rules_since_ns;

    /* of one boot */
    struct clock_source clock_source;
    struct thread thread;
    struct clock recovery_clock;
    struct io *io;
    struct ledger *ledger;
    struct mesh *mesh;
    struct host_worker workers[SIM_WORKERS_MAX];
    struct board *board;
    struct hsm_card_keys
        *card_keys; /* with the seal, made once: their memory is never given back */
    struct hsm_seal *seal;
    struct metric_block *metrics;
    uint32_t memory_mark;
    uint64_t generation; /* of the boot: writes of an earlier one are nobody's */
    uint64_t boots_count;
    uint64_t survived; /* last batch of the last process that served */
    bool is_up, is_spared, may_crash;
    uint32_t aim, aim_left;   /* this boot ends at the aim_left-th pass of that point; 0 = no aim */
    uint32_t pending;         /* point + 1 at which it ends before its next round; 0 = none */
    enum disk_sim_crash tear; /* how the next crash treats writes under way */
    uint32_t tear_sectors;

    /* what goes wrong around it */
    enum hsm_sim_mode hsm_mode;
    uint32_t disk_times;
    bool disk_fails, disk_full, stalls[FOLLOWERS_COUNT];
    struct ledger_hooks hooks;
    jmp_buf crash;
    char text[512];
};

/* The demo's public keys (contract section 3). */
enum { KEY_ZPK, KEY_CVK, KEY_PVK };
static const struct hsm_token_key keys[] = {
    [KEY_ZPK] = {{"zpk-acquirer", HSM_KEY_ZONE_PIN, {0x66, 0x6E, 0xA8}},
                 "ECC25208B6FD2023E9767A5489BC9415"},
    [KEY_CVK] = {{"cvk-990001", HSM_KEY_CVK, {0x26, 0x77, 0x7F}},
                 "6D61BA0EAED6548F1A86086208A886AB"},
    [KEY_PVK] = {{"pvk-990001", HSM_KEY_PVK, {0xF5, 0x05, 0xB7}},
                 "D9867045BC1343B3025D7A0EE3BC2AE9"},
};
static const struct hsm_sim_faults hsm_faults = {.delay_min_ns = 50 * NS_PER_US,
                                                 .delay_max_ns = 20 * NS_PER_MS,
                                                 .late_percent = 2,
                                                 .unavailable_percent = 2};

static struct rules *rule_sets[SIM_RULE_SETS];

/* ---- the disk ----------------------------------------------------------------------------------
 */

struct pending_write {
    struct host *host;
    uint64_t ticket, generation;
};

static bool meets(struct host *host, uint32_t point);
static void crash_point(void *context, const char *name);

static void write_done(void *context)
{
    struct pending_write *pending = context;
    struct host *host = pending->host;
    struct io_event event;
    if (pending->generation == host->generation && host->is_up) {
        if (host->disk_fails) {
            disk_sim_fail(host->disk_sim, 0, 1, IO_ERR_DISK);
        }
        if (disk_sim_finish_token(host->disk_sim, pending->ticket, &event)) {
            host->disk_fails = false;
            uint32_t point = sim_point_find("write done");
            if (event.result >= 0 && meets(host, point)) {
                host->pending = point + 1;
            }
            sim_io_written(host->io, pending->ticket, event.result);
        }
    }
    free(pending);
}

static void pipe_write(struct sim_disk_writer *writer, io_file file, const uint8_t *data,
                       uint32_t size, uint64_t offset, uint64_t ticket)
{
    struct host *host = ((struct disk_pipe *)writer)->host;
    struct sim_random *random = sim_world_random(host->world);
    struct pending_write *pending = malloc(sizeof *pending);
    must(pending != NULL);
    *pending = (struct pending_write){host, ticket, host->generation};
    disk_sim_write(host->disk_sim, ticket, file, data, size, offset);
    int64_t spread = (int64_t)sim_below(random, DISK_NS_MAX - DISK_NS_MIN);
    sim_at(host->world, (DISK_NS_MIN + spread) * host->disk_times, write_done, pending);
    host->tear = sim_percent(random, 50) ? DISK_SIM_PREFIX : DISK_SIM_SUBSET;
    const struct journal_frame *frame = (const void *)data; /* torn where it says something */
    host->tear_sectors = 1 + (uint32_t)sim_below(random, frame->length / DISK_SIM_SECTOR);
    crash_point(host, "write torn");
    host->tear = DISK_SIM_ANY;
}

/* Stores whose commits are points. The simulation has one thread and one host at a time. */
static struct host *the_host;
static const struct state_store_ops *plain_state_ops;
static const struct ledger_ref_store_ops *plain_ref_ops;
static struct disk_ops wrapped_disk_ops;
static const struct disk_ops *plain_disk_ops;

static enum io_err state_commits(struct state_store *store, const struct store_mark *mark)
{
    enum io_err err = plain_state_ops->commit(store, mark);
    crash_point(the_host, "state commits");
    return err;
}

static enum io_err ref_commits(struct ledger_ref *ref, uint64_t batch)
{
    enum io_err err = plain_ref_ops->commit(ref, batch);
    crash_point(the_host, "ref commits");
    return err;
}

static enum io_err archive_syncs(struct disk *disk, const char *name)
{
    enum io_err err = plain_disk_ops->sync(disk, name);
    crash_point(the_host, "archive commits");
    return err;
}

static enum io_err recovery_writes(struct disk *disk, io_file file, const uint8_t *data,
                                   uint32_t size, uint64_t offset)
{
    enum io_err err = plain_disk_ops->write(disk, file, data, size, offset);
    const struct journal_frame *frame = (const void *)data;
    if (frame->magic == FRAME_MAGIC && (frame->flags & FRAME_EPOCH) != 0 &&
        frame->batch - 1 < the_host->survived) {
        the_host->survived = frame->batch - 1; /* a recovery that crashes leaves frames as well */
    }
    crash_point(the_host, "recovery writes");
    return err;
}

static void wrap_stores(struct host *host)
{
    the_host = host;
    plain_state_ops = host->state->ops;
    host->state_ops = *plain_state_ops;
    host->state_ops.commit = state_commits;
    host->state->ops = &host->state_ops;
    plain_ref_ops = host->ref->ops;
    host->ref_ops = *plain_ref_ops;
    host->ref_ops.commit = ref_commits;
    host->ref->ops = &host->ref_ops;
    struct disk *disk = disk_sim_disk(host->disk_sim);
    plain_disk_ops = disk->ops;
    wrapped_disk_ops = *plain_disk_ops;
    wrapped_disk_ops.sync = archive_syncs;
    wrapped_disk_ops.write = recovery_writes;
    disk->ops = &wrapped_disk_ops;
}

/* ---- crashes -----------------------------------------------------------------------------------
 */

/* Every boot aims at one point; besides, each may be the end by chance. */
static void take_aim(struct host *host)
{
    struct sim_random *random = sim_world_random(host->world);
    host->aim = sim_percent(random, 25) ? sim_point_find("write torn")
                                        : (uint32_t)sim_below(random, sim_points_count);
    host->aim_left = 1 + (uint32_t)sim_below(random, sim_points[host->aim].often);
    host->aim_left = sim_percent(random, 75) ? host->aim_left : 0;
}

/* Counts; true: the process ends here. */
static bool meets(struct host *host, uint32_t point)
{
    host->options.points->passed[point]++;
    if (host->is_spared || host->options.crash_ppm == 0) {
        return false;
    }
    bool is_aim = host->aim == point && host->aim_left > 0 && --host->aim_left == 0;
    return is_aim || sim_below(sim_world_random(host->world), 1000000) < host->options.crash_ppm;
}

static void crash_point(void *context, const char *name)
{
    struct host *host = context;
    uint32_t point = sim_point_find(name);
    if (host->may_crash && meets(host, point)) {
        host->options.points->crashed[point]++;
        (void)snprintf(host->text, sizeof host->text, "%s", name);
        longjmp(host->crash, 1);
    }
}

static void decided(void *context, const struct ledger_command *command,
                    const struct ledger_verdict *verdict, uint64_t batch)
{
    const struct ledger_hooks *hooks = ((struct host *)context)->options.hooks;
    hooks->decided(hooks->context, command, verdict, batch);
}

/* Nothing is closed: a process that ends does not tidy up. */
static void drop(struct host *host)
{
    host->is_up = false;
    host->generation++;
    disk_sim_crash(host->disk_sim, host->tear, host->tear_sectors);
    host->tear = DISK_SIM_ANY;
    host->pending = 0;
    host->disk_fails = false;
    state_store_memory_crash(host->state);
    ledger_ref_memory_crash(host->ref);
    for (uint32_t i = 0; i < SIM_WORKERS_MAX; i++) {
        struct host_worker *own = &host->workers[i];
        if (own->reader != NULL) {
            own->reader->ops->close(own->reader);
        }
        if (own->hsm != NULL) {
            hsm_sim_destroy(own->hsm);
        }
        memset(own, 0, sizeof *own);
    }
    if (host->io != NULL) {
        host->io->ops->destroy(host->io);
        host->io = NULL;
    }
    host->ledger = NULL;
    mem_release_to(host->memory_mark);
}

void host_crash(struct host *host, const char *why)
{
    if (!host->is_up) {
        return;
    }
    if (why != host->text) {
        (void)snprintf(host->text, sizeof host->text, "%s", why);
    }
    host->survived = UINT64_MAX;
    drop(host);
}

/* ---- booting -----------------------------------------------------------------------------------
 */

static void fill_account(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES], const char *name)
{
    memset(out, 0, LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, strlen(name));
}

const struct host_acquirer host_acquirers[SIM_ACQUIRERS] = {
    {"127.0.0.1:8583", "settlement/acquirer", 0},
    {"127.0.0.1:8588", "settlement/second", 3},
};

/* Parties by their number: the order of a configuration, to which one was added at the end. */
static const struct {
    const char *name, *settlement;
} party_rows[] = {
    {"acquirer", "settlement/acquirer"},
    {"demo-a", "settlement/demo-a"},
    {"demo-b", "settlement/demo-b"},
    {"second", "settlement/second"},
};
#define PARTY_OF_ENDPOINT(endpoint) ((uint16_t)((endpoint) + 1))

static void ledger_options_of(const struct host *host, struct ledger_options *options)
{
    *options = (struct ledger_options){
        .limits = {.cards_max = 64,
                   .accounts_max = 64,
                   .holds_max = 4096,
                   .txns_max = 16384,
                   .replays_max = 16384,
                   .counter_slots_max = 64,
                   .saf_max = 1024,
                   .exceptions_max = 4096},
        .segment_bytes = 1u << 20,
        .segments_count = 4,
        .replay_keep_ns = 48 * 3600 * NS_PER_S,
        .senders_count = (uint16_t)(host->options.workers_count + 1),
        .endpoints_count = SIM_ENDPOINTS,
        .parties_count = countof(party_rows),
    };
    for (uint32_t i = 0; i < countof(party_rows); i++) {
        fill_account(options->parties[i].settlement_account, party_rows[i].settlement);
    }
    for (uint32_t i = 0; i < SIM_ENDPOINTS; i++) {
        const struct adapter *adapter = adapter_by_name("iso-host");
        fill_account(options->endpoints[i].settlement_account,
                     party_rows[PARTY_OF_ENDPOINT(i)].settlement);
        options->endpoints[i].reversal_mti = adapter->reversal_mti;
        options->endpoints[i].silence = (uint8_t)adapter->silence;
        options->endpoints[i].next_attempt_after = 1;
    }
}

static struct worker_listener listeners[SIM_ACQUIRERS];
static struct worker_party parties[countof(party_rows)];
static struct worker_endpoint endpoints[SIM_ENDPOINTS];

static void fill_counterparties(const struct host *host)
{
    static const char *const addresses[] = {SIM_SCHEME_A, SIM_SCHEME_B};
    struct iso_framing framing;
    must(iso_framing_by_name("binary2", &framing));
    for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
        listeners[i] = (struct worker_listener){
            .dialect = host->dialect, .framing = framing, .party = host_acquirers[i].party};
        must(io_address_parse(host_acquirers[i].address, &listeners[i].address));
    }
    for (uint32_t i = 0; i < countof(party_rows); i++) {
        parties[i] = (struct worker_party){.window = 256, .zone_pin_key = KEY_ZPK};
        memcpy(parties[i].name, party_rows[i].name, strlen(party_rows[i].name) + 1);
    }
    for (uint32_t i = 0; i < SIM_ENDPOINTS; i++) {
        const char *name = party_rows[PARTY_OF_ENDPOINT(i)].name;
        endpoints[i] = (struct worker_endpoint){.dialect = host->dialect,
                                                .framing = framing,
                                                .adapter = adapter_by_name("iso-host"),
                                                .party = PARTY_OF_ENDPOINT(i),
                                                .owner = host_owner(host, (uint8_t)i),
                                                .window = 256,
                                                .institution = "990001",
                                                .connect_ns = NS_PER_S,
                                                .answer_ns = 3 * NS_PER_S,
                                                .repeat_ns = 5 * NS_PER_S};
        memcpy(endpoints[i].name, name, strlen(name) + 1);
        must(io_address_parse(addresses[i], &endpoints[i].address));
    }
}

static struct worker *create_worker(struct host *host, uint16_t index)
{
    const struct worker_options options = {
        .index = index,
        .workers_count = host->options.workers_count,
        .txns_max = 512,
        .links_max = 16,
        .seed = host->options.seed + index,
        .journal_slow_ns = 250 * NS_PER_MS,
        .hsm_deadline_ns = 500 * NS_PER_MS,
        .issuer =
            {.bins = {"990001"}, .bins_count = 1, .currency = 398, .cvk = KEY_CVK, .pvk = KEY_PVK},
        .listeners = listeners,
        .parties = parties,
        .endpoints = endpoints,
        .listeners_count = SIM_ACQUIRERS,
        .parties_count = countof(party_rows),
        .endpoints_count = SIM_ENDPOINTS,
        .port = ledger_port(host->ledger, index),
        .ledger_board = ledger_board(host->ledger),
        .shard = ledger_agent(host->ledger),
        .hash_key = ledger_hash_key(host->ledger),
        .ref = host->workers[index].reader,
        .hsm = host->workers[index].hsm,
        .card_keys = host->card_keys,
        .seal = host->seal,
        .rules = &host->rules,
        .board = host->board,
        .mesh = host->mesh,
        .metrics = host->metrics,
        .crash_point = crash_point,
        .crash_context = host,
    };
    return worker_create(&options);
}

/* ---- threads that are one ----------------------------------------------------------------------
 * With two workers each is late by chance, as a thread of its own would be, and the order of the
 * agents is another one at every start. What came from the io is taken at once: its bytes are only
 * there now. */

#define SLEEPY_PERCENT 30u

static struct host_worker *worker_of(const struct agent *agent)
{
    for (uint32_t i = 0; i < SIM_WORKERS_MAX; i++) {
        struct host_worker *own = &the_host->workers[i];
        if (own->worker != NULL && worker_agent(own->worker) == agent) {
            return own;
        }
    }
    must(!"a worker of this host");
    return NULL;
}

static void sleepy_event(struct agent *agent, const struct io_event *event)
{
    struct host_worker *own = worker_of(agent);
    own->has_events = true;
    own->plain_ops->event(agent, event);
}

static uint32_t sleepy_turn(struct agent *agent)
{
    struct host_worker *own = worker_of(agent);
    struct sim_random *random = sim_world_random(the_host->world);
    if (!own->has_events && sim_percent(random, SLEEPY_PERCENT)) {
        return 0;
    }
    own->has_events = false;
    return own->plain_ops->turn(agent);
}

static void make_sleepy(struct host_worker *own)
{
    struct agent *agent = worker_agent(own->worker);
    own->plain_ops = agent->ops;
    own->ops = *agent->ops;
    own->ops.event = sleepy_event;
    own->ops.turn = sleepy_turn;
    agent->ops = &own->ops;
}

static void add_agents(struct host *host)
{
    struct agent *agents[THREAD_AGENTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < host->options.workers_count; i++) {
        agents[count++] = worker_agent(host->workers[i].worker);
    }
    agents[count++] = ledger_agent(host->ledger);
    for (uint32_t kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        agents[count++] = followers_agent(ledger_followers(host->ledger), (enum follower_kind)kind);
    }
    for (uint32_t left = count; left > 0; left--) {
        uint64_t at =
            host->options.workers_count == 1 ? 0 : sim_below(sim_world_random(host->world), left);
        thread_add(&host->thread, agents[at]);
        for (uint64_t i = at; i + 1 < left; i++) {
            agents[i] = agents[i + 1];
        }
    }
    for (uint32_t i = 0; i < host->thread.agents_count; i++) {
        host->thread.agents[i]->io = host->io;
    }
}

static void create_workers(struct host *host)
{
    fill_counterparties(host);
    host->board = mem_take(MEM_PLAIN, sizeof *host->board, "endpoint board");
    host->mesh = host->options.workers_count > 1 ? mesh_create(host->options.workers_count) : NULL;
    for (uint16_t i = 0; i < host->options.workers_count; i++) {
        struct host_worker *own = &host->workers[i];
        own->reader = host->ref->ops->reader(host->ref, &host->thread.clock);
        own->hsm = hsm_sim_create(&host->clock_source, sim_world_random(host->world), keys,
                                  countof(keys), &hsm_faults);
        own->worker = create_worker(host, i);
        if (host->options.workers_count > 1) {
            make_sleepy(own);
        }
    }
}

static bool boot(struct host *host)
{
    struct ledger_options options;
    ledger_options_of(host, &options);
    host->clock_source = sim_world_clock(host->world);
    clock_start(&host->recovery_clock, &host->clock_source);
    const struct ledger_stores stores = {disk_sim_disk(host->disk_sim), host->state, host->ref};
    host->ledger = ledger_open(&options, &stores, &host->recovery_clock, host->metrics, host->text,
                               sizeof host->text);
    if (host->ledger == NULL) {
        return false;
    }
    host->io = sim_io_create(host->world, &host->pipe.writer);
    thread_init(&host->thread, "sim", &host->clock_source);
    host->thread.io = host->thread.bell.io = host->io;
    create_workers(host);
    add_agents(host);
    for (uint16_t i = 0; i <= host->options.workers_count; i++) {
        ledger_port(host->ledger, i)->bell = &host->thread.bell;
    }
    for (uint16_t i = 0; i < SIM_ENDPOINTS; i++) {
        ledger_endpoint_bell(host->ledger, i, &host->thread.bell);
    }
    host->hooks = (struct ledger_hooks){crash_point, decided, host};
    ledger_hook(host->ledger, &host->hooks);
    for (uint32_t i = 0; i < host->options.workers_count; i++) {
        worker_serve(host->workers[i].worker);
    }
    return true;
}

enum host_booted host_boot(struct host *host)
{
    must(!host->is_up);
    host->memory_mark = mem_mark();
    take_aim(host);
    atomic_store(&host->rules, rule_sets[host->rules_files]);
    host->rules_since_ns = 0;
    if (setjmp(host->crash) != 0) {
        host->may_crash = false;
        drop(host);
        return HOST_CRASHED;
    }
    host->may_crash = true;
    bool is_booted = boot(host);
    host->may_crash = false;
    if (!is_booted) {
        drop(host);
        return HOST_REFUSED;
    }
    host->boots_count++;
    host->is_up = true;
    host_hsm(host, host->hsm_mode);
    for (uint32_t kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        followers_pause(ledger_followers(host->ledger), (enum follower_kind)kind,
                        host->stalls[kind]);
    }
    return HOST_UP;
}

/* What the daemon's control thread does: a journal that failed ends the process. */
static bool has_ended_itself(struct host *host)
{
    if (ledger_failure(host->ledger)[0] == '\0') {
        return false;
    }
    uint32_t point = sim_point_find("journal fails");
    host->options.points->passed[point]++;
    host->options.points->crashed[point]++;
    host_crash(host, "journal fails");
    return true;
}

bool host_round(struct host *host)
{
    must(host->is_up);
    if (host->pending != 0) {
        uint32_t point = host->pending - 1;
        host->options.points->crashed[point]++;
        host_crash(host, sim_points[point].text);
        return false;
    }
    if (setjmp(host->crash) != 0) {
        host->may_crash = false;
        host_crash(host, host->text);
        return false;
    }
    host->may_crash = true;
    (void)thread_round(&host->thread, 0);
    host->may_crash = false;
    return !has_ended_itself(host);
}

/* ---- what goes wrong around it ----------------------------------------------------------------
 */

void host_hsm(struct host *host, enum hsm_sim_mode mode)
{
    host->hsm_mode = mode;
    for (uint32_t i = 0; host->is_up && i < host->options.workers_count; i++) {
        hsm_sim_set_mode(host->workers[i].hsm, mode);
    }
}

void host_disk_slow(struct host *host, uint32_t times)
{
    host->disk_times = times;
}

static void add_bytes(void *context, const char *name, uint64_t bytes)
{
    (void)name;
    *(uint64_t *)context += bytes;
}

void host_disk_full(struct host *host, bool is_full)
{
    uint64_t bytes = 0;
    struct disk *disk = disk_sim_disk(host->disk_sim);
    must(disk->ops->each(disk, add_bytes, &bytes) == IO_OK);
    disk_sim_capacity(host->disk_sim, is_full ? bytes : 0);
    host->disk_full = is_full;
}

bool host_disk_is_full(const struct host *host)
{
    return host->disk_full;
}

void host_disk_error(struct host *host)
{
    host->disk_fails = true;
}

void host_follower_stalls(struct host *host, enum follower_kind kind, bool stalls)
{
    host->stalls[kind] = stalls;
    if (host->is_up) {
        followers_pause(ledger_followers(host->ledger), kind, stalls);
    }
}

/* ---- looking -----------------------------------------------------------------------------------
 */

uint64_t host_survived(const struct host *host)
{
    uint64_t recovered = ledger_recovered_batch(host->ledger);
    return recovered < host->survived ? recovered : host->survived;
}

int64_t host_utc_ns(const struct host *host)
{
    return host->ledger->now.utc_ns;
}

bool host_is_quiet(const struct host *host)
{
    return host->is_up && ledger_drained(host->ledger);
}

void host_spare(struct host *host, bool spared)
{
    host->is_spared = spared;
}

int64_t host_deadline(const struct host *host)
{
    int64_t earliest = INT64_MAX;
    for (uint32_t i = 0; i < host->thread.agents_count; i++) {
        const struct agent *agent = host->thread.agents[i];
        int64_t deadline = agent->ops->pending(agent) ? 0 : agent->ops->deadline(agent);
        earliest = deadline < earliest ? deadline : earliest;
    }
    return earliest;
}

/* ---- the host itself ---------------------------------------------------------------------------
 */

/* Immutable: read once for all stories. */
static void load_rules(void)
{
    static const char *const directories[SIM_RULE_SETS] = {SIM_CONF_DIRECTORY "/rules",
                                                           SIM_RULES_DIRECTORY};
    static const char *const names[] = {"demo-a", "demo-b"};
    static struct conf_report report;
    for (uint32_t i = 0; i < SIM_RULE_SETS && rule_sets[i] == NULL; i++) {
        const struct rules_options options = {
            .directory = directories[i], .endpoints = names, .endpoints_count = SIM_ENDPOINTS};
        rule_sets[i] = rules_load(&options, &report);
        conf_report_print(&report, stderr);
        must(rule_sets[i] != NULL);
    }
}

/* The data directory's hash key is chance, and all chance here is the seed's. */
static void put_hash_key(struct host *host)
{
    struct disk *disk = disk_sim_disk(host->disk_sim);
    uint64_t key[2], offset;
    key[0] = sim_next(sim_world_random(host->world));
    key[1] = sim_next(sim_world_random(host->world));
    must(disk->ops->append(disk, "hash-key", (const uint8_t *)key, sizeof key, &offset) == IO_OK);
    must(disk->ops->sync(disk, "hash-key") == IO_OK);
}

struct host *host_create(struct sim_world *world, const struct host_options *options)
{
    struct host *host = calloc(1, sizeof *host);
    must(host != NULL);
    host->world = world;
    host->options = *options;
    host->pipe = (struct disk_pipe){{pipe_write}, host};
    host->disk_sim = disk_sim_create(options->seed);
    static struct hsm_card_keys
        *card_keys; /* of the simulator's process, not of the simulated one */
    static struct hsm_seal *seal;
    static struct metric_block *metrics;
    if (card_keys == NULL) {
        card_keys = hsm_card_keys_create(&hsm_sim_data_keys);
        seal = hsm_seal_create(&hsm_sim_data_keys, options->seed);
        metrics = metric_block_create("sim");
    }
    host->card_keys = card_keys;
    host->seal = seal;
    host->metrics = metrics;
    host->state = state_store_memory();
    host->ref = ledger_ref_memory();
    static struct iso_report iso_report;
    host->disk_times = 1;
    host->survived = UINT64_MAX;
    host->tear = DISK_SIM_ANY;
    wrap_stores(host);
    put_hash_key(host);
    host->dialect = iso_dialect_by_name("iso87-ascii", SIM_CONF_DIRECTORY "/dialects", &iso_report);
    load_rules();
    must(host->dialect != NULL);
    return host;
}

void host_destroy(struct host *host)
{
    host_crash(host, "end");
    disk_sim_destroy(host->disk_sim);
    host->state->ops->destroy(host->state);
    host->ref->ops->destroy(host->ref);
    iso_dialect_free(host->dialect);
    free(host);
}

bool host_is_up(const struct host *host)
{
    return host->is_up;
}

const char *host_text(const struct host *host)
{
    return host->text;
}

struct ledger *host_ledger(const struct host *host)
{
    return host->ledger;
}

struct ledger_port *host_control(struct host *host)
{
    return ledger_port(host->ledger, host_control_sender(host));
}

uint16_t host_control_sender(const struct host *host)
{
    return host->options.workers_count;
}

uint16_t host_owner(const struct host *host, uint8_t endpoint)
{
    return (uint16_t)((endpoint + (host->options.seed >> 3)) % host->options.workers_count);
}

uint64_t host_rules_id(uint32_t set)
{
    return rules_id(rule_sets[set]);
}

void host_rules_write(struct host *host, uint32_t set)
{
    host->rules_files = set;
}

void host_rules_activate(struct host *host, uint32_t set)
{
    atomic_store(&host->rules, rule_sets[set]);
    host->rules_since_ns = sim_world_now_ns(host->world);
}

uint64_t host_rules_in_force(const struct host *host, int64_t *since_ns)
{
    *since_ns = host->rules_since_ns;
    return rules_id(atomic_load(&host->rules));
}

uint64_t host_boots(const struct host *host)
{
    return host->boots_count;
}

void host_card_key(struct host *host, const char *pan, struct ledger_card_key *key)
{
    must(hsm_card_key_make(host->card_keys, HSM_KEY_CURRENT, (const uint8_t *)pan,
                           (uint32_t)strlen(pan), key->bytes));
}
