/* dialect.c - loads a dialect: finds its files, merges what it extends, compiles; answers
 * questions.
 *
 * DESIGN  File → tree (yaml.c) → merged tree → forms, fields, rules (load_*.c) → ops (compile.c).
 * All memory is one arena that is freed with the dialect. Control thread only, but the questions.
 */
#include "iso8583/loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EXTENDS_MAX 4u

static struct iso_dialect *load(struct loader *loader, const char *text, size_t size,
                                const char *file);
static struct yaml *read_merged(struct loader *loader, const char *text, size_t size,
                                const char *file, uint32_t depth);
static char *read_file(struct loader *loader, const char *path, size_t *size);
static const char *find_named(struct loader *loader, const char *name, const char *beside);

struct iso_dialect *iso_dialect_load(const char *path, const char *directories,
                                     struct iso_report *report)
{
    struct loader loader = {.report = report, .directories = directories};
    size_t size;
    const char *text = read_file(&loader, path, &size);
    if (text == NULL) {
        arena_free(loader.arena.blocks);
        return NULL;
    }
    return load(&loader, text, size, arena_copy(&loader.arena, path, strlen(path)));
}

struct iso_dialect *iso_dialect_load_text(const char *text, size_t text_size, const char *file,
                                          const char *directories, struct iso_report *report)
{
    struct loader loader = {.report = report, .directories = directories};
    return load(&loader, text, text_size, arena_copy(&loader.arena, file, strlen(file)));
}

struct iso_dialect *iso_dialect_by_name(const char *name, const char *directories,
                                        struct iso_report *report)
{
    struct loader loader = {.report = report, .directories = directories};
    size_t size = strlen(name);
    bool is_path = strchr(name, '/') != NULL || (size > 5 && strcmp(name + size - 5, ".yaml") == 0);
    const char *found = is_path ? name : find_named(&loader, name, NULL);
    struct iso_dialect *dialect = NULL;
    if (found == NULL)
        iso_report_add(report, name, 0, 0, "no dialect of this name in %s",
                       directories != NULL ? directories : "(no directories)");
    else
        dialect = iso_dialect_load(found, directories, report);
    arena_free(loader.arena.blocks);
    return dialect;
}

void iso_dialect_free(struct iso_dialect *dialect)
{
    if (dialect != NULL)
        arena_free(dialect->arena); /* the dialect itself lives in it */
}

static struct iso_dialect *load(struct loader *loader, const char *text, size_t size,
                                const char *file)
{
    uint32_t before = loader->report->count + loader->report->lost;
    struct yaml *root = read_merged(loader, text, size, file, 0);
    struct iso_dialect *dialect = arena_take(&loader->arena, sizeof(*dialect));
    loader->dialect = dialect;
    for (uint32_t i = 0; i <= ISO_ENC_EBCDIC1047; i++)
        if (encoding_is_single_byte((enum iso_encoding)i))
            charset_fill(&dialect->charsets[i], (enum iso_encoding)i);
    if (root != NULL) {
        load_forms(loader, root);
        load_fields(loader, root);
        load_rules(loader, root);
        if (loader->uses_gbk)
            load_gbk(loader);
    }
    if (loader->report->count + loader->report->lost != before) {
        arena_free(loader->arena.blocks);
        return NULL;
    }
    compile_ops(dialect);
    dialect->arena = loader->arena.blocks;
    return dialect;
}

/* --- files --- */

static char *read_file(struct loader *loader, const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        iso_report_add(loader->report, path, 0, 0, "cannot be opened");
        return NULL;
    }
    size_t capacity = YAML_BYTES_MAX + 1;
    char *room = malloc(capacity);
    must(room != NULL);
    *size = fread(room, 1, capacity, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    char *text = NULL;
    if (failed || *size == capacity)
        iso_report_add(loader->report, path, 0, 0, failed ? "cannot be read" : "is too large");
    else
        text = arena_copy(&loader->arena, room, *size);
    free(room);
    return text;
}

static bool is_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    char byte; /* a directory opens, but cannot be read */
    bool readable = fread(&byte, 1, 1, file) == 1;
    (void)fclose(file);
    return readable;
}

static const char *join(struct loader *loader, const char *directory, size_t size, const char *name)
{
    size_t room = size + strlen(name) + 8;
    char *path = arena_take(&loader->arena, room);
    (void)snprintf(path, room, "%.*s/%s.yaml", (int)size, directory, name);
    return is_file(path) ? path : NULL;
}

/* The file of a dialect by name: beside `beside`, then in the directories. */
static const char *find_named(struct loader *loader, const char *name, const char *beside)
{
    for (const char *p = name; *p != '\0'; p++)
        if (*p == '/')
            return NULL;
    if (beside != NULL) {
        const char *slash = strrchr(beside, '/');
        const char *found = slash != NULL ? join(loader, beside, (size_t)(slash - beside), name)
                                          : join(loader, ".", 1, name);
        if (found != NULL)
            return found;
    }
    for (const char *from = loader->directories; from != NULL && *from != '\0';) {
        const char *colon = strchr(from, ':');
        size_t size = colon != NULL ? (size_t)(colon - from) : strlen(from);
        const char *found = size > 0 ? join(loader, from, size, name) : NULL;
        if (found != NULL)
            return found;
        from = colon != NULL ? colon + 1 : NULL;
    }
    return NULL;
}

/* --- extends --- */

static void append(struct yaml *mapping, struct yaml **last, const struct yaml *member,
                   struct arena *arena)
{
    struct yaml *copy = arena_take(arena, sizeof(*copy));
    *copy = *member;
    copy->next = NULL;
    if (*last == NULL)
        mapping->first = copy;
    else
        (*last)->next = copy;
    *last = copy;
    mapping->count++;
}

/* Members of `over` replace those of `under`; null removes. levels: how deep mappings are merged.
 */
static struct yaml *merge(struct arena *arena, const struct yaml *under, const struct yaml *over,
                          uint32_t levels)
{
    struct yaml *out = arena_take(arena, sizeof(*out));
    struct yaml *last = NULL;
    *out = *over;
    out->first = NULL;
    out->count = 0;
    for (const struct yaml *child = under->first; child != NULL; child = child->next) {
        const struct yaml *other = yaml_get(over, child->key);
        if (other == NULL) {
            append(out, &last, child, arena);
        } else if (levels > 0 && other->kind == YAML_MAPPING && child->kind == YAML_MAPPING) {
            append(out, &last, merge(arena, child, other, levels - 1), arena);
        } else if (!other->is_null) {
            append(out, &last, other, arena);
        }
    }
    for (const struct yaml *child = over->first; child != NULL; child = child->next)
        if (yaml_get(under, child->key) == NULL && !child->is_null)
            append(out, &last, child, arena);
    return out;
}

static struct yaml *read_merged(struct loader *loader, const char *text, size_t size,
                                const char *file, uint32_t depth)
{
    struct yaml *root = yaml_read(&loader->arena, text, size, file, loader->report);
    if (root == NULL)
        return NULL;
    if (root->kind != YAML_MAPPING) {
        complain_at(loader, root, "a dialect is a mapping");
        return NULL;
    }
    const struct yaml *extends = yaml_get(root, "extends");
    const char *name;
    if (extends == NULL)
        return root;
    if (!load_text(loader, extends, &name))
        return NULL;
    const char *path = depth < EXTENDS_MAX ? find_named(loader, name, file) : NULL;
    if (path == NULL) {
        complain_at(loader, extends,
                    depth < EXTENDS_MAX ? "no dialect %s to extend"
                                        : "%s: dialects extend too deeply",
                    name);
        return NULL;
    }
    size_t under_size;
    const char *under_text = read_file(loader, path, &under_size);
    struct yaml *under =
        under_text != NULL ? read_merged(loader, under_text, under_size, path, depth + 1) : NULL;
    return under != NULL ? merge(&loader->arena, under, root, 1) : NULL;
}

/* --- questions --- */

const char *iso_dialect_name(const struct iso_dialect *dialect)
{
    return dialect->name;
}
const char *iso_dialect_title(const struct iso_dialect *dialect)
{
    return dialect->title;
}
const char *iso_dialect_note(const struct iso_dialect *dialect)
{
    return dialect->note;
}
const char *iso_dialect_valid_from(const struct iso_dialect *dialect)
{
    return dialect->valid_from;
}
const char *iso_dialect_valid_until(const struct iso_dialect *dialect)
{
    return dialect->valid_until;
}
const char *iso_dialect_supersedes(const struct iso_dialect *dialect)
{
    return dialect->supersedes;
}
const char *iso_dialect_framing(const struct iso_dialect *dialect)
{
    return dialect->framing;
}
const struct iso_mti_form *iso_dialect_mti(const struct iso_dialect *dialect)
{
    return &dialect->mti;
}
const struct iso_bitmap_form *iso_dialect_bitmap(const struct iso_dialect *dialect)
{
    return &dialect->bitmap;
}
const struct iso_header_form *iso_dialect_header(const struct iso_dialect *dialect)
{
    return &dialect->header;
}
const struct iso_mac_form *iso_dialect_mac(const struct iso_dialect *dialect)
{
    return &dialect->mac;
}
const uint16_t *iso_dialect_spread(const struct iso_dialect *dialect)
{
    return dialect->spread;
}

const struct iso_node *iso_dialect_field(const struct iso_dialect *dialect, uint32_t de)
{
    return de <= ISO_FIELDS_MAX ? dialect->fields[de] : NULL;
}

const struct iso_node *iso_dialect_path(const struct iso_dialect *dialect, const char *path)
{
    char *rest;
    unsigned long de = strtoul(path, &rest, 10);
    if (rest == path || de > ISO_FIELDS_MAX)
        return NULL;
    const struct iso_node *node = dialect->fields[de];
    while (node != NULL && *rest == '.') {
        const char *key = rest + 1, *dot = strchr(key, '.');
        size_t size = dot != NULL ? (size_t)(dot - key) : strlen(key);
        node = iso_node_child_key(node, key, size);
        rest += 1 + size;
    }
    return *rest == '\0' ? node : NULL;
}

const struct iso_node *iso_node_child(const struct iso_node *node, uint64_t number_or_tag)
{
    uint32_t low = node->composite.lead_count, high = node->children_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (node->children[middle].tag < number_or_tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < node->children_count && node->children[low].tag == number_or_tag
               ? &node->children[low]
               : NULL;
}

const struct iso_node *iso_node_child_key(const struct iso_node *node, const char *key,
                                          size_t key_size)
{
    for (uint32_t i = 0; i < node->children_count; i++)
        if (strlen(node->children[i].key) == key_size &&
            memcmp(node->children[i].key, key, key_size) == 0)
            return &node->children[i];
    return NULL;
}

uint32_t iso_dialect_mti_count(const struct iso_dialect *dialect)
{
    return dialect->rules_count;
}

const struct iso_mti_rules *iso_dialect_mti_at(const struct iso_dialect *dialect, uint32_t index)
{
    return index < dialect->rules_count ? &dialect->rules[index] : NULL;
}

const struct iso_mti_rules *iso_dialect_mti_rules(const struct iso_dialect *dialect,
                                                  const char mti[4])
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < 4; i++) {
        if (mti[i] < '0' || mti[i] > '9')
            return NULL;
        number = number * 10 + (uint32_t)(mti[i] - '0');
    }
    int16_t index = dialect->rules_by_mti[number];
    return index < 0 ? NULL : &dialect->rules[index];
}

const char *iso_dialect_condition(const struct iso_dialect *dialect, uint16_t condition)
{
    return condition < dialect->conditions_count && condition > 0
               ? dialect->conditions[condition].text
               : "";
}

void iso_report_add(struct iso_report *report, const char *file, uint32_t line, uint32_t column,
                    const char *format, ...)
{
    if (report->count == ISO_REPORT_MAX) {
        report->lost++;
        return;
    }
    char *out = report->texts[report->count++];
    int used = line == 0 ? snprintf(out, ISO_REPORT_TEXT_BYTES, "%s: ", file)
                         : snprintf(out, ISO_REPORT_TEXT_BYTES, "%s:%u:%u: ", file, line, column);
    if (used < 0 || (size_t)used >= ISO_REPORT_TEXT_BYTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out + used, ISO_REPORT_TEXT_BYTES - (size_t)used, format, arguments);
    va_end(arguments);
}
