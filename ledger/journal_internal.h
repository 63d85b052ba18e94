/* journal_internal.h - what journal.c, journal_read.c and journal_recover.c share; nobody else. */
#ifndef LEDGER_JOURNAL_INTERNAL_H
#define LEDGER_JOURNAL_INTERNAL_H

#include "ledger/journal.h"

#define JOURNAL_NAME_BYTES 24u

struct journal_segment {
    io_file file;
    char name[JOURNAL_NAME_BYTES];
    uint64_t last_batch;          /* newest in it; the shard's */
    _Atomic uint64_t first_batch; /* of the frame at its beginning; 0 = none; readers look for it */
};

struct journal_place { /* of a frame */
    uint32_t segment;
    uint32_t lap;
    uint64_t offset;
};

struct journal_buffer {
    uint8_t *data; /* 4096-aligned; a header's room first */
    uint32_t used;
    uint32_t records_count;
};

/* The copy in memory. Positions are bytes since the start; the place is position % bytes. A frame
 * never wraps around the end. Written by the shard, read by followers under a pin: the writer takes
 * back no byte at or behind a pin, it rather leaves a frame out. */
struct journal_mirror_entry {
    _Atomic uint64_t batch;
    _Atomic uint64_t position;
};
struct journal_mirror {
    uint8_t *data;
    uint64_t bytes;
    uint64_t head;
    _Atomic uint64_t tail; /* what lies before may be overwritten */
    struct journal_mirror_entry *entries;
    uint32_t entries_count;                       /* a power of two; entry of batch b is b mod it */
    _Atomic uint64_t pins[JOURNAL_FOLLOWERS_MAX]; /* UINT64_MAX = none */
};

struct journal {
    struct journal_options options;
    struct disk *disk;
    struct io *io;
    uint64_t token;
    bool is_direct;
    uint32_t batch_bytes; /* of a frame at most */
    struct journal_segment segments[JOURNAL_SEGMENTS_MAX];

    struct journal_buffer buffers[2];
    uint32_t filling;        /* of buffers */
    uint32_t reserved_bytes; /* of the open place; 0 = none */
    struct journal_place next;
    uint64_t epoch, next_batch, next_sequence, previous_sum;

    bool in_flight;
    struct journal_buffer *writing;
    struct journal_place writing_place;
    uint32_t writing_bytes;
    int64_t writing_since_ns;
    struct journal_buffer *to_mirror; /* durable, not yet shown to the followers */
    int64_t last_durable_ns;
    bool is_untimed; /* durable since the clock was last read: an event comes before its turn */
    bool sealed;     /* the last durable frame has no records */
    bool began;      /* the EPOCH frame is written */

    const _Atomic uint64_t *passed[JOURNAL_FOLLOWERS_MAX];
    uint32_t passed_count;
    uint64_t free_bytes; /* as of the last turn, less what was written since */

    _Atomic uint64_t durable; /* answers may go out */
    _Atomic uint64_t visible; /* followers may read; a moment later */
    _Atomic uint32_t readers_count;
    struct journal_mirror mirror;
    bool failed;
    char failure[160];
};

/* journal.c */
uint32_t journal_batch_bytes(const struct journal_options *options); /* of a frame at most */
void journal_latch(struct journal *journal, enum io_err err, const char *what);
uint64_t journal_passed(const struct journal *journal); /* what all followers keep */
bool journal_segment_free(const struct journal *journal, uint32_t segment);
void journal_count_free(struct journal *journal);
uint32_t journal_segment_after(const struct journal *journal, uint32_t segment);
/* Where a frame of so many bytes goes; false: the next segment is still needed. */
bool journal_place_for(const struct journal *journal, uint32_t padded, struct journal_place *place);
/* Makes the filling buffer the frame to write; must() that there is room. */
void journal_close_batch(struct journal *journal, uint32_t flags);
/* The write is on the medium. */
void journal_written(struct journal *journal);

/* journal_read.c */
size_t journal_mirror_bytes(const struct journal_options *options);
void journal_mirror_init(struct journal *journal);
void journal_show(struct journal *journal); /* copies what is durable, then lets followers see it */

#endif
