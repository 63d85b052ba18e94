/* plan_book.c - money in a plan: pendings, postings, what stands of a message, exceptions.
 *
 * Every movement has two legs of the same amount, so debits equal credits by construction; apply()
 * checks it all the same. Sums that do not fit set is_overflown, and the whole plan is dropped. */
#include "ledger/plan.h"

static void add(struct ledger_plan *plan, int64_t *side, int64_t amount_minor)
{
    int64_t sum;
    if (__builtin_add_overflow(*side, amount_minor, &sum)) {
        plan->is_overflown = true;
        return;
    }
    *side = sum;
}

void plan_pend(struct ledger_plan *plan, uint32_t debit, uint32_t credit, int64_t amount_minor)
{
    must(amount_minor >= 0);
    if (amount_minor > 0) {
        add(plan, &plan_edit_account(plan, debit)->pending_debit, amount_minor);
        add(plan, &plan_edit_account(plan, credit)->pending_credit, amount_minor);
    }
}

void plan_release(struct ledger_plan *plan, uint32_t debit, uint32_t credit, int64_t amount_minor)
{
    must(amount_minor >= 0);
    if (amount_minor > 0) {
        plan_edit_account(plan, debit)->pending_debit -= amount_minor;
        plan_edit_account(plan, credit)->pending_credit -= amount_minor;
    }
}

void plan_post(struct ledger_plan *plan, uint32_t debit, uint32_t credit, int64_t amount_minor)
{
    must(amount_minor >= 0);
    if (amount_minor > 0) {
        add(plan, &plan_edit_account(plan, debit)->posted_debit, amount_minor);
        add(plan, &plan_edit_account(plan, credit)->posted_credit, amount_minor);
    }
}

int64_t plan_stands(const struct ledger_plan *plan, const struct ledger_txn *txn)
{
    if (txn->class == LEDGER_CLASS_AUTH || txn->class == LEDGER_CLASS_AUTH_ADVICE) {
        uint32_t row = ledger_hold_of(plan->state, txn);
        if (row == 0 || (txn->flags & (LEDGER_TXN_COMPLETED | LEDGER_TXN_REPLACED)) != 0) {
            return 0;
        }
        const struct ledger_hold *hold = plan_see_hold(plan, row);
        return hold->state == LEDGER_HOLD_OPEN ? hold->amount_minor : 0;
    }
    if (txn->class == LEDGER_CLASS_REVERSAL) {
        return 0;
    }
    int64_t stands = txn->booked_minor - txn->undone_minor - txn->refunded_minor;
    return stands > 0 ? stands : 0;
}

void plan_hold_less(struct ledger_plan *plan, uint32_t hold_row, int64_t amount_minor)
{
    struct ledger_hold *hold = plan_edit_hold(plan, hold_row);
    must(amount_minor >= 0 && amount_minor <= hold->amount_minor);
    plan_release(plan, hold->debit_account, hold->credit_account, amount_minor);
    hold->amount_minor -= amount_minor;
    if (hold->amount_minor == 0) {
        memset(hold, 0, sizeof *hold);
    }
}

void plan_counts_back(struct ledger_plan *plan, struct ledger_txn *txn)
{
    if ((txn->flags & LEDGER_TXN_COUNTED) == 0) {
        return;
    }
    for (uint32_t i = 0; i < countof(txn->counts); i++) {
        uint32_t row = txn->counts[i].counter;
        if (row != 0 && ledger_counter_tag(plan_see_counter(plan, row)) == txn->counts[i].tag) {
            ledger_counter_give_back(plan_edit_counter(plan, row), txn->decided_utc_ns);
        }
    }
    txn->flags &= ~(uint32_t)LEDGER_TXN_COUNTED;
}

void plan_mark(struct ledger_plan *plan, const struct ledger_txn *txn, enum ledger_exception kind,
               int64_t amount_minor)
{
    uint32_t row = ledger_free_row(&plan->state->marks_free, plan->marks_taken);
    if (row == 0) {
        plan->is_full = true;
        return;
    }
    struct ledger_mark *mark = plan_fresh(plan, LEDGER_TABLE_mark, row);
    mark->id = plan->state->mark_next + plan->marks_taken++;
    mark->txn = txn->id;
    mark->amount_minor = amount_minor;
    mark->utc_ns = plan->now->utc_ns;
    mark->currency = txn->currency;
    mark->kind = (uint8_t)kind;
    mark->is_open = 1;
    memcpy(mark->rrn, txn->rrn, sizeof mark->rrn);
}

void plan_mark_below_zero(struct ledger_plan *plan, const struct ledger_txn *txn, uint32_t account,
                          int64_t amount_minor)
{
    const struct ledger_account *row = plan_see_account(plan, account);
    if (!row->is_house && ledger_account_available(row) < 0) {
        plan_mark(plan, txn, LEDGER_EXCEPTION_BELOW_ZERO, amount_minor);
    }
}
