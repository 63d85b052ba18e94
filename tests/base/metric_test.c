#include "base/metric.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(metric, sums_the_blocks_of_all_threads)
{
    struct metric_block *a = metric_block_create("a"), *b = metric_block_create("b");
    metric_add(a, METRIC_frames_received, 3);
    metric_add(b, METRIC_frames_received, 4);
    metric_add(a, METRIC_links_open, 2);
    metric_add(b, METRIC_links_open, -1);
    cr_assert_eq(metric_sum(METRIC_frames_received), 7);
    cr_assert_eq(metric_sum(METRIC_links_open), 1);
}

Test(metric, quantiles_are_never_below_the_truth_and_at_most_half_above)
{
    struct metric_block *block = metric_block_create("a");
    for (int64_t us = 1; us <= 10000; us++) {
        metric_observe(block, METRIC_answer_us, us);
    }
    for (int percent = 5; percent < 100; percent += 5) {
        double quantile = percent / 100.0;
        double truth = quantile * 10000;
        double said = (double)metric_quantile_us(METRIC_answer_us, quantile);
        cr_assert(said >= truth && said <= truth * 1.51 + 1, "%g: %g", truth, said);
    }
    cr_assert_eq(metric_quantile_us(METRIC_journal_write_us, 0.5), 0);
}

static long number_at(const char *text)
{
    return strtol(text, NULL, 10);
}

static const char *value_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    cr_assert_not_null(at, "%s", name);
    return at + strlen(name);
}

Test(metric, prints_what_prometheus_reads)
{
    struct metric_block *block = metric_block_create("a");
    const int64_t values[] = {-5, 0, 1, 2, 3, 4, 100, INT64_C(1) << 40};
    for (size_t i = 0; i < countof(values); i++) {
        metric_observe(block, METRIC_answer_us, values[i]);
    }
    metric_add(block, METRIC_frames_sent, 12);
    size_t size = metric_print(NULL, 0);
    char *text = malloc(size + 1);
    cr_assert_eq(metric_print(text, size + 1), size);
    cr_assert_eq(strlen(text), size);
    cr_assert_not_null(strstr(text, "# TYPE ringswitch_frames_sent counter\n"
                                    "ringswitch_frames_sent 12\n"));
    cr_assert_not_null(strstr(text, "# TYPE ringswitch_answer_us histogram\n"));
    cr_assert_not_null(strstr(text, "# HELP ringswitch_links_open "));
    /* le is inclusive: a value that equals a bound is in that bucket. */
    cr_assert_eq(number_at(value_of(text, "ringswitch_answer_us_bucket{le=\"1\"} ")), 3);
    cr_assert_eq(number_at(value_of(text, "ringswitch_answer_us_bucket{le=\"2\"} ")), 4);
    cr_assert_eq(number_at(value_of(text, "ringswitch_answer_us_bucket{le=\"3\"} ")), 5);
    cr_assert_eq(number_at(value_of(text, "ringswitch_answer_us_bucket{le=\"5\"} ")), 6);
    cr_assert_eq(number_at(value_of(text, "ringswitch_answer_us_bucket{le=\"+Inf\"} ")), 8);
    cr_assert_eq(number_at(value_of(text, "ringswitch_answer_us_count ")), 8);
    char small[10];
    cr_assert_eq(metric_print(small, sizeof small), size, "says what it needs");
    cr_assert_eq(strlen(small), 9);
    free(text);
}
