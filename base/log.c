/* log.c - see log.h.
 *
 * DESIGN  A logging thread owns one SPSC ring of fixed records; the writer thread visits the rings every
 * LOG_VISIT_MS, merges repeats within a second, and writes JSON lines. Before log_start() and in
 * threads that have no ring a line goes to stderr at once. */
#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_FIELDS_MAX   8u
#define LOG_RING_RECORDS 512u /* a power of two */
#define LOG_RINGS_MAX    40u
#define LOG_VISIT_MS     20
#define LOG_LINE_BYTES   4096u
#define LOG_LAST_RECORDS 32u

struct record {
    int64_t wall_ns;
    const char *event;
    enum log_level level;
    uint32_t fields_count;
    struct log_field fields[LOG_FIELDS_MAX];
};

struct log_ring {
    char thread[16];
    _Atomic uint32_t written; /* by the owner */
    _Atomic uint32_t taken;   /* by the writer */
    _Atomic uint64_t lost;
    uint64_t lost_reported;
    uint64_t repeats; /* of records[previous], not yet written */
    int64_t previous_ns;
    struct record previous; /* the writer's copy, for merging */
    struct record records[LOG_RING_RECORDS];
};

/* The log is the process's: one writer, whatever writes. */
static struct log_ring *rings[LOG_RINGS_MAX];
static _Atomic uint32_t rings_count;
static _Thread_local struct log_ring *own;
static _Atomic int log_fd = -1;
static enum log_level log_least = LOG_INFO;
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;

struct log_field log_number(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_NUMBER, .number = value};
}

struct log_field log_text(const char *key, const char *value)
{
    struct log_field field = {.key = key, .kind = LOG_TEXT};
    size_t size = strnlen(value, sizeof field.text - 1);
    memcpy(field.text, value, size);
    return field;
}

/* ---- one record as a line -------------------------------------------------------------------- */

struct line {
    char text[LOG_LINE_BYTES];
    size_t size;
};

static void add_bytes(struct line *line, const char *text, size_t size)
{
    if (line->size + size < sizeof line->text) {
        memcpy(line->text + line->size, text, size);
        line->size += size;
    }
}

static void add_number(struct line *line, int64_t value)
{
    char text[24];
    uint32_t at = sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        text[--at] = '-';
    }
    add_bytes(line, text + at, sizeof text - at);
}

static void add_json_text(struct line *line, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    add_bytes(line, "\"", 1);
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\') {
            add_bytes(line, (const char[]){'\\', (char)c}, 2);
        } else if (c < 0x20 || c >= 0x7f) { /* other people's bytes: never raw */
            add_bytes(line, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        } else {
            add_bytes(line, p, 1);
        }
    }
    add_bytes(line, "\"", 1);
}

static void add_digits(struct line *line, uint32_t value, uint32_t digits)
{
    char text[12];
    for (uint32_t i = digits; i-- > 0; value /= 10) {
        text[i] = (char)('0' + value % 10);
    }
    add_bytes(line, text, digits);
}

static void add_time(struct line *line, int64_t wall_ns)
{
    struct clock_date d = clock_utc_date(wall_ns);
    add_digits(line, (uint32_t)d.year, 4);
    add_bytes(line, "-", 1);
    add_digits(line, d.month, 2);
    add_bytes(line, "-", 1);
    add_digits(line, d.day, 2);
    add_bytes(line, "T", 1);
    add_digits(line, d.hour, 2);
    add_bytes(line, ":", 1);
    add_digits(line, d.minute, 2);
    add_bytes(line, ":", 1);
    add_digits(line, d.second, 2);
    add_bytes(line, ".", 1);
    add_digits(line, (uint32_t)(wall_ns % NS_PER_S / NS_PER_US), 6);
    add_bytes(line, "Z", 1);
}

static void add_key(struct line *line, const char *key)
{
    add_bytes(line, ",", 1);
    add_json_text(line, key);
    add_bytes(line, ":", 1);
}

static const char *level_text(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARN:
        return "warn";
    case LOG_ALARM:
        return "alarm";
    }
    return "?";
}

static void print_record(int fd, const char *thread, const struct record *record, uint64_t repeats)
{
    struct line line = {.size = 0};
    add_bytes(&line, "{\"time\":\"", 9);
    add_time(&line, record->wall_ns);
    add_bytes(&line, "\"", 1);
    add_key(&line, "level");
    add_json_text(&line, level_text(record->level));
    add_key(&line, "thread");
    add_json_text(&line, thread);
    add_key(&line, "event");
    add_json_text(&line, record->event);
    for (uint32_t i = 0; i < record->fields_count; i++) {
        add_key(&line, record->fields[i].key);
        if (record->fields[i].kind == LOG_NUMBER) {
            add_number(&line, record->fields[i].number);
        } else {
            add_json_text(&line, record->fields[i].text);
        }
    }
    if (repeats > 0) {
        add_key(&line, "repeats");
        add_number(&line, (int64_t)repeats);
    }
    line.size = line.size > sizeof line.text - 2 ? sizeof line.text - 2 : line.size;
    line.text[line.size++] = '}';
    line.text[line.size++] = '\n';
    (void)!write(fd, line.text, line.size);
}

/* ---- the logging side ------------------------------------------------------------------------ */

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               uint32_t fields_count)
{
    if (level < log_least) {
        return;
    }
    struct log_ring *ring = own;
    int fd = atomic_load_explicit(&log_fd, memory_order_relaxed);
    struct record local;
    struct record *record = &local;
    uint32_t written = 0;
    if (ring != NULL && fd >= 0) {
        written = atomic_load_explicit(&ring->written, memory_order_relaxed);
        if (written - atomic_load_explicit(&ring->taken, memory_order_acquire) == LOG_RING_RECORDS) {
            atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
            return;
        }
        record = &ring->records[written % LOG_RING_RECORDS];
    }
    struct timespec now;
    must(clock_gettime(CLOCK_REALTIME, &now) == 0);
    record->wall_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
    record->event = event;
    record->level = level;
    record->fields_count = fields_count - 1 < LOG_FIELDS_MAX ? fields_count - 1 : LOG_FIELDS_MAX;
    memcpy(record->fields, fields + 1, record->fields_count * sizeof *fields);
    if (record == &local) {
        print_record(fd >= 0 ? fd : STDERR_FILENO, ring != NULL ? ring->thread : "main", record, 0);
    } else {
        atomic_store_explicit(&ring->written, written + 1, memory_order_release);
    }
}

void log_thread_init(const char *thread_name)
{
    struct log_ring *ring = mem_take(MEM_PLAIN, sizeof *ring, "log ring");
    size_t size = strnlen(thread_name, sizeof ring->thread - 1);
    memcpy(ring->thread, thread_name, size);
    uint32_t index = atomic_fetch_add(&rings_count, 1);
    must(index < LOG_RINGS_MAX);
    own = ring;
    rings[index] = ring;
}

/* ---- the writer ------------------------------------------------------------------------------ */

static bool is_repeat(const struct record *a, const struct record *b)
{
    return a->event == b->event && a->fields_count == b->fields_count &&
           memcmp(a->fields, b->fields, a->fields_count * sizeof a->fields[0]) == 0 &&
           b->wall_ns - a->wall_ns < NS_PER_S;
}

static void end_repeats(int fd, struct log_ring *ring)
{
    if (ring->repeats > 0) {
        print_record(fd, ring->thread, &ring->previous, ring->repeats);
        ring->repeats = 0;
    }
}

static void take_records(int fd, struct log_ring *ring, bool is_last)
{
    uint32_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    for (; taken != written; taken++) {
        const struct record *record = &ring->records[taken % LOG_RING_RECORDS];
        if (ring->previous.event != NULL && is_repeat(&ring->previous, record)) {
            ring->repeats++;
        } else {
            end_repeats(fd, ring);
            ring->previous = *record;
            print_record(fd, ring->thread, record, 0);
        }
    }
    atomic_store_explicit(&ring->taken, taken, memory_order_release);
    struct timespec now;
    must(clock_gettime(CLOCK_REALTIME, &now) == 0);
    int64_t wall_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
    if (is_last || wall_ns - ring->previous.wall_ns >= NS_PER_S) {
        end_repeats(fd, ring);
    }
    uint64_t lost = atomic_load_explicit(&ring->lost, memory_order_relaxed);
    if (lost != ring->lost_reported) {
        struct record record = {.wall_ns = wall_ns, .event = "log.lost", .level = LOG_WARN,
                                .fields_count = 1};
        record.fields[0] = log_number("records", (int64_t)(lost - ring->lost_reported));
        ring->lost_reported = lost;
        print_record(fd, ring->thread, &record, 0);
    }
}

static void visit(bool is_last)
{
    (void)pthread_mutex_lock(&writer_lock);
    int fd = atomic_load(&log_fd);
    uint32_t count = atomic_load(&rings_count);
    for (uint32_t i = 0; fd >= 0 && i < count && i < LOG_RINGS_MAX; i++) {
        if (rings[i] != NULL) {
            take_records(fd, rings[i], is_last);
        }
    }
    (void)pthread_mutex_unlock(&writer_lock);
}

static void *write_forever(void *context)
{
    (void)context;
    const struct timespec pause = {.tv_nsec = LOG_VISIT_MS * NS_PER_MS};
    for (;;) {
        visit(false);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

void log_start(int fd, enum log_level least)
{
    log_least = least;
    bool is_first = atomic_exchange(&log_fd, fd) < 0;
    if (is_first) {
        pthread_t thread;
        must(pthread_create(&thread, NULL, write_forever, NULL) == 0);
        (void)pthread_setname_np(thread, "log");
        (void)pthread_detach(thread);
    }
}

void log_flush(void)
{
    visit(true);
}

void log_dump_last(int fd)
{
    uint32_t count = atomic_load(&rings_count);
    for (uint32_t i = 0; i < count && i < LOG_RINGS_MAX; i++) {
        struct log_ring *ring = rings[i];
        if (ring == NULL) {
            continue;
        }
        uint32_t written = atomic_load(&ring->written);
        uint32_t first = written > LOG_LAST_RECORDS ? written - LOG_LAST_RECORDS : 0;
        for (; first != written; first++) {
            print_record(fd, ring->thread, &ring->records[first % LOG_RING_RECORDS], 0);
        }
    }
}
