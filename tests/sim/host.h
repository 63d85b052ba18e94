/* host.h - one simulated ringswitch: one or two workers, shard and followers in one thread, on a
 * simulated world.
 *
 * DESIGN  A host boots on a disk that outlives it, runs round by round, and crashes at named
 * points: everything it had in memory is dropped, what was on the medium stays (disk_sim.h), the
 * next boot recovers. Dialect and parties are the demo's, and a second acquirer; of two rule sets,
 * the demo's and that of tests/sim/rules, one is in the files and in force. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "base/agent.h"
#include "ledger/follower.h"
#include "ledger/ledger.h"
#include "tests/sim/disk_sim.h"
#include "tests/sim/hsm_sim.h"
#include "tests/sim/point.h"
#include "tests/sim/world.h"

#define SIM_SCHEME_A    "127.0.0.1:8586"
#define SIM_SCHEME_B    "127.0.0.1:8587"
#define SIM_ENDPOINTS   2u
#define SIM_ACQUIRERS   2u
#define SIM_WORKERS_MAX 2u
#define SIM_RULE_SETS   2u

extern const struct host_acquirer {
    const char *address, *settlement;
    uint16_t party;
} host_acquirers[SIM_ACQUIRERS];

struct host_options {
    uint64_t seed;
    uint16_t workers_count;
    uint32_t crash_ppm;               /* of named points passed, by chance; 0 = never a crash */
    struct sim_point_counts *points;  /* counted there */
    const struct ledger_hooks *hooks; /* decided only */
};

struct host;
/* The stores live as long as the host struct; boot() starts a process on them. */
struct host *host_create(struct sim_world *world, const struct host_options *options);
void host_destroy(struct host *host);

enum host_booted { HOST_UP, HOST_CRASHED, HOST_REFUSED };
/* REFUSED: host_text() says why. CRASHED: while it recovered. */
NODISCARD enum host_booted host_boot(struct host *host);
bool host_is_up(const struct host *host);
const char *host_text(const struct host *host); /* the crash point, or the refusal */
/* One round of every agent. False: it crashed on the way. */
bool host_round(struct host *host);
void host_crash(struct host *host, const char *why);
/* From now on no named point ends the process. */
void host_spare(struct host *host, bool spared);

/* ---- what goes wrong around it: stays until it is taken back, also over a crash ----------------
 */

void host_hsm(struct host *host, enum hsm_sim_mode mode);
void host_disk_slow(struct host *host, uint32_t times);
void host_disk_full(struct host *host, bool is_full);
bool host_disk_is_full(const struct host *host);
void host_disk_error(struct host *host); /* the next write of the journal ends with EIO */
void host_follower_stalls(struct host *host, enum follower_kind kind, bool stalls);

/* ---- rule sets: an operator writes the files, journals the set's name and activates it ----------
 */

uint64_t host_rules_id(uint32_t set);
void host_rules_write(struct host *host, uint32_t set); /* what the next start reads */
void host_rules_activate(struct host *host, uint32_t set);
/* Of the set in force: what came after since_ns is judged by it. */
uint64_t host_rules_in_force(const struct host *host, int64_t *since_ns);
uint64_t host_journaled_ruleset(const struct host *host); /* 0 = none yet */

/* ---- looking -----------------------------------------------------------------------------------
 */

/* Of an account, straight from the shard's rows; false when there is none. */
bool host_balance(struct host *host, const char *account, int64_t *balance_minor,
                  int64_t *held_minor);
/* Earliest time at which an agent wants its turn. */
int64_t host_deadline(const struct host *host);

/* Prints every row that holds something of this account. */
void host_print_holds(struct host *host, const char *account);
/* Prints the ledger's transactions of this STAN. */
void host_print_txns(struct host *host, uint32_t stan);

struct ledger *host_ledger(const struct host *host);
struct ledger_port *host_control(struct host *host); /* the control sender's rings */
uint16_t host_control_sender(const struct host *host);
/* The worker whose links go to this endpoint. */
uint16_t host_owner(const struct host *host, uint8_t endpoint);
/* The last batch that survived of the last process that served. */
uint64_t host_survived(const struct host *host);
int64_t host_utc_ns(const struct host *host); /* batch time of the shard */
/* Nothing is in flight: every command is decided, durable and told. */
bool host_is_quiet(const struct host *host);
uint64_t host_digest(const struct host *host); /* of the ledger's state */
/* NULL, or what does not add up in the ledger's rows. */
const char *host_verify(const struct host *host);
uint64_t host_boots(const struct host *host);
/* Card key of a PAN, as the workers make it. */
void host_card_key(struct host *host, const char *pan, struct ledger_card_key *key);

#endif
