/* hsm.h - the client of the HSM workers that lives inside an agent: jobs out, results in.
 *
 * DESIGN  A job is copied into a ring in memory shared with `hsmd`; one bell a turn wakes a
 * sleeping hsmd; results are records that the agent drains in its turn. Nothing blocks, nothing
 * calls back. Each job ends exactly once: with the answer of the token, or UNAVAILABLE when its
 * deadline has passed. A result that comes after that is recognised by its generation and dropped.
 *
 * NEVER FAIL OPEN  OK and WRONG come from the token alone. Whatever else happens (no slot, no
 * worker, breaker open, key missing, token error, deadline) is UNAVAILABLE; it is also the value of
 * a result that nobody filled.
 *
 * A TURN  hsm_drain() first, hsm_submit() as often as wanted, hsm_flush() once at the end.
 * A thread that is about to sleep asks hsm_client_pending() as its last look: it announces that the
 * agent sleeps, so that hsmd rings; hsmd's bell is the readable descriptor of hsm_client_wake_fd(),
 * watched with io_watch().
 *
 * Two implementations: hsm/client.c (shared memory, real) and tests/sim/hsm_sim.c. */
#ifndef HSM_HSM_H
#define HSM_HSM_H

#include "base/base.h"
#include "base/secret.h"

#define HSM_KEYS_MAX        64u   /* slots: rows of the key table */
#define HSM_LABEL_BYTES     32u   /* with the NUL */
#define HSM_CLIENT_JOBS_MAX 1024u /* in flight, per client */

enum hsm_key_use {
#define HSM_KEY_USE(name, code, twin, help) HSM_KEY_##name,
#include "hsm/key_use.def"
#undef HSM_KEY_USE
    HSM_KEY_USES_COUNT
};
const char *hsm_key_use_name(enum hsm_key_use use); /* "ZONE_PIN" */
/* "zone_pin" or "ZONE_PIN"; false when there is no such use. */
NODISCARD bool hsm_key_use_parse(const char *name, enum hsm_key_use *use);

/* One key that this daemon works with; its index in the table is its slot. */
struct hsm_key {
    char label[HSM_LABEL_BYTES];
    enum hsm_key_use use;
    uint8_t kcv[3]; /* first bytes of E(0); all zero: not compared with the token's */
};
#define HSM_NO_KEY 0xFFFFu
/* HSM_NO_KEY when the table has no such label with that use. */
uint16_t hsm_key_slot(const struct hsm_key *keys, uint32_t keys_count, const char *label,
                      enum hsm_key_use use);

enum hsm_check {                           /* what a job asks for; any set of them */
                 HSM_CHECK_PIN = 1u << 0,  /* DE52, ISO 9564 format 0, against the PVV */
                 HSM_CHECK_CVV2 = 1u << 1, /* DE48.92: service code 000 */
                 HSM_CHECK_CVV = 1u << 2,  /* of track 2, or iCVV: the job says the service code */
};

struct hsm_job {    /* plain bytes, no pointers. The caller keeps it in MEM_SECRET and wipes it */
    uint64_t token; /* the caller's: slot and generation; comes back in the result */
    int64_t deadline_ns; /* boot time; then it is UNAVAILABLE */
    uint32_t checks;
    struct secret_pan pan;
    /* Key slots; HSM_NO_KEY, or one of another use: that check is UNAVAILABLE. */
    uint16_t zone_pin_key, pvk, cvk;
    uint8_t pin_block[8];
    uint8_t pvki;            /* digit '0'..'9' */
    uint8_t pvv[4];          /* digits of the card's record */
    uint8_t expiry[4];       /* YYMM, digits, as the card has it */
    uint8_t cvv2[3];         /* digits of the message */
    uint8_t cvv[3];          /* digits of track 2 */
    uint8_t service_code[3]; /* of the CVV: track 2's; 999 for an iCVV */
};

enum hsm_answer {
    HSM_UNAVAILABLE = 0, /* no definite answer */
    HSM_NOT_ASKED,
    HSM_OK,
    HSM_WRONG,
    HSM_BAD_BLOCK, /* PIN only: the block holds no PIN for this PAN */
};

struct hsm_result {
    uint64_t token;
    enum hsm_answer status; /* OK: every check that was asked has an answer; or UNAVAILABLE */
    enum hsm_answer pin, cvv2, cvv; /* each for itself */
};

struct hsm_client;
struct hsm_client_ops {
    bool (*submit)(struct hsm_client *, const struct hsm_job *job);
    void (*flush)(struct hsm_client *);
    uint32_t (*drain)(struct hsm_client *, struct hsm_result *results, uint32_t results_max,
                      int64_t now_ns);
    int64_t (*deadline)(const struct hsm_client *);
    bool (*pending)(struct hsm_client *);
    int (*wake_fd)(const struct hsm_client *);
};
struct hsm_client {
    const struct hsm_client_ops *ops;
};

/* Takes the job. False: no room, or no worker of the HSM is usable now; the caller treats every
 * check of the job as UNAVAILABLE, at once. Does not ring. */
NODISCARD static inline bool hsm_submit(struct hsm_client *client, const struct hsm_job *job)
{
    return client->ops->submit(client, job);
}
/* Publishes what was submitted and wakes the hsmds that sleep. Cheap when there is nothing. */
static inline void hsm_flush(struct hsm_client *client)
{
    client->ops->flush(client);
}
/* Up to results_max finished jobs, among them those whose deadline is <= now_ns. Call until it
 * returns less than results_max. */
NODISCARD static inline uint32_t hsm_drain(struct hsm_client *client, struct hsm_result *results,
                                           uint32_t results_max, int64_t now_ns)
{
    return client->ops->drain(client, results, results_max, now_ns);
}
/* When hsm_drain() must be called although nothing arrives (boot time; INT64_MAX: nothing in
 * flight). May be earlier than needed. */
static inline int64_t hsm_deadline(const struct hsm_client *client)
{
    return client->ops->deadline(client);
}
/* True when a result waits. False: none, and the next one will ring. */
NODISCARD static inline bool hsm_client_pending(struct hsm_client *client)
{
    return client->ops->pending(client);
}
/* Becomes readable when a result came while the agent slept: an eventfd that the io drains. -1: the
 * implementation needs none (simulation). */
static inline int hsm_client_wake_fd(const struct hsm_client *client)
{
    return client->ops->wake_fd(client);
}

/* The client of agent `client_index` (0.. below the clients_count of the supervisor's options).
 * Takes its memory at start. One agent uses it; `shared` outlives it. */
struct hsm_shared;
NODISCARD struct hsm_client *hsm_client_create(struct hsm_shared *shared, uint32_t client_index);

#endif
