/* shared.h - the memory that the daemon shares with its hsmd processes; private to hsm/.
 *
 * DESIGN  One area: a head (what hsmd needs to know, and the data keys on their way), a board line
 * per client and per instance, and a lane per (client, instance). A lane is two single-producer
 * single-consumer rings of fixed slots whose four positions only grow. Each side keeps its own copy
 * of the positions it owns in its own memory and trusts nothing else it finds here: after a SIGKILL
 * the next hsmd goes on from the shared positions, and a broken hsmd can lose jobs but not forge
 * memory accesses. base/ring.h keeps its owner's cursor in the ring and cannot do that.
 *
 * A request slot is wiped by hsmd when it has copied it. The area is locked and not dumped, on
 * both sides.
 *
 * BELLS  Whoever is about to sleep sets `asleep`, looks once more, and sleeps; whoever publishes
 * wins exchange(asleep, 0) and writes the eventfd. */
#ifndef HSM_SHARED_H
#define HSM_SHARED_H

#include "hsm/data_key.h"
#include "hsm/hsm.h"
#include "hsm/supervisor.h"
#include <stdatomic.h>

#define HSM_AREA_MAGIC 0x48534D31u /* "HSM1": the layout below */
#define HSM_LANE_JOBS  1024u       /* a power of two */
#define HSM_PATH_BYTES 256u
#define HSM_PIN_BYTES  64u
#define HSM_BEAT_NS    INT64_C(1000000000)  /* between two proofs by a real operation */
#define HSM_HANG_NS    INT64_C(10000000000) /* no beat for this long: killed */

_Static_assert((HSM_LANE_JOBS & (HSM_LANE_JOBS - 1)) == 0, "positions are masked");
_Static_assert(HSM_LANE_JOBS >= HSM_CLIENT_JOBS_MAX, "one lane takes all that a client has");

/* The descriptors that hsmd inherits. */
enum { HSM_FD_AREA = 3, HSM_FD_BOOT, HSM_FD_BELL, HSM_FD_CLIENTS };

struct hsm_request {
    uint32_t index, generation; /* of the client's pending table */
    struct hsm_job job;
};

struct hsm_response {
    uint32_t index, generation;
    uint8_t status, pin, cvv2, cvv; /* enum hsm_answer */
    uint32_t reserved;
};
_Static_assert(sizeof(struct hsm_request) <= 128, "two cache lines a job");
_Static_assert(sizeof(struct hsm_response) == 16, "four a cache line");

struct hsm_lane {
    _Alignas(64) _Atomic uint32_t submitted; /* by the client */
    _Atomic uint32_t breaker_is_open;        /* by the client; for the status */
    _Alignas(64) _Atomic uint32_t taken;     /* by hsmd */
    _Alignas(64) _Atomic uint32_t answered;  /* by hsmd */
    _Alignas(64) _Atomic uint32_t drained;   /* by the client */
    _Alignas(64) struct hsm_request requests[HSM_LANE_JOBS];
    struct hsm_response responses[HSM_LANE_JOBS];
};

struct hsm_client_line {
    _Alignas(64) _Atomic uint32_t asleep;
};

struct hsm_instance_line {
    _Alignas(64) _Atomic uint32_t asleep;
    _Alignas(64) _Atomic uint32_t state; /* enum hsm_instance_state */
    _Atomic int32_t process_id;
    _Atomic uint32_t restarts_count;
    _Atomic uint32_t memory_locked;
    _Atomic uint64_t beats_count; /* proofs by a real operation */
    _Atomic int64_t beat_ns;      /* boot time of the last */
    /* Written with every batch: not on the line that clients read. */
    _Alignas(64) _Atomic uint64_t jobs_count, errors_count;
    char text[HSM_TEXT_BYTES]; /* written by one process at a time; a reader ends it itself */
};

enum hsm_handover {
    HSM_HANDOVER_WANTED,
    HSM_HANDOVER_GIVING,
    HSM_HANDOVER_THERE,
    HSM_HANDOVER_TAKEN
};

struct hsm_area {
    uint32_t magic, bytes;
    uint32_t clients_count, instances_count;
    uint32_t keys_count, spin_us;
    uint32_t refuse_test_keys, lock_memory;
    char module[HSM_PATH_BYTES];
    char directory[HSM_PATH_BYTES]; /* of the token */
    char label[HSM_LABEL_BYTES];    /* of the token */
    struct hsm_key keys[HSM_KEYS_MAX];

    _Atomic uint32_t handover;      /* enum hsm_handover */
    struct hsm_data_keys data_keys; /* wiped as soon as the daemon has them */

    struct hsm_client_line clients[HSM_CLIENTS_MAX];
    struct hsm_instance_line instances[HSM_INSTANCES_MAX];
    struct hsm_lane lanes[]; /* [client * instances_count + instance] */
};

/* What the supervisor writes into the boot pipe. Its other end stays open: end of file = the daemon
 * is gone or wants hsmd to end. */
struct hsm_boot {
    uint32_t magic;
    uint32_t instance;
    int32_t parent_id;
    uint32_t pin_size;
    uint8_t pin[HSM_PIN_BYTES];
};

/* A process's view: the area and the bells. */
struct hsm_shared {
    struct hsm_area *area;
    int area_fd;
    int instance_bells[HSM_INSTANCES_MAX];
    int client_bells[HSM_CLIENTS_MAX];
};

size_t hsm_area_bytes(uint32_t clients_count, uint32_t instances_count);
struct hsm_lane *hsm_area_lane(struct hsm_area *area, uint32_t client, uint32_t instance);
void hsm_bell_ring(_Atomic uint32_t *asleep, int bell); /* writes when exchange(asleep, 0) was 1 */
void hsm_instance_say(struct hsm_instance_line *line, const char *text);

#endif
