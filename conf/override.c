/* override.c - `--set PATH=VALUE`: values that stand in the place of a file's. Control thread. */
#include "conf/load.h"

#include <string.h>

void load_overrides(struct loading *loading)
{
    const struct conf_options *options = loading->options;
    for (uint32_t i = 0; i < options->overrides_count; i++) {
        const char *text = options->overrides[i];
        const char *equals = strchr(text, '=');
        struct conf_place place = {.file = "--set"};
        if (loading->overrides_count == CONF_OVERRIDES_MAX) {
            conf_report_add(loading->report, place, "", "more than %u of them", CONF_OVERRIDES_MAX);
            return;
        }
        if (equals == NULL || equals == text || equals - text >= CONF_PATH_BYTES) {
            conf_report_add(loading->report, place, "", "\"%s\" is not PATH=VALUE", text);
            continue;
        }
        /* The last one of a path counts. */
        struct conf_override *override = NULL;
        size_t size = (size_t)(equals - text);
        for (uint32_t k = 0; k < loading->overrides_count; k++) {
            if (strlen(loading->overrides[k].path) == size &&
                memcmp(loading->overrides[k].path, text, size) == 0) {
                override = &loading->overrides[k];
            }
        }
        if (override == NULL) {
            override = &loading->overrides[loading->overrides_count++];
        }
        *override = (struct conf_override){.text = text, .place = place, .value = equals + 1};
        memcpy(override->path, text, size);
    }
}

void load_overrides_unused(struct loading *loading)
{
    for (uint32_t i = 0; i < loading->overrides_count; i++) {
        const struct conf_override *override = &loading->overrides[i];
        if (override->is_used) {
            continue;
        }
        const char *names[CONF_SETTINGS_MAX];
        for (uint32_t k = 0; k < conf_settings_count; k++) {
            names[k] = conf_settings[k].path;
        }
        const char *nearest = conf_nearest(override->path, names, conf_settings_count);
        conf_report_add(loading->report, override->place, "", "there is no setting \"%s\"%s%s%s",
                        override->path, nearest != NULL ? "; did you mean \"" : "",
                        nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
}

struct conf_place load_place(const struct loading *loading, const char *path)
{
    for (uint32_t i = 0; i < loading->overrides_count; i++) {
        if (strcmp(loading->overrides[i].path, path) == 0) {
            return loading->overrides[i].place;
        }
    }
    bool in_parties = strncmp(path, "parties.", 8) == 0;
    struct conf_tree *tree = in_parties ? loading->parties_tree : loading->tree;
    const struct conf_node *node = conf_tree_root(tree);
    struct conf_place place = node->place;
    while (node != NULL && *path != '\0') {
        char segment[CONF_PATH_BYTES];
        size_t size = strcspn(path, ".");
        (void)snprintf(segment, sizeof segment, "%.*s", (int)size, path);
        node = conf_node_get(node, segment);
        if (node != NULL) {
            place = node->kind == CONF_SCALAR ? node->place : node->key_place;
        }
        path += size + (path[size] == '.');
    }
    return place;
}
