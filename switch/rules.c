/* rules.c - what the rule set in force says to this message: findings, counters, where it goes.
 *
 * DESIGN  Everything stateless is found here; the shard puts it in order with what only it knows.
 * Findings that the switch itself makes (currency, types and PIN blocks that cannot be forwarded)
 * join them.
 *
 * Runs on the transaction's worker, against the snapshot of lists of this turn. */
#include "switch/state.h"

#include "rules/rules.h"

#include <string.h>

static bool listed(void *context, const char *list, const void *key, uint32_t key_size)
{
    struct ledger_ref_reader *ref = context;
    return ref->ops->listed(ref, list, key, key_size);
}

static void fill_facts(const struct worker *worker, const struct txn *txn, struct rule_facts *facts)
{
    const struct ledger_request *request = &txn->request;
    memset(facts, 0, sizeof *facts);
    memcpy(facts->card_key, request->card.bytes, sizeof facts->card_key);
    facts->has_card_key = true;
    facts->has_amount = iso_msg_has(&txn->msg, 4);
    facts->has_currency = true;
    facts->has_pin = iso_msg_has(&txn->msg, 52);
    facts->card_is_on_us = txn->is_our_card;
    facts->has_condition = iso_msg_has(&txn->msg, 25);
    facts->condition = request->condition;
    facts->processing = (uint8_t)(request->de3 / 10000);
    facts->mti = request->mti;
    facts->currency = request->currency;
    facts->mcc = request->mcc;
    facts->entry_mode = request->entry_mode;
    int64_t first8 = 0;
    (void)!bytes_to_number(txn->pan, 8, &first8);
    facts->pan_first8 = (uint32_t)first8;
    facts->acquirer = request->de32;
    facts->acquirer_digits_count = (uint8_t)txn->msg.fields[32].count;
    facts->amount_minor = request->amount_minor;
    memcpy(facts->merchant, request->merchant, sizeof facts->merchant);
    memcpy(facts->terminal, request->terminal, sizeof facts->terminal);
    facts->party = worker->options.parties[txn->party].name;
}

static uint32_t findings_of(const struct rule_outcome *outcome)
{
    uint32_t findings = 0;
    findings |= (outcome->findings & RULE_FOUND_DENIED) != 0 ? LEDGER_FOUND_DENY_LIST : 0u;
    findings |= (outcome->findings & RULE_FOUND_NO_ROUTE) != 0 ? LEDGER_FOUND_NO_ROUTE : 0u;
    findings |= (outcome->findings & RULE_FOUND_OVER_AMOUNT) != 0 ? LEDGER_FOUND_OVER_AMOUNT : 0u;
    return findings;
}

/* Contract section 5, "Forwarded": 00, 01 and 20 pass; a PIN block needs the scheme's key. */
static uint32_t forwarding_findings(const struct txn *txn)
{
    if (txn->class != LEDGER_CLASS_AUTH && txn->class != LEDGER_CLASS_FINANCIAL) {
        return 0;
    }
    uint32_t type = txn->request.de3 / 10000;
    bool passes = type <= 1 || type == 20;
    bool has_pin = iso_msg_has(&txn->msg, 52);
    return (passes ? 0u : LEDGER_FOUND_NOT_PERMITTED) | (has_pin ? LEDGER_FOUND_NO_TRANSLATE : 0u);
}

enum stage_result stage_rules(struct worker *worker, struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    struct rule_facts facts;
    struct rule_outcome outcome;
    struct rule_lookup lookup = {.listed = listed, .context = worker->options.ref};
    fill_facts(worker, txn, &facts);
    rules_screen(worker->rules, &facts, &lookup, &outcome);

    txn->is_on_us = outcome.is_on_us;
    request->findings &= LEDGER_FOUND_LUHN; /* the rest is of this pass */
    request->findings |= findings_of(&outcome);
    if (request->currency != worker->options.issuer.currency) {
        request->findings |= LEDGER_FOUND_NOT_PERMITTED | LEDGER_FOUND_CURRENCY;
    }
    if (outcome.is_on_us) {
        request->flags |= LEDGER_REQUEST_ON_US;
    } else {
        request->flags &= ~(uint32_t)LEDGER_REQUEST_ON_US;
        request->findings |= forwarding_findings(txn);
    }
    request->ref_batch = atomic_load_explicit(&worker->ref_batch, memory_order_relaxed);
    request->ruleset = rules_id(worker->rules);
    request->routes_count = outcome.routes_count;
    memcpy(request->routes, outcome.routes, sizeof request->routes);
    request->counts_count = outcome.counts_count;
    for (uint32_t i = 0; i < outcome.counts_count; i++) {
        const struct rule_count *count = &outcome.counts[i];
        request->counts[i] = (struct ledger_count){.declaration = count->declaration,
                                                   .key = count->key,
                                                   .max = count->max,
                                                   .window_s = count->window_s,
                                                   .buckets = count->buckets};
    }
    return STAGE_NEXT;
}
