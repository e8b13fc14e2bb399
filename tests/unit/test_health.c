/* What monitoring is told: the judgement, the line of status --nagios, the figures for Prometheus.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/health.h"
#include "updater/map.h"
#include "updater/metrics.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/state.h"

#define NOW INT64_C(1795435200) /* 2026-11-23T12:00:00Z */
#define DAY INT64_C(86400)

static char dir[] = "/tmp/preload25-health-XXXXXX";
static struct update_settings settings;
static char *map_path, *state_path, *prom_path, *tally_path;

static void
put(const char *path, const char *text)
{
	struct error err = {0};

	if (file_replace(path, text, strlen(text), 0644, &err) < 0)
		fail_msg("%s", err.text);
}

static int
make_dir(void **state UNUSED)
{
	struct error err = {0};
	char *conf, *text;

	if (mkdtemp(dir) == NULL)
		return -1;
	map_path = xasprintf("%s/map", dir);
	state_path = xasprintf("%s/state.json", dir);
	prom_path = xasprintf("%s/p.prom", dir);
	tally_path = xasprintf("%s/tally.json", dir);
	conf = xasprintf("%s/conf", dir);
	text = xasprintf("[state]\ndir = %s\n[install]\nmta = texthash\npath = %s\n"
			 "[metrics]\ntextfile = %s\n",
		dir, map_path, prom_path);
	put(conf, text);
	free(text);
	if (update_settings_load(conf, &settings, &err) < 0)
		fail_msg("%s", err.text);
	free(conf);
	return 0;
}

static int
remove_dir(void **state UNUSED)
{
	static const char *const names[] = {"map", "state.json", "p.prom", "conf", "tally.json"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/%s", dir, names[i]);

		(void)unlink(path);
		free(path);
	}
	update_settings_clear(&settings);
	free(map_path);
	free(state_path);
	free(prom_path);
	free(tally_path);
	return rmdir(dir);
}

/* A machine on which all is well. */
static void
well(struct state *state)
{
	state_init(state);
	state->sources[0].list = (struct state_list){.version = 42,
		.timestamp_s = NOW - 7200,
		.expires_s = NOW + 10 * DAY,
		.confirmed_since_s = NOW - 7200};
	state_set(&state->map.path, map_path);
	state->map.version = 42;
	state->map.since_s = NOW - 3600;
	state->map.lines = 1000;
	state->map.lines_dane = 7;
	state->map.left_testing = 30;
	state->map.left_dane = 2;
	state->map.next_end_s = NOW + DAY;
	state->last_run_s = state->last_success_s = NOW - 600;
	put(map_path, MAP_SENTINEL " 42\n");
}

static void
test_judgement(void **unused UNUSED)
{
	static const struct {
		const char *name, *map;
		int64_t expires_s, success_s;
		int code;
		enum health_level want;
		const char *text;
	} cases[] = {
		{"well", NULL, 10 * DAY, 600, 0, HEALTH_OK,
			"list 42, 2 hours old, expires in 10 days, 1000 entries"},
		{"temporary failures are no news for a day", NULL, 10 * DAY, DAY, 3, HEALTH_OK,
			"list 42"},
		{"and then are", NULL, 10 * DAY, DAY + 1, 3, HEALTH_WARNING,
			"no run has succeeded for 1 day; the last one: it said | this"},
		{"nothing runs", NULL, 10 * DAY, 3 * DAY, 0, HEALTH_WARNING,
			"no run has succeeded for 3 days"},
		{"the brake", NULL, 10 * DAY, 600, 1, HEALTH_WARNING, "the last run: it said"},
		{"configuration", NULL, 10 * DAY, 600, 2, HEALTH_WARNING, "the last run: it said"},
		{"tampering", NULL, 10 * DAY, 600, 4, HEALTH_CRITICAL, "the last run: it said"},
		{"at the threshold", NULL, 3 * DAY, 600, 0, HEALTH_OK, "expires in 3 days"},
		{"below it", NULL, 3 * DAY - 1, 600, 0, HEALTH_WARNING,
			"list 42 expires in 2 days"},
		{"the last second", NULL, 1, 600, 0, HEALTH_WARNING, "list 42 expires in 1 second"},
		{"expired", NULL, 0, 600, 5, HEALTH_CRITICAL,
			"list 42 has expired (2026-11-23T12:00:00Z)"},
		{"expired weighs more than tampering", NULL, -1, 600, 4, HEALTH_CRITICAL,
			"has expired"},
		{"no map", "", 10 * DAY, 600, 0, HEALTH_CRITICAL, "map is missing: all mail waits"},
		{"another map", MAP_SENTINEL " 41\n", 10 * DAY, 600, 0, HEALTH_CRITICAL,
			"does not answer for list 42"},
		{"no such key", "example.org secure\n", 10 * DAY, 600, 0, HEALTH_CRITICAL,
			"does not answer for list 42"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct state state;
		struct health h;

		well(&state);
		state.sources[0].list.expires_s = NOW + cases[i].expires_s;
		state.last_success_s = NOW - cases[i].success_s;
		state.last_code = cases[i].code;
		if (cases[i].code != 0)
			state_set(&state.last_error, "it said | this\n");
		if (cases[i].map != NULL && cases[i].map[0] == '\0')
			assert_int_equal(unlink(map_path), 0);
		else if (cases[i].map != NULL)
			put(map_path, cases[i].map);
		health_judge(&settings, &state, NOW, &h);
		if (h.level != cases[i].want || strstr(h.text, cases[i].text) == NULL ||
			strchr(h.text, '\n') != NULL)
			fail_msg("%s: %s - %s", cases[i].name, health_name(h.level), h.text);
		state_clear(&state);
	}
}

static void
test_never_installed(void **unused UNUSED)
{
	struct state state;
	struct health h;

	state_init(&state);
	health_judge(&settings, &state, NOW, &h);
	assert_int_equal(h.level, HEALTH_CRITICAL);
	assert_string_equal(h.text, "no list is installed");
	state_set(&state.last_error, "no [source] url is configured");
	health_judge(&settings, &state, NOW, &h);
	assert_string_equal(
		h.text, "no list is installed; the last run: no [source] url is configured");
	state_clear(&state);
}

static char *
nagios(const struct error *config, enum health_level want)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	enum health_level got = health_nagios(&settings, config, NOW, out);

	assert_int_equal(fclose(out), 0);
	if (got != want)
		fail_msg("%d: %s", (int)got, text);
	/* One line. */
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	return text;
}

static void
test_nagios(void **unused UNUSED)
{
	const struct error config = {ERROR_CONFIG, "/etc/x:1: no such | key"};
	struct error err = {0};
	struct state state;
	char *text;

	well(&state);
	assert_int_equal(state_store(state_path, &state, &err), 0);
	text = nagios(NULL, HEALTH_OK);
	assert_string_equal(text,
		"PRELOAD25 OK - list 42, 2 hours old, expires in 10 days, 1000 entries | age=7200s "
		"entries=1000;;;0 left_out=32;;;0 expires=864000s;259200:;0: next_end=86400s "
		"success=600s;86400\n");
	free(text);
	/* The first list may be missing, where there are others: it has no age. */
	state.sources[0].list = (struct state_list){0};
	assert_int_equal(state_store(state_path, &state, &err), 0);
	text = nagios(NULL, HEALTH_CRITICAL);
	assert_non_null(strstr(text, " | entries=1000;;;0 left_out=32;;;0 next_end=86400s success=600s;86400\n"));
	free(text);
	state_clear(&state);
	well(&state);
	/* A bar that somebody else has written begins no figures. */
	state.last_code = 4;
	state_set(&state.last_error, "bad | signature");
	assert_int_equal(state_store(state_path, &state, &err), 0);
	text = nagios(NULL, HEALTH_CRITICAL);
	assert_true(str_starts(text, "PRELOAD25 CRITICAL - the last run: bad / signature | age="));
	free(text);
	text = nagios(&config, HEALTH_UNKNOWN);
	assert_string_equal(text, "PRELOAD25 UNKNOWN - /etc/x:1: no such / key\n");
	free(text);
	assert_int_equal(unlink(state_path), 0);
	text = nagios(NULL, HEALTH_CRITICAL);
	assert_string_equal(text, "PRELOAD25 CRITICAL - no list is installed\n");
	free(text);
	state_clear(&state);
}

static void
test_json(void **unused UNUSED)
{
	struct error err = {0};
	struct state state;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_t *doc, *map;

	well(&state);
	assert_int_equal(state_store(state_path, &state, &err), 0);
	assert_int_equal(report_status_json(&settings, NOW, out, &err), 0);
	assert_int_equal(fclose(out), 0);
	doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	map = json_object_get(doc, "map");
	assert_string_equal(json_string_value(json_object_get(doc, "health")), "OK");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(doc, "list"), "expires")),
		"2026-12-03T12:00:00Z");
	assert_int_equal(json_integer_value(json_object_get(map, "entries")), 1000);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(map, "left_out"), "testing")),
		30);
	assert_true(json_is_null(json_object_get(doc, "last_error")));
	json_decref(doc);
	free(text);
	/* Expired, and still an object. */
	text = NULL;
	out = open_memstream(&text, &size);
	assert_int_equal(report_status_json(&settings, NOW + 11 * DAY, out, &err), -1);
	assert_int_equal(err.kind, ERROR_EXPIRED);
	assert_int_equal(fclose(out), 0);
	assert_true(str_starts(text, "{\"health\":\"CRITICAL\""));
	free(text);
	state_clear(&state);
}

/* --- figures ------------------------------------------------------------------------------------
 */

/* [a-zA-Z_:][a-zA-Z0-9_:]* of the exposition format; its length, 0: none. */
static size_t
name_length(const char *text)
{
	size_t n = 0;

	while (str_is_alnum((unsigned char)text[n]) || text[n] == '_' || text[n] == ':')
		n++;
	return n > 0 && str_is_digit((unsigned char)text[0]) ? 0 : n;
}

/* Behind the braces of a sample; NULL: they are not as the format wants them. */
static const char *
skip_labels(const char *at)
{
	do {
		size_t n = name_length(++at);

		if (n == 0 || at[n] != '=' || at[n + 1] != '"')
			return NULL;
		for (at += n + 2; *at != '"'; at++)
			if (*at == '\0' || (*at == '\\' && strchr("\\\"n", *++at) == NULL))
				return NULL;
		at++;
	} while (*at == ',');
	return *at == '}' ? at + 1 : NULL;
}

/* A checker of the text format 0.0.4 as strict as what we write: each family has HELP, TYPE,
 * samples, in this order and once. The number of samples; -1 with the line in why. */
static int
check_exposition(const char *text, const char **why)
{
	char family[100] = "", seen[8192] = "";
	int samples = 0;
	bool typed = false;

	for (const char *line = text, *end; *line != '\0'; line = end + 1) {
		char key[110];
		size_t n;

		*why = line;
		end = strchr(line, '\n');
		if (end == NULL)
			return -1;
		if (str_starts(line, "# HELP ")) {
			n = name_length(line + 7);
			if (n == 0 || n >= sizeof(family) || line[7 + n] != ' ')
				return -1;
			(void)snprintf(family, sizeof(family), "%.*s", (int)n, line + 7);
			(void)snprintf(key, sizeof(key), " %s ", family);
			if (strstr(seen, key) != NULL || strlen(seen) + n + 3 > sizeof(seen))
				return -1;
			(void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s", key);
			typed = false;
			continue;
		}
		if (str_starts(line, "# TYPE ")) {
			n = name_length(line + 7);
			if (typed || n != strlen(family) || strncmp(line + 7, family, n) != 0 ||
				(!str_starts(line + 7 + n, " gauge\n") &&
					!str_starts(line + 7 + n, " counter\n")))
				return -1;
			typed = true;
			continue;
		}
		n = name_length(line);
		if (!typed || n != strlen(family) || strncmp(line, family, n) != 0)
			return -1;
		line += n;
		if (*line == '{' && (line = skip_labels(line)) == NULL)
			return -1;
		if (*line != ' ')
			return -1;
		line += line[1] == '-' ? 2 : 1;
		if (line == end)
			return -1;
		while (str_is_digit((unsigned char)*line))
			line++;
		if (line != end)
			return -1;
		samples++;
	}
	return samples;
}

static void
expect_valid(const char *text, int want)
{
	const char *why = "";
	int samples = check_exposition(text, &why);

	if (samples != want)
		fail_msg("%d samples, want %d; stopped before: %.80s", samples, want, why);
}

/* The checker is no rubber stamp. */
static void
test_checker(void **unused UNUSED)
{
	static const char *const wrong[] = {
		"a 1\n",
		"# HELP a b\n# TYPE a gauge\na 1",
		"# HELP a b\n# TYPE a gauge\na\n",
		"# HELP a b\n# TYPE a gauge\na 1s\n",
		"# HELP a b\n# TYPE a gauge\nb 1\n",
		"# HELP a b\n# TYPE a gauge\na{x=\"\\t\"} 1\n",
		"# HELP a b\n# TYPE a gauge\na{x=\"y} 1\n",
		"# HELP a b\n# TYPE a gauge\na 1\n# HELP a b\n# TYPE a gauge\na 1\n",
		"# HELP 1 b\n# TYPE 1 gauge\n1 1\n",
	};
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (check_exposition(wrong[i], &why) >= 0)
			fail_msg("not refused: %s", wrong[i]);
	expect_valid("# HELP a b\n# TYPE a counter\na -1\na{x=\"\\\\\\\"\\n\",y=\"\"} 2\n", 2);
}

static char *
written(void)
{
	struct error err = {0};
	struct stat st;
	struct buf text;
	char *result;

	assert_int_equal(stat(prom_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	buf_init(&text, METRICS_MAX);
	assert_int_equal(file_read(prom_path, &text, &err), 0);
	result = buf_take(&text);
	return result;
}

static void
expect_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	if (at == NULL || at == text || at[-1] != '\n' || at[strlen(line)] != '\n')
		fail_msg("no line %s in\n%s", line, text);
}

static void
test_metrics(void **unused UNUSED)
{
	struct error err = {0};
	struct state state;
	char *text;

	well(&state);
	state.last_code = 3;
	assert_int_equal(metrics_write(&settings, &state, &err), 0);
	text = written();
	expect_valid(text, 18);
	expect_line(text, "preload25_update_last_exit_code 3");
	expect_line(text, "preload25_update_list_timestamp_seconds 1795428000");
	expect_line(text, "preload25_update_entries 1000");
	expect_line(text, "preload25_update_left_out{reason=\"testing\"} 30");
	expect_line(text, "preload25_update_left_out{reason=\"run_out\"} 0");
	expect_line(text, "preload25_update_next_end_timestamp_seconds 1795521600");
	free(text);
	/* Nothing is known but that a run has failed. */
	state_clear(&state);
	state.last_run_s = NOW;
	state.last_code = 2;
	assert_int_equal(metrics_write(&settings, &state, &err), 0);
	text = written();
	expect_valid(text, 2);
	free(text);
}

static void
test_label(void **unused UNUSED)
{
	struct buf text;

	buf_init(&text, METRICS_MAX);
	metrics_family(&text, "preload25_update_mails", "counter", "Messages.");
	metrics_sample(&text, "preload25_update_mails", "why", "a\"b\\c\nd", 5);
	expect_valid(buf_str(&text), 1);
	expect_line(buf_str(&text), "preload25_update_mails{why=\"a\\\"b\\\\c\\nd\"} 5");
	buf_clear(&text);
}

/* What the job has counted stands behind it, as long as it counts, and of the mode it is in. */
static void
test_counted(void **unused UNUSED)
{
	static const char line[] = "preload25_update_mail_total{what=\"clear\"} 3";
	struct error err = {0};
	struct state state;
	char *text;

	put(tally_path, "{\"tally_version\":1,\"report_only\":true,\"since\":5,\"until\":6,\"sum\":{\"clear\":3},"
			"\"by_domain\":{},\"waiting\":[],\"tls_logged\":6,\"digest\":\"\",\"digest_length\":0,"
			"\"offset\":0,\"last\":5,\"cursor\":\"\"}");
	well(&state);
	for (int i = 0; i < 4; i++) {
		settings.report_only = i >= 2;
		settings.log_count = i % 2 == 1;
		assert_int_equal(metrics_write(&settings, &state, &err), 0);
		text = written();
		expect_line(text, "preload25_update_entries 1000");
		if (settings.report_only) {
			expect_valid(text, 32);
			expect_line(text, line);
		} else {
			expect_valid(text, 18);
		}
		free(text);
	}
	settings.report_only = settings.log_count = false;
	state_clear(&state);
}

static void
test_metrics_fail(void **unused UNUSED)
{
	const char *good = settings.metrics_textfile;
	struct error err = {0};
	struct state state;

	state_init(&state);
	settings.metrics_textfile = "/nonexistent/p.prom";
	assert_int_equal(metrics_write(&settings, &state, &err), -1);
	assert_true(str_starts(err.text, "metrics: /nonexistent/"));
	settings.metrics_textfile = NULL;
	assert_int_equal(metrics_write(&settings, &state, &err), 0);
	settings.metrics_textfile = good;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judgement),
		cmocka_unit_test(test_never_installed),
		cmocka_unit_test(test_nagios),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_checker),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_metrics_fail),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
