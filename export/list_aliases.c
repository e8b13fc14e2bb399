#include "export/list_aliases.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"

#define ID_DIGITS_MIN 8
/* One bucket per value of a digest's first two octets. */
#define BUCKETS 65536

struct list_aliases {
	struct arena *texts;
	struct list_alias *items;
	size_t count, size;
	size_t text_octets;
	uint32_t *bucket; /* first item of each bucket, BUCKETS + 1 of them */
	uint32_t *slots;  /* open addressing by hash: index + 1, 0 is free */
	size_t slot_mask;
};

struct list_aliases *
list_aliases_new(void)
{
	struct list_aliases *t = xcalloc(1, sizeof(*t));

	t->texts = arena_new();
	return t;
}

void
list_aliases_free(struct list_aliases *t)
{
	if (t == NULL)
		return;
	arena_free(t->texts);
	free(t->items);
	free(t->bucket);
	free(t->slots);
	free(t);
}

/* Multiply and fold, eight octets at a time: texts are looked up once per entry, and a byte-wise
 * hash was a quarter of the time of writing a list. */
uint64_t
list_text_hash(const char *text, size_t len)
{
	uint64_t h = len * UINT64_C(0x9e3779b97f4a7c15), piece;

	for (; len >= sizeof(piece); text += sizeof(piece), len -= sizeof(piece)) {
		memcpy(&piece, text, sizeof(piece));
		h = (h ^ piece) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	piece = 0;
	if (len > 0)
		memcpy(&piece, text, len);
	h = (h ^ piece) * UINT64_C(0xff51afd7ed558ccd);
	return h ^ (h >> 29);
}

struct list_alias *
list_aliases_add(struct list_aliases *t, const char *text, size_t len)
{
	struct list_alias *a;

	if (t->count == LIST_ALIASES_MAX || len > LIST_ALIASES_TEXT_MAX - t->text_octets)
		return NULL;
	if (t->count == t->size) {
		t->size = t->size > 0 ? t->size * 2 : 64;
		t->items = xreallocarray(t->items, t->size, sizeof(*t->items));
	}
	a = &t->items[t->count++];
	memset(a, 0, sizeof(*a));
	a->text = arena_strndup(t->texts, text, len);
	a->len = len;
	a->hash = list_text_hash(text, len);
	if (EVP_Digest(text, len, a->sha256, NULL, EVP_sha256(), NULL) != 1)
		abort();
	t->text_octets += len;
	return a;
}

static int
compare_digests(const void *a, const void *b)
{
	const struct list_alias *x = a, *y = b;

	return memcmp(x->sha256, y->sha256, sizeof(x->sha256));
}

/* Hex digits that two digests have in common at their beginning. */
static size_t
common_digits(const uint8_t a[32], const uint8_t b[32])
{
	size_t i = 0;

	while (i < 32 && a[i] == b[i])
		i++;
	return i == 32 ? 64 : 2 * i + ((a[i] ^ b[i]) < 16 ? 1 : 0);
}

static size_t
bucket_of(const uint8_t sha256[static 2])
{
	return (size_t)sha256[0] << 8 | sha256[1];
}

static void
name_all(struct list_aliases *t)
{
	size_t before = 0; /* digits in common with the one before */

	for (size_t i = 0; i < t->count; i++) {
		struct list_alias *a = &t->items[i];
		size_t after = i + 1 < t->count ? common_digits(a->sha256, a[1].sha256) : 0;
		size_t digits = (before > after ? before : after) + 1;
		char hex[65];

		if (digits < ID_DIGITS_MIN)
			digits = ID_DIGITS_MIN;
		str_hex(a->sha256, sizeof(a->sha256), hex);
		memcpy(a->id, "p-", 2);
		memcpy(a->id + 2, hex, digits);
		a->id[2 + digits] = '\0';
		before = after;
	}
}

static void
index_all(struct list_aliases *t)
{
	size_t slots = 64, i = 0;

	t->bucket = xcalloc(BUCKETS + 1, sizeof(*t->bucket));
	for (size_t b = 0; b < BUCKETS; b++) {
		t->bucket[b] = (uint32_t)i;
		while (i < t->count && bucket_of(t->items[i].sha256) == b)
			i++;
	}
	t->bucket[BUCKETS] = (uint32_t)i;
	while (slots < t->count * 2)
		slots *= 2;
	t->slots = xcalloc(slots, sizeof(*t->slots));
	t->slot_mask = slots - 1;
	for (i = 0; i < t->count; i++) {
		size_t slot = t->items[i].hash & t->slot_mask;

		while (t->slots[slot] != 0)
			slot = (slot + 1) & t->slot_mask;
		t->slots[slot] = (uint32_t)i + 1;
	}
}

int
list_aliases_seal(struct list_aliases *t, struct error *err)
{
	if (t->count > 0)
		qsort(t->items, t->count, sizeof(*t->items), compare_digests);
	for (size_t i = 1; i < t->count; i++)
		if (compare_digests(&t->items[i - 1], &t->items[i]) == 0)
			return error_set(err, ERROR_INPUT, "a policy has two aliases");
	name_all(t);
	index_all(t);
	return 0;
}

size_t
list_aliases_count(const struct list_aliases *t)
{
	return t->count;
}

struct list_alias *
list_aliases_nth(struct list_aliases *t, size_t i)
{
	return &t->items[i];
}

struct list_alias *
list_aliases_find_id(struct list_aliases *t, const char *id, size_t len)
{
	uint8_t start[2];
	uint32_t low, high;

	if (len < 2 + ID_DIGITS_MIN || len >= LIST_ALIAS_ID_SIZE || id[0] != 'p' || id[1] != '-' ||
		str_unhex(id + 2, 4, start, sizeof(start)) < 0 || memchr(id, '\0', len) != NULL)
		return NULL;
	low = t->bucket[bucket_of(start)];
	high = t->bucket[bucket_of(start) + 1];
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct list_alias *a = &t->items[middle];
		int order = strncmp(id, a->id, len);

		if (order == 0 && a->id[len] == '\0')
			return a;
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct list_alias *
list_aliases_find_hash(const struct list_aliases *t, uint64_t hash, size_t len,
	list_alias_matches *matches, const void *arg)
{
	for (size_t slot = hash & t->slot_mask; t->slots[slot] != 0;
		slot = (slot + 1) & t->slot_mask) {
		struct list_alias *a = &t->items[t->slots[slot] - 1];

		if (a->hash == hash && a->len == len && matches(a, arg))
			return a;
	}
	return NULL;
}
