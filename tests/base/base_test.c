#include "base/base.h"
#include "base/log.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The place, the expression and the last records of the log reach the standard error. */
Test(must, says_where_and_what_was_logged_last)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        log_thread_init("victim");
        log_start(ends[1], LOG_ALARM);
        log_event(LOG_ALARM, "before.the.end", log_number("number", 7));
        volatile int three = 3;
        must(three == 4);
        _exit(0);
    }
    close(ends[1]);
    char text[4096] = "";
    size_t used = 0;
    for (ssize_t n; (n = read(ends[0], text + used, sizeof text - 1 - used)) > 0;) {
        used += (size_t)n;
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_assert_not_null(strstr(text, "base_test.c:"));
    cr_assert_not_null(strstr(text, "must(three == 4) does not hold"));
    cr_assert_not_null(strstr(text, "\"event\":\"before.the.end\",\"number\":7"));
}

Test(must, lets_the_truth_pass)
{
    must(countof(((int[3]){0})) == 3);
}
