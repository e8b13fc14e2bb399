#include "common/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

/* The first block is small, since thousands of arenas wait with little in them; each further one
 * has half the size of all before it on top, up to the largest. */
#define ARENA_BLOCK_FIRST ((size_t)1024)
#define ARENA_BLOCK_MAX   ((size_t)8192)

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t next_size;
};

struct arena *
arena_new(void)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->next_size = ARENA_BLOCK_FIRST;
	return a;
}

void
arena_free(struct arena *a)
{
	struct arena_block *b;

	if (a == NULL)
		return;
	while ((b = a->blocks) != NULL) {
		a->blocks = b->next;
		free(b);
	}
	free(a);
}

void *
arena_calloc(struct arena *a, size_t count, size_t size)
{
	struct arena_block *b = a->blocks;
	size_t want;
	void *p;

	if (__builtin_mul_overflow(count, size, &want) || want > SIZE_MAX / 2)
		abort();
	want = (want + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (b == NULL || b->size - b->used < want) {
		size_t block = want > a->next_size ? want : a->next_size;

		b = xcalloc(1, sizeof(*b) + block);
		b->size = block;
		b->next = a->blocks;
		a->blocks = b;
		if (a->next_size < ARENA_BLOCK_MAX)
			a->next_size += block / 2;
	}
	p = b->data + b->used;
	b->used += want;
	return p;
}

void *
arena_memdup(struct arena *a, const void *data, size_t len)
{
	void *copy = arena_calloc(a, len, 1);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	size_t n = strnlen(s, len);
	char *copy = arena_calloc(a, n + 1, 1);

	memcpy(copy, s, n);
	return copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s) + 1);
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	text = arena_calloc(a, (size_t)n + 1, 1);
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}
