/* frame.h - messages in a byte stream, and records in a clearing file.
 *
 * iso_frame_next() looks at the front of what has been received: the message is whole, more bytes
 * are needed, or the stream can no longer be cut into messages. It keeps no state and copies
 * nothing. */
#ifndef ISO8583_FRAME_H
#define ISO8583_FRAME_H

#include "iso8583/iso.h"

enum iso_framing_kind {
#define ISO_FRAMING(name, text, help) ISO_FRAMING_##name,
#include "iso8583/framing.def"
#undef ISO_FRAMING
    ISO_FRAMINGS_COUNT
};
struct iso_framing {
    enum iso_framing_kind kind;
    uint32_t size_max; /* largest message, without the prefix; LIMIT_FRAME_BYTES_MAX by default */
};
const char *iso_framing_text(enum iso_framing_kind kind); /* "binary2" */
NODISCARD bool iso_framing_by_name(const char *name, struct iso_framing *framing);

enum iso_frame_result { ISO_FRAME_WHOLE, ISO_FRAME_NEED_MORE, ISO_FRAME_BAD };
struct iso_frame {
    struct span message; /* WHOLE; size 0 is a keep-alive */
    uint32_t consumed;   /* WHOLE: prefix and message */
    uint32_t need; /* NEED_MORE: bytes that must be there in all before it is worth asking again */
    bool session_control; /* vmlh: a heartbeat, not a message */
    enum iso_err err;     /* BAD */
};
NODISCARD enum iso_frame_result iso_frame_next(const struct iso_framing *framing,
                                               struct span stream, struct iso_frame *out);
/* Many at once: fills up to frames_max, returns how many; *result is why it stopped. */
uint32_t iso_frame_next_many(const struct iso_framing *framing, struct span stream,
                             struct iso_frame *frames, uint32_t frames_max,
                             enum iso_frame_result *result);

/* The prefix for a message of `size` bytes: at most 4 bytes into out; returns how many; 0 when size
 * is more than the framing can say. Write the message behind it. */
uint32_t iso_frame_put(const struct iso_framing *framing, uint32_t size, uint8_t out[4]);
uint32_t iso_frame_prefix_size(const struct iso_framing *framing);

/* --- clearing files (IPM) ---
 * RDW: each record has a 4-byte big-endian length, a zero one ends the file (VBS). Blocked files
 * interrupt that stream every 1,012 bytes by two filler bytes 40. */
struct iso_clearing {
    const uint8_t *file;
    uint64_t size, position; /* physical */
    bool blocked;
    uint64_t record;      /* number of the next one, from 0 */
    uint64_t fillers_bad; /* blocks that did not end in 40 40 */
};
/* Detects blocking from the first records and blocks. */
void iso_clearing_open(struct iso_clearing *clearing, const uint8_t *file, uint64_t size);
/* The next record, gathered into out (records cross blocks). WHOLE: *size bytes; NEED_MORE: end of
 * file; BAD: a broken length or a record beyond out_size; *err says which; the next call goes on
 * behind the record, or at the next place where three records in a row can be read. */
NODISCARD enum iso_frame_result iso_clearing_next(struct iso_clearing *clearing, uint8_t *out,
                                                  uint32_t out_size, uint32_t *size,
                                                  uint64_t *offset, enum iso_err *err);
/* Writes one record (size 0 = the closing one) at *position of out, blocked when asked; false: no
 * room. */
NODISCARD bool iso_clearing_put(uint8_t *out, uint64_t out_size, uint64_t *position, bool blocked,
                                const uint8_t *record, uint32_t size);
/* Ends the last block with its filler. */
NODISCARD bool iso_clearing_finish(uint8_t *out, uint64_t out_size, uint64_t *position,
                                   bool blocked);

#endif
