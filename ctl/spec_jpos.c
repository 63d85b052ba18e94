/* spec_jpos.c - a GenericPackager's tree to a dialect.
 *
 * Messages need an MTI at id 0 and a bitmap at bitmapField. A nested packager is a bitmap composite
 * (emitBitmap) or a positional one whose trailing parts may be absent. */
#include "ctl/spec_jpos_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void jpos_complain(struct jpos *jpos, const struct jpos_field *field, const char *text)
{
    iso_report_add(jpos->report, jpos->file, field->line, field->column, "field %d of class %s: %s",
                   (int)field->id, field->class, text);
}

const char *jpos_bitmap_encoding(const char *class)
{
    return strcmp(class, "IFA_BITMAP") == 0   ? "hex"
           : strcmp(class, "IFB_BITMAP") == 0 ? "binary"
           : strcmp(class, "IFE_BITMAP") == 0 ? "hex-ebcdic"
                                              : NULL;
}

const struct jpos_field *jpos_child(const struct jpos_field *parent, int32_t id)
{
    const struct jpos_field *field = parent->first;
    while (field != NULL && field->id != id) {
        field = field->next;
    }
    return field;
}

/* The form that an export of ours wrote beside the class, as long as the class is still that one:
 * "CLASS LENGTH PAD {…}"; NULL: none. */
static const char *exact_form(const struct jpos_field *field)
{
    char head[128];
    int size = snprintf(head, sizeof head, "%s %u %s ", field->class, field->length,
                        field->pad ? "true" : "false");
    bool same = field->packager == NULL && field->form != NULL && size > 0 &&
                strncmp(field->form, head, (size_t)size) == 0;
    return same ? field->form + size : NULL;
}

void jpos_add_form(struct jpos *jpos, const struct jpos_field *field)
{
    const struct jpos_class *class = jpos_class_of(field->class);
    if (class == NULL) {
        const char *why = jpos_refusal_of(field->class);
        jpos_complain(jpos, field,
                      why != NULL                            ? why
                      : jpos_tagged_of(field->class) != NULL ? "its packager does not read tags"
                                                             : "this class cannot be expressed");
        return;
    }
    if (class->flags == JPOS_MAP && (field->depth == 1 || field->length > 8)) {
        jpos_complain(jpos, field, "a bitmap of its own is one inside a field, of at most 8 bytes");
    }
    if (field->inclusive && class->flags != JPOS_INCLUSIVE) {
        jpos_complain(jpos, field, "inclusive needs a binary length prefix");
    }
    uint32_t size = class->flags == JPOS_EMPTY ? 0 : field->length;
    if (class->flags == JPOS_SIGN) {
        if (size < 2) {
            jpos_complain(jpos, field, "the length has no room for a sign and a digit");
            return;
        }
        size--;
    }
    bool var = class->length[0] != 0;
    bool track =
        field->depth == 1 && (field->id == 35 || field->id == 36) && strcmp(class->class, "n") == 0;
    uint64_t reach = 1; /* a length that the prefix cannot say is never met */
    if (var) {
        uint32_t width = (uint32_t)strtoul(strchr(class->length, ' '), NULL, 10);
        for (uint32_t i = 0; i < width; i++) {
            reach *= class->length[0] == 'b' ? 256 : 10;
        }
        size = size >= reach ? (uint32_t)reach - 1 : size;
        size = size > ISO_MESSAGE_BYTES_MAX ? ISO_MESSAGE_BYTES_MAX : size;
    }
    if (strstr(class->length, "nibbles") != NULL) {
        size *= 2;
    } else if (strstr(class->length, "bytes") != NULL) { /* length says digits */
        size = (size + 1) / 2;
    } else if (strcmp(class->filler, "none") == 0) {
        size += size & 1;
    }
    text_add(jpos->out, "form: \"%s%s %s%u\", encoding: %s", var ? "VAR " : "",
             track ? "z" : class->class, var ? ".." : "", size, class->encoding);
    if (var) {
        text_add(jpos->out, ", length: %s%s", class->length, field->inclusive ? " inclusive" : "");
    }
    if (class->filler[0] != 0) {
        text_add(jpos->out, ", filler: %s",
                 field->pad && class->flags != JPOS_FILLED ? "left 0" : class->filler);
    }
    if (class->flags == JPOS_ZERO) {
        text_add(jpos->out, ", pad: left 0");
    }
}

void jpos_add_indent(struct jpos *jpos, uint32_t indent)
{
    text_add(jpos->out, "%*s", (int)indent, "");
}

void jpos_add_field(struct jpos *jpos, int32_t key, const struct jpos_field *field, uint32_t indent)
{
    jpos_add_indent(jpos, indent);
    text_add(jpos->out, "%d: ", (int)key);
    const char *exact = exact_form(field);
    if (exact != NULL) {
        text_add(jpos->out, "%s\n", exact);
        return;
    }
    if (field->packager == NULL) {
        text_add(jpos->out, "{name: ");
        text_add_yaml(jpos->out, field->name);
        text_add(jpos->out, ", ");
        jpos_add_form(jpos, field);
        text_add(jpos->out, "}\n");
        return;
    }
    text_add(jpos->out, "\n");
    jpos_add_indent(jpos, indent + 2);
    text_add(jpos->out, "name: ");
    text_add_yaml(jpos->out, field->name);
    text_add(jpos->out, "\n");
    struct text form = {0}, *out = jpos->out; /* "form: …, encoding: …" as lines */
    jpos->out = &form;
    jpos_add_form(jpos, field);
    jpos->out = out;
    for (char *at = form.data; at != NULL && *at != 0;) {
        char *comma = strstr(at, ", ");
        size_t size = comma != NULL ? (size_t)(comma - at) : strlen(at);
        jpos_add_indent(jpos, indent + 2);
        text_add(jpos->out, "%.*s\n", (int)size, at);
        at += comma != NULL ? size + 2 : size;
    }
    text_free(&form);
    jpos_add_parts(jpos, field, indent + 2);
}

static void add_head(struct jpos *jpos, const struct jpos_field *root)
{
    const struct jpos_field *mti = jpos_child(root, 0), *map = jpos_child(root, root->bitmap_field);
    const struct jpos_class *class = mti != NULL ? jpos_class_of(mti->class) : NULL;
    const char *encoding = map != NULL ? jpos_bitmap_encoding(map->class) : NULL;
    if (root->header_length > ISO_HEADER_BYTES_MAX) {
        iso_report_add(jpos->report, jpos->file, root->line, root->column,
                       "headerLength: a header has at most %u bytes", ISO_HEADER_BYTES_MAX);
    } else if (root->header_length > 0) {
        text_add(jpos->out, "header: {kind: fixed, size: %u}\n", root->header_length);
    }
    if (!root->emit_bitmap || encoding == NULL || map->length % 8 != 0 || map->length > 24 ||
        map->length == 0 || root->bitmap_field == 0) {
        iso_report_add(jpos->report, jpos->file, map != NULL ? map->line : root->line,
                       map != NULL ? map->column : root->column,
                       "field %d of class %s: a message has a bitmap of 8, 16 or 24 bytes behind "
                       "its MTI (IFA_BITMAP, IFB_BITMAP, IFE_BITMAP)",
                       (int)root->bitmap_field, map != NULL ? map->class : "(none)");
        return;
    }
    if (mti == NULL || class == NULL || mti->length != 4 || class->length[0] != 0 ||
        class->class[0] == 'b') {
        iso_report_add(jpos->report, jpos->file, mti != NULL ? mti->line : root->line,
                       mti != NULL ? mti->column : root->column,
                       "field 0 of class %s: an MTI is four fixed characters or digits",
                       mti != NULL ? mti->class : "(none)");
        return;
    }
    bool third = root->third_bitmap == 65;
    if (root->third_bitmap >= 0 && !third) {
        iso_report_add(jpos->report, jpos->file, root->line, root->column,
                       "thirdBitmapField %d: only field 65 can hold the third bitmap",
                       (int)root->third_bitmap);
    }
    if (root->first_field > 2) {
        iso_report_add(jpos->report, jpos->file, root->line, root->column,
                       "firstField %d: the fields of a message begin with 2",
                       (int)root->first_field);
    }
    text_add(jpos->out, "mti: {encoding: %s, any: %s}\n",
             strcmp(class->encoding, "latin1") == 0 ? "ascii" : class->encoding,
             strcmp(class->class, "any") == 0 ? "true" : "false");
    text_add(jpos->out, "bitmap: {encoding: %s, secondary: %s, tertiary: %s}\n", encoding,
             map->length == 8 ? "none" : "announced",
             third               ? "field"
             : map->length == 24 ? "contiguous"
                                 : "none");
}

bool spec_import_jpos(const char *text, size_t size, const char *file, struct text *out,
                      struct iso_report *report)
{
    struct arena arena = {0};
    struct jpos jpos = {file, out, report};
    uint32_t before = report->count;
    char name[64];
    struct text remarks = {0};
    struct jpos_field *root = jpos_read(text, size, file, &arena, &remarks, report);
    if (root != NULL) {
        const char *messages = NULL;
        text_add(out, "%s", remarks.data != NULL ? remarks.data : "");
        if (root->form != NULL) { /* ours: the head, and behind it the rules of its messages */
            messages = strstr(root->form, "messages:\n");
            text_add(out, "%.*s", messages != NULL ? (int)(messages - root->form) : 65535,
                     root->form);
        } else {
            spec_name_of(file, name);
            text_add(out, "dialect: ");
            text_add_yaml(out, name);
            text_add(out, "\n");
            add_head(&jpos, root);
        }
        text_add(out, "fields:\n");
        const struct jpos_field *map = jpos_child(root, root->bitmap_field);
        uint32_t bits = map != NULL ? map->length * 8 : 0;
        bool third = root->third_bitmap == 65 || bits > 128;
        for (const struct jpos_field *field = root->first; field != NULL; field = field->next) {
            if (field->id == 0 || field == map || strcmp(field->class, "IF_UNUSED") == 0) {
                continue;
            }
            if (field->id < 2 || field->id > (int32_t)ISO_FIELDS_MAX) {
                jpos_complain(&jpos, field, "fields are numbered from 2 to 192");
            } else if ((third && (field->id == 65 || field->id == 129)) ||
                       ((uint32_t)field->id > bits && !third)) {
                text_add(out, "  # %d cannot be announced, or announces a bitmap\n",
                         (int)field->id);
            } else {
                jpos_add_field(&jpos, field->id, field, 2);
            }
        }
        text_add(out, "%s", messages != NULL ? messages : "");
    }
    text_free(&remarks);
    arena_free(arena.blocks);
    return report->count == before && spec_is_dialect(out, file, report);
}
