/* follower_archive.c - durable frames into the archive's files.
 *
 * Frames gather in a staging buffer, are appended when it is full or 200 ms old, and count as kept
 * only after the sync behind them. The first append after a start cuts what a crash left behind the
 * last whole frame: by then the recovery has made sure that the journal still has it. */
#include "ledger/follower_internal.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

#define STAGED_BYTES (2u * JOURNAL_BATCH_BYTES)

static struct archive_follower *of(struct follower *follower)
{
    return (struct archive_follower *)follower;
}

static bool take(struct follower *follower, const struct journal_frame *frame)
{
    struct archive_follower *self = of(follower);
    uint32_t size = frame_archived(frame->length);
    if (self->staged_bytes + size > STAGED_BYTES) {
        return false;
    }
    memcpy(self->staged + self->staged_bytes, frame, frame->length);
    memset(self->staged + self->staged_bytes + frame->length, 0, size - frame->length);
    self->staged_bytes += size;
    return true;
}

static bool due(const struct follower *follower, int64_t now_ns, bool caught_up)
{
    (void)caught_up;
    return follower->since_ns != 0 &&
           (follower_pressed(follower) || now_ns - follower->since_ns >= FOLLOWER_ARCHIVE_EVERY_NS);
}

/* Takes away what stands behind the last whole frame. */
static enum io_err cut(struct archive_follower *self, struct disk *disk, const char *name)
{
    if (self->file_bytes == 0) { /* perhaps it was not even made */
        (void)disk->ops->remove(disk, name);
        return IO_OK;
    }
    return disk->ops->truncate(disk, name, self->file_bytes);
}

static enum io_err append(struct archive_follower *self, struct disk *disk, uint64_t file_max)
{
    char name[ARCHIVE_NAME_BYTES];
    enum io_err err = IO_OK;
    archive_name(self->number, name);
    if (self->must_cut) {
        err = cut(self, disk, name);
        self->must_cut = err != IO_OK;
    }
    if (err != IO_OK || self->staged_bytes == 0) {
        return err;
    }
    if (self->number == 0 || self->file_bytes >= file_max) {
        archive_name(++self->number, name);
        self->file_bytes = 0;
    }
    uint64_t offset = self->file_bytes;
    err = disk->ops->append(disk, name, self->staged, self->staged_bytes, &offset);
    if (err == IO_OK) {
        err = offset == self->file_bytes ? disk->ops->sync(disk, name) : IO_ERR_OTHER;
    }
    self->must_cut = err != IO_OK; /* part of it may be there */
    if (err == IO_OK) {
        self->file_bytes += self->staged_bytes;
        self->staged_bytes = 0;
    }
    return err;
}

static enum io_err flush(struct follower *follower, bool *done)
{
    struct archive_follower *self = of(follower);
    uint64_t file_max = follower->all->options.archive_bytes;
    enum io_err err =
        append(self, follower->all->options.disk, file_max != 0 ? file_max : ARCHIVE_FILE_BYTES);
    *done = err == IO_OK;
    if (err != IO_OK) {
        (void)snprintf(follower->error, sizeof follower->error, "archive/%08u.seg at %llu: %s",
                       self->number, (unsigned long long)self->file_bytes,
                       io_err_text(-(int32_t)err));
    }
    return err;
}

static void drop(struct follower *follower)
{
    of(follower)->staged_bytes = 0;
}

const struct follower_ops follower_archive_ops = {"archive", take, due, flush, drop};

size_t follower_archive_bytes(void)
{
    return STAGED_BYTES;
}

bool follower_archive_init(struct followers *followers, char *text, size_t text_size)
{
    struct archive_follower *self = &followers->archive;
    struct archive_end end;
    if (!archive_find_end(followers->options.disk, &end, text, text_size)) {
        return false;
    }
    archive_tell(&end, self->told);
    self->number = end.number;
    self->file_bytes = end.bytes;
    self->must_cut = end.number > 0 && end.size > end.bytes;
    self->follower.taken = end.batch;
    self->staged = mem_take(MEM_PLAIN, STAGED_BYTES, "archive staging");
    return true;
}
