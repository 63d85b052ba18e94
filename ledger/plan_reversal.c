/* plan_reversal.c - 0400 and 0420: undo what stands of the original above the amount that remains
 * (contract section 6). Never declined for a business reason, but 0400 of a completed
 * authorization. */
#include "ledger/plan.h"

struct reversal {
    struct ledger_plan *plan;
    const struct ledger_request *request;
    const struct ledger_command_request *command;
    uint32_t command_size;
    struct ledger_txn *txn; /* of the reversal itself */
};

static bool has_de3(const struct ledger_txn *txn, uint32_t de3)
{
    return txn->de3 == de3;
}

static uint32_t find_original(const struct ledger_plan *plan, const struct ledger_request *request)
{
    if (request->flags & LEDGER_REQUEST_HAS_DE90) {
        return ledger_txn_by_self(plan->state, &request->original_key, request->original_de7);
    }
    return ledger_txn_by_rrn(plan->state, &request->rrn_key, has_de3, request->de3);
}

/* It came before its original, which will be refused when it comes. */
static void remember(struct reversal *reversal)
{
    struct ledger_txn *txn = reversal->txn;
    const struct ledger_request *request = reversal->request;
    const struct ledger_state *state = reversal->plan->state;
    txn->state = LEDGER_TXN_TOMBSTONE;
    txn->local_time = request->local_time;
    if (request->flags & LEDGER_REQUEST_HAS_DE90) {
        txn->original_key = request->original_key;
        txn->original_de7 = request->original_de7;
    } else {
        txn->flags |= LEDGER_TXN_BY_RRN;
    }
    uint32_t findings =
        LEDGER_FOUND_DENY_LIST | LEDGER_FOUND_NO_ROUTE | LEDGER_FOUND_LUHN | LEDGER_FOUND_CURRENCY;
    bool is_unknown_card = (request->flags & LEDGER_REQUEST_ON_US) != 0 &&
                           ledger_card_find(state, &request->card) == 0;
    bool is_bookable = !is_unknown_card && (request->findings & findings) == 0;
    plan_mark(reversal->plan, txn,
              is_bookable ? LEDGER_EXCEPTION_UNMATCHED : LEDGER_EXCEPTION_NOT_BOOKED,
              txn->amount_minor);
}

/* Out at the scheme: all of it is undone, its answer is told to nobody, the scheme is reversed. Who
 * repeated it meanwhile gets what its repeats get from now on. */
static void undo_open(struct reversal *reversal, struct ledger_txn *original)
{
    struct ledger_plan *plan = reversal->plan;
    plan_unknown(plan, original, LEDGER_REASON_REVERSED);
    plan_given_up(plan, original);
    original->flags |= LEDGER_TXN_REVERSED | LEDGER_TXN_SILENT;
    original->cvv2_result = 0;
    plan->txn = original->id;
    plan_reply_text(plan, LEDGER_REASON_REVERSED);
    plan->wakes = original->id;
    plan->wake = plan->verdict.reply;
    plan->wake.reply.is_replay = 1;
}

static void undo_amount(struct ledger_plan *plan, struct ledger_txn *original, int64_t amount_minor)
{
    uint32_t hold = ledger_hold_of(plan->state, original);
    if (amount_minor == 0) {
        return;
    }
    if (original->class == LEDGER_CLASS_AUTH || original->class == LEDGER_CLASS_AUTH_ADVICE) {
        plan_hold_less(plan, hold, amount_minor);
    } else {
        plan_post(plan, original->credit_account, original->debit_account, amount_minor);
        plan_refund_less(plan, original, amount_minor);
        plan_mark_below_zero(plan, original, original->credit_account, amount_minor);
    }
    original->undone_minor += amount_minor;
    if (original->undone_minor >= original->booked_minor) {
        plan_counts_back(plan, original);
    }
}

/* The scheme that approved our leg has to know: a 0420 of its own, with the leg's values. */
static void tell_scheme(struct reversal *reversal, struct ledger_txn *original,
                        int64_t remains_minor)
{
    struct ledger_plan *plan = reversal->plan;
    uint32_t row = plan_new_saf(plan);
    if (row == 0) {
        return;
    }
    plan_put_relay(plan, row, reversal->command, reversal->command_size);
    struct ledger_saf *saf = plan_edit_saf(plan, row);
    saf->has_remains = remains_minor > 0;
    saf->remains_minor = remains_minor;
    plan_queue_reversal(plan, saf, original);
    original->saf = row;
    reversal->txn->endpoint = (uint8_t)saf->endpoint;
    reversal->txn->forward_stan = saf->stan;
    reversal->txn->forward_de7 = saf->de7;
}

static void undo(struct reversal *reversal, struct ledger_txn *original)
{
    const struct ledger_request *request = reversal->request;
    bool is_partial = (request->flags & LEDGER_REQUEST_HAS_REMAINS) != 0;
    int64_t remains_minor = is_partial ? request->remains_minor : 0;
    int64_t stands_minor = plan_stands(reversal->plan, original);
    int64_t undo_minor = stands_minor > remains_minor ? stands_minor - remains_minor : 0;
    bool is_first = (original->flags & LEDGER_TXN_REVERSED) == 0;
    undo_amount(reversal->plan, original, undo_minor);
    reversal->txn->booked_minor = 0;
    if (undo_minor == 0 && (remains_minor > 0 || !is_first)) {
        return; /* nothing to undo: the original stays as it was */
    }
    original->flags |= LEDGER_TXN_REVERSED;
    if (original->flags & LEDGER_TXN_FORWARDED) {
        tell_scheme(reversal, original, stands_minor - undo_minor);
    }
}

static bool is_undoable(const struct ledger_txn *original)
{
    return original->state == LEDGER_TXN_DECIDED && original->class != LEDGER_CLASS_REVERSAL &&
           (original->flags & LEDGER_TXN_APPROVED) != 0;
}

void plan_reversal(struct ledger_plan *plan, const struct ledger_command_request *command,
                   uint32_t command_size)
{
    const struct ledger_request *request = &command->request;
    if (plan_repeat(plan, request) == PLAN_ANSWERED) {
        return;
    }
    uint32_t row = find_original(plan, request);
    bool is_completed = row != 0 && (plan->state->txns[row - 1].flags & LEDGER_TXN_COMPLETED) != 0;
    if (is_completed && (request->flags & LEDGER_REQUEST_IS_ADVICE) == 0) {
        plan_reply_text(plan, LEDGER_REASON_COMPLETED);
        return;
    }
    struct reversal reversal = {
        .plan = plan,
        .request = request,
        .command = command,
        .command_size = command_size,
        .txn = plan_new_txn(plan, command),
    };
    if (reversal.txn == NULL) {
        return;
    }
    uint64_t id = reversal.txn->id;
    memcpy(reversal.txn->de39, "00", 2);
    reversal.txn->reason = LEDGER_REASON_APPROVED;
    if (row == 0) {
        remember(&reversal);
    } else {
        struct ledger_txn *original = plan_edit_txn(plan, row);
        reversal.txn->related = original->id;
        if (is_completed) {
            plan_mark(plan, reversal.txn, LEDGER_EXCEPTION_COMPLETED, original->amount_minor);
        } else if (original->state == LEDGER_TXN_OPEN) {
            undo_open(&reversal, original);
        } else if (is_undoable(original)) {
            undo(&reversal, original);
        }
    }
    plan_reply(plan, reversal.txn);
    plan->txn = id;
}
