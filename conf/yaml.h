/* yaml.h - a YAML file as a bounded tree with places; no YAML typing.
 *
 * DESIGN  libyaml's events, and only the plain part of the language: one document of mappings,
 * sequences and scalars. Refused, each with its place: anchors, aliases, tags, merge keys,
 * duplicate keys, tabs, several documents, more than CONF_YAML_BYTES_MAX, deeper than
 * CONF_YAML_DEPTH_MAX, broken UTF-8, keys that are not scalars. A scalar is text; whoever reads it
 * knows its type, so NO, 05 and 12:30 stay what they are.
 *
 * The tree is one allocation that its owner frees. Control thread. */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include "conf/report.h"

#define CONF_YAML_BYTES_MAX (4u * 1024u * 1024u)
#define CONF_YAML_DEPTH_MAX 12u
#define CONF_YAML_NODES_MAX 262144u

enum conf_node_kind { CONF_SCALAR, CONF_MAPPING, CONF_SEQUENCE };

struct conf_node {
    enum conf_node_kind kind;
    bool is_plain;    /* SCALAR without quotes */
    const char *key;  /* member of a mapping; else NULL */
    const char *text; /* SCALAR; NUL-terminated, holds no NUL; else "" */
    struct conf_place place, key_place;
    struct conf_node *first, *next; /* children in file order; sibling */
    uint32_t children_count;
};

struct conf_tree;
/* NULL when the report has an error. `name` is what faults call the file. */
NODISCARD struct conf_tree *conf_yaml_read(const char *text, size_t size, const char *name,
                                           struct conf_report *report);
NODISCARD struct conf_tree *conf_yaml_load(const char *path, struct conf_report *report);
struct conf_node *conf_tree_root(struct conf_tree *tree);
void conf_tree_free(struct conf_tree *tree); /* NULL is allowed */

/* The member of a mapping; NULL when absent, or `node` is no mapping. */
const struct conf_node *conf_node_get(const struct conf_node *node, const char *key);
/* Its text; NULL when absent or no scalar. */
const char *conf_node_text(const struct conf_node *node, const char *key);

#endif
