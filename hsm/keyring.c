/* keyring.c - see keyring.h. hsmd's only thread. */
#include "hsm/keyring.h"

#include "base/secret.h"
#include "hsm/token.h"
#include <string.h>

static bool run(struct hsm_cipher *base, uint16_t key, enum hsm_cipher_step step,
                uint8_t (*blocks)[HSM_BLOCK_BYTES], uint32_t count);
static enum hsm_keyring_err load_keys(struct hsm_keyring *keyring, char *text, size_t text_size);

void hsm_keyring_init(struct hsm_keyring *keyring, const struct hsm_key *keys, uint32_t keys_count,
                      bool refuses_test_keys)
{
    must(keys_count <= HSM_KEYS_MAX);
    *keyring = (struct hsm_keyring){.base = {.run = run},
                                    .keys = keys,
                                    .keys_count = keys_count,
                                    .refuses_test_keys = refuses_test_keys};
}

enum hsm_keyring_err hsm_keyring_open(struct hsm_keyring *keyring,
                                      const struct hsm_module_place *place, const uint8_t *pin,
                                      size_t pin_size, char *text, size_t text_size)
{
    hsm_module_stop(&keyring->module);
    keyring->is_whole = false;
    switch (hsm_module_open(&keyring->module, place, pin, pin_size, false, text, text_size)) {
    case HSM_MODULE_OK:
        return load_keys(keyring, text, text_size);
    case HSM_MODULE_TOKEN:
        return HSM_KEYRING_BROKEN;
    case HSM_MODULE_LOAD:
    case HSM_MODULE_PIN:
        return HSM_KEYRING_REFUSED;
    }
    return HSM_KEYRING_BROKEN;
}

/* ---- finding and proving --------------------------------------------------------------------- */

static CK_OBJECT_HANDLE find(const struct hsm_object *objects, uint32_t objects_count,
                             const char *label, const char *suffix, uint32_t *index)
{
    size_t size = strnlen(label, HSM_LABEL_BYTES);
    for (uint32_t i = 0; i < objects_count; i++) {
        if (strncmp(objects[i].label, label, size) == 0 &&
            strcmp(objects[i].label + size, suffix) == 0) {
            *index = i;
            return objects[i].handle;
        }
    }
    return 0;
}

/* The session's own copy, as strict as can be; the token's object where the token makes no copies.
 */
static CK_OBJECT_HANDLE copy(struct hsm_module *module, CK_OBJECT_HANDLE handle)
{
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE attributes[] = {{CKA_TOKEN, &no, sizeof no}, {CKA_MODIFIABLE, &no, sizeof no}};
    CK_OBJECT_HANDLE copied = 0;
    if (module->call->C_CopyObject(module->session, handle, attributes, countof(attributes),
                                   &copied) != CKR_OK) {
        return handle;
    }
    return copied;
}

static bool kcv_is_given(const uint8_t kcv[3])
{
    return (kcv[0] | kcv[1] | kcv[2]) != 0;
}

static enum hsm_keyring_err take_object(struct hsm_keyring *keyring,
                                        const struct hsm_object *object, const uint8_t expected[3],
                                        CK_OBJECT_HANDLE *handle, uint8_t kcv[3], char *text,
                                        size_t text_size)
{
    *handle = copy(&keyring->module, object->handle);
    if (!hsm_object_kcv(&keyring->module, *handle, kcv, &keyring->last_error)) {
        (void)snprintf(text, text_size, "the token does not encrypt with the key %s (%s)",
                       object->label, hsm_module_error_name(keyring->last_error));
        return HSM_KEYRING_BROKEN;
    }
    if ((kcv_is_given(expected) && memcmp(kcv, expected, 3) != 0) ||
        (object->id_size == 3 && memcmp(kcv, object->id, 3) != 0)) {
        (void)snprintf(text, text_size,
                       "the key %s of the token is not the one that is configured: its check value "
                       "is %02X%02X%02X",
                       object->label, kcv[0], kcv[1], kcv[2]);
        return HSM_KEYRING_REFUSED;
    }
    return HSM_KEYRING_OK;
}

static const bool use_has_twin[] = {
#define HSM_KEY_USE(name, code, twin, help) twin,
#include "hsm/key_use.def"
#undef HSM_KEY_USE
};

static enum hsm_keyring_err load_key(struct hsm_keyring *keyring, const struct hsm_object *objects,
                                     uint32_t objects_count, uint32_t slot, char *text,
                                     size_t text_size)
{
    static const uint8_t not_given[3];
    const struct hsm_key *key = &keyring->keys[slot];
    bool has_twin = use_has_twin[key->use];
    uint32_t index = 0, twin = 0;
    if (find(objects, objects_count, key->label, "", &index) == 0 ||
        (has_twin && find(objects, objects_count, key->label, ":L", &twin) == 0)) {
        (void)snprintf(text, text_size,
                       "the token has no key %.31s: make it with `ringctl hsm init`", key->label);
        return HSM_KEYRING_REFUSED;
    }
    enum hsm_keyring_err err =
        take_object(keyring, &objects[index], key->kcv, &keyring->whole[slot], keyring->kcv[slot],
                    text, text_size);
    const char *test_key = err == HSM_KEYRING_OK ? hsm_test_key_name(keyring->kcv[slot]) : NULL;
    if (test_key != NULL && keyring->refuses_test_keys) {
        (void)snprintf(text, text_size,
                       "the key %.31s is the published test key \"%s\": production needs its own",
                       key->label, test_key);
        return HSM_KEYRING_REFUSED;
    }
    uint8_t kcv[3];
    if (err == HSM_KEYRING_OK && has_twin) {
        err = take_object(keyring, &objects[twin], not_given, &keyring->left[slot], kcv, text,
                          text_size);
    }
    return err;
}

static enum hsm_keyring_err load_keys(struct hsm_keyring *keyring, char *text, size_t text_size)
{
    struct hsm_object objects[HSM_OBJECTS_MAX];
    uint32_t objects_count = 0, index = 0;
    if (!hsm_objects_list(&keyring->module, objects, &objects_count, &keyring->last_error)) {
        (void)snprintf(text, text_size, "the token does not list its keys (%s)",
                       hsm_module_error_name(keyring->last_error));
        return HSM_KEYRING_BROKEN;
    }
    keyring->storage = find(objects, objects_count, HSM_STORAGE_LABEL, "", &index);
    for (uint32_t slot = 0; slot < keyring->keys_count; slot++) {
        enum hsm_keyring_err err = load_key(keyring, objects, objects_count, slot, text, text_size);
        if (err != HSM_KEYRING_OK) {
            return err;
        }
    }
    keyring->is_whole = true;
    return HSM_KEYRING_OK;
}

/* ---- the cipher -------------------------------------------------------------------------------
 */

static CK_RV begin(struct hsm_module *module, CK_OBJECT_HANDLE handle, bool decrypt)
{
    CK_MECHANISM mechanism = {CKM_DES3_ECB, NULL, 0};
    return decrypt ? module->call->C_DecryptInit(module->session, &mechanism, handle)
                   : module->call->C_EncryptInit(module->session, &mechanism, handle);
}

static CK_RV finish(struct hsm_module *module, bool decrypt, uint8_t *bytes, CK_ULONG size)
{
    CK_ULONG out = size;
    CK_RV result = decrypt ? module->call->C_Decrypt(module->session, bytes, size, bytes, &out)
                           : module->call->C_Encrypt(module->session, bytes, size, bytes, &out);
    return result == CKR_OK && out != size ? CKR_GENERAL_ERROR : result;
}

/* A new session with new copies; the old one is closed after it, so that the login survives. */
static bool renew_session(struct hsm_keyring *keyring)
{
    struct hsm_module *module = &keyring->module;
    CK_SESSION_HANDLE old = module->session;
    char text[HSM_TEXT_BYTES];
    if (module->call->C_OpenSession(module->slot, CKF_SERIAL_SESSION, NULL, NULL,
                                    &module->session) != CKR_OK) {
        return false;
    }
    bool loaded = load_keys(keyring, text, sizeof text) == HSM_KEYRING_OK;
    (void)module->call->C_CloseSession(old);
    return loaded;
}

static void note_error(struct hsm_keyring *keyring, CK_RV result)
{
    keyring->errors_count++;
    keyring->is_whole = renew_session(keyring);
    keyring->last_error = result;
}

static CK_OBJECT_HANDLE handle_of(const struct hsm_keyring *keyring, uint16_t slot,
                                  enum hsm_cipher_step step)
{
    return step == HSM_STEP_ENCRYPT_LEFT ? keyring->left[slot] : keyring->whole[slot];
}

static bool run(struct hsm_cipher *base, uint16_t key, enum hsm_cipher_step step,
                uint8_t (*blocks)[HSM_BLOCK_BYTES], uint32_t count)
{
    struct hsm_keyring *keyring = (struct hsm_keyring *)base;
    if (!keyring->is_whole || key >= keyring->keys_count || handle_of(keyring, key, step) == 0) {
        return false;
    }
    bool decrypt = step == HSM_STEP_DECRYPT;
    CK_RV result = begin(&keyring->module, handle_of(keyring, key, step), decrypt);
    if (result != CKR_OK) { /* nothing has touched the blocks: once more in a new session */
        note_error(keyring, result);
        if (!keyring->is_whole) {
            return false;
        }
        result = begin(&keyring->module, handle_of(keyring, key, step), decrypt);
    }
    if (result == CKR_OK) {
        CK_ULONG size = (CK_ULONG)count * HSM_BLOCK_BYTES;
        result = finish(&keyring->module, decrypt, blocks[0], size);
    }
    if (result !=
        CKR_OK) { /* the session may be in the middle of something: the next gets a new one */
        note_error(keyring, result);
    }
    return result == CKR_OK;
}

bool hsm_keyring_prove(struct hsm_keyring *keyring, uint16_t slot)
{
    uint8_t kcv[3];
    if (!keyring->is_whole || slot >= keyring->keys_count) {
        return false;
    }
    if (hsm_object_kcv(&keyring->module, keyring->whole[slot], kcv, &keyring->last_error) &&
        secret_equal(kcv, keyring->kcv[slot], sizeof kcv)) {
        return true;
    }
    note_error(keyring, keyring->last_error);
    return keyring->is_whole;
}

bool hsm_object_kcv(struct hsm_module *module, CK_OBJECT_HANDLE handle, uint8_t kcv[3],
                    CK_RV *result)
{
    uint8_t block[HSM_BLOCK_BYTES] = {0};
    *result = begin(module, handle, false);
    if (*result == CKR_OK) {
        *result = finish(module, false, block, sizeof block);
    }
    if (*result == CKR_OK) {
        memcpy(kcv, block, 3);
    }
    return *result == CKR_OK;
}

/* ---- data keys --------------------------------------------------------------------------------
 */

bool hsm_keyring_data_keys(struct hsm_keyring *keyring, const char *directory,
                           struct hsm_data_keys *keys, char *text, size_t text_size)
{
    struct hsm_wrapped_key wrapped[HSM_WRAPPED_KEYS_MAX];
    uint32_t wrapped_count = 0;
    if (!hsm_wrapped_keys_read(directory, wrapped, &wrapped_count, text, text_size)) {
        return false;
    }
    for (uint32_t i = 0; i < wrapped_count; i++) {
        struct hsm_data_key *ages = strcmp(wrapped[i].label, HSM_CARD_INDEX_LABEL) == 0
                                        ? keys->card_index
                                    : strcmp(wrapped[i].label, HSM_DATA_LABEL) == 0 ? keys->data
                                                                                    : NULL;
        struct hsm_data_key key = {.id = wrapped[i].id};
        if (ages == NULL || keyring->storage == 0 ||
            !hsm_storage_unwrap(&keyring->module, keyring->storage, &wrapped[i], key.bytes)) {
            (void)snprintf(text, text_size, "%s/data-keys: the token does not unwrap %s %u",
                           directory, wrapped[i].label, wrapped[i].id);
            return false;
        }
        if (key.id > ages[0].id) {
            ages[1] = ages[0];
            ages[0] = key;
        } else if (key.id > ages[1].id) {
            ages[1] = key;
        }
        secret_wipe(&key, sizeof key);
    }
    if (keys->card_index[0].id == 0 || keys->data[0].id == 0) {
        (void)snprintf(text, text_size,
                       "%s/data-keys: no key %s or %s: make them with `ringctl hsm init`",
                       directory, HSM_CARD_INDEX_LABEL, HSM_DATA_LABEL);
        return false;
    }
    return true;
}
