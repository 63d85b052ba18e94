/* files.h - the files of a token's folder: PINs and wrapped data keys. Private to hsm/. */
#ifndef HSM_FILES_H
#define HSM_FILES_H

#include "hsm/data_key.h"
#include <stdio.h>

#define HSM_WRAPPED_BYTES    60u /* nonce 12, ciphertext 32, tag 16 */
#define HSM_WRAPPED_KEYS_MAX 8u
#define HSM_SECRET_TEXT_MAX  64u

struct hsm_wrapped_key {
    char label[32]; /* "card-index", "data" */
    uint32_t id;
    uint8_t bytes[HSM_WRAPPED_BYTES];
};

/* The first line of a file that nobody but its owner may read. False: `text` says why. */
NODISCARD bool hsm_secret_file_read(const char *path, uint8_t *secret, size_t secret_max,
                                    size_t *secret_size, char *text, size_t text_size);
/* Makes the file, 0600, durable; it must not be there. */
NODISCARD bool hsm_secret_file_write(const char *path, const char *line, char *text,
                                     size_t text_size);

/* `data-keys`: lines "LABEL ID HEX", '#' comments. A missing file has no keys. */
NODISCARD bool hsm_wrapped_keys_read(const char *directory, struct hsm_wrapped_key *keys,
                                     uint32_t *keys_count, char *text, size_t text_size);
NODISCARD bool hsm_wrapped_keys_write(const char *directory, const struct hsm_wrapped_key *keys,
                                      uint32_t keys_count, char *text, size_t text_size);

#endif
