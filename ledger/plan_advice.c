/* plan_advice.c - 0120 and 0220: told, not asked (contract section 5). Answered 00 whatever the
 * state of card, account and limits; what cannot be booked, or is out of the ordinary, is an
 * exception. */
#include "ledger/plan.h"

struct advice {
    struct ledger_plan *plan;
    const struct ledger_request *request;
    struct ledger_txn *txn;
    bool is_forwarded, is_bookable;
    uint32_t holder; /* account: the card's, or settlement/<endpoint> */
    uint32_t settlement;
};

static bool was_approved(const struct ledger_request *request)
{
    return memcmp(request->de39, "00", 2) == 0 || memcmp(request->de39, "10", 2) == 0;
}

static bool can_be_booked(struct advice *advice)
{
    const struct ledger_state *state = advice->plan->state;
    const struct ledger_request *request = advice->request;
    uint32_t findings =
        LEDGER_FOUND_DENY_LIST | LEDGER_FOUND_NO_ROUTE | LEDGER_FOUND_LUHN | LEDGER_FOUND_CURRENCY;
    if ((request->findings & findings) != 0) {
        return false;
    }
    if (advice->is_forwarded) {
        uint8_t endpoint = request->routes[0];
        advice->holder = request->routes_count > 0 && endpoint < state->endpoints_count
                             ? state->endpoint_accounts[endpoint]
                             : 0;
    } else {
        uint32_t card = ledger_card_find(state, &request->card);
        advice->holder = card != 0 ? state->cards[card - 1].account : 0;
    }
    advice->settlement =
        request->party < state->parties_count ? state->party_accounts[request->party] : 0;
    return advice->holder != 0 && advice->settlement != 0 &&
           state->accounts[advice->holder - 1].currency == request->currency &&
           state->accounts[advice->settlement - 1].currency == request->currency;
}

/* Its hold goes to another message: nothing of it stands any more. */
static void hold_taken(struct ledger_plan *plan, uint64_t holder_txn, uint32_t flag,
                       uint64_t related)
{
    uint32_t row = ledger_txn_find(plan->state, holder_txn);
    if (row != 0) {
        struct ledger_txn *txn = plan_edit_txn(plan, row);
        txn->flags |= flag;
        txn->related = related;
    }
}

static uint32_t matching_hold(const struct advice *advice, bool by_de38)
{
    const struct ledger_request *request = advice->request;
    bool has_de38 = by_de38 && (request->flags & LEDGER_REQUEST_HAS_DE38) != 0;
    return ledger_hold_find(advice->plan->state, &request->rrn_key,
                            has_de38 ? request->de38 : NULL);
}

static void book_hold(struct advice *advice)
{
    struct ledger_plan *plan = advice->plan;
    struct ledger_txn *txn = advice->txn;
    uint32_t old = matching_hold(advice, false);
    if (old != 0) {
        const struct ledger_hold *hold = plan_see_hold(plan, old);
        hold_taken(plan, hold->txn, LEDGER_TXN_REPLACED, txn->id);
        txn->related = hold->txn;
        plan_hold_less(plan, old, hold->amount_minor);
        plan_fresh(plan, LEDGER_TABLE_hold, old); /* also when it held nothing */
    }
    txn->booked_minor = txn->amount_minor;
    txn->debit_account = advice->holder;
    txn->credit_account = advice->settlement;
    uint32_t row = txn->amount_minor > 0 ? plan_new_hold(plan) : 0;
    if (row == 0) {
        return;
    }
    struct ledger_hold *hold = plan_edit_hold(plan, row);
    plan_pend(plan, advice->holder, advice->settlement, txn->amount_minor);
    hold->txn = txn->id;
    hold->rrn_key = txn->rrn_key;
    hold->amount_minor = txn->amount_minor;
    hold->opened_utc_ns = plan->now->utc_ns;
    hold->debit_account = advice->holder;
    hold->credit_account = advice->settlement;
    hold->currency = txn->currency;
    hold->state = LEDGER_HOLD_OPEN;
    hold->has_de38 = (advice->request->flags & LEDGER_REQUEST_HAS_DE38) != 0;
    memcpy(hold->de38, advice->request->de38, sizeof hold->de38);
    txn->hold = row;
    plan_mark_below_zero(plan, txn, advice->holder, txn->amount_minor);
}

static void book_completion(struct advice *advice)
{
    struct ledger_plan *plan = advice->plan;
    struct ledger_txn *txn = advice->txn;
    uint32_t row = matching_hold(advice, true);
    if (row != 0) {
        const struct ledger_hold *hold = plan_see_hold(plan, row);
        int64_t held_minor = hold->amount_minor;
        hold_taken(plan, hold->txn, LEDGER_TXN_COMPLETED, txn->id);
        txn->related = hold->txn;
        plan_hold_less(plan, row, held_minor);
        if (txn->amount_minor > held_minor) {
            plan_mark(plan, txn, LEDGER_EXCEPTION_OVER_HOLD, txn->amount_minor - held_minor);
        }
    } else {
        plan_mark(plan, txn, LEDGER_EXCEPTION_FORCED, txn->amount_minor);
    }
    txn->booked_minor = txn->amount_minor;
    txn->debit_account = advice->holder;
    txn->credit_account = advice->settlement;
    plan_post(plan, advice->holder, advice->settlement, txn->amount_minor);
    plan_mark_below_zero(plan, txn, advice->holder, txn->amount_minor);
}

static void book_refund(struct advice *advice)
{
    struct ledger_plan *plan = advice->plan;
    struct ledger_txn *txn = advice->txn;
    struct decision decision = {.plan = plan, .request = advice->request, .type = TYPE_REFUND};
    plan_find_purchase(&decision);
    if (decision.purchase_missing) {
        plan_mark(plan, txn, LEDGER_EXCEPTION_UNMATCHED, txn->amount_minor);
    }
    txn->booked_minor = txn->amount_minor;
    txn->debit_account = advice->settlement;
    txn->credit_account = advice->holder;
    plan_post(plan, txn->debit_account, txn->credit_account, txn->amount_minor);
    if (decision.purchase != 0) {
        struct ledger_txn *purchase = plan_edit_txn(plan, decision.purchase);
        if (__builtin_add_overflow(purchase->refunded_minor, txn->amount_minor,
                                   &purchase->refunded_minor)) {
            plan->is_overflown = true;
        }
        txn->related = purchase->id;
    }
}

/* Our leg to the scheme: its own number and DE7, sent until acknowledged. */
static void relay(struct advice *advice, const struct ledger_command_request *command,
                  uint32_t command_size)
{
    struct ledger_plan *plan = advice->plan;
    struct ledger_txn *txn = advice->txn;
    uint32_t row = plan_new_saf(plan);
    if (row == 0) {
        return;
    }
    plan_put_relay(plan, row, command, command_size);
    struct ledger_saf *saf = plan_edit_saf(plan, row);
    saf->txn = txn->id;
    saf->mti = (uint16_t)(txn->mti & ~1u);
    saf->amount_minor = txn->amount_minor;
    saf->currency = txn->currency;
    memcpy(saf->rrn, txn->rrn, sizeof saf->rrn);
    txn->endpoint = advice->request->routes[0];
    plan_queue(plan, saf, txn->endpoint);
    txn->saf = row;
    txn->de32 = advice->request->de32;
    txn->forward_stan = saf->stan;
    txn->forward_de7 = saf->de7;
}

static void told(struct advice *advice)
{
    struct ledger_txn *txn = advice->txn;
    memcpy(txn->de39, "00", 2);
    txn->reason = LEDGER_REASON_APPROVED;
    if (ledger_txn_tombstone(advice->plan->state, advice->request) != 0) {
        txn->reason = LEDGER_REASON_REVERSED; /* acknowledged, and moves nothing */
        txn->flags |= LEDGER_TXN_REVERSED;
        return;
    }
    advice->is_bookable = can_be_booked(advice);
    if (!was_approved(advice->request)) {
        return; /* told of a decline: only recorded */
    }
    if (advice->is_bookable) {
        txn->flags |= LEDGER_TXN_APPROVED;
        if (plan_type(advice->request) == TYPE_REFUND) {
            book_refund(advice);
        } else if (txn->class == LEDGER_CLASS_AUTH_ADVICE) {
            book_hold(advice);
        } else {
            book_completion(advice);
        }
    } else {
        plan_mark(advice->plan, txn, LEDGER_EXCEPTION_NOT_BOOKED, txn->amount_minor);
    }
}

void plan_advice(struct ledger_plan *plan, const struct ledger_command_request *command,
                 uint32_t command_size)
{
    const struct ledger_request *request = &command->request;
    if (plan_repeat(plan, request) == PLAN_ANSWERED) {
        return;
    }
    if (plan_is_stale(plan, request)) {
        plan_verdict(plan, LEDGER_VERDICT_STALE, sizeof(struct ledger_verdict));
        return;
    }
    struct advice advice = {
        .plan = plan,
        .request = request,
        .is_forwarded = (request->flags & LEDGER_REQUEST_ON_US) == 0,
        .txn = plan_new_txn(plan, command),
    };
    if (advice.txn == NULL) {
        return;
    }
    told(&advice);
    if (advice.is_forwarded && advice.is_bookable) {
        advice.txn->flags |= LEDGER_TXN_FORWARDED;
        relay(&advice, command, command_size);
    }
    plan_reply(plan, advice.txn);
}
