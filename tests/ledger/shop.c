/* shop.c - see shop.h. */
#include "shop.h"

#include "base/clock.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_BYTES_MAX (16u << 20)
#define START_UTC_NS      (INT64_C(1795230000) * NS_PER_S) /* 2026-11-21 03:00:00 UTC */

static void die(const struct shop *shop, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
static void die(const struct shop *shop, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cr_assert_fail("%s line %d: %s", shop->name, shop->line, text);
    abort();
}

static void put_name(uint8_t *out, const char *name)
{
    memset(out, ' ', LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, strlen(name));
}

/* ---- one command ----------------------------------------------------------------------------- */

static void journal(struct shop *shop, uint32_t size)
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
        journal(shop, bytes);
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

/* ---- words ----------------------------------------------------------------------------------- */

/* The value of key= in the line, or NULL; a bare word gives "". */
static const char *value_of(char *const *words, int count, const char *key)
{
    size_t size = strlen(key);
    for (int i = 0; i < count; i++) {
        if (strncmp(words[i], key, size) == 0 && (words[i][size] == '=' || words[i][size] == 0)) {
            return words[i][size] == '=' ? words[i] + size + 1 : "";
        }
    }
    return NULL;
}

static int64_t number_of(char *const *words, int count, const char *key, int64_t otherwise)
{
    const char *value = value_of(words, count, key);
    return value == NULL ? otherwise : strtoll(value, NULL, 10);
}

static uint8_t check_of(char *const *words, int count, const char *key)
{
    static const char *const names[] = {"none", "ok", "wrong", "bad", "down"};
    const char *value = value_of(words, count, key);
    for (uint8_t i = 0; value != NULL && i < countof(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            return i;
        }
    }
    return LEDGER_CHECK_NONE;
}

static struct hash128 hash_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static struct hash128 hash_of(const char *format, ...)
{
    static const uint8_t key[16] = "a key for tests";
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return hash128(text, (size_t)size, key);
}

static struct ledger_card_key card_key(int64_t k)
{
    struct ledger_card_key key = {{0}};
    memcpy(key.bytes, &k, sizeof k);
    return key;
}

static uint8_t class_of(int64_t mti)
{
    switch (mti / 10 * 10) {
    case 100:
        return LEDGER_CLASS_AUTH;
    case 120:
        return LEDGER_CLASS_AUTH_ADVICE;
    case 200:
        return LEDGER_CLASS_FINANCIAL;
    case 220:
        return LEDGER_CLASS_FINANCIAL_ADVICE;
    default:
        return LEDGER_CLASS_REVERSAL;
    }
}

static struct {
    const char *word;
    uint32_t flag, finding;
} const flags[] = {
    {"partial", LEDGER_REQUEST_PARTIAL, 0},
    {"verify", LEDGER_REQUEST_VERIFY, 0},
    {"deny", 0, LEDGER_FOUND_DENY_LIST},
    {"noroute", 0, LEDGER_FOUND_NO_ROUTE},
    {"luhn", 0, LEDGER_FOUND_LUHN},
    {"cur57", 0, LEDGER_FOUND_NOT_PERMITTED | LEDGER_FOUND_CURRENCY},
    {"not57", 0, LEDGER_FOUND_NOT_PERMITTED},
    {"over", 0, LEDGER_FOUND_OVER_AMOUNT},
    {"notrans", 0, LEDGER_FOUND_NO_TRANSLATE},
};

struct message {
    int64_t mti, k, stan, de7, amount, p;
    const char *rrn, *de32;
};

static void put_keys(struct ledger_request *request, const struct message *m, char *const *words,
                     int count)
{
    int64_t class = class_of(m->mti);
    int64_t time = number_of(words, count, "t", m->stan + 80000);
    const char *de90 = value_of(words, count, "de90"); /* mti:stan:de7 */
    const char *remains = value_of(words, count, "remains");
    request->replay_key =
        hash_of("replay %s %lld %lld %lld %s", m->de32, (long long)class, (long long)m->stan,
                (long long)(time != 0 ? time : m->de7), m->rrn == NULL ? "" : m->rrn);
    request->content =
        hash_of("content %lld %lld %lld %s %s %s %lld", (long long)m->k, (long long)m->p,
                (long long)m->amount, de90 ? de90 : "", remains ? remains : "",
                value_of(words, count, "to") ? value_of(words, count, "to") : "",
                (long long)number_of(words, count, "cur", 398))
            .low;
    request->self_key = hash_of("self %lld %lld %s %lld", (long long)class, (long long)m->stan,
                                m->de32, (long long)m->k);
    request->rrn_key = m->rrn != NULL
                           ? hash_of("rrn %lld %s %s", (long long)m->k, m->de32, m->rrn)
                           : hash_of("our rrn %lld %lld", (long long)m->stan, (long long)m->de7);
    request->local_time = (uint64_t)time;
    if (de90 != NULL) {
        long long mti = 0, stan = 0, de7 = 0;
        cr_assert_eq(sscanf(de90, "%lld:%lld:%lld", &mti, &stan, &de7), 3);
        request->flags |= LEDGER_REQUEST_HAS_DE90;
        request->original_key = hash_of("self %lld %lld %s %lld", (long long)class_of(mti), stan,
                                        m->de32, (long long)m->k);
        request->original_de7 = (uint64_t)de7;
        request->original_stan = (uint32_t)stan;
        request->original_mti = (uint16_t)mti;
        request->original_class = class_of(mti);
    }
    if (remains != NULL) {
        request->flags |= LEDGER_REQUEST_HAS_REMAINS;
        request->remains_minor = strtoll(remains, NULL, 10);
    }
}

static void put_facts(struct ledger_request *request, const struct message *m, char *const *words,
                      int count)
{
    request->card = card_key(m->k);
    request->amount_minor = m->amount;
    request->de7 = (uint64_t)m->de7;
    request->de32 = 123456;
    request->stan = (uint32_t)m->stan;
    request->de3 = (uint32_t)m->p * 10000;
    request->card_version = (uint32_t)number_of(words, count, "version", UINT32_MAX);
    request->ref_batch = (uint64_t)number_of(words, count, "ref", INT64_MAX);
    request->party = (uint16_t)number_of(words, count, "party", 0);
    request->currency = (uint16_t)number_of(words, count, "cur", 398);
    request->expiry = (uint16_t)number_of(words, count, "exp", 0);
    request->mti = (uint16_t)m->mti;
    request->class = class_of(m->mti);
    request->pin = check_of(words, count, "pin");
    request->cvv = check_of(words, count, "cvv");
    request->cvv2 = check_of(words, count, "cvv2");
    request->flags |= request->cvv2 != LEDGER_CHECK_NONE ? LEDGER_REQUEST_ASKS_CVV2 : 0u;
    request->flags |= value_of(words, count, "exp") != NULL ? LEDGER_REQUEST_HAS_EXPIRY : 0u;
    request->flags |= m->mti % 10 == 1 ? LEDGER_REQUEST_REPEAT : 0u;
    request->flags |= m->mti / 10 % 10 == 2 ? LEDGER_REQUEST_IS_ADVICE : 0u;
    request->flags |= m->rrn != NULL ? LEDGER_REQUEST_HAS_RRN : 0u;
    memcpy(request->rrn, "OURS00000000", 12);
    if (m->rrn != NULL) {
        memset(request->rrn, ' ', sizeof request->rrn);
        memcpy(request->rrn, m->rrn, strlen(m->rrn));
    }
    memcpy(request->de39, "00", 2);
    const char *de39 = value_of(words, count, "de39"), *de38 = value_of(words, count, "de38");
    if (de39 != NULL) {
        memcpy(request->de39, de39, 2);
    }
    if (de38 != NULL) {
        request->flags |= LEDGER_REQUEST_HAS_DE38;
        memcpy(request->de38, de38, 6);
    }
    if (value_of(words, count, "to") != NULL) {
        put_name(request->transfer_to, value_of(words, count, "to"));
    }
    for (uint32_t i = 0; i < countof(flags); i++) {
        if (value_of(words, count, flags[i].word) != NULL) {
            request->flags |= flags[i].flag;
            request->findings |= flags[i].finding;
        }
    }
}

static void put_routes_and_counts(struct ledger_request *request, const struct message *m,
                                  char *const *words, int count)
{
    const char *fwd = value_of(words, count, "fwd");
    if (fwd == NULL) {
        request->flags |= LEDGER_REQUEST_ON_US;
    } else {
        for (; *fwd != 0; fwd++) {
            request->routes[request->routes_count++] = (uint8_t)(*fwd - 'a');
        }
    }
    int64_t max = number_of(words, count, "count", 0);
    if (max > 0) {
        request->counts_count = 1;
        request->counts[0] = (struct ledger_count){
            .declaration = 77,
            .key = (uint64_t)m->k,
            .max = (uint32_t)max,
            .window_s = 3600,
            .buckets = 60,
        };
    }
}

static void say_request(struct shop *shop, char **words, int count)
{
    static struct ledger_command_request command;
    memset(&command, 0, sizeof command);
    struct message m = {
        .mti = strtoll(words[0], NULL, 10),
        .k = number_of(words, count, "k", 1),
        .stan = number_of(words, count, "stan", ++shop->next_stan + 500),
        .p = number_of(words, count, "p", 0),
        .amount = number_of(words, count, "amt", 10000),
        .rrn = value_of(words, count, "rrn"),
        .de32 = "123456",
    };
    m.de7 = number_of(words, count, "de7", 1121030000 + m.stan);
    put_facts(&command.request, &m, words, count);
    put_keys(&command.request, &m, words, count);
    put_routes_and_counts(&command.request, &m, words, count);
    bool is_forwarded = command.request.routes_count > 0;
    uint32_t size = offsetof(struct ledger_command_request, relay);
    if (is_forwarded) {
        memset(command.relay.pan_sealed, 0xA5, sizeof command.relay.pan_sealed);
        command.relay.size = 10;
        memcpy(command.relay.fields, "the fields", 10);
        size += (uint32_t)offsetof(struct ledger_relay, fields) + 10;
    }
    uint8_t class = command.request.class;
    command.header.kind =
        (uint16_t)(class == LEDGER_CLASS_REVERSAL ? LEDGER_REVERSAL
                   : class == LEDGER_CLASS_AUTH_ADVICE || class == LEDGER_CLASS_FINANCIAL_ADVICE
                       ? LEDGER_ADVICE
                   : value_of(words, count, "fwd") != NULL ? LEDGER_INTENT
                                                           : LEDGER_AUTH);
    command.header.size = size;
    command.header.received_ns = shop->utc_ns;
    shop_do(shop, &command, size);
    if (m.stan < (int64_t)countof(shop->txn_of_stan) &&
        shop->plan.verdict.header.kind == LEDGER_VERDICT_FORWARD) {
        shop->txn_of_stan[m.stan] = shop->plan.txn;
        shop->attempt_of_stan[m.stan] = shop->plan.verdict.forward.forward.attempt;
    }
}

/* ---- other lines ----------------------------------------------------------------------------- */

static void say_outcome(struct shop *shop, char **words, int count)
{
    int64_t stan = strtoll(words[1], NULL, 10);
    struct ledger_command_outcome command = {
        .header = {.size = sizeof command,
                   .kind = strcmp(words[0], "late") == 0 ? LEDGER_TIMEOUT : LEDGER_OUTCOME},
        .txn = shop->txn_of_stan[stan],
        .attempt = (uint8_t)number_of(words, count, "attempt", shop->attempt_of_stan[stan]),
    };
    const char *declined = value_of(words, count, "declined");
    if (value_of(words, count, "approved") != NULL) {
        memcpy(command.de39, "00", 2);
        memcpy(command.de38, "SCHEME", 6);
        command.has_de38 = 1;
    } else if (value_of(words, count, "part") != NULL) {
        memcpy(command.de39, "10", 2);
        command.amount_minor = number_of(words, count, "part", 0);
    } else if (declined != NULL) {
        command.outcome = LEDGER_OUTCOME_DECLINED;
        memcpy(command.de39, declined, 2);
    } else if (value_of(words, count, "technical") != NULL) {
        command.outcome = LEDGER_OUTCOME_TECHNICAL;
    } else {
        command.outcome = LEDGER_OUTCOME_NOT_SENT;
    }
    shop_do(shop, &command, sizeof command);
    if (shop->plan.verdict.header.kind == LEDGER_VERDICT_FORWARD) {
        shop->attempt_of_stan[stan] = shop->plan.verdict.forward.forward.attempt;
    }
}

static void say_saf(struct shop *shop, char **words, int count)
{
    uint16_t endpoint = (uint16_t)(words[1][0] - 'a');
    bool is_pull = strcmp(words[0], "pull") == 0;
    struct ledger_command_saf command = {
        .header = {.size = sizeof command, .kind = is_pull ? LEDGER_PULL : LEDGER_RESOLVED},
        .endpoint = endpoint,
        .item = !is_pull || value_of(words, count, "back") != NULL ? shop->item_last[endpoint] : 0,
    };
    shop_do(shop, &command, sizeof command);
    if (shop->plan.verdict.header.kind == LEDGER_VERDICT_SAF_ITEM) {
        shop->item_last[endpoint] = shop->plan.verdict.saf.item.item;
    }
}

static bool say_card(struct shop *shop, char **words)
{
    static const struct {
        const char *word;
        uint8_t status, keep, reset;
    } verbs[] = {{"block", LEDGER_STATUS_BLOCKED, 0, 0}, {"lost", LEDGER_STATUS_LOST, 0, 0},
                 {"stolen", LEDGER_STATUS_STOLEN, 0, 0}, {"cancel", LEDGER_STATUS_CLOSED, 0, 0},
                 {"open", LEDGER_STATUS_OPEN, 0, 0},     {"unpin", LEDGER_STATUS_OPEN, 1, 1}};
    for (uint32_t i = 0; i < countof(verbs); i++) {
        if (strcmp(words[0], verbs[i].word) == 0) {
            struct ledger_command_card command = {
                .header = {.size = sizeof command, .kind = LEDGER_CARD_STATUS},
                .card = card_key(strtoll(words[1], NULL, 10)),
                .status = verbs[i].status,
                .keep_status = verbs[i].keep,
                .reset_pin_tries = verbs[i].reset,
            };
            shop_do(shop, &command, sizeof command);
            return true;
        }
    }
    return false;
}

static void account_command(struct shop *shop, enum ledger_command_kind kind, const char *name,
                            bool is_house, uint8_t status, int64_t amount, int64_t line)
{
    struct ledger_command_account command = {
        .header = {.size = sizeof command, .kind = (uint16_t)kind},
        .currency = 398,
        .is_house = is_house,
        .status = status,
        .amount_minor = amount,
        .credit_line_minor = line,
    };
    put_name(command.name, name);
    put_name(command.counter, "house/cash");
    shop_do(shop, &command, sizeof command);
}

static void card_command(struct shop *shop, int64_t k, const char *account, uint16_t expiry)
{
    struct ledger_command_card command = {
        .header = {.size = sizeof command, .kind = LEDGER_CARD_CREATE},
        .card = card_key(k),
        .expiry = expiry,
        .service_code = 201,
        .pvki = 1,
    };
    put_name(command.account, account);
    shop_do(shop, &command, sizeof command);
}

static bool say_account(struct shop *shop, char **words)
{
    char name[32];
    snprintf(name, sizeof name, "card/%s", words[1]);
    if (strcmp(words[0], "freeze") == 0 || strcmp(words[0], "thaw") == 0) {
        uint8_t status = words[0][0] == 'f' ? LEDGER_STATUS_FROZEN : LEDGER_STATUS_OPEN;
        account_command(shop, LEDGER_ACCOUNT_STATUS, name, false, status, 0, 0);
        return true;
    }
    if (strcmp(words[0], "give") == 0) {
        account_command(shop, LEDGER_ACCOUNT_MOVE, words[1], false, 0, strtoll(words[2], NULL, 10),
                        0);
        return true;
    }
    return false;
}

static void say_other(struct shop *shop, char **words, int count)
{
    if (strcmp(words[0], "tick") == 0) {
        shop->utc_ns += strtoll(words[1], NULL, 10) * NS_PER_S;
    } else if (strcmp(words[0], "list") == 0) {
        struct ledger_command_list command = {
            .header = {.size = sizeof command, .kind = LEDGER_LIST_CHANGE},
            .list = "deny",
            .key_size = 4,
            .key = "9900",
        };
        shop_do(shop, &command, sizeof command);
    } else if (strcmp(words[0], "replay") == 0) {
        shop_replay(shop);
    } else if (strcmp(words[0], "full") == 0) {
        shop->is_full = strcmp(words[1], "on") == 0;
    } else if (strcmp(words[0], "restart") == 0) {
        shop_replay(shop);
        uint32_t bytes;
        while ((bytes = ledger_recover_open_intents(shop->state, 2, shop->utc_ns,
                                                    shop->records + shop->records_size)) != 0) {
            journal(shop, bytes);
        }
    } else if (!say_card(shop, words) && !say_account(shop, words)) {
        die(shop, "unknown line: %s (%d words)", words[0], count);
    }
}

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
        die(shop, "unknown expectation: %s", word);
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
            die(shop, "expected %s, got %s %.2s (%s)", word, kind,
                (const char *)plan->verdict.reply.reply.de39, ledger_reason_name(plan->reason));
        }
    } else if (strcmp(kind, word) != 0) {
        die(shop, "expected %s, got %s (%s)", word, kind, ledger_reason_name(plan->reason));
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
            die(shop, "expected to wake with %s", value);
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
    put_name(name, strcmp(who, "acq") == 0      ? "settlement/acquirer"
                   : strcmp(who, "demo-a") == 0 ? "settlement/demo-a"
                   : strcmp(who, "demo-b") == 0 ? "settlement/demo-b"
                                                : text);
    uint32_t row = ledger_account_find(shop->state, name);
    if (row == 0) {
        die(shop, "no account %s", who);
    }
    const struct ledger_account *account = &shop->state->accounts[row - 1];
    int64_t is[3] = {ledger_account_balance(account), account->pending_debit,
                     account->pending_credit};
    const char *const keys[3] = {"bal", "held", "pend"};
    for (int i = 0; i < 3; i++) {
        if (value_of(words, count, keys[i]) != NULL &&
            number_of(words, count, keys[i], 0) != is[i]) {
            die(shop, "%s: %s is %lld", who, keys[i], (long long)is[i]);
        }
    }
}

static void expect_state(struct shop *shop, char **words, int count)
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
        if (value_of(words, count, kinds[kind]) != NULL &&
            number_of(words, count, kinds[kind], 0) != is) {
            die(shop, "exceptions %s: %u", kinds[kind], is);
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
        if (value_of(words, count, counts[i].key) != NULL &&
            number_of(words, count, counts[i].key, 0) != counts[i].is) {
            die(shop, "%s is %u", counts[i].key, counts[i].is);
        }
    }
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
        expect_state(shop, words, count);
    } else if (words[0][0] == '0') {
        say_request(shop, words, said);
    } else if (strcmp(words[0], "out") == 0 || strcmp(words[0], "late") == 0) {
        say_outcome(shop, words, said);
    } else if (strcmp(words[0], "pull") == 0 || strcmp(words[0], "ack") == 0) {
        say_saf(shop, words, said);
    } else {
        say_other(shop, words, said);
    }
    if (arrow >= 0) {
        expect_kind(shop, words[arrow]);
        for (int i = arrow + 1; i < count; i++) {
            expect_word(shop, words[i]);
        }
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
    put_name(options->parties[0].settlement_account, "settlement/acquirer");
    put_name(options->endpoints[0].settlement_account, "settlement/demo-a");
    put_name(options->endpoints[1].settlement_account, "settlement/demo-b");
    options->endpoints[0].reversal_mti = 420;
    options->endpoints[1].reversal_mti = 400;
    options->endpoints[0].next_attempt_after = 7;
    shop->memory_mark = mem_mark();
    shop->state = ledger_state_create(limits, 5);
    ledger_state_configure(shop->state, options);
    shop->spare = ledger_state_create(limits, 99);
    ledger_state_configure(shop->spare, options);
    shop->now = (struct ledger_now){.epoch = 1, .batch = 1};
    account_command(shop, LEDGER_ACCOUNT_CREATE, "house/cash", true, 0, 0, 0);
    account_command(shop, LEDGER_ACCOUNT_CREATE, "settlement/acquirer", true, 0, 0, 0);
    account_command(shop, LEDGER_ACCOUNT_CREATE, "settlement/demo-a", true, 0, 0, 0);
    account_command(shop, LEDGER_ACCOUNT_CREATE, "settlement/demo-b", true, 0, 0, 0);
    for (int64_t k = 1; k <= 5; k++) {
        char account[32];
        snprintf(account, sizeof account, "card/%lld", (long long)k);
        account_command(shop, LEDGER_ACCOUNT_CREATE, account, false, 0, 0, 0);
        account_command(shop, LEDGER_ACCOUNT_MOVE, account, false, 0, k == 5 ? 100 : 100000000, 0);
        card_command(shop, k, account, k == 4 ? 2001 : 3012);
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
