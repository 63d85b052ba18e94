/* arena.c - memory of one dialect. */
#include "iso8583/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES (64u * 1024u)

void *arena_take(struct arena *arena, size_t size)
{
    size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < size) {
        size_t data = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = calloc(1, sizeof(*block) + data);
        must(block != NULL);
        block->size = data;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *out = (uint8_t *)block->data + block->used;
    block->used += size;
    return out;
}

char *arena_copy(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_take(arena, size + 1);
    memcpy(copy, text, size);
    return copy;
}

void arena_free(struct arena_block *blocks)
{
    while (blocks != NULL) {
        struct arena_block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}
