/* mti.c - message type indicators. */
#include "iso8583/mti.h"

#include <stdio.h>

bool iso_mti_response(const char request[4], char response[4])
{
    if (!iso_mti_is_request(request))
        return false;
    response[0] = request[0];
    response[1] = request[1];
    response[2] = (char)(request[2] + 1);
    response[3] = '0';
    return true;
}

void iso_mti_describe(const char mti[4], char *out, size_t out_size)
{
    static const char *const versions[] = {"1987", "1993", "2003"};
    static const char *const classes[] = {
        "reserved (0)",   "authorization",  "financial",      "file action",        "reversal",
        "reconciliation", "administrative", "fee collection", "network management", "reserved (9)"};
    static const char *const functions[] = {"request",      "request response",
                                            "advice",       "advice response",
                                            "notification", "notification acknowledgement",
                                            "instruction",  "instruction acknowledgement",
                                            "reserved (8)", "negative acknowledgement"};
    if (!bytes_are_digits((const uint8_t *)mti, 4)) {
        (void)snprintf(out, out_size, "no message type");
        return;
    }
    unsigned version = (unsigned)(mti[0] - '0');
    (void)snprintf(out, out_size, "ISO 8583:%s %s %s%s",
                   version < countof(versions) ? versions[version] : "national or private",
                   classes[mti[1] - '0'], functions[mti[2] - '0'],
                   iso_mti_is_repeat(mti) ? ", repeat" : "");
}
