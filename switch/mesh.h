/* mesh.h - rings between workers: one for each ordered pair.
 *
 * DESIGN  A transaction stays on the worker of its acquirer's link. When the scheme's link is
 * another worker's, the built message goes there as a record and the answer comes back as one; a
 * connection accepted by worker 0 goes to the worker that is to own it. A full ring is an answer:
 * the message was not sent. An answer that finds its ring full is lost, and what waited for it
 * becomes unknown. */
#ifndef SWITCH_MESH_H
#define SWITCH_MESH_H

#include "base/agent.h"
#include "base/ring.h"

#define MESH_RING_BYTES (1u << 20)

struct mesh {
    uint16_t workers_count;
    struct ring *rings[LIMIT_WORKERS_MAX][LIMIT_WORKERS_MAX]; /* [from][to] */
    struct agent *agents[LIMIT_WORKERS_MAX]; /* whose bell is rung; set by worker_create() */
};

/* Takes the rings' memory: at start. */
NODISCARD struct mesh *mesh_create(uint16_t workers_count);

#endif
