/* script.h - JSON lines that tell a simulated scheme how to treat chosen messages.
 *
 * {"match":{"mti":"0200","4":"000000012345"},"answer":{"39":"05"},"delay_ms":100,"times":2}
 * {"match":{"2":"5*"},"drop":true}      {"match":{"mti":"0420"},"disconnect":true}
 * The first line whose fields all agree (a value ending in * is a beginning) and whose times are
 * not used up decides. */
#ifndef SIMS_SCRIPT_H
#define SIMS_SCRIPT_H

#include "iso8583/msg.h"
#include <jansson.h>

struct script {
    json_t *lines; /* an array; NULL: none */
};
struct script_action {
    const json_t *answer; /* fields to set; NULL: none */
    int64_t delay_ms;
    bool drop, disconnect;
};

/* False: `text` says why, with FILE:LINE. */
NODISCARD bool script_read(const char *path, struct script *script, char *text, size_t text_size);
/* False: no line speaks of this message. */
NODISCARD bool script_find(struct script *script, const struct iso_dialect *dialect,
                           const struct iso_msg *msg, struct script_action *action);

#endif
