/* emv.h - chip data (EMV 4.3 book 3 annex A and B) and magnetic stripe tracks (ISO/IEC 7813). */
#ifndef ISO8583_EMV_H
#define ISO8583_EMV_H

#include "iso8583/iso.h"

struct iso_emv_tag {
    uint32_t tag;
    const char *name;
    enum iso_class form; /* b, n, an, ans */
    uint8_t min, max;    /* bytes; 0, 0 = any */
    enum iso_mask mask;
};
const struct iso_emv_tag *iso_emv_tag_find(uint32_t tag); /* NULL when not in emv.def */
uint32_t iso_emv_tag_count(void);
const struct iso_emv_tag *iso_emv_tag_at(uint32_t index); /* ascending by tag */

struct iso_tlv { /* one primitive or constructed BER-TLV object */
    uint32_t tag;
    uint8_t tag_size;
    uint8_t length_size;
    bool constructed;
    bool minimal; /* the length could not be shorter */
    struct span value;
};
/* Reads the object at data[*position]; moves *position behind it; 00 and FF before a tag are passed
 * over. NEED_MORE at the end of data means none is left (position == size) or one is cut. */
NODISCARD enum iso_err iso_tlv_next(struct span data, uint32_t *position, struct iso_tlv *out);
/* The first object with this tag at the top level or in constructed ones, at most ISO_DEPTH_MAX
 * deep. */
NODISCARD bool iso_tlv_find(struct span data, uint32_t tag, struct span *value);
/* Are these bytes one whole tag, at most four bytes? size > 0. */
NODISCARD bool iso_tlv_is_tag(const uint8_t *tag, size_t size);
/* Writes a tag or a minimal length; returns bytes written (out holds 5). */
uint32_t iso_tlv_put_tag(uint32_t tag, uint8_t out[4]);
uint32_t iso_tlv_put_length(uint32_t length, uint8_t out[5]);

struct iso_track2 { /* spans into the text given; sizes as the standard has them, or 0 */
    struct span pan, expiry, service_code, discretionary;
};
/* Canonical text with '=' or 'D' as separator. Sentinels and LRC are not accepted. */
NODISCARD enum iso_err iso_track2_parse(struct span text, struct iso_track2 *out);
struct iso_track1 {
    char format; /* 'B' */
    struct span pan, name, expiry, service_code, discretionary;
};
NODISCARD enum iso_err iso_track1_parse(struct span text, struct iso_track1 *out);

#endif
