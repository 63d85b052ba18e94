/* kill_test.c - SIGKILL at random under load, again and again on one directory.
 *
 * A round: a daemon that continues, a load of purchases, holds, forwarded purchases and reversals
 * on several links for up to a second, SIGKILL at a random moment, a restart, and the audit:
 *   - what was answered 00 is said again and must be answered 00 with the same DE38 (or 94 when its
 *     reversal was said), so every answer that left is in the ledger;
 *   - what was not answered is said again too: now it has a decision, exactly one;
 *   - the settlement account holds exactly the sum of what stands, the cards' holds too;
 *   - every forwarded attempt has an outcome, or a reversal at the simulator. */
#include "tests/wire/rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINKS        6u
#define DEPTH        8u
#define MESSAGES_MAX 60000u
#define LOAD_MS      1000

enum kind { PURCHASE, HOLD, FORWARDED, KINDS };

struct sent {
    uint8_t kind;     /* enum kind */
    bool is_answered; /* in the load */
    bool was_busy;    /* 91 BUSY: not stored, decided afresh */
    bool is_reversed; /* a reversal of it was said */
    char de39[3], de38[7];
    uint32_t card;
    uint32_t reverses; /* index + 1 of what this one reverses; 0: it is none */
};

static struct rig rig;
static struct caller callers[LINKS];
static struct sent *sent;
static uint32_t sent_count, round_start;
static uint64_t seed;
static uint32_t links_in_flight[LINKS];

/* The message of a number is always the same: it can be said again. */
static uint32_t message_bytes(uint32_t index, uint8_t *out, size_t out_size)
{
    const struct sent *one = &sent[index];
    char pan[17], original[43];
    struct rig_message message = {.amount_minor = 100 + one->kind, .stan = index};
    if (one->reverses != 0) {
        const struct sent *of = &sent[one->reverses - 1];
        struct rig_message first = {.mti = of->kind == HOLD ? "0100" : "0200",
                                    .stan = one->reverses - 1};
        rig_original(&first, original);
        message.mti = "0420";
        message.de90 = original;
        demo_pan(of->card, pan);
        message.pan = of->kind == FORWARDED ? "4111111111111111" : pan;
        (void)snprintf(message.rrn, sizeof message.rrn, "K%011u", one->reverses - 1);
    } else {
        message.mti = one->kind == HOLD ? "0100" : "0200";
        demo_pan(one->card, pan);
        message.pan = one->kind == FORWARDED ? "4111111111111111" : pan;
        (void)snprintf(message.rrn, sizeof message.rrn, "K%011u", index);
    }
    return rig_build(&rig, &message, out, out_size);
}

static bool say(uint32_t link, uint32_t index)
{
    uint8_t bytes[1024];
    uint32_t size = message_bytes(index, bytes, sizeof bytes);
    return size != 0 && caller_say(&callers[link], (struct span){bytes, size});
}

/* ---- the load ------------------------------------------------------------------------------ */

static bool say_new(uint32_t link)
{
    if (sent_count == MESSAGES_MAX) {
        return false;
    }
    struct sent *one = &sent[sent_count];
    *one = (struct sent){.kind = (uint8_t)(rig_random(&seed) % KINDS),
                         .card = 1 + (uint32_t)(rig_random(&seed) % 250)};
    /* One in eight reverses something of this round that was answered. */
    if (sent_count > round_start && rig_random(&seed) % 8 == 0) {
        uint32_t of = round_start + (uint32_t)(rig_random(&seed) % (sent_count - round_start));
        if (sent[of].reverses == 0 && sent[of].is_answered && !sent[of].is_reversed) {
            sent[of].is_reversed = true;
            one->reverses = of + 1;
        }
    }
    bool done = say(link, sent_count);
    sent_count++;
    links_in_flight[link] += done;
    return done;
}

static void hear(uint32_t link)
{
    struct span bytes;
    struct rig_answer answer;
    while (caller_hear(&callers[link], 0, &bytes) == CALLER_MESSAGE) {
        if (!CHECK(rig_read(&rig, bytes, &answer), "an answer can be read")) {
            continue;
        }
        uint32_t index = answer.stan;
        if (CHECK(index < sent_count && !sent[index].is_answered, "an answer to %u", index)) {
            sent[index].is_answered = true;
            sent[index].was_busy = strcmp(answer.de44, "BUSY") == 0;
            memcpy(sent[index].de39, answer.de39, sizeof answer.de39);
            memcpy(sent[index].de38, answer.de38, sizeof answer.de38);
            links_in_flight[link]--;
        }
    }
}

static void load_then_kill(int64_t kill_after_ms)
{
    int64_t kill_ms = rig_now_ms() + kill_after_ms;
    memset(links_in_flight, 0, sizeof links_in_flight);
    round_start = sent_count;
    while (rig_now_ms() < kill_ms) {
        struct pollfd fds[LINKS];
        for (uint32_t link = 0; link < LINKS; link++) {
            while (links_in_flight[link] < DEPTH && say_new(link)) {
            }
            fds[link] = (struct pollfd){.fd = callers[link].fd, .events = POLLIN};
        }
        (void)poll(fds, LINKS, 1);
        for (uint32_t link = 0; link < LINKS; link++) {
            hear(link);
        }
    }
    rig_kill(&rig);
    for (uint32_t link = 0; link < LINKS; link++) {
        hear(link); /* what had left before it died */
        caller_close(&callers[link]);
    }
}

/* ---- the audit ----------------------------------------------------------------------------- */

static void compare(uint32_t index, const struct rig_answer *answer)
{
    struct sent *one = &sent[index];
    bool was_answered = one->is_answered && !one->was_busy;
    if (was_answered && one->is_reversed) {
        (void)CHECK(strcmp(answer->de39, "94") == 0 || strcmp(answer->de39, one->de39) == 0,
                    "%u was %s, is %s after its reversal", index, one->de39, answer->de39);
    } else if (was_answered) {
        (void)CHECK(strcmp(answer->de39, one->de39) == 0 && strcmp(answer->de38, one->de38) == 0,
                    "%u was %s %s, is %s %s", index, one->de39, one->de38, answer->de39,
                    answer->de38);
    }
    memcpy(one->de39, answer->de39, sizeof one->de39);
    memcpy(one->de38, answer->de38, sizeof one->de38);
    one->is_answered = true;
}

/* Everything of the round once more, DEPTH at a time. */
static void say_again(void)
{
    static struct caller caller;
    struct span bytes;
    struct rig_answer answer;
    uint32_t said = round_start, heard = round_start;
    if (!rig_connect(&rig, &caller)) {
        return;
    }
    callers[0] = caller;
    while (heard < sent_count) {
        while (said < sent_count && said - heard < 128) {
            (void)CHECK(say(0, said), "said again");
            said++;
        }
        if (!CHECK(caller_hear(&callers[0], 8000, &bytes) == CALLER_MESSAGE &&
                       rig_read(&rig, bytes, &answer) && answer.stan < sent_count,
                   "a repeat is answered (%u of %u)", heard - round_start,
                   sent_count - round_start)) {
            break;
        }
        if (rig_is_busy(&answer)) {
            rig_sleep_ms(5);
            (void)CHECK(say(0, answer.stan), "said once more");
            continue;
        }
        compare(answer.stan, &answer);
        heard++;
    }
    caller_close(&callers[0]);
}

/* What stands of message `index`: nothing when it was declined or reversed. */
static int64_t stands(uint32_t index)
{
    const struct sent *one = &sent[index];
    return one->reverses == 0 && !one->is_reversed && strcmp(one->de39, "00") == 0 ? 100 + one->kind
                                                                                   : 0;
}

static void check_money(void)
{
    int64_t booked = 0, held = 0, balance, cards_held;
    for (uint32_t i = 0; i < sent_count; i++) {
        if (sent[i].kind == HOLD) {
            held += stands(i);
        } else {
            booked += stands(i);
        }
    }
    int64_t settled = rig_balance(&rig, "settlement/acquirer");
    rig_sums(&rig, "card/", &balance, &cards_held);
    (void)CHECK(settled == booked, "settlement/acquirer has %lld, what stands is %lld",
                (long long)settled, (long long)booked);
    (void)CHECK(cards_held == held, "%lld is held, what stands is %lld", (long long)cards_held,
                (long long)held);
}

/* Forwarded attempts that the scheme saw: a message that stands has none of its attempts reversed,
 * one that does not and was approved there has a reversal. */
static void check_scheme(void)
{
    char path[300], line[1024];
    uint8_t *seen = calloc(sent_count + 1, 1); /* 1 attempt, 2 reversal */
    must(seen != NULL);
    (void)snprintf(path, sizeof path, "%s/demo-a.audit", rig.dir);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *rrn = strstr(line, "\"rrn\":\"K");
        uint32_t index = rrn == NULL ? UINT32_MAX : (uint32_t)strtoul(rrn + 8, NULL, 10);
        if (index < sent_count) {
            seen[index] |= strstr(line, "\"mti\":\"02") != NULL ? 1 : 0;
            seen[index] |= strstr(line, "\"mti\":\"04") != NULL ? 2 : 0;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    for (uint32_t i = 0; i < sent_count; i++) {
        if (sent[i].kind == FORWARDED && sent[i].reverses == 0) {
            bool is_standing = stands(i) != 0;
            (void)CHECK(!is_standing || seen[i] == 1, "%u stands, the scheme saw %u", i, seen[i]);
            (void)CHECK(is_standing || seen[i] != 1, "%u does not stand and is not reversed", i);
        }
    }
    free(seen);
}

static bool play_round(uint32_t number)
{
    for (uint32_t link = 0; link < LINKS; link++) {
        if (!rig_connect(&rig, &callers[link])) {
            return false;
        }
    }
    load_then_kill(5 + (int64_t)(rig_random(&seed) % LOAD_MS));
    if (!rig_start_daemon(&rig)) {
        return false;
    }
    say_again();
    (void)CHECK(rig_settle(&rig, 20000), "round %u: every reversal is acknowledged", number);
    check_money();
    check_scheme();
    rig_check_books(&rig);
    return checks_failed == 0;
}

int main(int argc, char **argv)
{
    bool is_full = argc > 1 && strcmp(argv[1], "--full") == 0;
    const char *wanted = getenv("RS_KILL_ROUNDS");
    bool is_release = getenv("RS_KILL_RELEASE") != NULL;
    uint32_t rounds = wanted != NULL ? (uint32_t)strtoul(wanted, NULL, 10)
                      : is_release   ? (is_full ? 2000 : 60)
                                     : (is_full ? 100 : 10);
    sent = calloc(MESSAGES_MAX, sizeof *sent);
    must(sent != NULL);
    seed = rig_seed();
    printf("%u rounds\n", rounds);
    bool going = rig_open(&rig, "kill", is_release) && rig_start(&rig) && rig_fill(&rig);
    for (uint32_t round = 0; going && round < rounds; round++) {
        going = play_round(round);
        if (sent_count > MESSAGES_MAX - 12000) { /* a new directory: STANs are used up */
            rig_end(&rig);
            sent_count = round_start = 0;
            going =
                going && rig_open(&rig, "kill", is_release) && rig_start(&rig) && rig_fill(&rig);
        }
    }
    rig_end(&rig);
    free(sent);
    return checks_report();
}
