/* shop.c - see shop.h: one command with its checks, replays, scripts. */
#include "shop_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_BYTES_MAX (16u << 20)
#define START_UTC_NS      (INT64_C(1795230000) * NS_PER_S) /* 2026-11-21 03:00:00 UTC */

void shop_die(const struct shop *shop, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cr_assert_fail("%s line %d: %s", shop->name, shop->line, text);
    abort();
}

void shop_put_name(uint8_t *out, const char *name)
{
    memset(out, ' ', LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, strlen(name));
}

/* ---- one command ----------------------------------------------------------------------------- */

void shop_journal(struct shop *shop, uint32_t size)
{
    uint8_t *record = shop->records + shop->records_size;
    cr_assert(ledger_record_valid((const void *)record, size));
    cr_assert_eq(((struct ledger_record *)(void *)record)->crc32c,
                 ledger_record_crc((const void *)record));
    cr_assert(ledger_state_accepts(shop->state, (const void *)record));
    ledger_apply(shop->state, (const void *)record);
    shop->records_size += size;
    shop->records_count++;
    shop->now.batch++;
}

void shop_do(struct shop *shop, const void *command, uint32_t size)
{
    ledger_now_set(&shop->now, shop->utc_ns, shop->utc_ns);
    uint64_t before = ledger_state_digest(shop->state);
    ledger_plan(&shop->plan, shop->state, &shop->now, shop->replay_keep_ns, !shop->is_full, command,
                size);
    cr_assert_eq(before, ledger_state_digest(shop->state), "%s line %d: plan() changed the state",
                 shop->name, shop->line);
    must(shop->records_size + LEDGER_RECORD_BYTES_MAX <= RECORDS_BYTES_MAX);
    uint32_t bytes = ledger_plan_pack(&shop->plan, shop->records + shop->records_size);
    if (bytes > 0) {
        shop_journal(shop, bytes);
    }
    if (shop->plan.saf_back != 0) {
        ledger_saf_flight(shop->state, (uint32_t)shop->plan.saf_back - 1, false);
    }
    if (shop->plan.saf_sent != 0) {
        ledger_saf_flight(shop->state, (uint32_t)shop->plan.saf_sent - 1, true);
    }
    shop->seen_reasons |= UINT64_C(1) << shop->plan.reason;
    struct ledger_verified verified;
    ledger_state_verify(shop->state, &verified);
    cr_assert(verified.is_ok, "%s line %d: %s", shop->name, shop->line, verified.text);
}

void shop_replay(struct shop *shop)
{
    struct ledger_state *other = shop->spare;
    ledger_state_clear(other);
    uint64_t at = 0;
    for (uint64_t i = 0; i < shop->records_count; i++) {
        const struct ledger_record *record = (const void *)(shop->records + at);
        cr_assert(ledger_state_accepts(other, record));
        ledger_apply(other, record);
        at += record->size;
    }
    cr_assert_eq(ledger_state_digest(other), ledger_state_digest(shop->state));
    ledger_state_rebuild(other); /* the derived part, from the rows alone */
    cr_assert_eq(other->txn_next, shop->state->txn_next);
    cr_assert_eq(other->txns_count, shop->state->txns_count);
    cr_assert_eq(other->open_count, shop->state->open_count);
    cr_assert_eq(other->unknown_count, shop->state->unknown_count);
    cr_assert_eq(other->tombstones_count, shop->state->tombstones_count);
    cr_assert_eq(other->holds_open_count, shop->state->holds_open_count);
    cr_assert_eq(other->saf_queued_count, shop->state->saf_queued_count);
    cr_assert_eq(other->by_loose.entries_count, shop->state->by_loose.entries_count);
    cr_assert_eq(other->by_self.entries_count, shop->state->by_self.entries_count);
    cr_assert_eq(other->by_rrn.entries_count, shop->state->by_rrn.entries_count);
    cr_assert_eq(other->mark_next, shop->state->mark_next);
    cr_assert(other->in_doubt_minor == shop->state->in_doubt_minor);
    struct ledger_verified verified;
    ledger_state_verify(other, &verified);
    cr_assert(verified.is_ok, "%s", verified.text);
    shop->spare = shop->state;
    shop->state = other; /* and it goes on with the rebuilt one */
}

/* ---- scripts --------------------------------------------------------------------------------- */

static bool moves_nothing(const struct shop *shop)
{
    const struct ledger_plan *plan = &shop->plan;
    uint16_t kind = plan->verdict.header.kind;
    return plan->waits_for != 0 || kind == LEDGER_VERDICT_STALE || kind == LEDGER_VERDICT_BUSY ||
           kind == LEDGER_VERDICT_REFUSED || kind == LEDGER_VERDICT_SILENT ||
           (kind == LEDGER_VERDICT_REPLY &&
            (plan->kind == LEDGER_AUTH || plan->kind == LEDGER_INTENT) &&
            memcmp(plan->verdict.reply.reply.de39, "00", 2) != 0 &&
            memcmp(plan->verdict.reply.reply.de39, "10", 2) != 0);
}

static void run_line(struct shop *shop, char *line)
{
    char *words[40];
    int count = 0, arrow = -1;
    for (char *word = strtok_r(line, " ", &line); word != NULL && count < 40;
         word = strtok_r(NULL, " ", &line)) {
        if (strcmp(word, "->") == 0) {
            arrow = count;
        } else {
            words[count++] = word;
        }
    }
    if (count == 0 || words[0][0] == '#') {
        return;
    }
    int said = arrow < 0 ? count : arrow;
    uint32_t accounts = shop->state->limits.accounts_max;
    struct ledger_account *before = malloc(accounts * sizeof *before);
    cr_assert(before != NULL);
    memcpy(before, shop->state->accounts, accounts * sizeof *before);
    if (strcmp(words[0], "=") == 0) {
        shop_expect_state(shop, words, count);
    } else {
        shop_say(shop, words, said);
    }
    if (arrow >= 0) {
        shop_expect(shop, words + arrow, count - arrow);
        if (moves_nothing(shop)) {
            cr_assert_arr_eq(before, shop->state->accounts, accounts * sizeof *before,
                             "%s line %d: refused, and yet an account changed", shop->name,
                             shop->line);
        }
    }
    free(before);
}

void shop_run(struct shop *shop, const char *script)
{
    char *copy = strdup(script), *rest = copy;
    shop->line = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        shop->line++;
        run_line(shop, line);
    }
    free(copy);
}

void shop_open_limits(struct shop *shop, const char *name, const struct ledger_limits *limits)
{
    memset(shop, 0, sizeof *shop);
    shop->name = name;
    shop->utc_ns = START_UTC_NS;
    shop->replay_keep_ns = 48 * 3600 * NS_PER_S;
    shop->records = malloc(RECORDS_BYTES_MAX);
    cr_assert(shop->records != NULL);
    struct ledger_options *options = &shop->options;
    options->limits = *limits;
    options->parties_count = 1;
    options->endpoints_count = 2;
    shop_put_name(options->parties[0].settlement_account, "settlement/acquirer");
    shop_put_name(options->endpoints[0].settlement_account, "settlement/demo-a");
    shop_put_name(options->endpoints[1].settlement_account, "settlement/demo-b");
    options->endpoints[0].reversal_mti = 420;
    options->endpoints[1].reversal_mti = 400;
    options->endpoints[0].next_attempt_after = 7;
    shop->memory_mark = mem_mark();
    shop->state = ledger_state_create(limits, 5);
    ledger_state_configure(shop->state, options);
    shop->spare = ledger_state_create(limits, 99);
    ledger_state_configure(shop->spare, options);
    shop->now = (struct ledger_now){.epoch = 1, .batch = 1};
    shop_account(shop, LEDGER_ACCOUNT_CREATE, "house/cash", true, 0, 0);
    shop_account(shop, LEDGER_ACCOUNT_CREATE, "settlement/acquirer", true, 0, 0);
    shop_account(shop, LEDGER_ACCOUNT_CREATE, "settlement/demo-a", true, 0, 0);
    shop_account(shop, LEDGER_ACCOUNT_CREATE, "settlement/demo-b", true, 0, 0);
    for (int64_t k = 1; k <= 5; k++) {
        char account[32];
        snprintf(account, sizeof account, "card/%lld", (long long)k);
        shop_account(shop, LEDGER_ACCOUNT_CREATE, account, false, 0, 0);
        shop_account(shop, LEDGER_ACCOUNT_MOVE, account, false, 0, k == 5 ? 100 : 100000000);
        shop_card(shop, k, account, k == 4 ? 2001 : 3012);
    }
}

void shop_open(struct shop *shop, const char *name)
{
    struct ledger_limits limits = {
        .cards_max = 16,
        .accounts_max = 32,
        .holds_max = 16,
        .txns_max = 256,
        .replays_max = 256,
        .counter_slots_max = 8,
        .saf_max = 16,
        .exceptions_max = 32,
    };
    shop_open_limits(shop, name, &limits);
}

void shop_close(struct shop *shop)
{
    shop_replay(shop);
    mem_release_to(shop->memory_mark);
    free(shop->records);
}

void shop_story(const char *name, const char *script)
{
    static struct shop shop;
    shop_open(&shop, name);
    shop_run(&shop, script);
    shop_close(&shop);
}
