/* disk.c - struct disk on a directory of the file system. Blocks; start, recovery, followers. */
#include "base/disk.h"

#include "base/io_err.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/poison.h"

#define WRITE_BYTES (1u << 20)
#define PIECE_BYTES (128u << 10) /* of an append */
#define ALIGNMENT   4096u
#define NAMES_MAX   65536u
#define NAME_BYTES  200u

struct directory {
    struct disk disk;
    int fd;
};

static int fd_of(struct disk *disk)
{
    return ((struct directory *)disk)->fd;
}

/* Names are plain file names, or one folder deep ("archive/000001.seg"). */
static bool name_is_plain(const char *name)
{
    const char *slash = strchr(name, '/');
    return name[0] != '\0' && strlen(name) < NAME_BYTES && strstr(name, "..") == NULL &&
           (slash == NULL || (slash != name && slash[1] != '\0' && strchr(slash + 1, '/') == NULL));
}

/* The folder of a name, "." when it has none. */
static void folder_of(const char *name, char folder[NAME_BYTES])
{
    const char *slash = strchr(name, '/');
    size_t size = slash != NULL ? (size_t)(slash - name) : 1;
    memcpy(folder, slash != NULL ? name : ".", size);
    folder[size] = '\0';
}

/* Makes the names in a folder durable: a file is only as durable as its entry. */
static enum io_err sync_folder(struct disk *disk, const char *folder)
{
    int fd = openat(fd_of(disk), folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return io_err_of(errno);
    }
    enum io_err err = fsync(fd) == 0 ? IO_OK : io_err_of(errno);
    (void)close(fd);
    return err;
}

static int open_name(struct disk *disk, const char *name, int flags)
{
    if (!name_is_plain(name)) {
        errno = EINVAL;
        return -1;
    }
    int fd = openat(fd_of(disk), name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == ENOENT && (flags & O_CREAT) != 0 && strchr(name, '/') != NULL) {
        char folder[NAME_BYTES];
        folder_of(name, folder);
        if (mkdirat(fd_of(disk), folder, 0700) != 0 || sync_folder(disk, ".") != IO_OK) {
            return -1;
        }
        fd = openat(fd_of(disk), name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    return fd;
}

static enum io_err write_all(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? IO_ERR_NO_SPACE : io_err_of(errno);
        }
        data += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return IO_OK;
}

/* Blocks that were written once are not allocated again by a later write: that is what makes a
 * durable write cheap. */
static enum io_err prewrite(int fd, uint64_t from, uint64_t bytes)
{
    uint8_t *zeros = aligned_alloc(ALIGNMENT, WRITE_BYTES);
    if (zeros == NULL) {
        return IO_ERR_LIMIT;
    }
    memset(zeros, 0, WRITE_BYTES);
    enum io_err err = IO_OK;
    while (err == IO_OK && from < bytes) {
        uint64_t size = bytes - from < WRITE_BYTES ? bytes - from : WRITE_BYTES;
        err = write_all(fd, zeros, size, from);
        from += size;
    }
    free(zeros);
    if (err == IO_OK && fsync(fd) != 0) {
        err = io_err_of(errno);
    }
    return err;
}

/* Brings a file to `bytes`, and it and its name onto the medium. */
static enum io_err fill(struct disk *disk, const char *name, uint64_t bytes)
{
    int fd = open_name(disk, name, O_RDWR | O_CREAT);
    if (fd < 0) {
        return io_err_of(errno);
    }
    struct stat status;
    char folder[NAME_BYTES];
    folder_of(name, folder);
    enum io_err err = fstat(fd, &status) == 0 ? IO_OK : io_err_of(errno);
    if (err == IO_OK && (uint64_t)status.st_size < bytes) {
        err = prewrite(fd, (uint64_t)status.st_size / ALIGNMENT * ALIGNMENT, bytes);
        /* Direct writes need not push old pages out of the cache. */
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        err = err == IO_OK ? sync_folder(disk, folder) : err;
    }
    (void)close(fd);
    return err;
}

static enum io_err op_segment_open(struct disk *disk, const char *name, uint64_t bytes,
                                   bool *direct, io_file *out)
{
    must(bytes % ALIGNMENT == 0);
    enum io_err err = fill(disk, name, bytes);
    if (err != IO_OK) {
        return err;
    }
    int fd = open_name(disk, name, O_RDWR | O_DIRECT | O_DSYNC);
    bool is_direct = fd >= 0;
    if (fd < 0) {
        fd = open_name(disk, name, O_RDWR | O_DSYNC);
    }
    if (fd < 0) {
        return io_err_of(errno);
    }
    *direct = is_direct;
    *out = fd;
    return IO_OK;
}

static enum io_err op_read(struct disk *disk, io_file file, uint8_t *data, uint32_t size,
                           uint64_t offset)
{
    (void)disk;
    while (size > 0) {
        ssize_t n = pread(file, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? IO_ERR_DISK : io_err_of(errno);
        }
        data += n;
        size -= (uint32_t)n;
        offset += (uint64_t)n;
    }
    return IO_OK;
}

static enum io_err op_write(struct disk *disk, io_file file, const uint8_t *data, uint32_t size,
                            uint64_t offset)
{
    (void)disk;
    return write_all(file, data, size, offset);
}

/* In pieces that begin their way to the medium at once: the journal's writes go between them, and
 * its flushes find little that is not there yet. */
static enum io_err write_in_pieces(int fd, const uint8_t *data, uint32_t size, uint64_t offset)
{
    enum io_err err = IO_OK;
    while (err == IO_OK && size > 0) {
        uint32_t piece = size < PIECE_BYTES ? size : PIECE_BYTES;
        err = write_all(fd, data, piece, offset);
        (void)sync_file_range(fd, (off_t)offset, piece, SYNC_FILE_RANGE_WRITE);
        data += piece;
        offset += piece;
        size -= piece;
    }
    return err;
}

static enum io_err op_append(struct disk *disk, const char *name, const uint8_t *data,
                             uint32_t size, uint64_t *offset)
{
    int fd = open_name(disk, name, O_WRONLY | O_CREAT);
    struct stat status;
    if (fd < 0) {
        return io_err_of(errno);
    }
    enum io_err err = fstat(fd, &status) == 0 ? IO_OK : io_err_of(errno);
    if (err == IO_OK) {
        err = write_in_pieces(fd, data, size, (uint64_t)status.st_size);
    }
    if (err == IO_OK && offset != NULL) {
        *offset = (uint64_t)status.st_size;
    }
    if (close(fd) != 0 && err == IO_OK) {
        err = io_err_of(errno);
    }
    return err;
}

static enum io_err op_sync(struct disk *disk, const char *name)
{
    int fd = open_name(disk, name, O_WRONLY);
    if (fd < 0) {
        return io_err_of(errno);
    }
    char folder[NAME_BYTES];
    folder_of(name, folder);
    enum io_err err = fdatasync(fd) == 0 ? sync_folder(disk, folder) : io_err_of(errno);
    /* Seldom read again; the next write finds these pages warm, not new ones of the host's. */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(fd);
    return err;
}

static enum io_err op_load(struct disk *disk, const char *name, uint8_t *data, uint32_t *size,
                           uint64_t offset)
{
    int fd = open_name(disk, name, O_RDONLY);
    if (fd < 0) {
        return io_err_of(errno);
    }
    uint32_t done = 0;
    enum io_err err = IO_OK;
    while (done < *size) {
        ssize_t n = pread(fd, data + done, *size - done, (off_t)(offset + done));
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            err = io_err_of(errno);
            break;
        }
        done += n > 0 ? (uint32_t)n : 0;
    }
    (void)close(fd);
    if (err == IO_OK) {
        *size = done;
    }
    return err;
}

static enum io_err op_truncate(struct disk *disk, const char *name, uint64_t bytes)
{
    int fd = open_name(disk, name, O_WRONLY);
    if (fd < 0) {
        return io_err_of(errno);
    }
    enum io_err err = ftruncate(fd, (off_t)bytes) == 0 && fsync(fd) == 0 ? IO_OK : io_err_of(errno);
    (void)close(fd);
    return err;
}

static enum io_err op_remove(struct disk *disk, const char *name)
{
    if (!name_is_plain(name)) {
        return IO_ERR_OTHER;
    }
    if (unlinkat(fd_of(disk), name, 0) != 0) {
        return io_err_of(errno);
    }
    char folder[NAME_BYTES];
    folder_of(name, folder);
    return sync_folder(disk, folder);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char *list[NAMES_MAX];
    uint32_t count;
};

/* Adds what one folder ("" or "archive") holds. */
static enum io_err collect(int fd, const char *folder, struct names *names)
{
    const char *place = folder[0] != '\0' ? folder : ".";
    int folder_fd = openat(fd, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = folder_fd >= 0 ? fdopendir(folder_fd) : NULL;
    if (stream == NULL) {
        return io_err_of(errno);
    }
    enum io_err err = IO_OK;
    struct dirent *entry;
    while (err == IO_OK && (entry = readdir(stream)) != NULL) {
        char *name = NULL;
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (names->count == NAMES_MAX ||
            asprintf(&name, "%s%s%s", folder, folder[0] ? "/" : "", entry->d_name) < 0) {
            err = IO_ERR_LIMIT; /* half a list would be a lie */
            break;
        }
        names->list[names->count++] = name;
    }
    (void)closedir(stream);
    return err;
}

static enum io_err collect_all(int fd, struct names *names)
{
    enum io_err err = collect(fd, "", names);
    uint32_t top = names->count;
    for (uint32_t i = 0; err == IO_OK && i < top; i++) {
        struct stat status;
        if (fstatat(fd, names->list[i], &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode)) {
            err = collect(fd, names->list[i], names);
        }
    }
    return err;
}

static enum io_err op_each(struct disk *disk,
                           void (*row)(void *context, const char *name, uint64_t bytes),
                           void *context)
{
    struct names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return IO_ERR_LIMIT;
    }
    enum io_err err = collect_all(fd_of(disk), names);
    qsort(names->list, names->count, sizeof names->list[0], by_name);
    for (uint32_t i = 0; i < names->count; i++) {
        struct stat status;
        if (err == IO_OK &&
            fstatat(fd_of(disk), names->list[i], &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode)) {
            row(context, names->list[i], (uint64_t)status.st_size);
        }
        free(names->list[i]);
    }
    free(names);
    return err;
}

static void op_close(struct disk *disk, io_file file)
{
    (void)disk;
    (void)close(file);
}

static void op_destroy(struct disk *disk)
{
    (void)close(fd_of(disk));
    free(disk);
}

static const struct disk_ops ops = {
    .segment_open = op_segment_open,
    .read = op_read,
    .write = op_write,
    .append = op_append,
    .sync = op_sync,
    .load = op_load,
    .truncate = op_truncate,
    .remove = op_remove,
    .each = op_each,
    .close = op_close,
    .destroy = op_destroy,
};

struct disk *disk_directory(const char *path, enum io_err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        *err = io_err_of(errno);
        return NULL;
    }
    struct directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        *err = IO_ERR_LIMIT;
        return NULL;
    }
    directory->disk.ops = &ops;
    directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory->fd < 0) {
        *err = io_err_of(errno);
        free(directory);
        return NULL;
    }
    *err = IO_OK;
    return &directory->disk;
}
