#include "export/list_writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_aliases.h"

/* Digested and written in pieces of this size; larger than file_writer's own buffer, so that the
 * octets are not copied twice. */
#define OUT_SIZE ((size_t)256 * 1024)

static const char auth_start[] = "{\"auth\":[";

struct list_writer {
	struct file_writer *file;
	EVP_MD_CTX *digest;
	struct list_aliases *aliases;
	bool sealed; /* aliases are named: entries may come */
	struct list_header header;
	char *author; /* owned, what header.author points to */
	char *out;
	size_t used;
	struct list_made made;
	char last_domain[254];
	struct error first; /* the first failure */
};

static void
fail(struct list_writer *w, const char *subject, const char *what)
{
	if (w->first.kind == ERROR_NONE)
		error_set(&w->first, ERROR_INPUT, "%s: %s", subject, what);
}

static void
flush(struct list_writer *w)
{
	if (EVP_DigestUpdate(w->digest, w->out, w->used) != 1)
		abort();
	file_writer_add(w->file, w->out, w->used);
	w->made.length += (int64_t)w->used;
	w->used = 0;
}

static void
put(struct list_writer *w, const void *data, size_t len)
{
	if (len > OUT_SIZE - w->used)
		flush(w);
	memcpy(w->out + w->used, data, len);
	w->used += len;
}

static void
put_str(struct list_writer *w, const char *s)
{
	put(w, s, strlen(s));
}

static void
put_time(struct list_writer *w, const char *key, int64_t time_s)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(time_s, text);
	put_str(w, key);
	put(w, text, sizeof(text) - 1);
}

static void
put_int(struct list_writer *w, const char *key, int64_t value)
{
	char text[24];

	put_str(w, key);
	put(w, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

static void
put_header(struct list_writer *w)
{
	put_str(w, "{\"author\":\"");
	for (const char *p = w->author; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			put(w, "\\", 1);
		put(w, p, 1);
	}
	put_time(w, "\",\"confirmed_since\":\"", w->header.confirmed_since_s);
	put_time(w, "\",\"expires\":\"", w->header.expires_s);
	put_str(w, "\",\"format\":\"" LIST_FORMAT "\",\"policies\":{\n");
}

int
list_writer_open(const char *path, const struct list_header *header, struct list_writer **out,
	struct error *err)
{
	const char *fault = list_header_fault(header);
	struct list_writer *w;

	*out = NULL;
	if (fault != NULL)
		return error_set(err, ERROR_CONFIG, "list header: %s", fault);
	w = xcalloc(1, sizeof(*w));
	w->digest = EVP_MD_CTX_new();
	if (w->digest == NULL || EVP_DigestInit_ex(w->digest, EVP_sha256(), NULL) != 1)
		abort();
	w->aliases = list_aliases_new();
	w->header = *header;
	w->author = xstrdup(header->author);
	w->header.author = w->author;
	w->out = xcalloc(1, OUT_SIZE);
	if (file_writer_open(path, 0644, &w->file, err) < 0) {
		list_writer_free(w);
		return -1;
	}
	put_header(w);
	*out = w;
	return 0;
}

bool
list_writer_share(struct list_writer *w, const char *text, size_t len)
{
	if (w->sealed)
		fail(w, "list", "a policy shared after the first entry");
	return list_aliases_add(w->aliases, text, len) != NULL;
}

static void
seal(struct list_writer *w)
{
	struct error err = {0};

	if (w->sealed)
		return;
	w->sealed = true;
	if (list_aliases_seal(w->aliases, &err) < 0 && w->first.kind == ERROR_NONE)
		w->first = err;
}

static bool
same_text(const struct list_alias *alias, const void *text)
{
	return memcmp(alias->text, text, alias->len) == 0;
}

/* The policy with its own confirmation time in its sorted place, behind "auth". */
static void
put_troubled(struct list_writer *w, int64_t confirmed_s, const char *text, size_t len)
{
	const char *end = memchr(text, ']', len);
	size_t head = end != NULL ? (size_t)(end - text) + 1 : len;

	put(w, text, head);
	put_time(w, ",\"confirmed\":\"", confirmed_s);
	put(w, "\"", 1);
	put(w, text + head, len - head);
	w->made.troubled++;
}

void
list_writer_add(struct list_writer *w, const char *domain, int64_t confirmed_s, const char *text,
	size_t len)
{
	size_t domain_len = strlen(domain);
	struct list_alias *alias = NULL;

	seal(w);
	if (w->first.kind != ERROR_NONE)
		return;
	if (!list_domain_valid(domain, domain_len)) {
		fail(w, domain, "not a domain name for the list");
		return;
	}
	if (w->made.entries > 0 && strcmp(w->last_domain, domain) >= 0) {
		fail(w, domain, "entries are not in order");
		return;
	}
	if (confirmed_s < 0 || (confirmed_s > 0 && confirmed_s >= w->header.confirmed_since_s)) {
		fail(w, domain, "its own confirmation is not older than the list's");
		return;
	}
	/* Quotes, colon, confirmation, comma and newline: less than 64 octets. */
	if (len < sizeof(auth_start) || memcmp(text, auth_start, sizeof(auth_start) - 1) != 0 ||
		text[len - 1] != '}' || len + domain_len + 64 > LIST_LINE_MAX) {
		fail(w, domain, "not a policy, or one too long for a line");
		return;
	}
	put(w, ",\n\"", 3);
	if (w->made.entries == 0) {
		w->used -= 3;
		put(w, "\"", 1);
	}
	put(w, domain, domain_len);
	put(w, "\":", 2);
	if (confirmed_s == 0 && list_aliases_count(w->aliases) > 0)
		alias = list_aliases_find_hash(
			w->aliases, list_text_hash(text, len), len, same_text, text);
	if (alias != NULL) {
		alias->uses++;
		put_str(w, "{\"policy-alias\":\"");
		put_str(w, alias->id);
		put(w, "\"}", 2);
	} else if (confirmed_s != 0) {
		put_troubled(w, confirmed_s, text, len);
	} else {
		put(w, text, len);
	}
	memcpy(w->last_domain, domain, domain_len + 1);
	w->made.entries++;
}

void
list_writer_add_entry(struct list_writer *w, const struct list_entry *entry)
{
	const char *fault = list_policy_fault(&entry->policy);
	struct buf text;

	if (fault != NULL) {
		fail(w, entry->domain, fault);
		return;
	}
	buf_init(&text, LIST_LINE_MAX);
	list_policy_format(&entry->policy, &text);
	if (buf_failed(&text))
		fail(w, entry->domain, "policy too long for a line");
	else
		list_writer_add(w, entry->domain, entry->confirmed_s, text.data, text.len);
	buf_clear(&text);
}

static void
put_aliases(struct list_writer *w)
{
	size_t count = list_aliases_count(w->aliases);

	for (size_t i = 0; i < count; i++) {
		const struct list_alias *a = list_aliases_nth(w->aliases, i);

		if (a->uses < 2)
			fail(w, a->id, "an alias that fewer than two entries use");
		put(w, "\"", 1);
		put_str(w, a->id);
		put(w, "\":", 2);
		put(w, a->text, a->len);
		put(w, ",\n", i + 1 < count ? 2 : 0);
	}
	if (count > 0)
		put(w, "\n", 1);
	w->made.aliases = (int64_t)count;
}

int
list_writer_commit(struct list_writer *w, struct list_made *made, struct error *err)
{
	uint8_t sha256[32];

	seal(w);
	if (w->made.entries > 0)
		put(w, "\n", 1);
	put_str(w, "},\"policy-aliases\":{\n");
	put_aliases(w);
	put_time(w, "},\"timestamp\":\"", w->header.timestamp_s);
	put_int(w, "\",\"vantages\":", w->header.vantages);
	put_int(w, ",\"version\":", w->header.version);
	put_str(w, "}\n");
	flush(w);
	if (EVP_DigestFinal_ex(w->digest, sha256, NULL) != 1)
		abort();
	if (w->first.kind != ERROR_NONE) {
		*err = w->first;
		return -1;
	}
	str_hex(sha256, sizeof(sha256), w->made.sha256);
	if (file_writer_commit(w->file, err) < 0)
		return -1;
	if (made != NULL)
		*made = w->made;
	return 0;
}

void
list_writer_free(struct list_writer *w)
{
	if (w == NULL)
		return;
	file_writer_free(w->file);
	EVP_MD_CTX_free(w->digest);
	list_aliases_free(w->aliases);
	free(w->author);
	free(w->out);
	free(w);
}
