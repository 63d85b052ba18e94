/* charset.c - single-byte encodings and their character classes; UTF-8.
 *
 * Tables are filled into each dialect when it is loaded, so nothing here is global but the three
 * published code pages. */
#include "iso8583/program.h"

#define ISO_EBCDIC(number, ...) static const uint8_t ebcdic##number[256] = {__VA_ARGS__};
#include "iso8583/charset.def"
#undef ISO_EBCDIC

static uint16_t classes_of(uint8_t latin1);

void charset_fill(struct iso_charset *charset, enum iso_encoding encoding)
{
    const uint8_t *page = encoding == ISO_ENC_EBCDIC037    ? ebcdic037
                          : encoding == ISO_ENC_EBCDIC500  ? ebcdic500
                          : encoding == ISO_ENC_EBCDIC1047 ? ebcdic1047
                                                           : NULL;
    for (uint32_t i = 0; i < 256; i++) {
        uint8_t latin1 = page != NULL ? page[i] : (uint8_t)i;
        charset->to_latin1[i] = latin1;
        charset->from_latin1[latin1] = (uint8_t)i;
        charset->classes[i] =
            encoding == ISO_ENC_ASCII && i >= 0x80 ? (uint16_t)0 : classes_of(latin1);
    }
}

static uint16_t classes_of(uint8_t c)
{
    bool digit = c >= '0' && c <= '9';
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    bool blank = c == ' ';
    bool printable = (c >= 0x20 && c <= 0x7E) || c >= 0xA0;
    bool special = printable && !digit && !letter;
    unsigned bits = 1u << ISO_CLASS_ANY | 1u << ISO_CLASS_B;
    bits |= (unsigned)digit << ISO_CLASS_N;
    bits |= (unsigned)(letter || blank) << ISO_CLASS_A;
    bits |= (unsigned)special << ISO_CLASS_S;
    bits |= (unsigned)(letter || digit || blank) << ISO_CLASS_AN;
    bits |= (unsigned)(letter || special) << ISO_CLASS_AS;
    bits |= (unsigned)(digit || special) << ISO_CLASS_NS;
    bits |= (unsigned)printable << ISO_CLASS_ANS;
    bits |= (unsigned)((c >= '0' && c <= '?') || c == 'D') << ISO_CLASS_Z;
    bits |= (unsigned)digit << ISO_CLASS_XN; /* the sign is looked at by its place */
    bits |= (unsigned)(digit || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f')) << ISO_CLASS_HEX;
    return (uint16_t)bits;
}

bool utf8_next(const uint8_t *text, uint32_t size, uint32_t *position, uint32_t *code)
{
    uint32_t at = *position;
    if (at >= size)
        return false;
    uint8_t lead = text[at];
    uint32_t more = lead < 0x80 ? 0 : lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || size - at <= more)
        return false;
    uint32_t value = more == 0 ? lead : lead & (0x3Fu >> more);
    for (uint32_t i = 1; i <= more; i++) {
        if ((text[at + i] & 0xC0) != 0x80)
            return false;
        value = value << 6 | (text[at + i] & 0x3F);
    }
    /* Overlong forms, surrogates and values beyond Unicode are no characters. */
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (value < least[more] || (value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF)
        return false;
    *position = at + more + 1;
    *code = value;
    return true;
}

uint32_t utf8_put(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}
