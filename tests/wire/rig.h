/* rig.h - a demo of real processes for one test: its own directory, ports, schemes and daemon.
 *
 * The binaries come from RS_BUILD_DIR (the build under test), or from build/release beside it when
 * a test asks for that; configuration from RS_ROOT/conf. Everything ends with rig_end(), also when
 * the test fails; the directory stays when it did. */
#ifndef TESTS_WIRE_RIG_H
#define TESTS_WIRE_RIG_H

#include "ctl/client.h"
#include "sims/caller.h"
#include "sims/demo_card.h"
#include "sims/message.h"
#include <sys/types.h>

#define RIG_BUSY_MS  20000 /* the longest that a slow disk may shed */
#define RIG_SETS_MAX 32u

struct rig {
    char root[512], build[512], dir[256], socket[300];
    uint16_t port, hex_port, http_port, scheme_ports[2];
    pid_t daemon, schemes[2];
    struct iso_dialect *dialect;
    struct demo_keys keys;
    const char *sets[RIG_SETS_MAX]; /* more `--set` arguments */
    uint32_t sets_count;
    const char *scheme_options[8]; /* more arguments of both schemes; NULL-terminated */
};

/* ---- checks: counted, the first failures are printed --------------------------------------- */

extern uint32_t checks_passed, checks_failed;
bool check(bool holds, const char *file, int line, const char *format, ...) PRINTF(4, 5);
#define CHECK(holds, ...) check(holds, __FILE__, __LINE__, __VA_ARGS__)
/* Prints `N passed, N failed`; the exit status of main(). */
int checks_report(void);

/* ---- life ---------------------------------------------------------------------------------- */

/* use_release: the release build, for rounds that count. Makes directory, token and dialect. */
NODISCARD bool rig_open(struct rig *rig, const char *name, bool use_release);
/* Schemes, then the daemon, until an 0800 is answered. */
NODISCARD bool rig_start(struct rig *rig);
NODISCARD bool rig_start_schemes(struct rig *rig);
NODISCARD bool rig_start_daemon(struct rig *rig);
/* The demo's 303 cards, statuses and lists. */
NODISCARD bool rig_fill(struct rig *rig);
void rig_kill(struct rig *rig);       /* SIGKILL to the daemon */
int rig_stop_daemon(struct rig *rig); /* SIGTERM; its exit status, -1: had to be killed */
void rig_end(struct rig *rig);

/* ---- money and records --------------------------------------------------------------------- */

bool rig_call(struct rig *rig, const char *command, json_t *args, struct ctl_answer *answer);
int64_t rig_balance(struct rig *rig, const char *account);
int64_t rig_held(struct rig *rig, const char *account);
/* Sum over all accounts that begin with `prefix`. */
void rig_sums(struct rig *rig, const char *prefix, int64_t *balance, int64_t *held);
/* Waits until `saf list` is empty; false: it is not after timeout_ms. */
NODISCARD bool rig_settle(struct rig *rig, int64_t timeout_ms);
/* ledger verify and trial balance. */
void rig_check_books(struct rig *rig);
pid_t rig_hsmd(const struct rig *rig); /* the daemon's first HSM worker; 0: none */

/* ---- messages ------------------------------------------------------------------------------ */

struct rig_message { /* what is NULL or 0 is left out, or has the demo's usual value */
    const char *mti, *pan, *de3, *de52, *cvv2, *track2, *de90, *de95, *terminal;
    int64_t amount_minor;
    uint32_t stan;
    char rrn[13];
};
struct rig_answer {
    char mti[5], de39[3], de38[7], de44[26], rrn[13];
    uint32_t stan;
};
/* Bytes of the message; 0: it cannot be built. */
uint32_t rig_build(const struct rig *rig, const struct rig_message *message, uint8_t *out,
                   size_t out_size);
NODISCARD bool rig_read(const struct rig *rig, struct span bytes, struct rig_answer *answer);
/* 91 with DE44 BUSY: overloaded, nothing is stored; a client says it again. */
bool rig_is_busy(const struct rig_answer *answer);
/* One message, its answer; says it again while it is BUSY. False: none within 8 s. */
NODISCARD bool rig_ask(struct rig *rig, struct caller *caller, const struct rig_message *message,
                       struct rig_answer *answer);
NODISCARD bool rig_connect(const struct rig *rig, struct caller *caller);
/* DE90 of a message that rig_build() made. */
void rig_original(const struct rig_message *message, char out[43]);

int64_t rig_now_ms(void);
void rig_sleep_ms(int64_t milliseconds);
uint64_t rig_random(uint64_t *state);
/* RS_SEED, or another one each time; printed. */
uint64_t rig_seed(void);

#endif
