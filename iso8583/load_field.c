/* load_field.c - fields and their sub-structure: YAML to nodes.
 *
 * The tree's depth is bounded by yaml.h, composites by ISO_DEPTH_MAX. */
#include "iso8583/loader.h"

struct place {                     /* of a node that is being loaded */
    const struct iso_node *parent; /* NULL: a field */
    const char *key;
    uint32_t depth;
    bool is_lead; /* positional part before the tags of a TLV */
};

static void load_node(struct loader *loader, const struct yaml *yaml, const struct place *place,
                      struct iso_node *node);
static void load_form(struct loader *loader, const struct yaml *yaml, const struct place *place,
                      struct iso_node *node, bool *has_var);
static void load_axes(struct loader *loader, const struct yaml *yaml, const struct place *place,
                      struct iso_node *node, bool has_var);
static void load_looks(struct loader *loader, const struct yaml *yaml, const struct place *place,
                       struct iso_node *node);
static void check_node(struct loader *loader, const struct yaml *yaml, const struct place *place,
                       struct iso_node *node);

void load_fields(struct loader *loader, const struct yaml *root)
{
    const struct yaml *fields = yaml_get(root, "fields");
    struct iso_dialect *dialect = loader->dialect;
    if (fields == NULL || fields->kind != YAML_MAPPING) {
        complain_at(loader, fields != NULL ? fields : root,
                    "fields: a mapping of numbers to fields");
        return;
    }
    for (const struct yaml *field = fields->first; field != NULL; field = field->next) {
        uint32_t de;
        if (!text_number(field->key, strlen(field->key), ISO_FIELDS_MAX, &de) || de < 2 ||
            field->key[0] == '0') {
            iso_report_add(loader->report, field->file, field->key_line, field->key_column,
                           "fields are numbered from 2 to %u", ISO_FIELDS_MAX);
            continue;
        }
        bool is_map = de == 65 && dialect->bitmap.tertiary != ISO_TERTIARY_NONE;
        if (is_map || (de == 129 && dialect->bitmap.tertiary != ISO_TERTIARY_NONE)) {
            complain_at(loader, field, "field %u announces a bitmap in this dialect", de);
            continue;
        }
        if (de > 128 && dialect->bitmap.tertiary == ISO_TERTIARY_NONE) {
            complain_at(loader, field, "field %u needs bitmap.tertiary", de);
            continue;
        }
        if (de > 64 && dialect->bitmap.no_secondary) {
            complain_at(loader, field, "field %u needs a secondary bitmap", de);
            continue;
        }
        struct iso_node *node = arena_take(&loader->arena, sizeof(*node));
        struct place place = {.key = field->key};
        load_node(loader, field, &place, node);
        node->tag = de;
        dialect->fields[de] = node;
        dialect->known[(de - 1) >> 6] |= UINT64_C(1) << (63 - ((de - 1) & 63));
    }
}

const char *const load_field_keys[] = {
    "name",      "note",    "form",        "encoding", "length",  "counts", "pad",
    "filler",    "group",   "mask",        "rule",     "values",  "of",     "parts",
    "mandatory", "tags",    "tag_lengths", "lead",     "unknown", "repeat", "padding",
    "map",       "chained", "separator",   "inside",   "rest",    "key",    NULL};

static void load_node(struct loader *loader, const struct yaml *yaml, const struct place *place,
                      struct iso_node *node)
{
    bool has_var = false;
    node->key = place->key;
    node->name = node->note = "";
    node->line = yaml->line;
    node->character_class = ISO_CLASS_ANS;
    if (yaml->kind == YAML_MAPPING)
        check_keys(loader, yaml, load_field_keys);
    else if (yaml->kind != YAML_SCALAR) {
        complain_at(loader, yaml, "a field is a mapping, or its form alone");
        return;
    }
    (void)!load_text(loader, yaml_get(yaml, "name"), &node->name);
    (void)!load_text(loader, yaml_get(yaml, "note"), &node->note);
    load_form(loader, yaml, place, node, &has_var);
    load_axes(loader, yaml, place, node, has_var);
    load_looks(loader, yaml, place, node);
    check_node(loader, yaml, place, node);
    if (yaml_get(yaml, "of") != NULL)
        load_composite(loader, yaml, place->depth + 1, node);
}

void load_part(struct loader *loader, const struct yaml *yaml, const struct iso_node *parent,
               const char *key, uint32_t depth, bool is_lead, struct iso_node *node)
{
    struct place place = {.parent = parent, .key = key, .depth = depth, .is_lead = is_lead};
    load_node(loader, yaml, &place, node);
}

/* --- form: "[PREFIX] CLASS SIZE" --- */

static bool load_size(const char *text, size_t size, uint32_t *min, uint32_t *max, bool *is_range)
{
    const char *dots = memmem(text, size, "..", 2);
    *is_range = dots != NULL;
    if (dots == NULL) {
        if (!text_number(text, size, ISO_MESSAGE_BYTES_MAX, max))
            return false;
        *min = *max;
        return true;
    }
    size_t before = (size_t)(dots - text);
    *min = 0;
    return (before == 0 || text_number(text, before, ISO_MESSAGE_BYTES_MAX, min)) &&
           text_number(dots + 2, size - before - 2, ISO_MESSAGE_BYTES_MAX, max) && *min <= *max;
}

static bool load_class(const struct words *words, uint32_t index, enum iso_class *out)
{
    for (uint32_t i = 0; i < ISO_CLASSES_COUNT; i++)
        if (word_is(words, index, iso_class_text((enum iso_class)i))) {
            *out = (enum iso_class)i;
            return true;
        }
    return false;
}

static bool in_tlv(const struct place *place)
{
    return place->parent != NULL && !place->is_lead &&
           place->parent->composite.kind == ISO_COMPOSITE_TLV;
}

/* The prefix word: LVAR to LLLLLLVAR, VAR, REST. */
static bool load_prefix(struct loader *loader, const struct words *words, struct iso_node *node,
                        bool *has_var)
{
    const char *text = words->at[0].text;
    uint32_t size = words->at[0].size, letters = 0;
    if (word_is(words, 0, "REST")) {
        node->length.encoding = ISO_LEN_REST;
        return true;
    }
    while (letters < size && text[letters] == 'L')
        letters++;
    if (size - letters != 3 || memcmp(text + letters, "VAR", 3) != 0 || letters > 6)
        return false;
    *has_var = true;
    if (letters > 0) {
        node->length.encoding = loader->defaults.length;
        node->length.width = (uint8_t)letters;
        if (loader->defaults.length == ISO_LEN_BINARY)
            node->length.width = letters <= 2 ? 1 : letters <= 4 ? 2 : 3;
    }
    return true;
}

static void load_form(struct loader *loader, const struct yaml *yaml, const struct place *place,
                      struct iso_node *node, bool *has_var)
{
    const struct yaml *form = yaml->kind == YAML_SCALAR ? yaml : yaml_get(yaml, "form");
    const char *text;
    struct words words;
    bool is_range = false;
    if (form == NULL) {
        complain_at(loader, yaml, "the field has no form");
        return;
    }
    if (!load_text(loader, form, &text))
        return;
    if (!split_words(text, &words) || words.count < 2 || words.count > 3) {
        complain_at(loader, form, "a form is [PREFIX] CLASS SIZE, such as LLVAR n ..19");
        return;
    }
    uint32_t at = words.count - 2;
    if (at == 1 && !load_prefix(loader, &words, node, has_var)) {
        complain_at(loader, form, "no prefix %.*s: LVAR to LLLLLLVAR, VAR or REST",
                    (int)words.at[0].size, words.at[0].text);
        return;
    }
    if (!load_class(&words, at, &node->character_class))
        complain_at(loader, form, "no class %.*s", (int)words.at[at].size, words.at[at].text);
    if (!load_size(words.at[at + 1].text, words.at[at + 1].size, &node->min, &node->max, &is_range))
        complain_at(loader, form, "a size is 6, ..19 or 12..19, at most %u", ISO_MESSAGE_BYTES_MAX);
    if (node->character_class == ISO_CLASS_XN) { /* the sign counts */
        node->min += node->min > 0;
        node->max++;
    }
    if (node->in_digits && (*has_var || node->length.encoding == ISO_LEN_REST))
        complain_at(loader, form, "a part of packed digits has a fixed size");
    bool bounded =
        *has_var || node->length.encoding == ISO_LEN_REST || in_tlv(place) ||
        (place->parent != NULL && place->parent->composite.kind == ISO_COMPOSITE_SEPARATED);
    if (is_range && !bounded)
        complain_at(loader, form, "a size that varies needs a prefix: LLVAR, VAR or REST");
}

/* --- encoding, length, unit, pad, filler --- */

static enum iso_encoding default_encoding(const struct loader *loader, enum iso_class class)
{
    switch (class) {
    case ISO_CLASS_N:
        return loader->defaults.digits;
    case ISO_CLASS_Z:
        return loader->defaults.track;
    case ISO_CLASS_XN:
        return loader->defaults.signed_digits;
    case ISO_CLASS_B:
        return loader->defaults.bytes;
    case ISO_CLASS_ANY:
    case ISO_CLASS_A:
    case ISO_CLASS_S:
    case ISO_CLASS_AN:
    case ISO_CLASS_AS:
    case ISO_CLASS_NS:
    case ISO_CLASS_ANS:
    case ISO_CLASS_HEX:
    case ISO_CLASSES_COUNT:
        break;
    }
    return loader->defaults.text;
}

static bool load_unit(const struct words *words, uint32_t index, enum iso_unit *out)
{
    for (uint32_t i = 0; i < ISO_UNIT_COUNT; i++)
        if (word_is(words, index, iso_unit_text((enum iso_unit)i))) {
            *out = (enum iso_unit)i;
            return true;
        }
    return false;
}

/* "ENCODING WIDTH [UNIT] [inclusive]" or "ber [UNIT]". */
bool load_length(struct loader *loader, const struct yaml *value, struct iso_length *length,
                 bool *has_unit)
{
    const char *text;
    struct words words;
    if (!load_text(loader, value, &text))
        return false;
    uint32_t at = 1, width = 0, found = ISO_LEN_ASCII;
    bool right = split_words(text, &words) && words.count > 0;
    while (right && found < ISO_LEN_COUNT &&
           !word_is(&words, 0, iso_length_encoding_text((enum iso_length_encoding)found)))
        found++;
    right = right && found < ISO_LEN_COUNT;
    length->encoding = right ? (enum iso_length_encoding)found : ISO_LEN_ASCII;
    length->width = 0;
    if (right && length->encoding != ISO_LEN_BER) {
        uint32_t most = length->encoding == ISO_LEN_BINARY ? 4 : 8;
        right = words.count > 1 && text_number(words.at[1].text, words.at[1].size, most, &width) &&
                width > 0;
        length->width = (uint8_t)width;
        at = 2;
    }
    if (right && at < words.count && load_unit(&words, at, &length->unit)) {
        *has_unit = true;
        at++;
    }
    if (right && word_is(&words, at, "inclusive")) {
        length->includes_itself = true;
        right = length->encoding != ISO_LEN_BER;
        at++;
    }
    if (!right || at != words.count) {
        complain_at(loader, value,
                    "a length is ENCODING WIDTH [UNIT] [inclusive], such as binary 1 digits");
        if (length->encoding != ISO_LEN_BER && length->width == 0)
            length->width = 1;
        return false;
    }
    return true;
}

static enum iso_unit default_unit(const struct iso_node *node)
{
    if (encoding_is_packed(node->encoding))
        return ISO_UNIT_DIGITS;
    return node->encoding == ISO_ENC_BINARY ? ISO_UNIT_BYTES : ISO_UNIT_CHARACTERS;
}

/* A fixed or default size of class b is in bytes after decoding, whatever the wire has. */
static enum iso_unit fixed_unit(const struct iso_node *node)
{
    return encoding_is_hex(node->encoding) ? ISO_UNIT_OCTETS : default_unit(node);
}

static void load_side(struct loader *loader, const struct yaml *value, enum iso_side *side,
                      const char **with)
{
    const char *text;
    *with = NULL;
    if (!load_text(loader, value, &text))
        return;
    if (strcmp(text, "none") == 0) {
        *side = ISO_SIDE_NONE;
    } else if (strncmp(text, "left ", 5) == 0 && text[5] != '\0') {
        *side = ISO_SIDE_LEFT;
        *with = text + 5;
    } else if (strncmp(text, "right ", 6) == 0 && text[6] != '\0') {
        *side = ISO_SIDE_RIGHT;
        *with = text + 6;
    } else {
        complain_at(loader, value, "written left 0, right space, none");
    }
}

static void load_pad(struct loader *loader, const struct yaml *yaml, struct iso_node *node)
{
    const struct yaml *value = yaml_get(yaml, "pad");
    const char *with;
    bool digits = node->character_class == ISO_CLASS_N || node->character_class == ISO_CLASS_XN;
    bool text = !digits && node->character_class != ISO_CLASS_B &&
                node->character_class != ISO_CLASS_Z && node->character_class != ISO_CLASS_HEX;
    node->pad_side = digits ? ISO_SIDE_LEFT : text ? ISO_SIDE_RIGHT : ISO_SIDE_NONE;
    node->pad = digits ? '0' : text ? ' ' : 0;
    load_side(loader, value, &node->pad_side, &with);
    if (with != NULL) {
        uint8_t byte;
        size_t size;
        if (strcmp(with, "space") == 0)
            node->pad = ' ';
        else if (strncmp(with, "0x", 2) == 0 && strlen(with) == 4 &&
                 bytes_from_hex(with + 2, 2, &byte, 1, &size))
            node->pad = byte;
        else if (strlen(with) == 1)
            node->pad = (uint8_t)with[0];
        else
            complain_at(loader, value, "one character, space, or two hex digits behind 0x");
    }
    value = yaml_get(yaml, "filler");
    node->filler_side = ISO_SIDE_LEFT;
    node->filler = 0;
    load_side(loader, value, &node->filler_side, &with);
    if (with != NULL) {
        int nibble = strlen(with) == 1 ? hex_digit((uint8_t)with[0], false) : -1;
        if (nibble < 0)
            complain_at(loader, value, "a filler is one hexadecimal digit");
        else
            node->filler = (uint8_t)nibble;
    }
    if (value != NULL && !encoding_is_packed(node->encoding))
        complain_at(loader, value, "a filler belongs to packed values");
}

static void load_axes(struct loader *loader, const struct yaml *yaml, const struct place *place,
                      struct iso_node *node, bool has_var)
{
    const struct yaml *value = yaml_get(yaml, "length");
    bool has_unit = false;
    node->encoding =
        node->in_digits ? ISO_ENC_PACKED : default_encoding(loader, node->character_class);
    (void)!load_encoding(loader, yaml_get(yaml, "encoding"), &node->encoding);
    if (in_tlv(place)) {
        node->length = place->parent->composite.tag_length;
        has_unit = place->parent->composite.tag_length_has_unit;
        if (encoding_is_hex(place->parent->encoding))
            node->encoding = place->parent->encoding;
        if (value != NULL)
            complain_at(loader, value, "tag_lengths is the length of every tagged part");
    } else if (place->parent != NULL && !place->is_lead &&
               place->parent->composite.kind == ISO_COMPOSITE_SEPARATED) {
        node->length = (struct iso_length){.encoding = ISO_LEN_REST};
    } else if (value != NULL) {
        if (!has_var)
            complain_at(loader, value, "a length belongs to a form with VAR");
        (void)!load_length(loader, value, &node->length, &has_unit);
    } else if (has_var && node->length.encoding == ISO_LEN_FIXED) {
        complain_at(loader, yaml, "a form with VAR needs length");
        node->length = (struct iso_length){.encoding = ISO_LEN_ASCII, .width = 2};
    }
    bool in_hex = in_tlv(place) && encoding_is_hex(place->parent->encoding);
    bool counted = node->length.encoding != ISO_LEN_FIXED && node->length.encoding != ISO_LEN_REST;
    if (!has_unit)
        node->length.unit = counted && !in_hex ? default_unit(node) : fixed_unit(node);
    value = yaml_get(yaml, "counts");
    const char *text;
    struct words words;
    if (load_text(loader, value, &text) && (!split_words(text, &words) || words.count != 1 ||
                                            !load_unit(&words, 0, &node->length.unit)))
        complain_at(loader, value, "counts bytes, characters, digits, nibbles or octets");
    load_pad(loader, yaml, node);
}

/* --- mask, rule, group --- */

static enum iso_mask default_mask(const struct place *place, const struct iso_node *node)
{
    uint32_t de;
    if (place->parent != NULL)
        return place->parent->mask == ISO_MASK_PAN || place->parent->mask == ISO_MASK_TRACK
                   ? ISO_MASK_SECRET
                   : place->parent->mask;
    if (!text_number(place->key, strlen(place->key), ISO_FIELDS_MAX, &de))
        return ISO_MASK_CLEAR;
    (void)node;
    return de == 2 || de == 34                ? ISO_MASK_PAN
           : de == 35 || de == 36 || de == 45 ? ISO_MASK_TRACK
           : de == 52                         ? ISO_MASK_SECRET
                                              : ISO_MASK_CLEAR;
}

static void load_values(struct loader *loader, const struct yaml *values, struct iso_node *node)
{
    if (values->kind != YAML_SEQUENCE || values->count == 0) {
        complain_at(loader, values, "values is a list of texts");
        return;
    }
    const char **list = arena_take(&loader->arena, (values->count + 1) * sizeof(*list));
    uint32_t count = 0;
    for (const struct yaml *value = values->first; value != NULL; value = value->next)
        count += load_text(loader, value, &list[count]);
    node->rule = ISO_RULE_VALUES;
    node->values = list;
}

static void load_looks(struct loader *loader, const struct yaml *yaml, const struct place *place,
                       struct iso_node *node)
{
    const struct yaml *value = yaml_get(yaml, "mask");
    const char *text;
    uint32_t number, found;
    node->mask = default_mask(place, node);
    if (load_text(loader, value, &text)) {
        for (found = 0; found < ISO_MASKS_COUNT; found++)
            if (strcmp(text, iso_mask_text((enum iso_mask)found)) == 0)
                break;
        if (found < ISO_MASKS_COUNT)
            node->mask = (enum iso_mask)found;
        else
            complain_at(loader, value, "mask is clear, pan, track, secret or person");
    }
    value = yaml_get(yaml, "rule");
    if (load_text(loader, value, &text)) {
        for (found = 0; found < ISO_RULES_COUNT; found++)
            if (strcmp(text, iso_rule_text((enum iso_rule)found)) == 0)
                break;
        if (found < ISO_RULES_COUNT && found != ISO_RULE_VALUES)
            node->rule = (enum iso_rule)found;
        else
            complain_at(loader, value, "no value rule %.40s", text);
    }
    value = yaml_get(yaml, "values");
    if (value != NULL)
        load_values(loader, value, node);
    if (load_number(loader, yaml_get(yaml, "group"), 2, ISO_MESSAGE_BYTES_MAX, &number))
        node->group = (uint16_t)number;
}

/* --- do the axes go together? --- */

static uint64_t prefix_reach(const struct iso_length *length)
{
    uint64_t reach = 1;
    uint32_t base = length->encoding == ISO_LEN_BINARY ? 256
                    : length->encoding == ISO_LEN_HEX  ? 16
                                                       : 10;
    if (length->encoding == ISO_LEN_FIXED || length->encoding == ISO_LEN_REST ||
        length->encoding == ISO_LEN_BER)
        return UINT64_MAX;
    for (uint32_t i = 0; i < length->width; i++)
        reach *= base;
    return reach - 1;
}

static void check_node(struct loader *loader, const struct yaml *yaml, const struct place *place,
                       struct iso_node *node)
{
    bool bytes = node->character_class == ISO_CLASS_B;
    bool bytes_encoding = node->encoding == ISO_ENC_BINARY || encoding_is_hex(node->encoding);
    bool packed = encoding_is_packed(node->encoding);
    const char *encoding = iso_encoding_text(node->encoding);
    const char *class = iso_class_text(node->character_class);
    if (place->depth >= ISO_DEPTH_MAX)
        complain_at(loader, yaml, "composites are nested deeper than %u", ISO_DEPTH_MAX);
    if (bytes != bytes_encoding)
        complain_at(loader, yaml, "class %s cannot be %s", class, encoding);
    if (packed && node->character_class != ISO_CLASS_N && node->character_class != ISO_CLASS_Z &&
        node->character_class != ISO_CLASS_HEX && node->character_class != ISO_CLASS_XN)
        complain_at(loader, yaml, "class %s cannot be %s", class, encoding);
    if (node->encoding == ISO_ENC_PACKED_EBCDIC_SIGN && node->character_class != ISO_CLASS_XN)
        complain_at(loader, yaml, "%s is for class x+n", encoding);
    if (node->character_class == ISO_CLASS_XN && !packed &&
        !encoding_is_single_byte(node->encoding))
        complain_at(loader, yaml, "class %s cannot be %s", class, encoding);
    if ((node->length.unit == ISO_UNIT_DIGITS) && !packed && node->character_class != ISO_CLASS_N)
        complain_at(loader, yaml, "only packed values and class n count digits");
    if (node->character_class == ISO_CLASS_XN && packed && node->length.unit != ISO_UNIT_DIGITS &&
        node->length.unit != ISO_UNIT_CHARACTERS)
        complain_at(loader, yaml, "a packed x+n counts digits");
    bool is_digits = node->character_class == ISO_CLASS_N || node->character_class == ISO_CLASS_HEX;
    if (node->in_digits && (node->encoding != ISO_ENC_PACKED || !is_digits ||
                            node->length.unit != ISO_UNIT_DIGITS || node->group > 1))
        complain_at(loader, yaml, "a part of packed digits is n or hex, packed, counted in digits");
    if (node->max > prefix_reach(&node->length) && !in_tlv(place))
        complain_at(loader, yaml, "the length prefix cannot say %u", node->max);
    if (node->pad_side != ISO_SIDE_NONE && encoding_is_packed(node->encoding) &&
        (node->pad < '0' || node->pad > '9'))
        complain_at(loader, yaml, "a packed value is padded with a digit");
    loader->uses_gbk = loader->uses_gbk || node->encoding == ISO_ENC_GBK;
}
