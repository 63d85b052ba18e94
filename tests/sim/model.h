/* model.h - the plain slow model: what every answer and balance has to be, from the contract alone.
 *
 * DESIGN  Lists that are searched from end to end, no indexes, no journal, one rule after the other
 * as contract sections 5 to 7 state them. It shares no code with ledger/, switch/ or rules/: it
 * reads the facts of the same commands in the same order and says what the verdict must be. Of what
 * the worker found it believes only what the facts do not show: Luhn, and what the HSM said. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "ledger/command.h"

enum model_kind {
    MODEL_REPLY,   /* de39 and the rest of `reply` */
    MODEL_FORWARD, /* goes out to the scheme */
    MODEL_WAIT,    /* the same request is out: answered when that is */
    MODEL_SILENT,  /* nobody is answered: reversed while it was out */
    MODEL_IGNORED, /* a late outcome */
};

struct model_answer {
    enum model_kind kind;
    char de39[3];
    bool is_replay;
    char cvv2_result;                          /* 0, M, N, P */
    int64_t amount_minor;                      /* DE4 of a partial approval, else 0 */
    int64_t ledger_minor, available_minor;     /* DE54, when has_de54 */
    bool has_de54, has_de38, is_reversed_text; /* DE44 REVERSED */
    int32_t txn;                               /* of the model; -1 = none (not stored) */
};

struct model;
struct model *model_create(void);
void model_destroy(struct model *model);

void model_account(struct model *model, const char *name, bool is_house, int64_t credit_line_minor);
void model_move(struct model *model, const char *name, const char *house, int64_t amount_minor);
void model_account_status(struct model *model, const char *name, enum ledger_status status);
void model_card(struct model *model, const struct ledger_card_key *key, const char *account,
                uint16_t expiry, enum ledger_status status);
void model_card_status(struct model *model, const struct ledger_card_key *key,
                       enum ledger_status status, bool reset_pin_tries, bool keep_status);
/* settlement/<party> of acquirers, settlement/<endpoint> of schemes, by index. */
void model_settlement(struct model *model, uint16_t party, const char *account);
void model_endpoint(struct model *model, uint8_t endpoint, const char *account);

/* A rule set in numbers. */
#define MODEL_ROUTES 2u
struct model_rules {
    uint64_t id; /* ledger_request.ruleset */
    int64_t amount_max_minor;
    uint32_t counter; /* in which purchases with cards of velocity_cards count */
    uint32_t count_max;
    int64_t window_s, buckets;
    uint8_t routes_of_4[MODEL_ROUTES], routes_of_5[MODEL_ROUTES]; /* of cards that begin so */
    uint32_t routes_count; /* the next one when it was certainly not sent on this one */
};
void model_rules(struct model *model, const struct model_rules *rules);
bool model_knows_rules(const struct model *model, uint64_t id);
void model_activate(struct model *model, uint64_t id); /* the journaled command */
uint64_t model_ruleset(const struct model *model);
void model_list(struct model *model, const char *list, const struct ledger_card_key *key,
                bool is_remove);

/* One command, in the shard's order. utc_s: batch time. */
struct model_answer model_request(struct model *model, enum ledger_command_kind kind,
                                  const struct ledger_request *request, int64_t utc_s);
/* The outcome of the forwarded transaction that model_request() gave. */
struct model_answer model_outcome(struct model *model, int32_t txn, enum ledger_outcome outcome,
                                  const char de39[2], int64_t part_minor);
struct model_answer model_timeout(struct model *model, int32_t txn);
/* The scheme acknowledged the reversal of an unknown transaction: its reservation is gone. */
void model_resolved(struct model *model, int32_t txn);

/* What the schemes must have heard of a forwarded transaction. */
enum model_fate {
    MODEL_FATE_NONE,     /* still out, or not forwarded */
    MODEL_FATE_STANDS,   /* approved and not reversed: no reversal */
    MODEL_FATE_DECLINED, /* no reversal */
    MODEL_FATE_NOT_SENT, /* nothing at all */
    MODEL_FATE_UNDONE,   /* silent, lost in a crash, or reversed by the acquirer: a reversal */
};
enum model_fate model_fate(const struct model *model, int32_t txn);

bool model_is_out(const struct model *model, int32_t txn);
bool model_is_unknown(const struct model *model, int32_t txn);
bool model_balance(const struct model *model, const char *account, int64_t *balance_minor,
                   int64_t *held_minor);
uint32_t model_exceptions(const struct model *model, enum ledger_exception kind);
/* Prints every message that holds something of this account. */
void model_print_holds(const struct model *model, const char *account);
int64_t model_sum(const struct model *model); /* of all balances: 0 */

#endif
