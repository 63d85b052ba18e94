/* board.h - health of the endpoints: one cache line each, written by the worker that owns the
 * endpoint's link, read by every worker before it routes there. Relaxed atomics: a reader that is
 * late by a turn learns from OUTCOME not_sent. */
#ifndef SWITCH_BOARD_H
#define SWITCH_BOARD_H

#include "base/limits.h"
#include <stdatomic.h>
#include <stdint.h>

struct board_endpoint {
    _Alignas(64) _Atomic uint32_t is_up; /* connected, and signed on where the adapter wants it */
    _Atomic uint32_t in_flight;          /* our requests without an answer */
    _Atomic uint64_t sent_count, answered_count, silent_count, late_count;
    _Atomic int64_t changed_ns; /* boot time of the last up or down */
};
_Static_assert(sizeof(struct board_endpoint) == 64, "one cache line an endpoint");

struct board {
    struct board_endpoint endpoints[LIMIT_ENDPOINTS_MAX];
};

#endif
