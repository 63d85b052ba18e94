/* secret_heap.c - see secret_heap.h.
 *
 * DESIGN  libcrypto lets a program replace its allocator before its first allocation, for the whole
 * process: a constructor does that. Outside of open/close the functions are malloc, realloc, free.
 * The region is a bump allocator of 16-byte granules with the size before each block (realloc needs
 * it); a block that is freed is wiped and not used again. */
#include "hsm/secret_heap.h"

#include "base/mem.h"
#include "base/secret.h"
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES    ((size_t)256 * 1024)
#define HEADER_BYTES  16u
#define GRANULE_BYTES 16u

/* libcrypto's allocator is one for the process, so this is too. */
static struct {
    uint8_t *memory;
    size_t used;
    bool is_open;
    bool works;
} heap;

static bool holds(const void *memory)
{
    const uint8_t *byte = memory;
    return heap.memory != NULL && byte >= heap.memory && byte < heap.memory + HEAP_BYTES;
}

static size_t size_of(const void *block)
{
    size_t size;
    memcpy(&size, (const uint8_t *)block - HEADER_BYTES, sizeof size);
    return size;
}

static void *take(size_t bytes)
{
    size_t whole = HEADER_BYTES + ((bytes + GRANULE_BYTES - 1) & ~(size_t)(GRANULE_BYTES - 1));
    must(bytes <= HEAP_BYTES && heap.used + whole <= HEAP_BYTES);
    uint8_t *block = heap.memory + heap.used + HEADER_BYTES;
    memcpy(block - HEADER_BYTES, &bytes, sizeof bytes);
    heap.used += whole;
    return block;
}

static void *crypto_malloc(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return heap.is_open ? take(bytes) : malloc(bytes);
}

static void crypto_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    if (holds(memory)) {
        secret_wipe(memory, size_of(memory));
    } else {
        free(memory);
    }
}

static void *crypto_realloc(void *memory, size_t bytes, const char *file, int line)
{
    if (memory == NULL) {
        return crypto_malloc(bytes, file, line);
    }
    if (bytes == 0) {
        crypto_free(memory, file, line);
        return NULL;
    }
    if (!holds(memory)) {
        return realloc(memory, bytes);
    }
    void *moved = heap.is_open ? take(bytes) : malloc(bytes);
    if (moved != NULL) {
        size_t before = size_of(memory);
        memcpy(moved, memory, before < bytes ? before : bytes);
        crypto_free(memory, file, line);
    }
    return moved;
}

__attribute__((constructor)) static void place_under_libcrypto(void)
{
    heap.works = CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) == 1;
}

void hsm_secret_heap_open(void)
{
    if (heap.memory == NULL) {
        heap.memory = mem_take(MEM_SECRET, HEAP_BYTES, "hsm key schedules");
    }
    heap.is_open = true;
}

void hsm_secret_heap_close(void)
{
    heap.is_open = false;
}

bool hsm_secret_heap_works(void)
{
    return heap.works;
}

bool hsm_secret_heap_holds(const void *memory)
{
    return holds(memory);
}
