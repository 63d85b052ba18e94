/* backup.c - see backup.h. */
#include "ledger/backup.h"

#include "base/clock.h"
#include "ledger/archive.h"
#include "ledger/row.h"
#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COPY_BYTES    (1u << 20)
#define WAITS_MAX     50u
#define WAIT_NS       (200 * NS_PER_MS)
#define COMMIT_FRAMES 4096u
#define HASH_KEY_FILE "hash-key"

PRINTF(3, 4) static bool refuse(char *text, size_t text_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, text_size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- backup ------------------------------------------------------------------------------------
 */

/* One moment of an environment, without its free pages. */
static bool copy_lmdb(const char *from, const char *to, char *text, size_t text_size)
{
    MDB_env *env;
    int code = mdb_env_create(&env);
    if (code != 0) {
        return refuse(text, text_size, "%s: %s", from, mdb_strerror(code));
    }
    code = mdb_env_open(env, from, MDB_NOSUBDIR | MDB_RDONLY, 0600);
    code = code != 0 ? code : mdb_env_copy2(env, to, MDB_CP_COMPACT);
    mdb_env_close(env);
    return code == 0 || refuse(text, text_size, "%s to %s: %s", from, to, mdb_strerror(code));
}

struct copying {
    const struct backup_place *from, *to;
    struct backup_report *report;
    uint8_t *buffer;
    bool ok;
    char *text;
    size_t text_size;
};

static void copy_file(void *context, const char *name, uint64_t bytes)
{
    struct copying *copying = context;
    bool wanted = strncmp(name, "archive/", 8) == 0 || strcmp(name, HASH_KEY_FILE) == 0;
    if (!copying->ok || !wanted) {
        return;
    }
    struct disk *from = copying->from->disk, *to = copying->to->disk;
    enum io_err err = IO_OK;
    uint64_t done = 0, offset;
    while (err == IO_OK && done < bytes) { /* what was appended meanwhile is for the next backup */
        uint32_t size = bytes - done < COPY_BYTES ? (uint32_t)(bytes - done) : COPY_BYTES;
        err = from->ops->load(from, name, copying->buffer, &size, done);
        if (err == IO_OK && size == 0) {
            break;
        }
        err = err != IO_OK ? err : to->ops->append(to, name, copying->buffer, size, &offset);
        done += size;
    }
    err = err != IO_OK || done == 0 ? err : to->ops->sync(to, name);
    copying->ok =
        err == IO_OK || refuse(copying->text, copying->text_size, "%s: copying failed: %s", name,
                               io_err_text(-(int32_t)err));
    copying->report->files_count += strncmp(name, "archive/", 8) == 0;
    copying->report->bytes_count += done;
}

static bool copy_files(const struct backup_place *from, const struct backup_place *to,
                       struct backup_report *report, char *text, size_t text_size)
{
    struct copying copying = {.from = from,
                              .to = to,
                              .report = report,
                              .buffer = malloc(COPY_BYTES),
                              .ok = true,
                              .text = text,
                              .text_size = text_size};
    must(copying.buffer != NULL);
    enum io_err err = from->disk->ops->each(from->disk, copy_file, &copying);
    free(copying.buffer);
    return copying.ok &&
           (err == IO_OK || refuse(text, text_size, "reading: %s", io_err_text(-(int32_t)err)));
}

/* How far the two databases of a place are. */
static bool marks_of(const struct backup_place *place, struct store_mark *mark, uint64_t *ref_batch,
                     char *text, size_t text_size)
{
    struct store_options options = {.path = place->state_path, .read_only = true};
    struct state_store *state = state_store_lmdb(&options, text, text_size);
    if (state == NULL) {
        return false;
    }
    *mark = state->ops->mark(state);
    state->ops->destroy(state);
    options.path = place->ref_path;
    struct ledger_ref *ref = ledger_ref_lmdb(&options, text, text_size);
    if (ref == NULL) {
        return false;
    }
    *ref_batch = ref->ops->batch(ref);
    ref->ops->destroy(ref);
    return true;
}

/* Files of a ledger; others (lock, configuration, token) may be there. */
static void count_file(void *context, const char *name, uint64_t bytes)
{
    static const char *const parts[] = {"journal-", "archive/", "state.mdb", "ref.mdb",
                                        HASH_KEY_FILE};
    (void)bytes;
    for (uint32_t i = 0; i < countof(parts); i++) {
        *(uint32_t *)context += strncmp(name, parts[i], strlen(parts[i])) == 0;
    }
}

static bool is_empty(const struct backup_place *place, char *text, size_t text_size)
{
    uint32_t count = 0;
    enum io_err err = place->disk->ops->each(place->disk, count_file, &count);
    return (err == IO_OK && count == 0) ||
           refuse(text, text_size, "a ledger is there already: nothing is overwritten");
}

bool ledger_backup(const struct backup_place *from, const struct backup_place *to,
                   struct backup_report *report, char *text, size_t text_size)
{
    *report = (struct backup_report){.batch = 0};
    struct store_mark mark;
    uint64_t ref_batch;
    if (!is_empty(to, text, text_size) ||
        !copy_lmdb(from->state_path, to->state_path, text, text_size) ||
        !copy_lmdb(from->ref_path, to->ref_path, text, text_size) ||
        !marks_of(to, &mark, &ref_batch, text, text_size)) {
        return false;
    }
    uint64_t needed = mark.seen > ref_batch ? mark.seen : ref_batch;
    struct archive_end end;
    for (uint32_t i = 0;; i++) {
        if (!archive_find_end(from->disk, &end, text, text_size)) {
            return false;
        }
        if (end.batch >= needed) {
            break;
        }
        if (i == WAITS_MAX) {
            return refuse(text, text_size,
                          "the archive ends with batch %llu, the databases have batch %llu: start "
                          "the daemon so that it catches up",
                          (unsigned long long)end.batch, (unsigned long long)needed);
        }
        struct timespec pause = {.tv_nsec = WAIT_NS};
        (void)nanosleep(&pause, NULL);
    }
    report->checkpoint_batch = mark.batch;
    if (!copy_files(from, to, report, text, text_size) ||
        !archive_find_end(to->disk, &end, text, text_size)) {
        return false;
    }
    report->batch = end.batch;
    return end.batch >= needed ||
           refuse(text, text_size, "the copied archive ends with batch %llu, before batch %llu",
                  (unsigned long long)end.batch, (unsigned long long)needed);
}

/* ---- restore -----------------------------------------------------------------------------------
 */

struct booking { /* frames of the archive into the two databases */
    struct state_store *state;
    struct ledger_ref *ref;
    struct store_mark mark;
    uint64_t ref_batch;
    uint64_t from;                        /* what both databases have */
    uint64_t batch, epoch, sequence, sum; /* of the last frame */
    uint32_t frames_open;
    bool has_gap; /* between databases and archive */
    enum io_err err;
    struct backup_report *report;
};

static enum io_err book_effect(struct booking *booking, const struct ledger_effect *effect,
                               uint64_t batch)
{
    if (effect->table < LEDGER_TABLES_COUNT && batch > booking->mark.batch) {
        enum io_err err = booking->state->ops->put(booking->state, effect->table, effect->row,
                                                   ledger_effect_image(effect), effect->size);
        if (err != IO_OK) {
            return err;
        }
    }
    return batch > booking->ref_batch ? ledger_ref_take(booking->ref, effect, &(bool){false})
                                      : IO_OK;
}

static enum io_err commit(struct booking *booking)
{
    struct store_mark mark = booking->mark;
    mark.batch = booking->batch > mark.batch ? booking->batch : mark.batch;
    mark.seen = mark.batch > mark.seen ? mark.batch : mark.seen;
    mark.epoch = booking->epoch;
    mark.sequence = booking->sequence;
    uint64_t ref_batch = booking->batch > booking->ref_batch ? booking->batch : booking->ref_batch;
    enum io_err err = booking->state->ops->commit(booking->state, &mark);
    err = err != IO_OK ? err : booking->ref->ops->commit(booking->ref, ref_batch);
    booking->frames_open = 0;
    return err;
}

static enum io_err begin(struct booking *booking)
{
    enum io_err err = booking->state->ops->begin(booking->state);
    return err != IO_OK ? err : booking->ref->ops->begin(booking->ref);
}

static bool book_frame(void *context, const struct journal_frame *frame, const char *name,
                       uint64_t offset)
{
    struct booking *booking = context;
    (void)name;
    (void)offset;
    if (booking->batch == 0 && frame->batch > booking->from + 1) {
        booking->has_gap = true;
        return false;
    }
    if (booking->frames_open == 0) {
        booking->err = begin(booking);
    }
    const struct ledger_record *record = NULL;
    while (booking->err == IO_OK && (record = frame_record_next(frame, record)) != NULL) {
        const struct ledger_effect *effect = NULL;
        while (booking->err == IO_OK && (effect = ledger_effect_next(record, effect)) != NULL) {
            booking->err = book_effect(booking, effect, frame->batch);
        }
        booking->report->records_count += frame->batch > booking->mark.batch;
    }
    booking->batch = frame->batch;
    booking->epoch = frame->epoch;
    booking->sequence = frame->first_sequence + frame->records_count;
    booking->sum = frame->sum;
    booking->frames_open++;
    if (booking->err == IO_OK && booking->frames_open == COMMIT_FRAMES) {
        booking->err = commit(booking);
    }
    return booking->err == IO_OK;
}

static bool book_archive(struct booking *booking, struct disk *disk, char *text, size_t text_size)
{
    booking->from =
        booking->mark.batch < booking->ref_batch ? booking->mark.batch : booking->ref_batch;
    booking->batch = 0;
    /* From the last batch that both have: its sum continues the chain. */
    if (!archive_each(disk, booking->from > 0 ? booking->from : 1, book_frame, booking, text,
                      text_size)) {
        return false;
    }
    if (booking->err == IO_OK && booking->frames_open > 0) {
        booking->err = commit(booking);
    }
    if (booking->has_gap) {
        return refuse(text, text_size, "the archive begins behind batch %llu of the databases",
                      (unsigned long long)booking->from);
    }
    if (booking->err != IO_OK) {
        return refuse(text, text_size, "%s%s", booking->state->text, booking->ref->text);
    }
    uint64_t seen =
        booking->mark.seen > booking->ref_batch ? booking->mark.seen : booking->ref_batch;
    return booking->batch >= seen ||
           refuse(text, text_size,
                  "the archive ends with batch %llu, the databases have batch %llu",
                  (unsigned long long)booking->batch, (unsigned long long)seen);
}

static bool book(const struct backup_place *to, struct booking *booking, char *text,
                 size_t text_size)
{
    struct store_options options = {.path = to->state_path};
    booking->state = state_store_lmdb(&options, text, text_size);
    options.path = to->ref_path;
    booking->ref = booking->state != NULL ? ledger_ref_lmdb(&options, text, text_size) : NULL;
    bool ok = booking->ref != NULL;
    if (ok) {
        booking->mark = booking->state->ops->mark(booking->state);
        booking->ref_batch = booking->ref->ops->batch(booking->ref);
        booking->report->checkpoint_batch = booking->mark.batch;
        ok = book_archive(booking, to->disk, text, text_size);
        booking->ref->ops->destroy(booking->ref);
    }
    if (booking->state != NULL) {
        booking->state->ops->destroy(booking->state);
    }
    return ok;
}

bool ledger_restore(const struct backup_place *from, const struct backup_place *to,
                    const struct journal_options *journal_options, struct backup_report *report,
                    char *text, size_t text_size)
{
    *report = (struct backup_report){.batch = 0};
    struct booking booking = {.report = report};
    if (!is_empty(to, text, text_size) ||
        !copy_lmdb(from->state_path, to->state_path, text, text_size) ||
        !copy_lmdb(from->ref_path, to->ref_path, text, text_size) ||
        !copy_files(from, to, report, text, text_size) || !book(to, &booking, text, text_size)) {
        return false;
    }
    report->batch = booking.batch;
    struct journal *journal = journal_open(journal_options, to->disk, text, text_size);
    if (journal == NULL) {
        return false;
    }
    const struct journal_end end = {
        .batch = booking.batch,
        .epoch = booking.epoch,
        .sequence = booking.sequence,
        .sum = booking.sum,
    };
    bool ok = journal_begin_behind(journal, &end, text, text_size);
    journal_close(journal);
    return ok;
}
