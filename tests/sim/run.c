/* run.c - the whole switch under one seed: `sim [--seed N | --seeds A..B] [--messages M] [--points]
 * [-v]`.
 *
 * A seed is a story: two acquirers, two schemes and an operator speak, the process, of one worker
 * or two, crashes at named points and starts again on what its disk kept. Watched all along: the
 * plain model says the same to every command (model.h); after each start the state is the one that
 * the durable commands make; debits equal credits. At the end, after calm: every message has one
 * answer, repeats have the same, every attempt without outcome was reversed at the scheme, nothing
 * is left in store and forward. A seed that fails prints its command line. */
#include "tests/sim/edge.h"
#include "tests/sim/operator.h"
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
#define SEEDS_FOR_ALL_VALUES 25u     /* the least piece of a run that is cut for many cores */
#define CRASHES_ABOUT        500000u /* parts per million and message: some ten crashes a story */

struct totals { /* of all stories of this run */
    struct sim_point_counts points;
    struct edge_counts edges;
    struct operator_counts commands;
    struct tally tally;
    uint64_t weathers[WEATHERS_COUNT];
};

struct story {
    struct sim_world *world;
    struct host *host;
    struct watch *watch;
    struct scheme *schemes;
    struct acquirer *acquirers[SIM_ACQUIRERS];
    struct sim_operator clerk;
    struct weather weather;
    struct totals *totals;
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
            const char *why = watch_booted(story->watch);
            why = why != NULL ? why : operator_booted(&story->clerk);
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
        operator_listen(&story->clerk);
        if (!host_round(story->host)) {
            operator_crashed(&story->clerk);
            tell(story, "crash at", host_text(story->host));
            continue;
        }
        if (watch_fault(story->watch) != NULL) {
            return fail(story, watch_fault(story->watch));
        }
        for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
            if (story->acquirers[i]->fault[0] != 0) {
                return fail(story, story->acquirers[i]->fault);
            }
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
    const char *why = operator_prepare(&story->clerk);
    why = why != NULL ? why : watch_fault(story->watch);
    host_spare(story->host, false);
    return why == NULL || fail(story, why);
}

static uint32_t said(const struct story *story)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
        count += story->acquirers[i]->rows_count;
    }
    return count;
}

static struct acquirer *anyone(struct story *story)
{
    return story->acquirers[sim_below(sim_world_random(story->world), SIM_ACQUIRERS)];
}

static bool speak(struct story *story)
{
    struct sim_random *random = sim_world_random(story->world);
    bool has_burst = story->messages > BURST_FROM || story->seed % 16 == 0;
    while (said(story) < story->messages) {
        if (story->seed % 4 != 1) {
            weather_change(&story->weather, story->host, story->world);
        }
        if (has_burst && sim_percent(random, 2)) {
            has_burst = false;
            acquirer_burst(anyone(story));
        }
        operator_speak(&story->clerk);
        for (uint64_t burst = 1 + sim_below(random, 6); burst > 0; burst--) {
            acquirer_speak(anyone(story));
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
        for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
            (void)acquirer_repeat_unanswered(story->acquirers[i]);
        }
        if (!advance(story, sim_world_now_ns(story->world) + 7 * NS_PER_S)) {
            return false;
        }
    }
    const char *why = watch_end(story->watch);
    why = why != NULL
              ? why
              : edge_check(story->watch, story->acquirers, story->schemes, &story->totals->edges);
    edge_count_crossings(story->watch, story->host, &story->totals->edges);
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

/* By chance, but not as the other properties of a seed go: those are its remainders. */
static uint16_t workers_of(uint64_t seed)
{
    struct sim_random random = {seed ^ 0x574F524B4552};
    return (uint16_t)(1 + sim_below(&random, SIM_WORKERS_MAX));
}

static void create(struct story *story, struct ledger_hooks *hooks)
{
    const struct sim_faults faults = {.split_percent = 20,
                                      .disconnect_permille = story->seed % 3 == 0 ? 3 : 0,
                                      .latency_min_ns = 20 * NS_PER_US,
                                      .latency_max_ns = 3 * NS_PER_MS};
    story->world = sim_world_create(story->seed, &faults);
    story->watch = watch_create();
    *hooks = (struct ledger_hooks){.decided = watch_decided, .context = story->watch};
    const struct host_options options = {
        .seed = story->seed,
        .workers_count = workers_of(story->seed),
        .hooks = hooks,
        .points = &story->totals->points,
        .crash_ppm = story->seed % 8 == 0 ? 0 : CRASHES_ABOUT / story->messages};
    story->host = host_create(story->world, &options);
    watch_host(story->watch, story->host);
    operator_create(&story->clerk, story->world, story->host, &story->totals->commands);
    story->schemes = calloc(SIM_ENDPOINTS, sizeof *story->schemes);
    must(story->schemes != NULL);
    story->weather.schemes = story->schemes;
    scheme_create(&story->schemes[0], story->world, SIM_SCHEME_A);
    scheme_create(&story->schemes[1], story->world, SIM_SCHEME_B);
    for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
        story->acquirers[i] = calloc(1, sizeof *story->acquirers[i]);
        must(story->acquirers[i] != NULL);
    }
    for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
        acquirer_create(story->acquirers[i], story->world, i, story->acquirers[1 - i],
                        &story->totals->tally);
    }
}

static void destroy(struct story *story)
{
    host_destroy(story->host);
    watch_destroy(story->watch);
    sim_world_destroy(story->world);
    for (uint32_t i = 0; i < SIM_ENDPOINTS; i++) {
        scheme_destroy(&story->schemes[i]);
    }
    free(story->schemes);
    for (uint32_t i = 0; i < SIM_ACQUIRERS; i++) {
        free(story->acquirers[i]);
    }
}

static bool run_seed(uint64_t seed, uint32_t messages, bool verbose, struct totals *totals)
{
    struct story story = {.seed = seed, .messages = messages, .verbose = verbose, .totals = totals};
    struct ledger_hooks hooks;
    create(&story, &hooks);
    bool ok = prepare(&story) && speak(&story) && calm_down(&story) && start_again(&story);
    if (verbose && ok) {
        (void)printf("seed %llu: %u messages, %u answers, %u workers, %llu boots\n",
                     (unsigned long long)seed, said(&story),
                     story.acquirers[0]->answers_count + story.acquirers[1]->answers_count,
                     workers_of(seed), (unsigned long long)host_boots(story.host));
    }
    for (uint32_t kind = 0; kind < WEATHERS_COUNT; kind++) {
        totals->weathers[kind] += story.weather.counts[kind];
    }
    destroy(&story);
    return ok;
}

/* A crash drops what the process had, as a crash does: no leaks to be found here. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static void print_totals(const struct totals *totals)
{
    const struct edge_counts *edges = &totals->edges;
    sim_points_print(&totals->points);
    tally_print(&totals->tally);
    (void)printf("looked at: %llu approvals, %llu requests and %llu reversals at schemes, "
                 "%llu pairs of answers to repeats, %llu times BUSY\n",
                 (unsigned long long)edges->approvals, (unsigned long long)edges->requests,
                 (unsigned long long)edges->reversals, (unsigned long long)edges->repeats,
                 (unsigned long long)edges->busy);
    (void)printf("crossed: %llu forwarded by another worker, %llu reversed on another worker, "
                 "%llu with the numbers of another party, %llu sent on a second route\nweather:",
                 (unsigned long long)edges->handed_over,
                 (unsigned long long)edges->reversed_elsewhere, (unsigned long long)edges->twins,
                 (unsigned long long)edges->second_routes);
    for (uint32_t kind = 0; kind < WEATHERS_COUNT; kind++) {
        (void)printf("%s %s %llu", kind == 0 ? "" : ",", weather_name((enum weather_kind)kind),
                     (unsigned long long)totals->weathers[kind]);
    }
    (void)printf("\n");
    operator_counts_print(&totals->commands);
}

/* Of a run of many seeds: what should have happened and did not. */
static uint32_t count_missing(const struct totals *totals, uint64_t seeds)
{
    const struct edge_counts *edges = &totals->edges;
    const struct {
        uint64_t seeds;
        const char *what, *missing;
    } rows[] = {
        {SEEDS_FOR_ALL_POINTS, "no process ever ended at", sim_points_missing(&totals->points)},
        {SEEDS_FOR_ALL_VALUES, "nobody ever heard DE39", tally_missing(&totals->tally)},
        {SEEDS_FOR_ALL_VALUES, "no operator ever did", operator_counts_missing(&totals->commands)},
        {SEEDS_FOR_ALL_VALUES, "never between workers:",
         edges->handed_over == 0 || edges->reversed_elsewhere == 0 ? "a message" : NULL},
        {SEEDS_FOR_ALL_VALUES,
         "never on a second route:", edges->second_routes == 0 ? "a message" : NULL},
        {SEEDS_FOR_ALL_VALUES, "never from two parties:", edges->twins == 0 ? "a message" : NULL},
    };
    uint32_t count = 0;
    for (uint32_t i = 0; i < countof(rows); i++) {
        if (seeds >= rows[i].seeds && rows[i].missing != NULL) {
            (void)printf("%s \"%s\"\n", rows[i].what, rows[i].missing);
            count++;
        }
    }
    return count;
}

struct arguments {
    uint64_t first, last;
    uint32_t messages; /* 0 = by the seed */
    bool verbose, show_points;
};

static bool read_arguments(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){.first = 1, .last = 20};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            out->first = out->last = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            char *end;
            out->first = strtoull(argv[++i], &end, 10);
            out->last = strncmp(end, "..", 2) == 0 ? strtoull(end + 2, NULL, 10) : out->first;
        } else if (strcmp(argv[i], "--messages") == 0 && i + 1 < argc) {
            out->messages = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-v") == 0) {
            out->verbose = true;
        } else if (strcmp(argv[i], "--points") == 0) {
            out->show_points = true;
        } else {
            (void)fprintf(stderr,
                          "usage: sim [--seed N | --seeds A..B] [--messages M] [--points] [-v]\n");
            return false;
        }
    }
    if (out->messages > TRAFFIC_MESSAGES_MAX - 16 || out->last < out->first) {
        (void)fprintf(stderr, "sim: at most %u messages; A <= B\n", TRAFFIC_MESSAGES_MAX - 16);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    static struct totals totals;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_arguments(argc, argv, &arguments)) {
        return 2;
    }
    uint32_t passed = 0, failed = 0;
    for (uint64_t seed = arguments.first; seed <= arguments.last; seed++) {
        uint32_t messages = arguments.messages > 0 ? arguments.messages : messages_of(seed);
        if (run_seed(seed, messages, arguments.verbose, &totals)) {
            passed++;
        } else {
            failed++;
        }
        if ((passed + failed) % PROGRESS_SEEDS == 0) {
            (void)fprintf(stderr, "sim: %u seeds, %u failed\n", passed + failed, failed);
        }
    }
    if (arguments.show_points || arguments.verbose) {
        print_totals(&totals);
    }
    failed += count_missing(&totals, arguments.last - arguments.first + 1);
    (void)printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
