/*
 * settings: the configuration of preload25, read once into plain data.
 *
 * settings_keys is the one list of keys; sample file, manual and checks come from it. Files and
 * directories that are not absolute are relative to the directory of the configuration file, so
 * that an authority may be moved or copied as a directory.
 */
#ifndef BUILDER_SETTINGS_H
#define BUILDER_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "builder/life.h"
#include "common/attr.h"
#include "common/clock.h"
#include "common/config.h"
#include "export/repository.h"
#include "verifier/engine.h"

struct error;

extern const struct config_key settings_keys[];
extern const size_t settings_key_count;

/* Plain data; strings live as long as the settings. Paths are absolute, or relative to the working
 * directory if the configuration file was named that way. */
struct settings {
	struct engine_options engine; /* complete, clock included */
	struct life_rules life;

	const char *store_url;

	const char *const *vantages; /* names; the first is this machine's unless --vantage says */
	size_t vantage_count;

	struct {
		const char *name;    /* whom the list says it is by */
		const char *contact; /* mailto: or https: URI, or NULL */
	} authority;

	struct {
		int64_t expires_s; /* readers complain after this without a newer list */
		int64_t fresh_s;   /* entries confirmed longer ago carry their own time */
		int64_t churn_percent;
	} list;

	struct {
		int64_t publish_s;        /* between two lists */
		const char *metrics_file; /* NULL: none */
	} run;

	struct {
		const char *path;
		const char *const *remotes;
		size_t remote_count;
		int64_t push_timeout_s;
		int64_t push_tries;
		const char *push_key; /* NULL: the agent's */
		const char *committer_name;
		const char *committer_mail;
		const char *sign_key;                        /* NULL: commits are not signed */
		struct repository_keys keys[TUF_ROLE_COUNT]; /* paths resolved */
		const char *minisign_key; /* the same; NULL: no such signature */
		int64_t root_expires_s;
		int64_t targets_expires_s;
		int64_t snapshot_expires_s;
		int64_t timestamp_expires_s;
	} repository;
};

/* path NULL: built-in defaults. What is inconsistent is ERROR_CONFIG with file and line. */
int settings_load(const char *path, const struct clock *clock, struct settings **out,
	struct error *err) MUST_CHECK;
/* A number given elsewhere in place of an INT key: held against the key's limits. */
int settings_parse_int(const char *section, const char *name, const char *text, int64_t *out,
	struct error *err) MUST_CHECK;
/* Whether the configuration names the vantage point. */
bool settings_has_vantage(const struct settings *s, const char *name);
/* NULL is allowed. */
void settings_free(struct settings *s);

#endif
