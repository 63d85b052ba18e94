/* main.c - `ringctl`: the operators' tool. Finds the command's row and runs it.
 *
 * A command is one or two words (command.def). Options that every command takes may stand anywhere:
 * --json, --socket PATH, --dir DIR, --help. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 256

struct ctl_globals ctl_globals = {.socket = "run/ringswitch.sock"};

static const struct command {
    const char *words, *arguments, *options, *help;
    int (*run)(int argc, char **argv); /* NULL: ask the daemon */
} commands[] = {
#define ASK(words, arguments, options, help) {words, arguments, options, help, NULL},
#define RUN(words, function, usage, help)    {words, usage, "", help, function},
#include "ctl/command.def"
#undef ASK
#undef RUN
};

/* Names of the interface that this version does not have answer so. */
static const char *const later[] = {"iso",     "dialect", "doctor", "hsm",   "rules",
                                    "counter", "route",   "fee",    "card",  "account",
                                    "list",    "ledger",  "txn",    "party", "exceptions",
                                    "saf",     "link",    "qr",     "top"};

/* True when the row's words begin with these. */
static bool begins(const struct command *command, const char *first, const char *second)
{
    size_t size = strlen(first);
    if (strncmp(command->words, first, size) != 0 ||
        (command->words[size] != 0 && command->words[size] != ' ')) {
        return false;
    }
    return second == NULL ||
           (command->words[size] == ' ' && strcmp(command->words + size + 1, second) == 0);
}

static const struct command *find(int argc, char **argv, int *words_count)
{
    const struct command *found = NULL;
    for (size_t i = 0; i < countof(commands); i++) {
        bool is_one = strchr(commands[i].words, ' ') == NULL;
        if (is_one && strcmp(commands[i].words, argv[0]) == 0 && found == NULL) {
            *words_count = 1;
            found = &commands[i];
        } else if (!is_one && argc > 1 && begins(&commands[i], argv[0], argv[1])) {
            *words_count = 2;
            found = &commands[i];
        }
    }
    return found;
}

static void print_usage(FILE *file, const char *first)
{
    (void)fprintf(file, "usage: ringctl [--socket PATH | --dir DIR] [--json] COMMAND...\n\n");
    for (size_t i = 0; i < countof(commands); i++) {
        if (first == NULL || begins(&commands[i], first, NULL)) {
            (void)fprintf(file, "  %-22s %s\n", commands[i].words, commands[i].help);
        }
    }
    if (first == NULL) {
        (void)fprintf(file,
                      "\nringctl COMMAND --help says more. Exit: 0 done, 1 a negative result, "
                      "2 wrong usage or environment.\n");
    }
}

static int run(const struct command *command, int words_count, int argc, char **argv)
{
    bool wants_help = false;
    for (int i = words_count; i < argc; i++) {
        wants_help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    }
    bool on_files = false; /* "ledger verify --data DIR" */
    for (int i = words_count; i < argc; i++) {
        on_files |= strcmp(argv[i], "--data") == 0;
    }
    if (on_files && !wants_help && strncmp(command->words, "ledger ", 7) == 0) {
        return ctl_ledger_data(command->words, argc - words_count, argv + words_count);
    }
    if (command->run == NULL) {
        return ctl_ask(command->words, command->arguments, command->options, command->help,
                       wants_help ? -1 : argc - words_count, argv + words_count);
    }
    if (wants_help) {
        printf("usage: ringctl %s %s\n%s\n", command->words, command->arguments, command->help);
        return 0;
    }
    return command->run(argc - words_count + 1, argv + words_count - 1);
}

static int refuse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_usage(stdout, argv[0]);
            return 0;
        }
    }
    for (size_t i = 0; i < countof(later); i++) {
        if (strcmp(later[i], argv[0]) == 0) {
            (void)fprintf(stderr, "ringctl: not in this version: %s%s%s\n", argv[0],
                          argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
            return 2;
        }
    }
    (void)fprintf(stderr, "ringctl: unknown command %s; ringctl --help lists them\n", argv[0]);
    return 2;
}

int main(int argc, char **argv)
{
    static char socket_path[512];
    char *rest[ARGUMENTS_MAX];
    int count = 0;
    for (int i = 1; i < argc && count < ARGUMENTS_MAX - 1; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            ctl_globals.json = true;
        } else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc) {
            ctl_globals.socket = argv[++i];
        } else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            (void)snprintf(socket_path, sizeof socket_path, "%s/ringswitch.sock", argv[++i]);
            ctl_globals.socket = socket_path;
        } else {
            rest[count++] = argv[i];
        }
    }
    rest[count] = NULL;
    if (count == 0 || strcmp(rest[0], "--help") == 0 || strcmp(rest[0], "-h") == 0) {
        print_usage(count == 0 ? stderr : stdout, NULL);
        return count == 0 ? 2 : 0;
    }
    int words_count = 0;
    const struct command *command = find(count, rest, &words_count);
    return command == NULL ? refuse(count, rest) : run(command, words_count, count, rest);
}
