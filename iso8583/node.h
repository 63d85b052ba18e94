/* node.h - the form of one field, sub-field or header as the dialect compiled it.
 *
 * Read-only for everyone; owned by the dialect and valid as long as it. describe, diff and the
 * exporters read it; parse and build interpret it. */
#ifndef ISO8583_NODE_H
#define ISO8583_NODE_H

#include "iso8583/iso.h"

enum iso_composite_kind {
    ISO_COMPOSITE_NONE,
    ISO_COMPOSITE_POSITIONAL, /* children one behind the other; of packed digits: at nibbles */
    ISO_COMPOSITE_TLV,        /* tag, length, value, repeated */
    ISO_COMPOSITE_BITMAP,     /* a bitmap, then the children whose bit is set */
    ISO_COMPOSITE_SEPARATED,  /* children split by a separator character */
};

struct iso_length {
    enum iso_length_encoding encoding;
    uint8_t width; /* digits (ascii, ebcdic, packed, hex) or bytes (binary); 0: fixed, rest, ber */
    enum iso_unit unit;
    bool includes_itself; /* the count includes the bytes of the prefix */
};

/* How the tag of a TLV composite stands on the wire. */
struct iso_tag_form {
    enum iso_encoding encoding;     /* ascii, ebcdic*, packed, binary; with is_ber: binary */
    enum iso_class character_class; /* of tags that are characters: n by default */
    uint8_t width; /* characters or digits (packed: nibbles), or bytes; 0 with is_ber */
    bool is_ber;   /* ISO/IEC 8825-1 8.1.2, at most 4 bytes */
};

struct iso_composite {
    enum iso_composite_kind kind;
    /* positional, separated: how many leading children must be there; the rest may be absent */
    uint16_t mandatory_count;
    /* TLV */
    struct iso_tag_form tag;
    bool tag_length_has_unit;     /* the file names it; else each part counts its own way */
    struct iso_length tag_length; /* of the values; a child's own length form is not used */
    bool tag_padding;             /* 00 and FF bytes between tags are padding, kept */
    bool refuse_unknown;          /* TLV: tags without child; else they are kept as they are */
    bool refuse_repeated;
    uint16_t lead_count; /* TLV: the first children are positional and stand before the tags */
    const struct iso_node *unknown; /* TLV: form of tags without child */
    /* bitmap */
    uint8_t bitmap_bytes; /* of one map, 1..16, after decoding */
    enum iso_encoding bitmap_encoding;
    bool bitmap_chained;         /* bit 1 of each map announces the next (ISO 8583:2003 DBM) */
    const struct iso_node *rest; /* bitmap: what stands behind the last part; NULL = nothing may */
    /* separated */
    uint8_t separator; /* the byte on the wire */
    bool lazy;         /* iso_parse() does not look inside; walkers do */
    bool is_sound;     /* what is right as a whole is right inside: nothing to look for */
};

struct iso_node {
    const char *key;  /* "2", "9F26", "TCC": what stands in paths and JSON */
    const char *name; /* for people; "" when the dialect names none */
    const char *note; /* where public knowledge ends, remarks; "" */
    uint64_t tag; /* TLV child: the wire bytes of its tag, big-endian; bitmap/positional: number */
    enum iso_class character_class;
    enum iso_encoding encoding;
    struct iso_length length;
    uint32_t min,
        max; /* in length.unit; equal when fixed; the prefix itself is never counted here */
    enum iso_side pad_side;    /* side on which a shorter value is padded when built; text too */
    uint8_t pad;               /* the character ('0', ' ') or, for bytes, the byte */
    enum iso_side filler_side; /* packed, odd count: NONE = odd refused */
    uint8_t filler;            /* its nibble */
    uint16_t group;            /* > 1: the count must be a multiple */
    enum iso_mask mask;
    enum iso_rule rule;
    const char *const *values; /* rule VALUES: NULL-terminated list */
    struct iso_composite composite;
    const struct iso_node
        *children; /* by number or tag, ascending; with lead_count first ones by place */
    uint16_t children_count;
    /* A part of packed digits begins within a byte of its composite: at this nibble from the
     * composite's first byte on. Its own bytes are those that hold a digit of it. */
    bool in_digits;
    uint16_t nibble;
    uint32_t line; /* of the dialect file, for messages */
};

static inline bool
iso_node_is_binary(const struct iso_node *node) /* canonical form: bytes, not text */
{
    return node->character_class == ISO_CLASS_B;
}
/* The child with this number (positional, separated, bitmap: from 1) or tag; NULL when unknown. */
const struct iso_node *iso_node_child(const struct iso_node *node, uint64_t number_or_tag);
const struct iso_node *iso_node_child_key(const struct iso_node *node, const char *key,
                                          size_t key_size);

#endif
