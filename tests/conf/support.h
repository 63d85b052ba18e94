/* support.h - reports and files of the conf tests. */
#ifndef TESTS_CONF_SUPPORT_H
#define TESTS_CONF_SUPPORT_H

#include "conf/conf.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The report has an error whose printed line holds `part`. */
static inline bool report_says(const struct conf_report *report, const char *part)
{
    for (uint32_t i = 0; i < report->faults_count; i++) {
        char line[1024];
        (void)conf_fault_print(&report->faults[i], line, sizeof line);
        if (strstr(line, part) != NULL) {
            return true;
        }
    }
    return false;
}
static inline void file_write(const char *directory, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}
/* `text` with the first `from` replaced; the caller frees it. */
static inline char *text_with(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "the text does not hold %s", from);
    size_t size = strlen(text) + strlen(to) + 1;
    char *out = malloc(size);
    cr_assert_not_null(out);
    (void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

#endif
