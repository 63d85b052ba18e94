/* io_address.c - numeric addresses: from text, to the kernel's form, and back from a socket. */
#include "base/uring.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* 1..5 digits and nothing behind them. */
static bool parse_port(const char *text, uint16_t *port)
{
    uint32_t value = 0;
    size_t size = strlen(text);
    if (size == 0 || size > 5) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (value > 65535) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

bool io_address_parse(const char *text, struct io_address *address)
{
    struct io_address parsed = {.is_v4 = text[0] != '['};
    size_t size = strnlen(text, sizeof parsed.text);
    const char *colon = size < sizeof parsed.text ? strrchr(text, ':') : NULL;
    if (colon == NULL || !parse_port(colon + 1, &parsed.port)) {
        return false;
    }
    const char *begin = text + (parsed.is_v4 ? 0 : 1);
    const char *end = colon - (parsed.is_v4 ? 0 : 1);
    if (end <= begin || (!parsed.is_v4 && *end != ']')) {
        return false;
    }
    char host[sizeof parsed.text] = {0};
    memcpy(host, begin, (size_t)(end - begin));
    if (parsed.is_v4) {
        memcpy(parsed.ip, v4_mapped, sizeof v4_mapped);
    }
    if (inet_pton(parsed.is_v4 ? AF_INET : AF_INET6, host, parsed.ip + (parsed.is_v4 ? 12 : 0)) !=
        1) {
        return false;
    }
    memcpy(parsed.text, text, size + 1);
    *address = parsed;
    return true;
}

socklen_t uring_sockaddr(const struct io_address *address, union uring_sockaddr *out)
{
    memset(out, 0, sizeof *out);
    if (address->is_v4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(address->port);
        memcpy(&out->v4.sin_addr, address->ip + 12, 4);
        return sizeof out->v4;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(address->port);
    memcpy(&out->v6.sin6_addr, address->ip, 16);
    return sizeof out->v6;
}

void uring_peer(int fd, struct io_address *address)
{
    union uring_sockaddr peer;
    socklen_t size = sizeof peer;
    char host[INET6_ADDRSTRLEN] = "?";
    *address = (struct io_address){.is_v4 = true};
    if (getpeername(fd, &peer.any, &size) != 0) {
        return; /* gone already: its first receive says so */
    }
    address->is_v4 = peer.any.sa_family == AF_INET;
    if (address->is_v4) {
        memcpy(address->ip, v4_mapped, sizeof v4_mapped);
        memcpy(address->ip + 12, &peer.v4.sin_addr, 4);
        address->port = ntohs(peer.v4.sin_port);
        (void)inet_ntop(AF_INET, &peer.v4.sin_addr, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "%s:%u", host, address->port);
    } else {
        memcpy(address->ip, &peer.v6.sin6_addr, 16);
        address->port = ntohs(peer.v6.sin6_port);
        (void)inet_ntop(AF_INET6, &peer.v6.sin6_addr, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "[%s]:%u", host, address->port);
    }
}
