/* edge.h - what the counterparties saw, against what is in the ledger, at the end of a story. */
#ifndef SIM_EDGE_H
#define SIM_EDGE_H

#include "tests/sim/scheme.h"
#include "tests/sim/traffic.h"
#include "tests/sim/watch.h"

struct edge_counts {
    uint64_t approvals, requests, reversals, repeats, busy; /* looked at */
    uint64_t handed_over;        /* forwarded by another worker than the one that was asked */
    uint64_t reversed_elsewhere; /* reversals on another worker than their originals */
    uint64_t second_routes;      /* attempts after one that was not sent */
    uint64_t twins;              /* the same numbers from two parties */
};

/* Everybody has been answered, all is resolved. NULL, or the first promise that was broken:
 * - every message was answered; an approval (00, 10, 85) that reached the acquirer is a decision in
 *   the ledger, with its amount and DE38;
 * - a request that a scheme heard has a durable intent and was said once; what a scheme did not
 *   answer, or the ledger does not know the outcome of, or the acquirer reversed, was reversed
 * there with DE90 = the identity of our leg; nothing else was. */
const char *edge_check(const struct watch *watch, struct acquirer *const acquirers[SIM_ACQUIRERS],
                       const struct scheme schemes[SIM_ENDPOINTS], struct edge_counts *counts);
void edge_count_crossings(const struct watch *watch, const struct host *host,
                          struct edge_counts *counts);

#endif
