#include "base/log.h"
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file;
static char text[4 << 20];

/* All lines written so far, as one text; each must be JSON. */
static uint32_t lines(void)
{
    log_flush();
    size_t used = 0;
    for (ssize_t n; (n = pread(file, text + used, sizeof text - 1 - used, (off_t)used)) > 0;) {
        used += (size_t)n;
    }
    text[used] = '\0';
    uint32_t count = 0;
    for (char *line = text; *line != '\0'; count++) {
        char *end = strchr(line, '\n');
        cr_assert_not_null(end);
        json_error_t error;
        json_t *json = json_loadb(line, (size_t)(end - line), 0, &error);
        cr_assert_not_null(json, "%s: %.*s", error.text, (int)(end - line), line);
        cr_assert(json_is_string(json_object_get(json, "time")));
        cr_assert(json_is_string(json_object_get(json, "event")));
        json_decref(json);
        line = end + 1;
    }
    return count;
}

static void create(void)
{
    file = memfd_create("log", 0);
    cr_assert_geq(file, 0);
    log_thread_init("tester");
    log_start(file, LOG_INFO);
}

TestSuite(log, .init = create);

Test(log, writes_json_with_time_level_thread_and_fields)
{
    log_event(LOG_WARN, "link.down", log_text("party", "visa"), log_number("in_flight", -3));
    cr_assert_eq(lines(), 1);
    cr_assert_not_null(strstr(text,
                              "\"level\":\"warn\",\"thread\":\"tester\",\"event\":\"link.down\","
                              "\"party\":\"visa\",\"in_flight\":-3}"));
    cr_assert(text[0] == '{' && strncmp(text + 1, "\"time\":\"20", 10) == 0);
    cr_assert_eq(strncmp(text + 35, "Z\"", 2), 0, "%s", text);
}

Test(log, leaves_out_what_is_below_the_level)
{
    log_event(LOG_DEBUG, "quiet");
    cr_assert_eq(lines(), 0);
}

Test(log, escapes_what_others_sent)
{
    log_event(LOG_INFO, "odd", log_text("a", "\"\\\n\x01\x7f\xff"));
    log_event(LOG_INFO, "odd", log_text("a", "x\",\"event\":\"forged"));
    cr_assert_eq(lines(), 2);
    cr_assert_not_null(strstr(text, "\\\"\\\\\\u000a\\u0001\\u007f\\u00ff"));
    cr_assert_null(strstr(text, ",\"event\":\"forged"));
}

Test(log, cuts_long_texts_and_holds_the_longest_line)
{
    char longest[200];
    memset(longest, 1, sizeof longest); /* six bytes each when escaped */
    longest[199] = '\0';
    log_event(LOG_INFO, "long", log_text("a", longest), log_text("b", longest),
              log_text("c", longest), log_text("d", longest), log_text("e", longest),
              log_text("f", longest), log_text("g", longest), log_text("h", longest),
              log_text("ninth", "too many"));
    cr_assert_eq(lines(), 1);
    cr_assert_null(strstr(text, "ninth"));
}

Test(log, merges_repeats_even_when_two_events_alternate)
{
    for (int i = 0; i < 100; i++) {
        log_event(LOG_INFO, "accepted", log_number("port", 1));
        log_event(LOG_INFO, "closed", log_text("why", "end"));
    }
    log_event(LOG_INFO, "accepted", log_number("port", 2));
    uint32_t count = lines();
    cr_assert(count >= 5 && count < 20, "%u",
              count); /* 3 events, 2 of them once more with a count */
    cr_assert_not_null(strstr(text, "\"repeats\":"));
}

Test(log, counts_and_says_what_it_lost)
{
    for (int i = 0; i < 20000; i++) {
        log_event(LOG_INFO, "flood", log_number("number", i));
    }
    uint64_t lost = 0, seen = 0;
    (void)lines();
    for (const char *at = text; (at = strstr(at, "\"event\":\"")) != NULL; at += 9) {
        const char *said = strstr(at, "\"records\":");
        if (strncmp(at + 9, "log.lost", 8) == 0 && said != NULL) {
            lost += strtoull(said + 10, NULL, 10);
        } else {
            seen++;
        }
    }
    cr_assert_gt(lost, 0);
    cr_assert_eq(seen + lost, 20000);
}
