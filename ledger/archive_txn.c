/* archive_txn.c - see archive_txn.h. */
#include "ledger/archive_txn.h"

#include "ledger/archive.h"
#include "ledger/query.h"
#include "ledger/row.h"
#include <stdio.h>
#include <string.h>

struct hunt {
    const struct archive_wanted *wanted;
    struct ledger_row_txn *rows;
    uint32_t rows_max, rows_count;
    uint32_t rows_before; /* found in newer files: what this one says of them is older */
    char name[ARCHIVE_NAME_BYTES];
};

static bool is_wanted(const struct archive_wanted *wanted, const struct ledger_txn *txn)
{
    return wanted->has_txn ? txn->id == wanted->txn
                           : memcmp(txn->rrn, wanted->rrn, sizeof txn->rrn) == 0;
}

static void note(struct hunt *hunt, const struct ledger_txn *txn)
{
    uint32_t at = 0;
    while (at < hunt->rows_count && hunt->rows[at].txn != txn->id) {
        at++;
    }
    if (at < hunt->rows_before || at == hunt->rows_max) {
        return;
    }
    hunt->rows_count += at == hunt->rows_count;
    ledger_query_txn(txn, &hunt->rows[at]);
}

static bool look(void *context, const struct journal_frame *frame, const char *name,
                 uint64_t offset)
{
    struct hunt *hunt = context;
    (void)offset;
    if (strncmp(hunt->name, name, sizeof hunt->name) != 0) { /* the next older file */
        if (hunt->wanted->has_txn && hunt->rows_count > 0) {
            return false;
        }
        hunt->rows_before = hunt->rows_count;
        (void)snprintf(hunt->name, sizeof hunt->name, "%s", name);
    }
    const struct ledger_record *record = NULL;
    while ((record = frame_record_next(frame, record)) != NULL) {
        const struct ledger_effect *effect = NULL;
        while ((effect = ledger_effect_next(record, effect)) != NULL) {
            if (effect->table == LEDGER_TABLE_txn) {
                struct ledger_txn txn;
                memset(&txn, 0, sizeof txn);
                memcpy(&txn, ledger_effect_image(effect), effect->size);
                if (is_wanted(hunt->wanted, &txn)) {
                    note(hunt, &txn);
                }
            }
        }
    }
    return true;
}

bool archive_txns(struct disk *disk, const struct archive_wanted *wanted, uint32_t files_max,
                  struct ledger_row_txn *rows, uint32_t rows_max, uint32_t *rows_count, char *text,
                  size_t text_size)
{
    struct hunt hunt = {.wanted = wanted, .rows = rows, .rows_max = rows_max};
    bool ok = archive_search(disk, files_max, look, &hunt, text, text_size);
    *rows_count = hunt.rows_count;
    return ok;
}
