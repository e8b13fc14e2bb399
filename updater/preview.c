#include "updater/preview.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/choice.h"
#include "updater/job.h"
#include "updater/mail_log.h"
#include "updater/mta.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/tuf_client.h"

/* Domains that are counted apart; a log that names more is cut, and that is said. */
#define DOMAINS_MAX 1000000
/* Servers of one domain that are told apart; nobody has so many. */
#define HOSTS_MAX 256
/* Octets read at once; longer lines are passed over. */
#define BLOCK_SIZE MAIL_LOG_LINE_MAX
/* Lines of the table on a terminal. */
#define TABLE_MAX 20

/* How messages to one domain went out. */
enum way {
	WAY_VERIFIED,
	WAY_ENCRYPTED,
	WAY_CLEAR,
	WAY_OTHER_HOST, /* to a server that the entry does not name */
	WAY_UNTOLD,     /* the log does not say */
	WAY_WAITING,    /* deferred or bounced: nothing was sent */
	WAYS
};

static const char *const way_names[WAYS] = {[WAY_VERIFIED] = "verified",
	[WAY_ENCRYPTED] = "encrypted",
	[WAY_CLEAR] = "clear",
	[WAY_OTHER_HOST] = "other_host",
	[WAY_UNTOLD] = "untold",
	[WAY_WAITING] = "not_sent"};

/* One server that messages to a domain were given to. */
struct served {
	char host[254];
	int64_t sent[4]; /* by enum mail_tls */
	struct served *next;
};

struct domain {
	char name[254];
	int64_t not_sent;
	struct served *hosts; /* owned */
	int host_count;
	int64_t ways[WAYS];   /* once the entry is known */
	bool listed;
};

struct preview {
	const struct update_settings *s;
	const struct preview_options *options;
	struct mail_log *log;
	void *tree;              /* of struct domain, by tsearch() */
	struct domain **domains; /* owned, sorted once all are there */
	size_t count, room;
	int64_t messages;
	bool cut;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct domain *)a)->name, ((const struct domain *)b)->name);
}

static int
compare_ptr(const void *a, const void *b)
{
	return compare(*(struct domain *const *)a, *(struct domain *const *)b);
}

static struct domain *
domain_of(struct preview *p, const char *name)
{
	struct domain key, *d;
	void *found;

	(void)snprintf(key.name, sizeof(key.name), "%s", name);
	found = tfind(&key, &p->tree, compare);
	if (found != NULL)
		return *(struct domain **)found;
	if (p->count == DOMAINS_MAX) {
		p->cut = true;
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	memcpy(d->name, key.name, sizeof(d->name));
	if (tsearch(d, &p->tree, compare) == NULL)
		abort(); /* no memory */
	if (p->count == p->room) {
		p->room = p->room == 0 ? 256 : 2 * p->room;
		p->domains = xreallocarray(p->domains, p->room, sizeof(struct domain *));
	}
	p->domains[p->count++] = d;
	return d;
}

static void
count_delivery(struct preview *p, const struct mail_delivery *m)
{
	struct domain *d = domain_of(p, m->domain);
	struct served *h;

	p->messages++;
	if (d == NULL)
		return;
	if (m->outcome != MAIL_SENT) {
		d->not_sent++;
		return;
	}
	for (h = d->hosts; h != NULL && strcmp(h->host, m->host) != 0; h = h->next)
		continue;
	if (h == NULL && d->host_count == HOSTS_MAX)
		h = d->hosts;
	if (h == NULL) {
		h = xcalloc(1, sizeof(*h));
		d->host_count++;
		(void)snprintf(h->host, sizeof(h->host), "%s", m->host);
		h->next = d->hosts;
		d->hosts = h;
	}
	h->sent[m->tls]++;
}

static void
take_line(struct preview *p, const char *line, size_t len)
{
	struct mail_delivery m;

	if (mail_log_line(p->log, line, len, &m) > 0)
		count_delivery(p, &m);
}

/* Takes the whole lines of a block and moves what is left to its beginning: how much that is. */
static size_t
take_lines(struct preview *p, char *block, size_t len, bool *skipping)
{
	char *line = block, *end;
	size_t left = len;

	while ((end = memchr(line, '\n', left)) != NULL) {
		if (!*skipping)
			take_line(p, line, (size_t)(end - line));
		*skipping = false;
		left -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	memmove(block, line, left);
	return left;
}

static int
read_log(struct preview *p, const char *path, struct error *err)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *f = standard ? stdin : fopen(path, "re");
	char *block;
	size_t have = 0, n;
	bool skipping = false; /* the rest of a line that is too long */
	int rc = 0;

	if (f == NULL)
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	block = xcalloc(1, BLOCK_SIZE);
	while ((n = fread(block + have, 1, BLOCK_SIZE - have, f)) > 0) {
		have = take_lines(p, block, have + n, &skipping);
		if (have == BLOCK_SIZE) {
			skipping = true;
			have = 0;
		}
	}
	if (have > 0 && !skipping)
		take_line(p, block, have);
	if (ferror(f))
		rc = error_set_errno(err, ERROR_CONFIG, "%s: cannot be read",
			standard ? "standard input" : path);
	free(block);
	if (!standard)
		(void)fclose(f);
	return rc;
}

/* "*.example.net" stands for one label more, as in RFC 8461 section 4.1. */
static bool
entry_names(const struct list_entry *e, const char *host)
{
	const char *dot = strchr(host, '.');

	for (size_t i = 0; i < e->policy.mxs_count; i++) {
		const char *pattern = e->policy.mxs[i];

		if (pattern[0] == '*' ? dot != NULL && strcmp(dot, pattern + 1) == 0
				      : strcmp(host, pattern) == 0)
			return true;
	}
	return false;
}

static void
judge(const struct preview *p, struct domain *d, const struct list_entry *e)
{
	bool silent = mail_log_is_silent(p->log);

	d->listed = true;
	d->ways[WAY_WAITING] = d->not_sent;
	for (const struct served *h = d->hosts; h != NULL; h = h->next) {
		bool named = entry_names(e, h->host);

		for (int tls = 0; tls < 4; tls++) {
			enum way way = tls == MAIL_TLS_VERIFIED ? WAY_VERIFIED
				: tls == MAIL_TLS_ENCRYPTED	? WAY_ENCRYPTED
				: tls == MAIL_TLS_NONE && !silent ? WAY_CLEAR
								  : WAY_UNTOLD;

			d->ways[named || h->host[0] == '\0' ? way : WAY_OTHER_HOST] += h->sent[tls];
		}
	}
}

/* The list that counts, or else the one that was fetched and verified but not installed. 0; 1 none. */
static int
open_list(const struct preview *p, struct list_reader **list, struct error *err)
{
	char *state_path = job_state_path(p->s), *dir = job_metadata_dir(p->s), *path = NULL;
	struct tuf_client *c = NULL;
	struct error ignored = {0};
	struct tuf_file said;
	struct state state;
	int rc = -1;

	if (state_load(state_path, &state, err) < 0)
		goto out;
	if (state.list.sha256[0] != '\0')
		path = job_list_path(p->s, state.list.sha256);
	else if (tuf_client_open(dir, NULL, p->options->now_s, &c, &ignored) == 0 &&
		tuf_client_target(c, "list.json", &said) > 0)
		path = job_list_path(p->s, said.sha256);
	state_clear(&state);
	if (path == NULL || !file_exists(path)) {
		error_set(err, ERROR_CONFIG,
			"there is no list here yet: \"preload25-update --dry-run\" fetches it without "
			"installing it");
		rc = 1;
		goto out;
	}
	rc = list_reader_open(path, list, err);
out:
	tuf_client_free(c);
	free(path);
	free(dir);
	free(state_path);
	return rc;
}

/* Merges the sorted domains with the sorted list; entries that would make no line here do not count. */
static int
merge(struct preview *p, struct list_reader *list, const struct recipe *recipe, struct error *err)
{
	const struct list_entry *e;
	size_t i = 0;
	int rc;

	if (p->count > 0)
		qsort(p->domains, p->count, sizeof(struct domain *), compare_ptr);
	while ((rc = list_reader_next(list, &e, err)) > 0) {
		while (i < p->count && strcmp(p->domains[i]->name, e->domain) < 0)
			i++;
		if (i < p->count && strcmp(p->domains[i]->name, e->domain) == 0 &&
			choice_is_line(p->s->mta->choose(
				recipe, list_reader_header(list), e, p->options->now_s)))
			judge(p, p->domains[i], e);
	}
	return rc;
}

static int64_t
would_wait(const struct domain *d)
{
	return d->ways[WAY_CLEAR] + d->ways[WAY_OTHER_HOST];
}

/* Those that would have waited first. */
static int
compare_worst(const void *a, const void *b)
{
	const struct domain *x = *(struct domain *const *)a, *y = *(struct domain *const *)b;

	if (would_wait(x) != would_wait(y))
		return would_wait(x) > would_wait(y) ? -1 : 1;
	return compare(x, y);
}

static void
tell(const struct preview *p, int64_t version, const int64_t *sum, size_t listed)
{
	static const char *const what[WAYS] = {[WAY_VERIFIED] = "over TLS, with a server that was verified",
		[WAY_ENCRYPTED] = "over TLS, unverified: whether these would have waited the log cannot say",
		[WAY_CLEAR] = "in clear: these would have waited",
		[WAY_OTHER_HOST] = "to a server that the entry does not name: these would have waited",
		[WAY_UNTOLD] = "in a way that the log does not tell",
		[WAY_WAITING] = "not sent (deferred or bounced), list or no list"};
	FILE *out = p->options->out;
	int64_t total = 0;

	for (int w = 0; w < WAYS; w++)
		total += sum[w];
	fprintf(out, "the log has %" PRId64 " deliver%s to %zu domain%s; list %" PRId64 " has %zu of them, "
		     "with %" PRId64 " deliver%s:\n",
		p->messages, p->messages == 1 ? "y" : "ies", p->count, p->count == 1 ? "" : "s", version,
		listed, total, total == 1 ? "y" : "ies");
	for (int w = 0; w < WAYS; w++)
		if (sum[w] > 0)
			fprintf(out, "%9" PRId64 " %s\n", sum[w], what[w]);
	if (mail_log_is_silent(p->log))
		fprintf(out, "! Postfix does not speak of TLS here: smtp_tls_loglevel = 1 makes it.\n");
	if (p->cut)
		fprintf(out, "! The log has more than %d domains; the rest was not counted.\n",
			DOMAINS_MAX);
	for (size_t i = 0; i < listed && i < TABLE_MAX; i++) {
		const struct domain *d = p->domains[i];

		if (i == 0)
			fprintf(out, "\n%9s %9s %9s %9s %9s  %s\n", "verified", "encrypted", "clear",
				"other", "not sent", "domain");
		fprintf(out,
			"%9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 "  %s\n",
			d->ways[WAY_VERIFIED], d->ways[WAY_ENCRYPTED],
			d->ways[WAY_CLEAR] + d->ways[WAY_UNTOLD], d->ways[WAY_OTHER_HOST],
			d->ways[WAY_WAITING], d->name);
	}
	if (listed > TABLE_MAX)
		fprintf(out, "... and %zu more; --json has all\n", listed - TABLE_MAX);
}

static void
tell_json(const struct preview *p, int64_t version, const int64_t *sum, size_t listed)
{
	json_t *doc = json_object(), *domains = json_object(), *totals = json_object();

	for (int w = 0; w < WAYS; w++)
		json_object_set_new(totals, way_names[w], json_integer(sum[w]));
	for (size_t i = 0; i < listed; i++) {
		json_t *one = json_object();

		for (int w = 0; w < WAYS; w++)
			json_object_set_new(one, way_names[w], json_integer(p->domains[i]->ways[w]));
		json_object_set_new(domains, p->domains[i]->name, one);
	}
	json_object_set_new(doc, "list_version", json_integer(version));
	json_object_set_new(doc, "deliveries", json_integer(p->messages));
	json_object_set_new(doc, "domains", json_integer((json_int_t)p->count));
	json_object_set_new(doc, "tls_logged", json_boolean(!mail_log_is_silent(p->log)));
	json_object_set_new(doc, "listed", totals);
	json_object_set_new(doc, "by_domain", domains);
	(void)json_dumpf(doc, p->options->out, JSON_COMPACT | JSON_SORT_KEYS);
	fputc('\n', p->options->out);
	json_decref(doc);
}

/* The listed ones in front, worst first. */
static size_t
sort_listed(struct preview *p, int64_t sum[static WAYS])
{
	size_t listed = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct domain *d = p->domains[i];

		if (!d->listed)
			continue;
		for (int w = 0; w < WAYS; w++)
			sum[w] += d->ways[w];
		p->domains[i] = p->domains[listed];
		p->domains[listed++] = d;
	}
	if (listed > 0)
		qsort(p->domains, listed, sizeof(struct domain *), compare_worst);
	return listed;
}

static const char *
default_log(const struct update_settings *s)
{
	return strcmp(s->mta->name, "exim") == 0 ? "/var/log/exim4/mainlog" : "/var/log/mail.log";
}

static int
run(struct preview *p, struct error *err)
{
	const char *path = p->options->path != NULL ? p->options->path : default_log(p->s);
	struct list_reader *list = NULL;
	struct recipe recipe;
	int64_t sum[WAYS] = {0};
	size_t listed;
	int rc = open_list(p, &list, err);

	if (rc != 0)
		return rc;
	p->s->mta->decide(p->s, NULL, &recipe);
	rc = read_log(p, path, err);
	if (rc < 0 && p->options->path == NULL)
		error_prefix(err, "no LOG was named (\"journalctl | preload25-update preview -\" reads the "
				  "journal)");
	if (rc == 0)
		rc = merge(p, list, &recipe, err);
	if (rc == 0) {
		int64_t version = list_reader_header(list)->version;

		listed = sort_listed(p, sum);
		if (p->options->json)
			tell_json(p, version, sum, listed);
		else
			tell(p, version, sum, listed);
	}
	list_reader_close(list);
	return rc;
}

/* The domains belong to the array. */
static void
no_free(void *d UNUSED)
{
}

int
preview(const struct update_settings *s, const struct preview_options *options, struct error *err)
{
	struct preview p = {.s = s, .options = options, .log = mail_log_new()};
	int rc = run(&p, err);

	tdestroy(p.tree, no_free);
	for (size_t i = 0; i < p.count; i++) {
		struct served *next;

		for (struct served *h = p.domains[i]->hosts; h != NULL; h = next) {
			next = h->next;
			free(h);
		}
		free(p.domains[i]);
	}
	free(p.domains);
	mail_log_free(p.log);
	return rc;
}
