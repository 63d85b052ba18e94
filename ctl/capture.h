/* capture.h - TCP byte streams of a capture file: classic pcap and pcapng, Ethernet, raw IP, Linux
 * cooked and loopback; IPv4 and IPv6. Every length is checked against what is there. */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include "ctl/text.h"

#define CAPTURE_STREAMS_MAX 64u

struct capture_stream { /* one direction of a connection */
    char name[128];     /* "10.0.0.1:4000 > 10.0.0.2:8583" */
    uint8_t key[36];    /* addresses and ports as they stand, source first */
    uint32_t key_size, next_sequence;
    bool has_sequence;
    uint32_t gaps; /* segments that were not captured */
    struct text bytes;
};
struct capture {
    struct capture_stream streams[CAPTURE_STREAMS_MAX];
    uint32_t count;
    uint32_t packets, ignored; /* ignored: no TCP, cut, or beyond the streams that fit */
};
bool capture_is(const uint8_t *data, size_t size);
/* False: `why` says so; zero capture before, free it after in both cases. */
NODISCARD bool capture_read(const uint8_t *data, size_t size, struct capture *capture,
                            const char **why);
void capture_free(struct capture *capture);

#endif
