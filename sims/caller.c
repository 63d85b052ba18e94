/* caller.c - see caller.h. */
#include "sims/caller.h"

#include "base/clock.h"
#include "base/io.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE_TIMEOUT_MS 5000

bool caller_open(struct caller *caller, const char *address, char *text, size_t text_size)
{
    struct io_address where;
    caller->fd = -1;
    caller->size = caller->shown = 0;
    if (!io_address_parse(address, &where) || !where.is_v4) {
        (void)snprintf(text, text_size, "%s is no IP:PORT", address);
        return false;
    }
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(where.port)};
    memcpy(&target.sin_addr, where.ip + 12, 4);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&target, sizeof target) != 0) {
        (void)snprintf(text, text_size, "cannot connect to %s: %s", address, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    caller->fd = fd;
    return true;
}

void caller_close(struct caller *caller)
{
    if (caller->fd >= 0) {
        (void)close(caller->fd);
        caller->fd = -1;
    }
}

bool caller_say_raw(struct caller *caller, struct span bytes)
{
    uint32_t done = 0;
    while (done < bytes.size && caller->fd >= 0) {
        struct pollfd fd = {.fd = caller->fd, .events = POLLOUT};
        if (poll(&fd, 1, WRITE_TIMEOUT_MS) <= 0) {
            return false;
        }
        ssize_t count = send(caller->fd, bytes.data + done, bytes.size - done, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        done += count > 0 ? (uint32_t)count : 0;
    }
    return caller->fd >= 0;
}

bool caller_say(struct caller *caller, struct span message)
{
    uint8_t frame[2 + 8192];
    if (message.size > 8192) {
        return false;
    }
    store_be16(frame, (uint16_t)message.size);
    memcpy(frame + 2, message.data, message.size);
    return caller_say_raw(caller, (struct span){frame, message.size + 2});
}

static bool take_message(struct caller *caller, struct span *message)
{
    memmove(caller->buffer, caller->buffer + caller->shown, caller->size - caller->shown);
    caller->size -= caller->shown;
    caller->shown = 0;
    if (caller->size < 2 || caller->size < 2u + load_be16(caller->buffer)) {
        return false;
    }
    message->data = caller->buffer + 2;
    message->size = load_be16(caller->buffer);
    caller->shown = 2 + message->size;
    return true;
}

enum caller_result caller_hear(struct caller *caller, int64_t timeout_ms, struct span *message)
{
    int64_t give_up_ns = clock_system.boot_ns(clock_system.context) + timeout_ms * NS_PER_MS;
    while (!take_message(caller, message)) {
        int64_t left_ns = give_up_ns - clock_system.boot_ns(clock_system.context);
        struct pollfd fd = {.fd = caller->fd, .events = POLLIN};
        if (caller->fd < 0) {
            return CALLER_GONE;
        }
        if (left_ns <= 0 || poll(&fd, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS)) == 0) {
            return CALLER_SILENCE;
        }
        ssize_t count = recv(caller->fd, caller->buffer + caller->size,
                             sizeof caller->buffer - caller->size, 0);
        if (count == 0 || (count < 0 && errno != EINTR)) {
            caller_close(caller);
            return CALLER_GONE;
        }
        caller->size += count > 0 ? (uint32_t)count : 0;
    }
    return CALLER_MESSAGE;
}
