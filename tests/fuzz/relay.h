/* relay.h - what the codec's fuzz targets demand of every message that is accepted: the straight
 * line and the interpreter agree; it is relayed byte by byte; taken apart to canonical values and
 * built again it is the same. */
#ifndef TESTS_FUZZ_RELAY_H
#define TESTS_FUZZ_RELAY_H

#include "iso8583/build.h"
#include "iso8583/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define demand(x)                                                                                  \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct relay_pool {
    uint8_t text[4 * ISO_MESSAGE_BYTES_MAX];
    uint32_t text_used;
    struct iso_part parts[ISO_MESSAGE_BYTES_MAX];
    char keys[ISO_MESSAGE_BYTES_MAX][24];
    uint32_t parts_used;
    bool canonical; /* nothing met that comes out in another form */
};

static inline bool relay_text(const struct iso_dialect *dialect, const struct iso_node *node,
                              struct span wire, uint32_t count, struct relay_pool *pool,
                              struct iso_value *value)
{
    size_t size;
    char *out = (char *)pool->text + pool->text_used;
    if (!iso_value_text(dialect, node, wire, count, out, sizeof(pool->text) - pool->text_used,
                        &size))
        return false;
    pool->text_used += (uint32_t)size;
    *value = (struct iso_value){out, (uint32_t)size, 0, ISO_FORM_CANONICAL};
    /* Hexadecimal text comes out in capitals, D in a track as =. */
    for (uint32_t i = 0; i < wire.size; i++) {
        bool hex = node->encoding == ISO_ENC_HEX && wire.data[i] >= 'a';
        bool ebcdic = node->encoding == ISO_ENC_HEX_EBCDIC && wire.data[i] < 0xC0;
        if (hex || ebcdic)
            pool->canonical = false;
    }
    if (node->character_class == ISO_CLASS_Z && node->encoding != ISO_ENC_PACKED)
        pool->canonical = false;
    return true;
}

/* Is a map of a sub-bitmap announced that holds nothing? Built anew it is left out. */
static inline bool relay_empty_map(const struct iso_cursor *cursor)
{
    const struct iso_composite *composite = &cursor->node->composite;
    uint32_t bytes = composite->bitmap_bytes, at = cursor->position;
    if (composite->kind != ISO_COMPOSITE_BITMAP || !composite->bitmap_chained)
        return false;
    if (composite->bitmap_encoding != ISO_ENC_BINARY)
        return true; /* not looked at */
    while (at + bytes <= cursor->end && (cursor->frame[at] & 0x80) != 0)
        at += bytes;
    for (uint32_t i = at; i < at + bytes && i < cursor->end; i++)
        if (cursor->frame[i] != 0)
            return false;
    return at > cursor->position;
}

/* Items to parts, depth first, as deep as the codec follows. */
static inline bool relay_parts(struct iso_cursor *cursor, struct relay_pool *pool,
                               struct iso_value *value)
{
    static const uint32_t MOST = 4096;
    struct iso_item item;
    uint32_t count = 0, first = pool->parts_used;
    struct iso_cursor counting = *cursor;
    pool->canonical = pool->canonical && !relay_empty_map(cursor);
    for (;;) {
        enum iso_walk walk = iso_cursor_next(&counting, &item, NULL);
        if (walk == ISO_WALK_FAULT)
            return false;
        if (walk == ISO_WALK_END)
            break;
        count++;
    }
    if (count > MOST || first + count > ISO_MESSAGE_BYTES_MAX)
        return false;
    pool->parts_used += count;
    for (uint32_t i = 0; i < count; i++) {
        struct iso_part *part = &pool->parts[first + i];
        demand(iso_cursor_next(cursor, &item, NULL) == ISO_WALK_ITEM);
        memcpy(pool->keys[first + i], item.key, sizeof(item.key));
        part->key = pool->keys[first + i];
        part->key_size = (uint32_t)strlen(item.key);
        if (!item.length_is_minimal)
            pool->canonical = false;
        struct iso_cursor inner;
        if (item.kind == ISO_ITEM_PADDING) {
            part->value = (struct iso_value){"", 0, 0, ISO_FORM_CANONICAL};
        } else if (!item.is_composite || item.at.size == 0 ||
                   !iso_cursor_enter(cursor, &item, &inner) ||
                   !relay_parts(&inner, pool, &part->value)) {
            if (!relay_text(cursor->dialect, item.node, iso_item_value(cursor, &item),
                            item.at.count, pool, &part->value))
                return false;
        }
    }
    *value = (struct iso_value){&pool->parts[first], count, 0, ISO_FORM_PARTS};
    return true;
}

static inline void relay_check(const struct iso_dialect *dialect, const uint8_t *data, size_t size)
{
    static struct iso_msg msg, again;
    static struct iso_draft draft;
    static struct relay_pool pool;
    static uint8_t out[ISO_MESSAGE_BYTES_MAX];
    static struct iso_findings findings;
    struct iso_fault fault = {0}, other = {0};
    struct iso_layout layout;
    struct span frame = {data, (uint32_t)size};
    enum iso_err err = iso_parse(dialect, frame, &msg, &fault);
    demand(iso_parse_checked(dialect, frame, &again, &other) == err);
    demand(memcmp(msg.present, again.present, sizeof(msg.present)) == 0);
    for (uint32_t de = iso_msg_next(&msg, 0); de != 0; de = iso_msg_next(&msg, de))
        demand(memcmp(&msg.fields[de], &again.fields[de], sizeof(msg.fields[de])) == 0);
    (void)!iso_validate(dialect, &msg, NULL, &findings);
    if (err != ISO_OK) {
        char de44[26];
        demand(fault.code == err && fault.offset <= size && fault.text[0] != '\0');
        demand(iso_fault_de44(&fault, de44, sizeof(de44)) <= 25);
        return;
    }
    iso_draft_from_msg(&draft, &msg);
    demand(iso_build(dialect, &draft, out, sizeof(out), &layout, &other) == ISO_OK);
    demand(iso_parse(dialect, (struct span){out, layout.size}, &again, NULL) == ISO_OK);
    demand(memcmp(msg.present, again.present, sizeof(msg.present)) == 0);

    pool.text_used = pool.parts_used = 0;
    pool.canonical = true;
    for (uint32_t de = iso_msg_next(&msg, 0); de != 0; de = iso_msg_next(&msg, de)) {
        struct iso_cursor cursor;
        struct iso_value value;
        bool parts = msg.fields[de].size > 0 && iso_cursor_open(dialect, &msg, de, &cursor) &&
                     relay_parts(&cursor, &pool, &value);
        const struct iso_node *node = iso_dialect_field(dialect, de);
        if (!parts)
            demand(relay_text(dialect, node, iso_msg_field(&msg, de), msg.fields[de].count, &pool,
                              &value));
        draft.values[de] = value;
        struct span wire = iso_msg_field(&msg, de); /* tags and lengths in hexadecimal text, too */
        for (uint32_t i = 0; i < wire.size; i++)
            if ((node->encoding == ISO_ENC_HEX && wire.data[i] >= 'a') ||
                (node->encoding == ISO_ENC_HEX_EBCDIC && wire.data[i] < 0xC0))
                pool.canonical = false;
        if (node->length.encoding == ISO_LEN_BER || node->length.encoding == ISO_LEN_HEX)
            pool.canonical = false;
    }
    err = iso_build(dialect, &draft, out, sizeof(out), &layout, &other);
    /* A value in its canonical form may be longer than its non-canonical one was. */
    demand(err == ISO_OK || !pool.canonical);
    if (err != ISO_OK || !pool.canonical)
        return;
    demand(layout.size == size);
    for (uint32_t i = 0; i < size; i++)
        demand(out[i] == data[i] || (i >= msg.bitmap_offset && i < msg.bitmap_offset + 48u) ||
               msg.blocks == 3);
}

#endif
