/* lmdb_env.c - see lmdb_env.h. */
#include "ledger/lmdb_env.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#if defined(RS_ASAN)
#define MAP_BYTES (UINT64_C(64) << 30) /* shadow memory has its price */
#else
#define MAP_BYTES (UINT64_C(1) << 40)
#endif

static enum io_err error_of(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL:
        return IO_ERR_NO_SPACE;
    case EIO:
        return IO_ERR_DISK;
    case EACCES:
    case EPERM:
    case EROFS:
        return IO_ERR_DENIED;
    case ENOMEM:
    case MDB_READERS_FULL:
        return IO_ERR_LIMIT;
    default:
        return IO_ERR_OTHER;
    }
}

enum io_err lmdb_env_error(struct lmdb_env *env, const char *what, int code)
{
    if (env->txn != NULL) {
        mdb_txn_abort(env->txn);
        env->txn = NULL;
    }
    (void)snprintf(env->text, STORE_TEXT_BYTES, "%s: %s: %s", env->name, what, mdb_strerror(code));
    return error_of(code);
}

enum io_err lmdb_env_begin(struct lmdb_env *env)
{
    must(env->txn == NULL);
    int code = mdb_txn_begin(env->env, NULL, 0, &env->txn);
    if (code != 0) {
        env->txn = NULL;
        return lmdb_env_error(env, "beginning a transaction", code);
    }
    return IO_OK;
}

struct mark_row { /* LMDB has no checksums */
    uint32_t crc32c;
    uint32_t bytes;
    uint8_t mark[64];
};

enum io_err lmdb_env_commit(struct lmdb_env *env, const void *mark, size_t mark_bytes)
{
    struct mark_row row = {.bytes = (uint32_t)mark_bytes};
    must(env->txn != NULL && mark_bytes <= sizeof row.mark);
    memcpy(row.mark, mark, mark_bytes);
    row.crc32c = crc32c(0, &row.bytes, sizeof row - offsetof(struct mark_row, bytes));
    MDB_val key = {4, "mark"}, value = {sizeof row, &row};
    int code = mdb_put(env->txn, env->mark, &key, &value, 0);
    if (code != 0) {
        return lmdb_env_error(env, "writing the mark", code);
    }
    code = mdb_txn_commit(env->txn);
    env->txn = NULL; /* gone either way */
    return code == 0 ? IO_OK : lmdb_env_error(env, "committing", code);
}

bool lmdb_env_mark(struct lmdb_env *env, MDB_txn *txn, void *mark, size_t mark_bytes)
{
    MDB_val key = {4, "mark"}, value;
    struct mark_row row;
    if (mdb_get(txn, env->mark, &key, &value) != 0 || value.mv_size != sizeof row) {
        return false;
    }
    memcpy(&row, value.mv_data, sizeof row);
    if (row.bytes != mark_bytes ||
        row.crc32c != crc32c(0, &row.bytes, sizeof row - offsetof(struct mark_row, bytes))) {
        return false;
    }
    memcpy(mark, row.mark, mark_bytes);
    return true;
}

static int open_trees(struct lmdb_env *env, bool read_only, const char *const *names,
                      const unsigned *flags, MDB_dbi *dbis, uint32_t dbis_count)
{
    MDB_txn *txn;
    unsigned create = read_only ? 0u : MDB_CREATE;
    int code = mdb_txn_begin(env->env, NULL, read_only ? MDB_RDONLY : 0u, &txn);
    if (code != 0) {
        return code;
    }
    code = mdb_dbi_open(txn, "mark", create, &env->mark);
    for (uint32_t i = 0; code == 0 && i < dbis_count; i++) {
        code = mdb_dbi_open(txn, names[i], flags[i] | create, &dbis[i]);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* Pages behind the end of a file that was cut would end the process with SIGBUS at their first
 * reading. A file may be shorter than its mapping, never than its last page. */
static bool is_whole(struct lmdb_env *env, const char *path, char *text, size_t text_size)
{
    MDB_envinfo info;
    MDB_stat tree;
    struct stat file;
    if (mdb_env_info(env->env, &info) != 0 || mdb_env_stat(env->env, &tree) != 0 ||
        stat(path, &file) != 0) {
        (void)snprintf(text, text_size, "%s: cannot be measured", path);
        return false;
    }
    uint64_t wanted = ((uint64_t)info.me_last_pgno + 1) * tree.ms_psize;
    if ((uint64_t)file.st_size >= wanted) {
        return true;
    }
    (void)snprintf(text, text_size,
                   "%s: is cut: %llu bytes of at least %llu; put a backup back, or a copy of the "
                   "whole directory",
                   path, (unsigned long long)file.st_size, (unsigned long long)wanted);
    return false;
}

bool lmdb_env_open(struct lmdb_env *env, const struct store_options *options,
                   const char *const *names, const unsigned *flags, MDB_dbi *dbis,
                   uint32_t dbis_count, char *text, size_t text_size)
{
    const char *slash = strrchr(options->path, '/');
    (void)snprintf(env->name, sizeof env->name, "%.40s", slash != NULL ? slash + 1 : options->path);
    const char *what = "creating the environment";
    int code = mdb_env_create(&env->env);
    if (code != 0) {
        env->env = NULL;
    } else {
        code =
            mdb_env_set_mapsize(env->env, options->map_bytes != 0 ? options->map_bytes : MAP_BYTES);
        code = code != 0 ? code : mdb_env_set_maxdbs(env->env, dbis_count + 1);
        if (code == 0 && options->readers_max > 0) {
            code = mdb_env_set_maxreaders(env->env, options->readers_max);
        }
        what = "opening";
        unsigned open_flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;
        open_flags |= options->read_only ? MDB_RDONLY : 0u;
        code = code != 0 ? code : mdb_env_open(env->env, options->path, open_flags, 0600);
    }
    if (code == 0 && !is_whole(env, options->path, text, text_size)) {
        lmdb_env_close(env);
        return false;
    }
    int dead;
    if (code == 0) { /* readers of a process that was killed pin pages */
        code = mdb_reader_check(env->env, &dead);
    }
    code = code != 0 ? code : open_trees(env, options->read_only, names, flags, dbis, dbis_count);
    if (code != 0) {
        (void)snprintf(text, text_size, "%s: %s: %s", options->path, what, mdb_strerror(code));
        lmdb_env_close(env);
        return false;
    }
    return true;
}

void lmdb_env_close(struct lmdb_env *env)
{
    if (env->txn != NULL) {
        mdb_txn_abort(env->txn);
        env->txn = NULL;
    }
    if (env->env != NULL) {
        mdb_env_close(env->env);
        env->env = NULL;
    }
}
