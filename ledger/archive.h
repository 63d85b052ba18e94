/* archive.h - every durable frame, for ever: append-only files `archive/NNNNNNNN.seg`.
 *
 * SHAPE  Frames as in the journal, without their zeros, rounded up to 64 bytes, one behind the
 * other; a file is closed when it has reached its size. What stands behind the last whole frame of
 * the newest file was never synced: the follower writes it again from the journal.
 *
 * THREAD  Writing: the archive follower. Reading: anybody, also with the daemon running (what is
 * read ends with the last whole frame). It blocks and allocates: not for the data plane. */
#ifndef LEDGER_ARCHIVE_H
#define LEDGER_ARCHIVE_H

#include "base/disk.h"
#include "ledger/frame.h"

#define ARCHIVE_NAME_BYTES 32u
#define ARCHIVE_FILE_BYTES (64u * 1024u * 1024u)

void archive_name(uint32_t number, char name[static ARCHIVE_NAME_BYTES]);

struct archive_end {
    uint32_t number; /* of the newest file, 0 = there is none */
    uint64_t bytes;  /* of whole frames in it */
    uint64_t size;   /* of the file: more than bytes after a crash */
    uint64_t batch;  /* last whole frame; 0 = none at all */
};
#define ARCHIVE_TELL_BYTES 80u
/* "archive", and how far its newest file can be read when that is not its end. */
void archive_tell(const struct archive_end *end, char text[static ARCHIVE_TELL_BYTES]);
NODISCARD bool archive_find_end(struct disk *disk, struct archive_end *end, char *text,
                                size_t text_size);

/* A frame and where it stands; valid during the call. False ends the walk. */
typedef bool (*archive_frame_fn)(void *context, const struct journal_frame *frame, const char *name,
                                 uint64_t offset);
/* All frames from batch `from` on, oldest first, each checked: its sum, and that it continues the
 * one before. A damaged or missing frame ends it with false and `text` = file, offset and what is
 * wrong; half a frame at the end of the newest file does not. `from` older than the archive: from
 * its beginning. */
NODISCARD bool archive_each(struct disk *disk, uint64_t from, archive_frame_fn frame, void *context,
                            char *text, size_t text_size);

/* Files from the newest to the oldest, frames of a file in their order: for finding old
 * transactions. Looks at `files_max` files at most. */
NODISCARD bool archive_search(struct disk *disk, uint32_t files_max, archive_frame_fn frame,
                              void *context, char *text, size_t text_size);

#endif
