/* archive.c - reading archive files; the writing is follower_archive.c. */
#include "ledger/archive.h"
#include "ledger/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (4u * JOURNAL_BATCH_BYTES)
#define FILES_MAX  65536u

struct listing {
    uint32_t *numbers; /* ascending, as each() sorts */
    uint64_t *sizes;
    uint32_t count;
};

struct file_walk {
    struct disk *disk;
    uint8_t *buffer; /* READ_BYTES */
    char name[ARCHIVE_NAME_BYTES];
    uint64_t size;
    uint64_t offset; /* of the next frame */
    uint64_t base;   /* of the buffer */
    uint32_t filled;
    char *text;
    size_t text_size;
};

enum walk { WALK_FRAME, WALK_END, WALK_BROKEN, WALK_FAILED };

/* ---- one file -------------------------------------------------------------------------------- */

void archive_name(uint32_t number, char name[static ARCHIVE_NAME_BYTES])
{
    (void)snprintf(name, ARCHIVE_NAME_BYTES, "archive/%08u.seg", number);
}

static bool fill(struct file_walk *walk)
{
    walk->filled = READ_BYTES;
    walk->base = walk->offset;
    enum io_err err =
        walk->disk->ops->load(walk->disk, walk->name, walk->buffer, &walk->filled, walk->base);
    if (err != IO_OK) {
        (void)snprintf(walk->text, walk->text_size, "%s at %llu: reading failed: %s", walk->name,
                       (unsigned long long)walk->base, io_err_text(-(int32_t)err));
    }
    return err == IO_OK;
}

static enum walk walk_next(struct file_walk *walk, const struct journal_frame **frame)
{
    if (walk->offset >= walk->size) {
        return WALK_END;
    }
    uint64_t inside = walk->offset - walk->base;
    bool whole = inside < walk->filled && walk->filled - inside >= JOURNAL_BATCH_BYTES;
    if (!whole && walk->base + walk->filled < walk->size) {
        if (!fill(walk)) {
            return WALK_FAILED;
        }
        inside = 0;
    }
    if (inside >= walk->filled) {
        return WALK_END; /* it became shorter: a tool of the operator's */
    }
    const struct journal_frame *found = (const struct journal_frame *)(walk->buffer + inside);
    if (frame_look(walk->buffer + inside, walk->filled - inside) != FRAME_VALID) {
        return WALK_BROKEN;
    }
    walk->offset += frame_archived(found->length);
    *frame = found;
    return WALK_FRAME;
}

static void walk_open(struct file_walk *walk, uint32_t number, uint64_t size)
{
    archive_name(number, walk->name);
    walk->size = size;
    walk->offset = walk->base = 0;
    walk->filled = 0;
}

/* ---- all files ------------------------------------------------------------------------------- */

static void list_one(void *context, const char *name, uint64_t bytes)
{
    struct listing *list = context;
    unsigned number;
    int end = 0;
    if (sscanf(name, "archive/%8u.seg%n", &number, &end) == 1 && end > 0 && name[end] == '\0' &&
        number > 0 && list->count < FILES_MAX) {
        list->numbers[list->count] = number;
        list->sizes[list->count++] = bytes;
    }
}

static bool list_files(struct disk *disk, struct listing *list, char *text, size_t text_size)
{
    list->count = 0;
    list->numbers = calloc(FILES_MAX, sizeof *list->numbers);
    list->sizes = calloc(FILES_MAX, sizeof *list->sizes);
    must(list->numbers != NULL && list->sizes != NULL);
    enum io_err err = disk->ops->each(disk, list_one, list);
    if (err != IO_OK) {
        (void)snprintf(text, text_size, "archive: %s", io_err_text(-(int32_t)err));
    }
    return err == IO_OK;
}

static void list_free(struct listing *list)
{
    free(list->numbers);
    free(list->sizes);
}

static struct file_walk walk_make(struct disk *disk, char *text, size_t text_size)
{
    struct file_walk walk = {.disk = disk, .text = text, .text_size = text_size};
    walk.buffer = aligned_alloc(FRAME_ALIGN, READ_BYTES);
    must(walk.buffer != NULL);
    return walk;
}

bool archive_find_end(struct disk *disk, struct archive_end *end, char *text, size_t text_size)
{
    struct listing list;
    bool ok = list_files(disk, &list, text, text_size);
    struct file_walk walk = walk_make(disk, text, text_size);
    *end = (struct archive_end){0};
    /* The newest file may hold no whole frame yet: then the one before has the last batch. */
    for (uint32_t i = list.count; ok && i > 0 && end->batch == 0; i--) {
        walk_open(&walk, list.numbers[i - 1], list.sizes[i - 1]);
        const struct journal_frame *frame;
        enum walk step;
        while ((step = walk_next(&walk, &frame)) == WALK_FRAME) {
            end->batch = frame->batch;
        }
        ok = step != WALK_FAILED;
        if (end->number == 0) {
            end->number = list.numbers[i - 1];
            end->bytes = walk.offset < walk.size ? walk.offset : walk.size;
            end->size = list.sizes[i - 1];
        }
    }
    free(walk.buffer);
    list_free(&list);
    return ok;
}

void archive_tell(const struct archive_end *end, char text[static ARCHIVE_TELL_BYTES])
{
    bool is_cut = end->number > 0 && end->bytes < end->size;
    (void)snprintf(text, ARCHIVE_TELL_BYTES,
                   is_cut ? "archive (%08u.seg, whole up to %llu)" : "archive", end->number,
                   (unsigned long long)end->bytes);
}

/* The newest file that begins with a batch not after `from`; 0 when there is none. */
static uint32_t first_file(struct file_walk *walk, const struct listing *list, uint64_t from)
{
    uint32_t low = 0, high = list->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        const struct journal_frame *frame;
        walk_open(walk, list->numbers[middle], list->sizes[middle]);
        bool before = walk_next(walk, &frame) == WALK_FRAME && frame->batch <= from;
        low = before ? middle : low;
        high = before ? high : middle;
    }
    return low;
}

struct chain { /* the frame before */
    uint64_t batch, sum;
};

static bool chain_holds(struct chain *chain, const struct journal_frame *frame,
                        const struct file_walk *walk)
{
    bool first = chain->batch == 0;
    bool holds = first || (frame->batch == chain->batch + 1 && frame->previous_sum == chain->sum);
    if (!holds) {
        (void)snprintf(walk->text, walk->text_size,
                       "%s at %llu: batch %llu does not continue batch %llu", walk->name,
                       (unsigned long long)(walk->offset - frame_archived(frame->length)),
                       (unsigned long long)frame->batch, (unsigned long long)chain->batch);
    }
    *chain = (struct chain){frame->batch, frame->sum};
    return holds;
}

/* False: damaged; *go_on false: the caller has had enough. */
static bool each_of_file(struct file_walk *walk, bool is_newest, uint64_t from, struct chain *chain,
                         archive_frame_fn call, void *context, bool *go_on)
{
    const struct journal_frame *frame;
    enum walk step;
    while (*go_on && (step = walk_next(walk, &frame)) != WALK_END) {
        if (step == WALK_BROKEN && !is_newest) {
            (void)snprintf(walk->text, walk->text_size,
                           "%s at %llu: the frame behind batch %llu is "
                           "damaged",
                           walk->name, (unsigned long long)walk->offset,
                           (unsigned long long)chain->batch);
        }
        if (step != WALK_FRAME) {
            return step == WALK_BROKEN && is_newest;
        }
        if (chain != NULL && !chain_holds(chain, frame, walk)) {
            return false;
        }
        if (frame->batch >= from) {
            *go_on = call(context, frame, walk->name, walk->offset - frame_archived(frame->length));
        }
    }
    return true;
}

bool archive_each(struct disk *disk, uint64_t from, archive_frame_fn frame, void *context,
                  char *text, size_t text_size)
{
    struct listing list;
    bool ok = list_files(disk, &list, text, text_size);
    struct file_walk walk = walk_make(disk, text, text_size);
    struct chain chain = {0};
    bool go_on = true;
    for (uint32_t i = first_file(&walk, &list, from); ok && go_on && i < list.count; i++) {
        walk_open(&walk, list.numbers[i], list.sizes[i]);
        ok = each_of_file(&walk, i + 1 == list.count, from, &chain, frame, context, &go_on);
    }
    free(walk.buffer);
    list_free(&list);
    return ok;
}

bool archive_search(struct disk *disk, uint32_t files_max, archive_frame_fn frame, void *context,
                    char *text, size_t text_size)
{
    struct listing list;
    bool ok = list_files(disk, &list, text, text_size);
    struct file_walk walk = walk_make(disk, text, text_size);
    bool go_on = true;
    for (uint32_t i = list.count; ok && go_on && i > 0 && list.count - i < files_max; i--) {
        struct chain chain = {0};
        walk_open(&walk, list.numbers[i - 1], list.sizes[i - 1]);
        ok = each_of_file(&walk, i == list.count, 0, &chain, frame, context, &go_on);
    }
    free(walk.buffer);
    list_free(&list);
    return ok;
}
