/* mem.h - memory of the data plane: taken at start, locked where it held card data, then sealed.
 *
 * mem_take() is for the start only (aborts after mem_seal()). MEM_SECRET regions are mlock()ed and
 * MADV_DONTDUMP, and are wiped by mem_wipe_secrets() at exit. After the seal the data plane
 * allocates nothing; malloc from a data-plane thread after its mem_seal_thread() aborts
 * (alloc_guard.c). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/base.h"

enum mem_kind {
    MEM_PLAIN,  /* zeroed, page aligned, touched lazily */
    MEM_SECRET, /* as MEM_PLAIN, and locked, undumpable, wiped at exit */
};

/* What is it for ("transactions"): a constant string, printed with its size at start. */
NODISCARD void *mem_take(enum mem_kind kind, size_t bytes, const char *what);

/* Shared with a child process (MAP_SHARED memfd). *fd is close-on-exec off. */
NODISCARD void *mem_take_shared(enum mem_kind kind, size_t bytes, const char *what, int *fd);

/* Touches and locks everything taken: production. Returns false when mlock is refused. */
NODISCARD bool mem_lock_all(void);
bool mem_secrets_locked(void); /* false: mlock was refused for some MEM_SECRET region */

/* Touches everything taken: the kernel has no page left to find. Returns false when there is less
 * memory than that. */
NODISCARD bool mem_touch_all(void);

/* Brings the pages of a part of what was taken in without changing them, so that a first write
 * does not wait for the kernel. A wish: where the kernel does not know how, nothing happens. */
void mem_touch(const void *memory, size_t bytes);

/* The same for everything that was taken in regions of at most MEM_TOUCH_REGION bytes (rings,
 * buffers; large tables are their owner's matter), a piece a call. False: all of it is there. After
 * the seal; any thread. */
#define MEM_TOUCH_REGION (32u << 20)
#define MEM_TOUCH_PIECE  (1u << 20)
struct mem_cursor {
    uint32_t region;
    size_t offset;
};
bool mem_touch_next(struct mem_cursor *cursor);

void mem_seal(void);
void mem_seal_thread(void);      /* from now on this thread must not allocate */
bool mem_thread_is_sealed(void); /* for base/alloc_guard.c */
void mem_count_allocation(void);
uint64_t mem_allocations_after_seal(void);
size_t mem_taken_bytes(void);
/* Calls `row` for each region: the table that the start prints. */
void mem_each(void (*row)(void *context, const char *what, size_t bytes, bool secret),
              void *context);
void mem_wipe_secrets(void);

/* Tests and the simulator, where processes come and go inside one: everything taken after the mark
 * is given back (shared memory is not). */
NODISCARD uint32_t mem_mark(void);
void mem_release_to(uint32_t mark);

#endif
