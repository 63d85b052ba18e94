/* batch.c - see batch.h. */
#include "hsm/batch.h"

#include "base/bytes.h"
#include "hsm/pin.h"
#include <string.h>

static void answer_nothing(struct hsm_batch *batch);
static void check_pins(struct hsm_batch *, struct hsm_cipher *, const struct hsm_key *, uint32_t);
static void check_cvvs(struct hsm_batch *, struct hsm_cipher *, const struct hsm_key *, uint32_t);
static void conclude(struct hsm_batch *batch);

void hsm_batch_run(struct hsm_batch *batch, struct hsm_cipher *cipher, const struct hsm_key *keys,
                   uint32_t keys_count)
{
    must(batch->jobs_count <= HSM_BATCH_JOBS_MAX);
    answer_nothing(batch);
    check_pins(batch, cipher, keys, keys_count);
    check_cvvs(batch, cipher, keys, keys_count);
    conclude(batch);
    secret_wipe(batch->jobs, batch->jobs_count * sizeof batch->jobs[0]);
}

static void answer_nothing(struct hsm_batch *batch)
{
    for (uint32_t i = 0; i < batch->jobs_count; i++) {
        uint32_t checks = batch->jobs[i].checks;
        batch->results[i] = (struct hsm_result){
            .token = batch->jobs[i].token,
            .status = HSM_UNAVAILABLE,
            .pin = checks & HSM_CHECK_PIN ? HSM_UNAVAILABLE : HSM_NOT_ASKED,
            .cvv2 = checks & HSM_CHECK_CVV2 ? HSM_UNAVAILABLE : HSM_NOT_ASKED,
            .cvv = checks & HSM_CHECK_CVV ? HSM_UNAVAILABLE : HSM_NOT_ASKED,
        };
    }
}

static void conclude(struct hsm_batch *batch)
{
    for (uint32_t i = 0; i < batch->jobs_count; i++) {
        struct hsm_result *result = &batch->results[i];
        bool whole = result->pin != HSM_UNAVAILABLE && result->cvv2 != HSM_UNAVAILABLE &&
                     result->cvv != HSM_UNAVAILABLE;
        result->status = whole ? HSM_OK : HSM_UNAVAILABLE;
    }
}

static bool is_usable(const struct hsm_key *keys, uint32_t keys_count, uint16_t slot,
                      enum hsm_key_use use)
{
    return slot < keys_count && keys[slot].use == use;
}

static bool pan_is_good(const struct secret_pan *pan)
{
    return pan->size >= 12 && pan->size <= sizeof pan->digits &&
           bytes_are_digits(pan->digits, pan->size);
}

static struct hsm_batch_item *add_item(struct hsm_batch *batch, uint32_t job, uint16_t key,
                                       enum hsm_check check)
{
    must(batch->items_count < HSM_BATCH_ITEMS_MAX);
    struct hsm_batch_item *item = &batch->items[batch->items_count++];
    *item = (struct hsm_batch_item){.key = key, .job = (uint16_t)job, .check = (uint16_t)check};
    return item;
}

/* One call of the cipher for each key among the items that are not done. */
static void run_step(struct hsm_batch *batch, struct hsm_cipher *cipher, enum hsm_cipher_step step)
{
    for (uint32_t i = 0; i < batch->items_count; i++) {
        batch->items[i].is_grouped = batch->items[i].is_done;
    }
    for (uint32_t first = 0; first < batch->items_count; first++) {
        if (batch->items[first].is_grouped) {
            continue;
        }
        uint16_t key = batch->items[first].key;
        uint32_t count = 0;
        for (uint32_t i = first; i < batch->items_count; i++) {
            struct hsm_batch_item *item = &batch->items[i];
            if (!item->is_grouped && item->key == key) {
                item->is_grouped = true;
                memcpy(batch->group[count], item->block, HSM_BLOCK_BYTES);
                batch->group_items[count++] = (uint16_t)i;
            }
        }
        bool answered = cipher->run(cipher, key, step, batch->group, count);
        for (uint32_t i = 0; i < count; i++) {
            struct hsm_batch_item *item = &batch->items[batch->group_items[i]];
            memcpy(item->block, batch->group[i], HSM_BLOCK_BYTES);
            item->is_done = !answered;
        }
        secret_wipe(batch->group, count * sizeof batch->group[0]);
    }
}

static void wipe_items(struct hsm_batch *batch)
{
    secret_wipe(batch->items, batch->items_count * sizeof batch->items[0]);
    secret_wipe(batch->cvv_inputs, batch->items_count * sizeof batch->cvv_inputs[0]);
    batch->items_count = 0;
}

static enum hsm_answer ok_when(bool equal)
{
    return equal ? HSM_OK : HSM_WRONG;
}

static void gather_pins(struct hsm_batch *batch, const struct hsm_key *keys, uint32_t keys_count)
{
    for (uint32_t i = 0; i < batch->jobs_count; i++) {
        const struct hsm_job *job = &batch->jobs[i];
        bool pvki_is_good = job->pvki >= '0' && job->pvki <= '9';
        if (!(job->checks & HSM_CHECK_PIN) || !pan_is_good(&job->pan) || !pvki_is_good ||
            !bytes_are_digits(job->pvv, sizeof job->pvv) ||
            !is_usable(keys, keys_count, job->zone_pin_key, HSM_KEY_ZONE_PIN) ||
            !is_usable(keys, keys_count, job->pvk, HSM_KEY_PVK)) {
            continue;
        }
        struct hsm_batch_item *item = add_item(batch, i, job->zone_pin_key, HSM_CHECK_PIN);
        memcpy(item->block, job->pin_block, HSM_BLOCK_BYTES);
    }
}

static void check_pins(struct hsm_batch *batch, struct hsm_cipher *cipher,
                       const struct hsm_key *keys, uint32_t keys_count)
{
    gather_pins(batch, keys, keys_count);
    run_step(batch, cipher, HSM_STEP_DECRYPT);
    for (uint32_t i = 0; i < batch->items_count; i++) {
        struct hsm_batch_item *item = &batch->items[i];
        const struct hsm_job *job = &batch->jobs[item->job];
        struct hsm_pin pin;
        if (item->is_done) {
            continue;
        }
        if (hsm_pin_block_open(item->block, &job->pan, &pin)) {
            hsm_pvv_input(&pin, &job->pan, job->pvki, item->block);
            item->key = job->pvk;
            secret_wipe(&pin, sizeof pin);
        } else {
            batch->results[item->job].pin = HSM_BAD_BLOCK;
            item->is_done = true;
        }
    }
    run_step(batch, cipher, HSM_STEP_ENCRYPT);
    for (uint32_t i = 0; i < batch->items_count; i++) {
        struct hsm_batch_item *item = &batch->items[i];
        if (!item->is_done) {
            uint8_t pvv[HSM_PVV_DIGITS];
            hsm_pvv_output(item->block, pvv);
            batch->results[item->job].pin =
                ok_when(secret_equal(pvv, batch->jobs[item->job].pvv, sizeof pvv));
            secret_wipe(pvv, sizeof pvv);
        }
    }
    wipe_items(batch);
}

static void gather_cvvs(struct hsm_batch *batch, const struct hsm_key *keys, uint32_t keys_count)
{
    static const uint8_t service_code_cvv2[3] = {'0', '0', '0'};
    for (uint32_t i = 0; i < batch->jobs_count; i++) {
        const struct hsm_job *job = &batch->jobs[i];
        if (!pan_is_good(&job->pan) || !bytes_are_digits(job->expiry, sizeof job->expiry) ||
            !is_usable(keys, keys_count, job->cvk, HSM_KEY_CVK)) {
            continue;
        }
        if (job->checks & HSM_CHECK_CVV2) {
            add_item(batch, i, job->cvk, HSM_CHECK_CVV2);
            hsm_cvv_input(&job->pan, job->expiry, service_code_cvv2,
                          &batch->cvv_inputs[batch->items_count - 1]);
        }
        if ((job->checks & HSM_CHECK_CVV) &&
            bytes_are_digits(job->service_code, sizeof job->service_code)) {
            add_item(batch, i, job->cvk, HSM_CHECK_CVV);
            hsm_cvv_input(&job->pan, job->expiry, job->service_code,
                          &batch->cvv_inputs[batch->items_count - 1]);
        }
    }
}

static void check_cvvs(struct hsm_batch *batch, struct hsm_cipher *cipher,
                       const struct hsm_key *keys, uint32_t keys_count)
{
    gather_cvvs(batch, keys, keys_count);
    for (uint32_t i = 0; i < batch->items_count; i++) {
        memcpy(batch->items[i].block, batch->cvv_inputs[i].first, HSM_BLOCK_BYTES);
    }
    run_step(batch, cipher, HSM_STEP_ENCRYPT_LEFT);
    for (uint32_t i = 0; i < batch->items_count; i++) {
        hsm_cvv_middle(batch->items[i].block, &batch->cvv_inputs[i]);
    }
    run_step(batch, cipher, HSM_STEP_ENCRYPT);
    for (uint32_t i = 0; i < batch->items_count; i++) {
        const struct hsm_batch_item *item = &batch->items[i];
        const struct hsm_job *job = &batch->jobs[item->job];
        if (item->is_done) {
            continue;
        }
        uint8_t cvv[HSM_CVV_DIGITS];
        hsm_cvv_output(item->block, cvv);
        if (item->check == HSM_CHECK_CVV2) {
            batch->results[item->job].cvv2 = ok_when(secret_equal(cvv, job->cvv2, sizeof cvv));
        } else {
            batch->results[item->job].cvv = ok_when(secret_equal(cvv, job->cvv, sizeof cvv));
        }
        secret_wipe(cvv, sizeof cvv);
    }
    wipe_items(batch);
}
