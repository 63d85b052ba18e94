/* iso_json.h - messages as JSON:
 * {"mti":"0100","header":"HEX","fields":{"2":"…","55":{"9F26":"…"}}}.
 *
 * Text as text, bytes as upper-case hex, composites as objects in wire order; where a tag repeats,
 * an array of [tag, value]. Beside "fields" a decoded message has, only when needed to build the
 * same bytes again: "bitmaps" (more bitmaps than the fields need), "bit1" (with a secondary bitmap
 * that is always there) and "wire" (the wire bytes of fields that are not canonical, such as
 * over-long BER lengths: {"55":["HEX", count]}; taken only while the field says the same).
 *
 * For tools: it allocates. Faults are as in iso.h; those of the JSON itself have code "json", those
 * of hexadecimal characters "hex". */
#ifndef CTL_ISO_JSON_H
#define CTL_ISO_JSON_H

#include "iso8583/build.h"
#include "iso8583/parse.h"
#include <jansson.h>

/* What was read of a message, complete or not. reveal: values in full, and what build needs. */
json_t *iso_json_from_msg(const struct iso_dialect *dialect, const struct iso_msg *msg,
                          bool reveal);
/* {"error":{…},"partial":…}; takes the reference of partial, NULL for an empty one. */
json_t *iso_json_error(const char *code, const char *field, uint32_t offset, const char *text,
                       json_t *partial);
json_t *iso_json_fault(const struct iso_fault *fault, json_t *partial);

/* A hex line to its JSON: the message, or the error object (then *failed). frame: framing before
 * the message, NULL for none. */
json_t *iso_json_decode(const struct iso_dialect *dialect, const char *hex, size_t hex_size,
                        const char *frame, bool reveal, bool *failed);
/* Message JSON to bytes: returns NULL and fills out (ISO_MESSAGE_BYTES_MAX + 4 bytes), or the error
 * object. */
json_t *iso_json_encode(const struct iso_dialect *dialect, const char *text, size_t text_size,
                        const char *frame, uint8_t *out, uint32_t *out_size);
/* The same from an object, without frame. */
NODISCARD enum iso_err iso_json_build(const struct iso_dialect *dialect, const json_t *message,
                                      uint8_t *out, size_t out_room, uint32_t *out_size,
                                      struct iso_fault *fault);

/* A value as a person may see it; text is canonical, of bytes their hex. In place. */
void iso_mask_apply(enum iso_mask mask, char *text, size_t size);
/* The mask of a value: the dialect's, or for chip data the stricter one of its tag. */
enum iso_mask iso_mask_of(const struct iso_node *node, const struct iso_node *within,
                          uint64_t number);
/* Masks a card number that stands in free text. */
void iso_mask_numbers(char *text, size_t size);

#define ISO_VALUE_TEXT_MAX (2u * ISO_MESSAGE_BYTES_MAX + 2u)
/* One value as text or hex, masked unless reveal; false: not decodable. out holds
 * ISO_VALUE_TEXT_MAX. */
NODISCARD bool iso_json_text(const struct iso_dialect *dialect, const struct iso_node *node,
                             enum iso_mask mask, struct span wire, uint32_t count, bool reveal,
                             char *out, size_t *size);

#endif
