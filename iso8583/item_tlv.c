/* item_tlv.c - one tag, length and value: ISO/IEC 8825-1, or tags and lengths of a stated form;
 * also within hexadecimal text. */
#include "iso8583/emv.h"
#include "iso8583/item.h"

/* `count` octets at `at`: bytes, or pairs of hexadecimal characters. */
static bool octets(const struct iso_cursor *cursor, uint32_t at, uint32_t count, uint8_t *out,
                   struct problem *problem)
{
    bool hex = encoding_is_hex(cursor->node->encoding);
    bool ebcdic = cursor->node->encoding == ISO_ENC_HEX_EBCDIC;
    uint32_t bytes = hex ? count * 2 : count;
    if (cursor->end - at < bytes) {
        (void)problem_set(problem, ISO_TAG, at, (uint32_t)(cursor->end - at), bytes);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!hex) {
            out[i] = cursor->frame[at + i];
            continue;
        }
        int high = hex_digit(cursor->frame[at + 2 * i], ebcdic);
        int low = hex_digit(cursor->frame[at + 2 * i + 1], ebcdic);
        if (high < 0 || low < 0) {
            (void)problem_set(problem, ISO_HEX, at + 2 * i, 0, 0);
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ISO/IEC 8825-1 8.1.2. Moves *at behind the tag. */
static bool tag_ber(const struct iso_cursor *cursor, uint32_t *at, uint64_t *tag, uint8_t *first,
                    struct problem *problem)
{
    uint32_t step = encoding_is_hex(cursor->node->encoding) ? 2 : 1;
    uint8_t byte;
    if (!octets(cursor, *at, 1, &byte, problem))
        return false;
    *first = byte;
    *tag = byte;
    uint32_t start = *at;
    *at += step;
    if ((byte & 0x1F) != 0x1F)
        return true;
    for (uint32_t i = 1; i < 4; i++) {
        if (!octets(cursor, *at, 1, &byte, problem))
            return false;
        *at += step;
        *tag = *tag << 8 | byte;
        if ((byte & 0x80) == 0)
            return true;
    }
    (void)problem_set(problem, ISO_TAG, start, 5, 4);
    return false;
}

static bool tag_plain(const struct iso_cursor *cursor, uint32_t *at, uint64_t *tag,
                      struct problem *problem)
{
    const struct iso_tag_form *form = &cursor->node->composite.tag;
    uint32_t bytes = form->encoding == ISO_ENC_PACKED ? (form->width + 1u) / 2u : form->width;
    uint32_t step = encoding_is_hex(cursor->node->encoding) ? bytes * 2 : bytes;
    uint8_t raw[ISO_TAG_BYTES_MAX];
    must(bytes <= sizeof(raw));
    if (!octets(cursor, *at, bytes, raw, problem))
        return false;
    *tag = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t byte = raw[i];
        if (encoding_is_single_byte(form->encoding)) {
            const struct iso_charset *charset = &cursor->dialect->charsets[form->encoding];
            if ((charset->classes[byte] >> form->character_class & 1) == 0) {
                (void)problem_set(problem, ISO_TAG, *at + i, byte, 0);
                return false;
            }
            byte = charset->to_latin1[byte];
        } else if (form->encoding == ISO_ENC_PACKED && (byte >> 4 > 9 || (byte & 15) > 9)) {
            (void)problem_set(problem, ISO_TAG, *at + i, byte, 0);
            return false;
        }
        *tag = *tag << 8 | byte;
    }
    *at += step;
    return true;
}

static const struct iso_node *child_by_tag(const struct iso_node *node, uint64_t tag)
{
    uint32_t low = node->composite.lead_count, high = node->children_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (node->children[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < node->children_count && node->children[low].tag == tag)
        return &node->children[low];
    return NULL;
}

static bool is_well_formed_ber(struct span data)
{
    uint32_t position = 0;
    struct iso_tlv tlv;
    while (position < data.size)
        if (iso_tlv_next(data, &position, &tlv) != ISO_OK)
            return position == data.size;
    return data.size > 0;
}

/* In hexadecimal text the length stands in characters too: read it apart. */
static enum iso_walk read_hex_value(struct iso_cursor *cursor, struct iso_item *item, uint32_t at,
                                    struct problem *problem)
{
    const struct iso_length *length = &item->node->length;
    uint8_t raw[5];
    uint32_t have = (cursor->end - at) / 2u,
             want = length->encoding == ISO_LEN_BER ? 1 : length->width;
    if (have < want || !octets(cursor, at, want, raw, problem)) {
        (void)problem_set(problem, ISO_SUBFIELD_CUT, at, have, want);
        return ISO_WALK_FAULT;
    }
    if (length->encoding == ISO_LEN_BER && raw[0] > 0x80 && raw[0] <= 0x84) {
        want = 1u + (raw[0] & 0x7Fu);
        if (have < want || !octets(cursor, at, want, raw, problem))
            return walk_fault(problem, ISO_SUBFIELD_CUT, at, have, want);
    }
    uint32_t count, prefix;
    enum iso_err err =
        length_read(length, raw, 0, want, &count, &prefix, &item->length_is_minimal, problem);
    if (err != ISO_OK) {
        problem->offset += at;
        return ISO_WALK_FAULT;
    }
    uint32_t position = at + prefix * 2;
    if (count > item->node->max)
        return walk_fault(problem, ISO_TOO_LONG, at, count, item->node->max);
    if (count < item->node->min)
        return walk_fault(problem, ISO_TOO_SHORT, at, count, item->node->min);
    if ((uint64_t)count * 2 > cursor->end - position)
        return walk_fault(problem, ISO_SUBFIELD_CUT, position, cursor->end - position, count * 2);
    err = value_check(cursor->dialect, item->node, cursor->frame, position, count * 2, count,
                      problem);
    if (err != ISO_OK)
        return ISO_WALK_FAULT;
    item->at = (struct iso_field){(uint16_t)position, (uint16_t)(count * 2), (uint16_t)count,
                                  (uint16_t)(prefix * 2)};
    item->is_composite = item->node->composite.kind != ISO_COMPOSITE_NONE;
    cursor->position = (uint16_t)(position + count * 2);
    return ISO_WALK_ITEM;
}

static uint32_t ber_length_size(uint32_t count)
{
    return count < 0x80 ? 1 : count < 0x100 ? 2 : count < 0x10000 ? 3 : 4;
}

static enum iso_walk read_tagged(struct iso_cursor *cursor, struct iso_item *item, uint32_t at,
                                 uint8_t first, struct problem *problem)
{
    const struct iso_composite *composite = &cursor->node->composite;
    const struct iso_node *child = child_by_tag(cursor->node, item->number);
    item->kind = child != NULL ? ISO_ITEM_CHILD : ISO_ITEM_UNKNOWN;
    item->node = child != NULL ? child : composite->unknown;
    if (child == NULL && composite->refuse_unknown)
        return walk_fault(problem, ISO_TAG_UNKNOWN, cursor->position, 0, 0);
    if (child != NULL && composite->refuse_repeated) {
        uint32_t index = (uint32_t)(child - cursor->node->children);
        uint64_t bit = index < 64 ? UINT64_C(1) << index : 0;
        if ((cursor->seen & bit) != 0)
            return walk_fault(problem, ISO_TAG_REPEATED, cursor->position, 0, 0);
        cursor->seen |= bit;
    }
    if (encoding_is_hex(cursor->node->encoding))
        return read_hex_value(cursor, item, at, problem);
    enum iso_walk walk = read_child(cursor, item, at, cursor->end, problem);
    if (walk == ISO_WALK_ITEM && composite->tag.is_ber) {
        item->length_is_minimal = item->at.prefix == ber_length_size(item->at.count);
        if (!item->is_composite && (first & 0x20) != 0)
            item->is_composite =
                is_well_formed_ber((struct span){cursor->frame + item->at.offset, item->at.size});
    }
    return walk;
}

enum iso_walk item_read_tlv(struct iso_cursor *cursor, struct iso_item *item,
                            struct problem *problem)
{
    const struct iso_composite *composite = &cursor->node->composite;
    if (cursor->position == cursor->end)
        return ISO_WALK_END;
    if (cursor->child < composite->lead_count) {
        item->node = &cursor->node->children[cursor->child];
        item->number = cursor->child + 1u;
        enum iso_walk walk = read_child(cursor, item, cursor->position, cursor->end, problem);
        cursor->child = (uint16_t)(cursor->child + (walk == ISO_WALK_ITEM));
        return walk;
    }
    uint32_t at = cursor->position;
    uint8_t first = 0;
    if (composite->tag_padding) {
        if (!octets(cursor, at, 1, &first, problem))
            return ISO_WALK_FAULT;
        if (first == 0x00 || first == 0xFF) {
            uint32_t step = encoding_is_hex(cursor->node->encoding) ? 2 : 1;
            item->kind = ISO_ITEM_PADDING;
            item->node = &node_padding;
            item->number = first;
            item->at = (struct iso_field){(uint16_t)(at + step), 0, 0, 0};
            cursor->position = (uint16_t)(at + step);
            return ISO_WALK_ITEM;
        }
    }
    bool read = composite->tag.is_ber ? tag_ber(cursor, &at, &item->number, &first, problem)
                                      : tag_plain(cursor, &at, &item->number, problem);
    return read ? read_tagged(cursor, item, at, first, problem) : ISO_WALK_FAULT;
}
