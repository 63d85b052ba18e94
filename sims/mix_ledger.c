/* mix_ledger.c - money, records and books as the daemon's control socket tells them.
 *
 * DESIGN  Accounts that any step names are read once at the start; after each step those of the
 * step and the settlement accounts are read again, and their change must be the step's effect. */
#include "sims/mix_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const always_watched[] = {"settlement/acquirer", "settlement/demo-a",
                                             "settlement/demo-b"};

void mix_call(struct mix *mix, struct mix_step *step, const char *command, json_t *args,
              struct ctl_answer *answer)
{
    ctl_call(&mix->client, command, args, answer);
    if (step != NULL && answer->exit != 0) {
        mix_problem(step, "%s: exit %d %s", command, answer->exit, answer->error);
    }
}

static bool read_account(struct mix *mix, const char *name, struct mix_account *out)
{
    struct ctl_answer answer;
    mix_call(mix, NULL, "account show", json_pack("{s:s}", "account", name), &answer);
    json_t *row = json_array_get(answer.rows, 0);
    if (row != NULL) {
        (void)snprintf(out->name, sizeof out->name, "%s", name);
        out->balance_minor = json_integer_value(json_object_get(row, "balance_minor"));
        out->held_minor = json_integer_value(json_object_get(row, "held_minor"));
    }
    ctl_answer_free(&answer);
    return row != NULL;
}

static struct mix_account *find_account(struct mix *mix, const char *name)
{
    for (uint32_t i = 0; i < mix->accounts_count; i++) {
        if (strcmp(mix->accounts[i].name, name) == 0) {
            return &mix->accounts[i];
        }
    }
    return NULL;
}

static bool watch(struct mix *mix, const char *name, char *text, size_t text_size)
{
    if (name[0] == 0 || strcmp(name, "card") == 0 || find_account(mix, name) != NULL) {
        return true;
    }
    if (mix->accounts_count == MIX_ACCOUNTS_MAX ||
        !read_account(mix, name, &mix->accounts[mix->accounts_count])) {
        (void)snprintf(text, text_size, "account %s cannot be read", name);
        return false;
    }
    mix->accounts_count++;
    return true;
}

/* The account of the step's card: asked by PAN; "" when we do not have the card. */
static void find_card_account(struct mix *mix, struct mix_step *step)
{
    json_t *card = json_object_get(step->row, "card");
    const char *like = json_string_value(json_object_get(step->row, "like"));
    const char *reverses = json_string_value(json_object_get(step->row, "reverses"));
    const char *waited = json_string_value(json_object_get(step->row, "wait"));
    const char *other = like != NULL ? like : reverses != NULL ? reverses : waited;
    if (card == NULL) {
        const struct mix_step *from = mix_find(mix, other);
        if (from != NULL) {
            memcpy(step->account, from->account, sizeof step->account);
        }
        return;
    }
    char pan[17];
    struct ctl_answer answer;
    demo_pan((uint32_t)json_integer_value(card), pan);
    mix_call(mix, NULL, "account show", json_pack("{s:s}", "card", pan), &answer);
    const char *name =
        json_string_value(json_object_get(json_array_get(answer.rows, 0), "account"));
    (void)snprintf(step->account, sizeof step->account, "%s", name == NULL ? "" : name);
    ctl_answer_free(&answer);
}

bool mix_watch_all(struct mix *mix, char *text, size_t text_size)
{
    for (size_t i = 0; i < countof(always_watched); i++) {
        if (!watch(mix, always_watched[i], text, text_size)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < mix->steps_count; i++) {
        struct mix_step *step = &mix->steps[i];
        const char *name;
        json_t *value;
        find_card_account(mix, step);
        if (!watch(mix, step->account, text, text_size)) {
            return false;
        }
        json_object_foreach(json_object_get(step->row, "effect"), name, value)
        {
            if (!watch(mix, name, text, text_size)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- effects ------------------------------------------------------------------------------- */

static void put_money(char *out, size_t out_size, int64_t minor)
{
    uint64_t size = minor < 0 ? (uint64_t)-minor : (uint64_t)minor;
    (void)snprintf(out, out_size, "%c%llu.%02llu", minor < 0 ? '-' : '+',
                   (unsigned long long)(size / 100), (unsigned long long)(size % 100));
}

static void note_effect(struct mix_step *step, const char *name, int64_t balance, int64_t held)
{
    char amount[32];
    const char *const words[] = {"", "held "};
    const int64_t values[] = {balance, held};
    const char *shown = strcmp(name, step->account) == 0 ? "card" : name;
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(step->effect);
        if (values[i] != 0) {
            put_money(amount, sizeof amount, values[i]);
            (void)snprintf(step->effect + size, sizeof step->effect - size, "%s%s %s%s",
                           size == 0 ? "" : ", ", shown, words[i], amount);
        }
    }
}

static void check_account(struct mix *mix, struct mix_step *step, struct mix_account *account)
{
    struct mix_account now;
    const char *key = strcmp(account->name, step->account) == 0 ? "card" : account->name;
    json_t *effect = json_object_get(step->row, "effect");
    json_t *wanted = json_object_get(effect, key);
    if (wanted == NULL) {
        wanted = json_object_get(effect, account->name);
    }
    if (!read_account(mix, account->name, &now)) {
        mix_problem(step, "account %s cannot be read", account->name);
        return;
    }
    int64_t balance = now.balance_minor - account->balance_minor;
    int64_t held = now.held_minor - account->held_minor;
    int64_t balance_wanted = json_integer_value(json_array_get(wanted, 0));
    int64_t held_wanted = json_integer_value(json_array_get(wanted, 1));
    note_effect(step, account->name, balance, held);
    if (balance != balance_wanted || held != held_wanted) {
        mix_problem(step, "%s changed by %lld, held by %lld; expected %lld and %lld", account->name,
                    (long long)balance, (long long)held, (long long)balance_wanted,
                    (long long)held_wanted);
    }
    *account = now;
}

void mix_check_effect(struct mix *mix, struct mix_step *step)
{
    const char *name;
    json_t *value;
    struct mix_account *card = find_account(mix, step->account);
    if (json_is_string(json_object_get(step->row, "effect"))) {
        return; /* "any": it is looked at in a later step, from the same start */
    }
    if (card != NULL) {
        check_account(mix, step, card);
    }
    for (size_t i = 0; i < countof(always_watched); i++) {
        check_account(mix, step, find_account(mix, always_watched[i]));
    }
    json_object_foreach(json_object_get(step->row, "effect"), name, value)
    {
        struct mix_account *account = find_account(mix, name);
        bool is_done = account == NULL || account == card;
        for (size_t i = 0; i < countof(always_watched); i++) {
            is_done |= strcmp(name, always_watched[i]) == 0;
        }
        if (!is_done) {
            check_account(mix, step, account);
        }
    }
}

/* ---- records ------------------------------------------------------------------------------- */

static void take_text(const json_t *row, const char *key, char *out, size_t out_size)
{
    const char *text = json_string_value(json_object_get(row, key));
    (void)snprintf(out, out_size, "%s", text == NULL ? "" : text);
}

/* Why an answer was given that is not stored. */
static const char *unstored_reason(const char *decision)
{
    static const struct {
        const char *de39, *text;
    } rows[] = {{"30", "format"},
                {"12", "no such transaction"},
                {"21", "already completed"},
                {"94", "key used, or reversed"}};
    for (size_t i = 0; i < countof(rows); i++) {
        if (strcmp(rows[i].de39, decision) == 0) {
            return rows[i].text;
        }
    }
    return "";
}

static void check_exception(struct mix *mix, struct mix_step *step, const char *rrn)
{
    const char *wanted = json_string_value(json_object_get(step->row, "exception"));
    struct ctl_answer answer;
    size_t index;
    json_t *row;
    bool found = false;
    if (wanted == NULL) {
        return;
    }
    mix_call(mix, step, "exceptions list", NULL, &answer);
    json_array_foreach(answer.rows, index, row)
    {
        const char *kind = json_string_value(json_object_get(row, "kind"));
        const char *row_rrn = json_string_value(json_object_get(row, "rrn"));
        found |= kind != NULL && row_rrn != NULL && strcmp(kind, wanted) == 0 &&
                 strcmp(row_rrn, rrn) == 0;
    }
    ctl_answer_free(&answer);
    if (!found) {
        mix_problem(step, "exceptions list has no %s for %s", wanted, rrn);
    }
}

void mix_check_records(struct mix *mix, struct mix_step *step)
{
    const char *rrn = json_string_value(json_object_get(step->fields, "37"));
    const char *wanted = json_string_value(json_object_get(step->row, "reason"));
    const char *stan = json_string_value(json_object_get(step->fields, "11"));
    struct ctl_answer answer;
    size_t index;
    json_t *row;
    if (rrn == NULL) {
        return;
    }
    mix_call(mix, NULL, "txn show", json_pack("{s:s}", "rrn", rrn), &answer);
    json_array_foreach(answer.rows, index, row)
    {
        const char *row_stan = json_string_value(json_object_get(row, "stan"));
        const char *de39 = json_string_value(json_object_get(row, "de39"));
        if (row_stan == NULL || stan == NULL || strcmp(row_stan, stan) != 0) {
            continue;
        }
        take_text(row, "route", step->route, sizeof step->route);
        if (de39 != NULL && strcmp(de39, step->decision) == 0) {
            take_text(row, "reason", step->reason, sizeof step->reason);
        }
    }
    ctl_answer_free(&answer);
    if (step->reason[0] == 0) {
        (void)snprintf(step->reason, sizeof step->reason, "%s", unstored_reason(step->decision));
    }
    if (wanted != NULL && strcmp(wanted, step->reason) != 0) {
        mix_problem(step, "reason is \"%s\", expected \"%s\"", step->reason, wanted);
    }
    check_exception(mix, step, rrn);
}

void mix_check_books(struct mix *mix, struct mix_step *step)
{
    struct ctl_answer answer;
    size_t index;
    json_t *row;
    mix_call(mix, step, "ledger verify", NULL, &answer);
    if (!json_is_true(json_object_get(json_array_get(answer.rows, 0), "ok"))) {
        mix_problem(step, "ledger verify is not ok");
    }
    ctl_answer_free(&answer);
    mix_call(mix, step, "ledger trial-balance", NULL, &answer);
    json_array_foreach(answer.rows, index, row)
    {
        if (json_integer_value(json_object_get(row, "difference_minor")) != 0) {
            mix_problem(step, "debits and credits differ");
        }
    }
    ctl_answer_free(&answer);
}
