/* disk.h - files as the ledger needs them: pre-written segments, durable and synchronous at start.
 *
 * Two implementations, as io.h: the file system, and the simulator's disk that can tear and lose
 * writes. Everything here blocks and belongs to start, recovery and followers' threads; the hot
 * path writes through io.h. */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include "base/io.h"

struct disk;
struct disk_ops {
    /* Creates the file pre-written with zeros to `bytes`, or opens it; durable, O_DIRECT|O_DSYNC
     * (falls back to O_DSYNC: *direct false). */
    enum io_err (*segment_open)(struct disk *, const char *name, uint64_t bytes, bool *direct,
                                io_file *out);
    enum io_err (*read)(struct disk *, io_file, uint8_t *data, uint32_t size, uint64_t offset);
    enum io_err (*write)(struct disk *, io_file, const uint8_t *data, uint32_t size,
                         uint64_t offset); /* durable when it returns */
    enum io_err (*append)(struct disk *, const char *name, const uint8_t *data, uint32_t size,
                          uint64_t *offset); /* archive files; durable after sync */
    enum io_err (*sync)(struct disk *, const char *name);
    /* Reads up to size bytes of a whole file by name; *size becomes what was read (0 = at the end).
     */
    enum io_err (*load)(struct disk *, const char *name, uint8_t *data, uint32_t *size,
                        uint64_t offset);
    enum io_err (*truncate)(struct disk *, const char *name, uint64_t bytes);
    enum io_err (*remove)(struct disk *, const char *name);
    /* Calls row for each file name, sorted. */
    enum io_err (*each)(struct disk *, void (*row)(void *context, const char *name, uint64_t bytes),
                        void *context);
    void (*close)(struct disk *, io_file);
    void (*destroy)(struct disk *);
};
struct disk {
    const struct disk_ops *ops;
};

/* A directory of the file system, created 0700 when absent. */
NODISCARD struct disk *disk_directory(const char *path, enum io_err *err);

#endif
