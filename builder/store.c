#include "builder/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "builder/store_backend.h"
#include "common/error.h"
#include "common/str.h"

static const struct store_backend *const backends[] = {&store_sqlite};

int
store_open(const char *url, enum store_open_mode mode, struct store **out, struct error *err)
{
	*out = NULL;
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		if (str_starts(url, backends[i]->scheme))
			return backends[i]->open(url + strlen(backends[i]->scheme), mode, out, err);
	}
	return error_set(err, ERROR_CONFIG, "store: %s: only sqlite:FILE is supported", url);
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	store_abort(s);
	s->backend->close(s);
}

static int
begin(struct store *s, bool write, struct error *err)
{
	assert(!s->in_transaction);
	if (s->backend->begin(s, write, err) < 0)
		return -1;
	s->in_transaction = true;
	return 0;
}

int
store_begin(struct store *s, struct error *err)
{
	return begin(s, true, err);
}

int
store_begin_read(struct store *s, struct error *err)
{
	return begin(s, false, err);
}

int
store_commit(struct store *s, struct error *err)
{
	assert(s->in_transaction);
	if (s->backend->commit(s, err) < 0) {
		store_abort(s);
		return -1;
	}
	s->in_transaction = false;
	return 0;
}

void
store_abort(struct store *s)
{
	if (s->in_transaction)
		s->backend->abort(s);
	s->in_transaction = false;
}

bool
store_in_transaction(const struct store *s)
{
	return s->in_transaction;
}

void
store_domain_clear(struct store_domain *d)
{
	free(d->policy);
	*d = (struct store_domain){0};
}

int
store_find(struct store *s, const char *name, struct store_domain *d, struct error *err)
{
	store_domain_clear(d);
	return s->backend->find(s, name, 0, d, err);
}

int
store_find_id(struct store *s, int64_t id, struct store_domain *d, struct error *err)
{
	store_domain_clear(d);
	return s->backend->find(s, NULL, id, d, err);
}

int
store_entries_next(struct store_entries *e, struct store_entry *out, struct error *err)
{
	return e->store->backend->entries_next(e, out, err);
}

void
store_entries_close(struct store_entries *e)
{
	if (e != NULL)
		e->store->backend->entries_close(e);
}

int
store_shares_next(struct store_shares *e, struct store_shared *out, struct error *err)
{
	return e->store->backend->shares_next(e, out, err);
}

void
store_shares_close(struct store_shares *e)
{
	if (e != NULL)
		e->store->backend->shares_close(e);
}

int
store_lock(struct store *s, const char *name, struct error *err)
{
	return s->backend->lock(s, name, err);
}

int
store_verify(struct store *s, struct error *err)
{
	return s->backend->verify(s, err);
}

int
store_vantage(struct store *s, const char *name, int64_t now_s, int64_t *out, struct error *err)
{
	return s->backend->vantage(s, name, now_s, out, err);
}

int
store_find_vantage(struct store *s, const char *name, int64_t *out, struct error *err)
{
	return s->backend->find_vantage(s, name, out, err);
}

int
store_add(struct store *s, const char *name, const char *origin, int64_t now_s, struct error *err)
{
	return s->backend->add(s, name, origin, now_s, err);
}

int
store_put_life(struct store *s, const struct store_domain *d, const struct life_result *result,
	int64_t now_s, const char *actor, int64_t evidence, struct error *err)
{
	return s->backend->put_life(s, d, result, now_s, actor, evidence, err);
}

int
store_due(struct store *s, int64_t vantage, int64_t now_s, const struct store_due *after,
	struct store_due *out, size_t max, size_t *count, struct error *err)
{
	return s->backend->due(s, vantage, now_s, after, out, max, count, err);
}

int
store_count_due(struct store *s, int64_t vantage, int64_t now_s, int64_t *out, struct error *err)
{
	return s->backend->count_due(s, vantage, now_s, out, err);
}

int
store_next_due(struct store *s, int64_t vantage, int64_t *out, struct error *err)
{
	return s->backend->next_due(s, vantage, out, err);
}

int
store_evidence(struct store *s, const void *content, size_t len, int64_t now_s, int64_t *out,
	struct error *err)
{
	return s->backend->evidence(s, content, len, now_s, out, err);
}

int
store_get_evidence(struct store *s, int64_t evidence, struct buf *out, struct error *err)
{
	return s->backend->get_evidence(s, evidence, out, err);
}

int
store_put_view(struct store *s, int64_t domain, int64_t vantage, const struct life_view *view,
	int64_t evidence, int64_t next_look_s, struct error *err)
{
	return s->backend->put_view(s, domain, vantage, view, evidence, next_look_s, err);
}

int
store_views(struct store *s, int64_t domain, struct arena *arena, struct store_view *out,
	size_t max, size_t *count, struct error *err)
{
	return s->backend->views(s, domain, arena, out, max, count, err);
}

int
store_put_marks(struct store *s, int64_t domain, int64_t vantage, const struct compare_mark *marks,
	size_t count, struct error *err)
{
	return s->backend->put_marks(s, domain, vantage, marks, count, err);
}

int
store_marks(struct store *s, int64_t domain, struct arena *arena, struct compare_mark **out,
	size_t *count, struct error *err)
{
	return s->backend->marks(s, domain, arena, out, count, err);
}

int
store_history(
	struct store *s, const char *domain, store_transition_cb *cb, void *arg, struct error *err)
{
	return s->backend->history(s, domain, cb, arg, err);
}

int
store_entries_open(struct store *s, int64_t now_s, struct store_entries **out, struct error *err)
{
	return s->backend->entries_open(s, now_s, out, err);
}

int
store_shares_open(struct store *s, int64_t now_s, int64_t fresh_s, struct store_shares **out,
	struct error *err)
{
	return s->backend->shares_open(s, now_s, fresh_s, out, err);
}

int
store_entry_totals(struct store *s, int64_t now_s, int64_t fresh_s, struct store_entry_totals *out,
	struct error *err)
{
	return s->backend->entry_totals(s, now_s, fresh_s, out, err);
}

int
store_put_list(struct store *s, const struct store_list *list, struct error *err)
{
	return s->backend->put_list(s, list, err);
}

int
store_set_published(struct store *s, int64_t version, int64_t published_s, const char *commit,
	struct error *err)
{
	return s->backend->set_published(s, version, published_s, commit, err);
}

int
store_last_list(struct store *s, struct store_list *out, struct error *err)
{
	return s->backend->last_list(s, out, err);
}

int
store_counts(struct store *s, struct store_counts *out, struct error *err)
{
	return s->backend->counts(s, out, err);
}

int
store_reasons(struct store *s, store_reason_cb *cb, void *arg, struct error *err)
{
	return s->backend->reasons(s, cb, arg, err);
}

int
store_tally(
	struct store *s, enum store_tally tally, store_tally_cb *cb, void *arg, struct error *err)
{
	return s->backend->tally(s, tally, cb, arg, err);
}
