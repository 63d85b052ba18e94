/* token_make.h - the token of a configuration: `ringctl hsm init` and `ringbench prepare`.
 *
 * The keys are the rows of `keys:`; their clear values come from the demo's published file
 * (`hsm.demo_keys`, mode demo only). A key that is in the token already is kept and proved by its
 * check value. The data directory is made when absent. */
#ifndef CTL_TOKEN_MAKE_H
#define CTL_TOKEN_MAKE_H

#include "conf/conf.h"
#include "hsm/token.h"

/* The keys as hsmd knows them; out holds CONF_KEYS_MAX. False: it has said why. */
NODISCARD bool ctl_token_keys(const struct conf *conf, struct hsm_key *out);
/* `row` (may be NULL) sees every key. False: it has said why on standard error. */
NODISCARD bool ctl_token_make(const struct conf *conf,
                              void (*row)(void *context, const struct hsm_token_row *row),
                              void *context);

#endif
