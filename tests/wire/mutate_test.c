/* mutate_test.c - mutated frames (cut, flipped, wrong lengths, noise) over TCP beside a
 * well-behaved link: the daemon stays, leaks nothing, and the good link keeps every answer right.
 *
 * What is sent stays within the cards 1 to 100; the good link uses others, so its money is exact. A
 * mutated frame may still be a valid one: whatever it is answered is right. */
#include "tests/wire/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH 64u

static struct rig rig;
static struct caller good, bad;
static uint64_t seed;
static uint32_t good_count, reconnects;

/* One whole frame, length included. */
static uint32_t make_frame(uint8_t *out, size_t out_size, uint32_t number)
{
    char pan[17], block[17], cvv2[4], track[38];
    uint8_t clear[8];
    uint32_t card = 1 + number % 100;
    demo_pan(card, pan);
    demo_pin_block(&rig.keys, pan, "1234", clear);
    bytes_to_hex(clear, 8, block);
    demo_cvv(&rig.keys, pan, "3012", "000", cvv2);
    demo_track2(&rig.keys, card, "3012", track);
    struct rig_message message = {.mti = "0200", .pan = pan, .amount_minor = 1, .stan = number};
    switch (number % 6) {
    case 0:
        message.mti = "0100";
        message.cvv2 = cvv2;
        break;
    case 1:
        message.de52 = block;
        break;
    case 2:
        message.track2 = track;
        break;
    case 3:
        message.mti = "0400";
        message.de90 = "020000000111210300000000012345600000000000";
        break;
    case 4:
        message.mti = "0800";
        break;
    default:
        break;
    }
    (void)snprintf(message.rrn, sizeof message.rrn, "M%011u", number);
    uint32_t size = rig_build(&rig, &message, out + 2, out_size - 2);
    store_be16(out, (uint16_t)size);
    return size + 2;
}

static uint32_t mutate(uint8_t *frame, uint32_t size)
{
    uint32_t changes = 1 + (uint32_t)(rig_random(&seed) % 4);
    for (uint32_t i = 0; i < changes; i++) {
        uint32_t at = (uint32_t)(rig_random(&seed) % size);
        switch (rig_random(&seed) % 6) {
        case 0: /* a bit */
            frame[at] ^= (uint8_t)(1u << rig_random(&seed) % 8);
            break;
        case 1: /* a byte */
            frame[at] = (uint8_t)rig_random(&seed);
            break;
        case 2: /* cut, with a length that fits */
            size = at < 2 ? 2 : at;
            store_be16(frame, (uint16_t)(size - 2));
            return size;
        case 3: /* a length that does not */
            store_be16(frame, (uint16_t)(rig_random(&seed) % 512));
            break;
        case 4: /* a digit of some length prefix */
            frame[at] = (uint8_t)('0' + rig_random(&seed) % 10);
            break;
        default: /* the bitmap */
            frame[6 + at % 8] ^= (uint8_t)(1u << rig_random(&seed) % 8);
            break;
        }
    }
    return size;
}

static void drain(void)
{
    uint8_t bytes[65536];
    while (bad.fd >= 0) {
        ssize_t count = recv(bad.fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count == 0) {
            caller_close(&bad);
        }
        if (count <= 0) {
            return;
        }
    }
}

static void ask_good(void)
{
    char pan[17];
    struct rig_answer answer = {.de39 = "--"};
    good_count++;
    demo_pan(101 + good_count % 100, pan);
    struct rig_message message = {
        .mti = "0200", .pan = pan, .amount_minor = 7, .stan = good_count, .terminal = "GOOD0001"};
    (void)snprintf(message.rrn, sizeof message.rrn, "G%011u", good_count);
    bool heard = rig_ask(&rig, &good, &message, &answer);
    (void)CHECK(heard && strcmp(answer.de39, "00") == 0 && strcmp(answer.rrn, message.rrn) == 0,
                "the good link: message %u: %s %s", good_count, answer.de39, answer.de44);
}

static void check_good_money(void)
{
    int64_t sum = 0;
    for (uint32_t card = 101; card <= 200; card++) {
        char account[24];
        (void)snprintf(account, sizeof account, "card/%u", card);
        sum += 100000000 - rig_balance(&rig, account);
    }
    (void)CHECK(sum == 7 * (int64_t)good_count, "%u messages of 0.07, booked %lld", good_count,
                (long long)sum);
}

int main(int argc, char **argv)
{
    uint32_t frames = argc > 1 && strcmp(argv[1], "--full") == 0 ? 1000000 : 100000;
    uint8_t frame[1024];
    seed = rig_seed();
    if (rig_open(&rig, "mutate", false) && rig_start(&rig) && rig_fill(&rig) &&
        rig_connect(&rig, &good)) {
        bad.fd = -1;
        for (uint32_t number = 0; number < frames && checks_failed == 0; number++) {
            if (bad.fd < 0) {
                reconnects++;
                if (!rig_connect(&rig, &bad)) {
                    break;
                }
            }
            uint32_t size = mutate(frame, make_frame(frame, sizeof frame, number));
            if (!caller_say_raw(&bad, (struct span){frame, size})) {
                caller_close(&bad);
            }
            if (number % BATCH == 0) {
                drain();
                ask_good();
            }
            if (number % 1024 == 1023) { /* a half frame must not hide what follows for ever */
                caller_close(&bad);
            }
        }
        caller_close(&bad);
        (void)CHECK(rig_settle(&rig, 20000), "what was forwarded is acknowledged");
        check_good_money();
        rig_check_books(&rig);
    }
    printf("%u good messages, %u connections\n", good_count, reconnects);
    rig_end(&rig);
    return checks_report();
}
