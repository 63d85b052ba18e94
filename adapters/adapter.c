/* adapter.c - the rows of adapter.def. */
#include "adapters/adapter.h"

#include <string.h>

static const struct adapter rows[ADAPTERS_COUNT] = {
#define ADAPTER(id, text, dialect_name, silence_of, mti, signs_on, codes, help_text)               \
    [ADAPTER_##id] = {.name = (text),                                                              \
                      .dialect = (dialect_name),                                                   \
                      .silence = LEDGER_SILENCE_##silence_of,                                      \
                      .reversal_mti = (mti),                                                       \
                      .sign_on = (signs_on),                                                       \
                      .technical = (codes),                                                        \
                      .help = (help_text)},
#include "adapters/adapter.def"
#undef ADAPTER
};

const struct adapter *adapter_at(enum adapter_id id)
{
    must(id < ADAPTERS_COUNT);
    return &rows[id];
}

const struct adapter *adapter_by_name(const char *name)
{
    for (uint32_t i = 0; i < ADAPTERS_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
