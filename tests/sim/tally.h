/* tally.h - which DE39 the acquirers heard, and how often. */
#ifndef SIM_TALLY_H
#define SIM_TALLY_H

#include "base/base.h"

#define TALLY_ROWS_MAX 32u

struct tally {
    uint64_t heard[TALLY_ROWS_MAX]; /* by row of de39.def */
};
/* "00", …, "BUSY"; false: not a value that is due. */
NODISCARD bool tally_add(struct tally *tally, const char *code);
void tally_print(const struct tally *tally);
/* The first that nobody heard, or NULL. */
const char *tally_missing(const struct tally *tally);

#endif
