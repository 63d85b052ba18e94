/* iso_json.c - decoded messages to JSON; the outer form of errors. */
#include "ctl/iso_json.h"
#include "iso8583/frame.h"

#include <stdio.h>
#include <stdlib.h>

struct reading { /* one message on its way to JSON */
    const struct iso_dialect *dialect;
    bool reveal;
    char *room; /* ISO_VALUE_TEXT_MAX */
};

static json_t *value_json(struct reading *reading, const struct iso_node *node, enum iso_mask mask,
                          struct span wire, uint32_t count);
static json_t *parts_json(struct reading *reading, struct iso_cursor *cursor, uint32_t depth);
static void add_exactness(const struct iso_dialect *dialect, const struct iso_msg *msg,
                          json_t *message);

json_t *iso_json_from_msg(const struct iso_dialect *dialect, const struct iso_msg *msg, bool reveal)
{
    struct reading reading = {dialect, reveal, malloc(ISO_VALUE_TEXT_MAX)};
    must(reading.room != NULL);
    json_t *message = json_object(), *fields = json_object();
    struct span header = iso_msg_header(msg);
    if (header.size > 0) {
        char hex[2 * 256 + 1];
        bytes_to_hex(header.data, header.size < 256 ? header.size : 256, hex);
        (void)json_object_set_new(message, "header", json_string(hex));
    }
    if (msg->mti[0] != 0) {
        (void)json_object_set_new(message, "mti", json_stringn(msg->mti, 4));
    }
    for (uint32_t de = iso_msg_next(msg, 0); de != 0; de = iso_msg_next(msg, de)) {
        char key[12];
        const struct iso_node *node = iso_dialect_field(dialect, de);
        struct iso_cursor cursor;
        json_t *value = NULL;
        (void)snprintf(key, sizeof key, "%u", de);
        if (iso_cursor_open(dialect, msg, de, &cursor)) {
            value = parts_json(&reading, &cursor, 0);
        }
        if (value == NULL) {
            value = value_json(&reading, node, node->mask, iso_msg_field(msg, de),
                               msg->fields[de].count);
        }
        (void)json_object_set_new(fields, key, value);
    }
    (void)json_object_set_new(message, "fields", fields);
    explicit_bzero(reading.room, ISO_VALUE_TEXT_MAX);
    free(reading.room);
    if (reveal && msg->complete) {
        add_exactness(dialect, msg, message);
    }
    return message;
}

bool iso_json_text(const struct iso_dialect *dialect, const struct iso_node *node,
                   enum iso_mask mask, struct span wire, uint32_t count, bool reveal, char *out,
                   size_t *size)
{
    if (!iso_value_text(dialect, node, wire, count, out, ISO_VALUE_TEXT_MAX / 2, size)) {
        return false;
    }
    if (iso_node_is_binary(node)) {
        for (size_t i = *size; i > 0; i--) { /* from behind: in place */
            char pair[3];
            bytes_to_hex((const uint8_t *)out + i - 1, 1, pair);
            memcpy(out + 2 * (i - 1), pair, 2);
        }
        *size *= 2;
    }
    if (!reveal) {
        iso_mask_apply(mask, out, *size);
        if (mask == ISO_MASK_CLEAR) {
            iso_mask_numbers(out, *size);
        }
    }
    out[*size] = 0;
    return true;
}

static json_t *value_json(struct reading *reading, const struct iso_node *node, enum iso_mask mask,
                          struct span wire, uint32_t count)
{
    size_t size;
    json_t *value = NULL;
    if (iso_json_text(reading->dialect, node, mask, wire, count, reading->reveal, reading->room,
                      &size)) {
        value = json_stringn(reading->room, size);
    }
    return value != NULL ? value : json_null();
}

/* [key, value] pairs as an object when no key repeats; takes the reference. */
static json_t *pairs_json(json_t *pairs)
{
    json_t *object = json_object();
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *key = json_string_value(json_array_get(pair, 0));
        if (json_object_get(object, key) != NULL) {
            json_decref(object);
            return pairs;
        }
        (void)json_object_set(object, key, json_array_get(pair, 1));
    }
    json_decref(pairs);
    return object;
}

/* NULL: what is inside cannot be walked (a lazy composite), or it is empty and an object would mean
 * something else. */
static json_t *parts_json(struct reading *reading, struct iso_cursor *cursor, uint32_t depth)
{
    json_t *pairs = json_array();
    struct iso_item item;
    enum iso_walk walk;
    const struct iso_node *node = cursor->node;
    bool is_empty = cursor->position == cursor->end;
    while ((walk = iso_cursor_next(cursor, &item, NULL)) == ISO_WALK_ITEM) {
        struct iso_cursor inner;
        json_t *value = NULL;
        if (item.kind == ISO_ITEM_PADDING) {
            value = json_string("");
        } else if (item.is_composite && depth < ISO_DEPTH_MAX &&
                   iso_cursor_enter(cursor, &item, &inner)) {
            value = parts_json(reading, &inner, depth + 1);
        }
        if (value == NULL) {
            value = value_json(reading, item.node, iso_mask_of(item.node, node, item.number),
                               iso_item_value(cursor, &item), item.at.count);
        }
        json_t *pair = json_array();
        (void)json_array_append_new(pair, json_string(item.key));
        (void)json_array_append_new(pair, value);
        (void)json_array_append_new(pairs, pair);
    }
    if (walk == ISO_WALK_FAULT || (is_empty && node->composite.kind == ISO_COMPOSITE_BITMAP)) {
        json_decref(pairs);
        return NULL;
    }
    return pairs_json(pairs);
}

/* --- what else is needed to build the same bytes again --- */

static bool is_same(const struct iso_msg *msg, const struct iso_msg *again, uint32_t de)
{
    struct span before = iso_msg_field(msg, de), after = iso_msg_field(again, de);
    return before.size == after.size && msg->fields[de].prefix == again->fields[de].prefix &&
           msg->fields[de].count == again->fields[de].count &&
           (before.size == 0 ||
            memcmp(before.data - msg->fields[de].prefix, after.data - again->fields[de].prefix,
                   before.size + msg->fields[de].prefix) == 0);
}

static void add_wire(const struct iso_msg *msg, uint32_t de, json_t *wire)
{
    struct span value = iso_msg_field(msg, de);
    char key[12], *hex = malloc(2 * (size_t)value.size + 1);
    must(hex != NULL);
    (void)snprintf(key, sizeof key, "%u", de);
    bytes_to_hex(value.data, value.size, hex);
    (void)json_object_set_new(wire, key, json_pack("[s,i]", hex, (int)msg->fields[de].count));
    free(hex);
}

static void add_exactness(const struct iso_dialect *dialect, const struct iso_msg *msg,
                          json_t *message)
{
    uint32_t blocks = msg->present[2] != 0 ? 3 : msg->present[1] != 0 ? 2 : 1;
    const struct iso_bitmap_form *form = iso_dialect_bitmap(dialect);
    if (form->always_secondary) {
        bool bit1 = msg->bitmap[0] >> 63 != 0;
        if (bit1 != form->announce_always) {
            (void)json_object_set_new(message, "bit1", json_boolean(bit1));
        }
        blocks = blocks < 2 ? 2 : blocks;
    }
    if (msg->blocks > blocks) {
        (void)json_object_set_new(message, "bitmaps", json_integer(msg->blocks));
    }
    uint8_t *out = malloc(ISO_MESSAGE_BYTES_MAX);
    struct iso_msg *again = malloc(sizeof *again);
    must(out != NULL && again != NULL);
    uint32_t size;
    struct iso_fault fault;
    bool built =
        iso_json_build(dialect, message, out, ISO_MESSAGE_BYTES_MAX, &size, &fault) == ISO_OK &&
        iso_parse(dialect, (struct span){out, size}, again, NULL) == ISO_OK;
    if (!built || size != msg->size || memcmp(out, msg->frame, size) != 0) {
        json_t *wire = json_object();
        for (uint32_t de = iso_msg_next(msg, 0); de != 0; de = iso_msg_next(msg, de)) {
            if (!built || !is_same(msg, again, de)) {
                add_wire(msg, de, wire);
            }
        }
        if (json_object_size(wire) > 0) {
            (void)json_object_set(message, "wire", wire);
        }
        json_decref(wire);
    }
    free(out);
    free(again);
}

/* --- errors, and a line of hex --- */

json_t *iso_json_error(const char *code, const char *field, uint32_t offset, const char *text,
                       json_t *partial)
{
    json_t *error = json_object(), *outer = json_object();
    (void)json_object_set_new(error, "code", json_string(code));
    (void)json_object_set_new(error, "field", json_string(field));
    (void)json_object_set_new(error, "offset", json_integer(offset));
    (void)json_object_set_new(error, "text", json_string(text));
    (void)json_object_set_new(outer, "error", error);
    (void)json_object_set_new(outer, "partial", partial != NULL ? partial : json_object());
    return outer;
}

json_t *iso_json_fault(const struct iso_fault *fault, json_t *partial)
{
    char text[2 * ISO_TEXT_BYTES + 4];
    (void)snprintf(text, sizeof text, "%s%s%s", fault->text, fault->cause[0] != 0 ? "; " : "",
                   fault->cause);
    json_t *outer =
        iso_json_error(iso_err_name(fault->code), fault->path, fault->offset, text, partial);
    json_t *error = json_object_get(outer, "error");
    if (fault->cause[0] != 0) {
        (void)json_object_set_new(error, "cause", json_string(fault->cause));
    }
    json_t *last = json_array();
    for (uint32_t i = 0; i < countof(fault->read_last) && fault->read_last[i] != 0; i++) {
        (void)json_array_append_new(last, json_integer(fault->read_last[i]));
    }
    if (json_array_size(last) > 0) {
        (void)json_object_set(error, "read_last", last);
    }
    json_decref(last);
    return outer;
}

/* The message behind its framing; NULL, or the error. */
static json_t *unframe(const char *frame, struct span *bytes)
{
    struct iso_framing framing = {.size_max = ISO_MESSAGE_BYTES_MAX};
    struct iso_frame found;
    if (frame == NULL || !iso_framing_by_name(frame, &framing)) {
        return NULL;
    }
    framing.size_max = ISO_MESSAGE_BYTES_MAX;
    enum iso_frame_result result = iso_frame_next(&framing, *bytes, &found);
    if (result == ISO_FRAME_NEED_MORE) {
        return iso_json_error("need_more", "", bytes->size, "the frame is not whole", NULL);
    }
    if (result == ISO_FRAME_BAD) {
        return iso_json_error(iso_err_name(found.err), "", 0, iso_err_text(found.err), NULL);
    }
    if (found.consumed != bytes->size) {
        return iso_json_error("left_over", "", found.message.size, "bytes behind the frame", NULL);
    }
    *bytes = found.message;
    return NULL;
}

json_t *iso_json_decode(const struct iso_dialect *dialect, const char *hex, size_t hex_size,
                        const char *frame, bool reveal, bool *failed)
{
    uint8_t *bytes = malloc(hex_size / 2 + 1);
    struct iso_msg *msg = calloc(1, sizeof *msg);
    size_t size = 0;
    must(bytes != NULL && msg != NULL);
    json_t *out;
    *failed = true;
    if (hex_size / 2 > ISO_MESSAGE_BYTES_MAX + 4) {
        out = iso_json_error("too_big", "", 0, iso_err_text(ISO_TOO_BIG), NULL);
    } else if (!bytes_from_hex(hex, hex_size, bytes, hex_size / 2 + 1, &size)) {
        out = iso_json_error("hex", "", 0, "the line is no even number of hexadecimal characters",
                             NULL);
    } else {
        struct span span = {bytes, (uint32_t)size};
        struct iso_fault fault = {0};
        out = unframe(frame, &span);
        if (out == NULL) {
            *failed = iso_parse(dialect, span, msg, &fault) != ISO_OK;
            out = iso_json_from_msg(dialect, msg, reveal);
            out = *failed ? iso_json_fault(&fault, out) : out;
        }
    }
    explicit_bzero(bytes, size);
    free(bytes);
    free(msg);
    return out;
}
