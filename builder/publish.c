#include "builder/publish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/deltas.h"
#include "builder/store.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/compress.h"
#include "export/everywhere.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/list_schema.h"
#include "export/minisign.h"
#include "export/repository.h"
#include "export/tuf_signer.h"

/* The last two only where there is a key for them. */
enum { LIST, LIST_ZST, POLICY, SCHEMA, SIGNATURE, SIGNATURE_KEY, FILE_COUNT };

static const char *const target_names[FILE_COUNT] = {
	[LIST] = "list.json",
	[LIST_ZST] = "list.json.zst",
	[POLICY] = "policy.json",
	[SCHEMA] = "list.schema.json",
	[SIGNATURE] = "list.json.minisig",
	[SIGNATURE_KEY] = "minisign.pub",
};
/* In the state directory while they are made. */
static const char *const state_names[FILE_COUNT] = {
	[LIST] = BUILD_LIST,
	[LIST_ZST] = "next-list.json.zst",
	[POLICY] = "next-policy.json",
	[SCHEMA] = "next-list.schema.json",
	[SIGNATURE] = "next-list.json.minisig",
	[SIGNATURE_KEY] = "next-minisign.pub",
};

static int
write_policy(const char *list, const char *path, struct error *err)
{
	struct list_reader *reader;
	int rc;

	if (list_reader_open(list, &reader, err) < 0)
		return -1;
	rc = everywhere_write(reader, path, err);
	list_reader_close(reader);
	return rc;
}

static int
write_schema(const char *path, struct error *err)
{
	struct file_writer *w;
	int rc;

	if (file_writer_open(path, 0644, &w, err) < 0)
		return -1;
	for (size_t i = 0; i < list_schema_lines; i++) {
		file_writer_add(w, list_schema[i], strlen(list_schema[i]));
		file_writer_add(w, "\n", 1);
	}
	rc = file_writer_commit(w, err);
	file_writer_free(w);
	return rc;
}

/* For people without a TUF client. */
static int
write_signature(const char *uri, const struct build *b, char *const paths[static FILE_COUNT],
	struct error *err)
{
	/* The first three fields are what minisign itself writes. Nothing of the present: a list
	 * that waited for signatures is published as it was signed. */
	char *comment = xasprintf("timestamp:%" PRId64 "\tfile:%s\thashed\tversion:%" PRId64,
		b->built_s, target_names[LIST], b->version);
	struct tuf_signer *signer;
	struct buf signature, key;
	int rc = tuf_signer_load(uri, NULL, &signer, err);

	buf_init(&signature, MINISIGN_MAX);
	buf_init(&key, MINISIGN_MAX);
	if (rc == 0)
		rc = minisign_sign(signer, paths[LIST], comment, &signature, err);
	if (rc == 0)
		rc = minisign_public_key(signer, &key, err);
	if (rc == 0)
		rc = file_replace(paths[SIGNATURE], signature.data, signature.len, 0644, err);
	if (rc == 0)
		rc = file_replace(paths[SIGNATURE_KEY], key.data, key.len, 0644, err);
	buf_clear(&key);
	buf_clear(&signature);
	tuf_signer_free(signer);
	free(comment);
	return rc;
}

/* The list that waits must be the one that was built, whole. */
static int
check_list(const char *path, const struct build *b, int64_t now_s, struct error *err)
{
	struct list_reader *reader;
	struct tuf_file file;
	int rc;

	if (tuf_file_of_path(path, &file, err) < 0)
		return -1;
	if (strcmp(file.sha256, b->made.sha256) != 0)
		return error_set(err, ERROR_SECURITY,
			"%s: not the list that was built; run build again", path);
	if (list_reader_open(path, &reader, err) < 0)
		return -1;
	rc = build_check_clock(list_reader_header(reader), now_s, err);
	if (rc == 0 && list_reader_header(reader)->expires_s <= now_s)
		rc = error_set(err, ERROR_CONFIG,
			"list %" PRId64 " has expired before it was published; run build again",
			b->version);
	list_reader_close(reader);
	return rc;
}

static void
write_message(const struct build *b, struct buf *out)
{
	buf_addf(out, "list %" PRId64 ": ", b->version);
	build_summary(b, out);
	buf_addf(out,
		"\n\nAdded %" PRId64 ", removed %" PRId64 ", changed %" PRId64
		"; in trouble %" PRId64 ".\nBrake: %" PRId64
		" removed, demoted or relaxed of %" PRId64
		" before, %s.\nSHA-256 of list.json: %s\n",
		b->diff.added, b->diff.removed, b->diff.changed, b->made.troubled, build_churn(b),
		b->diff.before,
		b->over ? "beyond the limit and allowed by the operator" : "within the limit",
		b->made.sha256);
}

/* The version of the published list; 0: none. It must not be of a time to come. */
static int
published_version(struct repository *repository, int64_t now_s, int64_t *out, struct error *err)
{
	struct list_reader *reader;
	char *path;
	int rc = repository_target_path(repository, target_names[LIST], &path);

	*out = 0;
	if (rc > 0) {
		rc = list_reader_open(path, &reader, err);
		if (rc == 0) {
			*out = list_reader_header(reader)->version;
			rc = build_check_clock(list_reader_header(reader), now_s, err);
			list_reader_close(reader);
		}
	}
	free(path);
	return rc;
}

/* Deltas to the list in the file, from the published one, of this version, and those before it. */
static int
make_deltas(struct repository *repository, int64_t published, const struct build *b,
	const char *list, const char *packed, struct deltas *out, struct error *err)
{
	struct stat st;

	if (stat(packed, &st) < 0)
		return error_set_errno(err, ERROR_TEMP, "%s", packed);
	return deltas_make(repository, published, list, b->version, st.st_size, out, err);
}

static int
publish_files(struct repository *repository, const char *minisign_key, int64_t published,
	const struct build *b, int64_t now_s, char commit[static GIT_COMMIT_SIZE],
	struct error *err)
{
	struct repository_file files[FILE_COUNT + DELTAS_MAX];
	char *paths[FILE_COUNT];
	size_t count = minisign_key != NULL ? FILE_COUNT : SIGNATURE;
	struct deltas deltas = {.count = 0};
	struct buf message;
	int rc = -1;

	for (size_t i = 0; i < FILE_COUNT; i++) {
		paths[i] = repository_state_path(repository, state_names[i]);
		files[i] = (struct repository_file){target_names[i], paths[i]};
		file_remove_stale(paths[i]);
	}
	buf_init(&message, 4096);
	write_message(b, &message);
	if (check_list(paths[LIST], b, now_s, err) < 0 ||
		compress_file(paths[LIST], paths[LIST_ZST], err) < 0 ||
		write_policy(paths[LIST], paths[POLICY], err) < 0 ||
		write_schema(paths[SCHEMA], err) < 0 ||
		(minisign_key != NULL && write_signature(minisign_key, b, paths, err) < 0) ||
		make_deltas(repository, published, b, paths[LIST], paths[LIST_ZST], &deltas, err) <
			0)
		goto out;
	for (size_t i = 0; i < deltas.count; i++)
		files[count + i] =
			(struct repository_file){deltas.items[i].name, deltas.items[i].path};
	rc = repository_publish(repository,
		&(struct repository_publication){files, count + deltas.count, buf_str(&message)},
		now_s, commit, err);
out:
	deltas_clear(&deltas);
	buf_clear(&message);
	/* The list stays until the store knows; the others are made anew if need be. */
	for (size_t i = 0; i < FILE_COUNT; i++) {
		if (i != LIST)
			(void)unlink(paths[i]);
		free(paths[i]);
	}
	return rc;
}

static int
record(struct store *store, const struct build *b, int64_t now_s, const char *commit,
	struct error *err)
{
	struct store_list list = {
		.version = b->version,
		.built_s = b->built_s,
		.entries = b->made.entries,
		.added = b->diff.added,
		.removed = b->diff.removed,
		.changed = b->diff.changed,
	};
	struct store_list last;
	int rc;

	memcpy(list.sha256, b->made.sha256, sizeof(list.sha256));
	if (store_begin(store, err) < 0)
		return -1;
	rc = store_last_list(store, &last, err);
	/* A killed run may have got as far as this. */
	if (rc >= 0 && (rc == 0 || last.version < b->version))
		rc = store_put_list(store, &list, err);
	if (rc >= 0 && store_set_published(store, b->version, now_s, commit, err) == 0 &&
		store_commit(store, err) == 0)
		return 0;
	store_abort(store);
	return -1;
}

int
publish_next(struct store *store, struct repository *repository, const char *minisign_key,
	int64_t now_s, struct published *out, struct error *err)
{
	int64_t version;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = build_load(repository, &out->build, err);
	if (rc < 0 || published_version(repository, now_s, &version, err) < 0)
		return -1;
	if (rc == 0) {
		/* What is there none the less is of a run that was killed. */
		if (build_drop(repository, err) < 0)
			return -1;
		out->renewed = true;
		return repository_renew(repository, REPOSITORY_ALL, now_s, out->commit, err);
	}
	if (version < out->build.version) {
		rc = publish_files(
			repository, minisign_key, version, &out->build, now_s, out->commit, err);
		if (rc < 0)
			return -1;
		if (rc > 0) {
			out->waits = true;
			/* Meanwhile what is published must not run out. */
			return version == 0 ? 0
					    : repository_renew(repository, REPOSITORY_ONLINE, now_s,
						      out->commit, err);
		}
	} else if (repository_head(repository, out->commit, err) < 0) {
		/* Published by a run that was killed before the store knew. */
		return -1;
	}
	if (record(store, &out->build, now_s, out->commit, err) < 0)
		return -1;
	return build_drop(repository, err);
}
