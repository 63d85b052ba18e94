/* txn.h - a transaction slot: the frame, its fields, what is known of it, and where it stands.
 *
 * DESIGN  Slots are taken at start, in locked memory that is not dumped; a slot holds everything of
 * one message in flight and is wiped when it is given back. Whatever waits for something outside
 * (shard, HSM, scheme) is found again by {index, generation}: a record that comes for an earlier
 * generation is for nobody. The free list is last in, first out: few slots stay warm.
 *
 * Runs on the worker that owns the slots; bound: txns_max. */
#ifndef SWITCH_TXN_H
#define SWITCH_TXN_H

#include "adapters/adapter.h"
#include "switch/timer.h"

struct worker;

enum stage {
#define STAGE(name, function, help) STAGE_##name,
#include "switch/pipeline.def"
#undef STAGE
    STAGES_COUNT
};

#define TXN_NONE UINT32_MAX

enum txn_came { TXN_NOTHING_YET, TXN_ANSWER, TXN_SILENCE, TXN_NOT_SENT }; /* of an attempt */

struct txn {
    struct timer timer;
    uint32_t index, generation, next_free;
    uint8_t stage;       /* enum stage: the one it is in, or waits in */
    uint8_t class;       /* enum ledger_class */
    bool is_open;        /* the slot is taken */
    bool is_admitted;    /* counts in its link's window */
    uint8_t credits;     /* held for it: commands that it may still push */
    bool is_command_out; /* a command of it is in the ring: only the shard answers */
    uint8_t came;        /* enum txn_came */
    bool is_shed;        /* only to be answered BUSY */
    bool is_hsm_out;     /* a job is out */
    bool is_our_card;    /* by its first digits */
    bool is_on_us;       /* decided here, not at a counterparty */
    uint32_t link_index; /* the acquirer's */
    uint16_t link_generation;
    uint16_t party;
    const struct iso_dialect *dialect;
    int64_t received_ns, decided_ns, sent_ns, answered_ns; /* trail, boot time; 0 = not yet */
    int64_t stale_until_ns; /* STALE before this: the step is repeated; 0 = not told STALE */
    uint32_t match;         /* entry of our request at the scheme, MATCH_NONE */
    struct ledger_reply reply;
    struct ledger_forward forward;
    struct adapter_answer answer;
    struct ledger_request request;
    uint8_t pan[19];
    uint8_t pan_size;
    uint8_t cvv2[3];    /* DE48.92; has_cvv2 */
    uint8_t track2[37]; /* DE35, canonical */
    uint8_t track2_size;
    bool has_cvv2, has_track_data; /* the track is in the form of contract section 2 */
    struct iso_msg msg;
    uint32_t frame_size;
    uint8_t frame[LIMIT_FRAME_BYTES_MAX];
};

size_t txn_bytes(uint32_t txns_max);
void txn_pool_create(struct worker *worker);
/* NULL when none is free. The slot is clean but for its identity. */
NODISCARD struct txn *txn_take(struct worker *worker);
/* Gives back slot, credits and its place in the window; wipes what held card data. */
void txn_release(struct worker *worker, struct txn *txn);
/* NULL when it is of another generation. */
struct txn *txn_find(struct worker *worker, uint32_t index, uint32_t generation);

#endif
