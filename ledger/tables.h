/* tables.h - inside of struct ledger_state: rows, indexes, free rows, queues, sums. For ledger/
 * only.
 *
 * Find functions return the row + 1, 0 = none: the form in which rows refer to each other. */
#ifndef LEDGER_TABLES_H
#define LEDGER_TABLES_H

#include "ledger/index.h"
#include "ledger/map.h"
#include "ledger/state.h"

#define LEDGER_CURRENCIES_MAX 32u
#define LEDGER_NEXT_ROWS_MAX  64u /* rows looked at for one that may be used again */
#define LEDGER_SEQUENCE_MASK  ((UINT64_C(1) << 40) - 1)

__extension__ typedef __int128 ledger_total; /* sums over accounts do not fit 64 bits */

struct ledger_free {         /* empty rows of a table; the last one is taken first */
    uint32_t *rows, *places; /* places[row] = position in rows + 1; 0 = in use */
    uint32_t count;
};

struct ledger_sum { /* over all accounts of a currency; equal on both sides at each record's end */
    ledger_total posted_debit, posted_credit, pending_debit, pending_credit;
    uint16_t currency;
};

struct ledger_queue { /* stored messages of an endpoint, oldest first: saf rows + 1 */
    uint32_t first, last;
    uint32_t waiting_count; /* of them not in flight */
};

struct ledger_state {
    struct ledger_limits limits;
    uint8_t *rows[LEDGER_TABLES_COUNT];
    uint32_t rows_count[LEDGER_TABLES_COUNT];
    uint32_t rows_used[LEDGER_TABLES_COUNT]; /* rows from here on were never written */

    /* The same, typed. */
    struct ledger_meta *meta;
    struct ledger_account *accounts;
    struct ledger_account_name *names;
    struct ledger_card *cards;
    struct ledger_hold *holds;
    struct ledger_counter *counters;
    struct ledger_txn *txns;
    struct ledger_saf *safs;
    struct ledger_relay_row *relays;
    struct ledger_mark *marks;
    struct ledger_endpoint_row *endpoints;

    struct ledger_index by_name, by_card, holds_by_rrn, by_counter, by_item;
    struct ledger_map by_replay;  /* every transaction */
    struct ledger_index by_self;  /* every transaction: self_key with DE7; of ages */
    struct ledger_index by_rrn;   /* originals 01xx, 02xx; of ages */
    struct ledger_index by_loose; /* originals that were repeated under another DE7, by self_key;
                                      tombstones, by the key that they have of their original */
    uint32_t tombstones_count;

    struct ledger_free holds_free, safs_free, marks_free, counters_free;
    uint32_t accounts_count, cards_count; /* rows are taken in order and never given back */
    struct ledger_queue queues[LIMIT_ENDPOINTS_MAX];
    uint32_t *saf_nexts, *saf_befores; /* in the queue of its endpoint: row + 1 */
    uint8_t *saf_in_flight;            /* given out by PULL in this run of the daemon */
    uint32_t saf_queued_count;

    struct ledger_sum sums[LEDGER_CURRENCIES_MAX];
    uint32_t sums_count;
    ledger_total in_doubt_minor;

    uint64_t txn_next;  /* sequence of the next transaction */
    uint64_t mark_next; /* id of the next exception */
    uint32_t txns_count, open_count, unknown_count, holds_open_count, marks_open_count;
    int64_t utc_last_ns;   /* batch time never goes back */
    uint32_t recover_from; /* where the search for open intents goes on */

    /* House accounts by their number in the configuration: row + 1, 0 = not created yet. */
    uint8_t party_names[LIMIT_PARTIES_MAX][LEDGER_ACCOUNT_NAME_BYTES];
    uint8_t endpoint_names[LIMIT_ENDPOINTS_MAX][LEDGER_ACCOUNT_NAME_BYTES];
    uint32_t party_accounts[LIMIT_PARTIES_MAX], endpoint_accounts[LIMIT_ENDPOINTS_MAX];
    struct ledger_policy { /* of an endpoint: from the options, the same in every run */
        uint16_t reversal_mti;
        uint8_t next_attempt_after;
    } policies[LIMIT_ENDPOINTS_MAX];
    uint16_t parties_count, endpoints_count;
    uint64_t seed;
};

static inline void ledger_row_used(struct ledger_state *state, uint16_t table, uint32_t row)
{
    if (row >= state->rows_used[table]) {
        state->rows_used[table] = row + 1;
    }
}

/* Gives the state its house accounts and the endpoints' policies; before load_row() and apply(). */
void ledger_state_configure(struct ledger_state *state, const struct ledger_options *options);

static inline uint64_t ledger_hash_bytes(const void *data, size_t size)
{
    return hash64(data, size, 0);
}
static inline uint64_t ledger_txn_hash_self(const struct hash128 *key, uint64_t de7)
{
    return key->low ^ de7 * UINT64_C(0xD6E8FEB86659FD93);
}
static inline uint64_t ledger_txn_hash_tombstone(const struct hash128 *rrn_key)
{
    return rrn_key->high ^ UINT64_C(0x746F6D6273746F6E);
}
static inline bool ledger_hash_equal(const struct hash128 *a, const struct hash128 *b)
{
    return a->low == b->low && a->high == b->high;
}
static inline uint32_t ledger_txn_row(const struct ledger_state *state, uint64_t id)
{
    return (uint32_t)((id & LEDGER_SEQUENCE_MASK) % state->limits.txns_max);
}

/* account.c */
void ledger_account_name_tidy(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES],
                              const uint8_t name[LEDGER_ACCOUNT_NAME_BYTES]);
uint32_t ledger_account_find(const struct ledger_state *state,
                             const uint8_t name[LEDGER_ACCOUNT_NAME_BYTES]);
uint32_t ledger_card_find(const struct ledger_state *state, const struct ledger_card_key *key);
int64_t ledger_account_balance(const struct ledger_account *account);
int64_t ledger_account_available(const struct ledger_account *account);
void ledger_account_indexed(struct ledger_state *state, uint32_t row);
struct ledger_sum *ledger_sum_of(struct ledger_state *state,
                                 uint16_t currency); /* NULL: no place */

/* hold.c: the newest open hold of these; de38 NULL = any. */
uint32_t ledger_hold_find(const struct ledger_state *state, const struct hash128 *rrn_key,
                          const uint8_t *de38);
/* The hold that this transaction still has. */
uint32_t ledger_hold_of(const struct ledger_state *state, const struct ledger_txn *txn);

/* counter.c */
uint64_t ledger_counter_hash(uint64_t declaration, uint64_t key);
uint32_t ledger_counter_find(const struct ledger_state *state, uint64_t declaration, uint64_t key);
/* A row for a new one: an empty row, or one whose window has passed. 0: none near. */
uint32_t ledger_counter_place(const struct ledger_state *state, uint64_t declaration, uint64_t key,
                              int64_t utc_ns, uint32_t skip);
uint32_t ledger_counter_value(const struct ledger_counter *counter, int64_t utc_ns);
void ledger_counter_add(struct ledger_counter *counter, int64_t utc_ns);
void ledger_counter_give_back(struct ledger_counter *counter, int64_t counted_utc_ns);
uint16_t ledger_counter_tag(const struct ledger_counter *counter);

/* txn.c */
uint32_t ledger_txn_find(const struct ledger_state *state, uint64_t id);
uint32_t ledger_txn_by_replay(const struct ledger_state *state, const struct hash128 *key);
/* The latest with this key that has, or had in one of its last repeats, this DE7. */
uint32_t ledger_txn_by_self(const struct ledger_state *state, const struct hash128 *key,
                            uint64_t de7);
/* The latest 01xx/02xx of the same DE2, 32, 37, 41, 42 that `wanted` accepts. */
uint32_t ledger_txn_by_rrn(const struct ledger_state *state, const struct hash128 *rrn_key,
                           bool (*wanted)(const struct ledger_txn *txn, uint32_t de3),
                           uint32_t de3);
/* A reversal that came before this request. */
uint32_t ledger_txn_tombstone(const struct ledger_state *state,
                              const struct ledger_request *request);
/* Sequence of the next transaction; 0: all rows are still needed. */
uint64_t ledger_txn_place(const struct ledger_state *state, int64_t utc_ns, int64_t keep_ns);
void ledger_txn_added(struct ledger_state *state, uint32_t row);
void ledger_txn_leaving(struct ledger_state *state, uint32_t row);
/* The row holds a newer image of the same transaction. */
void ledger_txn_changing(struct ledger_state *state, const struct ledger_txn *before, uint32_t row);
bool ledger_txn_has_de7(const struct ledger_txn *txn, uint64_t de7);

/* saf.c */
uint32_t ledger_saf_find(const struct ledger_state *state, uint64_t item);
/* The oldest one of the endpoint that is not in flight. */
uint32_t ledger_saf_next(const struct ledger_state *state, uint16_t endpoint);
void ledger_saf_queued(struct ledger_state *state, uint32_t row);
void ledger_saf_leaving(struct ledger_state *state, uint32_t row);
/* In flight or not: known to this run of the daemon only, so it is not an effect. */
void ledger_saf_flight(struct ledger_state *state, uint32_t row, bool in_flight);

/* state.c */
bool ledger_row_fits(const struct ledger_state *state, uint16_t table, uint32_t row,
                     const void *image, uint32_t size);
uint32_t ledger_free_row(const struct ledger_free *rows, uint32_t skip); /* row + 1, 0 = none */
void ledger_free_take(struct ledger_free *rows, uint32_t row);
void ledger_free_give(struct ledger_free *rows, uint32_t row);

#endif
