/* frame.c - see frame.h. */
#include "ledger/frame.h"
#include "ledger/journal.h"

static uint64_t step(uint64_t state, uint64_t word)
{
    state = (state ^ word) * UINT64_C(0x9E3779B97F4A7C15); /* odd: a bijection */
    return state ^ state >> 32;
}

/* Four independent lanes, so that the multiplications overlap; 8-byte words. */
static void sum_words(uint64_t lanes[4], const uint8_t *data, uint32_t bytes)
{
    while (bytes >= 32) {
        for (int lane = 0; lane < 4; lane++) {
            uint64_t word;
            memcpy(&word, data + 8 * lane, 8);
            lanes[lane] = step(lanes[lane], word);
        }
        data += 32;
        bytes -= 32;
    }
    for (int lane = 0; bytes >= 8; lane++, bytes -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        lanes[lane] = step(lanes[lane], word);
    }
    must(bytes == 0);
}

uint64_t frame_sum(const struct journal_frame *frame)
{
    uint64_t lanes[4] = {1, 2, 3, 4};
    struct journal_frame header = *frame;
    header.sum = 0;
    sum_words(lanes, (const uint8_t *)&header, sizeof header);
    sum_words(lanes, (const uint8_t *)(frame + 1), frame->length - (uint32_t)sizeof header);
    uint64_t sum = 0;
    for (int lane = 0; lane < 4; lane++) {
        sum = step(sum, lanes[lane]);
    }
    return sum;
}

static bool records_add_up(const struct journal_frame *frame)
{
    const uint8_t *data = (const uint8_t *)frame;
    uint32_t at = sizeof *frame;
    for (uint32_t i = 0; i < frame->records_count; i++) {
        if (frame->length - at < sizeof(struct ledger_record)) {
            return false;
        }
        const struct ledger_record *record = (const struct ledger_record *)(data + at);
        if (!ledger_record_valid(record, frame->length - at) ||
            record->crc32c != ledger_record_crc(record)) {
            return false;
        }
        at += record->size;
    }
    return at == frame->length;
}

enum frame_state frame_look(const uint8_t *data, uint64_t bytes)
{
    const struct journal_frame *frame = (const struct journal_frame *)data;
    if (bytes < sizeof *frame || frame->magic != FRAME_MAGIC) {
        return FRAME_NONE;
    }
    bool possible = frame->version == FRAME_VERSION && frame->length >= sizeof *frame &&
                    frame->length <= JOURNAL_BATCH_BYTES && frame->length % 8 == 0 &&
                    frame->length <= bytes && frame->batch > 0;
    if (!possible || frame->sum != frame_sum(frame) || !records_add_up(frame)) {
        return FRAME_BROKEN;
    }
    return FRAME_VALID;
}

const struct ledger_record *frame_record_next(const struct journal_frame *frame,
                                              const struct ledger_record *record)
{
    const uint8_t *at =
        record == NULL ? (const uint8_t *)(frame + 1) : (const uint8_t *)record + record->size;
    return at < (const uint8_t *)frame + frame->length ? (const struct ledger_record *)at : NULL;
}
