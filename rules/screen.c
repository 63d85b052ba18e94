/* screen.c - what the rules say to one message. Any worker; no allocation.
 *
 * DESIGN  The attributes are fetched once; conditions are tested in order and a rule is left at the
 * first alternative that holds. A list of the ledger is asked at most once a message. */
#include "rules/ruleset.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

static void screen_lists(struct rule_pass *pass, struct rule_outcome *out);
static void screen_limits(struct rule_pass *pass, uint32_t maxes[RULES_COUNTERS_MAX],
                          struct rule_outcome *out);
static void screen_counters(struct rule_pass *pass, const uint32_t maxes[RULES_COUNTERS_MAX],
                            struct rule_outcome *out);
static void screen_route(struct rule_pass *pass, struct rule_outcome *out);

void rules_screen(const struct rules *rules, const struct rule_facts *facts,
                  const struct rule_lookup *lookup, struct rule_outcome *out)
{
    struct rule_pass pass = {.rules = rules, .lookup = lookup};
    uint32_t maxes[RULES_COUNTERS_MAX] = {0};
    memset(out, 0, sizeof *out);
    out->denied_by = out->over_amount_by = out->routed_by = RULES_NONE;
    if (rules->routes_by_on_us) {
        out->is_on_us = facts->card_is_on_us;
        out->findings = facts->card_is_on_us ? 0 : RULE_FOUND_NO_ROUTE;
        return;
    }
    rule_values_fetch(facts, &pass.values);
    screen_lists(&pass, out);
    screen_limits(&pass, maxes, out);
    screen_counters(&pass, maxes, out);
    screen_route(&pass, out);
}

static void screen_lists(struct rule_pass *pass, struct rule_outcome *out)
{
    const struct rules *rules = pass->rules;
    for (uint16_t i = 0; i < rules->first_limit; i++) {
        const struct rule_list *list = &rules->lists[rules->rows[i].list];
        if (pass->values.of[list->of].is_present &&
            rule_list_holds(pass, rules->rows[i].list, (enum rule_attr)list->of)) {
            out->findings |= RULE_FOUND_DENIED;
            out->denied_by = i;
            return; /* the first hit gives the reason */
        }
    }
}

static void screen_limits(struct rule_pass *pass, uint32_t maxes[RULES_COUNTERS_MAX],
                          struct rule_outcome *out)
{
    const struct rules *rules = pass->rules;
    for (uint32_t i = rules->first_limit; i < rules->first_route; i++) {
        const struct rule_compiled *row = &rules->rows[i];
        const struct rule_max *max = &rules->maxes[row->max];
        enum rule_truth truth = rule_when_truth(pass, row->alternatives);
        const struct rule_value *amount = &pass->values.of[RULE_ATTR_AMOUNT];
        if (max->has_amount && truth != RULE_FALSE) {
            /* Another currency cannot be compared: unknown. */
            bool is_known = amount->is_present && pass->values.currency == max->currency;
            if (is_known && amount->number <= (uint64_t)max->amount_minor) {
                truth = RULE_FALSE;
            } else if (!is_known) {
                truth = RULE_UNKNOWN;
            }
        }
        if (truth == RULE_FALSE || (truth == RULE_UNKNOWN && !row->unknown_matches)) {
            continue;
        }
        if (max->has_amount && out->over_amount_by == RULES_NONE) {
            out->findings |= RULE_FOUND_OVER_AMOUNT;
            out->over_amount_by = (uint16_t)i;
        }
        for (uint32_t k = 0; k < rules->counters_count; k++) { /* the strictest counts */
            if (max->counts[k] > 0 && (maxes[k] == 0 || max->counts[k] < maxes[k])) {
                maxes[k] = max->counts[k];
            }
        }
    }
}

/* The journal keeps this hash: it must not change between versions. */
static bool counter_key(const struct rule_pass *pass, const struct rule_counter *counter,
                        uint64_t *key)
{
    uint64_t hash = counter->declaration;
    for (uint32_t i = 0; i < counter->keys_count; i++) {
        const struct rule_value *value = &pass->values.of[counter->keys[i]];
        uint8_t number[8];
        if (!value->is_present) {
            return false;
        }
        store_be64(number, value->number);
        bool is_bytes = value->bytes != NULL;
        hash =
            hash64(is_bytes ? value->bytes : number, is_bytes ? value->size : sizeof number, hash);
    }
    *key = hash;
    return true;
}

static void screen_counters(struct rule_pass *pass, const uint32_t maxes[RULES_COUNTERS_MAX],
                            struct rule_outcome *out)
{
    const struct rules *rules = pass->rules;
    for (uint16_t i = 0; i < rules->counters_count; i++) {
        const struct rule_counter *counter = &rules->counters[i];
        uint64_t key;
        if (rule_when_truth(pass, counter->alternatives) != RULE_TRUE ||
            !counter_key(pass, counter, &key)) {
            continue;
        }
        out->counts[out->counts_count++] = (struct rule_count){.declaration = counter->declaration,
                                                               .key = key,
                                                               .max = maxes[i],
                                                               .window_s = counter->window_s,
                                                               .buckets = counter->buckets,
                                                               .counter = i};
    }
}

static void screen_route(struct rule_pass *pass, struct rule_outcome *out)
{
    const struct rules *rules = pass->rules;
    for (uint32_t i = rules->first_route; i < rules->rows_count; i++) {
        const struct rule_compiled *row = &rules->rows[i];
        if (rule_when_truth(pass, row->alternatives) == RULE_TRUE) {
            out->is_on_us = row->is_on_us;
            out->routes_count = row->routes_count;
            memcpy(out->routes, row->routes, sizeof out->routes);
            out->routed_by = (uint16_t)i;
            return;
        }
    }
    out->findings |= RULE_FOUND_NO_ROUTE;
}

/* ---- conditions ------------------------------------------------------------------------------ */

enum rule_truth rule_when_truth(struct rule_pass *pass, struct rule_run alternatives)
{
    enum rule_truth best = RULE_FALSE;
    for (uint32_t i = 0; i < alternatives.count; i++) {
        struct rule_run run = pass->rules->alternatives[alternatives.first + i].conditions;
        enum rule_truth all = RULE_TRUE;
        for (uint32_t k = 0; k < run.count && all != RULE_FALSE; k++) {
            enum rule_truth one =
                rule_condition_truth(pass, &pass->rules->conditions[run.first + k]);
            all = one < all ? one : all;
        }
        best = all > best ? all : best;
        if (best == RULE_TRUE) {
            break;
        }
    }
    return best;
}

static bool ranges_hold(const struct rules *rules, struct rule_run run, uint64_t number)
{
    const struct rule_range *ranges = rules->ranges + run.first;
    uint32_t low = 0, high = run.count;
    while (low < high) { /* the last range that begins at or below the number */
        uint32_t middle = low + (high - low) / 2;
        if (ranges[middle].low <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && number <= ranges[low - 1].high;
}

static int text_order(const struct rule_value *value, const struct rule_string *string)
{
    uint32_t size = value->size < string->size ? value->size : string->size;
    int order = memcmp(value->bytes, string->text, size);
    return order != 0 ? order : value->size < string->size ? -1 : value->size > string->size;
}

static bool strings_hold(const struct rules *rules, struct rule_run run,
                         const struct rule_value *value)
{
    const struct rule_string *strings = rules->strings + run.first;
    uint32_t low = 0, high = run.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = text_order(value, &strings[middle]);
        if (order == 0) {
            return true;
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static bool values_equal(const struct rule_pass *pass, enum rule_attr a, enum rule_attr b)
{
    const struct rule_value *left = &pass->values.of[a], *right = &pass->values.of[b];
    if (left->bytes != NULL) {
        return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
    }
    return left->number == right->number;
}

enum rule_truth rule_condition_truth(struct rule_pass *pass, const struct rule_condition *condition)
{
    const struct rules *rules = pass->rules;
    enum rule_attr attr = (enum rule_attr)condition->attr;
    const struct rule_value *value = &pass->values.of[attr];
    bool holds = false;
    if (condition->test == RULE_MISSING) {
        return value->is_present == condition->is_negated ? RULE_TRUE : RULE_FALSE;
    }
    if (!value->is_present) {
        return RULE_UNKNOWN;
    }
    switch ((enum rule_test)condition->test) {
    case RULE_IN_RANGES:
        if (condition->currency != 0 && condition->currency != pass->values.currency) {
            return RULE_UNKNOWN; /* there is no rate to compare them */
        }
        holds = ranges_hold(rules, condition->values, value->number);
        break;
    case RULE_IN_STRINGS:
        holds = strings_hold(rules, condition->values, value);
        break;
    case RULE_STARTS: {
        const struct rule_string *prefix = &rules->strings[condition->values.first];
        holds =
            value->size >= prefix->size && memcmp(value->bytes, prefix->text, prefix->size) == 0;
        break;
    }
    case RULE_IN_LIST:
        holds = rule_list_holds(pass, condition->list, attr);
        break;
    case RULE_EQUALS:
        if (!pass->values.of[condition->other].is_present) {
            return RULE_UNKNOWN;
        }
        holds = values_equal(pass, attr, (enum rule_attr)condition->other);
        break;
    case RULE_MISSING:
        break;
    }
    return holds != condition->is_negated ? RULE_TRUE : RULE_FALSE;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Digits are on a list by any prefix of four or more. */
static bool ledger_holds_digits(const struct rule_pass *pass, const char *source,
                                enum rule_attr attr, uint64_t number)
{
    uint8_t digits[RULES_DIGITS];
    uint32_t most = attr == RULE_ATTR_CARD_BIN ? 8 : RULES_DIGITS;
    bytes_put_number(digits, sizeof digits, number);
    for (uint32_t size = 4; size <= most; size++) {
        if (pass->lookup->listed(pass->lookup->context, source, digits, size)) {
            return true;
        }
    }
    return false;
}

static bool ledger_holds(const struct rule_pass *pass, const struct rule_list *list,
                         enum rule_attr attr)
{
    const struct rule_value *value = &pass->values.of[attr];
    const struct rule_lookup *lookup = pass->lookup;
    if (lookup == NULL || lookup->listed == NULL) {
        return false;
    }
    switch ((enum rule_type)list->type) {
    case RULE_HASH:
    case RULE_TEXT:
        return lookup->listed(lookup->context, list->source, value->bytes, value->size);
    case RULE_MCC: {
        uint8_t digits[4];
        bytes_put_number(digits, sizeof digits, value->number);
        return lookup->listed(lookup->context, list->source, digits, sizeof digits);
    }
    case RULE_DIGITS:
        return ledger_holds_digits(pass, list->source, attr, value->number);
    case RULE_MONEY: /* no list of these has a source */
    case RULE_BOOL:
    case RULE_ENUM:
    case RULE_CURRENCY:
    case RULE_TYPES_COUNT:
        break;
    }
    return false;
}

bool rule_list_holds(struct rule_pass *pass, uint16_t index, enum rule_attr attr)
{
    const struct rule_list *list = &pass->rules->lists[index];
    const struct rule_value *value = &pass->values.of[attr];
    uint64_t bit = UINT64_C(1) << index;
    if (list->ranges.count > 0 && ranges_hold(pass->rules, list->ranges, value->number)) {
        return true;
    }
    if (list->strings.count > 0 && strings_hold(pass->rules, list->strings, value)) {
        return true;
    }
    if (list->source[0] == '\0') {
        return false;
    }
    if ((pass->list_known & bit) != 0 && pass->list_attr[index] == attr) {
        return (pass->list_true & bit) != 0;
    }
    bool holds = ledger_holds(pass, list, attr);
    pass->list_known |= bit;
    pass->list_true = holds ? pass->list_true | bit : pass->list_true & ~bit;
    pass->list_attr[index] = (uint8_t)attr;
    return holds;
}
_Static_assert(RULES_LISTS_MAX <= 64, "a bit a list");
