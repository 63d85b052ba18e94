/* token_test.c - a real SoftHSM token: what init makes, keeps and refuses. */
#include "hsm/token.h"

#include "hsm/files.h"
#include "hsm/key_check.h"
#include "tests/hsm/scratch.h"
#include <string.h>

struct rows {
    struct hsm_token_row rows[32];
    uint32_t count;
};

static void collect(void *context, const struct hsm_token_row *row)
{
    struct rows *rows = context;
    cr_assert_lt(rows->count, countof(rows->rows));
    rows->rows[rows->count++] = *row;
}

static const struct hsm_token_row *row_of(const struct rows *rows, const char *label)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        if (strcmp(rows->rows[i].label, label) == 0) {
            return &rows->rows[i];
        }
    }
    return NULL;
}

static char text[HSM_TEXT_BYTES];

static enum hsm_token_err init(const struct hsm_token_key *keys, uint32_t keys_count,
                               struct rows *rows)
{
    struct hsm_token_options options = {.directory = scratch};
    *rows = (struct rows){.count = 0};
    return hsm_token_init(&options, keys, keys_count, collect, rows, text, sizeof text);
}

TestSuite(token, .init = scratch_make, .fini = scratch_remove);

Test(token, init_makes_everything_and_a_second_init_nothing)
{
    struct rows rows;
    cr_assert_eq(init(demo_keys, DEMO_KEYS, &rows), HSM_TOKEN_OK, "%s", text);
    cr_assert_eq(rows.count, DEMO_KEYS);
    cr_assert_str_eq(rows.rows[DEMO_PVK].kcv, "F505B7");
    cr_assert_str_eq(rows.rows[DEMO_PVK].use, "PVK");
    for (uint32_t i = 0; i < DEMO_KEYS; i++) {
        cr_assert(rows.rows[i].created);
    }
    static const char *const files[] = {"pin", "so-pin", "data-keys", "softhsm2.conf"};
    for (uint32_t i = 0; i < countof(files); i++) {
        struct stat status;
        cr_assert_eq(stat(scratch_path(files[i]), &status), 0, "%s", files[i]);
        cr_assert_eq(status.st_mode & 0777, 0600, "%s", files[i]);
    }
    cr_assert_eq(init(demo_keys, DEMO_KEYS, &rows), HSM_TOKEN_OK, "%s", text);
    for (uint32_t i = 0; i < DEMO_KEYS; i++) {
        cr_assert_not(rows.rows[i].created);
    }

    struct hsm_token_options options = {.directory = scratch};
    rows.count = 0;
    cr_assert_eq(hsm_token_status(&options, collect, &rows, text, sizeof text), HSM_TOKEN_OK);
    cr_assert_eq(rows.count, DEMO_KEYS + 2 + 1, "two twins and the storage key: %u", rows.count);
    cr_assert_not_null(row_of(&rows, "cvk-demo:L"));
    cr_assert_not_null(row_of(&rows, "mac-acquirer:L"));
    cr_assert_str_eq(row_of(&rows, "zpk-acquirer")->kcv, "666EA8");
    cr_assert_str_eq(row_of(&rows, "storage")->kcv, "");
}

Test(token, a_key_that_is_not_what_it_says_is_refused)
{
    static const struct {
        struct hsm_token_key key;
        const char *says;
    } rows[] = {
        {{{"k", HSM_KEY_CVK, {1, 2, 3}}, "6D61BA0EAED6548F1A86086208A886AB"}, "check value"},
        {{{"k", HSM_KEY_CVK, {0}}, "6D61BA0EAED6548F"}, "16 or 24"},
        {{{"k", HSM_KEY_CVK, {0}}, "6C61BA0EAED6548F1A86086208A886AB"}, "parity"},
        {{{"k", HSM_KEY_CVK, {0}}, "6D61BA0EAED6548F6D61BA0EAED6548F"}, "halves"},
        {{{"k", HSM_KEY_CVK, {0}}, "0101010101010101FEFEFEFEFEFEFEFE"}, "weak"},
        {{{"k", HSM_KEY_CVK, {0}}, "xyz"}, "hexadecimal"},
        {{{"k", HSM_KEY_CVK, {0}}, NULL}, "not in the token"},
        {{{"k", HSM_KEY_STORAGE, {0}}, NULL}, "made in the token"},
        {{{"k:L", HSM_KEY_CVK, {0}}, NULL}, "made in the token"},
    };
    for (uint32_t i = 0; i < countof(rows); i++) {
        struct rows seen;
        cr_assert_eq(init(&rows[i].key, 1, &seen), HSM_TOKEN_KEY, "row %u", i);
        cr_assert_not_null(strstr(text, rows[i].says), "row %u: %s", i, text);
        cr_assert_null(rows[i].key.hex != NULL ? strstr(text, rows[i].key.hex) : NULL);
    }
}

Test(token, a_key_without_a_given_check_value_is_taken_with_its_own)
{
    struct hsm_token_key key = demo_keys[DEMO_CVK];
    struct rows rows;
    memset(key.key.kcv, 0, sizeof key.key.kcv);
    cr_assert_eq(init(&key, 1, &rows), HSM_TOKEN_OK, "%s", text);
    cr_assert_str_eq(rows.rows[0].kcv, "26777F");
    cr_assert_eq(init(&key, 1, &rows), HSM_TOKEN_OK, "%s", text);
    cr_assert_not(rows.rows[0].created);
}

Test(token, another_key_under_the_same_label_is_refused)
{
    struct rows rows;
    cr_assert_eq(init(demo_keys, DEMO_KEYS, &rows), HSM_TOKEN_OK, "%s", text);
    struct hsm_token_key other = demo_keys[DEMO_ZPK_A];
    memcpy(other.key.label, demo_keys[DEMO_ZPK].key.label, sizeof other.key.label);
    cr_assert_eq(init(&other, 1, &rows), HSM_TOKEN_KEY);
    cr_assert_not_null(strstr(text, "check value differs"), "%s", text);
}

Test(token, a_missing_module_and_a_bad_pin_file_are_named)
{
    struct rows rows;
    struct hsm_token_options options = {.directory = scratch, .module = "/nowhere/p11.so"};
    cr_assert_eq(hsm_token_init(&options, NULL, 0, NULL, NULL, text, sizeof text),
                 HSM_TOKEN_MODULE);
    cr_assert_not_null(strstr(text, "/nowhere/p11.so"), "%s", text);
    options.module = "/lib/x86_64-linux-gnu/libc.so.6";
    cr_assert_eq(hsm_token_init(&options, NULL, 0, NULL, NULL, text, sizeof text),
                 HSM_TOKEN_MODULE);
    cr_assert_not_null(strstr(text, "not a PKCS#11 module"), "%s", text);

    cr_assert_eq(init(demo_keys, 1, &rows), HSM_TOKEN_OK, "%s", text);
    cr_assert_eq(chmod(scratch_path("pin"), 0644), 0);
    cr_assert_eq(init(demo_keys, 1, &rows), HSM_TOKEN_FILE);
    cr_assert_not_null(strstr(text, "others may read it"), "%s", text);
    cr_assert_eq(unlink(scratch_path("pin")), 0);
    cr_assert_eq(init(demo_keys, 1, &rows), HSM_TOKEN_FILE);
    cr_assert_not_null(strstr(text, "No such file"), "%s", text);
    cr_assert(hsm_secret_file_write(scratch_path("pin"), "0000", text, sizeof text));
    cr_assert_eq(init(demo_keys, 1, &rows), HSM_TOKEN_PIN);
    cr_assert_not_null(strstr(text, "refuses the PIN"), "%s", text);
    cr_assert_eq(chmod(scratch, 0755), 0);
    cr_assert_eq(init(demo_keys, 1, &rows), HSM_TOKEN_FILE);
    cr_assert_not_null(strstr(text, "0700"), "%s", text);
}

Test(token, known_test_keys_have_names)
{
    for (uint32_t i = 0; i < DEMO_KEYS; i++) {
        cr_assert_not_null(hsm_test_key_name(demo_keys[i].key.kcv), "%s", demo_keys[i].key.label);
    }
    cr_assert_null(hsm_test_key_name((const uint8_t[]){1, 2, 3}));
    uint8_t kcv[3], key[16] = {0};
    hsm_key_kcv(key, sizeof key, kcv);
    cr_assert_str_eq(hsm_test_key_name(kcv), "all zeros");
    memset(key, 0x11, sizeof key);
    hsm_key_kcv(key, sizeof key, kcv);
    cr_assert_str_eq(hsm_test_key_name(kcv), "1111111111111111 twice");
}

Test(token, the_wrapped_keys_file_says_which_line_is_wrong)
{
    struct hsm_wrapped_key keys[HSM_WRAPPED_KEYS_MAX];
    uint32_t count = 99;
    cr_assert(hsm_wrapped_keys_read(scratch, keys, &count, text, sizeof text));
    cr_assert_eq(count, 0);
    cr_assert(
        hsm_secret_file_write(scratch_path("data-keys"), "# x\ndata 1 AB", text, sizeof text));
    cr_assert_not(hsm_wrapped_keys_read(scratch, keys, &count, text, sizeof text));
    cr_assert_not_null(strstr(text, "data-keys:2:"), "%s", text);
}
