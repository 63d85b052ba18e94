/* build_value.c - one value with its prefix: forms, bounds, lengths. */
#include "iso8583/builder.h"
#include "iso8583/emv.h"

static enum iso_err build_content(struct builder *builder, const struct iso_node *node,
                                  const struct iso_node *within, const struct iso_value *value,
                                  uint32_t depth);
static enum iso_err put_prefix(struct builder *builder, const struct iso_length *length,
                               enum iso_encoding hex, uint32_t start, uint32_t reserved,
                               uint32_t count);

uint32_t builder_path_push(struct builder *builder, const char *key, size_t key_size)
{
    size_t mark = strlen(builder->path), dot = mark > 0 ? 1 : 0;
    if (mark + dot + key_size + 1 <= sizeof(builder->path)) {
        if (dot != 0)
            builder->path[mark] = '.';
        memcpy(builder->path + mark + dot, key, key_size);
        builder->path[mark + dot + key_size] = '\0';
    }
    return (uint32_t)mark;
}

static uint32_t prefix_room(const struct iso_length *length, bool in_hex)
{
    uint32_t bytes = length->encoding == ISO_LEN_BER      ? 5
                     : length->encoding == ISO_LEN_PACKED ? (length->width + 1u) / 2u
                                                          : length->width;
    return in_hex ? bytes * 2 : bytes;
}

enum iso_err value_build(struct builder *builder, const struct iso_node *node,
                         const struct iso_node *within, const struct iso_value *value,
                         uint32_t depth)
{
    const struct iso_length *length = &node->length;
    bool in_hex = within != NULL && encoding_is_hex(within->encoding) &&
                  within->composite.kind == ISO_COMPOSITE_TLV;
    bool counted = length->encoding != ISO_LEN_FIXED && length->encoding != ISO_LEN_REST;
    uint32_t start = builder->at, reserved = counted ? prefix_room(length, in_hex) : 0;
    if (builder_room(builder, reserved) == NULL)
        return builder_fail(builder, ISO_NO_ROOM, builder->end - start, reserved);
    enum iso_err err = build_content(builder, node, within, value, depth);
    if (err != ISO_OK)
        return err;

    uint32_t content = start + reserved, size = builder->at - content;
    struct span wire = {builder->buffer + content, size};
    uint32_t count = value->form != ISO_FORM_WIRE && encoding_is_packed(node->encoding)
                         ? builder->packed_count
                     : value->form == ISO_FORM_WIRE && value->count != 0
                         ? value->count
                         : value_count(builder->dialect, node, length->unit, wire.data, size);
    builder->at = content; /* where a fault is said to be */
    if (count > node->max)
        return builder_fail(builder, ISO_VALUE_LONG, count, node->max);
    if (count < node->min)
        return builder_fail(builder, ISO_VALUE_SHORT, count, node->min);
    if (node->group > 1 && count % node->group != 0)
        return builder_fail(builder, ISO_GROUP, count, node->group);
    if (value->form == ISO_FORM_WIRE) {
        uint32_t expected = 0;
        struct problem problem;
        if (length->encoding != ISO_LEN_REST &&
            (value_size(builder->dialect, node, length->unit, count, builder->buffer, content,
                        content + size, &expected, &problem) != ISO_OK ||
             expected != size))
            return builder_fail(builder, ISO_VALUE_FORM, size, expected);
    }
    builder->at = content + size;
    return counted ? put_prefix(builder, length, in_hex ? within->encoding : ISO_ENC_BINARY, start,
                                reserved, count)
                   : ISO_OK;
}

static enum iso_err build_content(struct builder *builder, const struct iso_node *node,
                                  const struct iso_node *within, const struct iso_value *value,
                                  uint32_t depth)
{
    const struct iso_node *composite = node;
    switch ((enum iso_form)value->form) {
    case ISO_FORM_CANONICAL:
        return text_build(builder, node, value->data, value->size);
    case ISO_FORM_WIRE: {
        uint8_t *room = builder_room(builder, value->size);
        if (room == NULL)
            return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, value->size);
        if (value->size > 0)
            memcpy(room, value->data, value->size);
        return ISO_OK;
    }
    case ISO_FORM_PARTS:
        /* A constructed object that the dialect does not describe is built as what holds it. */
        if (node->composite.kind == ISO_COMPOSITE_NONE && within != NULL &&
            within->composite.tag.is_ber)
            composite = within;
        if (composite->composite.kind == ISO_COMPOSITE_NONE || depth + 1 >= ISO_DEPTH_MAX)
            return builder_fail(builder, ISO_VALUE_FORM, depth, ISO_DEPTH_MAX);
        return parts_build(builder, composite, value->data, value->size, depth + 1);
    }
    return builder_fail(builder, ISO_VALUE_FORM, value->form, 0);
}

static uint32_t prefix_bytes(const struct iso_length *length, uint32_t count, uint8_t out[8])
{
    uint32_t width = length->width, bytes = (width + 1) / 2;
    switch (length->encoding) {
    case ISO_LEN_ASCII:
    case ISO_LEN_EBCDIC:
        for (uint32_t i = width; i > 0; i--, count /= 10)
            out[i - 1] =
                (uint8_t)((length->encoding == ISO_LEN_ASCII ? 0x30u : 0xF0u) + count % 10);
        return width;
    case ISO_LEN_HEX:
        for (uint32_t i = width; i > 0; i--, count /= 16)
            out[i - 1] = (uint8_t) "0123456789ABCDEF"[count % 16];
        return width;
    case ISO_LEN_PACKED:
        for (uint32_t i = bytes; i > 0; i--, count /= 100)
            out[i - 1] = (uint8_t)(count / 10 % 10 << 4 | count % 10);
        return bytes;
    case ISO_LEN_BINARY:
        for (uint32_t i = width; i > 0; i--, count >>= 8)
            out[i - 1] = (uint8_t)count;
        return width;
    case ISO_LEN_BER:
        return iso_tlv_put_length(count, out);
    case ISO_LEN_FIXED:
    case ISO_LEN_REST:
    case ISO_LEN_COUNT:
        break;
    }
    must(false);
    return 0;
}

/* Writes the prefix at start, before the content that begins at start + reserved; closes the gap
 * when the prefix came out shorter (BER). */
static enum iso_err put_prefix(struct builder *builder, const struct iso_length *length,
                               enum iso_encoding hex, uint32_t start, uint32_t reserved,
                               uint32_t count)
{
    uint8_t prefix[8], text[17];
    uint64_t reach = UINT64_MAX;
    if (length->includes_itself) {
        bool half = length->unit == ISO_UNIT_NIBBLES || length->unit == ISO_UNIT_DIGITS;
        count += half ? reserved * 2 : reserved;
    }
    uint64_t base = length->encoding == ISO_LEN_BINARY ? 256
                    : length->encoding == ISO_LEN_HEX  ? 16
                                                       : 10;
    if (length->encoding != ISO_LEN_BER) {
        reach = 1;
        for (uint32_t i = 0; i < length->width; i++)
            reach *= base;
    }
    if (count >= reach)
        return builder_fail(builder, ISO_VALUE_LONG, count, (uint32_t)(reach - 1));
    uint32_t size = prefix_bytes(length, count, prefix);
    const uint8_t *bytes = prefix;
    if (encoding_is_hex(hex)) {
        bytes_to_hex(prefix, size, (char *)text);
        bytes = text;
        size *= 2;
        for (uint32_t i = 0; hex == ISO_ENC_HEX_EBCDIC && i < size; i++)
            text[i] = builder->dialect->charsets[ISO_ENC_EBCDIC500].from_latin1[text[i]];
    }
    uint8_t *at = builder->buffer + start;
    if (size < reserved) {
        memmove(at + size, at + reserved, builder->at - start - reserved);
        builder->at -= reserved - size;
    }
    memcpy(at, bytes, size);
    return ISO_OK;
}
