/* forward.c - our request to a scheme: built in its dialect, sent under our own identity.
 *
 * DESIGN  The intent is durable when this runs. From the moment the bytes are in the link's buffer
 * the attempt is unknown until its outcome is durable; what could certainly not be sent (no link,
 * window full, not buildable) is said so, and nothing is reserved for it any longer. The deadline
 * is the transaction's own timer; the answer takes it away, or it takes the answer's place: both
 * happen on this thread.
 *
 * Runs on the transaction's worker; where the endpoint's link is another worker's, the built
 * message goes there (mesh.c). */
#include "switch/state.h"

static enum stage_result not_sent(struct worker *worker, struct txn *txn, const char *why)
{
    const struct worker_endpoint *endpoint = &worker->options.endpoints[txn->forward.endpoint];
    WORKER_TELL(worker, TELL_NOT_SENT, LOG_WARN, "forward.not_sent",
                log_text("endpoint", endpoint->name), log_text("why", why),
                log_number("stan", txn->forward.stan));
    txn->came = TXN_NOT_SENT;
    return STAGE_NEXT;
}

static enum iso_err build(struct worker *worker, const struct txn *txn, uint8_t *buffer,
                          size_t buffer_size, uint32_t *size)
{
    const struct worker_endpoint *endpoint = &worker->options.endpoints[txn->forward.endpoint];
    bool is_our_rrn = (txn->request.flags & LEDGER_REQUEST_HAS_RRN) == 0;
    struct adapter_leg leg = {.de7 = txn->forward.de7,
                              .stan = txn->forward.stan,
                              .institution = endpoint->institution,
                              .rrn = is_our_rrn ? txn->forward.rrn : NULL};
    return adapter_request_build(txn->dialect, &txn->msg, endpoint->dialect, &leg, buffer,
                                 buffer_size, size);
}

/* The link is ours: straight into its buffer. */
static enum stage_result send_here(struct worker *worker, struct txn *txn)
{
    uint16_t number = txn->forward.endpoint;
    const struct worker_endpoint *endpoint = &worker->options.endpoints[number];
    struct link *link = dial_link(worker, number);
    if (link == NULL) {
        return not_sent(worker, txn, "no link");
    }
    if (worker->endpoints[number].outstanding >= endpoint->window) {
        return not_sent(worker, txn, "its window is full");
    }
    size_t room;
    uint8_t *buffer = link_reserve(link, &room);
    if (buffer == NULL) {
        return not_sent(worker, txn, "it does not read");
    }
    uint32_t size;
    enum iso_err err = build(worker, txn, buffer, room, &size);
    if (err != ISO_OK) {
        return not_sent(worker, txn, iso_err_name(err));
    }
    struct match_key key = match_key(number, txn->msg.mti, txn->forward.de7, txn->forward.stan);
    txn->match = match_add(worker, key, MATCH_TXN, txn->index, txn->generation, INT64_MAX);
    if (txn->match == MATCH_NONE) {
        return not_sent(worker, txn, "too many are outstanding");
    }
    worker->match.entries[txn->match].attempt = txn->forward.attempt;
    link_send(worker, link, size);
    dial_count_sent(worker, number);
    worker->crash_notes |= CRASH_FORWARD_SENT;
    return STAGE_NEXT;
}

static enum stage_result send_there(struct worker *worker, struct txn *txn)
{
    uint8_t *buffer = worker->scratch->frame;
    uint32_t size;
    enum iso_err err = build(worker, txn, buffer, LIMIT_FRAME_BYTES_MAX, &size);
    if (err != ISO_OK) {
        return not_sent(worker, txn, iso_err_name(err));
    }
    bool is_given = mesh_send(worker, txn, (struct span){buffer, size});
    secret_wipe(buffer, size);
    return is_given ? STAGE_NEXT : not_sent(worker, txn, "the other worker is full");
}

enum stage_result stage_forward(struct worker *worker, struct txn *txn)
{
    must(txn->forward.endpoint < worker->options.endpoints_count);
    const struct worker_endpoint *endpoint = &worker->options.endpoints[txn->forward.endpoint];
    txn->came = TXN_NOTHING_YET;
    txn->match = MATCH_NONE;
    enum stage_result result =
        endpoint->owner == worker->options.index ? send_here(worker, txn) : send_there(worker, txn);
    if (txn->came == TXN_NOTHING_YET) {
        txn->sent_ns = worker_now_ns(worker);
        wheel_arm(&worker->wheel, &txn->timer.entry, txn->sent_ns + endpoint->answer_ns);
    }
    return result;
}

enum stage_result stage_match(struct worker *worker, struct txn *txn)
{
    if (txn->came == TXN_NOTHING_YET) {
        return STAGE_WAIT;
    }
    wheel_disarm(&worker->wheel, &txn->timer.entry);
    txn->answered_ns = worker_now_ns(worker);
    return STAGE_NEXT;
}

void forward_silent(struct worker *worker, struct txn *txn)
{
    must(txn->stage == STAGE_MATCH && txn->came == TXN_NOTHING_YET);
    uint16_t number = txn->forward.endpoint;
    if (txn->match != MATCH_NONE) {
        match_make_late(worker, txn->match);
        txn->match = MATCH_NONE;
    }
    atomic_fetch_add_explicit(&worker->options.board->endpoints[number].silent_count, 1,
                              memory_order_relaxed);
    WORKER_TELL(worker, TELL_SILENT, LOG_WARN, "forward.silent",
                log_text("endpoint", worker->options.endpoints[number].name),
                log_number("stan", txn->forward.stan));
    txn->came = TXN_SILENCE;
    pipeline_run(worker, txn);
}
