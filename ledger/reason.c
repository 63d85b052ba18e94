/* reason.c - names of reasons and states, from their tables. Any thread; constant data only. */
#include "ledger/reason.h"

#include "ledger/row.h"

static const struct {
    const char *name, *de39, *text;
} reasons[LEDGER_REASONS_COUNT] = {
#define REASON(name, de39, text) {#name, de39, text},
#include "ledger/reason.def"
#undef REASON
};

static const char *const states[] = {
    [LEDGER_TXN_NONE] = "none",         [LEDGER_TXN_DECIDED] = "decided",
    [LEDGER_TXN_OPEN] = "open",         [LEDGER_TXN_UNKNOWN] = "unknown",
    [LEDGER_TXN_RESOLVED] = "resolved", [LEDGER_TXN_TOMBSTONE] = "before its original",
};

const char *ledger_reason_name(uint16_t reason)
{
    return reason < LEDGER_REASONS_COUNT ? reasons[reason].name : "?";
}

const char *ledger_reason_text(uint16_t reason)
{
    return reason < LEDGER_REASONS_COUNT ? reasons[reason].text : "?";
}

const char *ledger_reason_de39(uint16_t reason)
{
    must(reason < LEDGER_REASONS_COUNT);
    return reasons[reason].de39;
}

const char *ledger_txn_state_text(uint16_t state)
{
    return state < countof(states) ? states[state] : "?";
}
