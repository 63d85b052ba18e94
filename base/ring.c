/* ring.c - see ring.h.
 *
 * DESIGN  A record is {size u32, padding u32} and its bytes, rounded up to 8. Positions only grow;
 * the place is position & (capacity - 1). Producer and consumer each keep a copy of the other's
 * position and look at the shared one only when the copy does not suffice. */
#include "base/ring.h"

#include <stdatomic.h>
#include <string.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define RECORD_HEADER 8u
#define PADDING_MARK  0xFFFFFFFFu

struct ring {
    uint32_t capacity;
    uint32_t reserved[15];
    /* The producer's line. */
    _Atomic uint64_t published;
    uint64_t written; /* reserved so far; published when ring_publish() says so */
    uint64_t seen_released;
    uint64_t padding1[5];
    /* The consumer's line. */
    _Atomic uint64_t released;
    _Atomic uint64_t read; /* passed so far; the producer looks only in ring_empty() */
    uint64_t seen_published;
    uint64_t padding2[5];
    uint8_t data[];
};
_Static_assert(offsetof(struct ring, published) == 64, "the producer has its own cache line");
_Static_assert(offsetof(struct ring, released) == 128, "the consumer has its own cache line");
_Static_assert(offsetof(struct ring, data) % 8 == 0, "records are 8-byte aligned");

size_t ring_bytes(uint32_t capacity)
{
    return sizeof(struct ring) + capacity;
}

struct ring *ring_init(void *memory, uint32_t capacity)
{
    must(capacity >= 4 * LIMIT_RECORD_BYTES_MAX && (capacity & (capacity - 1)) == 0);
    must((uintptr_t)memory % 64 == 0);
    struct ring *ring = memory;
    memset(ring, 0, sizeof *ring);
    ring->capacity = capacity;
    return ring;
}

static uint32_t record_size(uint32_t size)
{
    return RECORD_HEADER + ((size + 7u) & ~7u);
}

static bool has_room(struct ring *ring, uint64_t wanted)
{
    if (ring->written + wanted - ring->seen_released <= ring->capacity) {
        return true;
    }
    ring->seen_released = atomic_load_explicit(&ring->released, memory_order_acquire);
    return ring->written + wanted - ring->seen_released <= ring->capacity;
}

static void put_size(struct ring *ring, uint32_t at, uint32_t size)
{
    memcpy(ring->data + at, &size, sizeof size);
}

void *ring_reserve(struct ring *ring, uint32_t size)
{
    must(size > 0 && size <= LIMIT_RECORD_BYTES_MAX);
    uint32_t need = record_size(size);
    uint32_t at = (uint32_t)(ring->written & (ring->capacity - 1));
    uint32_t to_end = ring->capacity - at;
    uint32_t padding = to_end < need ? to_end : 0;
    if (!has_room(ring, (uint64_t)need + padding)) {
        return NULL;
    }
    if (padding > 0) { /* positions are multiples of 8: a size always fits */
        put_size(ring, at, PADDING_MARK);
        ring->written += padding;
        at = 0;
    }
    put_size(ring, at, size);
    ring->written += need;
    return ring->data + at + RECORD_HEADER;
}

/* Nothing new: the consumer's copy of the line stays valid. */
void ring_publish(struct ring *ring)
{
    if (ring_has_unpublished(ring)) {
        atomic_store_explicit(&ring->published, ring->written, memory_order_release);
    }
}

bool ring_has_unpublished(const struct ring *ring)
{
    return ring->written != atomic_load_explicit(&ring->published, memory_order_relaxed);
}

uint32_t ring_free_bytes(struct ring *ring)
{
    ring->seen_released = atomic_load_explicit(&ring->released, memory_order_acquire);
    return (uint32_t)(ring->capacity - (ring->written - ring->seen_released));
}

static uint64_t read_of(const struct ring *ring)
{
    return atomic_load_explicit(&ring->read, memory_order_relaxed);
}

static void set_read(struct ring *ring, uint64_t read)
{
    atomic_store_explicit(&ring->read, read, memory_order_relaxed);
}

static uint32_t size_at(const struct ring *ring, uint64_t position)
{
    uint32_t size;
    memcpy(&size, ring->data + (position & (ring->capacity - 1)), sizeof size);
    return size;
}

/* The memory may be another process's too: what it says is held against the bounds. */
void *ring_peek(struct ring *ring, uint32_t *size)
{
    uint64_t read = read_of(ring);
    for (uint32_t i = 0; i < 2; i++) { /* at most one padding stands before a record */
        if (read == ring->seen_published) {
            ring->seen_published = atomic_load_explicit(&ring->published, memory_order_acquire);
            if (read == ring->seen_published) {
                return NULL;
            }
        }
        uint32_t at = (uint32_t)(read & (ring->capacity - 1));
        uint32_t record = size_at(ring, read);
        if (record != PADDING_MARK) {
            must(record > 0 && record <= LIMIT_RECORD_BYTES_MAX &&
                 record_size(record) <= ring->seen_published - read &&
                 record_size(record) <= ring->capacity - at);
            *size = record;
            return ring->data + at + RECORD_HEADER;
        }
        read += ring->capacity - at;
        set_read(ring, read);
    }
    must(false); /* padding behind padding */
    return NULL;
}

void ring_next(struct ring *ring)
{
    uint64_t read = read_of(ring);
    must(read != ring->seen_published);
    set_read(ring, read + record_size(size_at(ring, read)));
}

void ring_release(struct ring *ring)
{
    uint64_t read = read_of(ring);
    if (atomic_load_explicit(&ring->released, memory_order_relaxed) != read) {
        atomic_store_explicit(&ring->released, read, memory_order_release);
    }
}

bool ring_empty(const struct ring *ring)
{
    return atomic_load_explicit(&ring->published, memory_order_acquire) == read_of(ring);
}
