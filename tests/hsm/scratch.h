/* scratch.h - a folder of a test's own, and a demo token in it. */
#ifndef TESTS_HSM_SCRATCH_H
#define TESTS_HSM_SCRATCH_H

#include "tests/hsm/demo_keys.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[64];

static int scratch_remove_entry(const char *path, const struct stat *status, int kind,
                                struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void scratch_remove(void)
{
    if (scratch[0] != '\0') {
        (void)nftw(scratch, scratch_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
}

static inline void scratch_make(void)
{
    (void)snprintf(scratch, sizeof scratch, "/tmp/hsm-test-XXXXXX");
    cr_assert_not_null(mkdtemp(scratch));
}

static inline void scratch_token(void)
{
    char text[HSM_TEXT_BYTES] = "";
    struct hsm_token_options options = {.directory = scratch};
    scratch_make();
    cr_assert_eq(hsm_token_init(&options, demo_keys, DEMO_KEYS, NULL, NULL, text, sizeof text),
                 HSM_TOKEN_OK, "%s", text);
}

static inline const char *scratch_path(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

#endif
