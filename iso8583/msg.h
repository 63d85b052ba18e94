/* msg.h - a decoded message: an index into the frame it was read from; and a draft: values to send.
 *
 * OWNERSHIP  Both belong to the caller, have a fixed size and are never allocated by the codec. A
 * struct iso_msg points at nothing but the frame, whose bytes must stay while it is used. A draft
 * points at the caller's values, which must stay until iso_build() has returned.
 * Nothing needs clearing but what iso_parse() and iso_draft_init() clear themselves.
 *
 * CANONICAL VALUES  Text (every class but b) is UTF-8, packed digits are '0'..'9', track characters
 * '0'..'?' with '=' as separator, signs 'C'/'D'; class b is raw bytes, also where the wire has hex.
 */
#ifndef ISO8583_MSG_H
#define ISO8583_MSG_H

#include "iso8583/dialect.h"
#include "iso8583/iso.h"

struct iso_field {   /* one value on the wire */
    uint16_t offset; /* of the value, behind its prefix, from the start of the message */
    uint16_t size;   /* bytes of the wire */
    uint16_t count;  /* in the unit of its length: 19 digits in 10 bytes */
    uint16_t prefix; /* bytes of the length prefix before offset */
};

struct iso_msg {
    const uint8_t *frame; /* the message, without its frame's length */
    uint32_t size;
    char mti[4];
    uint8_t blocks;       /* bitmaps on the wire, 1..3 */
    bool complete;        /* iso_parse() reached the end without a fault */
    uint16_t header_size; /* the header is frame[0 .. header_size) */
    uint16_t mti_offset, bitmap_offset;
    uint64_t bitmap[3];  /* as on the wire: DE 1, 65, 129 are the top bits */
    uint64_t present[3]; /* the fields that were read, announcing bits removed */
    struct iso_field fields[ISO_FIELDS_MAX + 1]; /* by DE; only those in present[] are set */
};

static inline bool iso_msg_has(const struct iso_msg *msg, uint32_t de)
{
    uint32_t bit = de - 1;
    return bit < ISO_FIELDS_MAX && (msg->present[bit >> 6] >> (63 - (bit & 63)) & 1) != 0;
}
/* The value's bytes on the wire, without prefix, with padding; size 0 and NULL when absent. */
static inline struct span iso_msg_field(const struct iso_msg *msg, uint32_t de)
{
    if (!iso_msg_has(msg, de))
        return (struct span){NULL, 0};
    return (struct span){msg->frame + msg->fields[de].offset, msg->fields[de].size};
}
static inline struct span iso_msg_header(const struct iso_msg *msg)
{
    return (struct span){msg->frame, msg->header_size};
}
/* The lowest DE above `de` that is present; 0 when there is none. Start with 0. */
uint32_t iso_msg_next(const struct iso_msg *msg, uint32_t de);

/* Canonical value: text or bytes (see above), no NUL. False: absent, too long for out_size, or
 * (text whose bytes iso_parse() did not check) not decodable. */
NODISCARD bool iso_msg_text(const struct iso_dialect *dialect, const struct iso_msg *msg,
                            uint32_t de, char *out, size_t out_size, size_t *size);
/* The digits of a field of class n as ASCII, left zeros kept: at most 32. */
NODISCARD bool iso_msg_digits(const struct iso_dialect *dialect, const struct iso_msg *msg,
                              uint32_t de, char *out, size_t out_size, size_t *size);
/* A field of at most 18 digits as a number. */
NODISCARD bool iso_msg_number(const struct iso_dialect *dialect, const struct iso_msg *msg,
                              uint32_t de, int64_t *out);
/* Any node's value from its wire bytes; count in the unit of the node's length. */
NODISCARD bool iso_value_text(const struct iso_dialect *dialect, const struct iso_node *node,
                              struct span wire, uint32_t count, char *out, size_t out_size,
                              size_t *size);

/* --- sub-structure, on demand --- */
enum iso_item_kind {
    ISO_ITEM_CHILD,   /* a sub-field that the dialect knows */
    ISO_ITEM_UNKNOWN, /* a tag without child: value opaque, form composite.unknown */
    ISO_ITEM_PADDING, /* one byte 00 or FF between tags; key "00" or "FF", empty value */
};
struct iso_item {
    enum iso_item_kind kind;
    const struct iso_node *node;         /* form of the value; never NULL, PADDING too */
    char key[2 * ISO_TAG_BYTES_MAX + 8]; /* "9F26", "01", "3" */
    uint64_t number;                     /* place or bit from 1; of a tag its bytes, big-endian */
    struct iso_field at;                 /* offsets from the start of the message; a part of packed
                                            digits: the bytes that hold them, shared ones too */
    uint16_t start;                      /* first byte of the item: its tag, prefix or value */
    bool is_composite;                   /* iso_cursor_enter() can look inside */
    bool length_is_minimal; /* false: an over-long BER length; building anew shortens it */
};
struct iso_cursor { /* copy it to remember a place; nothing to close */
    const struct iso_dialect *dialect;
    const uint8_t *frame;
    const struct iso_node *node;
    char path[ISO_PATH_BYTES];
    uint16_t position, end, start; /* within the message */
    uint16_t child;                /* positional: next; bitmap: last number done */
    uint16_t de;
    uint8_t depth;
    uint8_t map_words; /* bitmap: 64-bit words held */
    uint16_t nibbles;  /* packed digits: where they end, in nibbles from start */
    uint64_t map[4];
    uint64_t seen; /* refuse_repeated: children met (first 64) */
};
enum iso_walk { ISO_WALK_ITEM, ISO_WALK_END, ISO_WALK_FAULT };
/* False: the field is absent or no composite. */
NODISCARD bool iso_cursor_open(const struct iso_dialect *dialect, const struct iso_msg *msg,
                               uint32_t de, struct iso_cursor *cursor);
/* On ITEM fills item; on FAULT fills fault (may be NULL) and the cursor stays where it was. */
NODISCARD enum iso_walk iso_cursor_next(struct iso_cursor *cursor, struct iso_item *item,
                                        struct iso_fault *fault);
/* A cursor over an item's own sub-structure. False: no composite, or ISO_DEPTH_MAX reached. */
NODISCARD bool iso_cursor_enter(const struct iso_cursor *cursor, const struct iso_item *item,
                                struct iso_cursor *inner);
static inline struct span iso_item_value(const struct iso_cursor *cursor,
                                         const struct iso_item *item)
{
    return (struct span){cursor->frame + item->at.offset, item->at.size};
}
/* "55.9F26", "48.92", "62.2": the first match. False: not there, or a fault stands before it. */
NODISCARD bool iso_msg_find(const struct iso_dialect *dialect, const struct iso_msg *msg,
                            const char *path, struct iso_item *item);

/* One list spread over the dialect's spread fields (PDS of clearing files): items of the first of
 * them, then of the next, as if they were one. Those that are absent are passed over. */
struct iso_spread {
    const struct iso_msg *msg;
    struct iso_cursor cursor;
    uint32_t index; /* of the spread field that is next */
    bool is_open;
};
void iso_spread_start(struct iso_spread *spread, const struct iso_dialect *dialect,
                      const struct iso_msg *msg);
NODISCARD enum iso_walk iso_spread_next(struct iso_spread *spread, struct iso_item *item,
                                        struct iso_fault *fault);

/* --- values to send --- */
enum iso_form {
    ISO_FORM_CANONICAL, /* text or bytes as above; of a composite: its canonical whole */
    ISO_FORM_WIRE,      /* bytes as they stand on the wire, without prefix; count as in iso_field */
    ISO_FORM_PARTS,     /* data is struct iso_part[size]; none: of a bitmap an empty map (an empty
                           value is CANONICAL of size 0) */
};
struct iso_value {
    const void *data;
    uint32_t size;  /* bytes, or parts */
    uint16_t count; /* WIRE only */
    uint16_t form;  /* enum iso_form */
};
struct iso_part { /* in wire order; tags may repeat */
    const char
        *key; /* as in paths: "9F26", "92", "3"; for padding "00" or "FF" with an empty value */
    uint32_t key_size;
    struct iso_value value;
};
struct iso_draft {
    char mti[4];
    uint8_t blocks_min; /* bitmaps at least: 2 keeps an empty secondary bitmap */
    bool keep_bit1;     /* with always_secondary: bit 1 as in bit1_set, instead of by need */
    bool bit1_set;
    struct span header; /* size 0: the dialect's initial one */
    uint64_t present[3];
    struct iso_value values[ISO_FIELDS_MAX + 1];
};

void iso_draft_init(struct iso_draft *draft, const char mti[4]);
void iso_draft_text(struct iso_draft *draft, uint32_t de, const void *text, uint32_t size);
void iso_draft_wire(struct iso_draft *draft, uint32_t de, struct span wire, uint16_t count);
void iso_draft_parts(struct iso_draft *draft, uint32_t de, const struct iso_part *parts,
                     uint32_t count);
void iso_draft_remove(struct iso_draft *draft, uint32_t de);
static inline bool iso_draft_has(const struct iso_draft *draft, uint32_t de)
{
    uint32_t bit = de - 1;
    return bit < ISO_FIELDS_MAX && (draft->present[bit >> 6] >> (63 - (bit & 63)) & 1) != 0;
}
/* Everything of a message as it stands: header, blocks, all fields as wire bytes. For relays. */
void iso_draft_from_msg(struct iso_draft *draft, const struct iso_msg *msg);
/* One field as it stands in msg; nothing when absent. Only between dialects with the same form of
 * it. */
void iso_draft_copy(struct iso_draft *draft, const struct iso_msg *msg, uint32_t de);

#endif
