#include "updater/list_set.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/generations.h"
#include "updater/settings.h"
#include "updater/state.h"

/* Octets of what a digest is made of: each source may name many domains. */
#define SUM_MAX ((size_t)4 * 1024 * 1024)

void
list_set_begin(const struct update_settings *s, struct list_set *out)
{
	memset(out, 0, sizeof(*out));
	out->alone = s->source_count == 1 && s->sources[0].trust == TRUST_ENFORCE &&
		s->sources[0].domain_count == 0;
}

void
list_set_add(struct list_set *set, const struct source_settings *source, int64_t version,
	const char *sha256)
{
	struct list_set_item *item = &set->items[set->count];

	if (sha256 != NULL && sha256[0] == '\0')
		return;
	item->source = source;
	item->version = version;
	(void)snprintf(item->sha256, sizeof(item->sha256), "%s", sha256 != NULL ? sha256 : "");
	set->count++;
}

void
list_set_present(const struct update_settings *s, const struct state *state, struct list_set *out)
{
	list_set_begin(s, out);
	for (size_t i = 0; i < s->source_count && i < state->source_count; i++)
		list_set_add(out, &s->sources[i], state->sources[i].list.version,
			state->sources[i].list.sha256);
}

void
list_set_of_generation(
	const struct update_settings *s, const struct state_generation *g, struct list_set *out)
{
	list_set_begin(s, out);
	for (size_t i = 0; i < s->source_count; i++) {
		const struct state_member *m = generations_member(g, s->sources[i].name);

		if (m != NULL)
			list_set_add(out, &s->sources[i], m->list.version, m->list.sha256);
	}
}

void
list_set_digest(const struct list_set *set, char out[static 65])
{
	struct tuf_file sum;
	struct buf text;

	out[0] = '\0';
	if (set->count == 0)
		return;
	if (set->alone) {
		(void)snprintf(out, 65, "%s", set->items[0].sha256);
		return;
	}
	buf_init(&text, SUM_MAX);
	for (size_t i = 0; i < set->count; i++) {
		const struct source_settings *s = set->items[i].source;

		buf_addf(&text, "%s %s %s", s->name, set->items[i].sha256, trust_name(s->trust));
		for (size_t k = 0; k < s->domain_count; k++)
			buf_addf(&text, " %s", s->domains[k]);
		buf_add_char(&text, '\n');
	}
	if (buf_failed(&text))
		abort();
	tuf_file_of(text.data, text.len, &sum);
	(void)snprintf(out, 65, "%s", sum.sha256);
	buf_clear(&text);
}

void
list_set_serial(const struct list_set *set, char out[static LIST_SET_SERIAL_SIZE])
{
	const int64_t version = set->count > 0 ? set->items[0].version : 0;
	char digest[65];

	list_set_digest(set, digest);
	if (set->alone)
		(void)snprintf(out, LIST_SET_SERIAL_SIZE, "%" PRId64, version);
	else
		(void)snprintf(out, LIST_SET_SERIAL_SIZE, "%" PRId64 "-%.16s", version, digest);
}

void
list_set_format(const struct list_set *set, struct buf *out)
{
	if (set->count == 1 && strcmp(set->items[0].source->name, SOURCE_MAIN) == 0) {
		buf_addf(out, "list %" PRId64, set->items[0].version);
		return;
	}
	buf_add_str(out, set->count == 1 ? "list" : set->count == 0 ? "no list" : "lists");
	for (size_t i = 0; i < set->count; i++)
		buf_addf(out, "%s %" PRId64 " (%s)", i > 0 ? "," : "", set->items[i].version,
			set->items[i].source->name);
}

int
list_set_open(const struct list_set *set, const char *dir, int fds[static SOURCES_MAX], struct error *err)
{
	for (size_t i = 0; i < set->count; i++) {
		char *path = source_list_path(dir, set->items[i].sha256);

		fds[i] = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fds[i] < 0) {
			error_set_errno(err, ERROR_CONFIG, "%s", path);
			free(path);
			while (i-- > 0)
				(void)close(fds[i]);
			return -1;
		}
		free(path);
	}
	return 0;
}

int
list_set_read(const struct list_set *set, const char *dir, const int fds[static SOURCES_MAX],
	struct overlay_list lists[static SOURCES_MAX], struct error *err)
{
	memset(lists, 0, SOURCES_MAX * sizeof(*lists));
	for (size_t i = 0; i < set->count; i++) {
		const struct source_settings *s = set->items[i].source;
		char *path = source_list_path(dir, set->items[i].sha256);
		int rc = list_reader_open_fd(fds[i], path, &lists[i].list, err);

		free(path);
		if (rc < 0)
			return -1;
		lists[i].trust = s->trust;
		lists[i].domains = s->domains;
		lists[i].domain_count = s->domain_count;
	}
	return 0;
}

void
list_set_close(struct overlay_list lists[static SOURCES_MAX])
{
	for (size_t i = 0; i < SOURCES_MAX; i++) {
		list_reader_close(lists[i].list);
		lists[i].list = NULL;
	}
}
