/* spec_moov_export.c - a dialect as the JSON of a moov-io/iso8583 specification.
 *
 * What the other side cannot know stands in a member "ringswitch" of each field, which its reader
 * passes over and ours takes back as long as encoding, prefix and length are the ones beside which
 * it was written. Composites are one value there; a header is the connection's business there.
 * Code page 500 becomes 037: letters and digits are the same. */
#include "ctl/spec.h"
#include "ctl/spec_yaml.h"

#include <stdio.h>
#include <string.h>

static void complain(const struct iso_dialect *dialect, struct iso_report *report, uint32_t de,
                     const struct iso_node *node, const char *what)
{
    iso_report_add(report, iso_dialect_name(dialect), node != NULL ? node->line : 1, 1,
                   "field %u of class %s, encoding %s: %s", de,
                   node != NULL ? iso_class_text(node->character_class) : "-",
                   node != NULL ? iso_encoding_text(node->encoding) : "-", what);
}

/* Packed digits whose prefix counts bytes: they are bytes there. */
static bool counts_bytes(const struct iso_node *node)
{
    return node->encoding == ISO_ENC_PACKED && node->character_class != ISO_CLASS_XN &&
           node->length.width != 0 &&
           (node->length.unit == ISO_UNIT_BYTES || node->length.unit == ISO_UNIT_OCTETS);
}

/* Encoding there, or NULL; *type and *characters: hex text that is counted as characters. */
static const char *encoding_of(const struct iso_node *node, const char **type)
{
    *type = "String";
    switch (node->encoding) {
    case ISO_ENC_ASCII:
    case ISO_ENC_LATIN1:
        return "ASCII";
    case ISO_ENC_EBCDIC037:
    case ISO_ENC_EBCDIC500:
        return "EBCDIC";
    case ISO_ENC_EBCDIC1047:
        return "EBCDIC1047";
    case ISO_ENC_PACKED:
        if (node->character_class == ISO_CLASS_XN && node->length.width == 0) {
            *type = "Binary"; /* its sign and packed digits as they are */
            return "Binary";
        }
        if (counts_bytes(node)) {
            *type = "Binary";
            return "Binary";
        }
        return node->character_class == ISO_CLASS_XN ? NULL
               : node->filler_side != ISO_SIDE_RIGHT ? "BCD"
                                                     : "LBCD";
    case ISO_ENC_UTF8:
    case ISO_ENC_GBK:
    case ISO_ENC_BINARY:
        *type = "Binary";
        return "Binary";
    case ISO_ENC_HEX:
        if (node->length.width != 0 && node->length.unit == ISO_UNIT_CHARACTERS) {
            return "ASCII";
        }
        *type = "Binary";
        return "HexToASCII";
    case ISO_ENC_HEX_EBCDIC:
        return node->length.width != 0 && node->length.unit == ISO_UNIT_CHARACTERS ? "EBCDIC1047"
                                                                                   : NULL;
    case ISO_ENC_PACKED_EBCDIC_SIGN:
    case ISO_ENCODINGS_COUNT:
        break;
    }
    return NULL;
}

static bool prefix_of(const struct iso_node *node, const char *encoding, char out[24])
{
    const char *letters = "LLLLLL";
    const struct iso_length *length = &node->length;
    const char *name = length->encoding == ISO_LEN_ASCII    ? "ASCII"
                       : length->encoding == ISO_LEN_EBCDIC ? "EBCDIC"
                       : length->encoding == ISO_LEN_PACKED ? "BCD"
                       : length->encoding == ISO_LEN_BINARY ? "Binary"
                       : length->encoding == ISO_LEN_HEX    ? "Hex"
                                                            : NULL;
    uint32_t width = length->encoding == ISO_LEN_HEX ? length->width / 2u : length->width;
    if (length->encoding == ISO_LEN_FIXED) {
        (void)snprintf(out, 24, "%s.Fixed",
                       strcmp(encoding, "HexToASCII") == 0   ? "Binary"
                       : strcmp(encoding, "LBCD") == 0       ? "BCD"
                       : strcmp(encoding, "EBCDIC1047") == 0 ? "EBCDIC"
                                                             : encoding);
        return true;
    }
    if (name == NULL || length->includes_itself || width < 1 || width > 4 ||
        length->unit == ISO_UNIT_NIBBLES) {
        return false;
    }
    (void)snprintf(out, 24, "%s.%.*s", name, (int)width, letters);
    return true;
}

static void add_field(const struct iso_dialect *dialect, uint32_t de, struct text *out,
                      struct iso_report *report)
{
    const struct iso_node *node = iso_dialect_field(dialect, de);
    const char *type, *encoding = encoding_of(node, &type);
    char prefix[24];
    struct text ours = {0};
    bool packed = node->encoding == ISO_ENC_PACKED && strcmp(type, "Binary") != 0;
    bool is_signed = node->encoding == ISO_ENC_PACKED && !packed && !counts_bytes(node);
    uint32_t size = is_signed ? 1 + node->max / 2 : node->max;
    if (encoding == NULL ||
        (packed && node->length.width != 0 && node->length.unit != ISO_UNIT_DIGITS)) {
        complain(dialect, report, de, node, "no encoding or unit for it there");
        return;
    }
    if (packed && node->filler != 0 && node->filler_side != ISO_SIDE_NONE) {
        complain(dialect, report, de, node, "no encoding with this filler there");
        return;
    }
    if (!prefix_of(node, encoding, prefix)) {
        complain(dialect, report, de, node, "no prefix for its length there");
        return;
    }
    text_add(&ours, "%s %s %u ", encoding, prefix, size);
    spec_yaml_node(node, &ours);
    text_add(out, ",\n    \"%u\": {\"type\": \"%s\", \"length\": %u, \"description\": ", de, type,
             size);
    text_add_json(out, node->name);
    text_add(out, ", \"enc\": \"%s\", \"prefix\": \"%s\"", encoding, prefix);
    if (node->length.encoding == ISO_LEN_FIXED && node->pad_side != ISO_SIDE_NONE &&
        strcmp(type, "String") == 0) {
        char pad[2] = {(char)node->pad, 0};
        text_add(out, ", \"padding\": {\"type\": \"%s\", \"pad\": ",
                 node->pad_side == ISO_SIDE_LEFT ? "Left" : "Right");
        text_add_json(out, pad);
        text_add(out, "}");
    }
    text_add(out, ", \"ringswitch\": ");
    text_add_json(out, ours.data);
    text_add(out, "}");
    text_free(&ours);
}

static void add_head(const struct iso_dialect *dialect, struct text *out, struct iso_report *report)
{
    const struct iso_mti_form *mti = iso_dialect_mti(dialect);
    const struct iso_bitmap_form *map = iso_dialect_bitmap(dialect);
    bool hex = map->encoding[0] == ISO_ENC_HEX;
    const char *encoding = mti->encoding == ISO_ENC_PACKED       ? "BCD"
                           : mti->encoding == ISO_ENC_EBCDIC1047 ? "EBCDIC1047"
                           : mti->encoding == ISO_ENC_ASCII      ? "ASCII"
                                                                 : "EBCDIC";
    if (map->encoding[0] == ISO_ENC_HEX_EBCDIC || map->encoding[0] != map->encoding[1] ||
        map->encoding[0] != map->encoding[2]) {
        complain(dialect, report, 1, NULL, "no encoding for this bitmap there");
    }
    if (map->tertiary == ISO_TERTIARY_FIELD) {
        complain(dialect, report, 65, NULL, "a third bitmap inside a field is not known there");
    }
    text_add(out,
             "    \"0\": {\"type\": \"String\", \"length\": 4, \"description\": \"Message type "
             "indicator\", \"enc\": \"%s\", \"prefix\": \"%s.Fixed\"},\n",
             encoding, strcmp(encoding, "EBCDIC1047") == 0 ? "EBCDIC" : encoding);
    text_add(out,
             "    \"1\": {\"type\": \"Bitmap\", \"length\": %u, \"description\": \"Bitmap\", "
             "\"enc\": \"%s\", \"prefix\": \"%s.Fixed\"%s}",
             map->always_secondary ? 16u : 8u, hex ? "HexToASCII" : "Binary",
             hex ? "Hex" : "Binary",
             map->always_secondary || map->no_secondary ? ", \"disableAutoExpand\": true" : "");
}

bool spec_export_moov(const struct iso_dialect *dialect, struct text *out,
                      struct iso_report *report)
{
    uint32_t before = report->count;
    struct text ours = {0};
    spec_yaml_head(dialect, &ours);
    spec_yaml_messages(dialect, &ours);
    text_add(out, "{\n  \"name\": ");
    text_add_json(out, iso_dialect_title(dialect));
    text_add(out, ",\n  \"ringswitch\": ");
    text_add_json(out, ours.data);
    text_add(out, ",\n  \"fields\": {\n");
    add_head(dialect, out, report);
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        if (iso_dialect_field(dialect, de) != NULL) {
            add_field(dialect, de, out, report);
        }
    }
    text_add(out, "\n  }\n}\n");
    text_free(&ours);
    return report->count == before;
}
