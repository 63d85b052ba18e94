/* load.h - requests as frames that are rendered once and patched; answers read just as far as
 * needed. Everything for the dialect iso87-ascii. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/bytes.h"

#define LOAD_TEMPLATES_MAX 64u
#define LOAD_FRAME_MAX     1024u

struct load_template {
    uint8_t message[LOAD_FRAME_MAX];
    uint32_t size;
    uint32_t weight;                                    /* of the mix */
    bool has_card;                                      /* DE2 is one of our cards, by turns */
    uint16_t pan, de7, stan, de12, de13, rrn, terminal; /* offsets; 0 = not there */
};
struct load_mix {
    struct load_template *templates;
    uint32_t count, weight_sum;
};
/* path: JSON lines {"weight":N,"mti":…,"fields":{…}}, "2":"card" for our cards by turns; NULL: the
 * default purchase of 0.01. dialects: folders of the dialect. False: `text` says why. */
NODISCARD bool load_mix_read(const char *path, const char *dialects, struct load_mix *mix,
                             char *text, size_t text_size);

struct load_stamp { /* what is patched into every message of a second */
    uint8_t de7[10], de12[6], de13[4];
};
void load_stamp_now(struct load_stamp *stamp);

/* PAN of card k of our BIN, 16 digits with its Luhn digit. */
void load_card_pan(uint64_t card, uint8_t out[16]);

/* STAN and DE39 of an answer; false: no such message. de39 becomes "--" when it has none. */
NODISCARD bool load_answer_read(const uint8_t *message, uint32_t size, uint32_t *stan,
                                uint8_t de39[2]);

#endif
