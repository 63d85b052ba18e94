/* yaml.c - builds the tree from libyaml's events, with an explicit stack. */
#include "iso8583/yaml.h"

#include <string.h>
#include <yaml.h>

struct reader {
    struct arena *arena;
    struct iso_report *report;
    const char *file;
    struct yaml *stack[YAML_DEPTH_MAX];
    struct yaml *last[YAML_DEPTH_MAX]; /* last child of each */
    const yaml_event_t *event;
    const char *key; /* read, its value is due */
    uint32_t key_line, key_column;
    uint32_t depth, nodes;
    struct yaml *root;
};

static bool take_event(struct reader *reader);
static void complain(struct reader *reader, const yaml_mark_t *mark, const char *text);

struct yaml *yaml_read(struct arena *arena, const char *text, size_t size, const char *file,
                       struct iso_report *report)
{
    struct reader reader = {.arena = arena, .report = report, .file = file};
    yaml_parser_t parser;
    yaml_event_t event;
    uint32_t before = report->count + report->lost;
    if (size > YAML_BYTES_MAX) {
        iso_report_add(report, file, 1, 1, "the file is larger than %u bytes", YAML_BYTES_MAX);
        return NULL;
    }
    must(yaml_parser_initialize(&parser) == 1);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    for (bool more = true; more;) {
        if (!yaml_parser_parse(&parser, &event)) {
            complain(&reader, &parser.problem_mark,
                     parser.problem != NULL ? parser.problem : "no YAML");
            break;
        }
        reader.event = &event;
        more = event.type != YAML_STREAM_END_EVENT && take_event(&reader);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (report->count + report->lost != before)
        return NULL;
    if (reader.root == NULL)
        iso_report_add(report, file, 1, 1, "the file is empty");
    return reader.root;
}

static void complain(struct reader *reader, const yaml_mark_t *mark, const char *text)
{
    iso_report_add(reader->report, reader->file, (uint32_t)mark->line + 1,
                   (uint32_t)mark->column + 1, "%s", text);
}

static bool refuse(struct reader *reader, const char *text)
{
    complain(reader, &reader->event->start_mark, text);
    return false;
}

static bool is_repeated(const struct yaml *mapping, const char *key)
{
    return yaml_get(mapping, key) != NULL;
}

/* Hangs a new node below the innermost open collection; NULL when the document breaks a bound. */
static struct yaml *add_node(struct reader *reader, enum yaml_kind kind)
{
    const yaml_mark_t *mark = &reader->event->start_mark;
    if (++reader->nodes > YAML_NODES_MAX) {
        (void)refuse(reader, "too many values");
        return NULL;
    }
    struct yaml *node = arena_take(reader->arena, sizeof(*node));
    node->kind = kind;
    node->file = reader->file;
    node->line = (uint32_t)mark->line + 1;
    node->column = (uint32_t)mark->column + 1;
    if (reader->depth == 0) {
        if (reader->root != NULL) {
            (void)refuse(reader, "more than one document");
            return NULL;
        }
        reader->root = node;
        return node;
    }
    uint32_t top = reader->depth - 1;
    struct yaml *parent = reader->stack[top];
    if (parent->count == YAML_CHILDREN_MAX) {
        (void)refuse(reader, "too many values in one place");
        return NULL;
    }
    if (parent->kind == YAML_MAPPING) {
        node->key = reader->key;
        node->key_line = reader->key_line;
        node->key_column = reader->key_column;
        reader->key = NULL;
    }
    if (reader->last[top] == NULL)
        parent->first = node;
    else
        reader->last[top]->next = node;
    reader->last[top] = node;
    parent->count++;
    return node;
}

static bool wants_key(const struct reader *reader)
{
    return reader->depth > 0 && reader->stack[reader->depth - 1]->kind == YAML_MAPPING &&
           reader->key == NULL;
}

static bool take_scalar(struct reader *reader)
{
    const yaml_event_t *event = reader->event;
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return refuse(reader, "anchors and tags are not taken");
    if (memchr(text, '\0', size) != NULL)
        return refuse(reader, "a NUL character");
    char *copy = arena_copy(reader->arena, text, size);
    if (wants_key(reader)) {
        if (is_repeated(reader->stack[reader->depth - 1], copy))
            return refuse(reader, "the key stands here twice");
        reader->key = copy;
        reader->key_line = (uint32_t)event->start_mark.line + 1;
        reader->key_column = (uint32_t)event->start_mark.column + 1;
        return true;
    }
    struct yaml *node = add_node(reader, YAML_SCALAR);
    if (node == NULL)
        return false;
    node->text = copy;
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->is_null =
        node->is_plain && (size == 0 || strcmp(copy, "~") == 0 || strcmp(copy, "null") == 0);
    return true;
}

static bool take_start(struct reader *reader, enum yaml_kind kind)
{
    const yaml_event_t *event = reader->event;
    bool marked =
        kind == YAML_MAPPING
            ? event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL
            : event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    if (marked)
        return refuse(reader, "anchors and tags are not taken");
    if (wants_key(reader))
        return refuse(reader, "a key must be plain text");
    if (reader->depth == YAML_DEPTH_MAX)
        return refuse(reader, "nested too deeply");
    struct yaml *node = add_node(reader, kind);
    if (node == NULL)
        return false;
    reader->stack[reader->depth] = node;
    reader->last[reader->depth] = NULL;
    reader->depth++;
    return true;
}

static bool take_event(struct reader *reader)
{
    switch (reader->event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(reader);
    case YAML_MAPPING_START_EVENT:
        return take_start(reader, YAML_MAPPING);
    case YAML_SEQUENCE_START_EVENT:
        return take_start(reader, YAML_SEQUENCE);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        reader->depth--;
        return true;
    case YAML_ALIAS_EVENT:
        return refuse(reader, "aliases are not taken");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return true;
}

const struct yaml *yaml_get(const struct yaml *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING)
        return NULL;
    for (const struct yaml *child = mapping->first; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}
