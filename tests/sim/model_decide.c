/* model_decide.c - requests: contract section 7, in order. */
#include "tests/sim/model_internal.h"

#include <string.h>
#include <time.h>

uint32_t model_type(const struct ledger_request *r)
{
    return r->de3 / 10000;
}

bool model_is_purchase(const struct ledger_request *r)
{
    return model_type(r) <= 1;
}

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
    if (model_type(r) == 40 && r->class == LEDGER_CLASS_FINANCIAL) {
        int32_t to = model_account_of(model, r->transfer_to);
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

/* The window is whole buckets that end in the current one; the oldest, partial one counts whole. */
static bool is_over_count(const struct model *model, const struct ledger_request *r,
                          const struct model_rules *rules, int64_t utc_s)
{
    int64_t width_s = rules->window_s / rules->buckets;
    int64_t oldest = utc_s / width_s - rules->buckets;
    uint32_t total = 0;
    for (int32_t i = 0; i < model->txns_count; i++) {
        const struct model_txn *txn = &model->txns[i];
        total += txn->counted && txn->counter == rules->counter &&
                 memcmp(&txn->request.card, &r->card, sizeof r->card) == 0 &&
                 txn->utc_s / width_s >= oldest;
    }
    return total + 1 > rules->count_max;
}

char model_cvv2_letter(const struct ledger_request *r, bool reached)
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
    return model_is_purchase(r) || (model_type(r) == 40 && r->class == LEDGER_CLASS_FINANCIAL);
}

/* 13 and 25 of a refund; *purchase is what it refunds. */
const char *model_check_refund(const struct model *model, const struct ledger_request *r,
                               int32_t *purchase)
{
    bool is_named = (r->flags & LEDGER_REQUEST_HAS_DE90) != 0;
    int32_t found = is_named ? model_find_original(model, r) : model_find_purchase(model, r, true);
    if (found < 0 && !is_named) {
        found = model_find_purchase(model, r, false);
    }
    *purchase = -1;
    if (found < 0 || !model_is_purchase(&model->txns[found].request)) {
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
    int32_t settlement = model_account_of(model, model->settlement[r->party]);
    bool is_financial = r->class == LEDGER_CLASS_FINANCIAL;
    txn->approved = true;
    if (model_type(r) == 20 && is_financial) {
        model_book(model, txn, settlement, account, amount);
        txn->purchase = purchase;
        txn->is_refund = true;
        if (purchase >= 0) {
            model->txns[purchase].refundable -= amount;
        }
    } else if (model_type(r) == 40 && is_financial) {
        model_book(model, txn, account, model_account_of(model, r->transfer_to), amount);
    } else if (model_is_purchase(r) && is_financial) {
        model_book(model, txn, account, settlement, amount);
    } else if (model_is_purchase(r) && (r->flags & LEDGER_REQUEST_VERIFY) == 0) {
        model_hold(model, txn, account, settlement, amount);
    }
}

struct model_answer model_on_us(struct model *model, const struct ledger_request *r,
                                const struct model_view *view, enum ledger_command_kind kind,
                                int64_t utc_s)
{
    const char *no = view->denied ? "59" : (r->findings & LEDGER_FOUND_LUHN) != 0 ? "14" : NULL;
    struct model_card_row *card = model_card_of(model, &r->card);
    bool is_transfer = model_type(r) == 40 && r->class == LEDGER_CLASS_FINANCIAL;
    int32_t to = is_transfer ? model_account_of(model, r->transfer_to) : -1;
    bool is_nowhere = is_transfer && (to < 0 || model->accounts[to].is_house);
    if (no == NULL && (card == NULL || is_nowhere)) {
        no = "14";
    }
    no = no != NULL ? no : check_card(model, r, card, utc_s);
    no = no != NULL ? no : check_pin(r, card);
    bool reached = no == NULL;
    no = no != NULL ? no : check_cvv(r);
    int32_t purchase = -1;
    bool is_refund = model_type(r) == 20;
    bool is_verify = (r->flags & LEDGER_REQUEST_VERIFY) != 0;
    if (no == NULL && view->not_permitted) {
        no = "57";
    }
    if (no == NULL && r->amount_minor == 0 && model_type(r) != 31 && !is_verify) {
        no = "13";
    }
    if (no == NULL && is_refund) {
        no = model_check_refund(model, r, &purchase);
    }
    bool limited = counts_for_limits(r) && !is_verify;
    if (no == NULL && limited && view->over_amount) {
        no = "61";
    }
    if (no == NULL && view->counts && is_over_count(model, r, view->rules, utc_s)) {
        no = "65";
    }
    int64_t amount = r->amount_minor;
    struct model_answer answer = model_say("00");
    if (no == NULL && limited && model_available(model, card->account) < amount) {
        bool part = (r->flags & LEDGER_REQUEST_PARTIAL) != 0 && model_is_purchase(r) &&
                    model_available(model, card->account) > 0;
        if (part) {
            amount = model_available(model, card->account);
            answer = model_say("10");
            answer.amount_minor = amount;
            answer.has_de54 = true;
        } else {
            no = "51";
        }
    }
    if (no != NULL) {
        answer = model_say(no);
        answer.cvv2_result = model_cvv2_letter(r, reached);
        (void)model_store(model, kind, r, utc_s, answer);
        return answer;
    }
    if (is_verify) {
        memcpy(answer.de39, "85", 3);
    }
    answer.has_de38 = true;
    answer.cvv2_result = model_cvv2_letter(r, true);
    if (model_type(r) == 31) {
        answer.has_de54 = true;
        answer.ledger_minor = model->accounts[card->account].balance;
        answer.available_minor = model_available(model, card->account);
    }
    int32_t index = model_store(model, kind, r, utc_s, answer);
    model->txns[index].counted = view->counts;
    model->txns[index].counter = view->rules->counter;
    book_on_us(model, &model->txns[index], card->account, amount, purchase);
    return model->txns[index].answer;
}

/* A request that leaves for a scheme: only these of section 7 are ours. */
struct model_answer model_forwarded(struct model *model, const struct ledger_request *r,
                                    const struct model_view *view, enum ledger_command_kind kind,
                                    int64_t utc_s)
{
    int32_t purchase = -1;
    bool is_refund = model_type(r) == 20;
    const char *no = view->denied                             ? "59"
                     : view->no_route                         ? "15"
                     : (r->findings & LEDGER_FOUND_LUHN) != 0 ? "14"
                     : view->not_permitted                    ? "57"
                     : r->amount_minor == 0                   ? "13"
                                                              : NULL;
    if (no == NULL && is_refund) {
        no = model_check_refund(model, r, &purchase);
    }
    if (no == NULL && view->over_amount) {
        no = "61";
    }
    if (no == NULL && (r->findings & LEDGER_FOUND_NO_TRANSLATE) != 0) {
        no = "86";
    }
    if (no != NULL) {
        struct model_answer answer = model_say(no);
        answer.cvv2_result = model_cvv2_letter(r, false);
        (void)model_store(model, kind, r, utc_s, answer);
        return answer;
    }
    struct model_answer answer = {.kind = MODEL_FORWARD};
    int32_t index = model_store(model, kind, r, utc_s, answer);
    struct model_txn *txn = &model->txns[index];
    int32_t scheme = model_account_of(model, model->endpoint[view->routes[0]]);
    int32_t settlement = model_account_of(model, model->settlement[r->party]);
    txn->state = STATE_OUT;
    memcpy(txn->routes, view->routes, sizeof txn->routes);
    txn->routes_count = view->rules->routes_count;
    txn->attempt = 1;
    txn->purchase = purchase;
    txn->is_refund = is_refund;
    if (!is_refund || r->class == LEDGER_CLASS_FINANCIAL) {
        model_hold(model, txn, is_refund ? settlement : scheme, is_refund ? scheme : settlement,
                   r->amount_minor);
    }
    if (purchase >= 0 && r->class == LEDGER_CLASS_FINANCIAL) {
        model->txns[purchase].refundable -= r->amount_minor;
    }
    return txn->answer;
}

/* ---- a request ---------------------------------------------------------------------------------
 */

static struct model_answer repeat(struct model_txn *txn, const struct ledger_request *r)
{
    if (!model_same_content(&txn->request, r)) {
        return model_say("94");
    }
    if (!model_said_de7(txn, r->de7)) {
        if (txn->de7_count == 5) { /* its own, and the last four */
            memmove(txn->de7 + 1, txn->de7 + 2, 3 * sizeof txn->de7[0]);
            txn->de7_count = 4;
        }
        txn->de7[txn->de7_count++] = r->de7;
    }
    bool is_advice =
        r->class == LEDGER_CLASS_AUTH_ADVICE || r->class == LEDGER_CLASS_FINANCIAL_ADVICE;
    if (txn->reversed && !is_advice) {
        struct model_answer answer = model_say("94");
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
    int32_t same = model_find_same_key(model, request);
    if (same >= 0) {
        return repeat(&model->txns[same], request);
    }
    if (request->class == LEDGER_CLASS_REVERSAL) {
        return model_reversal(model, request, kind, utc_s);
    }
    struct model_view view = model_view(model, request);
    bool was_reversed = model_find_tombstone(model, request) >= 0;
    if (request->class == LEDGER_CLASS_AUTH_ADVICE ||
        request->class == LEDGER_CLASS_FINANCIAL_ADVICE) {
        return model_advice(model, request, &view, kind, utc_s, was_reversed);
    }
    if (was_reversed) {
        struct model_answer answer = model_say("94");
        answer.is_reversed_text = true;
        int32_t index =
            model_store(model, kind, request, utc_s, answer); /* its repeats find the key */
        model->txns[index].reversed = true;
        return model->txns[index].answer;
    }
    return view.is_on_us ? model_on_us(model, request, &view, kind, utc_s)
                         : model_forwarded(model, request, &view, kind, utc_s);
}
