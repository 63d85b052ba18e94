/* routing.c - routing.yaml: endpoints, and the first row that says where a message goes. */
#include "rules/compile.h"

#include <string.h>

#define STAGE_ROUTING 5u
#define ON_US         "onus"

struct routing {
    struct compiler *compiler;
    const struct conf_node *endpoints;
    const char *names[LIMIT_ENDPOINTS_MAX + 1];
    bool used[LIMIT_ENDPOINTS_MAX + 1];
    uint32_t names_count;
};

static void endpoints_read(struct routing *routing);
static void route_read(struct routing *routing, const struct conf_node *rule);
static void reach_check(struct compiler *compiler, const struct conf_node *rules);
static void otherwise_check(struct compiler *compiler, const struct conf_node *otherwise);

void rule_routing_read(struct compiler *compiler)
{
    const struct conf_node *rules = conf_node_get(compiler->routing, "rules"),
                           *otherwise = conf_node_get(compiler->routing, "otherwise");
    struct routing routing = {.compiler = compiler,
                              .endpoints = conf_node_get(compiler->routing, "endpoints")};
    endpoints_read(&routing);
    if (rules != NULL && rules->kind != CONF_SEQUENCE) {
        RULE_FAULT(compiler, rules->place, "E005", "rules are a list");
    } else if (rules != NULL) {
        for (const struct conf_node *rule = rules->first; rule != NULL; rule = rule->next) {
            route_read(&routing, rule);
        }
        reach_check(compiler, rules);
    }
    for (uint32_t i = 0; i < routing.names_count; i++) {
        if (!routing.used[i]) {
            const struct conf_node *node = conf_node_get(routing.endpoints, routing.names[i]);
            RULE_FAULT(compiler, node->key_place, "W060", "endpoint \"%s\" is never used",
                       node->key);
        }
    }
    if (otherwise != NULL) {
        otherwise_check(compiler, otherwise);
    }
}

/* Index in the options, RULES_ROUTE_ON_US, or -1. */
static int endpoint_number(const struct rules_options *options, const char *name)
{
    if (strcmp(name, ON_US) == 0) {
        return RULES_ROUTE_ON_US;
    }
    for (uint32_t i = 0; i < options->endpoints_count; i++) {
        if (strcmp(options->endpoints[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void endpoints_read(struct routing *routing)
{
    static const char *const known[] = {"scheme", "region", NULL};
    static const char *const later[] = {"cost", NULL};
    static const struct rule_keys keys = {known, later, "an endpoint"};
    struct compiler *compiler = routing->compiler;
    const struct rules_options *options = compiler->options;
    const struct conf_node *endpoints = routing->endpoints;
    if (endpoints == NULL) {
        return;
    }
    if (endpoints->kind != CONF_MAPPING) {
        RULE_FAULT(compiler, endpoints->place, "E005", "endpoints is a mapping: `NAME: {…}` lines");
        return;
    }
    for (const struct conf_node *node = endpoints->first; node != NULL; node = node->next) {
        char meant[CONF_PATH_BYTES];
        rule_keys_check(compiler, node, &keys);
        if (options->endpoints != NULL && endpoint_number(options, node->key) < 0) {
            RULE_FAULT(compiler, node->key_place, "E030", "\"%s\" is no party that we dial%s",
                       node->key,
                       rule_meant(node->key, options->endpoints, options->endpoints_count, meant));
        }
        if (routing->names_count == countof(routing->names)) {
            RULE_FAULT(compiler, node->key_place, "E001", "more than %u endpoints",
                       LIMIT_ENDPOINTS_MAX);
            return;
        }
        routing->names[routing->names_count++] = node->key;
    }
}

static void route_to(struct routing *routing, const struct conf_node *to, struct rule_compiled *row)
{
    struct compiler *compiler = routing->compiler;
    for (const struct conf_node *node = to->first; node != NULL; node = node->next) {
        uint32_t i = 0;
        while (i < routing->names_count && strcmp(routing->names[i], node->text) != 0) {
            i++;
        }
        if (i == routing->names_count) {
            char meant[CONF_PATH_BYTES];
            RULE_FAULT(compiler, node->place, "E030", "there is no endpoint \"%s\"%s", node->text,
                       rule_meant(node->text, routing->names, routing->names_count, meant));
            continue;
        }
        routing->used[i] = true;
        int number = endpoint_number(compiler->options, node->text);
        if (number == RULES_ROUTE_ON_US) {
            row->is_on_us = true;
        } else if (number >= 0 && row->routes_count < LIMIT_ROUTES_MAX) {
            row->routes[row->routes_count++] = (uint8_t)number;
        }
    }
    if (to->children_count > LIMIT_ROUTES_MAX || to->first == NULL) {
        RULE_FAULT(compiler, to->place, "E005", "to is a list of 1 to %u endpoints",
                   LIMIT_ROUTES_MAX);
    } else if (row->is_on_us && to->children_count > 1) {
        RULE_FAULT(compiler, to->place, RULES_NO_CODE,
                   "\"onus\" beside other endpoints is not in this version");
    }
}

static void route_read(struct routing *routing, const struct conf_node *rule)
{
    static const char *const known[] = {"id!", "name", "when", "to", NULL};
    static const char *const later[] = {"choose", "split", NULL};
    static const struct rule_keys keys = {known, later, "a route"};
    struct compiler *compiler = routing->compiler;
    if (!rule_keys_check(compiler, rule, &keys)) {
        return;
    }
    const char *id = rule_id_take(compiler, rule), *name = conf_node_text(rule, "name");
    const struct conf_node *to = conf_node_get(rule, "to");
    uint32_t ways = 0;
    for (const struct conf_node *node = rule->first; node != NULL; node = node->next) {
        ways += strcmp(node->key, "to") == 0 || strcmp(node->key, "choose") == 0 ||
                strcmp(node->key, "split") == 0;
    }
    if (ways != 1) {
        RULE_FAULT(compiler, rule->place, "E005", "rule %s needs exactly one of to, choose, split",
                   id);
    }
    struct rule_run alternatives = {0};
    bool good = rule_when_read(compiler, rule, STAGE_ROUTING, &alternatives);
    struct rule_compiled *row =
        rule_row_add(compiler, RULE_ROW_ROUTE, rule, id, name != NULL ? name : "");
    if (row == NULL) {
        return;
    }
    row->alternatives = good ? alternatives : (struct rule_run){0};
    if (to != NULL && to->kind == CONF_SEQUENCE) {
        route_to(routing, to, row);
    } else if (to != NULL && strcmp(to->text, "original") == 0) {
        RULE_FAULT(compiler, to->place, RULES_NO_CODE, "to: original is not in this version");
    } else if (to != NULL) {
        RULE_FAULT(compiler, to->place, "E005", "to is a list of endpoints");
    }
}

/* Rows that no message reaches: an earlier one takes everything. */
static void reach_check(struct compiler *compiler, const struct conf_node *rules)
{
    const struct rules *set = compiler->rules;
    const struct rule_compiled *ended = NULL;
    uint32_t index = set->first_route;
    for (const struct conf_node *rule = rules->first; rule != NULL && index < set->rows_count;
         rule = rule->next) {
        const struct rule_compiled *row = &set->rows[index];
        if (row->line != rule->place.line) {
            continue; /* this one made no row */
        }
        index++;
        if (ended != NULL) {
            RULE_FAULT(compiler, rule->place, "E021",
                       "%s can never be reached: %s takes everything before it", row->id,
                       ended->id);
            continue;
        }
        for (uint32_t i = set->first_route; i + 1 < index && row->alternatives.count > 0; i++) {
            if (set->rows[i].alternatives.count > 0 &&
                rule_covers(set, set->rows[i].alternatives, row->alternatives)) {
                RULE_FAULT(compiler, rule->place, "E021",
                           "%s can never be reached: %s already takes everything it describes",
                           row->id, set->rows[i].id);
                break;
            }
        }
        for (uint32_t i = 0; i < row->alternatives.count; i++) {
            if (set->alternatives[row->alternatives.first + i].conditions.count == 0) {
                ended = row;
            }
        }
    }
}

static void otherwise_check(struct compiler *compiler, const struct conf_node *otherwise)
{
    static const char *const known[] = {"decide!", "reason!", NULL};
    static const struct rule_keys keys = {known, NULL, "otherwise"};
    if (!rule_keys_check(compiler, otherwise, &keys)) {
        return;
    }
    const struct conf_node *decide = conf_node_get(otherwise, "decide"),
                           *reason = conf_node_get(otherwise, "reason");
    if (decide != NULL && strcmp(decide->text, "decline") != 0) {
        RULE_FAULT(compiler, decide->place, RULES_NO_CODE,
                   "otherwise can only decide: decline in this version");
    }
    enum rule_reason found =
        reason != NULL ? rule_reason_find(compiler, reason) : RULE_REASONS_COUNT;
    if (found != RULE_REASONS_COUNT && found != RULE_REASON_NO_ROUTE) {
        RULE_FAULT(compiler, reason->place, RULES_NO_CODE,
                   "what has no route is declined with NO_ROUTE in this version");
    }
}
