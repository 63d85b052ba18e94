/* conf.h - the configuration: read, checked as a whole, immutable; a reload makes another one.
 *
 * DESIGN  A setting is one row of conf.def, a counterparty's of party.def, a listener's of
 * listener.def, a key's of key.def: the structs, the reader, `--print-defaults` and
 * docs/configuration.md come from those rows. Values of `--set PATH=VALUE` stand in the place of
 * the file's. Whatever is wrong is reported with its place, all faults in one run; a configuration
 * with a fault does not exist.
 *
 * Paths: PATH rows are relative to the file they stand in (of `--set`: to the working directory),
 * DATA rows to the directory `data`. Both are resolved here.
 *
 * Control thread. Bounds: LIMIT_PARTIES_MAX, LIMIT_ENDPOINTS_MAX, CONF_LISTENERS_MAX,
 * CONF_KEYS_MAX. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/io.h"
#include "base/limits.h"
#include "conf/party.h"
#include "conf/report.h"
#include "conf/setting.h"

#define CONF_LISTENERS_MAX 8u
#define CONF_KEYS_MAX      64u
#define CONF_OVERRIDES_MAX 128u

/* Words of conf.def, in their order. */
enum conf_mode { CONF_MODE_DEMO, CONF_MODE_PRODUCTION };
enum conf_threads { CONF_THREADS_AUTO, CONF_THREADS_SHARED, CONF_THREADS_DEDICATED };
enum conf_pin { CONF_PIN_AUTO, CONF_PIN_ON, CONF_PIN_OFF };
enum conf_memory { CONF_MEMORY_AUTO, CONF_MEMORY_START, CONF_MEMORY_AHEAD };

struct conf_listener {
    char name[CONF_NAME_BYTES];
    struct conf_place place;
#define SETTING(field, path, kind, preset, least, most, when, help) CONF_FIELD_##kind(field);
#include "conf/listener.def"
#undef SETTING
    uint16_t party_index;
};

struct conf_key {
    char name[CONF_NAME_BYTES]; /* the label in the token */
    struct conf_place place;
#define SETTING(field, path, kind, preset, least, most, when, help) CONF_FIELD_##kind(field);
#include "conf/key.def"
#undef SETTING
};

struct conf {
    char file[CONF_PATH_BYTES]; /* the one given with -c */
#define SETTING(field, path, kind, preset, least, most, when, help) CONF_FIELD_##kind(field);
#include "conf/conf.def"
#undef SETTING

    struct conf_listener listeners[CONF_LISTENERS_MAX];
    struct conf_key keys[CONF_KEYS_MAX];
    struct conf_party parties[LIMIT_PARTIES_MAX]; /* index = `party` everywhere */
    uint16_t endpoints[LIMIT_ENDPOINTS_MAX]; /* endpoint → index of its party: those we dial */
    const char *endpoint_names[LIMIT_ENDPOINTS_MAX]; /* for rules_load() */
    uint32_t listeners_count, keys_count, parties_count, endpoints_count;
};

/* What other folders know; each may be NULL: then it is not checked. */
struct conf_names {
    void *context;
    /* False: `text` says why, one sentence (its own place in front when it has one). */
    bool (*dialect)(void *context, const struct conf *conf, const char *name, char *text,
                    size_t text_size);
    bool (*framing)(void *context, const char *name);
    bool (*adapter)(void *context, const char *name);
    bool (*key_use)(void *context, const char *name);
    /* Adds the faults of the rules directory (rules/rules.h). */
    void (*rules)(void *context, const struct conf *conf, struct conf_report *report);
};

struct conf_options {
    const char *file;
    const char *const
        *overrides; /* "ledger.replay_keep=60s", "parties.demo-a.connect=127.0.0.1:9001" */
    uint32_t overrides_count;
    struct conf_names names;
};

/* Reads, resolves and checks everything. NULL when the report has an error. */
NODISCARD struct conf *conf_load(const struct conf_options *options, struct conf_report *report);
void conf_free(struct conf *conf); /* NULL is allowed */

/* Calls `row` for each setting whose value differs and that a running daemon cannot change; returns
 * how many. The text is "PATH: OLD, now NEW". */
uint32_t conf_fixed_differences(const struct conf *running, const struct conf *wanted,
                                void (*row)(void *context, const char *text), void *context);

/* `--print-defaults`: a complete ringswitch.yaml with every setting, its default and its help. */
void conf_print_defaults(FILE *stream);
/* docs/configuration.md, between its hand-written parts. */
void conf_print_reference(FILE *stream);
/* Every setting as it is in force, "path: value" a line. */
void conf_print(const struct conf *conf, FILE *stream);

struct conf_memory_row { /* the daemon knows the bytes */
    const char *what;    /* "cards_max" */
    uint64_t count, bytes;
};
/* The table that --check and the start print: rows, then the sum. Returns the sum. */
uint64_t conf_print_memory(FILE *stream, const struct conf_memory_row *rows, uint32_t rows_count);

/* Index, or UINT16_MAX when there is none. */
uint16_t conf_party_find(const struct conf *conf, const char *name);
uint16_t conf_key_find(const struct conf *conf, const char *label);

/* ---- clear values of the demo's keys: `ringctl hsm init` in demo mode only ------------------- */

struct conf_key_value {
    char label[CONF_NAME_BYTES];
    char hex[CONF_KEY_HEX_BYTES]; /* wipe it (base/secret.h) */
};
/* Reads conf->hsm_demo_keys: {label: HEX}. False when the report has an error; refuses mode:
 * production, and labels that `keys` does not have. */
NODISCARD bool conf_key_values_read(const struct conf *conf, struct conf_key_value *out,
                                    uint32_t out_max, uint32_t *count, struct conf_report *report);

#endif
