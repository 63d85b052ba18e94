/* hsmd.c - the HSM worker: one process, one thread, one PKCS#11 module.
 *
 * DESIGN  Spawned by the daemon (supervisor.c) with the shared area, a boot pipe and the bells as
 * inherited descriptors. It takes what lies in its lanes, runs it as one batch (batch.h), answers,
 * and sleeps until its bell rings or a beat is due. A beat is a real operation under one of the
 * keys, in turn; it is the only proof of health. While the token does not answer, every job is
 * answered UNAVAILABLE at once, and the token is opened again with back-off. A token that refused
 * is left alone: PINs lock.
 *
 * It ends when the boot pipe ends, and with the daemon however that dies; always by _exit(),
 * because the destructors of the module and of libcrypto do not agree about their order. */
#include "base/clock.h"
#include "base/mem.h"
#include "hsm/batch.h"
#include "hsm/harden.h"
#include "hsm/keyring.h"
#include "hsm/shared.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_FIRST_NS INT64_C(100000000)
#define RETRY_MOST_NS  INT64_C(5000000000)

struct lane { /* our own copy of our positions */
    struct hsm_lane *shared;
    uint32_t taken, answered;
};

struct origin { /* where a job of the batch came from */
    uint32_t client, index, generation;
};

struct worker {
    struct hsm_area *area;
    struct hsm_instance_line *line;
    struct hsm_boot *boot; /* in MEM_SECRET: the PIN */
    struct hsm_batch *batch;
    struct hsm_key keys[HSM_KEYS_MAX]; /* copied: the area is the other's too */
    uint32_t keys_count, clients_count, spin_us;
    char module[HSM_PATH_BYTES], directory[HSM_PATH_BYTES], label[HSM_LABEL_BYTES];
    struct hsm_keyring keyring;
    struct lane lanes[HSM_CLIENTS_MAX];
    struct origin origins[HSM_BATCH_JOBS_MAX];
    uint32_t next_client; /* who is served first */
    uint16_t next_proof;
    int64_t beat_due_ns, retry_due_ns, retry_ns;
    bool has_ended;
};

static bool start(struct worker *worker);
static void open_token(struct worker *worker, int64_t now_ns);
static void beat(struct worker *worker, int64_t now_ns);
static uint32_t serve(struct worker *worker, int64_t now_ns);
static void wait_for_work(struct worker *worker, int64_t now_ns);

static int64_t boot_ns(void)
{
    return clock_system.boot_ns(clock_system.context);
}

int main(void)
{
    hsm_harden_start();
    static struct worker worker; /* one a process; its secrets lie elsewhere */
    if (!start(&worker)) {
        static const char text[] = "hsmd is started by ringswitch, not by hand\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(2);
    }
    open_token(&worker, boot_ns());
    while (!worker.has_ended) {
        int64_t now_ns = boot_ns();
        uint32_t state = atomic_load_explicit(&worker.line->state, memory_order_relaxed);
        if (state == HSM_INSTANCE_BROKEN && now_ns >= worker.retry_due_ns) {
            open_token(&worker, now_ns);
        } else if (state == HSM_INSTANCE_READY && now_ns >= worker.beat_due_ns) {
            beat(&worker, now_ns);
        }
        if (serve(&worker, now_ns) == 0) {
            wait_for_work(&worker, now_ns);
        }
    }
    hsm_module_stop(&worker.keyring.module);
    mem_wipe_secrets();
    _exit(0);
}

/* ---- start -------------------------------------------------------------------------------------
 */

static struct hsm_area *map_area(void)
{
    struct stat status;
    if (fstat(HSM_FD_AREA, &status) != 0 || (size_t)status.st_size < sizeof(struct hsm_area)) {
        return NULL;
    }
    size_t bytes = (size_t)status.st_size;
    struct hsm_area *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, HSM_FD_AREA, 0);
    if (area == MAP_FAILED) {
        return NULL;
    }
    (void)mlock(area, bytes);
    (void)madvise(area, bytes, MADV_DONTDUMP);
    bool fits = area->magic == HSM_AREA_MAGIC && area->clients_count <= HSM_CLIENTS_MAX &&
                area->instances_count <= HSM_INSTANCES_MAX && area->keys_count <= HSM_KEYS_MAX &&
                hsm_area_bytes(area->clients_count, area->instances_count) <= bytes;
    return fits ? area : NULL;
}

static bool read_boot(struct hsm_boot *boot)
{
    size_t got = 0;
    while (got < sizeof *boot) {
        ssize_t size = read(HSM_FD_BOOT, (uint8_t *)boot + got, sizeof *boot - got);
        if (size <= 0) {
            return false;
        }
        got += (size_t)size;
    }
    return boot->magic == HSM_AREA_MAGIC && boot->pin_size <= sizeof boot->pin &&
           boot->parent_id == getppid(); /* it may have died before PR_SET_PDEATHSIG held */
}

static void copy_text(char *to, const char *from, size_t bytes)
{
    memcpy(to, from, bytes);
    to[bytes - 1] = '\0';
}

static bool start(struct worker *worker)
{
    worker->area = map_area();
    worker->boot = mem_take(MEM_SECRET, sizeof *worker->boot, "hsmd PIN");
    worker->batch = mem_take(MEM_SECRET, sizeof *worker->batch, "hsmd batch");
    if (worker->area == NULL || !read_boot(worker->boot) ||
        worker->boot->instance >= worker->area->instances_count) {
        return false;
    }
    const struct hsm_area *area = worker->area;
    worker->line = &worker->area->instances[worker->boot->instance];
    worker->clients_count = area->clients_count;
    worker->keys_count = area->keys_count;
    worker->spin_us = area->spin_us;
    memcpy(worker->keys, area->keys, sizeof worker->keys);
    copy_text(worker->module, area->module, sizeof worker->module);
    copy_text(worker->directory, area->directory, sizeof worker->directory);
    copy_text(worker->label, area->label, sizeof worker->label);
    for (uint32_t i = 0; i < worker->clients_count; i++) {
        struct lane *lane = &worker->lanes[i];
        lane->shared = hsm_area_lane(worker->area, i, worker->boot->instance);
        lane->taken = atomic_load(&lane->shared->taken);
        lane->answered = atomic_load(&lane->shared->answered);
    }
    worker->retry_ns = RETRY_FIRST_NS;
    hsm_keyring_init(&worker->keyring, worker->keys, worker->keys_count,
                     area->refuse_test_keys != 0);
    atomic_store(&worker->line->beat_ns, boot_ns());
    return true;
}

/* ---- the token ----------------------------------------------------------------------------------
 */

static void say(struct worker *worker, enum hsm_instance_state state, const char *text)
{
    hsm_instance_say(worker->line, text);
    atomic_store(&worker->line->state, (uint32_t)state);
}

static void note_beat(struct worker *worker, int64_t now_ns)
{
    worker->beat_due_ns = now_ns + HSM_BEAT_NS;
    atomic_store_explicit(&worker->line->beat_ns, now_ns, memory_order_relaxed);
    atomic_fetch_add(&worker->line->beats_count, 1);
}

/* Puts the data keys where the daemon takes them from; once in its life. */
static bool hand_over(struct worker *worker, char *text, size_t text_size)
{
    if (atomic_load(&worker->area->handover) != HSM_HANDOVER_WANTED) {
        return true;
    }
    struct hsm_data_keys *keys = mem_take(MEM_SECRET, sizeof *keys, "hsmd data keys");
    bool unwrapped =
        hsm_keyring_data_keys(&worker->keyring, worker->directory, keys, text, text_size);
    uint32_t wanted = HSM_HANDOVER_WANTED;
    if (unwrapped &&
        atomic_compare_exchange_strong(&worker->area->handover, &wanted, HSM_HANDOVER_GIVING)) {
        worker->area->data_keys = *keys;
        atomic_store(&worker->area->handover, HSM_HANDOVER_THERE);
    }
    secret_wipe(keys, sizeof *keys);
    return unwrapped;
}

/* Clear PINs must not reach the swap: with lock_memory there is no work without. */
static bool lock_memory(struct worker *worker, char *text, size_t text_size)
{
    bool locked = hsm_harden_lock();
    atomic_store(&worker->line->memory_locked, locked);
    if (!locked && worker->area->lock_memory != 0) {
        (void)snprintf(text, text_size,
                       "hsmd cannot lock its memory; raise the memlock limit (ulimit -l)");
        return false;
    }
    return true;
}

static void open_token(struct worker *worker, int64_t now_ns)
{
    const struct hsm_module_place place = {
        .module = worker->module[0] != '\0' ? worker->module : NULL,
        .directory = worker->directory,
        .label = worker->label[0] != '\0' ? worker->label : NULL,
    };
    char text[HSM_TEXT_BYTES] = "";
    enum hsm_keyring_err err = hsm_keyring_open(&worker->keyring, &place, worker->boot->pin,
                                                worker->boot->pin_size, text, sizeof text);
    if (err == HSM_KEYRING_OK &&
        !(lock_memory(worker, text, sizeof text) && hand_over(worker, text, sizeof text))) {
        err = HSM_KEYRING_REFUSED;
    }
    now_ns = boot_ns() > now_ns ? boot_ns() : now_ns;
    switch (err) {
    case HSM_KEYRING_OK:
        hsm_harden_hide();
        worker->retry_ns = RETRY_FIRST_NS;
        note_beat(worker, now_ns);
        say(worker, HSM_INSTANCE_READY, "");
        break;
    case HSM_KEYRING_BROKEN:
        worker->retry_due_ns = now_ns + worker->retry_ns;
        worker->retry_ns =
            2 * worker->retry_ns < RETRY_MOST_NS ? 2 * worker->retry_ns : RETRY_MOST_NS;
        atomic_store(&worker->line->beat_ns, now_ns); /* alive, though not healthy */
        say(worker, HSM_INSTANCE_BROKEN, text);
        break;
    case HSM_KEYRING_REFUSED:
        atomic_store(&worker->line->beat_ns, now_ns);
        say(worker, HSM_INSTANCE_REFUSED, text);
        break;
    }
}

static void note_broken(struct worker *worker, int64_t now_ns)
{
    char text[HSM_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "the token does not answer (%s)",
                   hsm_module_error_name(worker->keyring.last_error));
    worker->retry_due_ns = now_ns;
    say(worker, HSM_INSTANCE_BROKEN, text);
}

static void beat(struct worker *worker, int64_t now_ns)
{
    bool proved =
        worker->keys_count == 0 || hsm_keyring_prove(&worker->keyring, worker->next_proof);
    worker->next_proof =
        (uint16_t)(worker->keys_count == 0 ? 0 : (worker->next_proof + 1u) % worker->keys_count);
    if (proved) {
        note_beat(worker, now_ns);
        hsm_harden_hide();
    } else {
        note_broken(worker, now_ns);
    }
}

/* ---- jobs ---------------------------------------------------------------------------------------
 */

/* Takes what one client has submitted, as far as its answers have room. */
static void take_lane(struct worker *worker, uint32_t client)
{
    struct lane *lane = &worker->lanes[client];
    struct hsm_batch *batch = worker->batch;
    uint32_t submitted = atomic_load_explicit(&lane->shared->submitted, memory_order_acquire);
    uint32_t drained = atomic_load_explicit(&lane->shared->drained, memory_order_acquire);
    uint32_t waiting = submitted - lane->taken;
    uint32_t room = HSM_LANE_JOBS - (lane->answered - drained);
    if (waiting > HSM_LANE_JOBS || room > HSM_LANE_JOBS) {
        return; /* positions that make no sense */
    }
    uint32_t before = batch->jobs_count; /* these get an answer of this lane too */
    for (uint32_t i = 0;
         i < waiting && batch->jobs_count - before < room && batch->jobs_count < HSM_BATCH_JOBS_MAX;
         i++) {
        struct hsm_request *request = &lane->shared->requests[lane->taken++ & (HSM_LANE_JOBS - 1)];
        worker->origins[batch->jobs_count] =
            (struct origin){client, request->index, request->generation};
        batch->jobs[batch->jobs_count++] = request->job;
        secret_wipe(request, sizeof *request);
    }
    /* Given back before they are worked on: a job that kills this process is not met by the next.
     */
    atomic_store_explicit(&lane->shared->taken, lane->taken, memory_order_release);
}

/* Jobs whose deadline has passed cost nothing: no check is left of them. */
static void drop_expired(struct worker *worker, int64_t now_ns)
{
    for (uint32_t i = 0; i < worker->batch->jobs_count; i++) {
        if (worker->batch->jobs[i].deadline_ns <= now_ns) {
            worker->batch->jobs[i].checks = 0;
        }
    }
}

static void answer(struct worker *worker, bool is_ready)
{
    const struct hsm_batch *batch = worker->batch;
    for (uint32_t i = 0; i < batch->jobs_count; i++) {
        const struct origin *origin = &worker->origins[i];
        const struct hsm_result *result = &batch->results[i];
        struct lane *lane = &worker->lanes[origin->client];
        lane->shared->responses[lane->answered++ & (HSM_LANE_JOBS - 1)] = (struct hsm_response){
            .index = origin->index,
            .generation = origin->generation,
            .status = is_ready ? (uint8_t)result->status : HSM_UNAVAILABLE,
            .pin = is_ready ? (uint8_t)result->pin : HSM_UNAVAILABLE,
            .cvv2 = is_ready ? (uint8_t)result->cvv2 : HSM_UNAVAILABLE,
            .cvv = is_ready ? (uint8_t)result->cvv : HSM_UNAVAILABLE,
        };
    }
    for (uint32_t client = 0; client < worker->clients_count; client++) {
        struct lane *lane = &worker->lanes[client];
        if (atomic_load_explicit(&lane->shared->answered, memory_order_relaxed) != lane->answered) {
            atomic_store_explicit(&lane->shared->answered, lane->answered, memory_order_release);
            hsm_bell_ring(&worker->area->clients[client].asleep, HSM_FD_CLIENTS + (int)client);
        }
    }
}

static uint32_t serve(struct worker *worker, int64_t now_ns)
{
    struct hsm_batch *batch = worker->batch;
    batch->jobs_count = 0;
    for (uint32_t i = 0; i < worker->clients_count; i++) {
        take_lane(worker, (worker->next_client + i) % worker->clients_count);
    }
    if (batch->jobs_count == 0) {
        return 0;
    }
    worker->next_client = (worker->next_client + 1) % worker->clients_count;
    bool is_ready =
        atomic_load_explicit(&worker->line->state, memory_order_relaxed) == HSM_INSTANCE_READY;
    uint64_t errors = worker->keyring.errors_count;
    if (is_ready) {
        drop_expired(worker, now_ns);
        hsm_batch_run(batch, &worker->keyring.base, worker->keys, worker->keys_count);
    }
    atomic_fetch_add_explicit(&worker->line->jobs_count, batch->jobs_count, memory_order_relaxed);
    if (worker->keyring.errors_count != errors) {
        atomic_fetch_add(&worker->line->errors_count, worker->keyring.errors_count - errors);
    }
    answer(worker, is_ready);
    secret_wipe(batch->jobs, batch->jobs_count * sizeof batch->jobs[0]);
    secret_clear_registers();
    if (is_ready && !worker->keyring.is_whole) {
        note_broken(worker, now_ns);
    }
    return batch->jobs_count;
}

/* ---- sleeping -----------------------------------------------------------------------------------
 */

static bool has_work(const struct worker *worker)
{
    for (uint32_t i = 0; i < worker->clients_count; i++) {
        const struct lane *lane = &worker->lanes[i];
        if (atomic_load_explicit(&lane->shared->submitted, memory_order_acquire) != lane->taken) {
            return true;
        }
    }
    return false;
}

static int timeout_ms(const struct worker *worker, int64_t now_ns)
{
    uint32_t state = atomic_load_explicit(&worker->line->state, memory_order_relaxed);
    int64_t due_ns = state == HSM_INSTANCE_READY    ? worker->beat_due_ns
                     : state == HSM_INSTANCE_BROKEN ? worker->retry_due_ns
                                                    : now_ns + HSM_BEAT_NS;
    return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns) / NS_PER_MS) + 1;
}

static void wait_for_work(struct worker *worker, int64_t now_ns)
{
    for (int64_t until_ns = now_ns + (int64_t)worker->spin_us * NS_PER_US; boot_ns() < until_ns;) {
        if (has_work(worker)) {
            return;
        }
    }
    atomic_store_explicit(&worker->line->asleep, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!has_work(worker)) {
        struct pollfd waits[] = {{.fd = HSM_FD_BELL, .events = POLLIN},
                                 {.fd = HSM_FD_BOOT, .events = POLLIN}};
        if (poll(waits, countof(waits), timeout_ms(worker, now_ns)) > 0) {
            uint64_t rung;
            if (waits[0].revents != 0) {
                (void)!read(HSM_FD_BELL, &rung, sizeof rung);
            }
            /* Nothing is ever said on the pipe after the boot record: this is its end. */
            worker->has_ended = waits[1].revents != 0;
        }
    }
    atomic_store_explicit(&worker->line->asleep, 0, memory_order_relaxed);
}
