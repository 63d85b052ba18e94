/* operator.c - see operator.h. */
#include "tests/sim/operator.h"

#include "tests/sim/traffic.h"
#include <stdio.h>
#include <string.h>

#define SPEAKS_PERCENT 12u
#define OPEN_CARDS     5u /* cards 0..4 are the operator's; the others stay what they are */
#define RICH_MINOR     100000000
#define POOR_MINOR     100
#define POOR_CARD      4u
#define VELOCITY_CARD  9u

static uint64_t dice(struct sim_operator *who, uint64_t sides)
{
    return sim_below(sim_world_random(who->world), sides);
}

static void put_name(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES], const char *name)
{
    memset(out, 0, LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, strlen(name));
}

static void put_account_of(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES], uint32_t card)
{
    char name[16];
    (void)snprintf(name, sizeof name, "card/%u", card);
    put_name(out, name);
}

static struct ledger_card_key key_of(struct sim_operator *who, uint32_t card)
{
    char pan[20];
    struct ledger_card_key key;
    traffic_pan(card, pan);
    host_card_key(who->host, pan, &key);
    return key;
}

/* ---- what an operator may say ------------------------------------------------------------------
 */

static void put_listed(struct sim_operator *who, union watch_command *c, const char *list,
                       uint32_t card)
{
    struct ledger_card_key key = key_of(who, card);
    memcpy(c->list.list, list, strlen(list));
    memcpy(c->list.key, key.bytes, sizeof key.bytes);
    c->list.key_size = sizeof key.bytes;
}

/* Ours or a scheme's; more often off the list than on it. */
static void make_denied(struct sim_operator *who, union watch_command *c)
{
    uint32_t card = (uint32_t)dice(who, OPEN_CARDS);
    card = dice(who, 2) == 0 ? card : TRAFFIC_CARDS + card % TRAFFIC_FOREIGN_CARDS;
    put_listed(who, c, "deny_cards", card);
    c->list.is_remove = dice(who, 3) != 0;
}

static void make_counted(struct sim_operator *who, union watch_command *c)
{
    put_listed(who, c, "velocity_cards", (uint32_t)dice(who, OPEN_CARDS));
    c->list.is_remove = dice(who, 2) != 0;
}

static void make_card_status(struct sim_operator *who, union watch_command *c)
{
    static const uint8_t statuses[] = {LEDGER_STATUS_OPEN, LEDGER_STATUS_OPEN,
                                       LEDGER_STATUS_BLOCKED, LEDGER_STATUS_LOST,
                                       LEDGER_STATUS_STOLEN};
    c->card.card = key_of(who, (uint32_t)dice(who, OPEN_CARDS));
    c->card.status =
        dice(who, 2) == 0 ? (uint8_t)LEDGER_STATUS_OPEN : statuses[dice(who, countof(statuses))];
}

/* `card unblock --pin` */
static void make_pin_reset(struct sim_operator *who, union watch_command *c)
{
    c->card.card = key_of(who, (uint32_t)dice(who, 3));
    c->card.reset_pin_tries = c->card.keep_status = 1;
}

static void make_freeze(struct sim_operator *who, union watch_command *c)
{
    put_account_of(c->account.name, (uint32_t)dice(who, OPEN_CARDS));
    c->account.status =
        dice(who, 3) == 0 ? (uint8_t)LEDGER_STATUS_FROZEN : (uint8_t)LEDGER_STATUS_OPEN;
}

static void make_move(struct sim_operator *who, union watch_command *c)
{
    put_account_of(c->account.name, POOR_CARD);
    put_name(c->account.counter, "funding");
    c->account.amount_minor = (int64_t)dice(who, 2 * POOR_MINOR) - POOR_MINOR;
}

static void make_rules(struct sim_operator *who, union watch_command *c)
{
    who->rules = (uint32_t)dice(who, SIM_RULE_SETS);
    host_rules_write(who->host, who->rules);
    c->text.id = host_rules_id(who->rules);
}

static void make_note(struct sim_operator *who, union watch_command *c)
{
    c->text.text_size = (uint16_t)dice(who, sizeof c->text.text);
    memset(c->text.text, 'n', c->text.text_size);
}

static void make_exception(struct sim_operator *who, union watch_command *c)
{
    c->text.id = 1 + dice(who, 20);
}

static const struct {
    const char *text;
    enum ledger_command_kind kind;
    uint32_t size;
    void (*make)(struct sim_operator *, union watch_command *);
} rows[] = {
    {"deny list", LEDGER_LIST_CHANGE, sizeof(struct ledger_command_list), make_denied},
    {"counted cards", LEDGER_LIST_CHANGE, sizeof(struct ledger_command_list), make_counted},
    {"card status", LEDGER_CARD_STATUS, sizeof(struct ledger_command_card), make_card_status},
    {"PIN tries", LEDGER_CARD_STATUS, sizeof(struct ledger_command_card), make_pin_reset},
    {"freeze", LEDGER_ACCOUNT_STATUS, sizeof(struct ledger_command_account), make_freeze},
    {"move", LEDGER_ACCOUNT_MOVE, sizeof(struct ledger_command_account), make_move},
    {"rule set", LEDGER_RULESET, sizeof(struct ledger_command_text), make_rules},
    {"note", LEDGER_CONTROL, sizeof(struct ledger_command_text), make_note},
    {"exception", LEDGER_EXCEPTION_RESOLVE, sizeof(struct ledger_command_text), make_exception},
};
_Static_assert(countof(rows) <= OPERATOR_ROWS_MAX, "every command has its count");

/* ---- saying it ---------------------------------------------------------------------------------
 */

static void say(struct sim_operator *who, enum ledger_command_kind kind, uint32_t size)
{
    struct ledger_port *port = host_control(who->host);
    struct ledger_command *header = &who->command.header;
    *header = (struct ledger_command){.size = size,
                                      .kind = (uint16_t)kind,
                                      .sender = host_control_sender(who->host),
                                      .generation = ++who->generation,
                                      .received_ns = sim_world_now_ns(who->world)};
    void *record = ring_reserve(port->commands, size);
    must(record != NULL); /* one at a time */
    memcpy(record, &who->command, size);
    ring_publish(port->commands);
    who->is_waiting = true;
}

void operator_speak(struct sim_operator *who)
{
    if (who->is_waiting || !host_is_up(who->host) ||
        !sim_percent(sim_world_random(who->world), SPEAKS_PERCENT)) {
        return;
    }
    memset(&who->command, 0, sizeof who->command);
    who->row = (uint32_t)dice(who, countof(rows));
    rows[who->row].make(who, &who->command);
    say(who, rows[who->row].kind, rows[who->row].size);
}

/* False: not yet there. */
static bool take_verdict(struct sim_operator *who, bool *is_done)
{
    uint32_t size;
    struct ledger_port *port = host_control(who->host);
    const struct ledger_verdict *verdict = ring_peek(port->verdicts, &size);
    if (verdict == NULL) {
        return false;
    }
    must(verdict->generation == who->generation);
    *is_done = verdict->kind == LEDGER_VERDICT_DONE;
    if (*is_done && verdict->batch > who->done_batch) {
        who->done_batch = verdict->batch;
    }
    ring_next(port->verdicts);
    ring_release(port->verdicts);
    who->is_waiting = false;
    return true;
}

/* A rule set that is journaled is put in force, as the control thread does. */
void operator_listen(struct sim_operator *who)
{
    bool is_done = false;
    if (!who->is_waiting || !host_is_up(who->host) || !take_verdict(who, &is_done) || !is_done) {
        return;
    }
    who->counts->done[who->row]++;
    if (who->command.header.kind == LEDGER_RULESET) {
        host_rules_activate(who->host, who->rules);
    }
}

void operator_crashed(struct sim_operator *who)
{
    who->is_waiting = false;
}

const char *operator_booted(const struct sim_operator *who)
{
    return host_survived(who->host) < who->done_batch
               ? "a command that was answered as done is gone after a start"
               : NULL;
}

/* ---- before the story --------------------------------------------------------------------------
 */

static const char *ask(struct sim_operator *who, enum ledger_command_kind kind, uint32_t size)
{
    bool is_done = false;
    say(who, kind, size);
    for (uint32_t rounds = 0; rounds < 100000; rounds++) {
        if (!host_round(who->host)) {
            return "a spared host crashed";
        }
        if (take_verdict(who, &is_done)) {
            memset(&who->command, 0, sizeof who->command);
            return is_done ? NULL : "a command of the preparation was refused";
        }
        (void)sim_step(who->world, sim_world_now_ns(who->world) + NS_PER_MS);
    }
    return "a command of the preparation was never answered";
}

static const char *prepare_card(struct sim_operator *who, uint32_t card)
{
    static const uint8_t statuses[TRAFFIC_CARDS] = {
        [5] = LEDGER_STATUS_BLOCKED, [6] = LEDGER_STATUS_LOST, [8] = LEDGER_STATUS_STOLEN};
    union watch_command *c = &who->command;
    put_account_of(c->account.name, card);
    c->account.currency = 398;
    const char *why = ask(who, LEDGER_ACCOUNT_CREATE, sizeof c->account);
    put_account_of(c->account.name, card);
    put_name(c->account.counter, "funding");
    c->account.amount_minor = card == POOR_CARD ? POOR_MINOR : RICH_MINOR;
    why = why != NULL ? why : ask(who, LEDGER_ACCOUNT_MOVE, sizeof c->account);
    c->card.card = key_of(who, card);
    put_account_of(c->card.account, card);
    c->card.expiry = card == 7 ? 2001 : 3012;
    c->card.service_code = 201;
    c->card.status = statuses[card];
    c->card.pvki = 1;
    memcpy(c->card.pvv, "4022", sizeof c->card.pvv);
    return why != NULL ? why : ask(who, LEDGER_CARD_CREATE, sizeof c->card);
}

const char *operator_prepare(struct sim_operator *who)
{
    static const char *const house[] = {"settlement/acquirer", "settlement/second",
                                        "settlement/demo-a", "settlement/demo-b", "funding"};
    union watch_command *c = &who->command;
    const char *why = NULL;
    for (uint32_t i = 0; i < countof(house) && why == NULL; i++) {
        put_name(c->account.name, house[i]);
        c->account.currency = 398;
        c->account.is_house = 1;
        why = ask(who, LEDGER_ACCOUNT_CREATE, sizeof c->account);
    }
    for (uint32_t i = 0; i < TRAFFIC_CARDS && why == NULL; i++) {
        why = prepare_card(who, i);
    }
    put_listed(who, c, "velocity_cards", VELOCITY_CARD);
    return why != NULL ? why : ask(who, LEDGER_LIST_CHANGE, sizeof c->list);
}

void operator_create(struct sim_operator *who, struct sim_world *world, struct host *host,
                     struct operator_counts *counts)
{
    *who = (struct sim_operator){.world = world, .host = host, .counts = counts};
}

void operator_counts_print(const struct operator_counts *counts)
{
    (void)printf("operator:");
    for (uint32_t i = 0; i < countof(rows); i++) {
        (void)printf("%s %s %llu", i == 0 ? "" : ",", rows[i].text,
                     (unsigned long long)counts->done[i]);
    }
    (void)printf("\n");
}

const char *operator_counts_missing(const struct operator_counts *counts)
{
    for (uint32_t i = 0; i < countof(rows); i++) {
        if (counts->done[i] == 0) {
            return rows[i].text;
        }
    }
    return NULL;
}
