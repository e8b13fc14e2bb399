/* tuf_client: a target looked for through delegations. */
#include "updater/tuf_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_delegation.h"
#include "updater/tuf_client_inside.h"

/* A search: the roles still to be asked, the next one on top, and all that were ever on it. */
struct search {
	struct tuf_client *c;
	struct fetch *fetch;
	const char *base;
	const char *target;
	struct step *pending; /* a stack */
	size_t pending_count;
	struct tuf_meta *asked[TUF_ROLES_ASKED_MAX]; /* owned; delegations are lent by them */
	char *names[TUF_ROLES_ASKED_MAX];            /* owned */
	size_t asked_count;
};

struct step {
	char *name; /* owned */
	struct tuf_keys keys;
	struct tuf_signatories signatories; /* both lent by the delegator */
};

/* The local copy, if it is the one that was announced and the delegator vouches for it. */
static struct tuf_meta *
local_delegated(const char *path, const struct tuf_file *said, const struct tuf_delegation *by)
{
	struct tuf_meta *m = NULL;
	struct error ignored = {0};
	struct buf text;

	buf_init(&text, TUF_TARGETS_MAX);
	if (file_read_if_exists(path, &text, &ignored) <= 0 ||
		tuf_client_check_announced(said, &text, &ignored) < 0 ||
		tuf_meta_parse(buf_str(&text), text.len, TUF_ROLE_TARGETS, &m, &ignored) < 0)
		goto out;
	if (tuf_meta_version(m) != said->version ||
		tuf_meta_verify_delegated(m, by, &ignored) < 0) {
		tuf_meta_free(m);
		m = NULL;
	}
out:
	buf_clear(&text);
	return m;
}

/* What a mirror has served as the file that was announced. */
static int
parse_delegated(const struct buf *text, const struct tuf_file *said,
	const struct tuf_delegation *by, struct tuf_meta **out, struct error *err)
{
	if (tuf_client_check_announced(said, text, err) < 0)
		return -1;
	if (tuf_meta_parse(buf_str(text), text->len, TUF_ROLE_TARGETS, out, err) < 0) {
		err->kind = ERROR_SECURITY;
		return -1;
	}
	if (tuf_meta_verify_delegated(*out, by, err) < 0)
		return -1;
	if (tuf_meta_version(*out) != said->version)
		return error_set(err, ERROR_SECURITY, "version %" PRId64 ", announced is %" PRId64,
			tuf_meta_version(*out), said->version);
	return 0;
}

static int
fetch_delegated(struct search *s, const char *url, const char *path, const struct tuf_file *said,
	const struct tuf_delegation *by, struct tuf_meta **out, struct error *err)
{
	struct tuf_meta *m = NULL;
	struct buf text;
	int rc;

	buf_init(&text, TUF_TARGETS_MAX);
	rc = fetch_get_buf(s->fetch, url, &text, err);
	if (rc == 0)
		rc = error_set(err, ERROR_TEMP, "%s: not there", url);
	if (rc < 0)
		goto out;
	rc = parse_delegated(&text, said, by, &m, err);
	if (rc == 0)
		rc = tuf_client_check_expiry(s->c, m, err);
	if (rc < 0)
		error_prefix(err, "%s", url);
	else
		rc = file_replace(path, text.data, text.len, META_MODE, err);
out:
	if (rc < 0) {
		tuf_meta_free(m);
		m = NULL;
	}
	*out = m;
	buf_clear(&text);
	return rc;
}

/* The file of a delegated role: from the folder, or from the mirror. Trust is the delegator's of
 * this search, whoever vouched for the file before. */
static int
load_delegated(
	struct search *s, const struct tuf_delegation *by, struct tuf_meta **out, struct error *err)
{
	const struct tuf_client *c = s->c;
	char *escaped = str_percent_encode(by->name, "");
	char *path = xasprintf("%s/%s.json", c->dir, escaped);
	char *listed = xasprintf("%s.json", by->name), *url = NULL;
	struct tuf_file said;
	int rc = 0;

	*out = NULL;
	if (tuf_meta_find(c->meta[TUF_ROLE_SNAPSHOT], listed, &said) == 0) {
		rc = error_set(
			err, ERROR_SECURITY, "snapshot.json: says nothing of %.100s", listed);
		goto out;
	}
	*out = local_delegated(path, &said, by);
	if (*out != NULL) {
		rc = tuf_client_check_expiry(c, *out, err);
		goto out;
	}
	url = tuf_root_consistent_snapshot(c->meta[TUF_ROLE_ROOT])
		? xasprintf("%s%" PRId64 ".%s.json", s->base, said.version, escaped)
		: xasprintf("%s%s.json", s->base, escaped);
	rc = fetch_delegated(s, url, path, &said, by, out, err);
out:
	if (rc < 0) {
		tuf_meta_free(*out);
		*out = NULL;
		error_prefix(err, "role %.100s", by->name);
	}
	free(url);
	free(listed);
	free(path);
	free(escaped);
	return rc;
}

static bool
was_asked(const struct search *s, const char *name)
{
	for (size_t i = 0; i < s->asked_count; i++) {
		if (strcmp(s->names[i], name) == 0)
			return true;
	}
	return false;
}

static void
drop_pending(struct search *s)
{
	while (s->pending_count > 0)
		free(s->pending[--s->pending_count].name);
}

/* Puts the roles that may know the target on top, the first of them uppermost. Behind a terminating
 * one nobody else is asked. */
static void
push_delegations(struct search *s, const struct tuf_meta *from)
{
	struct tuf_delegation d;
	size_t i = 0, first;

	first = s->pending_count;
	while (tuf_delegations_next(tuf_targets_delegations(from), s->target, &i, &d) > 0) {
		struct step step = {
			.name = xstrdup(d.name), .keys = *d.keys, .signatories = *d.signatories};

		if (d.terminating && first > 0) {
			/* All that was pending before goes as well. */
			for (size_t k = 0; k < first; k++)
				free(s->pending[k].name);
			memmove(s->pending, s->pending + first,
				(s->pending_count - first) * sizeof(*s->pending));
			s->pending_count -= first;
			first = 0;
		}
		s->pending = xreallocarray(s->pending, s->pending_count + 1, sizeof(*s->pending));
		s->pending[s->pending_count++] = step;
		if (d.terminating)
			break;
	}
	for (size_t k = first, e = s->pending_count; k + 1 < e; k++, e--) {
		struct step swap = s->pending[k];

		s->pending[k] = s->pending[e - 1];
		s->pending[e - 1] = swap;
	}
}

/* 1 found, 0 the next one is to be asked. */
static int
ask_role(struct search *s, struct step *step, struct tuf_file *out, struct error *err)
{
	struct tuf_delegation by = {
		.name = step->name, .keys = &step->keys, .signatories = &step->signatories};
	struct tuf_meta *m;

	if (s->asked_count == TUF_ROLES_ASKED_MAX)
		return error_set(err, ERROR_SECURITY, "%.100s: more than %d delegated roles",
			s->target, TUF_ROLES_ASKED_MAX);
	if (load_delegated(s, &by, &m, err) < 0)
		return -1;
	s->names[s->asked_count] = step->name;
	step->name = NULL;
	s->asked[s->asked_count++] = m;
	if (tuf_targets_find(m, s->target, out) > 0)
		return 1;
	push_delegations(s, m);
	return 0;
}

int
tuf_client_find(struct tuf_client *c, struct fetch *fetch, const char *base, const char *name,
	struct tuf_file *out, struct error *err)
{
	struct search s = {.c = c, .fetch = fetch, .base = base, .target = name};
	int rc = tuf_client_target(c, name, out);

	if (rc > 0 || !tuf_client_ready(c))
		return rc;
	push_delegations(&s, c->meta[TUF_ROLE_TARGETS]);
	while (rc == 0 && s.pending_count > 0) {
		struct step step = s.pending[--s.pending_count];

		/* Cycles, and a role with two delegators: the first that matched counts. */
		if (!was_asked(&s, step.name))
			rc = ask_role(&s, &step, out, err);
		free(step.name);
	}
	drop_pending(&s);
	free(s.pending);
	for (size_t i = 0; i < s.asked_count; i++) {
		tuf_meta_free(s.asked[i]);
		free(s.names[i]);
	}
	return rc;
}
