/* frame_test.c - streams cut into messages, clearing files into records. */
#include "support.h"

static const struct {
    const char *framing, *stream;
    enum iso_frame_result result;
    uint32_t size; /* of the message, or bytes needed */
    enum iso_err err;
} streams[] = {
    {"binary2", "0003 'ABC' 00", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"binary2", "0000", ISO_FRAME_WHOLE, 0, ISO_OK},
    {"binary2", "00", ISO_FRAME_NEED_MORE, 2, ISO_OK},
    {"binary2", "0003 'AB'", ISO_FRAME_NEED_MORE, 5, ISO_OK},
    {"binary2", "2001", ISO_FRAME_BAD, 0, ISO_FRAME_LONG},
    {"binary2-inclusive", "0005 'ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"binary2-inclusive", "0001", ISO_FRAME_BAD, 0, ISO_FRAME_SHORT},
    {"binary4", "00000003 'ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"binary4", "FFFFFFFF", ISO_FRAME_BAD, 0, ISO_FRAME_LONG},
    {"binary4-inclusive", "00000007 'ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"little2", "0300 'ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"vmlh", "00030000 'ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"vmlh", "08010000", ISO_FRAME_BAD, 0, ISO_FRAME_LONG},
    {"binary2-reserved2", "00030000 'ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"binary2-reserved2", "00030001 'ABC'", ISO_FRAME_BAD, 0, ISO_FRAME_LENGTH},
    {"ascii4", "'0003ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"ascii4", "'00A3ABC'", ISO_FRAME_BAD, 0, ISO_FRAME_LENGTH},
    {"ascii4-inclusive", "'0007ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"packed2", "0003 'ABC'", ISO_FRAME_WHOLE, 3, ISO_OK},
    {"packed2", "000A", ISO_FRAME_BAD, 0, ISO_FRAME_LENGTH},
};

Test(frame, next_and_put)
{
    for (size_t i = 0; i < countof(streams); i++) {
        struct iso_framing framing;
        struct iso_frame frame;
        struct bytes stream = bytes_of(streams[i].stream);
        cr_assert(iso_framing_by_name(streams[i].framing, &framing));
        cr_assert_str_eq(iso_framing_text(framing.kind), streams[i].framing);
        enum iso_frame_result result = iso_frame_next(&framing, span_of(&stream), &frame);
        cr_expect_eq(result, streams[i].result, "%zu", i);
        if (result == ISO_FRAME_WHOLE) {
            uint8_t prefix[4];
            uint32_t size = iso_frame_put(&framing, streams[i].size, prefix);
            cr_expect_eq(frame.message.size, streams[i].size, "%zu", i);
            cr_expect_eq(size, iso_frame_prefix_size(&framing));
            cr_expect_eq(frame.consumed, size + frame.message.size);
            cr_expect_eq(memcmp(prefix, stream.data, size), 0, "%zu", i);
        } else if (result == ISO_FRAME_NEED_MORE) {
            cr_expect_eq(frame.need, streams[i].size, "%zu", i);
        } else {
            cr_expect_eq(frame.err, streams[i].err, "%zu", i);
        }
    }
}

Test(frame, what_a_prefix_cannot_say)
{
    struct iso_framing framing;
    uint8_t prefix[4];
    cr_assert_not(iso_framing_by_name("binary3", &framing));
    cr_assert(iso_framing_by_name("ascii4", &framing));
    framing.size_max = 100000;
    cr_assert_eq(iso_frame_put(&framing, 10000, prefix), 0);
    cr_assert(iso_framing_by_name("binary2", &framing));
    cr_assert_eq(iso_frame_put(&framing, 9000, prefix), 0);
    framing.size_max = 100000;
    cr_assert_eq(iso_frame_put(&framing, 65536, prefix), 0);
    cr_assert(iso_framing_by_name("little2", &framing));
    framing.size_max = 100000;
    cr_assert_eq(iso_frame_put(&framing, 65536, prefix), 0);
    cr_assert(iso_framing_by_name("packed2", &framing));
    framing.size_max = 100000;
    cr_assert_eq(iso_frame_put(&framing, 10000, prefix), 0);
}

Test(frame, many_at_once)
{
    struct iso_framing framing;
    struct iso_frame frames[4];
    enum iso_frame_result result;
    struct bytes stream = bytes_of("0001 'A' 0000 0002 'BC' 0004 'DE'");
    cr_assert(iso_framing_by_name("binary2", &framing));
    cr_assert_eq(iso_frame_next_many(&framing, span_of(&stream), frames, 4, &result), 3);
    cr_assert_eq(result, ISO_FRAME_NEED_MORE);
    cr_assert_eq(frames[3].need, 6);
    cr_assert_eq(iso_frame_next_many(&framing, span_of(&stream), frames, 2, &result), 2);
    cr_assert_eq(result, ISO_FRAME_WHOLE);
}

/* --- clearing files --- */

#define RECORDS 200u
static uint8_t file[RECORDS * 200], record[ISO_MESSAGE_BYTES_MAX];

static uint64_t write_file(bool blocked)
{
    uint64_t position = 0;
    for (uint32_t i = 0; i < RECORDS; i++) {
        memset(record, (int)('A' + i % 26), 40 + i % 100);
        cr_assert(iso_clearing_put(file, sizeof(file), &position, blocked, record, 40 + i % 100));
    }
    cr_assert(iso_clearing_put(file, sizeof(file), &position, blocked, record, 0));
    cr_assert(iso_clearing_finish(file, sizeof(file), &position, blocked));
    return position;
}

static uint32_t read_file(uint64_t size, uint32_t *bad)
{
    struct iso_clearing clearing;
    uint32_t good = 0, record_size;
    uint64_t offset;
    enum iso_err err;
    *bad = 0;
    iso_clearing_open(&clearing, file, size);
    for (;;) {
        enum iso_frame_result result =
            iso_clearing_next(&clearing, record, sizeof(record), &record_size, &offset, &err);
        if (result == ISO_FRAME_NEED_MORE)
            return good;
        if (result == ISO_FRAME_BAD) {
            (*bad)++;
            continue;
        }
        for (uint32_t i = 1; i < record_size; i++)
            cr_assert_eq(record[i], record[0]);
        good++;
    }
}

Test(clearing, both_shapes_are_detected)
{
    uint32_t bad;
    for (uint32_t blocked = 0; blocked < 2; blocked++) {
        uint64_t size = write_file(blocked != 0);
        struct iso_clearing clearing;
        iso_clearing_open(&clearing, file, size);
        cr_assert_eq(clearing.blocked, blocked != 0);
        cr_assert_eq(clearing.fillers_bad, 0);
        if (blocked != 0)
            cr_assert_eq(size % 1014, 0);
        cr_assert_eq(read_file(size, &bad), RECORDS);
        cr_assert_eq(bad, 0);
    }
}

Test(clearing, goes_on_behind_a_broken_record)
{
    uint32_t bad;
    uint64_t size = write_file(false);
    file[0] = 0x7F; /* the first length */
    cr_assert_eq(read_file(size, &bad), RECORDS - 1);
    cr_assert_eq(bad, 1);
    size = write_file(true);
    file[44] = 0x7F; /* the second length */
    cr_assert_eq(read_file(size, &bad), RECORDS - 1);
    cr_assert_eq(bad, 1);
    size = write_file(false);
    cr_assert_eq(read_file(size - 50, &bad), RECORDS - 1);
    cr_assert_eq(bad, 1);
}

Test(clearing, a_record_that_does_not_fit)
{
    uint64_t size = write_file(false), offset;
    struct iso_clearing clearing;
    uint32_t record_size;
    enum iso_err err;
    iso_clearing_open(&clearing, file, size);
    cr_assert_eq(iso_clearing_next(&clearing, record, 10, &record_size, &offset, &err),
                 ISO_FRAME_BAD);
    cr_assert_eq(err, ISO_FRAME_LONG);
    cr_assert_eq(iso_clearing_next(&clearing, record, sizeof(record), &record_size, &offset, &err),
                 ISO_FRAME_WHOLE);
    uint64_t position = 0;
    cr_assert_not(iso_clearing_put(file, 10, &position, false, record, 20));
}
