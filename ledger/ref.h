/* ref.h - what workers read by themselves: card records, lists (ref.mdb, memory-mapped).
 *
 * Written only by the `ref` follower within 10 ms of the journal batch; a reader renews its snapshot
 * once a turn and says in each command up to which batch it saw. Two implementations: LMDB, and
 * memory for the simulator. */
#ifndef LEDGER_REF_H
#define LEDGER_REF_H

#include "ledger/command.h"

struct ledger_ref_card {
    uint32_t version;
    uint16_t expiry, service_code;
    uint8_t pvki;
    uint8_t pvv[4];
    uint8_t status;
    uint8_t reserved[2];
};

struct ledger_ref;        /* the store: one per process */
struct ledger_ref_reader; /* one per worker */

struct ledger_ref_ops {
    uint64_t (*renew)(struct ledger_ref_reader *); /* newest snapshot; returns its batch */
    bool (*card)(struct ledger_ref_reader *, const struct ledger_card_key *, struct ledger_ref_card *);
    bool (*listed)(struct ledger_ref_reader *, const char *list, const void *key, uint32_t key_size);
};
struct ledger_ref_reader {
    const struct ledger_ref_ops *ops;
};

#endif
