#include "base/clock.h"
#include "base/io.h"
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct io *io;
static struct io_event events[LIMIT_IO_EVENTS_MAX];
static struct io_address address;

/* A port that was free a moment ago. */
static void pick_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    cr_assert(bind(fd, (struct sockaddr *)&any, size) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&any, &size) == 0);
    close(fd);
    char text[32];
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(any.sin_port));
    cr_assert(io_address_parse(text, &address));
}

static void create_with(const struct io_options *options)
{
    char text[256] = "";
    io = io_uring_create_with(options, text, sizeof text);
    cr_assert_not_null(io, "%s", text);
    pick_port();
}

static void create(void)
{
    create_with(&(struct io_options){0});
}

static void destroy(void)
{
    if (io != NULL) {
        io->ops->destroy(io);
    }
}

TestSuite(io_uring, .init = create, .fini = destroy);

/* Events that came while the test waited for another kind; their data is gone. */
static struct io_event kept[64];
static uint32_t kept_count;

/* Waits for the next event of this kind; others are handed to `see`, or kept when it is NULL. */
static struct io_event next(enum io_kind kind, void (*see)(const struct io_event *))
{
    static uint32_t at, count;
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].kind == kind) {
            struct io_event found = kept[i];
            kept[i] = kept[--kept_count];
            return found;
        }
    }
    for (int round = 0; round < 200; round++) {
        for (; at < count; at++) {
            if (events[at].kind == kind) {
                return events[at++];
            }
            if (see != NULL) {
                see(&events[at]);
            } else {
                cr_assert_lt(kept_count, 64);
                kept[kept_count++] = events[at];
            }
        }
        at = 0;
        count = io->ops->wait(io, clock_system.boot_ns(NULL) + 50 * NS_PER_MS, events,
                              LIMIT_IO_EVENTS_MAX);
    }
    cr_assert(false, "no event of kind %u", (unsigned)kind);
    abort();
}

static void join_pair(io_socket *listener, io_socket *near, io_socket *far)
{
    cr_assert_eq(io->ops->listen(io, 1, &address, listener), IO_OK);
    cr_assert_eq(io->ops->connect(io, 2, &address, NS_PER_S, near), IO_OK);
    struct io_event accepted = next(IO_ACCEPT, NULL);
    *far = accepted.socket;
    cr_assert_eq(accepted.token, 1);
    cr_assert_eq(strncmp(accepted.peer.text, "127.0.0.1:", 10), 0);
}

static uint64_t received;
static void count_received(const struct io_event *event)
{
    if (event->kind == IO_RECEIVE && event->result > 0) {
        for (int32_t i = 0; i < event->result; i++) {
            cr_assert_eq(event->data[i], (uint8_t)((received + (uint64_t)i) % 251));
        }
        received += (uint64_t)event->result;
    }
}

static uint8_t *pattern(uint32_t size)
{
    uint8_t *data = malloc(size);
    for (uint32_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(i % 251);
    }
    return data;
}

static void send_and_read_all(uint32_t size)
{
    io_socket listener, near, far;
    join_pair(&listener, &near, &far);
    uint8_t *data = pattern(size);
    received = 0;
    io->ops->receive(io, 3, far);
    io->ops->send(io, 4, near, data, size);
    struct io_event sent = next(IO_SEND, count_received);
    cr_assert_eq(sent.result, (int32_t)size);
    io->ops->shutdown(io, near);
    for (struct io_event e = {.result = 1}; e.result != 0;) {
        e = next(IO_RECEIVE, NULL);
        cr_assert_geq(e.result, 0);
        count_received(&e);
    }
    cr_assert_eq(received, size);
    io->ops->close(io, 5, near);
    io->ops->close(io, 6, far);
    io->ops->close(io, 7, listener);
    uint64_t tokens = 0;
    for (int i = 0; i < 3; i++) {
        tokens += next(IO_CLOSED, NULL).token;
    }
    cr_assert_eq(tokens, 18);
    free(data);
}

Test(io_uring, carries_bytes_in_order_to_the_end)
{
    send_and_read_all(3000000);
}

/* Far fewer buffers than bytes on their way: starved, not dead. */
Test(io_uring, survives_without_receive_buffers)
{
    destroy();
    create_with(&(struct io_options){.buffers_count = 2});
    send_and_read_all(1000000);
}

Test(io_uring, says_refused_when_nobody_listens)
{
    io_socket socket;
    cr_assert_eq(io->ops->connect(io, 2, &address, NS_PER_S, &socket), IO_OK);
    cr_assert_eq(next(IO_CONNECT, NULL).result, -IO_ERR_REFUSED);
    io->ops->close(io, 3, socket);
    cr_assert_eq(next(IO_CLOSED, NULL).token, 3);
}

Test(io_uring, says_in_use)
{
    io_socket first, second;
    cr_assert_eq(io->ops->listen(io, 1, &address, &first), IO_OK);
    cr_assert_eq(io->ops->listen(io, 1, &address, &second), IO_ERR_IN_USE);
}

Test(io_uring, closes_while_receiving_and_tells_the_peer)
{
    io_socket listener, near, far;
    join_pair(&listener, &near, &far);
    io->ops->receive(io, 3, far);
    io->ops->receive(io, 4, near);
    io->ops->close(io, 5, far);
    cr_assert_eq(next(IO_CLOSED, NULL).token, 5);
    struct io_event end = next(IO_RECEIVE, NULL);
    cr_assert_eq(end.token, 4);
    cr_assert_leq(end.result, 0);
    io->ops->close(io, 6, near);
    cr_assert_eq(next(IO_CLOSED, NULL).token, 6);
}

static void write_blocks(void)
{
    char path[] = "/tmp/io_test_XXXXXX";
    int file = mkstemp(path);
    uint8_t *data = aligned_alloc(4096, 8192), back[8192];
    memset(data, 'x', 8192);
    io->ops->write(io, 9, file, data, 8192, 4096);
    struct io_event done = next(IO_WRITE, NULL);
    cr_assert(done.token == 9 && done.result == 8192);
    cr_assert_eq(pread(file, back, 8192, 4096), 8192);
    cr_assert_arr_eq(back, data, 8192);
    io->ops->write(io, 10, -1, data, 4096, 0);
    cr_assert_lt(next(IO_WRITE, NULL).result, 0);
    close(file);
    unlink(path);
    free(data);
}

Test(io_uring, writes_by_the_ring)
{
    write_blocks();
}

Test(io_uring, writes_by_a_thread)
{
    destroy();
    create_with(&(struct io_options){.write_thread = true});
    write_blocks();
}

/* The owner comes to its wait before, while or after the write ends. */
Test(io_uring, waits_for_no_write_that_has_ended)
{
    destroy();
    create_with(&(struct io_options){.write_thread = true});
    char path[] = "/tmp/io_test_XXXXXX";
    int file = mkstemp(path);
    uint8_t data[512] = {0};
    for (uint32_t round = 0; round < 5000; round++) {
        io->ops->write(io, round, file, data, sizeof data, 0);
        for (volatile uint32_t spin = round % 500 * 20; spin > 0; spin--) {
        }
        int64_t until_ns = clock_system.boot_ns(NULL) + 60 * NS_PER_S;
        uint32_t count = 0;
        while (count == 0 && clock_system.boot_ns(NULL) < until_ns) {
            count = io->ops->wait(io, until_ns, events, LIMIT_IO_EVENTS_MAX);
        }
        cr_assert(count == 1 && events[0].token == round);
        cr_assert_lt(clock_system.boot_ns(NULL), until_ns, "round %u: the wait missed it", round);
    }
    close(file);
    unlink(path);
}

Test(io_uring, wakes)
{
    io->ops->wake(io);
    int64_t before_ns = clock_system.boot_ns(NULL);
    cr_assert_eq(io->ops->wait(io, before_ns + 600 * NS_PER_S, events, 1), 0);
}

Test(io_address, forms)
{
    struct io_address a;
    cr_assert(io_address_parse("127.0.0.1:80", &a) && a.port == 80 && a.is_v4 && a.ip[15] == 1);
    cr_assert(io_address_parse("[::1]:8583", &a) && a.port == 8583 && !a.is_v4 && a.ip[15] == 1);
    const char *const bad[] = {
        "",        ":",       "127.0.0.1", "127.0.0.1:",   "127.0.0.1:x", "127.0.0.1:65536",
        "host:80", "[::1:80", "1.2.3:80",  "127.0.0.1:80 "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(!io_address_parse(bad[i], &a), "%s", bad[i]);
    }
}
