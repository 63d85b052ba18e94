/* spec.h - of the targets of importers: any bytes are a dialect or located faults. */
#ifndef TESTS_FUZZ_SPEC_H
#define TESTS_FUZZ_SPEC_H

#include "ctl/spec.h"

typedef bool spec_import_fn(const char *text, size_t size, const char *file, struct text *out,
                            struct iso_report *report);

static inline int spec_fuzz(spec_import_fn *import, const uint8_t *data, size_t size)
{
    static struct iso_report report;
    struct text text = {0}, out = {0};
    if (size > SPEC_BYTES_MAX) {
        return 0;
    }
    text_add_bytes(&text, data, size);
    report.count = report.lost = 0;
    bool imported = import(text.data, size, "fuzz", &out, &report);
    must(imported == (report.count == 0));
    text_free(&out);
    text_free(&text);
    return 0;
}

#endif
