/* mix_message.c - a step's message: defaults, then what the step sets, then bytes. */
#include "sims/mix_internal.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define EXPIRY "3012"

static const char *text_of(const struct mix_step *step, const char *key)
{
    return json_string_value(json_object_get(step->row, key));
}

static void set(json_t *fields, const char *de, const char *value)
{
    (void)json_object_set_new(fields, de, json_string(value));
}

/* ---- fields that every message has --------------------------------------------------------- */

/* Makes one field anew: the ones that tell messages apart. */
static void make_fresh(struct mix *mix, json_t *fields, const char *de)
{
    struct tm utc;
    time_t seconds = time(NULL);
    char text[32];
    (void)gmtime_r(&seconds, &utc);
    if (strcmp(de, "7") == 0) {
        (void)strftime(text, sizeof text, "%m%d%H%M%S", &utc);
    } else if (strcmp(de, "12") == 0) {
        (void)strftime(text, sizeof text, "%H%M%S", &utc);
    } else if (strcmp(de, "13") == 0) {
        (void)strftime(text, sizeof text, "%m%d", &utc);
    } else if (strcmp(de, "11") == 0) {
        mix->stan = mix->stan % 999999 + 1;
        (void)snprintf(text, sizeof text, "%06u", mix->stan);
    } else {
        mix->rrn++;
        (void)snprintf(text, sizeof text, "%012llu", (unsigned long long)mix->rrn % 1000000000000u);
    }
    set(fields, de, text);
}

static json_t *default_fields(struct mix *mix, const char *mti)
{
    json_t *fields = json_object();
    make_fresh(mix, fields, "7");
    make_fresh(mix, fields, "11");
    if (mti[1] == '8') {
        set(fields, "70", "301");
        return fields;
    }
    make_fresh(mix, fields, "12");
    make_fresh(mix, fields, "13");
    make_fresh(mix, fields, "37");
    set(fields, "3", "000000");
    set(fields, "4", "000000010000");
    set(fields, "18", "5411");
    set(fields, "22", "012");
    set(fields, "25", "00");
    set(fields, "32", "123456");
    set(fields, "41", "TERM0001");
    set(fields, "42", "MERCHANT0000001");
    set(fields, "49", "398");
    return fields;
}

/* ---- what a step asks for ------------------------------------------------------------------ */

struct mix_step *mix_find(struct mix *mix, const char *name)
{
    for (uint32_t i = 0; i < mix->steps_count; i++) {
        if (name != NULL && strcmp(mix->steps[i].name, name) == 0) {
            return &mix->steps[i];
        }
    }
    return NULL;
}

static const char *field_text(const json_t *fields, const char *de, const char *absent)
{
    const char *text = json_string_value(json_object_get(fields, de));
    return text == NULL ? absent : text;
}

/* DE90: MTI, STAN, DE7, DE32, DE33 of the original. */
static void set_original(json_t *fields, const struct mix_step *original)
{
    char text[43];
    (void)snprintf(text, sizeof text, "%s%s%s%011lld%011lld", original->mti,
                   field_text(original->fields, "11", "000000"),
                   field_text(original->fields, "7", "0000000000"),
                   strtoll(field_text(original->fields, "32", "0"), NULL, 10),
                   strtoll(field_text(original->fields, "33", "0"), NULL, 10));
    set(fields, "90", text);
}

static json_t *start_fields(struct mix *mix, const struct mix_step *step)
{
    const struct mix_step *like = mix_find(mix, text_of(step, "like"));
    const struct mix_step *reverses = mix_find(mix, text_of(step, "reverses"));
    json_t *fields;
    size_t index;
    json_t *de;
    if (reverses != NULL) {
        static const char *const kept[] = {"2",  "3",  "4",  "18", "22", "25",
                                           "32", "37", "41", "42", "49"};
        fields = json_object();
        for (size_t i = 0; i < countof(kept); i++) {
            json_t *value = json_object_get(reverses->fields, kept[i]);
            if (value != NULL) {
                (void)json_object_set(fields, kept[i], value);
            }
        }
        const char *const made[] = {"7", "11", "12", "13"};
        for (size_t i = 0; i < countof(made); i++) {
            make_fresh(mix, fields, made[i]);
        }
        set_original(fields, reverses);
    } else if (like != NULL) {
        fields = json_deep_copy(like->fields);
        json_array_foreach(json_object_get(step->row, "fresh"), index, de)
        {
            make_fresh(mix, fields, json_string_value(de));
        }
    } else {
        fields = default_fields(mix, step->mti);
    }
    return fields;
}

static void set_card(struct mix *mix, struct mix_step *step, json_t *fields)
{
    json_t *card = json_object_get(step->row, "card");
    char pan[32] = "", text[64];
    uint32_t number = (uint32_t)json_integer_value(card);
    if (card != NULL) {
        demo_pan(number, pan);
        set(fields, "2", pan);
    } else if (text_of(step, "pan") != NULL) {
        set(fields, "2", text_of(step, "pan"));
    }
    (void)snprintf(pan, sizeof pan, "%s", field_text(fields, "2", ""));
    const char *pin = text_of(step, "pin"), *cvv2 = text_of(step, "cvv2");
    const char *track2 = text_of(step, "track2");
    if (pin != NULL) {
        uint8_t block[8];
        demo_pin(number, text);
        const char *digits = strcmp(pin, "good") == 0  ? text
                             : strcmp(pin, "bad") == 0 ? "9999"
                                                       : pin;
        demo_pin_block(&mix->keys, pan, digits, block);
        char hex[17];
        bytes_to_hex(block, sizeof block, hex);
        set(fields, "52", hex);
    }
    if (cvv2 != NULL) {
        char value[4];
        demo_cvv(&mix->keys, pan, EXPIRY, "000", value);
        if (strcmp(cvv2, "bad") == 0) {
            value[2] = (char)('0' + (value[2] - '0' + 1) % 10);
        }
        (void)json_object_set_new(fields, "48", json_pack("{s:s}", "92", value));
    }
    if (track2 != NULL) {
        char value[38];
        demo_track2(&mix->keys, number, EXPIRY, value);
        size_t size = strlen(value);
        if (strcmp(track2, "bad") == 0) {
            value[size - 1] = (char)('0' + (value[size - 1] - '0' + 1) % 10);
        }
        set(fields, "35", value);
    }
}

static void set_fields(const struct mix_step *step, json_t *fields)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(step->row, "fields"), key, value)
    {
        json_t *there = json_object_get(fields, key);
        if (json_is_null(value)) {
            (void)json_object_del(fields, key);
        } else if (json_is_object(value) && json_is_object(there)) {
            (void)json_object_update(there, value);
        } else {
            (void)json_object_set(fields, key, value);
        }
    }
    json_t *remains = json_object_get(step->row, "remains");
    if (remains != NULL) {
        char text[43];
        (void)snprintf(text, sizeof text, "%012lld%012dC%08dC%08d",
                       (long long)json_integer_value(remains), 0, 0, 0);
        set(fields, "95", text);
    }
}

/* Overwrites the first bytes of a field: what a well-behaved builder would never write. */
static void corrupt(struct mix *mix, struct mix_step *step)
{
    json_t *how = json_object_get(step->row, "corrupt");
    const char *with = json_string_value(json_object_get(how, "with"));
    struct iso_msg msg;
    if (with == NULL) {
        return;
    }
    struct span bytes = {step->sent, step->sent_size};
    uint32_t de = (uint32_t)strtoul(field_text(how, "field", "0"), NULL, 10);
    if (iso_parse(mix->dialect, bytes, &msg, NULL) != ISO_OK || !iso_msg_has(&msg, de)) {
        mix_problem(step, "there is no field %u to corrupt", de);
        return;
    }
    uint32_t offset = msg.fields[de].offset -
                      (json_is_true(json_object_get(how, "prefix")) ? msg.fields[de].prefix : 0u);
    memcpy(step->sent + offset, with, strlen(with));
}

bool mix_build(struct mix *mix, struct mix_step *step)
{
    char text[256];
    const char *mti = text_of(step, "send");
    (void)snprintf(step->mti, sizeof step->mti, "%s", mti);
    step->fields = start_fields(mix, step);
    set_card(mix, step, step->fields);
    set_fields(step, step->fields);
    json_t *message = json_pack("{s:s, s:O}", "mti", step->mti, "fields", step->fields);
    bool built = sim_message_build(mix->dialect, message, step->sent, sizeof step->sent,
                                   &step->sent_size, text, sizeof text);
    json_decref(message);
    if (!built) {
        mix_problem(step, "cannot be built: %s", text);
        return false;
    }
    corrupt(mix, step);
    const char *more = text_of(step, "append");
    if (more != NULL && step->sent_size + strlen(more) <= sizeof step->sent) {
        memcpy(step->sent + step->sent_size, more, strlen(more));
        step->sent_size += (uint32_t)strlen(more);
    }
    return step->problem[0] == 0;
}
