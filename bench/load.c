/* load.c - `ringbench load`: a client of many links, in closed loop at a depth or open loop at a
 * rate.
 *
 * DESIGN  One thread on one wire. A request's slot is found by its STAN (modulo the slots of its
 * link). Open loop: message i is due at start + i / rate, whatever the answers do, and its latency
 * counts from then on; a link takes at most WINDOW requests, what is due beyond waits and its
 * waiting counts. Closed loop: an answer makes the next request.
 *
 * Bounds: WIRE_LINKS_MAX links, WINDOW in flight on each (the demo's own bound). */
#include "bench/load.h"

#include "bench/bench.h"
#include "bench/wire.h"
#include "sims/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WINDOW     256u
#define SLOTS      1024u /* of a link: a power of two, several windows */
#define GRACE_NS   INT64_C(6000000000)
#define SPIN_NS    INT64_C(60000) /* a sleep is not worth less */
#define SEND_BYTES (WINDOW * LOAD_FRAME_MAX)

struct options {
    const char *connect, *mix, *dialects;
    struct option_texts expect, own;
    int64_t links, rate, depth, seconds, warmup, cards, first_card, cpu;
    bool json;
};

struct slot {
    int64_t due_ns; /* 0 = free */
    uint32_t stan;
};
struct load_link {
    struct slot slots[SLOTS];
    uint32_t stan;
    uint32_t in_flight;
    uint8_t terminal[8];
};

struct load {
    const struct options *options;
    struct wire wire;
    struct load_mix mix;
    struct load_link *links;
    struct load_stamp stamp;
    struct histogram histogram;
    uint8_t rrn[12]; /* four characters of this run, eight digits of the message */
    int64_t now_ns, start_ns, stop_ns, stamp_ns;
    uint64_t sent_count, answered_count, unknown_count;
    uint64_t answers[256 * 256 / 4]; /* by DE39, see answer_index() */
    uint64_t next_card, turn;
    uint32_t weight_at;
    uint32_t in_flight;
    uint32_t links_lost;
};

static uint32_t answer_index(const uint8_t de39[2])
{
    return ((de39[0] & 0x7Fu) << 7 | (de39[1] & 0x7Fu)) & 0x3FFFu;
}

/* ---- a request ----------------------------------------------------------------------------- */

static void count_up(uint8_t *digits, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        if (digits[i] != '9') {
            digits[i]++;
            return;
        }
        digits[i] = '0';
    }
}

static const struct load_template *next_template(struct load *load)
{
    uint32_t at = load->weight_at;
    load->weight_at = at + 1 == load->mix.weight_sum ? 0 : at + 1;
    for (uint32_t i = 0;; i++) {
        if (at < load->mix.templates[i].weight) {
            return &load->mix.templates[i];
        }
        at -= load->mix.templates[i].weight;
    }
}

/* False: the link is full. */
static bool say(struct load *load, uint32_t index, int64_t due_ns)
{
    struct load_link *link = &load->links[index];
    if (link->in_flight == WINDOW || load->wire.links[index].is_closed) {
        return false;
    }
    uint32_t stan = link->stan;
    do { /* a straggler may still hold its slot */
        stan = stan == 999999 ? 1 : stan + 1;
    } while (link->slots[stan % SLOTS].due_ns != 0);
    const struct load_template *template = next_template(load);
    uint8_t *at = wire_put(&load->wire, &load->wire.links[index], template->size);
    if (at == NULL) {
        return false;
    }
    link->stan = stan;
    link->slots[stan % SLOTS] = (struct slot){.due_ns = due_ns, .stan = stan};
    link->in_flight++;
    load->in_flight++;
    load->sent_count++;
    memcpy(at, template->message, template->size);
    bytes_put_number(at + template->stan, 6, stan);
    if (template->has_card) {
        load_card_pan(load->next_card, at + template->pan);
        load->next_card++;
        if (load->next_card == (uint64_t)(load->options->first_card + load->options->cards)) {
            load->next_card = (uint64_t)load->options->first_card;
        }
    }
    if (template->de7 != 0) {
        memcpy(at + template->de7, load->stamp.de7, 10);
    }
    if (template->de12 != 0) {
        memcpy(at + template->de12, load->stamp.de12, 6);
    }
    if (template->de13 != 0) {
        memcpy(at + template->de13, load->stamp.de13, 4);
    }
    if (template->rrn != 0) {
        count_up(load->rrn + 4, 8);
        memcpy(at + template->rrn, load->rrn, 12);
    }
    if (template->terminal != 0) {
        memcpy(at + template->terminal, link->terminal, 8);
    }
    return true;
}

/* ---- an answer ----------------------------------------------------------------------------- */

static void on_frame(struct wire *wire, struct wire_link *wire_link, const uint8_t *message,
                     uint32_t size)
{
    struct load *load = wire->context;
    struct load_link *link = &load->links[wire_link->index];
    uint32_t stan;
    uint8_t de39[2];
    load->now_ns = machine_now_ns();
    if (!load_answer_read(message, size, &stan, de39) || link->slots[stan % SLOTS].due_ns == 0 ||
        link->slots[stan % SLOTS].stan != stan) {
        load->unknown_count++;
        return;
    }
    struct slot *slot = &link->slots[stan % SLOTS];
    int64_t latency_ns = load->now_ns - slot->due_ns;
    slot->due_ns = 0;
    link->in_flight--;
    load->in_flight--;
    load->answers[answer_index(de39)]++;
    if (load->now_ns < load->stop_ns) {
        if (load->now_ns >= load->start_ns) {
            load->answered_count++;
            histogram_add(&load->histogram, latency_ns);
        }
        if (load->options->rate == 0) {
            (void)say(load, wire_link->index, load->now_ns);
        }
    }
}

static void on_close(struct wire *wire, struct wire_link *wire_link)
{
    struct load *load = wire->context;
    struct load_link *link = &load->links[wire_link->index];
    load->in_flight -= link->in_flight;
    link->in_flight = 0;
    load->links_lost++;
}

/* ---- running ------------------------------------------------------------------------------- */

static void refresh(struct load *load)
{
    load->now_ns = machine_now_ns();
    if (load->now_ns - load->stamp_ns > 100000000) {
        load->stamp_ns = load->now_ns;
        load_stamp_now(&load->stamp);
    }
}

static void run_closed(struct load *load)
{
    for (int64_t depth = 0; depth < load->options->depth; depth++) {
        for (uint32_t i = 0; i < load->wire.links_count; i++) {
            (void)say(load, i, load->now_ns);
        }
    }
    while (load->now_ns < load->stop_ns && load->wire.links_open > 0) {
        wire_turn(&load->wire, load->stop_ns - load->now_ns + 1);
        refresh(load);
    }
}

/* Sends everything that is due; returns when the next one is. */
static int64_t send_due(struct load *load, double gap_ns, uint64_t *number, int64_t from_ns)
{
    for (;;) {
        int64_t due_ns = from_ns + (int64_t)((double)*number * gap_ns);
        if (due_ns > load->now_ns || due_ns >= load->stop_ns) {
            return due_ns;
        }
        uint32_t tried = 0;
        bool sent = false;
        while (!sent && tried < load->wire.links_count) {
            uint32_t index = (uint32_t)(load->turn++ % load->wire.links_count);
            sent = say(load, index, due_ns);
            tried++;
        }
        if (!sent) {
            return load->stop_ns; /* every window is full: an answer makes room */
        }
        ++*number;
    }
}

static void run_open(struct load *load, int64_t from_ns)
{
    double gap_ns = 1e9 / (double)load->options->rate;
    uint64_t number = 0;
    while (load->now_ns < load->stop_ns && load->wire.links_open > 0) {
        int64_t due_ns = send_due(load, gap_ns, &number, from_ns);
        int64_t wait_ns = due_ns - load->now_ns;
        wire_turn(&load->wire, wait_ns < SPIN_NS ? 0 : wait_ns - SPIN_NS / 2);
        refresh(load);
    }
}

static void collect(struct load *load)
{
    int64_t give_up_ns = load->now_ns + GRACE_NS;
    while (load->in_flight > 0 && load->now_ns < give_up_ns && load->wire.links_open > 0) {
        wire_turn(&load->wire, give_up_ns - load->now_ns + 1);
        refresh(load);
    }
}

/* ---- expectations and the report ----------------------------------------------------------- */

/* "39=00:99%": at least that share of the answers; without a share, all of them. */
static bool is_expected(const struct load *load, const char *text)
{
    if (strncmp(text, "39=", 3) != 0 || strlen(text) < 5) {
        (void)fprintf(stderr, "ringbench: --expect %s: write 39=00 or 39=00:99%%\n", text);
        return false;
    }
    double percent = 100;
    if (text[5] == ':') {
        percent = strtod(text + 6, NULL);
    }
    uint64_t all = load->in_flight;
    for (size_t i = 0; i < countof(load->answers); i++) {
        all += load->answers[i];
    }
    uint64_t those = load->answers[answer_index((const uint8_t *)text + 3)];
    double share = all == 0 ? 0 : 100.0 * (double)those / (double)all;
    if (share + 1e-9 < percent) {
        (void)fprintf(stderr, "ringbench: expected %s, had %.3f%% (%llu of %llu)\n", text, share,
                      (unsigned long long)those, (unsigned long long)all);
        return false;
    }
    return true;
}

static size_t put_answers(const struct load *load, char *out, size_t out_size)
{
    size_t size = 0;
    for (size_t i = 0; i < countof(load->answers) && size + 64 < out_size; i++) {
        if (load->answers[i] != 0) {
            size += (size_t)snprintf(out + size, out_size - size, "%s\"%c%c\":%llu",
                                     size == 0 ? "" : ",", (int)(i >> 7), (int)(i & 0x7F),
                                     (unsigned long long)load->answers[i]);
        }
    }
    out[size] = 0;
    return size;
}

static bool report(const struct load *load, double cpu_s, double foreign_percent)
{
    const struct options *options = load->options;
    char answers[2048], more[4096];
    (void)put_answers(load, answers, sizeof answers);
    double client_ns = load->sent_count == 0 ? 0 : cpu_s * 1e9 / (double)load->sent_count;
    (void)snprintf(more, sizeof more,
                   "\"links\":%d,\"depth\":%d,\"rate\":%d,\"seconds\":%d,\"sent\":%llu,"
                   "\"unanswered\":%u,\"unknown\":%llu,\"links_lost\":%u,\"de39\":{%s},"
                   "\"client_ns\":%.0f,",
                   (int)options->links, (int)options->depth, (int)options->rate,
                   (int)options->seconds, (unsigned long long)load->sent_count, load->in_flight,
                   (unsigned long long)load->unknown_count, load->links_lost, answers, client_ns);
    bench_print("load", more, (double)load->answered_count / (double)options->seconds,
                &load->histogram, foreign_percent, options->json);
    if (!options->json) {
        printf("%-16s %12llu\n%-16s %12u\n%-16s %12.0f\nde39 {%s}\n", "sent",
               (unsigned long long)load->sent_count, "unanswered", load->in_flight, "client_ns",
               client_ns, answers);
    }
    bool good = load->links_lost == 0;
    for (uint32_t i = 0; i < options->expect.count; i++) {
        good = is_expected(load, options->expect.texts[i]) && good;
    }
    return good;
}

/* ---- start --------------------------------------------------------------------------------- */

static bool connect_links(struct load *load, char *text, size_t text_size)
{
    uint32_t count = (uint32_t)load->options->links;
    int *fds = calloc(count, sizeof *fds);
    load->links = calloc(count, sizeof *load->links);
    must(fds != NULL && load->links != NULL);
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = wire_connect(load->options->connect, text, text_size);
        if (fds[i] < 0) {
            free(fds);
            return false;
        }
        load->links[i].terminal[0] = 'L';
        bytes_put_number(load->links[i].terminal + 1, 7, i);
    }
    load->wire.context = load;
    load->wire.on_frame = on_frame;
    load->wire.on_close = on_close;
    bool opened = wire_open(&load->wire, fds, count, SEND_BYTES, text, text_size);
    free(fds);
    return opened;
}

/* Runs of one machine do not meet: RRNs begin with the start's second in base 36. */
static void start_rrn(struct load *load)
{
    uint64_t seconds = (uint64_t)time(NULL);
    for (uint32_t i = 4; i-- > 0;) {
        load->rrn[i] = (uint8_t) "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[seconds % 36];
        seconds /= 36;
    }
    memset(load->rrn + 4, '0', 8);
}

static int run(const struct options *options)
{
    static struct load load;
    char text[320];
    struct machine_trees trees = {0};
    for (uint32_t i = 0; i < options->own.count && trees.count < MACHINE_TREES_MAX; i++) {
        trees.roots[trees.count++] = (int32_t)strtol(options->own.texts[i], NULL, 10);
    }
    load = (struct load){.options = options, .next_card = (uint64_t)options->first_card};
    if (!load_mix_read(options->mix, options->dialects, &load.mix, text, sizeof text) ||
        !connect_links(&load, text, sizeof text)) {
        (void)fprintf(stderr, "ringbench: %s\n", text);
        return 2;
    }
    start_rrn(&load);
    machine_pin((int32_t)options->cpu);
    struct machine_sample from, to;
    machine_sample(&trees, &from);
    refresh(&load);
    int64_t from_ns = load.now_ns;
    load.start_ns = from_ns + options->warmup * 1000000000;
    load.stop_ns = load.start_ns + options->seconds * 1000000000;
    if (options->rate == 0) {
        run_closed(&load);
    } else {
        run_open(&load, from_ns);
    }
    machine_sample(&trees, &to);
    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    collect(&load);
    bool good = report(&load, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9,
                       machine_foreign_percent(&from, &to));
    wire_close(&load.wire);
    free(load.links);
    free(load.mix.templates);
    return good ? 0 : 1;
}

int bench_load(int argc, char **argv)
{
    struct options options = {.connect = "127.0.0.1:8583",
                              .dialects = "conf/dialects",
                              .links = 8,
                              .seconds = 3,
                              .cards = 250,
                              .first_card = 1,
                              .cpu = 0};
    const struct option_row rows[] = {
        {"--connect", OPTION_TEXT, &options.connect, 0, 0, "IP:PORT (127.0.0.1:8583)"},
        {"--links", OPTION_NUMBER, &options.links, 1, WIRE_LINKS_MAX, "connections (8)"},
        {"--rate", OPTION_NUMBER, &options.rate, 1, 100000000, "open loop: requests a second"},
        {"--depth", OPTION_NUMBER, &options.depth, 1, WINDOW, "closed loop: in flight on a link"},
        {"--seconds", OPTION_NUMBER, &options.seconds, 1, 86400, "how long (3)"},
        {"--warmup", OPTION_NUMBER, &options.warmup, 0, 3600, "seconds before it counts (0)"},
        {"--mix", OPTION_TEXT, &options.mix, 0, 0, "messages: JSON lines with a weight"},
        {"--cards", OPTION_NUMBER, &options.cards, 1, 999999999, "cards, by turns (250)"},
        {"--first-card", OPTION_NUMBER, &options.first_card, 1, 999999999, "the first (1)"},
        {"--expect", OPTION_TEXTS, &options.expect, 0, 0, "39=00:99%: a share of the answers"},
        {"--own", OPTION_TEXTS, &options.own, 0, 0, "process whose tree is not foreign load"},
        {"--dialects", OPTION_TEXT, &options.dialects, 0, 0, "folders of dialects"},
        {"--cpu", OPTION_NUMBER, &options.cpu, -1, 4095,
         "processor of the client (0: the daemon takes the last ones)"},
        {"--json", OPTION_FLAG, &options.json, 0, 0, "one JSON object"},
    };
    switch (options_read("ringbench load", "Requests over many links, counted and timed.", rows,
                         countof(rows), argc, argv)) {
    case OPTIONS_OK:
        break;
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_WRONG:
        return 2;
    }
    if ((options.rate == 0) == (options.depth == 0)) {
        (void)fprintf(stderr, "ringbench load: give either --rate or --depth\n");
        return 2;
    }
    return run(&options);
}
