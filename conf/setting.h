/* setting.h - the kinds of values that a setting may have, and the reader that works from rows.
 *
 * SETTING(field, path, kind, preset, least, most, when, help): `preset`, `least` and `most` are
 * texts in the notation of the file ("8MiB", "250ms"); preset REQUIRED: there is no default.
 * `when`: LIVE (a reload changes it), FIXED (only a restart does), LATER (a name that is settled;
 * any other value than the default is refused in this version).
 *
 * Durations 250us 3s 48h (ns in the struct, 0 = off), sizes 8MiB, counts 4Mi, 1_000, 64. */
#ifndef CONF_SETTING_H
#define CONF_SETTING_H

#include "base/io.h"
#include "conf/yaml.h"

#define CONF_NAME_BYTES    32u
#define CONF_TEXT_BYTES    64u
#define CONF_KEY_HEX_BYTES 65u
#define CONF_DIGITS_MAX    8u

struct conf_digits { /* BIN prefixes, institution ids */
    uint32_t count;
    char items[CONF_DIGITS_MAX][12];
};

/* What a row of each kind is in its struct. */
#define CONF_FIELD_WORD(field)         uint32_t field /* index among the words in `least` */
#define CONF_FIELD_TEXT(field)         char field[CONF_TEXT_BYTES]
#define CONF_FIELD_NAME(field)         char field[CONF_NAME_BYTES]
#define CONF_FIELD_PATH(field)         char field[CONF_PATH_BYTES]
#define CONF_FIELD_DATA(field)         char field[CONF_PATH_BYTES]
#define CONF_FIELD_COUNT(field)        uint32_t field
#define CONF_FIELD_COUNT_AUTO(field)   uint32_t field /* 0 = auto */
#define CONF_FIELD_COUNT_OFF(field)    uint32_t field /* 0 = off */
#define CONF_FIELD_SIZE(field)         uint64_t field
#define CONF_FIELD_DURATION(field)     int64_t field           /* ns */
#define CONF_FIELD_DURATION_OFF(field) int64_t field           /* ns; 0 = off */
#define CONF_FIELD_ADDRESS(field)      struct io_address field /* port 0: off */
#define CONF_FIELD_DIGITS(field)       struct conf_digits field
#define CONF_FIELD_ID(field)           char field[12]   /* up to 11 digits; "" none */
#define CONF_FIELD_CHECK(field)        uint8_t field[3] /* six hex characters; zeros: not given */

enum conf_kind {
    CONF_WORD,
    CONF_TEXT,
    CONF_NAME,
    CONF_PATH,
    CONF_DATA,
    CONF_COUNT,
    CONF_COUNT_AUTO,
    CONF_COUNT_OFF,
    CONF_SIZE,
    CONF_DURATION,
    CONF_DURATION_OFF,
    CONF_ADDRESS,
    CONF_DIGITS,
    CONF_ID,
    CONF_CHECK,
};
enum conf_when { CONF_LIVE, CONF_FIXED, CONF_LATER };

struct conf_setting { /* a row, as the reader uses it */
    const char *path;
    enum conf_kind kind;
    const char *preset; /* NULL: required */
    const char *least, *most;
    enum conf_when when;
    const char *help;
    size_t offset; /* in its struct */
};
#define CONF_REQUIRED NULL
/* With SETTING defined as this, a .def becomes an array of rows for struct `owner`. */
#define CONF_SETTING_ROW(owner, field, path, kind, preset, least, most, when, help)                \
    {path, CONF_##kind, preset, least, most, CONF_##when, help, offsetof(struct owner, field)},

/* ---- values: false when the text is not one -------------------------------------------------- */

NODISCARD bool conf_value_count(const char *text, uint64_t *out);   /* 64, 1_000, 4Mi */
NODISCARD bool conf_value_size(const char *text, uint64_t *out);    /* 512B, 8MiB */
NODISCARD bool conf_value_duration(const char *text, int64_t *out); /* 250us, 3s, 48h: ns */
/* The shortest text that reads back as the value; out holds CONF_TEXT_BYTES. */
void conf_value_print_count(uint64_t count, char *out);
void conf_value_print_size(uint64_t bytes, char *out);
void conf_value_print_duration(int64_t ns, char *out);

/* ---- the reader ------------------------------------------------------------------------------ */

struct conf_override { /* of --set */
    const char *text;  /* "PATH=VALUE" */
    struct conf_place place;
    char path[CONF_PATH_BYTES];
    const char *value;
    bool is_used;
};

struct conf_reader {
    const struct conf_setting *rows;
    uint32_t rows_count;
    const char *const *others; /* keys of the mapping that somebody else reads */
    uint32_t others_count;
    const char *prefix;    /* of its paths: "parties.demo-a." */
    const char *what;      /* for faults: "a party" */
    const char *directory; /* PATH rows are relative to it */
    struct conf_override *overrides;
    uint32_t overrides_count;
    struct conf_report *report;
};

/* Fills `owner` from the mapping, the overrides and the defaults; every fault is reported. Rows
 * have at most two segments ("journal.segments"). */
void conf_settings_read(const struct conf_reader *reader, const struct conf_node *mapping,
                        void *owner);
/* DATA rows become paths below the directory `data`. */
void conf_settings_resolve(const struct conf_setting *rows, uint32_t rows_count, const char *data,
                           void *owner);
#define CONF_PRINT_BYTES 320u
/* The value as the file would say it; out holds CONF_PRINT_BYTES. */
void conf_setting_print(const struct conf_setting *row, const void *owner, char *out);
bool conf_setting_equal(const struct conf_setting *row, const void *a, const void *b);

#endif
