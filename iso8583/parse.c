/* parse.c - the straight line: a well-formed message to its index.
 *
 * DESIGN  Bitmaps are walked from bit to bit; a field's op says how its length stands and which
 * bytes may be in it. Fields one behind the other whose bytes are judged alike (and their prefixes,
 * where digits are right by the same check) are one run, judged at once when it ends: run.c. Most
 * fixed fields follow in a run, so that a size is all that is asked of them. Any doubt hands the
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

struct taking { /* what is carried from field to field */
    const uint8_t *data;
    uint32_t size, position;
    uint32_t run_at, run_check; /* where the run that is not judged yet begins, and by what */
};

/* The functions below take a field. False: it is too short, or something is wrong. */

INLINE bool take_fixed(struct taking *taking, const struct op *op, struct iso_field *field)
{
    uint32_t size = op->index.size;
    uint64_t word;
    if (unlikely(size > taking->size - taking->position))
        return false;
    memcpy(&word, &op->index, sizeof(word));
    word += taking->position;
    memcpy(field, &word, sizeof(word)); /* one store; the compiler would make four */
    taking->position += size;
    return true;
}

INLINE bool take_guarded(struct taking *taking, const struct op *op, struct iso_field *field)
{
    uint32_t at = taking->position + op->guard_at;
    return take_fixed(taking, op, field) &&
           ((taking->data[at] - op->guard_base) & op->guard_mask) == 0;
}

INLINE uint32_t take_length(const struct iso_dialect *dialect, const struct op *op,
                            const uint8_t *p)
{
    const uint16_t *values = dialect->lengths[op->length];
    uint32_t count = values[p[0]], prefix = op->prefix;
    if (prefix == 1)
        return count;
    count = count * op->base + values[p[1]];
    if (prefix == 2)
        return count;
    count = count * op->base + values[p[2]];
    return prefix == 3 ? count : count * op->base + values[p[3]];
}

INLINE bool take_variable(struct taking *taking, const struct iso_dialect *dialect,
                          const struct op *op, bool packed, struct iso_field *field)
{
    uint32_t at = taking->position + op->prefix;
    if (unlikely(op->prefix > taking->size - taking->position))
        return false;
    uint32_t count = take_length(dialect, op, taking->data + taking->position);
    uint32_t size = packed ? (count + 1) / 2 : count;
    if (unlikely(count - op->min > op->span || size > taking->size - at))
        return false;
    uint64_t word;
    memcpy(&word, &op->index, sizeof(word));
    word += taking->position + ((uint64_t)size << 16) + ((uint64_t)count << 32);
    memcpy(field, &word, sizeof(word));
    taking->position = at + size;
    if (!packed || (count & 1) == 0)
        return true;
    bool right = (op->flags & OP_FILLS_RIGHT) != 0;
    return right ? (taking->data[at + size - 1] & 15) == 0 : taking->data[at] >> 4 == 0;
}

/* What is rare: groups, composites, and fields that need the interpreter. */
static bool take_other(struct taking *taking, const struct iso_dialect *dialect,
                       const struct op *op, struct iso_field *field)
{
    const struct iso_node *node = dialect->fields[op - dialect->ops];
    struct problem problem;
    if (op->take == TAKE_CALL) {
        if (value_read(dialect, node, taking->data, taking->position, taking->size, field,
                       &problem) != ISO_OK)
            return false;
        taking->position = (uint32_t)field->offset + field->size;
    } else if (op->length == ISO_LEN_FIXED) {
        if (!take_guarded(taking, op, field))
            return false;
    } else if (!take_variable(taking, dialect, op, op->kind == OP_PACKED, field)) {
        return false;
    }
    if (op->group > 1 && field->count % op->group != 0)
        return false;
    return node->composite.kind == ISO_COMPOSITE_NONE || node->composite.lazy ||
           composite_check(dialect, taking->data, node, field, &problem) == ISO_OK;
}

INLINE bool run_is_right(const struct taking *taking, const struct iso_dialect *dialect)
{
    return !dialect->check_run(&dialect->ranges[taking->run_check], taking->data, taking->size,
                               taking->run_at, taking->position - taking->run_at);
}

/* The fields of one bitmap; `ops` and `fields` are those of its first bit. False: a doubt. */
APART bool take_fields(struct taking *carried, const struct iso_dialect *dialect,
                       const struct op *ops, uint64_t bits, struct iso_field *fields)
{
    struct taking taking = *carried;
    for (; bits != 0; bits &= bits - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(bits);
        const struct op *op = &ops[bit];
        struct iso_field *field = &fields[bit];
        bool taken = false;
        if (likely(op->follows == taking.run_check)) {
            if (!take_fixed(&taking, op, field))
                return false;
            continue;
        }
        if (op->joins != taking.run_check) {
            if (!run_is_right(&taking, dialect))
                return false;
            taking.run_at = taking.position + op->lead;
            taking.run_check = op->check;
        }
        switch ((enum op_take)op->take) {
        case TAKE_FIXED:
            taken = take_guarded(&taking, op, field);
            break;
        case TAKE_BYTES:
            taken = take_variable(&taking, dialect, op, false, field);
            break;
        case TAKE_DIGITS:
            taken = take_variable(&taking, dialect, op, true, field);
            break;
        case TAKE_OTHER:
        case TAKE_CALL:
            *carried = taking;
            taken = take_other(carried, dialect, op, field);
            taking.position = carried->position;
            break;
        }
        if (unlikely(!taken))
            return false;
    }
    *carried = taking;
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
    struct taking taking = {frame.data, frame.size, position, position, CHECK_NONE};
    for (uint32_t word = 0; word < blocks; word++)
        if (!take_fields(&taking, dialect, dialect->ops + word * 64 + 1, line_bits(present[word]),
                         out->fields + word * 64 + 1))
            return false;
    if (taking.position != frame.size || !run_is_right(&taking, dialect))
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
