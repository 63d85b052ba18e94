/* harden.c - see harden.h. */
#include "hsm/harden.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void hsm_harden_start(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    /* It ends with its daemon and not by the terminal: the daemon drains after a Ctrl-C. */
    static const int ignored[] = {SIGINT, SIGHUP, SIGTERM, SIGPIPE, SIGQUIT};
    for (uint32_t i = 0; i < countof(ignored); i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
}

bool hsm_harden_lock(void)
{
#ifdef RS_ASAN
    return false;
#else
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    }
    return mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
#endif
}

void hsm_harden_hide(void)
{
#ifndef RS_ASAN
    static const void *heap_end;
    if (sbrk(0) == heap_end) {
        return;
    }
    heap_end = sbrk(0);
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        char access_rights[5];
        if (sscanf(line, "%lx-%lx %4s", &start, &end, access_rights) == 3 &&
            access_rights[1] == 'w') {
            (void)madvise((void *)start, end - start, MADV_DONTDUMP); /* devices refuse: harmless */
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
#endif
}
