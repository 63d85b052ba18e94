/* early_crypto.c - a library that has used libcrypto before any program could: with LD_PRELOAD
 * nobody can replace libcrypto's allocator any more. */
#include <openssl/crypto.h>

__attribute__((constructor)) static void use_libcrypto(void)
{
    CRYPTO_free(CRYPTO_malloc(1, "", 0), "", 0);
}
