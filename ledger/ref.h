/* ref.h - what workers read by themselves: card records, lists (ref.mdb, memory-mapped).
 *
 * Written only by the `ref` follower within 10 ms of the journal batch; a reader renews its
 * snapshot once a turn and says in each command up to which batch it saw. Two implementations:
 * LMDB, and memory for the simulator. */
#ifndef LEDGER_REF_H
#define LEDGER_REF_H

#include "base/clock.h"
#include "ledger/command.h"
#include "ledger/store.h"

struct ledger_ref_card {
    uint32_t version;
    uint16_t expiry, service_code;
    uint8_t pvki;
    uint8_t pvv[4];
    uint8_t status;
    uint8_t reserved[2];
};

/* ---- workers --------------------------------------------------------------------------------- */

struct ledger_ref;        /* the store: one per process */
struct ledger_ref_reader; /* one per worker */

struct ledger_ref_ops {
    uint64_t (*renew)(struct ledger_ref_reader *); /* newest snapshot; returns its batch */
    bool (*card)(struct ledger_ref_reader *, const struct ledger_card_key *,
                 struct ledger_ref_card *);
    bool (*listed)(struct ledger_ref_reader *, const char *list, const void *key,
                   uint32_t key_size);
    void (*close)(struct ledger_ref_reader *);
};
struct ledger_ref_reader {
    const struct ledger_ref_ops *ops;
    const struct clock *clock; /* of its thread: entries of lists end */
};

/* ---- the follower, and the start ----------------------------------------------------------------
 */

struct ledger_list_change;
struct ledger_ref_store_ops {
    uint64_t (*batch)(struct ledger_ref *);
    enum io_err (*begin)(struct ledger_ref *);
    /* Nothing is written when the stored record is the same; else *changed becomes true. An error
     * of begin, card, list or commit has dropped the transaction. */
    enum io_err (*card)(struct ledger_ref *, const struct ledger_card_key *,
                        const struct ledger_ref_card *, bool *changed);
    enum io_err (*list)(struct ledger_ref *, const struct ledger_list_change *);
    enum io_err (*commit)(struct ledger_ref *, uint64_t batch);
    void (*abort)(struct ledger_ref *);
    /* A worker's reader, at start. NULL: no more readers. */
    struct ledger_ref_reader *(*reader)(struct ledger_ref *, const struct clock *);
    void (*destroy)(struct ledger_ref *); /* after its readers were closed */
};
struct ledger_ref {
    const struct ledger_ref_store_ops *ops;
    char text[STORE_TEXT_BYTES]; /* of the last error */
};

struct ledger_effect;
/* Puts what workers read of an effect into the open transaction; nothing of most of them. */
enum io_err ledger_ref_take(struct ledger_ref *ref, const struct ledger_effect *effect,
                            bool *changed);

NODISCARD struct ledger_ref *ledger_ref_lmdb(const struct store_options *options, char *text,
                                             size_t text_size);
/* The simulator's: snapshots as LMDB's; crash() drops an open transaction; a reader of the
 * crashed process is closed by whoever made it. */
NODISCARD struct ledger_ref *ledger_ref_memory(void);
void ledger_ref_memory_crash(struct ledger_ref *ref);

#endif
