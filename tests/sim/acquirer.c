/* acquirer.c - see traffic.h: what the acquirer hears, and whether repeats are answered alike. */
#include "tests/sim/traffic.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PRINTF(2, 3) static void complain(struct acquirer *acquirer, const char *format, ...)
{
    if (acquirer->fault[0] == '\0') {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(acquirer->fault, sizeof acquirer->fault, format, args);
        va_end(args);
    }
}

static bool same_field(const struct sim_message *a, const struct sim_message *b, uint32_t field)
{
    return a->size[field] == b->size[field] &&
           memcmp(a->value[field], b->value[field], a->size[field]) == 0;
}

/* ---- answers alike ----------------------------------------------------------------------------
 */

static bool is_text(const struct sim_message *answer, uint32_t field, const char *text)
{
    return strcmp(sim_get(answer, field), text) == 0;
}

/* Not stored: the same message is looked at afresh (contract section 6). 96 stands in the place of
 * a 63 here never: nobody sends a MAC. */
static bool is_stored(const struct sim_message *answer)
{
    static const char *const afresh[] = {"30", "12", "63", "94", "21"};
    for (uint32_t i = 0; i < countof(afresh); i++) {
        if (is_text(answer, 39, afresh[i])) {
            return false;
        }
    }
    return !(is_text(answer, 39, "91") && is_text(answer, 44, "BUSY"));
}

/* Of a message and of its repeat, in the fields that a decision has. */
static void compare(struct acquirer *acquirer, const struct sim_message *said,
                    const struct sim_message *a, const struct sim_message *b)
{
    static const uint8_t fields[] = {39, 4, 15, 37, 38, 44, 48, 54};
    if (!is_stored(a) || !is_stored(b)) {
        return;
    }
    acquirer->compared_count++;
    for (uint32_t i = 0; i < sizeof fields; i++) {
        if (!same_field(a, b, fields[i])) {
            complain(acquirer, "%s STAN %s was answered twice, DE%u once \"%s\" and once \"%s\"",
                     said->mti, sim_get(said, 11), fields[i], sim_get(a, fields[i]),
                     sim_get(b, fields[i]));
        }
    }
}

void acquirer_compare_repeats(struct acquirer *acquirer)
{
    for (uint32_t i = 0; i < acquirer->rows_count; i++) {
        const struct traffic_row *row = &acquirer->rows[i];
        bool is_other = row->is_other;
        const struct traffic_row *root = row;
        for (uint32_t steps = 0; root->repeats >= 0 && steps < TRAFFIC_MESSAGES_MAX; steps++) {
            root = &acquirer->rows[root->repeats];
            is_other = is_other || root->is_other;
        }
        if (root != row && !is_other && row->state == TRAFFIC_ANSWERED &&
            root->state == TRAFFIC_ANSWERED) {
            compare(acquirer, &row->message, &root->answer, &row->answer);
        }
    }
}

/* ---- hearing ----------------------------------------------------------------------------------
 */

/* Of what was asked: its echoes are its own. DE4 is another one in a partial approval. */
static bool answers(const struct sim_message *answer, const struct sim_message *message)
{
    static const uint8_t same[] = {2, 3, 7, 11, 12, 13, 32, 41, 42, 49, 90, 95};
    char mti[5];
    sim_answer_mti(message->mti, mti);
    if (memcmp(mti, answer->mti, 4) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < sizeof same; i++) {
        if (!same_field(answer, message, same[i])) {
            return false;
        }
    }
    return (is_text(answer, 39, "10") || same_field(answer, message, 4)) &&
           (message->size[37] == 0 || same_field(answer, message, 37));
}

static void note_answer(struct acquirer *acquirer, const struct sim_message *answer)
{
    bool is_busy = is_text(answer, 39, "91") && is_text(answer, 44, "BUSY");
    acquirer->answers_count++;
    if (!tally_add(acquirer->tally, is_busy ? "BUSY" : sim_get(answer, 39))) {
        complain(acquirer, "DE39 %s is not due: %s STAN %s", sim_get(answer, 39), answer->mti,
                 sim_get(answer, 11));
    }
    if (is_busy) {
        acquirer->busy_count++;
        return; /* not stored: the message is said again */
    }
    if (is_text(answer, 39, "30")) {
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
    for (uint32_t i = acquirer->rows_count; i-- > 0;) { /* it was said more than once */
        const struct traffic_row *row = &acquirer->rows[i];
        if (row->state == TRAFFIC_ANSWERED && answers(answer, &row->message)) {
            compare(acquirer, &row->message, &row->answer, answer);
            return;
        }
    }
    for (uint32_t i = 0; i < acquirer->rows_count; i++) {
        const struct traffic_row *row = &acquirer->rows[i];
        if (row->state == TRAFFIC_LOST && same_field(answer, &row->message, 11)) {
            return; /* damaged on its way, and still a message */
        }
    }
    complain(acquirer, "an answer that nobody asked for: %s STAN %s DE39 %s", answer->mti,
             sim_get(answer, 11), sim_get(answer, 39));
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

static void acquirer_received(struct sim_peer *peer, struct sim_socket *socket, const uint8_t *data,
                              uint32_t size)
{
    struct acquirer *acquirer = (struct acquirer *)peer;
    for (uint32_t i = 0; i < TRAFFIC_LINKS; i++) {
        if (acquirer->sockets[i] != socket) {
            continue;
        }
        sim_stream_add(&acquirer->streams[i], data, size);
        struct sim_message answer;
        enum sim_took took;
        while ((took = sim_stream_take(&acquirer->streams[i], &answer)) == SIM_TOOK_MESSAGE) {
            note_answer(acquirer, &answer);
        }
        if (took == SIM_TOOK_GARBAGE) {
            complain(acquirer, "an answer that cannot be read");
        }
    }
}

void acquirer_listen(struct acquirer *acquirer)
{
    acquirer->peer = (struct sim_peer){acquirer_opened, acquirer_received, acquirer_closed};
}
