/* control_timeline.c - `txn show`, and `txn timeline`: the messages of a transaction, one row each,
 * in the order in which they came and went: the acquirer's, ours to the scheme, its answer, our
 * answer, and what store-and-forward said afterwards. From the shard's rows; control thread. */
#include "switch/control.h"

#include "ledger/archive_txn.h"
#include "switch/daemon.h"
#include <stdio.h>
#include <string.h>

#define TIMELINE_TXNS_MAX 32u

struct timeline {
    struct control_request *request;
    const struct ledger_row_txn *txn;
    int64_t begin_ns; /* UTC of the first message: microseconds count from here */
};

static json_t *number_text(uint64_t value, int digits)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%0*llu", digits, (unsigned long long)value);
    return json_string(text);
}

/* The answer's MTI: third digit + 1, fourth 0. */
static uint16_t answer_mti(uint16_t mti)
{
    return (uint16_t)(mti / 10 * 10 + 10);
}

static json_t *message(const struct timeline *line, uint16_t mti, const char *direction,
                       const char *peer, uint32_t stan, uint64_t de7, int64_t utc_ns)
{
    const struct ledger_row_txn *txn = line->txn;
    json_t *fields =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "3", number_text(txn->de3, 6), "4",
                  number_text((uint64_t)txn->amount_minor, 12), "7", number_text(de7, 10), "11",
                  number_text(stan, 6), "37", control_json_text(txn->rrn, sizeof txn->rrn), "41",
                  control_json_text(txn->terminal, sizeof txn->terminal));
    char pan[24];
    (void)snprintf(pan, sizeof pan, "%.6s******%.4s", (const char *)txn->pan_first6_last4,
                   (const char *)txn->pan_first6_last4 + 6);
    (void)json_object_set_new(fields, "2", json_string(pan));
    json_t *row =
        json_pack("{s:o, s:s, s:s, s:o, s:o}", "mti", number_text(mti, 4), "direction", direction,
                  "peer", peer, "fields", fields, "txn", control_json_txn_id(txn->txn));
    if (utc_ns != 0) {
        (void)json_object_set_new(
            row, "microseconds", json_integer((json_int_t)((utc_ns - line->begin_ns) / NS_PER_US)));
    }
    return row;
}

static void set_answer(json_t *row, const struct ledger_row_txn *txn)
{
    json_t *fields = json_object_get(row, "fields");
    (void)json_object_set_new(fields, "39", control_json_text(txn->reply.de39, 2));
    if (txn->reply.has_de38 != 0) {
        (void)json_object_set_new(fields, "38", control_json_text(txn->reply.de38, 6));
    }
}

/* What the answer rests on: a leg for what is held, one for what is posted. */
static void set_postings(json_t *row, const struct ledger_row_txn *txn)
{
    json_t *postings = json_array();
    const struct {
        const char *kind;
        int64_t amount;
    } legs[] = {{"hold", txn->held_minor}, {"post", txn->posted_minor}};
    for (uint32_t i = 0; i < countof(legs); i++) {
        if (legs[i].amount != 0) {
            (void)json_array_append_new(
                postings,
                json_pack("{s:s, s:o, s:o, s:I}", "kind", legs[i].kind, "debit",
                          control_json_text(txn->debit_account, sizeof txn->debit_account),
                          "credit",
                          control_json_text(txn->credit_account, sizeof txn->credit_account),
                          "amount_minor", (json_int_t)legs[i].amount));
        }
    }
    (void)json_object_set_new(row, "postings", postings);
    (void)json_object_set_new(row, "reason", json_string(ledger_reason_text(txn->reason)));
    (void)json_object_set_new(row, "state", json_string(ledger_txn_state_text(txn->state)));
}

static void print_txn(struct timeline *line)
{
    const struct ledger_row_txn *txn = line->txn;
    struct control_request *request = line->request;
    const char *party = txn->party < request->daemon->conf->parties_count
                            ? request->daemon->parties[txn->party].name
                            : "?";
    const char *endpoint = daemon_endpoint_name(request->daemon, txn->endpoint);
    bool is_open = strcmp(ledger_txn_state_text(txn->state), "open") == 0;
    bool was_silent = memcmp(txn->reply.de39, "91", 2) == 0 || is_open;
    control_row(request,
                message(line, txn->mti, "in", party, txn->stan, txn->de7, txn->received_utc_ns));
    if (txn->attempt > 0) {
        uint16_t mti = (uint16_t)(txn->mti / 10 * 10);
        control_row(request, message(line, mti, "out", endpoint, txn->forward_stan,
                                     txn->forward_de7, txn->decided_utc_ns));
        if (!was_silent) {
            json_t *answer = message(line, answer_mti(mti), "in", endpoint, txn->forward_stan,
                                     txn->forward_de7, txn->answered_utc_ns);
            set_answer(answer, txn);
            control_row(request, answer);
        }
    }
    if (!is_open && txn->is_silent == 0) {
        int64_t answered = txn->attempt > 0 ? txn->answered_utc_ns : txn->decided_utc_ns;
        json_t *answer =
            message(line, answer_mti(txn->mti), "out", party, txn->stan, txn->de7, answered);
        set_answer(answer, txn);
        set_postings(answer, txn);
        control_row(request, answer);
    }
    for (uint32_t i = 0; i < txn->resolution_sends && i < 2; i++) { /* the first, and its repeats */
        uint16_t mti = (uint16_t)(txn->resolution_mti / 10 * 10 + (i > 0));
        json_t *sent =
            message(line, mti, "out", endpoint, txn->resolution_stan, txn->forward_de7, 0);
        if (i > 0) {
            (void)json_object_set_new(sent, "sends", json_integer(txn->resolution_sends - 1));
        }
        control_row(request, sent);
    }
    if (txn->resolved_utc_ns != 0) {
        control_row(request, message(line, answer_mti(txn->resolution_mti), "in", endpoint,
                                     txn->resolution_stan, txn->forward_de7, txn->resolved_utc_ns));
    }
}

static int by_time(const void *a, const void *b)
{
    const struct ledger_row_txn *x = a, *y = b;
    return (x->received_utc_ns > y->received_utc_ns) - (x->received_utc_ns < y->received_utc_ns);
}

/* What the shard still has in memory; when that is nothing, what the archive has. An error is
 * written and CONTROL_DONE is not returned when there is none at all. */
static enum control_exit find_txns(struct control_request *request, struct ledger_row_txn *txns,
                                   uint32_t *count)
{
    struct ledger_command_query query = {.rows_max = TIMELINE_TXNS_MAX};
    if (!control_arg_txn(request, &query)) {
        return control_error(request, "usage", "give id (hex) or rrn (1 to 12 characters)");
    }
    *count = 0;
    do { /* each answer has looked at a bounded number of rows */
        const struct ledger_verdict *verdict =
            control_ask(request, &query, sizeof query, LEDGER_QUERY);
        if (verdict == NULL || verdict->kind != LEDGER_VERDICT_ROWS) {
            return verdict == NULL ? CONTROL_NEGATIVE
                                   : control_error(request, "busy", "the ledger is overloaded");
        }
        const struct ledger_verdict_rows *rows = (const void *)verdict;
        uint32_t room = TIMELINE_TXNS_MAX - *count;
        uint32_t more = rows->rows_count < room ? rows->rows_count : room;
        memcpy(&txns[*count], rows->rows, more * sizeof txns[0]);
        *count += more;
        query.cursor = rows->cursor;
    } while (query.cursor != 0 && *count < TIMELINE_TXNS_MAX);
    if (*count == 0) {
        struct archive_wanted wanted = {.has_txn = query.has_txn != 0, .txn = query.txn};
        char text[160];
        memcpy(wanted.rrn, query.rrn, sizeof wanted.rrn);
        if (!archive_txns(request->daemon->disk, &wanted, ARCHIVE_TXN_FILES_MAX, txns,
                          TIMELINE_TXNS_MAX, count, text, sizeof text)) {
            return control_error(request, "archive", text);
        }
    }
    return *count > 0
               ? CONTROL_DONE
               : control_error(request, "not_found", "no such transaction in memory or archive");
}

enum control_exit control_txn_show(struct control_request *request)
{
    static struct ledger_row_txn txns[TIMELINE_TXNS_MAX]; /* one request at a time */
    uint32_t count;
    enum control_exit status = find_txns(request, txns, &count);
    for (uint32_t i = 0; status == CONTROL_DONE && i < count; i++) {
        control_row(request, control_row_txn(request->daemon, &txns[i]));
    }
    return status;
}

enum control_exit control_txn_timeline(struct control_request *request)
{
    static struct ledger_row_txn txns[TIMELINE_TXNS_MAX]; /* one request at a time */
    uint32_t count;
    enum control_exit status = find_txns(request, txns, &count);
    if (status != CONTROL_DONE) {
        return status;
    }
    qsort(txns, count, sizeof txns[0], by_time);
    for (uint32_t i = 0; i < count; i++) {
        struct timeline line = {request, &txns[i], txns[0].received_utc_ns};
        print_txn(&line);
    }
    return CONTROL_DONE;
}
