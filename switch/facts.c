/* facts.c - from the fields of a well-formed request to the fact row that everything is decided
 * from.
 *
 * DESIGN  Each fact is a number or fixed text in canonical form, so what follows knows no dialect.
 * Absent facts are zero, "unknown" in the contract's words. Nothing of the PIN block, the track or
 * CVV2 enters the row; they stay in the slot for secure.c.
 *
 * Runs on the transaction's worker. */
#include "switch/state.h"

#include "iso8583/emv.h"

#include <string.h>

static void take_amounts(struct txn *txn);
static void take_times(struct txn *txn);
static void take_texts(struct worker *worker, struct txn *txn);
static void take_private(struct txn *txn);
static void take_original(struct txn *txn);
static void take_expiry(struct txn *txn);

/* 0 when absent: the codec has checked that what is there is digits. */
static uint64_t number_of(const struct txn *txn, uint32_t de)
{
    int64_t number;
    return iso_msg_number(txn->dialect, &txn->msg, de, &number) ? (uint64_t)number : 0;
}

/* False when absent; blanks fill what is left. */
static bool text_of(const struct txn *txn, uint32_t de, uint8_t *out, size_t out_size)
{
    size_t size = 0;
    memset(out, ' ', out_size);
    return iso_msg_text(txn->dialect, &txn->msg, de, (char *)out, out_size, &size);
}

enum stage_result stage_facts(struct worker *worker, struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    memset(request, 0, sizeof *request);
    uint32_t mti = screen_mti(txn->msg.mti);
    request->mti = (uint16_t)mti;
    request->class = txn->class;
    request->party = txn->party;
    request->de3 = (uint32_t)number_of(txn, 3);
    request->stan = (uint32_t)number_of(txn, 11);
    request->de32 = number_of(txn, 32);
    request->currency = (uint16_t)number_of(txn, 49);
    request->mcc = (uint16_t)number_of(txn, 18);
    request->entry_mode = (uint16_t)number_of(txn, 22);
    request->condition = (uint8_t)number_of(txn, 25);
    request->flags |= mti % 2 == 1 ? LEDGER_REQUEST_REPEAT : 0;
    request->flags |= mti / 10 % 10 == 2 ? LEDGER_REQUEST_IS_ADVICE : 0;
    take_amounts(txn);
    take_times(txn);
    take_texts(worker, txn);
    take_private(txn);
    take_original(txn);
    take_expiry(txn);
    if (!bytes_luhn_valid(txn->pan, txn->pan_size)) {
        request->findings |= LEDGER_FOUND_LUHN;
    }
    memcpy(request->pan_first6_last4, txn->pan, 6);
    memcpy(request->pan_first6_last4 + 6, txn->pan + txn->pan_size - 4, 4);
    if (!facts_keys(worker, txn)) {
        pipeline_refuse(txn, "96", "");
        log_event(LOG_ALARM, "card_key.missing");
        return STAGE_TO_REPLY;
    }
    return STAGE_NEXT;
}

static void take_amounts(struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    bool is_balance = request->de3 / 10000 == 31 && txn->class != LEDGER_CLASS_REVERSAL;
    if (!is_balance) {
        request->amount_minor = (int64_t)number_of(txn, 4);
    }
    if (iso_msg_has(&txn->msg, 95)) {
        uint8_t de95[42];
        int64_t remains = 0;
        if (text_of(txn, 95, de95, sizeof de95) && bytes_to_number(de95, 12, &remains)) {
            request->flags |= LEDGER_REQUEST_HAS_REMAINS;
            request->remains_minor = remains;
        }
    }
    bool is_verify = txn->class == LEDGER_CLASS_AUTH && request->de3 / 10000 == 0 &&
                     request->amount_minor == 0 && request->condition == 51;
    request->flags |= is_verify ? LEDGER_REQUEST_VERIFY : 0;
}

static void take_times(struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    request->de7 = number_of(txn, 7);
    request->local_time = number_of(txn, 13) * 1000000 + number_of(txn, 12);
}

/* ---- DE37 --------------------------------------------------------------------------------------
 */

static void put_base36(uint8_t *out, uint32_t digits, uint64_t value)
{
    for (uint32_t i = digits; i-- > 0; value /= 36) {
        out[i] = (uint8_t) "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[value % 36];
    }
}

/* YDDDhh and six letters or digits of the time within the hour, as switches number retrievals. Each
 * worker has its own share of the ticks, and never says one twice. */
static void propose_rrn(struct worker *worker, uint8_t rrn[12])
{
    uint64_t tick_us = 2u * (uint64_t)worker->options.workers_count;
    uint64_t tick = (uint64_t)(worker->agent.clock->utc_ns / NS_PER_US) / tick_us;
    tick = tick > worker->rrn_last ? tick : worker->rrn_last + 1;
    worker->rrn_last = tick;
    uint64_t us = tick * tick_us + 2u * worker->options.index;
    int64_t utc_ns = (int64_t)us * NS_PER_US;
    struct clock_date date = clock_utc_date(utc_ns);
    struct clock_date new_year = {.year = date.year, .month = 1, .day = 1};
    uint64_t day = (uint64_t)((utc_ns - clock_utc_ns(&new_year)) / (86400 * NS_PER_S)) + 1;
    bytes_put_number(rrn, 1, (uint64_t)date.year % 10);
    bytes_put_number(rrn + 1, 3, day);
    bytes_put_number(rrn + 4, 2, date.hour);
    put_base36(rrn + 6, 6, us % 3600000000u / 2);
}

static void take_texts(struct worker *worker, struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    (void)text_of(txn, 41, request->terminal, sizeof request->terminal);
    (void)text_of(txn, 42, request->merchant, sizeof request->merchant);
    (void)text_of(txn, 103, request->transfer_to, sizeof request->transfer_to);
    if (text_of(txn, 37, request->rrn, sizeof request->rrn)) {
        request->flags |= LEDGER_REQUEST_HAS_RRN;
    } else if (txn->class != LEDGER_CLASS_REVERSAL) {
        propose_rrn(worker, request->rrn);
    }
    if (text_of(txn, 38, request->de38, sizeof request->de38)) {
        request->flags |= LEDGER_REQUEST_HAS_DE38;
    }
    if (!text_of(txn, 39, request->de39, sizeof request->de39)) {
        memcpy(request->de39, "00", 2);
    }
}

/* DE48, elements 61 and 92. */
static void take_private(struct txn *txn)
{
    struct iso_item item;
    size_t size;
    char text[4];
    if (!iso_msg_has(&txn->msg, 48)) {
        return;
    }
    if (iso_msg_find(txn->dialect, &txn->msg, "48.61", &item)) {
        struct span wire = {txn->frame + item.at.offset, item.at.size};
        if (iso_value_text(txn->dialect, item.node, wire, item.at.count, text, sizeof text,
                           &size) &&
            size == 1 && text[0] == '1') {
            txn->request.flags |= LEDGER_REQUEST_PARTIAL;
        }
    }
    bool is_asked = txn->class == LEDGER_CLASS_AUTH || txn->class == LEDGER_CLASS_FINANCIAL;
    if (is_asked && iso_msg_find(txn->dialect, &txn->msg, "48.92", &item)) {
        struct span wire = {txn->frame + item.at.offset, item.at.size};
        txn->request.flags |= LEDGER_REQUEST_ASKS_CVV2;
        txn->has_cvv2 = iso_value_text(txn->dialect, item.node, wire, item.at.count, text,
                                       sizeof text, &size) &&
                        size == sizeof txn->cvv2;
        if (txn->has_cvv2) {
            memcpy(txn->cvv2, text, sizeof txn->cvv2);
        }
    }
}

/* DE90: MTI 4, STAN 6, DE7 10, DE32 11, DE33 11 (ISO 8583:1987 4.3.62). */
static void take_original(struct txn *txn)
{
    uint8_t de90[42];
    int64_t mti, stan, de7;
    struct ledger_request *request = &txn->request;
    if (!text_of(txn, 90, de90, sizeof de90) || !bytes_to_number(de90, 4, &mti) ||
        !bytes_to_number(de90 + 4, 6, &stan) || !bytes_to_number(de90 + 10, 10, &de7) ||
        (stan == 0 && de7 == 0)) {
        return;
    }
    request->flags |= LEDGER_REQUEST_HAS_DE90;
    request->original_mti = (uint16_t)mti;
    request->original_class = screen_class((uint32_t)mti);
    request->original_stan = (uint32_t)stan;
    request->original_de7 = (uint64_t)de7;
}

/* ---- the card
 * ------------------------------------------------------------------------------------ */

static bool is_ours(const struct worker_issuer *issuer, const struct txn *txn)
{
    for (uint32_t i = 0; i < issuer->bins_count; i++) {
        size_t size = strlen(issuer->bins[i]);
        if (size <= txn->pan_size && memcmp(txn->pan, issuer->bins[i], size) == 0) {
            return true;
        }
    }
    return false;
}

#define TRACK_DATA_DIGITS 15u /* YYMM, service code 3, PVKI 1, PVV 4, CVV 3 */

/* PAN `=` and the data above, nothing else. */
static bool is_track_data(const struct txn *txn)
{
    uint32_t data = (uint32_t)txn->pan_size + 1;
    return txn->track2_size == data + TRACK_DATA_DIGITS && txn->track2[txn->pan_size] == '=' &&
           bytes_are_digits(txn->track2 + data, TRACK_DATA_DIGITS);
}

/* False: it names another PAN, or none at all. */
static bool take_track(struct txn *txn)
{
    char track[sizeof txn->track2];
    struct iso_track2 parts;
    size_t size = 0;
    if (!iso_msg_text(txn->dialect, &txn->msg, 35, track, sizeof track, &size)) {
        return false;
    }
    memcpy(txn->track2, track, size);
    secret_wipe(track, sizeof track);
    txn->track2_size = (uint8_t)size;
    struct span text = {txn->track2, (uint32_t)size};
    if (iso_track2_parse(text, &parts) != ISO_OK) {
        return txn->pan_size > 0; /* of another form; one of our own cards must have ours */
    }
    if (txn->pan_size > 0) {
        return parts.pan.size == txn->pan_size &&
               memcmp(parts.pan.data, txn->pan, txn->pan_size) == 0;
    }
    if (parts.pan.size < 12 || parts.pan.size > sizeof txn->pan) {
        return false;
    }
    memcpy(txn->pan, parts.pan.data, parts.pan.size);
    txn->pan_size = (uint8_t)parts.pan.size;
    return true;
}

bool facts_card(const struct worker *worker, struct txn *txn)
{
    size_t size = 0;
    bool has_pan =
        iso_msg_digits(txn->dialect, &txn->msg, 2, (char *)txn->pan, sizeof txn->pan, &size);
    txn->pan_size = has_pan ? (uint8_t)size : 0;
    bool has_track = txn->class != LEDGER_CLASS_REVERSAL && iso_msg_has(&txn->msg, 35);
    if (has_track && !take_track(txn)) {
        return false;
    }
    txn->is_our_card = is_ours(&worker->options.issuer, txn);
    txn->has_track_data = has_track && is_track_data(txn);
    return !has_track || !txn->is_our_card || txn->has_track_data;
}

/* DE14, or what track 2 says. When both are there and differ, none is the card's. */
static void take_expiry(struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    bool has_expiry = iso_msg_has(&txn->msg, 14);
    request->expiry = (uint16_t)number_of(txn, 14);
    if (txn->track2_size > 0) {
        uint32_t data = (uint32_t)txn->pan_size + 1;
        int64_t expiry;
        if (txn->track2_size >= data + 4 && bytes_to_number(txn->track2 + data, 4, &expiry)) {
            bool differs = has_expiry && request->expiry != (uint16_t)expiry;
            request->expiry = differs ? 0 : (uint16_t)expiry;
            has_expiry = true;
        }
    }
    request->flags |= has_expiry ? LEDGER_REQUEST_HAS_EXPIRY : 0;
}
