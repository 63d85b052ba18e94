/* traffic.c - see traffic.h. */
#include "tests/sim/traffic.h"

#include "tests/sim/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- framing ------------------------------------------------------------------------------------
 */

/* Takes whole messages off the front of a stream; false when it is none of ours. */
static bool take(uint8_t *bytes, uint32_t *count, struct sim_message *message, bool *is_whole)
{
    *is_whole = false;
    if (*count < 2 || *count < 2u + ((uint32_t)bytes[0] << 8 | bytes[1])) {
        return true;
    }
    uint32_t size = (uint32_t)bytes[0] << 8 | bytes[1];
    bool ok = sim_read(bytes + 2, size, message);
    *count -= size + 2;
    memmove(bytes, bytes + size + 2, *count);
    *is_whole = ok;
    return ok;
}

static void say(struct sim_socket *socket, const struct sim_message *message)
{
    uint8_t out[4096];
    uint32_t size = sim_write(message, out, sizeof out);
    sim_peer_send(socket, out, size);
}

static void answer_mti(const char mti[5], char out[5])
{
    memcpy(out, mti, 5);
    out[2]++;
    out[3] = '0';
}

/* ---- schemes ------------------------------------------------------------------------------------
 */

static void scheme_opened(struct sim_peer *peer, struct sim_socket *socket)
{
    struct scheme *scheme = (struct scheme *)peer;
    scheme->socket = socket;
    scheme->bytes_count = 0;
}

static void scheme_closed(struct sim_peer *peer, struct sim_socket *socket)
{
    struct scheme *scheme = (struct scheme *)peer;
    if (scheme->socket == socket) {
        scheme->socket = NULL;
    }
}

struct late_answer {
    struct scheme *scheme;
    struct sim_message message;
};

static void say_late(void *context)
{
    struct late_answer *late = context;
    if (late->scheme->socket != NULL) {
        say(late->scheme->socket, &late->message);
    }
    free(late);
}

static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static void scheme_answer(struct scheme *scheme, const struct sim_message *in,
                          struct scheme_row *row)
{
    struct sim_message out = *in;
    static const uint8_t not_echoed[] = {14, 18, 22, 23, 25, 33, 35, 48, 52, 54, 90, 95, 103};
    answer_mti(in->mti, out.mti);
    for (uint32_t i = 0; i < sizeof not_echoed; i++) {
        sim_clear(&out, not_echoed[i]);
    }
    bool is_request = in->mti[1] != '4' && in->mti[2] == '0';
    int cents = (int)(row->amount_minor % 100);
    sim_set(&out, 39, "%s", is_request && cents == 5 ? "05" : "00");
    row->approved = is_request && cents != 5;
    if (row->approved) {
        sim_set(&out, 38, "S%05u", scheme->rows_count % 100000);
    }
    if ((is_request && cents == 91) ||
        sim_percent(sim_world_random(scheme->world), scheme->drop_percent)) {
        return;
    }
    row->answered = !(is_request && cents == 96);
    struct late_answer *late = malloc(sizeof *late);
    must(late != NULL);
    *late = (struct late_answer){scheme, out};
    int64_t delay = is_request && cents == 96
                        ? 5 * NS_PER_S
                        : (int64_t)sim_below(sim_world_random(scheme->world), 400 * NS_PER_MS);
    sim_at(scheme->world, delay, say_late, late);
}

static void scheme_received(struct sim_peer *peer, struct sim_socket *socket, const uint8_t *data,
                            uint32_t size)
{
    struct scheme *scheme = (struct scheme *)peer;
    (void)socket;
    must(scheme->bytes_count + size <= sizeof scheme->bytes);
    memcpy(scheme->bytes + scheme->bytes_count, data, size);
    scheme->bytes_count += size;
    struct sim_message in;
    bool is_whole;
    while (take(scheme->bytes, &scheme->bytes_count, &in, &is_whole) && is_whole) {
        must(scheme->rows_count < TRAFFIC_MESSAGES_MAX);
        struct scheme_row *row = &scheme->rows[scheme->rows_count++];
        memcpy(row->mti, in.mti, sizeof row->mti);
        copy_text(row->stan, sizeof row->stan, sim_get(&in, 11));
        copy_text(row->de7, sizeof row->de7, sim_get(&in, 7));
        copy_text(row->rrn, sizeof row->rrn, sim_get(&in, 37));
        copy_text(row->de90, sizeof row->de90, sim_get(&in, 90));
        row->amount_minor = strtoll(sim_get(&in, 4), NULL, 10);
        scheme_answer(scheme, &in, row);
    }
}

void scheme_create(struct scheme *scheme, struct sim_world *world, const char *address)
{
    memset(scheme, 0, sizeof *scheme);
    scheme->peer = (struct sim_peer){scheme_opened, scheme_received, scheme_closed};
    scheme->world = world;
    scheme->drop_percent = 2;
    sim_peer_listen(world, address, &scheme->peer);
}

const char *scheme_find_unresolved(const struct scheme *scheme, const char *stan, const char *de7)
{
    char wanted[17];
    (void)snprintf(wanted, sizeof wanted, "%s%s", stan, de7);
    for (uint32_t i = 0; i < scheme->rows_count; i++) {
        const struct scheme_row *row = &scheme->rows[i];
        if (row->mti[1] == '4' && strlen(row->de90) == 42 &&
            memcmp(row->de90 + 4, wanted, 16) == 0) {
            return NULL;
        }
    }
    return "an attempt without outcome was never reversed at the scheme";
}

/* ---- cards --------------------------------------------------------------------------------------
 */

void traffic_pan(uint32_t card, char out[20])
{
    char digits[24];
    if (card < TRAFFIC_CARDS) {
        (void)snprintf(digits, sizeof digits, "990001%09u", card + 1);
    } else {
        (void)snprintf(digits, sizeof digits, "%s%05u0000", card % 2 == 0 ? "411111" : "522222",
                       (card - TRAFFIC_CARDS) % 100000);
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

/* ---- the acquirer -------------------------------------------------------------------------------
 */

static uint64_t dice(struct acquirer *acquirer, uint64_t sides)
{
    return sim_below(sim_world_random(acquirer->world), sides);
}

static void acquirer_opened(struct sim_peer *peer, struct sim_socket *socket)
{
    (void)peer;
    (void)socket;
}

static void acquirer_closed(struct sim_peer *peer, struct sim_socket *socket)
{
    struct acquirer *acquirer = (struct acquirer *)peer;
    for (uint32_t i = 0; i < TRAFFIC_LINKS; i++) {
        if (acquirer->sockets[i] == socket) {
            acquirer->sockets[i] = NULL;
        }
    }
}

static bool answers(const struct sim_message *answer, const struct sim_message *message)
{
    static const uint8_t same[] = {7, 11, 32, 41};
    char mti[5];
    answer_mti(message->mti, mti);
    if (memcmp(mti, answer->mti, 4) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < sizeof same; i++) {
        uint32_t field = same[i];
        if (message->size[field] != answer->size[field] ||
            memcmp(message->value[field], answer->value[field], answer->size[field]) != 0) {
            return false;
        }
    }
    return true;
}

static void note_answer(struct acquirer *acquirer, const struct sim_message *answer)
{
    acquirer->answers_count++;
    if (strcmp(sim_get(answer, 39), "91") == 0 && strcmp(sim_get(answer, 44), "BUSY") == 0) {
        return; /* not stored: the message is said again */
    }
    if (strcmp(sim_get(answer, 39), "30") == 0) {
        return; /* echoes what could be read: not always enough to find the message */
    }
    for (uint32_t i = acquirer->rows_count; i-- > 0;) {
        struct traffic_row *row = &acquirer->rows[i];
        if (row->state == TRAFFIC_WAITING && answers(answer, &row->message)) {
            row->answer = *answer;
            row->state = TRAFFIC_ANSWERED;
            return;
        }
    }
    for (uint32_t i = 0; i < acquirer->rows_count; i++) {
        if (answers(answer, &acquirer->rows[i].message)) {
            return; /* said more than once */
        }
    }
    acquirer->fault = "an answer that nobody asked for";
}

static void acquirer_received(struct sim_peer *peer, struct sim_socket *socket, const uint8_t *data,
                              uint32_t size)
{
    struct acquirer *acquirer = (struct acquirer *)peer;
    for (uint32_t i = 0; i < TRAFFIC_LINKS; i++) {
        if (acquirer->sockets[i] != socket) {
            continue;
        }
        must(acquirer->bytes_count[i] + size <= sizeof acquirer->bytes[i]);
        memcpy(acquirer->bytes[i] + acquirer->bytes_count[i], data, size);
        acquirer->bytes_count[i] += size;
        struct sim_message answer;
        bool is_whole, ok;
        while ((ok = take(acquirer->bytes[i], &acquirer->bytes_count[i], &answer, &is_whole)) &&
               is_whole) {
            note_answer(acquirer, &answer);
        }
        if (!ok) {
            acquirer->fault = "an answer that cannot be read";
        }
    }
}

void acquirer_create(struct acquirer *acquirer, struct sim_world *world)
{
    memset(acquirer, 0, sizeof *acquirer);
    acquirer->peer = (struct sim_peer){acquirer_opened, acquirer_received, acquirer_closed};
    acquirer->world = world;
}

/* A link that is up, or NULL. */
static struct sim_socket *link_of(struct acquirer *acquirer)
{
    uint32_t i = (uint32_t)dice(acquirer, TRAFFIC_LINKS);
    if (acquirer->sockets[i] == NULL) {
        acquirer->bytes_count[i] = 0;
        acquirer->sockets[i] = sim_peer_connect(acquirer->world, SIM_LISTENER, &acquirer->peer);
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
    sim_set(m, 4, "%012llu",
            (unsigned long long)(units * 100 + cents[dice(acquirer, countof(cents))]));
}

/* Card 0 is the contract's k = 1: right and wrong PIN, right CVV2 of the first three cards. */
static void set_checks(struct acquirer *acquirer, struct sim_message *m, uint32_t card)
{
    static const char *const cvv2[] = {"025", "544", "505"};
    static const uint8_t blocks[3][8] = {{0x11, 0x9D, 0x82, 0xF4, 0x0D, 0xFF, 0x2B, 0x03},
                                         {0x88, 0x3F, 0xD0, 0x0A, 0x21, 0x63, 0x59, 0xA2},
                                         {1, 2, 3, 4, 5, 6, 7, 8}};
    if (dice(acquirer, 6) == 0) {
        sim_set(m, 48, "9203%s", card < 3 && dice(acquirer, 4) != 0 ? cvv2[card] : "999");
    } else if (dice(acquirer, 8) == 0) {
        sim_set(m, 48, "61011");
    }
    if (dice(acquirer, 6) == 0) {
        sim_set_bytes(m, 52, blocks[card == 0 ? dice(acquirer, 3) : 2], 8);
        sim_set(m, 53, "2001010100000000");
    }
}

static void new_request(struct acquirer *acquirer, struct sim_message *m)
{
    static const char *const types[] = {"00", "00", "00", "01", "20", "31", "40"};
    uint32_t card = (uint32_t)dice(acquirer, 3) == 0 ? TRAFFIC_CARDS + (uint32_t)dice(acquirer, 4)
                                                     : (uint32_t)dice(acquirer, TRAFFIC_CARDS);
    const char *type = types[dice(acquirer, countof(types))];
    begin(acquirer, m, dice(acquirer, 2) == 0 ? "0100" : "0200", type, card);
    set_amount(acquirer, m);
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
        say(link, m);
    }
}

static void say_again(struct acquirer *acquirer, uint32_t index)
{
    struct sim_message m = acquirer->rows[index].message;
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
        }
        break;
    default:
        break;
    }
    record(acquirer, &m, (int32_t)index);
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

void acquirer_speak(struct acquirer *acquirer)
{
    struct sim_message m;
    uint32_t recent = acquirer->rows_count < 40 ? acquirer->rows_count : 40;
    uint32_t index = acquirer->rows_count - (recent > 0 ? 1 + (uint32_t)dice(acquirer, recent) : 0);
    const struct sim_message *old = recent > 0 ? &acquirer->rows[index].message : NULL;
    uint64_t kind = dice(acquirer, 20);
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
    } else if (old != NULL && kind == 7 && old->mti[1] != '4') {
        about(acquirer, &m, old, "0200", "20");
    } else if (kind == 8) { /* a reversal before its original */
        new_request(acquirer, &m);
        struct sim_message original = m;
        about(acquirer, &m, &original, "0420", NULL);
        record(acquirer, &m, -1);
        m = original;
    } else if (kind < 12) {
        new_advice(acquirer, &m, old);
    } else if (kind == 12) {
        new_request(acquirer, &m);
        say_garbage(acquirer, &m);
        return;
    } else {
        new_request(acquirer, &m);
    }
    record(acquirer, &m, -1);
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
                say(link, &row->message);
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
