/* value.c - counts, sizes and durations: text to number and back. Control thread. */
#include "conf/setting.h"

#include <inttypes.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit count_units[] = {
    {"Gi", 1u << 30}, {"Mi", 1u << 20}, {"Ki", 1u << 10}, {"", 1}};
static const struct unit size_units[] = {
    {"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}};
static const struct unit duration_units[] = {{"d", UINT64_C(86400000000000)},
                                             {"h", UINT64_C(3600000000000)},
                                             {"m", UINT64_C(60000000000)},
                                             {"s", UINT64_C(1000000000)},
                                             {"ms", 1000000},
                                             {"us", 1000}};

/* Digits, with '_' between them, then one of the units. */
static bool number_read(const char *text, const struct unit *units, size_t units_count,
                        uint64_t *out)
{
    uint64_t number = 0;
    const char *at = text;
    for (; (*at >= '0' && *at <= '9') || (*at == '_' && at != text && at[-1] != '_'); at++) {
        if (*at != '_' && (__builtin_mul_overflow(number, 10, &number) ||
                           __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))) {
            return false;
        }
    }
    if (at == text || at[-1] == '_') {
        return false;
    }
    for (size_t i = 0; i < units_count; i++) {
        if (strcmp(at, units[i].name) == 0) {
            return !__builtin_mul_overflow(number, units[i].factor, out);
        }
    }
    return false;
}

static void number_print(uint64_t number, const struct unit *units, size_t units_count, char *out)
{
    size_t i = 0;
    while (i + 1 < units_count && (number == 0 || number % units[i].factor != 0)) {
        i++;
    }
    (void)snprintf(out, CONF_TEXT_BYTES, "%" PRIu64 "%s", number / units[i].factor, units[i].name);
}

bool conf_value_count(const char *text, uint64_t *out)
{
    return number_read(text, count_units, countof(count_units), out);
}

bool conf_value_size(const char *text, uint64_t *out)
{
    return number_read(text, size_units, countof(size_units), out);
}

bool conf_value_duration(const char *text, int64_t *out)
{
    uint64_t ns;
    if (!number_read(text, duration_units, countof(duration_units), &ns) || ns > INT64_MAX) {
        return false;
    }
    *out = (int64_t)ns;
    return true;
}

void conf_value_print_count(uint64_t count, char *out)
{
    number_print(count, count_units, countof(count_units), out);
}

void conf_value_print_size(uint64_t bytes, char *out)
{
    number_print(bytes, size_units, countof(size_units), out);
}

void conf_value_print_duration(int64_t ns, char *out)
{
    number_print((uint64_t)ns, duration_units, countof(duration_units), out);
}
