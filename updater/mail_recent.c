#include "updater/mail_recent.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

/* Places that a key may have: the one that was used last is found first, and the others are few. */
#define WAYS 8
#define SETS 256

struct place {
	uint64_t hash; /* 0: empty */
	uint64_t used;
};

struct mail_recent {
	uint64_t clock;
	size_t value_size;
	unsigned char *values[SETS]; /* owned; NULL as long as the set is empty */
	struct place places[SETS * WAYS];
};

struct mail_recent *
mail_recent_new(size_t value_size)
{
	struct mail_recent *r = xcalloc(1, sizeof(*r));

	r->value_size = value_size;
	return r;
}

void
mail_recent_free(struct mail_recent *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < SETS; i++)
		free(r->values[i]);
	free(r);
}

static void *
value_of(struct mail_recent *r, const struct place *p)
{
	size_t i = (size_t)(p - r->places);

	if (r->values[i / WAYS] == NULL)
		r->values[i / WAYS] = xcalloc(WAYS, r->value_size);
	return r->values[i / WAYS] + i % WAYS * r->value_size;
}

/* The key's place, or else the one of its places that was not used for longest. */
static struct place *
place_of(struct mail_recent *r, uint64_t hash)
{
	/* The last octets of a key move the lowest and the highest bits of this hash, and not all between. */
	struct place *set = &r->places[(hash ^ hash >> 48) % SETS * WAYS], *oldest = set;

	for (struct place *p = set; p < set + WAYS; p++) {
		if (p->hash == hash)
			return p;
		if (p->used < oldest->used)
			oldest = p;
	}
	return oldest;
}

void *
mail_recent_find(struct mail_recent *r, struct span key)
{
	uint64_t hash = span_hash(key);
	struct place *p = place_of(r, hash);

	if (p->hash != hash)
		return NULL;
	p->used = ++r->clock;
	return value_of(r, p);
}

void *
mail_recent_get(struct mail_recent *r, struct span key)
{
	uint64_t hash = span_hash(key);
	struct place *p = place_of(r, hash);

	if (p->hash != hash)
		memset(value_of(r, p), 0, r->value_size);
	p->hash = hash;
	p->used = ++r->clock;
	return value_of(r, p);
}
