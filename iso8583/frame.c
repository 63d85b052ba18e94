/* frame.c - length prefixes of messages on a stream.
 *
 * DESIGN  A framing is a row of shapes[]: how many bytes the prefix has, how the number stands in
 * it, whether it counts itself. Data-plane threads; no state. */
#include "iso8583/frame.h"

#include "base/limits.h"

enum number { BIG, LITTLE, DIGITS, PACKED };
static const struct shape {
    uint8_t size; /* of the whole prefix */
    uint8_t number_size;
    uint8_t number; /* enum number */
    bool inclusive;
} shapes[] = {
    [ISO_FRAMING_BINARY2] = {2, 2, BIG, false},
    [ISO_FRAMING_BINARY2_INCLUSIVE] = {2, 2, BIG, true},
    [ISO_FRAMING_BINARY4] = {4, 4, BIG, false},
    [ISO_FRAMING_BINARY4_INCLUSIVE] = {4, 4, BIG, true},
    [ISO_FRAMING_LITTLE2] = {2, 2, LITTLE, false},
    [ISO_FRAMING_VMLH] = {4, 2, BIG, false},
    [ISO_FRAMING_BINARY2_RESERVED2] = {4, 2, BIG, false},
    [ISO_FRAMING_ASCII4] = {4, 4, DIGITS, false},
    [ISO_FRAMING_ASCII4_INCLUSIVE] = {4, 4, DIGITS, true},
    [ISO_FRAMING_PACKED2] = {2, 2, PACKED, false},
};
_Static_assert(countof(shapes) == ISO_FRAMINGS_COUNT, "one shape a framing");

#define VMLH_BYTES_MAX 2048u /* a message behind a VMLH is at most this long */

static inline bool read_number(const struct shape *shape, const uint8_t *p, uint32_t *out)
{
    uint32_t value = 0;
    switch ((enum number)shape->number) {
    case BIG:
        *out = shape->number_size == 2 ? load_be16(p) : load_be32(p);
        return true;
    case LITTLE:
        *out = (uint32_t)p[0] | (uint32_t)p[1] << 8;
        return true;
    case DIGITS:
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t digit = (uint32_t)p[i] - '0';
            if (digit > 9)
                return false;
            value = value * 10 + digit;
        }
        *out = value;
        return true;
    case PACKED:
        for (uint32_t i = 0; i < 2; i++) {
            if (p[i] >> 4 > 9 || (p[i] & 15) > 9)
                return false;
            value = value * 100 + (p[i] >> 4) * 10u + (p[i] & 15u);
        }
        *out = value;
        return true;
    }
    return false;
}

static enum iso_frame_result bad(struct iso_frame *out, enum iso_err err)
{
    out->err = err;
    return ISO_FRAME_BAD;
}

static inline enum iso_frame_result next(const struct iso_framing *framing, struct span stream,
                                         struct iso_frame *out)
{
    const struct shape *shape = &shapes[framing->kind];
    uint32_t size;
    out->session_control = false;
    if (stream.size < shape->size) {
        out->need = shape->size;
        return ISO_FRAME_NEED_MORE;
    }
    if (!read_number(shape, stream.data, &size))
        return bad(out, ISO_FRAME_LENGTH);
    if (shape->inclusive) {
        if (size < shape->size)
            return bad(out, ISO_FRAME_SHORT);
        size -= shape->size;
    }
    uint32_t most = framing->size_max;
    if (framing->kind == ISO_FRAMING_VMLH) {
        if (most > VMLH_BYTES_MAX)
            most = VMLH_BYTES_MAX;
        out->session_control = (stream.data[3] & 0xF0) == 0x20;
    } else if (framing->kind == ISO_FRAMING_BINARY2_RESERVED2 && load_be16(stream.data + 2) != 0) {
        return bad(out, ISO_FRAME_LENGTH);
    }
    if (size > most)
        return bad(out, ISO_FRAME_LONG);
    if (stream.size - shape->size < size) {
        out->need = shape->size + size;
        return ISO_FRAME_NEED_MORE;
    }
    out->message = (struct span){stream.data + shape->size, size};
    out->consumed = shape->size + size;
    return ISO_FRAME_WHOLE;
}

enum iso_frame_result iso_frame_next(const struct iso_framing *framing, struct span stream,
                                     struct iso_frame *out)
{
    return next(framing, stream, out);
}

uint32_t iso_frame_next_many(const struct iso_framing *framing, struct span stream,
                             struct iso_frame *frames, uint32_t frames_max,
                             enum iso_frame_result *result)
{
    uint32_t count = 0;
    *result = ISO_FRAME_WHOLE;
    while (count < frames_max) {
        *result = next(framing, stream, &frames[count]);
        if (*result != ISO_FRAME_WHOLE)
            return count;
        stream.data += frames[count].consumed;
        stream.size -= frames[count].consumed;
        count++;
    }
    return count;
}

uint32_t iso_frame_put(const struct iso_framing *framing, uint32_t size, uint8_t out[4])
{
    const struct shape *shape = &shapes[framing->kind];
    if (size > framing->size_max)
        return 0;
    uint32_t number = shape->inclusive ? size + shape->size : size;
    memset(out, 0, 4);
    switch ((enum number)shape->number) {
    case BIG:
        if (shape->number_size == 4)
            store_be32(out, number);
        else if (number > 0xFFFF)
            return 0;
        else
            store_be16(out, (uint16_t)number);
        break;
    case LITTLE:
        if (number > 0xFFFF)
            return 0;
        out[0] = (uint8_t)number;
        out[1] = (uint8_t)(number >> 8);
        break;
    case DIGITS:
        if (number > 9999)
            return 0;
        bytes_put_number(out, 4, number);
        break;
    case PACKED:
        if (number > 9999)
            return 0;
        out[0] = (uint8_t)(number / 1000 << 4 | number / 100 % 10);
        out[1] = (uint8_t)(number / 10 % 10 << 4 | number % 10);
        break;
    }
    return shape->size;
}

uint32_t iso_frame_prefix_size(const struct iso_framing *framing)
{
    return shapes[framing->kind].size;
}

static const char *const texts[] = {
#define ISO_FRAMING(name, text, help) text,
#include "iso8583/framing.def"
#undef ISO_FRAMING
};

const char *iso_framing_text(enum iso_framing_kind kind)
{
    must((size_t)kind < countof(texts));
    return texts[kind];
}

bool iso_framing_by_name(const char *name, struct iso_framing *framing)
{
    for (uint32_t i = 0; i < countof(texts); i++)
        if (strcmp(name, texts[i]) == 0) {
            *framing = (struct iso_framing){(enum iso_framing_kind)i, LIMIT_FRAME_BYTES_MAX};
            return true;
        }
    return false;
}
