/* dialect_command.c - `ringctl dialect`: list, show, check, import, export. */
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "ctl/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ctl_dialect_import(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*import)(const char *, size_t, const char *, struct text *, struct iso_report *);
    } kinds[] = {
        {"table", spec_import_table}, {"jpos", spec_import_jpos}, {"moov", spec_import_moov}};
    struct ctl_iso_options options;
    size_t kind = 0;
    if (!ctl_iso_options(argc, argv, &options)) {
        return 2;
    }
    while (kind < countof(kinds) && options.from != NULL &&
           strcmp(kinds[kind].name, options.from) != 0) {
        kind++;
    }
    if (options.from == NULL || kind == countof(kinds) || options.rest_count != 1) {
        (void)fprintf(stderr, "ringctl: dialect import --from jpos|moov|table FILE\n");
        return 2;
    }
    const char *file = options.rest[0], *why;
    struct text text, yaml = {0};
    if (!text_read(&text, file, SPEC_BYTES_MAX, &why)) {
        (void)fprintf(stderr, "%s: %s\n", file, why);
        return 2;
    }
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    bool imported = kinds[kind].import(text.data, text.size, file, &yaml, report);
    if (imported) {
        (void)fwrite(yaml.data, 1, yaml.size, stdout);
    } else {
        ctl_report_print(report);
    }
    text_free(&yaml);
    text_free(&text);
    free(report);
    return fflush(stdout) != 0 ? 2 : !imported;
}
