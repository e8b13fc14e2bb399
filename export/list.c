#include "export/list.h"

#include <inttypes.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/str.h"

#define NAME_MAX_OCTETS  253
#define LABEL_MAX_OCTETS 63

static bool
is_label_octet(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* "123" and "0x1f": what address parsers read as part of an IPv4 address. */
static bool
looks_numeric(const char *label, size_t len)
{
	bool hex = len > 2 && label[0] == '0' && label[1] == 'x';

	for (size_t i = hex ? 2 : 0; i < len; i++)
		if (!str_is_digit(label[i]) && !(hex && label[i] >= 'a' && label[i] <= 'f'))
			return false;
	return true;
}

bool
list_domain_valid(const char *name, size_t len)
{
	size_t start = 0, labels = 0;

	if (len > NAME_MAX_OCTETS)
		return false;
	for (size_t i = 0; i <= len; i++) {
		size_t label_len = i - start;

		if (i < len && name[i] != '.') {
			if (!is_label_octet((unsigned char)name[i]))
				return false;
			continue;
		}
		if (label_len == 0 || label_len > LABEL_MAX_OCTETS || name[start] == '-' ||
			name[i - 1] == '-')
			return false;
		labels++;
		if (i == len)
			return labels >= 2 && !looks_numeric(name + start, label_len);
		start = i + 1;
	}
	return false;
}

bool
list_pattern_valid(const char *pattern, size_t len)
{
	if (len > 2 && pattern[0] == '*' && pattern[1] == '.')
		return list_domain_valid(pattern + 2, len - 2);
	return list_domain_valid(pattern, len);
}

const char *
list_policy_fault(const struct list_policy *p)
{
	if (!p->auth_dane && !p->auth_pkix)
		return "no authentication";
	if (p->max_age_s < LIST_MAX_AGE_MIN || p->max_age_s > LIST_MAX_AGE_MAX)
		return "max_age out of range";
	if (p->mode != LIST_MODE_ENFORCE && p->mode != LIST_MODE_TESTING)
		return "no mode";
	if (p->source != LIST_SOURCE_MTA_STS && p->source != LIST_SOURCE_DANE &&
		p->source != LIST_SOURCE_STARTTLS)
		return "no source";
	if (p->tls == NULL || (strcmp(p->tls, "1.2") != 0 && strcmp(p->tls, "1.3") != 0))
		return "TLS version is neither 1.2 nor 1.3";
	if (p->mxs_count == 0)
		return "no mx patterns";
	if (p->mxs_count > LIST_MXS_MAX)
		return "too many mx patterns";
	for (size_t i = 0; i < p->mxs_count; i++) {
		if (!list_pattern_valid(p->mxs[i], strlen(p->mxs[i])))
			return "an mx pattern is not valid";
		if (i > 0 && strcmp(p->mxs[i - 1], p->mxs[i]) >= 0)
			return "mx patterns are not sorted and unique";
	}
	return NULL;
}

const char *
list_header_fault(const struct list_header *h)
{
	size_t len = h->author != NULL ? strlen(h->author) : 0;

	if (len == 0)
		return "no author";
	if (len > LIST_AUTHOR_MAX)
		return "author too long";
	if (!str_is_utf8(h->author, len))
		return "author is not UTF-8";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)h->author[i] < 0x20 || h->author[i] == 0x7f)
			return "author holds a control character";
	if (h->confirmed_since_s < 0 || h->expires_s > CLOCK_MAX_S)
		return "a time out of range";
	if (h->confirmed_since_s > h->timestamp_s)
		return "confirmed_since after timestamp";
	if (h->expires_s <= h->timestamp_s)
		return "expires not after timestamp";
	if (h->vantages < 1 || h->vantages > LIST_VANTAGES_MAX)
		return "vantages out of range";
	if (h->version < 1 || h->version > INT64_C(9007199254740991))
		return "version out of range";
	return NULL;
}

bool
list_policy_equal(const struct list_policy *a, const struct list_policy *b)
{
	if (a->auth_dane != b->auth_dane || a->auth_pkix != b->auth_pkix ||
		a->max_age_s != b->max_age_s || a->mode != b->mode || a->source != b->source ||
		a->mxs_count != b->mxs_count || strcmp(a->tls, b->tls) != 0)
		return false;
	for (size_t i = 0; i < a->mxs_count; i++)
		if (strcmp(a->mxs[i], b->mxs[i]) != 0)
			return false;
	return true;
}

const char *
list_mode_name(enum list_mode mode)
{
	return mode == LIST_MODE_ENFORCE ? "enforce" : "testing";
}

const char *
list_source_name(enum list_source source)
{
	static const char *const names[] = {
		[LIST_SOURCE_MTA_STS] = "mta-sts",
		[LIST_SOURCE_DANE] = "dane",
		[LIST_SOURCE_STARTTLS] = "starttls",
	};

	return names[source];
}

void
list_policy_format(const struct list_policy *p, struct buf *out)
{
	buf_addf(out, "{\"auth\":[%s%s%s],\"max_age\":%" PRId64 ",\"mode\":\"%s\",\"mxs\":[",
		p->auth_dane ? "\"dane\"" : "", p->auth_dane && p->auth_pkix ? "," : "",
		p->auth_pkix ? "\"pkix\"" : "", p->max_age_s, list_mode_name(p->mode));
	for (size_t i = 0; i < p->mxs_count; i++)
		buf_addf(out, "%s\"%s\"", i > 0 ? "," : "", p->mxs[i]);
	buf_addf(out, "],\"source\":\"%s\",\"tls\":\"%s\"}", list_source_name(p->source), p->tls);
}

int64_t
list_entry_end(const struct list_header *header, const struct list_entry *entry)
{
	int64_t confirmed_s =
		entry->confirmed_s != 0 ? entry->confirmed_s : header->confirmed_since_s;

	/* Behind the last time that there is a text for it would never be seen to end. */
	if (confirmed_s > CLOCK_MAX_S - entry->policy.max_age_s)
		return CLOCK_MAX_S;
	return confirmed_s + entry->policy.max_age_s;
}
