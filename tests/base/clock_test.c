#include "base/clock.h"
#include <criterion/criterion.h>
#include <time.h>

struct fake {
    int64_t boot_ns, wall_ns;
};

static int64_t fake_boot(void *context)
{
    return ((struct fake *)context)->boot_ns;
}

static int64_t fake_wall(void *context)
{
    return ((struct fake *)context)->wall_ns;
}

Test(clock, a_step_of_the_wall_clock_is_only_slewed)
{
    struct fake fake = {.boot_ns = 5 * NS_PER_S, .wall_ns = 1000 * NS_PER_S};
    const struct clock_source source = {fake_boot, fake_wall, &fake};
    struct clock clock;
    clock_start(&clock, &source);
    fake.wall_ns += 3600 * NS_PER_S; /* somebody sets the clock */
    int64_t before_ns = clock.utc_ns;
    for (int i = 0; i < 10000; i++) {
        fake.boot_ns += NS_PER_MS;
        fake.wall_ns += NS_PER_MS;
        clock_tick(&clock);
        cr_assert_geq(clock.utc_ns, before_ns);
        cr_assert_leq(clock.utc_ns - before_ns, NS_PER_MS + NS_PER_MS / 1000);
        before_ns = clock.utc_ns;
    }
    cr_assert(clock.stepped);
    cr_assert_gt(clock.utc_ns, 1010 * NS_PER_S + 3 * NS_PER_MS); /* on its way: up to 500 ppm */
    cr_assert_lt(clock.utc_ns, 1010 * NS_PER_S + 6 * NS_PER_MS);
}

Test(clock, never_goes_back)
{
    struct fake fake = {.boot_ns = 5 * NS_PER_S, .wall_ns = 1000 * NS_PER_S};
    const struct clock_source source = {fake_boot, fake_wall, &fake};
    struct clock clock;
    clock_start(&clock, &source);
    fake.boot_ns -= NS_PER_S;
    clock_tick(&clock);
    cr_assert_eq(clock.now_ns, 5 * NS_PER_S);
}

Test(clock, dates_agree_with_the_library)
{
    for (int64_t seconds = -80000000000; seconds < 80000000000; seconds += 86399 * 97) {
        time_t t = (time_t)seconds;
        struct tm tm;
        cr_assert_not_null(gmtime_r(&t, &tm));
        struct clock_date d = clock_utc_date(
            seconds >= -9000000000 && seconds <= 9000000000 ? seconds * NS_PER_S : 0);
        if (seconds < -9000000000 || seconds > 9000000000) {
            continue;
        }
        cr_assert_eq(d.year, tm.tm_year + 1900);
        cr_assert_eq(d.month, tm.tm_mon + 1);
        cr_assert_eq(d.day, tm.tm_mday);
        cr_assert_eq(d.hour * 3600 + d.minute * 60 + d.second,
                     tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
        cr_assert_eq(clock_utc_ns(&d), seconds * NS_PER_S);
    }
}

Test(clock, a_long_silence_does_not_overshoot)
{
    struct fake fake = {.boot_ns = 5 * NS_PER_S, .wall_ns = 1000 * NS_PER_S};
    const struct clock_source source = {fake_boot, fake_wall, &fake};
    struct clock clock;
    clock_start(&clock, &source);
    fake.wall_ns += 400 * NS_PER_US; /* as much as a second of slewing makes good */
    fake.boot_ns += NS_PER_S;
    fake.wall_ns += NS_PER_S;
    clock_tick(&clock); /* looks, and chooses the rate of the next second */
    fake.boot_ns += 3600 * NS_PER_S;
    fake.wall_ns += 3600 * NS_PER_S;
    clock_tick(&clock);
    cr_assert(!clock.stepped);
    cr_assert_leq(clock.utc_ns, fake.wall_ns);
    cr_assert_geq(clock.utc_ns, fake.wall_ns - 400 * NS_PER_US);
}
