/* iso_options.c - options and dialects of the commands around the codec. */
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "iso8583/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The option's value, or NULL after saying that it is missing. */
static const char *value_of(int argc, char **argv, int *at)
{
    if (*at + 1 >= argc) {
        (void)fprintf(stderr, "ringctl: %s needs a value\n", argv[*at]);
        return NULL;
    }
    return argv[++*at];
}

static bool take_option(int argc, char **argv, int *at, struct ctl_iso_options *options)
{
    const struct {
        const char *name;
        const char **out;
    } texts[] = {{"--dialect", &options->dialect},
                 {"--frame", &options->frame},
                 {"--from", &options->from},
                 {"--to", &options->to}};
    const char *word = argv[*at];
    for (size_t i = 0; i < countof(texts); i++) {
        size_t size = strlen(texts[i].name);
        if (strcmp(word, texts[i].name) == 0) {
            *texts[i].out = value_of(argc, argv, at);
            return *texts[i].out != NULL;
        }
        if (strncmp(word, texts[i].name, size) == 0 && word[size] == '=') {
            *texts[i].out = word + size + 1;
            return true;
        }
    }
    if (strcmp(word, "--reveal") == 0) {
        options->reveal = true;
        return true;
    }
    if (strcmp(word, "--expect") == 0 && options->expects_count < (int)countof(options->expects)) {
        const char *value = value_of(argc, argv, at);
        options->expects[options->expects_count++] = value;
        return value != NULL;
    }
    if (word[0] == '-' && word[1] != 0) {
        (void)fprintf(stderr, "ringctl: unknown option %s\n", word);
        return false;
    }
    if (options->rest_count == (int)countof(options->rest)) {
        (void)fprintf(stderr, "ringctl: too many arguments\n");
        return false;
    }
    options->rest[options->rest_count++] = word;
    return true;
}

bool ctl_iso_options(int argc, char **argv, struct ctl_iso_options *options)
{
    *options = (struct ctl_iso_options){0};
    for (int i = 1; i < argc; i++) {
        if (!take_option(argc, argv, &i, options)) {
            return false;
        }
    }
    struct iso_framing framing;
    if (options->frame != NULL && !iso_framing_by_name(options->frame, &framing)) {
        (void)fprintf(stderr, "ringctl: no framing %s:", options->frame);
        for (uint32_t i = 0; i < ISO_FRAMINGS_COUNT; i++) {
            (void)fprintf(stderr, " %s", iso_framing_text((enum iso_framing_kind)i));
        }
        (void)fprintf(stderr, "\n");
        return false;
    }
    return true;
}

const char *ctl_dialect_directories(void)
{
    static char directories[4096];
    char program[1024];
    if (directories[0] != 0) {
        return directories;
    }
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = 0;
    char *slash = strrchr(program, '/');
    if (slash != NULL) {
        *slash = 0;
    }
    (void)snprintf(directories, sizeof directories,
                   "conf/dialects%s%s%s%s%s:/usr/share/ringswitch/dialects",
                   slash != NULL ? ":" : "", slash != NULL ? program : "",
                   slash != NULL ? "/../../conf/dialects:" : "", slash != NULL ? program : "",
                   slash != NULL ? "/dialects" : "");
    return directories;
}

void ctl_report_print(const struct iso_report *report)
{
    for (uint32_t i = 0; i < report->count; i++) {
        (void)fprintf(stderr, "%s\n", report->texts[i]);
    }
    if (report->lost > 0) {
        (void)fprintf(stderr, "and %u more\n", report->lost);
    }
}

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

bool ctl_dialect_file(const char *name, const char *suffix, char out[2048])
{
    int size = snprintf(out, 2048, "%s", name);
    if (size > 0 && size < 2048 && is_file(out)) {
        return true;
    }
    for (const char *from = ctl_dialect_directories(); *from != 0;) {
        size_t length = strcspn(from, ":");
        (void)snprintf(out, 2048, "%.*s/%s%s", (int)length, from, name, suffix);
        if (is_file(out)) {
            return true;
        }
        from += length + (from[length] == ':');
    }
    return false;
}

struct iso_dialect *ctl_dialect_read(const char *name, struct iso_report *report)
{
    const char *directories = ctl_dialect_directories();
    return is_file(name) ? iso_dialect_load(name, directories, report)
                         : iso_dialect_by_name(name, directories, report);
}

struct iso_dialect *ctl_dialect_load(const char *name)
{
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    struct iso_dialect *dialect = ctl_dialect_read(name, report);
    if (dialect == NULL) {
        ctl_report_print(report);
    }
    free(report);
    return dialect;
}
