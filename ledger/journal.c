/* journal.c - see journal.h: the writing side.
 *
 * The shard's thread fills `buffers[filling]`; the other buffer is in the kernel, or waits to be
 * copied for the followers, or is free. A batch gets its place when it is closed; journal_reserve()
 * makes sure beforehand that there will be one. */
#include "ledger/journal_internal.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the shard's turn ------------------------------------------------------------------------ */

static bool seal_due(const struct journal *journal)
{
    return journal->began && !journal->sealed &&
           journal->options.clock->now_ns - journal->last_durable_ns >= JOURNAL_SEAL_AFTER_NS;
}

static void note_time(struct journal *journal);

uint32_t journal_turn(struct journal *journal)
{
    uint32_t work = 0;
    note_time(journal);
    journal_count_free(journal);
    if (!journal->failed && !journal->in_flight) {
        struct journal_place place;
        bool gathered = journal->buffers[journal->filling].records_count > 0;
        bool seal = !gathered && seal_due(journal);
        if (seal && !journal_place_for(journal, FRAME_ALIGN, &place)) {
            journal->sealed = true; /* no room; the next batch says it too */
            seal = false;
        }
        if (gathered || seal) {
            journal_close_batch(journal, seal ? FRAME_SEAL : 0);
            struct journal_place *at = &journal->writing_place;
            journal->io->ops->write(journal->io, journal->token,
                                    journal->segments[at->segment].file, journal->writing->data,
                                    journal->writing_bytes, at->offset);
            work++;
        }
    }
    if (journal->to_mirror != NULL) { /* while the next write is under way */
        journal_show(journal);
        work++;
    }
    return work;
}

void journal_event(struct journal *journal, const struct io_event *event)
{
    must(journal->in_flight && event->kind == IO_WRITE);
    if (event->result != (int32_t)journal->writing_bytes) {
        journal->in_flight = false;
        journal_latch(journal, event->result < 0 ? (enum io_err) - event->result : IO_ERR_DISK,
                      event->result < 0 ? "the write failed" : "the write was cut short");
        return;
    }
    journal_written(journal);
}

void journal_written(struct journal *journal)
{
    const struct journal_frame *frame = (const struct journal_frame *)journal->writing->data;
    must(journal->to_mirror == NULL);
    journal->in_flight = false;
    journal->is_untimed = true;
    journal->last_durable_ns = journal->options.clock->now_ns;
    journal->sealed = frame->records_count == 0;
    atomic_store_explicit(&journal->durable, frame->batch, memory_order_release);
    journal->to_mirror = journal->writing;
    journal->writing = NULL;
}

/* The clock is that of the turn in which the write was found ended. */
static void note_time(struct journal *journal)
{
    if (!journal->is_untimed) {
        return;
    }
    journal->is_untimed = false;
    journal->last_durable_ns = journal->options.clock->now_ns;
    if (journal->options.metrics != NULL) {
        metric_add(journal->options.metrics, METRIC_journal_batches, 1);
        metric_add(journal->options.metrics, METRIC_journal_bytes, journal->writing_bytes);
        metric_observe(journal->options.metrics, METRIC_journal_write_us,
                       (journal->last_durable_ns - journal->writing_since_ns) / NS_PER_US);
    }
}

/* ---- closing a batch ------------------------------------------------------------------------- */

static void move_to(struct journal *journal, const struct journal_place *place, uint64_t batch)
{
    if (place->offset == 0) {
        struct journal_segment *segment = &journal->segments[place->segment];
        must(segment->last_batch <= journal_passed(journal));
        atomic_store_explicit(&segment->first_batch, batch, memory_order_release);
    }
    journal->segments[place->segment].last_batch = batch;
}

void journal_close_batch(struct journal *journal, uint32_t flags)
{
    if (journal->to_mirror != NULL) {
        journal_show(journal);
    }
    struct journal_buffer *buffer = &journal->buffers[journal->filling];
    uint32_t length = (uint32_t)sizeof(struct journal_frame) + buffer->used;
    uint32_t padded = frame_padded(length);
    struct journal_place place;
    bool has_place = journal_place_for(journal, padded, &place);
    must(has_place && !journal->in_flight);
    memset(buffer->data + length, 0, padded - length);
    struct journal_frame *frame = (struct journal_frame *)buffer->data;
    *frame = (struct journal_frame){
        .magic = FRAME_MAGIC,
        .version = FRAME_VERSION,
        .shard = journal->options.shard,
        .flags = flags,
        .epoch = journal->epoch,
        .batch = journal->next_batch,
        .first_sequence = journal->next_sequence,
        .utc_ns = journal->options.clock->utc_ns,
        .records_count = buffer->records_count,
        .length = length,
        .lap = place.lap,
        .segment = place.segment,
        .offset = place.offset,
        .durable = journal_durable_batch(journal),
        .previous_sum = journal->previous_sum,
    };
    frame->sum = frame_sum(frame);
    move_to(journal, &place, frame->batch);
    journal->next = place;
    journal->next.offset += padded;
    journal->free_bytes -= journal->free_bytes < padded ? journal->free_bytes : padded;
    journal->previous_sum = frame->sum;
    journal->next_batch++;
    journal->next_sequence += buffer->records_count;
    journal->writing = buffer;
    journal->writing_place = place;
    journal->writing_bytes = padded;
    journal->writing_since_ns = journal->options.clock->now_ns;
    journal->in_flight = true;
    journal->reserved_bytes = 0;
    journal->filling ^= 1u;
    journal->buffers[journal->filling].used = 0;
    journal->buffers[journal->filling].records_count = 0;
}

uint8_t *journal_reserve(struct journal *journal, uint32_t max_bytes)
{
    must(journal->began && max_bytes % 8 == 0 && max_bytes <= LEDGER_RECORD_BYTES_MAX);
    struct journal_buffer *buffer = &journal->buffers[journal->filling];
    uint32_t length = (uint32_t)sizeof(struct journal_frame) + buffer->used + max_bytes;
    struct journal_place place;
    if (journal->failed || length > journal->batch_bytes || buffer == journal->to_mirror ||
        !journal_place_for(journal, frame_padded(length), &place)) {
        return NULL;
    }
    journal->reserved_bytes = max_bytes;
    return buffer->data + sizeof(struct journal_frame) + buffer->used;
}

void journal_commit(struct journal *journal, uint32_t bytes)
{
    struct journal_buffer *buffer = &journal->buffers[journal->filling];
    const void *place = buffer->data + sizeof(struct journal_frame) + buffer->used;
    const struct ledger_record *record = place;
    must(bytes > 0 && bytes % 8 == 0 && bytes <= journal->reserved_bytes && record->size == bytes);
    buffer->used += bytes;
    buffer->records_count++;
    journal->reserved_bytes = 0;
}

bool journal_write_now(struct journal *journal, char *text, size_t text_size)
{
    must(journal->io == NULL && journal->began);
    if (!journal->failed && journal->buffers[journal->filling].records_count > 0) {
        journal_close_batch(journal, 0);
        const struct journal_place *at = &journal->writing_place;
        enum io_err err =
            journal->disk->ops->write(journal->disk, journal->segments[at->segment].file,
                                      journal->writing->data, journal->writing_bytes, at->offset);
        if (err == IO_OK) {
            journal_written(journal);
            journal->is_untimed = false; /* at start no clock ticks: it would count the recovery */
            journal_show(journal);
        } else {
            journal->in_flight = false;
            journal_latch(journal, err, "the write failed");
        }
    }
    if (journal->failed) {
        (void)snprintf(text, text_size, "%s", journal->failure);
    }
    return !journal->failed;
}

void journal_latch(struct journal *journal, enum io_err err, const char *what)
{
    const struct journal_place *at = &journal->writing_place;
    journal->failed = true;
    (void)snprintf(journal->failure, sizeof journal->failure,
                   "%s at %llu: %s: %s; nothing of batch %llu was answered",
                   journal->segments[at->segment].name, (unsigned long long)at->offset, what,
                   io_err_text(-(int32_t)err), (unsigned long long)(journal->next_batch - 1));
}

/* ---- room ------------------------------------------------------------------------------------ */

uint64_t journal_passed(const struct journal *journal)
{
    uint64_t passed = UINT64_MAX;
    for (uint32_t i = 0; i < journal->passed_count; i++) {
        uint64_t one = atomic_load_explicit(journal->passed[i], memory_order_acquire);
        passed = one < passed ? one : passed;
    }
    return passed;
}

uint32_t journal_segment_after(const struct journal *journal, uint32_t segment)
{
    return segment + 1 == journal->options.segments_count ? 0 : segment + 1;
}

bool journal_segment_free(const struct journal *journal, uint32_t segment)
{
    uint64_t last = journal->segments[segment].last_batch;
    return segment != journal->next.segment && last <= journal_passed(journal) &&
           last <= journal_durable_batch(journal);
}

bool journal_place_for(const struct journal *journal, uint32_t padded, struct journal_place *place)
{
    if (journal->next.offset + padded <= journal->options.segment_bytes) {
        *place = journal->next;
        return true;
    }
    uint32_t after = journal_segment_after(journal, journal->next.segment);
    if (!journal_segment_free(journal, after)) {
        return false;
    }
    *place = (struct journal_place){.segment = after, .lap = journal->next.lap + (after == 0)};
    return true;
}

void journal_count_free(struct journal *journal)
{
    uint64_t bytes = journal->options.segment_bytes - journal->next.offset;
    uint32_t segment = journal_segment_after(journal, journal->next.segment);
    while (segment != journal->next.segment && journal_segment_free(journal, segment)) {
        bytes += journal->options.segment_bytes;
        segment = journal_segment_after(journal, segment);
    }
    journal->free_bytes = bytes;
}

bool journal_admits(const struct journal *journal)
{
    uint64_t margin = journal->options.margin_bytes;
    return !journal->failed &&
           journal->free_bytes >= margin + journal->buffers[journal->filling].used;
}

uint64_t journal_free_bytes(const struct journal *journal)
{
    return journal->free_bytes;
}

uint64_t journal_capacity_bytes(const struct journal *journal)
{
    return journal->options.segment_bytes * journal->options.segments_count;
}

/* ---- questions ------------------------------------------------------------------------------- */

uint64_t journal_open_batch(const struct journal *journal)
{
    return journal->next_batch;
}

uint64_t journal_durable_batch(const struct journal *journal)
{
    return atomic_load_explicit(&journal->durable, memory_order_acquire);
}

int64_t journal_deadline(const struct journal *journal)
{
    if (journal->failed || journal->in_flight || journal->sealed || !journal->began) {
        return INT64_MAX;
    }
    return journal->last_durable_ns + JOURNAL_SEAL_AFTER_NS;
}

int64_t journal_oldest_write_ns(const struct journal *journal)
{
    return journal->in_flight ? journal->writing_since_ns : 0;
}

bool journal_idle(const struct journal *journal)
{
    return !journal->in_flight && journal->buffers[journal->filling].records_count == 0 &&
           journal->to_mirror == NULL;
}

uint64_t journal_epoch(const struct journal *journal)
{
    return journal->epoch;
}

bool journal_failed(const struct journal *journal)
{
    return journal->failed;
}

const char *journal_failure(const struct journal *journal)
{
    return journal->failure;
}

bool journal_is_direct(const struct journal *journal)
{
    return journal->is_direct;
}

/* ---- opening --------------------------------------------------------------------------------- */

void journal_attach(struct journal *journal, struct io *io, uint64_t token)
{
    must(journal->began);
    journal->io = io;
    journal->token = token;
}

void journal_pin(struct journal *journal, const _Atomic uint64_t *passed)
{
    must(journal->passed_count < JOURNAL_FOLLOWERS_MAX);
    journal->passed[journal->passed_count++] = passed;
}

uint32_t journal_batch_bytes(const struct journal_options *options)
{
    uint64_t quarter = options->segment_bytes / 4 & ~(uint64_t)(FRAME_ALIGN - 1);
    return quarter < JOURNAL_BATCH_BYTES ? (uint32_t)quarter : JOURNAL_BATCH_BYTES;
}

size_t journal_bytes(const struct journal_options *options)
{
    return 2 * (size_t)journal_batch_bytes(options) + journal_mirror_bytes(options);
}

struct found_files { /* segments that are already there */
    const struct journal_options *options;
    char text[128];
};

static void check_file(void *context, const char *name, uint64_t bytes)
{
    struct found_files *found = context;
    unsigned number;
    int end = 0;
    if (sscanf(name, "journal-%3u.seg%n", &number, &end) != 1 || end == 0 || name[end] != '\0' ||
        found->text[0] != '\0') {
        return;
    }
    if (number >= found->options->segments_count) {
        (void)snprintf(found->text, sizeof found->text,
                       "%s: the configuration has only %u segments", name,
                       found->options->segments_count);
    } else if (bytes != found->options->segment_bytes && bytes != 0) {
        (void)snprintf(found->text, sizeof found->text,
                       "%s has %llu bytes: the configuration has segment_bytes %llu", name,
                       (unsigned long long)bytes,
                       (unsigned long long)found->options->segment_bytes);
    }
}

static bool options_fit(const struct journal_options *options, char *text, size_t text_size)
{
    if (options->segment_bytes % FRAME_ALIGN != 0 ||
        journal_batch_bytes(options) < FRAME_ALIGN + LEDGER_RECORD_BYTES_MAX ||
        options->segment_bytes > UINT64_C(1) << 40) {
        (void)snprintf(text, text_size,
                       "segment_bytes %llu: a multiple of 4096 from 65536 to 2^40 is needed",
                       (unsigned long long)options->segment_bytes);
        return false;
    }
    if (options->segments_count < JOURNAL_SEGMENTS_MIN ||
        options->segments_count > JOURNAL_SEGMENTS_MAX) {
        (void)snprintf(text, text_size, "segments %u: %u to %u are needed", options->segments_count,
                       JOURNAL_SEGMENTS_MIN, JOURNAL_SEGMENTS_MAX);
        return false;
    }
    return true;
}

static bool open_segments(struct journal *journal, char *text, size_t text_size)
{
    struct disk *disk = journal->disk;
    struct found_files found = {.options = &journal->options};
    enum io_err err = disk->ops->each(disk, check_file, &found);
    if (err != IO_OK || found.text[0] != '\0') {
        (void)snprintf(text, text_size, "%s",
                       err != IO_OK ? io_err_text(-(int32_t)err) : found.text);
        return false;
    }
    journal->is_direct = true;
    for (uint32_t i = 0; i < journal->options.segments_count; i++) {
        struct journal_segment *segment = &journal->segments[i];
        bool direct = false;
        (void)snprintf(segment->name, sizeof segment->name, "journal-%03u.seg", i);
        err = disk->ops->segment_open(disk, segment->name, journal->options.segment_bytes, &direct,
                                      &segment->file);
        if (err != IO_OK) {
            (void)snprintf(text, text_size, "%s: %s", segment->name, io_err_text(-(int32_t)err));
            for (uint32_t k = 0; k < i; k++) {
                disk->ops->close(disk, journal->segments[k].file);
            }
            return false;
        }
        journal->is_direct = journal->is_direct && direct;
    }
    return true;
}

struct journal *journal_open(const struct journal_options *options, struct disk *disk, char *text,
                             size_t text_size)
{
    if (!options_fit(options, text, text_size)) {
        return NULL;
    }
    struct journal *journal = mem_take(MEM_PLAIN, sizeof *journal, "journal");
    journal->options = *options;
    journal->disk = disk;
    journal->batch_bytes = journal_batch_bytes(options);
    if (options->margin_bytes == 0) {
        journal->options.margin_bytes = options->segment_bytes;
    }
    if (!open_segments(journal, text, text_size)) {
        return NULL;
    }
    for (uint32_t i = 0; i < 2; i++) {
        journal->buffers[i].data = mem_take(MEM_PLAIN, journal->batch_bytes, "journal batch");
    }
    journal_mirror_init(journal);
    return journal;
}

void journal_close(struct journal *journal)
{
    for (uint32_t i = 0; i < journal->options.segments_count; i++) {
        journal->disk->ops->close(journal->disk, journal->segments[i].file);
    }
    memset(journal->segments, 0, sizeof journal->segments);
}
