/* spec_table_fuzz.c - the importer of table specifications: any bytes are a dialect or located
 * faults. */
#include "ctl/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct iso_report report;
    struct text text = {0}, out = {0};
    if (size > SPEC_BYTES_MAX) {
        return 0;
    }
    text_add_bytes(&text, data, size);
    report.count = report.lost = 0;
    bool imported = spec_import_table(text.data, size, "fuzz", &out, &report);
    must(imported == (report.count == 0));
    text_free(&out);
    text_free(&text);
    return 0;
}
