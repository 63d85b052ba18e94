/* model.c - see model.h. Slow on purpose: what cannot be seen at a glance does not belong here. */
#include "tests/sim/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
};

struct model {
    struct model_account_row *accounts;
    struct model_card_row *cards;
    struct model_txn *txns;
    int32_t accounts_count, cards_count, txns_count;
    char settlement[LIMIT_PARTIES_MAX][LEDGER_ACCOUNT_NAME_BYTES + 1];
    char endpoint[LIMIT_ENDPOINTS_MAX][LEDGER_ACCOUNT_NAME_BYTES + 1];
    uint32_t exceptions[8];
};

struct model *model_create(void)
{
    struct model *model = calloc(1, sizeof *model);
    must(model != NULL);
    return model;
}

void model_destroy(struct model *model)
{
    free(model->accounts);
    free(model->cards);
    free(model->txns);
    free(model);
}

static void *grow(void *rows, int32_t count, size_t size)
{
    if ((count & (count - 1)) == 0) { /* 0, 1, 2, 4, …: double */
        rows = realloc(rows, (size_t)(count == 0 ? 1 : count * 2) * size);
        must(rows != NULL);
    }
    memset((char *)rows + (size_t)count * size, 0, size);
    return rows;
}

static void copy_name(char out[LEDGER_ACCOUNT_NAME_BYTES + 1], const void *name)
{
    size_t size = strnlen(name, LEDGER_ACCOUNT_NAME_BYTES);
    memset(out, 0, LEDGER_ACCOUNT_NAME_BYTES + 1);
    memcpy(out, name, size);
    while (size > 0 && out[size - 1] == ' ') {
        out[--size] = '\0';
    }
}

static int32_t account_of(const struct model *model, const void *name)
{
    char wanted[LEDGER_ACCOUNT_NAME_BYTES + 1];
    copy_name(wanted, name);
    for (int32_t i = 0; i < model->accounts_count; i++) {
        if (strcmp(model->accounts[i].name, wanted) == 0) {
            return i;
        }
    }
    return -1;
}

void model_account(struct model *model, const char *name, bool is_house, int64_t credit_line_minor)
{
    model->accounts = grow(model->accounts, model->accounts_count, sizeof *model->accounts);
    struct model_account_row *row = &model->accounts[model->accounts_count++];
    copy_name(row->name, name);
    row->is_house = is_house;
    row->line = credit_line_minor;
}

static void post(struct model *model, int32_t from, int32_t to, int64_t amount)
{
    model->accounts[from].balance -= amount;
    model->accounts[to].balance += amount;
}

void model_move(struct model *model, const char *name, const char *house, int64_t amount_minor)
{
    post(model, account_of(model, house), account_of(model, name), amount_minor);
}

void model_account_status(struct model *model, const char *name, enum ledger_status status)
{
    model->accounts[account_of(model, name)].status = status;
}

static struct model_card_row *card_of(const struct model *model, const struct ledger_card_key *key)
{
    for (int32_t i = 0; i < model->cards_count; i++) {
        if (memcmp(&model->cards[i].key, key, sizeof *key) == 0) {
            return &model->cards[i];
        }
    }
    return NULL;
}

void model_card(struct model *model, const struct ledger_card_key *key, const char *account,
                uint16_t expiry, enum ledger_status status)
{
    model->cards = grow(model->cards, model->cards_count, sizeof *model->cards);
    model->cards[model->cards_count++] = (struct model_card_row){
        .key = *key, .account = account_of(model, account), .expiry = expiry, .status = status};
}

void model_card_status(struct model *model, const struct ledger_card_key *key,
                       enum ledger_status status, bool reset_pin_tries, bool keep_status)
{
    struct model_card_row *card = card_of(model, key);
    if (!keep_status) {
        card->status = status;
    }
    if (reset_pin_tries) {
        card->pin_tries = 0;
    }
}

void model_settlement(struct model *model, uint16_t party, const char *account)
{
    copy_name(model->settlement[party], account);
}

void model_endpoint(struct model *model, uint8_t endpoint, const char *account)
{
    copy_name(model->endpoint[endpoint], account);
}

/* ---- looking things up ----------------------------------------------------------------------- */

static bool same_hash(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

static bool said_de7(const struct model_txn *txn, uint64_t de7)
{
    for (uint32_t i = 0; i < txn->de7_count; i++) {
        if (txn->de7[i] == de7) {
            return true;
        }
    }
    return false;
}

static bool is_reversal(const struct model_txn *txn)
{
    return txn->request.class == LEDGER_CLASS_REVERSAL;
}

/* The original of a reversal or refund: by DE90, or by card, terminal and RRN; the latest. */
static int32_t find_original(const struct model *model, const struct ledger_request *r)
{
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if (is_reversal(txn) || !txn->stored) {
            continue;
        }
        if ((r->flags & LEDGER_REQUEST_HAS_DE90) != 0
                ? same_hash(txn->request.self_key, r->original_key) &&
                      said_de7(txn, r->original_de7)
                : same_hash(txn->request.rrn_key, r->rrn_key) && txn->request.de3 == r->de3) {
            return i;
        }
    }
    return -1;
}

/* Does the reversal that came first mean this request? By DE7; a repeat may have another one, and
 * is known by its DE37, its MTI, or its local time. */
static bool is_meant(const struct ledger_request *reversal, const struct ledger_request *r)
{
    if (!same_hash(reversal->original_key, r->self_key)) {
        return false;
    }
    if (reversal->original_de7 == r->de7) {
        return true;
    }
    if ((reversal->flags & r->flags & LEDGER_REQUEST_HAS_RRN) != 0) {
        return same_hash(reversal->rrn_key, r->rrn_key);
    }
    return (r->flags & LEDGER_REQUEST_REPEAT) != 0 ||
           (r->local_time != 0 && r->local_time == reversal->local_time);
}

/* A remembered reversal that waits for this original. */
static int32_t find_tombstone(const struct model *model, const struct ledger_request *r)
{
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if (txn->state != STATE_TOMBSTONE) {
            continue;
        }
        if ((txn->request.flags & LEDGER_REQUEST_HAS_DE90) != 0
                ? is_meant(&txn->request, r)
                : same_hash(txn->request.rrn_key, r->rrn_key) && txn->request.de3 == r->de3) {
            return i;
        }
    }
    return -1;
}

static uint32_t type_of(const struct ledger_request *r)
{
    return r->de3 / 10000;
}

static bool is_purchase(const struct ledger_request *r)
{
    return type_of(r) <= 1;
}

/* The hold of an earlier 0100 or 0120 with the same card, DE32, 37, 41, 42 (and 38 if sent). */
static int32_t find_hold(const struct model *model, const struct ledger_request *r, bool match_de38)
{
    (void)match_de38; /* DE38 is the daemon's to choose: the simulator never sends another */
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if ((txn->request.class == LEDGER_CLASS_AUTH ||
             txn->request.class == LEDGER_CLASS_AUTH_ADVICE) &&
            txn->held > 0 && txn->state == STATE_DECIDED && !txn->completed &&
            same_hash(txn->request.rrn_key, r->rrn_key)) {
            return i;
        }
    }
    return -1;
}

/* What a refund without DE90 refunds: a purchase with the same card, DE32, 37, 41, 42. */
static int32_t find_purchase(const struct model *model, const struct ledger_request *r,
                             bool approved)
{
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if (!is_reversal(txn) && txn->stored && is_purchase(&txn->request) &&
            (txn->approved || !approved) && same_hash(txn->request.rrn_key, r->rrn_key)) {
            return i;
        }
    }
    return -1;
}

/* ---- storing --------------------------------------------------------------------------------- */

static struct model_answer say(const char *de39)
{
    struct model_answer answer = {.kind = MODEL_REPLY, .txn = -1};
    memcpy(answer.de39, de39, 2);
    return answer;
}

static int32_t store(struct model *model, enum ledger_command_kind kind,
                     const struct ledger_request *r, int64_t utc_s, struct model_answer answer)
{
    model->txns = grow(model->txns, model->txns_count, sizeof *model->txns);
    struct model_txn *txn = &model->txns[model->txns_count];
    txn->request = *r;
    txn->kind = kind;
    txn->utc_s = utc_s;
    txn->answer = answer;
    txn->answer.txn = model->txns_count;
    txn->de7[0] = r->de7;
    txn->de7_count = 1;
    txn->from = txn->to = txn->purchase = -1;
    txn->stored = true;
    return model->txns_count++;
}

static void hold(struct model *model, struct model_txn *txn, int32_t from, int32_t to,
                 int64_t amount)
{
    txn->from = from;
    txn->to = to;
    txn->held = amount;
    model->accounts[from].held += amount;
}

static void release(struct model *model, struct model_txn *txn, int64_t amount)
{
    if (amount > 0) { /* some messages book nothing, between no accounts */
        txn->held -= amount;
        model->accounts[txn->from].held -= amount;
    }
}

static void book(struct model *model, struct model_txn *txn, int32_t from, int32_t to,
                 int64_t amount)
{
    txn->from = from;
    txn->to = to;
    txn->posted = amount;
    txn->refundable += amount; /* a refund may have come while it was out */
    post(model, from, to, amount);
}

static int64_t available(const struct model *model, int32_t account)
{
    const struct model_account_row *row = &model->accounts[account];
    return row->balance + row->line - row->held;
}

/* ---- a request: contract section 7, in order --------------------------------------------------
 */

static const char *check_card(struct model *model, const struct ledger_request *r,
                              struct model_card_row *card, int64_t utc_s)
{
    const time_t now = (time_t)utc_s;
    struct tm date;
    must(gmtime_r(&now, &date) != NULL);
    uint32_t month = (uint32_t)(date.tm_year % 100 * 100 + date.tm_mon + 1);
    if (card->expiry < month) {
        return "54";
    }
    if ((r->flags & LEDGER_REQUEST_HAS_EXPIRY) != 0 && r->expiry != card->expiry) {
        return "54";
    }
    switch (card->status) {
    case LEDGER_STATUS_LOST:
        return "41";
    case LEDGER_STATUS_STOLEN:
        return "43";
    case LEDGER_STATUS_BLOCKED:
    case LEDGER_STATUS_CLOSED:
    case LEDGER_STATUS_FROZEN:
        return "62";
    case LEDGER_STATUS_OPEN:
        break;
    }
    if (model->accounts[card->account].status != LEDGER_STATUS_OPEN) {
        return "62";
    }
    if (type_of(r) == 40 && r->class == LEDGER_CLASS_FINANCIAL) {
        int32_t to = account_of(model, r->transfer_to);
        if (to >= 0 && model->accounts[to].status != LEDGER_STATUS_OPEN) {
            return "62";
        }
    }
    return NULL;
}

static const char *check_pin(const struct ledger_request *r, struct model_card_row *card)
{
    if (r->pin == LEDGER_CHECK_NONE) {
        return NULL;
    }
    if (card->pin_tries >= 3) {
        return "75";
    }
    switch ((enum ledger_check)r->pin) {
    case LEDGER_CHECK_WRONG:
        return ++card->pin_tries >= 3 ? "75" : "55";
    case LEDGER_CHECK_MALFORMED:
        return "55";
    case LEDGER_CHECK_UNAVAILABLE:
        return "96";
    case LEDGER_CHECK_NONE:
    case LEDGER_CHECK_OK:
        break;
    }
    card->pin_tries = 0;
    return NULL;
}

static const char *check_cvv(const struct ledger_request *r)
{
    if (r->cvv2 == LEDGER_CHECK_WRONG || r->cvv == LEDGER_CHECK_WRONG) {
        return "82";
    }
    if (r->cvv2 == LEDGER_CHECK_UNAVAILABLE || r->cvv == LEDGER_CHECK_UNAVAILABLE) {
        return "96";
    }
    return NULL;
}

static uint32_t approvals_counted(const struct model *model, const struct ledger_count *count,
                                  int64_t utc_s)
{
    int64_t width_s = count->window_s / count->buckets;
    int64_t oldest = utc_s / width_s - count->buckets; /* the oldest partial bucket counts whole */
    uint32_t total = 0;
    for (int32_t i = 0; i < model->txns_count; i++) {
        const struct model_txn *txn = &model->txns[i];
        for (uint32_t k = 0; txn->counted && k < txn->request.counts_count; k++) {
            total += txn->request.counts[k].declaration == count->declaration &&
                     txn->request.counts[k].key == count->key && txn->utc_s / width_s >= oldest;
        }
    }
    return total;
}

static char cvv2_letter(const struct ledger_request *r, bool reached)
{
    if ((r->flags & LEDGER_REQUEST_ASKS_CVV2) == 0) {
        return 0;
    }
    if (reached && r->cvv2 == LEDGER_CHECK_OK) {
        return 'M';
    }
    return reached && r->cvv2 == LEDGER_CHECK_WRONG ? 'N' : 'P';
}

static bool counts_for_limits(const struct ledger_request *r)
{
    return is_purchase(r) || (type_of(r) == 40 && r->class == LEDGER_CLASS_FINANCIAL);
}

/* 13 and 25 of a refund; *purchase is what it refunds. */
static const char *check_refund(const struct model *model, const struct ledger_request *r,
                                int32_t *purchase)
{
    bool is_named = (r->flags & LEDGER_REQUEST_HAS_DE90) != 0;
    int32_t found = is_named ? find_original(model, r) : find_purchase(model, r, true);
    if (found < 0 && !is_named) {
        found = find_purchase(model, r, false);
    }
    *purchase = -1;
    if (found < 0 || !is_purchase(&model->txns[found].request)) {
        return is_named ? "25" : NULL;
    }
    const struct model_txn *txn = &model->txns[found];
    bool is_hold =
        txn->request.class == LEDGER_CLASS_AUTH || txn->request.class == LEDGER_CLASS_AUTH_ADVICE;
    *purchase = is_hold ? txn->completed_by - 1 : found; /* what was posted of it */
    int64_t refundable = *purchase < 0 ? 0 : model->txns[*purchase].refundable;
    return r->amount_minor > refundable ? "13" : NULL;
}

/* What an approved request on one of our cards moves. */
static void book_on_us(struct model *model, struct model_txn *txn, int32_t account, int64_t amount,
                       int32_t purchase)
{
    const struct ledger_request *r = &txn->request;
    int32_t settlement = account_of(model, model->settlement[r->party]);
    bool is_financial = r->class == LEDGER_CLASS_FINANCIAL;
    txn->approved = true;
    if (type_of(r) == 20 && is_financial) {
        book(model, txn, settlement, account, amount);
        txn->purchase = purchase;
        txn->is_refund = true;
        if (purchase >= 0) {
            model->txns[purchase].refundable -= amount;
        }
    } else if (type_of(r) == 40 && is_financial) {
        book(model, txn, account, account_of(model, r->transfer_to), amount);
    } else if (is_purchase(r) && is_financial) {
        book(model, txn, account, settlement, amount);
    } else if (is_purchase(r) && (r->flags & LEDGER_REQUEST_VERIFY) == 0) {
        hold(model, txn, account, settlement, amount);
    }
}

static struct model_answer decide_on_us(struct model *model, const struct ledger_request *r,
                                        enum ledger_command_kind kind, int64_t utc_s)
{
    const char *no = (r->findings & LEDGER_FOUND_DENY_LIST) != 0  ? "59"
                     : (r->findings & LEDGER_FOUND_NO_ROUTE) != 0 ? "15"
                     : (r->findings & LEDGER_FOUND_LUHN) != 0     ? "14"
                                                                  : NULL;
    struct model_card_row *card = card_of(model, &r->card);
    bool is_transfer = type_of(r) == 40 && r->class == LEDGER_CLASS_FINANCIAL;
    int32_t to = is_transfer ? account_of(model, r->transfer_to) : -1;
    bool is_nowhere = is_transfer && (to < 0 || model->accounts[to].is_house);
    if (no == NULL && (card == NULL || is_nowhere)) {
        no = "14";
    }
    no = no != NULL ? no : check_card(model, r, card, utc_s);
    no = no != NULL ? no : check_pin(r, card);
    bool reached = no == NULL;
    no = no != NULL ? no : check_cvv(r);
    int32_t purchase = -1;
    bool is_refund = type_of(r) == 20;
    bool is_verify = (r->flags & LEDGER_REQUEST_VERIFY) != 0;
    if (no == NULL && (r->findings & LEDGER_FOUND_NOT_PERMITTED) != 0) {
        no = "57";
    }
    if (no == NULL && r->amount_minor == 0 && type_of(r) != 31 && !is_verify) {
        no = "13";
    }
    if (no == NULL && is_refund) {
        no = check_refund(model, r, &purchase);
    }
    bool limited = counts_for_limits(r) && !is_verify;
    if (no == NULL && limited && (r->findings & LEDGER_FOUND_OVER_AMOUNT) != 0) {
        no = "61";
    }
    for (uint32_t i = 0; no == NULL && limited && i < r->counts_count; i++) {
        if (r->counts[i].max != 0 &&
            approvals_counted(model, &r->counts[i], utc_s) + 1 > r->counts[i].max) {
            no = "65";
        }
    }
    int64_t amount = r->amount_minor;
    struct model_answer answer = say("00");
    if (no == NULL && limited && available(model, card->account) < amount) {
        bool part = (r->flags & LEDGER_REQUEST_PARTIAL) != 0 && is_purchase(r) &&
                    available(model, card->account) > 0;
        if (part) {
            amount = available(model, card->account);
            answer = say("10");
            answer.amount_minor = amount;
            answer.has_de54 = true;
        } else {
            no = "51";
        }
    }
    if (no != NULL) {
        answer = say(no);
        answer.cvv2_result = cvv2_letter(r, reached);
        (void)store(model, kind, r, utc_s, answer);
        return answer;
    }
    if (is_verify) {
        memcpy(answer.de39, "85", 3);
    }
    answer.has_de38 = true;
    answer.cvv2_result = cvv2_letter(r, true);
    if (type_of(r) == 31) {
        answer.has_de54 = true;
        answer.ledger_minor = model->accounts[card->account].balance;
        answer.available_minor = available(model, card->account);
    }
    int32_t index = store(model, kind, r, utc_s, answer);
    model->txns[index].counted = limited;
    book_on_us(model, &model->txns[index], card->account, amount, purchase);
    return model->txns[index].answer;
}

/* A request that leaves for a scheme: only these of section 7 are ours. */
static struct model_answer decide_forwarded(struct model *model, const struct ledger_request *r,
                                            enum ledger_command_kind kind, int64_t utc_s)
{
    int32_t purchase = -1;
    bool is_refund = type_of(r) == 20;
    const char *no = (r->findings & LEDGER_FOUND_DENY_LIST) != 0       ? "59"
                     : (r->findings & LEDGER_FOUND_NO_ROUTE) != 0      ? "15"
                     : (r->findings & LEDGER_FOUND_LUHN) != 0          ? "14"
                     : (r->findings & LEDGER_FOUND_NOT_PERMITTED) != 0 ? "57"
                     : r->amount_minor == 0                            ? "13"
                                                                       : NULL;
    if (no == NULL && is_refund) {
        no = check_refund(model, r, &purchase);
    }
    if (no == NULL && is_purchase(r) && (r->findings & LEDGER_FOUND_OVER_AMOUNT) != 0) {
        no = "61";
    }
    if (no == NULL && (r->findings & LEDGER_FOUND_NO_TRANSLATE) != 0) {
        no = "86";
    }
    if (no != NULL) {
        struct model_answer answer = say(no);
        answer.cvv2_result = cvv2_letter(r, false);
        (void)store(model, kind, r, utc_s, answer);
        return answer;
    }
    struct model_answer answer = {.kind = MODEL_FORWARD};
    int32_t index = store(model, kind, r, utc_s, answer);
    struct model_txn *txn = &model->txns[index];
    int32_t scheme = account_of(model, model->endpoint[r->routes[0]]);
    int32_t settlement = account_of(model, model->settlement[r->party]);
    txn->state = STATE_OUT;
    txn->purchase = purchase;
    txn->is_refund = is_refund;
    if (!is_refund || r->class == LEDGER_CLASS_FINANCIAL) {
        hold(model, txn, is_refund ? settlement : scheme, is_refund ? scheme : settlement,
             r->amount_minor);
    }
    if (purchase >= 0 && r->class == LEDGER_CLASS_FINANCIAL) {
        model->txns[purchase].refundable -= r->amount_minor;
    }
    return txn->answer;
}

static void mark(struct model *model, enum ledger_exception kind)
{
    model->exceptions[kind]++;
}

/* What this message is booked between; false when it cannot be booked. */
static bool advice_accounts(const struct model *model, const struct ledger_request *r,
                            int32_t *from, int32_t *to)
{
    *to = account_of(model, model->settlement[r->party]);
    if ((r->findings & (LEDGER_FOUND_DENY_LIST | LEDGER_FOUND_NO_ROUTE | LEDGER_FOUND_LUHN |
                        LEDGER_FOUND_CURRENCY | LEDGER_FOUND_NOT_PERMITTED)) != 0) {
        return false;
    }
    if ((r->flags & LEDGER_REQUEST_ON_US) == 0) {
        *from = account_of(model, model->endpoint[r->routes[0]]);
        return true;
    }
    const struct model_card_row *card = card_of(model, &r->card);
    *from = card != NULL ? card->account : -1;
    return card != NULL;
}

static struct model_answer decide_advice(struct model *model, const struct ledger_request *r,
                                         enum ledger_command_kind kind, int64_t utc_s,
                                         bool was_reversed)
{
    struct model_answer answer = say("00");
    int32_t old = find_hold(model, r, true);
    int32_t purchase = -1;
    bool is_refund = type_of(r) == 20;
    if (is_refund) {
        (void)check_refund(model, r, &purchase);
    }
    int32_t index = store(model, kind, r, utc_s, answer);
    struct model_txn *txn = &model->txns[index];
    int32_t from = -1, to = -1;
    bool approved = memcmp(r->de39, "00", 2) == 0 || memcmp(r->de39, "10", 2) == 0;
    if (was_reversed || !approved) {
        return txn->answer;
    }
    if (!advice_accounts(model, r, &from, &to)) {
        mark(model, LEDGER_EXCEPTION_NOT_BOOKED);
        return txn->answer;
    }
    txn->approved = true;
    bool may_sink = !model->accounts[from].is_house;
    if (is_refund) {
        book(model, txn, to, from, r->amount_minor);
        txn->is_refund = true;
        txn->purchase = purchase;
        if (purchase >= 0) {
            model->txns[purchase].refundable -= r->amount_minor;
        }
    } else if (r->class == LEDGER_CLASS_AUTH_ADVICE) {
        if (old >= 0) {
            struct model_txn *replaced = &model->txns[old];
            release(model, replaced, replaced->held);
            replaced->superseded = true;
        }
        hold(model, txn, from, to, r->amount_minor);
        if (may_sink && available(model, from) < 0) {
            mark(model, LEDGER_EXCEPTION_BELOW_ZERO);
        }
    } else {
        if (old >= 0) {
            struct model_txn *completed = &model->txns[old];
            if (r->amount_minor > completed->held) {
                mark(model, LEDGER_EXCEPTION_OVER_HOLD);
            }
            release(model, completed, completed->held);
            completed->completed = true;
            completed->completed_by = index + 1;
        } else {
            mark(model, LEDGER_EXCEPTION_FORCED);
        }
        book(model, txn, from, to, r->amount_minor);
        if (may_sink && available(model, from) < 0) {
            mark(model, LEDGER_EXCEPTION_BELOW_ZERO);
        }
    }
    return txn->answer;
}

static void give_back_refundable(struct model *model, struct model_txn *txn)
{
    if (txn->is_refund && txn->purchase >= 0 && txn->request.class == LEDGER_CLASS_FINANCIAL) {
        model->txns[txn->purchase].refundable += txn->request.amount_minor;
        txn->purchase = -1; /* once */
    }
}

/* Undoes what stands above the amount that remains. */
static bool undo(struct model *model, struct model_txn *txn, int64_t remains)
{
    int64_t held = txn->held > remains ? txn->held - remains : 0;
    int64_t stands =
        txn->posted > txn->refundable && !txn->is_refund ? txn->refundable : txn->posted;
    int64_t posted = stands > remains ? stands - remains : 0;
    if (held > 0) {
        release(model, txn, held);
    }
    if (posted > 0) {
        post(model, txn->to, txn->from, posted);
        txn->posted -= posted;
        txn->refundable -= txn->is_refund ? 0 : posted;
        if (txn->is_refund && txn->purchase >= 0) {
            model->txns[txn->purchase].refundable += posted;
        }
    }
    if (txn->held == 0 && txn->posted == 0) {
        txn->counted = false;
    }
    return held > 0 || posted > 0;
}

static struct model_answer decide_reversal(struct model *model, const struct ledger_request *r,
                                           enum ledger_command_kind kind, int64_t utc_s)
{
    int32_t index = find_original(model, r);
    if (index >= 0 && model->txns[index].completed && (r->flags & LEDGER_REQUEST_IS_ADVICE) == 0) {
        return say("21"); /* not stored */
    }
    struct model_answer answer = say("00");
    int32_t self = store(model, kind, r, utc_s, answer);
    int64_t remains = (r->flags & LEDGER_REQUEST_HAS_REMAINS) != 0 ? r->remains_minor : 0;
    if (index < 0) {
        model->txns[self].state = STATE_TOMBSTONE;
        return model->txns[self].answer;
    }
    struct model_txn *txn = &model->txns[index];
    if (txn->completed) {
        mark(model, LEDGER_EXCEPTION_COMPLETED);
    } else if (txn->state == STATE_OUT) {
        txn->reversed_while_out = true;
        txn->reversed = true;
        give_back_refundable(model, txn);
    } else if (txn->state == STATE_DECIDED && txn->approved) {
        bool moved = undo(model, txn, remains);
        txn->reversed |= moved || remains == 0;
    }
    return model->txns[self].answer;
}

static int32_t find_same_key(const struct model *model, const struct ledger_request *r)
{
    for (int32_t i = 0; i < model->txns_count; i++) {
        if (model->txns[i].stored && same_hash(model->txns[i].request.replay_key, r->replay_key)) {
            return i;
        }
    }
    return -1;
}

static struct model_answer repeat(struct model_txn *txn, const struct ledger_request *r)
{
    if (txn->request.content != r->content) {
        return say("94");
    }
    if (!said_de7(txn, r->de7)) {
        if (txn->de7_count == 5) { /* its own, and the last four */
            memmove(txn->de7 + 1, txn->de7 + 2, 3 * sizeof txn->de7[0]);
            txn->de7_count = 4;
        }
        txn->de7[txn->de7_count++] = r->de7;
    }
    bool is_advice =
        r->class == LEDGER_CLASS_AUTH_ADVICE || r->class == LEDGER_CLASS_FINANCIAL_ADVICE;
    if (txn->reversed && !is_advice) {
        struct model_answer answer = say("94");
        answer.is_reversed_text = true;
        answer.cvv2_result = 0;
        return answer;
    }
    struct model_answer answer = txn->answer;
    answer.is_replay = true;
    if (txn->state == STATE_OUT) {
        answer.kind = MODEL_WAIT;
    }
    return answer;
}

struct model_answer model_request(struct model *model, enum ledger_command_kind kind,
                                  const struct ledger_request *request, int64_t utc_s)
{
    int32_t same = find_same_key(model, request);
    if (same >= 0) {
        return repeat(&model->txns[same], request);
    }
    if (request->class == LEDGER_CLASS_REVERSAL) {
        return decide_reversal(model, request, kind, utc_s);
    }
    bool was_reversed = find_tombstone(model, request) >= 0;
    if (request->class == LEDGER_CLASS_AUTH_ADVICE ||
        request->class == LEDGER_CLASS_FINANCIAL_ADVICE) {
        return decide_advice(model, request, kind, utc_s, was_reversed);
    }
    if (was_reversed) {
        struct model_answer answer = say("94");
        answer.is_reversed_text = true;
        int32_t index = store(model, kind, request, utc_s, answer); /* its repeats find the key */
        model->txns[index].reversed = true;
        return model->txns[index].answer;
    }
    return (request->flags & LEDGER_REQUEST_ON_US) != 0
               ? decide_on_us(model, request, kind, utc_s)
               : decide_forwarded(model, request, kind, utc_s);
}

/* ---- forwarded: outcomes --------------------------------------------------------------------- */

struct model_answer model_outcome(struct model *model, int32_t index, enum ledger_outcome outcome,
                                  const char de39[2], int64_t part_minor)
{
    struct model_txn *txn = &model->txns[index];
    if (txn->state != STATE_OUT) {
        return (struct model_answer){.kind = MODEL_IGNORED, .txn = index};
    }
    txn->state = STATE_DECIDED;
    txn->was_not_sent = outcome == LEDGER_OUTCOME_NOT_SENT;
    txn->answer = say(txn->was_not_sent ? "91" : de39);
    txn->answer.txn = index;
    txn->answer.cvv2_result = cvv2_letter(&txn->request, false);
    int64_t amount = part_minor > 0 ? part_minor : txn->request.amount_minor;
    int64_t reserved = txn->held;
    if (outcome != LEDGER_OUTCOME_APPROVED || txn->reversed_while_out) {
        release(model, txn, txn->held);
        give_back_refundable(model, txn);
        txn->approved = txn->reversed_while_out && outcome == LEDGER_OUTCOME_APPROVED;
    } else {
        txn->approved = true;
        txn->answer.has_de38 = true;
        txn->answer.amount_minor = part_minor;
        if (txn->request.class == LEDGER_CLASS_FINANCIAL) {
            int32_t from = txn->from, to = txn->to;
            release(model, txn, reserved);
            book(model, txn, from, to, amount);
        } else if (amount < reserved) {
            release(model, txn, reserved - amount);
        }
    }
    struct model_answer answer = txn->answer;
    if (txn->reversed_while_out) {
        answer.kind = MODEL_SILENT;
    }
    return answer;
}

struct model_answer model_timeout(struct model *model, int32_t index)
{
    struct model_txn *txn = &model->txns[index];
    if (txn->state != STATE_OUT) {
        return (struct model_answer){.kind = MODEL_IGNORED, .txn = index};
    }
    txn->state = STATE_UNKNOWN;
    txn->was_silent = true;
    give_back_refundable(model, txn); /* it will be reversed: what it refunded stands again */
    txn->answer = say("91");
    txn->answer.txn = index;
    txn->answer.cvv2_result = cvv2_letter(&txn->request, false);
    struct model_answer answer = txn->answer;
    if (txn->reversed_while_out) {
        answer.kind = MODEL_SILENT;
    }
    if (txn->undone_at_scheme) {
        model_resolved(model, index);
    }
    return answer;
}

void model_resolved(struct model *model, int32_t index)
{
    struct model_txn *txn = &model->txns[index];
    txn->undone_at_scheme |= txn->state == STATE_OUT && txn->reversed_while_out;
    if (txn->state == STATE_UNKNOWN) {
        txn->state = STATE_DECIDED;
        if (txn->held > 0) {
            release(model, txn, txn->held);
        }
        give_back_refundable(model, txn);
    }
}

enum model_fate model_fate(const struct model *model, int32_t index)
{
    const struct model_txn *txn = &model->txns[index];
    if (txn->state == STATE_OUT) {
        return MODEL_FATE_NONE;
    }
    if (txn->was_silent || txn->reversed_while_out) {
        return MODEL_FATE_UNDONE;
    }
    if (txn->was_not_sent) {
        return MODEL_FATE_NOT_SENT;
    }
    return !txn->approved  ? MODEL_FATE_DECLINED
           : txn->reversed ? MODEL_FATE_UNDONE
                           : MODEL_FATE_STANDS;
}

bool model_is_out(const struct model *model, int32_t txn)
{
    return model->txns[txn].state == STATE_OUT;
}

bool model_is_unknown(const struct model *model, int32_t txn)
{
    return model->txns[txn].state == STATE_UNKNOWN;
}

bool model_balance(const struct model *model, const char *account, int64_t *balance_minor,
                   int64_t *held_minor)
{
    int32_t index = account_of(model, account);
    if (index < 0) {
        return false;
    }
    *balance_minor = model->accounts[index].balance;
    *held_minor = model->accounts[index].held;
    return true;
}

uint32_t model_exceptions(const struct model *model, enum ledger_exception kind)
{
    return model->exceptions[kind];
}

void model_print_holds(const struct model *model, const char *account)
{
    int32_t index = account_of(model, account);
    for (int32_t i = 0; i < model->txns_count; i++) {
        const struct model_txn *t = &model->txns[i];
        if (t->held != 0 && t->from == index) {
            (void)printf(
                "  %d: %04u STAN %06u DE3 %06u held %lld state %d approved %d reversed %d out %d\n",
                i, t->request.mti, t->request.stan, t->request.de3, (long long)t->held,
                (int)t->state, t->approved, t->reversed, t->reversed_while_out);
        }
    }
}

int64_t model_sum(const struct model *model)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < model->accounts_count; i++) {
        sum += model->accounts[i].balance;
    }
    return sum;
}
