/* conf.c - from files and --set to one checked struct conf. See conf.h. */
#include "conf/load.h"

#include <stdlib.h>
#include <string.h>

static void read_all(struct loading *loading);
static void read_settings(struct loading *loading, const struct conf_node *root);
static void read_listeners(struct loading *loading, const struct conf_node *root);
static void read_keys(struct loading *loading, const struct conf_node *root);
static void read_parties(struct loading *loading);

struct conf *conf_load(const struct conf_options *options, struct conf_report *report)
{
    uint32_t errors_before = report->errors_count;
    struct loading *loading = calloc(1, sizeof *loading);
    struct conf *conf = calloc(1, sizeof *conf);
    must(loading != NULL && conf != NULL);
    *loading = (struct loading){.options = options, .report = report, .conf = conf};

    if (strlen(options->file) >= sizeof conf->file) {
        conf_report_add(report, (struct conf_place){.file = options->file}, "",
                        "the path is longer than 255 characters");
    } else {
        memcpy(conf->file, options->file, strlen(options->file) + 1);
        load_overrides(loading);
        read_all(loading);
        if (report->errors_count == errors_before) {
            load_check(loading);
        }
    }
    conf_tree_free(loading->tree);
    conf_tree_free(loading->parties_tree);
    free(loading);
    if (report->errors_count != errors_before) {
        conf_free(conf);
        return NULL;
    }
    return conf;
}

void conf_free(struct conf *conf)
{
    free(conf);
}

uint16_t conf_party_find(const struct conf *conf, const char *name)
{
    for (uint16_t i = 0; i < conf->parties_count; i++) {
        if (strcmp(conf->parties[i].name, name) == 0) {
            return i;
        }
    }
    return UINT16_MAX;
}

uint16_t conf_key_find(const struct conf *conf, const char *label)
{
    for (uint16_t i = 0; i < conf->keys_count; i++) {
        if (strcmp(conf->keys[i].name, label) == 0) {
            return i;
        }
    }
    return UINT16_MAX;
}

/* ---- reading --------------------------------------------------------------------------------- */

const struct conf_setting conf_settings[] = {
#define SETTING(...) CONF_SETTING_ROW(conf, __VA_ARGS__)
#include "conf/conf.def"
#undef SETTING
};
const struct conf_setting conf_listener_settings[] = {
#define SETTING(...) CONF_SETTING_ROW(conf_listener, __VA_ARGS__)
#include "conf/listener.def"
#undef SETTING
};
const struct conf_setting conf_key_settings[] = {
#define SETTING(...) CONF_SETTING_ROW(conf_key, __VA_ARGS__)
#include "conf/key.def"
#undef SETTING
};
const struct conf_setting conf_party_settings[] = {
#define SETTING(...) CONF_SETTING_ROW(conf_party, __VA_ARGS__)
#include "conf/party.def"
#undef SETTING
};
const uint32_t conf_settings_count = countof(conf_settings);
const uint32_t conf_listener_settings_count = countof(conf_listener_settings);
const uint32_t conf_key_settings_count = countof(conf_key_settings);
const uint32_t conf_party_settings_count = countof(conf_party_settings);
_Static_assert(countof(conf_settings) <= CONF_SETTINGS_MAX, "names for `did you mean` fit");

static void read_all(struct loading *loading)
{
    loading->tree = conf_yaml_load(loading->conf->file, loading->report);
    if (loading->tree == NULL) {
        return;
    }
    const struct conf_node *root = conf_tree_root(loading->tree);
    read_settings(loading, root);
    if (root->kind != CONF_MAPPING) {
        return;
    }
    read_listeners(loading, root);
    read_keys(loading, root);
    if (loading->conf->parties_file[0] != '\0') {
        read_parties(loading);
        load_overrides_unused(loading);
    }
}

/* Directory of a file, for paths that stand in it. */
static void directory_of(const char *file, char out[CONF_PATH_BYTES])
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL) {
        (void)snprintf(out, CONF_PATH_BYTES, ".");
    } else {
        (void)snprintf(out, CONF_PATH_BYTES, "%.*s", slash == file ? 1 : (int)(slash - file), file);
    }
}

static void read_settings(struct loading *loading, const struct conf_node *root)
{
    static const char *const others[] = {"listeners", "keys"};
    struct conf *conf = loading->conf;
    char directory[CONF_PATH_BYTES];
    directory_of(conf->file, directory);
    struct conf_reader reader = {.rows = conf_settings,
                                 .rows_count = countof(conf_settings),
                                 .others = others,
                                 .others_count = countof(others),
                                 .prefix = "",
                                 .what = "the configuration",
                                 .directory = directory,
                                 .overrides = loading->overrides,
                                 .overrides_count = loading->overrides_count,
                                 .report = loading->report};
    conf_settings_read(&reader, root, conf);
    for (uint32_t i = 0; i < countof(conf_settings); i++) {
        const struct conf_setting *row = &conf_settings[i];
        if (row->kind == CONF_DATA && strlen((const char *)conf + row->offset) > 1 &&
            strlen(conf->data) + 1 + strlen((const char *)conf + row->offset) >= CONF_PATH_BYTES) {
            conf_report_add(loading->report, load_place(loading, row->path), "",
                            "%s below `data` is longer than 255 characters", row->path);
        }
    }
    conf_settings_resolve(conf_settings, countof(conf_settings), conf->data, conf);
}

/* Names stand in paths of --set, in log lines and in metrics. */
static bool name_is_good(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size >= CONF_NAME_BYTES) {
        return false;
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == size;
}

struct group {        /* a mapping of names to records of one kind */
    const char *path; /* "listeners" */
    const char *what; /* "a listener" */
    const struct conf_setting *rows;
    uint32_t rows_count, records_max;
    size_t record_bytes, place_offset;
    void *records;
    uint32_t *count;
};

/* Every record begins with its name. */
static void read_group(struct loading *loading, const struct conf_node *mapping,
                       const struct group *group)
{
    if (mapping->kind != CONF_MAPPING) {
        conf_report_add(loading->report, mapping->place, "", "%s is a mapping: `NAME: {…}` lines",
                        group->path);
        return;
    }
    for (const struct conf_node *node = mapping->first; node != NULL; node = node->next) {
        if (!name_is_good(node->key)) {
            conf_report_add(loading->report, node->key_place, "",
                            "a name has 1 to 31 letters, digits, '-' or '_'");
            continue;
        }
        if (*group->count == group->records_max) {
            conf_report_add(loading->report, node->key_place, "", "more than %u %s",
                            group->records_max, group->path);
            return;
        }
        char prefix[CONF_PATH_BYTES];
        (void)snprintf(prefix, sizeof prefix, "%s.%s.", group->path, node->key);
        struct conf_reader reader = {.rows = group->rows,
                                     .rows_count = group->rows_count,
                                     .prefix = prefix,
                                     .what = group->what,
                                     .directory = "",
                                     .overrides = loading->overrides,
                                     .overrides_count = loading->overrides_count,
                                     .report = loading->report};
        uint8_t *record = (uint8_t *)group->records + *group->count * group->record_bytes;
        memcpy(record, node->key, strlen(node->key) + 1);
        memcpy(record + group->place_offset, &node->key_place, sizeof node->key_place);
        conf_settings_read(&reader, node, record);
        (*group->count)++;
    }
}

static void read_listeners(struct loading *loading, const struct conf_node *root)
{
    const struct conf_node *mapping = conf_node_get(root, "listeners");
    struct conf *conf = loading->conf;
    struct group group = {.path = "listeners",
                          .what = "a listener",
                          .rows = conf_listener_settings,
                          .rows_count = conf_listener_settings_count,
                          .records_max = CONF_LISTENERS_MAX,
                          .record_bytes = sizeof conf->listeners[0],
                          .place_offset = offsetof(struct conf_listener, place),
                          .records = conf->listeners,
                          .count = &conf->listeners_count};
    if (mapping == NULL) {
        conf_report_add(loading->report, root->place, "",
                        "listeners is required: where counterparties connect to");
    } else {
        read_group(loading, mapping, &group);
    }
}

static void read_keys(struct loading *loading, const struct conf_node *root)
{
    const struct conf_node *mapping = conf_node_get(root, "keys");
    struct conf *conf = loading->conf;
    struct group group = {.path = "keys",
                          .what = "a key",
                          .rows = conf_key_settings,
                          .rows_count = conf_key_settings_count,
                          .records_max = CONF_KEYS_MAX,
                          .record_bytes = sizeof conf->keys[0],
                          .place_offset = offsetof(struct conf_key, place),
                          .records = conf->keys,
                          .count = &conf->keys_count};
    if (mapping == NULL) {
        conf_report_add(loading->report, root->place, "",
                        "keys is required: the keys of the token");
    } else {
        read_group(loading, mapping, &group);
    }
}

static void read_parties(struct loading *loading)
{
    struct conf *conf = loading->conf;
    loading->parties_tree = conf_yaml_load(conf->parties_file, loading->report);
    if (loading->parties_tree == NULL) {
        return;
    }
    const struct conf_node *root = conf_tree_root(loading->parties_tree);
    const struct conf_node *mapping = conf_node_get(root, "parties");
    struct group group = {.path = "parties",
                          .what = "a party",
                          .rows = conf_party_settings,
                          .rows_count = conf_party_settings_count,
                          .records_max = LIMIT_PARTIES_MAX,
                          .record_bytes = sizeof conf->parties[0],
                          .place_offset = offsetof(struct conf_party, place),
                          .records = conf->parties,
                          .count = &conf->parties_count};
    if (mapping == NULL) {
        conf_report_add(loading->report, root->place, "",
                        "parties is required: `parties: {NAME: {…}}`");
        return;
    }
    for (const struct conf_node *node = root->first; node != NULL; node = node->next) {
        if (node != mapping) {
            conf_report_add(loading->report, node->key_place, "",
                            "there is no \"%s\" here; the only key is parties", node->key);
        }
    }
    read_group(loading, mapping, &group);
}
