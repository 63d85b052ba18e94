/* model.c - see model.h: accounts, cards, lists, and the rows of messages. Slow on purpose: what
 * cannot be seen at a glance does not belong here. */
#include "tests/sim/model_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    free(model->listed);
    free(model);
}

void *model_grow(void *rows, int32_t count, size_t size)
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

int32_t model_account_of(const struct model *model, const void *name)
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
    model->accounts = model_grow(model->accounts, model->accounts_count, sizeof *model->accounts);
    struct model_account_row *row = &model->accounts[model->accounts_count++];
    copy_name(row->name, name);
    row->is_house = is_house;
    row->line = credit_line_minor;
}

void model_post(struct model *model, int32_t from, int32_t to, int64_t amount)
{
    model->accounts[from].balance -= amount;
    model->accounts[to].balance += amount;
}

void model_move(struct model *model, const char *name, const char *house, int64_t amount_minor)
{
    model_post(model, model_account_of(model, house), model_account_of(model, name), amount_minor);
}

void model_account_status(struct model *model, const char *name, enum ledger_status status)
{
    model->accounts[model_account_of(model, name)].status = status;
}

struct model_card_row *model_card_of(const struct model *model, const struct ledger_card_key *key)
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
    model->cards = model_grow(model->cards, model->cards_count, sizeof *model->cards);
    model->cards[model->cards_count++] =
        (struct model_card_row){.key = *key,
                                .account = model_account_of(model, account),
                                .expiry = expiry,
                                .status = status};
}

void model_card_status(struct model *model, const struct ledger_card_key *key,
                       enum ledger_status status, bool reset_pin_tries, bool keep_status)
{
    struct model_card_row *card = model_card_of(model, key);
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

/* ---- messages and money -------------------------------------------------------------------------
 */

struct model_answer model_say(const char *de39)
{
    struct model_answer answer = {.kind = MODEL_REPLY, .txn = -1};
    memcpy(answer.de39, de39, 2);
    return answer;
}

int32_t model_store(struct model *model, enum ledger_command_kind kind,
                    const struct ledger_request *r, int64_t utc_s, struct model_answer answer)
{
    model->txns = model_grow(model->txns, model->txns_count, sizeof *model->txns);
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

void model_hold(struct model *model, struct model_txn *txn, int32_t from, int32_t to,
                int64_t amount)
{
    txn->from = from;
    txn->to = to;
    txn->held = amount;
    model->accounts[from].held += amount;
}

void model_release(struct model *model, struct model_txn *txn, int64_t amount)
{
    if (amount > 0) { /* some messages book nothing, between no accounts */
        txn->held -= amount;
        model->accounts[txn->from].held -= amount;
    }
}

void model_book(struct model *model, struct model_txn *txn, int32_t from, int32_t to,
                int64_t amount)
{
    txn->from = from;
    txn->to = to;
    txn->posted = amount;
    txn->refundable += amount; /* a refund may have come while it was out */
    model_post(model, from, to, amount);
}

int64_t model_available(const struct model *model, int32_t account)
{
    const struct model_account_row *row = &model->accounts[account];
    return row->balance + row->line - row->held;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

bool model_balance(const struct model *model, const char *account, int64_t *balance_minor,
                   int64_t *held_minor)
{
    int32_t index = model_account_of(model, account);
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
    int32_t index = model_account_of(model, account);
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
