/* recover_check.c - do databases, archive and journal belong together? See recover.h.
 *
 * DESIGN  The journal begins with the oldest batch that stands at the beginning of a segment: a
 * segment is used again only when every follower has passed its last batch, so what an overwritten
 * beginning leaves behind it is needed by nobody. Who ends before that batch cannot be brought up
 * to date any more. Damage is not judged here: journal_recover() says where it is. */
#include "ledger/archive.h"
#include "ledger/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURE                                                                                       \
    "put it back as it was, or put a backup back into an empty directory (ringctl ledger restore " \
    "FOLDER)"

struct look { /* at the files of one directory */
    struct disk *disk;
    uint8_t *buffer; /* a frame */
    uint64_t oldest; /* batch at the beginning of a segment; 0 = all are blank */
    uint64_t archived_bytes;
    bool is_damaged; /* a beginning is neither blank nor a frame */
};

struct holder { /* who was brought up to date from the journal */
    const char *name;
    uint64_t batch; /* complete up to here */
    uint64_t seen;  /* newest trace in it */
};

static bool is_blank(const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return true;
}

static void look_at(void *context, const char *name, uint64_t bytes)
{
    struct look *look = context;
    unsigned number;
    int end = 0;
    look->archived_bytes += strncmp(name, "archive/", 8) == 0 ? bytes : 0;
    if (sscanf(name, "journal-%3u.seg%n", &number, &end) != 1 || end == 0 || name[end] != '\0') {
        return;
    }
    uint32_t size = JOURNAL_BATCH_BYTES;
    bool is_read = look->disk->ops->load(look->disk, name, look->buffer, &size, 0) == IO_OK;
    if (is_read && frame_look(look->buffer, size) == FRAME_VALID) {
        uint64_t batch = ((const struct journal_frame *)(const void *)look->buffer)->batch;
        look->oldest = look->oldest == 0 || batch < look->oldest ? batch : look->oldest;
    } else if (!is_read || !is_blank(look->buffer, size < FRAME_ALIGN ? size : FRAME_ALIGN)) {
        look->is_damaged = true;
    }
}

static bool adjoins(const struct look *look, const struct holder *holder, char *text,
                    size_t text_size)
{
    if (look->oldest == 0 && holder->seen > 0) {
        (void)snprintf(text, text_size,
                       "the journal is empty, but %s ends with batch %llu: its segments were "
                       "removed or emptied; " CURE,
                       holder->name, (unsigned long long)holder->seen);
        return false;
    }
    if (holder->batch + 1 < look->oldest) {
        (void)snprintf(text, text_size,
                       "the journal begins with batch %llu, but %s ends with batch %llu: one of "
                       "them was removed, emptied, or replaced by an older one; " CURE,
                       (unsigned long long)look->oldest, holder->name,
                       (unsigned long long)holder->batch);
        return false;
    }
    return true;
}

bool ledger_recover_check(struct disk *disk, struct state_store *state, struct ledger_ref *ref,
                          bool *is_new, char *text, size_t text_size)
{
    struct look look = {.disk = disk, .buffer = aligned_alloc(FRAME_ALIGN, JOURNAL_BATCH_BYTES)};
    must(look.buffer != NULL);
    enum io_err err = disk->ops->each(disk, look_at, &look);
    free(look.buffer);
    if (err != IO_OK) {
        (void)snprintf(text, text_size, "reading the directory failed: %s",
                       io_err_text(-(int32_t)err));
        return false;
    }
    struct archive_end end;
    char archive[ARCHIVE_TELL_BYTES];
    if (!archive_find_end(disk, &end, text, text_size)) {
        return false;
    }
    archive_tell(&end, archive);
    struct store_mark mark = state->ops->mark(state);
    uint64_t ref_batch = ref != NULL ? ref->ops->batch(ref) : mark.batch;
    *is_new = look.oldest == 0 && !look.is_damaged && look.archived_bytes == 0 && mark.seen == 0 &&
              ref_batch == 0;
    const struct holder holders[] = {
        {"state.mdb", mark.batch, mark.seen},
        {ref != NULL ? "ref.mdb" : "state.mdb", ref_batch, ref_batch},
        {archive, end.batch, end.batch},
    };
    bool ok = true;
    for (uint32_t i = 0; ok && !look.is_damaged && i < countof(holders); i++) {
        ok = adjoins(&look, &holders[i], text, text_size);
    }
    return ok;
}
