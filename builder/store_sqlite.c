/*
 * The store on SQLite: one file in WAL mode, so that readers never wait for the crawl.
 *
 * synchronous=FULL: a commit that returned is on the disk. The crawl commits in batches, so it
 * costs one fsync a batch.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "builder/entry.h"
#include "builder/store_backend.h"
#include "builder/store_sqlite_schema.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

/* "p25\1": PRAGMA application_id of our databases. */
#define APPLICATION_ID 0x70323501
/* Longer than any transaction of a crawl. */
#define BUSY_TIMEOUT_MS 30000
/* Kibibytes of page cache: what a build of any length may take. */
#define CACHE_KIB   "-16384"
#define DIGEST_SIZE 32
#define LOCKS_MAX   8

enum {
	FLAG_STS_NONE = 1,
	FLAG_PRELOAD_NONE = 2,
	FLAG_PRELOAD_SECURE = 4,
	FLAG_PRELOAD_ABSENT = 8,
	FLAG_GONE = 16,
	FLAG_GONE_SECURE = 32,
	FLAG_NULL_MX = 64,
	FLAG_NULL_SECURE = 128,
};

/* Evidence is the JSON of a report (report_to_json), stored as a blob. */
#define TALLY_LOOKS        "view v JOIN evidence e ON e.id = v.evidence"
#define TALLY_TLS          "json_extract(CAST(e.content AS TEXT), '$.tls')"
#define TALLY_EACH_FINDING " json_each(CAST(e.content AS TEXT), '$.findings') f"

enum statement {
	VANTAGE_FIND,
	VANTAGE_ADD,
	VANTAGE_FILL,
	DOMAIN_ADD,
	DOMAIN_VIEWS,
	DOMAIN_FIND,
	DOMAIN_FIND_ID,
	DOMAIN_PUT,
	ENTRY_PUT,
	ENTRY_DELETE,
	TRANSITION_ADD,
	POLICY_FIND,
	POLICY_ADD,
	EVIDENCE_FIND,
	EVIDENCE_ADD,
	EVIDENCE_GET,
	DUE,
	DUE_COUNT,
	DUE_NEXT,
	VIEW_PUT,
	VIEWS,
	MARKS,
	MARK_ADD,
	MARKS_DELETE,
	HISTORY,
	TOTALS,
	LIST_ADD,
	LIST_PUBLISHED,
	LIST_LAST,
	COUNT_STATES,
	COUNT_OTHERS,
	REASONS,
	TALLY_DOMAINS,
	TALLY_ADDRESSES,
	TALLY_REQUIRED,
	TALLY_FINDINGS,
	STATEMENTS
};

#define DOMAIN_COLUMNS \
	"d.id, d.name, d.origin, d.added, d.state, d.since, d.held, d.by_operator, d.demoted," \
	" p.text, d.confirmed, d.pass_last, d.pass_credit, d.fail_last, d.fail_credit," \
	" d.leave_first, d.gone_last, d.gone_credit" \
	" FROM domain d LEFT JOIN policy p ON p.id = d.policy"

static const char *const statement_sql[STATEMENTS] = {
	[VANTAGE_FIND] = "SELECT id FROM vantage WHERE name = ?",
	[VANTAGE_ADD] = "INSERT INTO vantage (name, since) VALUES (?, ?)",
	[VANTAGE_FILL] = "INSERT INTO view (domain, vantage, due) SELECT id, ?, 0 FROM domain",
	[DOMAIN_ADD] =
		"INSERT INTO domain (name, origin, added, state, since) VALUES (?, ?, ?, ?, ?)"
		" ON CONFLICT (name) DO NOTHING",
	[DOMAIN_VIEWS] = "INSERT INTO view (domain, vantage, due) SELECT ?, id, 0 FROM vantage",
	[DOMAIN_FIND] = "SELECT " DOMAIN_COLUMNS " WHERE d.name = ?",
	[DOMAIN_FIND_ID] = "SELECT " DOMAIN_COLUMNS " WHERE d.id = ?",
	[DOMAIN_PUT] =
		"UPDATE domain SET state = ?, since = ?, held = ?, by_operator = ?, demoted = ?,"
		" policy = ?, confirmed = ?, pass_last = ?, pass_credit = ?, fail_last = ?,"
		" fail_credit = ?, leave_first = ?, gone_last = ?, gone_credit = ? WHERE id = ?",
	[ENTRY_PUT] = "INSERT INTO entry (name, policy, confirmed, ends) VALUES (?, ?, ?, ?)"
		      " ON CONFLICT (name) DO UPDATE SET policy = excluded.policy,"
		      " confirmed = excluded.confirmed, ends = excluded.ends",
	[ENTRY_DELETE] = "DELETE FROM entry WHERE name = ?",
	[TRANSITION_ADD] = "INSERT INTO transition"
			   " (domain, time, old, new, reason, detail, actor, agreed, evidence)"
			   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[POLICY_FIND] = "SELECT id FROM policy WHERE digest = ?",
	[POLICY_ADD] = "INSERT INTO policy (digest, text) VALUES (?, ?)",
	[EVIDENCE_FIND] = "SELECT id FROM evidence WHERE digest = ?",
	[EVIDENCE_ADD] = "INSERT INTO evidence (digest, time, content) VALUES (?, ?, ?)",
	[EVIDENCE_GET] = "SELECT content FROM evidence WHERE id = ?",
	[DUE] = "SELECT v.domain, v.due, d.name FROM view v JOIN domain d ON d.id = v.domain"
		" WHERE v.vantage = ? AND v.due <= ? AND (v.due, v.domain) > (?, ?)"
		" ORDER BY v.due, v.domain LIMIT ?",
	[DUE_COUNT] = "SELECT count(*) FROM view WHERE vantage = ? AND due <= ?",
	[DUE_NEXT] = "SELECT due FROM view WHERE vantage = ? ORDER BY due LIMIT 1",
	[VIEW_PUT] =
		"INSERT INTO view"
		" (domain, vantage, due, time, verdict, policy, fail_code, flags, evidence)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, vantage) DO UPDATE SET"
		" due = excluded.due, time = excluded.time, verdict = excluded.verdict,"
		" policy = excluded.policy, fail_code = excluded.fail_code,"
		" flags = excluded.flags, evidence = excluded.evidence",
	[VIEWS] =
		"SELECT n.name, v.due, v.time, v.verdict, p.text, v.fail_code, v.flags, v.evidence"
		" FROM view v JOIN vantage n ON n.id = v.vantage"
		" LEFT JOIN policy p ON p.id = v.policy"
		" WHERE v.domain = ? AND v.time <> 0 ORDER BY n.id",
	[MARKS] = "SELECT n.name, m.kind, m.subject, m.since, m.value"
		  " FROM mark m JOIN vantage n ON n.id = m.vantage WHERE m.domain = ?",
	[MARK_ADD] = "INSERT INTO mark (domain, vantage, kind, subject, since, value)"
		     " VALUES (?, ?, ?, ?, ?, ?)",
	[MARKS_DELETE] = "DELETE FROM mark WHERE domain = ? AND vantage = ?",
	[HISTORY] = "SELECT t.number, t.time, t.old, t.new, t.reason, t.detail, t.actor, t.agreed,"
		    " t.evidence, d.name FROM domain d JOIN transition t ON t.domain = d.id"
		    " WHERE d.name = ? ORDER BY t.number",
	[TOTALS] = "SELECT count(*), count(*) FILTER (WHERE confirmed < ?2),"
		   " min(confirmed) FILTER (WHERE confirmed >= ?2) FROM entry WHERE ends > ?1",
	[LIST_ADD] = "INSERT INTO list (version, built, entries, added, removed, changed, sha256)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?)",
	[LIST_PUBLISHED] = "UPDATE list SET published = ?, git_commit = ? WHERE version = ?",
	[LIST_LAST] = "SELECT version, built, published, entries, added, removed, changed, sha256,"
		      " git_commit FROM list ORDER BY version DESC LIMIT 1",
	[COUNT_STATES] = "SELECT state, count(*) FROM domain GROUP BY state",
	[COUNT_OTHERS] = "SELECT (SELECT count(*) FROM domain WHERE held <> 0),"
			 " (SELECT count(*) FROM transition), (SELECT count(*) FROM evidence),"
			 " (SELECT count(*) FROM policy)",
	[REASONS] = "SELECT v.fail_code, count(*) FROM view v JOIN domain d ON d.id = v.domain"
		    " WHERE d.state NOT IN (2, 3) AND v.fail_code IS NOT NULL"
		    " GROUP BY v.fail_code ORDER BY count(*) DESC, v.fail_code",
	/* Hosts that many domains share are in the evidence of each: an address counts once. */
	[TALLY_DOMAINS] = "SELECT tls, NULL, count(*), 0 FROM (SELECT min(" TALLY_TLS ") AS tls"
			  " FROM " TALLY_LOOKS " GROUP BY v.domain) GROUP BY tls ORDER BY tls DESC",
	[TALLY_ADDRESSES] =
		"SELECT tls, NULL, count(*), sum(asked) FROM ("
		" SELECT max(json_extract(a.value, '$.tls')) AS tls,"
		"  max(json_extract(a.value, '$.client_certificate_requested')) AS asked"
		"  FROM " TALLY_LOOKS ", json_each(CAST(e.content AS TEXT), '$.mx') m,"
		"  json_each(m.value, '$.sessions') a"
		"  GROUP BY json_extract(m.value, '$.host'), json_extract(a.value, '$.address')"
		") WHERE tls IS NOT NULL GROUP BY tls ORDER BY tls DESC",
	[TALLY_REQUIRED] = "SELECT NULL, NULL, count(DISTINCT json_extract(f.value, '$.subject')),"
			   " count(DISTINCT v.domain) FROM " TALLY_LOOKS "," TALLY_EACH_FINDING
			   " WHERE json_extract(f.value, '$.code')"
			   " = 'tls-client-certificate-required'",
	[TALLY_FINDINGS] =
		"SELECT json_extract(f.value, '$.code'), json_extract(f.value, '$.severity'),"
		" count(*), count(DISTINCT v.domain) FROM " TALLY_LOOKS "," TALLY_EACH_FINDING
		" GROUP BY 1, 2 ORDER BY 4 DESC, 3 DESC, 1, 2",
};

struct sqlite_store {
	struct store base; /* first */
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[STATEMENTS]; /* prepared when first used */
	struct file_lock *locks[LOCKS_MAX];
	size_t lock_count;
};

static struct sqlite_store *
self(struct store *s)
{
	return (struct sqlite_store *)s;
}

/* SQLite says no more than that it could not open a file, the database's or one of those beside it,
 * and tries others until errno is of no use. What the rights do not explain is a full disk or the
 * like, and passes. */
static int
cannot_open(const struct sqlite_store *s, struct error *err)
{
	const char *slash = strrchr(s->path, '/');
	char *dir = slash == NULL ? xstrdup(".") : xstrndup(s->path, (size_t)(slash - s->path) + 1);
	struct stat st;

	if (stat(s->path, &st) == 0 && !S_ISREG(st.st_mode))
		error_set(err, ERROR_CONFIG, "%s: not a regular file", s->path);
	else if (access(s->path, R_OK | W_OK) < 0 && errno != ENOENT)
		error_set_errno(err, ERROR_CONFIG, "%s: cannot open", s->path);
	else if (access(dir, W_OK | X_OK) < 0)
		error_set_errno(err, ERROR_CONFIG, "%s: cannot make a file beside it", s->path);
	else
		error_set(err, ERROR_TEMP,
			"%s: cannot make a file beside it: disk full, or too many open files",
			s->path);
	free(dir);
	return -1;
}

/* Turns the database's last error into ours. */
static int
db_error(struct sqlite_store *s, int code, struct error *err)
{
	enum error_kind kind = ERROR_CONFIG;

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		kind = ERROR_TEMP;
		break;
	case SQLITE_CONSTRAINT:
		kind = ERROR_INPUT;
		break;
	case SQLITE_CORRUPT:
		kind = ERROR_SECURITY;
		break;
	default:
		break;
	}
	if ((code & 0xff) == SQLITE_NOTADB)
		return error_set(err, kind, "%s: is not a database", s->path);
	if ((code & 0xff) == SQLITE_CANTOPEN)
		return cannot_open(s, err);
	errno = s->db != NULL ? sqlite3_system_errno(s->db) : 0;
	if (errno != 0 && (code & 0xff) == SQLITE_IOERR)
		return error_set_errno(err, kind, "%s: %s", s->path, sqlite3_errmsg(s->db));
	return error_set(err, kind, "%s: %s", s->path,
		s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
}

static int
run_sql(struct sqlite_store *s, const char *sql, struct error *err)
{
	int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : db_error(s, code, err);
}

/* --- statements ----------------------------------------------------------------------------- */

/*
 * A statement in use: q_begin(), q_int()/q_text() for each parameter in order, q_step() until it
 * says 0, q_end(). Errors of binding and stepping are kept and come out of q_step().
 */
struct query {
	struct sqlite_store *s;
	sqlite3_stmt *stmt;
	int bound;
	int code;
};

static struct query
q_begin(struct sqlite_store *s, enum statement which)
{
	struct query q = {.s = s, .code = SQLITE_OK};

	if (s->statements[which] == NULL)
		q.code = sqlite3_prepare_v3(s->db, statement_sql[which], -1,
			SQLITE_PREPARE_PERSISTENT, &s->statements[which], NULL);
	q.stmt = s->statements[which];
	return q;
}

static void
q_keep(struct query *q, int code)
{
	if (q->code == SQLITE_OK)
		q->code = code;
}

static void
q_int(struct query *q, int64_t value)
{
	if (q->code == SQLITE_OK)
		q_keep(q, sqlite3_bind_int64(q->stmt, ++q->bound, value));
}

/* 0 becomes NULL: references to nothing. */
static void
q_ref(struct query *q, int64_t value)
{
	if (value != 0)
		q_int(q, value);
	else if (q->code == SQLITE_OK)
		q_keep(q, sqlite3_bind_null(q->stmt, ++q->bound));
}

/* NULL becomes NULL. The text must live until q_end(). */
static void
q_text(struct query *q, const char *text)
{
	if (q->code == SQLITE_OK)
		q_keep(q, sqlite3_bind_text(q->stmt, ++q->bound, text, -1, SQLITE_STATIC));
}

static void
q_blob(struct query *q, const void *data, size_t len)
{
	if (q->code == SQLITE_OK)
		q_keep(q, sqlite3_bind_blob64(q->stmt, ++q->bound, data, len, SQLITE_STATIC));
}

/* 1 a row, 0 done, -1 error. */
static int
q_step(struct query *q, struct error *err)
{
	int code = q->code == SQLITE_OK ? sqlite3_step(q->stmt) : q->code;

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return db_error(q->s, code, err);
}

static void
q_end(struct query *q)
{
	if (q->stmt != NULL) {
		(void)sqlite3_reset(q->stmt); /* repeats the error that q_step() has reported */
		(void)sqlite3_clear_bindings(q->stmt);
	}
}

static int64_t
q_column(const struct query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

/* NULL for NULL; lent until the next step. */
static const char *
q_string(const struct query *q, int column)
{
	return (const char *)sqlite3_column_text(q->stmt, column);
}

/* For statements without rows. */
static int
q_run(struct query *q, struct error *err)
{
	int rc = q_step(q, err);

	q_end(q);
	return rc < 0 ? -1 : 0;
}

/* For a statement whose one row is one number: 1 found, 0 no row. */
static int
q_number(struct query *q, int64_t *out, struct error *err)
{
	int rc = q_step(q, err);

	if (rc == 1)
		*out = q_column(q, 0);
	q_end(q);
	return rc;
}

/* --- open and close ------------------------------------------------------------------------- */

static int
pragma_number(struct sqlite_store *s, const char *sql, int64_t *out, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return code == SQLITE_ROW ? 0 : db_error(s, code, err);
}

static void
sqlite_abort(struct store *base)
{
	/* Some errors have rolled back already; then there is nothing to do. */
	if (sqlite3_get_autocommit(self(base)->db) == 0)
		(void)sqlite3_exec(self(base)->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Refuses what is not ours before anything is written: such a file keeps every byte. *version is 0
 * for a new database. */
static int
check_ours(struct sqlite_store *s, enum store_open_mode mode, int64_t *version, struct error *err)
{
	int64_t id;
	int64_t tables;

	if (pragma_number(s, "PRAGMA application_id", &id, err) < 0 ||
		pragma_number(s, "PRAGMA user_version", version, err) < 0 ||
		pragma_number(s, "SELECT count(*) FROM sqlite_master", &tables, err) < 0)
		return -1;
	if (id != APPLICATION_ID) {
		if (id == 0 && *version == 0 && tables == 0 && mode == STORE_CREATE)
			return 0;
		return error_set(err, ERROR_CONFIG, "%s: is not a database of preload25", s->path);
	}
	if (*version < 1 || *version > (int64_t)store_sqlite_step_count)
		return error_set(err, ERROR_CONFIG,
			"%s: was written by a newer preload25 (schema %" PRId64
			", this one knows %zu)",
			s->path, *version, store_sqlite_step_count);
	return 0;
}

/* Under the write lock, so that two processes do not migrate at once. */
static int
migrate(struct sqlite_store *s, enum store_open_mode mode, struct error *err)
{
	int64_t version;
	char *sql = NULL;
	int rc = -1;

	if (run_sql(s, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (check_ours(s, mode, &version, err) < 0)
		goto out;
	for (size_t i = (size_t)version; i < store_sqlite_step_count; i++) {
		if (run_sql(s, store_sqlite_steps[i], err) < 0)
			goto out;
	}
	sql = xasprintf("PRAGMA application_id = %d; PRAGMA user_version = %zu", APPLICATION_ID,
		store_sqlite_step_count);
	if (run_sql(s, sql, err) < 0)
		goto out;
	rc = run_sql(s, "COMMIT", err);
out:
	free(sql);
	if (rc < 0)
		sqlite_abort(&s->base);
	return rc;
}

static void
sqlite_close(struct store *base)
{
	struct sqlite_store *s = self(base);

	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	if (sqlite3_close(s->db) != SQLITE_OK)
		abort(); /* an iteration was left open */
	for (size_t i = 0; i < s->lock_count; i++)
		file_lock_free(s->locks[i]);
	free(s->path);
	free(s);
}

/* SQLite keeps files of its own beside a database, so the folder counts as well. */
static bool
may_write(const char *path)
{
	char *copy = xstrdup(path);
	bool may = access(path, W_OK) == 0 && access(dirname(copy), W_OK) == 0;

	free(copy);
	return may;
}

/*
 * What to open for one who may not write. In WAL mode SQLite reads through files beside the
 * database that are there while somebody has it open for writing. When they are missing nobody has,
 * and it is read as a file that does not change; somebody who begins to write just then is the
 * risk, and what is read so is only shown.
 */
static char *
uri_to_read(const char *path)
{
	char *wal = xasprintf("%s-wal", path);
	struct buf uri;

	buf_init(&uri, 3 * PATH_MAX + 64);
	(void)buf_add_str(&uri, "file:");
	for (const char *p = path; *p != '\0'; p++) {
		if (*p == '%' || *p == '?' || *p == '#')
			(void)buf_addf(&uri, "%%%02x", (unsigned char)*p);
		else
			(void)buf_add_char(&uri, *p);
	}
	if (!file_exists(wal))
		(void)buf_add_str(&uri, "?immutable=1");
	free(wal);
	return buf_take(&uri);
}

static int
open_database(struct sqlite_store *s, enum store_open_mode mode, struct error *err)
{
	const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	char *uri = NULL;
	int code;

	if (mode == STORE_READ) {
		uri = uri_to_read(s->path);
		code = sqlite3_open_v2(
			uri, &s->db, flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	} else {
		code = sqlite3_open_v2(s->path, &s->db,
			flags | SQLITE_OPEN_READWRITE |
				(mode == STORE_CREATE ? SQLITE_OPEN_CREATE : 0),
			NULL);
	}
	free(uri);
	if (code != SQLITE_OK)
		return db_error(s, code, err);
	(void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	return 0;
}

static int
check_current(struct sqlite_store *s, struct error *err)
{
	int64_t version;

	if (check_ours(s, STORE_READ, &version, err) < 0)
		return -1;
	if (version < (int64_t)store_sqlite_step_count)
		return error_set(err, ERROR_CONFIG,
			"%s: was written by an older preload25, and may not be brought up to date "
			"by this user",
			s->path);
	return 0;
}

static int
sqlite_open(const char *rest, enum store_open_mode mode, struct store **out, struct error *err)
{
	struct sqlite_store *s = xcalloc(1, sizeof(*s));
	int64_t version;

	s->base.backend = &store_sqlite;
	s->path = xstrdup(rest);
	if (mode != STORE_CREATE && !file_exists(rest)) {
		error_set(err, ERROR_CONFIG,
			"%s: there is no such database (preload25 init makes one)", rest);
		goto fail;
	}
	if (mode == STORE_READ && may_write(rest))
		mode = STORE_MUST_EXIST;
	if (open_database(s, mode, err) < 0)
		goto fail;
	if (mode == STORE_READ) {
		if (check_current(s, err) < 0)
			goto fail;
		*out = &s->base;
		return 0;
	}
	if (check_ours(s, mode, &version, err) < 0 ||
		run_sql(s,
			"PRAGMA journal_mode = WAL;"
			"PRAGMA synchronous = FULL;"
			"PRAGMA foreign_keys = ON;"
			"PRAGMA trusted_schema = OFF;"
			"PRAGMA cache_size = " CACHE_KIB,
			err) < 0 ||
		(version < (int64_t)store_sqlite_step_count && migrate(s, mode, err) < 0))
		goto fail;
	*out = &s->base;
	return 0;
fail:
	sqlite_close(&s->base);
	return -1;
}

static int
sqlite_begin(struct store *base, bool write, struct error *err)
{
	return run_sql(self(base), write ? "BEGIN IMMEDIATE" : "BEGIN", err);
}

static int
sqlite_commit(struct store *base, struct error *err)
{
	return run_sql(self(base), "COMMIT", err);
}

static int
sqlite_lock(struct store *base, const char *name, struct error *err)
{
	struct sqlite_store *s = self(base);
	char *path = xasprintf("%s.%s.lock", s->path, name);
	int rc;

	assert(s->lock_count < LOCKS_MAX);
	rc = file_lock_take(path, &s->locks[s->lock_count], err);
	free(path);
	if (rc < 0)
		return -1;
	s->lock_count++;
	return 0;
}

static int
sqlite_verify(struct store *base, struct error *err)
{
	static const char *const checks[] = {
		"PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"};
	struct sqlite_store *s = self(base);

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		sqlite3_stmt *stmt = NULL;
		int code = sqlite3_prepare_v2(s->db, checks[i], -1, &stmt, NULL);
		int rc = 0;

		if (code == SQLITE_OK)
			code = sqlite3_step(stmt);
		if (code == SQLITE_ROW) {
			const char *text = (const char *)sqlite3_column_text(stmt, 0);

			if (i > 0)
				rc = error_set(err, ERROR_SECURITY,
					"%s: a row of table %s refers to nothing", s->path, text);
			else if (text == NULL || strcmp(text, "ok") != 0)
				rc = error_set(err, ERROR_SECURITY, "%s: %s", s->path,
					text != NULL ? text : "cannot be checked");
		} else if (code != SQLITE_DONE) {
			rc = db_error(s, code, err);
		}
		sqlite3_finalize(stmt);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* --- several statements as one --------------------------------------------------------------- */

/* Begins a transaction unless there is one. */
static int
own_begin(struct sqlite_store *s, bool *own, struct error *err)
{
	*own = sqlite3_get_autocommit(s->db) != 0;
	return *own ? run_sql(s, "BEGIN IMMEDIATE", err) : 0;
}

static int
own_end(struct sqlite_store *s, bool own, int rc, struct error *err)
{
	if (!own)
		return rc;
	if (rc >= 0 && run_sql(s, "COMMIT", err) == 0)
		return rc;
	sqlite_abort(&s->base);
	return -1;
}

static void
digest_of(const void *data, size_t len, unsigned char out[static DIGEST_SIZE])
{
	if (EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory is the only way */
}

/* The number of a content that is kept once. */
static int
intern(struct sqlite_store *s, enum statement find, enum statement add, const void *data,
	size_t len, const int64_t *time_s, int64_t *out, struct error *err)
{
	unsigned char digest[DIGEST_SIZE];
	struct query q;
	int rc;

	digest_of(data, len, digest);
	q = q_begin(s, find);
	q_blob(&q, digest, sizeof(digest));
	rc = q_number(&q, out, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	q = q_begin(s, add);
	q_blob(&q, digest, sizeof(digest));
	if (time_s != NULL) {
		q_int(&q, *time_s);
		q_blob(&q, data, len);
	} else {
		q_text(&q, data);
	}
	if (q_run(&q, err) < 0)
		return -1;
	*out = sqlite3_last_insert_rowid(s->db);
	return 0;
}

/* 0 for no policy. */
static int
intern_policy(struct sqlite_store *s, const char *text, int64_t *out, struct error *err)
{
	*out = 0;
	return text == NULL
		? 0
		: intern(s, POLICY_FIND, POLICY_ADD, text, strlen(text), NULL, out, err);
}

/* --- vantage points and domains -------------------------------------------------------------- */

static int
sqlite_find_vantage(struct store *base, const char *name, int64_t *out, struct error *err)
{
	struct query q = q_begin(self(base), VANTAGE_FIND);

	q_text(&q, name);
	return q_number(&q, out, err);
}

static int
add_vantage(
	struct sqlite_store *s, const char *name, int64_t now_s, int64_t *out, struct error *err)
{
	struct query q;
	int rc = sqlite_find_vantage(&s->base, name, out, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	q = q_begin(s, VANTAGE_ADD);
	q_text(&q, name);
	q_int(&q, now_s);
	if (q_run(&q, err) < 0)
		return -1;
	*out = sqlite3_last_insert_rowid(s->db);
	q = q_begin(s, VANTAGE_FILL);
	q_int(&q, *out);
	return q_run(&q, err);
}

static int
sqlite_vantage(struct store *base, const char *name, int64_t now_s, int64_t *out, struct error *err)
{
	struct sqlite_store *s = self(base);
	bool own;

	if (own_begin(s, &own, err) < 0)
		return -1;
	return own_end(s, own, add_vantage(s, name, now_s, out, err), err);
}

static int
add_domain(struct sqlite_store *s, const char *name, const char *origin, int64_t now_s,
	struct error *err)
{
	struct query q = q_begin(s, DOMAIN_ADD);

	q_text(&q, name);
	q_text(&q, origin);
	q_int(&q, now_s);
	q_int(&q, LIFE_CANDIDATE);
	q_int(&q, now_s);
	if (q_run(&q, err) < 0)
		return -1;
	if (sqlite3_changes(s->db) == 0)
		return 0;
	q = q_begin(s, DOMAIN_VIEWS);
	q_int(&q, sqlite3_last_insert_rowid(s->db));
	return q_run(&q, err) < 0 ? -1 : 1;
}

static int
sqlite_add(
	struct store *base, const char *name, const char *origin, int64_t now_s, struct error *err)
{
	struct sqlite_store *s = self(base);
	bool own;

	if (own_begin(s, &own, err) < 0)
		return -1;
	return own_end(s, own, add_domain(s, name, origin, now_s, err), err);
}

/* Text of a column into a fixed buffer; what we wrote fits. */
static void
copy_text(const struct query *q, int column, char *out, size_t size)
{
	const char *text = q_string(q, column);

	(void)snprintf(out, size, "%s", text != NULL ? text : "");
}

static int
sqlite_find(
	struct store *base, const char *name, int64_t id, struct store_domain *d, struct error *err)
{
	struct query q = q_begin(self(base), name != NULL ? DOMAIN_FIND : DOMAIN_FIND_ID);
	struct life *l = &d->life;
	int rc;

	if (name != NULL)
		q_text(&q, name);
	else
		q_int(&q, id);
	rc = q_step(&q, err);
	if (rc == 1) {
		const char *policy = q_string(&q, 9);

		d->id = q_column(&q, 0);
		copy_text(&q, 1, d->name, sizeof(d->name));
		copy_text(&q, 2, d->origin, sizeof(d->origin));
		d->added_s = q_column(&q, 3);
		l->state = (enum life_state)q_column(&q, 4);
		l->since_s = q_column(&q, 5);
		l->held = q_column(&q, 6) != 0;
		l->by_operator = q_column(&q, 7) != 0;
		l->demoted = q_column(&q, 8) != 0;
		d->policy = policy != NULL ? xstrdup(policy) : NULL;
		l->policy = d->policy;
		l->confirmed_s = q_column(&q, 10);
		l->pass_last_s = q_column(&q, 11);
		l->pass_credit_s = q_column(&q, 12);
		l->fail_last_s = q_column(&q, 13);
		l->fail_credit_s = q_column(&q, 14);
		l->leave_s = q_column(&q, 15);
		l->gone_last_s = q_column(&q, 16);
		l->gone_credit_s = q_column(&q, 17);
	}
	q_end(&q);
	return rc;
}

static int
put_domain(
	struct sqlite_store *s, int64_t id, const struct life *l, int64_t policy, struct error *err)
{
	struct query q = q_begin(s, DOMAIN_PUT);

	q_int(&q, l->state);
	q_int(&q, l->since_s);
	q_int(&q, l->held);
	q_int(&q, l->by_operator);
	q_int(&q, l->demoted);
	q_ref(&q, policy);
	q_int(&q, l->confirmed_s);
	q_int(&q, l->pass_last_s);
	q_int(&q, l->pass_credit_s);
	q_int(&q, l->fail_last_s);
	q_int(&q, l->fail_credit_s);
	q_int(&q, l->leave_s);
	q_int(&q, l->gone_last_s);
	q_int(&q, l->gone_credit_s);
	q_int(&q, id);
	return q_run(&q, err);
}

static int
put_entry(struct sqlite_store *s, const char *name, const struct life *l, int64_t policy,
	struct error *err)
{
	struct query q = q_begin(s, ENTRY_PUT);

	q_text(&q, name);
	q_int(&q, policy);
	q_int(&q, l->confirmed_s);
	q_int(&q, l->confirmed_s + entry_max_age(l->policy));
	return q_run(&q, err);
}

static int
add_transition(struct sqlite_store *s, int64_t domain, const struct life_event *e, int64_t now_s,
	const char *actor, int64_t evidence, struct error *err)
{
	struct query q = q_begin(s, TRANSITION_ADD);

	q_int(&q, domain);
	q_int(&q, now_s);
	q_int(&q, e->from);
	q_int(&q, e->to);
	q_text(&q, e->reason);
	q_text(&q, e->detail);
	q_text(&q, actor);
	q_text(&q, e->agreed);
	q_ref(&q, evidence);
	return q_run(&q, err);
}

static bool
life_equal(const struct life *a, const struct life *b)
{
	bool same_policy = a->policy == NULL || b->policy == NULL
		? a->policy == b->policy
		: strcmp(a->policy, b->policy) == 0;

	return same_policy && a->state == b->state && a->since_s == b->since_s &&
		a->held == b->held && a->by_operator == b->by_operator &&
		a->demoted == b->demoted && a->confirmed_s == b->confirmed_s &&
		a->pass_last_s == b->pass_last_s && a->pass_credit_s == b->pass_credit_s &&
		a->fail_last_s == b->fail_last_s && a->fail_credit_s == b->fail_credit_s &&
		a->leave_s == b->leave_s && a->gone_last_s == b->gone_last_s &&
		a->gone_credit_s == b->gone_credit_s;
}

static int
put_life(struct sqlite_store *s, const struct store_domain *d, const struct life_result *result,
	int64_t now_s, const char *actor, int64_t evidence, struct error *err)
{
	const struct life *l = &result->life;
	int64_t policy;

	if (!life_equal(&d->life, l)) {
		if (intern_policy(s, l->policy, &policy, err) < 0 ||
			put_domain(s, d->id, l, policy, err) < 0)
			return -1;
		if (life_is_on_list(l->state)) {
			if (put_entry(s, d->name, l, policy, err) < 0)
				return -1;
		} else if (life_is_on_list(d->life.state)) {
			struct query q = q_begin(s, ENTRY_DELETE);

			q_text(&q, d->name);
			if (q_run(&q, err) < 0)
				return -1;
		}
	}
	for (size_t i = 0; i < result->event_count; i++) {
		if (add_transition(s, d->id, &result->events[i], now_s, actor, evidence, err) < 0)
			return -1;
	}
	return 0;
}

static int
sqlite_put_life(struct store *base, const struct store_domain *d, const struct life_result *result,
	int64_t now_s, const char *actor, int64_t evidence, struct error *err)
{
	struct sqlite_store *s = self(base);
	bool own;

	if (own_begin(s, &own, err) < 0)
		return -1;
	return own_end(s, own, put_life(s, d, result, now_s, actor, evidence, err), err);
}

/* --- looks ---------------------------------------------------------------------------------- */

static int
sqlite_due(struct store *base, int64_t vantage, int64_t now_s, const struct store_due *after,
	struct store_due *out, size_t max, size_t *count, struct error *err)
{
	struct query q = q_begin(self(base), DUE);
	int rc;

	*count = 0;
	q_int(&q, vantage);
	q_int(&q, now_s);
	q_int(&q, after != NULL ? after->due_s : INT64_MIN);
	q_int(&q, after != NULL ? after->id : 0);
	q_int(&q, (int64_t)max);
	while ((rc = q_step(&q, err)) == 1) {
		struct store_due *d = &out[(*count)++];

		d->id = q_column(&q, 0);
		d->due_s = q_column(&q, 1);
		copy_text(&q, 2, d->name, sizeof(d->name));
	}
	q_end(&q);
	return rc;
}

static int
sqlite_count_due(
	struct store *base, int64_t vantage, int64_t now_s, int64_t *out, struct error *err)
{
	struct query q = q_begin(self(base), DUE_COUNT);

	q_int(&q, vantage);
	q_int(&q, now_s);
	return q_number(&q, out, err) < 0 ? -1 : 0;
}

static int
sqlite_next_due(struct store *base, int64_t vantage, int64_t *out, struct error *err)
{
	struct query q = q_begin(self(base), DUE_NEXT);

	q_int(&q, vantage);
	return q_number(&q, out, err);
}

static int
sqlite_evidence(struct store *base, const void *content, size_t len, int64_t now_s, int64_t *out,
	struct error *err)
{
	struct sqlite_store *s = self(base);
	bool own;

	if (own_begin(s, &own, err) < 0)
		return -1;
	return own_end(s, own,
		intern(s, EVIDENCE_FIND, EVIDENCE_ADD, content, len, &now_s, out, err), err);
}

static int
sqlite_get_evidence(struct store *base, int64_t evidence, struct buf *out, struct error *err)
{
	struct query q = q_begin(self(base), EVIDENCE_GET);
	int rc;

	q_int(&q, evidence);
	rc = q_step(&q, err);
	if (rc == 1) {
		const void *data = sqlite3_column_blob(q.stmt, 0);
		int len = sqlite3_column_bytes(q.stmt, 0);

		if (len > 0 && buf_add(out, data, (size_t)len) < 0)
			rc = error_set(
				err, ERROR_INPUT, "evidence %" PRId64 " is too large", evidence);
	}
	q_end(&q);
	return rc;
}

static int
view_flags(const struct life_view *v)
{
	return (v->sts_none ? FLAG_STS_NONE : 0) | (v->preload_none ? FLAG_PRELOAD_NONE : 0) |
		(v->preload_secure ? FLAG_PRELOAD_SECURE : 0) |
		(v->preload_absent ? FLAG_PRELOAD_ABSENT : 0) | (v->gone ? FLAG_GONE : 0) |
		(v->gone_secure ? FLAG_GONE_SECURE : 0) | (v->null_mx ? FLAG_NULL_MX : 0) |
		(v->null_secure ? FLAG_NULL_SECURE : 0);
}

static int
put_view(struct sqlite_store *s, int64_t domain, int64_t vantage, const struct life_view *view,
	int64_t evidence, int64_t next_look_s, struct error *err)
{
	int64_t policy;
	struct query q;

	if (intern_policy(s, view->policy, &policy, err) < 0)
		return -1;
	q = q_begin(s, VIEW_PUT);
	q_int(&q, domain);
	q_int(&q, vantage);
	q_int(&q, next_look_s);
	q_int(&q, view->time_s);
	q_int(&q, view->verdict);
	q_ref(&q, policy);
	q_text(&q, view->fail_code);
	q_int(&q, view_flags(view));
	q_ref(&q, evidence);
	return q_run(&q, err);
}

static int
sqlite_put_view(struct store *base, int64_t domain, int64_t vantage, const struct life_view *view,
	int64_t evidence, int64_t next_look_s, struct error *err)
{
	struct sqlite_store *s = self(base);
	bool own;

	if (own_begin(s, &own, err) < 0)
		return -1;
	return own_end(s, own, put_view(s, domain, vantage, view, evidence, next_look_s, err), err);
}

static const char *
arena_string(const struct query *q, int column, struct arena *arena)
{
	const char *text = q_string(q, column);

	return text != NULL ? arena_strdup(arena, text) : NULL;
}

static int
sqlite_views(struct store *base, int64_t domain, struct arena *arena, struct store_view *out,
	size_t max, size_t *count, struct error *err)
{
	struct query q = q_begin(self(base), VIEWS);
	int rc;

	*count = 0;
	q_int(&q, domain);
	while ((rc = q_step(&q, err)) == 1 && *count < max) {
		struct store_view *v = &out[(*count)++];
		int64_t flags = q_column(&q, 6);

		*v = (struct store_view){.due_s = q_column(&q, 1), .evidence = q_column(&q, 7)};
		v->view = (struct life_view){
			.vantage = arena_string(&q, 0, arena),
			.time_s = q_column(&q, 2),
			.verdict = (enum verdict)q_column(&q, 3),
			.policy = arena_string(&q, 4, arena),
			.fail_code = arena_string(&q, 5, arena),
			.sts_none = (flags & FLAG_STS_NONE) != 0,
			.preload_none = (flags & FLAG_PRELOAD_NONE) != 0,
			.preload_secure = (flags & FLAG_PRELOAD_SECURE) != 0,
			.preload_absent = (flags & FLAG_PRELOAD_ABSENT) != 0,
			.gone = (flags & FLAG_GONE) != 0,
			.gone_secure = (flags & FLAG_GONE_SECURE) != 0,
			.null_mx = (flags & FLAG_NULL_MX) != 0,
			.null_secure = (flags & FLAG_NULL_SECURE) != 0,
		};
	}
	q_end(&q);
	return rc < 0 ? -1 : 0;
}

static int
put_marks(struct sqlite_store *s, int64_t domain, int64_t vantage, const struct compare_mark *marks,
	size_t count, struct error *err)
{
	struct query q = q_begin(s, MARKS_DELETE);

	q_int(&q, domain);
	q_int(&q, vantage);
	if (q_run(&q, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		q = q_begin(s, MARK_ADD);
		q_int(&q, domain);
		q_int(&q, vantage);
		q_int(&q, marks[i].kind);
		q_text(&q, marks[i].subject);
		q_int(&q, marks[i].since_s);
		q_text(&q, marks[i].value);
		if (q_run(&q, err) < 0)
			return -1;
	}
	return 0;
}

static int
sqlite_put_marks(struct store *base, int64_t domain, int64_t vantage,
	const struct compare_mark *marks, size_t count, struct error *err)
{
	struct sqlite_store *s = self(base);
	bool own;

	if (own_begin(s, &own, err) < 0)
		return -1;
	return own_end(s, own, put_marks(s, domain, vantage, marks, count, err), err);
}

static int
sqlite_marks(struct store *base, int64_t domain, struct arena *arena, struct compare_mark **out,
	size_t *count, struct error *err)
{
	struct query q = q_begin(self(base), MARKS);
	size_t size = 0;
	int rc;

	*out = NULL;
	*count = 0;
	q_int(&q, domain);
	while ((rc = q_step(&q, err)) == 1) {
		if (*count == size) {
			size_t bigger = size > 0 ? 2 * size : 8;
			struct compare_mark *marks = arena_calloc(arena, bigger, sizeof(*marks));

			if (size > 0)
				memcpy(marks, *out, size * sizeof(*marks));
			*out = marks;
			size = bigger;
		}
		(*out)[(*count)++] = (struct compare_mark){.vantage = arena_string(&q, 0, arena),
			.kind = (enum compare_kind)q_column(&q, 1),
			.subject = arena_string(&q, 2, arena),
			.since_s = q_column(&q, 3),
			.value = arena_string(&q, 4, arena)};
	}
	q_end(&q);
	return rc < 0 ? -1 : 0;
}

/* --- history -------------------------------------------------------------------------------- */

static int
sqlite_history(struct store *base, const char *domain, store_transition_cb *cb, void *arg,
	struct error *err)
{
	struct query q = q_begin(self(base), HISTORY);
	int rc;

	q_text(&q, domain);
	while ((rc = q_step(&q, err)) == 1) {
		struct store_transition t = {
			.number = q_column(&q, 0),
			.time_s = q_column(&q, 1),
			.from = (enum life_state)q_column(&q, 2),
			.to = (enum life_state)q_column(&q, 3),
			.reason = q_string(&q, 4),
			.detail = q_string(&q, 5),
			.actor = q_string(&q, 6),
			.agreed = q_string(&q, 7),
			.evidence = q_column(&q, 8),
			.domain = q_string(&q, 9),
		};

		rc = cb(&t, arg, err);
		if (rc != 0)
			break;
	}
	q_end(&q);
	return rc;
}

/* --- the list ------------------------------------------------------------------------------- */

/* Iterations have statements of their own: they stay open while others run. */
struct sqlite_entries {
	struct store_entries base; /* first */
	struct query q;
};
struct sqlite_shares {
	struct store_shares base; /* first */
	struct query q;
};

static int
prepare(struct sqlite_store *s, const char *sql, struct query *q, struct error *err)
{
	int code;

	*q = (struct query){.s = s};
	code = sqlite3_prepare_v2(s->db, sql, -1, &q->stmt, NULL);
	return code == SQLITE_OK ? 0 : db_error(s, code, err);
}

static int
sqlite_entries_open(
	struct store *base, int64_t now_s, struct store_entries **out, struct error *err)
{
	struct sqlite_entries *e = xcalloc(1, sizeof(*e));

	*out = NULL;
	/* CROSS JOIN keeps SQLite from reordering: entries first, in the order of their key. */
	if (prepare(self(base),
		    "SELECT e.name, e.confirmed, p.text FROM entry e CROSS JOIN policy p"
		    " ON p.id = e.policy WHERE e.ends > ? ORDER BY e.name",
		    &e->q, err) < 0) {
		free(e);
		return -1;
	}
	e->base.store = base;
	q_int(&e->q, now_s);
	*out = &e->base;
	return 0;
}

static int
sqlite_entries_next(struct store_entries *base, struct store_entry *out, struct error *err)
{
	struct sqlite_entries *e = (struct sqlite_entries *)base;
	int rc = q_step(&e->q, err);

	if (rc == 1) {
		out->domain = q_string(&e->q, 0);
		out->confirmed_s = q_column(&e->q, 1);
		out->policy = q_string(&e->q, 2);
		out->policy_len = (size_t)sqlite3_column_bytes(e->q.stmt, 2);
	}
	return rc;
}

static void
sqlite_entries_close(struct store_entries *base)
{
	struct sqlite_entries *e = (struct sqlite_entries *)base;

	sqlite3_finalize(e->q.stmt);
	free(e);
}

static int
sqlite_shares_open(struct store *base, int64_t now_s, int64_t fresh_s, struct store_shares **out,
	struct error *err)
{
	struct sqlite_shares *e = xcalloc(1, sizeof(*e));

	*out = NULL;
	if (prepare(self(base),
		    "SELECT p.text, g.uses FROM (SELECT policy, count(*) AS uses FROM entry"
		    " INDEXED BY entry_policy WHERE ends > ? AND confirmed >= ?"
		    " GROUP BY policy HAVING count(*) > 1) g"
		    " CROSS JOIN policy p ON p.id = g.policy ORDER BY g.uses DESC, p.digest",
		    &e->q, err) < 0) {
		free(e);
		return -1;
	}
	e->base.store = base;
	q_int(&e->q, now_s);
	q_int(&e->q, fresh_s);
	*out = &e->base;
	return 0;
}

static int
sqlite_shares_next(struct store_shares *base, struct store_shared *out, struct error *err)
{
	struct sqlite_shares *e = (struct sqlite_shares *)base;
	int rc = q_step(&e->q, err);

	if (rc == 1) {
		out->policy = q_string(&e->q, 0);
		out->policy_len = (size_t)sqlite3_column_bytes(e->q.stmt, 0);
		out->uses = q_column(&e->q, 1);
	}
	return rc;
}

static void
sqlite_shares_close(struct store_shares *base)
{
	struct sqlite_shares *e = (struct sqlite_shares *)base;

	sqlite3_finalize(e->q.stmt);
	free(e);
}

static int
sqlite_entry_totals(struct store *base, int64_t now_s, int64_t fresh_s,
	struct store_entry_totals *out, struct error *err)
{
	struct query q = q_begin(self(base), TOTALS);
	int rc;

	q_int(&q, now_s);
	q_int(&q, fresh_s);
	rc = q_step(&q, err);
	if (rc == 1) {
		out->entries = q_column(&q, 0);
		out->troubled = q_column(&q, 1);
		out->confirmed_since_s = q_string(&q, 2) != NULL ? q_column(&q, 2) : now_s;
	}
	q_end(&q);
	return rc < 0 ? -1 : 0;
}

static int
sqlite_put_list(struct store *base, const struct store_list *list, struct error *err)
{
	struct query q = q_begin(self(base), LIST_ADD);

	q_int(&q, list->version);
	q_int(&q, list->built_s);
	q_int(&q, list->entries);
	q_int(&q, list->added);
	q_int(&q, list->removed);
	q_int(&q, list->changed);
	q_text(&q, list->sha256);
	return q_run(&q, err);
}

static int
sqlite_set_published(struct store *base, int64_t version, int64_t published_s, const char *commit,
	struct error *err)
{
	struct sqlite_store *s = self(base);
	struct query q = q_begin(s, LIST_PUBLISHED);

	q_int(&q, published_s);
	q_text(&q, commit);
	q_int(&q, version);
	if (q_run(&q, err) < 0)
		return -1;
	if (sqlite3_changes(s->db) == 0)
		return error_set(
			err, ERROR_INPUT, "%s: there is no list %" PRId64, s->path, version);
	return 0;
}

static int
sqlite_last_list(struct store *base, struct store_list *out, struct error *err)
{
	struct query q = q_begin(self(base), LIST_LAST);
	int rc = q_step(&q, err);

	if (rc == 1) {
		*out = (struct store_list){
			.version = q_column(&q, 0),
			.built_s = q_column(&q, 1),
			.published_s = q_column(&q, 2),
			.entries = q_column(&q, 3),
			.added = q_column(&q, 4),
			.removed = q_column(&q, 5),
			.changed = q_column(&q, 6),
		};
		copy_text(&q, 7, out->sha256, sizeof(out->sha256));
		copy_text(&q, 8, out->commit, sizeof(out->commit));
	}
	q_end(&q);
	return rc;
}

/* --- counts --------------------------------------------------------------------------------- */

static int
sqlite_counts(struct store *base, struct store_counts *out, struct error *err)
{
	struct sqlite_store *s = self(base);
	struct query q = q_begin(s, COUNT_STATES);
	int rc;

	*out = (struct store_counts){0};
	while ((rc = q_step(&q, err)) == 1) {
		int64_t state = q_column(&q, 0);

		assert(state >= 0 && state <= LIFE_STATE_MAX);
		out->states[state] = q_column(&q, 1);
		out->domains += q_column(&q, 1);
	}
	q_end(&q);
	if (rc < 0)
		return -1;
	q = q_begin(s, COUNT_OTHERS);
	rc = q_step(&q, err);
	if (rc == 1) {
		out->held = q_column(&q, 0);
		out->transitions = q_column(&q, 1);
		out->evidence = q_column(&q, 2);
		out->policies = q_column(&q, 3);
	}
	q_end(&q);
	return rc < 0 ? -1 : 0;
}

static int
sqlite_reasons(struct store *base, store_reason_cb *cb, void *arg, struct error *err)
{
	struct query q = q_begin(self(base), REASONS);
	int rc;

	while ((rc = q_step(&q, err)) == 1) {
		rc = cb(q_string(&q, 0), q_column(&q, 1), arg, err);
		if (rc != 0)
			break;
	}
	q_end(&q);
	return rc;
}

static int
sqlite_tally(struct store *base, enum store_tally tally, store_tally_cb *cb, void *arg,
	struct error *err)
{
	static const enum statement statements[] = {
		[STORE_TALLY_DOMAINS] = TALLY_DOMAINS,
		[STORE_TALLY_ADDRESSES] = TALLY_ADDRESSES,
		[STORE_TALLY_REQUIRED] = TALLY_REQUIRED,
		[STORE_TALLY_FINDINGS] = TALLY_FINDINGS,
	};
	struct query q = q_begin(self(base), statements[tally]);
	int rc;

	while ((rc = q_step(&q, err)) == 1) {
		struct store_tally_row row = {
			.name = q_string(&q, 0),
			.detail = q_string(&q, 1),
			.count = q_column(&q, 2),
			.other = q_column(&q, 3),
		};

		rc = cb(&row, arg, err);
		if (rc != 0)
			break;
	}
	q_end(&q);
	return rc;
}

const struct store_backend store_sqlite = {
	.scheme = "sqlite:",
	.open = sqlite_open,
	.close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.abort = sqlite_abort,
	.lock = sqlite_lock,
	.verify = sqlite_verify,
	.vantage = sqlite_vantage,
	.find_vantage = sqlite_find_vantage,
	.add = sqlite_add,
	.find = sqlite_find,
	.put_life = sqlite_put_life,
	.due = sqlite_due,
	.count_due = sqlite_count_due,
	.next_due = sqlite_next_due,
	.evidence = sqlite_evidence,
	.get_evidence = sqlite_get_evidence,
	.put_view = sqlite_put_view,
	.views = sqlite_views,
	.put_marks = sqlite_put_marks,
	.marks = sqlite_marks,
	.history = sqlite_history,
	.entries_open = sqlite_entries_open,
	.entries_next = sqlite_entries_next,
	.entries_close = sqlite_entries_close,
	.shares_open = sqlite_shares_open,
	.shares_next = sqlite_shares_next,
	.shares_close = sqlite_shares_close,
	.entry_totals = sqlite_entry_totals,
	.put_list = sqlite_put_list,
	.set_published = sqlite_set_published,
	.last_list = sqlite_last_list,
	.counts = sqlite_counts,
	.tally = sqlite_tally,
	.reasons = sqlite_reasons,
};
