/* dialect.h - a message specification: read from YAML, checked, compiled, immutable.
 *
 * LIFE  iso_dialect_load() runs on a control thread (it allocates and reads files); the result is
 * used by any thread and freed by iso_dialect_free() when nobody uses it any more.
 * ERRORS  All faults of a file are collected, one text "FILE:LINE:COL: text" each, up to
 * ISO_REPORT_MAX; a dialect with a fault is not returned. docs/dialects.md has every key. */
#ifndef ISO8583_DIALECT_H
#define ISO8583_DIALECT_H

#include "iso8583/iso.h"
#include "iso8583/node.h"

#define ISO_REPORT_MAX        64u
#define ISO_REPORT_TEXT_BYTES 256u

struct iso_report { /* zero it before use */
    uint32_t count; /* of texts held */
    uint32_t lost;  /* faults beyond ISO_REPORT_MAX */
    char texts[ISO_REPORT_MAX][ISO_REPORT_TEXT_BYTES];
};
void iso_report_add(struct iso_report *report, const char *file, uint32_t line, uint32_t column,
                    const char *format, ...) PRINTF(5, 6);

struct iso_dialect; /* opaque outside iso8583/ */

/* A file. `extends:` is looked up beside it, then in `directories` (a list split by ':', may be
 * NULL). NULL when the report has a text. */
NODISCARD struct iso_dialect *iso_dialect_load(const char *path, const char *directories,
                                               struct iso_report *report);
/* The same from memory; `file` is the name used in texts. */
NODISCARD struct iso_dialect *iso_dialect_load_text(const char *text, size_t text_size,
                                                    const char *file, const char *directories,
                                                    struct iso_report *report);
/* NAME → the first DIR/NAME.yaml of the list; a NAME with '/' or ending in .yaml is a path. */
NODISCARD struct iso_dialect *iso_dialect_by_name(const char *name, const char *directories,
                                                  struct iso_report *report);
void iso_dialect_free(struct iso_dialect *dialect); /* NULL is allowed */

/* Questions. Texts live as long as the dialect and are never NULL. */
const char *iso_dialect_name(const struct iso_dialect *dialect);
const char *iso_dialect_title(const struct iso_dialect *dialect);
const char *iso_dialect_note(const struct iso_dialect *dialect);
const char *
iso_dialect_valid_from(const struct iso_dialect *dialect); /* "2026-04-17T02:00Z" or "" */
const char *iso_dialect_valid_until(const struct iso_dialect *dialect);
const char *iso_dialect_supersedes(const struct iso_dialect *dialect); /* name, or "" */

enum iso_tertiary { ISO_TERTIARY_NONE, ISO_TERTIARY_CONTIGUOUS, ISO_TERTIARY_FIELD };
struct iso_mti_form {
    enum iso_encoding encoding; /* ascii, ebcdic*, packed */
    bool any_characters;        /* else four digits */
};
struct iso_bitmap_form {
    enum iso_encoding encoding[3]; /* binary, hex, hex-ebcdic; one a block */
    bool always_secondary;         /* 16 bytes always, whatever bit 1 says */
    bool announce_always; /* with always_secondary: bit 1 is set when built, else it is clear */
    bool no_secondary;    /* bit 1 is refused */
    enum iso_tertiary tertiary; /* none: bit 65 is field 65 */
};
enum iso_header_kind {
    ISO_HEADER_NONE,
    ISO_HEADER_FIXED,  /* size bytes, not looked at */
    ISO_HEADER_TEXT,   /* size bytes; literal: must be these; shown as hex too */
    ISO_HEADER_TPDU,   /* 5 bytes: id, destination, source */
    ISO_HEADER_LENGTH, /* first byte counts the header, itself included (Visa: 22); a header of
                          `reject_size` bytes stands before the original one */
};
struct iso_header_form {
    enum iso_header_kind kind;
    uint8_t size;        /* what build makes when the draft has none; LENGTH: smallest allowed */
    uint8_t reject_size; /* LENGTH: 26 for Visa; 0 = none */
    uint8_t initial[ISO_HEADER_BYTES_MAX]; /* sent when the draft has none; TEXT literal */
    uint8_t initial_size;
};
struct iso_mac_form {
    bool to_field;  /* all bytes from the MTI up to the MAC field's value (or its prefix) */
    uint16_t count; /* else these fields' bytes, in this order; 0 = the MTI */
    uint16_t fields[ISO_FIELDS_MAX];
    bool include_header;
};
const struct iso_mti_form *iso_dialect_mti(const struct iso_dialect *dialect);
const struct iso_bitmap_form *iso_dialect_bitmap(const struct iso_dialect *dialect);
const struct iso_header_form *iso_dialect_header(const struct iso_dialect *dialect);
const struct iso_mac_form *iso_dialect_mac(const struct iso_dialect *dialect);
const char *iso_dialect_framing(const struct iso_dialect *dialect); /* a name of frame.h, or "" */

/* NULL when the dialect has no such field. de: 2..192 (1 has no node). */
const struct iso_node *iso_dialect_field(const struct iso_dialect *dialect, uint32_t de);
/* "55.9F26" → its node; NULL when unknown. */
const struct iso_node *iso_dialect_path(const struct iso_dialect *dialect, const char *path);
/* Datasets, for IPM: fields whose TLV content is one list spread over several; 0-terminated. */
const uint16_t *iso_dialect_spread(const struct iso_dialect *dialect);

/* Message types, in file order. */
struct iso_mti_rules {
    char mti[5];
    const char *title;
    uint8_t presence[ISO_FIELDS_MAX + 1];   /* enum iso_presence */
    uint16_t condition[ISO_FIELDS_MAX + 1]; /* index of its expression, 0 = none */
    /* The same as bits, DE 1 being the top one: mandatory (echo or not), conditional with a
     * condition, and both kinds of echo. */
    uint64_t mandatory[3], conditional[3], echo[3];
    bool others_forbidden; /* fields not listed are forbidden */
};
uint32_t iso_dialect_mti_count(const struct iso_dialect *dialect);
const struct iso_mti_rules *iso_dialect_mti_at(const struct iso_dialect *dialect, uint32_t index);
const struct iso_mti_rules *iso_dialect_mti_rules(const struct iso_dialect *dialect,
                                                  const char mti[4]);
/* The expression as the file has it; "" for 0. */
const char *iso_dialect_condition(const struct iso_dialect *dialect, uint16_t condition);

#endif
