/* mix.h - steps against a running daemon: messages, expected answers, expected money.
 *
 * A step is a JSON object on a line of its file; sims/mix/demo.jsonl says what may stand in it. */
#ifndef SIMS_MIX_H
#define SIMS_MIX_H

#include "base/base.h"

struct mix_options {
    const char *file, *connect, *socket, *keys, *dialects, *only;
};
/* 0 everything was as expected; 1 something was not; 2 wrong usage or environment. */
int mix_run(const struct mix_options *options);
/* The demo's cards, one line each for `ringctl card import`. */
int mix_print_cards(const struct mix_options *options);

#endif
