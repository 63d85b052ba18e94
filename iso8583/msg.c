/* msg.c - canonical values of a decoded message. */
#include "iso8583/msg.h"
#include "iso8583/program.h"

struct sink { /* where canonical text goes */
    char *out;
    size_t size, used;
    bool full;
};

static void put(struct sink *sink, const void *bytes, size_t size);
static bool text_single(const struct iso_dialect *dialect, const struct iso_node *node,
                        struct span wire, struct sink *sink);
static bool text_gbk(const struct iso_dialect *dialect, struct span wire, struct sink *sink);
static bool text_packed(const struct iso_dialect *dialect, const struct iso_node *node,
                        struct span wire, uint32_t count, struct sink *sink);
static bool text_hex(const struct iso_node *node, struct span wire, struct sink *sink);

bool iso_value_text(const struct iso_dialect *dialect, const struct iso_node *node,
                    struct span wire, uint32_t count, char *out, size_t out_size, size_t *size)
{
    struct sink sink = {.out = out, .size = out_size};
    bool right = true;
    switch (node->encoding) {
    case ISO_ENC_BINARY:
    case ISO_ENC_UTF8:
        put(&sink, wire.data, wire.size);
        break;
    case ISO_ENC_ASCII:
    case ISO_ENC_LATIN1:
    case ISO_ENC_EBCDIC037:
    case ISO_ENC_EBCDIC500:
    case ISO_ENC_EBCDIC1047:
        right = text_single(dialect, node, wire, &sink);
        break;
    case ISO_ENC_GBK:
        right = text_gbk(dialect, wire, &sink);
        break;
    case ISO_ENC_PACKED:
    case ISO_ENC_PACKED_EBCDIC_SIGN:
        right = text_packed(dialect, node, wire, count, &sink);
        break;
    case ISO_ENC_HEX:
    case ISO_ENC_HEX_EBCDIC:
        right = text_hex(node, wire, &sink);
        break;
    case ISO_ENCODINGS_COUNT:
        must(false);
    }
    if (!right || sink.full)
        return false;
    *size = sink.used;
    return true;
}

static void put(struct sink *sink, const void *bytes, size_t size)
{
    if (size > sink->size - sink->used) {
        sink->full = true;
        return;
    }
    if (size > 0)
        memcpy(sink->out + sink->used, bytes, size);
    sink->used += size;
}

static bool text_single(const struct iso_dialect *dialect, const struct iso_node *node,
                        struct span wire, struct sink *sink)
{
    const struct iso_charset *charset = &dialect->charsets[node->encoding];
    for (uint32_t i = 0; i < wire.size; i++) {
        uint8_t utf8[4];
        if (charset->classes[wire.data[i]] == 0)
            return false;
        uint8_t c = charset->to_latin1[wire.data[i]];
        if (node->character_class == ISO_CLASS_Z && c == 'D')
            c = '=';
        put(sink, utf8, utf8_put(c, utf8));
    }
    return true;
}

static bool text_gbk(const struct iso_dialect *dialect, struct span wire, struct sink *sink)
{
    for (uint32_t i = 0; i < wire.size; i++) {
        uint8_t utf8[4];
        uint32_t code = wire.data[i];
        if (code >= 0x81) {
            if (i + 1 == wire.size || dialect->gbk == NULL || code == 0xFF)
                return false;
            code = code << 8 | wire.data[++i];
            code = dialect->gbk->to_unicode[code - 0x8000];
            if (code == 0)
                return false;
        } else if (code == 0x80) {
            return false;
        }
        put(sink, utf8, utf8_put(code, utf8));
    }
    return true;
}

/* Class n and x+n have digits, z the characters of ISO/IEC 7813, hex the sixteen digits. */
static char nibble_text(const struct iso_node *node, uint32_t nibble)
{
    if (node->character_class == ISO_CLASS_HEX)
        return "0123456789ABCDEF"[nibble];
    return (char)('0' + nibble);
}

static bool text_packed(const struct iso_dialect *dialect, const struct iso_node *node,
                        struct span wire, uint32_t count, struct sink *sink)
{
    if (node->character_class == ISO_CLASS_XN && wire.size > 0) {
        enum iso_encoding of =
            node->encoding == ISO_ENC_PACKED_EBCDIC_SIGN ? ISO_ENC_EBCDIC500 : ISO_ENC_ASCII;
        put(sink, &dialect->charsets[of].to_latin1[wire.data[0]], 1);
        wire.data++;
        wire.size--;
        count -= count > 0;
    }
    struct packed_shape shape = packed_shape(node, wire, count);
    for (uint32_t i = shape.first; i < shape.end; i++) {
        uint32_t nibble = (i & 1) == 0 ? wire.data[i / 2] >> 4 : wire.data[i / 2] & 15u;
        char c = nibble_text(node, nibble);
        put(sink, &c, 1);
    }
    return true;
}

static bool text_hex(const struct iso_node *node, struct span wire, struct sink *sink)
{
    bool ebcdic = node->encoding == ISO_ENC_HEX_EBCDIC;
    for (uint32_t i = 0; i + 1 < wire.size; i += 2) {
        int high = hex_digit(wire.data[i], ebcdic), low = hex_digit(wire.data[i + 1], ebcdic);
        if (high < 0 || low < 0)
            return false;
        uint8_t byte = (uint8_t)(high << 4 | low);
        put(sink, &byte, 1);
    }
    return (wire.size & 1) == 0;
}

/* --- fields --- */

/* What iso_parse() has let pass is its own canonical text: the hot path of most dialects. */
static bool is_its_own_text(const struct iso_node *node)
{
    return node->encoding == ISO_ENC_ASCII && node->character_class != ISO_CLASS_Z &&
           node->composite.kind == ISO_COMPOSITE_NONE;
}

bool iso_msg_text(const struct iso_dialect *dialect, const struct iso_msg *msg, uint32_t de,
                  char *out, size_t out_size, size_t *size)
{
    const struct iso_node *node = iso_dialect_field(dialect, de);
    if (node == NULL || !iso_msg_has(msg, de))
        return false;
    if (is_its_own_text(node)) {
        struct span wire = iso_msg_field(msg, de);
        if (wire.size > out_size)
            return false;
        memcpy(out, wire.data, wire.size);
        *size = wire.size;
        return true;
    }
    return iso_value_text(dialect, node, iso_msg_field(msg, de), msg->fields[de].count, out,
                          out_size, size);
}

bool iso_msg_digits(const struct iso_dialect *dialect, const struct iso_msg *msg, uint32_t de,
                    char *out, size_t out_size, size_t *size)
{
    char text[32];
    size_t text_size;
    if (!iso_msg_text(dialect, msg, de, text, sizeof(text), &text_size) || text_size > out_size ||
        !bytes_are_digits((const uint8_t *)text, (uint32_t)text_size))
        return false;
    memcpy(out, text, text_size);
    *size = text_size;
    return true;
}

bool iso_msg_number(const struct iso_dialect *dialect, const struct iso_msg *msg, uint32_t de,
                    int64_t *out)
{
    char text[18];
    size_t size;
    const struct iso_node *node = iso_dialect_field(dialect, de);
    if (node != NULL && iso_msg_has(msg, de) && is_its_own_text(node)) {
        struct span wire = iso_msg_field(msg, de);
        return wire.size <= sizeof(text) && bytes_to_number(wire.data, wire.size, out);
    }
    return iso_msg_digits(dialect, msg, de, text, sizeof(text), &size) &&
           bytes_to_number((const uint8_t *)text, (uint32_t)size, out);
}

uint32_t iso_msg_next(const struct iso_msg *msg, uint32_t de)
{
    uint32_t word = de >> 6; /* field de + 1 is bit de */
    if (de >= ISO_FIELDS_MAX)
        return 0;
    uint64_t bits = msg->present[word] & (UINT64_MAX >> (de & 63));
    while (bits == 0 && ++word < 3)
        bits = msg->present[word];
    return bits == 0 ? 0 : word * 64 + (uint32_t)__builtin_clzll(bits) + 1;
}
