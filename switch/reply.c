/* reply.c - the answer to a request: its echo fields, by the dialect's template, and the decision's
 * own (design rule 4: a repeat is answered from its own echoes and the stored delta).
 *
 * Runs on the transaction's worker. When the acquirer's connection is gone the answer is dropped:
 * the decision stands, and the acquirer repeats or reverses. */
#include "switch/state.h"

#include "iso8583/mti.h"

#include <string.h>

struct reply_text { /* what the draft points at until it is built */
    char de4[12], de15[4], de48[5], de54[40];
    uint8_t header[ISO_HEADER_BYTES_MAX];
};

static void draft_reply(const struct txn *txn, struct iso_draft *draft, struct reply_text *text);

enum stage_result stage_reply(struct worker *worker, struct txn *txn)
{
    struct link *link = link_find(worker, txn->link_index, txn->link_generation);
    if (link == NULL) {
        return STAGE_DROP;
    }
    struct iso_draft draft;
    struct reply_text text;
    draft_reply(txn, &draft, &text);
    size_t room;
    uint8_t *buffer = link_reserve(link, &room);
    struct iso_layout layout;
    struct iso_fault fault = {.code = ISO_NO_ROOM};
    enum iso_err err = buffer == NULL
                           ? ISO_NO_ROOM
                           : iso_build(txn->dialect, &draft, buffer, room, &layout, &fault);
    if (err == ISO_NO_ROOM) {
        link_close(worker, link, "it does not read its answers");
        return STAGE_DROP;
    }
    if (err != ISO_OK) {
        log_event(LOG_ALARM, "reply.not_buildable",
                  log_text("party", worker->options.parties[txn->party].name),
                  log_text("field", fault.path), log_text("why", iso_err_name(err)));
        return STAGE_DROP;
    }
    link_send(worker, link, layout.size);
    metric_observe(worker->options.metrics, METRIC_answer_us,
                   (worker_now_ns(worker) - txn->received_ns) / NS_PER_US);
    worker->crash_notes |= CRASH_REPLY_SENT;
    return STAGE_DROP;
}

/* Of message types that the dialect does not describe, for they get 12. */
static void echo_plainly(const struct iso_msg *msg, struct iso_draft *draft)
{
    static const uint8_t echoes[] = {2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70, 90, 95};
    for (uint32_t i = 0; i < countof(echoes); i++) {
        if (iso_msg_has(msg, echoes[i])) {
            iso_draft_copy(draft, msg, echoes[i]);
        }
    }
}

/* ISO 8583:1987 4.3.37: account type 2, amount type 2, currency 3, sign, amount 12. */
static void put_amount(char *out, const char types[5], uint16_t currency, int64_t minor)
{
    memcpy(out, types, 4);
    bytes_put_number((uint8_t *)out + 4, 3, currency);
    out[7] = minor < 0 ? 'D' : 'C';
    uint64_t amount = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    bytes_put_number((uint8_t *)out + 8, 12, amount);
}

static void draft_de54(const struct ledger_reply *reply, struct iso_draft *draft, char de54[40])
{
    switch ((enum ledger_de54)reply->de54) {
    case LEDGER_DE54_NONE:
        return;
    case LEDGER_DE54_BALANCE:
        put_amount(de54, "0001", reply->currency, reply->ledger_minor);
        put_amount(de54 + 20, "0002", reply->currency, reply->available_minor);
        iso_draft_text(draft, 54, de54, 40);
        return;
    case LEDGER_DE54_PARTIAL: /* what was asked for */
        put_amount(de54, "0057", reply->currency, -reply->available_minor);
        iso_draft_text(draft, 54, de54, 20);
        return;
    }
}

static void draft_reply(const struct txn *txn, struct iso_draft *draft, struct reply_text *text)
{
    const struct ledger_reply *reply = &txn->reply;
    char mti[4];
    bool is_request = iso_mti_response(txn->msg.mti, mti);
    must(is_request);
    iso_draft_init(draft, mti);
    iso_response(txn->dialect, &txn->msg, draft, text->header);
    if (iso_dialect_mti_rules(txn->dialect, mti) == NULL) {
        echo_plainly(&txn->msg, draft);
    }
    iso_draft_text(draft, 39, reply->de39, 2);
    if (reply->has_amount) {
        bytes_put_number((uint8_t *)text->de4, 12, (uint64_t)reply->amount_minor);
        iso_draft_text(draft, 4, text->de4, 12);
    }
    if (reply->settlement_date != 0) {
        bytes_put_number((uint8_t *)text->de15, 4, reply->settlement_date);
        iso_draft_text(draft, 15, text->de15, 4);
    }
    if (reply->has_rrn) {
        iso_draft_text(draft, 37, reply->rrn, 12);
    }
    if (reply->has_de38) {
        iso_draft_text(draft, 38, reply->de38, 6);
    }
    if (reply->de44_size > 0) {
        iso_draft_text(draft, 44, reply->de44, reply->de44_size);
    }
    if (reply->cvv2_result != 0) {
        memcpy(text->de48, "8701", 4);
        text->de48[4] = (char)reply->cvv2_result;
        iso_draft_text(draft, 48, text->de48, 5);
    }
    draft_de54(reply, draft, text->de54);
}
