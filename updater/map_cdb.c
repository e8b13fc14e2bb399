/* The constant database of Postfix and Exim, by tinycdb. Keys and values without a NUL behind them,
 * as postmap writes them. */
#include "updater/map_kinds.h"

#include <cdb.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/xalloc.h"
#include "updater/map.h"

struct cdb_state {
	struct cdb_make make;
	bool open;
};

static void *
begin(int fd, const char *path UNUSED)
{
	struct cdb_state *s = xcalloc(1, sizeof(*s));

	if (cdb_make_start(&s->make, fd) < 0) {
		free(s);
		return NULL;
	}
	s->open = true;
	return s;
}

static int
add(void *state, const char *key, size_t key_len, const char *value, size_t len)
{
	struct cdb_state *s = state;

	if (key_len > UINT_MAX || len > UINT_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	return cdb_make_add(&s->make, key, (unsigned)key_len, value, (unsigned)len);
}

static int
end(void *state)
{
	struct cdb_state *s = state;

	s->open = false;
	return cdb_make_finish(&s->make);
}

static void
discard(void *state)
{
	struct cdb_state *s = state;

	/* tinycdb frees its tables only by finishing; what that writes goes away with the file. */
	if (s->open)
		(void)cdb_make_finish(&s->make);
	free(s);
}

static int
find(int fd, const char *path UNUSED, const char *key, size_t key_len, struct buf *out)
{
	struct cdb db;
	const void *value;
	int rc;

	errno = 0;
	if (cdb_init(&db, fd) < 0)
		return -1;
	rc = cdb_find(&db, key, (unsigned)key_len);
	if (rc > 0) {
		value = cdb_getdata(&db);
		if (value == NULL || buf_add(out, value, cdb_datalen(&db)) < 0)
			rc = -1;
	}
	cdb_free(&db);
	return rc;
}

const struct map_kind map_cdb = {
	.name = "cdb",
	.suffix = ".cdb",
	.begin = begin,
	.add = add,
	.end = end,
	.discard = discard,
	.find = find,
};
