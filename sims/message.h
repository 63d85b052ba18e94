/* message.h - a message as JSON, as people write it in scenario files, to bytes and back.
 *
 * {"mti":"0100","fields":{"2":"9900010000000019","48":{"92":"025"},"52":"119D82F40DFF2B03"}}: text
 * as text, bytes as hex, sub-fields as objects; at most SIM_PARTS_MAX sub-fields in all. For tools:
 * it allocates. */
#ifndef SIMS_MESSAGE_H
#define SIMS_MESSAGE_H

#include "iso8583/build.h"
#include "iso8583/mti.h"
#include "iso8583/parse.h"
#include <jansson.h>

#define SIM_PARTS_MAX 64u
#define SIM_TEXT_MAX  256u

/* Bytes of the message, without frame. False: `text` names the field and says why. */
NODISCARD bool sim_message_build(const struct iso_dialect *dialect, const json_t *message,
                                 uint8_t *out, size_t out_size, uint32_t *size, char *text,
                                 size_t text_size);
/* masked: PAN as first six and last four, track, PIN block and CVV2 as stars. The caller owns it.
 */
json_t *sim_message_json(const struct iso_dialect *dialect, const struct iso_msg *msg, bool masked);

#endif
