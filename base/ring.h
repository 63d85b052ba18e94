/* ring.h - single-producer single-consumer ring of length-prefixed records.
 *
 * DESIGN  Position independent (works in memory shared by two processes). Records are 8-byte
 * aligned; one that would cross the end is preceded by a padding record. The producer publishes
 * with ring_publish() once per batch: written records are invisible before. Nothing ever waits: a
 * full ring makes ring_reserve() return NULL, which credits make impossible where it matters.
 *
 * OWNERSHIP  A reserved pointer is the producer's until ring_publish(); a peeked pointer is the
 * consumer's until ring_release(). */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/base.h"
#include "base/limits.h"

struct ring; /* opaque; lives in the memory given to ring_init() */

/* Bytes of memory for a ring whose data area has `capacity` bytes (a power of two). */
size_t ring_bytes(uint32_t capacity);
struct ring *ring_init(void *memory, uint32_t capacity);

/* Producer. */
NODISCARD void *ring_reserve(struct ring *ring, uint32_t size); /* 1..LIMIT_RECORD_BYTES_MAX */
void ring_publish(struct ring *ring);                           /* all reserved so far */
bool ring_has_unpublished(const struct ring *ring);
uint32_t ring_free_bytes(struct ring *ring); /* as the producer sees it */

/* Consumer. NULL when empty. ring_next() moves on; ring_release() gives all passed records back. */
NODISCARD void *ring_peek(struct ring *ring, uint32_t *size);
void ring_next(struct ring *ring);
void ring_release(struct ring *ring);
bool ring_empty(const struct ring *ring); /* either side */

#endif
