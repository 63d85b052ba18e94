/* block_test.c - under load `card block` returns, and the very next message of that card gets 62;
 * it is unblocked, and the next one gets 00. */
#include "tests/wire/rig.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static struct rig rig;
static struct caller caller;

/* The load: ringbench on its own links, cards 1 to 200. */
static pid_t start_load(void)
{
    char program[600], connect[64], dialects[600];
    (void)snprintf(program, sizeof program, "%s/ringbench", rig.build);
    (void)snprintf(connect, sizeof connect, "127.0.0.1:%u", rig.port);
    (void)snprintf(dialects, sizeof dialects, "%s/conf/dialects", rig.root);
    const char *arguments[] = {program,      "load",   "--connect", connect, "--links",   "4",
                               "--rate",     "1500",   "--cards",   "200",   "--seconds", "3600",
                               "--dialects", dialects, "--json",    NULL};
    pid_t child = 0;
    int error =
        posix_spawn(&child, program, NULL, NULL, (char *const *)(uintptr_t)arguments, environ);
    return error == 0 ? child : 0;
}

static void change(struct ctl_client *client, const char *command, const char *pan)
{
    struct ctl_answer answer;
    ctl_call(client, command, json_pack("{s:s}", "card", pan), &answer);
    (void)CHECK(answer.exit == 0, "%s: %s", command, answer.error);
    ctl_answer_free(&answer);
}

static void expect(uint32_t *stan, const char *pan, const char *de39)
{
    struct rig_answer answer = {.de39 = "--"};
    struct rig_message message = {.mti = "0200", .pan = pan, .amount_minor = 1, .stan = ++*stan};
    (void)snprintf(message.rrn, sizeof message.rrn, "B%011u", *stan);
    bool heard = rig_ask(&rig, &caller, &message, &answer);
    (void)CHECK(heard && strcmp(answer.de39, de39) == 0, "message %u: %s %s, expected %s", *stan,
                answer.de39, answer.de44, de39);
}

int main(int argc, char **argv)
{
    uint32_t rounds = argc > 1 && strcmp(argv[1], "--full") == 0 ? 1000 : 100;
    struct ctl_client client;
    char text[300], pan[17];
    uint32_t stan = 0;
    pid_t load = 0;
    if (rig_open(&rig, "block", false) && rig_start(&rig) && rig_fill(&rig) &&
        rig_connect(&rig, &caller) && CHECK((load = start_load()) != 0, "the load starts") &&
        CHECK(ctl_open(&client, rig.socket, text, sizeof text), "%s", text)) {
        rig_sleep_ms(500);
        for (uint32_t round = 0; round < rounds; round++) {
            demo_pan(201 + round % 90, pan);
            expect(&stan, pan, "00");
            change(&client, "card block", pan);
            expect(&stan, pan, "62");
            change(&client, "card unblock", pan);
            expect(&stan, pan, "00");
        }
        ctl_close(&client);
    }
    if (load != 0) {
        int status;
        (void)CHECK(waitpid(load, &status, WNOHANG) == 0, "the load went on to the end");
        (void)kill(load, SIGKILL);
        (void)waitpid(load, &status, 0);
    }
    rig_end(&rig);
    return checks_report();
}
