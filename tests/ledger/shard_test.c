/* shard_test.c - the whole ledger on a simulated disk: rings, durability, crashes and what comes
 * after.
 *
 * The disk ends a write only when it is told to, so each test says what was durable when. */
#include "base/mem.h"
#include "ledger/shard.h"
#include "ledger/verify.h"
#include "tests/sim/disk_sim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SENDERS 2u /* a worker and control */

struct desk {
    struct disk_sim *sim;
    struct state_store *state;
    struct ledger_ref *ref;
    struct ledger *ledger;
    struct ledger_options options;
    struct clock clock;
    struct agent *agent;
    uint32_t slot;
    uint32_t memory_mark;
    struct metric_block metrics;
    char text[256];
};

static void put_name(uint8_t *out, const char *name)
{
    memset(out, 0, LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, strlen(name));
}

static bool desk_open(struct desk *desk)
{
    const struct ledger_stores stores = {disk_sim_disk(desk->sim), desk->state, desk->ref};
    desk->memory_mark = mem_mark();
    desk->ledger = ledger_open(&desk->options, &stores, &desk->clock, &desk->metrics, desk->text,
                               sizeof desk->text);
    if (desk->ledger == NULL) {
        return false;
    }
    desk->agent = ledger_agent(desk->ledger);
    desk->agent->clock = &desk->clock;
    desk->agent->io = disk_sim_io(desk->sim);
    return true;
}

static void turn(struct desk *desk)
{
    desk->clock.now_ns += 10 * NS_PER_US;
    desk->clock.utc_ns += 10 * NS_PER_US;
    (void)desk->agent->ops->turn(desk->agent);
}

/* The write under way ends; turns until nothing is left to do. */
static void settle(struct desk *desk)
{
    struct io_event event;
    for (int i = 0; i < 20; i++) {
        turn(desk);
        if (disk_sim_finish(desk->sim, &event)) {
            desk->agent->ops->event(desk->agent, &event);
        }
    }
    turn(desk);
}

static void push(struct desk *desk, uint16_t sender, void *command, uint32_t size,
                 enum ledger_command_kind kind)
{
    struct ledger_command *header = command;
    *header = (struct ledger_command){.size = size,
                                      .kind = (uint16_t)kind,
                                      .sender = sender,
                                      .slot = ++desk->slot,
                                      .generation = 7,
                                      .received_ns = desk->clock.now_ns};
    struct ring *ring = ledger_port(desk->ledger, sender)->commands;
    void *place = ring_reserve(ring, size);
    cr_assert_not_null(place);
    memcpy(place, command, size);
    ring_publish(ring);
}

static bool pull(struct desk *desk, uint16_t sender, void *out, uint32_t room)
{
    uint32_t size;
    struct ring *ring = ledger_port(desk->ledger, sender)->verdicts;
    const struct ledger_verdict *verdict = ring_peek(ring, &size);
    if (verdict == NULL) {
        return false;
    }
    cr_assert(size <= room && verdict->size == size && verdict->generation == 7);
    memcpy(out, verdict, size);
    ring_next(ring);
    ring_release(ring);
    return true;
}

/* The worker's next verdict is this one. */
static void expect(struct desk *desk, enum ledger_verdict_kind kind, const char *de39)
{
    union ledger_verdict_any verdict;
    cr_assert(pull(desk, 0, &verdict, sizeof verdict), "no verdict");
    cr_assert_eq(verdict.header.kind, kind, "kind %u", verdict.header.kind);
    if (de39 != NULL) {
        cr_assert_arr_eq(verdict.reply.reply.de39, de39, 2);
    }
}

static void expect_nothing(struct desk *desk)
{
    union ledger_verdict_any verdict;
    cr_assert_not(pull(desk, 0, &verdict, sizeof verdict), "a verdict came");
}

static void account(struct desk *desk, const char *name, bool is_house, int64_t amount)
{
    struct ledger_command_account command = {.currency = 398, .is_house = is_house};
    put_name(command.name, name);
    put_name(command.counter, "house");
    push(desk, 1, &command, sizeof command, LEDGER_ACCOUNT_CREATE);
    if (amount != 0) {
        command.amount_minor = amount;
        push(desk, 1, &command, sizeof command, LEDGER_ACCOUNT_MOVE);
    }
}

static void drain_control(struct desk *desk)
{
    static uint8_t room[LIMIT_RECORD_BYTES_MAX];
    while (pull(desk, 1, room, sizeof room)) {
        cr_assert_eq(((struct ledger_verdict *)(void *)room)->kind, LEDGER_VERDICT_DONE);
    }
}

static void desk_fresh(struct desk *desk)
{
    memset(desk, 0, sizeof *desk);
    desk->sim = disk_sim_create(1);
    desk->state = state_store_memory();
    desk->ref = ledger_ref_memory();
    desk->clock = (struct clock){.now_ns = NS_PER_S, .utc_ns = INT64_C(1795230000) * NS_PER_S};
    desk->options = (struct ledger_options){
        .limits = {8, 16, 64, 256, 256, 8, 16, 16},
        .segment_bytes = 1u << 20,
        .segments_count = 4,
        .replay_keep_ns = 3600 * NS_PER_S,
        .senders_count = SENDERS,
        .endpoints_count = 1,
        .parties_count = 1,
    };
    put_name(desk->options.parties[0].settlement_account, "settlement/acquirer");
    put_name(desk->options.endpoints[0].settlement_account, "settlement/demo-a");
    desk->options.endpoints[0].reversal_mti = 420;
    cr_assert(desk_open(desk), "%s", desk->text);
    account(desk, "house", true, 0);
    account(desk, "settlement/acquirer", true, 0);
    account(desk, "settlement/demo-a", true, 0);
    account(desk, "card", false, 100000);
    struct ledger_command_card card = {.card = {{1}}, .expiry = 3012, .service_code = 201};
    put_name(card.account, "card");
    push(desk, 1, &card, sizeof card, LEDGER_CARD_CREATE);
    settle(desk);
    drain_control(desk);
}

/* Drops the process, keeps the disk; what is under way ends as told. */
static void crash(struct desk *desk, enum disk_sim_crash how)
{
    ledger_close(desk->ledger);
    disk_sim_crash(desk->sim, how, 1);
    mem_release_to(desk->memory_mark);
    state_store_memory_crash(desk->state);
    ledger_ref_memory_crash(desk->ref);
    desk->clock.now_ns += NS_PER_S;
    desk->clock.utc_ns += NS_PER_S;
    cr_assert(desk_open(desk), "%s", desk->text);
}

static void desk_end(struct desk *desk)
{
    ledger_close(desk->ledger);
    desk->state->ops->destroy(desk->state);
    desk->ref->ops->destroy(desk->ref);
    disk_sim_destroy(desk->sim);
    mem_release_to(desk->memory_mark);
}

static void fill(struct desk *desk, struct ledger_command_request *command, uint32_t stan,
                 int64_t amount)
{
    memset(command, 0, sizeof *command);
    struct ledger_request *request = &command->request;
    request->replay_key = (struct hash128){stan, 1};
    request->self_key = (struct hash128){stan, 2};
    request->rrn_key = (struct hash128){stan, 3};
    request->content = (uint64_t)amount;
    request->card = (struct ledger_card_key){{1}};
    request->amount_minor = amount;
    request->de7 = 1121030000 + stan;
    request->stan = stan;
    request->flags = LEDGER_REQUEST_ON_US | LEDGER_REQUEST_HAS_RRN;
    request->card_version = 1;
    request->ref_batch = desk->clock.utc_ns > 0 ? UINT32_MAX : 0;
    request->currency = 398;
    request->mti = 200;
    request->class = LEDGER_CLASS_FINANCIAL;
}

static void purchase(struct desk *desk, uint32_t stan, int64_t amount)
{
    struct ledger_command_request command;
    fill(desk, &command, stan, amount);
    push(desk, 0, &command, offsetof(struct ledger_command_request, relay), LEDGER_AUTH);
}

static void forwarded(struct desk *desk, uint32_t stan, int64_t amount)
{
    struct ledger_command_request command;
    fill(desk, &command, stan, amount);
    command.request.flags = LEDGER_REQUEST_HAS_RRN;
    command.request.routes_count = 1;
    push(desk, 0, &command, offsetof(struct ledger_command_request, relay), LEDGER_INTENT);
}

static const struct ledger_row_account *ask(struct desk *desk, const char *name)
{
    static _Alignas(8) uint8_t room[LIMIT_RECORD_BYTES_MAX];
    struct ledger_command_query query = {.query = LEDGER_QUERY_ACCOUNT};
    put_name(query.name, name);
    push(desk, 1, &query, sizeof query, LEDGER_QUERY);
    settle(desk);
    cr_assert(pull(desk, 1, room, sizeof room));
    const struct ledger_verdict_rows *rows = (const void *)room;
    cr_assert_eq(rows->header.kind, LEDGER_VERDICT_ROWS);
    cr_assert_eq(rows->rows_count, 1);
    return (const void *)rows->rows;
}

static void verify(struct desk *desk)
{
    struct ledger_verified verified;
    ledger_state_verify(desk->ledger->state, &verified);
    cr_assert(verified.is_ok, "%s", verified.text);
}

/* ---- tests ----------------------------------------------------------------------------------- */

Test(shard, nothing_leaves_before_it_is_durable)
{
    struct desk desk;
    desk_fresh(&desk);
    struct io_event event;
    purchase(&desk, 1, 100);
    turn(&desk);
    expect_nothing(&desk);
    cr_assert_eq(disk_sim_writes_count(desk.sim), 1);
    purchase(&desk, 2, 200000); /* a decline waits too; so does the repeat of what is not durable */
    purchase(&desk, 1, 100);
    turn(&desk);
    turn(&desk);
    expect_nothing(&desk);
    cr_assert(disk_sim_finish(desk.sim, &event));
    desk.agent->ops->event(desk.agent, &event);
    turn(&desk);
    expect(&desk, LEDGER_VERDICT_REPLY, "00");
    expect_nothing(&desk); /* the second batch is on its way */
    settle(&desk);
    expect(&desk, LEDGER_VERDICT_REPLY, "51");
    expect(&desk, LEDGER_VERDICT_REPLY, "00");
    purchase(&desk, 1, 100); /* now it rests on what is durable: at once */
    turn(&desk);
    expect(&desk, LEDGER_VERDICT_REPLY, "00");
    cr_assert_eq(ask(&desk, "card")->balance_minor, 99900);
    verify(&desk);
    desk_end(&desk);
}

Test(shard, a_crash_loses_only_what_was_not_answered)
{
    static const enum disk_sim_crash hows[] = {DISK_SIM_DROP, DISK_SIM_KEEP, DISK_SIM_PREFIX,
                                               DISK_SIM_SUBSET};
    for (uint32_t i = 0; i < countof(hows); i++) {
        struct desk desk;
        desk_fresh(&desk);
        purchase(&desk, 1, 100);
        settle(&desk);
        expect(&desk, LEDGER_VERDICT_REPLY, "00");
        purchase(&desk, 2, 1000);
        turn(&desk);
        expect_nothing(&desk);
        crash(&desk, hows[i]);
        verify(&desk);
        int64_t balance = ask(&desk, "card")->balance_minor;
        cr_assert(balance == 99900 || balance == 98900);
        purchase(&desk, 1, 100);
        purchase(&desk, 2, 1000);
        settle(&desk);
        expect(&desk, LEDGER_VERDICT_REPLY, "00");
        expect(&desk, LEDGER_VERDICT_REPLY, "00");
        cr_assert_eq(ask(&desk, "card")->balance_minor, 98900);
        verify(&desk);
        desk_end(&desk);
    }
}

Test(shard, the_state_after_a_restart_is_the_same)
{
    struct desk desk;
    desk_fresh(&desk);
    for (uint32_t stan = 1; stan <= 50; stan++) {
        purchase(&desk, stan, stan);
        if (stan % 7 == 0) {
            settle(&desk);
        }
    }
    settle(&desk);
    uint64_t digest = ledger_state_digest(desk.ledger->state);
    crash(&desk, DISK_SIM_DROP);
    cr_assert_eq(ledger_state_digest(desk.ledger->state), digest);
    /* With a checkpoint in between, too. */
    for (uint32_t stan = 51; stan <= 90; stan++) {
        purchase(&desk, stan, stan);
    }
    settle(&desk);
    char text[128];
    cr_assert(followers_catch_up(ledger_followers(desk.ledger), text, sizeof text), "%s", text);
    purchase(&desk, 91, 5);
    settle(&desk);
    digest = ledger_state_digest(desk.ledger->state);
    crash(&desk, DISK_SIM_DROP);
    cr_assert_eq(ledger_state_digest(desk.ledger->state), digest);
    purchase(&desk, 17, 17);
    settle(&desk);
    verify(&desk);
    desk_end(&desk);
}

Test(shard, what_was_out_is_unknown_after_a_restart)
{
    struct desk desk;
    desk_fresh(&desk);
    forwarded(&desk, 1, 700);
    settle(&desk);
    expect(&desk, LEDGER_VERDICT_FORWARD, NULL);
    cr_assert_eq(atomic_load(&ledger_board(desk.ledger)->saf_waiting[0]), 0);
    crash(&desk, DISK_SIM_DROP);
    cr_assert_eq(atomic_load(&ledger_board(desk.ledger)->saf_waiting[0]), 1);
    cr_assert_eq(desk.ledger->state->unknown_count, 1);
    int64_t writes_us = atomic_load(&desk.metrics.values[METRIC_journal_write_us]);
    desk.clock.now_ns += 5 * NS_PER_S; /* the start took this long: no write did */
    turn(&desk);
    cr_assert_eq(atomic_load(&desk.metrics.values[METRIC_journal_write_us]), writes_us);
    cr_assert_eq(ask(&desk, "settlement/demo-a")->held_minor, 700);
    forwarded(&desk, 1, 700);
    settle(&desk);
    expect(&desk, LEDGER_VERDICT_REPLY, "91");
    struct ledger_command_saf saf = {.endpoint = 0};
    push(&desk, 0, &saf, sizeof saf, LEDGER_PULL);
    settle(&desk);
    union ledger_verdict_any verdict;
    cr_assert(pull(&desk, 0, &verdict, sizeof verdict));
    cr_assert_eq(verdict.header.kind, LEDGER_VERDICT_SAF_ITEM);
    cr_assert_eq(verdict.saf.item.sends_count, 1);
    cr_assert_eq(atomic_load(&ledger_board(desk.ledger)->saf_waiting[0]), 0);
    /* Sent and not acknowledged: after the next start it waits again, and says that it is a repeat.
     */
    crash(&desk, DISK_SIM_DROP);
    cr_assert_eq(atomic_load(&ledger_board(desk.ledger)->saf_waiting[0]), 1);
    push(&desk, 0, &saf, sizeof saf, LEDGER_PULL);
    settle(&desk);
    cr_assert(pull(&desk, 0, &verdict, sizeof verdict));
    cr_assert_eq(verdict.saf.item.sends_count, 2);
    saf.item = verdict.saf.item.item;
    push(&desk, 0, &saf, sizeof saf, LEDGER_RESOLVED);
    settle(&desk);
    expect(&desk, LEDGER_VERDICT_DONE, NULL);
    cr_assert_eq(ask(&desk, "settlement/demo-a")->held_minor, 0);
    verify(&desk);
    desk_end(&desk);
}

Test(shard, repeats_of_what_is_out_get_its_answer)
{
    struct desk desk;
    desk_fresh(&desk);
    forwarded(&desk, 1, 700);
    settle(&desk);
    union ledger_verdict_any verdict;
    cr_assert(pull(&desk, 0, &verdict, sizeof verdict));
    struct ledger_command_outcome outcome = {.txn = verdict.forward.forward.txn,
                                             .attempt = 1,
                                             .de39 = "05",
                                             .outcome = LEDGER_OUTCOME_DECLINED};
    for (uint32_t i = 0; i <= LEDGER_WAITERS_MAX; i++) {
        forwarded(&desk, 1, 700);
        settle(&desk);
    }
    expect(&desk, LEDGER_VERDICT_BUSY, NULL); /* the last one had no place to wait */
    expect_nothing(&desk);
    push(&desk, 0, &outcome, sizeof outcome, LEDGER_OUTCOME);
    settle(&desk);
    for (uint32_t i = 0; i <= LEDGER_WAITERS_MAX; i++) {
        expect(&desk, LEDGER_VERDICT_REPLY, "05");
    }
    expect_nothing(&desk);
    cr_assert_eq(desk.ledger->waiters_count, 0);
    desk_end(&desk);
}

Test(shard, a_failed_write_latches)
{
    struct desk desk;
    desk_fresh(&desk);
    struct io_event event;
    purchase(&desk, 1, 100);
    disk_sim_fail(desk.sim, 0, 1, IO_ERR_DISK);
    turn(&desk);
    while (disk_sim_finish(desk.sim, &event)) {
        desk.agent->ops->event(desk.agent, &event);
    }
    purchase(&desk, 2, 100);
    settle(&desk);
    expect_nothing(&desk);
    cr_assert(strlen(ledger_failure(desk.ledger)) > 0);
    cr_assert_eq(desk.agent->ops->deadline(desk.agent), INT64_MAX);
    cr_assert_not(desk.agent->ops->pending(desk.agent));
    crash(&desk, DISK_SIM_DROP);
    cr_assert_str_eq(ledger_failure(desk.ledger), "");
    verify(&desk);
    purchase(&desk, 1, 100);
    settle(&desk);
    expect(&desk, LEDGER_VERDICT_REPLY, "00");
    desk_end(&desk);
}

/* Followers that stand still: the journal fills, new work is refused, nothing is lost; then on. */
Test(shard, a_full_journal_refuses_and_goes_on)
{
    struct desk desk;
    desk_fresh(&desk);
    uint32_t stan = 0, busy = 0;
    union ledger_verdict_any verdict;
    for (; stan < 4000 && busy == 0; stan++) {
        purchase(&desk, 1 + stan % 200, 1); /* repeats write nothing */
        purchase(&desk, 1000 + stan, 1);
        desk.clock.utc_ns += 60 * NS_PER_S; /* rows become free */
        settle(&desk);
        while (pull(&desk, 0, &verdict, sizeof verdict)) {
            busy += verdict.header.kind == LEDGER_VERDICT_BUSY;
        }
    }
    cr_assert(busy > 0, "the journal never filled");
    cr_assert_eq(atomic_load(&ledger_board(desk.ledger)->busy), 1);
    char text[128];
    cr_assert(followers_catch_up(ledger_followers(desk.ledger), text, sizeof text), "%s", text);
    settle(&desk);
    cr_assert_eq(atomic_load(&ledger_board(desk.ledger)->busy), 0);
    purchase(&desk, 50000, 1);
    settle(&desk);
    expect(&desk, LEDGER_VERDICT_REPLY, "00");
    uint64_t digest = ledger_state_digest(desk.ledger->state);
    crash(&desk, DISK_SIM_DROP);
    cr_assert_eq(ledger_state_digest(desk.ledger->state), digest);
    desk_end(&desk);
}

Test(shard, questions_see_what_was_answered_and_wait_for_what_they_show)
{
    struct desk desk;
    desk_fresh(&desk);
    static _Alignas(8) uint8_t room[LIMIT_RECORD_BYTES_MAX];
    purchase(&desk, 1, 100);
    struct ledger_command_query query = {.query = LEDGER_QUERY_ACCOUNTS, .rows_max = 2};
    turn(&desk);
    push(&desk, 1, &query, sizeof query, LEDGER_QUERY);
    turn(&desk);
    cr_assert_not(pull(&desk, 1, room, sizeof room)); /* it shows what is not durable yet */
    settle(&desk);
    uint32_t rows_count = 0;
    const struct ledger_verdict_rows *rows = (const void *)room;
    for (;;) {
        cr_assert(pull(&desk, 1, room, sizeof room));
        rows_count += rows->rows_count;
        if (rows->cursor == 0) {
            break;
        }
        query.cursor = rows->cursor;
        push(&desk, 1, &query, sizeof query, LEDGER_QUERY);
        settle(&desk);
    }
    cr_assert_eq(rows_count, 4);
    for (uint8_t kind = LEDGER_QUERY_ACCOUNT; kind <= LEDGER_QUERY_VERIFY; kind++) {
        struct ledger_command_query any = {.query = kind, .card = {{1}}, .cursor = 0};
        push(&desk, 1, &any, sizeof any, LEDGER_QUERY);
        settle(&desk);
        cr_assert(pull(&desk, 1, room, sizeof room));
        cr_assert_eq(rows->header.kind, LEDGER_VERDICT_ROWS);
        cr_assert_eq(rows->query, kind);
        cr_assert_eq(rows->is_ok, 1);
    }
    desk_end(&desk);
}

Test(shard, refused_starts)
{
    struct desk desk;
    desk_fresh(&desk);
    ledger_close(desk.ledger);
    desk.options.endpoints[0].silence = LEDGER_SILENCE_QUERY;
    cr_assert_not(desk_open(&desk));
    cr_assert_not_null(strstr(desk.text, "silence"), "%s", desk.text);
    desk.options.endpoints[0].silence = LEDGER_SILENCE_REVERSAL;
    desk.options.limits.holds_max = 0;
    cr_assert_not(desk_open(&desk));
    cr_assert_not_null(strstr(desk.text, "holds"), "%s", desk.text);
    desk.options.limits.holds_max = 64;
    struct disk *disk = disk_sim_disk(desk.sim);
    cr_assert_eq(disk->ops->remove(disk, "hash-key"), IO_OK);
    cr_assert_not(desk_open(&desk)); /* every replay key would be another one */
    cr_assert_not_null(strstr(desk.text, "hash-key"), "%s", desk.text);
    desk.state->ops->destroy(desk.state);
    desk.ref->ops->destroy(desk.ref);
    disk_sim_destroy(desk.sim);
}
