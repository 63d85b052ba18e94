/* iso.h - what every file of the codec shares: its bounds, result codes, faults and field forms.
 *
 * The codec is pure: no I/O, no allocation, no clock, no globals. Two exceptions run on a control
 * thread at start: iso_dialect_load() (dialect.h) allocates, and reads files. Any thread may use a
 * loaded dialect, for it never changes. */
#ifndef ISO8583_ISO_H
#define ISO8583_ISO_H

#include "base/base.h"
#include "base/bytes.h"

#define ISO_FIELDS_MAX        192u   /* three bitmaps of 64 */
#define ISO_MESSAGE_BYTES_MAX 65535u /* offsets and sizes in struct iso_msg are 16 bits */
#define ISO_DEPTH_MAX         8u     /* composites within composites */
#define ISO_PATH_BYTES        64u    /* "48.71.02", with its NUL; a longer one is cut at a dot */
#define ISO_TEXT_BYTES        160u   /* text of a fault, with its NUL */
#define ISO_TAG_BYTES_MAX     8u     /* of a tag on the wire */
#define ISO_DIGITS_MAX        512u   /* packed digits that are split into parts */
#define ISO_HEADER_BYTES_MAX  96u

enum iso_err {
#define ISO_ERR(name, code, class, text) ISO_##name,
#include "iso8583/err.def"
#undef ISO_ERR
    ISO_ERRS_COUNT
};
const char *iso_err_name(enum iso_err err); /* "need_more": stable, used in JSON and documents */
const char *iso_err_text(enum iso_err err); /* one sentence */

/* Where and why. Filled only when a function says so; nothing in it points anywhere. */
struct iso_fault {
    enum iso_err code;
    uint16_t de;     /* 2..192; 1 = bitmap; 0 = no field: header, MTI or bytes left over */
    uint32_t offset; /* bytes from the start of the message (behind the frame's length) */
    char path[ISO_PATH_BYTES];  /* "header", "mti", "bitmap", "55.9F26"; "" for bytes left over */
    char text[ISO_TEXT_BYTES];  /* what was found and what was expected; holds no field content */
    char cause[ISO_TEXT_BYTES]; /* the likeliest cause when it lies elsewhere, else "" */
    uint16_t read_last[4];      /* the fields last read well, newest first; 0 = none */
};

/* DE44 of a format error: "055", "055/9F26" (first sub-field under the field), "001" for the
 * bitmap, "000" for bytes left over, header and MTI. out holds at least 26 bytes. Returns its
 * length (<= 25). */
uint32_t iso_fault_de44(const struct iso_fault *fault, char *out, size_t out_size);

/* The axes of a field. Each is independent of the others; see docs/dialects.md. */
enum iso_class {
#define ISO_CLASS(name, text, help) ISO_CLASS_##name,
#include "iso8583/class.def"
#undef ISO_CLASS
    ISO_CLASSES_COUNT
};
enum iso_encoding {
#define ISO_ENCODING(name, text, help) ISO_ENC_##name,
#include "iso8583/encoding.def"
#undef ISO_ENCODING
    ISO_ENCODINGS_COUNT
};
enum iso_length_encoding {
    ISO_LEN_FIXED,  /* no prefix: min == max */
    ISO_LEN_REST,   /* no prefix: up to the end of what encloses it */
    ISO_LEN_ASCII,  /* decimal characters 30..39 */
    ISO_LEN_EBCDIC, /* decimal characters F0..F9 */
    ISO_LEN_PACKED, /* packed decimal; width counts digits, an odd width has a leading zero nibble
                     */
    ISO_LEN_BINARY, /* big-endian, width counts bytes, 1..4 */
    ISO_LEN_HEX,    /* hexadecimal characters */
    ISO_LEN_BER,    /* ISO/IEC 8825-1 8.1.3, definite forms */
    ISO_LEN_COUNT
};
enum iso_unit {
    ISO_UNIT_BYTES,      /* bytes as on the wire */
    ISO_UNIT_CHARACTERS, /* characters: a multi-byte one counts once; of hex text, its characters */
    ISO_UNIT_DIGITS,     /* digits of a packed value (the filler is not counted) */
    ISO_UNIT_NIBBLES,    /* half bytes of the wire, filler included */
    ISO_UNIT_OCTETS,     /* bytes after decoding: of hex text, its characters / 2 */
    ISO_UNIT_COUNT
};
enum iso_side { ISO_SIDE_NONE, ISO_SIDE_LEFT, ISO_SIDE_RIGHT };

enum iso_mask { /* how a person may see it, see describe */
                ISO_MASK_CLEAR,
                ISO_MASK_PAN,    /* first six and last four */
                ISO_MASK_TRACK,  /* PAN masked, the rest hidden */
                ISO_MASK_SECRET, /* PIN block, CVV, keys, cryptogram key material: never */
                ISO_MASK_PERSON, /* names, addresses: hidden unless revealed */
                ISO_MASKS_COUNT
};

/* Value rules: looked at by iso_validate(), never by iso_parse(). */
enum iso_rule {
#define ISO_RULE(name, text, help) ISO_RULE_##name,
#include "iso8583/rule.def"
#undef ISO_RULE
    ISO_RULES_COUNT
};

enum iso_presence {                    /* of a field in a message type */
                    ISO_PRESENCE_NONE, /* the dialect says nothing */
                    ISO_PRESENCE_MANDATORY,
                    ISO_PRESENCE_MANDATORY_ECHO,   /* response: as received, must be there */
                    ISO_PRESENCE_CONDITIONAL,      /* mandatory when its expression holds */
                    ISO_PRESENCE_CONDITIONAL_ECHO, /* response: as received, when the request had it
                                                    */
                    ISO_PRESENCE_OPTIONAL,
                    ISO_PRESENCE_FORBIDDEN,
                    ISO_PRESENCES_COUNT
};

/* Words of the tables, as the dialect file spells them. */
const char *iso_class_text(enum iso_class value);
const char *iso_encoding_text(enum iso_encoding value);
const char *iso_length_encoding_text(enum iso_length_encoding value);
const char *iso_unit_text(enum iso_unit value);
const char *iso_mask_text(enum iso_mask value);
const char *iso_rule_text(enum iso_rule value);
const char *iso_presence_text(enum iso_presence value);
const char *iso_side_text(enum iso_side value);

#endif
