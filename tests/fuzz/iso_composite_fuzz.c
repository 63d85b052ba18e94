/* iso_composite_fuzz.c - any bytes as the content of a field of every kind of sub-structure, and of
 * every encoding that plain messages seldom use. The first byte chooses the field. */
#include "relay.h"

static const char text[] =
    "dialect: composites\n"
    "bitmap: {encoding: binary, tertiary: contiguous}\n"
    "fields:\n"
    "  2: {form: VAR b ..9999, length: binary 2, of: ber}\n"
    "  3: {form: VAR b ..9999, length: binary 2, encoding: hex, of: ber}\n"
    "  4: {form: VAR b ..9999, length: binary 2, of: tlv, tags: ascii 2, tag_lengths: ascii 3,\n"
    "      parts: {'01': VAR ans ..20, '02': {form: VAR n ..9, encoding: packed, filler: right "
    "F}}}\n"
    "  5: {form: VAR b ..9999, length: binary 2, of: tlv, tags: ebcdic500 2, tag_lengths: ebcdic "
    "2,\n"
    "      lead: [{key: TCC, form: an 1, encoding: ebcdic500}], unknown: {form: VAR b ..99}}\n"
    "  6: {form: VAR b ..9999, length: binary 2, of: tlv, tags: binary 1, tag_lengths: binary 2,\n"
    "      parts: {'01': {form: VAR b ..9999, of: ber}}}\n"
    "  7: {form: VAR b ..9999, length: binary 2, of: tlv, tags: packed 3, tag_lengths: packed 3 "
    "bytes\n"
    "      inclusive, repeat: refuse, unknown: refuse, parts: {'001': VAR b ..99, '002': VAR b "
    "..9}}\n"
    "  8: {form: VAR b ..9999, length: binary 2, of: bitmap, map: binary 8,\n"
    "      parts: {1: an 1, 2: {form: n 15, encoding: packed}, 10: LLVAR ans ..25, 64: b 4}}\n"
    "  9: {form: VAR b ..9999, length: binary 2, of: bitmap, map: binary 2, chained: true,\n"
    "      parts: {2: n 3, 16: LVAR b ..9, 18: b 2, 31: {form: VAR b ..99, length: ber, of: "
    "ber}}}\n"
    "  10: {form: VAR b ..9999, length: binary 2, of: bitmap, map: hex 3, parts: {1: n 2, 24: b "
    "1},\n       rest: {form: REST b ..999, of: ber}}\n"
    "  11: {form: VAR b ..9999, length: binary 2, of: positional, mandatory: 1,\n"
    "       parts: {1: n 2, 2: LLVAR ans ..12, 3: {form: VAR b ..999, length: hex 3, of: ber}, 4: "
    "REST b\n"
    "       ..99}}\n"
    "  12: {form: VAR ans ..9999, length: binary 2, of: separated, separator: '|', mandatory: 2,\n"
    "       parts: {1: VAR an ..9, 2: VAR n 1..5, 3: VAR ans ..30}}\n"
    "  13: {form: VAR ans ..9999, length: binary 2, encoding: utf8, counts: bytes}\n"
    "  14: {form: VAR ans ..9999, length: binary 2, encoding: gbk, counts: bytes}\n"
    "  15: {form: VAR ans ..9999, length: binary 2, encoding: utf8}\n"
    "  16: {form: VAR ans ..9999, length: binary 2, encoding: gbk}\n"
    "  17: {form: VAR n ..999, length: binary 2, encoding: packed, counts: bytes, filler: right "
    "F}\n"
    "  18: {form: VAR z ..999, length: binary 2, encoding: packed, counts: nibbles, filler: right "
    "F}\n"
    "  19: {form: VAR b ..999, length: binary 2, encoding: hex-ebcdic, of: ber}\n"
    "  20: {form: VAR ans ..9999, length: ber, encoding: ebcdic1047}\n"
    "  21: {form: VAR hex ..9999, length: hex 4, encoding: packed}\n"
    "  22: {form: x+n 8, encoding: packed-ebcdic-sign}\n"
    "  23: {form: VAR b ..9999, length: ascii 4 inclusive, of: tlv, tags: ber, tag_lengths: ascii "
    "2}\n"
    "  24: {form: VAR n ..99, length: binary 1, encoding: packed, filler: right 0, of: "
    "positional,\n"
    "       mandatory: 1, parts: {1: n 1, 2: n 3, 3: {form: n 5, of: positional, parts: {a: n 2, "
    "b: "
    "n\n       3}}, 4: n 20}}\n"
    "  25: {form: VAR hex ..40, length: binary 1 bytes, encoding: packed, filler: none, of: "
    "positional,\n"
    "       mandatory: 0, parts: {1: hex 1, 2: n 2, 3: hex 4, 4: n 30}}\n"
    "  26: {form: n 9, encoding: packed, of: positional, parts: {1: n 2, 2: n 7}}\n"
    "  27: {form: VAR hex ..19, length: binary 1 nibbles, encoding: packed, filler: right 0,\n"
    "       of: positional, mandatory: 0, parts: {1: hex 1, 2: n 2, 3: hex 4}}\n";
static struct iso_dialect *dialect;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct iso_report report = {0};
    dialect = iso_dialect_load_text(text, sizeof(text) - 1, "composites", NULL, &report);
    if (dialect == NULL)
        fprintf(stderr, "%s\n", report.texts[0]);
    demand(dialect != NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[16384];
    if (size < 1 || size > 9000)
        return 0;
    uint32_t de = 2 + data[0] % 26, at = 12;
    memcpy(frame, "0100", 4);
    store_be64(frame + 4, UINT64_C(1) << (64 - de));
    if (de < 20) {
        store_be16(frame + at, (uint16_t)(size - 1));
        at += 2;
    }
    memcpy(frame + at, data + 1, size - 1);
    relay_check(dialect, frame, at + size - 1);
    return 0;
}
