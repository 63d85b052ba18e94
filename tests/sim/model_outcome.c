/* model_outcome.c - what becomes of a message that left for a scheme. */
#include "tests/sim/model_internal.h"

/* Certainly not sent: the next route, with a reservation of its own, while there is one. */
static bool goes_on(struct model *model, struct model_txn *txn)
{
    if (txn->attempt == txn->routes_count || txn->reversed_while_out) {
        return false;
    }
    int32_t scheme = model_account_of(model, model->endpoint[txn->routes[txn->attempt++]]);
    int64_t reserved = txn->held;
    if (reserved > 0) {
        int32_t from = txn->is_refund ? txn->from : scheme, to = txn->is_refund ? scheme : txn->to;
        model_release(model, txn, reserved);
        model_hold(model, txn, from, to, reserved);
    }
    return true;
}

struct model_answer model_outcome(struct model *model, int32_t index, enum ledger_outcome outcome,
                                  const char de39[2], int64_t part_minor)
{
    struct model_txn *txn = &model->txns[index];
    if (txn->state != STATE_OUT) {
        return (struct model_answer){.kind = MODEL_IGNORED, .txn = index};
    }
    if (outcome == LEDGER_OUTCOME_NOT_SENT && goes_on(model, txn)) {
        return (struct model_answer){.kind = MODEL_FORWARD, .txn = index};
    }
    txn->state = STATE_DECIDED;
    txn->was_not_sent = outcome == LEDGER_OUTCOME_NOT_SENT;
    txn->answer = model_say(txn->was_not_sent ? "91" : de39);
    txn->answer.txn = index;
    txn->answer.cvv2_result = model_cvv2_letter(&txn->request, false);
    int64_t amount = part_minor > 0 ? part_minor : txn->request.amount_minor;
    int64_t reserved = txn->held;
    if (outcome != LEDGER_OUTCOME_APPROVED || txn->reversed_while_out) {
        model_release(model, txn, txn->held);
        model_give_back_refundable(model, txn);
        txn->approved = txn->reversed_while_out && outcome == LEDGER_OUTCOME_APPROVED;
    } else {
        txn->approved = true;
        txn->answer.has_de38 = true;
        txn->answer.amount_minor = part_minor;
        if (txn->request.class == LEDGER_CLASS_FINANCIAL) {
            int32_t from = txn->from, to = txn->to;
            model_release(model, txn, reserved);
            model_book(model, txn, from, to, amount);
        } else if (amount < reserved) {
            model_release(model, txn, reserved - amount);
        }
    }
    struct model_answer answer = txn->answer;
    if (txn->reversed_while_out) {
        answer.kind = MODEL_SILENT;
    }
    return answer;
}

struct model_answer model_timeout(struct model *model, int32_t index)
{
    struct model_txn *txn = &model->txns[index];
    if (txn->state != STATE_OUT) {
        return (struct model_answer){.kind = MODEL_IGNORED, .txn = index};
    }
    txn->state = STATE_UNKNOWN;
    txn->was_silent = true;
    model_give_back_refundable(model, txn); /* it will be reversed: what it refunded stands again */
    txn->answer = model_say("91");
    txn->answer.txn = index;
    txn->answer.cvv2_result = model_cvv2_letter(&txn->request, false);
    struct model_answer answer = txn->answer;
    if (txn->reversed_while_out) {
        answer.kind = MODEL_SILENT;
    }
    if (txn->undone_at_scheme) {
        model_resolved(model, index);
    }
    return answer;
}

void model_resolved(struct model *model, int32_t index)
{
    struct model_txn *txn = &model->txns[index];
    txn->undone_at_scheme |= txn->state == STATE_OUT && txn->reversed_while_out;
    if (txn->state == STATE_UNKNOWN) {
        txn->state = STATE_DECIDED;
        if (txn->held > 0) {
            model_release(model, txn, txn->held);
        }
        model_give_back_refundable(model, txn);
    }
}

enum model_fate model_fate(const struct model *model, int32_t index)
{
    const struct model_txn *txn = &model->txns[index];
    if (txn->state == STATE_OUT) {
        return MODEL_FATE_NONE;
    }
    if (txn->was_silent || txn->reversed_while_out) {
        return MODEL_FATE_UNDONE;
    }
    if (txn->was_not_sent) {
        return MODEL_FATE_NOT_SENT;
    }
    return !txn->approved  ? MODEL_FATE_DECLINED
           : txn->reversed ? MODEL_FATE_UNDONE
                           : MODEL_FATE_STANDS;
}

bool model_is_out(const struct model *model, int32_t txn)
{
    return model->txns[txn].state == STATE_OUT;
}

bool model_is_unknown(const struct model *model, int32_t txn)
{
    return model->txns[txn].state == STATE_UNKNOWN;
}
