#include "updater/pins.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/map.h"
#include "updater/map_kinds.h"
#include "updater/settings.h"
#include "updater/tool.h"

/* OpenSMTPD's own limit where it is built for Linux: a longer name is "Cannot parse smarthost". */
#define HOST_MAX 64
/* For how long mail that was accepted for a pinned domain may be queued: four days unless "queue
 * ttl" says otherwise. A line more costs nothing. */
#define KEPT_S     (30 * CLOCK_DAY_S)
#define KEPT_MODE  0644
#define NAME_MAX_S "253"
#define CONF_MAX   ((size_t)4 * 1024 * 1024)

static const char scheme[] = "smtp+tls://";
static const char member[] = "<set>"; /* what makemap writes for one */

/* A line of STATE/pins: "domain host until". */
struct kept {
	char domain[254], host[254];
	int64_t until_s; /* 0: it is pinned */
};

struct pins {
	const struct update_settings *s;
	int64_t now_s;
	struct map_writer *hosts, *set;
	FILE *before; /* STATE/pins as it was; NULL at its end */
	bool have;    /* kept holds its next line */
	struct kept kept;
	struct file_writer *after;
	struct kept first, last; /* of the pinned domains, to be looked up; domain "": none */
	int64_t count;
};

const char *
pins_host(const struct list_policy *policy)
{
	const char *host = policy->mxs[0];

	return policy->mxs_count == 1 && host[0] != '*' && strlen(host) <= HOST_MAX ? host : NULL;
}

static char *
beside(const struct update_settings *s, const char *end)
{
	size_t len = strlen(s->map_file) - strlen(s->kind->suffix);

	return xasprintf("%.*s%s", (int)len, s->map_file, end);
}

char *
pins_hosts_file(const struct update_settings *s)
{
	return beside(s, "-hosts");
}

char *
pins_set_file(const struct update_settings *s)
{
	return beside(s, "-pinned.db");
}

static char *
kept_file(const struct update_settings *s)
{
	return xasprintf("%s/pins", s->state_dir);
}

bool
pins_wanted(const struct update_settings *s)
{
	char *file = pins_set_file(s);
	bool wanted = s->pin || file_exists(file);

	free(file);
	return wanted && s->kind == &map_db_set;
}

static bool
answers(const struct map_kind *kind, const char *file, const char *key, const char *want)
{
	struct error ignored = {0};
	struct buf value;
	bool ok;

	buf_init(&value, sizeof(scheme) + sizeof(((struct kept *)NULL)->host));
	ok = map_find(kind, file, key, &value, &ignored) > 0 && strcmp(buf_str(&value), want) == 0;
	buf_clear(&value);
	return ok;
}

bool
pins_are(const struct update_settings *s, const char *serial)
{
	char *hosts = pins_hosts_file(s), *set = pins_set_file(s);
	bool ok;

	ok = !pins_wanted(s) ||
		(answers(&map_texthash, hosts, MAP_SENTINEL, serial) &&
			answers(&map_db_set, set, MAP_SENTINEL, serial));
	free(set);
	free(hosts);
	return ok;
}

int
pins_find(const struct update_settings *s, const char *domain, struct buf *host, struct error *err)
{
	char *hosts = pins_hosts_file(s), *set = pins_set_file(s);
	struct buf value;
	int rc = 0;

	buf_init(&value, 1024);
	if (pins_wanted(s) && file_exists(set))
		rc = map_find(&map_db_set, set, domain, &value, err);
	buf_reset(&value);
	if (rc > 0)
		rc = map_find(&map_texthash, hosts, domain, &value, err);
	if (rc > 0)
		buf_add_str(host, buf_str(&value) + strlen(scheme));
	buf_clear(&value);
	free(set);
	free(hosts);
	return rc;
}

/* --- what was pinned before ---------------------------------------------------------------------
 */

/* The next line of STATE/pins. A file that is damaged ends there: what is lost is only where mail
 * that is queued for domains no longer pinned is to go. */
static void
next_kept(struct pins *p)
{
	struct kept *k = &p->kept;
	char line[sizeof(*k) + 32], nothing;
	size_t len;

	p->have = false;
	if (p->before == NULL || fgets(line, sizeof(line), p->before) == NULL)
		return;
	len = strlen(line);
	if (len > 0 && line[len - 1] == '\n' &&
		sscanf(line, "%" NAME_MAX_S "s %" NAME_MAX_S "s %" SCNd64 " %c", k->domain, k->host,
			&k->until_s, &nothing) == 3 &&
		list_domain_valid(k->domain, strlen(k->domain)) &&
		list_domain_valid(k->host, strlen(k->host)) && clock_has_text(k->until_s)) {
		p->have = true;
		return;
	}
	log_warning("%s/pins: damaged: mail queued for domains that were pinned may wait",
		p->s->state_dir);
	(void)fclose(p->before);
	p->before = NULL;
}

static void
add_host(struct pins *p, const struct kept *k)
{
	char line[sizeof(*k) + 32], value[sizeof(scheme) + sizeof(k->host)];
	int n = snprintf(line, sizeof(line), "%s %s %" PRId64 "\n", k->domain, k->host, k->until_s);

	file_writer_add(p->after, line, (size_t)n);
	n = snprintf(value, sizeof(value), "%s%s", scheme, k->host);
	map_writer_add(p->hosts, k->domain, value, (size_t)n);
}

/* Domains of before that come ahead of this one (NULL: all that are left) and so are no longer
 * pinned. */
static void
let_go(struct pins *p, const char *domain)
{
	while (p->have && (domain == NULL || strcmp(p->kept.domain, domain) < 0)) {
		struct kept k = p->kept;

		if (k.until_s == 0)
			k.until_s = p->now_s + KEPT_S;
		if (k.until_s > p->now_s)
			add_host(p, &k);
		next_kept(p);
	}
}

/* --- writing ------------------------------------------------------------------------------------
 */

int
pins_open(const struct update_settings *s, int64_t now_s, struct pins **out, struct error *err)
{
	struct pins *p = xcalloc(1, sizeof(*p));
	char *hosts = pins_hosts_file(s), *set = pins_set_file(s), *kept = kept_file(s);
	int rc = -1;

	*out = NULL;
	p->s = s;
	p->now_s = now_s;
	p->before = fopen(kept, "re");
	if (p->before == NULL && errno != ENOENT) {
		error_set_errno(err, ERROR_TEMP, "%s", kept);
		goto out;
	}
	next_kept(p);
	if (file_writer_open(kept, KEPT_MODE, &p->after, err) == 0 &&
		map_writer_open(&map_texthash, hosts, &p->hosts, err) == 0 &&
		map_writer_open(&map_db_set, set, &p->set, err) == 0) {
		*out = p;
		rc = 0;
	}
out:
	free(kept);
	free(set);
	free(hosts);
	if (rc < 0)
		pins_free(p);
	return rc;
}

void
pins_add(struct pins *p, const char *domain, const char *host)
{
	struct kept k = {.until_s = 0};

	(void)snprintf(k.domain, sizeof(k.domain), "%s", domain);
	(void)snprintf(k.host, sizeof(k.host), "%s", host);
	assert(strcmp(p->last.domain, domain) < 0);
	let_go(p, domain);
	if (p->have && strcmp(p->kept.domain, domain) == 0)
		next_kept(p);
	add_host(p, &k);
	map_writer_add(p->set, domain, member, strlen(member));
	if (p->count++ == 0)
		p->first = k;
	p->last = k;
}

/* Both maps must answer before they may stand in for those of before. */
static int
check_answer(const struct pins *p, const struct kept *k, struct error *err)
{
	char *value = xasprintf("%s%s", scheme, k->host);
	int rc = 0;

	if (!answers(&map_texthash, map_writer_path(p->hosts), k->domain, value) ||
		!answers(&map_db_set, map_writer_path(p->set), k->domain, member))
		rc = error_set(err, ERROR_TEMP,
			"not installed: the new maps of pinned domains do not answer for %s",
			k->domain);
	free(value);
	return rc;
}

int
pins_finish(struct pins *p, const char *serial, struct error *err)
{
	let_go(p, NULL);
	map_writer_add(p->hosts, MAP_SENTINEL, serial, strlen(serial));
	map_writer_add(p->set, MAP_SENTINEL, serial, strlen(serial));
	if (map_writer_finish(p->hosts, err) < 0 || map_writer_finish(p->set, err) < 0)
		return -1;
	return p->count == 0 || (check_answer(p, &p->first, err) == 0 &&
					check_answer(p, &p->last, err) == 0)
		? 0
		: -1;
}

/* OpenSMTPD reads a file once. One that is not running reads it when it starts. 1: it runs and
 * answers no (err says so); whether it does not know the table or cannot read it, it tells its log
 * alone. */
static int
update_table(const struct update_settings *s, const char *table, struct error *err)
{
	char *program = tool_find(s->smtpctl, "smtpctl"), *complaint;
	const char *const argv[] = {program, "update", "table", table, NULL};
	struct tool_result result = {0};
	const char *said;
	int rc;

	if (program == NULL)
		return error_set(err, ERROR_CONFIG, "no smtpctl here: is OpenSMTPD installed?");
	rc = tool_run(argv, TOOL_TIMEOUT_MS, &result, err);
	said = buf_str(&result.out);
	if (rc < 0 || result.status == 0) {
		/* Said, or done. */
	} else if (strstr(buf_str(&result.err), "running") != NULL) {
		log_info("OpenSMTPD is not running");
	} else if (str_starts(said, "command failed")) {
		error_set(err, ERROR_CONFIG,
			"OpenSMTPD does not take the table %s (%.*s): run \"preload25-update setup "
			"opensmtpd\"; it has to be restarted after --apply",
			table, (int)strcspn(said, "\n"), said);
		rc = 1;
	} else {
		complaint = tool_complaint(&result);
		rc = error_set(
			err, ERROR_CONFIG, "%s update table %s: %s", program, table, complaint);
		free(complaint);
	}
	tool_result_clear(&result);
	free(program);
	return rc;
}

/* Whether OpenSMTPD has no use for the files any more: the one that runs takes neither table, and
 * smtpd.conf, without whose files it would not start, names neither. */
static bool
is_forgotten(const struct update_settings *s, const char *hosts, const char *set)
{
	struct error ignored = {0};
	struct buf conf;
	bool named;

	buf_init(&conf, CONF_MAX);
	named = file_read_if_exists(s->smtpd_conf, &conf, &ignored) < 0 ||
		strstr(buf_str(&conf), hosts) != NULL || strstr(buf_str(&conf), set) != NULL;
	buf_clear(&conf);
	return !named && update_table(s, PINS_TABLE_SET, &ignored) > 0;
}

/* No more pinning. The set goes last: as long as it is there, the next run comes by again. */
static int
remove_all(const struct update_settings *s, const char *hosts, const char *set, struct error *err)
{
	char *kept = kept_file(s);
	const char *const files[] = {hosts, kept, set};
	int rc = 0;

	log_info("OpenSMTPD pins no domains any more: %s and %s are removed", set, hosts);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(files); i++)
		if (unlink(files[i]) < 0 && errno != ENOENT)
			rc = error_set_errno(err, ERROR_CONFIG, "%s: cannot remove it", files[i]);
	free(kept);
	return rc;
}

int
pins_install(struct pins *p, struct error *err)
{
	char *hosts = pins_hosts_file(p->s), *set = pins_set_file(p->s);
	bool had_set = file_exists(set), ended = false;
	int rc = -1;

	/* First what remembers where queued mail is to go; see the header for the rest. */
	if (file_writer_commit(p->after, err) < 0 || map_writer_install(p->hosts, false, err) < 0)
		goto out;
	rc = update_table(p->s, PINS_TABLE_HOSTS, err);
	if (rc > 0 && !had_set) {
		/* It could not have started with a configuration that names the set. */
		error_clear(err);
		rc = 0;
	} else if (rc > 0 && !p->s->pin && is_forgotten(p->s, hosts, set)) {
		error_clear(err);
		ended = true;
		rc = remove_all(p->s, hosts, set, err);
	}
	if (rc == 0 && !ended)
		rc = map_writer_install(p->set, false, err);
out:
	free(set);
	free(hosts);
	return rc == 0 ? 0 : error_prefix(err, "pinned domains");
}

void
pins_free(struct pins *p)
{
	if (p == NULL)
		return;
	if (p->before != NULL)
		(void)fclose(p->before);
	file_writer_free(p->after);
	map_writer_free(p->hosts);
	map_writer_free(p->set);
	free(p);
}

int
pins_make_empty(const struct update_settings *s, struct error *err)
{
	char *hosts = pins_hosts_file(s), *set = pins_set_file(s);
	int rc = map_make_empty(&map_texthash, hosts, err), rc_set = -1;

	if (rc >= 0)
		rc_set = map_make_empty(&map_db_set, set, err);
	free(set);
	free(hosts);
	return rc_set < 0 ? -1 : rc | rc_set;
}
