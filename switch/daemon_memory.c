/* daemon_memory.c - what the daemon takes: said beforehand, then locked and made resident. */
#include "switch/daemon.h"

#include "base/log.h"
#include "base/mem.h"
#include "hsm/secret_heap.h"
#include <stdio.h>
#include <unistd.h>

/* ---- before the start --------------------------------------------------------------------------
 */

/* Bytes with the first `count` limits as wanted and the others at their least. */
static uint64_t with_limits(const struct ledger_options *all, uint32_t count)
{
    struct ledger_options least = *all;
    uint32_t *limits = (uint32_t *)&least.limits;
    for (uint32_t i = count; i < sizeof least.limits / sizeof *limits; i++) {
        limits[i] = 16;
    }
    return ledger_bytes(&least);
}

static struct worker_options worker_shape(const struct daemon *daemon)
{
    return (struct worker_options){.txns_max = daemon->conf->flights_max,
                                   .links_max = daemon->conf->links_max,
                                   .workers_count = (uint16_t)daemon->workers_count,
                                   .listeners_count = daemon->conf->listeners_count,
                                   .parties = daemon->parties,
                                   .parties_count = daemon->conf->parties_count,
                                   .endpoints = daemon->endpoints,
                                   .endpoints_count = daemon->conf->endpoints_count,
                                   .listeners = daemon->listeners};
}

uint64_t daemon_memory_bytes(const struct daemon *daemon)
{
    struct ledger_options options;
    daemon_ledger_options(daemon, &options);
    struct worker_options worker = worker_shape(daemon);
    return ledger_bytes(&options) + daemon->workers_count * worker_bytes(&worker);
}

uint64_t daemon_machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages <= 0 || page_bytes <= 0 ? UINT64_MAX : (uint64_t)pages * (uint64_t)page_bytes;
}

uint64_t daemon_print_memory(const struct daemon *daemon, FILE *stream)
{
    static const char *const names[] = {"limits.cards", "limits.accounts",  "limits.holds",
                                        "limits.txns",  "limits.replays",   "limits.counters",
                                        "limits.saf",   "limits.exceptions"};
    struct ledger_options options;
    daemon_ledger_options(daemon, &options);
    struct conf_memory_row rows[countof(names) + 2];
    uint32_t count = 0;
    const uint32_t *limits = (const uint32_t *)&options.limits;
    _Static_assert(sizeof options.limits == countof(names) * sizeof *limits,
                   "a name for each limit");
    for (; count < countof(names); count++) {
        /* what it adds to those before it: transactions and replays share their rows */
        rows[count] = (struct conf_memory_row){names[count], limits[count],
                                               with_limits(&options, count + 1) -
                                                   with_limits(&options, count)};
    }
    rows[count++] = (struct conf_memory_row){"ledger, the rest", 1, with_limits(&options, 0)};
    struct worker_options worker = worker_shape(daemon);
    rows[count++] = (struct conf_memory_row){"workers", daemon->workers_count,
                                             daemon->workers_count * worker_bytes(&worker)};
    return conf_print_memory(stream, rows, count);
}

/* ---- at the start ------------------------------------------------------------------------------
 */

static void print_region(void *context, const char *what, size_t bytes, bool secret)
{
    (void)context;
    if (bytes >= 1u << 20) {
        log_event(LOG_INFO, "memory.region", log_text("what", what),
                  log_number("bytes", (int64_t)bytes), log_text("locked", secret ? "yes" : "no"));
    }
}

static bool refuse(char *text, size_t text_size, const char *why)
{
    (void)snprintf(text, text_size, "%s", why);
    return false;
}

bool daemon_take_memory(const struct daemon *daemon, char *text, size_t text_size)
{
    mem_each(print_region, NULL);
    log_event(LOG_INFO, "memory.taken", log_number("bytes", (int64_t)mem_taken_bytes()));
    bool is_production = daemon->conf->mode == CONF_MODE_PRODUCTION;
    if (!hsm_secret_heap_works()) {
        static const char cure[] = "libcrypto was in use too early: start without LD_PRELOAD";
        if (is_production) {
            (void)snprintf(text, text_size, "keys cannot be locked in memory: %s", cure);
            return false;
        }
        log_event(LOG_WARN, "memory.keys_not_locked", log_text("cure", cure));
    }
    if (is_production && !mem_lock_all()) {
        return refuse(text, text_size,
                      "memory: cannot be locked; raise the memlock limit (ulimit -l)");
    }
    if (daemon->conf->memory == CONF_MEMORY_START && !mem_touch_all()) {
        return refuse(text, text_size,
                      "memory: start: there is less memory than the limits take; lower them or "
                      "add memory");
    }
    if (!mem_secrets_locked()) {
        log_event(LOG_WARN, "memory.not_locked",
                  log_text("cure", "raise the memlock limit (ulimit -l)"));
    }
    return true;
}
