/* client.c - see client.h. */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool ctl_open(struct ctl_client *client, const char *path, char *text, size_t text_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        (void)snprintf(text, text_size, "%s: a socket's path has at most %zu characters", path,
                       sizeof address.sun_path - 1);
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)snprintf(text, text_size, "%s: no daemon answers here (%s)", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    *client = (struct ctl_client){.fd = fd, .buffer = malloc(CTL_LINE_BYTES_MAX)};
    must(client->buffer != NULL);
    return true;
}

void ctl_close(struct ctl_client *client)
{
    (void)close(client->fd);
    free(client->buffer);
    client->fd = -1;
    client->buffer = NULL;
}

/* ---- out ----------------------------------------------------------------------------------- */

/* False: nothing more fits, or the connection is gone. */
static bool take_bytes(struct ctl_client *client)
{
    if (client->size == CTL_LINE_BYTES_MAX) {
        return false;
    }
    ssize_t count = recv(client->fd, client->buffer + client->size,
                         CTL_LINE_BYTES_MAX - client->size, MSG_DONTWAIT);
    if (count > 0) {
        client->size += (size_t)count;
        return true;
    }
    return count < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Waits for room or for bytes, whichever comes: the daemon may be waiting for us to read. */
static bool write_all(struct ctl_client *client, const char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        struct pollfd fd = {.fd = client->fd, .events = POLLOUT};
        if (client->size < CTL_LINE_BYTES_MAX) {
            fd.events |= POLLIN;
        }
        if (poll(&fd, 1, CTL_TIMEOUT_MS) <= 0) {
            return false;
        }
        if ((fd.revents & POLLIN) != 0 && !take_bytes(client)) {
            return false;
        }
        ssize_t count = send(client->fd, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

bool ctl_send(struct ctl_client *client, const char *command, const json_t *args)
{
    json_t *request = json_pack("{s:s, s:b}", "command", command, "json", 1);
    if (args != NULL) {
        (void)json_object_set(request, "args", (json_t *)(uintptr_t)args);
    }
    char *line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (line == NULL) {
        return false;
    }
    size_t size = strlen(line);
    line[size] = '\n'; /* in the place of the NUL */
    bool sent = write_all(client, line, size + 1);
    explicit_bzero(line, size);
    free(line);
    return sent;
}

/* ---- in ------------------------------------------------------------------------------------ */

json_t *ctl_receive(struct ctl_client *client)
{
    for (;;) {
        char *end = memchr(client->buffer, '\n', client->size);
        if (end != NULL) {
            size_t size = (size_t)(end - client->buffer);
            json_t *line = json_loadb(client->buffer, size, 0, NULL);
            client->size -= size + 1;
            memmove(client->buffer, end + 1, client->size);
            return line;
        }
        struct pollfd fd = {.fd = client->fd, .events = POLLIN};
        if (poll(&fd, 1, CTL_TIMEOUT_MS) <= 0 || !take_bytes(client)) {
            return NULL;
        }
    }
}

static void note_error(struct ctl_answer *answer, const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *text = json_string_value(json_object_get(error, "text"));
    (void)snprintf(answer->error, sizeof answer->error, "%s: %s", code == NULL ? "error" : code,
                   text == NULL ? "" : text);
}

void ctl_collect(struct ctl_client *client, struct ctl_answer *answer)
{
    *answer = (struct ctl_answer){.rows = json_array(), .exit = 2};
    for (;;) {
        json_t *line = ctl_receive(client);
        if (line == NULL) {
            (void)snprintf(answer->error, sizeof answer->error,
                           "gone: the daemon ended the connection or did not answer in time");
            return;
        }
        json_t *done = json_object_get(line, "done");
        json_t *row = json_object_get(line, "row");
        if (row != NULL) {
            (void)json_array_append(answer->rows, row);
        } else if (done != NULL) {
            answer->exit = (int)json_integer_value(json_object_get(done, "exit"));
        } else {
            note_error(answer, json_object_get(line, "error"));
        }
        json_decref(line);
        if (done != NULL) {
            return;
        }
    }
}

void ctl_call(struct ctl_client *client, const char *command, json_t *args,
              struct ctl_answer *answer)
{
    bool sent = ctl_send(client, command, args);
    json_decref(args);
    if (sent) {
        ctl_collect(client, answer);
        return;
    }
    *answer = (struct ctl_answer){.rows = json_array(), .exit = 2};
    (void)snprintf(answer->error, sizeof answer->error, "gone: the daemon ended the connection");
}

void ctl_answer_free(struct ctl_answer *answer)
{
    json_decref(answer->rows);
    answer->rows = NULL;
}
