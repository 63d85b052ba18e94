/* spec_moov.c - reads the JSON of a moov-io/iso8583 message specification.
 *
 * {"name":…,"fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed",
 * "padding":{"type":"Left","pad":"0"}},…}}. Field 0 is the MTI, 1 the bitmap. A Composite has
 * subfields and a tag (with an encoding: TLV; without: positional) or a bitmap. */
#include "ctl/spec.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 6u

struct moov {
    const char *text, *file;
    size_t size;
    struct text *out;
    struct iso_report *report;
    const char *path[2 * DEPTH_MAX + 4]; /* keys down to the field */
    uint32_t depth;
};

struct order { /* a member of an object, by number or as it stands */
    const char *key;
    json_t *value;
};

static void add_field(struct moov *moov, const json_t *field, uint32_t indent, bool in_tlv);

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* path: "fields" "48" "subfields" "01" is told as field 48.01. */
static void complain(struct moov *moov, const json_t *field, const char *what, const char *value)
{
    uint32_t line, column;
    char name[128] = "";
    for (uint32_t i = 1; i < moov->depth; i += 2) {
        size_t used = strlen(name);
        (void)snprintf(name + used, sizeof name - used, "%s%s", i > 1 ? "." : "", moov->path[i]);
    }
    spec_place(moov->text, spec_json_offset(moov->text, moov->size, moov->path, moov->depth), &line,
               &column);
    iso_report_add(moov->report, moov->file, line, column, "field %s of type %s: %s%s%s", name,
                   text_of(field, "type"), what, value[0] != 0 ? " " : "", value);
}

static void add_indent(struct moov *moov, uint32_t indent)
{
    text_add(moov->out, "%*s", (int)indent, "");
}

static const struct encoding {
    const char *name, *text, *digits; /* as text, as digits */
    const char *filler;
} encodings[] = {
    {"ASCII", "ascii", "ascii", NULL},
    {"EBCDIC", "ebcdic037", "ebcdic037", NULL},
    {"EBCDIC1047", "ebcdic1047", "ebcdic1047", NULL},
    {"BCD", NULL, "packed", "left 0"},
    {"LBCD", NULL, "packed", "right 0"},
    {"Binary", "binary", NULL, NULL},
    {"HexToASCII", "hex", NULL, NULL},
    {"ASCIIToHex", "binary", NULL, NULL},
};

/* "ASCII.LL" to a length: "" is fixed; false: unknown. units: of what a value encodes to. */
static bool prefix_of(const char *prefix, const char *encoding, char out[48], uint32_t *reach)
{
    const struct {
        const char *name, *length, *width;
        uint32_t step;
    } kinds[] = {{"ASCII", "ascii", "", 10},
                 {"EBCDIC", "ebcdic", "", 10},
                 {"BCD", "packed", "", 10},
                 {"Binary", "binary", "", 256},
                 {"Hex", "hex", "", 256}};
    const char *dot = strchr(prefix, '.');
    out[0] = 0;
    *reach = 0;
    if (strcmp(prefix, "BerTLV") == 0) {
        (void)snprintf(out, 48, "ber");
        *reach = ISO_MESSAGE_BYTES_MAX;
        return true;
    }
    if (dot == NULL) {
        return false;
    }
    if (strcmp(dot, ".Fixed") == 0) {
        return true;
    }
    uint32_t letters = (uint32_t)strspn(dot + 1, "L");
    if (letters == 0 || letters > 6 || dot[1 + letters] != 0) {
        return false;
    }
    for (size_t i = 0; i < countof(kinds); i++) {
        size_t size = strlen(kinds[i].name);
        bool is_binary = strcmp(kinds[i].name, "Binary") == 0;
        if (strncmp(prefix, kinds[i].name, size) == 0 && prefix[size] == '.') {
            uint64_t most = 1;
            for (uint32_t k = 0; k < letters && most < 1000000; k++) {
                most *= kinds[i].step;
            }
            *reach = most > ISO_MESSAGE_BYTES_MAX ? ISO_MESSAGE_BYTES_MAX : (uint32_t)most - 1;
            (void)snprintf(out, 48, "%s %u%s", kinds[i].length,
                           strcmp(kinds[i].name, "Hex") == 0 ? letters * 2 : letters,
                           strcmp(encoding, "HexToASCII") == 0 ? " octets" : "");
            return !is_binary || letters <= 4;
        }
    }
    return false;
}

static void add_pad(struct moov *moov, const json_t *field, bool digits, bool bytes)
{
    const json_t *padding = json_object_get(field, "padding");
    const char *type = text_of(padding, "type"), *pad = text_of(padding, "pad");
    if (padding == NULL || strcmp(type, "None") == 0 || type[0] == 0) {
        text_add(moov->out, ", pad: none");
    } else if ((strcmp(type, "Left") != 0 && strcmp(type, "Right") != 0) || strlen(pad) != 1) {
        complain(moov, field, "no padding of this kind:", type);
    } else if (bytes) {
        text_add(moov->out, ", pad: %s 0x%02X", type[0] == 'L' ? "left" : "right",
                 (unsigned)(unsigned char)pad[0]);
    } else {
        (void)digits;
        text_add(moov->out, ", pad: \"%s %s\"", type[0] == 'L' ? "left" : "right",
                 pad[0] == ' ' ? "space" : pad);
    }
}

/* form, encoding, length, filler, pad as flow members. */
static void add_form(struct moov *moov, const json_t *field, bool in_tlv)
{
    const char *type = text_of(field, "type"), *enc = text_of(field, "enc");
    const char *prefix = text_of(field, "prefix");
    json_int_t length = json_integer_value(json_object_get(field, "length"));
    bool composite = strcmp(type, "Composite") == 0, track = strncmp(type, "Track", 5) == 0;
    char size[48];
    uint32_t reach, row = 0;
    const char *encoding = composite ? "Binary" : enc;
    while (row < countof(encodings) && strcmp(encodings[row].name, encoding) != 0) {
        row++;
    }
    if (row == countof(encodings)) {
        complain(moov, field, "no encoding", enc);
        return;
    }
    if (!prefix_of(prefix, encoding, size, &reach)) {
        complain(moov, field, "no prefix", prefix);
        return;
    }
    bool var = size[0] != 0;
    if (length < 0 || length > (json_int_t)ISO_MESSAGE_BYTES_MAX) {
        complain(moov, field, "a length is 0 to 65535", "");
        return;
    }
    uint32_t most = (uint32_t)length;
    most = var && (most > reach || most == 0) ? reach : most;
    bool packed = encodings[row].text == NULL;
    bool bytes = !packed && (strcmp(encodings[row].text, "binary") == 0 ||
                             strcmp(encodings[row].text, "hex") == 0);
    bool numeric = strcmp(type, "Numeric") == 0;
    const char *class = bytes                                                        ? "b"
                        : strcmp(type, "Track2") == 0 || strcmp(type, "Track3") == 0 ? "z"
                        : packed || numeric                                          ? "n"
                                                                                     : "any";
    if (packed && track && strcmp(type, "Track1") == 0) {
        complain(moov, field, "track 1 has letters:", enc);
    }
    if (in_tlv) {
        text_add(moov->out, "form: \"VAR %s ..%u\"", class, most);
    } else {
        text_add(moov->out, "form: \"%s%s %s%u\"", var ? "VAR " : "", class, var ? ".." : "", most);
        if (var) {
            text_add(moov->out, ", length: %s", size);
        }
    }
    text_add(moov->out, ", encoding: %s", packed ? "packed" : encodings[row].text);
    if (packed) {
        text_add(moov->out, ", filler: %s", encodings[row].filler);
    }
    if (!composite) {
        add_pad(moov, field, packed || numeric, bytes);
    }
}

/* --- composites --- */

static int by_number(const void *a, const void *b)
{
    long left = strtol(((const struct order *)a)->key, NULL, 10);
    long right = strtol(((const struct order *)b)->key, NULL, 10);
    return left < right ? -1 : left > right;
}

static struct order *members(const json_t *object, bool sort)
{
    struct order *out = calloc(json_object_size(object) + 1, sizeof *out);
    uint32_t count = 0;
    const char *key;
    json_t *value;
    must(out != NULL);
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        out[count++] = (struct order){key, value};
    }
    if (sort) {
        qsort(out, count, sizeof *out, by_number);
    }
    return out;
}

/* The one prefix of all tagged values; false: they differ. */
static bool tag_length(struct moov *moov, const json_t *field, char out[48])
{
    const json_t *subfields = json_object_get(field, "subfields");
    const char *key, *first = NULL;
    json_t *part;
    uint32_t reach;
    json_object_foreach((json_t *)(uintptr_t)subfields, key, part)
    {
        const char *prefix = text_of(part, "prefix");
        if (first != NULL && strcmp(first, prefix) != 0) {
            complain(moov, field, "tagged values have one kind of length, not also", prefix);
            return false;
        }
        first = prefix;
    }
    if (first == NULL || !prefix_of(first, "", out, &reach) || out[0] == 0) {
        complain(moov, field, "tagged values need a length, not", first != NULL ? first : "none");
        return false;
    }
    return true;
}

/* of, tags, …; *tlv: parts are tagged. */
static bool add_structure(struct moov *moov, const json_t *field, uint32_t indent, bool *tlv)
{
    const json_t *tag = json_object_get(field, "tag"), *bitmap = json_object_get(field, "bitmap");
    const char *enc = text_of(tag, "enc");
    json_int_t width = json_integer_value(json_object_get(tag, "length"));
    char length[48];
    *tlv = false;
    add_indent(moov, indent);
    if (bitmap != NULL) {
        bool hex = strcmp(text_of(bitmap, "enc"), "HexToASCII") == 0;
        json_int_t bytes = json_integer_value(json_object_get(bitmap, "length"));
        bytes = bytes == 0 ? 8 : bytes;
        if (bytes < 1 || bytes > 16 || (!hex && strcmp(text_of(bitmap, "enc"), "Binary") != 0)) {
            complain(moov, field, "its bitmap is Binary or HexToASCII, 1 to 16 bytes", "");
            return false;
        }
        if (!json_is_true(json_object_get(bitmap, "disableAutoExpand"))) {
            text_add(moov->out, "chained: true\n");
            add_indent(moov, indent);
        }
        text_add(moov->out, "of: bitmap\n");
        add_indent(moov, indent);
        text_add(moov->out, "map: %s %d\n", hex ? "hex" : "binary", (int)bytes);
        return true;
    }
    if (enc[0] == 0) {
        text_add(moov->out, "of: positional\n");
        add_indent(moov, indent);
        text_add(moov->out, "mandatory: 0\n");
        return true;
    }
    *tlv = true;
    if (!tag_length(moov, field, length)) {
        return false;
    }
    if (strcmp(enc, "BerTLVTag") == 0) {
        text_add(moov->out, "of: ber\n");
        if (strcmp(length, "ber") != 0) {
            add_indent(moov, indent);
            text_add(moov->out, "tag_lengths: %s\n", length);
        }
        return true;
    }
    const char *encoding = strcmp(enc, "ASCII") == 0        ? "ascii"
                           : strcmp(enc, "EBCDIC") == 0     ? "ebcdic037"
                           : strcmp(enc, "EBCDIC1047") == 0 ? "ebcdic1047"
                           : strcmp(enc, "BCD") == 0        ? "packed"
                           : strcmp(enc, "Binary") == 0     ? "binary"
                                                            : NULL;
    if (encoding == NULL || width < 1 || width > 8) {
        complain(moov, field, "no tags of encoding", enc);
        return false;
    }
    text_add(moov->out, "of: tlv\n");
    add_indent(moov, indent);
    text_add(moov->out, "tags: %s %d%s\n", encoding, (int)width,
             encoding[0] == 'a' || encoding[0] == 'e' ? " ans" : "");
    add_indent(moov, indent);
    text_add(moov->out, "tag_lengths: %s\n", length);
    if (!json_is_true(json_object_get(tag, "skipUnknownTLVTags")) &&
        !json_is_true(json_object_get(tag, "storeUnknownTLVTags"))) {
        add_indent(moov, indent);
        text_add(moov->out, "unknown: refuse\n");
    }
    return true;
}

static void add_parts(struct moov *moov, const json_t *field, uint32_t indent)
{
    bool tlv;
    if (!add_structure(moov, field, indent, &tlv)) {
        return;
    }
    const json_t *subfields = json_object_get(field, "subfields");
    if (json_object_size(subfields) == 0) {
        complain(moov, field, "it has no subfields", "");
        return;
    }
    add_indent(moov, indent);
    text_add(moov->out, "parts:\n");
    struct order *parts = members(subfields, !tlv);
    moov->path[moov->depth] = "subfields";
    for (struct order *part = parts; part->key != NULL; part++) {
        moov->path[moov->depth + 1] = part->key;
        moov->depth += 2;
        add_indent(moov, indent + 2);
        text_add_json(moov->out, part->key);
        text_add(moov->out, ":");
        add_field(moov, part->value, indent + 4, tlv);
        moov->depth -= 2;
    }
    free(parts);
}

/* The form that an export of ours wrote beside it, while encoding, prefix and length are the same:
 * "ENC PREFIX LENGTH {…}"; NULL: none. */
static const char *exact_form(const json_t *field)
{
    const char *form = text_of(field, "ringswitch");
    char head[96];
    int size = snprintf(head, sizeof head, "%.30s %.30s %d ", text_of(field, "enc"),
                        text_of(field, "prefix"),
                        (int)json_integer_value(json_object_get(field, "length")));
    return size > 0 && strncmp(form, head, (size_t)size) == 0 ? form + size : NULL;
}

static void add_field(struct moov *moov, const json_t *field, uint32_t indent, bool in_tlv)
{
    static const char *const types[] = {"String", "Numeric", "Binary", "Hex",
                                        "Track1", "Track2",  "Track3", "Composite"};
    const char *type = text_of(field, "type");
    bool known = false;
    for (size_t i = 0; i < countof(types); i++) {
        known = known || strcmp(types[i], type) == 0;
    }
    if (!known) {
        complain(moov, field, "no type of a field:", type);
        text_add(moov->out, "\n");
        return;
    }
    const char *exact = exact_form(field);
    if (exact != NULL) {
        text_add(moov->out, " %s\n", exact);
        return;
    }
    if (strcmp(type, "Composite") != 0) {
        text_add(moov->out, " {name: ");
        text_add_yaml(moov->out, text_of(field, "description"));
        text_add(moov->out, ", ");
        add_form(moov, field, in_tlv);
        text_add(moov->out, "}\n");
        return;
    }
    text_add(moov->out, "\n");
    if (moov->depth + 2 > countof(moov->path)) {
        complain(moov, field, "nested too deeply", "");
        return;
    }
    struct text form = {0}, *out = moov->out;
    moov->out = &form;
    add_form(moov, field, in_tlv);
    moov->out = out;
    add_indent(moov, indent);
    text_add(moov->out, "name: ");
    text_add_yaml(moov->out, text_of(field, "description"));
    text_add(moov->out, "\n");
    for (char *at = form.data; at != NULL && *at != 0;) {
        char *comma = strstr(at, ", ");
        size_t size = comma != NULL ? (size_t)(comma - at) : strlen(at);
        add_indent(moov, indent);
        text_add(moov->out, "%.*s\n", (int)size, at);
        at += comma != NULL ? size + 2 : size;
    }
    text_free(&form);
    add_parts(moov, field, indent);
}

/* --- the message --- */

static void add_head(struct moov *moov, const json_t *fields)
{
    const json_t *mti = json_object_get(fields, "0"), *map = json_object_get(fields, "1");
    const char *enc = text_of(mti, "enc"), *map_enc = text_of(map, "enc");
    const char *encoding = strcmp(enc, "ASCII") == 0        ? "ascii"
                           : strcmp(enc, "BCD") == 0        ? "packed"
                           : strcmp(enc, "EBCDIC") == 0     ? "ebcdic037"
                           : strcmp(enc, "EBCDIC1047") == 0 ? "ebcdic1047"
                                                            : NULL;
    moov->path[1] = "0";
    if (encoding == NULL || json_integer_value(json_object_get(mti, "length")) != 4 ||
        strstr(text_of(mti, "prefix"), ".Fixed") == NULL) {
        complain(moov, mti, "an MTI is four fixed characters or digits, not of encoding", enc);
    } else {
        text_add(moov->out, "mti: {encoding: %s, any: %s}\n", encoding,
                 strcmp(encoding, "packed") == 0 ? "false" : "true");
    }
    moov->path[1] = "1";
    json_int_t bytes = json_integer_value(json_object_get(map, "length"));
    bool fixed = json_is_true(json_object_get(map, "disableAutoExpand"));
    bool hex = strcmp(map_enc, "HexToASCII") == 0;
    if (strcmp(text_of(map, "type"), "Bitmap") != 0 || (!hex && strcmp(map_enc, "Binary") != 0)) {
        complain(moov, map, "a bitmap is Binary or HexToASCII, not", map_enc);
        return;
    }
    if (fixed && bytes != 8 && bytes != 16) {
        complain(moov, map, "without disableAutoExpand, or of 8 or 16 bytes", "");
    }
    bool has_65 = json_object_get(fields, "65") != NULL, high = false;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)fields, key, value)
    {
        high = high || strtol(key, NULL, 10) > 128;
    }
    text_add(moov->out, "bitmap: {encoding: %s, secondary: %s, tertiary: %s}\n",
             hex ? "hex" : "binary",
             !fixed        ? "announced"
             : bytes == 16 ? "always"
                           : "none",
             fixed || (has_65 && !high) ? "none" : "contiguous");
}

static void add_fields(struct moov *moov, const json_t *fields)
{
    bool high = false;
    struct order *order = members(fields, true);
    for (struct order *at = order; at->key != NULL; at++) {
        high = high || strtol(at->key, NULL, 10) > 128;
    }
    text_add(moov->out, "fields:\n");
    for (struct order *at = order; at->key != NULL; at++) {
        char *rest;
        long de = strtol(at->key, &rest, 10);
        moov->path[1] = at->key;
        if (*rest != 0 || de < 0 || de > (long)ISO_FIELDS_MAX) {
            complain(moov, at->value, "fields are numbered from 2 to 192", "");
        } else if (de > 1 && high && (de == 65 || de == 129)) {
            text_add(moov->out, "  # %ld announces a bitmap\n", de);
        } else if (de > 1) {
            text_add(moov->out, "  %ld:", de);
            add_field(moov, at->value, 4, false);
        }
    }
    free(order);
}

bool spec_import_moov(const char *text, size_t size, const char *file, struct text *out,
                      struct iso_report *report)
{
    struct moov moov = {text, file, size, out, report, {"fields", ""}, 2};
    uint32_t before = report->count;
    json_error_t error;
    char name[64];
    json_t *spec = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    const json_t *fields = json_object_get(spec, "fields");
    if (spec == NULL) {
        iso_report_add(report, file, error.line > 0 ? (uint32_t)error.line : 1,
                       error.column > 0 ? (uint32_t)error.column : 1, "%s", error.text);
        return false;
    }
    if (!json_is_object(fields)) {
        iso_report_add(report, file, 1, 1, "an object with fields belongs here");
    } else {
        const char *ours = text_of(spec, "ringswitch"), *messages = strstr(ours, "messages:\n");
        if (ours[0] != 0) { /* the head, and behind it the rules of its messages */
            text_add(out, "%.*s", messages != NULL ? (int)(messages - ours) : 65535, ours);
        } else {
            spec_name_of(file, name);
            text_add(out, "dialect: ");
            text_add_yaml(out, name);
            text_add(out, "\ntitle: ");
            text_add_yaml(out, text_of(spec, "name"));
            text_add(out, "\n");
            add_head(&moov, fields);
        }
        add_fields(&moov, fields);
        text_add(out, "%s", messages != NULL ? messages : "");
    }
    json_decref(spec);
    return report->count == before && spec_is_dialect(out, file, report);
}
