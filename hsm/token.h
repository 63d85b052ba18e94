/* token.h - making and looking at the PKCS#11 token of a directory: `ringctl hsm init`, `hsm
 * status`.
 *
 * The directory (0700) of a SoftHSM token holds softhsm2.conf, tokens/, pin and so-pin (0600) and
 * data-keys: the card-index and data keys wrapped by the token's storage key (AES-256-GCM, bound to
 * their label and id). Keys are found by label; a key with single-DES steps has its twin `LABEL:L`.
 *
 * These functions load the module into the calling process and may block; the daemon never calls
 * them (hsmd does the work there). They set SOFTHSM2_CONF in the environment. */
#ifndef HSM_TOKEN_H
#define HSM_TOKEN_H

#include "hsm/hsm.h"
#include "hsm/supervisor.h"

struct hsm_token_key {
    struct hsm_key key; /* label, use, expected KCV (all zero: not compared) */
    const char *hex;    /* clear value, 32 or 48 hex characters; NULL: it must be there already */
};

struct hsm_token_options {
    const char *directory;
    const char *module; /* NULL: SoftHSM's */
    const char *label;  /* of the token; NULL: "ringswitch" */
};

enum hsm_token_err {
    HSM_TOKEN_OK = 0,
    HSM_TOKEN_MODULE, /* cannot be loaded or started */
    HSM_TOKEN_FILE,   /* directory, PIN file, data keys: cannot be made, read, or has open rights */
    HSM_TOKEN_PIN,    /* refused */
    HSM_TOKEN_KEY,    /* wrong length, parity, weak, halves equal, KCV differs, missing */
    HSM_TOKEN_FAILED, /* the token refused an operation */
};

struct hsm_token_row { /* one key of the token */
    char label[HSM_LABEL_BYTES + 2];
    char use[16]; /* "" for a key that the table does not have */
    char kcv[8];  /* computed by the token now; "" when it may not encrypt */
    bool created; /* hsm_token_init(): by this call */
};

/* Makes what is missing: directory, token, PINs, keys, twins, storage key, data keys. What is there
 * is kept and proved by its KCV. `row` (may be NULL) sees every key of the table. On an error
 * `text` holds one sentence. */
NODISCARD enum hsm_token_err
hsm_token_init(const struct hsm_token_options *options, const struct hsm_token_key *keys,
               uint32_t keys_count, void (*row)(void *context, const struct hsm_token_row *row),
               void *context, char *text, size_t text_size);

/* Logs in and lists every key with its KCV as the token computes it now. */
NODISCARD enum hsm_token_err hsm_token_status(const struct hsm_token_options *options,
                                              void (*row)(void *context,
                                                          const struct hsm_token_row *row),
                                              void *context, char *text, size_t text_size);

/* The name of a published test key with this KCV, or NULL: production refuses those. */
const char *hsm_test_key_name(const uint8_t kcv[3]);

#endif
