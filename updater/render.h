/*
 * render: list documents, one over the other, with the administrator's rules on top, turned into lines for a mail server.
 */
#ifndef UPDATER_RENDER_H
#define UPDATER_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/choice.h"
#include "updater/source.h"

struct error;
struct list_reader;
struct map_writer;
struct mta;
struct overlay_entry;
struct overlay_list;
struct pins;
struct recipe;
struct rules;

struct render_options {
	const struct mta *mta;
	const struct recipe *recipe;
	const struct rules *rules; /* NULL: none */
	int64_t now_s;
	bool trial; /* lists that are only being tested count as if they were not */
	/* Told of each addition that gets no line; NULL: nobody is. */
	void (*on_left)(void *arg, const struct overlay_entry *added, enum choice choice);
	void *on_left_arg;
};

struct render_counts {
	int64_t entries;
	int64_t choices[CHOICES]; /* how many came out as what */
	/* An entry runs out then, and with it a line, or what keeps another list's from being one; 0: none ever
	 * does. */
	int64_t next_end_s;
	int64_t added;            /* lines of the administrator's own, and how many of them */
	int64_t added_listed;     /* stand in for an entry of the list */
	int64_t early;            /* lines of entries in testing mode */
	int64_t left_added;       /* additions that get no line */
	/* Of each list: entries; lines of them; entries behind which another list's stands; entries that it is not
	 * trusted for. */
	struct render_share {
		int64_t entries, lines, behind, untrusted;
	} shares[SOURCES_MAX];
};

int64_t render_lines(const struct render_counts *counts);

/* Where lines go: domains in ascending order of octets. */
struct render_sink {
	void (*line)(void *arg, const char *key, const char *value, size_t len); /* and a NUL */
	/* The domain of the line before is pinned to a host. */
	void (*pin)(void *arg, const char *domain, const char *host);
	void *arg;
};

/* Reads the lists (see overlay.h) to their ends and gives a line per entry that gets one to the sink. In constant
 * memory. */
int render_to(const struct overlay_list *lists, size_t count, const struct render_options *options,
	const struct render_sink *sink, struct render_counts *counts, struct error *err) MUST_CHECK;

/* Keys remembered for looking them up afterwards. */
#define RENDER_SAMPLES 8

/* The lines' way into a map; the functions are a sink's. */
struct render_target {
	struct map_writer *map; /* lent, as pins is */
	struct pins *pins;      /* NULL: none are pinned */
	int64_t lines;
	struct render_sample {
		char key[254];
		char *value;       /* owned */
	} samples[RENDER_SAMPLES]; /* spread over the whole list */
	size_t sample_count;
};
void render_put_line(void *target, const char *key, const char *value, size_t len);
void render_put_pin(void *target, const char *domain, const char *host);
/* Behind the last line: adds the sentinel. */
void render_end(struct render_target *target, const char *serial);
/* Frees the samples. */
void render_target_clear(struct render_target *target);

/* What becomes of one entry: mta->choose(), but for those that are left out whatever they ask for. */
enum choice render_choose(const struct render_options *options, const struct overlay_entry *e);

/* What lists in the place of others would do to the lines: both under the rules as they are now, and without the
 * administrator's own entries, so that rules are no change. */
struct render_change {
	int64_t before, after, gone, fresh;
};

/* Reads so many lists of each to their ends, in constant memory, as if there were no others. */
int render_compare(const struct overlay_list *before, const struct overlay_list *after, size_t count,
	const struct render_options *options, struct render_change *out,
	struct error *err) MUST_CHECK;

#endif
