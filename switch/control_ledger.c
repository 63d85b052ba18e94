/* control_ledger.c - ringctl's commands that are records to the shard: accounts, cards, lists,
 * reads.
 *
 * DESIGN  A command is one record and a bounded wait for its durable verdict (control_ask). Reads
 * go the same way, so they see everything that was answered before them. Control thread. */
#include "switch/control.h"

#include "switch/daemon.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Looks once; NULL when nothing is there. The record stays valid until the next control_ask(). */
static const struct ledger_verdict *take_verdict(struct ring *ring, uint32_t generation)
{
    uint32_t size;
    void *record;
    while ((record = ring_peek(ring, &size)) != NULL) {
        ring_next(ring);
        const struct ledger_verdict *verdict = record;
        if (verdict->generation == generation) {
            return verdict;
        }
    }
    return NULL;
}

const struct ledger_verdict *control_ask(struct control_request *request, void *command,
                                         uint32_t size, enum ledger_command_kind kind)
{
    struct daemon *daemon = request->daemon;
    struct ledger_port *port = daemon->port;
    struct ledger_command *header = command;
    header->size = size;
    header->kind = (uint16_t)kind;
    header->sender = daemon->control_sender;
    header->generation = ++daemon->control_generation;
    header->received_ns = daemon_now_ns(daemon);
    ring_release(port->verdicts); /* the verdict of the request before */
    void *record = ring_reserve(port->commands, size);
    must(record != NULL); /* one command at a time */
    memcpy(record, command, size);
    ring_publish(port->commands);
    bell_ring(daemon->shard_bell);
    int64_t give_up_ns = header->received_ns + CONTROL_VERDICT_MS * NS_PER_MS;
    while (daemon_now_ns(daemon) < give_up_ns) {
        const struct ledger_verdict *verdict = take_verdict(port->verdicts, header->generation);
        if (verdict != NULL) {
            return verdict;
        }
        atomic_store(&daemon->control_bell.asleep, 1);
        if (ring_empty(port->verdicts)) {
            struct pollfd fd = {.fd = daemon->control_eventfd, .events = POLLIN};
            (void)poll(&fd, 1, 50);
        }
        atomic_store(&daemon->control_bell.asleep, 0);
        uint64_t count;
        (void)!read(daemon->control_eventfd, &count, sizeof count);
    }
    (void)control_error(request, "timeout", "the ledger did not answer in time");
    return NULL;
}

/* For commands that are either done or refused. */
static enum control_exit ask_done(struct control_request *request, void *command, uint32_t size,
                                  enum ledger_command_kind kind, uint64_t *batch)
{
    const struct ledger_verdict *verdict = control_ask(request, command, size, kind);
    if (verdict == NULL) {
        return CONTROL_NEGATIVE;
    }
    if (verdict->kind == LEDGER_VERDICT_REFUSED) {
        const struct ledger_verdict_refused *refused = (const void *)verdict;
        return control_error(request, "refused", refused->text);
    }
    if (verdict->kind != LEDGER_VERDICT_DONE) {
        return control_error(request, "busy",
                             "a table or the journal is full; nothing was changed");
    }
    if (batch != NULL) {
        *batch = verdict->batch;
    }
    return CONTROL_DONE;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static const char *arg_text(const struct control_request *request, const char *name)
{
    return json_string_value(json_object_get(request->args, name));
}

static int64_t arg_number(const struct control_request *request, const char *name, int64_t absent)
{
    const json_t *value = json_object_get(request->args, name);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

static bool put_name(uint8_t out[LEDGER_ACCOUNT_NAME_BYTES], const char *name)
{
    size_t size = name != NULL ? strlen(name) : 0;
    if (size == 0 || size > LEDGER_ACCOUNT_NAME_BYTES) {
        return false;
    }
    memset(out, 0, LEDGER_ACCOUNT_NAME_BYTES);
    memcpy(out, name, size);
    return true;
}

static const char *const account_wanted = "give account: 1 to 28 characters";
static const char *const card_wanted =
    "give card: a PAN of 12 to 19 digits with a valid Luhn digit";

/* The card key of args.card; `first6_last4` may be NULL. */
static bool arg_card(const struct control_request *request, struct ledger_card_key *key,
                     uint8_t first6_last4[10])
{
    const char *pan = arg_text(request, "card");
    size_t size = pan != NULL ? strlen(pan) : 0;
    if (size < 12 || size > 19 || !bytes_are_digits((const uint8_t *)pan, (uint32_t)size) ||
        !bytes_luhn_valid((const uint8_t *)pan, (uint32_t)size)) {
        return false;
    }
    if (first6_last4 != NULL) {
        memcpy(first6_last4, pan, 6);
        memcpy(first6_last4 + 6, pan + size - 4, 4);
    }
    return daemon_card_key(request->daemon, pan, (uint32_t)size, key);
}

/* ---- reads ----------------------------------------------------------------------------------- */

typedef json_t *row_to_json(struct daemon *daemon, const void *row);

static json_t *account_json(struct daemon *daemon, const void *row)
{
    (void)daemon;
    return control_row_account(row);
}
static json_t *card_json(struct daemon *daemon, const void *row)
{
    (void)daemon;
    return control_row_card(row);
}
static json_t *exception_json(struct daemon *daemon, const void *row)
{
    (void)daemon;
    return control_row_exception(row);
}
static json_t *totals_json(struct daemon *daemon, const void *row)
{
    (void)daemon;
    return control_row_totals(row);
}
static json_t *saf_json(struct daemon *daemon, const void *row)
{
    return control_row_saf(daemon, row);
}
/* Asks until the cursor ends and prints every row; *rows_count is how many there were. */
static enum control_exit print_rows(struct control_request *request,
                                    struct ledger_command_query *query, row_to_json *to_json,
                                    uint32_t *rows_count)
{
    *rows_count = 0;
    query->rows_max = CONTROL_ROWS_PER_QUERY;
    query->cursor = 0;
    do {
        const struct ledger_verdict *verdict =
            control_ask(request, query, sizeof *query, LEDGER_QUERY);
        if (verdict == NULL) {
            return CONTROL_NEGATIVE;
        }
        if (verdict->kind == LEDGER_VERDICT_REFUSED) {
            return control_error(
                request, "not_found",
                ((const struct ledger_verdict_refused *)(const void *)verdict)->text);
        }
        if (verdict->kind != LEDGER_VERDICT_ROWS) {
            return control_error(request, "busy", "the ledger is overloaded");
        }
        const struct ledger_verdict_rows *rows = (const void *)verdict;
        query->cursor = rows->cursor;
        for (uint32_t i = 0; i < rows->rows_count && !request->is_broken; i++) {
            control_row(request, to_json(request->daemon, rows->rows + (size_t)i * rows->row_size));
        }
        *rows_count += rows->rows_count;
    } while (query->cursor != 0 && !request->is_broken);
    return CONTROL_DONE;
}

static enum control_exit print_list(struct control_request *request, enum ledger_query kind,
                                    row_to_json *to_json)
{
    struct ledger_command_query query = {.query = (uint8_t)kind};
    uint32_t count;
    return print_rows(request, &query, to_json, &count);
}

static enum control_exit print_one(struct control_request *request,
                                   struct ledger_command_query *query, row_to_json *to_json,
                                   const char *absent)
{
    uint32_t count;
    enum control_exit status = print_rows(request, query, to_json, &count);
    return status == CONTROL_DONE && count == 0 ? control_error(request, "not_found", absent)
                                                : status;
}

enum control_exit control_account_show(struct control_request *request)
{
    struct ledger_command_query query = {.query = LEDGER_QUERY_ACCOUNT};
    if (arg_text(request, "card") != NULL) {
        query.query = LEDGER_QUERY_ACCOUNT_OF_CARD;
        if (!arg_card(request, &query.card, NULL)) {
            return control_error(request, "usage", card_wanted);
        }
    } else if (!put_name(query.name, arg_text(request, "account"))) {
        return control_error(request, "usage", account_wanted);
    }
    return print_one(request, &query, account_json, "there is no such account");
}

enum control_exit control_account_list(struct control_request *request)
{
    return print_list(request, LEDGER_QUERY_ACCOUNTS, account_json);
}

enum control_exit control_card_show(struct control_request *request)
{
    struct ledger_command_query query = {.query = LEDGER_QUERY_CARD};
    if (!arg_card(request, &query.card, NULL)) {
        return control_error(request, "usage", card_wanted);
    }
    return print_one(request, &query, card_json, "there is no such card");
}

enum control_exit control_exceptions_list(struct control_request *request)
{
    return print_list(request, LEDGER_QUERY_EXCEPTIONS, exception_json);
}

enum control_exit control_saf_list(struct control_request *request)
{
    return print_list(request, LEDGER_QUERY_SAF, saf_json);
}

enum control_exit control_trial_balance(struct control_request *request)
{
    return print_list(request, LEDGER_QUERY_TOTALS, totals_json);
}

enum control_exit control_ledger_verify(struct control_request *request)
{
    struct ledger_command_query query = {.query = LEDGER_QUERY_VERIFY, .rows_max = 1};
    const struct ledger_verdict *verdict = control_ask(request, &query, sizeof query, LEDGER_QUERY);
    if (verdict == NULL || verdict->kind != LEDGER_VERDICT_ROWS) {
        return verdict == NULL ? CONTROL_NEGATIVE
                               : control_error(request, "busy", "the ledger is overloaded");
    }
    bool ok = ((const struct ledger_verdict_rows *)(const void *)verdict)->is_ok != 0;
    control_row(request, json_pack("{s:b}", "ok", ok));
    return ok ? CONTROL_DONE : CONTROL_NEGATIVE;
}

/* id (sixteen hex digits) or rrn. */
bool control_arg_txn(const struct control_request *request, struct ledger_command_query *query)
{
    const char *id = arg_text(request, "id");
    const char *rrn = arg_text(request, "rrn");
    query->query = LEDGER_QUERY_TXN;
    if (id != NULL) {
        char *end;
        query->txn = strtoull(id, &end, 16);
        query->has_txn = 1;
        return *id != '\0' && *end == '\0';
    }
    size_t size = rrn != NULL ? strlen(rrn) : 0;
    if (size == 0 || size > sizeof query->rrn) {
        return false;
    }
    memset(query->rrn, ' ', sizeof query->rrn);
    memcpy(query->rrn, rrn, size);
    return true;
}

/* ---- money and cards ------------------------------------------------------------------------- */

enum control_exit control_account_create(struct control_request *request)
{
    struct ledger_command_account command = {
        .currency = (uint16_t)arg_number(request, "currency", 398),
        .is_house = json_is_true(json_object_get(request->args, "house")),
        .credit_line_minor = arg_number(request, "credit_line_minor", 0),
        .uid = request->uid,
    };
    if (!put_name(command.name, arg_text(request, "account"))) {
        return control_error(request, "usage", account_wanted);
    }
    return ask_done(request, &command, sizeof command, LEDGER_ACCOUNT_CREATE, NULL);
}

static enum control_exit move(struct control_request *request, const char *account,
                              int64_t amount_minor)
{
    struct ledger_command_account command = {.amount_minor = amount_minor, .uid = request->uid};
    const char *counter = arg_text(request, "counter");
    if (amount_minor == 0) {
        return control_error(request, "usage", "give amount_minor, above zero");
    }
    if (!put_name(command.name, account) ||
        !put_name(command.counter, counter != NULL ? counter : CONTROL_FUNDING_ACCOUNT)) {
        return control_error(request, "usage", account_wanted);
    }
    return ask_done(request, &command, sizeof command, LEDGER_ACCOUNT_MOVE, NULL);
}

enum control_exit control_account_credit(struct control_request *request)
{
    int64_t amount = arg_number(request, "amount_minor", 0);
    return move(request, arg_text(request, "account"), amount > 0 ? amount : 0);
}

enum control_exit control_account_debit(struct control_request *request)
{
    int64_t amount = arg_number(request, "amount_minor", 0);
    return move(request, arg_text(request, "account"), amount > 0 ? -amount : 0);
}

static enum control_exit account_status(struct control_request *request, enum ledger_status status)
{
    struct ledger_command_account command = {.status = (uint8_t)status, .uid = request->uid};
    if (!put_name(command.name, arg_text(request, "account"))) {
        return control_error(request, "usage", account_wanted);
    }
    return ask_done(request, &command, sizeof command, LEDGER_ACCOUNT_STATUS, NULL);
}

enum control_exit control_account_freeze(struct control_request *request)
{
    return account_status(request, LEDGER_STATUS_FROZEN);
}

enum control_exit control_account_unfreeze(struct control_request *request)
{
    return account_status(request, LEDGER_STATUS_OPEN);
}

/* A card, its account when that does not exist, and its opening balance when one is given: each
 * step is a command of its own; one that is refused ends the sequence and is named. */
enum control_exit control_card_create(struct control_request *request)
{
    struct ledger_command_card card = {.uid = request->uid,
                                       .service_code =
                                           (uint16_t)arg_number(request, "service_code", 201),
                                       .expiry = (uint16_t)arg_number(request, "expiry", 0)};
    const char *account = arg_text(request, "account");
    if (!arg_card(request, &card.card, card.pan_first6_last4)) {
        return control_error(request, "usage", card_wanted);
    }
    if (!put_name(card.account, account)) {
        return control_error(request, "usage", account_wanted);
    }
    if (card.expiry % 100 < 1 || card.expiry % 100 > 12 || card.expiry > 9912) {
        return control_error(request, "usage", "give expiry: YYMM as a number");
    }
    const char *text = daemon_card_pin(request->daemon, request->args, &card);
    if (text != NULL) {
        return control_error(request, "usage", text);
    }
    struct ledger_command_account create = {
        .currency = (uint16_t)arg_number(request, "currency", 398), .uid = request->uid};
    (void)put_name(create.name, account);
    struct ledger_command_query query = {.query = LEDGER_QUERY_ACCOUNT, .rows_max = 1};
    (void)put_name(query.name, account);
    const struct ledger_verdict *verdict = control_ask(request, &query, sizeof query, LEDGER_QUERY);
    if (verdict == NULL) {
        return CONTROL_NEGATIVE;
    }
    bool exists = verdict->kind == LEDGER_VERDICT_ROWS &&
                  ((const struct ledger_verdict_rows *)(const void *)verdict)->rows_count > 0;
    enum control_exit status =
        exists ? CONTROL_DONE
               : ask_done(request, &create, sizeof create, LEDGER_ACCOUNT_CREATE, NULL);
    int64_t balance = arg_number(request, "balance_minor", 0);
    if (status == CONTROL_DONE && balance != 0 && !exists) {
        status = move(request, account, balance);
    }
    uint64_t batch = 0;
    if (status == CONTROL_DONE) {
        status = ask_done(request, &card, sizeof card, LEDGER_CARD_CREATE, &batch);
    }
    return status;
}

/* Returns when the change is durable and every worker sees it. */
static enum control_exit card_status(struct control_request *request, enum ledger_status status,
                                     bool reset_pin_tries, bool keep_status)
{
    struct ledger_command_card command = {.status = (uint8_t)status,
                                          .reset_pin_tries = reset_pin_tries,
                                          .keep_status = keep_status,
                                          .uid = request->uid};
    if (!arg_card(request, &command.card, command.pan_first6_last4)) {
        return control_error(request, "usage", card_wanted);
    }
    uint64_t batch = 0;
    enum control_exit result =
        ask_done(request, &command, sizeof command, LEDGER_CARD_STATUS, &batch);
    if (result == CONTROL_DONE && !daemon_wait_ref(request->daemon, batch)) {
        return control_error(request, "timeout", "durable, but a worker has not yet seen it");
    }
    return result;
}

enum control_exit control_card_block(struct control_request *request)
{
    return card_status(request, LEDGER_STATUS_BLOCKED, false, false);
}

enum control_exit control_card_unblock(struct control_request *request)
{
    bool pin = json_is_true(json_object_get(request->args, "pin"));
    return card_status(request, LEDGER_STATUS_OPEN, pin, pin);
}

enum control_exit control_card_lost(struct control_request *request)
{
    return card_status(request, LEDGER_STATUS_LOST, false, false);
}

enum control_exit control_card_stolen(struct control_request *request)
{
    return card_status(request, LEDGER_STATUS_STOLEN, false, false);
}

enum control_exit control_card_cancel(struct control_request *request)
{
    return card_status(request, LEDGER_STATUS_CLOSED, false, false);
}

/* ---- lists, exceptions ----------------------------------------------------------------------- */

static const char *list_command(const struct control_request *request,
                                struct ledger_command_list *command)
{
    const char *list = arg_text(request, "list");
    const char *value = arg_text(request, "value");
    size_t size = list != NULL ? strlen(list) : 0;
    if (size == 0 || size > sizeof command->list) {
        return "give list: its name";
    }
    memcpy(command->list, list, size);
    if (arg_text(request, "card") != NULL) {
        struct ledger_card_key key;
        if (!arg_card(request, &key, NULL)) {
            return card_wanted;
        }
        memcpy(command->key, key.bytes, sizeof key.bytes);
        command->key_size = sizeof key.bytes;
        return NULL;
    }
    size = value != NULL ? strlen(value) : 0;
    if (size == 0 || size > sizeof command->key) {
        return "give value (1 to 64 characters) or card";
    }
    memcpy(command->key, value, size);
    command->key_size = (uint8_t)size;
    return NULL;
}

static enum control_exit list_change(struct control_request *request, bool is_remove)
{
    struct ledger_command_list command = {.is_remove = is_remove,
                                          .uid = request->uid,
                                          .until_utc_s = arg_number(request, "until", 0)};
    const char *text = list_command(request, &command);
    if (text != NULL) {
        return control_error(request, "usage", text);
    }
    uint64_t batch = 0;
    enum control_exit status =
        ask_done(request, &command, sizeof command, LEDGER_LIST_CHANGE, &batch);
    if (status == CONTROL_DONE && !daemon_wait_ref(request->daemon, batch)) {
        return control_error(request, "timeout", "durable, but a worker has not yet seen it");
    }
    return status;
}

enum control_exit control_list_add(struct control_request *request)
{
    return list_change(request, false);
}

enum control_exit control_list_remove(struct control_request *request)
{
    return list_change(request, true);
}

enum control_exit control_list_show(struct control_request *request)
{
    struct ledger_command_list command = {0};
    const char *text = list_command(request, &command);
    if (text != NULL) {
        return control_error(request, "usage", text);
    }
    char name[sizeof command.list + 1] = {0};
    memcpy(name, command.list, sizeof command.list);
    bool listed = daemon_listed(request->daemon, name, command.key, command.key_size);
    control_row(request, json_pack("{s:s, s:b}", "list", name, "listed", listed));
    return listed ? CONTROL_DONE : CONTROL_NEGATIVE;
}

enum control_exit control_exceptions_show(struct control_request *request)
{
    struct ledger_command_query query = {.query = LEDGER_QUERY_EXCEPTIONS, .rows_max = 1};
    int64_t id = arg_number(request, "id", 0);
    if (id <= 0) {
        return control_error(request, "usage", "give id");
    }
    query.has_txn = 1;
    query.txn = (uint64_t)id;
    return print_one(request, &query, exception_json, "there is no such exception");
}

enum control_exit control_exceptions_resolve(struct control_request *request)
{
    struct ledger_command_text command = {.id = (uint64_t)arg_number(request, "id", 0),
                                          .uid = request->uid};
    const char *reason = arg_text(request, "reason");
    size_t size = reason != NULL ? strlen(reason) : 0;
    if (command.id == 0 || size == 0 || size > sizeof command.text) {
        return control_error(request, "usage", "give id and reason (1 to 256 bytes)");
    }
    memcpy(command.text, reason, size);
    command.text_size = (uint16_t)size;
    return ask_done(request, &command, sizeof command, LEDGER_EXCEPTION_RESOLVE, NULL);
}
