/* limits.h - every bound of the data plane, and the assertions that tie them together.
 * A number that an operator may change is a row of conf/conf.def; here stand the ones that shape
 * memory and records. Units last. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

#define LIMIT_WORKERS_MAX        16u
#define LIMIT_THREADS_MAX        32u
#define LIMIT_LINKS_MAX          1024u /* per worker, accepted and dialled */
#define LIMIT_ENDPOINTS_MAX      32u
#define LIMIT_PARTIES_MAX        64u
#define LIMIT_FRAME_BYTES_MAX    8192u         /* message behind the length prefix */
#define LIMIT_LINK_WINDOW_MAX    256u          /* requests in flight on a link */
#define LIMIT_LINK_SEND_BYTES    (64u * 1024u) /* one of a link's two send buffers */
#define LIMIT_RECORD_BYTES_MAX   16384u        /* one record of an SPSC ring */
#define LIMIT_ROUTES_MAX         4u
#define LIMIT_COUNTS_PER_TXN_MAX 8u
#define LIMIT_REPLY_DELTA_BYTES  1024u
#define LIMIT_IO_BUFFERS         1024u /* receive buffers of a ring, 4 KiB each */
#define LIMIT_IO_SOCKETS         8192u /* descriptors that a ring can hold */
#define LIMIT_IO_EVENTS_MAX      1024u /* taken from the kernel in one turn */

_Static_assert(LIMIT_RECORD_BYTES_MAX >= LIMIT_FRAME_BYTES_MAX + 1024u,
               "a forwarded frame and its header fit one record");
_Static_assert(LIMIT_LINK_SEND_BYTES >= 4u * (LIMIT_FRAME_BYTES_MAX + 2u),
               "a send buffer holds several of the largest frames");
_Static_assert(LIMIT_LINK_SEND_BYTES >= 256u * LIMIT_LINK_WINDOW_MAX,
               "a send buffer holds the answers to a whole window");

#endif
