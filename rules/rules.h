/* rules.h - the rule files of a directory, compiled; and what they say to one message.
 *
 * DESIGN  lists.yaml, limits.yaml and routing.yaml become one immutable object. Conditions have
 * three values: on a missing value they are unknown, and a rule fires only on true (or, with
 * `unknown: match`, on not false). Nothing here decides: a message's outcome is findings, a list of
 * endpoints and counters, which the shard puts in order with everything else. What a rule file may
 * say is docs/rules.md.
 *
 * LIFE  rules_load() runs on the control thread (it allocates and reads files). rules_screen() runs
 * on any worker: no allocation, no lock, no state but the caller's; its loops are bounded by the
 * numbers below. rules_free() when no worker uses the set any more. */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include "base/limits.h"
#include "conf/report.h"

#ifdef RS_FUZZ /* small enough that a fuzzer reaches the ends */
#define RULES_ROWS_MAX       16u
#define RULES_CONDITIONS_MAX 64u
#else
#define RULES_ROWS_MAX       1024u /* lists with `then`, limits and routes together */
#define RULES_CONDITIONS_MAX 16384u
#endif
#define RULES_LISTS_MAX    64u
#define RULES_COUNTERS_MAX LIMIT_COUNTS_PER_TXN_MAX
#define RULES_NONE         UINT16_MAX
#define RULES_HASH_BYTES   32u
#define RULES_NAME_BYTES   32u
#define RULES_BUCKETS_MAX  63u /* of a sliding window; ledger/row.h holds one more */
#define RULES_ROUTE_ON_US  0xFFu

/* ---- what is known of one message ------------------------------------------------------------ */

/* Raw values as the message has them; rules/attr.c makes the attributes of attr.def of them. Zero
 * is missing unless said otherwise. No PAN. */
struct rule_facts {
    uint8_t card_key[16];
    bool has_card_key;
    bool has_amount; /* DE4 may be absent in a balance inquiry */
    bool has_currency;
    bool has_pin; /* DE52 was sent */
    bool card_is_on_us;
    bool has_condition;  /* DE25 */
    uint8_t condition;   /* DE25 */
    uint8_t processing;  /* DE3 1-2: 0 = purchase */
    uint16_t mti;        /* as a number: 100, 101, 120 …; the repeat digit is not looked at */
    uint16_t currency;   /* DE49 */
    uint16_t mcc;        /* DE18 */
    uint16_t entry_mode; /* DE22, three digits */
    uint32_t pan_first8; /* first 8 digits as a number */
    uint64_t acquirer;   /* DE32 as a number; digits_count says how many */
    uint8_t acquirer_digits_count;
    int64_t amount_minor;
    uint8_t merchant[15]; /* DE42, padded with blanks; zeros: missing */
    uint8_t terminal[8];  /* DE41 */
    const char *party;    /* its name; NULL: missing */
};

/* Is `key` on the list now? (ledger/ref.h; the context is the worker's reader.) Keys as the lists
 * hold them: hash 16 bytes; digits, mcc, text: the characters without padding. */
struct rule_lookup {
    bool (*listed)(void *context, const char *list, const void *key, uint32_t key_size);
    void *context; /* listed NULL: every list of the ledger is empty */
};

/* ---- what the rules say ---------------------------------------------------------------------- */

enum rule_finding {
    RULE_FOUND_DENIED = 1u << 0,      /* 59: a list with `then` */
    RULE_FOUND_NO_ROUTE = 1u << 1,    /* 15 */
    RULE_FOUND_OVER_AMOUNT = 1u << 2, /* 61 */
};

struct rule_count { /* a counter that this message counts in; the fields of the shard's record */
    uint64_t declaration; /* hash of its declaration */
    uint64_t key;         /* hash of its key values */
    uint32_t max;         /* refuse when the value after this one exceeds it; 0: only count */
    uint32_t window_s;
    uint16_t buckets;
    uint16_t counter; /* rules_counter_name() */
};

struct rule_outcome {
    uint32_t findings; /* enum rule_finding */
    bool is_on_us;     /* routed to our own issuer side */
    uint8_t routes_count;
    uint8_t routes[LIMIT_ROUTES_MAX]; /* endpoint indexes, in order */
    uint8_t counts_count;
    struct rule_count counts[LIMIT_COUNTS_PER_TXN_MAX];
    uint16_t denied_by, over_amount_by, routed_by; /* rows, for the log; RULES_NONE */
};

struct rules;

/* The findings, counters and route of one message. `out` is written completely. */
void rules_screen(const struct rules *rules, const struct rule_facts *facts,
                  const struct rule_lookup *lookup, struct rule_outcome *out);

/* ---- making a set ---------------------------------------------------------------------------- */

struct rules_options {
    const char *directory; /* *.yaml, in the order of their names */
    /* index = the number that routes get; "onus" is always there. NULL: any name will do, for a
     * check without a configuration; such a set routes nowhere but to onus. */
    const char *const *endpoints;
    uint32_t endpoints_count;
    uint32_t cards_max, counter_slots_max; /* 0: not compared with what the counters may need */
};

/* NULL when the report has an error. */
NODISCARD struct rules *rules_load(const struct rules_options *options, struct conf_report *report);
/* A set without rules that routes by nothing but `on_us`: everything else has no route. For load
 * runs and tests. */
NODISCARD struct rules *rules_empty(void);
void rules_free(struct rules *rules); /* NULL is allowed */

/* SHA-256 of what the set means: the same files with other comments or blanks have the same. */
const uint8_t *rules_hash(const struct rules *rules); /* RULES_HASH_BYTES */
uint64_t rules_id(const struct rules *rules); /* its first 8 bytes, big endian: the journal */

/* ---- for people ------------------------------------------------------------------------------ */

enum rule_row_kind { RULE_ROW_LIST, RULE_ROW_LIMIT, RULE_ROW_ROUTE };
struct rule_row { /* texts live as long as the set */
    enum rule_row_kind kind;
    const char *id;     /* "L001", or the list's name */
    const char *name;   /* may be "" */
    const char *reason; /* "AMOUNT_LIMIT"; "" for a route */
    const char *file;
    uint32_t line;
};
uint32_t rules_rows_count(const struct rules *rules);
struct rule_row rules_row(const struct rules *rules, uint16_t row);
uint32_t rules_counters_count(const struct rules *rules);
const char *rules_counter_name(const struct rules *rules, uint16_t counter);
/* "3 lists, 2 limits, 1 counter, 3 routes" */
void rules_describe(const struct rules *rules, char *out, size_t out_size);

enum rule_truth { RULE_FALSE, RULE_UNKNOWN, RULE_TRUE };
/* One row against one message, and the first condition that did not hold ("" when all did):
 * "card.bin in 990001: 41111111". */
enum rule_truth rules_explain(const struct rules *rules, const struct rule_facts *facts,
                              const struct rule_lookup *lookup, uint16_t row, char *text,
                              size_t text_size);

#endif
