/* arena.h - memory of one dialect: taken in blocks while loading, given back all at once.
 * Control thread only. Out of memory ends the program: must(). */
#ifndef ISO8583_ARENA_H
#define ISO8583_ARENA_H

#include "base/base.h"

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    max_align_t data[];
};
struct arena {
    struct arena_block *blocks;
};

void *arena_take(struct arena *arena, size_t size); /* zeroed, aligned for anything */
char *arena_copy(struct arena *arena, const char *text, size_t size); /* with a NUL */
void arena_free(struct arena_block *blocks);

#endif
