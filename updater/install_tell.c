#include "updater/install_tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "updater/install.h"
#include "updater/list_set.h"
#include "updater/overlay.h"
#include "updater/render.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/state.h"

/* Additions without a line that are named one by one. */
#define NAMED_MAX 10

void
install_tell_left(void *arg, const struct overlay_entry *e, enum choice choice)
{
	struct install_left *left = arg;
	char text[400];

	if (left->count++ >= NAMED_MAX)
		return;
	(void)snprintf(text, sizeof(text), "%.100s:%" PRId64 ": add %s: line: %s", e->rule->file,
		e->rule->line, e->rule->domain, choice_why_left(choice));
	if (left->loud)
		log_warning("%s", text);
	else
		log_info("%s", text);
}

void
install_tell(
	const struct install *in, const struct list_set *lists, const struct render_counts *c)
{
	const struct state_map *m = &in->state.map;
	struct buf text;

	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_format(lists, &text);
	log_info("%s %s: %s, %" PRId64 " lines; left out: %" PRId64
		 " testing, %" PRId64 " run out, %" PRId64 " DANE only (%s), %" PRId64
		 " with too many names",
		in->s->map_file, in->dry_run ? "would be installed" : "to be installed",
		buf_str(&text), render_lines(c), c->choices[CHOICE_LEFT_TESTING],
		c->choices[CHOICE_LEFT_RUN_OUT], c->choices[CHOICE_LEFT_DANE], in->recipe.why_dane,
		c->choices[CHOICE_LEFT_LONG]);
	buf_clear(&text);
	if (c->choices[CHOICE_LEFT_TRIAL] + c->choices[CHOICE_LEFT_UNTRUSTED] > 0)
		log_info("by what the configuration says of lists: %" PRId64 " only tested, %" PRId64 " not trusted",
			c->choices[CHOICE_LEFT_TRIAL], c->choices[CHOICE_LEFT_UNTRUSTED]);
	if (c->choices[CHOICE_PINNED] > 0)
		log_info("%" PRId64 " of them are pinned to the one server that they name",
			c->choices[CHOICE_PINNED]);
	if (c->choices[CHOICE_WIDER] > 0)
		log_info("%" PRId64 " of them may be reached %s", c->choices[CHOICE_WIDER],
			in->s->mta->wider);
	if (c->choices[CHOICE_LEFT_EXCEPTED] + c->added + c->early > 0)
		log_info("by your rules: %" PRId64 " excepted, %" PRId64 " added (%" PRId64
			 " in place of an entry), %" PRId64 " enforced though in testing mode",
			c->choices[CHOICE_LEFT_EXCEPTED], c->added, c->added_listed, c->early);
	/* What was protected and no longer is must not go unsaid. */
	if (m->lines_dane > 0 && !in->recipe.dane && c->choices[CHOICE_LEFT_DANE] > 0)
		log_warning("%" PRId64
			    " domains lose their protection: they have DANE only, and %s",
			c->choices[CHOICE_LEFT_DANE], in->recipe.why_dane);
}

void
install_tell_lost(const struct install *in, const struct render_counts *c)
{
	const struct state_map *m = &in->state.map;
	const int64_t lost = m->lines - render_lines(c);
	int64_t of_others = m->lines - m->lines_added;
	struct list_set present;
	char digest[65];

	/* What the map had of sources that the state no longer has. */
	for (size_t i = 0; i < in->state.source_count; i++)
		of_others -= in->state.sources[i].lines;
	/* A state that was written before there was more than one list does not tell lines by lists. */
	list_set_present(in->s, &in->state, &present);
	list_set_digest(&present, digest);
	if (m->path == NULL || lost <= 0 || of_others <= 0 || strcmp(digest, m->sha256) == 0)
		return;
	log_warning("%s: %" PRId64 " of %" PRId64 " lines %s, since lists are not configured any more",
		in->s->map_file, lost, m->lines, in->dry_run ? "would go" : "go");
}

void
install_tell_moved(const struct install *in)
{
	const char *former = in->state.map.path;

	/* Its lines would hold for ever in a mail server that goes on asking it. */
	if (former != NULL && strcmp(former, in->s->map_file) != 0)
		log_warning("%s %s in place of %s, which nobody renews any more: the mail server must not ask that one "
			    "(preload25-update setup --check)",
			in->s->map_file, in->dry_run ? "would be installed" : "is installed", former);
}

void
install_note_counts(struct state *state, const struct render_counts *c)
{
	struct state_map *m = &state->map;

	m->lines = render_lines(c);
	m->lines_dane = c->choices[CHOICE_DANE] + c->choices[CHOICE_ANY];
	m->lines_wider = c->choices[CHOICE_WIDER];
	m->lines_pinned = c->choices[CHOICE_PINNED];
	m->left_testing = c->choices[CHOICE_LEFT_TESTING];
	m->left_run_out = c->choices[CHOICE_LEFT_RUN_OUT];
	m->left_dane = c->choices[CHOICE_LEFT_DANE];
	m->left_long = c->choices[CHOICE_LEFT_LONG];
	m->left_excepted = c->choices[CHOICE_LEFT_EXCEPTED];
	m->left_trial = c->choices[CHOICE_LEFT_TRIAL];
	m->left_untrusted = c->choices[CHOICE_LEFT_UNTRUSTED];
	m->lines_added = c->added;
	m->lines_added_listed = c->added_listed;
	m->lines_early = c->early;
	m->left_added = c->left_added;
	m->next_end_s = c->next_end_s;
	for (size_t i = 0; i < state->source_count; i++) {
		const struct render_share *share = &c->shares[i];
		struct state_source *source = &state->sources[i];

		source->entries = share->entries;
		source->lines = share->lines;
		source->behind = share->behind;
		source->untrusted = share->untrusted;
	}
}
