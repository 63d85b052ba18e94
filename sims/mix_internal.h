/* mix_internal.h - what the files of the mix share. */
#ifndef SIMS_MIX_INTERNAL_H
#define SIMS_MIX_INTERNAL_H

#include "ctl/client.h"
#include "sims/caller.h"
#include "sims/demo_card.h"
#include "sims/message.h"
#include "sims/mix.h"

#define MIX_STEPS_MAX    512u
#define MIX_LINKS        2u
#define MIX_ACCOUNTS_MAX 512u
#define MIX_MESSAGE_MAX  2048u
#define MIX_ANSWER_MS    8000

struct mix_account { /* as last seen, and what the steps let us expect */
    char name[64];
    int64_t balance_minor, held_minor;
};

struct mix_step {
    json_t *row;   /* of the file */
    uint32_t line; /* in the file */
    const char *name;
    json_t *fields; /* as sent */
    char mti[5];
    uint8_t sent[MIX_MESSAGE_MAX], answer[MIX_MESSAGE_MAX];
    uint32_t sent_size, answer_size; /* 0: none */
    int64_t took_us, sent_ns;
    char account[64]; /* of its card; "" when it has none */
    char effect[256]; /* for the table */
    char route[24], reason[64], decision[16];
    char problem[512]; /* "" when all was as expected */
};

struct mix {
    const struct mix_options *options;
    struct iso_dialect *dialect;
    struct demo_keys keys;
    struct caller callers[MIX_LINKS];
    struct ctl_client client;
    struct mix_step *steps;
    uint32_t steps_count;
    struct mix_account *accounts;
    uint32_t accounts_count;
    uint32_t stan;
    uint64_t rrn;
};

/* mix_message.c: fills step->fields, sent; false: problem says why. */
NODISCARD bool mix_build(struct mix *mix, struct mix_step *step);
struct mix_step *mix_find(struct mix *mix, const char *name);

/* mix_check.c: notes the first thing that is wrong in step->problem. */
void mix_problem(struct mix_step *step, const char *format, ...) PRINTF(2, 3);
void mix_check_answer(struct mix *mix, struct mix_step *step, const struct mix_step *request);

/* mix_ledger.c: what the daemon says of the money. */
void mix_call(struct mix *mix, struct mix_step *step, const char *command, json_t *args,
              struct ctl_answer *answer);
NODISCARD bool mix_watch_all(struct mix *mix, char *text, size_t text_size);
void mix_check_effect(struct mix *mix, struct mix_step *step);
void mix_check_records(struct mix *mix, struct mix_step *step); /* route, reason, exception */
void mix_check_books(struct mix *mix, struct mix_step *step);   /* verify, trial balance, saf */

#endif
