/* model_internal.h - the rows of the plain model, and what its files share. */
#ifndef SIM_MODEL_INTERNAL_H
#define SIM_MODEL_INTERNAL_H

#include "tests/sim/model.h"

enum model_state { STATE_DECIDED, STATE_OUT, STATE_UNKNOWN, STATE_TOMBSTONE };

struct model_account_row {
    char name[LEDGER_ACCOUNT_NAME_BYTES + 1];
    bool is_house;
    enum ledger_status status;
    int64_t balance, held, line;
};

struct model_card_row {
    struct ledger_card_key key;
    int32_t account;
    uint16_t expiry;
    enum ledger_status status;
    int pin_tries;
};

struct model_listed { /* an element of a list */
    char list[32];
    struct ledger_card_key key;
};

struct model_txn {
    struct ledger_request request;
    struct model_answer answer;
    enum model_state state;
    enum ledger_command_kind kind;
    int64_t utc_s;
    uint64_t de7[5]; /* its own, and of its last four repeats */
    uint32_t de7_count;
    int32_t from, to;     /* accounts: from is debited */
    int64_t held, posted; /* what stands of it */
    bool is_refund;       /* from and to are the other way round already */
    bool approved, reversed, completed, superseded, counted, stored, reversed_while_out;
    bool was_silent, was_not_sent;
    bool undone_at_scheme; /* its reversal was acknowledged before it had an outcome */
    int64_t refundable;    /* of a purchase: what may still be refunded */
    int32_t purchase;      /* of a refund: what it refunds */
    int32_t completed_by;  /* of an authorization: its completion's index + 1 */
    uint32_t counter;      /* counted: in which counter */
    uint8_t routes[MODEL_ROUTES];
    uint32_t routes_count, attempt; /* attempt 1: routes[0] */
};

#define MODEL_RULES_MAX 4u

struct model {
    struct model_account_row *accounts;
    struct model_card_row *cards;
    struct model_txn *txns;
    struct model_listed *listed;
    int32_t accounts_count, cards_count, txns_count, listed_count;
    struct model_rules rules[MODEL_RULES_MAX];
    uint32_t rules_count;
    char settlement[LIMIT_PARTIES_MAX][LEDGER_ACCOUNT_NAME_BYTES + 1];
    char endpoint[LIMIT_ENDPOINTS_MAX][LEDGER_ACCOUNT_NAME_BYTES + 1];
    uint32_t exceptions[8];
    uint64_t ruleset; /* the last one that was journaled */
};

/* What the rules say to a message (model_rules.c), from lists, BIN, type and amount. */
struct model_view {
    const struct model_rules *rules;
    bool is_on_us, denied, no_route, over_amount, not_permitted, other_currency;
    bool counts;                  /* in the counter of `rules` */
    uint8_t routes[MODEL_ROUTES]; /* neither is_on_us nor no_route */
};
struct model_view model_view(const struct model *model, const struct ledger_request *r);

/* ---- model.c: accounts and cards ---------------------------------------------------------------
 */

void *model_grow(void *rows, int32_t count, size_t size);
int32_t model_account_of(const struct model *model, const void *name);
struct model_card_row *model_card_of(const struct model *model, const struct ledger_card_key *key);
int64_t model_available(const struct model *model, int32_t account);

struct model_answer model_say(const char *de39);
int32_t model_store(struct model *model, enum ledger_command_kind kind,
                    const struct ledger_request *r, int64_t utc_s, struct model_answer answer);
void model_post(struct model *model, int32_t from, int32_t to, int64_t amount);
void model_hold(struct model *model, struct model_txn *txn, int32_t from, int32_t to,
                int64_t amount);
void model_release(struct model *model, struct model_txn *txn, int64_t amount);
void model_book(struct model *model, struct model_txn *txn, int32_t from, int32_t to,
                int64_t amount);

/* ---- model_find.c: by the fields of the contract's section 6; -1 = none ------------------------
 */

bool model_said_de7(const struct model_txn *txn, uint64_t de7);
bool model_same_content(const struct ledger_request *a, const struct ledger_request *b);
int32_t model_find_same_key(const struct model *model, const struct ledger_request *r);
int32_t model_find_original(const struct model *model, const struct ledger_request *r);
int32_t model_find_tombstone(const struct model *model, const struct ledger_request *r);
int32_t model_find_hold(const struct model *model, const struct ledger_request *r);
int32_t model_find_purchase(const struct model *model, const struct ledger_request *r,
                            bool approved);

/* ---- deciding ----------------------------------------------------------------------------------
 */

uint32_t model_type(const struct ledger_request *r); /* the first two digits of DE3 */
bool model_is_purchase(const struct ledger_request *r);
/* Of the right to see DE48.87; `reached`: the check was looked at. */
char model_cvv2_letter(const struct ledger_request *r, bool reached);
/* 13 and 25 of a refund; *purchase is what it refunds. */
const char *model_check_refund(const struct model *model, const struct ledger_request *r,
                               int32_t *purchase);
struct model_answer model_on_us(struct model *model, const struct ledger_request *r,
                                const struct model_view *view, enum ledger_command_kind kind,
                                int64_t utc_s);
struct model_answer model_forwarded(struct model *model, const struct ledger_request *r,
                                    const struct model_view *view, enum ledger_command_kind kind,
                                    int64_t utc_s);
struct model_answer model_advice(struct model *model, const struct ledger_request *r,
                                 const struct model_view *view, enum ledger_command_kind kind,
                                 int64_t utc_s, bool was_reversed);
struct model_answer model_reversal(struct model *model, const struct ledger_request *r,
                                   enum ledger_command_kind kind, int64_t utc_s);
/* What a refund took from its purchase stands again, once. */
void model_give_back_refundable(struct model *model, struct model_txn *txn);

#endif
