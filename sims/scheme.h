/* scheme.h - the issuer's side of a scheme: what it answers, when, and how it misbehaves.
 *
 * RULES  Advices and reversals are acknowledged, 0800 too; 0100 and 0200 are approved, except by
 * the last two digits of DE4: 05 declined 05, 91 never answered, 96 answered after 5 s. A script's
 * lines come first. Then, under the seed, a percentage of answers is late, dropped, said twice, or
 * lost with the connection. */
#ifndef SIMS_SCHEME_H
#define SIMS_SCHEME_H

#include "base/base.h"

struct scheme_options {
    const char *dialect, *dialects, *listen, *audit, *script;
    int64_t late_percent, drop_percent, duplicate_percent, disconnect_percent, seed;
};

/* Serves until SIGTERM or SIGINT. 0, or 2 with a sentence on standard error. */
int scheme_run(const struct scheme_options *options);

#endif
