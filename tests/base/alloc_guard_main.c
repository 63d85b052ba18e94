/* alloc_guard_main.c - a sealed thread that allocates ends the process; others may. A plain main():
 * the guard replaces malloc, so that no test library may sit in the same program. */
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile taken; /* seen from outside: the compiler must not leave the call out */

static void by_malloc(void)
{
    taken = malloc(10);
}

static void by_calloc(void)
{
    taken = calloc(1, 10);
}

static void by_realloc(void)
{
    taken = realloc(taken, 10);
}

static void by_aligned_alloc(void)
{
    taken = aligned_alloc(64, 64);
}

static void by_posix_memalign(void)
{
    void *memory = NULL;
    taken = posix_memalign(&memory, 64, 64) == 0 ? memory : NULL;
}

static void by_library(void)
{
    taken = strdup("a copy made inside the C library");
}

/* Started before its caller is sealed, or pthread_create would be the one that allocates. */
static pthread_barrier_t sealed;
static void (*given)(void);
static void *allocate(void *context)
{
    (void)pthread_barrier_wait(&sealed);
    given();
    return context;
}

static void by_another_thread(void (*way)(void))
{
    pthread_t thread;
    (void)pthread_barrier_init(&sealed, NULL, 2);
    given = way;
    must(pthread_create(&thread, NULL, allocate, NULL) == 0);
    mem_seal_thread();
    (void)pthread_barrier_wait(&sealed);
    must(pthread_join(thread, NULL) == 0);
}

static bool dies(void (*way)(void), bool in_another_thread)
{
    pid_t child = fork();
    if (child == 0) {
        if (in_another_thread) {
            by_another_thread(way);
        } else {
            mem_seal_thread();
            way();
        }
        _exit(0);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

int main(void)
{
    void (*const ways[])(void) = {by_malloc,        by_calloc,         by_realloc,
                                  by_aligned_alloc, by_posix_memalign, by_library};
    uint32_t passed = 0, failed = 0;
    for (size_t i = 0; i < countof(ways); i++) {
        bool is_right = dies(ways[i], false) && !dies(ways[i], true);
        passed += is_right;
        failed += !is_right;
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
