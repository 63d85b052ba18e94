/* weather.c - see weather.h. */
#include "tests/sim/weather.h"

static const char *const names[WEATHERS_COUNT] = {
    [WEATHER_HSM_SILENT] = "HSM silent",
    [WEATHER_HSM_DOWN] = "HSM down",
    [WEATHER_DISK_SLOW] = "disk slow",
    [WEATHER_DISK_FULL] = "disk full",
    [WEATHER_DISK_ERROR] = "journal write fails",
    [WEATHER_FOLLOWER_STALLS] = "follower stalls",
    [WEATHER_CLOCK_STEP] = "wall clock set",
    [WEATHER_CLOCK_LEAP] = "time passes",
    [WEATHER_SCHEME_AWAY] = "scheme away",
};

const char *weather_name(enum weather_kind kind)
{
    return names[kind];
}

static void begin(struct weather *weather, enum weather_kind kind, struct host *host,
                  struct sim_world *world)
{
    struct sim_random *random = sim_world_random(world);
    switch (kind) {
    case WEATHER_HSM_SILENT:
        host_hsm(host, HSM_SIM_SILENT);
        break;
    case WEATHER_HSM_DOWN:
        host_hsm(host, HSM_SIM_DOWN);
        break;
    case WEATHER_DISK_SLOW:
        host_disk_slow(host, 10 + (uint32_t)sim_below(random, 200));
        break;
    case WEATHER_DISK_FULL:
        host_disk_full(host, true);
        break;
    case WEATHER_DISK_ERROR:
        host_disk_error(host);
        break;
    case WEATHER_FOLLOWER_STALLS:
        weather->stalled = (enum follower_kind)sim_below(random, FOLLOWERS_COUNT);
        host_follower_stalls(host, weather->stalled, true);
        break;
    case WEATHER_CLOCK_STEP:
        sim_world_step_clock(world,
                             (int64_t)sim_below(random, 240 * (uint64_t)NS_PER_S) - 120 * NS_PER_S);
        break;
    case WEATHER_CLOCK_LEAP:
        sim_world_step_clock(world, (int64_t)sim_below(random, 70 * 60) * NS_PER_S);
        break;
    case WEATHER_SCHEME_AWAY:
        weather->away = (uint32_t)sim_below(random, SIM_ENDPOINTS);
        scheme_leave(&weather->schemes[weather->away]);
        break;
    case WEATHERS_COUNT:
        break;
    }
}

static void end(struct weather *weather, enum weather_kind kind, struct host *host)
{
    switch (kind) {
    case WEATHER_HSM_SILENT:
    case WEATHER_HSM_DOWN:
        host_hsm(host, HSM_SIM_UP);
        break;
    case WEATHER_DISK_SLOW:
        host_disk_slow(host, 1);
        break;
    case WEATHER_DISK_FULL:
        host_disk_full(host, false);
        break;
    case WEATHER_FOLLOWER_STALLS:
        host_follower_stalls(host, weather->stalled, false);
        break;
    case WEATHER_SCHEME_AWAY:
        scheme_return(&weather->schemes[weather->away]);
        break;
    case WEATHER_DISK_ERROR:
    case WEATHER_CLOCK_STEP:
    case WEATHER_CLOCK_LEAP:
    case WEATHERS_COUNT:
        break;
    }
    weather->until_ns[kind] = 0;
}

void weather_change(struct weather *weather, struct host *host, struct sim_world *world)
{
    struct sim_random *random = sim_world_random(world);
    int64_t now_ns = sim_world_now_ns(world);
    for (uint32_t kind = 0; kind < WEATHERS_COUNT; kind++) {
        if (weather->until_ns[kind] != 0 && now_ns >= weather->until_ns[kind]) {
            end(weather, (enum weather_kind)kind, host);
        }
    }
    enum weather_kind kind = (enum weather_kind)sim_below(random, WEATHERS_COUNT);
    if (sim_percent(random, 5) && weather->until_ns[kind] == 0) {
        weather->counts[kind]++;
        weather->until_ns[kind] = now_ns + (int64_t)sim_below(random, 5 * (uint64_t)NS_PER_S);
        begin(weather, kind, host, world);
    }
}

void weather_clear(struct weather *weather, struct host *host)
{
    for (uint32_t kind = 0; kind < WEATHERS_COUNT; kind++) {
        if (weather->until_ns[kind] != 0) {
            end(weather, (enum weather_kind)kind, host);
        }
    }
}
