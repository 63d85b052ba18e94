/* iso_json_fuzz.c - Message JSON as input: bytes that iso_parse() takes and that say the same, or
 * an error. */
#include "ctl/iso_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct iso_dialect *dialect;
    static uint8_t out[ISO_MESSAGE_BYTES_MAX + 4];
    static struct iso_report report;
    if (dialect == NULL) {
        dialect = iso_dialect_by_name("iso87-ascii", RS_DIALECTS, &report);
        must(dialect != NULL);
    }
    uint32_t out_size = 0;
    json_t *error = iso_json_encode(dialect, (const char *)data, size, NULL, out, &out_size);
    if (error != NULL) {
        json_decref(error);
        return 0;
    }
    bool failed;
    char *hex = malloc(2 * (size_t)out_size + 1);
    must(hex != NULL);
    bytes_to_hex(out, out_size, hex);
    json_t *message = iso_json_decode(dialect, hex, 2 * (size_t)out_size, NULL, true, &failed);
    if (!failed) { /* what decode prints, encode takes: the same bytes */
        static uint8_t again[ISO_MESSAGE_BYTES_MAX + 4];
        uint32_t again_size = 0;
        char *text = json_dumps(message, JSON_COMPACT);
        error = iso_json_encode(dialect, text, strlen(text), NULL, again, &again_size);
        must(error == NULL && again_size == out_size && memcmp(again, out, out_size) == 0);
        free(text);
    }
    json_decref(message);
    free(hex);
    return 0;
}
