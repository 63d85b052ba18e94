/* wheel.h - hierarchical timer wheel, 1 ms ticks, entries embedded in their owner.
 * One wheel per worker; no allocation; adding and removing are O(1). */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/base.h"

#define WHEEL_LEVELS 5
#define WHEEL_SLOTS  32 /* 5 bits a level: 2^25 ms = 9.3 hours; later deadlines re-enter */

struct wheel_entry {
    struct wheel_entry *next, *previous; /* NULL when not armed */
    int64_t deadline_ns;
    uint8_t level, slot;
};

struct wheel {
    struct wheel_entry slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint32_t occupied[WHEEL_LEVELS]; /* a bit a slot */
    int64_t tick_ms;                 /* all entries of earlier ticks have run */
    uint32_t armed_count;
};

void wheel_init(struct wheel *wheel, int64_t now_ns);
void wheel_arm(struct wheel *wheel, struct wheel_entry *entry,
               int64_t deadline_ns);                               /* re-arms too */
void wheel_disarm(struct wheel *wheel, struct wheel_entry *entry); /* idempotent */
/* Detaches and returns one entry whose deadline has passed, or NULL. Call until NULL. */
NODISCARD struct wheel_entry *wheel_expired(struct wheel *wheel, int64_t now_ns);
/* The earliest time at which wheel_expired() may return something; INT64_MAX when empty. */
int64_t wheel_deadline(const struct wheel *wheel);

#endif
