/*
 * bench_engine: domains from standard input through one engine; one JSON report per line on
 * standard output (--quiet: none), figures on standard error, and with --figures FILE in FILE as
 * lines NAME=NUMBER.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <event2/event.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/descriptors.h"
#include "common/error.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/engine.h"
#include "verifier/report.h"

#define LINE_SIZE   4096
#define REPORT_MAX  (16 * 1024 * 1024)
#define STRINGS_MAX 16

static struct engine *engine;
static struct event_base *base;
static bool quiet, at_end;
static uint64_t verdicts[3], reports, stop_after;
static size_t in_flight_max;

static void feed(void);

static void
on_report(const struct report *report, void *arg)
{
	struct buf line;
	struct error err;
	json_t *json;

	(void)arg;
	verdicts[report->verdict]++;
	reports++;
	if (!quiet) {
		json = report_to_json(report);
		buf_init(&line, REPORT_MAX);
		if (json_compact(json, &line, &err) < 0) {
			fprintf(stderr, "bench_engine: %s\n", err.text);
			exit(1);
		}
		puts(buf_str(&line));
		buf_clear(&line);
		json_decref(json);
	}
	feed();
	if ((at_end && engine_in_flight(engine) == 0) || reports == stop_after)
		event_base_loopbreak(base);
}

static void
feed(void)
{
	char line[LINE_SIZE];

	while (!at_end && engine_has_room(engine)) {
		if (fgets(line, sizeof(line), stdin) == NULL) {
			at_end = true;
			break;
		}
		line[strcspn(line, "\n")] = '\0';
		engine_submit(engine, line, on_report, NULL);
		if (engine_in_flight(engine) > in_flight_max)
			in_flight_max = engine_in_flight(engine);
	}
}

static double
seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

struct figures {
	double wall_s, cpu_s;
	long memory_mib;
	struct engine_stats stats;
};

static void
print_figures(const struct figures *f)
{
	fprintf(stderr,
		"domains %llu  pass %llu  fail %llu  unknown %llu  in flight at most %zu\n"
		"wall %.2f s  cpu %.2f s  %.0f domains per wall second  %.0f per cpu second\n"
		"smtp sessions %llu  shared hosts %llu  policy fetches %llu  dns look-ups %llu\n"
		"peak memory %ld MiB\n",
		(unsigned long long)reports, (unsigned long long)verdicts[VERDICT_PASS],
		(unsigned long long)verdicts[VERDICT_FAIL],
		(unsigned long long)verdicts[VERDICT_UNKNOWN], in_flight_max, f->wall_s, f->cpu_s,
		(double)reports / f->wall_s, (double)reports / f->cpu_s,
		(unsigned long long)f->stats.smtp_sessions,
		(unsigned long long)f->stats.smtp_shared,
		(unsigned long long)f->stats.policy_fetches,
		(unsigned long long)f->stats.dns_queries, f->memory_mib);
}

static void
write_figures(const struct figures *f, const char *path)
{
	FILE *out = fopen(path, "we");

	if (out == NULL ||
		fprintf(out,
			"domains=%llu\npass=%llu\nfail=%llu\nunknown=%llu\nin_flight_max=%zu\n"
			"wall_s=%.3f\ncpu_s=%.3f\nmemory_mib=%ld\nsmtp_sessions=%llu\n"
			"policy_fetches=%llu\ndns_queries=%llu\n",
			(unsigned long long)reports, (unsigned long long)verdicts[VERDICT_PASS],
			(unsigned long long)verdicts[VERDICT_FAIL],
			(unsigned long long)verdicts[VERDICT_UNKNOWN], in_flight_max, f->wall_s,
			f->cpu_s, f->memory_mib, (unsigned long long)f->stats.smtp_sessions,
			(unsigned long long)f->stats.policy_fetches,
			(unsigned long long)f->stats.dns_queries) < 0 ||
		fclose(out) != 0) {
		perror(path);
		exit(1);
	}
}

static unsigned int
number(const char *text)
{
	uint64_t n;

	if (str_parse_u64(text, strlen(text), 1000000000, &n) < 0) {
		fprintf(stderr, "bench_engine: \"%s\" is not a number\n", text);
		exit(2);
	}
	return (unsigned int)n;
}

static void
usage(void)
{
	fputs("usage: bench_engine [--forward ADDR@PORT] [--anchor FILE] [--ca FILE] [--allow "
	      "CIDR]\n"
	      "         [--smtp-port N] [--https-port N] [--workers N] [--concurrency N] "
	      "[--per-address N]\n"
	      "         [--per-operator N] [--rate N] [--deadline S] [--step S] [--special] "
	      "[--quiet]\n"
	      "         [--look-ups-only] [--stop N] [--figures FILE] [--debug] < DOMAINS\n",
		stderr);
	exit(2);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"forward", required_argument, NULL, 'f'},
		{"anchor", required_argument, NULL, 'a'},
		{"ca", required_argument, NULL, 'c'},
		{"allow", required_argument, NULL, 'l'},
		{"smtp-port", required_argument, NULL, 's'},
		{"https-port", required_argument, NULL, 'h'},
		{"concurrency", required_argument, NULL, 'n'},
		{"workers", required_argument, NULL, 'w'},
		{"per-address", required_argument, NULL, 'p'},
		{"per-operator", required_argument, NULL, 'o'},
		{"rate", required_argument, NULL, 'r'},
		{"deadline", required_argument, NULL, 'd'},
		{"step", required_argument, NULL, 't'},
		{"look-ups-only", no_argument, NULL, 'L'},
		{"special", no_argument, NULL, 'u'},
		{"figures", required_argument, NULL, 'F'},
		{"quiet", no_argument, NULL, 'q'},
		{"stop", required_argument, NULL, 'S'},
		{"debug", no_argument, NULL, 'D'},
		{NULL, 0, NULL, 0},
	};
	const char *forward[STRINGS_MAX], *allow[STRINGS_MAX];
	const char *figures_path = NULL;
	struct engine_options o;
	struct figures figures;
	struct error err;
	struct rusage usage_end;
	struct timespec begin, end;
	int c;

	engine_options_default(&o);
	o.dns_forward = forward;
	o.allow = allow;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			if (o.dns_forward_count < STRINGS_MAX)
				forward[o.dns_forward_count++] = optarg;
			break;
		case 'l':
			if (o.allow_count < STRINGS_MAX)
				allow[o.allow_count++] = optarg;
			break;
		case 'a':
			o.trust_anchor = optarg;
			break;
		case 'c':
			o.ca_file = optarg;
			break;
		case 's':
			o.smtp_port = (uint16_t)number(optarg);
			break;
		case 'h':
			o.https_port = (uint16_t)number(optarg);
			break;
		case 'w':
			o.workers = number(optarg);
			break;
		case 'n':
			o.concurrency = number(optarg);
			break;
		case 'p':
			o.per_address = number(optarg);
			break;
		case 'o':
			o.per_operator = number(optarg);
			break;
		case 'r':
			o.rate = number(optarg);
			break;
		case 'd':
			o.deadline_s = number(optarg);
			break;
		case 't':
			o.connect_s = o.greeting_s = o.reply_s = o.fetch_s = number(optarg);
			o.session_s = 3 * o.reply_s;
			break;
		case 'u':
			o.special_use_names = true;
			break;
		case 'L':
			o.look_ups_only = true;
			break;
		case 'F':
			figures_path = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'S':
			stop_after = number(optarg);
			break;
		case 'D':
			log_to_stderr("bench_engine", LOG_LEVEL_DEBUG);
			break;
		default:
			usage();
		}
	}
	descriptors_raise();
	base = event_base_new();
	if (clock_from_env(&o.clock, &err) < 0 || engine_new(&o, base, &engine, &err) < 0) {
		fprintf(stderr, "bench_engine: %s\n", err.text);
		return error_exit_code(&err);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	feed();
	if (engine_in_flight(engine) > 0)
		event_base_dispatch(base);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	(void)getrusage(RUSAGE_SELF, &usage_end);
	engine_get_stats(engine, &figures.stats);
	figures.wall_s =
		(double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	figures.cpu_s = seconds_of(usage_end.ru_utime) + seconds_of(usage_end.ru_stime);
	figures.memory_mib = usage_end.ru_maxrss / 1024;
	print_figures(&figures);
	if (figures_path != NULL)
		write_figures(&figures, figures_path);
	engine_free(engine);
	event_base_free(base);
	return 0;
}
