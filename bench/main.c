/* main.c - `ringbench`: load, the ceilings beside it, prepared state, and the micro benches.
 *
 * A micro bench of another folder is there when its library was built (CMakeLists.txt). */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

#ifndef RS_HAVE_BENCH_CODEC
#define bench_codec NULL
#endif
#ifndef RS_HAVE_BENCH_RULES
#define bench_rules NULL
#endif
#ifndef RS_HAVE_BENCH_LEDGER
#define bench_ledger NULL
#endif
#ifndef RS_HAVE_BENCH_JOURNAL
#define bench_journal NULL
#endif
#ifndef RS_HAVE_BENCH_HSM
#define bench_hsm NULL
#endif
#ifndef RS_HAVE_BENCH_PREPARE
#define bench_prepare NULL
#endif

static const struct command {
    const char *name;
    int (*program)(int argc, char **argv);
    int (*micro)(bool json);
    const char *help;
} commands[] = {
    {"load", bench_load, NULL, "requests over many links: a rate, or a depth"},
    {"echo", bench_echo, NULL, "the ceiling of this machine; --durable: of durable answers"},
    {"prepare", bench_prepare, NULL, "state with many cards for a load run"},
    {"codec", NULL, bench_codec, "parse and build"},
    {"rules", NULL, bench_rules, "evaluation of rules"},
    {"ledger", NULL, bench_ledger, "plan and apply"},
    {"journal", NULL, bench_journal, "durable writes"},
    {"hsm", NULL, bench_hsm, "operations of the token"},
    {"ring", NULL, bench_ring, "records between threads"},
};

static void print_help(FILE *file)
{
    (void)fprintf(file, "usage: ringbench COMMAND [OPTION]...   (COMMAND --help says more)\n\n");
    for (size_t i = 0; i < countof(commands); i++) {
        (void)fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
}

static int run_micro(const struct command *command, int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: ringbench %s [--json]\n%s\n", command->name, command->help);
        return 0;
    }
    if (argc > 1 && !json) {
        (void)fprintf(stderr, "ringbench %s: unknown option %s\n", command->name, argv[1]);
        return 2;
    }
    return command->micro(json);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < countof(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            if (commands[i].program != NULL) {
                return commands[i].program(argc - 1, argv + 1);
            }
            if (commands[i].micro != NULL) {
                return run_micro(&commands[i], argc - 1, argv + 1);
            }
            break;
        }
    }
    (void)fprintf(stderr, "ringbench: not in this version: %s\n", argv[1]);
    return 2;
}
