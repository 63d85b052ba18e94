/* stall_test.c - followers stand still while traffic goes on.
 *
 * First at a rate that the journal can hold: nobody notices. Then as fast as it goes, until the
 * journal is full: new requests are answered 91 BUSY, nothing else happens to them, and when the
 * followers go on so does everything. What was answered 00 is what is booked, before and after a
 * restart. */
#include "tests/wire/rig.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH 64u

static struct rig rig;
static struct caller caller;
static uint32_t said, heard, approved, busy, others;

static void call(const char *command, const char *follower)
{
    struct ctl_answer answer;
    bool done = rig_call(&rig, command, json_pack("{s:s}", "follower", follower), &answer);
    (void)CHECK(done, "%s %s: %s", command, follower, answer.error);
    ctl_answer_free(&answer);
}

static void say_one(void)
{
    char pan[17];
    uint8_t bytes[512];
    demo_pan(1 + said % 250, pan);
    struct rig_message message = {
        .mti = "0200", .pan = pan, .amount_minor = 1, .stan = said % 1000000};
    (void)snprintf(message.rrn, sizeof message.rrn, "S%011u", said);
    uint32_t size = rig_build(&rig, &message, bytes, sizeof bytes);
    (void)CHECK(caller_say(&caller, (struct span){bytes, size}), "said");
    said++;
}

static bool hear_one(int64_t timeout_ms)
{
    struct span bytes;
    struct rig_answer answer;
    if (caller_hear(&caller, timeout_ms, &bytes) != CALLER_MESSAGE ||
        !rig_read(&rig, bytes, &answer)) {
        return false;
    }
    heard++;
    bool is_busy = strcmp(answer.de39, "91") == 0 && strcmp(answer.de44, "BUSY") == 0;
    approved += strcmp(answer.de39, "00") == 0;
    busy += is_busy;
    others += !is_busy && strcmp(answer.de39, "00") != 0;
    return true;
}

/* Closed loop, with a pause after each answer; returns when the time is over or when told to stop.
 */
static void load(int64_t for_ms, int64_t gap_us, uint32_t busy_enough)
{
    int64_t end_ms = rig_now_ms() + for_ms;
    uint32_t busy_before = busy;
    while (rig_now_ms() < end_ms && busy - busy_before < busy_enough) {
        while (gap_us == 0 && said - heard < DEPTH) {
            say_one();
        }
        if (gap_us != 0) {
            say_one();
            rig_sleep_ms(gap_us / 1000);
        }
        if (!CHECK(hear_one(8000), "an answer comes (%u of %u)", heard, said)) {
            return;
        }
    }
    while (heard < said && CHECK(hear_one(8000), "an answer comes (%u of %u)", heard, said)) {
    }
}

/* The batches that the two have passed, added. */
static int64_t followers_passed(void)
{
    struct ctl_answer answer;
    json_int_t state = 0, archive = 0;
    bool done = rig_call(&rig, "status", NULL, &answer);
    (void)CHECK(done && json_unpack(json_array_get(answer.rows, 0), "{s:{s:I,s:I}}", "followers",
                                    "state", &state, "archive", &archive) == 0,
                "status: %s", answer.error);
    ctl_answer_free(&answer);
    return state + archive;
}

/* The followers have caught up when a hundred in a row are approved. How long that takes is the
 * machine's matter, as long as they move: given up when they stand still for `still_ms`. */
static bool recovers(int64_t still_ms)
{
    int64_t give_up_ms = 0, passed = -1;
    uint32_t in_a_row = 0;
    while (in_a_row < 100) {
        uint32_t approved_before = approved;
        int64_t now_passed = in_a_row == 0 ? followers_passed() : passed;
        if (now_passed != passed) {
            passed = now_passed;
            give_up_ms = rig_now_ms() + still_ms;
        } else if (rig_now_ms() >= give_up_ms) {
            return false;
        }
        say_one();
        if (!hear_one(8000)) {
            return false;
        }
        in_a_row = approved > approved_before ? in_a_row + 1 : 0;
        rig_sleep_ms(in_a_row > 0 ? 2 : 50);
    }
    return in_a_row == 100;
}

int main(int argc, char **argv)
{
    bool is_full = argc > 1 && strcmp(argv[1], "--full") == 0;
    int64_t stall_ms = is_full ? 60000 : 5000;
    bool is_open = rig_open(&rig, "stall", false);
    if (is_full) { /* a journal that holds a minute: a lone message takes a block of 4 KiB */
        rig.sets[rig.sets_count++] = "journal.segment_bytes=64MiB";
    }
    if (is_open && rig_start(&rig) && rig_fill(&rig) && rig_connect(&rig, &caller)) {
        int64_t before = rig_balance(&rig, "settlement/acquirer");
        call("follower pause", "state");
        call("follower pause", "archive");
        load(stall_ms, 2000, UINT32_MAX);
        /* A slow disk sheds too, whatever the followers do. */
        (void)CHECK(busy < heard / 2 && others == 0 && approved + busy == heard,
                    "at a slow rate: %u approved, %u busy, %u others", approved, busy, others);
        load(60000, 0, 2000);
        (void)CHECK(busy >= 2000 && others == 0,
                    "the full journal: %u approved, %u busy, %u others", approved, busy, others);
        call("follower resume", "state");
        call("follower resume", "archive");
        (void)CHECK(recovers(60000), "a hundred in a row are approved while the followers move");
        (void)CHECK(rig_balance(&rig, "settlement/acquirer") - before == approved,
                    "%u approved, booked is another sum", approved);
        rig_check_books(&rig);
        caller_close(&caller);
        rig_kill(&rig);
        if (rig_start_daemon(&rig)) {
            (void)CHECK(rig_balance(&rig, "settlement/acquirer") - before == approved,
                        "after a restart: %u approved, booked is another sum", approved);
            rig_check_books(&rig);
        }
    }
    printf("%u said, %u approved, %u busy\n", said, approved, busy);
    rig_end(&rig);
    return checks_report();
}
