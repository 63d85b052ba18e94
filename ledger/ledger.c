/* ledger.c - puts a ledger together: memory, journal, followers, recovery, the senders' rings.
 *
 * Runs on the control thread at start, before the shard's thread; afterwards only what ledger.h
 * says any thread may ask. */
#include "ledger/shard.h"

#include "base/log.h"
#include "base/mem.h"
#include "ledger/recover.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

#define HASH_KEY_FILE "hash-key"

/* ---- sizes ----------------------------------------------------------------------------------- */

static uint32_t power_of_two(uint64_t bytes)
{
    uint32_t capacity = 4 * LIMIT_RECORD_BYTES_MAX;
    while (capacity < bytes && capacity < UINT32_C(1) << 31) {
        capacity *= 2;
    }
    return capacity;
}

static bool is_control(const struct ledger_options *options, uint32_t sender)
{
    return sender == options->senders_count - 1u;
}

static uint32_t credits_of(const struct ledger_options *options, uint32_t sender)
{
    return is_control(options, sender) ? LEDGER_CREDITS_CONTROL : LEDGER_CREDITS_WORKER;
}

static uint64_t verdict_bytes(const struct ledger_options *options, uint32_t sender)
{
    uint64_t one = is_control(options, sender) ? LIMIT_RECORD_BYTES_MAX : LEDGER_VERDICT_BYTES_MAX;
    return credits_of(options, sender) * (one + sizeof(struct shard_verdict) + 16);
}

static uint32_t commands_capacity(const struct ledger_options *options, uint32_t sender)
{
    return power_of_two((uint64_t)credits_of(options, sender) * LEDGER_COMMAND_BYTES_MAX);
}

static uint32_t verdicts_capacity(const struct ledger_options *options, uint32_t sender)
{
    return power_of_two(verdict_bytes(options, sender));
}

static uint32_t waiting_capacity(const struct ledger_options *options)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < options->senders_count; i++) {
        bytes += verdict_bytes(options, i);
    }
    return power_of_two(bytes);
}

/* Replays are the rows of the transactions: the larger of the two limits counts for both. */
static struct ledger_limits limits_of(const struct ledger_options *options)
{
    struct ledger_limits limits = options->limits;
    if (limits.replays_max > limits.txns_max) {
        limits.txns_max = limits.replays_max;
    }
    return limits;
}

static struct journal_options journal_options_of(struct ledger *ledger)
{
    return (struct journal_options){
        .segment_bytes = ledger->options.segment_bytes,
        .segments_count = ledger->options.segments_count,
        .mirror_bytes = 16u << 20,
        .clock = &ledger->clock,
        .metrics = ledger->metrics,
    };
}

size_t ledger_bytes(const struct ledger_options *options)
{
    struct ledger_limits limits = limits_of(options);
    struct ledger sample = {.options = *options};
    struct journal_options journal = journal_options_of(&sample);
    struct followers_options followers = {0};
    size_t bytes = sizeof(struct ledger) + sizeof(struct ledger_plan) +
                   sizeof(struct ledger_board) + ledger_state_bytes(&limits) +
                   journal_bytes(&journal) + followers_bytes(&followers) +
                   ring_bytes(waiting_capacity(options));
    for (uint32_t i = 0; i < options->senders_count; i++) {
        bytes +=
            ring_bytes(commands_capacity(options, i)) + ring_bytes(verdicts_capacity(options, i));
    }
    return bytes;
}

/* ---- refusals -------------------------------------------------------------------------------- */

PRINTF(3, 4) static bool refuse(char *text, size_t text_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, text_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool check_limits(const struct ledger_limits *limits, char *text, size_t text_size)
{
    const struct {
        const char *name;
        uint32_t value;
    } rows[] = {
        {"cards", limits->cards_max},
        {"accounts", limits->accounts_max},
        {"holds", limits->holds_max},
        {"transactions", limits->txns_max},
        {"counters", limits->counter_slots_max},
        {"stored messages", limits->saf_max},
        {"exceptions", limits->exceptions_max},
    };
    for (uint32_t i = 0; i < countof(rows); i++) {
        if (rows[i].value == 0 || rows[i].value > UINT32_C(1) << 30) {
            return refuse(text, text_size, "ledger: the limit of %s is %u, not 1 to 2^30",
                          rows[i].name, rows[i].value);
        }
    }
    return true;
}

static bool check(const struct ledger_options *options, char *text, size_t text_size)
{
    if (options->senders_count < 1 || options->senders_count > LEDGER_SENDERS_MAX ||
        options->parties_count > LIMIT_PARTIES_MAX ||
        options->endpoints_count > LIMIT_ENDPOINTS_MAX) {
        return refuse(text, text_size, "ledger: %u senders, %u parties, %u endpoints",
                      options->senders_count, options->parties_count, options->endpoints_count);
    }
    for (uint32_t i = 0; i < options->endpoints_count; i++) {
        if (options->endpoints[i].silence != LEDGER_SILENCE_REVERSAL) {
            return refuse(text, text_size,
                          "%.28s: silence is resolved by reversal, nothing else in this version",
                          (const char *)options->endpoints[i].settlement_account);
        }
    }
    struct ledger_limits limits = limits_of(options);
    return check_limits(&limits, text, text_size);
}

/* ---- the data directory's hash key ----------------------------------------------------------- */

/* Replay keys are hashes under this key: it lives as long as the journal does, and is made only
 * when nothing of a ledger is there. */
static bool load_hash_key(struct ledger *ledger, struct disk *disk, bool is_new, char *text,
                          size_t text_size)
{
    uint8_t bytes[32];
    uint32_t size = sizeof bytes;
    enum io_err err = disk->ops->load(disk, HASH_KEY_FILE, bytes, &size, 0);
    if (err == IO_OK && size == sizeof ledger->hash_key) {
        memcpy(ledger->hash_key, bytes, sizeof ledger->hash_key);
        return true;
    }
    if (err == IO_OK && size != 0) {
        return refuse(text, text_size, "%s: %u bytes, not 16", HASH_KEY_FILE, size);
    }
    if (!is_new) {
        return refuse(text, text_size,
                      "%s is missing or empty, but a ledger made under it is here: put it back, "
                      "every backup has it",
                      HASH_KEY_FILE);
    }
    uint64_t offset;
    if (getrandom(ledger->hash_key, sizeof ledger->hash_key, 0) !=
        (ssize_t)sizeof ledger->hash_key) {
        return refuse(text, text_size, "%s: the kernel gives no random bytes", HASH_KEY_FILE);
    }
    err =
        disk->ops->append(disk, HASH_KEY_FILE, ledger->hash_key, sizeof ledger->hash_key, &offset);
    err = err == IO_OK ? disk->ops->sync(disk, HASH_KEY_FILE) : err;
    return err == IO_OK ||
           refuse(text, text_size, "%s: %s", HASH_KEY_FILE, io_err_text(-(int32_t)err));
}

/* ---- open ------------------------------------------------------------------------------------ */

static struct ring *take_ring(uint32_t capacity, const char *what)
{
    return ring_init(mem_take(MEM_PLAIN, ring_bytes(capacity), what), capacity);
}

static void make_ports(struct ledger *ledger)
{
    const struct ledger_options *options = &ledger->options;
    for (uint32_t i = 0; i < options->senders_count; i++) {
        ledger->ports[i] = (struct ledger_port){
            .commands = take_ring(commands_capacity(options, i), "ledger commands"),
            .verdicts = take_ring(verdicts_capacity(options, i), "ledger verdicts"),
            .credits = credits_of(options, i),
        };
    }
    ledger->waiting = take_ring(waiting_capacity(options), "ledger verdicts waiting");
}

static bool recover(struct ledger *ledger, const struct ledger_stores *stores, char *text,
                    size_t text_size)
{
    struct ledger_recovered recovered;
    if (!ledger_recover(ledger->state, ledger->journal, ledger->followers, stores->state,
                        &ledger->clock, &recovered, text, text_size)) {
        return false;
    }
    ledger->batch_last = ledger->batch_known = journal_durable_batch(ledger->journal);
    atomic_store(&ledger->board->durable_batch, ledger->batch_known);
    atomic_store(&ledger->board->txn_next, ledger->state->txn_next);
    ledger->recovered_batch = recovered.journal.batch;
    ledger->now.epoch = (uint16_t)journal_epoch(ledger->journal);
    ledger->now.utc_ns = ledger->state->utc_last_ns;
    for (uint32_t i = 0; i < ledger->options.endpoints_count; i++) {
        atomic_store(&ledger->board->saf_waiting[i], ledger->state->queues[i].waiting_count);
    }
    return true;
}

static bool open_parts(struct ledger *ledger, const struct ledger_stores *stores, char *text,
                       size_t text_size)
{
    struct journal_options journal_options = journal_options_of(ledger);
    struct followers_options followers_options = {
        .disk = stores->disk,
        .state = stores->state,
        .ref = stores->ref,
        .board = ledger->board,
    };
    bool is_new;
    if (!ledger_recover_check(stores->disk, stores->state, stores->ref, &is_new, text, text_size) ||
        !load_hash_key(ledger, stores->disk, is_new, text, text_size)) {
        return false;
    }
    ledger->journal = journal_open(&journal_options, stores->disk, text, text_size);
    if (ledger->journal == NULL) {
        return false;
    }
    if (!journal_is_direct(ledger->journal)) {
        log_event(LOG_WARN, "journal.not_direct",
                  log_text("why", "O_DIRECT is refused here: O_DSYNC alone, by way of the cache"));
    }
    ledger->followers = followers_open(&followers_options, ledger->journal, text, text_size);
    return ledger->followers != NULL && recover(ledger, stores, text, text_size);
}

struct ledger *ledger_open(const struct ledger_options *options, const struct ledger_stores *stores,
                           const struct clock *clock, struct metric_block *metrics, char *text,
                           size_t text_size)
{
    if (!check(options, text, text_size)) {
        return NULL;
    }
    struct ledger *ledger = mem_take(MEM_PLAIN, sizeof *ledger, "ledger");
    ledger->agent.ops = &shard_ops;
    ledger->options = *options;
    ledger->options.limits = limits_of(options);
    ledger->clock = *clock;
    ledger->metrics = metrics;
    ledger->follower_ring_ns = INT64_MAX;
    ledger->plan = mem_take(MEM_PLAIN, sizeof *ledger->plan, "ledger plan");
    ledger->board = mem_take(MEM_PLAIN, sizeof *ledger->board, "ledger board");
    make_ports(ledger);
    ledger->state = ledger_state_create(&ledger->options.limits, (uint64_t)clock->utc_ns);
    ledger_state_configure(ledger->state, &ledger->options);
    if (!open_parts(ledger, stores, text, text_size)) {
        ledger_close(ledger);
        return NULL;
    }
    ledger_warm_init(&ledger->warm, ledger->state, ledger->board);
    return ledger;
}

/* The memory stays the process's (base/mem.h). */
void ledger_close(struct ledger *ledger)
{
    if (ledger->followers != NULL) {
        followers_close(ledger->followers);
        ledger->followers = NULL;
    }
    if (ledger->journal != NULL) {
        journal_close(ledger->journal);
        ledger->journal = NULL;
    }
}

/* ---- neighbours ------------------------------------------------------------------------------ */

struct agent *ledger_agent(struct ledger *ledger)
{
    return &ledger->agent;
}

struct agent *ledger_warm_agent(struct ledger *ledger)
{
    return &ledger->warm.agent;
}

struct followers *ledger_followers(struct ledger *ledger)
{
    return ledger->followers;
}

struct ledger_port *ledger_port(struct ledger *ledger, uint16_t sender)
{
    must(sender < ledger->options.senders_count);
    return &ledger->ports[sender];
}

struct ledger_board *ledger_board(struct ledger *ledger)
{
    return ledger->board;
}

void ledger_endpoint_bell(struct ledger *ledger, uint16_t endpoint, struct bell *bell)
{
    must(endpoint < LIMIT_ENDPOINTS_MAX);
    ledger->endpoint_bells[endpoint] = bell;
}

const uint8_t *ledger_hash_key(const struct ledger *ledger)
{
    return ledger->hash_key;
}

uint64_t ledger_recovered_batch(const struct ledger *ledger)
{
    return ledger->recovered_batch;
}

const char *ledger_failure(const struct ledger *ledger)
{
    return journal_failed(ledger->journal) ? journal_failure(ledger->journal) : "";
}

void ledger_hook(struct ledger *ledger, const struct ledger_hooks *hooks)
{
    ledger->hooks = *hooks;
}

bool ledger_drained(const struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->options.senders_count; i++) {
        if (!ring_empty(ledger->ports[i].commands) || ledger->aheads[i].count > 0) {
            return false;
        }
    }
    return ring_empty(ledger->waiting) && journal_idle(ledger->journal);
}
