/* screen.c - is this something that we take? From the frame to a well-formed request, or its
 * refusal.
 *
 * DESIGN  The order is contract section 7: BUSY, then 30 (a field that cannot be read, in wire
 * order; then the lowest that is missing), then 12. What is refused here is not stored: the same
 * message is looked at afresh. A frame that is no request is an answer; on an acquirer's link
 * nobody waits for one, and it is dropped.
 *
 * Runs on the worker that owns the link; tables in screen.def. */
#include "switch/state.h"

#include "iso8583/mti.h"

#include <string.h>

static bool is_overloaded(const struct worker *worker);
static void take_answer(struct worker *worker, struct link *link, struct span frame);

void screen_frame(struct worker *worker, struct link *link, struct span frame)
{
    metric_add(worker->options.metrics, METRIC_frames_received, 1);
    must(frame.size <= LIMIT_FRAME_BYTES_MAX);
    if (link_is_dialled(link)) {
        take_answer(worker, link, frame);
        return;
    }
    screen_request(worker, link, frame);
}

void screen_request(struct worker *worker, struct link *link, struct span frame)
{
    bool is_shed =
        link->in_flight >= link->window || link->state != LINK_OPEN || is_overloaded(worker);
    struct txn *txn = is_shed ? NULL : txn_take(worker);
    if (txn == NULL) {
        txn = worker->scratch;
        txn->is_shed = true;
    } else {
        txn->is_admitted = true;
        link->in_flight++;
    }
    txn->link_index = link->index;
    txn->link_generation = link->generation;
    txn->party = link->party;
    txn->dialect = link->dialect;
    txn->received_ns = worker_now_ns(worker);
    txn->frame_size = frame.size;
    txn->stage = STAGE_PARSE;
    memcpy(txn->frame, frame.data, frame.size);
    pipeline_run(worker, txn);
}

/* Before anything else is looked at. What the shard cannot take soon is refused here. */
static bool is_overloaded(const struct worker *worker)
{
    const struct ledger_board *board = worker->options.ledger_board;
    int64_t oldest_ns = atomic_load_explicit(&board->oldest_write_ns, memory_order_relaxed);
    bool is_slow =
        oldest_ns != 0 && worker_now_ns(worker) - oldest_ns > worker->options.journal_slow_ns;
    return is_slow || worker->credits < CREDITS_FORWARD ||
           atomic_load_explicit(&board->busy, memory_order_relaxed) != 0;
}

/* A scheme's frame: nearly always an answer, read where it lies. */
static void take_answer(struct worker *worker, struct link *link, struct span frame)
{
    struct iso_msg *msg = &worker->scratch->msg;
    struct iso_fault fault;
    enum iso_err err = iso_parse(link->dialect, frame, msg, &fault);
    if (iso_mti_is_request(msg->mti)) {
        screen_request(worker, link, frame);
        return;
    }
    if (err != ISO_OK || !iso_mti_is_response(msg->mti)) {
        /* Of an answer that cannot be read nothing is believed. */
        metric_add(worker->options.metrics, METRIC_frames_malformed, 1);
        WORKER_TELL(worker, TELL_MALFORMED, LOG_WARN, "frame.malformed",
                    log_text("party", worker->options.parties[link->party].name),
                    log_text("field", fault.path), log_number("offset", fault.offset),
                    log_text("why", iso_err_name(err)));
        return;
    }
    match_answer(worker, link, msg);
}

/* ---- PARSE
 * ---------------------------------------------------------------------------------------- */

enum stage_result stage_parse(struct worker *worker, struct txn *txn)
{
    struct iso_fault fault;
    struct span frame = {txn->frame, txn->frame_size};
    enum iso_err err = iso_parse(txn->dialect, frame, &txn->msg, &fault);
    worker_crash_point(worker, "parse");
    if (!iso_mti_is_request(txn->msg.mti)) {
        worker->unmatched_count++;
        metric_add(worker->options.metrics, METRIC_unmatched_answers, 1);
        return STAGE_DROP;
    }
    if (txn->is_shed) {
        worker->shed_count++;
        metric_add(worker->options.metrics, METRIC_requests_shed, 1);
        WORKER_TELL(worker, TELL_SHED, LOG_WARN, "request.shed",
                    log_text("party", worker->options.parties[txn->party].name));
        pipeline_refuse(txn, "91", "BUSY");
        return STAGE_TO_REPLY;
    }
    if (err == ISO_OK) {
        return STAGE_NEXT;
    }
    char de44[26];
    (void)iso_fault_de44(&fault, de44, sizeof de44);
    metric_add(worker->options.metrics, METRIC_frames_malformed, 1);
    WORKER_TELL(worker, TELL_MALFORMED, LOG_WARN, "frame.malformed",
                log_text("party", worker->options.parties[txn->party].name),
                log_text("field", fault.path), log_number("offset", fault.offset),
                log_text("why", iso_err_name(err)));
    pipeline_refuse(txn, "30", de44);
    return STAGE_TO_REPLY;
}

/* ---- SCREEN
 * --------------------------------------------------------------------------------------- */

static enum stage_result refuse(struct txn *txn, const char de39[2], const char *de44)
{
    pipeline_refuse(txn, de39, de44);
    return STAGE_TO_REPLY;
}

uint32_t screen_mti(const char mti[4])
{
    return (uint32_t)(mti[0] - '0') * 1000 + (uint32_t)(mti[1] - '0') * 100 +
           (uint32_t)(mti[2] - '0') * 10 + (uint32_t)(mti[3] - '0');
}

uint8_t screen_class(uint32_t mti)
{
    switch (mti) {
#define MESSAGE(number, class)                                                                     \
    case number:                                                                                   \
        return LEDGER_CLASS_##class;
#include "switch/screen.def"
#undef MESSAGE
    default:
        return LEDGER_CLASS_NONE;
    }
}

static bool is_type(uint8_t class, uint32_t type)
{
    static const struct {
        uint8_t class, type;
    } types[] = {
#define TYPE(class, type, help) {LEDGER_CLASS_##class, type},
#include "switch/screen.def"
#undef TYPE
    };
    if (class == LEDGER_CLASS_REVERSAL) {
        return true;
    }
    for (uint32_t i = 0; i < countof(types); i++) {
        if (types[i].class == class && types[i].type == type) {
            return true;
        }
    }
    return false;
}

#define BIT(de) (UINT64_C(1) << (64 - (de)))

/* The first two digits of DE3; 100 when it is absent. */
static uint32_t type_of(const struct txn *txn)
{
    int64_t de3;
    return iso_msg_number(txn->dialect, &txn->msg, 3, &de3) ? (uint32_t)(de3 / 10000) : 100;
}

/* The lowest mandatory field that is missing; 0 = none. */
static uint32_t missing_of(const struct txn *txn, uint32_t type)
{
    static const uint64_t mandatory = 0
#define MANDATORY(de) | BIT(de)
#include "switch/screen.def"
#undef MANDATORY
        ;
    const struct iso_msg *msg = &txn->msg;
    uint64_t wanted = mandatory;
    bool is_reversal = txn->class == LEDGER_CLASS_REVERSAL;
    if (!is_reversal && iso_msg_has(msg, 35)) {
        wanted &= ~BIT(2);
    }
    if (!is_reversal && type == 31) {
        wanted &= ~BIT(4);
    }
    uint64_t missing = wanted & ~msg->present[0];
    if (missing != 0) {
        return (uint32_t)__builtin_clzll(missing) + 1;
    }
    if (is_reversal && !iso_msg_has(msg, 90) && !iso_msg_has(msg, 37)) {
        return 90;
    }
    if (txn->class == LEDGER_CLASS_FINANCIAL && type == 40 && !iso_msg_has(msg, 103)) {
        return 103;
    }
    return 0;
}

/* Read as zero, an amount that remains which is no number would undo all of the original. */
static bool remains_readable(const struct txn *txn)
{
    uint8_t de95[42];
    size_t size;
    int64_t remains;
    return txn->class != LEDGER_CLASS_REVERSAL || !iso_msg_has(&txn->msg, 95) ||
           (iso_msg_text(txn->dialect, &txn->msg, 95, (char *)de95, sizeof de95, &size) &&
            bytes_to_number(de95, 12, &remains));
}

static enum stage_result refuse_missing(struct txn *txn, uint32_t de)
{
    char text[4] = {0};
    bytes_put_number((uint8_t *)text, 3, de);
    return refuse(txn, "30", text);
}

/* 0800: answered here, by nobody else. */
static enum stage_result network(struct txn *txn)
{
    static const uint8_t mandatory[] = {7, 11, 70};
    for (uint32_t i = 0; i < countof(mandatory); i++) {
        if (!iso_msg_has(&txn->msg, mandatory[i])) {
            return refuse_missing(txn, mandatory[i]);
        }
    }
    int64_t code = 0;
    bool is_known = iso_msg_number(txn->dialect, &txn->msg, 70, &code) &&
                    (code == 1 || code == 2 || code == 301);
    bool has_mac = iso_msg_has(&txn->msg, 64) || iso_msg_has(&txn->msg, 128);
    return refuse(txn, is_known && !has_mac ? "00" : "12", "");
}

enum stage_result stage_screen(struct worker *worker, struct txn *txn)
{
    const struct iso_msg *msg = &txn->msg;
    uint32_t mti = screen_mti(msg->mti);
    if (mti == 800) {
        return network(txn);
    }
    txn->class = screen_class(mti);
    if (txn->class == LEDGER_CLASS_NONE) {
        return refuse(txn, "12", "");
    }
    if (!facts_card(worker, txn)) {
        return refuse(txn, "30", "035");
    }
    if (!remains_readable(txn)) {
        return refuse(txn, "30", "095");
    }
    uint32_t type = type_of(txn);
    uint32_t missing = missing_of(txn, type);
    if (missing != 0) {
        return refuse_missing(txn, missing);
    }
    bool is_asked = txn->class == LEDGER_CLASS_AUTH || txn->class == LEDGER_CLASS_FINANCIAL;
    bool has_mac = iso_msg_has(msg, 64) || iso_msg_has(msg, 128);
    /* Not in this version: a key named for DE52, the cryptogram of our own chip cards, MACs. */
    bool names_key = is_asked && iso_msg_has(msg, 52) && iso_msg_has(msg, 53);
    bool has_chip = is_asked && txn->is_our_card && iso_msg_has(msg, 55);
    if (!is_type(txn->class, type) || has_mac || names_key || has_chip) {
        return refuse(txn, "12", "");
    }
    return STAGE_NEXT;
}
