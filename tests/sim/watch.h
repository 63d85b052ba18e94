/* watch.h - what must be true at every step: the plain model beside the shard, and the ends of
 * stories. */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "tests/sim/host.h"
#include "tests/sim/model.h"

#define WATCH_WAITS UINT16_MAX /* no verdict yet: the same request is out */

union watch_command {
    struct ledger_command header;
    struct ledger_command_request request;
    struct ledger_command_outcome outcome;
    struct ledger_command_saf saf;
    struct ledger_command_account account;
    struct ledger_command_card card;
    struct ledger_command_list list;
    struct ledger_command_text text;
};

struct watch_kept { /* a command that the shard took */
    union watch_command command;
    uint64_t batch; /* 0 = it wrote nothing */
    uint64_t txn;   /* the ledger's name of what it made or ended */
    int64_t utc_s;
    uint16_t verdict; /* enum ledger_verdict_kind, or WATCH_WAITS */
    struct ledger_reply reply;
    struct ledger_forward forward;
};

struct watch;
struct watch *watch_create(void);
/* Before the first boot. */
void watch_host(struct watch *watch, struct host *host);
void watch_destroy(struct watch *watch);

/* ledger_hooks.decided: feeds the model, compares. */
void watch_decided(void *context, const struct ledger_command *command,
                   const struct ledger_verdict *verdict, uint64_t batch);
/* After a start: the model of what survived, and the ledger, say the same. NULL, or what is wrong.
 */
const char *watch_booted(struct watch *watch);
/* The first thing that was wrong, or NULL. */
const char *watch_fault(const struct watch *watch);

/* At the end of a story, after calm. */
const char *watch_end(struct watch *watch);

/* ---- what is in the ledger, for edge.c: every command whose batch survived, in their order ------
 */

uint32_t watch_count(const struct watch *watch);
const struct watch_kept *watch_at(const struct watch *watch, uint32_t index);
bool watch_is_request(const struct watch_kept *kept); /* AUTH, INTENT, ADVICE, REVERSAL */
/* What the model knows of a forwarded transaction. */
enum model_fate watch_fate(const struct watch *watch, uint64_t txn);

#endif
