/* attr.c - the attributes of a message, made of its raw values. Any thread; no allocation.
 *
 * A value that the message does not have, or that means nothing here, is missing: conditions on it
 * are unknown. */
#include "rules/ruleset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct rule_attr_row rule_attrs[RULE_ATTRS_COUNT] = {
#define ATTR(name, text, type, words, from) {text, RULE_##type, words, from, 4, 8},
#include "rules/attr.def"
#undef ATTR
};
const struct rule_type_row rule_types[RULE_TYPES_COUNT] = {
#define RULE_TYPE(name, text, operators, in_list) {text, operators, in_list},
#include "rules/type.def"
#undef RULE_TYPE
};
const struct rule_reason_row rule_reasons[RULE_REASONS_COUNT] = {
#define RULE_REASON(name, de39, text) {#name, de39, text},
#include "rules/reason.def"
#undef RULE_REASON
};

static void put(struct rule_values *out, enum rule_attr attr, uint64_t number)
{
    out->of[attr] = (struct rule_value){.is_present = true, .number = number};
}

static void put_bytes(struct rule_values *out, enum rule_attr attr, const uint8_t *bytes,
                      uint32_t size)
{
    out->of[attr] = (struct rule_value){.is_present = true, .bytes = bytes, .size = size};
}

/* an, ans: left-justified with blanks (ISO 8583:1987 4.4); NULs: absent. */
static void put_padded(struct rule_values *out, enum rule_attr attr, const uint8_t *bytes,
                       uint32_t size)
{
    while (size > 0 && (bytes[size - 1] == ' ' || bytes[size - 1] == '\0')) {
        size--;
    }
    if (size > 0) {
        put_bytes(out, attr, bytes, size);
    }
}

enum {
    MTI_AUTH,
    MTI_AUTH_ADVICE,
    MTI_FINANCIAL,
    MTI_FINANCIAL_ADVICE,
    MTI_REVERSAL,
    MTI_REVERSAL_ADVICE
};
enum { MESSAGE_AUTH, MESSAGE_FINANCIAL, MESSAGE_ADVICE, MESSAGE_REVERSAL };
enum { TYPE_PURCHASE, TYPE_CASH, TYPE_REFUND, TYPE_BALANCE, TYPE_TRANSFER, TYPE_VERIFICATION };
enum { CHANNEL_POS, CHANNEL_ATM, CHANNEL_ECOM };
enum {
    ENTRY_MANUAL,
    ENTRY_MAGSTRIPE,
    ENTRY_CHIP,
    ENTRY_CONTACTLESS,
    ENTRY_FALLBACK,
    ENTRY_ECOM,
    ENTRY_STORED,
    ENTRY_QR
};
#define MISSING 0xFFu

/* Words of attr.def by the first two digits of DE22. */
static const uint8_t entry_modes[100] = {
    [1] = ENTRY_MANUAL + 1,       [2] = ENTRY_MAGSTRIPE + 1,   [3] = ENTRY_QR + 1,
    [5] = ENTRY_CHIP + 1,         [7] = ENTRY_CONTACTLESS + 1, [10] = ENTRY_STORED + 1,
    [80] = ENTRY_FALLBACK + 1,    [81] = ENTRY_ECOM + 1,       [90] = ENTRY_MAGSTRIPE + 1,
    [91] = ENTRY_CONTACTLESS + 1, [95] = ENTRY_CHIP + 1};

static void put_message(const struct rule_facts *facts, struct rule_values *out)
{
    static const struct {
        uint16_t mti;
        uint8_t word, message;
    } rows[] = {
        {100, MTI_AUTH, MESSAGE_AUTH},           {120, MTI_AUTH_ADVICE, MESSAGE_ADVICE},
        {200, MTI_FINANCIAL, MESSAGE_FINANCIAL}, {220, MTI_FINANCIAL_ADVICE, MESSAGE_ADVICE},
        {400, MTI_REVERSAL, MESSAGE_REVERSAL},   {420, MTI_REVERSAL_ADVICE, MESSAGE_REVERSAL}};
    uint16_t mti = (uint16_t)(facts->mti - facts->mti % 10);
    for (size_t i = 0; i < countof(rows); i++) {
        if (rows[i].mti == mti) {
            put(out, RULE_ATTR_MSG_MTI, rows[i].word);
            put(out, RULE_ATTR_TXN_MESSAGE, rows[i].message);
        }
    }
}

static uint8_t type_of(const struct rule_facts *facts)
{
    switch (facts->processing) {
    case 0:
        return facts->mti / 10 == 10 && facts->has_amount && facts->amount_minor == 0 &&
                       facts->has_condition && facts->condition == 51
                   ? TYPE_VERIFICATION
                   : TYPE_PURCHASE;
    case 1:
        return TYPE_CASH;
    case 20:
        return TYPE_REFUND;
    case 31:
        return TYPE_BALANCE;
    case 40:
        return TYPE_TRANSFER;
    default:
        return MISSING;
    }
}

static uint8_t channel_of(const struct rule_facts *facts)
{
    if (facts->entry_mode / 10 == 81 || (facts->has_condition && facts->condition == 59)) {
        return CHANNEL_ECOM;
    }
    if (facts->mcc == 6011 || facts->processing == 1) {
        return CHANNEL_ATM;
    }
    return facts->entry_mode == 0 ? MISSING : CHANNEL_POS;
}

/* 400005 of 8 is 40000500000: prefixes become ranges. */
static uint64_t left_aligned(uint64_t digits, uint32_t count)
{
    for (; count < RULES_DIGITS; count++) {
        digits *= 10;
    }
    return digits;
}

void rule_values_fetch(const struct rule_facts *facts, struct rule_values *out)
{
    memset(out, 0, sizeof *out);
    put_message(facts, out);
    uint8_t type = type_of(facts), channel = channel_of(facts);
    if (type != MISSING) {
        put(out, RULE_ATTR_TXN_TYPE, type);
    }
    if (channel != MISSING) {
        put(out, RULE_ATTR_CHANNEL, channel);
    }
    if (facts->has_amount && facts->has_currency && facts->amount_minor >= 0) {
        put(out, RULE_ATTR_AMOUNT, (uint64_t)facts->amount_minor);
        out->currency = facts->currency;
    }
    if (facts->has_currency) {
        put(out, RULE_ATTR_CURRENCY, facts->currency);
    }
    if (facts->pan_first8 > 0 && facts->pan_first8 <= 99999999u) {
        put(out, RULE_ATTR_CARD_BIN, left_aligned(facts->pan_first8, 8));
        put(out, RULE_ATTR_CARD_ON_US, facts->card_is_on_us);
    }
    if (facts->has_card_key) {
        put_bytes(out, RULE_ATTR_CARD_KEY, facts->card_key, sizeof facts->card_key);
    }
    put_padded(out, RULE_ATTR_MERCHANT_ID, facts->merchant, sizeof facts->merchant);
    put_padded(out, RULE_ATTR_TERMINAL_ID, facts->terminal, sizeof facts->terminal);
    if (facts->mcc > 0) {
        put(out, RULE_ATTR_MERCHANT_MCC, facts->mcc);
    }
    if (facts->acquirer_digits_count > 0 && facts->acquirer_digits_count <= RULES_DIGITS) {
        put(out, RULE_ATTR_ACQUIRER_ID,
            left_aligned(facts->acquirer, facts->acquirer_digits_count));
    }
    if (facts->party != NULL) {
        put_bytes(out, RULE_ATTR_PARTY, (const uint8_t *)facts->party,
                  (uint32_t)strlen(facts->party));
    }
    uint8_t entry = facts->entry_mode < 1000 ? entry_modes[facts->entry_mode / 10] : 0;
    if (entry > 0) {
        put(out, RULE_ATTR_ENTRY_MODE, entry - 1u);
    }
    put(out, RULE_ATTR_PIN_PRESENT, facts->has_pin);
}

uint64_t rule_attr_number_max(enum rule_attr attr)
{
    switch (rule_attrs[attr].type) {
    case RULE_BOOL:
        return 1;
    case RULE_ENUM: {
        uint64_t words = 0;
        for (const char *c = rule_attrs[attr].words; *c != '\0'; c++) {
            words += *c == '|';
        }
        return words;
    }
    case RULE_CURRENCY:
        return 999;
    case RULE_MCC:
        return 9999;
    case RULE_DIGITS:
        return UINT64_C(99999999999);
    case RULE_MONEY:
        return INT64_MAX;
    case RULE_TEXT:
    case RULE_HASH:
    case RULE_TYPES_COUNT:
        return 0;
    }
    return 0;
}

static void word_print(const char *words, uint64_t index, char *out, size_t out_size)
{
    for (; index > 0; index--) {
        words += strcspn(words, "|") + 1;
    }
    (void)snprintf(out, out_size, "%.*s", (int)strcspn(words, "|"), words);
}

void rule_value_print(enum rule_attr attr, const struct rule_values *values, char *out,
                      size_t out_size)
{
    const struct rule_value *value = &values->of[attr];
    if (!value->is_present) {
        (void)snprintf(out, out_size, "missing");
        return;
    }
    switch (rule_attrs[attr].type) {
    case RULE_BOOL:
        (void)snprintf(out, out_size, "%s", value->number != 0 ? "true" : "false");
        return;
    case RULE_ENUM:
        word_print(rule_attrs[attr].words, value->number, out, out_size);
        return;
    case RULE_MCC:
        (void)snprintf(out, out_size, "%04" PRIu64, value->number);
        return;
    case RULE_DIGITS:
        if (attr == RULE_ATTR_CARD_BIN) {
            (void)snprintf(out, out_size, "%08" PRIu64, value->number / 1000);
        } else {
            (void)snprintf(out, out_size, "%011" PRIu64, value->number);
        }
        return;
    case RULE_MONEY:
        (void)snprintf(out, out_size, "%" PRIu64 " minor units of %03u", value->number,
                       values->currency);
        return;
    case RULE_CURRENCY:
        (void)snprintf(out, out_size, "%03" PRIu64, value->number);
        return;
    case RULE_TEXT:
        (void)snprintf(out, out_size, "%.*s", (int)value->size, (const char *)value->bytes);
        return;
    case RULE_HASH:
        (void)snprintf(out, out_size, "present");
        return;
    case RULE_TYPES_COUNT:
        return;
    }
}
