/* cursor.c - walking a composite's sub-structure: positional, TLV, sub-bitmap, separated.
 *
 * DESIGN  item_read() moves over one item and formats nothing: parse.c uses it to check structure
 * at speed. iso_cursor_next() adds the key's text and, on a fault, the path. Nesting is followed
 * with a stack of ISO_DEPTH_MAX cursors, never by recursion. */
#include "iso8583/emv.h"
#include "iso8583/program.h"

#include <stdio.h>
#include <stdlib.h>

static enum iso_walk read_positional(struct iso_cursor *cursor, struct iso_item *item,
                                     struct problem *problem);
static enum iso_walk read_tlv(struct iso_cursor *cursor, struct iso_item *item,
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
    cursor->seen = 0;
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
        return read_positional(cursor, item, problem);
    case ISO_COMPOSITE_TLV:
        return read_tlv(cursor, item, problem);
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

static enum iso_walk walk_fault(struct problem *problem, enum iso_err code, uint32_t offset,
                                uint32_t found, uint32_t expected)
{
    (void)problem_set(problem, code, offset, found, expected);
    return ISO_WALK_FAULT;
}

/* A sub-field's own value. What is cut here is cut by the field around it, which itself was whole.
 */
static enum iso_walk read_child(struct iso_cursor *cursor, struct iso_item *item, uint32_t position,
                                uint32_t limit, struct problem *problem)
{
    const struct iso_node *node = item->node;
    enum iso_err err =
        value_read(cursor->dialect, node, cursor->frame, position, limit, &item->at, problem);
    if (err != ISO_OK) {
        if (err == ISO_NEED_MORE)
            problem->code = ISO_SUBFIELD_CUT;
        return ISO_WALK_FAULT;
    }
    item->is_composite = node->composite.kind != ISO_COMPOSITE_NONE;
    cursor->position = (uint16_t)(item->at.offset + item->at.size);
    return ISO_WALK_ITEM;
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

/* --- TLV --- */

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

static enum iso_walk read_tlv(struct iso_cursor *cursor, struct iso_item *item,
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

/* --- whole composites --- */

bool cursor_descend(const struct iso_cursor *cursor, const struct iso_item *item,
                    struct iso_cursor *inner)
{
    if (!item->is_composite || cursor->depth + 1u >= ISO_DEPTH_MAX)
        return false;
    /* A constructed BER object that the dialect does not describe has the forms of what holds it.
     */
    const struct iso_node *node =
        item->node->composite.kind != ISO_COMPOSITE_NONE ? item->node : cursor->node;
    cursor_start(inner, cursor->dialect, cursor->frame, node, &item->at, cursor->de);
    inner->depth = (uint8_t)(cursor->depth + 1);
    if (node == cursor->node)
        inner->child = node->composite.lead_count;
    return true;
}

static void key_text(const struct iso_cursor *cursor, const struct iso_item *item, char *out,
                     size_t out_size)
{
    const struct iso_composite *composite = &cursor->node->composite;
    if (item->kind == ISO_ITEM_PADDING) {
        (void)snprintf(out, out_size, "%02X", (unsigned)item->number);
    } else if (item->node == cursor->node) { /* a sub-bitmap's unknown number */
        (void)snprintf(out, out_size, "%u", (unsigned)item->number);
    } else if (item->kind == ISO_ITEM_CHILD) {
        (void)snprintf(out, out_size, "%s", item->node->key);
    } else if (composite->tag.is_ber) {
        int digits = item->number > 0xFFFFFF ? 8
                     : item->number > 0xFFFF ? 6
                     : item->number > 0xFF   ? 4
                                             : 2;
        (void)snprintf(out, out_size, "%0*llX", digits, (unsigned long long)item->number);
    } else if (encoding_is_single_byte(composite->tag.encoding)) {
        uint32_t size = composite->tag.width;
        for (uint32_t i = 0; i < size && i + 1 < out_size; i++)
            out[i] = (char)(item->number >> (8 * (size - 1 - i)) & 0xFF);
        out[size < out_size ? size : out_size - 1] = '\0';
    } else {
        int digits = composite->tag.encoding == ISO_ENC_PACKED ? composite->tag.width
                                                               : composite->tag.width * 2;
        (void)snprintf(out, out_size, "%0*llX", digits, (unsigned long long)item->number);
    }
}

static void path_append(char path[ISO_PATH_BYTES], const char *key)
{
    size_t have = strlen(path), more = strlen(key);
    if (have + 1 + more + 1 > ISO_PATH_BYTES)
        return;
    path[have] = '.';
    memcpy(path + have + 1, key, more + 1);
}

/* Both passes of a composite: without a path (parse.c), and once more with it when something is
 * wrong. */
static enum iso_err walk_all(const struct iso_dialect *dialect, const uint8_t *frame,
                             const struct iso_node *node, const struct iso_field *at,
                             struct problem *problem, char *path)
{
    struct iso_cursor stack[ISO_DEPTH_MAX];
    struct iso_item items[ISO_DEPTH_MAX];
    uint32_t depth = 0;
    cursor_start(&stack[0], dialect, frame, node, at, 0);
    for (;;) {
        enum iso_walk walk = item_read(&stack[depth], &items[depth], problem);
        if (walk == ISO_WALK_END) {
            if (depth == 0)
                return ISO_OK;
            depth--;
            continue;
        }
        const struct iso_item *item = &items[depth];
        bool look_inside = walk == ISO_WALK_ITEM &&
                           item->node->composite.kind != ISO_COMPOSITE_NONE &&
                           !item->node->composite.lazy;
        if (look_inside && !cursor_descend(&stack[depth], item,
                                           &stack[depth + 1 < ISO_DEPTH_MAX ? depth + 1 : depth])) {
            (void)problem_set(problem, ISO_DEPTH, item->start, depth, ISO_DEPTH_MAX);
            walk = ISO_WALK_FAULT;
        }
        if (walk == ISO_WALK_FAULT) {
            for (uint32_t i = 0; path != NULL && i <= depth; i++) {
                char key[sizeof(items[i].key)];
                if (items[i].node == NULL)
                    break;
                key_text(&stack[i], &items[i], key, sizeof(key));
                path_append(path, key);
            }
            return problem->code;
        }
        depth += look_inside;
    }
}

enum iso_err composite_check(const struct iso_dialect *dialect, const uint8_t *frame,
                             const struct iso_node *node, const struct iso_field *at,
                             struct problem *problem)
{
    return walk_all(dialect, frame, node, at, problem, NULL);
}

void composite_path(const struct iso_dialect *dialect, const uint8_t *frame,
                    const struct iso_node *node, const struct iso_field *at, uint32_t de,
                    const struct problem *problem, char path[ISO_PATH_BYTES])
{
    struct problem again;
    (void)snprintf(path, ISO_PATH_BYTES, "%u", de);
    enum iso_err err = walk_all(dialect, frame, node, at, &again, path);
    must(err == problem->code);
}

/* --- public --- */

bool iso_cursor_open(const struct iso_dialect *dialect, const struct iso_msg *msg, uint32_t de,
                     struct iso_cursor *cursor)
{
    const struct iso_node *node = iso_dialect_field(dialect, de);
    if (node == NULL || node->composite.kind == ISO_COMPOSITE_NONE || !iso_msg_has(msg, de))
        return false;
    cursor_start(cursor, dialect, msg->frame, node, &msg->fields[de], de);
    (void)snprintf(cursor->path, sizeof(cursor->path), "%u", de);
    return true;
}

enum iso_walk iso_cursor_next(struct iso_cursor *cursor, struct iso_item *item,
                              struct iso_fault *fault)
{
    struct problem problem;
    struct iso_cursor before = *cursor;
    enum iso_walk walk = item_read(cursor, item, &problem);
    item->key[0] = '\0';
    if (walk != ISO_WALK_END && item->node != NULL)
        key_text(cursor, item, item->key, sizeof(item->key));
    if (walk == ISO_WALK_FAULT) {
        *cursor = before;
        if (fault != NULL) {
            char path[ISO_PATH_BYTES];
            memcpy(path, cursor->path, sizeof(path));
            if (item->key[0] != '\0')
                path_append(path, item->key);
            fault_fill(fault, cursor->de, path, &problem);
        }
    }
    return walk;
}

bool iso_cursor_enter(const struct iso_cursor *cursor, const struct iso_item *item,
                      struct iso_cursor *inner)
{
    struct iso_cursor from = *cursor; /* inner may be cursor itself */
    if (!cursor_descend(&from, item, inner))
        return false;
    memcpy(inner->path, from.path, sizeof(inner->path));
    path_append(inner->path, item->key);
    return true;
}

bool iso_msg_find(const struct iso_dialect *dialect, const struct iso_msg *msg, const char *path,
                  struct iso_item *item)
{
    char *rest;
    unsigned long de = strtoul(path, &rest, 10);
    struct iso_cursor cursor;
    if (*rest != '.' || de < 2 || de > ISO_FIELDS_MAX ||
        !iso_cursor_open(dialect, msg, (uint32_t)de, &cursor))
        return false;
    for (uint32_t depth = 0; depth < ISO_DEPTH_MAX; depth++) {
        const char *key = rest + 1, *dot = strchr(key, '.');
        size_t size = dot != NULL ? (size_t)(dot - key) : strlen(key);
        do {
            if (iso_cursor_next(&cursor, item, NULL) != ISO_WALK_ITEM)
                return false;
        } while (strlen(item->key) != size || memcmp(item->key, key, size) != 0);
        if (dot == NULL)
            return true;
        rest += 1 + size;
        if (!iso_cursor_enter(&cursor, item, &cursor))
            return false;
    }
    return false;
}
