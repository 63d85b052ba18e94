/* journal_recover.c - the end of the journal, and what was broken before it (design rule 8).
 *
 * DESIGN  Every 4096-byte place of every segment is looked at. Valid frames, in the order of their
 * batches, must be without a gap from the oldest that a follower still needs up to the newest one,
 * and each must continue the sum of the one before. A broken frame is only a torn tail when nothing
 * behind it is valid and no follower has seen its batch: everything else ends the start, with the
 * place. Frames of an earlier lap have lower batches than any follower needs and are not looked at.
 */
#include "ledger/journal_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_BYTES (2u * JOURNAL_BATCH_BYTES)

struct seen_frame { /* of the scan; the header of a valid frame in short */
    uint64_t batch, epoch, durable, offset, sum, previous_sum, sequence;
    uint32_t segment, lap, flags, records_count, length;
};

struct scan {
    struct journal *journal;
    uint8_t *buffer; /* SCAN_BYTES, aligned */
    struct seen_frame *frames;
    size_t frames_count, frames_max;
    uint64_t newest_epoch;
    const char *needed_by; /* the follower that is furthest behind */
    char *text;
    size_t text_size;
};

/* ---- the recovery ---------------------------------------------------------------------------- */

static bool scan_segments(struct scan *scan);
static bool check_chain(struct scan *scan, uint64_t needed);
static bool replay(struct scan *scan, uint64_t after, journal_record_fn record, void *context,
                   uint64_t *count);
static void take_over(struct scan *scan, struct journal_found *found);

/* The oldest batch that someone still needs; false: someone has seen more than there is. */
static bool ask_cursors(struct scan *scan, const struct journal_cursor *cursors, uint32_t count,
                        uint64_t *needed)
{
    uint64_t last = scan->frames_count > 0 ? scan->frames[scan->frames_count - 1].batch : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct journal_cursor *cursor = &cursors[i];
        if (cursor->seen > last) {
            const struct seen_frame *end = last > 0 ? &scan->frames[scan->frames_count - 1] : NULL;
            uint32_t segment = end != NULL ? end->segment : 0;
            uint64_t offset = end != NULL ? end->offset + frame_padded(end->length) : 0;
            (void)snprintf(
                scan->text, scan->text_size,
                "%s at %llu: the journal ends with batch %llu, but %s has seen batch %llu: frames "
                "that were durable are damaged or missing",
                scan->journal->segments[segment].name, (unsigned long long)offset,
                (unsigned long long)last, cursor->name, (unsigned long long)cursor->seen);
            return false;
        }
        if (cursor->batch + 1 <= *needed) {
            *needed = cursor->batch + 1;
            scan->needed_by = cursor->name;
        }
    }
    return true;
}

bool journal_recover(struct journal *journal, const struct journal_cursor *cursors,
                     uint32_t cursors_count, uint64_t replay_after, journal_record_fn record,
                     void *context, struct journal_found *found, char *text, size_t text_size)
{
    struct scan scan = {
        .journal = journal, .needed_by = "the checkpoint", .text = text, .text_size = text_size};
    must(!journal->began);
    scan.buffer = aligned_alloc(FRAME_ALIGN, SCAN_BYTES);
    must(scan.buffer != NULL);
    uint64_t needed = replay_after + 1;
    *found = (struct journal_found){0};
    bool ok = scan_segments(&scan) && ask_cursors(&scan, cursors, cursors_count, &needed) &&
              check_chain(&scan, needed) &&
              replay(&scan, replay_after, record, context, &found->replayed_count);
    if (ok) {
        take_over(&scan, found);
    }
    free(scan.frames);
    free(scan.buffer);
    return ok;
}

/* ---- looking at every place ------------------------------------------------------------------ */

static void note_frame(struct scan *scan, const struct journal_frame *frame)
{
    if (scan->frames_count == scan->frames_max) {
        scan->frames_max = scan->frames_max == 0 ? 4096 : scan->frames_max * 2;
        scan->frames = realloc(scan->frames, scan->frames_max * sizeof *scan->frames);
        must(scan->frames != NULL);
    }
    scan->newest_epoch = frame->epoch > scan->newest_epoch ? frame->epoch : scan->newest_epoch;
    scan->frames[scan->frames_count++] = (struct seen_frame){
        .batch = frame->batch,
        .epoch = frame->epoch,
        .durable = frame->durable,
        .offset = frame->offset,
        .sum = frame->sum,
        .previous_sum = frame->previous_sum,
        .sequence = frame->first_sequence,
        .segment = frame->segment,
        .lap = frame->lap,
        .flags = frame->flags,
        .records_count = frame->records_count,
        .length = frame->length,
    };
}

static bool read_segment(struct scan *scan, uint32_t segment, uint64_t offset, uint32_t *bytes)
{
    struct journal *journal = scan->journal;
    uint64_t left = journal->options.segment_bytes - offset;
    *bytes = left < SCAN_BYTES ? (uint32_t)left : SCAN_BYTES;
    enum io_err err = journal->disk->ops->read(journal->disk, journal->segments[segment].file,
                                               scan->buffer, *bytes, offset);
    if (err != IO_OK) {
        (void)snprintf(scan->text, scan->text_size, "%s at %llu: reading failed: %s",
                       journal->segments[segment].name, (unsigned long long)offset,
                       io_err_text(-(int32_t)err));
    }
    return err == IO_OK;
}

static bool scan_segment(struct scan *scan, uint32_t segment)
{
    uint64_t end = scan->journal->options.segment_bytes;
    uint64_t base = 0;
    while (base < end) {
        uint32_t bytes;
        if (!read_segment(scan, segment, base, &bytes)) {
            return false;
        }
        uint32_t at = 0;
        /* A frame that may be cut by the end of the buffer is looked at again from its beginning.
         */
        while (at < bytes && (bytes - at >= JOURNAL_BATCH_BYTES || base + bytes == end)) {
            const struct journal_frame *frame = (const struct journal_frame *)(scan->buffer + at);
            uint32_t step = FRAME_ALIGN;
            if (frame_look(scan->buffer + at, bytes - at) == FRAME_VALID &&
                frame->segment == segment && frame->offset == base + at &&
                frame->shard == scan->journal->options.shard) {
                note_frame(scan, frame);
                step = frame_padded(frame->length);
            }
            at += step;
        }
        base += at;
    }
    return true;
}

static int by_batch(const void *a, const void *b)
{
    const struct seen_frame *x = a, *y = b;
    return (x->batch > y->batch) - (x->batch < y->batch);
}

static bool scan_segments(struct scan *scan)
{
    for (uint32_t i = 0; i < scan->journal->options.segments_count; i++) {
        if (!scan_segment(scan, i)) {
            return false;
        }
    }
    if (scan->frames_count > 0) {
        qsort(scan->frames, scan->frames_count, sizeof *scan->frames, by_batch);
    }
    return true;
}

/* ---- the chain ---------------------------------------------------------------------------------
 */

static void refuse(struct scan *scan, const struct seen_frame *before, uint64_t batch,
                   const char *what)
{
    if (before == NULL) {
        (void)snprintf(scan->text, scan->text_size,
                       "the journal: batch %llu, which %s still needs, stands in no segment: %s",
                       (unsigned long long)batch, scan->needed_by, what);
        return;
    }
    (void)snprintf(
        scan->text, scan->text_size,
        "%s at %llu: batch %llu should stand here or at the beginning of the next segment: %s",
        scan->journal->segments[before->segment].name,
        (unsigned long long)(before->offset + frame_padded(before->length)),
        (unsigned long long)batch, what);
}

/* What is wrong with `frame` as the one after `before`; NULL = nothing. */
static const char *link_fault(const struct journal *journal, const struct seen_frame *before,
                              const struct seen_frame *frame)
{
    uint64_t end = before->offset + frame_padded(before->length);
    bool follows =
        frame->segment == before->segment && frame->lap == before->lap && frame->offset == end;
    uint32_t after = journal_segment_after(journal, before->segment);
    bool turns =
        frame->segment == after && frame->offset == 0 && frame->lap == before->lap + (after == 0);
    if (frame->batch != before->batch + 1) {
        return "it is broken or missing, and later frames are valid";
    }
    if (frame->previous_sum != before->sum) {
        return "it does not continue the sum of the frame before";
    }
    if (!follows && !turns) {
        return "it stands elsewhere";
    }
    if (frame->epoch < before->epoch || frame->durable >= frame->batch ||
        frame->sequence != before->sequence + before->records_count) {
        return "its epoch, watermark or sequence go back";
    }
    return NULL;
}

static bool check_chain(struct scan *scan, uint64_t needed)
{
    const struct seen_frame *before = NULL;
    uint64_t expected = needed;
    for (size_t i = 0; i < scan->frames_count; i++) {
        const struct seen_frame *frame = &scan->frames[i];
        if (before != NULL && frame->batch == before->batch && frame->batch >= needed) {
            refuse(scan, before, frame->batch, "it is there twice");
            return false;
        }
        if (frame->batch >= needed) {
            bool adjoins = before != NULL && before->batch + 1 == frame->batch;
            const char *fault = frame->batch != expected
                                    ? "it is broken or missing, and later frames are valid"
                                    : NULL;
            if (fault == NULL && adjoins) {
                fault = link_fault(scan->journal, before, frame);
            }
            if (fault != NULL) {
                bool near = before != NULL && before->batch + 1 == expected;
                refuse(scan, near ? before : NULL, expected, fault);
                return false;
            }
            expected++;
        }
        before = frame;
    }
    return true;
}

/* ---- replay ------------------------------------------------------------------------------------
 */

static bool replay_frame(struct scan *scan, const struct seen_frame *seen, journal_record_fn record,
                         void *context, uint64_t *count)
{
    struct journal *journal = scan->journal;
    uint32_t padded = frame_padded(seen->length);
    enum io_err err = journal->disk->ops->read(journal->disk, journal->segments[seen->segment].file,
                                               scan->buffer, padded, seen->offset);
    const struct journal_frame *frame = (const struct journal_frame *)scan->buffer;
    if (err != IO_OK || frame_look(scan->buffer, padded) != FRAME_VALID ||
        frame->sum != seen->sum) {
        (void)snprintf(scan->text, scan->text_size,
                       "%s at %llu: the frame reads differently the second time",
                       journal->segments[seen->segment].name, (unsigned long long)seen->offset);
        return false;
    }
    for (const struct ledger_record *one = frame_record_next(frame, NULL); one != NULL;
         one = frame_record_next(frame, one)) {
        if (!record(context, frame, one)) {
            (void)snprintf(scan->text, scan->text_size,
                           "%s at %llu: a record of batch %llu does not fit the configured tables",
                           journal->segments[seen->segment].name, (unsigned long long)seen->offset,
                           (unsigned long long)seen->batch);
            return false;
        }
        (*count)++;
    }
    return true;
}

static bool replay(struct scan *scan, uint64_t after, journal_record_fn record, void *context,
                   uint64_t *count)
{
    for (size_t i = 0; record != NULL && i < scan->frames_count; i++) {
        const struct seen_frame *frame = &scan->frames[i];
        if (frame->batch > after && frame->records_count > 0 &&
            !replay_frame(scan, frame, record, context, count)) {
            return false;
        }
    }
    return true;
}

/* ---- going on behind it
 * -------------------------------------------------------------------------- */

static bool broken_at(struct scan *scan, uint32_t segment, uint64_t offset,
                      struct journal_found *found)
{
    struct journal *journal = scan->journal;
    if (offset >= journal->options.segment_bytes ||
        journal->disk->ops->read(journal->disk, journal->segments[segment].file, scan->buffer,
                                 FRAME_ALIGN, offset) != IO_OK) {
        return false;
    }
    const struct journal_frame *frame = (const struct journal_frame *)scan->buffer;
    bool ours = frame->magic == FRAME_MAGIC && frame->batch == found->batch + 1;
    if (ours) {
        found->torn = true;
        (void)snprintf(found->torn_at, sizeof found->torn_at, "%s at %llu",
                       journal->segments[segment].name, (unsigned long long)offset);
    }
    return ours;
}

static void take_over(struct scan *scan, struct journal_found *found)
{
    struct journal *journal = scan->journal;
    for (size_t i = 0; i < scan->frames_count; i++) { /* ordered: later batches win */
        struct journal_segment *segment = &journal->segments[scan->frames[i].segment];
        segment->last_batch = scan->frames[i].batch;
        if (scan->frames[i].offset == 0) {
            atomic_store(&segment->first_batch, scan->frames[i].batch);
        }
    }
    if (scan->frames_count > 0) {
        const struct seen_frame *last = &scan->frames[scan->frames_count - 1];
        journal->next = (struct journal_place){
            .segment = last->segment,
            .lap = last->lap,
            .offset = last->offset + frame_padded(last->length),
        };
        journal->next_sequence = last->sequence + last->records_count;
        journal->previous_sum = last->sum;
        found->batch = last->batch;
    }
    journal->epoch = scan->newest_epoch + 1;
    journal->next_batch = found->batch + 1;
    atomic_store(&journal->durable, found->batch);
    atomic_store(&journal->visible, found->batch);
    found->epoch = journal->epoch;
    found->sequence = journal->next_sequence;
    if (!broken_at(scan, journal->next.segment, journal->next.offset, found)) {
        (void)broken_at(scan, journal_segment_after(journal, journal->next.segment), 0, found);
    }
    journal_count_free(journal);
}

/* Only one write can have been under way: a frame at most, here or at the next segment's beginning.
 */
static enum io_err zero(struct journal *journal, uint32_t segment, uint64_t offset, uint8_t *zeros)
{
    uint64_t left = journal->options.segment_bytes - offset;
    uint32_t bytes = left < journal->batch_bytes ? (uint32_t)left : journal->batch_bytes;
    if (bytes == 0) {
        return IO_OK;
    }
    return journal->disk->ops->write(journal->disk, journal->segments[segment].file, zeros, bytes,
                                     offset);
}

static bool begin(struct journal *journal, uint32_t flags, char *text, size_t text_size)
{
    must(!journal->began && journal->io == NULL);
    struct journal_place place;
    if (!journal_place_for(journal, FRAME_ALIGN, &place)) {
        (void)snprintf(text, text_size, "the journal is full: its followers must catch up first");
        return false;
    }
    struct journal_buffer *buffer = &journal->buffers[journal->filling ^ 1u];
    memset(buffer->data, 0, journal->batch_bytes);
    uint32_t after = journal_segment_after(journal, journal->next.segment);
    enum io_err err = zero(journal, journal->next.segment, journal->next.offset, buffer->data);
    if (err == IO_OK && journal_segment_free(journal, after)) {
        err = zero(journal, after, 0, buffer->data);
        atomic_store(&journal->segments[after].first_batch, 0);
    }
    journal->began = true;
    journal_close_batch(journal, FRAME_EPOCH | flags);
    const struct journal_place *at = &journal->writing_place;
    if (err == IO_OK) {
        err = journal->disk->ops->write(journal->disk, journal->segments[at->segment].file,
                                        journal->writing->data, journal->writing_bytes, at->offset);
    }
    if (err != IO_OK) {
        journal->in_flight = false;
        journal_latch(journal, err, "beginning a new epoch failed");
        (void)snprintf(text, text_size, "%s", journal->failure);
        return false;
    }
    journal_written(journal);
    journal_show(journal);
    journal_count_free(journal);
    return true;
}

bool journal_begin(struct journal *journal, char *text, size_t text_size)
{
    return begin(journal, 0, text, text_size);
}

bool journal_begin_behind(struct journal *journal, const struct journal_end *end, char *text,
                          size_t text_size)
{
    journal->epoch = end->epoch + 1;
    journal->next_batch = end->batch + 1;
    journal->next_sequence = end->sequence;
    journal->previous_sum = end->sum;
    atomic_store(&journal->durable, end->batch);
    atomic_store(&journal->visible, end->batch);
    return begin(journal, FRAME_RESTORED, text, text_size);
}
