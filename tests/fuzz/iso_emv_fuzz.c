/* iso_emv_fuzz.c - any bytes as BER-TLV and as tracks. */
#include "iso8583/emv.h"
#include "relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {data, (uint32_t)size};
    struct iso_tlv tlv;
    uint32_t position = 0, before = 0;
    while (iso_tlv_next(all, &position, &tlv) == ISO_OK) {
        uint8_t tag[4], length[5];
        demand(position > before && position <= size);
        demand(tlv.value.data + tlv.value.size == data + position);
        demand(iso_tlv_put_tag(tlv.tag, tag) == tlv.tag_size || tlv.tag_size > 1);
        demand(!tlv.minimal || iso_tlv_put_length(tlv.value.size, length) == tlv.length_size);
        struct span value;
        demand(iso_tlv_find(all, tlv.tag, &value));
        before = position;
    }
    struct iso_track1 track1;
    struct iso_track2 track2;
    if (iso_track2_parse(all, &track2) == ISO_OK)
        demand(track2.pan.size >= 8 && track2.pan.size <= 19 && track2.expiry.size % 4 == 0 &&
               track2.discretionary.data + track2.discretionary.size == data + size);
    if (iso_track1_parse(all, &track1) == ISO_OK)
        demand(track1.name.size <= 26 &&
               track1.discretionary.data + track1.discretionary.size == data + size);
    return 0;
}
