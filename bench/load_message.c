/* load_message.c - the load's messages: rendered once by the codec, then patched; see load.h.
 *
 * The answer is read by field widths alone: nothing behind DE39 is looked at. */
#include "bench/load.h"

#include "sims/message.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char default_message[] =
    "{\"mti\":\"0200\",\"fields\":{\"2\":\"card\",\"3\":\"000000\",\"4\":\"000000000001\","
    "\"7\":\"0101000000\",\"11\":\"000000\",\"12\":\"000000\",\"13\":\"0101\",\"18\":\"5411\","
    "\"22\":\"012\",\"25\":\"00\",\"32\":\"123456\",\"37\":\"000000000000\",\"41\":\"TERM0001\","
    "\"42\":\"MERCHANT0000001\",\"49\":\"398\"}}";

static uint16_t offset_of(const struct iso_msg *msg, uint32_t de)
{
    return iso_msg_has(msg, de) ? msg->fields[de].offset : 0;
}

static bool render(const struct iso_dialect *dialect, json_t *message, struct load_template *out,
                   char *text, size_t text_size)
{
    json_t *fields = json_object_get(message, "fields");
    const char *pan = json_string_value(json_object_get(fields, "2"));
    *out = (struct load_template){.weight = 1};
    if (json_is_integer(json_object_get(message, "weight"))) {
        out->weight = (uint32_t)json_integer_value(json_object_get(message, "weight"));
    }
    if (pan != NULL && strcmp(pan, "card") == 0) {
        uint8_t first[16];
        out->has_card = true;
        load_card_pan(1, first);
        (void)json_object_set_new(fields, "2", json_stringn((const char *)first, sizeof first));
    }
    struct iso_msg msg;
    struct iso_fault fault;
    if (!sim_message_build(dialect, message, out->message, sizeof out->message, &out->size, text,
                           text_size)) {
        return false;
    }
    struct span bytes = {out->message, out->size};
    if (iso_parse(dialect, bytes, &msg, &fault) != ISO_OK || !iso_msg_has(&msg, 11)) {
        (void)snprintf(text, text_size, "a message of the load needs field 11");
        return false;
    }
    out->pan = offset_of(&msg, 2);
    out->de7 = offset_of(&msg, 7);
    out->stan = offset_of(&msg, 11);
    out->de12 = offset_of(&msg, 12);
    out->de13 = offset_of(&msg, 13);
    out->rrn = offset_of(&msg, 37);
    out->terminal = offset_of(&msg, 41);
    return true;
}

static bool add_line(struct load_mix *mix, const struct iso_dialect *dialect, const char *line,
                     char *text, size_t text_size)
{
    json_error_t error;
    json_t *message = json_loads(line, 0, &error);
    if (message == NULL) {
        (void)snprintf(text, text_size, "%s", error.text);
        return false;
    }
    bool done = mix->count < LOAD_TEMPLATES_MAX &&
                render(dialect, message, &mix->templates[mix->count], text, text_size);
    json_decref(message);
    if (done) {
        mix->weight_sum += mix->templates[mix->count++].weight;
    }
    return done;
}

static bool read_lines(struct load_mix *mix, const struct iso_dialect *dialect, const char *path,
                       char *text, size_t text_size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(text, text_size, "%s: cannot be read", path);
        return false;
    }
    char line[8192], why[200] = "too many messages";
    uint32_t number = 0;
    bool done = true;
    while (done && fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line[strspn(line, " \t\r\n")] != 0) {
            done = add_line(mix, dialect, line, why, sizeof why);
        }
    }
    (void)fclose(file);
    if (!done || mix->weight_sum == 0) {
        (void)snprintf(text, text_size, "%s:%u:1: %s", path, number, done ? "no message" : why);
        return false;
    }
    return true;
}

bool load_mix_read(const char *path, const char *dialects, struct load_mix *mix, char *text,
                   size_t text_size)
{
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    struct iso_dialect *dialect = iso_dialect_by_name("iso87-ascii", dialects, report);
    if (dialect == NULL) {
        (void)snprintf(text, text_size, "%s", report->texts[0]);
        free(report);
        return false;
    }
    free(report);
    *mix = (struct load_mix){.templates = calloc(LOAD_TEMPLATES_MAX, sizeof *mix->templates)};
    must(mix->templates != NULL);
    bool done = path == NULL ? add_line(mix, dialect, default_message, text, text_size)
                             : read_lines(mix, dialect, path, text, text_size);
    iso_dialect_free(dialect);
    return done;
}

void load_stamp_now(struct load_stamp *stamp)
{
    struct tm now;
    time_t seconds = time(NULL);
    (void)gmtime_r(&seconds, &now);
    uint32_t day = (uint32_t)((now.tm_mon + 1) * 100 + now.tm_mday);
    uint32_t clock = (uint32_t)(now.tm_hour * 10000 + now.tm_min * 100 + now.tm_sec);
    bytes_put_number(stamp->de13, 4, day);
    bytes_put_number(stamp->de12, 6, clock);
    memcpy(stamp->de7, stamp->de13, 4);
    memcpy(stamp->de7 + 4, stamp->de12, 6);
}

void load_card_pan(uint64_t card, uint8_t out[16])
{
    memcpy(out, "990001", 6);
    bytes_put_number(out + 6, 9, card);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 15; i++) {
        uint32_t digit = out[14 - i] - (uint32_t)'0';
        digit =
            i % 2 == 0 ? 2 * digit : digit; /* the rightmost is doubled: a check digit follows */
        sum += digit > 9 ? digit - 9 : digit;
    }
    out[15] = (uint8_t)('0' + (10 - sum % 10) % 10);
}

/* Widths of ISO 8583:1987 fields 1..39; 2: a prefix of two digits, 3: of three (as negatives). */
static const int8_t widths[40] = {0, 0, -2, 6, 12, 12, 12, 10, 8,  8,  8, 6, 6, 4,
                                  4, 4, 4,  4, 4,  3,  3,  3,  3,  3,  3, 2, 2, 1,
                                  9, 9, 9,  9, -2, -2, -2, -2, -3, 12, 6, 2};

bool load_answer_read(const uint8_t *message, uint32_t size, uint32_t *stan, uint8_t de39[2])
{
    if (size < 12) {
        return false;
    }
    uint64_t bitmap = load_be64(message + 4);
    uint32_t at = (bitmap >> 63) != 0 ? 20 : 12;
    bool has_stan = false;
    memcpy(de39, "--", 2);
    for (uint64_t left = bitmap << 1; left != 0;) {
        uint32_t de = 2 + (uint32_t)__builtin_clzll(left);
        left &= ~(UINT64_C(1) << (65 - de));
        if (de > 39) {
            break;
        }
        uint32_t width = 0, prefix = widths[de] < 0 ? (uint32_t)-widths[de] : 0;
        if (prefix == 0) {
            width = (uint32_t)widths[de];
        }
        if (at + prefix > size) {
            return false;
        }
        for (uint32_t i = 0; i < prefix; i++) {
            width = width * 10 + (message[at + i] - (uint32_t)'0');
        }
        at += prefix;
        if (at + width > size) {
            return false;
        }
        if (de == 11) {
            int64_t number;
            has_stan = bytes_to_number(message + at, width, &number);
            *stan = has_stan ? (uint32_t)number : 0;
        } else if (de == 39) {
            memcpy(de39, message + at, 2);
        }
        at += width;
    }
    return has_stan;
}
