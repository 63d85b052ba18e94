/* describe_test.c - `ringctl iso describe` and `iso diff`: what a person sees, and what not. */
#include "tool.h"

#include <jansson.h>

#define ASCII "--dialect " RS_DIALECTS "/iso87-ascii.yaml "

/* 0100 with a card, an amount, a track, a PIN block and private data: CVV2, an address, a card
 * number where none belongs. Only published test numbers. */
#define REQUEST                                                                                    \
    "'0100' 7000000020011000 '164242424242424242' '000000' '000000010000' "                        \
    "'364242424242424242=3012101123456789012' '0439203123930810.0.0.1"                             \
    "942042424242424242424242' 0123456789ABCDEF"

static const char *hex_of(const char *text, char out[2048])
{
    size_t used = 0;
    while (*text != 0) {
        if (*text == '\'') {
            for (text++; *text != '\''; text++) {
                used += (size_t)snprintf(out + used, 3, "%02X", (unsigned char)*text);
            }
        } else if (*text != ' ') {
            out[used++] = *text;
        }
        text++;
    }
    out[used] = 0;
    return out;
}

static int describe(const char *options, const char *message, char *out, size_t out_size)
{
    char hex[2048], arguments[3072];
    (void)snprintf(arguments, sizeof arguments, "iso describe %s %s", options,
                   hex_of(message, hex));
    return tool_run(arguments, out, out_size);
}

static int diff(const char *options, const char *a, const char *b, char *out, size_t out_size)
{
    char hex[2][2048], arguments[4096];
    (void)snprintf(arguments, sizeof arguments, "iso diff %s %s %s", options, hex_of(a, hex[0]),
                   hex_of(b, hex[1]));
    return tool_run(arguments, out, out_size);
}

/* The value of a field in rows of JSON, one a line; NULL: it has none. */
static const char *value_in(const char *out, const char *field, const char *key, char value[256])
{
    for (const char *line = out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *row = json_loadb(line, (size_t)(end - line), 0, NULL);
        const char *name = json_string_value(json_object_get(row, "field"));
        const char *text = json_string_value(json_object_get(row, key));
        bool found = name != NULL && text != NULL && strcmp(name, field) == 0;
        (void)snprintf(value, 256, "%s", found ? text : "");
        json_decref(row);
        if (found) {
            return value;
        }
    }
    return NULL;
}

#define AROUND .init = tool_make_folder, .fini = tool_remove_folder, .timeout = 60

Test(describe, values_are_masked_by_their_class, AROUND)
{
    static const struct {
        const char *field, *value;
    } shown[] = {
        {"mti", "0100"},
        {"2", "424242******4242"},
        {"3", "000000"},
        {"4", "000000010000"},
        {"35", "424242******4242=*******************"},
        {"48.92", "***"},      /* secret */
        {"48.93", "********"}, /* a person's */
        {"48.94", "********************"},
        {"52", "****************"},
    };
    char out[8192], value[256];
    cr_assert_eq(describe("--json " ASCII, REQUEST, out, sizeof out), 0, "%s", out);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const char *seen = value_in(out, shown[i].field, "value", value);
        cr_expect(seen != NULL && strcmp(seen, shown[i].value) == 0, "%s: %s", shown[i].field,
                  seen != NULL ? seen : out);
    }
    cr_expect_null(strstr(out, "4242424242"), "%s", out);
    cr_expect_null(strstr(out, "0123456789ABCDEF"), "%s", out);
    cr_assert_eq(describe(ASCII, REQUEST, out, sizeof out), 0, "%s", out);
    cr_expect_null(strstr(out, "4242424242"), "%s", out);
    cr_expect_not_null(strstr(out, "424242******4242"), "%s", out);
    cr_expect_eq(describe("--reveal " ASCII, REQUEST, out, sizeof out), 2, "%s", out);
    cr_expect_null(strstr(out, "4242424242"), "%s", out);
}

Test(describe, chip_data_is_masked_by_its_tags, AROUND)
{
    char out[8192], value[256];
    cr_assert_eq(describe("--json " ASCII,
                          "'0100' 0000000000000200 '015' 5A08 4242424242424242 9F2701 80 00", out,
                          sizeof out),
                 0, "%s", out);
    cr_expect_str_eq(value_in(out, "55.5A", "value", value), "424242******4242");
    cr_expect_str_eq(value_in(out, "55.9F27", "value", value), "80");
    cr_expect_str_eq(value_in(out, "55.9F27", "name", value), "Cryptogram information data");
    cr_expect_str_eq(value_in(out, "55.00", "name", value), "padding");
}

Test(describe, where_it_stops, AROUND)
{
    char out[8192], value[256];
    const char *cut = "'0100' 2020000000000000 '000000' '12A'";
    cr_assert_eq(describe(ASCII, cut, out, sizeof out), 1);
    cr_expect_not_null(strstr(out, "stops at 11, byte 18: "), "%s", out);
    cr_expect_not_null(strstr(out, "(need_more)"), "%s", out);
    cr_assert_eq(describe("--json " ASCII, cut, out, sizeof out), 1);
    cr_expect_str_eq(value_in(out, "3", "value", value), "000000");
    cr_expect_not_null(strstr(out, "{\"error\":{\"code\":\"need_more\",\"field\":\"11\""), "%s",
                       out);
    cr_expect_eq(tool_run("iso describe " ASCII "123", out, sizeof out), 1);
    cr_expect_eq(tool_run("iso describe 0123", out, sizeof out), 2);
}

/* A message that can be read may still break its rules. */
Test(describe, what_validation_says, AROUND)
{
    char out[8192];
    const char *text = "'0800' 8220000000000000 0400000000000000 '1321030000' '000001' '301'";
    cr_assert_eq(describe(ASCII, text, out, sizeof out), 0, "%s", out);
    cr_expect_not_null(strstr(out, "\n7: "), "%s", out);
    cr_expect_not_null(strstr(out, " (rule)\n"), "%s", out);
    cr_assert_eq(describe("--json " ASCII, text, out, sizeof out), 0, "%s", out);
    cr_expect_not_null(strstr(out, "{\"finding\":{\"code\":\"rule\",\"field\":\"7\""), "%s", out);
}

/* Bit 5 of field 62 has no part: the field is one value, not less. */
Test(describe, a_lazy_field_that_cannot_be_walked, AROUND)
{
    char out[8192], value[256];
    const char *head = "'' 16010200000000000000000000000000000000000000 0100 0000000000000004 ";
    char message[512];
    (void)snprintf(message, sizeof message, "%s 0A 8800000000000000 C1C2", head);
    cr_assert_eq(
        describe("--json --dialect " RS_DIALECTS "/visa-base1.yaml", message, out, sizeof out), 0,
        "%s", out);
    cr_expect_str_eq(value_in(out, "62", "value", value), "8800000000000000C1C2");
    (void)snprintf(message, sizeof message, "%s 09 8000000000000000 C1", head);
    cr_assert_eq(
        describe("--json --dialect " RS_DIALECTS "/visa-base1.yaml", message, out, sizeof out), 0,
        "%s", out);
    cr_expect_str_eq(value_in(out, "62.1", "value", value), "A");
}

Test(diff, what_differs_and_nothing_else, AROUND)
{
    char out[8192], value[256];
    const char *a = "'0100' 7000000000000000 '164242424242424242' '000000' '000000010000'";
    const char *b = "'0100' 5000000002000000 '164242420000004242' '000000010000' '05'";
    cr_expect_eq(diff(ASCII, a, a, out, sizeof out), 0, "%s", out);
    cr_expect_str_eq(out, "");
    cr_assert_eq(diff("--json " ASCII, a, b, out, sizeof out), 1, "%s", out);
    /* cards that look the same differ; neither is shown */
    cr_expect_str_eq(value_in(out, "2", "a", value), "424242******4242");
    cr_expect_str_eq(value_in(out, "2", "b", value), "424242******4242");
    cr_expect_str_eq(value_in(out, "3", "a", value), "000000");
    cr_expect_str_eq(value_in(out, "3", "b", value), "(absent)");
    cr_expect_str_eq(value_in(out, "39", "a", value), "(absent)");
    cr_expect_str_eq(value_in(out, "39", "b", value), "05");
    cr_expect_null(value_in(out, "4", "a", value), "%s", out);
    cr_expect_null(value_in(out, "mti", "a", value), "%s", out);
    cr_expect_null(strstr(out, "4242420000"), "%s", out);
    cr_expect_eq(tool_run("iso diff " ASCII "0100", out, sizeof out), 2);
    cr_expect_eq(diff(ASCII, a, "'0100'", out, sizeof out), 1, "%s", out);
    cr_expect_not_null(strstr(out, "message B stops at bitmap, byte 4"), "%s", out);
}

/* A tag that repeats is compared turn by turn. */
Test(diff, repeated_tags, AROUND)
{
    char out[8192], value[256];
    const char *a = "'0100' 0000000000000200 '008' 9F3601AA 9F3601BB";
    const char *b = "'0100' 0000000000000200 '008' 9F3601AA 9F3601CC";
    cr_assert_eq(diff("--json " ASCII, a, b, out, sizeof out), 1, "%s", out);
    cr_expect_str_eq(value_in(out, "55.9F36", "a", value), "BB");
    cr_expect_str_eq(value_in(out, "55.9F36", "b", value), "CC");
    cr_expect_eq(diff(ASCII, a, a, out, sizeof out), 0, "%s", out);
}
