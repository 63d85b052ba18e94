/* supervisor.c - see supervisor.h. The control thread; status from any.
 *
 * DESIGN  The children are told apart by their process ids alone: waitpid() is asked for each, so
 * that nobody else's child is reaped. Back-off doubles from RESTART_FIRST_NS to RESTART_MOST_NS and
 * starts again after a life of STEADY_NS. */
#include "hsm/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hsm/files.h"
#include "hsm/shared.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESTART_FIRST_NS (100 * NS_PER_MS)
#define RESTART_MOST_NS  (5 * NS_PER_S)
#define STEADY_NS        (10 * NS_PER_S)
#define TICK_NS          (100 * NS_PER_MS)
#define STOP_NS          NS_PER_S
#define START_NS         (10 * NS_PER_S)
#define FD_ABOVE         64 /* inherited descriptors are moved from above their numbers in hsmd */

struct child {
    pid_t process_id;    /* 0 = none */
    int boot_pipe;       /* our end; closing it ends hsmd */
    bool is_stopped;     /* by a signal: neither dead nor hanging */
    uint32_t said_state; /* what the log knows */
    int64_t started_ns, restart_due_ns, restart_ns;
};

struct hsm_supervisor {
    struct hsm_shared shared;
    struct hsm_data_keys *data_keys; /* MEM_SECRET */
    char program[PATH_MAX];
    char pin_file[PATH_MAX];
    struct child children[HSM_INSTANCES_MAX];
};

static bool make_shared(struct hsm_supervisor *supervisor, const struct hsm_options *options,
                        char *text, size_t text_size);
static bool choose_program(struct hsm_supervisor *supervisor, const struct hsm_options *options,
                           char *text, size_t text_size);
static bool spawn(struct hsm_supervisor *supervisor, uint32_t instance, char *text,
                  size_t text_size);
static bool wait_ready(struct hsm_supervisor *supervisor, int64_t until_ns, char *text,
                       size_t text_size);

static int64_t boot_ns(void)
{
    return clock_system.boot_ns(clock_system.context);
}

struct hsm_supervisor *hsm_supervisor_start(const struct hsm_options *options, char *text,
                                            size_t text_size)
{
    must(options->clients_count > 0 && options->clients_count <= HSM_CLIENTS_MAX);
    must(options->keys_count <= HSM_KEYS_MAX && options->instances_count <= HSM_INSTANCES_MAX);
    struct hsm_supervisor *supervisor = mem_take(MEM_PLAIN, sizeof *supervisor, "hsm supervisor");
    supervisor->data_keys = mem_take(MEM_SECRET, sizeof *supervisor->data_keys, "hsm data keys");
    if (!choose_program(supervisor, options, text, text_size) ||
        !make_shared(supervisor, options, text, text_size)) {
        return NULL;
    }
    int64_t limit_ns = options->start_timeout_ns > 0 ? options->start_timeout_ns : START_NS;
    int64_t until_ns = boot_ns() + limit_ns;
    bool started = true;
    for (uint32_t i = 0; i < supervisor->shared.area->instances_count && started; i++) {
        started = spawn(supervisor, i, text, text_size);
    }
    if (!started || !wait_ready(supervisor, until_ns, text, text_size)) {
        hsm_supervisor_stop(supervisor);
        return NULL;
    }
    return supervisor;
}

/* ---- start -------------------------------------------------------------------------------------
 */

static bool choose_program(struct hsm_supervisor *supervisor, const struct hsm_options *options,
                           char *text, size_t text_size)
{
    int size;
    if (options->program != NULL) {
        size = snprintf(supervisor->program, PATH_MAX, "%s", options->program);
    } else {
        char self[PATH_MAX];
        ssize_t self_size = readlink("/proc/self/exe", self, sizeof self - 1);
        self[self_size > 0 ? self_size : 0] = '\0';
        char *slash = strrchr(self, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        size = snprintf(supervisor->program, PATH_MAX, "%s/hsmd", self);
    }
    int pin_size =
        options->pin_file != NULL
            ? snprintf(supervisor->pin_file, PATH_MAX, "%s", options->pin_file)
            : snprintf(supervisor->pin_file, PATH_MAX, "%s/pin", options->token_directory);
    if (size >= PATH_MAX || pin_size >= PATH_MAX) {
        (void)snprintf(text, text_size, "a path of the HSM's options is too long");
        return false;
    }
    if (access(supervisor->program, X_OK) != 0) {
        (void)snprintf(text, text_size, "the HSM worker %s cannot be run: %s", supervisor->program,
                       strerror(errno));
        return false;
    }
    return true;
}

/* A copy of the descriptor above every number that hsmd inherits, closed on exec. */
static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
    (void)close(fd);
    return moved;
}

static bool fill_head(struct hsm_area *area, const struct hsm_options *options, char *text,
                      size_t text_size)
{
    area->clients_count = options->clients_count;
    area->instances_count = options->instances_count > 0 ? options->instances_count : 1;
    area->keys_count = options->keys_count;
    area->spin_us = options->spin_us;
    area->refuse_test_keys = options->refuse_test_keys;
    area->lock_memory = options->lock_memory;
    memcpy(area->keys, options->keys, options->keys_count * sizeof area->keys[0]);
    int module = snprintf(area->module, sizeof area->module, "%s",
                          options->module != NULL ? options->module : "");
    int label = snprintf(area->label, sizeof area->label, "%s",
                         options->token_label != NULL ? options->token_label : "");
    int directory =
        snprintf(area->directory, sizeof area->directory, "%s", options->token_directory);
    if ((size_t)module >= sizeof area->module || (size_t)label >= sizeof area->label ||
        (size_t)directory >= sizeof area->directory) {
        (void)snprintf(text, text_size, "a path or label of the HSM's options is too long");
        return false;
    }
    return true;
}

static bool make_shared(struct hsm_supervisor *supervisor, const struct hsm_options *options,
                        char *text, size_t text_size)
{
    struct hsm_shared *shared = &supervisor->shared;
    uint32_t instances_count = options->instances_count > 0 ? options->instances_count : 1;
    size_t bytes = hsm_area_bytes(options->clients_count, instances_count);
    must(bytes <= UINT32_MAX);
    int fd = -1;
    shared->area = mem_take_shared(MEM_SECRET, bytes, "hsm rings", &fd);
    shared->area_fd = move_up(fd);
    if (!fill_head(shared->area, options, text, text_size)) {
        return false;
    }
    bool made = shared->area_fd >= 0;
    for (uint32_t i = 0; i < instances_count && made; i++) {
        shared->instance_bells[i] = move_up(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        made = shared->instance_bells[i] >= 0;
    }
    for (uint32_t i = 0; i < options->clients_count && made; i++) {
        shared->client_bells[i] = move_up(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        made = shared->client_bells[i] >= 0;
    }
    if (!made) {
        (void)snprintf(text, text_size, "no descriptors for the HSM workers: %s", strerror(errno));
    }
    shared->area->bytes = (uint32_t)bytes;
    shared->area->magic = HSM_AREA_MAGIC;
    return made;
}

static void pause_ms(int64_t ms)
{
    const struct timespec time = {.tv_nsec = ms * NS_PER_MS};
    (void)nanosleep(&time, NULL);
}

/* Takes the data keys out of the shared memory, once. */
static void take_data_keys(struct hsm_supervisor *supervisor)
{
    struct hsm_area *area = supervisor->shared.area;
    if (atomic_load(&area->handover) == HSM_HANDOVER_THERE) {
        *supervisor->data_keys = area->data_keys;
        secret_wipe(&area->data_keys, sizeof area->data_keys);
        atomic_store(&area->handover, HSM_HANDOVER_TAKEN);
    }
}

static bool wait_ready(struct hsm_supervisor *supervisor, int64_t until_ns, char *text,
                       size_t text_size)
{
    for (;;) {
        uint32_t ready_count = 0, count = supervisor->shared.area->instances_count;
        int64_t now_ns = boot_ns();
        (void)hsm_supervisor_tick(supervisor, now_ns);
        take_data_keys(supervisor);
        for (uint32_t i = 0; i < count; i++) {
            struct hsm_instance_status status = hsm_supervisor_status(supervisor, i);
            ready_count += status.state == HSM_INSTANCE_READY;
            if (status.state == HSM_INSTANCE_REFUSED || now_ns >= until_ns) {
                (void)snprintf(text, text_size, "the HSM is not usable: %s",
                               status.text[0] != '\0' ? status.text : status.state_name);
            }
            if (status.state == HSM_INSTANCE_REFUSED) {
                return false;
            }
        }
        if (ready_count == count) {
            return true;
        }
        if (now_ns >= until_ns) {
            return false;
        }
        pause_ms(2);
    }
}

/* ---- one worker --------------------------------------------------------------------------------
 */

static bool write_boot(struct hsm_supervisor *supervisor, uint32_t instance, int pipe_fd,
                       char *text, size_t text_size)
{
    struct hsm_boot boot = {.magic = HSM_AREA_MAGIC, .instance = instance, .parent_id = getpid()};
    size_t pin_size = 0;
    bool written = hsm_secret_file_read(supervisor->pin_file, boot.pin, sizeof boot.pin, &pin_size,
                                        text, text_size);
    boot.pin_size = (uint32_t)pin_size;
    if (!written && access(supervisor->pin_file, F_OK) != 0) {
        (void)snprintf(text, text_size,
                       "the token's PIN file %s: %s; make the token with `ringctl hsm init`, or "
                       "name another in hsm.token, hsm.pin_file",
                       supervisor->pin_file, strerror(errno));
    }
    if (written && write(pipe_fd, &boot, sizeof boot) != (ssize_t)sizeof boot) {
        (void)snprintf(text, text_size, "the PIN cannot be given to hsmd: %s", strerror(errno));
        written = false;
    }
    secret_wipe(&boot, sizeof boot);
    return written;
}

static int start_process(struct hsm_supervisor *supervisor, uint32_t instance, int boot_fd,
                         pid_t *process_id)
{
    const struct hsm_shared *shared = &supervisor->shared;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, shared->area_fd, HSM_FD_AREA);
    (void)posix_spawn_file_actions_adddup2(&actions, boot_fd, HSM_FD_BOOT);
    (void)posix_spawn_file_actions_adddup2(&actions, shared->instance_bells[instance], HSM_FD_BELL);
    int clients = (int)shared->area->clients_count;
    for (int i = 0; i < clients; i++) {
        (void)posix_spawn_file_actions_adddup2(&actions, shared->client_bells[i],
                                               HSM_FD_CLIENTS + i);
    }
    (void)posix_spawn_file_actions_addclosefrom_np(&actions, HSM_FD_CLIENTS + clients);
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char name[] = "hsmd";
    char *arguments[] = {name, NULL};
    int err =
        posix_spawn(process_id, supervisor->program, &actions, &attributes, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return err;
}

static bool spawn(struct hsm_supervisor *supervisor, uint32_t instance, char *text,
                  size_t text_size)
{
    struct child *child = &supervisor->children[instance];
    struct hsm_instance_line *line = &supervisor->shared.area->instances[instance];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)snprintf(text, text_size, "no pipe for hsmd: %s", strerror(errno));
        return false;
    }
    int boot_fd = move_up(ends[0]);
    int our_end = move_up(ends[1]);
    if (boot_fd < 0 || our_end < 0 || !write_boot(supervisor, instance, our_end, text, text_size)) {
        (void)close(boot_fd);
        (void)close(our_end);
        return false;
    }
    child->started_ns = boot_ns();
    atomic_store(&line->beat_ns, child->started_ns);
    atomic_store(&line->state, HSM_INSTANCE_STARTING);
    pid_t process_id = 0;
    int err = start_process(supervisor, instance, boot_fd, &process_id);
    (void)close(boot_fd);
    if (err != 0) {
        (void)close(our_end);
        atomic_store(&line->state, HSM_INSTANCE_ABSENT);
        (void)snprintf(text, text_size, "%s cannot be started: %s", supervisor->program,
                       strerror(err));
        return false;
    }
    child->process_id = process_id;
    child->boot_pipe = our_end;
    child->is_stopped = false;
    atomic_store(&line->process_id, process_id);
    return true;
}

static void bury(struct hsm_supervisor *supervisor, uint32_t instance, int64_t now_ns)
{
    struct child *child = &supervisor->children[instance];
    struct hsm_instance_line *line = &supervisor->shared.area->instances[instance];
    (void)close(child->boot_pipe);
    child->process_id = 0;
    if (child->restart_ns == 0 || now_ns - child->started_ns >= STEADY_NS) {
        child->restart_ns = RESTART_FIRST_NS;
    }
    child->restart_due_ns = now_ns + child->restart_ns;
    child->restart_ns =
        2 * child->restart_ns < RESTART_MOST_NS ? 2 * child->restart_ns : RESTART_MOST_NS;
    atomic_store(&line->process_id, 0);
    atomic_store(&line->asleep, 0);
    atomic_store(&line->state, HSM_INSTANCE_ABSENT);
    hsm_instance_say(line, "hsmd has ended");
}

static void look_after(struct hsm_supervisor *supervisor, uint32_t instance, int64_t now_ns)
{
    struct child *child = &supervisor->children[instance];
    struct hsm_instance_line *line = &supervisor->shared.area->instances[instance];
    int status = 0;
    while (child->process_id != 0) {
        pid_t id = waitpid(child->process_id, &status, WNOHANG | WUNTRACED | WCONTINUED);
        if (id == 0 || (id < 0 && errno == EINTR)) {
            break;
        }
        if (id > 0 && WIFSTOPPED(status)) {
            child->is_stopped = true;
            log_event(LOG_ALARM, "hsm.stopped", log_number("process", id));
        } else if (id > 0 && WIFCONTINUED(status)) {
            child->is_stopped = false;
            /* What it missed while stopped does not count as hanging. */
            atomic_store(&line->beat_ns, now_ns);
        } else {
            log_event(LOG_ALARM, "hsm.ended", log_number("process", child->process_id),
                      log_number("status", status));
            bury(supervisor, instance, now_ns);
        }
    }
    if (child->process_id != 0 && !child->is_stopped &&
        atomic_load(&line->state) != HSM_INSTANCE_REFUSED &&
        now_ns - atomic_load(&line->beat_ns) > HSM_HANG_NS) {
        log_event(LOG_ALARM, "hsm.hangs", log_number("process", child->process_id));
        (void)kill(child->process_id, SIGKILL); /* found dead by the next tick */
    }
}

/* Each change of an instance's state is a line of the log. */
static void log_state(struct hsm_supervisor *supervisor, uint32_t instance)
{
    struct child *child = &supervisor->children[instance];
    struct hsm_instance_status status = hsm_supervisor_status(supervisor, instance);
    if ((uint32_t)status.state == child->said_state) {
        return;
    }
    child->said_state = (uint32_t)status.state;
    bool is_bad = status.state == HSM_INSTANCE_BROKEN || status.state == HSM_INSTANCE_REFUSED;
    log_event(is_bad ? LOG_ALARM : LOG_INFO, "hsm.state", log_number("instance", instance),
              log_text("state", status.state_name), log_text("text", status.text));
}

int64_t hsm_supervisor_tick(struct hsm_supervisor *supervisor, int64_t now_ns)
{
    for (uint32_t i = 0; i < supervisor->shared.area->instances_count; i++) {
        struct child *child = &supervisor->children[i];
        log_state(supervisor, i);
        if (child->process_id != 0) {
            look_after(supervisor, i, now_ns);
        } else if (now_ns >= child->restart_due_ns) {
            struct hsm_instance_line *line = &supervisor->shared.area->instances[i];
            char text[HSM_TEXT_BYTES] = "";
            atomic_fetch_add(&line->restarts_count, 1);
            if (!spawn(supervisor, i, text, sizeof text)) {
                hsm_instance_say(line, text);
                child->restart_due_ns = now_ns + RESTART_MOST_NS;
            }
        }
    }
    return now_ns + TICK_NS;
}

void hsm_supervisor_stop(struct hsm_supervisor *supervisor)
{
    uint32_t count = supervisor->shared.area->instances_count;
    for (uint32_t i = 0; i < count; i++) {
        if (supervisor->children[i].process_id != 0) {
            (void)close(supervisor->children[i].boot_pipe);
        }
    }
    int64_t until_ns = boot_ns() + STOP_NS;
    for (uint32_t i = 0; i < count; i++) {
        struct child *child = &supervisor->children[i];
        while (child->process_id != 0) {
            if (boot_ns() >= until_ns) {
                (void)kill(child->process_id, SIGKILL);
            }
            if (waitpid(child->process_id, NULL, WNOHANG) != 0) {
                child->process_id = 0;
                atomic_store(&supervisor->shared.area->instances[i].process_id, 0);
                atomic_store(&supervisor->shared.area->instances[i].state, HSM_INSTANCE_ABSENT);
            } else {
                pause_ms(2);
            }
        }
    }
}

/* ---- what others ask ----------------------------------------------------------------------------
 */

struct hsm_shared *hsm_supervisor_shared(struct hsm_supervisor *supervisor)
{
    return &supervisor->shared;
}

const struct hsm_data_keys *hsm_supervisor_data_keys(const struct hsm_supervisor *supervisor)
{
    return supervisor->data_keys;
}

bool hsm_supervisor_keeps_pin_inside(const struct hsm_supervisor *supervisor)
{
    (void)supervisor;
    return false; /* PKCS#11 has no mechanism that verifies a PIN block inside the device */
}

uint32_t hsm_supervisor_instances(const struct hsm_supervisor *supervisor)
{
    return supervisor->shared.area->instances_count;
}

struct hsm_instance_status hsm_supervisor_status(const struct hsm_supervisor *supervisor,
                                                 uint32_t instance)
{
    static const char *const names[] = {
#define HSM_INSTANCE_STATE(name, text) text,
#include "hsm/instance_state.def"
#undef HSM_INSTANCE_STATE
    };
    must(instance < supervisor->shared.area->instances_count);
    struct hsm_instance_line *line = &supervisor->shared.area->instances[instance];
    uint32_t state = atomic_load(&line->state);
    if (state >= countof(names)) {
        state = HSM_INSTANCE_BROKEN;
    }
    struct hsm_instance_status status = {
        .state = (enum hsm_instance_state)state,
        .state_name = names[state],
        .process_id = atomic_load(&line->process_id),
        .restarts_count = atomic_load(&line->restarts_count),
        .jobs_count = atomic_load(&line->jobs_count),
        .errors_count = atomic_load(&line->errors_count),
        .proved_ns = atomic_load(&line->beat_ns),
        .memory_locked = atomic_load(&line->memory_locked) != 0,
    };
    struct hsm_area *area = supervisor->shared.area;
    for (uint32_t i = 0; i < area->clients_count; i++) {
        status.breakers_open_count +=
            atomic_load(&hsm_area_lane(area, i, instance)->breaker_is_open) != 0;
    }
    memcpy(status.text, line->text, sizeof status.text);
    status.text[sizeof status.text - 1] = '\0';
    return status;
}
