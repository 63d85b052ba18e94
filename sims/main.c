/* main.c - `ringsim`: counterparties. A scheme, an acquirer, and the demo's mix of messages. */
#include "sims/acquirer.h"
#include "sims/mix.h"
#include "sims/options.h"
#include "sims/scheme.h"

#include <stdio.h>
#include <string.h>

#define DIALECTS "conf/dialects"

static int scheme(int argc, char **argv)
{
    struct scheme_options options = {.dialect = "iso87-ascii", .dialects = DIALECTS, .seed = 1};
    const struct option_row rows[] = {
        {"--dialect", OPTION_TEXT, &options.dialect, 0, 0, "what it speaks (iso87-ascii)"},
        {"--listen", OPTION_TEXT, &options.listen, 0, 0, "IP:PORT"},
        {"--late", OPTION_NUMBER, &options.late_percent, 0, 100, "percent answered after 5 s"},
        {"--drop", OPTION_NUMBER, &options.drop_percent, 0, 100, "percent never answered"},
        {"--duplicate", OPTION_NUMBER, &options.duplicate_percent, 0, 100, "percent said twice"},
        {"--disconnect", OPTION_NUMBER, &options.disconnect_percent, 0, 100,
         "percent that end the connection instead"},
        {"--seed", OPTION_NUMBER, &options.seed, 0, INT64_MAX, "of the misbehaviour (1)"},
        {"--script", OPTION_TEXT, &options.script, 0, 0, "JSON lines {\"match\":{…},…}"},
        {"--audit", OPTION_TEXT, &options.audit, 0, 0, "file: a JSON line a message"},
        {"--dialects", OPTION_TEXT, &options.dialects, 0, 0, "folders of dialects"},
    };
    enum option_result result = options_read("ringsim scheme", "The issuer's side of a scheme.",
                                             rows, countof(rows), argc, argv);
    if (result == OPTIONS_OK && options.listen == NULL) {
        (void)fprintf(stderr, "ringsim scheme: --listen IP:PORT is missing\n");
        return 2;
    }
    return result == OPTIONS_OK ? scheme_run(&options) : result == OPTIONS_HELP ? 0 : 2;
}

static int acquirer(int argc, char **argv)
{
    struct acquirer_options options = {.dialect = "iso87-ascii",
                                       .dialects = DIALECTS,
                                       .connect = "127.0.0.1:8583",
                                       .timeout_ms = 8000};
    const struct option_row rows[] = {
        {"--dialect", OPTION_TEXT, &options.dialect, 0, 0, "what it speaks (iso87-ascii)"},
        {"--connect", OPTION_TEXT, &options.connect, 0, 0, "IP:PORT (127.0.0.1:8583)"},
        {"--send", OPTION_TEXT, &options.send, 0, 0, "JSON lines; `-` standard input"},
        {"--timeout-ms", OPTION_NUMBER, &options.timeout_ms, 1, 600000, "for an answer (8000)"},
        {"--reveal", OPTION_FLAG, &options.reveal, 0, 0, "PANs of the answers as they are"},
        {"--dialects", OPTION_TEXT, &options.dialects, 0, 0, "folders of dialects"},
    };
    enum option_result result = options_read("ringsim acquirer", "Sends messages, prints answers.",
                                             rows, countof(rows), argc, argv);
    if (result == OPTIONS_OK && options.send == NULL) {
        (void)fprintf(stderr, "ringsim acquirer: --send FILE is missing\n");
        return 2;
    }
    return result == OPTIONS_OK ? acquirer_run(&options) : result == OPTIONS_HELP ? 0 : 2;
}

static int mix(int argc, char **argv)
{
    struct mix_options options = {.dialects = DIALECTS,
                                  .file = "sims/mix/demo.jsonl",
                                  .keys = "conf/demo-keys.yaml",
                                  .connect = "127.0.0.1:8583",
                                  .socket = "run/ringswitch.sock"};
    const struct option_row rows[] = {
        {"--file", OPTION_TEXT, &options.file, 0, 0, "steps, JSON lines (sims/mix/demo.jsonl)"},
        {"--connect", OPTION_TEXT, &options.connect, 0, 0, "IP:PORT (127.0.0.1:8583)"},
        {"--socket", OPTION_TEXT, &options.socket, 0, 0, "control socket (run/ringswitch.sock)"},
        {"--keys", OPTION_TEXT, &options.keys, 0, 0, "the demo's keys (conf/demo-keys.yaml)"},
        {"--dialects", OPTION_TEXT, &options.dialects, 0, 0, "folders of dialects"},
        {"--only", OPTION_TEXT, &options.only, 0, 0, "prints only steps whose name begins so"},
    };
    switch (options_read("ringsim mix", "Plays steps against the daemon, checks every effect.",
                         rows, countof(rows), argc, argv)) {
    case OPTIONS_OK:
        return mix_run(&options);
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_WRONG:
        break;
    }
    return 2;
}

static int cards(int argc, char **argv)
{
    struct mix_options options = {.keys = "conf/demo-keys.yaml"};
    const struct option_row rows[] = {
        {"--keys", OPTION_TEXT, &options.keys, 0, 0, "the demo's keys (conf/demo-keys.yaml)"},
    };
    switch (options_read("ringsim cards", "The demo's cards, as lines for `ringctl card import`.",
                         rows, countof(rows), argc, argv)) {
    case OPTIONS_OK:
        return mix_print_cards(&options);
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_WRONG:
        break;
    }
    return 2;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"scheme", scheme, "the issuer's side: approves, declines, is late, drops, says twice"},
    {"acquirer", acquirer, "sends messages of a file, prints the answers"},
    {"mix", mix, "plays the demo's steps and checks answers and ledger"},
    {"cards", cards, "prints the demo's cards for `ringctl card import`"},
};

int main(int argc, char **argv)
{
    bool wants_help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (argc < 2 || wants_help) {
        FILE *out = wants_help ? stdout : stderr;
        (void)fprintf(out, "usage: ringsim COMMAND [OPTION]...   (COMMAND --help says more)\n\n");
        for (size_t i = 0; i < countof(commands); i++) {
            (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
        }
        return wants_help ? 0 : 2;
    }
    for (size_t i = 0; i < countof(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "ringsim: not in this version: %s\n", argv[1]);
    return 2;
}
