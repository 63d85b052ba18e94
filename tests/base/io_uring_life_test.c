/* The ends of connections, and what else may go wrong: resets, half-closes, pauses, time-outs. */
#include "base/clock.h"
#include "base/io.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct io *io;
static struct io_address address;
static struct io_event events[LIMIT_IO_EVENTS_MAX];
static struct sockaddr_in where = {.sin_family = AF_INET};

static void pick_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = 0;
    socklen_t size = sizeof where;
    cr_assert(bind(fd, (struct sockaddr *)&where, size) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&where, &size) == 0);
    close(fd);
    char text[32];
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(where.sin_port));
    cr_assert(io_address_parse(text, &address));
}

static void create(void)
{
    char text[256] = "";
    io = io_uring_create(text, sizeof text);
    cr_assert_not_null(io, "%s", text);
    pick_port();
}

static void destroy(void)
{
    io->ops->destroy(io);
}

TestSuite(io_life, .init = create, .fini = destroy);

/* Everything that came is kept here; received bytes are added up per socket. */
static struct io_event log_of[4096];
static uint32_t log_count;
static uint64_t bytes_of[64];

static void pump(int64_t for_ns)
{
    uint32_t count =
        io->ops->wait(io, clock_system.boot_ns(NULL) + for_ns, events, LIMIT_IO_EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_lt(log_count, 4096);
        log_of[log_count++] = events[i];
        if (events[i].kind == IO_RECEIVE && events[i].result > 0) {
            cr_assert_lt(events[i].socket, 64);
            bytes_of[events[i].socket] += (uint64_t)events[i].result;
        }
    }
}

/* The first event of this kind for this token that was not taken yet. */
static struct io_event expect(enum io_kind kind, uint64_t token)
{
    for (int round = 0; round < 400; round++) {
        for (uint32_t i = 0; i < log_count; i++) {
            if (log_of[i].kind == kind && log_of[i].token == token) {
                struct io_event found = log_of[i];
                log_of[i] = log_of[--log_count];
                return found;
            }
        }
        pump(20 * NS_PER_MS);
    }
    cr_assert(false, "no event of kind %u for %llu", (unsigned)kind, (unsigned long long)token);
    abort();
}

static void settle(void)
{
    for (int i = 0; i < 5; i++) {
        pump(5 * NS_PER_MS);
    }
}

/* A listener of the io and a plain blocking client, connected; the io's end is returned. */
static io_socket with_plain_client(io_socket *listener, int *client)
{
    cr_assert_eq(io->ops->listen(io, 1, &address, listener), IO_OK);
    pump(0); /* the accept is with the kernel */
    *client = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(*client, (struct sockaddr *)&where, sizeof where), 0);
    return expect(IO_ACCEPT, 1).socket;
}

Test(io_life, a_half_closed_peer_still_gets_its_answer)
{
    io_socket listener;
    int client;
    io_socket near = with_plain_client(&listener, &client);
    io->ops->receive(io, 2, near);
    cr_assert_eq(write(client, "ask", 3), 3);
    cr_assert_eq(shutdown(client, SHUT_WR), 0);
    cr_assert_eq(expect(IO_RECEIVE, 2).result, 3);
    cr_assert_eq(expect(IO_RECEIVE, 2).result, 0);
    io->ops->send(io, 3, near, (const uint8_t *)"answer", 6);
    cr_assert_eq(expect(IO_SEND, 3).result, 6);
    char back[16];
    cr_assert_eq(read(client, back, sizeof back), 6);
    io->ops->close(io, 4, near);
    (void)expect(IO_CLOSED, 4);
    cr_assert_eq(read(client, back, sizeof back), 0);
    close(client);
}

Test(io_life, a_reset_is_said_once_and_nothing_comes_after_closed)
{
    io_socket listener;
    int client;
    io_socket near = with_plain_client(&listener, &client);
    io->ops->receive(io, 2, near);
    pump(0);
    struct linger at_once = {.l_onoff = 1};
    cr_assert_eq(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(client);
    cr_assert_eq(expect(IO_RECEIVE, 2).result, -IO_ERR_REFUSED);
    io->ops->close(io, 4, near);
    (void)expect(IO_CLOSED, 4);
    settle();
    cr_assert_eq(log_count, 0);
}

Test(io_life, a_send_into_a_reset_connection_ends_with_an_error)
{
    io_socket listener;
    int client;
    io_socket near = with_plain_client(&listener, &client);
    struct linger at_once = {.l_onoff = 1};
    cr_assert_eq(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    static uint8_t many[8 << 20]; /* more than the socket takes: the send is in flight */
    io->ops->send(io, 3, near, many, sizeof many);
    settle();
    cr_assert_eq(log_count, 0);
    close(client);
    cr_assert_eq(expect(IO_SEND, 3).result, -IO_ERR_REFUSED);
}

Test(io_life, shutdown_delivers_what_was_sent_before)
{
    io_socket listener;
    int client;
    io_socket near = with_plain_client(&listener, &client);
    static uint8_t many[8 << 20], back[65536];
    io->ops->send(io, 3, near, many, sizeof many);
    io->ops->shutdown(io, near);
    uint64_t got = 0;
    cr_assert_eq(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    for (int round = 0; round < 100000; round++) {
        pump(0);
        ssize_t n = read(client, back, sizeof back);
        if (n == 0) {
            break;
        }
        got += n > 0 ? (uint64_t)n : 0;
        cr_assert(n > 0 || errno == EAGAIN);
    }
    cr_assert_eq(got, sizeof many);
    cr_assert_eq(expect(IO_SEND, 3).result, (int32_t)sizeof many);
    close(client);
}

Test(io_life, a_close_drops_a_send_and_says_so_by_closed_alone)
{
    io_socket listener;
    int client;
    io_socket near = with_plain_client(&listener, &client);
    static uint8_t many[8 << 20];
    io->ops->receive(io, 2, near);
    io->ops->send(io, 3, near, many, sizeof many);
    settle();
    io->ops->close(io, 4, near);
    (void)expect(IO_CLOSED, 4);
    settle();
    cr_assert_eq(log_count, 0);
    close(client);
}

Test(io_life, a_paused_socket_is_quiet_until_it_goes_on)
{
    io_socket listener;
    int client;
    io_socket near = with_plain_client(&listener, &client);
    io->ops->receive(io, 2, near);
    settle();
    io->ops->receive_pause(io, near);
    settle();
    cr_assert_eq(write(client, "later", 5), 5);
    settle();
    cr_assert_eq(log_count, 0);
    io->ops->receive(io, 7, near);
    cr_assert_eq(expect(IO_RECEIVE, 7).result, 5);
    /* Paused and resumed within one turn, over and over: bytes are never lost. */
    for (int i = 0; i < 200; i++) {
        io->ops->receive_pause(io, near);
        cr_assert_eq(write(client, "x", 1), 1);
        io->ops->receive(io, 7, near);
        pump(0);
    }
    settle();
    cr_assert_eq(bytes_of[near], 205);
    close(client);
}

/* A full accept queue drops the handshake: nobody answers. */
Test(io_life, a_connect_that_nobody_answers_times_out)
{
    int deaf = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(deaf, (struct sockaddr *)&where, sizeof where), 0);
    cr_assert_eq(listen(deaf, 0), 0);
    int fillers[4];
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&where, sizeof where);
    }
    io_socket socket;
    cr_assert_eq(io->ops->connect(io, 2, &address, 50 * NS_PER_MS, &socket), IO_OK);
    cr_assert_eq(expect(IO_CONNECT, 2).result, -IO_ERR_TIMEOUT);
    io->ops->close(io, 3, socket);
    (void)expect(IO_CLOSED, 3);
    /* Closed while it still tries: only the end is told. */
    cr_assert_eq(io->ops->connect(io, 4, &address, 60 * NS_PER_S, &socket), IO_OK);
    settle();
    io->ops->close(io, 5, socket);
    (void)expect(IO_CLOSED, 5);
    settle();
    cr_assert_eq(log_count, 0);
    for (int i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(deaf);
}

Test(io_life, descriptors_are_used_again_and_again)
{
    io_socket listener;
    cr_assert_eq(io->ops->listen(io, 1, &address, &listener), IO_OK);
    for (uint64_t i = 0; i < 300; i++) {
        io_socket near;
        cr_assert_eq(io->ops->connect(io, 1000 + i, &address, NS_PER_S, &near), IO_OK);
        cr_assert_eq(expect(IO_CONNECT, 1000 + i).result, 0);
        io_socket far = expect(IO_ACCEPT, 1).socket;
        io->ops->receive(io, 2000 + i, far);
        io->ops->send(io, 3000 + i, near, (const uint8_t *)"hi", 2);
        io->ops->close(io, 4000 + i, i % 2 == 0 ? near : far);
        io->ops->close(io, 5000 + i, i % 2 == 0 ? far : near);
        (void)expect(IO_CLOSED, 4000 + i);
        (void)expect(IO_CLOSED, 5000 + i);
    }
    io->ops->close(io, 9, listener);
    (void)expect(IO_CLOSED, 9);
    cr_assert_eq(io->ops->listen(io, 10, &address, &listener), IO_OK);
}

Test(io_life, watches_an_eventfd_of_somebody_else)
{
    int fd = eventfd(0, EFD_NONBLOCK);
    io->ops->watch(io, 77, fd);
    settle();
    cr_assert_eq(log_count, 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(eventfd_write(fd, 5), 0);
        cr_assert_eq(expect(IO_WATCH, 77).result, 0);
        eventfd_t value;
        cr_assert(eventfd_read(fd, &value) != 0, "the io drains it");
    }
    close(fd);
}

/* Two io of one thread stand for the io of two. */
Test(io_life, an_accepted_socket_moves_to_another_io)
{
    char text[256] = "";
    struct io *first = io, *second = io_uring_create(text, sizeof text);
    cr_assert_not_null(second, "%s", text);
    io_socket listener;
    int client;
    io_socket near = with_plain_client(&listener, &client);
    first->ops->release(first, near);
    io = second;
    second->ops->adopt(second, near);
    second->ops->receive(second, 2, near);
    cr_assert_eq(write(client, "hello", 5), 5);
    cr_assert_eq(expect(IO_RECEIVE, 2).result, 5);
    second->ops->close(second, 3, near);
    (void)expect(IO_CLOSED, 3);
    io = first; /* the descriptor comes round again */
    int again = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(again, (struct sockaddr *)&where, sizeof where), 0);
    cr_assert_geq(expect(IO_ACCEPT, 1).socket, 0);
    second->ops->destroy(second);
    close(again);
    close(client);
}

Test(io_life, carries_ipv6)
{
    struct io_address six;
    char text[32];
    (void)snprintf(text, sizeof text, "[::1]:%u", address.port);
    cr_assert(io_address_parse(text, &six));
    io_socket listener, near;
    enum io_err err = io->ops->listen(io, 1, &six, &listener);
    if (err == IO_ERR_UNREACHABLE || err == IO_ERR_OTHER) {
        cr_skip_test("no IPv6 here");
    }
    cr_assert_eq(err, IO_OK);
    cr_assert_eq(io->ops->connect(io, 2, &six, NS_PER_S, &near), IO_OK);
    struct io_event accepted = expect(IO_ACCEPT, 1);
    cr_assert_eq(strncmp(accepted.peer.text, "[::1]:", 6), 0);
    cr_assert(!accepted.peer.is_v4 && accepted.peer.ip[15] == 1);
}

/* ---- refusal -----------------------------------------------------------------------------------
 */

static void refuse_io_uring(int number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = code};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void says(int number, const char *cause, const char *cure)
{
    refuse_io_uring(number);
    char text[256] = "";
    cr_assert_null(io_uring_create(text, sizeof text));
    cr_assert_not_null(strstr(text, cause), "%s", text);
    cr_assert_not_null(strstr(text, cure), "%s", text);
}

Test(io_refused, by_a_filter)
{
    says(EPERM, "seccomp", "io_uring_setup");
}

Test(io_refused, by_a_container_or_an_old_kernel)
{
    says(ENOSYS, "seccomp", "Linux 6.1");
}

Test(io_refused, for_want_of_locked_memory)
{
    says(ENOMEM, "memory", "ulimit -l");
}

Test(io_refused, because_the_kernel_does_not_know_the_flags)
{
    says(EINVAL, "older", "Linux 6.1");
}

Test(io_refused, for_want_of_descriptors)
{
    says(EMFILE, "descriptor", "ulimit -n");
}
