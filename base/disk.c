/* disk.c - struct disk on a directory of the file system. Blocks; start, recovery, followers. */
#include "base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_BYTES (1u << 20)
#define ALIGNMENT   4096u
#define NAMES_MAX   65536u

struct directory {
    struct disk disk;
    int fd;
};

static enum io_err error_of(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return IO_ERR_NO_SPACE;
    case EIO:
        return IO_ERR_DISK;
    case EACCES:
    case EPERM:
    case EROFS:
        return IO_ERR_DENIED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return IO_ERR_LIMIT;
    default:
        return IO_ERR_OTHER;
    }
}

static int fd_of(struct disk *disk)
{
    return ((struct directory *)disk)->fd;
}

/* Names are plain file names, or one folder deep ("archive/000001.seg"). */
static bool name_is_plain(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL && strlen(name) < 200;
}

static int open_name(struct disk *disk, const char *name, int flags)
{
    if (!name_is_plain(name)) {
        errno = EINVAL;
        return -1;
    }
    const char *slash = strchr(name, '/');
    if (slash != NULL && (flags & O_CREAT) != 0) {
        char folder[200];
        memcpy(folder, name, (size_t)(slash - name));
        folder[slash - name] = '\0';
        (void)mkdirat(fd_of(disk), folder, 0700);
    }
    return openat(fd_of(disk), name, flags | O_CLOEXEC, 0600);
}

static enum io_err write_all(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? IO_ERR_NO_SPACE : error_of(errno);
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
    must(zeros != NULL);
    memset(zeros, 0, WRITE_BYTES);
    enum io_err err = IO_OK;
    while (err == IO_OK && from < bytes) {
        uint64_t size = bytes - from < WRITE_BYTES ? bytes - from : WRITE_BYTES;
        err = write_all(fd, zeros, size, from);
        from += size;
    }
    free(zeros);
    if (err == IO_OK && fsync(fd) != 0) {
        err = error_of(errno);
    }
    return err;
}

static enum io_err op_segment_open(struct disk *disk, const char *name, uint64_t bytes, bool *direct,
                                   io_file *out)
{
    must(bytes % ALIGNMENT == 0);
    int plain = open_name(disk, name, O_RDWR | O_CREAT);
    struct stat status;
    if (plain < 0 || fstat(plain, &status) != 0) {
        return error_of(errno);
    }
    enum io_err err = IO_OK;
    if ((uint64_t)status.st_size < bytes) {
        err = prewrite(plain, (uint64_t)status.st_size / ALIGNMENT * ALIGNMENT, bytes);
        if (err == IO_OK && fsync(fd_of(disk)) != 0) {
            err = error_of(errno);
        }
    }
    (void)close(plain);
    if (err != IO_OK) {
        return err;
    }
    int fd = open_name(disk, name, O_RDWR | O_DIRECT | O_DSYNC);
    *direct = fd >= 0;
    if (fd < 0) {
        fd = open_name(disk, name, O_RDWR | O_DSYNC);
    }
    if (fd < 0) {
        return error_of(errno);
    }
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
            return n == 0 ? IO_ERR_DISK : error_of(errno);
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

static enum io_err op_append(struct disk *disk, const char *name, const uint8_t *data, uint32_t size,
                             uint64_t *offset)
{
    int fd = open_name(disk, name, O_WRONLY | O_CREAT);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return error_of(errno);
    }
    enum io_err err = write_all(fd, data, size, (uint64_t)status.st_size);
    if (err == IO_OK && offset != NULL) {
        *offset = (uint64_t)status.st_size;
    }
    if (close(fd) != 0 && err == IO_OK) {
        err = error_of(errno);
    }
    return err;
}

static enum io_err op_sync(struct disk *disk, const char *name)
{
    int fd = open_name(disk, name, O_WRONLY);
    if (fd < 0) {
        return error_of(errno);
    }
    enum io_err err = fdatasync(fd) == 0 && fsync(fd_of(disk)) == 0 ? IO_OK : error_of(errno);
    (void)close(fd);
    return err;
}

static enum io_err op_load(struct disk *disk, const char *name, uint8_t *data, uint32_t *size,
                           uint64_t offset)
{
    int fd = open_name(disk, name, O_RDONLY);
    if (fd < 0) {
        return error_of(errno);
    }
    uint32_t done = 0;
    enum io_err err = IO_OK;
    while (done < *size) {
        ssize_t n = pread(fd, data + done, *size - done, (off_t)(offset + done));
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            err = error_of(errno);
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
        return error_of(errno);
    }
    enum io_err err = ftruncate(fd, (off_t)bytes) == 0 && fsync(fd) == 0 ? IO_OK : error_of(errno);
    (void)close(fd);
    return err;
}

static enum io_err op_remove(struct disk *disk, const char *name)
{
    if (!name_is_plain(name) || unlinkat(fd_of(disk), name, 0) != 0) {
        return error_of(errno);
    }
    return fsync(fd_of(disk)) == 0 ? IO_OK : error_of(errno);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the plain files of one folder ("" or "archive") to names. */
static uint32_t collect(int fd, const char *folder, char **names, uint32_t count)
{
    int folder_fd = openat(fd, folder[0] != '\0' ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = folder_fd >= 0 ? fdopendir(folder_fd) : NULL;
    struct dirent *entry;
    while (stream != NULL && (entry = readdir(stream)) != NULL && count < NAMES_MAX) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *name = NULL;
        int size = asprintf(&name, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", entry->d_name);
        must(size > 0);
        names[count++] = name;
    }
    if (stream != NULL) {
        (void)closedir(stream);
    }
    return count;
}

static enum io_err op_each(struct disk *disk,
                           void (*row)(void *context, const char *name, uint64_t bytes),
                           void *context)
{
    char **names = calloc(NAMES_MAX, sizeof *names);
    must(names != NULL);
    uint32_t count = collect(fd_of(disk), "", names, 0);
    uint32_t top = count;
    for (uint32_t i = 0; i < top; i++) {
        struct stat status;
        if (fstatat(fd_of(disk), names[i], &status, 0) == 0 && S_ISDIR(status.st_mode)) {
            count = collect(fd_of(disk), names[i], names, count);
        }
    }
    qsort(names, count, sizeof *names, by_name);
    for (uint32_t i = 0; i < count; i++) {
        struct stat status;
        if (fstatat(fd_of(disk), names[i], &status, 0) == 0 && S_ISREG(status.st_mode)) {
            row(context, names[i], (uint64_t)status.st_size);
        }
        free(names[i]);
    }
    free(names);
    return IO_OK;
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
        *err = error_of(errno);
        return NULL;
    }
    struct directory *directory = calloc(1, sizeof *directory);
    must(directory != NULL);
    directory->disk.ops = &ops;
    directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory->fd < 0) {
        *err = error_of(errno);
        free(directory);
        return NULL;
    }
    *err = IO_OK;
    return &directory->disk;
}
