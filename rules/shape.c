/* shape.c - keys of mappings: known, required, or of a later version; ids; reasons; card numbers.
 */
#include "rules/compile.h"

#include <string.h>

#define KEYS_MAX 32u

const char *rule_meant(const char *name, const char *const *names, uint32_t names_count, char *out)
{
    const char *nearest = conf_nearest(name, names, names_count);
    out[0] = '\0';
    if (nearest != NULL) {
        (void)snprintf(out, CONF_PATH_BYTES, "; did you mean \"%s\"?", nearest);
    }
    return out;
}

static bool is_later(const struct rule_keys *keys, const char *key)
{
    for (uint32_t i = 0; keys->later != NULL && keys->later[i] != NULL; i++) {
        if (strcmp(keys->later[i], key) == 0) {
            return true;
        }
    }
    return false;
}

bool rule_keys_check(struct compiler *compiler, const struct conf_node *node,
                     const struct rule_keys *keys)
{
    char names[KEYS_MAX][24], meant[CONF_PATH_BYTES];
    const char *pointers[KEYS_MAX];
    uint32_t count = 0;
    if (node->kind != CONF_MAPPING) {
        RULE_FAULT(compiler, node->place, "E005", "%s is a mapping: `key: value` lines",
                   keys->what);
        return false;
    }
    for (; keys->known[count] != NULL; count++) {
        must(count < KEYS_MAX);
        size_t size = strcspn(keys->known[count], "!");
        (void)snprintf(names[count], sizeof names[count], "%.*s", (int)size, keys->known[count]);
        pointers[count] = names[count];
        if (keys->known[count][size] == '!' && conf_node_get(node, names[count]) == NULL) {
            bool is_otherwise = strcmp(names[count], "otherwise") == 0;
            RULE_FAULT(compiler, node->place, is_otherwise ? "E023" : "E005",
                       "%s: \"%s\" is required", keys->what, names[count]);
        }
    }
    for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
        uint32_t i = 0;
        while (i < count && strcmp(names[i], child->key) != 0) {
            i++;
        }
        if (i < count) {
            continue;
        }
        if (is_later(keys, child->key)) {
            RULE_FAULT(compiler, child->key_place, RULES_NO_CODE,
                       "\"%s\" of %s is not in this version", child->key, keys->what);
        } else {
            RULE_FAULT(compiler, child->key_place, "E004", "unknown key \"%s\" in %s%s", child->key,
                       keys->what, rule_meant(child->key, pointers, count, meant));
        }
    }
    return true;
}

bool rule_is_scalar(struct compiler *compiler, const struct conf_node *node)
{
    if (node->kind == CONF_SCALAR) {
        return true;
    }
    RULE_FAULT(compiler, node->place, "E005", "one value is expected here");
    return false;
}

const char *rule_id_take(struct compiler *compiler, const struct conf_node *rule)
{
    const struct conf_node *node = conf_node_get(rule, "id");
    if (node == NULL || !rule_is_scalar(compiler, node)) {
        return "";
    }
    for (uint32_t i = 0; i < compiler->ids_count; i++) {
        const struct rule_id *other = &compiler->ids[i];
        if (strcmp(other->id, node->text) == 0) {
            RULE_FAULT(compiler, node->place, "E036", "rule \"%s\" is already at %s:%u:%u",
                       node->text, other->place.file, other->place.line, other->place.column);
            return node->text;
        }
    }
    if (compiler->ids_count < countof(compiler->ids)) {
        compiler->ids[compiler->ids_count++] = (struct rule_id){node->text, node->place};
    }
    return node->text;
}

enum rule_reason rule_reason_find(struct compiler *compiler, const struct conf_node *node)
{
    const char *names[RULE_REASONS_COUNT];
    char meant[CONF_PATH_BYTES];
    if (!rule_is_scalar(compiler, node)) {
        return RULE_REASONS_COUNT;
    }
    for (uint32_t i = 0; i < RULE_REASONS_COUNT; i++) {
        if (strcmp(rule_reasons[i].name, node->text) == 0) {
            return (enum rule_reason)i;
        }
        names[i] = rule_reasons[i].name;
    }
    RULE_FAULT(compiler, node->place, "E034", "there is no reason \"%s\"%s", node->text,
               rule_meant(node->text, names, RULE_REASONS_COUNT, meant));
    return RULE_REASONS_COUNT;
}

/* ---- E070 ------------------------------------------------------------------------------------ */

/* ISO/IEC 7812-1: the doubled digits count from the right. */
static bool luhn_holds(const char *digits, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        uint32_t digit = (uint32_t)(digits[size - 1 - i] - '0');
        sum += i % 2 == 0 ? digit : digit < 5 ? 2 * digit : 2 * digit - 9;
    }
    return sum % 10 == 0;
}

static bool text_holds_pan(const char *text)
{
    char run[20];
    size_t size = 0;
    for (;; text++) {
        if (*text >= '0' && *text <= '9') {
            if (size < sizeof run) {
                run[size] = *text;
            }
            size++;
        } else if (*text != '_') {
            if (size >= 13 && size <= 19 && luhn_holds(run, size)) {
                return true;
            }
            size = 0;
        }
        if (*text == '\0') {
            return false;
        }
    }
}

static const char PAN_TEXT[] =
    "this looks like a card number; card numbers never go in a rule file";

/* In the order of the file; the tree is no deeper than CONF_YAML_DEPTH_MAX. */
void rule_pans_refuse(struct compiler *compiler, const struct conf_node *root)
{
    const struct conf_node *open[CONF_YAML_DEPTH_MAX + 1] = {root->first};
    uint32_t depth = 0;
    while (depth > 0 || open[0] != NULL) {
        const struct conf_node *node = open[depth];
        if (node == NULL) {
            depth--;
            open[depth] = open[depth]->next;
            continue;
        }
        if (node->key != NULL && text_holds_pan(node->key)) {
            RULE_FAULT(compiler, node->key_place, "E070", "%s", PAN_TEXT);
        }
        if (text_holds_pan(node->text)) {
            RULE_FAULT(compiler, node->place, "E070", "%s", PAN_TEXT);
        }
        if (node->kind == CONF_SCALAR) {
            open[depth] = node->next;
        } else {
            must(depth < CONF_YAML_DEPTH_MAX);
            open[++depth] = node->first;
        }
    }
}
