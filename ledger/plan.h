/* plan.h - the decision: a pure function of (command, state, batch time) that writes effects and a
 * verdict into the caller's struct and changes nothing else.
 *
 * DESIGN  A plan works on images of the rows it changes (plan_edit), so it sees its own changes and
 * the tables stay as they are. ledger_plan_pack() writes the images behind a record header; when
 * the caller has journaled that record it gives it to ledger_apply(). No effects: nothing is
 * journaled, the answer rests on what was journaled before.
 *
 * THREAD  the shard's. BOUNDS  LEDGER_EFFECTS_MAX effects, LEDGER_RECORD_BYTES_MAX bytes. */
#ifndef LEDGER_PLAN_H
#define LEDGER_PLAN_H

#include "ledger/tables.h"

struct ledger_now { /* the same for all commands of a turn, but for the batch */
    int64_t utc_ns; /* batch time: never goes back */
    int64_t boot_ns;
    uint64_t batch; /* of the journal, that the record will be in */
    uint16_t epoch;
    uint16_t mmdd;  /* business date, DE15 */
    uint16_t yymm;  /* the month that cards must not have expired before */
    uint64_t de7;   /* MMDDhhmmss, UTC: of our own messages */
    int64_t second; /* that mmdd, yymm, de7 were made for */
};
/* Moves it on; `utc_ns` below the last one is taken as the last one. */
void ledger_now_set(struct ledger_now *now, int64_t utc_ns, int64_t boot_ns);

#define LEDGER_PLAN_IMAGE_BYTES 16384u

struct ledger_edit {
    uint16_t table;
    uint32_t row;
    void *image;
};

union ledger_verdict_any {
    struct ledger_verdict header;
    struct ledger_verdict_reply reply;
    struct ledger_verdict_forward forward;
    struct ledger_verdict_saf saf;
    struct ledger_verdict_refused refused;
};

struct ledger_plan {
    const struct ledger_state *state;
    const struct ledger_now *now;
    int64_t replay_keep_ns;

    /* The command's, for the record and the verdict. */
    uint16_t kind, sender;
    uint64_t ruleset, ref_batch;

    /* What comes out. */
    uint16_t reason;
    uint64_t txn;
    uint64_t
        waits_for;  /* id of the transaction whose answer is this one's too; 0 = `verdict` counts */
    uint64_t wakes; /* whoever waits for this transaction is answered with `wake` */
    struct ledger_verdict_reply wake;
    union ledger_verdict_any verdict;
    uint64_t saf_sent; /* PULL: row + 1 of what goes out with this verdict */
    uint64_t saf_back; /* PULL: row + 1 of what came back unacknowledged */

    bool is_full;      /* a table has no place: BUSY */
    bool is_overflown; /* an amount does not fit: 96, nothing happens */
    uint32_t holds_taken, safs_taken, marks_taken, counters_taken;
    uint32_t edits_count, events_count;
    struct ledger_edit edits[LEDGER_EFFECTS_MAX];
    uint32_t images_size;
    _Alignas(16) uint8_t images[LEDGER_PLAN_IMAGE_BYTES];
};

/* Everything but QUERY. `admits`: may new work come in (journal)? */
void ledger_plan(struct ledger_plan *plan, const struct ledger_state *state,
                 const struct ledger_now *now, int64_t replay_keep_ns, bool admits,
                 const struct ledger_command *command, uint32_t command_size);
/* Bytes written to `out` (LEDGER_RECORD_BYTES_MAX, 8-aligned); 0 when the plan has no effects. */
uint32_t ledger_plan_pack(const struct ledger_plan *plan, uint8_t *out);

/* A hint for a command that will be planned after `ahead` others: call it at each of these. */
#define LEDGER_AHEAD_ACCOUNTS 2u
#define LEDGER_AHEAD_ROWS     4u
#define LEDGER_AHEAD_HEADS    7u
void ledger_plan_prefetch(const struct ledger_state *state, const struct ledger_command *command,
                          uint32_t ahead);

/* ---- inside the plan*.c files ---------------------------------------------------------------- */

/* plan_edit.c: images of rows. Rows are given as row + 1, as rows refer to each other. */
void *plan_edit(struct ledger_plan *plan, uint16_t table, uint32_t row);  /* as it is now */
void *plan_fresh(struct ledger_plan *plan, uint16_t table, uint32_t row); /* all zero */
const void *plan_see(const struct ledger_plan *plan, uint16_t table, uint32_t row);
void *plan_event(struct ledger_plan *plan, uint16_t event); /* an image without a row */
void plan_drop_edits(struct ledger_plan *plan);

#define PLAN_TABLE(name)                                                                           \
    static inline struct ledger_##name *plan_edit_##name(struct ledger_plan *plan, uint32_t row)   \
    {                                                                                              \
        return plan_edit(plan, LEDGER_TABLE_##name, row);                                          \
    }                                                                                              \
    static inline const struct ledger_##name *plan_see_##name(const struct ledger_plan *plan,      \
                                                              uint32_t row)                        \
    {                                                                                              \
        return plan_see(plan, LEDGER_TABLE_##name, row);                                           \
    }
PLAN_TABLE(account)
PLAN_TABLE(card)
PLAN_TABLE(hold)
PLAN_TABLE(counter)
PLAN_TABLE(txn)
PLAN_TABLE(saf)
PLAN_TABLE(mark)
#undef PLAN_TABLE

/* Rows for something new; 0 and is_full when there is none. The image is all zero. */
uint32_t plan_new_hold(struct ledger_plan *plan);
uint32_t plan_new_saf(struct ledger_plan *plan);

/* plan_book.c: money, always from one account to another. Amount 0 moves nothing. */
void plan_pend(struct ledger_plan *plan, uint32_t debit, uint32_t credit, int64_t amount_minor);
void plan_release(struct ledger_plan *plan, uint32_t debit, uint32_t credit, int64_t amount_minor);
void plan_post(struct ledger_plan *plan, uint32_t debit, uint32_t credit, int64_t amount_minor);
/* What still stands of a decided message: held or posted, less reversed and refunded. */
int64_t plan_stands(const struct ledger_plan *plan, const struct ledger_txn *txn);
/* Takes `amount` off a hold; closes it at zero. */
void plan_hold_less(struct ledger_plan *plan, uint32_t hold, int64_t amount_minor);
void plan_counts_back(struct ledger_plan *plan, struct ledger_txn *txn);
void plan_mark(struct ledger_plan *plan, const struct ledger_txn *txn, enum ledger_exception kind,
               int64_t amount_minor);
/* BELOW_ZERO when the account of a customer has less than nothing. */
void plan_mark_below_zero(struct ledger_plan *plan, const struct ledger_txn *txn, uint32_t account,
                          int64_t amount_minor);

/* plan_record.c: the row of a message, its answer, repeats. */
enum plan_seen { PLAN_NEW, PLAN_ANSWERED };
/* Same key known? Then the verdict is made. */
enum plan_seen plan_repeat(struct ledger_plan *plan, const struct ledger_request *request);
/* The row of a new message; NULL and is_full: no place. */
struct ledger_txn *plan_new_txn(struct ledger_plan *plan,
                                const struct ledger_command_request *command);
void plan_decided(struct ledger_plan *plan, struct ledger_txn *txn, enum ledger_reason reason);
void plan_reply(struct ledger_plan *plan, const struct ledger_txn *txn);
void plan_reply_text(struct ledger_plan *plan, enum ledger_reason reason); /* not stored */
void plan_fill_reply(const struct ledger_txn *txn, struct ledger_reply *reply);
void plan_verdict(struct ledger_plan *plan, enum ledger_verdict_kind kind, uint32_t size);
bool plan_is_stale(const struct ledger_plan *plan, const struct ledger_request *request);

/* plan_decide.c: contract section 7. */
enum decision_type {
    TYPE_OTHER,
    TYPE_PURCHASE, /* DE3 00, 01 */
    TYPE_REFUND,   /* 20 */
    TYPE_BALANCE,  /* 31 */
    TYPE_TRANSFER, /* 40 */
    TYPE_VERIFY,   /* 00 with amount 0 and DE25 51 */
};
struct decision {
    struct ledger_plan *plan;
    const struct ledger_request *request;
    bool is_forwarded;
    enum decision_type type;
    uint32_t card, account, to_account; /* row + 1 */
    uint32_t settlement;                /* of the party */
    uint32_t purchase;                  /* txn row + 1: what a refund gives back of */
    bool purchase_missing;              /* DE90 names none */
    bool purchase_known;                /* `refundable_minor` is the limit */
    int64_t refundable_minor;
    int64_t part_minor;  /* approved in part */
    uint8_t tries_after; /* wrong PINs in a row when this is decided */
    uint8_t cvv2_result; /* 'M', 'N', or 'P' until the check was reached and definite */
};
enum decision_type plan_type(const struct ledger_request *request);
void plan_find_purchase(struct decision *decision);
/* The first reason that applies, in order of precedence; forwarded: APPROVED = the scheme decides.
 */
enum ledger_reason plan_decide(struct decision *decision);
bool plan_reasons_in_order(void); /* the tests stand as in reason.def */
/* Counts of an approval go up; is_full when there is no place for a new counter. */
void plan_count(struct ledger_plan *plan, struct ledger_txn *txn,
                const struct ledger_request *request);

/* plan_saf.c: stored messages. */
uint32_t plan_next_stan(struct ledger_plan *plan, uint16_t endpoint);
/* To the end of the endpoint's queue, with a number of our own; the caller has set what it says. */
void plan_queue(struct ledger_plan *plan, struct ledger_saf *saf, uint16_t endpoint);
/* Says the reversal of the leg that `original` sent. */
void plan_queue_reversal(struct ledger_plan *plan, struct ledger_saf *saf,
                         const struct ledger_txn *original);
void plan_put_relay(struct ledger_plan *plan, uint32_t saf,
                    const struct ledger_command_request *command, uint32_t command_size);
void plan_free_saf(struct ledger_plan *plan, uint32_t saf);

/* plan_forward.c: the attempt that is out becomes unknown: its reversal is queued and takes the
 * reservation over. */
void plan_unknown(struct ledger_plan *plan, struct ledger_txn *txn, enum ledger_reason reason);
/* Nothing came of this request: counters and the purchase it refunds get back what it took. */
void plan_given_up(struct ledger_plan *plan, struct ledger_txn *txn);
/* Less was refunded of the purchase that this refund names. */
void plan_refund_less(struct ledger_plan *plan, const struct ledger_txn *refund,
                      int64_t amount_minor);

/* The commands. */
void plan_auth(struct ledger_plan *plan, const struct ledger_command_request *command);
void plan_intent(struct ledger_plan *plan, const struct ledger_command_request *command,
                 uint32_t command_size);
void plan_outcome(struct ledger_plan *plan, const struct ledger_command_outcome *command);
void plan_timeout(struct ledger_plan *plan, const struct ledger_command_outcome *command);
void plan_advice(struct ledger_plan *plan, const struct ledger_command_request *command,
                 uint32_t command_size);
void plan_reversal(struct ledger_plan *plan, const struct ledger_command_request *command,
                   uint32_t command_size);
void plan_pull(struct ledger_plan *plan, const struct ledger_command_saf *command);
void plan_resolved(struct ledger_plan *plan, const struct ledger_command_saf *command);
void plan_account_create(struct ledger_plan *plan, const struct ledger_command_account *command);
void plan_account_move(struct ledger_plan *plan, const struct ledger_command_account *command);
void plan_account_status(struct ledger_plan *plan, const struct ledger_command_account *command);
void plan_card_create(struct ledger_plan *plan, const struct ledger_command_card *command);
void plan_card_status(struct ledger_plan *plan, const struct ledger_command_card *command);
void plan_list_change(struct ledger_plan *plan, const struct ledger_command_list *command);
void plan_ruleset(struct ledger_plan *plan, const struct ledger_command_text *command);
void plan_control(struct ledger_plan *plan, const struct ledger_command_text *command);
void plan_exception_resolve(struct ledger_plan *plan, const struct ledger_command_text *command);

#endif
