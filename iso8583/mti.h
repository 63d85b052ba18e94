/* mti.h - message type indicators, ISO 8583:1987 4.1.1, :1993 4.1.1, :2003 4.1.1. */
#ifndef ISO8583_MTI_H
#define ISO8583_MTI_H

#include "iso8583/iso.h"

enum iso_version { ISO_VERSION_1987 = '0', ISO_VERSION_1993 = '1', ISO_VERSION_2003 = '2' };

/* Four digits whose third is even: something that may want an answer. */
static inline bool iso_mti_is_request(const char mti[4])
{
    return bytes_are_digits((const uint8_t *)mti, 4) && ((unsigned)mti[2] & 1u) == 0;
}
static inline bool iso_mti_is_response(const char mti[4])
{
    return bytes_are_digits((const uint8_t *)mti, 4) && ((unsigned)mti[2] & 1u) == 1;
}
/* Fourth digit odd: a repeat. */
static inline bool iso_mti_is_repeat(const char mti[4])
{
    return ((unsigned)mti[3] & 1u) == 1;
}
static inline bool iso_mti_is_advice(const char mti[4])
{
    return mti[2] == '2' || mti[2] == '3';
}
static inline bool iso_mti_is_network(const char mti[4])
{
    return mti[1] == '8';
}
static inline bool iso_mti_is_reversal(const char mti[4])
{
    return mti[1] == '4';
}
/* Third digit + 1, fourth 0: 0100, 0101 -> 0110; 0421 -> 0430. False when it is no request. */
NODISCARD bool iso_mti_response(const char request[4], char response[4]);
/* "authorization request": for people, from tables of the standard; out holds 96 bytes. */
void iso_mti_describe(const char mti[4], char *out, size_t out_size);

#endif
