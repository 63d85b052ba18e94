/* support.h - what the tests of the codec share: dialects by name, hex to bytes. */
#ifndef TESTS_ISO8583_SUPPORT_H
#define TESTS_ISO8583_SUPPORT_H

#include "iso8583/build.h"
#include "iso8583/emv.h"
#include "iso8583/frame.h"
#include "iso8583/mti.h"
#include "iso8583/parse.h"
#include "iso8583/schema.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline struct iso_dialect *dialect_shipped(const char *name)
{
    struct iso_report report = {0};
    struct iso_dialect *dialect = iso_dialect_by_name(name, RS_DIALECTS, &report);
    cr_assert_not_null(dialect, "%s", report.texts[0]);
    return dialect;
}

/* dialect.schema.json. */
static inline const struct iso_source *schema_shipped(void)
{
    static char text[65536];
    static struct iso_source schema = {text, 0, "dialect.schema.json"};
    if (schema.size == 0) {
        FILE *file = fopen(RS_DIALECTS "/dialect.schema.json", "rb");
        cr_assert_not_null(file);
        schema.size = fread(text, 1, sizeof(text), file);
        (void)fclose(file);
        cr_assert(schema.size > 0 && schema.size < sizeof(text));
    }
    return &schema;
}

/* A dialect from text, which must be right; what the loader takes, the schema takes. */
static inline struct iso_dialect *dialect_text(const char *text)
{
    struct iso_report report = {0};
    struct iso_source file = {text, strlen(text), "test.yaml"};
    struct iso_dialect *dialect =
        iso_dialect_load_text(text, strlen(text), "test.yaml", RS_DIALECTS, &report);
    cr_assert_not_null(dialect, "%s", report.texts[0]);
    cr_assert(iso_schema_check(schema_shipped(), &file, &report), "%s", report.texts[0]);
    return dialect;
}

struct bytes {
    uint8_t data[4096];
    uint32_t size;
};
/* Hexadecimal text with blanks; 'abc' in quotes stands for characters. */
static inline struct bytes bytes_of(const char *text)
{
    struct bytes out = {.size = 0};
    while (*text != '\0') {
        if (*text == '\'') {
            for (text++; *text != '\'' && *text != '\0'; text++)
                out.data[out.size++] = (uint8_t)*text;
            text += *text == '\'';
        } else if (*text == ' ') {
            text++;
        } else {
            size_t size;
            cr_assert(bytes_from_hex(text, 2, &out.data[out.size], 1, &size), "%s", text);
            out.size++;
            text += 2;
        }
    }
    return out;
}
static inline struct span span_of(const struct bytes *bytes)
{
    return (struct span){bytes->data, bytes->size};
}
#define expect_bytes(actual, actual_size, expected)                                                \
    do {                                                                                           \
        struct bytes want_ = bytes_of(expected);                                                   \
        char have_[8193];                                                                          \
        bytes_to_hex(actual, actual_size, have_);                                                  \
        cr_assert(want_.size == (actual_size) && memcmp(want_.data, actual, want_.size) == 0,      \
                  "got %s", have_);                                                                \
    } while (0)

/* The canonical text of a field. */
static inline const char *text_of(const struct iso_dialect *dialect, const struct iso_msg *msg,
                                  uint32_t de, char out[1024])
{
    size_t size;
    if (!iso_msg_text(dialect, msg, de, out, 1023, &size))
        return "(unreadable)";
    out[size] = '\0';
    return out;
}

/* Small seeded generator: the same numbers on every machine. */
static inline uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}
static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(next_random(state) % bound);
}

#endif
