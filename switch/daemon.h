/* daemon.h - everything that one ringswitch is made of, from configuration to running threads.
 *
 * START  daemon_load() (configuration, dialects, rules) → daemon_start() (HSM, ledger and recovery,
 * workers, threads, control socket, HTTP) → control_run() → daemon_stop(). A start that is refused
 * says why in one sentence and leaves nothing running.
 *
 * THREADS  The control thread is the one that called main(): it owns this struct. Data-plane
 * threads own their agents (base/agent.h); what they share with it are atomics. */
#ifndef SWITCH_DAEMON_H
#define SWITCH_DAEMON_H

#include "base/mem.h"
#include "conf/conf.h"
#include "hsm/card_key.h"
#include "hsm/seal.h"
#include "hsm/supervisor.h"
#include "ledger/follower.h"
#include "ledger/ledger.h"
#include "rules/rules.h"
#include "switch/mesh.h"
#include "switch/worker.h"
#include <jansson.h>
#include <pthread.h>

#define DAEMON_TEXT_BYTES       512u
#define DAEMON_OVERRIDES_MAX    CONF_OVERRIDES_MAX
#define CONTROL_FUNDING_ACCOUNT "funding" /* the other leg of `account credit` and `debit` */

enum daemon_thread_kind {
    DAEMON_THREAD_DATA,       /* workers and the shard: pinned, may spin, allocate nothing */
    DAEMON_THREAD_NEAR,       /* what they wait for soon: the ref follower */
    DAEMON_THREAD_BACKGROUND, /* the other followers, and warming: batch priority */
};
#define DAEMON_THREADS_OTHER 3u /* the shard's, ref's, the followers' */

struct daemon_thread {
    struct thread thread;
    pthread_t id;
    struct daemon *daemon;
    enum daemon_thread_kind kind;
    bool writes_by_thread; /* durable writes: see base/io.h */
    char refusal[DAEMON_TEXT_BYTES];
    uint8_t *stack; /* its guard page first */
};

struct daemon {
    struct conf_options conf_options; /* as given on the command line: a reload uses them again */
    struct conf *conf;
    struct iso_dialect *dialects[LIMIT_PARTIES_MAX];
    uint32_t dialects_count;
    const struct rules *_Atomic rules; /* in force */
    struct rules *rules_old;           /* until no worker uses it */

    struct hsm_supervisor *hsm;
    struct hsm_key hsm_keys[CONF_KEYS_MAX];
    struct hsm_card_keys *card_keys; /* the control thread's */
    int64_t hsm_tick_ns;

    struct disk *disk;
    struct state_store *state_store;
    struct ledger_ref *ref;
    struct ledger_ref_reader *ref_reader; /* the control thread's */
    struct ledger_ref_reader *ref_readers[LIMIT_WORKERS_MAX];
    struct ledger *ledger;
    struct clock clock; /* of recovery, then of the control thread */

    struct board *board;
    struct mesh *mesh;
    struct worker *workers[LIMIT_WORKERS_MAX];
    uint32_t workers_count;
    struct worker_listener listeners[CONF_LISTENERS_MAX];
    struct worker_party parties[LIMIT_PARTIES_MAX];
    struct worker_endpoint endpoints[LIMIT_ENDPOINTS_MAX];
    uint32_t endpoints_count;

    struct daemon_thread threads[LIMIT_WORKERS_MAX + DAEMON_THREADS_OTHER];
    uint32_t threads_count, data_threads_count; /* those of data come first */
    bool is_shared;                             /* worker 0 and the shard in one thread */
    pthread_barrier_t created, sealed;

    int control_socket, signals, control_eventfd, lock_file, log_file;
    struct io control_io; /* only wakes */
    struct bell control_bell;
    struct bell *shard_bell;
    struct ledger_port *port; /* the control thread's */
    uint16_t control_sender;
    uint32_t control_generation;

    struct MHD_Daemon *http;
    _Atomic bool is_ready;
    bool is_draining, is_finished;
    int64_t drain_until_ns;
    int exit_status;
};

/* Reads and checks everything that stands in files; faults go to `report`. */
NODISCARD bool daemon_load(struct daemon *daemon, struct conf_report *report);
/* The rule files of conf->rules; NULL when the report has an error. */
NODISCARD struct rules *daemon_rules_load(const struct conf *conf, struct conf_report *report);
void daemon_ledger_options(const struct daemon *daemon, struct ledger_options *options);
void daemon_worker_options(struct daemon *daemon, uint16_t index, struct worker_options *options);
/* Fills listeners, parties and endpoints from the configuration. */
void daemon_counterparties(struct daemon *daemon);
uint32_t daemon_cpus(void);
void daemon_unload(struct daemon *daemon);

/* False: `text` says why; daemon_stop() has been called. */
NODISCARD bool daemon_start(struct daemon *daemon, char *text, size_t text_size);
void daemon_stop(struct daemon *daemon);

/* daemon_memory.c. Bytes of every limit, for --check and the start; returns their sum. */
uint64_t daemon_print_memory(const struct daemon *daemon, FILE *stream);
/* What a start would take, and what the machine has: more than that is refused. */
uint64_t daemon_memory_bytes(const struct daemon *daemon);
uint64_t daemon_machine_bytes(void);
/* When all is taken: locked or resident as mode and `memory` ask. False: `text` says why not. */
NODISCARD bool daemon_take_memory(const struct daemon *daemon, char *text, size_t text_size);

/* daemon_threads.c */
NODISCARD bool daemon_threads_start(struct daemon *daemon, char *text, size_t text_size);
void daemon_threads_stop(struct daemon *daemon);

/* Once a round of the control thread. */
void daemon_housekeeping(struct daemon *daemon);
bool daemon_finished(const struct daemon *daemon);
void daemon_drain(struct daemon *daemon);
/* Reads configuration and rules again. False: everything stays as it was; `text` (may be NULL) has
 * the first fault. */
bool daemon_reload(struct daemon *daemon, char *text, size_t text_size);

/* For the control commands. */
int64_t daemon_now_ns(struct daemon *daemon);
const char *daemon_endpoint_name(const struct daemon *daemon, uint16_t endpoint);
NODISCARD bool daemon_card_key(struct daemon *daemon, const char *pan, uint32_t size,
                               struct ledger_card_key *key);
/* Fills pvv and pvki; returns a text when the arguments are wrong. */
const char *daemon_card_pin(struct daemon *daemon, const json_t *args,
                            struct ledger_command_card *card);
/* Waits until every worker decides from `batch` on; bounded. */
bool daemon_wait_ref(struct daemon *daemon, uint64_t batch);
bool daemon_listed(struct daemon *daemon, const char *list, const void *key, uint32_t key_size);

/* http.c */
NODISCARD bool http_start(struct daemon *daemon, char *text, size_t text_size);
void http_stop(struct daemon *daemon);

#endif
