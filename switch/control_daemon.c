/* control_daemon.c - ringctl's commands about the daemon itself: status, reload, drain, links,
 * parties, HSM, routes, and the timeline of a transaction. Control thread. */
#include "switch/control.h"

#include "adapters/adapter.h"
#include "base/metric.h"
#include "switch/daemon.h"
#include <stdio.h>
#include <string.h>

#ifndef RINGSWITCH_BUILD
#define RINGSWITCH_BUILD "unknown"
#endif

/* ---- status ------------------------------------------------------------------------------------
 */

static const char *state_text(const struct daemon *daemon)
{
    return daemon->is_draining              ? "draining"
           : atomic_load(&daemon->is_ready) ? "serving"
                                            : "starting";
}

static json_t *threads_json(const struct daemon *daemon)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < daemon->threads_count; i++) {
        const struct thread *thread = &daemon->threads[i].thread;
        json_t *agents = json_array();
        for (uint32_t k = 0; k < thread->agents_count; k++) {
            (void)json_array_append_new(agents, json_string(thread->agents[k]->ops->name));
        }
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:i, s:o, s:I, s:I, s:I, s:I}", "thread", thread->name, "cpu",
                      (int)thread->cpu, "agents", agents, "turns", (json_int_t)thread->turns_count,
                      "sleeps", (json_int_t)thread->sleeps_count, "guard_found",
                      (json_int_t)thread->guard_found_count, "stall_max_us",
                      (json_int_t)(thread->stall_max_ns / NS_PER_US)));
    }
    return list;
}

static json_t *endpoint_json(const struct daemon *daemon, uint32_t index)
{
    const struct board_endpoint *endpoint = &daemon->board->endpoints[index];
    return json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:i}", "endpoint",
                     daemon->endpoints[index].name, "address",
                     daemon->endpoints[index].address.text, "state",
                     atomic_load(&endpoint->is_up) != 0 ? "up" : "down", "in_flight",
                     (int)atomic_load(&endpoint->in_flight), "sent",
                     (json_int_t)atomic_load(&endpoint->sent_count), "answered",
                     (json_int_t)atomic_load(&endpoint->answered_count), "silent",
                     (json_int_t)atomic_load(&endpoint->silent_count), "late",
                     (json_int_t)atomic_load(&endpoint->late_count), "saf_waiting",
                     (int)atomic_load(&ledger_board(daemon->ledger)->saf_waiting[index]));
}

static json_t *links_json(const struct daemon *daemon)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < daemon->endpoints_count; i++) {
        (void)json_array_append_new(list, endpoint_json(daemon, i));
    }
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        struct worker_numbers n = worker_numbers(daemon->workers[i]);
        (void)json_array_append_new(
            list, json_pack("{s:i, s:i, s:i, s:i, s:i}", "worker", (int)i, "accepted",
                            (int)n.links_accepted, "dialled", (int)n.links_dialled, "in_flight",
                            (int)n.txns_in_flight, "credits_free", (int)n.credits_free));
    }
    return list;
}

static json_t *counts_json(const struct ledger_row_status *row)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "batch_durable",
        (json_int_t)row->batch_durable, "epoch", (json_int_t)row->epoch, "txns",
        (json_int_t)row->txns_count, "replays", (json_int_t)row->replays_count, "holds_open",
        (json_int_t)row->holds_open_count, "accounts", (json_int_t)row->accounts_count, "cards",
        (json_int_t)row->cards_count, "saf", (json_int_t)row->saf_count, "exceptions_open",
        (json_int_t)row->exceptions_open_count, "unknown", (json_int_t)row->unknown_count);
}

enum control_exit control_status(struct control_request *request)
{
    struct daemon *daemon = request->daemon;
    struct ledger_command_query query = {.query = LEDGER_QUERY_STATUS, .rows_max = 1};
    const struct ledger_verdict *verdict = control_ask(request, &query, sizeof query, LEDGER_QUERY);
    if (verdict == NULL || verdict->kind != LEDGER_VERDICT_ROWS) {
        return verdict == NULL ? CONTROL_NEGATIVE
                               : control_error(request, "busy", "the ledger is overloaded");
    }
    struct ledger_row_status row;
    memcpy(&row, ((const struct ledger_verdict_rows *)(const void *)verdict)->rows, sizeof row);
    char digest[24];
    (void)snprintf(digest, sizeof digest, "%016llx", (unsigned long long)row.digest);
    json_t *followers = json_object();
    static const char *const names[FOLLOWERS_COUNT] = {"ref", "state", "archive"};
    for (uint32_t i = 0; i < FOLLOWERS_COUNT; i++) {
        (void)json_object_set_new(followers, names[i],
                                  json_integer((json_int_t)followers_passed(
                                      ledger_followers(daemon->ledger), (enum follower_kind)i)));
    }
    control_row(request,
                json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:s, s:I}", "state",
                          state_text(daemon), "mode",
                          daemon->conf->mode == CONF_MODE_DEMO ? "demo" : "production", "build",
                          RINGSWITCH_BUILD, "threads", threads_json(daemon), "links",
                          links_json(daemon), "counts", counts_json(&row), "followers", followers,
                          "money_in_doubt_minor", (json_int_t)row.in_doubt_minor, "digest", digest,
                          "memory_bytes", (json_int_t)mem_taken_bytes()));
    return CONTROL_DONE;
}

enum control_exit control_reload(struct control_request *request)
{
    char text[DAEMON_TEXT_BYTES] = "";
    return daemon_reload(request->daemon, text, sizeof text)
               ? CONTROL_DONE
               : control_error(request, "refused", text);
}

enum control_exit control_drain(struct control_request *request)
{
    daemon_drain(request->daemon);
    return CONTROL_DONE;
}

/* ---- links, parties, HSM ------------------------------------------------------------------------
 */

enum control_exit control_link_list(struct control_request *request)
{
    json_t *list = links_json(request->daemon);
    size_t index;
    json_t *row;
    json_array_foreach(list, index, row)
    {
        control_row(request, json_incref(row));
    }
    json_decref(list);
    return CONTROL_DONE;
}

static json_t *party_json(const struct conf *conf, uint32_t index)
{
    const struct conf_party *party = &conf->parties[index];
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:i, s:I}", "party", party->name, "kind",
        party->kind == CONF_PARTY_ACQUIRER ? "acquirer" : "scheme", "settlement", party->settlement,
        "connect", party->connect.port != 0 ? party->connect.text : "", "adapter", party->adapter,
        "window", (int)party->window, "answer_ms", (json_int_t)(party->answer_ns / NS_PER_MS));
}

enum control_exit control_party_list(struct control_request *request)
{
    const struct conf *conf = request->daemon->conf;
    for (uint32_t i = 0; i < conf->parties_count; i++) {
        control_row(request, party_json(conf, i));
    }
    return CONTROL_DONE;
}

enum control_exit control_party_show(struct control_request *request)
{
    const char *name = json_string_value(json_object_get(request->args, "party"));
    uint16_t index = name != NULL ? conf_party_find(request->daemon->conf, name) : UINT16_MAX;
    if (index == UINT16_MAX) {
        return control_error(request, name == NULL ? "usage" : "not_found",
                             name == NULL ? "give party: its name" : "there is no such party");
    }
    control_row(request, party_json(request->daemon->conf, index));
    return CONTROL_DONE;
}

enum control_exit control_hsm_status(struct control_request *request)
{
    const struct hsm_supervisor *hsm = request->daemon->hsm;
    bool all_ready = true;
    for (uint32_t i = 0; i < hsm_supervisor_instances(hsm); i++) {
        struct hsm_instance_status s = hsm_supervisor_status(hsm, i);
        all_ready &= s.text[0] == '\0';
        control_row(request,
                    json_pack("{s:i, s:s, s:i, s:i, s:I, s:I, s:b, s:s}", "instance", (int)i,
                              "state", s.state_name, "pid", (int)s.process_id, "restarts",
                              (int)s.restarts_count, "jobs", (json_int_t)s.jobs_count, "errors",
                              (json_int_t)s.errors_count, "memory_locked", s.memory_locked, "error",
                              s.text));
    }
    return all_ready ? CONTROL_DONE : CONTROL_NEGATIVE;
}

/* ---- route trace
 * --------------------------------------------------------------------------------- */

static bool lookup_list(void *context, const char *list, const void *key, uint32_t key_size)
{
    return daemon_listed(context, list, key, key_size);
}

static json_t *routes_json(const struct daemon *daemon, const struct rule_outcome *outcome)
{
    json_t *routes = json_array();
    if (outcome->is_on_us) {
        (void)json_array_append_new(routes, json_string("onus"));
    }
    for (uint32_t i = 0; i < outcome->routes_count; i++) {
        (void)json_array_append_new(routes,
                                    json_string(daemon_endpoint_name(daemon, outcome->routes[i])));
    }
    return routes;
}

enum control_exit control_route_trace(struct control_request *request)
{
    struct daemon *daemon = request->daemon;
    const char *card = json_string_value(json_object_get(request->args, "card"));
    int64_t amount = json_integer_value(json_object_get(request->args, "amount_minor"));
    size_t size = card != NULL ? strlen(card) : 0;
    struct rule_facts facts = {.has_amount = true,
                               .has_currency = true,
                               .amount_minor = amount,
                               .currency = (uint16_t)daemon->conf->issuer_currency,
                               .mti = 100,
                               .party = daemon->parties[0].name};
    struct ledger_card_key key;
    int64_t first8;
    if (size < 12 || size > 19 || !bytes_to_number((const uint8_t *)card, 8, &first8) ||
        !daemon_card_key(daemon, card, (uint32_t)size, &key)) {
        return control_error(request, "usage",
                             "give card: a PAN of 12 to 19 digits, and amount_minor");
    }
    memcpy(facts.card_key, key.bytes, sizeof facts.card_key);
    facts.has_card_key = true;
    facts.pan_first8 = (uint32_t)first8;
    const struct rules *rules = atomic_load(&daemon->rules);
    const struct rule_lookup lookup = {lookup_list, daemon};
    struct rule_outcome outcome;
    rules_screen(rules, &facts, &lookup, &outcome);
    for (uint32_t i = 0; i < rules_rows_count(rules); i++) {
        static const char *const truths[] = {"false", "unknown", "true"};
        struct rule_row row = rules_row(rules, (uint16_t)i);
        char why[128] = "";
        enum rule_truth truth = rules_explain(rules, &facts, &lookup, (uint16_t)i, why, sizeof why);
        control_row(request, json_pack("{s:s, s:s, s:s, s:s}", "rule", row.id, "name", row.name,
                                       "holds", truths[truth], "because", why));
    }
    control_row(request,
                json_pack("{s:o, s:b, s:b, s:b}", "routes", routes_json(daemon, &outcome), "denied",
                          (outcome.findings & RULE_FOUND_DENIED) != 0, "no_route",
                          (outcome.findings & RULE_FOUND_NO_ROUTE) != 0, "over_amount",
                          (outcome.findings & RULE_FOUND_OVER_AMOUNT) != 0));
    return CONTROL_DONE;
}

/* ---- followers -------------------------------------------------------------------------------
 */

static enum control_exit follower_pause(struct control_request *request, bool paused)
{
    static const char *const names[FOLLOWERS_COUNT] = {
        [FOLLOWER_REF] = "ref", [FOLLOWER_STATE] = "state", [FOLLOWER_ARCHIVE] = "archive"};
    const char *name = json_string_value(json_object_get(request->args, "follower"));
    for (uint32_t kind = 0; kind < FOLLOWERS_COUNT; kind++) {
        if (name != NULL && strcmp(names[kind], name) == 0) {
            followers_pause(ledger_followers(request->daemon->ledger), (enum follower_kind)kind,
                            paused);
            return CONTROL_DONE;
        }
    }
    return control_error(request, "usage", "give follower: ref, state or archive");
}

enum control_exit control_follower_pause(struct control_request *request)
{
    return follower_pause(request, true);
}

enum control_exit control_follower_resume(struct control_request *request)
{
    return follower_pause(request, false);
}
