/* The store on SQLite: what goes in comes out, history stays, foreign files are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builder/life.h"
#include "builder/store.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

#define T0 INT64_C(1764000000)

static const char policy_a[] = "{\"auth\":[\"pkix\"],\"max_age\":86400,\"mode\":\"enforce\","
			       "\"mxs\":[\"mx.a.test\"],\"source\":\"mta-sts\",\"tls\":\"1.3\"}";
static const char policy_b[] = "{\"auth\":[\"dane\"],\"max_age\":604800,\"mode\":\"testing\","
			       "\"mxs\":[\"mx.b.test\"],\"source\":\"dane\",\"tls\":\"1.2\"}";

struct fixture {
	char dir[64];
	char *path, *url;
	struct store *store;
	struct error err;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/preload25-store-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	f->path = xasprintf("%s/db", f->dir);
	f->url = xasprintf("sqlite:%s", f->path);
	if (store_open(f->url, STORE_CREATE, &f->store, &f->err) < 0) {
		print_error("%s\n", f->err.text);
		return -1;
	}
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char *command[] = {f->path, xasprintf("%s-wal", f->path), xasprintf("%s-shm", f->path),
		xasprintf("%s.one.lock", f->path)};

	store_close(f->store);
	for (size_t i = 0; i < ARRAY_LEN(command); i++) {
		(void)unlink(command[i]);
		if (i > 0)
			free(command[i]);
	}
	(void)rmdir(f->dir);
	free(f->path);
	free(f->url);
	free(f);
	return 0;
}

/* Runs SQL behind the store's back; returns SQLite's code. */
static int
raw(const char *path, const char *sql)
{
	sqlite3 *db;
	int code;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return code;
}

static void
list_domain(struct fixture *f, const char *name, const char *policy, int64_t confirmed_s)
{
	struct store_domain d = {0};
	struct life_result r = {0};

	assert_int_equal(store_add(f->store, name, "import", T0, &f->err), 1);
	assert_int_equal(store_find(f->store, name, &d, &f->err), 1);
	r.life = d.life;
	r.life.state = LIFE_LISTED;
	r.life.policy = policy;
	r.life.confirmed_s = confirmed_s;
	r.events[0] = (struct life_event){
		.from = d.life.state, .to = LIFE_LISTED, .reason = "entry-listed", .agreed = "one"};
	r.event_count = 1;
	assert_int_equal(store_put_life(f->store, &d, &r, T0, "one", 0, &f->err), 0);
	store_domain_clear(&d);
}

/* --- tallies -----------------------------------------------------------------------------------
 */

static void
look_with(struct fixture *f, const char *name, int64_t vantage, const char *evidence)
{
	struct life_view view = {.vantage = "one", .time_s = T0, .verdict = VERDICT_PASS};
	struct store_domain d = {0};
	int64_t number;

	(void)!store_add(f->store, name, "import", T0, &f->err);
	assert_int_equal(store_find(f->store, name, &d, &f->err), 1);
	assert_int_equal(
		store_evidence(f->store, evidence, strlen(evidence), T0, &number, &f->err), 0);
	assert_int_equal(
		store_put_view(f->store, d.id, vantage, &view, number, T0 + 60, &f->err), 0);
	store_domain_clear(&d);
}

static int
note_tally(const struct store_tally_row *row, void *arg, struct error *err UNUSED)
{
	buf_addf(arg, "%s %s %" PRId64 " %" PRId64 "\n", row->name != NULL ? row->name : "-",
		row->detail != NULL ? row->detail : "-", row->count, row->other);
	return 0;
}

static void
check_tally(struct fixture *f, enum store_tally tally, const char *want)
{
	struct buf got;

	buf_init(&got, 10000);
	assert_int_equal(store_tally(f->store, tally, note_tally, &got, &f->err), 0);
	assert_string_equal(buf_str(&got), want);
	buf_clear(&got);
}

#define SHARED_HOST \
	"{\"host\":\"mx.big.test\",\"sessions\":[{\"address\":\"192.0.2.1\",\"tls\":\"1.3\"," \
	"\"client_certificate_requested\":true}]}"

static void
test_tallies(void **state)
{
	struct fixture *f = *state;
	int64_t one, two;

	check_tally(f, STORE_TALLY_DOMAINS, "");
	check_tally(f, STORE_TALLY_ADDRESSES, "");
	check_tally(f, STORE_TALLY_REQUIRED, "- - 0 0\n");
	check_tally(f, STORE_TALLY_FINDINGS, "");
	assert_int_equal(store_vantage(f->store, "one", T0, &one, &f->err), 0);
	assert_int_equal(store_vantage(f->store, "two", T0, &two, &f->err), 0);
	look_with(f, "a.test", one,
		"{\"tls\":\"1.3\",\"mx\":[" SHARED_HOST "],\"findings\":["
		"{\"code\":\"mx-ipv4-only\",\"severity\":\"info\",\"subject\":\"a.test\"}]}");
	/* The same host again, and one of its own. */
	look_with(f, "b.test", one,
		"{\"tls\":\"1.2\",\"mx\":[" SHARED_HOST ",{\"host\":\"mx.b.test\",\"sessions\":["
		"{\"address\":\"192.0.2.2\",\"tls\":\"1.2\",\"client_certificate_requested\":false}"
		","
		"{\"address\":\"192.0.2.3\",\"tls\":null,\"client_certificate_requested\":false}]}]"
		","
		"\"findings\":[{\"code\":\"mx-ipv4-only\",\"severity\":\"info\",\"subject\":\"b."
		"test\"},"
		"{\"code\":\"tls-client-certificate-required\",\"severity\":\"fail\","
		"\"subject\":\"mx.b.test[192.0.2.2]\"}]}");
	/* A second vantage point adds no domain and no address. */
	look_with(f, "a.test", two,
		"{\"tls\":\"1.3\",\"mx\":[" SHARED_HOST "],\"findings\":["
		"{\"code\":\"mx-ipv4-only\",\"severity\":\"info\",\"subject\":\"a.test\"},"
		"{\"code\":\"mx-ipv4-only\",\"severity\":\"warn\",\"subject\":\"x\"}]}");
	look_with(f, "c.test", one, "{\"tls\":null,\"mx\":[],\"findings\":[]}");
	check_tally(f, STORE_TALLY_DOMAINS, "1.3 - 1 0\n1.2 - 1 0\n- - 1 0\n");
	check_tally(f, STORE_TALLY_ADDRESSES, "1.3 - 1 1\n1.2 - 1 0\n");
	check_tally(f, STORE_TALLY_REQUIRED, "- - 1 1\n");
	check_tally(f, STORE_TALLY_FINDINGS,
		"mx-ipv4-only info 3 2\nmx-ipv4-only warn 1 1\n"
		"tls-client-certificate-required fail 1 1\n");
}

static void
test_domain_round_trip(void **state)
{
	struct fixture *f = *state;
	struct store_domain d = {0};
	struct life_result r = {0};
	const struct life full = {.state = LIFE_FAILING,
		.since_s = 1,
		.held = true,
		.by_operator = true,
		.demoted = true,
		.policy = policy_a,
		.confirmed_s = 2,
		.pass_last_s = 3,
		.pass_credit_s = 4,
		.fail_last_s = 5,
		.fail_credit_s = 6,
		.leave_s = 7,
		.gone_last_s = 8,
		.gone_credit_s = 9};

	assert_int_equal(store_find(f->store, "a.test", &d, &f->err), 0);
	assert_int_equal(store_add(f->store, "a.test", "import", T0, &f->err), 1);
	assert_int_equal(store_add(f->store, "a.test", "submit", T0 + 1, &f->err), 0);
	assert_int_equal(store_find(f->store, "a.test", &d, &f->err), 1);
	assert_string_equal(d.name, "a.test");
	assert_string_equal(d.origin, "import");
	assert_int_equal(d.added_s, T0);
	assert_int_equal(d.life.state, LIFE_CANDIDATE);
	assert_null(d.life.policy);
	r.life = full;
	assert_int_equal(store_put_life(f->store, &d, &r, T0, "one", 0, &f->err), 0);
	assert_int_equal(store_find_id(f->store, d.id, &d, &f->err), 1);
	assert_int_equal(d.life.state, full.state);
	assert_int_equal(d.life.since_s, 1);
	assert_true(d.life.held && d.life.by_operator && d.life.demoted);
	assert_string_equal(d.life.policy, policy_a);
	assert_int_equal(d.life.confirmed_s, 2);
	assert_int_equal(d.life.pass_last_s, 3);
	assert_int_equal(d.life.pass_credit_s, 4);
	assert_int_equal(d.life.fail_last_s, 5);
	assert_int_equal(d.life.fail_credit_s, 6);
	assert_int_equal(d.life.leave_s, 7);
	assert_int_equal(d.life.gone_last_s, 8);
	assert_int_equal(d.life.gone_credit_s, 9);
	store_domain_clear(&d);
}

static void
test_due_and_views(void **state)
{
	struct fixture *f = *state;
	struct store_due due[8];
	struct store_view views[STORE_VANTAGES_MAX];
	struct store_domain d = {0};
	struct arena *arena = arena_new();
	struct life_view view = {.vantage = "one",
		.time_s = T0,
		.verdict = VERDICT_FAIL,
		.policy = policy_b,
		.fail_code = "mx-null",
		.sts_none = true,
		.preload_secure = true,
		.gone = true,
		.null_secure = true};
	int64_t one, two, again, n, next, evidence;
	size_t count;

	assert_int_equal(store_vantage(f->store, "one", T0, &one, &f->err), 0);
	assert_int_equal(store_add(f->store, "b.test", "import", T0, &f->err), 1);
	assert_int_equal(store_add(f->store, "a.test", "import", T0, &f->err), 1);
	assert_int_equal(store_vantage(f->store, "one", T0, &again, &f->err), 0);
	assert_int_equal(one, again);
	/* A vantage point that comes later has everything to do, too. */
	assert_int_equal(store_vantage(f->store, "two", T0, &two, &f->err), 0);
	assert_int_equal(store_count_due(f->store, two, T0, &n, &f->err), 0);
	assert_int_equal(n, 2);

	assert_int_equal(store_due(f->store, one, T0, NULL, due, 1, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(due[0].name, "b.test");
	assert_int_equal(store_due(f->store, one, T0, &due[0], due, 8, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(due[0].name, "a.test");
	assert_int_equal(store_due(f->store, one, T0, &due[0], due, 8, &count, &f->err), 0);
	assert_int_equal(count, 0);

	assert_int_equal(store_find(f->store, "a.test", &d, &f->err), 1);
	assert_int_equal(store_evidence(f->store, "seen", 4, T0, &evidence, &f->err), 0);
	assert_int_equal(store_put_view(f->store, d.id, one, &view, evidence, T0 + 60, &f->err), 0);
	assert_int_equal(store_count_due(f->store, one, T0, &n, &f->err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(store_count_due(f->store, one, T0 + 60, &n, &f->err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_next_due(f->store, one, &next, &f->err), 1);
	assert_int_equal(next, 0);
	assert_int_equal(store_next_due(f->store, 99, &next, &f->err), 0);

	/* Only who has looked is counted. */
	assert_int_equal(
		store_views(f->store, d.id, arena, views, ARRAY_LEN(views), &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(views[0].view.vantage, "one");
	assert_int_equal(views[0].view.verdict, VERDICT_FAIL);
	assert_string_equal(views[0].view.policy, policy_b);
	assert_string_equal(views[0].view.fail_code, "mx-null");
	assert_true(views[0].view.sts_none && views[0].view.preload_secure && views[0].view.gone &&
		views[0].view.null_secure);
	assert_false(views[0].view.preload_none || views[0].view.preload_absent ||
		views[0].view.gone_secure || views[0].view.null_mx);
	assert_int_equal(views[0].evidence, evidence);
	assert_int_equal(views[0].due_s, T0 + 60);
	store_domain_clear(&d);
	arena_free(arena);
}

static void
test_evidence_once(void **state)
{
	struct fixture *f = *state;
	struct store_counts counts;
	struct buf text;
	int64_t a, b, c;

	assert_int_equal(store_evidence(f->store, "same", 4, T0, &a, &f->err), 0);
	assert_int_equal(store_evidence(f->store, "same", 4, T0 + 9, &b, &f->err), 0);
	assert_int_equal(store_evidence(f->store, "other", 5, T0, &c, &f->err), 0);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	assert_int_equal(store_counts(f->store, &counts, &f->err), 0);
	assert_int_equal(counts.evidence, 2);
	buf_init(&text, 100);
	assert_int_equal(store_get_evidence(f->store, c, &text, &f->err), 1);
	assert_string_equal(buf_str(&text), "other");
	assert_int_equal(store_get_evidence(f->store, 99, &text, &f->err), 0);
	buf_clear(&text);
}

static int
count_transitions(const struct store_transition *t, void *arg, struct error *err UNUSED)
{
	int *n = arg;

	assert_string_equal(t->domain, "a.test");
	assert_string_equal(t->reason, "entry-listed");
	assert_string_equal(t->actor, "one");
	assert_string_equal(t->agreed, "one");
	assert_null(t->detail);
	assert_int_equal(t->from, LIFE_CANDIDATE);
	assert_int_equal(t->to, LIFE_LISTED);
	(*n)++;
	return 0;
}

static void
test_history_is_append_only(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	list_domain(f, "a.test", policy_a, T0);
	assert_int_equal(
		raw(f->path, "UPDATE transition SET reason = 'forged'"), SQLITE_CONSTRAINT);
	assert_int_equal(raw(f->path, "DELETE FROM transition"), SQLITE_CONSTRAINT);
	assert_int_equal(store_history(f->store, "a.test", count_transitions, &n, &f->err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(store_verify(f->store, &f->err), 0);
}

static void
test_entries(void **state)
{
	struct fixture *f = *state;
	struct store_entries *e;
	struct store_shares *shares;
	struct store_entry entry;
	struct store_shared shared;
	struct store_entry_totals totals;
	struct store_domain d = {0};
	struct life_result r = {0};

	/* Inserted out of order; octet order out. */
	list_domain(f, "m.test", policy_a, T0);
	list_domain(f, "b.test", policy_b, T0);
	list_domain(f, "b-c.test", policy_a, T0 + 5);
	list_domain(f, "old.test", policy_b, T0 - 100000);
	list_domain(f, "over.test", policy_a, T0 - 86400);

	assert_int_equal(store_begin_read(f->store, &f->err), 0);
	assert_int_equal(store_entry_totals(f->store, T0 + 10, T0 - 50000, &totals, &f->err), 0);
	assert_int_equal(totals.entries, 4);
	assert_int_equal(totals.troubled, 1);
	assert_int_equal(totals.confirmed_since_s, T0);
	assert_int_equal(store_shares_open(f->store, T0 + 10, T0 - 50000, &shares, &f->err), 0);
	assert_int_equal(store_shares_next(shares, &shared, &f->err), 1);
	assert_string_equal(shared.policy, policy_a);
	assert_int_equal(shared.uses, 2);
	/* policy_b is shared by two entries, but one of them is in trouble. */
	assert_int_equal(store_shares_next(shares, &shared, &f->err), 0);
	store_shares_close(shares);
	assert_int_equal(store_entries_open(f->store, T0 + 10, &e, &f->err), 0);
	static const char *const want[] = {"b-c.test", "b.test", "m.test", "old.test"};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(store_entries_next(e, &entry, &f->err), 1);
		assert_string_equal(entry.domain, want[i]);
		assert_int_equal(entry.policy_len, strlen(entry.policy));
	}
	assert_string_equal(entry.policy, policy_b);
	assert_int_equal(entry.confirmed_s, T0 - 100000);
	assert_int_equal(store_entries_next(e, &entry, &f->err), 0);
	store_entries_close(e);
	store_abort(f->store);

	/* Off the list, out of the entries. */
	assert_int_equal(store_find(f->store, "m.test", &d, &f->err), 1);
	life_apply_act(&d.life, LIFE_ACT_REMOVE, "asked", T0, &r);
	assert_int_equal(store_put_life(f->store, &d, &r, T0, "operator", 0, &f->err), 0);
	assert_int_equal(store_entry_totals(f->store, T0 + 10, T0 - 50000, &totals, &f->err), 0);
	assert_int_equal(totals.entries, 3);
	store_domain_clear(&d);
}

static void
test_lists(void **state)
{
	struct fixture *f = *state;
	struct store_list list = {.version = 7,
		.built_s = T0,
		.entries = 3,
		.added = 2,
		.removed = 1,
		.changed = 4,
		.sha256 = "ab"};
	struct store_list got;

	assert_int_equal(store_last_list(f->store, &got, &f->err), 0);
	assert_int_equal(store_put_list(f->store, &list, &f->err), 0);
	assert_int_equal(store_put_list(f->store, &list, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_INPUT);
	assert_int_equal(store_last_list(f->store, &got, &f->err), 1);
	assert_int_equal(got.published_s, 0);
	assert_string_equal(got.commit, "");
	assert_int_equal(store_set_published(f->store, 7, T0 + 1, "c0ffee", &f->err), 0);
	assert_int_equal(store_set_published(f->store, 8, T0 + 1, "c0ffee", &f->err), -1);
	assert_int_equal(store_last_list(f->store, &got, &f->err), 1);
	assert_int_equal(got.version, 7);
	assert_int_equal(got.published_s, T0 + 1);
	assert_int_equal(got.changed, 4);
	assert_string_equal(got.commit, "c0ffee");
	assert_string_equal(got.sha256, "ab");
}

static void
test_abort_undoes(void **state)
{
	struct fixture *f = *state;
	struct store_domain d = {0};

	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_true(store_in_transaction(f->store));
	assert_int_equal(store_add(f->store, "a.test", "import", T0, &f->err), 1);
	store_abort(f->store);
	assert_false(store_in_transaction(f->store));
	assert_int_equal(store_find(f->store, "a.test", &d, &f->err), 0);
	store_abort(f->store);
}

static void
test_lock(void **state)
{
	struct fixture *f = *state;
	struct store *other;

	assert_int_equal(store_lock(f->store, "one", &f->err), 0);
	assert_int_equal(store_open(f->url, STORE_MUST_EXIST, &other, &f->err), 0);
	assert_int_equal(store_lock(other, "one", &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_TEMP);
	store_close(f->store);
	assert_int_equal(store_lock(other, "one", &f->err), 0);
	f->store = other;
}

/* Files that are not ours: refused, named, and not a byte changed. */
static void
test_foreign_files(void **state)
{
	static const struct {
		const char *name;
		const char *sql;  /* makes a database, or NULL */
		const char *text; /* else the contents; NULL: no file */
		enum store_open_mode mode;
		const char *want;
	} cases[] = {
		{"missing", NULL, NULL, STORE_MUST_EXIST, "there is no such database"},
		{"text", NULL, "hello, this is no database but long enough to be looked at twice",
			STORE_CREATE, "is not a database"},
		{"empty", NULL, "", STORE_MUST_EXIST, "is not a database of preload25"},
		{"foreign", "CREATE TABLE t (x)", NULL, STORE_CREATE,
			"is not a database of preload25"},
		{"newer", "PRAGMA application_id = 1882338561; PRAGMA user_version = 999", NULL,
			STORE_MUST_EXIST, "newer preload25 (schema 999"},
		{"damaged version", "PRAGMA application_id = 1882338561; PRAGMA user_version = -1",
			NULL, STORE_MUST_EXIST, "newer preload25"},
	};
	struct fixture *f = *state;
	char *path = xasprintf("%s/other", f->dir);
	char *url = xasprintf("sqlite:%s", path);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store *s;
		struct buf before, after;

		if (cases[i].sql != NULL)
			assert_int_equal(raw(path, cases[i].sql), SQLITE_OK);
		else if (cases[i].text != NULL)
			assert_int_equal(file_replace(path, cases[i].text, strlen(cases[i].text),
						 0600, &f->err),
				0);
		buf_init(&before, 1 << 20);
		buf_init(&after, 1 << 20);
		assert_true(file_read_if_exists(path, &before, &f->err) >= 0);
		if (store_open(url, cases[i].mode, &s, &f->err) == 0)
			fail_msg("%s: opened", cases[i].name);
		if (strstr(f->err.text, cases[i].want) == NULL || f->err.kind != ERROR_CONFIG)
			fail_msg("%s: got \"%s\" (%d)", cases[i].name, f->err.text,
				(int)f->err.kind);
		assert_true(file_read_if_exists(path, &after, &f->err) >= 0);
		assert_string_equal(buf_str(&before), buf_str(&after));
		assert_int_equal(before.len, after.len);
		buf_clear(&before);
		buf_clear(&after);
		(void)unlink(path);
	}
	assert_int_equal(store_open("postgresql://host/db", STORE_CREATE, &f->store, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_CONFIG);
	assert_int_equal(store_open(f->url, STORE_MUST_EXIST, &f->store, &f->err), 0);
	free(path);
	free(url);
}

/* What a user sees who may only read: the number of domains, or -1. */
static int
count_as_reader(const char *url)
{
	struct store_counts counts;
	struct store *s;
	struct error err;
	int64_t id;
	int n = -1;

	if (store_open(url, STORE_READ, &s, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	if (store_counts(s, &counts, &err) < 0)
		print_error("%s\n", err.text);
	else if (store_find_vantage(s, "never", &id, &err) == 0 &&
		store_find_vantage(s, "one", &id, &err) == 1)
		n = (int)counts.domains;
	/* And writes nothing. */
	if (store_add(s, "z.test", "import", T0, &err) >= 0)
		n = -1;
	store_close(s);
	return n;
}

/* In a child without root's powers, since those may write everywhere. */
static int
count_elsewhere(const char *url)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(99);
		_exit(count_as_reader(url) & 0x7f);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_read_only(void **state)
{
	struct fixture *f = *state;
	int64_t one;

	assert_int_equal(store_vantage(f->store, "one", T0, &one, &f->err), 0);
	assert_int_equal(store_add(f->store, "a.test", "import", T0, &f->err), 1);
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(chmod(f->path, 0444), 0);
	/* While another has it open, the latest still in the journal, and when nobody has. */
	assert_int_equal(count_elsewhere(f->url), 1);
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(count_elsewhere(f->url), 1);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->path, 0644), 0);
	/* One who may write is not held back; an older schema is for him alone. */
	assert_int_equal(raw(f->path, "DROP TABLE mark; PRAGMA user_version = 1"), SQLITE_OK);
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(chmod(f->path, 0444), 0);
	assert_int_equal(count_elsewhere(f->url), 0x7f);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->path, 0644), 0);
	assert_int_equal(store_open(f->url, STORE_READ, &f->store, &f->err), 0);
	assert_int_equal(store_add(f->store, "b.test", "import", T0, &f->err), 1);
}

static void
test_marks(void **state)
{
	static const struct compare_mark two_marks[] = {
		{"one", COMPARE_SILENT, "mx1.a.test", T0, ""},
		{"one", COMPARE_LAST_POLICY, "id7", 0, "86400 digest"},
	};
	static const struct compare_mark other = {"two", COMPARE_SILENT, "mx1.a.test", T0 + 5, ""};
	struct fixture *f = *state;
	struct arena *arena = arena_new();
	struct store_domain d = {0};
	struct compare_mark *marks;
	int64_t one, two;
	size_t count;

	assert_int_equal(store_vantage(f->store, "one", T0, &one, &f->err), 0);
	assert_int_equal(store_vantage(f->store, "two", T0, &two, &f->err), 0);
	assert_int_equal(store_add(f->store, "a.test", "import", T0, &f->err), 1);
	assert_int_equal(store_find(f->store, "a.test", &d, &f->err), 1);
	assert_int_equal(store_marks(f->store, d.id, arena, &marks, &count, &f->err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(store_put_marks(f->store, d.id, one, two_marks, 2, &f->err), 0);
	assert_int_equal(store_put_marks(f->store, d.id, two, &other, 1, &f->err), 0);
	assert_int_equal(store_marks(f->store, d.id, arena, &marks, &count, &f->err), 0);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(marks[i].vantage, "one");
		assert_int_equal(marks[i].kind, two_marks[i].kind);
		assert_string_equal(marks[i].subject, two_marks[i].subject);
		assert_int_equal(marks[i].since_s, two_marks[i].since_s);
		assert_string_equal(marks[i].value, two_marks[i].value);
	}
	/* They replace those of their own vantage point alone. */
	assert_int_equal(store_put_marks(f->store, d.id, one, NULL, 0, &f->err), 0);
	assert_int_equal(store_marks(f->store, d.id, arena, &marks, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(marks[0].vantage, "two");
	assert_int_equal(marks[0].since_s, T0 + 5);
	store_domain_clear(&d);
	arena_free(arena);
}

/* A database of the first schema: made by going back from today's, which has only added to it. */
static void
test_migration(void **state)
{
	struct fixture *f = *state;
	struct arena *arena = arena_new();
	struct store_domain d = {0};
	const struct compare_mark mark = {"one", COMPARE_SILENT, "mx1.a.test", T0, ""};
	struct compare_mark *marks;
	int64_t one;
	size_t count;

	list_domain(f, "a.test", policy_a, T0);
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(raw(f->path, "DROP TABLE mark; PRAGMA user_version = 1"), SQLITE_OK);
	assert_int_equal(store_open(f->url, STORE_MUST_EXIST, &f->store, &f->err), 0);
	/* What was there is there, and what is new works. */
	assert_int_equal(store_find(f->store, "a.test", &d, &f->err), 1);
	assert_int_equal(d.life.state, LIFE_LISTED);
	assert_string_equal(d.life.policy, policy_a);
	assert_int_equal(store_vantage(f->store, "one", T0, &one, &f->err), 0);
	assert_int_equal(store_put_marks(f->store, d.id, one, &mark, 1, &f->err), 0);
	assert_int_equal(store_marks(f->store, d.id, arena, &marks, &count, &f->err), 0);
	assert_int_equal(count, 1);
	/* And a second time there is nothing to do. */
	store_close(f->store);
	assert_int_equal(store_open(f->url, STORE_MUST_EXIST, &f->store, &f->err), 0);
	assert_int_equal(store_marks(f->store, d.id, arena, &marks, &count, &f->err), 0);
	assert_int_equal(count, 1);
	store_domain_clear(&d);
	arena_free(arena);
}

static int
close_first(void **state)
{
	struct fixture *f;

	if (setup(state) < 0)
		return -1;
	f = *state;
	store_close(f->store);
	f->store = NULL;
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_tallies),
		CASE(test_domain_round_trip),
		CASE(test_due_and_views),
		CASE(test_evidence_once),
		CASE(test_history_is_append_only),
		CASE(test_entries),
		CASE(test_lists),
		CASE(test_abort_undoes),
		CASE(test_lock),
		CASE(test_read_only),
		CASE(test_marks),
		CASE(test_migration),
		cmocka_unit_test_setup_teardown(test_foreign_files, close_first, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
