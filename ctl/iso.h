/* iso.h - what the commands around the codec share. */
#ifndef CTL_ISO_H
#define CTL_ISO_H

#include "iso8583/dialect.h"

struct ctl_iso_options {
    const char *dialect, *frame;
    bool reveal;
    const char *rest[8]; /* arguments that are no option */
    int rest_count;
    const char *expects[64]; /* --expect */
    int expects_count;
    const char *from, *to; /* --from, --to */
};
/* False: it has said why. */
NODISCARD bool ctl_iso_options(int argc, char **argv, struct ctl_iso_options *options);
/* Directories that dialects are looked up in: conf/dialects, and the one beside the program. */
const char *ctl_dialect_directories(void);
/* The first DIR/NAME SUFFIX of them, or the file NAME itself; false: there is none. */
NODISCARD bool ctl_dialect_file(const char *name, const char *suffix, char out[2048]);
/* A dialect by name or file; NULL: its faults stand in the report, or on standard error. */
NODISCARD struct iso_dialect *ctl_dialect_read(const char *name, struct iso_report *report);
NODISCARD struct iso_dialect *ctl_dialect_load(const char *name);
/* Every dialect of the first directory that has any; returns how many. The caller frees them. */
uint32_t ctl_dialects_load(struct iso_dialect **out, uint32_t out_max);
void ctl_report_print(const struct iso_report *report);

#endif
