/* disk_sim.c - see disk_sim.h. */
#include "tests/sim/disk_sim.h"

#include <stdlib.h>
#include <string.h>

#define FILES_MAX  128u
#define WRITES_MAX 64u

struct file {
    char name[64];
    uint8_t *bytes;
    uint64_t size, room;
    uint64_t synced; /* of appended files: what a crash keeps for sure */
    bool used;
};

struct fault {
    uint32_t skip, count;
    enum io_err err;
};

struct disk_sim {
    struct disk disk; /* first: ops get it */
    struct io io;
    struct file files[FILES_MAX];
    struct disk_sim_write writes[WRITES_MAX];
    uint32_t writes_count;
    struct fault writing, reading;
    bool cut_short;
    uint64_t capacity;
    uint64_t operations;
    uint64_t random;
};

static uint64_t next_random(struct disk_sim *sim)
{
    sim->random ^= sim->random << 13;
    sim->random ^= sim->random >> 7;
    sim->random ^= sim->random << 17;
    return sim->random;
}

static struct disk_sim *sim_of(struct disk *disk)
{
    return (struct disk_sim *)disk;
}

static struct disk_sim *sim_of_io(struct io *io)
{
    return (struct disk_sim *)((uint8_t *)io - offsetof(struct disk_sim, io));
}

/* ---- faults ---------------------------------------------------------------------------------- */

static enum io_err fault_now(struct fault *fault)
{
    if (fault->count == 0) {
        return IO_OK;
    }
    if (fault->skip > 0) {
        fault->skip--;
        return IO_OK;
    }
    if (fault->count != UINT32_MAX) {
        fault->count--;
    }
    return fault->err;
}

static enum io_err write_fault(struct disk_sim *sim)
{
    sim->operations++;
    return fault_now(&sim->writing);
}

void disk_sim_fail(struct disk_sim *sim, uint32_t skip, uint32_t count, enum io_err err)
{
    sim->writing = (struct fault){skip, count, err};
}

void disk_sim_fail_reads(struct disk_sim *sim, uint32_t skip, uint32_t count, enum io_err err)
{
    sim->reading = (struct fault){skip, count, err};
}

void disk_sim_cut_short(struct disk_sim *sim)
{
    sim->cut_short = true;
}

void disk_sim_capacity(struct disk_sim *sim, uint64_t bytes)
{
    sim->capacity = bytes;
}

/* ---- files ----------------------------------------------------------------------------------- */

static struct file *file_find(const struct disk_sim *sim, const char *name)
{
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        if (sim->files[i].used && strcmp(sim->files[i].name, name) == 0) {
            return (struct file *)&sim->files[i];
        }
    }
    return NULL;
}

static struct file *file_make(struct disk_sim *sim, const char *name)
{
    struct file *file = file_find(sim, name);
    for (uint32_t i = 0; file == NULL && i < FILES_MAX; i++) {
        if (!sim->files[i].used) {
            file = &sim->files[i];
            must(strlen(name) < sizeof file->name);
            *file = (struct file){.used = true};
            memcpy(file->name, name, strlen(name) + 1);
        }
    }
    must(file != NULL);
    return file;
}

static bool file_grow(struct disk_sim *sim, struct file *file, uint64_t size)
{
    if (size <= file->size) {
        return true;
    }
    uint64_t all = size - file->size;
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        all += sim->files[i].used ? sim->files[i].size : 0;
    }
    if (sim->capacity > 0 && all > sim->capacity) {
        return false;
    }
    if (size > file->room) {
        file->room = size > 2 * file->room ? size : 2 * file->room;
        file->bytes = realloc(file->bytes, file->room);
        must(file->bytes != NULL);
    }
    memset(file->bytes + file->size, 0, size - file->size);
    file->size = size;
    return true;
}

static struct file *file_of(struct disk_sim *sim, io_file number)
{
    must(number >= 0 && (uint32_t)number < FILES_MAX && sim->files[number].used);
    return &sim->files[number];
}

/* ---- struct disk ----------------------------------------------------------------------------- */

static enum io_err op_segment_open(struct disk *disk, const char *name, uint64_t bytes,
                                   bool *direct, io_file *out)
{
    struct disk_sim *sim = sim_of(disk);
    struct file *file = file_make(sim, name);
    if (file->size < bytes) {
        enum io_err err = write_fault(sim);
        if (err != IO_OK || !file_grow(sim, file, bytes)) {
            file->used = file->size > 0;
            return err != IO_OK ? err : IO_ERR_NO_SPACE;
        }
    }
    file->synced = file->size;
    *direct = true;
    *out = (io_file)(file - sim->files);
    return IO_OK;
}

static enum io_err op_read(struct disk *disk, io_file number, uint8_t *data, uint32_t size,
                           uint64_t offset)
{
    struct disk_sim *sim = sim_of(disk);
    struct file *file = file_of(sim, number);
    must(size % 4096 == 0 && offset % 4096 == 0 && (uintptr_t)data % 4096 == 0);
    enum io_err err = fault_now(&sim->reading);
    if (err != IO_OK || offset + size > file->size) {
        return err != IO_OK ? err : IO_ERR_DISK;
    }
    memcpy(data, file->bytes + offset, size);
    return IO_OK;
}

static enum io_err op_write(struct disk *disk, io_file number, const uint8_t *data, uint32_t size,
                            uint64_t offset)
{
    struct disk_sim *sim = sim_of(disk);
    struct file *file = file_of(sim, number);
    must(size % 4096 == 0 && offset % 4096 == 0 && offset + size <= file->size);
    enum io_err err = write_fault(sim);
    if (err == IO_OK) {
        memcpy(file->bytes + offset, data, size);
    }
    return err;
}

static enum io_err op_append(struct disk *disk, const char *name, const uint8_t *data,
                             uint32_t size, uint64_t *offset)
{
    struct disk_sim *sim = sim_of(disk);
    enum io_err err = write_fault(sim);
    if (err != IO_OK) {
        return err;
    }
    struct file *file = file_make(sim, name);
    uint64_t at = file->size;
    if (!file_grow(sim, file, at + size)) {
        file->used = file->size > 0;
        return IO_ERR_NO_SPACE;
    }
    memcpy(file->bytes + at, data, size);
    if (offset != NULL) {
        *offset = at;
    }
    return IO_OK;
}

static enum io_err op_sync(struct disk *disk, const char *name)
{
    struct disk_sim *sim = sim_of(disk);
    struct file *file = file_find(sim, name);
    enum io_err err = write_fault(sim);
    if (err == IO_OK && file != NULL) {
        file->synced = file->size;
    }
    return file == NULL ? IO_ERR_OTHER : err;
}

static enum io_err op_load(struct disk *disk, const char *name, uint8_t *data, uint32_t *size,
                           uint64_t offset)
{
    struct disk_sim *sim = sim_of(disk);
    const struct file *file = file_find(sim, name);
    enum io_err err = fault_now(&sim->reading);
    if (err != IO_OK || file == NULL) {
        return err != IO_OK ? err : IO_ERR_OTHER;
    }
    uint64_t left = offset < file->size ? file->size - offset : 0;
    *size = left < *size ? (uint32_t)left : *size;
    if (*size > 0) {
        memcpy(data, file->bytes + offset, *size);
    }
    return IO_OK;
}

static enum io_err op_truncate(struct disk *disk, const char *name, uint64_t bytes)
{
    struct disk_sim *sim = sim_of(disk);
    struct file *file = file_find(sim, name);
    enum io_err err = write_fault(sim);
    if (err == IO_OK && file != NULL && bytes <= file->size) {
        file->size = bytes;
        file->synced = bytes < file->synced ? bytes : file->synced;
    }
    return file == NULL ? IO_ERR_OTHER : err;
}

static enum io_err op_remove(struct disk *disk, const char *name)
{
    struct disk_sim *sim = sim_of(disk);
    struct file *file = file_find(sim, name);
    enum io_err err = write_fault(sim);
    if (err == IO_OK && file != NULL) {
        free(file->bytes);
        *file = (struct file){.used = false};
    }
    return file == NULL ? IO_ERR_OTHER : err;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct file *const *)a)->name, (*(const struct file *const *)b)->name);
}

static enum io_err op_each(struct disk *disk,
                           void (*row)(void *context, const char *name, uint64_t bytes),
                           void *context)
{
    struct disk_sim *sim = sim_of(disk);
    const struct file *sorted[FILES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        if (sim->files[i].used) {
            sorted[count++] = &sim->files[i];
        }
    }
    qsort(sorted, count, sizeof(void *), by_name);
    for (uint32_t i = 0; i < count; i++) {
        row(context, sorted[i]->name, sorted[i]->size);
    }
    return IO_OK;
}

static void op_close(struct disk *disk, io_file file)
{
    (void)disk;
    (void)file;
}

static void op_destroy(struct disk *disk)
{
    (void)disk; /* the files outlive the process that used them */
}

static const struct disk_ops disk_ops = {
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

/* ---- writes under way ------------------------------------------------------------------------ */

void disk_sim_write(struct disk_sim *sim, uint64_t token, io_file number, const uint8_t *data,
                    uint32_t size, uint64_t offset)
{
    struct file *file = file_of(sim, number);
    must(size > 0 && size % 4096 == 0 && offset % 4096 == 0 && (uintptr_t)data % 4096 == 0);
    must(offset + size <= file->size && sim->writes_count < WRITES_MAX);
    sim->writes[sim->writes_count++] = (struct disk_sim_write){token, number, data, size, offset};
}

uint32_t disk_sim_writes_count(const struct disk_sim *sim)
{
    return sim->writes_count;
}

static void put_sectors(struct disk_sim *sim, const struct disk_sim_write *write,
                        enum disk_sim_crash how, uint32_t sectors)
{
    struct file *file = file_of(sim, write->file);
    uint32_t all = write->size / DISK_SIM_SECTOR;
    if (how == DISK_SIM_ANY) {
        how = (enum disk_sim_crash)(next_random(sim) % DISK_SIM_ANY);
        sectors = (uint32_t)(next_random(sim) % (all + 1));
    }
    for (uint32_t i = 0; i < all; i++) {
        bool keep = how == DISK_SIM_KEEP || (how == DISK_SIM_PREFIX && i < sectors) ||
                    (how == DISK_SIM_SUBSET && (next_random(sim) & 1) != 0);
        if (keep) {
            memcpy(file->bytes + write->offset + (uint64_t)i * DISK_SIM_SECTOR,
                   write->data + (uint64_t)i * DISK_SIM_SECTOR, DISK_SIM_SECTOR);
        }
    }
}

static void finish(struct disk_sim *sim, uint32_t index, struct io_event *event)
{
    struct disk_sim_write write = sim->writes[index];
    memmove(&sim->writes[index], &sim->writes[index + 1],
            (sim->writes_count - index - 1) * sizeof write);
    sim->writes_count--;
    *event = (struct io_event){.token = write.token, .kind = IO_WRITE};
    enum io_err err = write_fault(sim);
    if (err != IO_OK) {
        put_sectors(sim, &write, DISK_SIM_ANY, 0);
        event->result = -(int32_t)err;
    } else if (sim->cut_short) {
        sim->cut_short = false;
        put_sectors(sim, &write, DISK_SIM_PREFIX, write.size / DISK_SIM_SECTOR / 2);
        event->result = (int32_t)write.size / 2;
    } else {
        put_sectors(sim, &write, DISK_SIM_KEEP, 0);
        event->result = (int32_t)write.size;
    }
}

bool disk_sim_finish(struct disk_sim *sim, struct io_event *event)
{
    if (sim->writes_count == 0) {
        return false;
    }
    finish(sim, 0, event);
    return true;
}

bool disk_sim_finish_token(struct disk_sim *sim, uint64_t token, struct io_event *event)
{
    for (uint32_t i = 0; i < sim->writes_count; i++) {
        if (sim->writes[i].token == token) {
            finish(sim, i, event);
            return true;
        }
    }
    return false;
}

static void io_write(struct io *io, uint64_t token, io_file file, const uint8_t *data,
                     uint32_t size, uint64_t offset)
{
    disk_sim_write(sim_of_io(io), token, file, data, size, offset);
}

static uint32_t io_wait(struct io *io, int64_t deadline_ns, struct io_event *events,
                        uint32_t events_max)
{
    (void)deadline_ns;
    uint32_t count = 0;
    while (count < events_max && disk_sim_finish(sim_of_io(io), &events[count])) {
        count++;
    }
    return count;
}

static void io_nothing(struct io *io)
{
    (void)io;
}

static const struct io_ops io_ops = {
    .write = io_write, .wait = io_wait, .wake = io_nothing, .destroy = io_nothing};

/* ---- crash, life and death ---------------------------------------------------------------------
 */

void disk_sim_crash(struct disk_sim *sim, enum disk_sim_crash how, uint32_t sectors)
{
    for (uint32_t i = 0; i < sim->writes_count; i++) {
        put_sectors(sim, &sim->writes[i], how, sectors);
    }
    sim->writes_count = 0;
    sim->writing = sim->reading = (struct fault){0};
    sim->cut_short = false;
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        struct file *file = &sim->files[i];
        if (file->used && file->size > file->synced) {
            uint64_t loose = file->size - file->synced;
            bool any = how == DISK_SIM_PREFIX || how == DISK_SIM_SUBSET || how == DISK_SIM_ANY;
            uint64_t kept = how == DISK_SIM_KEEP ? loose : any ? next_random(sim) % (loose + 1) : 0;
            file->size = file->synced + kept;
            file->synced = file->size;
        }
    }
}

uint8_t *disk_sim_bytes(struct disk_sim *sim, const char *name, uint64_t *size)
{
    struct file *file = file_find(sim, name);
    if (file == NULL) {
        return NULL;
    }
    *size = file->size;
    return file->bytes;
}

void disk_sim_flip(struct disk_sim *sim, const char *name, uint64_t offset, uint8_t mask)
{
    struct file *file = file_find(sim, name);
    must(file != NULL && offset < file->size);
    file->bytes[offset] ^= mask;
}

uint64_t disk_sim_operations(const struct disk_sim *sim)
{
    return sim->operations;
}

struct disk_sim *disk_sim_create(uint64_t seed)
{
    struct disk_sim *sim = calloc(1, sizeof *sim);
    must(sim != NULL);
    sim->disk.ops = &disk_ops;
    sim->io.ops = &io_ops;
    sim->random = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    return sim;
}

struct disk_sim *disk_sim_clone(const struct disk_sim *sim, uint64_t seed)
{
    struct disk_sim *clone = disk_sim_create(seed);
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        const struct file *file = &sim->files[i];
        if (file->used) {
            clone->files[i] = *file;
            clone->files[i].room = file->size > 0 ? file->size : 1;
            clone->files[i].bytes = malloc(clone->files[i].room);
            must(clone->files[i].bytes != NULL);
            memcpy(clone->files[i].bytes, file->bytes, file->size);
        }
    }
    memcpy(clone->writes, sim->writes, sizeof clone->writes);
    clone->writes_count = sim->writes_count;
    clone->capacity = sim->capacity;
    return clone;
}

void disk_sim_destroy(struct disk_sim *sim)
{
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        free(sim->files[i].bytes);
    }
    free(sim);
}

struct disk *disk_sim_disk(struct disk_sim *sim)
{
    return &sim->disk;
}

struct io *disk_sim_io(struct disk_sim *sim)
{
    return &sim->io;
}
