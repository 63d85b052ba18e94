/* alloc_guard.c - malloc and its kin for the daemon: a sealed thread that allocates is counted and
 * ends the process. Linked into ringswitch only, and not under sanitizers, which bring their own. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The C library's own allocator under its reserved names. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

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
