/* yaml.h - a YAML document as a tree with places. Internal to the loader (control thread).
 *
 * A small, strict subset: one document, plain mappings, sequences and scalars; anchors, aliases and
 * tags are refused, keys must be scalars and may not repeat. Bounded in depth and number of nodes.
 */
#ifndef ISO8583_YAML_H
#define ISO8583_YAML_H

#include "iso8583/arena.h"
#include "iso8583/dialect.h"

#define YAML_DEPTH_MAX    24u
#define YAML_NODES_MAX    200000u
#define YAML_CHILDREN_MAX 4096u /* of one mapping or sequence; keys are compared pairwise */
#define YAML_BYTES_MAX    (4u * 1024u * 1024u)

enum yaml_kind { YAML_SCALAR, YAML_MAPPING, YAML_SEQUENCE };
struct yaml {
    enum yaml_kind kind;
    bool is_null;     /* a plain scalar ~, null or nothing */
    bool is_plain;    /* a scalar without quotes */
    const char *text; /* SCALAR */
    const char *key;  /* member of a mapping: its key */
    const char *file;
    uint32_t line, column, key_line, key_column; /* from 1 */
    struct yaml *first, *next;                   /* children in order; sibling */
    uint32_t count;
};

/* NULL with a text in the report when the document is not well-formed. */
struct yaml *yaml_read(struct arena *arena, const char *text, size_t size, const char *file,
                       struct iso_report *report);
/* The member of a mapping; NULL when absent or not a mapping. */
const struct yaml *yaml_get(const struct yaml *mapping, const char *key);

#endif
