/* fixture.c - see fixture.h. */
#include "tests/switch/fixture.h"

#include "base/mem.h"
#include "iso8583/parse.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- doubles
 * ------------------------------------------------------------------------------------- */

void rules_screen(const struct rules *rules, const struct rule_facts *facts,
                  const struct rule_lookup *lookup, struct rule_outcome *out)
{
    (void)lookup;
    *out = rules->outcome;
    if (facts->card_is_on_us) {
        out->is_on_us = true;
        out->routes_count = 0;
    }
}

uint64_t rules_id(const struct rules *rules)
{
    (void)rules;
    return 77;
}

static int64_t boot_ns(void *context)
{
    return ((struct fixture *)context)->boot_ns;
}

static int64_t wall_ns(void *context)
{
    struct fixture *f = context;
    return f->wall_ns + f->boot_ns;
}

static uint64_t ref_renew(struct ledger_ref_reader *reader)
{
    return ((struct fixture *)((char *)reader - offsetof(struct fixture, ref)))->ref_batch;
}

static bool ref_card(struct ledger_ref_reader *reader, const struct ledger_card_key *key,
                     struct ledger_ref_card *card)
{
    struct fixture *f = (struct fixture *)((char *)reader - offsetof(struct fixture, ref));
    (void)key;
    *card = f->card;
    return f->has_card;
}

static bool ref_listed(struct ledger_ref_reader *reader, const char *list, const void *key,
                       uint32_t key_size)
{
    (void)reader, (void)list, (void)key, (void)key_size;
    return false;
}

static struct fixture *of_hsm(const struct hsm_client *client)
{
    return (struct fixture *)((char *)(uintptr_t)client - offsetof(struct fixture, hsm));
}

static bool hsm_take(struct hsm_client *client, const struct hsm_job *job)
{
    struct fixture *f = of_hsm(client);
    if (f->hsm_is_down || f->jobs_count == countof(f->jobs)) {
        return false;
    }
    f->jobs[f->jobs_count++] = *job;
    return true;
}

static void hsm_flushed(struct hsm_client *client)
{
    (void)client;
}

static uint32_t hsm_results(struct hsm_client *client, struct hsm_result *results,
                            uint32_t results_max, int64_t now_ns)
{
    struct fixture *f = of_hsm(client);
    (void)now_ns;
    uint32_t count = f->results_count < results_max ? f->results_count : results_max;
    memcpy(results, f->results, count * sizeof *results);
    f->results_count = 0;
    return count;
}

static int64_t hsm_until(const struct hsm_client *client)
{
    (void)client;
    return INT64_MAX;
}

static bool hsm_waits(struct hsm_client *client)
{
    return of_hsm(client)->results_count > 0;
}

static int hsm_fd(const struct hsm_client *client)
{
    (void)client;
    return -1;
}

static void crash_point(void *context, const char *name)
{
    struct fixture *f = context;
    if (f->crashed_count < countof(f->crashed)) {
        f->crashed[f->crashed_count++] = name;
    }
}

/* ---- life
 * ------------------------------------------------------------------------------------------ */

static void init_endpoint(struct fixture *f, uint32_t index, const char *name)
{
    struct worker_endpoint *endpoint = &f->endpoints[index];
    (void)snprintf(endpoint->name, sizeof endpoint->name, "%s", name);
    must(io_address_parse("127.0.0.1:9001", &endpoint->address));
    endpoint->dialect = f->dialect;
    endpoint->framing = f->listener.framing;
    endpoint->adapter = adapter_at(ADAPTER_ISO_HOST);
    endpoint->party = 1;
    endpoint->window = 256;
    (void)snprintf(endpoint->institution, sizeof endpoint->institution, "990001");
    endpoint->connect_ns = NS_PER_S;
    endpoint->answer_ns = 3 * NS_PER_S;
    endpoint->repeat_ns = 5 * NS_PER_S;
}

/* Cipher contexts cannot be given back: made once, before any mark. */
static struct hsm_card_keys *card_keys;
static struct hsm_seal *seal;

static void make_keys(void)
{
    static struct hsm_data_keys keys;
    for (uint32_t i = 0; i < HSM_DATA_KEY_BYTES; i++) {
        keys.card_index[0].bytes[i] = (uint8_t)i;
        keys.data[0].bytes[i] = (uint8_t)(i * 3);
    }
    keys.card_index[0].id = keys.data[0].id = 1;
    card_keys = hsm_card_keys_create(&keys);
    seal = hsm_seal_create(&keys, 1);
    cr_assert(card_keys != NULL && seal != NULL);
}

static void init_options(struct fixture *f)
{
    static const struct ledger_ref_ops ref_ops = {
        .renew = ref_renew, .card = ref_card, .listed = ref_listed};
    static const struct hsm_client_ops hsm_ops = {hsm_take,  hsm_flushed, hsm_results,
                                                  hsm_until, hsm_waits,   hsm_fd};
    f->ref.ops = &ref_ops;
    f->hsm.ops = &hsm_ops;
    f->options = (struct worker_options){
        .workers_count = 1,
        .txns_max = 32,
        .links_max = 8,
        .seed = 7,
        .journal_slow_ns = 250 * NS_PER_MS,
        .hsm_deadline_ns = 500 * NS_PER_MS,
        .issuer = {.bins = {"990001"}, .bins_count = 1, .currency = 398, .cvk = 2, .pvk = 3},
        .listeners = &f->listener,
        .parties = f->parties,
        .endpoints = f->endpoints,
        .listeners_count = 1,
        .parties_count = 2,
        .endpoints_count = 1,
        .port = &f->port,
        .ledger_board = &f->ledger_board,
        .hash_key = f->hash_key,
        .ref = &f->ref,
        .hsm = &f->hsm,
        .card_keys = card_keys,
        .seal = seal,
        .rules = &f->rules_now,
        .board = &f->board,
        .metrics = metric_block_create("test"),
        .crash_point = crash_point,
        .crash_context = f};
}

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    if (seal == NULL) {
        make_keys();
    }
    f->mark = mem_mark();
    f->boot_ns = 1000 * NS_PER_S;
    f->wall_ns = INT64_C(1795230000) * NS_PER_S - f->boot_ns; /* 21 November 03:00:00 UTC */
    struct iso_report report = {.count = 0};
    f->dialect = iso_dialect_by_name("iso87-ascii", RS_DIALECTS, &report);
    cr_assert(f->dialect != NULL, "%s", report.texts[0]);
    must(iso_framing_by_name("binary2", &f->listener.framing));
    f->listener.framing.size_max = LIMIT_FRAME_BYTES_MAX;
    must(io_address_parse("127.0.0.1:8583", &f->listener.address));
    f->listener.dialect = f->dialect;
    (void)snprintf(f->parties[0].name, sizeof f->parties[0].name, "acquirer");
    (void)snprintf(f->parties[1].name, sizeof f->parties[1].name, "demo-a");
    f->parties[0].window = f->parties[1].window = 256;
    f->parties[0].zone_pin_key = 1;
    f->parties[1].zone_pin_key = HSM_NO_KEY;
    init_endpoint(f, 0, "demo-a");
    init_endpoint(f, 1, "demo-b");
    f->rules.outcome = (struct rule_outcome){.routes_count = 1};
    f->rules_now = &f->rules;
    f->ref_batch = 100;
    f->port.commands = ring_init(mem_take(MEM_PLAIN, ring_bytes(1u << 18), "commands"), 1u << 18);
    f->port.verdicts = ring_init(mem_take(MEM_PLAIN, ring_bytes(1u << 18), "verdicts"), 1u << 18);
    f->port.credits = FIXTURE_CREDITS;
    init_options(f);
    f->io = fake_io_create();
}

void fixture_serve(struct fixture *f)
{
    struct clock_source source = {boot_ns, wall_ns, f};
    f->worker = worker_create(&f->options);
    thread_init(&f->thread, "worker", &source);
    f->thread.io = &f->io->io;
    thread_add(&f->thread, worker_agent(f->worker));
    f->thread.bell.io = f->thread.io;
    worker_serve(f->worker);
    fixture_run(f);
}

void fixture_end(struct fixture *f)
{
    fake_io_destroy(f->io);
    iso_dialect_free(f->dialect);
    mem_release_to(f->mark);
}

void fixture_run(struct fixture *f)
{
    f->thread.agents[0]->io = f->thread.io;
    for (uint32_t i = 0; i < 100; i++) {
        if (thread_round(&f->thread, 0) == 0) {
            return;
        }
    }
    cr_assert_fail("the worker never comes to rest");
}

void fixture_advance(struct fixture *f, int64_t ns)
{
    for (int64_t step_ns = 20 * NS_PER_MS; ns > 0; ns -= step_ns) {
        step_ns = step_ns < ns ? step_ns : ns;
        f->boot_ns += step_ns;
        fixture_run(f);
    }
}

int32_t fixture_client(struct fixture *f)
{
    int32_t listener = 0;
    while (!f->io->sockets[listener].is_listener) {
        listener++;
    }
    int32_t socket = fake_arrive(f->io, listener);
    fixture_run(f);
    return socket;
}

int32_t fixture_scheme(struct fixture *f)
{
    return f->io->last_connect;
}

/* ---- messages
 * ---------------------------------------------------------------------------------------- */

uint32_t fixture_bytes(const char *hex, uint8_t *out, uint32_t out_size)
{
    size_t size;
    cr_assert(bytes_from_hex(hex, strlen(hex), out, out_size, &size));
    return (uint32_t)size;
}

static uint32_t build(struct fixture *f, uint8_t *out, const char *mti, va_list fields)
{
    struct iso_draft draft;
    uint8_t binary[64][256];
    uint32_t used = 0;
    iso_draft_init(&draft, mti);
    for (const char *de = va_arg(fields, const char *); de != NULL;
         de = va_arg(fields, const char *)) {
        const char *value = va_arg(fields, const char *);
        uint32_t number = (uint32_t)strtoul(de, NULL, 10);
        if (value == NULL) {
            iso_draft_remove(&draft, number);
        } else if (value[0] == '#') {
            uint32_t size = fixture_bytes(value + 1, binary[used], sizeof binary[used]);
            iso_draft_text(&draft, number, binary[used++], size);
        } else {
            iso_draft_text(&draft, number, value, (uint32_t)strlen(value));
        }
    }
    struct iso_layout layout;
    struct iso_fault fault;
    enum iso_err err =
        iso_build(f->dialect, &draft, out + 2, LIMIT_FRAME_BYTES_MAX, &layout, &fault);
    cr_assert_eq(err, ISO_OK, "%s: %s", fault.path, fault.text);
    store_be16(out, (uint16_t)layout.size);
    return layout.size + 2;
}

uint32_t fixture_message(struct fixture *f, uint8_t *out, const char *mti, ...)
{
    va_list fields;
    va_start(fields, mti);
    uint32_t size = build(f, out, mti, fields);
    va_end(fields);
    return size;
}

uint32_t fixture_purchase(struct fixture *f, uint8_t *out, const char *mti, const char *stan)
{
    return fixture_message(f, out, mti, "2", "9900010000000019", "3", "000000", "4", "000000010000",
                           "7", "1121030000", "11", stan, "12", "080000", "13", "1121", "32",
                           "123456", "37", "632503000001", "41", "TERM0001", "42",
                           "MERCHANT0000001", "49", "398", NULL);
}

void fixture_send(struct fixture *f, int32_t socket, const uint8_t *frame, uint32_t size)
{
    fake_receive(f->io, socket, frame, size);
    fixture_run(f);
}

bool fixture_answer(struct fixture *f, int32_t socket)
{
    uint8_t prefix[2];
    if (fake_take(f->io, socket, prefix, 2) == 0) {
        return false;
    }
    uint32_t size = load_be16(prefix);
    cr_assert_eq(fake_take(f->io, socket, f->frame, size), size);
    struct iso_fault fault;
    enum iso_err err = iso_parse(f->dialect, (struct span){f->frame, size}, &f->msg, &fault);
    cr_assert_eq(err, ISO_OK, "%s: %s", fault.path, fault.text);
    return true;
}

const char *fixture_field(struct fixture *f, uint32_t de)
{
    static char texts[8][1024];
    static uint32_t next;
    char *text = texts[next++ % 8];
    size_t size = 0;
    if (!iso_msg_text(f->dialect, &f->msg, de, text, 1023, &size)) {
        size = 0;
    }
    text[size] = 0;
    return text;
}

char *fixture_mti(struct fixture *f)
{
    static char text[5];
    memcpy(text, f->msg.mti, 4);
    return text;
}

/* ---- the shard
 * ----------------------------------------------------------------------------------------- */

bool fixture_command(struct fixture *f)
{
    uint32_t size;
    const void *record = ring_peek(f->port.commands, &size);
    if (record == NULL) {
        return false;
    }
    memcpy(&f->header, record, sizeof f->header);
    cr_assert_eq(f->header.size, size);
    if (f->header.kind == LEDGER_OUTCOME || f->header.kind == LEDGER_TIMEOUT) {
        memcpy(&f->outcome, record, sizeof f->outcome);
    } else if (f->header.kind == LEDGER_PULL || f->header.kind == LEDGER_RESOLVED) {
        memcpy(&f->saf, record, sizeof f->saf);
    } else {
        memset(&f->command, 0, sizeof f->command);
        memcpy(&f->command, record, size);
    }
    ring_next(f->port.commands);
    ring_release(f->port.commands);
    return true;
}

void fixture_verdict(struct fixture *f, enum ledger_verdict_kind kind, const void *body,
                     uint32_t body_size)
{
    uint32_t size = (uint32_t)sizeof(struct ledger_verdict) + body_size;
    struct ledger_verdict *verdict = ring_reserve(f->port.verdicts, size);
    cr_assert(verdict != NULL);
    *verdict = (struct ledger_verdict){.size = size,
                                       .kind = (uint16_t)kind,
                                       .command = f->header.kind,
                                       .slot = f->header.slot,
                                       .generation = f->header.generation};
    if (body_size > 0) {
        memcpy(verdict + 1, body, body_size);
    }
    ring_publish(f->port.verdicts);
    fixture_run(f);
}

void fixture_reply(struct fixture *f, const struct ledger_reply *reply)
{
    fixture_verdict(f, LEDGER_VERDICT_REPLY, reply, sizeof *reply);
}

void fixture_approve(struct fixture *f)
{
    struct ledger_reply reply = {
        .settlement_date = 1121, .currency = 398, .de39 = "00", .de38 = "A1B2C3", .has_de38 = 1};
    fixture_reply(f, &reply);
}

void fixture_decline(struct fixture *f, const char *de39)
{
    struct ledger_reply reply = {.currency = 398};
    memcpy(reply.de39, de39, 2);
    fixture_reply(f, &reply);
}

void fixture_forward(struct fixture *f, uint32_t stan)
{
    struct ledger_forward forward = {
        .txn = 4711, .de7 = 1121030001, .stan = stan, .attempt = 1, .endpoint = 0};
    memcpy(forward.rrn, f->command.request.rrn, sizeof forward.rrn);
    fixture_verdict(f, LEDGER_VERDICT_FORWARD, &forward, sizeof forward);
}
