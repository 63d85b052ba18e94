/* control.c - the control thread: ringctl's socket, signals, one request after the other.
 *
 * DESIGN  poll() over the listener, the connections, a signalfd and the bell's eventfd. A line is
 * parsed, its command looked up in control.def, the caller's uid taken from the kernel, and the
 * command run to its end before the next line is looked at. Bounds: CONTROL_CONNECTIONS,
 * CONTROL_LINE_BYTES_MAX, CONTROL_VERDICT_MS. */
#include "switch/control.h"

#include "base/log.h"
#include "switch/daemon.h"
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HOUSEKEEPING_MS 100

struct connection {
    int fd; /* -1 = free */
    uint32_t uid;
    uint32_t size;
    char line[CONTROL_LINE_BYTES_MAX];
};

struct loop {
    struct daemon *daemon;
    int listener, signals;
    struct connection *connections;
};

static void loop_accept(struct loop *loop);
static void loop_read(struct loop *loop, struct connection *connection);
static void loop_signal(struct loop *loop);

/* Requests may hold PANs: their memory is wiped before anybody else has it. */
static void free_wiped(void *memory)
{
    if (memory != NULL) {
        explicit_bzero(memory, malloc_usable_size(memory));
    }
    free(memory);
}

int control_run(struct daemon *daemon)
{
    json_set_alloc_funcs(malloc, free_wiped);
    struct loop loop = {
        .daemon = daemon, .listener = daemon->control_socket, .signals = daemon->signals};
    loop.connections = calloc(CONTROL_CONNECTIONS, sizeof *loop.connections);
    must(loop.connections != NULL);
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS; i++) {
        loop.connections[i].fd = -1;
    }
    while (!daemon_finished(daemon)) {
        struct pollfd fds[CONTROL_CONNECTIONS + 2];
        fds[0] = (struct pollfd){.fd = loop.listener, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = loop.signals, .events = POLLIN};
        for (uint32_t i = 0; i < CONTROL_CONNECTIONS; i++) {
            fds[i + 2] = (struct pollfd){.fd = loop.connections[i].fd, .events = POLLIN};
        }
        (void)poll(fds, countof(fds), HOUSEKEEPING_MS);
        if (fds[1].revents != 0) {
            loop_signal(&loop);
        }
        if (fds[0].revents != 0) {
            loop_accept(&loop);
        }
        for (uint32_t i = 0; i < CONTROL_CONNECTIONS; i++) {
            if (loop.connections[i].fd >= 0 && fds[i + 2].revents != 0) {
                loop_read(&loop, &loop.connections[i]);
            }
        }
        daemon_housekeeping(daemon);
    }
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS; i++) {
        if (loop.connections[i].fd >= 0) {
            (void)close(loop.connections[i].fd);
        }
    }
    free(loop.connections);
    return daemon->exit_status;
}

static void loop_signal(struct loop *loop)
{
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            (void)daemon_reload(loop->daemon, NULL, 0);
        } else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            daemon_drain(loop->daemon);
        }
    }
}

static void loop_accept(struct loop *loop)
{
    int fd = accept4(loop->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    struct ucred caller;
    socklen_t size = sizeof caller;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &caller, &size) == 0 &&
        (caller.uid == 0 || caller.uid == geteuid())) {
        struct timeval bound = {.tv_sec =
                                    5}; /* a caller that does not read cannot hold the thread */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
        for (uint32_t i = 0; i < CONTROL_CONNECTIONS; i++) {
            if (loop->connections[i].fd < 0) {
                loop->connections[i].fd = fd;
                loop->connections[i].uid = caller.uid;
                loop->connections[i].size = 0;
                return;
            }
        }
        static const char full[] =
            "{\"error\":{\"code\":\"busy\",\"text\":\"too many operators are "
            "connected; try again\"}}\n{\"done\":{\"exit\":2}}\n";
        (void)send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    (void)close(fd);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void write_line(struct control_request *request, json_t *line)
{
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    must(text != NULL);
    size_t size = strlen(text);
    text[size++] = '\n'; /* in the place of the NUL */
    for (size_t done = 0; done < size && !request->is_broken;) {
        ssize_t n = send(request->out_fd, text + done, size - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            request->is_broken = true;
        }
    }
    free(text);
}

void control_row(struct control_request *request, json_t *row)
{
    must(row != NULL);
    write_line(request, json_pack("{s:o}", "row", row));
}

enum control_exit control_error(struct control_request *request, const char *code, const char *text)
{
    write_line(request, json_pack("{s:{s:s, s:s}}", "error", "code", code, "text", text));
    return strcmp(code, "usage") == 0 ? CONTROL_USAGE : CONTROL_NEGATIVE;
}

/* ---- requests -------------------------------------------------------------------------------- */

const struct control_command control_commands[] = {
#define CONTROL(name, class, function, help) {name, class, function},
#include "switch/control.def"
#undef CONTROL
};
const uint32_t control_commands_count = countof(control_commands);

/* Everything but reading is in the journal, with who asked, before it acts. */
static bool journal_request(struct control_request *request, const struct control_command *command)
{
    struct ledger_command_text record = {.uid = request->uid};
    int size =
        snprintf((char *)record.text, sizeof record.text, "%s: %s", command->class, command->name);
    record.text_size = (uint16_t)(size < 0 ? 0 : size);
    return control_ask(request, &record, sizeof record, LEDGER_CONTROL) != NULL;
}

static enum control_exit run_command(struct control_request *request, const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "command"));
    const json_t *args = json_object_get(object, "args");
    if (name == NULL || (args != NULL && !json_is_object(args))) {
        return control_error(request, "usage", "a request is {\"command\":\"…\",\"args\":{…}}");
    }
    request->args = args;
    for (uint32_t i = 0; i < control_commands_count; i++) {
        const struct control_command *command = &control_commands[i];
        if (strcmp(command->name, name) != 0) {
            continue;
        }
        if (strcmp(command->class, "read") != 0 && !journal_request(request, command)) {
            return CONTROL_NEGATIVE;
        }
        log_event(strcmp(command->class, "read") == 0 ? LOG_DEBUG : LOG_INFO, "control.command",
                  log_text("command", name), log_number("uid", request->uid));
        return command->run(request);
    }
    return control_error(request, "usage", "not in this version");
}

static void answer_line(struct loop *loop, struct connection *connection, const char *line,
                        size_t size)
{
    struct control_request request = {
        .daemon = loop->daemon, .uid = connection->uid, .out_fd = connection->fd};
    json_error_t fault;
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &fault);
    enum control_exit status =
        json_is_object(object) ? run_command(&request, object)
                               : control_error(&request, "usage", "the line is not a JSON object");
    json_decref(object);
    write_line(&request, json_pack("{s:{s:i}}", "done", "exit", (int)status));
    if (request.is_broken) {
        (void)close(connection->fd);
        connection->fd = -1;
    }
}

static void loop_read(struct loop *loop, struct connection *connection)
{
    ssize_t n = recv(connection->fd, connection->line + connection->size,
                     sizeof connection->line - connection->size, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        (void)close(connection->fd);
        connection->fd = -1;
        return;
    }
    connection->size += (uint32_t)n;
    uint32_t begin = 0;
    char *end;
    while (connection->fd >= 0 &&
           (end = memchr(connection->line + begin, '\n', connection->size - begin)) != NULL) {
        uint32_t at = (uint32_t)(end - connection->line);
        answer_line(loop, connection, connection->line + begin, at - begin);
        begin = at + 1;
    }
    memmove(connection->line, connection->line + begin, connection->size - begin);
    explicit_bzero(connection->line + connection->size - begin, begin); /* it may have held a PAN */
    connection->size -= begin;
    if (connection->fd >= 0 && connection->size == sizeof connection->line) {
        struct control_request request = {.daemon = loop->daemon, .out_fd = connection->fd};
        (void)control_error(&request, "usage", "a request has at most 65536 bytes");
        (void)close(connection->fd);
        connection->fd = -1;
    }
}
