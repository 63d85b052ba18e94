/* rules_check.c - `ringctl rules check DIR`: the rule files of a directory, as a reload would read
 * them. Which parties are dialled stands elsewhere, so any name of an endpoint will do here;
 * `ringswitch -c FILE --check` knows them. */
#include "conf/report.h"
#include "ctl/ctl.h"
#include "rules/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_good(const struct rules *rules, const char *directory, uint32_t warnings)
{
    if (ctl_globals.json) {
        printf("{\"ok\":true,\"ruleset\":\"%016" PRIx64 "\",\"rules\":%u,\"warnings\":%u}\n",
               rules_id(rules), rules_rows_count(rules), warnings);
        return;
    }
    printf("%s: %u rules, set %016" PRIx64 ", %u warnings\n", directory, rules_rows_count(rules),
           rules_id(rules), warnings);
}

int ctl_rules_check(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        (void)fprintf(stderr, "usage: ringctl rules check DIR\n");
        return 2;
    }
    struct conf_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    const struct rules_options options = {.directory = argv[1]};
    struct rules *rules = rules_load(&options, report);
    uint32_t errors = report->errors_count, warnings = report->warnings_count;
    conf_report_print(report, stderr);
    free(report);
    if (rules == NULL) {
        if (ctl_globals.json) {
            printf("{\"ok\":false,\"errors\":%u,\"warnings\":%u}\n", errors, warnings);
        }
        return 1;
    }
    print_good(rules, argv[1], warnings);
    rules_free(rules);
    return 0;
}
