/* machine.c - the foreign load of a measurement, pinning, time.
 *
 * DESIGN  Busy time of all processors (/proc/stat: user, nice, system, steal) less that of our
 * process trees and of kernel threads (/proc/PID/stat). Time in interrupts counts for nobody: on
 * loopback it is our own traffic. A process that ends between two samples is counted through its
 * parent; a kernel thread that ends takes its time along, so they are compared one by one. */
#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 4096u
#define DEPTH_MAX     32u /* of a process below its root */

struct process {
    int32_t id, parent;
    double seconds;
};

static double busy_seconds(double ticks_per_s)
{
    FILE *file = fopen("/proc/stat", "re");
    unsigned long long user = 0, nice_time = 0, system_time = 0, idle, wait, irq, soft, steal = 0;
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice_time, &system_time,
               &idle, &wait, &irq, &soft, &steal) != 8) {
        user = nice_time = system_time = steal = 0;
    }
    (void)fclose(file);
    return (double)(user + nice_time + system_time + steal) / ticks_per_s;
}

/* False: gone meanwhile. */
static bool read_process(int32_t id, double ticks_per_s, struct process *out)
{
    char path[64], line[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", id);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[size] = 0;
    const char *after = strrchr(line, ')'); /* the name may hold anything */
    long parent;
    unsigned long long user, system_time;
    long long child_user, child_system;
    if (after == NULL ||
        sscanf(after, ") %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld", &parent,
               &user, &system_time, &child_user, &child_system) != 5) {
        return false;
    }
    out->id = id;
    out->parent = (int32_t)parent;
    out->seconds = (double)(user + system_time) / ticks_per_s +
                   (double)(child_user + child_system) / ticks_per_s;
    return true;
}

static uint32_t read_processes(struct process *processes, double ticks_per_s)
{
    uint32_t count = 0;
    DIR *directory = opendir("/proc");
    if (directory == NULL) {
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && count < PROCESSES_MAX;) {
        char *end;
        long id = strtol(entry->d_name, &end, 10);
        if (*end == 0 && id > 0 && read_process((int32_t)id, ticks_per_s, &processes[count])) {
            count++;
        }
    }
    (void)closedir(directory);
    return count;
}

static int32_t parent_of(const struct process *processes, uint32_t count, int32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (processes[i].id == id) {
            return processes[i].parent;
        }
    }
    return 0;
}

static bool is_own(const struct process *processes, uint32_t count, int32_t id,
                   const struct machine_trees *trees)
{
    for (uint32_t depth = 0; depth < DEPTH_MAX && id > 1; depth++) {
        if (id == getpid()) {
            return true;
        }
        for (uint32_t i = 0; i < trees->count; i++) {
            if (trees->roots[i] == id) {
                return true;
            }
        }
        id = parent_of(processes, count, id);
    }
    return false;
}

void machine_sample(const struct machine_trees *trees, struct machine_sample *out)
{
    static struct process processes[PROCESSES_MAX];
    double ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    *out = (struct machine_sample){.now_ns = machine_now_ns(), .busy_s = busy_seconds(ticks_per_s)};
    uint32_t count = read_processes(processes, ticks_per_s);
    for (uint32_t i = 0; i < count; i++) {
        const struct process *process = &processes[i];
        if (process->id == 2 || process->parent == 2) {
            if (out->kernel_count < MACHINE_KERNEL_MAX) {
                out->kernel[out->kernel_count++] =
                    (struct machine_thread){process->id, process->seconds};
            }
        } else if (is_own(processes, count, process->id, trees)) {
            out->own_s += process->seconds;
        }
    }
}

/* What the kernel threads of `to` worked since `from`. */
static double kernel_seconds(const struct machine_sample *from, const struct machine_sample *to)
{
    double seconds = 0;
    for (uint32_t i = 0; i < to->kernel_count; i++) {
        seconds += to->kernel[i].seconds;
        for (uint32_t k = 0; k < from->kernel_count; k++) {
            seconds -= from->kernel[k].id == to->kernel[i].id ? from->kernel[k].seconds : 0;
        }
    }
    return seconds;
}

double machine_foreign_percent(const struct machine_sample *from, const struct machine_sample *to)
{
    double wall_s = (double)(to->now_ns - from->now_ns) / 1e9 * machine_cpus();
    double foreign_s =
        (to->busy_s - from->busy_s) - (to->own_s - from->own_s) - kernel_seconds(from, to);
    double percent = wall_s > 0 ? 100 * foreign_s / wall_s : 0;
    return percent < 0 ? 0 : percent;
}

uint32_t machine_cpus(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (uint32_t)count;
}

void machine_pin(int32_t cpu)
{
    if (cpu < 0) {
        return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu % machine_cpus(), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        (void)fprintf(stderr, "ringbench: cannot pin to processor %d: %s\n", cpu, strerror(errno));
    }
}

void machine_go_first(bool is_writer)
{
    const struct sched_param first = {.sched_priority = 1};
    if (is_writer) {
        (void)sched_setscheduler(0, SCHED_FIFO, &first);
    } else {
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), -10);
    }
}

int64_t machine_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* "\"way\":\"ring\",\"bytes\":4096," as "journal_write: way ring, bytes 4096" */
static void print_head(const char *bench, const char *more)
{
    printf("%s", bench);
    bool is_first = true, starts = true;
    for (const char *at = more; *at != '\0'; at++) {
        if (*at == ',') {
            starts = true;
        } else if (*at != '"') {
            printf("%s", !starts ? "" : is_first ? ": " : ", ");
            putchar(*at == ':' ? ' ' : *at);
            is_first = starts = false;
        }
    }
    putchar('\n');
}

void bench_print(const char *bench, const char *more, double rate_per_s,
                 const struct histogram *histogram, double foreign_percent, bool json)
{
    static const struct {
        const char *name;
        double quantile;
    } rows[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}};
    if (json) {
        printf("{\"bench\":\"%s\",%s\"rate_per_s\":%.0f", bench, more, rate_per_s);
        for (size_t i = 0; i < countof(rows); i++) {
            printf(",\"%s\":%.1f", rows[i].name,
                   (double)histogram_quantile_ns(histogram, rows[i].quantile) / 1e3);
        }
        printf(",\"max_us\":%.1f,\"count\":%llu,\"foreign_percent\":%.1f}\n",
               (double)histogram->max_ns / 1e3, (unsigned long long)histogram->count,
               foreign_percent);
        return;
    }
    print_head(bench, more);
    printf("%-16s %12.0f\n", "rate_per_s", rate_per_s);
    for (size_t i = 0; i < countof(rows); i++) {
        printf("%-16s %12.1f\n", rows[i].name,
               (double)histogram_quantile_ns(histogram, rows[i].quantile) / 1e3);
    }
    printf("%-16s %12.1f\n", "max_us", (double)histogram->max_ns / 1e3);
    printf("%-16s %12llu\n", "count", (unsigned long long)histogram->count);
    printf("%-16s %12.1f\n", "foreign_percent", foreign_percent);
}
