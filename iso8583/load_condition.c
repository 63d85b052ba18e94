/* load_condition.c - conditions of fields: text to a postfix program.
 *
 *     either = both { "or" both }      both = one { "and" one }
 *     one    = "not" one | "(" either ")" | "present(" N ")" | "absent(" N ")"
 *            | value ( "==" | "!=" ) text | value "in" "[" text { "," text } "]"
 *     value  = "de" N [ "[" from ".." to "]" ] | "mti"        text = 'abc' or "abc"
 *
 * Characters are counted from 1, both ends included. Depth is bounded by CONDITION_DEPTH_MAX. */
#include "iso8583/loader.h"

#define CONDITION_DEPTH_MAX 16u

struct parser {
    struct loader *loader;
    const struct yaml *at;
    const char *p;
    uint32_t depth;
    bool failed;
    struct cond_step steps[COND_STEPS_MAX];
    uint16_t steps_count;
};

static void parse_either(struct parser *parser);

uint16_t load_condition(struct loader *loader, const struct yaml *value)
{
    struct iso_dialect *dialect = loader->dialect;
    const char *text;
    if (!load_text(loader, value, &text))
        return 0;
    for (uint32_t i = 1; i < dialect->conditions_count; i++)
        if (strcmp(dialect->conditions[i].text, text) == 0)
            return (uint16_t)i;
    struct parser parser = {.loader = loader, .at = value, .p = text};
    parse_either(&parser);
    while (*parser.p == ' ')
        parser.p++;
    if (parser.failed || *parser.p != '\0') {
        complain_at(loader, value, "the condition cannot be read from: %.30s", parser.p);
        return 0;
    }
    enum { ROOM = 16 }; /* the list grows in steps */
    if (dialect->conditions_count == 1 || dialect->conditions_count % ROOM == 0) {
        struct condition *grown =
            arena_take(&loader->arena, (dialect->conditions_count + ROOM + 1) * sizeof(*grown));
        if (dialect->conditions != NULL)
            memcpy(grown, dialect->conditions, dialect->conditions_count * sizeof(*grown));
        dialect->conditions = grown;
    }
    struct cond_step *steps = arena_take(&loader->arena, parser.steps_count * sizeof(*steps));
    memcpy(steps, parser.steps, parser.steps_count * sizeof(*steps));
    struct condition *list = (struct condition *)dialect->conditions;
    list[dialect->conditions_count] = (struct condition){text, steps, parser.steps_count};
    return (uint16_t)dialect->conditions_count++;
}

static void fail(struct parser *parser)
{
    parser->failed = true;
}

static bool take(struct parser *parser, const char *token)
{
    while (*parser->p == ' ')
        parser->p++;
    size_t size = strlen(token);
    if (parser->failed || strncmp(parser->p, token, size) != 0)
        return false;
    char next = parser->p[size];
    bool is_word = token[size - 1] >= 'a' && token[size - 1] <= 'z' && size > 2;
    if (is_word && next >= 'a' && next <= 'z')
        return false;
    parser->p += size;
    return true;
}

static void expect(struct parser *parser, const char *token)
{
    if (!take(parser, token))
        fail(parser);
}

static void emit(struct parser *parser, struct cond_step step)
{
    if (parser->steps_count == COND_STEPS_MAX)
        fail(parser);
    else
        parser->steps[parser->steps_count++] = step;
}

static uint32_t parse_number(struct parser *parser)
{
    const char *start = parser->p;
    while (*parser->p >= '0' && *parser->p <= '9')
        parser->p++;
    uint32_t value = 0;
    if (!text_number(start, (size_t)(parser->p - start), 9999, &value))
        fail(parser);
    return value;
}

static uint16_t parse_de(struct parser *parser)
{
    uint32_t de = parse_number(parser);
    if (!parser->failed &&
        (de < 2 || de > ISO_FIELDS_MAX || parser->loader->dialect->fields[de] == NULL)) {
        complain_at(parser->loader, parser->at,
                    "the condition asks for field %u, which is not there", de);
        de = 2;
    }
    return (uint16_t)de;
}

static const char *parse_word(struct parser *parser)
{
    char quote = take(parser, "'") ? '\'' : take(parser, "\"") ? '"' : '\0';
    const char *end = quote != '\0' ? strchr(parser->p, quote) : NULL;
    if (end == NULL) {
        fail(parser);
        return "";
    }
    const char *word = arena_copy(&parser->loader->arena, parser->p, (size_t)(end - parser->p));
    parser->p = end + 1;
    return word;
}

static void parse_comparison(struct parser *parser, struct cond_step step)
{
    enum { WORDS = 32 };
    const char **words = arena_take(&parser->loader->arena, (WORDS + 1) * sizeof(*words));
    uint32_t count = 0;
    bool negated = false;
    step.words = words;
    if (take(parser, "in")) {
        expect(parser, "[");
        do {
            words[count++] = parse_word(parser);
        } while (!parser->failed && count < WORDS && take(parser, ","));
        expect(parser, "]");
    } else {
        negated = take(parser, "!=");
        if (!negated)
            expect(parser, "==");
        words[count++] = parse_word(parser);
    }
    emit(parser, step);
    if (negated)
        emit(parser, (struct cond_step){.op = COND_NOT});
}

static void parse_one(struct parser *parser)
{
    if (parser->failed || ++parser->depth > CONDITION_DEPTH_MAX) {
        fail(parser);
        return;
    }
    if (take(parser, "not")) {
        parse_one(parser);
        emit(parser, (struct cond_step){.op = COND_NOT});
    } else if (take(parser, "(")) {
        parse_either(parser);
        expect(parser, ")");
    } else if (take(parser, "present(")) {
        emit(parser, (struct cond_step){.op = COND_PRESENT, .de = parse_de(parser)});
        expect(parser, ")");
    } else if (take(parser, "absent(")) {
        emit(parser, (struct cond_step){.op = COND_PRESENT, .de = parse_de(parser)});
        expect(parser, ")");
        emit(parser, (struct cond_step){.op = COND_NOT});
    } else if (take(parser, "mti")) {
        parse_comparison(parser, (struct cond_step){.op = COND_MTI});
    } else if (take(parser, "de")) {
        struct cond_step step = {.op = COND_IN, .de = parse_de(parser)};
        if (take(parser, "[")) {
            uint32_t from = parse_number(parser), to;
            expect(parser, "..");
            to = parse_number(parser);
            if (from < 1 || to < from)
                fail(parser);
            step.from = (uint16_t)(from - 1);
            step.count = (uint16_t)(to - from + 1);
            expect(parser, "]");
        }
        parse_comparison(parser, step);
    } else {
        fail(parser);
    }
    parser->depth--;
}

static void parse_both(struct parser *parser)
{
    parse_one(parser);
    while (take(parser, "and")) {
        parse_one(parser);
        emit(parser, (struct cond_step){.op = COND_AND});
    }
}

static void parse_either(struct parser *parser)
{
    parse_both(parser);
    while (take(parser, "or")) {
        parse_both(parser);
        emit(parser, (struct cond_step){.op = COND_OR});
    }
}
