/* ask.c - a command line becomes one request to the daemon, its rows are printed.
 *
 * Arguments by place are named in command.def; two names mean more than text: `txn` is an id
 * (sixteen hex digits) or an RRN, `json` is an object whose members are the request's. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_TEXT, KIND_NUMBER, KIND_MONEY, KIND_PAN };

static const struct option {
    const char *name, *key;
    enum kind kind;
    const char *help;
} known_options[] = {
#define OPTION(name, key, kind, help) {name, key, KIND_##kind, help},
#include "ctl/option.def"
#undef OPTION
};

/* The n-th blank-separated word of a list; its size, 0 when there are fewer. */
static size_t word_at(const char *list, uint32_t n, const char **word)
{
    for (;; n--) {
        list += strspn(list, " ");
        size_t size = strcspn(list, " ");
        if (size == 0 || n == 0) {
            *word = list;
            return size;
        }
        list += size;
    }
}

/* The option's row when this command takes it. */
static const struct option *find_option(const char *options, const char *name, bool *is_flag)
{
    const char *word;
    size_t size;
    for (uint32_t n = 0; (size = word_at(options, n, &word)) != 0; n++) {
        *is_flag = word[size - 1] == '!';
        size -= *is_flag;
        if (strlen(name) != size || strncmp(word, name, size) != 0) {
            continue;
        }
        for (size_t i = 0; i < countof(known_options); i++) {
            if (strcmp(known_options[i].name, name) == 0) {
                return &known_options[i];
            }
        }
    }
    return NULL;
}

static bool set_number(json_t *args, const char *key, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0) {
        (void)fprintf(stderr, "ringctl: %s: %s is not a number\n", key, text);
        return false;
    }
    return json_object_set_new(args, key, json_integer(value)) == 0;
}

static bool set_option(json_t *args, const struct option *option, const char *text)
{
    char pan[32];
    switch (option->kind) {
    case KIND_TEXT:
        return json_object_set_new(args, option->key, json_string(text)) == 0;
    case KIND_NUMBER:
    case KIND_MONEY:
        return set_number(args, option->key, text);
    case KIND_PAN:
        if (strcmp(text, "-") == 0) {
            if (!ctl_read_pan(pan, sizeof pan)) {
                return false;
            }
            int result = json_object_set_new(args, option->key, json_string(pan));
            explicit_bzero(pan, sizeof pan);
            return result == 0;
        }
        return json_object_set_new(args, option->key, json_string(text)) == 0;
    }
    return false;
}

static bool is_txn_id(const char *text)
{
    return strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
}

static bool set_argument(json_t *args, const char *name, size_t name_size, const char *text)
{
    char key[32];
    (void)snprintf(key, sizeof key, "%.*s", (int)name_size, name);
    if (strcmp(key, "txn") == 0) {
        return json_object_set_new(args, is_txn_id(text) ? "id" : "rrn", json_string(text)) == 0;
    }
    if (strcmp(key, "amount") == 0) {
        return set_number(args, "amount_minor", text);
    }
    if (strcmp(key, "id") == 0) {
        return set_number(args, key, text);
    }
    if (strcmp(key, "json") == 0) {
        json_t *object = json_loads(text, 0, NULL);
        bool done = json_is_object(object) && json_object_update(args, object) == 0;
        json_decref(object);
        if (!done) {
            (void)fprintf(stderr, "ringctl: give one JSON object\n");
        }
        return done;
    }
    return json_object_set_new(args, key, json_string(text)) == 0;
}

static void print_help(const char *words, const char *arguments, const char *options,
                       const char *help)
{
    const char *word;
    size_t size;
    printf("usage: ringctl %s", words);
    for (uint32_t n = 0; (size = word_at(arguments, n, &word)) != 0; n++) {
        bool is_optional = word[size - 1] == '?';
        printf(is_optional ? " [%.*s]" : " %.*s", (int)(size - is_optional), word);
    }
    printf("%s\n%s\n", options[0] != 0 ? " [OPTION]..." : "", help);
    for (uint32_t n = 0; (size = word_at(options, n, &word)) != 0; n++) {
        char name[32];
        bool is_flag;
        (void)snprintf(name, sizeof name, "%.*s", (int)(size - (word[size - 1] == '!')), word);
        const struct option *option = find_option(options, name, &is_flag);
        must(option != NULL); /* command.def names rows of option.def */
        char left[48];
        (void)snprintf(left, sizeof left, "--%s%s", name, is_flag ? "" : " VALUE");
        printf("  %-22s %s\n", left, option->help);
    }
}

/* Options and arguments into args. */
static bool read_arguments(const char *arguments, const char *options, int argc, char **argv,
                           json_t *args)
{
    uint32_t place = 0;
    const char *word;
    size_t size;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            bool is_flag = false;
            const struct option *option = find_option(options, argv[i] + 2, &is_flag);
            if (option == NULL || (!is_flag && i + 1 == argc)) {
                (void)fprintf(stderr, "ringctl: %s %s\n", argv[i],
                              option == NULL ? "is no option of this command" : "wants a value");
                return false;
            }
            bool set = is_flag ? json_object_set_new(args, option->key, json_true()) == 0
                               : set_option(args, option, argv[++i]);
            if (!set) {
                return false;
            }
            continue;
        }
        size = word_at(arguments, place++, &word);
        if (size == 0) {
            (void)fprintf(stderr, "ringctl: one argument too many: %s\n", argv[i]);
            return false;
        }
        if (!set_argument(args, word, size - (word[size - 1] == '?'), argv[i])) {
            return false;
        }
    }
    size = word_at(arguments, place, &word);
    if (size != 0 && word[size - 1] != '?') {
        (void)fprintf(stderr, "ringctl: %.*s is missing\n", (int)size, word);
        return false;
    }
    return true;
}

int ctl_ask(const char *words, const char *arguments, const char *options, const char *help,
            int argc, char **argv)
{
    if (argc < 0) {
        print_help(words, arguments, options, help);
        return 0;
    }
    json_t *args = json_object();
    struct ctl_client client;
    if (!read_arguments(arguments, options, argc, argv, args) || !ctl_open_daemon(&client)) {
        json_decref(args);
        return 2;
    }
    struct ctl_answer answer;
    ctl_call(&client, words, args, &answer);
    ctl_print_rows(answer.rows);
    if (answer.error[0] != 0) {
        (void)fprintf(stderr, "ringctl: %s\n", answer.error);
    }
    int result = answer.exit;
    ctl_answer_free(&answer);
    ctl_close(&client);
    return result;
}
