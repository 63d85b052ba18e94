/* reason.h - why a decision came out as it did: rows of reason.def, in order of precedence. */
#ifndef LEDGER_REASON_H
#define LEDGER_REASON_H

#include "base/base.h"

enum ledger_reason {
#define REASON(name, de39, text) LEDGER_REASON_##name,
#include "ledger/reason.def"
#undef REASON
    LEDGER_REASONS_COUNT
};

const char *ledger_reason_name(uint16_t reason); /* "NO_FUNDS"; of an unknown number: "?" */
const char *ledger_reason_text(uint16_t reason); /* "not enough funds" */
const char *ledger_reason_de39(uint16_t reason); /* "51"; SCHEME: two blanks */

const char *ledger_txn_state_text(uint16_t state); /* "decided", "open", "unknown", … */

#endif
