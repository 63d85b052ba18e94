/* edge.c - see edge.h. */
#include "tests/sim/edge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[256];

PRINTF(1, 2) static const char *broken(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return text;
}

/* ---- the acquirer -----------------------------------------------------------------------------
 */

static bool is_approval(const struct sim_message *answer)
{
    const char *code = sim_get(answer, 39);
    return strcmp(code, "00") == 0 || strcmp(code, "10") == 0 || strcmp(code, "85") == 0;
}

/* The request that an outcome ends. */
static const struct watch_kept *request_of(const struct watch *watch, const struct watch_kept *kept)
{
    if (watch_is_request(kept) || kept->command.header.kind != LEDGER_OUTCOME) {
        return watch_is_request(kept) ? kept : NULL;
    }
    for (uint32_t i = 0; i < watch_count(watch); i++) {
        const struct watch_kept *intent = watch_at(watch, i);
        if (intent->command.header.kind == LEDGER_INTENT && intent->batch != 0 &&
            intent->verdict == LEDGER_VERDICT_FORWARD && intent->txn == kept->command.outcome.txn) {
            return intent;
        }
    }
    return NULL;
}

/* Of a key: a repeat may come as another message of its class, a 0400 as a 0421. */
static uint32_t class_of(uint32_t mti)
{
    return mti / 100 == 4 ? 4 : mti / 10;
}

/* A decision, made in a batch that survived, that says what this answer says. */
static bool rests_on(const struct watch *watch, uint16_t party, const struct traffic_row *row,
                     const struct watch_kept *kept)
{
    if (kept->batch == 0 || kept->verdict != LEDGER_VERDICT_REPLY || kept->reply.is_replay != 0 ||
        memcmp(kept->reply.de39, sim_get(&row->answer, 39), 2) != 0) {
        return false;
    }
    const struct watch_kept *request = request_of(watch, kept);
    if (request == NULL) {
        return false;
    }
    const struct ledger_request *r = &request->command.request.request;
    int64_t amount = kept->reply.has_amount != 0 ? kept->reply.amount_minor : r->amount_minor;
    bool has_our_de38 = kept->reply.has_de38 != 0;
    return r->party == party && r->stan == strtoul(sim_get(&row->message, 11), NULL, 10) &&
           class_of(r->mti) == class_of((uint32_t)strtoul(row->message.mti, NULL, 10)) &&
           (r->de3 / 10000 == 31 || amount == strtoll(sim_get(&row->answer, 4), NULL, 10)) &&
           (!has_our_de38 || memcmp(kept->reply.de38, sim_get(&row->answer, 38), 6) == 0);
}

static const char *check_acquirer(const struct watch *watch, const struct acquirer *acquirer,
                                  struct edge_counts *counts)
{
    for (uint32_t i = 0; i < acquirer->rows_count; i++) {
        const struct traffic_row *row = &acquirer->rows[i];
        if (row->state == TRAFFIC_WAITING && row->repeats < 0) {
            return broken("no answer ever: %s STAN %s DE7 %s", row->message.mti,
                          sim_get(&row->message, 11), sim_get(&row->message, 7));
        }
        if (row->state != TRAFFIC_ANSWERED || !is_approval(&row->answer)) {
            continue;
        }
        counts->approvals++;
        bool found = false;
        for (uint32_t k = 0; k < watch_count(watch) && !found; k++) {
            found = rests_on(watch, acquirer->party, row, watch_at(watch, k));
        }
        if (!found) {
            return broken(
                "an approval that is not in the ledger: party %u %s STAN %s DE4 %s DE38 %s",
                acquirer->party, row->answer.mti, sim_get(&row->answer, 11),
                sim_get(&row->answer, 4), sim_get(&row->answer, 38));
        }
    }
    return NULL;
}

/* ---- schemes ----------------------------------------------------------------------------------
 */

/* The durable intent under this identity, or NULL. */
static const struct watch_kept *intent_of(const struct watch *watch, uint32_t endpoint,
                                          uint32_t stan, uint64_t de7)
{
    for (uint32_t i = 0; i < watch_count(watch); i++) {
        const struct watch_kept *kept = watch_at(watch, i);
        if (kept->verdict == LEDGER_VERDICT_FORWARD && kept->batch != 0 &&
            kept->forward.endpoint == endpoint && kept->forward.stan == stan &&
            kept->forward.de7 == de7) {
            return kept;
        }
    }
    return NULL;
}

/* Of this attempt: when another one followed, it was certainly not sent. */
static enum model_fate fate_of(const struct watch *watch, const struct watch_kept *attempt)
{
    for (uint32_t i = 0; i < watch_count(watch); i++) {
        const struct watch_kept *kept = watch_at(watch, i);
        if (kept->verdict == LEDGER_VERDICT_FORWARD && kept->batch != 0 &&
            kept->txn == attempt->txn && kept->forward.attempt > attempt->forward.attempt) {
            return MODEL_FATE_NOT_SENT;
        }
    }
    return watch_fate(watch, attempt->txn);
}

/* From what the scheme heard. */
static const char *check_heard(const struct watch *watch, const struct scheme *scheme,
                               uint32_t endpoint, struct edge_counts *counts)
{
    for (uint32_t i = 0; i < scheme->rows_count; i++) {
        const struct scheme_row *row = &scheme->rows[i];
        bool is_reversal = row->mti[1] == '4';
        bool is_request = !is_reversal && row->mti[2] == '0';
        char stan[7] = {0}, de7[11] = {0};
        memcpy(stan, is_reversal ? row->de90 + 4 : row->stan, 6);
        memcpy(de7, is_reversal ? row->de90 + 10 : row->de7, 10);
        uint32_t number = (uint32_t)strtoul(stan, NULL, 10);
        uint64_t time = strtoull(de7, NULL, 10);
        uint32_t count;
        bool is_of_advice = is_reversal && row->de90[2] == '2';
        if ((!is_request && !is_reversal) || is_of_advice) {
            continue;
        }
        const struct watch_kept *intent = intent_of(watch, endpoint, number, time);
        if (intent == NULL) {
            return broken("a scheme was sent %s %s of STAN %s DE7 %s without a durable intent",
                          row->mti, is_reversal ? "for a request" : "itself", stan, de7);
        }
        if (is_request) {
            counts->requests++;
            (void)scheme_find_request(scheme, number, time, &count);
            if (count != 1) {
                return broken("a scheme was sent STAN %s DE7 %s %u times", stan, de7, count);
            }
            if (!row->answered && scheme_find_reversal(scheme, number, time) == NULL) {
                return broken("what a scheme never answered was not reversed: STAN %s DE7 %s", stan,
                              de7);
            }
        } else {
            counts->reversals++;
            if (fate_of(watch, intent) != MODEL_FATE_UNDONE) {
                return broken("a scheme was told to reverse what stands: STAN %s DE7 %s", stan,
                              de7);
            }
        }
    }
    return NULL;
}

/* From what the ledger knows. */
static const char *check_told(const struct watch *watch, const struct scheme schemes[SIM_ENDPOINTS],
                              struct edge_counts *counts)
{
    for (uint32_t i = 0; i < watch_count(watch); i++) {
        const struct watch_kept *kept = watch_at(watch, i);
        if (kept->verdict != LEDGER_VERDICT_FORWARD || kept->batch == 0) {
            continue;
        }
        must(kept->forward.endpoint < SIM_ENDPOINTS);
        const struct scheme *scheme = &schemes[kept->forward.endpoint];
        enum model_fate fate = fate_of(watch, kept);
        counts->second_routes += kept->forward.attempt > 1;
        uint32_t stan = kept->forward.stan, count;
        uint64_t de7 = kept->forward.de7;
        if (fate == MODEL_FATE_UNDONE && scheme_find_reversal(scheme, stan, de7) == NULL) {
            return broken("a scheme was not told to reverse: STAN %06u DE7 %010llu", stan,
                          (unsigned long long)de7);
        }
        if (fate == MODEL_FATE_NOT_SENT && scheme_find_request(scheme, stan, de7, &count) != NULL) {
            return broken("not sent for sure, and the scheme heard it: STAN %06u DE7 %010llu", stan,
                          (unsigned long long)de7);
        }
    }
    return NULL;
}

/* ---- between workers and parties ---------------------------------------------------------------
 */

#define LOOK_BACK 300u /* commands: who reverses does it soon */

/* How often a story went from one worker to another, and the same numbers were said by two. */
void edge_count_crossings(const struct watch *watch, const struct host *host,
                          struct edge_counts *counts)
{
    for (uint32_t i = 0; i < watch_count(watch); i++) {
        const struct watch_kept *kept = watch_at(watch, i);
        const struct ledger_request *r = &kept->command.request.request;
        uint16_t sender = kept->command.header.sender;
        if (!watch_is_request(kept)) {
            continue;
        }
        counts->handed_over += kept->verdict == LEDGER_VERDICT_FORWARD &&
                               host_owner(host, kept->forward.endpoint) != sender;
        for (uint32_t k = i; k > 0 && i - k < LOOK_BACK; k--) {
            const struct watch_kept *before = watch_at(watch, k - 1);
            const struct ledger_request *old = &before->command.request.request;
            if (!watch_is_request(before)) {
                continue;
            }
            bool is_reversed = r->class == LEDGER_CLASS_REVERSAL && old->stan == r->original_stan &&
                               old->class == r->original_class && old->party == r->party;
            counts->reversed_elsewhere += is_reversed && before->command.header.sender != sender;
            counts->twins += old->party != r->party && old->stan == r->stan &&
                             old->class == r->class && old->local_time == r->local_time &&
                             memcmp(old->rrn, r->rrn, sizeof r->rrn) == 0;
        }
    }
}

const char *edge_check(const struct watch *watch, struct acquirer *const acquirers[SIM_ACQUIRERS],
                       const struct scheme schemes[SIM_ENDPOINTS], struct edge_counts *counts)
{
    const char *why = NULL;
    for (uint32_t i = 0; i < SIM_ACQUIRERS && why == NULL; i++) {
        struct acquirer *acquirer = acquirers[i];
        acquirer_compare_repeats(acquirer);
        counts->repeats += acquirer->compared_count;
        counts->busy += acquirer->busy_count;
        why = acquirer->fault[0] != '\0' ? acquirer->fault : NULL;
        why = why != NULL ? why : check_acquirer(watch, acquirer, counts);
    }
    for (uint32_t i = 0; i < SIM_ENDPOINTS && why == NULL; i++) {
        why = schemes[i].fault != NULL ? schemes[i].fault
                                       : check_heard(watch, &schemes[i], i, counts);
    }
    return why != NULL ? why : check_told(watch, schemes, counts);
}
