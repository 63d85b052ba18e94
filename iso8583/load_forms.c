/* load_forms.c - the head of a dialect file: name, header, MTI, bitmap, defaults, MAC; and the
 * scalars that all parts of the loader read. */
#include "iso8583/frame.h"
#include "iso8583/loader.h"

#include <stdarg.h>
#include <stdio.h>

static void load_header(struct loader *loader, const struct yaml *header);
static void load_mti(struct loader *loader, const struct yaml *mti);
static void load_bitmap(struct loader *loader, const struct yaml *bitmap);
static void load_defaults(struct loader *loader, const struct yaml *defaults);
static void load_mac(struct loader *loader, const struct yaml *mac);
static void load_dates(struct loader *loader, const struct yaml *root);

const char *const load_root_keys[] = {
    "dialect",    "title",   "note",   "extends",  "valid_from", "valid_until",
    "supersedes", "framing", "header", "mti",      "bitmap",     "defaults",
    "mac",        "spread",  "fields", "messages", NULL};

void load_forms(struct loader *loader, const struct yaml *root)
{
    struct iso_dialect *dialect = loader->dialect;
    check_keys(loader, root, load_root_keys);
    dialect->name = dialect->title = dialect->note = dialect->framing = dialect->supersedes = "";
    const struct yaml *name = yaml_get(root, "dialect");
    if (name == NULL)
        complain_at(loader, root, "the key dialect is missing: the name");
    (void)!load_text(loader, name, &dialect->name);
    (void)!load_text(loader, yaml_get(root, "title"), &dialect->title);
    (void)!load_text(loader, yaml_get(root, "note"), &dialect->note);
    (void)!load_text(loader, yaml_get(root, "supersedes"), &dialect->supersedes);
    const struct yaml *framing = yaml_get(root, "framing");
    struct iso_framing known;
    if (load_text(loader, framing, &dialect->framing) &&
        !iso_framing_by_name(dialect->framing, &known))
        complain_at(loader, framing, "no framing %s", dialect->framing);
    load_dates(loader, root);
    load_header(loader, yaml_get(root, "header"));
    load_mti(loader, yaml_get(root, "mti"));
    load_bitmap(loader, yaml_get(root, "bitmap"));
    load_defaults(loader, yaml_get(root, "defaults"));
    load_mac(loader, yaml_get(root, "mac"));
    uint32_t count = 0;
    const struct yaml *spread = yaml_get(root, "spread");
    if (spread != NULL && spread->kind != YAML_SEQUENCE)
        complain_at(loader, spread, "spread is a list of fields");
    for (const struct yaml *de = spread != NULL ? spread->first : NULL; de != NULL; de = de->next) {
        uint32_t number;
        if (count + 1 >= countof(dialect->spread))
            complain_at(loader, de, "too many fields");
        else if (load_number(loader, de, 2, ISO_FIELDS_MAX, &number))
            dialect->spread[count++] = (uint16_t)number;
    }
}

static void load_dates(struct loader *loader, const struct yaml *root)
{
    const char *const keys[] = {"valid_from", "valid_until"};
    const char **const outs[] = {&loader->dialect->valid_from, &loader->dialect->valid_until};
    for (uint32_t i = 0; i < 2; i++) {
        static const char form[] = "0000-00-00T00:00Z";
        const struct yaml *value = yaml_get(root, keys[i]);
        *outs[i] = "";
        if (!load_text(loader, value, outs[i]))
            continue;
        bool right = strlen(*outs[i]) == sizeof(form) - 1;
        for (uint32_t j = 0; right && j < sizeof(form) - 1; j++)
            right = form[j] == '0' ? (*outs[i])[j] >= '0' && (*outs[i])[j] <= '9'
                                   : (*outs[i])[j] == form[j];
        if (!right)
            complain_at(loader, value, "a date is written 2026-04-17T02:00Z");
    }
}

static void load_header_bytes(struct loader *loader, const struct yaml *header,
                              struct iso_header_form *form)
{
    const struct yaml *value = yaml_get(header, "initial");
    const char *text;
    size_t size = 0;
    if (load_text(loader, value, &text)) {
        if (form->kind == ISO_HEADER_TEXT)
            complain_at(loader, value, "a text header has text, not initial");
        if (!bytes_from_hex(text, strlen(text), form->initial, sizeof(form->initial), &size))
            complain_at(loader, value, "initial is an even number of hexadecimal characters");
    }
    value = yaml_get(header, "text");
    if (load_text(loader, value, &text)) {
        size = strlen(text);
        if (form->kind != ISO_HEADER_TEXT || size > sizeof(form->initial))
            complain_at(loader, value, "text goes with kind: text, at most %u characters",
                        ISO_HEADER_BYTES_MAX);
        else
            memcpy(form->initial, text, size);
    }
    form->initial_size = (uint8_t)size;
}

const char *const load_header_keys[] = {"kind", "size", "reject", "initial", "text", NULL};

static void load_header(struct loader *loader, const struct yaml *header)
{
    static const char *const kinds[] = {"none", "fixed", "text", "tpdu", "length"};
    struct iso_header_form *form = &loader->dialect->header;
    const char *kind;
    uint32_t number;
    if (header == NULL)
        return;
    check_keys(loader, header, load_header_keys);
    const struct yaml *value = yaml_get(header, "kind");
    if (!load_text(loader, value, &kind)) {
        complain_at(loader, header, "a header needs a kind");
        return;
    }
    uint32_t found = 0;
    while (found < countof(kinds) && strcmp(kinds[found], kind) != 0)
        found++;
    if (found == countof(kinds)) {
        complain_at(loader, value, "kind is none, fixed, text, tpdu or length");
        return;
    }
    form->kind = (enum iso_header_kind)found;
    load_header_bytes(loader, header, form);
    form->size = form->kind == ISO_HEADER_TPDU ? 5 : form->initial_size;
    if (load_number(loader, yaml_get(header, "size"), 1, ISO_HEADER_BYTES_MAX, &number))
        form->size = (uint8_t)number;
    if (load_number(loader, yaml_get(header, "reject"), 1, ISO_HEADER_BYTES_MAX, &number))
        form->reject_size = (uint8_t)number;
    if (form->kind != ISO_HEADER_NONE && form->size == 0)
        complain_at(loader, header, "the header needs a size");
    if (form->initial_size > form->size ||
        (form->initial_size != 0 && form->initial_size != form->size &&
         form->kind != ISO_HEADER_TEXT))
        complain_at(loader, header, "the header has %u bytes, what stands here %u", form->size,
                    form->initial_size);
    if (form->kind == ISO_HEADER_LENGTH && form->initial_size == 0) {
        form->initial[0] = form->size;
        form->initial_size = form->size;
    }
    if (form->kind == ISO_HEADER_LENGTH && form->initial[0] != form->size)
        complain_at(loader, header, "the first byte of the header is its size");
}

const char *const load_mti_keys[] = {"encoding", "any", NULL};

static void load_mti(struct loader *loader, const struct yaml *mti)
{
    struct iso_mti_form *form = &loader->dialect->mti;
    form->encoding = ISO_ENC_ASCII;
    if (mti == NULL)
        return;
    check_keys(loader, mti, load_mti_keys);
    const struct yaml *encoding = yaml_get(mti, "encoding");
    if (load_encoding(loader, encoding, &form->encoding) &&
        !encoding_is_single_byte(form->encoding) && form->encoding != ISO_ENC_PACKED)
        complain_at(loader, encoding, "an MTI is ascii, ebcdic or packed");
    (void)!load_bool(loader, yaml_get(mti, "any"), &form->any_characters);
}

static bool is_bitmap_encoding(enum iso_encoding encoding)
{
    return encoding == ISO_ENC_BINARY || encoding_is_hex(encoding);
}

const char *const load_bitmap_keys[] = {"encoding", "secondary", "tertiary", NULL};

static void load_bitmap(struct loader *loader, const struct yaml *bitmap)
{
    struct iso_bitmap_form *form = &loader->dialect->bitmap;
    const char *text;
    for (uint32_t i = 0; i < 3; i++)
        form->encoding[i] = ISO_ENC_BINARY;
    if (bitmap == NULL)
        return;
    check_keys(loader, bitmap, load_bitmap_keys);
    const struct yaml *value = yaml_get(bitmap, "encoding");
    if (value != NULL && value->kind == YAML_SEQUENCE) {
        const struct yaml *item = value->first;
        if (value->count == 0 || value->count > 3)
            complain_at(loader, value, "one to three encodings");
        for (uint32_t i = 0; i < 3 && item != NULL; i++) {
            (void)!load_encoding(loader, item, &form->encoding[i]);
            if (item->next != NULL)
                item = item->next;
        }
    } else if (load_encoding(loader, value, &form->encoding[0])) {
        form->encoding[1] = form->encoding[2] = form->encoding[0];
    }
    for (uint32_t i = 0; i < 3; i++)
        if (!is_bitmap_encoding(form->encoding[i])) {
            complain_at(loader, value, "a bitmap is binary, hex or hex-ebcdic");
            form->encoding[i] = ISO_ENC_BINARY;
        }
    value = yaml_get(bitmap, "secondary");
    if (load_text(loader, value, &text)) {
        form->always_secondary = strncmp(text, "always", 6) == 0;
        form->announce_always = strcmp(text, "always-announced") == 0;
        form->no_secondary = strcmp(text, "none") == 0;
        if (strcmp(text, "announced") != 0 && strcmp(text, "always") != 0 &&
            strcmp(text, "always-announced") != 0 && strcmp(text, "none") != 0)
            complain_at(loader, value, "secondary is announced, always, always-announced or none");
    }
    value = yaml_get(bitmap, "tertiary");
    if (load_text(loader, value, &text)) {
        form->tertiary = strcmp(text, "contiguous") == 0 ? ISO_TERTIARY_CONTIGUOUS
                         : strcmp(text, "field") == 0    ? ISO_TERTIARY_FIELD
                                                         : ISO_TERTIARY_NONE;
        if (form->tertiary == ISO_TERTIARY_NONE && strcmp(text, "none") != 0)
            complain_at(loader, value, "tertiary is none, contiguous or field");
    }
}

const char *const load_defaults_keys[] = {"text",  "digits", "track", "signed",
                                          "bytes", "length", NULL};

static void load_defaults(struct loader *loader, const struct yaml *defaults)
{
    loader->defaults.text = loader->defaults.digits = loader->defaults.track = ISO_ENC_ASCII;
    loader->defaults.signed_digits = ISO_ENC_ASCII;
    loader->defaults.bytes = ISO_ENC_BINARY;
    loader->defaults.length = ISO_LEN_ASCII;
    if (defaults == NULL)
        return;
    check_keys(loader, defaults, load_defaults_keys);
    if (load_encoding(loader, yaml_get(defaults, "text"), &loader->defaults.text)) {
        loader->defaults.digits = loader->defaults.track = loader->defaults.text;
        loader->defaults.signed_digits = loader->defaults.text;
    }
    (void)!load_encoding(loader, yaml_get(defaults, "digits"), &loader->defaults.digits);
    (void)!load_encoding(loader, yaml_get(defaults, "track"), &loader->defaults.track);
    (void)!load_encoding(loader, yaml_get(defaults, "signed"), &loader->defaults.signed_digits);
    (void)!load_encoding(loader, yaml_get(defaults, "bytes"), &loader->defaults.bytes);
    (void)!load_length_encoding(loader, yaml_get(defaults, "length"), &loader->defaults.length);
}

const char *const load_mac_keys[] = {"covers", "header", NULL};

static void load_mac(struct loader *loader, const struct yaml *mac)
{
    struct iso_mac_form *form = &loader->dialect->mac;
    form->to_field = true;
    if (mac == NULL)
        return;
    check_keys(loader, mac, load_mac_keys);
    (void)!load_bool(loader, yaml_get(mac, "header"), &form->include_header);
    const struct yaml *covers = yaml_get(mac, "covers");
    const char *text;
    if (covers != NULL && covers->kind == YAML_SEQUENCE) {
        form->to_field = false;
        for (const struct yaml *de = covers->first; de != NULL; de = de->next) {
            uint32_t number;
            if (form->count == countof(form->fields))
                complain_at(loader, de, "too many fields");
            else if (load_number(loader, de, 0, ISO_FIELDS_MAX, &number))
                form->fields[form->count++] = (uint16_t)number;
        }
    } else if (load_text(loader, covers, &text) && strcmp(text, "to-field") != 0) {
        complain_at(loader, covers, "covers is to-field or a list of fields");
    }
}

/* --- scalars --- */

void complain_at(struct loader *loader, const struct yaml *at, const char *format, ...)
{
    char text[ISO_REPORT_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    iso_report_add(loader->report, at->file, at->line, at->column, "%s", text);
}

void check_keys(struct loader *loader, const struct yaml *mapping, const char *const *keys)
{
    if (mapping->kind != YAML_MAPPING) {
        complain_at(loader, mapping, "a mapping belongs here");
        return;
    }
    for (const struct yaml *child = mapping->first; child != NULL; child = child->next) {
        const char *const *known = keys;
        while (*known != NULL && strcmp(*known, child->key) != 0)
            known++;
        if (*known == NULL)
            iso_report_add(loader->report, child->file, child->key_line, child->key_column,
                           "unknown key %.40s", child->key);
    }
}

bool load_text(struct loader *loader, const struct yaml *value, const char **out)
{
    if (value == NULL)
        return false;
    if (value->kind != YAML_SCALAR) {
        complain_at(loader, value, "%s is text", value->key != NULL ? value->key : "this");
        return false;
    }
    *out = value->text;
    return true;
}

bool text_number(const char *text, size_t size, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    if (size == 0 || size > 9)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    *out = value;
    return value <= max;
}

bool load_number(struct loader *loader, const struct yaml *value, uint32_t min, uint32_t max,
                 uint32_t *out)
{
    const char *text;
    if (!load_text(loader, value, &text))
        return false;
    if (!text_number(text, strlen(text), max, out) || *out < min) {
        complain_at(loader, value, "a number from %u to %u belongs here", min, max);
        return false;
    }
    return true;
}

bool load_bool(struct loader *loader, const struct yaml *value, bool *out)
{
    const char *text;
    if (!load_text(loader, value, &text))
        return false;
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0) {
        complain_at(loader, value, "true or false belongs here");
        return false;
    }
    *out = yes;
    return true;
}

bool load_encoding(struct loader *loader, const struct yaml *value, enum iso_encoding *out)
{
    const char *text;
    if (!load_text(loader, value, &text))
        return false;
    for (uint32_t i = 0; i < ISO_ENCODINGS_COUNT; i++)
        if (strcmp(text, iso_encoding_text((enum iso_encoding)i)) == 0) {
            *out = (enum iso_encoding)i;
            loader->uses_gbk = loader->uses_gbk || *out == ISO_ENC_GBK;
            return true;
        }
    complain_at(loader, value, "no encoding %.40s", text);
    return false;
}

bool load_length_encoding(struct loader *loader, const struct yaml *value,
                          enum iso_length_encoding *out)
{
    const char *text;
    if (!load_text(loader, value, &text))
        return false;
    for (uint32_t i = ISO_LEN_ASCII; i <= ISO_LEN_HEX; i++)
        if (strcmp(text, iso_length_encoding_text((enum iso_length_encoding)i)) == 0) {
            *out = (enum iso_length_encoding)i;
            return true;
        }
    complain_at(loader, value, "no length encoding %.40s", text);
    return false;
}

bool split_words(const char *text, struct words *out)
{
    out->count = 0;
    while (*text != '\0') {
        while (*text == ' ')
            text++;
        const char *start = text;
        while (*text != ' ' && *text != '\0')
            text++;
        if (text == start)
            break;
        if (out->count == WORDS_MAX)
            return false;
        out->at[out->count].text = start;
        out->at[out->count].size = (uint32_t)(text - start);
        out->count++;
    }
    return true;
}
