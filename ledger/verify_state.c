/* verify_state.c - see verify.h. Reads every row once; bounds: the tables'. */
#include "ledger/verify.h"

#include "ledger/tables.h"
#include <stdarg.h>
#include <stdio.h>

PRINTF(2, 3) static void fault(struct ledger_verified *verified, const char *format, ...)
{
    if (verified->is_ok) { /* the first one is the one to look at */
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(verified->text, sizeof verified->text, format, arguments);
        va_end(arguments);
    }
    verified->is_ok = false;
}

static void verify_sums(const struct ledger_state *state, struct ledger_verified *verified)
{
    for (uint32_t i = 0; i < state->sums_count; i++) {
        const struct ledger_sum *kept = &state->sums[i];
        struct ledger_sum sum = {.currency = kept->currency};
        for (uint32_t row = 0; row < state->accounts_count; row++) {
            const struct ledger_account *account = &state->accounts[row];
            if (account->currency == kept->currency) {
                sum.posted_debit += account->posted_debit;
                sum.posted_credit += account->posted_credit;
                sum.pending_debit += account->pending_debit;
                sum.pending_credit += account->pending_credit;
            }
        }
        if (sum.posted_debit != kept->posted_debit || sum.posted_credit != kept->posted_credit ||
            sum.pending_debit != kept->pending_debit ||
            sum.pending_credit != kept->pending_credit) {
            fault(verified, "currency %03u: the sums kept are not those of the accounts",
                  sum.currency);
        }
        if (sum.posted_debit != sum.posted_credit || sum.pending_debit != sum.pending_credit) {
            fault(verified, "currency %03u: debits and credits differ", sum.currency);
        }
    }
    verified->accounts_count = state->accounts_count;
}

/* Pendings of all accounts against holds and reservations: as sums, and where they are claimed. */
static void verify_pendings(const struct ledger_state *state, struct ledger_verified *verified)
{
    ledger_total claimed = 0, pending = 0;
    for (uint32_t row = 0; row < state->rows_used[LEDGER_TABLE_hold]; row++) {
        const struct ledger_hold *hold = &state->holds[row];
        if (hold->state == LEDGER_HOLD_OPEN) {
            verified->holds_count++;
            claimed += hold->amount_minor;
            if (hold->amount_minor > state->accounts[hold->debit_account - 1].pending_debit ||
                hold->amount_minor > state->accounts[hold->credit_account - 1].pending_credit) {
                fault(verified, "hold %u: more than is pending on its account", row);
            }
        }
    }
    for (uint32_t row = 0; row < state->rows_used[LEDGER_TABLE_saf]; row++) {
        const struct ledger_saf *saf = &state->safs[row];
        if (saf->state != LEDGER_SAF_NONE && saf->reserved_minor > 0) {
            verified->reserved_count++;
            claimed += saf->reserved_minor;
            if (saf->reserved_minor > state->accounts[saf->debit_account - 1].pending_debit) {
                fault(verified, "stored message %u: more reserved than is pending", row);
            }
        }
    }
    for (uint32_t i = 0; i < state->sums_count; i++) {
        pending += state->sums[i].pending_debit;
    }
    if (claimed != pending) {
        fault(verified, "pending differs from holds and reservations by %lld",
              (long long)(pending - claimed));
    }
}

static void verify_open(const struct ledger_state *state, struct ledger_verified *verified)
{
    for (uint32_t row = 0; row < state->rows_used[LEDGER_TABLE_txn]; row++) {
        const struct ledger_txn *txn = &state->txns[row];
        if (txn->state != LEDGER_TXN_OPEN && txn->state != LEDGER_TXN_UNKNOWN) {
            continue;
        }
        verified->open_count++;
        const struct ledger_saf *saf = txn->saf != 0 ? &state->safs[txn->saf - 1] : NULL;
        uint8_t wanted = txn->state == LEDGER_TXN_OPEN ? LEDGER_SAF_PLACE : LEDGER_SAF_QUEUED;
        if (saf == NULL || saf->txn != txn->id || saf->state != wanted) {
            fault(verified, "transaction in row %u has no stored message", row);
        }
    }
    if (verified->open_count != state->open_count + state->unknown_count) {
        fault(verified, "%llu transactions are open or unknown, %u are counted",
              (unsigned long long)verified->open_count, state->open_count + state->unknown_count);
    }
}

void ledger_state_verify(const struct ledger_state *state, struct ledger_verified *verified)
{
    *verified = (struct ledger_verified){.is_ok = true};
    verify_sums(state, verified);
    verify_pendings(state, verified);
    verify_open(state, verified);
}
