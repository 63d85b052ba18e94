/* hsm_init.c - `ringctl hsm init`: makes the token of a configuration (token_make.h). Runs here,
 * with the daemon down or up: the daemon never changes the token. */
#include "ctl/ctl.h"

#include "ctl/token_make.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_row(void *context, const struct hsm_token_row *row)
{
    (void)context;
    if (ctl_globals.json) {
        printf("{\"label\":\"%s\",\"use\":\"%s\",\"kcv\":\"%s\",\"created\":%s}\n", row->label,
               row->use, row->kcv, row->created ? "true" : "false");
    } else {
        printf("%-24s %-10s %-6s %s\n", row->label, row->use, row->kcv,
               row->created ? "created" : "there");
    }
}

int ctl_hsm_init(int argc, char **argv)
{
    const char *overrides[CONF_OVERRIDES_MAX];
    struct conf_options options = {.file = "conf/ringswitch.yaml", .overrides = overrides};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            options.file = argv[++i];
        } else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc &&
                   options.overrides_count < CONF_OVERRIDES_MAX) {
            overrides[options.overrides_count++] = argv[++i];
        } else {
            (void)fprintf(stderr, "ringctl: hsm init: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    struct conf_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    struct conf *conf = conf_load(&options, report);
    if (conf == NULL) {
        conf_report_print(report, stderr);
    }
    bool done = conf != NULL && ctl_token_make(conf, print_row, NULL);
    conf_free(conf);
    free(report);
    return done ? 0 : 2;
}
