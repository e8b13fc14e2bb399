/*
 * store: what the authority remembers; the only door to the database.
 *
 *	struct store *s = NULL;
 *	if (store_open("sqlite:/var/lib/preload25/preload25.db", STORE_MUST_EXIST, &s, err) < 0) ...
 *	if (store_begin(s, err) < 0) ...
 *	... several calls ...
 *	rc = store_commit(s, err);       or store_abort(s)
 *	store_close(s);
 *
 * A call outside a transaction is one of its own. Reads see a consistent state within a
 * transaction (begin one around an iteration that must agree with other reads). One struct store
 * belongs to one thread; several processes may have the same database open. Busy, full disk and I/O
 * errors are ERROR_TEMP; a file that is no database of ours, or of a newer version, is
 * ERROR_CONFIG.
 */
#ifndef BUILDER_STORE_H
#define BUILDER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/compare.h"
#include "builder/life.h"
#include "common/attr.h"

struct error;
struct store;

enum store_open_mode {
	STORE_MUST_EXIST, /* a missing database is ERROR_CONFIG */
	STORE_CREATE,     /* made when missing; an existing one is opened */
	/* As STORE_MUST_EXIST where the user may write; else only what reads works, and an older
	 * schema is ERROR_CONFIG. */
	STORE_READ,
};

/* url: "sqlite:FILE". Older schemas are brought up to date in one transaction. */
int store_open(const char *url, enum store_open_mode mode, struct store **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed; an open transaction is undone. */
void store_close(struct store *s);

/* For writing: waits until no other process writes. */
int store_begin(struct store *s, struct error *err) MUST_CHECK;
/* For reading only: what is read until store_abort() or store_commit() is of one moment, and nobody
 * waits. */
int store_begin_read(struct store *s, struct error *err) MUST_CHECK;
int store_commit(struct store *s, struct error *err) MUST_CHECK;
/* Undoes everything since store_begin(); harmless when there is no transaction. */
void store_abort(struct store *s);
bool store_in_transaction(const struct store *s);

/* Takes a named lock until store_close(), for those that must be alone ("crawl-local", "publish"):
 * ERROR_TEMP when another process has it. A killed process gives it back. */
int store_lock(struct store *s, const char *name, struct error *err) MUST_CHECK;

/* Runs the database's own integrity checks: ERROR_SECURITY names the first fault. */
int store_verify(struct store *s, struct error *err) MUST_CHECK;

/* --- vantage points ------------------------------------------------------------------------- */

/* The number of a vantage point by name; a new one is made, and every domain is due for it. */
int store_vantage(struct store *s, const char *name, int64_t now_s, int64_t *out,
	struct error *err) MUST_CHECK;

/* The same without making one: 1 found, 0 it has never looked. */
int store_find_vantage(
	struct store *s, const char *name, int64_t *out, struct error *err) MUST_CHECK;

/* --- domains -------------------------------------------------------------------------------- */

struct store_domain {
	int64_t id;
	char name[256]; /* A-labels */
	int64_t added_s;
	char origin[32];  /* "import", "submit" */
	struct life life; /* life.policy is lent until the next call that fills this struct */
	char *policy;     /* owned: store_domain_clear() */
};
void store_domain_clear(struct store_domain *d);

/* Adds a candidate, due at once (at any time) for every vantage point: 1 added, 0 known already. */
int store_add(struct store *s, const char *name, const char *origin, int64_t now_s,
	struct error *err) MUST_CHECK;
/* 1 found, 0 there is none, -1 error. What d holds is freed first: zero it before its first use. */
int store_find(
	struct store *s, const char *name, struct store_domain *d, struct error *err) MUST_CHECK;
int store_find_id(
	struct store *s, int64_t id, struct store_domain *d, struct error *err) MUST_CHECK;

/* Writes life and, for listed and failing domains, the entry; adds the events as transitions.
 * evidence: number from store_evidence(), or 0. actor: a vantage point's name, or "operator". */
int store_put_life(struct store *s, const struct store_domain *d, const struct life_result *result,
	int64_t now_s, const char *actor, int64_t evidence, struct error *err) MUST_CHECK;

/* --- looks ---------------------------------------------------------------------------------- */

struct store_due {
	int64_t id;
	int64_t due_s;
	char name[256];
};
/* Up to max domains that are due at now_s for the vantage point, the longest waiting first, those
 * behind `after` (its due_s and id; NULL: from the start). *count is 0 when there are no more. */
int store_due(struct store *s, int64_t vantage, int64_t now_s, const struct store_due *after,
	struct store_due *out, size_t max, size_t *count, struct error *err) MUST_CHECK;
int store_count_due(struct store *s, int64_t vantage, int64_t now_s, int64_t *out,
	struct error *err) MUST_CHECK;
/* The earliest due time: 1 found, 0 there is nothing to do at all. */
int store_next_due(struct store *s, int64_t vantage, int64_t *out, struct error *err) MUST_CHECK;

/* Keeps content once per distinct content; its number. */
int store_evidence(struct store *s, const void *content, size_t len, int64_t now_s, int64_t *out,
	struct error *err) MUST_CHECK;
/* Appends the content to out: 1 found, 0 there is none. */
struct buf;
int store_get_evidence(
	struct store *s, int64_t evidence, struct buf *out, struct error *err) MUST_CHECK;

/* A vantage point's latest view of a domain (replacing its last one), and when it looks again. */
int store_put_view(struct store *s, int64_t domain, int64_t vantage, const struct life_view *view,
	int64_t evidence, int64_t next_look_s, struct error *err) MUST_CHECK;

struct store_view {
	struct life_view view; /* strings in the arena */
	int64_t evidence;
	int64_t due_s;
};
/* The latest view of every vantage point that has looked; at most max. */
struct arena;
int store_views(struct store *s, int64_t domain, struct arena *arena, struct store_view *out,
	size_t max, size_t *count, struct error *err) MUST_CHECK;
#define STORE_VANTAGES_MAX 64

/* What a vantage point remembers of its looks at a domain (compare.h), replacing what it did. */
int store_put_marks(struct store *s, int64_t domain, int64_t vantage,
	const struct compare_mark *marks, size_t count, struct error *err) MUST_CHECK;
/* Those of all vantage points; in the arena. */
int store_marks(struct store *s, int64_t domain, struct arena *arena, struct compare_mark **out,
	size_t *count, struct error *err) MUST_CHECK;

/* --- history -------------------------------------------------------------------------------- */

struct store_transition {
	int64_t number; /* ascending in time over all domains */
	int64_t time_s;
	enum life_state from, to;
	/* Lent until the callback returns; detail and agreed (names of vantage points) may be NULL.
	 */
	const char *domain, *reason, *detail, *actor, *agreed;
	int64_t evidence;
};
/* Called for each in order of time; a return other than 0 ends the iteration and is returned. */
typedef int store_transition_cb(const struct store_transition *t, void *arg, struct error *err);
int store_history(struct store *s, const char *domain, store_transition_cb *cb, void *arg,
	struct error *err) MUST_CHECK;

/* --- the list ------------------------------------------------------------------------------- */

/*
 * Entries in force at now_s (confirmed + max_age lies behind it). An entry confirmed before fresh_s
 * is in trouble: it carries its own time. With the same store, now_s and fresh_s the same answers.
 */
struct store_entry {
	const char *domain; /* lent until the next call */
	int64_t confirmed_s;
	const char *policy; /* canonical text, lent */
	size_t policy_len;
};
struct store_entries;
/* In ascending order of domain (octets). Nothing else may be written through s before close. */
int store_entries_open(
	struct store *s, int64_t now_s, struct store_entries **out, struct error *err) MUST_CHECK;
/* 1 an entry, 0 the end, -1 error. */
int store_entries_next(
	struct store_entries *e, struct store_entry *out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void store_entries_close(struct store_entries *e);

/* Policies that two or more entries in force and not in trouble share, the most shared first, then
 * by digest. */
struct store_shared {
	const char *policy; /* lent until the next call */
	size_t policy_len;
	int64_t uses;
};
struct store_shares;
int store_shares_open(struct store *s, int64_t now_s, int64_t fresh_s, struct store_shares **out,
	struct error *err) MUST_CHECK;
int store_shares_next(
	struct store_shares *e, struct store_shared *out, struct error *err) MUST_CHECK;
void store_shares_close(struct store_shares *e);

struct store_entry_totals {
	int64_t entries;           /* in force */
	int64_t troubled;          /* of these confirmed before fresh_s */
	int64_t confirmed_since_s; /* the oldest confirmation that is not; now_s without any */
};
int store_entry_totals(struct store *s, int64_t now_s, int64_t fresh_s,
	struct store_entry_totals *out, struct error *err) MUST_CHECK;

/* Lists that were built, and published. */
struct store_list {
	int64_t version;
	int64_t built_s;
	int64_t published_s; /* 0: not yet */
	int64_t entries, added, removed, changed;
	char sha256[65]; /* of the document */
	char commit[65]; /* empty until published */
};
/* The version must be new (ERROR_INPUT). */
int store_put_list(struct store *s, const struct store_list *list, struct error *err) MUST_CHECK;
int store_set_published(struct store *s, int64_t version, int64_t published_s, const char *commit,
	struct error *err) MUST_CHECK;
/* The latest; 1 found, 0 there is none. */
int store_last_list(struct store *s, struct store_list *out, struct error *err) MUST_CHECK;

/* --- counts --------------------------------------------------------------------------------- */

struct store_counts {
	int64_t domains;
	int64_t states[LIFE_STATE_MAX + 1]; /* by enum life_state */
	int64_t held;
	int64_t transitions, evidence, policies;
};
int store_counts(struct store *s, struct store_counts *out, struct error *err) MUST_CHECK;

/* What the latest looks of all vantage points have seen, from their evidence. Memory does not grow
 * with the store. */
enum store_tally {
	STORE_TALLY_DOMAINS,   /* name: lowest TLS version of all hosts, "1.3"; NULL: no TLS seen */
	STORE_TALLY_ADDRESSES, /* of MX hosts; name: TLS version; other: ask for a client
				  certificate */
	STORE_TALLY_REQUIRED,  /* one row: addresses that insist on one; other: domains with such */
	STORE_TALLY_FINDINGS,  /* name: code; detail: severity; other: domains */
};
struct store_tally_row {
	const char *name, *detail; /* lent until the callback returns; may be NULL */
	int64_t count, other;
};
typedef int store_tally_cb(const struct store_tally_row *row, void *arg, struct error *err);
int store_tally(struct store *s, enum store_tally tally, store_tally_cb *cb, void *arg,
	struct error *err) MUST_CHECK;

/* Reasons of what is not on the list (fail codes of the latest views), the most frequent first. */
typedef int store_reason_cb(const char *code, int64_t count, void *arg, struct error *err);
int store_reasons(struct store *s, store_reason_cb *cb, void *arg, struct error *err) MUST_CHECK;

#endif
