/* account.c - accounts and cards: finding them, what is available, sums per currency.
 * Thread: the shard's. Bounds: accounts_max, cards_max, LEDGER_CURRENCIES_MAX. */
#include "ledger/tables.h"

/* Whoever gives a name pads it with blanks or with NULs: rows have NULs, and no blanks at the end.
 */
void ledger_account_name_tidy(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES],
                              const uint8_t name[LEDGER_ACCOUNT_NAME_BYTES])
{
    uint32_t size = LEDGER_ACCOUNT_NAME_BYTES;
    while (size > 0 && (name[size - 1] == ' ' || name[size - 1] == 0)) {
        size--;
    }
    memcpy(out, name, size);
    memset(out + size, 0, LEDGER_ACCOUNT_NAME_BYTES - size);
}

uint32_t ledger_account_find(const struct ledger_state *state,
                             const uint8_t wanted[LEDGER_ACCOUNT_NAME_BYTES])
{
    uint8_t name[LEDGER_ACCOUNT_NAME_BYTES];
    ledger_account_name_tidy(name, wanted);
    uint64_t hash = ledger_hash_bytes(name, LEDGER_ACCOUNT_NAME_BYTES);
    uint32_t row = ledger_index_first(&state->by_name, hash);
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        if (memcmp(state->names[row - 1].name, name, LEDGER_ACCOUNT_NAME_BYTES) == 0) {
            return row;
        }
        row = ledger_index_next(&state->by_name, row);
    }
    return 0;
}

uint32_t ledger_card_find(const struct ledger_state *state, const struct ledger_card_key *key)
{
    uint64_t hash = ledger_hash_bytes(key, sizeof *key);
    uint32_t row = ledger_index_first(&state->by_card, hash);
    for (uint32_t i = 0; row != 0 && i < LEDGER_WALK_MAX; i++) {
        if (memcmp(&state->cards[row - 1].key, key, sizeof *key) == 0) {
            return row;
        }
        row = ledger_index_next(&state->by_card, row);
    }
    return 0;
}

/* Each side stays within int64 (checked when it is booked), so does their difference. */
int64_t ledger_account_balance(const struct ledger_account *account)
{
    return account->posted_credit - account->posted_debit;
}

/* available = balance + credit line - held (contract section 4) */
int64_t ledger_account_available(const struct ledger_account *account)
{
    ledger_total available = (ledger_total)ledger_account_balance(account) +
                             account->credit_line_minor - account->pending_debit;
    if (available > INT64_MAX) {
        return INT64_MAX;
    }
    return available < INT64_MIN ? INT64_MIN : (int64_t)available;
}

/* The account has its name now: it can be found, also as a house account of the configuration. */
void ledger_account_indexed(struct ledger_state *state, uint32_t row)
{
    const uint8_t *name = state->names[row].name;
    ledger_index_add(&state->by_name, ledger_hash_bytes(name, LEDGER_ACCOUNT_NAME_BYTES), row);
    for (uint32_t i = 0; i < state->parties_count; i++) {
        if (memcmp(state->party_names[i], name, LEDGER_ACCOUNT_NAME_BYTES) == 0) {
            state->party_accounts[i] = row + 1;
        }
    }
    for (uint32_t i = 0; i < state->endpoints_count; i++) {
        if (memcmp(state->endpoint_names[i], name, LEDGER_ACCOUNT_NAME_BYTES) == 0) {
            state->endpoint_accounts[i] = row + 1;
        }
    }
}

struct ledger_sum *ledger_sum_of(struct ledger_state *state, uint16_t currency)
{
    for (uint32_t i = 0; i < state->sums_count; i++) {
        if (state->sums[i].currency == currency) {
            return &state->sums[i];
        }
    }
    if (state->sums_count == LEDGER_CURRENCIES_MAX) {
        return NULL;
    }
    struct ledger_sum *sum = &state->sums[state->sums_count++];
    *sum = (struct ledger_sum){.currency = currency};
    return sum;
}
