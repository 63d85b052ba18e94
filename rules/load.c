/* load.c - a directory of rule files to one set: reads, checks all files together, hashes. */
#include "rules/compile.h"

#include "base/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct loading { /* while a directory is read */
    struct compiler compiler;
    struct conf_tree *trees[RULES_FILES_MAX];
};

static bool names_read(struct loading *loading);
static void files_read(struct loading *loading);
static void unused_report(struct compiler *compiler);
static void hash_make(struct loading *loading);

struct rules *rules_load(const struct rules_options *options, struct conf_report *report)
{
    uint32_t errors_before = report->errors_count;
    struct rules *rules = calloc(1, sizeof *rules);
    struct loading *loading = calloc(1, sizeof *loading);
    must(rules != NULL && loading != NULL);
    struct compiler *compiler = &loading->compiler;
    *compiler = (struct compiler){.rules = rules, .options = options, .report = report};

    if (names_read(loading)) {
        files_read(loading);
        if (compiler->routing == NULL && report->errors_count == errors_before) {
            RULE_FAULT(compiler, (struct conf_place){.file = options->directory}, "E005",
                       "there is no file of kind routing");
        }
        rule_lists_read(compiler);
        rule_list_rows_read(compiler);
        rules->first_limit = rules->rows_count;
        rule_limits_read(compiler);
        rules->first_route = rules->rows_count;
        rule_routing_read(compiler);
        unused_report(compiler);
        hash_make(loading);
    }
    for (uint32_t i = 0; i < RULES_FILES_MAX; i++) {
        conf_tree_free(loading->trees[i]);
    }
    free(loading);
    if (report->errors_count != errors_before) {
        rules_free(rules);
        return NULL;
    }
    return rules;
}

struct rules *rules_empty(void)
{
    struct rules *rules = calloc(1, sizeof *rules);
    must(rules != NULL);
    rules->routes_by_on_us = true;
    return rules;
}

void rules_free(struct rules *rules)
{
    free(rules);
}

const uint8_t *rules_hash(const struct rules *rules)
{
    return rules->hash;
}

uint64_t rules_id(const struct rules *rules)
{
    return load_be64(rules->hash);
}

/* ---- files ----------------------------------------------------------------------------------- */

static int path_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The *.yaml of the directory, by name, into rules->files. */
static bool names_read(struct loading *loading)
{
    struct compiler *compiler = &loading->compiler;
    struct rules *rules = compiler->rules;
    struct conf_place place = {.file = compiler->options->directory};
    DIR *directory = opendir(compiler->options->directory);
    if (directory == NULL) {
        RULE_FAULT(compiler, place, "", "cannot be read: %s", strerror(errno));
        return false;
    }
    bool good = true;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        const char *end = strrchr(entry->d_name, '.');
        if (end == NULL || strcmp(end, ".yaml") != 0 || entry->d_name[0] == '.') {
            continue;
        }
        if (rules->files_count == RULES_FILES_MAX) {
            RULE_FAULT(compiler, place, "E001", "more than %u files", RULES_FILES_MAX);
            good = false;
            break;
        }
        int size = snprintf(rules->files[rules->files_count], CONF_PATH_BYTES, "%s/%s",
                            compiler->options->directory, entry->d_name);
        if (size < 0 || size >= (int)CONF_PATH_BYTES) {
            RULE_FAULT(compiler, place, "E001", "a path longer than 255 characters");
            good = false;
            break;
        }
        rules->files_count++;
    }
    (void)closedir(directory);
    qsort(rules->files, rules->files_count, sizeof rules->files[0], path_order);
    return good;
}

/* A file's kind, and the keys that it may have beside the common ones. */
static const struct conf_node **kind_slot(struct compiler *compiler, const char *kind,
                                          struct rule_keys *keys)
{
#define COMMON "kind!", "schema!", "id!", "version!", "owner!"
    static const char *const lists[] = {COMMON, "lists!", NULL};
    static const char *const limits[] = {COMMON,   "base_currency!", "counters!",
                                         "rules!", "reserve!",       NULL};
    static const char *const routing[] = {COMMON, "endpoints!", "rules!", "otherwise!", NULL};
    static const char *const later[] = {"mode", "applies", "health", NULL};
#undef COMMON
    keys->later = later;
    if (strcmp(kind, "lists") == 0) {
        *keys = (struct rule_keys){lists, later, "lists"};
        return &compiler->lists;
    }
    if (strcmp(kind, "limits") == 0) {
        *keys = (struct rule_keys){limits, later, "limits"};
        return &compiler->limits;
    }
    if (strcmp(kind, "routing") == 0) {
        *keys = (struct rule_keys){routing, later, "routing"};
        return &compiler->routing;
    }
    return NULL;
}

static bool kind_is_later(const char *kind)
{
    static const char *const kinds[] = {"fields",    "reasons", "fraud", "sca",
                                        "cascading", "fees",    "fx"};
    for (size_t i = 0; i < countof(kinds); i++) {
        if (strcmp(kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

static void file_take(struct compiler *compiler, const struct conf_node *root)
{
    static const char *const kinds[] = {"lists", "limits", "routing"};
    const struct conf_node *kind = conf_node_get(root, "kind"),
                           *schema = conf_node_get(root, "schema");
    struct conf_place whole = {.file = root->place.file};
    struct rule_keys keys;
    if (kind == NULL || kind->kind != CONF_SCALAR) {
        RULE_FAULT(compiler, whole, "E005", "kind is missing or unknown");
        return;
    }
    const struct conf_node **slot = kind_slot(compiler, kind->text, &keys);
    if (slot == NULL) {
        char meant[CONF_PATH_BYTES];
        bool is_later = kind_is_later(kind->text);
        RULE_FAULT(compiler, is_later ? kind->place : whole, is_later ? RULES_NO_CODE : "E005",
                   is_later ? "files of kind \"%s\" are not in this version%s"
                            : "there is no kind \"%s\"%s",
                   kind->text,
                   is_later ? "" : rule_meant(kind->text, kinds, countof(kinds), meant));
        return;
    }
    if (*slot != NULL) {
        RULE_FAULT(compiler, kind->place, "E036", "kind \"%s\" is already in %s", kind->text,
                   (*slot)->place.file);
        return;
    }
    *slot = root;
    rule_keys_check(compiler, root, &keys);
    if (schema != NULL && strcmp(schema->text, "1") != 0) {
        RULE_FAULT(compiler, schema->place, "E012", "schema is 1");
    }
    rule_pans_refuse(compiler, root);
}

static void files_read(struct loading *loading)
{
    struct compiler *compiler = &loading->compiler;
    for (uint32_t i = 0; i < compiler->rules->files_count; i++) {
        loading->trees[i] = conf_yaml_load(compiler->rules->files[i], compiler->report);
        if (loading->trees[i] != NULL) {
            file_take(compiler, conf_tree_root(loading->trees[i]));
        }
    }
}

static void unused_report(struct compiler *compiler)
{
    struct rules *rules = compiler->rules;
    for (uint32_t i = 0; i < rules->lists_count; i++) {
        if (!rules->lists[i].is_used) {
            RULE_FAULT(compiler, rules->lists[i].place, "W060", "list \"%s\" is never used",
                       rules->lists[i].name);
        }
    }
    for (uint32_t i = 0; i < rules->counters_count; i++) {
        if (!rules->counters[i].is_used) {
            RULE_FAULT(compiler, rules->counters[i].place, "W060", "counter \"%s\" is never used",
                       rules->counters[i].name);
        }
    }
}

/* ---- the hash -------------------------------------------------------------------------------- */

static void digest_text(EVP_MD_CTX *context, uint8_t mark, const char *text)
{
    uint8_t head[5] = {mark};
    store_be32(head + 1, (uint32_t)strlen(text));
    must(EVP_DigestUpdate(context, head, sizeof head) == 1);
    must(EVP_DigestUpdate(context, text, strlen(text)) == 1);
}

/* Structure, keys and texts in the order of the file; no blanks, comments or quotes. */
void rule_digest_node(struct evp_md_ctx_st *context, const struct conf_node *root)
{
    const struct conf_node *open[CONF_YAML_DEPTH_MAX + 1] = {root};
    uint32_t depth = 0;
    while (true) {
        const struct conf_node *node = open[depth];
        if (node == NULL) { /* a collection ends */
            digest_text(context, ')', "");
            depth--;
            open[depth] = open[depth]->next;
        } else {
            if (node->key != NULL) {
                digest_text(context, 'k', node->key);
            }
            digest_text(context,
                        node->kind == CONF_SCALAR    ? 's'
                        : node->kind == CONF_MAPPING ? '{'
                                                     : '[',
                        node->text);
            if (node->kind == CONF_SCALAR) {
                open[depth] = node->next;
            } else {
                must(depth < CONF_YAML_DEPTH_MAX);
                open[++depth] = node->first;
                continue;
            }
        }
        if (depth == 0) {
            return; /* the root has no brothers that matter */
        }
    }
}

static void hash_make(struct loading *loading)
{
    struct compiler *compiler = &loading->compiler;
    const struct conf_node *roots[] = {compiler->lists, compiler->limits, compiler->routing};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < countof(roots); i++) {
        if (roots[i] != NULL) {
            rule_digest_node(context, roots[i]);
        }
    }
    must(EVP_DigestFinal_ex(context, compiler->rules->hash, NULL) == 1);
    EVP_MD_CTX_free(context);
}
