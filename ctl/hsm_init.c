/* hsm_init.c - `ringctl hsm init`: makes the token of a configuration.
 *
 * The keys are the rows of `keys:`; their clear values come from the demo's published file
 * (`hsm.demo_keys`, mode demo only). A key that is in the token already is kept and proved by its
 * check value. Runs here, with the daemon down or up: the daemon never changes the token. */
#include "ctl/ctl.h"

#include "base/secret.h"
#include "conf/conf.h"
#include "hsm/token.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct keys {
    struct hsm_token_key rows[CONF_KEYS_MAX];
    struct conf_key_value values[CONF_KEYS_MAX];
    uint32_t values_count;
};

static void print_row(void *context, const struct hsm_token_row *row)
{
    (void)context;
    if (ctl_globals.json) {
        printf("{\"label\":\"%s\",\"use\":\"%s\",\"kcv\":\"%s\",\"created\":%s}\n", row->label,
               row->use, row->kcv, row->created ? "true" : "false");
    } else {
        printf("%-24s %-10s %-6s %s\n", row->label, row->use, row->kcv,
               row->created ? "created" : "there");
    }
}

static const char *clear_value(const struct keys *keys, const char *label)
{
    for (uint32_t i = 0; i < keys->values_count; i++) {
        if (strcmp(keys->values[i].label, label) == 0) {
            return keys->values[i].hex;
        }
    }
    return NULL;
}

static bool fill_rows(const struct conf *conf, struct keys *keys)
{
    for (uint32_t i = 0; i < conf->keys_count; i++) {
        const struct conf_key *from = &conf->keys[i];
        struct hsm_token_key *to = &keys->rows[i];
        size_t size = strlen(from->name);
        if (size >= sizeof to->key.label || !hsm_key_use_parse(from->use, &to->key.use)) {
            (void)fprintf(stderr, "%s:%u:1: key %s: no such use, or its label is too long\n",
                          from->place.file, from->place.line, from->name);
            return false;
        }
        memcpy(to->key.label, from->name, size + 1);
        memcpy(to->key.kcv, from->kcv, sizeof to->key.kcv);
        to->hex = clear_value(keys, from->name);
    }
    return true;
}

static int init(const struct conf *conf, struct keys *keys, struct conf_report *report)
{
    if (conf->hsm_demo_keys[0] != 0 &&
        !conf_key_values_read(conf, keys->values, CONF_KEYS_MAX, &keys->values_count, report)) {
        conf_report_print(report, stderr);
        return 2;
    }
    if (!fill_rows(conf, keys)) {
        return 2;
    }
    if (mkdir(conf->data, 0700) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "ringctl: %s: %s\n", conf->data, strerror(errno));
        return 2;
    }
    struct hsm_token_options options = {
        .directory = conf->hsm_token, .module = conf->hsm_module[0] != 0 ? conf->hsm_module : NULL};
    char text[HSM_TEXT_BYTES] = "";
    enum hsm_token_err err =
        hsm_token_init(&options, keys->rows, conf->keys_count, print_row, NULL, text, sizeof text);
    if (err != HSM_TOKEN_OK) {
        (void)fprintf(stderr, "ringctl: %s\n", text);
    }
    return err == HSM_TOKEN_OK ? 0 : 2;
}

int ctl_hsm_init(int argc, char **argv)
{
    const char *overrides[CONF_OVERRIDES_MAX];
    struct conf_options options = {.file = "conf/ringswitch.yaml", .overrides = overrides};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            options.file = argv[++i];
        } else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc &&
                   options.overrides_count < CONF_OVERRIDES_MAX) {
            overrides[options.overrides_count++] = argv[++i];
        } else {
            (void)fprintf(stderr, "ringctl: hsm init: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    struct conf_report *report = calloc(1, sizeof *report);
    struct keys *keys = calloc(1, sizeof *keys);
    must(report != NULL && keys != NULL);
    struct conf *conf = conf_load(&options, report);
    int result = 2;
    if (conf == NULL) {
        conf_report_print(report, stderr);
    } else {
        result = init(conf, keys, report);
    }
    secret_wipe(keys, sizeof *keys);
    conf_free(conf);
    free(keys);
    free(report);
    return result;
}
