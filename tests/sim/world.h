/* world.h - simulated time, chance and network: one seed drives everything.
 *
 * DESIGN  A world is a heap of things that will happen, each at its nanosecond. The switch's thread
 * sees it through struct io (io_sim.c); counterparties are `struct sim_peer`s that speak over the
 * same simulated sockets by plain calls. Bytes of a direction arrive in order, cut at random places
 * and late; a connection can be cut at any time. Nothing here uses the machine's clock. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/clock.h"
#include "base/io.h"

struct sim_random {
    uint64_t state;
};
uint64_t sim_next(struct sim_random *random);
uint64_t sim_below(struct sim_random *random, uint64_t bound); /* 0..bound-1; bound 0 = 0 */
bool sim_percent(struct sim_random *random, uint32_t percent);

struct sim_world;
struct sim_socket; /* one end */

struct sim_faults {               /* per hundred, and nanoseconds */
    uint32_t split_percent;       /* a send arrives in several pieces */
    uint32_t disconnect_permille; /* a delivery finds the connection cut instead */
    int64_t latency_min_ns, latency_max_ns;
};

/* A counterparty's end of a connection. */
struct sim_peer {
    void (*opened)(struct sim_peer *, struct sim_socket *);
    void (*received)(struct sim_peer *, struct sim_socket *, const uint8_t *data, uint32_t size);
    void (*closed)(struct sim_peer *, struct sim_socket *); /* the socket is gone after it */
};

struct sim_world *sim_world_create(uint64_t seed, const struct sim_faults *faults);
void sim_world_destroy(struct sim_world *world);
struct sim_random *sim_world_random(struct sim_world *world);
int64_t sim_world_now_ns(const struct sim_world *world);
/* The wall clock is set; time since boot goes on as before. */
void sim_world_step_clock(struct sim_world *world, int64_t by_ns);
/* Boot and wall time of this world. */
struct clock_source sim_world_clock(struct sim_world *world);

/* Calls run(context) at now + delay_ns. */
void sim_at(struct sim_world *world, int64_t delay_ns, void (*run)(void *context), void *context);
/* Runs the earliest thing; false when there is none before until_ns (time then stands there). */
bool sim_step(struct sim_world *world, int64_t until_ns);

/* The switch's end: one per simulated process. Its durable writes go to `disk_write`, which calls
 * sim_io_written() when they are on the medium. Destroying it cuts every connection of it. */
struct sim_disk_writer {
    void (*write)(struct sim_disk_writer *, io_file, const uint8_t *data, uint32_t size,
                  uint64_t offset, uint64_t ticket);
};
struct io *sim_io_create(struct sim_world *world, struct sim_disk_writer *writer);
void sim_io_written(struct io *io, uint64_t ticket, int32_t result);

/* Counterparties. */
void sim_peer_listen(struct sim_world *world, const char *address, struct sim_peer *peer);
/* New connections are refused until somebody listens there again. */
void sim_peer_unlisten(struct sim_world *world, const char *address);
/* NULL when nobody listens there. opened() comes later. */
struct sim_socket *sim_peer_connect(struct sim_world *world, const char *address,
                                    struct sim_peer *peer);
void sim_peer_send(struct sim_socket *socket, const uint8_t *data, uint32_t size);
void sim_peer_close(struct sim_socket *socket);

#endif
