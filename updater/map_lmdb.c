/* Postfix's lmdb: the alternative to cdb. Always a fresh file: one rebuilt in place would grow to
 * twice its size. Keys and values without a NUL behind them, as postmap writes them. */
#include "updater/map_kinds.h"

#include <errno.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/xalloc.h"
#include "updater/map.h"

/* Octets of address space; the file is as large as what is in it. */
#define MAP_SIZE ((size_t)1 << 36)
/* Changed pages stay in memory until a transaction ends. */
#define ENTRIES_PER_TRANSACTION 10000

struct lmdb_state {
	MDB_env *env;
	MDB_txn *txn; /* NULL: none is open */
	MDB_dbi dbi;
	size_t pending; /* entries in txn */
};

/* Its own numbers are negative. */
static int
failed(int rc)
{
	errno = rc > 0 ? rc : EPROTO;
	return -1;
}

static void
discard(void *state)
{
	struct lmdb_state *s = state;

	if (s->txn != NULL)
		mdb_txn_abort(s->txn);
	if (s->env != NULL)
		mdb_env_close(s->env);
	free(s);
}

static int
open_env(struct lmdb_state *s, const char *path, unsigned flags)
{
	int rc = mdb_env_create(&s->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, MAP_SIZE);
	/* No lock file: nobody else has the new file, and readers take the finished one. */
	if (rc == 0)
		rc = mdb_env_open(s->env, path, flags | MDB_NOSUBDIR | MDB_NOLOCK, 0644);
	if (rc == 0)
		rc = mdb_txn_begin(s->env, NULL, flags & MDB_RDONLY, &s->txn);
	if (rc == 0)
		rc = mdb_dbi_open(s->txn, NULL, 0, &s->dbi);
	return rc == 0 ? 0 : failed(rc);
}

static void *
begin(int fd UNUSED, const char *path)
{
	struct lmdb_state *s = xcalloc(1, sizeof(*s));

	/* The writer syncs the whole at the end. */
	if (open_env(s, path, MDB_NOSYNC) < 0) {
		int saved = errno;

		discard(s);
		errno = saved;
		return NULL;
	}
	return s;
}

static int
add(void *state, const char *key, size_t key_len, const char *value, size_t len)
{
	struct lmdb_state *s = state;
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v = {len, (void *)(uintptr_t)value};
	MDB_txn *txn = s->txn;
	int rc;

	if (s->pending == ENTRIES_PER_TRANSACTION) {
		s->txn = NULL;
		s->pending = 0;
		rc = mdb_txn_commit(txn);
		if (rc == 0)
			rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);
		if (rc != 0)
			return failed(rc);
	}
	/* In order, pages are filled whole: half the size. */
	rc = mdb_put(s->txn, s->dbi, &k, &v, MDB_APPEND);
	if (rc == MDB_KEYEXIST)
		rc = mdb_put(s->txn, s->dbi, &k, &v, MDB_NOOVERWRITE);
	s->pending++;
	return rc == 0 ? 0 : failed(rc);
}

static int
end(void *state)
{
	struct lmdb_state *s = state;
	MDB_txn *txn = s->txn;
	int rc;

	s->txn = NULL;
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : failed(rc);
}

static int
find(int fd UNUSED, const char *path, const char *key, size_t key_len, struct buf *out)
{
	struct lmdb_state *s = xcalloc(1, sizeof(*s));
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v;
	int rc = -1;

	if (open_env(s, path, MDB_RDONLY) == 0) {
		/* An empty key is an error of its own there. */
		int got = key_len == 0 ? MDB_NOTFOUND : mdb_get(s->txn, s->dbi, &k, &v);

		if (got == MDB_NOTFOUND)
			rc = 0;
		else if (got == 0 && buf_add(out, v.mv_data, v.mv_size) == 0)
			rc = 1;
	}
	discard(s);
	return rc;
}

const struct map_kind map_lmdb = {
	.name = "lmdb",
	.suffix = ".lmdb",
	.begin = begin,
	.add = add,
	.end = end,
	.discard = discard,
	.find = find,
};
