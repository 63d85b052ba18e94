/* row.h - the rows of table.def: what they mean, byte for byte as in memory, journal and state.mdb.
 *
 * An all-zero row is an empty one. References to a row of another table are its number + 1, 0 =
 * none. Amounts are minor units; debits and credits of an account only ever grow, pendings are >=
 * 0. */
#ifndef LEDGER_ROW_H
#define LEDGER_ROW_H

#include "ledger/effect.h"

struct ledger_meta {
    uint64_t ruleset;       /* active rule set, first 8 bytes of its hash; 0 = none yet */
    uint64_t ruleset_batch; /* journal batch that activated it */
    uint64_t lists_batch;   /* of the last LIST_CHANGE: older snapshots are STALE */
};

struct ledger_account { /* balance = posted_credit - posted_debit */
    int64_t posted_debit, posted_credit;
    int64_t pending_debit, pending_credit; /* pending_debit is what is held of a card's account */
    int64_t credit_line_minor;
    uint16_t currency; /* 0 = empty row */
    uint8_t status;    /* enum ledger_status */
    uint8_t is_house;  /* may go below zero */
    uint32_t reserved;
};

struct ledger_account_name {
    uint8_t name[LEDGER_ACCOUNT_NAME_BYTES]; /* NUL padded, no blanks at its end */
    uint32_t reserved;
};

struct ledger_card {
    struct ledger_card_key key;
    uint32_t account; /* row + 1; 0 = empty row */
    uint32_t version; /* grows with each change that the workers must know; not with tries */
    uint16_t expiry;  /* YYMM */
    uint16_t service_code;
    uint8_t status;    /* enum ledger_status */
    uint8_t pin_tries; /* wrong ones in a row; LEDGER_PIN_TRIES_MAX = blocked */
    uint8_t pvki;
    uint8_t pvv[4];
    uint8_t pan_first6_last4[10];
    uint8_t reserved[3];
};
#define LEDGER_PIN_TRIES_MAX 3u

enum ledger_hold_state {
    LEDGER_HOLD_NONE,
    LEDGER_HOLD_OPEN,
    LEDGER_HOLD_ASKED, /* its 0100 is out at the scheme: the place is taken, the saf row reserves */
};
struct ledger_hold {
    uint64_t txn; /* that made it */
    struct hash128 rrn_key;
    int64_t amount_minor; /* still held */
    int64_t opened_utc_ns;
    uint32_t debit_account, credit_account; /* row + 1 */
    uint16_t currency;
    uint8_t state; /* enum ledger_hold_state */
    uint8_t has_de38;
    uint8_t de38[6];
    uint8_t reserved[6];
};

#define LEDGER_COUNTER_BUCKETS                                                                     \
    64u /* a window of up to 63 buckets and the partial one before it                              \
         */
struct ledger_counter {
    uint64_t declaration, key; /* declaration 0 = empty row */
    int64_t newest_bucket;     /* number since the epoch of UTC */
    uint32_t window_s;
    uint16_t buckets;
    uint16_t reserved;
    uint16_t counts[LEDGER_COUNTER_BUCKETS]; /* of bucket number mod LEDGER_COUNTER_BUCKETS */
};

enum ledger_txn_state {
    LEDGER_TXN_NONE,
    LEDGER_TXN_DECIDED,   /* final */
    LEDGER_TXN_OPEN,      /* out at the scheme */
    LEDGER_TXN_UNKNOWN,   /* no outcome; the resolution is stored and not yet acknowledged */
    LEDGER_TXN_RESOLVED,  /* was unknown; the scheme has acknowledged the resolution */
    LEDGER_TXN_TOMBSTONE, /* a reversal that came before its original */
};
enum ledger_txn_flag {
    LEDGER_TXN_APPROVED = 1u << 0,  /* decided 00, 10, 85, or an advice that was told so */
    LEDGER_TXN_REVERSED = 1u << 1,  /* in whole or in part: a repeat is answered 94 */
    LEDGER_TXN_COMPLETED = 1u << 2, /* a 0100/0120 whose hold a 0220 has taken: `related` */
    LEDGER_TXN_REPLACED =
        1u << 3, /* a 0100/0120 whose hold a 0120 has taken over: nothing stands */
    LEDGER_TXN_HAS_DE38 = 1u << 4,
    LEDGER_TXN_OUR_RRN = 1u << 5, /* DE37 is ours and stands in the answer */
    LEDGER_TXN_FORWARDED = 1u << 6,
    LEDGER_TXN_SILENT = 1u << 7,   /* reversed while out: its outcome is told to nobody */
    LEDGER_TXN_PART = 1u << 8,     /* approved in part: booked_minor is DE4 of the answer */
    LEDGER_TXN_SENT_RRN = 1u << 9, /* DE37 was in the message */
    LEDGER_TXN_COUNTED = 1u << 10, /* stands in sliding counters */
    LEDGER_TXN_BY_RRN = 1u << 11,  /* tombstone without DE90: found by rrn_key and DE3 */
    LEDGER_TXN_ON_US = 1u << 12,
    LEDGER_TXN_ADVISED = 1u << 13, /* third MTI digit 2 */
};
struct ledger_txn_count { /* a counter that this transaction stands in */
    uint32_t counter;     /* row + 1 */
    uint16_t tag;         /* of its declaration and key: another one may have the row by now */
};
struct ledger_txn {
    uint64_t id; /* {shard 8, epoch 16, sequence 40} */
    struct hash128 replay_key, self_key, rrn_key;
    uint64_t content;
    int64_t amount_minor;   /* DE4 of the message */
    int64_t booked_minor;   /* what was held or posted; after a 10 the part */
    int64_t undone_minor;   /* reversed of it */
    int64_t refunded_minor; /* refunded of it */
    uint64_t de7;
    int64_t received_utc_ns, decided_utc_ns;
    uint32_t stan, de3;
    uint32_t flags;                         /* enum ledger_txn_flag */
    uint32_t debit_account, credit_account; /* row + 1: of what was booked */
    uint32_t hold; /* row + 1: its hold, as long as that row names this id */
    uint16_t party, currency, mti;
    uint16_t settlement_date; /* MMDD */
    uint16_t reason;          /* enum ledger_reason */
    uint16_t mcc, entry_mode;
    uint8_t class, state; /* enum ledger_class, enum ledger_txn_state */
    uint8_t cvv2_result;  /* 'M', 'N', 'P' or 0 */
    uint8_t de54;         /* enum ledger_de54 */
    uint8_t de39[2];
    uint8_t de38[6];
    uint8_t rrn[12];
    uint8_t terminal[8];
    uint8_t merchant[15];
    uint8_t pan_first6_last4[10];
    uint8_t condition;
    /* From here on mostly zero, and then not in the journal. */
    uint64_t
        related; /* original of a reversal or refund; hold's message of a completion, and back */
    union {
        struct { /* class REVERSAL */
            struct hash128 original_key;
            uint64_t original_de7;
            uint64_t local_time;
        };
        uint64_t repeat_de7[4]; /* any other: DE7 of its last repeats, newest first */
    };
    int64_t ledger_minor, available_minor; /* DE54 of a balance */
    uint64_t forward_de7, de32;            /* of the leg that we sent */
    int64_t answered_utc_ns;               /* the scheme's answer, or that it did not come */
    uint32_t forward_stan;
    uint32_t saf;    /* row + 1, as long as that row names this id */
    uint8_t attempt; /* 1..; routes[attempt - 1] is the endpoint */
    uint8_t endpoint;
    uint8_t routes_count;
    uint8_t routes[LIMIT_ROUTES_MAX];
    uint8_t reserved[1];
    int64_t resolved_utc_ns; /* its resolution was acknowledged */
    uint32_t resolution_stan;
    uint16_t resolution_mti;
    uint16_t resolution_sends;
    struct ledger_txn_count counts[LIMIT_COUNTS_PER_TXN_MAX];
};

enum ledger_saf_state {
    LEDGER_SAF_NONE,
    LEDGER_SAF_PLACE,  /* taken at admission for the reversal that may become necessary */
    LEDGER_SAF_QUEUED, /* to be sent until acknowledged */
};
struct ledger_saf {
    uint64_t
        item; /* {endpoint + 1, 16 | sequence 48}: the order of sending; 0 while only a PLACE */
    uint64_t txn;
    uint64_t de7, original_de7, original_de32;
    int64_t amount_minor, remains_minor;
    int64_t queued_utc_ns;
    int64_t reserved_minor; /* pending from debit_account to credit_account until resolved */
    uint32_t debit_account, credit_account;
    uint32_t stan, original_stan;
    uint32_t sends_count;
    uint16_t mti, original_mti;
    uint16_t endpoint;
    uint16_t currency;
    uint8_t state; /* enum ledger_saf_state */
    uint8_t has_remains;
    uint8_t is_reversal;
    uint8_t is_resolution; /* ends an UNKNOWN */
    uint8_t rrn[12];
    uint8_t reserved[4];
};

struct ledger_relay_row {
    struct ledger_relay relay;
    uint8_t reserved[6];
};

struct ledger_mark {
    uint64_t id; /* grows; 0 = empty row */
    uint64_t txn;
    int64_t amount_minor;
    int64_t utc_ns;
    uint16_t currency;
    uint8_t kind; /* enum ledger_exception */
    uint8_t is_open;
    uint8_t rrn[12];
};

struct ledger_endpoint_row {
    uint32_t stan; /* last one used: 1..999999 */
    uint32_t reserved;
    uint64_t items; /* last saf sequence */
};

struct ledger_list_change {
    uint8_t list[32]; /* NUL padded */
    int64_t until_utc_s;
    uint32_t uid;
    uint8_t is_remove;
    uint8_t key_size;
    uint8_t key[64];
    uint8_t reserved[2];
};

struct ledger_note {
    uint64_t id;
    uint32_t uid;
    uint16_t text_size;
    uint8_t text[256];
    uint8_t reserved[2];
};

_Static_assert(sizeof(struct ledger_account) == 48, "on disk");
_Static_assert(sizeof(struct ledger_card) == 48, "on disk");
_Static_assert(sizeof(struct ledger_hold) == 64, "on disk");
_Static_assert(sizeof(struct ledger_counter) == 160, "on disk");
_Static_assert(sizeof(struct ledger_txn) % 8 == 0, "on disk");
_Static_assert(offsetof(struct ledger_txn, related) <= 224,
               "an on-us decision stays small on disk");
_Static_assert(sizeof(struct ledger_saf) % 8 == 0, "on disk");
_Static_assert(sizeof(struct ledger_mark) == 48, "on disk");

#endif
