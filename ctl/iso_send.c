/* iso_send.c - `ringctl iso send`: Message JSON to a switch or host, and its answer, masked.
 *
 * DESIGN  One connection; each message waits for its answer before the next is sent, so that what
 * comes next is the answer. Keep-alives are skipped. Exit 1 when no answer came, it cannot be read,
 * or an expectation is not met. */
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "ctl/iso_json.h"
#include "iso8583/frame.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_WAIT_S   10 /* clients of the contract wait at least 5 s */
#define TEXT_BYTES_MAX  (4u << 20)
#define STREAM_BYTES    (ISO_MESSAGE_BYTES_MAX + 4u)
#define ADDRESS_BYTES   256u
#define DEFAULT_FRAMING "binary2"

struct sender {
    const struct iso_dialect *dialect;
    const struct ctl_iso_options *options;
    const char *framing_name;
    struct iso_framing framing;
    int fd;
    size_t filled;
    uint8_t out[STREAM_BYTES], in[STREAM_BYTES];
};

static int connect_to(const char *address);
static int send_all(struct sender *sender);
static int send_one(struct sender *sender, const char *text, size_t size);

int ctl_iso_send(int argc, char **argv)
{
    struct ctl_iso_options options;
    if (!ctl_iso_options(argc, argv, &options)) {
        return 2;
    }
    if (options.dialect == NULL || options.rest_count < 1 || options.rest_count > 2) {
        (void)fprintf(stderr, "ringctl: iso send HOST:PORT --dialect NAME|FILE [JSON | -]\n");
        return 2;
    }
    struct iso_dialect *dialect = ctl_dialect_load(options.dialect);
    if (dialect == NULL) {
        return 2;
    }
    struct sender *sender = calloc(1, sizeof *sender);
    must(sender != NULL);
    sender->dialect = dialect;
    sender->options = &options;
    sender->framing_name = options.frame != NULL ? options.frame : DEFAULT_FRAMING;
    must(iso_framing_by_name(sender->framing_name, &sender->framing));
    sender->fd = connect_to(options.rest[0]);
    int result = 2;
    if (sender->fd >= 0) {
        bool is_argument = options.rest_count == 2 && strcmp(options.rest[1], "-") != 0;
        result = is_argument ? send_one(sender, options.rest[1], strlen(options.rest[1]))
                             : send_all(sender);
        (void)close(sender->fd);
    }
    explicit_bzero(sender, sizeof *sender);
    free(sender);
    iso_dialect_free(dialect);
    return fflush(stdout) != 0 ? 2 : result;
}

/* The socket, or -1 after saying why there is none. */
static int connect_to(const char *address)
{
    char host[ADDRESS_BYTES];
    const char *colon = strrchr(address, ':');
    size_t size = colon != NULL ? (size_t)(colon - address) : 0;
    if (size == 0 || size >= sizeof host || colon[1] == 0) {
        (void)fprintf(stderr, "ringctl: %s is not HOST:PORT\n", address);
        return -1;
    }
    bool is_bracketed = size > 2 && address[0] == '[' && address[size - 1] == ']';
    size -= is_bracketed ? 2 : 0;
    memcpy(host, address + (is_bracketed ? 1 : 0), size);
    host[size] = 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(host, colon + 1, &hints, &found);
    if (failed != 0) {
        (void)fprintf(stderr, "ringctl: %s: %s\n", address, gai_strerror(failed));
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
        if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0 ||
                        connect(fd, at->ai_addr, at->ai_addrlen) != 0)) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0) {
        (void)fprintf(stderr, "ringctl: no connection to %s\n", address);
    }
    return fd;
}

/* Every JSON object of standard input, on one line or on many. */
static int send_all(struct sender *sender)
{
    int result = 0, next;
    json_error_t error;
    for (;;) {
        do {
            next = getc(stdin);
        } while (next == ' ' || next == '\t' || next == '\r' || next == '\n');
        if (next == EOF) {
            return result;
        }
        (void)ungetc(next, stdin);
        json_t *json = json_loadf(
            stdin, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &error);
        if (json == NULL) { /* what stands there may be a card number: the place alone */
            (void)fprintf(stderr, "ringctl: standard input, line %d: not JSON\n", error.line);
            return 2;
        }
        char *text = json_dumps(json, JSON_COMPACT);
        must(text != NULL);
        int one = send_one(sender, text, strlen(text));
        explicit_bzero(text, strlen(text));
        free(text);
        json_decref(json);
        result = one > result ? one : result;
        if (one == 2) {
            return one;
        }
    }
}

static int print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    must(text != NULL);
    (void)puts(text);
    (void)fflush(stdout);
    free(text);
    json_decref(json);
    return 1;
}

/* The next message of the stream into *message; false: it ended, or nobody answered in time. */
static bool receive(struct sender *sender, struct iso_frame *frame)
{
    for (;;) {
        struct span stream = {sender->in, (uint32_t)sender->filled};
        enum iso_frame_result result = iso_frame_next(&sender->framing, stream, frame);
        if (result == ISO_FRAME_BAD) {
            return false;
        }
        if (result == ISO_FRAME_WHOLE && frame->message.size > 0 && !frame->session_control) {
            return true;
        }
        if (result == ISO_FRAME_WHOLE) {
            sender->filled -= frame->consumed;
            memmove(sender->in, sender->in + frame->consumed, sender->filled);
            continue;
        }
        ssize_t got =
            recv(sender->fd, sender->in + sender->filled, sizeof sender->in - sender->filled, 0);
        if (got <= 0) {
            return false;
        }
        sender->filled += (size_t)got;
    }
}

/* "39=00", "48.87=M", "mti=0110" of the answer in full. */
static bool is_met(const char *expect, const json_t *answer)
{
    char name[ADDRESS_BYTES];
    const char *equals = strchr(expect, '=');
    size_t size = equals != NULL ? (size_t)(equals - expect) : 0;
    if (size == 0 || size >= sizeof name) {
        return false;
    }
    memcpy(name, expect, size);
    name[size] = 0;
    const json_t *at = strcmp(name, "mti") == 0 ? answer : json_object_get(answer, "fields");
    char *rest = name;
    for (char *word = strsep(&rest, "."); word != NULL; word = strsep(&rest, ".")) {
        at = json_object_get(at, word);
    }
    const char *value = json_string_value(at);
    return value != NULL && strcmp(value, equals + 1) == 0;
}

static int show(const struct sender *sender, struct span message)
{
    struct iso_msg msg;
    struct iso_fault fault = {0};
    if (iso_parse(sender->dialect, message, &msg, &fault) != ISO_OK) {
        return print_json(iso_json_fault(&fault, iso_json_from_msg(sender->dialect, &msg, false)));
    }
    json_t *full = iso_json_from_msg(sender->dialect, &msg, true);
    (void)print_json(iso_json_from_msg(sender->dialect, &msg, sender->options->reveal));
    int result = 0;
    for (int i = 0; i < sender->options->expects_count; i++) {
        if (!is_met(sender->options->expects[i], full)) {
            (void)fprintf(stderr, "ringctl: expected %s\n", sender->options->expects[i]);
            result = 1;
        }
    }
    json_decref(full);
    return result;
}

static int send_one(struct sender *sender, const char *text, size_t size)
{
    uint32_t out_size = 0;
    if (size > TEXT_BYTES_MAX) {
        return print_json(iso_json_error("too_big", "", 0, "the message is too long", NULL));
    }
    json_t *error =
        iso_json_encode(sender->dialect, text, size, sender->framing_name, sender->out, &out_size);
    if (error != NULL) {
        return print_json(error);
    }
    for (uint32_t done = 0; done < out_size;) {
        ssize_t sent = send(sender->fd, sender->out + done, out_size - done, MSG_NOSIGNAL);
        if (sent <= 0) {
            (void)fprintf(stderr, "ringctl: the other side closed the connection\n");
            return 1;
        }
        done += (uint32_t)sent;
    }
    struct iso_frame frame;
    if (!receive(sender, &frame)) {
        (void)fprintf(stderr, "ringctl: no answer within %d s, or the connection ended\n",
                      ANSWER_WAIT_S);
        return 1;
    }
    int result = show(sender, frame.message);
    sender->filled -= frame.consumed;
    memmove(sender->in, sender->in + frame.consumed, sender->filled);
    return result;
}
