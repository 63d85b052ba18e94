/* acquirer.h - sends messages of a file, one after the other, prints the answers. */
#ifndef SIMS_ACQUIRER_H
#define SIMS_ACQUIRER_H

#include "base/base.h"

struct acquirer_options {
    const char *dialect, *dialects, *connect, *send; /* send: JSON lines; "-" standard input */
    int64_t timeout_ms;
    bool reveal; /* prints PANs as they are: they are the caller's own */
};
/* 0 every message was answered, 1 one was not, 2 wrong usage or environment. */
int acquirer_run(const struct acquirer_options *options);

#endif
