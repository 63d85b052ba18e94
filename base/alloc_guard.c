/* alloc_guard.c - malloc and its kin for the daemon: a sealed thread that allocates is counted and
 * ends the process. Linked into ringswitch only; under sanitizers, which bring their own malloc, it
 * is a hook of theirs. free() stays free: what was allocated before the seal may be given back. */
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void check(void)
{
    if (unlikely(mem_thread_is_sealed())) {
        static const char text[] = "ringswitch: a sealed thread allocated memory\n";
        mem_count_allocation();
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        abort();
    }
}

#if defined(RS_ASAN) || defined(RS_FUZZ) || defined(__SANITIZE_THREAD__)

/* sanitizer/allocator_interface.h, which gcc does not bring. */
int __sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void *, size_t),
                                              void (*given_back)(const volatile void *));

static void taken(const volatile void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
    check();
}

static void given_back(const volatile void *memory)
{
    (void)memory;
}

__attribute__((constructor)) static void place_over_malloc(void)
{
    must(__sanitizer_install_malloc_and_free_hooks(taken, given_back) > 0);
}

#else

/* The C library's own allocator under its reserved names. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

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

#endif
