/* hsm_test.c - the HSM's worker is stopped, goes on, dies: what needs a check gets 96 and is never
 * approved, everything else goes on, and it recovers by itself. */
#include "tests/wire/rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig rig;
static struct caller caller;
static uint32_t stan;

/* DE39 of a purchase of card `card` with or without something to check. */
static void ask(uint32_t card, bool with_cvv2, char de39[3])
{
    char pan[17], cvv2[4];
    struct rig_answer answer = {.de39 = "--"};
    demo_pan(card, pan);
    demo_cvv(&rig.keys, pan, "3012", "000", cvv2);
    struct rig_message message = {.mti = "0200",
                                  .pan = pan,
                                  .amount_minor = 100,
                                  .stan = ++stan,
                                  .cvv2 = with_cvv2 ? cvv2 : NULL};
    (void)snprintf(message.rrn, sizeof message.rrn, "H%011u", stan);
    (void)CHECK(rig_ask(&rig, &caller, &message, &answer), "message %u is answered", stan);
    memcpy(de39, answer.de39, 3);
}

static void expect(bool with_cvv2, const char *wanted, const char *when)
{
    char de39[3];
    ask(1 + stan % 200, with_cvv2, de39);
    (void)CHECK(strcmp(de39, wanted) == 0, "%s, %s CVV2: %s, expected %s", when,
                with_cvv2 ? "with" : "without", de39, wanted);
}

static void expect_recovery(const char *when)
{
    char de39[3] = "--";
    int64_t give_up_ms = rig_now_ms() + 20000;
    while (strcmp(de39, "00") != 0 && rig_now_ms() < give_up_ms) {
        ask(1 + stan % 200, true, de39);
        (void)CHECK(strcmp(de39, "00") == 0 || strcmp(de39, "96") == 0, "%s: %s", when, de39);
        rig_sleep_ms(50);
    }
    (void)CHECK(strcmp(de39, "00") == 0, "%s: it recovers", when);
}

static void while_stopped(int64_t for_ms)
{
    pid_t hsmd = rig_hsmd(&rig);
    if (!CHECK(hsmd > 0, "there is an hsmd")) {
        return;
    }
    (void)CHECK(kill(hsmd, SIGSTOP) == 0, "it is stopped");
    int64_t end_ms = rig_now_ms() + for_ms;
    do {
        expect(true, "96", "stopped");
        expect(false, "00", "stopped");
    } while (rig_now_ms() < end_ms);
    (void)CHECK(kill(hsmd, SIGCONT) == 0, "it goes on");
    expect_recovery("after SIGCONT");
}

int main(int argc, char **argv)
{
    bool is_full = argc > 1 && strcmp(argv[1], "--full") == 0;
    if (rig_open(&rig, "hsm", false) && rig_start(&rig) && rig_fill(&rig) &&
        rig_connect(&rig, &caller)) {
        int64_t before = rig_balance(&rig, "settlement/acquirer");
        expect(true, "00", "at first");
        expect(false, "00", "at first");
        while_stopped(is_full ? 10000 : 2000);
        (void)CHECK(kill(rig_hsmd(&rig), SIGKILL) == 0, "it dies");
        expect(false, "00", "after its death");
        expect_recovery("after its death");
        expect(true, "00", "at last");
        (void)CHECK(rig_balance(&rig, "settlement/acquirer") > before, "money moved");
        rig_check_books(&rig);
    }
    rig_end(&rig);
    return checks_report();
}
