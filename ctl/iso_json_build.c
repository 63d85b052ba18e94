/* iso_json_build.c - Message JSON to bytes.
 *
 * Values live in an arena until the message is built. Depth is bounded by ISO_DEPTH_MAX. */
#include "ctl/iso_json.h"
#include "iso8583/arena.h"
#include "iso8583/frame.h"

#include <stdio.h>
#include <stdlib.h>

struct writing {
    const struct iso_dialect *dialect;
    struct arena arena;
    struct iso_fault *fault;
    char path[ISO_PATH_BYTES];
};

static bool take_value(struct writing *writing, const struct iso_node *node,
                       const struct iso_node *within, const json_t *json, uint32_t depth,
                       struct iso_value *value);
static void fill_fault(struct iso_fault *fault, enum iso_err code, const char *path,
                       const char *text);

static bool refuse(struct writing *writing, enum iso_err code, const char *text)
{
    fill_fault(writing->fault, code, writing->path, text);
    return false;
}

static void fill_fault(struct iso_fault *fault, enum iso_err code, const char *path,
                       const char *text)
{
    *fault = (struct iso_fault){.code = code};
    (void)snprintf(fault->path, sizeof fault->path, "%s", path);
    (void)snprintf(fault->text, sizeof fault->text, "%s", text);
    fault->de = (uint16_t)strtoul(path, NULL, 10);
}

/* --- values --- */

/* The key of a path, pushed; returns where to cut it off again. */
static size_t push(struct writing *writing, const char *key)
{
    size_t size = strlen(writing->path);
    (void)snprintf(writing->path + size, sizeof writing->path - size, "%s%s", size > 0 ? "." : "",
                   key);
    return size;
}

static bool take_text(struct writing *writing, const struct iso_node *node, const json_t *json,
                      struct iso_value *value)
{
    const char *text = json_string_value(json);
    size_t size = json_string_length(json);
    *value = (struct iso_value){.form = ISO_FORM_CANONICAL};
    if (size > ISO_VALUE_TEXT_MAX) {
        return refuse(writing, ISO_VALUE_LONG, "the value is longer than any message");
    }
    if (!iso_node_is_binary(node)) {
        value->data = arena_copy(&writing->arena, text, size);
        value->size = (uint32_t)size;
        return true;
    }
    uint8_t *bytes = arena_take(&writing->arena, size / 2 + 1);
    size_t count;
    if (!bytes_from_hex(text, size, bytes, size / 2 + 1, &count)) {
        return refuse(writing, ISO_HEX, "bytes are an even number of hexadecimal characters");
    }
    value->data = bytes;
    value->size = (uint32_t)count;
    return true;
}

/* The form of a part: the dialect's, that of unknown tags, or of what stands behind a bitmap's. */
static const struct iso_node *part_node(const struct iso_node *node, const char *key)
{
    const struct iso_node *child = iso_node_child_key(node, key, strlen(key));
    if (child == NULL && node->composite.kind == ISO_COMPOSITE_TLV) {
        return node->composite.unknown;
    }
    bool is_rest = node->composite.rest != NULL && strcmp(key, "rest") == 0;
    return child == NULL && is_rest ? node->composite.rest : child;
}

static bool take_part(struct writing *writing, const struct iso_node *node, const char *key,
                      const json_t *json, uint32_t depth, struct iso_part *part)
{
    const struct iso_node *child = part_node(node, key);
    size_t cut = push(writing, key);
    part->key = arena_copy(&writing->arena, key, strlen(key));
    part->key_size = (uint32_t)strlen(key);
    if (child == NULL) {
        return refuse(writing, ISO_SUBFIELD_UNKNOWN, "the dialect has no such sub-field");
    }
    if (!take_value(writing, child, node, json, depth + 1, &part->value)) {
        return false;
    }
    writing->path[cut] = 0;
    return true;
}

static bool take_object(struct writing *writing, const struct iso_node *node, const json_t *json,
                        uint32_t depth, struct iso_value *value)
{
    size_t count = json_is_array(json) ? json_array_size(json) : json_object_size(json);
    struct iso_part *parts = arena_take(&writing->arena, (count + 1) * sizeof *parts);
    uint32_t used = 0;
    if (json_is_array(json)) {
        for (size_t i = 0; i < count; i++) {
            const json_t *pair = json_array_get(json, i);
            const char *key = json_string_value(json_array_get(pair, 0));
            if (key == NULL || json_array_size(pair) != 2) {
                return refuse(writing, ISO_VALUE_FORM, "an array of [tag, value] belongs here");
            }
            if (!take_part(writing, node, key, json_array_get(pair, 1), depth, &parts[used++])) {
                return false;
            }
        }
    } else {
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)(uintptr_t)json, key, member)
        {
            if (!take_part(writing, node, key, member, depth, &parts[used++])) {
                return false;
            }
        }
    }
    *value = (struct iso_value){.data = parts, .size = used, .form = ISO_FORM_PARTS};
    return true;
}

/* A constructed BER object that the dialect does not describe has the forms of what holds it: its
 * parts are built alone, and stand as its bytes. */
static bool take_constructed(struct writing *writing, const struct iso_node *within,
                             const json_t *json, uint32_t depth, struct iso_value *value)
{
    struct iso_node *form = arena_take(&writing->arena, sizeof *form);
    uint8_t *bytes = arena_take(&writing->arena, ISO_MESSAGE_BYTES_MAX);
    struct iso_value parts;
    size_t size;
    *form = *within;
    form->length = (struct iso_length){.encoding = ISO_LEN_REST, .unit = within->length.unit};
    form->min = form->group = 0;
    form->max = ISO_MESSAGE_BYTES_MAX;
    if (!take_object(writing, within, json, depth, &parts)) {
        return false;
    }
    if (iso_build_value(writing->dialect, form, &parts, bytes, ISO_MESSAGE_BYTES_MAX, &size,
                        writing->fault) != ISO_OK) {
        return false;
    }
    if (form->encoding == ISO_ENC_HEX) {
        size_t count;
        uint8_t *decoded = arena_take(&writing->arena, size / 2 + 1);
        if (!bytes_from_hex((const char *)bytes, size, decoded, size / 2 + 1, &count)) {
            return refuse(writing, ISO_VALUE_FORM, "its parts do not make whole bytes");
        }
        bytes = decoded;
        size = count;
    }
    *value = (struct iso_value){.data = bytes, .size = (uint32_t)size, .form = ISO_FORM_CANONICAL};
    return true;
}

static bool take_value(struct writing *writing, const struct iso_node *node,
                       const struct iso_node *within, const json_t *json, uint32_t depth,
                       struct iso_value *value)
{
    if (depth > ISO_DEPTH_MAX) {
        return refuse(writing, ISO_VALUE_FORM, "nested too deeply");
    }
    if (json_is_string(json)) {
        return take_text(writing, node, json, value);
    }
    if ((json_is_object(json) || json_is_array(json)) &&
        node->composite.kind != ISO_COMPOSITE_NONE) {
        return take_object(writing, node, json, depth, value);
    }
    if ((json_is_object(json) || json_is_array(json)) && within != NULL &&
        within->composite.tag.is_ber) {
        return take_constructed(writing, within, json, depth, value);
    }
    return refuse(writing, ISO_VALUE_FORM,
                  node->composite.kind != ISO_COMPOSITE_NONE
                      ? "a string, or an object of sub-fields, belongs here"
                      : "a string belongs here");
}

/* --- the message --- */

static bool take_header(struct writing *writing, const json_t *json, struct iso_draft *draft)
{
    size_t size = json_string_length(json), count;
    (void)snprintf(writing->path, sizeof writing->path, "header");
    if (!json_is_string(json)) {
        return refuse(writing, ISO_HEADER, "the header is hexadecimal text");
    }
    uint8_t *bytes = arena_take(&writing->arena, size / 2 + 1);
    if (size > ISO_VALUE_TEXT_MAX ||
        !bytes_from_hex(json_string_value(json), size, bytes, size / 2 + 1, &count)) {
        return refuse(writing, ISO_HEADER, "the header is hexadecimal text");
    }
    draft->header = (struct span){bytes, (uint32_t)count};
    return true;
}

static bool take_field(struct writing *writing, const char *key, const json_t *json,
                       struct iso_draft *draft)
{
    char *rest;
    unsigned long de = strtoul(key, &rest, 10);
    (void)snprintf(writing->path, sizeof writing->path, "%s", key);
    bool is_number = key[0] >= '1' && key[0] <= '9' && *rest == 0 && de <= ISO_FIELDS_MAX;
    const struct iso_node *node =
        is_number && de > 1 ? iso_dialect_field(writing->dialect, (uint32_t)de) : NULL;
    if (node == NULL) {
        return refuse(writing, ISO_FIELD_UNBUILDABLE, iso_err_text(ISO_FIELD_UNBUILDABLE));
    }
    struct iso_value value;
    if (!take_value(writing, node, NULL, json, 0, &value)) {
        return false;
    }
    draft->values[de] = value;
    draft->present[(de - 1) >> 6] |= UINT64_C(1) << (63 - ((de - 1) & 63));
    return true;
}

/* "wire": the bytes of a field as they stood, taken while they say what the field says. */
static void take_wire(struct writing *writing, const char *key, const json_t *json,
                      const json_t *field, struct iso_draft *draft)
{
    uint32_t de = (uint32_t)strtoul(key, NULL, 10);
    const char *hex = json_string_value(json_array_get(json, 0));
    json_int_t count = json_integer_value(json_array_get(json, 1));
    size_t size;
    if (field == NULL || hex == NULL || de == 0 || de > ISO_FIELDS_MAX ||
        !iso_draft_has(draft, de) || count < 0 || count > UINT16_MAX ||
        strlen(hex) > ISO_VALUE_TEXT_MAX) {
        return;
    }
    uint8_t *bytes = arena_take(&writing->arena, strlen(hex) / 2 + 1);
    if (!bytes_from_hex(hex, strlen(hex), bytes, strlen(hex) / 2 + 1, &size)) {
        return;
    }
    struct iso_draft *alone = arena_take(&writing->arena, sizeof *alone);
    struct iso_msg *msg = arena_take(&writing->arena, sizeof *msg);
    uint8_t *out = arena_take(&writing->arena, ISO_MESSAGE_BYTES_MAX);
    struct iso_layout layout;
    char number[12];
    (void)snprintf(number, sizeof number, "%u", de);
    *alone = *draft;
    memset(alone->present, 0, sizeof alone->present);
    iso_draft_wire(alone, de, (struct span){bytes, (uint32_t)size}, (uint16_t)count);
    if (iso_build(writing->dialect, alone, out, ISO_MESSAGE_BYTES_MAX, &layout, NULL) != ISO_OK ||
        iso_parse(writing->dialect, (struct span){out, layout.size}, msg, NULL) != ISO_OK) {
        return;
    }
    msg->complete = false; /* its values alone */
    json_t *read = iso_json_from_msg(writing->dialect, msg, true);
    if (json_equal(json_object_get(json_object_get(read, "fields"), number), field)) {
        iso_draft_wire(draft, de, (struct span){bytes, (uint32_t)size}, (uint16_t)count);
    }
    json_decref(read);
}

static bool take_message(struct writing *writing, const json_t *message, struct iso_draft *draft)
{
    const json_t *mti = json_object_get(message, "mti"), *fields, *extra;
    const char *key;
    json_t *member;
    if (!json_is_object(message) || json_string_length(mti) != 4) {
        (void)snprintf(writing->path, sizeof writing->path, "mti");
        return refuse(writing, ISO_MTI, "mti: four characters");
    }
    iso_draft_init(draft, json_string_value(mti));
    json_object_foreach((json_t *)(uintptr_t)message, key, member)
    {
        static const char *const known[] = {"mti", "header", "fields", "bitmaps", "bit1", "wire"};
        bool is_known = false;
        for (size_t i = 0; i < countof(known); i++) {
            is_known = is_known || strcmp(key, known[i]) == 0;
        }
        if (!is_known) {
            writing->path[0] = 0;
            return refuse(writing, ISO_VALUE_FORM,
                          "a message has mti, header, fields, and bitmaps, bit1, wire");
        }
    }
    extra = json_object_get(message, "header");
    if (extra != NULL && !take_header(writing, extra, draft)) {
        return false;
    }
    fields = json_object_get(message, "fields");
    writing->path[0] = 0;
    if (fields != NULL && !json_is_object(fields)) {
        return refuse(writing, ISO_VALUE_FORM, "fields is an object");
    }
    json_object_foreach((json_t *)(uintptr_t)fields, key, member)
    {
        if (!take_field(writing, key, member, draft)) {
            return false;
        }
    }
    extra = json_object_get(message, "bitmaps");
    json_int_t blocks = json_integer_value(extra);
    draft->blocks_min = (uint8_t)(blocks >= 0 && blocks <= 3 ? blocks : 0);
    extra = json_object_get(message, "bit1");
    draft->keep_bit1 = json_is_boolean(extra);
    draft->bit1_set = json_is_true(extra);
    json_object_foreach(json_object_get(message, "wire"), key, member)
    {
        take_wire(writing, key, member, json_object_get(fields, key), draft);
    }
    return true;
}

enum iso_err iso_json_build(const struct iso_dialect *dialect, const json_t *message, uint8_t *out,
                            size_t out_room, uint32_t *out_size, struct iso_fault *fault)
{
    struct writing writing = {.dialect = dialect, .fault = fault};
    struct iso_draft *draft = calloc(1, sizeof *draft);
    struct iso_layout layout;
    must(draft != NULL);
    enum iso_err err;
    if (!take_message(&writing, message, draft)) {
        err = fault->code;
    } else {
        err = iso_build(dialect, draft, out, out_room, &layout, fault);
        if (err == ISO_OK) {
            *out_size = layout.size;
        }
    }
    arena_free(writing.arena.blocks);
    free(draft);
    return err;
}

json_t *iso_json_encode(const struct iso_dialect *dialect, const char *text, size_t text_size,
                        const char *frame, uint8_t *out, uint32_t *out_size)
{
    json_error_t error;
    struct iso_fault fault = {0};
    uint8_t *message = malloc(ISO_MESSAGE_BYTES_MAX);
    must(message != NULL);
    json_t *json = json_loadb(text, text_size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    json_t *answer = NULL;
    uint32_t size = 0, prefix = 0;
    struct iso_framing framing;
    if (json == NULL) {
        char *near = strstr(error.text, " near "); /* what stood there may be a card number */
        if (near != NULL) {
            *near = 0;
        }
        answer = iso_json_error("json", "", (uint32_t)(error.position > 0 ? error.position : 0),
                                error.text, NULL);
    } else if (iso_json_build(dialect, json, message, ISO_MESSAGE_BYTES_MAX, &size, &fault) !=
               ISO_OK) {
        answer = iso_json_fault(&fault, NULL);
    } else if (frame != NULL && iso_framing_by_name(frame, &framing)) {
        framing.size_max = ISO_MESSAGE_BYTES_MAX;
        prefix = iso_frame_put(&framing, size, out);
        if (prefix == 0) {
            answer = iso_json_error("frame_long", "", 0, iso_err_text(ISO_FRAME_LONG), NULL);
        }
    }
    if (answer == NULL) {
        memcpy(out + prefix, message, size);
        *out_size = prefix + size;
    }
    json_decref(json);
    free(message);
    return answer;
}
