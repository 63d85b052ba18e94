/* schema_test.c - dialect.schema.json and the loader say the same; each keyword of the interpreter
 * finds what it is for, where it stands. */
#include "iso8583/loader.h"
#include "support.h"
#include "wrong.h"

#include <dirent.h>

static const struct yaml *at(const struct yaml *from, const char *path)
{
    char key[64];
    while (from != NULL && *path != '\0') {
        size_t size = strcspn(path, "/");
        (void)snprintf(key, sizeof(key), "%.*s", (int)size, path);
        if (from->kind == YAML_SEQUENCE) {
            unsigned long index = strtoul(key, NULL, 10);
            for (from = from->first; from != NULL && index > 0; index--)
                from = from->next;
        } else {
            from = yaml_get(from, key);
        }
        path += size + (path[size] == '/');
    }
    return from;
}

static const struct yaml *read_schema(struct arena *arena)
{
    struct iso_report report = {0};
    const struct iso_source *schema = schema_shipped();
    const struct yaml *root = yaml_read(arena, schema->text, schema->size, schema->name, &report);
    cr_assert_not_null(root, "%s", report.texts[0]);
    return root;
}

Test(schema, has_the_keys_of_the_loader)
{
    static const struct {
        const char *const *keys;
        const char *path;
    } mappings[] = {
        {load_root_keys, "properties"},
        {load_header_keys, "properties/header/properties"},
        {load_mti_keys, "properties/mti/properties"},
        {load_bitmap_keys, "properties/bitmap/properties"},
        {load_defaults_keys, "properties/defaults/properties"},
        {load_mac_keys, "properties/mac/properties"},
        {load_field_keys, "$defs/field/oneOf/1/properties"},
        {load_message_keys, "$defs/message/properties"},
    };
    struct arena arena = {0};
    const struct yaml *root = read_schema(&arena);
    for (size_t i = 0; i < countof(mappings); i++) {
        const struct yaml *properties = at(root, mappings[i].path);
        cr_assert_not_null(properties, "%s", mappings[i].path);
        uint32_t count = 0;
        for (const char *const *key = mappings[i].keys; *key != NULL; key++, count++)
            cr_expect_not_null(yaml_get(properties, *key), "%s has no %s", mappings[i].path, *key);
        cr_expect_eq(properties->count, count, "%s has keys that the loader does not know",
                     mappings[i].path);
    }
    arena_free(arena.blocks);
}

/* The words of a list, null aside, are these, whatever their order. */
static void expect_words(const struct yaml *root, const char *path, uint32_t count,
                         const char *(*word)(uint32_t))
{
    const struct yaml *list = at(root, path);
    uint32_t found = 0;
    cr_assert_not_null(list, "%s", path);
    for (const struct yaml *one = list->first; one != NULL; one = one->next)
        found += !one->is_null;
    cr_expect_eq(found, count, "%s: %u, not %u", path, found, count);
    for (uint32_t i = 0; i < count; i++) {
        bool has = false;
        for (const struct yaml *one = list->first; one != NULL; one = one->next)
            has = has || strcmp(one->text, word(i)) == 0;
        cr_expect(has, "%s has no %s", path, word(i));
    }
}
static const char *encoding_word(uint32_t i)
{
    return iso_encoding_text((enum iso_encoding)i);
}
static const char *unit_word(uint32_t i)
{
    return iso_unit_text((enum iso_unit)i);
}
static const char *mask_word(uint32_t i)
{
    return iso_mask_text((enum iso_mask)i);
}
static const char *rule_word(uint32_t i) /* but `values`, which is a key of its own */
{
    return iso_rule_text((enum iso_rule)(i + (i >= ISO_RULE_VALUES)));
}
static const char *framing_word(uint32_t i)
{
    return iso_framing_text((enum iso_framing_kind)i);
}
static const char *length_word(uint32_t i)
{
    return iso_length_encoding_text((enum iso_length_encoding)(ISO_LEN_ASCII + i));
}

Test(schema, has_the_words_of_the_loader)
{
    struct arena arena = {0};
    const struct yaml *root = read_schema(&arena);
    expect_words(root, "$defs/encoding/enum", ISO_ENCODINGS_COUNT, encoding_word);
    expect_words(root, "$defs/unit/enum", ISO_UNIT_COUNT, unit_word);
    expect_words(root, "$defs/field/oneOf/1/properties/mask/enum", ISO_MASKS_COUNT, mask_word);
    expect_words(root, "$defs/field/oneOf/1/properties/rule/enum", ISO_RULES_COUNT - 1, rule_word);
    expect_words(root, "properties/framing/enum", ISO_FRAMINGS_COUNT, framing_word);
    expect_words(root, "properties/defaults/properties/length/enum",
                 ISO_LEN_HEX - ISO_LEN_ASCII + 1, length_word);
    arena_free(arena.blocks);
}

/* Words that the loader compares one by one: it knows each of the schema's, and no other. */
Test(schema, has_no_word_more)
{
    static const struct {
        const char *path, *dialect, *said;
    } words[] = {
        {"properties/header/properties/kind/enum", "header: {kind: %s, size: 5}", "kind is none"},
        {"properties/mti/properties/encoding/enum", "mti: {encoding: %s}", "an MTI is"},
        {"properties/bitmap/properties/secondary/enum", "bitmap: {secondary: %s}",
         "secondary is announced"},
        {"properties/bitmap/properties/tertiary/enum", "bitmap: {tertiary: %s}", "tertiary is"},
        {"$defs/map/enum", "bitmap: {encoding: %s}", "a bitmap is"},
        {"$defs/message/properties/others/enum", "messages: {'0100': {others: %s}}", "others is"},
        {"$defs/field/oneOf/1/properties/of/enum",
         "fields: {3: {form: b 6, tags: ascii 1, tag_lengths: ascii 1, of: %s}}", "of is"},
        {"$defs/field/oneOf/1/properties/repeat/enum",
         "fields: {3: {form: b 6, of: ber, repeat: %s}}", "repeat is"},
        {"$defs/field/oneOf/1/properties/inside/enum",
         "fields: {3: {form: b 6, of: ber, inside: %s}}", "inside is"},
    };
    struct arena arena = {0};
    const struct yaml *root = read_schema(&arena);
    for (size_t i = 0; i < countof(words); i++) {
        const struct yaml *list = at(root, words[i].path), *word;
        struct yaml none = {.text = "gbk"};
        cr_assert_not_null(list, "%s", words[i].path);
        for (word = list->first; word != NULL;) {
            char format[256], text[512];
            struct iso_report report = {0};
            bool said = false;
            (void)snprintf(format, sizeof(format), "dialect: t\n%s\n", words[i].dialect);
            const char *mark = strstr(format, "%s");
            (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - format), format,
                           word->is_null ? "null" : word->text, mark + 2);
            struct iso_dialect *dialect =
                iso_dialect_load_text(text, strlen(text), "t.yaml", NULL, &report);
            for (uint32_t j = 0; j < report.count; j++)
                said = said || strstr(report.texts[j], words[i].said) != NULL;
            cr_expect(word->is_null || said == (word == &none), "%s: %s", text, report.texts[0]);
            iso_dialect_free(dialect);
            word = word == &none ? NULL : word->next != NULL ? word->next : &none;
        }
    }
    arena_free(arena.blocks);
}

Test(schema, takes_what_is_shipped)
{
    DIR *directory = opendir(RS_DIALECTS);
    struct dirent *entry;
    uint32_t count = 0;
    static char text[1 << 18];
    cr_assert_not_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char path[512];
        struct iso_report report = {0};
        if (strstr(entry->d_name, ".yaml") == NULL)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", RS_DIALECTS, entry->d_name);
        FILE *file = fopen(path, "rb");
        cr_assert_not_null(file);
        struct iso_source source = {text, fread(text, 1, sizeof(text), file), entry->d_name};
        (void)fclose(file);
        cr_expect(iso_schema_check(schema_shipped(), &source, &report), "%s", report.texts[0]);
        count++;
    }
    (void)closedir(directory);
    cr_assert_geq(count, 15);
}

/* Of what the loader refuses: that which stands in one place. */
Test(schema, refuses_what_it_can_know)
{
    for (size_t i = 0; i < countof(wrong) + countof(wrong_together); i++) {
        const struct wrong *row =
            i < countof(wrong) ? &wrong[i] : &wrong_together[i - countof(wrong)];
        struct iso_report report = {0};
        struct iso_source file = {row->text, strlen(row->text), "t.yaml"};
        bool taken = iso_schema_check(schema_shipped(), &file, &report);
        cr_expect_eq(taken, i >= countof(wrong), "%s: %s", row->text,
                     taken ? "taken" : report.texts[0]);
    }
}

static const struct {
    const char *schema, *text, *said; /* "": nothing; else one fault, in full */
} keywords[] = {
    {"{type: string}", "a", ""},
    {"{type: string}", "'1'", ""},
    {"{type: string}", "1", "t:1:1: a value of another type belongs here: string"},
    {"{type: [integer, 'null']}", "~", ""},
    {"{type: [integer, 'null']}", "-12", ""},
    {"{type: integer}", "1.5", "t:1:1: a value of another type belongs here: integer"},
    {"{type: number}", "1.5", ""},
    {"{type: number}", ".5", ""},
    {"{type: number}", "1", ""},
    {"{type: number}", ".", "t:1:1: a value of another type belongs here: number"},
    {"{type: boolean}", "true", ""},
    {"{type: boolean}", "yes", "t:1:1: a value of another type belongs here: boolean"},
    {"{type: object}", "[]", "t:1:1: a value of another type belongs here: object"},
    {"{type: array}", "[]", ""},
    {"{enum: ['a', 'b', null]}", "b", ""},
    {"{enum: ['a', 'b', null]}", "", "t:1:1: the file is empty"},
    {"{enum: ['a', 'b', null]}", "~", ""},
    {"{enum: ['a', 'b', null]}", "c", "t:1:1: one of these belongs here: a, b, null"},
    {"{enum: ['1']}", "1", "t:1:1: one of these belongs here: 1"},
    {"{const: 'a'}", "a", ""},
    {"{const: 'a'}", "b", "t:1:1: one of these belongs here: a"},
    {"{properties: {a: {type: integer}}}", "{a: x}",
     "t:1:5: a: a value of another type belongs here: integer"},
    {"{properties: {a: {properties: {b: {type: integer}}}}}", "a:\n  b: x",
     "t:2:6: a.b: a value of another type belongs here: integer"},
    {"{required: [a]}", "{b: 1}", "t:1:1: this key is missing: a"},
    {"{properties: {a: {}}, additionalProperties: false}", "{a: 1}", ""},
    {"{properties: {a: {}}, additionalProperties: false}", "{a: 1, c: 1}", "t:1:8: c: unknown key"},
    {"{properties: {a: {}}, additionalProperties: true}", "{a: 1, c: 1}", ""},
    {"{additionalProperties: {type: integer}}", "{a: 1, c: x}",
     "t:1:11: c: a value of another type belongs here: integer"},
    {"{propertyNames: {pattern: '^[ab]$'}}", "{a: 1, c: x}", "t:1:8: c: does not match ^[ab]$"},
    {"{items: {type: integer}}", "[1, x]",
     "t:1:5: 1: a value of another type belongs here: integer"},
    {"{minItems: 2}", "[1]", "t:1:1: fewer values than 2"},
    {"{minItems: 2}", "[1, 2]", ""},
    {"{maxItems: 2}", "[1, 2, 3]", "t:1:1: more values than 2"},
    {"{maxItems: 2}", "[1, 2]", ""},
    {"{minimum: 2}", "1", "t:1:1: the smallest number here is 2"},
    {"{minimum: 2}", "2", ""},
    {"{maximum: 2}", "3", "t:1:1: the largest number here is 2"},
    {"{maximum: 2}", "2", ""},
    {"{pattern: '^x\\+n$', description: as it is}", "x", "t:1:1: written so: as it is"},
    {"{pattern: '^x\\+n$'}", "x+n", ""},
    {"{pattern: '('}", "x", "s:1:11: no pattern: ("},
    {"{oneOf: [{type: integer}, {type: string}]}", "x", ""},
    {"{oneOf: [{type: string}, {pattern: x}]}", "x", "t:1:1: may be read in several ways"},
    {"{oneOf: [{type: integer, maximum: 2}, {type: string}]}", "3",
     "t:1:1: the largest number here is 2"},
    {"{oneOf: [{type: integer}, {oneOf: [{type: string, pattern: '^a'}, {type: array}]}]}", "b",
     "t:1:1: does not match ^a"},
    {"{oneOf: [{const: 'a'}, {const: 'b'}]}", "c", "t:1:1: nothing of what may stand here"},
    {"{$ref: '#/$defs/a', $defs: {a: {type: integer}}}", "1", ""},
    {"{$ref: '#/$defs/b'}", "1", "s:1:8: refers to nothing: #/$defs/b"},
    {"{$ref: '#/$defs/a', $defs: {a: {$ref: '#/$defs/a'}}}", "1",
     "s:1:32: the schema cannot be followed"},
    {"{properties: {a: 1}}", "{a: 1}", "s:1:18: a: the schema cannot be followed"},
    {"{maxLength: 3}", "x", "s:1:13: no keyword that is known here: maxLength"},
    {"{$schema: x, title: x, description: x}", "x", ""},
};

Test(schema, each_keyword)
{
    for (size_t i = 0; i < countof(keywords); i++) {
        struct iso_report report = {0};
        struct iso_source schema = {keywords[i].schema, strlen(keywords[i].schema), "s"};
        struct iso_source file = {keywords[i].text, strlen(keywords[i].text), "t"};
        bool taken = iso_schema_check(&schema, &file, &report);
        cr_expect_eq(taken, keywords[i].said[0] == '\0', "%s %s", keywords[i].schema,
                     keywords[i].text);
        cr_expect_eq(report.count, taken ? 0 : 1, "%s: %u", keywords[i].schema, report.count);
        cr_expect_str_eq(report.texts[0], keywords[i].said, "%s: %s", keywords[i].schema,
                         report.texts[0]);
    }
}
