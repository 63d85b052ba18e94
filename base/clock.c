/* clock.c - see clock.h. The slew is looked at once a second; between looks time is a straight
 * line. */
#include "base/clock.h"

#include <time.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define SLEW_PPM_MAX 500
#define LOOK_NS      NS_PER_S
#define STEP_NS      NS_PER_S

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    must(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t system_boot_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_BOOTTIME);
}

static int64_t system_wall_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

const struct clock_source clock_system = {.boot_ns = system_boot_ns, .wall_ns = system_wall_ns};

void clock_start(struct clock *clock, const struct clock_source *source)
{
    *clock = (struct clock){.source = *source};
    clock->now_ns = source->boot_ns(source->context);
    clock->utc_ns = source->wall_ns(source->context);
    clock->wall_read_ns = clock->now_ns;
    clock->slew_from_ns = clock->utc_ns;
}

/* Chooses the rate of the next second from how far the wall clock is away. */
static void look_at_wall(struct clock *clock)
{
    int64_t away_ns = clock->source.wall_ns(clock->source.context) - clock->utc_ns;
    clock->stepped = away_ns > STEP_NS || away_ns < -STEP_NS;
    int64_t ppm = away_ns / (LOOK_NS / 1000000);
    clock->slew_ppm = (int32_t)(ppm > SLEW_PPM_MAX    ? SLEW_PPM_MAX
                                : ppm < -SLEW_PPM_MAX ? -SLEW_PPM_MAX
                                                      : ppm);
    clock->wall_read_ns = clock->now_ns;
    clock->slew_from_ns = clock->utc_ns;
}

void clock_tick(struct clock *clock)
{
    int64_t now_ns = clock->source.boot_ns(clock->source.context);
    if (now_ns > clock->now_ns) {
        clock->now_ns = now_ns;
    }
    int64_t elapsed_ns = clock->now_ns - clock->wall_read_ns;
    /* The rate was chosen for LOOK_NS: after a longer silence it must not overshoot. */
    int64_t slewed_ns = elapsed_ns < LOOK_NS ? elapsed_ns : LOOK_NS;
    clock->utc_ns = clock->slew_from_ns + elapsed_ns + slewed_ns * clock->slew_ppm / 1000000;
    if (elapsed_ns >= LOOK_NS) {
        look_at_wall(clock);
    }
}

/* ---- civil time ------------------------------------------------------------------------------ */

#define SECONDS_PER_DAY 86400

/* Years are counted from March, so that the leap day is the last of its year; 146,097 days make the
 * 400 years after which the Gregorian calendar repeats. */
static int64_t days_before(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468; /* 1970-01-01 */
}

int64_t clock_utc_ns(const struct clock_date *date)
{
    int64_t seconds = days_before(date->year, date->month, date->day) * SECONDS_PER_DAY +
                      date->hour * 3600 + date->minute * 60 + date->second;
    return seconds * NS_PER_S;
}

struct clock_date clock_utc_date(int64_t utc_ns)
{
    int64_t seconds = utc_ns / NS_PER_S - (utc_ns % NS_PER_S < 0);
    int64_t days = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
    int64_t second = seconds - days * SECONDS_PER_DAY;
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    return (struct clock_date){
        .year = (int32_t)(year_of_era + era * 400 + (month >= 10)),
        .month = (uint8_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint8_t)(day_of_year - (153 * month + 2) / 5 + 1),
        .hour = (uint8_t)(second / 3600),
        .minute = (uint8_t)(second / 60 % 60),
        .second = (uint8_t)(second % 60),
    };
}
