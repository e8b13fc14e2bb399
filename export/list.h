/*
 * list: what a list document says, as plain data shared by its writer and its reader.
 *
 * Format preload25-list-1, canonical layout (design.md section 7): keys sorted, no spaces, one
 * entry per line, "\n" line ends.
 */
#ifndef EXPORT_LIST_H
#define EXPORT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;

#define LIST_FORMAT "preload25-list-1"
/* Octets of one line, newline included: 1,000 patterns of 253 octets would not fit, and none exist.
 */
#define LIST_LINE_MAX ((size_t)64 * 1024)
/* Aliases a reader keeps in memory; the writer makes no more (the most shared policies win). */
#define LIST_ALIASES_MAX 65536
/* Octets of the policies of all aliases together: the other bound on the reader's memory. */
#define LIST_ALIASES_TEXT_MAX ((size_t)16 * 1024 * 1024)
#define LIST_MXS_MAX          256
#define LIST_AUTHOR_MAX       256
#define LIST_VANTAGES_MAX     1000
#define LIST_MAX_AGE_MIN      INT64_C(1)
#define LIST_MAX_AGE_MAX      INT64_C(31557600) /* RFC 8461 section 3.2 */

enum list_mode { LIST_MODE_ENFORCE = 1, LIST_MODE_TESTING };
enum list_source { LIST_SOURCE_MTA_STS = 1, LIST_SOURCE_DANE, LIST_SOURCE_STARTTLS };

/* One policy: the value of an entry without its own confirmation time. */
struct list_policy {
	bool auth_dane, auth_pkix; /* verified for every MX; at least one */
	int64_t max_age_s;
	enum list_mode mode;
	const char *const
		*mxs;     /* sorted by octets, unique, lower case; "*." only as RFC 8461 has it */
	size_t mxs_count; /* at least 1 */
	enum list_source source;
	const char *tls; /* "1.2" or "1.3" */
};

struct list_entry {
	const char *domain;  /* lower-case A-labels, no root dot */
	int64_t confirmed_s; /* the entry's own confirmation; 0: the list's confirmed_since */
	struct list_policy policy;
};

struct list_header {
	const char *author;
	int64_t confirmed_since_s;
	int64_t expires_s;
	int64_t timestamp_s;
	int64_t vantages;
	int64_t version;
};

/* Lower-case letters, digits and inner hyphens in 2 to 127 labels of at most 63 octets, at most 253
 * octets, the last label not all digits: what an entry may be named. */
bool list_domain_valid(const char *name, size_t len);
/* The same, or "*." in front of it. */
bool list_pattern_valid(const char *pattern, size_t len);

/* NULL when sound, else what is wrong with it ("max_age out of range"). */
const char *list_policy_fault(const struct list_policy *policy);
/* The same for a header: author, order of its times, ranges. */
const char *list_header_fault(const struct list_header *header);
bool list_policy_equal(const struct list_policy *a, const struct list_policy *b);
const char *list_mode_name(enum list_mode mode);       /* "enforce", "testing" */
const char *list_source_name(enum list_source source); /* "mta-sts", "dane", "starttls" */

/* Appends the policy's canonical text, {"auth":[...],...,"tls":"1.2"}: the value of an entry
 * without a time of its own, and what aliases are named by. The policy must be sound. */
void list_policy_format(const struct list_policy *policy, struct buf *out);

/* The moment from which the entry is no longer in force (confirmed + max_age). */
int64_t list_entry_end(const struct list_header *header, const struct list_entry *entry);

#endif
