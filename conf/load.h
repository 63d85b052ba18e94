/* load.h - what the parts of the loader share while a configuration is being read. Internal. */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/conf.h"

#define CONF_SETTINGS_MAX 64u

struct loading {
    const struct conf_options *options;
    struct conf_report *report;
    struct conf *conf;
    struct conf_tree *tree, *parties_tree;
    struct conf_override overrides[CONF_OVERRIDES_MAX];
    uint32_t overrides_count;
};

/* The rows of each .def. */
extern const struct conf_setting conf_settings[], conf_listener_settings[], conf_key_settings[],
    conf_party_settings[];
extern const uint32_t conf_settings_count, conf_listener_settings_count, conf_key_settings_count,
    conf_party_settings_count;

/* override.c: splits --set texts; finds those that no reader used. */
void load_overrides(struct loading *loading);
void load_overrides_unused(struct loading *loading);
/* Where the value of "listeners.main.party" stands: --set, the file, or what is nearest to it. */
struct conf_place load_place(const struct loading *loading, const char *path);

/* check.c: how everything fits together. */
void load_check(struct loading *loading);

#endif
