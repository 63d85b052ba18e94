/* import.c - `ringctl card import`: a JSON object of `card create` a line, many in flight.
 *
 * DESIGN  Requests are sent ahead of their answers, WINDOW at a time; answers come in order, so the
 * line number of a refused card is known. Goes on after a refusal; exit 1 when there was one. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#define WINDOW 64u

struct import {
    struct ctl_client client;
    uint64_t sent, answered, refused;
    bool is_broken;
};

static void collect(struct import *import)
{
    struct ctl_answer answer;
    ctl_collect(&import->client, &answer);
    import->answered++;
    if (answer.exit != 0) {
        import->refused++;
        (void)fprintf(stderr, "ringctl: line %llu: %s\n", (unsigned long long)import->answered,
                      answer.error);
        import->is_broken = strncmp(answer.error, "gone:", 5) == 0;
    }
    ctl_answer_free(&answer);
}

static bool import_lines(struct import *import, FILE *file)
{
    char line[4096];
    while (!import->is_broken && fgets(line, sizeof line, file) != NULL) {
        json_t *args = json_loads(line, 0, NULL);
        if (!json_is_object(args)) {
            (void)fprintf(stderr, "ringctl: line %llu is not a JSON object\n",
                          (unsigned long long)import->sent + 1);
            json_decref(args);
            return false;
        }
        if (import->sent - import->answered == WINDOW) {
            collect(import);
        }
        import->is_broken |= !ctl_send(&import->client, "card import", args);
        import->sent++;
        json_decref(args);
    }
    while (!import->is_broken && import->answered < import->sent) {
        collect(import);
    }
    explicit_bzero(line, sizeof line);
    return !import->is_broken;
}

int ctl_card_import(int argc, char **argv)
{
    struct import import = {0};
    const char *path = argc > 1 ? argv[1] : "-";
    if (argc > 2) {
        (void)fprintf(stderr, "ringctl: card import [FILE | -]\n");
        return 2;
    }
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "ringctl: %s cannot be read\n", path);
        return 2;
    }
    if (!ctl_open_daemon(&import.client)) {
        return 2;
    }
    bool done = import_lines(&import, file);
    ctl_close(&import.client);
    if (file != stdin) {
        (void)fclose(file);
    }
    if (ctl_globals.json) {
        printf("{\"created\":%llu,\"refused\":%llu}\n",
               (unsigned long long)(import.answered - import.refused),
               (unsigned long long)import.refused);
    } else {
        printf("%llu created, %llu refused\n",
               (unsigned long long)(import.answered - import.refused),
               (unsigned long long)import.refused);
    }
    return !done ? 2 : import.refused != 0;
}
