/* parse.c - the straight line: a well-formed message to its index, without a branch per doubt.
 *
 * DESIGN  Bitmaps are walked from bit to bit; a field's op says how its length stands and which
 * bytes may be in it. Sixteen characters are judged at once against three ranges; what is wrong is
 * gathered in a vector that is looked at once, behind the last field. Any doubt at all hands the
 * message to interpret.c, which reads it again and says where and why. So this file never explains
 * anything. Data-plane threads; no state. */
#include "iso8583/line.h"

static bool parse_straight(const struct iso_dialect *dialect, struct span frame,
                           struct iso_msg *out);

enum iso_err iso_parse(const struct iso_dialect *dialect, struct span frame, struct iso_msg *out,
                       struct iso_fault *fault)
{
    if (likely(dialect->straight && frame.size >= LINE_BYTES_MIN &&
               frame.size <= ISO_MESSAGE_BYTES_MAX) &&
        likely(parse_straight(dialect, frame, out)))
        return ISO_OK;
    return iso_parse_checked(dialect, frame, out, fault);
}

/* Four digits, packed or not; EBCDIC digits are F0..F9. */
static inline bool take_mti(const struct iso_dialect *dialect, const uint8_t *p, char mti[4],
                            uint32_t *size)
{
    uint32_t word;
    if (dialect->mti.encoding == ISO_ENC_PACKED) {
        uint32_t packed = load_be16(p);
        word = (packed & 0xF000) >> 12 | (packed & 0x0F00) | (packed & 0x00F0) << 12 |
               (packed & 0x000F) << 24;
        *size = 2;
    } else {
        uint32_t zero = dialect->mti.encoding >= ISO_ENC_EBCDIC037 ? 0xF0F0F0F0u : 0x30303030u;
        memcpy(&word, p, 4);
        word ^= zero;
        *size = 4;
    }
    bool right = ((word | (word + 0x06060606u)) & 0xF0F0F0F0u) == 0;
    word |= 0x30303030u;
    memcpy(mti, &word, 4);
    return right;
}

/* One bitmap of 64; *doubt becomes not zero for characters that are no hexadecimal digits. */
static inline uint64_t take_map(bool hex, const uint8_t *p, bytes16 *bad)
{
    if (!hex)
        return load_be64(p);
    bytes16 x, digit, letter, is_digit, is_letter;
    memcpy(&x, p, 16);
    digit = x - '0';
    letter = (x | 0x20) - 'a';
    is_digit = (bytes16)(digit <= 9);
    is_letter = (bytes16)(letter <= 5);
    *bad |= ~(is_digit | is_letter);
    typedef uint16_t words8 __attribute__((vector_size(16)));
    typedef uint8_t bytes8 __attribute__((vector_size(8)));
    words8 nibbles = (words8)((digit & is_digit) | ((letter + 10) & is_letter));
    words8 pairs = (nibbles << 4 & 0xF0) | nibbles >> 8;
    bytes8 packed = __builtin_convertvector(pairs, bytes8);
    uint64_t word;
    memcpy(&word, &packed, 8);
    return __builtin_bswap64(word);
}

/* The length prefix of a field; a digit that is none, or a count out of bounds, makes *doubt set.
 */
static inline uint32_t take_length(const struct op *op, const uint8_t *p, uint32_t *doubt)
{
    uint32_t a = p[0], b, c, d, zero;
    switch (op->length) {
    case ISO_LEN_ASCII:
    case ISO_LEN_EBCDIC:
        zero = op->length == ISO_LEN_ASCII ? '0' : 0xF0;
        a -= zero;
        if (op->prefix == 1) {
            *doubt |= a > 9;
            return a;
        }
        b = p[1] - zero;
        *doubt |= (uint32_t)(a > 9) | (uint32_t)(b > 9);
        a = a * 10 + b;
        if (op->prefix == 2)
            return a;
        c = p[2] - zero;
        *doubt |= c > 9;
        a = a * 10 + c;
        if (op->prefix == 3)
            return a;
        d = p[3] - zero;
        *doubt |= d > 9;
        return a * 10 + d;
    case ISO_LEN_PACKED: /* a byte of two digits stands for itself less 6 for each ten */
        *doubt |= (uint32_t)(a > 0x99) | (uint32_t)((a & 15) > 9);
        a -= 6 * (a >> 4);
        if (op->prefix == 1)
            return a;
        b = p[1];
        *doubt |= (uint32_t)(b > 0x99) | (uint32_t)((b & 15) > 9);
        return a * 100 + b - 6 * (b >> 4);
    default: /* ISO_LEN_BINARY; compile.c makes no other */
        return op->prefix == 1 ? a : a << 8 | p[1];
    }
}

static bool take_called(const struct iso_dialect *dialect, struct span frame, uint32_t de,
                        uint32_t position, struct iso_field *field)
{
    const struct iso_node *node = dialect->fields[de];
    struct problem problem;
    if (value_read(dialect, node, frame.data, position, frame.size, field, &problem) != ISO_OK)
        return false;
    return node->composite.kind == ISO_COMPOSITE_NONE || node->composite.lazy ||
           composite_check(dialect, frame.data, node, field, &problem) == ISO_OK;
}

struct taking { /* what is carried from field to field */
    const struct iso_dialect *dialect;
    struct span frame;
    uint32_t position, doubt;
    bytes16 bad;
};

/* Any field that needs no interpreter. False: too short. */
INLINE bool take_other(struct taking *taking, const struct op *op, struct iso_field *field)
{
    const struct iso_dialect *dialect = taking->dialect;
    struct span frame = taking->frame;
    uint32_t position = taking->position, left = frame.size - position;
    uint32_t prefix = 0, count = op->max, size = op->size;
    if (op->length != ISO_LEN_FIXED) {
        prefix = op->prefix;
        if (unlikely(left < prefix))
            return false;
        count = take_length(op, frame.data + position, &taking->doubt);
        taking->doubt |= (count - op->min) > (uint32_t)(op->max - op->min);
        size = op->kind == OP_PACKED ? (count + 1) / 2 : count;
        position += prefix;
        left -= prefix;
    }
    if (unlikely(op->group > 1))
        taking->doubt |= count % op->group;
    if (unlikely(size > left))
        return false;
    *field =
        (struct iso_field){(uint16_t)position, (uint16_t)size, (uint16_t)count, (uint16_t)prefix};
    const uint8_t *value = frame.data + position;
    if (op->kind == OP_TEXT && unlikely(size > LINE_LONG)) {
        taking->doubt |= dialect->check_long(&dialect->ranges_plain[op->check], value, size);
    } else if (op->kind == OP_TEXT) {
        line_check_text(&dialect->ranges[op->check], frame.data, frame.size, position, size,
                        &taking->bad);
    } else if (op->kind == OP_PACKED) {
        if (op->nibble_max == 9)
            line_check_packed(frame.data, frame.size, position, size, &taking->bad);
        if ((count & 1) != 0)
            taking->doubt |=
                (op->flags & OP_FILLS_RIGHT) != 0 ? value[size - 1] & 15u : (uint32_t)value[0] >> 4;
    } else if (op->kind == OP_SIGNED) {
        taking->doubt |= value[0] != 'C' && value[0] != 'D';
        if ((op->flags & OP_SIGN_PACKED) != 0)
            line_check_packed(frame.data, frame.size, position + 1, size - 1, &taking->bad);
        else
            line_check_text(&dialect->ranges[op->check], frame.data, frame.size, position + 1,
                            size - 1, &taking->bad);
    }
    taking->position = position + size;
    return true;
}

/* The fields of one bitmap. False: a doubt that leaves no way to go on. */
INLINE bool take_fields(struct taking *taking, uint32_t word, uint64_t bits, struct iso_msg *out)
{
    const struct iso_dialect *dialect = taking->dialect;
    const struct op *ops = dialect->ops + word * 64 + 1;
    struct iso_field *fields = out->fields + word * 64 + 1;
    struct span frame = taking->frame;
    while (bits != 0) {
        uint32_t bit = (uint32_t)__builtin_clzll(bits), position = taking->position, size;
        bits &= ~(UINT64_C(1) << 63 >> bit);
        const struct op *op = &ops[bit];
        bytes16 mask, x;
        switch ((enum op_shape)op->shape) {
        case SHAPE_TEXT_1:
        case SHAPE_TEXT_4:
        case SHAPE_TEXT_8:
            size = op->size;
            if (unlikely(size > frame.size - position))
                return false;
            fields[bit] = (struct iso_field){(uint16_t)position, op->size, op->max, 0};
            x = line_load(frame.data, frame.size, position, size, &mask);
            taking->bad |= line_wrong(&dialect->ranges[op->check], x) & mask;
            taking->position = position + size;
            break;
        case SHAPE_PACKED:
            size = op->size;
            if (unlikely(size > frame.size - position))
                return false;
            fields[bit] = (struct iso_field){(uint16_t)position, op->size, op->max, 0};
            x = line_load(frame.data, frame.size, position, size, &mask);
            taking->bad |= ((bytes16)(x >> 4 > 9) | (bytes16)((x & 15) > 9)) & mask;
            taking->doubt |=
                frame.data[(op->flags & OP_FILLS_RIGHT) != 0 ? position + size - 1 : position] &
                op->odd_mask;
            taking->position = position + size;
            break;
        case SHAPE_OTHER:
            if (!take_other(taking, op, &fields[bit]))
                return false;
            break;
        case SHAPE_CALL:
            if (!take_called(dialect, frame, word * 64 + bit + 1, position, &fields[bit]))
                return false;
            taking->position = (uint32_t)fields[bit].offset + fields[bit].size;
            break;
        }
    }
    return true;
}

static bool parse_straight(const struct iso_dialect *dialect, struct span frame,
                           struct iso_msg *out)
{
    const struct iso_bitmap_form *form = &dialect->bitmap;
    bool hex = form->encoding[0] != ISO_ENC_BINARY;
    uint32_t map_size = hex ? 16 : 8, header = 0, mti_size;
    bytes16 bad = {0};
    if (dialect->header.kind != ISO_HEADER_NONE) {
        struct problem problem;
        if (header_read(dialect, frame, &header, &problem) != ISO_OK)
            return false;
    }
    if (frame.size - header < 4 + map_size)
        return false;
    if (!take_mti(dialect, frame.data + header, out->mti, &mti_size))
        return false;
    uint32_t position = header + mti_size, blocks = 1;
    out->bitmap_offset = (uint16_t)position;
    uint64_t maps[3] = {take_map(hex, frame.data + position, &bad), 0, 0};
    position += map_size;
    bool second = maps[0] >> 63 != 0;
    if ((second && !form->no_secondary) || form->always_secondary) {
        if (frame.size - position < map_size)
            return false;
        maps[1] = take_map(hex, frame.data + position, &bad);
        position += map_size;
        blocks = 2;
        if (form->tertiary == ISO_TERTIARY_CONTIGUOUS && maps[1] >> 63 != 0) {
            if (frame.size - position < map_size)
                return false;
            maps[2] = take_map(hex, frame.data + position, &bad);
            position += map_size;
            blocks = 3;
        }
    } else if (second) {
        return false;
    }
    uint64_t announcing = form->tertiary == ISO_TERTIARY_CONTIGUOUS ? UINT64_C(1) << 63 : 0;
    uint64_t present[3] = {maps[0] & (UINT64_MAX >> 1), maps[1] & ~announcing, maps[2]};
    if (((present[0] & ~dialect->known[0]) | (present[1] & ~dialect->known[1]) |
         (present[2] & ~dialect->known[2])) != 0 ||
        line_any(bad))
        return false;
    struct taking taking = {dialect, frame, position, 0, bad};
    for (uint32_t word = 0; word < blocks; word++)
        if (!take_fields(&taking, word, present[word], out))
            return false;
    if (taking.position != frame.size || taking.doubt != 0 || line_any(taking.bad))
        return false;
    out->frame = frame.data;
    out->size = frame.size;
    out->blocks = (uint8_t)blocks;
    out->complete = true;
    out->header_size = out->mti_offset = (uint16_t)header;
    memcpy(out->bitmap, maps, sizeof(maps));
    memcpy(out->present, present, sizeof(present));
    return true;
}
