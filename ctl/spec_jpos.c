#include "ctl/spec.h"
bool spec_import_jpos(const char *text, size_t size, const char *file, struct text *out,
                      struct iso_report *report)
{
    (void)text;
    (void)size;
    (void)out;
    iso_report_add(report, file, 1, 1, "not yet");
    return false;
}
bool spec_import_moov(const char *text, size_t size, const char *file, struct text *out,
                      struct iso_report *report)
{
    (void)text;
    (void)size;
    (void)out;
    iso_report_add(report, file, 1, 1, "not yet");
    return false;
}
