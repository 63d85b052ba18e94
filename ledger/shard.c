/* shard.c - the agent that decides: takes commands, plans, journals, applies, and releases answers
 * when what they rest on is durable.
 *
 * DESIGN  A turn: what became durable is released to its senders; then commands are taken from the
 * senders' rings in turn, each decided against the state as all before it left it, its record put
 * into the open batch and applied at once; then one write of everything gathered is started when
 * none is in flight (group commit by itself). An answer waits in a queue with the number of the
 * batch it rests on; one that changed nothing rests on the newest record before it, so nobody sees
 * what could still be lost. One bell per sender and turn.
 *
 * THREAD  the shard's. BOUNDS  LEDGER_COMMANDS_PER_TURN, the senders' credits (a verdict always has
 * room), LEDGER_WAITERS_MAX. */
#include "ledger/shard.h"

#include "base/log.h"
#include "ledger/query.h"
#include <stdatomic.h>

static struct ledger *of(struct agent *agent)
{
    return (struct ledger *)agent;
}

static void crash_point(struct ledger *ledger, const char *name)
{
    if (unlikely(ledger->hooks.crash_point != NULL)) {
        ledger->hooks.crash_point(ledger->hooks.context, name);
    }
}

static void decided(struct ledger *ledger, const struct ledger_command *command,
                    const struct ledger_verdict *verdict, uint64_t batch)
{
    if (unlikely(ledger->hooks.decided != NULL)) {
        ledger->hooks.decided(ledger->hooks.context, command, verdict, batch);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void *queue_verdict(struct ledger *ledger, uint16_t sender, uint32_t size)
{
    struct shard_verdict *head = ring_reserve(ledger->waiting, (uint32_t)sizeof *head + size);
    must(head != NULL); /* credits: at most as many verdicts as commands */
    *head = (struct shard_verdict){.batch = ledger->batch_last, .size = size, .sender = sender};
    return head + 1;
}

static void put_verdict(struct ledger *ledger, uint16_t sender, const struct ledger_verdict *from)
{
    struct ledger_verdict *verdict = queue_verdict(ledger, sender, from->size);
    memcpy(verdict, from, from->size);
    verdict->batch = ledger->batch_last;
}

static uint32_t release(struct ledger *ledger)
{
    uint64_t durable = journal_durable_batch(ledger->journal);
    ring_publish(ledger->waiting);
    uint32_t released = 0, size;
    struct shard_verdict *head;
    while ((head = ring_peek(ledger->waiting, &size)) != NULL && head->batch <= durable) {
        if (released == 0) {
            crash_point(ledger, "release");
        }
        struct ring *verdicts = ledger->ports[head->sender].verdicts;
        void *verdict = ring_reserve(verdicts, head->size);
        must(verdict != NULL); /* credits */
        memcpy(verdict, head + 1, head->size);
        ledger->sent_to[head->sender] = true;
        ring_next(ledger->waiting);
        released++;
    }
    ring_release(ledger->waiting);
    return released;
}

static void ring_bells(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->options.senders_count; i++) {
        if (ledger->sent_to[i]) {
            ledger->sent_to[i] = false;
            ring_publish(ledger->ports[i].verdicts);
            if (ledger->ports[i].bell != NULL) {
                bell_ring(ledger->ports[i].bell);
            }
            crash_point(ledger, "verdict pushed");
        }
    }
}

/* ---- repeats of what is out ------------------------------------------------------------------ */

static bool add_waiter(struct ledger *ledger, const struct ledger_command *command)
{
    if (ledger->waiters_count == LEDGER_WAITERS_MAX) {
        return false;
    }
    ledger->waiters[ledger->waiters_count++] = (struct shard_waiter){
        .txn = ledger->plan->waits_for,
        .slot = command->slot,
        .generation = command->generation,
        .sender = command->sender,
        .command = command->kind,
    };
    return true;
}

static void wake_waiters(struct ledger *ledger)
{
    struct ledger_plan *plan = ledger->plan;
    for (uint32_t i = ledger->waiters_count; i-- > 0;) {
        const struct shard_waiter *waiter = &ledger->waiters[i];
        if (waiter->txn != plan->wakes) {
            continue;
        }
        plan->wake.header.slot = waiter->slot;
        plan->wake.header.generation = waiter->generation;
        plan->wake.header.command = waiter->command;
        put_verdict(ledger, waiter->sender, &plan->wake.header);
        ledger->waiters[i] = ledger->waiters[--ledger->waiters_count];
    }
}

/* ---- commands -------------------------------------------------------------------------------- */

static void count(struct ledger *ledger)
{
    const struct ledger_plan *plan = ledger->plan;
    if (plan->verdict.header.kind != LEDGER_VERDICT_REPLY || plan->waits_for != 0) {
        return;
    }
    const struct ledger_reply *reply = &plan->verdict.reply.reply;
    enum metric metric = METRIC_decisions_declined;
    if (reply->is_replay) {
        metric = METRIC_replays_answered;
    } else if (memcmp(reply->de39, "00", 2) == 0 || memcmp(reply->de39, "10", 2) == 0 ||
               memcmp(reply->de39, "85", 2) == 0) {
        metric = METRIC_decisions_approved;
    }
    metric_add(ledger->metrics, metric, 1);
}

static void answer(struct ledger *ledger, const struct ledger_command *command, uint64_t batch)
{
    struct ledger_plan *plan = ledger->plan;
    if (plan->waits_for != 0 && !add_waiter(ledger, command)) {
        plan->waits_for = 0;
        plan->verdict.header.kind = LEDGER_VERDICT_BUSY;
        plan->verdict.header.reason = LEDGER_REASON_BUSY;
        plan->verdict.header.size = sizeof(struct ledger_verdict);
    }
    if (plan->waits_for == 0) {
        put_verdict(ledger, command->sender, &plan->verdict.header);
    }
    decided(ledger, command, plan->waits_for == 0 ? &plan->verdict.header : NULL, batch);
    if (plan->wakes != 0 && ledger->waiters_count > 0) {
        wake_waiters(ledger);
    }
    count(ledger);
}

static void decide(struct ledger *ledger, const struct ledger_command *command, uint32_t size,
                   uint8_t *place)
{
    struct ledger_plan *plan = ledger->plan;
    ledger->now.batch = journal_open_batch(ledger->journal);
    ledger_plan(plan, ledger->state, &ledger->now, ledger->options.replay_keep_ns,
                journal_admits(ledger->journal), command, size);
    crash_point(ledger, "plan");
    uint32_t bytes = ledger_plan_pack(plan, place);
    if (bytes > 0) {
        ledger_apply(ledger->state, (const struct ledger_record *)(const void *)place);
        journal_commit(ledger->journal, bytes);
        ledger->batch_last = ledger->now.batch;
        crash_point(ledger, "append");
    }
    if (plan->saf_back != 0) {
        ledger_saf_flight(ledger->state, (uint32_t)plan->saf_back - 1, false);
    }
    if (plan->saf_sent != 0) {
        ledger_saf_flight(ledger->state, (uint32_t)plan->saf_sent - 1, true);
    }
    answer(ledger, command, bytes > 0 ? ledger->now.batch : 0);
}

static void query(struct ledger *ledger, const struct ledger_command *command)
{
    struct ledger_query_facts facts = {
        .utc_ns = ledger->now.utc_ns,
        .batch_durable = journal_durable_batch(ledger->journal),
        .epoch = journal_epoch(ledger->journal),
    };
    bool is_control = command->sender == ledger->options.senders_count - 1u;
    uint32_t room = is_control ? LIMIT_RECORD_BYTES_MAX - (uint32_t)sizeof(struct shard_verdict)
                               : LEDGER_VERDICT_BYTES_MAX;
    struct ledger_verdict *verdict = queue_verdict(ledger, command->sender, room);
    struct shard_verdict *head = (struct shard_verdict *)(void *)verdict - 1;
    head->size = ledger_query(ledger->state, (const void *)command, &facts, verdict, room);
    verdict->slot = command->slot;
    verdict->generation = command->generation;
    verdict->batch = ledger->batch_last;
    decided(ledger, command, verdict, 0);
}

/* Least bytes of a command: a sender that writes less is broken. */
static uint32_t command_bytes(enum ledger_command_kind kind)
{
    switch (kind) {
    case LEDGER_AUTH:
    case LEDGER_INTENT:
    case LEDGER_ADVICE:
    case LEDGER_REVERSAL:
        return offsetof(struct ledger_command_request, relay);
    case LEDGER_OUTCOME:
    case LEDGER_TIMEOUT:
        return sizeof(struct ledger_command_outcome);
    case LEDGER_PULL:
    case LEDGER_RESOLVED:
        return sizeof(struct ledger_command_saf);
    case LEDGER_ACCOUNT_CREATE:
    case LEDGER_ACCOUNT_MOVE:
    case LEDGER_ACCOUNT_STATUS:
        return sizeof(struct ledger_command_account);
    case LEDGER_CARD_CREATE:
    case LEDGER_CARD_STATUS:
        return sizeof(struct ledger_command_card);
    case LEDGER_LIST_CHANGE:
        return sizeof(struct ledger_command_list);
    case LEDGER_RULESET:
    case LEDGER_CONTROL:
    case LEDGER_EXCEPTION_RESOLVE:
        return sizeof(struct ledger_command_text);
    case LEDGER_QUERY:
        return sizeof(struct ledger_command_query);
    case LEDGER_COMMANDS_COUNT:
        break;
    }
    must(false); /* a command of the table */
    return 0;
}

/* Looks at the next commands while the memory that they need is on its way. */
static void look_ahead(struct ledger *ledger, uint16_t sender, uint32_t wanted)
{
    struct shard_ahead *ahead = &ledger->aheads[sender];
    struct ring *commands = ledger->ports[sender].commands;
    const struct ledger_command *command;
    uint32_t size;
    while (ahead->count < wanted && (command = ring_peek(commands, &size)) != NULL) {
        must(command->kind < LEDGER_COMMANDS_COUNT && command->sender == sender &&
             size >= command_bytes((enum ledger_command_kind)command->kind));
        ahead->at[ahead->count].command = command;
        ahead->at[ahead->count++].size = size;
        ring_next(commands);
        ledger_plan_prefetch(ledger->state, command, LEDGER_AHEAD_HEADS);
    }
    if (ahead->count > LEDGER_AHEAD_ROWS) {
        ledger_plan_prefetch(ledger->state, ahead->at[LEDGER_AHEAD_ROWS].command,
                             LEDGER_AHEAD_ROWS);
    }
    if (ahead->count > LEDGER_AHEAD_ACCOUNTS) {
        ledger_plan_prefetch(ledger->state, ahead->at[LEDGER_AHEAD_ACCOUNTS].command,
                             LEDGER_AHEAD_ACCOUNTS);
    }
}

static bool take_one(struct ledger *ledger, const struct ledger_command *command, uint32_t size)
{
    if (command->kind == LEDGER_QUERY) {
        query(ledger, command);
        return true;
    }
    uint8_t *place = journal_reserve(ledger->journal, LEDGER_RECORD_BYTES_MAX);
    if (place == NULL) {
        return false;
    }
    decide(ledger, command, size, place);
    return true;
}

/* Commands of one sender; false: the journal takes no more in this turn. What was looked at stays
 * the ring's until it is decided. */
static bool take_from(struct ledger *ledger, uint16_t sender, uint32_t *taken)
{
    struct shard_ahead *ahead = &ledger->aheads[sender];
    for (uint32_t left = LEDGER_COMMANDS_PER_SENDER; left > 0; left--) {
        uint32_t wanted = left < countof(ahead->at) ? left : (uint32_t)countof(ahead->at);
        look_ahead(ledger, sender, wanted);
        if (ahead->count == 0) {
            break;
        }
        if (!take_one(ledger, ahead->at[0].command, ahead->at[0].size)) {
            return false;
        }
        ahead->count--;
        memmove(&ahead->at[0], &ahead->at[1], ahead->count * sizeof ahead->at[0]);
        ++*taken;
    }
    ring_release(ledger->ports[sender].commands);
    return true;
}

/* Round robin, until nothing is left, the turn is full, or the journal is. */
static uint32_t take(struct ledger *ledger)
{
    uint32_t taken = 0, before;
    ledger->is_blocked = false;
    do {
        before = taken;
        for (uint32_t i = 0; i < ledger->options.senders_count; i++) {
            uint32_t sender = (ledger->sender_next + i) % ledger->options.senders_count;
            if (!take_from(ledger, (uint16_t)sender, &taken)) {
                ledger->is_blocked = true;
                ledger->sender_next = sender;
                return taken;
            }
        }
    } while (taken > before && taken < LEDGER_COMMANDS_PER_TURN);
    ledger->sender_next = (ledger->sender_next + 1) % ledger->options.senders_count;
    return taken;
}

/* ---- the board ------------------------------------------------------------------------------- */

static void show_saf(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->options.endpoints_count; i++) {
        uint32_t waiting = ledger->state->queues[i].waiting_count;
        _Atomic uint32_t *shown = &ledger->board->saf_waiting[i];
        uint32_t before = atomic_load_explicit(shown, memory_order_relaxed);
        if (waiting == before) {
            continue;
        }
        atomic_store_explicit(shown, waiting, memory_order_release);
        if (before == 0 && ledger->endpoint_bells[i] != NULL) {
            bell_ring(ledger->endpoint_bells[i]);
        }
    }
}

static void show_busy(struct ledger *ledger)
{
    bool admits = journal_admits(ledger->journal);
    bool is_full =
        ledger_txn_place(ledger->state, ledger->now.utc_ns, ledger->options.replay_keep_ns) == 0;
    uint32_t busy = !admits || is_full;
    if (busy == atomic_load_explicit(&ledger->board->busy, memory_order_relaxed)) {
        return;
    }
    atomic_store_explicit(&ledger->board->busy, busy, memory_order_relaxed);
    log_event(busy ? LOG_ALARM : LOG_INFO, busy ? "ledger.busy" : "ledger.admits",
              log_text("why", !busy     ? ""
                              : is_full ? "every transaction row is still needed: replays.max"
                                        : "the journal is full: a follower is behind"),
              log_number("txns", ledger->state->txns_count));
}

static void show(struct ledger *ledger)
{
    struct ledger_board *board = ledger->board;
    atomic_store_explicit(&board->oldest_write_ns, journal_oldest_write_ns(ledger->journal),
                          memory_order_relaxed);
    atomic_store_explicit(&board->txn_next, ledger->state->txn_next, memory_order_relaxed);
    show_saf(ledger);
    show_busy(ledger);
}

/* ---- the agent ------------------------------------------------------------------------------- */

static void attach(struct ledger *ledger)
{
    journal_attach(ledger->journal, ledger->agent.io, io_token(ledger->agent.id, 0, 0, 0));
    ledger->is_attached = true;
}

static void follow(struct ledger *ledger)
{
    uint64_t durable = journal_durable_batch(ledger->journal);
    if (durable == ledger->batch_known && ledger->clock.now_ns < ledger->follower_ring_ns) {
        return;
    }
    ledger->batch_known = durable;
    atomic_store_explicit(&ledger->board->durable_batch, durable, memory_order_release);
    ledger->follower_ring_ns = followers_ring(ledger->followers, ledger->clock.now_ns);
}

static bool has_failed(struct ledger *ledger)
{
    if (journal_failed(ledger->journal) && !ledger->is_failed) {
        ledger->is_failed = true; /* nobody in that batch is answered; the process has to end */
        atomic_store_explicit(&ledger->board->busy, 1, memory_order_relaxed);
        log_event(LOG_ALARM, "journal.failed", log_text("why", journal_failure(ledger->journal)));
    }
    return ledger->is_failed;
}

static uint32_t shard_turn(struct agent *agent)
{
    struct ledger *ledger = of(agent);
    ledger->clock = *agent->clock;
    if (!ledger->is_attached) {
        attach(ledger);
    }
    if (has_failed(ledger)) {
        return 0;
    }
    ledger_now_set(&ledger->now, ledger->clock.utc_ns, ledger->clock.now_ns);
    if (journal_durable_batch(ledger->journal) != ledger->batch_known) {
        crash_point(ledger, "durable");
    }
    uint32_t work = release(ledger);
    work += take(ledger);
    work += journal_turn(ledger->journal);
    work += release(ledger); /* what rests on nothing new */
    ring_bells(ledger);
    follow(ledger);
    show(ledger);
    return work;
}

static void shard_event(struct agent *agent, const struct io_event *event)
{
    journal_event(of(agent)->journal, event);
}

static int64_t shard_deadline(const struct agent *agent)
{
    const struct ledger *ledger = (const struct ledger *)agent;
    int64_t deadline = journal_deadline(ledger->journal);
    if (ledger->follower_ring_ns < deadline) {
        deadline = ledger->follower_ring_ns;
    }
    int64_t again = ledger->clock.now_ns + LEDGER_BLOCKED_NS;
    if (ledger->is_blocked && again < deadline) {
        deadline = again;
    }
    return ledger->is_failed ? INT64_MAX : deadline;
}

static bool shard_pending(const struct agent *agent)
{
    const struct ledger *ledger = (const struct ledger *)agent;
    if (ledger->is_failed || ledger->is_blocked) {
        return false; /* the end of the write, or the deadline, goes on */
    }
    for (uint32_t i = 0; i < ledger->options.senders_count; i++) {
        if (!ring_empty(ledger->ports[i].commands)) {
            return true;
        }
    }
    return false;
}

const struct agent_ops shard_ops = {
    .name = "shard",
    .event = shard_event,
    .turn = shard_turn,
    .deadline = shard_deadline,
    .pending = shard_pending,
};
