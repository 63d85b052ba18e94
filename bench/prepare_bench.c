/* prepare_bench.c - `ringbench prepare`: a data directory with many cards, ready for a load run.
 *
 * DESIGN  Writes DIR/ringswitch.yaml and DIR/rules (the demo's, without its limits), makes the
 * token, then runs a shard and its followers in this process, under the directory's lock, and feeds
 * it the commands of `account create` and `card create`, as many ahead of their verdicts as it has
 * credits. Cards are k = 1 … N of our BIN; their accounts have a credit line of 1,000,000.00 and no
 * balance. */
#include "base/mem.h"
#include "bench/bench.h"
#include "bench/load.h"
#include "conf/conf.h"
#include "ctl/token_make.h"
#include "hsm/card_key.h"
#include "ledger/follower.h"
#include "sims/options.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SENDERS         2u /* of a daemon with one worker: the worker, then control */
#define CREDIT_LINE     INT64_C(100000000)
#define PATH_BYTES      4096u
#define TEXT_BYTES      512u
#define VERDICT_WAIT_US 20u

struct options {
    const char *data, *conf;
    int64_t cards, txns, port_base;
};

struct prepare {
    const struct options *options;
    char data[PATH_BYTES];
    char text[TEXT_BYTES];
    struct conf *conf;
    struct hsm_key keys[CONF_KEYS_MAX];
    struct hsm_supervisor *hsm;
    struct hsm_card_keys *card_keys;
    struct ledger *ledger;
    struct disk *disk;
    struct state_store *state;
    struct ledger_ref *ref;
    struct ledger_port *port;
    struct thread shard, followers;
    pthread_t shard_id, followers_id;
    pthread_barrier_t ready;
    struct clock clock;
    uint32_t in_flight, generation;
    uint64_t refused;
};

/* ---- files --------------------------------------------------------------------------------- */

static bool copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    bool done = in != NULL && out != NULL;
    size_t size;
    while (done && (size = fread(buffer, 1, sizeof buffer, in)) > 0) {
        done = fwrite(buffer, 1, size, out) == size;
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    return (out == NULL || fclose(out) == 0) && done;
}

/* Where the demo's files stand; the written configuration names them by full path. */
static bool write_files(struct prepare *prepare)
{
    static const char *const rules[] = {"routing.yaml", "lists.yaml"};
    const struct options *options = prepare->options;
    char conf[PATH_BYTES], from[PATH_BYTES + 64], to[PATH_BYTES + 64];
    if ((mkdir(options->data, 0700) != 0 && errno != EEXIST) ||
        realpath(options->data, prepare->data) == NULL || realpath(options->conf, conf) == NULL) {
        (void)snprintf(prepare->text, TEXT_BYTES, "%s or %s: %s", options->data, options->conf,
                       strerror(errno));
        return false;
    }
    (void)snprintf(to, sizeof to, "%s/rules", prepare->data);
    (void)mkdir(to, 0700);
    for (size_t i = 0; i < countof(rules); i++) {
        (void)snprintf(from, sizeof from, "%s/rules/%s", conf, rules[i]);
        (void)snprintf(to, sizeof to, "%s/rules/%s", prepare->data, rules[i]);
        if (!copy_file(from, to)) {
            (void)snprintf(prepare->text, TEXT_BYTES, "%.200s cannot be copied", from);
            return false;
        }
    }
    (void)snprintf(to, sizeof to, "%s/ringswitch.yaml", prepare->data);
    FILE *file = fopen(to, "we");
    if (file == NULL) {
        (void)snprintf(prepare->text, TEXT_BYTES, "%.200s cannot be written", to);
        return false;
    }
    long long limit = options->cards + options->cards / 8 + 1024;
    (void)fprintf(
        file,
        "# Written by `ringbench prepare`: %lld cards for load runs.\n"
        "mode: demo\ndata: .\nthreads: shared\nmemory: start\n\nlisteners:\n"
        "  ascii: {address: \"127.0.0.1:%d\", dialect: iso87-ascii, framing: binary2, "
        "party: acquirer}\n\nhttp: {address: \"127.0.0.1:%d\"}\n\n"
        "files: {parties: \"%s/parties.yaml\", rules: rules, dialects: \"%s/dialects\"}\n\n"
        "journal: {segment_bytes: 256MiB, segments: 4}\n\nledger: {replay_keep: 60s}\n\n",
        (long long)options->cards, (int)options->port_base, (int)options->port_base + 1000, conf,
        conf);
    (void)fprintf(file,
                  "limits: {cards: %lld, accounts: %lld, txns: %lld, replays: %lld}\n\n"
                  "hsm: {demo_keys: \"%s/demo-keys.yaml\"}\n\n"
                  "issuer: {bins: [\"990001\"], currency: 398, cvk: cvk-990001, pvk: pvk-990001, "
                  "pvki: 1}\n\nkeys:\n  zpk-acquirer: {use: zone_pin, kcv: 666EA8}\n"
                  "  zpk-demo-a: {use: zone_pin, kcv: 938D2B}\n"
                  "  zpk-demo-b: {use: zone_pin, kcv: 5801F5}\n"
                  "  cvk-990001: {use: cvk, kcv: 26777F}\n  pvk-990001: {use: pvk, kcv: F505B7}\n"
                  "  mac-acquirer: {use: mac, kcv: 3C5DEB}\n  mac-demo-a: {use: mac, kcv: B27A79}\n"
                  "  imk-ac-990001: {use: emv_ac, kcv: \"64145E\"}\n",
                  limit, limit, (long long)options->txns, (long long)options->txns, conf);
    return fclose(file) == 0;
}

static bool load_conf(struct prepare *prepare)
{
    char path[PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/ringswitch.yaml", prepare->data);
    struct conf_options options = {.file = path};
    struct conf_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    prepare->conf = conf_load(&options, report);
    conf_report_print(report, stderr);
    free(report);
    (void)snprintf(prepare->text, TEXT_BYTES, "the written configuration is not accepted");
    return prepare->conf != NULL;
}

static bool lock_directory(struct prepare *prepare)
{
    char path[PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/lock", prepare->data);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* held until the process ends */
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)snprintf(prepare->text, TEXT_BYTES, "%.400s: a daemon works here", prepare->data);
        return false;
    }
    return true;
}

/* ---- HSM and ledger ------------------------------------------------------------------------ */

static bool start_hsm(struct prepare *prepare)
{
    const struct conf *conf = prepare->conf;
    if (!ctl_token_make(conf, NULL, NULL) || !ctl_token_keys(conf, prepare->keys)) {
        (void)snprintf(prepare->text, TEXT_BYTES, "no token");
        return false;
    }
    const struct hsm_options options = {.token_directory = conf->hsm_token,
                                        .keys = prepare->keys,
                                        .keys_count = conf->keys_count,
                                        .instances_count = 1,
                                        .clients_count = SENDERS};
    prepare->hsm = hsm_supervisor_start(&options, prepare->text, TEXT_BYTES);
    if (prepare->hsm == NULL) {
        return false;
    }
    prepare->card_keys = hsm_card_keys_create(hsm_supervisor_data_keys(prepare->hsm));
    (void)snprintf(prepare->text, TEXT_BYTES, "the token has no card-index key");
    return prepare->card_keys != NULL;
}

static void put_name(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES], const char *name)
{
    size_t size = strlen(name);
    must(size <= LEDGER_ACCOUNT_NAME_BYTES);
    memset(out, 0, LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, size);
}

static void ledger_options_of(const struct conf *conf, struct ledger_options *options)
{
    *options = (struct ledger_options){.limits = {.cards_max = conf->cards_max,
                                                  .accounts_max = conf->accounts_max,
                                                  .holds_max = conf->holds_max,
                                                  .txns_max = conf->txns_max,
                                                  .replays_max = conf->replays_max,
                                                  .counter_slots_max = conf->counter_slots_max,
                                                  .saf_max = conf->saf_max,
                                                  .exceptions_max = conf->exceptions_max},
                                       .segment_bytes = conf->journal_segment_bytes,
                                       .segments_count = conf->journal_segments,
                                       .replay_keep_ns = conf->replay_keep_ns,
                                       .senders_count = SENDERS,
                                       .endpoints_count = (uint16_t)conf->endpoints_count,
                                       .parties_count = (uint16_t)conf->parties_count};
    for (uint32_t i = 0; i < conf->parties_count; i++) {
        put_name(options->parties[i].settlement_account, conf->parties[i].settlement);
    }
    for (uint32_t i = 0; i < conf->endpoints_count; i++) {
        put_name(options->endpoints[i].settlement_account,
                 conf->parties[conf->endpoints[i]].settlement);
        options->endpoints[i].reversal_mti = 420;
    }
}

static bool open_ledger(struct prepare *prepare)
{
    const struct conf *conf = prepare->conf;
    char path[PATH_BYTES + 64];
    enum io_err err;
    struct store_options store = {.path = path, .readers_max = LIMIT_WORKERS_MAX};
    prepare->disk = disk_directory(conf->journal_directory, &err);
    if (prepare->disk == NULL) {
        (void)snprintf(prepare->text, TEXT_BYTES, "%s: %s", conf->journal_directory,
                       io_err_text(-(int32_t)err));
        return false;
    }
    (void)snprintf(path, sizeof path, "%s/state.mdb", prepare->data);
    prepare->state = state_store_lmdb(&store, prepare->text, TEXT_BYTES);
    (void)snprintf(path, sizeof path, "%s/ref.mdb", prepare->data);
    prepare->ref =
        prepare->state == NULL ? NULL : ledger_ref_lmdb(&store, prepare->text, TEXT_BYTES);
    if (prepare->ref == NULL) {
        return false;
    }
    struct ledger_options options;
    ledger_options_of(conf, &options);
    const struct ledger_stores stores = {
        .disk = prepare->disk, .state = prepare->state, .ref = prepare->ref};
    clock_start(&prepare->clock, &clock_system);
    prepare->ledger = ledger_open(&options, &stores, &prepare->clock, metric_block_create("shard"),
                                  prepare->text, TEXT_BYTES);
    return prepare->ledger != NULL;
}

/* ---- threads ------------------------------------------------------------------------------- */

static void run_thread(struct prepare *prepare, struct thread *thread, bool writes)
{
    char text[TEXT_BYTES];
    struct io_options options = {.write_thread = writes};
    thread->io = io_uring_create_with(&options, text, sizeof text);
    must(thread->io != NULL);
    thread->bell.io = thread->io;
    for (uint32_t i = 0; i < thread->agents_count; i++) {
        thread->agents[i]->io = thread->io;
    }
    (void)pthread_barrier_wait(&prepare->ready);
    thread_run(thread);
}

static void *shard_main(void *context)
{
    struct prepare *prepare = context;
    run_thread(prepare, &prepare->shard, true);
    return NULL;
}

static void *followers_main(void *context)
{
    struct prepare *prepare = context;
    run_thread(prepare, &prepare->followers, false);
    return NULL;
}

static void start_threads(struct prepare *prepare)
{
    static struct bell nobody; /* the feeder looks by itself */
    prepare->port = ledger_port(prepare->ledger, SENDERS - 1);
    prepare->port->bell = &nobody;
    ledger_port(prepare->ledger, 0)->bell = &nobody;
    for (uint32_t i = 0; i < prepare->conf->endpoints_count; i++) {
        ledger_endpoint_bell(prepare->ledger, (uint16_t)i, &nobody);
    }
    thread_init(&prepare->shard, "shard", &clock_system);
    thread_add(&prepare->shard, ledger_agent(prepare->ledger));
    thread_init(&prepare->followers, "followers", &clock_system);
    for (uint32_t kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        thread_add(&prepare->followers,
                   followers_agent(ledger_followers(prepare->ledger), (enum follower_kind)kind));
    }
    must(pthread_barrier_init(&prepare->ready, NULL, 3) == 0);
    must(pthread_create(&prepare->shard_id, NULL, shard_main, prepare) == 0);
    must(pthread_create(&prepare->followers_id, NULL, followers_main, prepare) == 0);
    (void)pthread_barrier_wait(&prepare->ready);
}

static void stop_thread(struct thread *thread, pthread_t id)
{
    atomic_store(&thread->stop, true);
    thread->io->ops->wake(thread->io);
    (void)pthread_join(id, NULL);
}

/* ---- feeding ------------------------------------------------------------------------------- */

static void take_verdicts(struct prepare *prepare)
{
    uint32_t size;
    bool any = false;
    for (const struct ledger_verdict *verdict;
         (verdict = ring_peek(prepare->port->verdicts, &size)) != NULL;) {
        any = true;
        prepare->in_flight--;
        prepare->refused += verdict->kind != LEDGER_VERDICT_DONE;
        ring_next(prepare->port->verdicts);
    }
    if (any) {
        ring_release(prepare->port->verdicts);
    } else {
        (void)usleep(VERDICT_WAIT_US);
    }
}

static void push(struct prepare *prepare, void *command, uint32_t size,
                 enum ledger_command_kind kind)
{
    struct ledger_command *header = command;
    void *record = NULL;
    while (prepare->in_flight == prepare->port->credits ||
           (record = ring_reserve(prepare->port->commands, size)) == NULL) {
        ring_publish(prepare->port->commands);
        bell_ring(&prepare->shard.bell);
        take_verdicts(prepare);
    }
    header->size = size;
    header->kind = (uint16_t)kind;
    header->sender = SENDERS - 1;
    header->generation = ++prepare->generation;
    header->received_ns = clock_system.boot_ns(clock_system.context);
    memcpy(record, command, size);
    prepare->in_flight++;
}

static bool settle(struct prepare *prepare)
{
    ring_publish(prepare->port->commands);
    bell_ring(&prepare->shard.bell);
    while (prepare->in_flight > 0) {
        if (ledger_failure(prepare->ledger)[0] != 0) {
            (void)snprintf(prepare->text, TEXT_BYTES, "%s", ledger_failure(prepare->ledger));
            return false;
        }
        take_verdicts(prepare);
    }
    return true;
}

static void feed_card(struct prepare *prepare, uint64_t number)
{
    struct ledger_command_account account = {.currency = 398, .credit_line_minor = CREDIT_LINE};
    struct ledger_command_card card = {
        .expiry = 3012, .service_code = 201, .pvki = '1', .pvv = "0000"};
    uint8_t pan[16];
    char name[LEDGER_ACCOUNT_NAME_BYTES];
    load_card_pan(number, pan);
    (void)snprintf(name, sizeof name, "card/%llu", (unsigned long long)number);
    put_name(account.name, name);
    put_name(card.account, name);
    must(hsm_card_key_make(prepare->card_keys, HSM_KEY_CURRENT, pan, sizeof pan, card.card.bytes));
    memcpy(card.pan_first6_last4, pan, 6);
    memcpy(card.pan_first6_last4 + 6, pan + 12, 4);
    push(prepare, &account, sizeof account, LEDGER_ACCOUNT_CREATE);
    push(prepare, &card, sizeof card, LEDGER_CARD_CREATE);
}

static bool feed(struct prepare *prepare)
{
    static const char *const house[] = {"funding", "settlement/acquirer", "settlement/demo-a",
                                        "settlement/demo-b"};
    for (size_t i = 0; i < countof(house); i++) {
        struct ledger_command_account account = {.currency = 398, .is_house = 1};
        put_name(account.name, house[i]);
        push(prepare, &account, sizeof account, LEDGER_ACCOUNT_CREATE);
    }
    int64_t began_ns = machine_now_ns(), shown_ns = began_ns;
    for (uint64_t number = 1; number <= (uint64_t)prepare->options->cards; number++) {
        feed_card(prepare, number);
        if (number % 4096 == 0 && machine_now_ns() - shown_ns > 1000000000) {
            shown_ns = machine_now_ns();
            (void)fprintf(stderr, "\r%llu cards", (unsigned long long)number);
        }
    }
    bool done = settle(prepare);
    (void)fprintf(stderr, "\r%lld cards in %.1f s, %llu commands refused\n",
                  (long long)prepare->options->cards, (double)(machine_now_ns() - began_ns) / 1e9,
                  (unsigned long long)prepare->refused);
    return done;
}

static int prepare_all(struct prepare *prepare)
{
    if (!write_files(prepare) || !load_conf(prepare) || !lock_directory(prepare) ||
        !start_hsm(prepare) || !open_ledger(prepare)) {
        (void)fprintf(stderr, "ringbench: %s\n", prepare->text);
        return 2;
    }
    start_threads(prepare);
    bool done = feed(prepare);
    stop_thread(&prepare->followers, prepare->followers_id);
    if (done) {
        done = followers_catch_up(ledger_followers(prepare->ledger), prepare->text, TEXT_BYTES);
    }
    stop_thread(&prepare->shard, prepare->shard_id);
    ledger_close(prepare->ledger);
    hsm_supervisor_stop(prepare->hsm);
    if (!done) {
        (void)fprintf(stderr, "ringbench: %s\n", prepare->text);
        return 2;
    }
    printf("%s/ringswitch.yaml\n", prepare->data);
    return prepare->refused == 0 ? 0 : 1;
}

int bench_prepare(int argc, char **argv)
{
    static struct prepare prepare;
    struct options options = {.conf = "conf", .txns = 12 << 20, .port_base = 8583};
    const struct option_row rows[] = {
        {"--cards", OPTION_NUMBER, &options.cards, 1, 100000000, "how many"},
        {"--data", OPTION_TEXT, &options.data, 0, 0, "the directory; made when absent"},
        {"--conf", OPTION_TEXT, &options.conf, 0, 0, "the demo's configuration (conf)"},
        {"--txns", OPTION_NUMBER, &options.txns, 1024, 1 << 30,
         "transactions and replays kept in 60 s (12 Mi)"},
        {"--port-base", OPTION_NUMBER, &options.port_base, 1024, 60000, "acquirers' port (8583)"},
    };
    switch (options_read("ringbench prepare", "State with many cards for a load run.", rows,
                         countof(rows), argc, argv)) {
    case OPTIONS_OK:
        break;
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_WRONG:
        return 2;
    }
    if (options.data == NULL || options.cards == 0) {
        (void)fprintf(stderr, "ringbench prepare: --cards N --data DIR\n");
        return 2;
    }
    prepare.options = &options;
    return prepare_all(&prepare);
}
