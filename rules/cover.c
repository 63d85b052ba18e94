/* cover.c - what conditions say together: contradictions, and rules that take everything another
 * describes. Exact for ranges and texts of one attribute; everything else is compared as it stands,
 * and doubt means "no".
 *
 * DESIGN  The conditions on ranges of one attribute are cut into one sorted set of ranges; subset
 * and emptiness are read off that. Control thread; allocates only while it looks. */
#include "rules/compile.h"

#include <stdlib.h>
#include <string.h>

struct set { /* disjoint, sorted */
    struct rule_range *ranges;
    uint32_t count;
};

static bool same_column(const struct rule_condition *a, const struct rule_condition *b)
{
    return a->attr == b->attr && a->test == b->test && a->currency == b->currency;
}

/* What the condition allows, negation applied. */
static struct set set_of(const struct rules *rules, const struct rule_condition *condition)
{
    const struct rule_range *ranges = rules->ranges + condition->values.first;
    uint32_t count = condition->values.count;
    struct set set = {malloc((count + 1) * sizeof *ranges), 0};
    must(set.ranges != NULL);
    if (!condition->is_negated) {
        memcpy(set.ranges, ranges, count * sizeof *ranges);
        set.count = count;
        return set;
    }
    uint64_t next = 0, most = rule_attr_number_max((enum rule_attr)condition->attr);
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].low > next) {
            set.ranges[set.count++] = (struct rule_range){next, ranges[i].low - 1};
        }
        next = ranges[i].high + 1;
    }
    if (next <= most) {
        set.ranges[set.count++] = (struct rule_range){next, most};
    }
    return set;
}

static struct set set_intersect(struct set a, struct set b)
{
    struct set both = {malloc((a.count + b.count + 1) * sizeof *a.ranges), 0};
    must(both.ranges != NULL);
    for (uint32_t i = 0, k = 0; i < a.count && k < b.count;) {
        uint64_t low = a.ranges[i].low > b.ranges[k].low ? a.ranges[i].low : b.ranges[k].low;
        uint64_t high = a.ranges[i].high < b.ranges[k].high ? a.ranges[i].high : b.ranges[k].high;
        if (low <= high) {
            both.ranges[both.count++] = (struct rule_range){low, high};
        }
        if (a.ranges[i].high < b.ranges[k].high) {
            i++;
        } else {
            k++;
        }
    }
    free(a.ranges);
    free(b.ranges);
    return both;
}

static bool set_within(struct set inner, struct set outer)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < inner.count; i++) {
        while (k < outer.count && outer.ranges[k].high < inner.ranges[i].low) {
            k++;
        }
        if (k == outer.count || outer.ranges[k].low > inner.ranges[i].low ||
            outer.ranges[k].high < inner.ranges[i].high) {
            return false;
        }
    }
    return true;
}

/* All conditions of the column together. */
static struct set set_of_column(const struct rules *rules, const struct rule_condition *column,
                                const struct rule_condition *conditions, uint32_t count)
{
    struct set set = {NULL, 0};
    for (uint32_t i = 0; i < count; i++) {
        if (same_column(&conditions[i], column)) {
            struct set next = set_of(rules, &conditions[i]);
            set = set.ranges == NULL ? next : set_intersect(set, next);
        }
    }
    return set;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool strings_hold(const struct rules *rules, struct rule_run run, const char *text)
{
    for (uint32_t i = 0; i < run.count; i++) {
        if (strcmp(rules->strings[run.first + i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

/* How many of a's texts are in b. */
static uint32_t strings_common(const struct rules *rules, struct rule_run a, struct rule_run b)
{
    uint32_t common = 0;
    for (uint32_t i = 0; i < a.count; i++) {
        common += strings_hold(rules, b, rules->strings[a.first + i].text);
    }
    return common;
}

/* ---- contradictions -------------------------------------------------------------------------- */

static bool pair_contradicts(const struct rules *rules, const struct rule_condition *a,
                             const struct rule_condition *b)
{
    if (a->attr != b->attr) {
        return false;
    }
    if (a->test == RULE_MISSING && !a->is_negated) { /* missing, and a value */
        return b->test != RULE_MISSING || b->is_negated;
    }
    if (a->test != b->test) {
        return false;
    }
    bool opposed = a->is_negated != b->is_negated;
    switch ((enum rule_test)a->test) {
    case RULE_IN_STRINGS:
        return !a->is_negated &&
               (b->is_negated ? strings_common(rules, a->values, b->values) == a->values.count
                              : strings_common(rules, a->values, b->values) == 0);
    case RULE_STARTS:
        return opposed && strcmp(rules->strings[a->values.first].text,
                                 rules->strings[b->values.first].text) == 0;
    case RULE_IN_LIST:
        return opposed && a->list == b->list;
    case RULE_EQUALS:
        return opposed && a->other == b->other;
    case RULE_IN_RANGES: /* all of a column at once, below */
    case RULE_MISSING:
        return false;
    }
    return false;
}

bool rule_contradicts(const struct rules *rules, const struct rule_condition *conditions,
                      uint32_t conditions_count)
{
    for (uint32_t i = 0; i < conditions_count; i++) {
        for (uint32_t k = 0; k < conditions_count; k++) {
            if (i != k && pair_contradicts(rules, &conditions[i], &conditions[k])) {
                return true;
            }
        }
        if (conditions[i].test == RULE_IN_RANGES) {
            struct set set = set_of_column(rules, &conditions[i], conditions, conditions_count);
            bool is_empty = set.count == 0;
            free(set.ranges);
            if (is_empty) {
                return true;
            }
        }
    }
    return false;
}

/* ---- covering -------------------------------------------------------------------------------- */

/* Condition b implies condition a; both true. */
static bool implies(const struct rules *rules, const struct rule_condition *b,
                    const struct rule_condition *a)
{
    if (a->attr != b->attr) {
        return false;
    }
    if (a->test == RULE_MISSING && a->is_negated) { /* present: any test of the value says so */
        return b->test != RULE_MISSING || b->is_negated;
    }
    if (a->test != b->test) {
        return false;
    }
    switch ((enum rule_test)a->test) {
    case RULE_IN_STRINGS: {
        uint32_t common = strings_common(rules, b->values, a->values);
        if (a->is_negated) {
            return b->is_negated ? strings_common(rules, a->values, b->values) == a->values.count
                                 : common == 0;
        }
        return !b->is_negated && common == b->values.count;
    }
    case RULE_STARTS:
        return a->is_negated == b->is_negated && strcmp(rules->strings[a->values.first].text,
                                                        rules->strings[b->values.first].text) == 0;
    case RULE_IN_LIST:
        return a->is_negated == b->is_negated && a->list == b->list;
    case RULE_EQUALS:
        return a->is_negated == b->is_negated && a->other == b->other;
    case RULE_MISSING:
        return a->is_negated == b->is_negated;
    case RULE_IN_RANGES: /* column_within() */
        return false;
    }
    return false;
}

static bool column_within(const struct rules *rules, const struct rule_condition *column,
                          const struct rule_condition *b, uint32_t b_count,
                          const struct rule_condition *a, uint32_t a_count)
{
    struct set inner = set_of_column(rules, column, b, b_count);
    struct set outer = set_of_column(rules, column, a, a_count);
    bool within = inner.ranges != NULL && set_within(inner, outer);
    free(inner.ranges);
    free(outer.ranges);
    return within;
}

static bool alternative_covers(const struct rules *rules, struct rule_run a_run,
                               struct rule_run b_run)
{
    const struct rule_condition *a = rules->conditions + a_run.first;
    const struct rule_condition *b = rules->conditions + b_run.first;
    for (uint32_t i = 0; i < a_run.count; i++) {
        bool holds = false;
        if (a[i].test == RULE_IN_RANGES) {
            holds = column_within(rules, &a[i], b, b_run.count, a, a_run.count);
        }
        for (uint32_t k = 0; k < b_run.count && !holds; k++) {
            holds = implies(rules, &b[k], &a[i]);
        }
        if (!holds) {
            return false;
        }
    }
    return true;
}

bool rule_covers(const struct rules *rules, struct rule_run a, struct rule_run b)
{
    for (uint32_t k = 0; k < b.count; k++) {
        struct rule_run run = rules->alternatives[b.first + k].conditions;
        bool covered = rule_contradicts(rules, rules->conditions + run.first, run.count);
        for (uint32_t i = 0; i < a.count && !covered; i++) {
            covered = alternative_covers(rules, rules->alternatives[a.first + i].conditions,
                                         rules->alternatives[b.first + k].conditions);
        }
        if (!covered) {
            return false;
        }
    }
    return true;
}
