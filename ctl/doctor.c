/* doctor.c - `ringctl doctor`: which framing and dialect do these bytes speak, and what is wrong
 * with the conversation?
 *
 * DESIGN  Every framing with every dialect is tried on every stream and judged by how many frames
 * decode; each pair's first fault says why it stops. With the best pair the conversation is read:
 * bytes without a frame, frames that do not decode, answers that match no request (key: class of
 * the MTI, DE11, DE7, DE32), requests without answer, keys that come twice. No values are shown but
 * those of the key. */
#include "ctl/capture.h"
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "ctl/iso_json.h"
#include "iso8583/frame.h"
#include "iso8583/mti.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DIALECTS_MAX 64u
#define FRAMES_TRIED 2000u
#define PENDING_MAX  20000u
#define FILE_BYTES   (256u << 20)
#define SHOWN_MAX    8u

struct trial {
    const struct iso_dialect *dialect;
    int framing; /* enum iso_framing_kind, or -1: each stream is one message */
    uint32_t frames, decoded, read_well;
    bool has_fault;
    struct iso_fault fault;
    uint64_t fault_at; /* of its frame in the stream */
    const char *stream;
};
struct pending {
    char key[64], place[192];
    const struct capture_stream *stream;
    bool answered;
};
struct doctor {
    struct capture *capture;
    struct iso_dialect *dialects[DIALECTS_MAX];
    uint32_t dialects_count;
    struct trial *trials;
    uint32_t trials_count;
    struct pending *pending;
    uint32_t pending_count;
    struct iso_msg msg;
    bool is_bad;
};

/* The next message of a stream at *at; false: none, *left bytes remain and *bad says whether a
 * length cannot be read. */
static bool next_message(const struct trial *trial, const struct text *bytes, size_t *at,
                         struct iso_frame *frame, bool *bad)
{
    struct span stream = {(const uint8_t *)bytes->data + *at, (uint32_t)(bytes->size - *at)};
    *bad = false;
    if (stream.size == 0) {
        return false;
    }
    if (trial->framing < 0) {
        *frame = (struct iso_frame){.message = stream, .consumed = stream.size};
        *bad = stream.size > ISO_MESSAGE_BYTES_MAX;
        return !*bad;
    }
    struct iso_framing framing = {(enum iso_framing_kind)trial->framing, 8192};
    enum iso_frame_result result = iso_frame_next(&framing, stream, frame);
    *bad = result == ISO_FRAME_BAD;
    return result == ISO_FRAME_WHOLE && frame->consumed > 0;
}

static void try_stream(struct doctor *doctor, struct trial *trial,
                       const struct capture_stream *stream)
{
    size_t at = 0;
    struct iso_frame frame;
    bool bad = false;
    while (trial->frames < FRAMES_TRIED && next_message(trial, &stream->bytes, &at, &frame, &bad)) {
        struct iso_fault fault = {0};
        if (frame.message.size > 0 && !frame.session_control) {
            trial->frames++;
            if (iso_parse(trial->dialect, frame.message, &doctor->msg, &fault) == ISO_OK) {
                trial->decoded++;
            } else if (!trial->has_fault) {
                trial->has_fault = true;
                trial->fault = fault;
                trial->fault_at = at;
                trial->stream = stream->name;
            }
            for (uint32_t de = iso_msg_next(&doctor->msg, 0); de != 0;
                 de = iso_msg_next(&doctor->msg, de)) {
                trial->read_well++;
            }
        }
        at += frame.consumed;
    }
    if (at < stream->bytes.size && !trial->has_fault) {
        trial->has_fault = true;
        trial->fault = (struct iso_fault){.code = bad ? ISO_FRAME_LENGTH : ISO_NEED_MORE};
        (void)snprintf(trial->fault.text, sizeof trial->fault.text, "%zu bytes without a frame",
                       stream->bytes.size - at);
        trial->fault_at = at;
        trial->stream = stream->name;
    }
}

/* More that decodes first, then less that does not, then more fields read. */
static int by_fit(const void *a, const void *b)
{
    const struct trial *left = a, *right = b;
    if (left->decoded != right->decoded) {
        return left->decoded > right->decoded ? -1 : 1;
    }
    uint32_t left_bad = left->frames - left->decoded, right_bad = right->frames - right->decoded;
    if (left->decoded > 0 && left_bad != right_bad) {
        return left_bad < right_bad ? -1 : 1;
    }
    if (left->has_fault != right->has_fault) {
        return left->has_fault ? 1 : -1;
    }
    return left->read_well > right->read_well ? -1 : left->read_well < right->read_well;
}

static void try_all(struct doctor *doctor, bool whole_too)
{
    uint32_t most = doctor->dialects_count * (ISO_FRAMINGS_COUNT + 1);
    doctor->trials = calloc(most + 1, sizeof *doctor->trials);
    must(doctor->trials != NULL);
    for (uint32_t d = 0; d < doctor->dialects_count; d++) {
        for (int framing = whole_too ? -1 : 0; framing < (int)ISO_FRAMINGS_COUNT; framing++) {
            struct trial *trial = &doctor->trials[doctor->trials_count++];
            *trial = (struct trial){.dialect = doctor->dialects[d], .framing = framing};
            for (uint32_t i = 0; i < doctor->capture->count; i++) {
                try_stream(doctor, trial, &doctor->capture->streams[i]);
            }
        }
    }
    qsort(doctor->trials, doctor->trials_count, sizeof *doctor->trials, by_fit);
}

static void print_trials(const struct doctor *doctor)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < doctor->trials_count && i < SHOWN_MAX; i++) {
        const struct trial *trial = &doctor->trials[i];
        char stops[512] = "";
        if (trial->has_fault) {
            (void)snprintf(stops, sizeof stops, "frame at %llu, %s%s byte %u: %s%s%s",
                           (unsigned long long)trial->fault_at,
                           trial->fault.path[0] != 0 ? "field " : "", trial->fault.path,
                           trial->fault.offset, trial->fault.text,
                           trial->fault.cause[0] != 0 ? "; " : "", trial->fault.cause);
        }
        (void)json_array_append_new(
            rows,
            json_pack(
                "{s:s,s:s,s:i,s:i,s:s}", "dialect", iso_dialect_name(trial->dialect), "framing",
                trial->framing < 0 ? "none"
                                   : iso_framing_text((enum iso_framing_kind)trial->framing),
                "frames", (int)trial->frames, "decoded", (int)trial->decoded, "stops", stops));
    }
    ctl_print_rows(rows);
    json_decref(rows);
}

/* --- the conversation --- */

static void tell(struct doctor *doctor, const char *what, const char *place, const char *detail)
{
    doctor->is_bad = true;
    if (ctl_globals.json) {
        json_t *row = json_pack("{s:s,s:s,s:s}", "finding", what, "place", place, "detail", detail);
        char *text = json_dumps(row, JSON_COMPACT);
        printf("%s\n", text != NULL ? text : "{}");
        free(text);
        json_decref(row);
    } else {
        printf("%s: %s%s%s\n", place, what, detail[0] != 0 ? ": " : "", detail);
    }
}

static void key_of(const struct iso_dialect *dialect, const struct iso_msg *msg, char out[64])
{
    static const uint32_t fields[] = {11, 7, 32};
    size_t used = (size_t)snprintf(out, 64, "x%cxx", msg->mti[1]);
    for (uint32_t i = 0; i < countof(fields); i++) {
        char text[24];
        size_t size = 0;
        bool has = iso_msg_text(dialect, msg, fields[i], text, sizeof text - 1, &size);
        used += (size_t)snprintf(out + used, 64 - used, " %u=%.*s", fields[i], has ? (int)size : 1,
                                 has ? text : "-");
    }
}

/* How many characters two keys share, for the nearest one. */
static uint32_t likeness(const char *a, const char *b)
{
    uint32_t same = 0;
    for (; *a != 0 && *b != 0; a++, b++) {
        same += *a == *b;
    }
    return same;
}

/* What is forwarded has the same key on another link; on one it may stand once. */
static void take_request(struct doctor *doctor, const struct capture_stream *stream,
                         const char *key, const char *place, bool repeat)
{
    for (uint32_t i = 0; i < doctor->pending_count; i++) {
        if (doctor->pending[i].stream == stream && strcmp(doctor->pending[i].key, key) == 0) {
            if (!repeat) {
                tell(doctor, "a request's key comes twice", place, key);
            }
            return;
        }
    }
    if (doctor->pending_count < PENDING_MAX) {
        struct pending *pending = &doctor->pending[doctor->pending_count++];
        (void)snprintf(pending->key, sizeof pending->key, "%s", key);
        (void)snprintf(pending->place, sizeof pending->place, "%s", place);
        pending->stream = stream;
    }
}

/* It belongs to the request that waits with its key, else to one that has been answered. */
static void take_response(struct doctor *doctor, const char *key, const char *place)
{
    const struct pending *nearest = NULL;
    bool is_known = false;
    uint32_t best = 0;
    for (uint32_t i = 0; i < doctor->pending_count; i++) {
        struct pending *pending = &doctor->pending[i];
        if (strcmp(pending->key, key) == 0) {
            is_known = true;
            if (!pending->answered) {
                pending->answered = true;
                return;
            }
        }
        if (likeness(pending->key, key) > best && !pending->answered) {
            best = likeness(pending->key, key);
            nearest = pending;
        }
    }
    if (is_known) {
        return;
    }
    char detail[192];
    (void)snprintf(detail, sizeof detail, "key %s; nearest pending %s", key,
                   nearest != NULL ? nearest->key : "none");
    tell(doctor, "an answer matches no request", place, detail);
}

static void read_stream(struct doctor *doctor, const struct trial *trial,
                        const struct capture_stream *stream, bool requests)
{
    size_t at = 0;
    struct iso_frame frame;
    bool bad = false;
    char place[192], detail[512], key[64];
    while (next_message(trial, &stream->bytes, &at, &frame, &bad)) {
        struct iso_fault fault = {0};
        (void)snprintf(place, sizeof place, "%s byte %zu", stream->name, at);
        at += frame.consumed;
        if (frame.message.size == 0 || frame.session_control) {
            continue;
        }
        if (iso_parse(trial->dialect, frame.message, &doctor->msg, &fault) != ISO_OK) {
            (void)snprintf(detail, sizeof detail, "field %s, byte %u: %s%s%s", fault.path,
                           fault.offset, fault.text, fault.cause[0] != 0 ? "; " : "", fault.cause);
            if (requests) {
                tell(doctor, "a frame does not decode", place, detail);
            }
            continue;
        }
        key_of(trial->dialect, &doctor->msg, key);
        if (requests && iso_mti_is_request(doctor->msg.mti)) {
            take_request(doctor, stream, key, place, iso_mti_is_repeat(doctor->msg.mti));
        } else if (!requests && iso_mti_is_response(doctor->msg.mti)) {
            take_response(doctor, key, place);
        }
    }
    if (requests && at < stream->bytes.size) {
        (void)snprintf(place, sizeof place, "%s byte %zu", stream->name, at);
        (void)snprintf(detail, sizeof detail, "%zu bytes%s", stream->bytes.size - at,
                       bad ? ", and the length before them cannot be read" : "");
        tell(doctor, "bytes without a frame", place, detail);
    }
    if (requests && stream->gaps > 0) {
        tell(doctor, "segments are missing in the capture", stream->name, "");
    }
}

static void read_conversation(struct doctor *doctor)
{
    bool answers = false;
    doctor->pending = calloc(PENDING_MAX, sizeof *doctor->pending);
    must(doctor->pending != NULL);
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < doctor->capture->count; i++) {
            read_stream(doctor, &doctor->trials[0], &doctor->capture->streams[i], pass == 0);
        }
    }
    for (uint32_t i = 0; i < doctor->pending_count; i++) {
        answers |= doctor->pending[i].answered;
    }
    for (uint32_t i = 0; answers && i < doctor->pending_count; i++) {
        if (!doctor->pending[i].answered) {
            tell(doctor, "a request without answer", doctor->pending[i].place,
                 doctor->pending[i].key);
        }
    }
    free(doctor->pending);
}

/* --- what there is to look at --- */

/* Hex text, or the bytes themselves. */
static void take_plain(struct capture *capture, const char *name, const char *data, size_t size)
{
    struct capture_stream *stream = &capture->streams[capture->count++];
    struct text hex = {0};
    (void)snprintf(stream->name, sizeof stream->name, "%s", name);
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r\n", data[i]) == NULL || data[i] == 0) {
            text_add_bytes(&hex, data + i, 1);
        }
    }
    size_t count;
    uint8_t *bytes = malloc(hex.size / 2 + 1);
    must(bytes != NULL);
    if (hex.size > 0 && bytes_from_hex(hex.data, hex.size, bytes, hex.size / 2 + 1, &count)) {
        text_add_bytes(&stream->bytes, bytes, count);
    } else {
        text_add_bytes(&stream->bytes, data, size);
    }
    free(bytes);
    text_free(&hex);
}

static bool take_argument(struct capture *capture, const char *argument, bool *whole_too)
{
    struct stat status;
    struct text file;
    const char *why;
    if (stat(argument, &status) != 0) {
        *whole_too = true;
        take_plain(capture, "message", argument, strlen(argument));
        return true;
    }
    if (!text_read(&file, argument, FILE_BYTES, &why)) {
        (void)fprintf(stderr, "%s: %s\n", argument, why);
        return false;
    }
    bool right = true;
    if (capture_is((const uint8_t *)file.data, file.size)) {
        right = capture_read((const uint8_t *)file.data, file.size, capture, &why);
        if (!right) {
            (void)fprintf(stderr, "%s: %s\n", argument, why);
        }
    } else if (capture->count < CAPTURE_STREAMS_MAX) {
        *whole_too = true;
        take_plain(capture, argument, file.data, file.size);
    }
    text_free(&file);
    return right;
}

int ctl_doctor(int argc, char **argv)
{
    struct ctl_iso_options options;
    if (!ctl_iso_options(argc, argv, &options) || options.rest_count < 1 ||
        options.rest_count > 2) {
        (void)fprintf(stderr, "ringctl: doctor FILE.pcap|HEX [FILE.pcap] [--dialect NAME]\n");
        return 2;
    }
    struct doctor *doctor = calloc(1, sizeof *doctor);
    struct capture *capture = calloc(1, sizeof *capture);
    bool whole_too = false, right = true;
    must(doctor != NULL && capture != NULL);
    doctor->capture = capture;
    for (int i = 0; i < options.rest_count; i++) {
        right = right && take_argument(capture, options.rest[i], &whole_too);
    }
    if (options.dialect != NULL) {
        doctor->dialects[0] = ctl_dialect_load(options.dialect);
        doctor->dialects_count = doctor->dialects[0] != NULL;
    } else {
        doctor->dialects_count = ctl_dialects_load(doctor->dialects, DIALECTS_MAX);
    }
    int exit_code = 2;
    if (right && doctor->dialects_count > 0) {
        try_all(doctor, whole_too);
        print_trials(doctor);
        if (doctor->trials[0].decoded > 0) {
            read_conversation(doctor);
        }
        exit_code = doctor->trials[0].decoded == 0 || doctor->is_bad;
    }
    for (uint32_t i = 0; i < doctor->dialects_count; i++) {
        iso_dialect_free(doctor->dialects[i]);
    }
    capture_free(capture);
    free(capture);
    free(doctor->trials);
    free(doctor);
    return exit_code;
}
