#include "builder/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "builder/crawl.h"
#include "builder/settings.h"
#include "builder/terminal.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/log.h"

/* Seconds between lines where there is no terminal. */
#define LINE_EVERY_S 10.0
#define BAR_MAX      40

struct shown {
	bool terminal;
	bool any;      /* a bar stands on the screen */
	double last_s; /* when the last line was written */
};

static double
rate_of(const struct crawl_progress *p)
{
	return p->elapsed_s > 0 ? (double)p->done / p->elapsed_s : 0;
}

static void
format_left(const struct crawl_progress *p, char out[static TERMINAL_SPAN_SIZE])
{
	double rate = rate_of(p);

	if (rate <= 0 || p->done >= p->total)
		out[0] = '\0';
	else
		terminal_span((int64_t)((double)(p->total - p->done) / rate + 0.5), out);
}

static void
draw_bar(const struct crawl_progress *p)
{
	char left[TERMINAL_SPAN_SIZE];
	char text[200];
	int width = terminal_width(stderr);
	int room, full;

	format_left(p, left);
	(void)snprintf(text, sizeof(text),
		" %" PRId64 "/%" PRId64 "  %.0f/s  %" PRId64 " fit %" PRId64 " not %" PRId64
		" unknown%s%s%s",
		p->done, p->total, rate_of(p), p->pass, p->fail, p->unknown,
		left[0] != '\0' ? "  " : "", left, left[0] != '\0' ? " left" : "");
	room = width - (int)sizeof(" []") - snprintf(NULL, 0, "%s", text);
	if (room > BAR_MAX)
		room = BAR_MAX;
	if (room < 5) {
		fprintf(stderr, "\r%.*s\033[K", width - 1, text + 1);
	} else {
		full = p->total > 0 ? (int)((double)room * (double)p->done / (double)p->total)
				    : room;
		fprintf(stderr, "\r[%.*s%*s]%s\033[K", full,
			"########################################", room - full, "", text);
	}
}

static void
on_progress(const struct crawl_progress *p, void *arg)
{
	struct shown *s = arg;
	char left[TERMINAL_SPAN_SIZE];

	if (s->terminal) {
		draw_bar(p);
		s->any = true;
		return;
	}
	if (p->elapsed_s - s->last_s < LINE_EVERY_S)
		return;
	s->last_s = p->elapsed_s;
	format_left(p, left);
	log_info("crawl: %" PRId64 " of %" PRId64 ", %.0f/s, %zu in flight%s%s%s", p->done,
		p->total, rate_of(p), p->in_flight, left[0] != '\0' ? ", " : "", left,
		left[0] != '\0' ? " left" : "");
}

/* Options in place of the configuration's keys. */
static int
read_limits(const struct cli_call *call, struct engine_options *e, struct error *err)
{
	const struct {
		const char *option, *key;
		unsigned *out;
	} limits[] = {
		{"workers", "workers", &e->workers},
		{"concurrency", "concurrency", &e->concurrency},
		{"per-host", "per_address", &e->per_address},
		{"rate", "rate", &e->rate},
	};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const char *text = cli_value(call, limits[i].option);
		int64_t n;

		if (text == NULL)
			continue;
		if (settings_parse_int("crawl", limits[i].key, text, &n, err) < 0)
			return error_prefix(err, "--%s", limits[i].option);
		*limits[i].out = (unsigned)n;
	}
	return 0;
}

int
cmd_crawl(struct app *app, const struct cli_call *call, struct error *err)
{
	struct shown shown = {.terminal = isatty(STDERR_FILENO) != 0};
	struct crawl_options options = {
		.vantage = cli_value(call, "vantage"),
		.once = cli_flag(call, "once"),
		.progress = on_progress,
		.progress_arg = &shown,
	};
	struct crawl_progress p;
	const struct settings *settings;
	struct engine_options engine;
	struct store *store;
	enum crawl_end end;
	int rc;

	if (app_settings(app, false, &settings, err) < 0)
		return -1;
	engine = settings->engine;
	options.engine = &engine;
	if (read_limits(call, &engine, err) < 0 || app_store(app, &store, err) < 0)
		return -1;
	rc = crawl_run(store, settings, &options, &p, &end, err);
	if (shown.any)
		fprintf(stderr, "\r\033[K");
	if (rc < 0)
		return -1;
	printf("%s%" PRId64 " %s in %.1f s: %" PRId64 " fit, %" PRId64 " not fit, %" PRId64
	       " could not be told; %" PRId64 " %s\n",
		end == CRAWL_INTERRUPTED ? "interrupted: " : "", p.done,
		terminal_noun(p.done, "domain", "domains"), p.elapsed_s, p.pass, p.fail, p.unknown,
		p.transitions, terminal_noun(p.transitions, "transition", "transitions"));
	return end == CRAWL_INTERRUPTED ? 3 : 0;
}
