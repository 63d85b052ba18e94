/* iso_host.c - any host whose ISO 8583 messages its dialect file describes in full.
 *
 * DESIGN  A message of ours is a draft of canonical values, or of wire bytes where both sides speak
 * the same dialect; the codec does the rest. What a counterparty must never see of another's leg
 * (its PIN block under the wrong key, its MAC, its transmission identity) is left out here, in one
 * place.
 *
 * Runs on any worker; bound: a message of LIMIT_FRAME_BYTES_MAX. */
#include "adapters/adapter.h"

#include "base/bytes.h"
#include "iso8583/mti.h"

/* Canonical text of one message: packed digits take twice their bytes. */
#define CANONICAL_BYTES (2u * LIMIT_FRAME_BYTES_MAX)

struct scratch {
    uint32_t used;
    uint8_t bytes[CANONICAL_BYTES];
};

static bool draft_field(struct iso_draft *draft, const struct iso_dialect *from,
                        const struct iso_msg *msg, const struct iso_dialect *to, uint32_t de,
                        struct scratch *scratch);
static void draft_leg(struct iso_draft *draft, const struct adapter_leg *leg, char de7[10],
                      char de11[6]);

enum { DE_RRN = 37 };

static bool is_ours(uint32_t de, const struct adapter_leg *leg)
{
    switch (de) {
    case 7:  /* transmission date and time */
    case 11: /* STAN */
    case 33: /* forwarding institution */
    case 52: /* under the acquirer's zone key */
    case 53: /* and what says which */
    case 64: /* MAC under the acquirer's key */
    case 128:
    case 90: /* names the acquirer's leg, which the counterparty never saw */
        return true;
    case DE_RRN:
        return leg->rrn != NULL;
    default:
        return false;
    }
}

enum iso_err adapter_request_build(const struct iso_dialect *from, const struct iso_msg *msg,
                                   const struct iso_dialect *to, const struct adapter_leg *leg,
                                   uint8_t *buffer, size_t buffer_size, uint32_t *size)
{
    char mti[4];
    memcpy(mti, msg->mti, sizeof mti);
    mti[3] = '0'; /* it is the first time that we say it */
    struct iso_draft draft;
    iso_draft_init(&draft, mti);
    struct scratch scratch;
    scratch.used = 0;
    for (uint32_t de = iso_msg_next(msg, 1); de != 0; de = iso_msg_next(msg, de)) {
        if (!is_ours(de, leg) && !draft_field(&draft, from, msg, to, de, &scratch)) {
            return ISO_VALUE;
        }
    }
    char de7[10], de11[6];
    draft_leg(&draft, leg, de7, de11);
    struct iso_layout layout;
    enum iso_err err = iso_build(to, &draft, buffer, buffer_size, &layout, NULL);
    if (err == ISO_OK) {
        *size = layout.size;
    }
    return err;
}

/* False: the value cannot be said in the other dialect, or at all. A field that the other dialect
 * does not have is left out. */
static bool draft_field(struct iso_draft *draft, const struct iso_dialect *from,
                        const struct iso_msg *msg, const struct iso_dialect *to, uint32_t de,
                        struct scratch *scratch)
{
    if (from == to) {
        iso_draft_copy(draft, msg, de);
        return true;
    }
    if (iso_dialect_field(to, de) == NULL) {
        return true;
    }
    size_t value_size;
    char *value = (char *)scratch->bytes + scratch->used;
    if (!iso_msg_text(from, msg, de, value, sizeof scratch->bytes - scratch->used, &value_size)) {
        return false;
    }
    scratch->used += (uint32_t)value_size;
    iso_draft_text(draft, de, value, (uint32_t)value_size);
    return true;
}

static void draft_leg(struct iso_draft *draft, const struct adapter_leg *leg, char de7[10],
                      char de11[6])
{
    bytes_put_number((uint8_t *)de7, 10, leg->de7);
    bytes_put_number((uint8_t *)de11, 6, leg->stan);
    iso_draft_text(draft, 7, de7, 10);
    iso_draft_text(draft, 11, de11, 6);
    if (leg->institution[0] != '\0') {
        iso_draft_text(draft, 33, leg->institution, (uint32_t)strlen(leg->institution));
    }
    if (leg->rrn != NULL) {
        iso_draft_text(draft, DE_RRN, leg->rrn, 12);
    }
}

/* ---- stored messages ---------------------------------------------------------------------------
 */

struct stored_text { /* what the draft points at until it is built */
    char de4[12], de7[10], de11[6], de90[42], de95[42];
};

/* ISO 8583:1987 4.3.62: MTI, STAN, date and time, then the institutions right-justified. */
static void original_put(const struct ledger_saf_item *item, const char *institution, char out[42])
{
    uint8_t *to = (uint8_t *)out;
    bytes_put_number(to, 4, item->original_mti);
    bytes_put_number(to + 4, 6, item->original_stan);
    bytes_put_number(to + 10, 10, item->original_de7);
    bytes_put_number(to + 20, 11, item->original_de32);
    memset(to + 31, '0', 11);
    size_t digits = strlen(institution);
    must(digits <= 11);
    for (size_t i = 0; i < digits; i++) {
        out[42 - digits + i] = institution[i];
    }
}

/* ISO 8583:1987 4.3.67: what remains, in the currency of the transaction; nothing else is said. */
static void remains_put(int64_t remains_minor, char out[42])
{
    bytes_put_number((uint8_t *)out, 12, (uint64_t)remains_minor);
    memset(out + 12, '0', 30);
    out[24] = 'C';
    out[33] = 'C';
}

static bool is_blank(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ' ' && text[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The kept fields; false when the relay is not what adapter_relay_fill() writes. */
static bool draft_relay(struct iso_draft *draft, const struct ledger_saf_item *item,
                        const struct iso_dialect *to)
{
    const struct ledger_relay *relay = &item->relay;
    if (relay->size > sizeof relay->fields) {
        return false;
    }
    for (uint32_t at = 0; at < relay->size;) {
        if (relay->size - at < 2u || relay->size - at - 2u < relay->fields[at + 1]) {
            return false;
        }
        uint8_t de = relay->fields[at];
        uint8_t value_size = relay->fields[at + 1];
        bool of_advice_only = de == 39 || de == 54;
        if (!(item->is_reversal && of_advice_only) && iso_dialect_field(to, de) != NULL) {
            iso_draft_text(draft, de, relay->fields + at + 2, value_size);
        }
        at += 2u + value_size;
    }
    return true;
}

enum iso_err adapter_stored_build(const struct ledger_saf_item *item, const struct iso_dialect *to,
                                  struct span pan, const char *institution, uint8_t *buffer,
                                  size_t buffer_size, uint32_t *size)
{
    char mti[4];
    bytes_put_number((uint8_t *)mti, 4, item->mti + (item->sends_count > 1 ? 1u : 0u));
    struct iso_draft draft;
    iso_draft_init(&draft, mti);
    if (!draft_relay(&draft, item, to)) {
        return ISO_VALUE;
    }
    struct stored_text text;
    struct adapter_leg leg = {.de7 = item->de7, .stan = item->stan, .institution = institution};
    if (!is_blank(item->rrn, sizeof item->rrn)) {
        leg.rrn = item->rrn;
    }
    draft_leg(&draft, &leg, text.de7, text.de11);
    iso_draft_text(&draft, 2, pan.data, pan.size);
    bytes_put_number((uint8_t *)text.de4, 12, (uint64_t)item->amount_minor);
    iso_draft_text(&draft, 4, text.de4, 12);
    if (item->is_reversal) {
        original_put(item, institution, text.de90);
        iso_draft_text(&draft, 90, text.de90, 42);
    }
    if (item->has_remains) {
        remains_put(item->remains_minor, text.de95);
        iso_draft_text(&draft, 95, text.de95, 42);
    }
    struct iso_layout layout;
    enum iso_err err = iso_build(to, &draft, buffer, buffer_size, &layout, NULL);
    if (err == ISO_OK) {
        *size = layout.size;
    }
    return err;
}

enum iso_err adapter_network_build(const struct iso_dialect *to, uint16_t code,
                                   const struct adapter_leg *leg, uint8_t *buffer,
                                   size_t buffer_size, uint32_t *size)
{
    struct iso_draft draft;
    iso_draft_init(&draft, "0800");
    char de7[10], de11[6], de70[3];
    draft_leg(&draft, leg, de7, de11);
    bytes_put_number((uint8_t *)de70, 3, code);
    iso_draft_text(&draft, 70, de70, 3);
    struct iso_layout layout;
    enum iso_err err = iso_build(to, &draft, buffer, buffer_size, &layout, NULL);
    if (err == ISO_OK) {
        *size = layout.size;
    }
    return err;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static enum ledger_outcome outcome_of(const struct adapter *adapter, const uint8_t de39[2])
{
    static const char approved[][2] = {"00", "10", "85"};
    for (uint32_t i = 0; i < countof(approved); i++) {
        if (memcmp(de39, approved[i], 2) == 0) {
            return LEDGER_OUTCOME_APPROVED;
        }
    }
    for (const char *code = adapter->technical; code[0] != '\0'; code += 2) {
        if (memcmp(de39, code, 2) == 0) {
            return LEDGER_OUTCOME_TECHNICAL;
        }
    }
    return LEDGER_OUTCOME_DECLINED;
}

bool adapter_answer_read(const struct adapter *adapter, const struct iso_dialect *dialect,
                         const struct iso_msg *msg, struct adapter_answer *answer)
{
    int64_t de7, de11;
    char text[8];
    size_t size;
    if (!iso_msg_number(dialect, msg, 7, &de7) || !iso_msg_number(dialect, msg, 11, &de11)) {
        return false;
    }
    struct adapter_answer read = {.de7 = (uint64_t)de7, .stan = (uint32_t)de11};
    bool has_de39 = iso_msg_text(dialect, msg, 39, text, sizeof text, &size) && size == 2;
    if (!has_de39) {
        /* 0810 without DE39 is seen in the field; a financial answer without it answers nothing. */
        if (!iso_mti_is_network(msg->mti)) {
            return false;
        }
        text[0] = text[1] = '0';
    }
    memcpy(read.de39, text, 2);
    read.outcome = outcome_of(adapter, read.de39);
    if (iso_msg_text(dialect, msg, 38, text, sizeof text, &size) && size == 6) {
        memcpy(read.de38, text, 6);
        read.has_de38 = true;
    }
    if (memcmp(read.de39, "10", 2) == 0 && !iso_msg_number(dialect, msg, 4, &read.amount_minor)) {
        return false; /* part of what? */
    }
    *answer = read;
    return true;
}

/* ---- relay -------------------------------------------------------------------------------------
 */

/* PCI DSS 3.3: tracks, CVV2, PIN blocks and chip data are never kept; 2 is sealed by the caller; 4,
 * 7, 11, 33, 37, 90, 95 come with the stored message. */
static const uint8_t kept[] = {3,  12, 13, 14, 15, 18, 19, 22, 23,  25,
                               32, 38, 39, 41, 42, 43, 49, 54, 102, 103};

bool adapter_relay_fill(const struct iso_dialect *dialect, const struct iso_msg *msg,
                        struct ledger_relay *relay)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < countof(kept); i++) {
        if (!iso_msg_has(msg, kept[i])) {
            continue;
        }
        size_t size;
        char text[256];
        if (!iso_msg_text(dialect, msg, kept[i], text, 255, &size) ||
            used + 2u + size > sizeof relay->fields) {
            return false;
        }
        relay->fields[used] = kept[i];
        relay->fields[used + 1] = (uint8_t)size;
        memcpy(relay->fields + used + 2, text, size);
        used += 2u + (uint32_t)size;
    }
    relay->size = (uint16_t)used;
    return true;
}
