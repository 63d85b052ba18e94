/* weather.h - what goes wrong around the process, by chance, for a while: the HSM is silent or
 * down, the disk slow, full or broken, a follower stands still, the wall clock is set, much time
 * passes, a scheme is away. */
#ifndef SIM_WEATHER_H
#define SIM_WEATHER_H

#include "tests/sim/host.h"
#include "tests/sim/scheme.h"

enum weather_kind {
    WEATHER_HSM_SILENT,
    WEATHER_HSM_DOWN,
    WEATHER_DISK_SLOW,
    WEATHER_DISK_FULL,
    WEATHER_DISK_ERROR,
    WEATHER_FOLLOWER_STALLS,
    WEATHER_CLOCK_STEP,
    WEATHER_CLOCK_LEAP, /* so that windows of an hour pass */
    WEATHER_SCHEME_AWAY,
    WEATHERS_COUNT
};

struct weather {
    int64_t until_ns[WEATHERS_COUNT]; /* 0 = not now */
    enum follower_kind stalled;
    uint32_t away;          /* of the schemes */
    struct scheme *schemes; /* SIM_ENDPOINTS */
    uint64_t counts[WEATHERS_COUNT];
};
/* To be called now and then. */
void weather_change(struct weather *weather, struct host *host, struct sim_world *world);
void weather_clear(struct weather *weather, struct host *host);
const char *weather_name(enum weather_kind kind);

#endif
