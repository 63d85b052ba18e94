/* main.c - `ringswitch -c FILE [--check] [--set PATH=VALUE]…`: the arguments, and the daemon's
 * life. Exit: 0 drained, 1 a fault found by --check or a failure while running, 2 a refused start.
 */
#include "switch/control.h"
#include "switch/daemon.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static void print_help(FILE *stream)
{
    (void)fputs(
        "usage: ringswitch -c FILE [--check] [--set PATH=VALUE]...\n"
        "       ringswitch --print-defaults | --print-reference | --help\n"
        "  -c FILE            configuration (conf/ringswitch.yaml is the demo's)\n"
        "  --check            read and check everything, print the memory it would take, end\n"
        "  --set PATH=VALUE   a setting that stands in the place of the file's\n"
        "  --print-defaults   a complete configuration with every default\n"
        "SIGHUP reads rules and configuration again; SIGTERM finishes what is in flight, then "
        "ends.\n",
        stream);
}

static int usage(const char *why, const char *what)
{
    (void)fprintf(stderr, "ringswitch: %s%s%s\n", why, what != NULL ? ": " : "",
                  what != NULL ? what : "");
    print_help(stderr);
    return 2;
}

static int run(struct daemon *daemon, bool only_check)
{
    static struct conf_report report;
    bool loaded = daemon_load(daemon, &report);
    conf_report_print(&report, stderr);
    if (!loaded) {
        daemon_unload(daemon);
        return only_check ? 1 : 2;
    }
    uint64_t memory_bytes = daemon_memory_bytes(daemon), machine_bytes = daemon_machine_bytes();
    if (only_check) {
        (void)daemon_print_memory(daemon, stdout);
    }
    if (memory_bytes > machine_bytes) {
        (void)fprintf(stderr,
                      "ringswitch: %s: `limits` take %llu MiB, this machine has %llu MiB: lower "
                      "the largest (--check lists them)\n",
                      daemon->conf->file, (unsigned long long)(memory_bytes >> 20),
                      (unsigned long long)(machine_bytes >> 20));
    }
    if (only_check || memory_bytes > machine_bytes) {
        daemon_unload(daemon);
        return memory_bytes <= machine_bytes ? 0 : only_check ? 1 : 2;
    }
    char text[DAEMON_TEXT_BYTES] = "";
    if (!daemon_start(daemon, text, sizeof text)) {
        (void)fprintf(stderr, "ringswitch: %s\n", text);
        daemon_unload(daemon);
        return 2;
    }
    (void)daemon_print_memory(daemon, stderr);
    int status = control_run(daemon);
    daemon_stop(daemon);
    daemon_unload(daemon);
    return status;
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    static const char *overrides[DAEMON_OVERRIDES_MAX];
    const char *file = NULL;
    uint32_t overrides_count = 0;
    bool only_check = false;
    (void)prctl(PR_SET_NAME, "ringswitch");
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            print_help(stdout);
            return 0;
        }
        if (strcmp(arg, "--print-defaults") == 0) {
            conf_print_defaults(stdout);
            return 0;
        }
        if (strcmp(arg, "--print-reference") == 0) {
            conf_print_reference(stdout);
            return 0;
        }
        if (strcmp(arg, "--check") == 0) {
            only_check = true;
        } else if (strcmp(arg, "-c") == 0 && i + 1 < argc) {
            file = argv[++i];
        } else if (strcmp(arg, "--set") == 0 && i + 1 < argc) {
            if (overrides_count == DAEMON_OVERRIDES_MAX) {
                return usage("too many --set", NULL);
            }
            overrides[overrides_count++] = argv[++i];
        } else {
            return usage("unknown option, or its value is missing", arg);
        }
    }
    if (file == NULL) {
        return usage("give a configuration with -c FILE", NULL);
    }
    daemon.conf_options = (struct conf_options){
        .file = file, .overrides = overrides, .overrides_count = overrides_count};
    return run(&daemon, only_check);
}
