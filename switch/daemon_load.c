/* daemon_load.c - from the files of the configuration to what ledger and workers are made with.
 *
 * DESIGN  conf/ knows no dialect, adapter, key use or rule: it asks through struct conf_names,
 * which is filled here. Control thread; nothing here is undone by a later fault but by
 * daemon_unload(). */
#include "switch/daemon.h"

#include "adapters/adapter.h"
#include "iso8583/dialect.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- names that other folders know ------------------------------------------------------------
 */

static bool knows_dialect(void *context, const struct conf *conf, const char *name, char *text,
                          size_t text_size)
{
    (void)context;
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    struct iso_dialect *dialect = iso_dialect_by_name(name, conf->dialects, report);
    if (dialect == NULL) {
        (void)snprintf(text, text_size, "%s",
                       report->count > 0 ? report->texts[0] : "cannot be read");
    }
    iso_dialect_free(dialect);
    free(report);
    return dialect != NULL;
}

static bool knows_framing(void *context, const char *name)
{
    struct iso_framing framing;
    (void)context;
    return iso_framing_by_name(name, &framing);
}

static bool knows_adapter(void *context, const char *name)
{
    (void)context;
    return adapter_by_name(name) != NULL;
}

static bool knows_key_use(void *context, const char *name)
{
    enum hsm_key_use use;
    (void)context;
    return hsm_key_use_parse(name, &use);
}

struct rules *daemon_rules_load(const struct conf *conf, struct conf_report *report)
{
    const struct rules_options options = {
        .directory = conf->rules,
        .endpoints = conf->endpoint_names,
        .endpoints_count = conf->endpoints_count,
        .cards_max = conf->cards_max,
        .counter_slots_max = conf->counter_slots_max,
    };
    return rules_load(&options, report);
}

static void check_rules(void *context, const struct conf *conf, struct conf_report *report)
{
    (void)context;
    rules_free(daemon_rules_load(conf, report));
}

/* ---- loading ----------------------------------------------------------------------------------
 */

static const struct iso_dialect *dialect_of(struct daemon *daemon, const char *name)
{
    for (uint32_t i = 0; i < daemon->dialects_count; i++) {
        if (strcmp(iso_dialect_name(daemon->dialects[i]), name) == 0) {
            return daemon->dialects[i];
        }
    }
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL && daemon->dialects_count < countof(daemon->dialects));
    struct iso_dialect *dialect = iso_dialect_by_name(name, daemon->conf->dialects, report);
    must(dialect != NULL); /* conf_load() has tried it */
    daemon->dialects[daemon->dialects_count++] = dialect;
    free(report);
    return dialect;
}

static void load_keys(struct daemon *daemon)
{
    const struct conf *conf = daemon->conf;
    for (uint32_t i = 0; i < conf->keys_count; i++) {
        struct hsm_key *key = &daemon->hsm_keys[i];
        (void)snprintf(key->label, sizeof key->label, "%s", conf->keys[i].name);
        must(hsm_key_use_parse(conf->keys[i].use, &key->use));
        memcpy(key->kcv, conf->keys[i].kcv, sizeof key->kcv);
    }
}

bool daemon_load(struct daemon *daemon, struct conf_report *report)
{
    daemon->conf_options.names = (struct conf_names){.dialect = knows_dialect,
                                                     .framing = knows_framing,
                                                     .adapter = knows_adapter,
                                                     .key_use = knows_key_use,
                                                     .rules = check_rules};
    daemon->conf = conf_load(&daemon->conf_options, report);
    if (daemon->conf == NULL) {
        return false;
    }
    struct rules *rules = daemon_rules_load(daemon->conf, report);
    if (rules == NULL) {
        return false;
    }
    atomic_store(&daemon->rules, rules);
    uint32_t cpus = daemon_cpus();
    daemon->is_shared = daemon->conf->threads == CONF_THREADS_SHARED ||
                        (daemon->conf->threads == CONF_THREADS_AUTO && cpus < 4);
    uint32_t automatic = cpus < 4 ? 1 : cpus <= 8 ? cpus - 3 : cpus - 6 > 5 ? cpus - 6 : 5;
    daemon->workers_count = daemon->conf->workers != 0 ? daemon->conf->workers : automatic;
    if (daemon->workers_count > LIMIT_WORKERS_MAX) {
        daemon->workers_count = LIMIT_WORKERS_MAX;
    }
    load_keys(daemon);
    daemon_counterparties(daemon);
    return true;
}

uint32_t daemon_cpus(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (uint32_t)count;
}

void daemon_unload(struct daemon *daemon)
{
    for (uint32_t i = 0; i < daemon->dialects_count; i++) {
        iso_dialect_free(daemon->dialects[i]);
    }
    rules_free((struct rules *)(uintptr_t)atomic_load(&daemon->rules));
    rules_free(daemon->rules_old);
    conf_free(daemon->conf);
}

/* ---- options ----------------------------------------------------------------------------------
 */

static uint16_t key_slot(const struct daemon *daemon, const char *label, enum hsm_key_use use)
{
    return hsm_key_slot(daemon->hsm_keys, daemon->conf->keys_count, label, use);
}

void daemon_counterparties(struct daemon *daemon)
{
    const struct conf *conf = daemon->conf;
    for (uint32_t i = 0; i < conf->parties_count; i++) {
        struct worker_party *party = &daemon->parties[i];
        (void)snprintf(party->name, sizeof party->name, "%s", conf->parties[i].name);
        party->window = conf->parties[i].window;
        party->zone_pin_key = key_slot(daemon, conf->parties[i].zpk, HSM_KEY_ZONE_PIN);
    }
    for (uint32_t i = 0; i < conf->listeners_count; i++) {
        const struct conf_listener *from = &conf->listeners[i];
        struct worker_listener *to = &daemon->listeners[i];
        to->address = from->address;
        to->dialect = dialect_of(daemon, from->dialect);
        must(iso_framing_by_name(from->framing, &to->framing));
        to->party = from->party_index;
    }
    for (uint32_t i = 0; i < conf->endpoints_count; i++) {
        const struct conf_party *from = &conf->parties[conf->endpoints[i]];
        struct worker_endpoint *to = &daemon->endpoints[i];
        (void)snprintf(to->name, sizeof to->name, "%s", from->name);
        to->address = from->connect;
        to->adapter = adapter_by_name(from->adapter);
        must(to->adapter != NULL);
        to->dialect =
            dialect_of(daemon, from->dialect[0] != '\0' ? from->dialect : to->adapter->dialect);
        must(iso_framing_by_name(from->framing, &to->framing));
        to->party = conf->endpoints[i];
        to->owner = (uint16_t)(i % daemon->workers_count);
        to->window = from->window;
        memcpy(to->institution, from->institution, sizeof to->institution);
        to->connect_ns = from->connect_ns;
        to->answer_ns = from->answer_ns;
        to->repeat_ns = from->repeat_ns;
        to->echo_interval_ns = from->echo_interval_ns;
    }
    daemon->endpoints_count = conf->endpoints_count;
}

static void put_account(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES], const char *name)
{
    size_t size = strlen(name);
    must(size <= LEDGER_ACCOUNT_NAME_BYTES);
    memset(out, 0, LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, size);
}

void daemon_ledger_options(const struct daemon *daemon, struct ledger_options *options)
{
    const struct conf *conf = daemon->conf;
    *options = (struct ledger_options){
        .limits = {.cards_max = conf->cards_max,
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
        .senders_count = (uint16_t)(daemon->workers_count + 1),
        .endpoints_count = (uint16_t)conf->endpoints_count,
        .parties_count = (uint16_t)conf->parties_count,
    };
    for (uint32_t i = 0; i < conf->parties_count; i++) {
        put_account(options->parties[i].settlement_account, conf->parties[i].settlement);
    }
    for (uint32_t i = 0; i < conf->endpoints_count; i++) {
        const struct adapter *adapter = daemon->endpoints[i].adapter;
        put_account(options->endpoints[i].settlement_account,
                    conf->parties[conf->endpoints[i]].settlement);
        options->endpoints[i].reversal_mti = adapter->reversal_mti;
        options->endpoints[i].silence = (uint8_t)adapter->silence;
        options->endpoints[i].next_attempt_after = 1; /* certainly not sent */
    }
}

void daemon_worker_options(struct daemon *daemon, uint16_t index, struct worker_options *options)
{
    const struct conf *conf = daemon->conf;
    /* Standard PKCS#11 hands the clear PIN to its host: in production that is no check at all. */
    bool pin_allowed = conf->mode == CONF_MODE_DEMO || hsm_supervisor_keeps_pin_inside(daemon->hsm);
    *options = (struct worker_options){
        .index = index,
        .workers_count = (uint16_t)daemon->workers_count,
        .txns_max = conf->flights_max,
        .links_max = conf->links_max,
        .seed = (uint64_t)daemon->clock.now_ns ^ (uint64_t)index << 56,
        .journal_slow_ns = conf->journal_slow_ns,
        .hsm_deadline_ns = conf->hsm_deadline_ns,
        .issuer = {.bins_count = conf->issuer_bins.count,
                   .currency = (uint16_t)conf->issuer_currency,
                   .cvk = key_slot(daemon, conf->issuer_cvk, HSM_KEY_CVK),
                   .pvk = pin_allowed ? key_slot(daemon, conf->issuer_pvk, HSM_KEY_PVK)
                                      : (uint16_t)HSM_NO_KEY},
        .listeners = daemon->listeners,
        .parties = daemon->parties,
        .endpoints = daemon->endpoints,
        .listeners_count = conf->listeners_count,
        .parties_count = conf->parties_count,
        .endpoints_count = conf->endpoints_count,
        .port = ledger_port(daemon->ledger, index),
        .ledger_board = ledger_board(daemon->ledger),
        .shard = ledger_agent(daemon->ledger),
        .hash_key = ledger_hash_key(daemon->ledger),
        .hsm = hsm_client_create(hsm_supervisor_shared(daemon->hsm), index),
        .card_keys = hsm_card_keys_create(hsm_supervisor_data_keys(daemon->hsm)),
        .rules = &daemon->rules,
        .board = daemon->board,
        .mesh = daemon->mesh,
    };
    memcpy(options->issuer.bins, conf->issuer_bins.items, sizeof options->issuer.bins);
}
