/* pool.c - the arrays of a set while it is being made: texts, ranges, strings, rows. */
#include "rules/compile.h"

#include <stdlib.h>
#include <string.h>

const char *rule_text_keep(struct compiler *compiler, struct conf_place place, const char *text)
{
    struct rules *rules = compiler->rules;
    size_t size = strlen(text) + 1;
    if (size > sizeof rules->text - rules->text_used) {
        RULE_FAULT(compiler, place, "E001", "the rules hold more text than 4 MiB");
        return NULL;
    }
    char *kept = rules->text + rules->text_used;
    memcpy(kept, text, size);
    rules->text_used += size;
    return kept;
}

bool rule_range_add(struct compiler *compiler, struct conf_place place, uint64_t low, uint64_t high)
{
    struct rules *rules = compiler->rules;
    if (rules->ranges_count == RULES_RANGES_MAX) {
        RULE_FAULT(compiler, place, "E001", "the rules hold more than %u values", RULES_RANGES_MAX);
        return false;
    }
    rules->ranges[rules->ranges_count++] = (struct rule_range){low, high};
    return true;
}

bool rule_string_add(struct compiler *compiler, struct conf_place place, const char *text)
{
    struct rules *rules = compiler->rules;
    if (rules->strings_count == RULES_STRINGS_MAX) {
        RULE_FAULT(compiler, place, "E001", "the rules hold more than %u texts", RULES_STRINGS_MAX);
        return false;
    }
    const char *kept = rule_text_keep(compiler, place, text);
    if (kept == NULL) {
        return false;
    }
    rules->strings[rules->strings_count++] = (struct rule_string){kept, (uint32_t)strlen(kept)};
    return true;
}

static int range_order(const void *a, const void *b)
{
    const struct rule_range *left = a, *right = b;
    return left->low < right->low ? -1 : left->low > right->low;
}

struct rule_run rule_ranges_end(struct compiler *compiler, uint32_t first, bool *repeated)
{
    struct rules *rules = compiler->rules;
    struct rule_range *ranges = rules->ranges + first;
    uint32_t count = rules->ranges_count - first, kept = 0;
    *repeated = false;
    qsort(ranges, count, sizeof *ranges, range_order);
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && ranges[i].low <= ranges[kept - 1].high) {
            *repeated = true;
            if (ranges[i].high > ranges[kept - 1].high) {
                ranges[kept - 1].high = ranges[i].high;
            }
        } else if (kept > 0 && ranges[i].low == ranges[kept - 1].high + 1) {
            ranges[kept - 1].high = ranges[i].high; /* neighbours are one range */
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    rules->ranges_count = first + kept;
    return (struct rule_run){first, kept};
}

static int string_order(const void *a, const void *b)
{
    const struct rule_string *left = a, *right = b;
    return strcmp(left->text, right->text);
}

struct rule_run rule_strings_end(struct compiler *compiler, uint32_t first, bool *repeated)
{
    struct rules *rules = compiler->rules;
    struct rule_string *strings = rules->strings + first;
    uint32_t count = rules->strings_count - first, kept = 0;
    *repeated = false;
    qsort(strings, count, sizeof *strings, string_order);
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(strings[i].text, strings[kept - 1].text) == 0) {
            *repeated = true;
        } else {
            strings[kept++] = strings[i];
        }
    }
    rules->strings_count = first + kept;
    return (struct rule_run){first, kept};
}

struct rule_compiled *rule_row_add(struct compiler *compiler, enum rule_row_kind kind,
                                   const struct conf_node *node, const char *id, const char *name)
{
    struct rules *rules = compiler->rules;
    if (rules->rows_count == RULES_ROWS_MAX) {
        RULE_FAULT(compiler, node->place, "E001", "more than %u rules", RULES_ROWS_MAX);
        return NULL;
    }
    const char *kept_id = rule_text_keep(compiler, node->place, id);
    const char *kept_name = rule_text_keep(compiler, node->place, name);
    if (kept_id == NULL || kept_name == NULL) {
        return NULL;
    }
    struct rule_compiled *row = &rules->rows[rules->rows_count++];
    *row = (struct rule_compiled){.kind = (uint8_t)kind,
                                  .reason = RULE_REASONS_COUNT,
                                  .list = RULES_NONE,
                                  .max = RULES_NONE,
                                  .id = kept_id,
                                  .name = kept_name,
                                  .file = node->place.file,
                                  .line = node->place.line};
    return row;
}
