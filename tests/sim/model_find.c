/* model_find.c - what a message means: contract section 6, field by field, from end to end.
 *
 * DESIGN  The ledger knows messages by hashes that the workers make. Here the same words of the
 * contract are read from the fields again, so that a part missing in a hash is found. DE2 is its
 * card key; DE32 of DE90 is always the message's own here. */
#include "tests/sim/model_internal.h"

#include <string.h>

static bool same_card(const struct ledger_request *a, const struct ledger_request *b)
{
    return memcmp(&a->card, &b->card, sizeof a->card) == 0;
}

/* Of the same party, by the same institution, at the same terminal. */
static bool same_place(const struct ledger_request *a, const struct ledger_request *b)
{
    return a->party == b->party && a->de32 == b->de32 &&
           memcmp(a->terminal, b->terminal, sizeof a->terminal) == 0 &&
           memcmp(a->merchant, b->merchant, sizeof a->merchant) == 0;
}

static bool same_rrn(const struct ledger_request *a, const struct ledger_request *b)
{
    return memcmp(a->rrn, b->rrn, sizeof a->rrn) == 0 && same_card(a, b) && same_place(a, b);
}

/* "Key". DE7 only where DE12 and 13 are absent. */
static bool same_key(const struct ledger_request *a, const struct ledger_request *b)
{
    bool has_rrn = (a->flags & LEDGER_REQUEST_HAS_RRN) != 0;
    bool same_time = a->local_time == b->local_time && (a->local_time != 0 || a->de7 == b->de7);
    return a->stan == b->stan && a->class == b->class && same_time && same_place(a, b) &&
           has_rrn == ((b->flags & LEDGER_REQUEST_HAS_RRN) != 0) &&
           (!has_rrn || memcmp(a->rrn, b->rrn, sizeof a->rrn) == 0);
}

/* "Content": 2, 3, 4, 49, 90, 95, 103. */
bool model_same_content(const struct ledger_request *a, const struct ledger_request *b)
{
    uint32_t flags = LEDGER_REQUEST_HAS_DE90 | LEDGER_REQUEST_HAS_REMAINS;
    return same_card(a, b) && a->de3 == b->de3 && a->amount_minor == b->amount_minor &&
           a->currency == b->currency && (a->flags & flags) == (b->flags & flags) &&
           a->original_mti == b->original_mti && a->original_stan == b->original_stan &&
           a->original_de7 == b->original_de7 && a->remains_minor == b->remains_minor &&
           memcmp(a->transfer_to, b->transfer_to, sizeof a->transfer_to) == 0;
}

/* DE90 of `by` and its DE2, 41, 42 name this message; DE7 is another matter. */
static bool is_named(const struct ledger_request *by, const struct ledger_request *r)
{
    return by->original_stan == r->stan && by->original_class == r->class && same_card(by, r) &&
           same_place(by, r);
}

bool model_said_de7(const struct model_txn *txn, uint64_t de7)
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

int32_t model_find_same_key(const struct model *model, const struct ledger_request *r)
{
    for (int32_t i = 0; i < model->txns_count; i++) {
        if (model->txns[i].stored && same_key(&model->txns[i].request, r)) {
            return i;
        }
    }
    return -1;
}

/* The original of a reversal or refund: by DE90, or by card, terminal and RRN; the latest. */
int32_t model_find_original(const struct model *model, const struct ledger_request *r)
{
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if (is_reversal(txn) || !txn->stored) {
            continue;
        }
        if ((r->flags & LEDGER_REQUEST_HAS_DE90) != 0
                ? is_named(r, &txn->request) && model_said_de7(txn, r->original_de7)
                : same_rrn(&txn->request, r) && txn->request.de3 == r->de3) {
            return i;
        }
    }
    return -1;
}

/* Does the reversal that came first mean this request? By DE7; a repeat may have another one, and
 * is known by its DE37, its MTI, or its local time. */
static bool is_meant(const struct ledger_request *reversal, const struct ledger_request *r)
{
    if (!is_named(reversal, r)) {
        return false;
    }
    if (reversal->original_de7 == r->de7) {
        return true;
    }
    if ((reversal->flags & r->flags & LEDGER_REQUEST_HAS_RRN) != 0) {
        return same_rrn(reversal, r);
    }
    return (r->flags & LEDGER_REQUEST_REPEAT) != 0 ||
           (r->local_time != 0 && r->local_time == reversal->local_time);
}

/* A remembered reversal that waits for this original. */
int32_t model_find_tombstone(const struct model *model, const struct ledger_request *r)
{
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if (txn->state != STATE_TOMBSTONE) {
            continue;
        }
        if ((txn->request.flags & LEDGER_REQUEST_HAS_DE90) != 0
                ? is_meant(&txn->request, r)
                : same_rrn(&txn->request, r) && txn->request.de3 == r->de3) {
            return i;
        }
    }
    return -1;
}

/* The hold of an earlier 0100 or 0120 with the same card, DE32, 37, 41, 42. (DE38 is the daemon's
 * to choose, and nobody here sends another.) */
int32_t model_find_hold(const struct model *model, const struct ledger_request *r)
{
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if ((txn->request.class == LEDGER_CLASS_AUTH ||
             txn->request.class == LEDGER_CLASS_AUTH_ADVICE) &&
            txn->held > 0 && txn->state == STATE_DECIDED && !txn->completed &&
            same_rrn(&txn->request, r)) {
            return i;
        }
    }
    return -1;
}

/* What a refund without DE90 refunds: a purchase with the same card, DE32, 37, 41, 42. */
int32_t model_find_purchase(const struct model *model, const struct ledger_request *r,
                            bool approved)
{
    for (int32_t i = model->txns_count - 1; i >= 0; i--) {
        const struct model_txn *txn = &model->txns[i];
        if (!is_reversal(txn) && txn->stored && model_is_purchase(&txn->request) &&
            (txn->approved || !approved) && same_rrn(&txn->request, r)) {
            return i;
        }
    }
    return -1;
}
