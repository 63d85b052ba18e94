/* scheme.c - see scheme.h. One thread.
 *
 * DESIGN  A message is parsed, judged into an action {answer, delay, drop, disconnect}, and
 * answered now or from the list of delayed answers. With --audit every message that came in is a
 * JSON line: what a test needs to know about attempts and reversals. Bound: DELAYED_MAX answers
 * wait; more are dropped, as a scheme under load would. */
#include "sims/scheme.h"

#include "base/clock.h"
#include "sims/message.h"
#include "sims/script.h"
#include "sims/station.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DELAYED_MAX   16384u
#define MESSAGE_BYTES 1024u
#define LATE_MS       5000 /* two seconds after the demo's deadline */

struct delayed {
    int64_t due_ns;
    uint32_t link;
    uint16_t generation;
    uint16_t size;
    uint8_t message[MESSAGE_BYTES];
};

struct scheme {
    const struct scheme_options *options;
    struct iso_dialect *dialect;
    struct station station;
    struct script script;
    FILE *audit;
    uint64_t random;
    uint32_t approval; /* counts up: DE38 */
    struct delayed *delayed;
    uint32_t delayed_count;
    int64_t next_due_ns;
    bool audit_is_dirty;
};

struct action {
    char de39[3];
    bool approves; /* carries DE38 */
    bool drop, disconnect, twice;
    int64_t delay_ms;
    const json_t *set;
};

static volatile sig_atomic_t asked_to_stop;

static void stop(int number)
{
    (void)number;
    asked_to_stop = 1;
}

static int64_t now_ns(void)
{
    return clock_system.boot_ns(clock_system.context);
}

/* splitmix64, public domain construction: one addition, three mixing steps. */
static uint64_t next_random(struct scheme *scheme)
{
    uint64_t z = scheme->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static bool happens(struct scheme *scheme, int64_t percent)
{
    return percent > 0 && next_random(scheme) % 100 < (uint64_t)percent;
}

/* ---- what to do ---------------------------------------------------------------------------- */

static void judge_by_amount(const struct iso_msg *msg, struct action *action)
{
    struct span amount = iso_msg_field(msg, 4);
    if (amount.size != 12) {
        return;
    }
    const uint8_t *last = amount.data + 10;
    if (memcmp(last, "05", 2) == 0) {
        memcpy(action->de39, "05", 2);
        action->approves = false;
    } else if (memcmp(last, "91", 2) == 0) {
        action->drop = true;
    } else if (memcmp(last, "96", 2) == 0) {
        action->delay_ms = LATE_MS;
    }
}

static struct action judge(struct scheme *scheme, const struct iso_msg *msg)
{
    const struct scheme_options *options = scheme->options;
    struct action action = {.de39 = "00"};
    bool is_request = msg->mti[2] == '0' && (msg->mti[1] == '1' || msg->mti[1] == '2');
    struct script_action scripted;
    if (is_request) {
        action.approves = true;
        judge_by_amount(msg, &action);
    }
    if (script_find(&scheme->script, scheme->dialect, msg, &scripted)) {
        action.set = scripted.answer;
        action.drop = scripted.drop;
        action.disconnect = scripted.disconnect;
        action.delay_ms = scripted.delay_ms;
    }
    if (is_request && happens(scheme, options->late_percent)) {
        action.delay_ms = LATE_MS;
    }
    action.drop |= happens(scheme, options->drop_percent);
    action.twice = happens(scheme, options->duplicate_percent);
    action.disconnect |= happens(scheme, options->disconnect_percent);
    return action;
}

/* ---- doing it ------------------------------------------------------------------------------ */

static bool build_answer(struct scheme *scheme, const struct iso_msg *msg,
                         const struct action *action, uint8_t *out, uint32_t *size)
{
    struct iso_draft draft;
    struct iso_layout layout;
    struct iso_fault fault;
    uint8_t header[ISO_HEADER_BYTES_MAX];
    char approval[8], mti[4];
    if (!iso_mti_response(msg->mti, mti)) {
        return false;
    }
    iso_draft_init(&draft, mti);
    iso_draft_text(&draft, 39, action->de39, 2);
    if (action->approves) {
        (void)snprintf(approval, sizeof approval, "S%05u", scheme->approval++ % 100000u);
        iso_draft_text(&draft, 38, approval, 6);
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)action->set, key, member)
    {
        iso_draft_text(&draft, (uint32_t)strtoul(key, NULL, 10), json_string_value(member),
                       (uint32_t)json_string_length(member));
    }
    iso_response(scheme->dialect, msg, &draft, header);
    if (iso_build(scheme->dialect, &draft, out, MESSAGE_BYTES, &layout, &fault) != ISO_OK) {
        (void)fprintf(stderr, "ringsim: answer to %.4s: field %s: %s\n", msg->mti, fault.path,
                      fault.text);
        return false;
    }
    *size = layout.size;
    return true;
}

static void delay(struct scheme *scheme, const struct station_link *link, const uint8_t *message,
                  uint32_t size, int64_t delay_ms)
{
    if (scheme->delayed_count == DELAYED_MAX) {
        return;
    }
    struct delayed *delayed = &scheme->delayed[scheme->delayed_count++];
    *delayed = (struct delayed){.due_ns = now_ns() + delay_ms * NS_PER_MS,
                                .link = link->index,
                                .generation = link->generation,
                                .size = (uint16_t)size};
    memcpy(delayed->message, message, size);
    if (delayed->due_ns < scheme->next_due_ns) {
        scheme->next_due_ns = delayed->due_ns;
    }
}

static void send_delayed(struct scheme *scheme)
{
    int64_t now = now_ns();
    if (now < scheme->next_due_ns) {
        return;
    }
    scheme->next_due_ns = INT64_MAX;
    for (uint32_t i = 0; i < scheme->delayed_count;) {
        struct delayed *delayed = &scheme->delayed[i];
        struct station_link *link = &scheme->station.links[delayed->link];
        if (delayed->due_ns > now) {
            if (delayed->due_ns < scheme->next_due_ns) {
                scheme->next_due_ns = delayed->due_ns;
            }
            i++;
            continue;
        }
        if (link->is_open && link->generation == delayed->generation) {
            (void)station_send(&scheme->station, link,
                               (struct span){delayed->message, delayed->size});
        }
        *delayed = scheme->delayed[--scheme->delayed_count];
    }
}

static void put_field(json_t *line, const char *name, const struct iso_msg *msg, uint32_t de)
{
    struct span value = iso_msg_field(msg, de);
    if (value.size != 0) {
        (void)json_object_set_new(line, name, json_stringn((const char *)value.data, value.size));
    }
}

/* What came in, and what becomes of it: no PAN, no PIN block. */
static void write_audit(struct scheme *scheme, const struct iso_msg *msg,
                        const struct action *action)
{
    if (scheme->audit == NULL) {
        return;
    }
    json_t *line = json_object();
    (void)json_object_set_new(line, "mti", json_stringn(msg->mti, 4));
    put_field(line, "stan", msg, 11);
    put_field(line, "de7", msg, 7);
    put_field(line, "amount", msg, 4);
    put_field(line, "de32", msg, 32);
    put_field(line, "de33", msg, 33);
    put_field(line, "rrn", msg, 37);
    put_field(line, "de38", msg, 38);
    put_field(line, "de39", msg, 39);
    put_field(line, "de90", msg, 90);
    put_field(line, "de95", msg, 95);
    (void)json_object_set_new(line, "answer",
                              json_string(action->disconnect ? "disconnect"
                                          : action->drop     ? "none"
                                          : action->delay_ms ? "late"
                                                             : action->de39));
    if (json_dumpf(line, scheme->audit, JSON_COMPACT) == 0) {
        (void)fputc('\n', scheme->audit);
    }
    scheme->audit_is_dirty = true;
    json_decref(line);
}

static void on_message(struct station *station, struct station_link *link, struct span message)
{
    struct scheme *scheme = station->context;
    struct iso_msg msg;
    struct iso_fault fault;
    uint8_t answer[MESSAGE_BYTES];
    uint32_t size;
    if (iso_parse(scheme->dialect, message, &msg, &fault) != ISO_OK) {
        (void)fprintf(stderr, "ringsim: a message that cannot be read: field %s at %u: %s\n",
                      fault.path, fault.offset, fault.text);
        return;
    }
    if (!iso_mti_is_request(msg.mti)) {
        return;
    }
    struct action action = judge(scheme, &msg);
    write_audit(scheme, &msg, &action);
    if (action.disconnect) {
        station_disconnect(station, link);
        return;
    }
    if (action.drop || !build_answer(scheme, &msg, &action, answer, &size)) {
        return;
    }
    if (action.delay_ms > 0) {
        delay(scheme, link, answer, size, action.delay_ms);
        return;
    }
    (void)station_send(station, link, (struct span){answer, size});
    if (action.twice) {
        (void)station_send(station, link, (struct span){answer, size});
    }
}

/* ---- start and end ------------------------------------------------------------------------- */

static bool open_all(struct scheme *scheme, char *text, size_t text_size)
{
    const struct scheme_options *options = scheme->options;
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    scheme->dialect = iso_dialect_by_name(options->dialect, options->dialects, report);
    if (scheme->dialect == NULL) {
        (void)snprintf(text, text_size, "%s", report->texts[0]);
    }
    free(report);
    if (scheme->dialect == NULL) {
        return false;
    }
    if (options->audit != NULL) {
        scheme->audit = fopen(options->audit, "ae");
        if (scheme->audit == NULL) {
            (void)snprintf(text, text_size, "%s: cannot be written", options->audit);
            return false;
        }
    }
    if (options->script != NULL &&
        !script_read(options->script, &scheme->script, text, text_size)) {
        return false;
    }
    scheme->delayed = calloc(DELAYED_MAX, sizeof *scheme->delayed);
    must(scheme->delayed != NULL);
    scheme->next_due_ns = INT64_MAX;
    scheme->random = (uint64_t)options->seed;
    scheme->station.context = scheme;
    scheme->station.on_message = on_message;
    return station_listen(&scheme->station, options->listen, text, text_size);
}

int scheme_run(const struct scheme_options *options)
{
    static struct scheme scheme;
    char text[320] = "";
    scheme.options = options;
    struct sigaction action = {.sa_handler = stop};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!open_all(&scheme, text, sizeof text)) {
        (void)fprintf(stderr, "ringsim: %s\n", text);
        return 2;
    }
    (void)printf("listening on %s\n", options->listen);
    (void)fflush(stdout);
    while (asked_to_stop == 0) {
        int64_t latest_ns = now_ns() + 200 * NS_PER_MS;
        station_turn(&scheme.station,
                     scheme.next_due_ns < latest_ns ? scheme.next_due_ns : latest_ns);
        send_delayed(&scheme);
        if (scheme.audit_is_dirty) {
            (void)fflush(scheme.audit);
            scheme.audit_is_dirty = false;
        }
    }
    if (scheme.audit != NULL) {
        (void)fclose(scheme.audit);
    }
    scheme.station.io->ops->destroy(scheme.station.io);
    iso_dialect_free(scheme.dialect);
    json_decref(scheme.script.lines);
    free(scheme.delayed);
    free(scheme.station.events);
    for (uint32_t i = 0; i < STATION_LINKS_MAX; i++) {
        free(scheme.station.links[i].carry);
        free(scheme.station.links[i].send[0]);
        free(scheme.station.links[i].send[1]);
    }
    return 0;
}
