/* alloc_guard.c - malloc and its kin for the daemon: a sealed thread that allocates is counted and
 * ends the process. Linked into ringswitch only, and not under sanitizers, which bring their own.
 * free() stays free: what was allocated before the seal may be given back after it. */
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The C library's own allocator under its reserved names. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static void check(void)
{
    if (unlikely(mem_thread_is_sealed())) {
        static const char text[] = "ringswitch: a sealed thread allocated memory\n";
        mem_count_allocation();
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        abort();
    }
}

void *malloc(size_t bytes)
{
    check();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    check();
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    check();
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    check();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    check();
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) {
        return EINVAL;
    }
    void *taken = __libc_memalign(alignment, bytes);
    if (taken == NULL) {
        return ENOMEM;
    }
    *memory = taken;
    return 0;
}
