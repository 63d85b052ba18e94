/* plan_auth.c - a request on one of our cards: decide and book in one step (contract section 5). */
#include "ledger/plan.h"

static void look_up(struct decision *decision)
{
    const struct ledger_state *state = decision->plan->state;
    const struct ledger_request *request = decision->request;
    decision->card = ledger_card_find(state, &request->card);
    if (decision->card != 0) {
        decision->account = state->cards[decision->card - 1].account;
    }
    decision->settlement =
        request->party < state->parties_count ? state->party_accounts[request->party] : 0;
    if (decision->type == TYPE_TRANSFER) {
        uint32_t to = ledger_account_find(state, request->transfer_to);
        /* A house account is no card's: money reaches it by postings of our own alone. */
        bool is_house = to != 0 && plan_see_account(decision->plan, to)->is_house != 0;
        decision->to_account = is_house ? 0 : to;
    }
    if (decision->type == TYPE_REFUND) {
        plan_find_purchase(decision);
    }
}

static void book_hold(struct ledger_plan *plan, struct ledger_txn *txn,
                      const struct ledger_request *request)
{
    uint32_t row = plan_new_hold(plan);
    if (row == 0) {
        return;
    }
    plan_pend(plan, txn->debit_account, txn->credit_account, txn->booked_minor);
    struct ledger_hold *hold = plan_edit_hold(plan, row);
    hold->txn = txn->id;
    hold->rrn_key = request->rrn_key;
    hold->amount_minor = txn->booked_minor;
    hold->opened_utc_ns = plan->now->utc_ns;
    hold->debit_account = txn->debit_account;
    hold->credit_account = txn->credit_account;
    hold->currency = txn->currency;
    hold->state = LEDGER_HOLD_OPEN;
    hold->has_de38 = 1;
    memcpy(hold->de38, txn->de38, sizeof hold->de38);
    txn->hold = row;
}

static void put_balance(struct ledger_plan *plan, struct ledger_txn *txn, uint32_t account_row)
{
    const struct ledger_account *account = plan_see_account(plan, account_row);
    txn->ledger_minor = ledger_account_balance(account);
    txn->available_minor = ledger_account_available(account);
    txn->de54 = LEDGER_DE54_BALANCE;
}

static void book_purchase(struct decision *decision, struct ledger_txn *txn)
{
    struct ledger_plan *plan = decision->plan;
    txn->booked_minor = txn->amount_minor;
    if (decision->part_minor > 0) {
        txn->booked_minor = decision->part_minor;
        txn->flags |= LEDGER_TXN_PART;
        txn->de54 = LEDGER_DE54_PARTIAL;
    }
    txn->debit_account = decision->account;
    txn->credit_account = decision->settlement;
    if (txn->class == LEDGER_CLASS_AUTH) {
        book_hold(plan, txn, decision->request);
    } else {
        plan_post(plan, txn->debit_account, txn->credit_account, txn->booked_minor);
    }
    plan_count(plan, txn, decision->request);
}

static void book_refund(struct decision *decision, struct ledger_txn *txn)
{
    if (txn->class == LEDGER_CLASS_AUTH) {
        return; /* an authorization of a refund moves nothing and counts against nothing */
    }
    txn->booked_minor = txn->amount_minor;
    txn->debit_account = decision->settlement;
    txn->credit_account = decision->account;
    plan_post(decision->plan, txn->debit_account, txn->credit_account, txn->booked_minor);
    if (decision->purchase != 0) {
        struct ledger_txn *purchase = plan_edit_txn(decision->plan, decision->purchase);
        purchase->refunded_minor += txn->booked_minor; /* <= booked_minor: it fits */
        txn->related = purchase->id;
    }
}

static void book(struct decision *decision, struct ledger_txn *txn)
{
    switch (decision->type) {
    case TYPE_PURCHASE:
        book_purchase(decision, txn);
        break;
    case TYPE_REFUND:
        book_refund(decision, txn);
        break;
    case TYPE_BALANCE:
        put_balance(decision->plan, txn, decision->account);
        break;
    case TYPE_TRANSFER:
        txn->booked_minor = txn->amount_minor;
        txn->debit_account = decision->account;
        txn->credit_account = decision->to_account;
        plan_post(decision->plan, txn->debit_account, txn->credit_account, txn->booked_minor);
        plan_count(decision->plan, txn, decision->request);
        break;
    case TYPE_VERIFY:
    case TYPE_OTHER:
        break;
    }
}

static bool is_stale(const struct ledger_plan *plan, const struct ledger_request *request)
{
    uint32_t card = ledger_card_find(plan->state, &request->card);
    return plan_is_stale(plan, request) ||
           (card != 0 && plan->state->cards[card - 1].version > request->card_version);
}

/* PIN tries change in declines too: what was reached counts. */
static void keep_tries(struct decision *decision, enum ledger_reason reason)
{
    if (reason >= LEDGER_REASON_PIN_TRIES && decision->card != 0 &&
        decision->tries_after != plan_see_card(decision->plan, decision->card)->pin_tries) {
        plan_edit_card(decision->plan, decision->card)->pin_tries = decision->tries_after;
    }
}

void plan_auth(struct ledger_plan *plan, const struct ledger_command_request *command)
{
    const struct ledger_request *request = &command->request;
    if (plan_repeat(plan, request) == PLAN_ANSWERED) {
        return;
    }
    if (is_stale(plan, request)) {
        plan_verdict(plan, LEDGER_VERDICT_STALE, sizeof(struct ledger_verdict));
        return;
    }
    struct ledger_txn *txn = plan_new_txn(plan, command);
    if (txn == NULL) {
        return;
    }
    if (ledger_txn_tombstone(plan->state, request) != 0) {
        plan_decided(plan, txn, LEDGER_REASON_REVERSED);
        plan_reply(plan, txn);
        return;
    }
    struct decision decision = {.plan = plan, .request = request, .type = plan_type(request)};
    look_up(&decision);
    enum ledger_reason reason = plan_decide(&decision);
    if (reason >= LEDGER_REASON_PARTIAL && decision.settlement == 0) {
        reason = LEDGER_REASON_MALFUNCTION; /* the party has no account: a fault of the set-up */
    }
    plan_decided(plan, txn, reason);
    if ((request->flags & LEDGER_REQUEST_ASKS_CVV2) != 0) {
        txn->cvv2_result = decision.cvv2_result;
    }
    keep_tries(&decision, reason);
    if (txn->flags & LEDGER_TXN_APPROVED) {
        book(&decision, txn);
    }
    plan_reply(plan, txn);
}
