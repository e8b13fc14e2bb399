#include "updater/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/metrics.h"
#include "updater/mta.h"
#include "updater/settings.h"
#include "updater/survey.h"

#define TALLY_VERSION 1
#define TALLY_MAX     ((size_t)4 * 1024 * 1024)
/* To whom this machine writes is nobody else's business. */
#define TALLY_MODE 0600
/* A server on which no connection has TLS for so long has rather been told not to log it. */
#define SPOKEN_S (7 * CLOCK_DAY_S)
/* No mail server tries for so long: what became of such a message the log has not told. */
#define WAITING_S (30 * CLOCK_DAY_S)
/* Digits of a message's hash. */
#define HASH_LEN 16

void
tally_clear(struct tally *t)
{
	for (size_t i = 0; i < t->domain_count; i++)
		free(t->domains[i].name);
	for (size_t i = 0; i < t->waiting_count; i++)
		free(t->waiting[i].domain);
	free(t->domains);
	free(t->waiting);
	memset(t, 0, sizeof(*t));
}

static char *
tally_path(const struct update_settings *s)
{
	return xasprintf("%s/tally.json", s->state_dir);
}

/* --- the file -----------------------------------------------------------------------------------
 */

static int
read_counts(const json_t *doc, const char *name, int64_t *n, struct error *err)
{
	json_t *counts;

	if (json_get_object(doc, name, &counts, err) < 0)
		return -1;
	/* A count that was added later begins with 0. */
	for (int c = 0; c < TRAFFIC_COUNTS; c++) {
		const char *count = traffic_count_name((enum traffic_count)c);

		n[c] = 0;
		if (json_object_get(counts, count) != NULL &&
			json_get_int(counts, count, 0, INT64_MAX / 4, &n[c], err) < 0)
			return -1;
	}
	return 0;
}

static int
read_domains(const json_t *doc, struct tally *t, struct error *err)
{
	json_t *domains, *value;
	const char *name;

	if (json_get_object(doc, "by_domain", &domains, err) < 0)
		return -1;
	if (json_object_size(domains) > TALLY_DOMAINS_MAX)
		return error_set(err, ERROR_INPUT, "too many domains");
	t->domains = xcalloc(json_object_size(domains) + 1, sizeof(*t->domains));
	json_object_foreach(domains, name, value) {
		struct tally_domain *d = &t->domains[t->domain_count];

		if (!list_domain_valid(name, strlen(name)))
			return error_set(err, ERROR_INPUT, "\"%s\" is no domain", name);
		if (read_counts(domains, name, d->n, err) < 0)
			return -1;
		d->name = xstrdup(name);
		t->domain_count++;
	}
	return 0;
}

/* "0123456789abcdef 1795435200 example.net". */
static int
read_message(const char *text, struct tally_waiting *out)
{
	const char *since = text + HASH_LEN + 1, *domain;
	uint8_t hash[HASH_LEN / 2];
	uint64_t held_s;

	if (strlen(text) <= HASH_LEN || text[HASH_LEN] != ' ' ||
		str_unhex(text, HASH_LEN, hash, sizeof(hash)) < 0)
		return -1;
	domain = strchr(since, ' ');
	if (domain == NULL || str_parse_u64(since, (size_t)(domain - since), CLOCK_MAX_S, &held_s) < 0 ||
		!list_domain_valid(domain + 1, strlen(domain + 1)))
		return -1;
	for (size_t i = 0; i < sizeof(hash); i++)
		out->message = out->message << 8 | hash[i];
	out->held_s = (int64_t)held_s;
	out->domain = xstrdup(domain + 1);
	return 0;
}

/* As many as there are. */
static int
read_waiting(const json_t *doc, struct tally *t, struct error *err)
{
	json_t *list;

	if (json_get_array(doc, "waiting", &list, err) < 0)
		return -1;
	if (json_array_size(list) > SURVEY_WAITING_MAX)
		return error_set(err, ERROR_INPUT, "too many messages wait");
	t->waiting = xcalloc(json_array_size(list) + 1, sizeof(*t->waiting));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text == NULL || read_message(text, &t->waiting[i]) < 0)
			return error_set(err, ERROR_INPUT, "\"waiting\" holds what is no message");
		t->waiting_count++;
	}
	return 0;
}

static int
read_place(const json_t *doc, struct log_place *place, struct error *err)
{
	const char *digest, *cursor;
	uint8_t sha256[32];

	if (json_get_string(doc, "digest", &digest, err) < 0 ||
		json_get_string(doc, "cursor", &cursor, err) < 0 ||
		json_get_int(doc, "digest_length", 0, 1 << 20, &place->digest_len, err) < 0 ||
		json_get_int(doc, "offset", 0, INT64_MAX, &place->offset, err) < 0 ||
		json_get_int(doc, "last", 0, CLOCK_MAX_S, &place->last_s, err) < 0)
		return -1;
	if (digest[0] != '\0' && str_unhex(digest, strlen(digest), sha256, sizeof(sha256)) < 0)
		return error_set(err, ERROR_INPUT, "\"digest\" is no SHA-256");
	if (strlen(cursor) >= sizeof(place->cursor))
		return error_set(err, ERROR_INPUT, "\"cursor\" is too long");
	(void)snprintf(place->digest, sizeof(place->digest), "%s", digest);
	(void)snprintf(place->cursor, sizeof(place->cursor), "%s", cursor);
	return 0;
}

int
tally_parse(const char *text, size_t len, struct tally *t, struct error *err)
{
	json_t *doc = NULL;
	int64_t version;
	int rc;

	memset(t, 0, sizeof(*t));
	if (json_parse(text, len, &doc, err) < 0)
		return -1;
	rc = json_get_int(doc, "tally_version", TALLY_VERSION, TALLY_VERSION, &version, err);
	if (rc == 0)
		rc = json_get_int(doc, "since", 0, CLOCK_MAX_S, &t->since_s, err);
	if (rc == 0)
		rc = json_get_int(doc, "until", 0, CLOCK_MAX_S, &t->until_s, err);
	if (rc == 0)
		rc = json_get_int(doc, "tls_logged", 0, CLOCK_MAX_S, &t->spoken_s, err);
	if (rc == 0)
		rc = read_place(doc, &t->place, err);
	if (rc == 0)
		rc = read_counts(doc, "sum", t->sum, err);
	if (rc == 0)
		rc = read_domains(doc, t, err);
	if (rc == 0)
		rc = read_waiting(doc, t, err);
	t->report_only = json_is_true(json_object_get(doc, "report_only"));
	json_decref(doc);
	if (rc < 0)
		tally_clear(t);
	return rc;
}

/* What people and their programs may know. */
json_t *
tally_json(const struct tally *t)
{
	json_t *doc = json_object(), *domains = json_object();

	for (size_t i = 0; i < t->domain_count; i++)
		json_object_set_new(domains, t->domains[i].name,
			survey_json_counts(t->domains[i].n, TRAFFIC_COUNTS));
	json_object_set_new(doc, "report_only", json_boolean(t->report_only));
	json_object_set_new(doc, "since", json_time(t->since_s));
	json_object_set_new(doc, "until", json_time(t->until_s));
	json_object_set_new(doc, "sum", survey_json_counts(t->sum, TRAFFIC_COUNTS));
	json_object_set_new(doc, "by_domain", domains);
	return doc;
}

int
tally_format(const struct tally *t, struct buf *out, struct error *err)
{
	json_t *doc = tally_json(t), *waiting = json_array();
	const struct log_place *place = &t->place;
	int rc;

	for (size_t i = 0; i < t->waiting_count; i++)
		json_array_append_new(waiting,
			json_sprintf("%016" PRIx64 " %" PRId64 " %s", t->waiting[i].message,
				t->waiting[i].held_s, t->waiting[i].domain));
	json_object_set_new(doc, "since", json_integer(t->since_s));
	json_object_set_new(doc, "until", json_integer(t->until_s));
	json_object_set_new(doc, "tally_version", json_integer(TALLY_VERSION));
	json_object_set_new(doc, "waiting", waiting);
	json_object_set_new(doc, "tls_logged", json_integer(t->spoken_s));
	json_object_set_new(doc, "digest", json_string(place->digest));
	json_object_set_new(doc, "digest_length", json_integer(place->digest_len));
	json_object_set_new(doc, "offset", json_integer(place->offset));
	json_object_set_new(doc, "last", json_integer(place->last_s));
	/* A cursor that is not UTF-8 is none. */
	json_object_set_new(doc, "cursor", json_text(place->cursor, ""));
	rc = json_compact(doc, out, err);
	json_decref(doc);
	return rc;
}

int
tally_load(const struct update_settings *s, struct tally *t, struct error *err)
{
	char *path = tally_path(s);
	struct error why = {0};
	struct buf text;
	int rc;

	memset(t, 0, sizeof(*t));
	buf_init(&text, TALLY_MAX);
	rc = file_read_if_exists(path, &text, err);
	if (rc > 0 && tally_parse(buf_str(&text), text.len, t, &why) < 0) {
		log_warning("%s: damaged, begun anew: %s", path, why.text);
		rc = 0;
	}
	buf_clear(&text);
	free(path);
	return rc;
}

static int
store(const struct update_settings *s, const struct tally *t, struct error *err)
{
	char *path = tally_path(s);
	struct buf text;
	int rc;

	buf_init(&text, TALLY_MAX);
	rc = tally_format(t, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, TALLY_MODE, err);
	buf_clear(&text);
	free(path);
	return rc;
}

/* --- counting -----------------------------------------------------------------------------------
 */

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct tally_domain *)a)->name, ((const struct tally_domain *)b)->name);
}

/* Both by name; new ones as long as there is room. */
static void
add_domains(struct tally *t, const struct survey *v)
{
	size_t known = t->domain_count;

	t->domains = xreallocarray(t->domains, TALLY_DOMAINS_MAX + 1, sizeof(*t->domains));
	if (known > 0)
		qsort(t->domains, known, sizeof(*t->domains), compare);
	for (size_t i = 0; i < v->listed_count; i++) {
		const struct traffic_domain *seen = v->listed[i];
		struct tally_domain key = {.name = xstrdup(seen->name)};
		struct tally_domain *d =
			known > 0 ? bsearch(&key, t->domains, known, sizeof(key), compare) : NULL;

		if (d == NULL && t->domain_count < TALLY_DOMAINS_MAX) {
			d = &t->domains[t->domain_count++];
			*d = key;
			key.name = NULL;
		}
		free(key.name);
		for (int c = 0; d != NULL && c < TRAFFIC_COUNTS; c++)
			d->n[c] += seen->n[c];
	}
	if (t->domain_count > 0)
		qsort(t->domains, t->domain_count, sizeof(*t->domains), compare);
}

static void
replace_waiting(struct tally *t, const struct survey *v)
{
	for (size_t i = 0; i < t->waiting_count; i++)
		free(t->waiting[i].domain);
	t->waiting_count = v->waiting_count;
	t->waiting = xreallocarray(t->waiting, v->waiting_count + 1, sizeof(*t->waiting));
	for (size_t i = 0; i < v->waiting_count; i++) {
		int64_t held_s = v->waiting[i].held_s;

		/* The log is no authority on what time it is. */
		if (held_s <= 0 || held_s > t->until_s)
			held_s = t->until_s;
		t->waiting[i] = (struct tally_waiting){.message = v->waiting[i].message,
			.held_s = held_s,
			.domain = xstrdup(v->waiting[i].domain)};
	}
}

/* Begins anew where nothing was counted yet, or in the other mode. */
static void
begin(const struct update_settings *s, struct tally *t, int64_t now_s)
{
	if (t->since_s != 0 && t->report_only == s->report_only)
		return;
	tally_clear(t);
	t->report_only = s->report_only;
	t->since_s = s->report_only ? now_s - SURVEY_DAYS * CLOCK_DAY_S : now_s;
	t->place.last_s = t->since_s;
}

int
tally_update(const struct update_settings *s, int64_t now_s, struct error *err)
{
	struct survey_options options = {.now_s = now_s, .time_max_s = TALLY_TIME_MAX_S};
	struct survey v = {0};
	struct tally t;
	int rc = -1;

	if (tally_load(s, &t, err) < 0)
		goto out;
	begin(s, &t, now_s);
	options.place = &t.place;
	options.traffic = traffic_new(0);
	for (size_t i = 0; i < t.waiting_count; i++)
		if (now_s - t.waiting[i].held_s < WAITING_S)
			traffic_follow(options.traffic, t.waiting[i].message, t.waiting[i].domain,
				t.waiting[i].held_s);
	if (now_s - t.spoken_s < SPOKEN_S)
		traffic_assume_tls(options.traffic);
	rc = survey_make(s, &options, &v, err);
	if (rc != 0)
		goto out;
	for (int c = 0; c < TRAFFIC_COUNTS; c++)
		t.sum[c] += v.sum[c];
	t.until_s = now_s;
	add_domains(&t, &v);
	replace_waiting(&t, &v);
	/* A line from the future must not hide those that come. */
	if (v.read.last_s > t.place.last_s && v.read.last_s <= now_s)
		t.place.last_s = v.read.last_s;
	if (v.speaks_tls)
		t.spoken_s = now_s;
	for (size_t i = 0; i < v.said.skipped_count; i++)
		log_warning("mail log: not counted: %s", v.said.skipped[i]);
	if (v.read.silence != NULL)
		log_info("mail log: %s", v.read.silence);
	rc = store(s, &t, err);
out:
	traffic_free(options.traffic);
	survey_clear(&v);
	tally_clear(&t);
	return rc < 0 ? error_prefix(err, "counting mail") : rc;
}

/* --- telling ------------------------------------------------------------------------------------
 */

bool
tally_wanted(const struct update_settings *s)
{
	return s->report_only || s->log_count;
}

int
tally_look(const struct update_settings *s, struct tally *t)
{
	struct error why = {0};
	int rc = 0;

	memset(t, 0, sizeof(*t));
	if (tally_wanted(s))
		rc = tally_load(s, t, &why);
	if (rc < 0)
		log_info("%s", why.text);
	return rc > 0 && t->report_only == s->report_only;
}

void
tally_metrics(const struct update_settings *s, struct buf *out)
{
	static const char name[] = "preload25_update_mail_total";
	struct tally t;

	if (tally_look(s, &t) > 0) {
		metrics_family(out, name, "counter",
			t.report_only
				? "Mail to listed domains, by what was seen in the log; nothing is enforced."
				: "Mail to listed domains, by what was seen in the log.");
		for (int c = 0; c < TRAFFIC_COUNTS; c++)
			metrics_sample(
				out, name, "what", traffic_count_name((enum traffic_count)c), t.sum[c]);
	}
	tally_clear(&t);
}

void
tally_tell(const struct tally *t, FILE *out)
{
	const int64_t *n = t->sum;
	char since[CLOCK_TEXT_SIZE];

	clock_format(t->since_s, since);
	if (t->report_only) {
		fprintf(out,
			"report       had the list been in force since %s, %" PRId64 " of %" PRId64
			"\n             deliveries to listed domains would have been deferred",
			since, traffic_would_wait(n), traffic_sent(n));
		if (n[TRAFFIC_ENCRYPTED] > 0)
			fprintf(out, "; of %" PRId64 "\n             over unverified TLS the log cannot say",
				n[TRAFFIC_ENCRYPTED]);
		if (n[TRAFFIC_UNTOLD] > 0)
			fprintf(out, ";\n             of %" PRId64 " it does not tell how they went",
				n[TRAFFIC_UNTOLD]);
	} else {
		fprintf(out,
			"mail         since %s: %" PRId64 " deliveries protected,\n             %" PRId64
			" messages held up (%" PRId64 " delivered later, %" PRId64
			" returned, %" PRId64 " wait)",
			since, n[TRAFFIC_VERIFIED], n[TRAFFIC_HELD], n[TRAFFIC_LATER],
			n[TRAFFIC_HELD_BOUNCED], traffic_still_waits(n));
	}
	fputc('\n', out);
}
