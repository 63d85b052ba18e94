/* match.h - our messages that wait for an answer, by endpoint, MTI class, STAN and DE7.
 *
 * DESIGN  A chained hash table of fixed entries. An entry belongs to a transaction of this worker,
 * a transaction of another worker, a stored message or a network message of ours. When its deadline
 * passes it stays for MATCH_LATE_NS as `late`, so that the answer that comes after all is counted
 * and never delivered; an answer that meets no entry is `unmatched`.
 *
 * Runs on the worker that owns the endpoint's link; bound: entries_max. */
#ifndef SWITCH_MATCH_H
#define SWITCH_MATCH_H

#include "base/clock.h"
#include "switch/timer.h"

struct worker;

#define MATCH_NONE    UINT32_MAX
#define MATCH_LATE_NS (60 * NS_PER_S)

enum match_kind { MATCH_FREE, MATCH_TXN, MATCH_REMOTE, MATCH_ITEM, MATCH_NETWORK, MATCH_LATE };

struct match_key {
    uint64_t packed;
};
/* function: the request's third digit; an answer's is one more. */
struct match_key match_key(uint16_t endpoint, const char mti[4], uint64_t de7, uint32_t stan);

struct match_entry {
    struct timer timer;
    uint64_t key;
    uint32_t next; /* in its bucket, or free */
    uint32_t slot, generation;
    uint16_t worker; /* REMOTE: whose transaction */
    uint16_t endpoint;
    uint8_t kind; /* enum match_kind */
    uint8_t attempt;
};

struct match {
    struct match_entry *entries;
    uint32_t *buckets;
    uint32_t entries_max, buckets_count, free, used_count;
    uint64_t seed;
};

size_t match_bytes(uint32_t entries_max);
void match_create(struct match *match, uint32_t entries_max, uint64_t seed);
/* Index of the new entry; MATCH_NONE: full, or the key is in use. deadline_ns INT64_MAX: the owner
 * has a timer of its own and calls match_make_late(). */
uint32_t match_add(struct worker *worker, struct match_key key, enum match_kind kind, uint32_t slot,
                   uint32_t generation, int64_t deadline_ns);
struct match_entry *match_find(struct match *match, struct match_key key);
void match_remove(struct worker *worker, uint32_t index);
void match_make_late(struct worker *worker, uint32_t index);
void match_timer(struct worker *worker, struct match_entry *entry);

#endif
