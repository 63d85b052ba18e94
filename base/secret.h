/* secret.h - PAN, PIN block and key holders: types that cannot reach a format string by accident,
 * are wiped, masked and compared in constant time. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/base.h"

struct secret_pan { /* 12..19 ASCII digits */
    uint8_t digits[19];
    uint8_t size;
};

void secret_wipe(void *memory, size_t bytes);
bool secret_equal(const void *a, const void *b, size_t bytes); /* constant time */
/* First six and last four digits, the rest '*' (PCI DSS 3.4.1). out holds 20 bytes. */
void secret_pan_mask(const uint8_t *digits, uint32_t size, char out[20]);

/* Empties the vector registers, in which copies and ciphers leave what they last held: after work
 * on secrets, before the thread waits. A dump shows them although the memory is hidden. */
void secret_clear_registers(void);

#endif
