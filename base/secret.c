/* secret.c - see secret.h. */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <string.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

void secret_wipe(void *memory, size_t bytes)
{
    OPENSSL_cleanse(memory, bytes);
}

bool secret_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void secret_pan_mask(const uint8_t *digits, uint32_t size, char out[20])
{
    must(size <= 19);
    for (uint32_t i = 0; i < size; i++) {
        bool shown = size > 12 && (i < 6 || i + 4 >= size);
        out[i] = shown ? (char)digits[i] : '*';
    }
    out[size] = '\0';
}
