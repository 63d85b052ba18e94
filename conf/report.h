/* report.h - the faults of files: every fault of a run, each with its place.
 *
 * A fault prints as `FILE:LINE:COL: text` (or `FILE: text` without a place); rule files put a code
 * before the text. Bounded: what does not fit is counted. Control thread. */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "base/base.h"
#include <stdio.h>

#define CONF_FAULTS_MAX       64u
#define CONF_FAULT_TEXT_BYTES 256u
#define CONF_PATH_BYTES       256u

struct conf_place {
    const char *file;      /* lives as long as the tree or the caller's name */
    uint32_t line, column; /* from 1; 0 = the file as a whole */
};

struct conf_fault {
    char file[CONF_PATH_BYTES];
    uint32_t line, column;
    char code[5]; /* "E004", or "" */
    bool is_warning;
    char text[CONF_FAULT_TEXT_BYTES];
};

struct conf_report { /* zero it before use */
    uint32_t faults_count;
    uint32_t errors_count, warnings_count; /* also those that did not fit */
    struct conf_fault faults[CONF_FAULTS_MAX];
};

/* code: "E…" an error, "W…" a warning, "" an error without a code. */
void conf_report_add(struct conf_report *report, struct conf_place place, const char *code,
                     const char *format, ...) PRINTF(4, 5);
bool conf_report_has_errors(const struct conf_report *report);
/* One line a fault, without a line end; returns what snprintf() would. */
int conf_fault_print(const struct conf_fault *fault, char *out, size_t out_size);
void conf_report_print(const struct conf_report *report, FILE *stream);

/* The row of `names` that was most likely meant by `name`, or NULL: at most a third of it wrong. */
const char *conf_nearest(const char *name, const char *const *names, uint32_t names_count);

#endif
