/* shop_expect.c - what must have come of a line, and what the state must be. See shop.h. */
#include "shop_internal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- expectations ---------------------------------------------------------------------------- */

static void expect_reply(struct shop *shop, const struct ledger_reply *reply, const char *word,
                         const char *value)
{
    if (strcmp(word, "replay") == 0) {
        cr_assert(reply->is_replay, "%s line %d: not a replay", shop->name, shop->line);
    } else if (strcmp(word, "reversed") == 0) {
        cr_assert(reply->de44_size == 8 && memcmp(reply->de44, "REVERSED", 8) == 0,
                  "%s line %d: no DE44 REVERSED", shop->name, shop->line);
    } else if (strcmp(word, "de38") == 0) {
        cr_assert(reply->has_de38 && memcmp(reply->de38, value, 6) == 0, "%s line %d: de38 %.6s",
                  shop->name, shop->line, reply->de38);
    } else if (strcmp(word, "cvv2") == 0) {
        cr_assert_eq(reply->cvv2_result, value[0] == '-' ? 0 : value[0], "%s line %d: cvv2 %c",
                     shop->name, shop->line, reply->cvv2_result);
    } else if (strcmp(word, "amount") == 0) {
        cr_assert(reply->has_amount && reply->amount_minor == strtoll(value, NULL, 10),
                  "%s line %d: amount %lld", shop->name, shop->line,
                  (long long)reply->amount_minor);
    } else if (strcmp(word, "ledger") == 0) {
        cr_assert_eq(reply->ledger_minor, strtoll(value, NULL, 10));
    } else if (strcmp(word, "avail") == 0) {
        cr_assert_eq(reply->available_minor, strtoll(value, NULL, 10));
    } else if (strcmp(word, "date") == 0) {
        cr_assert_eq(reply->settlement_date, strtoll(value, NULL, 10));
    } else if (strcmp(word, "ourrrn") == 0) {
        cr_assert(reply->has_rrn);
    } else if (strcmp(word, "norrn") == 0) {
        cr_assert(!reply->has_rrn);
    } else {
        shop_die(shop, "unknown expectation: %s", word);
    }
}

static const char *kind_word(const struct shop *shop)
{
    static const char *const words[] = {
        [LEDGER_VERDICT_REPLY] = "reply",     [LEDGER_VERDICT_SILENT] = "silent",
        [LEDGER_VERDICT_FORWARD] = "forward", [LEDGER_VERDICT_STALE] = "stale",
        [LEDGER_VERDICT_BUSY] = "busy",       [LEDGER_VERDICT_SAF_ITEM] = "item",
        [LEDGER_VERDICT_SAF_NONE] = "none",   [LEDGER_VERDICT_DONE] = "done",
        [LEDGER_VERDICT_REFUSED] = "refused", [LEDGER_VERDICT_ROWS] = "rows",
    };
    return shop->plan.waits_for != 0 ? "wait" : words[shop->plan.verdict.header.kind];
}

static void expect_kind(struct shop *shop, const char *word)
{
    const struct ledger_plan *plan = &shop->plan;
    const char *kind = kind_word(shop);
    if (strlen(word) == 2) {
        if (strcmp(kind, "reply") != 0 || memcmp(plan->verdict.reply.reply.de39, word, 2) != 0) {
            shop_die(shop, "expected %s, got %s %.2s (%s)", word, kind,
                     (const char *)plan->verdict.reply.reply.de39,
                     ledger_reason_name(plan->reason));
        }
    } else if (strcmp(kind, word) != 0) {
        shop_die(shop, "expected %s, got %s (%s)", word, kind, ledger_reason_name(plan->reason));
    }
}

static void expect_word(struct shop *shop, char *word)
{
    const struct ledger_plan *plan = &shop->plan;
    char *value = strchr(word, '=');
    if (value != NULL) {
        *value++ = 0;
    } else {
        value = word + strlen(word);
    }
    if (strcmp(word, "reason") == 0) {
        cr_assert_str_eq(ledger_reason_name(plan->reason), value, "%s line %d", shop->name,
                         shop->line);
    } else if (strcmp(word, "wake") == 0) {
        if (plan->wakes == 0 || memcmp(plan->wake.reply.de39, value, 2) != 0) {
            shop_die(shop, "expected to wake with %s", value);
        }
    } else if (strcmp(word, "mti") == 0) {
        cr_assert_eq(plan->verdict.saf.item.mti, strtoll(value, NULL, 10), "%s line %d: mti %u",
                     shop->name, shop->line, plan->verdict.saf.item.mti);
    } else if (strcmp(word, "sends") == 0) {
        cr_assert_eq(plan->verdict.saf.item.sends_count, strtoll(value, NULL, 10));
    } else if (strcmp(word, "names") == 0) { /* DE90 has the values of the leg that was sent */
        uint32_t row = ledger_txn_find(shop->state, shop->txn_of_stan[strtoll(value, NULL, 10)]);
        cr_assert(row != 0);
        cr_assert_eq(plan->verdict.saf.item.original_stan, shop->state->txns[row - 1].forward_stan);
        cr_assert_eq(plan->verdict.saf.item.original_de7, shop->state->txns[row - 1].forward_de7);
    } else if (strcmp(word, "remains") == 0) {
        cr_assert(plan->verdict.saf.item.has_remains);
        cr_assert_eq(plan->verdict.saf.item.remains_minor, strtoll(value, NULL, 10));
    } else if (strcmp(word, "to") == 0) {
        cr_assert_eq(plan->verdict.forward.forward.endpoint, value[0] - 'a');
    } else if (strcmp(word, "relay") == 0) {
        cr_assert_eq(plan->verdict.saf.item.relay.size, 10);
        cr_assert_arr_eq(plan->verdict.saf.item.relay.fields, "the fields", 10);
    } else {
        expect_reply(shop, &plan->verdict.reply.reply, word, value);
    }
}

static void expect_account(struct shop *shop, char **words, int count)
{
    char text[32];
    uint8_t name[LEDGER_ACCOUNT_NAME_BYTES];
    const char *who = words[1];
    snprintf(text, sizeof text, "card/%s", who + 1);
    shop_put_name(name, strcmp(who, "acq") == 0      ? "settlement/acquirer"
                        : strcmp(who, "demo-a") == 0 ? "settlement/demo-a"
                        : strcmp(who, "demo-b") == 0 ? "settlement/demo-b"
                                                     : text);
    uint32_t row = ledger_account_find(shop->state, name);
    if (row == 0) {
        shop_die(shop, "no account %s", who);
    }
    const struct ledger_account *account = &shop->state->accounts[row - 1];
    int64_t is[3] = {ledger_account_balance(account), account->pending_debit,
                     account->pending_credit};
    const char *const keys[3] = {"bal", "held", "pend"};
    for (int i = 0; i < 3; i++) {
        if (shop_value(words, count, keys[i]) != NULL &&
            shop_number(words, count, keys[i], 0) != is[i]) {
            shop_die(shop, "%s: %s is %lld", who, keys[i], (long long)is[i]);
        }
    }
}

void shop_expect_state(struct shop *shop, char **words, int count)
{
    static const char *const kinds[] = {"forced",     "over_hold", "below_zero",
                                        "not_booked", "unmatched", "completed"};
    const struct ledger_state *state = shop->state;
    if (words[1][0] == 'k' || strcmp(words[1], "acq") == 0 || strncmp(words[1], "demo", 4) == 0) {
        expect_account(shop, words, count);
        return;
    }
    for (uint32_t kind = 0; kind < countof(kinds); kind++) {
        uint32_t is = 0;
        for (uint32_t row = 0; row < state->limits.exceptions_max; row++) {
            is += state->marks[row].is_open && state->marks[row].kind == kind;
        }
        if (shop_value(words, count, kinds[kind]) != NULL &&
            shop_number(words, count, kinds[kind], 0) != is) {
            shop_die(shop, "exceptions %s: %u", kinds[kind], is);
        }
    }
    struct {
        const char *key;
        uint32_t is;
    } counts[] = {{"open", state->open_count},
                  {"unknown", state->unknown_count},
                  {"saf", state->saf_queued_count},
                  {"holds", state->holds_open_count},
                  {"txns", state->txns_count},
                  {"exceptions", state->marks_open_count},
                  {"tombstones", state->tombstones_count}};
    for (uint32_t i = 0; i < countof(counts); i++) {
        if (shop_value(words, count, counts[i].key) != NULL &&
            shop_number(words, count, counts[i].key, 0) != counts[i].is) {
            shop_die(shop, "%s is %u", counts[i].key, counts[i].is);
        }
    }
}

void shop_expect(struct shop *shop, char **words, int count)
{
    expect_kind(shop, words[0]);
    for (int i = 1; i < count; i++) {
        expect_word(shop, words[i]);
    }
}
