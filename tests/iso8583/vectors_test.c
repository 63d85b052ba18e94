/* vectors_test.c - published messages of other projects, where they are at hand.
 *
 * RS_VECTORS names a folder with iso8583.json: entries {id, kind, spec, hex, fields, use}; each is
 * read by a dialect made from its spec, compared field by field, built again, and cut at every
 * byte. */
#include "support.h"

#include <jansson.h>
#include <stdarg.h>

static uint32_t number_of(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static json_t *load_entries(void)
{
    const char *folder = getenv("RS_VECTORS");
    char path[1024];
    if (folder == NULL)
        return NULL;
    (void)snprintf(path, sizeof(path), "%s/iso8583.json", folder);
    return json_load_file(path, 0, NULL);
}

struct text {
    char data[65536];
    size_t used;
};
static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size =
        vsnprintf(text->data + text->used, sizeof(text->data) - text->used, format, arguments);
    va_end(arguments);
    text->used += (size_t)size;
    cr_assert_lt(text->used, sizeof(text->data));
}

static const struct {
    const char *name, *class, *encoding, *filler;
} encodings[] = {
    {"a", "any", "ascii", NULL},        {"l1", "any", "latin1", NULL},
    {"e500", "any", "ebcdic500", NULL}, {"e1047", "any", "ebcdic1047", NULL},
    {"e037", "any", "ebcdic037", NULL}, {"x", "b", "binary", NULL},
    {"xa", "b", "hex", NULL},           {"xe", "b", "hex-ebcdic", NULL},
    {"n", "n", "packed", "left 0"},     {"nr", "n", "packed", "right 0"},
    {"nrF", "n", "packed", "right F"},  {"nlF", "n", "packed", "left F"},
    {"nn", "n", "packed", "none"},      {"zn", "z", "packed", "left 0"},
    {"znr", "z", "packed", "right 0"},  {"sn", "x+n", "packed", "left 0"},
};

/* "a A2..19 u=2" to the members of a field. */
static void add_form(struct text *text, const char *spec)
{
    char encoding[16], size[32], extra[16] = "";
    cr_assert_geq(sscanf(spec, "%15s %31s %15s", encoding, size, extra), 2, "%s", spec);
    size_t row = 0;
    while (row < countof(encodings) && strcmp(encodings[row].name, encoding) != 0)
        row++;
    cr_assert_lt(row, countof(encodings), "%s", spec);
    char *dots = strstr(size, "..");
    if (dots == NULL) {
        add(text, "form: %s %s", encodings[row].class, size);
    } else {
        static const char *const kinds[] = {"ascii", "ebcdic", "packed", "binary"};
        uint32_t kind = size[0] == 'A' ? 0 : size[0] == 'E' ? 1 : size[0] == 'D' ? 2 : 3;
        uint32_t width = number_of(size + 1), most = number_of(dots + 2);
        uint64_t reach = 1;
        for (uint32_t i = 0; i < width; i++)
            reach *= kind == 3 ? 256 : 10;
        if (most >= reach)
            most = (uint32_t)reach - 1;
        add(text, "form: VAR %s ..%u, length: %s %u", encodings[row].class, most, kinds[kind],
            width);
    }
    add(text, ", encoding: %s", encodings[row].encoding);
    if (encodings[row].filler != NULL)
        add(text, ", filler: %s", encodings[row].filler);
    if (strcmp(extra, "u=2") == 0)
        add(text, ", counts: nibbles");
}

static void add_bitmap(struct text *text, json_t *bitmap)
{
    const char *names[3] = {"b8", NULL, NULL};
    size_t count = json_is_array(bitmap) ? json_array_size(bitmap) : 1;
    bool always = false;
    for (size_t i = 0; i < count; i++)
        names[i] = json_string_value(json_is_array(bitmap) ? json_array_get(bitmap, i) : bitmap);
    add(text, "bitmap: {encoding: [");
    for (size_t i = 0; i < count; i++) {
        add(text, "%s%s", i > 0 ? ", " : "",
            strncmp(names[i], "ha", 2) == 0   ? "hex"
            : strncmp(names[i], "he", 2) == 0 ? "hex-ebcdic"
                                              : "binary");
        always = always || strchr(names[i], '!') != NULL;
    }
    add(text, "], tertiary: contiguous, secondary: %s}\n", always ? "always" : "announced");
}

static struct iso_dialect *dialect_of(json_t *spec)
{
    static struct text text;
    const char *mti = json_string_value(json_object_get(spec, "mti"));
    const char *header = json_string_value(json_object_get(spec, "header")), *key;
    json_t *field;
    text.used = 0;
    add(&text, "dialect: test\n");
    add(&text, "mti: {encoding: %s, any: %s}\n",
        mti[0] == 'n'                   ? "packed"
        : strncmp(mti, "e1047", 5) == 0 ? "ebcdic1047"
        : strncmp(mti, "e500", 4) == 0  ? "ebcdic500"
                                        : "ascii",
        mti[0] == 'a' ? "true" : "false");
    if (header != NULL)
        add(&text, "header: {kind: fixed, size: %s}\n", strchr(header, ' ') + 1);
    add_bitmap(&text, json_object_get(spec, "bitmap"));
    add(&text, "fields:\n");
    json_object_foreach(json_object_get(spec, "fields"), key, field)
    {
        add(&text, "  %s: {", key);
        add_form(&text, json_string_value(field));
        add(&text, "}\n");
    }
    if (json_object_size(json_object_get(spec, "fields")) == 0)
        add(&text, "  2: {form: n 1}\n");
    struct iso_report report = {0};
    struct iso_dialect *dialect =
        iso_dialect_load_text(text.data, text.used, "vector.yaml", NULL, &report);
    cr_assert_not_null(dialect, "%s\n%s", report.texts[0], text.data);
    return dialect;
}

static const char *hex_or_text(bool hex, const char *bytes, size_t size, char out[8192])
{
    if (hex) {
        bytes_to_hex((const uint8_t *)bytes, size, out);
    } else {
        memcpy(out, bytes, size);
        out[size] = '\0';
    }
    return out;
}

static void check_fields(const char *id, const struct iso_dialect *dialect,
                         const struct iso_msg *msg, json_t *fields)
{
    const char *key;
    json_t *value;
    uint32_t count = 0;
    json_object_foreach(fields, key, value)
    {
        char bytes[4096], text[8192];
        size_t size;
        uint32_t de = number_of(key);
        if (strcmp(key, "0") == 0) {
            cr_expect_eq(memcmp(msg->mti, json_string_value(value), 4), 0, "%s", id);
            continue;
        }
        if (strcmp(key, "h") == 0)
            continue;
        count++;
        cr_assert(iso_msg_text(dialect, msg, de, bytes, sizeof(bytes), &size), "%s %s", id, key);
        (void)hex_or_text(iso_node_is_binary(iso_dialect_field(dialect, de)), bytes, size, text);
        cr_expect_str_eq(text, json_string_value(value), "%s %s: %s", id, key, text);
    }
    for (uint32_t de = iso_msg_next(msg, 0); de != 0; de = iso_msg_next(msg, de))
        count--;
    cr_expect_eq(count, 0, "%s", id);
}

static void check_build(const char *id, const struct iso_dialect *dialect, json_t *fields,
                        const struct bytes *frame)
{
    static struct iso_draft draft;
    static char values[ISO_FIELDS_MAX + 1][2048];
    uint8_t header[ISO_HEADER_BYTES_MAX], out[4096];
    const char *key;
    json_t *value;
    iso_draft_init(&draft, json_string_value(json_object_get(fields, "0")));
    json_object_foreach(fields, key, value)
    {
        const char *text = json_string_value(value);
        uint32_t de = number_of(key);
        size_t size = strlen(text);
        if (strcmp(key, "h") == 0) {
            uint32_t expected = iso_dialect_header(dialect)->size;
            if (size == expected)
                memcpy(header, text, size);
            else
                cr_assert(bytes_from_hex(text, size, header, sizeof(header), &size));
            draft.header = (struct span){header, expected};
            continue;
        }
        if (de == 0)
            continue;
        if (iso_node_is_binary(iso_dialect_field(dialect, de)))
            cr_assert(bytes_from_hex(text, size, (uint8_t *)values[de], sizeof(values[de]), &size));
        else
            memcpy(values[de], text, size);
        iso_draft_text(&draft, de, values[de], (uint32_t)size);
    }
    struct iso_layout layout;
    struct iso_fault fault;
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK, "%s %s %s",
                 id, fault.path, fault.text);
    char text[8193];
    bytes_to_hex(out, layout.size, text);
    cr_expect(layout.size == frame->size && memcmp(out, frame->data, frame->size) == 0, "%s: %s",
              id, text);
}

static void check_relay(const char *id, const struct iso_dialect *dialect,
                        const struct iso_msg *msg, const struct bytes *frame)
{
    static struct iso_draft draft;
    struct iso_layout layout;
    uint8_t out[4096];
    char text[8193];
    iso_draft_from_msg(&draft, msg);
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, NULL), ISO_OK, "%s", id);
    bytes_to_hex(out, layout.size, text);
    /* A lower-case hexadecimal bitmap comes out in capitals: the one thing that is made canonical.
     */
    bool same = layout.size == frame->size;
    for (uint32_t i = 0; same && i < layout.size; i++) {
        bool in_map = i >= msg->bitmap_offset && i < msg->bitmap_offset + 48u;
        same = out[i] == frame->data[i] ||
               (in_map && out[i] >= 'A' && out[i] <= 'F' && (out[i] | 0x20) == frame->data[i]);
    }
    cr_expect(same, "%s: %s", id, text);
}

static void check_cuts(const struct iso_dialect *dialect, const struct bytes *frame)
{
    for (uint32_t size = 0; size < frame->size; size++) {
        struct iso_msg msg;
        struct iso_fault fault = {0};
        uint8_t *cut = malloc(size > 0 ? size : 1);
        memcpy(cut, frame->data, size);
        enum iso_err err = iso_parse(dialect, (struct span){cut, size}, &msg, &fault);
        cr_expect_neq(err, ISO_OK);
        cr_expect_leq(fault.offset, size);
        free(cut);
    }
}

Test(vectors, messages)
{
    json_t *entries = load_entries(), *entry;
    size_t index, messages = 0, negatives = 0;
    if (entries == NULL)
        cr_skip_test("RS_VECTORS is not set");
    json_array_foreach(entries, index, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        bool negative = strcmp(kind, "negative") == 0;
        if (!negative && strcmp(kind, "message") != 0)
            continue;
        struct iso_dialect *dialect = dialect_of(json_object_get(entry, "spec"));
        struct bytes frame = bytes_of(json_string_value(json_object_get(entry, "hex")));
        json_t *fields = json_object_get(entry, "fields"), *use = json_object_get(entry, "use");
        static struct iso_msg msg;
        struct iso_fault fault = {0};
        enum iso_err err = iso_parse(dialect, span_of(&frame), &msg, &fault);
        if (negative) {
            cr_expect_neq(err, ISO_OK, "%s", id);
            negatives++;
        } else {
            cr_expect_eq(err, ISO_OK, "%s: %s %u %s", id, fault.path, fault.offset, fault.text);
            messages++;
            if (err == ISO_OK) {
                check_fields(id, dialect, &msg, fields);
                check_relay(id, dialect, &msg, &frame);
                check_cuts(dialect, &frame);
                if (json_array_size(use) == 2)
                    check_build(id, dialect, fields, &frame);
            }
        }
        iso_dialect_free(dialect);
    }
    cr_log_info("%zu messages, %zu negatives", messages, negatives);
    cr_assert_gt(messages, 100);
    cr_assert_gt(negatives, 20);
    json_decref(entries);
}

/* Field entries: a BER-TLV field behind a length, a lone length or tag, a packed value. */
static void check_tlv_field(const char *id, struct bytes value, json_t *fields, bool prefixed)
{
    char form[64], text[1024];
    if (prefixed)
        (void)snprintf(form, sizeof(form), "VAR b ..999, length: ascii 3");
    else
        (void)snprintf(form, sizeof(form), "b %u", value.size);
    (void)snprintf(
        text, sizeof(text),
        "dialect: t\nfields:\n  55: {form: %s, of: ber, parts: {9F3B: {form: VAR b ..255, "
        "of: ber}}}\n",
        form);
    struct iso_dialect *dialect = dialect_text(text);
    struct bytes frame = bytes_of("'0100' 0000000000000200");
    memcpy(frame.data + frame.size, value.data, value.size);
    frame.size += value.size;
    struct iso_msg msg;
    struct iso_fault fault = {0};
    cr_assert_eq(iso_parse(dialect, span_of(&frame), &msg, &fault), ISO_OK, "%s: %s %s", id,
                 fault.path, fault.text);
    const char *key;
    json_t *member;
    json_object_foreach(fields, key, member)
    {
        struct iso_item item;
        char path[64], hex[1024], inner[128];
        const char *want = json_string_value(member);
        (void)snprintf(path, sizeof(path), "55.%s", key);
        if (json_is_object(member)) {
            void *first = json_object_iter(member);
            (void)snprintf(inner, sizeof(inner), "%s.%s", path, json_object_iter_key(first));
            (void)snprintf(path, sizeof(path), "%.63s", inner);
            want = json_string_value(json_object_iter_value(first));
        }
        cr_assert(iso_msg_find(dialect, &msg, path, &item), "%s %s", id, path);
        bytes_to_hex(frame.data + item.at.offset, item.at.size, hex);
        cr_expect_str_eq(hex, want, "%s %s", id, path);
    }
    iso_dialect_free(dialect);
}

Test(vectors, fields)
{
    json_t *entries = load_entries(), *entry;
    size_t index, count = 0;
    if (entries == NULL)
        cr_skip_test("RS_VECTORS is not set");
    json_array_foreach(entries, index, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        const char *name =
            json_string_value(json_object_get(json_object_get(entry, "spec"), "name"));
        json_t *fields = json_object_get(entry, "fields");
        struct bytes value = bytes_of(json_string_value(json_object_get(entry, "hex")));
        bool negative = strcmp(kind, "negative-field") == 0;
        if (!negative && strcmp(kind, "field") != 0)
            continue;
        count++;
        if (strstr(name, "LLL + BER") != NULL || strstr(name, "DE55") != NULL) {
            check_tlv_field(id, value, fields, strstr(name, "LLL") != NULL);
        } else if (strstr(name, "packed BCD") != NULL) {
            struct iso_dialect *dialect = dialect_text(
                "dialect: t\nfields: {3: {form: n 3, encoding: packed, filler: right 0}}");
            char text[8];
            size_t size;
            cr_assert(iso_value_text(dialect, iso_dialect_field(dialect, 3), span_of(&value), 3,
                                     text, sizeof(text), &size));
            cr_expect(size == 3 && memcmp(text, "123", 3) == 0, "%s", id);
            iso_dialect_free(dialect);
        } else {
            /* A tag alone is read with a length behind it, a length alone with a tag before it. */
            bool is_tag = strstr(name, "tag") != NULL;
            static uint8_t data[70000];
            uint32_t position = 0, size = 0;
            struct iso_tlv tlv;
            if (!is_tag)
                data[size++] = 0x5A;
            memcpy(data + size, value.data, value.size);
            size += value.size;
            if (is_tag && !negative)
                data[size++] = 0;
            uint32_t total = is_tag || negative ? size : (uint32_t)sizeof(data);
            enum iso_err err = iso_tlv_next((struct span){data, total}, &position, &tlv);
            cr_expect_eq(err != ISO_OK, negative, "%s", id);
            if (err != ISO_OK)
                continue;
            char text[16];
            uint8_t again[8];
            if (is_tag) {
                (void)snprintf(text, sizeof(text), "%X", tlv.tag);
                cr_expect_str_eq(text, json_string_value(json_object_get(fields, "tag")), "%s", id);
                cr_expect_eq(iso_tlv_put_tag(tlv.tag, again), value.size);
            } else {
                (void)snprintf(text, sizeof(text), "%u", tlv.value.size);
                cr_expect_str_eq(text, json_string_value(json_object_get(fields, "length")), "%s",
                                 id);
                cr_expect_eq(iso_tlv_put_length(tlv.value.size, again), value.size);
            }
            cr_expect_eq(memcmp(again, value.data, value.size), 0, "%s", id);
        }
    }
    cr_assert_geq(count, 19);
    json_decref(entries);
}

Test(vectors, frames)
{
    json_t *entries = load_entries(), *entry;
    size_t index, count = 0;
    if (entries == NULL)
        cr_skip_test("RS_VECTORS is not set");
    json_array_foreach(entries, index, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        const char *name =
            json_string_value(json_object_get(json_object_get(entry, "spec"), "name"));
        bool negative = strcmp(kind, "negative-frame") == 0;
        if ((!negative && strcmp(kind, "frame") != 0) || strstr(name, "TPDU") != NULL)
            continue;
        count++;
        enum iso_framing_kind framing_kind = strstr(name, "VMLH") != NULL    ? ISO_FRAMING_VMLH
                                             : strstr(name, "BCD") != NULL   ? ISO_FRAMING_PACKED2
                                             : strstr(name, "ASCII") != NULL ? ISO_FRAMING_ASCII4
                                                                             : ISO_FRAMING_BINARY2;
        struct iso_framing framing = {framing_kind, 8192};
        struct bytes prefix = bytes_of(json_string_value(json_object_get(entry, "hex")));
        struct iso_frame frame;
        enum iso_frame_result result = iso_frame_next(&framing, span_of(&prefix), &frame);
        if (negative) {
            cr_expect_eq(result, ISO_FRAME_BAD, "%s", id);
            continue;
        }
        json_t *fields = json_object_get(entry, "fields");
        uint32_t length = number_of(json_string_value(json_object_get(fields, "length")));
        uint32_t head = iso_frame_prefix_size(&framing);
        if (prefix.size == head) {
            cr_expect_eq(result, ISO_FRAME_NEED_MORE, "%s", id);
            cr_expect_eq(frame.need, head + length, "%s", id);
        } else {
            cr_expect_eq(result, ISO_FRAME_WHOLE, "%s", id);
            cr_expect_eq(frame.message.size, length, "%s", id);
        }
        const char *control = json_string_value(json_object_get(fields, "session_control"));
        if (control != NULL)
            cr_expect_eq(frame.session_control, strcmp(control, "true") == 0, "%s", id);
        uint8_t again[4];
        if (control == NULL || strcmp(control, "true") != 0) {
            cr_expect_eq(iso_frame_put(&framing, length, again), head);
            cr_expect_eq(memcmp(again, prefix.data, head), 0, "%s", id);
        }
    }
    cr_assert_geq(count, 8);
    json_decref(entries);
}
