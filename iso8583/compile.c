/* compile.c - nodes to ops: what the straight line of parse.c and build.c can do by itself. */
#include "iso8583/line.h"

/* A class of ASCII characters as at most three ways to be right; see struct range. An EBCDIC class
 * other than digits has too many holes and goes to the interpreter. */
static const struct {
    enum iso_class class;
    bool ebcdic;
    struct range range;
} known_ranges[] = {
    {ISO_CLASS_ANY, false, {0x00, 0x7F, 0x00, 0x7F, 0x00, 0x00, true}},
    {ISO_CLASS_ANS, false, {0x20, 0x5E, 0x20, 0x5E, 0x20, 0x00, true}},
    {ISO_CLASS_N, false, {'0', 9, '0', 9, '0', 0x00, true}},
    {ISO_CLASS_AN, false, {'0', 9, 'a', 25, ' ', 0x20, false}},
    {ISO_CLASS_A, false, {'A', 25, 'a', 25, ' ', 0x00, false}},
    {ISO_CLASS_Z, false, {'0', 15, '0', 15, 'D', 0x00, false}},
    {ISO_CLASS_HEX, false, {'0', 9, 'a', 5, '0', 0x20, false}},
    {ISO_CLASS_N, true, {0xF0, 9, 0xF0, 9, 0xF0, 0x00, true}},
};
enum { RANGE_DIGITS = 2 };
_Static_assert(countof(known_ranges) <= RANGES_MAX, "each has a vector form");

static void compile_op(const struct iso_node *node, struct op *op);
static enum op_shape shape_of(const struct op *op);

void compile_ops(struct iso_dialect *dialect)
{
    for (uint32_t i = 0; i < countof(known_ranges); i++) {
        dialect->ranges_plain[i] = known_ranges[i].range;
        range_expand(&known_ranges[i].range, &dialect->ranges[i]);
    }
    dialect->check_long = long_is_wide() ? check_long_wide : check_long_plain;
    dialect->copy_long = long_is_wide() ? copy_long_wide : copy_long_plain;
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++)
        if (dialect->fields[de] != NULL) {
            struct op *op = &dialect->ops[de];
            compile_op(dialect->fields[de], op);
            op->shape = (uint8_t)shape_of(op);
            if (op->shape == SHAPE_PACKED && (op->max & 1) != 0)
                op->odd_mask = (op->flags & OP_FILLS_RIGHT) != 0 ? 0x0F : 0xF0;
        }

    const struct iso_bitmap_form *bitmap = &dialect->bitmap;
    bool simple_maps = true;
    for (uint32_t i = 0; i < 3; i++)
        simple_maps = simple_maps && bitmap->encoding[i] == bitmap->encoding[0] &&
                      bitmap->encoding[i] != ISO_ENC_HEX_EBCDIC;
    dialect->straight =
        simple_maps && bitmap->tertiary != ISO_TERTIARY_FIELD && !dialect->mti.any_characters;
}

static bool find_range(const struct iso_node *node, uint8_t *check)
{
    bool ebcdic = node->encoding != ISO_ENC_ASCII;
    if (!encoding_is_single_byte(node->encoding) || node->encoding == ISO_ENC_LATIN1)
        return false;
    for (uint32_t i = 0; i < countof(known_ranges); i++)
        if (known_ranges[i].class == node->character_class && known_ranges[i].ebcdic == ebcdic) {
            *check = (uint8_t)i;
            return true;
        }
    return false;
}

static enum op_shape shape_of(const struct op *op)
{
    if (op->kind == OP_CALL)
        return SHAPE_CALL;
    if (op->length != ISO_LEN_FIXED || op->group > 1 || op->size == 0 || op->size > 16)
        return SHAPE_OTHER;
    if (op->kind == OP_PACKED && op->nibble_max == 9)
        return SHAPE_PACKED;
    if (op->kind != OP_TEXT || (op->flags & OP_CONVERTS) != 0 || op->size > 15)
        return SHAPE_OTHER;
    return op->size >= 8 ? SHAPE_TEXT_8 : op->size >= 4 ? SHAPE_TEXT_4 : SHAPE_TEXT_1;
}

static void compile_op(const struct iso_node *node, struct op *op)
{
    const struct iso_length *length = &node->length;
    op->kind = OP_CALL;
    op->length = (uint8_t)length->encoding;
    op->min = (uint16_t)node->min;
    op->max = (uint16_t)node->max;
    op->group = node->group;
    bool simple_length = length->encoding == ISO_LEN_FIXED ||
                         (length->encoding == ISO_LEN_ASCII && length->width <= 4) ||
                         (length->encoding == ISO_LEN_EBCDIC && length->width <= 4) ||
                         (length->encoding == ISO_LEN_PACKED && length->width <= 4) ||
                         (length->encoding == ISO_LEN_BINARY && length->width <= 2);
    if (!simple_length || length->includes_itself ||
        (node->composite.kind != ISO_COMPOSITE_NONE && !node->composite.is_sound))
        return;
    op->prefix =
        (uint8_t)(length->encoding == ISO_LEN_PACKED ? (length->width + 1) / 2 : length->width);
    bool plain_unit = length->unit == ISO_UNIT_BYTES || length->unit == ISO_UNIT_CHARACTERS ||
                      length->unit == ISO_UNIT_OCTETS;
    if (node->encoding == ISO_ENC_BINARY && plain_unit) {
        op->kind = OP_RAW;
        op->size = op->max;
    } else if (node->encoding == ISO_ENC_PACKED &&
               (node->character_class == ISO_CLASS_N || node->character_class == ISO_CLASS_Z) &&
               length->unit == ISO_UNIT_DIGITS && node->filler_side != ISO_SIDE_NONE &&
               node->filler == 0) {
        op->kind = OP_PACKED;
        op->nibble_max = node->character_class == ISO_CLASS_N ? 9 : 15;
        op->flags |= node->filler_side == ISO_SIDE_RIGHT ? OP_FILLS_RIGHT : 0;
        op->size = (uint16_t)((op->max + 1u) / 2u);
    } else if (node->character_class == ISO_CLASS_XN && length->encoding == ISO_LEN_FIXED &&
               (node->encoding == ISO_ENC_ASCII ||
                (node->encoding == ISO_ENC_PACKED && (op->max & 1) != 0))) {
        op->kind = OP_SIGNED;
        op->flags |= node->encoding == ISO_ENC_PACKED ? OP_SIGN_PACKED : 0;
        op->size = (uint16_t)((op->flags & OP_SIGN_PACKED) != 0 ? op->max / 2 + 1 : op->max);
        op->check = RANGE_DIGITS;
    } else if (encoding_is_single_byte(node->encoding) &&
               (plain_unit || (length->unit == ISO_UNIT_DIGITS)) && find_range(node, &op->check)) {
        op->kind = OP_TEXT;
        op->size = op->max;
        op->flags |= node->encoding != ISO_ENC_ASCII ? OP_CONVERTS : 0;
    }
}
