/* program.h - what a dialect is once compiled. Internal to iso8583/.
 *
 * DESIGN  Two forms of the same thing: nodes (node.h), which the interpreter, the walkers and the
 * builder read, and one 32-byte op per field for the straight line of parse.c and build.c. A field
 * that the straight line cannot do goes through the interpreter, alone. */
#ifndef ISO8583_PROGRAM_H
#define ISO8583_PROGRAM_H

#include "iso8583/dialect.h"
#include "iso8583/parse.h"

enum op_kind {
    OP_ABSENT, /* the dialect has no such field */
    OP_TEXT,   /* one byte a character; bytes too, with every one of them right */
    OP_PACKED, /* packed digits, odd counts with a zero nibble on either side */
    OP_SIGNED, /* fixed x+n: C or D, then packed digits (an even count) or ASCII ones */
    OP_CALL,   /* the interpreter */
};
/* How parse.c takes a field. */
enum op_take {
    TAKE_FIXED,
    TAKE_BYTES,  /* variable, one byte a count */
    TAKE_DIGITS, /* variable, packed */
    TAKE_OTHER,  /* any of them in groups, or with a sub-structure that is walked */
    TAKE_CALL,
};
/* How build.c puts a canonical value that needs no padding: fixed ones by their size or count of
 * digits, so that each has straight moves of its own. */
enum op_put {
    PUT_TEXT_1,   /* fixed text and bytes: 1 to 3 */
    PUT_TEXT_4,   /* 4 to 7 */
    PUT_TEXT_8,   /* 8 to 15 */
    PUT_PACKED_2, /* fixed digits: 2 or 4 */
    PUT_PACKED_3,
    PUT_PACKED_4, /* 6 or 8 */
    PUT_PACKED_8, /* 10, 12, 14, 16 */
    PUT_SIGNED_8, /* a sign and 8 digits, packed */
    PUT_BYTES,    /* variable, one byte a count */
    PUT_DIGITS,   /* variable, packed */
    PUT_OTHER,    /* any of them in groups, or of another size */
    PUT_CALL,     /* value_build() */
};
enum op_flag {
    OP_CONVERTS = 1,    /* canonical text is not what stands on the wire */
    OP_FILLS_RIGHT = 2, /* packed: the zero of an odd count stands on the right */
    OP_SIGN_PACKED = 4, /* signed: the digits are packed */
    OP_TRACK = 8,       /* packed: nibbles to 15 */
};
struct op {
    struct iso_field index; /* as it stands in the message's index, less what depends on it */
    uint16_t min, span;     /* of the count: min to min + span */
    uint16_t base;          /* of the length prefix: what a byte is worth more than the next */
    /* Fixed: one byte is looked at apart: the filler of an odd count, a sign. It is right when
     * (byte - guard_base) & guard_mask is 0. */
    uint16_t guard_at;
    uint8_t guard_base, guard_mask;
    uint8_t kind;    /* enum op_kind */
    uint8_t take;    /* enum op_take */
    uint8_t put;     /* enum op_put */
    uint8_t flags;   /* enum op_flag */
    uint8_t length;  /* enum iso_length_encoding: FIXED, ASCII, EBCDIC, PACKED, BINARY */
    uint8_t prefix;  /* its bytes on the wire */
    uint8_t check;   /* index into ranges[]: what the bytes may be */
    uint8_t lead;    /* bytes before those that are checked: the prefix, or a sign in ASCII */
    uint8_t joins;   /* the check of a run that may go on with this field; or CHECKS_APART */
    uint8_t follows; /* the same, of a fixed field that needs no other look; or CHECKS_APART */
    uint8_t shift;   /* PUT_PACKED_3: the bits behind the last digit */
    uint8_t unused;
    uint16_t group; /* > 1: the count must be a multiple */
};
_Static_assert(sizeof(struct op) == 32, "two ops a cache line");

/* Three ways for a byte to be right: within [low, low+span]; (byte | fold) within [low_folded,
 * +span]; or equal to `extra`. Or to be wrong: then `right` is 0. Enough for every class of one
 * charset that the straight line takes. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));
enum range_kind {
    RANGE_ALL,    /* every byte is right */
    RANGE_PACKED, /* two digits a byte; not told by the three ways */
    RANGE_ONE,    /* the first way is all there is */
    RANGE_SOME,
};
struct range { /* sixteen times the same byte */
    bytes16 low, span, low_folded, span_folded, fold, extra, right;
    enum range_kind kind;
};
enum { CHECK_NONE, CHECK_PACKED, CHECK_DIGITS, CHECKS_APART = 0xFF }; /* the first of ranges[] */
enum { RANGES_MAX = 16 };
#define LENGTH_WRONG 0x4000u /* more than any length of four digits */

struct iso_charset { /* of a single-byte encoding */
    uint8_t to_latin1[256], from_latin1[256];
    uint16_t classes[256]; /* bit enum iso_class: the byte belongs to it */
};

struct gbk {                     /* code = lead << 8 | trail */
    uint16_t to_unicode[0x7F00]; /* [code - 0x8000] */
    uint16_t from_unicode[0x10000];
};

/* Conditions are postfix programs. */
enum cond_op { COND_PRESENT, COND_IN, COND_MTI, COND_AND, COND_OR, COND_NOT };
struct cond_step {
    uint8_t op;
    uint16_t de;
    uint16_t from, count;     /* characters of the value, from 0; count 0 = to the end */
    const char *const *words; /* IN, MTI: one of these; NULL-terminated */
};
struct condition {
    const char *text;
    const struct cond_step *steps;
    uint16_t steps_count;
};
#define COND_STEPS_MAX 64u

struct arena_block;

struct iso_dialect {
    struct arena_block *arena;
    struct op ops[ISO_FIELDS_MAX + 1];
    uint64_t known[3]; /* fields with a node */
    uint8_t straight;  /* bool: parse.c may take the straight line at all */
    uint8_t blocks_max;
    struct iso_mti_form mti;
    struct iso_bitmap_form bitmap;
    struct iso_header_form header;
    struct range ranges[RANGES_MAX];
    /* What a byte of a length prefix stands for; LENGTH_WRONG when it is none. */
    uint16_t lengths[ISO_LEN_BINARY + 1][256];
    /* Runs of bytes, by what the processor can do; see run.c. */
    bool (*check_run)(const struct range *range, const uint8_t *data, uint32_t data_size,
                      uint32_t at, uint32_t size);
    bool (*copy_long)(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size);
    const struct iso_node *fields[ISO_FIELDS_MAX + 1];
    struct iso_charset
        charsets[ISO_ENC_EBCDIC1047 + 1]; /* by enum iso_encoding; utf8, gbk unused */
    const struct gbk *gbk;                /* NULL unless a field needs it */
    struct iso_mac_form mac;
    const char *name, *title, *note, *valid_from, *valid_until, *supersedes, *framing;
    const struct iso_mti_rules *rules;
    uint32_t rules_count;
    int16_t rules_by_mti[10000];        /* index into rules, or -1; also[] MTIs too */
    const struct condition *conditions; /* [0] is unused */
    uint32_t conditions_count;
    uint16_t spread[16];
};

/* --- value.c: one value on the wire --- */
struct problem { /* what the interpreter found; turned into a fault by whoever knows the path */
    enum iso_err code;
    uint32_t offset;
    uint32_t found, expected; /* sizes or counts, where the code speaks of them */
};
/* Reads prefix, size and characters of a value at `position`; nothing beyond `limit` is touched. */
NODISCARD enum iso_err value_read(const struct iso_dialect *dialect, const struct iso_node *node,
                                  const uint8_t *frame, uint32_t position, uint32_t limit,
                                  struct iso_field *out, struct problem *problem);
/* A length prefix alone. */
NODISCARD enum iso_err length_read(const struct iso_length *length, const uint8_t *frame,
                                   uint32_t position, uint32_t limit, uint32_t *count,
                                   uint32_t *prefix, bool *minimal, struct problem *problem);
NODISCARD enum iso_err value_check(const struct iso_dialect *dialect, const struct iso_node *node,
                                   const uint8_t *frame, uint32_t position, uint32_t size,
                                   uint32_t count, struct problem *problem);
/* Bytes of the wire for a count; 0 with problem when multi-byte text must be scanned and is bad. */
NODISCARD enum iso_err value_size(const struct iso_dialect *dialect, const struct iso_node *node,
                                  enum iso_unit unit, uint32_t count, const uint8_t *frame,
                                  uint32_t position, uint32_t limit, uint32_t *size,
                                  struct problem *problem);
/* The count that `size` bytes of the wire stand for. */
uint32_t value_count(const struct iso_dialect *dialect, const struct iso_node *node,
                     enum iso_unit unit, const uint8_t *wire, uint32_t size);

/* Which nibbles of a packed value are digits: [first, end) of 2 * size; the others are fillers. A
 * count in bytes or nibbles includes the filler; one beyond 9 is then told from a digit by itself.
 */
struct packed_shape {
    uint32_t first, end;
    bool filled; /* one nibble is a filler */
};
static inline struct packed_shape packed_shape(const struct iso_node *node, struct span wire,
                                               uint32_t count)
{
    enum iso_unit unit = node->length.unit;
    uint32_t nibbles = wire.size * 2;
    if (node->in_digits) /* what stands before and behind it belongs to its neighbours */
        return (struct packed_shape){node->nibble & 1u, (node->nibble & 1u) + count, false};
    bool left = node->filler_side == ISO_SIDE_LEFT;
    bool counts_digits = unit == ISO_UNIT_DIGITS || unit == ISO_UNIT_CHARACTERS;
    bool filled = counts_digits && count < nibbles;
    if (unit == ISO_UNIT_NIBBLES && (count & 1) != 0)
        filled = true;
    if (!counts_digits && !filled && node->filler_side != ISO_SIDE_NONE && node->filler > 9 &&
        wire.size > 0) {
        uint32_t at = left ? wire.data[0] >> 4 : wire.data[wire.size - 1] & 15u;
        filled = at == node->filler;
    }
    return (struct packed_shape){filled && left ? 1 : 0, nibbles - (filled && !left ? 1 : 0),
                                 filled};
}

static inline enum iso_err problem_set(struct problem *problem, enum iso_err code, uint32_t offset,
                                       uint32_t found, uint32_t expected)
{
    *problem = (struct problem){code, offset, found, expected};
    return code;
}

/* --- cursor.c --- */
/* One item without its key text. */
NODISCARD enum iso_walk item_read(struct iso_cursor *cursor, struct iso_item *item,
                                  struct problem *problem);
void cursor_start(struct iso_cursor *cursor, const struct iso_dialect *dialect,
                  const uint8_t *frame, const struct iso_node *node, const struct iso_field *at,
                  uint32_t de);
bool cursor_descend(const struct iso_cursor *cursor, const struct iso_item *item,
                    struct iso_cursor *inner);
/* Walks a composite's whole sub-structure. ISO_OK or the first problem; inner receives the cursor
 * that met it (for the path), when not NULL. */
NODISCARD enum iso_err composite_check(const struct iso_dialect *dialect, const uint8_t *frame,
                                       const struct iso_node *node, const struct iso_field *at,
                                       struct problem *problem);
void composite_path(const struct iso_dialect *dialect, const uint8_t *frame,
                    const struct iso_node *node, const struct iso_field *at, uint32_t de,
                    const struct problem *problem, char path[ISO_PATH_BYTES]);
/* The node of padding bytes and of tags without a part. */
extern const struct iso_node node_padding;

/* --- interpret.c --- */
NODISCARD enum iso_err header_read(const struct iso_dialect *dialect, struct span frame,
                                   uint32_t *size, struct problem *problem);
/* Adds what was read last and the likeliest cause. */
void fault_explain(const struct iso_dialect *dialect, const struct iso_msg *msg,
                   struct iso_fault *fault);
void fault_fill(struct iso_fault *fault, uint32_t de, const char *path,
                const struct problem *problem);

/* --- rule.c --- */
NODISCARD bool rule_holds(const struct iso_node *node, const char *text, size_t size);

/* --- charset.c --- */
void charset_fill(struct iso_charset *charset, enum iso_encoding encoding);
/* One character at text[*position] of UTF-8; false when malformed. */
NODISCARD bool utf8_next(const uint8_t *text, uint32_t size, uint32_t *position, uint32_t *code);
uint32_t utf8_put(uint32_t code, uint8_t out[4]);
static inline bool encoding_is_single_byte(enum iso_encoding encoding)
{
    return encoding == ISO_ENC_ASCII || encoding == ISO_ENC_LATIN1 ||
           encoding == ISO_ENC_EBCDIC037 || encoding == ISO_ENC_EBCDIC500 ||
           encoding == ISO_ENC_EBCDIC1047;
}
static inline bool encoding_is_packed(enum iso_encoding encoding)
{
    return encoding == ISO_ENC_PACKED || encoding == ISO_ENC_PACKED_EBCDIC_SIGN;
}
static inline bool encoding_is_hex(enum iso_encoding encoding)
{
    return encoding == ISO_ENC_HEX || encoding == ISO_ENC_HEX_EBCDIC;
}
static inline int hex_digit(uint8_t c, bool ebcdic)
{
    if (ebcdic) {
        if (c >= 0xF0 && c <= 0xF9)
            return c - 0xF0;
        if (c >= 0xC1 && c <= 0xC6)
            return c - 0xC1 + 10;
        if (c >= 0x81 && c <= 0x86)
            return c - 0x81 + 10;
        return -1;
    }
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* --- run.c --- */
/* Is one of data[at .. at + size) outside the range? */
bool check_run_plain(const struct range *range, const uint8_t *data, uint32_t data_size,
                     uint32_t at, uint32_t size);
bool check_run_wide(const struct range *range, const uint8_t *data, uint32_t data_size, uint32_t at,
                    uint32_t size);
/* Copies 64 bytes or more. Is one of them outside the range? */
bool copy_long_plain(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size);
bool copy_long_wide(const struct range *range, uint8_t *to, const uint8_t *from, uint32_t size);
bool run_is_wide(void); /* can this processor run the wide ones? */

/* --- compile.c --- */
void compile_ops(struct iso_dialect *dialect);

#endif
