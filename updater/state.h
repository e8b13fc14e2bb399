/*
 * state: what the updater remembers of its own doings, DIR/state.json.
 *
 * For "status", and to see at once whether there is anything to do. Nothing depends on it for
 * safety: without it the next run works from the list and the metadata beside it.
 */
#ifndef UPDATER_STATE_H
#define UPDATER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/source.h"

struct buf;
struct error;

/* Earlier sets of lists that may be kept. */
#define STATE_GENERATIONS_MAX 20

/* A list that was taken, DIR/list-SHA256.json. */
struct state_list {
	int64_t version; /* 0: there is none */
	int64_t length;
	char sha256[65];
	int64_t timestamp_s, expires_s, confirmed_since_s;
};

/* One source, and the list of it that counts. */
struct state_source {
	char name[SOURCE_NAME_SIZE];
	struct state_list list;
	char undone[65]; /* SHA-256 of a list that undo has put away; "": none */
	char anchor[65]; /* SHA-256 of the root file under which the list was taken */
	int64_t asked_s; /* when the repository was, of which the trusted metadata are a copy; 0: never */
	int64_t success_s; /* when it was last found to have nothing newer, or that was taken; 0: never */
	/* With --offline: which fetching run was the last that was seen, and when first. */
	int64_t fetch_began_s, fetch_seen_s;
	char *trouble;     /* what the last run said of it, since when it fails; NULL: nothing */
	int64_t trouble_s;
	/* Of the map: see struct render_share. */
	int64_t entries, lines, behind, untrusted;
};

/* The lists of all sources that counted together: what undo goes back to. Their files are kept. */
struct state_generation {
	struct state_member {
		char name[SOURCE_NAME_SIZE];
		struct state_list list;
		char anchor[65]; /* as in struct state_source; "": not known */
	} members[SOURCES_MAX];
	size_t count;
};

/* The map that was made of the lists. */
struct state_map {
	char *path;         /* NULL: none was installed */
	char *serial;       /* what its sentinel answers; NULL: the version */
	char *recipe;       /* how lines were made; another recipe makes another map */
	char rules[65];     /* digest of the administrator's rules; "": none were in force */
	char sha256[65];    /* of the list it was made of; of several, see list_set_digest() */
	int64_t version;    /* of that list; of several, of the first source's */
	int64_t rendered_s; /* when */
	int64_t since_s;    /* since when this version is installed */
	int64_t lines, lines_dane, lines_wider, lines_pinned;
	int64_t left_testing, left_run_out, left_dane, left_long, left_trial, left_untrusted;
	/* By the administrator's rules: lines of his own, and how many of them stand in for an entry of
	 * the list; lines of entries in testing mode; entries without a line; additions without one. */
	int64_t lines_added, lines_added_listed, lines_early, left_excepted, left_added;
	int64_t next_end_s; /* the first line runs out then; 0: there is no line */
	/* Of the installed file, to see whether somebody else has changed it. */
	int64_t inode, size, mtime_ns;
};

/* A reason for which entries are left out of the map. */
struct state_left {
	const char *name; /* for programs: "testing" */
	const char *why;  /* behind "left out N" */
	size_t offset;    /* of the count in struct state_map; see state_left_count() */
};
#define STATE_LEFT_COUNT 7
extern const struct state_left state_left[STATE_LEFT_COUNT];

struct state {
	struct state_source sources[SOURCES_MAX]; /* the first is SOURCE_MAIN */
	size_t source_count;                      /* at least 1 */
	struct state_generation *generations;     /* owned; the latest first */
	size_t generation_count;
	struct state_map map;
	bool reload_due;
	bool dane;          /* the last answer to "does the resolver validate" */
	int64_t last_run_s; /* 0: never */
	int last_code;      /* exit code of that run */
	int64_t last_success_s;
	int64_t last_error_s;
	int last_error_code;
	char *last_error; /* NULL: none */
};

void state_init(struct state *s);
void state_clear(struct state *s);
/* The text of state.json; what is no state is ERROR_INPUT, and s is as after state_init(). */
int state_parse(const char *text, size_t len, struct state *s, struct error *err) MUST_CHECK;
/* Appends the text, one line. */
int state_format(const struct state *s, struct buf *out, struct error *err) MUST_CHECK;
/* 1 read; 0 there is none, or it is damaged (that is logged): s is as after state_init(). -1 it
 * cannot be read. */
int state_load(const char *path, struct state *s, struct error *err) MUST_CHECK;
int state_store(const char *path, const struct state *s, struct error *err) MUST_CHECK;

/* Puts the sources into this order, the first of which is SOURCE_MAIN: those that are new are empty, and others
 * are forgotten, in earlier sets of lists too. */
void state_arrange(struct state *s, const char *const *names, size_t count);
/* The source of that name; NULL: nothing is known of it. */
struct state_source *state_find(struct state *s, const char *name);

/* What the sentinel of the map answers. */
#define STATE_SERIAL_SIZE 40
void state_serial(const struct state_map *m, char out[static STATE_SERIAL_SIZE]);

/* How many entries were left out for the reason. */
int64_t state_left_count(const struct state_map *m, const struct state_left *left);

/* Replaces an owned string; value may be NULL. */
void state_set(char **field, const char *value);

#endif
