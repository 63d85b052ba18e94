/* card_key.c - see card_key.h. Made at start; called by a worker for every message.
 *
 * CMAC of one incomplete block is E(padded block XOR K2), and K2 depends on the key alone: so a
 * call is one AES block in a context that was prepared once. */
#include "hsm/card_key.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/secret.h"
#include "hsm/secret_heap.h"
#include <openssl/evp.h>

#define BLOCK_BYTES 16u
#define FILL        0xFu

struct generation {
    EVP_CIPHER_CTX *context; /* AES-256-ECB encryption, no padding */
    uint32_t id;
    uint8_t subkey2[BLOCK_BYTES];
};

struct hsm_card_keys { /* lies in MEM_SECRET */
    struct generation generations[HSM_KEY_AGES_COUNT];
};
_Static_assert(HSM_KEY_AGES_COUNT == HSM_DATA_KEY_AGES, "a generation for each data key");

static void pack(const uint8_t *digits, uint32_t digits_count, uint8_t block[BLOCK_BYTES]);
static bool generation_start(struct generation *generation, const struct hsm_data_key *key);
static bool encrypt(EVP_CIPHER_CTX *context, const uint8_t in[BLOCK_BYTES],
                    uint8_t out[BLOCK_BYTES]);

bool hsm_card_key_make(const struct hsm_card_keys *keys, enum hsm_key_age age,
                       const uint8_t *digits, uint32_t digits_count,
                       uint8_t out[HSM_CARD_KEY_BYTES])
{
    must((uint32_t)age < HSM_KEY_AGES_COUNT);
    const struct generation *generation = &keys->generations[age];
    if (generation->id == 0 || digits_count < 12 || digits_count > 19 ||
        !bytes_are_digits(digits, digits_count)) {
        return false;
    }
    uint8_t block[BLOCK_BYTES];
    pack(digits, digits_count, block);
    for (uint32_t i = 0; i < BLOCK_BYTES; i++) {
        block[i] ^= generation->subkey2[i];
    }
    bool made = encrypt(generation->context, block, out);
    secret_wipe(block, sizeof block);
    return made;
}

/* The message and CMAC's padding: a one bit, then zeros (SP 800-38B 6.2). */
static void pack(const uint8_t *digits, uint32_t digits_count, uint8_t block[BLOCK_BYTES])
{
    memset(block, 0, BLOCK_BYTES);
    for (uint32_t i = 0; i < digits_count; i += 2) {
        uint32_t low = i + 1 < digits_count ? (uint32_t)digits[i + 1] - '0' : FILL;
        block[i / 2] = (uint8_t)(((uint32_t)digits[i] - '0') << 4 | low);
    }
    block[(digits_count + 1) / 2] = 0x80;
}

struct hsm_card_keys *hsm_card_keys_create(const struct hsm_data_keys *keys)
{
    if (keys->card_index[HSM_KEY_CURRENT].id == 0) {
        return NULL;
    }
    struct hsm_card_keys *made = mem_take(MEM_SECRET, sizeof *made, "hsm card keys");
    for (uint32_t age = 0; age < HSM_KEY_AGES_COUNT; age++) {
        if (keys->card_index[age].id != 0) {
            must(generation_start(&made->generations[age], &keys->card_index[age]));
        }
    }
    return made;
}

uint32_t hsm_card_key_id(const struct hsm_card_keys *keys, enum hsm_key_age age)
{
    must((uint32_t)age < HSM_KEY_AGES_COUNT);
    return keys->generations[age].id;
}

/* Multiplication by x in GF(2^128) (SP 800-38B 6.1). */
static void double_block(uint8_t block[BLOCK_BYTES])
{
    uint8_t carry = block[0] >> 7;
    for (uint32_t i = 0; i + 1 < BLOCK_BYTES; i++) {
        block[i] = (uint8_t)((uint32_t)block[i] << 1 | block[i + 1] >> 7);
    }
    block[BLOCK_BYTES - 1] = (uint8_t)((uint32_t)block[BLOCK_BYTES - 1] << 1);
    block[BLOCK_BYTES - 1] ^= (uint8_t)(carry * 0x87u);
}

static bool generation_start(struct generation *generation, const struct hsm_data_key *key)
{
    static const uint8_t zero[BLOCK_BYTES];
    EVP_CIPHER *aes =
        EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL); /* loads the provider: plain heap */
    hsm_secret_heap_open();
    generation->context = EVP_CIPHER_CTX_new();
    bool started = aes != NULL && generation->context != NULL &&
                   EVP_EncryptInit_ex2(generation->context, aes, key->bytes, NULL, NULL) == 1 &&
                   EVP_CIPHER_CTX_set_padding(generation->context, 0) == 1 &&
                   encrypt(generation->context, zero, generation->subkey2);
    hsm_secret_heap_close();
    EVP_CIPHER_free(aes); /* the context holds its own reference */
    double_block(generation->subkey2);
    double_block(generation->subkey2);
    generation->id = key->id;
    return started;
}

static bool encrypt(EVP_CIPHER_CTX *context, const uint8_t in[BLOCK_BYTES],
                    uint8_t out[BLOCK_BYTES])
{
    int size = 0;
    return EVP_EncryptUpdate(context, out, &size, in, BLOCK_BYTES) == 1 && size == BLOCK_BYTES;
}
