/* message.c - JSON to a draft to bytes, and a parsed message to JSON; see message.h. */
#include "sims/message.h"

#include "base/secret.h"
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES 16384u

struct builder { /* what the draft points at while it is built */
    uint8_t bytes[ARENA_BYTES];
    size_t used;
    struct iso_part parts[SIM_PARTS_MAX];
    uint32_t parts_used;
    const char *error;
};

/* A string: text as it is, or hex of a field of bytes. */
static struct iso_value value_of_text(struct builder *builder, const struct iso_node *node,
                                      const json_t *text)
{
    struct iso_value value = {.data = json_string_value(text),
                              .size = (uint32_t)json_string_length(text),
                              .form = ISO_FORM_CANONICAL};
    if (node != NULL && iso_node_is_binary(node)) {
        size_t size = 0;
        if (!bytes_from_hex(value.data, value.size, builder->bytes + builder->used,
                            sizeof builder->bytes - builder->used, &size)) {
            builder->error = "is not hex";
            return value;
        }
        value.data = builder->bytes + builder->used;
        value.size = (uint32_t)size;
        builder->used += size;
    }
    return value;
}

/* An object: its members are parts, one level (deeper ones are written as their whole value). */
static struct iso_value value_of_object(struct builder *builder, const struct iso_node *node,
                                        json_t *object)
{
    struct iso_part *first = builder->parts + builder->parts_used;
    uint32_t count = 0;
    const char *key;
    json_t *member;
    json_object_foreach(object, key, member)
    {
        if (builder->parts_used == SIM_PARTS_MAX || !json_is_string(member)) {
            builder->error = "has too many parts, or one that is no string";
            break;
        }
        builder->parts_used++;
        const struct iso_node *child =
            node == NULL ? NULL : iso_node_child_key(node, key, strlen(key));
        if (child == NULL && node != NULL) {
            child = node->composite.unknown;
        }
        first[count++] = (struct iso_part){.key = key,
                                           .key_size = (uint32_t)strlen(key),
                                           .value = value_of_text(builder, child, member)};
    }
    return (struct iso_value){.data = first, .size = count, .form = ISO_FORM_PARTS};
}

static bool fill_draft(const struct iso_dialect *dialect, const json_t *message,
                       struct builder *builder, struct iso_draft *draft, char *text,
                       size_t text_size)
{
    const char *mti = json_string_value(json_object_get(message, "mti"));
    json_t *fields = json_object_get(message, "fields");
    if (mti == NULL || strlen(mti) != 4 || !json_is_object(fields)) {
        (void)snprintf(text, text_size, "a message has \"mti\", four characters, and \"fields\"");
        return false;
    }
    iso_draft_init(draft, mti);
    const char *key;
    json_t *member;
    json_object_foreach(fields, key, member)
    {
        char *end;
        unsigned long de = strtoul(key, &end, 10);
        const struct iso_node *node = *end == 0 && de >= 2 && de <= ISO_FIELDS_MAX
                                          ? iso_dialect_field(dialect, (uint32_t)de)
                                          : NULL;
        if (node == NULL) {
            (void)snprintf(text, text_size, "field %s: the dialect has none", key);
            return false;
        }
        struct iso_value value = {0};
        if (json_is_object(member)) {
            value = value_of_object(builder, node, member);
        } else if (json_is_string(member)) {
            value = value_of_text(builder, node, member);
        } else {
            builder->error = "is neither a string nor an object";
        }
        if (builder->error != NULL) {
            (void)snprintf(text, text_size, "field %s %s", key, builder->error);
            return false;
        }
        if (value.form == ISO_FORM_PARTS) {
            iso_draft_parts(draft, (uint32_t)de, value.data, value.size);
        } else {
            iso_draft_text(draft, (uint32_t)de, value.data, value.size);
        }
    }
    return true;
}

bool sim_message_build(const struct iso_dialect *dialect, const json_t *message, uint8_t *out,
                       size_t out_size, uint32_t *size, char *text, size_t text_size)
{
    struct builder *builder = calloc(1, sizeof *builder);
    struct iso_draft *draft = calloc(1, sizeof *draft);
    must(builder != NULL && draft != NULL);
    struct iso_layout layout;
    struct iso_fault fault;
    bool done = fill_draft(dialect, message, builder, draft, text, text_size);
    if (done && iso_build(dialect, draft, out, out_size, &layout, &fault) != ISO_OK) {
        (void)snprintf(text, text_size, "field %s: %s", fault.path, fault.text);
        done = false;
    }
    if (done) {
        *size = layout.size;
    }
    free(draft);
    free(builder);
    return done;
}

/* ---- to JSON ------------------------------------------------------------------------------- */

static json_t *json_of_value(const struct iso_node *node, char *value, size_t size, bool masked)
{
    if (masked && node->mask == ISO_MASK_PAN && size >= 12 && size <= 19) {
        char text[20];
        secret_pan_mask((const uint8_t *)value, (uint32_t)size, text);
        return json_string(text);
    }
    if (masked && (node->mask == ISO_MASK_TRACK || node->mask == ISO_MASK_SECRET)) {
        return json_string("****");
    }
    if (iso_node_is_binary(node)) {
        char hex[2 * 1024 + 1];
        size = size < 1024 ? size : 1024;
        bytes_to_hex((const uint8_t *)value, size, hex);
        return json_string(hex);
    }
    return json_stringn(value, size);
}

static json_t *json_of_composite(const struct iso_dialect *dialect, const struct iso_msg *msg,
                                 uint32_t de, bool masked)
{
    struct iso_cursor cursor;
    struct iso_item item;
    if (!iso_cursor_open(dialect, msg, de, &cursor)) {
        return NULL;
    }
    json_t *object = json_object();
    enum iso_walk walk;
    while ((walk = iso_cursor_next(&cursor, &item, NULL)) == ISO_WALK_ITEM) {
        char value[1024];
        size_t size;
        if (item.kind != ISO_ITEM_PADDING &&
            iso_value_text(dialect, item.node, iso_item_value(&cursor, &item), item.at.count, value,
                           sizeof value, &size)) {
            (void)json_object_set_new(object, item.key,
                                      json_of_value(item.node, value, size, masked));
        }
    }
    if (walk == ISO_WALK_FAULT) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *sim_message_json(const struct iso_dialect *dialect, const struct iso_msg *msg, bool masked)
{
    json_t *fields = json_object();
    for (uint32_t de = iso_msg_next(msg, 0); de != 0; de = iso_msg_next(msg, de)) {
        char key[12], value[2048];
        size_t size;
        const struct iso_node *node = iso_dialect_field(dialect, de);
        json_t *composite = json_of_composite(dialect, msg, de, masked);
        (void)snprintf(key, sizeof key, "%u", de);
        if (composite != NULL) {
            (void)json_object_set_new(fields, key, composite);
        } else if (node != NULL && iso_msg_text(dialect, msg, de, value, sizeof value, &size)) {
            (void)json_object_set_new(fields, key, json_of_value(node, value, size, masked));
        }
    }
    json_t *message = json_object();
    (void)json_object_set_new(message, "mti", json_stringn(msg->mti, 4));
    (void)json_object_set_new(message, "fields", fields);
    return message;
}
