/* base.c - the end of a process whose invariant does not hold. */
#include "base/base.h"

#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/poison.h"

void must_failed(const char *expression, const char *file, int line)
{
    char text[512];
    int size =
        snprintf(text, sizeof text, "%s:%d: must(%s) does not hold\n", file, line, expression);
    if (size > 0) {
        (void)!write(STDERR_FILENO, text,
                     (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    }
    log_dump_last(STDERR_FILENO);
    abort();
}
