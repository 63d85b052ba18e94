/* options.h - `--name VALUE` arguments as rows of a table. */
#ifndef SIMS_OPTIONS_H
#define SIMS_OPTIONS_H

#include "base/base.h"

enum option_kind { OPTION_FLAG, OPTION_NUMBER, OPTION_TEXT, OPTION_TEXTS };

#define OPTION_TEXTS_MAX 16u

struct option_texts {
    const char *texts[OPTION_TEXTS_MAX];
    uint32_t count;
};
struct option_row {
    const char *name; /* "--links" */
    enum option_kind kind;
    void *value;      /* bool, int64_t, const char *, struct option_texts */
    int64_t min, max; /* of a number */
    const char *help;
};

enum option_result { OPTIONS_OK, OPTIONS_HELP, OPTIONS_WRONG };
/* Reads argv[1..]; says what is wrong on standard error, or prints the help. */
NODISCARD enum option_result options_read(const char *program, const char *what,
                                          const struct option_row *rows, uint32_t rows_count,
                                          int argc, char **argv);

#endif
