/* adapter.h - what the switch has to know of a kind of counterparty, and its messages.
 *
 * DESIGN  A row of adapter.def says how it behaves; the functions turn one of our transactions into
 * its message and read its answers, by the endpoint's dialect. Values pass in canonical form
 * (iso8583/msg.h), so both sides may speak different dialects. No state, no allocation; any thread.
 * iso_host.c does it for every host whose dialect says it all. */
#ifndef ADAPTERS_ADAPTER_H
#define ADAPTERS_ADAPTER_H

#include "iso8583/build.h"
#include "iso8583/dialect.h"
#include "iso8583/parse.h"
#include "ledger/ledger.h"

struct adapter {
    const char *name;    /* "iso-host": parties.yaml */
    const char *dialect; /* when parties.yaml names none */
    enum ledger_silence silence;
    uint16_t reversal_mti; /* 420 or 400 */
    bool sign_on;
    const char *technical; /* pairs of characters */
    const char *help;
};

enum adapter_id {
#define ADAPTER(name, text, dialect, silence, reversal_mti, sign_on, technical, help)              \
    ADAPTER_##name,
#include "adapters/adapter.def"
#undef ADAPTER
    ADAPTERS_COUNT
};
const struct adapter *adapter_at(enum adapter_id id);
const struct adapter *adapter_by_name(const char *name); /* NULL when there is none */

/* ---- our request to it ----------------------------------------------------------------------- */

struct adapter_leg { /* what is ours in a message that we send */
    uint64_t de7;    /* MMDDhhmmss as a number */
    uint32_t stan;
    const char *institution; /* DE33; "" = none */
    const uint8_t *rrn;      /* DE37, 12 bytes; NULL = as in the message */
};

/* The forwarded leg of `msg`: its fields, but for ours. MTI without the repeat digit. DE52, 53, 64
 * and 128 never pass. Writes the message (no frame) and its size. */
NODISCARD enum iso_err adapter_request_build(const struct iso_dialect *from,
                                             const struct iso_msg *msg,
                                             const struct iso_dialect *to,
                                             const struct adapter_leg *leg, uint8_t *buffer,
                                             size_t buffer_size, uint32_t *size);

/* A stored reversal or advice. pan: canonical digits. */
NODISCARD enum iso_err adapter_stored_build(const struct ledger_saf_item *item,
                                            const struct iso_dialect *to, struct span pan,
                                            const char *institution, uint8_t *buffer,
                                            size_t buffer_size, uint32_t *size);

/* 0800 with DE70 `code`: 1 sign-on, 2 sign-off, 301 echo. */
NODISCARD enum iso_err adapter_network_build(const struct iso_dialect *to, uint16_t code,
                                             const struct adapter_leg *leg, uint8_t *buffer,
                                             size_t buffer_size, uint32_t *size);

/* ---- its answers ------------------------------------------------------------------------------
 */

struct adapter_answer {
    uint64_t de7;
    uint32_t stan;
    int64_t amount_minor; /* DE39 10: the part that it approved, else 0 */
    uint8_t de39[2];
    uint8_t de38[6];
    bool has_de38;
    enum ledger_outcome outcome;
};
/* False: it lacks DE7, 11 or 39 and answers nothing. */
NODISCARD bool adapter_answer_read(const struct adapter *adapter, const struct iso_dialect *dialect,
                                   const struct iso_msg *msg, struct adapter_answer *answer);

/* ---- what is kept of a message, to say it again ------------------------------------------------
 */

/* Fills relay->size and fields: {DE, size, canonical bytes}… of everything that is neither PAN nor
 * sensitive. pan_sealed is the caller's. False: it does not fit. */
NODISCARD bool adapter_relay_fill(const struct iso_dialect *dialect, const struct iso_msg *msg,
                                  struct ledger_relay *relay);

#endif
