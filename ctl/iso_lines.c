/* iso_lines.c - `ringctl iso decode` and `iso encode`: one message, or one a line from standard
 * input, each answered at once on its own line. */
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "ctl/iso_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX (4u << 20)

/* One line to one line; true when the answer is an error. */
typedef bool answer_function(const struct iso_dialect *dialect,
                             const struct ctl_iso_options *options, const char *line, size_t size);

static void print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    must(text != NULL);
    (void)puts(text);
    explicit_bzero(text, strlen(text));
    free(text);
    json_decref(json);
}

static bool answer_decode(const struct iso_dialect *dialect, const struct ctl_iso_options *options,
                          const char *line, size_t size)
{
    bool failed;
    print_json(iso_json_decode(dialect, line, size, options->frame, options->reveal, &failed));
    return failed;
}

static bool answer_encode(const struct iso_dialect *dialect, const struct ctl_iso_options *options,
                          const char *line, size_t size)
{
    uint8_t *out = malloc(ISO_MESSAGE_BYTES_MAX + 4);
    char *hex = malloc(2 * ISO_MESSAGE_BYTES_MAX + 9);
    uint32_t out_size = 0;
    must(out != NULL && hex != NULL);
    json_t *error = iso_json_encode(dialect, line, size, options->frame, out, &out_size);
    if (error != NULL) {
        print_json(error);
    } else {
        bytes_to_hex(out, out_size, hex);
        (void)puts(hex);
        explicit_bzero(hex, 2 * (size_t)out_size);
    }
    free(hex);
    free(out);
    return error != NULL;
}

/* Without blanks and line ends at both sides. */
static void trim(const char **line, size_t *size)
{
    while (*size > 0 && strchr(" \t\r\n", (*line)[*size - 1]) != NULL && (*line)[*size - 1] != 0) {
        --*size;
    }
    while (*size > 0 && (**line == ' ' || **line == '\t')) {
        ++*line;
        --*size;
    }
}

static bool answer_lines(const struct iso_dialect *dialect, const struct ctl_iso_options *options,
                         answer_function *answer)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    bool failed = false;
    while ((size = getline(&line, &room, stdin)) >= 0) {
        const char *text = line;
        size_t text_size = (size_t)size;
        trim(&text, &text_size);
        if (text_size > LINE_BYTES_MAX) {
            print_json(iso_json_error("too_big", "", 0, "the line is too long", NULL));
            failed = true;
        } else {
            failed |= answer(dialect, options, text, text_size);
        }
        (void)fflush(stdout);
        explicit_bzero(line, (size_t)size);
    }
    free(line);
    return failed;
}

static int run(int argc, char **argv, answer_function *answer)
{
    struct ctl_iso_options options;
    if (!ctl_iso_options(argc, argv, &options)) {
        return 2;
    }
    if (options.dialect == NULL || options.rest_count > 1) {
        (void)fprintf(stderr, "ringctl: iso %s --dialect NAME|FILE [ARGUMENT | -]\n", argv[0]);
        return 2;
    }
    struct iso_dialect *dialect = ctl_dialect_load(options.dialect);
    if (dialect == NULL) {
        return 2;
    }
    bool failed;
    if (options.rest_count == 0 || strcmp(options.rest[0], "-") == 0) {
        failed = answer_lines(dialect, &options, answer);
    } else {
        const char *text = options.rest[0];
        size_t size = strlen(text);
        trim(&text, &size);
        failed = answer(dialect, &options, text, size);
    }
    iso_dialect_free(dialect);
    return fflush(stdout) != 0 ? 2 : failed;
}

int ctl_iso_decode(int argc, char **argv)
{
    return run(argc, argv, answer_decode);
}

int ctl_iso_encode(int argc, char **argv)
{
    return run(argc, argv, answer_encode);
}
