/* pipeline.c - see pipeline.h. */
#include "switch/state.h"

#include <string.h>

static stage_function *const functions[STAGES_COUNT] = {
#define STAGE(name, function, help) [STAGE_##name] = (function),
#include "switch/pipeline.def"
#undef STAGE
};

void pipeline_run(struct worker *worker, struct txn *txn)
{
    /* Only MATCH and OUTCOME go back, to FORWARD, and each of those waits: this loop ends. */
    for (;;) {
        must(txn->stage < STAGES_COUNT);
        switch (functions[txn->stage](worker, txn)) {
        case STAGE_NEXT:
            txn->stage++;
            break;
        case STAGE_WAIT:
            must(txn->is_open);
            return;
        case STAGE_TO_REPLY:
            txn->stage = STAGE_REPLY;
            break;
        case STAGE_DROP:
            txn_release(worker, txn);
            return;
        }
    }
}

const char *pipeline_stage_text(enum stage stage)
{
    static const char *const texts[STAGES_COUNT] = {
#define STAGE(name, function, help) [STAGE_##name] = #name,
#include "switch/pipeline.def"
#undef STAGE
    };
    return stage < STAGES_COUNT ? texts[stage] : "?";
}

void pipeline_refuse(struct txn *txn, const char de39[2], const char *de44)
{
    struct ledger_reply reply = {.de44_size = (uint8_t)strlen(de44)};
    must(reply.de44_size <= sizeof reply.de44);
    memcpy(reply.de39, de39, 2);
    memcpy(reply.de44, de44, reply.de44_size);
    txn->reply = reply;
}
