#include <inttypes.h>
#include <stdio.h>

#include "builder/authority_init.h"
#include "builder/build.h"
#include "builder/command.h"
#include "builder/settings.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/log.h"
#include "export/repository.h"

static void
report(const struct build *b)
{
	struct buf summary;

	buf_init(&summary, 200);
	build_summary(b, &summary);
	printf("list %" PRId64 " is built: %s, %" PRId64 " bytes\n", b->version, buf_str(&summary),
		b->made.length);
	if (b->made.troubled > 0)
		printf("  %" PRId64
		       " in trouble: not confirmed lately, they carry their own time\n",
			b->made.troubled);
	if (b->diff.demoted + b->diff.relaxed > 0)
		printf("  %" PRId64 " demoted to testing, %" PRId64 " relaxed\n", b->diff.demoted,
			b->diff.relaxed);
	if (b->over)
		printf("  beyond the brake, allowed by --allow-churn\n");
	printf("  sha256 %s\n", b->made.sha256);
	buf_clear(&summary);
}

int
cmd_build(struct app *app, const struct cli_call *call, struct error *err)
{
	const struct settings *s;
	struct repository_options options;
	struct repository *repository;
	struct build_rules rules;
	struct store *store;
	struct build b;
	int rc;

	if (app_settings(app, false, &s, err) < 0 || app_store(app, &store, err) < 0)
		return -1;
	rules = (struct build_rules){
		.author = s->authority.name,
		.vantages = (int64_t)s->vantage_count,
		.expires_s = s->list.expires_s,
		.fresh_s = s->list.fresh_s,
		.churn_percent = s->list.churn_percent,
		.allow_churn = cli_flag(call, "allow-churn"),
	};
	authority_repository_options(s, AUTHORITY_NO_KEYS, &options);
	if (repository_open(&options, &repository, err) < 0)
		return -1;
	rc = build_list(store, repository, &rules, clock_now(&app->clock), &b, err);
	repository_close(repository);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		log_error("build: brake: %" PRId64 " removed, %" PRId64 " demoted and %" PRId64
			  " relaxed of %" PRId64 " entries is more than %" PRId64
			  " %%; nothing was built. If that is right: build --allow-churn",
			b.diff.removed, b.diff.demoted, b.diff.relaxed, b.diff.before,
			s->list.churn_percent);
		return 1;
	}
	report(&b);
	return 0;
}
