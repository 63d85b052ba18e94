/* decide.c - commands to the shard and its verdicts.
 *
 * DESIGN  A command is written straight into the ring; what it may need later (OUTCOME or TIMEOUT
 * of an INTENT) is paid for here, in credits, so that only admission can be refused. From then on
 * only the shard answers. A verdict finds its transaction by slot and generation and lets it go on.
 *
 * Runs on the transaction's worker; bound: the credits of its port. */
#include "switch/state.h"

#include "hsm/seal.h"

#include <string.h>

#define STALE_WAIT_NS (2 * NS_PER_MS) /* the ref follower is at most 10 ms behind, mostly */
#define STALE_MOST_NS (500 * NS_PER_MS)

static uint32_t relay_size(const struct ledger_relay *relay)
{
    return (uint32_t)offsetof(struct ledger_relay, fields) + relay->size;
}

/* What a counterparty will have to be told, now or later. */
static bool fill_relay(struct worker *worker, const struct txn *txn, struct ledger_relay *relay)
{
    struct secret_pan pan = {.size = txn->pan_size};
    memcpy(pan.digits, txn->pan, txn->pan_size);
    bool is_filled = hsm_seal_pan(worker->options.seal, &pan, relay->pan_sealed) &&
                     adapter_relay_fill(txn->dialect, &txn->msg, relay);
    secret_wipe(&pan, sizeof pan);
    return is_filled;
}

void *decide_command(struct worker *worker, enum ledger_command_kind kind, uint32_t size,
                     uint32_t slot, uint32_t generation, int64_t received_ns)
{
    struct ledger_command *command = ring_reserve(worker->options.port->commands, size);
    must(command != NULL); /* credits bound what is in the ring */
    memset(command, 0, size);
    command->size = size;
    command->kind = (uint16_t)kind;
    command->sender = worker->options.index;
    command->slot = slot;
    command->generation = generation;
    command->received_ns = received_ns;
    worker->commands_pushed = true;
    return command;
}

static void *txn_command(struct worker *worker, struct txn *txn, enum ledger_command_kind kind,
                         uint32_t size)
{
    must(txn->credits > 0 && !txn->is_command_out);
    txn->credits--;
    txn->is_command_out = true;
    return decide_command(worker, kind, size, txn->index, txn->generation, txn->received_ns);
}

static enum ledger_command_kind kind_of(const struct txn *txn)
{
    switch ((enum ledger_class)txn->class) {
    case LEDGER_CLASS_AUTH:
    case LEDGER_CLASS_FINANCIAL:
        return txn->is_on_us ? LEDGER_AUTH : LEDGER_INTENT;
    case LEDGER_CLASS_AUTH_ADVICE:
    case LEDGER_CLASS_FINANCIAL_ADVICE:
        return LEDGER_ADVICE;
    case LEDGER_CLASS_REVERSAL:
        return LEDGER_REVERSAL;
    case LEDGER_CLASS_NONE:
        break;
    }
    must(false && "a transaction has a class");
    return LEDGER_COMMANDS_COUNT;
}

/* Not stored: the same message is looked at afresh. */
static void shed(struct worker *worker, struct txn *txn)
{
    metric_add(worker->options.metrics, METRIC_requests_shed, 1);
    worker->shed_count++;
    pipeline_refuse(txn, "91", "BUSY");
}

static bool take_credits(struct worker *worker, struct txn *txn, uint8_t wanted)
{
    if (txn->credits >= wanted) {
        return true; /* it comes here again, after STALE */
    }
    if (worker->credits < wanted) {
        return false;
    }
    worker->credits -= wanted;
    txn->credits += wanted;
    return true;
}

enum stage_result stage_decide(struct worker *worker, struct txn *txn)
{
    enum ledger_command_kind kind = kind_of(txn);
    bool has_relay = !txn->is_on_us;
    struct ledger_relay relay;
    if (!take_credits(worker, txn, kind == LEDGER_INTENT ? CREDITS_FORWARD : 1)) {
        shed(worker, txn);
        return STAGE_TO_REPLY;
    }
    if (has_relay && !fill_relay(worker, txn, &relay)) {
        log_event(LOG_ALARM, "relay.refused",
                  log_text("party", worker->options.parties[txn->party].name));
        pipeline_refuse(txn, "96", "");
        return STAGE_TO_REPLY;
    }
    uint32_t size = (uint32_t)offsetof(struct ledger_command_request, relay) +
                    (has_relay ? relay_size(&relay) : 0);
    struct ledger_command_request *command = txn_command(worker, txn, kind, size);
    memcpy(&command->request, &txn->request, sizeof command->request);
    if (has_relay) {
        memcpy(&command->relay, &relay, relay_size(&relay));
    }
    return STAGE_WAIT;
}

enum stage_result stage_outcome(struct worker *worker, struct txn *txn)
{
    enum ledger_command_kind kind = txn->came == TXN_SILENCE ? LEDGER_TIMEOUT : LEDGER_OUTCOME;
    struct ledger_command_outcome *command =
        txn_command(worker, txn, kind, sizeof(struct ledger_command_outcome));
    command->txn = txn->forward.txn;
    command->attempt = txn->forward.attempt;
    if (txn->came == TXN_NOT_SENT) {
        command->outcome = LEDGER_OUTCOME_NOT_SENT;
    } else if (txn->came == TXN_ANSWER) {
        command->outcome = (uint8_t)txn->answer.outcome;
        command->has_de38 = txn->answer.has_de38;
        command->amount_minor = txn->answer.amount_minor;
        memcpy(command->de39, txn->answer.de39, sizeof command->de39);
        memcpy(command->de38, txn->answer.de38, sizeof command->de38);
    }
    return STAGE_WAIT;
}

/* ---- verdicts
 * -------------------------------------------------------------------------------------- */

/* The worker's snapshot was too old: again, as soon as the follower has moved on. It may have to
 * move more than once. Where it stands still nothing can be decided: no approval, and no 96 either,
 * which would be a decision that its repeats have to get again, and no answer to an advice. */
static void take_stale(struct worker *worker, struct txn *txn)
{
    must(txn->stage == STAGE_DECIDE);
    int64_t now_ns = worker_now_ns(worker);
    if (txn->stale_until_ns == 0) {
        txn->stale_until_ns = now_ns + STALE_MOST_NS;
    }
    if (now_ns >= txn->stale_until_ns) {
        log_event(LOG_ALARM, "ref.behind",
                  log_number("ref_batch", (int64_t)txn->request.ref_batch));
        shed(worker, txn);
        txn->stage = STAGE_REPLY;
        pipeline_run(worker, txn);
        return;
    }
    wheel_arm(&worker->wheel, &txn->timer.entry, now_ns + STALE_WAIT_NS);
}

void decide_timer(struct worker *worker, struct txn *txn)
{
    must(txn->stale_until_ns != 0 && !txn->is_command_out);
    uint64_t batch = atomic_load_explicit(&worker->ref_batch, memory_order_relaxed);
    int64_t now_ns = worker_now_ns(worker);
    if (batch <= txn->request.ref_batch && now_ns < txn->stale_until_ns) {
        wheel_arm(&worker->wheel, &txn->timer.entry, now_ns + STALE_WAIT_NS);
        return;
    }
    txn->stage = STAGE_RULES;
    pipeline_run(worker, txn);
}

static void take_verdict(struct worker *worker, struct txn *txn,
                         const struct ledger_verdict *verdict)
{
    switch ((enum ledger_verdict_kind)verdict->kind) {
    case LEDGER_VERDICT_REPLY:
        txn->reply = ((const struct ledger_verdict_reply *)verdict)->reply;
        txn->decided_ns = worker_now_ns(worker);
        txn->stage = STAGE_REPLY;
        pipeline_run(worker, txn);
        return;
    case LEDGER_VERDICT_SILENT:
        txn_release(worker, txn);
        return;
    case LEDGER_VERDICT_FORWARD:
        txn->forward = ((const struct ledger_verdict_forward *)verdict)->forward;
        txn->stage = STAGE_FORWARD;
        pipeline_run(worker, txn);
        return;
    case LEDGER_VERDICT_STALE:
        take_stale(worker, txn);
        return;
    case LEDGER_VERDICT_BUSY:
        shed(worker, txn);
        txn->stage = STAGE_REPLY;
        pipeline_run(worker, txn);
        return;
    case LEDGER_VERDICT_SAF_ITEM:
    case LEDGER_VERDICT_SAF_NONE:
    case LEDGER_VERDICT_DONE:
    case LEDGER_VERDICT_REFUSED:
    case LEDGER_VERDICT_ROWS:
        break;
    }
    must(false && "no verdict on a transaction");
}

uint32_t decide_verdicts(struct worker *worker)
{
    struct ring *ring = worker->options.port->verdicts;
    uint32_t taken = 0, size;
    const struct ledger_verdict *verdict;
    while (taken < worker->options.port->credits && (verdict = ring_peek(ring, &size)) != NULL) {
        must(size >= sizeof *verdict);
        if ((verdict->slot & RESOLVE_SLOT) != 0) {
            worker->credits++;
            resolve_verdict(worker, verdict);
        } else {
            struct txn *txn = txn_find(worker, verdict->slot, verdict->generation);
            must(txn != NULL && txn->is_command_out); /* it cannot end before its verdict */
            txn->is_command_out = false;
            txn->credits++;
            if (verdict->command == LEDGER_OUTCOME || verdict->command == LEDGER_TIMEOUT) {
                worker_crash_point(worker, "outcome written");
            }
            take_verdict(worker, txn, verdict);
        }
        ring_next(ring);
        taken++;
    }
    ring_release(ring);
    return taken;
}
