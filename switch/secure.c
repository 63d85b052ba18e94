/* secure.c - PIN, CVV and CVV2 of our own cards: one job to the HSM, one wait.
 *
 * DESIGN  Never fail open: a check that the message asks for is UNAVAILABLE until the HSM has said
 * OK or WRONG; the shard then answers 96 in the place of 55 or 82, and the rest goes on. The PVV
 * and the expiry come from the card's record in ref.mdb, whose version goes with the command: has
 * the shard a newer one, this step is repeated. A message that asks for nothing costs nothing here.
 *
 * Runs on the transaction's worker; bound: the client's jobs and their deadline (hsm/hsm.h). */
#include "switch/state.h"

#include "hsm/hsm.h"

#include <string.h>

#define RESULTS_PER_DRAIN 64u

static uint32_t checks_of(const struct txn *txn)
{
    bool is_asked = txn->class == LEDGER_CLASS_AUTH || txn->class == LEDGER_CLASS_FINANCIAL;
    if (!is_asked || !txn->is_on_us) {
        return 0;
    }
    uint32_t checks = iso_msg_has(&txn->msg, 52) ? HSM_CHECK_PIN : 0;
    checks |= (txn->request.flags & LEDGER_REQUEST_ASKS_CVV2) != 0 ? HSM_CHECK_CVV2 : 0;
    checks |= txn->has_track_data ? HSM_CHECK_CVV : 0;
    return checks;
}

static void fill_track(const struct txn *txn, struct hsm_job *job)
{
    const uint8_t *data = txn->track2 + txn->pan_size + 1; /* YYMM, service code, PVKI, PVV, CVV */
    memcpy(job->service_code, data + 4, sizeof job->service_code);
    memcpy(job->cvv, data + 12, sizeof job->cvv);
}

/* False: a value that is asked for is not there. */
static bool fill_job(const struct worker *worker, const struct txn *txn,
                     const struct ledger_ref_card *card, struct hsm_job *job)
{
    job->token = (uint64_t)txn->generation << 32 | txn->index;
    job->deadline_ns = worker_now_ns(worker) + worker->options.hsm_deadline_ns;
    memcpy(job->pan.digits, txn->pan, txn->pan_size);
    job->pan.size = txn->pan_size;
    job->zone_pin_key = worker->options.parties[txn->party].zone_pin_key;
    job->pvk = worker->options.issuer.pvk;
    job->cvk = worker->options.issuer.cvk;
    job->pvki = card->pvki < 10 ? (uint8_t)('0' + card->pvki) : card->pvki;
    memcpy(job->pvv, card->pvv, sizeof job->pvv);
    bytes_put_number(job->expiry, 4, card->expiry);
    if ((job->checks & HSM_CHECK_CVV) != 0) {
        fill_track(txn, job);
    }
    if ((job->checks & HSM_CHECK_CVV2) != 0) {
        memcpy(job->cvv2, txn->cvv2, sizeof job->cvv2);
    }
    size_t size = sizeof job->pin_block;
    bool has_block = (job->checks & HSM_CHECK_PIN) == 0 ||
                     (iso_msg_text(txn->dialect, &txn->msg, 52, (char *)job->pin_block,
                                   sizeof job->pin_block, &size) &&
                      size == sizeof job->pin_block);
    return has_block && ((job->checks & HSM_CHECK_CVV2) == 0 || txn->has_cvv2);
}

enum stage_result stage_secure(struct worker *worker, struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    uint32_t checks = checks_of(txn);
    if (checks == 0) {
        request->card_version = UINT32_MAX;
        return STAGE_NEXT;
    }
    request->pin = (checks & HSM_CHECK_PIN) != 0 ? LEDGER_CHECK_UNAVAILABLE : LEDGER_CHECK_NONE;
    request->cvv2 = (checks & HSM_CHECK_CVV2) != 0 ? LEDGER_CHECK_UNAVAILABLE : LEDGER_CHECK_NONE;
    request->cvv = (checks & HSM_CHECK_CVV) != 0 ? LEDGER_CHECK_UNAVAILABLE : LEDGER_CHECK_NONE;
    struct ledger_ref_reader *ref = worker->options.ref;
    struct ledger_ref_card card;
    request->card_version = 0;
    if (!ref->ops->card(ref, &request->card, &card)) {
        return STAGE_NEXT; /* no such card, or one so new that the shard says STALE */
    }
    request->card_version = card.version;
    struct hsm_job *job = worker->job; /* in secret memory */
    memset(job, 0, sizeof *job);
    job->checks = checks;
    bool is_out = worker->options.hsm != NULL && fill_job(worker, txn, &card, job) &&
                  hsm_submit(worker->options.hsm, job);
    secret_wipe(job, sizeof *job);
    if (!is_out) {
        metric_add(worker->options.metrics, METRIC_hsm_unavailable, 1);
        return STAGE_NEXT;
    }
    txn->is_hsm_out = true;
    return STAGE_WAIT;
}

static uint8_t check_of(enum hsm_answer answer, uint8_t asked)
{
    if (asked == LEDGER_CHECK_NONE) {
        return LEDGER_CHECK_NONE;
    }
    switch (answer) {
    case HSM_OK:
        return LEDGER_CHECK_OK;
    case HSM_WRONG:
        return LEDGER_CHECK_WRONG;
    case HSM_BAD_BLOCK:
        return LEDGER_CHECK_MALFORMED;
    case HSM_UNAVAILABLE:
    case HSM_NOT_ASKED:
        break;
    }
    return LEDGER_CHECK_UNAVAILABLE;
}

static void take_result(struct worker *worker, const struct hsm_result *result)
{
    struct txn *txn = txn_find(worker, (uint32_t)result->token, (uint32_t)(result->token >> 32));
    must(txn != NULL && txn->is_hsm_out && txn->stage == STAGE_SECURE);
    struct ledger_request *request = &txn->request;
    request->pin = check_of(result->pin, request->pin);
    request->cvv = check_of(result->cvv, request->cvv);
    request->cvv2 = check_of(result->cvv2, request->cvv2);
    txn->is_hsm_out = false;
    bool is_answered = result->status == HSM_OK;
    metric_add(worker->options.metrics, is_answered ? METRIC_hsm_jobs : METRIC_hsm_unavailable, 1);
    if (request->pin == LEDGER_CHECK_MALFORMED) {
        metric_add(worker->options.metrics, METRIC_pin_block_alarms, 1);
        log_event(LOG_ALARM, "pin_block.holds_no_pin",
                  log_text("party", worker->options.parties[txn->party].name));
    }
    worker_crash_point(worker, "hsm");
    txn->stage = STAGE_DECIDE;
    pipeline_run(worker, txn);
}

uint32_t secure_results(struct worker *worker)
{
    if (worker->options.hsm == NULL) {
        return 0;
    }
    struct hsm_result results[RESULTS_PER_DRAIN];
    uint32_t taken = 0, count;
    do { /* bound: the jobs that this worker has out */
        count = hsm_drain(worker->options.hsm, results, RESULTS_PER_DRAIN, worker_now_ns(worker));
        for (uint32_t i = 0; i < count; i++) {
            take_result(worker, &results[i]);
        }
        taken += count;
    } while (count == RESULTS_PER_DRAIN);
    return taken;
}

void secure_flush(struct worker *worker)
{
    if (worker->options.hsm != NULL) {
        hsm_flush(worker->options.hsm);
    }
}
