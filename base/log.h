/* log.h - structured log: one JSON object a line, written by a control thread, never by a worker.
 *
 * log_event() fills a fixed record in the calling thread's ring and returns; a full ring counts the
 * loss. Keys and texts are constants; values are numbers or short strings that the caller has
 * masked. Repeats of the same event within a second become one line with a count. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ALARM };

struct log_field {
    const char *key; /* constant */
    enum { LOG_NUMBER, LOG_TEXT } kind;
    int64_t number;
    char text[72]; /* copied by the macro; longer is cut */
};
struct log_field log_number(const char *key, int64_t value);
struct log_field log_text(const char *key, const char *value);

#ifdef __clang__ /* an event without fields: an extension of both compilers */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
/* log_event(LOG_WARN, "link.down", log_text("party", name), log_number("in_flight", n)) */
#define log_event(level, event, ...)                                                               \
    log_write(level, event, (const struct log_field[]){{.key = 0}, ##__VA_ARGS__},                 \
              (uint32_t)(sizeof((const struct log_field[]){{.key = 0}, ##__VA_ARGS__}) /           \
                         sizeof(struct log_field)))
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               uint32_t fields_count); /* fields[0] is a placeholder and is skipped */

void log_start(int fd,
               enum log_level least); /* the writer thread; before it lines go to stderr directly */
void log_thread_init(const char *thread_name);
void log_flush(void);
void log_dump_last(int fd); /* async-signal-safe: the last records, for must_failed() */

#endif
