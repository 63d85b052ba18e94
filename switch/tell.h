/* tell.h - what a worker says to the log about things that a peer can make happen: so many lines a
 * second of each kind, and how many were left out. The counters (metrics) miss nothing. */
#ifndef SWITCH_TELL_H
#define SWITCH_TELL_H

#include "base/clock.h"

enum tell {
    TELL_SHED,
    TELL_MALFORMED,
    TELL_UNMATCHED,
    TELL_LATE,
    TELL_SILENT,
    TELL_NOT_SENT,
    TELL_LINK,
    TELL_REFUSED,
    TELLS_COUNT
};

#define TELL_PER_SECOND 20u

struct teller {
    int64_t since_ns;
    uint32_t said, left_out;
};

/* True: say it, and that `left_out` like it were not said before. */
static inline bool tell_may(struct teller *tellers, enum tell kind, int64_t now_ns,
                            int64_t *left_out)
{
    struct teller *teller = &tellers[kind];
    if (teller->since_ns == 0 || now_ns - teller->since_ns >= NS_PER_S) {
        teller->since_ns = now_ns;
        teller->said = 0;
    }
    if (teller->said >= TELL_PER_SECOND) {
        teller->left_out++;
        return false;
    }
    teller->said++;
    *left_out = teller->left_out;
    teller->left_out = 0;
    return true;
}

#endif
