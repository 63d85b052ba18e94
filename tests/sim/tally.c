/* tally.c - see tally.h. */
#include "tests/sim/tally.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *code, *help;
} rows[] = {
#define DE39(code, help) {code, help},
#include "tests/sim/de39.def"
#undef DE39
};
_Static_assert(countof(rows) <= TALLY_ROWS_MAX, "every value has its count");

bool tally_add(struct tally *tally, const char *code)
{
    for (uint32_t i = 0; i < countof(rows); i++) {
        if (strcmp(rows[i].code, code) == 0) {
            tally->heard[i]++;
            return true;
        }
    }
    return false;
}

void tally_print(const struct tally *tally)
{
    (void)printf("%-5s %10s  %s\n", "DE39", "heard", "means");
    for (uint32_t i = 0; i < countof(rows); i++) {
        (void)printf("%-5s %10llu  %s\n", rows[i].code, (unsigned long long)tally->heard[i],
                     rows[i].help);
    }
}

const char *tally_missing(const struct tally *tally)
{
    for (uint32_t i = 0; i < countof(rows); i++) {
        if (tally->heard[i] == 0) {
            return rows[i].code;
        }
    }
    return NULL;
}
