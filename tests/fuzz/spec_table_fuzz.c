#include "tests/fuzz/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return spec_fuzz(spec_import_table, data, size);
}
