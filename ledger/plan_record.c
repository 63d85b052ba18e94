/* plan_record.c - the row of a message, the answer that it stands for, and its repeats.
 *
 * An answer is always made from the row (plan_fill_reply), the first time and every later time, so
 * that a repeat cannot differ (contract section 6). */
#include "ledger/plan.h"

static bool is_advice(uint8_t class)
{
    return class == LEDGER_CLASS_AUTH_ADVICE || class == LEDGER_CLASS_FINANCIAL_ADVICE;
}

static bool is_request(uint8_t class)
{
    return class == LEDGER_CLASS_AUTH || class == LEDGER_CLASS_FINANCIAL;
}

static bool is_yes(const uint8_t de39[2])
{
    return memcmp(de39, "00", 2) == 0 || memcmp(de39, "10", 2) == 0 || memcmp(de39, "85", 2) == 0;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

void plan_verdict(struct ledger_plan *plan, enum ledger_verdict_kind kind, uint32_t size)
{
    struct ledger_verdict *verdict = &plan->verdict.header;
    memset((uint8_t *)verdict + sizeof *verdict, 0, size - sizeof *verdict);
    verdict->size = size;
    verdict->kind = (uint16_t)kind;
    verdict->txn = plan->txn;
    verdict->reason = plan->reason;
}

static void put_reversed(struct ledger_reply *reply)
{
    memcpy(reply->de44, "REVERSED", 8);
    reply->de44_size = 8;
}

void plan_fill_reply(const struct ledger_txn *txn, struct ledger_reply *reply)
{
    *reply = (struct ledger_reply){.currency = txn->currency};
    memcpy(reply->de39, txn->de39, 2);
    if (is_request(txn->class) && is_yes(txn->de39)) {
        reply->settlement_date = txn->settlement_date;
    }
    if (txn->flags & LEDGER_TXN_HAS_DE38) {
        reply->has_de38 = 1;
        memcpy(reply->de38, txn->de38, sizeof reply->de38);
    }
    if (txn->flags & LEDGER_TXN_OUR_RRN) {
        reply->has_rrn = 1;
        memcpy(reply->rrn, txn->rrn, sizeof reply->rrn);
    }
    if (txn->flags & LEDGER_TXN_PART) {
        reply->has_amount = 1;
        reply->amount_minor = txn->booked_minor;
        reply->available_minor = txn->amount_minor;
    } else if (txn->de54 == LEDGER_DE54_BALANCE) {
        reply->ledger_minor = txn->ledger_minor;
        reply->available_minor = txn->available_minor;
    }
    reply->de54 = txn->de54;
    reply->cvv2_result = txn->cvv2_result;
    if (txn->reason == LEDGER_REASON_REVERSED && memcmp(txn->de39, "94", 2) == 0) {
        put_reversed(reply);
    }
}

void plan_reply(struct ledger_plan *plan, const struct ledger_txn *txn)
{
    plan->txn = txn->id;
    plan->reason = txn->reason;
    plan_verdict(plan, LEDGER_VERDICT_REPLY, sizeof(struct ledger_verdict_reply));
    plan_fill_reply(txn, &plan->verdict.reply.reply);
}

void plan_reply_text(struct ledger_plan *plan, enum ledger_reason reason)
{
    plan->reason = (uint16_t)reason;
    plan_verdict(plan, LEDGER_VERDICT_REPLY, sizeof(struct ledger_verdict_reply));
    struct ledger_reply *reply = &plan->verdict.reply.reply;
    memcpy(reply->de39, ledger_reason_de39((uint16_t)reason), 2);
    if (reason == LEDGER_REASON_REVERSED) {
        put_reversed(reply);
    }
}

/* ---- repeats --------------------------------------------------------------------------------- */

/* A reversal may name any of the last four DE7 under which a message was repeated. */
static void keep_de7(struct ledger_plan *plan, uint32_t row, uint64_t de7)
{
    const struct ledger_txn *now = plan_see_txn(plan, row);
    if (now->class == LEDGER_CLASS_REVERSAL || ledger_txn_has_de7(now, de7)) {
        return;
    }
    struct ledger_txn *txn = plan_edit_txn(plan, row);
    for (uint32_t i = countof(txn->repeat_de7) - 1; i > 0; i--) {
        txn->repeat_de7[i] = txn->repeat_de7[i - 1];
    }
    txn->repeat_de7[0] = de7 + 1;
}

enum plan_seen plan_repeat(struct ledger_plan *plan, const struct ledger_request *request)
{
    uint32_t row = ledger_txn_by_replay(plan->state, &request->replay_key);
    if (row == 0) {
        return PLAN_NEW;
    }
    const struct ledger_txn *txn = plan_see_txn(plan, row);
    if (txn->content != request->content) {
        plan_reply_text(plan, LEDGER_REASON_KEY_USED);
        return PLAN_ANSWERED;
    }
    keep_de7(plan, row, request->de7);
    plan->txn = txn->id;
    if ((txn->flags & LEDGER_TXN_REVERSED) != 0 && !is_advice(txn->class)) {
        plan_reply_text(plan, LEDGER_REASON_REVERSED);
    } else if (txn->state == LEDGER_TXN_OPEN) {
        plan->waits_for = txn->id;
        plan->reason = txn->reason;
        return PLAN_ANSWERED;
    } else {
        plan_reply(plan, txn);
    }
    plan->verdict.reply.reply.is_replay = 1;
    return PLAN_ANSWERED;
}

/* ---- new ------------------------------------------------------------------------------------- */

bool plan_is_stale(const struct ledger_plan *plan, const struct ledger_request *request)
{
    return request->ref_batch < plan->state->meta->lists_batch;
}

static uint32_t txn_flags(const struct ledger_request *request)
{
    bool has_rrn = (request->flags & LEDGER_REQUEST_HAS_RRN) != 0;
    bool is_reversal = request->class == LEDGER_CLASS_REVERSAL;
    uint32_t flags = has_rrn ? LEDGER_TXN_SENT_RRN : is_reversal ? 0u : LEDGER_TXN_OUR_RRN;
    flags |= (request->flags & LEDGER_REQUEST_ON_US) != 0 ? LEDGER_TXN_ON_US : 0u;
    flags |= (request->flags & LEDGER_REQUEST_IS_ADVICE) != 0 ? LEDGER_TXN_ADVISED : 0u;
    return flags;
}

struct ledger_txn *plan_new_txn(struct ledger_plan *plan,
                                const struct ledger_command_request *command)
{
    const struct ledger_request *request = &command->request;
    uint64_t sequence = ledger_txn_place(plan->state, plan->now->utc_ns, plan->replay_keep_ns);
    if (sequence == 0) {
        plan->is_full = true;
        return NULL;
    }
    uint64_t id = (uint64_t)plan->now->epoch << 40 | sequence;
    struct ledger_txn *txn =
        plan_fresh(plan, LEDGER_TABLE_txn, ledger_txn_row(plan->state, id) + 1);
    plan->txn = txn->id = id;
    txn->replay_key = request->replay_key;
    txn->self_key = request->self_key;
    txn->rrn_key = request->rrn_key;
    txn->content = request->content;
    txn->amount_minor = request->amount_minor;
    txn->de7 = request->de7;
    txn->decided_utc_ns = plan->now->utc_ns;
    int64_t age_ns = plan->now->boot_ns - command->header.received_ns;
    txn->received_utc_ns = plan->now->utc_ns - (age_ns > 0 ? age_ns : 0);
    txn->stan = request->stan;
    txn->de3 = request->de3;
    txn->flags = txn_flags(request);
    txn->party = request->party;
    txn->currency = request->currency;
    txn->mti = request->mti;
    txn->settlement_date = plan->now->mmdd;
    txn->mcc = request->mcc;
    txn->entry_mode = request->entry_mode;
    txn->class = request->class;
    txn->state = LEDGER_TXN_DECIDED;
    txn->condition = request->condition;
    memcpy(txn->rrn, request->rrn, sizeof txn->rrn);
    memcpy(txn->terminal, request->terminal, sizeof txn->terminal);
    memcpy(txn->merchant, request->merchant, sizeof txn->merchant);
    memcpy(txn->pan_first6_last4, request->pan_first6_last4, sizeof txn->pan_first6_last4);
    return txn;
}

/* Six of A-Z, 0-9, different for neighbouring transactions. */
static void put_de38(struct ledger_txn *txn)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint64_t number = (txn->id & LEDGER_SEQUENCE_MASK) * UINT64_C(0x9E3779B97F4A7C15) >> 20;
    for (uint32_t i = 0; i < sizeof txn->de38; i++) {
        txn->de38[i] = (uint8_t)letters[number % 36];
        number /= 36;
    }
    txn->flags |= LEDGER_TXN_HAS_DE38;
}

void plan_decided(struct ledger_plan *plan, struct ledger_txn *txn, enum ledger_reason reason)
{
    plan->reason = txn->reason = (uint16_t)reason;
    memcpy(txn->de39, ledger_reason_de39((uint16_t)reason), 2);
    if (is_yes(txn->de39)) {
        txn->flags |= LEDGER_TXN_APPROVED;
        if (is_request(txn->class)) {
            put_de38(txn);
        }
    }
}
