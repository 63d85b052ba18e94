/* setting.c - rows of a .def turned into a reader, a printer and a comparison.
 *
 * DESIGN  A setting's text comes from --set, the file, or its default, in this order; one function
 * per kind makes a value of it. Unknown names are looked for afterwards, section by section. */
#include "conf/setting.h"

#include "base/bytes.h"

#include <string.h>

#define SEGMENT_BYTES_MAX 64u

struct source { /* what a row's value is read from */
    const struct conf_setting *row;
    const char *name; /* its whole path, for faults */
    const char *text; /* NULL: a sequence */
    const struct conf_node *sequence;
    struct conf_place place;
    const char *directory;
    struct conf_report *report;
};

static void row_read(const struct conf_reader *reader, const struct conf_setting *row,
                     const struct conf_node *mapping, void *owner);
static void unknown_report(const struct conf_reader *reader, const struct conf_node *mapping);
static bool value_read(const struct source *source, void *field);

void conf_settings_read(const struct conf_reader *reader, const struct conf_node *mapping,
                        void *owner)
{
    if (mapping->kind != CONF_MAPPING) {
        conf_report_add(reader->report, mapping->place, "", "%s is a mapping: `key: value` lines",
                        reader->what);
        return;
    }
    for (uint32_t i = 0; i < reader->rows_count; i++) {
        row_read(reader, &reader->rows[i], mapping, owner);
    }
    unknown_report(reader, mapping);
}

/* ---- where a value stands -------------------------------------------------------------------- */

/* "journal.segments" in two steps; a section that is not there is NULL. */
static const struct conf_node *row_node(const struct conf_node *mapping, const char *path)
{
    const char *dot = strchr(path, '.');
    if (dot == NULL) {
        return conf_node_get(mapping, path);
    }
    char section[SEGMENT_BYTES_MAX];
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - path), path);
    return conf_node_get(conf_node_get(mapping, section), dot + 1);
}

static struct conf_override *override_find(const struct conf_reader *reader, const char *name)
{
    for (uint32_t i = 0; i < reader->overrides_count; i++) {
        if (strcmp(reader->overrides[i].path, name) == 0) {
            return &reader->overrides[i];
        }
    }
    return NULL;
}

static void row_read(const struct conf_reader *reader, const struct conf_setting *row,
                     const struct conf_node *mapping, void *owner)
{
    char name[CONF_PATH_BYTES];
    (void)snprintf(name, sizeof name, "%s%s", reader->prefix, row->path);
    struct source source = {.row = row,
                            .name = name,
                            .text = row->preset,
                            .place = mapping->place,
                            .directory = reader->directory,
                            .report = reader->report};
    const struct conf_node *node = row_node(mapping, row->path);
    struct conf_override *override = override_find(reader, name);
    if (override != NULL) {
        override->is_used = true;
        source.text = override->value;
        source.place = override->place;
        source.directory = "";
    } else if (node != NULL) {
        source.place = node->place;
        source.text = node->kind == CONF_SCALAR ? node->text : NULL;
        source.sequence = node->kind == CONF_SEQUENCE ? node : NULL;
        if (node->kind == CONF_MAPPING ||
            (node->kind == CONF_SEQUENCE && row->kind != CONF_DIGITS)) {
            conf_report_add(reader->report, node->place, "", "%s is one value", name);
            return;
        }
    } else if (row->preset == NULL) {
        conf_report_add(reader->report, mapping->place, "", "%s is required: %s", name, row->help);
        return;
    }
    uint8_t *field = (uint8_t *)owner + row->offset;
    if (value_read(&source, field) && row->when == CONF_LATER && source.text != NULL &&
        strcmp(source.text, row->preset) != 0) {
        conf_report_add(reader->report, source.place, "",
                        "%s is not in this version; the only value is \"%s\"", name, row->preset);
    } else if (row->when == CONF_LATER && source.sequence != NULL) {
        conf_report_add(reader->report, source.place, "", "%s is not in this version", name);
    }
}

/* ---- names that are no setting --------------------------------------------------------------- */

static bool is_other(const struct conf_reader *reader, const char *key)
{
    for (uint32_t i = 0; i < reader->others_count; i++) {
        if (strcmp(reader->others[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* 2: a setting; 1: a section of settings; 0: neither. */
static int path_kind(const struct conf_reader *reader, const char *path)
{
    size_t size = strlen(path);
    for (uint32_t i = 0; i < reader->rows_count; i++) {
        const char *row = reader->rows[i].path;
        if (strncmp(row, path, size) == 0 && (row[size] == '\0' || row[size] == '.')) {
            return row[size] == '\0' ? 2 : 1;
        }
    }
    return 0;
}

static void unknown_add(const struct conf_reader *reader, const struct conf_node *node,
                        const char *path)
{
    const char *names[128];
    uint32_t names_count = 0;
    for (uint32_t i = 0; i < reader->rows_count && names_count < countof(names); i++) {
        names[names_count++] = reader->rows[i].path;
    }
    for (uint32_t i = 0; i < reader->others_count && names_count < countof(names); i++) {
        names[names_count++] = reader->others[i];
    }
    char sections[32][CONF_PATH_BYTES]; /* "journal" of "journal.segments" */
    uint32_t sections_count = 0;
    for (uint32_t i = 0; i < reader->rows_count; i++) {
        const char *row = reader->rows[i].path;
        size_t size = strcspn(row, ".");
        if (row[size] != '.' || size >= CONF_PATH_BYTES || sections_count == countof(sections) ||
            names_count == countof(names) ||
            (sections_count > 0 && strncmp(sections[sections_count - 1], row, size) == 0 &&
             sections[sections_count - 1][size] == '\0')) {
            continue;
        }
        memcpy(sections[sections_count], row, size);
        sections[sections_count][size] = '\0';
        names[names_count++] = sections[sections_count++];
    }
    const char *nearest = conf_nearest(path, names, names_count);
    conf_report_add(reader->report, node->key_place, "", "there is no setting \"%s\" in %s%s%s%s",
                    path, reader->what, nearest != NULL ? "; did you mean \"" : "",
                    nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static void unknown_report(const struct conf_reader *reader, const struct conf_node *mapping)
{
    for (const struct conf_node *node = mapping->first; node != NULL; node = node->next) {
        int kind = path_kind(reader, node->key);
        if (is_other(reader, node->key) || (kind == 2 && strchr(node->key, '.') == NULL)) {
            continue;
        }
        if (kind != 1) {
            unknown_add(reader, node, node->key);
            continue;
        }
        if (node->kind != CONF_MAPPING) {
            conf_report_add(reader->report, node->place, "",
                            "%s%s is a mapping: `key: value` lines", reader->prefix, node->key);
            continue;
        }
        for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
            char path[CONF_PATH_BYTES];
            (void)snprintf(path, sizeof path, "%s.%s", node->key, child->key);
            if (path_kind(reader, path) != 2) {
                unknown_add(reader, child, path);
            }
        }
    }
}

/* ---- one value of each kind ------------------------------------------------------------------ */

static bool fault(const struct source *source, const char *wanted)
{
    conf_report_add(source->report, source->place, "", "%s: \"%s\" is not %s", source->name,
                    source->text, wanted);
    return false;
}

static bool in_range(const struct source *source, uint64_t value, uint64_t least, uint64_t most)
{
    if (value >= least && value <= most) {
        return true;
    }
    conf_report_add(source->report, source->place, "", "%s is %s; it must be %s to %s",
                    source->name, source->text, source->row->least, source->row->most);
    return false;
}

static bool word_read(const struct source *source, uint32_t *out)
{
    uint32_t index = 0;
    const char *word = source->row->least;
    size_t size = strlen(source->text);
    for (;; index++) { /* words of a constant */
        size_t word_size = strcspn(word, "|");
        if (word_size == size && memcmp(word, source->text, size) == 0) {
            *out = index;
            return true;
        }
        if (word[word_size] == '\0') {
            break;
        }
        word += word_size + 1;
    }
    conf_report_add(source->report, source->place, "", "%s: \"%s\" is not one of %s", source->name,
                    source->text, source->row->least);
    return false;
}

static bool text_read(const struct source *source, char *out, size_t out_bytes)
{
    size_t size = strlen(source->text);
    if (size >= out_bytes) {
        conf_report_add(source->report, source->place, "", "%s is longer than %zu characters",
                        source->name, out_bytes - 1);
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)source->text[i] < ' ') {
            return fault(source, "one line of text");
        }
    }
    memcpy(out, source->text, size + 1);
    return true;
}

static bool path_read(const struct source *source, char *out)
{
    if (source->text[0] == '\0' || source->text[0] == '/' || source->directory[0] == '\0') {
        return text_read(source, out, CONF_PATH_BYTES);
    }
    char joined[2 * CONF_PATH_BYTES];
    int size = snprintf(joined, sizeof joined, "%s/%s", source->directory, source->text);
    struct source whole = *source;
    whole.text = joined;
    if (size < 0 || size >= (int)sizeof joined) {
        return fault(source, "a path of at most 255 characters");
    }
    return text_read(&whole, out, CONF_PATH_BYTES);
}

static bool count_read(const struct source *source, uint32_t *out)
{
    uint64_t count, least, most;
    must(conf_value_count(source->row->least, &least) &&
         conf_value_count(source->row->most, &most) && most <= UINT32_MAX);
    if (!conf_value_count(source->text, &count)) {
        return fault(source, "a count such as 64, 1_000 or 4Mi");
    }
    if (!in_range(source, count, least, most)) {
        return false;
    }
    *out = (uint32_t)count;
    return true;
}

static bool size_read(const struct source *source, uint64_t *out)
{
    uint64_t bytes, least, most;
    must(conf_value_size(source->row->least, &least) && conf_value_size(source->row->most, &most));
    if (!conf_value_size(source->text, &bytes)) {
        return fault(source, "a size such as 4096B, 512KiB or 8MiB");
    }
    if (!in_range(source, bytes, least, most)) {
        return false;
    }
    *out = bytes;
    return true;
}

static bool duration_read(const struct source *source, int64_t *out)
{
    int64_t ns, least, most;
    must(conf_value_duration(source->row->least, &least) &&
         conf_value_duration(source->row->most, &most));
    if (!conf_value_duration(source->text, &ns)) {
        return fault(source, "a duration such as 250ms, 3s or 48h");
    }
    if (!in_range(source, (uint64_t)ns, (uint64_t)least, (uint64_t)most)) {
        return false;
    }
    *out = ns;
    return true;
}

static bool address_read(const struct source *source, struct io_address *out)
{
    struct io_address address;
    if (!io_address_parse(source->text, &address) || address.port == 0) {
        return fault(source, "an address such as 127.0.0.1:8583 or [::1]:8583");
    }
    *out = address;
    return true;
}

static bool digits_add(const struct source *source, struct conf_digits *out, const char *text,
                       size_t size, struct conf_place place)
{
    uint64_t least, most;
    must(conf_value_count(source->row->least, &least) &&
         conf_value_count(source->row->most, &most) && most < sizeof out->items[0]);
    if (size < least || size > most || !bytes_are_digits((const uint8_t *)text, (uint32_t)size)) {
        conf_report_add(source->report, place, "", "%s: \"%.*s\" is not %s to %s digits",
                        source->name, (int)(size < 64 ? size : 64), text, source->row->least,
                        source->row->most);
        return false;
    }
    if (out->count == CONF_DIGITS_MAX) {
        conf_report_add(source->report, place, "", "%s: more than %u values", source->name,
                        CONF_DIGITS_MAX);
        return false;
    }
    memcpy(out->items[out->count], text, size);
    out->count++;
    return true;
}

/* [990001, 990003], or 990001,990003 */
static bool digits_read(const struct source *source, struct conf_digits *out)
{
    struct conf_digits digits = {0};
    bool good = true;
    if (source->sequence != NULL) {
        for (const struct conf_node *node = source->sequence->first; node != NULL && good;
             node = node->next) {
            good = digits_add(source, &digits, node->text, strlen(node->text), node->place);
        }
    } else {
        for (const char *at = source->text; good && *at != '\0';) {
            size_t size = strcspn(at, ",");
            good = digits_add(source, &digits, at, size, source->place);
            at += size + (at[size] == ',');
        }
    }
    if (good) {
        *out = digits;
    }
    return good;
}

static bool id_read(const struct source *source, char out[12])
{
    size_t size = strlen(source->text);
    if (size > 11 || !bytes_are_digits((const uint8_t *)source->text, (uint32_t)size)) {
        return fault(source, "up to 11 digits");
    }
    memcpy(out, source->text, size + 1);
    return true;
}

static bool check_read(const struct source *source, uint8_t out[3])
{
    size_t size;
    if (source->text[0] == '\0') {
        return true;
    }
    uint8_t bytes[3];
    if (!bytes_from_hex(source->text, strlen(source->text), bytes, sizeof bytes, &size) ||
        size != sizeof bytes) {
        return fault(source, "six hex characters");
    }
    memcpy(out, bytes, sizeof bytes);
    return true;
}

static bool value_read(const struct source *source, void *field)
{
    bool is_off = source->text != NULL && strcmp(source->text, "off") == 0;
    bool is_auto = source->text != NULL && strcmp(source->text, "auto") == 0;
    switch (source->row->kind) {
    case CONF_WORD:
        return word_read(source, field);
    case CONF_TEXT:
        return text_read(source, field, CONF_TEXT_BYTES);
    case CONF_NAME:
        return text_read(source, field, CONF_NAME_BYTES);
    case CONF_PATH:
        return path_read(source, field);
    case CONF_DATA:
        return text_read(source, field, CONF_PATH_BYTES);
    case CONF_COUNT:
        return count_read(source, field);
    case CONF_COUNT_AUTO: /* the owner is zeroed */
        return is_auto || count_read(source, field);
    case CONF_COUNT_OFF:
        return is_off || count_read(source, field);
    case CONF_SIZE:
        return size_read(source, field);
    case CONF_DURATION:
        return duration_read(source, field);
    case CONF_DURATION_OFF:
        return is_off || duration_read(source, field);
    case CONF_ADDRESS:
        return (is_off && source->row->preset != NULL) || address_read(source, field);
    case CONF_DIGITS:
        return digits_read(source, field);
    case CONF_ID:
        return id_read(source, field);
    case CONF_CHECK:
        return check_read(source, field);
    }
    return false;
}

void conf_settings_resolve(const struct conf_setting *rows, uint32_t rows_count, const char *data,
                           void *owner)
{
    for (uint32_t i = 0; i < rows_count; i++) {
        char *path = (char *)owner + rows[i].offset;
        if (rows[i].kind != CONF_DATA || path[0] == '/' || path[0] == '\0' ||
            strcmp(path, "-") == 0) {
            continue;
        }
        char joined[2 * CONF_PATH_BYTES + 1];
        (void)snprintf(joined, sizeof joined, "%s/%s", data, path);
        (void)snprintf(path, CONF_PATH_BYTES, "%.*s", (int)CONF_PATH_BYTES - 1, joined);
    }
}
