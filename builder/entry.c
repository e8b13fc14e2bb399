#include "builder/entry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "export/list.h"
#include "verifier/report.h"

static const char core_start[] = ",\"max_age\":";
static const char core_end[] = ",\"tls\":\"";
static const char enforce[] = ",\"mode\":\"enforce\",";

struct parts {
	bool pkix, dane;
	const char *core; /* from ,"max_age" up to ,"tls", lent */
	size_t core_len;
	const char *tls; /* "1.2" and what follows */
};

static struct parts
split(const char *text)
{
	struct parts p = {0};
	const char *end;

	p.core = strstr(text, core_start);
	end = strstr(text, core_end);
	assert(p.core != NULL && end != NULL && p.core < end);
	p.core_len = (size_t)(end - p.core);
	p.dane = memmem(text, (size_t)(p.core - text), "\"dane\"", 6) != NULL;
	p.pkix = memmem(text, (size_t)(p.core - text), "\"pkix\"", 6) != NULL;
	p.tls = end + sizeof(core_end) - 1;
	assert(strlen(p.tls) == strlen("1.2\"}"));
	return p;
}

static const char *
join(const struct parts *p, struct arena *arena)
{
	const char *auth = p->dane && p->pkix ? "\"dane\",\"pkix\""
		: p->dane                     ? "\"dane\""
					      : "\"pkix\"";

	if (!p->dane && !p->pkix)
		return NULL;
	return arena_printf(arena, "{\"auth\":[%s]%.*s,\"tls\":\"%.3s\"}", auth, (int)p->core_len,
		p->core, p->tls);
}

const char *
entry_from_report(const struct report *report, struct arena *arena)
{
	struct list_policy policy = {
		.auth_dane = report->auth_dane,
		.auth_pkix = report->auth_pkix,
		.max_age_s = report->max_age_s,
		.mxs = report->mxs,
		.mxs_count = report->mxs_count,
		.tls = report->tls_version >= 13 ? "1.3" : "1.2",
	};
	struct buf text;
	const char *result = NULL;

	if (!report->eligible || report->verdict != VERDICT_PASS)
		return NULL;
	switch (report->mode) {
	case POLICY_MODE_ENFORCE:
		policy.mode = LIST_MODE_ENFORCE;
		break;
	case POLICY_MODE_TESTING:
		policy.mode = LIST_MODE_TESTING;
		break;
	case POLICY_MODE_NONE:
	case POLICY_MODE_ABSENT:
		return NULL;
	}
	switch (report->source) {
	case SOURCE_MTA_STS:
		policy.source = LIST_SOURCE_MTA_STS;
		break;
	case SOURCE_DANE:
		policy.source = LIST_SOURCE_DANE;
		break;
	case SOURCE_STARTTLS:
		policy.source = LIST_SOURCE_STARTTLS;
		break;
	case SOURCE_NONE:
		return NULL;
	}
	if (list_policy_fault(&policy) != NULL)
		return NULL;
	buf_init(&text, LIST_LINE_MAX);
	list_policy_format(&policy, &text);
	if (!buf_failed(&text))
		result = arena_strdup(arena, buf_str(&text));
	buf_clear(&text);
	return result;
}

bool
entry_same_core(const char *a, const char *b)
{
	struct parts x = split(a);
	struct parts y = split(b);

	return x.core_len == y.core_len && memcmp(x.core, y.core, x.core_len) == 0;
}

const char *
entry_merge(const char *const *texts, size_t count, struct arena *arena)
{
	struct parts all = split(texts[0]);

	for (size_t i = 1; i < count; i++) {
		struct parts p = split(texts[i]);

		all.dane = all.dane && p.dane;
		all.pkix = all.pkix && p.pkix;
		if (strcmp(p.tls, all.tls) < 0)
			all.tls = p.tls;
	}
	return join(&all, arena);
}

const char *
entry_lower_tls(const char *text, const char *before, struct arena *arena)
{
	struct parts p = split(text);
	struct parts old = split(before);

	if (strcmp(old.tls, p.tls) >= 0)
		return text;
	p.tls = old.tls;
	return join(&p, arena);
}

const char *
entry_demote(const char *text, struct arena *arena)
{
	const char *at = strstr(text, enforce);

	if (at == NULL)
		return text;
	return arena_printf(arena, "%.*s,\"mode\":\"testing\",%s", (int)(at - text), text,
		at + sizeof(enforce) - 1);
}

int64_t
entry_max_age(const char *text)
{
	const char *at = strstr(text, core_start);

	assert(at != NULL);
	return strtoll(at + sizeof(core_start) - 1, NULL, 10);
}

bool
entry_is_enforce(const char *text)
{
	return strstr(text, enforce) != NULL;
}

bool
entry_is_mta_sts(const char *text)
{
	return strstr(text, ",\"source\":\"mta-sts\",") != NULL;
}
