/* explain.c - a set for people: its rows, and why one of them fired or did not. Control thread. */
#include "rules/ruleset.h"

#include <stdio.h>
#include <string.h>

uint32_t rules_rows_count(const struct rules *rules)
{
    return rules->rows_count;
}

struct rule_row rules_row(const struct rules *rules, uint16_t row)
{
    must(row < rules->rows_count);
    const struct rule_compiled *compiled = &rules->rows[row];
    return (struct rule_row){
        .kind = (enum rule_row_kind)compiled->kind,
        .id = compiled->id,
        .name = compiled->name,
        .reason = compiled->reason < RULE_REASONS_COUNT ? rule_reasons[compiled->reason].name : "",
        .file = compiled->file,
        .line = compiled->line};
}

uint32_t rules_counters_count(const struct rules *rules)
{
    return rules->counters_count;
}

const char *rules_counter_name(const struct rules *rules, uint16_t counter)
{
    return counter < rules->counters_count ? rules->counters[counter].name : "";
}

void rules_describe(const struct rules *rules, char *out, size_t out_size)
{
    uint32_t counts[] = {rules->lists_count, rules->first_route - rules->first_limit,
                         rules->counters_count, rules->rows_count - rules->first_route};
    static const char *const nouns[] = {"list", "limit", "counter", "route"};
    size_t used = 0;
    for (size_t i = 0; i < countof(counts) && used < out_size; i++) {
        int size = snprintf(out + used, out_size - used, "%s%u %s%s", i > 0 ? ", " : "", counts[i],
                            nouns[i], counts[i] == 1 ? "" : "s");
        used += size > 0 ? (size_t)size : 0;
    }
}

static void condition_text(struct rule_pass *pass, const struct rule_condition *condition,
                           char *text, size_t text_size)
{
    char value[64];
    rule_value_print((enum rule_attr)condition->attr, &pass->values, value, sizeof value);
    (void)snprintf(text, text_size, "%s: %s", condition->source, value);
}

/* Of the last alternative; the ones before it failed too. */
static enum rule_truth when_explain(struct rule_pass *pass, struct rule_run alternatives,
                                    char *text, size_t text_size)
{
    const struct rules *rules = pass->rules;
    enum rule_truth truth = rule_when_truth(pass, alternatives);
    for (uint32_t i = 0; i < alternatives.count && truth != RULE_TRUE; i++) {
        struct rule_run run = rules->alternatives[alternatives.first + i].conditions;
        for (uint32_t k = 0; k < run.count; k++) {
            const struct rule_condition *condition = &rules->conditions[run.first + k];
            if (rule_condition_truth(pass, condition) == truth) {
                condition_text(pass, condition, text, text_size);
                return truth;
            }
        }
    }
    return truth;
}

enum rule_truth rules_explain(const struct rules *rules, const struct rule_facts *facts,
                              const struct rule_lookup *lookup, uint16_t row, char *text,
                              size_t text_size)
{
    must(row < rules->rows_count);
    const struct rule_compiled *compiled = &rules->rows[row];
    struct rule_pass pass = {.rules = rules, .lookup = lookup};
    rule_values_fetch(facts, &pass.values);
    text[0] = '\0';
    if (compiled->kind == RULE_ROW_LIST) {
        const struct rule_list *list = &rules->lists[compiled->list];
        char value[64];
        rule_value_print((enum rule_attr)list->of, &pass.values, value, sizeof value);
        if (!pass.values.of[list->of].is_present) {
            (void)snprintf(text, text_size, "%s is missing", rule_attrs[list->of].name);
            return RULE_UNKNOWN;
        }
        if (rule_list_holds(&pass, compiled->list, (enum rule_attr)list->of)) {
            return RULE_TRUE;
        }
        (void)snprintf(text, text_size, "%s in @%s: %s", rule_attrs[list->of].name, list->name,
                       value);
        return RULE_FALSE;
    }
    enum rule_truth truth = when_explain(&pass, compiled->alternatives, text, text_size);
    if (compiled->kind == RULE_ROW_LIMIT && truth == RULE_TRUE &&
        rules->maxes[compiled->max].has_amount) {
        const struct rule_max *max = &rules->maxes[compiled->max];
        const struct rule_value *amount = &pass.values.of[RULE_ATTR_AMOUNT];
        char value[64];
        rule_value_print(RULE_ATTR_AMOUNT, &pass.values, value, sizeof value);
        (void)snprintf(text, text_size, "at most %lld minor units of %03u: %s",
                       (long long)max->amount_minor, max->currency, value);
        if (!amount->is_present || pass.values.currency != max->currency) {
            return RULE_UNKNOWN;
        }
        truth = amount->number > (uint64_t)max->amount_minor ? RULE_TRUE : RULE_FALSE;
    }
    return truth;
}
