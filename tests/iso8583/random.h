/* random.h - random values for whatever form a node has. */
#ifndef TESTS_ISO8583_RANDOM_H
#define TESTS_ISO8583_RANDOM_H

#include "support.h"

struct pool { /* memory of one message's values */
    uint8_t bytes[300000];
    uint32_t bytes_used;
    struct iso_part parts[4096];
    uint32_t parts_used;
    uint64_t state;
};

static inline char random_character(struct pool *pool, const struct iso_node *node, uint32_t place)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char specials[] = " !#$%&()*+,-./:;<=>?@[]_";
    uint32_t r = random_below(&pool->state, 3);
    switch (node->character_class) {
    case ISO_CLASS_N:
        return (char)('0' + random_below(&pool->state, 10));
    case ISO_CLASS_Z:
        return (char)('0' + random_below(&pool->state, 16));
    case ISO_CLASS_XN:
        return place == 0 ? (r == 0 ? 'C' : 'D') : (char)('0' + random_below(&pool->state, 10));
    case ISO_CLASS_HEX:
        return "0123456789ABCDEF"[random_below(&pool->state, 16)];
    case ISO_CLASS_A:
        return letters[random_below(&pool->state, 52)];
    case ISO_CLASS_S:
        return specials[random_below(&pool->state, 24)];
    case ISO_CLASS_AS:
        return r == 0 ? specials[random_below(&pool->state, 24)]
                      : letters[random_below(&pool->state, 52)];
    case ISO_CLASS_NS:
        return r == 0 ? specials[random_below(&pool->state, 24)]
                      : (char)('0' + random_below(&pool->state, 10));
    case ISO_CLASS_AN:
        return r == 0 ? letters[random_below(&pool->state, 52)]
                      : (char)('0' + random_below(&pool->state, 10));
    case ISO_CLASS_ANS:
    case ISO_CLASS_ANY:
        return (char)(0x20 + random_below(&pool->state, 0x5F));
    case ISO_CLASS_B:
        return (char)random_below(&pool->state, 256);
    case ISO_CLASSES_COUNT:
        break;
    }
    return 'X';
}

/* How many canonical characters (or bytes) `count` units of this node are. */
static inline uint32_t characters_of(const struct iso_node *node, uint32_t count)
{
    bool packed = node->encoding == ISO_ENC_PACKED || node->encoding == ISO_ENC_PACKED_EBCDIC_SIGN;
    bool hex = node->encoding == ISO_ENC_HEX || node->encoding == ISO_ENC_HEX_EBCDIC;
    switch (node->length.unit) {
    case ISO_UNIT_BYTES:
        return packed ? count * 2 : hex ? count / 2 : count;
    case ISO_UNIT_NIBBLES:
        return packed ? count : hex ? count / 4 : count / 2;
    case ISO_UNIT_OCTETS:
        return count;
    case ISO_UNIT_CHARACTERS:
    case ISO_UNIT_DIGITS:
        return hex ? count / 2 : count;
    case ISO_UNIT_COUNT:
        break;
    }
    return 0;
}

static inline void random_text(struct pool *pool, const struct iso_node *node, uint32_t most,
                               uint8_t avoid, struct iso_value *value)
{
    uint32_t max = node->max < most ? node->max : most;
    uint32_t count =
        node->min + (max > node->min ? random_below(&pool->state, max - node->min + 1) : 0);
    if (node->group > 1)
        count -= count % node->group;
    bool packed = node->encoding == ISO_ENC_PACKED || node->encoding == ISO_ENC_PACKED_EBCDIC_SIGN;
    bool odd_refused = packed && node->filler_side == ISO_SIDE_NONE;
    uint32_t size = characters_of(node, count);
    if (odd_refused && node->min != node->max)
        size -= (size - (node->character_class == ISO_CLASS_XN)) & 1;
    /* A count of bytes or nibbles with a filler that is no digit could take its last digit for one.
     */
    uint8_t *out = pool->bytes + pool->bytes_used;
    cr_assert_lt(pool->bytes_used + size, sizeof(pool->bytes));
    for (uint32_t i = 0; i < size; i++) {
        do {
            out[i] = (uint8_t)random_character(pool, node, i);
        } while (out[i] == avoid && avoid != 0);
        if (node->character_class == ISO_CLASS_Z && packed &&
            node->length.unit != ISO_UNIT_DIGITS && node->length.unit != ISO_UNIT_CHARACTERS)
            out[i] = (uint8_t)('0' + out[i] % 10);
    }
    if (node->character_class == ISO_CLASS_XN && size == 1)
        size = 0;
    pool->bytes_used += size;
    *value = (struct iso_value){out, size, 0, ISO_FORM_CANONICAL};
}

static inline void random_value(struct pool *pool, const struct iso_node *node, uint32_t most,
                                uint8_t avoid, uint32_t depth, struct iso_value *value);

static inline void add_part(struct pool *pool, struct iso_part *list, uint32_t *count,
                            const struct iso_node *child, uint32_t most, uint8_t avoid,
                            uint32_t depth)
{
    struct iso_part part = {.key = child->key, .key_size = (uint32_t)strlen(child->key)};
    random_value(pool, child, most, avoid, depth + 1, &part.value);
    list[(*count)++] = part;
}

static inline void random_parts(struct pool *pool, const struct iso_node *node, uint32_t most,
                                uint32_t depth, struct iso_value *value)
{
    enum { MOST = 20 };
    struct iso_part list[MOST + 256];
    uint32_t count = 0, each = most / (node->children_count + 4u) + 1;
    const struct iso_composite *composite = &node->composite;
    if (composite->kind == ISO_COMPOSITE_TLV) {
        for (uint32_t i = 0; i < composite->lead_count; i++)
            add_part(pool, list, &count, &node->children[i], each, 0, depth);
        uint32_t tags = random_below(&pool->state, 4);
        for (uint32_t i = 0; i < tags && node->children_count > composite->lead_count; i++) {
            uint32_t span = node->children_count - composite->lead_count;
            const struct iso_node *child =
                &node->children[composite->lead_count + random_below(&pool->state, span)];
            bool repeated = false;
            for (uint32_t j = 0; j < count; j++)
                repeated = repeated || list[j].key == child->key;
            if (!repeated || !composite->refuse_repeated)
                add_part(pool, list, &count, child, each, 0, depth);
        }
        if (!composite->refuse_unknown && composite->tag.is_ber) {
            static const char *const keys[] = {"9F7F", "C1", "DF8129", "00", "FF"};
            uint32_t which = random_below(&pool->state, composite->tag_padding ? 5 : 3);
            struct iso_part part = {.key = keys[which], .key_size = (uint32_t)strlen(keys[which])};
            if (which < 3)
                random_text(pool, composite->unknown, each < 300 ? each : 300, 0, &part.value);
            else
                part.value = (struct iso_value){"", 0, 0, ISO_FORM_CANONICAL};
            list[count++] = part;
        }
    } else if (composite->kind == ISO_COMPOSITE_BITMAP) {
        for (uint32_t i = 0; i < node->children_count; i++)
            if (random_below(&pool->state, 3) == 0)
                add_part(pool, list, &count, &node->children[i], each, 0, depth);
        if (composite->rest != NULL && random_below(&pool->state, 2) == 0)
            add_part(pool, list, &count, composite->rest, each, 0, depth);
    } else {
        uint8_t avoid = composite->kind == ISO_COMPOSITE_SEPARATED ? composite->separator : 0;
        uint32_t span = node->children_count - composite->mandatory_count + 1u;
        uint32_t want = composite->mandatory_count + random_below(&pool->state, span), digits = 0;
        for (uint32_t i = 0; i < want; i++)
            digits += node->children[i].in_digits ? node->children[i].max : 0;
        if (digits % 2 != 0 && node->length.unit == ISO_UNIT_BYTES)
            want = node->children_count; /* the filler of whole bytes would be read as a digit */
        for (uint32_t i = 0; i < want; i++)
            add_part(pool, list, &count, &node->children[i], each, avoid, depth);
    }
    struct iso_part *out = pool->parts + pool->parts_used;
    cr_assert_lt(pool->parts_used + count, countof(pool->parts));
    memcpy(out, list, count * sizeof(*list));
    pool->parts_used += count;
    *value = (struct iso_value){out, count, 0, ISO_FORM_PARTS};
}

static inline void random_value(struct pool *pool, const struct iso_node *node, uint32_t most,
                                uint8_t avoid, uint32_t depth, struct iso_value *value)
{
    if (node->composite.kind != ISO_COMPOSITE_NONE && depth < ISO_DEPTH_MAX - 1)
        random_parts(pool, node, node->max < most ? node->max : most, depth, value);
    else
        random_text(pool, node, most, avoid, value);
}

#endif
