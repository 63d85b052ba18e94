/* options.c - see options.h. */
#include "sims/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const char *program, const char *what, const struct option_row *rows,
                       uint32_t rows_count)
{
    printf("usage: %s [OPTION]...\n%s\n\n", program, what);
    for (uint32_t i = 0; i < rows_count; i++) {
        static const char *const values[] = {"", " N", " TEXT", " TEXT..."};
        char left[64];
        (void)snprintf(left, sizeof left, "%s%s", rows[i].name, values[rows[i].kind]);
        printf("  %-22s %s\n", left, rows[i].help);
    }
}

static bool set_number(const struct option_row *row, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || value < row->min || value > row->max) {
        return false;
    }
    *(int64_t *)row->value = value;
    return true;
}

static bool set_value(const struct option_row *row, const char *text)
{
    struct option_texts *texts = row->value;
    switch (row->kind) {
    case OPTION_FLAG:
        return false;
    case OPTION_NUMBER:
        return set_number(row, text);
    case OPTION_TEXT:
        *(const char **)row->value = text;
        return true;
    case OPTION_TEXTS:
        if (texts->count == OPTION_TEXTS_MAX) {
            return false;
        }
        texts->texts[texts->count++] = text;
        return true;
    }
    return false;
}

enum option_result options_read(const char *program, const char *what,
                                const struct option_row *rows, uint32_t rows_count, int argc,
                                char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(program, what, rows, rows_count);
            return OPTIONS_HELP;
        }
        const struct option_row *row = NULL;
        for (uint32_t k = 0; k < rows_count; k++) {
            if (strcmp(argv[i], rows[k].name) == 0) {
                row = &rows[k];
            }
        }
        if (row == NULL) {
            (void)fprintf(stderr, "%s: unknown option %s\n", program, argv[i]);
            return OPTIONS_WRONG;
        }
        if (row->kind == OPTION_FLAG) {
            *(bool *)row->value = true;
        } else if (i + 1 == argc || !set_value(row, argv[++i])) {
            (void)fprintf(stderr, "%s: %s wants %s\n", program, row->name, row->help);
            return OPTIONS_WRONG;
        }
    }
    return OPTIONS_OK;
}
