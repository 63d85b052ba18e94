/* setting_print.c - values of settings as text, and whether two are the same. Control thread. */
#include "conf/setting.h"

#include "base/bytes.h"

#include <string.h>

static void word_print(const char *words, uint32_t index, char *out)
{
    for (; index > 0; index--) {
        words += strcspn(words, "|") + 1;
    }
    (void)snprintf(out, CONF_PRINT_BYTES, "%.*s", (int)strcspn(words, "|"), words);
}

static void digits_print(const struct conf_digits *digits, char *out)
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < digits->count; i++) {
        int size = snprintf(out + used, CONF_PRINT_BYTES - used, "%s%s", i > 0 ? "," : "",
                            digits->items[i]);
        used += (size_t)(size > 0 ? size : 0);
    }
}

void conf_setting_print(const struct conf_setting *row, const void *owner, char *out)
{
    const void *field = (const uint8_t *)owner + row->offset;
    uint32_t count;
    uint64_t size;
    int64_t duration;
    switch (row->kind) {
    case CONF_WORD:
        memcpy(&count, field, sizeof count);
        word_print(row->least, count, out);
        return;
    case CONF_TEXT:
    case CONF_NAME:
    case CONF_PATH:
    case CONF_DATA:
    case CONF_ID:
        (void)snprintf(out, CONF_PRINT_BYTES, "%s", (const char *)field);
        return;
    case CONF_COUNT:
    case CONF_COUNT_AUTO:
    case CONF_COUNT_OFF:
        memcpy(&count, field, sizeof count);
        if (count == 0 && row->kind != CONF_COUNT) {
            (void)snprintf(out, CONF_PRINT_BYTES, "%s",
                           row->kind == CONF_COUNT_OFF ? "off" : "auto");
        } else {
            conf_value_print_count(count, out);
        }
        return;
    case CONF_SIZE:
        memcpy(&size, field, sizeof size);
        conf_value_print_size(size, out);
        return;
    case CONF_DURATION:
    case CONF_DURATION_OFF:
        memcpy(&duration, field, sizeof duration);
        if (duration == 0 && row->kind == CONF_DURATION_OFF) {
            (void)snprintf(out, CONF_PRINT_BYTES, "off");
        } else {
            conf_value_print_duration(duration, out);
        }
        return;
    case CONF_ADDRESS: {
        const struct io_address *address = field;
        (void)snprintf(out, CONF_PRINT_BYTES, "%s", address->port == 0 ? "off" : address->text);
        return;
    }
    case CONF_DIGITS:
        digits_print(field, out);
        return;
    case CONF_CHECK: {
        static const uint8_t none[3];
        out[0] = '\0';
        if (memcmp(field, none, sizeof none) != 0) {
            bytes_to_hex(field, sizeof none, out);
        }
        return;
    }
    }
}

bool conf_setting_equal(const struct conf_setting *row, const void *a, const void *b)
{
    char text_a[CONF_PRINT_BYTES], text_b[CONF_PRINT_BYTES];
    conf_setting_print(row, a, text_a);
    conf_setting_print(row, b, text_b);
    return strcmp(text_a, text_b) == 0;
}
