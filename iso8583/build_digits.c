/* build_digits.c - the parts of packed digits: gathered as text, packed once.
 *
 * A part may begin in the middle of a byte, so none is written by itself. What is gathered is
 * bounded by ISO_DIGITS_MAX, which the loader holds the sum of the parts to. */
#include "iso8583/builder.h"

struct gathered {
    uint8_t text[ISO_DIGITS_MAX + 1]; /* and the digit that makes their number even */
    uint32_t size;
};

static enum iso_err gather(struct builder *builder, const struct iso_node *node,
                           const struct iso_part *parts, uint32_t count, uint32_t depth,
                           struct gathered *out);

enum iso_err digits_build(struct builder *builder, const struct iso_node *node,
                          const struct iso_part *parts, uint32_t count, uint32_t depth)
{
    struct gathered digits = {.size = 0};
    enum iso_err err = gather(builder, node, parts, count, depth, &digits);
    if (err != ISO_OK)
        return err;
    /* Digits put before the first part would move all of them, so nothing is padded here. */
    bool in_bytes = node->length.unit == ISO_UNIT_BYTES || node->length.unit == ISO_UNIT_OCTETS;
    uint32_t have = in_bytes ? (digits.size + 1) / 2 : digits.size;
    if (have < node->min)
        return builder_fail(builder, ISO_VALUE_SHORT, have, node->min);
    if (in_bytes && digits.size % 2 != 0 && node->filler_side == ISO_SIDE_RIGHT &&
        node->filler <= 9)
        digits.text[digits.size++] = (uint8_t)('0' + node->filler); /* a digit as any other */
    return text_build(builder, node, digits.text, digits.size);
}

static const struct iso_part *part_of(const struct iso_part *parts, uint32_t count, const char *key)
{
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].key_size == strlen(key) && memcmp(parts[i].key, key, parts[i].key_size) == 0)
            return &parts[i];
    return NULL;
}

/* A part's digits as they stand on the wire, among those of its neighbours. */
static enum iso_err gather_wire(struct builder *builder, const struct iso_node *node,
                                const struct iso_value *value, struct gathered *out)
{
    char text[ISO_DIGITS_MAX];
    size_t size;
    struct span wire = {value->data, value->size};
    uint32_t bytes = ((node->nibble & 1u) + node->max + 1) / 2;
    if (value->size != bytes ||
        !iso_value_text(builder->dialect, node, wire, node->max, text, sizeof(text), &size))
        return builder_fail(builder, ISO_VALUE_FORM, value->size, bytes);
    memcpy(out->text + out->size, text, size);
    out->size += (uint32_t)size;
    return ISO_OK;
}

static enum iso_err gather_text(struct builder *builder, const struct iso_node *node,
                                const struct iso_value *value, struct gathered *out)
{
    if (value->size > node->max)
        return builder_fail(builder, ISO_VALUE_LONG, value->size, node->max);
    uint32_t pad = node->max - value->size;
    if (pad > 0 && node->pad_side == ISO_SIDE_NONE)
        return builder_fail(builder, ISO_VALUE_SHORT, value->size, node->max);
    uint8_t *to = out->text + out->size;
    bool left = node->pad_side == ISO_SIDE_LEFT;
    memset(to + (left ? 0 : value->size), node->pad, pad);
    if (value->size > 0)
        memcpy(to + (left ? pad : 0), value->data, value->size);
    for (uint32_t i = 0; i < node->max; i++) {
        int digit = hex_digit(to[i], false);
        if (digit < 0 || (digit > 9 && node->character_class != ISO_CLASS_HEX))
            return builder_fail(builder, ISO_VALUE, 0, 0);
    }
    out->size += node->max;
    return ISO_OK;
}

static enum iso_err gather_part(struct builder *builder, const struct iso_node *node,
                                const struct iso_value *value, uint32_t depth, struct gathered *out)
{
    enum iso_err err;
    uint32_t before;
    switch ((enum iso_form)value->form) {
    case ISO_FORM_CANONICAL:
        return gather_text(builder, node, value, out);
    case ISO_FORM_WIRE:
        return gather_wire(builder, node, value, out);
    case ISO_FORM_PARTS:
        if (node->composite.kind == ISO_COMPOSITE_NONE || depth + 1 >= ISO_DEPTH_MAX)
            return builder_fail(builder, ISO_VALUE_FORM, depth, ISO_DEPTH_MAX);
        before = out->size;
        err = gather(builder, node, value->data, value->size, depth + 1, out);
        if (err == ISO_OK && out->size - before != node->max)
            err = builder_fail(builder, ISO_VALUE_SHORT, out->size - before, node->max);
        return err;
    }
    return builder_fail(builder, ISO_VALUE_FORM, value->form, 0);
}

/* As many parts as are there, from the first one on, none left out. */
static enum iso_err gather(struct builder *builder, const struct iso_node *node,
                           const struct iso_part *parts, uint32_t count, uint32_t depth,
                           struct gathered *out)
{
    uint32_t placed = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (iso_node_child_key(node, parts[i].key, parts[i].key_size) != NULL)
            continue;
        (void)builder_path_push(builder, parts[i].key, parts[i].key_size);
        return builder_fail(builder, ISO_SUBFIELD_UNKNOWN, 0, 0);
    }
    for (uint32_t i = 0; i < node->children_count; i++) {
        const struct iso_node *child = &node->children[i];
        const struct iso_part *part = part_of(parts, count, child->key);
        bool is_missing = part == NULL && i < node->composite.mandatory_count && count > 0;
        if (part == NULL && !is_missing)
            continue;
        uint32_t mark = builder_path_push(builder, child->key, strlen(child->key));
        if (is_missing || placed != i)
            return builder_fail(builder, ISO_SUBFIELD_MISSING, placed,
                                node->composite.mandatory_count);
        enum iso_err err = gather_part(builder, child, &part->value, depth, out);
        if (err != ISO_OK)
            return err;
        builder->path[mark] = '\0';
        placed++;
    }
    return ISO_OK;
}
