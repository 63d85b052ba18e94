/* daemon_threads.c - the plan of threads: which agent runs where, and their start and end.
 *
 * DESIGN  `shared` puts worker 0 and the shard into one thread, else each has its own. `ref` is
 * another, because operators' changes are to be seen within milliseconds; the other followers wait
 * for the disk and share one at batch priority. A thread makes its own io (an io_uring belongs to
 * the thread that created it), then all meet at two barriers: memory is sealed when every io
 * exists, and nobody runs before that. Stacks see cards: those of threads are secret memory, that
 * of the process is left out of dumps. */
#include "switch/daemon.h"

#include "base/log.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DATA_NICE      (-10) /* a wish: wants CAP_SYS_NICE; else as everybody */
#define FOLLOWERS_NICE 10
#define STACK_BYTES    (2u << 20)
#define GUARD_BYTES    4096u

/* Of the calling thread and of those that it makes: the writer of the journal among them. */
static void set_priority(enum daemon_thread_kind kind)
{
    id_t own = (id_t)syscall(SYS_gettid);
    if (kind == DAEMON_THREAD_DATA) {
        (void)setpriority(PRIO_PROCESS, own, DATA_NICE);
    } else if (kind == DAEMON_THREAD_BACKGROUND) {
        const struct sched_param none = {0};
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
        (void)setpriority(PRIO_PROCESS, own, FOLLOWERS_NICE);
    }
}

static void *thread_main(void *context)
{
    struct daemon_thread *own = context;
    struct thread *thread = &own->thread;
    (void)pthread_setname_np(pthread_self(), thread->name);
    log_thread_init(thread->name);
    set_priority(own->kind);
    thread_pin(thread);
    struct io_options options = {
        .write_thread = own->writes_by_thread,
        .buffers_count = own->kind == DAEMON_THREAD_DATA ? 0 : 1, /* no sockets: it only waits */
    };
    thread->io = io_uring_create_with(&options, own->refusal, sizeof own->refusal);
    thread->bell.io = thread->io;
    for (uint32_t i = 0; i < thread->agents_count; i++) {
        thread->agents[i]->io = thread->io;
    }
    (void)pthread_barrier_wait(&own->daemon->created);
    (void)pthread_barrier_wait(&own->daemon->sealed);
    if (thread->io == NULL || atomic_load(&thread->stop)) {
        return NULL;
    }
    if (own->kind == DAEMON_THREAD_DATA) {
        mem_seal_thread();
    }
    thread_run(thread);
    return NULL;
}

static struct daemon_thread *add_thread(struct daemon *daemon, const char *name,
                                        enum daemon_thread_kind kind)
{
    must(daemon->threads_count < countof(daemon->threads));
    struct daemon_thread *own = &daemon->threads[daemon->threads_count++];
    own->daemon = daemon;
    own->kind = kind;
    thread_init(&own->thread, name, &clock_system);
    if (kind == DAEMON_THREAD_DATA) {
        own->thread.spin_us = (uint32_t)(daemon->conf->spin_ns / NS_PER_US);
        daemon->data_threads_count++;
    }
    return own;
}

static void plan(struct daemon *daemon)
{
    struct daemon_thread *with_shard = NULL;
    for (uint32_t i = 0; i < daemon->workers_count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "worker-%u", i);
        struct daemon_thread *own = add_thread(daemon, name, DAEMON_THREAD_DATA);
        thread_add(&own->thread, worker_agent(daemon->workers[i]));
        daemon->ref_readers[i]->clock = &own->thread.clock;
        ledger_port(daemon->ledger, (uint16_t)i)->bell = &own->thread.bell;
        if (i == 0 && daemon->is_shared) {
            with_shard = own;
        }
    }
    if (with_shard == NULL) {
        with_shard = add_thread(daemon, "shard", DAEMON_THREAD_DATA);
    }
    thread_add(&with_shard->thread, ledger_agent(daemon->ledger));
    /* By measurement (`ringbench journal`): on an idle machine the two ways are equal; beside busy
     * cores the kernel's worker waits for its turn, 4 ms at the median, and a thread that blocks in
     * pwrite does not, 0.1 ms. It stays on its owner's CPU and takes it when a write has ended:
     * from another one each write cost a wake-up of a CPU more, at 8x1 half the rate. */
    with_shard->writes_by_thread = true;
    daemon->shard_bell = &with_shard->thread.bell;
    for (uint32_t i = 0; i < daemon->endpoints_count; i++) {
        ledger_endpoint_bell(daemon->ledger, (uint16_t)i,
                             worker_agent(daemon->workers[daemon->endpoints[i].owner])->bell);
    }
    struct followers *followers = ledger_followers(daemon->ledger);
    struct daemon_thread *ref = add_thread(daemon, "ref", DAEMON_THREAD_NEAR);
    thread_add(&ref->thread, followers_agent(followers, FOLLOWER_REF));
    struct daemon_thread *background = add_thread(daemon, "followers", DAEMON_THREAD_BACKGROUND);
    thread_add(&background->thread, followers_agent(followers, FOLLOWER_STATE));
    thread_add(&background->thread, followers_agent(followers, FOLLOWER_ARCHIVE));
    thread_add(&background->thread, ledger_warm_agent(daemon->ledger));
}

/* Data-plane threads take the last CPUs, one each; the first ones stay for interrupts, followers
 * and everything else. */
static void pin(struct daemon *daemon)
{
    uint32_t cpus = daemon_cpus();
    uint32_t data_threads = daemon->data_threads_count;
    bool fits = data_threads < cpus;
    if (daemon->conf->pin == CONF_PIN_OFF || (daemon->conf->pin == CONF_PIN_AUTO && !fits)) {
        return;
    }
    for (uint32_t i = 0; i < daemon->threads_count; i++) {
        struct thread *thread = &daemon->threads[i].thread;
        if (i < data_threads) {
            thread->cpu = (int32_t)((cpus - data_threads % cpus + i) % cpus);
            thread->cpus_count = 1;
        } else if (fits) {
            thread->cpu = 0;
            thread->cpus_count = cpus - data_threads;
        }
    }
}

/* A stack that is locked, not dumped, and ends in a page that cannot be touched. */
static void start_thread(struct daemon_thread *own)
{
    pthread_attr_t attributes;
    own->stack = mem_take(MEM_SECRET, GUARD_BYTES + STACK_BYTES, "stack");
    must(mprotect(own->stack, GUARD_BYTES, PROT_NONE) == 0);
    must(pthread_attr_init(&attributes) == 0);
    must(pthread_attr_setstack(&attributes, own->stack + GUARD_BYTES, STACK_BYTES) == 0);
    must(pthread_create(&own->id, &attributes, thread_main, own) == 0);
    (void)pthread_attr_destroy(&attributes);
}

/* The control thread has PANs of `card` commands in its hands. */
static void hide_own_memory(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long begin, end;
        if ((strstr(line, "[stack]") != NULL || strstr(line, "[heap]") != NULL) &&
            sscanf(line, "%lx-%lx", &begin, &end) == 2) {
            (void)madvise((void *)begin, end - begin, MADV_DONTDUMP);
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
}

bool daemon_threads_start(struct daemon *daemon, char *text, size_t text_size)
{
    plan(daemon);
    pin(daemon);
    if (daemon->conf->spin_ns > 0 && daemon->data_threads_count >= daemon_cpus()) {
        (void)snprintf(text, text_size,
                       "spin: %u threads would leave none of %u CPUs to others; set it to off",
                       daemon->data_threads_count, daemon_cpus());
        daemon->threads_count = daemon->data_threads_count = 0;
        return false;
    }
    hide_own_memory();
    must(pthread_barrier_init(&daemon->created, NULL, daemon->threads_count + 1) == 0);
    must(pthread_barrier_init(&daemon->sealed, NULL, daemon->threads_count + 1) == 0);
    for (uint32_t i = 0; i < daemon->threads_count; i++) {
        start_thread(&daemon->threads[i]);
    }
    (void)pthread_barrier_wait(&daemon->created);
    bool all = true;
    for (uint32_t i = 0; i < daemon->threads_count; i++) {
        if (daemon->threads[i].thread.io == NULL && all) {
            (void)snprintf(text, text_size, "%s", daemon->threads[i].refusal);
            all = false;
        }
    }
    for (uint32_t i = 0; i < daemon->threads_count && !all; i++) {
        atomic_store(&daemon->threads[i].thread.stop, true);
    }
    mem_seal();
    (void)pthread_barrier_wait(&daemon->sealed);
    return all;
}

void daemon_threads_stop(struct daemon *daemon)
{
    for (uint32_t i = 0; i < daemon->threads_count; i++) {
        struct thread *thread = &daemon->threads[i].thread;
        atomic_store(&thread->stop, true);
        if (thread->io != NULL) {
            thread->io->ops->wake(thread->io);
        }
    }
    for (uint32_t i = 0; i < daemon->threads_count; i++) {
        struct thread *thread = &daemon->threads[i].thread;
        (void)pthread_join(daemon->threads[i].id, NULL);
        /* The guard is part of what is wiped at the end. */
        must(mprotect(daemon->threads[i].stack, GUARD_BYTES, PROT_READ | PROT_WRITE) == 0);
        if (thread->io != NULL) {
            thread->io->ops->destroy(thread->io);
            thread->io = NULL;
        }
    }
    daemon->threads_count = daemon->data_threads_count = 0;
}
