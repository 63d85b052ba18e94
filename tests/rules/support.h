/* support.h - rule directories, facts and a ledger's lists for the rules tests. */
#ifndef TESTS_RULES_SUPPORT_H
#define TESTS_RULES_SUPPORT_H

#include "rules/rules.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO_RULES RS_SOURCE_DIR "/conf/rules"

static const char *const test_endpoints[] = {"demo-a", "demo-b"};

static inline struct rules *load_from(const char *directory, struct conf_report *report)
{
    struct rules_options options = {
        .directory = directory, .endpoints = test_endpoints, .endpoints_count = 2};
    memset(report, 0, sizeof *report);
    return rules_load(&options, report);
}

/* The text of a file; the caller frees it. */
static inline char *file_text(const char *path)
{
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s", path);
    char *text = calloc(1, 65536);
    cr_assert_not_null(text);
    cr_assert_lt(fread(text, 1, 65535, file), 65535);
    (void)fclose(file);
    return text;
}

/* A directory with the demo's rule files, in which `from` in `name` is replaced by `to`; name NULL:
 * as they are. */
static inline void demo_with(const char *name, const char *from, const char *to, char directory[64])
{
    static const char *const names[] = {"lists.yaml", "limits.yaml", "routing.yaml"};
    (void)snprintf(directory, 64, "/tmp/rules_test.XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    for (size_t i = 0; i < countof(names); i++) {
        char path[512];
        (void)snprintf(path, sizeof path, DEMO_RULES "/%s", names[i]);
        char *text = file_text(path);
        char *at = name != NULL && strcmp(name, names[i]) == 0 ? strstr(text, from) : NULL;
        cr_assert(name == NULL || strcmp(name, names[i]) != 0 || at != NULL, "no %s in %s", from,
                  name);
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        FILE *file = fopen(path, "we");
        cr_assert_not_null(file);
        if (at != NULL) {
            (void)fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
        } else {
            (void)fputs(text, file);
        }
        (void)fclose(file);
        free(text);
    }
}

static inline void demo_remove(const char *directory)
{
    static const char *const names[] = {"lists.yaml", "limits.yaml", "routing.yaml", "fields.yaml",
                                        "reasons.yaml"};
    for (size_t i = 0; i < countof(names); i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
}

/* A purchase of 100.00 KZT with card 9900010000000019. */
static inline struct rule_facts demo_facts(void)
{
    struct rule_facts facts = {.card_key = {1},
                               .has_card_key = true,
                               .has_amount = true,
                               .has_currency = true,
                               .card_is_on_us = true,
                               .mti = 100,
                               .currency = 398,
                               .pan_first8 = 99000100,
                               .acquirer = 123456,
                               .acquirer_digits_count = 6,
                               .amount_minor = 10000,
                               .party = "acquirer"};
    memcpy(facts.merchant, "MERCHANT0000001", sizeof facts.merchant);
    memcpy(facts.terminal, "TERM0001", sizeof facts.terminal);
    return facts;
}

struct test_list { /* one key on one list of the ledger */
    const char *list;
    const void *key;
    uint32_t key_size;
    uint32_t asked_count;
};
static inline bool test_listed(void *context, const char *list, const void *key, uint32_t key_size)
{
    struct test_list *only = context;
    only->asked_count++;
    return strcmp(only->list, list) == 0 && only->key_size == key_size &&
           memcmp(only->key, key, key_size) == 0;
}

#endif
