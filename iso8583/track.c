/* track.c - magnetic stripe tracks 1 and 2, ISO/IEC 7813. */
#include "iso8583/emv.h"

static struct span part(struct span text, uint32_t from, uint32_t size)
{
    return (struct span){text.data + from, size};
}

/* Expiry (4) and service code (3) are each replaced by one separator when the card has none. */
static bool take_dates(struct span text, uint32_t at, bool (*is_separator)(uint8_t),
                       struct span *expiry, struct span *service_code, struct span *rest)
{
    const struct {
        struct span *out;
        uint32_t size;
    } parts[] = {{expiry, 4}, {service_code, 3}};
    for (uint32_t i = 0; i < countof(parts); i++) {
        *parts[i].out = (struct span){text.data + at, 0};
        if (at < text.size && is_separator(text.data[at])) {
            at++;
            continue;
        }
        if (text.size - at < parts[i].size || !bytes_are_digits(text.data + at, parts[i].size))
            return false;
        *parts[i].out = part(text, at, parts[i].size);
        at += parts[i].size;
    }
    *rest = part(text, at, text.size - at);
    return true;
}

static bool is_track2_separator(uint8_t c)
{
    return c == '=' || c == 'D';
}

static bool is_track1_separator(uint8_t c)
{
    return c == '^';
}

enum iso_err iso_track2_parse(struct span text, struct iso_track2 *out)
{
    struct iso_track2 track;
    uint32_t at = 0;
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    if (at < 8 || at > 19 || at == text.size || text.size > 37 ||
        !is_track2_separator(text.data[at]))
        return ISO_TRACK;
    track.pan = part(text, 0, at);
    if (!take_dates(text, at + 1, is_track2_separator, &track.expiry, &track.service_code,
                    &track.discretionary))
        return ISO_TRACK;
    for (uint32_t i = 0; i < track.discretionary.size; i++) {
        uint8_t c = track.discretionary.data[i];
        if ((c < '0' || c > '?') && c != 'D')
            return ISO_TRACK;
    }
    *out = track;
    return ISO_OK;
}

enum iso_err iso_track1_parse(struct span text, struct iso_track1 *out)
{
    struct iso_track1 track;
    if (text.size < 4 || text.size > 76 || text.data[0] < 'A' || text.data[0] > 'Z')
        return ISO_TRACK;
    track.format = (char)text.data[0];
    uint32_t at = 1;
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    if (at < 9 || at > 20 || at == text.size || text.data[at] != '^')
        return ISO_TRACK;
    track.pan = part(text, 1, at - 1);
    uint32_t name = ++at;
    while (at < text.size && text.data[at] != '^')
        at++;
    if (at == text.size || at - name > 26)
        return ISO_TRACK;
    track.name = part(text, name, at - name);
    if (!take_dates(text, at + 1, is_track1_separator, &track.expiry, &track.service_code,
                    &track.discretionary))
        return ISO_TRACK;
    *out = track;
    return ISO_OK;
}
