/* journal.h - the truth: batches of records, each one durable write into pre-written segments.
 *
 * DESIGN  The shard writes records straight into an open batch; journal_turn() closes it into a
 * frame (frame.h) and starts its write as soon as none is in flight: two aligned buffers, one in
 * the kernel, one filling (group commit at depth 1). Segments form a circle that is gone through
 * again and again
 * (`lap`); one is used again only when every follower has passed its last batch. When there is no
 * such segment the journal is full: it refuses, and never overwrites.
 *
 * READING  Followers read durable batches back by number, on their own thread: from a bounded copy
 * in memory when they are close behind, else from the segment files. They never slow the writer.
 *
 * ERRORS  A failed or short write latches (design rule 10): the durable batch stays where it was,
 * nothing is accepted any more, journal_failed() is true and journal_failure() names the place.
 *
 * THREAD  the shard's, but for journal_durable_batch() and the readers. At start: the recovery's.
 */
#ifndef LEDGER_JOURNAL_H
#define LEDGER_JOURNAL_H

#include "base/clock.h"
#include "base/disk.h"
#include "base/metric.h"
#include "ledger/effect.h"
#include "ledger/frame.h"
#include <stdatomic.h>

#define JOURNAL_SEGMENTS_MAX  256u
#define JOURNAL_FOLLOWERS_MAX 8u
#define JOURNAL_BATCH_BYTES                                                                        \
    (1024u * 1024u) /* a frame at most; a quarter of a segment if smaller                          \
                     */
#define JOURNAL_SEAL_AFTER_NS (10 * NS_PER_MS) /* an idle journal says so, once */
#define JOURNAL_SEGMENTS_MIN  3u

struct journal_options {
    uint64_t segment_bytes;  /* a multiple of 4096 */
    uint32_t segments_count; /* JOURNAL_SEGMENTS_MIN..JOURNAL_SEGMENTS_MAX */
    uint32_t mirror_bytes;   /* copy in memory for followers; 0 = they read the files */
    uint64_t margin_bytes;   /* kept for outcomes: journal_admits() is false below; 0 = a segment */
    uint16_t shard;
    const struct clock *clock;    /* of the shard's thread */
    struct metric_block *metrics; /* may be NULL */
};

struct journal;

size_t journal_bytes(const struct journal_options *options);
/* Opens or pre-writes the segments `journal-NNN.seg` and reads nothing yet. NULL: `text` says why.
 */
NODISCARD struct journal *journal_open(const struct journal_options *options, struct disk *disk,
                                       char *text, size_t text_size);
void journal_close(struct journal *journal);
/* False when O_DIRECT was refused for some segment and O_DSYNC alone is used. */
bool journal_is_direct(const struct journal *journal);

/* ---- at start, journal_recover.c ------------------------------------------------------------- */

struct journal_cursor { /* what a follower says of itself at start */
    const char *name;   /* "state" */
    uint64_t batch;     /* complete up to here: it needs every later frame */
    uint64_t seen;      /* newest batch that left a trace in it: the journal must reach as far */
};
struct journal_found { /* what the recovery found; for the log */
    uint64_t epoch;    /* of this run: one more than any before */
    uint64_t batch;    /* last valid batch of the run before; 0 = the journal was empty */
    uint64_t replayed_count;
    uint64_t sequence; /* records written ever */
    bool torn;         /* a broken frame stood at the end: nobody was answered from it */
    char torn_at[64];  /* "journal-002.seg at 1232896" */
};
/* Finds the end of the journal by rule 8 of the design and gives every record of batches >
 * replay_after to `record`, oldest first (NULL: none wanted). Writes nothing. False: `text` names
 * file and offset and what is wrong, or what `record` refused. Afterwards followers can read. */
typedef bool (*journal_record_fn)(void *context, const struct journal_frame *frame,
                                  const struct ledger_record *record);
NODISCARD bool journal_recover(struct journal *journal, const struct journal_cursor *cursors,
                               uint32_t cursors_count, uint64_t replay_after,
                               journal_record_fn record, void *context, struct journal_found *found,
                               char *text, size_t text_size);
/* Zeroes what may stand behind the end, then writes the EPOCH frame: from now on records are taken.
 * False also when there is no room: then the followers must catch up first. */
NODISCARD bool journal_begin(struct journal *journal, char *text, size_t text_size);
/* Instead of journal_recover() and journal_begin(), on fresh segments: after a backup was put back.
 */
struct journal_end {
    uint64_t batch, epoch, sequence, sum; /* of the last frame that was put back */
};
NODISCARD bool journal_begin_behind(struct journal *journal, const struct journal_end *end,
                                    char *text, size_t text_size);
/* Writes the open batch through the disk and waits: only before the io is attached. */
NODISCARD bool journal_write_now(struct journal *journal, char *text, size_t text_size);

/* ---- the shard's thread ---------------------------------------------------------------------- */

/* From now on writes go through `io` with this token. */
void journal_attach(struct journal *journal, struct io *io, uint64_t token);

/* 8-aligned place for one record of at most max_bytes (a multiple of 8, <= LEDGER_RECORD_BYTES_MAX)
 * in the open batch; NULL: the batch is full until the write in flight ends, the journal is full,
 * or it failed. At most one place is open; without a commit it is given back by the next reserve.
 */
NODISCARD uint8_t *journal_reserve(struct journal *journal, uint32_t max_bytes);
/* The record is complete, its size and checksum filled in; bytes = its size. */
void journal_commit(struct journal *journal, uint32_t bytes);
/* May new work come in? False when less than the margin is left, or it failed: answer BUSY. */
bool journal_admits(const struct journal *journal);
/* Number of the batch that the next committed record belongs to. */
uint64_t journal_open_batch(const struct journal *journal);
/* Starts one write of all that was gathered when none is in flight. Returns how much it did. */
uint32_t journal_turn(struct journal *journal);
void journal_event(struct journal *journal, const struct io_event *event);
/* Any thread. */
uint64_t journal_durable_batch(const struct journal *journal);
int64_t journal_deadline(const struct journal *journal); /* boot time; INT64_MAX = none */
int64_t
journal_oldest_write_ns(const struct journal *journal); /* start of the write in flight; 0 */
bool journal_idle(const struct journal *journal);       /* nothing gathered, nothing in flight */
uint64_t journal_epoch(const struct journal *journal);
uint64_t journal_free_bytes(const struct journal *journal);
uint64_t journal_capacity_bytes(const struct journal *journal);

bool journal_failed(const struct journal *journal);
const char *journal_failure(const struct journal *journal); /* one located sentence; "" = none */

/* ---- followers: any thread
 * ----------------------------------------------------------------------- */

/* A follower: `passed` grows to the batch that it keeps durably by itself. Before serving. */
void journal_pin(struct journal *journal, const _Atomic uint64_t *passed);

struct journal_reader; /* one per follower; has a buffer of its own */
NODISCARD struct journal_reader *journal_reader_create(struct journal *journal);
enum journal_read {
    JOURNAL_READ_FRAME,
    JOURNAL_READ_NONE,   /* not durable yet */
    JOURNAL_READ_BROKEN, /* the file does not hold what was written: rot */
    JOURNAL_READ_IO,
};
/* The frame of `batch`, valid until the next call on this reader. It must not be older than what
 * the reader's follower has passed. */
NODISCARD enum journal_read journal_read(struct journal_reader *reader, uint64_t batch,
                                         const struct journal_frame **frame);

#endif
