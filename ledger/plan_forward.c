/* plan_forward.c - requests that leave for a counterparty: intent, outcome, time-out.
 *
 * DESIGN  An INTENT takes at admission everything that its end can need: a row, a place among the
 * stored messages for its reversal, and for an authorization a hold. While it is out the place
 * holds the reservation (pending settlement/<endpoint> to settlement/<party>). An outcome gives the
 * place back; silence turns it into the reversal, which keeps the reservation until it is
 * acknowledged. So nothing that comes after admission can be refused. (design.md, "Life of a
 * message".) */
#include "ledger/plan.h"

static uint32_t endpoint_account(const struct ledger_plan *plan, uint8_t endpoint)
{
    return endpoint < plan->state->endpoints_count ? plan->state->endpoint_accounts[endpoint] : 0;
}

static uint32_t party_account(const struct ledger_plan *plan, uint16_t party)
{
    return party < plan->state->parties_count ? plan->state->party_accounts[party] : 0;
}

static bool is_type(const struct ledger_txn *txn, uint32_t first_two_digits)
{
    return txn->de3 / 10000 == first_two_digits;
}

/* ---- an attempt ------------------------------------------------------------------------------ */

static void reserve(struct ledger_plan *plan, const struct ledger_txn *txn, struct ledger_saf *saf)
{
    bool is_refund = is_type(txn, 20);
    uint32_t scheme = endpoint_account(plan, txn->endpoint);
    uint32_t party = party_account(plan, txn->party);
    saf->debit_account = is_refund ? party : scheme;
    saf->credit_account = is_refund ? scheme : party;
    saf->reserved_minor = is_refund && txn->class == LEDGER_CLASS_AUTH ? 0 : txn->amount_minor;
    plan_pend(plan, saf->debit_account, saf->credit_account, saf->reserved_minor);
}

/* Names the next endpoint, our STAN and DE7, and reserves. The saf row is a fresh place. */
static void start_attempt(struct ledger_plan *plan, struct ledger_txn *txn, uint32_t saf_row)
{
    struct ledger_saf *saf = plan_edit_saf(plan, saf_row);
    txn->endpoint = txn->routes[txn->attempt];
    txn->attempt++;
    txn->state = LEDGER_TXN_OPEN;
    txn->saf = saf_row;
    txn->forward_stan = plan_next_stan(plan, txn->endpoint);
    txn->forward_de7 = plan->now->de7;
    saf->txn = txn->id;
    saf->state = LEDGER_SAF_PLACE;
    saf->endpoint = txn->endpoint;
    saf->currency = txn->currency;
    reserve(plan, txn, saf);

    plan->txn = txn->id;
    plan->reason = txn->reason;
    plan_verdict(plan, LEDGER_VERDICT_FORWARD, sizeof(struct ledger_verdict_forward));
    struct ledger_forward *forward = &plan->verdict.forward.forward;
    forward->txn = txn->id;
    forward->de7 = txn->forward_de7;
    forward->stan = txn->forward_stan;
    forward->attempt = txn->attempt;
    forward->endpoint = txn->endpoint;
    memcpy(forward->rrn, txn->rrn, sizeof forward->rrn);
}

static void take_hold(struct ledger_plan *plan, struct ledger_txn *txn)
{
    if (txn->class != LEDGER_CLASS_AUTH || is_type(txn, 20)) {
        return;
    }
    uint32_t row = plan_new_hold(plan);
    if (row != 0) {
        struct ledger_hold *hold = plan_edit_hold(plan, row);
        hold->txn = txn->id;
        hold->rrn_key = txn->rrn_key;
        hold->currency = txn->currency;
        hold->state = LEDGER_HOLD_ASKED;
        txn->hold = row;
    }
}

static void drop_hold(struct ledger_plan *plan, struct ledger_txn *txn)
{
    uint32_t row = ledger_hold_of(plan->state, txn);
    if (row != 0) {
        plan_fresh(plan, LEDGER_TABLE_hold, row);
    }
    txn->hold = 0;
}

/* ---- intent ---------------------------------------------------------------------------------- */

static bool has_accounts(const struct ledger_plan *plan, const struct ledger_request *request)
{
    bool all = party_account(plan, request->party) != 0;
    for (uint32_t i = 0; i < request->routes_count && i < LIMIT_ROUTES_MAX; i++) {
        all = all && endpoint_account(plan, request->routes[i]) != 0;
    }
    return all;
}

static void admit(struct decision *decision, struct ledger_txn *txn,
                  const struct ledger_command_request *command, uint32_t command_size)
{
    struct ledger_plan *plan = decision->plan;
    const struct ledger_request *request = decision->request;
    txn->de32 = request->de32;
    txn->routes_count = request->routes_count;
    memcpy(txn->routes, request->routes, sizeof txn->routes);
    txn->reason = LEDGER_REASON_SCHEME;
    uint32_t saf_row = plan_new_saf(plan);
    take_hold(plan, txn);
    if (plan->is_full) {
        return;
    }
    plan_put_relay(plan, saf_row, command, command_size);
    plan_count(plan, txn, request);
    if (decision->purchase != 0 && txn->class == LEDGER_CLASS_FINANCIAL) {
        struct ledger_txn *purchase = plan_edit_txn(plan, decision->purchase);
        purchase->refunded_minor += txn->amount_minor; /* <= what stands: it fits */
        txn->related = purchase->id;
    }
    start_attempt(plan, txn, saf_row);
}

void plan_intent(struct ledger_plan *plan, const struct ledger_command_request *command,
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
    struct ledger_txn *txn = plan_new_txn(plan, command);
    if (txn == NULL) {
        return;
    }
    txn->flags |= LEDGER_TXN_FORWARDED;
    if ((request->flags & LEDGER_REQUEST_ASKS_CVV2) != 0) {
        txn->cvv2_result = 'P';
    }
    struct decision decision = {
        .plan = plan,
        .request = request,
        .is_forwarded = true,
        .type = plan_type(request),
        .settlement = party_account(plan, request->party),
    };
    if (request->routes_count > 0) {
        decision.account = endpoint_account(plan, request->routes[0]);
    }
    enum ledger_reason reason = LEDGER_REASON_REVERSED;
    if (ledger_txn_tombstone(plan->state, request) == 0) {
        if (decision.type == TYPE_REFUND) {
            plan_find_purchase(&decision);
        }
        reason = plan_decide(&decision);
    }
    if (reason == LEDGER_REASON_APPROVED && !has_accounts(plan, request)) {
        reason =
            LEDGER_REASON_MALFUNCTION; /* a counterparty has no account: a fault of the set-up */
    }
    if (reason == LEDGER_REASON_APPROVED) {
        admit(&decision, txn, command, command_size);
        return;
    }
    if (reason == LEDGER_REASON_REVERSED) {
        txn->cvv2_result = 0; /* no 94 carries DE48.87 */
    }
    plan_decided(plan, txn, reason);
    plan_reply(plan, txn);
}

/* ---- the end of an attempt ------------------------------------------------------------------- */

void plan_refund_less(struct ledger_plan *plan, const struct ledger_txn *refund,
                      int64_t amount_minor)
{
    uint32_t row = is_type(refund, 20) ? ledger_txn_find(plan->state, refund->related) : 0;
    if (row != 0 && amount_minor > 0) {
        struct ledger_txn *purchase = plan_edit_txn(plan, row);
        purchase->refunded_minor -=
            amount_minor < purchase->refunded_minor ? amount_minor : purchase->refunded_minor;
    }
}

void plan_unknown(struct ledger_plan *plan, struct ledger_txn *txn, enum ledger_reason reason)
{
    struct ledger_saf *saf = plan_edit_saf(plan, txn->saf);
    must(saf->state == LEDGER_SAF_PLACE && saf->txn == txn->id);
    saf->is_resolution = 1;
    plan_queue_reversal(plan, saf, txn);
    drop_hold(plan, txn);
    txn->state = LEDGER_TXN_UNKNOWN;
    txn->booked_minor = 0;
    txn->answered_utc_ns = plan->now->utc_ns;
    txn->reason = (uint16_t)reason;
    memcpy(txn->de39, ledger_reason_de39((uint16_t)reason), 2);
}

void plan_given_up(struct ledger_plan *plan, struct ledger_txn *txn)
{
    plan_counts_back(plan, txn);
    plan_refund_less(plan, txn, txn->amount_minor);
}

/* The final answer, to whoever asked and to whoever repeated the request meanwhile. */
static void answer(struct ledger_plan *plan, const struct ledger_txn *txn)
{
    plan_reply(plan, txn);
    plan->wakes = txn->id;
    plan->wake = plan->verdict.reply;
    plan->wake.reply.is_replay = 1;
}

static void release_place(struct ledger_plan *plan, struct ledger_txn *txn)
{
    const struct ledger_saf *saf = plan_see_saf(plan, txn->saf);
    must(saf->state == LEDGER_SAF_PLACE && saf->txn == txn->id);
    plan_release(plan, saf->debit_account, saf->credit_account, saf->reserved_minor);
    txn->debit_account = saf->debit_account;
    txn->credit_account = saf->credit_account;
}

static void approve_hold(struct ledger_plan *plan, struct ledger_txn *txn)
{
    struct ledger_hold *hold = plan_edit_hold(plan, txn->hold);
    must(hold->state == LEDGER_HOLD_ASKED && hold->txn == txn->id);
    hold->state = LEDGER_HOLD_OPEN;
    hold->amount_minor = txn->booked_minor;
    hold->opened_utc_ns = plan->now->utc_ns;
    hold->debit_account = txn->debit_account;
    hold->credit_account = txn->credit_account;
    hold->has_de38 = (txn->flags & LEDGER_TXN_HAS_DE38) != 0;
    memcpy(hold->de38, txn->de38, sizeof hold->de38);
    plan_pend(plan, txn->debit_account, txn->credit_account, txn->booked_minor);
}

static void put_outcome(struct ledger_plan *plan, struct ledger_txn *txn,
                        const struct ledger_command_outcome *command)
{
    txn->state = LEDGER_TXN_DECIDED;
    txn->answered_utc_ns = plan->now->utc_ns;
    txn->reason = LEDGER_REASON_SCHEME;
    memcpy(txn->de39, command->de39, 2);
    if (command->has_de38) {
        txn->flags |= LEDGER_TXN_HAS_DE38;
        memcpy(txn->de38, command->de38, sizeof txn->de38);
    }
}

static void approve(struct ledger_plan *plan, struct ledger_txn *txn,
                    const struct ledger_command_outcome *command)
{
    put_outcome(plan, txn, command);
    txn->flags |= LEDGER_TXN_APPROVED;
    if (command->de39[0] == 0) {
        memcpy(txn->de39, "00", 2);
    }
    release_place(plan, txn);
    plan_free_saf(plan, txn->saf);
    txn->saf = 0;
    bool is_refund_auth = is_type(txn, 20) && txn->class == LEDGER_CLASS_AUTH;
    txn->booked_minor = is_refund_auth ? 0 : txn->amount_minor;
    bool is_part = memcmp(command->de39, "10", 2) == 0 && command->amount_minor > 0 &&
                   command->amount_minor < txn->amount_minor;
    if (is_part && !is_refund_auth) { /* a part that makes no sense is taken as the whole */
        txn->booked_minor = command->amount_minor;
        txn->flags |= LEDGER_TXN_PART;
        txn->de54 = LEDGER_DE54_PARTIAL;
        plan_refund_less(plan, txn, txn->amount_minor - txn->booked_minor);
    }
    if (txn->class == LEDGER_CLASS_FINANCIAL) {
        plan_post(plan, txn->debit_account, txn->credit_account, txn->booked_minor);
    } else if (!is_refund_auth) {
        approve_hold(plan, txn);
    }
    answer(plan, txn);
}

static void decline(struct ledger_plan *plan, struct ledger_txn *txn,
                    const struct ledger_command_outcome *command, enum ledger_reason reason)
{
    put_outcome(plan, txn, command);
    if (command->de39[0] == 0) { /* nobody said why: it is ours to say */
        memcpy(txn->de39, ledger_reason_de39((uint16_t)reason), 2);
    }
    txn->reason = (uint16_t)reason;
    release_place(plan, txn);
    plan_free_saf(plan, txn->saf);
    txn->saf = 0;
    drop_hold(plan, txn);
    plan_given_up(plan, txn);
    answer(plan, txn);
}

enum after { AFTER_NOT_SENT = 1, AFTER_TECHNICAL = 2, AFTER_SILENCE = 4 };

static bool may_go_on(const struct ledger_plan *plan, const struct ledger_txn *txn,
                      enum after after)
{
    uint8_t allowed = plan->state->policies[txn->endpoint].next_attempt_after;
    return (allowed & after) != 0 && txn->attempt < txn->routes_count &&
           txn->attempt < LIMIT_ROUTES_MAX;
}

static void failed(struct ledger_plan *plan, struct ledger_txn *txn,
                   const struct ledger_command_outcome *command)
{
    bool is_sent = command->outcome != LEDGER_OUTCOME_NOT_SENT;
    if (!may_go_on(plan, txn, is_sent ? AFTER_TECHNICAL : AFTER_NOT_SENT)) {
        decline(plan, txn, command,
                !is_sent                ? LEDGER_REASON_NOT_SENT
                : command->de39[0] != 0 ? LEDGER_REASON_SCHEME
                                        : LEDGER_REASON_NO_ANSWER);
        return;
    }
    uint32_t saf_row = txn->saf;
    release_place(plan, txn);
    memset(plan_edit_saf(plan, saf_row), 0, sizeof(struct ledger_saf));
    start_attempt(plan, txn, saf_row);
}

/* The transaction that this outcome ends; NULL: it has ended, the verdict is made. */
static struct ledger_txn *open_txn(struct ledger_plan *plan,
                                   const struct ledger_command_outcome *command)
{
    uint32_t row = ledger_txn_find(plan->state, command->txn);
    const struct ledger_txn *txn = row != 0 ? plan_see_txn(plan, row) : NULL;
    plan->txn = command->txn;
    if (txn != NULL && txn->state == LEDGER_TXN_OPEN && txn->attempt == command->attempt) {
        plan->reason = txn->reason;
        return plan_edit_txn(plan, row);
    }
    plan->reason = txn != NULL ? txn->reason : (uint16_t)LEDGER_REASON_NO_ANSWER;
    plan_verdict(plan, LEDGER_VERDICT_SILENT, sizeof(struct ledger_verdict));
    return NULL;
}

void plan_outcome(struct ledger_plan *plan, const struct ledger_command_outcome *command)
{
    struct ledger_txn *txn = open_txn(plan, command);
    if (txn == NULL) {
        return; /* late, or reversed while it was out: changes nothing */
    }
    switch ((enum ledger_outcome)command->outcome) {
    case LEDGER_OUTCOME_APPROVED:
        approve(plan, txn, command);
        break;
    case LEDGER_OUTCOME_DECLINED:
        decline(plan, txn, command, LEDGER_REASON_SCHEME);
        break;
    case LEDGER_OUTCOME_TECHNICAL:
    case LEDGER_OUTCOME_NOT_SENT:
        failed(plan, txn, command);
        break;
    }
}

/* After silence the reservation of this attempt stays; the next one has its own place and its own.
 */
static bool try_next_route(struct ledger_plan *plan, struct ledger_txn *txn, uint32_t silent_saf)
{
    if (!may_go_on(plan, txn, AFTER_SILENCE)) {
        return false;
    }
    uint32_t saf_row = plan_new_saf(plan);
    if (saf_row != 0) {
        take_hold(plan, txn);
    }
    if (plan->is_full) { /* no place: then this was the last attempt */
        plan->is_full = false;
        if (saf_row != 0) {
            plan_free_saf(plan, saf_row);
        }
        return false;
    }
    struct ledger_relay_row *relay = plan_edit(plan, LEDGER_TABLE_relay, saf_row);
    *relay = *(const struct ledger_relay_row *)plan_see(plan, LEDGER_TABLE_relay, silent_saf);
    txn->reason = LEDGER_REASON_SCHEME;
    memset(txn->de39, 0, sizeof txn->de39);
    start_attempt(plan, txn, saf_row);
    return true;
}

void plan_timeout(struct ledger_plan *plan, const struct ledger_command_outcome *command)
{
    struct ledger_txn *txn = open_txn(plan, command);
    if (txn == NULL) {
        return;
    }
    uint32_t silent_saf = txn->saf;
    plan_unknown(plan, txn, LEDGER_REASON_NO_ANSWER);
    if (!try_next_route(plan, txn, silent_saf)) {
        plan_given_up(plan, txn);
        answer(plan, txn);
    }
}
