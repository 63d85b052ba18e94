/* iso_dialect_fuzz.c - any bytes as a dialect file. What loads must read a message without harm. */
#include "relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct iso_report report;
    report.count = report.lost = 0;
    if (size > 4096)
        return 0;
    struct iso_dialect *dialect =
        iso_dialect_load_text((const char *)data, size, "fuzz.yaml", NULL, &report);
    demand((dialect == NULL) == (report.count > 0));
    if (dialect != NULL) {
        static const char sample[] =
            "0100\xF2\x3C\x44\x81\x28\xE0\x9A\x00"
            "16424242424242424200000000000000999907011230451234561230450701"
            "25125411051000612345637424242424242424225121011234567890";
        relay_check(dialect, (const uint8_t *)sample, sizeof(sample) - 1);
        relay_check(dialect, data, size);
    }
    iso_dialect_free(dialect);
    return 0;
}
