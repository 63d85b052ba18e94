/* compile.h - what the parts of the compiler share. Internal to rules/; control thread. */
#ifndef RULES_COMPILE_H
#define RULES_COMPILE_H

#include "rules/ruleset.h"

struct rule_id { /* where an id was first used: they are unique across files */
    const char *id;
    struct conf_place place;
};

struct compiler {
    struct rules *rules;
    const struct rules_options *options;
    struct conf_report *report;
    const struct conf_node *lists, *limits, *routing; /* roots, or NULL */
    struct rule_id ids[RULES_ROWS_MAX];
    uint32_t ids_count;
};

#define RULE_FAULT(compiler, place, code, ...)                                                     \
    conf_report_add((compiler)->report, place, code, __VA_ARGS__)
/* "; did you mean \"x\"?" or "". out holds CONF_PATH_BYTES. */
const char *rule_meant(const char *name, const char *const *names, uint32_t names_count, char *out);

/* ---- pools of the set: NULL or false after a fault, when one is full ------------------------- */

const char *rule_text_keep(struct compiler *compiler, struct conf_place place, const char *text);
NODISCARD bool rule_range_add(struct compiler *compiler, struct conf_place place, uint64_t low,
                              uint64_t high);
NODISCARD bool rule_string_add(struct compiler *compiler, struct conf_place place,
                               const char *text);
/* Sorts and joins what was added since `first`. Returns the run; *repeated: some overlapped. */
struct rule_run rule_ranges_end(struct compiler *compiler, uint32_t first, bool *repeated);
struct rule_run rule_strings_end(struct compiler *compiler, uint32_t first, bool *repeated);
struct rule_compiled *rule_row_add(struct compiler *compiler, enum rule_row_kind kind,
                                   const struct conf_node *node, const char *id, const char *name);

/* ---- shape.c: keys of mappings --------------------------------------------------------------- */

struct rule_keys {
    const char *const *known; /* ends with NULL; "name!" is required */
    const char *const *later; /* part of the language, not in this version; may be NULL */
    const char *what;         /* "a limit" */
};
/* Reports what is unknown, missing or not in this version. False: not a mapping. */
bool rule_keys_check(struct compiler *compiler, const struct conf_node *node,
                     const struct rule_keys *keys);
bool rule_is_scalar(struct compiler *compiler, const struct conf_node *node);
/* "id" of a rule, unique in the set; "" when it has none. */
const char *rule_id_take(struct compiler *compiler, const struct conf_node *rule);
/* Index of a reason, RULE_REASONS_COUNT after a fault. */
enum rule_reason rule_reason_find(struct compiler *compiler, const struct conf_node *node);
/* Looks for card numbers in every text of a file (E070). */
void rule_pans_refuse(struct compiler *compiler, const struct conf_node *root);

/* ---- literal.c ------------------------------------------------------------------------------- */

struct rule_money {
    uint16_t currency;
    int64_t amount_minor;
};
NODISCARD bool rule_money_read(struct compiler *compiler, struct conf_place place, const char *text,
                               struct rule_money *out);
NODISCARD bool rule_currency_find(const char *code, uint16_t *number, uint32_t *decimals);
/* One literal of the attribute's type added to the open ranges or strings. MONEY: see above. attr
 * may be RULE_ATTR_NONE for entries of a list. */
bool rule_literal_add(struct compiler *compiler, struct conf_place place, enum rule_type type,
                      uint8_t attr, const char *text);

/* ---- condition.c and when.c ------------------------------------------------------------------ */

/* Attribute by name; false after a fault. stage: of the file, for attributes that come later. */
NODISCARD bool rule_attr_find(struct compiler *compiler, struct conf_place place, const char *name,
                              uint32_t stage, uint8_t *out);
NODISCARD bool rule_condition_read(struct compiler *compiler, const struct conf_node *node,
                                   uint32_t stage, struct rule_condition *out);
/* The member `when` of a rule; absent: always. False after a fault. */
bool rule_when_read(struct compiler *compiler, const struct conf_node *rule, uint32_t stage,
                    struct rule_run *out);

/* ---- cover.c --------------------------------------------------------------------------------- */

/* No message can fulfil all of them. */
bool rule_contradicts(const struct rules *rules, const struct rule_condition *conditions,
                      uint32_t conditions_count);
/* Whatever fulfils b fulfils a. Says no when in doubt. */
bool rule_covers(const struct rules *rules, struct rule_run a, struct rule_run b);

/* ---- load.c ---------------------------------------------------------------------------------- */

struct evp_md_ctx_st;
/* What the tree means, into a digest: keys, texts and structure, no blanks, comments or quotes. */
void rule_digest_node(struct evp_md_ctx_st *context, const struct conf_node *root);

/* ---- one file each --------------------------------------------------------------------------- */

void rule_lists_read(struct compiler *compiler);     /* names, types, entries */
void rule_list_rows_read(struct compiler *compiler); /* `then` */
void rule_limits_read(struct compiler *compiler);
void rule_routing_read(struct compiler *compiler);
uint16_t rule_list_find(const struct rules *rules, const char *name);    /* RULES_NONE */
uint16_t rule_counter_find(const struct rules *rules, const char *name); /* RULES_NONE */

#endif
