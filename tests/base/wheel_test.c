#include "base/clock.h"
#include "base/wheel.h"
#include <criterion/criterion.h>
#include <stdlib.h>

#define TIMERS 3000

/* Against a plain array: never early, never more than a tick late, each once, at any distance. */
Test(wheel, agrees_with_a_plain_list)
{
    static struct wheel wheel;
    static struct wheel_entry entries[TIMERS];
    static bool armed[TIMERS];
    int64_t now_ns = 1234567 * NS_PER_MS;
    uint64_t seed = 42;
    wheel_init(&wheel, now_ns);
    for (int step = 0; step < 20000; step++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t i = (uint32_t)(seed >> 33) % TIMERS;
        int64_t reach_ms = INT64_C(1) << ((seed >> 20) % 27);
        int64_t delay_ns = (int64_t)(seed >> 11) % (reach_ms * NS_PER_MS);
        if ((seed >> 60) % 4 == 0) {
            wheel_disarm(&wheel, &entries[i]);
            armed[i] = false;
        } else {
            wheel_arm(&wheel, &entries[i], now_ns + delay_ns);
            armed[i] = true;
        }
        now_ns += (int64_t)(seed >> 5) % (50 * NS_PER_MS);
        struct wheel_entry *entry;
        while ((entry = wheel_expired(&wheel, now_ns)) != NULL) {
            ptrdiff_t index = entry - entries;
            cr_assert(armed[index] && entry->deadline_ns <= now_ns);
            armed[index] = false;
        }
        int64_t earliest = INT64_MAX;
        uint32_t count = 0;
        for (int k = 0; k < TIMERS && step % 50 == 0; k++) {
            if (armed[k]) {
                count++;
                cr_assert_gt(entries[k].deadline_ns, now_ns - NS_PER_MS);
                earliest = entries[k].deadline_ns < earliest ? entries[k].deadline_ns : earliest;
            }
        }
        if (step % 50 == 0) {
            cr_assert_eq(count, wheel.armed_count);
            cr_assert(wheel_deadline(&wheel) <= earliest + NS_PER_MS || count == 0);
        }
    }
}

Test(wheel, is_empty_and_says_so)
{
    static struct wheel wheel;
    static struct wheel_entry entry;
    wheel_init(&wheel, 0);
    cr_assert_eq(wheel_deadline(&wheel), INT64_MAX);
    cr_assert_null(wheel_expired(&wheel, NS_PER_S));
    wheel_arm(&wheel, &entry, 2 * NS_PER_S);
    wheel_disarm(&wheel, &entry);
    wheel_disarm(&wheel, &entry);
    cr_assert_null(wheel_expired(&wheel, 3 * NS_PER_S));
    wheel_arm(&wheel, &entry, NS_PER_S); /* in the past */
    cr_assert_eq(wheel_expired(&wheel, 3 * NS_PER_S), &entry);
}

/* A whole turn of the highest level ahead is not the slot of now. */
Test(wheel, reaches_beyond_its_last_level)
{
    static struct wheel wheel;
    static struct wheel_entry entries[40];
    int64_t now_ns = ((INT64_C(1) << 20) - 1) * NS_PER_MS; /* the last tick of a highest slot */
    wheel_init(&wheel, now_ns);
    for (int i = 0; i < 40; i++) {
        wheel_arm(&wheel, &entries[i], now_ns + (((int64_t)i << 20) + 5) * NS_PER_MS);
    }
    uint32_t due = 0;
    for (int64_t step = 0; step < 45 && due < 40; step++) {
        struct wheel_entry *entry;
        while ((entry = wheel_expired(&wheel, now_ns)) != NULL) {
            cr_assert_eq(entry, &entries[due]);
            due++;
        }
        now_ns += (INT64_C(1) << 20) * NS_PER_MS;
    }
    cr_assert_eq(due, 40);
}

/* Many deadlines on one tick, far away and near, come out in one sweep, each once. */
Test(wheel, a_crowd_on_one_tick)
{
    static struct wheel wheel;
    static struct wheel_entry entries[5000];
    wheel_init(&wheel, 0);
    for (int i = 0; i < 5000; i++) {
        wheel_arm(&wheel, &entries[i], 3 * NS_PER_S);
    }
    cr_assert_null(wheel_expired(&wheel, 3 * NS_PER_S - 1));
    cr_assert_leq(wheel_deadline(&wheel), 3 * NS_PER_S);
    uint32_t count = 0;
    while (wheel_expired(&wheel, 3 * NS_PER_S) != NULL) {
        count++;
    }
    cr_assert_eq(count, 5000);
    cr_assert_eq(wheel.armed_count, 0);
}
