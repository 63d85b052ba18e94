/* value.c - one value on the wire: its length prefix, its size, its characters.
 *
 * DESIGN  Length encoding, unit, character encoding and class are independent, so each is one small
 * function over its own enum. Everything is bounded by `limit`, the end of what encloses the value.
 */
#include "iso8583/program.h"

static uint32_t prefix_bytes(const struct iso_length *length);

enum iso_err value_read(const struct iso_dialect *dialect, const struct iso_node *node,
                        const uint8_t *frame, uint32_t position, uint32_t limit,
                        struct iso_field *out, struct problem *problem)
{
    const struct iso_length *length = &node->length;
    uint32_t count = node->min, prefix = 0, size;
    enum iso_err err;

    if (length->encoding == ISO_LEN_REST) {
        size = limit - position;
        count = value_count(dialect, node, length->unit, frame + position, size);
    } else if (length->encoding != ISO_LEN_FIXED) {
        bool minimal;
        err = length_read(length, frame, position, limit, &count, &prefix, &minimal, problem);
        if (err != ISO_OK)
            return err;
    }
    if (count > node->max)
        return problem_set(problem, ISO_TOO_LONG, position, count, node->max);
    if (count < node->min)
        return problem_set(problem, ISO_TOO_SHORT, position, count, node->min);
    if (node->group > 1 && count % node->group != 0)
        return problem_set(problem, ISO_GROUP, position, count, node->group);
    position += prefix;
    if (length->encoding != ISO_LEN_REST) {
        err =
            value_size(dialect, node, length->unit, count, frame, position, limit, &size, problem);
        if (err != ISO_OK)
            return err;
        if (size > limit - position)
            return problem_set(problem, ISO_NEED_MORE, position, limit - position, size);
    }
    err = value_check(dialect, node, frame, position, size, count, problem);
    if (err != ISO_OK)
        return err;
    *out =
        (struct iso_field){(uint16_t)position, (uint16_t)size, (uint16_t)count, (uint16_t)prefix};
    return ISO_OK;
}

/* --- length prefixes --- */

static enum iso_err length_characters(const struct iso_length *length, const uint8_t *p,
                                      uint32_t position, uint32_t *count, struct problem *problem)
{
    uint32_t zero = length->encoding == ISO_LEN_EBCDIC ? 0xF0 : '0';
    uint64_t value = 0;
    for (uint32_t i = 0; i < length->width; i++) {
        if (length->encoding == ISO_LEN_HEX) {
            int digit = hex_digit(p[i], false);
            if (digit < 0)
                return problem_set(problem, ISO_LENGTH, position + i, p[i], 0);
            value = value * 16 + (uint32_t)digit;
        } else {
            uint32_t digit = (uint32_t)p[i] - zero;
            if (digit > 9)
                return problem_set(problem, ISO_LENGTH, position + i, p[i], 0);
            value = value * 10 + digit;
        }
    }
    *count = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    return ISO_OK;
}

static enum iso_err length_packed(const struct iso_length *length, const uint8_t *p,
                                  uint32_t position, uint32_t *count, struct problem *problem)
{
    uint32_t bytes = prefix_bytes(length), value = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        uint32_t high = p[i] >> 4, low = p[i] & 15u;
        bool leading = i == 0 && (length->width & 1) != 0; /* the unused nibble must be zero */
        if (high > 9 || low > 9 || (leading && high != 0))
            return problem_set(problem, ISO_LENGTH, position + i, p[i], 0);
        value = value * 100 + high * 10 + low;
    }
    *count = value;
    return ISO_OK;
}

/* ISO/IEC 8825-1 8.1.3; at most four bytes of length, no indefinite form. */
static enum iso_err length_ber(const uint8_t *p, uint32_t position, uint32_t limit, uint32_t *count,
                               uint32_t *prefix, bool *minimal, struct problem *problem)
{
    if (position >= limit)
        return problem_set(problem, ISO_NEED_MORE, position, 0, 1);
    if (p[0] < 0x80) {
        *count = p[0];
        *prefix = 1;
        return ISO_OK;
    }
    uint32_t bytes = p[0] & 0x7Fu;
    if (bytes == 0 || bytes > 4)
        return problem_set(problem, ISO_LENGTH_BER, position, p[0], 0);
    if (limit - position - 1 < bytes)
        return problem_set(problem, ISO_NEED_MORE, position, limit - position, bytes + 1);
    uint32_t value = 0;
    for (uint32_t i = 1; i <= bytes; i++)
        value = value << 8 | p[i];
    *count = value;
    *prefix = bytes + 1;
    *minimal = value >= 0x80 && p[1] != 0;
    return ISO_OK;
}

static uint32_t prefix_bytes(const struct iso_length *length)
{
    return length->encoding == ISO_LEN_PACKED ? (length->width + 1u) / 2u : length->width;
}

enum iso_err length_read(const struct iso_length *length, const uint8_t *frame, uint32_t position,
                         uint32_t limit, uint32_t *count, uint32_t *prefix, bool *minimal,
                         struct problem *problem)
{
    const uint8_t *p = frame + position;
    enum iso_err err = ISO_OK;
    *minimal = true;
    if (length->encoding == ISO_LEN_BER)
        return length_ber(p, position, limit, count, prefix, minimal, problem);
    uint32_t bytes = prefix_bytes(length);
    if (limit - position < bytes)
        return problem_set(problem, ISO_NEED_MORE, position, limit - position, bytes);
    *prefix = bytes;
    switch (length->encoding) {
    case ISO_LEN_ASCII:
    case ISO_LEN_EBCDIC:
    case ISO_LEN_HEX:
        err = length_characters(length, p, position, count, problem);
        break;
    case ISO_LEN_PACKED:
        err = length_packed(length, p, position, count, problem);
        break;
    case ISO_LEN_BINARY:
        *count = 0;
        for (uint32_t i = 0; i < bytes; i++)
            *count = *count << 8 | p[i];
        break;
    case ISO_LEN_FIXED:
    case ISO_LEN_REST:
    case ISO_LEN_BER:
    case ISO_LEN_COUNT:
        must(false);
    }
    if (err != ISO_OK || !length->includes_itself)
        return err;
    bool half = length->unit == ISO_UNIT_NIBBLES || length->unit == ISO_UNIT_DIGITS;
    uint32_t self = half ? bytes * 2 : bytes;
    if (*count < self)
        return problem_set(problem, ISO_LENGTH_SELF, position, *count, self);
    *count -= self;
    return ISO_OK;
}

/* --- sizes --- */

static bool gbk_is_lead(uint8_t c)
{
    return c >= 0x81 && c <= 0xFE;
}

/* The size of `count` characters of multi-byte text; stops at the limit. */
static enum iso_err scan_characters(enum iso_encoding encoding, uint32_t count,
                                    const uint8_t *frame, uint32_t position, uint32_t limit,
                                    uint32_t *size, struct problem *problem)
{
    uint32_t at = position, code;
    for (uint32_t i = 0; i < count; i++) {
        if (at >= limit)
            return problem_set(problem, ISO_NEED_MORE, position, i, count);
        if (encoding == ISO_ENC_GBK) {
            uint32_t step = gbk_is_lead(frame[at]) ? 2 : 1;
            if (limit - at < step)
                return problem_set(problem, ISO_NEED_MORE, at, limit - at, step);
            at += step;
        } else if (!utf8_next(frame, limit, &at, &code)) {
            uint8_t lead = frame[at];
            uint32_t step = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
            bool cut = lead >= 0xC2 && lead <= 0xF4 && limit - at < step;
            return problem_set(problem, cut ? ISO_NEED_MORE : ISO_CHARSET, at, lead, step);
        }
    }
    *size = at - position;
    return ISO_OK;
}

enum iso_err value_size(const struct iso_dialect *dialect, const struct iso_node *node,
                        enum iso_unit unit, uint32_t count, const uint8_t *frame, uint32_t position,
                        uint32_t limit, uint32_t *size, struct problem *problem)
{
    (void)dialect;
    bool packed = encoding_is_packed(node->encoding);
    switch (unit) {
    case ISO_UNIT_BYTES:
        *size = count;
        return ISO_OK;
    case ISO_UNIT_NIBBLES:
        if ((count & 1) != 0 && !packed)
            return problem_set(problem, ISO_ODD, position, count, 0);
        *size = count / 2 + (count & 1);
        return ISO_OK;
    case ISO_UNIT_DIGITS:
    case ISO_UNIT_CHARACTERS:
        if (packed) {
            uint32_t sign = node->character_class == ISO_CLASS_XN && count > 0;
            uint32_t digits = count - sign;
            if ((digits & 1) != 0 && node->filler_side == ISO_SIDE_NONE)
                return problem_set(problem, ISO_ODD, position, count, 0);
            *size = sign + digits / 2 + (digits & 1);
            return ISO_OK;
        }
        if (encoding_is_hex(node->encoding) && (count & 1) != 0)
            return problem_set(problem, ISO_ODD, position, count, 0);
        if (node->encoding == ISO_ENC_UTF8 || node->encoding == ISO_ENC_GBK)
            return scan_characters(node->encoding, count, frame, position, limit, size, problem);
        *size = count;
        return ISO_OK;
    case ISO_UNIT_OCTETS:
        *size = encoding_is_hex(node->encoding) ? count * 2 : count;
        return ISO_OK;
    case ISO_UNIT_COUNT:
        break;
    }
    must(false);
    return ISO_OK;
}

uint32_t value_count(const struct iso_dialect *dialect, const struct iso_node *node,
                     enum iso_unit unit, const uint8_t *wire, uint32_t size)
{
    (void)dialect;
    bool packed = encoding_is_packed(node->encoding);
    switch (unit) {
    case ISO_UNIT_BYTES:
        return size;
    case ISO_UNIT_NIBBLES:
        return size * 2;
    case ISO_UNIT_OCTETS:
        return encoding_is_hex(node->encoding) ? size / 2 : size;
    case ISO_UNIT_DIGITS:
    case ISO_UNIT_CHARACTERS:
        if (packed)
            return node->character_class == ISO_CLASS_XN ? (size == 0 ? 0 : size * 2 - 1)
                                                         : size * 2;
        if (node->encoding == ISO_ENC_UTF8 || node->encoding == ISO_ENC_GBK) {
            uint32_t at = 0, count = 0, code;
            for (; at < size; count++) {
                if (node->encoding == ISO_ENC_GBK)
                    at += gbk_is_lead(wire[at]) ? 2 : 1;
                else if (!utf8_next(wire, size, &at, &code))
                    at++; /* value_check() refuses it */
            }
            return count;
        }
        return size;
    case ISO_UNIT_COUNT:
        break;
    }
    must(false);
    return 0;
}

/* --- characters --- */

static enum iso_err check_single(const struct iso_dialect *dialect, const struct iso_node *node,
                                 const uint8_t *frame, uint32_t position, uint32_t size,
                                 struct problem *problem)
{
    const struct iso_charset *charset = &dialect->charsets[node->encoding];
    uint32_t i = 0;
    if (node->character_class == ISO_CLASS_XN && size > 0) {
        uint8_t sign = charset->to_latin1[frame[position]];
        if (sign != 'C' && sign != 'D')
            return problem_set(problem, ISO_CHARACTER, position, sign, 0);
        i = 1;
    }
    for (; i < size; i++) {
        uint16_t classes = charset->classes[frame[position + i]];
        if ((classes >> node->character_class & 1) == 0)
            return problem_set(problem, classes == 0 ? ISO_CHARSET : ISO_CHARACTER, position + i,
                               frame[position + i], 0);
    }
    return ISO_OK;
}

static enum iso_err check_multi(const struct iso_dialect *dialect, const struct iso_node *node,
                                const uint8_t *frame, uint32_t position, uint32_t size,
                                struct problem *problem)
{
    const struct iso_charset *ascii = &dialect->charsets[ISO_ENC_ASCII];
    const struct iso_charset *latin1 = &dialect->charsets[ISO_ENC_LATIN1];
    bool wide_allowed =
        node->character_class == ISO_CLASS_ANY || node->character_class == ISO_CLASS_ANS;
    uint32_t end = position + size, at = position, code;
    while (at < end) {
        uint32_t start = at;
        if (node->encoding == ISO_ENC_UTF8) {
            if (!utf8_next(frame, end, &at, &code)) {
                uint8_t lead = frame[at];
                uint32_t step = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
                bool cut = lead >= 0xC2 && lead <= 0xF4 && end - at < step;
                return problem_set(problem, cut ? ISO_CHARACTER_CUT : ISO_CHARSET, at, lead, step);
            }
        } else if (gbk_is_lead(frame[at])) {
            if (end - at < 2)
                return problem_set(problem, ISO_CHARACTER_CUT, at, frame[at], 2);
            code = load_be16(frame + at);
            if (dialect->gbk == NULL || dialect->gbk->to_unicode[code - 0x8000u] == 0)
                return problem_set(problem, ISO_CHARSET, at, code, 0);
            code = dialect->gbk->to_unicode[code - 0x8000u];
            at += 2;
        } else {
            code = frame[at++];
            if (code >= 0x80)
                return problem_set(problem, ISO_CHARSET, start, code, 0);
        }
        /* The control characters 80 to 9F are no text, as in Latin-1. */
        const struct iso_charset *narrow = code < 0x80 ? ascii : latin1;
        bool right =
            code <= 0xFF ? (narrow->classes[code] >> node->character_class & 1) != 0 : wide_allowed;
        if (!right)
            return problem_set(problem, ISO_CHARACTER, start, code, 0);
    }
    return ISO_OK;
}

static enum iso_err check_packed(const struct iso_dialect *dialect, const struct iso_node *node,
                                 const uint8_t *frame, uint32_t position, uint32_t size,
                                 uint32_t count, struct problem *problem)
{
    if (node->character_class == ISO_CLASS_XN && size > 0) {
        enum iso_encoding of =
            node->encoding == ISO_ENC_PACKED_EBCDIC_SIGN ? ISO_ENC_EBCDIC500 : ISO_ENC_ASCII;
        uint8_t sign = dialect->charsets[of].to_latin1[frame[position]];
        if (sign != 'C' && sign != 'D')
            return problem_set(problem, ISO_CHARACTER, position, sign, 0);
        position++;
        size--;
        count -= count > 0;
    }
    struct packed_shape shape = packed_shape(node, (struct span){frame + position, size}, count);
    bool digits_only =
        node->character_class == ISO_CLASS_N || node->character_class == ISO_CLASS_XN;
    for (uint32_t i = 0; i < size * 2; i++) {
        uint32_t nibble =
            (i & 1) == 0 ? frame[position + i / 2] >> 4 : frame[position + i / 2] & 15u;
        bool is_filler = i < shape.first || i >= shape.end;
        if (is_filler && nibble != node->filler && !node->in_digits)
            return problem_set(problem, ISO_FILLER, position + i / 2, nibble, node->filler);
        if (!is_filler && digits_only && nibble > 9)
            return problem_set(problem, ISO_NIBBLE, position + i / 2, nibble, 0);
    }
    return ISO_OK;
}

static enum iso_err check_hex(const struct iso_node *node, const uint8_t *frame, uint32_t position,
                              uint32_t size, struct problem *problem)
{
    bool ebcdic = node->encoding == ISO_ENC_HEX_EBCDIC;
    for (uint32_t i = 0; i < size; i++)
        if (hex_digit(frame[position + i], ebcdic) < 0)
            return problem_set(problem, ISO_HEX, position + i, frame[position + i], 0);
    if ((size & 1) != 0)
        return problem_set(problem, ISO_ODD, position, size, 0);
    return ISO_OK;
}

enum iso_err value_check(const struct iso_dialect *dialect, const struct iso_node *node,
                         const uint8_t *frame, uint32_t position, uint32_t size, uint32_t count,
                         struct problem *problem)
{
    switch (node->encoding) {
    case ISO_ENC_BINARY:
        return ISO_OK;
    case ISO_ENC_ASCII:
    case ISO_ENC_LATIN1:
    case ISO_ENC_EBCDIC037:
    case ISO_ENC_EBCDIC500:
    case ISO_ENC_EBCDIC1047:
        return check_single(dialect, node, frame, position, size, problem);
    case ISO_ENC_UTF8:
    case ISO_ENC_GBK:
        return check_multi(dialect, node, frame, position, size, problem);
    case ISO_ENC_PACKED:
    case ISO_ENC_PACKED_EBCDIC_SIGN:
        return check_packed(dialect, node, frame, position, size, count, problem);
    case ISO_ENC_HEX:
    case ISO_ENC_HEX_EBCDIC:
        return check_hex(node, frame, position, size, problem);
    case ISO_ENCODINGS_COUNT:
        break;
    }
    must(false);
    return ISO_OK;
}
