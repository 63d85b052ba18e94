/* mem.c - see mem.h. Start-up only, but for the seal's flags and mem_wipe_secrets(). */
#include "base/mem.h"

#include "base/secret.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef RS_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#include "base/poison.h"

#define REGIONS_MAX 256u
#define HUGE_BYTES  (8u << 20)
#define PAGE_BYTES  4096u

struct region {
    void *memory;
    size_t bytes;
    const char *what;
    enum mem_kind kind;
};

/* One table for the process: memory is the process's, whoever asks. */
static struct {
    pthread_mutex_t lock;
    struct region regions[REGIONS_MAX];
    uint32_t regions_count;
    size_t bytes;
    _Atomic bool sealed;
    _Atomic bool lock_refused;
} taken = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool thread_sealed;
static _Atomic uint64_t allocations_after_seal;

static void note(void *memory, size_t bytes, const char *what, enum mem_kind kind)
{
    (void)pthread_mutex_lock(&taken.lock);
    must(taken.regions_count < REGIONS_MAX);
    taken.regions[taken.regions_count++] = (struct region){memory, bytes, what, kind};
    taken.bytes += bytes;
    if (kind == MEM_SECRET) {
#ifdef RS_ASAN
        __lsan_register_root_region(memory,
                                    bytes); /* what cipher contexts point at is not leaked */
#endif
        /* On fault: what is never used costs nothing. mem_lock_all() touches the rest. */
        if (mlock2(memory, bytes, MLOCK_ONFAULT) != 0) {
            taken.lock_refused = true;
        }
        (void)madvise(memory, bytes, MADV_DONTDUMP);
    }
    (void)pthread_mutex_unlock(&taken.lock);
}

/* Start only: there is nothing to fall back on, so it says what is missing and ends. */
static void *map(size_t bytes, int flags, int fd, const char *what)
{
    must(!taken.sealed);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == MAP_FAILED) {
        (void)fprintf(stderr,
                      "ringswitch: %zu bytes for %s are not to be had: lower its limit in the "
                      "configuration or add memory\n",
                      bytes, what);
        _exit(2);
    }
    return memory;
}

void *mem_take(enum mem_kind kind, size_t bytes, const char *what)
{
    bytes = (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    void *memory = map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, what);
    if (kind == MEM_SECRET) {
        (void)madvise(memory, bytes, MADV_WIPEONFORK);
    } else if (bytes >= HUGE_BYTES) {
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: tables are read at random */
    }
    note(memory, bytes, what, kind);
    return memory;
}

void *mem_take_shared(enum mem_kind kind, size_t bytes, const char *what, int *fd)
{
    bytes = (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    *fd = memfd_create(what, 0);
    if (*fd < 0 || ftruncate(*fd, (off_t)bytes) != 0) {
        (void)fprintf(stderr,
                      "ringswitch: %zu bytes of shared memory for %s are refused: %s; raise the "
                      "limits of files and their sizes (ulimit -n, -f)\n",
                      bytes, what, strerror(errno));
        _exit(2);
    }
    void *memory = map(bytes, MAP_SHARED, *fd, what);
    note(memory, bytes, what, kind);
    return memory;
}

bool mem_lock_all(void)
{
    bool locked = true;
    (void)pthread_mutex_lock(&taken.lock);
    for (uint32_t i = 0; i < taken.regions_count; i++) {
        const struct region *region = &taken.regions[i];
        locked &= mlock(region->memory, region->bytes) == 0; /* touches every page too */
    }
    (void)pthread_mutex_unlock(&taken.lock);
    return locked;
}

static bool touch(const void *memory, size_t bytes)
{
    uintptr_t begin = (uintptr_t)memory & ~(uintptr_t)(PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)memory + bytes + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
    return bytes == 0 || madvise((void *)begin, end - begin, MADV_POPULATE_WRITE) == 0;
}

void mem_touch(const void *memory, size_t bytes)
{
    (void)touch(memory, bytes);
}

bool mem_touch_all(void)
{
    bool there = true;
    (void)pthread_mutex_lock(&taken.lock);
    for (uint32_t i = 0; i < taken.regions_count && there; i++) {
        there = touch(taken.regions[i].memory, taken.regions[i].bytes);
    }
    (void)pthread_mutex_unlock(&taken.lock);
    return there;
}

bool mem_touch_next(struct mem_cursor *cursor)
{
    while (cursor->region < taken.regions_count) {
        const struct region *region = &taken.regions[cursor->region];
        size_t left = region->bytes - cursor->offset;
        if (region->bytes > MEM_TOUCH_REGION || left == 0) {
            cursor->region++;
            cursor->offset = 0;
            continue;
        }
        size_t piece = left < MEM_TOUCH_PIECE ? left : MEM_TOUCH_PIECE;
        mem_touch((const uint8_t *)region->memory + cursor->offset, piece);
        cursor->offset += piece;
        return true;
    }
    return false;
}

bool mem_secrets_locked(void)
{
    return !taken.lock_refused;
}

void mem_seal(void)
{
    taken.sealed = true;
}

void mem_seal_thread(void)
{
    thread_sealed = true;
}

bool mem_thread_is_sealed(void)
{
    return thread_sealed;
}

void mem_count_allocation(void)
{
    atomic_fetch_add_explicit(&allocations_after_seal, 1, memory_order_relaxed);
}

uint64_t mem_allocations_after_seal(void)
{
    return atomic_load_explicit(&allocations_after_seal, memory_order_relaxed);
}

size_t mem_taken_bytes(void)
{
    (void)pthread_mutex_lock(&taken.lock);
    size_t bytes = taken.bytes;
    (void)pthread_mutex_unlock(&taken.lock);
    return bytes;
}

void mem_each(void (*row)(void *context, const char *what, size_t bytes, bool secret),
              void *context)
{
    for (uint32_t i = 0; i < taken.regions_count; i++) {
        const struct region *region = &taken.regions[i];
        row(context, region->what, region->bytes, region->kind == MEM_SECRET);
    }
}

void mem_wipe_secrets(void)
{
    for (uint32_t i = 0; i < taken.regions_count; i++) {
        if (taken.regions[i].kind == MEM_SECRET) {
            secret_wipe(taken.regions[i].memory, taken.regions[i].bytes);
        }
    }
}

uint32_t mem_mark(void)
{
    return taken.regions_count;
}

void mem_release_to(uint32_t mark)
{
    (void)pthread_mutex_lock(&taken.lock);
    must(mark <= taken.regions_count && !taken.sealed);
    while (taken.regions_count > mark) {
        const struct region *region = &taken.regions[--taken.regions_count];
        taken.bytes -= region->bytes;
        must(munmap(region->memory, region->bytes) == 0);
    }
    (void)pthread_mutex_unlock(&taken.lock);
}
