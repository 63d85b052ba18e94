/* send_test.c - `ringctl iso send` against a host that says what the test wants: keep-alives before
 * the answer, an answer in pieces, none, one that cannot be read. */
#include "base/bytes.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* 0810 with 7, 11, 39 = 00 and 70, behind two keep-alives. */
#define ANSWER_HEX                                                                                 \
    "0000000000293038313082200000020000000400000000000000"                                         \
    "313132313033303030303030303030313030333031"

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* In a process of its own: takes one request, says the bytes in two pieces, closes. */
static pid_t host(int listener, const char *hex)
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    uint8_t bytes[LINE_MAX_BYTES], request[LINE_MAX_BYTES];
    size_t size = strlen(hex) / 2, read_size = 0;
    int fd = accept(listener, NULL, NULL);
    bool right = fd >= 0 && recv(fd, request, sizeof request, 0) > 0 &&
                 (size == 0 || bytes_from_hex(hex, 2 * size, bytes, sizeof bytes, &read_size)) &&
                 send(fd, bytes, size / 2, MSG_NOSIGNAL) == (ssize_t)(size / 2) &&
                 usleep(20000) == 0 &&
                 send(fd, bytes + size / 2, size - size / 2, MSG_NOSIGNAL) >= 0;
    _exit(right ? 0 : 1);
}

static int run(const char *answer_hex, const char *expect, char line[LINE_MAX_BYTES])
{
    uint16_t port;
    char command[LINE_MAX_BYTES];
    int listener = listen_anywhere(&port), status = 0;
    pid_t pid = host(listener, answer_hex);
    cr_assert_gt(pid, 0);
    (void)snprintf(command, sizeof command,
                   "echo '{\"mti\":\"0800\",\"fields\":{\"7\":\"1121030000\",\"11\":\"000001\","
                   "\"70\":\"301\"}}' | " RS_RINGCTL " iso send 127.0.0.1:%u --dialect " RS_DIALECTS
                   "/iso87-ascii.yaml %s - 2>&1",
                   port, expect);
    FILE *out = popen(command, "r");
    cr_assert_not_null(out);
    line[fread(line, 1, LINE_MAX_BYTES - 1, out)] = 0;
    int exit_status = pclose(out);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    (void)close(listener);
    return WEXITSTATUS(exit_status);
}

Test(send, the_answer_and_what_was_expected)
{
    char line[LINE_MAX_BYTES];
    cr_assert_eq(run(ANSWER_HEX, "--expect 39=00 --expect mti=0810", line), 0, "%s", line);
    cr_assert_str_eq(line, "{\"mti\":\"0810\",\"fields\":{\"7\":\"1121030000\",\"11\":\"000001\","
                           "\"39\":\"00\",\"70\":\"301\"}}\n");
    cr_assert_eq(run(ANSWER_HEX, "--expect 39=05", line), 1);
    cr_assert_eq(run(ANSWER_HEX, "--expect 48.87=M", line), 1);
    cr_assert_eq(run(ANSWER_HEX, "--expect 39", line), 1);
}

Test(send, an_answer_that_is_none)
{
    char line[LINE_MAX_BYTES];
    cr_assert_eq(run("", "", line), 1, "%s", line);
    cr_assert_eq(run("000430383130", "", line), 1);
    cr_assert_not_null(strstr(line, "\"error\""), "%s", line);
}
