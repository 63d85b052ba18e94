/* plan.c - see plan.h: which command is decided where, and what holds for all of them. */
#include "ledger/plan.h"

#include "base/clock.h"

static void busy(struct ledger_plan *plan)
{
    plan_drop_edits(plan);
    plan->txn = plan->wakes = plan->waits_for = 0;
    plan->reason = LEDGER_REASON_BUSY;
    plan_verdict(plan, LEDGER_VERDICT_BUSY, sizeof(struct ledger_verdict));
}

static void malfunction(struct ledger_plan *plan)
{
    plan_drop_edits(plan);
    plan->txn = plan->wakes = plan->waits_for = 0;
    plan_reply_text(plan, LEDGER_REASON_MALFUNCTION);
}

static bool is_new_work(enum ledger_command_kind kind)
{
    return kind == LEDGER_AUTH || kind == LEDGER_INTENT || kind == LEDGER_ADVICE ||
           kind == LEDGER_REVERSAL;
}

static void start(struct ledger_plan *plan, const struct ledger_command *command)
{
    plan->kind = command->kind;
    plan->sender = command->sender;
    plan->reason = LEDGER_REASON_APPROVED;
    plan->ruleset = plan->state->meta->ruleset;
    plan->ref_batch = 0;
    plan->txn = plan->waits_for = plan->wakes = 0;
    plan->saf_sent = plan->saf_back = 0;
    plan->is_full = plan->is_overflown = false;
    plan_drop_edits(plan);
    plan->verdict.header = (struct ledger_verdict){
        .size = sizeof(struct ledger_verdict),
        .kind = LEDGER_VERDICT_BUSY,
        .command = command->kind,
        .slot = command->slot,
        .generation = command->generation,
    };
}

static void decide(struct ledger_plan *plan, const struct ledger_command *command, uint32_t size)
{
    const void *record = command;
    switch ((enum ledger_command_kind)command->kind) {
    case LEDGER_AUTH:
        plan_auth(plan, record);
        break;
    case LEDGER_INTENT:
        plan_intent(plan, record, size);
        break;
    case LEDGER_OUTCOME:
        plan_outcome(plan, record);
        break;
    case LEDGER_TIMEOUT:
        plan_timeout(plan, record);
        break;
    case LEDGER_ADVICE:
        plan_advice(plan, record, size);
        break;
    case LEDGER_REVERSAL:
        plan_reversal(plan, record, size);
        break;
    case LEDGER_PULL:
        plan_pull(plan, record);
        break;
    case LEDGER_RESOLVED:
        plan_resolved(plan, record);
        break;
    case LEDGER_ACCOUNT_CREATE:
        plan_account_create(plan, record);
        break;
    case LEDGER_ACCOUNT_MOVE:
        plan_account_move(plan, record);
        break;
    case LEDGER_ACCOUNT_STATUS:
        plan_account_status(plan, record);
        break;
    case LEDGER_CARD_CREATE:
        plan_card_create(plan, record);
        break;
    case LEDGER_CARD_STATUS:
        plan_card_status(plan, record);
        break;
    case LEDGER_LIST_CHANGE:
        plan_list_change(plan, record);
        break;
    case LEDGER_RULESET:
        plan_ruleset(plan, record);
        break;
    case LEDGER_CONTROL:
        plan_control(plan, record);
        break;
    case LEDGER_EXCEPTION_RESOLVE:
        plan_exception_resolve(plan, record);
        break;
    case LEDGER_QUERY:
    case LEDGER_COMMANDS_COUNT:
        must(false); /* a query changes nothing and is not planned */
    }
}

void ledger_plan(struct ledger_plan *plan, const struct ledger_state *state,
                 const struct ledger_now *now, int64_t replay_keep_ns, bool admits,
                 const struct ledger_command *command, uint32_t command_size)
{
    plan->state = state;
    plan->now = now;
    plan->replay_keep_ns = replay_keep_ns;
    start(plan, command);
    bool is_request = is_new_work((enum ledger_command_kind)command->kind);
    if (is_request) {
        const struct ledger_command_request *request = (const void *)command;
        plan->ruleset = request->request.ruleset;
        plan->ref_batch = request->request.ref_batch;
        must(request->request.routes_count <= LIMIT_ROUTES_MAX &&
             request->request.counts_count <= LIMIT_COUNTS_PER_TXN_MAX);
        if (!admits) {
            busy(plan);
            return;
        }
    }
    decide(plan, command, command_size);
    if (plan->is_full) {
        busy(plan);
    } else if (plan->is_overflown) {
        malfunction(plan);
    }
}

void ledger_now_set(struct ledger_now *now, int64_t utc_ns, int64_t boot_ns)
{
    now->boot_ns = boot_ns;
    if (utc_ns > now->utc_ns) {
        now->utc_ns = utc_ns;
    }
    int64_t second = now->utc_ns / NS_PER_S;
    if (second == now->second && now->mmdd != 0) {
        return;
    }
    struct clock_date date = clock_utc_date(now->utc_ns);
    now->second = second;
    now->mmdd = (uint16_t)(date.month * 100 + date.day);
    now->yymm = (uint16_t)(date.year % 100 * 100 + date.month);
    now->de7 = ((uint64_t)now->mmdd * 100 + date.hour) * 10000 + date.minute * 100u + date.second;
}
