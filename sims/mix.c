/* mix.c - plays the steps of a file, one after the other, and prints what happened as a table. */
#include "sims/mix_internal.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SETTLE_MS 20000

static int64_t now_ns(void)
{
    return clock_system.boot_ns(clock_system.context);
}

static void pause_ms(int64_t milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * NS_PER_MS};
    (void)nanosleep(&time, NULL);
}

/* ---- one step ------------------------------------------------------------------------------ */

static struct caller *caller_of(struct mix *mix, const struct mix_step *step)
{
    int64_t link = json_integer_value(json_object_get(step->row, "link"));
    return &mix->callers[link == 2 ? 1 : 0];
}

/* The answer with the request's STAN; others that are due on this link are an error. */
static void hear(struct mix *mix, struct mix_step *step, const struct mix_step *request)
{
    struct span message;
    bool wants_silence = json_is_true(json_object_get(step->row, "silence"));
    json_t *within = json_object_get(step->row, "within_ms");
    int64_t timeout_ms = within == NULL ? MIX_ANSWER_MS : json_integer_value(within);
    switch (caller_hear(caller_of(mix, request), timeout_ms, &message)) {
    case CALLER_MESSAGE:
        break;
    case CALLER_SILENCE:
        (void)snprintf(step->decision, sizeof step->decision, "none");
        if (!wants_silence) {
            mix_problem(step, "no answer within %lld ms", (long long)timeout_ms);
        }
        return;
    case CALLER_GONE:
        mix_problem(step, "the connection was closed");
        return;
    }
    step->took_us = (now_ns() - request->sent_ns) / NS_PER_US;
    step->answer_size = message.size < sizeof step->answer ? message.size : sizeof step->answer;
    memcpy(step->answer, message.data, step->answer_size);
    if (wants_silence) {
        mix_problem(step, "an answer came");
    }
    mix_check_answer(mix, step, request);
}

static void say_and_hear(struct mix *mix, struct mix_step *step)
{
    step->sent_ns = now_ns();
    if (!caller_say(caller_of(mix, step), (struct span){step->sent, step->sent_size})) {
        mix_problem(step, "the connection is gone");
        return;
    }
    if (json_is_true(json_object_get(step->row, "later"))) {
        (void)snprintf(step->decision, sizeof step->decision, "...");
        return;
    }
    hear(mix, step, step);
}

static void play_message(struct mix *mix, struct mix_step *step)
{
    if (!mix_build(mix, step)) {
        return;
    }
    if (json_is_true(json_object_get(step->row, "unsent"))) {
        (void)snprintf(step->decision, sizeof step->decision, "unsent");
        return;
    }
    say_and_hear(mix, step);
}

/* The very bytes of a step that was built and not sent. */
static void play_delivery(struct mix *mix, struct mix_step *step)
{
    const char *name = json_string_value(json_object_get(step->row, "deliver"));
    const struct mix_step *from = mix_find(mix, name);
    if (from == NULL || from->fields == NULL) {
        mix_problem(step, "there is no message of \"%s\"", name);
        return;
    }
    memcpy(step->mti, from->mti, sizeof step->mti);
    memcpy(step->sent, from->sent, from->sent_size);
    step->sent_size = from->sent_size;
    step->fields = json_incref(from->fields);
    say_and_hear(mix, step);
}

static void play_control(struct mix *mix, struct mix_step *step)
{
    const char *command = json_string_value(json_object_get(step->row, "control"));
    json_t *args = json_deep_copy(json_object_get(step->row, "args"));
    json_t *card = json_object_get(step->row, "card");
    struct ctl_answer answer;
    char pan[17];
    if (args == NULL) {
        args = json_object();
    }
    if (card != NULL) {
        demo_pan((uint32_t)json_integer_value(card), pan);
        (void)json_object_set_new(args, "card", json_string(pan));
    }
    int64_t began_ns = now_ns();
    mix_call(mix, step, command, args, &answer);
    step->took_us = (now_ns() - began_ns) / NS_PER_US;
    (void)snprintf(step->decision, sizeof step->decision, "exit %d", answer.exit);
    ctl_answer_free(&answer);
}

static void play_settle(struct mix *mix, struct mix_step *step)
{
    int64_t began_ns = now_ns();
    size_t left = 1;
    while (left > 0 && now_ns() - began_ns < SETTLE_MS * NS_PER_MS) {
        struct ctl_answer answer;
        mix_call(mix, step, "saf list", NULL, &answer);
        left = json_array_size(answer.rows);
        ctl_answer_free(&answer);
        if (left > 0) {
            pause_ms(20);
        }
    }
    step->took_us = (now_ns() - began_ns) / NS_PER_US;
    (void)snprintf(step->decision, sizeof step->decision, left == 0 ? "empty" : "waiting");
    if (left > 0) {
        mix_problem(step, "%zu stored messages are not acknowledged", left);
    }
}

static void play_wait(struct mix *mix, struct mix_step *step)
{
    const char *name = json_string_value(json_object_get(step->row, "wait"));
    const struct mix_step *request = mix_find(mix, name);
    if (request == NULL) {
        mix_problem(step, "there is no step \"%s\"", name);
        return;
    }
    hear(mix, step, request);
}

static void play(struct mix *mix, struct mix_step *step)
{
    if (json_object_get(step->row, "send") != NULL) {
        play_message(mix, step);
    } else if (json_object_get(step->row, "control") != NULL) {
        play_control(mix, step);
    } else if (json_object_get(step->row, "settle") != NULL) {
        play_settle(mix, step);
    } else if (json_object_get(step->row, "deliver") != NULL) {
        play_delivery(mix, step);
    } else if (json_object_get(step->row, "wait") != NULL) {
        play_wait(mix, step);
    } else {
        mix_problem(step, "says neither send, control, settle nor wait");
    }
    pause_ms(json_integer_value(json_object_get(step->row, "pause_ms")));
    mix_check_effect(mix, step);
    if (step->fields != NULL && step->sent_ns != 0 &&
        !json_is_true(json_object_get(step->row, "later"))) {
        mix_check_records(mix, step);
    }
}

/* ---- the table ----------------------------------------------------------------------------- */

/* Pads by characters: the texts are UTF-8. */
static void print_cell(const char *text, int width)
{
    int shown = 0;
    for (const char *p = text; *p != 0; p++) {
        shown += ((unsigned char)*p & 0xC0u) != 0x80u;
    }
    printf("%s%*s", text, shown < width ? width - shown + 2 : 2, "");
}

static void print_header(void)
{
    print_cell("message", 42);
    print_cell("route", 8);
    print_cell("decision", 8);
    print_cell("reason", 34);
    print_cell("ledger effect", 56);
    printf("%10s\n", "us");
}

static void print_step(const struct mix_options *options, const struct mix_step *step)
{
    char left[128];
    if (options->only != NULL && step->problem[0] == 0 &&
        strncmp(step->name, options->only, strlen(options->only)) != 0) {
        return;
    }
    const char *what = step->mti[0] != 0 ? step->mti : "    ";
    (void)snprintf(left, sizeof left, "%s %s", what, step->name);
    print_cell(left, 42);
    print_cell(step->route[0] != 0 ? step->route : "-", 8);
    print_cell(step->decision, 8);
    print_cell(step->reason[0] != 0 ? step->reason : "-", 34);
    print_cell(step->effect[0] != 0 ? step->effect : "-", 56);
    printf("%10lld\n", (long long)step->took_us);
    if (step->problem[0] != 0) {
        printf("  %s:%u: NOT AS EXPECTED: %s\n", options->file, step->line, step->problem);
    }
    (void)fflush(stdout);
}

/* ---- start --------------------------------------------------------------------------------- */

static bool read_steps(struct mix *mix, char *text, size_t text_size)
{
    FILE *file = fopen(mix->options->file, "re");
    if (file == NULL) {
        (void)snprintf(text, text_size, "%s: cannot be read", mix->options->file);
        return false;
    }
    static char line[16384];
    uint32_t number = 0;
    bool done = true;
    while (done && fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line[0] == '#' || line[strspn(line, " \t\r\n")] == 0) {
            continue;
        }
        json_error_t error;
        json_t *row = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        const char *name = json_string_value(json_object_get(row, "name"));
        done = name != NULL && mix->steps_count < MIX_STEPS_MAX;
        if (!done) {
            (void)snprintf(text, text_size, "%s:%u:%d: %s", mix->options->file, number,
                           row == NULL ? error.column : 1,
                           row == NULL ? error.text : "no name, or too many steps");
            json_decref(row);
            break;
        }
        mix->steps[mix->steps_count++] =
            (struct mix_step){.row = row, .line = number, .name = name};
    }
    (void)fclose(file);
    return done;
}

static bool open_all(struct mix *mix, char *text, size_t text_size)
{
    const struct mix_options *options = mix->options;
    mix->steps = calloc(MIX_STEPS_MAX, sizeof *mix->steps);
    mix->accounts = calloc(MIX_ACCOUNTS_MAX, sizeof *mix->accounts);
    struct iso_report *report = calloc(1, sizeof *report);
    must(mix->steps != NULL && mix->accounts != NULL && report != NULL);
    mix->dialect = iso_dialect_by_name("iso87-ascii", options->dialects, report);
    if (mix->dialect == NULL) {
        (void)snprintf(text, text_size, "%s", report->texts[0]);
    }
    free(report);
    if (mix->dialect == NULL || !read_steps(mix, text, text_size) ||
        !demo_keys_read(options->keys, &mix->keys, text, text_size) ||
        !ctl_open(&mix->client, options->socket, text, text_size)) {
        return false;
    }
    for (uint32_t i = 0; i < MIX_LINKS; i++) {
        if (!caller_open(&mix->callers[i], options->connect, text, text_size)) {
            return false;
        }
    }
    /* Runs of one day do not meet: the RRN begins with the time. */
    mix->rrn = (uint64_t)time(NULL) % 10000000u * 100000u;
    mix->stan = (uint32_t)(mix->rrn / 100000u % 100000u);
    return mix_watch_all(mix, text, text_size);
}

static void close_all(struct mix *mix)
{
    for (uint32_t i = 0; i < mix->steps_count; i++) {
        json_decref(mix->steps[i].row);
        json_decref(mix->steps[i].fields);
    }
    for (uint32_t i = 0; i < MIX_LINKS; i++) {
        if (mix->callers[i].fd > 0) {
            caller_close(&mix->callers[i]);
        }
    }
    if (mix->client.buffer != NULL) {
        ctl_close(&mix->client);
    }
    iso_dialect_free(mix->dialect);
    free(mix->steps);
    free(mix->accounts);
}

int mix_run(const struct mix_options *options)
{
    static struct mix mix;
    char text[512];
    mix.options = options;
    if (!open_all(&mix, text, sizeof text)) {
        (void)fprintf(stderr, "ringsim: %s\n", text);
        close_all(&mix);
        return 2;
    }
    uint32_t wrong = 0;
    print_header();
    for (uint32_t i = 0; i < mix.steps_count; i++) {
        play(&mix, &mix.steps[i]);
        print_step(options, &mix.steps[i]);
        wrong += mix.steps[i].problem[0] != 0;
    }
    struct mix_step books = {.row = json_object(), .name = "books", .decision = "verified"};
    mix_check_books(&mix, &books);
    print_step(options, &books);
    wrong += books.problem[0] != 0;
    json_decref(books.row);
    printf("%u passed, %u failed\n", mix.steps_count + 1 - wrong, wrong);
    close_all(&mix);
    return wrong == 0 ? 0 : 1;
}

/* ---- the demo's cards ---------------------------------------------------------------------- */

static void print_card(const struct demo_keys *keys, uint32_t card)
{
    char pan[17], pin[5], pvv[5];
    demo_pan(card, pan);
    demo_pin(card, pin);
    demo_pvv(keys, pan, pin, pvv);
    printf("{\"card\":\"%s\",\"account\":\"card/%u\",\"expiry\":%d,\"service_code\":201,"
           "\"pvv\":\"%s\",\"pvki\":1,\"balance_minor\":%d,\"currency\":398}\n",
           pan, card, card == 298 ? 2001 : 3012, pvv, card == 300 ? 100 : 100000000);
}

int mix_print_cards(const struct mix_options *options)
{
    struct demo_keys keys;
    char text[320];
    static const uint32_t others[] = {901, 902, 904};
    if (!demo_keys_read(options->keys, &keys, text, sizeof text)) {
        (void)fprintf(stderr, "ringsim: %s\n", text);
        return 2;
    }
    for (uint32_t card = 1; card <= DEMO_CARDS_MAX; card++) {
        print_card(&keys, card);
    }
    for (size_t i = 0; i < countof(others); i++) {
        print_card(&keys, others[i]);
    }
    return 0;
}
