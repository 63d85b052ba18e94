/* message.c - see message.h. */
#include "tests/sim/message.h"

#include "base/bytes.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Fixed size, or -2, -3 for two or three digits of length. Only what the simulator says and hears.
 */
static int form_of(uint32_t field)
{
    static const struct {
        uint8_t field;
        int8_t form;
    } forms[] = {{2, -2},  {3, 6},   {4, 12},  {7, 10}, {11, 6},  {12, 6},  {13, 4},  {14, 4},
                 {15, 4},  {18, 4},  {22, 3},  {23, 3}, {25, 2},  {32, -2}, {33, -2}, {35, -2},
                 {37, 12}, {38, 6},  {39, 2},  {41, 8}, {42, 15}, {44, -2}, {48, -3}, {49, 3},
                 {52, 8},  {53, 16}, {54, -3}, {64, 8}, {70, 3},  {90, 42}, {95, 42}, {103, -2}};
    for (uint32_t i = 0; i < countof(forms); i++) {
        if (forms[i].field == field) {
            return forms[i].form;
        }
    }
    return 0;
}

void sim_set_bytes(struct sim_message *message, uint32_t field, const void *bytes, uint32_t size)
{
    must(field <= 128 && size <= SIM_FIELD_BYTES);
    memcpy(message->value[field], bytes, size);
    message->size[field] = (uint8_t)size;
}

void sim_set(struct sim_message *message, uint32_t field, const char *format, ...)
{
    char text[SIM_FIELD_BYTES + 1];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    must(size > 0 && (size_t)size <= SIM_FIELD_BYTES);
    sim_set_bytes(message, field, text, (uint32_t)size);
}

void sim_clear(struct sim_message *message, uint32_t field)
{
    message->size[field] = 0;
}

const char *sim_get(const struct sim_message *message, uint32_t field)
{
    static char texts[8][SIM_FIELD_BYTES + 1];
    static uint32_t next;
    char *text = texts[next++ % 8];
    memcpy(text, message->value[field], message->size[field]);
    text[message->size[field]] = '\0';
    return text;
}

uint32_t sim_write(const struct sim_message *message, uint8_t *out, uint32_t out_size)
{
    uint8_t bitmap[16] = {0};
    bool is_long = false;
    for (uint32_t field = 2; field <= 128; field++) {
        if (message->size[field] > 0) {
            bitmap[(field - 1) / 8] |= (uint8_t)(0x80u >> (field - 1) % 8);
            is_long |= field > 64;
        }
    }
    bitmap[0] |= is_long ? 0x80 : 0;
    uint32_t at = 2;
    must(out_size > 2048);
    memcpy(out + at, message->mti, 4);
    at += 4;
    memcpy(out + at, bitmap, is_long ? 16 : 8);
    at += is_long ? 16 : 8;
    for (uint32_t field = 2; field <= 128; field++) {
        int form = form_of(field);
        uint32_t size = message->size[field];
        if (size == 0) {
            continue;
        }
        must(form != 0 && (form < 0 || (uint32_t)form == size));
        if (form < 0) {
            bytes_put_number(out + at, (uint32_t)-form, size);
            at += (uint32_t)-form;
        }
        memcpy(out + at, message->value[field], size);
        at += size;
    }
    out[0] = (uint8_t)((at - 2) >> 8);
    out[1] = (uint8_t)(at - 2);
    return at;
}

bool sim_read(const uint8_t *data, uint32_t size, struct sim_message *message)
{
    memset(message, 0, sizeof *message);
    if (size < 12) {
        return false;
    }
    memcpy(message->mti, data, 4);
    uint32_t at = (data[4] & 0x80) != 0 ? 20 : 12;
    const uint32_t last = at == 20 ? 128 : 64;
    for (uint32_t field = 2; field <= last; field++) {
        if ((data[4 + (field - 1) / 8] & 0x80u >> (field - 1) % 8) == 0) {
            continue;
        }
        int form = form_of(field);
        uint32_t bytes = (uint32_t)form;
        if (form < 0) {
            bytes = 0;
            for (int i = 0; i < -form; i++) {
                if (at >= size || data[at] < '0' || data[at] > '9') {
                    return false;
                }
                bytes = bytes * 10 + (uint32_t)(data[at++] - '0');
            }
        }
        if (form == 0 || bytes > SIM_FIELD_BYTES || at + bytes > size) {
            return false;
        }
        sim_set_bytes(message, field, data + at, bytes); /* none at all: the echo of a fault */
        at += bytes;
    }
    return at == size;
}

void sim_stream_add(struct sim_stream *stream, const uint8_t *data, uint32_t size)
{
    must(stream->count + size <= sizeof stream->bytes);
    memcpy(stream->bytes + stream->count, data, size);
    stream->count += size;
}

enum sim_took sim_stream_take(struct sim_stream *stream, struct sim_message *message)
{
    uint32_t size = 0, at = 0;
    for (; at + 2 <= stream->count && size == 0; at += 2) { /* a length of zero: keep-alive */
        size = (uint32_t)stream->bytes[at] << 8 | stream->bytes[at + 1];
    }
    if (size == 0 || at + size > stream->count) {
        return SIM_TOOK_NOTHING;
    }
    bool ok = sim_read(stream->bytes + at, size, message);
    stream->count -= at + size;
    memmove(stream->bytes, stream->bytes + at + size, stream->count);
    return ok ? SIM_TOOK_MESSAGE : SIM_TOOK_GARBAGE;
}

void sim_say(struct sim_socket *socket, const struct sim_message *message)
{
    uint8_t out[4096];
    uint32_t size = sim_write(message, out, sizeof out);
    sim_peer_send(socket, out, size);
}

void sim_answer_mti(const char mti[5], char out[5])
{
    memcpy(out, mti, 5);
    out[2]++;
    out[3] = '0';
}
