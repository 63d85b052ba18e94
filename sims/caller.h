/* caller.h - one blocking connection of an acquirer: says messages, hears answers, with time-outs.
 * For the simulators' scripts and the end-to-end tests. Frames: 2-byte length. */
#ifndef SIMS_CALLER_H
#define SIMS_CALLER_H

#include "base/bytes.h"

#define CALLER_BYTES 65536u

struct caller {
    int fd; /* -1: closed */
    uint32_t size, shown;
    uint8_t buffer[CALLER_BYTES];
};

enum caller_result { CALLER_MESSAGE, CALLER_SILENCE, CALLER_GONE };

/* False: `text` says why. */
NODISCARD bool caller_open(struct caller *caller, const char *address, char *text,
                           size_t text_size);
void caller_close(struct caller *caller);
NODISCARD bool caller_say(struct caller *caller, struct span message);
/* Bytes as they are, without a frame of their own: for malformed ones. */
NODISCARD bool caller_say_raw(struct caller *caller, struct span bytes);
/* The next message; it lies in the caller's buffer until the next call. */
NODISCARD enum caller_result caller_hear(struct caller *caller, int64_t timeout_ms,
                                         struct span *message);

#endif
