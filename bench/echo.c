/* echo.c - the ceiling: a framing echo on bare io_uring, server and client in this process.
 *
 * DESIGN  The server is a thread on one processor, the client the calling thread on the next. Each
 * message carries the time at which it was made, so the client keeps no table. With --durable the
 * server answers a message only after its record is on the disk: records gather while one write is
 * in flight, and its answers leave when it has ended. */
#include "bench/bench.h"
#include "bench/durable.h"
#include "sims/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_BYTES 256u

struct echo_options {
    int64_t links, depth, size, seconds;
    bool durable, json;
    const char *data, *writer;
};

/* ---- the server ---------------------------------------------------------------------------- */

struct staged { /* an answer that waits for its record */
    uint32_t link, size;
    uint64_t offset;
};
struct batch {
    struct staged *answers;
    uint32_t count;
    uint8_t *bytes;
    uint64_t filled;
};

struct server {
    const struct echo_options *options;
    struct wire wire;
    struct durable durable;
    struct batch batches[2]; /* [gathering] fills, the other is being written */
    uint32_t gathering;
    int listener;
    pthread_t thread;
    char text[TEXT_BYTES];
    _Atomic int state; /* 0 starting, 1 serving, -1 failed: text */
    double cpu_s;
    uint64_t answered_count;
    bool failed;
};

static void answer(struct server *server, struct wire_link *link, const uint8_t *message,
                   uint32_t size)
{
    uint8_t *room = wire_put(&server->wire, link, size);
    if (room != NULL) {
        memcpy(room, message, size);
        server->answered_count++;
    }
}

static void server_frame(struct wire *wire, struct wire_link *link, const uint8_t *message,
                         uint32_t size)
{
    struct server *server = wire->context;
    if (!server->options->durable) {
        answer(server, link, message, size);
        return;
    }
    struct batch *batch = &server->batches[server->gathering];
    memcpy(batch->bytes + batch->filled, message, size);
    batch->answers[batch->count++] = (struct staged){link->index, size, batch->filled};
    batch->filled += size;
    durable_append(&server->durable, message, size);
}

static void server_done(struct wire *wire, uint64_t what, int32_t result)
{
    (void)what;
    struct server *server = wire->context;
    bool failed;
    if (!durable_done(&server->durable, result, &failed)) {
        return;
    }
    server->failed |= failed; /* nobody is answered from a write that failed */
    struct batch *batch = &server->batches[server->gathering ^ 1];
    for (uint32_t i = 0; i < batch->count && !failed; i++) {
        const struct staged *staged = &batch->answers[i];
        answer(server, &wire->links[staged->link], batch->bytes + staged->offset, staged->size);
    }
    batch->count = 0;
    batch->filled = 0;
}

static bool server_open(struct server *server)
{
    const struct echo_options *options = server->options;
    uint32_t links = (uint32_t)options->links;
    uint32_t in_flight = (uint32_t)(options->links * options->depth);
    int *fds = calloc(links, sizeof *fds);
    must(fds != NULL);
    for (uint32_t i = 0; i < links; i++) {
        fds[i] = accept(server->listener, NULL, NULL);
        must(fds[i] >= 0);
    }
    server->wire.context = server;
    server->wire.on_frame = server_frame;
    server->wire.on_done = server_done;
    bool opened =
        wire_open(&server->wire, fds, links, (uint32_t)(options->depth * (options->size + 2)),
                  server->text, sizeof server->text);
    free(fds);
    if (!opened || !options->durable) {
        return opened;
    }
    for (int i = 0; i < 2; i++) {
        server->batches[i].answers = calloc(in_flight, sizeof(struct staged));
        server->batches[i].bytes = malloc((size_t)in_flight * (size_t)options->size);
        must(server->batches[i].answers != NULL && server->batches[i].bytes != NULL);
    }
    return durable_open(&server->durable, &server->wire, options->data, in_flight,
                        strcmp(options->writer, "thread") == 0, server->text, sizeof server->text);
}

static void *server_main(void *argument)
{
    struct server *server = argument;
    machine_pin((int32_t)machine_cpus() - 1);
    machine_go_first(false);
    if (!server_open(server)) {
        atomic_store(&server->state, -1);
        return NULL;
    }
    atomic_store(&server->state, 1);
    while (server->wire.links_open > 0) {
        wire_turn(&server->wire, -1);
        if (server->options->durable && durable_kick(&server->durable)) {
            server->gathering ^= 1;
        }
    }
    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    server->cpu_s = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    return NULL;
}

/* ---- the client ---------------------------------------------------------------------------- */

struct client {
    const struct echo_options *options;
    struct wire wire;
    struct histogram histogram;
    int64_t now_ns, stop_ns;
    uint32_t in_flight;
    bool is_closed;
};

static void say(struct client *client, struct wire_link *link)
{
    uint32_t size = (uint32_t)client->options->size;
    uint8_t *room = wire_put(&client->wire, link, size);
    must(room != NULL);
    memset(room, '0', size);
    memcpy(room, &client->now_ns, sizeof client->now_ns);
    client->in_flight++;
}

static void client_frame(struct wire *wire, struct wire_link *link, const uint8_t *message,
                         uint32_t size)
{
    struct client *client = wire->context;
    int64_t sent_ns;
    must(size == (uint32_t)client->options->size);
    memcpy(&sent_ns, message, sizeof sent_ns);
    client->now_ns = machine_now_ns();
    client->in_flight--;
    if (client->now_ns < client->stop_ns) {
        histogram_add(&client->histogram, client->now_ns - sent_ns);
        say(client, link);
    }
}

static void client_closed(struct wire *wire, struct wire_link *link)
{
    (void)link;
    struct client *client = wire->context;
    client->is_closed = true;
}

static bool client_run(struct client *client, const char *address, struct server *server)
{
    const struct echo_options *options = client->options;
    uint32_t links = (uint32_t)options->links;
    int *fds = calloc(links, sizeof *fds);
    must(fds != NULL);
    for (uint32_t i = 0; i < links; i++) {
        fds[i] = wire_connect(address, server->text, sizeof server->text);
        if (fds[i] < 0) {
            free(fds);
            return false;
        }
    }
    while (atomic_load(&server->state) == 0) {
        (void)usleep(1000);
    }
    client->wire.context = client;
    client->wire.on_frame = client_frame;
    client->wire.on_close = client_closed;
    bool opened =
        atomic_load(&server->state) == 1 &&
        wire_open(&client->wire, fds, links, (uint32_t)(options->depth * (options->size + 2)),
                  server->text, sizeof server->text);
    free(fds);
    if (!opened) {
        return false;
    }
    client->now_ns = machine_now_ns();
    client->stop_ns = client->now_ns + options->seconds * 1000000000;
    for (uint32_t i = 0; i < links; i++) {
        for (int64_t k = 0; k < options->depth; k++) {
            say(client, &client->wire.links[i]);
        }
    }
    while (client->in_flight > 0 && !client->is_closed) {
        wire_turn(&client->wire, -1);
    }
    return !client->is_closed;
}

/* ---- the bench ----------------------------------------------------------------------------- */

static int run(const struct echo_options *options)
{
    static struct server server;
    static struct client client;
    server = (struct server){.options = options};
    client = (struct client){.options = options};
    uint16_t port = 0;
    server.listener = wire_listen("127.0.0.1:0", &port, server.text, sizeof server.text);
    if (server.listener < 0) {
        (void)fprintf(stderr, "ringbench: %s\n", server.text);
        return 2;
    }
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    struct machine_trees trees = {0};
    struct machine_sample from, to;
    must(pthread_create(&server.thread, NULL, server_main, &server) == 0);
    machine_pin(0);
    machine_sample(&trees, &from);
    bool done = client_run(&client, address, &server);
    machine_sample(&trees, &to);
    if (!done || server.failed) {
        (void)fprintf(stderr, "ringbench: %s\n",
                      server.text[0] != 0 ? server.text : "a write did not reach the disk");
        return 2;
    }
    wire_close(&client.wire);
    (void)pthread_join(server.thread, NULL);
    char more[256];
    int size = snprintf(more, sizeof more, "\"links\":%d,\"depth\":%d,\"size\":%d,\"seconds\":%d,",
                        (int)options->links, (int)options->depth, (int)options->size,
                        (int)options->seconds);
    if (options->durable) {
        (void)snprintf(more + size, sizeof more - (size_t)size,
                       "\"writer\":\"%s\",\"direct\":%s,\"writes_per_s\":%.0f,"
                       "\"records_per_write\":%.1f,",
                       options->writer, server.durable.is_direct ? "true" : "false",
                       (double)server.durable.writes_count / (double)options->seconds,
                       (double)server.durable.records_count / (double)server.durable.writes_count);
        durable_close(&server.durable);
    }
    wire_close(&server.wire);
    bench_print(options->durable ? "echo --durable" : "echo", more,
                (double)client.histogram.count / (double)options->seconds, &client.histogram,
                machine_foreign_percent(&from, &to), options->json);
    return 0;
}

int bench_echo(int argc, char **argv)
{
    struct echo_options options = {
        .links = 8, .depth = 32, .size = 200, .seconds = 3, .data = ".", .writer = "thread"};
    const struct option_row rows[] = {
        {"--links", OPTION_NUMBER, &options.links, 1, WIRE_LINKS_MAX, "connections (8)"},
        {"--depth", OPTION_NUMBER, &options.depth, 1, 256, "messages in flight on each (32)"},
        {"--size", OPTION_NUMBER, &options.size, 8, WIRE_FRAME_MAX, "bytes of a message (200)"},
        {"--seconds", OPTION_NUMBER, &options.seconds, 1, 3600, "how long (3)"},
        {"--durable", OPTION_FLAG, &options.durable, 0, 0,
         "answer after a 512-byte record is on the disk"},
        {"--data", OPTION_TEXT, &options.data, 0, 0, "folder of the records (.)"},
        {"--writer", OPTION_TEXT, &options.writer, 0, 0,
         "ring: written by the ring; thread: by a thread (thread)"},
        {"--json", OPTION_FLAG, &options.json, 0, 0, "one JSON object"},
    };
    switch (options_read("ringbench echo", "A framing echo on bare io_uring: the ceiling.", rows,
                         countof(rows), argc, argv)) {
    case OPTIONS_OK:
        return run(&options);
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_WRONG:
        break;
    }
    return 2;
}
