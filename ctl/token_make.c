/* token_make.c - see token_make.h. */
#include "ctl/token_make.h"

#include "base/secret.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct keys {
    struct hsm_key table[CONF_KEYS_MAX];
    struct hsm_token_key rows[CONF_KEYS_MAX];
    struct conf_key_value values[CONF_KEYS_MAX];
    uint32_t values_count;
    struct conf_report report;
};

static const char *clear_value(const struct keys *keys, const char *label)
{
    for (uint32_t i = 0; i < keys->values_count; i++) {
        if (strcmp(keys->values[i].label, label) == 0) {
            return keys->values[i].hex;
        }
    }
    return NULL;
}

bool ctl_token_keys(const struct conf *conf, struct hsm_key *out)
{
    for (uint32_t i = 0; i < conf->keys_count; i++) {
        const struct conf_key *from = &conf->keys[i];
        size_t size = strlen(from->name);
        out[i] = (struct hsm_key){.label = ""};
        if (size >= sizeof out[i].label || !hsm_key_use_parse(from->use, &out[i].use)) {
            (void)fprintf(stderr, "%s:%u:1: key %s: no such use, or its label is too long\n",
                          from->place.file, from->place.line, from->name);
            return false;
        }
        memcpy(out[i].label, from->name, size + 1);
        memcpy(out[i].kcv, from->kcv, sizeof out[i].kcv);
    }
    return true;
}

static bool make(const struct conf *conf, struct keys *keys,
                 void (*row)(void *context, const struct hsm_token_row *row), void *context)
{
    if (conf->hsm_demo_keys[0] != 0 && !conf_key_values_read(conf, keys->values, CONF_KEYS_MAX,
                                                             &keys->values_count, &keys->report)) {
        conf_report_print(&keys->report, stderr);
        return false;
    }
    if (!ctl_token_keys(conf, keys->table)) {
        return false;
    }
    for (uint32_t i = 0; i < conf->keys_count; i++) {
        keys->rows[i].key = keys->table[i];
        keys->rows[i].hex = clear_value(keys, conf->keys[i].name);
    }
    if (mkdir(conf->data, 0700) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "%s: %s\n", conf->data, strerror(errno));
        return false;
    }
    struct hsm_token_options options = {
        .directory = conf->hsm_token,
        .module = conf->hsm_module[0] != 0 ? conf->hsm_module : NULL,
    };
    char text[HSM_TEXT_BYTES] = "";
    bool done = hsm_token_init(&options, keys->rows, conf->keys_count, row, context, text,
                               sizeof text) == HSM_TOKEN_OK;
    if (!done) {
        (void)fprintf(stderr, "%s\n", text);
    }
    return done;
}

bool ctl_token_make(const struct conf *conf,
                    void (*row)(void *context, const struct hsm_token_row *row), void *context)
{
    struct keys *keys = calloc(1, sizeof *keys);
    must(keys != NULL);
    bool done = make(conf, keys, row, context);
    secret_wipe(keys, sizeof *keys);
    free(keys);
    return done;
}
