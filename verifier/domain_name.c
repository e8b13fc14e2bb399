#include "verifier/domain_name.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>
#include <libpsl.h>

#include "common/arena.h"
#include "common/idna.h"
#include "common/str.h"
#include "verifier/finding.h"

/* R1.15: RFC 6761, 7686, 8375, 9476 and the reverse trees. */
static const char *const special_use[] = {"test", "invalid", "example", "localhost", "local",
	"onion", "alt", "internal", "home.arpa", "in-addr.arpa", "ip6.arpa"};

/* UTF-8 of what Unicode calls White_Space, as it comes with pasted text. */
static const char *const white_space[] = {" ", "\t", "\n", "\v", "\f", "\r", "\xc2\x85", "\xc2\xa0",
	"\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
	"\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
	"\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
	"\xe2\x81\x9f", "\xe3\x80\x80"};

/* The full stops of UTS #46 besides the ASCII one. */
static const char *const full_stops[] = {"\xe3\x80\x82", "\xef\xbc\x8e", "\xef\xbd\xa1"};

/* libpsl's functions ask for a list; Debian's library has one built in. */
static const psl_ctx_t *
suffix_list(void)
{
	const psl_ctx_t *psl = psl_builtin();

	assert(psl != NULL);
	return psl;
}

static bool
label_is_ldh(const char *label, size_t len)
{
	if (len < 1 || len > DOMAIN_LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!str_is_alnum((unsigned char)label[i]) && label[i] != '-')
			return false;
	}
	return true;
}

bool
domain_name_is_ldh(const char *name, size_t len)
{
	size_t start = 0;

	if (len < 1 || len > DOMAIN_NAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && name[i] != '.')
			continue;
		if (!label_is_ldh(name + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

/* R1.14 */
static bool
last_label_is_number(const char *name, size_t len)
{
	size_t start = len;
	size_t digits = 0;

	while (start > 0 && name[start - 1] != '.')
		start--;
	if (start == len)
		return false;
	if (len - start >= 2 && name[start] == '0' && str_lower(name[start + 1]) == 'x') {
		for (size_t i = start + 2; i < len; i++) {
			char c = str_lower(name[i]);

			if (!str_is_digit((unsigned char)c) && (c < 'a' || c > 'f'))
				return false;
		}
		return true;
	}
	while (start + digits < len && str_is_digit((unsigned char)name[start + digits]))
		digits++;
	return start + digits == len;
}

static bool
is_address(const char *name, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char octets[16];
	const char *zone = memchr(name, '%', len);

	if (len == 0)
		return false;
	if (name[0] == '[') {
		static const char tag[] = "IPv6:";
		size_t tag_len = sizeof(tag) - 1;

		if (name[len - 1] != ']')
			return false;
		name++;
		len -= 2;
		if (len > tag_len && str_ieq(name, tag_len, tag, tag_len)) {
			name += tag_len;
			len -= tag_len;
		}
	} else if (zone != NULL) {
		len = (size_t)(zone - name);
	}
	if (len == 0 || len >= sizeof(text) || memchr(name, '\0', len) != NULL)
		return false;
	memcpy(text, name, len);
	text[len] = '\0';
	return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

bool
domain_name_reads_as_ip(const char *name, size_t len)
{
	if (len > 0 && name[len - 1] == '.')
		len--;
	return len > 0 &&
		(name[0] == '[' || is_address(name, len) || last_label_is_number(name, len));
}

bool
domain_name_is_host(const char *name)
{
	size_t len = strlen(name);

	return domain_name_is_ldh(name, len) && strchr(name, '.') != NULL &&
		!last_label_is_number(name, len);
}

bool
domain_name_is_special_use(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(special_use); i++) {
		size_t n = strlen(special_use[i]);

		if (len >= n && str_ieq(name + len - n, n, special_use[i], n) &&
			(len == n || name[len - n - 1] == '.'))
			return true;
	}
	return false;
}

bool
domain_name_is_icann_suffix(const char *name)
{
	return psl_is_public_suffix2(suffix_list(), name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) ==
		1;
}

bool
domain_name_is_public_suffix(const char *name)
{
	return strchr(name, '.') == NULL || psl_is_public_suffix(suffix_list(), name) == 1;
}

const char *
domain_name_registrable(const char *host)
{
	const char *domain = NULL;

	if (!domain_name_reads_as_ip(host, strlen(host)))
		domain = psl_registrable_domain(suffix_list(), host);
	return domain != NULL ? domain : host;
}

bool
domain_name_is_subdomain(const char *name)
{
	return domain_name_registrable(name) != name;
}

/* --- what a person typed -----------------------------------------------------------------------
 */

/* One name on its way through the rules. */
struct judging {
	struct finding_list *findings;
	const char *shown; /* as typed, escaped: the subject */
};

#define REJECT(j, code, fix, ...) \
	(finding_add_usual((j)->findings, code, (j)->shown, fix, __VA_ARGS__), -1)

/* The piece of table[] with which text begins, or 0. */
static size_t
prefix_of(const char *text, size_t len, const char *const *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(table[i]);

		if (len >= n && memcmp(text, table[i], n) == 0)
			return n;
	}
	return 0;
}

static void
trim(const char **text, size_t *len)
{
	size_t n;

	while ((n = prefix_of(*text, *len, white_space, ARRAY_LEN(white_space))) > 0) {
		*text += n;
		*len -= n;
	}
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < ARRAY_LEN(white_space); i++) {
			n = strlen(white_space[i]);
			if (*len >= n && memcmp(*text + *len - n, white_space[i], n) == 0) {
				*len -= n;
				again = true;
			}
		}
	}
}

/* R1.5: "https:", "smtp:", but neither "example.com:25" nor the beginning of an IPv6 address. */
static bool
has_scheme(const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	size_t digits = 0;
	size_t n;

	if (colon == NULL || !str_is_alpha((unsigned char)text[0]))
		return false;
	n = (size_t)(colon - text);
	for (size_t i = 0; i < n; i++) {
		if (!str_is_alnum((unsigned char)text[i]) && text[i] != '+' && text[i] != '-')
			return false;
	}
	while (n + 1 + digits < len && str_is_digit((unsigned char)text[n + 1 + digits]))
		digits++;
	return n + 1 + digits < len;
}

/* R1.4 to R1.6: other things that people paste. */
static int
refuse_other_things(struct judging *j, const char *text, size_t len)
{
	static const char mailto[] = "mailto:";
	size_t mailto_len = sizeof(mailto) - 1;
	const char *at = memchr(text, '@', len);

	if (is_address(text, len))
		return REJECT(j, "domain-ip-literal", NULL, "%s is an IP address", j->shown);
	if (memmem(text, len, "://", 3) != NULL)
		return REJECT(j, "domain-is-url", NULL, "%s is a URL", j->shown);
	if (at != NULL || (len >= mailto_len && str_ieq(text, mailto_len, mailto, mailto_len)))
		return REJECT(j, "domain-is-address", NULL, "%s is a mail address", j->shown);
	if (memchr(text, '/', len) != NULL || has_scheme(text, len))
		return REJECT(j, "domain-is-url", NULL, "%s is a URL or has a path", j->shown);
	return 0;
}

/* R1.7: names of records typed in place of the domain. */
static const char *
without_record_prefix(const char *text)
{
	static const char *const prefixes[] = {
		"_mta-sts.", "_smtp._tls.", "_25._tcp.", "_preload25.", "_dmarc.", "*."};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (strlen(text) > n && str_ieq(text, n, prefixes[i], n) &&
			domain_name_is_ldh(text + n, strlen(text + n)))
			return text + n;
	}
	return NULL;
}

/* R1.7 to R1.9 on the ASCII part of the name, before mapping can hide anything: libidn2 drops some
 * ASCII characters when asked for STD3 rules, and lets them pass when not asked. */
static int
check_typed(struct judging *j, const char *name)
{
	size_t start = 0;
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x80 && !str_is_alnum(c) && c != '-' && c != '.') {
			const char *inner = without_record_prefix(name);
			const char *fix = NULL;

			if (inner != NULL)
				fix = arena_printf(j->findings->arena,
					"Enter the mail domain itself: %s", inner);
			return REJECT(j, "domain-bad-character", fix, "%s holds the character %s",
				j->shown,
				c == ' ' ? "blank"
					 : finding_quote(j->findings->arena, name + i, 1));
		}
	}
	for (size_t i = 0; i <= len; i++) {
		size_t n = i - start;

		if (i < len && name[i] != '.')
			continue;
		if (n == 0)
			return REJECT(
				j, "domain-empty-label", NULL, "%s has an empty label", j->shown);
		if (name[start] == '-' || name[i - 1] == '-')
			return REJECT(j, "domain-bad-hyphen", NULL,
				"a label of %s begins or ends with a hyphen", j->shown);
		if (n >= 4 && memcmp(name + start + 2, "--", 2) == 0 &&
			!str_ieq(name + start, 2, "xn", 2))
			return REJECT(j, "domain-bad-hyphen", NULL,
				"a label of %s has hyphens in positions 3 and 4", j->shown);
		start = i + 1;
	}
	return 0;
}

/* R1.10, R1.11: the A-label form; *out is to be freed. */
static int
map(struct judging *j, const char *name, char **out)
{
	int code;

	switch (idna_to_ascii(name, out, &code)) {
	case 0:
		return 0;
	case 1:
		return REJECT(j, "domain-bad-character", NULL,
			"%s holds a character that host names do not have", j->shown);
	}
	switch (code) {
	case IDN2_TOO_BIG_LABEL:
		return REJECT(j, "domain-label-too-long", NULL,
			"a label of %s is longer than 63 octets in its A-label form", j->shown);
	case IDN2_TOO_BIG_DOMAIN:
		return REJECT(j, "domain-too-long", NULL, "%s is longer than 253 octets", j->shown);
	case IDN2_HYPHEN_STARTEND:
	case IDN2_2HYPHEN:
		return REJECT(j, "domain-bad-hyphen", NULL,
			"a label of %s has a hyphen where none may be", j->shown);
	default:
		return REJECT(
			j, "domain-idna-invalid", NULL, "%s: %s", j->shown, idn2_strerror(code));
	}
}

/* R1.7, R1.8, R1.11 again on the result, in which mapping may have put anything. */
static int
check_mapped(struct judging *j, const char *ascii)
{
	size_t len = strlen(ascii);
	size_t start = 0;

	if (len == 0)
		return REJECT(j, "domain-empty", NULL, "nothing is left of %s", j->shown);
	if (is_address(ascii, len))
		return REJECT(j, "domain-ip-literal", NULL, "%s is an IP address", j->shown);
	for (size_t i = 0; i <= len; i++) {
		if (i < len && ascii[i] != '.')
			continue;
		if (i - start == 0)
			return REJECT(
				j, "domain-empty-label", NULL, "%s has an empty label", j->shown);
		if (i - start > DOMAIN_LABEL_MAX)
			return REJECT(j, "domain-label-too-long", NULL,
				"a label of %s is longer than 63 octets", j->shown);
		start = i + 1;
	}
	if (len > DOMAIN_NAME_MAX)
		return REJECT(j, "domain-too-long", NULL, "%s is longer than 253 octets", j->shown);
	if (!domain_name_is_ldh(ascii, len))
		return REJECT(j, "domain-bad-character", NULL,
			"%s holds a character that host names do not have", j->shown);
	return 0;
}

/* R1.12 to R1.18 */
static int
judge_name(struct judging *j, const char *name, bool allow_special_use)
{
	if (strlen(name) > DOMAIN_NAME_MTA_STS_MAX)
		finding_add_usual(j->findings, "domain-too-long-for-mta-sts", j->shown, NULL,
			"the name has %zu octets", strlen(name));
	if (last_label_is_number(name, strlen(name)))
		return REJECT(
			j, "domain-numeric-tld", NULL, "the last label of %s is a number", name);
	if (!allow_special_use && domain_name_is_special_use(name))
		return REJECT(
			j, "domain-special-use", NULL, "%s is reserved for special use", name);
	if (strchr(name, '.') == NULL)
		return REJECT(j, "domain-single-label", NULL, "%s has one label only", name);
	if (domain_name_is_icann_suffix(name))
		return REJECT(j, "domain-public-suffix", NULL,
			"%s is a public suffix, under which others register domains", name);
	if (psl_is_public_suffix2(suffix_list(), name, PSL_TYPE_PRIVATE | PSL_TYPE_NO_STAR_RULE) ==
		1)
		finding_add_usual(j->findings, "domain-private-suffix", j->shown, NULL,
			"%s is a suffix under which an organisation gives names to others", name);
	else if (domain_name_is_subdomain(name))
		finding_add_usual(j->findings, "domain-is-subdomain", j->shown, NULL,
			"%s is below %s and stands for itself: neither policy nor listing of %s "
			"covers it",
			name, domain_name_registrable(name), domain_name_registrable(name));
	return 0;
}

int
domain_name_parse(const char *typed, size_t len, bool allow_special_use,
	struct finding_list *findings, char out[static DOMAIN_NAME_SIZE])
{
	struct judging j = {
		.findings = findings, .shown = finding_quote(findings->arena, typed, len)};
	char *name;
	char *ascii = NULL;
	size_t used = 0;
	int rc = -1;

	if (len > DOMAIN_NAME_INPUT_MAX)
		return REJECT(&j, "domain-too-long", NULL, "the input has %zu octets", len);
	if (!str_is_utf8(typed, len))
		return REJECT(&j, "domain-bad-encoding", NULL, "%s is not UTF-8", j.shown);
	trim(&typed, &len);
	if (len == 0)
		return REJECT(&j, "domain-empty", NULL, "nothing was entered");
	j.shown = finding_quote(findings->arena, typed, len);
	if (memchr(typed, '\0', len) != NULL)
		return REJECT(&j, "domain-bad-character", NULL, "%s holds a NUL", j.shown);
	if (refuse_other_things(&j, typed, len) < 0)
		return -1;

	name = arena_calloc(findings->arena, len + 1, 1);
	for (size_t i = 0; i < len;) {
		size_t n = prefix_of(typed + i, len - i, full_stops, ARRAY_LEN(full_stops));

		name[used++] = n > 0 ? '.' : typed[i];
		i += n > 0 ? n : 1;
	}
	if (name[used - 1] == '.') /* the root dot */
		name[--used] = '\0';
	if (used == 0)
		return REJECT(&j, "domain-empty", NULL, "nothing was entered but a dot");
	if (is_address(name, used))
		return REJECT(&j, "domain-ip-literal", NULL, "%s is an IP address", j.shown);
	if (check_typed(&j, name) < 0 || map(&j, name, &ascii) < 0)
		return -1;
	str_lower_all(ascii);
	if (check_mapped(&j, ascii) < 0 || judge_name(&j, ascii, allow_special_use) < 0)
		goto out;
	memcpy(out, ascii, strlen(ascii) + 1);
	rc = 0;
out:
	free(ascii);
	return rc;
}
