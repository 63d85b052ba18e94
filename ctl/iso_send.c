/* iso_send.c - `ringctl iso send HOST:PORT`: messages out, answers back, masked.
 *
 * One message, or one a line from standard input, each answered before the next is sent. The frame
 * is --frame's, else the dialect's, else a 2-byte binary length. Exit 1: no answer in time, an
 * answer that cannot be read, or one that is not what --expect says. */
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "ctl/iso_json.h"
#include "iso8583/frame.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_S 30
#define STREAM_BYTES_MAX (ISO_MESSAGE_BYTES_MAX + 16u)

struct sending {
    const struct ctl_iso_options *options;
    const struct iso_dialect *dialect;
    struct iso_framing framing;
    int fd;
    uint8_t *out, *in; /* STREAM_BYTES_MAX each */
    uint32_t in_size;
};

static int dial(const char *address)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
        (void)fprintf(stderr, "ringctl: %s is no HOST:PORT\n", address);
        return -1;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        (void)fprintf(stderr, "ringctl: %s: no such address\n", address);
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0) {
        (void)fprintf(stderr, "ringctl: nobody answers at %s\n", address);
    } else {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    }
    return fd;
}

static bool send_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* The next message that is no keep-alive; false: none came. */
static bool receive(struct sending *sending, struct iso_frame *frame)
{
    for (;;) {
        struct span stream = {sending->in, sending->in_size};
        enum iso_frame_result result = iso_frame_next(&sending->framing, stream, frame);
        if (result == ISO_FRAME_WHOLE && frame->message.size > 0 && !frame->session_control) {
            return true;
        }
        if (result == ISO_FRAME_WHOLE) {
            sending->in_size -= frame->consumed;
            memmove(sending->in, sending->in + frame->consumed, sending->in_size);
            continue;
        }
        ssize_t more = -1;
        if (result == ISO_FRAME_NEED_MORE && sending->in_size < STREAM_BYTES_MAX) {
            more = recv(sending->fd, sending->in + sending->in_size,
                        STREAM_BYTES_MAX - sending->in_size, 0);
        }
        if (more <= 0) {
            (void)fprintf(stderr, "ringctl: %s\n",
                          result == ISO_FRAME_BAD ? "the answer's frame cannot be read"
                          : more == 0             ? "the other side closed without an answer"
                                                  : "no answer in time");
            return false;
        }
        sending->in_size += (uint32_t)more;
    }
}

/* "39=00", "55.91=…", "mti=0110" against the full values. */
static bool is_as_expected(const char *expect, const json_t *message)
{
    char path[64];
    const char *equals = strchr(expect, '='), *value = NULL;
    if (equals == NULL || (size_t)(equals - expect) >= sizeof path) {
        (void)fprintf(stderr, "ringctl: --expect %s: DE=VALUE belongs here\n", expect);
        return false;
    }
    (void)snprintf(path, sizeof path, "%.*s", (int)(equals - expect), expect);
    const json_t *at = strcmp(path, "mti") == 0 ? message : json_object_get(message, "fields");
    for (char *key = path; key != NULL && at != NULL;) {
        char *dot = strchr(key, '.');
        if (dot != NULL) {
            *dot = 0;
        }
        at = json_object_get(at, key);
        key = dot != NULL ? dot + 1 : NULL;
    }
    value = json_string_value(at);
    bool right = value != NULL && strcmp(value, equals + 1) == 0;
    if (!right) {
        (void)fprintf(stderr, "ringctl: field %s is %s\n", path,
                      value == NULL ? "not there as a value" : "another value than expected");
    }
    return right;
}

static void print_json(const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    must(text != NULL);
    (void)puts(text);
    free(text);
}

static bool answer_one(struct sending *sending, const struct iso_frame *frame)
{
    struct iso_msg *msg = calloc(1, sizeof *msg);
    struct iso_fault fault = {0};
    bool right = true;
    must(msg != NULL);
    enum iso_err err = iso_parse(sending->dialect, frame->message, msg, &fault);
    json_t *shown = iso_json_from_msg(sending->dialect, msg, sending->options->reveal);
    if (err != ISO_OK) {
        shown = iso_json_fault(&fault, shown);
        right = false;
    } else {
        json_t *full = iso_json_from_msg(sending->dialect, msg, true);
        for (int i = 0; i < sending->options->expects_count; i++) {
            right &= is_as_expected(sending->options->expects[i], full);
        }
        json_decref(full);
    }
    print_json(shown);
    json_decref(shown);
    free(msg);
    return right;
}

static bool send_one(struct sending *sending, const char *text)
{
    uint32_t size = 0;
    struct iso_frame frame;
    json_t *error = iso_json_encode(sending->dialect, text, strlen(text),
                                    iso_framing_text(sending->framing.kind), sending->out, &size);
    if (error != NULL) {
        print_json(error);
        json_decref(error);
        return false;
    }
    if (!send_all(sending->fd, sending->out, size)) {
        (void)fprintf(stderr, "ringctl: the connection is gone\n");
        return false;
    }
    if (!receive(sending, &frame)) {
        return false;
    }
    bool right = answer_one(sending, &frame);
    sending->in_size -= frame.consumed;
    memmove(sending->in, sending->in + frame.consumed, sending->in_size);
    return right;
}

static bool send_lines(struct sending *sending)
{
    const struct ctl_iso_options *options = sending->options;
    if (options->rest_count > 1 && strcmp(options->rest[1], "-") != 0) {
        return send_one(sending, options->rest[1]);
    }
    char *line = NULL;
    size_t room = 0;
    bool right = true;
    while (getline(&line, &room, stdin) >= 0) {
        right &= send_one(sending, line);
        (void)fflush(stdout);
    }
    free(line);
    return right;
}

int ctl_iso_send(int argc, char **argv)
{
    struct ctl_iso_options options;
    struct sending sending = {.options = &options, .fd = -1};
    if (!ctl_iso_options(argc, argv, &options) || options.dialect == NULL ||
        options.rest_count < 1 || options.rest_count > 2) {
        (void)fprintf(stderr, "ringctl: iso send HOST:PORT --dialect D [--frame F] "
                              "[--expect DE=VALUE]... [JSON | -]\n");
        return 2;
    }
    struct iso_dialect *dialect = ctl_dialect_load(options.dialect);
    if (dialect == NULL) {
        return 2;
    }
    const char *framing = options.frame != NULL                  ? options.frame
                          : iso_dialect_framing(dialect)[0] != 0 ? iso_dialect_framing(dialect)
                                                                 : "binary2";
    must(iso_framing_by_name(framing, &sending.framing));
    sending.framing.size_max = ISO_MESSAGE_BYTES_MAX;
    sending.dialect = dialect;
    sending.fd = dial(options.rest[0]);
    int exit_code = 2;
    if (sending.fd >= 0) {
        sending.out = malloc(STREAM_BYTES_MAX);
        sending.in = malloc(STREAM_BYTES_MAX);
        must(sending.out != NULL && sending.in != NULL);
        exit_code = !send_lines(&sending);
        free(sending.out);
        free(sending.in);
        (void)close(sending.fd);
    }
    iso_dialect_free(dialect);
    return exit_code;
}
