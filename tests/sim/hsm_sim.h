/* hsm_sim.h - the HSM of the simulation: hsm/hsm.h without processes, on simulated time.
 *
 * The answers are computed by the same batch code as in hsmd, with OpenSSL and the demo's public
 * keys in the place of the token. A job is done after a delay of its own; hsm_deadline() says when
 * something will be done, so a thread that sleeps until its agents' deadlines needs no bell. */
#ifndef SIM_HSM_SIM_H
#define SIM_HSM_SIM_H

#include "hsm/data_key.h"
#include "hsm/token.h"
#include "tests/sim/world.h"

enum hsm_sim_mode {
    HSM_SIM_UP,
    HSM_SIM_SILENT, /* takes jobs and answers none: hsmd under SIGSTOP */
    HSM_SIM_DOWN,   /* takes none: no worker is usable */
};

struct hsm_sim_faults {
    int64_t delay_min_ns, delay_max_ns;
    uint32_t late_percent;        /* done after its deadline */
    uint32_t unavailable_percent; /* answered without an answer: an error of the token */
};

/* `keys` needs clear values (hex) and becomes the key table: the slot is the index. `random` and
 * `clock` outlive the client. */
struct hsm_client *hsm_sim_create(const struct clock_source *clock, struct sim_random *random,
                                  const struct hsm_token_key *keys, uint32_t keys_count,
                                  const struct hsm_sim_faults *faults);
void hsm_sim_destroy(struct hsm_client *client);
void hsm_sim_set_mode(struct hsm_client *client, enum hsm_sim_mode mode);
uint64_t hsm_sim_jobs_count(const struct hsm_client *client);

/* The two data keys of every simulated data directory. */
extern const struct hsm_data_keys hsm_sim_data_keys;

#endif
