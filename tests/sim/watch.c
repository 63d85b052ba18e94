/* watch.c - see watch.h.
 *
 * DESIGN  Every command that the shard took is kept with the number of its batch. The model hears
 * them in that order and must say what the shard said. After a crash the model is made anew from
 * those whose batch survived, so it knows exactly what the recovered ledger has to know. */
#include "tests/sim/watch.h"

#include "ledger/reason.h"
#include "tests/sim/traffic.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS_MAX 65536u

struct watch {
    struct model *model;
    struct watch_kept *kept;
    uint32_t kept_count;
    struct {
        uint64_t txn;
        int32_t index;
    } names[COMMANDS_MAX]; /* the ledger's transactions in the model */
    uint32_t names_count;
    struct host *host;
    char fault[512];
    uint64_t replies_compared;
};

struct watch *watch_create(void)
{
    struct watch *watch = calloc(1, sizeof *watch);
    must(watch != NULL);
    watch->kept = calloc(COMMANDS_MAX, sizeof *watch->kept);
    must(watch->kept != NULL);
    return watch;
}

void watch_destroy(struct watch *watch)
{
    if (watch->model != NULL) {
        model_destroy(watch->model);
    }
    free(watch->kept);
    free(watch);
}

const char *watch_fault(const struct watch *watch)
{
    return watch->fault[0] != '\0' ? watch->fault : NULL;
}

PRINTF(2, 3) static void complain(struct watch *watch, const char *format, ...)
{
    if (watch->fault[0] == '\0') {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(watch->fault, sizeof watch->fault, format, args);
        va_end(args);
    }
}

static int32_t index_of(const struct watch *watch, uint64_t txn)
{
    for (uint32_t i = watch->names_count; i-- > 0;) {
        if (watch->names[i].txn == txn) {
            return watch->names[i].index;
        }
    }
    return -1;
}

static void name_txn(struct watch *watch, uint64_t txn, int32_t index)
{
    if (txn != 0 && index >= 0) {
        must(watch->names_count < COMMANDS_MAX);
        watch->names[watch->names_count].txn = txn;
        watch->names[watch->names_count++].index = index;
    }
}

/* ---- the model hears a command
 * ------------------------------------------------------------------- */

/* conf/rules and tests/sim/rules, by hand. */
static const struct model_rules rule_sets[SIM_RULE_SETS] = {
    {.amount_max_minor = 50000000,
     .counter = 0,
     .count_max = 3,
     .window_s = 3600,
     .buckets = 60,
     .routes_of_4 = {0},
     .routes_of_5 = {1},
     .routes_count = 1},
    {.amount_max_minor = 20000000,
     .counter = 1,
     .count_max = 2,
     .window_s = 20,
     .buckets = 4,
     .routes_of_4 = {1, 0},
     .routes_of_5 = {0, 1},
     .routes_count = 2},
};

static void fresh_model(struct watch *watch)
{
    if (watch->model != NULL) {
        model_destroy(watch->model);
    }
    watch->model = model_create();
    watch->names_count = 0;
    for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
        model_settlement(watch->model, host_acquirers[i].party, host_acquirers[i].settlement);
    }
    for (uint32_t i = 0; i < SIM_RULE_SETS; i++) {
        struct model_rules rules = rule_sets[i];
        rules.id = host_rules_id(i);
        model_rules(watch->model, &rules);
    }
    model_endpoint(watch->model, 0, "settlement/demo-a");
    model_endpoint(watch->model, 1, "settlement/demo-b");
}

static const char *name_text(const uint8_t name[LEDGER_ACCOUNT_NAME_BYTES])
{
    static char texts[2][LEDGER_ACCOUNT_NAME_BYTES + 1];
    static uint32_t next;
    char *text = texts[next++ % 2];
    memcpy(text, name, LEDGER_ACCOUNT_NAME_BYTES);
    text[LEDGER_ACCOUNT_NAME_BYTES] = '\0';
    return text;
}

/* What an operator did. */
static void hear_operator(struct model *model, const union watch_command *c)
{
    enum ledger_command_kind kind = (enum ledger_command_kind)c->header.kind;
    if (kind == LEDGER_ACCOUNT_CREATE) {
        model_account(model, name_text(c->account.name), c->account.is_house != 0,
                      c->account.credit_line_minor);
    } else if (kind == LEDGER_ACCOUNT_MOVE) {
        model_move(model, name_text(c->account.name), name_text(c->account.counter),
                   c->account.amount_minor);
    } else if (kind == LEDGER_ACCOUNT_STATUS) {
        model_account_status(model, name_text(c->account.name),
                             (enum ledger_status)c->account.status);
    } else if (kind == LEDGER_CARD_CREATE) {
        model_card(model, &c->card.card, name_text(c->card.account), c->card.expiry,
                   (enum ledger_status)c->card.status);
    } else if (kind == LEDGER_CARD_STATUS) {
        model_card_status(model, &c->card.card, (enum ledger_status)c->card.status,
                          c->card.reset_pin_tries != 0, c->card.keep_status != 0);
    } else if (kind == LEDGER_LIST_CHANGE) {
        struct ledger_card_key key;
        must(c->list.key_size == sizeof key);
        memcpy(&key, c->list.key, sizeof key);
        model_list(model, (const char *)c->list.list, &key, c->list.is_remove != 0);
    } else if (kind == LEDGER_RULESET) {
        model_activate(model, c->text.id);
    }
}

static struct model_answer hear(struct watch *watch, const struct watch_kept *kept)
{
    struct model *model = watch->model;
    struct model_answer none = {.kind = MODEL_IGNORED, .txn = -1};
    const union watch_command *c = &kept->command;
    enum ledger_command_kind kind = (enum ledger_command_kind)c->header.kind;
    struct model_answer answer = none;
    if (kind == LEDGER_AUTH || kind == LEDGER_INTENT || kind == LEDGER_ADVICE ||
        kind == LEDGER_REVERSAL) {
        answer = model_request(model, kind, &c->request.request, kept->utc_s);
        name_txn(watch, kept->txn, answer.txn);
    } else if (kind == LEDGER_OUTCOME) {
        int32_t index = index_of(watch, c->outcome.txn);
        answer = index < 0 ? none
                           : model_outcome(model, index, (enum ledger_outcome)c->outcome.outcome,
                                           (const char *)c->outcome.de39, c->outcome.amount_minor);
    } else if (kind == LEDGER_TIMEOUT) {
        int32_t index = index_of(watch, c->outcome.txn);
        answer = index < 0 ? none : model_timeout(model, index);
    } else if (kind == LEDGER_RESOLVED && index_of(watch, kept->txn) >= 0) {
        model_resolved(model, index_of(watch, kept->txn));
    } else if (kept->verdict == LEDGER_VERDICT_DONE) {
        hear_operator(model, c);
    }
    return answer;
}

/* ---- comparing
 * ----------------------------------------------------------------------------------- */

bool watch_is_request(const struct watch_kept *kept)
{
    uint16_t kind = kept->command.header.kind;
    return kind == LEDGER_AUTH || kind == LEDGER_INTENT || kind == LEDGER_ADVICE ||
           kind == LEDGER_REVERSAL;
}

/* What came of a transaction that was out. */
static void print_ends(const struct watch *watch, uint64_t txn)
{
    for (uint32_t i = 0; i < watch->kept_count; i++) {
        const struct watch_kept *kept = &watch->kept[i];
        uint16_t kind = kept->command.header.kind;
        if (kind == LEDGER_RESOLVED && kept->txn == txn) {
            (void)printf("    %u: resolved, batch %llu\n", i, (unsigned long long)kept->batch);
        } else if ((kind == LEDGER_OUTCOME || kind == LEDGER_TIMEOUT) &&
                   kept->command.outcome.txn == txn) {
            (void)printf("    %u: %s %.2s, batch %llu\n", i,
                         kind == LEDGER_TIMEOUT ? "silence" : "outcome",
                         (const char *)kept->command.outcome.de39, (unsigned long long)kept->batch);
        }
    }
}

/* Every command that spoke of this STAN: the story of a fault. */
static void print_story(const struct watch *watch, const struct ledger_request *about,
                        uint32_t stan)
{
    host_print_txns(watch->host, stan);
    for (uint32_t i = 0; i < watch->kept_count; i++) {
        const struct watch_kept *kept = &watch->kept[i];
        const struct ledger_request *r = &kept->command.request.request;
        if (!watch_is_request(kept) ||
            (r->stan != stan && r->original_stan != stan &&
             memcmp(&r->rrn_key, &about->rrn_key, sizeof r->rrn_key) != 0)) {
            continue;
        }
        (void)printf("  %u: %04u STAN %06u DE3 %06u DE4 %lld DE7 %010llu of %04u %06u key %04llx "
                     "batch %llu\n",
                     i, r->mti, r->stan, r->de3, (long long)r->amount_minor,
                     (unsigned long long)r->de7, r->original_mti, r->original_stan,
                     (unsigned long long)(r->replay_key.low & 0xffff),
                     (unsigned long long)kept->batch);
        if (kept->command.header.kind == LEDGER_INTENT && kept->txn != 0) {
            print_ends(watch, kept->txn);
        }
    }
}

static const char *kind_text(enum model_kind kind)
{
    static const char *const texts[] = {"reply", "forward", "wait", "silence", "nothing"};
    return texts[kind];
}

static enum model_kind kind_of(const struct ledger_verdict *verdict)
{
    if (verdict == NULL) {
        return MODEL_WAIT;
    }
    return verdict->kind == LEDGER_VERDICT_FORWARD  ? MODEL_FORWARD
           : verdict->kind == LEDGER_VERDICT_SILENT ? MODEL_SILENT
                                                    : MODEL_REPLY;
}

static void compare(struct watch *watch, const struct watch_kept *kept,
                    const struct model_answer *want, const struct ledger_verdict *verdict)
{
    const struct ledger_request *r = &kept->command.request.request;
    char what[96] = "outcome";
    if (watch_is_request(kept)) {
        (void)snprintf(what, sizeof what, "%04u DE3 %06u DE4 %lld STAN %06u", r->mti, r->de3,
                       (long long)r->amount_minor, r->stan);
    }
    if (want->kind == MODEL_IGNORED) {
        return;
    }
    enum model_kind got = kind_of(verdict);
    if (got != want->kind) {
        complain(watch, "%s: the model says %s %s, the shard %s (reason %s, %.2s)", what,
                 kind_text(want->kind), want->de39, kind_text(got),
                 verdict != NULL ? ledger_reason_text(verdict->reason) : "-",
                 got == MODEL_REPLY
                     ? (const char *)((const struct ledger_verdict_reply *)(const void *)verdict)
                           ->reply.de39
                     : "");
        return;
    }
    if (got != MODEL_REPLY) {
        return;
    }
    const struct ledger_reply *reply =
        &((const struct ledger_verdict_reply *)(const void *)verdict)->reply;
    watch->replies_compared++;
    int64_t amount = reply->has_amount != 0 ? reply->amount_minor : 0;
    if (memcmp(reply->de39, want->de39, 2) != 0) {
        complain(watch, "%s: the model says DE39 %s, the shard %.2s (%s)", what, want->de39,
                 (const char *)reply->de39, ledger_reason_text(verdict->reason));
    } else if (amount != want->amount_minor) {
        complain(watch, "%s: DE4 is %lld, not %lld", what, (long long)amount,
                 (long long)want->amount_minor);
    } else if (watch_is_request(kept) && reply->cvv2_result != (uint8_t)want->cvv2_result) {
        complain(watch, "%s: DE48.87 is %d, not %d (DE39 %.2s)", what, reply->cvv2_result,
                 want->cvv2_result, (const char *)reply->de39);
    } else if (want->ledger_minor != 0 && (reply->ledger_minor != want->ledger_minor ||
                                           reply->available_minor != want->available_minor)) {
        complain(watch, "%s: DE54 says %lld %lld, not %lld %lld", what,
                 (long long)reply->ledger_minor, (long long)reply->available_minor,
                 (long long)want->ledger_minor, (long long)want->available_minor);
    } else if (want->is_reversed_text != (reply->de44_size == 8)) {
        complain(watch, "%s: DE44 REVERSED %s (%s)", what,
                 want->is_reversed_text ? "is missing" : "is there",
                 ledger_reason_text(verdict->reason));
    }
}

/* What came after a rule set was activated is judged by it, what was in flight by one that was. */
static void check_rules(struct watch *watch, const struct watch_kept *kept)
{
    const struct ledger_request *r = &kept->command.request.request;
    int64_t since_ns;
    uint64_t in_force = host_rules_in_force(watch->host, &since_ns);
    bool is_later = kept->command.header.received_ns > since_ns;
    if (!model_knows_rules(watch->model, r->ruleset) || (is_later && r->ruleset != in_force)) {
        complain(watch, "%04u STAN %06u: judged by the rules %016llx, in force are %016llx", r->mti,
                 r->stan, (unsigned long long)r->ruleset, (unsigned long long)in_force);
    }
}

void watch_decided(void *context, const struct ledger_command *command,
                   const struct ledger_verdict *verdict, uint64_t batch)
{
    struct watch *watch = context;
    bool is_refused = verdict != NULL && (verdict->kind == LEDGER_VERDICT_BUSY ||
                                          verdict->kind == LEDGER_VERDICT_STALE ||
                                          verdict->kind == LEDGER_VERDICT_REFUSED);
    if (command->kind == LEDGER_QUERY || command->kind == LEDGER_PULL ||
        command->kind == LEDGER_CONTROL || is_refused) {
        return;
    }
    must(watch->kept_count < COMMANDS_MAX && command->size <= sizeof(union watch_command));
    struct watch_kept *kept = &watch->kept[watch->kept_count++];
    memset(kept, 0, sizeof *kept);
    memcpy(&kept->command, command, command->size);
    kept->batch = batch;
    kept->txn = verdict != NULL ? verdict->txn : 0;
    kept->verdict = verdict != NULL ? verdict->kind : WATCH_WAITS;
    if (kept->verdict == LEDGER_VERDICT_REPLY) {
        kept->reply = ((const struct ledger_verdict_reply *)(const void *)verdict)->reply;
    } else if (kept->verdict == LEDGER_VERDICT_FORWARD) {
        kept->forward = ((const struct ledger_verdict_forward *)(const void *)verdict)->forward;
    }
    kept->utc_s = host_utc_ns(watch->host) / NS_PER_S;
    if (watch_is_request(kept)) {
        check_rules(watch, kept);
    }
    struct model_answer want = hear(watch, kept);
    bool is_money = command->kind <= LEDGER_REVERSAL;
    if (is_money) {
        bool was_well = watch->fault[0] == '\0';
        compare(watch, kept, &want, verdict);
        if (was_well && watch->fault[0] != '\0' && command->kind != LEDGER_OUTCOME &&
            command->kind != LEDGER_TIMEOUT) {
            print_story(watch, &kept->command.request.request, kept->command.request.request.stan);
            if (kept->command.request.request.original_stan != 0) {
                print_story(watch, &kept->command.request.request,
                            kept->command.request.request.original_stan);
            }
        }
    }
}

/* Asks the shard's tables through its own query, without the rings: the host is between rounds. */
static const char *compare_balances(struct watch *watch, struct host *host)
{
    static char text[640];
    char names[TRAFFIC_CARDS + 5][LEDGER_ACCOUNT_NAME_BYTES + 1] = {
        "settlement/acquirer", "settlement/second", "settlement/demo-a", "settlement/demo-b",
        "funding"};
    for (uint32_t i = 0; i < TRAFFIC_CARDS; i++) {
        (void)snprintf(names[5 + i], sizeof names[0], "card/%u", i);
    }
    for (uint32_t i = 0; i < countof(names); i++) {
        int64_t balance, held, their_balance, their_held;
        bool known = model_balance(watch->model, names[i], &balance, &held);
        bool theirs = host_balance(host, names[i], &their_balance, &their_held);
        if (known != theirs && (known ? balance != 0 || held != 0 : their_balance != 0)) {
            (void)snprintf(text, sizeof text, "account %s: the model %s it, the ledger %s",
                           names[i], known ? "has" : "has not", theirs ? "has" : "has not");
            return text;
        }
        if (known && theirs && (balance != their_balance || held != their_held)) {
            model_print_holds(watch->model, names[i]);
            host_print_holds(host, names[i]);
            (void)snprintf(
                text, sizeof text,
                "account %s: balance %lld held %lld in the ledger, %lld and %lld in the model",
                names[i], (long long)their_balance, (long long)their_held, (long long)balance,
                (long long)held);
            return text;
        }
    }
    return model_sum(watch->model) == 0 ? NULL : "the model's balances do not add up to zero";
}

const char *watch_booted(struct watch *watch)
{
    struct host *host = watch->host;
    uint64_t survived = host_survived(host);
    uint32_t kept_count = 0;
    fresh_model(watch);
    for (uint32_t i = 0; i < watch->kept_count; i++) {
        if (watch->kept[i].batch <= survived && watch->kept[i].batch != 0) {
            watch->kept[kept_count++] = watch->kept[i];
        }
    }
    watch->kept_count = kept_count;
    for (uint32_t i = 0; i < kept_count; i++) {
        (void)hear(watch, &watch->kept[i]);
    }
    /* Recovery has made unknown what was out: the model hears it as a time-out, for ever. */
    for (uint32_t i = 0; i < watch->names_count; i++) {
        if (model_is_out(watch->model, watch->names[i].index)) {
            must(watch->kept_count < COMMANDS_MAX);
            struct watch_kept *kept = &watch->kept[watch->kept_count++];
            memset(kept, 0, sizeof *kept);
            kept->command.header.kind = LEDGER_TIMEOUT;
            kept->command.outcome.txn = watch->names[i].txn;
            kept->batch = survived + 1;
            (void)hear(watch, kept);
        }
    }
    if (host_journaled_ruleset(host) != model_ruleset(watch->model)) {
        return "the ledger knows another rule set than the one that was journaled last";
    }
    const char *why = compare_balances(watch, host);
    return why != NULL ? why : host_verify(host);
}

/* ---- beginning and end
 * --------------------------------------------------------------------------- */

void watch_host(struct watch *watch, struct host *host)
{
    watch->host = host;
    fresh_model(watch);
}

/* Nothing is out, nothing is in doubt, nothing is left to be said. */
const char *watch_end(struct watch *watch)
{
    struct host *host = watch->host;
    const char *why = compare_balances(watch, host);
    why = why != NULL ? why : host_verify(host);
    for (uint32_t i = 0; i < watch->names_count && why == NULL; i++) {
        if (model_is_out(watch->model, watch->names[i].index)) {
            why = "a request is still out at the scheme";
        } else if (model_is_unknown(watch->model, watch->names[i].index)) {
            why = "a request is still unknown: its resolution was never acknowledged";
        }
    }
    for (uint32_t i = 0; i < SIM_ENDPOINTS && why == NULL; i++) {
        if (atomic_load(&ledger_board(host_ledger(host))->saf_waiting[i]) != 0) {
            why = "store and forward is not empty";
        }
    }
    return why != NULL ? why : watch_fault(watch);
}

uint32_t watch_count(const struct watch *watch)
{
    return watch->kept_count;
}

const struct watch_kept *watch_at(const struct watch *watch, uint32_t index)
{
    must(index < watch->kept_count);
    return &watch->kept[index];
}

enum model_fate watch_fate(const struct watch *watch, uint64_t txn)
{
    int32_t index = index_of(watch, txn);
    return index < 0 ? MODEL_FATE_NONE : model_fate(watch->model, index);
}
