/* capture.c - pcap and pcapng to TCP streams. Segments are put together in the order of capture;
 * what was sent twice is taken once, what is missing is counted. */
#include "ctl/capture.h"
#include "base/bytes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define LINK_NULL     0u
#define LINK_ETHERNET 1u
#define LINK_RAW_BSD  12u
#define LINK_RAW      101u
#define LINK_COOKED   113u
#define LINK_COOKED2  276u

static const uint8_t pcapng_magic[4] = {0x0A, 0x0D, 0x0D, 0x0A};

static uint32_t load32(const uint8_t *p, bool swapped)
{
    uint32_t value;
    memcpy(&value, p, 4);
    return swapped ? __builtin_bswap32(value) : value;
}

static bool pcap_order(const uint8_t *data, bool *swapped)
{
    uint32_t magic;
    memcpy(&magic, data, 4);
    *swapped = magic == 0xD4C3B2A1u || magic == 0x4D3CB2A1u;
    return *swapped || magic == 0xA1B2C3D4u || magic == 0xA1B23C4Du;
}

bool capture_is(const uint8_t *data, size_t size)
{
    bool swapped;
    return size >= 24 && (pcap_order(data, &swapped) || memcmp(data, pcapng_magic, 4) == 0);
}

static struct capture_stream *stream_of(struct capture *capture, const uint8_t *key,
                                        uint32_t key_size)
{
    for (uint32_t i = 0; i < capture->count; i++) {
        struct capture_stream *stream = &capture->streams[i];
        if (stream->key_size == key_size && memcmp(stream->key, key, key_size) == 0) {
            return stream;
        }
    }
    if (capture->count == CAPTURE_STREAMS_MAX) {
        return NULL;
    }
    struct capture_stream *stream = &capture->streams[capture->count++];
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
    uint32_t address = (key_size - 4) / 2;
    int family = address == 4 ? AF_INET : AF_INET6;
    memcpy(stream->key, key, key_size);
    stream->key_size = key_size;
    (void)inet_ntop(family, key, from, sizeof from);
    (void)inet_ntop(family, key + address, to, sizeof to);
    (void)snprintf(stream->name, sizeof stream->name, "%s:%u > %s:%u", from,
                   load_be16(key + 2 * address), to, load_be16(key + 2 * address + 2));
    return stream;
}

static void take_segment(struct capture *capture, const uint8_t *key, uint32_t key_size,
                         const uint8_t *tcp, size_t size)
{
    size_t head = (size_t)(tcp[12] >> 4) * 4;
    uint32_t sequence = load_be32(tcp + 4);
    bool syn = (tcp[13] & 2) != 0;
    if (head < 20 || head > size) {
        capture->ignored++;
        return;
    }
    struct capture_stream *stream = stream_of(capture, key, key_size);
    if (stream == NULL) {
        capture->ignored++;
        return;
    }
    const uint8_t *data = tcp + head;
    size_t count = size - head;
    if (syn || !stream->has_sequence) {
        stream->next_sequence = sequence + syn;
        stream->has_sequence = true;
        sequence += syn;
    }
    uint32_t behind = stream->next_sequence - sequence; /* bytes that are there already */
    if (count == 0) {
        return;
    }
    if (behind < 0x80000000u) {
        if (behind >= count) {
            return;
        }
        data += behind;
        count -= behind;
    } else {
        stream->gaps++;
        stream->next_sequence = sequence;
    }
    text_add_bytes(&stream->bytes, data, count);
    stream->next_sequence += (uint32_t)count;
}

static void take_ip(struct capture *capture, const uint8_t *ip, size_t size)
{
    uint8_t key[36];
    size_t head = 0, total = size;
    uint32_t address = 0;
    const uint8_t *addresses = ip;
    if (size >= 20 && ip[0] >> 4 == 4) {
        head = (size_t)(ip[0] & 15) * 4;
        total = load_be16(ip + 2);
        address = ip[9] == 6 && (load_be16(ip + 6) & 0x1FFF) == 0 ? 4 : 0;
        addresses = ip + 12;
    } else if (size >= 40 && ip[0] >> 4 == 6) {
        head = 40;
        total = 40u + load_be16(ip + 4);
        address = ip[6] == 6 ? 16 : 0;
        addresses = ip + 8;
    }
    total = total == 0 || total > size ? size : total; /* 0: left to the network card */
    if (address == 0 || head < 20 || total < head + 20) {
        capture->ignored++;
        return;
    }
    memcpy(key, addresses, (size_t)address * 2);
    memcpy(key + (size_t)address * 2, ip + head, 4);
    take_segment(capture, key, address * 2 + 4, ip + head, total - head);
}

static void take_packet(struct capture *capture, uint32_t link, const uint8_t *data, size_t size)
{
    size_t head = link == LINK_ETHERNET  ? 14
                  : link == LINK_COOKED  ? 16
                  : link == LINK_COOKED2 ? 20
                  : link == LINK_NULL    ? 4
                                         : 0;
    bool known = head > 0 || link == LINK_RAW || link == LINK_RAW_BSD;
    capture->packets++;
    if (link == LINK_ETHERNET) {
        for (int tags = 0; tags < 2 && size >= head + 4 && load_be16(data + head - 2) == 0x8100;
             tags++) {
            head += 4;
        }
    }
    if (!known || size <= head) {
        capture->ignored++;
        return;
    }
    take_ip(capture, data + head, size - head);
}

static void read_pcap(const uint8_t *data, size_t size, bool swapped, struct capture *capture)
{
    uint32_t link = load32(data + 20, swapped) & 0xFFFF;
    size_t at = 24;
    while (size - at >= 16) {
        uint32_t kept = load32(data + at + 8, swapped);
        at += 16;
        if (kept > size - at) {
            capture->ignored++;
            return;
        }
        take_packet(capture, link, data + at, kept);
        at += kept;
    }
}

static bool read_pcapng(const uint8_t *data, size_t size, struct capture *capture)
{
    uint32_t links[32] = {0}, links_count = 0;
    bool swapped = false;
    size_t at = 0;
    while (size - at >= 12) {
        uint32_t order, type;
        memcpy(&type, data + at, 4);
        if (type == 0x0A0D0D0A) {
            memcpy(&order, data + at + 8, 4);
            swapped = order != 0x1A2B3C4D;
            links_count = 0;
        }
        type = load32(data + at, swapped);
        uint32_t total = load32(data + at + 4, swapped);
        if (total < 12 || total % 4 != 0 || total > size - at) {
            return capture->packets > 0;
        }
        const uint8_t *body = data + at + 8;
        uint32_t body_size = total - 12;
        if (type == 1 && body_size >= 8 && links_count < countof(links)) {
            uint16_t link;
            memcpy(&link, body, 2);
            links[links_count++] = swapped ? __builtin_bswap16(link) : link;
        } else if (type == 6 && body_size >= 20) {
            uint32_t interface = load32(body, swapped), kept = load32(body + 12, swapped);
            if (interface < links_count && kept <= body_size - 20) {
                take_packet(capture, links[interface], body + 20, kept);
            }
        } else if (type == 3 && body_size >= 4 && links_count > 0) {
            uint32_t kept = load32(body, swapped);
            take_packet(capture, links[0], body + 4, kept < body_size - 4 ? kept : body_size - 4);
        }
        at += total;
    }
    return true;
}

bool capture_read(const uint8_t *data, size_t size, struct capture *capture, const char **why)
{
    bool swapped;
    if (!capture_is(data, size)) {
        *why = "no capture file";
        return false;
    }
    if (pcap_order(data, &swapped)) {
        read_pcap(data, size, swapped, capture);
        return true;
    }
    *why = "a block of the capture file is broken";
    return read_pcapng(data, size, capture);
}

void capture_free(struct capture *capture)
{
    for (uint32_t i = 0; i < capture->count; i++) {
        text_free(&capture->streams[i].bytes);
    }
}
