/* watch.h - what must be true at every step: the plain model beside the shard, and the ends of
 * stories. */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "tests/sim/host.h"
#include "tests/sim/model.h"
#include "tests/sim/scheme.h"
#include "tests/sim/traffic.h"

struct watch;
struct watch *watch_create(void);
/* Before the first boot. */
void watch_world(struct watch *watch, struct sim_world *world);
void watch_destroy(struct watch *watch);

/* ledger_hooks.decided: feeds the model, compares. */
void watch_decided(void *context, const struct ledger_command *command,
                   const struct ledger_verdict *verdict, uint64_t batch);
/* The process is gone: what was not durable is forgotten at the next boot. */
void watch_crashed(struct watch *watch);
/* After a start: the model of what survived, and the ledger, say the same. NULL, or what is wrong.
 */
const char *watch_booted(struct watch *watch, struct host *host);
/* The first thing that was wrong, or NULL. */
const char *watch_fault(const struct watch *watch);

/* Accounts and cards, by commands; the host must be spared crashes. NULL: done. */
const char *watch_prepare(struct watch *watch, struct host *host, struct sim_world *world);
/* At the end of a story. */
const char *watch_end(struct watch *watch, struct host *host, const struct acquirer *acquirer,
                      const struct scheme *schemes);

#endif
