/* mix_check.c - an answer against what the step expects, and against what holds for every answer:
 * its MTI, its echoes, DE15, DE37 and DE38, and that nothing else stands in it. */
#include "sims/mix_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void mix_problem(struct mix_step *step, const char *format, ...)
{
    if (step->problem[0] != 0) {
        return; /* the first one counts */
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(step->problem, sizeof step->problem, format, arguments);
    va_end(arguments);
}

/* "44" or "48.87" of an answer. */
static bool value_of(const struct mix *mix, const struct iso_msg *answer, const char *path,
                     char *out, size_t out_size)
{
    size_t size;
    bool found = false;
    if (strchr(path, '.') != NULL) {
        struct iso_item item;
        found = iso_msg_find(mix->dialect, answer, path, &item) &&
                iso_value_text(mix->dialect, item.node,
                               (struct span){answer->frame + item.at.offset, item.at.size},
                               item.at.count, out, out_size - 1, &size);
    } else {
        found = iso_msg_text(mix->dialect, answer, (uint32_t)strtoul(path, NULL, 10), out,
                             out_size - 1, &size);
    }
    if (found) {
        out[size] = 0;
    }
    return found;
}

static bool expects(const struct mix_step *step, uint32_t de)
{
    char key[12];
    (void)snprintf(key, sizeof key, "%u", de);
    return json_object_get(json_object_get(step->row, "expect"), key) != NULL;
}

static bool same_field(const struct iso_msg *a, const struct iso_msg *b, uint32_t de)
{
    struct span left = iso_msg_field(a, de), right = iso_msg_field(b, de);
    return left.size == right.size &&
           (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

/* Fields that come back as they were sent; 37 is ours when the request had none. */
static void check_echoes(struct mix_step *step, const struct iso_msg *request,
                         const struct iso_msg *answer)
{
    static const uint8_t echoed[] = {2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70, 90, 95};
    bool is_network = request->mti[1] == '8', is_reversal = request->mti[1] == '4';
    for (size_t i = 0; i < countof(echoed); i++) {
        uint32_t de = echoed[i];
        if (expects(step, de)) {
            continue;
        }
        if (de == 37 && !iso_msg_has(request, 37) && !is_network && !is_reversal) {
            if (!iso_msg_has(answer, 37)) {
                mix_problem(step, "the answer has no field 37 of ours");
            }
        } else if (!same_field(request, answer, de)) {
            mix_problem(step, "field %u is not echoed", de);
        }
    }
}

static void check_presence(struct mix_step *step, const struct iso_msg *request,
                           const struct iso_msg *answer, const char *de39)
{
    static const uint8_t known[] = {2,  3,  4,  7,  11, 12, 13, 15, 32, 37, 38, 39,
                                    41, 42, 44, 48, 49, 54, 55, 64, 70, 90, 95, 128};
    bool is_plain = request->mti[2] == '0' && (request->mti[1] == '1' || request->mti[1] == '2');
    bool is_approved =
        strcmp(de39, "00") == 0 || strcmp(de39, "10") == 0 || strcmp(de39, "85") == 0;
    for (uint32_t de = iso_msg_next(answer, 0); de != 0; de = iso_msg_next(answer, de)) {
        if (memchr(known, (int)de, sizeof known) == NULL) {
            mix_problem(step, "the answer has field %u", de);
        }
    }
    static const uint8_t named_only[] = {44, 48, 54, 55};
    for (size_t i = 0; i < countof(named_only); i++) {
        char prefix[16];
        (void)snprintf(prefix, sizeof prefix, "%u.87", named_only[i]);
        json_t *expected = json_object_get(step->row, "expect");
        if (iso_msg_has(answer, named_only[i]) && !expects(step, named_only[i]) &&
            json_object_get(expected, prefix) == NULL) {
            mix_problem(step, "the answer has field %u, which nobody expects", named_only[i]);
        }
    }
    if (is_plain && !expects(step, 38) && iso_msg_has(answer, 38) != is_approved) {
        mix_problem(step, "field 38 %s", is_approved ? "is missing" : "in a declined answer");
    }
    if (is_plain && !expects(step, 15) && iso_msg_has(answer, 15) != is_approved) {
        mix_problem(step, "field 15 %s", is_approved ? "is missing" : "in a declined answer");
    }
    if (!is_plain && !expects(step, 38) && !same_field(request, answer, 38)) {
        mix_problem(step, "field 38 is not echoed");
    }
}

/* "@step": what that step's answer has there. */
static const char *value_in_answer_of(struct mix *mix, const char *name, const char *path,
                                      char *out, size_t out_size)
{
    const struct mix_step *step = mix_find(mix, name);
    struct iso_msg answer;
    bool found = step != NULL &&
                 iso_parse(mix->dialect, (struct span){step->answer, step->answer_size}, &answer,
                           NULL) == ISO_OK &&
                 value_of(mix, &answer, path, out, out_size);
    return found ? out : "";
}

static void check_expected(struct mix *mix, struct mix_step *step, const struct iso_msg *answer)
{
    const char *path;
    json_t *wanted;
    json_object_foreach(json_object_get(step->row, "expect"), path, wanted)
    {
        char value[1024] = "";
        bool found = value_of(mix, answer, path, value, sizeof value);
        const char *text = json_string_value(wanted);
        char other[1024] = "";
        if (text != NULL && text[0] == '@') {
            text = value_in_answer_of(mix, text + 1, path, other, sizeof other);
        }
        if (text == NULL && found) {
            mix_problem(step, "field %s is there: %s", path, value);
        } else if (text != NULL && !found) {
            mix_problem(step, "field %s is missing, expected %s", path, text);
        } else if (text != NULL && strcmp(text, "*") != 0 && strcmp(text, value) != 0) {
            mix_problem(step, "field %s is %s, expected %s", path, value, text);
        }
    }
}

static void check_same(struct mix *mix, struct mix_step *step)
{
    const char *name = json_string_value(json_object_get(step->row, "same_as"));
    const struct mix_step *other = mix_find(mix, name);
    if (name != NULL && (other == NULL || other->answer_size != step->answer_size ||
                         memcmp(other->answer, step->answer, step->answer_size) != 0)) {
        mix_problem(step, "the answer differs from that of \"%s\"", name);
    }
}

void mix_check_answer(struct mix *mix, struct mix_step *step, const struct mix_step *request)
{
    struct iso_msg asked, answer;
    struct iso_fault fault;
    char mti[4];
    if (iso_parse(mix->dialect, (struct span){step->answer, step->answer_size}, &answer, &fault) !=
        ISO_OK) {
        mix_problem(step, "the answer cannot be read: field %s: %s", fault.path, fault.text);
        return;
    }
    char de39[4] = "--";
    (void)value_of(mix, &answer, "39", de39, sizeof de39);
    (void)snprintf(step->decision, sizeof step->decision, "%s", de39);
    check_expected(mix, step, &answer);
    check_same(mix, step);
    /* A message that could not be read is echoed as far as it was. */
    struct span sent = {request->sent, request->sent_size};
    if (iso_parse(mix->dialect, sent, &asked, &fault) == ISO_OK) {
        if (!iso_mti_response(asked.mti, mti) || memcmp(mti, answer.mti, 4) != 0) {
            mix_problem(step, "MTI %.4s answers %.4s", answer.mti, asked.mti);
        }
        check_echoes(step, &asked, &answer);
        check_presence(step, &asked, &answer, de39);
    }
}
