/* spec_yaml.c - a loaded dialect as a dialect file again: resolved, every axis written out. */
#include "ctl/spec_yaml.h"

#include <string.h>

static void add_composite(struct text *out, const struct iso_node *node);

static void add_quoted(struct text *out, const char *key, const char *value)
{
    if (value[0] != 0) {
        text_add(out, "%s: ", key);
        text_add_json(out, value);
        text_add(out, ", ");
    }
}

static void add_form(struct text *out, const struct iso_node *node)
{
    bool fixed = node->length.encoding == ISO_LEN_FIXED;
    bool sign = node->character_class == ISO_CLASS_XN;
    uint32_t min = node->min - (sign && node->min > 0), max = node->max - sign;
    text_add(out, "form: \"%s%s ",
             fixed                                   ? ""
             : node->length.encoding == ISO_LEN_REST ? "REST "
                                                     : "VAR ",
             iso_class_text(node->character_class));
    if (min == max) {
        text_add(out, "%u\"", max);
    } else if (min == 0) {
        text_add(out, "..%u\"", max);
    } else {
        text_add(out, "%u..%u\"", min, max);
    }
}

static void add_length(struct text *out, const char *key, const struct iso_length *length,
                       bool with_unit)
{
    text_add(out, ", %s: \"%s", key, iso_length_encoding_text(length->encoding));
    if (length->encoding != ISO_LEN_BER) {
        text_add(out, " %u", length->width);
    }
    text_add(out, "%s%s%s\"", with_unit ? " " : "", with_unit ? iso_unit_text(length->unit) : "",
             length->includes_itself ? " inclusive" : "");
}

static void add_sides(struct text *out, const struct iso_node *node)
{
    const char *sides[] = {
        [ISO_SIDE_NONE] = "none", [ISO_SIDE_LEFT] = "left", [ISO_SIDE_RIGHT] = "right"};
    text_add(out, ", pad: \"%s", sides[node->pad_side]);
    if (node->pad_side != ISO_SIDE_NONE) {
        text_add(out, " 0x%02X", node->pad);
    }
    text_add(out, "\"");
    if (node->encoding == ISO_ENC_PACKED || node->encoding == ISO_ENC_PACKED_EBCDIC_SIGN) {
        text_add(out, ", filler: \"%s", sides[node->filler_side]);
        if (node->filler_side != ISO_SIDE_NONE) {
            text_add(out, " %X", node->filler);
        }
        text_add(out, "\"");
    }
}

/* in_tlv: the length stands in the composite. */
static void add_node(struct text *out, const struct iso_node *node, const char *key, bool in_tlv)
{
    text_add(out, "{");
    add_quoted(out, "key", key);
    add_quoted(out, "name", node->name);
    add_quoted(out, "note", node->note);
    add_form(out, node);
    text_add(out, ", encoding: %s", iso_encoding_text(node->encoding));
    if (!in_tlv && node->length.encoding != ISO_LEN_FIXED &&
        node->length.encoding != ISO_LEN_REST) {
        add_length(out, "length", &node->length, false);
    }
    text_add(out, ", counts: %s", iso_unit_text(node->length.unit));
    add_sides(out, node);
    if (node->group > 1) {
        text_add(out, ", group: %u", node->group);
    }
    text_add(out, ", mask: %s", iso_mask_text(node->mask));
    if (node->rule == ISO_RULE_VALUES) {
        text_add(out, ", values: [");
        for (uint32_t i = 0; node->values[i] != NULL; i++) {
            text_add(out, "%s", i > 0 ? ", " : "");
            text_add_json(out, node->values[i]);
        }
        text_add(out, "]");
    } else if (node->rule != ISO_RULE_NONE) {
        text_add(out, ", rule: %s", iso_rule_text(node->rule));
    }
    if (node->composite.kind != ISO_COMPOSITE_NONE) {
        add_composite(out, node);
    }
    text_add(out, "}");
}

static void add_tlv(struct text *out, const struct iso_node *node)
{
    const struct iso_composite *composite = &node->composite;
    text_add(out, ", of: %s", composite->tag.is_ber ? "ber" : "tlv");
    if (!composite->tag.is_ber) {
        bool text =
            composite->tag.encoding != ISO_ENC_PACKED && composite->tag.encoding != ISO_ENC_BINARY;
        text_add(out, ", tags: \"%s %u%s%s\"", iso_encoding_text(composite->tag.encoding),
                 composite->tag.width, text ? " " : "",
                 text ? iso_class_text(composite->tag.character_class) : "");
    }
    add_length(out, "tag_lengths", &composite->tag_length, composite->tag_length_has_unit);
    text_add(out, ", padding: %s", composite->tag_padding ? "true" : "false");
    if (composite->refuse_repeated) {
        text_add(out, ", repeat: refuse");
    }
    if (composite->lead_count > 0) {
        text_add(out, ", lead: [");
        for (uint32_t i = 0; i < composite->lead_count; i++) {
            text_add(out, "%s", i > 0 ? ", " : "");
            add_node(out, &node->children[i], node->children[i].key, false);
        }
        text_add(out, "]");
    }
    text_add(out, ", unknown: ");
    if (composite->refuse_unknown) {
        text_add(out, "refuse");
    } else {
        add_node(out, composite->unknown, "", true);
    }
}

static void add_composite(struct text *out, const struct iso_node *node)
{
    const struct iso_composite *composite = &node->composite;
    switch (composite->kind) {
    case ISO_COMPOSITE_NONE:
        break;
    case ISO_COMPOSITE_POSITIONAL:
        text_add(out, ", of: positional, mandatory: %u", composite->mandatory_count);
        break;
    case ISO_COMPOSITE_TLV:
        add_tlv(out, node);
        break;
    case ISO_COMPOSITE_BITMAP:
        text_add(out, ", of: bitmap, map: \"%s %u\", chained: %s",
                 iso_encoding_text(composite->bitmap_encoding), composite->bitmap_bytes,
                 composite->bitmap_chained ? "true" : "false");
        if (composite->rest != NULL) {
            text_add(out, ", rest: ");
            add_node(out, composite->rest, "", false);
        }
        break;
    case ISO_COMPOSITE_SEPARATED:
        text_add(out, ", of: separated, separator: \"0x%02X\", mandatory: %u", composite->separator,
                 composite->mandatory_count);
        break;
    }
    if (composite->lazy) {
        text_add(out, ", inside: lazy");
    }
    if (node->children_count > composite->lead_count) {
        text_add(out, ", parts: {");
        for (uint32_t i = composite->lead_count; i < node->children_count; i++) {
            text_add(out, "%s", i > composite->lead_count ? ", " : "");
            text_add_json(out, node->children[i].key);
            text_add(out, ": ");
            add_node(out, &node->children[i], "", composite->kind == ISO_COMPOSITE_TLV);
        }
        text_add(out, "}");
    }
}

void spec_yaml_node(const struct iso_node *node, struct text *out)
{
    add_node(out, node, "", false);
}

/* --- the head --- */

static void add_line(struct text *out, const char *key, const char *value)
{
    if (value[0] != 0) {
        text_add(out, "%s: ", key);
        text_add_json(out, value);
        text_add(out, "\n");
    }
}

static void add_header(struct text *out, const struct iso_header_form *form)
{
    static const char *const kinds[] = {[ISO_HEADER_NONE] = "none",
                                        [ISO_HEADER_FIXED] = "fixed",
                                        [ISO_HEADER_TEXT] = "text",
                                        [ISO_HEADER_TPDU] = "tpdu",
                                        [ISO_HEADER_LENGTH] = "length"};
    char literal[ISO_HEADER_BYTES_MAX + 1] = "", hex[2 * ISO_HEADER_BYTES_MAX + 1];
    if (form->kind == ISO_HEADER_NONE) {
        return;
    }
    text_add(out, "header: {kind: %s, size: %u", kinds[form->kind], form->size);
    if (form->reject_size > 0) {
        text_add(out, ", reject: %u", form->reject_size);
    }
    if (form->kind == ISO_HEADER_TEXT) {
        memcpy(literal, form->initial, form->initial_size);
        text_add(out, ", text: ");
        text_add_json(out, literal);
    } else if (form->initial_size > 0) {
        bytes_to_hex(form->initial, form->initial_size, hex);
        text_add(out, ", initial: \"%s\"", hex);
    }
    text_add(out, "}\n");
}

static void add_mac(struct text *out, const struct iso_dialect *dialect)
{
    const struct iso_mac_form *mac = iso_dialect_mac(dialect);
    text_add(out, "mac: {header: %s, covers: ", mac->include_header ? "true" : "false");
    if (mac->to_field) {
        text_add(out, "to-field}\n");
        return;
    }
    for (uint32_t i = 0; i < mac->count; i++) {
        text_add(out, "%s%u", i > 0 ? ", " : "[", mac->fields[i]);
    }
    text_add(out, "%s]}\n", mac->count == 0 ? "[" : "");
}

void spec_yaml_head(const struct iso_dialect *dialect, struct text *out)
{
    static const char *const tertiaries[] = {[ISO_TERTIARY_NONE] = "none",
                                             [ISO_TERTIARY_CONTIGUOUS] = "contiguous",
                                             [ISO_TERTIARY_FIELD] = "field"};
    const struct iso_mti_form *mti = iso_dialect_mti(dialect);
    const struct iso_bitmap_form *map = iso_dialect_bitmap(dialect);
    const uint16_t *spread = iso_dialect_spread(dialect);
    add_line(out, "dialect", iso_dialect_name(dialect));
    add_line(out, "title", iso_dialect_title(dialect));
    add_line(out, "note", iso_dialect_note(dialect));
    add_line(out, "valid_from", iso_dialect_valid_from(dialect));
    add_line(out, "valid_until", iso_dialect_valid_until(dialect));
    add_line(out, "supersedes", iso_dialect_supersedes(dialect));
    add_line(out, "framing", iso_dialect_framing(dialect));
    add_header(out, iso_dialect_header(dialect));
    text_add(out, "mti: {encoding: %s, any: %s}\n", iso_encoding_text(mti->encoding),
             mti->any_characters ? "true" : "false");
    text_add(out, "bitmap: {encoding: [%s, %s, %s], secondary: %s, tertiary: %s}\n",
             iso_encoding_text(map->encoding[0]), iso_encoding_text(map->encoding[1]),
             iso_encoding_text(map->encoding[2]),
             map->announce_always    ? "always-announced"
             : map->always_secondary ? "always"
             : map->no_secondary     ? "none"
                                     : "announced",
             tertiaries[map->tertiary]);
    add_mac(out, dialect);
    if (spread[0] != 0) {
        text_add(out, "spread: [");
        for (uint32_t i = 0; spread[i] != 0; i++) {
            text_add(out, "%s%u", i > 0 ? ", " : "", spread[i]);
        }
        text_add(out, "]\n");
    }
}

/* --- message types --- */

static void add_presence(struct text *out, const struct iso_dialect *dialect,
                         const struct iso_mti_rules *rules, enum iso_presence presence)
{
    uint32_t count = 0;
    bool conditions = false;
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        conditions |= rules->presence[de] == presence && rules->condition[de] != 0;
    }
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        if (rules->presence[de] != presence) {
            continue;
        }
        if (count++ == 0) {
            text_add(out, "    %s: %s", iso_presence_text(presence), conditions ? "{" : "[");
        } else {
            text_add(out, ", ");
        }
        text_add(out, "%u", de);
        if (conditions) {
            text_add(out, ": ");
            text_add_json(out, iso_dialect_condition(dialect, rules->condition[de]));
        }
    }
    text_add(out, "%s", count == 0 ? "" : conditions ? "}\n" : "]\n");
}

/* Other MTIs with the same rules. */
static void add_also(struct text *out, const struct iso_dialect *dialect,
                     const struct iso_mti_rules *rules)
{
    uint32_t count = 0;
    for (uint32_t number = 0; number < 10000; number++) {
        char mti[4];
        bytes_put_number((uint8_t *)mti, 4, number);
        if (iso_dialect_mti_rules(dialect, mti) == rules && memcmp(mti, rules->mti, 4) != 0) {
            text_add(out, "%s\"%.4s\"", count++ == 0 ? "    also: [" : ", ", mti);
        }
    }
    text_add(out, "%s", count == 0 ? "" : "]\n");
}

void spec_yaml_messages(const struct iso_dialect *dialect, struct text *out)
{
    for (uint32_t i = 0; i < iso_dialect_mti_count(dialect); i++) {
        const struct iso_mti_rules *rules = iso_dialect_mti_at(dialect, i);
        text_add(out, "%s  \"%s\":\n    title: ", i == 0 ? "messages:\n" : "", rules->mti);
        text_add_json(out, rules->title);
        text_add(out, "\n");
        add_also(out, dialect, rules);
        for (uint32_t kind = ISO_PRESENCE_MANDATORY; kind < ISO_PRESENCES_COUNT; kind++) {
            add_presence(out, dialect, rules, (enum iso_presence)kind);
        }
        if (rules->others_forbidden) {
            text_add(out, "    others: forbidden\n");
        }
    }
}

void spec_yaml(const struct iso_dialect *dialect, struct text *out)
{
    spec_yaml_head(dialect, out);
    text_add(out, "fields:\n");
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        const struct iso_node *node = iso_dialect_field(dialect, de);
        if (node != NULL) {
            text_add(out, "  %u: ", de);
            spec_yaml_node(node, out);
            text_add(out, "\n");
        }
    }
    spec_yaml_messages(dialect, out);
}
