/* interpret.c - the reader that says exactly where and why a message cannot be read.
 *
 * DESIGN  One pass from the first byte to the last over the dialect's nodes. It is the definition
 * of what a dialect means; parse.c's straight line is held to it by tests. On a fault everything
 * read before stays in `out`. */
#include "iso8583/program.h"

#include <stdio.h>

struct reader {
    const struct iso_dialect *dialect;
    struct span frame;
    struct iso_msg *out;
    struct problem problem;
    uint32_t position;
    uint32_t de;               /* 0: header, MTI, left over; 1: bitmap */
    const char *part;          /* "header", "mti", "bitmap", or NULL */
    const struct iso_node *in; /* composite that holds the fault, or NULL */
    struct iso_field in_at;
};

static enum iso_err read_message(struct reader *reader);
static enum iso_err read_mti(struct reader *reader);
static enum iso_err read_bitmaps(struct reader *reader);
static enum iso_err read_field(struct reader *reader, uint32_t de);

enum iso_err iso_parse_checked(const struct iso_dialect *dialect, struct span frame,
                               struct iso_msg *out, struct iso_fault *fault)
{
    struct reader reader = {.dialect = dialect, .frame = frame, .out = out};
    out->frame = frame.data;
    out->size = frame.size;
    out->blocks = 0;
    out->complete = false;
    out->header_size = out->mti_offset = out->bitmap_offset = 0;
    memset(out->mti, 0, sizeof(out->mti));
    memset(out->bitmap, 0, sizeof(out->bitmap));
    memset(out->present, 0, sizeof(out->present));

    enum iso_err err = read_message(&reader);
    out->complete = err == ISO_OK;
    if (err == ISO_OK || fault == NULL)
        return err;
    char path[ISO_PATH_BYTES] = "";
    if (reader.in != NULL)
        composite_path(dialect, frame.data, reader.in, &reader.in_at, reader.de, &reader.problem,
                       path);
    else if (reader.part != NULL)
        (void)snprintf(path, sizeof(path), "%s", reader.part);
    else if (reader.de > 1)
        (void)snprintf(path, sizeof(path), "%u", reader.de);
    fault_fill(fault, reader.de, path, &reader.problem);
    fault_explain(dialect, out, fault);
    return err;
}

static enum iso_err read_message(struct reader *reader)
{
    const struct iso_dialect *dialect = reader->dialect;
    struct iso_msg *out = reader->out;
    uint32_t header;

    if (reader->frame.size > ISO_MESSAGE_BYTES_MAX)
        return problem_set(&reader->problem, ISO_TOO_BIG, 0, reader->frame.size,
                           ISO_MESSAGE_BYTES_MAX);
    reader->part = "header";
    enum iso_err err = header_read(dialect, reader->frame, &header, &reader->problem);
    if (err != ISO_OK)
        return err;
    out->header_size = (uint16_t)header;
    reader->position = header;
    err = read_mti(reader);
    if (err == ISO_OK)
        err = read_bitmaps(reader);
    if (err != ISO_OK)
        return err;
    reader->part = NULL;
    for (uint32_t word = 0; word < 3; word++) {
        /* Word 2 may be filled on the way, by field 65. */
        uint64_t bits = out->bitmap[word] & (UINT64_MAX >> 1);
        if (word == 1 && dialect->bitmap.tertiary == ISO_TERTIARY_NONE)
            bits = out->bitmap[word];
        if (word == 1 && dialect->bitmap.tertiary == ISO_TERTIARY_FIELD)
            bits = out->bitmap[word];
        while (bits != 0) {
            uint32_t bit = (uint32_t)__builtin_clzll(bits);
            bits &= ~(UINT64_C(1) << (63 - bit));
            err = read_field(reader, word * 64 + bit + 1);
            if (err != ISO_OK)
                return err;
        }
    }
    reader->de = 0;
    if (reader->position != reader->frame.size)
        return problem_set(&reader->problem, ISO_LEFT_OVER, reader->position,
                           reader->frame.size - reader->position, 0);
    return ISO_OK;
}

enum iso_err header_read(const struct iso_dialect *dialect, struct span frame, uint32_t *size,
                         struct problem *problem)
{
    const struct iso_header_form *form = &dialect->header;
    switch (form->kind) {
    case ISO_HEADER_NONE:
        *size = 0;
        return ISO_OK;
    case ISO_HEADER_FIXED:
    case ISO_HEADER_TPDU:
        *size = form->size;
        break;
    case ISO_HEADER_TEXT:
        *size = form->size;
        for (uint32_t i = 0; i < form->initial_size && i < frame.size; i++)
            if (frame.data[i] != form->initial[i])
                return problem_set(problem, ISO_HEADER, i, frame.data[i], form->initial[i]);
        break;
    case ISO_HEADER_LENGTH:
        if (frame.size == 0)
            return problem_set(problem, ISO_NEED_MORE, 0, 0, 1);
        *size = frame.data[0];
        if (form->reject_size != 0 && *size == form->reject_size) {
            if (frame.size <= *size)
                return problem_set(problem, ISO_NEED_MORE, 0, frame.size, *size + 1u);
            *size += frame.data[*size];
            if (*size - form->reject_size < form->size)
                return problem_set(problem, ISO_HEADER, form->reject_size,
                                   *size - form->reject_size, form->size);
        } else if (*size < form->size) {
            return problem_set(problem, ISO_HEADER, 0, *size, form->size);
        }
        break;
    }
    if (frame.size < *size)
        return problem_set(problem, ISO_NEED_MORE, 0, frame.size, *size);
    return ISO_OK;
}

static enum iso_err read_mti(struct reader *reader)
{
    const struct iso_mti_form *form = &reader->dialect->mti;
    const uint8_t *p = reader->frame.data + reader->position;
    uint32_t size = form->encoding == ISO_ENC_PACKED ? 2 : 4;
    reader->part = "mti";
    reader->out->mti_offset = (uint16_t)reader->position;
    if (reader->frame.size - reader->position < size)
        return problem_set(&reader->problem, ISO_NEED_MORE, reader->position,
                           reader->frame.size - reader->position, size);
    char mti[4];
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t byte = size == 2 ? p[i / 2] : p[i];
        if (size == 2)
            byte = (uint8_t)('0' + (i % 2 == 0 ? byte >> 4 : byte & 15));
        else {
            const struct iso_charset *charset = &reader->dialect->charsets[form->encoding];
            bool allowed = (charset->classes[byte] >> ISO_CLASS_ANY & 1) != 0;
            byte = charset->to_latin1[byte];
            if (!allowed)
                byte = 0;
        }
        bool digit = byte >= '0' && byte <= '9';
        bool other = form->any_characters && size == 4 && byte >= 0x20 && byte < 0x7F;
        if (!digit && !other)
            return problem_set(&reader->problem, ISO_MTI, reader->position + i * size / 4,
                               p[i * size / 4], 0);
        mti[i] = (char)byte;
    }
    memcpy(reader->out->mti, mti, sizeof(mti));
    reader->position += size;
    return ISO_OK;
}

static enum iso_err read_map(struct reader *reader, uint32_t block)
{
    enum iso_encoding encoding = reader->dialect->bitmap.encoding[block];
    uint32_t size = encoding == ISO_ENC_BINARY ? 8 : 16;
    const uint8_t *p = reader->frame.data + reader->position;
    if (reader->frame.size - reader->position < size)
        return problem_set(&reader->problem, ISO_NEED_MORE, reader->position,
                           reader->frame.size - reader->position, size);
    uint64_t word = 0;
    if (encoding == ISO_ENC_BINARY)
        word = load_be64(p);
    else
        for (uint32_t i = 0; i < 16; i++) {
            int digit = hex_digit(p[i], encoding == ISO_ENC_HEX_EBCDIC);
            if (digit < 0)
                return problem_set(&reader->problem, ISO_BITMAP, reader->position + i, p[i], 0);
            word = word << 4 | (uint64_t)digit;
        }
    reader->out->bitmap[block] = word;
    reader->out->blocks = (uint8_t)(block + 1);
    if (block == 2 && word >> 63 != 0)
        return problem_set(&reader->problem, ISO_BITMAP_FOURTH, reader->position, 0, 0);
    reader->position += size;
    return ISO_OK;
}

static enum iso_err read_bitmaps(struct reader *reader)
{
    const struct iso_bitmap_form *form = &reader->dialect->bitmap;
    struct iso_msg *out = reader->out;
    reader->part = "bitmap";
    reader->de = 1;
    out->bitmap_offset = (uint16_t)reader->position;
    enum iso_err err = read_map(reader, 0);
    if (err != ISO_OK)
        return err;
    bool announced = out->bitmap[0] >> 63 != 0;
    if (announced && form->no_secondary)
        return problem_set(&reader->problem, ISO_BITMAP, out->bitmap_offset, 0, 0);
    if (announced || form->always_secondary)
        err = read_map(reader, 1);
    if (err == ISO_OK && form->tertiary == ISO_TERTIARY_CONTIGUOUS && out->bitmap[1] >> 63 != 0)
        err = read_map(reader, 2);
    return err;
}

static enum iso_err read_field(struct reader *reader, uint32_t de)
{
    const struct iso_dialect *dialect = reader->dialect;
    struct iso_msg *out = reader->out;
    const struct iso_node *node = dialect->fields[de];
    reader->de = de;
    if (de == 65 && dialect->bitmap.tertiary == ISO_TERTIARY_FIELD)
        return read_map(reader, 2);
    if (node == NULL)
        return problem_set(&reader->problem, ISO_FIELD_UNKNOWN, reader->position, de, 0);
    struct iso_field *field = &out->fields[de];
    enum iso_err err = value_read(dialect, node, reader->frame.data, reader->position,
                                  reader->frame.size, field, &reader->problem);
    if (err != ISO_OK)
        return err;
    if (node->composite.kind != ISO_COMPOSITE_NONE && !node->composite.lazy) {
        err = composite_check(dialect, reader->frame.data, node, field, &reader->problem);
        if (err != ISO_OK) {
            reader->in = node;
            reader->in_at = *field;
            return err;
        }
    }
    uint32_t bit = de - 1;
    out->present[bit >> 6] |= UINT64_C(1) << (63 - (bit & 63));
    reader->position = (uint32_t)field->offset + field->size;
    return ISO_OK;
}
