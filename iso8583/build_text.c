/* build_text.c - canonical text and bytes to the wire: characters, packed digits, hex, padding. */
#include "iso8583/builder.h"

static enum iso_err build_characters(struct builder *builder, const struct iso_node *node,
                                     const uint8_t *text, uint32_t size);
static enum iso_err build_packed(struct builder *builder, const struct iso_node *node,
                                 const uint8_t *text, uint32_t size);
static enum iso_err build_bytes(struct builder *builder, const struct iso_node *node,
                                const uint8_t *bytes, uint32_t size);

enum iso_err text_build(struct builder *builder, const struct iso_node *node, const uint8_t *text,
                        uint32_t size)
{
    if (encoding_is_packed(node->encoding))
        return build_packed(builder, node, text, size);
    if (node->encoding == ISO_ENC_BINARY || encoding_is_hex(node->encoding))
        return build_bytes(builder, node, text, size);
    return build_characters(builder, node, text, size);
}

/* How many characters (or bytes) must be added so that the value has its smallest size. */
static enum iso_err missing(struct builder *builder, const struct iso_node *node, uint32_t have,
                            uint32_t least, uint32_t *pad)
{
    *pad = have < least ? least - have : 0;
    if (*pad > 0 && node->pad_side == ISO_SIDE_NONE)
        return builder_fail(builder, ISO_VALUE_SHORT, have, least);
    return ISO_OK;
}

static enum iso_err put_fill(struct builder *builder, uint8_t byte, uint32_t count)
{
    uint8_t *room = builder_room(builder, count);
    if (room == NULL)
        return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, count);
    memset(room, byte, count);
    return ISO_OK;
}

/* --- characters --- */

/* The bytes of one character; 0 when it does not exist in the encoding. */
static uint32_t character_bytes(const struct iso_dialect *dialect, enum iso_encoding encoding,
                                uint32_t code, uint8_t out[4])
{
    if (encoding == ISO_ENC_UTF8)
        return utf8_put(code, out);
    if (encoding == ISO_ENC_GBK) {
        if (code < 0x80) {
            out[0] = (uint8_t)code;
            return 1;
        }
        uint16_t pair =
            code < 0x10000 && dialect->gbk != NULL ? dialect->gbk->from_unicode[code] : 0;
        store_be16(out, pair);
        return pair != 0 ? 2 : 0;
    }
    const struct iso_charset *charset = &dialect->charsets[encoding];
    if (code > 0xFF || charset->classes[charset->from_latin1[code]] == 0)
        return 0;
    out[0] = charset->from_latin1[code];
    return 1;
}

static bool belongs(const struct iso_dialect *dialect, enum iso_class class, uint32_t code)
{
    if (code < 0x80)
        return (dialect->charsets[ISO_ENC_ASCII].classes[code] >> class & 1) != 0;
    if (code <= 0xFF)
        return (dialect->charsets[ISO_ENC_LATIN1].classes[code] >> class & 1) != 0;
    return class == ISO_CLASS_ANY || class == ISO_CLASS_ANS;
}

static enum iso_err put_characters(struct builder *builder, const struct iso_node *node,
                                   const uint8_t *text, uint32_t size)
{
    uint32_t position = 0, code;
    bool first = true;
    while (position < size) {
        uint8_t bytes[4];
        if (!utf8_next(text, size, &position, &code))
            return builder_fail(builder, ISO_CHARSET, 0, 0);
        bool sign = first && node->character_class == ISO_CLASS_XN;
        if (sign ? code != 'C' && code != 'D'
                 : !belongs(builder->dialect, node->character_class, code))
            return builder_fail(builder, ISO_VALUE, 0, 0);
        first = false;
        uint32_t count = character_bytes(builder->dialect, node->encoding, code, bytes);
        if (count == 0)
            return builder_fail(builder, ISO_CHARSET, 0, 0);
        uint8_t *room = builder_room(builder, count);
        if (room == NULL)
            return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, count);
        memcpy(room, bytes, count);
    }
    return ISO_OK;
}

/* The size of text on the wire, in the unit of the field; characters that cannot be written count
 * too. */
static uint32_t size_on_wire(const struct iso_dialect *dialect, const struct iso_node *node,
                             const uint8_t *text, uint32_t size)
{
    uint32_t position = 0, code, bytes = 0, characters = 0;
    uint8_t out[4];
    while (position < size && utf8_next(text, size, &position, &code)) {
        bytes += character_bytes(dialect, node->encoding, code, out);
        characters++;
    }
    return node->length.unit == ISO_UNIT_CHARACTERS || node->length.unit == ISO_UNIT_DIGITS
               ? characters
               : bytes;
}

/* Characters below 80 of a single-byte encoding, nothing to pad: the usual case, one table each
 * way. */
static bool build_plain(struct builder *builder, const struct iso_node *node, const uint8_t *text,
                        uint32_t size)
{
    if (!encoding_is_single_byte(node->encoding) || node->character_class == ISO_CLASS_XN ||
        node->length.unit == ISO_UNIT_NIBBLES || size < node->min ||
        size > builder->end - builder->at)
        return false;
    const struct iso_charset *charset = &builder->dialect->charsets[node->encoding];
    const uint16_t *classes = builder->dialect->charsets[ISO_ENC_ASCII].classes; /* 0 from 80 on */
    uint8_t *room = builder->buffer + builder->at;
    uint32_t right = 1u << node->character_class;
    for (uint32_t i = 0; i < size; i++) {
        right &= classes[text[i]];
        room[i] = charset->from_latin1[text[i]];
    }
    builder->at += right != 0 ? size : 0;
    return right != 0;
}

static enum iso_err build_characters(struct builder *builder, const struct iso_node *node,
                                     const uint8_t *text, uint32_t size)
{
    if (build_plain(builder, node, text, size))
        return ISO_OK;
    uint32_t least = node->length.unit == ISO_UNIT_NIBBLES ? node->min / 2 : node->min, pad;
    uint32_t have = size_on_wire(builder->dialect, node, text, size);
    enum iso_err err = missing(builder, node, have, least, &pad);
    uint8_t fill[4] = {node->pad};
    if (encoding_is_single_byte(node->encoding))
        (void)character_bytes(builder->dialect, node->encoding, node->pad, fill);
    /* Zeros come between sign and digits. */
    bool left = node->pad_side == ISO_SIDE_LEFT;
    uint32_t sign = left && node->character_class == ISO_CLASS_XN && size > 0 ? 1 : 0;
    if (err == ISO_OK && sign > 0)
        err = put_characters(builder, node, text, 1);
    if (err == ISO_OK && left)
        err = put_fill(builder, fill[0], pad);
    if (err == ISO_OK && sign > 0) {
        struct iso_node digits = *node;
        digits.character_class = ISO_CLASS_N;
        err = put_characters(builder, &digits, text + 1, size - 1);
    } else if (err == ISO_OK) {
        err = put_characters(builder, node, text, size);
    }
    if (err == ISO_OK && !left)
        err = put_fill(builder, fill[0], pad);
    return err;
}

/* --- packed digits --- */

static int nibble_of(enum iso_class class, uint8_t c)
{
    if (class == ISO_CLASS_HEX)
        return hex_digit(c, false);
    if (class == ISO_CLASS_Z) {
        if (c == 'D')
            return 0xD;
        return c >= '0' && c <= '?' ? c - '0' : -1;
    }
    return c >= '0' && c <= '9' ? c - '0' : -1;
}

/* An even count of plain digits and nothing to pad; false: it is something else. */
static bool pack_pairs(const struct iso_node *node, const uint8_t *text, uint32_t size,
                       uint32_t pad, uint8_t *room, uint32_t bytes)
{
    uint32_t wrong = 0;
    if (pad != 0 || size != bytes * 2 || node->character_class == ISO_CLASS_HEX)
        return false;
    for (uint32_t i = 0; i < bytes; i++) {
        uint32_t high = (uint32_t)text[2 * i] - '0', low = (uint32_t)text[2 * i + 1] - '0';
        wrong |= (uint32_t)(high > 9) | (uint32_t)(low > 9);
        room[i] = (uint8_t)(high << 4 | (low & 15));
    }
    return wrong == 0;
}

static enum iso_err build_packed(struct builder *builder, const struct iso_node *node,
                                 const uint8_t *text, uint32_t size)
{
    enum iso_unit unit = node->length.unit;
    uint32_t sign = node->character_class == ISO_CLASS_XN && size > 0 ? 1 : 0, pad;
    bool in_bytes = unit == ISO_UNIT_BYTES || unit == ISO_UNIT_OCTETS;
    uint32_t least = in_bytes ? node->min * 2 : node->min;
    /* A byte's worth of digits may be one digit and a filler. */
    if (in_bytes && size + 1 == least && node->filler_side != ISO_SIDE_NONE && node->filler > 9)
        least = size;
    enum iso_err err = missing(builder, node, size, least, &pad);
    if (err != ISO_OK)
        return err;
    uint32_t digits = size - sign + pad, bytes = (digits + 1) / 2;
    bool odd = (digits & 1) != 0;
    if (odd && node->filler_side == ISO_SIDE_NONE)
        return builder_fail(builder, ISO_ODD, digits, 0);
    uint8_t *room = builder_room(builder, sign + bytes);
    if (room == NULL)
        return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, sign + bytes);
    if (sign > 0) {
        if (text[0] != 'C' && text[0] != 'D')
            return builder_fail(builder, ISO_VALUE, 0, 0);
        enum iso_encoding of =
            node->encoding == ISO_ENC_PACKED_EBCDIC_SIGN ? ISO_ENC_EBCDIC500 : ISO_ENC_ASCII;
        *room++ = builder->dialect->charsets[of].from_latin1[text[0]];
        text++;
        size--;
    }
    if (pack_pairs(node, text, size, pad, room, bytes)) {
        builder->packed_count = in_bytes ? sign + bytes : sign + digits;
        return ISO_OK;
    }
    memset(room, 0, bytes);
    bool fill_left = odd && node->filler_side == ISO_SIDE_LEFT;
    for (uint32_t i = 0; i < bytes * 2; i++) {
        uint32_t at = i - fill_left; /* wraps for the filler on the left */
        bool filler = odd && (fill_left ? i == 0 : i == bytes * 2 - 1);
        uint32_t text_at = node->pad_side == ISO_SIDE_LEFT ? at - pad : at;
        bool padding = !filler && (node->pad_side == ISO_SIDE_LEFT ? at < pad : at >= size);
        int nibble = filler    ? node->filler
                     : padding ? node->pad - '0'
                               : nibble_of(node->character_class, text[text_at]);
        if (nibble < 0)
            return builder_fail(builder, ISO_VALUE, 0, 0);
        room[i / 2] = (uint8_t)(room[i / 2] | nibble << ((i & 1) == 0 ? 4 : 0));
    }
    builder->packed_count = in_bytes ? sign + bytes : sign + digits;
    return ISO_OK;
}

/* --- bytes --- */

static enum iso_err build_bytes(struct builder *builder, const struct iso_node *node,
                                const uint8_t *bytes, uint32_t size)
{
    bool hex = encoding_is_hex(node->encoding);
    uint32_t least = node->min, pad;
    if (hex && node->length.unit != ISO_UNIT_OCTETS)
        least = node->length.unit == ISO_UNIT_NIBBLES ? least / 4 : least / 2;
    else if (!hex && node->length.unit == ISO_UNIT_NIBBLES)
        least /= 2;
    enum iso_err err = missing(builder, node, size, least, &pad);
    if (err != ISO_OK)
        return err;
    uint32_t total = size + pad, wire = hex ? total * 2 : total;
    if (size > ISO_MESSAGE_BYTES_MAX || wire > builder->end - builder->at)
        return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, wire);
    uint8_t *room = builder_room(builder, wire);
    const struct iso_charset *ebcdic = &builder->dialect->charsets[ISO_ENC_EBCDIC500];
    if (!hex && pad == 0) {
        if (size > 0)
            memcpy(room, bytes, size);
        return ISO_OK;
    }
    for (uint32_t i = 0; i < total; i++) {
        uint32_t at = node->pad_side == ISO_SIDE_LEFT ? i - pad : i;
        uint8_t byte = at < size ? bytes[at] : node->pad;
        if (!hex) {
            room[i] = byte;
            continue;
        }
        uint8_t high = (uint8_t) "0123456789ABCDEF"[byte >> 4];
        uint8_t low = (uint8_t) "0123456789ABCDEF"[byte & 15];
        bool is_ebcdic = node->encoding == ISO_ENC_HEX_EBCDIC;
        room[2 * i] = is_ebcdic ? ebcdic->from_latin1[high] : high;
        room[2 * i + 1] = is_ebcdic ? ebcdic->from_latin1[low] : low;
    }
    return ISO_OK;
}
