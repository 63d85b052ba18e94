/* item.c - one item of a composite: positional, sub-bitmap, separated; TLV is in item_tlv.c.
 *
 * Formats nothing and follows no nesting: cursor.c does. */
#include "iso8583/item.h"

static enum iso_walk read_positional(struct iso_cursor *cursor, struct iso_item *item,
                                     struct problem *problem);
static enum iso_walk read_digits(struct iso_cursor *cursor, struct iso_item *item,
                                 struct problem *problem);
static enum iso_walk read_bitmap(struct iso_cursor *cursor, struct iso_item *item,
                                 struct problem *problem);
static enum iso_walk read_separated(struct iso_cursor *cursor, struct iso_item *item,
                                    struct problem *problem);

const struct iso_node node_padding = {.key = "",
                                      .name = "padding",
                                      .note = "",
                                      .character_class = ISO_CLASS_B,
                                      .encoding = ISO_ENC_BINARY};

void cursor_start(struct iso_cursor *cursor, const struct iso_dialect *dialect,
                  const uint8_t *frame, const struct iso_node *node, const struct iso_field *at,
                  uint32_t de)
{
    cursor->dialect = dialect;
    cursor->frame = frame;
    cursor->node = node;
    cursor->path[0] = '\0';
    cursor->start = cursor->position = at->offset;
    cursor->end = (uint16_t)(at->offset + at->size);
    cursor->child = 0;
    cursor->de = (uint16_t)de;
    cursor->depth = 0;
    cursor->map_words = 0;
    cursor->nibbles = 0;
    cursor->seen = 0;
    if (encoding_is_packed(node->encoding)) {
        struct span wire = {frame + at->offset, at->size};
        uint32_t end = packed_shape(node, wire, at->count).end;
        cursor->nibbles = (uint16_t)(end < UINT16_MAX ? end : UINT16_MAX);
    }
}

enum iso_walk item_read(struct iso_cursor *cursor, struct iso_item *item, struct problem *problem)
{
    item->node = NULL;
    item->number = 0;
    item->kind = ISO_ITEM_CHILD;
    item->is_composite = false;
    item->length_is_minimal = true;
    item->start = cursor->position;
    switch (cursor->node->composite.kind) {
    case ISO_COMPOSITE_POSITIONAL:
        return encoding_is_packed(cursor->node->encoding) ? read_digits(cursor, item, problem)
                                                          : read_positional(cursor, item, problem);
    case ISO_COMPOSITE_TLV:
        return item_read_tlv(cursor, item, problem);
    case ISO_COMPOSITE_BITMAP:
        return read_bitmap(cursor, item, problem);
    case ISO_COMPOSITE_SEPARATED:
        return read_separated(cursor, item, problem);
    case ISO_COMPOSITE_NONE:
        break;
    }
    must(false);
    return ISO_WALK_END;
}

static enum iso_walk read_positional(struct iso_cursor *cursor, struct iso_item *item,
                                     struct problem *problem)
{
    const struct iso_node *node = cursor->node;
    if (cursor->position == cursor->end) {
        bool empty = cursor->start == cursor->end;
        if (empty || cursor->child >= node->composite.mandatory_count)
            return ISO_WALK_END;
        item->node = &node->children[cursor->child];
        return walk_fault(problem, ISO_SUBFIELD_MISSING, cursor->position, cursor->child,
                          node->composite.mandatory_count);
    }
    if (cursor->child == node->children_count)
        return walk_fault(problem, ISO_SUBFIELD_LEFT_OVER, cursor->position,
                          (uint32_t)(cursor->end - cursor->position), 0);
    item->node = &node->children[cursor->child];
    item->number = cursor->child + 1u;
    cursor->child++;
    enum iso_walk walk = read_child(cursor, item, cursor->position, cursor->end, problem);
    if (walk == ISO_WALK_FAULT)
        cursor->child--;
    return walk;
}

/* Digits that share their bytes: the loader has laid out where each part begins. */
static enum iso_walk read_digits(struct iso_cursor *cursor, struct iso_item *item,
                                 struct problem *problem)
{
    const struct iso_node *node = cursor->node, *child = &node->children[cursor->child];
    bool is_behind = cursor->child == node->children_count;
    uint32_t from = is_behind ? child[-1].nibble + child[-1].max : child->nibble;
    uint32_t at = cursor->start + from / 2;
    if (from >= cursor->nibbles) {
        bool empty = cursor->start == cursor->end;
        if (empty || cursor->child >= node->composite.mandatory_count)
            return ISO_WALK_END;
        item->node = child;
        return walk_fault(problem, ISO_SUBFIELD_MISSING, at, cursor->child,
                          node->composite.mandatory_count);
    }
    uint32_t left = cursor->nibbles - from;
    if (is_behind)
        return walk_fault(problem, ISO_SUBFIELD_LEFT_OVER, at, left, 0);
    item->node = child;
    item->number = cursor->child + 1u;
    item->start = (uint16_t)at;
    if (left < child->max)
        return walk_fault(problem, ISO_SUBFIELD_CUT, at, left, child->max);
    uint32_t size = (from % 2 + child->max + 1) / 2;
    if (value_check(cursor->dialect, child, cursor->frame, at, size, child->max, problem) != ISO_OK)
        return ISO_WALK_FAULT;
    item->at = (struct iso_field){(uint16_t)at, (uint16_t)size, (uint16_t)child->max, 0};
    item->is_composite = child->composite.kind != ISO_COMPOSITE_NONE;
    cursor->position = (uint16_t)(cursor->start + (from + child->max) / 2);
    cursor->child++;
    return ISO_WALK_ITEM;
}

/* --- sub-bitmap --- */

static enum iso_walk read_map(struct iso_cursor *cursor, struct problem *problem)
{
    const struct iso_composite *composite = &cursor->node->composite;
    bool hex = encoding_is_hex(composite->bitmap_encoding);
    uint32_t bytes = composite->bitmap_bytes, wire = hex ? bytes * 2 : bytes;
    memset(cursor->map, 0, sizeof(cursor->map));
    uint32_t first = 0; /* byte of the map that comes next */
    bool more = true;
    while (more) {
        uint32_t at = cursor->position;
        if (cursor->end - at < wire || first + bytes > sizeof(cursor->map))
            return walk_fault(problem, ISO_SUBFIELD_CUT, at, (uint32_t)(cursor->end - at), wire);
        for (uint32_t i = 0; i < bytes; i++) {
            uint64_t byte = cursor->frame[at + i];
            if (hex) {
                bool ebcdic = composite->bitmap_encoding == ISO_ENC_HEX_EBCDIC;
                int high = hex_digit(cursor->frame[at + 2 * i], ebcdic);
                int low = hex_digit(cursor->frame[at + 2 * i + 1], ebcdic);
                if (high < 0 || low < 0)
                    return walk_fault(problem, ISO_HEX, at + 2 * i, 0, 0);
                byte = (uint64_t)(high << 4 | low);
            }
            cursor->map[(first + i) >> 3] |= byte << (56 - 8 * ((first + i) & 7));
        }
        uint32_t flag = first * 8; /* bit index of the map's first bit */
        uint64_t bit = UINT64_C(1) << (63 - (flag & 63));
        more = composite->bitmap_chained && (cursor->map[flag >> 6] & bit) != 0;
        if (composite->bitmap_chained)
            cursor->map[flag >> 6] &= ~bit;
        cursor->position = (uint16_t)(at + wire);
        first += bytes;
    }
    cursor->map_words = (uint8_t)((first + 7) / 8);
    return ISO_WALK_ITEM;
}

static enum iso_walk read_bitmap(struct iso_cursor *cursor, struct iso_item *item,
                                 struct problem *problem)
{
    if (cursor->map_words == 0) {
        if (cursor->position == cursor->end)
            return ISO_WALK_END;
        if (read_map(cursor, problem) == ISO_WALK_FAULT)
            return ISO_WALK_FAULT;
        item->start = cursor->position;
    }
    uint32_t number = 0;
    for (uint32_t word = cursor->child >> 6; word < cursor->map_words && number == 0; word++) {
        uint64_t bits = cursor->map[word];
        if (word == (uint32_t)cursor->child >> 6 && (cursor->child & 63) != 0)
            bits &= ~UINT64_C(0) >> (cursor->child & 63);
        if (bits != 0)
            number = word * 64 + (uint32_t)__builtin_clzll(bits) + 1;
    }
    if (number == 0) {
        item->node = cursor->node->composite.rest;
        if (cursor->position != cursor->end && item->node != NULL)
            return read_child(cursor, item, cursor->position, cursor->end, problem);
        item->node = NULL;
        if (cursor->position != cursor->end)
            return walk_fault(problem, ISO_SUBFIELD_LEFT_OVER, cursor->position,
                              (uint32_t)(cursor->end - cursor->position), 0);
        return ISO_WALK_END;
    }
    item->number = number;
    const struct iso_node *child = iso_node_child(cursor->node, number);
    if (child == NULL) {
        item->node = cursor->node; /* for the number in the path */
        return walk_fault(problem, ISO_SUBFIELD_UNKNOWN, cursor->position, number, 0);
    }
    item->node = child;
    enum iso_walk walk = read_child(cursor, item, cursor->position, cursor->end, problem);
    if (walk == ISO_WALK_ITEM)
        cursor->child = (uint16_t)number;
    return walk;
}

/* --- separated --- */

static enum iso_walk read_separated(struct iso_cursor *cursor, struct iso_item *item,
                                    struct problem *problem)
{
    const struct iso_node *node = cursor->node;
    bool done = cursor->map_words != 0; /* the last part had no separator behind it */
    if (done || cursor->start == cursor->end) {
        if (cursor->child >= node->composite.mandatory_count || cursor->start == cursor->end)
            return ISO_WALK_END;
        item->node = &node->children[cursor->child];
        return walk_fault(problem, ISO_SUBFIELD_MISSING, cursor->position, cursor->child,
                          node->composite.mandatory_count);
    }
    if (cursor->child == node->children_count)
        return walk_fault(problem, ISO_SUBFIELD_LEFT_OVER, cursor->position,
                          (uint32_t)(cursor->end - cursor->position), 0);
    const uint8_t *from = cursor->frame + cursor->position;
    uint32_t left = (uint32_t)(cursor->end - cursor->position);
    const uint8_t *found = left == 0 ? NULL : memchr(from, node->composite.separator, left);
    uint32_t size = found != NULL ? (uint32_t)(found - from) : left;
    item->node = &node->children[cursor->child];
    item->number = cursor->child + 1u;
    uint32_t position = cursor->position;
    enum iso_walk walk = read_child(cursor, item, position, position + size, problem);
    if (walk == ISO_WALK_FAULT)
        return walk;
    if (cursor->position != position + size)
        return walk_fault(problem, ISO_SUBFIELD_LEFT_OVER, cursor->position,
                          position + size - cursor->position, 0);
    cursor->child++;
    if (found != NULL)
        cursor->position++;
    else
        cursor->map_words = 1;
    return ISO_WALK_ITEM;
}
