/* control_rows.c - rows of the ledger as the JSON objects that ringctl prints.
 *
 * DESIGN  One function a row, keys as documented for `--json`; amounts are minor units; times are
 * UTC text. Control thread. */
#include "switch/control.h"

#include "base/clock.h"
#include "switch/daemon.h"
#include <stdio.h>
#include <string.h>

const char *control_status_text(enum ledger_status status)
{
    switch (status) {
    case LEDGER_STATUS_OPEN:
        return "open";
    case LEDGER_STATUS_FROZEN:
        return "frozen";
    case LEDGER_STATUS_CLOSED:
        return "closed";
    case LEDGER_STATUS_BLOCKED:
        return "blocked";
    case LEDGER_STATUS_LOST:
        return "lost";
    case LEDGER_STATUS_STOLEN:
        return "stolen";
    }
    return "unknown";
}

const char *control_exception_text(enum ledger_exception kind)
{
    switch (kind) {
    case LEDGER_EXCEPTION_FORCED:
        return "forced";
    case LEDGER_EXCEPTION_OVER_HOLD:
        return "over_hold";
    case LEDGER_EXCEPTION_BELOW_ZERO:
        return "below_zero";
    case LEDGER_EXCEPTION_NOT_BOOKED:
        return "not_booked";
    case LEDGER_EXCEPTION_UNMATCHED:
        return "unmatched";
    case LEDGER_EXCEPTION_COMPLETED:
        return "completed";
    }
    return "unknown";
}

json_t *control_json_text(const uint8_t *data, size_t size)
{
    size = strnlen((const char *)data, size);
    while (size > 0 && data[size - 1] == ' ') {
        size--;
    }
    json_t *text = json_stringn((const char *)data, size);
    return text != NULL ? text : json_string("?");
}

json_t *control_json_txn_id(uint64_t txn)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)txn);
    return json_string(text);
}

/* ISO 4217: the currencies that people read by letters; any other stays a number. */
static json_t *currency_text(uint16_t currency)
{
    static const struct {
        uint16_t number;
        const char *letters;
    } known[] = {{398, "KZT"}, {840, "USD"}, {978, "EUR"},
                 {643, "RUB"}, {156, "CNY"}, {826, "GBP"}};
    for (uint32_t i = 0; i < countof(known); i++) {
        if (known[i].number == currency) {
            return json_string(known[i].letters);
        }
    }
    char text[8];
    (void)snprintf(text, sizeof text, "%03u", currency);
    return json_string(text);
}

static json_t *utc_text(int64_t utc_ns)
{
    if (utc_ns == 0) {
        return json_null();
    }
    struct clock_date d = clock_utc_date(utc_ns);
    char text[40];
    (void)snprintf(text, sizeof text, "%04d-%02u-%02uT%02u:%02u:%02u.%06lldZ", (int)d.year, d.month,
                   d.day, d.hour, d.minute, d.second, (long long)(utc_ns % NS_PER_S / NS_PER_US));
    return json_string(text);
}

static json_t *digits(uint64_t value, int count)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%0*llu", count, (unsigned long long)value);
    return json_string(text);
}

json_t *control_row_account(const struct ledger_row_account *row)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:s, s:b, s:I}", "account",
                     control_json_text(row->name, sizeof row->name), "currency",
                     currency_text(row->currency), "balance_minor", (json_int_t)row->balance_minor,
                     "held_minor", (json_int_t)row->held_minor, "available_minor",
                     (json_int_t)row->available_minor, "status",
                     control_status_text((enum ledger_status)row->status), "house",
                     row->is_house != 0, "credit_line_minor", (json_int_t)row->credit_line_minor);
}

static json_t *masked_pan(const uint8_t first6_last4[10])
{
    char text[20];
    (void)snprintf(text, sizeof text, "%.6s******%.4s", (const char *)first6_last4,
                   (const char *)first6_last4 + 6);
    return json_string(text);
}

json_t *control_row_card(const struct ledger_row_card *row)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:i, s:i}", "card", masked_pan(row->pan_first6_last4),
                     "account", control_json_text(row->account, sizeof row->account), "expiry",
                     digits(row->expiry, 4), "status",
                     control_status_text((enum ledger_status)row->status), "pin_tries",
                     (int)row->pin_tries, "version", (int)row->version);
}

json_t *control_row_exception(const struct ledger_row_exception *row)
{
    return json_pack("{s:I, s:s, s:o, s:o, s:I, s:o, s:o, s:s}", "id", (json_int_t)row->id, "kind",
                     control_exception_text((enum ledger_exception)row->kind), "rrn",
                     control_json_text(row->rrn, sizeof row->rrn), "txn",
                     control_json_txn_id(row->txn), "amount_minor", (json_int_t)row->amount_minor,
                     "currency", currency_text(row->currency), "at", utc_text(row->utc_ns),
                     "status", row->is_open != 0 ? "open" : "resolved");
}

json_t *control_row_saf(struct daemon *daemon, const struct ledger_row_saf *row)
{
    return json_pack("{s:I, s:o, s:s, s:o, s:o, s:o, s:i, s:o}", "item", (json_int_t)row->item,
                     "txn", control_json_txn_id(row->txn), "endpoint",
                     daemon_endpoint_name(daemon, row->endpoint), "mti", digits(row->mti, 4),
                     "stan", digits(row->stan, 6), "rrn",
                     control_json_text(row->rrn, sizeof row->rrn), "sends", (int)row->sends_count,
                     "queued_at", utc_text(row->queued_utc_ns));
}

json_t *control_row_txn(struct daemon *daemon, const struct ledger_row_txn *row)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:I, "
        "s:o, s:o, "
        "s:o, s:o}",
        "txn", control_json_txn_id(row->txn), "mti", digits(row->mti, 4), "rrn",
        control_json_text(row->rrn, sizeof row->rrn), "stan", digits(row->stan, 6), "de7",
        digits(row->de7, 10), "de3", digits(row->de3, 6), "card", masked_pan(row->pan_first6_last4),
        "amount_minor", (json_int_t)row->amount_minor, "currency", currency_text(row->currency),
        "de39", control_json_text(row->reply.de39, 2), "de38",
        control_json_text(row->reply.de38, 6), "state", ledger_txn_state_text(row->state), "reason",
        ledger_reason_text(row->reason), "held_minor", (json_int_t)row->held_minor, "posted_minor",
        (json_int_t)row->posted_minor, "undone_minor", (json_int_t)row->undone_minor,
        "refunded_minor", (json_int_t)row->refunded_minor, "terminal",
        control_json_text(row->terminal, sizeof row->terminal), "merchant",
        control_json_text(row->merchant, sizeof row->merchant), "route",
        row->endpoint < LIMIT_ENDPOINTS_MAX
            ? json_string(daemon_endpoint_name(daemon, row->endpoint))
            : json_string("onus"),
        "received_at", utc_text(row->received_utc_ns));
}

/* A 128-bit sum of minor units; what does not fit a JSON integer is text. */
static json_t *wide(uint64_t low, uint64_t high)
{
    if (high == 0 && low <= INT64_MAX) {
        return json_integer((json_int_t)low);
    }
    char text[48];
    uint32_t at = sizeof text;
    uint128 value = (uint128)high << 64 | low;
    text[--at] = '\0';
    do {
        text[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    return json_string(text + at);
}

json_t *control_row_totals(const struct ledger_row_totals *row)
{
    uint128 debits = (uint128)row->debits_high << 64 | row->debits_low;
    uint128 credits = (uint128)row->credits_high << 64 | row->credits_low;
    return json_pack("{s:o, s:o, s:o, s:I}", "currency", currency_text(row->currency),
                     "debits_minor", wide(row->debits_low, row->debits_high), "credits_minor",
                     wide(row->credits_low, row->credits_high), "difference_minor",
                     (json_int_t)(int64_t)(debits - credits));
}
