/* data_key.h - the two AES-256 keys that leave the HSM: into locked memory of the daemon, once.
 *
 * They are made in the token, kept in the token's folder wrapped by its storage key (token.h), and
 * unwrapped by hsmd at start (supervisor.h). An id counts generations from 1; 0 is an absent key.
 */
#ifndef HSM_DATA_KEY_H
#define HSM_DATA_KEY_H

#include "base/base.h"

#define HSM_DATA_KEY_BYTES 32u
#define HSM_DATA_KEY_AGES  2u /* current, previous */

struct hsm_data_key {
    uint8_t bytes[HSM_DATA_KEY_BYTES];
    uint32_t id;
};

struct hsm_data_keys { /* lies in MEM_SECRET */
    struct hsm_data_key card_index[HSM_DATA_KEY_AGES];
    struct hsm_data_key data[HSM_DATA_KEY_AGES];
};

#endif
