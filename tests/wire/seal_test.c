/* seal_test.c - after the seal the data plane allocates nothing: of the real daemon, under traffic.
 *
 * The release build is linked with base/alloc_guard.c: an allocation of a sealed thread ends it. So
 * the demo's mix, which has every kind of message, and a load on several links must leave it alive;
 * and a debugger that lets one of its data-plane threads call malloc() must not. A thread that is
 * not sealed (the followers', LMDB allocates) may. */
#include "tests/wire/rig.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD 400u

static struct rig rig;

static int run(const char *format, ...) PRINTF(1, 2);
static int run(const char *format, ...)
{
    char command[2000];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    int status = system(command); /* NOLINT(cert-env33-c): our own text */
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Lets the thread of that name call malloc(); 0: there is one, and it was done. */
static int allocate_in(const char *thread)
{
    return run("gdb -nx -batch -p %d"
               " -ex 'python [t.switch() for t in gdb.selected_inferior().threads()"
               " if t.name == \"%s\"]'"
               " -ex 'python print(\"chosen\", gdb.selected_thread().name)'"
               " -ex 'print ((void *(*)(unsigned long))malloc)(10)'"
               " >'%s/gdb.log' 2>&1; grep -q '^chosen %s' '%s/gdb.log'",
               rig.daemon, thread, rig.dir, thread, rig.dir);
}

static bool is_alive(void)
{
    int status = 0;
    if (waitpid(rig.daemon, &status, WNOHANG) != 0) {
        rig.daemon = 0;
        return CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
                     "it did not end by abort: %x", (unsigned)status) &&
               false;
    }
    return true;
}

/* False: it goes on for two seconds. */
static bool dies(void)
{
    for (uint32_t i = 0; i < 200; i++) {
        if (!is_alive()) {
            return true;
        }
        rig_sleep_ms(10);
    }
    return false;
}

static void load(void)
{
    static struct caller caller;
    if (!rig_connect(&rig, &caller)) {
        return;
    }
    for (uint32_t i = 1; i <= LOAD; i++) {
        char pan[17];
        struct rig_answer answer;
        demo_pan(1 + i % 250, pan);
        struct rig_message message = {.mti = i % 2 == 0 ? "0100" : "0200",
                                      .pan = i % 3 == 0 ? "4111111111111111" : pan,
                                      .amount_minor = 1,
                                      .stan = i};
        (void)snprintf(message.rrn, sizeof message.rrn, "A%011u", i);
        (void)CHECK(rig_ask(&rig, &caller, &message, &answer), "an answer to %u", i);
    }
    caller_close(&caller);
}

/* The guard itself: what would be seen if a thread of the data plane allocated. */
static void prove(const char *thread)
{
    if (rig.daemon == 0 && !rig_start_daemon(&rig)) {
        return;
    }
    (void)CHECK(allocate_in(thread) == 0, "no thread %s: %s/gdb.log", thread, rig.dir);
    (void)CHECK(dies(), "%s allocated, and the daemon goes on", thread);
    (void)CHECK(run("grep -q 'a sealed thread allocated memory' '%s/start.log'", rig.dir) == 0,
                "it does not say why it ended");
}

int main(void)
{
    /* Two workers, the shard by itself, its writer: a thread of each kind. */
    bool is_open = rig_open(&rig, "seal", true);
    rig.sets[rig.sets_count++] = "threads=dedicated";
    rig.sets[rig.sets_count++] = "workers=2";
    if (is_open && rig_start(&rig) && rig_fill(&rig)) {
        (void)CHECK(run("cd '%s' && '%s/ringsim' mix --connect 127.0.0.1:%u --socket '%s'"
                        " >'%s/mix.log' 2>&1",
                        rig.root, rig.build, rig.port, rig.socket, rig.dir) == 0,
                    "the mix: %s/mix.log", rig.dir);
        load();
        (void)CHECK(is_alive(), "traffic has ended the daemon: %s/start.log", rig.dir);
        (void)CHECK(allocate_in("followers") == 0, "no thread followers: %s/gdb.log", rig.dir);
        rig_sleep_ms(100);
        (void)CHECK(is_alive(), "a thread that may allocate has ended the daemon");
        prove("worker-0");
        prove("worker-1");
        prove("shard");
        prove("journal-write");
        rig_kill(&rig);
    }
    rig_end(&rig);
    return checks_report();
}
