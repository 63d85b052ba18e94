/* clearing.c - records of a clearing file: RDW, with or without 1,014-byte blocks.
 *
 * DESIGN  The file is in memory (mapped by the caller). Positions are logical: bytes of the record
 * stream; a blocked file has two filler bytes behind each 1,012 of them. A broken length is
 * reported once; reading goes on at the next place from where three records in a row can be read.
 * Control threads and tools. */
#include "iso8583/frame.h"

#define BLOCK_BYTES   1014u
#define BLOCK_DATA    1012u
#define RECORD_MAX    ISO_MESSAGE_BYTES_MAX
#define RECORD_MIN    20u /* MTI, bitmap and a little */
#define PROBE_RECORDS 3u

static uint64_t stream_size(const struct iso_clearing *clearing);
static uint64_t physical(const struct iso_clearing *clearing, uint64_t logical);

static uint8_t byte_at(const struct iso_clearing *clearing, uint64_t logical)
{
    return clearing->file[physical(clearing, logical)];
}

static uint32_t length_at(const struct iso_clearing *clearing, uint64_t logical)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < 4; i++)
        length = length << 8 | byte_at(clearing, logical + i);
    return length;
}

static uint64_t physical(const struct iso_clearing *clearing, uint64_t logical)
{
    return clearing->blocked ? logical / BLOCK_DATA * BLOCK_BYTES + logical % BLOCK_DATA : logical;
}

static uint64_t stream_size(const struct iso_clearing *clearing)
{
    if (!clearing->blocked)
        return clearing->size;
    uint64_t rest = clearing->size % BLOCK_BYTES;
    return clearing->size / BLOCK_BYTES * BLOCK_DATA + (rest > BLOCK_DATA ? BLOCK_DATA : rest);
}

/* How many records (at most `most`) can be read in a row from here; the closing zero counts as
 * enough. */
static uint32_t records_from(const struct iso_clearing *clearing, uint64_t at, uint32_t most)
{
    uint64_t end = stream_size(clearing);
    for (uint32_t count = 0; count < most; count++) {
        if (end - at < 4)
            return at == end ? most : count;
        uint32_t length = length_at(clearing, at);
        if (length == 0)
            return count > 0 ? most : 0;
        if (length > RECORD_MAX || length < RECORD_MIN || length > end - at - 4)
            return count;
        at += 4 + (uint64_t)length;
    }
    return most;
}

void iso_clearing_open(struct iso_clearing *clearing, const uint8_t *file, uint64_t size)
{
    *clearing = (struct iso_clearing){.file = file, .size = size};
    if (size < BLOCK_BYTES)
        return;
    uint64_t fillers = 0, blocks = size / BLOCK_BYTES < 16 ? size / BLOCK_BYTES : 16;
    for (uint64_t i = 0; i < blocks; i++)
        fillers += file[i * BLOCK_BYTES + BLOCK_DATA] == 0x40 &&
                   file[i * BLOCK_BYTES + BLOCK_DATA + 1] == 0x40;
    struct iso_clearing blocked = *clearing;
    blocked.blocked = true;
    uint32_t plain_reach = records_from(clearing, 0, 64),
             blocked_reach = records_from(&blocked, 0, 64);
    clearing->blocked = fillers == blocks ? blocked_reach >= plain_reach
                                          : fillers > 0 && blocked_reach > plain_reach;
    for (uint64_t i = 0; clearing->blocked && i < size / BLOCK_BYTES; i++)
        clearing->fillers_bad += file[i * BLOCK_BYTES + BLOCK_DATA] != 0x40 ||
                                 file[i * BLOCK_BYTES + BLOCK_DATA + 1] != 0x40;
}

/* The next place from where records can be read again. */
static uint64_t resynchronize(const struct iso_clearing *clearing, uint64_t at)
{
    uint64_t end = stream_size(clearing);
    for (at++; at < end && end - at >= 4; at++)
        if (byte_at(clearing, at) == 0 && byte_at(clearing, at + 1) == 0 &&
            records_from(clearing, at, PROBE_RECORDS) == PROBE_RECORDS)
            return at;
    return end;
}

enum iso_frame_result iso_clearing_next(struct iso_clearing *clearing, uint8_t *out,
                                        uint32_t out_size, uint32_t *size, uint64_t *offset,
                                        enum iso_err *err)
{
    uint64_t at = clearing->position, end = stream_size(clearing);
    if (at >= end)
        return ISO_FRAME_NEED_MORE;
    *offset = physical(clearing, at);
    if (end - at < 4) {
        clearing->position = end;
        clearing->record++;
        *err = ISO_FRAME_SHORT;
        return ISO_FRAME_BAD;
    }
    uint32_t length = length_at(clearing, at);
    if (length == 0) { /* the rest of a block is filler */
        clearing->position = end;
        return ISO_FRAME_NEED_MORE;
    }
    clearing->record++;
    if (length > RECORD_MAX || length > end - at - 4) {
        *err = length > RECORD_MAX ? ISO_FRAME_LENGTH : ISO_FRAME_SHORT;
        clearing->position = resynchronize(clearing, at);
        return ISO_FRAME_BAD;
    }
    clearing->position = at + 4 + length;
    if (length > out_size) {
        *err = ISO_FRAME_LONG;
        return ISO_FRAME_BAD;
    }
    for (uint32_t done = 0; done < length;) {
        uint64_t from = at + 4 + done;
        uint64_t run = clearing->blocked ? BLOCK_DATA - from % BLOCK_DATA : length;
        uint32_t count = run < length - done ? (uint32_t)run : length - done;
        memcpy(out + done, clearing->file + physical(clearing, from), count);
        done += count;
    }
    *size = length;
    return ISO_FRAME_WHOLE;
}

static bool put_bytes(uint8_t *out, uint64_t out_size, uint64_t *position, bool blocked,
                      const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (blocked && *position % BLOCK_BYTES == BLOCK_DATA) {
            if (out_size - *position < 2)
                return false;
            memset(out + *position, 0x40, 2);
            *position += 2;
        }
        if (*position >= out_size)
            return false;
        out[(*position)++] = bytes[i];
    }
    return true;
}

bool iso_clearing_put(uint8_t *out, uint64_t out_size, uint64_t *position, bool blocked,
                      const uint8_t *record, uint32_t size)
{
    uint8_t length[4];
    store_be32(length, size);
    return put_bytes(out, out_size, position, blocked, length, 4) &&
           put_bytes(out, out_size, position, blocked, record, size);
}

bool iso_clearing_finish(uint8_t *out, uint64_t out_size, uint64_t *position, bool blocked)
{
    while (blocked && *position % BLOCK_BYTES != 0) {
        if (*position >= out_size)
            return false;
        out[(*position)++] = 0x40;
    }
    return true;
}
