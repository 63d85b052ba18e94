/* keyring.h - the keys of the table inside the token, ready for batches; hsmd's cipher. Private to
 * hsm/.
 *
 * DESIGN  Keys are found once, by label, and copied to session objects (still not extractable): an
 * operation then touches no file, takes half the time, and goes on when the token's folder is gone.
 * Every key is proved by encrypting a zero block: the result's first three bytes are compared with
 * the table's KCV and with the KCV in the object's CKA_ID.
 *
 * An operation that fails is tried once more after a new session with new copies. When that fails
 * too the keyring is broken; hsm_keyring_open() again makes it whole (C_Finalize first). */
#ifndef HSM_KEYRING_H
#define HSM_KEYRING_H

#include "hsm/cipher.h"
#include "hsm/files.h"
#include "hsm/hsm.h"
#include "hsm/module.h"

#define HSM_STORAGE_LABEL    "storage"
#define HSM_CARD_INDEX_LABEL "card-index"
#define HSM_DATA_LABEL       "data"

struct hsm_keyring {
    struct hsm_cipher base;
    struct hsm_module module;
    const struct hsm_key *keys; /* outlives the keyring */
    uint32_t keys_count;
    bool refuses_test_keys;
    bool is_whole;
    CK_OBJECT_HANDLE whole[HSM_KEYS_MAX], left[HSM_KEYS_MAX]; /* 0 = none */
    uint8_t kcv[HSM_KEYS_MAX][3];
    CK_OBJECT_HANDLE storage;
    uint64_t errors_count;
    CK_RV last_error;
};

enum hsm_keyring_err {
    HSM_KEYRING_OK = 0,
    HSM_KEYRING_BROKEN,  /* try again later */
    HSM_KEYRING_REFUSED, /* PIN, module, or a key that is not the one of the table */
};

void hsm_keyring_init(struct hsm_keyring *keyring, const struct hsm_key *keys, uint32_t keys_count,
                      bool refuses_test_keys);
/* Starts the module (again), logs in, finds, copies and proves every key. */
NODISCARD enum hsm_keyring_err hsm_keyring_open(struct hsm_keyring *keyring,
                                                const struct hsm_module_place *place,
                                                const uint8_t *pin, size_t pin_size, char *text,
                                                size_t text_size);
/* A real operation: does the token still compute what this slot's KCV says? */
NODISCARD bool hsm_keyring_prove(struct hsm_keyring *keyring, uint16_t slot);
/* Unwraps the data keys of the token's folder. */
NODISCARD bool hsm_keyring_data_keys(struct hsm_keyring *keyring, const char *directory,
                                     struct hsm_data_keys *keys, char *text, size_t text_size);

/* ---- also for token.c ---------------------------------------------------------------------- */

/* Label and CKA_ID of every secret key of the token; false when the token does not answer. */
struct hsm_object {
    CK_OBJECT_HANDLE handle;
    char label[HSM_LABEL_BYTES + 2]; /* with ":L" */
    uint8_t id[3];
    uint8_t id_size;
};
#define HSM_OBJECTS_MAX (4u * HSM_KEYS_MAX)
NODISCARD bool hsm_objects_list(struct hsm_module *module, struct hsm_object *objects,
                                uint32_t *objects_count, CK_RV *result);
/* The first three bytes of a zero block's TDES encryption. */
NODISCARD bool hsm_object_kcv(struct hsm_module *module, CK_OBJECT_HANDLE handle, uint8_t kcv[3],
                              CK_RV *result);
/* AES-256-GCM by the storage key, bound to label and id. */
NODISCARD bool hsm_storage_wrap(struct hsm_module *module, CK_OBJECT_HANDLE storage,
                                struct hsm_wrapped_key *wrapped,
                                const uint8_t key[HSM_DATA_KEY_BYTES]);
NODISCARD bool hsm_storage_unwrap(struct hsm_module *module, CK_OBJECT_HANDLE storage,
                                  const struct hsm_wrapped_key *wrapped,
                                  uint8_t key[HSM_DATA_KEY_BYTES]);

#endif
