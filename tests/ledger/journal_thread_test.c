/* journal_thread_test.c - a follower on its own thread beside the writer, on a directory: what it
 * reads is every batch, in order and whole, from the copy in memory or from the files. */
#include "tests/ledger/journal_kit.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

TestSuite(journal_thread, .timeout = 120);

struct plain_io { /* writes at once; the event is taken from it */
    struct io io;
    struct disk *disk;
    struct io_event event;
};

static void write_now(struct io *io, uint64_t token, io_file file, const uint8_t *data,
                      uint32_t size, uint64_t offset)
{
    struct plain_io *self = (struct plain_io *)io;
    enum io_err err = self->disk->ops->write(self->disk, file, data, size, offset);
    self->event = (struct io_event){
        .token = token, .kind = IO_WRITE, .result = err == IO_OK ? (int32_t)size : -(int32_t)err};
}

struct reading {
    struct journal_reader *reader;
    _Atomic uint64_t passed;
    _Atomic bool stop;
    uint64_t frames_count;
    bool is_whole;
};

static void *read_on(void *context)
{
    struct reading *reading = context;
    uint64_t batch = 0;
    reading->is_whole = true;
    for (;;) {
        bool stop = atomic_load(&reading->stop); /* first: then all that was written is visible */
        const struct journal_frame *frame;
        enum journal_read read = journal_read(reading->reader, batch + 1, &frame);
        if (read == JOURNAL_READ_NONE && stop) {
            return NULL;
        }
        if (read == JOURNAL_READ_FRAME) {
            batch++;
            reading->is_whole =
                reading->is_whole && frame->batch == batch && frame->sum == frame_sum(frame);
            reading->frames_count++;
            if (batch % 16 == 0) { /* passes in steps: now close behind, now far */
                atomic_store(&reading->passed, batch);
            }
            if (batch % 1000 == 0) {
                (void)usleep(3000);
            }
        } else if (read != JOURNAL_READ_NONE) {
            reading->is_whole = false;
            return NULL;
        }
    }
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            char name[512];
            (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            (void)unlink(name);
        }
    }
    (void)closedir(folder);
    cr_assert_eq(rmdir(path), 0);
}

static void beside(uint32_t mirror_bytes, uint32_t batches)
{
    static const struct io_ops ops = {.write = write_now};
    char path[] = "/tmp/journal_thread_test.XXXXXX", text[256];
    cr_assert_not_null(mkdtemp(path));
    enum io_err err;
    struct disk *disk = disk_directory(path, &err);
    struct clock clock = {.now_ns = 1};
    struct journal_options options = {.segment_bytes = KIT_SEGMENT_BYTES,
                                      .segments_count = KIT_SEGMENTS,
                                      .mirror_bytes = mirror_bytes,
                                      .clock = &clock};
    struct journal *journal = journal_open(&options, disk, text, sizeof text);
    cr_assert_not_null(journal, "%s", text);
    struct reading readings[2] = {{.frames_count = 0}};
    pthread_t threads[2];
    struct journal_found found;
    for (uint32_t i = 0; i < 2; i++) {
        journal_pin(journal, &readings[i].passed);
        readings[i].reader = journal_reader_create(journal);
    }
    cr_assert(journal_recover(journal, NULL, 0, 0, NULL, NULL, &found, text, sizeof text));
    cr_assert(journal_begin(journal, text, sizeof text), "%s", text);
    struct plain_io io = {.io = {&ops}, .disk = disk};
    journal_attach(journal, &io.io, 1);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, read_on, &readings[i]), 0);
    }
    while (journal_durable_batch(journal) < batches) {
        uint8_t *place = journal_reserve(journal, LEDGER_RECORD_BYTES_MAX);
        if (place != NULL) {
            uint32_t many = (uint32_t)journal_open_batch(journal) % 5;
            journal_commit(journal, kit_record(place, many, 1, many));
        }
        (void)journal_turn(journal);
        if (journal_oldest_write_ns(journal) != 0) {
            journal_event(journal, &io.event);
        }
        cr_assert_not(journal_failed(journal));
    }
    (void)journal_turn(journal);
    if (journal_oldest_write_ns(journal) != 0) {
        journal_event(journal, &io.event);
        (void)journal_turn(journal);
    }
    for (uint32_t i = 0; i < 2; i++) {
        atomic_store(&readings[i].stop, true);
        (void)pthread_join(threads[i], NULL);
        cr_assert(readings[i].is_whole);
        cr_assert_eq(readings[i].frames_count, journal_durable_batch(journal));
    }
    journal_close(journal);
    disk->ops->destroy(disk);
    remove_folder(path);
}

Test(journal_thread, followers_of_the_files)
{
    beside(0, 1500);
}

Test(journal_thread, followers_of_a_small_copy)
{
    beside(1, 1500);
}

Test(journal_thread, followers_of_a_big_copy)
{
    beside(1u << 20, 1500);
}
