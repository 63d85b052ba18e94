/* daemon.c - start, end, reload and drain of one ringswitch. Control thread.
 *
 * DESIGN  The start goes from what can be refused cheaply to what cannot: locks and sockets of the
 * control side, the HSM, the ledger with its recovery, workers, threads, listeners. Whatever
 * refuses, daemon_stop() undoes what was done. */
#include "switch/daemon.h"

#include "base/log.h"
#include "switch/control.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef RS_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#define SERVE_WAIT_NS (10 * NS_PER_S)
#define REF_WAIT_NS   (5 * NS_PER_S)
#define DEMO_MARK     "demo"

static bool refuse(char *text, size_t text_size, const char *what, const char *why)
{
    (void)snprintf(text, text_size, "%s: %s", what, why);
    return false;
}

/* ---- the data directory ------------------------------------------------------------------------
 */

static bool take_directory(struct daemon *daemon, char *text, size_t text_size)
{
    const struct conf *conf = daemon->conf;
    char path[CONF_PATH_BYTES + 16];
    if (mkdir(conf->data, 0700) != 0 && errno != EEXIST) {
        return refuse(text, text_size, conf->data, strerror(errno));
    }
    (void)snprintf(path, sizeof path, "%s/" DEMO_MARK, conf->data);
    if (conf->mode == CONF_MODE_PRODUCTION && access(path, F_OK) == 0) {
        return refuse(
            text, text_size, conf->data,
            "this directory was filled by mode: demo; production starts in one of its own");
    }
    if (conf->mode == CONF_MODE_DEMO) {
        int mark = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (mark < 0) {
            return refuse(text, text_size, path, strerror(errno));
        }
        (void)close(mark);
    }
    (void)snprintf(path, sizeof path, "%s/lock", conf->data);
    daemon->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (daemon->lock_file < 0) {
        return refuse(text, text_size, path, strerror(errno));
    }
    if (flock(daemon->lock_file, LOCK_EX | LOCK_NB) != 0) {
        return refuse(text, text_size, conf->data, "another ringswitch works in this directory");
    }
    return true;
}

static bool open_log(struct daemon *daemon, char *text, size_t text_size)
{
    const struct conf *conf = daemon->conf;
    const char *base = strrchr(conf->log_file, '/');
    daemon->log_file = STDERR_FILENO;
    if (strcmp(base != NULL ? base + 1 : conf->log_file, "-") != 0) {
        daemon->log_file = open(conf->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (daemon->log_file < 0) {
            return refuse(text, text_size, conf->log_file, strerror(errno));
        }
    }
    log_start(daemon->log_file, (enum log_level)conf->log_level);
    log_thread_init("control");
    return true;
}

/* ---- the control side --------------------------------------------------------------------------
 */

static void wake_control(struct io *io)
{
    struct daemon *daemon =
        (struct daemon *)(void *)((char *)io - offsetof(struct daemon, control_io));
    const uint64_t one = 1;
    (void)!write(daemon->control_eventfd, &one, sizeof one);
}

static const struct io_ops control_io_ops = {.wake = wake_control};

static bool open_control(struct daemon *daemon, char *text, size_t text_size)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    const char *path = daemon->conf->control_socket;
    if (strlen(path) >= sizeof where.sun_path) {
        return refuse(text, text_size, path,
                      "a socket's path has at most 107 bytes; shorten `data`");
    }
    memcpy(where.sun_path, path, strlen(path) + 1);
    (void)unlink(path); /* the lock on the directory says that nobody listens there */
    daemon->control_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177);
    int result = bind(daemon->control_socket, (struct sockaddr *)&where, sizeof where);
    (void)umask(mask);
    if (result != 0 || listen(daemon->control_socket, 16) != 0) {
        return refuse(text, text_size, path, strerror(errno));
    }
    daemon->control_eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    daemon->control_io.ops = &control_io_ops;
    daemon->control_bell.io = &daemon->control_io;
    return daemon->control_eventfd >= 0;
}

/* Before any thread exists, so that all inherit the mask. */
static void take_signals(struct daemon *daemon)
{
    sigset_t set;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is an error of the write */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    daemon->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    must(daemon->signals >= 0);
}

/* ---- HSM, ledger, workers ----------------------------------------------------------------------
 */

static bool start_hsm(struct daemon *daemon, char *text, size_t text_size)
{
    const struct conf *conf = daemon->conf;
    const struct hsm_options options = {
        .module = conf->hsm_module[0] != '\0' ? conf->hsm_module : NULL,
        .token_directory = conf->hsm_token,
        .pin_file = conf->hsm_pin_file[0] != '\0' ? conf->hsm_pin_file : NULL,
        .keys = daemon->hsm_keys,
        .keys_count = conf->keys_count,
        .instances_count = conf->hsm_instances,
        .clients_count = daemon->workers_count + 1,
        .refuse_test_keys = conf->mode == CONF_MODE_PRODUCTION,
        .lock_memory = conf->mode == CONF_MODE_PRODUCTION,
    };
    daemon->hsm = hsm_supervisor_start(&options, text, text_size);
    if (daemon->hsm == NULL) {
        return false;
    }
    daemon->card_keys = hsm_card_keys_create(hsm_supervisor_data_keys(daemon->hsm));
    if (daemon->card_keys == NULL) {
        return refuse(text, text_size, conf->hsm_token,
                      "the token has no card-index key; run ringctl hsm init");
    }
    return true;
}

static bool start_ledger(struct daemon *daemon, char *text, size_t text_size)
{
    const struct conf *conf = daemon->conf;
    char path[CONF_PATH_BYTES + 16];
    enum io_err err;
    daemon->disk = disk_directory(conf->journal_directory, &err);
    if (daemon->disk == NULL) {
        return refuse(text, text_size, conf->journal_directory, io_err_text(-(int32_t)err));
    }
    struct store_options store = {.path = path, .readers_max = LIMIT_WORKERS_MAX + 8};
    (void)snprintf(path, sizeof path, "%s/state.mdb", conf->data);
    daemon->state_store = state_store_lmdb(&store, text, text_size);
    (void)snprintf(path, sizeof path, "%s/ref.mdb", conf->data);
    daemon->ref = daemon->state_store != NULL ? ledger_ref_lmdb(&store, text, text_size) : NULL;
    if (daemon->ref == NULL) {
        return false;
    }
    clock_start(&daemon->clock, &clock_system);
    struct ledger_options options;
    daemon_ledger_options(daemon, &options);
    const struct ledger_stores stores = {
        .disk = daemon->disk, .state = daemon->state_store, .ref = daemon->ref};
    char why[DAEMON_TEXT_BYTES] = "";
    daemon->ledger = ledger_open(&options, &stores, &daemon->clock, metric_block_create("shard"),
                                 why, sizeof why);
    return daemon->ledger != NULL || refuse(text, text_size, conf->journal_directory, why);
}

static bool start_workers(struct daemon *daemon, char *text, size_t text_size)
{
    daemon->board = mem_take(MEM_PLAIN, sizeof *daemon->board, "endpoint board");
    daemon->mesh = daemon->workers_count > 1 ? mesh_create((uint16_t)daemon->workers_count) : NULL;
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        struct worker_options options;
        uint64_t seed;
        must(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
        daemon_worker_options(daemon, (uint16_t)i, &options);
        options.seal = hsm_seal_create(hsm_supervisor_data_keys(daemon->hsm), seed);
        options.metrics = metric_block_create("worker");
        options.ref = daemon->ref->ops->reader(daemon->ref, &daemon->clock);
        daemon->ref_readers[i] = options.ref;
        if (options.seal == NULL || options.ref == NULL || options.card_keys == NULL) {
            return refuse(text, text_size, daemon->conf->hsm_token,
                          "the token has no data keys; run ringctl hsm init");
        }
        daemon->workers[i] = worker_create(&options);
    }
    daemon->control_sender = (uint16_t)daemon->workers_count;
    daemon->port = ledger_port(daemon->ledger, daemon->control_sender);
    daemon->port->bell = &daemon->control_bell;
    daemon->ref_reader = daemon->ref->ops->reader(daemon->ref, &daemon->clock);
    return true;
}

static bool open_house_account(struct daemon *daemon, const char *name, uint16_t currency)
{
    struct control_request request = {.daemon = daemon, .out_fd = -1, .is_broken = true};
    struct ledger_command_query query = {.query = LEDGER_QUERY_ACCOUNT, .rows_max = 1};
    struct ledger_command_account create = {.currency = currency, .is_house = 1};
    memcpy(query.name, name, strlen(name));
    memcpy(create.name, name, strlen(name));
    const struct ledger_verdict *verdict =
        control_ask(&request, &query, sizeof query, LEDGER_QUERY);
    if (verdict != NULL && verdict->kind == LEDGER_VERDICT_ROWS &&
        ((const struct ledger_verdict_rows *)(const void *)verdict)->rows_count > 0) {
        return true;
    }
    verdict = control_ask(&request, &create, sizeof create, LEDGER_ACCOUNT_CREATE);
    return verdict != NULL && verdict->kind == LEDGER_VERDICT_DONE;
}

/* What every posting needs: the settlement accounts of the parties, and where credits come from. */
static bool open_house_accounts(struct daemon *daemon, char *text, size_t text_size)
{
    const struct conf *conf = daemon->conf;
    uint16_t currency = (uint16_t)conf->issuer_currency;
    bool opened = open_house_account(daemon, CONTROL_FUNDING_ACCOUNT, currency);
    for (uint32_t i = 0; i < conf->parties_count && opened; i++) {
        opened = open_house_account(daemon, conf->parties[i].settlement, currency);
    }
    return opened || refuse(text, text_size, "ledger",
                            "a settlement account cannot be opened: limits.accounts is reached");
}

/* After the threads exist: bells, listeners. */
static bool serve(struct daemon *daemon, char *text, size_t text_size)
{
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        worker_serve(daemon->workers[i]);
    }
    int64_t give_up_ns = daemon_now_ns(daemon) + SERVE_WAIT_NS;
    for (uint32_t serving = 0; serving < daemon->workers_count;) {
        serving = 0;
        for (uint32_t i = 0; i < daemon->workers_count; i++) {
            enum worker_state state = worker_state(daemon->workers[i]);
            if (state == WORKER_REFUSED) {
                (void)snprintf(text, text_size, "%s", worker_refusal(daemon->workers[i]));
                return false;
            }
            serving += state == WORKER_SERVING;
        }
        if (daemon_now_ns(daemon) > give_up_ns) {
            return refuse(text, text_size, "workers", "they did not begin to serve in time");
        }
        (void)poll(NULL, 0, 1);
    }
    return true;
}

bool daemon_start(struct daemon *daemon, char *text, size_t text_size)
{
    daemon->control_socket = daemon->signals = daemon->control_eventfd = daemon->lock_file = -1;
    bool started = take_directory(daemon, text, text_size) && open_log(daemon, text, text_size);
    if (started) {
        take_signals(daemon);
        started = open_control(daemon, text, text_size) && start_hsm(daemon, text, text_size) &&
                  start_ledger(daemon, text, text_size) && start_workers(daemon, text, text_size) &&
                  daemon_take_memory(daemon, text, text_size) &&
                  http_start(daemon, text, text_size) &&
                  daemon_threads_start(daemon, text, text_size) &&
                  open_house_accounts(daemon, text, text_size) && serve(daemon, text, text_size);
    }
    if (!started) {
        daemon_stop(daemon);
        return false;
    }
    atomic_store(&daemon->is_ready, true);
    log_event(LOG_INFO, "daemon.ready", log_number("workers", daemon->workers_count),
              log_text("threads", daemon->is_shared ? "shared" : "dedicated"),
              log_number("threads_count", daemon->threads_count),
              log_text("mode", daemon->conf->mode == CONF_MODE_DEMO ? "demo" : "production"));
    return true;
}

void daemon_stop(struct daemon *daemon)
{
    atomic_store(&daemon->is_ready, false);
    daemon_threads_stop(daemon);
    http_stop(daemon);
    if (daemon->ledger != NULL) {
        ledger_close(daemon->ledger);
    }
    if (daemon->ref != NULL) {
        for (uint32_t i = 0; i < daemon->workers_count; i++) {
            if (daemon->ref_readers[i] != NULL) {
                daemon->ref_readers[i]->ops->close(daemon->ref_readers[i]);
            }
        }
        if (daemon->ref_reader != NULL) {
            daemon->ref_reader->ops->close(daemon->ref_reader);
        }
        daemon->ref->ops->destroy(daemon->ref);
    }
    if (daemon->state_store != NULL) {
        daemon->state_store->ops->destroy(daemon->state_store);
    }
    if (daemon->disk != NULL) {
        daemon->disk->ops->destroy(daemon->disk);
    }
    if (daemon->hsm != NULL) {
        hsm_supervisor_stop(daemon->hsm);
    }
    if (daemon->control_socket >= 0) {
        (void)unlink(daemon->conf->control_socket);
        (void)close(daemon->control_socket);
    }
    log_flush();
#ifdef RS_ASAN
    __lsan_do_leak_check(); /* now: wiped memory no longer leads to what it owns */
#endif
    mem_wipe_secrets();
}

/* ---- running -----------------------------------------------------------------------------------
 */

int64_t daemon_now_ns(struct daemon *daemon)
{
    clock_tick(&daemon->clock);
    return daemon->clock.now_ns;
}

bool daemon_finished(const struct daemon *daemon)
{
    return daemon->is_finished;
}

static bool is_quiet(const struct daemon *daemon)
{
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        if (worker_state(daemon->workers[i]) != WORKER_DRAINED) {
            return false;
        }
    }
    return ledger_drained(daemon->ledger);
}

static void free_old_rules(struct daemon *daemon)
{
    for (uint32_t i = 0; daemon->rules_old != NULL && i < daemon->workers_count; i++) {
        if (worker_rules(daemon->workers[i]) == daemon->rules_old) {
            return;
        }
    }
    rules_free(daemon->rules_old);
    daemon->rules_old = NULL;
}

void daemon_housekeeping(struct daemon *daemon)
{
    int64_t now_ns = daemon_now_ns(daemon);
    if (now_ns >= daemon->hsm_tick_ns) {
        daemon->hsm_tick_ns = hsm_supervisor_tick(daemon->hsm, now_ns);
    }
    free_old_rules(daemon);
    const char *failure = ledger_failure(daemon->ledger);
    if (failure[0] != '\0') {
        log_event(LOG_ALARM, "ledger.failed", log_text("why", failure));
        (void)fprintf(stderr, "ringswitch: %s\n", failure);
        daemon->exit_status = 1;
        daemon->is_finished = true;
    }
    if (daemon->is_draining && (is_quiet(daemon) || now_ns >= daemon->drain_until_ns)) {
        log_event(LOG_INFO, "daemon.drained", log_text("quiet", is_quiet(daemon) ? "yes" : "no"));
        daemon->is_finished = true;
    }
}

void daemon_drain(struct daemon *daemon)
{
    if (daemon->is_draining) {
        return;
    }
    daemon->is_draining = true;
    daemon->drain_until_ns = daemon_now_ns(daemon) + daemon->conf->drain_ns;
    atomic_store(&daemon->is_ready, false);
    log_event(LOG_INFO, "daemon.draining");
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        worker_drain(daemon->workers[i]);
    }
}

/* ---- reload ------------------------------------------------------------------------------------
 */

static void log_difference(void *context, const char *text)
{
    (void)context;
    log_event(LOG_WARN, "reload.needs_restart", log_text("setting", text));
}

/* A field of the log is short: the file by its last part, the text in up to three pieces. */
static void log_fault(const struct conf_fault *fault)
{
    const size_t most = sizeof((struct log_field *)NULL)->text - 1;
    size_t file_size = strlen(fault->file), size = strlen(fault->text);
    const char *file = fault->file + (file_size > most ? file_size - most : 0);
    log_event(LOG_ALARM, "reload.refused", log_text("file", file), log_number("line", fault->line),
              log_number("column", fault->column), log_text("code", fault->code),
              log_text("fault", fault->text),
              log_text("fault_2", size > most ? fault->text + most : ""),
              log_text("fault_3", size > 2 * most ? fault->text + 2 * most : ""));
}

static void log_faults(const struct conf_report *report, char *text, size_t text_size)
{
    bool is_told = text == NULL;
    for (uint32_t i = 0; i < report->faults_count && i < CONF_FAULTS_MAX; i++) {
        const struct conf_fault *fault = &report->faults[i];
        if (fault->is_warning) {
            continue;
        }
        log_fault(fault);
        if (!is_told) {
            (void)conf_fault_print(fault, text, text_size);
            is_told = true;
        }
    }
}

/* The set's name is in the journal before a worker can use it. */
static bool journal_rules(struct daemon *daemon, const struct rules *rules)
{
    struct control_request request = {.daemon = daemon, .out_fd = -1, .is_broken = true};
    struct ledger_command_text command = {.id = rules_id(rules)};
    rules_describe(rules, (char *)command.text, sizeof command.text);
    command.text_size = (uint16_t)strlen((const char *)command.text);
    const struct ledger_verdict *verdict =
        control_ask(&request, &command, sizeof command, LEDGER_RULESET);
    return verdict != NULL && verdict->kind == LEDGER_VERDICT_DONE;
}

bool daemon_reload(struct daemon *daemon, char *text, size_t text_size)
{
    struct conf_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    struct conf *wanted = conf_load(&daemon->conf_options, report);
    struct rules *rules = wanted != NULL ? daemon_rules_load(wanted, report) : NULL;
    if (rules == NULL) {
        log_faults(report, text, text_size);
        conf_free(wanted);
        free(report);
        return false;
    }
    free(report);
    bool done = daemon->rules_old == NULL && journal_rules(daemon, rules);
    if (!done) {
        log_event(LOG_ALARM, "reload.refused",
                  log_text("fault", "the ledger did not take it in time"));
        if (text != NULL) {
            (void)snprintf(text, text_size, "the ledger did not take it in time; try again");
        }
        rules_free(rules);
        conf_free(wanted);
        return false;
    }
    (void)conf_fixed_differences(daemon->conf, wanted, log_difference, NULL);
    log_start(daemon->log_file, (enum log_level)wanted->log_level);
    daemon->conf->drain_ns = wanted->drain_ns;
    conf_free(wanted);
    daemon->rules_old = (struct rules *)(uintptr_t)atomic_exchange(&daemon->rules, rules);
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        bell_ring(worker_agent(daemon->workers[i])->bell);
    }
    char ruleset[20];
    (void)snprintf(ruleset, sizeof ruleset, "%016llx", (unsigned long long)rules_id(rules));
    log_event(LOG_INFO, "reload.done", log_text("ruleset", ruleset));
    return true;
}

/* ---- for the control commands ------------------------------------------------------------------
 */

const char *daemon_endpoint_name(const struct daemon *daemon, uint16_t endpoint)
{
    return endpoint < daemon->endpoints_count ? daemon->endpoints[endpoint].name : "?";
}

bool daemon_card_key(struct daemon *daemon, const char *pan, uint32_t size,
                     struct ledger_card_key *key)
{
    return hsm_card_key_make(daemon->card_keys, HSM_KEY_CURRENT, (const uint8_t *)pan, size,
                             key->bytes);
}

const char *daemon_card_pin(struct daemon *daemon, const json_t *args,
                            struct ledger_command_card *card)
{
    const char *pvv = json_string_value(json_object_get(args, "pvv"));
    const json_t *pvki = json_object_get(args, "pvki");
    card->pvki = (uint8_t)(json_is_integer(pvki) ? (uint64_t)json_integer_value(pvki)
                                                 : daemon->conf->issuer_pvki);
    if (json_object_get(args, "pin") != NULL) {
        return "a PIN is not taken here: give pvv, the card's PIN verification value";
    }
    if (card->pvki > 6) {
        return "pvki is 0 to 6";
    }
    if (pvv == NULL) {
        memset(card->pvv, 0, sizeof card->pvv); /* a card without PIN: no PIN is right */
        return NULL;
    }
    if (strlen(pvv) != 4 || !bytes_are_digits((const uint8_t *)pvv, 4)) {
        return "pvv has four digits";
    }
    memcpy(card->pvv, pvv, 4);
    return NULL;
}

static bool workers_have_seen(const struct daemon *daemon, uint64_t batch)
{
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        if (worker_ref_batch(daemon->workers[i]) < batch) {
            return false;
        }
    }
    return true;
}

bool daemon_wait_ref(struct daemon *daemon, uint64_t batch)
{
    int64_t give_up_ns = daemon_now_ns(daemon) + REF_WAIT_NS;
    while (!workers_have_seen(daemon, batch)) {
        if (daemon_now_ns(daemon) > give_up_ns) {
            return false;
        }
        for (uint32_t i = 0; i < daemon->workers_count; i++) {
            bell_ring(worker_agent(daemon->workers[i])->bell);
        }
        (void)poll(NULL, 0, 1);
    }
    return true;
}

bool daemon_listed(struct daemon *daemon, const char *list, const void *key, uint32_t key_size)
{
    (void)daemon_now_ns(daemon);
    (void)daemon->ref_reader->ops->renew(daemon->ref_reader);
    return daemon->ref_reader->ops->listed(daemon->ref_reader, list, key, key_size);
}
