/* scheme.c - see scheme.h. */
#include "tests/sim/scheme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void scheme_opened(struct sim_peer *peer, struct sim_socket *socket)
{
    struct scheme *scheme = (struct scheme *)peer;
    for (uint32_t i = 0; i < SCHEME_CONNECTIONS_MAX; i++) {
        if (scheme->connections[i].socket == NULL) {
            scheme->connections[i].socket = socket;
            scheme->connections[i].stream.count = 0;
            return;
        }
    }
    must(!"a connection of a scheme is free");
}

static struct scheme_connection *connection_of(struct scheme *scheme,
                                               const struct sim_socket *socket)
{
    for (uint32_t i = 0; i < SCHEME_CONNECTIONS_MAX; i++) {
        if (scheme->connections[i].socket == socket) {
            return &scheme->connections[i];
        }
    }
    return NULL;
}

static void scheme_closed(struct sim_peer *peer, struct sim_socket *socket)
{
    struct scheme_connection *connection = connection_of((struct scheme *)peer, socket);
    if (connection != NULL) {
        connection->socket = NULL;
    }
}

/* ---- answers ----------------------------------------------------------------------------------
 */

struct answer_to_say {
    struct scheme *scheme;
    struct sim_socket *socket;
    struct sim_message message;
};

static void say_answer(void *context)
{
    struct answer_to_say *answer = context;
    if (connection_of(answer->scheme, answer->socket) != NULL) {
        sim_say(answer->socket, &answer->message);
    }
    free(answer);
}

static void say_after(struct scheme *scheme, struct sim_socket *socket,
                      const struct sim_message *message, int64_t delay_ns)
{
    struct answer_to_say *answer = malloc(sizeof *answer);
    must(answer != NULL);
    *answer = (struct answer_to_say){scheme, socket, *message};
    sim_at(scheme->world, delay_ns, say_answer, answer);
}

/* The demo schemes' script: ….05 declined, ….91 never answered, ….96 two seconds late. */
static void scheme_answer(struct scheme *scheme, struct sim_socket *socket,
                          const struct sim_message *in, struct scheme_row *row)
{
    struct sim_random *random = sim_world_random(scheme->world);
    struct sim_message out = *in;
    static const uint8_t not_echoed[] = {14, 18, 22, 23, 25, 33, 35, 48, 52, 54, 90, 95, 103};
    sim_answer_mti(in->mti, out.mti);
    for (uint32_t i = 0; i < sizeof not_echoed; i++) {
        sim_clear(&out, not_echoed[i]);
    }
    bool is_request = in->mti[1] != '4' && in->mti[2] == '0';
    int cents = is_request ? (int)(row->amount_minor % 100) : 0;
    sim_set(&out, 39, "%s", cents == 5 ? "05" : "00");
    row->approved = is_request && cents != 5;
    if (row->approved) {
        sim_set(&out, 38, "S%05u", scheme->rows_count % 100000);
    }
    if (cents == 91 || (!scheme->is_calm && sim_percent(random, scheme->drop_percent))) {
        return;
    }
    row->answered = cents != 96;
    int64_t delay_ns =
        cents == 96 ? 5 * NS_PER_S : (int64_t)sim_below(random, 400 * (uint64_t)NS_PER_MS);
    say_after(scheme, socket, &out, delay_ns);
    if (!scheme->is_calm && sim_percent(random, scheme->duplicate_percent)) {
        say_after(scheme, socket, &out, delay_ns + (int64_t)sim_below(random, NS_PER_S));
    }
}

/* ---- hearing ----------------------------------------------------------------------------------
 */

static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static void hear(struct scheme *scheme, struct sim_socket *socket, const struct sim_message *in)
{
    must(scheme->rows_count < SCHEME_ROWS_MAX);
    struct scheme_row *row = &scheme->rows[scheme->rows_count++];
    memcpy(row->mti, in->mti, sizeof row->mti);
    copy_text(row->stan, sizeof row->stan, sim_get(in, 11));
    copy_text(row->de7, sizeof row->de7, sim_get(in, 7));
    copy_text(row->rrn, sizeof row->rrn, sim_get(in, 37));
    copy_text(row->de90, sizeof row->de90, sim_get(in, 90));
    row->amount_minor = strtoll(sim_get(in, 4), NULL, 10);
    row->heard_ns = sim_world_now_ns(scheme->world);
    scheme_answer(scheme, socket, in, row);
}

static void scheme_received(struct sim_peer *peer, struct sim_socket *socket, const uint8_t *data,
                            uint32_t size)
{
    struct scheme *scheme = (struct scheme *)peer;
    struct scheme_connection *connection = connection_of(scheme, socket);
    must(connection != NULL);
    sim_stream_add(&connection->stream, data, size);
    struct sim_message in;
    enum sim_took took;
    while ((took = sim_stream_take(&connection->stream, &in)) == SIM_TOOK_MESSAGE) {
        hear(scheme, socket, &in);
    }
    if (took == SIM_TOOK_GARBAGE) {
        scheme->fault = "a scheme was sent what it cannot read";
    }
    struct sim_random *random = sim_world_random(scheme->world);
    if (!scheme->is_calm && sim_below(random, 1000) < scheme->hang_up_permille) {
        sim_peer_close(socket);
    } else if (!scheme->is_calm && sim_percent(random, 1)) {
        static const uint8_t keep_alive[2] = {0, 0};
        sim_peer_send(socket, keep_alive, sizeof keep_alive);
    }
}

void scheme_create(struct scheme *scheme, struct sim_world *world, const char *address)
{
    memset(scheme, 0, sizeof *scheme);
    scheme->peer = (struct sim_peer){scheme_opened, scheme_received, scheme_closed};
    scheme->world = world;
    scheme->address = address;
    scheme->rows = calloc(SCHEME_ROWS_MAX, sizeof *scheme->rows);
    must(scheme->rows != NULL);
    scheme->drop_percent = 2;
    scheme->duplicate_percent = 3;
    scheme->hang_up_permille = 2;
    sim_peer_listen(world, address, &scheme->peer);
}

void scheme_leave(struct scheme *scheme)
{
    sim_peer_unlisten(scheme->world, scheme->address);
    for (uint32_t i = 0; i < SCHEME_CONNECTIONS_MAX; i++) {
        if (scheme->connections[i].socket != NULL) {
            sim_peer_close(scheme->connections[i].socket);
        }
    }
}

void scheme_return(struct scheme *scheme)
{
    sim_peer_listen(scheme->world, scheme->address, &scheme->peer);
}

void scheme_destroy(struct scheme *scheme)
{
    free(scheme->rows);
}

/* ---- asking it --------------------------------------------------------------------------------
 */

const struct scheme_row *scheme_find_request(const struct scheme *scheme, uint32_t stan,
                                             uint64_t de7, uint32_t *count)
{
    const struct scheme_row *found = NULL;
    *count = 0;
    for (uint32_t i = 0; i < scheme->rows_count; i++) {
        const struct scheme_row *row = &scheme->rows[i];
        if (row->mti[1] != '4' && row->mti[2] == '0' && strtoul(row->stan, NULL, 10) == stan &&
            strtoull(row->de7, NULL, 10) == de7) {
            found = row;
            ++*count;
        }
    }
    return found;
}

const struct scheme_row *scheme_find_reversal(const struct scheme *scheme, uint32_t stan,
                                              uint64_t de7)
{
    char wanted[32];
    (void)snprintf(wanted, sizeof wanted, "%06u%010llu", stan % 1000000,
                   (unsigned long long)(de7 % UINT64_C(10000000000)));
    for (uint32_t i = 0; i < scheme->rows_count; i++) {
        const struct scheme_row *row = &scheme->rows[i];
        if (row->mti[1] == '4' && strlen(row->de90) == 42 &&
            memcmp(row->de90 + 4, wanted, 16) == 0) {
            return row;
        }
    }
    return NULL;
}
