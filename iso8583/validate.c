/* validate.c - judges a decoded message: presence by MTI, echoes, value rules. Reports everything.
 */
#include "iso8583/program.h"

#include <stdio.h>

static void check_presence(const struct iso_dialect *dialect, const struct iso_mti_rules *rules,
                           const struct iso_msg *msg, const struct iso_msg *request,
                           struct iso_findings *findings);
static void check_values(const struct iso_dialect *dialect, const struct iso_msg *msg,
                         struct iso_findings *findings);
static void find(struct iso_findings *findings, enum iso_err code, uint32_t de, const char *path,
                 uint32_t offset);

enum iso_err iso_validate(const struct iso_dialect *dialect, const struct iso_msg *msg,
                          const struct iso_msg *request, struct iso_findings *findings)
{
    findings->count = findings->lost = 0;
    const struct iso_mti_rules *rules = iso_dialect_mti_rules(dialect, msg->mti);
    if (rules != NULL)
        check_presence(dialect, rules, msg, request, findings);
    else if (dialect->rules_count > 0)
        find(findings, ISO_MTI_UNKNOWN, 0, "mti", msg->mti_offset);
    check_values(dialect, msg, findings);
    return findings->count == 0 ? ISO_OK : findings->faults[0].code;
}

static void find(struct iso_findings *findings, enum iso_err code, uint32_t de, const char *path,
                 uint32_t offset)
{
    struct problem problem = {.code = code, .offset = offset};
    char number[8];
    if (path == NULL) {
        (void)snprintf(number, sizeof(number), "%u", de);
        path = number;
    }
    if (findings->count == ISO_FINDINGS_MAX)
        findings->lost++;
    else
        fault_fill(&findings->faults[findings->count++], de, path, &problem);
}

static bool differs(const struct iso_msg *msg, const struct iso_msg *request, uint32_t de)
{
    struct span a = iso_msg_field(msg, de), b = iso_msg_field(request, de);
    return a.size != b.size || (a.size > 0 && memcmp(a.data, b.data, a.size) != 0);
}

static void check_presence(const struct iso_dialect *dialect, const struct iso_mti_rules *rules,
                           const struct iso_msg *msg, const struct iso_msg *request,
                           struct iso_findings *findings)
{
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        bool has = iso_msg_has(msg, de), asked = request != NULL && iso_msg_has(request, de);
        uint32_t offset = has ? msg->fields[de].offset : msg->size;
        switch ((enum iso_presence)rules->presence[de]) {
        case ISO_PRESENCE_MANDATORY:
        case ISO_PRESENCE_MANDATORY_ECHO:
            if (!has)
                find(findings, ISO_MISSING, de, NULL, offset);
            else if (rules->presence[de] == ISO_PRESENCE_MANDATORY_ECHO && asked &&
                     differs(msg, request, de))
                find(findings, ISO_ECHO, de, NULL, offset);
            break;
        case ISO_PRESENCE_CONDITIONAL:
            if (!has && rules->condition[de] != 0 &&
                iso_condition_holds(dialect, rules->condition[de], msg))
                find(findings, ISO_MISSING_CONDITIONAL, de, NULL, offset);
            break;
        case ISO_PRESENCE_CONDITIONAL_ECHO:
            if (asked && !has)
                find(findings, ISO_MISSING_CONDITIONAL, de, NULL, offset);
            else if (asked && differs(msg, request, de))
                find(findings, ISO_ECHO, de, NULL, offset);
            break;
        case ISO_PRESENCE_FORBIDDEN:
            if (has)
                find(findings, ISO_FORBIDDEN, de, NULL, offset);
            break;
        case ISO_PRESENCE_NONE:
            if (has && rules->others_forbidden)
                find(findings, ISO_FORBIDDEN, de, NULL, offset);
            break;
        case ISO_PRESENCE_OPTIONAL:
        case ISO_PRESENCES_COUNT:
            break;
        }
    }
}

uint32_t iso_missing(const struct iso_dialect *dialect, const struct iso_msg *msg)
{
    const struct iso_mti_rules *rules = iso_dialect_mti_rules(dialect, msg->mti);
    if (rules == NULL)
        return 0;
    for (uint32_t word = 0; word < 3; word++) {
        uint64_t missing =
            (rules->mandatory[word] | rules->conditional[word]) & ~msg->present[word];
        while (missing != 0) {
            uint32_t bit = (uint32_t)__builtin_clzll(missing), de = word * 64 + bit + 1;
            missing &= ~(UINT64_C(1) << (63 - bit));
            bool always = (rules->mandatory[word] >> (63 - bit) & 1) != 0;
            if (always || iso_condition_holds(dialect, rules->condition[de], msg))
                return de;
        }
    }
    return 0;
}

static bool equals_one(const char *text, size_t size, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strlen(*words) == size && memcmp(*words, text, size) == 0)
            return true;
    return false;
}

static bool value_in(const struct iso_dialect *dialect, const struct cond_step *step,
                     const struct iso_msg *msg)
{
    char text[256];
    size_t size;
    if (!iso_msg_text(dialect, msg, step->de, text, sizeof(text), &size) || size < step->from)
        return false;
    size -= step->from;
    if (step->count != 0 && size > step->count)
        size = step->count;
    return equals_one(text + step->from, size, step->words);
}

bool iso_condition_holds(const struct iso_dialect *dialect, uint16_t condition,
                         const struct iso_msg *msg)
{
    must(condition > 0 && condition < dialect->conditions_count);
    const struct condition *program = &dialect->conditions[condition];
    bool stack[COND_STEPS_MAX]; /* each step adds at most one */
    uint32_t depth = 0;
    for (uint32_t i = 0; i < program->steps_count; i++) {
        const struct cond_step *step = &program->steps[i];
        switch ((enum cond_op)step->op) {
        case COND_PRESENT:
            stack[depth++] = iso_msg_has(msg, step->de);
            break;
        case COND_IN:
            stack[depth++] = value_in(dialect, step, msg);
            break;
        case COND_MTI:
            stack[depth++] = equals_one(msg->mti, 4, step->words);
            break;
        case COND_AND:
            depth--;
            stack[depth - 1] = stack[depth - 1] && stack[depth];
            break;
        case COND_OR:
            depth--;
            stack[depth - 1] = stack[depth - 1] || stack[depth];
            break;
        case COND_NOT:
            stack[depth - 1] = !stack[depth - 1];
            break;
        }
    }
    must(depth == 1);
    return stack[0];
}

/* --- value rules --- */

static void check_item(const struct iso_dialect *dialect, const struct iso_node *node,
                       struct span wire, uint32_t count, uint32_t de, const char *path,
                       uint32_t offset, struct iso_findings *findings)
{
    char text[512];
    size_t size;
    if (node->rule == ISO_RULE_NONE)
        return;
    if (!iso_value_text(dialect, node, wire, count, text, sizeof(text), &size) ||
        !rule_holds(node, text, size))
        find(findings, ISO_RULE, de, path, offset);
}

static void check_inside(const struct iso_dialect *dialect, const struct iso_msg *msg, uint32_t de,
                         struct iso_findings *findings)
{
    struct iso_cursor stack[ISO_DEPTH_MAX];
    struct iso_item item;
    uint32_t depth = 0;
    if (!iso_cursor_open(dialect, msg, de, &stack[0]))
        return;
    for (;;) {
        struct iso_fault fault;
        enum iso_walk walk = iso_cursor_next(&stack[depth], &item, &fault);
        if (walk != ISO_WALK_ITEM) {
            if (walk == ISO_WALK_FAULT && findings->count < ISO_FINDINGS_MAX)
                findings->faults[findings->count++] = fault; /* a lazy field, looked into now */
            if (depth == 0)
                return;
            depth--;
            continue;
        }
        if (item.node->rule != ISO_RULE_NONE) {
            char path[ISO_PATH_BYTES + sizeof(item.key) + 1];
            (void)snprintf(path, sizeof(path), "%s.%s", stack[depth].path, item.key);
            check_item(dialect, item.node, iso_item_value(&stack[depth], &item), item.at.count, de,
                       path, item.at.offset, findings);
        }
        if (item.is_composite && depth + 1 < ISO_DEPTH_MAX &&
            iso_cursor_enter(&stack[depth], &item, &stack[depth + 1]))
            depth++;
    }
}

static void check_values(const struct iso_dialect *dialect, const struct iso_msg *msg,
                         struct iso_findings *findings)
{
    for (uint32_t de = iso_msg_next(msg, 0); de != 0; de = iso_msg_next(msg, de)) {
        const struct iso_node *node = dialect->fields[de];
        check_item(dialect, node, iso_msg_field(msg, de), msg->fields[de].count, de, NULL,
                   msg->fields[de].offset, findings);
        if (node->composite.kind != ISO_COMPOSITE_NONE)
            check_inside(dialect, msg, de, findings);
    }
}
