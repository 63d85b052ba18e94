/* load_rules.c - messages: which fields each MTI must, may and must not have. */
#include "iso8583/loader.h"

static void load_message(struct loader *loader, const struct yaml *message,
                         struct iso_mti_rules *rules, int16_t index);

void load_rules(struct loader *loader, const struct yaml *root)
{
    struct iso_dialect *dialect = loader->dialect;
    const struct yaml *messages = yaml_get(root, "messages");
    memset(dialect->rules_by_mti, 0xFF, sizeof(dialect->rules_by_mti)); /* -1 */
    dialect->conditions_count = 1;
    if (messages == NULL)
        return;
    if (messages->kind != YAML_MAPPING) {
        complain_at(loader, messages, "messages is a mapping of MTIs");
        return;
    }
    struct iso_mti_rules *rules =
        arena_take(&loader->arena, (messages->count + 1) * sizeof(*rules));
    dialect->rules = rules;
    for (const struct yaml *message = messages->first; message != NULL; message = message->next) {
        uint32_t index = dialect->rules_count++;
        load_message(loader, message, &rules[index], (int16_t)index);
    }
}

static void claim_mti(struct loader *loader, const struct yaml *at, const char *mti, int16_t index)
{
    uint32_t number;
    if (strlen(mti) != 4 || !text_number(mti, 4, 9999, &number)) {
        complain_at(loader, at, "an MTI is four digits, in quotes");
        return;
    }
    if (loader->dialect->rules_by_mti[number] >= 0)
        complain_at(loader, at, "MTI %s stands here twice", mti);
    loader->dialect->rules_by_mti[number] = index;
}

static bool take_field(struct loader *loader, const struct yaml *at, const char *text,
                       enum iso_presence presence, struct iso_mti_rules *rules, uint32_t *de)
{
    if (!text_number(text, strlen(text), ISO_FIELDS_MAX, de) || *de < 2) {
        complain_at(loader, at, "a field number belongs here, not %.20s", text);
        return false;
    }
    if (loader->dialect->fields[*de] == NULL)
        complain_at(loader, at, "the dialect has no field %u", *de);
    if (rules->presence[*de] != ISO_PRESENCE_NONE)
        complain_at(loader, at, "field %u is %s already", *de,
                    iso_presence_text((enum iso_presence)rules->presence[*de]));
    rules->presence[*de] = (uint8_t)presence;
    uint32_t word = (*de - 1) >> 6;
    uint64_t bit = UINT64_C(1) << (63 - ((*de - 1) & 63));
    if (presence == ISO_PRESENCE_MANDATORY || presence == ISO_PRESENCE_MANDATORY_ECHO)
        rules->mandatory[word] |= bit;
    if (presence == ISO_PRESENCE_MANDATORY_ECHO || presence == ISO_PRESENCE_CONDITIONAL_ECHO)
        rules->echo[word] |= bit;
    return true;
}

static void load_presence(struct loader *loader, const struct yaml *list,
                          enum iso_presence presence, struct iso_mti_rules *rules)
{
    bool may_have_conditions =
        presence == ISO_PRESENCE_CONDITIONAL || presence == ISO_PRESENCE_CONDITIONAL_ECHO;
    uint32_t de;
    if (list->kind == YAML_SCALAR) {
        complain_at(loader, list, "%s is a list of fields", list->key);
        return;
    }
    for (const struct yaml *item = list->first; item != NULL; item = item->next) {
        const char *text = item->key;
        if (list->kind == YAML_SEQUENCE && !load_text(loader, item, &text))
            continue;
        if (!take_field(loader, item, text, presence, rules, &de))
            continue;
        if (list->kind == YAML_MAPPING && !may_have_conditions)
            complain_at(loader, item, "only conditional fields have conditions");
        else if (list->kind == YAML_MAPPING)
            rules->condition[de] = load_condition(loader, item);
        if (presence == ISO_PRESENCE_CONDITIONAL && rules->condition[de] != 0)
            rules->conditional[(de - 1) >> 6] |= UINT64_C(1) << (63 - ((de - 1) & 63));
    }
}

const char *const load_message_keys[] = {"title",       "also",
                                         "mandatory",   "mandatory_echo",
                                         "conditional", "conditional_echo",
                                         "optional",    "forbidden",
                                         "others",      NULL};

static void load_message(struct loader *loader, const struct yaml *message,
                         struct iso_mti_rules *rules, int16_t index)
{
    const struct yaml *value;
    const char *text;
    rules->title = "";
    claim_mti(loader, message, message->key, index);
    for (uint32_t i = 0; i < 4 && message->key[i] != '\0'; i++)
        rules->mti[i] = message->key[i];
    check_keys(loader, message, load_message_keys);
    if (message->kind != YAML_MAPPING)
        return;
    (void)!load_text(loader, yaml_get(message, "title"), &rules->title);
    value = yaml_get(message, "also");
    if (value != NULL && value->kind != YAML_SEQUENCE)
        complain_at(loader, value, "also is a list of MTIs");
    for (const struct yaml *mti = value != NULL ? value->first : NULL; mti != NULL; mti = mti->next)
        if (load_text(loader, mti, &text))
            claim_mti(loader, mti, text, index);
    for (uint32_t i = ISO_PRESENCE_MANDATORY; i < ISO_PRESENCES_COUNT; i++) {
        value = yaml_get(message, iso_presence_text((enum iso_presence)i));
        if (value != NULL)
            load_presence(loader, value, (enum iso_presence)i, rules);
    }
    value = yaml_get(message, "others");
    if (load_text(loader, value, &text)) {
        rules->others_forbidden = strcmp(text, "forbidden") == 0;
        if (!rules->others_forbidden && strcmp(text, "optional") != 0)
            complain_at(loader, value, "others is optional or forbidden");
    }
}
