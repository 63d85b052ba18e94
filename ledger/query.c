/* query.c - see query.h. */
#include "ledger/query.h"

#include "ledger/tables.h"
#include "ledger/verify.h"

struct answer {
    const struct ledger_state *state;
    const struct ledger_command_query *command;
    const struct ledger_query_facts *facts;
    struct ledger_verdict_rows *rows;
    uint32_t rows_max;
};

/* The next row of the answer; NULL when it is full. */
static void *add_row(struct answer *answer)
{
    struct ledger_verdict_rows *rows = answer->rows;
    if (rows->rows_count == answer->rows_max) {
        return NULL;
    }
    void *row = rows->rows + (size_t)rows->rows_count++ * rows->row_size;
    return memset(row, 0, rows->row_size);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void put_account(struct answer *answer, uint32_t row)
{
    const struct ledger_account *account = &answer->state->accounts[row];
    struct ledger_row_account *out = add_row(answer);
    out->id = row + 1;
    memcpy(out->name, answer->state->names[row].name, sizeof out->name);
    out->currency = account->currency;
    out->status = account->status;
    out->is_house = account->is_house;
    out->balance_minor = ledger_account_balance(account);
    out->held_minor = account->pending_debit;
    out->available_minor = ledger_account_available(account);
    out->credit_line_minor = account->credit_line_minor;
}

static void put_card(struct answer *answer, uint32_t row)
{
    const struct ledger_card *card = &answer->state->cards[row];
    struct ledger_row_card *out = add_row(answer);
    out->card = card->key;
    memcpy(out->account, answer->state->names[card->account - 1].name, sizeof out->account);
    out->expiry = card->expiry;
    out->status = card->status;
    out->pin_tries = card->pin_tries;
    out->version = card->version;
    memcpy(out->pan_first6_last4, card->pan_first6_last4, sizeof out->pan_first6_last4);
}

static bool put_exception(struct answer *answer, uint32_t row)
{
    const struct ledger_mark *mark = &answer->state->marks[row];
    struct ledger_row_exception *out = mark->is_open ? add_row(answer) : NULL;
    if (out == NULL) {
        return false;
    }
    out->id = mark->id;
    out->txn = mark->txn;
    out->amount_minor = mark->amount_minor;
    out->utc_ns = mark->utc_ns;
    out->currency = mark->currency;
    out->kind = mark->kind;
    out->is_open = mark->is_open;
    memcpy(out->rrn, mark->rrn, sizeof out->rrn);
    return true;
}

static bool put_saf(struct answer *answer, uint32_t row)
{
    const struct ledger_saf *saf = &answer->state->safs[row];
    struct ledger_row_saf *out = saf->state == LEDGER_SAF_QUEUED ? add_row(answer) : NULL;
    if (out == NULL) {
        return false;
    }
    out->item = saf->item;
    out->txn = saf->txn;
    out->stan = saf->stan;
    out->sends_count = saf->sends_count;
    out->endpoint = saf->endpoint;
    out->mti = saf->mti;
    memcpy(out->rrn, saf->rrn, sizeof out->rrn);
    out->queued_utc_ns = saf->queued_utc_ns;
    return true;
}

static void put_reply(const struct ledger_txn *txn, struct ledger_reply *reply)
{
    *reply = (struct ledger_reply){
        .currency = txn->currency,
        .settlement_date = txn->settlement_date,
        .has_de38 = (txn->flags & LEDGER_TXN_HAS_DE38) != 0,
        .cvv2_result = txn->cvv2_result,
        .de54 = txn->de54,
    };
    memcpy(reply->de39, txn->de39, sizeof reply->de39);
    memcpy(reply->de38, txn->de38, sizeof reply->de38);
    memcpy(reply->rrn, txn->rrn, sizeof reply->rrn);
}

static void put_names(struct answer *answer, const struct ledger_txn *txn,
                      struct ledger_row_txn *out)
{
    const struct ledger_account_name *names = answer->state->names;
    if (txn->debit_account != 0) {
        memcpy(out->debit_account, names[txn->debit_account - 1].name, sizeof out->debit_account);
    }
    if (txn->credit_account != 0) {
        memcpy(out->credit_account, names[txn->credit_account - 1].name,
               sizeof out->credit_account);
    }
}

/* The stored message: as long as it is queued from its row, afterwards from what was kept of it. */
static void put_resolution(struct answer *answer, const struct ledger_txn *txn,
                           struct ledger_row_txn *out)
{
    const struct ledger_saf *saf = txn->saf != 0 ? &answer->state->safs[txn->saf - 1] : NULL;
    if (saf != NULL && saf->txn == txn->id && saf->state == LEDGER_SAF_QUEUED) {
        out->resolution_stan = saf->stan;
        out->resolution_mti = saf->mti;
        out->resolution_sends =
            (uint16_t)(saf->sends_count > UINT16_MAX ? UINT16_MAX : saf->sends_count);
        out->resolved_utc_ns = 0;
    }
}

void ledger_query_txn(const struct ledger_txn *txn, struct ledger_row_txn *out)
{
    bool is_hold = txn->class == LEDGER_CLASS_AUTH || txn->class == LEDGER_CLASS_AUTH_ADVICE;
    memset(out, 0, sizeof *out);
    out->txn = txn->id;
    put_reply(txn, &out->reply);
    out->amount_minor = txn->amount_minor;
    out->posted_minor = is_hold ? 0 : txn->booked_minor;
    out->undone_minor = txn->undone_minor;
    out->refunded_minor = txn->refunded_minor;
    out->received_utc_ns = txn->received_utc_ns;
    out->decided_utc_ns = txn->decided_utc_ns;
    out->answered_utc_ns = txn->answered_utc_ns != 0 ? txn->answered_utc_ns : txn->decided_utc_ns;
    out->related = txn->related;
    out->de7 = txn->de7;
    out->forward_de7 = txn->forward_de7;
    out->stan = txn->stan;
    out->forward_stan = txn->forward_stan;
    out->de3 = txn->de3;
    out->mti = txn->mti;
    out->currency = txn->currency;
    out->party = txn->party;
    out->endpoint = txn->forward_stan != 0 ? txn->endpoint : UINT16_MAX; /* on-us */
    out->state = txn->state;
    out->reason = txn->reason;
    memcpy(out->rrn, txn->rrn, sizeof out->rrn);
    memcpy(out->terminal, txn->terminal, sizeof out->terminal);
    memcpy(out->merchant, txn->merchant, sizeof out->merchant);
    out->attempt = txn->attempt;
    memcpy(out->pan_first6_last4, txn->pan_first6_last4, sizeof out->pan_first6_last4);
    out->is_silent = (txn->flags & LEDGER_TXN_SILENT) != 0;
    out->resolved_utc_ns = txn->resolved_utc_ns;
    out->resolution_stan = txn->resolution_stan;
    out->resolution_mti = txn->resolution_mti;
    out->resolution_sends = txn->resolution_sends;
}

static bool put_txn(struct answer *answer, uint32_t row)
{
    const struct ledger_txn *txn = &answer->state->txns[row];
    struct ledger_row_txn *out = add_row(answer);
    if (out == NULL) {
        return false;
    }
    uint32_t hold = ledger_hold_of(answer->state, txn);
    ledger_query_txn(txn, out);
    out->held_minor = hold != 0 ? answer->state->holds[hold - 1].amount_minor : 0;
    put_names(answer, txn, out);
    put_resolution(answer, txn, out);
    return true;
}

/* ---- questions ------------------------------------------------------------------------------- */

static void ask_account(struct answer *answer)
{
    uint32_t row = 0;
    if (answer->command->query == LEDGER_QUERY_ACCOUNT) {
        row = ledger_account_find(answer->state, answer->command->name);
    } else {
        uint32_t card = ledger_card_find(answer->state, &answer->command->card);
        row = card != 0 ? answer->state->cards[card - 1].account : 0;
    }
    if (row != 0) {
        put_account(answer, row - 1);
    }
}

static void ask_accounts(struct answer *answer)
{
    uint64_t row = answer->command->cursor;
    while (row < answer->state->accounts_count && answer->rows->rows_count < answer->rows_max) {
        put_account(answer, (uint32_t)row++);
    }
    answer->rows->cursor = row < answer->state->accounts_count ? row : 0;
}

/* All rows of a table that `put` takes; the cursor is the next row to look at. */
static void ask_each(struct answer *answer, uint32_t rows_count,
                     bool (*put)(struct answer *answer, uint32_t row))
{
    uint64_t row = answer->command->cursor;
    for (uint32_t i = 0; i < LEDGER_QUERY_SCAN_MAX && row < rows_count &&
                         answer->rows->rows_count < answer->rows_max;
         i++) {
        (void)put(answer, (uint32_t)row++);
    }
    answer->rows->cursor = row < rows_count ? row : 0;
}

static bool is_asked(const struct ledger_txn *txn, const struct ledger_command_query *command)
{
    return txn->id != 0 && memcmp(txn->rrn, command->rrn, sizeof txn->rrn) == 0;
}

/* By id one row; by DE37 from the newest on: the cursor is how far back it is. */
static void ask_txn(struct answer *answer)
{
    const struct ledger_state *state = answer->state;
    const struct ledger_command_query *command = answer->command;
    if (command->has_txn) {
        uint32_t row = ledger_txn_find(state, command->txn);
        if (row != 0) {
            (void)put_txn(answer, row - 1);
        }
        return;
    }
    uint64_t back = command->cursor;
    uint64_t all =
        state->txn_next - 1 < state->limits.txns_max ? state->txn_next - 1 : state->limits.txns_max;
    for (uint32_t i = 0;
         i < LEDGER_QUERY_SCAN_MAX && back < all && answer->rows->rows_count < answer->rows_max;
         i++, back++) {
        uint32_t row = (uint32_t)((state->txn_next - 1 - back) % state->limits.txns_max);
        if (is_asked(&state->txns[row], command)) {
            (void)put_txn(answer, row);
        }
    }
    answer->rows->cursor = back < all ? back : 0;
}

static void ask_totals(struct answer *answer)
{
    uint64_t i = answer->command->cursor;
    for (; i < answer->state->sums_count && answer->rows->rows_count < answer->rows_max; i++) {
        const struct ledger_sum *sum = &answer->state->sums[i];
        struct ledger_row_totals *out = add_row(answer);
        out->currency = sum->currency;
        out->debits_low = (uint64_t)sum->posted_debit;
        out->debits_high = (uint64_t)(sum->posted_debit >> 64);
        out->credits_low = (uint64_t)sum->posted_credit;
        out->credits_high = (uint64_t)(sum->posted_credit >> 64);
    }
    answer->rows->cursor = i < answer->state->sums_count ? i : 0;
}

static void ask_status(struct answer *answer)
{
    const struct ledger_state *state = answer->state;
    struct ledger_row_status *out = add_row(answer);
    out->batch_durable = answer->facts->batch_durable;
    out->epoch = answer->facts->epoch;
    out->txns_count = out->replays_count = state->txns_count;
    out->holds_open_count = state->holds_open_count;
    out->accounts_count = state->accounts_count;
    out->cards_count = state->cards_count;
    out->saf_count = state->saf_queued_count;
    out->exceptions_open_count = state->marks_open_count;
    out->unknown_count = state->unknown_count;
    out->in_doubt_minor =
        state->in_doubt_minor > INT64_MAX ? INT64_MAX : (int64_t)state->in_doubt_minor;
    out->digest = answer->command->cursor == 1 ? ledger_state_digest(state) : 0;
}

static void ask_counter(struct answer *answer)
{
    const struct ledger_command_query *command = answer->command;
    uint32_t row = ledger_counter_find(answer->state, command->declaration, command->key);
    if (row == 0) {
        return;
    }
    const struct ledger_counter *counter = &answer->state->counters[row - 1];
    struct ledger_row_counter *out = add_row(answer);
    out->declaration = counter->declaration;
    out->key = counter->key;
    out->value = ledger_counter_value(counter, answer->facts->utc_ns);
    out->window_s = counter->window_s;
}

static void ask_verify(struct answer *answer)
{
    struct ledger_verified verified;
    ledger_state_verify(answer->state, &verified);
    struct ledger_row_verify *out = add_row(answer);
    memcpy(out->text, verified.text, sizeof out->text);
    out->accounts_count = verified.accounts_count;
    out->holds_count = verified.holds_count;
    out->reserved_count = verified.reserved_count;
    out->open_count = verified.open_count;
    answer->rows->is_ok = verified.is_ok;
}

static uint16_t row_bytes(enum ledger_query query)
{
    switch (query) {
    case LEDGER_QUERY_ACCOUNT:
    case LEDGER_QUERY_ACCOUNT_OF_CARD:
    case LEDGER_QUERY_ACCOUNTS:
        return sizeof(struct ledger_row_account);
    case LEDGER_QUERY_CARD:
        return sizeof(struct ledger_row_card);
    case LEDGER_QUERY_EXCEPTIONS:
        return sizeof(struct ledger_row_exception);
    case LEDGER_QUERY_SAF:
        return sizeof(struct ledger_row_saf);
    case LEDGER_QUERY_TXN:
        return sizeof(struct ledger_row_txn);
    case LEDGER_QUERY_TOTALS:
        return sizeof(struct ledger_row_totals);
    case LEDGER_QUERY_STATUS:
        return sizeof(struct ledger_row_status);
    case LEDGER_QUERY_COUNTER:
        return sizeof(struct ledger_row_counter);
    case LEDGER_QUERY_VERIFY:
        return sizeof(struct ledger_row_verify);
    }
    must(false); /* a query has a row */
    return 0;
}

static void ask(struct answer *answer)
{
    switch ((enum ledger_query)answer->command->query) {
    case LEDGER_QUERY_ACCOUNT:
    case LEDGER_QUERY_ACCOUNT_OF_CARD:
        ask_account(answer);
        break;
    case LEDGER_QUERY_ACCOUNTS:
        ask_accounts(answer);
        break;
    case LEDGER_QUERY_CARD: {
        uint32_t row = ledger_card_find(answer->state, &answer->command->card);
        if (row != 0) {
            put_card(answer, row - 1);
        }
        break;
    }
    case LEDGER_QUERY_EXCEPTIONS:
        ask_each(answer, answer->state->rows_used[LEDGER_TABLE_mark], put_exception);
        break;
    case LEDGER_QUERY_SAF:
        ask_each(answer, answer->state->rows_used[LEDGER_TABLE_saf], put_saf);
        break;
    case LEDGER_QUERY_TXN:
        ask_txn(answer);
        break;
    case LEDGER_QUERY_TOTALS:
        ask_totals(answer);
        break;
    case LEDGER_QUERY_STATUS:
        ask_status(answer);
        break;
    case LEDGER_QUERY_COUNTER:
        ask_counter(answer);
        break;
    case LEDGER_QUERY_VERIFY:
        ask_verify(answer);
        break;
    }
}

uint32_t ledger_query(const struct ledger_state *state, const struct ledger_command_query *command,
                      const struct ledger_query_facts *facts, void *out, uint32_t room)
{
    struct ledger_verdict_rows *rows = out;
    memset(rows, 0, sizeof *rows);
    rows->header.kind = LEDGER_VERDICT_ROWS;
    rows->header.command = LEDGER_QUERY;
    rows->query = command->query;
    rows->row_size = row_bytes((enum ledger_query)command->query);
    rows->is_ok = 1;
    uint32_t fit = (room - (uint32_t)sizeof *rows) / rows->row_size;
    must(room > sizeof *rows && fit > 0);
    struct answer answer = {
        .state = state,
        .command = command,
        .facts = facts,
        .rows = rows,
        .rows_max = command->rows_max == 0 || command->rows_max > fit ? fit : command->rows_max,
    };
    ask(&answer);
    rows->header.size = (uint32_t)sizeof *rows + rows->rows_count * rows->row_size;
    return rows->header.size;
}
