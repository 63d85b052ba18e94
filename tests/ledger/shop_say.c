/* shop_say.c - lines of a script that become commands. See shop.h. */
#include "shop_internal.h"

#include "base/clock.h"
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- words ----------------------------------------------------------------------------------- */

const char *shop_value(char *const *words, int count, const char *key)
{
    size_t size = strlen(key);
    for (int i = 0; i < count; i++) {
        if (strncmp(words[i], key, size) == 0 && (words[i][size] == '=' || words[i][size] == 0)) {
            return words[i][size] == '=' ? words[i] + size + 1 : "";
        }
    }
    return NULL;
}

int64_t shop_number(char *const *words, int count, const char *key, int64_t otherwise)
{
    const char *value = shop_value(words, count, key);
    return value == NULL ? otherwise : strtoll(value, NULL, 10);
}

static uint8_t check_of(char *const *words, int count, const char *key)
{
    static const char *const names[] = {"none", "ok", "wrong", "bad", "down"};
    const char *value = shop_value(words, count, key);
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
    int64_t time = shop_number(words, count, "t", m->stan + 80000);
    const char *de90 = shop_value(words, count, "de90"); /* mti:stan:de7 */
    const char *remains = shop_value(words, count, "remains");
    request->replay_key =
        hash_of("replay %s %lld %lld %lld %s", m->de32, (long long)class, (long long)m->stan,
                (long long)(time != 0 ? time : m->de7), m->rrn == NULL ? "" : m->rrn);
    request->content =
        hash_of("content %lld %lld %lld %s %s %s %lld", (long long)m->k, (long long)m->p,
                (long long)m->amount, de90 ? de90 : "", remains ? remains : "",
                shop_value(words, count, "to") ? shop_value(words, count, "to") : "",
                (long long)shop_number(words, count, "cur", 398))
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
    request->card_version = (uint32_t)shop_number(words, count, "version", UINT32_MAX);
    request->ref_batch = (uint64_t)shop_number(words, count, "ref", INT64_MAX);
    request->party = (uint16_t)shop_number(words, count, "party", 0);
    request->currency = (uint16_t)shop_number(words, count, "cur", 398);
    request->expiry = (uint16_t)shop_number(words, count, "exp", 0);
    request->mti = (uint16_t)m->mti;
    request->class = class_of(m->mti);
    request->pin = check_of(words, count, "pin");
    request->cvv = check_of(words, count, "cvv");
    request->cvv2 = check_of(words, count, "cvv2");
    request->flags |= request->cvv2 != LEDGER_CHECK_NONE ? LEDGER_REQUEST_ASKS_CVV2 : 0u;
    request->flags |= shop_value(words, count, "exp") != NULL ? LEDGER_REQUEST_HAS_EXPIRY : 0u;
    request->flags |= m->mti % 10 == 1 ? LEDGER_REQUEST_REPEAT : 0u;
    request->flags |= m->mti / 10 % 10 == 2 ? LEDGER_REQUEST_IS_ADVICE : 0u;
    request->flags |= m->rrn != NULL ? LEDGER_REQUEST_HAS_RRN : 0u;
    memcpy(request->rrn, "OURS00000000", 12);
    if (m->rrn != NULL) {
        memset(request->rrn, ' ', sizeof request->rrn);
        memcpy(request->rrn, m->rrn, strlen(m->rrn));
    }
    memcpy(request->de39, "00", 2);
    const char *de39 = shop_value(words, count, "de39"), *de38 = shop_value(words, count, "de38");
    if (de39 != NULL) {
        memcpy(request->de39, de39, 2);
    }
    if (de38 != NULL) {
        request->flags |= LEDGER_REQUEST_HAS_DE38;
        memcpy(request->de38, de38, 6);
    }
    if (shop_value(words, count, "to") != NULL) {
        shop_put_name(request->transfer_to, shop_value(words, count, "to"));
    }
    for (uint32_t i = 0; i < countof(flags); i++) {
        if (shop_value(words, count, flags[i].word) != NULL) {
            request->flags |= flags[i].flag;
            request->findings |= flags[i].finding;
        }
    }
}

static void put_routes_and_counts(struct ledger_request *request, const struct message *m,
                                  char *const *words, int count)
{
    const char *fwd = shop_value(words, count, "fwd");
    if (fwd == NULL) {
        request->flags |= LEDGER_REQUEST_ON_US;
    } else {
        for (; *fwd != 0; fwd++) {
            request->routes[request->routes_count++] = (uint8_t)(*fwd - 'a');
        }
    }
    int64_t max = shop_number(words, count, "count", 0);
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
        .k = shop_number(words, count, "k", 1),
        .stan = shop_number(words, count, "stan", ++shop->next_stan + 500),
        .p = shop_number(words, count, "p", 0),
        .amount = shop_number(words, count, "amt", 10000),
        .rrn = shop_value(words, count, "rrn"),
        .de32 = "123456",
    };
    m.de7 = shop_number(words, count, "de7", 1121030000 + m.stan);
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
                   : shop_value(words, count, "fwd") != NULL ? LEDGER_INTENT
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
        .attempt = (uint8_t)shop_number(words, count, "attempt", shop->attempt_of_stan[stan]),
    };
    const char *declined = shop_value(words, count, "declined");
    if (shop_value(words, count, "approved") != NULL) {
        memcpy(command.de39, "00", 2);
        memcpy(command.de38, "SCHEME", 6);
        command.has_de38 = 1;
    } else if (shop_value(words, count, "part") != NULL) {
        memcpy(command.de39, "10", 2);
        command.amount_minor = shop_number(words, count, "part", 0);
    } else if (declined != NULL) {
        command.outcome = LEDGER_OUTCOME_DECLINED;
        memcpy(command.de39, declined, 2);
    } else if (shop_value(words, count, "technical") != NULL) {
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
        .item =
            !is_pull || shop_value(words, count, "back") != NULL ? shop->item_last[endpoint] : 0,
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

void shop_account(struct shop *shop, enum ledger_command_kind kind, const char *name, bool is_house,
                  uint8_t status, int64_t amount_minor)
{
    struct ledger_command_account command = {
        .header = {.size = sizeof command, .kind = (uint16_t)kind},
        .currency = 398,
        .is_house = is_house,
        .status = status,
        .amount_minor = amount_minor,
    };
    shop_put_name(command.name, name);
    shop_put_name(command.counter, "house/cash");
    shop_do(shop, &command, sizeof command);
}

void shop_card(struct shop *shop, int64_t k, const char *account, uint16_t expiry)
{
    struct ledger_command_card command = {
        .header = {.size = sizeof command, .kind = LEDGER_CARD_CREATE},
        .card = card_key(k),
        .expiry = expiry,
        .service_code = 201,
        .pvki = 1,
    };
    shop_put_name(command.account, account);
    shop_do(shop, &command, sizeof command);
}

static bool say_account(struct shop *shop, char **words)
{
    char name[32];
    snprintf(name, sizeof name, "card/%s", words[1]);
    if (strcmp(words[0], "freeze") == 0 || strcmp(words[0], "thaw") == 0) {
        uint8_t status = words[0][0] == 'f' ? LEDGER_STATUS_FROZEN : LEDGER_STATUS_OPEN;
        shop_account(shop, LEDGER_ACCOUNT_STATUS, name, false, status, 0);
        return true;
    }
    if (strcmp(words[0], "give") == 0) {
        shop_account(shop, LEDGER_ACCOUNT_MOVE, words[1], false, 0, strtoll(words[2], NULL, 10));
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
            shop_journal(shop, bytes);
        }
    } else if (!say_card(shop, words) && !say_account(shop, words)) {
        shop_die(shop, "unknown line: %s (%d words)", words[0], count);
    }
}

void shop_say(struct shop *shop, char **words, int count)
{
    if (words[0][0] == '0') {
        say_request(shop, words, count);
    } else if (strcmp(words[0], "out") == 0 || strcmp(words[0], "late") == 0) {
        say_outcome(shop, words, count);
    } else if (strcmp(words[0], "pull") == 0 || strcmp(words[0], "ack") == 0) {
        say_saf(shop, words, count);
    } else {
        say_other(shop, words, count);
    }
}
