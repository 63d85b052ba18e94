/* load_composite.c - sub-structure of a field: positional, tlv, ber, bitmap, separated. */
#include "iso8583/emv.h"
#include "iso8583/loader.h"

#include <stdio.h>
#include <stdlib.h>

static void load_tlv(struct loader *loader, const struct yaml *yaml, struct iso_node *node);
static void load_unknown(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                         struct iso_node *node);
static void load_map(struct loader *loader, const struct yaml *yaml, struct iso_node *node);
static void load_separator(struct loader *loader, const struct yaml *yaml, struct iso_node *node);
static void load_rest(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                      struct iso_node *node);
static void load_parts(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                       struct iso_node *node);
static uint32_t first_nibble(struct loader *loader, const struct yaml *of,
                             const struct iso_node *node);
static void check_digits(struct loader *loader, const struct yaml *of, struct iso_node *node);

void load_composite(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                    struct iso_node *node)
{
    struct iso_composite *composite = &node->composite;
    const struct yaml *of = yaml_get(yaml, "of"), *value;
    const char *text;
    if (!load_text(loader, of, &text))
        return;
    bool is_ber = strcmp(text, "ber") == 0;
    composite->kind = strcmp(text, "positional") == 0      ? ISO_COMPOSITE_POSITIONAL
                      : strcmp(text, "tlv") == 0 || is_ber ? ISO_COMPOSITE_TLV
                      : strcmp(text, "bitmap") == 0        ? ISO_COMPOSITE_BITMAP
                      : strcmp(text, "separated") == 0     ? ISO_COMPOSITE_SEPARATED
                                                           : ISO_COMPOSITE_NONE;
    if (composite->kind == ISO_COMPOSITE_NONE) {
        complain_at(loader, of, "of is positional, tlv, ber, bitmap or separated");
        return;
    }
    if (depth >= ISO_DEPTH_MAX) {
        complain_at(loader, of, "composites are nested deeper than %u", ISO_DEPTH_MAX);
        composite->kind = ISO_COMPOSITE_NONE;
        return;
    }
    bool splits_digits =
        node->encoding == ISO_ENC_PACKED &&
        (node->character_class == ISO_CLASS_N || node->character_class == ISO_CLASS_HEX) &&
        composite->kind == ISO_COMPOSITE_POSITIONAL;
    if ((encoding_is_packed(node->encoding) && !splits_digits) ||
        (encoding_is_hex(node->encoding) && composite->kind != ISO_COMPOSITE_TLV))
        complain_at(loader, of, "a %s value cannot be %s", iso_encoding_text(node->encoding), text);
    value = yaml_get(yaml, "inside");
    if (load_text(loader, value, &text)) {
        composite->lazy = strcmp(text, "lazy") == 0;
        if (!composite->lazy && strcmp(text, "strict") != 0)
            complain_at(loader, value, "inside is strict or lazy");
    }
    if (composite->kind == ISO_COMPOSITE_TLV)
        load_tlv(loader, yaml, node);
    if (composite->kind == ISO_COMPOSITE_BITMAP)
        load_map(loader, yaml, node);
    if (composite->kind == ISO_COMPOSITE_SEPARATED)
        load_separator(loader, yaml, node);
    load_parts(loader, yaml, depth, node);
    if (composite->kind == ISO_COMPOSITE_TLV)
        load_unknown(loader, yaml, depth, node);
    value = yaml_get(yaml, "rest");
    if (value != NULL && composite->kind != ISO_COMPOSITE_BITMAP)
        complain_at(loader, value, "rest belongs to a bitmap");
    else if (value != NULL)
        load_rest(loader, value, depth, node);
    uint32_t mandatory = composite->kind == ISO_COMPOSITE_POSITIONAL ? node->children_count : 0;
    (void)!load_number(loader, yaml_get(yaml, "mandatory"), 0, node->children_count, &mandatory);
    composite->mandatory_count = (uint16_t)mandatory;
    if (splits_digits)
        check_digits(loader, of, node);
}

/* "ENCODING WIDTH [CLASS]" or "ber". */
static void load_tags(struct loader *loader, const struct yaml *value, struct iso_tag_form *form)
{
    const char *text;
    struct words words;
    uint32_t width = 0, found = 0;
    form->encoding = ISO_ENC_BINARY;
    if (!load_text(loader, value, &text))
        return;
    bool right = split_words(text, &words) && words.count > 0;
    if (right && words.count == 1 && word_is(&words, 0, "ber")) {
        form->is_ber = true;
        return;
    }
    while (found < ISO_ENCODINGS_COUNT &&
           !word_is(&words, 0, iso_encoding_text((enum iso_encoding)found)))
        found++;
    form->encoding = found < ISO_ENCODINGS_COUNT ? (enum iso_encoding)found : ISO_ENC_BINARY;
    bool packed = form->encoding == ISO_ENC_PACKED;
    right =
        right && found < ISO_ENCODINGS_COUNT && words.count >= 2 && words.count <= 3 &&
        (encoding_is_single_byte(form->encoding) || packed || form->encoding == ISO_ENC_BINARY) &&
        text_number(words.at[1].text, words.at[1].size,
                    packed ? ISO_TAG_BYTES_MAX * 2 : ISO_TAG_BYTES_MAX, &width) &&
        width > 0;
    form->width = (uint8_t)width;
    form->character_class = ISO_CLASS_N;
    if (right && words.count == 3) {
        right = false;
        for (uint32_t i = 0; i < ISO_CLASSES_COUNT; i++)
            if (word_is(&words, 2, iso_class_text((enum iso_class)i))) {
                form->character_class = (enum iso_class)i;
                right = encoding_is_single_byte(form->encoding);
            }
    }
    if (!right) {
        complain_at(loader, value, "tags are ENCODING WIDTH [CLASS], such as ascii 2, or ber");
        form->width = 1;
    }
}

static void load_tlv(struct loader *loader, const struct yaml *yaml, struct iso_node *node)
{
    struct iso_composite *composite = &node->composite;
    const struct yaml *of = yaml_get(yaml, "of"), *tags = yaml_get(yaml, "tags"),
                      *lengths = yaml_get(yaml, "tag_lengths");
    const char *text;
    if (strcmp(of->text, "ber") == 0) {
        composite->tag = (struct iso_tag_form){.encoding = ISO_ENC_BINARY, .is_ber = true};
        composite->tag_length = (struct iso_length){.encoding = ISO_LEN_BER};
        if (tags != NULL)
            complain_at(loader, tags, "ber has tags of its own");
    } else {
        if (tags == NULL)
            complain_at(loader, of, "tlv needs tags");
        load_tags(loader, tags, &composite->tag);
    }
    composite->tag_padding = composite->tag.is_ber;
    (void)!load_bool(loader, yaml_get(yaml, "padding"), &composite->tag_padding);
    if (lengths != NULL)
        (void)!load_length(loader, lengths, &composite->tag_length,
                           &composite->tag_length_has_unit);
    else if (composite->tag.is_ber)
        composite->tag_length = (struct iso_length){.encoding = ISO_LEN_BER};
    else
        complain_at(loader, of, "tlv needs tag_lengths");
    if (encoding_is_hex(node->encoding) && (composite->tag.encoding != ISO_ENC_BINARY ||
                                            (composite->tag_length.encoding != ISO_LEN_BER &&
                                             composite->tag_length.encoding != ISO_LEN_BINARY)))
        complain_at(loader, of,
                    "tags and lengths within hexadecimal text are bytes: ber or binary");
    const struct yaml *repeat = yaml_get(yaml, "repeat");
    if (load_text(loader, repeat, &text)) {
        composite->refuse_repeated = strcmp(text, "refuse") == 0;
        if (!composite->refuse_repeated && strcmp(text, "keep") != 0)
            complain_at(loader, repeat, "repeat is keep or refuse");
    }
}

static void load_unknown(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                         struct iso_node *node)
{
    const struct yaml *value = yaml_get(yaml, "unknown");
    struct iso_node *unknown = arena_take(&loader->arena, sizeof(*unknown));
    node->composite.unknown = unknown;
    node->composite.refuse_unknown =
        value != NULL && value->kind == YAML_SCALAR && strcmp(value->text, "refuse") == 0;
    if (value != NULL && !node->composite.refuse_unknown) {
        load_part(loader, value, node, "", depth, false, unknown);
        return;
    }
    struct yaml form = *yaml;
    bool bytes = node->character_class == ISO_CLASS_B;
    form.kind = YAML_SCALAR;
    form.text = bytes ? "VAR b ..65535" : "VAR ans ..65535";
    load_part(loader, &form, node, "", depth, false, unknown);
    if (!bytes) {
        unknown->character_class =
            node->character_class == ISO_CLASS_N ? ISO_CLASS_ANS : node->character_class;
        unknown->encoding = node->encoding;
        unknown->length.unit =
            node->composite.tag_length_has_unit ? unknown->length.unit : ISO_UNIT_CHARACTERS;
    }
    unknown->mask = node->mask;
}

static void load_map(struct loader *loader, const struct yaml *yaml, struct iso_node *node)
{
    const struct yaml *map = yaml_get(yaml, "map");
    struct iso_composite *composite = &node->composite;
    const char *text;
    struct words words;
    uint32_t bytes = 0;
    composite->bitmap_encoding = ISO_ENC_BINARY;
    composite->bitmap_bytes = 8;
    (void)!load_bool(loader, yaml_get(yaml, "chained"), &composite->bitmap_chained);
    if (map == NULL) {
        complain_at(loader, yaml_get(yaml, "of"), "bitmap needs map, such as binary 8");
        return;
    }
    if (!load_text(loader, map, &text))
        return;
    bool right = split_words(text, &words) && words.count == 2 &&
                 text_number(words.at[1].text, words.at[1].size, 16, &bytes) && bytes > 0;
    if (right && word_is(&words, 0, "hex"))
        composite->bitmap_encoding = ISO_ENC_HEX;
    else if (right && word_is(&words, 0, "hex-ebcdic"))
        composite->bitmap_encoding = ISO_ENC_HEX_EBCDIC;
    else if (right)
        right = word_is(&words, 0, "binary");
    if (right)
        composite->bitmap_bytes = (uint8_t)bytes;
    else
        complain_at(loader, map, "map is ENCODING BYTES: binary, hex or hex-ebcdic, 1 to 16");
}

static void load_rest(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                      struct iso_node *node)
{
    struct iso_node *rest = arena_take(&loader->arena, sizeof(*rest));
    load_part(loader, yaml, node, "rest", depth, false, rest);
    if (rest->length.encoding != ISO_LEN_REST)
        complain_at(loader, yaml, "the rest has a form with REST");
    node->composite.rest = rest;
}

static void load_separator(struct loader *loader, const struct yaml *yaml, struct iso_node *node)
{
    const struct yaml *value = yaml_get(yaml, "separator");
    const char *text;
    size_t size;
    if (value == NULL) {
        complain_at(loader, yaml_get(yaml, "of"), "separated needs separator");
    } else if (load_text(loader, value, &text)) {
        uint8_t *byte = &node->composite.separator;
        if (strlen(text) == 1 && (uint8_t)text[0] < 0x80)
            *byte = encoding_is_single_byte(node->encoding)
                        ? loader->dialect->charsets[node->encoding].from_latin1[(uint8_t)text[0]]
                        : (uint8_t)text[0];
        else if (strncmp(text, "0x", 2) != 0 || strlen(text) != 4 ||
                 !bytes_from_hex(text + 2, 2, byte, 1, &size))
            complain_at(loader, value, "one character, or two hex digits behind 0x");
    }
}

/* --- parts --- */

static int by_tag(const void *a, const void *b)
{
    uint64_t left = ((const struct iso_node *)a)->tag, right = ((const struct iso_node *)b)->tag;
    return left < right ? -1 : left > right;
}

static bool tag_of_key(struct loader *loader, const struct yaml *part, const struct iso_node *node,
                       uint64_t *tag)
{
    const struct iso_tag_form *form = &node->composite.tag;
    size_t size = strlen(part->key), bytes_size;
    uint8_t bytes[ISO_TAG_BYTES_MAX];
    *tag = 0;
    if (encoding_is_single_byte(form->encoding)) {
        bool right = size == form->width;
        for (size_t i = 0; right && i < size; i++) {
            uint8_t c = (uint8_t)part->key[i];
            right = c < 0x80 &&
                    (loader->dialect->charsets[ISO_ENC_ASCII].classes[c] >> form->character_class &
                     1) != 0;
            *tag = *tag << 8 | c;
        }
        return right;
    }
    char padded[2 * ISO_TAG_BYTES_MAX + 2];
    if (size + 1 >= sizeof(padded))
        return false;
    bool odd = form->encoding == ISO_ENC_PACKED && (size & 1) != 0;
    (void)snprintf(padded, sizeof(padded), "%s%s", odd ? "0" : "", part->key);
    if (!bytes_from_hex(padded, strlen(padded), bytes, sizeof(bytes), &bytes_size))
        return false;
    for (size_t i = 0; i < size; i++) /* as it is printed, so that keys compare as text */
        if (part->key[i] >= 'a')
            return false;
    for (size_t i = 0; i < bytes_size; i++)
        *tag = *tag << 8 | bytes[i];
    if (form->is_ber)
        return bytes_size > 0 && iso_tlv_is_tag(bytes, bytes_size);
    return form->encoding == ISO_ENC_PACKED ? size == form->width : size == form->width * 2u;
}

static void load_lead(struct loader *loader, const struct yaml *lead, uint32_t depth,
                      struct iso_node *node, struct iso_node *children)
{
    uint32_t count = 0;
    for (const struct yaml *part = lead->first; part != NULL; part = part->next) {
        const char *key = "";
        if (!load_text(loader, yaml_get(part, "key"), &key))
            complain_at(loader, part, "a lead part needs a key");
        load_part(loader, part, node, key, depth, true, &children[count]);
        children[count].tag = count + 1;
        count++;
    }
    node->composite.lead_count = (uint16_t)count;
}

static void load_parts(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                       struct iso_node *node)
{
    const struct yaml *parts = yaml_get(yaml, "parts"), *lead = yaml_get(yaml, "lead");
    enum iso_composite_kind kind = node->composite.kind;
    bool has_lead = lead != NULL && lead->kind == YAML_SEQUENCE && kind == ISO_COMPOSITE_TLV;
    if (lead != NULL && !has_lead)
        complain_at(loader, lead, "lead is a list of parts, for tlv");
    if (parts != NULL && parts->kind != YAML_MAPPING) {
        complain_at(loader, parts, "parts is a mapping");
        return;
    }
    if (parts == NULL && kind != ISO_COMPOSITE_TLV) {
        complain_at(loader, yaml_get(yaml, "of"), "the parts are missing");
        return;
    }
    uint32_t total = (has_lead ? lead->count : 0) + (parts != NULL ? parts->count : 0);
    struct iso_node *children = arena_take(&loader->arena, (total + 1) * sizeof(*children));
    if (has_lead)
        load_lead(loader, lead, depth, node, children);
    uint32_t count = node->composite.lead_count, first = count;
    uint32_t nibble = first_nibble(loader, yaml_get(yaml, "of"), node);
    for (const struct yaml *part = parts != NULL ? parts->first : NULL; part != NULL;
         part = part->next) {
        struct iso_node *child = &children[count++];
        uint32_t number = count - first;
        child->in_digits = encoding_is_packed(node->encoding);
        child->nibble = (uint16_t)nibble;
        load_part(loader, part, node, part->key, depth, false, child);
        child->tag = number;
        nibble = nibble + child->max < ISO_DIGITS_MAX ? nibble + child->max : ISO_DIGITS_MAX;
        if (kind == ISO_COMPOSITE_TLV) {
            if (!tag_of_key(loader, part, node, &child->tag))
                iso_report_add(loader->report, part->file, part->key_line, part->key_column,
                               "%.20s is no tag of this form", part->key);
        } else if (kind == ISO_COMPOSITE_BITMAP) {
            if (!text_number(part->key, strlen(part->key), 256, &number) || number == 0 ||
                part->key[0] == '0')
                iso_report_add(loader->report, part->file, part->key_line, part->key_column,
                               "parts of a bitmap are numbered from 1 to 256");
            child->tag = number;
        }
        if (strchr(part->key, '.') != NULL || strlen(part->key) >= 2 * ISO_TAG_BYTES_MAX + 8 ||
            part->key[0] == '\0')
            iso_report_add(loader->report, part->file, part->key_line, part->key_column,
                           "a key is 1 to %u characters without a dot", 2 * ISO_TAG_BYTES_MAX + 7);
        bool last = part->next == NULL;
        if (child->length.encoding == ISO_LEN_REST && kind != ISO_COMPOSITE_SEPARATED &&
            (kind != ISO_COMPOSITE_POSITIONAL || !last))
            complain_at(loader, part, "only the last positional part takes the rest");
    }
    if (kind == ISO_COMPOSITE_TLV || kind == ISO_COMPOSITE_BITMAP)
        qsort(children + first, count - first, sizeof(*children), by_tag);
    node->children = children;
    node->children_count = (uint16_t)count;
}

/* --- packed digits --- */

static bool counts_digits(const struct iso_node *node)
{
    return node->length.unit == ISO_UNIT_DIGITS || node->length.unit == ISO_UNIT_CHARACTERS;
}

/* The nibble of packed digits where the first part begins: the same in every message, so that the
 * place of each part can be laid out here. */
static uint32_t first_nibble(struct loader *loader, const struct yaml *of,
                             const struct iso_node *node)
{
    if (!encoding_is_packed(node->encoding))
        return 0;
    if (node->in_digits)
        return node->nibble & 1u;
    bool is_fixed = node->length.encoding == ISO_LEN_FIXED && counts_digits(node);
    if (!is_fixed && node->filler_side == ISO_SIDE_LEFT)
        complain_at(loader, of,
                    "parts of packed digits whose number varies need filler: right 0, or none");
    return is_fixed && (node->max & 1) != 0 && node->filler_side == ISO_SIDE_LEFT ? 1 : 0;
}

static void check_digits(struct loader *loader, const struct yaml *of, struct iso_node *node)
{
    uint32_t sum = 0;
    bool is_fixed = node->length.encoding == ISO_LEN_FIXED, is_sound = is_fixed;
    for (uint32_t i = 0; i < node->children_count; i++) {
        const struct iso_node *child = &node->children[i];
        sum += child->max < ISO_DIGITS_MAX ? child->max : ISO_DIGITS_MAX + 1;
        is_sound = is_sound && child->character_class == node->character_class &&
                   (child->composite.kind == ISO_COMPOSITE_NONE || child->composite.is_sound);
        if (child->max == 0)
            complain_at(loader, of, "part %.20s has no digits", child->key);
    }
    uint32_t whole =
        counts_digits(node) || node->length.unit == ISO_UNIT_NIBBLES ? node->max : node->max * 2;
    if (sum >= ISO_DIGITS_MAX)
        complain_at(loader, of, "the parts of packed digits are fewer than %u", ISO_DIGITS_MAX);
    else if (is_fixed && sum != whole)
        complain_at(loader, of, "the parts have %u digits, the field %u", sum, whole);
    if (is_fixed && node->composite.mandatory_count != node->children_count)
        complain_at(loader, of, "a fixed number of digits has all of its parts");
    node->composite.is_sound = is_sound;
}
