/* apply.c - makes a record true: copies the images into the rows and lets the derived data follow.
 *
 * DESIGN  The same code serves a decision just made and the recovery. It cannot fail: what could be
 * refused was refused by plan(). Its must()s are the money rules: per record and currency the
 * debits equal the credits, nothing pending is below zero. Thread: the shard's. */
#include "ledger/tables.h"

/* Debits minus credits of one record, per currency: zero at its end. */
struct balance {
    struct {
        uint16_t currency;
        ledger_total posted, pending;
    } of[LEDGER_CURRENCIES_MAX];
    uint32_t count;
};

static void weigh(struct balance *balance, uint16_t currency, ledger_total posted,
                  ledger_total pending)
{
    uint32_t i = 0;
    while (i < balance->count && balance->of[i].currency != currency) {
        i++;
    }
    must(i < LEDGER_CURRENCIES_MAX);
    if (i == balance->count) {
        balance->count++;
        balance->of[i].currency = currency;
        balance->of[i].posted = balance->of[i].pending = 0;
    }
    balance->of[i].posted += posted;
    balance->of[i].pending += pending;
}

static void applied_account(struct ledger_state *state, uint32_t row,
                            const struct ledger_account *before, struct balance *balance)
{
    const struct ledger_account *after = &state->accounts[row];
    must(after->pending_debit >= 0 && after->pending_credit >= 0);
    must(after->posted_debit >= 0 && after->posted_credit >= 0);
    must(before->currency == 0 || before->currency == after->currency);
    ledger_total debit = (ledger_total)after->posted_debit - before->posted_debit;
    ledger_total credit = (ledger_total)after->posted_credit - before->posted_credit;
    ledger_total pending_debit = (ledger_total)after->pending_debit - before->pending_debit;
    ledger_total pending_credit = (ledger_total)after->pending_credit - before->pending_credit;
    weigh(balance, after->currency, debit - credit, pending_debit - pending_credit);
    struct ledger_sum *sum = ledger_sum_of(state, after->currency);
    must(sum != NULL);
    sum->posted_debit += debit;
    sum->posted_credit += credit;
    sum->pending_debit += pending_debit;
    sum->pending_credit += pending_credit;
}

static void leaving_hold(struct ledger_state *state, uint32_t row)
{
    const struct ledger_hold *hold = &state->holds[row];
    if (hold->state == LEDGER_HOLD_NONE) {
        ledger_free_take(&state->holds_free, row);
    } else {
        ledger_index_remove(&state->holds_by_rrn, hold->rrn_key.low, row);
        state->holds_open_count--;
    }
}

static void applied_hold(struct ledger_state *state, uint32_t row)
{
    const struct ledger_hold *hold = &state->holds[row];
    if (hold->state == LEDGER_HOLD_NONE) {
        ledger_free_give(&state->holds_free, row);
    } else {
        must(hold->amount_minor >= 0);
        ledger_index_add(&state->holds_by_rrn, hold->rrn_key.low, row);
        state->holds_open_count++;
    }
}

static void leaving_counter(struct ledger_state *state, uint32_t row)
{
    const struct ledger_counter *counter = &state->counters[row];
    if (counter->declaration == 0) {
        ledger_free_take(&state->counters_free, row);
    } else {
        ledger_index_remove(&state->by_counter,
                            ledger_counter_hash(counter->declaration, counter->key), row);
    }
}

static void applied_counter(struct ledger_state *state, uint32_t row)
{
    const struct ledger_counter *counter = &state->counters[row];
    must(counter->declaration != 0);
    ledger_index_add(&state->by_counter, ledger_counter_hash(counter->declaration, counter->key),
                     row);
}

static void leaving_saf(struct ledger_state *state, uint32_t row)
{
    if (state->safs[row].state == LEDGER_SAF_NONE) {
        ledger_free_take(&state->safs_free, row);
    } else if (state->safs[row].state == LEDGER_SAF_QUEUED) {
        ledger_saf_leaving(state, row);
    }
}

static void applied_saf(struct ledger_state *state, uint32_t row, bool was_in_flight)
{
    must(state->safs[row].reserved_minor >= 0);
    if (state->safs[row].state == LEDGER_SAF_NONE) {
        ledger_free_give(&state->safs_free, row);
    } else if (state->safs[row].state == LEDGER_SAF_QUEUED) {
        ledger_saf_queued(state, row);
        ledger_saf_flight(state, row, was_in_flight);
    }
}

static void applied_mark(struct ledger_state *state, uint32_t row, bool was_open)
{
    const struct ledger_mark *mark = &state->marks[row];
    if (!was_open && mark->is_open) {
        ledger_free_take(&state->marks_free, row);
        state->marks_open_count++;
    } else if (was_open && !mark->is_open) {
        ledger_free_give(&state->marks_free, row);
        state->marks_open_count--;
    }
    if (mark->id >= state->mark_next) {
        state->mark_next = mark->id + 1;
    }
}

static void copy_image(void *row, const struct ledger_effect *effect, uint32_t full)
{
    memcpy(row, ledger_effect_image(effect), effect->size);
    memset((uint8_t *)row + effect->size, 0, full - effect->size);
}

static void apply_txn(struct ledger_state *state, const struct ledger_effect *effect)
{
    struct ledger_txn *txn = &state->txns[effect->row];
    uint64_t id = 0;
    memcpy(&id, ledger_effect_image(effect), sizeof id);
    if (txn->id == id) {
        struct ledger_txn before = *txn;
        copy_image(txn, effect, sizeof *txn);
        ledger_txn_changing(state, &before, effect->row);
        return;
    }
    if (txn->id != 0) {
        ledger_txn_leaving(state, effect->row);
    }
    copy_image(txn, effect, sizeof *txn);
    ledger_txn_added(state, effect->row);
    uint64_t sequence = id & LEDGER_SEQUENCE_MASK;
    if (sequence >= state->txn_next) {
        state->txn_next = sequence + 1;
    }
}

static void apply_name(struct ledger_state *state, const struct ledger_effect *effect)
{
    struct ledger_account_name before = state->names[effect->row];
    copy_image(&state->names[effect->row], effect, sizeof before);
    if (memcmp(&before, &state->names[effect->row], sizeof before) != 0) {
        ledger_account_indexed(state, effect->row); /* names never change */
    }
    if (effect->row >= state->accounts_count) {
        state->accounts_count = effect->row + 1;
    }
}

static void apply_card(struct ledger_state *state, const struct ledger_effect *effect)
{
    struct ledger_card *card = &state->cards[effect->row];
    bool is_new = card->account == 0;
    copy_image(card, effect, sizeof *card);
    if (is_new) {
        ledger_index_add(&state->by_card, ledger_hash_bytes(&card->key, sizeof card->key),
                         effect->row);
        must(effect->row == state->cards_count);
        state->cards_count++;
    }
}

static void apply_effect(struct ledger_state *state, const struct ledger_effect *effect,
                         struct balance *balance)
{
    uint32_t row = effect->row;
    if (effect->table > LEDGER_EVENTS_BEFORE) {
        return; /* for the followers */
    }
    ledger_row_used(state, effect->table, row);
    switch ((enum ledger_table)effect->table) {
    case LEDGER_TABLE_txn:
        apply_txn(state, effect);
        break;
    case LEDGER_TABLE_account: {
        struct ledger_account before = state->accounts[row];
        copy_image(&state->accounts[row], effect, sizeof before);
        applied_account(state, row, &before, balance);
        break;
    }
    case LEDGER_TABLE_hold:
        leaving_hold(state, row);
        copy_image(&state->holds[row], effect, sizeof *state->holds);
        applied_hold(state, row);
        break;
    case LEDGER_TABLE_counter:
        leaving_counter(state, row);
        copy_image(&state->counters[row], effect, sizeof *state->counters);
        applied_counter(state, row);
        break;
    case LEDGER_TABLE_saf: {
        bool in_flight = state->saf_in_flight[row] != 0;
        leaving_saf(state, row);
        copy_image(&state->safs[row], effect, sizeof *state->safs);
        applied_saf(state, row, in_flight);
        break;
    }
    case LEDGER_TABLE_mark: {
        bool was_open = state->marks[row].is_open != 0;
        copy_image(&state->marks[row], effect, sizeof *state->marks);
        applied_mark(state, row, was_open);
        break;
    }
    case LEDGER_TABLE_account_name:
        apply_name(state, effect);
        break;
    case LEDGER_TABLE_card:
        apply_card(state, effect);
        break;
    case LEDGER_TABLE_meta:
    case LEDGER_TABLE_relay:
    case LEDGER_TABLE_endpoint: {
        uint32_t full = ledger_effect_row_bytes(effect->table);
        copy_image(state->rows[effect->table] + (size_t)row * full, effect, full);
        break;
    }
    case LEDGER_TABLES_COUNT:
    case LEDGER_EVENTS_BEFORE:
    case LEDGER_EVENT_list_change:
    case LEDGER_EVENT_note:
    case LEDGER_EVENTS_END:
        break;
    }
}

void ledger_apply(struct ledger_state *state, const struct ledger_record *record)
{
    struct balance balance = {.count = 0};
    const struct ledger_effect *effect = NULL;
    while ((effect = ledger_effect_next(record, effect)) != NULL) {
        apply_effect(state, effect, &balance);
    }
    for (uint32_t i = 0; i < balance.count; i++) {
        must(balance.of[i].posted == 0);
        must(balance.of[i].pending == 0);
    }
    if (record->utc_ns > state->utc_last_ns) {
        state->utc_last_ns = record->utc_ns;
    }
}

void ledger_state_overwrite(struct ledger_state *state, const struct ledger_record *record)
{
    const struct ledger_effect *effect = NULL;
    while ((effect = ledger_effect_next(record, effect)) != NULL) {
        if (effect->table < LEDGER_TABLES_COUNT) {
            uint32_t full = ledger_effect_row_bytes(effect->table);
            ledger_row_used(state, effect->table, effect->row);
            copy_image(state->rows[effect->table] + (size_t)effect->row * full, effect, full);
        }
    }
}

bool ledger_state_accepts(const struct ledger_state *state, const struct ledger_record *record)
{
    const struct ledger_effect *effect = NULL;
    while ((effect = ledger_effect_next(record, effect)) != NULL) {
        if (effect->table > LEDGER_EVENTS_BEFORE) {
            continue;
        }
        if (effect->row >= ledger_state_rows(state, effect->table) ||
            !ledger_row_fits(state, effect->table, effect->row, ledger_effect_image(effect),
                             effect->size)) {
            return false;
        }
        if (effect->table == LEDGER_TABLE_txn && effect->size < sizeof(uint64_t)) {
            return false; /* a transaction's row is never emptied */
        }
    }
    return true;
}
