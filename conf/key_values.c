/* key_values.c - clear values of the demo's published keys, for making a token. Control thread;
 * never called by the daemon. */
#include "conf/conf.h"

#include "base/bytes.h"

#include <string.h>

static bool value_is_good(const char *hex)
{
    size_t size = strlen(hex), bytes;
    uint8_t key[32];
    return (size == 32 || size == 48 || size == 64) &&
           bytes_from_hex(hex, size, key, sizeof key, &bytes);
}

bool conf_key_values_read(const struct conf *conf, struct conf_key_value *out, uint32_t out_max,
                          uint32_t *count, struct conf_report *report)
{
    uint32_t errors_before = report->errors_count, values_count = 0;
    struct conf_place place = {.file = conf->file};
    if (conf->mode != CONF_MODE_DEMO) {
        conf_report_add(report, place, "", "only mode: demo takes keys from a file");
        return false;
    }
    if (conf->hsm_demo_keys[0] == '\0') {
        conf_report_add(report, place, "", "hsm.demo_keys names no file");
        return false;
    }
    struct conf_tree *tree = conf_yaml_load(conf->hsm_demo_keys, report);
    if (tree == NULL) {
        return false;
    }
    const struct conf_node *root = conf_tree_root(tree);
    if (root->kind != CONF_MAPPING) {
        conf_report_add(report, root->place, "", "a file of keys is a mapping: `LABEL: HEX` lines");
    }
    for (const struct conf_node *node = root->first; node != NULL; node = node->next) {
        if (root->kind != CONF_MAPPING) {
            break;
        }
        if (conf_key_find(conf, node->key) == UINT16_MAX) {
            conf_report_add(report, node->key_place, "", "there is no key \"%s\" in %s", node->key,
                            conf->file);
        } else if (node->kind != CONF_SCALAR || !value_is_good(node->text)) {
            conf_report_add(report, node->place, "", "a key is 32, 48 or 64 hex characters");
        } else if (values_count == out_max) {
            conf_report_add(report, node->key_place, "", "more than %u keys", out_max);
            break;
        } else {
            struct conf_key_value *value = &out[values_count++];
            memset(value, 0, sizeof *value);
            memcpy(value->label, node->key, strlen(node->key) + 1);
            memcpy(value->hex, node->text, strlen(node->text) + 1);
        }
    }
    conf_tree_free(tree);
    if (report->errors_count != errors_before) {
        return false;
    }
    *count = values_count;
    return true;
}
