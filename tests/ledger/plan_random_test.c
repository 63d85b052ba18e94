/* plan_random_test.c - random traffic against the rules that hold whatever comes: after every
 * message debits equal credits, pendings are what is held and reserved, what was refused moved
 * nothing (shop.c); and a state made again from the records, or rebuilt from its rows, goes on as
 * the same. */
#include "base/clock.h"
#include "shop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *random)
{
    uint64_t x = *random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *random = x;
}

static uint32_t below(uint64_t *random, uint32_t bound)
{
    return (uint32_t)(next_random(random) % bound);
}

static const char *one_of(uint64_t *random, const char *const *words, uint32_t count)
{
    return words[below(random, count)];
}
#define ONE_OF(random, ...)                                                                        \
    one_of(random, (const char *const[]){__VA_ARGS__},                                             \
           (uint32_t)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

/* Few keys, so that repeats, holds, originals and refunds meet each other. */
static void request(uint64_t *random, char *line, size_t size)
{
    uint32_t stan = 1 + below(random, 60);
    bool is_forwarded = below(random, 3) == 0;
    const char *mti =
        ONE_OF(random, "0100", "0100", "0101", "0200", "0200", "0120", "0220", "0221");
    char route[16] = "", more[96] = "";
    if (is_forwarded) {
        (void)snprintf(route, sizeof route, "fwd=%s", ONE_OF(random, "a", "b", "ab", "ba", ""));
    }
    if (below(random, 6) == 0) {
        (void)snprintf(more, sizeof more, "de90=%u:%u:%u ", below(random, 2) ? 100u : 200u,
                       1 + below(random, 60), 1121030001 + below(random, 60));
    }
    size_t used = strlen(more);
    (void)snprintf(more + used, sizeof more - used, "%s %s",
                   ONE_OF(random, "", "", "", "partial", "pin=ok", "pin=wrong", "pin=wrong",
                          "cvv2=ok", "count=9", "count=9", "deny", "over", "de39=05"),
                   ONE_OF(random, "", "", "to=card/2", "to=card/1", "cvv2=wrong"));
    (void)snprintf(line, size, "%s %s k=%u stan=%u p=%s amt=%u rrn=R%u de7=%u t=%u %s", mti, route,
                   is_forwarded ? 40 : 1 + below(random, 3) * 2, stan,
                   ONE_OF(random, "0", "0", "0", "1", "20", "20", "31", "40"),
                   below(random, 5) == 0 ? below(random, 400) : 100 * (stan % 7), stan % 10,
                   below(random, 4) == 0 ? 5u : 1121030000 + stan, stan, more);
}

static void reversal(uint64_t *random, char *line, size_t size)
{
    uint32_t stan = 1 + below(random, 60);
    char remains[32] = "", what[64];
    if (below(random, 3) == 0) {
        (void)snprintf(remains, sizeof remains, "remains=%u", below(random, 300));
    }
    if (below(random, 4) == 0) {
        (void)snprintf(what, sizeof what, "p=%s", ONE_OF(random, "0", "1", "20"));
    } else {
        (void)snprintf(what, sizeof what, "de90=%s:%u:%u",
                       ONE_OF(random, "100", "200", "120", "220"), stan,
                       below(random, 6) == 0 ? 5u : 1121030000 + stan);
    }
    (void)snprintf(line, size, "%s %s k=%u stan=%u rrn=R%u t=%u amt=1 %s %s",
                   ONE_OF(random, "0400", "0420"), ONE_OF(random, "", "fwd=a", "fwd=b"),
                   below(random, 2) ? 40 : 1 + below(random, 3) * 2, 100 + below(random, 200),
                   stan % 10, stan, what, remains);
}

static void next_line(uint64_t *random, char *line, size_t size)
{
    uint32_t stan = 1 + below(random, 60);
    const char *endpoint = ONE_OF(random, "a", "b");
    switch (below(random, 16)) {
    case 0:
    case 1:
    case 2:
        reversal(random, line, size);
        break;
    case 3:
    case 4:
        (void)snprintf(line, size, "out %u %s", stan,
                       ONE_OF(random, "approved", "approved", "declined=05", "technical", "notsent",
                              "part=50"));
        break;
    case 5:
        (void)snprintf(line, size, "late %u", stan);
        break;
    case 6:
        (void)snprintf(line, size, "pull %s", endpoint);
        break;
    case 7:
        (void)snprintf(line, size, "%s", below(random, 2) ? "pull a back" : "pull b back");
        break;
    case 8:
        (void)snprintf(line, size, "ack %s", endpoint);
        break;
    case 9:
        (void)snprintf(line, size, "%s %u",
                       ONE_OF(random, "block", "open", "open", "unpin", "freeze", "thaw", "thaw"),
                       1 + below(random, 5));
        break;
    case 10:
        (void)snprintf(line, size, "tick %u", below(random, 4000));
        break;
    default:
        request(random, line, size);
        break;
    }
}

static void play(uint64_t seed)
{
    static struct shop shop;
    struct ledger_limits limits = {.cards_max = 8,
                                   .accounts_max = 16,
                                   .holds_max = 40,
                                   .txns_max = 300,
                                   .replays_max = 300,
                                   .counter_slots_max = 4,
                                   .saf_max = 10,
                                   .exceptions_max = 2000};
    char name[32], line[256];
    uint64_t random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    (void)snprintf(name, sizeof name, "seed %llu", (unsigned long long)seed);
    shop_open_limits(&shop, name, &limits);
    shop.replay_keep_ns = 3600 * NS_PER_S;
    for (uint32_t i = 0; i < 3000; i++) {
        next_line(&random, line, sizeof line);
        shop_run(&shop, line);
        if (i % 500 == 499) {
            shop_run(&shop, below(&random, 2) ? "replay" : "restart");
        }
    }
    shop_close(&shop);
}

Test(plan_random, seeds)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        play(seed);
    }
}
