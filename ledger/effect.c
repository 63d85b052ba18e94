/* effect.c - walking and checking records; pure functions, any thread. */
#include "ledger/row.h"

static const struct {
    const char *name;
    uint32_t bytes;
} tables[LEDGER_TABLES_COUNT] =
    {
#define TABLE(name, type, rows, help) {#name, sizeof(struct type)},
#define EVENT(name, type, help)
#include "ledger/table.def"
#undef TABLE
#undef EVENT
},
  events[LEDGER_EVENTS_END - LEDGER_EVENTS_BEFORE - 1] = {
#define TABLE(name, type, rows, help)
#define EVENT(name, type, help) {#name, sizeof(struct type)},
#include "ledger/table.def"
#undef TABLE
#undef EVENT
};

static bool is_event(uint16_t table)
{
    return table > LEDGER_EVENTS_BEFORE && table < LEDGER_EVENTS_END;
}

uint32_t ledger_effect_row_bytes(uint16_t table)
{
    if (is_event(table)) {
        return events[table - LEDGER_EVENTS_BEFORE - 1].bytes;
    }
    return table < LEDGER_TABLES_COUNT ? tables[table].bytes : 0;
}

const char *ledger_effect_name(uint16_t table)
{
    if (is_event(table)) {
        return events[table - LEDGER_EVENTS_BEFORE - 1].name;
    }
    return table < LEDGER_TABLES_COUNT ? tables[table].name : "?";
}

bool ledger_record_valid(const struct ledger_record *record, uint32_t bytes)
{
    if (bytes < sizeof *record || record->size < sizeof *record || record->size > bytes ||
        record->size % 8 != 0 || record->size > LEDGER_RECORD_BYTES_MAX ||
        record->kind >= LEDGER_RECORD_KINDS_COUNT || record->effects_count > LEDGER_EFFECTS_MAX ||
        record->reason >= LEDGER_REASONS_COUNT) {
        return false;
    }
    uint32_t at = sizeof *record;
    for (uint32_t i = 0; i < record->effects_count; i++) {
        const struct ledger_effect *effect = (const void *)((const uint8_t *)record + at);
        if (record->size - at < sizeof *effect) {
            return false;
        }
        at += (uint32_t)sizeof *effect;
        uint32_t full = ledger_effect_row_bytes(effect->table);
        if (full == 0 || effect->size > full || effect->size % 8 != 0 ||
            effect->size > record->size - at) {
            return false;
        }
        at += effect->size;
    }
    return at == record->size;
}

const struct ledger_effect *ledger_effect_next(const struct ledger_record *record,
                                               const struct ledger_effect *effect)
{
    const uint8_t *next = effect == NULL ? (const uint8_t *)(record + 1)
                                         : (const uint8_t *)(effect + 1) + effect->size;
    return next < (const uint8_t *)record + record->size ? (const void *)next : NULL;
}

uint32_t ledger_record_crc(const struct ledger_record *record)
{
    uint32_t skipped = offsetof(struct ledger_record, kind);
    return crc32c(0, (const uint8_t *)record + skipped, record->size - skipped);
}
