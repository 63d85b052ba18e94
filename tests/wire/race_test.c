/* race_test.c - an original on one link and its reversal on another, at the same time, in both
 * orders, on-us and forwarded. Whoever wins: both are answered as the rules say, nothing stands
 * afterwards, and what the scheme had approved is reversed there. */
#include "tests/wire/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define IN_FLIGHT 32u

struct race {
    bool is_forwarded, reversal_first;
    bool original_answered, reversal_answered;
    bool original_busy, reversal_busy; /* have to be said again */
    char original_de39[3], reversal_de39[3];
    char original_de44[26];
};

static struct rig rig;
static struct caller originals, reversals;
static struct race *races;
static uint32_t races_count;
static uint64_t seed;

static void original_of(uint32_t index, struct rig_message *message, char pan[20])
{
    *message = (struct rig_message){
        .mti = index % 2 == 0 ? "0200" : "0100", .amount_minor = 1000, .stan = 2 * index};
    demo_pan(1 + index % 250, pan);
    if (races[index].is_forwarded) {
        (void)snprintf(pan, 20, "%s", "4111111111111111");
    }
    message->pan = pan;
    (void)snprintf(message->rrn, sizeof message->rrn, "R%011u", index);
}

static bool say_original(uint32_t index)
{
    struct rig_message message;
    uint8_t bytes[1024];
    char pan[20];
    original_of(index, &message, pan);
    uint32_t size = rig_build(&rig, &message, bytes, sizeof bytes);
    return caller_say(&originals, (struct span){bytes, size});
}

static bool say_reversal(uint32_t index)
{
    struct rig_message message;
    uint8_t bytes[1024];
    char pan[20], original[43];
    original_of(index, &message, pan);
    rig_original(&message, original);
    message.mti = "0420";
    message.stan = 2 * index + 1;
    message.de90 = original;
    uint32_t size = rig_build(&rig, &message, bytes, sizeof bytes);
    return caller_say(&reversals, (struct span){bytes, size});
}

static void hear(struct caller *caller, bool is_reversal, int64_t timeout_ms)
{
    struct span bytes;
    struct rig_answer answer;
    while (caller_hear(caller, timeout_ms, &bytes) == CALLER_MESSAGE) {
        timeout_ms = 0;
        if (!CHECK(rig_read(&rig, bytes, &answer) && answer.stan / 2 < races_count &&
                       answer.stan % 2 == (is_reversal ? 1u : 0u),
                   "an answer to %u", answer.stan)) {
            continue;
        }
        struct race *race = &races[answer.stan / 2];
        if (rig_is_busy(&answer)) { /* not stored: said again, once the disk is there again */
            race->original_busy |= !is_reversal;
            race->reversal_busy |= is_reversal;
        } else if (is_reversal) {
            race->reversal_answered = true;
            memcpy(race->reversal_de39, answer.de39, 3);
        } else {
            race->original_answered = true;
            memcpy(race->original_de39, answer.de39, 3);
            memcpy(race->original_de44, answer.de44, sizeof answer.de44);
        }
    }
}

static void spin_us(uint64_t microseconds)
{
    struct timespec now, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += (long)microseconds * 1000;
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec);
}

static void play(uint32_t index)
{
    uint64_t gap_us = rig_random(&seed) % 4 == 0 ? 0 : rig_random(&seed) % 600;
    bool said = races[index].reversal_first ? say_reversal(index) : say_original(index);
    spin_us(gap_us);
    said &= races[index].reversal_first ? say_original(index) : say_reversal(index);
    (void)CHECK(said, "race %u is said", index);
    if (index % IN_FLIGHT == 0) {
        hear(&originals, false, 1);
        hear(&reversals, true, 1);
    }
}

static void say_busy_again(void)
{
    for (uint32_t i = 0; i < races_count; i++) {
        if (races[i].original_busy || races[i].reversal_busy) {
            bool said = !races[i].original_busy || say_original(i);
            said &= !races[i].reversal_busy || say_reversal(i);
            (void)CHECK(said, "race %u is said again", i);
            races[i].original_busy = races[i].reversal_busy = false;
            rig_sleep_ms(1);
        }
    }
}

static bool is_any_busy(void)
{
    for (uint32_t i = 0; i < races_count; i++) {
        if (races[i].original_busy || races[i].reversal_busy) {
            return true;
        }
    }
    return false;
}

/* A forwarded original may stay silent: everything has been heard when nothing comes for a while.
 */
static void hear_rest(void)
{
    int64_t end_ms = rig_now_ms() + 4000, give_up_ms = rig_now_ms() + RIG_BUSY_MS;
    while (rig_now_ms() < end_ms) {
        hear(&originals, false, 50);
        hear(&reversals, true, 50);
        if (is_any_busy() && rig_now_ms() < give_up_ms) {
            say_busy_again();
            end_ms = rig_now_ms() + 4000;
        }
    }
}

static void check_answers(void)
{
    uint32_t approved = 0, refused = 0, silent = 0;
    for (uint32_t i = 0; i < races_count; i++) {
        const struct race *race = &races[i];
        (void)CHECK(race->reversal_answered && strcmp(race->reversal_de39, "00") == 0,
                    "reversal %u: %s", i, race->reversal_de39);
        bool is_00 = strcmp(race->original_de39, "00") == 0;
        bool is_94 =
            strcmp(race->original_de39, "94") == 0 && strcmp(race->original_de44, "REVERSED") == 0;
        (void)CHECK(is_00 || is_94 || (race->is_forwarded && !race->original_answered),
                    "original %u: %s %s", i, race->original_de39, race->original_de44);
        approved += is_00;
        refused += is_94;
        silent += !race->original_answered;
    }
    printf("%u approved and undone, %u refused, %u silent\n", approved, refused, silent);
    (void)CHECK(approved > 0 && refused > 0, "both orders happened");
}

/* Every attempt that the scheme saw is reversed there. */
static void check_scheme(void)
{
    char path[300], line[1024];
    uint8_t *seen = calloc(races_count, 1);
    must(seen != NULL);
    (void)snprintf(path, sizeof path, "%s/demo-a.audit", rig.dir);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *rrn = strstr(line, "\"rrn\":\"R");
        uint32_t index = rrn == NULL ? UINT32_MAX : (uint32_t)strtoul(rrn + 8, NULL, 10);
        if (index < races_count) {
            seen[index] |= strstr(line, "\"mti\":\"04") != NULL ? 2 : 1;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    for (uint32_t i = 0; i < races_count; i++) {
        (void)CHECK(seen[i] != 1, "attempt %u is not reversed at the scheme", i);
    }
    free(seen);
}

static void check_money(int64_t settled_before)
{
    int64_t balance, held, demo_held = rig_held(&rig, "settlement/demo-a");
    rig_sums(&rig, "card/", &balance, &held);
    (void)CHECK(held == 0 && demo_held == 0, "%lld and %lld are held", (long long)held,
                (long long)demo_held);
    int64_t settled = rig_balance(&rig, "settlement/acquirer");
    (void)CHECK(settled == settled_before, "settlement/acquirer changed by %lld",
                (long long)(settled - settled_before));
}

int main(int argc, char **argv)
{
    uint32_t each = argc > 1 && strcmp(argv[1], "--full") == 0 ? 1000 : 200;
    races_count = 4 * each;
    races = calloc(races_count, sizeof *races);
    must(races != NULL);
    seed = rig_seed();
    if (rig_open(&rig, "race", false) && rig_start(&rig) && rig_fill(&rig) &&
        rig_connect(&rig, &originals) && rig_connect(&rig, &reversals)) {
        int64_t settled = rig_balance(&rig, "settlement/acquirer");
        for (uint32_t i = 0; i < races_count; i++) {
            races[i].is_forwarded = i % 4 >= 2;
            races[i].reversal_first = rig_random(&seed) % 2 == 0;
            play(i);
        }
        hear_rest();
        (void)CHECK(rig_settle(&rig, 30000), "every reversal is acknowledged");
        check_answers();
        check_scheme();
        check_money(settled);
        rig_check_books(&rig);
    }
    rig_end(&rig);
    free(races);
    return checks_report();
}
