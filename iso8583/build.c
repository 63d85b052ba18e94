/* build.c - from values to bytes: the straight line, and the careful one that explains.
 *
 * DESIGN  As in parse.c: a field's op says how to write it; what is doubtful is gathered and looked
 * at once, at the end; then, if need be, everything is built again by value_build(), which names
 * the field and the fault. Data-plane threads; no state. */
#include "iso8583/builder.h"
#include "iso8583/put.h"

#include <stdio.h>

static bool build_straight(struct builder *builder, const struct iso_draft *draft,
                           const uint64_t present[3], uint32_t blocks);
static enum iso_err build_checked(struct builder *builder, const struct iso_draft *draft,
                                  const uint64_t present[3], uint32_t blocks);
static enum iso_err build_head(struct builder *builder, const struct iso_draft *draft,
                               uint64_t present[3], uint32_t *blocks, struct iso_layout *layout);
static uint32_t put_map(const struct iso_dialect *dialect, uint32_t block, uint64_t map,
                        uint8_t *out);

enum iso_err iso_build(const struct iso_dialect *dialect, const struct iso_draft *draft,
                       uint8_t *buffer, size_t buffer_size, struct iso_layout *layout,
                       struct iso_fault *fault)
{
    struct builder builder;
    uint64_t present[3];
    uint32_t blocks;
    struct iso_layout made;
    builder.dialect = dialect;
    builder.buffer = buffer;
    builder.at = 0;
    builder.end =
        buffer_size > ISO_MESSAGE_BYTES_MAX ? ISO_MESSAGE_BYTES_MAX : (uint32_t)buffer_size;
    builder.path[0] = '\0';
    enum iso_err err = build_head(&builder, draft, present, &blocks, &made);
    uint32_t fields_at = builder.at;
    made.mac_offset = made.mac_prefix = made.mac_size = 0;
    if (err == ISO_OK && !(dialect->straight && builder.end >= LINE_BYTES_MIN &&
                           build_straight(&builder, draft, present, blocks))) {
        builder.at = fields_at;
        builder.path[0] = '\0';
        err = build_checked(&builder, draft, present, blocks);
    }
    if (err != ISO_OK) {
        if (fault != NULL) {
            unsigned de = 0;
            (void)sscanf(builder.path, "%u", &de);
            fault_fill(fault, de, builder.path, &builder.problem);
        }
        return err;
    }
    made.size = builder.at;
    uint32_t mac_de = iso_draft_has(draft, 128) ? 128 : iso_draft_has(draft, 64) ? 64 : 0;
    if (mac_de != 0) {
        /* The last field: 128 is followed by nothing, 64 by nothing when there is no higher field.
         */
        const struct iso_node *node = dialect->fields[mac_de];
        uint32_t size = node->length.encoding != ISO_LEN_FIXED ? 0
                        : encoding_is_hex(node->encoding)
                            ? (node->length.unit == ISO_UNIT_OCTETS ? node->max * 2 : node->max)
                            : node->max;
        bool last =
            (mac_de == 128 && present[2] == 0) || (mac_de == 64 && (present[1] | present[2]) == 0);
        if (size != 0 && last && size <= made.size) {
            made.mac_offset = made.size - size;
            made.mac_size = size;
        }
    }
    *layout = made;
    return ISO_OK;
}

/* --- header, MTI, bitmaps --- */

static enum iso_err put_header(struct builder *builder, const struct iso_draft *draft)
{
    const struct iso_header_form *form = &builder->dialect->header;
    struct span header = draft->header;
    uint32_t size = header.size != 0 ? header.size : form->size;
    if (form->kind == ISO_HEADER_NONE)
        return header.size == 0 ? ISO_OK : builder_fail(builder, ISO_VALUE_LONG, size, 0);
    uint8_t *room = builder_room(builder, size);
    if (room == NULL)
        return builder_fail(builder, ISO_NO_ROOM, builder->end, size);
    if (header.size == 0) {
        memset(room, form->kind == ISO_HEADER_TEXT ? ' ' : 0, size);
        memcpy(room, form->initial, form->initial_size);
        return ISO_OK;
    }
    memcpy(room, header.data, size);
    uint32_t read;
    enum iso_err err = header_read(builder->dialect, header, &read, &builder->problem);
    if (err == ISO_OK && read != size)
        err = builder_fail(builder, ISO_HEADER, size, read);
    return err;
}

static enum iso_err put_mti(struct builder *builder, const char mti[4])
{
    const struct iso_mti_form *form = &builder->dialect->mti;
    bool packed = form->encoding == ISO_ENC_PACKED;
    uint8_t *room = builder_room(builder, packed ? 2 : 4);
    if (room == NULL)
        return builder_fail(builder, ISO_NO_ROOM, builder->end, 4);
    uint32_t word;
    memcpy(&word, mti, 4);
    word ^= 0x30303030u;
    if (form->encoding == ISO_ENC_ASCII && ((word | (word + 0x06060606u)) & 0xF0F0F0F0u) == 0) {
        memcpy(room, mti, 4);
        return ISO_OK;
    }
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t c = (uint8_t)mti[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && (packed || !form->any_characters || c < 0x20 || c >= 0x7F))
            return builder_fail(builder, ISO_MTI, c, 0);
        if (!packed)
            room[i] = builder->dialect->charsets[form->encoding].from_latin1[c];
        else if ((i & 1) == 0)
            room[i / 2] = (uint8_t)((c - '0') << 4);
        else
            room[i / 2] = (uint8_t)(room[i / 2] | (c - '0'));
    }
    return ISO_OK;
}

/* How many bitmaps, and their bits with the announcing ones. */
static enum iso_err build_head(struct builder *builder, const struct iso_draft *draft,
                               uint64_t present[3], uint32_t *blocks_out, struct iso_layout *layout)
{
    const struct iso_dialect *dialect = builder->dialect;
    const struct iso_bitmap_form *form = &dialect->bitmap;
    static const char *const parts[] = {"header", "mti", "bitmap"};
    memcpy(present, draft->present, 3 * sizeof(*present));
    memcpy(builder->path, parts[0], 7);
    enum iso_err err = put_header(builder, draft);
    if (err != ISO_OK)
        return err;
    layout->mti_offset = builder->at;
    memcpy(builder->path, parts[1], 4);
    err = put_mti(builder, draft->mti);
    if (err != ISO_OK)
        return err;
    memcpy(builder->path, parts[2], 7);
    uint32_t most = form->no_secondary ? 1 : form->tertiary == ISO_TERTIARY_NONE ? 2 : 3;
    uint32_t blocks = present[2] != 0 ? 3 : present[1] != 0 ? 2 : 1;
    if (draft->blocks_min > blocks)
        blocks = draft->blocks_min;
    if (blocks > most)
        blocks = most;
    uint64_t top = UINT64_C(1) << 63;
    uint64_t maps[3] = {present[0], present[1], present[2]};
    if (blocks > 2)
        maps[1] |= top;
    if (form->always_secondary)
        maps[0] |= (draft->keep_bit1 ? draft->bit1_set : form->announce_always) ? top : 0;
    else
        maps[0] |= blocks > 1 ? top : 0;
    uint32_t written = form->always_secondary && blocks < 2 ? 2 : blocks;
    if (written > 2 && form->tertiary == ISO_TERTIARY_FIELD)
        written = 2;
    if (builder->end - builder->at < written * 16)
        return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, written * 16);
    for (uint32_t i = 0; i < written; i++)
        builder->at += put_map(dialect, i, maps[i], builder->buffer + builder->at);
    *blocks_out = blocks;
    builder->path[0] = '\0';
    return ISO_OK;
}

static uint32_t put_map(const struct iso_dialect *dialect, uint32_t block, uint64_t map,
                        uint8_t *out)
{
    enum iso_encoding encoding = dialect->bitmap.encoding[block];
    if (encoding == ISO_ENC_BINARY) {
        store_be64(out, map);
        return 8;
    }
    typedef uint8_t bytes8 __attribute__((vector_size(8)));
    typedef uint16_t words8 __attribute__((vector_size(16)));
    uint64_t swapped = __builtin_bswap64(map);
    bytes8 octets;
    memcpy(&octets, &swapped, 8);
    words8 wide = __builtin_convertvector(octets, words8);
    bytes16 nibbles = (bytes16)(wide >> 4 | (wide & 15) << 8);
    bytes16 is_letter = (bytes16)(nibbles > 9);
    bytes16 text = encoding == ISO_ENC_HEX
                       ? nibbles + '0' + (is_letter & 7)
                       : nibbles + 0xF0 - (is_letter & 0x39); /* C1..C6 follow F9 by -57 */
    memcpy(out, &text, 16);
    return 16;
}

/* --- the straight line --- */

static bool put_signed(const struct iso_dialect *dialect, const struct op *op,
                       const struct iso_value *value, uint8_t *buffer, uint32_t buffer_size,
                       uint32_t *at, uint32_t *doubt)
{
    bytes16 bad = {0};
    const uint8_t *data = value->data;
    if (value->form != ISO_FORM_CANONICAL || value->size != op->max || op->size > buffer_size - *at)
        return false;
    *doubt |= data[0] != 'C' && data[0] != 'D';
    buffer[*at] = data[0];
    if ((op->flags & OP_SIGN_PACKED) != 0)
        *doubt |= pack_digits(buffer + *at + 1, data + 1, op->max - 1u, false, 9);
    else
        put_text(&dialect->ranges[op->check], buffer + *at + 1, data + 1, op->max - 1u, &bad);
    *doubt |= line_any(bad);
    *at += op->size;
    return true;
}

/* One field by its op; false: leave it to value_build(). Bytes go to out, which has room for them.
 */
INLINE bool put_field(const struct iso_dialect *dialect, const struct op *op,
                      const struct iso_value *value, uint8_t *buffer, uint32_t buffer_size,
                      uint32_t *at_inout, bytes16 *bad, uint32_t *doubt)
{
    uint32_t at = *at_inout, count = value->size, size = value->size;
    const uint8_t *data = value->data;
    if (op->kind == OP_SIGNED)
        return put_signed(dialect, op, value, buffer, buffer_size, at_inout, doubt);
    if (value->form == ISO_FORM_WIRE) {
        count = value->count;
        if (size != (op->kind == OP_PACKED ? (count + 1) / 2 : count))
            return false;
    } else if (op->kind == OP_PACKED) {
        size = (count + 1) / 2;
    }
    if (unlikely(size > buffer_size - at || buffer_size - at - size < op->prefix))
        return false;
    if (count < op->min || count > op->max)
        return false; /* padding is the careful one's work */
    if (unlikely(op->group > 1))
        *doubt |= count % op->group;
    if (op->length != ISO_LEN_FIXED)
        at += put_length(op, count, buffer + at);
    if (op->kind == OP_PACKED && value->form != ISO_FORM_WIRE) {
        *doubt |= pack_digits(buffer + at, data, count, (op->flags & OP_FILLS_RIGHT) != 0,
                              op->nibble_max);
    } else {
        if (unlikely(size > LINE_LONG)) {
            if (op->kind == OP_TEXT)
                *doubt |=
                    dialect->copy_long(&dialect->ranges_plain[op->check], buffer + at, data, size);
            else
                memcpy(buffer + at, data, size);
            *at_inout = at + size;
            return true;
        }
        if (op->kind == OP_TEXT)
            put_text(&dialect->ranges[op->check], buffer + at, data, size, bad);
        else if (size > 0)
            memcpy(buffer + at, data, size);
    }
    *at_inout = at + size;
    return true;
}

/* One field by its shape. False: leave it to value_build(). */
INLINE bool put_shape(const struct iso_dialect *dialect, const struct op *op,
                      const struct iso_value *value, uint8_t *buffer, uint32_t buffer_size,
                      uint32_t *at, bytes16 *bad, uint32_t *doubt)
{
    const struct range_vectors *range = &dialect->ranges[op->check];
    uint8_t *to = buffer + *at;
    uint32_t size = op->size;
    if (op->shape == SHAPE_CALL || value->form > ISO_FORM_WIRE)
        return false;
    if (op->shape == SHAPE_OTHER)
        return (value->form == ISO_FORM_WIRE || (op->flags & OP_CONVERTS) == 0) &&
               put_field(dialect, op, value, buffer, buffer_size, at, bad, doubt);
    if (op->shape == SHAPE_PACKED && value->form == ISO_FORM_WIRE)
        return put_field(dialect, op, value, buffer, buffer_size, at, bad, doubt);
    if (unlikely(value->size != op->max || size > buffer_size - *at))
        return false; /* padding is the careful one's work */
    switch ((enum op_shape)op->shape) {
    case SHAPE_TEXT_1:
        *bad |= line_wrong(range, put_text_1(to, value->data, size));
        break;
    case SHAPE_TEXT_4:
        *bad |= line_wrong(range, put_text_4(to, value->data, size));
        break;
    case SHAPE_TEXT_8:
        *bad |= line_wrong(range, put_text_8(to, value->data, size));
        break;
    case SHAPE_PACKED:
        *doubt |= pack_digits(to, value->data, op->max, (op->flags & OP_FILLS_RIGHT) != 0, 9);
        break;
    case SHAPE_OTHER:
    case SHAPE_CALL:
        break;
    }
    *at += size;
    return true;
}

static bool build_straight(struct builder *builder, const struct iso_draft *draft,
                           const uint64_t present[3], uint32_t blocks)
{
    const struct iso_dialect *dialect = builder->dialect;
    bytes16 bad = {0};
    uint32_t doubt = 0, at = builder->at, end = builder->end;
    uint64_t unknown = 0;
    for (uint32_t word = 0; word < 3; word++)
        unknown |= present[word] & ~dialect->known[word];
    if (unknown != 0 || (blocks < 3 && present[2] != 0))
        return false;
    for (uint32_t word = 0; word < blocks; word++) {
        uint64_t bits = present[word];
        while (bits != 0) {
            uint32_t bit = (uint32_t)__builtin_clzll(bits);
            bits &= ~(UINT64_C(1) << 63 >> bit);
            uint32_t de = word * 64 + bit + 1;
            const struct op *op = &dialect->ops[de];
            const struct iso_value *value = &draft->values[de];
            if (put_shape(dialect, op, value, builder->buffer, end, &at, &bad, &doubt))
                continue;
            builder->at = at;
            if (value_build(builder, dialect->fields[de], NULL, value, 0) != ISO_OK)
                return false;
            at = builder->at;
        }
    }
    builder->at = at;
    return doubt == 0 && !line_any(bad);
}

/* --- the careful line --- */

static enum iso_err build_checked(struct builder *builder, const struct iso_draft *draft,
                                  const uint64_t present[3], uint32_t blocks)
{
    const struct iso_dialect *dialect = builder->dialect;
    bool map_in_field = blocks > 2 && dialect->bitmap.tertiary == ISO_TERTIARY_FIELD;
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        if (de == 65 && map_in_field) {
            if (builder->end - builder->at < 16)
                return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, 16);
            builder->at += put_map(dialect, 2, present[2], builder->buffer + builder->at);
            continue;
        }
        uint32_t bit = de - 1;
        if ((present[bit >> 6] >> (63 - (bit & 63)) & 1) == 0)
            continue;
        char key[8];
        int size = snprintf(key, sizeof(key), "%u", de);
        uint32_t mark = builder_path_push(builder, key, (size_t)size);
        if (dialect->fields[de] == NULL)
            return builder_fail(builder, ISO_FIELD_UNBUILDABLE, de, 0);
        enum iso_err err = value_build(builder, dialect->fields[de], NULL, &draft->values[de], 0);
        if (err != ISO_OK)
            return err;
        builder->path[mark] = '\0';
    }
    return ISO_OK;
}

enum iso_err iso_build_value(const struct iso_dialect *dialect, const struct iso_node *node,
                             const struct iso_value *value, uint8_t *buffer, size_t buffer_size,
                             size_t *size, struct iso_fault *fault)
{
    struct builder builder = {.dialect = dialect, .buffer = buffer};
    builder.end =
        buffer_size > ISO_MESSAGE_BYTES_MAX ? ISO_MESSAGE_BYTES_MAX : (uint32_t)buffer_size;
    (void)builder_path_push(&builder, node->key, strlen(node->key));
    enum iso_err err = value_build(&builder, node, NULL, value, 0);
    if (err == ISO_OK)
        *size = builder.at;
    else if (fault != NULL)
        fault_fill(fault, 0, builder.path, &builder.problem);
    return err;
}
