/* journal_read.c - durable batches for the followers: from the copy in memory, or from the files.
 *
 * PINS  A reader stores the position it is about to copy, then looks at `tail`; the writer stores
 * the new tail, then looks at the pins: one of the two sees the other (sequentially consistent). A
 * reader that is too late reads the file; a writer that meets a pin leaves its frame out of the
 * copy. */
#include "ledger/journal_internal.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (256u * 1024u) /* read from the file at once */
#define NO_PIN       UINT64_MAX

struct journal_reader {
    struct journal *journal;
    uint32_t pin;
    uint8_t *buffer; /* JOURNAL_BATCH_BYTES, 4096-aligned */
    /* The frame after the last one read stands here, or at the beginning of the next segment. */
    bool has_hint;
    uint64_t hint_batch;
    struct journal_place hint;
    /* What of a segment is in the buffer; bytes 0 = nothing, or a frame of the copy. */
    uint32_t window_segment;
    uint64_t window_offset;
    uint32_t window_bytes;
};

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_mirror(struct journal_reader *reader, uint64_t batch);
static enum journal_read find(struct journal_reader *reader, uint64_t batch);
static enum journal_read read_at(struct journal_reader *reader, uint64_t batch,
                                 struct journal_place place, const struct journal_frame **frame);

static void set_hint(struct journal_reader *reader, const struct journal_frame *frame)
{
    reader->has_hint = true;
    reader->hint_batch = frame->batch + 1;
    reader->hint = (struct journal_place){
        .segment = frame->segment,
        .offset = frame->offset + frame_padded(frame->length),
    };
}

static enum journal_read read_file(struct journal_reader *reader, uint64_t batch,
                                   const struct journal_frame **frame)
{
    if (!reader->has_hint || reader->hint_batch != batch) {
        enum journal_read found = find(reader, batch);
        if (found != JOURNAL_READ_FRAME) {
            return found;
        }
    }
    enum journal_read result = read_at(reader, batch, reader->hint, frame);
    if (result == JOURNAL_READ_NONE) { /* not there: then at the beginning of the next one */
        struct journal_place next = {
            .segment = journal_segment_after(reader->journal, reader->hint.segment)};
        result = read_at(reader, batch, next, frame);
    }
    if (result == JOURNAL_READ_FRAME) {
        set_hint(reader, *frame);
    }
    return result == JOURNAL_READ_NONE ? JOURNAL_READ_BROKEN : result;
}

enum journal_read journal_read(struct journal_reader *reader, uint64_t batch,
                               const struct journal_frame **frame)
{
    if (batch > atomic_load_explicit(&reader->journal->visible, memory_order_acquire)) {
        return JOURNAL_READ_NONE;
    }
    if (read_mirror(reader, batch)) {
        *frame = (const struct journal_frame *)reader->buffer;
        set_hint(reader, *frame);
        return JOURNAL_READ_FRAME;
    }
    enum journal_read result = read_file(reader, batch, frame);
    if (result != JOURNAL_READ_FRAME) {
        reader->has_hint = false;
        reader->window_bytes = 0;
    }
    return result;
}

/* ---- from the files ----------------------------------------------------------------------------
 */

static enum io_err fill_window(struct journal_reader *reader, const struct journal_place *place,
                               uint32_t bytes)
{
    struct journal *journal = reader->journal;
    uint64_t left = journal->options.segment_bytes - place->offset;
    bytes = left < bytes ? (uint32_t)left : bytes;
    reader->window_bytes = 0;
    enum io_err err =
        journal->disk->ops->read(journal->disk, journal->segments[place->segment].file,
                                 reader->buffer, bytes, place->offset);
    if (err == IO_OK) {
        reader->window_segment = place->segment;
        reader->window_offset = place->offset;
        reader->window_bytes = bytes;
    }
    return err;
}

/* FRAME, or NONE when another thing stands there. */
static enum journal_read read_at(struct journal_reader *reader, uint64_t batch,
                                 struct journal_place place, const struct journal_frame **frame)
{
    if (place.offset >= reader->journal->options.segment_bytes) {
        return JOURNAL_READ_NONE;
    }
    uint64_t inside = place.offset - reader->window_offset;
    bool have = reader->window_bytes > 0 && place.segment == reader->window_segment &&
                place.offset >= reader->window_offset && inside < reader->window_bytes;
    /* What is in the window may be older than the frame: then, and when it is cut, read again. */
    for (uint32_t attempt = have ? 0 : 1; attempt < 3; attempt++) {
        uint32_t bytes = attempt == 1 ? WINDOW_BYTES : JOURNAL_BATCH_BYTES;
        if (attempt > 0) {
            if (fill_window(reader, &place, bytes) != IO_OK) {
                return JOURNAL_READ_IO;
            }
            inside = 0;
        }
        const struct journal_frame *found = (const struct journal_frame *)(reader->buffer + inside);
        enum frame_state state = frame_look(reader->buffer + inside, reader->window_bytes - inside);
        if (state == FRAME_VALID && found->batch == batch && found->segment == place.segment &&
            found->offset == place.offset) {
            *frame = found;
            return JOURNAL_READ_FRAME;
        }
        bool is_cut = state == FRAME_BROKEN && found->length > reader->window_bytes - inside;
        if (attempt == 1 && !is_cut) {
            break;
        }
    }
    return JOURNAL_READ_NONE;
}

/* The segment that begins with the newest batch not after the wanted one. */
static bool find_segment(struct journal *journal, uint64_t batch, uint32_t *segment)
{
    uint64_t best = 0;
    for (uint32_t i = 0; i < journal->options.segments_count; i++) {
        uint64_t first =
            atomic_load_explicit(&journal->segments[i].first_batch, memory_order_acquire);
        if (first > best && first <= batch) {
            best = first;
            *segment = i;
        }
    }
    return best > 0;
}

/* After a start, and when the copy was lost: walks through the segment. What is broken before the
 * wanted frame was read by everybody long ago. */
static enum journal_read find(struct journal_reader *reader, uint64_t batch)
{
    struct journal_place place = {.offset = 0};
    if (!find_segment(reader->journal, batch, &place.segment)) {
        return JOURNAL_READ_BROKEN;
    }
    while (place.offset < reader->journal->options.segment_bytes) {
        if (fill_window(reader, &place, JOURNAL_BATCH_BYTES) != IO_OK) {
            return JOURNAL_READ_IO;
        }
        uint32_t at = 0;
        while (at < reader->window_bytes) {
            const struct journal_frame *frame = (const struct journal_frame *)(reader->buffer + at);
            uint32_t left = reader->window_bytes - at;
            enum frame_state state = frame_look(reader->buffer + at, left);
            if (state == FRAME_VALID && frame->batch == batch) {
                reader->hint = place;
                reader->hint_batch = batch;
                reader->has_hint = true;
                return JOURNAL_READ_FRAME;
            }
            if (state == FRAME_BROKEN && at > 0 && frame->length > left) {
                break; /* cut by the window: again from here */
            }
            uint32_t step = state == FRAME_VALID ? frame_padded(frame->length) : FRAME_ALIGN;
            at += step;
            place.offset += step;
        }
    }
    return JOURNAL_READ_BROKEN;
}

/* ---- the copy in memory ------------------------------------------------------------------------
 */

static bool copy_pinned(struct journal_reader *reader, const struct journal_mirror_entry *entry,
                        uint64_t batch)
{
    struct journal_mirror *mirror = &reader->journal->mirror;
    uint64_t position = atomic_load_explicit(&entry->position, memory_order_acquire);
    atomic_store(&mirror->pins[reader->pin], position);
    if (atomic_load(&mirror->tail) > position ||
        atomic_load_explicit(&entry->batch, memory_order_acquire) != batch) {
        return false;
    }
    const uint8_t *data = mirror->data + position % mirror->bytes;
    const struct journal_frame *frame = (const struct journal_frame *)data;
    must(frame->batch == batch && frame->length <= JOURNAL_BATCH_BYTES);
    memcpy(reader->buffer, data, frame->length);
    return true;
}

static bool read_mirror(struct journal_reader *reader, uint64_t batch)
{
    struct journal_mirror *mirror = &reader->journal->mirror;
    if (mirror->bytes == 0) {
        return false;
    }
    const struct journal_mirror_entry *entry =
        &mirror->entries[batch & (mirror->entries_count - 1)];
    if (atomic_load_explicit(&entry->batch, memory_order_acquire) != batch) {
        return false;
    }
    reader->window_bytes = 0;
    bool copied = copy_pinned(reader, entry, batch);
    atomic_store_explicit(&mirror->pins[reader->pin], NO_PIN, memory_order_release);
    return copied;
}

/* Makes room up to `end`; false: a reader stands in the way. */
static bool mirror_room(struct journal_mirror *mirror, uint64_t end)
{
    uint64_t tail = atomic_load_explicit(&mirror->tail, memory_order_relaxed);
    if (end > mirror->bytes && end - mirror->bytes > tail) {
        tail = end - mirror->bytes;
        atomic_store(&mirror->tail, tail);
    }
    for (uint32_t i = 0; i < JOURNAL_FOLLOWERS_MAX; i++) {
        if (atomic_load(&mirror->pins[i]) < tail) {
            return false;
        }
    }
    return true;
}

static void mirror_add(struct journal_mirror *mirror, const struct journal_frame *frame)
{
    uint64_t size = frame_archived(frame->length);
    uint64_t position = mirror->head;
    if (position % mirror->bytes + size > mirror->bytes) {
        position += mirror->bytes - position % mirror->bytes;
    }
    if (!mirror_room(mirror, position + size)) {
        return;
    }
    struct journal_mirror_entry *entry =
        &mirror->entries[frame->batch & (mirror->entries_count - 1)];
    atomic_store_explicit(&entry->batch, 0, memory_order_release);
    memcpy(mirror->data + position % mirror->bytes, frame, frame->length);
    atomic_store_explicit(&entry->position, position, memory_order_release);
    atomic_store_explicit(&entry->batch, frame->batch, memory_order_release);
    mirror->head = position + size;
}

void journal_show(struct journal *journal)
{
    const struct journal_frame *frame = (const struct journal_frame *)journal->to_mirror->data;
    if (journal->mirror.bytes > 0) {
        mirror_add(&journal->mirror, frame);
    }
    atomic_store_explicit(&journal->visible, frame->batch, memory_order_release);
    journal->to_mirror = NULL;
}

/* ---- start ----------------------------------------------------------------------------------- */

static uint32_t entries_of(uint64_t bytes)
{
    uint32_t count = 64;
    while ((uint64_t)count * 512 <
           bytes) { /* small frames: more of them than fit are in the files */
        count *= 2;
    }
    return count;
}

/* Two of the biggest frames at least: they never wrap. */
static uint64_t data_bytes(const struct journal_options *options)
{
    uint64_t least = 2 * (uint64_t)journal_batch_bytes(options);
    uint64_t wanted = options->mirror_bytes;
    return wanted == 0 || wanted >= least ? wanted : least;
}

size_t journal_mirror_bytes(const struct journal_options *options)
{
    uint64_t bytes = data_bytes(options);
    return bytes == 0 ? 0 : bytes + entries_of(bytes) * sizeof(struct journal_mirror_entry);
}

void journal_mirror_init(struct journal *journal)
{
    struct journal_mirror *mirror = &journal->mirror;
    mirror->bytes = data_bytes(&journal->options);
    for (uint32_t i = 0; i < JOURNAL_FOLLOWERS_MAX; i++) {
        atomic_init(&mirror->pins[i], NO_PIN);
    }
    if (mirror->bytes > 0) {
        mirror->entries_count = entries_of(mirror->bytes);
        mirror->data = mem_take(MEM_PLAIN, mirror->bytes, "journal mirror");
        mirror->entries = mem_take(MEM_PLAIN, mirror->entries_count * sizeof *mirror->entries,
                                   "journal mirror index");
    }
}

struct journal_reader *journal_reader_create(struct journal *journal)
{
    struct journal_reader *reader = mem_take(MEM_PLAIN, sizeof *reader, "journal reader");
    reader->journal = journal;
    reader->pin = atomic_fetch_add(&journal->readers_count, 1);
    must(reader->pin < JOURNAL_FOLLOWERS_MAX);
    reader->buffer = mem_take(MEM_PLAIN, JOURNAL_BATCH_BYTES, "journal reader");
    return reader;
}
