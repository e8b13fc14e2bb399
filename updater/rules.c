#include "updater/rules.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/map.h"
#include "updater/typed_domain.h"

#define BLANKS " \t"

struct rules {
	struct arena *arena; /* names, patterns, file names */
	struct rule *items;  /* owned; in the order read, until settled */
	size_t count, room;
	size_t read; /* rules in all, with those that were made void and that for all */
	size_t void_count;
	struct rule all; /* file NULL: there is none */
	bool settled;
};

/* One line, word by word. */
struct line {
	const char *next, *end;
	const char *file; /* in the arena */
	int64_t number;
};

/* --- reading ------------------------------------------------------------------------------------
 */

/* The next word of the line, "" at its end. */
static const char *
take_word(struct line *l, size_t *len)
{
	const char *word;

	while (l->next < l->end && strchr(BLANKS, *l->next) != NULL)
		l->next++;
	word = l->next;
	while (l->next < l->end && strchr(BLANKS, *l->next) == NULL)
		l->next++;
	*len = (size_t)(l->next - word);
	return word;
}

/* So much of a word is shown in a complaint: the precision for "%.*s". */
static int
shown(size_t len)
{
	return len < 60 ? (int)len : 60;
}

static bool
is(const char *word, size_t len, const char *what)
{
	return len == strlen(what) && memcmp(word, what, len) == 0;
}

static int
expect_end(struct line *l, struct error *err)
{
	size_t len;
	const char *word = take_word(l, &len);

	if (len == 0)
		return 0;
	return error_set(err, ERROR_CONFIG, "\"%.*s\": nothing may follow here", shown(len), word);
}

/* After one that takes a domain and could take more. what: "except". */
static int
take_domain(struct rules *r, struct line *l, const char *what, const char **out, struct error *err)
{
	char domain[TYPED_DOMAIN_SIZE];
	size_t len;
	const char *word = take_word(l, &len);

	if (len == 0)
		return error_set(err, ERROR_CONFIG, "%s: no domain", what);
	if (typed_domain(word, len, domain, err) < 0)
		return -1;
	if (strcmp(domain, MAP_SENTINEL) == 0)
		return error_set(err, ERROR_CONFIG, "%s: the updater's own", domain);
	*out = arena_strdup(r->arena, domain);
	return 0;
}

static int
take_date(struct line *l, int64_t *until_s, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];
	size_t len;
	const char *word = take_word(l, &len);
	int64_t day_s;

	(void)snprintf(text, sizeof(text), "%.*sT00:00:00Z", len == 10 ? 10 : 0, word);
	if (clock_parse(text, strlen(text), &day_s) < 0)
		return error_set(err, ERROR_CONFIG,
			"until \"%.*s\": not a day like 2026-12-31", shown(len), word);
	*until_s = day_s + CLOCK_DAY_S;
	return 0;
}

static int
parse_except(struct rules *r, struct line *l, struct rule *out, struct error *err)
{
	size_t len;
	const char *word;

	if (take_domain(r, l, "except", &out->domain, err) < 0)
		return -1;
	word = take_word(l, &len);
	if (len == 0)
		return 0;
	if (!is(word, len, "until")) {
		return error_set(err, ERROR_CONFIG, "\"%.*s\": only until may follow here", shown(len), word);
	}
	if (take_date(l, &out->until_s, err) < 0)
		return -1;
	return expect_end(l, err);
}

/* "*.example.net" or a name, in the list's form. */
static int
pattern_of(const char *word, size_t len, char out[static TYPED_DOMAIN_SIZE + 2], struct error *err)
{
	bool wild = len > 2 && word[0] == '*' && word[1] == '.';

	memcpy(out, "*.", 2);
	if (typed_domain(wild ? word + 2 : word, wild ? len - 2 : len, wild ? out + 2 : out, err) < 0)
		return error_prefix(err, "mx");
	return 0;
}

/* The rest of the line: at least one, sorted, each once. */
static int
take_patterns(struct rules *r, struct line *l, struct rule *out, struct error *err)
{
	const char *mxs[LIST_MXS_MAX];
	size_t count = 0, kept = 0, len;
	const char *word;

	for (word = take_word(l, &len); len > 0; word = take_word(l, &len)) {
		char pattern[TYPED_DOMAIN_SIZE + 2];

		if (count == LIST_MXS_MAX)
			return error_set(err, ERROR_CONFIG, "more than %d mx patterns", LIST_MXS_MAX);
		if (pattern_of(word, len, pattern, err) < 0)
			return -1;
		mxs[count++] = arena_strdup(r->arena, pattern);
	}
	if (count == 0)
		return error_set(err, ERROR_CONFIG, "no mx pattern");
	qsort(mxs, count, sizeof(mxs[0]), str_cmp_ptr);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || strcmp(mxs[kept - 1], mxs[i]) != 0)
			mxs[kept++] = mxs[i];
	out->mxs = arena_memdup(r->arena, mxs, kept * sizeof(mxs[0]));
	out->mxs_count = kept;
	return 0;
}

static int
parse_add(struct rules *r, struct line *l, struct rule *out, struct error *err)
{
	size_t len;
	const char *word;

	if (take_domain(r, l, "add", &out->domain, err) < 0)
		return -1;
	out->auth_pkix = true;
	word = take_word(l, &len);
	if (is(word, len, "auth")) {
		word = take_word(l, &len);
		out->auth_dane = is(word, len, "dane") || is(word, len, "any");
		out->auth_pkix = is(word, len, "pkix") || is(word, len, "any");
		if (!out->auth_dane && !out->auth_pkix)
			return error_set(
				err, ERROR_CONFIG, "auth \"%.*s\": not pkix, dane or any", shown(len), word);
		word = take_word(l, &len);
	}
	if (!is(word, len, "mx")) {
		return error_set(err, ERROR_CONFIG,
			"\"%.*s\": mx and the names of its mail servers must stand here", shown(len), word);
	}
	return take_patterns(r, l, out, err);
}

static int
parse_early(struct rules *r, struct line *l, struct rule *out, struct error *err)
{
	struct line before = *l;
	size_t len;
	const char *word = take_word(l, &len);

	if (!is(word, len, "all")) {
		*l = before;
		if (take_domain(r, l, "early-adopter", &out->domain, err) < 0)
			return -1;
	}
	return expect_end(l, err);
}

static const struct {
	const char *word;
	int (*parse)(struct rules *r, struct line *l, struct rule *out, struct error *err);
} kinds[RULE_KINDS] = {
	[RULE_EXCEPT] = {"except", parse_except},
	[RULE_ADD] = {"add", parse_add},
	[RULE_EARLY] = {"early-adopter", parse_early},
};

static int
keep(struct rules *r, const struct rule *rule, struct error *err)
{
	if (r->read == RULES_MAX)
		return error_set(err, ERROR_CONFIG, "more than %zu rules", RULES_MAX);
	r->read++;
	if (rule->domain == NULL) {
		r->void_count += r->all.file != NULL;
		r->all = *rule;
		return 0;
	}
	if (r->count == r->room) {
		r->room = r->room > 0 ? 2 * r->room : 16;
		r->items = xreallocarray(r->items, r->room, sizeof(*r->items));
	}
	r->items[r->count++] = *rule;
	return 0;
}

static int
parse_line(struct rules *r, struct line *l, struct error *err)
{
	struct rule rule = {.file = l->file, .line = l->number};
	const char *comment, *word;
	size_t len = (size_t)(l->end - l->next);

	if (len > RULES_LINE_MAX)
		return error_set(err, ERROR_CONFIG, "longer than %zu octets", RULES_LINE_MAX);
	if (memchr(l->next, '\0', len) != NULL)
		return error_set(err, ERROR_CONFIG, "NUL byte");
	comment = memchr(l->next, '#', len);
	if (comment != NULL)
		l->end = comment;
	else if (len > 0 && l->end[-1] == '\r')
		l->end--;
	word = take_word(l, &len);
	if (len == 0)
		return 0;
	for (int k = 0; k < RULE_KINDS; k++) {
		if (!is(word, len, kinds[k].word))
			continue;
		rule.kind = (enum rule_kind)k;
		return kinds[k].parse(r, l, &rule, err) < 0 ? -1 : keep(r, &rule, err);
	}
	return error_set(
		err, ERROR_CONFIG, "\"%.*s\": no rule: except, add or early-adopter", shown(len), word);
}

int
rules_add_text(
	struct rules *r, const char *file, const char *text, size_t len, struct error *err)
{
	struct line l = {.file = arena_strdup(r->arena, file)};
	const char *end = text + len;
	int64_t number = 0;

	assert(!r->settled);
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		l.next = text;
		l.end = newline != NULL ? newline : end;
		l.number = ++number;
		if (parse_line(r, &l, err) < 0)
			return error_prefix(err, "%s:%" PRId64, file, number);
		text = newline != NULL ? newline + 1 : end;
	}
	return 0;
}

struct rules *
rules_new(void)
{
	struct rules *r = xcalloc(1, sizeof(*r));

	r->arena = arena_new();
	return r;
}

void
rules_free(struct rules *r)
{
	if (r == NULL)
		return;
	arena_free(r->arena);
	free(r->items);
	free(r);
}

/* --- order --------------------------------------------------------------------------------------
 */

static int
compare_key(const struct rule *a, enum rule_kind kind, const char *domain)
{
	int order = strcmp(a->domain, domain);

	return order != 0 ? order : (a->kind > kind) - (a->kind < kind);
}

/* The later one behind the earlier: files are read in order, so that addresses tell them apart. */
static int
compare(const void *x, const void *y)
{
	const struct rule *const *a = x, *const *b = y;
	int order = compare_key(*a, (*b)->kind, (*b)->domain);

	return order != 0 ? order : (*a > *b) - (*a < *b);
}

void
rules_settle(struct rules *r)
{
	const struct rule **order = xcalloc(r->count + 1, sizeof(const struct rule *));
	struct rule *sorted = xcalloc(r->count + 1, sizeof(*sorted));
	size_t kept = 0;

	assert(!r->settled);
	for (size_t i = 0; i < r->count; i++)
		order[i] = &r->items[i];
	qsort(order, r->count, sizeof(*order), compare);
	for (size_t i = 0; i < r->count; i++) {
		if (kept > 0 &&
			compare_key(order[i], sorted[kept - 1].kind, sorted[kept - 1].domain) == 0)
			kept--;
		sorted[kept++] = *order[i];
	}
	r->void_count += r->count - kept;
	free(r->items);
	free(order);
	r->items = sorted;
	r->count = r->room = kept;
	r->settled = true;
}

/* --- files --------------------------------------------------------------------------------------
 */

static int
load_file(struct rules *r, const char *path, bool must_exist, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, RULES_FILE_MAX);
	rc = must_exist ? file_read(path, &text, err) : file_read_if_exists(path, &text, err);
	/* Too large is the administrator's to mend as well. */
	if (rc < 0 && err->kind == ERROR_INPUT)
		err->kind = ERROR_CONFIG;
	if (rc >= 0)
		rc = rules_add_text(r, path, buf_str(&text), text.len, err);
	buf_clear(&text);
	return rc < 0 ? -1 : 0;
}

static int
is_rules_file(const struct dirent *e)
{
	return e->d_name[0] != '.' && str_ends(e->d_name, ".rules");
}

static int
compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
load_dir(struct rules *r, const struct rules_from *from, struct error *err)
{
	struct dirent **names = NULL;
	int count = scandir(from->dir, &names, is_rules_file, compare_names);
	int rc = 0;

	if (count < 0) {
		if (errno == ENOENT && !from->dir_must_exist)
			return 0;
		return error_set_errno(err, ERROR_CONFIG, "%s", from->dir);
	}
	if (count > RULES_FILES_MAX)
		rc = error_set(err, ERROR_CONFIG, "%s: more than %d files", from->dir, RULES_FILES_MAX);
	for (int i = 0; i < count; i++) {
		char *path = xasprintf("%s/%s", from->dir, names[i]->d_name);

		if (rc == 0)
			rc = load_file(r, path, true, err);
		free(path);
		free(names[i]);
	}
	free(names);
	return rc;
}

int
rules_load(const struct rules_from *from, struct rules **out, struct error *err)
{
	struct rules *r = rules_new();

	*out = NULL;
	if ((from->file != NULL && load_file(r, from->file, from->file_must_exist, err) < 0) ||
		(from->dir != NULL && load_dir(r, from, err) < 0)) {
		rules_free(r);
		return -1;
	}
	rules_settle(r);
	*out = r;
	return 0;
}

/* --- asking -------------------------------------------------------------------------------------
 */

size_t
rules_count(const struct rules *r)
{
	return r != NULL ? r->count : 0;
}

const struct rule *
rules_nth(const struct rules *r, size_t i)
{
	assert(r->settled && i < r->count);
	return &r->items[i];
}

const struct rule *
rules_early_all(const struct rules *r)
{
	return r != NULL && r->all.file != NULL ? &r->all : NULL;
}

size_t
rules_void_count(const struct rules *r)
{
	return r != NULL ? r->void_count : 0;
}

const struct rule *
rules_find(const struct rules *r, enum rule_kind kind, const char *domain)
{
	size_t low = 0, high = rules_count(r);

	assert(r == NULL || r->settled);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_key(&r->items[middle], kind, domain);

		if (order == 0)
			return &r->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return kind == RULE_EARLY ? rules_early_all(r) : NULL;
}

bool
rule_is_in_force(const struct rule *rule, int64_t now_s)
{
	return rule->until_s == 0 || now_s < rule->until_s;
}

void
rule_format(const struct rule *rule, struct buf *out)
{
	char text[CLOCK_TEXT_SIZE];

	buf_addf(out, "%s %s", kinds[rule->kind].word, rule->domain != NULL ? rule->domain : "all");
	if (rule->until_s != 0) {
		clock_format(rule->until_s - CLOCK_DAY_S, text);
		buf_addf(out, " until %.10s", text);
	}
	if (rule->kind != RULE_ADD)
		return;
	buf_addf(out, " auth %s mx",
		rule->auth_dane && rule->auth_pkix ? "any"
			: rule->auth_dane          ? "dane"
						   : "pkix");
	for (size_t i = 0; i < rule->mxs_count; i++)
		buf_addf(out, " %s", rule->mxs[i]);
}

static void
digest_rule(EVP_MD_CTX *digest, const struct rule *rule, struct buf *text)
{
	buf_reset(text);
	rule_format(rule, text);
	buf_add_char(text, '\n');
	if (buf_failed(text) || EVP_DigestUpdate(digest, text->data, text->len) != 1)
		abort();
}

void
rules_digest(const struct rules *r, int64_t now_s, char out[static 65])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t sha256[32];
	struct buf text;
	size_t taken = 0;

	buf_init(&text, 2 * RULES_LINE_MAX);
	if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		abort();
	for (size_t i = 0; i < rules_count(r); i++)
		if (rule_is_in_force(&r->items[i], now_s)) {
			digest_rule(digest, &r->items[i], &text);
			taken++;
		}
	if (rules_early_all(r) != NULL) {
		digest_rule(digest, &r->all, &text);
		taken++;
	}
	if (EVP_DigestFinal_ex(digest, sha256, NULL) != 1)
		abort();
	out[0] = '\0';
	if (taken > 0)
		str_hex(sha256, sizeof(sha256), out);
	EVP_MD_CTX_free(digest);
	buf_clear(&text);
}
