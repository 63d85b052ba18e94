/* acquirer.c - see acquirer.h. */
#include "sims/acquirer.h"

#include "base/clock.h"
#include "sims/caller.h"
#include "sims/message.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct acquirer {
    const struct acquirer_options *options;
    struct iso_dialect *dialect;
    struct caller caller;
    uint32_t line, unanswered;
};

static void print_answer(struct acquirer *acquirer, struct span message, int64_t took_us)
{
    struct iso_msg msg;
    struct iso_fault fault;
    if (iso_parse(acquirer->dialect, message, &msg, &fault) != ISO_OK) {
        printf("{\"error\":{\"field\":\"%s\",\"offset\":\"%u\"}}\n", fault.path, fault.offset);
        return;
    }
    json_t *answer = sim_message_json(acquirer->dialect, &msg, !acquirer->options->reveal);
    (void)json_object_set_new(answer, "microseconds", json_integer(took_us));
    char *text = json_dumps(answer, JSON_COMPACT);
    printf("%s\n", text);
    free(text);
    json_decref(answer);
}

/* False: the line or the connection is no good. */
static bool send_line(struct acquirer *acquirer, const char *line, char *text, size_t text_size)
{
    json_error_t error;
    json_t *message = json_loads(line, 0, &error);
    uint8_t bytes[8192];
    uint32_t size;
    if (message == NULL) {
        (void)snprintf(text, text_size, "%s", error.text);
        return false;
    }
    bool built =
        sim_message_build(acquirer->dialect, message, bytes, sizeof bytes, &size, text, text_size);
    json_decref(message);
    if (!built) {
        return false;
    }
    int64_t sent_ns = clock_system.boot_ns(clock_system.context);
    struct span answer;
    if (!caller_say(&acquirer->caller, (struct span){bytes, size})) {
        (void)snprintf(text, text_size, "the connection is gone");
        return false;
    }
    switch (caller_hear(&acquirer->caller, acquirer->options->timeout_ms, &answer)) {
    case CALLER_MESSAGE:
        print_answer(acquirer, answer,
                     (clock_system.boot_ns(clock_system.context) - sent_ns) / NS_PER_US);
        return true;
    case CALLER_SILENCE:
        printf("{\"error\":{\"code\":\"no_answer\"}}\n");
        acquirer->unanswered++;
        return true;
    case CALLER_GONE:
        break;
    }
    (void)snprintf(text, text_size, "the connection was closed");
    return false;
}

static int send_all(struct acquirer *acquirer, FILE *file)
{
    char line[65536], text[320];
    while (fgets(line, sizeof line, file) != NULL) {
        acquirer->line++;
        if (line[0] == '#' || line[strspn(line, " \t\r\n")] == 0) {
            continue;
        }
        if (!send_line(acquirer, line, text, sizeof text)) {
            (void)fprintf(stderr, "%s:%u:1: %s\n", acquirer->options->send, acquirer->line, text);
            return 2;
        }
        (void)fflush(stdout);
    }
    return acquirer->unanswered != 0;
}

int acquirer_run(const struct acquirer_options *options)
{
    static struct acquirer acquirer;
    char text[320];
    acquirer.options = options;
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    acquirer.dialect = iso_dialect_by_name(options->dialect, options->dialects, report);
    if (acquirer.dialect == NULL) {
        (void)fprintf(stderr, "ringsim: %s\n", report->texts[0]);
    }
    free(report);
    if (acquirer.dialect == NULL) {
        return 2;
    }
    FILE *file = strcmp(options->send, "-") == 0 ? stdin : fopen(options->send, "re");
    int result = 2;
    if (file == NULL) {
        (void)fprintf(stderr, "ringsim: %s cannot be read\n", options->send);
    } else if (!caller_open(&acquirer.caller, options->connect, text, sizeof text)) {
        (void)fprintf(stderr, "ringsim: %s\n", text);
    } else {
        result = send_all(&acquirer, file);
        caller_close(&acquirer.caller);
    }
    if (file != NULL && file != stdin) {
        (void)fclose(file);
    }
    iso_dialect_free(acquirer.dialect);
    return result;
}
