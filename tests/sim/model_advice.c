/* model_advice.c - advices and reversals: contract sections 5 and 6. */
#include "tests/sim/model_internal.h"

#include <string.h>

static void mark(struct model *model, enum ledger_exception kind)
{
    model->exceptions[kind]++;
}

/* What this message is booked between; false when it cannot be booked. */
static bool advice_accounts(const struct model *model, const struct ledger_request *r,
                            const struct model_view *view, int32_t *from, int32_t *to)
{
    *to = model_account_of(model, model->settlement[r->party]);
    if (view->denied || view->no_route || (r->findings & LEDGER_FOUND_LUHN) != 0 ||
        view->other_currency) {
        return false;
    }
    if (!view->is_on_us) {
        *from = model_account_of(model, model->endpoint[view->routes[0]]);
        return true;
    }
    const struct model_card_row *card = model_card_of(model, &r->card);
    *from = card != NULL ? card->account : -1;
    return card != NULL;
}

struct model_answer model_advice(struct model *model, const struct ledger_request *r,
                                 const struct model_view *view, enum ledger_command_kind kind,
                                 int64_t utc_s, bool was_reversed)
{
    struct model_answer answer = model_say("00");
    int32_t old = model_find_hold(model, r);
    int32_t purchase = -1;
    bool is_refund = model_type(r) == 20;
    if (is_refund) {
        (void)model_check_refund(model, r, &purchase);
    }
    int32_t index = model_store(model, kind, r, utc_s, answer);
    struct model_txn *txn = &model->txns[index];
    int32_t from = -1, to = -1;
    bool approved = memcmp(r->de39, "00", 2) == 0 || memcmp(r->de39, "10", 2) == 0;
    if (was_reversed || !approved) {
        return txn->answer;
    }
    if (!advice_accounts(model, r, view, &from, &to)) {
        mark(model, LEDGER_EXCEPTION_NOT_BOOKED);
        return txn->answer;
    }
    txn->approved = true;
    bool may_sink = !model->accounts[from].is_house;
    if (is_refund) {
        model_book(model, txn, to, from, r->amount_minor);
        txn->is_refund = true;
        txn->purchase = purchase;
        if (purchase >= 0) {
            model->txns[purchase].refundable -= r->amount_minor;
        }
    } else if (r->class == LEDGER_CLASS_AUTH_ADVICE) {
        if (old >= 0) {
            struct model_txn *replaced = &model->txns[old];
            model_release(model, replaced, replaced->held);
            replaced->superseded = true;
        }
        model_hold(model, txn, from, to, r->amount_minor);
        if (may_sink && model_available(model, from) < 0) {
            mark(model, LEDGER_EXCEPTION_BELOW_ZERO);
        }
    } else {
        if (old >= 0) {
            struct model_txn *completed = &model->txns[old];
            if (r->amount_minor > completed->held) {
                mark(model, LEDGER_EXCEPTION_OVER_HOLD);
            }
            model_release(model, completed, completed->held);
            completed->completed = true;
            completed->completed_by = index + 1;
        } else {
            mark(model, LEDGER_EXCEPTION_FORCED);
        }
        model_book(model, txn, from, to, r->amount_minor);
        if (may_sink && model_available(model, from) < 0) {
            mark(model, LEDGER_EXCEPTION_BELOW_ZERO);
        }
    }
    return txn->answer;
}

void model_give_back_refundable(struct model *model, struct model_txn *txn)
{
    if (txn->is_refund && txn->purchase >= 0 && txn->request.class == LEDGER_CLASS_FINANCIAL) {
        model->txns[txn->purchase].refundable += txn->request.amount_minor;
        txn->purchase = -1; /* once */
    }
}

/* Undoes what stands above the amount that remains. */
static bool undo(struct model *model, struct model_txn *txn, int64_t remains)
{
    int64_t held = txn->held > remains ? txn->held - remains : 0;
    int64_t stands =
        txn->posted > txn->refundable && !txn->is_refund ? txn->refundable : txn->posted;
    int64_t posted = stands > remains ? stands - remains : 0;
    if (held > 0) {
        model_release(model, txn, held);
    }
    if (posted > 0) {
        model_post(model, txn->to, txn->from, posted);
        txn->posted -= posted;
        txn->refundable -= txn->is_refund ? 0 : posted;
        if (txn->is_refund && txn->purchase >= 0) {
            model->txns[txn->purchase].refundable += posted;
        }
    }
    bool moved = held > 0 || posted > 0;
    if (moved && txn->held == 0 && txn->posted == 0) {
        txn->counted = false;
    }
    return moved;
}

struct model_answer model_reversal(struct model *model, const struct ledger_request *r,
                                   enum ledger_command_kind kind, int64_t utc_s)
{
    int32_t index = model_find_original(model, r);
    if (index >= 0 && model->txns[index].completed && (r->flags & LEDGER_REQUEST_IS_ADVICE) == 0) {
        return model_say("21"); /* not stored */
    }
    struct model_answer answer = model_say("00");
    int32_t self = model_store(model, kind, r, utc_s, answer);
    int64_t remains = (r->flags & LEDGER_REQUEST_HAS_REMAINS) != 0 ? r->remains_minor : 0;
    if (index < 0) {
        model->txns[self].state = STATE_TOMBSTONE;
        return model->txns[self].answer;
    }
    struct model_txn *txn = &model->txns[index];
    if (txn->completed) {
        mark(model, LEDGER_EXCEPTION_COMPLETED);
    } else if (txn->state == STATE_OUT) {
        txn->reversed_while_out = true;
        txn->reversed = true;
        model_give_back_refundable(model, txn);
    } else if (txn->state == STATE_DECIDED && txn->approved) {
        bool moved = undo(model, txn, remains);
        txn->reversed |= moved || remains == 0;
    }
    return model->txns[self].answer;
}
