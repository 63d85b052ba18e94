/* seal.c - see seal.h. Made at start; called by a worker for every forwarded message. */
#include "hsm/seal.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "hsm/card_key.h"
#include "hsm/secret_heap.h"
#include <openssl/evp.h>

#define NONCE_BYTES   12u
#define PREFIX_BYTES  7u
#define PLAIN_BYTES   20u
#define TAG_BYTES     16u
#define COUNTER_LIMIT (UINT64_C(1) << 40) /* five bytes */

_Static_assert(NONCE_BYTES + PLAIN_BYTES + TAG_BYTES == HSM_SEAL_BYTES, "the parts fill the seal");
_Static_assert(PLAIN_BYTES == 1 + sizeof(((struct secret_pan *)0)->digits), "size and digits");

struct hsm_seal {                 /* lies in MEM_SECRET */
    EVP_CIPHER_CTX *seal_context; /* current data key */
    EVP_CIPHER_CTX *open_contexts[HSM_DATA_KEY_AGES];
    uint8_t prefix[PREFIX_BYTES];
    uint64_t *counter; /* apart, so that the object itself never changes */
};

static bool make_contexts(struct hsm_seal *seal, const struct hsm_data_keys *keys);
static bool open_with(EVP_CIPHER_CTX *context, const uint8_t sealed[HSM_SEAL_BYTES],
                      uint8_t plain[PLAIN_BYTES]);

struct sealer { /* one allocation: the object and its counter */
    struct hsm_seal seal;
    uint64_t counter;
};

struct hsm_seal *hsm_seal_create(const struct hsm_data_keys *keys, uint64_t nonce_seed)
{
    if (keys->data[HSM_KEY_CURRENT].id == 0) {
        return NULL;
    }
    struct sealer *sealer = mem_take(MEM_SECRET, sizeof *sealer, "hsm seal");
    uint8_t seed[8];
    store_be64(seed, nonce_seed);
    memcpy(sealer->seal.prefix, seed + 1, PREFIX_BYTES);
    sealer->seal.counter = &sealer->counter;
    must(make_contexts(&sealer->seal, keys));
    return &sealer->seal;
}

bool hsm_seal_pan(const struct hsm_seal *seal, const struct secret_pan *pan,
                  uint8_t out[HSM_SEAL_BYTES])
{
    if (pan->size < 12 || pan->size > sizeof pan->digits ||
        !bytes_are_digits(pan->digits, pan->size) || *seal->counter >= COUNTER_LIMIT) {
        return false;
    }
    uint8_t counter[8];
    store_be64(counter, (*seal->counter)++);
    uint8_t sealed[HSM_SEAL_BYTES];
    memcpy(sealed, seal->prefix, PREFIX_BYTES);
    memcpy(sealed + PREFIX_BYTES, counter + 3, NONCE_BYTES - PREFIX_BYTES);

    uint8_t plain[PLAIN_BYTES] = {pan->size};
    memcpy(plain + 1, pan->digits, pan->size);
    int size = 0;
    EVP_CIPHER_CTX *context = seal->seal_context;
    bool made = EVP_EncryptInit_ex2(context, NULL, NULL, sealed, NULL) == 1 &&
                EVP_EncryptUpdate(context, sealed + NONCE_BYTES, &size, plain, PLAIN_BYTES) == 1 &&
                size == PLAIN_BYTES &&
                EVP_EncryptFinal_ex(context, sealed + NONCE_BYTES + PLAIN_BYTES, &size) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
                                    sealed + NONCE_BYTES + PLAIN_BYTES) == 1;
    secret_wipe(plain, sizeof plain);
    if (made) {
        memcpy(out, sealed, sizeof sealed);
    }
    return made;
}

bool hsm_unseal_pan(const struct hsm_seal *seal, const uint8_t sealed[HSM_SEAL_BYTES],
                    struct secret_pan *pan)
{
    uint8_t plain[PLAIN_BYTES];
    bool opened = false;
    for (uint32_t age = 0; age < HSM_DATA_KEY_AGES && !opened; age++) {
        opened =
            seal->open_contexts[age] != NULL && open_with(seal->open_contexts[age], sealed, plain);
    }
    if (opened && plain[0] >= 12 && plain[0] <= sizeof pan->digits) {
        pan->size = plain[0];
        memset(pan->digits, 0, sizeof pan->digits);
        memcpy(pan->digits, plain + 1, plain[0]);
    } else {
        opened = false;
    }
    secret_wipe(plain, sizeof plain);
    return opened;
}

static bool open_with(EVP_CIPHER_CTX *context, const uint8_t sealed[HSM_SEAL_BYTES],
                      uint8_t plain[PLAIN_BYTES])
{
    uint8_t tag[TAG_BYTES];
    memcpy(tag, sealed + NONCE_BYTES + PLAIN_BYTES, sizeof tag);
    int size = 0;
    uint8_t rest[TAG_BYTES];
    return EVP_DecryptInit_ex2(context, NULL, NULL, sealed, NULL) == 1 &&
           EVP_DecryptUpdate(context, plain, &size, sealed + NONCE_BYTES, PLAIN_BYTES) == 1 &&
           size == PLAIN_BYTES &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(context, rest, &size) == 1;
}

static bool make_contexts(struct hsm_seal *seal, const struct hsm_data_keys *keys)
{
    EVP_CIPHER *aes =
        EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL); /* loads the provider: plain heap */
    hsm_secret_heap_open();
    seal->seal_context = EVP_CIPHER_CTX_new();
    bool made = aes != NULL && seal->seal_context != NULL &&
                EVP_EncryptInit_ex2(seal->seal_context, aes, keys->data[HSM_KEY_CURRENT].bytes,
                                    NULL, NULL) == 1;
    for (uint32_t age = 0; age < HSM_DATA_KEY_AGES && made; age++) {
        if (keys->data[age].id != 0) {
            seal->open_contexts[age] = EVP_CIPHER_CTX_new();
            made = seal->open_contexts[age] != NULL &&
                   EVP_DecryptInit_ex2(seal->open_contexts[age], aes, keys->data[age].bytes, NULL,
                                       NULL) == 1;
        }
    }
    hsm_secret_heap_close();
    EVP_CIPHER_free(aes);
    return made;
}
