#include "builder/build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/store.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/repository.h"

#define DRAFT    "draft-list.json"
#define INFO_MAX ((size_t)16 * 1024)

int64_t
build_churn(const struct build *b)
{
	return b->diff.removed + b->diff.demoted + b->diff.relaxed;
}

void
build_summary(const struct build *b, struct buf *out)
{
	buf_addf(out, "%" PRId64 " %s (+%" PRId64 " -%" PRId64 " ~%" PRId64 ")", b->made.entries,
		b->made.entries == 1 ? "entry" : "entries", b->diff.added, b->diff.removed,
		b->diff.changed);
}

/* --- what was built, between two runs -----------------------------------------------------------
 */

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{"version", offsetof(struct build, version)},
	{"built", offsetof(struct build, built_s)},
	{"entries", offsetof(struct build, made.entries)},
	{"aliases", offsetof(struct build, made.aliases)},
	{"troubled", offsetof(struct build, made.troubled)},
	{"length", offsetof(struct build, made.length)},
	{"before", offsetof(struct build, diff.before)},
	{"added", offsetof(struct build, diff.added)},
	{"removed", offsetof(struct build, diff.removed)},
	{"changed", offsetof(struct build, diff.changed)},
	{"demoted", offsetof(struct build, diff.demoted)},
	{"relaxed", offsetof(struct build, diff.relaxed)},
};

static int
save_info(struct repository *repository, const struct build *b, struct error *err)
{
	json_t *object = json_pack("{s:b, s:s}", "over", b->over, "sha256", b->made.sha256);
	char *path = repository_state_path(repository, BUILD_INFO);
	struct buf text;
	int rc;

	for (size_t i = 0; object != NULL && i < ARRAY_LEN(numbers); i++) {
		int64_t value;

		memcpy(&value, (const char *)b + numbers[i].offset, sizeof(value));
		if (json_object_set_new(object, numbers[i].name, json_integer(value)) < 0)
			abort();
	}
	if (object == NULL)
		abort();
	buf_init(&text, INFO_MAX);
	rc = json_compact(object, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, 0600, err);
	buf_clear(&text);
	json_decref(object);
	free(path);
	return rc;
}

int
build_load(struct repository *repository, struct build *out, struct error *err)
{
	char *path = repository_state_path(repository, BUILD_INFO);
	json_t *object = NULL;
	const char *sha256;
	struct buf text;
	int rc;

	memset(out, 0, sizeof(*out));
	buf_init(&text, INFO_MAX);
	rc = file_read_if_exists(path, &text, err);
	if (rc <= 0)
		goto out;
	rc = json_parse(buf_str(&text), text.len, &object, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(numbers); i++) {
		int64_t value = 0;

		rc = json_get_int(object, numbers[i].name, 0, INT64_MAX, &value, err);
		memcpy((char *)out + numbers[i].offset, &value, sizeof(value));
	}
	if (rc == 0)
		rc = json_get_string(object, "sha256", &sha256, err);
	if (rc == 0 && strlen(sha256) != sizeof(out->made.sha256) - 1)
		rc = error_set(err, ERROR_INPUT, "\"sha256\" is not 64 hex digits");
	if (rc < 0) {
		error_prefix(err, "%s", path);
		goto out;
	}
	memcpy(out->made.sha256, sha256, sizeof(out->made.sha256));
	out->over = json_is_true(json_object_get(object, "over"));
	out->diff.after = out->made.entries;
	rc = 1;
out:
	json_decref(object);
	buf_clear(&text);
	free(path);
	return rc;
}

static int
remove_info(struct repository *repository, struct error *err)
{
	char *path = repository_state_path(repository, BUILD_INFO);
	int rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		rc = error_set_errno(err, ERROR_TEMP, "%s", path);
	free(path);
	return rc;
}

int
build_drop(struct repository *repository, struct error *err)
{
	/* The information first: a list without it is none. */
	if (remove_info(repository, err) < 0)
		return -1;
	return repository_drop_state(repository, BUILD_PREFIX, err);
}

/* --- building -----------------------------------------------------------------------------------
 */

/* The published list: 1 (to be closed by the caller), 0 there is none, -1. */
static int
open_published(struct repository *repository, struct list_reader **out, struct error *err)
{
	char *path;
	int rc = repository_target_path(repository, "list.json", &path);

	*out = NULL;
	if (rc > 0 && list_reader_open(path, out, err) < 0)
		rc = -1;
	free(path);
	return rc;
}

static int
share_policies(struct store *store, struct list_writer *w, int64_t now_s, int64_t fresh_s,
	struct error *err)
{
	struct store_shares *shares;
	struct store_shared shared;
	int rc;

	if (store_shares_open(store, now_s, fresh_s, &shares, err) < 0)
		return -1;
	while ((rc = store_shares_next(shares, &shared, err)) > 0)
		if (!list_writer_share(w, shared.policy, shared.policy_len))
			break;
	store_shares_close(shares);
	return rc < 0 ? -1 : 0;
}

static int
add_entries(struct store *store, struct list_writer *w, int64_t now_s, int64_t fresh_s,
	struct error *err)
{
	struct store_entries *entries;
	struct store_entry e;
	int rc;

	if (store_entries_open(store, now_s, &entries, err) < 0)
		return -1;
	while ((rc = store_entries_next(entries, &e, err)) > 0)
		list_writer_add(w, e.domain, e.confirmed_s < fresh_s ? e.confirmed_s : 0, e.policy,
			e.policy_len);
	store_entries_close(entries);
	return rc;
}

/* Writes the draft from one consistent state of the store. */
static int
write_draft(struct store *store, const struct build_rules *rules, int64_t now_s, const char *path,
	struct build *b, struct error *err)
{
	struct list_header header = {
		.author = rules->author,
		.expires_s = now_s + rules->expires_s,
		.timestamp_s = now_s,
		.vantages = rules->vantages,
		.version = b->version,
	};
	int64_t fresh_s = now_s - rules->fresh_s;
	struct store_entry_totals totals;
	struct list_writer *w = NULL;
	int rc = -1;

	if (store_begin(store, err) < 0)
		return -1;
	if (store_entry_totals(store, now_s, fresh_s, &totals, err) < 0)
		goto out;
	header.confirmed_since_s =
		totals.confirmed_since_s < now_s ? totals.confirmed_since_s : now_s;
	if (list_writer_open(path, &header, &w, err) < 0 ||
		share_policies(store, w, now_s, fresh_s, err) < 0 ||
		add_entries(store, w, now_s, fresh_s, err) < 0)
		goto out;
	rc = list_writer_commit(w, &b->made, err);
out:
	list_writer_free(w);
	store_abort(store); /* nothing was written */
	return rc;
}

int
build_check_clock(const struct list_header *list, int64_t now_s, struct error *err)
{
	char then[CLOCK_TEXT_SIZE], now[CLOCK_TEXT_SIZE];

	if (list->timestamp_s <= now_s)
		return 0;
	clock_format(list->timestamp_s, then);
	clock_format(now_s, now);
	return error_set(err, ERROR_CONFIG,
		"the clock is behind: list %" PRId64 " is of %s and now it is %s", list->version,
		then, now);
}

/* The version that comes next, and that time has not gone backwards. */
static int
next_version(struct store *store, const struct list_reader *published, int64_t now_s, int64_t *out,
	struct error *err)
{
	struct store_list last;
	int64_t version = 0;
	int rc = store_last_list(store, &last, err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		version = last.version;
	if (published != NULL) {
		const struct list_header *h = list_reader_header(published);

		if (build_check_clock(h, now_s, err) < 0)
			return -1;
		if (h->version > version)
			version = h->version;
	}
	*out = version + 1;
	return 0;
}

/* Reads the draft back, which also proves that every reader will take it. */
static int
compare_draft(const char *path, struct list_reader *published, struct build *b, struct error *err)
{
	struct list_reader *draft;
	int rc;

	if (list_reader_open(path, &draft, err) < 0)
		return -1;
	rc = list_diff(published, draft, &b->diff, err);
	list_reader_close(draft);
	return rc;
}

int
build_list(struct store *store, struct repository *repository, const struct build_rules *rules,
	int64_t now_s, struct build *out, struct error *err)
{
	char *draft = repository_state_path(repository, DRAFT);
	char *next = repository_state_path(repository, BUILD_LIST);
	struct list_reader *published = NULL;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	out->built_s = now_s;
	file_remove_stale(draft);
	if (open_published(repository, &published, err) < 0 ||
		next_version(store, published, now_s, &out->version, err) < 0 ||
		write_draft(store, rules, now_s, draft, out, err) < 0 ||
		compare_draft(draft, published, out, err) < 0)
		goto out;
	out->over = build_churn(out) * 100 > out->diff.before * rules->churn_percent;
	if (out->over && !rules->allow_churn) {
		rc = 0;
		goto out;
	}
	if (remove_info(repository, err) < 0)
		goto out;
	if (rename(draft, next) < 0) {
		error_set_errno(err, ERROR_TEMP, "%s: cannot rename into place", next);
		goto out;
	}
	if (save_info(repository, out, err) < 0)
		goto out;
	rc = 1;
out:
	if (rc <= 0)
		(void)unlink(draft);
	list_reader_close(published);
	free(draft);
	free(next);
	return rc;
}
