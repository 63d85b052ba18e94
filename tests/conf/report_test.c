/* report_test.c - printing, counting, and what was meant. */
#include "tests/conf/support.h"

Test(report, counts_and_prints)
{
    static struct conf_report report;
    conf_report_add(&report, (struct conf_place){"a.yaml", 3, 5}, "E004", "unknown \"%s\"", "x");
    conf_report_add(&report, (struct conf_place){"a.yaml", 0, 0}, "", "two\nlines");
    cr_assert_eq(report.errors_count, 2);
    char line[512];
    (void)conf_fault_print(&report.faults[0], line, sizeof line);
    cr_assert_str_eq(line, "a.yaml:3:5: E004 unknown \"x\"");
    (void)conf_fault_print(&report.faults[1], line, sizeof line);
    cr_assert_str_eq(line, "a.yaml: two?lines");
    conf_report_add(&report, (struct conf_place){"a.yaml", 1, 1}, "W060", "unused");
    cr_assert_eq(report.warnings_count, 1);
    for (uint32_t i = 0; i < 100; i++) {
        conf_report_add(&report, (struct conf_place){"b.yaml", i, 1}, "", "many");
    }
    cr_assert_eq(report.faults_count, CONF_FAULTS_MAX);
    cr_assert_eq(report.errors_count, 102);
}

Test(report, nearest)
{
    static const char *const names[] = {"amount", "merchant.mcc", "channel", "journal.segments"};
    cr_assert_str_eq(conf_nearest("amont", names, 4), "amount");
    cr_assert_str_eq(conf_nearest("amuont", names, 4), "amount");
    cr_assert_str_eq(conf_nearest("journal.segment", names, 4), "journal.segments");
    cr_assert_null(conf_nearest("zzz", names, 4));
    cr_assert_null(conf_nearest("", names, 4));
}
