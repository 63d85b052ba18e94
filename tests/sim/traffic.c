/* traffic.c - see traffic.h: what the acquirer says. */
#include "tests/sim/traffic.h"

#include "tests/sim/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cards --------------------------------------------------------------------------------------
 */

void traffic_pan(uint32_t card, char out[20])
{
    char digits[24];
    if (card < TRAFFIC_CARDS || card == TRAFFIC_NO_CARD) {
        (void)snprintf(digits, sizeof digits, "990001%09u", card + 1);
    } else if (card == TRAFFIC_NO_ROUTE || card == TRAFFIC_DENIED_BIN) {
        (void)snprintf(digits, sizeof digits, "%s000000001",
                       card == TRAFFIC_NO_ROUTE ? "600000" : "990002");
    } else {
        (void)snprintf(digits, sizeof digits, "%s%05u0000", card % 2 == 0 ? "411111" : "522222",
                       card - TRAFFIC_CARDS);
    }
    uint32_t sum = 0, size = (uint32_t)strlen(digits);
    for (uint32_t i = 0; i < size; i++) {
        uint32_t digit = (uint32_t)(digits[size - 1 - i] - '0');
        sum += i % 2 == 0 ? digit * 2 - (digit > 4 ? 9 : 0) : digit;
    }
    must(size < 19);
    memcpy(out, digits, size);
    out[size] = (char)('0' + (10 - sum % 10) % 10);
    out[size + 1] = '\0';
}

/* ---- speaking ---------------------------------------------------------------------------------
 */

static uint64_t dice(struct acquirer *acquirer, uint64_t sides)
{
    return sim_below(sim_world_random(acquirer->world), sides);
}

void acquirer_create(struct acquirer *acquirer, struct sim_world *world, uint32_t index,
                     const struct acquirer *other, struct tally *tally)
{
    acquirer->world = world;
    acquirer->address = host_acquirers[index].address;
    acquirer->party = host_acquirers[index].party;
    acquirer->other = other;
    acquirer->tally = tally;
    acquirer_listen(acquirer);
}

/* A link that is up, or NULL. */
static struct sim_socket *link_of(struct acquirer *acquirer)
{
    uint32_t i = (uint32_t)dice(acquirer, TRAFFIC_LINKS);
    if (acquirer->sockets[i] == NULL) {
        acquirer->streams[i].count = 0;
        acquirer->sockets[i] =
            sim_peer_connect(acquirer->world, acquirer->address, &acquirer->peer);
    }
    return acquirer->sockets[i];
}

static void set_sent_at(struct acquirer *acquirer, struct sim_message *message)
{
    int64_t utc_ns = sim_world_clock(acquirer->world).wall_ns(acquirer->world);
    struct clock_date d = clock_utc_date(utc_ns);
    sim_set(message, 7, "%02u%02u%02u%02u%02u", d.month, d.day, d.hour, d.minute, d.second);
}

static void begin(struct acquirer *acquirer, struct sim_message *m, const char *mti,
                  const char *de3, uint32_t card)
{
    char pan[20];
    memset(m, 0, sizeof *m);
    memcpy(m->mti, mti, 5);
    traffic_pan(card, pan);
    sim_set(m, 2, "%s", pan);
    sim_set(m, 3, "%s0000", de3);
    set_sent_at(acquirer, m);
    sim_set(m, 11, "%06u", ++acquirer->stan % 1000000);
    sim_set(m, 12, "%s", sim_get(m, 7) + 4);
    sim_set(m, 13, "%.4s", sim_get(m, 7));
    sim_set(m, 32, "123456");
    sim_set(m, 41, "TERM%04u", (uint32_t)dice(acquirer, 3));
    sim_set(m, 42, "MERCHANT0000001");
    sim_set(m, 49, "%s", dice(acquirer, 40) == 0 ? "840" : "398");
    if (dice(acquirer, 8) != 0) {
        sim_set(m, 37, "R%011u", acquirer->stan);
    }
}

static void set_amount(struct acquirer *acquirer, struct sim_message *m)
{
    static const uint32_t cents[] = {0, 0, 0, 5, 91, 96, 17};
    uint64_t units = dice(acquirer, 12) == 0 ? dice(acquirer, 900000) : 1 + dice(acquirer, 300);
    uint64_t minor = units * 100 + cents[dice(acquirer, countof(cents))];
    sim_set(m, 4, "%012llu", (unsigned long long)minor);
}

/* Card 0 is the contract's k = 1: right and wrong PIN, right CVV2 of the first three cards. */
static void set_checks(struct acquirer *acquirer, struct sim_message *m, uint32_t card)
{
    static const char *const cvv2[] = {"025", "544", "505"};
    static const uint8_t blocks[3][8] = {{0x11, 0x9D, 0x82, 0xF4, 0x0D, 0xFF, 0x2B, 0x03},
                                         {0x88, 0x3F, 0xD0, 0x0A, 0x21, 0x63, 0x59, 0xA2},
                                         {1, 2, 3, 4, 5, 6, 7, 8}};
    bool is_poor = card == 4; /* has less than it is asked for */
    if (dice(acquirer, 6) == 0) {
        sim_set(m, 48, "9203%s", card < 3 && dice(acquirer, 4) != 0 ? cvv2[card] : "999");
    } else if (dice(acquirer, is_poor ? 2 : 8) == 0) {
        sim_set(m, 48, "61011");
    }
    if (dice(acquirer, card == 0 ? 2 : 6) == 0) {
        static const uint8_t which[] = {0, 0, 1, 1, 1, 2};
        sim_set_bytes(m, 52, blocks[card == 0 ? which[dice(acquirer, countof(which))] : 2], 8);
        if (dice(acquirer, 10) == 0) {
            sim_set(m, 53, "2001010100000000"); /* not taken yet: 12 */
        }
    }
}

static uint32_t any_card(struct acquirer *acquirer)
{
    if (dice(acquirer, 30) == 0) {
        return TRAFFIC_NO_ROUTE + (uint32_t)dice(acquirer, TRAFFIC_CARDS_END - TRAFFIC_NO_ROUTE);
    }
    return dice(acquirer, 3) == 0 ? TRAFFIC_CARDS + (uint32_t)dice(acquirer, TRAFFIC_FOREIGN_CARDS)
                                  : (uint32_t)dice(acquirer, TRAFFIC_CARDS);
}

static void new_request(struct acquirer *acquirer, struct sim_message *m)
{
    static const char *const types[] = {"00", "00", "00", "01", "20", "31", "40"};
    uint32_t card = any_card(acquirer);
    const char *type = types[dice(acquirer, countof(types))];
    begin(acquirer, m, dice(acquirer, 2) == 0 ? "0100" : "0200", type, card);
    set_amount(acquirer, m);
    if (dice(acquirer, 20) == 0) {
        sim_set(m, 4, "%012u", 0u);
        sim_set(m, 25, "%s", dice(acquirer, 3) == 0 ? "00" : "51");
    }
    set_checks(acquirer, m, card);
    if (strcmp(type, "40") == 0) {
        sim_set(m, 103, "card/%u", (uint32_t)dice(acquirer, TRAFFIC_CARDS + 1));
    }
    if (dice(acquirer, 10) == 0) {
        sim_set(m, 14, "%s", dice(acquirer, 4) == 0 ? "2901" : "3012");
    }
}

/* 0120 or 0220, about an earlier message or about nothing we know. */
static void new_advice(struct acquirer *acquirer, struct sim_message *m,
                       const struct sim_message *old)
{
    uint32_t card =
        dice(acquirer, 4) == 0 ? TRAFFIC_CARDS : (uint32_t)dice(acquirer, TRAFFIC_CARDS);
    begin(acquirer, m, dice(acquirer, 2) == 0 ? "0120" : "0220",
          dice(acquirer, 8) == 0 ? "20" : "00", card);
    set_amount(acquirer, m);
    if (old != NULL && dice(acquirer, 4) != 0) {
        static const uint8_t same[] = {2, 32, 37, 41, 42};
        for (uint32_t i = 0; i < sizeof same; i++) {
            sim_set_bytes(m, same[i], old->value[same[i]], old->size[same[i]]);
        }
        if (dice(acquirer, 2) == 0 && old->size[4] > 0) {
            sim_set_bytes(m, 4, old->value[4], old->size[4]);
        }
    }
    if (dice(acquirer, 3) == 0) {
        sim_set(m, 39, "%s", dice(acquirer, 3) == 0 ? "51" : "00");
    }
}

/* A reversal, or a refund, of an earlier message. */
static void about(struct acquirer *acquirer, struct sim_message *m, const struct sim_message *old,
                  const char *mti, const char *de3)
{
    begin(acquirer, m, mti, "00", 0);
    static const uint8_t same[] = {2, 3, 4, 32, 41, 42, 49};
    for (uint32_t i = 0; i < sizeof same; i++) {
        sim_set_bytes(m, same[i], old->value[same[i]], old->size[same[i]]);
    }
    if (de3 != NULL) {
        sim_set(m, 3, "%s0000", de3);
    }
    if (m->size[4] == 0) {
        sim_set(m, 4, "%012u", 0u);
    }
    if (old->size[37] > 0 && dice(acquirer, 2) == 0) {
        sim_set_bytes(m, 37, old->value[37], old->size[37]);
        if (dice(acquirer, 2) == 0) {
            return; /* by RRN */
        }
    }
    sim_set(m, 90, "%.4s%.6s%.10s%011d%011d", old->mti, sim_get(old, 11), sim_get(old, 7), 123456,
            0);
}

static void record(struct acquirer *acquirer, const struct sim_message *m, int32_t repeats)
{
    must(acquirer->rows_count < TRAFFIC_MESSAGES_MAX);
    acquirer->rows[acquirer->rows_count++] = (struct traffic_row){
        .message = *m, .repeats = repeats, .sent_ns = sim_world_now_ns(acquirer->world)};
    struct sim_socket *link = link_of(acquirer);
    if (link != NULL) {
        sim_say(link, m);
    }
}

static void say_again(struct acquirer *acquirer, uint32_t index)
{
    struct sim_message m = acquirer->rows[index].message;
    bool is_other = false;
    switch (dice(acquirer, 4)) {
    case 0:
        set_sent_at(acquirer, &m);
        break;
    case 1:
        m.mti[3] = '1';
        break;
    case 2:
        if (dice(acquirer, 2) == 0) {
            sim_set(&m, 4, "%012u", 424242u); /* same key, other content */
            is_other = true;
        }
        break;
    default:
        break;
    }
    record(acquirer, &m, (int32_t)index);
    acquirer->rows[acquirer->rows_count - 1].is_other = is_other;
}

static void say_garbage(struct acquirer *acquirer, const struct sim_message *m)
{
    uint8_t out[4096];
    uint32_t size = sim_write(m, out, sizeof out);
    struct sim_socket *link = link_of(acquirer);
    acquirer->rows[acquirer->rows_count++] =
        (struct traffic_row){.message = *m, .state = TRAFFIC_LOST, .repeats = -1};
    if (link != NULL) {
        out[14 + dice(acquirer, 20)] ^= (uint8_t)(1u << dice(acquirer, 8));
        sim_peer_send(link, out, size);
    }
}

/* Word for word what the other party said not long ago. False: it said nothing of use. */
static bool say_the_same(struct acquirer *acquirer)
{
    const struct acquirer *other = acquirer->other;
    uint32_t recent = other->rows_count < 20 ? other->rows_count : 20;
    if (recent == 0) {
        return false;
    }
    const struct traffic_row *row =
        &other->rows[other->rows_count - 1 - (uint32_t)dice(acquirer, recent)];
    if (row->state == TRAFFIC_LOST) {
        return false;
    }
    record(acquirer, &row->message, -1);
    return true;
}

void acquirer_speak(struct acquirer *acquirer)
{
    struct sim_message m;
    uint32_t recent = acquirer->rows_count < 40 ? acquirer->rows_count : 40;
    uint32_t index = acquirer->rows_count - (recent > 0 ? 1 + (uint32_t)dice(acquirer, recent) : 0);
    const struct sim_message *old = recent > 0 ? &acquirer->rows[index].message : NULL;
    uint64_t kind = dice(acquirer, 21);
    if (kind == 20 && say_the_same(acquirer)) {
        return;
    }
    if (old != NULL && kind < 3) {
        say_again(acquirer, index);
        return;
    }
    if (old != NULL && kind < 7 && old->mti[1] != '4') {
        static const char *const mtis[] = {"0400", "0420", "0401", "0421"};
        about(acquirer, &m, old, mtis[dice(acquirer, 4)], NULL);
        if (dice(acquirer, 3) == 0) {
            sim_set(&m, 95, "%012u%012u%09u%09u", 5000u * (uint32_t)dice(acquirer, 4), 0u, 0u, 0u);
            m.value[95][24] = m.value[95][33] = 'C';
        }
    } else if (acquirer->completed > 0 && kind == 7) {
        about(acquirer, &m, &acquirer->rows[acquirer->completed - 1].message,
              dice(acquirer, 2) == 0 ? "0400" : "0420", NULL);
        acquirer->completed = 0;
    } else if (old != NULL && kind == 7 && old->mti[1] != '4') {
        about(acquirer, &m, old, "0200", "20");
        if (dice(acquirer, 6) == 0) { /* of a purchase that nobody knows */
            sim_set(&m, 90, "0200%06u%.10s%011d%011d", 999999u, sim_get(old, 7), 123456, 0);
        }
    } else if (kind == 8) { /* a reversal before its original */
        new_request(acquirer, &m);
        struct sim_message original = m;
        about(acquirer, &m, &original, "0420", NULL);
        record(acquirer, &m, -1);
        m = original;
    } else if (kind < 12) {
        new_advice(acquirer, &m, old);
        acquirer->completed = old != NULL && old->mti[1] != '4' ? index + 1 : 0;
    } else if (kind == 12) {
        new_request(acquirer, &m);
        say_garbage(acquirer, &m);
        return;
    } else {
        new_request(acquirer, &m);
    }
    record(acquirer, &m, -1);
}

void acquirer_burst(struct acquirer *acquirer)
{
    uint32_t room = TRAFFIC_MESSAGES_MAX - 16 - acquirer->rows_count;
    for (uint32_t left = room < 300 ? room : 300; left > 0; left--) {
        struct sim_message m;
        new_request(acquirer, &m);
        record(acquirer, &m, -1);
    }
}

uint32_t acquirer_repeat_unanswered(struct acquirer *acquirer)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < acquirer->rows_count; i++) {
        struct traffic_row *row = &acquirer->rows[i];
        if (row->state == TRAFFIC_WAITING &&
            sim_world_now_ns(acquirer->world) - row->sent_ns > 6 * NS_PER_S) {
            struct sim_socket *link = link_of(acquirer);
            if (link != NULL) {
                row->sent_ns = sim_world_now_ns(acquirer->world);
                sim_say(link, &row->message);
            }
            count++;
        }
    }
    return count;
}

uint32_t acquirer_waiting(const struct acquirer *acquirer)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < acquirer->rows_count; i++) {
        count += acquirer->rows[i].state == TRAFFIC_WAITING;
    }
    return count;
}
