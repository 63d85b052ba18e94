/* tool.h - the tool itself in a folder of its own: what it prints, both streams in order, and its
 * exit code. */
#ifndef TESTS_CTL_TOOL_H
#define TESTS_CTL_TOOL_H

#include "base/bytes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char tool_folder[64];

static inline void tool_make_folder(void)
{
    (void)snprintf(tool_folder, sizeof tool_folder, "/tmp/ringctl-tool-XXXXXX");
    cr_assert_not_null(mkdtemp(tool_folder));
}

static inline void tool_remove_folder(void)
{
    char command[96];
    (void)snprintf(command, sizeof command, "rm -r %s", tool_folder);
    cr_assert_eq(system(command), 0);
}

static inline void tool_write(const char *name, const void *bytes, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", tool_folder, name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    (void)fclose(file);
}

static inline int tool_run(const char *arguments, char *out, size_t out_size)
{
    char command[8192];
    (void)snprintf(command, sizeof command, "cd %s && " RS_RINGCTL " %s 2>&1", tool_folder,
                   arguments);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    size_t size = fread(out, 1, out_size - 1, pipe);
    out[size] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
