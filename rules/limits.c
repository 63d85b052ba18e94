/* limits.c - limits.yaml: counters that the shard keeps, and what a message may not exceed. */
#include "rules/compile.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "conf/setting.h"

#include <openssl/evp.h>
#include <string.h>

#define STAGE_LIMITS    3u
#define STAGE_COUNTED   4u /* a counter's `when` is looked at when everything is known */
#define WINDOW_DAYS_MAX 90

static void counters_read(struct compiler *compiler, const struct conf_node *counters);
static void limit_read(struct compiler *compiler, const struct conf_node *rule);
static void reserve_check(struct compiler *compiler, const struct conf_node *reserve);

void rule_limits_read(struct compiler *compiler)
{
    const struct conf_node *root = compiler->limits;
    const struct conf_node *counters = conf_node_get(root, "counters"),
                           *rules = conf_node_get(root, "rules"),
                           *reserve = conf_node_get(root, "reserve"),
                           *base = conf_node_get(root, "base_currency");
    uint16_t currency;
    uint32_t decimals;
    if (base != NULL && rule_is_scalar(compiler, base) &&
        !rule_currency_find(base->text, &currency, &decimals)) {
        RULE_FAULT(compiler, base->place, "E017", "unknown currency \"%s\"", base->text);
    }
    if (counters != NULL) {
        counters_read(compiler, counters);
    }
    if (rules != NULL && rules->kind != CONF_SEQUENCE) {
        RULE_FAULT(compiler, rules->place, "E005", "rules are a list");
    } else if (rules != NULL) {
        for (const struct conf_node *rule = rules->first; rule != NULL; rule = rule->next) {
            limit_read(compiler, rule);
        }
    }
    if (reserve != NULL) {
        reserve_check(compiler, reserve);
    }
}

uint16_t rule_counter_find(const struct rules *rules, const char *name)
{
    for (uint16_t i = 0; i < rules->counters_count; i++) {
        if (strcmp(rules->counters[i].name, name) == 0) {
            return i;
        }
    }
    return RULES_NONE;
}

/* ---- counters -------------------------------------------------------------------------------- */

static void counter_keys_read(struct compiler *compiler, const struct conf_node *node,
                              struct rule_counter *counter)
{
    if (node->kind != CONF_SEQUENCE || node->first == NULL ||
        node->children_count > RULES_COUNTER_KEYS_MAX) {
        RULE_FAULT(compiler, node->place, "E005", "key is a list of 1 to %u fields",
                   RULES_COUNTER_KEYS_MAX);
        return;
    }
    for (const struct conf_node *key = node->first; key != NULL; key = key->next) {
        if (rule_is_scalar(compiler, key) &&
            rule_attr_find(compiler, key->place, key->text, STAGE_LIMITS,
                           &counter->keys[counter->keys_count])) {
            counter->keys_count++;
        }
    }
}

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void measure_check(struct compiler *compiler, const struct conf_node *counter,
                          const struct conf_node *measure)
{
    if (!rule_is_scalar(compiler, measure) || strcmp(measure->text, "count") == 0) {
        return;
    }
    if (starts(measure->text, "distinct(") && conf_node_get(counter, "cap") == NULL) {
        RULE_FAULT(compiler, counter->place, "E037",
                   "distinct needs a cap (how many values are kept)");
    } else if (starts(measure->text, "sum(") || starts(measure->text, "distinct(")) {
        RULE_FAULT(compiler, measure->place, RULES_NO_CODE,
                   "a counter can only count in this version");
    } else {
        RULE_FAULT(compiler, measure->place, "E012",
                   "measure is count, sum(field) or distinct(field)");
    }
}

static void window_read(struct compiler *compiler, const struct conf_node *node,
                        struct rule_counter *counter)
{
    static const char *const known[] = {"sliding", "buckets", NULL};
    static const char *const later[] = {"calendar", "zone", "until_reset", NULL};
    static const struct rule_keys keys = {known, later, "window"};
    if (!rule_keys_check(compiler, node, &keys)) {
        return;
    }
    const struct conf_node *sliding = conf_node_get(node, "sliding"),
                           *buckets = conf_node_get(node, "buckets");
    int64_t window_ns;
    uint64_t count = 10; /* when nothing is said */
    if (sliding == NULL) {
        if (node->first == NULL || conf_node_get(node, "buckets") != NULL) {
            RULE_FAULT(compiler, node->place, "E005", "window: \"sliding\" is required");
        }
        return;
    }
    if (!rule_is_scalar(compiler, sliding) || !conf_value_duration(sliding->text, &window_ns) ||
        window_ns < NS_PER_S || window_ns % NS_PER_S != 0) {
        RULE_FAULT(compiler, sliding->place, "E012", "not a duration of whole seconds: \"%s\"",
                   sliding->text);
        return;
    }
    if (window_ns > WINDOW_DAYS_MAX * 86400 * NS_PER_S) {
        RULE_FAULT(compiler, node->place, "E037", "the longest window is %dd", WINDOW_DAYS_MAX);
        return;
    }
    counter->window_s = (uint32_t)(window_ns / NS_PER_S);
    if (buckets != NULL &&
        (!rule_is_scalar(compiler, buckets) || !conf_value_count(buckets->text, &count) ||
         count == 0 || count > RULES_BUCKETS_MAX)) {
        RULE_FAULT(compiler, buckets->place, "E012", "buckets are 1 to %u", RULES_BUCKETS_MAX);
        return;
    }
    if (counter->window_s % count != 0) {
        RULE_FAULT(compiler, node->place, "E012",
                   "%u seconds do not divide into %u buckets of whole seconds", counter->window_s,
                   (unsigned)count);
        return;
    }
    counter->buckets = (uint16_t)count;
}

/* A counter is known by its declaration: a changed one counts afresh. */
static uint64_t declaration_of(const struct conf_node *node)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    rule_digest_node(context, node);
    must(EVP_DigestFinal_ex(context, digest, NULL) == 1);
    EVP_MD_CTX_free(context);
    return load_be64(digest);
}

/* Some alternative lets every card count: the table needs room for all of them. */
static bool counts_every_card(const struct rules *rules, const struct rule_counter *counter)
{
    bool by_card = false;
    for (uint32_t i = 0; i < counter->keys_count; i++) {
        by_card = by_card || counter->keys[i] == RULE_ATTR_CARD_KEY;
    }
    for (uint32_t i = 0; i < counter->alternatives.count && by_card; i++) {
        struct rule_run run = rules->alternatives[counter->alternatives.first + i].conditions;
        bool listed = false;
        for (uint32_t k = 0; k < run.count; k++) {
            const struct rule_condition *condition = &rules->conditions[run.first + k];
            listed = listed || (condition->test == RULE_IN_LIST && !condition->is_negated);
        }
        if (!listed) {
            return true;
        }
    }
    return false;
}

static void counter_read(struct compiler *compiler, const struct conf_node *node)
{
    static const char *const known[] = {"key!", "measure!", "of!", "when", "window!", NULL};
    static const char *const later[] = {"cap", NULL};
    static const struct rule_keys keys = {known, later, "a counter"};
    const struct rules_options *options = compiler->options;
    struct rules *rules = compiler->rules;
    struct rule_counter counter = {.name = "", .place = node->key_place};
    if (!rule_keys_check(compiler, node, &keys)) {
        return;
    }
    const struct conf_node *key = conf_node_get(node, "key"), *of = conf_node_get(node, "of"),
                           *measure = conf_node_get(node, "measure"),
                           *window = conf_node_get(node, "window");
    if (key != NULL) {
        counter_keys_read(compiler, key, &counter);
    }
    if (measure != NULL) {
        measure_check(compiler, node, measure);
    }
    if (of != NULL && rule_is_scalar(compiler, of) && strcmp(of->text, "approved") != 0) {
        bool is_later = strcmp(of->text, "declined") == 0 || strcmp(of->text, "attempted") == 0;
        RULE_FAULT(compiler, of->place, is_later ? RULES_NO_CODE : "E013",
                   is_later ? "a counter can only count what is approved in this version"
                            : "of is approved, declined or attempted");
    }
    if (window != NULL) {
        window_read(compiler, window, &counter);
    }
    rule_when_read(compiler, node, STAGE_COUNTED, &counter.alternatives);
    counter.declaration = declaration_of(node);
    if (rules->counters_count == RULES_COUNTERS_MAX) {
        RULE_FAULT(compiler, node->key_place, RULES_NO_CODE,
                   "more than %u counters are not in this version", RULES_COUNTERS_MAX);
        return;
    }
    if (options->counter_slots_max > 0 && options->cards_max > options->counter_slots_max &&
        counts_every_card(rules, &counter)) {
        RULE_FAULT(compiler, node->key_place, "E080",
                   "counter \"%s\" may need a value for each of %u cards; limits.counters is %u",
                   node->key, options->cards_max, options->counter_slots_max);
    }
    const char *name = rule_text_keep(compiler, node->key_place, node->key);
    if (name != NULL) {
        counter.name = name;
        rules->counters[rules->counters_count++] = counter;
    }
}

static void counters_read(struct compiler *compiler, const struct conf_node *counters)
{
    if (counters->kind != CONF_MAPPING) {
        RULE_FAULT(compiler, counters->place, "E005", "counters is a mapping: `NAME: {…}` lines");
        return;
    }
    for (const struct conf_node *node = counters->first; node != NULL; node = node->next) {
        counter_read(compiler, node);
    }
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void max_count_read(struct compiler *compiler, const struct conf_node *node,
                           struct rule_max *max)
{
    uint16_t counter = rule_counter_find(compiler->rules, node->key + 4);
    uint64_t count;
    if (counter == RULES_NONE) {
        const char *names[RULES_COUNTERS_MAX];
        char meant[CONF_PATH_BYTES];
        for (uint32_t i = 0; i < compiler->rules->counters_count; i++) {
            names[i] = compiler->rules->counters[i].name;
        }
        RULE_FAULT(compiler, node->key_place, "E016", "there is no counter \"%s\"%s", node->key + 4,
                   rule_meant(node->key + 4, names, compiler->rules->counters_count, meant));
        return;
    }
    compiler->rules->counters[counter].is_used = true;
    if (!rule_is_scalar(compiler, node)) {
        return;
    }
    if (strspn(node->text, "0123456789_") != strlen(node->text) ||
        !conf_value_count(node->text, &count) || count == 0 || count > UINT16_MAX) {
        RULE_FAULT(compiler, node->place, "E012", "not a whole number of 1 to 65535: \"%s\"",
                   node->text);
        return;
    }
    max->counts[counter] = (uint32_t)count;
}

static bool max_read(struct compiler *compiler, const struct conf_node *node, struct rule_max *max,
                     bool *counts)
{
    *counts = false;
    if (node->kind != CONF_MAPPING || node->first == NULL) {
        RULE_FAULT(compiler, node->place, "E005", "max is a mapping: `amount: 500 KZT`");
        return false;
    }
    for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
        uint8_t attr;
        struct rule_money money;
        if (starts(child->key, "vel.")) {
            *counts = true;
            max_count_read(compiler, child, max);
        } else if (strcmp(child->key, "amount") == 0) {
            if (rule_is_scalar(compiler, child) &&
                rule_money_read(compiler, child->place, child->text, &money)) {
                max->has_amount = true;
                max->currency = money.currency;
                max->amount_minor = money.amount_minor;
            }
        } else if (rule_attr_find(compiler, child->key_place, child->key, STAGE_LIMITS, &attr)) {
            RULE_FAULT(compiler, child->key_place, RULES_NO_CODE,
                       "a limit on \"%s\" is not in this version", child->key);
        }
    }
    return true;
}

/* The shard answers 61 for an amount and 65 for a count; a rule cannot say otherwise. */
static void limit_reason_check(struct compiler *compiler, const struct conf_node *rule,
                               const struct rule_max *max, bool counts, struct rule_compiled *row)
{
    const struct conf_node *reason = conf_node_get(rule, "reason");
    enum rule_reason wanted = counts ? RULE_REASON_COUNT_LIMIT : RULE_REASON_AMOUNT_LIMIT;
    if (max->has_amount && counts) {
        RULE_FAULT(compiler, rule->place, RULES_NO_CODE,
                   "an amount and a count in one rule are not in this version; make it two");
        return;
    }
    enum rule_reason found = reason != NULL ? rule_reason_find(compiler, reason) : wanted;
    if (found != RULE_REASONS_COUNT && found != wanted) {
        RULE_FAULT(compiler, reason->place, RULES_NO_CODE,
                   "this limit declines with %s in this version", rule_reasons[wanted].name);
    }
    row->reason = (uint8_t)wanted;
}

static bool unknown_read(struct compiler *compiler, const struct conf_node *rule)
{
    const struct conf_node *node = conf_node_get(rule, "unknown");
    if (node == NULL) {
        return false;
    }
    if (strcmp(node->text, "match") != 0) {
        RULE_FAULT(compiler, node->place, "E013", "unknown: match is the only value");
    }
    return true;
}

static void limit_read(struct compiler *compiler, const struct conf_node *rule)
{
    static const char *const known[] = {"id!", "name", "when", "max!", "reason", "unknown", NULL};
    static const char *const later[] = {"by", "also", "mode", NULL};
    static const struct rule_keys keys = {known, later, "a limit"};
    struct rules *rules = compiler->rules;
    struct rule_max max = {0};
    bool counts;
    if (!rule_keys_check(compiler, rule, &keys)) {
        return;
    }
    const char *id = rule_id_take(compiler, rule), *name = conf_node_text(rule, "name");
    const struct conf_node *max_node = conf_node_get(rule, "max");
    struct rule_run alternatives = {0};
    bool good = rule_when_read(compiler, rule, STAGE_LIMITS, &alternatives);
    if (max_node == NULL || conf_node_get(rule, "by") != NULL ||
        !max_read(compiler, max_node, &max, &counts)) {
        return;
    }
    struct rule_compiled *row =
        rule_row_add(compiler, RULE_ROW_LIMIT, rule, id, name != NULL ? name : "");
    if (row == NULL) {
        return;
    }
    limit_reason_check(compiler, rule, &max, counts, row);
    row->unknown_matches = unknown_read(compiler, rule);
    if (good) {
        row->alternatives = alternatives;
        row->max = (uint16_t)rules->maxes_count;
        rules->maxes[rules->maxes_count++] = max;
    }
}

/* What is due with the shard as it is; anything else would be a wish. */
static void reserve_check(struct compiler *compiler, const struct conf_node *reserve)
{
    static const char *const known[] = {"approved", "declined", "reversed", "timeout", NULL};
    static const char *const words[] = {"commit", "release", "release", "hold"};
    static const char *const later[] = {"expire", NULL};
    static const struct rule_keys keys = {known, later, "reserve"};
    if (!rule_keys_check(compiler, reserve, &keys)) {
        return;
    }
    for (size_t i = 0; i < countof(words); i++) {
        const struct conf_node *node = conf_node_get(reserve, known[i]);
        if (node != NULL && strcmp(node->text, words[i]) != 0) {
            RULE_FAULT(compiler, node->place, RULES_NO_CODE,
                       "%s: \"%s\" is not in this version; it is %s", known[i], node->text,
                       words[i]);
        }
    }
}
