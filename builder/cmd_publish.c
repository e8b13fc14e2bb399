#include <inttypes.h>
#include <stdio.h>

#include "builder/authority_init.h"
#include "builder/command.h"
#include "builder/publish.h"
#include "builder/settings.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "export/repository.h"
#include "export/repository_verify.h"

static void
report(const struct published *p)
{
	struct buf summary;

	if (p->renewed) {
		printf("no new list; the published one is signed anew, commit %.12s\n", p->commit);
		return;
	}
	buf_init(&summary, 200);
	build_summary(&p->build, &summary);
	printf("list %" PRId64 " is published: %s, commit %.12s\n", p->build.version,
		buf_str(&summary), p->commit);
	buf_clear(&summary);
}

static void
print_problem(void *arg UNUSED, const char *problem)
{
	printf("%s\n", problem);
}

/* The answer to --verify. */
static int
verify(const struct settings *s, int64_t now_s, struct error *err)
{
	struct repository_verdict v;

	if (repository_verify(s->repository.path, now_s, print_problem, NULL, &v, err) < 0)
		return -1;
	if (v.problems == 0)
		printf("%" PRId64 " %s: all is well\n", v.commits,
			v.commits == 1 ? "commit" : "commits");
	else
		printf("%" PRId64 " %s in %" PRId64 " %s\n", v.problems,
			v.problems == 1 ? "problem" : "problems", v.commits,
			v.commits == 1 ? "commit" : "commits");
	return v.security ? 4 : v.problems > 0 ? 1 : 0;
}

int
cmd_publish(struct app *app, const struct cli_call *call, struct error *err)
{
	const struct settings *s;
	struct repository_options options;
	struct repository *repository;
	struct published done;
	struct store *store;
	int rc;

	if (app_settings(app, false, &s, err) < 0)
		return -1;
	if (cli_flag(call, "verify"))
		return verify(s, clock_now(&app->clock), err);
	if (app_store(app, &store, err) < 0)
		return -1;
	authority_repository_options(s, &options);
	options.adopt = cli_flag(call, "adopt");
	if (repository_open(&options, &repository, err) < 0)
		return -1;
	rc = publish_next(store, repository, clock_now(&app->clock), &done, err);
	if (rc == 0) {
		report(&done);
		rc = repository_push(repository, err);
		if (rc == 0 && options.remote_count > 0)
			printf("pushed to %zu %s\n", options.remote_count,
				options.remote_count == 1 ? "remote" : "remotes");
	}
	repository_close(repository);
	return rc;
}
