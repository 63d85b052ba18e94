/* resolve.h - stored messages (reversals, advices) on their way to the endpoints of this worker.
 *
 * DESIGN  Nobody asks for this work, so it is pulled: while the ledger's board says that messages
 * wait for an endpoint whose link is up, and fewer than RESOLVE_WINDOW of it are under way, the
 * worker PULLs. A message is said, said again as a repeat every repeat_ns until it is acknowledged,
 * then RESOLVED is made durable. When the link goes down it waits here and is said again when it is
 * up. A crash forgets this table; the ledger hands the messages out again.
 *
 * Runs on the worker that owns the endpoint; bound: RESOLVE_ITEMS_MAX. */
#ifndef SWITCH_RESOLVE_H
#define SWITCH_RESOLVE_H

#include "adapters/adapter.h"
#include "ledger/ledger.h"
#include "switch/timer.h"

struct worker;

#define RESOLVE_WINDOW    4u
#define RESOLVE_ITEMS_MAX (RESOLVE_WINDOW * LIMIT_ENDPOINTS_MAX)
#define RESOLVE_SLOT      0x80000000u /* set in the slot of a command that is not a transaction's */

enum resolve_state {
    RESOLVE_FREE,
    RESOLVE_PULLING,      /* PULL is in the ring */
    RESOLVE_SENT,         /* waits for the acknowledgement, or for its time to be said again */
    RESOLVE_ACKNOWLEDGED, /* RESOLVED has to go, or is in the ring */
};

struct resolve_item {
    struct timer timer;
    uint32_t index, generation;
    uint16_t endpoint;
    uint8_t state; /* enum resolve_state */
    bool is_command_out;
    uint8_t de39[2];
    uint32_t match;
    struct ledger_saf_item item;
};

struct resolve {
    struct resolve_item items[RESOLVE_ITEMS_MAX]; /* endpoint e: from e * RESOLVE_WINDOW */
    int64_t none_until_ns[LIMIT_ENDPOINTS_MAX];   /* after SAF_NONE: not before this */
};

void resolve_create(struct worker *worker);
uint32_t resolve_pull(struct worker *worker);      /* once a turn; returns what was pulled */
bool resolve_pending(const struct worker *worker); /* would it pull now? */
int64_t resolve_deadline(const struct worker *worker);
void resolve_verdict(struct worker *worker, const struct ledger_verdict *verdict);
void resolve_answer(struct worker *worker, uint32_t index, uint32_t generation,
                    const struct adapter_answer *answer);
void resolve_timer(struct worker *worker, struct resolve_item *item);

#endif
