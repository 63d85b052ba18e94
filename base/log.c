/* log.c - see log.h.
 *
 * DESIGN  A logging thread owns one SPSC ring of fixed records; the writer thread visits the rings
 * every LOG_VISIT_MS while there are lines, merges repeats within a second, and writes JSON lines.
 * Before log_start() and in threads that have no ring a line goes to stderr at once. */
#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

#define LOG_FIELDS_MAX   8u
#define LOG_RING_RECORDS 512u /* a power of two */
#define LOG_RINGS_MAX    40u
#define LOG_VISIT_MS     20
#define LOG_IDLE_MS      50 /* while nobody says anything */
#define LOG_LINE_BYTES   4096u
#define LOG_LAST_RECORDS 32u
#define LOG_RECENT_MAX   4u /* events that may alternate and still be merged */

struct record {
    int64_t wall_ns;
    const char *event;
    enum log_level level;
    uint32_t fields_count;
    struct log_field fields[LOG_FIELDS_MAX];
};

/* What the writer printed last, and how often it came again since. */
struct recent {
    struct record record;
    uint64_t repeats;
};

struct log_ring {
    char thread[16];
    _Atomic uint32_t written; /* by the owner */
    _Atomic uint32_t taken;   /* by the writer */
    _Atomic uint64_t lost;
    uint64_t lost_reported;
    struct recent recents[LOG_RECENT_MAX]; /* the writer's */
    struct record records[LOG_RING_RECORDS];
};

/* The log is the process's: one writer, whatever writes. */
static struct log_ring *_Atomic rings[LOG_RINGS_MAX];
static _Atomic uint32_t rings_count;
static _Thread_local struct log_ring *own;
static _Atomic int log_fd = -1;
static _Atomic enum log_level log_least = LOG_INFO;
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t wall_now_ns(void)
{
    struct timespec now;
    must(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

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
    if (level < atomic_load_explicit(&log_least, memory_order_relaxed)) {
        return;
    }
    struct log_ring *ring = own;
    int fd = atomic_load_explicit(&log_fd, memory_order_relaxed);
    struct record local;
    struct record *record = &local;
    uint32_t written = 0;
    if (ring != NULL && fd >= 0) {
        written = atomic_load_explicit(&ring->written, memory_order_relaxed);
        if (written - atomic_load_explicit(&ring->taken, memory_order_acquire) ==
            LOG_RING_RECORDS) {
            atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
            return;
        }
        record = &ring->records[written % LOG_RING_RECORDS];
    }
    record->wall_ns = wall_now_ns();
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
    memset(ring, 0, sizeof *ring); /* the first records must not pay for page faults */
    size_t size = strnlen(thread_name, sizeof ring->thread - 1);
    memcpy(ring->thread, thread_name, size);
    uint32_t index = atomic_fetch_add(&rings_count, 1);
    must(index < LOG_RINGS_MAX);
    own = ring;
    atomic_store_explicit(&rings[index], ring, memory_order_release);
}

/* ---- the writer ------------------------------------------------------------------------------ */

static bool same_field(const struct log_field *a, const struct log_field *b)
{
    return a->key == b->key && a->kind == b->kind &&
           (a->kind == LOG_NUMBER ? a->number == b->number : strcmp(a->text, b->text) == 0);
}

static bool is_repeat(const struct record *a, const struct record *b)
{
    if (a->event != b->event || a->level != b->level || a->fields_count != b->fields_count ||
        b->wall_ns - a->wall_ns >= NS_PER_S) {
        return false;
    }
    for (uint32_t i = 0; i < a->fields_count; i++) {
        if (!same_field(&a->fields[i], &b->fields[i])) {
            return false;
        }
    }
    return true;
}

static void end_repeats(int fd, struct log_ring *ring, struct recent *recent)
{
    if (recent->repeats > 0) {
        print_record(fd, ring->thread, &recent->record, recent->repeats);
        recent->repeats = 0;
    }
}

static void take_record(int fd, struct log_ring *ring, const struct record *record)
{
    struct recent *oldest = &ring->recents[0];
    for (uint32_t i = 0; i < LOG_RECENT_MAX; i++) {
        struct recent *recent = &ring->recents[i];
        if (recent->record.event != NULL && is_repeat(&recent->record, record)) {
            recent->repeats++;
            return;
        }
        if (recent->record.wall_ns < oldest->record.wall_ns) {
            oldest = recent;
        }
    }
    end_repeats(fd, ring, oldest);
    oldest->record = *record;
    print_record(fd, ring->thread, record, 0);
}

static void say_lost(int fd, struct log_ring *ring, int64_t wall_ns)
{
    uint64_t lost = atomic_load_explicit(&ring->lost, memory_order_relaxed);
    if (lost != ring->lost_reported) {
        struct record record = {
            .wall_ns = wall_ns, .event = "log.lost", .level = LOG_WARN, .fields_count = 1};
        record.fields[0] = log_number("records", (int64_t)(lost - ring->lost_reported));
        ring->lost_reported = lost;
        print_record(fd, ring->thread, &record, 0);
    }
}

/* How many there were. */
static uint32_t take_records(int fd, struct log_ring *ring, bool is_last)
{
    uint32_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    uint32_t count = written - taken;
    for (; taken != written; taken++) {
        take_record(fd, ring, &ring->records[taken % LOG_RING_RECORDS]);
        atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
    }
    int64_t wall_ns = wall_now_ns();
    for (uint32_t i = 0; i < LOG_RECENT_MAX; i++) {
        if (is_last || wall_ns - ring->recents[i].record.wall_ns >= NS_PER_S) {
            end_repeats(fd, ring, &ring->recents[i]);
        }
    }
    say_lost(fd, ring, wall_ns);
    return count;
}

static uint32_t visit(bool is_last)
{
    (void)pthread_mutex_lock(&writer_lock);
    int fd = atomic_load(&log_fd);
    uint32_t count = atomic_load(&rings_count), records = 0;
    for (uint32_t i = 0; fd >= 0 && i < count && i < LOG_RINGS_MAX; i++) {
        struct log_ring *ring = atomic_load_explicit(&rings[i], memory_order_acquire);
        if (ring != NULL) {
            records += take_records(fd, ring, is_last);
        }
    }
    (void)pthread_mutex_unlock(&writer_lock);
    return records;
}

static void *write_forever(void *context)
{
    (void)context;
    for (;;) {
        uint32_t records = visit(false);
        const struct timespec pause = {.tv_nsec =
                                           (records > 0 ? LOG_VISIT_MS : LOG_IDLE_MS) * NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

void log_start(int fd, enum log_level least)
{
    log_least = least;
    if (atomic_exchange(&log_fd, fd) >= 0) {
        return; /* the writer is there: from now on it writes elsewhere */
    }
    pthread_t thread;
    sigset_t all, before; /* signals are for the threads that wait for them */
    (void)sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    must(pthread_create(&thread, NULL, write_forever, NULL) == 0);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    (void)pthread_setname_np(thread, "log");
    (void)pthread_detach(thread);
}

void log_flush(void)
{
    (void)visit(true);
}

void log_dump_last(int fd)
{
    uint32_t count = atomic_load(&rings_count);
    for (uint32_t i = 0; i < count && i < LOG_RINGS_MAX; i++) {
        struct log_ring *ring = atomic_load_explicit(&rings[i], memory_order_acquire);
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
