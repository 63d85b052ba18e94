/* recover_open.c - after a restart nobody knows what became of the requests that were out: each
 * becomes unknown with its reversal queued, durable before anything is served (design.md, life of a
 * message, 14). Requests are never sent again. Thread: the recovery's. */
#include "ledger/plan.h"

static uint32_t next_open(struct ledger_state *state)
{
    for (; state->open_count > 0 && state->recover_from < state->rows_used[LEDGER_TABLE_txn];
         state->recover_from++) {
        if (state->txns[state->recover_from].state == LEDGER_TXN_OPEN) {
            return state->recover_from + 1;
        }
    }
    return 0;
}

uint32_t ledger_recover_open_intents(struct ledger_state *state, uint16_t epoch, int64_t utc_ns,
                                     uint8_t *out)
{
    uint32_t row = next_open(state);
    if (row == 0) {
        must(state->open_count == 0);
        return 0;
    }
    struct ledger_now now = {.epoch = epoch, .utc_ns = state->utc_last_ns};
    ledger_now_set(&now, utc_ns, 0);
    struct ledger_plan plan; /* 16 KiB of this thread's stack, once */
    memset(&plan, 0, offsetof(struct ledger_plan, images));
    plan.state = state;
    plan.now = &now;
    plan.kind = LEDGER_RECORD_RECOVERED;
    plan.ruleset = state->meta->ruleset;
    struct ledger_txn *txn = plan_edit_txn(&plan, row);
    plan.txn = txn->id;
    plan.reason = LEDGER_REASON_NO_ANSWER;
    plan_unknown(&plan, txn, LEDGER_REASON_NO_ANSWER);
    plan_given_up(&plan, txn);
    return ledger_plan_pack(&plan, out);
}
