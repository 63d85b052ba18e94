/* spec_jpos_export.c - a dialect as XML of a GenericPackager.
 *
 * What the other side cannot know (character classes, masks, sub-structure, rules) stands beside
 * each field in a processing instruction, which its reader passes over and ours takes back as long
 * as class, length and pad are the ones beside which it was written. Composites are one value
 * there. Code pages 037 and 500 become 1047, the only one there: letters and digits are the same.
 */
#include "ctl/spec.h"
#include "ctl/spec_jpos_class.h"
#include "ctl/spec_yaml.h"

#include <stdio.h>
#include <string.h>

const struct jpos_class *jpos_class_at(uint32_t index)
{
    static const struct jpos_class classes[] = {
#define JPOS(name, class, encoding, length, filler, flags)                                         \
    {#name, class, encoding, length, filler, flags},
#include "ctl/spec_jpos.def"
    };
    return index < countof(classes) ? &classes[index] : NULL;
}

const struct jpos_class *jpos_class_of(const char *name)
{
    const struct jpos_class *class;
    for (uint32_t i = 0; (class = jpos_class_at(i)) != NULL; i++) {
        if (strcmp(class->name, name) == 0) {
            return class;
        }
    }
    return NULL;
}

const struct jpos_tagged *jpos_tagged_of(const char *name)
{
    static const struct jpos_tagged classes[] = {
#define JPOS_TAGGED(name, tags, class, encoding, length) {#name, tags, class, encoding, length},
#include "ctl/spec_jpos.def"
    };
    for (size_t i = 0; i < countof(classes); i++) {
        if (strcmp(classes[i].name, name) == 0) {
            return &classes[i];
        }
    }
    return NULL;
}

const char *jpos_refusal_of(const char *name)
{
    static const struct {
        const char *name, *why;
    } classes[] = {
#define JPOS_REFUSED(name, why) {#name, why},
#include "ctl/spec_jpos.def"
    };
    for (size_t i = 0; i < countof(classes); i++) {
        if (strcmp(classes[i].name, name) == 0) {
            return classes[i].why;
        }
    }
    return NULL;
}

static bool is_ebcdic(enum iso_encoding encoding)
{
    return encoding == ISO_ENC_EBCDIC037 || encoding == ISO_ENC_EBCDIC500 ||
           encoding == ISO_ENC_EBCDIC1047;
}

/* What a value is there: text class, encoding, filler. */
struct there {
    const char *class, *encoding, *filler;
    char length[32];
    uint32_t size;
    bool pad;
};

/* Packed digits whose prefix counts bytes: no class has those. */
static bool counts_bytes(const struct iso_node *node)
{
    return node->encoding == ISO_ENC_PACKED && node->length.width != 0 &&
           (node->length.unit == ISO_UNIT_BYTES || node->length.unit == ISO_UNIT_OCTETS);
}

static bool is_counted_so(const struct iso_node *node)
{
    switch (node->encoding) {
    case ISO_ENC_PACKED:
    case ISO_ENC_PACKED_EBCDIC_SIGN:
        return node->length.unit == ISO_UNIT_DIGITS || counts_bytes(node);
    case ISO_ENC_BINARY:
        return node->length.unit == ISO_UNIT_BYTES || node->length.unit == ISO_UNIT_OCTETS;
    case ISO_ENC_UTF8:
    case ISO_ENC_GBK:
        return node->length.unit == ISO_UNIT_BYTES;
    case ISO_ENC_HEX:
    case ISO_ENC_HEX_EBCDIC:
        return true;
    case ISO_ENC_ASCII:
    case ISO_ENC_LATIN1:
    case ISO_ENC_EBCDIC037:
    case ISO_ENC_EBCDIC500:
    case ISO_ENC_EBCDIC1047:
    case ISO_ENCODINGS_COUNT:
        break;
    }
    return node->length.unit != ISO_UNIT_NIBBLES;
}

static void set_value(const struct iso_node *node, struct there *there)
{
    bool digits = node->character_class == ISO_CLASS_N, fixed = node->length.width == 0;
    bool hex = node->encoding == ISO_ENC_HEX || node->encoding == ISO_ENC_HEX_EBCDIC;
    there->class = digits                                  ? "n"
                   : node->character_class == ISO_CLASS_XN ? "x+n"
                   : node->character_class == ISO_CLASS_B  ? "b"
                                                           : "any";
    there->encoding = is_ebcdic(node->encoding) ? "ebcdic1047"
                      : node->encoding == ISO_ENC_ASCII || node->encoding == ISO_ENC_LATIN1
                          ? digits || node->character_class == ISO_CLASS_XN ? "ascii" : "latin1"
                          : iso_encoding_text(node->encoding);
    if (node->encoding == ISO_ENC_PACKED) {
        there->filler =
            node->filler == 0xF && node->filler_side == ISO_SIDE_RIGHT ? "right F" : "right 0";
        there->pad = node->filler_side != ISO_SIDE_RIGHT;
        there->class = node->character_class == ISO_CLASS_Z ? "n" : there->class;
    }
    if (node->encoding == ISO_ENC_UTF8 || node->encoding == ISO_ENC_GBK || counts_bytes(node)) {
        there->class = "b"; /* bytes that it cannot turn into characters or digits */
        there->encoding = "binary";
        there->pad = false;
    }
    if (hex && !fixed && node->length.unit == ISO_UNIT_CHARACTERS) {
        there->class = "any"; /* the characters themselves */
        there->encoding = node->encoding == ISO_ENC_HEX ? "latin1" : "ebcdic1047";
    }
}

static bool find_class(const struct iso_node *node, struct there *there,
                       const struct jpos_class **out)
{
    const struct jpos_class *class;
    bool octets = strncmp(there->encoding, "hex", 3) == 0 && there->length[0] != 0;
    if (octets) {
        (void)snprintf(there->length + strlen(there->length),
                       sizeof there->length - strlen(there->length), " octets");
    }
    for (uint32_t i = 0; (class = jpos_class_at(i)) != NULL; i++) {
        bool filled =
            strcmp(there->encoding, "packed") != 0 || strcmp(class->filler, there->filler) == 0;
        if (strcmp(class->class, there->class) == 0 && class->flags != JPOS_EMPTY &&
            class->flags != JPOS_MAP && strcmp(class->encoding, there->encoding) == 0 &&
            strcmp(class->length, there->length) == 0 && filled &&
            (!node->length.includes_itself || class->flags == JPOS_INCLUSIVE)) {
            *out = class;
            return true;
        }
    }
    return false;
}

static void add_field(const struct iso_dialect *dialect, uint32_t de, struct text *out,
                      struct iso_report *report)
{
    const struct iso_node *node = iso_dialect_field(dialect, de);
    struct there there = {.filler = "", .size = node->max};
    const struct jpos_class *class;
    struct text form = {0};
    set_value(node, &there);
    if (node->length.width != 0) {
        (void)snprintf(there.length, sizeof there.length, "%s %u",
                       iso_length_encoding_text(node->length.encoding), node->length.width);
    }
    if (node->filler == 0xF && node->filler_side == ISO_SIDE_LEFT) {
        there.filler = "left F";
    }
    if (!is_counted_so(node) || node->length.encoding == ISO_LEN_BER ||
        !find_class(node, &there, &class)) {
        iso_report_add(report, iso_dialect_name(dialect), node->line, 1,
                       "field %u: no class for class %s, encoding %s, length %s %u counting %s", de,
                       iso_class_text(node->character_class), iso_encoding_text(node->encoding),
                       iso_length_encoding_text(node->length.encoding), node->length.width,
                       iso_unit_text(node->length.unit));
        return;
    }
    spec_yaml_node(node, &form);
    text_add(out, "  <isofield id=\"%u\" length=\"%u\" name=\"", de, there.size);
    text_add_xml(out, node->name[0] != 0 ? node->name : "-");
    text_add(out, "\" class=\"org.jpos.iso.%s\"%s%s>", class->name,
             there.pad ? " pad=\"true\"" : "",
             node->length.includes_itself ? " inclusive=\"true\"" : "");
    if (strstr(form.data, "?>") == NULL) {
        text_add(out, "<?ringswitch %s %u %s ", class->name, there.size,
                 there.pad ? "true" : "false");
        text_add_bytes(out, form.data, form.size);
        text_add(out, "?>");
    }
    text_add(out, "</isofield>\n");
    text_free(&form);
}

static void complain(const struct iso_dialect *dialect, struct iso_report *report, const char *text)
{
    iso_report_add(report, iso_dialect_name(dialect), 1, 1, "%s", text);
}

static const char *bitmap_class(enum iso_encoding encoding)
{
    return encoding == ISO_ENC_HEX          ? "IFA_BITMAP"
           : encoding == ISO_ENC_HEX_EBCDIC ? "IFE_BITMAP"
                                            : "IFB_BITMAP";
}

static void add_head(const struct iso_dialect *dialect, struct text *out, struct iso_report *report)
{
    const struct iso_mti_form *mti = iso_dialect_mti(dialect);
    const struct iso_bitmap_form *map = iso_dialect_bitmap(dialect);
    const struct iso_header_form *header = iso_dialect_header(dialect);
    bool field = map->tertiary == ISO_TERTIARY_FIELD;
    struct text ours = {0};
    spec_yaml_head(dialect, &ours);
    spec_yaml_messages(dialect, &ours);
    if (map->always_secondary && !map->announce_always) {
        complain(dialect, report, "bitmap: a secondary one that is always there has no class");
    }
    if (map->encoding[0] != map->encoding[1] || map->encoding[0] != map->encoding[2]) {
        complain(dialect, report, "bitmap: blocks of several encodings have no class");
    }
    text_add(out, "<isopackager%s", field ? " thirdBitmapField=\"65\"" : "");
    if (header->kind != ISO_HEADER_NONE) {
        text_add(out, " headerLength=\"%u\"", header->size);
    }
    text_add(out, ">\n");
    if (strstr(ours.data, "?>") == NULL) {
        text_add(out, "  <?ringswitch ");
        text_add_bytes(out, ours.data, ours.size);
        text_add(out, "?>\n");
    }
    text_free(&ours);
    const char *class = mti->encoding == ISO_ENC_PACKED ? "IFB_NUMERIC"
                        : is_ebcdic(mti->encoding)
                            ? mti->any_characters ? "IFE_CHAR" : "IFE_NUMERIC"
                        : mti->any_characters ? "IF_CHAR"
                                              : "IFA_NUMERIC";
    text_add(out,
             "  <isofield id=\"0\" length=\"4\" name=\"Message type indicator\" "
             "class=\"org.jpos.iso.%s\"/>\n"
             "  <isofield id=\"1\" length=\"%u\" name=\"Bitmap\" class=\"org.jpos.iso.%s\"/>\n",
             class,
             map->no_secondary                          ? 8u
             : map->tertiary == ISO_TERTIARY_CONTIGUOUS ? 24u
                                                        : 16u,
             bitmap_class(map->encoding[0]));
    if (field) {
        text_add(out,
                 "  <isofield id=\"65\" length=\"8\" name=\"Bitmap, third\" "
                 "class=\"org.jpos.iso.%s\"/>\n",
                 bitmap_class(map->encoding[2]));
    }
}

bool spec_export_jpos(const struct iso_dialect *dialect, struct text *out,
                      struct iso_report *report)
{
    uint32_t before = report->count;
    text_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<!DOCTYPE isopackager PUBLIC \"-//jPOS/jPOS Generic Packager DTD 1.0//EN\" "
                  "\"http://jpos.org/dtd/generic-packager-1.0.dtd\">\n");
    add_head(dialect, out, report);
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        if (iso_dialect_field(dialect, de) != NULL) {
            add_field(dialect, de, out, report);
        }
    }
    text_add(out, "</isopackager>\n");
    return report->count == before;
}
