/* control.h - the operators' side of the daemon: the socket of ringctl, signals, reload, drain.
 *
 * PROTOCOL  A unix stream socket, 0600. A request is one JSON object on a line,
 * {"command":"account show","args":{…}}; its answer is any number of lines {"row":{…}} or one
 * {"error":{"code","text"}}, and always a last line {"done":{"exit":0|1|2}}. A connection carries
 * any number of requests, answered in order.
 *
 * DESIGN  One thread, requests one after the other: an administrative command is a record to the
 * shard and a wait for its durable verdict, bounded by CONTROL_VERDICT_MS. Money is never touched
 * here. */
#ifndef SWITCH_CONTROL_H
#define SWITCH_CONTROL_H

#include "conf/conf.h"
#include "hsm/card_key.h"
#include "hsm/hsm.h"
#include "ledger/ledger.h"
#include <jansson.h>

#define CONTROL_VERDICT_MS     10000
#define CONTROL_CONNECTIONS    32u
#define CONTROL_LINE_BYTES_MAX 65536u
#define CONTROL_ROWS_PER_QUERY 32u

enum control_exit { CONTROL_DONE = 0, CONTROL_NEGATIVE = 1, CONTROL_USAGE = 2 };

struct daemon; /* switch/daemon.h: everything that one ringswitch is made of */

/* One request being answered: where its lines go, and who asked. */
struct control_request {
    struct daemon *daemon;
    const json_t *args;
    uint32_t uid; /* of the caller, from the kernel */
    int out_fd;
    bool is_broken; /* the caller went away */
};

/* A row of control.def. */
struct control_command {
    const char *name;  /* "account show" */
    const char *class; /* read, operate, money, keys */
    enum control_exit (*run)(struct control_request *request);
};
extern const struct control_command control_commands[];
extern const uint32_t control_commands_count;

/* Answers. The object's reference is taken. */
void control_row(struct control_request *request, json_t *row);
enum control_exit control_error(struct control_request *request, const char *code,
                                const char *text);

/* The loop of the control thread: returns the daemon's exit status. */
int control_run(struct daemon *daemon);

/* ---- control_ledger.c: commands to the shard ------------------------------------------------- */

/* Sends one command record and waits for its durable verdict. NULL: no answer in time, an error has
 * been written. The verdict is valid until the next call. */
const struct ledger_verdict *control_ask(struct control_request *request, void *command,
                                         uint32_t size, enum ledger_command_kind kind);

/* args.id or args.rrn of a transaction. */
NODISCARD bool control_arg_txn(const struct control_request *request,
                               struct ledger_command_query *query);

/* Every command of control.def has its function in control_*.c. */
#define CONTROL(name, class, function, help)                                                       \
    enum control_exit function(struct control_request *request);
#include "switch/control.def"
#undef CONTROL

/* ---- control_rows.c: rows of the ledger as the JSON of ringctl ------------------------------- */

json_t *control_row_account(const struct ledger_row_account *row);
json_t *control_row_card(const struct ledger_row_card *row);
json_t *control_row_exception(const struct ledger_row_exception *row);
json_t *control_row_saf(struct daemon *daemon, const struct ledger_row_saf *row);
json_t *control_row_txn(struct daemon *daemon, const struct ledger_row_txn *row);
json_t *control_row_totals(const struct ledger_row_totals *row);
const char *control_status_text(enum ledger_status status);
const char *control_exception_text(enum ledger_exception kind);
json_t *control_json_text(const uint8_t *data, size_t size); /* trimmed of blanks and NULs */
json_t *control_json_txn_id(uint64_t txn);

#endif
