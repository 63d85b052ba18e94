/* frame.h - one batch of the journal as bytes: a header and whole records, 4 KiB aligned.
 *
 * SHAPE  {header 128 | records… | zeros up to a multiple of 4096}, little endian. `sum` covers
 * header (with sum = 0) and records; `previous_sum` is that of the batch before, so the frames form
 * a chain. The header says where it belongs (lap, segment, offset): a write that went astray is
 * recognised. `durable` is the last batch known durable when this one was closed: a later valid
 * frame proves that the earlier ones were complete. An archive file holds the same frames without
 * the zeros, rounded up to 64 bytes. */
#ifndef LEDGER_FRAME_H
#define LEDGER_FRAME_H

#include "base/bytes.h"
#include "ledger/effect.h"

#define FRAME_MAGIC         UINT64_C(0x314C4E4A57535349) /* "ISSWJNL1" */
#define FRAME_VERSION       1u
#define FRAME_ALIGN         4096u
#define FRAME_ARCHIVE_ALIGN 64u

enum frame_flag {
    FRAME_EPOCH = 1u << 0,    /* first of a run; no records */
    FRAME_SEAL = 1u << 1,     /* says that the batch before is durable; no records */
    FRAME_RESTORED = 1u << 2, /* with EPOCH: the first frame behind a backup that was put back */
};

struct journal_frame {
    uint64_t magic;
    uint16_t version;
    uint16_t shard;
    uint32_t flags;          /* enum frame_flag */
    uint64_t epoch;          /* one run of the daemon */
    uint64_t batch;          /* 1.., without gaps over all epochs */
    uint64_t first_sequence; /* number of its first record: 0.., over all batches */
    int64_t utc_ns;
    uint32_t records_count;
    uint32_t length; /* bytes of header and records */
    uint32_t lap;    /* how often the circle of segments was gone through */
    uint32_t segment;
    uint64_t offset;
    uint64_t durable;
    uint64_t previous_sum;
    uint64_t reserved[4];
    uint64_t sum;
};
_Static_assert(sizeof(struct journal_frame) == 128, "on disk");
_Static_assert(offsetof(struct journal_frame, sum) == 120, "on disk");

static inline uint32_t frame_padded(uint32_t length)
{
    return (length + FRAME_ALIGN - 1) & ~(FRAME_ALIGN - 1);
}
static inline uint32_t frame_archived(uint32_t length)
{
    return (length + FRAME_ARCHIVE_ALIGN - 1) & ~(FRAME_ARCHIVE_ALIGN - 1);
}

/* Of header (sum taken as 0) and records. A change of any one 8-byte word always changes it. */
uint64_t frame_sum(const struct journal_frame *frame);

enum frame_state {
    FRAME_NONE,   /* not a frame: no magic, or an impossible header */
    FRAME_BROKEN, /* a header of ours, and the sum or a record does not fit, or it goes past `bytes`
                   */
    FRAME_VALID,
};
/* What stands at `data` (8-aligned), of which `bytes` are there. Records are checked too. */
enum frame_state frame_look(const uint8_t *data, uint64_t bytes);

/* The next record of a valid frame, or NULL at the end; start with NULL. */
const struct ledger_record *frame_record_next(const struct journal_frame *frame,
                                              const struct ledger_record *record);

#endif
