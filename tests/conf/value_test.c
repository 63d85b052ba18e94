/* value_test.c - counts, sizes and durations, there and back. */
#include "tests/conf/support.h"

Test(value, counts)
{
    uint64_t n;
    char text[CONF_TEXT_BYTES];
    cr_assert(conf_value_count("64", &n) && n == 64);
    cr_assert(conf_value_count("1_000_000", &n) && n == 1000000);
    cr_assert(conf_value_count("4Mi", &n) && n == 4194304);
    static const char *const wrong[] = {"",
                                        "_1",
                                        "1_",
                                        "1__0",
                                        "-1",
                                        "1.5",
                                        "4M",
                                        "4 Mi",
                                        "0x10",
                                        "18446744073709551616",
                                        "99999999999999999Gi"};
    for (size_t i = 0; i < countof(wrong); i++) {
        cr_expect_not(conf_value_count(wrong[i], &n), "%s", wrong[i]);
    }
    conf_value_print_count(4194304, text);
    cr_assert_str_eq(text, "4Mi");
    conf_value_print_count(1000, text);
    cr_assert_str_eq(text, "1000");
}

Test(value, sizes_and_durations)
{
    uint64_t bytes;
    int64_t ns;
    char text[CONF_TEXT_BYTES];
    cr_assert(conf_value_size("8MiB", &bytes) && bytes == 8388608);
    cr_assert(conf_value_size("512B", &bytes) && bytes == 512);
    cr_assert_not(conf_value_size("512", &bytes));
    cr_assert(conf_value_duration("250ms", &ns) && ns == 250000000);
    cr_assert(conf_value_duration("48h", &ns) && ns == INT64_C(172800000000000));
    cr_assert_not(conf_value_duration("3", &ns));
    cr_assert_not(conf_value_duration("1000000d", &ns));
    conf_value_print_duration(INT64_C(172800000000000), text);
    cr_assert_str_eq(text, "2d");
    conf_value_print_duration(1500000000, text);
    cr_assert_str_eq(text, "1500ms");
    conf_value_print_size(0, text);
    cr_assert_str_eq(text, "0B");
}
