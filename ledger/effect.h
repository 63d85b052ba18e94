/* effect.h - what the journal keeps of a decision: a record is a header and its effects, an effect
 * is the after-image of one row.
 *
 * DESIGN  plan() builds the record, apply() copies the images into the tables, recovery and the
 * state follower do the same with the same bytes: replaying an effect twice changes nothing. An
 * image may be shorter than its row: what is cut off is zero (rows keep their rarely used fields at
 * the end). Everything is little endian, 8-byte aligned, without pointers. A record never changes
 * after it was written; a table's struct changes only by appending fields. */
#ifndef LEDGER_EFFECT_H
#define LEDGER_EFFECT_H

#include "ledger/command.h"
#include "ledger/reason.h"

enum ledger_table {
#define TABLE(name, type, rows, help) LEDGER_TABLE_##name,
#define EVENT(name, type, help)
#include "ledger/table.def"
#undef TABLE
#undef EVENT
    LEDGER_TABLES_COUNT,
    LEDGER_EVENTS_BEFORE = 255, /* so that a new table does not renumber the events */
#define TABLE(name, type, rows, help)
#define EVENT(name, type, help) LEDGER_EVENT_##name,
#include "ledger/table.def"
#undef TABLE
#undef EVENT
    LEDGER_EVENTS_END
};

/* Kinds of records: the commands that changed something, and what the ledger writes by itself. */
enum ledger_record_kind {
    LEDGER_RECORD_RECOVERED = LEDGER_COMMANDS_COUNT, /* open intents that became unknown at start */
    LEDGER_RECORD_KINDS_COUNT
};

struct ledger_effect {
    uint16_t table; /* enum ledger_table, or an EVENT */
    uint16_t size;  /* bytes of the image that follows; a multiple of 8, at most the row's */
    uint32_t row;   /* 0 of an EVENT */
    /* image */
};

struct ledger_record {
    uint32_t size;   /* of header and effects; a multiple of 8 */
    uint32_t crc32c; /* of the record from `kind` on; filled by ledger_plan_pack() */
    uint16_t kind;   /* enum ledger_command_kind or enum ledger_record_kind */
    uint16_t sender;
    uint16_t reason; /* enum ledger_reason */
    uint16_t effects_count;
    uint64_t txn;                /* 0 when the command concerns none */
    int64_t utc_ns;              /* the batch time that the decision was made at */
    uint64_t ruleset, ref_batch; /* what it was made from */
    /* effects */
};
_Static_assert(sizeof(struct ledger_effect) == 8, "on disk");
_Static_assert(sizeof(struct ledger_record) == 48, "on disk");

#define LEDGER_RECORD_BYTES_MAX 8192u /* reserve this much before a plan */
#define LEDGER_EFFECTS_MAX      32u   /* of one record */

/* Bytes of a full row of a table or event. */
uint32_t ledger_effect_row_bytes(uint16_t table);
const char *ledger_effect_name(uint16_t table); /* of an unknown number: "?" */
/* Is it well-formed: sizes add up, tables exist, images fit? (The rows' range is apply()'s.) */
bool ledger_record_valid(const struct ledger_record *record, uint32_t bytes);
/* The next effect, or NULL at the end; start with NULL. The record must be valid. */
const struct ledger_effect *ledger_effect_next(const struct ledger_record *record,
                                               const struct ledger_effect *effect);
static inline const void *ledger_effect_image(const struct ledger_effect *effect)
{
    return effect + 1;
}
uint32_t ledger_record_crc(const struct ledger_record *record);

#endif
