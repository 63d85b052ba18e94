/* lmdb_env.h - what ref_lmdb.c and state_lmdb.c share: one environment with one tree of data and a
 * mark in the same tree's transaction.
 *
 * FLAGS  NOSUBDIR, NOTLS (a reader is ours, not a thread's), NORDAHEAD. Fully synchronous: a
 * follower lets segments be used again after its commit. Never WRITEMAP (a full disk would be a
 * signal), never a map that grows (it would move under readers): the whole map is reserved at
 * start. */
#ifndef LEDGER_LMDB_ENV_H
#define LEDGER_LMDB_ENV_H

#include "ledger/store.h"
#include <lmdb.h>

struct lmdb_env {
    MDB_env *env;
    MDB_dbi mark;  /* "mark": one row */
    MDB_txn *txn;  /* the open write transaction, or NULL */
    char *text;    /* of the store */
    char name[48]; /* last part of the path: "ref.mdb" */
};

/* Opens and makes the trees; `dbis` of them, with names and flags. */
NODISCARD bool lmdb_env_open(struct lmdb_env *env, const struct store_options *options,
                             const char *const *names, const unsigned *flags, MDB_dbi *dbis,
                             uint32_t dbis_count, char *text, size_t text_size);
void lmdb_env_close(struct lmdb_env *env);
/* Fills the store's text and drops the open transaction. */
enum io_err lmdb_env_error(struct lmdb_env *env, const char *what, int code);
enum io_err lmdb_env_begin(struct lmdb_env *env);
enum io_err lmdb_env_commit(struct lmdb_env *env, const void *mark, size_t mark_bytes);
/* False: there is none yet. */
bool lmdb_env_mark(struct lmdb_env *env, MDB_txn *txn, void *mark, size_t mark_bytes);

#endif
