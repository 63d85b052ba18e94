/* rule.c - value rules of fields, on canonical text; and the codes of ISO 4217 and ISO 3166-1. */
#include "iso8583/program.h"

static const struct {
    uint16_t number;
    uint8_t exponent;
    char code[4];
} currencies[] = {
#define ISO_CURRENCY(number, code, exponent) {number, exponent, #code},
#include "iso8583/currency.def"
#undef ISO_CURRENCY
};

static const uint16_t countries[] = {
#define ISO_COUNTRY(number, code) number,
#include "iso8583/country.def"
#undef ISO_COUNTRY
};

bool iso_currency_exponent(uint32_t number, uint32_t *exponent)
{
    for (uint32_t i = 0; i < countof(currencies); i++)
        if (currencies[i].number == number) {
            *exponent = currencies[i].exponent;
            return true;
        }
    return false;
}

const char *iso_currency_code(uint32_t number)
{
    for (uint32_t i = 0; i < countof(currencies); i++)
        if (currencies[i].number == number)
            return currencies[i].code;
    return NULL;
}

bool iso_country_known(uint32_t number)
{
    for (uint32_t i = 0; i < countof(countries); i++)
        if (countries[i] == number)
            return true;
    return false;
}

/* Each letter of a pattern has its bounds: pairs of the same letter are one number of two digits.
 */
static bool date_holds(const char *pattern, const char *text, size_t size)
{
    if (strlen(pattern) != size || !bytes_are_digits((const uint8_t *)text, (uint32_t)size))
        return false;
    uint32_t month = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint32_t value = (uint32_t)(text[i] - '0') * 10 + (uint32_t)(text[i + 1] - '0');
        static const uint8_t days[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        switch (pattern[i]) {
        case 'M':
            if (value < 1 || value > 12)
                return false;
            month = value;
            break;
        case 'D':
            if (value < 1 || value > (month == 0 ? 31 : days[month]))
                return false;
            break;
        case 'h':
            if (value > 23)
                return false;
            break;
        case 'm':
            if (value > 59)
                return false;
            break;
        case 's':
            if (value > 60) /* a leap second */
                return false;
            break;
        default: /* Y, C: any */
            break;
        }
    }
    return true;
}

static bool number_of(const char *text, size_t size, uint32_t *out)
{
    int64_t number;
    if (size < 1 || size > 4 || !bytes_to_number((const uint8_t *)text, (uint32_t)size, &number))
        return false;
    *out = (uint32_t)number;
    return true;
}

bool rule_holds(const struct iso_node *node, const char *text, size_t size)
{
    uint32_t number, exponent;
    switch (node->rule) {
    case ISO_RULE_NONE:
        return true;
    case ISO_RULE_LUHN:
        return bytes_are_digits((const uint8_t *)text, (uint32_t)size) &&
               bytes_luhn_valid((const uint8_t *)text, (uint32_t)size);
    case ISO_RULE_MMDD:
    case ISO_RULE_YYMM:
    case ISO_RULE_YYMMDD:
    case ISO_RULE_HHMMSS:
    case ISO_RULE_MMDDHHMMSS:
    case ISO_RULE_YYMMDDHHMMSS:
    case ISO_RULE_CCYYMMDDHHMMSS:
    case ISO_RULE_CCYYMMDD:
    case ISO_RULE_MMDDHHMM:
        return date_holds(iso_rule_text(node->rule), text, size);
    case ISO_RULE_CURRENCY:
        return number_of(text, size, &number) && iso_currency_exponent(number, &exponent);
    case ISO_RULE_COUNTRY:
        return number_of(text, size, &number) && iso_country_known(number);
    case ISO_RULE_MCC:
        return size == 4 && number_of(text, size, &number) && number != 0;
    case ISO_RULE_RATE:
        return size == 8 && bytes_are_digits((const uint8_t *)text, 8) && text[0] <= '7';
    case ISO_RULE_VALUES:
        for (const char *const *value = node->values; *value != NULL; value++)
            if (strlen(*value) == size && memcmp(*value, text, size) == 0)
                return true;
        return false;
    case ISO_RULES_COUNT:
        break;
    }
    must(false);
    return false;
}
