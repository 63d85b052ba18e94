/* key_check.h - what a TDES key must be before it may enter the token, which checks nothing. */
#ifndef HSM_KEY_CHECK_H
#define HSM_KEY_CHECK_H

#include "base/base.h"

/* NULL when the value is good: 16 or 24 bytes, odd parity, no two neighbouring halves equal, no
 * weak or semi-weak half. Otherwise one constant text for people. */
const char *hsm_key_fault(const uint8_t *key, size_t size);
/* First three bytes of E(0), TDES of 16 or 24 bytes. */
void hsm_key_kcv(const uint8_t *key, size_t size, uint8_t kcv[3]);

#endif
