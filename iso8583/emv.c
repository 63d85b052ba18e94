/* emv.c - BER-TLV objects and the table of EMV tags. */
#include "iso8583/emv.h"

static const struct iso_emv_tag tags[] = {
#define ISO_EMV(tag, form, min, max, mask, name)                                                   \
    {0x##tag, name, ISO_CLASS_##form, min, max, ISO_MASK_##mask},
#include "iso8583/emv.def"
#undef ISO_EMV
};

const struct iso_emv_tag *iso_emv_tag_find(uint32_t tag)
{
    uint32_t low = 0, high = countof(tags);
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (tags[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < countof(tags) && tags[low].tag == tag ? &tags[low] : NULL;
}

uint32_t iso_emv_tag_count(void)
{
    return countof(tags);
}

const struct iso_emv_tag *iso_emv_tag_at(uint32_t index)
{
    return index < countof(tags) ? &tags[index] : NULL;
}

enum iso_err iso_tlv_next(struct span data, uint32_t *position, struct iso_tlv *out)
{
    uint32_t at = *position;
    while (at < data.size && (data.data[at] == 0x00 || data.data[at] == 0xFF))
        at++;
    if (at >= data.size) {
        *position = data.size;
        return ISO_NEED_MORE;
    }
    struct iso_tlv tlv = {.tag = data.data[at], .tag_size = 1};
    tlv.constructed = (data.data[at] & 0x20) != 0;
    if ((data.data[at++] & 0x1F) == 0x1F) { /* ISO/IEC 8825-1 8.1.2.4 */
        uint8_t byte;
        do {
            if (at >= data.size)
                return ISO_NEED_MORE;
            if (tlv.tag_size == 4)
                return ISO_TAG;
            byte = data.data[at++];
            tlv.tag = tlv.tag << 8 | byte;
            tlv.tag_size++;
        } while ((byte & 0x80) != 0);
    }
    if (at >= data.size)
        return ISO_NEED_MORE;
    uint32_t length = data.data[at++];
    tlv.length_size = 1;
    tlv.minimal = true;
    if (length >= 0x80) { /* 8.1.3.5 */
        uint32_t bytes = length & 0x7F;
        if (bytes == 0 || bytes > 4)
            return ISO_LENGTH_BER;
        if (data.size - at < bytes)
            return ISO_NEED_MORE;
        tlv.minimal = data.data[at] != 0;
        length = 0;
        for (uint32_t i = 0; i < bytes; i++)
            length = length << 8 | data.data[at++];
        tlv.length_size = (uint8_t)(bytes + 1);
        tlv.minimal = tlv.minimal && length >= 0x80;
    }
    if (length > data.size - at)
        return ISO_NEED_MORE;
    tlv.value = (struct span){data.data + at, length};
    *position = at + length;
    *out = tlv;
    return ISO_OK;
}

bool iso_tlv_find(struct span data, uint32_t tag, struct span *value)
{
    struct span spans[ISO_DEPTH_MAX] = {data};
    uint32_t positions[ISO_DEPTH_MAX] = {0};
    uint32_t depth = 0;
    struct iso_tlv tlv;
    for (;;) {
        if (iso_tlv_next(spans[depth], &positions[depth], &tlv) != ISO_OK) {
            if (depth == 0)
                return false;
            depth--;
            continue;
        }
        if (tlv.tag == tag) {
            *value = tlv.value;
            return true;
        }
        if (tlv.constructed && depth + 1 < ISO_DEPTH_MAX) {
            depth++;
            spans[depth] = tlv.value;
            positions[depth] = 0;
        }
    }
}

bool iso_tlv_is_tag(const uint8_t *tag, size_t size)
{
    if ((tag[0] & 0x1F) != 0x1F)
        return size == 1;
    for (size_t i = 1; i < size; i++)
        if (((tag[i] & 0x80) != 0) == (i + 1 == size))
            return false;
    return size >= 2 && size <= 4;
}

uint32_t iso_tlv_put_tag(uint32_t tag, uint8_t out[4])
{
    uint32_t size = tag > 0xFFFFFF ? 4 : tag > 0xFFFF ? 3 : tag > 0xFF ? 2 : 1;
    for (uint32_t i = 0; i < size; i++)
        out[i] = (uint8_t)(tag >> (8 * (size - 1 - i)));
    return size;
}

uint32_t iso_tlv_put_length(uint32_t length, uint8_t out[5])
{
    if (length < 0x80) {
        out[0] = (uint8_t)length;
        return 1;
    }
    uint32_t bytes = length > 0xFFFFFF ? 4 : length > 0xFFFF ? 3 : length > 0xFF ? 2 : 1;
    out[0] = (uint8_t)(0x80 | bytes);
    for (uint32_t i = 0; i < bytes; i++)
        out[1 + i] = (uint8_t)(length >> (8 * (bytes - 1 - i)));
    return bytes + 1;
}
