#include "verifier/gate.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

TAILQ_HEAD(pass_list, gate_pass);

struct gate {
	const char *key; /* first for compare(); in `text` but for look-ups */
	unsigned int active;
	unsigned int limit;
	unsigned int pins; /* not to be dropped: its line is being walked */
	struct pass_list line;
	char text[];
};

struct gates {
	struct gate_limits limits;
	pthread_mutex_t lock;    /* guards the rest, and the passes' links */
	void *trees[GATE_KINDS]; /* tsearch() trees of struct gate */
	uint64_t passed;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct gate *)a)->key, ((const struct gate *)b)->key);
}

void
gates_new(const struct gate_limits *limits, struct gates **out)
{
	struct gates *g = xcalloc(1, sizeof(*g));

	g->limits = *limits;
	(void)pthread_mutex_init(&g->lock, NULL);
	*out = g;
}

void
gates_free(struct gates *g)
{
	if (g == NULL)
		return;
	for (int i = 0; i < GATE_KINDS; i++)
		tdestroy(g->trees[i], free);
	(void)pthread_mutex_destroy(&g->lock);
	free(g);
}

static struct gate *
get(struct gates *g, int kind, const char *key)
{
	struct gate probe = {.key = key}, *gate;
	size_t size = strlen(key) + 1;
	void *node = tfind(&probe, &g->trees[kind], compare);

	if (node != NULL)
		return *(struct gate **)node;
	gate = xcalloc(1, sizeof(*gate) + size);
	memcpy(gate->text, key, size);
	gate->key = gate->text;
	gate->limit = g->limits.of[kind] == 0 ? 1 : g->limits.of[kind];
	TAILQ_INIT(&gate->line);
	if (tsearch(gate, &g->trees[kind], compare) == NULL)
		abort(); /* out of memory */
	return gate;
}

static void
drop(struct gates *g, int kind, struct gate *gate)
{
	if (gate->active > 0 || gate->pins > 0 || !TAILQ_EMPTY(&gate->line))
		return;
	(void)tdelete(gate, &g->trees[kind], compare);
	free(gate);
}

/* Through all gates, or into the line of the first that is full. */
static bool
try(struct gates *g, struct gate_pass *pass)
{
	struct gate *at[GATE_KINDS];

	for (int i = 0; i < GATE_KINDS; i++)
		at[i] = get(g, i, pass->key[i]);
	for (int i = 0; i < GATE_KINDS; i++) {
		if (at[i]->active < at[i]->limit)
			continue;
		TAILQ_INSERT_TAIL(&at[i]->line, pass, link);
		for (int k = 0; k < GATE_KINDS; k++)
			drop(g, k, at[k]);
		return false;
	}
	for (int i = 0; i < GATE_KINDS; i++) {
		at[i]->active++;
		pass->held[i] = at[i];
	}
	g->passed++;
	return true;
}

bool
gate_enter(struct gates *g, struct gate_pass *pass)
{
	bool through;

	(void)pthread_mutex_lock(&g->lock);
	through = try(g, pass);
	(void)pthread_mutex_unlock(&g->lock);
	return through;
}

void
gate_leave(struct gates *g, struct gate_pass *pass)
{
	struct gate *held[GATE_KINDS];
	struct gate_pass *next;

	(void)pthread_mutex_lock(&g->lock);
	memcpy(held, pass->held, sizeof(held));
	memset(pass->held, 0, sizeof(pass->held));
	for (int i = 0; i < GATE_KINDS; i++) {
		held[i]->active--;
		held[i]->pins++;
	}
	for (int i = 0; i < GATE_KINDS; i++) {
		/* Whoever is let go here may have to wait at another gate. */
		while (held[i]->active < held[i]->limit &&
			(next = TAILQ_FIRST(&held[i]->line)) != NULL) {
			TAILQ_REMOVE(&held[i]->line, next, link);
			if (try(g, next))
				mailbox_post(next->box, &next->mail);
		}
	}
	for (int i = 0; i < GATE_KINDS; i++) {
		held[i]->pins--;
		drop(g, i, held[i]);
	}
	(void)pthread_mutex_unlock(&g->lock);
}

uint64_t
gates_passed(struct gates *g)
{
	uint64_t passed;

	(void)pthread_mutex_lock(&g->lock);
	passed = g->passed;
	(void)pthread_mutex_unlock(&g->lock);
	return passed;
}
