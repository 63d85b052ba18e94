#include "ctl/spec.h"
bool spec_export_moov(const struct iso_dialect *dialect, struct text *out,
                      struct iso_report *report)
{
    (void)dialect;
    (void)out;
    (void)report;
    return false;
}
