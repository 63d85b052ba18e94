/* lists.c - lists.yaml: typed sets, fixed in the file or kept in ref.mdb, and what a hit decides.
 */
#include "rules/compile.h"

#include <string.h>

uint16_t rule_list_find(const struct rules *rules, const char *name)
{
    for (uint16_t i = 0; i < rules->lists_count; i++) {
        if (strcmp(rules->lists[i].name, name) == 0) {
            return i;
        }
    }
    return RULES_NONE;
}

static bool type_find(struct compiler *compiler, const struct conf_node *node, uint8_t *out)
{
    static const char *const later[] = {"country", "enum", "int", "money", "bool", "code", "set"};
    const char *names[RULE_TYPES_COUNT];
    char meant[CONF_PATH_BYTES];
    uint32_t count = 0;
    if (!rule_is_scalar(compiler, node)) {
        return false;
    }
    for (uint32_t i = 0; i < RULE_TYPES_COUNT; i++) {
        if (!rule_types[i].in_list) {
            continue;
        }
        if (strcmp(rule_types[i].name, node->text) == 0) {
            *out = (uint8_t)i;
            return true;
        }
        names[count++] = rule_types[i].name;
    }
    for (size_t i = 0; i < countof(later); i++) {
        if (strcmp(later[i], node->text) == 0) {
            RULE_FAULT(compiler, node->place, RULES_NO_CODE, "a list of %s is not in this version",
                       node->text);
            return false;
        }
    }
    RULE_FAULT(compiler, node->place, "E013", "there is no type \"%s\"%s", node->text,
               rule_meant(node->text, names, count, meant));
    return false;
}

/* lmdb:NAME, and NAME fits a command of the ledger. */
static void source_read(struct compiler *compiler, const struct conf_node *node,
                        struct rule_list *list)
{
    if (!rule_is_scalar(compiler, node)) {
        return;
    }
    const char *name = node->text + 5;
    if (strncmp(node->text, "lmdb:", 5) != 0 || *name == '\0' || strlen(name) >= RULES_NAME_BYTES ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name)) {
        RULE_FAULT(compiler, node->place, "E012",
                   "a source is lmdb:NAME, up to 31 of a-z, 0-9, '_' and '-'");
        return;
    }
    if (list->type == RULE_CURRENCY) {
        RULE_FAULT(compiler, node->place, RULES_NO_CODE,
                   "a list of currency outside the file is not in this version");
        return;
    }
    const char *kept = rule_text_keep(compiler, node->place, name);
    list->source = kept != NULL ? kept : "";
}

static void entries_read(struct compiler *compiler, const struct conf_node *node,
                         struct rule_list *list)
{
    static const char *const known[] = {"value!", "reason", "by", NULL};
    static const char *const later[] = {"until", NULL};
    static const struct rule_keys keys = {known, later, "an entry"};
    bool is_text = list->type == RULE_TEXT, repeated = false;
    uint32_t first = is_text ? compiler->rules->strings_count : compiler->rules->ranges_count;
    if (node->kind != CONF_SEQUENCE) {
        RULE_FAULT(compiler, node->place, "E005", "entries are a list");
        return;
    }
    for (const struct conf_node *entry = node->first; entry != NULL; entry = entry->next) {
        const struct conf_node *value = entry;
        if (entry->kind == CONF_MAPPING) {
            value = rule_keys_check(compiler, entry, &keys) ? conf_node_get(entry, "value") : NULL;
        }
        if (value != NULL && rule_is_scalar(compiler, value)) {
            rule_literal_add(compiler, value->place, (enum rule_type)list->type, list->of,
                             value->text);
        }
    }
    if (is_text) {
        list->strings = rule_strings_end(compiler, first, &repeated);
    } else {
        list->ranges = rule_ranges_end(compiler, first, &repeated);
    }
    if (repeated) {
        RULE_FAULT(compiler, node->place, "W061", "a value is given twice");
    }
}

static void list_read(struct compiler *compiler, const struct conf_node *node)
{
    static const char *const known[] = {"type!", "of", "source", "then", "entries", NULL};
    static const char *const later[] = {"max_entries", "default_ttl", NULL};
    static const struct rule_keys keys = {known, later, "a list"};
    struct rules *rules = compiler->rules;
    const struct conf_node *type = conf_node_get(node, "type"), *of = conf_node_get(node, "of"),
                           *source = conf_node_get(node, "source"),
                           *entries = conf_node_get(node, "entries");
    struct rule_list list = {
        .name = "", .source = "", .of = RULE_ATTR_NONE, .place = node->key_place};
    if (!rule_keys_check(compiler, node, &keys) || type == NULL ||
        !type_find(compiler, type, &list.type)) {
        return;
    }
    if (of != NULL && rule_is_scalar(compiler, of) &&
        rule_attr_find(compiler, of->place, of->text, 1, &list.of) &&
        rule_attrs[list.of].type != list.type) {
        RULE_FAULT(compiler, of->place, "E015", "list \"%s\" is %s, field \"%s\" is %s", node->key,
                   rule_types[list.type].name, of->text, rule_types[rule_attrs[list.of].type].name);
    }
    if (source == NULL && entries == NULL) {
        RULE_FAULT(compiler, node->place, "E005", "list \"%s\" has neither source nor entries",
                   node->key);
    }
    if (source != NULL) {
        source_read(compiler, source, &list);
    }
    if (entries != NULL) {
        entries_read(compiler, entries, &list);
    }
    if (rules->lists_count == RULES_LISTS_MAX) {
        RULE_FAULT(compiler, node->key_place, "E001", "more than %u lists", RULES_LISTS_MAX);
        return;
    }
    const char *name = rule_text_keep(compiler, node->key_place, node->key);
    if (name != NULL) {
        list.name = name;
        rules->lists[rules->lists_count++] = list;
    }
}

static const struct conf_node *lists_of(const struct compiler *compiler)
{
    const struct conf_node *lists = conf_node_get(compiler->lists, "lists");
    return lists != NULL && lists->kind == CONF_MAPPING ? lists : NULL;
}

void rule_lists_read(struct compiler *compiler)
{
    const struct conf_node *lists = lists_of(compiler);
    if (lists == NULL) {
        const struct conf_node *wrong = conf_node_get(compiler->lists, "lists");
        if (wrong != NULL) {
            RULE_FAULT(compiler, wrong->place, "E005", "lists is a mapping: `NAME: {…}` lines");
        }
        return;
    }
    for (const struct conf_node *node = lists->first; node != NULL; node = node->next) {
        list_read(compiler, node);
    }
}

/* ---- `then`: a hit decides ------------------------------------------------------------------- */

static void then_read(struct compiler *compiler, const struct conf_node *node,
                      const struct conf_node *then)
{
    static const char *const known[] = {"decide!", "reason!", NULL};
    static const struct rule_keys keys = {known, NULL, "then"};
    uint16_t index = rule_list_find(compiler->rules, node->key);
    const struct conf_node *decide = conf_node_get(then, "decide"),
                           *reason = conf_node_get(then, "reason");
    if (!rule_keys_check(compiler, then, &keys) || decide == NULL || reason == NULL ||
        index == RULES_NONE) {
        return;
    }
    struct rule_list *list = &compiler->rules->lists[index];
    list->is_used = true;
    if (strcmp(decide->text, "decline") != 0) {
        RULE_FAULT(compiler, decide->place, RULES_NO_CODE,
                   "a list can only decide: decline in this version");
    }
    enum rule_reason found = rule_reason_find(compiler, reason);
    if (found != RULE_REASONS_COUNT && found != RULE_REASON_CARD_ON_DENY_LIST) {
        RULE_FAULT(compiler, reason->place, RULES_NO_CODE,
                   "a list declines with CARD_ON_DENY_LIST in this version");
    }
    if (list->of == RULE_ATTR_NONE) {
        RULE_FAULT(compiler, then->place, "E005", "list \"%s\" decides, but `of` is missing",
                   list->name);
        return;
    }
    struct rule_compiled *row = rule_row_add(compiler, RULE_ROW_LIST, node, node->key, "");
    if (row != NULL) {
        row->line = node->key_place.line;
        row->list = index;
        row->reason = (uint8_t)found;
    }
}

void rule_list_rows_read(struct compiler *compiler)
{
    const struct conf_node *lists = lists_of(compiler);
    for (const struct conf_node *node = lists != NULL ? lists->first : NULL; node != NULL;
         node = node->next) {
        const struct conf_node *then = conf_node_get(node, "then");
        if (then != NULL) {
            then_read(compiler, node, then);
        }
    }
}
