/*
 * source: gets the list that one authority announces, from whichever of its mirrors has it.
 *
 * The mirrors are asked in random order until one has served it all. What is trusted of the
 * repository lies in a folder of its own (see tuf_client.h); the lists lie in another one as
 * list-SHA256.json, whole and as they were signed or not at all.
 */
#ifndef UPDATER_SOURCE_H
#define UPDATER_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/error.h"
#include "export/tuf_metadata.h"

struct fetch_options;
struct fetch_tree;
struct list_header;
struct state_list;

/* So many lists there may be; what the one of [source] is called; octets of a name, with its end. */
#define SOURCES_MAX      16
#define SOURCE_MAIN      "main"
#define SOURCE_NAME_SIZE 33

/* Where a list comes from, and where it goes. All of it is lent. */
struct source {
	const char *const *urls; /* of the mirrors */
	size_t url_count;
	const char *root; /* the trust anchor: a root file */
	const struct fetch_options *fetch;
	int64_t list_max; /* octets of a list */
	const char *list_dir; /* where a list goes that is fetched */
	const char *metadata_dir; /* must be there, as list_dir must */
	/* Where what is trusted is read: it is not written to, and what is new goes to metadata_dir. NULL: it is that
	 * one. */
	const char *known_dir;
	/* The roots that lead from the trust anchor to the trusted one stay in metadata_dir, as N.root.json. */
	bool keep_roots;
	/* The one url is that of a folder that mirror.h has made: the list lies there as it stands, no link
	 * in it is followed, and nothing else is asked. NULL: of none. */
	const struct fetch_tree *mirror;
};

/* What a refresh has found. The versions are those of the trusted files, and 0 where there is none. */
struct source_found {
	struct tuf_file list; /* that is announced; its SHA-256 is "" where none became known */
	int64_t root, snapshot, targets;
	int64_t first_root; /* that was kept, if one was: see tuf_client_first_root() */
	/* See tuf_client_file(); not filled in when what is trusted could not be opened. */
	bool opened;
	struct tuf_file anchor, metadata[TUF_ROLE_COUNT];
};

/* What is here of it already. All of it is lent. */
struct source_here {
	const struct state_list *list; /* that counts; its version is 0 where there is none */
	const char *dir;               /* lists lie there */
	int64_t floor;                 /* no list of a lower version is taken */
	const char *undone;            /* SHA-256 of a list that is not taken; "": there is none */
};

/* SHA-256 of the trust anchor: what was trusted under another one counts no more. ERROR_CONFIG where
 * there is none, or no mirror. */
int source_anchor(const struct source *s, char sha256[static 65], struct error *err) MUST_CHECK;

/* Makes sure that the announced list is here. 1: it is another one than the list that counts; 0: it
 * is that list, or the undone one; -1: of the mirrors' failures the gravest (see tuf_client.h); *found is
 * filled in nevertheless. */
int source_refresh(const struct source *s, const struct source_here *here, int64_t now_s,
	struct source_found *found, struct error *err) MUST_CHECK;

/* Whether a list that is signed may follow the one that counts: ERROR_SECURITY when it is an older
 * one or another one of the same version, ERROR_EXPIRED. */
int source_check_list(const struct source_here *here, const struct list_header *header,
	const char *sha256, int64_t now_s, struct error *err) MUST_CHECK;

/* The name of a list's file, and its path; the caller frees them. */
char *source_list_name(const char *sha256) RETURNS_NONNULL;
char *source_list_path(const char *list_dir, const char *sha256) RETURNS_NONNULL;
/* Whether it is the name of a list's file. */
bool source_is_list_name(const char *name);
/* Whether a list still holds the bytes it is named after. */
int source_list_intact(const char *path, const char *sha256, struct error *err) MUST_CHECK;
/* Removes all lists but those of these SHA-256 ("" is none), and what killed downloads have left. */
void source_remove_lists(const char *list_dir, const char *const *keep, size_t keep_count);

/* Metadata that are signed and have expired, while the list here has not: what that means. -1. */
int source_say_freeze(struct error *err);

/* A list that was announced and fetched, and is none (ERROR_INPUT): what that means. Other failures stay
 * what they are. -1. */
int source_say_unsound(struct error *err);

/* How much a failure says, for choosing the one that is told. */
int source_gravity(enum error_kind kind);

#endif
