/* plan_decide.c - contract section 7: one table of reasons, walked in order; the first that applies
 * is the answer and what stands behind it is not looked at.
 *
 * DESIGN  A row names a reason, for whose requests it is (ours, forwarded, both), and its test. The
 * rows stand in the order of reason.def, which a test holds. A test may note what its check found
 * (PIN tries, CVV2 result) in the decision: it was reached, so it counts. */
#include "ledger/plan.h"

enum decision_type plan_type(const struct ledger_request *request)
{
    switch (request->de3 / 10000) { /* its first two digits; the rest is not looked at */
    case 0:
    case 1:
        return (request->flags & LEDGER_REQUEST_VERIFY) != 0 ? TYPE_VERIFY : TYPE_PURCHASE;
    case 20:
        return TYPE_REFUND;
    case 31:
        return TYPE_BALANCE;
    case 40:
        return TYPE_TRANSFER;
    default:
        return TYPE_OTHER;
    }
}

static bool is_purchase(const struct ledger_txn *txn)
{
    return txn->class != LEDGER_CLASS_REVERSAL && txn->de3 / 10000 <= 1;
}

static bool is_approved_purchase(const struct ledger_txn *txn, uint32_t de3)
{
    (void)de3;
    return is_purchase(txn) && (txn->flags & LEDGER_TXN_APPROVED) != 0;
}

static bool is_any_purchase(const struct ledger_txn *txn, uint32_t de3)
{
    (void)de3;
    return is_purchase(txn);
}

/* What was posted of an authorization is what its completion posted (contract section 5). */
void plan_find_purchase(struct decision *decision)
{
    const struct ledger_request *request = decision->request;
    const struct ledger_state *state = decision->plan->state;
    uint32_t row;
    if (request->flags & LEDGER_REQUEST_HAS_DE90) {
        row = ledger_txn_by_self(state, &request->original_key, request->original_de7);
        if (row == 0 || !is_purchase(&state->txns[row - 1])) {
            decision->purchase_missing = true;
            return;
        }
    } else {
        row = ledger_txn_by_rrn(state, &request->rrn_key, is_approved_purchase, 0);
        if (row == 0) {
            row = ledger_txn_by_rrn(state, &request->rrn_key, is_any_purchase, 0);
        }
        if (row == 0) {
            return; /* no such purchase: any amount */
        }
    }
    decision->purchase_known = true;
    const struct ledger_txn *purchase = &state->txns[row - 1];
    if (purchase->class == LEDGER_CLASS_AUTH || purchase->class == LEDGER_CLASS_AUTH_ADVICE) {
        row = (purchase->flags & LEDGER_TXN_COMPLETED) != 0
                  ? ledger_txn_find(state, purchase->related)
                  : 0;
    }
    decision->purchase = row;
    decision->refundable_minor = row == 0 ? 0 : plan_stands(decision->plan, &state->txns[row - 1]);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static const struct ledger_card *card_of(const struct decision *decision)
{
    return plan_see_card(decision->plan, decision->card);
}

static bool has_finding(const struct decision *decision, enum ledger_finding finding)
{
    return (decision->request->findings & finding) != 0;
}

static bool deny_list(struct decision *decision)
{
    return has_finding(decision, LEDGER_FOUND_DENY_LIST);
}

static bool no_route(struct decision *decision)
{
    return has_finding(decision, LEDGER_FOUND_NO_ROUTE) ||
           (decision->is_forwarded && decision->request->routes_count == 0);
}

static bool no_card(struct decision *decision)
{
    return has_finding(decision, LEDGER_FOUND_LUHN) ||
           (!decision->is_forwarded && decision->card == 0);
}

static bool no_account(struct decision *decision)
{
    return decision->type == TYPE_TRANSFER && decision->to_account == 0;
}

static bool expired(struct decision *decision)
{
    return card_of(decision)->expiry < decision->plan->now->yymm;
}

static bool expiry_differs(struct decision *decision)
{
    return (decision->request->flags & LEDGER_REQUEST_HAS_EXPIRY) != 0 &&
           decision->request->expiry != card_of(decision)->expiry;
}

static bool lost(struct decision *decision)
{
    return card_of(decision)->status == LEDGER_STATUS_LOST;
}

static bool stolen(struct decision *decision)
{
    return card_of(decision)->status == LEDGER_STATUS_STOLEN;
}

static bool card_blocked(struct decision *decision)
{
    return card_of(decision)->status != LEDGER_STATUS_OPEN;
}

static bool account_frozen(struct decision *decision)
{
    const struct ledger_plan *plan = decision->plan;
    return plan_see_account(plan, decision->account)->status != LEDGER_STATUS_OPEN ||
           (decision->type == TYPE_TRANSFER &&
            plan_see_account(plan, decision->to_account)->status != LEDGER_STATUS_OPEN);
}

/* The counter is read before the HSM's result: once blocked, even the right PIN stays 75. */
static bool pin_tries(struct decision *decision)
{
    uint8_t tries = card_of(decision)->pin_tries;
    decision->tries_after = tries;
    if (decision->request->pin == LEDGER_CHECK_NONE) {
        return false;
    }
    if (tries < LEDGER_PIN_TRIES_MAX && decision->request->pin == LEDGER_CHECK_WRONG) {
        decision->tries_after = tries + 1;
    }
    return decision->tries_after >= LEDGER_PIN_TRIES_MAX;
}

static bool pin_wrong(struct decision *decision)
{
    return decision->request->pin == LEDGER_CHECK_WRONG;
}

static bool pin_block(struct decision *decision)
{
    return decision->request->pin == LEDGER_CHECK_MALFORMED;
}

static bool pin_unchecked(struct decision *decision)
{
    if (decision->request->pin == LEDGER_CHECK_OK) {
        decision->tries_after = 0;
    }
    return decision->request->pin == LEDGER_CHECK_UNAVAILABLE;
}

/* CVV and CVV2 are one check (82): with either of them the other's result is known too. */
static void note_cvv2(struct decision *decision)
{
    switch ((enum ledger_check)decision->request->cvv2) {
    case LEDGER_CHECK_OK:
        decision->cvv2_result = 'M';
        break;
    case LEDGER_CHECK_WRONG:
    case LEDGER_CHECK_MALFORMED:
        decision->cvv2_result = 'N';
        break;
    case LEDGER_CHECK_NONE:
    case LEDGER_CHECK_UNAVAILABLE:
        break;
    }
}

static bool cvv_wrong(struct decision *decision)
{
    note_cvv2(decision);
    return decision->request->cvv == LEDGER_CHECK_WRONG ||
           decision->request->cvv == LEDGER_CHECK_MALFORMED;
}

static bool cvv2_wrong(struct decision *decision)
{
    return decision->cvv2_result == 'N';
}

static bool cvv_unchecked(struct decision *decision)
{
    return decision->request->cvv == LEDGER_CHECK_UNAVAILABLE ||
           decision->request->cvv2 == LEDGER_CHECK_UNAVAILABLE;
}

/* Currencies are never converted here: all accounts concerned must have that of DE49. */
static bool has_currency(const struct decision *decision, uint32_t account)
{
    return account == 0 ||
           plan_see_account(decision->plan, account)->currency == decision->request->currency;
}

static bool not_permitted(struct decision *decision)
{
    bool is_type = decision->is_forwarded
                       ? decision->type == TYPE_PURCHASE || decision->type == TYPE_REFUND ||
                             decision->type == TYPE_VERIFY
                       : decision->type != TYPE_OTHER;
    return has_finding(decision, LEDGER_FOUND_NOT_PERMITTED) || !is_type ||
           !has_currency(decision, decision->account) ||
           !has_currency(decision, decision->to_account) ||
           !has_currency(decision, decision->settlement);
}

static bool amount_zero(struct decision *decision)
{
    if (decision->type == TYPE_BALANCE ||
        (decision->type == TYPE_VERIFY && !decision->is_forwarded)) {
        return false;
    }
    return decision->request->amount_minor <= 0;
}

static bool refund_too_high(struct decision *decision)
{
    return decision->type == TYPE_REFUND && decision->purchase_known &&
           decision->request->amount_minor > decision->refundable_minor;
}

static bool no_original(struct decision *decision)
{
    return decision->type == TYPE_REFUND && decision->purchase_missing;
}

/* Refunds, balances and verifications are outside 61, 65 and 51. */
static bool is_limited(const struct decision *decision)
{
    return decision->type == TYPE_PURCHASE || decision->type == TYPE_TRANSFER;
}

static bool over_amount(struct decision *decision)
{
    return is_limited(decision) && has_finding(decision, LEDGER_FOUND_OVER_AMOUNT);
}

static bool no_translate(struct decision *decision)
{
    return has_finding(decision, LEDGER_FOUND_NO_TRANSLATE);
}

static bool over_count(struct decision *decision)
{
    const struct ledger_request *request = decision->request;
    if (!is_limited(decision)) {
        return false;
    }
    for (uint32_t i = 0; i < request->counts_count; i++) {
        const struct ledger_count *count = &request->counts[i];
        uint32_t row = ledger_counter_find(decision->plan->state, count->declaration, count->key);
        uint32_t value = row == 0 ? 0
                                  : ledger_counter_value(plan_see_counter(decision->plan, row),
                                                         decision->plan->now->utc_ns);
        if (count->max > 0 && value + 1 > count->max) {
            return true;
        }
    }
    return false;
}

static bool no_funds(struct decision *decision)
{
    if (!is_limited(decision)) {
        return false;
    }
    int64_t available =
        ledger_account_available(plan_see_account(decision->plan, decision->account));
    if (decision->request->amount_minor <= available) {
        return false;
    }
    bool takes_part =
        decision->type == TYPE_PURCHASE && (decision->request->flags & LEDGER_REQUEST_PARTIAL) != 0;
    if (takes_part && available > 0) {
        decision->part_minor = available;
        return false;
    }
    return true;
}

static bool partial(struct decision *decision)
{
    return decision->part_minor > 0;
}

static bool verified(struct decision *decision)
{
    return decision->type == TYPE_VERIFY;
}

static bool approved(struct decision *decision)
{
    (void)decision;
    return true;
}

/* ---- the table ------------------------------------------------------------------------------- */

enum whose { OURS = 1, FORWARDED = 2, BOTH = 3 };
static const struct {
    enum ledger_reason reason;
    enum whose whose;
    bool (*applies)(struct decision *decision);
} tests[] = {
    {LEDGER_REASON_DENY_LIST, BOTH, deny_list},
    {LEDGER_REASON_NO_ROUTE, BOTH, no_route},
    {LEDGER_REASON_NO_CARD, BOTH, no_card},
    {LEDGER_REASON_NO_ACCOUNT, OURS, no_account},
    {LEDGER_REASON_EXPIRED, OURS, expired},
    {LEDGER_REASON_EXPIRY_DIFFERS, OURS, expiry_differs},
    {LEDGER_REASON_LOST, OURS, lost},
    {LEDGER_REASON_STOLEN, OURS, stolen},
    {LEDGER_REASON_CARD_BLOCKED, OURS, card_blocked},
    {LEDGER_REASON_ACCOUNT_FROZEN, OURS, account_frozen},
    {LEDGER_REASON_PIN_TRIES, OURS, pin_tries},
    {LEDGER_REASON_PIN_WRONG, OURS, pin_wrong},
    {LEDGER_REASON_PIN_BLOCK, OURS, pin_block},
    {LEDGER_REASON_PIN_UNCHECKED, OURS, pin_unchecked},
    {LEDGER_REASON_CVV_WRONG, OURS, cvv_wrong},
    {LEDGER_REASON_CVV2_WRONG, OURS, cvv2_wrong},
    {LEDGER_REASON_CVV_UNCHECKED, OURS, cvv_unchecked},
    {LEDGER_REASON_NOT_PERMITTED, BOTH, not_permitted},
    {LEDGER_REASON_AMOUNT_ZERO, BOTH, amount_zero},
    {LEDGER_REASON_REFUND_TOO_HIGH, BOTH, refund_too_high},
    {LEDGER_REASON_NO_ORIGINAL, BOTH, no_original},
    {LEDGER_REASON_OVER_AMOUNT, BOTH, over_amount},
    {LEDGER_REASON_NO_TRANSLATE, FORWARDED, no_translate},
    {LEDGER_REASON_OVER_COUNT, BOTH, over_count},
    {LEDGER_REASON_NO_FUNDS, OURS, no_funds},
    {LEDGER_REASON_PARTIAL, OURS, partial},
    {LEDGER_REASON_VERIFIED, OURS, verified},
    {LEDGER_REASON_APPROVED, BOTH, approved},
};

bool plan_reasons_in_order(void)
{
    for (uint32_t i = 1; i < countof(tests); i++) {
        if (tests[i].reason <= tests[i - 1].reason) {
            return false;
        }
    }
    return true;
}

enum ledger_reason plan_decide(struct decision *decision)
{
    enum whose whose = decision->is_forwarded ? FORWARDED : OURS;
    decision->cvv2_result = 'P';
    for (uint32_t i = 0; i < countof(tests); i++) {
        if ((tests[i].whose & whose) != 0 && tests[i].applies(decision)) {
            return tests[i].reason;
        }
    }
    return LEDGER_REASON_MALFUNCTION; /* the last row always applies */
}

/* ---- counters -------------------------------------------------------------------------------- */

/* The same counter twice in one request counts once. */
static bool is_counted(const struct ledger_request *request, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (request->counts[i].declaration == request->counts[at].declaration &&
            request->counts[i].key == request->counts[at].key) {
            return true;
        }
    }
    return false;
}

void plan_count(struct ledger_plan *plan, struct ledger_txn *txn,
                const struct ledger_request *request)
{
    for (uint32_t i = 0; i < request->counts_count && i < countof(txn->counts); i++) {
        const struct ledger_count *count = &request->counts[i];
        if (is_counted(request, i)) {
            continue;
        }
        uint32_t row = ledger_counter_find(plan->state, count->declaration, count->key);
        struct ledger_counter *counter;
        if (row != 0) {
            counter = plan_edit_counter(plan, row);
        } else {
            row = ledger_counter_place(plan->state, count->declaration, count->key,
                                       plan->now->utc_ns, plan->counters_taken);
            if (row == 0) {
                plan->is_full = true;
                return;
            }
            plan->counters_taken++;
            counter = plan_fresh(plan, LEDGER_TABLE_counter, row);
            counter->declaration = count->declaration;
            counter->key = count->key;
            counter->window_s = count->window_s;
            counter->buckets = count->buckets;
        }
        ledger_counter_add(counter, plan->now->utc_ns);
        txn->counts[i].counter = row;
        txn->counts[i].tag = ledger_counter_tag(counter);
        txn->flags |= LEDGER_TXN_COUNTED;
    }
}
