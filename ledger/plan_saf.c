/* plan_saf.c - stored messages: queued with a number of our own, pulled by the endpoint's worker
 * until acknowledged (design rule 5; contract section 5, "Forwarded"). */
#include "ledger/plan.h"

#define STAN_MAX 999999u /* ISO 8583:1987 DE11, n6; zero is not used */

uint32_t plan_next_stan(struct ledger_plan *plan, uint16_t endpoint)
{
    struct ledger_endpoint_row *row =
        plan_edit(plan, LEDGER_TABLE_endpoint, (uint32_t)endpoint + 1);
    row->stan = row->stan >= STAN_MAX ? 1 : row->stan + 1;
    return row->stan;
}

void plan_queue(struct ledger_plan *plan, struct ledger_saf *saf, uint16_t endpoint)
{
    struct ledger_endpoint_row *row =
        plan_edit(plan, LEDGER_TABLE_endpoint, (uint32_t)endpoint + 1);
    row->items++;
    saf->item = (uint64_t)(endpoint + 1) << 48 | row->items;
    saf->endpoint = endpoint;
    saf->stan = plan_next_stan(plan, endpoint);
    saf->de7 = plan->now->de7;
    saf->queued_utc_ns = plan->now->utc_ns;
    saf->sends_count = 0;
    saf->state = LEDGER_SAF_QUEUED;
}

void plan_queue_reversal(struct ledger_plan *plan, struct ledger_saf *saf,
                         const struct ledger_txn *original)
{
    saf->txn = original->id;
    saf->mti = plan->state->policies[original->endpoint].reversal_mti;
    saf->original_mti = (uint16_t)(original->mti & ~1u); /* our leg was said once: x00, x20 */
    saf->original_de7 = original->forward_de7;
    saf->original_de32 = original->de32;
    saf->original_stan = original->forward_stan;
    saf->amount_minor = original->amount_minor;
    saf->currency = original->currency;
    saf->is_reversal = 1;
    memcpy(saf->rrn, original->rrn, sizeof saf->rrn);
    plan_queue(plan, saf, original->endpoint);
}

/* Only what the command really brought: the relay is the last part of it and cut at its size. */
void plan_put_relay(struct ledger_plan *plan, uint32_t saf,
                    const struct ledger_command_request *command, uint32_t command_size)
{
    struct ledger_relay_row *row = plan_edit(plan, LEDGER_TABLE_relay, saf);
    uint32_t start = offsetof(struct ledger_command_request, relay);
    uint32_t head = offsetof(struct ledger_relay, fields);
    if (command_size < start + head || command->relay.size > LEDGER_RELAY_BYTES_MAX ||
        command_size < start + head + command->relay.size) {
        return; /* none, or not whole: the message is said without it */
    }
    memcpy(&row->relay, &command->relay, head + command->relay.size);
}

void plan_free_saf(struct ledger_plan *plan, uint32_t saf)
{
    plan_fresh(plan, LEDGER_TABLE_saf, saf);
    plan_fresh(plan, LEDGER_TABLE_relay, saf);
}

static void put_item(struct ledger_plan *plan, const struct ledger_saf *saf, uint32_t row)
{
    const struct ledger_relay_row *relay = plan_see(plan, LEDGER_TABLE_relay, row);
    plan->txn = saf->txn;
    plan_verdict(plan, LEDGER_VERDICT_SAF_ITEM, sizeof(struct ledger_verdict_saf));
    struct ledger_saf_item *item = &plan->verdict.saf.item;
    item->item = saf->item;
    item->txn = saf->txn;
    item->de7 = saf->de7;
    item->original_de7 = saf->original_de7;
    item->original_de32 = saf->original_de32;
    item->amount_minor = saf->amount_minor;
    item->remains_minor = saf->remains_minor;
    item->stan = saf->stan;
    item->original_stan = saf->original_stan;
    item->sends_count = saf->sends_count;
    item->mti = saf->mti;
    item->original_mti = saf->original_mti;
    item->endpoint = saf->endpoint;
    item->has_remains = saf->has_remains;
    item->is_reversal = saf->is_reversal;
    memcpy(item->rrn, saf->rrn, sizeof item->rrn);
    item->relay = relay->relay;
}

/* The one that came back is the oldest one, unless several were out. */
void plan_pull(struct ledger_plan *plan, const struct ledger_command_saf *command)
{
    const struct ledger_state *state = plan->state;
    uint32_t back = command->item != 0 ? ledger_saf_find(state, command->item) : 0;
    if (back != 0 && state->safs[back - 1].endpoint != command->endpoint) {
        back = 0;
    }
    uint32_t row = ledger_saf_next(state, command->endpoint);
    if (back != 0 && (row == 0 || state->safs[back - 1].item < state->safs[row - 1].item)) {
        row = back;
    }
    plan->saf_back = back;
    if (row == 0) {
        plan_verdict(plan, LEDGER_VERDICT_SAF_NONE, sizeof(struct ledger_verdict));
        return;
    }
    plan->saf_sent = row;
    struct ledger_saf *saf = plan_edit_saf(plan, row);
    if (saf->sends_count < UINT32_MAX) {
        saf->sends_count++;
    }
    put_item(plan, saf, row);
}

static void resolve_txn(struct ledger_plan *plan, const struct ledger_saf *saf)
{
    uint32_t row = ledger_txn_find(plan->state, saf->txn);
    if (row == 0) {
        return; /* a message may be stored for longer than its transaction */
    }
    struct ledger_txn *txn = plan_edit_txn(plan, row);
    txn->resolved_utc_ns = plan->now->utc_ns;
    txn->resolution_stan = saf->stan;
    txn->resolution_mti = saf->mti;
    txn->resolution_sends =
        (uint16_t)(saf->sends_count > UINT16_MAX ? UINT16_MAX : saf->sends_count);
    if (saf->is_resolution && txn->state == LEDGER_TXN_UNKNOWN) {
        txn->state = LEDGER_TXN_RESOLVED;
    }
}

void plan_resolved(struct ledger_plan *plan, const struct ledger_command_saf *command)
{
    uint32_t row = ledger_saf_find(plan->state, command->item);
    if (row != 0) { /* else it was acknowledged before: nothing to do */
        const struct ledger_saf *saf = plan_see_saf(plan, row);
        plan->txn = saf->txn;
        plan_release(plan, saf->debit_account, saf->credit_account, saf->reserved_minor);
        resolve_txn(plan, saf);
        plan_free_saf(plan, row);
    }
    plan_verdict(plan, LEDGER_VERDICT_DONE, sizeof(struct ledger_verdict));
}
