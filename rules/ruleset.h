/* ruleset.h - the compiled set, as its parts see it. Internal to rules/.
 *
 * DESIGN  A `when` is turned into at most RULES_ALTERNATIVES_MAX alternatives (disjunctive normal
 * form, negation pushed to the conditions); each is a run of conditions that must all hold. A
 * condition tests one attribute: against sorted ranges of its number, sorted texts, a list, or
 * another attribute. Everything lies in fixed arrays of one allocation, which is touched as far as
 * it is used. */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

#include "conf/yaml.h"
#include "rules/rules.h"

#define RULES_ALTERNATIVES_MAX    16u
#define RULES_PER_ALTERNATIVE_MAX 32u /* conditions */
#ifdef RS_FUZZ                        /* small enough that a fuzzer reaches the ends */
#define RULES_RANGES_MAX  256u
#define RULES_STRINGS_MAX 64u
#define RULES_TEXT_BYTES  16384u
#else
#define RULES_RANGES_MAX  65536u
#define RULES_STRINGS_MAX 65536u
#define RULES_TEXT_BYTES  (4u * 1024u * 1024u)
#endif
#define RULES_FILES_MAX        16u
#define RULES_COUNTER_KEYS_MAX 4u
#define RULES_DIGITS           11u    /* digits are compared left-aligned in this many */
#define RULES_NO_CODE          "E090" /* part of the language, not in this version */

enum rule_type {
#define RULE_TYPE(name, text, operators, in_list) RULE_##name,
#include "rules/type.def"
#undef RULE_TYPE
    RULE_TYPES_COUNT
};
enum rule_attr {
#define ATTR(name, text, type, words, from) RULE_ATTR_##name,
#include "rules/attr.def"
#undef ATTR
    RULE_ATTRS_COUNT
};
#define RULE_ATTR_NONE 0xFFu
enum rule_reason {
#define RULE_REASON(name, de39, text) RULE_REASON_##name,
#include "rules/reason.def"
#undef RULE_REASON
    RULE_REASONS_COUNT
};

/* ---- values (attr.c) ------------------------------------------------------------------------- */

struct rule_value {
    bool is_present;
    uint32_t size; /* TEXT, HASH */
    const uint8_t *bytes;
    uint64_t number; /* the other types */
};
struct rule_values {
    struct rule_value of[RULE_ATTRS_COUNT];
    uint16_t currency; /* of `amount`; 0 = missing */
};
void rule_values_fetch(const struct rule_facts *facts, struct rule_values *out);

struct rule_attr_row {
    const char *name;
    enum rule_type type;
    const char *words, *from;
    uint32_t digits_least, digits_most; /* DIGITS */
};
extern const struct rule_attr_row rule_attrs[RULE_ATTRS_COUNT];
struct rule_type_row {
    const char *name, *operators;
    bool in_list;
};
extern const struct rule_type_row rule_types[RULE_TYPES_COUNT];
struct rule_reason_row {
    const char *name, *de39, *text;
};
extern const struct rule_reason_row rule_reasons[RULE_REASONS_COUNT];

/* Largest number that an attribute can have. */
uint64_t rule_attr_number_max(enum rule_attr attr);
/* The value as text, for people; never a card key. */
void rule_value_print(enum rule_attr attr, const struct rule_values *values, char *out,
                      size_t out_size);

/* ---- the set --------------------------------------------------------------------------------- */

struct rule_range {
    uint64_t low, high; /* both within */
};
struct rule_string {
    const char *text;
    uint32_t size;
};
struct rule_run { /* a part of one of the arrays */
    uint32_t first, count;
};

enum rule_test {
    RULE_IN_RANGES,
    RULE_IN_STRINGS,
    RULE_STARTS,
    RULE_IN_LIST,
    RULE_EQUALS,
    RULE_MISSING
};
struct rule_condition {
    const char *source;     /* as written */
    uint8_t attr;           /* enum rule_attr */
    uint8_t test;           /* enum rule_test */
    bool is_negated;        /* true and false change places; unknown stays */
    uint8_t other;          /* EQUALS: enum rule_attr */
    uint16_t currency;      /* RANGES of money: of the literal */
    uint16_t list;          /* LIST */
    struct rule_run values; /* RANGES: ranges; STRINGS, STARTS: strings */
};
struct rule_alternative {
    struct rule_run conditions;
};

struct rule_list {
    const char *name;
    const char *source; /* its name in ref.mdb; "" = only entries */
    uint8_t type;       /* enum rule_type */
    uint8_t of;         /* enum rule_attr, or RULE_ATTR_NONE */
    struct rule_run ranges, strings;
    struct conf_place place;
    bool is_used;
};

struct rule_counter {
    const char *name;
    uint64_t declaration;
    uint32_t window_s;
    uint16_t buckets;
    uint8_t keys[RULES_COUNTER_KEYS_MAX];
    uint8_t keys_count;
    bool is_used;
    struct rule_run alternatives;
    struct conf_place place;
};

struct rule_max { /* of a limit: at most one amount and every counter */
    bool has_amount;
    uint16_t currency;
    int64_t amount_minor;
    uint32_t counts[RULES_COUNTERS_MAX]; /* 0: this counter is not limited here */
};

struct rule_compiled { /* a row */
    uint8_t kind;      /* enum rule_row_kind */
    bool unknown_matches;
    bool is_on_us;
    uint8_t reason; /* enum rule_reason; routes: not looked at */
    uint8_t routes_count;
    uint8_t routes[LIMIT_ROUTES_MAX];
    uint16_t list; /* LIST */
    uint16_t max;  /* LIMIT: index */
    const char *id, *name, *file;
    uint32_t line;
    struct rule_run alternatives;
};

struct rules {
    uint8_t hash[RULES_HASH_BYTES];
    bool routes_by_on_us; /* rules_empty() */
    uint32_t files_count, rows_count, lists_count, counters_count, maxes_count;
    uint32_t first_limit, first_route; /* rows stand in this order: lists, limits, routes */
    uint32_t conditions_count, alternatives_count, ranges_count, strings_count;
    size_t text_used;
    char files[RULES_FILES_MAX][CONF_PATH_BYTES];
    struct rule_list lists[RULES_LISTS_MAX];
    struct rule_counter counters[RULES_COUNTERS_MAX];
    struct rule_compiled rows[RULES_ROWS_MAX];
    struct rule_max maxes[RULES_ROWS_MAX];
    struct rule_alternative alternatives[RULES_CONDITIONS_MAX];
    struct rule_condition conditions[RULES_CONDITIONS_MAX];
    struct rule_range ranges[RULES_RANGES_MAX];
    struct rule_string strings[RULES_STRINGS_MAX];
    char text[RULES_TEXT_BYTES];
};

/* ---- evaluation (screen.c) ------------------------------------------------------------------- */

struct rule_pass { /* one message against one set */
    const struct rules *rules;
    const struct rule_lookup *lookup;
    struct rule_values values;
    uint64_t list_known, list_true; /* a bit a list: asked once, of the attribute list_attr */
    uint8_t list_attr[RULES_LISTS_MAX];
};
enum rule_truth rule_condition_truth(struct rule_pass *pass,
                                     const struct rule_condition *condition);
enum rule_truth rule_when_truth(struct rule_pass *pass, struct rule_run alternatives);
bool rule_list_holds(struct rule_pass *pass, uint16_t list, enum rule_attr attr);

#endif
