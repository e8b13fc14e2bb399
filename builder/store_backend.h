/*
 * store_backend: what a database has to do to be the store. Included by store.c and the back ends
 * alone; store.h says what each function promises.
 */
#ifndef BUILDER_STORE_BACKEND_H
#define BUILDER_STORE_BACKEND_H

#include "builder/store.h"

struct buf;

struct store_backend {
	const char *scheme; /* of the URL, with its colon */
	/* rest: the URL behind the scheme. On success (*out)->backend is set. */
	int (*open)(
		const char *rest, enum store_open_mode mode, struct store **out, struct error *err);
	void (*close)(struct store *s);
	int (*begin)(struct store *s, bool write, struct error *err);
	int (*commit)(struct store *s, struct error *err);
	void (*abort)(struct store *s);
	int (*lock)(struct store *s, const char *name, struct error *err);
	int (*verify)(struct store *s, struct error *err);
	int (*vantage)(
		struct store *s, const char *name, int64_t now_s, int64_t *out, struct error *err);
	int (*find_vantage)(struct store *s, const char *name, int64_t *out, struct error *err);
	int (*add)(struct store *s, const char *name, const char *origin, int64_t now_s,
		struct error *err);
	/* By name, or by id when name is NULL. */
	int (*find)(struct store *s, const char *name, int64_t id, struct store_domain *d,
		struct error *err);
	int (*put_life)(struct store *s, const struct store_domain *d,
		const struct life_result *result, int64_t now_s, const char *actor,
		int64_t evidence, struct error *err);
	int (*due)(struct store *s, int64_t vantage, int64_t now_s, const struct store_due *after,
		struct store_due *out, size_t max, size_t *count, struct error *err);
	int (*count_due)(
		struct store *s, int64_t vantage, int64_t now_s, int64_t *out, struct error *err);
	int (*next_due)(struct store *s, int64_t vantage, int64_t *out, struct error *err);
	int (*evidence)(struct store *s, const void *content, size_t len, int64_t now_s,
		int64_t *out, struct error *err);
	int (*get_evidence)(struct store *s, int64_t evidence, struct buf *out, struct error *err);
	int (*put_view)(struct store *s, int64_t domain, int64_t vantage,
		const struct life_view *view, int64_t evidence, int64_t next_look_s,
		struct error *err);
	int (*views)(struct store *s, int64_t domain, struct arena *arena, struct store_view *out,
		size_t max, size_t *count, struct error *err);
	int (*put_marks)(struct store *s, int64_t domain, int64_t vantage,
		const struct compare_mark *marks, size_t count, struct error *err);
	int (*marks)(struct store *s, int64_t domain, struct arena *arena,
		struct compare_mark **out, size_t *count, struct error *err);
	int (*history)(struct store *s, const char *domain, store_transition_cb *cb, void *arg,
		struct error *err);
	int (*entries_open)(
		struct store *s, int64_t now_s, struct store_entries **out, struct error *err);
	int (*entries_next)(struct store_entries *e, struct store_entry *out, struct error *err);
	void (*entries_close)(struct store_entries *e);
	int (*shares_open)(struct store *s, int64_t now_s, int64_t fresh_s,
		struct store_shares **out, struct error *err);
	int (*shares_next)(struct store_shares *e, struct store_shared *out, struct error *err);
	void (*shares_close)(struct store_shares *e);
	int (*entry_totals)(struct store *s, int64_t now_s, int64_t fresh_s,
		struct store_entry_totals *out, struct error *err);
	int (*put_list)(struct store *s, const struct store_list *list, struct error *err);
	int (*set_published)(struct store *s, int64_t version, int64_t published_s,
		const char *commit, struct error *err);
	int (*last_list)(struct store *s, struct store_list *out, struct error *err);
	int (*counts)(struct store *s, struct store_counts *out, struct error *err);
	int (*tally)(struct store *s, enum store_tally tally, store_tally_cb *cb, void *arg,
		struct error *err);
	int (*reasons)(struct store *s, store_reason_cb *cb, void *arg, struct error *err);
};

/* Every back end's struct begins with it. */
struct store {
	const struct store_backend *backend;
	bool in_transaction;
};
/* And so do the iterations. */
struct store_entries {
	struct store *store;
};
struct store_shares {
	struct store *store;
};

extern const struct store_backend store_sqlite;

#endif
