#include "updater/postfix_policy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/str.h"
#include "export/list.h"

#define VERSION_PART_MAX 9999

const char *
postfix_format_name(enum postfix_format format)
{
	return format == POSTFIX_FORMAT_STS ? "sts" : "plain";
}

/* "match=" wants ".example.net" where the list has "*.example.net": the latter never matches. */
static void
add_match(const struct list_policy *p, struct buf *out)
{
	buf_add_str(out, " match=");
	for (size_t i = 0; i < p->mxs_count; i++) {
		const char *name = p->mxs[i];

		if (i > 0)
			buf_add_char(out, ':');
		buf_add_str(out, name[0] == '*' ? name + 1 : name);
	}
}

void
postfix_policy_format(const struct list_entry *entry, enum choice choice,
	enum postfix_format format, struct buf *out)
{
	const struct list_policy *p = &entry->policy;

	assert(choice == CHOICE_PKIX || choice == CHOICE_DANE);
	if (choice == CHOICE_PKIX) {
		buf_add_str(out, "secure");
		add_match(p, out);
		/* Without it no SNI is sent, and servers that have several names fail. */
		buf_add_str(out, " servername=hostname");
	} else {
		/* Never "dane": it falls back to clear text when there is no TLSA record. */
		buf_add_str(out, "dane-only");
	}
	if (format == POSTFIX_FORMAT_STS) {
		buf_add_str(out, " policy_type=sts policy_domain=");
		buf_add_str(out, entry->domain);
		for (size_t i = 0; i < p->mxs_count; i++) {
			buf_add_str(out, " mx_host_pattern=");
			buf_add_str(out, p->mxs[i]);
		}
		if (choice == CHOICE_PKIX)
			buf_add_str(out,
				" { policy_string = version: STSv1 }"
				" { policy_string = mode: enforce }");
	}
}

/* A decimal number at *p, which moves behind it. */
static int
take_number(const char **p, unsigned *out)
{
	size_t len = strspn(*p, "0123456789");
	uint64_t value;

	if (str_parse_u64(*p, len, VERSION_PART_MAX, &value) < 0)
		return -1;
	*out = (unsigned)value;
	*p += len;
	return 0;
}

int
postfix_version_parse(const char *text, struct postfix_version *out)
{
	const char *p = text;

	memset(out, 0, sizeof(*out));
	if (take_number(&p, &out->major) < 0 || *p++ != '.' || take_number(&p, &out->minor) < 0)
		return -1;
	if (*p == '.') {
		p++;
		if (take_number(&p, &out->patch) < 0)
			return -1;
	}
	/* "-RC1", "-20250101" and the like: a release to come, so taken for the oldest of its
	 * series. */
	return *p == '\0' || *p == '-' ? 0 : -1;
}

bool
postfix_version_at_least(
	const struct postfix_version *v, unsigned major, unsigned minor, unsigned patch)
{
	if (v->major != major)
		return v->major > major;
	if (v->minor != minor)
		return v->minor > minor;
	return v->patch >= patch;
}

enum postfix_format
postfix_format_for(const struct postfix_version *v)
{
	return postfix_version_at_least(v, 3, 10, 5) ? POSTFIX_FORMAT_STS : POSTFIX_FORMAT_PLAIN;
}
