/* build.c - from values to bytes: the straight line, and the careful one that explains.
 *
 * DESIGN  As in parse.c: a field's op says how to write it. A value that the straight line cannot
 * write, or does not like, goes to value_build() by itself; characters that are wrong are gathered
 * and looked at once, at the end. When there is a fault everything is built again by value_build(),
 * which names the field and the fault. Data-plane threads; no state. */
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

/* The functions below put a field to `to` and return its end there. NULL: leave it to
 * value_build(), as is padding and whatever is wrong; but characters that are wrong are gathered in
 * *bad. */

/* A fixed value by its own moves. */
INLINE uint8_t *put_fixed(const struct iso_dialect *dialect, const struct op *op,
                          const struct iso_value *value, uint8_t *to, const uint8_t *end,
                          bytes16 *bad)
{
    const struct range *range = &dialect->ranges[op->check];
    const uint8_t *data = value->data;
    uint32_t size = op->index.size;
    bool right = true;
    if (unlikely(value->size != op->index.count || size > (size_t)(end - to)))
        return NULL;
    switch ((enum op_put)op->put) {
    case PUT_TEXT_1:
        *bad |= line_wrong(range, put_text_1(to, data, size));
        break;
    case PUT_TEXT_4:
        *bad |= line_wrong(range, put_text_4(to, data, size));
        break;
    case PUT_TEXT_8:
        *bad |= line_wrong(range, put_text_8(to, data, size));
        break;
    case PUT_PACKED_2:
        right = put_packed_2(op, to, data);
        break;
    case PUT_PACKED_3:
        right = put_packed_3(op, to, data);
        break;
    case PUT_PACKED_4:
        put_packed_4(op, to, data, bad);
        break;
    case PUT_PACKED_8:
        put_packed_8(op, to, data, bad);
        break;
    case PUT_SIGNED_8:
        right = put_signed_8(to, data, bad);
        break;
    case PUT_BYTES:
    case PUT_DIGITS:
    case PUT_OTHER:
    case PUT_CALL:
        return NULL;
    }
    return likely(right) ? to + size : NULL;
}

/* Bytes as they stand on the wire. */
INLINE uint8_t *put_bytes(const struct iso_dialect *dialect, const struct op *op,
                          const uint8_t *data, uint32_t size, uint8_t *to, bytes16 *bad)
{
    const struct range *range = &dialect->ranges[op->check];
    if (size < LINE_LONG)
        put_text(range, to, data, size, bad);
    else if (op->check == CHECK_NONE)
        memcpy(to, data, size);
    else if (dialect->copy_long(range, to, data, size))
        return NULL;
    return to + size;
}

INLINE uint8_t *put_variable(const struct iso_dialect *dialect, const struct op *op,
                             const struct iso_value *value, bool packed, uint8_t *to,
                             const uint8_t *end, bytes16 *bad)
{
    uint32_t count = value->size, size = packed ? count / 2 + (count & 1) : count;
    if (unlikely(count - op->min > op->span || op->prefix + size > (size_t)(end - to)))
        return NULL;
    to = put_length(op, count, to);
    if (!packed)
        return put_bytes(dialect, op, value->data, size, to, bad);
    return put_digits(op, to, value->data, count) ? to + size : NULL;
}

/* A value in the form of the wire is taken as it is. */
static uint8_t *put_wire(const struct op *op, const struct iso_value *value, uint8_t *to,
                         const uint8_t *end)
{
    uint32_t count = value->count, size = value->size;
    if (op->kind == OP_CALL || op->kind == OP_SIGNED || (op->group > 1 && count % op->group != 0) ||
        size != (op->kind == OP_PACKED ? (count + 1) / 2 : count) || count - op->min > op->span ||
        op->prefix + size > (size_t)(end - to))
        return NULL;
    if (op->length != ISO_LEN_FIXED)
        to = put_length(op, count, to);
    if (size > 0)
        memcpy(to, value->data, size);
    return to + size;
}

/* What is rare: groups, other sizes. */
static uint8_t *put_other(const struct iso_dialect *dialect, const struct op *op,
                          const struct iso_value *value, uint8_t *to, const uint8_t *end,
                          bytes16 *bad)
{
    const uint8_t *data = value->data;
    uint32_t size = op->index.size, sign = op->kind == OP_SIGNED ? 1 : 0;
    if (op->put == PUT_CALL || (op->group > 1 && value->size % op->group != 0))
        return NULL;
    if (op->length != ISO_LEN_FIXED)
        return put_variable(dialect, op, value, op->kind == OP_PACKED, to, end, bad);
    if (value->size != op->index.count || size > (size_t)(end - to))
        return NULL;
    if (op->kind == OP_TEXT)
        return put_bytes(dialect, op, data, size, to, bad);
    if (sign != 0) {
        if (data[0] != 'C' && data[0] != 'D')
            return NULL;
        to[0] = data[0];
        if ((op->flags & OP_SIGN_PACKED) == 0)
            return put_bytes(dialect, op, data + 1, size - 1, to + 1, bad);
    }
    return put_digits(op, to + sign, data + sign, op->index.count - sign) ? to + size : NULL;
}

/* The fields of one bitmap. False: a value that cannot be built. */
APART bool put_fields(struct builder *builder, const struct iso_draft *draft, uint32_t word,
                      uint64_t bits, bytes16 *bad_out)
{
    const struct iso_dialect *dialect = builder->dialect;
    const struct op *ops = dialect->ops + word * 64 + 1;
    const struct iso_value *values = draft->values + word * 64 + 1;
    uint8_t *to = builder->buffer + builder->at, *end = builder->buffer + builder->end;
    bytes16 bad = {0}, rarely_bad = {0}; /* the first is never in memory */
    for (; bits != 0; bits &= bits - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(bits);
        const struct op *op = &ops[bit];
        const struct iso_value *value = &values[bit];
        uint8_t *next = NULL;
        if (unlikely(value->form != ISO_FORM_CANONICAL))
            next = value->form == ISO_FORM_WIRE ? put_wire(op, value, to, end) : NULL;
        else if (op->put < PUT_BYTES)
            next = put_fixed(dialect, op, value, to, end, &bad);
        else if (op->put == PUT_BYTES)
            next = put_variable(dialect, op, value, false, to, end, &bad);
        else if (op->put == PUT_DIGITS)
            next = put_variable(dialect, op, value, true, to, end, &bad);
        else
            next = put_other(dialect, op, value, to, end, &rarely_bad);
        if (unlikely(next == NULL)) {
            const struct iso_node *node = dialect->fields[word * 64 + bit + 1];
            builder->at = (uint32_t)(to - builder->buffer);
            if (value_build(builder, node, NULL, value, 0) != ISO_OK)
                return false;
            next = builder->buffer + builder->at;
        }
        to = next;
    }
    builder->at = (uint32_t)(to - builder->buffer);
    *bad_out |= bad | rarely_bad;
    return true;
}

static bool build_straight(struct builder *builder, const struct iso_draft *draft,
                           const uint64_t present[3], uint32_t blocks)
{
    const struct iso_dialect *dialect = builder->dialect;
    bytes16 bad = {0};
    uint64_t unknown = 0;
    for (uint32_t word = 0; word < 3; word++)
        unknown |= present[word] & ~dialect->known[word];
    if (unknown != 0 || (blocks < 3 && present[2] != 0))
        return false;
    for (uint32_t word = 0; word < blocks; word++)
        if (!put_fields(builder, draft, word, line_bits(present[word]), &bad))
            return false;
    return !line_any(bad);
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
