/* batch_test.c - the checks of whole batches on a software cipher; never an answer without one. */
#include "hsm/batch.h"

#include "tests/hsm/demo_keys.h"
#include "tests/hsm/soft_cipher.h"
#include "tests/hsm/vectors.h"
#include <criterion/criterion.h>
#include <string.h>

#define ALL (HSM_CHECK_PIN | HSM_CHECK_CVV2 | HSM_CHECK_CVV)

static struct soft_cipher cipher;
static struct hsm_batch batch;
static struct hsm_key keys[DEMO_KEYS];

static void set_up(void)
{
    soft_cipher_init(&cipher);
    for (uint32_t i = 0; i < DEMO_KEYS; i++) {
        soft_cipher_add(&cipher, demo_keys[i].hex);
        keys[i] = demo_keys[i].key;
    }
    memset(&batch, 0, sizeof batch);
}

static struct hsm_result check_one(struct hsm_job job)
{
    batch.jobs_count = 1;
    batch.jobs[0] = job;
    hsm_batch_run(&batch, &cipher.base, keys, DEMO_KEYS);
    return batch.results[0];
}

static void assert_result(struct hsm_result result, enum hsm_answer status, enum hsm_answer pin,
                          enum hsm_answer cvv2, enum hsm_answer cvv)
{
    cr_assert_eq(result.status, status);
    cr_assert_eq(result.pin, pin);
    cr_assert_eq(result.cvv2, cvv2);
    cr_assert_eq(result.cvv, cvv);
}

TestSuite(batch, .init = set_up);

Test(batch, right_values_are_ok)
{
    assert_result(check_one(demo_job(7, 0, ALL)), HSM_OK, HSM_OK, HSM_OK, HSM_OK);
    cr_assert_eq(batch.results[0].token, 7);
    struct hsm_job chip = demo_job(8, 0, HSM_CHECK_CVV);
    memcpy(chip.cvv, "202", 3);
    memcpy(chip.service_code, "999", 3);
    assert_result(check_one(chip), HSM_OK, HSM_NOT_ASKED, HSM_NOT_ASKED, HSM_OK);
}

Test(batch, wrong_values_are_wrong_each_for_itself)
{
    struct hsm_job job = demo_job(1, 0, ALL);
    memcpy(job.pin_block, (uint8_t[]){0x88, 0x3F, 0xD0, 0x0A, 0x21, 0x63, 0x59, 0xA2}, 8);
    assert_result(check_one(job), HSM_OK, HSM_WRONG, HSM_OK, HSM_OK);
    job = demo_job(1, 0, ALL);
    job.cvv2[0] = '9';
    assert_result(check_one(job), HSM_OK, HSM_OK, HSM_WRONG, HSM_OK);
    job = demo_job(1, 0, ALL);
    memcpy(job.cvv, "13 ", 3);
    assert_result(check_one(job), HSM_OK, HSM_OK, HSM_OK, HSM_WRONG);
}

Test(batch, a_block_of_another_key_holds_no_pin)
{
    struct hsm_job job = demo_job(1, 0, HSM_CHECK_PIN);
    job.zone_pin_key = DEMO_ZPK_A;
    assert_result(check_one(job), HSM_OK, HSM_BAD_BLOCK, HSM_NOT_ASKED, HSM_NOT_ASKED);
}

Test(batch, what_cannot_be_answered_is_unavailable)
{
    struct hsm_job job = demo_job(1, 0, ALL);
    job.zone_pin_key = DEMO_CVK; /* a slot of another use */
    assert_result(check_one(job), HSM_UNAVAILABLE, HSM_UNAVAILABLE, HSM_OK, HSM_OK);
    job = demo_job(1, 0, ALL);
    job.pvk = HSM_NO_KEY;
    assert_result(check_one(job), HSM_UNAVAILABLE, HSM_UNAVAILABLE, HSM_OK, HSM_OK);
    job = demo_job(1, 0, ALL);
    job.cvk = HSM_KEYS_MAX;
    assert_result(check_one(job), HSM_UNAVAILABLE, HSM_OK, HSM_UNAVAILABLE, HSM_UNAVAILABLE);
    job = demo_job(1, 0, ALL);
    job.pan.digits[3] = 'x';
    assert_result(check_one(job), HSM_UNAVAILABLE, HSM_UNAVAILABLE, HSM_UNAVAILABLE,
                  HSM_UNAVAILABLE);
    job = demo_job(1, 0, ALL);
    job.pan.size = 11;
    assert_result(check_one(job), HSM_UNAVAILABLE, HSM_UNAVAILABLE, HSM_UNAVAILABLE,
                  HSM_UNAVAILABLE);
    job = demo_job(1, 0, ALL);
    job.pvv[0] = 0;
    assert_result(check_one(job), HSM_UNAVAILABLE, HSM_UNAVAILABLE, HSM_OK, HSM_OK);
    cipher.refused_key = DEMO_CVK;
    assert_result(check_one(demo_job(1, 0, ALL)), HSM_UNAVAILABLE, HSM_OK, HSM_UNAVAILABLE,
                  HSM_UNAVAILABLE);
    cipher.refused_key = DEMO_PVK; /* decrypted, but never compared */
    assert_result(check_one(demo_job(1, 0, ALL)), HSM_UNAVAILABLE, HSM_UNAVAILABLE, HSM_OK, HSM_OK);
}

Test(batch, a_full_batch_costs_four_calls_and_leaves_nothing_clear)
{
    batch.jobs_count = HSM_BATCH_JOBS_MAX;
    for (uint32_t i = 0; i < HSM_BATCH_JOBS_MAX; i++) {
        batch.jobs[i] = demo_job(i, 0, ALL);
        if (i % 3 == 0) {
            batch.jobs[i].cvv2[2] = '0';
        }
    }
    hsm_batch_run(&batch, &cipher.base, keys, DEMO_KEYS);
    cr_assert_eq(cipher.calls_count, 4);
    for (uint32_t i = 0; i < HSM_BATCH_JOBS_MAX; i++) {
        cr_assert_eq(batch.results[i].token, i);
        assert_result(batch.results[i], HSM_OK, HSM_OK, i % 3 == 0 ? HSM_WRONG : HSM_OK, HSM_OK);
    }
    static const struct hsm_batch clear; /* everything but results and the count is wiped */
    cr_assert_arr_eq(batch.jobs, clear.jobs, sizeof clear.jobs);
    cr_assert_arr_eq(batch.items, clear.items, sizeof clear.items);
    cr_assert_arr_eq(batch.cvv_inputs, clear.cvv_inputs, sizeof clear.cvv_inputs);
    cr_assert_arr_eq(batch.group, clear.group, sizeof clear.group);
}

static void cvv_of(struct soft_cipher *soft, uint16_t slot, const char *pan_digits,
                   const char *expiry, const char *service_code, char cvv[4])
{
    struct secret_pan pan = {.size = (uint8_t)strlen(pan_digits)};
    memcpy(pan.digits, pan_digits, pan.size);
    struct hsm_cvv_input input;
    hsm_cvv_input(&pan, (const uint8_t *)expiry, (const uint8_t *)service_code, &input);
    uint8_t block[1][8];
    memcpy(block[0], input.first, 8);
    cr_assert(soft->base.run(&soft->base, slot, HSM_STEP_ENCRYPT_LEFT, block, 1));
    hsm_cvv_middle(block[0], &input);
    cr_assert(soft->base.run(&soft->base, slot, HSM_STEP_ENCRYPT, block, 1));
    hsm_cvv_output(block[0], (uint8_t *)cvv);
    cvv[3] = '\0';
}

Test(batch, the_demo_cards_have_their_values)
{
    static const struct {
        const char *pan, *service_code, *cvv;
    } rows[] = {
        {"9900010000000019", "000", "025"}, {"9900010000000019", "201", "130"},
        {"9900010000000019", "999", "202"}, {"9900010000000027", "000", "544"},
        {"9900010000000035", "000", "505"},
    };
    for (uint32_t i = 0; i < countof(rows); i++) {
        char cvv[4];
        cvv_of(&cipher, DEMO_CVK, rows[i].pan, "3012", rows[i].service_code, cvv);
        cr_assert_str_eq(cvv, rows[i].cvv);
    }
}

Test(batch, published_vectors)
{
    struct vectors *vectors = vectors_open();
    uint32_t seen = 0;
    for (const struct vector *v = vectors_next(vectors); v != NULL; v = vectors_next(vectors)) {
        if (strcmp(v->op, "cvv.generate") == 0) {
            char cvv[4];
            uint16_t slot = soft_cipher_add(&cipher, vector_input(v, "cvk"));
            cvv_of(&cipher, slot, vector_input(v, "pan"), vector_input(v, "expiry"),
                   vector_input(v, "service_code"), cvv);
            cr_assert_str_eq(cvv, v->expected, "%s", v->id);
            seen++;
        }
    }
    cr_assert(vectors == NULL || seen > 0, "the vectors of this part have gone");
    vectors_close(vectors);
}
