/* ctl.h - what the files of ringctl share. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "ctl/client.h"

struct ctl_globals { /* options that every command takes, in any place */
    const char *socket;
    bool json;
};
extern struct ctl_globals ctl_globals;

/* Opens the control socket of --socket, --dir or the default; false: it has said why. */
NODISCARD bool ctl_open_daemon(struct ctl_client *client);

/* One request built from arguments; ask.c. */
int ctl_ask(const char *words, const char *arguments, const char *options, const char *help,
            int argc, char **argv);
/* Prints rows: a JSON object a line with --json, one row as a list, several as a table. */
void ctl_print_rows(const json_t *rows);

/* `words` ("ledger verify") with --data DIR: on the files of a daemon that is down; ledger_data.c.
 */
int ctl_ledger_data(const char *words, int argc, char **argv);

/* A PAN from standard input, without its line end. False: it has said why. */
NODISCARD bool ctl_read_pan(char *out, size_t out_size);

#define ASK(words, arguments, options, help)
#define RUN(words, function, usage, help) int function(int argc, char **argv);
#include "ctl/command.def"
#undef ASK
#undef RUN

#endif
