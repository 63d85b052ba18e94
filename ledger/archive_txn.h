/* archive_txn.h - transactions that memory has forgotten, from the archive's files.
 *
 * Goes from the newest file to the oldest, a bounded number of them; it blocks and allocates: for
 * the control thread and for tools. Names of accounts are not in a transaction's row and stay
 * empty. */
#ifndef LEDGER_ARCHIVE_TXN_H
#define LEDGER_ARCHIVE_TXN_H

#include "base/disk.h"
#include "ledger/command.h"

#define ARCHIVE_TXN_FILES_MAX 256u /* 16 GiB of archive at 64 MiB a file */

struct archive_wanted {
    bool has_txn; /* by id, else by rrn */
    uint64_t txn;
    uint8_t rrn[12];
};
/* Up to rows_max transactions, each as its newest record left it, newest first. False: `text` names
 * the damaged file and offset. */
NODISCARD bool archive_txns(struct disk *disk, const struct archive_wanted *wanted,
                            uint32_t files_max, struct ledger_row_txn *rows, uint32_t rows_max,
                            uint32_t *rows_count, char *text, size_t text_size);

#endif
