/* supervisor.h - keeps the hsmd processes alive; run by the daemon's control thread.
 *
 * Start and ticks come from threads that live as long as the daemon: hsmd is killed by the kernel
 * when the thread that spawned it ends.
 *
 * hsm_supervisor_start() makes the shared memory, spawns hsmd (posix_spawn; never fork from a
 * daemon whose memory is sealed), waits until each has logged in and proved every key by its check
 * value, and takes the two data keys into locked memory. From then on hsm_supervisor_tick() notices
 * a worker that died or hangs and starts it again with back-off; a worker that is stopped (SIGSTOP)
 * is left alone: its jobs run into their deadlines until it goes on.
 *
 * The token's PIN is read from its 0600 file, given to hsmd over a pipe and wiped. A worker that
 * the token refused because of the PIN is not started again: tokens lock. */
#ifndef HSM_SUPERVISOR_H
#define HSM_SUPERVISOR_H

#include "hsm/data_key.h"
#include "hsm/hsm.h"

#define HSM_INSTANCES_MAX 8u
#define HSM_CLIENTS_MAX   17u /* workers and one for the control thread */
#define HSM_TEXT_BYTES    256u

struct hsm_options {
    const char *program;         /* path of hsmd; NULL: beside the running program */
    const char *module;          /* PKCS#11 library; NULL: SoftHSM's */
    const char *token_directory; /* made by hsm_token_init(); its softhsm2.conf and data keys */
    const char *token_label;     /* NULL: "ringswitch" */
    const char *pin_file;        /* NULL: token_directory/pin */
    const struct hsm_key *keys;  /* the table; slots are its indexes */
    uint32_t keys_count;
    uint32_t instances_count; /* 0 = 1 */
    uint32_t clients_count;   /* agents that get a client */
    uint32_t spin_us;         /* how long hsmd looks before it sleeps; only with a core to itself */
    bool refuse_test_keys;    /* production: a key of test_keys.def is an error of the start */
    bool lock_memory;         /* production: hsmd that may not lock its memory is one too */
    int64_t start_timeout_ns; /* 0 = 10 s */
};

struct hsm_supervisor;
/* NULL: `text` holds one sentence that names the cause and the cure. Before mem_seal(). */
NODISCARD struct hsm_supervisor *hsm_supervisor_start(const struct hsm_options *options, char *text,
                                                      size_t text_size);
/* Restarts what died, kills what hangs. Returns when it wants to be called again (boot time). */
int64_t hsm_supervisor_tick(struct hsm_supervisor *supervisor, int64_t now_ns);
/* Ends the workers: asks, waits at most a second, kills. Frees nothing that was taken at start. */
void hsm_supervisor_stop(struct hsm_supervisor *supervisor);

struct hsm_shared *hsm_supervisor_shared(struct hsm_supervisor *supervisor);
/* In MEM_SECRET, for the daemon's life. */
const struct hsm_data_keys *hsm_supervisor_data_keys(const struct hsm_supervisor *supervisor);
/* False: the module lets the clear PIN into hsmd (any standard PKCS#11 module does). */
bool hsm_supervisor_keeps_pin_inside(const struct hsm_supervisor *supervisor);

enum hsm_instance_state {
#define HSM_INSTANCE_STATE(name, text) HSM_INSTANCE_##name,
#include "hsm/instance_state.def"
#undef HSM_INSTANCE_STATE
};
struct hsm_instance_status { /* for `status` and `hsm status`; each number for itself */
    enum hsm_instance_state state;
    const char *state_name;
    int32_t process_id;
    uint32_t restarts_count;
    uint64_t jobs_count, errors_count; /* of all its lives */
    int64_t proved_ns;                 /* boot time of its last proof by a real operation */
    bool memory_locked;                /* mlockall() was granted */
    uint32_t breakers_open_count;      /* clients that do not use it until it has proved itself */
    char text[HSM_TEXT_BYTES];         /* the last error, one sentence; "" */
};
uint32_t hsm_supervisor_instances(const struct hsm_supervisor *supervisor);
/* Any thread. */
struct hsm_instance_status hsm_supervisor_status(const struct hsm_supervisor *supervisor,
                                                 uint32_t instance);

#endif
