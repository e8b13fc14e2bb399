/*
 * share: results under a name, learnt once by whoever asks first, for all threads that ask.
 *
 *	ref = share_get(table, name, box, make, make_arg, on_done, arg, &is_new);
 *	    is_new: this caller owns the work, starts it on its own loop, and ends it with
 *	share_done(entry, keep_s);  from here on the entry is immutable
 *	    on_done(arg)            once for each reference, through the box of the one who asked
 *	share_release(ref);         at any time, also before the callback (which then does not come)
 *
 * A finished entry serves whoever asks within share_s seconds; when there are more than `max`,
 *those are forgotten first that nobody has asked for in the longest time. Any thread may call; the
 *lock is private, and only make() is called under it.
 */
#ifndef VERIFIER_SHARE_H
#define VERIFIER_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attr.h"

struct mailbox;
struct share_ref;
struct share_table;

/* Embedded, as the first member, in what is shared. make() sets `name`, all else zero. */
struct share_entry {
	const char *name; /* borrowed from the one it is embedded in */
	/* The rest is the table's. */
	struct share_table *table;
	atomic_bool done;
	bool in_tree;
	unsigned int refs;
	int64_t done_s, keep_s;
	TAILQ_HEAD(, share_ref) waiters;
	TAILQ_ENTRY(share_entry) idle_link;
};

struct share_options {
	int64_t share_s;
	size_t max; /* finished entries that are remembered */
	/* For each entry in the end: from any thread once it is done, else from share_table_free().
	 */
	void (*free_entry)(struct share_entry *entry);
};

typedef void share_cb(void *arg);
/* Makes an entry for the name (borrowed), without starting anything: the lock is held. */
typedef struct share_entry *share_make(const char *name, void *arg);

void share_table_new(const struct share_options *options, struct share_table **out);
/* Every reference must have been released and no other thread may use the table; entries whose work
 * is under way are freed as they are. NULL is allowed. */
void share_table_free(struct share_table *t);

/* box: of the calling thread, borrowed until the release. */
struct share_ref *share_get(struct share_table *t, const char *name, struct mailbox *box,
	share_make *make, void *make_arg, share_cb *cb, void *arg, bool *is_new) RETURNS_NONNULL;
/* By the thread that asked: the callback does not come any more, the reference stays. */
void share_mute(struct share_ref *ref);
/* By the thread that asked; once the callback has come or was muted, by any. NULL is allowed. */
void share_release(struct share_ref *ref);

/* By the owner of the work, once. The entry serves others for at most keep_s. It may be gone when
 * this returns. */
#define SHARE_AS_USUAL INT64_MAX
/* What could not be told: whoever looks again finds out anew, and nobody sooner (R4.16, R9.14). */
#define SHARE_UNKNOWN_S 300
void share_done(struct share_entry *entry, int64_t keep_s);

/* Lent until the release. Until share_is_done() only its owner looks inside, but for what it keeps
 * there as atomics. */
struct share_entry *share_entry_of(const struct share_ref *ref);
bool share_is_done(const struct share_ref *ref);

/* How often share_get() found what it was asked for. */
uint64_t share_hits(struct share_table *t);

#endif
