/* TUF metadata: what is written verifies, and what is wrong is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_key.h"
#include "export/tuf_metadata.h"
#include "export/tuf_signer.h"

#define NOW     INT64_C(1795435200) /* 2026-11-23T12:00:00Z */
#define DAY     INT64_C(86400)
#define SIGNERS 4

static char dir[] = "/tmp/preload25-tuf-XXXXXX";
static struct tuf_signer *signers[SIGNERS];
static const struct tuf_key *keys[SIGNERS];

static int
setup(void **state UNUSED)
{
	struct error err;

	if (mkdtemp(dir) == NULL)
		return -1;
	for (int i = 0; i < SIGNERS; i++) {
		char *path = xasprintf("%s/%d.pem", dir, i);
		int rc = tuf_signer_generate(path, "ed25519", NULL, &signers[i], &err);

		(void)unlink(path);
		free(path);
		if (rc < 0)
			return -1;
		keys[i] = tuf_signer_key(signers[i]);
	}
	return 0;
}

static int
teardown(void **state UNUSED)
{
	for (int i = 0; i < SIGNERS; i++)
		tuf_signer_free(signers[i]);
	return rmdir(dir);
}

/* Signs with those of the signers whose bit is set; takes signed_part over. */
static struct buf
signed_by(json_t *signed_part, unsigned bits)
{
	const struct tuf_signer *by[SIGNERS];
	struct error err = {0};
	struct buf out;
	size_t n = 0;

	for (unsigned i = 0; i < SIGNERS; i++)
		if (bits & 1U << i)
			by[n++] = signers[i];
	buf_init(&out, 1000000);
	if (tuf_sign(signed_part, by, n, &out, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(signed_part);
	return out;
}

static struct tuf_meta *
parse(struct buf text, enum tuf_role role)
{
	struct tuf_meta *m;
	struct error err = {0};

	if (tuf_meta_parse(text.data, text.len, role, &m, &err) < 0)
		fail_msg("%s", err.text);
	buf_clear(&text);
	return m;
}

/* Each role has the first `count` keys and this threshold. */
static json_t *
root_object(int64_t version, size_t count, int64_t threshold)
{
	struct tuf_role_keys roles[TUF_ROLE_COUNT];

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		roles[i] = (struct tuf_role_keys){keys, count, threshold};
	return tuf_build_root(version, NOW + DAY, roles);
}

static void
test_round_trip(void **state UNUSED)
{
	const char *content = "some content";
	struct tuf_file file, got, said;
	struct tuf_meta *root, *m;
	const char *name;
	struct error err = {0};
	struct buf text, again;

	tuf_file_of(content, strlen(content), &file);
	assert_int_equal(file.length, 12);
	assert_string_equal(
		file.sha256, "290f493c44f5d63d06b374d0a5abd292fae38b92cab2fae5efefe1b0e9347f56");
	root = parse(signed_by(root_object(3, 1, 1), 1), TUF_ROLE_ROOT);
	assert_int_equal(tuf_meta_verify(root, root, &err), 0);
	assert_int_equal(tuf_meta_version(root), 3);
	assert_int_equal(tuf_meta_expires(root), NOW + DAY);
	assert_true(tuf_root_consistent_snapshot(root));
	assert_int_equal(tuf_root_threshold(root, TUF_ROLE_TARGETS), 1);
	assert_true(tuf_root_has_key(root, TUF_ROLE_TARGETS, tuf_key_id(keys[0])));
	assert_false(tuf_root_has_key(root, TUF_ROLE_TARGETS, tuf_key_id(keys[1])));

	text = signed_by(tuf_build_targets(5, NOW, &(struct tuf_target){"list.json", file}, 1), 1);
	again = signed_by(tuf_build_targets(5, NOW, &(struct tuf_target){"list.json", file}, 1), 1);
	assert_string_equal(text.data, again.data);
	buf_clear(&again);
	tuf_file_of(text.data, text.len, &said);
	m = parse(text, TUF_ROLE_TARGETS);
	assert_int_equal(tuf_meta_verify(m, root, &err), 0);
	assert_int_equal(tuf_targets_find(m, "list.json", &got), 1);
	assert_int_equal(tuf_targets_find(m, "list", &got), 0);
	assert_int_equal(tuf_check_data(&got, content, 12, &err), 0);
	assert_int_equal(tuf_check_data(&got, content, 11, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_int_equal(tuf_check_data(&got, "some content\n", 13, &err), -1);
	assert_int_equal(tuf_check_data(&got, "some Content", 12, &err), -1);
	assert_int_equal(tuf_targets_nth(m, 0, &name, &got), 1);
	assert_string_equal(name, "list.json");
	assert_int_equal(tuf_targets_nth(m, 1, &name, &got), 0);
	tuf_meta_free(m);

	said.version = 5;
	text = signed_by(tuf_build_snapshot(6, NOW, &said), 1);
	tuf_file_of(text.data, text.len, &file);
	m = parse(text, TUF_ROLE_SNAPSHOT);
	assert_int_equal(tuf_meta_verify(m, root, &err), 0);
	assert_int_equal(tuf_meta_find(m, "targets.json", &got), 1);
	assert_int_equal(got.version, 5);
	assert_int_equal(got.length, said.length);
	assert_string_equal(got.sha256, said.sha256);
	tuf_meta_free(m);

	file.version = 6;
	m = parse(signed_by(tuf_build_timestamp(7, NOW, &file), 1), TUF_ROLE_TIMESTAMP);
	assert_int_equal(tuf_meta_verify(m, root, &err), 0);
	assert_int_equal(tuf_meta_nth(m, 0, &name, &got), 1);
	assert_string_equal(name, "snapshot.json");
	assert_int_equal(got.version, 6);
	assert_int_equal(tuf_meta_nth(m, 1, &name, &got), 0);
	tuf_meta_free(m);
	tuf_meta_free(root);
	tuf_meta_free(NULL);
}

static void
test_thresholds(void **state UNUSED)
{
	static const struct {
		size_t keys;
		int64_t threshold;
		unsigned signers; /* bits */
		bool good;
	} cases[] = {
		{1, 1, 0, false}, {1, 1, 1, true}, {1, 1, 2, false}, /* only a stranger */
		{1, 1, 3, true},                                     /* a stranger beside */
		{3, 2, 1, false}, {3, 2, 5, true}, {3, 2, 7, true},
		{3, 2, 9, false},                  /* one of them and a stranger */
		{3, 3, 7, true}, {2, 3, 7, false}, /* more asked for than there are */
	};
	struct tuf_file f;

	tuf_file_of("", 0, &f);
	f.version = 1;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_meta *root =
			parse(signed_by(root_object(1, cases[i].keys, cases[i].threshold), 7),
				TUF_ROLE_ROOT);
		struct tuf_meta *m =
			parse(signed_by(tuf_build_snapshot(1, NOW, &f), cases[i].signers),
				TUF_ROLE_SNAPSHOT);
		struct error err = {0};

		if ((tuf_meta_verify(m, root, &err) == 0) != cases[i].good ||
			(!cases[i].good && err.kind != ERROR_SECURITY))
			fail_msg("case %zu: %s", i, err.text);
		tuf_meta_free(m);
		tuf_meta_free(root);
	}
}

/* One key under two ids counts once. */
static void
test_one_key_twice(void **state UNUSED)
{
	json_t *object = json_deep_copy(tuf_key_json(keys[0]));
	const struct tuf_key *two[2] = {keys[0], NULL};
	struct tuf_role_keys roles[TUF_ROLE_COUNT];
	struct tuf_meta *root;
	struct tuf_key *other;
	struct error err = {0};
	json_t *document, *signatures, *copy;
	struct buf text;

	json_object_set_new(object, "note", json_string("the same"));
	assert_int_equal(tuf_key_from_json(object, &other, &err), 0);
	two[1] = other;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		roles[i] = (struct tuf_role_keys){two, 2, 2};
	text = signed_by(tuf_build_root(1, NOW, roles), 1);
	document = json_loads(text.data, 0, NULL);
	buf_clear(&text);
	signatures = json_object_get(document, "signatures");
	copy = json_deep_copy(json_array_get(signatures, 0));
	json_object_set_new(copy, "keyid", json_string(tuf_key_id(other)));
	json_array_append_new(signatures, copy);
	char *dumped = json_dumps(document, 0);
	assert_int_equal(tuf_meta_parse(dumped, strlen(dumped), TUF_ROLE_ROOT, &root, &err), 0);
	assert_int_equal(tuf_meta_verify(root, root, &err), -1);
	assert_non_null(strstr(err.text, "1 good signatures of the 2"));
	free(dumped);
	json_decref(document);
	json_decref(object);
	tuf_meta_free(root);
	tuf_key_free(other);
}

static void
test_same_role(void **state UNUSED)
{
	struct tuf_meta *a = parse(signed_by(root_object(1, 2, 1), 1), TUF_ROLE_ROOT);
	struct tuf_meta *b = parse(signed_by(root_object(2, 2, 1), 1), TUF_ROLE_ROOT);
	struct tuf_meta *c = parse(signed_by(root_object(3, 2, 2), 1), TUF_ROLE_ROOT);
	struct tuf_meta *d = parse(signed_by(root_object(4, 3, 1), 1), TUF_ROLE_ROOT);

	assert_true(tuf_root_same_role(a, b, TUF_ROLE_SNAPSHOT));
	assert_false(tuf_root_same_role(a, c, TUF_ROLE_SNAPSHOT));
	assert_false(tuf_root_same_role(a, d, TUF_ROLE_SNAPSHOT));
	assert_false(tuf_root_same_role(d, a, TUF_ROLE_SNAPSHOT));
	tuf_meta_free(a);
	tuf_meta_free(b);
	tuf_meta_free(c);
	tuf_meta_free(d);
}

/* Members that are not ours are part of what is signed. */
static void
test_unknown_members(void **state UNUSED)
{
	struct tuf_meta *root = parse(signed_by(root_object(1, 1, 1), 1), TUF_ROLE_ROOT), *m;
	struct error err = {0};
	struct tuf_file f;
	json_t *object;
	struct buf text;
	char *spot;

	tuf_file_of("", 0, &f);
	f.version = 1;
	object = tuf_build_snapshot(1, NOW, &f);
	json_object_set_new(object, "x-note",
		json_pack("{s:s, s:[b, n, i]}", "text", "a\"\\\n\xc3\xa9", "list", 1, -5));
	text = signed_by(object, 1);
	spot = strstr(text.data, "-5");
	assert_int_equal(tuf_meta_parse(text.data, text.len, TUF_ROLE_SNAPSHOT, &m, &err), 0);
	assert_int_equal(tuf_meta_verify(m, root, &err), 0);
	tuf_meta_free(m);
	spot[1] = '6';
	assert_int_equal(tuf_meta_parse(text.data, text.len, TUF_ROLE_SNAPSHOT, &m, &err), 0);
	assert_int_equal(tuf_meta_verify(m, root, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	tuf_meta_free(m);
	tuf_meta_free(root);
	buf_clear(&text);
}

#define HASH \
	"\"hashes\":{\"sha256\":" \
	"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}"
#define META         "\"meta\":{\"snapshot.json\":{\"version\":1}}"
#define HEAD         "\"spec_version\":\"1.0.31\",\"version\":1,\"expires\":\"2026-11-23T12:00:00Z\""
#define SIGNED(text) "{\"signatures\":[],\"signed\":{" text "}}"
#define SIG(id)      "{\"keyid\":\"" id "\",\"sig\":\"00\"}"

static void
test_refused(void **state UNUSED)
{
	static const struct {
		enum tuf_role role;
		const char *text, *want; /* NULL: taken */
	} cases[] = {
		{TUF_ROLE_TIMESTAMP, SIGNED("\"_type\":\"timestamp\"," HEAD "," META), NULL},
		{TUF_ROLE_TIMESTAMP, "", "line 1"},
		{TUF_ROLE_TIMESTAMP, "[]", "not an object"},
		{TUF_ROLE_TIMESTAMP, "{\"signed\":{}}", "\"signatures\" is missing"},
		{TUF_ROLE_TIMESTAMP, "{\"signatures\":[]}", "\"signed\" is missing"},
		{TUF_ROLE_TIMESTAMP, "{\"signatures\":[1],\"signed\":{}}", "not an object"},
		{TUF_ROLE_TIMESTAMP,
			"{\"signatures\":[" SIG("a") "," SIG("a") "],\"signed\":{\"_type\":"
								  "\"timestamp\"," HEAD "," META
								  "}}",
			"two signatures by key a"},
		{TUF_ROLE_TIMESTAMP,
			"{\"signatures\":[" SIG("a") "," SIG("") "],\"signed\":{\"_type\":"
								 "\"timestamp\"," HEAD "," META
								 "}}",
			NULL},
		{TUF_ROLE_TIMESTAMP, SIGNED("\"_type\":\"timestamp\"," HEAD "," META) "x",
			"line 1"},
		{TUF_ROLE_TIMESTAMP, SIGNED("\"_type\":\"snapshot\"," HEAD "," META),
			"\"_type\" is \"snapshot\", not \"timestamp\""},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"_type\":\"timestamp\"," HEAD "," META),
			"duplicate"},
		{TUF_ROLE_TIMESTAMP, SIGNED("\"_type\":\"timestamp\",\"x\":1.0," HEAD "," META),
			"fraction"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"1.0\",\"version\":1,"
			       "\"expires\":\"2044-11-23T12:00:00Z\"," META),
			NULL},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"2.0.0\",\"version\":1,"
			       "\"expires\":\"2026-11-23T12:00:00Z\"," META),
			"spec_version"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"1\",\"version\":1,"
			       "\"expires\":\"2026-11-23T12:00:00Z\"," META),
			"spec_version"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"1.0.0.0\",\"version\":1,"
			       "\"expires\":\"2026-11-23T12:00:00Z\"," META),
			"spec_version"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"1.0.0\",\"version\":0,"
			       "\"expires\":\"2026-11-23T12:00:00Z\"," META),
			"\"version\" is 0"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"1.0.0\",\"version\":"
			       "true,"
			       "\"expires\":\"2026-11-23T12:00:00Z\"," META),
			"not an integer"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"1.0.0\",\"version\":"
			       "9007199254740992,\"expires\":\"2026-11-23T12:00:00Z\"," META),
			"\"version\" is 9007199254740992"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\",\"spec_version\":\"1.0.0\",\"version\":1,"
			       "\"expires\":\"2026-11-23T12:00:00.0Z\"," META),
			"expires"},
		{TUF_ROLE_TIMESTAMP, SIGNED("\"_type\":\"timestamp\"," HEAD),
			"\"meta\" is missing"},
		{TUF_ROLE_TIMESTAMP, SIGNED("\"_type\":\"timestamp\"," HEAD ",\"meta\":{}"),
			"nothing of snapshot.json"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\"," HEAD
			       ",\"meta\":{\"snapshot.json\":{\"version\":0}}"),
			"snapshot.json: \"version\" is 0"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\"," HEAD
			       ",\"meta\":{\"snapshot.json\":{\"version\":1,\"length\":-1}}"),
			"snapshot.json: \"length\" is -1"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\"," HEAD
			       ",\"meta\":{\"snapshot.json\":{\"version\":1,\"hashes\":{}}}"),
			"\"hashes\" is empty"},
		{TUF_ROLE_TIMESTAMP,
			SIGNED("\"_type\":\"timestamp\"," HEAD
			       ",\"meta\":{\"snapshot.json\":{\"version\":1,\"hashes\":{\"sha256\":"
			       "\"00\"}}}"),
			"not 64 hex digits"},
		{TUF_ROLE_SNAPSHOT, SIGNED("\"_type\":\"snapshot\"," HEAD "," META),
			"nothing of targets.json"},
		{TUF_ROLE_TARGETS, SIGNED("\"_type\":\"targets\"," HEAD ",\"targets\":{}"), NULL},
		{TUF_ROLE_TARGETS,
			SIGNED("\"_type\":\"targets\"," HEAD
			       ",\"targets\":{\"a\":{\"length\":1," HASH "}}"),
			NULL},
		{TUF_ROLE_TARGETS,
			SIGNED("\"_type\":\"targets\"," HEAD ",\"targets\":{\"a\":{" HASH "}}"),
			"a: \"length\" is missing"},
		{TUF_ROLE_TARGETS,
			SIGNED("\"_type\":\"targets\"," HEAD ",\"targets\":{\"a\":{\"length\":1}}"),
			"a: \"hashes\" is missing"},
		{TUF_ROLE_TARGETS,
			SIGNED("\"_type\":\"targets\"," HEAD
			       ",\"targets\":{\"a\":{\"length\":1,\"hashes\":{\"md5\":\"00\"}}}"),
			NULL},
		{TUF_ROLE_ROOT, SIGNED("\"_type\":\"root\"," HEAD ",\"roles\":{}"),
			"\"keys\" is missing"},
		{TUF_ROLE_ROOT, SIGNED("\"_type\":\"root\"," HEAD ",\"keys\":{},\"roles\":{}"),
			"role root: \"root\" is missing"},
		{TUF_ROLE_ROOT,
			SIGNED("\"_type\":\"root\"," HEAD ",\"keys\":{},\"consistent_snapshot\":1,"
			       "\"roles\":{}"),
			"not a boolean"},
		{TUF_ROLE_ROOT,
			SIGNED("\"_type\":\"root\"," HEAD ",\"keys\":{},\"roles\":{\"root\":{"
			       "\"keyids\":[],\"threshold\":0}}"),
			"\"threshold\" is 0"},
		{TUF_ROLE_ROOT,
			SIGNED("\"_type\":\"root\"," HEAD ",\"keys\":{\"abcd\":{\"keytype\":"
			       "\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"00\"}}}"
			       ","
			       "\"roles\":{}"),
			"key abcd is not named by its content"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = {0};
		struct tuf_meta *m;
		int rc = tuf_meta_parse(
			cases[i].text, strlen(cases[i].text), cases[i].role, &m, &err);

		if (cases[i].want == NULL) {
			if (rc < 0)
				fail_msg("case %zu: %s", i, err.text);
		} else if (rc == 0) {
			fail_msg("case %zu: taken: %s", i, cases[i].text);
		} else if (err.kind != ERROR_INPUT || strstr(err.text, cases[i].want) == NULL) {
			fail_msg("case %zu: got %s; want %s", i, err.text, cases[i].want);
		}
		tuf_meta_free(m);
	}
}

static void
test_too_large(void **state UNUSED)
{
	struct error err = {0};
	struct tuf_meta *m;
	char *text = xcalloc(TUF_TIMESTAMP_MAX + 2, 1);
	const char *good = SIGNED("\"_type\":\"timestamp\"," HEAD "," META);

	memset(text, ' ', TUF_TIMESTAMP_MAX + 1);
	memcpy(text, good, strlen(good));
	assert_int_equal(tuf_meta_parse(text, TUF_TIMESTAMP_MAX, TUF_ROLE_TIMESTAMP, &m, &err), 0);
	tuf_meta_free(m);
	assert_int_equal(
		tuf_meta_parse(text, TUF_TIMESTAMP_MAX + 1, TUF_ROLE_TIMESTAMP, &m, &err), -1);
	assert_null(m);
	free(text);
}

/* Length and hashes in every combination that metadata may give them. */
static void
test_checks(void **state UNUSED)
{
	static const char sha512[] =
		"65c256c639bd6dd483be341831c19a3996954901bb2a07f79593f3e3af569255"
		"9bdb124d099c2b92ced7e59b7ed02d3b7f42d50740d999bebd91983db2842762";
	struct tuf_file both, unknown = {.length = 12, .hashes = true}, bare = {.length = -1};
	struct error err = {0};
	struct tuf_check *c;

	tuf_file_of("some content", 12, &both);
	memcpy(both.sha512, sha512, sizeof(sha512));
	assert_int_equal(tuf_check_data(&both, "some content", 12, &err), 0);
	both.sha512[127] ^= 1;
	assert_int_equal(tuf_check_data(&both, "some content", 12, &err), -1);
	assert_non_null(strstr(err.text, "SHA-512"));
	both.sha256[0] = '\0';
	both.sha512[127] ^= 1;
	assert_int_equal(tuf_check_data(&both, "some content", 12, &err), 0);
	assert_int_equal(tuf_check_data(&unknown, "some content", 12, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_int_equal(tuf_check_data(&bare, "anything", 8, &err), 0);

	/* In pieces; too much is noticed at once. */
	c = tuf_check_new(&both);
	assert_int_equal(tuf_check_add(c, "some ", 5, &err), 0);
	assert_int_equal(tuf_check_add(c, "content", 7, &err), 0);
	assert_int_equal(tuf_check_end(c, &err), 0);
	tuf_check_free(c);
	c = tuf_check_new(&both);
	assert_int_equal(tuf_check_add(c, "some ", 5, &err), 0);
	assert_int_equal(tuf_check_add(c, "contents", 8, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	tuf_check_free(c);
	tuf_check_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_one_key_twice),
		cmocka_unit_test(test_same_role),
		cmocka_unit_test(test_unknown_members),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
