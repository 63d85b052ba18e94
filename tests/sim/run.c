/* run.c - the whole switch under one seed: `sim [--seed N | --seeds A..B] [--messages M] [--points]
 * [-v]`.
 *
 * A seed is a story: an acquirer and two schemes speak over a simulated network, the process
 * crashes at named points and starts again on what its disk kept. Watched all along: the plain
 * model says the same to every command (model.h); after each start the state is the one that the
 * durable commands make; debits equal credits. At the end, after calm: every message has one
 * answer, repeats have the same, every attempt without outcome was reversed at the scheme, nothing
 * is left in store and forward. A seed that fails prints its command line. */
#include "tests/sim/edge.h"
#include "tests/sim/weather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_DEFAULT     400u
#define CALM_NS              (120 * NS_PER_S)
#define STEPS_MAX            4000000u
#define BOOTS_MAX            100u
#define BURST_FROM           600u
#define PROGRESS_SEEDS       50u
#define SEEDS_FOR_ALL_POINTS 100u
#define CRASHES_ABOUT        500000u /* parts per million and message: some ten crashes a story */

struct story {
    struct sim_world *world;
    struct host *host;
    struct watch *watch;
    struct scheme *schemes;
    struct acquirer *acquirer;
    struct weather weather;
    struct edge_counts *edges;
    uint64_t seed;
    uint32_t messages;
    bool verbose;
};

static bool fail(const struct story *story, const char *why)
{
    (void)printf("seed %llu: %s\n  again: sim --seed %llu --messages %u -v\n",
                 (unsigned long long)story->seed, why, (unsigned long long)story->seed,
                 story->messages);
    return false;
}

static void tell(const struct story *story, const char *what, const char *text)
{
    if (story->verbose) {
        (void)printf("%.6f %s %s\n", (double)sim_world_now_ns(story->world) / 1e9, what, text);
    }
}

/* Starts the process, again and again if it crashes while it starts up. */
static bool start(struct story *story)
{
    for (uint32_t tries = 0; tries < BOOTS_MAX; tries++) {
        enum host_booted booted = host_boot(story->host);
        if (booted == HOST_UP) {
            const char *why = watch_booted(story->watch, story->host);
            tell(story, "boot", "");
            return why == NULL || fail(story, why);
        }
        tell(story, booted == HOST_CRASHED ? "crash at" : "refused:", host_text(story->host));
        if (booted == HOST_REFUSED && !host_disk_is_full(story->host)) {
            return fail(story, host_text(story->host));
        }
        if (booted == HOST_REFUSED) {
            host_disk_full(story->host, false); /* somebody makes room */
        }
    }
    return fail(story, "it does not start");
}

/* Lets everything happen that is due by `until_ns`. */
static bool advance(struct story *story, int64_t until_ns)
{
    for (uint32_t steps = 0; sim_world_now_ns(story->world) < until_ns; steps++) {
        if (steps == STEPS_MAX) {
            return fail(story, "it does not come to rest");
        }
        if (!host_is_up(story->host) && !start(story)) {
            return false;
        }
        if (!host_round(story->host)) {
            watch_crashed(story->watch);
            tell(story, "crash at", host_text(story->host));
            continue;
        }
        if (watch_fault(story->watch) != NULL) {
            return fail(story, watch_fault(story->watch));
        }
        if (story->acquirer->fault[0] != 0) {
            return fail(story, story->acquirer->fault);
        }
        int64_t next_ns = host_deadline(story->host);
        if (next_ns > sim_world_now_ns(story->world)) {
            (void)sim_step(story->world, next_ns < until_ns ? next_ns : until_ns);
        }
    }
    return true;
}

static bool prepare(struct story *story)
{
    host_spare(story->host, true);
    if (!start(story)) {
        return false;
    }
    const char *why = watch_prepare(story->watch, story->host, story->world);
    host_spare(story->host, false);
    return why == NULL || fail(story, why);
}

static bool speak(struct story *story)
{
    struct sim_random *random = sim_world_random(story->world);
    bool has_burst = story->messages > BURST_FROM || story->seed % 16 == 0;
    while (story->acquirer->rows_count < story->messages) {
        if (story->seed % 4 != 1) {
            weather_change(&story->weather, story->host, story->world);
        }
        if (has_burst && sim_percent(random, 2)) {
            has_burst = false;
            acquirer_burst(story->acquirer);
        }
        for (uint64_t burst = 1 + sim_below(random, 6); burst > 0; burst--) {
            acquirer_speak(story->acquirer);
        }
        int64_t pause_ns = (int64_t)sim_below(random, 80 * NS_PER_MS);
        if (sim_percent(random, 2)) {
            pause_ns += (int64_t)sim_below(random, 8 * NS_PER_S);
        }
        if (!advance(story, sim_world_now_ns(story->world) + pause_ns)) {
            return false;
        }
    }
    return true;
}

/* No more crashes: everything unanswered is said again until all is answered and resolved. */
static bool calm_down(struct story *story)
{
    host_spare(story->host, true);
    weather_clear(&story->weather, story->host);
    story->schemes[0].is_calm = story->schemes[1].is_calm = true;
    for (int64_t end_ns = sim_world_now_ns(story->world) + CALM_NS;
         sim_world_now_ns(story->world) < end_ns;) {
        (void)acquirer_repeat_unanswered(story->acquirer);
        if (!advance(story, sim_world_now_ns(story->world) + 7 * NS_PER_S)) {
            return false;
        }
    }
    const char *why = watch_end(story->watch, story->host);
    why =
        why != NULL ? why : edge_check(story->watch, story->acquirer, story->schemes, story->edges);
    return why == NULL || fail(story, why);
}

/* A crash with nothing in flight, and the state is the same. */
static bool start_again(struct story *story)
{
    for (int64_t end_ns = sim_world_now_ns(story->world) + 10 * NS_PER_S;
         !host_is_quiet(story->host) && sim_world_now_ns(story->world) < end_ns;) {
        if (!advance(story, sim_world_now_ns(story->world) + NS_PER_MS)) {
            return false;
        }
    }
    uint64_t digest = host_digest(story->host);
    host_crash(story->host, "nothing in flight");
    if (!start(story)) {
        return false;
    }
    return host_digest(story->host) == digest ||
           fail(story, "after a start with nothing in flight the state is another one");
}

/* Short stories have more crashes a message, long ones more to remember. */
static uint32_t messages_of(uint64_t seed)
{
    static const uint32_t sizes[] = {300, 600, 1000, 2000};
    return sizes[seed % countof(sizes)];
}

static bool run_seed(uint64_t seed, uint32_t messages, bool verbose,
                     struct sim_point_counts *points, struct edge_counts *edges,
                     uint64_t weathers[WEATHERS_COUNT])
{
    const struct sim_faults faults = {.split_percent = 20,
                                      .disconnect_permille = seed % 3 == 0 ? 3 : 0,
                                      .latency_min_ns = 20 * NS_PER_US,
                                      .latency_max_ns = 3 * NS_PER_MS};
    struct story story = {.seed = seed, .messages = messages, .verbose = verbose, .edges = edges};
    story.world = sim_world_create(seed, &faults);
    story.watch = watch_create();
    struct ledger_hooks hooks = {.decided = watch_decided, .context = story.watch};
    const struct host_options options = {.seed = seed,
                                         .hooks = &hooks,
                                         .points = points,
                                         .crash_ppm = seed % 8 == 0 ? 0 : CRASHES_ABOUT / messages};
    story.host = host_create(story.world, &options);
    story.schemes = calloc(SIM_ENDPOINTS, sizeof *story.schemes);
    story.acquirer = calloc(1, sizeof *story.acquirer);
    must(story.schemes != NULL && story.acquirer != NULL);
    scheme_create(&story.schemes[0], story.world, SIM_SCHEME_A);
    scheme_create(&story.schemes[1], story.world, SIM_SCHEME_B);
    acquirer_create(story.acquirer, story.world);
    watch_world(story.watch, story.world);
    bool ok = prepare(&story) && speak(&story) && calm_down(&story) && start_again(&story);
    if (verbose && ok) {
        (void)printf("seed %llu: %u messages, %u answers, %llu boots\n", (unsigned long long)seed,
                     story.acquirer->rows_count, story.acquirer->answers_count,
                     (unsigned long long)host_boots(story.host));
    }
    for (uint32_t kind = 0; kind < WEATHERS_COUNT; kind++) {
        weathers[kind] += story.weather.counts[kind];
    }
    host_destroy(story.host);
    watch_destroy(story.watch);
    sim_world_destroy(story.world);
    scheme_destroy(&story.schemes[0]);
    scheme_destroy(&story.schemes[1]);
    free(story.schemes);
    free(story.acquirer);
    return ok;
}

/* A crash drops what the process had, as a crash does: no leaks to be found here. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static void print_counts(const struct edge_counts *edges, const uint64_t weathers[WEATHERS_COUNT])
{
    (void)printf("looked at: %llu approvals, %llu requests and %llu reversals at schemes, "
                 "%llu pairs of answers to repeats, %llu times BUSY\nweather:",
                 (unsigned long long)edges->approvals, (unsigned long long)edges->requests,
                 (unsigned long long)edges->reversals, (unsigned long long)edges->repeats,
                 (unsigned long long)edges->busy);
    for (uint32_t kind = 0; kind < WEATHERS_COUNT; kind++) {
        (void)printf("%s %s %llu", kind == 0 ? "" : ",", weather_name((enum weather_kind)kind),
                     (unsigned long long)weathers[kind]);
    }
    (void)printf("\n");
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    uint64_t first = 1, last = 20;
    uint32_t messages = 0;
    bool verbose = false, show_points = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            first = last = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            char *end;
            first = strtoull(argv[++i], &end, 10);
            last = strncmp(end, "..", 2) == 0 ? strtoull(end + 2, NULL, 10) : first;
        } else if (strcmp(argv[i], "--messages") == 0 && i + 1 < argc) {
            messages = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-v") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--points") == 0) {
            show_points = true;
        } else {
            (void)fprintf(stderr,
                          "usage: sim [--seed N | --seeds A..B] [--messages M] [--points] [-v]\n");
            return 2;
        }
    }
    if (messages > TRAFFIC_MESSAGES_MAX - 16 || last < first) {
        (void)fprintf(stderr, "sim: at most %u messages; A <= B\n", TRAFFIC_MESSAGES_MAX - 16);
        return 2;
    }
    struct sim_point_counts points = {0};
    struct edge_counts edges = {0};
    uint64_t weathers[WEATHERS_COUNT] = {0};
    uint32_t passed = 0, failed = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        if (run_seed(seed, messages > 0 ? messages : messages_of(seed), verbose, &points, &edges,
                     weathers)) {
            passed++;
        } else {
            failed++;
        }
        if ((passed + failed) % PROGRESS_SEEDS == 0) {
            (void)fprintf(stderr, "sim: %u seeds, %u failed\n", passed + failed, failed);
        }
    }
    if (show_points || verbose) {
        sim_points_print(&points);
        print_counts(&edges, weathers);
    }
    const char *missing = sim_points_missing(&points);
    if (last - first + 1 >= SEEDS_FOR_ALL_POINTS && missing != NULL) {
        (void)printf("no process ever ended at \"%s\"\n", missing);
        failed++;
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
