/* store.h - where followers keep what they took from the journal: the checkpoint (state.mdb).
 *
 * DESIGN  A store commits rows and the mark that they belong to in one transaction, or nothing. A
 * checkpoint may be written in several commits: all but the last carry only a higher `seen` (rows
 * in it are newer than `batch`); replaying the journal from `batch` on repairs that, as effects are
 * after-images. Two implementations: LMDB (state_lmdb.c) and memory for the simulator
 * (state_memory.c), which outlives a simulated crash as a disk does.
 *
 * THREAD  The follower's; at start the recovery's. */
#ifndef LEDGER_STORE_H
#define LEDGER_STORE_H

#include "base/disk.h"
#include "ledger/effect.h"

#define STORE_TEXT_BYTES 192u

struct store_mark {
    uint64_t batch;    /* every row is at least as new as this batch left it */
    uint64_t seen;     /* no row is newer than this one */
    uint64_t epoch;    /* of the frame of `seen` */
    uint64_t sequence; /* records up to and including `seen` */
};

/* False ends the loading: the row was refused. */
typedef bool (*store_row_fn)(void *context, uint16_t table, uint32_t row, const void *image,
                             uint32_t size);

struct state_store;
struct state_store_ops {
    struct store_mark (*mark)(struct state_store *);
    /* Every row, in the order of table and row. IO_ERR_DISK: a row's checksum does not fit,
     * IO_ERR_OTHER: `row` refused; the text names table and row. */
    enum io_err (*load)(struct state_store *, store_row_fn row, void *context);
    enum io_err (*begin)(struct state_store *);
    enum io_err (*put)(struct state_store *, uint16_t table, uint32_t row, const void *image,
                       uint32_t size);
    /* After an error of begin, put or commit nothing of the transaction is there. */
    enum io_err (*commit)(struct state_store *, const struct store_mark *mark);
    void (*destroy)(struct state_store *);
};
struct state_store {
    const struct state_store_ops *ops;
    char text[STORE_TEXT_BYTES]; /* of the last error: one sentence */
};

struct store_options {
    const char *path;     /* the environment's file; its lock file stands beside it */
    uint64_t map_bytes;   /* address space reserved at start; 0 = 1 TiB */
    uint32_t readers_max; /* of ref.mdb: workers and tools */
    bool read_only;       /* tools with the daemon down */
};
/* NULL: `text` says why, with the path. */
NODISCARD struct state_store *state_store_lmdb(const struct store_options *options, char *text,
                                               size_t text_size);

/* The simulator's: crash() drops an open transaction; destroy() frees it. */
NODISCARD struct state_store *state_store_memory(void);
void state_store_memory_crash(struct state_store *store);
/* The next `count` commits end with `err`. */
void state_store_memory_fail(struct state_store *store, uint32_t count, enum io_err err);

#endif
