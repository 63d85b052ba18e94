/* when.c - a `when`: conditions and groups to at most sixteen alternatives.
 *
 * DESIGN  Negation is pushed to the conditions, then `any` adds alternatives and `all` multiplies
 * them: in three-valued logic these laws hold as in two-valued. Numbers of alternatives only grow
 * on the way up, so the limit can be applied at once. Groups nest no deeper than a file does. */
#include "rules/compile.h"

#include <stdlib.h>
#include <string.h>

struct alternative {
    uint32_t count;
    struct rule_condition conditions[RULES_PER_ALTERNATIVE_MAX];
};
struct forms {       /* of a part of the tree */
    uint64_t wanted; /* how many there are, also beyond the limit */
    uint32_t count;
    struct alternative items[RULES_ALTERNATIVES_MAX];
};

struct reading {
    struct compiler *compiler;
    uint32_t stage;
    bool good;
    struct conf_place place;
};

static void part_read(struct reading *reading, const struct conf_node *node, bool is_positive,
                      struct forms *out);
static void sequence_read(struct reading *reading, const struct conf_node *node, bool is_all,
                          bool is_positive, struct forms *out);
static bool forms_keep(struct reading *reading, const struct forms *forms, struct rule_run *out);

bool rule_when_read(struct compiler *compiler, const struct conf_node *rule, uint32_t stage,
                    struct rule_run *out)
{
    const struct conf_node *when = conf_node_get(rule, "when");
    struct forms *forms = calloc(1, sizeof *forms);
    must(forms != NULL);
    struct reading reading = {compiler, stage, true, when != NULL ? when->place : rule->place};
    if (when == NULL) {
        forms->wanted = forms->count = 1; /* one alternative without conditions: always */
    } else if (when->kind != CONF_SEQUENCE) {
        RULE_FAULT(compiler, when->place, "E004", "\"when\" is a list of conditions");
        reading.good = false;
    } else {
        sequence_read(&reading, when, true, true, forms);
    }
    bool kept = reading.good && forms_keep(&reading, forms, out);
    free(forms);
    return kept;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void forms_one(struct forms *out)
{
    out->wanted = out->count = 1;
    out->items[0].count = 0;
}

static void forms_or(struct forms *sum, const struct forms *part)
{
    for (uint32_t i = 0; i < part->count && sum->count < RULES_ALTERNATIVES_MAX; i++) {
        sum->items[sum->count++] = part->items[i];
    }
    sum->wanted = sum->wanted + part->wanted;
}

static void forms_and(struct reading *reading, struct forms *product, const struct forms *part)
{
    struct forms *both = calloc(1, sizeof *both);
    must(both != NULL);
    both->wanted = product->wanted * part->wanted;
    for (uint32_t i = 0; i < product->count; i++) {
        for (uint32_t k = 0; k < part->count && both->count < RULES_ALTERNATIVES_MAX; k++) {
            const struct alternative *left = &product->items[i], *right = &part->items[k];
            struct alternative *item = &both->items[both->count++];
            if (left->count + right->count > RULES_PER_ALTERNATIVE_MAX) {
                RULE_FAULT(reading->compiler, reading->place, "E024",
                           "more than %u conditions together", RULES_PER_ALTERNATIVE_MAX);
                reading->good = false;
                free(both);
                return;
            }
            memcpy(item->conditions, left->conditions, left->count * sizeof left->conditions[0]);
            memcpy(item->conditions + left->count, right->conditions,
                   right->count * sizeof right->conditions[0]);
            item->count = left->count + right->count;
        }
    }
    *product = *both;
    free(both);
}

/* all of them, or any of them; negated: the other way round, of negated parts (De Morgan). */
static void sequence_read(struct reading *reading, const struct conf_node *node, bool is_all,
                          bool is_positive, struct forms *out)
{
    bool multiply = is_all == is_positive;
    struct forms *part = calloc(1, sizeof *part);
    must(part != NULL);
    *out = (struct forms){0};
    if (multiply || node->first == NULL) {
        forms_one(out);
    }
    for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
        part_read(reading, child, is_positive, part);
        if (!reading->good) {
            continue; /* further faults are worth telling */
        }
        if (multiply) {
            forms_and(reading, out, part);
        } else {
            forms_or(out, part);
        }
        if (out->wanted > RULES_ALTERNATIVES_MAX) {
            RULE_FAULT(reading->compiler, reading->place, "E024",
                       "this rule opens into more than %u alternatives", RULES_ALTERNATIVES_MAX);
            reading->good = false;
        }
    }
    free(part);
}

static void group_read(struct reading *reading, const struct conf_node *node, bool is_positive,
                       struct forms *out)
{
    const struct conf_node *list = node->first;
    struct compiler *compiler = reading->compiler;
    if (node->children_count != 1) {
        RULE_FAULT(compiler, node->place, "E004", "one of any, all, not");
        reading->good = false;
        return;
    }
    bool is_any = strcmp(list->key, "any") == 0, is_not = strcmp(list->key, "not") == 0;
    if ((!is_any && !is_not && strcmp(list->key, "all") != 0) || list->kind != CONF_SEQUENCE ||
        list->first == NULL) {
        RULE_FAULT(compiler, node->place, "E004",
                   "unknown group \"%s\"; use any, all or not with a list", list->key);
        reading->good = false;
        return;
    }
    sequence_read(reading, list, !is_any, is_not ? !is_positive : is_positive, out);
}

static void part_read(struct reading *reading, const struct conf_node *node, bool is_positive,
                      struct forms *out)
{
    *out = (struct forms){0};
    switch (node->kind) {
    case CONF_SEQUENCE:
        sequence_read(reading, node, true, is_positive, out);
        return;
    case CONF_MAPPING:
        group_read(reading, node, is_positive, out);
        return;
    case CONF_SCALAR:
        forms_one(out);
        if (!rule_condition_read(reading->compiler, node, reading->stage,
                                 &out->items[0].conditions[0])) {
            reading->good = false;
            return;
        }
        out->items[0].count = 1;
        if (!is_positive) {
            out->items[0].conditions[0].is_negated = !out->items[0].conditions[0].is_negated;
        }
        return;
    }
}

/* ---- into the set ---------------------------------------------------------------------------- */

static bool alternative_keep(struct reading *reading, const struct alternative *item)
{
    struct rules *rules = reading->compiler->rules;
    if (rules->conditions_count + item->count > RULES_CONDITIONS_MAX ||
        rules->alternatives_count == RULES_CONDITIONS_MAX) {
        RULE_FAULT(reading->compiler, reading->place, "E001", "more than %u conditions",
                   RULES_CONDITIONS_MAX);
        return false;
    }
    memcpy(rules->conditions + rules->conditions_count, item->conditions,
           item->count * sizeof item->conditions[0]);
    rules->alternatives[rules->alternatives_count++] =
        (struct rule_alternative){{rules->conditions_count, item->count}};
    rules->conditions_count += item->count;
    return true;
}

static bool forms_keep(struct reading *reading, const struct forms *forms, struct rule_run *out)
{
    struct compiler *compiler = reading->compiler;
    struct rule_run run = {compiler->rules->alternatives_count, 0};
    uint32_t dead_count = 0;
    for (uint32_t i = 0; i < forms->count; i++) { /* a dead one may still be unknown: it is kept */
        const struct alternative *item = &forms->items[i];
        dead_count += rule_contradicts(compiler->rules, item->conditions, item->count);
        if (!alternative_keep(reading, item)) {
            return false;
        }
        run.count++;
    }
    if (dead_count == run.count) {
        RULE_FAULT(compiler, reading->place, "E020", "these conditions can never hold together");
        return false;
    }
    if (dead_count > 0) {
        RULE_FAULT(compiler, reading->place, "W062", "one alternative can never hold");
    }
    *out = run;
    return true;
}
