/* iso_frame_fuzz.c - any bytes as a stream of any framing, and as a clearing file. */
#include "iso8583/frame.h"
#include "relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stream(const uint8_t *data, size_t size)
{
    struct iso_framing framing = {(enum iso_framing_kind)(data[0] % ISO_FRAMINGS_COUNT), 8192};
    struct span stream = {data + 1, (uint32_t)size - 1};
    struct iso_frame frame;
    while (stream.size > 0) {
        enum iso_frame_result result = iso_frame_next(&framing, stream, &frame);
        if (result == ISO_FRAME_NEED_MORE)
            demand(frame.need > stream.size);
        if (result == ISO_FRAME_BAD)
            demand(frame.err != ISO_OK);
        if (result != ISO_FRAME_WHOLE)
            return;
        demand(frame.consumed > 0 && frame.consumed <= stream.size);
        demand(frame.message.data + frame.message.size == stream.data + frame.consumed);
        uint8_t again[4];
        uint32_t prefix = iso_frame_put(&framing, frame.message.size, again);
        demand(prefix == iso_frame_prefix_size(&framing));
        if (framing.kind != ISO_FRAMING_VMLH)
            demand(memcmp(again, stream.data, prefix) == 0);
        stream.data += frame.consumed;
        stream.size -= frame.consumed;
    }
}

static void check_file(const uint8_t *data, size_t size)
{
    static uint8_t record[ISO_MESSAGE_BYTES_MAX];
    struct iso_clearing clearing;
    iso_clearing_open(&clearing, data, size);
    for (uint32_t records = 0;; records++) {
        uint32_t record_size;
        uint64_t offset, before = clearing.position;
        enum iso_err err;
        enum iso_frame_result result =
            iso_clearing_next(&clearing, record, sizeof(record), &record_size, &offset, &err);
        if (result == ISO_FRAME_NEED_MORE)
            return;
        demand(clearing.position > before && offset < size && records <= size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (data[0] >= 0xC0)
        check_file(data + 1, size - 1);
    else
        check_stream(data, size);
    return 0;
}
