/* mix.h - steps against a running daemon: messages, expected answers, expected money.
 *
 * A step is a JSON object on a line of its file:
 *   name        what the table shows; other steps refer to it
 *   send        MTI; the usual fields are filled in: 3, 4, 7, 11, 12, 13, 18, 22, 25, 32, 37, 41,
 * 42, 49 card | pan  DE2: card k of the demo, or digits fields      {"4":"…"} sets, null removes;
 * objects for sub-fields like        a step: its fields, as they were sent, are the start; its
 * STAN, DE7 and RRN too fresh       with like: DEs that are made anew, ["7","11","12","13"]
 *   reverses    a step: like it, fresh, with DE90 of it; remains: minor units, DE95
 *   pin, cvv2, track2   "good", "bad", or digits: DE52, DE48.92, DE35
 *   corrupt     {"field":"4","with":"X"}: that field's first bytes are overwritten
 *   link        1 or 2; later: true leaves the answer to a step with `wait`
 *   control     a command of ringctl instead of a message, with args; settle: true waits until
 * every stored message is acknowledged; wait: a step whose answer is due now expect
 * {"39":"00","44":"…"}: fields of the answer, null: absent, "*": present; the rules that hold for
 * every answer are checked besides. "silence": true, no answer comes same_as     a step: the answer
 * has the very same bytes effect      {"card":[balance, held],"settlement/acquirer":[…]}: changes,
 * minor units; whatever is not named must not change exception   kind that `exceptions list` shows
 * for this RRN afterwards reason      text that `txn show` gives for it */
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
