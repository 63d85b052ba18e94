/* client.h - one connection to the daemon's control socket: requests out, rows in.
 *
 * PROTOCOL  A request is {"command":"account show","args":{…}} on a line; its answer any number of
 * {"row":{…}} lines, or {"error":{"code","text"}}, and always a last {"done":{"exit":0|1|2}}.
 * Requests may be sent before earlier answers are read; they are answered in order. Blocking, with
 * a time-out; for tools: it allocates. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/base.h"
#include <jansson.h>

#define CTL_LINE_BYTES_MAX 65536u
#define CTL_TIMEOUT_MS     30000

struct ctl_client {
    int fd;
    char *buffer; /* CTL_LINE_BYTES_MAX bytes received and not yet taken */
    size_t size;
};

struct ctl_answer {
    json_t *rows;    /* an array, never NULL */
    char error[512]; /* "code: text"; "" when there was none */
    int exit;        /* 0 done, 1 a negative result, 2 wrong usage or no daemon */
};

/* False: `text` says why, with the path. */
NODISCARD bool ctl_open(struct ctl_client *client, const char *path, char *text, size_t text_size);
void ctl_close(struct ctl_client *client);

/* Sends without waiting; args is borrowed, NULL for none. */
NODISCARD bool ctl_send(struct ctl_client *client, const char *command, const json_t *args);
/* The next line, NULL when the daemon went away or did not answer in time. The caller owns it. */
NODISCARD json_t *ctl_receive(struct ctl_client *client);
/* The whole answer to the oldest request that was sent. Free it with ctl_answer_free(). */
void ctl_collect(struct ctl_client *client, struct ctl_answer *answer);
/* ctl_send() and ctl_collect(); takes the reference of args. */
void ctl_call(struct ctl_client *client, const char *command, json_t *args,
              struct ctl_answer *answer);
void ctl_answer_free(struct ctl_answer *answer);

#endif
