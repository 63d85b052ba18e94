/* plan_admin.c - operators' commands: accounts, cards, lists, rule sets, exceptions. Each leaves a
 * note with the caller's uid in the journal; a refused one leaves nothing. */
#include "ledger/plan.h"

#include "base/clock.h"
#include <stdio.h>

static void done(struct ledger_plan *plan, uint32_t uid)
{
    struct ledger_note *note = plan_event(plan, LEDGER_EVENT_note);
    note->uid = uid;
    plan_verdict(plan, LEDGER_VERDICT_DONE, sizeof(struct ledger_verdict));
}

static void refuse(struct ledger_plan *plan, const char *text)
{
    plan_drop_edits(plan);
    plan_verdict(plan, LEDGER_VERDICT_REFUSED, sizeof(struct ledger_verdict_refused));
    snprintf(plan->verdict.refused.text, sizeof plan->verdict.refused.text, "%s", text);
}

static bool is_blank(const uint8_t *name)
{
    return name[0] == ' ' || name[0] == 0;
}

/* ---- accounts -------------------------------------------------------------------------------- */

/* Currencies are few; a new one beyond the bound is refused, so apply() never meets it. */
static bool is_currency_known(const struct ledger_state *state, uint16_t currency)
{
    for (uint32_t i = 0; i < state->sums_count; i++) {
        if (state->sums[i].currency == currency) {
            return true;
        }
    }
    return state->sums_count < LEDGER_CURRENCIES_MAX;
}

void plan_account_create(struct ledger_plan *plan, const struct ledger_command_account *command)
{
    const struct ledger_state *state = plan->state;
    if (is_blank(command->name) || command->currency == 0 || command->currency > 999) {
        refuse(plan, "an account needs a name and a currency");
        return;
    }
    if (ledger_account_find(state, command->name) != 0) {
        refuse(plan, "there is an account of this name");
        return;
    }
    if (state->accounts_count == state->limits.accounts_max ||
        !is_currency_known(state, command->currency)) {
        refuse(plan, "no place: accounts_max accounts, or 32 currencies");
        return;
    }
    if (command->credit_line_minor < 0 || command->status > LEDGER_STATUS_CLOSED) {
        refuse(plan, "a credit line is not below zero; an account is open, frozen or closed");
        return;
    }
    uint32_t row = state->accounts_count + 1;
    struct ledger_account *account = plan_fresh(plan, LEDGER_TABLE_account, row);
    account->credit_line_minor = command->credit_line_minor;
    account->currency = command->currency;
    account->status = command->status;
    account->is_house = command->is_house;
    struct ledger_account_name *name = plan_fresh(plan, LEDGER_TABLE_account_name, row);
    ledger_account_name_tidy(name->name, command->name);
    done(plan, command->uid);
}

void plan_account_move(struct ledger_plan *plan, const struct ledger_command_account *command)
{
    uint32_t row = ledger_account_find(plan->state, command->name);
    uint32_t counter = ledger_account_find(plan->state, command->counter);
    if (row == 0 || counter == 0 || row == counter) {
        refuse(plan, row == 0 ? "no such account" : "no such account for the other leg");
        return;
    }
    const struct ledger_account *account = plan_see_account(plan, row);
    if (account->currency != plan_see_account(plan, counter)->currency ||
        (command->currency != 0 && command->currency != account->currency)) {
        refuse(plan, "the two accounts have different currencies");
        return;
    }
    if (!plan_see_account(plan, counter)->is_house) {
        refuse(plan, "the other leg must be a house account");
        return;
    }
    int64_t amount_minor = command->amount_minor;
    if (amount_minor == 0 || amount_minor == INT64_MIN) {
        refuse(plan, "amount is zero");
        return;
    }
    if (amount_minor > 0) {
        plan_post(plan, counter, row, amount_minor);
    } else if (!account->is_house && ledger_account_available(account) < -amount_minor) {
        refuse(plan, "not enough funds");
        return;
    } else {
        plan_post(plan, row, counter, -amount_minor);
    }
    if (plan->is_overflown) {
        plan->is_overflown = false;
        refuse(plan, "the amount does not fit the account");
        return;
    }
    done(plan, command->uid);
}

void plan_account_status(struct ledger_plan *plan, const struct ledger_command_account *command)
{
    uint32_t row = ledger_account_find(plan->state, command->name);
    if (row == 0 || command->status > LEDGER_STATUS_CLOSED) {
        refuse(plan, row == 0 ? "no such account" : "an account is open, frozen or closed");
        return;
    }
    plan_edit_account(plan, row)->status = command->status;
    done(plan, command->uid);
}

/* ---- cards ----------------------------------------------------------------------------------- */

void plan_card_create(struct ledger_plan *plan, const struct ledger_command_card *command)
{
    const struct ledger_state *state = plan->state;
    uint32_t account = ledger_account_find(state, command->account);
    if (account == 0) {
        refuse(plan, "no such account");
        return;
    }
    if (ledger_card_find(state, &command->card) != 0) {
        refuse(plan, "there is such a card");
        return;
    }
    if (state->cards_count == state->limits.cards_max) {
        refuse(plan, "no place: cards_max cards");
        return;
    }
    struct ledger_card *card = plan_fresh(plan, LEDGER_TABLE_card, state->cards_count + 1);
    card->key = command->card;
    card->account = account;
    card->version = 1;
    card->expiry = command->expiry;
    card->service_code = command->service_code;
    card->status = command->status;
    card->pvki = command->pvki;
    memcpy(card->pvv, command->pvv, sizeof card->pvv);
    memcpy(card->pan_first6_last4, command->pan_first6_last4, sizeof card->pan_first6_last4);
    done(plan, command->uid);
}

void plan_card_status(struct ledger_plan *plan, const struct ledger_command_card *command)
{
    uint32_t row = ledger_card_find(plan->state, &command->card);
    if (row == 0 || command->status > LEDGER_STATUS_STOLEN ||
        command->status == LEDGER_STATUS_FROZEN) {
        refuse(plan,
               row == 0 ? "no such card" : "a card is open, blocked, lost, stolen or cancelled");
        return;
    }
    struct ledger_card *card = plan_edit_card(plan, row);
    if (!command->keep_status && card->status != command->status) {
        card->status = command->status;
        card->version++;
    }
    if (command->reset_pin_tries) {
        card->pin_tries = 0;
    }
    done(plan, command->uid);
}

/* ---- the rest -------------------------------------------------------------------------------- */

void plan_list_change(struct ledger_plan *plan, const struct ledger_command_list *command)
{
    if (command->list[0] == 0 || command->list[sizeof command->list - 1] != 0 ||
        command->key_size == 0 || command->key_size > sizeof command->key) {
        refuse(plan, "a list has a name of 1 to 31 bytes, an element 1 to 64 bytes");
        return;
    }
    struct ledger_meta *meta = plan_edit(plan, LEDGER_TABLE_meta, 1);
    meta->lists_batch = plan->now->batch;
    struct ledger_list_change *change = plan_event(plan, LEDGER_EVENT_list_change);
    memcpy(change->list, command->list, sizeof change->list);
    change->until_utc_s = command->until_utc_s;
    change->uid = command->uid;
    change->is_remove = command->is_remove;
    change->key_size = command->key_size;
    memcpy(change->key, command->key, command->key_size);
    plan_verdict(plan, LEDGER_VERDICT_DONE, sizeof(struct ledger_verdict));
}

static void put_note(struct ledger_plan *plan, const struct ledger_command_text *command)
{
    struct ledger_note *note = plan_event(plan, LEDGER_EVENT_note);
    uint16_t size =
        command->text_size < sizeof note->text ? command->text_size : (uint16_t)sizeof note->text;
    note->id = command->id;
    note->uid = command->uid;
    note->text_size = size;
    memcpy(note->text, command->text, size);
    plan_verdict(plan, LEDGER_VERDICT_DONE, sizeof(struct ledger_verdict));
}

void plan_ruleset(struct ledger_plan *plan, const struct ledger_command_text *command)
{
    struct ledger_meta *meta = plan_edit(plan, LEDGER_TABLE_meta, 1);
    meta->ruleset = command->id;
    meta->ruleset_batch = plan->now->batch;
    put_note(plan, command);
}

void plan_control(struct ledger_plan *plan, const struct ledger_command_text *command)
{
    put_note(plan, command);
}

void plan_exception_resolve(struct ledger_plan *plan, const struct ledger_command_text *command)
{
    const struct ledger_state *state = plan->state;
    for (uint32_t row = 0; row < state->rows_used[LEDGER_TABLE_mark]; row++) {
        if (state->marks[row].is_open && state->marks[row].id == command->id) {
            plan_edit_mark(plan, row + 1)->is_open = 0;
            put_note(plan, command);
            return;
        }
    }
    refuse(plan, "no such open exception");
}
