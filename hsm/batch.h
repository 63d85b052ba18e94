/* batch.h - many jobs at once: the blocks of all of them, grouped by key and step, so that the
 * token is called once a group and not once a block.
 *
 * A batch goes through the cipher in at most four steps: PIN blocks are decrypted, PVVs encrypted,
 * both passes of the card verification values made. A group that the cipher refuses leaves its
 * checks UNAVAILABLE; the others have their answers. Runs in hsmd and in the simulator.
 *
 * The struct holds clear PIN blocks while it runs: it lies in MEM_SECRET and is wiped at the end.
 */
#ifndef HSM_BATCH_H
#define HSM_BATCH_H

#include "hsm/cipher.h"
#include "hsm/cvv.h"
#include "hsm/hsm.h"

#define HSM_BATCH_JOBS_MAX  256u
#define HSM_BATCH_ITEMS_MAX (2u * HSM_BATCH_JOBS_MAX) /* CVV2 and CVV of each */

struct hsm_batch_item { /* one block on its way */
    uint8_t block[HSM_BLOCK_BYTES];
    uint16_t key;
    uint16_t job;
    uint16_t check; /* enum hsm_check */
    bool is_done;   /* has its answer, or has failed: takes no further step */
    bool is_grouped;
};

struct hsm_batch {
    uint32_t jobs_count;
    struct hsm_job jobs[HSM_BATCH_JOBS_MAX];
    struct hsm_result results[HSM_BATCH_JOBS_MAX];

    /* While it runs. */
    uint32_t items_count;
    struct hsm_batch_item items[HSM_BATCH_ITEMS_MAX];
    struct hsm_cvv_input cvv_inputs[HSM_BATCH_ITEMS_MAX];
    uint8_t group[HSM_BATCH_ITEMS_MAX][HSM_BLOCK_BYTES];
    uint16_t group_items[HSM_BATCH_ITEMS_MAX];
};

/* Answers jobs[0..jobs_count) in results[], then wipes jobs and everything clear. A job that is not
 * well-formed, or names a slot that is not of the use it needs, gets UNAVAILABLE. */
void hsm_batch_run(struct hsm_batch *batch, struct hsm_cipher *cipher, const struct hsm_key *keys,
                   uint32_t keys_count);

#endif
