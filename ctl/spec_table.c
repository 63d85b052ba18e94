/* spec_table.c - reads the notation of one line a field.
 *
 * FORM  "<enc> <n>" or "<enc> <lp>..<max>[ u=<k>]". enc: a l1 e500 e1047 e037 x xa xe n nr nrF nlF
 * nn zn znr sn. lp: A E D (digits in ASCII, EBCDIC, packed) or B (bytes), and their count. Sizes
 * count characters, bytes or digits by encoding; u=2: half bytes. Bitmap: b8 ha8 he8, or b16! ha16!
 * he16! where 16 bytes always stand; a list has one entry a block. Bit 1 of each block announces
 * the next, unless field 65 is a field of its own and there is none above 128. */
#include "ctl/spec.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const char *text, *file;
    size_t size;
    struct text *out;
    struct iso_report *report;
};

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

static void complain(struct table *table, const char *first, const char *second, const char *format,
                     const char *value)
{
    const char *keys[2] = {first, second};
    uint32_t line, column;
    spec_place(table->text,
               spec_json_offset(table->text, table->size, keys,
                                first == NULL    ? 0
                                : second == NULL ? 1
                                                 : 2),
               &line, &column);
    iso_report_add(table->report, table->file, line, column, format,
                   second != NULL ? second : first, value);
}

static bool number_of(const char *text, uint32_t *out)
{
    size_t size = strspn(text, "0123456789");
    *out = (uint32_t)strtoul(text, NULL, 10);
    return size > 0 && size < 6 && text[size] == 0;
}

/* "A2..19": what stands before the value, and its largest size. */
static bool read_size(char *size, const char **prefix, uint32_t *width, uint32_t *most)
{
    char *dots = strstr(size, "..");
    *prefix = NULL;
    if (dots == NULL) {
        return number_of(size, most);
    }
    *dots = 0;
    *prefix = size[0] == 'A'   ? "ascii"
              : size[0] == 'E' ? "ebcdic"
              : size[0] == 'D' ? "packed"
              : size[0] == 'B' ? "binary"
                               : NULL;
    return *prefix != NULL && number_of(size + 1, width) && *width > 0 &&
           *width <= (size[0] == 'B' ? 4u : 8u) && number_of(dots + 2, most);
}

/* Adds the members of a field; false: the form is none. */
static bool add_form(struct text *out, const char *form)
{
    char encoding[16], size[32], unit[16] = "", more[2] = "";
    const char *prefix;
    uint32_t width = 0, most, row = 0, units = 1;
    int words = sscanf(form, "%15s %31s %15s %1s", encoding, size, unit, more);
    while (row < countof(encodings) && strcmp(encodings[row].name, encoding) != 0) {
        row++;
    }
    if (words < 2 || words > 3 || row == countof(encodings) ||
        !read_size(size, &prefix, &width, &most)) {
        return false;
    }
    if (words == 3 &&
        (strncmp(unit, "u=", 2) != 0 || !number_of(unit + 2, &units) || units < 1 || units > 2)) {
        return false;
    }
    uint64_t reach = 1;
    for (uint32_t i = 0; i < width && reach < 1000000; i++) {
        reach *= prefix[0] == 'b' ? 256 : 10;
    }
    most = prefix != NULL && most >= reach ? (uint32_t)reach - 1 : most;
    bool hex = encoding[0] == 'x' && encoding[1] != 0;
    if (prefix == NULL && hex) { /* characters in the notation, bytes in a dialect */
        if (most % 2 != 0) {
            return false;
        }
        most /= 2;
    }
    if (strcmp(encoding, "sn") == 0 && most % 2 == 1) { /* the sign is one of the characters */
        most--;
    }
    text_add(out, "form: \"%s%s %s%u\"", prefix != NULL ? "VAR " : "", encodings[row].class,
             prefix != NULL ? ".." : "", most);
    if (prefix != NULL) {
        text_add(out, ", length: %s %u", prefix, width);
    }
    text_add(out, ", encoding: %s", encodings[row].encoding);
    if (encodings[row].filler != NULL) {
        text_add(out, ", filler: %s", encodings[row].filler);
    }
    if (units == 2) {
        text_add(out, ", counts: nibbles");
    }
    return true;
}

static void add_mti(struct table *table, const json_t *spec)
{
    const char *mti = json_string_value(json_object_get(spec, "mti"));
    const struct {
        const char *form, *encoding;
    } forms[] = {{"a 4", "ascii"},          {"n 4", "packed"},       {"e500 4", "ebcdic500"},
                 {"e1047 4", "ebcdic1047"}, {"e037 4", "ebcdic037"}, {"l1 4", "ascii"}};
    for (size_t i = 0; mti != NULL && i < countof(forms); i++) {
        if (strcmp(mti, forms[i].form) == 0) {
            text_add(table->out, "mti: {encoding: %s, any: %s}\n", forms[i].encoding,
                     mti[0] == 'n' ? "false" : "true");
            return;
        }
    }
    complain(table, "mti", NULL, "%s: %s is no form of an MTI: a 4, n 4, e500 4, e1047 4, e037 4",
             mti != NULL ? mti : "(none)");
}

static void add_header(struct table *table, const json_t *spec)
{
    const json_t *header = json_object_get(spec, "header");
    const char *form = json_string_value(header);
    char encoding[16];
    uint32_t size = 0;
    if (header == NULL || json_is_null(header)) {
        return;
    }
    if (form == NULL || sscanf(form, "%15s %u", encoding, &size) != 2 || size == 0 ||
        size > ISO_HEADER_BYTES_MAX) {
        complain(table, "header", NULL, "%s: %s is no fixed form of a header",
                 form != NULL ? form : "(no text)");
        return;
    }
    if (encoding[0] == 'n') {
        size = (size + 1) / 2;
    }
    text_add(table->out, "header: {kind: fixed, size: %u}\n", size);
}

static void add_bitmap(struct table *table, const json_t *spec, const json_t *fields)
{
    const json_t *bitmap = json_object_get(spec, "bitmap");
    size_t count = json_is_array(bitmap) ? json_array_size(bitmap) : 1;
    bool always = false, high = false;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)fields, key, value)
    {
        high = high || strtoul(key, NULL, 10) > 128;
    }
    bool has_65 = json_object_get(fields, "65") != NULL;
    text_add(table->out, "bitmap: {encoding: [");
    for (size_t i = 0; i < count; i++) {
        const char *form =
            json_string_value(json_is_array(bitmap) ? json_array_get(bitmap, i) : bitmap);
        static const char *const known[] = {"b8", "ha8", "he8", "b16!", "ha16!", "he16!"};
        bool found = false;
        for (size_t k = 0; form != NULL && k < countof(known); k++) {
            found = found || strcmp(form, known[k]) == 0;
        }
        if (!found || count > 3) {
            complain(table, "bitmap", NULL, "%s: %s is no bitmap: b8 ha8 he8 b16! ha16! he16!",
                     form != NULL ? form : "(none)");
            return;
        }
        text_add(table->out, "%s%s", i > 0 ? ", " : "",
                 form[0] == 'b'   ? "binary"
                 : form[1] == 'a' ? "hex"
                                  : "hex-ebcdic");
        always = always || strchr(form, '!') != NULL;
    }
    if (count == 0) {
        complain(table, "bitmap", NULL, "%s: %s list of bitmaps", "an empty");
    }
    text_add(table->out, "], secondary: %s, tertiary: %s}\n", always ? "always" : "announced",
             has_65 && !high ? "none" : "contiguous");
}

static void add_fields(struct table *table, const json_t *fields)
{
    const char *key;
    json_t *value;
    bool high = false;
    uint32_t count = 0;
    text_add(table->out, "fields:\n");
    json_object_foreach((json_t *)(uintptr_t)fields, key, value)
    {
        high = high || strtoul(key, NULL, 10) > 128;
    }
    json_object_foreach((json_t *)(uintptr_t)fields, key, value)
    {
        uint32_t de;
        const char *form = json_string_value(value);
        if (!number_of(key, &de) || de < 2 || de > ISO_FIELDS_MAX || key[0] == '0') {
            complain(table, "fields", key, "field %s: fields are numbered from 2 to 192%s", "");
            continue;
        }
        if (high && (de == 65 || de == 129)) {
            text_add(table->out, "  # %u announces a bitmap\n", de);
            continue;
        }
        text_add(table->out, "  %u: {", de);
        if (form == NULL || !add_form(table->out, form)) {
            complain(table, "fields", key, "field %s: %s is no form of a field",
                     form != NULL ? form : "(no text)");
        }
        text_add(table->out, "}\n");
        count++;
    }
    if (count == 0) {
        text_add(table->out, "  {}\n");
    }
}

bool spec_import_table(const char *text, size_t size, const char *file, struct text *out,
                       struct iso_report *report)
{
    struct table table = {text, file, size, out, report};
    uint32_t before = report->count;
    json_error_t error;
    char name[64];
    json_t *spec = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (spec == NULL) {
        iso_report_add(report, file, error.line > 0 ? (uint32_t)error.line : 1,
                       error.column > 0 ? (uint32_t)error.column : 1, "%s", error.text);
        return false;
    }
    const json_t *fields = json_object_get(spec, "fields");
    const char *title = json_string_value(json_object_get(spec, "name")), *key;
    json_t *member;
    spec_name_of(file, name);
    text_add(out, "dialect: ");
    text_add_yaml(out, name);
    if (title != NULL) {
        text_add(out, "\ntitle: ");
        text_add_yaml(out, title);
    }
    text_add(out, "\n");
    json_object_foreach(spec, key, member)
    {
        if (strcmp(key, "mti") != 0 && strcmp(key, "bitmap") != 0 && strcmp(key, "header") != 0 &&
            strcmp(key, "fields") != 0 && strcmp(key, "name") != 0) {
            complain(&table, key, NULL, "%s: unknown key%s", "");
        }
    }
    if (json_is_object(spec) && json_is_object(fields)) {
        add_mti(&table, spec);
        add_header(&table, spec);
        add_bitmap(&table, spec, fields);
        add_fields(&table, fields);
    } else {
        iso_report_add(report, file, 1, 1, "an object with mti, bitmap and fields belongs here");
    }
    json_decref(spec);
    return report->count == before && spec_is_dialect(out, file, report);
}
