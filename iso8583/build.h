/* build.h - from values to bytes.
 *
 * Byte-exact: what iso_parse() accepted and iso_draft_from_msg() took over is written as it was.
 * Canonical values are checked against their class, padded, packed and prefixed as the dialect
 * says. */
#ifndef ISO8583_BUILD_H
#define ISO8583_BUILD_H

#include "iso8583/msg.h"

struct iso_layout { /* where things came to stand in the buffer */
    uint32_t size;
    uint32_t mti_offset;
    uint32_t mac_offset; /* first byte of DE128's or DE64's value; 0 = there is none */
    uint32_t mac_prefix; /* bytes of its length prefix before it, usually 0 */
    uint32_t mac_size;
};
/* Writes the message (no frame) into buffer. On a fault nothing useful is in buffer and `fault`,
 * when not NULL, names the field. A MAC field must be in the draft (8 zero bytes will do): compute
 * over buffer[mti_offset .. mac_offset - mac_prefix) and write it at mac_offset. */
NODISCARD enum iso_err iso_build(const struct iso_dialect *dialect, const struct iso_draft *draft,
                                 uint8_t *buffer, size_t buffer_size, struct iso_layout *layout,
                                 struct iso_fault *fault);
/* One field's or sub-field's wire form alone, with its prefix. */
NODISCARD enum iso_err iso_build_value(const struct iso_dialect *dialect,
                                       const struct iso_node *node, const struct iso_value *value,
                                       uint8_t *buffer, size_t buffer_size, size_t *size,
                                       struct iso_fault *fault);

/* Makes draft the answer to request: its MTI (mti.h), and by the dialect's rules for that MTI every
 * echo field that the request has, as wire bytes. Fields already in the draft are kept. Works on a
 * message whose parse stopped at a fault: what was read is echoed. The header is the request's
 * (TPDU: source and destination exchanged: then header points into `header_room`). */
void iso_response(const struct iso_dialect *dialect, const struct iso_msg *request,
                  struct iso_draft *draft, uint8_t header_room[ISO_HEADER_BYTES_MAX]);

#endif
