/* compile.c - nodes to ops: what the straight line of parse.c and build.c can do by itself. */
#include "iso8583/line.h"

/* A class of ASCII characters as at most three ways to be right; see struct range. An EBCDIC class
 * other than digits has too many holes and goes to the interpreter. */
static const struct known_range {
    enum iso_class class;
    bool ebcdic, wrong; /* the ways name what is wrong */
    enum range_kind kind;
    uint8_t low, span, low_folded, span_folded, extra, fold;
} known_ranges[] = {
    [CHECK_NONE] = {ISO_CLASS_B, false, false, RANGE_ALL, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0x00},
    [CHECK_PACKED] = {ISO_CLASS_B, false, false, RANGE_PACKED, 0, 0, 0, 0, 0, 0},
    [CHECK_DIGITS] = {ISO_CLASS_N, false, false, RANGE_ONE, '0', 9, '0', 9, '0', 0x00},
    {ISO_CLASS_N, true, false, RANGE_ONE, 0xF0, 9, 0xF0, 9, 0xF0, 0x00},
    {ISO_CLASS_ANY, false, false, RANGE_ONE, 0x00, 0x7F, 0x00, 0x7F, 0x00, 0x00},
    {ISO_CLASS_ANS, false, false, RANGE_ONE, 0x20, 0x5E, 0x20, 0x5E, 0x20, 0x00},
    {ISO_CLASS_AN, false, false, RANGE_SOME, '0', 9, 'a', 25, ' ', 0x20},
    {ISO_CLASS_A, false, false, RANGE_SOME, 'A', 25, 'a', 25, ' ', 0x00},
    {ISO_CLASS_Z, false, false, RANGE_SOME, '0', 15, '0', 15, 'D', 0x00},
    {ISO_CLASS_HEX, false, false, RANGE_SOME, '0', 9, 'a', 5, '0', 0x20},
    /* Neither control characters, 7F to 1F, nor letters; nor digits. */
    {ISO_CLASS_NS, false, true, RANGE_SOME, 0x7F, 0xA0, 'a', 25, 'a', 0x20},
    {ISO_CLASS_AS, false, true, RANGE_SOME, 0x7F, 0xA0, '0', 9, '0', 0x00},
};
_Static_assert(countof(known_ranges) <= RANGES_MAX, "each has a vector form");

static void compile_tables(struct iso_dialect *dialect);
static void compile_op(const struct iso_node *node, struct op *op);
static void compile_take(const struct iso_node *node, struct op *op);
static void compile_put(struct op *op);

void compile_ops(struct iso_dialect *dialect)
{
    compile_tables(dialect);
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++)
        if (dialect->fields[de] != NULL) {
            struct op *op = &dialect->ops[de];
            compile_op(dialect->fields[de], op);
            compile_take(dialect->fields[de], op);
            compile_put(op);
        }

    const struct iso_bitmap_form *bitmap = &dialect->bitmap;
    bool simple_maps = true;
    for (uint32_t i = 0; i < 3; i++)
        simple_maps = simple_maps && bitmap->encoding[i] == bitmap->encoding[0] &&
                      bitmap->encoding[i] != ISO_ENC_HEX_EBCDIC;
    dialect->straight =
        simple_maps && bitmap->tertiary != ISO_TERTIARY_FIELD && !dialect->mti.any_characters;
}

static void compile_tables(struct iso_dialect *dialect)
{
    for (uint32_t i = 0; i < countof(known_ranges); i++) {
        const struct known_range *known = &known_ranges[i];
        struct range *range = &dialect->ranges[i];
        memset(&range->low, known->low, 16);
        memset(&range->span, known->span, 16);
        memset(&range->low_folded, known->low_folded, 16);
        memset(&range->span_folded, known->span_folded, 16);
        memset(&range->extra, known->extra, 16);
        memset(&range->fold, known->fold, 16);
        memset(&range->right, known->wrong ? 0x00 : 0xFF, 16);
        range->kind = known->kind;
    }
    for (uint32_t i = 0; i < 256; i++) {
        bool packed = i >> 4 <= 9 && (i & 15) <= 9;
        uint32_t ascii = i - '0', ebcdic = i - 0xF0;
        dialect->lengths[ISO_LEN_ASCII][i] = (uint16_t)(ascii <= 9 ? ascii : LENGTH_WRONG);
        dialect->lengths[ISO_LEN_EBCDIC][i] = (uint16_t)(ebcdic <= 9 ? ebcdic : LENGTH_WRONG);
        dialect->lengths[ISO_LEN_PACKED][i] = (uint16_t)(packed ? i - 6 * (i >> 4) : LENGTH_WRONG);
        dialect->lengths[ISO_LEN_BINARY][i] = (uint16_t)i;
    }
    dialect->check_run = run_is_wide() ? check_run_wide : check_run_plain;
    dialect->copy_long = run_is_wide() ? copy_long_wide : copy_long_plain;
}

static bool find_range(const struct iso_node *node, uint8_t *check)
{
    bool ebcdic = node->encoding != ISO_ENC_ASCII;
    if (!encoding_is_single_byte(node->encoding) || node->encoding == ISO_ENC_LATIN1)
        return false;
    for (uint32_t i = CHECK_DIGITS; i < countof(known_ranges); i++)
        if (known_ranges[i].class == node->character_class && known_ranges[i].ebcdic == ebcdic) {
            *check = (uint8_t)i;
            return true;
        }
    return false;
}

/* What the field is: kind, sizes, check. */
static void compile_op(const struct iso_node *node, struct op *op)
{
    const struct iso_length *length = &node->length;
    op->kind = OP_CALL;
    op->length = (uint8_t)length->encoding;
    op->index.count = (uint16_t)node->max;
    op->min = (uint16_t)node->min;
    op->span = (uint16_t)(node->max - node->min);
    op->group = node->group;
    bool simple_length = length->encoding == ISO_LEN_FIXED ||
                         (length->encoding == ISO_LEN_ASCII && length->width <= 4) ||
                         (length->encoding == ISO_LEN_EBCDIC && length->width <= 4) ||
                         (length->encoding == ISO_LEN_PACKED && length->width <= 4) ||
                         (length->encoding == ISO_LEN_BINARY && length->width <= 2);
    if (!simple_length || length->includes_itself || node->max == 0)
        return;
    op->prefix =
        (uint8_t)(length->encoding == ISO_LEN_PACKED ? (length->width + 1) / 2 : length->width);
    bool plain_unit = length->unit == ISO_UNIT_BYTES || length->unit == ISO_UNIT_CHARACTERS ||
                      length->unit == ISO_UNIT_OCTETS;
    if (node->encoding == ISO_ENC_BINARY && plain_unit) {
        op->kind = OP_TEXT;
        op->index.size = op->index.count;
        op->check = CHECK_NONE;
    } else if (node->encoding == ISO_ENC_PACKED &&
               (node->character_class == ISO_CLASS_N || node->character_class == ISO_CLASS_Z) &&
               length->unit == ISO_UNIT_DIGITS && node->filler_side != ISO_SIDE_NONE &&
               node->filler == 0) {
        op->kind = OP_PACKED;
        op->flags |= node->character_class == ISO_CLASS_Z ? OP_TRACK : 0;
        op->flags |= node->filler_side == ISO_SIDE_RIGHT ? OP_FILLS_RIGHT : 0;
        op->index.size = (uint16_t)((op->index.count + 1u) / 2u);
        op->check = (op->flags & OP_TRACK) == 0 ? CHECK_PACKED : CHECK_NONE;
    } else if (node->character_class == ISO_CLASS_XN && length->encoding == ISO_LEN_FIXED &&
               (node->encoding == ISO_ENC_ASCII ||
                (node->encoding == ISO_ENC_PACKED && (op->index.count & 1) != 0))) {
        op->kind = OP_SIGNED;
        op->flags |= node->encoding == ISO_ENC_PACKED ? OP_SIGN_PACKED : 0;
        op->index.size = (uint16_t)((op->flags & OP_SIGN_PACKED) != 0 ? op->index.count / 2 + 1
                                                                      : op->index.count);
        op->check = (op->flags & OP_SIGN_PACKED) != 0 ? CHECK_PACKED : CHECK_DIGITS;
    } else if (encoding_is_single_byte(node->encoding) &&
               (plain_unit || (length->unit == ISO_UNIT_DIGITS)) && find_range(node, &op->check)) {
        op->kind = OP_TEXT;
        op->index.size = op->index.count;
        op->flags |= node->encoding != ISO_ENC_ASCII ? OP_CONVERTS : 0;
    }
}

static bool range_holds(uint32_t check, uint8_t byte)
{
    const struct known_range *range = &known_ranges[check];
    if (range->kind == RANGE_PACKED)
        return byte >> 4 <= 9 && (byte & 15) <= 9;
    bool met = (uint8_t)(byte - range->low) <= range->span ||
               (uint8_t)((byte | range->fold) - range->low_folded) <= range->span_folded ||
               byte == range->extra;
    return met != range->wrong;
}

/* Is every byte that may stand in the lead right by the field's check, too? */
static bool lead_joins(const struct op *op)
{
    if (op->lead == 0 || op->check == CHECK_NONE)
        return true;
    if (op->length == ISO_LEN_PACKED)
        return op->check == CHECK_PACKED;
    if (op->length != ISO_LEN_ASCII && op->length != ISO_LEN_EBCDIC)
        return false; /* a sign, or a binary length */
    uint8_t zero = op->length == ISO_LEN_ASCII ? '0' : 0xF0;
    for (uint8_t digit = 0; digit <= 9; digit++)
        if (!range_holds(op->check, (uint8_t)(zero + digit)))
            return false;
    return true;
}

/* How the field is read, and whether a run goes on with it. */
static void compile_take(const struct iso_node *node, struct op *op)
{
    op->take = TAKE_CALL;
    op->joins = op->check;
    op->follows = CHECKS_APART;
    if (op->kind == OP_CALL)
        return;
    const struct iso_composite *composite = &node->composite;
    bool walked = composite->kind != ISO_COMPOSITE_NONE && !composite->lazy && !composite->is_sound;
    op->take = walked || op->group > 1       ? TAKE_OTHER
               : op->length == ISO_LEN_FIXED ? TAKE_FIXED
               : op->kind == OP_PACKED       ? TAKE_DIGITS
                                             : TAKE_BYTES;
    if (op->length != ISO_LEN_FIXED) {
        op->index = (struct iso_field){op->prefix, 0, 0, op->prefix};
        op->base = op->length == ISO_LEN_PACKED ? 100 : op->length == ISO_LEN_BINARY ? 256 : 10;
    }
    op->lead = op->prefix;
    if (op->kind == OP_SIGNED) { /* C and D are packed digits, too, but none in ASCII */
        op->lead = (op->flags & OP_SIGN_PACKED) != 0 ? 0 : 1;
        op->guard_base = 'C';
        op->guard_mask = 0xFE;
    } else if (op->kind == OP_PACKED && op->length == ISO_LEN_FIXED && (op->index.count & 1) != 0) {
        bool right = (op->flags & OP_FILLS_RIGHT) != 0;
        op->guard_at = (uint16_t)(right ? op->index.size - 1 : 0);
        op->guard_mask = right ? 0x0F : 0xF0;
    }
    op->joins = lead_joins(op) ? op->check : CHECKS_APART;
    if (op->take == TAKE_FIXED && op->guard_mask == 0)
        op->follows = op->check;
}

static enum op_put put_packed(const struct op *op)
{
    uint32_t count = op->index.count;
    if (count == 3)
        return PUT_PACKED_3;
    if (count < 2 || count > 16 || (count & 1) != 0)
        return PUT_OTHER;
    return count > 8 ? PUT_PACKED_8 : count > 4 ? PUT_PACKED_4 : PUT_PACKED_2;
}

/* How a canonical value is written. */
static void compile_put(struct op *op)
{
    uint32_t size = op->index.size;
    bool fixed = op->length == ISO_LEN_FIXED;
    op->put = op->kind == OP_CALL || (op->flags & OP_CONVERTS) != 0 ? PUT_CALL : PUT_OTHER;
    op->shift = (op->flags & OP_FILLS_RIGHT) != 0 ? 4 : 0;
    if (op->put == PUT_CALL || op->group > 1)
        return;
    if (op->kind == OP_SIGNED)
        op->put = (op->flags & OP_SIGN_PACKED) != 0 && size == 5 ? PUT_SIGNED_8 : PUT_OTHER;
    else if (!fixed)
        op->put = op->kind == OP_PACKED ? PUT_DIGITS : PUT_BYTES;
    else if (op->kind == OP_TEXT && size < 16)
        op->put = size >= 8 ? PUT_TEXT_8 : size >= 4 ? PUT_TEXT_4 : PUT_TEXT_1;
    else if (op->kind == OP_PACKED && (op->flags & OP_TRACK) == 0)
        op->put = (uint8_t)put_packed(op);
}
