/* schema.c - the part of JSON Schema (draft 2020-12) that dialect.schema.json uses.
 *
 * DESIGN  Both files are trees of yaml.h: JSON is YAML. One function a keyword, looked up in a
 * table; each says what is wrong and where. oneOf tries its branches with a report of their own and
 * then explains the branch that was meant: the one whose type is the value's. */
#include "iso8583/schema.h"
#include "iso8583/yaml.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_DEPTH_MAX 96u /* keywords within keywords; YAML_DEPTH_MAX bounds the values */
#define PATH_BYTES       128u
#define TYPE_BYTES       96u

struct checker {
    const struct yaml *root; /* of the schema */
    struct iso_report *report;
    uint32_t depth;
    char path[PATH_BYTES];
};

static void check(struct checker *checker, const struct yaml *schema, const struct yaml *value);

bool iso_schema_check(const struct iso_source *schema, const struct iso_source *file,
                      struct iso_report *report)
{
    struct arena arena = {0};
    uint32_t before = report->count + report->lost;
    struct checker checker = {.report = report};
    checker.root = yaml_read(&arena, schema->text, schema->size, schema->name, report);
    const struct yaml *value = yaml_read(&arena, file->text, file->size, file->name, report);
    if (checker.root != NULL && value != NULL)
        check(&checker, checker.root, value);
    arena_free(arena.blocks);
    return report->count + report->lost == before;
}

static void complain(struct checker *checker, const struct yaml *at, const char *text,
                     const char *what)
{
    iso_report_add(checker->report, at->file, at->line, at->column, "%s%s%s%.90s", checker->path,
                   checker->path[0] != '\0' ? ": " : "", text, what);
}

/* Appends a key to the path; what it was before is cut back to. A path that is too long is cut. */
static size_t path_push(struct checker *checker, const char *key)
{
    size_t size = strlen(checker->path);
    (void)snprintf(checker->path + size, sizeof(checker->path) - size, "%s%s", size > 0 ? "." : "",
                   key);
    return size;
}

/* --- types --- */

enum type {
    TYPE_NULL,
    TYPE_BOOLEAN,
    TYPE_INTEGER,
    TYPE_NUMBER,
    TYPE_STRING,
    TYPE_ARRAY,
    TYPE_OBJECT,
    TYPES_COUNT
};
static const char *const type_names[TYPES_COUNT] = {"null",   "boolean", "integer", "number",
                                                    "string", "array",   "object"};

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words != NULL && strcmp(*words, text) != 0)
        words++;
    return *words != NULL;
}

/* YAML 1.2.2, 10.3.2; of numbers the decimal ones. */
static enum type type_of(const struct yaml *value)
{
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    if (value->kind != YAML_SCALAR)
        return value->kind == YAML_MAPPING ? TYPE_OBJECT : TYPE_ARRAY;
    const char *text = value->text;
    if (!value->is_plain)
        return TYPE_STRING;
    if (is_one_of(text, nulls))
        return TYPE_NULL;
    if (is_one_of(text, booleans))
        return TYPE_BOOLEAN;
    size_t sign = text[0] == '-' || text[0] == '+', whole = strspn(text + sign, "0123456789");
    const char *rest = text + sign + whole;
    if (whole > 0 && *rest == '\0')
        return TYPE_INTEGER;
    size_t fraction = *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
    return *rest == '.' && rest[1 + fraction] == '\0' && whole + fraction > 0 ? TYPE_NUMBER
                                                                              : TYPE_STRING;
}

static bool type_fits(const char *name, const struct yaml *value)
{
    enum type type = type_of(value);
    return strcmp(name, type_names[type]) == 0 ||
           (type == TYPE_INTEGER && strcmp(name, "number") == 0);
}

static bool types_fit(const struct yaml *types, const struct yaml *value)
{
    if (types->kind == YAML_SCALAR)
        return type_fits(types->text, value);
    for (const struct yaml *name = types->first; name != NULL; name = name->next)
        if (type_fits(name->text, value))
            return true;
    return false;
}

/* The scalars of a list, or one alone, as "a, b, c". */
static const char *list_of(const struct yaml *words, char out[TYPE_BYTES])
{
    const struct yaml *word = words->kind == YAML_SCALAR ? words : words->first;
    out[0] = '\0';
    for (; word != NULL; word = word == words ? NULL : word->next) {
        size_t used = strlen(out);
        (void)snprintf(out + used, TYPE_BYTES - used, "%s%s", used > 0 ? ", " : "",
                       type_of(word) == TYPE_NULL ? "null" : word->text);
    }
    return out;
}

/* --- keywords --- */

static void check_type(struct checker *checker, const struct yaml *keyword,
                       const struct yaml *schema, const struct yaml *value)
{
    char names[TYPE_BYTES];
    (void)schema;
    if (!types_fit(keyword, value))
        complain(checker, value, "a value of another type belongs here: ", list_of(keyword, names));
}

static bool is_equal(const struct yaml *a, const struct yaml *b)
{
    enum type type = type_of(a);
    return type == type_of(b) && a->kind == YAML_SCALAR &&
           (type == TYPE_NULL || strcmp(a->text, b->text) == 0);
}

static void check_enum(struct checker *checker, const struct yaml *keyword,
                       const struct yaml *schema, const struct yaml *value)
{
    char names[TYPE_BYTES];
    const struct yaml *word = keyword->kind == YAML_SCALAR ? keyword : keyword->first;
    (void)schema;
    for (; word != NULL; word = word == keyword ? NULL : word->next)
        if (is_equal(word, value))
            return;
    complain(checker, value, "one of these belongs here: ", list_of(keyword, names));
}

static void check_properties(struct checker *checker, const struct yaml *keyword,
                             const struct yaml *schema, const struct yaml *value)
{
    (void)schema;
    for (const struct yaml *member = keyword->first; member != NULL; member = member->next) {
        const struct yaml *own = yaml_get(value, member->key);
        size_t cut = path_push(checker, member->key);
        if (own != NULL)
            check(checker, member, own);
        checker->path[cut] = '\0';
    }
}

static void check_required(struct checker *checker, const struct yaml *keyword,
                           const struct yaml *schema, const struct yaml *value)
{
    (void)schema;
    for (const struct yaml *key = keyword->first; key != NULL; key = key->next)
        if (value->kind == YAML_MAPPING && yaml_get(value, key->text) == NULL)
            complain(checker, value, "this key is missing: ", key->text);
}

static void check_additional(struct checker *checker, const struct yaml *keyword,
                             const struct yaml *schema, const struct yaml *value)
{
    const struct yaml *known = yaml_get(schema, "properties");
    const struct yaml *member = value->kind == YAML_MAPPING ? value->first : NULL;
    for (; member != NULL; member = member->next) {
        if (yaml_get(known, member->key) != NULL)
            continue;
        size_t cut = path_push(checker, member->key);
        struct yaml key = *member; /* where the fault is: at the key */
        key.line = member->key_line;
        key.column = member->key_column;
        if (keyword->kind != YAML_SCALAR)
            check(checker, keyword, member);
        else if (strcmp(keyword->text, "false") == 0)
            complain(checker, &key, "unknown key", "");
        checker->path[cut] = '\0';
    }
}

static void check_names(struct checker *checker, const struct yaml *keyword,
                        const struct yaml *schema, const struct yaml *value)
{
    (void)schema;
    const struct yaml *member = value->kind == YAML_MAPPING ? value->first : NULL;
    for (; member != NULL; member = member->next) {
        size_t cut = path_push(checker, member->key);
        struct yaml key = {.kind = YAML_SCALAR,
                           .text = member->key,
                           .file = member->file,
                           .line = member->key_line,
                           .column = member->key_column};
        check(checker, keyword, &key);
        checker->path[cut] = '\0';
    }
}

static void check_items(struct checker *checker, const struct yaml *keyword,
                        const struct yaml *schema, const struct yaml *value)
{
    uint32_t index = 0;
    (void)schema;
    const struct yaml *item = value->kind == YAML_SEQUENCE ? value->first : NULL;
    for (; item != NULL; item = item->next) {
        char number[12];
        (void)snprintf(number, sizeof(number), "%u", index++);
        size_t cut = path_push(checker, number);
        check(checker, keyword, item);
        checker->path[cut] = '\0';
    }
}

static void check_min_items(struct checker *checker, const struct yaml *keyword,
                            const struct yaml *schema, const struct yaml *value)
{
    (void)schema;
    if (value->kind == YAML_SEQUENCE && value->count < strtoul(keyword->text, NULL, 10))
        complain(checker, value, "fewer values than ", keyword->text);
}

static void check_max_items(struct checker *checker, const struct yaml *keyword,
                            const struct yaml *schema, const struct yaml *value)
{
    (void)schema;
    if (value->kind == YAML_SEQUENCE && value->count > strtoul(keyword->text, NULL, 10))
        complain(checker, value, "more values than ", keyword->text);
}

static void check_minimum(struct checker *checker, const struct yaml *keyword,
                          const struct yaml *schema, const struct yaml *value)
{
    (void)schema;
    if (type_of(value) == TYPE_INTEGER &&
        strtoll(value->text, NULL, 10) < strtoll(keyword->text, NULL, 10))
        complain(checker, value, "the smallest number here is ", keyword->text);
}

static void check_maximum(struct checker *checker, const struct yaml *keyword,
                          const struct yaml *schema, const struct yaml *value)
{
    (void)schema;
    if (type_of(value) == TYPE_INTEGER &&
        strtoll(value->text, NULL, 10) > strtoll(keyword->text, NULL, 10))
        complain(checker, value, "the largest number here is ", keyword->text);
}

static void check_pattern(struct checker *checker, const struct yaml *keyword,
                          const struct yaml *schema, const struct yaml *value)
{
    regex_t pattern;
    if (type_of(value) != TYPE_STRING)
        return;
    if (regcomp(&pattern, keyword->text, REG_EXTENDED | REG_NOSUB) != 0) {
        complain(checker, keyword, "no pattern: ", keyword->text);
        return;
    }
    const struct yaml *help = yaml_get(schema, "description");
    if (regexec(&pattern, value->text, 0, NULL, 0) != 0)
        complain(checker, value, help != NULL ? "written so: " : "does not match ",
                 help != NULL ? help->text : keyword->text);
    regfree(&pattern);
}

static const struct yaml *definition(struct checker *checker, const struct yaml *reference)
{
    static const char where[] = "#/$defs/";
    const struct yaml *found = NULL;
    if (strncmp(reference->text, where, sizeof(where) - 1) == 0)
        found = yaml_get(yaml_get(checker->root, "$defs"), reference->text + sizeof(where) - 1);
    if (found == NULL)
        complain(checker, reference, "refers to nothing: ", reference->text);
    return found;
}

static void check_reference(struct checker *checker, const struct yaml *keyword,
                            const struct yaml *schema, const struct yaml *value)
{
    const struct yaml *target = definition(checker, keyword);
    (void)schema;
    if (target != NULL)
        check(checker, target, value);
}

/* Was this branch of a oneOf meant? Its type is the value's. A branch may be a oneOf itself; as
 * deep as check() has just followed it. */
static bool is_meant(struct checker *checker, const struct yaml *branch, const struct yaml *value)
{
    const struct yaml *reference = yaml_get(branch, "$ref");
    if (reference != NULL && (branch = definition(checker, reference)) == NULL)
        return false;
    const struct yaml *types = yaml_get(branch, "type"), *inner = yaml_get(branch, "oneOf");
    for (inner = inner != NULL ? inner->first : NULL; inner != NULL; inner = inner->next)
        if (is_meant(checker, inner, value))
            return true;
    return types != NULL && types_fit(types, value);
}

static void check_one_of(struct checker *checker, const struct yaml *keyword,
                         const struct yaml *schema, const struct yaml *value)
{
    struct iso_report *report = checker->report, *aside = calloc(1, sizeof(*aside));
    const struct yaml *meant = NULL;
    uint32_t fitting = 0, meanings = 0;
    must(aside != NULL);
    (void)schema;
    checker->report = aside;
    for (const struct yaml *branch = keyword->first; branch != NULL; branch = branch->next) {
        aside->count = aside->lost = 0;
        check(checker, branch, value);
        fitting += aside->count == 0;
        if (is_meant(checker, branch, value)) {
            meant = branch;
            meanings++;
        }
    }
    checker->report = report;
    free(aside);
    if (fitting == 0 && meanings == 1)
        check(checker, meant, value);
    else if (fitting != 1)
        complain(checker, value,
                 fitting == 0 ? "nothing of what may stand here" : "may be read in several ways",
                 "");
}

static void check_nothing(struct checker *checker, const struct yaml *keyword,
                          const struct yaml *schema, const struct yaml *value)
{
    (void)checker;
    (void)keyword;
    (void)schema;
    (void)value;
}

static void check(struct checker *checker, const struct yaml *schema, const struct yaml *value)
{
    static const struct {
        const char *name;
        void (*check)(struct checker *, const struct yaml *, const struct yaml *,
                      const struct yaml *);
    } keywords[] = {{"type", check_type},           {"enum", check_enum},
                    {"const", check_enum},          {"properties", check_properties},
                    {"required", check_required},   {"additionalProperties", check_additional},
                    {"propertyNames", check_names}, {"items", check_items},
                    {"minItems", check_min_items},  {"maxItems", check_max_items},
                    {"minimum", check_minimum},     {"maximum", check_maximum},
                    {"pattern", check_pattern},     {"oneOf", check_one_of},
                    {"$ref", check_reference},      {"$schema", check_nothing},
                    {"$defs", check_nothing},       {"title", check_nothing},
                    {"description", check_nothing}};
    if (schema->kind != YAML_MAPPING || checker->depth == SCHEMA_DEPTH_MAX) {
        complain(checker, schema, "the schema cannot be followed", "");
        return;
    }
    checker->depth++;
    for (const struct yaml *keyword = schema->first; keyword != NULL; keyword = keyword->next) {
        uint32_t found = 0;
        while (found < countof(keywords) && strcmp(keywords[found].name, keyword->key) != 0)
            found++;
        if (found < countof(keywords))
            keywords[found].check(checker, keyword, schema, value);
        else
            complain(checker, keyword, "no keyword that is known here: ", keyword->key);
    }
    checker->depth--;
}
