/* demo_card.h - the demo's cards as a client sees them: PANs, PINs, PIN blocks, PVV, CVV2, track 2,
 * computed with OpenSSL from the demo's published keys. */
#ifndef SIMS_DEMO_CARD_H
#define SIMS_DEMO_CARD_H

#include "base/base.h"

#define DEMO_CARDS_MAX 300u

struct demo_keys { /* double length, published */
    uint8_t zone_pin[16], pvk[16], cvk[16];
};
/* FILE of `label: HEX` lines. False: `text` says why. */
NODISCARD bool demo_keys_read(const char *path, struct demo_keys *keys, char *text,
                              size_t text_size);

void demo_pan(uint32_t card, char out[17]); /* of our BIN, with its Luhn digit */
void demo_pin(uint32_t card, char out[5]);  /* 1000 + card */
/* ISO 9564 format 0 under the acquirer's zone key. pin: 4 to 12 digits. */
void demo_pin_block(const struct demo_keys *keys, const char *pan, const char *pin, uint8_t out[8]);
void demo_pvv(const struct demo_keys *keys, const char *pan, const char *pin, char out[5]);
/* service_code "000": CVV2; "201": CVV; "999": iCVV. */
void demo_cvv(const struct demo_keys *keys, const char *pan, const char *expiry,
              const char *service_code, char out[4]);
/* PAN=YYMM201 1 PVV CVV: 37 characters and NUL. */
void demo_track2(const struct demo_keys *keys, uint32_t card, const char *expiry, char out[38]);

#endif
