/* command.h - the records between an agent (worker, control) and the shard, and back.
 *
 * DESIGN  A command is one record in the sender's SPSC ring; its verdict is one record in the ring
 * back, pushed only when the batch it rests on is durable. A worker holds credits: one per command
 * that is in the ring and not yet answered; an INTENT takes two more for its OUTCOME or TIMEOUT, so
 * that only admission can be refused. Facts only: no PAN, PIN, CVV, track or key is in here (the
 * PAN of a forwarded message is sealed, hsm/seal.h).
 *
 * All structs are packed by hand, little endian, static-asserted; keys are 128-bit hashes made by
 * the worker under the data directory's hash key, so they are the same after a restart. */
#ifndef LEDGER_COMMAND_H
#define LEDGER_COMMAND_H

#include "base/bytes.h"
#include "base/limits.h"

enum ledger_command_kind {
#define COMMAND(name, class, help) LEDGER_##name,
#include "ledger/command.def"
#undef COMMAND
    LEDGER_COMMANDS_COUNT
};

/* Message classes of the replay key (contract section 6). */
enum ledger_class {
    LEDGER_CLASS_NONE,
    LEDGER_CLASS_AUTH,             /* 0100 0101 */
    LEDGER_CLASS_AUTH_ADVICE,      /* 0120 0121 */
    LEDGER_CLASS_FINANCIAL,        /* 0200 0201 */
    LEDGER_CLASS_FINANCIAL_ADVICE, /* 0220 0221 */
    LEDGER_CLASS_REVERSAL,         /* 0400 0401 0420 0421 */
};

struct ledger_card_key { /* hsm/card_key.h: AES-256-CMAC of the packed PAN */
    uint8_t bytes[16];
};

/* What the worker found without the shard. The shard puts everything in the order of contract
 * section 7 (ledger/reason.def); a finding is only answered when nothing before it applies. */
enum ledger_finding {
    LEDGER_FOUND_DENY_LIST = 1u << 0,     /* 59 */
    LEDGER_FOUND_NO_ROUTE = 1u << 1,      /* 15 */
    LEDGER_FOUND_LUHN = 1u << 2,          /* 14 */
    LEDGER_FOUND_NOT_PERMITTED = 1u << 3, /* 57: currency, type of a forwarded request */
    LEDGER_FOUND_OVER_AMOUNT = 1u << 4,   /* 61: amount limit of the rules */
    LEDGER_FOUND_NO_TRANSLATE = 1u << 5,  /* 86: forwarded DE52 that cannot be translated */
    LEDGER_FOUND_CURRENCY = 1u << 6,      /* with NOT_PERMITTED: DE49; an advice cannot be booked */
};

enum ledger_check { /* answers of the HSM; never fail open: no definite answer is UNAVAILABLE */
                    LEDGER_CHECK_NONE, /* not asked for by the message */
                    LEDGER_CHECK_OK,
                    LEDGER_CHECK_WRONG,
                    LEDGER_CHECK_MALFORMED, /* PIN only: the block holds no PIN for this PAN: 55, no
                                               try, alarm */
                    LEDGER_CHECK_UNAVAILABLE, /* 96 in the place of 55, 82 */
};

struct ledger_count {     /* one sliding counter that this transaction counts in (rules/) */
    uint64_t declaration; /* hash of the counter's declaration */
    uint64_t key;         /* hash of its key values */
    uint32_t max;         /* refuse (65) when the value after this one exceeds it; 0 = only count */
    uint32_t window_s;
    uint16_t buckets;
    uint16_t reserved[3];
};

#define LEDGER_ACCOUNT_NAME_BYTES 28u /* DE102, DE103: ans..28; padded with NULs or blanks */

enum ledger_request_flag {
    LEDGER_REQUEST_REPEAT = 1u << 0,      /* MTI x..1: a repeat by its own word */
    LEDGER_REQUEST_HAS_RRN = 1u << 1,     /* DE37 was sent; else `rrn` is the one we propose */
    LEDGER_REQUEST_HAS_DE90 = 1u << 2,    /* and not all zeros */
    LEDGER_REQUEST_HAS_REMAINS = 1u << 3, /* DE95 */
    LEDGER_REQUEST_PARTIAL = 1u << 4,     /* DE48.61 = 1: partial approval accepted */
    LEDGER_REQUEST_ASKS_CVV2 = 1u << 5,   /* DE48.92 present: the answer carries DE48.87 */
    LEDGER_REQUEST_IS_ADVICE = 1u << 6,   /* third MTI digit 2: 0420 as against 0400 */
    LEDGER_REQUEST_ON_US = 1u << 7,       /* our issuer BIN */
    LEDGER_REQUEST_HAS_DE38 = 1u << 8,
    LEDGER_REQUEST_HAS_EXPIRY = 1u << 9, /* DE14 or that of DE35 */
    LEDGER_REQUEST_VERIFY = 1u << 10,    /* DE4 0 and DE25 51: account verification */
};

/* The fact row of one message: what is decided from, and what the journal keeps of it. */
struct ledger_request {
    struct hash128 replay_key;   /* contract section 6, "Key" */
    uint64_t content;            /* hash of DE 2, 3, 4, 49, 90, 95, 103 */
    struct hash128 self_key;     /* {party, class, STAN, DE32, DE2, 41, 42} of this message */
    struct hash128 rrn_key;      /* {party, DE2, 32, 37, 41, 42}; made from `rrn` */
    struct hash128 original_key; /* HAS_DE90: as self_key, with class, STAN, DE32 from DE90 */
    struct ledger_card_key card;
    int64_t amount_minor;
    int64_t remains_minor; /* DE95 positions 1-12 */
    uint64_t de7;          /* ten digits as a number */
    uint64_t original_de7; /* of DE90 */
    uint64_t local_time;   /* DE13 + DE12 as a number, 0 = absent */
    uint64_t de32;         /* as a number */
    uint32_t stan;
    uint32_t original_stan;
    uint32_t de3;          /* six digits as a number */
    uint32_t flags;        /* enum ledger_request_flag */
    uint32_t findings;     /* enum ledger_finding */
    uint32_t card_version; /* of the ref.mdb record the worker used; 0 = it has none, UINT32_MAX =
                              not needed */
    uint64_t ref_batch;    /* the worker's ref snapshot */
    uint64_t ruleset;      /* first 8 bytes of its hash */
    uint16_t party;        /* index of conf/parties.yaml */
    uint16_t currency;     /* DE49, ISO 4217 numeric */
    uint16_t expiry;       /* YYMM */
    uint16_t mcc;
    uint16_t entry_mode;    /* DE22 */
    uint16_t mti;           /* as a number: 100, 101, 120 … */
    uint16_t original_mti;  /* of DE90 */
    uint8_t class;          /* enum ledger_class */
    uint8_t original_class; /* of DE90 */
    uint8_t pin, cvv, cvv2; /* enum ledger_check; cvv is that of DE35 */
    uint8_t condition;      /* DE25 */
    uint8_t rrn[12];
    uint8_t terminal[8];
    uint8_t merchant[15];
    uint8_t de38[6];
    uint8_t de39[2];                                /* of an advice; "00" when absent */
    uint8_t pan_first6_last4[10];                   /* for people; digits */
    uint8_t transfer_to[LEDGER_ACCOUNT_NAME_BYTES]; /* DE103, space padded */
    uint8_t routes_count;                           /* forwarded: endpoints in order */
    uint8_t routes[LIMIT_ROUTES_MAX];
    uint8_t counts_count;
    struct ledger_count counts[LIMIT_COUNTS_PER_TXN_MAX];
};

/* What is needed to say the message again to a counterparty (advice, reversal): fields but DE2 and
 * everything sensitive, each as {DE u8, size u8, canonical bytes}; the PAN sealed by the data key.
 */
#define LEDGER_RELAY_BYTES_MAX 640u
struct ledger_relay {
    uint8_t pan_sealed[48]; /* hsm/seal.h: nonce 12, ciphertext 20, tag 16 */
    uint16_t size;
    uint8_t fields[LEDGER_RELAY_BYTES_MAX];
};

struct ledger_command { /* header of every command record */
    uint32_t size;      /* of the whole record */
    uint16_t kind;      /* enum ledger_command_kind */
    uint16_t sender;    /* index of the command ring: worker, or LEDGER_SENDER_CONTROL */
    uint32_t slot;      /* returned in the verdict: the sender's slot and generation */
    uint32_t generation;
    int64_t received_ns; /* boot time at which the message's last byte arrived */
};

struct ledger_command_request { /* AUTH, INTENT, ADVICE, REVERSAL */
    struct ledger_command header;
    struct ledger_request request;
    struct ledger_relay
        relay; /* INTENT, and ADVICE or REVERSAL of a forwarded card; cut at its size */
};

enum ledger_outcome {
    LEDGER_OUTCOME_APPROVED,
    LEDGER_OUTCOME_DECLINED,
    LEDGER_OUTCOME_TECHNICAL, /* next attempt if the policy allows */
    LEDGER_OUTCOME_NOT_SENT,  /* certainly not sent: link down, window full */
};

struct ledger_command_outcome { /* OUTCOME, TIMEOUT */
    struct ledger_command header;
    uint64_t txn; /* transaction id of the verdict FORWARD */
    uint8_t attempt;
    uint8_t outcome; /* enum ledger_outcome; not looked at in TIMEOUT */
    uint8_t de39[2];
    uint8_t de38[6];
    uint8_t has_de38;
    uint8_t reserved[5];
    int64_t amount_minor; /* DE39 10: the part that the counterparty approved; else 0 */
};

struct ledger_command_saf { /* PULL, RESOLVED */
    struct ledger_command header;
    uint64_t
        item; /* RESOLVED; PULL: 0, or the item whose acknowledgement did not come: it goes back */
    uint16_t endpoint;
    uint8_t de39[2]; /* RESOLVED: of the acknowledgement */
    uint32_t reserved;
};

enum ledger_status { /* of accounts and cards */
                     LEDGER_STATUS_OPEN,
                     LEDGER_STATUS_FROZEN,  /* account */
                     LEDGER_STATUS_CLOSED,  /* account; card: cancelled */
                     LEDGER_STATUS_BLOCKED, /* card: 62 */
                     LEDGER_STATUS_LOST,    /* card: 41 */
                     LEDGER_STATUS_STOLEN,  /* card: 43 */
};

struct ledger_command_account { /* ACCOUNT_CREATE, ACCOUNT_MOVE, ACCOUNT_STATUS */
    struct ledger_command header;
    uint8_t name[LEDGER_ACCOUNT_NAME_BYTES];
    uint16_t currency;
    uint8_t is_house; /* may go below zero */
    uint8_t status;
    int64_t credit_line_minor;
    int64_t amount_minor;                       /* MOVE: > 0 credits the account, < 0 debits it */
    uint8_t counter[LEDGER_ACCOUNT_NAME_BYTES]; /* MOVE: the house account of the other leg */
    uint32_t uid;
};

struct ledger_command_card { /* CARD_CREATE, CARD_STATUS */
    struct ledger_command header;
    struct ledger_card_key card;
    uint8_t account[LEDGER_ACCOUNT_NAME_BYTES];
    uint16_t expiry;       /* YYMM */
    uint16_t service_code; /* 201 */
    uint8_t status;
    uint8_t pvki;
    uint8_t pvv[4];
    uint8_t reset_pin_tries; /* CARD_STATUS: `card unblock --pin` */
    uint8_t keep_status;     /* CARD_STATUS: only the PIN tries */
    uint8_t pan_first6_last4[10];
    uint32_t uid;
};

struct ledger_command_list { /* LIST_CHANGE */
    struct ledger_command header;
    uint8_t list[32]; /* name, NUL padded */
    uint8_t is_remove;
    uint8_t key_size;
    uint8_t key[64]; /* card key, digits, text: as the list's type says */
    uint32_t uid;
    int64_t until_utc_s; /* 0 = for ever */
};

struct ledger_command_text { /* RULESET, CONTROL, EXCEPTION_RESOLVE */
    struct ledger_command header;
    uint64_t id; /* ruleset hash, exception id */
    uint32_t uid;
    uint16_t text_size;
    uint8_t text[256];
};

enum ledger_query {
    LEDGER_QUERY_ACCOUNT,         /* by name */
    LEDGER_QUERY_ACCOUNT_OF_CARD, /* by card key */
    LEDGER_QUERY_ACCOUNTS,        /* all, from cursor */
    LEDGER_QUERY_CARD,
    LEDGER_QUERY_EXCEPTIONS,
    LEDGER_QUERY_SAF,
    LEDGER_QUERY_TXN,     /* by id, or by rrn: from cursor */
    LEDGER_QUERY_TOTALS,  /* a row a currency: the trial balance */
    LEDGER_QUERY_STATUS,  /* counts, batch, money in doubt; cursor 1: the digest too, which takes
                             time */
    LEDGER_QUERY_COUNTER, /* declaration and key */
    LEDGER_QUERY_VERIFY,  /* recomputes sums over all accounts, holds and open transactions */
};
struct ledger_command_query {
    struct ledger_command header;
    uint8_t query; /* enum ledger_query */
    uint8_t has_txn;
    uint16_t reserved;
    uint32_t rows_max;
    uint64_t cursor;
    uint64_t txn;
    struct ledger_card_key card;
    uint8_t name[LEDGER_ACCOUNT_NAME_BYTES];
    uint8_t rrn[12];
    uint64_t declaration, key;
};

/* ---- verdicts ------------------------------------------------------------------------------ */

enum ledger_verdict_kind {
    LEDGER_VERDICT_REPLY,   /* final: answer from `reply` */
    LEDGER_VERDICT_SILENT,  /* final: nobody is to be answered (reversed while out at the scheme) */
    LEDGER_VERDICT_FORWARD, /* INTENT or next attempt is durable: send it as `forward` says */
    LEDGER_VERDICT_STALE, /* the worker's ref snapshot is too old: renew and repeat the step once */
    LEDGER_VERDICT_BUSY,  /* a table is full or the journal is slow: answer 91 BUSY, not stored */
    LEDGER_VERDICT_SAF_ITEM, /* answer to PULL */
    LEDGER_VERDICT_SAF_NONE,
    LEDGER_VERDICT_DONE,    /* admin, RESOLVED: durable */
    LEDGER_VERDICT_REFUSED, /* admin: `refusal` says why; nothing changed */
    LEDGER_VERDICT_ROWS,    /* QUERY: rows follow; `cursor` 0 = last */
};

enum ledger_de54 { LEDGER_DE54_NONE, LEDGER_DE54_BALANCE, LEDGER_DE54_PARTIAL };

/* The reply delta: response fields that are not echoes (design rule 4). */
struct ledger_reply {
    int64_t amount_minor;     /* DE4 when has_amount (partial approval) */
    int64_t ledger_minor;     /* DE54 BALANCE */
    int64_t available_minor;  /* DE54 BALANCE; PARTIAL: the amount originally asked for */
    uint16_t settlement_date; /* DE15 MMDD as a number; 0 = not in the answer */
    uint16_t currency;
    uint8_t de39[2];
    uint8_t de38[6]; /* has_de38 */
    uint8_t rrn[12]; /* DE37 that we assigned: has_rrn */
    uint8_t de44[25];
    uint8_t de44_size;
    uint8_t has_amount, has_de38, has_rrn;
    uint8_t cvv2_result; /* 'M', 'N', 'P' or 0 */
    uint8_t de54;        /* enum ledger_de54 */
    uint8_t is_replay;   /* from the stored decision */
    uint8_t reserved[2];
};

struct ledger_forward {
    uint64_t txn;
    uint64_t de7;    /* of our leg, MMDDhhmmss as a number */
    uint32_t stan;   /* of our leg */
    uint8_t attempt; /* 1.. */
    uint8_t endpoint;
    uint8_t rrn[12]; /* ours when the request had none, else its own */
    uint8_t reserved[6];
};

struct ledger_saf_item {
    uint64_t item;
    uint64_t txn;
    uint64_t de7;          /* of this message; the same in every repetition */
    uint64_t original_de7; /* DE90 of a reversal: the forwarded leg's values */
    uint64_t original_de32;
    int64_t amount_minor;
    int64_t remains_minor; /* DE95 when has_remains */
    uint32_t stan;
    uint32_t original_stan;
    uint32_t sends_count; /* 1 = first time: x420; above: x421 */
    uint16_t mti;         /* 420, 120, 220: of the first send */
    uint16_t original_mti;
    uint16_t endpoint;
    uint8_t has_remains;
    uint8_t is_reversal;
    uint8_t rrn[12];
    struct ledger_relay relay;
};

struct ledger_verdict { /* header of every verdict record */
    uint32_t size;
    uint16_t kind;    /* enum ledger_verdict_kind */
    uint16_t command; /* enum ledger_command_kind that it answers */
    uint32_t slot, generation;
    uint64_t txn;
    uint64_t batch;  /* journal batch that made it durable */
    uint16_t reason; /* enum ledger_reason (reason.def): why, for the log and the table */
    uint16_t reserved[3];
};
struct ledger_verdict_reply {
    struct ledger_verdict header;
    struct ledger_reply reply;
};
struct ledger_verdict_forward {
    struct ledger_verdict header;
    struct ledger_forward forward;
};
struct ledger_verdict_saf {
    struct ledger_verdict header;
    struct ledger_saf_item item;
};
struct ledger_verdict_refused {
    struct ledger_verdict header;
    char text[96];
};

/* Rows of a QUERY, packed behind each other; `rows_kind` is the query. */
struct ledger_row_account {
    uint64_t id;
    uint8_t name[LEDGER_ACCOUNT_NAME_BYTES];
    uint16_t currency;
    uint8_t status, is_house;
    int64_t balance_minor, held_minor, available_minor, credit_line_minor;
};
struct ledger_row_card {
    struct ledger_card_key card;
    uint8_t account[LEDGER_ACCOUNT_NAME_BYTES];
    uint16_t expiry;
    uint8_t status, pin_tries;
    uint32_t version;
    uint8_t pan_first6_last4[10];
    uint8_t reserved[6];
};
enum ledger_exception { /* ringctl exceptions list: kind */
                        LEDGER_EXCEPTION_FORCED,
                        LEDGER_EXCEPTION_OVER_HOLD,
                        LEDGER_EXCEPTION_BELOW_ZERO,
                        LEDGER_EXCEPTION_NOT_BOOKED,
                        LEDGER_EXCEPTION_UNMATCHED,
                        LEDGER_EXCEPTION_COMPLETED,
};
struct ledger_row_exception {
    uint64_t id, txn;
    int64_t amount_minor, utc_ns;
    uint16_t currency;
    uint8_t kind;
    uint8_t is_open;
    uint8_t rrn[12];
};
struct ledger_row_saf {
    uint64_t item, txn;
    uint32_t stan, sends_count;
    uint16_t endpoint, mti;
    uint8_t rrn[12];
    int64_t queued_utc_ns;
};
struct ledger_row_txn { /* a transaction as RAM knows it */
    uint64_t txn;
    struct ledger_reply reply;
    int64_t amount_minor, held_minor, posted_minor, undone_minor, refunded_minor;
    int64_t received_utc_ns, decided_utc_ns, answered_utc_ns;
    uint64_t related; /* the original of a reversal, completion or refund; 0 = none */
    uint64_t de7, forward_de7;
    uint32_t stan, forward_stan, de3;
    uint16_t mti, currency, party, endpoint, state, reason;
    uint8_t rrn[12];
    uint8_t terminal[8];
    uint8_t merchant[15];
    uint8_t attempt; /* 0 = never left for a scheme */
    uint8_t pan_first6_last4[10];
    uint8_t is_silent; /* nobody was answered */
    uint8_t reserved[1];
    uint8_t debit_account[LEDGER_ACCOUNT_NAME_BYTES], credit_account[LEDGER_ACCOUNT_NAME_BYTES];
    int64_t resolved_utc_ns; /* its stored message was acknowledged; 0 = not, or none */
    uint32_t resolution_stan;
    uint16_t resolution_mti; /* stored message that says it again or undoes it; 0 = none */
    uint16_t resolution_sends;
};
struct ledger_row_counter {
    uint64_t declaration, key;
    uint32_t value; /* in the window that ends now */
    uint32_t window_s;
};
struct ledger_row_verify { /* with is_ok of the verdict */
    char text[96];         /* the first thing that does not fit; "" when all is well */
    uint64_t accounts_count, holds_count, reserved_count, open_count;
};
struct ledger_row_totals {
    uint16_t currency;
    uint16_t reserved[3];
    uint64_t debits_low, debits_high, credits_low, credits_high; /* 128-bit sums */
};
struct ledger_row_status {
    uint64_t batch_durable, epoch, txns_count, replays_count, holds_open_count, accounts_count,
        cards_count, saf_count, exceptions_open_count, unknown_count;
    int64_t in_doubt_minor; /* reserved for transactions whose outcome is unknown */
    uint64_t digest;        /* of the state: equal after replay */
};
struct ledger_verdict_rows {
    struct ledger_verdict header;
    uint64_t
        cursor; /* give it in the next QUERY; 0 = that was all; rows may be none and yet not all */
    uint32_t rows_count;
    uint16_t row_size;
    uint8_t query;  /* enum ledger_query */
    uint8_t is_ok;  /* VERIFY */
    uint8_t rows[]; /* rows_count * row_size */
};

_Static_assert(sizeof(struct ledger_command_request) <= 2048, "a request is one small record");
_Static_assert(sizeof(struct ledger_verdict_saf) <= 1024, "a stored message is one small record");

#endif
