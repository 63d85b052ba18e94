/* transport.h - what lies between a link and its socket: today the bytes as they are.
 *
 * DESIGN  The link gives and takes plain bytes; the socket sees the transport's. TLS takes its
 * place here: received bytes go in and plain ones come out, and one flush becomes one record. */
#ifndef SWITCH_TRANSPORT_H
#define SWITCH_TRANSPORT_H

#include "switch/link.h"

/* Plain bytes of what the socket delivered; valid as long as `received`. */
static inline struct span transport_received(struct link *link, struct span received)
{
    (void)link;
    return received;
}

/* What the socket is to send for these plain bytes; the io's until its event. */
static inline struct span transport_outgoing(struct link *link, struct span plain)
{
    (void)link;
    return plain;
}

#endif
