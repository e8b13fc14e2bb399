/* Building the next list from the store, and publishing it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zstd.h>

#include "builder/build.h"
#include "builder/deltas.h"
#include "builder/life.h"
#include "builder/publish.h"
#include "builder/store.h"
#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/xalloc.h"
#include "export/delta.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/repository.h"
#include "export/tuf_signer.h"

#define NOW  INT64_C(1795435200) /* 2026-11-23T12:00:00Z */
#define HOUR INT64_C(3600)
#define DAY  INT64_C(86400)

/* The n-th rename ends the process: see test_repository.c for all of the steps. */
static int renames_left = -1;
int rename(const char *from, const char *to);
int
rename(const char *from, const char *to)
{
	static int (*real)(const char *, const char *);

	if (real == NULL)
		*(void **)(&real) = dlsym(RTLD_NEXT, "rename");
	if (renames_left >= 0 && renames_left-- == 0)
		_exit(99);
	return real(from, to);
}

/* libgit2 1.5 forgets PCRE2's match data whenever one of its own patterns does not match. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libpcre2-8\n";
}

static char top[] = "/tmp/preload25-build-XXXXXX";

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static int
setup(void **state UNUSED)
{
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int
teardown(void **state UNUSED)
{
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- an authority -------------------------------------------------------------------------------
 */

struct authority {
	char *path, *url, *uris[TUF_ROLE_COUNT];
	struct repository_options options;
	struct store *store;
	struct repository *repository;
};

static const struct build_rules rules = {
	.author = "Example",
	.vantages = 3,
	.expires_s = 14 * DAY,
	.fresh_s = DAY,
	.churn_percent = 2,
};

static void
reopen(struct authority *a)
{
	struct error err = {0};

	repository_close(a->repository);
	store_close(a->store);
	if (store_open(a->url, STORE_CREATE, &a->store, &err) < 0 ||
		repository_open(&a->options, &a->repository, &err) < 0)
		fail_msg("%s", err.text);
}

static void
make(struct authority *a, const char *name)
{
	struct error err = {0};

	memset(a, 0, sizeof(*a));
	a->path = xasprintf("%s/%s", top, name);
	a->url = xasprintf("sqlite:%s/%s.db", top, name);
	a->options = (struct repository_options){
		.path = a->path, .author_name = "Example", .author_mail = "list@example.org"};
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		struct tuf_signer *signer;

		a->uris[i] = xasprintf("%s/%s.%zu.pem", top, name, i);
		if (tuf_signer_generate(a->uris[i], "ed25519", NULL, &signer, &err) < 0)
			fail_msg("%s", err.text);
		tuf_signer_free(signer);
		a->options.keys[i] = (struct repository_keys){
			.uris = (const char *const *)&a->uris[i], .count = 1};
		a->options.expires_s[i] = 365 * DAY;
	}
	if (repository_create(&a->options, NOW - 30 * DAY, &err) < 0)
		fail_msg("%s", err.text);
	reopen(a);
}

static void
clear(struct authority *a)
{
	repository_close(a->repository);
	store_close(a->store);
	free(a->path);
	free(a->url);
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		free(a->uris[i]);
}

static char *
policy_text(const char *auth, int64_t max_age_s, const char *mode, const char *mx)
{
	return xasprintf("{\"auth\":[%s],\"max_age\":%lld,\"mode\":\"%s\",\"mxs\":[\"%s\"],"
			 "\"source\":\"mta-sts\",\"tls\":\"1.2\"}",
		auth, (long long)max_age_s, mode, mx);
}

#define PKIX "\"pkix\""

/* Puts a listed domain into the store, or changes it; policy NULL: it has left. */
static void
put(struct authority *a, const char *name, const char *policy, int64_t confirmed_s)
{
	struct store_domain d;
	struct life_result result;
	struct error err = {0};

	memset(&d, 0, sizeof(d));
	memset(&result, 0, sizeof(result));
	if (store_add(a->store, name, "import", NOW - 40 * DAY, &err) < 0 ||
		store_find(a->store, name, &d, &err) <= 0)
		fail_msg("%s", err.text);
	result.life = d.life;
	result.life.state = policy != NULL ? LIFE_LISTED : LIFE_REMOVED;
	result.life.policy = policy;
	result.life.confirmed_s = confirmed_s;
	if (store_put_life(a->store, &d, &result, NOW - 20 * DAY, "test", 0, &err) < 0)
		fail_msg("%s", err.text);
	store_domain_clear(&d);
}

/* count domains at one provider. */
static void
put_many(struct authority *a, int count, const char *policy)
{
	struct error err = {0};
	char name[40];

	assert_int_equal(store_begin(a->store, &err), 0);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "d%04d.example", i);
		put(a, name, policy, NOW - HOUR);
	}
	assert_int_equal(store_commit(a->store, &err), 0);
}

static int
build_at(struct authority *a, int64_t now_s, bool allow, struct build *b)
{
	struct build_rules r = rules;
	struct error err = {0};
	int rc;

	r.allow_churn = allow;
	rc = build_list(a->store, a->repository, &r, now_s, b, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	return rc;
}

static void
publish_at(struct authority *a, int64_t now_s, struct published *p)
{
	struct error err = {0};

	if (publish_next(a->store, a->repository, NULL, now_s, p, &err) < 0)
		fail_msg("%s", err.text);
}

static char *
state_text(struct authority *a, const char *name)
{
	char *path = repository_state_path(a->repository, name);
	struct error err = {0};
	struct buf b;

	buf_init(&b, 100000000);
	if (file_read(path, &b, &err) < 0)
		fail_msg("%s", err.text);
	free(path);
	return buf_take(&b);
}

static char *
target_text(struct authority *a, const char *name, size_t *len)
{
	struct error err = {0};
	struct buf b;
	char *path;

	assert_int_equal(repository_target_path(a->repository, name, &path), 1);
	buf_init(&b, 100000000);
	if (file_read(path, &b, &err) < 0)
		fail_msg("%s", err.text);
	if (len != NULL)
		*len = b.len;
	free(path);
	return buf_take(&b);
}

/* --- what is in a list --------------------------------------------------------------------------
 */

static void
test_contents(void **state UNUSED)
{
	char *shared = policy_text(PKIX, 7 * DAY, "enforce", "mx.provider.example");
	char *own = policy_text(PKIX, 30 * DAY, "testing", "mx.own.example");
	char *short_lived = policy_text(PKIX, DAY, "enforce", "mx.short.example");
	struct authority a;
	struct build b;
	char *text, *want;

	make(&a, "contents");
	put(&a, "b.example", shared, NOW - 2 * HOUR);
	put(&a, "a.example", shared, NOW - 5 * HOUR);
	put(&a, "own.example", own, NOW - HOUR);
	/* Not confirmed within a day: with a time of its own, and no alias. */
	put(&a, "late.example", shared, NOW - DAY - 1);
	/* Exactly a day: still fresh, so the list's time is that. */
	put(&a, "edge.example", own, NOW - DAY);
	/* Out of force, to the second. */
	put(&a, "gone.example", shared, NOW - 7 * DAY);
	put(&a, "short.example", short_lived, NOW - DAY);
	put(&a, "left.example", shared, NOW - HOUR);
	put(&a, "left.example", NULL, NOW - HOUR);
	assert_int_equal(build_at(&a, NOW, false, &b), 1);
	assert_int_equal(b.version, 1);
	assert_int_equal(b.made.entries, 5);
	assert_int_equal(b.made.aliases, 2);
	assert_int_equal(b.made.troubled, 1);
	assert_int_equal(b.diff.added, 5);
	assert_false(b.over);
	text = state_text(&a, BUILD_LIST);
	want = xasprintf("{\"author\":\"Example\",\"confirmed_since\":\"2026-11-22T12:00:00Z\","
			 "\"expires\":\"2026-12-07T12:00:00Z\",\"format\":\"preload25-list-1\","
			 "\"policies\":{\n");
	assert_memory_equal(text, want, strlen(want));
	assert_non_null(strstr(text, "\"a.example\":{\"policy-alias\":\"p-"));
	assert_non_null(strstr(text, "\"b.example\":{\"policy-alias\":\"p-"));
	assert_non_null(strstr(text, "\"edge.example\":{\"policy-alias\":\"p-"));
	assert_non_null(strstr(text,
		"\"late.example\":{\"auth\":[\"pkix\"],\"confirmed\":\"2026-11-22T11:59:59Z\","
		"\"max_"
		"age\":604800,"));
	assert_null(strstr(text, "gone.example"));
	assert_null(strstr(text, "short.example"));
	assert_null(strstr(text, "left.example"));
	free(want);
	free(text);
	free(shared);
	free(own);
	free(short_lived);
	clear(&a);
}

/* The same store and time: the same bytes, also from a store that was filled in another order. */
static void
test_determinism(void **state UNUSED)
{
	char *shared[2] = {policy_text(PKIX, 7 * DAY, "enforce", "mx.one.example"),
		policy_text(PKIX, 7 * DAY, "enforce", "mx.two.example")};
	struct authority a, b;
	struct build first, second, third;
	char name[40];

	make(&a, "one");
	make(&b, "two");
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d%03d.example", i);
		put(&a, name, shared[i % 2], NOW - i);
	}
	for (int i = 299; i >= 0; i--) {
		snprintf(name, sizeof(name), "d%03d.example", i);
		put(&b, name, shared[0], NOW - i);
		put(&b, name, shared[i % 2], NOW - i);
	}
	assert_int_equal(build_at(&a, NOW, false, &first), 1);
	assert_int_equal(build_at(&a, NOW, false, &second), 1);
	assert_int_equal(build_at(&b, NOW, false, &third), 1);
	assert_string_equal(first.made.sha256, second.made.sha256);
	assert_string_equal(first.made.sha256, third.made.sha256);
	assert_int_equal(build_at(&a, NOW + 1, false, &second), 1);
	assert_string_not_equal(first.made.sha256, second.made.sha256);
	free(shared[0]);
	free(shared[1]);
	clear(&a);
	clear(&b);
}

static void
test_publish(void **state UNUSED)
{
	char *enforce = policy_text(PKIX, 7 * DAY, "enforce", "*.provider.example");
	char *dane = policy_text("\"dane\"", 7 * DAY, "enforce", "mx.dane.example");
	struct authority a;
	struct published p;
	struct store_list last;
	struct error err = {0};
	struct build b;
	char *text, *zst, *plain;
	size_t len, zst_len;
	json_t *policy;
	const char *mx;

	make(&a, "publish");
	/* Nothing was ever built. */
	assert_int_equal(publish_next(a.store, a.repository, NULL, NOW, &p, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	put(&a, "a.example", enforce, NOW - HOUR);
	put(&a, "dane.example", dane, NOW - HOUR);
	assert_int_equal(build_at(&a, NOW, false, &b), 1);
	publish_at(&a, NOW, &p);
	assert_false(p.renewed);
	assert_int_equal(p.build.version, 1);
	assert_int_equal(store_last_list(a.store, &last, &err), 1);
	assert_int_equal(last.version, 1);
	assert_int_equal(last.published_s, NOW);
	assert_int_equal(last.entries, 2);
	assert_int_equal(last.added, 2);
	assert_string_equal(last.sha256, b.made.sha256);
	assert_string_equal(last.commit, p.commit);

	/* What else is published is made from it. */
	text = target_text(&a, "list.json", &len);
	zst = target_text(&a, "list.json.zst", &zst_len);
	assert_int_equal(ZSTD_getFrameContentSize(zst, zst_len), len);
	plain = xcalloc(len + 1, 1);
	assert_int_equal(ZSTD_decompress(plain, len, zst, zst_len), len);
	assert_string_equal(plain, text);
	free(plain);
	free(zst);
	free(text);
	text = target_text(&a, "policy.json", &len);
	assert_int_equal(json_parse(text, len, &policy, &err), 0);
	assert_int_equal(
		json_unpack(policy, "{s:{s:{s:[s]}}}", "policies", "a.example", "mxs", &mx), 0);
	assert_string_equal(mx, ".provider.example");
	assert_int_equal(json_object_size(json_object_get(policy, "policies")), 1);
	assert_string_equal(json_string_value(json_object_get(policy, "version")), "0.1");
	json_decref(policy);
	free(text);

	/* Nothing new: only the metadata. */
	publish_at(&a, NOW + HOUR, &p);
	assert_true(p.renewed);
	assert_int_equal(store_last_list(a.store, &last, &err), 1);
	assert_int_equal(last.version, 1);

	/* The same contents later: a new version all the same. */
	assert_int_equal(build_at(&a, NOW + 2 * HOUR, false, &b), 1);
	assert_int_equal(b.version, 2);
	assert_int_equal(b.diff.before, 2);
	assert_int_equal(b.diff.added + b.diff.removed + b.diff.changed, 0);
	/* Built twice, published once. */
	assert_int_equal(build_at(&a, NOW + 3 * HOUR, false, &b), 1);
	assert_int_equal(b.version, 2);
	publish_at(&a, NOW + 3 * HOUR, &p);
	assert_int_equal(p.build.version, 2);

	/* Time does not run backwards. */
	assert_int_equal(build_list(a.store, a.repository, &rules, NOW, &b, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "the clock is behind"));
	assert_int_equal(publish_next(a.store, a.repository, NULL, NOW, &p, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "the clock is behind: list 2"));
	/* Nor before the list that waits. */
	assert_int_equal(build_at(&a, NOW + 5 * HOUR, false, &b), 1);
	assert_int_equal(publish_next(a.store, a.repository, NULL, NOW + 4 * HOUR, &p, &err), -1);
	assert_non_null(strstr(err.text, "the clock is behind: list 3"));
	/* A list that waited for too long. */
	assert_int_equal(build_at(&a, NOW + 4 * HOUR, false, &b), 1);
	assert_int_equal(publish_next(a.store, a.repository, NULL, NOW + 15 * DAY, &p, &err), -1);
	assert_non_null(strstr(err.text, "expired before it was published"));
	/* One that somebody changed while it waited. */
	text = repository_state_path(a.repository, BUILD_LIST);
	assert_int_equal(file_replace(text, "x", 1, 0644, &err), 0);
	assert_int_equal(publish_next(a.store, a.repository, NULL, NOW + 4 * HOUR, &p, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_non_null(strstr(err.text, "not the list that was built"));
	free(text);
	free(enforce);
	free(dane);
	clear(&a);
}

static void
test_brake(void **state UNUSED)
{
	static const struct {
		const char *name;
		int removed, demoted, relaxed, promoted, added;
		bool stops;
	} cases[] = {
		{"two per cent gone", 4, 0, 0, 0, 0, false},
		{"more gone", 5, 0, 0, 0, 0, true},
		{"more demoted", 0, 5, 0, 0, 0, true},
		{"more relaxed", 0, 0, 5, 0, 0, true},
		{"together", 2, 2, 1, 0, 0, true},
		{"growth and promotion are no churn", 0, 0, 0, 50, 50, false},
	};
	char *base = policy_text(PKIX, 7 * DAY, "enforce", "mx.provider.example");
	char *testing = policy_text(PKIX, 7 * DAY, "testing", "mx.provider.example");
	char *relaxed = policy_text(PKIX, 6 * DAY, "enforce", "mx.provider.example");
	char *longer = policy_text(PKIX, 8 * DAY, "enforce", "mx.provider.example");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct authority a;
		struct published p;
		struct build b, waiting;
		struct error err = {0};
		char name[40];
		int n = 0;

		snprintf(name, sizeof(name), "brake-%zu", i);
		make(&a, name);
		put_many(&a, 200, base);
		assert_int_equal(build_at(&a, NOW, false, &b), 1);
		publish_at(&a, NOW, &p);
		assert_int_equal(store_begin(a.store, &err), 0);
		for (int k = 0; k <
			cases[i].removed + cases[i].demoted + cases[i].relaxed + cases[i].promoted;
			k++) {
			const char *policy = k < cases[i].removed         ? NULL
				: k < cases[i].removed + cases[i].demoted ? testing
				: k < cases[i].removed + cases[i].demoted + cases[i].relaxed
				? relaxed
				: longer;

			snprintf(name, sizeof(name), "d%04d.example", n++);
			put(&a, name, policy, NOW - HOUR);
		}
		for (int k = 0; k < cases[i].added; k++) {
			snprintf(name, sizeof(name), "new%04d.example", k);
			put(&a, name, base, NOW - HOUR);
		}
		assert_int_equal(store_commit(a.store, &err), 0);
		if (build_at(&a, NOW + HOUR, false, &b) != (cases[i].stops ? 0 : 1))
			fail_msg("%s", cases[i].name);
		assert_int_equal(b.diff.removed, cases[i].removed);
		assert_int_equal(b.diff.demoted, cases[i].demoted);
		assert_int_equal(b.diff.relaxed, cases[i].relaxed);
		assert_int_equal(build_load(a.repository, &waiting, &err), cases[i].stops ? 0 : 1);
		if (cases[i].stops) {
			assert_int_equal(build_at(&a, NOW + HOUR, true, &b), 1);
			assert_true(b.over);
			publish_at(&a, NOW + HOUR, &p);
			assert_true(p.build.over);
		}
		clear(&a);
	}
	free(base);
	free(testing);
	free(relaxed);
	free(longer);
}

/* A brake that stops leaves the list that waits. */
static void
test_brake_keeps(void **state UNUSED)
{
	char *base = policy_text(PKIX, 7 * DAY, "enforce", "mx.provider.example");
	struct authority a;
	struct published p;
	struct build b, waiting;
	struct error err = {0};
	char *before, *now;

	make(&a, "keeps");
	put_many(&a, 100, base);
	assert_int_equal(build_at(&a, NOW, false, &b), 1);
	publish_at(&a, NOW, &p);
	assert_int_equal(build_at(&a, NOW + 1, false, &b), 1);
	before = state_text(&a, BUILD_LIST);
	for (int i = 0; i < 3; i++) {
		char name[40];

		snprintf(name, sizeof(name), "d%04d.example", i);
		put(&a, name, NULL, NOW);
	}
	assert_int_equal(build_at(&a, NOW + 2, false, &b), 0);
	now = state_text(&a, BUILD_LIST);
	assert_string_equal(before, now);
	assert_int_equal(build_load(a.repository, &waiting, &err), 1);
	assert_int_equal(waiting.built_s, NOW + 1);
	free(before);
	free(now);
	free(base);
	clear(&a);
}

static int
into_buf(void *arg, const void *data, size_t len, struct error *err)
{
	return buf_add(arg, data, len) < 0 ? error_set(err, ERROR_TEMP, "full") : 0;
}

/* What the published delta makes of the kept copy of an older list is the published list: 1; 0:
 * there is no such delta. */
static int
check_delta(struct authority *a, const char *kept, int from, int to)
{
	char *name = xasprintf("delta/%d-%d.json.zst", from, to), *path, *text;
	struct error err = {0};
	struct buf made;
	size_t len;
	int rc = repository_target_path(a->repository, name, &path);

	if (rc > 0) {
		text = target_text(a, "list.json", &len);
		buf_init(&made, 1000000);
		if (delta_apply(kept, path, name, (int64_t)len, into_buf, &made, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(made.len, len);
		assert_memory_equal(made.data, text, len);
		buf_clear(&made);
		free(text);
	}
	free(path);
	free(name);
	return rc;
}

/* Each publication has a delta from each of the last lists, and of nothing else. */
static void
test_deltas(void **state UNUSED)
{
	enum { LISTS = DELTAS_MAX + 4 };
	char *policies[3] = {policy_text(PKIX, 7 * DAY, "enforce", "mx.one.example"),
		policy_text(PKIX, 7 * DAY, "testing", "mx.two.example"), NULL};
	struct authority a;
	struct published p;
	struct build b;
	char *kept[LISTS + 1], *bad, *bad_path;
	const char *name;
	struct error err = {0};

	make(&a, "deltas");
	for (int i = 1; i <= LISTS; i++) {
		char domain[40], *text;
		size_t len;
		int deltas = 0;

		for (int k = 0; k < 40; k++) {
			snprintf(domain, sizeof(domain), "d%02d.example", (i * 7 + k * k) % 60);
			put(&a, domain, policies[(i + k) % 3], NOW + i * 60);
		}
		assert_int_equal(build_at(&a, NOW + i * 60, true, &b), 1);
		publish_at(&a, NOW + i * 60, &p);
		for (size_t k = 0; repository_nth_target(a.repository, k, &name); k++)
			deltas += strncmp(name, "delta/", 6) == 0;
		assert_int_equal(deltas, i - 1 < DELTAS_MAX ? i - 1 : DELTAS_MAX);
		for (int from = 1; from < i; from++)
			assert_int_equal(
				check_delta(&a, kept[from], from, i), i - from <= DELTAS_MAX);
		kept[i] = xasprintf("%s/kept-%d", top, i);
		text = target_text(&a, "list.json", &len);
		assert_int_equal(file_replace(kept[i], text, len, 0644, &err), 0);
		free(text);
	}
	/* One that was damaged is left out; what is published now does not fail for it. */
	bad = xasprintf("delta/%d-%d.json.zst", LISTS - 3, LISTS);
	assert_int_equal(repository_target_path(a.repository, bad, &bad_path), 1);
	assert_int_equal(file_replace(bad_path, "damaged", 7, 0644, &err), 0);
	free(bad_path);
	free(bad);
	assert_int_equal(build_at(&a, NOW + DAY, true, &b), 1);
	publish_at(&a, NOW + DAY, &p);
	for (int from = 1; from <= LISTS; from++) {
		bool want = LISTS + 1 - from <= DELTAS_MAX && from != LISTS - 3;

		assert_int_equal(check_delta(&a, kept[from], from, LISTS + 1), want);
		(void)unlink(kept[from]);
		free(kept[from]);
	}
	free(policies[0]);
	free(policies[1]);
	clear(&a);
}

/* A store whose texts are no canonical policies is found out by the build, not by the readers. */
static void
test_bad_policy(void **state UNUSED)
{
	static const char *const cases[] = {
		"{\"auth\":[\"pkix\"],\"max_age\":604800,\"mode\":\"enforce\",\"mxs\":[\"MX."
		"example\"],"
		"\"source\":\"mta-sts\",\"tls\":\"1.2\"}",
		"{\"auth\":[\"pkix\"],\"max_age\":604800,\"mode\":\"enforce\",\"mxs\":[\"mx.a."
		"example\"],"
		"\"source\":\"mta-sts\",\"tls\":\"1.2\",\"x\":1}",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = {0};
		struct authority a;
		struct build b;
		char name[40];

		snprintf(name, sizeof(name), "bad-%zu", i);
		make(&a, name);
		put(&a, "a.example", cases[i], NOW - HOUR);
		assert_int_equal(build_list(a.store, a.repository, &rules, NOW, &b, &err), -1);
		assert_int_equal(err.kind, ERROR_INPUT);
		assert_non_null(strstr(err.text, "line 2"));
		assert_int_equal(build_load(a.repository, &b, &err), 0);
		clear(&a);
	}
}

/* Killed at every rename of build and publish, then run again: each version is published once, and
 * the store knows of it. */
static void
test_killed(void **state UNUSED)
{
	char *base = policy_text(PKIX, 7 * DAY, "enforce", "mx.provider.example");
	bool alive = false;
	int at;

	for (at = 0; !alive; at++) {
		struct authority a;
		struct published p;
		struct store_list last;
		struct error err = {0};
		struct build b;
		char name[40];
		int status;
		pid_t pid;

		snprintf(name, sizeof(name), "killed-%d", at);
		make(&a, name);
		put(&a, "a.example", base, NOW - HOUR);
		put(&a, "b.example", base, NOW - HOUR);
		assert_int_equal(build_at(&a, NOW, false, &b), 1);
		publish_at(&a, NOW, &p);
		/* Neither SQLite nor a lock wants to be shared with a child. */
		repository_close(a.repository);
		store_close(a.store);
		a.repository = NULL;
		a.store = NULL;
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			reopen(&a);
			renames_left = at;
			(void)build_at(&a, NOW + 1, false, &b);
			publish_at(&a, NOW + 2, &p);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		alive = WEXITSTATUS(status) == 0;
		assert_true(alive || WEXITSTATUS(status) == 99);
		reopen(&a);
		/* What an operator does: publish again; what waits goes out, else it is a renewal.
		 */
		publish_at(&a, NOW + 3, &p);
		assert_int_equal(build_at(&a, NOW + 4, false, &b), 1);
		publish_at(&a, NOW + 5, &p);
		assert_int_equal(p.build.version, b.version);
		assert_int_equal(store_last_list(a.store, &last, &err), 1);
		assert_int_equal(last.version, b.version);
		assert_true(last.version == 2 || last.version == 3);
		assert_string_equal(last.sha256, b.made.sha256);
		clear(&a);
	}
	assert_true(at > 10);
	free(base);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_determinism),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_brake),
		cmocka_unit_test(test_brake_keeps),
		cmocka_unit_test(test_bad_policy),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
