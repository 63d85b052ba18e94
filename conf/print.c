/* print.c - settings for people: defaults, the reference, what is in force, what differs. */
#include "conf/load.h"

#include <inttypes.h>
#include <string.h>

/* ---- the values in force --------------------------------------------------------------------- */

static void print_rows(const struct conf_setting *rows, uint32_t rows_count, const char *group,
                       const char *name, const void *owner, FILE *stream)
{
    for (uint32_t i = 0; i < rows_count; i++) {
        char value[CONF_PRINT_BYTES];
        conf_setting_print(&rows[i], owner, value);
        (void)fprintf(stream, "%s%s%s%s%s: %s\n", group, group[0] != '\0' ? "." : "", name,
                      group[0] != '\0' ? "." : "", rows[i].path, value);
    }
}

void conf_print(const struct conf *conf, FILE *stream)
{
    print_rows(conf_settings, conf_settings_count, "", "", conf, stream);
    for (uint32_t i = 0; i < conf->listeners_count; i++) {
        print_rows(conf_listener_settings, conf_listener_settings_count, "listeners",
                   conf->listeners[i].name, &conf->listeners[i], stream);
    }
    for (uint32_t i = 0; i < conf->keys_count; i++) {
        print_rows(conf_key_settings, conf_key_settings_count, "keys", conf->keys[i].name,
                   &conf->keys[i], stream);
    }
    for (uint32_t i = 0; i < conf->parties_count; i++) {
        print_rows(conf_party_settings, conf_party_settings_count, "parties", conf->parties[i].name,
                   &conf->parties[i], stream);
    }
}

/* ---- what a reload cannot change ------------------------------------------------------------- */

struct comparison {
    void (*row)(void *context, const char *text);
    void *context;
    uint32_t count;
};

static void differ(struct comparison *comparison, const char *text)
{
    comparison->count++;
    if (comparison->row != NULL) {
        comparison->row(comparison->context, text);
    }
}

static void compare_rows(struct comparison *comparison, const struct conf_setting *rows,
                         uint32_t rows_count, const char *prefix, const void *old, const void *new)
{
    for (uint32_t i = 0; i < rows_count; i++) {
        if (rows[i].when == CONF_LIVE || conf_setting_equal(&rows[i], old, new)) {
            continue;
        }
        char old_text[CONF_PRINT_BYTES], new_text[CONF_PRINT_BYTES];
        char text[CONF_PATH_BYTES + 2 * CONF_PRINT_BYTES + 16];
        conf_setting_print(&rows[i], old, old_text);
        conf_setting_print(&rows[i], new, new_text);
        (void)snprintf(text, sizeof text, "%s%s: %s, now %s", prefix, rows[i].path, old_text,
                       new_text);
        differ(comparison, text);
    }
}

/* Records of a group keep their places: their index is their number everywhere. */
static void compare_group(struct comparison *comparison, const struct conf_setting *rows,
                          uint32_t rows_count, const char *group, const void *old,
                          uint32_t old_count, const void *new, uint32_t new_count,
                          size_t record_bytes)
{
    uint32_t longer = old_count > new_count ? old_count : new_count;
    for (uint32_t i = 0; i < longer; i++) {
        const char *old_name = i < old_count ? (const char *)old + i * record_bytes : "";
        const char *new_name = i < new_count ? (const char *)new + i *record_bytes : "";
        char text[CONF_PATH_BYTES];
        if (strcmp(old_name, new_name) != 0) {
            (void)snprintf(text, sizeof text, "%s %u: \"%s\", now \"%s\"", group, i + 1, old_name,
                           new_name);
            differ(comparison, text);
            continue;
        }
        (void)snprintf(text, sizeof text, "%s.%s.", group, old_name);
        compare_rows(comparison, rows, rows_count, text, old_name, new_name);
    }
}

uint32_t conf_fixed_differences(const struct conf *running, const struct conf *wanted,
                                void (*row)(void *context, const char *text), void *context)
{
    struct comparison comparison = {.row = row, .context = context};
    compare_rows(&comparison, conf_settings, conf_settings_count, "", running, wanted);
    compare_group(&comparison, conf_listener_settings, conf_listener_settings_count, "listeners",
                  running->listeners, running->listeners_count, wanted->listeners,
                  wanted->listeners_count, sizeof wanted->listeners[0]);
    compare_group(&comparison, conf_key_settings, conf_key_settings_count, "keys", running->keys,
                  running->keys_count, wanted->keys, wanted->keys_count, sizeof wanted->keys[0]);
    compare_group(&comparison, conf_party_settings, conf_party_settings_count, "parties",
                  running->parties, running->parties_count, wanted->parties, wanted->parties_count,
                  sizeof wanted->parties[0]);
    return comparison.count;
}

/* ---- defaults and reference ------------------------------------------------------------------ */

static const char *preset_text(const struct conf_setting *row)
{
    return row->preset == NULL ? "required" : row->preset[0] == '\0' ? "\"\"" : row->preset;
}

void conf_print_defaults(FILE *stream)
{
    char section[64] = "";
    (void)fprintf(stream, "# Every setting with its default; what is required has none.\n");
    for (uint32_t i = 0; i < conf_settings_count; i++) {
        const struct conf_setting *row = &conf_settings[i];
        const char *dot = strchr(row->path, '.');
        size_t size = dot != NULL ? (size_t)(dot - row->path) : 0;
        if (strlen(section) != size || strncmp(section, row->path, size) != 0) {
            (void)snprintf(section, sizeof section, "%.*s", (int)size, row->path);
            if (size > 0) {
                (void)fprintf(stream, "%s:\n", section);
            }
        }
        (void)fprintf(stream, "%s# %s\n%s%s%s: %s\n", size > 0 ? "  " : "", row->help,
                      size > 0 ? "  " : "", row->preset == NULL ? "# " : "",
                      size > 0 ? dot + 1 : row->path, preset_text(row));
    }
    (void)fprintf(stream, "# listeners: {NAME: {address: IP:PORT, dialect: NAME, party: NAME}}\n"
                          "# keys: {LABEL: {use: zone_pin, kcv: \"666EA8\"}}\n");
}

static const char *range_text(const struct conf_setting *row, char out[CONF_PRINT_BYTES])
{
    switch (row->kind) {
    case CONF_WORD: {
        size_t used = 0;
        for (const char *c = row->least; *c != '\0' && used + 4 < CONF_PRINT_BYTES; c++) {
            if (*c == '|') { /* a bar ends a cell of a table */
                out[used++] = ',';
                out[used++] = ' ';
            } else {
                out[used++] = *c;
            }
        }
        out[used] = '\0';
        return out;
    }
    case CONF_COUNT:
    case CONF_COUNT_AUTO:
    case CONF_COUNT_OFF:
    case CONF_SIZE:
    case CONF_DURATION:
    case CONF_DURATION_OFF:
        (void)snprintf(out, CONF_PRINT_BYTES, "%s%s to %s",
                       row->kind == CONF_COUNT_AUTO                                    ? "auto, or "
                       : row->kind == CONF_COUNT_OFF || row->kind == CONF_DURATION_OFF ? "off, or "
                                                                                       : "",
                       row->least, row->most);
        return out;
    case CONF_DIGITS:
        (void)snprintf(out, CONF_PRINT_BYTES, "list of up to %u, %s to %s digits", CONF_DIGITS_MAX,
                       row->least, row->most);
        return out;
    case CONF_ADDRESS:
        return row->preset == NULL ? "IP:PORT" : "off, or IP:PORT";
    case CONF_TEXT:
        return "text";
    case CONF_NAME:
        return "name";
    case CONF_PATH:
        return "path";
    case CONF_DATA:
        return "path below data";
    case CONF_ID:
        return "up to 11 digits";
    case CONF_CHECK:
        return "six hex characters";
    }
    return "";
}

static void reference_table(FILE *stream, const struct conf_setting *rows, uint32_t rows_count)
{
    static const char *const when[] = {"reload", "restart", "not in this version"};
    (void)fprintf(stream, "| setting | default | values | changed by | what |\n"
                          "| --- | --- | --- | --- | --- |\n");
    for (uint32_t i = 0; i < rows_count; i++) {
        char range[CONF_PRINT_BYTES];
        (void)fprintf(stream, "| `%s` | %s | %s | %s | %s |\n", rows[i].path, preset_text(&rows[i]),
                      range_text(&rows[i], range), when[rows[i].when], rows[i].help);
    }
}

void conf_print_reference(FILE *stream)
{
    (void)fprintf(stream, "## ringswitch.yaml\n\n");
    reference_table(stream, conf_settings, conf_settings_count);
    (void)fprintf(stream, "\n## `listeners: {NAME: {…}}` of ringswitch.yaml\n\n");
    reference_table(stream, conf_listener_settings, conf_listener_settings_count);
    (void)fprintf(stream, "\n## `keys: {LABEL: {…}}` of ringswitch.yaml\n\n");
    reference_table(stream, conf_key_settings, conf_key_settings_count);
    (void)fprintf(stream, "\n## `parties: {NAME: {…}}` of parties.yaml\n\n");
    reference_table(stream, conf_party_settings, conf_party_settings_count);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void print_bytes(FILE *stream, const char *what, const char *count, uint64_t bytes)
{
    (void)fprintf(stream, "%-28s %12s %16" PRIu64 " B %9" PRIu64 " MiB\n", what, count, bytes,
                  (bytes + (1u << 20) - 1) >> 20);
}

uint64_t conf_print_memory(FILE *stream, const struct conf_memory_row *rows, uint32_t rows_count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rows_count; i++) {
        char count[CONF_TEXT_BYTES] = "";
        if (rows[i].count > 0) {
            conf_value_print_count(rows[i].count, count);
        }
        print_bytes(stream, rows[i].what, count, rows[i].bytes);
        sum += rows[i].bytes;
    }
    print_bytes(stream, "sum", "", sum);
    return sum;
}
