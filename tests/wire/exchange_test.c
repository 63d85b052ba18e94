/* exchange_test.c - the demo's published exchange, byte by byte, and the manners of a connection.
 */
#include "tests/wire/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* k = 1, 100.00 KZT, CVV2 025. */
static const char request_hex[] =
    "30313030723C448108C18000313639393030303130303030303030303139303030303030303030303030303130"
    "303030313132313033303030303030303030313038303030303131323133303132353431313031323030303631"
    "32333435363633323530333030303030315445524D303030314D45524348414E54303030303030313030373932"
    "3033303235333938";
/* DE15 stands at 74..77, DE38 at 98..103: ours to choose. */
static const char answer_hex[] =
    "30313130723A00010EC18000313639393030303130303030303030303139303030303030303030303030303130"
    "303030313132313033303030303030303030313038303030303131323131313231303631323334353636333235"
    "303330303030303141314232433330305445524D303030314D45524348414E5430303030303031303035383730"
    "314D333938";

static struct rig rig;
static struct caller caller;

static uint32_t from_hex(const char *hex, uint8_t *out, size_t out_max)
{
    size_t size = 0;
    must(bytes_from_hex(hex, strlen(hex), out, out_max, &size));
    return (uint32_t)size;
}

static void check_published_exchange(void)
{
    uint8_t request[256], wanted[256], first[256];
    uint32_t request_size = from_hex(request_hex, request, sizeof request);
    uint32_t wanted_size = from_hex(answer_hex, wanted, sizeof wanted);
    struct span heard;
    (void)CHECK(request_size == 0x8F && wanted_size == 0x8C, "%u and %u bytes", request_size,
                wanted_size);
    (void)CHECK(rig_held(&rig, "card/1") == 0, "nothing is held at first");
    for (int round = 0; round < 2; round++) {
        if (!CHECK(caller_say(&caller, (struct span){request, request_size}) &&
                       caller_hear(&caller, 8000, &heard) == CALLER_MESSAGE &&
                       heard.size == wanted_size,
                   "round %d: no answer of %u bytes", round, wanted_size)) {
            return;
        }
        for (uint32_t i = 0; i < wanted_size; i++) {
            bool is_ours = (i >= 74 && i <= 77) || (i >= 98 && i <= 103);
            (void)CHECK(is_ours || heard.data[i] == wanted[i], "round %d: byte %u is %02X", round,
                        i, heard.data[i]);
        }
        if (round == 0) {
            memcpy(first, heard.data, wanted_size);
        }
        (void)CHECK(memcmp(first, heard.data, wanted_size) == 0, "a repeat has the same bytes");
        (void)CHECK(rig_held(&rig, "card/1") == 10000, "100.00 is held");
    }
}

static void check_published_reversal(void)
{
    char pan[17];
    struct rig_answer answer;
    struct rig_message reversal = {.mti = "0400",
                                   .amount_minor = 10000,
                                   .stan = 2,
                                   .rrn = "632503000001",
                                   .de90 = "010000000111210300000000012345600000000000",
                                   .de95 = "000000006000000000000000C00000000C00000000"};
    demo_pan(1, pan);
    reversal.pan = pan;
    (void)CHECK(rig_ask(&rig, &caller, &reversal, &answer) && strcmp(answer.de39, "00") == 0,
                "the reversal is answered %s", answer.de39);
    (void)CHECK(rig_held(&rig, "card/1") == 6000, "60.00 remain");
}

/* A length of zero is a keep-alive; an answer that nobody waits for is dropped; the link stays. */
static void check_what_is_ignored(void)
{
    static const uint8_t keep_alive[] = {0, 0, 0, 0};
    uint8_t bytes[512];
    struct span heard;
    struct rig_answer answer;
    char pan[17];
    demo_pan(1, pan);
    (void)CHECK(caller_say_raw(&caller, (struct span){keep_alive, sizeof keep_alive}), "said");
    struct rig_message late = {.mti = "0210", .pan = pan, .stan = 3};
    uint32_t size = rig_build(&rig, &late, bytes, sizeof bytes);
    (void)CHECK(size != 0 && caller_say(&caller, (struct span){bytes, size}), "said");
    (void)CHECK(caller_say(&caller, (struct span){(const uint8_t *)"NOPE", 4}), "said");
    (void)CHECK(caller_hear(&caller, 200, &heard) == CALLER_SILENCE, "nothing is answered");
    struct rig_message echo = {.mti = "0800", .stan = 4};
    (void)CHECK(rig_ask(&rig, &caller, &echo, &answer) && strcmp(answer.de39, "00") == 0,
                "the link is still good");
}

static void check_too_long(void)
{
    static const uint8_t length[] = {0x20, 0x01}; /* 8,193 */
    static struct caller other;
    struct span heard;
    (void)CHECK(rig_connect(&rig, &other) && caller_say_raw(&other, (struct span){length, 2}) &&
                    caller_hear(&other, 3000, &heard) == CALLER_GONE,
                "a frame that is too long closes its connection");
    caller_close(&other);
}

/* Beyond 256 in flight: 91, DE44 BUSY. The scheme never answers amounts that end in 91. */
static void check_window(void)
{
    static struct caller other;
    uint8_t bytes[512];
    uint32_t busy = 0, silent = 0;
    struct span heard;
    struct rig_answer answer;
    int64_t balance = rig_balance(&rig, "settlement/demo-a");
    if (!rig_connect(&rig, &other)) {
        return;
    }
    for (uint32_t i = 0; i < 300; i++) {
        struct rig_message message = {
            .mti = "0200", .pan = "4111111111111111", .amount_minor = 91, .stan = 1000 + i};
        (void)snprintf(message.rrn, sizeof message.rrn, "WINDOW%06u", i);
        uint32_t size = rig_build(&rig, &message, bytes, sizeof bytes);
        (void)CHECK(caller_say(&other, (struct span){bytes, size}), "said");
    }
    for (uint32_t i = 0; i < 300; i++) {
        if (!CHECK(caller_hear(&other, 8000, &heard) == CALLER_MESSAGE &&
                       rig_read(&rig, heard, &answer) && strcmp(answer.de39, "91") == 0,
                   "answer %u", i)) {
            break;
        }
        busy += strcmp(answer.de44, "BUSY") == 0;
        silent += answer.de44[0] == 0;
    }
    (void)CHECK(busy == 44 && silent == 256, "%u busy, %u silent", busy, silent);
    (void)CHECK(rig_settle(&rig, 20000), "every one is reversed at the scheme");
    (void)CHECK(rig_held(&rig, "settlement/demo-a") == 0 &&
                    rig_balance(&rig, "settlement/demo-a") == balance,
                "nothing is left of them");
    caller_close(&other);
}

/* The sending side is closed: what is in flight is still answered. */
static void check_half_close(void)
{
    static struct caller other;
    uint8_t bytes[512];
    struct span heard;
    struct rig_message message = {.mti = "0200",
                                  .pan = "4111111111111111",
                                  .amount_minor = 100,
                                  .stan = 2000,
                                  .rrn = "HALFCLOSE001"};
    uint32_t size = rig_build(&rig, &message, bytes, sizeof bytes);
    (void)CHECK(rig_connect(&rig, &other) && caller_say(&other, (struct span){bytes, size}) &&
                    shutdown(other.fd, SHUT_WR) == 0,
                "said and closed");
    (void)CHECK(caller_hear(&other, 8000, &heard) == CALLER_MESSAGE, "it is answered");
    (void)CHECK(caller_hear(&other, 3000, &heard) == CALLER_GONE, "then the daemon closes");
}

static void check_connections(void)
{
    enum { LINKS = 1025 };
    static int fds[LINKS];
    static struct caller one;
    uint32_t open = 0;
    caller_close(&caller); /* its place counts too */
    rig_sleep_ms(200);
    for (uint32_t i = 0; i < LINKS; i++) {
        if (!rig_connect(&rig, &one)) {
            return;
        }
        fds[i] = one.fd;
    }
    rig_sleep_ms(500);
    for (uint32_t i = 0; i < LINKS; i++) {
        char byte;
        ssize_t count = recv(fds[i], &byte, 1, MSG_DONTWAIT);
        open += count < 0;
        (void)close(fds[i]);
    }
    (void)CHECK(open == 1024, "%u connections stayed open", open);
}

int main(void)
{
    if (rig_open(&rig, "exchange", false) && rig_start(&rig) && rig_fill(&rig) &&
        rig_connect(&rig, &caller)) {
        check_published_exchange();
        check_published_reversal();
        check_what_is_ignored();
        check_too_long();
        check_half_close();
        check_connections();
        check_window();
        rig_check_books(&rig);
    }
    rig_end(&rig);
    return checks_report();
}
