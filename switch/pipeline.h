/* pipeline.h - runs a transaction through the stages of pipeline.def until it waits or ends. */
#ifndef SWITCH_PIPELINE_H
#define SWITCH_PIPELINE_H

#include "switch/txn.h"

enum stage_result { STAGE_NEXT, STAGE_WAIT, STAGE_TO_REPLY, STAGE_DROP };

typedef enum stage_result stage_function(struct worker *worker, struct txn *txn);

#define STAGE(name, function, help) stage_function function;
#include "switch/pipeline.def"
#undef STAGE

/* From txn->stage on. The slot may be given back before it returns. */
void pipeline_run(struct worker *worker, struct txn *txn);
const char *pipeline_stage_text(enum stage stage); /* "parse" */

/* The worker's own answers: nothing is stored. de44 may be "". */
void pipeline_refuse(struct txn *txn, const char de39[2], const char *de44);

#endif
