/* build_parts.c - composites from their parts. */
#include "iso8583/builder.h"
#include "iso8583/emv.h"

static enum iso_err build_positional(struct builder *builder, const struct iso_node *node,
                                     uint32_t children, const struct iso_part *parts,
                                     uint32_t count, uint32_t *used, uint32_t depth);
static enum iso_err build_tlv(struct builder *builder, const struct iso_node *node,
                              const struct iso_part *parts, uint32_t count, uint32_t depth);
static enum iso_err build_bitmap(struct builder *builder, const struct iso_node *node,
                                 const struct iso_part *parts, uint32_t count, uint32_t depth);
static enum iso_err build_separated(struct builder *builder, const struct iso_node *node,
                                    const struct iso_part *parts, uint32_t count, uint32_t depth);

enum iso_err parts_build(struct builder *builder, const struct iso_node *node,
                         const struct iso_part *parts, uint32_t count, uint32_t depth)
{
    enum iso_err err;
    uint32_t used = 0;
    switch (node->composite.kind) {
    case ISO_COMPOSITE_POSITIONAL:
        if (encoding_is_packed(node->encoding))
            return digits_build(builder, node, parts, count, depth);
        err = build_positional(builder, node, node->children_count, parts, count, &used, depth);
        if (err == ISO_OK && used < node->composite.mandatory_count && count > 0) {
            const char *key = node->children[used].key;
            (void)builder_path_push(builder, key, strlen(key));
            err =
                builder_fail(builder, ISO_SUBFIELD_MISSING, used, node->composite.mandatory_count);
        }
        return err;
    case ISO_COMPOSITE_TLV:
        return build_tlv(builder, node, parts, count, depth);
    case ISO_COMPOSITE_BITMAP:
        return build_bitmap(builder, node, parts, count, depth);
    case ISO_COMPOSITE_SEPARATED:
        return build_separated(builder, node, parts, count, depth);
    case ISO_COMPOSITE_NONE:
        break;
    }
    must(false);
    return ISO_OK;
}

static const struct iso_part *find_part(const struct iso_part *parts, uint32_t count,
                                        const char *key)
{
    size_t size = strlen(key);
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].key_size == size && memcmp(parts[i].key, key, size) == 0)
            return &parts[i];
    return NULL;
}

static bool has_child(const struct iso_node *node, uint32_t children, const struct iso_part *part)
{
    for (uint32_t i = 0; i < children; i++)
        if (strlen(node->children[i].key) == part->key_size &&
            memcmp(node->children[i].key, part->key, part->key_size) == 0)
            return true;
    return false;
}

static enum iso_err build_child(struct builder *builder, const struct iso_node *child,
                                const struct iso_node *within, const struct iso_part *part,
                                uint32_t depth)
{
    uint32_t mark = builder_path_push(builder, part->key, part->key_size);
    enum iso_err err = value_build(builder, child, within, &part->value, depth);
    if (err == ISO_OK)
        builder->path[mark] = '\0';
    return err;
}

static enum iso_err fail_part(struct builder *builder, const struct iso_part *part,
                              enum iso_err code)
{
    (void)builder_path_push(builder, part->key, part->key_size);
    return builder_fail(builder, code, 0, 0);
}

/* The first `children` parts by place; the last ones may be absent, none between. Every part must
 * be one of them when the composite is nothing but positional. */
static enum iso_err build_positional(struct builder *builder, const struct iso_node *node,
                                     uint32_t children, const struct iso_part *parts,
                                     uint32_t count, uint32_t *used, uint32_t depth)
{
    uint32_t placed = 0;
    for (uint32_t i = 0; i < children; i++) {
        const struct iso_part *part = find_part(parts, count, node->children[i].key);
        if (part == NULL)
            continue;
        if (placed != i)
            return fail_part(builder, part, ISO_SUBFIELD_MISSING);
        enum iso_err err = build_child(builder, &node->children[i], node, part, depth);
        if (err != ISO_OK)
            return err;
        placed++;
    }
    if (node->composite.kind == ISO_COMPOSITE_POSITIONAL)
        for (uint32_t i = 0; i < count; i++)
            if (!has_child(node, children, &parts[i]))
                return fail_part(builder, &parts[i], ISO_SUBFIELD_UNKNOWN);
    *used = placed;
    return ISO_OK;
}

/* --- TLV --- */

/* The bytes of a tag from its key; 0 when the key is none. */
static size_t tag_bytes(const struct iso_dialect *dialect, const struct iso_node *node,
                        const struct iso_part *part, uint8_t out[ISO_TAG_BYTES_MAX], uint64_t *tag)
{
    const struct iso_tag_form *form = &node->composite.tag;
    size_t size = 0;
    *tag = 0;
    if (encoding_is_single_byte(form->encoding)) {
        if (part->key_size != form->width)
            return 0;
        for (size = 0; size < form->width; size++) {
            uint8_t c = (uint8_t)part->key[size];
            uint8_t byte = dialect->charsets[form->encoding].from_latin1[c];
            if (c >= 0x80 ||
                (dialect->charsets[form->encoding].classes[byte] >> form->character_class & 1) == 0)
                return 0;
            out[size] = byte;
            *tag = *tag << 8 | c;
        }
        return size;
    }
    char key[2 * ISO_TAG_BYTES_MAX + 1];
    bool odd = form->encoding == ISO_ENC_PACKED && (part->key_size & 1) != 0;
    if (part->key_size + odd > sizeof(key) - 1 || part->key_size == 0)
        return 0;
    key[0] = '0';
    memcpy(key + odd, part->key, part->key_size);
    if (form->encoding == ISO_ENC_PACKED &&
        (part->key_size != form->width || !bytes_are_digits((const uint8_t *)key, part->key_size)))
        return 0;
    if (!bytes_from_hex(key, part->key_size + odd, out, ISO_TAG_BYTES_MAX, &size))
        return 0;
    if (form->is_ber ? !iso_tlv_is_tag(out, size)
                     : form->encoding == ISO_ENC_BINARY && size != form->width)
        return 0;
    for (size_t i = 0; i < size; i++)
        *tag = *tag << 8 | out[i];
    return size;
}

static enum iso_err put_octets(struct builder *builder, const struct iso_node *node,
                               const uint8_t *bytes, size_t size)
{
    char text[2 * ISO_TAG_BYTES_MAX + 1];
    bool hex = encoding_is_hex(node->encoding);
    uint32_t wire = (uint32_t)(hex ? size * 2 : size);
    uint8_t *room = builder_room(builder, wire);
    if (room == NULL)
        return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, wire);
    if (hex)
        bytes_to_hex(bytes, size, text);
    memcpy(room, hex ? (const uint8_t *)text : bytes, wire);
    for (uint32_t i = 0; node->encoding == ISO_ENC_HEX_EBCDIC && i < wire; i++)
        room[i] = builder->dialect->charsets[ISO_ENC_EBCDIC500].from_latin1[room[i]];
    return ISO_OK;
}

static enum iso_err build_tagged(struct builder *builder, const struct iso_node *node,
                                 const struct iso_part *part, uint32_t depth)
{
    uint8_t bytes[ISO_TAG_BYTES_MAX];
    uint64_t tag;
    bool zero = part->key_size == 2 && memcmp(part->key, "00", 2) == 0;
    bool ones = part->key_size == 2 && memcmp(part->key, "FF", 2) == 0;
    if (node->composite.tag_padding && (zero || ones)) {
        if (part->value.size != 0)
            return fail_part(builder, part, ISO_VALUE_FORM);
        bytes[0] = zero ? 0x00 : 0xFF;
        return put_octets(builder, node, bytes, 1);
    }
    size_t size = tag_bytes(builder->dialect, node, part, bytes, &tag);
    if (size == 0)
        return fail_part(builder, part, ISO_TAG);
    const struct iso_node *child = iso_node_child(node, tag);
    if (child == NULL && node->composite.refuse_unknown)
        return fail_part(builder, part, ISO_TAG_UNKNOWN);
    if (child == NULL)
        child = node->composite.unknown;
    enum iso_err err = put_octets(builder, node, bytes, size);
    return err != ISO_OK ? err : build_child(builder, child, node, part, depth);
}

static enum iso_err build_tlv(struct builder *builder, const struct iso_node *node,
                              const struct iso_part *parts, uint32_t count, uint32_t depth)
{
    uint32_t lead = node->composite.lead_count, used = 0;
    enum iso_err err = build_positional(builder, node, lead, parts, count, &used, depth);
    if (err == ISO_OK && used < lead && count > 0)
        err = builder_fail(builder, ISO_SUBFIELD_MISSING, used, lead);
    for (uint32_t i = 0; err == ISO_OK && i < count; i++) {
        if (lead > 0 && has_child(node, lead, &parts[i]))
            continue;
        for (uint32_t j = 0; node->composite.refuse_repeated && j < i; j++)
            if (parts[j].key_size == parts[i].key_size &&
                memcmp(parts[j].key, parts[i].key, parts[i].key_size) == 0)
                return fail_part(builder, &parts[i], ISO_TAG_REPEATED);
        err = build_tagged(builder, node, &parts[i], depth);
    }
    return err;
}

/* --- sub-bitmap --- */

static enum iso_err put_maps(struct builder *builder, const struct iso_node *node, uint8_t map[32],
                             uint32_t highest)
{
    const struct iso_composite *composite = &node->composite;
    uint32_t bytes = composite->bitmap_bytes, bits = bytes * 8;
    uint32_t maps = composite->bitmap_chained && highest > 0 ? (highest + bits - 1) / bits : 1;
    bool hex = encoding_is_hex(composite->bitmap_encoding);
    for (uint32_t i = 0; i + 1 < maps; i++)
        map[i * bytes] |= 0x80;
    for (uint32_t i = 0; i < maps * bytes; i++) {
        uint8_t *room = builder_room(builder, hex ? 2 : 1);
        if (room == NULL)
            return builder_fail(builder, ISO_NO_ROOM, builder->end - builder->at, 1);
        room[0] = map[i];
        for (uint32_t j = 0; hex && j < 2; j++) {
            uint8_t c = (uint8_t) "0123456789ABCDEF"[j == 0 ? map[i] >> 4 : map[i] & 15];
            room[j] = composite->bitmap_encoding == ISO_ENC_HEX
                          ? c
                          : builder->dialect->charsets[ISO_ENC_EBCDIC500].from_latin1[c];
        }
    }
    return ISO_OK;
}

static enum iso_err build_bitmap(struct builder *builder, const struct iso_node *node,
                                 const struct iso_part *parts, uint32_t count, uint32_t depth)
{
    const struct iso_composite *composite = &node->composite;
    uint8_t map[32] = {0};
    uint32_t bits = composite->bitmap_bytes * 8u, highest = 0;
    const struct iso_part *rest = composite->rest != NULL ? find_part(parts, count, "rest") : NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct iso_node *child = iso_node_child_key(node, parts[i].key, parts[i].key_size);
        uint64_t number = child != NULL ? child->tag : 0;
        if (&parts[i] == rest)
            continue;
        bool announces = composite->bitmap_chained && number % bits == 1;
        if (child == NULL || (!composite->bitmap_chained && number > bits) || announces)
            return fail_part(builder, &parts[i], ISO_SUBFIELD_UNKNOWN);
        uint32_t bit = (uint32_t)number - 1;
        if ((map[bit / 8] & 0x80 >> (bit & 7)) != 0)
            return fail_part(builder, &parts[i], ISO_TAG_REPEATED);
        map[bit / 8] = (uint8_t)(map[bit / 8] | 0x80 >> (bit & 7));
        highest = bit + 1 > highest ? bit + 1 : highest;
    }
    enum iso_err err = put_maps(builder, node, map, highest);
    for (uint32_t i = 0; err == ISO_OK && i < node->children_count; i++) {
        const struct iso_part *part = find_part(parts, count, node->children[i].key);
        if (part != NULL)
            err = build_child(builder, &node->children[i], node, part, depth);
    }
    if (err == ISO_OK && rest != NULL)
        err = build_child(builder, composite->rest, node, rest, depth);
    return err;
}

/* --- separated --- */

static enum iso_err build_separated(struct builder *builder, const struct iso_node *node,
                                    const struct iso_part *parts, uint32_t count, uint32_t depth)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct iso_node *child = iso_node_child_key(node, parts[i].key, parts[i].key_size);
        if (child == NULL)
            return fail_part(builder, &parts[i], ISO_SUBFIELD_UNKNOWN);
        uint32_t place = (uint32_t)(child - node->children) + 1;
        last = place > last ? place : last;
    }
    for (uint32_t i = 0; i < last; i++) {
        const struct iso_part *part = find_part(parts, count, node->children[i].key);
        uint8_t *room = i > 0 ? builder_room(builder, 1) : builder->buffer;
        if (room == NULL)
            return builder_fail(builder, ISO_NO_ROOM, 0, 1);
        if (i > 0)
            *room = node->composite.separator;
        if (part == NULL) {
            if (node->children[i].min > 0) {
                const char *key = node->children[i].key;
                (void)builder_path_push(builder, key, strlen(key));
                return builder_fail(builder, ISO_SUBFIELD_MISSING, i, last);
            }
            continue;
        }
        uint32_t start = builder->at;
        enum iso_err err = build_child(builder, &node->children[i], node, part, depth);
        if (err != ISO_OK)
            return err;
        if (memchr(builder->buffer + start, node->composite.separator, builder->at - start) != NULL)
            return fail_part(builder, part, ISO_VALUE);
    }
    if (count > 0 && last < node->composite.mandatory_count) {
        const char *key = node->children[last].key;
        (void)builder_path_push(builder, key, strlen(key));
        return builder_fail(builder, ISO_SUBFIELD_MISSING, last, node->composite.mandatory_count);
    }
    return ISO_OK;
}
