/* disk_sim.h - a disk that can fail: files in memory behind struct disk, durable writes behind
 * struct io, and a crash that keeps only what a real disk would have kept.
 *
 * MODEL  A write through the io is on the medium when its event was taken; until then a crash may
 * keep all of it, nothing, a prefix, or any subset of its 512-byte sectors. A write through struct
 * disk is durable when it returns. Appended bytes are durable after sync; a crash keeps any prefix
 * of the rest. Truncating and removing are durable at once. Nothing here uses the machine's clock.
 */
#ifndef SIM_DISK_SIM_H
#define SIM_DISK_SIM_H

#include "base/disk.h"

#define DISK_SIM_SECTOR 512u

struct disk_sim;
struct disk_sim *disk_sim_create(uint64_t seed);
void disk_sim_destroy(struct disk_sim *sim);
struct disk *disk_sim_disk(struct disk_sim *sim); /* its destroy() leaves the files */
/* An io with write and wait only; wait() finishes every write under way. Freed with the disk. */
struct io *disk_sim_io(struct disk_sim *sim);

/* ---- writes under way, oldest first: also for an io of the simulator ---------------------------
 */

struct disk_sim_write {
    uint64_t token; /* or the ticket */
    io_file file;
    const uint8_t *data; /* the writer's buffer: it must not change until the write ended */
    uint32_t size;
    uint64_t offset;
};
void disk_sim_write(struct disk_sim *sim, uint64_t token, io_file file, const uint8_t *data,
                    uint32_t size, uint64_t offset);
uint32_t disk_sim_writes_count(const struct disk_sim *sim);
/* Ends the oldest write: puts it on the medium, or fails as told. False when there is none. */
bool disk_sim_finish(struct disk_sim *sim, struct io_event *event);
bool disk_sim_finish_token(struct disk_sim *sim, uint64_t token, struct io_event *event);

/* ---- crashes ------------------------------------------------------------------------------------
 */

enum disk_sim_crash {
    DISK_SIM_DROP,   /* nothing of a write under way */
    DISK_SIM_KEEP,   /* all of it */
    DISK_SIM_PREFIX, /* its first `sectors` */
    DISK_SIM_SUBSET, /* of its sectors, by chance */
    DISK_SIM_ANY,    /* one of these, by chance */
};
/* Ends every write under way as told, cuts unsynced appends, closes all files. */
void disk_sim_crash(struct disk_sim *sim, enum disk_sim_crash how, uint32_t sectors);

/* ---- faults ---------------------------------------------------------------------------------- */

/* The next operations that write (io, disk, append, sync, truncate) after `skip` of them end with
 * `err`, `count` times (UINT32_MAX = for ever). A failing io write leaves any part of itself. */
void disk_sim_fail(struct disk_sim *sim, uint32_t skip, uint32_t count, enum io_err err);
void disk_sim_fail_reads(struct disk_sim *sim, uint32_t skip, uint32_t count, enum io_err err);
/* The next io write says it wrote fewer bytes than asked. */
void disk_sim_cut_short(struct disk_sim *sim);
void disk_sim_capacity(struct disk_sim *sim, uint64_t bytes); /* of all files; 0 = no bound */

/* ---- looking and damaging ----------------------------------------------------------------------
 */

/* The file's bytes, or NULL; valid until the file grows. */
uint8_t *disk_sim_bytes(struct disk_sim *sim, const char *name, uint64_t *size);
void disk_sim_flip(struct disk_sim *sim, const char *name, uint64_t offset, uint8_t mask);
/* Another disk with the same files and the same writes under way (their buffers stay the writer's):
 * to try several ends of one story. */
struct disk_sim *disk_sim_clone(const struct disk_sim *sim, uint64_t seed);
uint64_t disk_sim_operations(const struct disk_sim *sim); /* that wrote, so far */

#endif
