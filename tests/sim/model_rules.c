/* model_rules.c - lists and rule sets as the model knows them: by hand, not from the files.
 *
 * DESIGN  A rule set is a few numbers (struct model_rules). A message is judged by the set that its
 * record names: what was in flight when another one was activated may go either way, and watch.c
 * sees to it that what came later does not. Lists change in the order of the commands: what is
 * decided after the change obeys it. */
#include "tests/sim/model_internal.h"

#include <string.h>

void model_rules(struct model *model, const struct model_rules *rules)
{
    must(model->rules_count < MODEL_RULES_MAX);
    model->rules[model->rules_count++] = *rules;
}

bool model_knows_rules(const struct model *model, uint64_t id)
{
    for (uint32_t i = 0; i < model->rules_count; i++) {
        if (model->rules[i].id == id) {
            return true;
        }
    }
    return false;
}

void model_activate(struct model *model, uint64_t id)
{
    model->ruleset = id;
}

uint64_t model_ruleset(const struct model *model)
{
    return model->ruleset;
}

static int32_t find_listed(const struct model *model, const char *list,
                           const struct ledger_card_key *key)
{
    for (int32_t i = 0; i < model->listed_count; i++) {
        if (strcmp(model->listed[i].list, list) == 0 &&
            memcmp(&model->listed[i].key, key, sizeof *key) == 0) {
            return i;
        }
    }
    return -1;
}

void model_list(struct model *model, const char *list, const struct ledger_card_key *key,
                bool is_remove)
{
    int32_t at = find_listed(model, list, key);
    if (at >= 0 && is_remove) {
        model->listed[at] = model->listed[--model->listed_count];
    } else if (at < 0 && !is_remove) {
        model->listed = model_grow(model->listed, model->listed_count, sizeof *model->listed);
        struct model_listed *row = &model->listed[model->listed_count++];
        must(strlen(list) < sizeof row->list);
        memcpy(row->list, list, strlen(list) + 1);
        row->key = *key;
    }
}

static uint32_t first6(const struct ledger_request *r)
{
    uint32_t bin = 0;
    for (uint32_t i = 0; i < 6; i++) {
        bin = bin * 10 + (uint32_t)(r->pan_first6_last4[i] - '0');
    }
    return bin;
}

static const struct model_rules *rules_of(const struct model *model, uint64_t id)
{
    must(model->rules_count > 0);
    for (uint32_t i = 0; i < model->rules_count; i++) {
        if (model->rules[i].id == id) {
            return &model->rules[i];
        }
    }
    return &model->rules[0]; /* watch.c has complained */
}

#define OUR_BIN      990001u
#define DENIED_BIN   990002u
#define CURRENCY     398u
#define BIN_2_FIRST  222100u
#define BIN_2_LAST   272099u
#define TYPE_CASH    1u
#define TYPE_REFUND  20u
#define TYPE_TRANSIT 40u /* a transfer */

/* Contract section 4: 4… and 5… with 222100-272099 go to schemes, 990001 is ours. */
static void route(struct model_view *view, uint32_t bin)
{
    view->is_on_us = bin == OUR_BIN;
    if (bin / 100000 == 4) {
        memcpy(view->routes, view->rules->routes_of_4, sizeof view->routes);
    } else if (bin / 100000 == 5 || (bin >= BIN_2_FIRST && bin <= BIN_2_LAST)) {
        memcpy(view->routes, view->rules->routes_of_5, sizeof view->routes);
    } else {
        view->no_route = !view->is_on_us;
    }
}

struct model_view model_view(const struct model *model, const struct ledger_request *r)
{
    struct model_view view = {.rules = rules_of(model, r->ruleset)};
    uint32_t bin = first6(r), type = model_type(r);
    bool is_request = r->class == LEDGER_CLASS_AUTH || r->class == LEDGER_CLASS_FINANCIAL;
    bool is_limited =
        (type <= TYPE_CASH || type == TYPE_TRANSIT) && (r->flags & LEDGER_REQUEST_VERIFY) == 0;
    route(&view, bin);
    view.denied = bin == DENIED_BIN || find_listed(model, "deny_cards", &r->card) >= 0;
    view.other_currency = r->currency != CURRENCY;
    view.over_amount = is_request && is_limited && !view.other_currency &&
                       r->amount_minor > view.rules->amount_max_minor;
    view.not_permitted = view.other_currency ||
                         (is_request && !view.is_on_us && type > TYPE_CASH && type != TYPE_REFUND);
    view.counts = is_request && type == 0 && is_limited &&
                  find_listed(model, "velocity_cards", &r->card) >= 0;
    return view;
}
