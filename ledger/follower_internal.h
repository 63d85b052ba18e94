/* follower_internal.h - what follower.c and the three followers share; nobody else. */
#ifndef LEDGER_FOLLOWER_INTERNAL_H
#define LEDGER_FOLLOWER_INTERNAL_H

#include "ledger/archive.h"
#include "ledger/follower.h"

struct follower;
struct follower_ops {
    const char *name;
    /* Takes a frame in; false: not before the next flush (nothing of it was taken). */
    bool (*take)(struct follower *, const struct journal_frame *frame);
    /* Is it time to make durable what was taken? `caught_up`: no frame waits. */
    bool (*due)(const struct follower *, int64_t now_ns, bool caught_up);
    /* One bounded step; *done when everything taken is durable. After an error: begin again behind
     * `passed`. The text of the error is left in follower->error. */
    enum io_err (*flush)(struct follower *, bool *done);
    /* Forgets what was taken and is not durable. */
    void (*drop)(struct follower *);
};

struct follower {
    struct agent agent; /* first: the thread gets it */
    const struct follower_ops *ops;
    struct followers *all;
    struct journal_reader *reader;
    bool flushing;  /* a flush of several steps is under way */
    uint64_t taken; /* batch taken in */
    uint64_t taken_epoch, taken_sequence;
    uint64_t taken_bytes; /* of segments, since the last flush: pressure */
    uint64_t taken_records;
    int64_t since_ns;  /* first frame since the last flush; 0 = none */
    int64_t active_ns; /* last time a frame came */
    int64_t retry_ns;  /* not before; 0 = all is well */
    _Atomic uint64_t taken_shared;
    _Atomic uint64_t passed;
    _Atomic bool paused;
    _Atomic bool stopped; /* an error that does not go away by itself */
    _Atomic bool has_failure;
    char error[STORE_TEXT_BYTES];
    char failure[STORE_TEXT_BYTES + 32]; /* written before has_failure */
};

struct dirty_row {
    uint64_t number; /* table << 32 | row */
    uint32_t offset; /* of its image in the arena */
    uint16_t size, room;
};
struct state_follower {
    struct follower follower;
    struct dirty_row *rows;
    uint32_t rows_count, rows_max;
    uint32_t *index; /* position + 1; 2 * rows_max places */
    uint8_t *arena;
    uint32_t arena_used, arena_bytes;
    uint32_t flushed; /* rows of the flush under way that are written */
};
struct ref_follower {
    struct follower follower;
    bool is_open;         /* a transaction of the store */
    bool changed;         /* something in it must become visible */
    enum io_err take_err; /* of a take() that then wants a flush */
};
struct archive_follower {
    struct follower follower;
    uint8_t *staged;
    uint32_t staged_bytes;
    uint32_t number;               /* of the file that is written; 0 = none yet */
    uint64_t file_bytes;           /* whole frames in it */
    char told[ARCHIVE_TELL_BYTES]; /* what the recovery calls it */
    bool must_cut;                 /* what a crash left behind them */
};

struct followers {
    struct followers_options options;
    struct journal *journal;
    uint64_t pressure_bytes; /* taken and not durable: flush, whatever the time */
    int64_t next_ring_ns;
    struct ref_follower ref;
    struct state_follower state;
    struct archive_follower archive;
};

extern const struct follower_ops follower_ref_ops, follower_state_ops, follower_archive_ops;

/* follower.c */
bool follower_pressed(const struct follower *follower);
/* follower_state.c, follower_archive.c */
void follower_state_init(struct followers *followers);
NODISCARD bool follower_archive_init(struct followers *followers, char *text, size_t text_size);
size_t follower_state_bytes(const struct followers_options *options);
size_t follower_archive_bytes(void);

#endif
