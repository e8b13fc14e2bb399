/* Counting on from run to run: each line once, whatever becomes of the file; report-only installs nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "export/tuf_metadata.h"
#include "updater/health.h"
#include "updater/job.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/stats.h"
#include "updater/tally.h"

#include "updater_repo.h"

#define SMTP(pid)   "2026-11-23T11:00:00Z host postfix/smtp[" pid "]: "
#define TLS(pid)    SMTP(pid) "Verified TLS connection established to mx1.good.test[192.0.2.1]:25: TLSv1.3\n"
#define TO(pid, id) SMTP(pid) id ": to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, "
#define SENT        "dsn=2.0.0, status=sent (250 ok)\n"
#define REUSED      "conn_use=2, "
#define NO_TLS      "dsn=4.7.4, status=deferred (TLS is required, but was not offered by host mx1.good.test)\n"

struct world {
	struct repo repo;
	struct update_settings s;
	char *log;
};

static void
vary(int i UNUSED, struct list_entry *e)
{
	static const char *const mxs[] = {"mx1.good.test"};

	e->domain = "good.test";
	e->policy.mxs = mxs;
}

/* Settings as of a file with these lines more; what was there before is kept in the state folder. */
static void
configure(struct world *w, const char *mode, const char *more)
{
	char *conf = in_temp("conf"), *text;

	update_settings_clear(&w->s);
	text = xasprintf("[source]\nurl = file:%s\nroot = %s/root\n[state]\ndir = %s/state\n"
			 "[install]\nmode = %s\nmta = texthash\npath = %s/map\ndane = no\n"
			 "[postfix]\nformat = plain\npostmap = /nonexistent\npostconf = /nonexistent\n"
			 "[log]\npath = %s\n%s",
		w->repo.dir, temp_dir, temp_dir, mode, temp_dir, w->log, more);
	write_text(conf, text, strlen(text));
	OK(update_settings_load(conf, &w->s, &ok_err));
	free(text);
	free(conf);
	/* What the map is asked by is this program alone. */
	w->s.postmap = NULL;
}

static void
begin(struct world *w)
{
	char *list = in_temp("list.json"), *anchor = in_temp("root");

	memset(w, 0, sizeof(*w));
	repo_init(&w->repo, "repo");
	write_list(list, &(const struct list_spec){.version = 7, .first = 1, .last = 1, .vary = vary});
	repo_publish(&w->repo, list);
	repo_copy_root(&w->repo, anchor);
	w->log = in_temp("mail.log");
	free(anchor);
	free(list);
}

static void
end(struct world *w)
{
	update_settings_clear(&w->s);
	repo_clear(&w->repo);
	free(w->log);
	(void)remove_temp_dir(NULL);
	(void)make_temp_dir(NULL);
}

static void
append(const struct world *w, const char *text)
{
	int fd = open(w->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void
run(const struct world *w)
{
	const struct job_options options = {.now_s = NOW};

	OK(job_run(&w->s, &options, &ok_err));
}

static int64_t
counted(const struct world *w, enum traffic_count c)
{
	struct tally t;
	int64_t n;

	OK(tally_load(&w->s, &t, &ok_err));
	n = t.sum[c];
	if (t.domain_count > 0)
		assert_int_equal(t.domains[0].n[c], n);
	tally_clear(&t);
	return n;
}

static void
must_count(const struct world *w, int64_t verified, int64_t clear)
{
	run(w);
	assert_int_equal(counted(w, TRAFFIC_VERIFIED), verified);
	assert_int_equal(counted(w, TRAFFIC_CLEAR), clear);
}

/* --- each line once ----------------------------------------------------------------------------- */

static char *
beside(const struct world *w, const char *ending)
{
	return xasprintf("%s%s", w->log, ending);
}

static void
rename_log(const struct world *w, const char *from, const char *to)
{
	char *a = beside(w, from), *b = beside(w, to);

	assert_int_equal(rename(a, b), 0);
	free(a);
	free(b);
}

static void
compress_log(const struct world *w, const char *from, const char *to)
{
	char *a = beside(w, from), *b = beside(w, to);
	struct buf bytes;
	gzFile f = gzopen(b, "wb");

	read_bytes(a, &bytes);
	assert_int_equal(gzwrite(f, bytes.data, (unsigned)bytes.len), bytes.len);
	assert_int_equal(gzclose(f), Z_OK);
	(void)unlink(a);
	buf_clear(&bytes);
	free(a);
	free(b);
}

static void
test_once(void **state UNUSED)
{
	struct world w;
	char *copy;
	struct buf bytes;

	begin(&w);
	append(&w, TLS("1") TO("1", "A") SENT);
	configure(&w, "report-only", "");
	must_count(&w, 1, 0);
	must_count(&w, 1, 0);
	/* One more recipient over the connection that was spoken of before; then one that is new. */
	append(&w, TO("1", "A") SENT TO("2", "B") SENT);
	must_count(&w, 2, 1);
	/* Half a line is not there yet. */
	append(&w, TO("2", "C"));
	must_count(&w, 2, 1);
	append(&w, SENT);
	must_count(&w, 2, 2);
	/* Rotated by renaming, with lines behind the place. */
	append(&w, TO("2", "D") SENT);
	rename_log(&w, "", ".1");
	append(&w, TO("2", "E") SENT);
	must_count(&w, 2, 4);
	must_count(&w, 2, 4);
	/* Twice before the next look, and compressed meanwhile. */
	append(&w, TO("2", "F") SENT);
	compress_log(&w, ".1", ".3.gz");
	compress_log(&w, "", ".2.gz");
	append(&w, TO("2", "G") SENT);
	rename_log(&w, "", ".1");
	append(&w, TO("2", "H") SENT);
	must_count(&w, 2, 7);
	must_count(&w, 2, 7);
	/* Copied and emptied. */
	append(&w, TO("2", "I") SENT);
	copy = beside(&w, ".0");
	read_bytes(w.log, &bytes);
	write_text(copy, bytes.data, bytes.len);
	assert_int_equal(truncate(w.log, 0), 0);
	must_count(&w, 2, 8);
	append(&w, TO("2", "J") SENT);
	must_count(&w, 2, 9);
	buf_clear(&bytes);
	free(copy);
	end(&w);
}

/* The file is gone with what it had: what was counted is not counted again, nor invented. */
static void
test_lost_place(void **state UNUSED)
{
#define AT(time) "2026-11-23T" time "Z host postfix/smtp[1]: A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, "
	struct world w;

	begin(&w);
	append(&w, AT("10:00:00") SENT AT("11:00:00") SENT);
	configure(&w, "report-only", "");
	/* Postfix has to speak of TLS once, or nothing can be told of clear text. */
	append(&w, SMTP("9") "Verified TLS connection established to mx.other.test[192.0.2.9]:25: TLSv1.3\n");
	must_count(&w, 0, 2);
	(void)unlink(w.log);
	append(&w, AT("10:30:00") SENT AT("11:30:00") SENT);
	append(&w, SMTP("9") "Verified TLS connection established to mx.other.test[192.0.2.9]:25: TLSv1.3\n");
	must_count(&w, 0, 3);
	/* A line from the future hides nothing. */
	append(&w, AT("23:30:00") SENT);
	must_count(&w, 0, 4);
	append(&w, AT("11:31:00") SENT);
	must_count(&w, 0, 5);
	end(&w);
}

/* What becomes of a message that the list held up, over several runs. */
static void
test_held(void **state UNUSED)
{
	struct world w;
	char *textfile, *more, *text = NULL;
	struct buf bytes;
	size_t size;
	FILE *out;

	begin(&w);
	textfile = in_temp("metrics.prom");
	more = xasprintf("count = yes\n[metrics]\ntextfile = %s\n", textfile);
	append(&w, TLS("1") TO("1", "OLD") SENT);
	configure(&w, "enforce", more);
	run(&w);
	/* What was before the list does not count as its doing. */
	assert_int_equal(counted(&w, TRAFFIC_VERIFIED), 0);
	append(&w, "2026-11-23T12:00:01Z host postfix/smtp[1]: A: to=<u@good.test>, "
		   "relay=mx1.good.test[192.0.2.1]:25, delay=1, " NO_TLS);
	append(&w, TO("1", "A") NO_TLS TO("1", "B") NO_TLS);
	run(&w);
	assert_int_equal(counted(&w, TRAFFIC_HELD), 2);
	assert_int_equal(counted(&w, TRAFFIC_NO_TLS), 2);
	append(&w, TO("1", "A") NO_TLS TLS("2") TO("2", "A") SENT);
	run(&w);
	assert_int_equal(counted(&w, TRAFFIC_HELD), 2);
	assert_int_equal(counted(&w, TRAFFIC_LATER), 1);
	append(&w, TO("1", "B") "dsn=5.0.0, status=bounced (host said: 550 no)\n");
	run(&w);
	assert_int_equal(counted(&w, TRAFFIC_HELD_BOUNCED), 1);
	assert_int_equal(counted(&w, TRAFFIC_VERIFIED), 1);
	read_bytes(textfile, &bytes);
	assert_non_null(strstr(buf_str(&bytes), "preload25_update_mail_total{what=\"held\"} 2\n"));
	assert_non_null(strstr(buf_str(&bytes), "preload25_update_mail_total{what=\"held_delivered\"} 1\n"));
	out = open_memstream(&text, &size);
	OK(report_status(&w.s, NOW, out, &ok_err));
	(void)fclose(out);
	assert_non_null(strstr(text, "1 deliveries protected"));
	assert_non_null(strstr(text, "2 messages held up (1 delivered later, 1 returned, 0 wait)"));
	free(text);
	buf_clear(&bytes);
	free(more);
	free(textfile);
	end(&w);
}

static void
must_wait(const struct world *w, size_t count)
{
	struct tally t;

	OK(tally_load(&w->s, &t, &ok_err));
	assert_int_equal(t.waiting_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(t.waiting[i].domain, "good.test");
		assert_int_equal(t.waiting[i].held_s, NOW - 3600);
	}
	tally_clear(&t);
}

/* Only messages to listed domains are followed, and not for ever: there is room for so many. */
static void
test_waiting(void **state UNUSED)
{
	struct world w;
	struct tally t;

	begin(&w);
	append(&w, TLS("1") TO("1", "OLD") SENT);
	configure(&w, "enforce", "count = yes\n");
	run(&w);
	append(&w, TO("1", "A") NO_TLS TO("1", "B") NO_TLS);
	append(&w, SMTP("1") "C: to=<u@other.test>, relay=mx.other.test[192.0.2.9]:25, delay=1, " NO_TLS);
	run(&w);
	must_wait(&w, 2);
	OK(tally_update(&w.s, NOW + 29 * DAY, &ok_err));
	must_wait(&w, 2);
	append(&w, TO("1", "A") SENT);
	OK(tally_update(&w.s, NOW + 29 * DAY, &ok_err));
	must_wait(&w, 1);
	OK(tally_update(&w.s, NOW + 30 * DAY, &ok_err));
	must_wait(&w, 0);
	/* What is heard of it then is none of its doing. */
	append(&w, TO("1", "B") SENT);
	OK(tally_update(&w.s, NOW + 30 * DAY, &ok_err));
	OK(tally_load(&w.s, &t, &ok_err));
	assert_int_equal(t.sum[TRAFFIC_LATER], 1);
	assert_int_equal(traffic_still_waits(t.sum), 1);
	tally_clear(&t);
	end(&w);
}

/* Given up by the queue, for all recipients at once: returned, whichever domain they waited for; also of a message
 * that an earlier run has seen. */
static void
test_given_up(void **state UNUSED)
{
	struct world w;

	begin(&w);
	append(&w, TLS("1") TO("1", "OLD") SENT);
	configure(&w, "enforce", "count = yes\n");
	run(&w);
	append(&w, TO("1", "A") NO_TLS TO("1", "B") NO_TLS);
	run(&w);
	append(&w, TO("1", "C") NO_TLS);
	append(&w, "2026-11-23T11:00:00Z host postfix/qmgr[2]: A: from=<a@home.test>, status=expired, returned to sender\n"
		   "2026-11-23T11:00:00Z host postfix/qmgr[2]: C: from=<a@home.test>, status=expired, returned to sender\n"
		   "2026-11-23T11:00:00Z host postfix/qmgr[2]: Z: from=<a@home.test>, status=expired, returned to sender\n");
	run(&w);
	assert_int_equal(counted(&w, TRAFFIC_HELD), 3);
	assert_int_equal(counted(&w, TRAFFIC_HELD_BOUNCED), 2);
	must_wait(&w, 1);
	end(&w);
}

#define STARTTLS(pid) \
	"2026-11-23T11:00:00Z host sm-mta[" pid "]: STARTTLS=client, relay=mx1.good.test., version=TLSv1.3, verify=OK, " \
	"cipher=X, bits=256/256\n"
#define MTA_TO(pid, to) \
	"2026-11-23T11:00:00Z host sm-mta[" pid "]: 6A: to=" to ", delay=00:00:00, xdelay=00:00:00, mailer=esmtp, " \
	"pri=1, relay=mx1.good.test. [192.0.2.1], dsn=2.0.0, stat=Sent (ok)\n"

/* Sendmail: that a certificate is valid means that the server is verified only if the rules of setup are there. One line
 * may be of several messages. */
static void
test_sendmail(void **state UNUSED)
{
	struct world w;
	char *cf = in_temp("sendmail.cf"), *text;

	begin(&w);
	append(&w, TLS("1") TO("1", "OLD") SENT);
	configure(&w, "enforce", "count = yes\n");
	run(&w);
	w.s.mta = &mta_sendmail;
	w.s.sendmail_cf = cf;
	write_text(cf, "", 0);
	append(&w, STARTTLS("1") MTA_TO("1", "<u@good.test>,<v@good.test>,<u@other.test>"));
	OK(tally_update(&w.s, NOW, &ok_err));
	assert_int_equal(counted(&w, TRAFFIC_ENCRYPTED), 2);
	assert_int_equal(counted(&w, TRAFFIC_VERIFIED), 0);
	text = xasprintf("Ksts hash -T<TMPF> %s\nR<SAN> $* \" is not in the server certificate\"\n", w.s.map_file);
	write_text(cf, text, strlen(text));
	append(&w, STARTTLS("2") MTA_TO("2", "<u@good.test>"));
	OK(tally_update(&w.s, NOW, &ok_err));
	assert_int_equal(counted(&w, TRAFFIC_ENCRYPTED), 2);
	assert_int_equal(counted(&w, TRAFFIC_VERIFIED), 1);
	/* Nothing is in force without a map. */
	assert_int_equal(unlink(w.s.map_file), 0);
	append(&w, STARTTLS("3") MTA_TO("3", "<u@good.test>"));
	OK(tally_update(&w.s, NOW, &ok_err));
	assert_int_equal(counted(&w, TRAFFIC_ENCRYPTED), 3);
	free(text);
	free(cf);
	end(&w);
}

/* --- report-only -------------------------------------------------------------------------------- */

static char *
told(const struct world *w, int (*tell)(const struct update_settings *, int64_t, FILE *, struct error *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	OK(tell(&w->s, NOW, out, &ok_err));
	(void)fclose(out);
	return text;
}

static void
test_report_only(void **state UNUSED)
{
	struct world w;
	char *map, *before, *text;
	struct health health;
	struct state st;
	struct buf value;
	struct error err = {0};

	begin(&w);
	map = in_temp("map");
	before = in_temp("map.1");
	append(&w, TLS("1") TO("1", "A") SENT TO("2", "B") SENT);
	configure(&w, "report-only", "");
	run(&w);
	assert_false(file_exists(map));
	text = told(&w, report_status);
	assert_non_null(strstr(text, "list         7 of"));
	assert_non_null(strstr(text, "report-only: nothing is installed"));
	assert_non_null(strstr(text, "1 of 2\n             deliveries to listed domains would have been deferred"));
	free(text);
	text = told(&w, report_status_json);
	assert_non_null(strstr(text, "\"report_only\":true"));
	assert_non_null(strstr(text, "\"clear\":1"));
	assert_non_null(strstr(text, "\"since\":\"2026-11-16T12:00:00Z\""));
	free(text);
	OK(job_run(&w.s, &(const struct job_options){.now_s = NOW + DAY, .dry_run = true}, &ok_err));
	assert_int_equal(run_undo(&w.s, NULL, &err), 1);
	/* Switched on: installed at once, from the list that is here. */
	configure(&w, "enforce", "");
	run(&w);
	buf_init(&value, 4096);
	assert_int_equal(map_find(w.s.kind, map, "good.test", &value, &err), 1);
	/* What the list would have done is nobody's question any more. */
	text = told(&w, report_status);
	assert_null(strstr(text, "would have been deferred"));
	free(text);
	text = told(&w, report_status_json);
	assert_non_null(strstr(text, "\"mail\":null"));
	free(text);
	/* And off: the map is there, without entries, and the one before beside it. */
	configure(&w, "report-only", "");
	run(&w);
	assert_int_equal(map_find(w.s.kind, map, "good.test", &value, &err), 0);
	assert_int_equal(map_find(w.s.kind, map, MAP_SENTINEL, &value, &err), 1);
	assert_int_equal(map_find(w.s.kind, before, "good.test", &value, &err), 1);
	/* From there on nobody touches it. */
	write_text(map, "mine", 4);
	run(&w);
	buf_reset(&value);
	OK(file_read(map, &value, &ok_err));
	assert_string_equal(buf_str(&value), "mine");
	text = xasprintf("%s/state/state.json", temp_dir);
	OK(state_load(text, &st, &ok_err));
	free(text);
	health_judge(&w.s, &st, NOW, &health);
	assert_int_equal(health.level, HEALTH_OK);
	assert_non_null(strstr(health.text, "report-only: nothing is enforced"));
	state_clear(&st);
	buf_clear(&value);
	free(before);
	free(map);
	end(&w);
}

/* Another path than the map was installed at: nothing is done in the wrong place, and it is said. */
static void
test_report_only_elsewhere(void **state UNUSED)
{
	const struct job_options options = {.now_s = NOW};
	struct world w;
	struct error err = {0};
	struct buf value;
	char *map, *other;

	begin(&w);
	map = in_temp("map");
	other = in_temp("other");
	configure(&w, "enforce", "");
	run(&w);
	configure(&w, "report-only", "");
	free(w.s.map_file);
	w.s.map_file = xstrdup(other);
	assert_int_equal(job_run(&w.s, &options, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "still in force"));
	buf_init(&value, 4096);
	assert_int_equal(map_find(w.s.kind, map, "good.test", &value, &err), 1);
	assert_false(file_exists(other));
	buf_clear(&value);
	free(other);
	free(map);
	end(&w);
}

/* --- stats -------------------------------------------------------------------------------------- */

static char *
stats_of(const struct world *w, bool json)
{
	char *text = NULL;
	size_t size;
	struct stats_options options = {.survey = {.now_s = NOW}, .json = json};

	options.out = open_memstream(&text, &size);
	OK(stats(&w->s, &options, &ok_err));
	(void)fclose(options.out);
	return text;
}

static void
test_stats(void **state UNUSED)
{
	struct world w;
	char *text, *path;

	begin(&w);
	append(&w, TLS("1") TO("1", "A") SENT TO("1", "B") NO_TLS TO("1", "B") NO_TLS TO("1", "C")
			"dsn=4.7.5, status=deferred (Server certificate not verified)\n" TLS("1") TO("1", "C") SENT
			SMTP("4") "D: to=<u@other.test>, relay=mx.other.test[192.0.2.1]:25, delay=1, " NO_TLS);
	configure(&w, "enforce", "");
	run(&w);
	text = stats_of(&w, false);
	assert_non_null(strstr(text, "        2 deliveries over TLS to a server that was verified: protected\n"));
	assert_non_null(strstr(text, "        2 messages held up"));
	assert_non_null(strstr(text, "                 1 STARTTLS was not offered\n"));
	assert_non_null(strstr(text, "                 1 the certificate was not trusted"));
	assert_non_null(strstr(text, "of them 1 delivered later, 0 returned to the sender, 1 not yet\n"));
	assert_null(strstr(text, "other.test"));
	free(text);
	text = stats_of(&w, true);
	assert_non_null(strstr(text, "\"counted\":null"));
	assert_non_null(strstr(text, "\"held\":2,\"held_bounced\":0,\"held_certificate\":1,\"held_dane\":0,"
				     "\"held_delivered\":1,"));
	free(text);
	/* What was counted is told, and where it cannot be read the rest is told all the same. */
	configure(&w, "enforce", "count = yes\n");
	run(&w);
	text = stats_of(&w, true);
	assert_non_null(strstr(text, "\"counted\":{\"by_domain\":"));
	assert_non_null(strstr(text, "\"since\":\"2026-11-23T12:00:00Z\""));
	free(text);
	path = in_temp("state/tally.json");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	text = stats_of(&w, true);
	assert_non_null(strstr(text, "\"counted\":null"));
	free(text);
	free(path);
	end(&w);
}

/* --- the file ----------------------------------------------------------------------------------- */

static void
test_damaged(void **state UNUSED)
{
	static const char good[] =
		"{\"tally_version\":1,\"report_only\":true,\"since\":5,\"until\":6,\"sum\":{\"clear\":3},"
		"\"by_domain\":{\"a.test\":{\"clear\":3}},\"waiting\":[\"00000000000000ff 1795435200 a.test\"],"
		"\"tls_logged\":6,\"digest\":\"\",\"digest_length\":0,\"offset\":0,\"last\":5,\"cursor\":\"s=1\"}";
	static const struct {
		const char *from, *to;
	} faults[] = {{"\"tally_version\":1", "\"tally_version\":2"}, {"\"clear\":3}}", "\"clear\":-3}}"},
		{"a.test\":{", "a test\":{"}, {"00ff 1795435200 ", "00fg 1795435200 "}, {"00ff 1795435200 a.test", "00ff"},
		{"1795435200 a.test", "a.test"}, {"1795435200", "179543520x"}, {"1795435200", "253402300800"},
		{"1795435200 a.test", "1795435200 a..test"},
		{"\"digest\":\"\"", "\"digest\":\"12\""}, {"\"since\":5", "\"since\":\"x\""},
		{"\"offset\":0", "\"offset\":-1"}, {"}", ""}};
	struct error err = {0};
	struct tally t;
	struct buf text;

	OK(tally_parse(good, strlen(good), &t, &ok_err));
	assert_true(t.report_only);
	assert_int_equal(t.waiting[0].message, 255);
	assert_int_equal(t.domains[0].n[TRAFFIC_CLEAR], 3);
	buf_init(&text, 65536);
	OK(tally_format(&t, &text, &ok_err));
	tally_clear(&t);
	OK(tally_parse(buf_str(&text), text.len, &t, &ok_err));
	assert_string_equal(t.waiting[0].domain, "a.test");
	assert_int_equal(t.waiting[0].held_s, 1795435200);
	assert_string_equal(t.place.cursor, "s=1");
	tally_clear(&t);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		const char *at = strstr(good, faults[i].from);
		char *bad;

		assert_non_null(at);
		bad = xasprintf("%.*s%s%s", (int)(at - good), good, faults[i].to,
			at + strlen(faults[i].from));
		assert_int_equal(tally_parse(bad, strlen(bad), &t, &err), -1);
		assert_int_equal(err.kind, ERROR_INPUT);
		free(bad);
	}
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_lost_place),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_sendmail),
		cmocka_unit_test(test_report_only),
		cmocka_unit_test(test_report_only_elsewhere),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}
