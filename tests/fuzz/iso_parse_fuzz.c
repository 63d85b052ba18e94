/* iso_parse_fuzz.c - any bytes as a message of any shipped dialect; the first byte chooses it. */
#include "relay.h"

static const char *const names[] = {
    "iso87-ascii",  "iso87-ascii-hex", "iso87-binary", "iso87-ebcdic",   "iso93-ascii",
    "iso93-binary", "iso2003-binary",  "visa-base1",   "mastercard-cis", "mastercard-cis-ascii",
    "base24",       "postilion",       "smartvista",   "way4",           "mastercard-ipm"};
static struct iso_dialect *dialects[countof(names)];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < countof(names); i++) {
        struct iso_report report = {0};
        dialects[i] = iso_dialect_by_name(names[i], RS_DIALECTS, &report);
        demand(dialects[i] != NULL);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        relay_check(dialects[data[0] % countof(names)], data + 1, size - 1);
    return 0;
}
