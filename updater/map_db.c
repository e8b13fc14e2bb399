/* Berkeley DB hash files, where a mail server reads nothing better: Sendmail's maps and OpenSMTPD's
 * sets. Written as each one's makemap writes them; the latter with a NUL behind key and value. */
#include "updater/map_kinds.h"

#include <db.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/xalloc.h"
#include "updater/map.h"

/* Octets of pages held in memory: a hash has no order to write by, and yet memory stays bounded. */
#define CACHE_SIZE (32u * 1024 * 1024)

struct db_state {
	DB *db;
	bool nul;
};

/* An item without (or with) the NUL that stands behind it in memory. */
static DBT
item(const void *data, size_t len, bool nul)
{
	DBT t;

	memset(&t, 0, sizeof(t));
	t.data = (void *)(uintptr_t)data;
	t.size = (u_int32_t)(len + nul);
	return t;
}

static DB *
open_db(const char *path, u_int32_t flags)
{
	DB *db = NULL;
	int rc = db_create(&db, NULL, 0);

	if (rc == 0) {
		db->set_errfile(db, NULL);
		db->set_errcall(db, NULL);
		rc = db->set_cachesize(db, 0, CACHE_SIZE, 1);
	}
	if (rc == 0)
		rc = db->open(db, NULL, path, NULL, DB_HASH, flags, 0);
	if (rc != 0) {
		if (db != NULL)
			(void)db->close(db, 0);
		/* Its own numbers are negative. */
		errno = rc > 0 ? rc : EPROTO;
		return NULL;
	}
	return db;
}

static void *
begin(const char *path, bool nul)
{
	DB *db = open_db(path, DB_CREATE | DB_TRUNCATE);
	struct db_state *s;

	if (db == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->db = db;
	s->nul = nul;
	return s;
}

static void *
begin_hash(int fd UNUSED, const char *path)
{
	return begin(path, false);
}

static void *
begin_set(int fd UNUSED, const char *path)
{
	return begin(path, true);
}

static int
add(void *state, const char *key, size_t key_len, const char *value, size_t len)
{
	struct db_state *s = state;
	DBT k = item(key, key_len, s->nul), v = item(value, len, s->nul);
	int rc;

	if (key_len >= UINT32_MAX || len >= UINT32_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	rc = s->db->put(s->db, NULL, &k, &v, DB_NOOVERWRITE);
	if (rc == 0)
		return 0;
	errno = rc > 0 ? rc : EPROTO;
	return -1;
}

static int
end(void *state)
{
	struct db_state *s = state;
	int rc = s->db->close(s->db, 0);

	s->db = NULL;
	if (rc == 0)
		return 0;
	errno = rc > 0 ? rc : EPROTO;
	return -1;
}

static void
discard(void *state)
{
	struct db_state *s = state;

	if (s->db != NULL)
		(void)s->db->close(s->db, DB_NOSYNC);
	free(s);
}

static int
find(const char *path, const char *key, size_t key_len, bool nul, struct buf *out)
{
	DB *db = open_db(path, DB_RDONLY);
	DBT k = item(key, key_len, nul), v;
	int rc;

	if (db == NULL)
		return -1;
	memset(&v, 0, sizeof(v));
	rc = db->get(db, NULL, &k, &v, 0);
	if (rc == DB_NOTFOUND) {
		rc = 0;
	} else if (rc != 0 ||
		(nul && (v.size == 0 || ((const char *)v.data)[v.size - 1] != '\0')) ||
		buf_add(out, v.data, v.size - nul) < 0) {
		rc = -1;
	} else {
		rc = 1;
	}
	(void)db->close(db, 0);
	return rc;
}

static int
find_hash(int fd UNUSED, const char *path, const char *key, size_t key_len, struct buf *out)
{
	return find(path, key, key_len, false, out);
}

static int
find_set(int fd UNUSED, const char *path, const char *key, size_t key_len, struct buf *out)
{
	return find(path, key, key_len, true, out);
}

const struct map_kind map_db_hash = {
	.name = "hash",
	.suffix = ".db",
	.begin = begin_hash,
	.add = add,
	.end = end,
	.discard = discard,
	.find = find_hash,
};

const struct map_kind map_db_set = {
	.name = "db",
	.suffix = ".db",
	.begin = begin_set,
	.add = add,
	.end = end,
	.discard = discard,
	.find = find_set,
};
