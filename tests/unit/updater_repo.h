/*
 * A TUF repository with a list in it, made in a temporary folder: for the tests of the updater.
 * Include after cmocka and the export headers.
 */
#ifndef TESTS_UNIT_UPDATER_REPO_H
#define TESTS_UNIT_UPDATER_REPO_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_writer.h"
#include "export/tuf_key.h"
#include "export/tuf_metadata.h"
#include "export/tuf_signer.h"
#include "updater/job.h"
#include "updater/settings.h"

#define NOW  INT64_C(1795435200) /* 2026-11-23T12:00:00Z */
#define DAY  INT64_C(86400)
#define YEAR (365 * DAY)

#define OK(call)                                                                                   \
	do {                                                                                       \
		struct error ok_err = {0};                                                         \
		if ((call) < 0)                                                                    \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, #call, ok_err.text);         \
	} while (0)

struct repo {
	char *dir;
	struct tuf_signer *signers[TUF_ROLE_COUNT];
	int64_t versions[TUF_ROLE_COUNT]; /* of what is published */
	int64_t expires[TUF_ROLE_COUNT];
	bool flat; /* no consistent snapshots */
	bool zstd; /* publish list.json.zst too */
	bool no_hashes; /* of metadata, in timestamp and snapshot */
	/* A further target; NULL: none. */
	const char *more_name;
	const void *more;
	size_t more_len;
};

static char *temp_dir UNUSED;

static UNUSED int
make_temp_dir(void **state UNUSED)
{
	/* Thousands of small runs, each with its fsync: in memory where there is some. */
	char *name = xasprintf("%s/preload25-updater-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");

	temp_dir = mkdtemp(name);
	return temp_dir == NULL ? -1 : 0;
}

static UNUSED int
remove_temp_dir(void **state UNUSED)
{
	char *command[] = {(char[]){"rm"}, (char[]){"-rf"}, temp_dir, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execvp("rm", command);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
	free(temp_dir);
	temp_dir = NULL;
	return 0;
}

/* A path below the temporary folder; the caller frees it. */
static UNUSED char *
in_temp(const char *name)
{
	return xasprintf("%s/%s", temp_dir, name);
}

static UNUSED void
write_text(const char *path, const void *data, size_t len)
{
	OK(file_replace(path, data, len, 0644, &ok_err));
}

static UNUSED void
read_bytes(const char *path, struct buf *out)
{
	buf_init(out, (size_t)1 << 30);
	OK(file_read(path, out, &ok_err));
}

/* A program that stands in for another one. */
static UNUSED void
write_script(const char *path, const char *text)
{
	write_text(path, text, strlen(text));
	assert_int_equal(chmod(path, 0755), 0);
}

static UNUSED void
copy_file(const char *from, const char *to)
{
	struct buf bytes;

	read_bytes(from, &bytes);
	write_text(to, bytes.data, bytes.len);
	buf_clear(&bytes);
}

/* Runs the job; text (NULL: any) must be in what it says of a failure. */
static UNUSED void
expect_exit_code(const struct update_settings *s, const struct job_options *options, int want,
	const char *text)
{
	struct error err = {0};
	int rc = job_run(s, options, &err);
	int code = rc < 0 ? error_exit_code(&err) : rc;

	if (code != want || (text != NULL && strstr(err.text, text) == NULL))
		fail_msg("exit code %d (%s), want %d (%s)", code, err.text, want,
			text != NULL ? text : "");
}

/* text (NULL: any) must be in what is said. */
static UNUSED int
run_undo(const struct update_settings *s, const char *text, struct error *err)
{
	struct buf said;
	int rc;

	error_clear(err);
	buf_init(&said, 4096);
	rc = job_undo(s, NOW, &said, err);
	if (rc == 0 && text != NULL && strstr(buf_str(&said), text) == NULL)
		fail_msg("undo says \"%s\", want \"%s\"", buf_str(&said), text);
	buf_clear(&said);
	return rc;
}

/* A new key for one role; the old one is gone. */
static UNUSED void
repo_rotate(struct repo *r, enum tuf_role role)
{
	static int number;
	char *path = xasprintf("%s/key-%d", r->dir, number++);

	tuf_signer_free(r->signers[role]);
	OK(tuf_signer_generate(path, "ed25519", NULL, &r->signers[role], &ok_err));
	free(path);
}

static UNUSED void
repo_init(struct repo *r, const char *name)
{
	memset(r, 0, sizeof(*r));
	r->dir = in_temp(name);
	for (int i = 0; i < 2; i++) {
		char *sub = xasprintf("%s/%s", r->dir, i == 0 ? "metadata" : "targets");

		OK(file_mkdirs(sub, 0755, &ok_err));
		free(sub);
	}
	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		repo_rotate(r, (enum tuf_role)role);
		r->expires[role] = NOW + (role == TUF_ROLE_TIMESTAMP ? 2 * DAY : YEAR);
	}
}

static UNUSED void
repo_clear(struct repo *r)
{
	for (int role = 0; role < TUF_ROLE_COUNT; role++)
		tuf_signer_free(r->signers[role]);
	free(r->dir);
}

/* The file of a role as it is published now; the caller frees it. */
static UNUSED char *
repo_path(const struct repo *r, enum tuf_role role)
{
	if (role == TUF_ROLE_TIMESTAMP || (r->flat && role != TUF_ROLE_ROOT))
		return xasprintf("%s/metadata/%s.json", r->dir, tuf_role_name(role));
	return xasprintf("%s/metadata/%" PRId64 ".%s.json", r->dir, r->versions[role],
		tuf_role_name(role));
}

/* The present root, to be a trust anchor. */
static UNUSED void
repo_copy_root(const struct repo *r, const char *to)
{
	char *path = repo_path(r, TUF_ROLE_ROOT);

	copy_file(path, to);
	free(path);
}

/* Signs and writes; said (may be NULL) is what the parent says of it. Frees the signed part. */
static UNUSED void
repo_write(struct repo *r, enum tuf_role role, json_t *signed_part,
	const struct tuf_signer *const *signers, size_t count, struct tuf_file *said)
{
	char *path = repo_path(r, role);
	struct buf text;

	buf_init(&text, TUF_TARGETS_MAX);
	OK(tuf_sign(signed_part, signers, count, &text, &ok_err));
	write_text(path, text.data, text.len);
	if (said != NULL) {
		tuf_file_of(text.data, text.len, said);
		said->version = r->versions[role];
		if (r->no_hashes) {
			said->hashes = false;
			said->sha256[0] = '\0';
			said->length = -1;
		}
	}
	json_decref(signed_part);
	buf_clear(&text);
	free(path);
}

/* The next root, with the present keys; old (NULL: none) signs too, as the root before wants it. */
static UNUSED void
repo_root(struct repo *r, const struct tuf_signer *old)
{
	struct tuf_role_keys roles[TUF_ROLE_COUNT];
	const struct tuf_key *keys[TUF_ROLE_COUNT];
	const struct tuf_signer *signers[2] = {r->signers[TUF_ROLE_ROOT], old};
	json_t *signed_part;

	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		keys[role] = tuf_signer_key(r->signers[role]);
		roles[role] = (struct tuf_role_keys){&keys[role], 1, 1};
	}
	signed_part = tuf_build_root(
		++r->versions[TUF_ROLE_ROOT], r->expires[TUF_ROLE_ROOT], roles);
	if (r->flat)
		json_object_set_new(signed_part, "consistent_snapshot", json_false());
	repo_write(r, TUF_ROLE_ROOT, signed_part, signers, old != NULL ? 2 : 1, NULL);
}

static UNUSED void
repo_timestamp(struct repo *r, const struct tuf_file *snapshot)
{
	const struct tuf_signer *s = r->signers[TUF_ROLE_TIMESTAMP];

	repo_write(r, TUF_ROLE_TIMESTAMP,
		tuf_build_timestamp(++r->versions[TUF_ROLE_TIMESTAMP],
			r->expires[TUF_ROLE_TIMESTAMP], snapshot),
		&s, 1, NULL);
}

/* Writes a target file under the name that clients ask for. */
static UNUSED void
repo_target(struct repo *r, const char *name, const void *data, size_t len, struct tuf_target *out)
{
	const char *slash = strrchr(name, '/');
	int dir = slash != NULL ? (int)(slash - name) + 1 : 0;
	char *path = xasprintf("%s/targets/%.*s", r->dir, dir, name);

	OK(file_mkdirs(path, 0755, &ok_err));
	free(path);
	out->name = name;
	tuf_file_of(data, len, &out->file);
	path = r->flat ? xasprintf("%s/targets/%s", r->dir, name)
		       : xasprintf("%s/targets/%.*s%s.%s", r->dir, dir, name, out->file.sha256,
				 name + dir);
	write_text(path, data, len);
	free(path);
}

/* targets, snapshot, timestamp; the next version of each. The path of the list stays with the
 * caller. */
static UNUSED void
repo_publish(struct repo *r, const char *list_path)
{
	const struct tuf_signer *s;
	struct tuf_target targets[3];
	struct tuf_file targets_said, snapshot_said;
	struct buf list;
	size_t count = 1;

	read_bytes(list_path, &list);
	repo_target(r, "list.json", list.data, list.len, &targets[0]);
	if (r->zstd) {
		size_t bound = ZSTD_compressBound(list.len);
		void *packed = xcalloc(1, bound);
		size_t len = ZSTD_compress(packed, bound, list.data, list.len, 3);

		assert_false(ZSTD_isError(len));
		repo_target(r, "list.json.zst", packed, len, &targets[count++]);
		free(packed);
	}
	buf_clear(&list);
	if (r->more_name != NULL)
		repo_target(r, r->more_name, r->more, r->more_len, &targets[count++]);
	if (r->versions[TUF_ROLE_ROOT] == 0)
		repo_root(r, NULL);
	s = r->signers[TUF_ROLE_TARGETS];
	repo_write(r, TUF_ROLE_TARGETS,
		tuf_build_targets(++r->versions[TUF_ROLE_TARGETS], r->expires[TUF_ROLE_TARGETS],
			targets, count),
		&s, 1, &targets_said);
	s = r->signers[TUF_ROLE_SNAPSHOT];
	repo_write(r, TUF_ROLE_SNAPSHOT,
		tuf_build_snapshot(++r->versions[TUF_ROLE_SNAPSHOT], r->expires[TUF_ROLE_SNAPSHOT],
			&targets_said),
		&s, 1, &snapshot_said);
	repo_timestamp(r, &snapshot_said);
}

/* A list at path: entries example-FIRST.test to example-LAST.test, all with this life. */
struct list_spec {
	int64_t version;
	int first, last;
	int64_t max_age_s; /* 0: 30 days */
	int64_t expires_s; /* 0: NOW + 14 days */
	int64_t timestamp_s; /* 0: NOW */
	/* Changes one entry before it is added; NULL: none. */
	void (*vary)(int i, struct list_entry *e);
};

static UNUSED void
write_list(const char *path, const struct list_spec *spec)
{
	int64_t timestamp_s = spec->timestamp_s != 0 ? spec->timestamp_s : NOW;
	struct list_header header = {.author = "test",
		.confirmed_since_s = timestamp_s - 3600,
		.expires_s = spec->expires_s != 0 ? spec->expires_s : timestamp_s + 14 * DAY,
		.timestamp_s = timestamp_s,
		.vantages = 1,
		.version = spec->version};
	struct list_writer *w;

	OK(list_writer_open(path, &header, &w, &ok_err));
	for (int i = spec->first; i <= spec->last; i++) {
		char domain[64], mx[64];
		const char *mxs[1] = {mx};
		struct list_entry e = {.domain = domain,
			.policy = {.auth_pkix = true,
				.max_age_s = spec->max_age_s != 0 ? spec->max_age_s : 30 * DAY,
				.mode = LIST_MODE_ENFORCE,
				.mxs = mxs,
				.mxs_count = 1,
				.source = LIST_SOURCE_MTA_STS,
				.tls = "1.3"}};

		(void)snprintf(domain, sizeof(domain), "example-%08d.test", i);
		(void)snprintf(mx, sizeof(mx), "mx.example-%08d.test", i);
		if (spec->vary != NULL)
			spec->vary(i, &e);
		list_writer_add_entry(w, &e);
	}
	OK(list_writer_commit(w, NULL, &ok_err));
	list_writer_free(w);
}

#endif
