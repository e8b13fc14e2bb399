#include "updater/postfix_holes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/map.h"
#include "updater/postfix.h"
#include "updater/resolver.h"
#include "updater/settings.h"
#include "updater/tool.h"

/* Nobody has a policy for it, unless for everybody (RFC 6761, section 6.4). */
#define NOBODY "nobody.preload25.invalid"

#define POLICY_MAPS "smtp_tls_policy_maps"

enum param {
	P_MAPS,
	P_RELAYHOST,
	P_DEFAULT_TRANSPORT,
	P_FALLBACK,
	P_SENDER_RELAY,
	P_SENDER_TRANSPORT,
	P_TRANSPORT,
	P_HOST_LOOKUP,
	P_PER_SITE,
	P_COUNT
};

static const char *const names[P_COUNT] = {
	[P_MAPS] = POLICY_MAPS,
	[P_RELAYHOST] = "relayhost",
	[P_DEFAULT_TRANSPORT] = "default_transport",
	[P_FALLBACK] = "smtp_fallback_relay",
	[P_SENDER_RELAY] = "sender_dependent_relayhost_maps",
	[P_SENDER_TRANSPORT] = "sender_dependent_default_transport_maps",
	[P_TRANSPORT] = "transport_maps",
	[P_HOST_LOOKUP] = "smtp_host_lookup",
	[P_PER_SITE] = "smtp_tls_per_site",
};

/* What takes mail past the list when master.cf says it otherwise than main.cf. */
static const char *const decisive[] = {POLICY_MAPS, "smtp_tls_CAfile", "smtp_dns_support_level",
	"smtp_fallback_relay", "smtp_host_lookup", "smtp_tls_enforce_sts_mx_patterns",
	"tls_required_enable"};

struct holes {
	const struct update_settings *s;
	FILE *out;
	char *values[P_COUNT]; /* with $names replaced; NULL: unknown to this version */
	char *master;          /* "postconf -P": lines "service/type/name = value" */
};

static const char *
value(const struct holes *h, enum param p)
{
	return h->values[p] != NULL ? h->values[p] : "";
}

static int
look(struct holes *h, const struct update_settings *s, FILE *out, struct error *err)
{
	memset(h, 0, sizeof(*h));
	h->s = s;
	h->out = out;
	if (postfix_ask(s, names, P_COUNT, true, h->values, err) < 0)
		return -1;
	return postfix_conf(s, "-P", NULL, 0, &h->master, err);
}

static void
holes_clear(struct holes *h)
{
	postfix_values_clear(h->values, P_COUNT);
	free(h->master);
}

/* --- master.cf ----------------------------------------------------------------------------------
 */

/* One line of "postconf -P"; all lent, and not ended by NULs. */
struct override {
	const char *service, *name, *value;
	size_t service_len, name_len, value_len;
};

/* The next one from *text on, which moves behind it; false: there is none. */
static bool
next_override(const char **text, struct override *o)
{
	while (**text != '\0') {
		const char *line = *text, *end = line + strcspn(line, "\n"), *slash, *is;

		*text = end + (*end == '\n');
		slash = memchr(line, '/', (size_t)(end - line));
		if (slash != NULL)
			slash = memchr(slash + 1, '/', (size_t)(end - slash - 1));
		is = slash != NULL ? memmem(slash, (size_t)(end - slash), " =", 2) : NULL;
		if (is == NULL)
			continue;
		o->service = line;
		o->service_len = (size_t)(slash - line);
		o->name = slash + 1;
		o->name_len = (size_t)(is - o->name);
		o->value = is + 2;
		o->value += *o->value == ' ';
		o->value_len = (size_t)(end - o->value);
		return true;
	}
	return false;
}

static bool
is_name(const struct override *o, const char *name)
{
	return strlen(name) == o->name_len && memcmp(name, o->name, o->name_len) == 0;
}

/* Other policy maps than main.cf's, and not with them, nor with the list itself. */
static bool
asks_no_list(const struct holes *h, const struct override *o)
{
	char *table = map_table(h->s->kind, h->s->map_file), *text;
	bool others;

	text = xstrndup(o->value, o->value_len);
	others = is_name(o, POLICY_MAPS) && strstr(text, POLICY_MAPS) == NULL &&
		strstr(text, table) == NULL;
	free(text);
	free(table);
	return others;
}

static void
tell_overrides(const struct holes *h)
{
	const char *text = h->master;
	struct override o;

	while (next_override(&text, &o)) {
		bool matters = false;

		for (size_t i = 0; i < ARRAY_LEN(decisive); i++)
			matters = matters || is_name(&o, decisive[i]);
		if (!matters || (is_name(&o, POLICY_MAPS) && !asks_no_list(h, &o)))
			continue;
		fprintf(h->out,
			"! master.cf: %.*s has \"%.*s = %.*s\" of its own%s.\n", (int)o.service_len,
			o.service, (int)o.name_len, o.name, (int)o.value_len, o.value,
			is_name(&o, POLICY_MAPS) ? ": mail that goes by it is not protected by the list"
						 : ", whatever main.cf says");
	}
}

/* --- nothing at all -----------------------------------------------------------------------------
 */

static int
relays_all(const struct holes *h)
{
	const char *hop = strchr(value(h, P_DEFAULT_TRANSPORT), ':');
	enum param p = value(h, P_RELAYHOST)[0] != '\0' ? P_RELAYHOST : P_DEFAULT_TRANSPORT;

	if (p == P_DEFAULT_TRANSPORT && (hop == NULL || hop[1] == '\0'))
		return 0;
	fprintf(h->out,
		"%s = %s: all mail goes there, so the list protects nothing here.\n"
		"Install it on that host. Nothing was changed.\n",
		names[p], value(h, p));
	return 1;
}

static int
goes_by_other_maps(const struct holes *h)
{
	const char *text = h->master, *service = value(h, P_DEFAULT_TRANSPORT);
	size_t len = strcspn(service, ":");
	struct override o;

	while (next_override(&text, &o)) {
		if (o.service_len <= len || memcmp(o.service, service, len) != 0 ||
			o.service[len] != '/' || !asks_no_list(h, &o))
			continue;
		fprintf(h->out,
			"master.cf: %.*s, by which mail goes, has \"" POLICY_MAPS " = %.*s\" of its own, "
			"so the list protects\nnothing here. Take that line out. Nothing was changed.\n",
			(int)o.service_len, o.service, (int)o.value_len, o.value);
		return 1;
	}
	return 0;
}

/* Postfix asks the older tables only while there are no policy maps: whoever has TLS required there would lose it
 * without a word. */
static int
would_end_per_site(const struct holes *h)
{
	const char *tables = value(h, P_PER_SITE);

	if (tables[0] == '\0')
		return 0;
	if (value(h, P_MAPS)[0] != '\0') {
		fprintf(h->out, "! smtp_tls_per_site = %s: Postfix does not ask it beside " POLICY_MAPS ".\n", tables);
		return 0;
	}
	fprintf(h->out,
		"smtp_tls_per_site = %s: Postfix would not ask it any more beside " POLICY_MAPS ", and what it\n"
		"requires would be lost. Write its lines for " POLICY_MAPS " first (MUST is verify, MUST_NOPEERMATCH\n"
		"is encrypt; see postconf(5)), and unset it. Nothing was changed.\n",
		tables);
	return 1;
}

/* One of the maps before ours that answers for whom nobody knows is asked for everybody. */
static int
answers_for_all(const struct holes *h, const char *map)
{
	struct tool_result result = {0};
	struct error why = {0};
	int rc = postfix_map_query(h->s, map, NOBODY, &result, &why);

	if (rc < 0)
		fprintf(h->out, "! %s cannot be asked: %s\n", map, why.text);
	if (rc == 0 && result.status == 0 && result.out.len > 0) {
		fprintf(h->out,
			POLICY_MAPS ": %s answers for every domain (%s: %.*s), before the list is "
			"asked, so it protects\nnothing here. Put it behind the list, or say the same by "
			"smtp_tls_security_level. Nothing was changed.\n",
			map, NOBODY, (int)strcspn(buf_str(&result.out), "\n"),
			buf_str(&result.out));
		rc = 1;
	} else {
		rc = 0; /* nor is there anybody to ask without postmap */
	}
	tool_result_clear(&result);
	return rc;
}

static int
has_map_for_all(const struct holes *h)
{
	char *table = map_table(h->s->kind, h->s->map_file);
	size_t count;
	char **maps = postfix_maps_split(value(h, P_MAPS), &count);
	bool before = true;
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		before = before && strcmp(maps[i], table) != 0;
		if (before && rc == 0)
			rc = answers_for_all(h, maps[i]);
		free(maps[i]);
	}
	free(maps);
	free(table);
	return rc;
}

/* --- some of it ---------------------------------------------------------------------------------
 */

static void
tell_some(const struct holes *h, const char *ca_file)
{
	static const enum param sends_elsewhere[] = {
		P_SENDER_RELAY, P_SENDER_TRANSPORT, P_TRANSPORT};
	FILE *out = h->out;

	if (value(h, P_FALLBACK)[0] != '\0')
		fprintf(out,
			"! smtp_fallback_relay = %s: it receives all mail that the list holds back, "
			"under no policy.\n  Unset it, or give it a line with the level secure in a map "
			"of your own.\n",
			value(h, P_FALLBACK));
	for (size_t i = 0; i < ARRAY_LEN(sends_elsewhere); i++)
		if (value(h, sends_elsewhere[i])[0] != '\0')
			fprintf(out,
				"! %s is set: what it sends to another next hop is not protected by the "
				"list.\n",
				names[sends_elsewhere[i]]);
	if (h->values[P_HOST_LOOKUP] != NULL && strstr(value(h, P_HOST_LOOKUP), "dns") == NULL)
		fprintf(out, "! smtp_host_lookup = %s: DNSSEC needs dns in it.\n",
			value(h, P_HOST_LOOKUP));
	tell_overrides(h);
	if (!file_exists(ca_file))
		fprintf(out,
			"! %s is not there: all mail to listed domains would wait. Install "
			"ca-certificates, or set [postfix] ca_file.\n",
			ca_file);
	else if (strcmp(ca_file, h->s->ca_file) != 0)
		fprintf(out,
			"! smtp_tls_CAfile = %s: mail to listed domains whose certificates are of other CAs "
			"waits.\n  Put all of %s into it, or unset it.\n",
			ca_file, h->s->ca_file);
	if (h->s->dane != DANE_NO)
		resolver_tell(false, out);
	if (!file_exists(h->s->map_file))
		fprintf(out,
			"! %s is not there yet, and Postfix keeps all mail when a map is missing: run "
			"preload25-update first.\n  (--apply makes an empty map for the time being.)\n",
			h->s->map_file);
}

int
postfix_tell_holes(
	const struct update_settings *s, const char *ca_file, FILE *out, struct error *err)
{
	struct holes h;
	int rc = look(&h, s, out, err);

	if (rc == 0)
		rc = relays_all(&h);
	if (rc == 0)
		rc = goes_by_other_maps(&h);
	if (rc == 0)
		rc = would_end_per_site(&h);
	if (rc == 0)
		rc = has_map_for_all(&h);
	if (rc == 0)
		tell_some(&h, ca_file);
	holes_clear(&h);
	return rc;
}
