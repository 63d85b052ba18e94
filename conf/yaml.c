/* yaml.c - libyaml's events to a tree with places. See yaml.h for what is refused, and why.
 *
 * DESIGN  The bytes are looked at first (size, UTF-8, tabs), so that libyaml only ever sees text.
 * Events are consumed in one loop with a stack of open collections; nothing recurses. Nodes and
 * texts come from an arena of chunks. */
#include "conf/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define CHUNK_BYTES      65536u
#define READ_BYTES       8192u
#define MAPPING_KEYS_MAX 4096u /* compared pairwise */
#define SCALAR_BYTES_MAX 65536u

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
};

struct conf_tree {
    struct chunk *chunks;
    struct conf_node *root;
};

struct open_node { /* a collection that has not ended */
    struct conf_node *node, *last;
    struct conf_node *key; /* MAPPING: the key whose value comes next */
};

struct builder {
    struct conf_tree *tree;
    struct conf_report *report;
    const char *name;
    struct open_node open[CONF_YAML_DEPTH_MAX];
    uint32_t depth, nodes_count;
};

static bool text_is_acceptable(const char *text, size_t size, const char *name,
                               struct conf_report *report);
static bool take_event(struct builder *builder, const yaml_event_t *event);
static void report_parser(const struct builder *builder, const yaml_parser_t *parser);

struct conf_tree *conf_yaml_read(const char *text, size_t size, const char *name,
                                 struct conf_report *report)
{
    if (!text_is_acceptable(text, size, name, report)) {
        return NULL;
    }
    yaml_parser_t parser;
    must(yaml_parser_initialize(&parser) == 1);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);

    struct conf_tree *tree = calloc(1, sizeof *tree);
    must(tree != NULL);
    struct builder builder = {.tree = tree, .report = report, .name = name};
    uint32_t errors_before = report->errors_count;
    bool more = true;
    while (more) { /* ends: every event but the last consumes text, or a fault stops it */
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) != 1) {
            report_parser(&builder, &parser);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT && take_event(&builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);

    if (report->errors_count == errors_before && tree->root == NULL) {
        conf_report_add(report, (struct conf_place){name, 1, 1}, "E001", "the file is empty");
    }
    if (report->errors_count != errors_before) {
        conf_tree_free(tree);
        return NULL;
    }
    return tree;
}

/* The whole file, at most one byte more than is allowed; NULL: errno says why. */
static char *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return NULL;
    }
    size_t room = READ_BYTES;
    char *text = NULL;
    *size = 0;
    do { /* doubles until the file ends, or is too large */
        room = room < CONF_YAML_BYTES_MAX ? 2 * room : CONF_YAML_BYTES_MAX + 1;
        char *more = realloc(text, room);
        must(more != NULL);
        text = more;
        *size += fread(text + *size, 1, room - *size, file);
    } while (*size == room && room <= CONF_YAML_BYTES_MAX);
    if (ferror(file) != 0) {
        int error = errno;
        free(text);
        text = NULL;
        errno = error;
    }
    int error = errno;
    (void)fclose(file);
    errno = error;
    return text;
}

struct conf_tree *conf_yaml_load(const char *path, struct conf_report *report)
{
    size_t size;
    char *text = file_read(path, &size);
    if (text == NULL) {
        conf_report_add(report, (struct conf_place){.file = path}, "", "cannot be read: %s",
                        strerror(errno));
        return NULL;
    }
    struct conf_tree *tree = conf_yaml_read(text, size, path, report);
    free(text);
    return tree;
}

struct conf_node *conf_tree_root(struct conf_tree *tree)
{
    return tree->root;
}

void conf_tree_free(struct conf_tree *tree)
{
    if (tree == NULL) {
        return;
    }
    struct chunk *chunk = tree->chunks;
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(tree);
}

const struct conf_node *conf_node_get(const struct conf_node *node, const char *key)
{
    if (node == NULL || node->kind != CONF_MAPPING) {
        return NULL;
    }
    for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
        if (strcmp(child->key, key) == 0) {
            return child;
        }
    }
    return NULL;
}

const char *conf_node_text(const struct conf_node *node, const char *key)
{
    const struct conf_node *child = conf_node_get(node, key);
    return child != NULL && child->kind == CONF_SCALAR ? child->text : NULL;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at `at`; 0 when it is broken (RFC 3629: shortest form, no
 * surrogates, at most 10FFFF). */
static size_t utf8_size(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    if (first < 0x80) {
        return 1;
    }
    size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || left < size) {
        return 0;
    }
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (at[i] < 0x80 || at[i] > 0xBF) {
            return 0;
        }
    }
    return size;
}

static bool text_is_acceptable(const char *text, size_t size, const char *name,
                               struct conf_report *report)
{
    struct conf_place place = {name, 1, 1};
    if (size > CONF_YAML_BYTES_MAX) {
        place = (struct conf_place){.file = name};
        conf_report_add(report, place, "E001", "the file is larger than 4 MiB");
        return false;
    }
    for (size_t i = 0; i < size;) {
        unsigned char byte = (unsigned char)text[i];
        size_t step = utf8_size((const unsigned char *)text + i, size - i);
        if (step == 0) {
            conf_report_add(report, place, "E001", "not UTF-8: byte %02X", byte);
            return false;
        }
        if (byte == '\t') {
            conf_report_add(report, place, "E001", "a tab; only blanks are allowed");
            return false;
        }
        if ((byte < ' ' && byte != '\n' && byte != '\r') || byte == 0x7F) {
            conf_report_add(report, place, "E001", "control character %02X", byte);
            return false;
        }
        place.column++;
        if (byte == '\n') {
            place.line++;
            place.column = 1;
        }
        i += step;
    }
    return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void *arena_take(struct conf_tree *tree, size_t bytes)
{
    bytes = (bytes + 15u) & ~(size_t)15u;
    if (tree->chunks == NULL || tree->chunks->size - tree->chunks->used < bytes) {
        size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        struct chunk *chunk = malloc(sizeof *chunk + size);
        must(chunk != NULL);
        *chunk = (struct chunk){.next = tree->chunks, .size = size};
        tree->chunks = chunk;
    }
    void *taken = tree->chunks->bytes + tree->chunks->used;
    tree->chunks->used += bytes;
    memset(taken, 0, bytes);
    return taken;
}

static struct conf_place place_of(const struct builder *builder, yaml_mark_t mark)
{
    return (struct conf_place){builder->name, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static void report_parser(const struct builder *builder, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
    conf_report_add(builder->report, place_of(builder, parser->problem_mark), "E001", "YAML: %s",
                    problem);
}

/* A fault after which the events still make sense is reported and reading goes on. */
static bool refuse(struct builder *builder, struct conf_place place, const char *code,
                   const char *text)
{
    conf_report_add(builder->report, place, code, "%s", text);
    return false;
}

static struct conf_node *node_make(struct builder *builder, enum conf_node_kind kind,
                                   const yaml_event_t *event)
{
    struct conf_node *node = arena_take(builder->tree, sizeof *node);
    node->kind = kind;
    node->text = "";
    node->place = place_of(builder, event->start_mark);
    builder->nodes_count++;
    return node;
}

static bool keys_hold(struct builder *builder, const struct conf_node *mapping,
                      const struct conf_node *key)
{
    if (strcmp(key->text, "<<") == 0 && key->is_plain) {
        return refuse(builder, key->place, "E002", "merge keys are not allowed");
    }
    if (mapping->children_count == MAPPING_KEYS_MAX) {
        return refuse(builder, key->place, "E001", "a mapping with more than 4096 keys");
    }
    for (const struct conf_node *child = mapping->first; child != NULL; child = child->next) {
        if (strcmp(child->key, key->text) == 0) {
            conf_report_add(builder->report, key->place, "E003", "key \"%s\" is given twice",
                            key->text);
            return true; /* the rest of the file is worth reading */
        }
    }
    return true;
}

/* Puts a node where it belongs. False: reading stops. */
static bool attach(struct builder *builder, struct conf_node *node)
{
    if (builder->nodes_count > CONF_YAML_NODES_MAX) {
        return refuse(builder, node->place, "E001", "too many values");
    }
    if (builder->depth == 0) {
        builder->tree->root = node;
        return true;
    }
    struct open_node *open = &builder->open[builder->depth - 1];
    if (open->node->kind == CONF_MAPPING) {
        if (open->key == NULL) {
            if (node->kind != CONF_SCALAR) {
                return refuse(builder, node->place, "E001", "a key must be a plain text");
            }
            open->key = node;
            return keys_hold(builder, open->node, node);
        }
        node->key = open->key->text;
        node->key_place = open->key->place;
        open->key = NULL;
    } else {
        node->key_place = node->place;
    }
    if (open->last == NULL) {
        open->node->first = node;
    } else {
        open->last->next = node;
    }
    open->last = node;
    open->node->children_count++;
    return true;
}

static bool take_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct conf_node *node = node_make(builder, CONF_SCALAR, event);
    size_t size = event->data.scalar.length;
    if (event->data.scalar.tag != NULL) {
        return refuse(builder, node->place, "E002", "tags are not allowed");
    }
    if (event->data.scalar.anchor != NULL) {
        return refuse(builder, node->place, "E002", "anchors and aliases are not allowed");
    }
    if (size > SCALAR_BYTES_MAX || memchr(event->data.scalar.value, 0, size) != NULL) {
        return refuse(builder, node->place, "E001", "a text too long, or with a zero byte");
    }
    char *text = arena_take(builder->tree, size + 1);
    memcpy(text, event->data.scalar.value, size);
    node->text = text;
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return attach(builder, node);
}

static bool take_collection(struct builder *builder, const yaml_event_t *event,
                            enum conf_node_kind kind, const yaml_char_t *anchor,
                            const yaml_char_t *tag)
{
    struct conf_node *node = node_make(builder, kind, event);
    if (tag != NULL) {
        return refuse(builder, node->place, "E002", "tags are not allowed");
    }
    if (anchor != NULL) {
        return refuse(builder, node->place, "E002", "anchors and aliases are not allowed");
    }
    if (builder->depth == CONF_YAML_DEPTH_MAX) {
        return refuse(builder, node->place, "E001", "nested deeper than 12 levels");
    }
    if (!attach(builder, node)) {
        return false;
    }
    builder->open[builder->depth++] = (struct open_node){.node = node};
    return true;
}

static bool take_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    case YAML_DOCUMENT_START_EVENT:
        if (event->data.document_start.version_directive != NULL ||
            event->data.document_start.tag_directives.start !=
                event->data.document_start.tag_directives.end) {
            return refuse(builder, place_of(builder, event->start_mark), "E002",
                          "directives are not allowed");
        }
        if (builder->tree->root != NULL) {
            return refuse(builder, place_of(builder, event->start_mark), "E001",
                          "exactly one document per file");
        }
        return true;
    case YAML_ALIAS_EVENT:
        return refuse(builder, place_of(builder, event->start_mark), "E002",
                      "anchors and aliases are not allowed");
    case YAML_SCALAR_EVENT:
        return take_scalar(builder, event);
    case YAML_MAPPING_START_EVENT:
        return take_collection(builder, event, CONF_MAPPING, event->data.mapping_start.anchor,
                               event->data.mapping_start.tag);
    case YAML_SEQUENCE_START_EVENT:
        return take_collection(builder, event, CONF_SEQUENCE, event->data.sequence_start.anchor,
                               event->data.sequence_start.tag);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        builder->depth--;
        return true;
    }
    return true;
}
