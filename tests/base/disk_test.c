#include "base/disk.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static struct disk *disk;

static void create(void)
{
    (void)snprintf(path, sizeof path, "/tmp/disk_test_XXXXXX");
    cr_assert_not_null(mkdtemp(path));
    enum io_err err;
    disk = disk_directory(path, &err);
    cr_assert_not_null(disk);
}

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(name);
}

static void destroy(void)
{
    disk->ops->destroy(disk);
    cr_assert_eq(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

TestSuite(disk, .init = create, .fini = destroy);

Test(disk, a_segment_is_there_in_full_and_keeps_what_was_written)
{
    bool direct;
    io_file file;
    cr_assert_eq(disk->ops->segment_open(disk, "a.seg", 1 << 20, &direct, &file), IO_OK);
    uint8_t *block = aligned_alloc(4096, 4096);
    cr_assert_eq(disk->ops->read(disk, file, block, 4096, (1 << 20) - 4096), IO_OK);
    cr_assert_eq(block[4095], 0);
    memset(block, 'k', 4096);
    cr_assert_eq(disk->ops->write(disk, file, block, 4096, 8192), IO_OK);
    disk->ops->close(disk, file);
    cr_assert_eq(disk->ops->segment_open(disk, "a.seg", 1 << 20, &direct, &file), IO_OK);
    memset(block, 0, 4096);
    cr_assert_eq(disk->ops->read(disk, file, block, 4096, 8192), IO_OK);
    cr_assert_eq(block[17], 'k');
    disk->ops->close(disk, file);
    free(block);
}

static char seen[256];
static void see(void *context, const char *name, uint64_t bytes)
{
    (void)context;
    size_t used = strlen(seen);
    (void)snprintf(seen + used, sizeof seen - used, "%s=%llu ", name, (unsigned long long)bytes);
}

Test(disk, files_grow_are_listed_cut_and_removed)
{
    uint64_t offset = 99;
    cr_assert_eq(disk->ops->append(disk, "archive/1.seg", (const uint8_t *)"hello", 5, &offset),
                 IO_OK);
    cr_assert_eq(offset, 0);
    cr_assert_eq(disk->ops->append(disk, "archive/1.seg", (const uint8_t *)" you", 4, &offset),
                 IO_OK);
    cr_assert_eq(offset, 5);
    cr_assert_eq(disk->ops->sync(disk, "archive/1.seg"), IO_OK);
    cr_assert_eq(disk->ops->append(disk, "z", (const uint8_t *)"1", 1, NULL), IO_OK);
    uint8_t back[32];
    uint32_t size = sizeof back;
    cr_assert_eq(disk->ops->load(disk, "archive/1.seg", back, &size, 2), IO_OK);
    cr_assert(size == 7 && memcmp(back, "llo you", 7) == 0);
    cr_assert_eq(disk->ops->truncate(disk, "archive/1.seg", 5), IO_OK);
    cr_assert_eq(disk->ops->each(disk, see, NULL), IO_OK);
    cr_assert_str_eq(seen, "archive/1.seg=5 z=1 ");
    cr_assert_eq(disk->ops->remove(disk, "z"), IO_OK);
    cr_assert_neq(disk->ops->remove(disk, "z"), IO_OK);
}

Test(disk, a_large_append_is_whole)
{
    static uint8_t data[300001], back[sizeof data + 1]; /* several pieces and a rest */
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    uint64_t offset = 0;
    cr_assert_eq(disk->ops->append(disk, "a", data, 7, NULL), IO_OK);
    cr_assert_eq(disk->ops->append(disk, "a", data, sizeof data, &offset), IO_OK);
    cr_assert_eq(offset, 7);
    cr_assert_eq(disk->ops->sync(disk, "a"), IO_OK);
    uint32_t size = sizeof back;
    cr_assert_eq(disk->ops->load(disk, "a", back, &size, 7), IO_OK);
    cr_assert_eq(size, sizeof data);
    cr_assert_arr_eq(back, data, sizeof data);
}

Test(disk, an_interrupted_segment_is_completed)
{
    uint64_t offset;
    static uint8_t part[5000];
    memset(part, 'p', sizeof part);
    cr_assert_eq(disk->ops->append(disk, "b.seg", part, sizeof part, &offset), IO_OK);
    bool direct;
    io_file file;
    cr_assert_eq(disk->ops->segment_open(disk, "b.seg", 1 << 16, &direct, &file), IO_OK);
    uint8_t *all = aligned_alloc(4096, 1 << 16);
    cr_assert_eq(disk->ops->read(disk, file, all, 1 << 16, 0), IO_OK);
    cr_assert(all[0] == 'p' && all[4095] == 'p' && all[4999] == 0 && all[65535] == 0);
    cr_assert_neq(disk->ops->read(disk, file, all, 4096, 1 << 16), IO_OK);
    disk->ops->close(disk, file);
    free(all);
}

Test(disk, a_symbolic_link_is_not_followed)
{
    char link[96];
    (void)snprintf(link, sizeof link, "%s/passwd", path);
    cr_assert_eq(symlink("/etc/passwd", link), 0);
    uint8_t back[8];
    uint32_t size = sizeof back;
    cr_assert_neq(disk->ops->load(disk, "passwd", back, &size, 0), IO_OK);
}

Test(disk, a_file_in_the_way_of_the_directory_is_an_error)
{
    char file[96];
    (void)snprintf(file, sizeof file, "%s/file", path);
    cr_assert_eq(disk->ops->append(disk, "file", (const uint8_t *)"1", 1, NULL), IO_OK);
    enum io_err err = IO_OK;
    cr_assert_null(disk_directory(file, &err));
    cr_assert_neq(err, IO_OK);
}

Test(disk, names_stay_inside)
{
    const char *const bad[] = {"", "/", "a/", "/a", "a/b/c", "a/../b", ".."};
    for (size_t i = 0; i < countof(bad); i++) {
        cr_assert_neq(disk->ops->append(disk, bad[i], (const uint8_t *)"1", 1, NULL), IO_OK, "%s",
                      bad[i]);
    }
    cr_assert_neq(disk->ops->append(disk, "../x", (const uint8_t *)"1", 1, NULL), IO_OK);
    cr_assert_neq(disk->ops->append(disk, "/tmp/x", (const uint8_t *)"1", 1, NULL), IO_OK);
}
