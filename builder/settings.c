#include "builder/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "builder/store.h"
#include "common/arena.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/push.h"
#include "verifier/address.h"
#include "verifier/domain_name.h"

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (366 * DAY)

#define VANTAGE_NAME_MAX 32
#define SPKI_DIGEST_LEN  32

#define STRING(sec, key, def, text) \
	{ \
		.section = sec, .name = key, .type = CONFIG_STRING, .fallback = def, .help = text \
	}
#define STRINGS(sec, key, text) \
	{ \
		.section = sec, .name = key, .type = CONFIG_STRING, .repeat = true, .help = text \
	}
#define INT(sec, key, def, lo, hi, text) \
	{ \
		.section = sec, .name = key, .type = CONFIG_INT, .fallback = def, .min = lo, \
		.max = hi, .help = text \
	}
#define BOOL(sec, key, def, text) \
	{ \
		.section = sec, .name = key, .type = CONFIG_BOOL, .fallback = def, .help = text \
	}

const struct config_key settings_keys[] = {
	STRING("authority", "name", "preload25", "whom the list says it is by"),
	STRING("authority", "contact", NULL,
		"where people reach the operator: a mailto: or https: URI"),

	STRING("store", "url", "sqlite:/var/lib/preload25/preload25.db",
		"the database: sqlite:FILE"),

	STRINGS("dns", "forward", "resolver to ask, ADDR@PORT; without any the root servers"),
	STRING("dns", "root_hints", NULL,
		"file with the root servers instead of the built-in ones"),
	STRING("dns", "trust_anchor", NULL,
		"file with the DNSSEC root key instead of the system's"),
	STRING("dns", "self_test_secure", NULL,
		"a name that is signed, like one of your own: unless it is secure, nothing is "
		"judged"),
	STRING("dns", "self_test_bogus", NULL,
		"a name whose signatures are broken, like dnssec-failed.org: unless it is bogus, "
		"nothing is judged"),

	STRINGS("network", "allow",
		"special addresses (private, loopback) that may be called, ADDR/BITS"),
	INT("network", "smtp_port", "25", 1, 65535, "port of mail servers"),
	INT("network", "https_port", "443", 1, 65535, "port of policy hosts"),
	STRING("network", "ca_file", NULL,
		"file with the trusted certificate authorities instead of the "
		"system's"),
	STRING("network", "ehlo_name", NULL,
		"name to say in EHLO; it should resolve to this machine "
		"and back (else the host's name)"),
	BOOL("network", "special_use_names", "no",
		"judge names like example.test as others (yes if "
		"special addresses are allowed)"),
	STRINGS("network", "reference_host",
		"a mail host that is always there, best one of your own in another network: "
		"unless it shows a key of reference_spki, nothing is judged"),
	STRINGS("network", "reference_spki",
		"SHA-256 of its public key in hex, as check --json names it: today's, and the "
		"next one before it is used"),

	STRINGS("vantage", "name",
		"vantage point of the authority; the first is this machine's "
		"(without any: local)"),

	INT("crawl", "concurrency", "500", 1, 100000, "domains in flight"),
	INT("crawl", "workers", "0", 0, 64,
		"threads, with an event loop each; 0: as many as "
		"processors, at most 8"),
	INT("crawl", "per_address", "2", 1, 1000, "connections at once to one address"),
	INT("crawl", "per_operator", "8", 1, 10000,
		"connections at once to the hosts of one operator"),
	INT("crawl", "rate", "0", 0, 1000000, "domains started a second; 0: no limit"),
	INT("crawl", "deadline", "600", 1, DAY, "seconds for one domain in all"),
	INT("crawl", "connect_timeout", "30", 1, HOUR, "seconds to connect"),
	INT("crawl", "greeting_timeout", "60", 1, HOUR, "seconds until the greeting begins"),
	INT("crawl", "reply_timeout", "60", 1, HOUR, "seconds for one SMTP reply"),
	INT("crawl", "session_timeout", "300", 1, HOUR, "seconds for one SMTP session"),
	INT("crawl", "fetch_timeout", "60", 1, HOUR, "seconds for one policy"),
	INT("crawl", "share", "3600", 0, DAY,
		"seconds for which what was seen of a mail or policy host "
		"serves other domains; at most 300 when it could not be told"),

	INT("life", "join", "604800", 0, YEAR, "seconds of passes before a domain is listed"),
	INT("life", "gap", "108000", MINUTE, YEAR,
		"seconds between two looks beyond which the time "
		"between them does not count as observed"),
	INT("life", "round", "28800", MINUTE, YEAR,
		"seconds within which the looks of several vantage "
		"points are one round"),
	INT("life", "recheck", "21600", MINUTE, YEAR,
		"seconds until a pending or listed domain is "
		"looked at again"),
	INT("life", "candidate_recheck", "86400", MINUTE, YEAR,
		"the same for one that does not qualify"),
	INT("life", "refused_recheck", "604800", MINUTE, YEAR, "the same for one that is refused"),
	INT("life", "retry", "300", 300, YEAR,
		"the same at first when it could not be told; doubled each "
		"time, up to the above"),
	INT("life", "demote", "1209600", 0, YEAR,
		"seconds of a certain break until an entry becomes "
		"testing"),
	INT("life", "remove", "2419200", 0, YEAR, "the same until it is removed"),
	INT("life", "leave_gap", "86400", 0, YEAR,
		"seconds between two sightings of an unsigned "
		"mode=none that remove an entry"),
	INT("life", "gone", "604800", 0, YEAR,
		"seconds after which a domain that is gone, or has a "
		"null MX, is removed"),
	INT("life", "max_age_min", "86400", 1, LIST_MAX_AGE_MAX, "smallest max_age admitted"),

	INT("list", "expires", "1209600", HOUR, YEAR,
		"seconds after which readers miss the next list"),
	INT("list", "fresh", "43200", MINUTE, YEAR,
		"seconds after its last confirmation an entry is in "
		"trouble and carries its own time"),
	INT("list", "churn_percent", "2", 0, 100,
		"share of the last list that may be removed, demoted "
		"or relaxed without --allow-churn"),

	INT("run", "publish", "3600", MINUTE, 30 * DAY,
		"seconds between two lists that run builds and publishes"),
	STRING("run", "metrics_file", NULL,
		"file that run keeps for the textfile collector of Prometheus' node exporter"),

	STRING("repository", "path", "/var/lib/preload25/repository",
		"directory of the git repository"),
	STRINGS("repository", "remote",
		"where to push each publication: URL, HOST:PATH or the path of a bare repository"),
	INT("repository", "push_timeout", "300", 1, DAY,
		"seconds for one remote, all tries together"),
	INT("repository", "push_tries", "3", 1, 10,
		"how often a push is tried, with a pause that doubles"),
	STRING("repository", "push_key", NULL,
		"private key for remotes by ssh (else what the agent has)"),
	STRING("repository", "committer_name", NULL, "of the commits (else the authority's name)"),
	STRING("repository", "committer_mail", "preload25@localhost",
		"mail address of the commits"),
	STRING("repository", "sign_key", NULL,
		"Ed25519 private key of ssh-keygen or openssl, without pass phrase, that signs the "
		"commits"),
	STRINGS("repository", "root_key",
		"private key of the role: file:PATH or pkcs11:..., or none if all are elsewhere "
		"(without any: file:keys/root.pem if it is there)"),
	STRING("repository", "root_passphrase_from", NULL,
		"where their pass phrase or PIN comes from: file:PATH, fd:N, or ask, the "
		"terminal, which is the default"),
	STRINGS("repository", "targets_key", "the same (without any: file:keys/targets.pem)"),
	STRING("repository", "targets_passphrase_from", NULL, "the same"),
	STRINGS("repository", "snapshot_key", "the same (without any: file:keys/snapshot.pem)"),
	STRING("repository", "snapshot_passphrase_from", NULL, "the same"),
	STRINGS("repository", "timestamp_key", "the same (without any: file:keys/timestamp.pem)"),
	STRING("repository", "timestamp_passphrase_from", NULL, "the same"),
	STRING("repository", "minisign_key", NULL,
		"private key, without pass phrase, for list.json.minisig, the signature for people "
		"without a TUF client (else there is none)"),
	INT("repository", "root_expires", "31536000", HOUR, 10 * (int64_t)YEAR,
		"seconds for which the "
		"role's signature is good"),
	INT("repository", "targets_expires", "1209600", HOUR, YEAR, "the same"),
	INT("repository", "snapshot_expires", "1209600", HOUR, YEAR, "the same"),
	INT("repository", "timestamp_expires", "172800", HOUR, YEAR, "the same"),
};
const size_t settings_key_count = ARRAY_LEN(settings_keys);

/* The settings and what they own. */
struct holder {
	struct settings settings; /* first: what callers hold is a holder */
	struct config *config;
	struct arena *arena;
	const char *dir; /* of the configuration file, with "/" behind it; "" for the working
			    directory */
};

static const char *
resolve(struct holder *h, const char *path)
{
	if (path == NULL || path[0] == '/' || h->dir[0] == '\0')
		return path;
	return arena_printf(h->arena, "%s%s", h->dir, path);
}

static const char *
path_of(struct holder *h, const char *section, const char *name)
{
	return resolve(h, config_string(h->config, section, name));
}

/* "file:PATH", a bare path, or a URI of another scheme, which is left alone. */
static const char *
key_of(struct holder *h, const char *uri)
{
	size_t scheme;

	if (uri == NULL)
		return NULL;
	scheme = strcspn(uri, ":/");
	if (str_starts(uri, "file:"))
		return arena_printf(h->arena, "file:%s", resolve(h, uri + strlen("file:")));
	return uri[scheme] == ':' ? uri : resolve(h, uri);
}

/* The private keys of one role that are here. */
static int
read_keys(struct holder *h, enum tuf_role role, struct error *err)
{
	const char *key = arena_printf(h->arena, "%s_key", tuf_role_name(role));
	const char *from = config_string(h->config, "repository",
		arena_printf(h->arena, "%s_passphrase_from", tuf_role_name(role)));
	struct repository_keys *out = &h->settings.repository.keys[role];
	size_t count = config_count(h->config, "repository", key);
	const char **uris = arena_calloc(h->arena, count + 1, sizeof(*uris));

	for (size_t i = 0; i < count; i++) {
		const char *uri = config_nth(h->config, "repository", key, i);

		if (strcmp(uri, "none") != 0)
			uris[out->count++] = key_of(h, uri);
		else if (count > 1)
			return error_set(err, ERROR_CONFIG, "%s: %s = none beside other keys",
				config_where(h->config, "repository", key), key);
	}
	if (count == 0)
		uris[out->count++] =
			key_of(h, arena_printf(h->arena, "file:keys/%s.pem", tuf_role_name(role)));
	out->uris = uris;
	out->passphrase_from = from != NULL && str_starts(from, "file:")
		? arena_printf(h->arena, "file:%s", resolve(h, from + strlen("file:")))
		: from;
	/* The root's are best kept elsewhere. */
	out->optional = role == TUF_ROLE_ROOT;
	return 0;
}

/* NULL when there is none. */
static const char *const *
strings_of(struct holder *h, const char *section, const char *name, size_t *count)
{
	size_t n = config_count(h->config, section, name);
	const char **all;

	*count = n;
	if (n == 0)
		return NULL;
	all = arena_calloc(h->arena, n, sizeof(*all));
	for (size_t i = 0; i < n; i++)
		all[i] = config_nth(h->config, section, name, i);
	return all;
}

static int
read_vantages(struct holder *h, struct error *err)
{
	static const char *const local[] = {"local"};
	struct settings *s = &h->settings;

	s->vantages = strings_of(h, "vantage", "name", &s->vantage_count);
	if (s->vantage_count == 0) {
		s->vantages = local;
		s->vantage_count = 1;
	}
	if (s->vantage_count > STORE_VANTAGES_MAX)
		return error_set(err, ERROR_CONFIG, "%s: name: more than %d vantage points",
			config_where(h->config, "vantage", "name"), STORE_VANTAGES_MAX);
	for (size_t i = 0; i < s->vantage_count; i++) {
		const char *name = s->vantages[i];
		size_t len = strlen(name);
		bool good = len <= VANTAGE_NAME_MAX;

		for (size_t k = 0; k < len; k++)
			good = good && (str_is_alnum((unsigned char)name[k]) || name[k] == '-');
		/* The table of transitions names the operator where it names vantage points. */
		if (!good || strcmp(name, "operator") == 0)
			return error_set(err, ERROR_CONFIG,
				"%s: name = %s: a vantage point is named by letters, digits and "
				"hyphens, at most %d",
				config_where(h->config, "vantage", "name"), name, VANTAGE_NAME_MAX);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(s->vantages[k], name) == 0)
				return error_set(err, ERROR_CONFIG, "%s: name = %s is given twice",
					config_where(h->config, "vantage", "name"), name);
		}
	}
	return 0;
}

/* The engine checks the blocks too, but only here is known where they were written. */
static int
check_allow(const struct holder *h, const struct engine_options *e, struct error *err)
{
	struct address_filter *filter = NULL;

	if (address_filter_new(e->allow, e->allow_count, &filter, err) < 0)
		return error_prefix(err, "%s: allow", config_where(h->config, "network", "allow"));
	address_filter_free(filter);
	return 0;
}

static int
check_name(const struct holder *h, const char *section, const char *key, const char *name,
	struct error *err)
{
	bool good = domain_name_is_host(name);

	for (const char *p = name; *p != '\0'; p++)
		good = good && !(*p >= 'A' && *p <= 'Z');
	if (!good)
		return error_set(err, ERROR_CONFIG, "%s: %s = %s: not a host name in lower case",
			config_where(h->config, section, key), key, name);
	return 0;
}

/* What the vantage point is tested with (R2.2, R4.2). */
static int
read_self_test(struct holder *h, struct error *err)
{
	const struct config *c = h->config;
	struct self_test_options *t = &h->settings.engine.self_test;

	t->secure = config_string(c, "dns", "self_test_secure");
	t->bogus = config_string(c, "dns", "self_test_bogus");
	t->hosts = strings_of(h, "network", "reference_host", &t->host_count);
	t->keys = strings_of(h, "network", "reference_spki", &t->key_count);
	if ((t->secure != NULL && check_name(h, "dns", "self_test_secure", t->secure, err) < 0) ||
		(t->bogus != NULL && check_name(h, "dns", "self_test_bogus", t->bogus, err) < 0))
		return -1;
	if (t->host_count > SELF_TEST_HOSTS_MAX)
		return error_set(err, ERROR_CONFIG, "%s: reference_host: more than %d",
			config_where(c, "network", "reference_host"), SELF_TEST_HOSTS_MAX);
	for (size_t i = 0; i < t->host_count; i++) {
		if (check_name(h, "network", "reference_host", t->hosts[i], err) < 0)
			return -1;
	}
	if (t->host_count > 0 && t->key_count == 0)
		return error_set(err, ERROR_CONFIG,
			"%s: reference_host without reference_spki: any key would do",
			config_where(c, "network", "reference_host"));
	if (t->key_count > 0 && t->host_count == 0)
		return error_set(err, ERROR_CONFIG,
			"%s: reference_spki without reference_host: nothing would be tested",
			config_where(c, "network", "reference_spki"));
	for (size_t i = 0; i < t->key_count; i++) {
		uint8_t digest[SPKI_DIGEST_LEN];

		if (str_unhex(t->keys[i], strlen(t->keys[i]), digest, sizeof(digest)) < 0)
			return error_set(err, ERROR_CONFIG,
				"%s: reference_spki = %s: not the 64 hex digits of a SHA-256",
				config_where(c, "network", "reference_spki"), t->keys[i]);
	}
	return 0;
}

static int
read_engine(struct holder *h, const struct clock *clock, struct error *err)
{
	const struct config *c = h->config;
	struct engine_options *e = &h->settings.engine;

	engine_options_default(e);
	e->clock = *clock;
	e->dns_forward = strings_of(h, "dns", "forward", &e->dns_forward_count);
	e->root_hints = path_of(h, "dns", "root_hints");
	e->trust_anchor = path_of(h, "dns", "trust_anchor");
	e->allow = strings_of(h, "network", "allow", &e->allow_count);
	e->special_use_names = config_is_set(c, "network", "special_use_names")
		? config_bool(c, "network", "special_use_names")
		: e->allow_count > 0;
	e->smtp_port = (uint16_t)config_int(c, "network", "smtp_port");
	e->https_port = (uint16_t)config_int(c, "network", "https_port");
	e->ca_file = path_of(h, "network", "ca_file");
	if (config_string(c, "network", "ehlo_name") != NULL)
		e->ehlo_name = config_string(c, "network", "ehlo_name");
	e->workers = (unsigned)config_int(c, "crawl", "workers");
	e->concurrency = (unsigned)config_int(c, "crawl", "concurrency");
	e->per_address = (unsigned)config_int(c, "crawl", "per_address");
	e->per_operator = (unsigned)config_int(c, "crawl", "per_operator");
	e->rate = (unsigned)config_int(c, "crawl", "rate");
	e->deadline_s = config_int(c, "crawl", "deadline");
	e->connect_s = config_int(c, "crawl", "connect_timeout");
	e->greeting_s = config_int(c, "crawl", "greeting_timeout");
	e->reply_s = config_int(c, "crawl", "reply_timeout");
	e->session_s = config_int(c, "crawl", "session_timeout");
	e->fetch_s = config_int(c, "crawl", "fetch_timeout");
	e->share_s = config_int(c, "crawl", "share");
	e->max_age_min_s = config_int(c, "life", "max_age_min");
	return check_allow(h, e, err) < 0 ? -1 : read_self_test(h, err);
}

static int
read_life(struct holder *h, struct error *err)
{
	const struct config *c = h->config;
	struct life_rules *r = &h->settings.life;

	r->vantages = (unsigned)h->settings.vantage_count;
	r->join_s = config_int(c, "life", "join");
	r->gap_s = config_int(c, "life", "gap");
	r->round_s = config_int(c, "life", "round");
	r->demote_s = config_int(c, "life", "demote");
	r->remove_s = config_int(c, "life", "remove");
	r->leave_gap_s = config_int(c, "life", "leave_gap");
	r->gone_s = config_int(c, "life", "gone");
	r->recheck_s = config_int(c, "life", "recheck");
	r->candidate_s = config_int(c, "life", "candidate_recheck");
	r->refused_s = config_int(c, "life", "refused_recheck");
	r->retry_s = config_int(c, "life", "retry");
	if (r->remove_s < r->demote_s)
		return error_set(err, ERROR_CONFIG, "%s: remove comes before demote",
			config_where(c, "life", "remove"));
	if (r->gap_s < r->recheck_s)
		return error_set(err, ERROR_CONFIG,
			"%s: gap is shorter than recheck: no domain would ever be listed",
			config_where(c, "life", "gap"));
	return 0;
}

static int
read_store(struct holder *h, struct error *err)
{
	const char *url = config_string(h->config, "store", "url");

	if (!str_starts(url, "sqlite:") || url[strlen("sqlite:")] == '\0')
		return error_set(err, ERROR_CONFIG, "%s: url = %s: only sqlite:FILE is supported",
			config_where(h->config, "store", "url"), url);
	h->settings.store_url =
		arena_printf(h->arena, "sqlite:%s", resolve(h, url + strlen("sqlite:")));
	return 0;
}

static int
read_remotes(struct holder *h, struct error *err)
{
	struct settings *s = &h->settings;
	const char **remotes;
	size_t count = config_count(h->config, "repository", "remote");

	if (count == 0)
		return 0;
	remotes = arena_calloc(h->arena, count, sizeof(*remotes));
	for (size_t i = 0; i < count; i++) {
		const char *url = config_nth(h->config, "repository", "remote", i);
		const char *fault = push_remote_fault(url);

		if (fault != NULL) {
			char *shown = push_remote_shown(url);

			error_set(err, ERROR_CONFIG, "%s: remote = %s: %s",
				config_where(h->config, "repository", "remote"), shown, fault);
			free(shown);
			return -1;
		}
		remotes[i] = push_remote_path(url) == url ? resolve(h, url) : url;
	}
	s->repository.remotes = remotes;
	s->repository.remote_count = count;
	return 0;
}

/* Git knows no way to write these. */
static int
check_committer(const struct config *c, const char *section, const char *name, struct error *err)
{
	const char *text = config_string(c, section, name);

	if (text != NULL && (text[0] == '\0' || strpbrk(text, "<>\n") != NULL))
		return error_set(err, ERROR_CONFIG,
			"%s: %s = %s: not fit for the author of a commit",
			config_where(c, section, name), name, text);
	return 0;
}

static int
read_publication(struct holder *h, struct error *err)
{
	const struct config *c = h->config;
	struct settings *s = &h->settings;

	s->authority.name = config_string(c, "authority", "name");
	s->authority.contact = config_string(c, "authority", "contact");
	if (strlen(s->authority.name) > LIST_AUTHOR_MAX)
		return error_set(err, ERROR_CONFIG, "%s: name is longer than %d octets",
			config_where(c, "authority", "name"), LIST_AUTHOR_MAX);
	s->list.expires_s = config_int(c, "list", "expires");
	s->list.fresh_s = config_int(c, "list", "fresh");
	s->list.churn_percent = config_int(c, "list", "churn_percent");
	s->run.publish_s = config_int(c, "run", "publish");
	s->run.metrics_file = path_of(h, "run", "metrics_file");
	s->repository.path = path_of(h, "repository", "path");
	if (read_remotes(h, err) < 0)
		return -1;
	s->repository.push_timeout_s = config_int(c, "repository", "push_timeout");
	s->repository.push_tries = config_int(c, "repository", "push_tries");
	s->repository.push_key = path_of(h, "repository", "push_key");
	s->repository.sign_key = path_of(h, "repository", "sign_key");
	s->repository.committer_name = config_string(c, "repository", "committer_name");
	s->repository.committer_mail = config_string(c, "repository", "committer_mail");
	if (check_committer(c, "repository", "committer_name", err) < 0 ||
		check_committer(c, "repository", "committer_mail", err) < 0)
		return -1;
	if (s->repository.committer_name == NULL) {
		s->repository.committer_name = s->authority.name;
		if (check_committer(c, "authority", "name", err) < 0)
			return -1;
	}
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		if (read_keys(h, (enum tuf_role)i, err) < 0)
			return -1;
	s->repository.minisign_key = key_of(h, config_string(c, "repository", "minisign_key"));
	s->repository.root_expires_s = config_int(c, "repository", "root_expires");
	s->repository.targets_expires_s = config_int(c, "repository", "targets_expires");
	s->repository.snapshot_expires_s = config_int(c, "repository", "snapshot_expires");
	s->repository.timestamp_expires_s = config_int(c, "repository", "timestamp_expires");
	return 0;
}

int
settings_load(const char *path, const struct clock *clock, struct settings **out, struct error *err)
{
	struct holder *h = xcalloc(1, sizeof(*h));
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	*out = NULL;
	h->arena = arena_new();
	h->dir = slash != NULL ? arena_strndup(h->arena, path, (size_t)(slash + 1 - path)) : "";
	if (config_load(path, settings_keys, settings_key_count, &h->config, err) < 0)
		goto fail;
	if (read_vantages(h, err) < 0 || read_life(h, err) < 0 || read_store(h, err) < 0 ||
		read_publication(h, err) < 0 || read_engine(h, clock, err) < 0)
		goto fail;
	*out = &h->settings;
	return 0;
fail:
	settings_free(&h->settings);
	return -1;
}

int
settings_parse_int(
	const char *section, const char *name, const char *text, int64_t *out, struct error *err)
{
	const struct config_key *key = NULL;
	uint64_t n;

	for (size_t i = 0; i < settings_key_count && key == NULL; i++) {
		if (strcmp(settings_keys[i].section, section) == 0 &&
			strcmp(settings_keys[i].name, name) == 0)
			key = &settings_keys[i];
	}
	assert(key != NULL && key->type == CONFIG_INT && key->min >= 0);
	if (str_parse_u64(text, strlen(text), (uint64_t)key->max, &n) < 0 || (int64_t)n < key->min)
		return error_set(err, ERROR_CONFIG, "\"%s\" is not a number from %lld to %lld",
			text, (long long)key->min, (long long)key->max);
	*out = (int64_t)n;
	return 0;
}

bool
settings_has_vantage(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->vantage_count; i++) {
		if (strcmp(s->vantages[i], name) == 0)
			return true;
	}
	return false;
}

void
settings_free(struct settings *s)
{
	struct holder *h = (struct holder *)s;

	if (s == NULL)
		return;
	config_free(h->config);
	arena_free(h->arena);
	free(h);
}
