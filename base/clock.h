/* clock.h - time as the data plane sees it: read once a turn, the same for everything in the turn.
 *
 * now_ns is CLOCK_BOOTTIME and never goes back. utc_ns starts at the wall clock, advances with
 * boot time and is slewed toward the wall clock by at most 500 ppm; a step of the wall clock raises
 * `stepped` and is otherwise only followed by the slew. The simulator owns a clock whose source is
 * its own. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

struct clock_source {
    int64_t (*boot_ns)(void *context);
    int64_t (*wall_ns)(void *context);
    void *context;
};

struct clock {
    int64_t now_ns; /* boot time of this turn */
    int64_t utc_ns; /* slewed UTC of this turn */
    bool stepped;   /* the wall clock is more than a second away */
    struct clock_source source;
    int64_t wall_read_ns; /* boot time at which the wall clock was last looked at */
    int64_t slew_from_ns;
    int32_t slew_ppm;
};

extern const struct clock_source clock_system;

void clock_start(struct clock *clock, const struct clock_source *source);
void clock_tick(struct clock *clock);

/* A date and time in UTC. */
struct clock_date {
    int32_t year;
    uint8_t month, day, hour, minute, second; /* 1.., 1.., 0.. */
};
struct clock_date clock_utc_date(int64_t utc_ns);
int64_t clock_utc_ns(const struct clock_date *date);

#endif
