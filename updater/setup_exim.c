/* setup exim: the routers and transports that read the map, in Debian's configuration of Exim 4. */
#include "updater/setup.h"

#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/job.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/resolver.h"
#include "updater/settings.h"
#include "updater/setup_files.h"
#include "updater/tool.h"

#define ROUTER_FILE    "conf.d/router/190_preload25"
#define TRANSPORT_FILE "conf.d/transport/30_preload25"
#define SMTP_FILE      "conf.d/transport/30_exim4-config_remote_smtp"
#define TEMPLATE       "exim4.conf.template"
/* Headings that Debian's template has before each part. */
#define ROUTER_HEADING    "### router/200_exim4-config_primary"
#define TRANSPORT_HEADING "### transport/30_exim4-config_remote_smtp\n"

/* Fails closed: the lookup is in "domains", where a map that is missing or broken defers; MX names
 * are matched in ignore_target_hosts, where a failing expansion defers too; and a domain none of
 * whose servers is left is deferred by the second router instead of bouncing. */
static const char routers[] =
	".ifndef ROUTER_DNSLOOKUP_IGNORE_TARGET_HOSTS\n"
	"ROUTER_DNSLOOKUP_IGNORE_TARGET_HOSTS = <; 0.0.0.0 ; 127.0.0.0/8 ; 192.168.0.0/16 ; "
	"172.16.0.0/12 ; 10.0.0.0/8 ; 169.254.0.0/16 ; 255.255.255.255 ; ::/128 ; ::1/128 ; "
	"fc00::/7 ; fe80::/10 ; 100::/64\n"
	".endif\n"
	".ifdef DCconfig_internet\n"
	"preload25_alabel:\n"
	"  driver = redirect\n"
	"  condition = ${if match{$domain}{\\N[^\\x00-\\x7f]\\N}{yes}{no}}\n"
	"  data = ${quote_local_part:$local_part}@${utf8_domain_to_alabel:$domain}\n"
	"preload25:\n"
	"  driver = dnslookup\n"
	"  domains = ! +local_domains : ! +relay_to_domains : cdb;@MAP@\n"
	"  address_data = $domain_data\n"
	"  transport = preload25_${extract{auth}{$domain_data}{$value}fail}\n"
	"  ignore_target_hosts = ROUTER_DNSLOOKUP_IGNORE_TARGET_HOSTS ; "
	"!${extract{mx}{$domain_data}{$value}fail} ; *\n"
	"  dnssec_request_domains = *\n"
	"  same_domain_copy_routing = no\n"
	"preload25_no_listed_mx:\n"
	"  driver = redirect\n"
	"  domains = ! +local_domains : ! +relay_to_domains : cdb;@MAP@\n"
	"  allow_defer\n"
	"  data = :defer: preload25: no MX of $domain is in its list entry\n"
	"  no_more\n"
	".endif\n";

/* One message per connection, since another domain's connection is verified for another reason. */
static const char transport_options[] =
	"  driver = smtp\n"
	"  multi_domain = false\n"
	"  connection_max_messages = 1\n"
	"  hosts_require_tls = *\n"
	"  tls_verify_hosts = *\n"
	"  tls_verify_cert_hostnames = *\n"
	"  tls_verify_certificates = system\n"
	"  tls_sni = $host\n";

/* hosts_require_dane would bounce where a TLSA record is missing: this defers. */
static const char dane_event[] =
	"  event_action = ${if eq{$event_name}{tcp:connect}{${if eq{${lookup "
	"dnsdb{dnssec_strict,defer_never,tlsa=_25._tcp.$host}{$value}{}}}{}"
	"{preload25: no secure TLSA record for $host}}}}\n";

/* What our transports decide themselves. */
static const char *const decided[] = {"driver", "debug_print", "multi_domain",
	"connection_max_messages", "hosts_require_tls", "hosts_avoid_tls", "hosts_try_dane",
	"hosts_require_dane", "dane_require_tls_ciphers", "tls_verify_hosts",
	"tls_try_verify_hosts", "tls_verify_cert_hostnames", "tls_verify_certificates", "tls_sni",
	"event_action", "hosts_noproxy_tls"};

struct setup_exim {
	const struct update_settings *s;
	const struct setup_options *options;
	char *dir; /* of the configuration */
	bool split;
	struct setup_files files;
};

static char *
in_dir(const struct setup_exim *u, const char *name)
{
	return xasprintf("%s/%s", u->dir, name);
}

/* "name='value'" of update-exim4.conf.conf. The caller frees it; "" where it is not set. */
static char *
shell_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n') {
		const char *value = text + len + 1;

		if (strncmp(text, name, len) != 0 || text[len] != '=')
			continue;
		if (*value == '\'' || *value == '"')
			return xstrndup(value + 1, strcspn(value + 1, "'\"\n"));
		return xstrndup(value, strcspn(value, " \t\n"));
	}
	return xstrdup("");
}

/* Version and abilities, from "exim4 -bV". */
static int
look_at_program(const struct setup_exim *u, struct error *err)
{
	char *file = tool_find(u->s->exim, "exim4");
	const char *const argv[] = {file, "-bV", NULL};
	struct tool_result result = {0};
	const char *text;
	int rc = -1;

	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "no exim4 here: is Exim installed?");
	if (tool_run_well(argv, &result, err) < 0)
		goto out;
	text = buf_str(&result.out);
	fprintf(u->options->out, "%.*s; the list is %s\n", (int)strcspn(text, "#\n"), text,
		u->s->map_file);
	if (strstr(text, "cdb") == NULL)
		error_set(err, ERROR_CONFIG, "this Exim cannot read cdb files, and would keep all mail");
	else if (strstr(text, "GnuTLS") == NULL && strstr(text, "OpenSSL") == NULL)
		error_set(err, ERROR_CONFIG, "this Exim has no TLS");
	else
		rc = 0;
	if (rc == 0 && (strstr(text, "DANE") == NULL || strstr(text, "dnsdb") == NULL))
		fprintf(u->options->out, "! this Exim has no DANE: set [install] dane = no, or mail "
					 "to domains with DANE only waits\n");
out:
	tool_result_clear(&result);
	free(file);
	return rc;
}

/* Whether a line of a transport sets one of the options that we decide. */
static bool
is_decided(const char *line, size_t len)
{
	size_t start = strspn(line, " \t"), end = start;

	while (end < len && (str_is_alnum(line[end]) || line[end] == '_'))
		end++;
	if (end > start + 3 && strncmp(line + start, "no_", 3) == 0)
		start += 3;
	for (size_t i = 0; i < ARRAY_LEN(decided); i++)
		if (strlen(decided[i]) == end - start &&
			strncmp(decided[i], line + start, end - start) == 0)
			return true;
	return false;
}

/* The site's own options of remote_smtp (DKIM, interface, HELO, ...), without those we decide.
 * Continued lines go with the line they continue. NULL: there is no such transport. */
static char *
own_options(const char *text)
{
	const char *p = str_starts(text, "remote_smtp:") ? text : strstr(text, "\nremote_smtp:");
	bool skipping = false, continued = false;
	struct buf out;
	char *result;

	if (p == NULL)
		return NULL;
	buf_init(&out, SETUP_FILE_MAX);
	p += *p == '\n';
	for (p += strcspn(p, "\n"); *p == '\n';) {
		size_t len = strcspn(++p, "\n"), indent = strspn(p, " \t");

		/* The next transport, or the next part of the template. */
		if (!continued && indent == 0 && len > 0 &&
			((p[len - 1] == ':' && p[0] != '#') || str_starts(p, "#####")))
			break;
		if (!continued)
			skipping = p[indent] == '#' || len == indent || is_decided(p, len);
		if (!skipping)
			buf_addf(&out, "%.*s\n", (int)len, p);
		continued = len > 0 && p[len - 1] == '\\';
		p += len;
	}
	result = buf_take(&out);
	buf_clear(&out);
	return result;
}

static char *
make_routers(const struct setup_exim *u)
{
	struct buf out;
	const char *p = routers, *mark;
	char *result;

	buf_init(&out, SETUP_FILE_MAX);
	while ((mark = strstr(p, "@MAP@")) != NULL) {
		buf_addf(&out, "%.*s%s", (int)(mark - p), p, u->s->map_file);
		p = mark + strlen("@MAP@");
	}
	buf_add_str(&out, p);
	result = buf_take(&out);
	buf_clear(&out);
	return result;
}

static char *
make_transports(const char *own)
{
	return xasprintf("preload25_pkix:\n%s%s  hosts_try_dane =\n"
			 "preload25_any:\n%s%s  hosts_try_dane = *\n"
			 "preload25_dane:\n%s%s  hosts_try_dane = *\n%s",
		transport_options, own, transport_options, own, transport_options, own, dane_event);
}

/* For a configuration that is not Debian's: what is to be put in. */
static void
tell_by_hand(const struct setup_exim *u)
{
	char *lines = make_routers(u), *transports = make_transports("");

	fprintf(u->options->out,
		"# routers, before the one that looks up other domains (DCconfig_internet is "
		"Debian's)\n%s\n# transports, with the options of your own one for SMTP in each\n%s",
		lines, transports);
	free(transports);
	free(lines);
}

/* 0 go on; 1 the list protects nothing here (told); -1. */
static int
look_at_configuration(struct setup_exim *u, struct error *err)
{
	char *path = in_dir(u, "update-exim4.conf.conf"), *hand = in_dir(u, "exim4.conf");
	char *text = NULL, *type = NULL, *split = NULL;
	int rc = -1;

	if (file_exists(hand)) {
		tell_by_hand(u);
		error_set(err, ERROR_CONFIG,
			"%s is made by hand: put these routers and transports into it yourself", hand);
		goto out;
	}
	text = setup_file_read(path, err);
	if (text == NULL)
		goto out;
	type = shell_value(text, "dc_eximconfig_configtype");
	split = shell_value(text, "dc_use_split_config");
	u->split = strcmp(split, "true") == 0;
	rc = 0;
	if (strcmp(type, "internet") != 0) {
		fprintf(u->options->out,
			"dc_eximconfig_configtype = %s: %s, so the list protects nothing here.\n%s"
			"Nothing was changed.\n",
			type,
			strcmp(type, "smarthost") == 0 || strcmp(type, "satellite") == 0
				? "all mail goes to one other host"
				: "no mail goes to other hosts",
			strcmp(type, "smarthost") == 0 || strcmp(type, "satellite") == 0
				? "Install it there. "
				: "");
		rc = 1;
	}
out:
	free(text);
	free(type);
	free(split);
	free(path);
	free(hand);
	return rc;
}

/* A file of our own in conf.d. text is taken over. */
static int
plan_fresh(struct setup_exim *u, const char *name, char *text, struct error *err)
{
	char *path = in_dir(u, name), *before = NULL;
	int rc = 0;

	if (file_exists(path)) {
		before = setup_file_read(path, err);
		rc = before == NULL ? -1 : 0;
	}
	if (rc == 0)
		setup_files_add(&u->files, path, before, xstrdup(text), xstrdup(text));
	free(text);
	free(path);
	return rc;
}

static int
plan_split(struct setup_exim *u, struct error *err)
{
	char *path = in_dir(u, SMTP_FILE), *text = setup_file_read(path, err), *own = NULL;
	char *lines, *block;
	int rc = -1;

	if (text == NULL)
		goto out;
	own = own_options(text);
	if (own == NULL) {
		error_set(err, ERROR_CONFIG, "%s: has no transport remote_smtp", path);
		goto out;
	}
	lines = make_routers(u);
	block = setup_block("#", lines);
	free(lines);
	if (plan_fresh(u, ROUTER_FILE, block, err) < 0)
		goto out;
	lines = make_transports(own);
	block = setup_block("#", lines);
	free(lines);
	rc = plan_fresh(u, TRANSPORT_FILE, block, err);
out:
	free(own);
	free(text);
	free(path);
	return rc;
}

/* Where the part under a heading begins: at the line of hashes above it. */
static int
find_heading(const char *text, const char *heading, size_t *at, const char *path, struct error *err)
{
	const char *p = strstr(text, heading);

	if (p == NULL)
		return error_set(err, ERROR_CONFIG,
			"%s: has no line \"%.*s\": is it Debian's?", path,
			(int)strcspn(heading, "\n"), heading);
	*at = (size_t)(p - text);
	if (*at > 0 && text[*at - 1] == '\n') {
		size_t line = *at - 1;

		while (line > 0 && text[line - 1] == '#')
			line--;
		if (line == 0 || text[line - 1] == '\n')
			*at = line;
	}
	return 0;
}

static int
plan_template(struct setup_exim *u, struct error *err)
{
	char *path = in_dir(u, TEMPLATE), *before = setup_file_read(path, err), *own = NULL;
	char *clean = NULL, *lines, *router_block = NULL, *transport_block = NULL, *half;
	size_t routers_at, transports_at;
	int rc = -1;

	if (before == NULL)
		goto out;
	clean = setup_text_without_blocks(before, "#");
	own = own_options(clean);
	if (own == NULL) {
		error_set(err, ERROR_CONFIG, "%s: has no transport remote_smtp", path);
		goto out;
	}
	if (find_heading(clean, ROUTER_HEADING, &routers_at, path, err) < 0 ||
		find_heading(clean, TRANSPORT_HEADING, &transports_at, path, err) < 0)
		goto out;
	if (routers_at >= transports_at) {
		error_set(err, ERROR_CONFIG, "%s: routers stand behind transports", path);
		goto out;
	}
	lines = make_routers(u);
	router_block = setup_block("#", lines);
	free(lines);
	lines = make_transports(own);
	transport_block = setup_block("#", lines);
	free(lines);
	half = setup_text_insert(clean, transports_at, transport_block);
	setup_files_add(&u->files, path, before, setup_text_insert(half, routers_at, router_block),
		xasprintf("%s\n%s", router_block, transport_block));
	free(half);
	before = NULL;
	rc = 0;
out:
	free(router_block);
	free(transport_block);
	free(own);
	free(clean);
	free(before);
	free(path);
	return rc;
}

/* Out of one file, where it is there: our blocks, or all of it when it is ours. */
static int
plan_without(struct setup_exim *u, const char *name, bool ours, struct error *err)
{
	char *path = in_dir(u, name), *before = NULL;
	int rc = 0;

	if (file_exists(path)) {
		before = setup_file_read(path, err);
		rc = before == NULL ? -1 : 0;
	}
	if (before != NULL)
		setup_files_add(&u->files, path, before,
			ours ? NULL : setup_text_without_blocks(before, "#"), NULL);
	free(path);
	return rc;
}

/* Whatever the configuration has become since: the other form, or one that sends all mail to one
 * host. */
static int
plan_revert(struct setup_exim *u, struct error *err)
{
	return plan_without(u, TEMPLATE, false, err) < 0 ||
			plan_without(u, ROUTER_FILE, true, err) < 0 ||
			plan_without(u, TRANSPORT_FILE, true, err) < 0
		? -1
		: 0;
}

static int
plan(struct setup_exim *u, struct error *err)
{
	int rc = look_at_configuration(u, err);

	if (rc == 0)
		rc = u->split ? plan_split(u, err) : plan_template(u, err);
	if (rc == 0 && u->s->dane != DANE_NO)
		resolver_tell(true, u->options->out);
	return rc;
}

/* The caller frees it. */
static char *
one_line(const char *text)
{
	size_t len = strlen(text);
	struct buf out;
	char *line;

	while (len > 0 && text[len - 1] == '\n')
		len--;
	buf_init(&out, SIZE_MAX);
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n') {
			buf_add_char(&out, text[i]);
			continue;
		}
		buf_add_char(&out, ' ');
		i += strspn(text + i + 1, " \t");
	}
	line = buf_take(&out);
	buf_clear(&out);
	return line;
}

/* update-exim4.conf makes the configuration, has Exim read it, and keeps the old one if it fails. */
static int
make_configuration(void *arg, struct error *err)
{
	const struct setup_exim *u = arg;
	char *file = tool_find(u->s->update_exim, "update-exim4.conf");
	const char *const argv[] = {file, NULL};
	struct tool_result result = {0};
	int rc;

	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "no update-exim4.conf here: is it Debian's Exim?");
	rc = tool_run(argv, TOOL_TIMEOUT_MS, &result, err);
	/* What is wrong stands in the middle of what it says. */
	if (rc == 0 && result.status != 0) {
		char *said = one_line(buf_str(&result.err));

		rc = error_set(err, ERROR_CONFIG, "%s: exit code %d: %s", file, result.status, said);
		free(said);
	}
	tool_result_clear(&result);
	free(file);
	return rc;
}

static int
run(struct setup_exim *u, struct error *err)
{
	int rc;

	if (look_at_program(u, err) < 0)
		return -1;
	rc = u->options->revert ? plan_revert(u, err) : plan(u, err);
	if (rc != 0)
		return rc;
	return setup_files_finish(&u->files, u->s, u->options, make_configuration, u,
		"systemctl reload exim4", err);
}

int
setup_exim(const struct update_settings *s, const struct setup_options *options, struct error *err)
{
	struct setup_exim u = {.s = s, .options = options};
	int rc;

	u.dir = xstrdup(s->exim_dir);
	rc = run(&u, err);
	setup_files_clear(&u.files);
	free(u.dir);
	return rc;
}
