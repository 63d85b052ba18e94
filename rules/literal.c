/* literal.c - values as a rule file writes them: 500_000 KZT, 7800-7802, 990001, chip, KZT. */
#include "rules/compile.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code;
    uint16_t number;
    uint32_t decimals;
} currencies[] = {
#define RULE_CURRENCY(code, number, decimals) {#code, number, decimals},
#include "rules/currency.def"
#undef RULE_CURRENCY
};

bool rule_currency_find(const char *code, uint16_t *number, uint32_t *decimals)
{
    for (size_t i = 0; i < countof(currencies); i++) {
        if (strcmp(currencies[i].code, code) == 0) {
            *number = currencies[i].number;
            *decimals = currencies[i].decimals;
            return true;
        }
    }
    return false;
}

/* ---- money ----------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* digits["."digits] blanks CUR; false when it is not of this shape. */
static bool money_split(const char *text, size_t *whole, size_t *fraction, const char **currency)
{
    size_t at = 0;
    if (!is_digit(text[0])) {
        return false;
    }
    while (is_digit(text[at]) || text[at] == '_') {
        at++;
    }
    *whole = at;
    *fraction = 0;
    if (text[at] == '.') {
        size_t begin = ++at;
        while (is_digit(text[at])) {
            at++;
        }
        *fraction = at - begin;
        if (*fraction == 0) {
            return false;
        }
    }
    size_t blanks = strspn(text + at, " ");
    *currency = text + at + blanks;
    return blanks > 0 && strlen(*currency) == 3 &&
           strspn(*currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

bool rule_money_read(struct compiler *compiler, struct conf_place place, const char *text,
                     struct rule_money *out)
{
    size_t whole, fraction;
    const char *code;
    uint32_t decimals;
    struct rule_money money = {0};
    if (!money_split(text, &whole, &fraction, &code)) {
        RULE_FAULT(compiler, place, "E017",
                   "money needs a number and a currency, such as \"500 KZT\": \"%s\"", text);
        return false;
    }
    if (!rule_currency_find(code, &money.currency, &decimals)) {
        RULE_FAULT(compiler, place, "E017", "unknown currency \"%s\"", code);
        return false;
    }
    if (fraction > decimals) {
        RULE_FAULT(compiler, place, "E017", "%s has %u decimals: \"%s\"", code, decimals, text);
        return false;
    }
    bool fits = true;
    for (size_t i = 0; i < whole + (fraction > 0 ? 1 + fraction : 0); i++) {
        if (is_digit(text[i])) {
            fits = fits && !__builtin_mul_overflow(money.amount_minor, 10, &money.amount_minor) &&
                   !__builtin_add_overflow(money.amount_minor, text[i] - '0', &money.amount_minor);
        }
    }
    for (size_t i = fraction; i < decimals; i++) {
        fits = fits && !__builtin_mul_overflow(money.amount_minor, 10, &money.amount_minor);
    }
    if (!fits) {
        RULE_FAULT(compiler, place, "E017", "too much money: \"%s\"", text);
        return false;
    }
    *out = money;
    return true;
}

/* ---- the other types ------------------------------------------------------------------------- */

/* NNN or NNN-NNN of least..most digits each; -1: not of this shape. Both get the count of digits.
 */
static bool digits_split(const char *text, size_t least, size_t most, uint64_t *low, uint64_t *high,
                         size_t *digits)
{
    char copy[32];
    size_t first = strspn(text, "0123456789");
    const char *second = text + first + (text[first] == '-');
    size_t second_size = strspn(second, "0123456789");
    if (first < least || first > most || (second != text + first && second_size != first) ||
        (second == text + first ? text[first] != '\0' : second[second_size] != '\0')) {
        return false;
    }
    memcpy(copy, text, first);
    copy[first] = '\0';
    *low = strtoull(copy, NULL, 10);
    *high = *low;
    if (second != text + first) {
        memcpy(copy, second, first);
        *high = strtoull(copy, NULL, 10);
    }
    *digits = first;
    return *low <= *high;
}

static bool mcc_add(struct compiler *compiler, struct conf_place place, const char *text)
{
    uint64_t low, high;
    size_t digits;
    if (!digits_split(text, 4, 4, &low, &high, &digits)) {
        RULE_FAULT(compiler, place, "E012", "not a merchant category: \"%s\"", text);
        return false;
    }
    return rule_range_add(compiler, place, low, high);
}

static bool digits_add(struct compiler *compiler, struct conf_place place, uint8_t attr,
                       const char *text)
{
    uint64_t low, high;
    size_t digits, most = attr == RULE_ATTR_CARD_BIN ? 8 : RULES_DIGITS;
    if (!digits_split(text, 4, most, &low, &high, &digits)) {
        RULE_FAULT(compiler, place, "E012",
                   "not a digit prefix or range of 4 to %zu digits: \"%s\"", most, text);
        return false;
    }
    high++;
    for (; digits < RULES_DIGITS; digits++) {
        low *= 10;
        high *= 10;
    }
    return rule_range_add(compiler, place, low, high - 1);
}

static bool word_add(struct compiler *compiler, struct conf_place place, uint8_t attr,
                     const char *text)
{
    const char *pointers[16];
    char words[16][16], meant[CONF_PATH_BYTES];
    uint32_t count = 0;
    for (const char *word = rule_attrs[attr].words;; count++) {
        size_t size = strcspn(word, "|");
        must(count < countof(words) && size < sizeof words[0]);
        (void)snprintf(words[count], sizeof words[count], "%.*s", (int)size, word);
        pointers[count] = words[count];
        if (strcmp(words[count], text) == 0) {
            return rule_range_add(compiler, place, count, count);
        }
        if (word[size] == '\0') {
            break;
        }
        word += size + 1;
    }
    (void)rule_meant(text, pointers, count + 1, meant);
    RULE_FAULT(compiler, place, "E013", "\"%s\" is not a value of %s%s%s", text,
               rule_attrs[attr].name, meant[0] != '\0' ? meant : ": ",
               meant[0] != '\0' ? "" : rule_attrs[attr].words);
    return false;
}

bool rule_literal_add(struct compiler *compiler, struct conf_place place, enum rule_type type,
                      uint8_t attr, const char *text)
{
    uint16_t currency;
    uint32_t decimals;
    switch (type) {
    case RULE_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            RULE_FAULT(compiler, place, "E012", "not true or false: \"%s\"", text);
            return false;
        }
        return rule_range_add(compiler, place, text[0] == 't', text[0] == 't');
    case RULE_ENUM:
        return word_add(compiler, place, attr, text);
    case RULE_CURRENCY:
        if (!rule_currency_find(text, &currency, &decimals)) {
            RULE_FAULT(compiler, place, "E013", "not an ISO 4217 currency: \"%s\"", text);
            return false;
        }
        return rule_range_add(compiler, place, currency, currency);
    case RULE_MCC:
        return mcc_add(compiler, place, text);
    case RULE_DIGITS:
        return digits_add(compiler, place, attr, text);
    case RULE_TEXT:
        return rule_string_add(compiler, place, text);
    case RULE_HASH:
        RULE_FAULT(compiler, place, "E011",
                   "a hash can only be tested with a list, presence or another attribute");
        return false;
    case RULE_MONEY: /* needs an operator: condition.c */
    case RULE_TYPES_COUNT:
        break;
    }
    RULE_FAULT(compiler, place, "E012", "not a value: \"%s\"", text);
    return false;
}
