/* objects.c - listing the token's keys, and wrapping by its storage key (keyring.h). */
#include "hsm/keyring.h"

#include "base/secret.h"
#include <string.h>

#define FIND_AT_ONCE 32u
#define NONCE_BYTES  12u
#define TAG_BYTES    16u

_Static_assert(HSM_WRAPPED_BYTES == NONCE_BYTES + HSM_DATA_KEY_BYTES + TAG_BYTES, "the parts");

static bool describe(struct hsm_module *module, CK_OBJECT_HANDLE handle, struct hsm_object *object,
                     CK_RV *result)
{
    char label[sizeof object->label];
    uint8_t id[16];
    CK_ATTRIBUTE attributes[] = {{CKA_LABEL, label, sizeof label - 1}, {CKA_ID, id, sizeof id}};
    *result =
        module->call->C_GetAttributeValue(module->session, handle, attributes, countof(attributes));
    if (*result != CKR_OK) { /* a label longer than any of ours */
        return false;
    }
    *object = (struct hsm_object){.handle = handle};
    memcpy(object->label, label, attributes[0].ulValueLen);
    if (attributes[1].ulValueLen == sizeof object->id) {
        memcpy(object->id, id, sizeof object->id);
        object->id_size = sizeof object->id;
    }
    return true;
}

bool hsm_objects_list(struct hsm_module *module, struct hsm_object *objects,
                      uint32_t *objects_count, CK_RV *result)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_BBOOL is_token = CK_TRUE;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_TOKEN, &is_token, sizeof is_token}};
    CK_OBJECT_HANDLE found[FIND_AT_ONCE];
    CK_ULONG found_count = 0;
    uint32_t count = 0;
    *result = module->call->C_FindObjectsInit(module->session, wanted, countof(wanted));
    if (*result != CKR_OK) {
        return false;
    }
    do {
        *result = module->call->C_FindObjects(module->session, found, FIND_AT_ONCE, &found_count);
        for (CK_ULONG i = 0; *result == CKR_OK && i < found_count; i++) {
            CK_RV described;
            if (count < HSM_OBJECTS_MAX &&
                describe(module, found[i], &objects[count], &described)) {
                count++;
            }
        }
    } while (*result == CKR_OK && found_count > 0 && count < HSM_OBJECTS_MAX);
    (void)module->call->C_FindObjectsFinal(module->session);
    *objects_count = count;
    return *result == CKR_OK;
}

static CK_MECHANISM gcm(CK_GCM_PARAMS *parameters, const uint8_t *nonce, const char *bound)
{
    *parameters = (CK_GCM_PARAMS){
        .pIv = (uint8_t *)nonce, /* only read */
        .ulIvLen = NONCE_BYTES,
        .ulIvBits = (CK_ULONG)NONCE_BYTES * 8,
        .pAAD = (uint8_t *)bound,
        .ulAADLen = strlen(bound),
        .ulTagBits = (CK_ULONG)TAG_BYTES * 8,
    };
    return (CK_MECHANISM){CKM_AES_GCM, parameters, sizeof *parameters};
}

static void bind_text(const struct hsm_wrapped_key *wrapped, char text[96])
{
    (void)snprintf(text, 96, "ringswitch data key 1 %s %u", wrapped->label, wrapped->id);
}

bool hsm_storage_wrap(struct hsm_module *module, CK_OBJECT_HANDLE storage,
                      struct hsm_wrapped_key *wrapped, const uint8_t key[HSM_DATA_KEY_BYTES])
{
    char bound[96];
    CK_GCM_PARAMS parameters;
    CK_ULONG size = HSM_DATA_KEY_BYTES + TAG_BYTES;
    bind_text(wrapped, bound);
    CK_MECHANISM mechanism = gcm(&parameters, wrapped->bytes, bound);
    return module->call->C_GenerateRandom(module->session, wrapped->bytes, NONCE_BYTES) == CKR_OK &&
           module->call->C_EncryptInit(module->session, &mechanism, storage) == CKR_OK &&
           module->call->C_Encrypt(module->session, (uint8_t *)key, HSM_DATA_KEY_BYTES,
                                   wrapped->bytes + NONCE_BYTES, &size) == CKR_OK &&
           size == HSM_DATA_KEY_BYTES + TAG_BYTES;
}

bool hsm_storage_unwrap(struct hsm_module *module, CK_OBJECT_HANDLE storage,
                        const struct hsm_wrapped_key *wrapped, uint8_t key[HSM_DATA_KEY_BYTES])
{
    char bound[96];
    CK_GCM_PARAMS parameters;
    uint8_t out[HSM_DATA_KEY_BYTES + TAG_BYTES]; /* modules ask for room for the tag too */
    CK_ULONG size = sizeof out;
    bind_text(wrapped, bound);
    CK_MECHANISM mechanism = gcm(&parameters, wrapped->bytes, bound);
    bool opened =
        module->call->C_DecryptInit(module->session, &mechanism, storage) == CKR_OK &&
        module->call->C_Decrypt(module->session, (uint8_t *)(wrapped->bytes + NONCE_BYTES),
                                HSM_WRAPPED_BYTES - NONCE_BYTES, out, &size) == CKR_OK &&
        size == HSM_DATA_KEY_BYTES;
    if (opened) {
        memcpy(key, out, HSM_DATA_KEY_BYTES);
    }
    secret_wipe(out, sizeof out);
    return opened;
}
