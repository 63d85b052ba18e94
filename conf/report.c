/* report.c - collecting and printing the faults of files. */
#include "conf/report.h"

#include <stdarg.h>
#include <string.h>

#define NEAREST_BYTES_MAX 64u

void conf_report_add(struct conf_report *report, struct conf_place place, const char *code,
                     const char *format, ...)
{
    bool is_warning = code[0] == 'W';
    if (is_warning) {
        report->warnings_count++;
    } else {
        report->errors_count++;
    }
    if (report->faults_count == CONF_FAULTS_MAX) {
        return;
    }
    struct conf_fault *fault = &report->faults[report->faults_count++];
    *fault =
        (struct conf_fault){.line = place.line, .column = place.column, .is_warning = is_warning};
    (void)snprintf(fault->file, sizeof fault->file, "%s", place.file != NULL ? place.file : "");
    (void)snprintf(fault->code, sizeof fault->code, "%s", code);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    for (char *c = fault->text; *c != '\0'; c++) { /* a fault is one line, whatever a file held */
        if ((unsigned char)*c < ' ' || *c == 0x7F) {
            *c = '?';
        }
    }
}

bool conf_report_has_errors(const struct conf_report *report)
{
    return report->errors_count > 0;
}

int conf_fault_print(const struct conf_fault *fault, char *out, size_t out_size)
{
    char place[32] = "";
    if (fault->line > 0) {
        (void)snprintf(place, sizeof place, ":%u:%u", fault->line, fault->column);
    }
    return snprintf(out, out_size, "%s%s: %s%s%s", fault->file, place, fault->code,
                    fault->code[0] != '\0' ? " " : "", fault->text);
}

void conf_report_print(const struct conf_report *report, FILE *stream)
{
    for (uint32_t i = 0; i < report->faults_count; i++) {
        char line[CONF_PATH_BYTES + CONF_FAULT_TEXT_BYTES + 64];
        (void)conf_fault_print(&report->faults[i], line, sizeof line);
        (void)fprintf(stream, "%s\n", line);
    }
    uint32_t lost = report->errors_count + report->warnings_count - report->faults_count;
    if (lost > 0) {
        (void)fprintf(stream, "and %u more\n", lost);
    }
}

/* Edit distance with neighbours swapped as one edit (optimal string alignment). */
static uint32_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    uint32_t rows[3][NEAREST_BYTES_MAX + 1];
    for (uint32_t j = 0; j <= b_size; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a_size; i++) {
        uint32_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b_size; j++) {
            uint32_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                twice[j - 2] + 1 < best) {
                best = twice[j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[a_size % 3][b_size];
}

const char *conf_nearest(const char *name, const char *const *names, uint32_t names_count)
{
    size_t size = strlen(name);
    if (size == 0 || size > NEAREST_BYTES_MAX) {
        return NULL;
    }
    const char *nearest = NULL;
    uint32_t nearest_distance = UINT32_MAX;
    for (uint32_t i = 0; i < names_count; i++) {
        size_t other_size = strlen(names[i]);
        if (other_size > NEAREST_BYTES_MAX) {
            continue;
        }
        size_t longer = size > other_size ? size : other_size;
        uint32_t edits = distance(name, size, names[i], other_size);
        if (edits < nearest_distance && (size_t)edits * 3 <= longer + 1) {
            nearest = names[i];
            nearest_distance = edits;
        }
    }
    return nearest;
}
