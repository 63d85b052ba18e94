/* mac.c - which bytes of a message its MAC covers. */
#include "iso8583/program.h"

static uint32_t mac_field(const struct iso_msg *msg)
{
    return iso_msg_has(msg, 128) ? 128 : iso_msg_has(msg, 64) ? 64 : 0;
}

bool iso_mac_span(const struct iso_dialect *dialect, const struct iso_msg *msg,
                  struct span *covered, struct span *mac)
{
    uint32_t de = mac_field(msg);
    if (de == 0 || !dialect->mac.to_field)
        return false;
    uint32_t from = dialect->mac.include_header ? 0 : msg->mti_offset;
    uint32_t to = msg->fields[de].offset - (uint32_t)msg->fields[de].prefix;
    *covered = (struct span){msg->frame + from, to - from};
    *mac = iso_msg_field(msg, de);
    return true;
}

bool iso_mac_gather(const struct iso_dialect *dialect, const struct iso_msg *msg, uint8_t *out,
                    size_t out_size, size_t *size)
{
    struct span covered, mac;
    size_t used = 0;
    if (iso_mac_span(dialect, msg, &covered, &mac)) {
        if (covered.size > out_size)
            return false;
        memcpy(out, covered.data, covered.size);
        *size = covered.size;
        return true;
    }
    if (dialect->mac.to_field)
        return false;
    if (dialect->mac.include_header) {
        if (msg->header_size > out_size)
            return false;
        if (msg->header_size > 0)
            memcpy(out, msg->frame, msg->header_size);
        used = msg->header_size;
    }
    for (uint32_t i = 0; i < dialect->mac.count; i++) {
        uint32_t de = dialect->mac.fields[i];
        struct span bytes = {(const uint8_t *)msg->mti, 4};
        if (de == 0)
            bytes = (struct span){msg->frame + msg->mti_offset,
                                  (uint32_t)(msg->bitmap_offset - msg->mti_offset)};
        else if (de == 1)
            return false;
        else
            bytes = iso_msg_field(msg, de);
        if (bytes.size > out_size - used)
            return false;
        if (bytes.size > 0)
            memcpy(out + used, bytes.data, bytes.size);
        used += bytes.size;
    }
    *size = used;
    return true;
}
