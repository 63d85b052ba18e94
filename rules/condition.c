/* condition.c - one condition: `field op value`, `field is missing`, `field is present`. */
#include "rules/compile.h"

#include <string.h>

#define PART_BYTES_MAX 256u

struct parts { /* a condition, cut */
    char field[64];
    char op[8];
    char value[PART_BYTES_MAX];
};

static bool parts_cut(const char *text, struct parts *out);
static bool presence_read(const struct parts *parts, struct rule_condition *out);
static bool test_read(struct compiler *compiler, struct conf_place place, const struct parts *parts,
                      struct rule_condition *out);

bool rule_condition_read(struct compiler *compiler, const struct conf_node *node, uint32_t stage,
                         struct rule_condition *out)
{
    struct parts parts;
    struct rule_condition condition = {0};
    if (!parts_cut(node->text, &parts)) {
        RULE_FAULT(compiler, node->place, "E010",
                   "cannot read \"%s\"; a condition is: field operator value", node->text);
        return false;
    }
    if (!rule_attr_find(compiler, node->place, parts.field, stage, &condition.attr)) {
        return false;
    }
    condition.source = rule_text_keep(compiler, node->place, node->text);
    if (condition.source == NULL || (!presence_read(&parts, &condition) &&
                                     !test_read(compiler, node->place, &parts, &condition))) {
        return false;
    }
    *out = condition;
    return true;
}

/* ---- cutting --------------------------------------------------------------------------------- */

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

static bool parts_cut(const char *text, struct parts *out)
{
    static const char *const ops[] = {"not in", "in", "between", "starts", "has", "is",
                                      "<=",     ">=", "!=",      "=",      "<",   ">"};
    size_t size = 0;
    *out = (struct parts){0};
    while (is_name_character(text[size])) {
        size++;
    }
    if (size == 0 || size >= sizeof out->field || text[0] < 'a' || text[0] > 'z') {
        return false;
    }
    memcpy(out->field, text, size);
    size_t blanks = strspn(text + size, " ");
    text += size + blanks;
    for (size_t i = 0; blanks > 0 && i < countof(ops); i++) {
        size_t op_size = strlen(ops[i]);
        if (strncmp(text, ops[i], op_size) != 0 || text[op_size] != ' ') {
            continue;
        }
        (void)snprintf(out->op, sizeof out->op, "%s", ops[i]);
        text += op_size + strspn(text + op_size, " ");
        size = strlen(text);
        while (size > 0 && text[size - 1] == ' ') {
            size--;
        }
        if (size == 0 || size >= sizeof out->value) {
            return false;
        }
        memcpy(out->value, text, size);
        return strcmp(out->op, "is") != 0 || strcmp(out->value, "missing") == 0 ||
               strcmp(out->value, "present") == 0;
    }
    return false;
}

bool rule_attr_find(struct compiler *compiler, struct conf_place place, const char *name,
                    uint32_t stage, uint8_t *out)
{
    static const struct {
        const char *name;
        uint32_t stage;
    } later[] = {
#define RULE_LATER(name, stage) {name, stage},
#include "rules/later.def"
#undef RULE_LATER
    };
    const char *names[RULE_ATTRS_COUNT];
    char meant[CONF_PATH_BYTES];
    if (strncmp(name, "vel.", 4) == 0) {
        if (rule_counter_find(compiler->rules, name + 4) == RULES_NONE) {
            RULE_FAULT(compiler, place, "E016", "there is no counter \"%s\"", name + 4);
        } else {
            RULE_FAULT(compiler, place, RULES_NO_CODE,
                       "a counter in a condition is not in this version; use `max:`");
        }
        return false;
    }
    for (uint32_t i = 0; i < RULE_ATTRS_COUNT; i++) {
        if (strcmp(rule_attrs[i].name, name) == 0) {
            *out = (uint8_t)i;
            return true;
        }
        names[i] = rule_attrs[i].name;
    }
    for (size_t i = 0; i < countof(later); i++) {
        if (strcmp(later[i].name, name) != 0) {
            continue;
        }
        if (later[i].stage > stage) {
            RULE_FAULT(compiler, place, "E018",
                       "\"%s\" is not known yet at this stage (it comes at stage %u, this file "
                       "runs at stage %u)",
                       name, later[i].stage, stage);
        } else {
            RULE_FAULT(compiler, place, RULES_NO_CODE, "\"%s\" is not in this version", name);
        }
        return false;
    }
    RULE_FAULT(compiler, place, "E010", "there is no field \"%s\"%s", name,
               rule_meant(name, names, RULE_ATTRS_COUNT, meant));
    return false;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static bool presence_read(const struct parts *parts, struct rule_condition *out)
{
    if (strcmp(parts->op, "is") != 0) {
        return false;
    }
    out->test = RULE_MISSING;
    out->is_negated = strcmp(parts->value, "present") == 0;
    return true;
}

static bool type_has_operator(enum rule_type type, const char *op)
{
    size_t size = strlen(op);
    for (const char *at = rule_types[type].operators; *at != '\0';) {
        size_t word = strcspn(at, "|");
        if (word == size && strncmp(at, op, size) == 0) {
            return true;
        }
        at += word + (at[word] == '|');
    }
    return false;
}

static uint8_t attr_named(const char *name)
{
    for (uint32_t i = 0; i < RULE_ATTRS_COUNT; i++) {
        if (strcmp(rule_attrs[i].name, name) == 0) {
            return (uint8_t)i;
        }
    }
    return RULE_ATTR_NONE;
}

static bool list_read(struct compiler *compiler, struct conf_place place, const struct parts *parts,
                      struct rule_condition *out)
{
    struct rules *rules = compiler->rules;
    enum rule_type type = rule_attrs[out->attr].type;
    out->list = rule_list_find(rules, parts->value + 1);
    if (out->list == RULES_NONE) {
        const char *names[RULES_LISTS_MAX];
        char meant[CONF_PATH_BYTES];
        for (uint32_t i = 0; i < rules->lists_count; i++) {
            names[i] = rules->lists[i].name;
        }
        RULE_FAULT(compiler, place, "E014", "there is no list \"%s\"%s", parts->value + 1,
                   rule_meant(parts->value + 1, names, rules->lists_count, meant));
        return false;
    }
    struct rule_list *list = &rules->lists[out->list];
    list->is_used = true;
    if (list->type != type) {
        RULE_FAULT(compiler, place, "E015", "list \"%s\" holds %s, field \"%s\" is %s", list->name,
                   rule_types[list->type].name, rule_attrs[out->attr].name, rule_types[type].name);
        return false;
    }
    out->test = RULE_IN_LIST;
    return true;
}

/* = != < <= > >= in one currency. */
static bool money_read(struct compiler *compiler, struct conf_place place,
                       const struct parts *parts, struct rule_condition *out)
{
    struct rule_money money;
    if (!rule_money_read(compiler, place, parts->value, &money)) {
        return false;
    }
    uint64_t amount = (uint64_t)money.amount_minor, low = amount, high = amount;
    out->currency = money.currency;
    if (parts->op[0] == '<' || parts->op[0] == '>') {
        /* a < x is not (a >= x); a > x is not (a <= x) */
        bool below = parts->op[0] == '<', with_equal = parts->op[1] == '=';
        low = below == with_equal ? 0 : amount;
        high = below == with_equal ? amount : INT64_MAX;
        out->is_negated = !with_equal;
    }
    out->values.first = compiler->rules->ranges_count;
    out->values.count = 1;
    return rule_range_add(compiler, place, low, high);
}

static bool literals_read(struct compiler *compiler, struct conf_place place,
                          const struct parts *parts, struct rule_condition *out)
{
    enum rule_type type = rule_attrs[out->attr].type;
    bool is_text = type == RULE_TEXT,
         is_set = strcmp(parts->op, "in") == 0 || strcmp(parts->op, "not in") == 0;
    uint32_t first = is_text ? compiler->rules->strings_count : compiler->rules->ranges_count;
    bool good = true, repeated;
    for (const char *at = parts->value; at != NULL;) {
        char literal[PART_BYTES_MAX];
        const char *bar = is_set ? strchr(at, '|') : NULL;
        size_t size = bar != NULL ? (size_t)(bar - at) : strlen(at);
        while (size > 0 && *at == ' ') {
            at++;
            size--;
        }
        while (size > 0 && at[size - 1] == ' ') {
            size--;
        }
        memcpy(literal, at, size);
        literal[size] = '\0';
        good = rule_literal_add(compiler, place, type, out->attr, literal) && good;
        at = bar != NULL ? bar + 1 : NULL;
    }
    out->values = is_text ? rule_strings_end(compiler, first, &repeated)
                          : rule_ranges_end(compiler, first, &repeated);
    if (repeated) {
        RULE_FAULT(compiler, place, "W061", "a value is given twice");
    }
    return good;
}

static bool test_read(struct compiler *compiler, struct conf_place place, const struct parts *parts,
                      struct rule_condition *out)
{
    enum rule_type type = rule_attrs[out->attr].type;
    uint8_t other = attr_named(parts->value);
    bool is_list = parts->value[0] == '@' &&
                   (strcmp(parts->op, "in") == 0 || strcmp(parts->op, "not in") == 0);
    bool is_field =
        other != RULE_ATTR_NONE && (strcmp(parts->op, "=") == 0 || strcmp(parts->op, "!=") == 0);
    bool is_misused_list = parts->value[0] == '@' && !is_list;
    if (is_misused_list || (!is_list && !is_field && !type_has_operator(type, parts->op))) {
        RULE_FAULT(compiler, place, "E011", "\"%s\" cannot be used with %s (%s); use one of: %s",
                   parts->op, rule_attrs[out->attr].name, rule_types[type].name,
                   rule_types[type].operators);
        return false;
    }
    bool negated = strcmp(parts->op, "!=") == 0 || strcmp(parts->op, "not in") == 0;
    out->is_negated = negated;
    if (is_list) {
        return list_read(compiler, place, parts, out);
    }
    if (is_field) {
        if (rule_attrs[other].type != type) {
            RULE_FAULT(compiler, place, "E011", "fields %s and %s have different types",
                       rule_attrs[out->attr].name, rule_attrs[other].name);
            return false;
        }
        out->test = RULE_EQUALS;
        out->other = other;
        return true;
    }
    if (type == RULE_MONEY) {
        out->test = RULE_IN_RANGES;
        return money_read(compiler, place, parts, out);
    }
    out->test = (uint8_t)(type != RULE_TEXT                  ? RULE_IN_RANGES
                          : strcmp(parts->op, "starts") == 0 ? RULE_STARTS
                                                             : RULE_IN_STRINGS);
    return literals_read(compiler, place, parts, out);
}
