/* ledger_data.c - `ringctl ledger …` on files: verify, trial-balance and account with --data DIR
 * while the daemon is down; backup and restore.
 *
 * The configuration says how big the tables are: -c FILE, else DIR/ringswitch.yaml, else
 * conf/ringswitch.yaml. What reads or writes a data directory holds its lock meanwhile; a backup
 * only reads, and needs none. */
#include "conf/conf.h"
#include "ctl/ctl.h"
#include "ledger/backup.h"
#include "ledger/offline.h"
#include "ledger/query.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_BYTES 65536u

struct place {
    char data[CONF_PATH_BYTES];
    char state_path[CONF_PATH_BYTES + 16], ref_path[CONF_PATH_BYTES + 16];
    struct disk *disk;
    struct conf *conf; /* NULL: the place of a backup */
    int lock_file;     /* -1: not held */
};

static int fail(const char *text)
{
    (void)fprintf(stderr, "ringctl: ledger: %s\n", text);
    return 2;
}

/* ---- places -------------------------------------------------------------------------------- */

static struct conf *load_conf(const char *file, const char *data)
{
    char beside[CONF_PATH_BYTES + 32], override[CONF_PATH_BYTES + 32];
    const char *overrides[] = {override};
    struct conf_options options = {.file = file, .overrides = overrides};
    if (data != NULL) {
        (void)snprintf(override, sizeof override, "data=%s", data);
        options.overrides_count = 1;
    }
    if (file == NULL && data != NULL) {
        (void)snprintf(beside, sizeof beside, "%s/ringswitch.yaml", data);
        options.file = access(beside, R_OK) == 0 ? beside : NULL;
    }
    options.file = options.file != NULL ? options.file : "conf/ringswitch.yaml";
    struct conf_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    struct conf *conf = conf_load(&options, report);
    if (conf == NULL) {
        conf_report_print(report, stderr);
    }
    free(report);
    return conf;
}

static bool open_disk(struct place *place, const char *data, const char *journal)
{
    enum io_err err;
    (void)snprintf(place->data, sizeof place->data, "%s", data);
    (void)snprintf(place->state_path, sizeof place->state_path, "%s/state.mdb", place->data);
    (void)snprintf(place->ref_path, sizeof place->ref_path, "%s/ref.mdb", place->data);
    (void)mkdir(data, 0700); /* a restore makes it; what it cannot make, the next line says */
    place->disk = disk_directory(journal, &err);
    if (place->disk == NULL) {
        (void)fprintf(stderr, "ringctl: %s: %s\n", journal, io_err_text(-(int32_t)err));
    }
    return place->disk != NULL;
}

static bool take_lock(struct place *place)
{
    char path[CONF_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/lock", place->data);
    place->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (place->lock_file < 0 || flock(place->lock_file, LOCK_EX | LOCK_NB) != 0) {
        (void)fprintf(stderr, "ringctl: %s: %s\n", place->data,
                      place->lock_file < 0
                          ? "the lock cannot be made"
                          : "a ringswitch works in this directory: ask it instead");
        return false;
    }
    return true;
}

/* The data directory of a configuration. */
static bool open_place(struct place *place, const char *file, const char *data, bool lock)
{
    *place = (struct place){.lock_file = -1, .conf = load_conf(file, data)};
    return place->conf != NULL &&
           open_disk(place, place->conf->data, place->conf->journal_directory) &&
           (!lock || take_lock(place));
}

static void close_place(struct place *place)
{
    if (place->disk != NULL) {
        place->disk->ops->destroy(place->disk);
    }
    if (place->lock_file >= 0) {
        (void)close(place->lock_file);
    }
    conf_free(place->conf);
}

static struct ledger_limits limits_of(const struct conf *conf)
{
    return (struct ledger_limits){.cards_max = conf->cards_max,
                                  .accounts_max = conf->accounts_max,
                                  .holds_max = conf->holds_max,
                                  .txns_max = conf->txns_max,
                                  .replays_max = conf->replays_max,
                                  .counter_slots_max = conf->counter_slots_max,
                                  .saf_max = conf->saf_max,
                                  .exceptions_max = conf->exceptions_max};
}

static void print(json_t *row)
{
    json_t *rows = json_pack("[o]", row);
    ctl_print_rows(rows);
    json_decref(rows);
}

/* ---- verify, trial-balance, account -------------------------------------------------------- */

static int verify(struct place *place, struct state_store *store)
{
    struct ledger_limits limits = limits_of(place->conf);
    struct ledger_offline_verified v;
    ledger_offline_verify(place->disk, store, &limits, &v);
    json_t *row = json_pack("{s:b, s:I, s:I, s:I, s:I, s:b}", "ok", v.is_ok, "batch",
                            (json_int_t)v.batch, "checkpoint_batch", (json_int_t)v.checkpoint_batch,
                            "archive_frames", (json_int_t)v.archive_frames_count, "archive_records",
                            (json_int_t)v.archive_records_count, "rebuilt", v.is_rebuilt);
    if (!v.is_ok) {
        (void)json_object_set_new(row, "text", json_string(v.text));
    }
    print(row);
    return v.is_ok ? 0 : 1;
}

static json_t *text_of(const uint8_t *data, size_t size)
{
    while (size > 0 && (data[size - 1] == ' ' || data[size - 1] == '\0')) {
        size--;
    }
    return json_stringn((const char *)data, size);
}

static json_t *currency_of(uint16_t currency)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%03u", currency);
    return json_string(text);
}

/* Up to 2^63: more than that is told as a text. */
static json_t *wide(uint64_t low, uint64_t high)
{
    char text[48];
    if (high == 0 && low <= INT64_MAX) {
        return json_integer((json_int_t)low);
    }
    (void)snprintf(text, sizeof text, "0x%016llx%016llx", (unsigned long long)high,
                   (unsigned long long)low);
    return json_string(text);
}

static json_t *totals_row(const void *data)
{
    const struct ledger_row_totals *row = data;
    bool above = row->debits_high != row->credits_high ? row->debits_high > row->credits_high
                                                       : row->debits_low > row->credits_low;
    uint64_t difference =
        above ? row->debits_low - row->credits_low : row->credits_low - row->debits_low;
    return json_pack("{s:o, s:o, s:o, s:I}", "currency", currency_of(row->currency), "debits_minor",
                     wide(row->debits_low, row->debits_high), "credits_minor",
                     wide(row->credits_low, row->credits_high), "difference_minor",
                     above ? (json_int_t)difference : -(json_int_t)difference);
}

static json_t *account_row(const void *data)
{
    static const char *const names[] = {"open", "frozen", "closed", "blocked", "lost", "stolen"};
    const struct ledger_row_account *row = data;
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:s, s:b, s:I}", "account",
                     text_of(row->name, sizeof row->name), "currency", currency_of(row->currency),
                     "balance_minor", (json_int_t)row->balance_minor, "held_minor",
                     (json_int_t)row->held_minor, "available_minor",
                     (json_int_t)row->available_minor, "status",
                     row->status < countof(names) ? names[row->status] : "?", "house",
                     row->is_house != 0, "credit_line_minor", (json_int_t)row->credit_line_minor);
}

/* Asks the loaded state as a worker would ask the shard. */
static int ask(struct place *place, struct state_store *store, struct ledger_command_query *query,
               json_t *(*to_json)(const void *row))
{
    struct ledger_limits limits = limits_of(place->conf);
    struct ledger_offline offline;
    char text[256];
    if (!ledger_offline_load(place->disk, store, &limits, &offline, text, sizeof text)) {
        return fail(text);
    }
    struct ledger_verdict_rows *answer = malloc(ANSWER_BYTES);
    json_t *rows = json_array();
    must(answer != NULL && rows != NULL);
    struct ledger_query_facts facts = {.batch_durable = offline.recovered.journal.batch};
    query->rows_max = UINT32_MAX;
    do {
        (void)ledger_query(offline.state, query, &facts, answer, ANSWER_BYTES);
        for (uint32_t i = 0; i < answer->rows_count; i++) {
            (void)json_array_append_new(rows, to_json(answer->rows + (size_t)i * answer->row_size));
        }
        query->cursor = answer->cursor;
    } while (query->cursor != 0);
    ctl_print_rows(rows);
    bool is_empty = json_array_size(rows) == 0;
    if (is_empty && query->query == LEDGER_QUERY_ACCOUNT) {
        (void)fprintf(stderr, "ringctl: there is no such account\n");
    }
    json_decref(rows);
    free(answer);
    return is_empty && query->query == LEDGER_QUERY_ACCOUNT ? 1 : 0;
}

static int run_on_files(struct place *place, struct state_store *store, const char *words,
                        const char *account)
{
    struct ledger_command_query query = {.query = LEDGER_QUERY_TOTALS};
    if (strcmp(words, "ledger verify") == 0) {
        return verify(place, store);
    }
    if (strcmp(words, "ledger trial-balance") == 0) {
        return ask(place, store, &query, totals_row);
    }
    if (strcmp(words, "ledger account") == 0 && account != NULL &&
        strlen(account) <= sizeof query.name) {
        query.query = LEDGER_QUERY_ACCOUNT;
        memset(query.name, ' ', sizeof query.name);
        memcpy(query.name, account, strlen(account));
        return ask(place, store, &query, account_row);
    }
    return fail("--data goes with verify, trial-balance and account NAME");
}

int ctl_ledger_data(const char *words, int argc, char **argv)
{
    const char *file = NULL, *data = NULL, *account = NULL;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0 && i + 1 < argc) {
            data = argv[++i];
        } else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            file = argv[++i];
        } else if (argv[i][0] != '-' && account == NULL) {
            account = argv[i];
        } else {
            return fail("usage: ledger verify|trial-balance|account NAME --data DIR [-c FILE]");
        }
    }
    struct place place;
    char text[256];
    int status = 2;
    struct stat there;
    if (data == NULL || stat(data, &there) != 0) {
        return fail("--data: there is no such directory");
    }
    if (open_place(&place, file, data, true)) {
        struct store_options options = {.path = place.state_path, .read_only = true};
        struct state_store *store = state_store_lmdb(&options, text, sizeof text);
        status = store == NULL ? fail(text) : run_on_files(&place, store, words, account);
        if (store != NULL) {
            store->ops->destroy(store);
        }
    }
    close_place(&place);
    return status;
}

/* ---- backup, restore ----------------------------------------------------------------------- */

static int copy(int argc, char **argv, bool is_restore)
{
    const char *file = NULL, *folder = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            file = argv[++i];
        } else if (argv[i][0] != '-' && folder == NULL) {
            folder = argv[i];
        } else {
            return fail("usage: ledger backup|restore FOLDER [-c FILE]");
        }
    }
    struct place data, backup = {.lock_file = -1};
    struct backup_report report;
    char text[256];
    bool done = false;
    if (folder == NULL) {
        return fail("usage: ledger backup|restore FOLDER [-c FILE]");
    }
    if (open_place(&data, file, NULL, is_restore) && open_disk(&backup, folder, folder)) {
        struct backup_place here = {data.disk, data.state_path, data.ref_path};
        struct backup_place there = {backup.disk, backup.state_path, backup.ref_path};
        const struct clock no_clock = {.now_ns = 0};
        struct journal_options journal = {.segment_bytes = data.conf->journal_segment_bytes,
                                          .segments_count = data.conf->journal_segments,
                                          .clock = &no_clock};
        done = is_restore ? ledger_restore(&there, &here, &journal, &report, text, sizeof text)
                          : ledger_backup(&here, &there, &report, text, sizeof text);
        if (done) {
            print(json_pack("{s:I, s:I, s:I, s:I, s:I}", "batch", (json_int_t)report.batch,
                            "checkpoint_batch", (json_int_t)report.checkpoint_batch,
                            "archive_files", (json_int_t)report.files_count, "bytes",
                            (json_int_t)report.bytes_count, "records",
                            (json_int_t)report.records_count));
        } else {
            (void)fail(text);
        }
    }
    close_place(&backup);
    close_place(&data);
    return done ? 0 : 2;
}

int ctl_ledger_backup(int argc, char **argv)
{
    return copy(argc, argv, false);
}

int ctl_ledger_restore(int argc, char **argv)
{
    return copy(argc, argv, true);
}
