/* spec_jpos_parts.c - the packagers inside jPOS fields to sub-structure: bitmaps, parts one behind
 * the other, tagged parts, datasets.
 *
 * A packager is a row of packagers[]; one that is none of them is a fault. */
#include "ctl/spec_jpos_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELEMENTS_MAX     14    /* of a dataset whose bitmap does not go on */
#define DATASET_TLV_LAST 0x70u /* identifiers up to this one hold TLV, those behind it a bitmap */

static void add_generic(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);
static void add_plain(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);
static void add_ascii_tagged(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);
static void add_ebcdic_tagged(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);
static void add_mapped(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);
static void add_datasets(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);
static void add_chip_data(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);

void jpos_add_parts(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    static const struct {
        const char *name;
        void (*add)(struct jpos *, const struct jpos_field *, uint32_t);
    } packagers[] = {{"packager.GenericPackager", add_generic},
                     {"packager.GenericSubFieldPackager", add_generic},
                     {"packager.Base1SubFieldPackager", add_plain},
                     {"packager.CTCSubFieldPackager", add_plain},
                     {"packager.EuroSubFieldPackager", add_ascii_tagged},
                     {"packager.MasterCardEBCDICSubFieldPackager", add_ebcdic_tagged},
                     {"packager.GenericTaggedFieldsPackager", add_mapped},
                     {"packager.DatasetPackager", add_datasets},
                     {"packager.ICCDataPackager", add_chip_data}};
    for (size_t i = 0; i < countof(packagers); i++) {
        if (strcmp(packagers[i].name, field->packager) == 0) {
            packagers[i].add(jpos, field, indent);
            return;
        }
    }
    iso_report_add(jpos->report, jpos->file, field->line, field->column,
                   "field %d of class %s: the packager %s cannot be expressed", (int)field->id,
                   field->class, field->packager);
}

static void add_line(struct jpos *jpos, uint32_t indent, const char *text)
{
    jpos_add_indent(jpos, indent);
    text_add(jpos->out, "%s\n", text);
}

/* --- a bitmap, or one behind the other --- */

static void add_children(struct jpos *jpos, const struct jpos_field *field,
                         const struct jpos_field *map, int32_t from, uint32_t indent)
{
    uint32_t count = 0;
    add_line(jpos, indent, "parts:");
    for (const struct jpos_field *part = field->first; part != NULL; part = part->next) {
        if (part == map || part->id < from || strcmp(part->class, "IF_UNUSED") == 0) {
            continue;
        }
        jpos_add_field(jpos, part->id, part, indent + 2);
        count++;
    }
    if (count == 0) {
        jpos_complain(jpos, field, "it has no parts");
    }
}

static void add_positional(struct jpos *jpos, const struct jpos_field *field, int32_t from,
                           uint32_t indent)
{
    add_line(jpos, indent, "of: positional");
    add_line(jpos, indent, "mandatory: 0");
    add_children(jpos, field, NULL, from, indent);
}

static void add_bitmap(struct jpos *jpos, const struct jpos_field *field,
                       const struct jpos_field *map, int32_t from, uint32_t indent)
{
    const char *encoding = map != NULL ? jpos_bitmap_encoding(map->class) : NULL;
    if (encoding == NULL) {
        jpos_complain(jpos, map != NULL ? map : field,
                      "emitBitmap, but bitmapField is no bitmap of a known class");
        return;
    }
    bool chained = map->length == 16 || map->length == 24; /* bit 1 announces the next 8 */
    if (map->length == 0 || (map->length > 8 && !chained)) {
        jpos_complain(jpos, map, "a bitmap inside a field has 1 to 8, 16 or 24 bytes");
    }
    if (chained) {
        add_line(jpos, indent, "chained: true");
    }
    add_line(jpos, indent, "of: bitmap");
    jpos_add_indent(jpos, indent);
    text_add(jpos->out, "map: %s %u\n", encoding, chained ? 8 : map->length);
    add_children(jpos, field, map, from, indent);
}

/* A header inside a field stands before all else: two parts, and the rest is within the second. */
static uint32_t add_header(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    const struct jpos_class *class = jpos_class_of(field->class);
    add_line(jpos, indent, "of: positional");
    add_line(jpos, indent, "parts:");
    jpos_add_indent(jpos, indent + 2);
    text_add(jpos->out, "header: {name: Header, form: b %u}\n", field->header_length);
    add_line(jpos, indent + 2, "fields:");
    if (class != NULL) {
        jpos_add_indent(jpos, indent + 4);
        text_add(jpos->out, "name: Behind the header\n");
        jpos_add_indent(jpos, indent + 4);
        text_add(jpos->out, "form: REST %s ..%u\n", class->class, field->length);
        jpos_add_indent(jpos, indent + 4);
        text_add(jpos->out, "encoding: %s\n", class->encoding);
    }
    return indent + 4;
}

static void add_generic(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    int32_t from = field->first_field >= 0 ? field->first_field : field->emit_bitmap ? 1 : 0;
    if (field->header_length > 0) {
        indent = add_header(jpos, field, indent);
    }
    if (field->emit_bitmap) {
        add_bitmap(jpos, field, jpos_child(field, field->bitmap_field), from, indent);
    } else {
        add_positional(jpos, field, from, indent);
    }
}

/* Their attributes are not read: a bitmap is one because field 0 is of a bitmap's class. */
static void add_plain(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    const struct jpos_field *first = jpos_child(field, 0);
    bool base1 = strcmp(field->packager, "packager.Base1SubFieldPackager") == 0 && first != NULL;
    if (base1 && strcmp(first->class, "packager.Base1_BITMAP126") == 0) {
        add_line(jpos, indent, "of: bitmap"); /* eight bytes, whatever its length says */
        add_line(jpos, indent, "map: binary 8");
        add_children(jpos, field, first, 1, indent);
    } else if (base1 && jpos_bitmap_encoding(first->class) != NULL) {
        add_bitmap(jpos, field, first, 1, indent);
    } else {
        add_positional(jpos, field, 0, indent);
    }
}

/* --- tagged parts --- */

/* One of a tagged packager's parts; length: that of the parts before it, "" with the first. */
static bool is_tagged_so(struct jpos *jpos, const struct jpos_field *part, const char *tags,
                         const char *length)
{
    const struct jpos_tagged *class = jpos_tagged_of(part->class);
    uint32_t width = (uint32_t)strtoul(strchr(tags, ' '), NULL, 10), reach = 1;
    for (uint32_t i = 0; i < width; i++) {
        reach *= 10;
    }
    const char *why = jpos_refusal_of(part->class);
    if (why == NULL && class == NULL) {
        why = "a part without a tag stands among tagged ones";
    }
    if (why == NULL && strcmp(class->tags, tags) != 0) {
        why = "its tag is written in another way than its packager reads it";
    }
    if (why == NULL && length[0] != 0 && strcmp(class->length, length) != 0) {
        why = "its length is written in another way than that of the parts before it";
    }
    if (why == NULL && (part->packager != NULL || (uint32_t)part->id >= reach)) {
        why = part->packager != NULL ? "a tagged part holds no packager"
                                     : "its number is longer than its tag";
    }
    if (why != NULL) {
        jpos_complain(jpos, part, why);
    }
    return why == NULL;
}

static void add_tagged_part(struct jpos *jpos, const struct jpos_field *part, const char *tags,
                            uint32_t indent)
{
    const struct jpos_tagged *class = jpos_tagged_of(part->class);
    uint32_t reach = 1, size = part->length;
    for (unsigned long i = strtoul(strchr(class->length, ' '), NULL, 10); i > 0; i--) {
        reach *= 10;
    }
    size = size >= reach ? reach - 1 : size;
    jpos_add_indent(jpos, indent);
    text_add(jpos->out, "\"%0*d\": {name: ", (int)strtol(strchr(tags, ' '), NULL, 10),
             (int)part->id);
    text_add_yaml(jpos->out, part->name);
    text_add(jpos->out, ", form: \"VAR %s ..%u\", encoding: %s}\n", class->class, size,
             class->encoding);
}

/* has_lead: field 0 has no tag and stands before the others. */
static void add_tagged(struct jpos *jpos, const struct jpos_field *field, const char *tags,
                       bool has_lead, uint32_t indent)
{
    const struct jpos_field *lead = has_lead ? jpos_child(field, 0) : NULL;
    const char *length = "";
    bool right = true;
    for (const struct jpos_field *part = field->first; part != NULL; part = part->next) {
        if (part == lead || strcmp(part->class, "IF_UNUSED") == 0) {
            continue;
        }
        right = is_tagged_so(jpos, part, tags, length) && right;
        length = right && length[0] == 0 ? jpos_tagged_of(part->class)->length : length;
    }
    if (length[0] == 0 && right) {
        jpos_complain(jpos, field, "it has no parts");
    }
    if (length[0] == 0 || !right) {
        return;
    }
    add_line(jpos, indent, "of: tlv");
    jpos_add_indent(jpos, indent);
    text_add(jpos->out, "tags: %s%s\n", tags, has_lead ? "" : " an");
    jpos_add_indent(jpos, indent);
    text_add(jpos->out, "tag_lengths: %s\n", length);
    if (has_lead) {
        add_line(jpos, indent, "unknown: refuse");
    }
    if (lead != NULL) {
        jpos_add_indent(jpos, indent);
        text_add(jpos->out, "lead: [{key: \"0\", name: ");
        text_add_yaml(jpos->out, lead->name);
        text_add(jpos->out, ", ");
        jpos_add_form(jpos, lead);
        text_add(jpos->out, "}]\n");
    }
    add_line(jpos, indent, "parts:");
    for (const struct jpos_field *part = field->first; part != NULL; part = part->next) {
        if (part != lead && strcmp(part->class, "IF_UNUSED") != 0) {
            add_tagged_part(jpos, part, tags, indent + 2);
        }
    }
}

static void add_ascii_tagged(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    add_tagged(jpos, field, "ascii 2", true, indent);
}

static void add_ebcdic_tagged(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    add_tagged(jpos, field, "ebcdic1047 2", true, indent);
}

/* A mapper makes tags of field numbers; the decimal ones are known. */
static void add_mapped(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    static const struct {
        const char *mapper, *tags;
        int32_t size;
    } mappers[] = {{"packager.TTDecimalTagMapper", "ascii 2", 2},
                   {"packager.TTTDecimalTagMapper", "ascii 3", 3}};
    for (size_t i = 0; i < countof(mappers); i++) {
        if (strcmp(mappers[i].mapper, field->tag_mapper) == 0) {
            if (field->swaps_tag || field->tag_size != mappers[i].size) {
                jpos_complain(jpos, field,
                              field->swaps_tag ? "lengths before tags cannot be expressed"
                                               : "tagSize is not what tagMapper makes");
                return;
            }
            add_tagged(jpos, field, mappers[i].tags, false, indent);
            return;
        }
    }
    jpos_complain(jpos, field, "its tagMapper cannot be expressed");
}

/* --- ISO 8583:2003 datasets: identifier 1, length 2, then TLV or a bitmap --- */

static void add_datasets(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    add_line(jpos, indent, "of: tlv");
    add_line(jpos, indent, "tags: binary 1");
    add_line(jpos, indent, "tag_lengths: binary 2");
    add_line(jpos, indent, "unknown:"); /* 71 and above */
    add_line(jpos, indent + 2, "form: VAR b 1..65535");
    add_line(jpos, indent + 2, "of: bitmap");
    add_line(jpos, indent + 2, "map: binary 2");
    add_line(jpos, indent + 2, "rest: {name: Behind the elements, form: REST b ..65535, of: ber}");
    add_line(jpos, indent + 2, "parts:"); /* bit 1 goes on, so element 1 is bit 2 */
    for (const struct jpos_field *part = field->first; part != NULL; part = part->next) {
        if (part->id < 1 || part->id > ELEMENTS_MAX) {
            jpos_complain(jpos, part, "an element beyond 14 needs a bitmap that goes on");
        } else {
            jpos_add_field(jpos, part->id + 1, part, indent + 4);
        }
    }
    add_line(jpos, indent + 4, "16: {name: TLV follows, form: b 0}");
    add_line(jpos, indent, "parts: {");
    for (uint32_t i = 0; i <= DATASET_TLV_LAST; i++) {
        if (i % 4 == 0) {
            jpos_add_indent(jpos, indent + 2);
        }
        text_add(jpos->out, "\"%02X\": {form: VAR b 1..65535, of: ber}%s%s", i,
                 i < DATASET_TLV_LAST ? ", " : "", i % 4 == 3 || i == DATASET_TLV_LAST ? "\n" : "");
    }
    add_line(jpos, indent, "}");
}

static void add_chip_data(struct jpos *jpos, const struct jpos_field *field, uint32_t indent)
{
    (void)field;
    add_line(jpos, indent, "of: ber");
}
