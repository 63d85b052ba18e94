/* fault.c - says in words what the interpreter found, and what is likeliest to be behind it.
 *
 * The place where a message stops making sense is often not where it went wrong: a header that the
 * dialect does not expect is read as the MTI; a length that counts something else shifts all that
 * follows. Only positions, counts and single bytes of structure are named, never field content. */
#include "iso8583/program.h"

#include <stdarg.h>
#include <stdio.h>

static void set_cause(struct iso_fault *fault, const char *format, ...) PRINTF(2, 3);

void fault_fill(struct iso_fault *fault, uint32_t de, const char *path,
                const struct problem *problem)
{
    memset(fault, 0, sizeof(*fault));
    fault->code = problem->code;
    fault->de = (uint16_t)de;
    fault->offset = problem->offset;
    (void)snprintf(fault->path, sizeof(fault->path), "%s", path);
    const char *text = iso_err_text(problem->code);
    size_t size = sizeof(fault->text);
    uint32_t found = problem->found, expected = problem->expected;
    switch (problem->code) {
    case ISO_NEED_MORE:
    case ISO_SUBFIELD_CUT:
    case ISO_NO_ROOM:
        (void)snprintf(fault->text, size, "%s: %u of %u bytes are there", text, found, expected);
        break;
    case ISO_LEFT_OVER:
    case ISO_SUBFIELD_LEFT_OVER:
        (void)snprintf(fault->text, size, "%s: %u", text, found);
        break;
    case ISO_TOO_LONG:
    case ISO_VALUE_LONG:
    case ISO_TOO_BIG:
        (void)snprintf(fault->text, size, "%s: %u, at most %u", text, found, expected);
        break;
    case ISO_TOO_SHORT:
    case ISO_VALUE_SHORT:
    case ISO_LENGTH_SELF:
        (void)snprintf(fault->text, size, "%s: %u, at least %u", text, found, expected);
        break;
    case ISO_GROUP:
        (void)snprintf(fault->text, size, "%s: %u, groups of %u", text, found, expected);
        break;
    case ISO_MTI:
    case ISO_BITMAP:
    case ISO_LENGTH:
    case ISO_LENGTH_BER:
        (void)snprintf(fault->text, size, "%s: byte %02X", text, found & 0xFF);
        break;
    case ISO_HEADER:
    case ISO_FILLER:
        (void)snprintf(fault->text, size, "%s: %X, expected %X", text, found, expected);
        break;
    case ISO_OK:
    case ISO_BITMAP_FOURTH:
    case ISO_FIELD_UNKNOWN:
    case ISO_CHARACTER:
    case ISO_CHARSET:
    case ISO_CHARACTER_CUT:
    case ISO_NIBBLE:
    case ISO_ODD:
    case ISO_HEX:
    case ISO_TAG:
    case ISO_TAG_UNKNOWN:
    case ISO_TAG_REPEATED:
    case ISO_SUBFIELD_UNKNOWN:
    case ISO_SUBFIELD_MISSING:
    case ISO_VALUE:
    case ISO_VALUE_FORM:
    case ISO_FIELD_UNBUILDABLE:
    case ISO_TRACK:
    case ISO_MTI_UNKNOWN:
    case ISO_MISSING:
    case ISO_MISSING_CONDITIONAL:
    case ISO_FORBIDDEN:
    case ISO_ECHO:
    case ISO_RULE:
    case ISO_FRAME_LENGTH:
    case ISO_FRAME_LONG:
    case ISO_FRAME_SHORT:
    case ISO_ERRS_COUNT:
        (void)snprintf(fault->text, size, "%s", text);
        break;
    }
}

static void set_cause(struct iso_fault *fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->cause, sizeof(fault->cause), format, arguments);
    va_end(arguments);
}

static bool are_ascii_digits(const uint8_t *p, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

static void explain_mti(const struct iso_dialect *dialect, const struct iso_msg *msg,
                        struct iso_fault *fault)
{
    uint32_t left = msg->size - msg->mti_offset;
    const uint8_t *p = msg->frame + msg->mti_offset;
    if (left >= 9 && p[0] == 0x60 && (are_ascii_digits(p + 5, 4) || p[5] < 0x20))
        set_cause(fault, "a TPDU of 5 bytes stands before the MTI");
    else if (left >= 4 && load_be16(p) == msg->size - 2)
        set_cause(fault, "the frame's 2-byte length was left on the message");
    else if (left >= 8 && are_ascii_digits(p, 8) == false && are_ascii_digits(p + 4, 4) &&
             load_be32(p) == msg->size - 4)
        set_cause(fault, "the frame's 4-byte length was left on the message");
    else if (left >= 26 && p[0] == 22 && (p[1] == 1 || p[1] == 2))
        set_cause(fault, "a header of 22 bytes stands before the MTI");
    else if (left >= 7 && memcmp(p, "ISO", 3) == 0)
        set_cause(fault, "a text header that begins with ISO stands before the MTI");
    else if (left >= 4 && (p[0] & 0xF0) == 0xF0 && (p[1] & 0xF0) == 0xF0 &&
             dialect->mti.encoding == ISO_ENC_ASCII)
        set_cause(fault, "the MTI is EBCDIC");
    else if (left >= 2 && p[0] < 0x30 && dialect->mti.encoding == ISO_ENC_ASCII)
        set_cause(fault, "the MTI may be packed, or a header stands before it");
    else if (left >= 4 && are_ascii_digits(p, 4) && dialect->mti.encoding != ISO_ENC_ASCII)
        set_cause(fault, "the MTI is ASCII");
}

static void explain_shift(const struct iso_dialect *dialect, const struct iso_msg *msg,
                          struct iso_fault *fault)
{
    for (uint32_t i = 0; i < countof(fault->read_last) && fault->read_last[i] != 0; i++) {
        uint32_t de = fault->read_last[i];
        const struct iso_node *node = dialect->fields[de];
        if (node == NULL || node->length.encoding == ISO_LEN_FIXED)
            continue;
        if (encoding_is_packed(node->encoding) || node->length.encoding == ISO_LEN_BINARY)
            set_cause(fault,
                      "the length of field %u, read before, may count something else "
                      "(bytes, digits, itself)",
                      de);
        else
            set_cause(fault, "field %u, read before, may be shorter or longer than its length said",
                      de);
        return;
    }
    if (fault->read_last[0] != 0)
        set_cause(fault, "field %u, read before, may have another size or encoding",
                  fault->read_last[0]);
    (void)msg;
}

/* Sixteen hexadecimal characters where the dialect has a binary bitmap. */
static bool bitmap_is_text(const struct iso_dialect *dialect, const struct iso_msg *msg)
{
    if (dialect->bitmap.encoding[0] != ISO_ENC_BINARY || msg->size < msg->bitmap_offset + 16u)
        return false;
    for (uint32_t i = 0; i < 16; i++)
        if (hex_digit(msg->frame[msg->bitmap_offset + i], false) < 0)
            return false;
    return true;
}

void fault_explain(const struct iso_dialect *dialect, const struct iso_msg *msg,
                   struct iso_fault *fault)
{
    uint32_t count = 0;
    for (uint32_t de = ISO_FIELDS_MAX; de >= 2 && count < countof(fault->read_last); de--)
        if (iso_msg_has(msg, de))
            fault->read_last[count++] = (uint16_t)de;
    if (fault->de > 0 && bitmap_is_text(dialect, msg)) {
        set_cause(fault, "the bitmap may be hexadecimal text");
        return;
    }
    switch (fault->code) {
    case ISO_MTI:
        explain_mti(dialect, msg, fault);
        break;
    case ISO_BITMAP:
        if (dialect->bitmap.encoding[0] != ISO_ENC_BINARY)
            set_cause(fault, "the bitmap may be binary");
        break;
    case ISO_NEED_MORE:
        if (fault->de == 1 && dialect->bitmap.encoding[0] != ISO_ENC_BINARY)
            set_cause(fault, "the bitmap may be binary");
        else if (fault->de > 1)
            explain_shift(dialect, msg, fault);
        break;
    case ISO_FIELD_UNKNOWN:
    case ISO_LENGTH:
    case ISO_LENGTH_SELF:
    case ISO_TOO_LONG:
    case ISO_TOO_SHORT:
    case ISO_LEFT_OVER:
    case ISO_CHARACTER:
    case ISO_CHARSET:
    case ISO_NIBBLE:
    case ISO_FILLER:
    case ISO_HEX:
        explain_shift(dialect, msg, fault);
        break;
    case ISO_OK:
    case ISO_TOO_BIG:
    case ISO_HEADER:
    case ISO_BITMAP_FOURTH:
    case ISO_GROUP:
    case ISO_CHARACTER_CUT:
    case ISO_ODD:
    case ISO_TAG:
    case ISO_TAG_UNKNOWN:
    case ISO_TAG_REPEATED:
    case ISO_LENGTH_BER:
    case ISO_SUBFIELD_UNKNOWN:
    case ISO_SUBFIELD_LEFT_OVER:
    case ISO_SUBFIELD_MISSING:
    case ISO_SUBFIELD_CUT:
    case ISO_NO_ROOM:
    case ISO_VALUE:
    case ISO_VALUE_LONG:
    case ISO_VALUE_SHORT:
    case ISO_VALUE_FORM:
    case ISO_FIELD_UNBUILDABLE:
    case ISO_TRACK:
    case ISO_MTI_UNKNOWN:
    case ISO_MISSING:
    case ISO_MISSING_CONDITIONAL:
    case ISO_FORBIDDEN:
    case ISO_ECHO:
    case ISO_RULE:
    case ISO_FRAME_LENGTH:
    case ISO_FRAME_LONG:
    case ISO_FRAME_SHORT:
    case ISO_ERRS_COUNT:
        break;
    }
}
