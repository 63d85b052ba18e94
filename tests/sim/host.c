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
#include "ledger/state.h"
#include "ledger/verify.h"
#include "rules/rules.h"
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
    struct rules *rules_set;
    const struct rules *_Atomic rules;

    /* of one boot */
    struct clock_source clock_source;
    struct thread thread;
    struct clock recovery_clock;
    struct io *io;
    struct ledger *ledger;
    struct worker *worker;
    struct ledger_ref_reader *reader;
    struct board *board;
    struct hsm_card_keys
        *card_keys; /* with the seal, made once: their memory is never given back */
    struct hsm_seal *seal;
    struct metric_block *metrics;
    struct hsm_client *hsm;
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
    if (host->reader != NULL) {
        host->reader->ops->close(host->reader);
        host->reader = NULL;
    }
    if (host->hsm != NULL) {
        hsm_sim_destroy(host->hsm);
        host->hsm = NULL;
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

static void ledger_options_of(struct ledger_options *options)
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
        .senders_count = 2,
        .endpoints_count = SIM_ENDPOINTS,
        .parties_count = 3,
    };
    static const char *const accounts[] = {"settlement/acquirer", "settlement/demo-a",
                                           "settlement/demo-b"};
    for (uint32_t i = 0; i < 3; i++) {
        fill_account(options->parties[i].settlement_account, accounts[i]);
    }
    for (uint32_t i = 0; i < SIM_ENDPOINTS; i++) {
        const struct adapter *adapter = adapter_by_name("iso-host");
        fill_account(options->endpoints[i].settlement_account, accounts[i + 1]);
        options->endpoints[i].reversal_mti = adapter->reversal_mti;
        options->endpoints[i].silence = (uint8_t)adapter->silence;
        options->endpoints[i].next_attempt_after = 1;
    }
}

static struct worker *create_worker(struct host *host)
{
    static struct worker_listener listeners[1];
    static struct worker_party parties[3];
    static struct worker_endpoint endpoints[SIM_ENDPOINTS];
    struct iso_framing framing;
    must(iso_framing_by_name("binary2", &framing));
    listeners[0] = (struct worker_listener){.dialect = host->dialect, .framing = framing};
    must(io_address_parse(SIM_LISTENER, &listeners[0].address));
    static const char *const names[] = {"acquirer", "demo-a", "demo-b"};
    static const char *const addresses[] = {SIM_SCHEME_A, SIM_SCHEME_B};
    for (uint32_t i = 0; i < 3; i++) {
        parties[i] = (struct worker_party){.window = 256, .zone_pin_key = KEY_ZPK};
        memcpy(parties[i].name, names[i], strlen(names[i]) + 1);
    }
    for (uint32_t i = 0; i < SIM_ENDPOINTS; i++) {
        endpoints[i] = (struct worker_endpoint){.dialect = host->dialect,
                                                .framing = framing,
                                                .adapter = adapter_by_name("iso-host"),
                                                .party = (uint16_t)(i + 1),
                                                .window = 256,
                                                .institution = "990001",
                                                .connect_ns = NS_PER_S,
                                                .answer_ns = 3 * NS_PER_S,
                                                .repeat_ns = 5 * NS_PER_S};
        memcpy(endpoints[i].name, names[i + 1], strlen(names[i + 1]) + 1);
        must(io_address_parse(addresses[i], &endpoints[i].address));
    }
    host->board = mem_take(MEM_PLAIN, sizeof *host->board, "endpoint board");
    const struct worker_options options = {
        .workers_count = 1,
        .txns_max = 512,
        .links_max = 16,
        .seed = host->options.seed,
        .journal_slow_ns = 250 * NS_PER_MS,
        .hsm_deadline_ns = 500 * NS_PER_MS,
        .issuer =
            {.bins = {"990001"}, .bins_count = 1, .currency = 398, .cvk = KEY_CVK, .pvk = KEY_PVK},
        .listeners = listeners,
        .parties = parties,
        .endpoints = endpoints,
        .listeners_count = 1,
        .parties_count = 3,
        .endpoints_count = SIM_ENDPOINTS,
        .port = ledger_port(host->ledger, 0),
        .ledger_board = ledger_board(host->ledger),
        .shard = ledger_agent(host->ledger),
        .hash_key = ledger_hash_key(host->ledger),
        .ref = host->reader,
        .hsm = host->hsm,
        .card_keys = host->card_keys,
        .seal = host->seal,
        .rules = &host->rules,
        .board = host->board,
        .metrics = host->metrics,
        .crash_point = crash_point,
        .crash_context = host,
    };
    return worker_create(&options);
}

static bool boot(struct host *host)
{
    struct ledger_options options;
    ledger_options_of(&options);
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
    host->reader = host->ref->ops->reader(host->ref, &host->thread.clock);
    host->hsm = hsm_sim_create(&host->clock_source, sim_world_random(host->world), keys,
                               countof(keys), &hsm_faults);
    host->worker = create_worker(host);
    thread_add(&host->thread, worker_agent(host->worker));
    thread_add(&host->thread, ledger_agent(host->ledger));
    for (uint32_t kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        thread_add(&host->thread,
                   followers_agent(ledger_followers(host->ledger), (enum follower_kind)kind));
    }
    for (uint32_t i = 0; i < host->thread.agents_count; i++) {
        host->thread.agents[i]->io = host->io;
    }
    ledger_port(host->ledger, 0)->bell = &host->thread.bell;
    ledger_port(host->ledger, 1)->bell = &host->thread.bell;
    for (uint16_t i = 0; i < SIM_ENDPOINTS; i++) {
        ledger_endpoint_bell(host->ledger, i, &host->thread.bell);
    }
    host->hooks = (struct ledger_hooks){crash_point, decided, host};
    ledger_hook(host->ledger, &host->hooks);
    worker_serve(host->worker);
    return true;
}

enum host_booted host_boot(struct host *host)
{
    must(!host->is_up);
    host->memory_mark = mem_mark();
    take_aim(host);
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
    hsm_sim_set_mode(host->hsm, host->hsm_mode);
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
    if (host->is_up) {
        hsm_sim_set_mode(host->hsm, mode);
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

uint64_t host_digest(const struct host *host)
{
    return ledger_state_digest(host->ledger->state);
}

const char *host_verify(const struct host *host)
{
    static struct ledger_verified verified;
    ledger_state_verify(host->ledger->state, &verified);
    return verified.is_ok ? NULL : verified.text;
}

void host_spare(struct host *host, bool spared)
{
    host->is_spared = spared;
}

void host_print_holds(struct host *host, const char *account)
{
    (void)account;
    struct ledger_state *state = host->ledger->state;
    uint32_t size;
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_hold); row++) {
        const struct ledger_hold *h = ledger_state_row(state, LEDGER_TABLE_hold, row, &size);
        if (h->state == LEDGER_HOLD_OPEN) {
            (void)printf("  hold %u: %lld from row %u\n", row, (long long)h->amount_minor,
                         h->debit_account - 1);
        }
    }
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_saf); row++) {
        const struct ledger_saf *s = ledger_state_row(state, LEDGER_TABLE_saf, row, &size);
        if (s->state != LEDGER_SAF_NONE) {
            (void)printf("  saf %u: reserved %lld from row %u mti %u stan %u sends %u\n", row,
                         (long long)s->reserved_minor, s->debit_account - 1, s->mti, s->stan,
                         s->sends_count);
        }
    }
}

void host_print_txns(struct host *host, uint32_t stan)
{
    struct ledger_state *state = host->ledger->state;
    uint64_t about = 0;
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_txn); row++) {
        uint32_t size;
        const struct ledger_txn *t = ledger_state_row(state, LEDGER_TABLE_txn, row, &size);
        about = t->stan == stan ? t->id : about;
        if (t->id != 0 && (t->stan == stan || (about != 0 && t->related == about))) {
            (void)printf(
                "  ledger: txn %llx %04u STAN %06u state %u flags %x DE39 %.2s booked %lld "
                "undone %lld refunded %lld related %llx\n",
                (unsigned long long)t->id, t->mti, t->stan, t->state, t->flags,
                (const char *)t->de39, (long long)t->booked_minor, (long long)t->undone_minor,
                (long long)t->refunded_minor, (unsigned long long)t->related);
        }
    }
}

bool host_balance(struct host *host, const char *account, int64_t *balance_minor,
                  int64_t *held_minor)
{
    struct ledger_state *state = host->ledger->state;
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_account); row++) {
        uint32_t size;
        const struct ledger_account *a = ledger_state_row(state, LEDGER_TABLE_account, row, &size);
        const struct ledger_account_name *n =
            ledger_state_row(state, LEDGER_TABLE_account_name, row, &size);
        size_t length = strlen(account);
        if (a->currency != 0 && memcmp(n->name, account, length) == 0 &&
            (length == sizeof n->name || n->name[length] == ' ' || n->name[length] == 0)) {
            *balance_minor = a->posted_credit - a->posted_debit;
            *held_minor = a->pending_debit;
            return true;
        }
    }
    return false;
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
    static const char *const endpoints[] = {"demo-a", "demo-b"};
    static struct conf_report report;
    const struct rules_options rules = {.directory = SIM_CONF_DIRECTORY "/rules",
                                        .endpoints = endpoints,
                                        .endpoints_count = SIM_ENDPOINTS};
    host->rules_set = rules_load(&rules, &report);
    conf_report_print(&report, stderr);
    must(host->dialect != NULL && host->rules_set != NULL);
    atomic_store(&host->rules, host->rules_set);
    return host;
}

void host_destroy(struct host *host)
{
    host_crash(host, "end");
    disk_sim_destroy(host->disk_sim);
    host->state->ops->destroy(host->state);
    host->ref->ops->destroy(host->ref);
    iso_dialect_free(host->dialect);
    rules_free(host->rules_set);
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

struct ledger *host_ledger(struct host *host)
{
    return host->ledger;
}

struct ledger_port *host_control(struct host *host)
{
    return ledger_port(host->ledger, host_control_sender());
}

uint16_t host_control_sender(void)
{
    return 1;
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
